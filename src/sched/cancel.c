/* Cancellation tokens: a flag, a deadline and a pointer to the token above.
 *
 * Tokens are made before there is a pool to charge (by a signal handler's owner, say) and are
 * 64 bytes each, so they come straight from the system's allocator through a pool of their own. */
#include <stdatomic.h>

#include <stoa/context.h>

#include "base/clock.h"
#include "base/error.h"
#include "mem/pool.h"
#include "sched/sched.h"

struct stoa_cancel {
    stoa_cancel *parent;
    stoa_pool *pool; /* holds this token only */
    atomic_bool triggered;
    _Atomic int64_t deadline_ns; /* of the monotonic clock; 0: none */
    atomic_size_t references;
};

stoa_status stoa_cancel_create(stoa_cancel *parent, stoa_cancel **out, stoa_error *err) {
    stoa_pool *pool = NULL;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_create(0, NULL, &pool, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof(stoa_cancel), &memory, err);
    if (status != STOA_OK) {
        stoa_pool_close(pool);
        return status;
    }
    stoa_cancel *cancel = memory;
    cancel->pool = pool;
    cancel->parent = parent;
    atomic_init(&cancel->references, 1);
    (void)stoa_cancel_retain(parent);
    *out = cancel;
    return STOA_OK;
}

stoa_cancel *stoa_cancel_retain(stoa_cancel *cancel) {
    if (cancel != NULL) {
        (void)atomic_fetch_add_explicit(&cancel->references, 1, memory_order_relaxed);
    }
    return cancel;
}

void stoa_cancel_close(stoa_cancel *cancel) {
    while (cancel != NULL &&
           atomic_fetch_sub_explicit(&cancel->references, 1, memory_order_acq_rel) == 1) {
        stoa_cancel *parent = cancel->parent;
        stoa_pool *pool = cancel->pool;
        stoa_pool_free(pool, cancel, sizeof *cancel);
        stoa_pool_close(pool);
        cancel = parent;
    }
}

void stoa_cancel_trigger(stoa_cancel *cancel) {
    if (cancel != NULL) {
        atomic_store_explicit(&cancel->triggered, true, memory_order_relaxed);
    }
}

void stoa_cancel_set_timeout(stoa_cancel *cancel, int64_t timeout_ms) {
    int64_t deadline = 0;
    if (timeout_ms >= 0 &&
        (__builtin_mul_overflow(timeout_ms, INT64_C(1000000), &deadline) ||
         __builtin_add_overflow(deadline, stoa_clock_monotonic_ns(), &deadline))) {
        deadline = 0; /* further away than the clock counts: none */
    }
    atomic_store_explicit(&cancel->deadline_ns, deadline, memory_order_relaxed);
}

static bool deadline_passed(const stoa_cancel *cancel) {
    int64_t deadline = atomic_load_explicit(&cancel->deadline_ns, memory_order_relaxed);
    return deadline != 0 && stoa_clock_monotonic_ns() >= deadline;
}

bool stoa_cancel_is_triggered(const stoa_cancel *cancel) {
    return stoa_cancel_check(cancel, NULL) != STOA_OK;
}

stoa_status stoa_cancel_check(const stoa_cancel *cancel, stoa_error *err) {
    for (; cancel != NULL; cancel = cancel->parent) {
        if (atomic_load_explicit(&cancel->triggered, memory_order_relaxed)) {
            return stoa_fail(err, STOA_CANCELLED, "cancelled by request");
        }
        if (deadline_passed(cancel)) {
            return stoa_fail(err, STOA_CANCELLED, "cancelled: the deadline passed");
        }
    }
    return STOA_OK;
}
