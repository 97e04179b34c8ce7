/* Which files of a table are to be compacted next: pure functions over a version.
 *
 *     lock
 *     stoa_compaction_pick(pool, version, &policy, &running, &compaction, &err);
 *     unlock
 *     … stoa_compaction_run, one edit of the manifest, the version that follows …
 *     lock
 *     stoa_compaction_close(compaction);
 *     unlock
 *
 * Leveled: level 0 is merged into level 1 by its number of files; a level below by its bytes, one file
 * at a time with what it overlaps on the next level. Tiered: every file of level 0 and every level
 * below is a sorted run, and runs of similar size are merged. FIFO: the oldest files go.
 *
 * What keeps the newest version of a key above the older ones: a file goes down together with all that
 * it overlaps on the levels that it passes, from level 0 with all older files that it overlaps, and
 * never into the keys of a compaction that is on its way to the same level. */
#ifndef STOA_LSM_COMPACTION_PICK_H
#define STOA_LSM_COMPACTION_PICK_H

#include <stoa/state_maintenance.h>

#include "lsm/run.h"
#include "lsm/table_options.h"

typedef enum stoa_compaction_kind {
    STOA_COMPACTION_MERGE,
    STOA_COMPACTION_MOVE, /* the files are put on the output level as they are */
    STOA_COMPACTION_DROP  /* the files go */
} stoa_compaction_kind;

/* When what is compacted; every number is above 0. */
typedef struct stoa_compaction_policy {
    stoa_compaction_style style;
    uint64_t fifo_bytes;     /* 0: any */
    bool has_codec;          /* of the last level: files get there by a merge, not by a move */
    int32_t level0_files;    /* from so many on they are merged, later where that
                                level 1 is large; tiered: runs */
    int32_t level0_slow;     /* … writers are slowed down */
    int32_t level0_stop;     /* … writers wait */
    uint64_t level1_bytes;   /* that level 1 may have */
    int32_t level_factor;    /* a level may have so many times the bytes of the one above */
    uint64_t file_bytes;     /* about, of the files that are written */
    int32_t space_percent;   /* tiered: what newer runs may have, of the oldest one's bytes */
    int32_t similar_percent; /* tiered: a run may be so much larger than those before together */
    int64_t now_ms;
    uint64_t oldest_snapshot; /* the least sequence number that is read at */
} stoa_compaction_policy;

/// What a table's definition asks for, the rest by default, with `memtable_bytes` of a full memtable.
/// The caller sets the clock and the oldest snapshot before each pick.
void stoa_compaction_policy_init(stoa_compaction_policy *policy, const stoa_definition *definition,
                                 size_t memtable_bytes);

/* What is to be done. Never changes; its runs and files are of `version`. */
typedef struct stoa_compaction {
    stoa_pool *pool;
    stoa_version *version; /* a reference */
    stoa_compaction_kind kind;
    stoa_compaction_reason reason;
    double score;            /* of the level that was looked at; 0 where none was */
    int32_t start_level;     /* the first that files are taken from */
    int32_t output_level;    /* where the result goes */
    uint64_t file_bytes;     /* about, of each file written; UINT64_MAX: they are one */
    stoa_table_file **files; /* that leave their level, in the order of `inputs` */
    int64_t file_count;
    uint64_t bytes;   /* of the files */
    stoa_run *inputs; /* of a merge: the newest first */
    int32_t input_count;
    stoa_run *older; /* what stays as it is and holds older versions of the inputs' keys */
    int32_t older_count;
    const stoa_table_file *first; /* the one of the files that has the least first key */
    const stoa_table_file *last;  /* … the greatest last key */
    struct stoa_compactions *running;
    struct stoa_compaction *before, *after; /* in the list of those that run */
} stoa_compaction;

/* Compactions of one table that are picked and not closed; all-zero is none. Guarded by the lock under
 * which they are picked and closed. */
typedef struct stoa_compactions {
    stoa_compaction *first;
    int32_t count;
} stoa_compactions;

/// The compaction that is most needed and that those running leave room for; `*out` is NULL when there
/// is none. Its files are marked as compacting.
///
/// Errors   STOA_NO_MEMORY
/// Threads  One at a time a table, with stoa_compaction_close.
/// Owns     The caller closes it; `running` outlives it.
STOA_MUST_USE stoa_status stoa_compaction_pick(stoa_pool *pool, stoa_version *version,
                                               const stoa_compaction_policy *policy,
                                               stoa_compactions *running, stoa_compaction **out,
                                               stoa_error *err);

/// Merges all files with keys in `range` (its sequence is not looked at; NULL: all keys) down to the
/// last level that has any. `*out` is NULL when there is nothing to do: one sorted run without
/// deletions and old versions, or a table of the style FIFO; or, with `*out_must_wait`, when others are at
/// work on the same files: then the caller asks again. With `always` a run that has nothing to be left
/// out is written anew.
STOA_MUST_USE stoa_status stoa_compaction_pick_range(stoa_pool *pool, stoa_version *version,
                                                     const stoa_compaction_policy *policy,
                                                     const stoa_key_range *range, bool always,
                                                     stoa_compactions *running,
                                                     stoa_compaction **out, bool *out_must_wait,
                                                     stoa_error *err);

/// After its files are in no version any more, or after it failed. NULL is allowed.
void stoa_compaction_close(stoa_compaction *compaction);

/// Whether key `key` may have versions older than those of the inputs.
bool stoa_compaction_has_older(const stoa_compaction *compaction, const uint8_t *key, size_t size);
/// The same for any key from `first` to `last`.
bool stoa_compaction_has_older_between(const stoa_compaction *compaction, const uint8_t *first,
                                       size_t first_size, const uint8_t *last, size_t last_size);

/// Appends "level 1 to 2, 1 + 8 files, 640.0 MiB: level bytes, 1.31 of what it may have".
STOA_MUST_USE stoa_status stoa_compaction_print(const stoa_compaction *compaction, stoa_buffer *out,
                                                stoa_error *err);

/* How far a version is from what its policy wants. */
typedef enum stoa_compaction_pace {
    STOA_COMPACTION_FREE,
    STOA_COMPACTION_SLOW, /* writers are slowed down */
    STOA_COMPACTION_STOP  /* writers wait */
} stoa_compaction_pace;

typedef struct stoa_compaction_need {
    double scores[STOA_LEVELS]; /* from 1 on a level is compacted; the last one has none */
    int32_t level;              /* of the greatest */
    int64_t run_count;          /* sorted runs that a scan merges */
    uint64_t due_bytes;         /* above what the levels may have */
    stoa_compaction_pace pace;
} stoa_compaction_need;

void stoa_compaction_need_of(const stoa_version *version, const stoa_compaction_policy *policy,
                             stoa_compaction_need *out);

#endif
