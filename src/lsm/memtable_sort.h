/* Rows of a memtable sorted, for its order. */
#ifndef STOA_LSM_MEMTABLE_SORT_H
#define STOA_LSM_MEMTABLE_SORT_H

#include "lsm/memtable_internal.h"

typedef struct stoa_memtable_item {
    uint64_t number; /* the first 8 bytes of the key */
    uint64_t place;  /* with STOA_MEMTABLE_OLDER where the item before has the same key */
} stoa_memtable_item;

typedef struct stoa_memtable_sorted {
    stoa_memtable_item *items;
    int64_t count;
    size_t bytes; /* that `items` takes */
} stoa_memtable_sorted;

/// The rows between two cursors, by key, versions of one key from the newest to the oldest.
///
/// Errors   STOA_LIMIT  2^32 rows; STOA_NO_MEMORY
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_memtable_sort(const stoa_memtable *table, stoa_memtable_cursor from,
                                             stoa_memtable_cursor to, stoa_memtable_sorted *out,
                                             stoa_error *err);
void stoa_memtable_sorted_release(const stoa_memtable *table, stoa_memtable_sorted *sorted);

#endif
