/* The record of a generation: which files a database had, and which objects of the backup hold them.
 * docs/formats/backup.md describes its text. Bytes come from outside: nothing in them is believed that the
 * checksum at the end does not cover, and no path leads out of a database's directory. */
#ifndef STOA_TABLE_BACKUP_RECORD_H
#define STOA_TABLE_BACKUP_RECORD_H

#include "base/hash.h"
#include "mem/arena.h"
#include "mem/buffer.h"

typedef struct stoa_backup_file {
    const char *path;  /* below the database's directory */
    stoa_hash128 hash; /* of its bytes: the object's name */
    uint64_t bytes;
    uint64_t mark; /* with path and size it says which content it is, without reading it; 0: nothing */
} stoa_backup_file;

typedef struct stoa_backup_record {
    stoa_arena arena; /* of the files, when it was parsed */
    int64_t generation;
    int64_t time_ms;
    int64_t commit_id;
    int64_t table_count;
    int64_t row_count; /* -1: not known */
    int64_t new_object_count;
    uint64_t new_bytes;
    uint64_t bytes; /* of all files */
    stoa_backup_file *files; /* by path */
    int64_t file_count;
} stoa_backup_record;

enum { STOA_BACKUP_PATH_BYTES_MAX = 4096 };

/// Whether a path stays below the directory that it is put behind: no empty part, none of dots only, no
/// control characters.
bool stoa_backup_path_is_sound(const char *path);

/// Appends the record's text. `files` is in order, by the bytes of the paths, without repeats.
///
/// Errors   STOA_UNSUPPORTED  a path that is not sound; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_backup_record_print(const stoa_backup_record *record,
                                                   stoa_buffer *out, stoa_error *err);
/// Errors   STOA_CORRUPT      damage, with its line
///          STOA_UNSUPPORTED  a newer version; STOA_NO_MEMORY
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_backup_record_parse(stoa_pool *pool, const char *text, size_t size,
                                                   stoa_backup_record *out, stoa_error *err);
/// All-zero is released.
void stoa_backup_record_release(stoa_backup_record *record);

/// The file of a path; NULL: none.
const stoa_backup_file *stoa_backup_record_find(const stoa_backup_record *record, const char *path);

#endif
