/* Stores that are only read take up what another process has written: the log's new records, or, where
 * the manifest has changed, files and log anew. */
#include <string.h>
#include <time.h>

#include "lsm/store_internal.h"

enum { TRIES = 100 }; /* the writer may replace what is being read, again and again */
static const struct timespec try_wait = {.tv_nsec = 1000 * 1000};

/* The table's state of tomorrow: visible when the log has been read into it. Where its columns are others
 * it is another stoa_state, `state->successor`, and the members below are NULL. */
struct renewal {
    stoa_state *state;
    stoa_state_view *view;
    stoa_memtable *before; /* that took the log's rows until now */
};

static const stoa_manifest_table *find_table(const stoa_manifest_state *manifest, int64_t id) {
    for (int32_t i = 0; i < manifest->table_count; i++) {
        if (manifest->tables[i].id == id) {
            return &manifest->tables[i];
        }
    }
    return NULL;
}

/* The definition that the manifest has, which is mostly the one that there was; a reference. */
static stoa_status read_definition(stoa_state *state, const stoa_manifest_table *table,
                                   stoa_definition **out, stoa_error *err) {
    stoa_definition *now = stoa_state_definition(state);
    stoa_buffer text;
    stoa_buffer_init(&text, state->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_definition_print(now, &text, err));
    if (strcmp((const char *)text.data, table->definition) != 0) {
        STOA_CHECK(stoa_definition_parse(state->store->pool, table->definition, out, err));
    } else {
        *out = stoa_definition_retain(now);
    }

done:
    stoa_buffer_release(&text);
    return status;
}

/* Other rows and files of the same columns. */
static stoa_status renew_rows(stoa_state *state, stoa_version *version, struct renewal *out,
                              stoa_error *err) {
    stoa_definition *definition = stoa_state_definition(state);
    stoa_memtable *memtable = NULL;
    STOA_TRY(stoa_memtable_create(state->pool, &definition->layout, &memtable, err));
    stoa_status status = stoa_state_view_create(state->store->pool, definition, version, &out->view,
                                                err);
    if (status != STOA_OK) {
        stoa_memtable_close(memtable);
        return status;
    }
    stoa_state_view_add(out->view, memtable);
    out->before = state->active;
    state->active = memtable;
    return STOA_OK;
}

static stoa_status renew_table(stoa_state *state, const stoa_manifest_table *table,
                               struct renewal *out, stoa_error *err) {
    stoa_definition *definition = NULL;
    stoa_version *version = NULL;
    stoa_state_view *now = stoa_state_acquire(state);
    stoa_status status = STOA_OK;
    STOA_CHECK(read_definition(state, table, &definition, err));
    const bool is_same = definition == now->definition;
    /* Files are open by a definition: another one opens them anew. */
    STOA_CHECK(stoa_store_load_version(state->store, state->id, definition,
                                       is_same ? now->version : NULL, &version, err));
    STOA_CHECK(is_same ? renew_rows(state, version, out, err)
                       : stoa_state_create_for(state->store, state->id, definition, version,
                                               &state->successor, err));
    out->state = stoa_state_retain(state);

done:
    stoa_version_release(version);
    stoa_definition_release(definition);
    stoa_state_view_release(now);
    return status;
}

static void publish_renewals(stoa_store *store, struct renewal *renewals, int64_t count) {
    pthread_mutex_lock(&store->lock);
    for (int64_t i = 0; i < count; i++) {
        stoa_state *state = renewals[i].state;
        if (state->successor != NULL) {
            stoa_store_succeed(store, state, state->successor);
        } else {
            stoa_state_show_view(state, renewals[i].view);
        }
        renewals[i].view = NULL;
    }
    pthread_mutex_unlock(&store->lock);
    for (int64_t i = 0; i < count; i++) {
        stoa_state *state = renewals[i].state;
        if (state->successor != NULL) {
            stoa_state_release(state->successor);
            state->successor = NULL;
            stoa_state_release(state); /* the store's reference */
        }
    }
}

/* Where it did not work out the rows go on where they went. */
static void give_up_renewals(struct renewal *renewals, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        stoa_state *state = renewals[i].state;
        if (state->successor != NULL) {
            stoa_state_release(state->successor);
            state->successor = NULL;
        } else {
            stoa_memtable *unused = state->active;
            state->active = renewals[i].before;
            renewals[i].before = unused;
        }
    }
}

static void drop_table(stoa_store *store, stoa_state *state) {
    pthread_mutex_lock(&store->lock);
    stoa_store_take_out(store, state);
    pthread_mutex_unlock(&store->lock);
    atomic_store_explicit(&state->is_dropped, true, memory_order_release);
    stoa_state_release(state); /* the store's reference */
}

/* Tables that are new to this process; those that are gone leave. */
static stoa_status renew_list(stoa_store *store, stoa_state **tables, int64_t count,
                              stoa_error *err) {
    const stoa_manifest_state *manifest = stoa_manifest_state_of(store->manifest);
    for (int64_t i = 0; i < count; i++) {
        if (find_table(manifest, tables[i]->id) == NULL) {
            drop_table(store, tables[i]);
        }
    }
    for (int32_t i = 0; i < manifest->table_count; i++) {
        stoa_state *known = stoa_store_find(store, manifest->tables[i].id);
        if (known == NULL) {
            STOA_TRY(stoa_store_load_table(store, &manifest->tables[i], err));
        }
        stoa_state_release(known);
    }
    return STOA_OK;
}

static stoa_status renew(stoa_store *store, stoa_error *err) {
    const stoa_manifest_state *manifest = stoa_manifest_state_of(store->manifest);
    stoa_state **tables = NULL;
    struct renewal *renewals = NULL;
    int64_t table_count = 0, count = 0;
    uint64_t last_sequence = 0;
    stoa_wal *wal = store->wal;
    STOA_TRY(stoa_store_list(store, &tables, &table_count, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate_array(store->pool, (size_t)table_count, sizeof *renewals,
                                        (void **)&renewals, err));
    for (int64_t i = 0; i < table_count; i++) {
        const stoa_manifest_table *table = find_table(manifest, tables[i]->id);
        if (table != NULL) {
            STOA_CHECK(renew_table(tables[i], table, &renewals[count], err));
            count++;
        }
    }
    STOA_CHECK(renew_list(store, tables, table_count, err));
    store->wal = NULL;
    STOA_CHECK(stoa_store_recover(store, &last_sequence, err));
    stoa_wal_close(wal);
    publish_renewals(store, renewals, count);
    stoa_store_raise_sequence(store, last_sequence);

done:
    if (status != STOA_OK) {
        store->wal = wal; /* recovering leaves none where it fails */
        give_up_renewals(renewals, count);
    }
    for (int64_t i = 0; i < count; i++) {
        stoa_state_view_release(renewals[i].view);
        stoa_memtable_close(renewals[i].before);
        stoa_state_release(renewals[i].state);
    }
    stoa_pool_free(store->pool, renewals, (size_t)table_count * sizeof *renewals);
    stoa_store_list_release(store, tables, table_count);
    return status;
}

static stoa_status take_up(stoa_store *store, stoa_error *err) {
    bool changed = false;
    STOA_TRY(stoa_manifest_follow(store->manifest, &changed, err));
    if (!changed && !store->must_renew) {
        return stoa_store_recover_more(store, err);
    }
    store->must_renew = false; /* unless it changes again meanwhile */
    return renew(store, err);
}

stoa_status stoa_store_follow(stoa_store *store, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (!store->read_only) {
        return STOA_OK;
    }
    pthread_mutex_lock(&store->commit_lock);
    for (int i = 0; i < TRIES && (status = take_up(store, err)) != STOA_OK; i++) {
        /* A file or segment that the manifest named is gone: it names others by now. */
        store->must_renew = true;
        (void)nanosleep(&try_wait, NULL);
    }
    pthread_mutex_unlock(&store->commit_lock);
    return status;
}
