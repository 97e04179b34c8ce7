/* Looking at a backup: its generations, and every byte of what they name.
 *
 * No lock is taken: a generation that somebody removes meanwhile is passed over. */
#include <stdlib.h>
#include <string.h>

#include "table/backup_directory.h"

/* ---- Listing ---------------------------------------------------------------------------------- */

static stoa_status show(stoa_backup *backup, int64_t generation, stoa_backup_function function,
                        void *user, stoa_error *err) {
    const stoa_context context = stoa_backup_context(backup, NULL);
    stoa_backup_record record;
    stoa_backup_info info = {.generation = generation, .is_damaged = true};
    stoa_status status = stoa_backup_read(backup, generation, &context, &record, err);
    const bool is_there = status != STOA_NOT_FOUND;
    if (status == STOA_OK) {
        info = stoa_backup_info_of(&record);
    }
    stoa_backup_record_release(&record);
    if (status == STOA_CORRUPT || status == STOA_UNSUPPORTED || !is_there) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status == STOA_OK && is_there ? function(user, &info, err) : status;
}

stoa_status stoa_backup_each(stoa_backup *backup, stoa_backup_function function, void *user,
                             stoa_error *err) {
    const stoa_context context = stoa_backup_context(backup, NULL);
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, backup->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_check(backup, &context, err));
    STOA_CHECK(stoa_backup_numbers(backup, &context, &numbers, err));
    for (size_t i = 0; i < numbers.size / sizeof(int64_t); i++) {
        STOA_CHECK(show(backup, ((const int64_t *)(const void *)numbers.data)[i], function, user,
                        err));
    }

done:
    stoa_buffer_release(&numbers);
    stoa_wrap(status == STOA_OK ? NULL : err, "backup '%s'", backup->directory);
    return status;
}

/* ---- Verifying -------------------------------------------------------------------------------- */

/* An object that was read. */
struct seen {
    stoa_hash128 hash;
    bool is_damaged;
};

struct verify {
    const stoa_backup *backup;
    stoa_context context;
    stoa_damage_function function;
    void *user;
    stoa_error first; /* damage */
    stoa_buffer seen; /* of generations before this one, sorted */
    stoa_buffer fresh;
    int64_t files;
    uint64_t bytes;
};

static void report(struct verify *verify, const stoa_error *damage) {
    if (verify->first.status == STOA_OK) {
        verify->first = *damage;
    }
    if (verify->function != NULL) {
        verify->function(verify->user, damage);
    }
}

static int compare_seen(const void *left, const void *right) {
    const stoa_hash128 *a = &((const struct seen *)left)->hash,
                       *b = &((const struct seen *)right)->hash;
    return a->high != b->high ? (a->high > b->high) - (a->high < b->high)
                              : (a->low > b->low) - (a->low < b->low);
}

static const struct seen *find_seen(const struct verify *verify, stoa_hash128 hash) {
    const struct seen key = {.hash = hash};
    const size_t count = verify->seen.size / sizeof key;
    return count == 0 ? NULL
                      : bsearch(&key, verify->seen.data, count, sizeof key, compare_seen);
}

static stoa_status take_fresh(struct verify *verify, stoa_error *err) {
    STOA_TRY(stoa_buffer_append(&verify->seen, verify->fresh.data, verify->fresh.size, err));
    stoa_buffer_clear(&verify->fresh);
    if (verify->seen.size > 0) {
        qsort(verify->seen.data, verify->seen.size / sizeof(struct seen), sizeof(struct seen),
              compare_seen);
    }
    return STOA_OK;
}

static stoa_status read_object(struct verify *verify, const stoa_backup_file *file,
                               stoa_error *err) {
    stoa_file *object = NULL;
    char *uri = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_object_path(verify->backup, file->hash, &uri, err));
    STOA_CHECK(stoa_vfs_open(verify->backup->file_systems, uri, STOA_OPEN_READ, &verify->context,
                             &object, err));
    STOA_CHECK(stoa_backup_object_copy(file, object, NULL, &verify->context, err));

done:
    stoa_file_close(object);
    stoa_pool_free_string(verify->backup->pool, uri);
    return status;
}

/* A record that is gone was removed, and its objects after it. */
static stoa_status is_removed(const struct verify *verify, int64_t generation, bool *out,
                              stoa_error *err) {
    char *uri = NULL;
    bool is_there = true;
    STOA_TRY(stoa_backup_record_path(verify->backup, generation, &uri, err));
    const stoa_status status = stoa_vfs_exists(verify->backup->file_systems, uri, &verify->context,
                                               &is_there, err);
    stoa_pool_free_string(verify->backup->pool, uri);
    *out = !is_there;
    return status;
}

/* Damage is reported and gone past; what keeps us from looking ends the run. */
static stoa_status verify_file(struct verify *verify, int64_t generation,
                               const stoa_backup_file *file, bool *out_removed, stoa_error *err) {
    const struct seen *before = find_seen(verify, file->hash);
    stoa_error damage = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    if (before == NULL) {
        status = read_object(verify, file, &damage);
        verify->files++;
        verify->bytes += file->bytes;
    } else if (before->is_damaged) {
        status = stoa_fail(&damage, STOA_CORRUPT, "the same object as in an earlier generation");
    }
    if (status == STOA_NOT_FOUND) {
        STOA_TRY(is_removed(verify, generation, out_removed, err));
        if (*out_removed) {
            return STOA_OK;
        }
        damage.status = status = STOA_CORRUPT;
    }
    if (status == STOA_CORRUPT) {
        stoa_wrap(&damage, "generation %" PRId64 ": '%s'", generation, file->path);
        report(verify, &damage);
    } else if (status != STOA_OK) {
        if (err != NULL) {
            *err = damage;
        }
        return status;
    }
    const struct seen now = {file->hash, status == STOA_CORRUPT};
    return before == NULL ? stoa_buffer_append(&verify->fresh, &now, sizeof now, err) : STOA_OK;
}

static stoa_status verify_files(struct verify *verify, const stoa_backup_record *record,
                                stoa_error *err) {
    bool removed = false;
    for (int64_t i = 0; i < record->file_count && !removed; i++) {
        STOA_TRY(stoa_cancel_check(verify->context.cancel, err));
        STOA_TRY(verify_file(verify, record->generation, &record->files[i], &removed, err));
        if (verify->context.progress != NULL) {
            verify->context.progress(verify->context.progress_user,
                                     &(stoa_progress){"verifying", "files", (uint64_t)i + 1,
                                                      (uint64_t)record->file_count, verify->bytes,
                                                      0});
        }
    }
    return take_fresh(verify, err);
}

static stoa_status verify_generation(struct verify *verify, int64_t generation, bool may_be_gone,
                                     stoa_error *err) {
    stoa_backup_record record;
    stoa_error damage = STOA_ERROR_NONE;
    stoa_status status = stoa_backup_read(verify->backup, generation, &verify->context, &record,
                                          &damage);
    if (status == STOA_OK) {
        status = verify_files(verify, &record, err);
    } else if (status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
        damage.status = STOA_CORRUPT;
        report(verify, &damage);
        status = STOA_OK;
    } else if (status == STOA_NOT_FOUND && may_be_gone) {
        status = STOA_OK;
    } else if (err != NULL) {
        *err = damage;
    }
    stoa_backup_record_release(&record);
    return status;
}

static stoa_status verify_all(struct verify *verify, stoa_error *err) {
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, verify->backup->pool);
    stoa_status status = stoa_backup_numbers(verify->backup, &verify->context, &numbers, err);
    for (size_t i = 0; i < numbers.size / sizeof(int64_t) && status == STOA_OK; i++) {
        status = verify_generation(verify, ((const int64_t *)(const void *)numbers.data)[i], true,
                                   err);
    }
    stoa_buffer_release(&numbers);
    return status;
}

stoa_status stoa_backup_verify(stoa_backup *backup, int64_t generation, const stoa_context *context,
                               stoa_damage_function function, void *user, int64_t *out_files,
                               uint64_t *out_bytes, stoa_error *err) {
    struct verify verify = {.backup = backup,
                            .context = stoa_backup_context(backup, context),
                            .function = function,
                            .user = user,
                            .first = STOA_ERROR_NONE};
    stoa_buffer_init(&verify.seen, backup->pool);
    stoa_buffer_init(&verify.fresh, backup->pool);
    stoa_status status = stoa_backup_check(backup, &verify.context, err);
    if (status == STOA_OK) {
        status = generation == 0 ? verify_all(&verify, err)
                                 : verify_generation(&verify, generation, false, err);
    }
    stoa_buffer_release(&verify.seen);
    stoa_buffer_release(&verify.fresh);
    if (out_files != NULL) {
        *out_files = verify.files;
    }
    if (out_bytes != NULL) {
        *out_bytes = verify.bytes;
    }
    if (status == STOA_OK && verify.first.status != STOA_OK) {
        status = STOA_CORRUPT;
        if (err != NULL) {
            *err = verify.first;
        }
    }
    stoa_wrap(status == STOA_OK ? NULL : err, "backup '%s'", backup->directory);
    return status;
}
