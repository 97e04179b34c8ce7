/* Entries and views: immutable, shared, counted. */
#include "table/view.h"

#include <stdlib.h>
#include <string.h>

#include "table/internal.h"
#include "table/names.h"

static const char *const operation_names[] = {NULL, "append", "overwrite", "delete", "update"};

const char *stoa_snapshot_operation_name(stoa_snapshot_operation operation) {
    return operation_names[operation];
}

stoa_snapshot_operation stoa_snapshot_operation_parse(const char *name) {
    for (int i = 1; i < (int)(sizeof operation_names / sizeof operation_names[0]); i++) {
        if (name != NULL && strcmp(operation_names[i], name) == 0) {
            return (stoa_snapshot_operation)i;
        }
    }
    return STOA_SNAPSHOT_NONE;
}

stoa_status stoa_entry_create(stoa_pool *pool, const stoa_entry_facts *facts, stoa_entry **out,
                              stoa_error *err) {
    *out = NULL;
    stoa_entry *entry = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *entry, (void **)&entry, err));
    atomic_init(&entry->references, 1);
    atomic_init(&entry->loaded, false);
    entry->pool = pool;
    entry->id = facts->id;
    entry->kind = stoa_table_kind_find(facts->kind_name);
    entry->schema = stoa_schema_retain(facts->schema);
    entry->spec = stoa_partition_spec_retain(facts->spec);
    entry->snapshot = facts->snapshot;
    entry->parts.pool = pool;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_copy_string(pool, facts->name, &entry->name, err));
    STOA_CHECK(stoa_pool_copy_string(pool, facts->name, &entry->folded, err));
    STOA_CHECK(stoa_pool_copy_string(pool, facts->kind_name, &entry->kind_name, err));
    stoa_table_name_fold(facts->name, entry->folded);
    *out = entry;
    return STOA_OK;

done:
    stoa_entry_release(entry);
    return status;
}

stoa_entry *stoa_entry_retain(stoa_entry *entry) {
    if (entry != NULL) {
        atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
    }
    return entry;
}

/* A long history is a long chain: it is taken down in a loop, not by recursion. */
void stoa_entry_release(stoa_entry *entry) {
    while (entry != NULL &&
           atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) == 1) {
        stoa_entry *previous = entry->previous;
        stoa_pool *pool = entry->pool;
        stoa_part_vector_release(&entry->parts);
        stoa_schema_close(entry->schema);
        stoa_partition_spec_close(entry->spec);
        stoa_pool_free_string(pool, entry->name);
        stoa_pool_free_string(pool, entry->folded);
        stoa_pool_free_string(pool, entry->kind_name);
        stoa_pool_free(pool, entry, sizeof *entry);
        entry = previous;
    }
}

stoa_status stoa_entry_parts(stoa_database *database, stoa_entry *entry, stoa_part_vector *out,
                             stoa_error *err) {
    if (!atomic_load_explicit(&entry->loaded, memory_order_acquire)) {
        STOA_TRY(stoa_catalog_load_entry(database->catalog, database, entry, err));
    }
    return stoa_part_vector_append(out, &entry->parts, err);
}

stoa_status stoa_view_create(stoa_pool *pool, stoa_view **out, stoa_error *err) {
    stoa_view *view = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *view, (void **)&view, err));
    atomic_init(&view->references, 1);
    view->pool = pool;
    *out = view;
    return STOA_OK;
}

stoa_status stoa_view_add(stoa_view *view, stoa_entry *entry, stoa_error *err) {
    if (view->count == view->capacity) {
        int64_t capacity = view->capacity < 8 ? 8 : view->capacity * 2;
        stoa_status status = stoa_pool_reallocate(view->pool, (void **)&view->entries,
                                                  (size_t)view->capacity * sizeof *view->entries,
                                                  (size_t)capacity * sizeof *view->entries, err);
        if (status != STOA_OK) {
            stoa_entry_release(entry);
            return status;
        }
        view->capacity = capacity;
    }
    view->entries[view->count++] = entry;
    return STOA_OK;
}

static int compare_entries(const void *left, const void *right) {
    const stoa_entry *a = *(stoa_entry *const *)left;
    const stoa_entry *b = *(stoa_entry *const *)right;
    int order = strcmp(a->folded, b->folded);
    if (order != 0) {
        return order;
    }
    /* A table of this process hides one of the same name that another process has made since. */
    bool a_durable = a->kind != NULL && a->kind->durable;
    bool b_durable = b->kind != NULL && b->kind->durable;
    return a_durable != b_durable ? (a_durable ? 1 : -1) : 0;
}

void stoa_view_finish(stoa_view *view) {
    if (view->count == 0) {
        return;
    }
    qsort(view->entries, (size_t)view->count, sizeof *view->entries, compare_entries);
    int64_t kept = 1;
    for (int64_t i = 1; i < view->count; i++) {
        if (strcmp(view->entries[i]->folded, view->entries[kept - 1]->folded) == 0) {
            stoa_entry_release(view->entries[i]);
        } else {
            view->entries[kept++] = view->entries[i];
        }
    }
    view->count = kept;
}

stoa_view *stoa_view_retain(stoa_view *view) {
    atomic_fetch_add_explicit(&view->references, 1, memory_order_relaxed);
    return view;
}

void stoa_view_release(stoa_view *view) {
    if (view == NULL ||
        atomic_fetch_sub_explicit(&view->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    STOA_ASSERT(view->pins == 0 && view->lease == NULL);
    for (int64_t i = 0; i < view->count; i++) {
        stoa_entry_release(view->entries[i]);
    }
    stoa_pool_free(view->pool, view->entries, (size_t)view->capacity * sizeof *view->entries);
    stoa_pool_free(view->pool, view, sizeof *view);
}

stoa_entry *stoa_view_find(const stoa_view *view, const char *folded) {
    int64_t low = 0, high = view->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(view->entries[middle]->folded, folded);
        if (order == 0) {
            return view->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
