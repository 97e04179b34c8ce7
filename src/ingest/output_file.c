/* Output files: temporary name, sync, rename; where files appear whole at their sync anyway (object
 * stores) it is the name itself. Standard output, pipes and devices are written in order
 * and not synced: a rename would put a file where the pipe or the device was. A symbolic link stays,
 * and the file that it leads to is replaced. */
#include "ingest/output_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "table/table.h"
#include "vfs/compressed.h"
#include "vfs/vfs.h"

enum { PENDING_BYTES = 1 << 20 };

/* A pipe or a device: its own descriptor, which is ours to close. */
static stoa_status open_special(stoa_ingest_output *out, const char *path, stoa_error *err) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0) {
        return stoa_fail(err, STOA_IO, "cannot open '%s': %m", path);
    }
    out->descriptor = descriptor;
    out->owns_descriptor = true;
    return stoa_file_from_descriptor(out->pool, descriptor, path, &out->file, err);
}

/* A name that ends in .gz, .zst or .lz4 asks for that. */
static stoa_status pack(stoa_ingest_output *output, const char *path, const stoa_context *context,
                        stoa_error *err) {
    stoa_packing packing = stoa_packing_of_name(path, NULL);
    stoa_file *plain = output->file;
    if (packing == STOA_PACKING_NONE) {
        return STOA_OK;
    }
    output->file = NULL;
    output->is_packed = true;
    return stoa_compressed_create(context, plain, packing, &output->file, err);
}

stoa_status stoa_ingest_output_open(stoa_database *database, const char *path,
                                    const stoa_context *context, stoa_ingest_output *out,
                                    stoa_error *err) {
    *out = (stoa_ingest_output){.registry = stoa_database_file_systems(database),
                                .pool = context->pool};
    stoa_buffer_init(&out->pending, context->pool);
    if (strcmp(path, "-") == 0) {
        return stoa_file_from_descriptor(out->pool, STDOUT_FILENO, "standard output", &out->file,
                                         err);
    }
    stoa_file_info info;
    if (stoa_vfs_stat(out->registry, path, NULL, &info, NULL) == STOA_OK && info.is_directory) {
        stoa_fail(err, STOA_IO, "cannot write '%s': it is a directory", path);
        stoa_error_set_file(err, path, -1);
        return STOA_IO;
    }
    const char *local = stoa_vfs_local_path(path);
    struct stat kind;
    char target[PATH_MAX];
    stoa_status status = STOA_OK;
    if (local != NULL && stat(local, &kind) == 0 && !S_ISREG(kind.st_mode)) {
        status = open_special(out, local, err);
        goto done;
    }
    if (local != NULL && lstat(local, &kind) == 0 && S_ISLNK(kind.st_mode) &&
        realpath(local, target) != NULL) {
        path = target;
    }
    STOA_CHECK(stoa_pool_copy_string(out->pool, path, &out->path, err));
    if (stoa_vfs_has(out->registry, path, STOA_FS_WHOLE_WRITES)) {
        status = stoa_vfs_open(out->registry, path, STOA_OPEN_REPLACE, context, &out->file, err);
        goto done;
    }
    STOA_CHECK(stoa_vfs_temporary_name(out->pool, path, &out->temporary, err));
    STOA_CHECK(
        stoa_vfs_open(out->registry, out->temporary, STOA_OPEN_CREATE, context, &out->file, err));

done:
    if (status == STOA_OK) {
        status = pack(out, path, context, err);
    }
    if (status != STOA_OK) {
        if (status == STOA_NOT_FOUND) { /* the directory is missing: no output, not no input */
            status = STOA_IO;
            if (err != NULL) {
                err->status = STOA_IO;
            }
        }
        stoa_wrap(err, "writing '%s'", path);
        stoa_error_set_file(err, path, -1);
        stoa_ingest_output_release(out);
    }
    return status;
}

static stoa_status flush(stoa_ingest_output *output, stoa_error *err) {
    if (output->pending.size == 0) {
        return STOA_OK;
    }
    stoa_status status = stoa_file_write(output->file, output->pending.data, output->pending.size,
                                         err);
    stoa_buffer_clear(&output->pending);
    return status;
}

stoa_status stoa_ingest_output_write(stoa_ingest_output *output, const void *bytes, size_t size,
                                     stoa_error *err) {
    STOA_TRY(stoa_buffer_append(&output->pending, bytes, size, err));
    return output->pending.size >= PENDING_BYTES ? flush(output, err) : STOA_OK;
}

stoa_status stoa_ingest_output_publish(stoa_ingest_output *output, stoa_error *err) {
    STOA_TRY(flush(output, err));
    if (output->path == NULL && !output->is_packed) {
        return STOA_OK;
    }
    STOA_TRY(stoa_file_sync(output->file, err));
    stoa_file_close(output->file);
    output->file = NULL;
    if (output->temporary == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_publish(output->registry, output->temporary, output->path, NULL, err));
    stoa_pool_free_string(output->pool, output->temporary);
    output->temporary = NULL;
    return STOA_OK;
}

void stoa_ingest_output_release(stoa_ingest_output *output) {
    stoa_file_close(output->file);
    if (output->temporary != NULL) {
        STOA_IGNORE(stoa_vfs_remove(output->registry, output->temporary, NULL, NULL));
        stoa_pool_free_string(output->pool, output->temporary);
    }
    if (output->owns_descriptor) {
        (void)close(output->descriptor);
    }
    stoa_pool_free_string(output->pool, output->path);
    stoa_buffer_release(&output->pending);
    *output = (stoa_ingest_output){0};
}
