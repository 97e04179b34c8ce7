/* Views hold one reference to each of their parts, and give them back in the order in which these may
 * go: memtables and files read the layout that is in the definition. */
#include "lsm/view.h"

stoa_status stoa_state_view_create(stoa_pool *pool, stoa_definition *definition,
                                   stoa_version *version, stoa_state_view **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_state_view *view = memory;
    atomic_init(&view->references, 1);
    view->pool = pool;
    view->definition = stoa_definition_retain(definition);
    view->version = stoa_version_retain(version);
    *out = view;
    return STOA_OK;
}

void stoa_state_view_add(stoa_state_view *view, stoa_memtable *memtable) {
    STOA_ASSERT(view->memtable_count < STOA_VIEW_MEMTABLES);
    view->memtables[view->memtable_count++] = stoa_memtable_retain(memtable);
}

stoa_state_view *stoa_state_view_retain(stoa_state_view *view) {
    atomic_fetch_add_explicit(&view->references, 1, memory_order_relaxed);
    return view;
}

void stoa_state_view_release(stoa_state_view *view) {
    /* Release by each owner, acquire by the last one: its free comes after all their reads. */
    if (view == NULL || atomic_fetch_sub_explicit(&view->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (int32_t i = 0; i < view->memtable_count; i++) {
        stoa_memtable_close(view->memtables[i]);
    }
    stoa_version_release(view->version);
    stoa_definition_release(view->definition);
    stoa_pool_free(view->pool, view, sizeof *view);
}
