/* Opening the catalog file: making it, recognising it, and what its two connections are set to.
 *
 * A new catalog is made in one transaction, so that a crash leaves an empty file, which is no
 * catalog. WAL mode with synchronous=FULL: a commit is one synced append, and durable; a reader
 * never waits. The file is never mapped, so that cutting it under a running process is an error and
 * not a signal.
 *
 * A database that is opened read-only in a place where nothing can be written (SQLite's own files
 * for WAL mode included) is read as immutable, when no commit waits in a -wal file beside it. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "table/sqlite.h"

enum { CACHE_KIB = 1024, JOURNAL_TRIES = 100 };

static stoa_status pragma_i64(stoa_sqlite *connection, const char *sql, int64_t *out,
                              stoa_error *err) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    stoa_status status = STOA_OK;
    if (code != SQLITE_ROW) {
        status = stoa_sqlite_fail(err, connection->handle, code, "catalog");
    }
    (void)sqlite3_finalize(statement);
    return status;
}

stoa_status stoa_catalog_set_up(stoa_sqlite *connection, bool writer, stoa_error *err) {
    STOA_TRY(stoa_sqlite_execute(connection,
                                 "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                 "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY",
                                 err));
    char cache[48];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size=-%d", CACHE_KIB);
    STOA_TRY(stoa_sqlite_execute(connection, cache, err));
    return writer ? STOA_OK : stoa_sqlite_execute(connection, "PRAGMA query_only=ON", err);
}

/* Says whether the file is a catalog of ours; `*out_empty` is set for one with nothing in it. */
stoa_status stoa_catalog_recognise(stoa_sqlite *connection, bool *out_empty, stoa_error *err) {
    int64_t application = 0, version = 0, tables = 0;
    *out_empty = false;
    STOA_TRY(pragma_i64(connection, "PRAGMA application_id", &application, err));
    STOA_TRY(pragma_i64(connection, "PRAGMA user_version", &version, err));
    if (application == 0 && version == 0) {
        STOA_TRY(pragma_i64(connection, "SELECT count(*) FROM sqlite_schema", &tables, err));
        *out_empty = tables == 0;
        if (*out_empty) {
            return STOA_OK;
        }
    }
    if (application != STOA_CATALOG_APPLICATION_ID || version < 1) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected a catalog (application id 0x%x) but found an "
                         "SQLite file with application id 0x%" PRIx64,
                         (unsigned)STOA_CATALOG_APPLICATION_ID, (uint64_t)application);
    }
    if (version > STOA_CATALOG_FORMAT) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the catalog has format version %" PRId64 ", this library reads up to %d",
                         version, STOA_CATALOG_FORMAT);
    }
    return STOA_OK;
}

stoa_status stoa_catalog_raise_format(stoa_sqlite *connection, int version, stoa_error *err) {
    int64_t found = 0;
    char pragma[48];
    STOA_TRY(pragma_i64(connection, "PRAGMA user_version", &found, err));
    if (found >= version) {
        return STOA_OK;
    }
    (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", version);
    return stoa_sqlite_execute(connection, pragma, err);
}

/* Two processes that turn to WAL mode at once are told BUSY without waiting, so this waits. */
static stoa_status use_wal(stoa_sqlite *connection, stoa_error *err) {
    stoa_status status = STOA_OK;
    for (int i = 0; i < JOURNAL_TRIES; i++) {
        status = stoa_sqlite_execute(connection, "PRAGMA journal_mode=WAL", err);
        if (status != STOA_LOCKED) {
            return status;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return status;
}

/* In one transaction. */
stoa_status stoa_catalog_fill_empty(stoa_sqlite *connection, stoa_error *err) {
    STOA_TRY(stoa_sqlite_execute(connection, "BEGIN IMMEDIATE", err));
    bool empty = false;
    stoa_status status = stoa_catalog_recognise(connection, &empty, err);
    if (status == STOA_OK && empty) {
        char marks[96];
        (void)snprintf(marks, sizeof marks, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                       STOA_CATALOG_APPLICATION_ID, STOA_CATALOG_FORMAT_OLDEST);
        status = stoa_sqlite_execute(connection, stoa_catalog_layout, err);
        if (status == STOA_OK) {
            status = stoa_sqlite_execute(connection, marks, err);
        }
    }
    if (status == STOA_OK) {
        status = stoa_sqlite_execute(connection, "COMMIT", err);
    }
    if (status != STOA_OK) {
        STOA_IGNORE(stoa_sqlite_execute(connection, "ROLLBACK", NULL));
    }
    return status;
}

static stoa_status open_reader(stoa_catalog *catalog, const char *name, int flags, bool create,
                               stoa_error *err) {
    STOA_TRY(stoa_sqlite_open(&catalog->reader, name, flags, catalog->busy_timeout_ms, err));
    bool empty = false;
    STOA_TRY(stoa_catalog_set_up(&catalog->reader, true, err));
    STOA_TRY(stoa_catalog_recognise(&catalog->reader, &empty, err));
    if (empty && !create) {
        return stoa_fail(err, STOA_NOT_FOUND, "the catalog is empty: it was never finished");
    }
    if (empty) {
        STOA_TRY(use_wal(&catalog->reader, err));
        STOA_TRY(stoa_catalog_fill_empty(&catalog->reader, err));
    }
    return stoa_sqlite_execute(&catalog->reader, "PRAGMA query_only=ON", err);
}

/* "file:<path>?immutable=1" with everything escaped that a URI gives a meaning to. */
static stoa_status immutable_uri(stoa_pool *pool, const char *path, stoa_buffer *out,
                                 stoa_error *err) {
    stoa_buffer_init(out, pool);
    STOA_TRY(stoa_buffer_append_text(out, "file:", err));
    for (const char *c = path; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || strchr("/._-", *c) != NULL) {
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)*c, err));
        } else {
            STOA_TRY(stoa_buffer_append_format(out, err, "%%%02X", (unsigned char)*c));
        }
    }
    const char *text = NULL;
    STOA_TRY(stoa_buffer_append_text(out, "?immutable=1", err));
    return stoa_buffer_text(out, &text, err);
}

static bool has_waiting_commits(stoa_pool *pool, const char *path) {
    stoa_buffer name;
    stoa_buffer_init(&name, pool);
    const char *text = NULL;
    struct stat info;
    bool waiting = true;
    if (stoa_buffer_append_format(&name, NULL, "%s-wal", path) == STOA_OK &&
        stoa_buffer_text(&name, &text, NULL) == STOA_OK) {
        waiting = stat(text, &info) == 0 && info.st_size > 0;
    }
    stoa_buffer_release(&name);
    return waiting;
}

static stoa_status open_read_only(stoa_catalog *catalog, stoa_error *err) {
    stoa_status status = open_reader(catalog, catalog->path, SQLITE_OPEN_READONLY, false, err);
    if (status != STOA_IO || has_waiting_commits(catalog->pool, catalog->path)) {
        return status;
    }
    stoa_sqlite_close(&catalog->reader);
    stoa_buffer uri;
    status = immutable_uri(catalog->pool, catalog->path, &uri, err);
    if (status == STOA_OK) {
        status = open_reader(catalog, (const char *)uri.data,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, false, err);
    }
    stoa_buffer_release(&uri);
    return status;
}

static stoa_status catalog_allocate(stoa_pool *pool, const char *path, stoa_catalog **out,
                                    stoa_error *err) {
    stoa_catalog *catalog = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *catalog, (void **)&catalog, err));
    catalog->pool = pool;
    (void)pthread_mutex_init(&catalog->read_lock, NULL);
    (void)pthread_mutex_init(&catalog->write_lock, NULL);
    *out = catalog;
    STOA_TRY(stoa_pool_copy_string(pool, path, &catalog->path, err));
    return stoa_reservation_resize(&catalog->reservation, pool, 2 * CACHE_KIB * 1024, err);
}

stoa_status stoa_catalog_open(stoa_pool *pool, const char *path,
                              const stoa_catalog_options *options, stoa_catalog **out,
                              stoa_error *err) {
    *out = NULL;
    stoa_catalog *catalog = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(catalog_allocate(pool, path, &catalog, err));
    catalog->read_only = options->read_only;
    catalog->busy_timeout_ms = options->busy_timeout_ms;
    catalog->file_systems = options->file_systems;
    catalog->context = options->context;
    if (options->file_systems != NULL) {
        STOA_CHECK(stoa_catalog_object_open(catalog, options->create, err));
    } else if (options->read_only) {
        STOA_CHECK(open_read_only(catalog, err));
    } else {
        int flags = SQLITE_OPEN_READWRITE | (options->create ? SQLITE_OPEN_CREATE : 0);
        STOA_CHECK(open_reader(catalog, path, flags, options->create, err));
    }
    *out = catalog;
    return STOA_OK;

done:
    stoa_catalog_close(catalog);
    return status;
}

void stoa_catalog_close(stoa_catalog *catalog) {
    if (catalog == NULL) {
        return;
    }
    stoa_sqlite_close(&catalog->reader);
    stoa_sqlite_close(&catalog->writer);
    (void)pthread_mutex_destroy(&catalog->read_lock);
    (void)pthread_mutex_destroy(&catalog->write_lock);
    stoa_reservation_release(&catalog->reservation);
    stoa_pool_free_string(catalog->pool, catalog->path);
    stoa_pool_free(catalog->pool, catalog, sizeof *catalog);
}

/* The writing connection, over the newest state. */
static stoa_status open_writer(stoa_catalog *catalog, stoa_error *err) {
    stoa_sqlite *writer = &catalog->writer;
    if (catalog->file_systems != NULL) {
        return stoa_catalog_object_begin(catalog, err);
    }
    if (writer->handle != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_sqlite_open(writer, catalog->path, SQLITE_OPEN_READWRITE,
                              catalog->busy_timeout_ms, err));
    stoa_status status = stoa_catalog_set_up(writer, true, err);
    if (status != STOA_OK) {
        stoa_sqlite_close(writer);
    }
    return status;
}

/* One more than the last commit's, written at once. */
static stoa_status next_commit_id(stoa_catalog *catalog, int64_t *out, stoa_error *err) {
    stoa_sqlite *writer = &catalog->writer;
    sqlite3_stmt *statement = NULL;
    bool row = false;
    STOA_TRY(stoa_sqlite_prepare(writer, STOA_SQL_META_GET, &statement, err, "t", "commit_id"));
    STOA_TRY(stoa_sqlite_step(statement, &row, err));
    if (!row) {
        return stoa_fail(err, STOA_CORRUPT, "the catalog has no commit id");
    }
    stoa_status status = stoa_sqlite_intact(statement, 1, err);
    if (status == STOA_OK) {
        status = stoa_sqlite_i64(statement, 0, 0, INT64_MAX - 1, out, err);
    }
    (void)sqlite3_reset(statement);
    STOA_TRY(status);
    ++*out;
    STOA_TRY(stoa_sqlite_run(writer, STOA_SQL_META_SET, err, "ti", "commit_id", *out));
    return catalog->file_systems == NULL ? STOA_OK
                                         : stoa_sqlite_run(writer, STOA_SQL_COMMIT_TIME_INSERT, err,
                                                           "ii", *out, stoa_clock_unix_ms());
}

stoa_status stoa_catalog_begin(stoa_catalog *catalog, int64_t *out_commit_id, stoa_error *err) {
    *out_commit_id = 0;
    (void)pthread_mutex_lock(&catalog->write_lock);
    stoa_status status = STOA_OK;
    bool begun = false;
    STOA_CHECK(open_writer(catalog, err));
    STOA_CHECK(stoa_sqlite_run(&catalog->writer, STOA_SQL_BEGIN_WRITE, err, ""));
    begun = true;
    STOA_CHECK(next_commit_id(catalog, out_commit_id, err));
    return STOA_OK;

done:
    if (begun) {
        STOA_IGNORE(stoa_sqlite_run(&catalog->writer, STOA_SQL_ROLLBACK, NULL, ""));
    }
    (void)pthread_mutex_unlock(&catalog->write_lock);
    return status;
}

stoa_status stoa_catalog_end(stoa_catalog *catalog, bool publish, stoa_commit_outcome *out,
                             stoa_error *err) {
    stoa_status status = STOA_OK;
    *out = STOA_COMMIT_TAKEN_BACK;
    if (publish) {
        status = stoa_sqlite_run(&catalog->writer, STOA_SQL_COMMIT, err, "");
        *out = status == STOA_OK ? STOA_COMMIT_DONE : STOA_COMMIT_UNKNOWN;
        if (catalog->file_systems != NULL) {
            *out = STOA_COMMIT_TAKEN_BACK; /* so far it was a commit in memory */
            status = status == STOA_OK ? stoa_catalog_object_publish(catalog, out, err) : status;
        }
    }
    if (*out != STOA_COMMIT_DONE) {
        STOA_IGNORE(stoa_sqlite_run(&catalog->writer, STOA_SQL_ROLLBACK, NULL, ""));
    }
    (void)pthread_mutex_unlock(&catalog->write_lock);
    return status;
}

stoa_status stoa_catalog_change(stoa_catalog *catalog, stoa_catalog_function change, void *user,
                                stoa_error *err) {
    stoa_race race = stoa_race_begin(catalog);
    stoa_commit_outcome outcome = STOA_COMMIT_TAKEN_BACK;
    stoa_status status = STOA_OK;
    do {
        int64_t commit_id = 0;
        bool publishes = true;
        STOA_TRY(stoa_catalog_begin(catalog, &commit_id, err));
        status = change(user, commit_id, &publishes, err);
        if (status == STOA_OK && publishes) {
            status = stoa_catalog_end(catalog, true, &outcome, err);
        } else {
            STOA_IGNORE(stoa_catalog_end(catalog, false, &outcome, NULL));
        }
    } while (outcome == STOA_COMMIT_LOST && stoa_race_again(&race));
    return status;
}
