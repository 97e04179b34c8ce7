/* Columns that files do not have because they are the same in all of their rows: the partitions of a
 * table, which stand in folder names and catalogs. */
#ifndef STOA_PARQUET_ALIGN_CONSTANT_H
#define STOA_PARQUET_ALIGN_CONSTANT_H

#include "mem/pool.h"
#include "schema/predicate.h"

typedef struct stoa_parquet_constant {
    int32_t field_id; /* of a column of the rows */
    stoa_value value; /* of the column's type, or null */
} stoa_parquet_constant;

/// `value` as an array of one row, in the canonical layout of `field`, which is primitive.
///
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_parquet_constant_array(stoa_pool *pool, const stoa_field *field,
                                                      const stoa_value *value,
                                                      struct ArrowArray *out, stoa_error *err);

#endif
