/* What the files of the merge operators share. */
#ifndef STOA_LSM_MERGE_OPERATOR_INTERNAL_H
#define STOA_LSM_MERGE_OPERATOR_INTERNAL_H

#include "lsm/merge_operator.h"
#include "lsm/merge_operator_kernel.h"
#include "schema/schema.h"

/* One column that is folded. */
typedef struct stoa_merge_column {
    stoa_pool *pool;
    const stoa_field *field;
    int32_t index; /* among the columns */
    const struct ArrowArray *rows;
    stoa_merge_groups groups; /* validity is the column's */
    const uint8_t *has_base;  /* a byte a group */
} stoa_merge_column;

/// Whether a row of the column is not null.
bool stoa_merge_is_valid(const stoa_merge_column *column, int64_t row);
/// An array of one value a group, validity set, other buffers empty; without validity when no group is
/// null.
STOA_MUST_USE stoa_status stoa_merge_array_init(const stoa_merge_column *column,
                                                int64_t buffer_count, int64_t child_count,
                                                struct ArrowArray *out, stoa_error *err);
/// Rows indices[0..count) of an array of a field's type.
STOA_MUST_USE stoa_status stoa_merge_take(stoa_pool *pool, const stoa_field *field,
                                          const struct ArrowArray *rows, const int64_t *indices,
                                          int64_t count, struct ArrowArray *out, stoa_error *err);

/* One operator each. On error `out` holds what was made so far, or nothing. */
STOA_MUST_USE stoa_status stoa_merge_append_texts(const stoa_merge_column *column,
                                                  struct ArrowArray *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_merge_append_lists(const stoa_merge_column *column,
                                                  struct ArrowArray *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_merge_union(const stoa_merge_column *column, struct ArrowArray *out,
                                           stoa_error *err);
STOA_MUST_USE stoa_status stoa_merge_program(const stoa_merge_column *column,
                                             stoa_merge_programs *programs, const char *name,
                                             struct ArrowArray *out, stoa_error *err);

#endif
