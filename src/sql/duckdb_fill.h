/* From Arrow into the engine: types, and slices of arrays as vectors. */
#ifndef STOA_SQL_DUCKDB_FILL_H
#define STOA_SQL_DUCKDB_FILL_H

#include <stoa/schema.h>

#include "sql/duckdb_api.h"

/// The engine's type for a column of ours; NULL when the engine has no memory. Free with
/// api->destroy_logical_type.
duckdb_logical_type stoa_sql_engine_type(const struct duckdb_api *api, const stoa_type *type);

/// The engine's number of a type that is not a decimal, list, map or struct.
duckdb_type stoa_sql_engine_id_of(const stoa_type *type);

/* How values come into a vector. */
enum fill_mode {
    FILL_SHARED,  /* strings are pointed at: the array must outlive the vector */
    FILL_COPIED,  /* strings of more than 12 bytes are copied */
    FILL_AS_FILE, /* the same; and timestamps become ones of microseconds, as by the engine's reader of
                     files */
};

/// Puts rows [start, start + count) of `array` (canonical layout of `type`) into a fresh vector.
///
/// Errors   STOA_INVALID      a value is out of the engine's range (its row is counted within `array`)
///          STOA_UNSUPPORTED  `exact`, and an interval would be rounded
STOA_MUST_USE stoa_status stoa_sql_vector_fill(const struct duckdb_api *api, const stoa_type *type,
                                               const struct ArrowArray *array, int64_t start,
                                               int64_t count, bool exact,
                                               enum fill_mode mode, duckdb_vector vector,
                                               stoa_error *err);

#endif
