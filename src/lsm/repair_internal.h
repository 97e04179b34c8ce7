/* What the files of repair share.
 *
 *     repair.c           the whole: looking, then writing what is new beside the old, then the switch
 *     repair_manifest.c  which tables and files the store has */
#ifndef STOA_LSM_REPAIR_INTERNAL_H
#define STOA_LSM_REPAIR_INTERNAL_H

#include "lsm/manifest_internal.h"
#include "lsm/repair.h"

typedef struct stoa_repair {
    const stoa_store_repair_options *options;
    stoa_manifest_place place;
    stoa_file *lock;
    uint64_t manifest_max;           /* of the numbers that CURRENT or a file's name has */
    stoa_manifest_contents contents; /* what the store has */
    stoa_state_repair_result result;
} stoa_repair;

/// One damage more: tells the caller of it, and clears it.
void stoa_repair_report(stoa_repair *repair, int64_t table_id, stoa_error *damage);

/// Finds the manifest to go by, and reads it.
///
/// Errors   STOA_NOT_FOUND  there is no store; STOA_CORRUPT  no manifest is whole
STOA_MUST_USE stoa_status stoa_repair_find_manifest(stoa_repair *repair, stoa_error *err);

#endif
