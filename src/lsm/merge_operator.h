/* Merge operators: operands of a key folded into one row, column by column. */
#ifndef STOA_LSM_MERGE_OPERATOR_H
#define STOA_LSM_MERGE_OPERATOR_H

#include "lsm/table_options.h"

/* Programs' own functions, by name; see stoa_state_register_merge. */
typedef struct stoa_merge_programs stoa_merge_programs;
STOA_MUST_USE stoa_status stoa_merge_programs_create(stoa_pool *pool, stoa_merge_programs **out,
                                                     stoa_error *err);
void stoa_merge_programs_close(stoa_merge_programs *programs);
/// Replaces one of the same name. Threads: any.
STOA_MUST_USE stoa_status stoa_merge_programs_set(stoa_merge_programs *programs, const char *name,
                                                  stoa_merge_function function, void *user,
                                                  stoa_error *err);

/// Rows [groups[g], groups[g + 1]) of `rows`, oldest first, become row g. The first of a group is a
/// whole row (a put) where `has_base` has a 1, else an operand like the others. Null operands change
/// nothing. Key columns are those of the first row.
///
/// Errors   STOA_INVALID      a sum that does not fit (with the column)
///          STOA_UNSUPPORTED  a program's operator that is not registered
/// Owns     On error `out` is released. `programs` may be NULL.
STOA_MUST_USE stoa_status stoa_merge_fold(const stoa_definition *definition,
                                          const stoa_merge_programs *programs, stoa_pool *pool,
                                          const struct ArrowArray *rows, const int64_t *groups,
                                          const uint8_t *has_base, int64_t group_count,
                                          struct ArrowArray *out, stoa_error *err);

#endif
