#include "lsm/memtable_internal.h"

static size_t list_bytes(int32_t count) {
    return sizeof(stoa_memtable_ranges_list) + (size_t)count * sizeof(const stoa_range_set *);
}

static size_t own_bytes(const stoa_range_set *own) {
    size_t bytes = (size_t)own->capacity * sizeof *own->ranges;
    for (int64_t i = 0; i < own->count; i++) {
        bytes += own->ranges[i].from_size + own->ranges[i].to_size;
    }
    return bytes;
}

static void free_list(stoa_memtable *table, stoa_memtable_ranges_list *list) {
    atomic_fetch_sub_explicit(&table->bytes, list_bytes(list->count) + own_bytes(&list->own),
                              memory_order_relaxed);
    stoa_range_set_release(&list->own);
    stoa_pool_free(table->pool, list, list_bytes(list->count));
}

static stoa_status add_all(const stoa_range_set *from, stoa_range_set *out, stoa_error *err) {
    for (int64_t i = 0; i < from->count; i++) {
        STOA_TRY(stoa_range_set_add(out, &from->ranges[i], err));
    }
    return STOA_OK;
}

/* The new range goes into a set of its own with those of the last sets that are no larger than it has
 * grown by then. */
stoa_status stoa_memtable_stage_range(stoa_memtable *table, const stoa_key_range *range,
                                      stoa_error *err) {
    stoa_memtable_ranges_list *before = table->staged_ranges;
    int32_t kept = before == NULL ? 0 : before->count;
    stoa_range_set own = {.pool = table->pool};
    stoa_status status = STOA_OK;
    void *memory = NULL;
    STOA_CHECK(stoa_range_set_add(&own, range, err));
    while (kept > 0 && before->sets[kept - 1]->count <= own.count) {
        STOA_CHECK(add_all(before->sets[--kept], &own, err));
    }
    stoa_range_set_finish(&own);
    STOA_CHECK(stoa_pool_allocate(table->pool, list_bytes(kept + 1), &memory, err));
    stoa_memtable_ranges_list *list = memory;
    *list = (stoa_memtable_ranges_list){.before = before, .own = own, .count = kept + 1};
    for (int32_t i = 0; i < kept; i++) {
        list->sets[i] = before->sets[i];
    }
    list->sets[kept] = &list->own;
    stoa_memtable_count_bytes(table, list_bytes(list->count) + own_bytes(&list->own));
    table->staged_ranges = list;
    return STOA_OK;

done:
    stoa_range_set_release(&own);
    return status;
}

void stoa_memtable_ranges_publish(stoa_memtable *table) {
    /* Release: pairs with the loads below. */
    if (atomic_load_explicit(&table->ranges, memory_order_relaxed) != table->staged_ranges) {
        atomic_store_explicit(&table->ranges, table->staged_ranges, memory_order_release);
    }
}

void stoa_memtable_ranges_discard(stoa_memtable *table) {
    stoa_memtable_ranges_list *published = atomic_load_explicit(&table->ranges,
                                                                memory_order_relaxed);
    while (table->staged_ranges != published) {
        stoa_memtable_ranges_list *before = table->staged_ranges->before;
        free_list(table, table->staged_ranges);
        table->staged_ranges = before;
    }
}

void stoa_memtable_ranges_release(stoa_memtable *table) {
    while (table->staged_ranges != NULL) {
        stoa_memtable_ranges_list *before = table->staged_ranges->before;
        free_list(table, table->staged_ranges);
        table->staged_ranges = before;
    }
}

uint64_t stoa_memtable_range_cover(const stoa_memtable *table, const uint8_t *key, size_t size,
                                   uint64_t snapshot) {
    const stoa_memtable_ranges_list *list = atomic_load_explicit(&table->ranges,
                                                                 memory_order_acquire);
    uint64_t greatest = 0;
    for (int32_t i = 0; list != NULL && i < list->count; i++) {
        const uint64_t sequence = stoa_range_set_cover(list->sets[i], key, size, snapshot);
        greatest = sequence > greatest ? sequence : greatest;
    }
    return greatest;
}

stoa_status stoa_memtable_ranges(const stoa_memtable *table, stoa_range_set *out, stoa_error *err) {
    const stoa_memtable_ranges_list *list = atomic_load_explicit(&table->ranges,
                                                                 memory_order_acquire);
    for (int32_t i = 0; list != NULL && i < list->count; i++) {
        STOA_TRY(add_all(list->sets[i], out, err));
    }
    return STOA_OK;
}

bool stoa_memtable_has_ranges(const stoa_memtable *table) {
    return atomic_load_explicit(&table->ranges, memory_order_acquire) != NULL;
}
