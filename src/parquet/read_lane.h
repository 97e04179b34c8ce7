/* What one thread decodes with: for every leaf of a plan where it stands in the file, and what was read
 * of it. The unit of work is a window of rows of a set of leaves.
 *
 *     stoa_read_lane_decode(lane, &window, NULL, 0, err);
 *     stoa_read_lane_batch(lane, &window, &batch, err); */
#ifndef STOA_PARQUET_READ_LANE_H
#define STOA_PARQUET_READ_LANE_H

#include "parquet/read_dictionary.h"
#include "parquet/read_plan.h"

/// A leaf and where it stands.
typedef struct stoa_read_leaf {
    stoa_chunk_reader *chunk; /* of row group `group` */
    int32_t group;            /* -1: no chunk is open */
    int64_t row;              /* of the group, that comes next */
    /* Of a leaf that comes dictionary-encoded: */
    stoa_read_entries entries; /* of the chunk; none before they are needed */
    bool has_values;           /* the chunk has pages without codes */
    bool has_index;           /* of the group: it was looked for */
    stoa_page_index index;    /* where pages begin; nothing where it is damaged or missing */
    stoa_arena index_arena;
} stoa_read_leaf;

typedef struct stoa_read_lane {
    const stoa_read_plan *plan;
    stoa_context context;
    stoa_arena arena;
    stoa_read_leaf *leaves;    /* as the plan's; of another lane's where `shares_leaves` */
    bool shares_leaves;
    stoa_chunk_values *values; /* by number of the footer's leaf, as the next */
    struct ArrowArray *arrays; /* of leaves that were decoded and not made a batch yet */
    int32_t narrow_group; /* whose windows hold more than a batch can, or -1 */
    int64_t narrow_rows;  /* as many as fit */
    int64_t row_end; /* of the group: nothing behind it is wanted soon, so it is not read ahead */
} stoa_read_lane;

/// Borrows the plan. `context` is the lane's own: its token is looked at between pages.
///
/// Owns     The caller releases `out`, also on error.
/// Threads  One at a time for a lane; lanes of a plan are independent.
STOA_MUST_USE stoa_status stoa_read_lane_init(const stoa_read_plan *plan,
                                              const stoa_context *context, stoa_read_lane *out,
                                              stoa_error *err);
/// A lane with places of its own for what is read, by the leaves of another, which outlives it.
///
/// Threads  Of both lanes together one at a time reads a leaf; several leaves may be read at once.
STOA_MUST_USE stoa_status stoa_read_lane_init_beside(const stoa_read_lane *other,
                                                     stoa_read_lane *out, stoa_error *err);
void stoa_read_lane_release(stoa_read_lane *lane);

/// Opens the chunk of the plan's leaf `index` in the row group of `window`, at its beginning, unless it is
/// open and stands at the window or before it.
///
/// Errors   STOA_CORRUPT, STOA_NO_MEMORY, as of all that follow
STOA_MUST_USE stoa_status stoa_read_lane_open(stoa_read_lane *lane, const stoa_read_window *window,
                                              int32_t index, stoa_error *err);
/// Reads levels and values of `window` into `out`.
STOA_MUST_USE stoa_status stoa_read_lane_read(stoa_read_lane *lane, const stoa_read_window *window,
                                              int32_t index, stoa_chunk_values *out,
                                              stoa_error *err);
/// Makes the array of a leaf of lane->values.
STOA_MUST_USE stoa_status stoa_read_lane_array(stoa_read_lane *lane, int32_t index,
                                               stoa_error *err);
/// Puts row group and column of leaf `number` (the footer's) before a failure, which it returns.
stoa_status stoa_read_lane_fail(const stoa_read_lane *lane, const stoa_read_window *window,
                                int32_t number, stoa_status status, stoa_error *err);

/// Decodes the rows of `window` of some leaves (numbers among the plan's; NULL: of all) into their
/// arrays, in place of those that are there. A leaf that stands before the window passes over rows; one
/// that stands behind it, or in another row group, is opened anew.
///
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED, STOA_INVALID, STOA_LIMIT, STOA_CANCELLED, STOA_IO,
///          STOA_NO_MEMORY, all with row group and column. The lane is of no use afterwards but to be
///          released, or for stoa_read_lane_narrow.
STOA_MUST_USE stoa_status stoa_read_lane_decode(stoa_read_lane *lane,
                                                const stoa_read_window *window,
                                                const int32_t *leaves, int32_t leaf_count,
                                                stoa_error *err);

/// After a failure: whether fewer rows may do, because a column of so many does not fit a batch. Then
/// `window` gets fewer, and its leaves can be decoded again.
bool stoa_read_lane_narrow(stoa_read_lane *lane, stoa_read_window *window);

/// Puts the arrays of all leaves, decoded of the same window, together to a batch.
///
/// Errors   as above
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_read_lane_batch(stoa_read_lane *lane, const stoa_read_window *window,
                                               struct ArrowArray *out, stoa_error *err);

/// Decodes all leaves of a window and makes the batch; takes rows off the window's end where they do not
/// fit into one.
///
/// Errors   as above
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_read_lane_rows(stoa_read_lane *lane, stoa_read_window *window,
                                              struct ArrowArray *out, stoa_error *err);

#endif
