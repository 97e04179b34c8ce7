/* Closing a store, and what is left of it for those who did not close before.
 *
 * Handles of tables, snapshots, batches and transactions keep the store's memory, no more: after its close
 * every write is refused. Reading ends later, when the registry of what the database has open
 * (mem/resource.h) releases what still holds files: iterators, rows and transactions give back their
 * views, tables exchange theirs for one that answers errors. So nothing is checked for each get. */
#include "lsm/store_internal.h"

#include "mem/resource.h"

/* ---- References ------------------------------------------------------------------------------ */

stoa_store *stoa_store_retain(stoa_store *store) {
    atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
    return store;
}

void stoa_store_release(stoa_store *store) {
    /* acq_rel: what others did with it is done before it goes */
    if (atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->manifest_lock);
    pthread_mutex_destroy(&store->commit_lock);
    stoa_pool *pool = store->pool;
    stoa_pool_free(pool, store, sizeof *store);
    stoa_pool_close(pool);
}

stoa_status stoa_store_fail_closed(stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "the database was closed");
}

stoa_status stoa_store_check_writable(const stoa_store *store, stoa_error *err) {
    return !store->read_only  ? STOA_OK
           : store->is_closed ? stoa_store_fail_closed(err)
                              : stoa_fail(err, STOA_INVALID,
                                          "the database was opened to be read only");
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void end_reading(void *owner) {
    stoa_state *state = owner;
    stoa_state_show_view(state, stoa_state_view_retain(state->closed_view));
}

stoa_status stoa_state_enter(stoa_state *state, stoa_definition *definition, stoa_error *err) {
    stoa_version *nothing = NULL;
    STOA_TRY(stoa_version_create(state->pool, &nothing, err));
    stoa_status status = stoa_state_view_create(state->pool, definition, nothing,
                                                &state->closed_view, err);
    stoa_version_release(nothing);
    STOA_TRY(status);
    state->closed_view->is_closed = true;
    return stoa_resource_enter(state->pool, STOA_RESOURCE_STATE, "", end_reading, state,
                               &state->resource, err);
}

void stoa_state_leave(stoa_state *state) {
    stoa_resource_leave(state->resource);
    stoa_state_view_release(state->closed_view);
}

stoa_status stoa_state_acquire_open(stoa_state *state, stoa_state_view **out, stoa_error *err) {
    *out = stoa_state_acquire(state);
    if (!(*out)->is_closed) {
        return STOA_OK;
    }
    stoa_state_view_release(*out);
    *out = NULL;
    STOA_TRY(stoa_state_check_current(state, err));
    return stoa_store_fail_closed(err);
}

/* ---- Closing --------------------------------------------------------------------------------- */

/* What no log has is lost with the process, but not when it ends in good order. */
static void flush_unlogged(stoa_store *store) {
    stoa_error error;
    if (store->has_unlogged && stoa_store_flush(store, &error) != STOA_OK) {
        stoa_log(store->context.logger, STOA_LOG_ERROR, "lsm",
                 "rows that were written without a log are lost: %s", error.message);
    }
}

static void free_generations(stoa_store *store) {
    while (store->oldest != NULL) {
        stoa_store_forget_oldest(store);
    }
}

static void stop(stoa_store *store) {
    flush_unlogged(store);
    pthread_mutex_lock(&store->lock);
    store->is_closing = true;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    if (atomic_load_explicit(&store->has_syncer, memory_order_acquire)) {
        pthread_join(store->syncer, NULL);
    }
    stoa_cancel_trigger(stoa_group_cancel(&store->compactions));
    STOA_IGNORE(stoa_group_wait(&store->flushes, NULL));
    STOA_IGNORE(stoa_group_wait(&store->compactions, NULL));
}

/* Writers and who looks at figures meet a store without log and tables. */
static void give_back(stoa_store *store) {
    free_generations(store);
    for (int32_t i = 0; i < store->table_count; i++) {
        stoa_state_release(store->tables[i]);
    }
    stoa_pool_free(store->pool, store->tables,
                   (size_t)store->table_capacity * sizeof *store->tables);
    stoa_wal_close(store->wal);
    stoa_manifest_close(store->manifest);
    stoa_rate_limiter_close(store->limiter);
    stoa_merge_programs_close(store->programs);
    stoa_pool_free_string(store->pool, store->boot);
    stoa_pool_free_string(store->pool, store->directory);
    store->tables = NULL;
    store->table_count = store->table_capacity = 0;
    store->wal = NULL;
    store->manifest = NULL;
    store->limiter = NULL;
    store->programs = NULL;
    store->boot = store->directory = NULL;
}

void stoa_store_close(stoa_store *store) {
    if (store == NULL) {
        return;
    }
    stop(store);
    give_back(store);
    store->read_only = true;
    store->is_closed = true;
    stoa_store_release(store);
}
