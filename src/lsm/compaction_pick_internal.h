/* What the files that pick compactions share: the files that are chosen so far, and who is in the way. */
#ifndef STOA_LSM_COMPACTION_PICK_INTERNAL_H
#define STOA_LSM_COMPACTION_PICK_INTERNAL_H

#include "lsm/compaction_pick.h"
#include "mem/arena.h"

/* Runs that are merged at once; what was asked for by range may have more. */
enum { STOA_PICK_RUNS_MAX = 256 };

/* A compaction while it is picked. */
typedef struct stoa_pick {
    stoa_version *version;
    const stoa_compaction_policy *policy;
    const stoa_compactions *running;
    stoa_arena arena;
    uint8_t *chosen[STOA_LEVELS];   /* of each level's files: 1 where it is taken */
    stoa_table_file **level0_order; /* level 0 by first key */
    stoa_compaction_kind kind;
    stoa_compaction_reason reason;
    double score;
    int32_t output_level;
    uint64_t file_bytes;
    const stoa_table_file *first; /* of those chosen; NULL: none are */
    const stoa_table_file *last;
} stoa_pick;

/// -1, 0 or 1.
int stoa_pick_compare_first(const stoa_table_file *left, const stoa_table_file *right);
int stoa_pick_compare_last(const stoa_table_file *left, const stoa_table_file *right);
/// Whether `left` ends before `right` begins.
bool stoa_pick_is_before(const stoa_table_file *left, const stoa_table_file *right);
static inline bool stoa_pick_overlaps(const stoa_table_file *left, const stoa_table_file *right) {
    return !stoa_pick_is_before(left, right) && !stoa_pick_is_before(right, left);
}
static inline bool stoa_pick_is_busy(const stoa_table_file *file) {
    return atomic_load_explicit(&file->is_compacting, memory_order_relaxed);
}

/* Files [begin, end) of a level. */
typedef struct stoa_pick_span {
    int64_t begin;
    int64_t end;
    uint64_t bytes;
    bool is_busy; /* one of them is compacting */
} stoa_pick_span;
/// Those of a level below 0 that overlap the keys from `first`'s first to `last`'s last.
stoa_pick_span stoa_pick_span_of(const stoa_level *level, const stoa_table_file *first,
                                 const stoa_table_file *last);

void stoa_pick_choose(stoa_pick *pick, int32_t level, int64_t index);
void stoa_pick_choose_span(stoa_pick *pick, int32_t level, stoa_pick_span span);
/// Forgets what was chosen.
void stoa_pick_clear(stoa_pick *pick);
/// Whether no running compaction puts files on `level` between these keys.
bool stoa_pick_is_free(const stoa_pick *pick, int32_t level, const stoa_table_file *first,
                       const stoa_table_file *last);
/// Bytes that a level below 0 may have.
uint64_t stoa_pick_target(const stoa_compaction_policy *policy, int32_t level);

/// Each says whether there is something to do, and has chosen it then.
bool stoa_pick_expired(stoa_pick *pick);
bool stoa_pick_fifo(stoa_pick *pick);
bool stoa_pick_leveled(stoa_pick *pick, const stoa_compaction_need *need);
bool stoa_pick_tiered(stoa_pick *pick);
bool stoa_pick_deletions(stoa_pick *pick);
bool stoa_pick_range(stoa_pick *pick, const stoa_key_range *range, bool always,
                     bool *out_must_wait);

#endif
