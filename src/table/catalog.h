/* The catalog file: tables, schemas, snapshots and files in SQLite. docs/formats/database.md
 * describes it for other programs.
 *
 * Two connections, a lock each: one reads (views, lists of files), one writes (commits). In WAL mode
 * they do not wait for each other, and neither do other processes' readers.
 *
 * Where SQLite cannot lock and write by itself (an object store), the file is read whole into memory
 * and put back whole, if nobody else has in between: catalog_object.c. */
#ifndef STOA_TABLE_CATALOG_H
#define STOA_TABLE_CATALOG_H

#include "table/view.h"
#include "vfs/retry.h"

typedef struct stoa_catalog stoa_catalog;

typedef struct stoa_catalog_options {
    bool create;
    bool read_only;
    int64_t busy_timeout_ms;
    stoa_fs_registry *file_systems; /* borrowed; where `path` is a URI of. NULL: it is local */
    stoa_context context;           /* of requests to it */
} stoa_catalog_options;

/// Errors   STOA_NOT_FOUND, STOA_UNSUPPORTED (a newer format), STOA_CORRUPT, STOA_LOCKED, STOA_IO
STOA_MUST_USE stoa_status stoa_catalog_open(stoa_pool *pool, const char *path,
                                            const stoa_catalog_options *options, stoa_catalog **out,
                                            stoa_error *err);
void stoa_catalog_close(stoa_catalog *catalog);

/// A number that changes when anybody else has committed.
STOA_MUST_USE stoa_status stoa_catalog_data_version(stoa_catalog *catalog, int64_t *out,
                                                    stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_commit_id(stoa_catalog *catalog, int64_t *out,
                                                 stoa_error *err);
/// Adds the live tables to `view` and sets its commit id, in one read transaction. Entries of
/// `previous` (nullable) that have not changed are shared.
STOA_MUST_USE stoa_status stoa_catalog_read_view(stoa_catalog *catalog, const stoa_view *previous,
                                                 stoa_view *view, int64_t *out_data_version,
                                                 stoa_error *err);
/// Loads the parts of a durable table's entry, once.
STOA_MUST_USE stoa_status stoa_catalog_load_entry(stoa_catalog *catalog, stoa_database *database,
                                                  stoa_entry *entry, stoa_error *err);
/// An entry of `table` as it was in an earlier snapshot.
///
/// Errors   STOA_NOT_FOUND  no such snapshot, or it was expired
STOA_MUST_USE stoa_status stoa_catalog_read_snapshot(stoa_catalog *catalog, const stoa_entry *table,
                                                     int64_t snapshot_id, stoa_entry **out,
                                                     stoa_error *err);
/// Snapshots that are not expired, oldest first, into an array from `pool`.
STOA_MUST_USE stoa_status stoa_catalog_read_snapshots(stoa_catalog *catalog, stoa_pool *pool,
                                                      int64_t table_id, stoa_snapshot **out,
                                                      int64_t *out_count, stoa_error *err);
/// What the catalog says at one moment, and its bytes as a file of its own. All-zero is released.
typedef struct stoa_catalog_copy {
    stoa_reservation reservation;
    unsigned char *bytes; /* SQLite's memory */
    size_t size;
} stoa_catalog_copy;
/// Called for every table that has not been dropped, and for every file that a snapshot names which has
/// not expired.
typedef struct stoa_catalog_visitor {
    stoa_status (*table)(void *user, int64_t id, const char *kind, int64_t row_count,
                         stoa_error *err);
    stoa_status (*file)(void *user, const char *path, uint64_t byte_count, uint64_t content_hash,
                        stoa_error *err);
    void *user;
} stoa_catalog_visitor;
/// Errors   STOA_CONFLICT  there have been commits since `commit_id`; nobody was called
///          STOA_CORRUPT   a row that does not match its checksum; STOA_LIMIT, STOA_NO_MEMORY, STOA_IO
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_catalog_copy_take(stoa_catalog *catalog, int64_t commit_id,
                                                 const stoa_catalog_visitor *visitor,
                                                 stoa_catalog_copy *out, stoa_error *err);
void stoa_catalog_copy_release(stoa_catalog_copy *copy);
/// SQLite's own check of the file's structure.
STOA_MUST_USE stoa_status stoa_catalog_check(stoa_catalog *catalog, stoa_error *err);

/// How a commit ended.
typedef enum stoa_commit_outcome {
    STOA_COMMIT_TAKEN_BACK, /* nothing happened */
    STOA_COMMIT_DONE,
    STOA_COMMIT_UNKNOWN, /* it failed at the very last step: it may show later or never */
    STOA_COMMIT_LOST     /* somebody else committed since begin: nothing happened, try again */
} stoa_commit_outcome;

/// Commits. Between begin and end the write lock is held, in this process and, for a local catalog,
/// among processes.
STOA_MUST_USE stoa_status stoa_catalog_begin(stoa_catalog *catalog, int64_t *out_commit_id,
                                             stoa_error *err);
/// `publish` false takes everything back. STOA_OK only for STOA_COMMIT_DONE, or when nothing was to
/// be published.
STOA_MUST_USE stoa_status stoa_catalog_end(stoa_catalog *catalog, bool publish,
                                           stoa_commit_outcome *out, stoa_error *err);
/// Begin, `change`, end, and all of it again for as long as the race is lost and the busy time
/// lasts. `change` sets `*out_publish` false when nothing is to be published.
typedef stoa_status (*stoa_catalog_function)(void *user, int64_t commit_id, bool *out_publish,
                                             stoa_error *err);
/// Trying again after STOA_COMMIT_LOST: waits a little, longer each time, by chance. False when the
/// busy time is over.
typedef struct stoa_race {
    int64_t deadline_ns;
    stoa_retry retry;
    stoa_context context;
} stoa_race;
stoa_race stoa_race_begin(const stoa_catalog *catalog);
bool stoa_race_again(stoa_race *race);

STOA_MUST_USE stoa_status stoa_catalog_change(stoa_catalog *catalog, stoa_catalog_function change,
                                              void *user, stoa_error *err);
/// The newest commit that was made before a time (since 1970 UTC); 0: none is known. Only catalogs
/// in an object store know, and only of the last days.
STOA_MUST_USE stoa_status stoa_catalog_commit_before(stoa_catalog *catalog, int64_t time_ms,
                                                     int64_t *out_commit_id, stoa_error *err);

/// Steps of a commit; `commit_id` is begin's. Order: names are freed first, then taken.
struct stoa_change;
STOA_MUST_USE stoa_status stoa_catalog_free_name(stoa_catalog *catalog, int64_t commit_id,
                                                 const struct stoa_change *change, stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_apply(stoa_catalog *catalog, int64_t commit_id,
                                             const struct stoa_change *change, stoa_error *err);

/// Marks snapshots older than `keep_newer_than_ms` as expired; the current one never.
STOA_MUST_USE stoa_status stoa_catalog_expire(stoa_catalog *catalog, int64_t commit_id,
                                              int64_t table_id, int64_t keep_newer_than_ms,
                                              int64_t *out_count, stoa_error *err);

/// Files that are needed neither by a snapshot that is not expired nor by a reader of `horizon` or
/// later; called for each with its path.
typedef stoa_status (*stoa_catalog_file_function)(void *user, int64_t table_id, const char *path,
                                                  stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_garbage(stoa_catalog *catalog, int64_t horizon,
                                               stoa_catalog_file_function function, void *user,
                                               stoa_error *err);
/// Whether there may be any, at little cost.
STOA_MUST_USE stoa_status stoa_catalog_has_garbage(stoa_catalog *catalog, bool *out,
                                                   stoa_error *err);
/// Forgets what stoa_catalog_garbage named, within begin and end.
STOA_MUST_USE stoa_status stoa_catalog_forget(stoa_catalog *catalog, int64_t horizon,
                                              stoa_error *err);
/// Whether the catalog names a file, or a table, in any state.
STOA_MUST_USE stoa_status stoa_catalog_names_file(stoa_catalog *catalog, const char *path,
                                                  bool *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_names_table(stoa_catalog *catalog, int64_t table_id,
                                                   bool *out, stoa_error *err);

#endif
