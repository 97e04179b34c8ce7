/* From the engine into Arrow: chunks of a result gathered into batches of many thousand rows. */
#ifndef STOA_SQL_DUCKDB_READ_H
#define STOA_SQL_DUCKDB_READ_H

#include <stoa/schema.h>

#include "mem/pool.h"
#include "sql/duckdb_api.h"

/* One column of a result, or the items or fields of one. */
struct column_reader;

/// Makes a reader from the engine's type to `type` (borrowed until close): the one that
/// stoa_sql_type_from_engine gives, or another that the engine's values can be brought into (a coarser
/// or finer unit of time, fixed from blobs, durations from intervals).
///
/// Errors   STOA_UNSUPPORTED  `type` is not a twin of the engine's
STOA_MUST_USE stoa_status stoa_sql_column_reader_create(
    const struct duckdb_api *api, stoa_pool *pool, duckdb_logical_type engine_type,
    const stoa_type *type, struct column_reader **out, stoa_error *err);
/// NULL is allowed.
void stoa_sql_column_reader_close(struct column_reader *reader);

/// Appends values [offset, offset + count) of a flat vector.
///
/// Errors   STOA_INVALID  a value that the type does not hold
///          STOA_LIMIT    over 2 GiB of text in one batch
STOA_MUST_USE stoa_status stoa_sql_column_reader_append(struct column_reader *reader,
                                                        duckdb_vector vector, int64_t offset,
                                                        int64_t count, stoa_error *err);
/// What was gathered so far.
size_t stoa_sql_column_reader_bytes(const struct column_reader *reader);

/// Moves the values out; the reader is empty again.
STOA_MUST_USE stoa_status stoa_sql_column_reader_finish(struct column_reader *reader,
                                                        struct ArrowArray *out, stoa_error *err);

#endif
