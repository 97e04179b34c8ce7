/* Versions: which SSTables a table consists of. A version never changes; whoever reads counts it up,
 * and its files stay as long. What follows from an edit is a new version that shares the other files. */
#ifndef STOA_LSM_VERSION_H
#define STOA_LSM_VERSION_H

#include <stdatomic.h>

#include "lsm/sstable.h"

enum { STOA_LEVELS = 7 };

/* What the manifest says of an SSTable. Keys are bytes as stoa_key_encode gives them. */
typedef struct stoa_table_file_info {
    uint64_t number; /* its name: "%016" PRIx64 ".sst" */
    int32_t level;
    uint64_t bytes;
    int64_t row_count;
    int64_t delete_count; /* rows that are deletions, and ranges of deletions */
    uint64_t sequence_min;
    uint64_t sequence_max;
    int64_t expires_ms; /* all of its rows are gone then; 0: never */
    stoa_buffer first_key;
    stoa_buffer last_key;
} stoa_table_file_info;

/// The number of a file of this name; false: it is no such name.
bool stoa_table_file_parse_name(const char *name, uint64_t *out);

/* An SSTable that is open. Counted; with the last reference it is closed, and removed if no version
 * is to come back to it. */
typedef struct stoa_table_file {
    _Atomic int64_t references;
    stoa_table_file_info info;
    uint64_t first_prefix; /* see stoa_key_prefix */
    uint64_t last_prefix;
    stoa_sst *sst;
    stoa_fs_registry *file_systems; /* that it is removed through */
    char *uri;
    stoa_pool *pool;
    atomic_bool is_obsolete;
    atomic_bool is_compacting; /* picked; changed under the store's lock */
} stoa_table_file;

/// Takes the info's buffers and the SSTable, also on error.
STOA_MUST_USE stoa_status stoa_table_file_create(stoa_pool *pool, stoa_fs_registry *file_systems,
                                                 const char *uri, stoa_table_file_info *info,
                                                 stoa_sst *sst, stoa_table_file **out,
                                                 stoa_error *err);
stoa_table_file *stoa_table_file_retain(stoa_table_file *file);
/// NULL is allowed.
void stoa_table_file_release(stoa_table_file *file);
void stoa_table_file_info_release(stoa_table_file_info *info);

/* Files of one level. Level 0: they may overlap, the newest first (by sequence_max). Below: by key,
 * disjoint. */
typedef struct stoa_level {
    stoa_table_file **files;
    int64_t count;
    uint64_t bytes;
} stoa_level;

typedef struct stoa_version {
    _Atomic int64_t references;
    stoa_pool *pool;
    stoa_level levels[STOA_LEVELS];
} stoa_version;

/// An empty version with one reference.
STOA_MUST_USE stoa_status stoa_version_create(stoa_pool *pool, stoa_version **out, stoa_error *err);
stoa_version *stoa_version_retain(stoa_version *version);
/// NULL is allowed.
void stoa_version_release(stoa_version *version);

/// `base` without the files of these numbers and with the added ones (a reference each is taken).
///
/// Errors   STOA_CORRUPT  a number that is not there, one that is there already, or files of a level
///                        below 0 that overlap
STOA_MUST_USE stoa_status stoa_version_apply(const stoa_version *base, const uint64_t *removed,
                                             int64_t removed_count, stoa_table_file *const *added,
                                             int64_t added_count, stoa_version **out,
                                             stoa_error *err);

/// The file of this number, borrowed; NULL: none, or no version.
stoa_table_file *stoa_version_find_file(const stoa_version *version, uint64_t number);

/// Whether no level below this one has files.
bool stoa_version_is_last_level(const stoa_version *version, int32_t level);

/// In a level below 0, the first file whose last key is not less than `key`; count when there is none.
int64_t stoa_level_find(const stoa_level *level, const uint8_t *key, size_t size);

#endif
