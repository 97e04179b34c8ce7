/* What the rest of this module needs of a registry. */
#ifndef STOA_VFS_REGISTRY_H
#define STOA_VFS_REGISTRY_H

#include <stoa/fs.h>
#include <stoa/log.h>

/// The pool that the registry was made with.
stoa_pool *stoa_fs_registry_pool(const stoa_fs_registry *registry);

/// Who hears why remote files are not kept on the local disk. Before the registry is shared.
void stoa_fs_registry_set_logger(stoa_fs_registry *registry, const stoa_logger *logger);

/// Who wants to know what happens to files: told of each path that was opened for writing, put or
/// removed, of both paths of a rename and of a tree that was removed, with all below them, and asked to
/// give descriptors back when an open found none left (true: it gave some). Called from any thread, with
/// no lock held.
typedef struct stoa_fs_watcher {
    void (*path_changed)(void *user, const stoa_fs *fs, const char *path);
    void (*tree_changed)(void *user, const stoa_fs *fs, const char *path);
    bool (*give_back)(void *user);
    void *user;
} stoa_fs_watcher;

/// One watcher a registry; STOA_EXISTS when it has one. Before the registry is shared.
STOA_MUST_USE stoa_status stoa_fs_registry_watch(stoa_fs_registry *registry,
                                                 const stoa_fs_watcher *watcher, stoa_error *err);
void stoa_fs_registry_unwatch(stoa_fs_registry *registry);
/// All functions NULL when nobody watches.
const stoa_fs_watcher *stoa_fs_registry_watcher(const stoa_fs_registry *registry);

#endif
