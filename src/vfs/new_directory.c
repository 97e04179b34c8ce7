/* See new_directory.h. */
#include "vfs/new_directory.h"

#include <string.h>

static stoa_status check_target(stoa_fs_registry *registry, const char *target,
                                const stoa_context *context, stoa_error *err) {
    bool is_there = false;
    if (stoa_vfs_has(registry, target, STOA_FS_NO_DIRECTORIES)) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the file system has no directories to rename");
    }
    STOA_TRY(stoa_vfs_exists(registry, target, context, &is_there, err));
    return is_there ? stoa_fail(err, STOA_EXISTS, "it exists") : STOA_OK;
}

stoa_status stoa_new_directory_begin(stoa_new_directory *out, stoa_fs_registry *registry,
                                     const char *target, const stoa_context *context,
                                     stoa_error *err) {
    stoa_pool *pool = context->pool;
    char *parent = NULL, *temporary = NULL;
    *out = (stoa_new_directory){.registry = registry, .context = *context, .target = target};
    stoa_buffer_init(&out->folders, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(check_target(registry, target, context, err));
    STOA_CHECK(stoa_vfs_parent(pool, target, &parent, err));
    STOA_CHECK(stoa_vfs_make_directories(registry, parent, context, err));
    STOA_CHECK(stoa_vfs_temporary_name(pool, target, &temporary, err));
    STOA_CHECK(stoa_vfs_make_directory(registry, temporary, context, err));
    out->temporary = temporary;
    temporary = NULL;

done:
    stoa_pool_free_string(pool, parent);
    stoa_pool_free_string(pool, temporary);
    return status;
}

/* Paths come in order, mostly: the last folder is the one to ask. One that is noted twice is synced
 * twice. */
static stoa_status note_folder(stoa_new_directory *made, const char *uri, stoa_error *err) {
    stoa_buffer *folders = &made->folders;
    const size_t at = folders->size;
    if (at > 0 && strcmp((const char *)folders->data + made->last_folder, uri) == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_vfs_make_directories(made->registry, uri, &made->context, err));
    STOA_TRY(stoa_buffer_append(folders, uri, strlen(uri) + 1, err));
    made->last_folder = at;
    return STOA_OK;
}

stoa_status stoa_new_directory_path(stoa_new_directory *made, const char *path, char **out,
                                    stoa_error *err) {
    stoa_pool *pool = made->context.pool;
    char *uri = NULL, *folder = NULL;
    *out = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_join(pool, made->temporary, path, &uri, err));
    STOA_CHECK(stoa_vfs_parent(pool, uri, &folder, err));
    STOA_CHECK(note_folder(made, folder, err));
    *out = uri;
    uri = NULL;

done:
    stoa_pool_free_string(pool, uri);
    stoa_pool_free_string(pool, folder);
    return status;
}

stoa_status stoa_new_directory_finish(stoa_new_directory *made, stoa_error *err) {
    stoa_pool *pool = made->context.pool;
    const stoa_buffer *folders = &made->folders;
    for (size_t at = 0; at < folders->size; at += strlen((const char *)folders->data + at) + 1) {
        STOA_TRY(stoa_vfs_sync_directory(made->registry, (const char *)folders->data + at,
                                         &made->context, err));
    }
    STOA_TRY(stoa_vfs_sync_directory(made->registry, made->temporary, &made->context, err));
    STOA_TRY(stoa_vfs_publish(made->registry, made->temporary, made->target, &made->context, err));
    stoa_pool_free_string(pool, made->temporary);
    made->temporary = NULL;
    return STOA_OK;
}

void stoa_new_directory_release(stoa_new_directory *made) {
    if (made->registry == NULL) {
        return;
    }
    if (made->temporary != NULL) { /* without the token: a cancelled one is cleared away too */
        stoa_context context = made->context;
        context.cancel = NULL;
        STOA_IGNORE(stoa_vfs_remove_tree(made->registry, made->temporary, &context, NULL));
    }
    stoa_pool_free_string(made->context.pool, made->temporary);
    stoa_buffer_release(&made->folders);
    *made = (stoa_new_directory){0};
}
