/* Views: all that a reader of one table needs, as it stands at one moment. Never changes; counted.
 * What is newer than the reader's sequence number is in it too: readers look past that. */
#ifndef STOA_LSM_VIEW_H
#define STOA_LSM_VIEW_H

#include "lsm/memtable.h"
#include "lsm/table_options.h"
#include "lsm/version.h"

/* The one that takes the writes, and frozen ones that wait for being files. */
enum { STOA_VIEW_MEMTABLES = 9 };

typedef struct stoa_state_view {
    _Atomic int64_t references;
    stoa_pool *pool;
    stoa_definition *definition;
    stoa_version *version;
    bool is_closed; /* nothing can be read any more: see stoa_state_acquire_open */
    int32_t memtable_count;
    stoa_memtable *memtables[STOA_VIEW_MEMTABLES]; /* the newest first: it takes the writes */
} stoa_state_view;

/// A view with one reference and no memtables yet; takes references of its own.
STOA_MUST_USE stoa_status stoa_state_view_create(stoa_pool *pool, stoa_definition *definition,
                                                 stoa_version *version, stoa_state_view **out,
                                                 stoa_error *err);
/// Puts a memtable behind those that are there, before the view is shared.
void stoa_state_view_add(stoa_state_view *view, stoa_memtable *memtable);
stoa_state_view *stoa_state_view_retain(stoa_state_view *view);
/// NULL is allowed.
void stoa_state_view_release(stoa_state_view *view);

#endif
