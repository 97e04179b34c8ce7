/* Worker threads over one queue for each priority.
 *
 * Locks: `lock` guards all of the scheduler but the counters that say they are atomic. No task runs
 * while it is held. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "sched/internal.h"

enum { THREADS_MAX = 1024, PRIORITIES = 2, BACKGROUND_EVERY = 64 };

struct task {
    stoa_task_function function;
    void *user;
    stoa_group *group;
};

/* A ring that grows; in the deterministic mode a bag. */
struct queue {
    struct task *tasks;
    size_t capacity;
    size_t first;
    size_t count;
};

struct worker {
    stoa_sched *sched;
    int32_t index;
    pthread_t thread;
};

struct stoa_sched {
    pthread_mutex_t lock;
    pthread_cond_t work;    /* a task came, or the workers are to look at `threads` or `closing` */
    pthread_cond_t changed; /* somebody who waits has reason to look again */
    struct queue queues[PRIORITIES];
    stoa_pool *pool;
    struct worker **workers; /* those that were ever started; none moves */
    int32_t worker_count;
    _Atomic int32_t threads;
    int32_t waiting; /* outsiders and workers in pthread_cond_wait on `changed` */
    uint64_t taken;
    bool deterministic;
    uint64_t random;
    bool closing;
    stoa_group detached; /* of futures: waited for by close */
};

static stoa_status choose_threads(int32_t asked, int32_t *out, stoa_error *err) {
    const char *text = getenv("STOA_THREADS");
    *out = asked;
    if (asked == 0 && text != NULL && *text != '\0') {
        char *end = NULL;
        long value = strtol(text, &end, 10);
        if (*end != '\0' || value < 1 || value > THREADS_MAX) {
            return stoa_fail(err, STOA_INVALID,
                             "STOA_THREADS: expected a number from 1 to %d but found '%s'",
                             THREADS_MAX, text);
        }
        *out = (int32_t)value;
    } else if (asked == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        *out = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (int32_t)processors;
    } else if (asked < 0 || asked > THREADS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected from 1 to %d threads but found %" PRId32,
                         THREADS_MAX, asked);
    }
    return STOA_OK;
}

static bool queue_push(stoa_sched *sched, struct queue *queue, const struct task *task) {
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        void *memory = NULL;
        if (stoa_pool_allocate_array(sched->pool, capacity, sizeof *task, &memory, NULL) !=
            STOA_OK) {
            return false;
        }
        struct task *tasks = memory;
        for (size_t i = 0; i < queue->count; i++) {
            tasks[i] = queue->tasks[(queue->first + i) & (queue->capacity - 1)];
        }
        stoa_pool_free(sched->pool, queue->tasks, queue->capacity * sizeof *task);
        *queue = (struct queue){tasks, capacity, 0, queue->count};
    }
    queue->tasks[(queue->first + queue->count++) & (queue->capacity - 1)] = *task;
    return true;
}

static struct task queue_pop(stoa_sched *sched, struct queue *queue) {
    if (sched->deterministic) { /* any of them: the last takes the place of the one drawn */
        sched->random = stoa_hash_u64(sched->random + 1);
        size_t drawn = (size_t)(sched->random % queue->count);
        struct task *at = &queue->tasks[(queue->first + drawn) & (queue->capacity - 1)];
        struct task task = *at;
        *at = queue->tasks[(queue->first + --queue->count) & (queue->capacity - 1)];
        return task;
    }
    struct task task = queue->tasks[queue->first];
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
    return task;
}

/* Foreground first, but every so often the background, so that it never stands still. Who waits
 * for foreground tasks runs no others. */
static bool take(stoa_sched *sched, stoa_priority lowest, struct task *out) {
    struct queue *front = &sched->queues[STOA_FOREGROUND];
    struct queue *back = &sched->queues[STOA_BACKGROUND];
    bool may_back = lowest == STOA_BACKGROUND && back->count > 0;
    if (front->count == 0 && !may_back) {
        return false;
    }
    bool take_back = may_back && (front->count == 0 || ++sched->taken % BACKGROUND_EVERY == 0);
    *out = queue_pop(sched, take_back ? back : front);
    return true;
}

static void run_unlocked(stoa_sched *sched, const struct task *task) {
    (void)pthread_mutex_unlock(&sched->lock);
    stoa_group_run(task->group, task->function, task->user);
    (void)pthread_mutex_lock(&sched->lock);
}

static bool is_surplus(const struct worker *worker) {
    return worker->index >= atomic_load_explicit(&worker->sched->threads, memory_order_relaxed);
}

static void *work(void *user) {
    struct worker *worker = user;
    stoa_sched *sched = worker->sched;
    struct task task;
    (void)pthread_mutex_lock(&sched->lock);
    for (;;) {
        if (!is_surplus(worker) && take(sched, STOA_BACKGROUND, &task)) {
            run_unlocked(sched, &task);
        } else if (sched->closing) {
            break;
        } else {
            (void)pthread_cond_wait(&sched->work, &sched->lock);
        }
    }
    (void)pthread_mutex_unlock(&sched->lock);
    return NULL;
}

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
    int error = pthread_create(&worker->thread, NULL, work, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        char name[16];
        (void)snprintf(name, sizeof name, "stoa-%" PRId32, worker->index);
        (void)pthread_setname_np(worker->thread, name);
    }
    return error;
}

static int add_worker(stoa_sched *sched) {
    struct worker *worker = NULL;
    if (stoa_pool_allocate_array(sched->pool, 1, sizeof *worker, (void **)&worker, NULL) !=
        STOA_OK) {
        return ENOMEM;
    }
    worker->sched = sched;
    worker->index = sched->worker_count;
    int error = start_thread(worker);
    if (error != 0) {
        stoa_pool_free(sched->pool, worker, sizeof *worker);
        return error;
    }
    sched->workers[sched->worker_count++] = worker;
    return 0;
}

/* Under the lock. Without any thread tasks still run: whoever waits runs them. */
static int start_threads(stoa_sched *sched) {
    int32_t threads = atomic_load_explicit(&sched->threads, memory_order_relaxed);
    int error = 0;
    while (sched->worker_count < threads && !sched->deterministic && error == 0) {
        error = add_worker(sched);
    }
    return error;
}

void stoa_sched_push(stoa_sched *sched, stoa_priority priority, stoa_group *group,
                     stoa_task_function function, void *user) {
    struct task task = {function, user, group};
    (void)pthread_mutex_lock(&sched->lock);
    (void)start_threads(sched);
    bool queued = queue_push(sched, &sched->queues[priority], &task);
    (void)pthread_cond_signal(&sched->work);
    if (sched->waiting > 0) {
        (void)pthread_cond_broadcast(&sched->changed);
    }
    (void)pthread_mutex_unlock(&sched->lock);
    if (!queued) {
        stoa_group_run(group, function, user);
    }
}

void stoa_sched_wake_waiters(stoa_sched *sched) {
    (void)pthread_mutex_lock(&sched->lock);
    (void)pthread_cond_broadcast(&sched->changed);
    (void)pthread_mutex_unlock(&sched->lock);
}

static bool wait_changed(stoa_sched *sched, int64_t until_ns) {
    int error = 0;
    sched->waiting++;
    if (until_ns == 0) {
        (void)pthread_cond_wait(&sched->changed, &sched->lock);
    } else {
        struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
        error = pthread_cond_timedwait(&sched->changed, &sched->lock, &until);
    }
    sched->waiting--;
    return error != ETIMEDOUT;
}

bool stoa_sched_help(stoa_sched *sched, _Atomic int64_t *pending, stoa_priority priority,
                     int64_t until_ns) {
    struct task task;
    bool in_time = true;
    (void)pthread_mutex_lock(&sched->lock);
    /* Acquire: pairs with the release of whoever ended the last task. */
    while (atomic_load_explicit(pending, memory_order_acquire) != 0 && in_time) {
        if (take(sched, priority, &task)) {
            run_unlocked(sched, &task);
            in_time = until_ns == 0 || stoa_clock_monotonic_ns() < until_ns;
        } else {
            in_time = wait_changed(sched, until_ns);
        }
    }
    (void)pthread_mutex_unlock(&sched->lock);
    return atomic_load_explicit(pending, memory_order_acquire) == 0;
}

stoa_group *stoa_sched_detached(stoa_sched *sched) {
    return &sched->detached;
}

stoa_pool *stoa_sched_pool(stoa_sched *sched) {
    return sched->pool;
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
    stoa_sched *sched = memory;
    stoa_status status = stoa_pool_allocate_array(pool, THREADS_MAX, sizeof *sched->workers,
                                                  (void **)&sched->workers, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, sched, sizeof *sched);
        return status;
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&sched->changed, &attributes);
    (void)pthread_cond_init(&sched->work, NULL);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&sched->lock, NULL);
    sched->pool = pool;
    atomic_init(&sched->threads, threads);
    sched->deterministic = options->deterministic;
    sched->random = options->seed;
    sched->detached = (stoa_group){.sched = sched, .priority = STOA_FOREGROUND};
    *out = sched;
    return STOA_OK;
}

void stoa_sched_close(stoa_sched *sched) {
    if (sched == NULL) {
        return;
    }
    (void)stoa_sched_help(sched, &sched->detached.pending, STOA_BACKGROUND, 0);
    (void)pthread_mutex_lock(&sched->lock);
    sched->closing = true;
    (void)pthread_cond_broadcast(&sched->work);
    (void)pthread_mutex_unlock(&sched->lock);
    for (int32_t i = 0; i < sched->worker_count; i++) {
        (void)pthread_join(sched->workers[i]->thread, NULL);
        stoa_pool_free(sched->pool, sched->workers[i], sizeof *sched->workers[i]);
    }
    for (int i = 0; i < PRIORITIES; i++) {
        stoa_pool_free(sched->pool, sched->queues[i].tasks,
                       sched->queues[i].capacity * sizeof *sched->queues[i].tasks);
    }
    stoa_pool_free(sched->pool, sched->workers, THREADS_MAX * sizeof *sched->workers);
    (void)pthread_cond_destroy(&sched->changed);
    (void)pthread_cond_destroy(&sched->work);
    (void)pthread_mutex_destroy(&sched->lock);
    stoa_pool_free(sched->pool, sched, sizeof *sched);
}

int32_t stoa_sched_threads(const stoa_sched *sched) {
    return sched == NULL ? 1 : atomic_load_explicit(&sched->threads, memory_order_relaxed);
}

stoa_status stoa_sched_set_threads(stoa_sched *sched, int32_t threads, stoa_error *err) {
    int32_t chosen = 0;
    STOA_TRY(choose_threads(threads, &chosen, err));
    (void)pthread_mutex_lock(&sched->lock);
    int32_t before = atomic_exchange_explicit(&sched->threads, chosen, memory_order_relaxed);
    int error = sched->worker_count > 0 ? start_threads(sched) : 0;
    if (error != 0) {
        atomic_store_explicit(&sched->threads, before, memory_order_relaxed);
    }
    (void)pthread_cond_broadcast(&sched->work);
    (void)pthread_mutex_unlock(&sched->lock);
    return error == 0 ? STOA_OK : stoa_fail_errno(err, error, "start", "a worker thread");
}
