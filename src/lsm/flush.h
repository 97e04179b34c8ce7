/* Flushing: memtables of a table become one SSTable of level 0.
 *
 * The rows' order is taken or made, versions that nobody can read are left out, and stripes are gathered
 * from the memtables' columns and encoded side by side (output.h). */
#ifndef STOA_LSM_FLUSH_H
#define STOA_LSM_FLUSH_H

#include "lsm/memtable.h"
#include "lsm/table_options.h"
#include "lsm/version.h"

typedef struct stoa_flush_options {
    stoa_context context; /* the pool is not NULL */
    stoa_fs_registry *file_systems;
    const char *directory;
    const stoa_definition *definition; /* the memtables' own, or one that came later */
    /* All numbers that somebody reads at, ascending, the newest commit last. The newest version of a key
     * stays in any case, so rows that came after them are safe. */
    const uint64_t *snapshots;
    int64_t snapshot_count;
    bool is_bulk; /* rows get their number later: see stoa_sst_set_sequence */
    uint64_t (*new_file)(void *user);
    void *new_file_user;
} stoa_flush_options;

/// Writes what frozen memtables hold, `memtables[0]` the newest and all of one layout, as a file of
/// level 0. Of a key these versions stay: the newest, for each snapshot the newest that it sees, and what
/// a merge builds on. Deletions and ranges stay.
///
/// Errors   STOA_IO, STOA_CANCELLED, STOA_NO_MEMORY, STOA_LIMIT; then there is no file
/// Owns     `*out` is one reference, or NULL where there is neither a row nor a range.
/// Threads  Others may read the memtables; nobody adds to them.
STOA_MUST_USE stoa_status stoa_flush_run(stoa_memtable *const *memtables, int32_t count,
                                         const stoa_flush_options *options, stoa_table_file **out,
                                         stoa_error *err);

#endif
