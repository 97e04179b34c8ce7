/* Backups of databases, and clones.
 *
 * A backup is a directory of plain files. Each time that it is added to, it gets a *generation*: a whole
 * database as of one moment. What an earlier generation has already is not copied again.
 *
 *     stoa_backup_open("/backups/app", NULL, &backup, &err);
 *     stoa_backup_add(backup, database, NULL, &info, &err);              each night
 *     stoa_backup_restore(backup, 0, "app-restored.stoa", NULL, &info, &err);
 *     stoa_backup_close(backup);
 *
 * Contexts may be NULL; their token and progress are used. docs/formats/backup.md describes the directory.
 *
 * Threads  One call at a time a handle. Any number of handles and processes: those that change one backup
 *          exclude each other, those that read it exclude nobody. */
#ifndef STOA_BACKUP_H
#define STOA_BACKUP_H

#include <stoa/database.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_backup stoa_backup;

typedef struct stoa_backup_options {
    size_t memory_limit;            /* bytes; 0: STOA_MEMORY, else 1 GiB */
    stoa_fs_registry *file_systems; /* borrowed; where backup and restored databases are; NULL: one of its
                                       own */
    stoa_pool *parent_pool;         /* borrowed; NULL: a root of its own */
} stoa_backup_options;

/// Names a backup's directory. Nothing is looked at yet. `options` may be NULL.
///
/// Errors   STOA_UNSUPPORTED  a file system without directories that are renamed; STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_backup_open(const char *directory,
                                                    const stoa_backup_options *options,
                                                    stoa_backup **out, stoa_error *err);
/// NULL is allowed.
STOA_API void stoa_backup_close(stoa_backup *backup);

/// A generation, as its record has it.
typedef struct stoa_backup_info {
    int64_t generation; /* from 1 */
    bool is_damaged;    /* the record cannot be read: nothing else is known */
    int64_t time_ms;    /* since 1970 UTC */
    int64_t table_count;
    int64_t row_count; /* -1: not known of every table */
    int64_t file_count;
    uint64_t bytes;         /* of all its files */
    int64_t new_file_count; /* that no earlier generation had */
    uint64_t new_bytes;
} stoa_backup_info;

/// Adds the database as it is at one moment: catalog, data files of all snapshots that have not expired,
/// and state tables with every commit that had returned before the call. Tables of the kind memory are not
/// in it. The database may be open to be read only, and other processes may read and write it meanwhile. The
/// directory is made when it is missing. What a crash of an earlier call has left is removed. `out` may be
/// NULL.
///
/// Errors   STOA_LOCKED       another process adds to the backup or removes from it
///          STOA_INVALID      the directory holds something else
///          STOA_UNSUPPORTED  a database in memory or in an object store; a backup of a newer version
///          STOA_CONFLICT     a database that was opened read-only, whose tables are changed so often that
///                            there is no moment between; others make commits wait for once
///          STOA_CORRUPT      a file of the database does not hold what it should
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT; earlier generations are as they were
STOA_API STOA_MUST_USE stoa_status stoa_backup_add(stoa_backup *backup, stoa_database *database,
                                                   const stoa_context *context,
                                                   stoa_backup_info *out, stoa_error *err);

/// Calls for every generation, the oldest first. The info is valid during the call.
///
/// Errors   STOA_NOT_FOUND  there is no backup; STOA_UNSUPPORTED, STOA_IO, STOA_NO_MEMORY; the function's
typedef stoa_status (*stoa_backup_function)(void *user, const stoa_backup_info *info,
                                            stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_backup_each(stoa_backup *backup,
                                                    stoa_backup_function function, void *user,
                                                    stoa_error *err);

/// Reads every byte of a generation (0: of all), and compares it with its hash. `function` (nullable) is
/// called for each damage, and for each generation that it is in. `out_files` and `out_bytes` (nullable)
/// get what was read; a file that several generations have is read once.
///
/// Errors   STOA_CORRUPT    the first damage found
///          STOA_NOT_FOUND  no such generation, or no backup; STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY
STOA_API STOA_MUST_USE stoa_status stoa_backup_verify(stoa_backup *backup, int64_t generation,
                                                      const stoa_context *context,
                                                      stoa_damage_function function, void *user,
                                                      int64_t *out_files, uint64_t *out_bytes,
                                                      stoa_error *err);

/// Removes a generation, also one whose record is damaged, and what no other one needs.
///
/// Errors   STOA_NOT_FOUND, STOA_LOCKED, STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY; when it fails after the
///          generation is gone, the next call that changes the backup removes the rest
STOA_API STOA_MUST_USE stoa_status stoa_backup_remove(stoa_backup *backup, int64_t generation,
                                                      const stoa_context *context,
                                                      stoa_error *err);
/// Removes all generations that are older than the newest `count` (1 or more) that can be read.
/// `out_removed` may be NULL.
STOA_API STOA_MUST_USE stoa_status stoa_backup_keep(stoa_backup *backup, int64_t count,
                                                    const stoa_context *context,
                                                    int64_t *out_removed, stoa_error *err);

/// Makes a database of a generation (0: the newest): every byte is compared with its hash on the way. The
/// database appears whole and durable, or not at all; a crash may leave a folder ".stoa-tmp-…" beside it.
/// `out` may be NULL.
///
/// Errors   STOA_EXISTS     something has the name `target`
///          STOA_NOT_FOUND  no such generation, or no backup
///          STOA_CORRUPT    an object does not hold what it should
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
STOA_API STOA_MUST_USE stoa_status stoa_backup_restore(stoa_backup *backup, int64_t generation,
                                                       const char *target,
                                                       const stoa_context *context,
                                                       stoa_backup_info *out, stoa_error *err);

/// What a clone was made of.
typedef struct stoa_clone_info {
    int64_t file_count; /* that existed: catalog and manifest are written besides */
    uint64_t bytes;
    int64_t linked_count; /* that it shares with the database: second names, which take no space */
    uint64_t linked_bytes;
} stoa_clone_info;

/// Makes a second database of what this one is at one moment, as stoa_backup_add takes it. Files that never
/// change are linked where the file system can do that, and copied elsewhere; catalog and what was in memory
/// are written. Nothing that happens to one of the two concerns the other. It appears whole and durable, or
/// not at all; a crash may leave a folder ".stoa-tmp-…" beside it. `out` may be NULL.
///
/// Errors   STOA_EXISTS       something has the name `target`, a directory of the database's file systems
///          STOA_UNSUPPORTED  a database in memory or in an object store, or such a target
///          STOA_CONFLICT, STOA_CORRUPT, STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
STOA_API STOA_MUST_USE stoa_status stoa_database_clone(stoa_database *database, const char *target,
                                                       const stoa_context *context,
                                                       stoa_clone_info *out, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
