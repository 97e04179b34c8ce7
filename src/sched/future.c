/* Futures: one task whose end may be asked for more than once, by several threads.
 *
 * Two hold it: the handle and the task. Whoever lets go last frees it. The task belongs to the
 * scheduler's own group, which has no token: it always runs, if only to give back what it was
 * handed and to say that it did nothing. */
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "mem/resource.h"
#include "sched/internal.h"

struct stoa_future {
    stoa_sched *sched;
    stoa_pool *pool;
    stoa_cancel *cancel;
    stoa_cancel *_Atomic also; /* triggered with it; NULL: none. The task does not look at it */
    stoa_async_function function;
    stoa_context context; /* the caller's, with the future's own token in it */
    size_t bytes;         /* of all of it */
    stoa_resource *resource;
    _Atomic int64_t pending; /* 1 until `status` and `error` are written */
    atomic_int references;
    stoa_status status;
    stoa_error error;
    alignas(max_align_t) uint8_t arguments[];
};

static void future_release(stoa_future *future) {
    if (atomic_fetch_sub_explicit(&future->references, 1, memory_order_acq_rel) == 1) {
        stoa_cancel_close(future->cancel);
        stoa_cancel_close(atomic_load_explicit(&future->also, memory_order_relaxed));
        stoa_pool_free(future->pool, future, future->bytes);
    }
}

static stoa_status run_future(void *user, stoa_error *err) {
    stoa_future *future = user;
    stoa_sched *sched = future->sched;
    future->status = future->function(future->arguments, &future->context, err);
    if (future->status != STOA_OK) {
        future->error = *err;
        future->error.status = future->status;
    }
    stoa_resource_leave(future->resource);
    /* Sequentially consistent: it comes before the look at who sleeps. */
    atomic_store_explicit(&future->pending, 0, memory_order_seq_cst);
    stoa_park_notify_done(sched, &future->pending);
    future_release(future);
    return STOA_OK;
}

/* Its database is being closed. The handle may be given up already, and the task's own hold ends with
 * the task: so the registry has taken one for this. */
static void end_future(void *owner) {
    STOA_IGNORE(stoa_future_wait(owner, -1, NULL));
    future_release(owner);
}

/* The entry is in the registry's list, so the task has not let go. */
static void hold_future(void *owner) {
    stoa_future *future = owner;
    (void)atomic_fetch_add_explicit(&future->references, 1, memory_order_relaxed);
}

static void stop_future(void *owner) {
    stoa_future_cancel(owner);
}

stoa_status stoa_sched_submit_async(stoa_sched *sched, stoa_async_function function,
                                    const void *arguments, size_t size, const stoa_context *context,
                                    stoa_future **out, stoa_error *err) {
    void *memory = NULL;
    size_t bytes = 0;
    *out = NULL;
    if (sched == NULL) {
        return stoa_fail(err, STOA_INVALID, "expected a scheduler but found none");
    }
    STOA_TRY(stoa_sched_check_process(sched, err));
    stoa_pool *pool = context != NULL && context->pool != NULL ? context->pool : sched->pool;
    if (!stoa_add_size(sizeof(stoa_future), size, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "arguments of %zu bytes are too many", size);
    }
    STOA_TRY(stoa_pool_allocate_array(pool, 1, bytes, &memory, err));
    stoa_future *future = memory;
    future->sched = sched;
    future->pool = pool;
    future->function = function;
    future->bytes = bytes;
    memcpy(future->arguments, arguments, size);
    atomic_init(&future->pending, 1);
    atomic_init(&future->references, 2);
    stoa_status status = stoa_cancel_create(context != NULL ? context->cancel : NULL,
                                            &future->cancel, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, future, bytes);
        return status;
    }
    /* Where the scheduler is at home, whosever pool it is that the call is charged to: the end of
     * the scheduler's database is the end of its tasks. */
    status = stoa_resource_enter(sched->pool, STOA_RESOURCE_TASK, "", end_future, future,
                                 &future->resource, err);
    if (status != STOA_OK) {
        stoa_cancel_close(future->cancel);
        stoa_pool_free(pool, future, bytes);
        return status;
    }
    stoa_resource_set_running(future->resource, stop_future, hold_future);
    future->context = context != NULL ? *context : (stoa_context){0};
    future->context.cancel = future->cancel;
    *out = future;
    struct task task = {run_future, future, &sched->detached};
    stoa_sched_spawn(sched, &task, false);
    return STOA_OK;
}

struct plain_task {
    stoa_task_function function;
    void *user;
};

static stoa_status run_plain(void *arguments, const stoa_context *context, stoa_error *err) {
    const struct plain_task *task = arguments;
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    return task->function(task->user, err);
}

stoa_status stoa_sched_submit(stoa_sched *sched, stoa_task_function function, void *user,
                              const stoa_context *context, stoa_future **out, stoa_error *err) {
    struct plain_task task = {function, user};
    return stoa_sched_submit_async(sched, run_plain, &task, sizeof task, context, out, err);
}

/* Who is no worker and has only so much time runs nothing, where threads are there to do it: a task
 * could take longer. 0: for ever. */
static bool wait_until(stoa_future *future, int64_t until_ns) {
    stoa_sched *sched = future->sched;
    bool only_waits = until_ns != 0 && stoa_worker_current(sched) == NULL &&
                      atomic_load_explicit(&sched->running, memory_order_relaxed) > 0;
    if (!only_waits) {
        return stoa_sched_help(sched, NULL, &future->pending, STOA_FOREGROUND, until_ns);
    }
    bool in_time = true;
    stoa_park_begin_search(sched);
    while (!stoa_future_is_done(future) && in_time) {
        in_time = stoa_park_sleep(sched, NULL, &future->pending, STOA_FOREGROUND, until_ns);
    }
    stoa_park_end_search(sched);
    return stoa_future_is_done(future);
}

stoa_status stoa_future_wait(stoa_future *future, int64_t timeout_ms, stoa_error *err) {
    int64_t until_ns = 0;
    if (timeout_ms >= 0 &&
        (__builtin_mul_overflow(timeout_ms, INT64_C(1000000), &until_ns) ||
         __builtin_add_overflow(until_ns, stoa_clock_monotonic_ns(), &until_ns))) {
        until_ns = 0;
    }
    /* The scheduler of one that is done may be closed. */
    if (!stoa_future_is_done(future) && !wait_until(future, until_ns)) {
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
    /* Acquire: the token itself. Pairs with stoa_future_also_trigger. */
    stoa_cancel_trigger(atomic_load_explicit(&future->also, memory_order_acquire));
}

void stoa_future_also_trigger(stoa_future *future, stoa_cancel *cancel) {
    atomic_store_explicit(&future->also, stoa_cancel_retain(cancel), memory_order_release);
}

void stoa_future_close(stoa_future *future) {
    if (future != NULL) {
        future_release(future);
    }
}
