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
    STOA_OPEN_READ = 0,    /* ranged reads; the file must exist */
    STOA_OPEN_CREATE = 1,  /* sequential writes into a new file; STOA_EXISTS when it is there */
    STOA_OPEN_REPLACE = 2, /* sequential writes into a new or emptied file */
    STOA_OPEN_APPEND = 3,  /* sequential writes after what is there; made when it is missing */
    STOA_OPEN_UPDATE = 4   /* ranged reads, and stoa_file_map_write; the file must exist */
} stoa_open_mode;

typedef struct stoa_file_info {
    uint64_t size;       /* bytes; 0 for a directory */
    int64_t modified_ms; /* since 1970-01-01 UTC; 0 when the backend does not know */
    bool is_directory;
    bool is_link;     /* a symbolic link; all else describes what it points to */
    char version[64]; /* changes when the content does (inode and time, ETag); may be "" */
} stoa_file_info;

/// One piece of a vectored read.
typedef struct stoa_read_range {
    uint64_t offset;
    size_t size;
    void *buffer;
} stoa_read_range;

/// How a part of a file is going to be read.
typedef enum stoa_file_advice {
    STOA_ADVICE_NORMAL = 0,
    STOA_ADVICE_SEQUENTIAL = 1, /* in order, once: read far ahead */
    STOA_ADVICE_RANDOM = 2,     /* here and there: do not read ahead */
    STOA_ADVICE_WILL_NEED = 3,  /* soon: begin to fetch it now */
    STOA_ADVICE_DONE = 4        /* not again soon: do not keep it in memory */
} stoa_file_advice;

/// Called for each entry of a directory; `name` is the last part of its path. Returning anything
/// but STOA_OK ends the listing with that status.
typedef stoa_status (*stoa_list_function)(void *user, const char *name, const stoa_file_info *info,
                                          stoa_error *err);

/// What a backend offers for one open file. Functions that it lacks are NULL; whoever calls them
/// gets STOA_UNSUPPORTED.
///
/// `read_at` may return fewer bytes than asked, but 0 only at the end of the file (or for 0).
/// `read_vector` fills every range or fails with STOA_CORRUPT when the file ends before that; NULL
/// makes it a `read_at` for each range. `write` goes on where the last one ended. `truncate` sets
/// the file's length and where the next write begins. `close` gives `state` back.
///
/// A file under a `map` may be cut short, or its disk may fail: if what was read through the map may
/// be wrong since then, `map_check` is STOA_IO, from then on. NULL says that this cannot happen;
/// whoever wraps a file and passes `map` on passes `map_check` on. `map_mark` is a number that is not 0
/// from when a read through the map met a page that could not be had, valid until close; it says
/// nothing of a file that ends within a page. NULL where there is none.
///
/// `map_write` is a view of the first `size` bytes (1 to SIZE_MAX) that is written as well: what is stored
/// there every reader of the file finds at once, and `sync`, of this handle or another one that was
/// opened to update, makes durable. The file is that long, else STOA_INVALID. `map_check` is STOA_IO
/// also when something stored may not have reached the file, and so is `sync` then.
///
/// `advise` is a hint (`size` 0: to the end) and cannot fail. `preallocate` sets the space for the
/// first `size` bytes aside; with `grow` the file also gets as long, zeros behind what it has, and
/// without holes. The place of the next write stays. Where space cannot be set aside it is STOA_OK
/// without `grow`, and with it zeros are written. On error the file is as it was.
///
/// Messages  say only what went wrong ("no space left on device"): Stoa puts what was tried and
///           the URI before it. This holds for stoa_fs_operations too.
/// Threads   Reads from several threads at once; writes, sync, truncate and close from one.
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
    stoa_status (*map_check)(void *state, stoa_error *err);
    const uint32_t *(*map_mark)(void *state);
    /* Writable view, valid until close; only of files opened to update. */
    stoa_status (*map_write)(void *state, uint64_t size, void **out, stoa_error *err);
    void (*advise)(void *state, uint64_t offset, uint64_t size, stoa_file_advice advice);
    stoa_status (*preallocate)(void *state, uint64_t size, bool grow, stoa_error *err);
    void (*close)(void *state);
} stoa_file_operations;

/// An open file. Made by a backend's `open`, owned by the caller, closed by stoa_file_close. Only
/// backends look into it.
struct stoa_file {
    const stoa_file_operations *operations;
    void *state;
    stoa_pool *pool; /* this struct came from it */
    char *uri;       /* for messages; from `pool` */
    struct stoa_resource *resource; /* its entry among what is open */
};

/// For backends: the handle around an open file's `state`. `pool` is the one of the context that
/// `open` or `lock` was given, `path` the path.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT; the caller still owns `state`
STOA_API STOA_MUST_USE stoa_status stoa_file_create(stoa_pool *pool, const char *path,
                                                    const stoa_file_operations *operations,
                                                    void *state, stoa_file **out, stoa_error *err);

/// How a file system differs from a local disk; users ask stoa_fs_find's answer for them.
typedef enum stoa_fs_feature {
    /* What is written appears whole at `sync`, or never: no temporary name is needed. Only one sync,
     * at the end; a handle that is closed without it leaves what was there before. */
    STOA_FS_WHOLE_WRITES = 1,
    /* Directories are beginnings of names: there while something has such a name, made and removed
     * for the asking, never to be synced. */
    STOA_FS_NO_DIRECTORIES = 2,
    /* Calls are requests over a network: each may last, and fewer are better. */
    STOA_FS_REMOTE = 4
} stoa_fs_feature;

/// What a backend offers. `path` is what follows the URI's scheme and colon ("//bucket/key",
/// "/a/b"), and for local files their path. `context` has a pool, always. Functions that a backend
/// lacks are NULL. What may last looks at the context's token. `out` of `open` keeps
/// the token and the logger of its context for its own calls.
///
/// `open` of a directory is STOA_INVALID (STOA_EXISTS for STOA_OPEN_CREATE). `make_directory` makes
/// one level; STOA_EXISTS when something is there. `remove` takes a file or an empty directory
/// (STOA_INVALID when it is not empty). `rename` replaces the target atomically. `link` gives a file
/// a second name, which must be free (STOA_EXISTS): both are the same content until one is removed or
/// replaced; the file's version may change. STOA_INVALID for a directory, STOA_UNSUPPORTED where the
/// two names are on different disks or the disk cannot: a copy is then the way. `sync_directory`
/// makes creations, renames, links and removals in the directory durable. `lock` makes the file when
/// it is missing and takes an exclusive lock that ends with its handle or with the process;
/// STOA_LOCKED when somebody else has it. `list` calls in no certain order.
///
/// Threads  All from several threads at once, `close` alone.
typedef struct stoa_fs_operations {
    stoa_status (*open)(void *state, const char *path, stoa_open_mode mode,
                        const stoa_context *context, stoa_file **out, stoa_error *err);
    stoa_status (*stat)(void *state, const char *path, const stoa_context *context,
                        stoa_file_info *out, stoa_error *err);
    stoa_status (*list)(void *state, const char *path, const stoa_context *context,
                        stoa_list_function function, void *user, stoa_error *err);
    stoa_status (*make_directory)(void *state, const char *path, const stoa_context *context,
                                  stoa_error *err);
    stoa_status (*remove)(void *state, const char *path, const stoa_context *context,
                          stoa_error *err);
    stoa_status (*rename)(void *state, const char *from, const char *to,
                          const stoa_context *context, stoa_error *err);
    stoa_status (*link)(void *state, const char *from, const char *to, const stoa_context *context,
                        stoa_error *err);
    stoa_status (*sync_directory)(void *state, const char *path, const stoa_context *context,
                                  stoa_error *err);
    stoa_status (*lock)(void *state, const char *path, const stoa_context *context, stoa_file **out,
                        stoa_error *err);
    /* Puts `size` bytes as the whole of `path` in one step, if its version is `expected` ("": if
     * nothing is there), else STOA_CONFLICT and nothing changed. `out_version` takes 64 bytes. */
    stoa_status (*put_if)(void *state, const char *path, const stoa_context *context,
                          const char *expected, const void *bytes, size_t size, char *out_version,
                          stoa_error *err);
    /* For backends that can do in few requests what else is a walk. `list_tree` calls for every file
     * below `path`, at any depth, with its path below; STOA_NOT_FOUND when there is none.
     * `remove_tree` removes all of them; none is no error. */
    stoa_status (*list_tree)(void *state, const char *path, const stoa_context *context,
                             stoa_list_function function, void *user, stoa_error *err);
    stoa_status (*remove_tree)(void *state, const char *path, const stoa_context *context,
                               stoa_error *err);
    void (*close)(void *state);
    uint32_t features; /* of stoa_fs_feature */
} stoa_fs_operations;

struct stoa_fs {
    const stoa_fs_operations *operations;
    void *state;
};

/// A set of file systems by scheme.
typedef struct stoa_fs_registry stoa_fs_registry;

/// A registry with "file", "memory", "http", "https" (<stoa/http.h>) and "s3" (<stoa/s3.h>). Each has a
/// memory file system of its own. Where the environment has STOA_CACHE_BYTES ("20GB") or
/// STOA_CACHE_DIR, what is read from the remote ones is kept in a cache on the local disk.
///
/// Errors   STOA_INVALID  STOA_CACHE_BYTES is no size
///          STOA_NO_MEMORY, STOA_LIMIT
STOA_API STOA_MUST_USE stoa_status stoa_fs_registry_create(stoa_pool *pool, stoa_fs_registry **out,
                                                           stoa_error *err);
/// Closes every file system in it. NULL is allowed.
STOA_API void stoa_fs_registry_close(stoa_fs_registry *registry);

/// Adds or replaces a scheme ("mine", without the colon; case does not matter).
///
/// Errors   STOA_INVALID  the scheme is not a letter and then letters, digits, '+', '-', '.'; one
///                        letter alone is none either
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On STOA_OK the registry closes `fs` when it goes or `fs` is replaced.
/// Threads  Before the registry is shared.
STOA_API STOA_MUST_USE stoa_status stoa_fs_register(stoa_fs_registry *registry, const char *scheme,
                                                    stoa_fs fs, stoa_error *err);

/// The file system for a URI, and the path to give to it (a part of `uri`). "file:///p", "file:/p",
/// "file://localhost/p", "/p" and "p" are local. Nothing is percent-decoded: a '%' is a '%'.
///
/// Errors   STOA_UNSUPPORTED  no file system is registered for the scheme, which is named; or a
///                            "file" URI names another host
///          STOA_INVALID      the path is empty
/// Owns     Both are borrowed, from the registry and from `uri`.
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_fs_find(stoa_fs_registry *registry, const char *uri,
                                                stoa_fs **out, const char **out_path,
                                                stoa_error *err);

/// Bytes in the file now.
STOA_API STOA_MUST_USE stoa_status stoa_file_size(stoa_file *file, uint64_t *out, stoa_error *err);

/// Reads exactly `size` bytes at `offset`.
///
/// Errors   STOA_CORRUPT  the file ends before that
///          STOA_IO, and whatever the backend answers; `buffer` then holds anything
STOA_API STOA_MUST_USE stoa_status stoa_file_read(stoa_file *file, uint64_t offset, void *buffer,
                                                  size_t size, stoa_error *err);

/// Reads `size` bytes at `offset`, or as many as there are before the end of the file.
STOA_API STOA_MUST_USE stoa_status stoa_file_read_some(stoa_file *file, uint64_t offset,
                                                       void *buffer, size_t size, size_t *out_size,
                                                       stoa_error *err);

/// Reads all ranges, in as few requests as the backend can. Errors as stoa_file_read.
STOA_API STOA_MUST_USE stoa_status stoa_file_read_vector(stoa_file *file,
                                                         const stoa_read_range *ranges,
                                                         size_t count, stoa_error *err);

/// Writes all `size` bytes after the last ones. On error some of them may be in the file; a
/// backend that can goes on where the failed write began.
STOA_API STOA_MUST_USE stoa_status stoa_file_write(stoa_file *file, const void *bytes, size_t size,
                                                   stoa_error *err);

/// Makes what was written durable. After a failed sync the file's content is not known any more,
/// so local files refuse every later write and sync.
STOA_API STOA_MUST_USE stoa_status stoa_file_sync(stoa_file *file, stoa_error *err);

/// Sets the length; the next write begins there.
STOA_API STOA_MUST_USE stoa_status stoa_file_truncate(stoa_file *file, uint64_t size,
                                                      stoa_error *err);

/// A read-only view of the whole file, valid until the file is closed. Whoever reads from it calls
/// stoa_file_map_check afterwards, before believing what was read: a local file that somebody cuts
/// short under the view reads as zeros there. What cannot do without one reads instead.
///
/// Errors   STOA_UNSUPPORTED  the backend cannot, or the program wants no maps (stoa_maps_allow)
/// Threads  One call at a time for a file; reading the view from any.
STOA_API STOA_MUST_USE stoa_status stoa_file_map(stoa_file *file, const void **out,
                                                 uint64_t *out_size, stoa_error *err);

/// A view of the first `size` bytes of a file opened with STOA_OPEN_UPDATE, to be read and written,
/// valid until the file is closed. What is stored in it is the file's content at once, for every reader
/// in every process of the machine, and stays if the process dies; a sync makes durable what was
/// stored before it was called, whichever handle opened to update it is called on (whether a store
/// reached the file only the handle of its view knows: stoa_file_map_check). Where the space of
/// the file was set aside (stoa_file_preallocate) stores do not meet a full disk. Nobody changes the
/// file's length while it is mapped so. STOA_ADVICE_WILL_NEED makes the memory of a part ready, and
/// returns when it is, so that the first store into each page does not wait for the system.
///
/// Errors   STOA_INVALID      `size` is 0 or more than the file has, or than it was mapped with before
///          STOA_UNSUPPORTED  the backend cannot, the file was opened otherwise, or the program wants
///                            no maps (stoa_maps_allow)
///          STOA_NO_MEMORY, STOA_IO
/// Threads  One call at a time for a file; using the view from any.
STOA_API STOA_MUST_USE stoa_status stoa_file_map_write(stoa_file *file, uint64_t size, void **out,
                                                       stoa_error *err);

/// Whether all that was read from the file's view so far is what the file held, and all that was stored
/// in a writable one has reached the file. Less than a microsecond: ask once for each block of some
/// kilobytes.
///
/// Errors   STOA_IO  the file was cut short, or its disk failed, since it was mapped; for good
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_file_map_check(stoa_file *file, stoa_error *err);

/// Says how `size` bytes at `offset` (0: all behind it) are going to be read. A hint: it changes
/// speed and nothing else, and not every backend listens. While a file is written,
/// STOA_ADVICE_WILL_NEED asks for it to be kept in memory: large local files are not, otherwise.
STOA_API void stoa_file_advise(stoa_file *file, uint64_t offset, uint64_t size,
                               stoa_file_advice advice);

/// Sets the space for the file's first `size` bytes aside, so that writing them does not fail for
/// lack of it; with `grow` the file also becomes as long, zeros behind what it holds. The place of
/// the next write stays where it is. A backend that cannot set space aside ignores the call.
///
/// Errors   STOA_IO           there is not so much space; the file is as it was
///          STOA_UNSUPPORTED  `grow` is set and the backend cannot
STOA_API STOA_MUST_USE stoa_status stoa_file_preallocate(stoa_file *file, uint64_t size, bool grow,
                                                         stoa_error *err);

/// Whether local files may be mapped from now on. They may, unless the environment says
/// STOA_MAPS=off; otherwise they are read. The first map of a process installs a handler for SIGBUS,
/// which acts on faults in Stoa's own maps and hands all others to the handler that was there before.
/// A program that installs its own later does well to call the one it replaced; the next map puts
/// Stoa's before it in any case. Threads that read mapped files must not block SIGBUS.
///
/// Threads  Any. Maps that are there already stay.
STOA_API void stoa_maps_allow(bool allowed);

/// The URI that the file was opened with, for messages: a password or signature in it is "***".
/// Borrowed from `file`.
STOA_API const char *stoa_file_uri(const stoa_file *file);

/// Gives the handle back. Only a sync makes sure of what was written: without one it may be lost in a
/// crash, and where a write of it fails now (a full disk), the context's logger is warned and nobody
/// else. NULL is allowed.
STOA_API void stoa_file_close(stoa_file *file);

#ifdef __cplusplus
}
#endif
#endif
