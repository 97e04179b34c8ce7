/* Adding a generation: what the newest one has is named again, the rest is copied.
 *
 * Files get their objects' names when they are whole and synced; the record is written last, after the folder
 * of the objects is synced. Whatever ends it in between leaves objects that nobody names. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "table/backup_directory.h"
#include "table/image.h"

struct add {
    stoa_backup *backup;
    stoa_context context;
    stoa_image image;
    stoa_backup_record before; /* the newest that can be read */
    stoa_backup_record record; /* in the making; its files are `files` */
    stoa_arena arena;          /* of their paths */
    stoa_buffer files;
    char *staging; /* what the image has written */
    uint64_t bytes_done;
    uint64_t bytes_total;
};

static void report(struct add *add, uint64_t bytes) {
    add->bytes_done += bytes;
    if (add->context.progress != NULL) {
        add->context.progress(add->context.progress_user,
                              &(stoa_progress){"copying", "files",
                                               add->files.size / sizeof(stoa_backup_file), 0,
                                               add->bytes_done, add->bytes_total});
    }
}

static stoa_status note_file(struct add *add, const char *path, stoa_hash128 hash, uint64_t bytes,
                             uint64_t mark, stoa_error *err) {
    stoa_backup_file file = {.hash = hash, .bytes = bytes, .mark = mark};
    STOA_TRY(stoa_arena_copy_text(&add->arena, path, strlen(path), &file.path, err));
    STOA_TRY(stoa_buffer_append(&add->files, &file, sizeof file, err));
    report(add, bytes);
    return STOA_OK;
}

/* ---- Objects --------------------------------------------------------------------------------- */

static stoa_status has_object(const struct add *add, const char *uri, uint64_t bytes, bool *out,
                              stoa_error *err) {
    stoa_file_info info;
    stoa_status status = stoa_vfs_stat(add->backup->file_systems, uri, &add->context, &info, err);
    *out = status == STOA_OK && !info.is_directory && info.size == bytes;
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* Gives a finished file its name, unless there is one of the same bytes. */
static stoa_status publish_object(struct add *add, const char *temporary, stoa_hash128 hash,
                                  uint64_t bytes, stoa_error *err) {
    stoa_backup *backup = add->backup;
    char *uri = NULL;
    bool is_there = false;
    STOA_TRY(stoa_backup_object_path(backup, hash, &uri, err));
    stoa_status status = has_object(add, uri, bytes, &is_there, err);
    if (status == STOA_OK && is_there) {
        status = stoa_vfs_remove(backup->file_systems, temporary, &add->context, err);
    } else if (status == STOA_OK) {
        status = stoa_vfs_rename(backup->file_systems, temporary, uri, &add->context, err);
        add->record.new_object_count++;
        add->record.new_bytes += bytes;
    }
    stoa_pool_free_string(backup->pool, uri);
    return status;
}

/* ---- Files that never change ------------------------------------------------------------------ */

/* Whether the generation before has the same file, and its object is there. */
static stoa_status find_before(const struct add *add, const stoa_image_file *file,
                               const stoa_backup_file **out, stoa_error *err) {
    const stoa_backup_file *before = stoa_backup_record_find(&add->before, file->path);
    char *uri = NULL;
    bool is_there = false;
    *out = NULL;
    if (before == NULL || before->bytes != file->bytes || before->mark != file->mark) {
        return STOA_OK;
    }
    STOA_TRY(stoa_backup_object_path(add->backup, before->hash, &uri, err));
    const stoa_status status = has_object(add, uri, before->bytes, &is_there, err);
    stoa_pool_free_string(add->backup->pool, uri);
    *out = is_there ? before : NULL;
    return status;
}

static stoa_status copy_file(struct add *add, const stoa_image_file *file, stoa_error *err) {
    stoa_backup *backup = add->backup;
    stoa_hash_stream hash;
    char *uri = NULL, *temporary = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_path(backup, "objects/new", &uri, err));
    STOA_CHECK(stoa_vfs_temporary_name(backup->pool, uri, &temporary, err));
    STOA_CHECK(
        stoa_image_copy(&add->image, file, backup->file_systems, temporary, &hash, err));
    const stoa_hash128 name = stoa_hash_stream_finish128(&hash);
    STOA_CHECK(publish_object(add, temporary, name, file->bytes, err));
    status = note_file(add, file->path, name, file->bytes, file->mark, err);

done:
    stoa_pool_free_string(backup->pool, uri);
    stoa_pool_free_string(backup->pool, temporary);
    return status;
}

static stoa_status add_file(struct add *add, const stoa_image_file *file, stoa_error *err) {
    const stoa_backup_file *before = NULL;
    STOA_TRY(stoa_cancel_check(add->context.cancel, err));
    STOA_TRY(find_before(add, file, &before, err));
    return before != NULL
               ? note_file(add, file->path, before->hash, file->bytes, file->mark, err)
               : copy_file(add, file, err);
}

/* ---- What the image has written ---------------------------------------------------------------- */

static stoa_status hash_file(const struct add *add, const char *uri, uint64_t *out_bytes,
                             stoa_hash128 *out, stoa_error *err) {
    stoa_hash_stream hash;
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    stoa_hash_stream_init(&hash);
    STOA_CHECK(stoa_vfs_open(add->backup->file_systems, uri, STOA_OPEN_READ, &add->context, &file,
                             err));
    STOA_CHECK(stoa_file_size(file, out_bytes, err));
    STOA_CHECK(stoa_file_copy(file, *out_bytes, NULL, &add->context, &hash, err));
    *out = stoa_hash_stream_finish128(&hash);

done:
    stoa_file_close(file);
    return status;
}

static stoa_status add_made_file(struct add *add, const char *path, stoa_error *err) {
    char *uri = NULL;
    uint64_t bytes = 0;
    stoa_hash128 hash = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_join(add->backup->pool, add->staging, path, &uri, err));
    STOA_CHECK(hash_file(add, uri, &bytes, &hash, err));
    STOA_CHECK(publish_object(add, uri, hash, bytes, err));
    STOA_CHECK(note_file(add, path, hash, bytes, 0, err));

done:
    stoa_pool_free_string(add->backup->pool, uri);
    return status;
}

static stoa_status note_path(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *err) {
    (void)info;
    STOA_TRY(stoa_buffer_append(user, "state/", 6, err));
    return stoa_buffer_append(user, name, strlen(name) + 1, err);
}

static stoa_status add_made_files(struct add *add, stoa_error *err) {
    stoa_backup *backup = add->backup;
    stoa_buffer paths;
    char *state = NULL;
    stoa_buffer_init(&paths, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_text(&paths, "catalog.db", err));
    STOA_CHECK(stoa_buffer_append_byte(&paths, 0, err));
    if (add->image.states.pin != NULL) {
        STOA_CHECK(stoa_vfs_join(backup->pool, add->staging, "state", &state, err));
        STOA_CHECK(stoa_vfs_list(backup->file_systems, state, &add->context, note_path, &paths,
                                 err));
    }
    for (size_t at = 0; at < paths.size; at += strlen((const char *)paths.data + at) + 1) {
        STOA_CHECK(add_made_file(add, (const char *)paths.data + at, err));
    }

done:
    stoa_pool_free_string(backup->pool, state);
    stoa_buffer_release(&paths);
    return status;
}

/* ---- The generation --------------------------------------------------------------------------- */

/* The number that comes next, and the newest record that can be read. */
static stoa_status read_before(struct add *add, stoa_error *err) {
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, add->backup->pool);
    stoa_status status = stoa_backup_numbers(add->backup, &add->context, &numbers, err);
    const int64_t *list = (const int64_t *)(const void *)numbers.data;
    const size_t count = numbers.size / sizeof *list;
    add->record.generation = 1 + (count > 0 ? list[count - 1] : 0);
    for (size_t i = count; i > 0 && status == STOA_OK && add->before.files == NULL; i--) {
        status = stoa_backup_read(add->backup, list[i - 1], &add->context, &add->before, err);
        if (status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
            stoa_backup_record_release(&add->before);
            stoa_error_clear(err);
            status = STOA_OK;
        }
    }
    stoa_buffer_release(&numbers);
    return status;
}

static stoa_status stage(struct add *add, stoa_error *err) {
    stoa_backup *backup = add->backup;
    char *uri = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_path(backup, "new", &uri, err));
    STOA_CHECK(stoa_vfs_temporary_name(backup->pool, uri, &add->staging, err));
    STOA_CHECK(stoa_vfs_make_directory(backup->file_systems, add->staging, &add->context, err));
    STOA_CHECK(stoa_image_write(&add->image, backup->file_systems, add->staging, err));

done:
    stoa_pool_free_string(backup->pool, uri);
    return status;
}

static int compare_paths(const void *left, const void *right) {
    return strcmp(((const stoa_backup_file *)left)->path, ((const stoa_backup_file *)right)->path);
}

static stoa_status write_record(struct add *add, stoa_error *err) {
    stoa_backup *backup = add->backup;
    stoa_backup_record *record = &add->record;
    stoa_buffer text;
    char *uri = NULL;
    record->files = (stoa_backup_file *)(void *)add->files.data;
    record->file_count = (int64_t)(add->files.size / sizeof *record->files);
    record->time_ms = stoa_clock_unix_ms();
    record->commit_id = add->image.commit_id;
    record->table_count = add->image.table_count;
    record->row_count = add->image.row_count;
    record->bytes = add->bytes_done;
    qsort(record->files, (size_t)record->file_count, sizeof *record->files, compare_paths);
    stoa_buffer_init(&text, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_record_print(record, &text, err));
    STOA_CHECK(stoa_backup_record_path(backup, record->generation, &uri, err));
    STOA_CHECK(stoa_vfs_replace(backup->file_systems, uri, &add->context, text.data, text.size,
                                err));

done:
    stoa_pool_free_string(backup->pool, uri);
    stoa_buffer_release(&text);
    return status;
}

static stoa_status sync_objects(const struct add *add, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_backup_path(add->backup, "objects", &uri, err));
    const stoa_status status = stoa_vfs_sync_directory(add->backup->file_systems, uri,
                                                       &add->context, err);
    stoa_pool_free_string(add->backup->pool, uri);
    return status;
}

/* With the lock. */
static stoa_status make(struct add *add, stoa_database *database, stoa_error *err) {
    STOA_TRY(stoa_backup_tidy(add->backup, &add->context, err));
    STOA_TRY(read_before(add, err));
    STOA_TRY(stoa_image_take(&add->image, database, &add->context, err));
    STOA_TRY(stage(add, err));
    const int64_t count = stoa_image_file_count(&add->image);
    for (int64_t i = 0; i < count; i++) {
        add->bytes_total += stoa_image_file_at(&add->image, i)->bytes;
    }
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(add_file(add, stoa_image_file_at(&add->image, i), err));
    }
    STOA_TRY(add_made_files(add, err));
    STOA_TRY(sync_objects(add, err));
    return write_record(add, err);
}

static void release(struct add *add) {
    stoa_image_release(&add->image);
    stoa_backup_record_release(&add->before);
    stoa_buffer_release(&add->files);
    stoa_arena_release(&add->arena);
    stoa_pool_free_string(add->backup->pool, add->staging);
}

/* Without the token: what was cancelled is cleared away too. */
static void clear_away(struct add *add, stoa_status status) {
    stoa_context context = add->context;
    context.cancel = NULL;
    if (status != STOA_OK) {
        STOA_IGNORE(stoa_backup_tidy(add->backup, &context, NULL));
    } else {
        STOA_IGNORE(
            stoa_vfs_remove_tree(add->backup->file_systems, add->staging, &context, NULL));
    }
}

stoa_status stoa_backup_add(stoa_backup *backup, stoa_database *database,
                            const stoa_context *context, stoa_backup_info *out, stoa_error *err) {
    struct add add = {.backup = backup, .context = stoa_backup_context(backup, context)};
    stoa_file *lock = NULL;
    stoa_arena_init(&add.arena, backup->pool);
    stoa_buffer_init(&add.files, backup->pool);
    stoa_database_fill_context(database, &add.context);
    stoa_status status = stoa_backup_lock(backup, true, &add.context, &lock, err);
    if (status == STOA_OK) {
        status = make(&add, database, err);
        clear_away(&add, status);
    }
    if (status == STOA_OK && out != NULL) {
        *out = stoa_backup_info_of(&add.record);
    }
    release(&add);
    stoa_file_close(lock);
    stoa_wrap(status == STOA_OK ? NULL : err, "backup '%s'", backup->directory);
    return status;
}
