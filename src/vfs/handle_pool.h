/* Open files that are read again and again: a bounded pool of handles, by path and version.
 *
 * Getting a handle that is open costs a look into a hash table, where opening costs several system
 * calls, or requests over a network. Handles that nobody holds stay open until others need the room,
 * until the process runs out of descriptors, or until their file is written, renamed or removed
 * through the same registry. */
#ifndef STOA_VFS_HANDLE_POOL_H
#define STOA_VFS_HANDLE_POOL_H

#include "vfs/vfs.h"

typedef struct stoa_handle_pool stoa_handle_pool;
typedef struct stoa_handle stoa_handle;

typedef struct stoa_handle_pool_options {
    size_t handle_count_max; /* handles that are open; 0: 256 */
} stoa_handle_pool_options;

/// What a pool did since it was made.
typedef struct stoa_handle_pool_counts {
    uint64_t hits;
    uint64_t misses;
    size_t open; /* handles now */
    size_t idle; /* of those, held by nobody */
} stoa_handle_pool_counts;

/// Makes a pool and ties it to the registry: when an open through `registry` finds no descriptor
/// left, idle handles are closed and it is tried again. One pool a registry.
///
/// Errors   STOA_EXISTS  the registry has a pool
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes `*out`, before the registry. `pool` is charged for the handles.
/// Threads  Before the registry is shared; the pool itself from any.
STOA_MUST_USE stoa_status stoa_handle_pool_create(stoa_pool *pool, stoa_fs_registry *registry,
                                                  const stoa_handle_pool_options *options,
                                                  stoa_handle_pool **out, stoa_error *err);
/// All handles have been put back. NULL is allowed.
void stoa_handle_pool_close(stoa_handle_pool *handles);

/// A handle for reading `uri`, open already or opened now. `version` is the caller's word for the
/// content it wants (stoa_file_info.version; "" where files never change): a handle of another
/// version of the same path is dropped. Never waits for a handle: when all of the bound are held,
/// one more is opened and closed when it is put back.
///
/// Errors   those of stoa_vfs_open
/// Owns     The caller puts the handle back. Its file is open with no token, as it outlives whoever
///          opened it: callers look at theirs between reads.
STOA_MUST_USE stoa_status stoa_handle_pool_get(stoa_handle_pool *handles, const char *uri,
                                               const char *version, stoa_handle **out,
                                               stoa_error *err);
/// The open file, shared with others: read it, never close it. Borrowed until the handle is put.
stoa_file *stoa_handle_file(const stoa_handle *handle);
void stoa_handle_put(stoa_handle_pool *handles, stoa_handle *handle);

/// Closes up to `count` idle handles, those first that were not used for longest; returns how many.
size_t stoa_handle_pool_close_idle(stoa_handle_pool *handles, size_t count);

stoa_handle_pool_counts stoa_handle_pool_count(stoa_handle_pool *handles);

#endif
