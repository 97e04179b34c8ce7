/* Removing from a backup: generations, what is unfinished, and objects that no record names. As long
 * as one record cannot be read, no object is removed: it may be named there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "table/backup_directory.h"

/* ---- Names in a folder ------------------------------------------------------------------------ */

static bool is_unfinished(const char *name) {
    return strncmp(name, STOA_VFS_TEMPORARY_PREFIX, strlen(STOA_VFS_TEMPORARY_PREFIX)) == 0;
}

static stoa_status note_name(void *user, const char *name, const stoa_file_info *info,
                             stoa_error *err) {
    (void)info;
    return stoa_buffer_append(user, name, strlen(name) + 1, err);
}

/* Each with its NUL: a listing must not change its own directory. */
static stoa_status list_names(const stoa_backup *backup, const char *uri,
                              const stoa_context *context, stoa_buffer *out, stoa_error *err) {
    stoa_buffer_init(out, backup->pool);
    return stoa_vfs_list(backup->file_systems, uri, context, note_name, out, err);
}

/* ---- What records name ------------------------------------------------------------------------ */

struct named {
    stoa_buffer hashes; /* stoa_hash128, sorted */
    bool is_whole;      /* every record could be read */
};

static int compare_hashes(const void *left, const void *right) {
    const stoa_hash128 *a = left, *b = right;
    return a->high != b->high ? (a->high > b->high) - (a->high < b->high)
                              : (a->low > b->low) - (a->low < b->low);
}

static bool is_named(const struct named *named, stoa_hash128 hash) {
    const size_t count = named->hashes.size / sizeof hash;
    return count > 0 &&
           bsearch(&hash, named->hashes.data, count, sizeof hash, compare_hashes) != NULL;
}

static stoa_status note_record(const stoa_backup *backup, int64_t generation,
                               const stoa_context *context, struct named *named, stoa_error *err) {
    stoa_backup_record record;
    stoa_status status = stoa_backup_read(backup, generation, context, &record, err);
    if (status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        status = STOA_OK;
        named->is_whole = false;
    }
    for (int64_t i = 0; i < record.file_count && status == STOA_OK; i++) {
        status = stoa_buffer_append(&named->hashes, &record.files[i].hash,
                                    sizeof record.files[i].hash, err);
    }
    stoa_backup_record_release(&record);
    return status;
}

static stoa_status note_records(const stoa_backup *backup, const stoa_context *context,
                                struct named *named, stoa_error *err) {
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, backup->pool);
    stoa_status status = stoa_backup_numbers(backup, context, &numbers, err);
    const int64_t *list = (const int64_t *)(const void *)numbers.data;
    for (size_t i = 0; i < numbers.size / sizeof *list && status == STOA_OK; i++) {
        status = note_record(backup, list[i], context, named, err);
    }
    stoa_buffer_release(&numbers);
    if (status == STOA_OK && named->hashes.size > 0) {
        qsort(named->hashes.data, named->hashes.size / sizeof(stoa_hash128), sizeof(stoa_hash128),
              compare_hashes);
    }
    return status;
}

/* ---- Removing --------------------------------------------------------------------------------- */

static bool parse_hash(const char *name, stoa_hash128 *out) {
    char digits[STOA_HASH128_DIGITS / 2 + 1] = "";
    if (strlen(name) != STOA_HASH128_DIGITS ||
        strspn(name, "0123456789abcdef") != STOA_HASH128_DIGITS) {
        return false;
    }
    memcpy(digits, name, sizeof digits - 1);
    out->high = strtoull(digits, NULL, 16);
    out->low = strtoull(name + sizeof digits - 1, NULL, 16);
    return true;
}

/* `named` NULL: only what is unfinished goes. */
static stoa_status tidy_folder(const stoa_backup *backup, const char *folder,
                               const struct named *named, const stoa_context *context,
                               stoa_error *err) {
    stoa_buffer names = {0};
    char *uri = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_path(backup, folder, &uri, err));
    STOA_CHECK(list_names(backup, uri, context, &names, err));
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
        const char *name = (const char *)names.data + at;
        stoa_hash128 hash;
        char *path = NULL;
        const bool is_lost = named != NULL && named->is_whole && parse_hash(name, &hash) &&
                             !is_named(named, hash);
        if (!is_lost && !is_unfinished(name)) {
            continue;
        }
        STOA_CHECK(stoa_vfs_join(backup->pool, uri, name, &path, err));
        status = stoa_vfs_remove_tree(backup->file_systems, path, context, err);
        stoa_pool_free_string(backup->pool, path);
        STOA_CHECK(status);
    }

done:
    stoa_pool_free_string(backup->pool, uri);
    stoa_buffer_release(&names);
    return status;
}

stoa_status stoa_backup_tidy(const stoa_backup *backup, const stoa_context *context,
                             stoa_error *err) {
    struct named named = {.is_whole = true};
    stoa_buffer_init(&named.hashes, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(tidy_folder(backup, "", NULL, context, err));
    STOA_CHECK(tidy_folder(backup, "generations", NULL, context, err));
    STOA_CHECK(note_records(backup, context, &named, err));
    STOA_CHECK(tidy_folder(backup, "objects", &named, context, err));

done:
    stoa_buffer_release(&named.hashes);
    stoa_wrap(status == STOA_OK ? NULL : err, "removing what nobody needs");
    return status;
}

/* ---- Generations ------------------------------------------------------------------------------ */

/* With the lock. Durable: only then may objects go. */
static stoa_status remove_record(const stoa_backup *backup, int64_t generation,
                                 const stoa_context *context, stoa_error *err) {
    char *uri = NULL, *folder = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_record_path(backup, generation, &uri, err));
    STOA_CHECK(stoa_backup_path(backup, "generations", &folder, err));
    status = stoa_vfs_remove(backup->file_systems, uri, context, err);
    if (status == STOA_NOT_FOUND) {
        status = stoa_fail(err, STOA_NOT_FOUND, "there is no generation %" PRId64, generation);
    }
    STOA_CHECK(status);
    STOA_CHECK(stoa_vfs_sync_directory(backup->file_systems, folder, context, err));

done:
    stoa_pool_free_string(backup->pool, uri);
    stoa_pool_free_string(backup->pool, folder);
    return status;
}

stoa_status stoa_backup_remove(stoa_backup *backup, int64_t generation, const stoa_context *context,
                               stoa_error *err) {
    const stoa_context own = stoa_backup_context(backup, context);
    stoa_file *lock = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_lock(backup, false, &own, &lock, err));
    STOA_CHECK(remove_record(backup, generation, &own, err));
    STOA_CHECK(stoa_backup_tidy(backup, &own, err));

done:
    stoa_file_close(lock);
    stoa_wrap(status == STOA_OK ? NULL : err, "backup '%s'", backup->directory);
    return status;
}

/* How many of the numbers, which grow, are older than the newest `count` that can be read. */
static stoa_status count_older(const stoa_backup *backup, const stoa_buffer *numbers, int64_t count,
                               const stoa_context *context, size_t *out, stoa_error *err) {
    const int64_t *list = (const int64_t *)(const void *)numbers->data;
    for (*out = numbers->size / sizeof *list; *out > 0 && count > 0; --*out) {
        stoa_backup_record record;
        const stoa_status status = stoa_backup_read(backup, list[*out - 1], context, &record, err);
        stoa_backup_record_release(&record);
        count -= status == STOA_OK;
        if (status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
            stoa_error_clear(err);
        } else {
            STOA_TRY(status);
        }
    }
    return STOA_OK;
}

/* The oldest go first: whatever ends it leaves the newest. */
static stoa_status remove_older(const stoa_backup *backup, int64_t count,
                                const stoa_context *context, int64_t *out_removed,
                                stoa_error *err) {
    stoa_buffer numbers;
    size_t older = 0;
    stoa_buffer_init(&numbers, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_numbers(backup, context, &numbers, err));
    STOA_CHECK(count_older(backup, &numbers, count, context, &older, err));
    for (size_t i = 0; i < older; i++) {
        STOA_CHECK(remove_record(backup, ((const int64_t *)(const void *)numbers.data)[i], context,
                                 err));
        ++*out_removed;
    }
    STOA_CHECK(stoa_backup_tidy(backup, context, err));

done:
    stoa_buffer_release(&numbers);
    return status;
}

stoa_status stoa_backup_keep(stoa_backup *backup, int64_t count, const stoa_context *context,
                             int64_t *out_removed, stoa_error *err) {
    const stoa_context own = stoa_backup_context(backup, context);
    stoa_file *lock = NULL;
    int64_t removed = 0;
    if (count < 1) {
        return stoa_fail(err, STOA_INVALID,
                         "expected one generation or more to keep but found %" PRId64, count);
    }
    stoa_status status = stoa_backup_lock(backup, false, &own, &lock, err);
    if (status == STOA_OK) {
        status = remove_older(backup, count, &own, &removed, err);
    }
    if (out_removed != NULL) {
        *out_removed = removed;
    }
    stoa_file_close(lock);
    stoa_wrap(status == STOA_OK ? NULL : err, "backup '%s'", backup->directory);
    return status;
}
