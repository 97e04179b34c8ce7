/* Repair: what can be saved of a damaged store, and what was lost of it. What programs call is in
 * <stoa/state_maintenance.h>. */
#ifndef STOA_LSM_REPAIR_H
#define STOA_LSM_REPAIR_H

#include <stoa/context.h>
#include <stoa/state_maintenance.h>

#include "vfs/vfs.h"

/// Called for each damage; `table_id` is 0 where it is of no table, or of all.
typedef void (*stoa_store_damage_function)(void *user, int64_t table_id, const stoa_error *damage);

typedef struct stoa_store_repair_options {
    stoa_context context; /* pool and scheduler are not NULL */
    stoa_fs_registry *file_systems;
    const char *directory;
    const char *boot; /* see wal.h */
    bool dry_run; /* only says what it finds */
    const int64_t *tables; /* to examine: of these only; NULL: all */
    int64_t table_count;
    stoa_store_damage_function function; /* NULL: none */
    void *user;
} stoa_store_repair_options;

/// Looks for damage, and makes a store that can be opened again of what is whole. Holds the store's lock.
///
/// Errors   STOA_NOT_FOUND    there is no store
///          STOA_LOCKED       another process writes; the message names it
///          STOA_CORRUPT      so much is lost that nothing can be saved
///          STOA_UNSUPPORTED  a newer version of a format: that is no damage
///          STOA_CANCELLED, STOA_IO, STOA_NO_MEMORY; the store is as it was
STOA_MUST_USE stoa_status stoa_store_repair(const stoa_store_repair_options *options,
                                            stoa_state_repair_result *out, stoa_error *err);

/// Looks for the same damage beside a process that may write. The log is looked at as a whole.
///
/// Errors   as stoa_store_repair; STOA_CONFLICT  there is no such table
STOA_MUST_USE stoa_status stoa_store_examine(const stoa_store_repair_options *options,
                                             stoa_state_repair_result *out, stoa_error *err);

#endif
