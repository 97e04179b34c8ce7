/* An open table: what programs ask of it besides reading and writing rows. */
#include "lsm/store_internal.h"

stoa_status stoa_state_compact(stoa_state *state, const stoa_cell *from, int32_t from_count,
                               const stoa_cell *to, int32_t to_count, const stoa_context *context,
                               stoa_error *err) {
    stoa_store *store = state->store;
    stoa_context own = store->context;
    stoa_key_range range;
    stoa_buffer bytes;
    STOA_TRY(stoa_store_check_writable(store, err));
    if (context != NULL) {
        own.cancel = context->cancel;
        own.progress = context->progress;
        own.progress_user = context->progress_user;
    }
    stoa_buffer_init(&bytes, state->pool);
    stoa_status status = stoa_state_key_range(atomic_load_explicit(&state->definition,
                                                                   memory_order_acquire),
                                              from, from_count, to, to_count, &bytes, &range, err);
    if (status == STOA_OK) {
        status = stoa_store_compact_range(state, from_count == 0 && to_count == 0 ? NULL : &range,
                                          &own, err);
    }
    stoa_buffer_release(&bytes);
    return status;
}

void stoa_state_set_filter(stoa_state *state, stoa_compaction_filter filter, void *user) {
    pthread_mutex_lock(&state->store->lock);
    state->filter = filter;
    state->filter_user = user;
    pthread_mutex_unlock(&state->store->lock);
}

stoa_status stoa_state_sync(stoa_state *state, stoa_error *err) {
    STOA_TRY(stoa_store_check_writable(state->store, err));
    stoa_wal *wal = state->store->wal;
    return stoa_wal_sync(wal, stoa_wal_end(wal), err);
}

stoa_status stoa_state_flush(stoa_state *state, stoa_error *err) {
    return stoa_store_flush(state->store, err);
}

/* Who reads only must not merge files either: the numbers of new ones are the writer's. */
stoa_status stoa_state_settle(stoa_state *state, stoa_error *err) {
    STOA_TRY(stoa_store_check_writable(state->store, err));
    return stoa_store_settle(state->store, &state->store->context, err);
}

void stoa_state_close(stoa_state *state) {
    stoa_state_release(state);
}

const stoa_schema *stoa_state_schema(const stoa_state *state) {
    return atomic_load_explicit(&state->definition, memory_order_acquire)->schema;
}

int32_t stoa_state_key_column(const stoa_state *state, int32_t part) {
    const stoa_key_format *key =
        &atomic_load_explicit(&state->definition, memory_order_acquire)->key;
    return part >= 0 && part < key->part_count ? key->parts[part].column : -1;
}
