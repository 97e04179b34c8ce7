/* Local files: shared between the file system, its files and its locks. */
#ifndef STOA_VFS_LOCAL_H
#define STOA_VFS_LOCAL_H

#include <sys/stat.h>

#include <stoa/fs.h>

/// Fills `out` from what stat() answered.
void stoa_local_info(const struct stat *from, stoa_file_info *out);

stoa_status stoa_local_open(void *state, const char *path, stoa_open_mode mode,
                            const stoa_context *context, stoa_file **out, stoa_error *err);
stoa_status stoa_local_lock(void *state, const char *path, const stoa_context *context,
                            stoa_file **out, stoa_error *err);

/// A handle over a descriptor that is read or written in order. With `owned`, closing the handle
/// closes the descriptor; on error it is not closed.
stoa_status stoa_descriptor_open(stoa_pool *pool, int descriptor, bool owned, const char *name,
                                 stoa_file **out, stoa_error *err);

#endif
