/* Schedulers: made, closed, and given more or fewer threads.
 *
 * Locks: `lock` guards which threads there are. Workers take it when they end, guests when they enter
 * and leave. Nobody waits for a thread while it is held, but for one that takes nothing any more. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "sched/internal.h"

static stoa_status choose_threads(int32_t asked, int32_t *out, stoa_error *err) {
    const char *text = getenv("STOA_THREADS");
    *out = asked;
    if (asked == 0 && text != NULL && *text != '\0') {
        char *end = NULL;
        long value = strtol(text, &end, 10);
        if (*end != '\0' || value < 1 || value > STOA_THREADS_MAX) {
            return stoa_fail(err, STOA_INVALID,
                             "STOA_THREADS: expected a number from 1 to %d but found '%s'",
                             STOA_THREADS_MAX, text);
        }
        *out = (int32_t)value;
    } else if (asked == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        *out = processors < 1                  ? 1
               : processors > STOA_THREADS_MAX ? STOA_THREADS_MAX
                                               : (int32_t)processors;
    } else if (asked < 0 || asked > STOA_THREADS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected from 1 to %d threads but found %" PRId32,
                         STOA_THREADS_MAX, asked);
    }
    return STOA_OK;
}

stoa_status stoa_sched_check_process(const stoa_sched *sched, stoa_error *err) {
    if (sched != NULL && sched->process != getpid()) {
        return stoa_fail(err, STOA_INVALID,
                         "the scheduler was made before a fork: make one in the child");
    }
    return STOA_OK;
}

/* ---- threads; under the lock ---- */

/* With the signals of the process blocked: they are meant for the program's own threads. Not those
 * that a thread raises by what it does: blocked, they end the process without asking any handler
 * (a program's, or the one for mapped files that are cut short). */
static int start_thread(struct worker *worker) {
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t all, before;
    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        (void)sigdelset(&all, own[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, stoa_worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->started = error == 0;
    if (error == 0) {
        (void)atomic_fetch_add_explicit(&worker->sched->running, 1, memory_order_relaxed);
        char name[16];
        (void)snprintf(name, sizeof name, "stoa-%" PRId32, worker->number);
        (void)pthread_setname_np(worker->thread, name);
    }
    return error;
}

static void join_thread(struct worker *worker) {
    if (worker->started) {
        (void)pthread_join(worker->thread, NULL);
        (void)atomic_fetch_sub_explicit(&worker->sched->running, 1, memory_order_relaxed);
        worker->started = false;
    }
}

static int start_number(stoa_sched *sched, int32_t number) {
    struct worker *worker = sched->by_number[number];
    if (worker == NULL) {
        worker = stoa_worker_create(sched, number);
        sched->by_number[number] = worker;
    }
    if (worker == NULL) {
        return ENOMEM;
    }
    if (worker->started && !worker->gone) {
        return 0; /* it may have been about to end, and now is not */
    }
    join_thread(worker);
    worker->gone = false;
    return start_thread(worker);
}

static int start_missing(stoa_sched *sched, int32_t threads) {
    int error = 0;
    for (int32_t i = 0; i < threads && error == 0; i++) {
        error = start_number(sched, i);
    }
    return error;
}

int stoa_sched_start(stoa_sched *sched) {
    int error = 0;
    if (sched->deterministic || atomic_load_explicit(&sched->started, memory_order_acquire)) {
        return 0;
    }
    (void)pthread_mutex_lock(&sched->lock);
    if (!atomic_load_explicit(&sched->started, memory_order_relaxed)) {
        error = start_missing(sched, atomic_load_explicit(&sched->threads, memory_order_relaxed));
        atomic_store_explicit(&sched->started, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(&sched->lock);
    return error;
}

/* ---- public ---- */

static void init(stoa_sched *sched, stoa_pool *pool, const stoa_sched_options *options,
                 int32_t threads) {
    (void)pthread_mutex_init(&sched->lock, NULL);
    (void)pthread_mutex_init(&sched->park_lock, NULL);
    for (int i = 0; i < STOA_PRIORITIES; i++) {
        stoa_queue_init(&sched->queues[i]);
    }
    sched->pool = pool;
    sched->process = getpid();
    sched->deterministic = options->deterministic;
    sched->random = options->seed;
    sched->detached = (stoa_group){.sched = sched, .priority = STOA_FOREGROUND};
    atomic_init(&sched->threads, threads);
}

stoa_status stoa_sched_create(stoa_pool *pool, const stoa_sched_options *options, stoa_sched **out,
                              stoa_error *err) {
    static const stoa_sched_options defaults = {0, false, 0};
    options = options == NULL ? &defaults : options;
    int32_t threads = 0;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(choose_threads(options->threads, &threads, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_sched), &memory, err));
    init(memory, pool, options, threads);
    *out = memory;
    return STOA_OK;
}

void stoa_sched_close(stoa_sched *sched) {
    /* In a child of fork the threads are not there, and a lock may be held for ever. */
    if (sched == NULL || sched->process != getpid()) {
        return;
    }
    (void)stoa_sched_help(sched, &sched->detached, &sched->detached.pending, STOA_BACKGROUND, 0);
    atomic_store_explicit(&sched->closing, true, memory_order_seq_cst);
    stoa_park_notify_all(sched);
    stoa_pool *pool = sched->pool;
    int32_t count = atomic_load_explicit(&sched->worker_count, memory_order_relaxed);
    for (int32_t i = 0; i < count; i++) {
        join_thread(sched->workers[i]);
    }
    for (int32_t i = 0; i < count; i++) {
        stoa_pool_free(pool, sched->workers[i], sizeof *sched->workers[i]);
    }
    for (int i = 0; i < STOA_PRIORITIES; i++) {
        stoa_queue_release(&sched->queues[i], pool);
    }
    (void)pthread_mutex_destroy(&sched->park_lock);
    (void)pthread_mutex_destroy(&sched->lock);
    stoa_pool_free(pool, sched, sizeof *sched);
}

int32_t stoa_sched_threads(const stoa_sched *sched) {
    return sched == NULL ? 1 : atomic_load_explicit(&sched->threads, memory_order_relaxed);
}

stoa_status stoa_sched_set_threads(stoa_sched *sched, int32_t threads, stoa_error *err) {
    int32_t chosen = 0;
    STOA_TRY(choose_threads(threads, &chosen, err));
    STOA_TRY(stoa_sched_check_process(sched, err));
    (void)pthread_mutex_lock(&sched->lock);
    bool started = atomic_load_explicit(&sched->started, memory_order_relaxed);
    int32_t before = atomic_exchange_explicit(&sched->threads, chosen, memory_order_seq_cst);
    int error = started && !sched->deterministic ? start_missing(sched, chosen) : 0;
    if (error != 0) {
        atomic_store_explicit(&sched->threads, before, memory_order_seq_cst);
    }
    stoa_park_notify_all(sched);
    (void)pthread_mutex_unlock(&sched->lock);
    return error == 0 ? STOA_OK : stoa_fail_errno(err, error, "start", "a worker thread");
}
