/* Which files there are: one edit of the manifest at a time, and the views that follow from it. */
#include "lsm/store_internal.h"

void stoa_state_release(stoa_state *state) {
    if (state == NULL ||
        atomic_fetch_sub_explicit(&state->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stoa_store *store = state->store;
    stoa_state_leave(state);
    stoa_state_view_release(atomic_load_explicit(&state->view, memory_order_relaxed));
    stoa_memtable_close(state->active);
    stoa_definition_release(atomic_load_explicit(&state->definition, memory_order_relaxed));
    stoa_pool *pool = state->pool;
    pthread_mutex_destroy(&state->view_lock);
    stoa_pool_free(pool, state, sizeof *state);
    stoa_pool_close(pool);
    stoa_store_release(store);
}

stoa_state *stoa_store_find(stoa_store *store, int64_t id) {
    stoa_state *found = NULL;
    pthread_mutex_lock(&store->lock);
    for (int32_t i = 0; i < store->table_count && found == NULL; i++) {
        if (store->tables[i]->id == id) {
            found = stoa_state_retain(store->tables[i]);
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

stoa_state_view *stoa_state_acquire(stoa_state *state) {
    pthread_mutex_lock(&state->view_lock);
    stoa_state_view *view = stoa_state_view_retain(
        atomic_load_explicit(&state->view, memory_order_relaxed));
    pthread_mutex_unlock(&state->view_lock);
    return view;
}

stoa_status stoa_state_check_current(const stoa_state *state, stoa_error *err) {
    return atomic_load_explicit(&state->is_altered, memory_order_acquire)
               ? stoa_fail(err, STOA_CONFLICT,
                           "the table's columns were changed since it was opened: open it again")
               : STOA_OK;
}

void stoa_store_succeed(stoa_store *store, stoa_state *state, stoa_state *successor) {
    for (int32_t i = 0; i < store->table_count; i++) {
        if (store->tables[i] == state) {
            store->tables[i] = stoa_state_retain(successor);
        }
    }
    /* Pairs with stoa_state_check_current: who finds the view closed sees why. */
    atomic_store_explicit(&state->is_altered, true, memory_order_release);
    stoa_state_show_view(state, stoa_state_view_retain(state->closed_view));
}

void stoa_state_show_view(stoa_state *state, stoa_state_view *view) {
    pthread_mutex_lock(&state->view_lock);
    stoa_state_view *before = atomic_load_explicit(&state->view, memory_order_relaxed);
    atomic_store_explicit(&state->view, view,
                          memory_order_release); /* pairs with readers' compare */
    pthread_mutex_unlock(&state->view_lock);
    stoa_state_view_release(before);
}

stoa_status stoa_store_list(stoa_store *store, stoa_state ***out, int64_t *out_count,
                            stoa_error *err) {
    pthread_mutex_lock(&store->lock);
    *out_count = store->table_count;
    stoa_status status = stoa_pool_allocate_array(store->pool, (size_t)*out_count,
                                                  sizeof(stoa_state *), (void **)out, err);
    for (int64_t i = 0; status == STOA_OK && i < *out_count; i++) {
        (*out)[i] = stoa_state_retain(store->tables[i]);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

void stoa_store_list_release(stoa_store *store, stoa_state **tables, int64_t count) {
    for (int64_t i = 0; tables != NULL && i < count; i++) {
        stoa_state_release(tables[i]);
    }
    stoa_pool_free(store->pool, tables, (size_t)count * sizeof(stoa_state *));
}

uint64_t stoa_store_new_file(stoa_store *store) {
    return atomic_fetch_add_explicit(&store->next_file, 1, memory_order_relaxed);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* What follows for one table. */
struct effect {
    stoa_state *state;
    stoa_version *version;
    stoa_state_view *view; /* without memtables, until it is published */
    stoa_memtable *flushed;
};

/* A change on its way: the edit, and what follows for each table. */
struct edition {
    stoa_store *store;
    const stoa_store_change *change;
    stoa_arena arena;
    stoa_manifest_edit edit;
    int32_t *levels;   /* of the files before they are added: those that move have one */
    uint64_t *removed; /* of the table that is looked at */
    stoa_table_file **added;
    struct effect *effects;
    int64_t effect_count;
};

static stoa_memtable *flushed_memtable(const stoa_store_generation *generation,
                                       const stoa_state *state) {
    for (int64_t i = 0; generation != NULL && i < generation->count; i++) {
        if (generation->items[i].state == state) {
            return generation->items[i].memtable;
        }
    }
    return NULL;
}

/* Files that were read or written by other columns than a table has now. */
static stoa_status check_placements(const stoa_file_placement *placements, int64_t count,
                                    stoa_error *err) {
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(stoa_state_check_current(placements[i].state, err));
    }
    return STOA_OK;
}

/* The edit's lists, in the arena. */
static stoa_status list_edit(struct edition *edition, stoa_error *err) {
    const stoa_store_change *change = edition->change;
    stoa_manifest_removal *removed = NULL;
    stoa_manifest_file *added = NULL;
    stoa_arena *arena = &edition->arena;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->removed_count, sizeof *removed,
                                       (void **)&removed, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->added_count, sizeof *added,
                                       (void **)&added, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->added_count, sizeof *edition->levels,
                                       (void **)&edition->levels, err));
    for (int64_t i = 0; i < change->added_count; i++) {
        edition->levels[i] = change->added[i].file->info.level;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->removed_count,
                                       sizeof *edition->removed, (void **)&edition->removed, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)change->added_count,
                                       sizeof(stoa_table_file *), (void **)&edition->added, err));
    int64_t removed_count = 0, added_count = 0;
    for (int64_t i = 0; i < change->removed_count; i++) {
        if (!change->removed[i].state->is_gone) {
            removed[removed_count++] =
                (stoa_manifest_removal){change->removed[i].state->id,
                                        change->removed[i].file->info.number};
        }
    }
    for (int64_t i = 0; i < change->added_count; i++) {
        const stoa_file_placement *placement = &change->added[i];
        if (placement->state->is_gone) { /* dropped while the file was written */
            atomic_store_explicit(&placement->file->is_obsolete, true, memory_order_relaxed);
            continue;
        }
        added[added_count] = (stoa_manifest_file){placement->state->id, placement->file->info};
        added[added_count++].info.level = placement->level;
    }
    edition->edit = (stoa_manifest_edit){
        .tables = change->table,
        .table_count = change->table != NULL ? 1 : 0,
        .dropped = &change->dropped_id,
        .dropped_count = change->dropped_id != 0 ? 1 : 0,
        .removed = removed,
        .removed_count = removed_count,
        .added = added,
        .added_count = added_count,
        .log_segment = change->log_segment,
        .flushed_sequence = change->flushed_sequence,
    };
    return STOA_OK;
}

/* The files as they are afterwards; `edition` has the lists of the table's. */
static stoa_status make_version(const struct edition *edition, const stoa_state *state,
                                const stoa_state_view *now, int64_t removed_count,
                                int64_t added_count, stoa_version **out, stoa_error *err) {
    const stoa_store_change *change = edition->change;
    if (change->altered == state) {
        return stoa_store_reopen_version(edition->store, now->version,
                                         stoa_state_definition(change->successor),
                                         change->reopened, out, err);
    }
    return stoa_version_apply(now->version, edition->removed, removed_count, edition->added,
                              added_count, out, err);
}

/* The version that a table has afterwards. Under manifest_lock nobody else changes versions. */
static stoa_status prepare_effect(struct edition *edition, stoa_state *state, stoa_error *err) {
    const stoa_store_change *change = edition->change;
    struct effect effect = {.flushed = flushed_memtable(change->flushed, state)};
    const bool is_altered = change->altered == state;
    int64_t removed_count = 0, added_count = 0;
    for (int64_t i = 0; i < change->removed_count; i++) {
        if (change->removed[i].state == state) {
            edition->removed[removed_count++] = change->removed[i].file->info.number;
        }
    }
    for (int64_t i = 0; i < change->added_count; i++) {
        if (change->added[i].state == state) {
            edition->added[added_count++] = change->added[i].file;
        }
    }
    if (removed_count == 0 && added_count == 0 && effect.flushed == NULL && !is_altered) {
        return STOA_OK;
    }
    stoa_state_view *now = stoa_state_acquire(state);
    stoa_status status = make_version(edition, state, now, removed_count, added_count,
                                      &effect.version, err);
    if (status == STOA_OK) {
        status = stoa_state_view_create(edition->store->pool,
                                        is_altered ? stoa_state_definition(change->successor)
                                                   : now->definition,
                                        effect.version, &effect.view, err);
    }
    stoa_state_view_release(now);
    if (status != STOA_OK) {
        stoa_version_release(effect.version);
        return status;
    }
    effect.state = stoa_state_retain(is_altered ? change->successor : state);
    edition->effects[edition->effect_count++] = effect;
    return STOA_OK;
}

static stoa_status prepare(struct edition *edition, stoa_error *err) {
    stoa_state **tables = NULL;
    int64_t count = 0;
    const stoa_store_change *change = edition->change;
    STOA_TRY(check_placements(change->removed, change->removed_count, err));
    STOA_TRY(check_placements(change->added, change->added_count, err));
    STOA_TRY(list_edit(edition, err));
    STOA_TRY(stoa_store_list(edition->store, &tables, &count, err));
    for (int64_t i = 0; i < edition->change->added_count; i++) {
        edition->change->added[i].file->info.level = edition->change->added[i].level;
    }
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&edition->arena, (size_t)count, sizeof *edition->effects,
                                         (void **)&edition->effects, err));
    for (int64_t i = 0; i < count; i++) {
        STOA_CHECK(prepare_effect(edition, tables[i], err));
    }

done:
    stoa_store_list_release(edition->store, tables, count);
    return status;
}

/* The memtables of the view before, without the one that is a file now. */
static void publish_effect(struct effect *effect) {
    const stoa_state_view *before = atomic_load_explicit(&effect->state->view,
                                                         memory_order_relaxed);
    for (int32_t i = 0; i < before->memtable_count; i++) {
        if (before->memtables[i] != effect->flushed) {
            stoa_state_view_add(effect->view, before->memtables[i]);
        }
    }
    stoa_state_show_view(effect->state, effect->view);
    effect->view = NULL;
}

static bool is_added(const stoa_store_change *change, const stoa_table_file *file) {
    for (int64_t i = 0; i < change->added_count; i++) {
        if (change->added[i].file == file) {
            return true;
        }
    }
    return false;
}

void stoa_store_take_out(stoa_store *store, const stoa_state *state) {
    for (int32_t i = 0; i < store->table_count; i++) {
        if (store->tables[i] == state) {
            store->tables[i] = store->tables[--store->table_count];
            return;
        }
    }
}

static void publish(struct edition *edition) {
    const stoa_store_change *change = edition->change;
    stoa_store *store = edition->store;
    /* A view is made of the one before it: nobody else publishes one meanwhile. */
    pthread_mutex_lock(&store->lock);
    for (int64_t i = 0; i < edition->effect_count; i++) {
        publish_effect(&edition->effects[i]);
        stoa_state_measure(edition->effects[i].state);
    }
    if (change->dropped != NULL) {
        stoa_store_take_out(store, change->dropped);
    }
    if (change->altered != NULL) {
        stoa_store_succeed(store, change->altered, change->successor);
    }
    pthread_mutex_unlock(&store->lock);
    if (change->altered != NULL) {
        stoa_state_release(change->altered); /* the store's reference */
    }
    if (change->dropped != NULL) {
        change->dropped->is_gone = true;
        stoa_state_release(change->dropped); /* the store's reference */
    }
    for (int64_t i = 0; i < change->removed_count; i++) {
        if (!is_added(change, change->removed[i].file)) { /* it did not only move */
            atomic_store_explicit(&change->removed[i].file->is_obsolete, true,
                                  memory_order_relaxed);
        }
    }
}

/* A file that was to move is where it was. */
static void restore_levels(struct edition *edition) {
    for (int64_t i = 0; edition->levels != NULL && i < edition->change->added_count; i++) {
        edition->change->added[i].file->info.level = edition->levels[i];
    }
}

stoa_status stoa_store_change_files(stoa_store *store, const stoa_store_change *change,
                                    stoa_error *err) {
    struct edition edition = {.store = store, .change = change};
    stoa_arena_init(&edition.arena, store->pool);
    pthread_mutex_lock(&store->manifest_lock);
    stoa_status status = STOA_OK;
    STOA_CHECK(prepare(&edition, err));
    edition.edit.next_file = atomic_load_explicit(&store->next_file, memory_order_relaxed);
    edition.edit.last_sequence = change->last_sequence != 0
                                     ? change->last_sequence
                                     : atomic_load_explicit(&store->last_sequence,
                                                            memory_order_acquire);
    STOA_CHECK(stoa_manifest_append(store->manifest, &edition.edit, err));
    if (change->last_sequence != 0) {
        store->loaded_sequence = change->last_sequence;
    }
    publish(&edition);

done:
    if (status != STOA_OK) {
        restore_levels(&edition);
    }
    pthread_mutex_unlock(&store->manifest_lock);
    for (int64_t i = 0; i < edition.effect_count; i++) {
        stoa_state_view_release(edition.effects[i].view);
        stoa_version_release(edition.effects[i].version);
        stoa_state_release(edition.effects[i].state);
    }
    stoa_arena_release(&edition.arena);
    return status;
}
