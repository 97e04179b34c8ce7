/* Reading only the rows that make a predicate true.
 *
 *     stoa_read_filter_begin(filter, part, err);                   which rows may: prune.h
 *     while (stoa_read_filter_window(filter, row, &window)) {
 *         stoa_read_filter_batch(filter, &window, &batch, err);    those that do; released: none
 *         row = window.first + window.count;
 *     }
 *
 * Within a window the columns of the predicate are read first, and of those only what the answer
 * needs; then the others, where rows are left. Where a chunk has a dictionary and nothing else, a
 * comparison is made once for each of its entries, and rows are matched by their codes; if no entry
 * matches, the chunk's pages are not read at all. */
#ifndef STOA_PARQUET_READ_FILTER_H
#define STOA_PARQUET_READ_FILTER_H

#include "parquet/read_lane.h"

typedef struct stoa_read_filter stoa_read_filter;

/// The filter of a lane whose plan has a predicate. Borrows the lane.
///
/// Errors   STOA_INVALID  the predicate names a field that is not outside lists and maps of the schema
///          STOA_NO_MEMORY, STOA_LIMIT
/// Threads  the lane's
STOA_MUST_USE stoa_status stoa_read_filter_create(stoa_read_lane *lane, stoa_read_filter **out,
                                                  stoa_error *err);
/// NULL is allowed.
void stoa_read_filter_close(stoa_read_filter *filter);

/// Begins a part: looks at what the file says about its values.
///
/// Errors   STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_read_filter_begin(stoa_read_filter *filter,
                                                 const stoa_read_part *part, stoa_error *err);

/// The first rows from `row` on (of the group's) that may match, at most a batch; false when there
/// are none.
bool stoa_read_filter_window(const stoa_read_filter *filter, int64_t row, stoa_read_window *out);

/// Those rows of the window that make the predicate true, of the plan's projection; `out` is left
/// released where there are none. With `out_rows` (nullable) their numbers of the group, of which it
/// is cleared first: int64_t.
///
/// Errors   as stoa_read_lane_decode
///          STOA_INVALID  a comparison that the field's type does not have
STOA_MUST_USE stoa_status stoa_read_filter_batch(stoa_read_filter *filter,
                                                 const stoa_read_window *window,
                                                 struct ArrowArray *out, stoa_buffer *out_rows,
                                                 stoa_error *err);

/// Those of the window's rows that are named (numbers of the group, growing, at least one), whatever the
/// predicate says of them.
///
/// Errors   as stoa_read_lane_decode
STOA_MUST_USE stoa_status stoa_read_filter_take(stoa_read_filter *filter,
                                                const stoa_read_window *window,
                                                const int64_t *rows, int64_t count,
                                                struct ArrowArray *out, stoa_error *err);

#endif
