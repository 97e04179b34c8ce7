/* The loops that merge the keys of windows into spans.
 *
 * Kernels: they allocate nothing and report nothing. */
#ifndef STOA_LSM_MERGE_KERNEL_H
#define STOA_LSM_MERGE_KERNEL_H

#include "lsm/merge.h"

enum { STOA_MERGE_RUNS_MAX = 1024, STOA_MERGE_NO_RUN = UINT16_MAX };

/* The rows of one window that are not merged yet: [next, count), at least one. */
typedef struct stoa_merge_head {
    stoa_keys_view keys;
    uint32_t next;
    uint32_t count;
    uint16_t run;
    bool may_repeat;
    uint64_t key; /* of row `next`: the number, or the 8 bytes behind what all keys begin with */
} stoa_merge_head;

/* Where a merge stands. Heads are in the order of their runs. */
typedef struct stoa_merge_state {
    stoa_merge_head *heads;
    int32_t head_count;
    bool is_number;
    uint32_t common; /* bytes that all keys of the heads begin with */

    stoa_merge_span *spans; /* room for rows_max of them; the one before the first is of no run */
    int64_t span_count;
    int64_t row_count;
    int64_t rows_max;

    bool has_last; /* the key of the row before */
    uint64_t last_number;
    const uint8_t *last_bytes;
    uint32_t last_size;

    uint64_t
        *loser_keys; /* of the tree: room for twice as many as heads, rounded up to a power of 2 */
    uint32_t *losers;
} stoa_merge_state;

/// Merges until a window has no more rows, or rows_max are there.
void stoa_merge_heads(stoa_merge_state *state);

#endif
