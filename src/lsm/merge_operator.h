/* Merge operators: operands of a key folded into one row, column by column.
 *
 * Folding is associative: operands may be folded first, and their base later, or all at once. What
 * differs is the rounding of floating-point sums, which IEEE 754 leaves to the order of additions, and
 * sums that do not fit: only what is folded together counts, so operands alone may not fit where
 * operands and base do. */
#ifndef STOA_LSM_MERGE_OPERATOR_H
#define STOA_LSM_MERGE_OPERATOR_H

#include "lsm/table_options.h"

/// Whether columns of a type can have an operator. Sums: whole numbers, floats, decimals, durations.
/// Least and greatest, programs: primitive types that are no intervals. Append: strings, binaries,
/// lists. Union: lists of what has an order. Last: all.
bool stoa_merge_operator_takes(stoa_merge_operator merge, const stoa_type *type);

/* Programs' own functions, by name; see stoa_state_register_merge. */
typedef struct stoa_merge_programs stoa_merge_programs;
STOA_MUST_USE stoa_status stoa_merge_programs_create(stoa_pool *pool, stoa_merge_programs **out,
                                                     stoa_error *err);
/// NULL is allowed.
void stoa_merge_programs_close(stoa_merge_programs *programs);
/// Replaces one of the same name. Threads: any.
STOA_MUST_USE stoa_status stoa_merge_programs_set(stoa_merge_programs *programs, const char *name,
                                                  stoa_merge_function function, void *user,
                                                  stoa_error *err);

/// Rows [groups[g], groups[g + 1]) of `rows`, oldest first, at least one, become row g. The first of a
/// group is a whole row (a put) where has_base[g] is not 0, else an operand like the others. Null
/// operands change nothing: a column is null where all of a group's values are. Key columns are those
/// of the first row. Of values that compare as equal (0.0 and -0.0) the oldest stays. A set has each
/// value once, a null element behind all others. A lone value that is not null stays as it is: a list
/// is not made a set before another is added to it, and no program is called.
///
/// Errors   STOA_INVALID      a sum that does not fit, or a program's result that is no value of the
///                            type, with the column, and the group in `err->row`. Whoever folds
///                            operands without their base keeps those of such a group as they are
///          STOA_UNSUPPORTED  a program's operator that is not registered
///          STOA_LIMIT        more than 2 GiB of texts or items in a column; STOA_NO_MEMORY
/// Owns     On error `out` is released. `programs` may be NULL.
STOA_MUST_USE stoa_status stoa_merge_fold(const stoa_definition *definition,
                                          stoa_merge_programs *programs, stoa_pool *pool,
                                          const struct ArrowArray *rows, const int64_t *groups,
                                          const uint8_t *has_base, int64_t group_count,
                                          struct ArrowArray *out, stoa_error *err);

#endif
