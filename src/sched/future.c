/* Futures: one task whose end may be asked for more than once, by several threads.
 *
 * Two hold it: the handle and the task. Whoever lets go last frees it. The task belongs to the
 * scheduler's own group, which has no token: it always runs, if only to say that it did not. */
#include "base/clock.h"
#include "base/error.h"
#include "sched/internal.h"

struct stoa_future {
    stoa_sched *sched;
    stoa_pool *pool;
    stoa_cancel *cancel;
    stoa_task_function function;
    void *user;
    _Atomic int64_t pending; /* 1 until `status` and `error` are written */
    atomic_int references;
    stoa_status status;
    stoa_error error;
};

static void future_release(stoa_future *future) {
    if (atomic_fetch_sub_explicit(&future->references, 1, memory_order_acq_rel) == 1) {
        stoa_cancel_close(future->cancel);
        stoa_pool_free(future->pool, future, sizeof *future);
    }
}

static stoa_status run_future(void *user, stoa_error *err) {
    stoa_future *future = user;
    stoa_sched *sched = future->sched;
    future->status = stoa_cancel_check(future->cancel, err);
    if (future->status == STOA_OK) {
        future->status = future->function(future->user, err);
    }
    if (future->status != STOA_OK) {
        future->error = *err;
        future->error.status = future->status;
    }
    /* Sequentially consistent: it comes before the look at who sleeps. */
    atomic_store_explicit(&future->pending, 0, memory_order_seq_cst);
    stoa_park_notify_done(sched, &future->pending);
    future_release(future);
    return STOA_OK;
}

stoa_status stoa_sched_submit(stoa_sched *sched, stoa_task_function function, void *user,
                              const stoa_context *context, stoa_future **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (sched == NULL) {
        return stoa_fail(err, STOA_INVALID, "expected a scheduler but found none");
    }
    STOA_TRY(stoa_sched_check_process(sched, err));
    stoa_pool *pool = context != NULL && context->pool != NULL ? context->pool : sched->pool;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_future), &memory, err));
    stoa_future *future = memory;
    *future = (stoa_future){.sched = sched,
                            .pool = pool,
                            .function = function,
                            .user = user,
                            .status = STOA_OK};
    atomic_init(&future->pending, 1);
    atomic_init(&future->references, 2);
    stoa_status status = stoa_cancel_create(context != NULL ? context->cancel : NULL,
                                            &future->cancel, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, future, sizeof *future);
        return status;
    }
    *out = future;
    struct task task = {run_future, future, &sched->detached};
    stoa_sched_spawn(sched, &task, false);
    return STOA_OK;
}

stoa_status stoa_future_wait(stoa_future *future, int64_t timeout_ms, stoa_error *err) {
    int64_t until_ns = 0;
    if (timeout_ms >= 0 &&
        (__builtin_mul_overflow(timeout_ms, INT64_C(1000000), &until_ns) ||
         __builtin_add_overflow(until_ns, stoa_clock_monotonic_ns(), &until_ns))) {
        until_ns = 0;
    }
    if (!stoa_sched_help(future->sched, NULL, &future->pending, STOA_FOREGROUND, until_ns)) {
        return stoa_fail(err, STOA_LOCKED, "the task has not ended after %" PRId64 " ms",
                         timeout_ms);
    }
    if (future->status != STOA_OK && err != NULL) {
        *err = future->error;
    }
    return future->status;
}

bool stoa_future_is_done(const stoa_future *future) {
    return atomic_load_explicit(&future->pending, memory_order_acquire) == 0;
}

void stoa_future_cancel(stoa_future *future) {
    stoa_cancel_trigger(future->cancel);
}

void stoa_future_close(stoa_future *future) {
    if (future != NULL) {
        future_release(future);
    }
}
