/* See image.h. */
#include "table/image.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lsm/scan.h"
#include "table/state_home.h"

enum {
    TRIES = 100,
    TRIES_FREE = 8 /* before others' commits wait for this one's moment */
};

/* ---- What the catalog names ------------------------------------------------------------------ */

static stoa_status add_table(void *user, int64_t id, const char *kind, int64_t row_count,
                             stoa_error *err) {
    stoa_image *image = user;
    image->table_count++;
    if (strcmp(kind, stoa_table_kind_state.name) == 0) {
        return stoa_buffer_append(&image->ids, &id, sizeof id, err);
    }
    image->row_count += row_count;
    return STOA_OK;
}

static stoa_status add_file(stoa_image *image, const char *path, const stoa_image_file *file,
                            stoa_error *err) {
    stoa_image_file copy = *file;
    STOA_TRY(stoa_arena_copy_text(&image->arena, path, strlen(path), &copy.path, err));
    return stoa_buffer_append(&image->list, &copy, sizeof copy, err);
}

static stoa_status add_data_file(void *user, const char *path, uint64_t byte_count,
                                 uint64_t content_hash, stoa_error *err) {
    const stoa_image_file file = {.bytes = byte_count, .mark = content_hash, .is_data = true};
    return add_file(user, path, &file, err);
}

static stoa_status add_state_files(stoa_image *image, stoa_error *err) {
    for (int64_t i = 0; i < image->states.file_count; i++) {
        const stoa_table_file *file = image->states.files[i];
        char path[48];
        (void)snprintf(path, sizeof path, "state/%016" PRIx64 ".sst", file->info.number);
        const stoa_image_file entry = {.bytes = file->info.bytes,
                                       .mark = stoa_sst_mark(file->sst),
                                       .sst = file->sst};
        STOA_TRY(add_file(image, path, &entry, err));
    }
    return STOA_OK;
}

static stoa_status count_state_rows(stoa_image *image, stoa_error *err) {
    for (int32_t i = 0; i < image->states.state.table_count && image->row_count >= 0; i++) {
        stoa_view_reading reading;
        bool known = false;
        int64_t rows = 0;
        STOA_TRY(stoa_store_pin_reading(image->states.pin, image->states.state.tables[i].id,
                                        &reading, err));
        STOA_TRY(
            stoa_view_scan_count_known(&reading, image->context.pool, &known, &rows, err));
        image->row_count = known ? image->row_count + rows : -1;
    }
    return STOA_OK;
}

/* ---- One moment ------------------------------------------------------------------------------ */

static stoa_status open_store(stoa_image *image, stoa_error *err) {
    if (image->store != NULL) {
        return stoa_store_follow(image->store, err);
    }
    stoa_context context = image->context;
    context.progress = NULL;
    const stoa_status status = stoa_state_home_read_anew(image->database, &context, &image->store,
                                                         err);
    if (status == STOA_NOT_FOUND) { /* nobody has made a state table yet */
        stoa_error_clear(err);
        return STOA_OK;
    }
    return status;
}

static void forget(stoa_image *image) {
    stoa_store_image_release(&image->states);
    stoa_catalog_copy_release(&image->catalog);
    stoa_arena_release(&image->arena);
    stoa_buffer_clear(&image->list);
    stoa_buffer_clear(&image->ids);
    image->table_count = 0;
    image->row_count = 0;
}

static stoa_status take_states(stoa_image *image, stoa_error *err) {
    const int32_t count = (int32_t)(image->ids.size / sizeof(int64_t));
    if (count == 0) {
        return STOA_OK;
    }
    if (image->store == NULL) {
        return stoa_fail(err, STOA_NOT_FOUND, "the store of state tables is not there");
    }
    STOA_TRY(stoa_store_image_init(&image->states, image->store,
                                   (const int64_t *)(const void *)image->ids.data, count, err));
    STOA_TRY(add_state_files(image, err));
    return count_state_rows(image, err);
}

/* Tables are made in the store before the catalog names them, and removed after it has forgotten them:
 * a catalog that was the same before and after the store was looked at names none that is not there. */
static stoa_status try_take(stoa_image *image, stoa_error *err) {
    stoa_catalog *catalog = image->database->catalog;
    const stoa_catalog_visitor visitor = {add_table, add_data_file, image};
    forget(image);
    STOA_TRY(stoa_catalog_commit_id(catalog, &image->commit_id, err));
    STOA_TRY(open_store(image, err));
    STOA_TRY(stoa_catalog_copy_take(catalog, image->commit_id, &visitor, &image->catalog, err));
    return take_states(image, err);
}

/* Whoever commits without a pause would leave no moment in which the catalog stays as it is: so commits of
 * all processes wait for once. The store is open by then; opening it takes a lock that comes first. */
static stoa_status hold_and_take(stoa_image *image, stoa_error *err) {
    stoa_catalog *catalog = image->database->catalog;
    stoa_commit_outcome outcome;
    int64_t commit_id = 0;
    STOA_TRY(stoa_catalog_begin(catalog, &commit_id, err));
    const stoa_status status = try_take(image, err);
    STOA_IGNORE(stoa_catalog_end(catalog, false, &outcome, NULL));
    return status;
}

static stoa_status take(stoa_image *image, stoa_error *err) {
    static const struct timespec wait = {.tv_nsec = 1000 * 1000};
    stoa_status status = STOA_CONFLICT;
    for (int i = 0; i < TRIES && (status == STOA_CONFLICT || status == STOA_NOT_FOUND); i++) {
        if (i > 0) {
            (void)nanosleep(&wait, NULL);
        }
        STOA_TRY(stoa_cancel_check(image->context.cancel, err));
        const bool holds = i >= TRIES_FREE && image->store != NULL && !image->database->read_only;
        status = holds ? hold_and_take(image, err) : try_take(image, err);
    }
    if (status == STOA_NOT_FOUND && err != NULL) {
        err->status = STOA_CORRUPT; /* the catalog names a table that the store has not */
    }
    return status == STOA_NOT_FOUND ? STOA_CORRUPT : status;
}

static stoa_status check_place(const stoa_database *database, stoa_error *err) {
    if (database->catalog == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "it has no directory: its tables live in memory");
    }
    if (database->is_remote) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "it lies in an object store, whose own versions keep what was there");
    }
    return STOA_OK;
}

stoa_status stoa_image_take(stoa_image *out, stoa_database *database, const stoa_context *context,
                            stoa_error *err) {
    *out = (stoa_image){.database = database};
    if (context != NULL) {
        out->context = *context;
    }
    stoa_database_fill_context(database, &out->context);
    stoa_arena_init(&out->arena, out->context.pool);
    stoa_buffer_init(&out->list, out->context.pool);
    stoa_buffer_init(&out->ids, out->context.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(check_place(database, err));
    STOA_CHECK(stoa_database_pin(database, &out->view, err));
    STOA_CHECK(stoa_state_home_flush(database, err));
    STOA_CHECK(take(out, err));

done:
    if (status != STOA_OK) {
        stoa_wrap(err, "database '%s'", database->uri);
    }
    return status;
}

void stoa_image_release(stoa_image *image) {
    if (image->database == NULL) {
        return;
    }
    forget(image);
    stoa_buffer_release(&image->list);
    stoa_buffer_release(&image->ids);
    stoa_store_close(image->store);
    stoa_database_unpin(image->database, image->view);
    *image = (stoa_image){0};
}

int64_t stoa_image_file_count(const stoa_image *image) {
    return (int64_t)(image->list.size / sizeof(stoa_image_file));
}

const stoa_image_file *stoa_image_file_at(const stoa_image *image, int64_t index) {
    return (const stoa_image_file *)(const void *)image->list.data + index;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static stoa_status write_catalog(const stoa_image *image, stoa_fs_registry *file_systems,
                                 const char *uri, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(
        stoa_vfs_open(file_systems, uri, STOA_OPEN_CREATE, &image->context, &file, err));
    STOA_CHECK(stoa_file_write(file, image->catalog.bytes, image->catalog.size, err));
    STOA_CHECK(stoa_file_sync(file, err));

done:
    stoa_file_close(file);
    return status;
}

stoa_status stoa_image_write(stoa_image *image, stoa_fs_registry *file_systems,
                             const char *directory, stoa_error *err) {
    stoa_pool *pool = image->context.pool;
    char *catalog = NULL, *state = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_join(pool, directory, "catalog.db", &catalog, err));
    STOA_CHECK(stoa_vfs_join(pool, directory, "state", &state, err));
    STOA_CHECK(write_catalog(image, file_systems, catalog, err));
    stoa_catalog_copy_release(&image->catalog);
    if (image->states.pin != NULL) {
        stoa_context context = image->context;
        context.progress = NULL;
        STOA_CHECK(stoa_store_image_write(&image->states, &context, file_systems, state, err));
    }

done:
    stoa_pool_free_string(pool, catalog);
    stoa_pool_free_string(pool, state);
    return status;
}

stoa_status stoa_image_link(const stoa_image *image, const stoa_image_file *file, const char *uri,
                            stoa_error *err) {
    stoa_database *database = image->database;
    char *from = NULL;
    STOA_TRY(stoa_database_path(database, file->path, &from, err));
    const stoa_status status = stoa_vfs_link(database->file_systems, from, uri, &image->context,
                                             err);
    stoa_pool_free_string(database->pool, from);
    return status;
}

/* A data file is opened; an SSTable is, and stays what it was if another process removes it. */
static stoa_status open_source(const stoa_image *image, const stoa_image_file *file,
                               stoa_file **out, stoa_error *err) {
    stoa_database *database = image->database;
    char *uri = NULL;
    if (file->sst != NULL) {
        *out = stoa_sst_file(file->sst);
        return stoa_sst_verify(file->sst, err);
    }
    STOA_TRY(stoa_database_path(database, file->path, &uri, err));
    const stoa_status status = stoa_vfs_open(database->file_systems, uri, STOA_OPEN_READ,
                                             &image->context, out, err);
    stoa_pool_free_string(database->pool, uri);
    return status;
}

static stoa_status check_size(const stoa_image_file *file, stoa_file *source, stoa_error *err) {
    uint64_t size = 0;
    STOA_TRY(stoa_file_size(source, &size, err));
    return size == file->bytes ? STOA_OK
                               : stoa_fail(err, STOA_CORRUPT,
                                           "expected %" PRIu64 " bytes but found %" PRIu64,
                                           file->bytes, size);
}

static stoa_status check_hash(const stoa_image_file *file, const stoa_hash_stream *hash,
                              stoa_error *err) {
    const uint64_t found = stoa_hash_stream_finish(hash);
    return !file->is_data || found == file->mark
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT,
                           "expected bytes with hash %016" PRIx64 " but found %016" PRIx64,
                           file->mark, found);
}

stoa_status stoa_image_copy(const stoa_image *image, const stoa_image_file *file,
                            stoa_fs_registry *file_systems, const char *uri, stoa_hash_stream *hash,
                            stoa_error *err) {
    stoa_hash_stream own;
    stoa_file *source = NULL, *target = NULL;
    stoa_status status = STOA_OK;
    hash = hash == NULL ? &own : hash;
    stoa_hash_stream_init(hash);
    STOA_CHECK(open_source(image, file, &source, err));
    STOA_CHECK(check_size(file, source, err));
    STOA_CHECK(
        stoa_vfs_open(file_systems, uri, STOA_OPEN_CREATE, &image->context, &target, err));
    STOA_CHECK(stoa_file_copy(source, file->bytes, target, &image->context, hash, err));
    STOA_CHECK(check_hash(file, hash, err));
    STOA_CHECK(stoa_file_sync(target, err));

done:
    if (file->sst == NULL) {
        stoa_file_close(source);
    }
    stoa_file_close(target);
    stoa_wrap(status == STOA_OK ? NULL : err, "'%s'", file->path);
    return status;
}
