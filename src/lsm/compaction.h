/* Running a compaction: the inputs' keys are merged, the rows that nobody needs are left out, and the
 * others gathered column by column and written as new SSTables.
 *
 * A version of a key is left out when a newer one is seen by all who would see it: between two
 * snapshots that follow each other only the newest counts. Operands of merges are folded between two
 * snapshots, deletions go where nothing older is left, rows go when their time has come or when the
 * program's filter says so. Rows of the last level that every snapshot sees lose their sequence
 * number. */
#ifndef STOA_LSM_COMPACTION_H
#define STOA_LSM_COMPACTION_H

#include <stoa/context.h>

#include "lsm/compaction_pick.h"
#include "lsm/merge_operator.h"
#include "lsm/rate_limit.h"
#include "vfs/vfs.h"

typedef struct stoa_compaction_options {
    stoa_context context; /* the pool is not NULL; the scheduler runs disjoint ranges of keys */
    stoa_fs_registry *file_systems;
    const char *directory;
    stoa_definition *definition;
    stoa_merge_programs *programs; /* NULL: none */
    /* All numbers that somebody reads at, ascending; behind them the newest commit when the list was made,
     * also where a snapshot has the same number. */
    const uint64_t *snapshots;
    int64_t snapshot_count;
    uint64_t (*new_file)(void *user); /* a number for a file; any thread */
    void *new_file_user;
    stoa_rate_limiter *limiter;    /* of what is written; NULL: no limit */
    stoa_compaction_filter filter; /* NULL: none */
    void *filter_user;
    int64_t now_ms;
} stoa_compaction_options;

/* What a compaction did. Numbers are of rows where they say nothing else. */
typedef struct stoa_compaction_figures {
    uint64_t bytes_read;
    uint64_t bytes_written;
    int64_t files_read;
    int64_t files_written;
    int64_t read;
    int64_t written;
    int64_t superseded; /* by newer versions, deletions and ranges of them */
    int64_t folded;     /* operands that became part of another row */
    int64_t deletions;  /* dropped */
    int64_t expired;
    int64_t filtered;
    int64_t range_count;  /* of keys, that ran beside each other */
    int64_t duration_ns;  /* from begin to end */
    int64_t processor_ns; /* of those who merge; of one range, others encode beside them */
    int64_t rate_wait_ns; /* of all threads, for the limiter */
} stoa_compaction_figures;

/* What takes the place of the inputs: files by key, a reference each. All-zero is none. */
typedef struct stoa_compaction_result {
    stoa_pool *pool;
    stoa_table_file **files;
    int64_t file_count;
    stoa_compaction_figures figures;
} stoa_compaction_result;

/// Runs it. Of a move the result is the inputs, of a drop nothing; neither reads or writes anything.
///
/// Errors   STOA_CANCELLED    within some milliseconds
///          STOA_CORRUPT      of an input (with file and stripe)
///          STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
///          Whatever it is, nothing of the output is left.
/// Owns     The caller releases `out`. Files of it that come into no version are marked obsolete before.
/// Threads  Different compactions at once.
STOA_MUST_USE stoa_status stoa_compaction_run(const stoa_compaction *compaction,
                                              const stoa_compaction_options *options,
                                              stoa_compaction_result *out, stoa_error *err);
/// Gives the references back.
void stoa_compaction_result_release(stoa_compaction_result *result);

#endif
