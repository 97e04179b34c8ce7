/* Values of fixed width from the engine's form into Arrow's. */
#ifndef STOA_SQL_DUCKDB_CONVERT_H
#define STOA_SQL_DUCKDB_CONVERT_H

#include <stoa/schema.h>

#include "sql/duckdb_api.h"

struct conversion {
    const stoa_type *type; /* what comes out */
    duckdb_type engine_id; /* what goes in */
    duckdb_type stored_id; /* of decimals: the integer they are kept in */
    const uint64_t *mask;  /* NULL: all are valid; nulls are not judged */
    int64_t offset;        /* of the first value, in the vector and its mask */
    int64_t count;
};

/// Writes `count` values of stoa_sql_type_arrow_width(type) bytes.
///
/// Errors   STOA_INVALID  a value that the type does not hold
STOA_MUST_USE stoa_status stoa_sql_convert_values(const struct conversion *conversion,
                                                  const void *values, void *out, stoa_error *err);

/// Bytes of a value in Arrow's buffer; 0 for bits, offsets and what has no values of its own.
size_t stoa_sql_type_arrow_width(const stoa_type *type);
/// Strings, binaries, lists and maps.
bool stoa_sql_type_has_offsets(const stoa_type *type);

#endif
