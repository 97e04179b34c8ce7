/* What a memory file system held at a moment: to say that nothing changed, or what did, and to go
 * back. For tests. */
#ifndef STOA_VFS_SNAPSHOT_H
#define STOA_VFS_SNAPSHOT_H

#include "vfs/vfs.h"

typedef struct stoa_snapshot stoa_snapshot;

/// Remembers every name and all content. Content is shared with the files until they change.
///
/// Errors   STOA_INVALID  `fs` is not one in memory
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes it, before or after `fs`.
/// Threads  Any; it is one moment of the file system.
STOA_MUST_USE stoa_status stoa_snapshot_take(stoa_fs *fs, stoa_snapshot **out, stoa_error *err);
/// NULL is allowed.
void stoa_snapshot_close(stoa_snapshot *snapshot);

typedef enum stoa_snapshot_change {
    STOA_SNAPSHOT_ADDED = 0,
    STOA_SNAPSHOT_REMOVED = 1,
    STOA_SNAPSHOT_CHANGED = 2 /* other bytes, or a file became a directory */
} stoa_snapshot_change;

/// Called with a path ("/a/b") that differs.
typedef stoa_status (*stoa_snapshot_function)(void *user, stoa_snapshot_change change,
                                              const char *path, stoa_error *err);

/// Tells every path that differs, in byte order. Two equal snapshots tell none.
STOA_MUST_USE stoa_status stoa_snapshot_compare(const stoa_snapshot *before,
                                                const stoa_snapshot *after,
                                                stoa_snapshot_function function, void *user,
                                                stoa_error *err);

/// Makes `fs` hold what it held when the snapshot was taken; in one that can crash, all of it is
/// durable. Versions are new. Open handles stay on the files they were opened on.
///
/// Errors   STOA_INVALID  `snapshot` is of another file system
///          STOA_NO_MEMORY, STOA_LIMIT; nothing changed
STOA_MUST_USE stoa_status stoa_snapshot_restore(stoa_fs *fs, const stoa_snapshot *snapshot,
                                                stoa_error *err);

#endif
