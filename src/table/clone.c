/* Clones: a database's files at one moment, linked or copied into another directory. */
#include <stoa/backup.h>

#include "table/image.h"
#include "vfs/new_directory.h"

struct clone {
    stoa_image image;
    stoa_new_directory made;
    stoa_clone_info info;
    uint64_t bytes_total;
};

static void report(struct clone *clone, const stoa_image_file *file) {
    const stoa_context *context = &clone->image.context;
    clone->info.file_count++;
    clone->info.bytes += file->bytes;
    if (context->progress != NULL) {
        context->progress(context->progress_user,
                          &(stoa_progress){"cloning", "files", (uint64_t)clone->info.file_count,
                                           (uint64_t)stoa_image_file_count(&clone->image),
                                           clone->info.bytes, clone->bytes_total});
    }
}

/* An SSTable that another process has removed meanwhile has no name to link, but is still open here. */
static stoa_status place_file(struct clone *clone, const stoa_image_file *file, stoa_error *err) {
    stoa_image *image = &clone->image;
    char *uri = NULL;
    STOA_TRY(stoa_cancel_check(image->context.cancel, err));
    STOA_TRY(stoa_new_directory_path(&clone->made, file->path, &uri, err));
    stoa_status status = stoa_image_link(image, file, uri, err);
    if (status == STOA_UNSUPPORTED || (status == STOA_NOT_FOUND && file->sst != NULL)) {
        stoa_error_clear(err);
        status = stoa_image_copy(image, file, clone->made.registry, uri, NULL, err);
    } else if (status == STOA_OK) {
        clone->info.linked_count++;
        clone->info.linked_bytes += file->bytes;
    }
    stoa_pool_free_string(image->context.pool, uri);
    if (status == STOA_OK) {
        report(clone, file);
    }
    return status;
}

static stoa_status make(struct clone *clone, const char *target, stoa_error *err) {
    stoa_image *image = &clone->image;
    stoa_fs_registry *file_systems = image->database->file_systems;
    const int64_t count = stoa_image_file_count(image);
    STOA_TRY(
        stoa_new_directory_begin(&clone->made, file_systems, target, &image->context, err));
    STOA_TRY(stoa_database_make_folders(file_systems, clone->made.temporary, &image->context, err));
    STOA_TRY(stoa_image_write(image, file_systems, clone->made.temporary, err));
    for (int64_t i = 0; i < count; i++) {
        clone->bytes_total += stoa_image_file_at(image, i)->bytes;
    }
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(place_file(clone, stoa_image_file_at(image, i), err));
    }
    return stoa_new_directory_finish(&clone->made, err);
}

stoa_status stoa_database_clone(stoa_database *database, const char *target,
                                const stoa_context *context, stoa_clone_info *out,
                                stoa_error *err) {
    struct clone clone = {0};
    stoa_status status = stoa_image_take(&clone.image, database, context, err);
    if (status == STOA_OK) {
        status = make(&clone, target, err);
        stoa_wrap(status == STOA_OK ? NULL : err, "cloning '%s' as '%s'", database->uri, target);
    }
    if (status == STOA_OK && out != NULL) {
        *out = clone.info;
    }
    stoa_new_directory_release(&clone.made);
    stoa_image_release(&clone.image);
    return status;
}
