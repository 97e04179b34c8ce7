/* Merging sorted runs: only keys are looked at, and what comes out is where the rows are.
 *
 *     stoa_merge_create(pool, layout, runs, run_count, &merge, &err);
 *     stoa_merge_seek(merge, &range, &err);
 *     for (;;) {
 *         stoa_merge_next(merge, max_rows, &block, &err);
 *         if (block.row_count == 0) break;
 *         … the block's spans, one after the other, are all rows in order …
 *     } */
#ifndef STOA_LSM_MERGE_H
#define STOA_LSM_MERGE_H

#include "lsm/run.h"

/* Rows of one window that follow each other in the merged order. Their keys differ from each other;
 * only the first one may have the key of the row before the span. */
typedef struct stoa_merge_span {
    uint32_t first; /* in the window */
    uint32_t count;
    uint16_t run;
    bool continues; /* an older version of the key of the row before, perhaps of the block before */
} stoa_merge_span;

/* Valid until the next call; windows may be retained. */
typedef struct stoa_merge_block {
    const stoa_merge_span *spans;
    int64_t span_count;
    int64_t row_count;               /* of all spans; 0: the end */
    stoa_run_window *const *windows; /* one a run; NULL: the run is at its end */
} stoa_merge_block;

typedef struct stoa_merge stoa_merge;

/// Borrows the layout; `runs` is copied, what they name is borrowed. The newest run comes first: of
/// one key, all versions in a run are newer than those in the runs behind it.
STOA_MUST_USE stoa_status stoa_merge_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                            const stoa_run *runs, int32_t run_count,
                                            stoa_merge **out, stoa_error *err);
/// NULL is allowed.
void stoa_merge_close(stoa_merge *merge);

/// Which stripes of a run need not be read; see stoa_run_cursor_set_skip.
void stoa_merge_set_skip(stoa_merge *merge, int32_t run, stoa_run_skip skip, void *user);

/// The next rows are those of all runs from the first key of `range` (NULL: all keys) to its last.
STOA_MUST_USE stoa_status stoa_merge_seek(stoa_merge *merge, const stoa_key_range *range,
                                          stoa_error *err);

/// The cursor of a run, for what does not move it.
const stoa_run_cursor *stoa_merge_cursor(const stoa_merge *merge, int32_t run);

/// The next rows in order of key, versions of one key from the newest to the oldest; at most
/// `max_rows`, and fewer where a window ends.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_merge_next(stoa_merge *merge, int64_t max_rows,
                                          stoa_merge_block *out, stoa_error *err);

#endif
