/* Views: all that a reader of one table needs, as it stands at one moment. Never changes; counted.
 * What is newer than the reader's sequence number is in it too: readers look past that. */
#ifndef STOA_LSM_VIEW_H
#define STOA_LSM_VIEW_H

#include "lsm/memtable.h"
#include "lsm/table_options.h"
#include "lsm/version.h"

typedef struct stoa_state_view {
    _Atomic int64_t references;
    stoa_pool *pool;
    stoa_definition *definition;
    stoa_version *version;
    int32_t memtable_count;
    stoa_memtable *memtables[]; /* the newest first: it takes the writes */
} stoa_state_view;

stoa_state_view *stoa_state_view_retain(stoa_state_view *view);
/// NULL is allowed.
void stoa_state_view_release(stoa_state_view *view);

#endif
