/* The operations by URI: find the file system, call it, and put what was tried and the URI before
 * its message, so that every failure reads "cannot open 's3://lake/7.parquet': …". */
#include "vfs/vfs.h"

#include <string.h>

#include "base/secret.h"
#include "mem/resource.h"
#include "vfs/registry.h"

/* Where a URI leads, and the caller's context with a pool in it. */
struct place {
    stoa_fs *fs;
    const char *path;
    stoa_context context;
};

static stoa_status find(stoa_fs_registry *registry, const char *uri, const stoa_context *context,
                        struct place *out, stoa_error *err) {
    out->context = context == NULL ? (stoa_context){0} : *context;
    out->context.pool = out->context.pool == NULL ? stoa_fs_registry_pool(registry)
                                                  : out->context.pool;
    return stoa_fs_find(registry, uri, &out->fs, &out->path, err);
}

static stoa_status explain(stoa_status status, const char *what, const char *uri, stoa_error *err) {
    if (status != STOA_OK) {
        char shown[STOA_URI_SHOWN_BYTES];
        uri = stoa_secret_show(uri, shown);
        stoa_wrap(err, "cannot %s '%s'", what, uri);
        stoa_error_set_file(err, uri, -1);
    }
    return status;
}

static stoa_status lacks(const char *what, const char *uri, stoa_error *err) {
    return explain(stoa_fail(err, STOA_UNSUPPORTED, "its file system does not offer it"), what, uri,
                   err);
}

/* Tells the watcher, whatever the call answered: it may have done a part. */
static void tell_changed(stoa_fs_registry *registry, const struct place *place) {
    const stoa_fs_watcher *watcher = stoa_fs_registry_watcher(registry);
    if (watcher->path_changed != NULL) {
        watcher->path_changed(watcher->user, place->fs, place->path);
    }
}

static void tell_tree_changed(stoa_fs_registry *registry, const struct place *place) {
    const stoa_fs_watcher *watcher = stoa_fs_registry_watcher(registry);
    if (watcher->tree_changed != NULL) {
        watcher->tree_changed(watcher->user, place->fs, place->path);
    }
}

/* After a call met a limit (no descriptors, no memory): whether the watcher gave something back, so
 * that the call is worth another try. */
static bool is_relieved(stoa_fs_registry *registry, stoa_status status, stoa_error *err) {
    const stoa_fs_watcher *watcher = stoa_fs_registry_watcher(registry);
    if (status != STOA_LIMIT || watcher->give_back == NULL || !watcher->give_back(watcher->user)) {
        return false;
    }
    stoa_error_clear(err);
    return true;
}

/* The backend named the handle by its path; messages are to show the URI, without its secrets. */
static stoa_status name_file(stoa_file **file, const char *uri, stoa_error *err) {
    char shown[STOA_URI_SHOWN_BYTES];
    uri = stoa_secret_show(uri, shown);
    if (strcmp((*file)->uri, uri) == 0) {
        return STOA_OK;
    }
    char *copy = NULL;
    stoa_status status = stoa_pool_copy_string((*file)->pool, uri, &copy, err);
    if (status != STOA_OK) {
        stoa_file_close(*file);
        *file = NULL;
        return status;
    }
    stoa_resource_rename((*file)->resource, copy);
    stoa_pool_free_string((*file)->pool, (*file)->uri);
    (*file)->uri = copy;
    return STOA_OK;
}

stoa_status stoa_vfs_open(stoa_fs_registry *registry, const char *uri, stoa_open_mode mode,
                          const stoa_context *context, stoa_file **out, stoa_error *err) {
    static const char *const verbs[] = {"open", "create", "write", "append to", "update"};
    struct place place;
    *out = NULL;
    STOA_TRY(find(registry, uri, context, &place, err));
    if (place.fs->operations->open == NULL) {
        return lacks(verbs[mode], uri, err);
    }
    stoa_status status;
    do {
        status = place.fs->operations->open(place.fs->state, place.path, mode, &place.context, out,
                                            err);
    } while (is_relieved(registry, status, err));
    if (mode != STOA_OPEN_READ) {
        tell_changed(registry, &place);
    }
    if (status == STOA_OK) {
        status = name_file(out, uri, err);
    }
    return explain(status, verbs[mode], uri, err);
}

stoa_status stoa_vfs_lock(stoa_fs_registry *registry, const char *uri, const stoa_context *context,
                          stoa_file **out, stoa_error *err) {
    struct place place;
    *out = NULL;
    STOA_TRY(find(registry, uri, context, &place, err));
    if (place.fs->operations->lock == NULL) {
        return lacks("lock", uri, err);
    }
    stoa_status status;
    do {
        status = place.fs->operations->lock(place.fs->state, place.path, &place.context, out, err);
    } while (is_relieved(registry, status, err));
    if (status == STOA_OK) {
        status = name_file(out, uri, err);
    }
    return explain(status, "lock", uri, err);
}

stoa_status stoa_vfs_stat(stoa_fs_registry *registry, const char *uri, const stoa_context *context,
                          stoa_file_info *out, stoa_error *err) {
    struct place place;
    *out = (stoa_file_info){0};
    STOA_TRY(find(registry, uri, context, &place, err));
    if (place.fs->operations->stat == NULL) {
        return lacks("look at", uri, err);
    }
    return explain(place.fs->operations->stat(place.fs->state, place.path, &place.context, out,
                                              err),
                   "look at", uri, err);
}

stoa_status stoa_vfs_exists(stoa_fs_registry *registry, const char *uri,
                            const stoa_context *context, bool *out, stoa_error *err) {
    stoa_file_info info;
    stoa_status status = stoa_vfs_stat(registry, uri, context, &info, err);
    *out = status == STOA_OK;
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* The caller's function has its own words for its failures: only the listing's are explained. */
struct listing {
    stoa_list_function function;
    void *user;
    bool function_failed;
};

static stoa_status list_entry(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    struct listing *listing = user;
    stoa_status status = listing->function(listing->user, name, info, err);
    listing->function_failed = status != STOA_OK;
    return status;
}

static stoa_status list(stoa_fs_registry *registry, const char *uri, const stoa_context *context,
                        bool is_tree, stoa_list_function function, void *user, stoa_error *err) {
    struct place place;
    struct listing listing = {function, user, false};
    STOA_TRY(find(registry, uri, context, &place, err));
    stoa_status (*operation)(void *, const char *, const stoa_context *, stoa_list_function, void *,
                             stoa_error *) = is_tree ? place.fs->operations->list_tree
                                                     : place.fs->operations->list;
    if (operation == NULL) {
        return lacks("list", uri, err);
    }
    stoa_status status = operation(place.fs->state, place.path, &place.context, list_entry,
                                   &listing, err);
    return listing.function_failed ? status : explain(status, "list", uri, err);
}

stoa_status stoa_vfs_list(stoa_fs_registry *registry, const char *uri, const stoa_context *context,
                          stoa_list_function function, void *user, stoa_error *err) {
    return list(registry, uri, context, false, function, user, err);
}

stoa_status stoa_vfs_list_tree(stoa_fs_registry *registry, const char *uri,
                               const stoa_context *context, stoa_list_function function, void *user,
                               stoa_error *err) {
    return list(registry, uri, context, true, function, user, err);
}

/* The operations that take a path and nothing else. */
enum path_operation { MAKE_DIRECTORY, REMOVE, SYNC_DIRECTORY, REMOVE_BELOW };

static stoa_status run_path_operation(stoa_fs_registry *registry, const char *uri,
                                      const stoa_context *context, enum path_operation operation,
                                      stoa_error *err) {
    static const char *const verbs[] = {"make directory", "remove", "sync directory", "remove"};
    struct place place;
    STOA_TRY(find(registry, uri, context, &place, err));
    const stoa_fs_operations *operations = place.fs->operations;
    stoa_status (*const functions[])(void *, const char *, const stoa_context *,
                                     stoa_error *) = {operations->make_directory,
                                                      operations->remove,
                                                      operations->sync_directory,
                                                      operations->remove_tree};
    stoa_status (*function)(void *, const char *, const stoa_context *,
                            stoa_error *) = functions[operation];
    if (function == NULL) {
        return lacks(verbs[operation], uri, err);
    }
    stoa_status status;
    do {
        status = function(place.fs->state, place.path, &place.context, err);
    } while (is_relieved(registry, status, err));
    if (operation == REMOVE) {
        tell_changed(registry, &place);
    } else if (operation == REMOVE_BELOW) {
        tell_tree_changed(registry, &place);
    }
    return explain(status, verbs[operation], uri, err);
}

stoa_status stoa_vfs_make_directory(stoa_fs_registry *registry, const char *uri,
                                    const stoa_context *context, stoa_error *err) {
    return run_path_operation(registry, uri, context, MAKE_DIRECTORY, err);
}

stoa_status stoa_vfs_remove(stoa_fs_registry *registry, const char *uri,
                            const stoa_context *context, stoa_error *err) {
    return run_path_operation(registry, uri, context, REMOVE, err);
}

stoa_status stoa_vfs_remove_below(stoa_fs_registry *registry, const char *uri,
                                  const stoa_context *context, stoa_error *err) {
    return run_path_operation(registry, uri, context, REMOVE_BELOW, err);
}

stoa_status stoa_vfs_sync_directory(stoa_fs_registry *registry, const char *uri,
                                    const stoa_context *context, stoa_error *err) {
    return run_path_operation(registry, uri, context, SYNC_DIRECTORY, err);
}

/* The operations that take two paths. */
enum pair_operation { RENAME, LINK };

static stoa_status run_pair_operation(stoa_fs_registry *registry, const char *from, const char *to,
                                      const stoa_context *context, enum pair_operation operation,
                                      stoa_error *err) {
    static const char *const verbs[] = {"rename", "link"};
    struct place source, target;
    stoa_status status = STOA_OK;
    STOA_TRY(find(registry, from, context, &source, err));
    STOA_TRY(find(registry, to, context, &target, err));
    const stoa_fs_operations *operations = source.fs->operations;
    stoa_status (*function)(void *, const char *, const char *, const stoa_context *,
                            stoa_error *) = operation == RENAME ? operations->rename
                                                                : operations->link;
    if (source.fs != target.fs) {
        status = stoa_fail(err, STOA_UNSUPPORTED, "the two are in different file systems");
    } else if (function == NULL) {
        status = stoa_fail(err, STOA_UNSUPPORTED, "its file system does not offer it");
    } else {
        status = function(source.fs->state, source.path, target.path, &source.context, err);
        tell_tree_changed(registry, &source);
        tell_tree_changed(registry, &target);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "cannot %s '%s' to '%s'", verbs[operation], from, to);
        stoa_error_set_file(err, from, -1);
    }
    return status;
}

stoa_status stoa_vfs_rename(stoa_fs_registry *registry, const char *from, const char *to,
                            const stoa_context *context, stoa_error *err) {
    return run_pair_operation(registry, from, to, context, RENAME, err);
}

stoa_status stoa_vfs_link(stoa_fs_registry *registry, const char *from, const char *to,
                          const stoa_context *context, stoa_error *err) {
    return run_pair_operation(registry, from, to, context, LINK, err);
}

stoa_status stoa_vfs_put_if(stoa_fs_registry *registry, const char *uri,
                            const stoa_context *context, const char *expected, const void *bytes,
                            size_t size, char out_version[64], stoa_error *err) {
    struct place place;
    out_version[0] = '\0';
    STOA_TRY(find(registry, uri, context, &place, err));
    if (place.fs->operations->put_if == NULL) {
        return lacks("replace", uri, err);
    }
    stoa_status status = place.fs->operations->put_if(place.fs->state, place.path, &place.context,
                                                      expected, bytes, size, out_version, err);
    tell_changed(registry, &place);
    return explain(status, "replace", uri, err);
}

bool stoa_vfs_has(stoa_fs_registry *registry, const char *uri, stoa_fs_feature feature) {
    stoa_fs *fs = NULL;
    const char *path = NULL;
    return stoa_fs_find(registry, uri, &fs, &path, NULL) == STOA_OK &&
           (fs->operations->features & (uint32_t)feature) != 0;
}
