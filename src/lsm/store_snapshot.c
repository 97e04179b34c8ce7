/* Snapshots: numbers that compactions keep the rows for. */
#include "lsm/store_internal.h"

uint64_t stoa_state_sequence(const stoa_state *state, const stoa_state_snapshot *snapshot) {
    return snapshot != NULL ? snapshot->sequence
                            : atomic_load_explicit(&state->store->last_sequence,
                                                   memory_order_acquire); /* pairs with commits */
}

stoa_status stoa_state_snapshot_create(stoa_state *state, stoa_state_snapshot **out,
                                       stoa_error *err) {
    stoa_store *store = state->store;
    stoa_state_snapshot *snapshot = NULL;
    STOA_TRY(stoa_pool_allocate_array(store->pool, 1, sizeof *snapshot, (void **)&snapshot, err));
    pthread_mutex_lock(&store->lock);
    /* The ring grows by its number: the newest is read under the lock. */
    *snapshot = (stoa_state_snapshot){.store = stoa_store_retain(store),
                                      .sequence = stoa_state_sequence(state, NULL),
                                      .before = store->snapshots.before,
                                      .after = &store->snapshots};
    snapshot->before->after = snapshot->after->before = snapshot;
    pthread_mutex_unlock(&store->lock);
    *out = snapshot;
    return STOA_OK;
}

void stoa_state_snapshot_close(stoa_state_snapshot *snapshot) {
    if (snapshot == NULL) {
        return;
    }
    stoa_store *store = snapshot->store;
    pthread_mutex_lock(&store->lock);
    snapshot->before->after = snapshot->after;
    snapshot->after->before = snapshot->before;
    pthread_mutex_unlock(&store->lock);
    stoa_pool_free(store->pool, snapshot, sizeof *snapshot);
    stoa_store_release(store);
}

stoa_status stoa_store_snapshots(stoa_store *store, uint64_t **out, int64_t *out_count,
                                 stoa_error *err) {
    int64_t count = 1;
    pthread_mutex_lock(&store->lock);
    for (const stoa_state_snapshot *s = store->snapshots.after; s != &store->snapshots;
         s = s->after) {
        count++;
    }
    stoa_status status = stoa_pool_allocate_array(store->pool, (size_t)count, sizeof **out,
                                                  (void **)out, err);
    if (status == STOA_OK) {
        int64_t i = 0;
        for (const stoa_state_snapshot *s = store->snapshots.after; s != &store->snapshots;
             s = s->after) {
            (*out)[i++] = s->sequence;
        }
        (*out)[i] = atomic_load_explicit(&store->last_sequence, memory_order_acquire);
        *out_count = count;
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}
