/* Fetching the present values of a leaf out of its Arrow array. */
#ifndef STOA_PARQUET_VALUES_H
#define STOA_PARQUET_VALUES_H

#include "parquet/levels.h"

/// Appends values to values->data_buffer in the form of the leaf's class: those at `indices`
/// (relative to the array's offset), or without them `count` from `start` on. `*out_bad` is the
/// place in that sequence of a value that Parquet cannot hold, where it answers STOA_INVALID.
STOA_MUST_USE stoa_status stoa_values_fetch(stoa_leaf_values *values, const stoa_leaf *leaf,
                                            const struct ArrowArray *array, const int64_t *indices,
                                            int64_t start, int64_t count, int64_t *out_bad,
                                            stoa_error *err);

/// Where values lie in the array as Parquet wants them, for zero-copy; NULL for all other classes.
const void *stoa_values_in_place(const stoa_leaf *leaf, const struct ArrowArray *array,
                                 int64_t start);

#endif
