/* What the files of this module share: the database, its catalog connection, transactions, sinks.
 * README.md says which lock guards what, and in which order they are taken. */
#ifndef STOA_TABLE_INTERNAL_H
#define STOA_TABLE_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "lsm/store_pin.h"
#include "lsm/table_options.h"
#include "mem/resource.h"
#include "sched/sched.h"
#include "table/catalog.h"
#include "table/kind.h"
#include "table/lease.h"
#include "table/table.h"
#include "table/view.h"
#include "vfs/vfs.h"

struct attachment;
typedef struct stoa_state_home stoa_state_home;

struct stoa_database {
    stoa_pool *pool;
    stoa_pool *memory_pool; /* of tables that live in the process */
    char *uri;
    char *directory; /* NULL for ":memory:" */
    bool is_remote;  /* `directory` is no local one: catalog_object.c, no locks, no leases */
    char *default_kind;
    bool read_only;
    stoa_context context; /* of what it does by itself */
    stoa_group closings; /* of files that were given up; waited for by close */
    stoa_sched *sched;    /* its threads start with the first task */
    int64_t grace_ms;     /* where nobody can tell who is alive, younger files are left alone */
    pid_t process;        /* that opened it: a child of fork may not use it */
    stoa_logger logger;
    stoa_resources *resources; /* what is open */
    stoa_fs_registry *file_systems;
    stoa_fs_registry *own_file_systems; /* the same when it is ours, else NULL */
    stoa_catalog *catalog;              /* NULL for ":memory:" */

    stoa_state_home *state_home;        /* of tables of the kind state; see state_home.h */

    pthread_mutex_t commit_lock; /* one commit at a time in this process */

    pthread_mutex_t view_lock;
    stoa_view *view;      /* guarded by view_lock, as all down to memory_commit_id */
    int64_t pin_count;    /* over all views */
    int64_t view_version; /* the catalog's data version that `view` shows */
    bool view_stale;      /* tables of the process changed since `view` was made */
    stoa_entry **memory_entries;
    int64_t memory_count;
    int64_t memory_capacity;
    int64_t memory_commit_id;

    pthread_mutex_t lease_lock;
    stoa_lease *writer_lease; /* guarded by lease_lock, as the next two */
    char *temporary_directory;
    stoa_file *temporary_lock; /* of one among the system's */
    int64_t file_count;        /* names given out so far */

    pthread_mutex_t attachment_lock;
    struct attachment *attachments;
};

/// The newest view, pinned: its files stay until stoa_database_unpin.
///
/// Errors   STOA_INVALID  the process has forked since the database was opened
STOA_MUST_USE stoa_status stoa_database_pin(stoa_database *database, stoa_view **out,
                                            stoa_error *err);
/// One more pin on a view that is pinned.
void stoa_database_pin_again(stoa_database *database, stoa_view *view);
void stoa_database_unpin(stoa_database *database, stoa_view *view);
/// Whether the table has no row in a catalog file: it lives as long as the process.
bool stoa_entry_in_process(const stoa_database *database, const stoa_entry *entry);
/// Whether anybody but the transaction that commits has a view pinned.
bool stoa_database_has_other_pins(stoa_database *database);
/// Errors   STOA_INVALID  opened read-only, or the process has forked
STOA_MUST_USE stoa_status stoa_database_check_writable(stoa_database *database, stoa_error *err);

/// Removes the temporary directory, when there is one.
void stoa_database_remove_temporary(stoa_database *database);
/// The lease under which this database writes files, taken at first use.
STOA_MUST_USE stoa_status stoa_database_writer_lease(stoa_database *database,
                                                     const stoa_lease **out, stoa_error *err);
/// A file name that nobody else gives ("<token>-<n>.parquet") into `out` (64 bytes).
STOA_MUST_USE stoa_status stoa_database_file_name(stoa_database *database, char out[64],
                                                  stoa_error *err);
/// "<directory>/<path>"; free with stoa_pool_free_string to the database's pool.
STOA_MUST_USE stoa_status stoa_database_path(stoa_database *database, const char *path, char **out,
                                             stoa_error *err);
/// Makes the folders that a database has besides its catalog, where there are folders. The context's pool
/// is not NULL.
STOA_MUST_USE stoa_status stoa_database_make_folders(stoa_fs_registry *file_systems,
                                                     const char *directory,
                                                     const stoa_context *context, stoa_error *err);
/// Makes names made or removed in a folder below the directory durable, where that is to be asked for.
STOA_MUST_USE stoa_status stoa_database_sync_folder(stoa_database *database, const char *path,
                                                    stoa_error *err);
/// Removes a file below the directory, best effort: what stays is found later by its token.
void stoa_database_remove_file(stoa_database *database, const char *path);
/// Removes the folders of partitions above a file that is gone, best effort: those that are empty.
void stoa_database_remove_partitions(stoa_database *database, const char *path);
/// "tables/<id>" into `out` (64 bytes).
void stoa_table_folder(int64_t table_id, char out[64]);
/// A number that nobody guesses or repeats, above 0.
int64_t stoa_random_id(void);

/// What a transaction does to one table.
typedef struct stoa_change {
    stoa_entry *base; /* the table as it was; NULL: made here */
    stoa_entry *now;  /* the table as it is here (name, kind, schema); NULL: dropped here */
    bool renamed;
    bool replaced; /* its rows or its schema: nothing of `base` is left */
    bool wrote;    /* its rows: the commit makes a snapshot */
    stoa_snapshot_operation operation;
    stoa_part_vector added;
    int64_t *removed; /* ids of base parts that were rewritten */
    int64_t removed_count;
    int64_t removed_capacity;
    stoa_entry *head; /* during the commit: what stands in the view after it */
    stoa_definition *definition; /* of a table made here whose kind has an access method */
} stoa_change;

struct stoa_transaction {
    stoa_database *database;
    stoa_pool *pool; /* the database's; lives on when that is closed first */
    pthread_mutex_t lock;
    stoa_view *view; /* NULL until the first use; pinned */
    stoa_change *changes;
    int64_t change_count;
    int64_t change_capacity;
    bool finished;
    int64_t begun_ns;          /* monotonic */
    stoa_store_pin *state_pin; /* what its plans read of state tables; NULL: none yet */
    stoa_resource *resource;
};

/// A table by name in a transaction, or (NULL) in a view; a reference. `out_change` (nullable) is
/// what the transaction did to it, NULL when nothing.
///
/// Errors   STOA_NOT_FOUND  with a suggestion
STOA_MUST_USE stoa_status stoa_transaction_lookup(stoa_transaction *transaction, const char *table,
                                                  stoa_entry **out, stoa_change **out_change,
                                                  stoa_error *err);
STOA_MUST_USE stoa_status stoa_view_lookup(const stoa_view *view, const char *table,
                                           stoa_entry **out, stoa_error *err);
/// The transaction's view, pinned at its first use; borrowed. Both hold `transaction->lock`.
STOA_MUST_USE stoa_status stoa_transaction_view(stoa_transaction *transaction, stoa_view **out,
                                                stoa_error *err);
/// Like stoa_transaction_lookup, for a name that must be free.
///
/// Errors   STOA_EXISTS
STOA_MUST_USE stoa_status stoa_transaction_check_free(stoa_transaction *transaction,
                                                      const char *table, stoa_error *err);
/// The parts of a table as a change leaves them.
STOA_MUST_USE stoa_status stoa_change_parts(stoa_database *database, const stoa_change *change,
                                            stoa_part_vector *out, stoa_error *err);

/// A new table that is in no view yet; NULL kind: the default one.
STOA_MUST_USE stoa_status stoa_entry_for_new(stoa_database *database, const char *table,
                                             const char *kind_name, const stoa_schema *schema,
                                             stoa_partition_spec *spec, stoa_entry **out,
                                             stoa_error *err);

/// Has the catalog, or the process, say that a table which keeps its columns by itself has these now.
///
/// Errors   STOA_CONFLICT   somebody else said so, or renamed it, at the same moment
///          STOA_NOT_FOUND  no such table; as a commit of the catalog otherwise
STOA_MUST_USE stoa_status stoa_table_follow_schema(stoa_database *database, const char *table,
                                                   const stoa_schema *schema, stoa_error *err);

/// What is kept of a new table beside its schema, of kinds that have an access method; others: NULL.
///
/// Errors   STOA_INVALID  options that do not fit; none, where the kind needs a key
STOA_MUST_USE stoa_status stoa_entry_define(stoa_database *database, const stoa_entry *entry,
                                            const struct stoa_state_table_options *options,
                                            stoa_definition **out, stoa_error *err);

/// What a sink hands over. `entry` is the table as it was when the sink was opened; for a new one
/// `create` is true. `schema` is set when it replaces the table's, with `spec` (NULL: none) beside it.
/// Takes the references in `added` on STOA_OK. `definition` is a new table's, of kinds that need one.
typedef struct stoa_staged_write {
    stoa_entry *entry;
    stoa_definition *definition;
    bool create;
    bool replace;
    const stoa_schema *schema;
    stoa_partition_spec *spec;
    stoa_snapshot_operation operation;
    stoa_part_vector *added;
    const int64_t *removed;
    int64_t removed_count;
} stoa_staged_write;
STOA_MUST_USE stoa_status stoa_transaction_stage(stoa_transaction *transaction,
                                                 const stoa_staged_write *write, stoa_error *err);

/// What a rewrite of a plan's splits is made over; borrowed.
stoa_database *stoa_plan_database(const stoa_plan *plan);
void stoa_plan_rewrite_base(const stoa_plan *plan, stoa_view **out_view, stoa_entry **out_entry);
int64_t stoa_plan_part_id(const stoa_plan *plan, int32_t split);

/// Splits [first, first + count), all of them Parquet files, as one stream in their order; read on the
/// context's threads, if it has any. `batch_rows` at most in a batch; 0: the reader's own. The
/// context's pool is not NULL. As stoa_plan_open otherwise.
STOA_MUST_USE stoa_status stoa_plan_open_files(stoa_plan *plan, int32_t first, int32_t count,
                                               int64_t batch_rows, const stoa_context *context,
                                               struct ArrowArrayStream *out, stoa_error *err);

/// The codec's own name, a static, or NULL when there is none of this name.
const char *stoa_parquet_codec_name(const char *name);

struct stoa_sink {
    stoa_database *database;
    stoa_pool *pool;      /* the database's; lives on when that is closed first */
    stoa_context context; /* its pool is never NULL */
    stoa_transaction *transaction;
    stoa_transaction *own_transaction; /* the same when it is ours, else NULL */
    stoa_view *view;                   /* pinned for a rewrite */
    stoa_entry *entry;                 /* the table; a new one's: not in any view */
    const stoa_schema *schema;
    stoa_partition_spec *spec; /* NULL: not partitioned */
    const stoa_table_kind *kind;
    bool create;
    bool replace;
    bool replace_schema;
    bool deletes; /* its rows are keys, whose rows go */
    bool merges;  /* its rows are operands */
    bool expects; /* see stoa_sink_expect_unchanged */
    bool done;
    stoa_snapshot_operation operation;
    const char *codec; /* one of the names of kind_parquet.c, or NULL */
    int64_t row_group_rows;
    int64_t file_bytes;
    stoa_parquet_sorting_option *sorting; /* how rows come; from the pool */
    int32_t sorting_count;
    int64_t *removed;
    int64_t removed_count;
    stoa_definition *definition; /* of a new table, where its kind needs one */
    stoa_sink_writer *writer;    /* writer 0, opened by the first write */

    pthread_mutex_t lock;
    stoa_part_vector parts; /* guarded by lock, as the next two */
    int32_t open_writers;
    int32_t writer_count; /* ever opened */
    stoa_resource *resource;
};

/// Removes what no snapshot and no reader needs any more; best effort, failures are logged.
void stoa_database_sweep(stoa_database *database);
/// Removes what processes that have ended left behind.
void stoa_database_clean(stoa_database *database);

#endif
