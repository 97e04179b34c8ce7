/* What modules call to reach files: each function takes a URI, finds its file system, and puts the
 * URI into the message of whatever fails. The contract of backends: include/stoa/fs.h. */
#ifndef STOA_VFS_VFS_H
#define STOA_VFS_VFS_H

#include <stoa/fs.h>

#include "base/hash.h"
#include "mem/buffer.h"

/// The backends. `stoa_fs_close` for those that are not handed to a registry.
stoa_fs stoa_fs_local(void);
STOA_MUST_USE stoa_status stoa_fs_memory_create(stoa_pool *pool, stoa_fs *out, stoa_error *err);
void stoa_fs_close(stoa_fs *fs);

/// Opens a file. `context` may be NULL; without a pool in it the registry's is charged.
STOA_MUST_USE stoa_status stoa_vfs_open(stoa_fs_registry *registry, const char *uri,
                                        stoa_open_mode mode, const stoa_context *context,
                                        stoa_file **out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_stat(stoa_fs_registry *registry, const char *uri,
                                        const stoa_context *context, stoa_file_info *out,
                                        stoa_error *err);
/// Whether something is there; what else keeps it from being looked at is an error.
STOA_MUST_USE stoa_status stoa_vfs_exists(stoa_fs_registry *registry, const char *uri,
                                          const stoa_context *context, bool *out, stoa_error *err);
/// Calls `function` for each entry, in no certain order; it must not change the directory.
STOA_MUST_USE stoa_status stoa_vfs_list(stoa_fs_registry *registry, const char *uri,
                                        const stoa_context *context, stoa_list_function function,
                                        void *user, stoa_error *err);
/// Calls `function` for each file below, at any depth, with its path below `uri`.
///
/// Errors   STOA_UNSUPPORTED  the file system has no way that is shorter than a walk of listings
STOA_MUST_USE stoa_status stoa_vfs_list_tree(stoa_fs_registry *registry, const char *uri,
                                             const stoa_context *context,
                                             stoa_list_function function, void *user,
                                             stoa_error *err);
/// Makes one directory; STOA_EXISTS when something is there.
STOA_MUST_USE stoa_status stoa_vfs_make_directory(stoa_fs_registry *registry, const char *uri,
                                                  const stoa_context *context, stoa_error *err);
/// Makes the directory and those above it that are missing, durably; one that exists is no error.
STOA_MUST_USE stoa_status stoa_vfs_make_directories(stoa_fs_registry *registry, const char *uri,
                                                    const stoa_context *context, stoa_error *err);
/// Removes a file or an empty directory.
STOA_MUST_USE stoa_status stoa_vfs_remove(stoa_fs_registry *registry, const char *uri,
                                          const stoa_context *context, stoa_error *err);
/// Removes every file below a directory, in few requests.
///
/// Errors   STOA_UNSUPPORTED  as stoa_vfs_list_tree
STOA_MUST_USE stoa_status stoa_vfs_remove_below(stoa_fs_registry *registry, const char *uri,
                                                const stoa_context *context, stoa_error *err);
/// Removes a directory with all that is in it, or a file; what is missing is no error. Symbolic
/// links are removed, never followed.
STOA_MUST_USE stoa_status stoa_vfs_remove_tree(stoa_fs_registry *registry, const char *uri,
                                               const stoa_context *context, stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_rename(stoa_fs_registry *registry, const char *from,
                                          const char *to, const stoa_context *context,
                                          stoa_error *err);
/// Gives a file a second name. As a new file's, it is durable when its directory is synced.
///
/// Errors   STOA_EXISTS       something has the name `to`
///          STOA_INVALID      `from` is a directory
///          STOA_UNSUPPORTED  the file system has no links, or not between these two; a copy does it
STOA_MUST_USE stoa_status stoa_vfs_link(stoa_fs_registry *registry, const char *from,
                                        const char *to, const stoa_context *context,
                                        stoa_error *err);
STOA_MUST_USE stoa_status stoa_vfs_sync_directory(stoa_fs_registry *registry, const char *uri,
                                                  const stoa_context *context, stoa_error *err);
/// Puts `size` bytes as the whole of a file in one step, durably, if its version is `expected` ("":
/// if nothing is there). `out_version` gets the new version.
///
/// Errors   STOA_CONFLICT     it has another version; nothing changed
///          STOA_UNSUPPORTED  the file system cannot do it in one step
STOA_MUST_USE stoa_status stoa_vfs_put_if(stoa_fs_registry *registry, const char *uri,
                                          const stoa_context *context, const char *expected,
                                          const void *bytes, size_t size, char out_version[64],
                                          stoa_error *err);
/// Whether the file system of `uri` has a feature; false where there is none.
bool stoa_vfs_has(stoa_fs_registry *registry, const char *uri, stoa_fs_feature feature);
/// Takes an exclusive lock on a file (made when missing) until the handle is closed or the process
/// ends. The file's text names the holder's process id.
///
/// Errors   STOA_LOCKED  another process or handle has it; the message names the process
STOA_MUST_USE stoa_status stoa_vfs_lock(stoa_fs_registry *registry, const char *uri,
                                        const stoa_context *context, stoa_file **out,
                                        stoa_error *err);

/// Files with names that begin so are unfinished; they are left behind only by a crash.
#define STOA_VFS_TEMPORARY_PREFIX ".stoa-tmp-"

/// A name of its own beside `uri`, beginning with STOA_VFS_TEMPORARY_PREFIX, for what is renamed
/// over `uri` when it is finished. It ends in the same compression and a '~' (".gz~"), if in one.
/// From `pool` (stoa_pool_free_string).
STOA_MUST_USE stoa_status stoa_vfs_temporary_name(stoa_pool *pool, const char *uri, char **out,
                                                  stoa_error *err);
/// The directory that holds `uri` ("." for a bare local name). From `pool`.
STOA_MUST_USE stoa_status stoa_vfs_parent(stoa_pool *pool, const char *uri, char **out,
                                          stoa_error *err);
/// Renames a finished and synced file over `uri` and syncs the directory of `uri`. On error `from`
/// may have been renamed already: `uri` holds all of it or what it held before.
STOA_MUST_USE stoa_status stoa_vfs_publish(stoa_fs_registry *registry, const char *from,
                                           const char *uri, const stoa_context *context,
                                           stoa_error *err);
/// Writes `size` bytes under a temporary name beside `uri`, syncs, renames over `uri`, syncs the
/// directory: afterwards the file holds all of it or what it held before.
STOA_MUST_USE stoa_status stoa_vfs_replace(stoa_fs_registry *registry, const char *uri,
                                           const stoa_context *context, const void *bytes,
                                           size_t size, stoa_error *err);
/// Reads a whole file of at most `limit` bytes into `out`, which the caller releases.
STOA_MUST_USE stoa_status stoa_vfs_read_all(stoa_fs_registry *registry, const char *uri,
                                            const stoa_context *context, size_t limit,
                                            stoa_pool *pool, stoa_buffer *out, stoa_error *err);
/// Reads the first `size` bytes of a file in order, and appends them to another that is open for
/// sequential writes (NULL: nowhere). They are added to `hash` (nullable). The context's pool is not NULL;
/// its token is looked at every MiB.
///
/// Errors   those of the two files, among them a file that is shorter; STOA_CANCELLED, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_file_copy(stoa_file *from, uint64_t size, stoa_file *to,
                                         const stoa_context *context, stoa_hash_stream *hash,
                                         stoa_error *err);
/// Makes a file with the bytes of another; it is durable when its directory is synced. The context's pool is
/// not NULL.
STOA_MUST_USE stoa_status stoa_vfs_copy(stoa_fs_registry *registry, const char *from, const char *to,
                                        const stoa_context *context, stoa_error *err);
/// A second name, or a copy where there are no links.
STOA_MUST_USE stoa_status stoa_vfs_link_or_copy(stoa_fs_registry *registry, const char *from,
                                                const char *to, const stoa_context *context,
                                                stoa_error *err);
/// Called with the URI of a file that a pattern matches.
typedef stoa_status (*stoa_glob_function)(void *user, const char *uri, const stoa_file_info *info,
                                          stoa_error *err);

/// Calls `function` for every file that matches `pattern`, in byte order of the URIs. `*` stands
/// for any bytes but '/', `?` for one character, `[a-z]` and `[!a-z]` for one character in or out
/// of the set, `**` as a whole part for any number of directories (links to directories are not
/// followed there); '\\' takes the next character as it is. Names that begin with '.' match only a
/// pattern part that does. No match is no error. A pattern without any of these names one file,
/// which must exist; so does any URI without a '*' where the file system cannot list (http).
///
/// Errors   STOA_NOT_FOUND  a pattern without wildcards names nothing
///          STOA_INVALID    a '[' without its ']', or more than 64 parts
STOA_MUST_USE stoa_status stoa_vfs_glob(stoa_fs_registry *registry, const char *pattern,
                                        const stoa_context *context, stoa_pool *pool,
                                        stoa_glob_function function, void *user, stoa_error *err);
/// True when `text` has a wildcard that stoa_vfs_glob would act on.
bool stoa_vfs_has_wildcard(const char *text);

/// "dir" + "name" with one '/' between, into a string from `pool` (stoa_pool_free_string).
STOA_MUST_USE stoa_status stoa_vfs_join(stoa_pool *pool, const char *directory, const char *name,
                                        char **out, stoa_error *err);
/// The local path behind a URI ("file:///a/b", "/a/b", "a/b"), a part of it; NULL when not local.
const char *stoa_vfs_local_path(const char *uri);

/// The mark of a file's view (see stoa_file_operations), for those who read a few values at a time of a
/// file that nobody cuts; NULL where there is none, and stoa_file_map_check is to be asked.
///
/// Threads  Any, once the file is mapped.
const uint32_t *stoa_file_map_mark(const stoa_file *file);
/// Whether what was read from the view before this call is what the file held. Some nanoseconds.
static inline bool stoa_map_mark_is_clear(const uint32_t *mark) {
    /* No read of the view may move behind the one of the mark. */
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
    return __atomic_load_n(mark, __ATOMIC_RELAXED) == 0;
}

/// A handle that reads or writes an open file descriptor in order (a pipe, standard input): reads
/// at the next offset only (STOA_UNSUPPORTED otherwise). The descriptor is not closed.
STOA_MUST_USE stoa_status stoa_file_from_descriptor(stoa_pool *pool, int descriptor,
                                                    const char *name, stoa_file **out,
                                                    stoa_error *err);

#endif
