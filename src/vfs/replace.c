/* Whole files: written under a name of their own, synced, renamed into place; or read at once. A
 * file system whose writes appear whole needs no such name.
 *
 * The order is what makes it hold under a crash: content before the rename, the rename before the
 * directory. A crash in between leaves the old file and, at worst, one with a temporary name. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "vfs/compressed.h"
#include "vfs/registry.h"
#include "vfs/uri.h"
#include "vfs/vfs.h"

/* Distinct within the process by the address of a local and the clock, between processes by the
 * process id; files are opened with STOA_OPEN_CREATE, so that a clash is an error and no loss. An ending
 * that stands for a compression is kept, since the compressed file system goes by it, before a '~', since
 * others who look for "*.gz" are not to find it: not everybody passes over names that begin with '.'. */
stoa_status stoa_vfs_temporary_name(stoa_pool *pool, const char *uri, char **out, stoa_error *err) {
    size_t directory_length = stoa_uri_name_offset(uri);
    size_t stem_length = 0;
    uint64_t number = stoa_hash_u64((uint64_t)stoa_clock_monotonic_ns()) ^
                      stoa_hash_u64((uint64_t)(uintptr_t)out + 1) ^
                      stoa_hash_u64((uint64_t)getpid() << 32);
    stoa_buffer text = {.pool = pool};
    stoa_status status = STOA_OK;
    *out = NULL;
    (void)stoa_packing_of_name(uri, &stem_length);
    STOA_CHECK(stoa_buffer_append(&text, uri, directory_length, err));
    const char *ending = uri + stem_length;
    STOA_CHECK(stoa_buffer_append_format(&text, err, STOA_VFS_TEMPORARY_PREFIX "%016" PRIx64 "%s%s",
                                         number, ending, ending[0] == '\0' ? "" : "~"));
    STOA_CHECK(stoa_pool_copy_text(pool, (const char *)text.data, text.size, out, err));

done:
    stoa_buffer_release(&text);
    return status;
}

stoa_status stoa_vfs_publish(stoa_fs_registry *registry, const char *from, const char *uri,
                             const stoa_context *context, stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    char *parent = NULL;
    STOA_TRY(stoa_vfs_parent(pool, uri, &parent, err));
    stoa_status status = stoa_vfs_rename(registry, from, uri, context, err);
    if (status == STOA_OK) {
        status = stoa_vfs_sync_directory(registry, parent, context, err);
    }
    stoa_pool_free_string(pool, parent);
    return status;
}

static stoa_status write_file(stoa_fs_registry *registry, const char *uri, stoa_open_mode mode,
                              const stoa_context *context, const void *bytes, size_t size,
                              stoa_error *err) {
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_vfs_open(registry, uri, mode, context, &file, err));
    STOA_CHECK(stoa_file_write(file, bytes, size, err));
    STOA_CHECK(stoa_file_sync(file, err));

done:
    stoa_file_close(file);
    return status;
}

stoa_status stoa_vfs_replace(stoa_fs_registry *registry, const char *uri,
                             const stoa_context *context, const void *bytes, size_t size,
                             stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    char *temporary = NULL;
    if (stoa_vfs_has(registry, uri, STOA_FS_WHOLE_WRITES)) {
        return write_file(registry, uri, STOA_OPEN_REPLACE, context, bytes, size, err);
    }
    STOA_TRY(stoa_vfs_temporary_name(pool, uri, &temporary, err));
    stoa_status status = write_file(registry, temporary, STOA_OPEN_CREATE, context, bytes, size,
                                    err);
    if (status == STOA_OK) {
        status = stoa_vfs_publish(registry, temporary, uri, context, err);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "writing '%s'", uri);
        /* It may not have been made, or have been renamed: then there is nothing to remove. What
         * cancelled the writing does not keep it from being cleaned up. */
        STOA_IGNORE(stoa_vfs_remove(registry, temporary, NULL, NULL));
    }
    stoa_pool_free_string(pool, temporary);
    return status;
}

static stoa_status read_to_end(stoa_file *file, size_t limit, stoa_buffer *out, stoa_error *err) {
    for (;;) {
        size_t room = out->capacity - out->size;
        if (room == 0) {
            STOA_TRY(stoa_buffer_reserve(out, 4096, err));
            room = out->capacity - out->size;
        }
        size_t got = 0;
        STOA_TRY(stoa_file_read_some(file, out->size, out->data + out->size, room, &got, err));
        out->size += got;
        if (out->size > limit) {
            return stoa_fail(err, STOA_LIMIT, "'%s' is longer than the limit of %zu bytes",
                             stoa_file_uri(file), limit);
        }
        if (got < room) {
            return STOA_OK;
        }
    }
}

stoa_status stoa_vfs_read_all(stoa_fs_registry *registry, const char *uri,
                              const stoa_context *context, size_t limit, stoa_pool *pool,
                              stoa_buffer *out, stoa_error *err) {
    stoa_file *file = NULL;
    uint64_t size = 0;
    stoa_buffer_init(out, pool);
    STOA_TRY(stoa_vfs_open(registry, uri, STOA_OPEN_READ, context, &file, err));
    stoa_status status = STOA_OK;
    /* The size is a hint: a pipe has none, and a file may grow while it is read. */
    if (file->operations->size != NULL) {
        STOA_CHECK(stoa_file_size(file, &size, err));
    }
    if (size > limit) {
        status = stoa_fail(err, STOA_LIMIT,
                           "'%s' has %" PRIu64 " bytes, more than the limit of %zu", uri, size,
                           limit);
        goto done;
    }
    STOA_CHECK(stoa_buffer_reserve_exact(out, (size_t)size + 1, err));
    STOA_CHECK(read_to_end(file, limit, out, err));

done:
    stoa_file_close(file);
    if (status != STOA_OK) {
        stoa_buffer_release(out);
    }
    return status;
}
