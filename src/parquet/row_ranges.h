/* Sets of rows as ranges that grow and lie apart, in a buffer of stoa_parquet_row_range.
 *
 * Every function puts its result behind what `out` holds already, in no more ranges than are needed
 * for what it adds; `out` is none of its inputs.
 *
 * Errors   STOA_NO_MEMORY in all of them */
#ifndef STOA_PARQUET_ROW_RANGES_H
#define STOA_PARQUET_ROW_RANGES_H

#include "mem/buffer.h"

/// Rows of a file, or of a row group, from 0.
typedef struct stoa_parquet_row_range {
    int64_t first;
    int64_t count;
} stoa_parquet_row_range;

typedef struct stoa_row_ranges_view {
    const stoa_parquet_row_range *ranges;
    int32_t count;
} stoa_row_ranges_view;

stoa_row_ranges_view stoa_row_ranges_of(const stoa_buffer *ranges);

/// One range more, whose first row is at or behind the end of the last; it is joined to one that it
/// touches. None of no rows.
STOA_MUST_USE stoa_status stoa_row_ranges_append(stoa_buffer *out, int64_t first, int64_t count,
                                                 stoa_error *err);
/// Rows that are in both.
STOA_MUST_USE stoa_status stoa_row_ranges_intersect(stoa_row_ranges_view left,
                                                    stoa_row_ranges_view right, stoa_buffer *out,
                                                    stoa_error *err);
/// Rows that are in one of them.
STOA_MUST_USE stoa_status stoa_row_ranges_unite(stoa_row_ranges_view left,
                                                stoa_row_ranges_view right, stoa_buffer *out,
                                                stoa_error *err);

#endif
