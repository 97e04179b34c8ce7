/* Whether the rows of a row group stand in the order that the footer will claim. */
#ifndef STOA_PARQUET_SORTING_H
#define STOA_PARQUET_SORTING_H

#include "parquet/levels.h"
#include "parquet/writer.h"

/// Finds the leaf of each sorting column.
///
/// Errors   STOA_INVALID  no field of this id, one inside a list or map, one without an order, or one
///                        that comes twice
/// Owns     `out_leaves`, options->sorting_count indices, comes from `arena`.
STOA_MUST_USE stoa_status stoa_sorting_resolve(const stoa_parquet_options *options,
                                               const stoa_leaf *leaves, int32_t leaf_count,
                                               stoa_arena *arena, const int32_t **out_leaves,
                                               stoa_error *err);

/// Checks rows against options->sorting. Nulls are first or last as it says, NaN is above all numbers,
/// zeros of both signs are equal, everything else is ordered as bounds are.
///
/// Errors   STOA_INVALID  with the row (`first_row` is that of the file) and column out of order
STOA_MUST_USE stoa_status stoa_sorting_check(stoa_pool *pool, const stoa_parquet_options *options,
                                             const stoa_leaf *leaves,
                                             const int32_t *sorting_leaves, const stoa_rows *pieces,
                                             size_t piece_count, int64_t first_row,
                                             stoa_error *err);

#endif
