/* Directory trees: made from the top down, durably; removed from the bottom up.
 *
 * Removal walks a list of directories that grows while it goes: each is emptied of its files and
 * adds those within it to the end. Backwards, the list then has every directory before the one
 * that holds it. So a deep tree costs no stack. */
#include <string.h>

#include "vfs/registry.h"
#include "vfs/uri.h"
#include "vfs/vfs.h"

/* One level, and its entry in the directory above it made durable. One that exists may be the work
 * of another process that has not synced it yet, so it is synced all the same. */
static stoa_status make_level(stoa_fs_registry *registry, const char *uri,
                              const stoa_context *context, stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    stoa_file_info info;
    char *parent = NULL;
    stoa_error exists_err = STOA_ERROR_NONE;
    stoa_status status = stoa_vfs_make_directory(registry, uri, context, &exists_err);
    if (status == STOA_EXISTS) {
        STOA_TRY(stoa_vfs_stat(registry, uri, context, &info, err));
        if (!info.is_directory) {
            return stoa_fail(err, STOA_EXISTS, "cannot make directory '%s': a file has that name",
                             uri);
        }
        return STOA_OK;
    }
    if (status != STOA_OK) {
        if (err != NULL) {
            *err = exists_err;
        }
        return status;
    }
    STOA_TRY(stoa_vfs_parent(pool, uri, &parent, err));
    status = stoa_vfs_sync_directory(registry, parent, context, err);
    stoa_pool_free_string(pool, parent);
    /* A file system without directories has nothing to sync. */
    if (status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

stoa_status stoa_vfs_make_directories(stoa_fs_registry *registry, const char *uri,
                                      const stoa_context *context, stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    stoa_file_info info;
    if (stoa_vfs_has(registry, uri, STOA_FS_NO_DIRECTORIES)) {
        return stoa_vfs_make_directory(registry, uri, context, err);
    }
    if (stoa_vfs_stat(registry, uri, context, &info, NULL) == STOA_OK && info.is_directory) {
        return STOA_OK;
    }
    char *path = NULL;
    size_t length = strlen(uri);
    STOA_TRY(stoa_pool_copy_text(pool, uri, length, &path, err));
    stoa_status status = STOA_OK;
    for (size_t i = stoa_uri_root_offset(uri); i < length && status == STOA_OK; i++) {
        /* Each end of a part: the next is a '/' or the end, and this one is not. */
        if (path[i] != '/' && (i + 1 == length || path[i + 1] == '/')) {
            char next = path[i + 1];
            path[i + 1] = '\0';
            status = make_level(registry, path, context, err);
            path[i + 1] = next;
        }
    }
    stoa_pool_free(pool, path, length + 1);
    return status;
}

/* What one look into a directory found. */
struct contents {
    stoa_fs_registry *registry;
    const stoa_context *context;
    const char *directory;
    stoa_buffer files;       /* their URIs, each with its NUL */
    stoa_buffer directories; /* and theirs */
};

static stoa_status collect(void *user, const char *name, const stoa_file_info *info,
                           stoa_error *err) {
    struct contents *contents = user;
    stoa_pool *pool = stoa_fs_registry_pool(contents->registry);
    stoa_buffer *target = info->is_directory && !info->is_link ? &contents->directories
                                                               : &contents->files;
    char *path = NULL;
    STOA_TRY(stoa_vfs_join(pool, contents->directory, name, &path, err));
    stoa_status status = stoa_buffer_append(target, path, strlen(path) + 1, err);
    stoa_pool_free_string(pool, path);
    return status;
}

static stoa_status ignore_missing(stoa_status status, stoa_error *err) {
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

static stoa_status remove_files(struct contents *contents, stoa_error *err) {
    const stoa_buffer *files = &contents->files;
    for (size_t i = 0; i < files->size; i += strlen((const char *)files->data + i) + 1) {
        const char *path = (const char *)files->data + i;
        STOA_TRY(
            ignore_missing(stoa_vfs_remove(contents->registry, path, contents->context, err), err));
    }
    stoa_buffer_clear(&contents->files);
    return STOA_OK;
}

/* Removes all files below `uri`, and leaves the directories, parents first, in `contents`. */
static stoa_status remove_all_files(struct contents *contents, const char *uri, stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(contents->registry);
    STOA_TRY(stoa_buffer_append(&contents->directories, uri, strlen(uri) + 1, err));
    for (size_t i = 0; i < contents->directories.size;) {
        /* A copy: the list moves while it grows. */
        char *directory = NULL;
        STOA_TRY(stoa_pool_copy_string(pool, (const char *)contents->directories.data + i,
                                       &directory, err));
        i += strlen(directory) + 1;
        contents->directory = directory;
        stoa_status status = ignore_missing(stoa_vfs_list(contents->registry, directory,
                                                          contents->context, collect, contents,
                                                          err),
                                            err);
        stoa_pool_free_string(pool, directory);
        STOA_TRY(status);
        STOA_TRY(remove_files(contents, err));
    }
    return STOA_OK;
}

static stoa_status remove_directories(struct contents *contents, stoa_error *err) {
    const char *list = (const char *)contents->directories.data;
    size_t end = contents->directories.size;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && list[start - 1] != '\0') {
            start--;
        }
        STOA_TRY(ignore_missing(stoa_vfs_remove(contents->registry, list + start, contents->context,
                                                err),
                                err));
        end = start;
    }
    return STOA_OK;
}

stoa_status stoa_vfs_remove_tree(stoa_fs_registry *registry, const char *uri,
                                 const stoa_context *context, stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    struct contents contents = {registry, context, NULL, {.pool = pool}, {.pool = pool}};
    stoa_file_info info;
    stoa_status status = stoa_vfs_stat(registry, uri, context, &info, err);
    if (status != STOA_OK) {
        return ignore_missing(status, err);
    }
    if (!info.is_directory || info.is_link) {
        return ignore_missing(stoa_vfs_remove(registry, uri, context, err), err);
    }
    status = stoa_vfs_remove_below(registry, uri, context, err);
    if (status != STOA_UNSUPPORTED) {
        goto done;
    }
    stoa_error_clear(err);
    STOA_CHECK(remove_all_files(&contents, uri, err));
    STOA_CHECK(remove_directories(&contents, err));

done:
    stoa_buffer_release(&contents.files);
    stoa_buffer_release(&contents.directories);
    return status;
}
