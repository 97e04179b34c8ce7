/* What the rest of this module needs of a registry. */
#ifndef STOA_VFS_REGISTRY_H
#define STOA_VFS_REGISTRY_H

#include <stoa/fs.h>

/// The pool that the registry was made with.
stoa_pool *stoa_fs_registry_pool(const stoa_fs_registry *registry);

#endif
