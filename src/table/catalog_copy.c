/* A catalog as one file: what it says in one read transaction, pages of the -wal file beside it included,
 * and what must be copied with it. */
#include <string.h>

#include "table/internal.h"
#include "table/sqlite.h"

enum {
    COPY_BYTES_MAX = 1 << 30,
    MODE_AT = 18, /* of the file: how it is written, and how it is read */
    MODE_ROLLBACK = 1
};

static stoa_status check_commit(stoa_catalog *catalog, int64_t expected, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    bool more = false;
    int64_t found = 0;
    STOA_TRY(
        stoa_sqlite_prepare(&catalog->reader, STOA_SQL_META_GET, &row, err, "t", "commit_id"));
    STOA_TRY(stoa_sqlite_step(row, &more, err));
    if (more) {
        STOA_TRY(stoa_sqlite_intact(row, 1, err));
        STOA_TRY(stoa_sqlite_i64(row, 0, 0, INT64_MAX, &found, err));
    }
    (void)sqlite3_reset(row);
    return found == expected
               ? STOA_OK
               : stoa_fail(err, STOA_CONFLICT,
                           "expected commit %" PRId64 " of the catalog but found %" PRId64,
                           expected, found);
}

static stoa_status visit_tables(stoa_catalog *catalog, const stoa_catalog_visitor *visitor,
                                stoa_error *err) {
    sqlite3_stmt *row = NULL;
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_LIVE_TABLES, &row, err, ""));
    for (;;) {
        bool more = false;
        int64_t id = 0, rows = 0;
        const char *kind = NULL;
        STOA_TRY(stoa_sqlite_step(row, &more, err));
        if (!more) {
            return STOA_OK;
        }
        STOA_TRY(stoa_sqlite_intact(row, 3, err));
        STOA_TRY(stoa_sqlite_i64(row, 0, 1, INT64_MAX, &id, err));
        STOA_TRY(stoa_sqlite_text(row, 1, &kind, err));
        STOA_TRY(stoa_sqlite_i64(row, 2, 0, INT64_MAX, &rows, err));
        STOA_TRY(visitor->table(visitor->user, id, kind, rows, err));
    }
}

static stoa_status visit_files(stoa_catalog *catalog, int64_t commit_id,
                               const stoa_catalog_visitor *visitor, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    STOA_TRY(stoa_sqlite_prepare(&catalog->reader, STOA_SQL_LIVE_FILES, &row, err, "i", commit_id));
    for (;;) {
        bool more = false;
        int64_t bytes = 0, hash = 0;
        const char *path = NULL;
        STOA_TRY(stoa_sqlite_step(row, &more, err));
        if (!more) {
            return STOA_OK;
        }
        STOA_TRY(stoa_sqlite_intact(row, 3, err));
        STOA_TRY(stoa_sqlite_text(row, 0, &path, err));
        STOA_TRY(stoa_sqlite_i64(row, 1, 0, INT64_MAX, &bytes, err));
        STOA_TRY(stoa_sqlite_i64(row, 2, INT64_MIN, INT64_MAX, &hash, err));
        STOA_TRY(visitor->file(visitor->user, path, (uint64_t)bytes, (uint64_t)hash, err));
    }
}

/* Its size is asked before: SQLite's memory is not the pool's. */
static stoa_status take_bytes(stoa_catalog *catalog, stoa_catalog_copy *out, stoa_error *err) {
    sqlite3_int64 size = 0;
    (void)sqlite3_serialize(catalog->reader.handle, "main", &size, SQLITE_SERIALIZE_NOCOPY);
    if (size > COPY_BYTES_MAX) {
        return stoa_fail(err, STOA_LIMIT, "the catalog has %lld bytes, more than the limit of %d",
                         (long long)size, COPY_BYTES_MAX);
    }
    STOA_TRY(stoa_reservation_resize(&out->reservation, catalog->pool, (size_t)size, err));
    out->bytes = sqlite3_serialize(catalog->reader.handle, "main", &size, 0);
    if (out->bytes == NULL) {
        return stoa_sqlite_fail(err, catalog->reader.handle, SQLITE_NOMEM,
                                "cannot copy the catalog");
    }
    out->size = (size_t)size;
    return STOA_OK;
}

static stoa_status check_structure(stoa_sqlite *connection, stoa_error *err) {
    sqlite3_stmt *row = NULL;
    bool more = false;
    const char *text = NULL;
    STOA_TRY(stoa_sqlite_prepare(connection, STOA_SQL_CHECK, &row, err, ""));
    STOA_TRY(stoa_sqlite_step(row, &more, err));
    STOA_TRY(stoa_sqlite_text(row, 0, &text, err));
    return strcmp(text, "ok") == 0
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "the catalog is damaged: %.200s", text);
}

/* SQLite's copy has zeros where a page could not be read, so it is looked at by itself. In memory there is
 * no WAL mode, which is two marks in the header. */
static stoa_status check_bytes(stoa_catalog_copy *copy, stoa_error *err) {
    stoa_sqlite connection = {0};
    if (copy->size <= MODE_AT + 1) {
        return stoa_fail(err, STOA_CORRUPT, "the catalog has no more than %zu bytes", copy->size);
    }
    const unsigned char mode[] = {copy->bytes[MODE_AT], copy->bytes[MODE_AT + 1]};
    copy->bytes[MODE_AT] = copy->bytes[MODE_AT + 1] = MODE_ROLLBACK;
    stoa_status status = stoa_sqlite_open(&connection, ":memory:", SQLITE_OPEN_READWRITE, 0, err);
    if (status == STOA_OK) {
        const int code = sqlite3_deserialize(connection.handle, "main", copy->bytes,
                                             (sqlite3_int64)copy->size, (sqlite3_int64)copy->size,
                                             SQLITE_DESERIALIZE_READONLY);
        status = code == SQLITE_OK ? check_structure(&connection, err)
                                   : stoa_sqlite_fail(err, connection.handle, code,
                                                      "cannot read the copy of the catalog");
    }
    stoa_sqlite_close(&connection);
    copy->bytes[MODE_AT] = mode[0];
    copy->bytes[MODE_AT + 1] = mode[1];
    return status;
}

stoa_status stoa_catalog_copy_take(stoa_catalog *catalog, int64_t commit_id,
                                   const stoa_catalog_visitor *visitor, stoa_catalog_copy *out,
                                   stoa_error *err) {
    *out = (stoa_catalog_copy){0};
    STOA_TRY(stoa_catalog_begin_read(catalog, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(check_commit(catalog, commit_id, err));
    STOA_CHECK(visit_tables(catalog, visitor, err));
    STOA_CHECK(visit_files(catalog, commit_id, visitor, err));
    STOA_CHECK(take_bytes(catalog, out, err));

done:
    stoa_catalog_end_read(catalog);
    return status == STOA_OK ? check_bytes(out, err) : status;
}

void stoa_catalog_copy_release(stoa_catalog_copy *copy) {
    sqlite3_free(copy->bytes);
    stoa_reservation_release(&copy->reservation);
    *copy = (stoa_catalog_copy){0};
}
