/* File systems: the contract through which Stoa reads and writes everything.
 *
 * A file system is chosen by the scheme of a URI ("file:", "memory:", a program's own) from a
 * registry that belongs to one database or one program; a path without a scheme is local. Paths use
 * '/'; nothing above this contract knows file descriptors, buckets or separators. */
#ifndef STOA_FS_H
#define STOA_FS_H

#include <stdbool.h>

#include <stoa/context.h>
#include <stoa/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_fs stoa_fs;
typedef struct stoa_file stoa_file;

typedef enum stoa_open_mode {
    STOA_OPEN_READ = 0,       /* ranged reads; the file must exist */
    STOA_OPEN_CREATE = 1,     /* sequential writes into a new file; STOA_EXISTS when it is there */
    STOA_OPEN_REPLACE = 2,    /* sequential writes into a new or emptied file */
    STOA_OPEN_APPEND = 3      /* sequential writes after what is there; made when it is missing */
} stoa_open_mode;

typedef struct stoa_file_info {
    uint64_t size;             /* bytes; 0 for a directory */
    int64_t modified_ms;       /* since 1970-01-01 UTC; 0 when the backend does not know */
    bool is_directory;
    char version[64];          /* changes when the content does (inode and time, ETag); may be "" */
} stoa_file_info;

/// One piece of a vectored read.
typedef struct stoa_read_range {
    uint64_t offset;
    size_t size;
    void *buffer;
} stoa_read_range;

/// Called for each entry of a directory; `name` is the last part of its path. Returning anything
/// but STOA_OK ends the listing with that status.
typedef stoa_status (*stoa_list_function)(void *user, const char *name, const stoa_file_info *info,
                                          stoa_error *err);

/// What a backend offers for one open file. `read_at` returns fewer bytes than asked only at the
/// end of the file. Functions that a mode does not need may be NULL (STOA_UNSUPPORTED then).
typedef struct stoa_file_operations {
    stoa_status (*size)(void *state, uint64_t *out, stoa_error *err);
    stoa_status (*read_at)(void *state, uint64_t offset, void *buffer, size_t size,
                           size_t *out_size, stoa_error *err);
    stoa_status (*read_vector)(void *state, const stoa_read_range *ranges, size_t count,
                               stoa_error *err);
    stoa_status (*write)(void *state, const void *bytes, size_t size, stoa_error *err);
    stoa_status (*sync)(void *state, stoa_error *err);
    stoa_status (*truncate)(void *state, uint64_t size, stoa_error *err);
    /* Read-only view of the whole file, valid until close; NULL when the backend cannot map. */
    stoa_status (*map)(void *state, const void **out, uint64_t *out_size, stoa_error *err);
    void (*close)(void *state);
} stoa_file_operations;

/// An open file. Made by a backend's `open`, owned by the caller, closed by stoa_file_close.
struct stoa_file {
    const stoa_file_operations *operations;
    void *state;
    stoa_pool *pool; /* this struct came from it */
    char *uri;       /* for messages; from `pool` */
};

/// What a backend offers. `path` is the URI as the caller gave it, without its scheme for local
/// files. `rename` replaces the target atomically. `sync_directory` makes creations, renames and
/// removals in it durable. `lock` takes an exclusive lock that dies with the process.
typedef struct stoa_fs_operations {
    stoa_status (*open)(void *state, const char *path, stoa_open_mode mode,
                        const stoa_context *context, stoa_file **out, stoa_error *err);
    stoa_status (*stat)(void *state, const char *path, stoa_file_info *out, stoa_error *err);
    stoa_status (*list)(void *state, const char *path, stoa_list_function function, void *user,
                        stoa_error *err);
    stoa_status (*make_directory)(void *state, const char *path, stoa_error *err);
    stoa_status (*remove)(void *state, const char *path, stoa_error *err);
    stoa_status (*rename)(void *state, const char *from, const char *to, stoa_error *err);
    stoa_status (*sync_directory)(void *state, const char *path, stoa_error *err);
    stoa_status (*lock)(void *state, const char *path, stoa_file **out, stoa_error *err);
    void (*close)(void *state);
} stoa_fs_operations;

struct stoa_fs {
    const stoa_fs_operations *operations;
    void *state;
};

/// A set of file systems by scheme.
typedef struct stoa_fs_registry stoa_fs_registry;

/// A registry with "file" and "memory" in it. Each registry has a memory file system of its own.
STOA_API STOA_MUST_USE stoa_status stoa_fs_registry_create(stoa_pool *pool, stoa_fs_registry **out,
                                                           stoa_error *err);
/// Closes every file system in it. NULL is allowed.
STOA_API void stoa_fs_registry_close(stoa_fs_registry *registry);

/// Adds or replaces a scheme ("mine", without the colon). The registry closes `fs` when it goes.
///
/// Errors   STOA_INVALID  the scheme is not letters, digits, '+', '-', '.'
STOA_API STOA_MUST_USE stoa_status stoa_fs_register(stoa_fs_registry *registry, const char *scheme,
                                                    stoa_fs fs, stoa_error *err);

/// The file system for a URI, and the path to give to it (a part of `uri`).
///
/// Errors   STOA_UNSUPPORTED  no file system is registered for the scheme, which is named
STOA_API STOA_MUST_USE stoa_status stoa_fs_find(stoa_fs_registry *registry, const char *uri,
                                                stoa_fs **out, const char **out_path,
                                                stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
