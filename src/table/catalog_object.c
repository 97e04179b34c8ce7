/* A catalog in an object store. The store knows no locks and no writing into a file; what it has is
 * one conditional write. So the catalog is one object, an SQLite file like a local one: read whole
 * into memory when its version has changed, and put back whole on the condition that it still has
 * the version that the commit began with. Who loses that race begins again over what is there now,
 * where the checks of catalog_write.c decide whether it is a conflict at all.
 *
 * A catalog grows with tables, snapshots that are not expired and their files, some hundred bytes
 * each: writing it whole is what a commit costs. Rows carry checksums, so a damaged object is found
 * as a damaged file is.
 *
 * No lock tells who is alive. In place of it the catalog notes when each commit was made, and what
 * nobody needs any more is removed only after a time of grace. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "table/internal.h"
#include "table/sqlite.h"

enum { CATALOG_BYTES_MAX = 1 << 30, READ_TRIES = 16, WAL_VERSION = 2, ROLLBACK_VERSION = 1 };

/* ---- losing a race ---- */

stoa_race stoa_race_begin(const stoa_catalog *catalog) {
    stoa_race race = {.deadline_ns = stoa_clock_monotonic_ns() + catalog->busy_timeout_ms * 1000000,
                      .context = catalog->context};
    stoa_retry_init(&race.retry, INT32_MAX);
    race.retry.base_ms = 10;
    race.retry.max_ms = 1000;
    return race;
}

bool stoa_race_again(stoa_race *race) {
    return stoa_clock_monotonic_ns() < race->deadline_ns &&
           stoa_retry_again(&race->retry, 0, &race->context);
}

/* ---- images ---- */

/* A connection over a copy of the bytes. A catalog copied from a local directory says that it is in
 * WAL mode, which a file in memory cannot be; with no -wal file beside it that is only a mark. */
static stoa_status open_image(stoa_catalog *catalog, stoa_sqlite *connection, const void *bytes,
                              size_t size, bool writer, stoa_error *err) {
    stoa_sqlite_close(connection);
    STOA_TRY(stoa_sqlite_open(connection, ":memory:", SQLITE_OPEN_READWRITE,
                              catalog->busy_timeout_ms, err));
    uint8_t *copy = sqlite3_malloc64(size == 0 ? 1 : size);
    if (copy == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for a catalog of %zu bytes", size);
    }
    memcpy(copy, bytes, size);
    if (size > 20 && copy[18] == WAL_VERSION && copy[19] == WAL_VERSION) {
        copy[18] = copy[19] = ROLLBACK_VERSION;
    }
    int code = sqlite3_deserialize(connection->handle, "main", copy, (sqlite3_int64)size,
                                   (sqlite3_int64)size,
                                   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
    if (code != SQLITE_OK) {
        return stoa_sqlite_fail(err, connection->handle, code, "cannot open the catalog");
    }
    sqlite3_int64 limit = CATALOG_BYTES_MAX;
    (void)sqlite3_file_control(connection->handle, "main", SQLITE_FCNTL_SIZE_LIMIT, &limit);
    STOA_TRY(stoa_catalog_set_up(connection, true, err));
    bool empty = false;
    STOA_TRY(stoa_catalog_recognise(connection, &empty, err));
    if (empty) {
        return stoa_fail(err, STOA_CORRUPT, "the catalog is empty");
    }
    return writer ? STOA_OK : stoa_sqlite_execute(connection, "PRAGMA query_only=ON", err);
}

/* Fills `reader`; both images may be in memory at a time, and a third while it is exchanged. */
static stoa_status fill_reader(stoa_catalog *catalog, const void *bytes, size_t size,
                               const char *version, stoa_error *err) {
    STOA_TRY(stoa_reservation_resize(&catalog->reservation, catalog->pool, 3 * size, err));
    catalog->version[0] = '\0';
    STOA_TRY(open_image(catalog, &catalog->reader, bytes, size, false, err));
    (void)snprintf(catalog->version, sizeof catalog->version, "%s", version);
    catalog->generation++;
    return STOA_OK;
}

static stoa_status look(stoa_catalog *catalog, char version[64], stoa_error *err) {
    stoa_file_info info;
    STOA_TRY(stoa_vfs_stat(catalog->file_systems, catalog->path, &catalog->context, &info, err));
    if (info.version[0] == '\0') {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "'%s': its file system does not tell the versions of files",
                         catalog->path);
    }
    (void)snprintf(version, 64, "%s", info.version);
    return STOA_OK;
}

/* The bytes belong to the version when it was the same before and after. */
static stoa_status read_newest(stoa_catalog *catalog, char version[64], stoa_error *err) {
    stoa_status status = STOA_OK;
    for (int i = 0; i < READ_TRIES; i++) {
        stoa_buffer bytes;
        char after[64] = "";
        status = stoa_vfs_read_all(catalog->file_systems, catalog->path, &catalog->context,
                                   CATALOG_BYTES_MAX, catalog->pool, &bytes, err);
        if (status == STOA_OK) {
            status = look(catalog, after, err);
        }
        bool same = status == STOA_OK && strcmp(after, version) == 0;
        if (same) {
            status = fill_reader(catalog, bytes.data, bytes.size, version, err);
        }
        stoa_buffer_release(&bytes);
        if (same || (status != STOA_OK && status != STOA_CONFLICT)) {
            return status;
        }
        if (status == STOA_CONFLICT) { /* it was replaced while it was read */
            stoa_error_clear(err);
            STOA_TRY(look(catalog, after, err));
        }
        (void)snprintf(version, 64, "%s", after);
    }
    return stoa_fail(err, STOA_LOCKED, "the catalog changes faster than it can be read");
}

stoa_status stoa_catalog_object_refresh(stoa_catalog *catalog, stoa_error *err) {
    char version[64] = "";
    STOA_TRY(look(catalog, version, err));
    return strcmp(version, catalog->version) == 0 ? STOA_OK : read_newest(catalog, version, err);
}

static stoa_status serialize(stoa_sqlite *connection, unsigned char **out, size_t *out_size,
                             stoa_error *err) {
    sqlite3_int64 size = 0;
    *out = sqlite3_serialize(connection->handle, "main", &size, 0);
    *out_size = (size_t)size;
    return *out == NULL ? stoa_fail(err, STOA_NO_MEMORY, "no memory for a copy of the catalog")
                        : STOA_OK;
}

/* ---- commits ---- */

stoa_status stoa_catalog_object_begin(stoa_catalog *catalog, stoa_error *err) {
    unsigned char *bytes = NULL;
    size_t size = 0;
    (void)pthread_mutex_lock(&catalog->read_lock);
    stoa_status status = stoa_catalog_object_refresh(catalog, err);
    if (status == STOA_OK) {
        (void)snprintf(catalog->base_version, sizeof catalog->base_version, "%s", catalog->version);
        status = serialize(&catalog->reader, &bytes, &size, err);
    }
    (void)pthread_mutex_unlock(&catalog->read_lock);
    if (status == STOA_OK) {
        status = open_image(catalog, &catalog->writer, bytes, size, true, err);
    }
    if (status == STOA_OK) {
        status = stoa_sqlite_execute(&catalog->writer, stoa_catalog_object_layout, err);
    }
    sqlite3_free(bytes);
    return status;
}

static stoa_commit_outcome judge(stoa_status status) {
    switch (status) {
    case STOA_OK: return STOA_COMMIT_DONE;
    case STOA_CONFLICT: return STOA_COMMIT_LOST;
    case STOA_UNSUPPORTED: return STOA_COMMIT_TAKEN_BACK;
    /* The store may have done it and not have said so, or said so and found no memory here. */
    default: return STOA_COMMIT_UNKNOWN;
    }
}

stoa_status stoa_catalog_object_publish(stoa_catalog *catalog, stoa_commit_outcome *out,
                                        stoa_error *err) {
    unsigned char *bytes = NULL;
    size_t size = 0;
    char version[64] = "";
    STOA_TRY(serialize(&catalog->writer, &bytes, &size, err));
    stoa_status status = stoa_vfs_put_if(catalog->file_systems, catalog->path, &catalog->context,
                                         catalog->base_version, bytes, size, version, err);
    *out = judge(status);
    if (status == STOA_OK) {
        (void)pthread_mutex_lock(&catalog->read_lock);
        /* When this fails, the next read finds another version and reads it anew. */
        STOA_IGNORE(fill_reader(catalog, bytes, size, version, NULL));
        (void)pthread_mutex_unlock(&catalog->read_lock);
    }
    stoa_sqlite_close(&catalog->writer);
    sqlite3_free(bytes);
    return status;
}

/* ---- opening ---- */

/* Somebody else may make it in the same moment: theirs is as good. */
static stoa_status make(stoa_catalog *catalog, stoa_error *err) {
    stoa_sqlite fresh = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    char version[64] = "";
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sqlite_open(&fresh, ":memory:", SQLITE_OPEN_READWRITE, 0, err));
    STOA_CHECK(stoa_catalog_set_up(&fresh, true, err));
    STOA_CHECK(stoa_catalog_fill_empty(&fresh, err));
    STOA_CHECK(stoa_sqlite_execute(&fresh, stoa_catalog_object_layout, err));
    STOA_CHECK(serialize(&fresh, &bytes, &size, err));
    status = stoa_vfs_put_if(catalog->file_systems, catalog->path, &catalog->context, "", bytes,
                             size, version, err);
    if (status == STOA_CONFLICT) {
        stoa_error_clear(err);
        status = STOA_OK;
    }

done:
    stoa_sqlite_close(&fresh);
    sqlite3_free(bytes);
    return status;
}

stoa_status stoa_catalog_object_open(stoa_catalog *catalog, bool create, stoa_error *err) {
    bool exists = true;
    if (create) {
        STOA_TRY(
            stoa_vfs_exists(catalog->file_systems, catalog->path, &catalog->context, &exists, err));
    }
    if (!exists) {
        STOA_TRY(make(catalog, err));
    }
    return stoa_catalog_object_refresh(catalog, err);
}
