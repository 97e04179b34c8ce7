/* SQLite, with this project's errors: prepared statements by number, typed parameters, and the
 * mapping of its result codes. Nothing outside the catalog's files includes this. */
#ifndef STOA_TABLE_SQLITE_H
#define STOA_TABLE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "table/catalog.h"

typedef enum stoa_sql {
    STOA_SQL_BEGIN,
    STOA_SQL_BEGIN_WRITE,
    STOA_SQL_COMMIT,
    STOA_SQL_ROLLBACK,
    STOA_SQL_DATA_VERSION,
    STOA_SQL_META_GET,
    STOA_SQL_META_SET,
    STOA_SQL_TABLES,
    STOA_SQL_TABLE,
    STOA_SQL_TABLE_BY_NAME,
    STOA_SQL_TABLE_COUNT,
    STOA_SQL_TABLE_INSERT,
    STOA_SQL_TABLE_UPDATE,
    STOA_SQL_SCHEMA,
    STOA_SQL_SCHEMA_INSERT,
    STOA_SQL_SNAPSHOT,
    STOA_SQL_SNAPSHOTS,
    STOA_SQL_SNAPSHOT_COUNT,
    STOA_SQL_SNAPSHOT_INSERT,
    STOA_SQL_FILES,
    STOA_SQL_FILE_COLUMNS,
    STOA_SQL_FILE_INSERT,
    STOA_SQL_FILE_COLUMN_INSERT,
    STOA_SQL_FILE_REMOVE,
    STOA_SQL_FILE_REMOVE_ALL,
    STOA_SQL_FILE_BY_PATH,
    STOA_SQL_EXPIRE,
    STOA_SQL_GARBAGE,
    STOA_SQL_HAS_GARBAGE,
    STOA_SQL_LIVE_TABLES,
    STOA_SQL_LIVE_FILES,
    STOA_SQL_FORGET_FILES,
    STOA_SQL_FORGET_SNAPSHOTS,
    STOA_SQL_FORGET_TABLES,
    STOA_SQL_CHECK,
    STOA_SQL_COMMIT_TIME_INSERT,
    STOA_SQL_COMMIT_BEFORE,
    STOA_SQL_COMMIT_TIME_FORGET,
    STOA_SQL_COUNT
} stoa_sql;

extern const char *const stoa_sql_texts[STOA_SQL_COUNT];
/// What makes an empty catalog, and its version.
extern const char stoa_catalog_layout[];
/// What a catalog in an object store has besides, if it has it not yet.
extern const char stoa_catalog_object_layout[];
enum {
    STOA_CATALOG_FORMAT = 2,                  /* the newest that is understood */
    STOA_CATALOG_FORMAT_OLDEST = 1,           /* what new catalogs are */
    STOA_CATALOG_PARTITIONS = 2,              /* has partitioned tables */
    STOA_CATALOG_APPLICATION_ID = 0x53746F61, /* "Stoa" */
    /* In stoa_file_column: field i of a file's partition is "field id" i above this. */
    STOA_CATALOG_PARTITION_ID = 1 << 30
};

/// One connection and its prepared statements. All-zero is closed.
typedef struct stoa_sqlite {
    sqlite3 *handle;
    sqlite3_stmt *statements[STOA_SQL_COUNT];
} stoa_sqlite;

struct stoa_catalog {
    stoa_pool *pool;
    char *path;
    bool read_only;
    int64_t busy_timeout_ms;
    stoa_reservation reservation; /* for SQLite's page caches */
    pthread_mutex_t read_lock;
    stoa_sqlite reader; /* guarded by read_lock */
    pthread_mutex_t write_lock;
    stoa_sqlite writer; /* guarded by write_lock; opened by the first commit */

    /* In an object store only. */
    stoa_fs_registry *file_systems; /* NULL: the catalog is a local file */
    stoa_context context;
    char version[64];      /* of the file in `reader`; guarded by read_lock, as `generation` */
    int64_t generation;    /* how often `reader` was filled */
    char base_version[64]; /* what the commit in progress stands on; guarded by write_lock */
};

/// A read transaction on the reading connection, under its lock, until it ends.
STOA_MUST_USE stoa_status stoa_catalog_begin_read(stoa_catalog *catalog, stoa_error *err);
void stoa_catalog_end_read(stoa_catalog *catalog);

/// The same steps for a catalog in an object store; catalog_object.c.
STOA_MUST_USE stoa_status stoa_catalog_object_open(stoa_catalog *catalog, bool create,
                                                   stoa_error *err);
/// Makes `reader` show the newest state; under read_lock.
STOA_MUST_USE stoa_status stoa_catalog_object_refresh(stoa_catalog *catalog, stoa_error *err);
/// Makes `writer` a copy of the newest state; under write_lock.
STOA_MUST_USE stoa_status stoa_catalog_object_begin(stoa_catalog *catalog, stoa_error *err);
/// Puts `writer`, whose transaction is committed, in the place of what it began with; under
/// write_lock.
STOA_MUST_USE stoa_status stoa_catalog_object_publish(stoa_catalog *catalog,
                                                      stoa_commit_outcome *out, stoa_error *err);

/// What a new connection is told, and what an empty or foreign file is told from a catalog by.
STOA_MUST_USE stoa_status stoa_catalog_set_up(stoa_sqlite *connection, bool writer,
                                              stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_recognise(stoa_sqlite *connection, bool *out_empty,
                                                 stoa_error *err);
STOA_MUST_USE stoa_status stoa_catalog_fill_empty(stoa_sqlite *connection, stoa_error *err);
/// Marks the catalog as one that older libraries must not open, if it is not yet.
STOA_MUST_USE stoa_status stoa_catalog_raise_format(stoa_sqlite *connection, int version,
                                                    stoa_error *err);

/// The failure behind a result code.
stoa_status stoa_sqlite_fail(stoa_error *err, sqlite3 *handle, int code, const char *what);

/// `uri` is one of SQLite's, or a path; `flags` as sqlite3_open_v2 takes them.
STOA_MUST_USE stoa_status stoa_sqlite_open(stoa_sqlite *connection, const char *uri, int flags,
                                           int64_t busy_timeout_ms, stoa_error *err);
void stoa_sqlite_close(stoa_sqlite *connection);
STOA_MUST_USE stoa_status stoa_sqlite_execute(stoa_sqlite *connection, const char *sql,
                                              stoa_error *err);

/// A statement, reset and bound. `types` has a letter for each parameter: i int64_t, t text or NULL,
/// b const void * and int (a blob; NULL for none).
STOA_MUST_USE stoa_status stoa_sqlite_prepare(stoa_sqlite *connection, stoa_sql which,
                                              sqlite3_stmt **out, stoa_error *err,
                                              const char *types, ...);
/// The next row; at the end `*out_row` is false and the statement is reset.
STOA_MUST_USE stoa_status stoa_sqlite_step(sqlite3_stmt *statement, bool *out_row, stoa_error *err);
/// For a statement without rows: binds, steps once.
STOA_MUST_USE stoa_status stoa_sqlite_run(stoa_sqlite *connection, stoa_sql which, stoa_error *err,
                                          const char *types, ...);

/// Column `index` of a row as a number that must be one, within bounds; or as text.
STOA_MUST_USE stoa_status stoa_sqlite_i64(sqlite3_stmt *statement, int index, int64_t low,
                                          int64_t high, int64_t *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sqlite_text(sqlite3_stmt *statement, int index,
                                           const char **out_view, stoa_error *err);
/// STOA_CORRUPT when column `index`, which compares a row with its checksum, is not 1.
STOA_MUST_USE stoa_status stoa_sqlite_intact(sqlite3_stmt *statement, int index, stoa_error *err);

/// STOA_CORRUPT for the name of a file that is not below `tables/`.
STOA_MUST_USE stoa_status stoa_catalog_check_path(const char *path, stoa_error *err);
/// The files of an entry's snapshot, compared with what it says of all of them. Under
/// `read_lock`, in a read transaction.
///
/// Errors   STOA_CORRUPT, STOA_IO, STOA_NO_MEMORY
/// Owns     `*parts` has what was read, also on error.
STOA_MUST_USE stoa_status stoa_catalog_read_files(stoa_catalog *catalog, stoa_database *database,
                                                  const stoa_entry *entry, stoa_part_vector *parts,
                                                  stoa_error *err);

/// Bounds of columns as the catalog keeps them: Iceberg's single-value serialization.
STOA_MUST_USE stoa_status stoa_bound_write(const stoa_value *value, stoa_buffer *out,
                                           stoa_error *err);
/// `*out` NULL: nothing is known (also for bytes that are no value of the type).
STOA_MUST_USE stoa_status stoa_bound_read(stoa_arena *arena, const stoa_type *type,
                                          const void *bytes, size_t size, const stoa_value **out,
                                          stoa_error *err);

#endif
