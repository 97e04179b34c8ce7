/* Local files: shared between the file system, its files and its locks. */
#ifndef STOA_VFS_LOCAL_H
#define STOA_VFS_LOCAL_H

#include <stoa/fs.h>

stoa_status stoa_local_open(void *state, const char *path, stoa_open_mode mode,
                            const stoa_context *context, stoa_file **out, stoa_error *err);
/// A handle that writes a regular file; on error `descriptor` stays open. With `append_at` it goes
/// on there, and without it the file is new or emptied.
stoa_status stoa_local_open_writer(const stoa_context *context, int descriptor, const char *path,
                                   const uint64_t *append_at, stoa_file **out, stoa_error *err);
stoa_status stoa_local_lock(void *state, const char *path, const stoa_context *context,
                            stoa_file **out, stoa_error *err);

/// Calls on descriptors, repeated when a signal interrupts them: writes all `size` bytes at `at`; sets
/// the length, and makes content durable (0 or errno).
stoa_status stoa_descriptor_write_at(int descriptor, const void *bytes, size_t size, uint64_t at,
                                     stoa_error *err);
int stoa_descriptor_set_length(int descriptor, uint64_t size);
int stoa_descriptor_sync(int descriptor);

/// Of a handle whose sync failed with errno `failed_sync` (0: none did): what the disk holds is not known
/// any more, so it neither writes nor syncs.
stoa_status stoa_local_refuse_after(int failed_sync, stoa_error *err);

/// A handle over a descriptor that is read or written in order. With `owned`, closing the handle
/// closes the descriptor; on error it is not closed.
stoa_status stoa_descriptor_open(stoa_pool *pool, int descriptor, bool owned, const char *name,
                                 stoa_file **out, stoa_error *err);

#endif
