/* What the files of the store share. src/lsm/README.md has its locks and their order. */
#ifndef STOA_LSM_STORE_INTERNAL_H
#define STOA_LSM_STORE_INTERNAL_H

#include <pthread.h>

#include "base/latency.h"
#include "lsm/commit_record.h"
#include "lsm/compaction.h"
#include "lsm/get.h"
#include "lsm/manifest.h"
#include "lsm/merge_operator.h"
#include "lsm/range_set.h"
#include "lsm/store.h"
#include "lsm/view.h"
#include "lsm/wal.h"
#include "sched/sched.h"

/* An open table, with the columns that it has. Counted: by the store as long as it exists, and by every
 * handle. When its columns change another one, its successor, takes its place in the store, and whatever
 * is asked of this one from then on fails: a program's cells are those of the columns it knew. */
struct stoa_state {
    _Atomic int64_t references;
    stoa_store *store;
    stoa_pool *pool; /* lives as long as the handle */
    int64_t id;
    struct stoa_resource *resource; /* among what the database has open */
    stoa_state_view *closed_view;   /* takes the place of `view` once the database is closed, or there
                                     is a successor */
    /* Changes when memtables or files do: swapped under `view_lock`, which is held for nothing else.
     * Who has a reference to a view may compare this pointer with it without the lock: as long as they
     * are the same, so is the view. */
    _Atomic(stoa_state_view *) view;
    pthread_mutex_t view_lock;

    /* Guarded by the store's commit_lock. */
    stoa_memtable *active; /* that takes the writes; the view has it too */
    size_t active_bytes;
    bool has_rows;                         /* in the active one, or ranges of deletions */
    _Atomic(stoa_definition *) definition; /* never another one */
    stoa_state *successor; /* in the making, while a store that is only read takes up what was written */

    bool is_unsure; /* it was altered, but not known whether durably: see store_alter.c */

    atomic_bool
        is_loading; /* a bulk load is being committed: writers wait; set under the store's lock */
    atomic_bool is_dropped;  /* writes are refused */
    atomic_bool is_altering; /* … wait a while */
    atomic_bool is_altered;  /* it has a successor; set under manifest_lock and commit_lock */
    bool is_gone;            /* guarded by manifest_lock: the manifest has forgotten it */
    atomic_int pace;         /* stoa_compaction_pace */

    /* Guarded by the store's lock. */
    stoa_compaction_filter filter;
    void *filter_user;
    stoa_compactions compactions;
};

/* Memtables of all tables that were frozen together, and the log that is needed once they are files. */
struct store_frozen {
    stoa_state *state;
    stoa_memtable *memtable;
    stoa_state_view *view; /* while they are frozen */
};
typedef struct stoa_store_generation {
    struct stoa_store_generation *next; /* younger */
    uint64_t log_segment;   /* the first that holds nothing of it; 0: the log is being replayed */
    uint64_t last_sequence; /* of its rows */
    int64_t count;
    int64_t capacity;
    struct store_frozen items[];
} stoa_store_generation;

/* Sequence numbers that somebody reads at. In a ring of all snapshots, oldest first. */
struct stoa_state_snapshot {
    stoa_store *store;
    uint64_t sequence;
    stoa_state_snapshot *before, *after;
};

/* Since the store was opened. */
typedef struct stoa_store_counts {
    uint64_t flushes, flushed_bytes, flush_ns;
    uint64_t compactions, moves;
    uint64_t reasons[STOA_COMPACTION_REASON_COUNT]; /* of compactions of all kinds */
    stoa_compaction_figures compacted;              /* sums */
    struct {
        uint64_t count, duration_ns, duration_ns_max;
    } stalls[STOA_STALL_COUNT];
} stoa_store_counts;

/* A thread that writes files, on its stack. */
typedef struct stoa_store_worker {
    pthread_t thread;
    struct stoa_store_worker *next;
} stoa_store_worker;

struct stoa_store {
    _Atomic int64_t references; /* the owner's until it is closed, and one of each table and handle */
    stoa_context context;
    stoa_pool *pool;
    stoa_fs_registry *file_systems;
    char *directory;
    char *boot; /* NULL: ask the machine */
    bool read_only; /* or closed */
    bool is_closed;
    stoa_state_options settings;
    stoa_merge_programs *programs;
    stoa_rate_limiter *limiter;
    stoa_wal *wal;

    /* Who writes: hands out sequence numbers, the place in the log and in the memtables. */
    pthread_mutex_t commit_lock;
    _Atomic uint64_t last_sequence; /* that readers see; changed under commit_lock */
    bool must_renew;                /* read-only: the manifest has changed */
    size_t memtable_bytes;          /* of those that take writes */
    bool has_unlogged;              /* there were commits without a log */

    /* Who changes what files there are: one edit of the manifest and the versions that follow. */
    pthread_mutex_t manifest_lock;
    stoa_manifest *manifest;
    _Atomic uint64_t next_file;
    uint64_t loaded_sequence; /* of the last bulk load, or of what the store was opened with */

    atomic_bool is_preparing;    /* the log, by a task */
    _Atomic uint64_t slow_bytes; /* written while writers were slowed down */

    /* Guards all below; never held over input, output or sorting. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a flush or a compaction ended */
    stoa_state **tables;
    int32_t table_count;
    int32_t table_capacity;
    int32_t compact_next; /* the table that is looked at first for the next compaction */
    int32_t compaction_count;
    stoa_store_generation *oldest, *youngest;
    int32_t generation_count;
    bool is_flushing;
    bool is_closing;
    stoa_store_worker *workers;
    stoa_state_snapshot snapshots; /* the ring's head */
    atomic_bool has_syncer;
    pthread_t syncer; /* syncs the log every so often */
    stoa_group flushes;
    stoa_group compactions;
    stoa_store_counts counts;

    /* Without any lock. */
    _Atomic uint32_t commit_count; /* about: only says which commits are measured */
    stoa_latency latencies[STOA_STATE_CALL_COUNT];
};

/// The table's view as it is now; a reference.
stoa_state_view *stoa_state_acquire(stoa_state *state);
/// The same for a handle's, of which the database may have been closed or the columns changed.
///
/// Errors   STOA_INVALID   it was
///          STOA_CONFLICT  they were
STOA_MUST_USE stoa_status stoa_state_acquire_open(stoa_state *state, stoa_state_view **out,
                                                  stoa_error *err);
/// What every call on a view or an iterator answers after the database was closed.
STOA_MUST_USE stoa_status stoa_store_fail_closed(stoa_error *err);
/// Errors   STOA_INVALID  the store is only read, or was closed
STOA_MUST_USE stoa_status stoa_store_check_writable(const stoa_store *store, stoa_error *err);
/// A closed store answers errors; its memory goes with the last reference.
stoa_store *stoa_store_retain(stoa_store *store);
void stoa_store_release(stoa_store *store);
/// Whether it has a successor, as an error.
STOA_MUST_USE stoa_status stoa_state_check_current(const stoa_state *state, stoa_error *err);
/// What a reader sees who has acquired its view before: the newest commit, or the snapshot's.
uint64_t stoa_state_sequence(const stoa_state *state, const stoa_state_snapshot *snapshot);
/// How a view that was acquired is read now, or at a snapshot (nullable).
stoa_view_reading stoa_state_reading(const stoa_state *state, stoa_state_view *view,
                                     const stoa_state_snapshot *snapshot);
int64_t stoa_store_now_ms(const stoa_store *store);

/// All sequence numbers that somebody may read at, ascending, the newest commit last, into a list from
/// the pool (`*out_count` of them).
STOA_MUST_USE stoa_status stoa_store_snapshots(stoa_store *store, uint64_t **out,
                                               int64_t *out_count, stoa_error *err);

/* ---- Tables and their files ------------------------------------------------------------------ */

/// The table with this id, a reference; NULL: none.
stoa_state *stoa_store_find(stoa_store *store, int64_t id);
static inline stoa_state *stoa_state_retain(stoa_state *state) {
    atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
    return state;
}
void stoa_state_release(stoa_state *state);
/// All tables there are, a reference each, in a list from the store's pool.
STOA_MUST_USE stoa_status stoa_store_list(stoa_store *store, stoa_state ***out, int64_t *out_count,
                                          stoa_error *err);
void stoa_store_list_release(stoa_store *store, stoa_state **tables, int64_t count);

/// A new table's place among what the database has open; given up by stoa_state_leave, also after an error.
STOA_MUST_USE stoa_status stoa_state_enter(stoa_state *state, stoa_definition *definition,
                                           stoa_error *err);
void stoa_state_leave(stoa_state *state);
/// Puts a view in place of the table's; takes the reference. Under the store's lock.
void stoa_state_show_view(stoa_state *state, stoa_state_view *view);
/// A number for a new file.
uint64_t stoa_store_new_file(stoa_store *store);

/* A file of a table and the level that it is put on. */
typedef struct stoa_file_placement {
    stoa_state *state;
    stoa_table_file *file;
    int32_t level;
} stoa_file_placement;

/* What changes in one step; all-zero changes nothing. Borrows everything. A file that moves to another
 * level is in both lists. */
typedef struct stoa_store_change {
    const stoa_file_placement *removed; /* the level is not looked at */
    int64_t removed_count;
    const stoa_file_placement *added;
    int64_t added_count;
    const stoa_store_generation *flushed; /* its memtables leave the views */
    uint64_t flushed_sequence;            /* rows up to it are in files; 0: as it was */
    uint64_t last_sequence;               /* of the files that are added; 0: those of commits */
    uint64_t log_segment;                 /* the first that is still needed; 0: as it was */
    const stoa_manifest_table *table;     /* made, or altered */
    int64_t dropped_id;                   /* 0: none */
    stoa_state *dropped;                  /* the same */
    stoa_state *altered;               /* which is empty in memory; with commit_lock */
    stoa_state *successor;             /* takes its place, with its files */
    const stoa_version *reopened; /* most of these files as the successor reads them */
} stoa_store_change;

/// Makes a change of files durable, then visible. Files that are in no version any more are removed when
/// the last reader lets go of them. On error nothing has changed, but it may not be known what the disk
/// has: files that were to be added stay there until the store is opened anew.
///
/// Errors   STOA_CONFLICT  files of a table that has a successor by now
STOA_MUST_USE stoa_status stoa_store_change_files(stoa_store *store,
                                                  const stoa_store_change *change, stoa_error *err);

/// What the log's parts say of the definition that their rows lie by.
static inline uint32_t stoa_store_schema_id(const stoa_definition *definition) {
    return (uint32_t)definition->schema->schema_id % STOA_COMMIT_SCHEMAS;
}

/* ---- Commits --------------------------------------------------------------------------------- */

/* One operation of a commit. Rows of a batch with their keys, one row of cells, or a range. */
typedef enum stoa_write_kind { STOA_WRITE_BATCH, STOA_WRITE_ROW, STOA_WRITE_RANGE } stoa_write_kind;
typedef struct stoa_write {
    stoa_write_kind kind;
    stoa_operation operation;
    stoa_state *state;                 /* borrowed */
    const stoa_definition *definition; /* that it was prepared with */
    struct ArrowArray batch;           /* canonical; moved into the memtable */
    stoa_keys keys;
    uint64_t
        unchanged_since; /* of a batch: nobody may have changed its keys since this number; 0: any */
    const stoa_cell *cells;
    stoa_key_range range;
    /* Filled by the commit. */
    uint64_t row_count;
    size_t log_bytes; /* of the rows */
} stoa_write;

/// Called under the commit lock before anything is changed; anything but STOA_OK ends the commit.
typedef stoa_status (*stoa_commit_check)(void *user, uint64_t last_sequence, stoa_error *err);

/// Makes all writes visible at once, durable as asked. Batches and keys of `writes` are taken on
/// STOA_OK, and stay the caller's on error. `out_position` (nullable): its end in the log.
STOA_MUST_USE stoa_status stoa_store_commit(stoa_store *store, stoa_write *writes, int64_t count,
                                            stoa_commit_check check, void *user,
                                            stoa_durability durability,
                                            stoa_wal_position *out_position, stoa_error *err);
/// As stoa_state_batch_commit, with a check of the caller's.
STOA_MUST_USE stoa_status stoa_state_batch_commit_checked(stoa_state_batch *batch,
                                                          stoa_commit_check check, void *user,
                                                          stoa_durability durability,
                                                          stoa_wal_position *out_position,
                                                          stoa_error *err);
/// The rows of a batch, in any layout that fits, as the definition has them; of deletions the columns of
/// the key by name, the others null. Takes `batch`, also on error.
STOA_MUST_USE stoa_status stoa_state_conform(stoa_state *state, const stoa_definition *definition,
                                             stoa_operation operation,
                                             const struct ArrowSchema *schema,
                                             struct ArrowArray *batch, struct ArrowArray *out,
                                             stoa_error *err);
/// The keys of a batch of the key's columns, in any layout that fits. Takes `batch`, also on error.
STOA_MUST_USE stoa_status stoa_state_keys_of(stoa_state *state, const stoa_definition *definition,
                                             const struct ArrowSchema *schema,
                                             struct ArrowArray *batch, stoa_keys *out,
                                             stoa_error *err);
/// The keys from the first `from_count` cells of a key up to, but without, `to`; a count of 0 is the
/// first key, or behind the last. The bytes are appended to `bytes`, which must stay.
STOA_MUST_USE stoa_status stoa_state_key_range(const stoa_definition *definition,
                                               const stoa_cell *from, int32_t from_count,
                                               const stoa_cell *to, int32_t to_count,
                                               stoa_buffer *bytes, stoa_key_range *out,
                                               stoa_error *err);
/// With commit_lock, which is given up while it waits: freezes full memtables. `*out_frozen`: the caller
/// starts a flush when it has given the lock back.
STOA_MUST_USE stoa_status stoa_store_make_room(stoa_store *store, bool *out_frozen,
                                               stoa_error *err);
/// Waits until no bulk load of the table is being committed. Without locks.
void stoa_state_wait_loaded(stoa_state *state);
/// Something was put into the table's active memtable. With commit_lock.
void stoa_store_count_active(stoa_state *state);
/// Has the log synced within the interval.
STOA_MUST_USE stoa_status stoa_store_sync_later(stoa_store *store, stoa_error *err);
/// Holds a writer of so many bytes up as long as there are too many files of level 0. Without locks.
STOA_MUST_USE stoa_status stoa_state_pause(stoa_state *state, size_t bytes, stoa_error *err);

/// Holds a writer up while the table is altered, not for long. Without locks.
void stoa_state_wait_altered(stoa_state *state);
/// After an alteration that failed on the disk: makes sure that it is not there. With commit_lock.
STOA_MUST_USE stoa_status stoa_state_make_sure(stoa_state *state, stoa_error *err);

/* ---- From memory to files --------------------------------------------------------------------- */

/// Freezes the memtables that hold something, all together. With commit_lock. `log_segment` and
/// `last_sequence` as stoa_store_generation.
STOA_MUST_USE stoa_status stoa_store_freeze(stoa_store *store, uint64_t log_segment,
                                            uint64_t last_sequence, stoa_error *err);
/// Writes the oldest generation. By who has claimed it, or while the log is replayed.
STOA_MUST_USE stoa_status stoa_store_flush_oldest(stoa_store *store, stoa_error *err);
/// Around all that writes files.
void stoa_store_worker_enter(stoa_store *store, stoa_store_worker *worker);
void stoa_store_worker_leave(stoa_store *store, const stoa_store_worker *worker);
/// Whether this thread is writing files: then it has come here from a task that it runs while it waits,
/// and may not wait for files.
bool stoa_store_works_here(stoa_store *store);
/// Errors   STOA_CONFLICT  it does: who waited for files would wait for itself
STOA_MUST_USE stoa_status stoa_store_check_may_wait(stoa_store *store, stoa_error *err);
/// Has a task write what is frozen. Without locks: where there is no room for the task, it runs at once,
/// and while it waits it runs others, which may commit.
void stoa_store_start_flush(stoa_store *store);
/// It is in files, or given up.
void stoa_store_forget_oldest(stoa_store *store);
/// Waits until nothing frozen is left.
STOA_MUST_USE stoa_status stoa_store_wait_flushed(stoa_store *store, stoa_error *err);

/* ---- Compaction ------------------------------------------------------------------------------- */

/// Has a task look for what is due.
void stoa_store_compact_if_due(stoa_store *store);
/// Waits until nothing is frozen, due or at work.
STOA_MUST_USE stoa_status stoa_store_settle(stoa_store *store, const stoa_context *context,
                                            stoa_error *err);
/// Merges what has keys in the range (NULL: all) into one run.
STOA_MUST_USE stoa_status stoa_store_compact_range(stoa_state *state, const stoa_key_range *range,
                                                   const stoa_context *context, stoa_error *err);
/// Looks how far the table is from what it should be. With the store's lock.
void stoa_state_measure(stoa_state *state);

/* ---- Opening ---------------------------------------------------------------------------------- */

/// The URI of a file, from the store's pool.
STOA_MUST_USE stoa_status stoa_store_file_uri(const stoa_store *store, uint64_t number, char **out,
                                              stoa_error *err);
/// The files of one table as the manifest says, those that `before` (nullable) has open taken from
/// there.
STOA_MUST_USE stoa_status stoa_store_load_version(stoa_store *store, int64_t id,
                                                  const stoa_definition *definition,
                                                  const stoa_version *before, stoa_version **out,
                                                  stoa_error *err);
/// The same files, opened to be read by another definition. Those that `before` (nullable) has are taken
/// from there.
STOA_MUST_USE stoa_status stoa_store_reopen_version(stoa_store *store, const stoa_version *version,
                                                    const stoa_definition *definition,
                                                    const stoa_version *before, stoa_version **out,
                                                    stoa_error *err);
STOA_MUST_USE stoa_status stoa_store_load_table(stoa_store *store, const stoa_manifest_table *table,
                                                stoa_error *err);
/// A table with a definition, a version and an empty memtable, that the store does not know of yet.
STOA_MUST_USE stoa_status stoa_state_create_for(stoa_store *store, int64_t id,
                                                stoa_definition *definition, stoa_version *version,
                                                stoa_state **out, stoa_error *err);
/// Puts a successor in a table's place. The caller gives back the store's reference to the old one. With the
/// store's lock.
void stoa_store_succeed(stoa_store *store, stoa_state *state, stoa_state *successor);
/// Takes a table out of the list; the reference becomes the caller's. With the store's lock.
void stoa_store_take_out(stoa_store *store, const stoa_state *state);
STOA_MUST_USE stoa_status stoa_store_load_tables(stoa_store *store, stoa_error *err);
/// Brings back what the log holds and the files do not. It is seen when the sequence number that this
/// gives is raised to: after the views that have it are published.
///
/// Errors   of a store that is only read, STOA_CONFLICT  a writer released the log meanwhile; nothing was
///          opened, but what was read is in the tables' active memtables
STOA_MUST_USE stoa_status stoa_store_recover(stoa_store *store, uint64_t *out_last_sequence,
                                             stoa_error *err);
/// Puts what a commit of the log has of a table into its memtable, which has the layout's rows. `scratch`
/// holds the cells of a row meanwhile.
STOA_MUST_USE stoa_status stoa_commit_part_apply(const stoa_commit_part *part,
                                                 const stoa_stripe_layout *layout, stoa_pool *pool,
                                                 stoa_memtable *memtable, stoa_buffer *scratch,
                                                 stoa_error *err);
void stoa_store_raise_sequence(stoa_store *store, uint64_t sequence);
/// The same for what was added since, to a log that is only read. It is seen, also on STOA_CONFLICT.
STOA_MUST_USE stoa_status stoa_store_recover_more(stoa_store *store, stoa_error *err);

/* ---- Counting --------------------------------------------------------------------------------- */

void stoa_store_count_flush(stoa_store *store, const stoa_store_change *change,
                            int64_t duration_ns);
void stoa_store_count_compaction(stoa_store *store, const stoa_compaction *compaction,
                                 const stoa_compaction_figures *figures);
/* Of calls that take less than a microsecond one in so many is measured. */
enum { STOA_STORE_SAMPLE = 64 };

void stoa_store_count_stall(stoa_store *store, stoa_stall stall, int64_t duration_ns);

#endif
