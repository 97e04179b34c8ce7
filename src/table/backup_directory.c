/* See backup_directory.h. */
#include "table/backup_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BYTES_MAX = 1 << 30, RECORD_DIGITS = 8, NAME_BYTES = 32 };

static const char marker_name[] = "stoa-backup";
static const char marker_text[] = "stoa-backup 1\n";

/* ---- The handle ------------------------------------------------------------------------------ */

static stoa_status open_parts(stoa_backup *backup, const char *directory,
                              const stoa_backup_options *options, stoa_error *err) {
    backup->file_systems = options->file_systems;
    if (backup->file_systems == NULL) {
        STOA_TRY(stoa_fs_registry_create(backup->pool, &backup->own_file_systems, err));
        backup->file_systems = backup->own_file_systems;
    }
    STOA_TRY(stoa_pool_copy_string(backup->pool, directory, &backup->directory, err));
    return stoa_vfs_has(backup->file_systems, directory, STOA_FS_NO_DIRECTORIES)
               ? stoa_fail(err, STOA_UNSUPPORTED, "the file system has no directories to rename")
               : STOA_OK;
}

static stoa_status make_pool(const stoa_backup_options *options, stoa_pool **out, stoa_error *err) {
    size_t limit = options->memory_limit;
    if (options->parent_pool != NULL) {
        return stoa_pool_create_child(options->parent_pool, "backup", limit, out, err);
    }
    if (limit == 0) {
        STOA_TRY(stoa_memory_limit_default(&limit, err));
    }
    return stoa_pool_create(limit, NULL, out, err);
}

stoa_status stoa_backup_open(const char *directory, const stoa_backup_options *options,
                             stoa_backup **out, stoa_error *err) {
    static const stoa_backup_options defaults = {0};
    stoa_pool *pool = NULL;
    stoa_backup *backup = NULL;
    options = options == NULL ? &defaults : options;
    *out = NULL;
    if (directory == NULL || *directory == '\0') {
        return stoa_fail(err, STOA_INVALID, "expected a backup's name but found an empty one");
    }
    STOA_TRY(make_pool(options, &pool, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *backup, (void **)&backup, err);
    if (status != STOA_OK) {
        stoa_pool_close(pool);
        return status;
    }
    backup->pool = pool;
    status = open_parts(backup, directory, options, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "backup '%s'", directory);
        stoa_backup_close(backup);
        return status;
    }
    *out = backup;
    return STOA_OK;
}

void stoa_backup_close(stoa_backup *backup) {
    if (backup == NULL) {
        return;
    }
    stoa_pool *pool = backup->pool;
    stoa_fs_registry_close(backup->own_file_systems);
    stoa_pool_free_string(pool, backup->directory);
    stoa_pool_free(pool, backup, sizeof *backup);
    stoa_pool_close(pool);
}

stoa_context stoa_backup_context(const stoa_backup *backup, const stoa_context *context) {
    stoa_context own = context == NULL ? (stoa_context){0} : *context;
    own.pool = own.pool != NULL ? own.pool : backup->pool;
    return own;
}

/* ---- Places ---------------------------------------------------------------------------------- */

stoa_status stoa_backup_path(const stoa_backup *backup, const char *path, char **out,
                             stoa_error *err) {
    return stoa_vfs_join(backup->pool, backup->directory, path, out, err);
}

stoa_status stoa_backup_object_path(const stoa_backup *backup, stoa_hash128 hash, char **out,
                                    stoa_error *err) {
    char path[64];
    (void)snprintf(path, sizeof path, "objects/%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    return stoa_backup_path(backup, path, out, err);
}

stoa_status stoa_backup_record_path(const stoa_backup *backup, int64_t generation, char **out,
                                    stoa_error *err) {
    char path[48];
    (void)snprintf(path, sizeof path, "generations/%0*" PRId64, (int)RECORD_DIGITS, generation);
    return stoa_backup_path(backup, path, out, err);
}

/* ---- What it is ------------------------------------------------------------------------------ */

stoa_status stoa_backup_check(const stoa_backup *backup, const stoa_context *context,
                              stoa_error *err) {
    char *uri = NULL;
    stoa_buffer text;
    STOA_TRY(stoa_backup_path(backup, marker_name, &uri, err));
    stoa_status status = stoa_vfs_read_all(backup->file_systems, uri, context, 1 << 16,
                                           backup->pool, &text, err);
    stoa_pool_free_string(backup->pool, uri);
    if (status == STOA_NOT_FOUND) {
        return stoa_fail(err, STOA_NOT_FOUND, "there is no backup (no %s in it)", marker_name);
    }
    STOA_TRY(status);
    if (text.size != strlen(marker_text) || memcmp(text.data, marker_text, text.size) != 0) {
        status = stoa_fail(err, STOA_UNSUPPORTED,
                           "its file %s names another version of the format than %.*s", marker_name,
                           (int)strlen(marker_text) - 1, marker_text);
    }
    stoa_buffer_release(&text);
    return status;
}

/* What a crash in the middle of the making leaves is ours. */
static bool is_ours(const char *name) {
    return strcmp(name, "LOCK") == 0 || strcmp(name, "objects") == 0 ||
           strcmp(name, "generations") == 0 ||
           strncmp(name, STOA_VFS_TEMPORARY_PREFIX, strlen(STOA_VFS_TEMPORARY_PREFIX)) == 0;
}

static stoa_status refuse_foreign(void *user, const char *name, const stoa_file_info *info,
                                  stoa_error *err) {
    (void)user;
    (void)info;
    return is_ours(name) ? STOA_OK
                         : stoa_fail(err, STOA_INVALID,
                                     "expected an empty directory or a backup but found '%.100s'",
                                     name);
}

static stoa_status make_folder(const stoa_backup *backup, const char *name,
                               const stoa_context *context, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_backup_path(backup, name, &uri, err));
    const stoa_status status = stoa_vfs_make_directories(backup->file_systems, uri, context, err);
    stoa_pool_free_string(backup->pool, uri);
    return status;
}

/* The marker comes last. With the lock. */
static stoa_status make_marker(const stoa_backup *backup, const stoa_context *context,
                               stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_vfs_list(backup->file_systems, backup->directory, context, refuse_foreign, NULL,
                           err));
    STOA_TRY(make_folder(backup, "objects", context, err));
    STOA_TRY(make_folder(backup, "generations", context, err));
    STOA_TRY(stoa_backup_path(backup, marker_name, &uri, err));
    const stoa_status status = stoa_vfs_replace(backup->file_systems, uri, context, marker_text,
                                                strlen(marker_text), err);
    stoa_pool_free_string(backup->pool, uri);
    return status;
}

/* A directory of something else is told before a lock is put into it. */
static stoa_status prepare(const stoa_backup *backup, bool create, bool *out_is_new,
                           const stoa_context *context, stoa_error *err) {
    stoa_status status = stoa_backup_check(backup, context, err);
    *out_is_new = status == STOA_NOT_FOUND && create;
    if (!*out_is_new) {
        return status;
    }
    stoa_error_clear(err);
    STOA_TRY(stoa_vfs_make_directories(backup->file_systems, backup->directory, context, err));
    return stoa_vfs_list(backup->file_systems, backup->directory, context, refuse_foreign, NULL,
                         err);
}

stoa_status stoa_backup_lock(stoa_backup *backup, bool create, const stoa_context *context,
                             stoa_file **out, stoa_error *err) {
    char *uri = NULL;
    bool is_new = false;
    *out = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(prepare(backup, create, &is_new, context, err));
    STOA_CHECK(stoa_backup_path(backup, "LOCK", &uri, err));
    STOA_CHECK(stoa_vfs_lock(backup->file_systems, uri, context, out, err));
    status = stoa_backup_check(backup, context, err); /* somebody may have made it meanwhile */
    if (status == STOA_NOT_FOUND && is_new) {
        stoa_error_clear(err);
        status = make_marker(backup, context, err);
    }

done:
    stoa_pool_free_string(backup->pool, uri);
    if (status != STOA_OK) {
        stoa_file_close(*out);
        *out = NULL;
    }
    return status;
}

/* ---- Records --------------------------------------------------------------------------------- */

static stoa_status note_number(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    stoa_buffer *numbers = user;
    char expected[NAME_BYTES];
    const int64_t number = strtoll(name, NULL, 10);
    (void)info;
    (void)snprintf(expected, sizeof expected, "%0*" PRId64, (int)RECORD_DIGITS, number);
    return number > 0 && strcmp(name, expected) == 0
               ? stoa_buffer_append(numbers, &number, sizeof number, err)
               : STOA_OK;
}

static int compare_numbers(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

stoa_status stoa_backup_numbers(const stoa_backup *backup, const stoa_context *context,
                                stoa_buffer *out, stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_backup_path(backup, "generations", &uri, err));
    const stoa_status status = stoa_vfs_list(backup->file_systems, uri, context, note_number, out,
                                             err);
    stoa_pool_free_string(backup->pool, uri);
    if (status == STOA_OK && out->size > 0) {
        qsort(out->data, out->size / sizeof(int64_t), sizeof(int64_t), compare_numbers);
    }
    return status;
}

stoa_status stoa_backup_read(const stoa_backup *backup, int64_t generation,
                             const stoa_context *context, stoa_backup_record *out,
                             stoa_error *err) {
    char *uri = NULL;
    stoa_buffer text;
    *out = (stoa_backup_record){0};
    stoa_buffer_init(&text, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_record_path(backup, generation, &uri, err));
    STOA_CHECK(stoa_vfs_read_all(backup->file_systems, uri, context, RECORD_BYTES_MAX,
                                 backup->pool, &text, err));
    STOA_CHECK(stoa_backup_record_parse(backup->pool, (const char *)text.data, text.size, out,
                                        err));
    if (out->generation != generation) {
        status = stoa_fail(err, STOA_CORRUPT, "it says that it is generation %" PRId64,
                           out->generation);
    }

done:
    stoa_pool_free_string(backup->pool, uri);
    stoa_buffer_release(&text);
    if (status == STOA_NOT_FOUND) {
        return stoa_fail(err, STOA_NOT_FOUND, "there is no generation %" PRId64, generation);
    }
    stoa_wrap(status == STOA_OK ? NULL : err, "generation %" PRId64, generation);
    return status;
}

stoa_backup_info stoa_backup_info_of(const stoa_backup_record *record) {
    return (stoa_backup_info){.generation = record->generation,
                              .time_ms = record->time_ms,
                              .table_count = record->table_count,
                              .row_count = record->row_count,
                              .file_count = record->file_count,
                              .bytes = record->bytes,
                              .new_file_count = record->new_object_count,
                              .new_bytes = record->new_bytes};
}

/* ---- Objects --------------------------------------------------------------------------------- */

stoa_status stoa_backup_object_copy(const stoa_backup_file *file, stoa_file *object,
                                    stoa_file *target, const stoa_context *context,
                                    stoa_error *err) {
    stoa_hash_stream stream;
    uint64_t size = 0;
    STOA_TRY(stoa_file_size(object, &size, err));
    if (size != file->bytes) {
        return stoa_fail(err, STOA_CORRUPT,
                         "'%s': expected %" PRIu64 " bytes but found %" PRIu64,
                         stoa_file_uri(object), file->bytes, size);
    }
    stoa_hash_stream_init(&stream);
    STOA_TRY(stoa_file_copy(object, size, target, context, &stream, err));
    const stoa_hash128 found = stoa_hash_stream_finish128(&stream);
    return found.high == file->hash.high && found.low == file->hash.low
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT,
                           "'%s': expected bytes with hash %016" PRIx64 "%016" PRIx64
                           " but found %016" PRIx64 "%016" PRIx64,
                           stoa_file_uri(object), file->hash.high, file->hash.low, found.high,
                           found.low);
}
