/* What the files that run compactions share. */
#ifndef STOA_LSM_COMPACTION_INTERNAL_H
#define STOA_LSM_COMPACTION_INTERNAL_H

#include "lsm/compaction.h"
#include "lsm/gather.h"
#include "lsm/merge.h"
#include "lsm/output.h"

/* A compaction while it runs; the same for all of its ranges. */
typedef struct stoa_compaction_job {
    const stoa_compaction *compaction;
    const stoa_compaction_options *options;
    const stoa_definition *definition;
    stoa_pool *pool;
    stoa_range_set deleted; /* ranges of all inputs */
    int64_t stripe_rows;    /* of a stripe that is written, at most */
    struct ArrowSchema schema;
    /* Rows; see stoa_compaction_figures. */
    _Atomic int64_t read, written, superseded, folded, deletions, expired, filtered;
    _Atomic int64_t processor_ns, rate_wait_ns;
} stoa_compaction_job;

static inline void stoa_compaction_count(_Atomic int64_t *figure, int64_t rows) {
    atomic_fetch_add_explicit(figure, rows, memory_order_relaxed);
}

/// The number of snapshots that are older than `sequence`: rows of the same number are seen by the same
/// snapshots, but for those that newer ones hide.
int64_t stoa_compaction_epoch(const stoa_compaction_job *job, uint64_t sequence);

/// Whether keys from `first` to `last`, both included, may lie in a range of deletions that every snapshot
/// sees and that the output has all the same, for what lies below: rows there must keep their sequence
/// numbers, or the range hides them.
bool stoa_compaction_stays_deleted(const stoa_compaction_job *job, const uint8_t *first,
                                   size_t first_size, const uint8_t *last, size_t last_size);

/* ---- Selecting ------------------------------------------------------------------------------- */

/* A version of a key; the window is retained. */
typedef struct stoa_version_row {
    stoa_run_window *window;
    uint32_t row;
    uint8_t operation;
    uint64_t sequence;
} stoa_version_row;

enum { STOA_KEPT_AS_IS = 255 };

/* Rows that stay, one after the other: of a window, or (NULL) one that is folded. */
typedef struct stoa_kept_rows {
    stoa_run_window *window;
    uint32_t first; /* in the window, or the fold's number */
    uint32_t count;
    uint8_t operation; /* instead of the row's own, or STOA_KEPT_AS_IS */
} stoa_kept_rows;

/* Versions of one key that become one row: in `rows`, the newest first. */
typedef struct stoa_fold {
    int64_t first;
    int64_t count;
    bool has_base;
    bool is_whole; /* the result is a put: there is a base, or nothing that could be one */
    int32_t row;   /* of the folded batch; -1: it cannot be folded */
} stoa_fold;

/* Goes through merged blocks and says which rows stay. */
typedef struct stoa_selection {
    stoa_compaction_job *job;
    stoa_buffer group; /* stoa_version_row: of one key, until all are known */
    bool is_closed;    /* more versions of the last key are of no use */
    stoa_buffer kept;  /* stoa_kept_rows: what came of the last block */
    stoa_buffer rows;  /* stoa_version_row: of keys that were looked at version by version */
    stoa_buffer folds; /* stoa_fold, of `rows` */
    bool is_plain;     /* all kept are puts that every snapshot sees */
    bool has_unfolded; /* ever: some key may have several versions for one snapshot */
    int64_t superseded;
    int64_t deletions;
    stoa_buffer outcomes; /* working memory: stoa_kept_rows */
} stoa_selection;

void stoa_selection_init(stoa_selection *selection, stoa_compaction_job *job);
void stoa_selection_release(stoa_selection *selection);
/// Adds to `kept` and `folds` what is decided by this block; windows of `kept` are those of the block or
/// of `rows` and retained there, so that all is valid until clear.
STOA_MUST_USE stoa_status stoa_selection_add(stoa_selection *selection,
                                             const stoa_merge_block *block, stoa_error *err);
/// After the last block.
STOA_MUST_USE stoa_status stoa_selection_end(stoa_selection *selection, stoa_error *err);
void stoa_selection_clear(stoa_selection *selection);

/* Rows that folds made, in the order of the folds that could be made. */
typedef struct stoa_folded {
    struct ArrowArray batch;
    stoa_keys keys;
    stoa_buffer sequences;  /* uint64_t */
    stoa_buffer operations; /* uint8_t */
} stoa_folded;

/// Folds what a selection has to be folded, and gives each fold its row.
///
/// Owns     The caller releases `out`, which is empty without folds.
STOA_MUST_USE stoa_status stoa_compaction_fold(stoa_selection *selection, stoa_folded *out,
                                               stoa_error *err);
void stoa_folded_release(stoa_folded *folded);

/* ---- Writing --------------------------------------------------------------------------------- */

/* Puts rows that stay into stripes and these into an output. */
typedef struct stoa_stripe_feed stoa_stripe_feed;

STOA_MUST_USE stoa_status stoa_stripe_feed_create(stoa_compaction_job *job, stoa_output *output,
                                                  stoa_stripe_feed **out, stoa_error *err);
/// NULL is allowed. After the output: its sources are the feed's.
void stoa_stripe_feed_close(stoa_stripe_feed *feed);
/// Takes over what a selection has and `folded`.
STOA_MUST_USE stoa_status stoa_stripe_feed_add(stoa_stripe_feed *feed,
                                               const stoa_selection *selection, stoa_folded *folded,
                                               stoa_error *err);
/// Hands on the last rows.
STOA_MUST_USE stoa_status stoa_stripe_feed_end(stoa_stripe_feed *feed, stoa_error *err);

/* ---- Ranges ---------------------------------------------------------------------------------- */

/* Keys that are compacted together; `range` borrows its bytes from the inputs. */
typedef struct stoa_compaction_range {
    stoa_compaction_job *job;
    stoa_key_range range;
    stoa_cancel *cancel;
    bool is_alone; /* the output uses the scheduler itself */
    bool is_done;
    stoa_merge *merge;
    stoa_selection selection;
    stoa_output *output;
    stoa_stripe_feed *feed;
    stoa_table_file *const *files; /* when it is done: the output's */
    int64_t file_count;
} stoa_compaction_range;

/// Cuts the inputs' keys into at most `count` ranges of about as many rows, one at least.
STOA_MUST_USE stoa_status stoa_compaction_split(stoa_compaction_job *job, int32_t count,
                                                stoa_compaction_range *ranges, int32_t *out_count,
                                                stoa_error *err);
/// Works for about `budget_ns`, or until the range is done.
STOA_MUST_USE stoa_status stoa_compaction_range_work(stoa_compaction_range *range,
                                                     int64_t budget_ns, stoa_error *err);
/// Closes what it used; its files stay only if `keep` says so and it was done.
void stoa_compaction_range_release(stoa_compaction_range *range, bool keep);

#endif
