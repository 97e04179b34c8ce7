/* A backup's directory: its places, its lock, its records, what a crash has left in it.
 *
 *     BACKUP/stoa-backup             "stoa-backup 1": what this directory is
 *     BACKUP/LOCK                    held by whoever adds or removes
 *     BACKUP/generations/00000001    records (backup_record.h)
 *     BACKUP/objects/<hash>          files, each once, by the hash of their bytes
 *     BACKUP/…/.stoa-tmp-…           unfinished
 *
 * An object is there, synced, before a record names it, and a record is gone before its objects are. So who
 * reads takes no lock, and finds whatever a record names, unless the record has gone meanwhile. */
#ifndef STOA_TABLE_BACKUP_DIRECTORY_H
#define STOA_TABLE_BACKUP_DIRECTORY_H

#include <stoa/backup.h>

#include "table/backup_record.h"
#include "vfs/vfs.h"

struct stoa_backup {
    stoa_pool *pool;
    stoa_fs_registry *file_systems;
    stoa_fs_registry *own_file_systems;
    char *directory;
};

/// What a call works with: its context, with the backup's pool where there is none.
stoa_context stoa_backup_context(const stoa_backup *backup, const stoa_context *context);

/// URIs of places in it, from the backup's pool.
STOA_MUST_USE stoa_status stoa_backup_path(const stoa_backup *backup, const char *path, char **out,
                                           stoa_error *err);
STOA_MUST_USE stoa_status stoa_backup_object_path(const stoa_backup *backup, stoa_hash128 hash,
                                                  char **out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_backup_record_path(const stoa_backup *backup, int64_t generation,
                                                  char **out, stoa_error *err);

/// Takes the lock until the file is closed. `create`: makes what is missing of the directory.
///
/// Errors   STOA_LOCKED, STOA_INVALID (something else is in it), STOA_UNSUPPORTED (a newer version)
///          STOA_NOT_FOUND  there is none, and it is not made
STOA_MUST_USE stoa_status stoa_backup_lock(stoa_backup *backup, bool create,
                                           const stoa_context *context, stoa_file **out,
                                           stoa_error *err);
/// Looks whether the directory is a backup, of a version that is known.
STOA_MUST_USE stoa_status stoa_backup_check(const stoa_backup *backup, const stoa_context *context,
                                            stoa_error *err);

/// Numbers of the generations in growing order, appended to `out` as int64_t.
STOA_MUST_USE stoa_status stoa_backup_numbers(const stoa_backup *backup,
                                              const stoa_context *context, stoa_buffer *out,
                                              stoa_error *err);
/// Errors   STOA_NOT_FOUND, STOA_CORRUPT, STOA_UNSUPPORTED, STOA_IO
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_backup_read(const stoa_backup *backup, int64_t generation,
                                           const stoa_context *context, stoa_backup_record *out,
                                           stoa_error *err);
/// What the record says, for programs.
stoa_backup_info stoa_backup_info_of(const stoa_backup_record *record);

/// Reads an object that is open, compares it with what a record says, and appends it to `target` (NULL: it is
/// only compared).
///
/// Errors   STOA_CORRUPT, STOA_IO, STOA_CANCELLED, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_backup_object_copy(const stoa_backup_file *file, stoa_file *object,
                                                  stoa_file *target, const stoa_context *context,
                                                  stoa_error *err);

/// Removes what is unfinished, and objects that no record names; these stay as long as a record cannot be
/// read. With the lock.
STOA_MUST_USE stoa_status stoa_backup_tidy(const stoa_backup *backup, const stoa_context *context,
                                           stoa_error *err);

#endif
