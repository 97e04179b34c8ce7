/* What modules call to reach files: each function takes a URI, finds its file system, and puts the
 * URI into the message of whatever fails. The contract of backends: include/stoa/fs.h. */
#ifndef STOA_VFS_VFS_H
#define STOA_VFS_VFS_H

#include <stoa/fs.h>

#include "mem/buffer.h"

/// The backends. `stoa_fs_close` for those that are not handed to a registry.
stoa_fs stoa_fs_local(void);
STOA_MUST_USE stoa_status stoa_fs_memory_create(stoa_pool *pool, stoa_fs *out, stoa_error *err);
void stoa_fs_close(stoa_fs *fs);

STOA_MUST_USE stoa_status stoa_vfs_open(stoa_fs_registry *registry, const char *uri,
                                        stoa_open_mode mode, const stoa_context *context,
                                        stoa_file **out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_stat(stoa_fs_registry *registry, const char *uri,
                                        stoa_file_info *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_list(stoa_fs_registry *registry, const char *uri,
                                        stoa_list_function function, void *user, stoa_error *err);
/// Makes the directory and those above it that are missing; one that exists is no error.
STOA_MUST_USE stoa_status stoa_vfs_make_directories(stoa_fs_registry *registry, const char *uri,
                                                    stoa_error *err);
/// Removes a file or an empty directory.
STOA_MUST_USE stoa_status stoa_vfs_remove(stoa_fs_registry *registry, const char *uri,
                                          stoa_error *err);
/// Removes a directory with all that is in it; one that is missing is no error.
STOA_MUST_USE stoa_status stoa_vfs_remove_tree(stoa_fs_registry *registry, const char *uri,
                                               stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_rename(stoa_fs_registry *registry, const char *from,
                                          const char *to, stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_sync_directory(stoa_fs_registry *registry, const char *uri,
                                                  stoa_error *err);
/// Takes an exclusive lock on a file (made when missing) until the handle is closed or the process
/// ends. The file's text names the holder's process id.
///
/// Errors   STOA_LOCKED  another process or handle has it; the message names the process
STOA_MUST_USE stoa_status stoa_vfs_lock(stoa_fs_registry *registry, const char *uri,
                                        stoa_file **out, stoa_error *err);

/// Writes `size` bytes under a temporary name beside `uri`, syncs, renames over `uri`, syncs the
/// directory: afterwards the file holds all of it or what it held before.
STOA_MUST_USE stoa_status stoa_vfs_replace(stoa_fs_registry *registry, const char *uri,
                                           const void *bytes, size_t size, stoa_error *err);
/// Reads a whole file of at most `limit` bytes into `out`, which the caller releases.
STOA_MUST_USE stoa_status stoa_vfs_read_all(stoa_fs_registry *registry, const char *uri,
                                            size_t limit, stoa_pool *pool, stoa_buffer *out,
                                            stoa_error *err);
/// "dir" + "name" with one '/' between, into a string from `pool` (stoa_pool_free_string).
STOA_MUST_USE stoa_status stoa_vfs_join(stoa_pool *pool, const char *directory, const char *name,
                                        char **out, stoa_error *err);
/// The local path behind a URI ("file:///a/b", "/a/b", "a/b"), a part of it; NULL when not local.
const char *stoa_vfs_local_path(const char *uri);

/// Open files. `read` fails with STOA_CORRUPT when the file ends before `size` bytes.
STOA_MUST_USE stoa_status stoa_file_size(stoa_file *file, uint64_t *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_read(stoa_file *file, uint64_t offset, void *buffer,
                                         size_t size, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_read_some(stoa_file *file, uint64_t offset, void *buffer,
                                              size_t size, size_t *out_size, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_read_vector(stoa_file *file, const stoa_read_range *ranges,
                                                size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_write(stoa_file *file, const void *bytes, size_t size,
                                          stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_sync(stoa_file *file, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_truncate(stoa_file *file, uint64_t size, stoa_error *err);
STOA_MUST_USE stoa_status stoa_file_map(stoa_file *file, const void **out, uint64_t *out_size,
                                        stoa_error *err);
/// Gives the handle back; what was not synced may be lost in a crash. NULL is allowed.
void stoa_file_close(stoa_file *file);

/// For backends: the handle around a backend's state. On error nothing was taken.
STOA_MUST_USE stoa_status stoa_file_create(stoa_pool *pool, const char *uri,
                                           const stoa_file_operations *operations, void *state,
                                           stoa_file **out, stoa_error *err);

/// A handle that reads or writes an open file descriptor in order (a pipe, standard input): reads
/// at the next offset only. The descriptor is not closed.
STOA_MUST_USE stoa_status stoa_file_from_descriptor(stoa_pool *pool, int descriptor,
                                                    const char *name, stoa_file **out,
                                                    stoa_error *err);

#endif
