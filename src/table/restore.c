/* Restoring: the files of a generation, each compared with its hash on the way, as a new database. */
#include <inttypes.h>

#include "table/backup_directory.h"
#include "table/internal.h"
#include "vfs/new_directory.h"

struct restore {
    const stoa_backup *backup;
    stoa_context context;
    stoa_backup_record record;
    stoa_new_directory made;
    uint64_t bytes_done;
};

/* 0 is the newest. */
static stoa_status find_generation(const struct restore *restore, int64_t *inout, stoa_error *err) {
    stoa_buffer numbers;
    if (*inout != 0) {
        return STOA_OK;
    }
    stoa_buffer_init(&numbers, restore->backup->pool);
    stoa_status status = stoa_backup_numbers(restore->backup, &restore->context, &numbers, err);
    const size_t count = numbers.size / sizeof(int64_t);
    if (status == STOA_OK && count == 0) {
        status = stoa_fail(err, STOA_NOT_FOUND, "it has no generation yet");
    }
    if (status == STOA_OK) {
        *inout = ((const int64_t *)(const void *)numbers.data)[count - 1];
    }
    stoa_buffer_release(&numbers);
    return status;
}

static stoa_status copy_object(struct restore *restore, const stoa_backup_file *file,
                               const char *to, stoa_error *err) {
    stoa_fs_registry *file_systems = restore->backup->file_systems;
    const stoa_context *context = &restore->context;
    stoa_file *source = NULL, *target = NULL;
    char *from = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_backup_object_path(restore->backup, file->hash, &from, err));
    STOA_CHECK(stoa_vfs_open(file_systems, from, STOA_OPEN_READ, context, &source, err));
    STOA_CHECK(stoa_vfs_open(file_systems, to, STOA_OPEN_CREATE, context, &target, err));
    STOA_CHECK(stoa_backup_object_copy(file, source, target, context, err));
    STOA_CHECK(stoa_file_sync(target, err));

done:
    stoa_file_close(source);
    stoa_file_close(target);
    stoa_pool_free_string(restore->backup->pool, from);
    return status;
}

static stoa_status restore_file(struct restore *restore, const stoa_backup_file *file,
                                stoa_error *err) {
    char *uri = NULL;
    STOA_TRY(stoa_new_directory_path(&restore->made, file->path, &uri, err));
    stoa_status status = copy_object(restore, file, uri, err);
    stoa_pool_free_string(restore->context.pool, uri);
    if (status == STOA_NOT_FOUND) { /* the record names it */
        status = STOA_CORRUPT;
        if (err != NULL) {
            err->status = status;
        }
    }
    stoa_wrap(status == STOA_OK ? NULL : err, "'%s'", file->path);
    return status;
}

static stoa_status restore_files(struct restore *restore, stoa_error *err) {
    for (int64_t i = 0; i < restore->record.file_count; i++) {
        const stoa_backup_file *file = &restore->record.files[i];
        STOA_TRY(stoa_cancel_check(restore->context.cancel, err));
        STOA_TRY(restore_file(restore, file, err));
        restore->bytes_done += file->bytes;
        if (restore->context.progress != NULL) {
            restore->context.progress(restore->context.progress_user,
                                      &(stoa_progress){"restoring", "files", (uint64_t)i + 1,
                                                       (uint64_t)restore->record.file_count,
                                                       restore->bytes_done,
                                                       restore->record.bytes});
        }
    }
    return STOA_OK;
}

static stoa_status make(struct restore *restore, int64_t generation, const char *target,
                        stoa_error *err) {
    STOA_TRY(stoa_backup_check(restore->backup, &restore->context, err));
    STOA_TRY(find_generation(restore, &generation, err));
    STOA_TRY(stoa_backup_read(restore->backup, generation, &restore->context, &restore->record,
                              err));
    STOA_TRY(stoa_new_directory_begin(&restore->made, restore->backup->file_systems, target,
                                      &restore->context, err));
    STOA_TRY(stoa_database_make_folders(restore->backup->file_systems, restore->made.temporary,
                                        &restore->context, err));
    STOA_TRY(restore_files(restore, err));
    return stoa_new_directory_finish(&restore->made, err);
}

stoa_status stoa_backup_restore(stoa_backup *backup, int64_t generation, const char *target,
                                const stoa_context *context, stoa_backup_info *out,
                                stoa_error *err) {
    struct restore restore = {.backup = backup, .context = stoa_backup_context(backup, context)};
    const stoa_status status = make(&restore, generation, target, err);
    if (status == STOA_OK && out != NULL) {
        *out = stoa_backup_info_of(&restore.record);
    }
    stoa_new_directory_release(&restore.made);
    stoa_backup_record_release(&restore.record);
    stoa_wrap(status == STOA_OK ? NULL : err, "restoring backup '%s' as '%s'", backup->directory,
              target);
    return status;
}
