/* A read cache on the local disk, before any file system whose files carry a version: blocks of
 * files, so that what was read once from far away is read from near by, by this process and others.
 *
 *     stoa_cache_create(pool, &(stoa_cache_options){.limit_bytes = 10 << 30}, &cache, &err);
 *     stoa_fs_cached_create(pool, s3, "s3:", cache, &fs, &err);        (fs goes to a registry)
 *
 * A cache never makes a read fail: what it cannot store or finds damaged is read from behind. Only
 * what is behind says whether a file is there and which version it has: opening asks it. */
#ifndef STOA_VFS_CACHE_H
#define STOA_VFS_CACHE_H

#include <stoa/log.h>

#include "vfs/vfs.h"

typedef struct stoa_cache stoa_cache;

typedef struct stoa_cache_options {
    const char *directory;     /* NULL: stoa_cache_directory's */
    uint64_t limit_bytes;      /* on disk, of all files in the directory; 0: 10 GiB */
    uint32_t block_bytes;      /* a multiple of 4096, at most 64 MiB; 0: 1 MiB */
    const stoa_logger *logger; /* is told once why the cache is not used; may be NULL */
} stoa_cache_options;

/// The directory that STOA_CACHE_DIR names, else "stoa-files" in $XDG_CACHE_HOME, else in
/// ~/.cache. From `pool` (stoa_pool_free_string).
///
/// Errors   STOA_NOT_FOUND  none of them is set
STOA_MUST_USE stoa_status stoa_cache_directory(stoa_pool *pool, char **out, stoa_error *err);

/// How large the cache is to be: what STOA_CACHE_BYTES says ("20GB"), else 10 GiB when
/// STOA_CACHE_DIR is set, else 0: no cache.
///
/// Errors   STOA_INVALID  it is set to something else
STOA_MUST_USE stoa_status stoa_cache_limit(uint64_t *out, stoa_error *err);

/// A cache in a directory, which is made (for its owner only) when the first block is stored. Any
/// number of caches, in any number of processes, share a directory; each keeps what lies in it below
/// its own limit, give or take a sixteenth, except for files that are being read.
///
/// Errors   STOA_INVALID  a block size that is not allowed
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes it; file systems and files that use it keep what they need.
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_cache_create(stoa_pool *pool, const stoa_cache_options *options,
                                            stoa_cache **out, stoa_error *err);
/// Another logger, before the cache is shared.
void stoa_cache_set_logger(stoa_cache *cache, const stoa_logger *logger);
/// NULL is allowed.
void stoa_cache_close(stoa_cache *cache);

/// Bytes on disk of all that lies in the directory now.
STOA_MUST_USE stoa_status stoa_cache_used(stoa_cache *cache, uint64_t *out, stoa_error *err);

/// Puts the cache before `inner`, which it closes when it goes. `name` tells apart the files of
/// different file systems with equal paths ("s3:", with the server's address where there may be
/// several). An open file of `inner` reads one version of it, whatever happens behind it, or fails.
///
/// Owns     On error the caller keeps `inner`.
STOA_MUST_USE stoa_status stoa_fs_cached_create(stoa_pool *pool, stoa_fs inner, const char *name,
                                                stoa_cache *cache, stoa_fs *out, stoa_error *err);

/// For a file opened for reading through a cache: brings all of it into the cache and gives the local
/// path of the whole, which stays valid and whole while `file` is open. NULL when the file is not
/// cached, or has no room.
///
/// Errors   those of reading
STOA_MUST_USE stoa_status stoa_cached_file_path(stoa_file *file, const char **out, stoa_error *err);

#endif
