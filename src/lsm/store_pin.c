/* See store_pin.h. Views are taken while nobody commits, so that they are all of one moment: between two
 * of them no commit can come that has rows in one and in the other. */
#include "lsm/store_pin.h"

#include <inttypes.h>

#include "lsm/store_internal.h"

struct pinned {
    int64_t table_id;
    stoa_state_view *view;
};

struct stoa_store_pin {
    _Atomic int64_t references;
    stoa_pool *pool;
    stoa_merge_programs *programs; /* the store's */
    uint64_t sequence;
    int64_t now_ms;
    int64_t count;
    struct pinned tables[];
};

static size_t pin_bytes(int64_t count) {
    return sizeof(stoa_store_pin) + (size_t)count * sizeof(struct pinned);
}

/* With commit_lock. */
static stoa_status take_views(stoa_store *store, stoa_store_pin **out, stoa_error *err) {
    stoa_state **states = NULL;
    int64_t count = 0;
    void *memory = NULL;
    STOA_TRY(stoa_store_list(store, &states, &count, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate(store->pool, pin_bytes(count), &memory, err));
    stoa_store_pin *pin = memory;
    *pin = (stoa_store_pin){.pool = store->pool,
                            .programs = store->programs,
                            .now_ms = stoa_store_now_ms(store),
                            .count = count};
    atomic_init(&pin->references, 1);
    for (int64_t i = 0; i < count; i++) {
        pin->tables[i] = (struct pinned){states[i]->id, stoa_state_acquire(states[i])};
    }
    pin->sequence = atomic_load_explicit(&store->last_sequence, memory_order_acquire);
    *out = pin;

done:
    stoa_store_list_release(store, states, count);
    return status;
}

stoa_status stoa_store_pin_create(stoa_store *store, stoa_store_pin **out, stoa_error *err) {
    *out = NULL;
    pthread_mutex_lock(&store->commit_lock);
    stoa_status status = take_views(store, out, err);
    pthread_mutex_unlock(&store->commit_lock);
    return status;
}

stoa_store_pin *stoa_store_pin_retain(stoa_store_pin *pin) {
    atomic_fetch_add_explicit(&pin->references, 1, memory_order_relaxed);
    return pin;
}

void stoa_store_pin_release(stoa_store_pin *pin) {
    /* acq_rel: what other holders did with the views is done before they go */
    if (pin == NULL || atomic_fetch_sub_explicit(&pin->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (int64_t i = 0; i < pin->count; i++) {
        stoa_state_view_release(pin->tables[i].view);
    }
    stoa_pool_free(pin->pool, pin, pin_bytes(pin->count));
}

uint64_t stoa_store_pin_sequence(const stoa_store_pin *pin) {
    return pin->sequence;
}

stoa_status stoa_store_pin_reading(const stoa_store_pin *pin, int64_t table_id,
                                   stoa_view_reading *out, stoa_error *err) {
    for (int64_t i = 0; i < pin->count; i++) {
        if (pin->tables[i].table_id == table_id) {
            *out = (stoa_view_reading){.view = pin->tables[i].view,
                                       .programs = pin->programs,
                                       .snapshot = pin->sequence,
                                       .now_ms = pin->now_ms};
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_NOT_FOUND, "no state table has the id %" PRId64, table_id);
}
