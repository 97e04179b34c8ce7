/* Directories that appear whole and durable, or not at all: filled under a temporary name beside their own,
 * synced, renamed.
 *
 *     stoa_new_directory_begin(&made, registry, "copies/monday", &context, &err);
 *     stoa_new_directory_path(&made, "tables/1/a.parquet", &uri, &err);      … written by the caller
 *     stoa_new_directory_finish(&made, &err);
 *     stoa_new_directory_release(&made); */
#ifndef STOA_VFS_NEW_DIRECTORY_H
#define STOA_VFS_NEW_DIRECTORY_H

#include "vfs/vfs.h"

typedef struct stoa_new_directory {
    stoa_fs_registry *registry;
    stoa_context context; /* the pool is not NULL */
    const char *target;
    char *temporary;     /* where it is filled; NULL: nothing is there */
    stoa_buffer folders; /* below it, that have files; URIs, each with its NUL */
    size_t last_folder;  /* where the last one begins */
} stoa_new_directory;

/// Borrows `target` until it is released. The directory above is made when it is missing.
///
/// Errors   STOA_EXISTS       something has the name
///          STOA_UNSUPPORTED  a file system without directories; STOA_IO, STOA_NO_MEMORY
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_new_directory_begin(stoa_new_directory *out,
                                                   stoa_fs_registry *registry, const char *target,
                                                   const stoa_context *context, stoa_error *err);
/// Where a file of this path below the directory is to be written, synced: its folder is there. From the
/// context's pool (stoa_pool_free_string).
STOA_MUST_USE stoa_status stoa_new_directory_path(stoa_new_directory *made, const char *path,
                                                  char **out, stoa_error *err);
/// Makes the names of its files durable, then its own. When only that could not be synced, it is there.
STOA_MUST_USE stoa_status stoa_new_directory_finish(stoa_new_directory *made, stoa_error *err);
/// Removes what was not finished.
void stoa_new_directory_release(stoa_new_directory *made);

#endif
