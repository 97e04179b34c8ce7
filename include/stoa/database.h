/* Databases and tables: a directory of columns in open formats, under one catalog.
 *
 * One way in: a sink of batches, all or nothing. One way out: a scan that gives a stream of batches.
 *
 * Threads  A database and what it opens may be used from any thread, unless a function says
 *          otherwise. Processes share a directory: writers commit one after the other, readers see
 *          the old snapshot or the new one. */
#ifndef STOA_DATABASE_H
#define STOA_DATABASE_H

#include <stoa/fs.h>
#include <stoa/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_database stoa_database;
typedef struct stoa_transaction stoa_transaction;
typedef struct stoa_sink stoa_sink;
struct stoa_state_table_options;

typedef struct stoa_database_options {
    bool create;      /* make the directory and its catalog when they are not there */
    bool must_create; /* STOA_EXISTS when there is a database already */
    bool read_only;
    size_t memory_limit;      /* bytes; 0: STOA_MEMORY, else 1 GiB */
    int32_t threads;          /* 0: STOA_THREADS, else the machine's processors */
    const char *default_kind; /* of new tables; NULL: "parquet" for a directory, else "memory" */
    stoa_logger logger;       /* copied */
    stoa_fs_registry *file_systems; /* borrowed; NULL: one of the database's own */
    stoa_pool *parent_pool;         /* borrowed; NULL: a root of the database's own */
    int64_t busy_timeout_ms;        /* how long a commit waits for another process; 0: 10 s */
    stoa_cancel *cancel; /* borrowed; ends what the database does by itself: opening, and reading and
                            writing a catalog over a network */
    int64_t grace_ms; /* in an object store: how long files that nothing names are kept for writers
                         and readers who may be at work; 0: 24 h. What takes longer does not commit */
} stoa_database_options;

#define STOA_DATABASE_DEFAULT                                                                      \
    {false, false, false, 0, 0, NULL, {NULL, NULL, STOA_LOG_WARN}, NULL, NULL, 0, NULL, 0}

/// Opens a directory ("flights.stoa", "file:///data/x"), a place in an object store
/// ("s3://bucket/flights") or ":memory:". `options` may be NULL.
///
/// Errors   STOA_NOT_FOUND    no such directory, or no catalog in it, and `create` is false
///          STOA_UNSUPPORTED  a format version that is newer than this library, or a file system
///                            that cannot replace a file on condition
///          STOA_CORRUPT      the catalog is damaged
/// Owns     The caller closes it after everything that it opened from it.
STOA_API STOA_MUST_USE stoa_status stoa_database_open(const char *uri,
                                                      const stoa_database_options *options,
                                                      stoa_database **out, stoa_error *err);
/// Stops what still runs in the background and waits for it, then gives back what was opened from the
/// database and is open still; the log is told of that. Such handles answer errors from then on, until
/// whoever has them closes them. What was opened with a pool that is not the database's, nor below it,
/// is not known here: it is closed before. NULL is allowed.
///
/// Threads  Not from one of the database's own tasks; nobody else uses what was opened from it, but
///          for calls in the background.
STOA_API void stoa_database_close(stoa_database *database);
/// The database's pool; borrowed.
STOA_API stoa_pool *stoa_database_pool(stoa_database *database);
/// The database's worker threads; borrowed. Operations on the database whose context names no
/// scheduler use this one.
STOA_API stoa_sched *stoa_database_sched(stoa_database *database);
STOA_API const char *stoa_database_uri(const stoa_database *database);

/// What is known of a table without reading its data.
typedef struct stoa_table_info {
    char *name;
    char *kind;          /* "parquet", "memory", … */
    int64_t row_count;   /* -1: not known */
    uint64_t byte_count; /* on disk, or in memory for the memory kind */
    int64_t file_count;
    int64_t snapshot_id;      /* 0: none yet */
    int64_t snapshot_time_ms; /* since 1970 UTC */
} stoa_table_info;

/// Calls for every table in order of name. The info is valid during the call.
typedef stoa_status (*stoa_table_function)(void *user, const stoa_table_info *info,
                                           stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_tables_each(stoa_database *database,
                                                    stoa_table_function function, void *user,
                                                    stoa_error *err);
/// Errors   STOA_NOT_FOUND  the message suggests the nearest name
STOA_API STOA_MUST_USE stoa_status stoa_table_schema(stoa_database *database, const char *table,
                                                     const stoa_schema **out, stoa_error *err);
/// `kind` NULL is the database's default kind. Names are any UTF-8 of 1 to 255 bytes without
/// control characters; they are compared without regard to ASCII case, and kept as given.
STOA_API STOA_MUST_USE stoa_status stoa_table_create(stoa_database *database, const char *table,
                                                     const char *kind, const stoa_schema *schema,
                                                     stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_drop(stoa_database *database, const char *table,
                                                   stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_rename(stoa_database *database, const char *table,
                                                     const char *new_name, stoa_error *err);

/// Snapshots and data files, in order of age and of name; the structs are valid during the call.
typedef struct stoa_snapshot_info {
    int64_t snapshot_id;
    int64_t parent_id; /* 0: none */
    int64_t time_ms;
    const char *operation; /* "append", "overwrite", "delete", "update" */
    int64_t row_count;     /* of the table after it */
    int64_t file_count;
    uint64_t byte_count;
    bool current;
} stoa_snapshot_info;
typedef stoa_status (*stoa_snapshot_function)(void *user, const stoa_snapshot_info *info,
                                              stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_snapshots(stoa_database *database, const char *table,
                                                        stoa_snapshot_function function, void *user,
                                                        stoa_error *err);
typedef struct stoa_file_entry {
    const char *path; /* a URI, or a path below the database's directory */
    int64_t row_count;
    uint64_t byte_count;
    int64_t added_snapshot_id;
} stoa_file_entry;
typedef stoa_status (*stoa_file_function)(void *user, const stoa_file_entry *file, stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_files(stoa_database *database, const char *table,
                                                    stoa_file_function function, void *user,
                                                    stoa_error *err);
/// What a table is partitioned by, field by field in order of folders; never called for a table that is
/// not partitioned.
typedef struct stoa_partition_info {
    const char *name;      /* of the folders: "status", "ts_month" */
    const char *column;    /* that it is made of */
    const char *transform; /* "identity", "year", "month", "day", "hour", "bucket[16]", "truncate[4]" */
} stoa_partition_info;
typedef stoa_status (*stoa_partition_function)(void *user, const stoa_partition_info *info,
                                               stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_table_partitions(stoa_database *database, const char *table,
                                                         stoa_partition_function function,
                                                         void *user, stoa_error *err);
/// Forgets snapshots older than `keep_newer_than_ms` (since 1970 UTC), but never the current one,
/// and removes files that no snapshot needs and no writer may still need.
STOA_API STOA_MUST_USE stoa_status stoa_table_expire(stoa_database *database, const char *table,
                                                     int64_t keep_newer_than_ms,
                                                     int64_t *out_removed_files, stoa_error *err);

/// Reads every byte of a table (all tables: NULL) and checks every checksum, count and bound.
///
/// Errors   STOA_CORRUPT  the first damage found; `function` (nullable) is called for each damage
typedef void (*stoa_damage_function)(void *user, const stoa_error *damage);
STOA_API STOA_MUST_USE stoa_status stoa_database_verify(stoa_database *database, const char *table,
                                                        const stoa_context *context,
                                                        stoa_damage_function function, void *user,
                                                        int64_t *out_files, uint64_t *out_bytes,
                                                        stoa_error *err);

/// A transaction: several writes that become visible together, over a snapshot that stays still.
/// Functions that take one accept NULL: a transaction of their own, committed at once.
///
/// Threads  One call at a time per transaction.
STOA_API STOA_MUST_USE stoa_status stoa_transaction_begin(stoa_database *database,
                                                          stoa_transaction **out, stoa_error *err);
/// Publishes everything in one step, durably.
///
/// Errors   STOA_CONFLICT  a table it wrote was changed by somebody else since it was read
STOA_API STOA_MUST_USE stoa_status stoa_transaction_commit(stoa_transaction *transaction,
                                                           stoa_error *err);
/// Gives up the handle; what was not committed never happened. NULL is allowed.
STOA_API void stoa_transaction_close(stoa_transaction *transaction);

typedef enum stoa_write_mode {
    STOA_APPEND = 0,
    STOA_OVERWRITE = 1, /* these rows instead of all that are there */
    STOA_CREATE = 2,    /* a new table with `schema`; STOA_EXISTS when there is one */
    STOA_UPSERT = 3, /* each row instead of the one with its key; STOA_UNSUPPORTED where there is no key */
    STOA_MERGE = 4   /* rows are operands of the columns' merge operators; as STOA_UPSERT otherwise */
} stoa_write_mode;

typedef struct stoa_sink_options {
    stoa_write_mode mode;
    const char *kind;          /* of a new table; NULL: the default */
    const stoa_schema *schema; /* of a new table, or to replace one's with STOA_OVERWRITE */
    stoa_transaction *transaction;
    stoa_context context;
    const char *codec;      /* "zstd" (default), "snappy", "lz4_raw", "gzip", "brotli",
                               "none" */
    int64_t row_group_rows; /* 0: the default */
    int64_t file_bytes;     /* a file is ended once it reaches it; 0: the default (512 MB) */
    const char *partition;  /* "status, month(ts)": of a new table, or to replace one's with
                               STOA_OVERWRITE; NULL: none, or the table's */
    const struct stoa_state_table_options *state; /* of a new table of the kind state: its key and
                                                     what else <stoa/state.h> has; NULL for others */
} stoa_sink_options;

/// Opens the way into a table. Nothing is visible before commit.
///
/// Errors   STOA_NOT_FOUND  no such table, and the mode is not STOA_CREATE
/// Owns     `options` is copied; the schema in it is retained. The caller closes the sink.
STOA_API STOA_MUST_USE stoa_status stoa_sink_open(stoa_database *database, const char *table,
                                                  const stoa_sink_options *options, stoa_sink **out,
                                                  stoa_error *err);
/// The schema that batches are validated against; borrowed from the sink.
STOA_API const stoa_schema *stoa_sink_schema(const stoa_sink *sink);
/// Takes `batch`, also on error. The whole batch is rejected on its first error, with row, column,
/// expected and found; the sink stays usable.
///
/// Threads  One call at a time per sink.
STOA_API STOA_MUST_USE stoa_status stoa_sink_write(stoa_sink *sink,
                                                   const struct ArrowSchema *schema,
                                                   struct ArrowArray *batch, stoa_error *err);
/// Publishes the rows, or hands them to the transaction that the sink was opened in.
STOA_API STOA_MUST_USE stoa_status stoa_sink_commit(stoa_sink *sink, int64_t *out_rows,
                                                    stoa_error *err);
/// Without a commit before it: nothing happened, and what was written is removed. NULL is allowed.
STOA_API void stoa_sink_close(stoa_sink *sink);

typedef struct stoa_scan_options {
    const char *columns; /* "status,total"; NULL: all. A name with a comma stands in "quotes" */
    const char *where;   /* "total > 50"; NULL: all rows */
    int64_t limit;       /* 0 or less: none */
    int64_t snapshot_id; /* 0: the current one */
    stoa_transaction *transaction;
    stoa_context context;
} stoa_scan_options;

#define STOA_SCAN_DEFAULT                                                                          \
    {                                                                                              \
        NULL, NULL, -1, 0, NULL, {                                                                 \
            NULL, NULL, NULL, NULL, NULL, NULL                                                     \
        }                                                                                          \
    }

/// Opens the way out of a table: a stream of batches of exactly the rows asked for. The snapshot is
/// pinned until the stream is released.
STOA_API STOA_MUST_USE stoa_status stoa_scan(stoa_database *database, const char *table,
                                             const stoa_scan_options *options,
                                             struct ArrowArrayStream *out, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
