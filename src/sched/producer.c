/* Producers: one client's tasks, in order, a bounded number of them.
 *
 * A ring of `in_flight` places under a lock. While there is anything in it, one task of the
 * scheduler's own runs the oldest and then puts itself at the end of the queue again, so that many
 * producers take turns. It holds a reference of its own: the client's may be gone before it ends. */
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "sched/internal.h"

enum { IN_FLIGHT_MAX = 1 << 20, LOOK_NS = 5000000 };

struct entry {
    stoa_task_function function;
    void *user;
};

struct stoa_producer {
    pthread_mutex_t lock;
    stoa_sched *sched;
    stoa_pool *pool;
    stoa_cancel *cancel;
    int32_t in_flight;
    int32_t first; /* guarded by lock, as all but the atomic ones */
    int32_t count; /* waiting, and the one that runs */
    struct entry *entries;
    stoa_status status; /* of the first failure */
    stoa_error error;
    _Atomic int64_t full;    /* 1 while there is no place */
    _Atomic int64_t running; /* 1 while the scheduler has a task of this producer's */
    atomic_int references;
};

static void producer_release(stoa_producer *producer) {
    if (atomic_fetch_sub_explicit(&producer->references, 1, memory_order_acq_rel) == 1) {
        stoa_pool *pool = producer->pool;
        stoa_cancel_close(producer->cancel);
        stoa_pool_free(pool, producer->entries,
                       (size_t)producer->in_flight * sizeof *producer->entries);
        (void)pthread_mutex_destroy(&producer->lock);
        stoa_pool_free(pool, producer, sizeof *producer);
    }
}

/* Runs the oldest, unless something failed before it. It keeps its place while it runs. */
static void run_oldest(stoa_producer *producer) {
    stoa_error error = STOA_ERROR_NONE;
    (void)pthread_mutex_lock(&producer->lock);
    struct entry entry = producer->entries[producer->first];
    stoa_status status = producer->status;
    (void)pthread_mutex_unlock(&producer->lock);
    if (status != STOA_OK) {
        return;
    }
    status = stoa_cancel_check(producer->cancel, &error);
    if (status == STOA_OK) {
        status = entry.function(entry.user, &error);
    }
    if (status != STOA_OK) {
        error.status = status;
        (void)pthread_mutex_lock(&producer->lock);
        producer->status = status;
        producer->error = error;
        (void)pthread_mutex_unlock(&producer->lock);
        stoa_cancel_trigger(producer->cancel);
    }
}

/* Gives up the oldest's place. True: there is another one. */
static bool advance(stoa_producer *producer) {
    (void)pthread_mutex_lock(&producer->lock);
    producer->first = (producer->first + 1) % producer->in_flight;
    bool more = --producer->count > 0;
    atomic_store_explicit(&producer->full, 0, memory_order_seq_cst);
    if (!more) {
        atomic_store_explicit(&producer->running, 0, memory_order_seq_cst);
    }
    (void)pthread_mutex_unlock(&producer->lock);
    return more;
}

static stoa_status run_producer(void *user, stoa_error *err) {
    (void)err;
    stoa_producer *producer = user;
    stoa_sched *sched = producer->sched;
    run_oldest(producer);
    bool more = advance(producer);
    stoa_park_notify_done(sched, &producer->full);
    if (more) {
        struct task task = {run_producer, producer, &sched->detached};
        stoa_sched_spawn_last(sched, &task);
        return STOA_OK;
    }
    stoa_park_notify_done(sched, &producer->running);
    producer_release(producer);
    return STOA_OK;
}

stoa_status stoa_producer_create(stoa_sched *sched, stoa_pool *pool, stoa_cancel *parent,
                                 int32_t in_flight, stoa_producer **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (in_flight < 1 || in_flight > IN_FLIGHT_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected from 1 to %d tasks in flight but found %d",
                         IN_FLIGHT_MAX, (int)in_flight);
    }
    STOA_TRY(stoa_sched_check_process(sched, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_producer), &memory, err));
    stoa_producer *producer = memory;
    (void)pthread_mutex_init(&producer->lock, NULL);
    producer->sched = sched;
    producer->pool = pool;
    producer->in_flight = in_flight;
    atomic_init(&producer->references, 1);
    stoa_status status = stoa_pool_allocate_array(pool, (size_t)in_flight,
                                                  sizeof *producer->entries,
                                                  (void **)&producer->entries, err);
    if (status == STOA_OK) {
        status = stoa_cancel_create(parent, &producer->cancel, err);
    }
    if (status != STOA_OK) {
        producer_release(producer);
        return status;
    }
    *out = producer;
    return STOA_OK;
}

/* Under the lock. */
static stoa_status first_failure(const stoa_producer *producer, stoa_error *err) {
    if (producer->status != STOA_OK && err != NULL) {
        *err = producer->error;
    }
    return producer->status;
}

/* One attempt. STOA_OK with `*out_placed` false: every place is taken. */
static stoa_status place(stoa_producer *producer, const struct entry *entry, bool *out_placed,
                         bool *out_begin, stoa_error *err) {
    *out_placed = *out_begin = false;
    (void)pthread_mutex_lock(&producer->lock);
    stoa_status status = first_failure(producer, err);
    if (status == STOA_OK && producer->count < producer->in_flight) {
        producer->entries[(producer->first + producer->count) % producer->in_flight] = *entry;
        *out_placed = true;
        *out_begin = ++producer->count == 1;
        if (*out_begin) {
            atomic_store_explicit(&producer->running, 1, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&producer->full, producer->count == producer->in_flight,
                          memory_order_relaxed);
    (void)pthread_mutex_unlock(&producer->lock);
    return status;
}

/* A token wakes nobody, so it is looked at every now and then. */
static void wait_for_place(stoa_producer *producer) {
    if (producer->sched == NULL) {
        (void)nanosleep(&(struct timespec){0, LOOK_NS / 5}, NULL);
        return;
    }
    (void)stoa_sched_help(producer->sched, NULL, &producer->full, STOA_FOREGROUND,
                          stoa_clock_monotonic_ns() + LOOK_NS);
}

stoa_status stoa_producer_submit(stoa_producer *producer, stoa_task_function function, void *user,
                                 stoa_error *err) {
    struct entry entry = {function, user};
    stoa_sched *sched = producer->sched;
    bool placed = false, begin = false;
    while (!placed) {
        STOA_TRY(place(producer, &entry, &placed, &begin, err));
        if (!placed) {
            STOA_TRY(stoa_cancel_check(producer->cancel, err));
            wait_for_place(producer);
        }
    }
    if (!begin) {
        return STOA_OK;
    }
    if (sched == NULL) {
        do { /* other threads may have submitted meanwhile */
            run_oldest(producer);
        } while (advance(producer));
        return STOA_OK;
    }
    (void)atomic_fetch_add_explicit(&producer->references, 1, memory_order_relaxed);
    struct task task = {run_producer, producer, &sched->detached};
    stoa_sched_spawn_last(sched, &task);
    return STOA_OK;
}

stoa_status stoa_producer_finish(stoa_producer *producer, stoa_error *err) {
    if (producer->sched != NULL) {
        (void)stoa_sched_help(producer->sched, NULL, &producer->running, STOA_FOREGROUND, 0);
    }
    (void)pthread_mutex_lock(&producer->lock);
    stoa_status status = first_failure(producer, err);
    (void)pthread_mutex_unlock(&producer->lock);
    return status;
}

void stoa_producer_close(stoa_producer *producer) {
    if (producer != NULL) {
        stoa_cancel_trigger(producer->cancel);
        if (producer->sched != NULL) {
            (void)stoa_sched_help(producer->sched, NULL, &producer->running, STOA_FOREGROUND, 0);
        }
        producer_release(producer);
    }
}
