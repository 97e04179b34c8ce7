/* Sleeping and waking, without a lost wake-up and without more wakers than there is work.
 *
 * `idle` counts who sleeps and who searches. Who adds work looks at it afterwards; who falls asleep
 * writes itself down in it first and looks for work afterwards. Both orders are sequentially
 * consistent, so at least one of the two sees the other. While somebody searches, nobody is woken:
 * the searcher finds the work, and wakes the next one when there is more; or it falls asleep, and wakes
 * one for what is there that it may not do. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "sched/internal.h"

static const uint64_t SEARCHING = UINT64_C(1) << 32;

static uint32_t sleeping(uint64_t idle) {
    return (uint32_t)idle;
}

static uint64_t searching(uint64_t idle) {
    return idle >> 32;
}

/* Absolute time of the monotonic clock; false when it came. */
static bool futex_sleep(_Atomic uint32_t *word, int64_t until_ns) {
    struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0,
                          until_ns == 0 ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || errno != ETIMEDOUT;
}

/* `word` may be gone when the call returns: a wake-up of an address where nobody sleeps is harmless. */
static void futex_wake(_Atomic uint32_t *word) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool stoa_worker_is_surplus(const struct worker *worker) {
    const stoa_sched *sched = worker->sched;
    return worker->number >= atomic_load_explicit(&sched->threads, memory_order_relaxed) -
                                 atomic_load_explicit(&sched->guests, memory_order_relaxed);
}

static bool may_run(const struct sleeper *sleeper, stoa_priority priority) {
    if (sleeper->worker == NULL || priority > sleeper->lowest) {
        return false;
    }
    return sleeper->worker->number < 0 || !stoa_worker_is_surplus(sleeper->worker);
}

/* Both under park_lock. */
static void list(stoa_sched *sched, struct sleeper *sleeper) {
    sleeper->listed = true;
    sleeper->next = sched->sleepers;
    sched->sleepers = sleeper;
    if (sleeper->pending != NULL) {
        (void)atomic_fetch_add_explicit(&sched->waiters, 1, memory_order_seq_cst);
    }
    (void)atomic_fetch_add_explicit(&sched->idle, 1 - SEARCHING, memory_order_seq_cst);
}

static void unlist(stoa_sched *sched, struct sleeper *sleeper) {
    struct sleeper **link = &sched->sleepers;
    while (*link != sleeper) {
        link = &(*link)->next;
    }
    *link = sleeper->next;
    sleeper->listed = false;
    if (sleeper->pending != NULL) {
        (void)atomic_fetch_sub_explicit(&sched->waiters, 1, memory_order_seq_cst);
    }
    (void)atomic_fetch_add_explicit(&sched->idle, SEARCHING - 1, memory_order_seq_cst);
}

/* Under park_lock: who is woken counts as searching from here on. The store is the last that is
 * done to the sleeper, whose stack may be gone after it. */
static _Atomic uint32_t *wake(stoa_sched *sched, struct sleeper *sleeper) {
    _Atomic uint32_t *word = &sleeper->word;
    unlist(sched, sleeper);
    atomic_store_explicit(word, 1, memory_order_release);
    return word;
}

static void notify_but(stoa_sched *sched, stoa_priority priority, const struct worker *but) {
    uint64_t idle = atomic_load_explicit(&sched->idle, memory_order_seq_cst);
    if (__builtin_expect(sleeping(idle) == 0 || searching(idle) != 0, 1)) {
        return;
    }
    _Atomic uint32_t *word = NULL;
    (void)pthread_mutex_lock(&sched->park_lock);
    struct sleeper *sleeper = sched->sleepers;
    while (sleeper != NULL && (!may_run(sleeper, priority) || sleeper->worker == but)) {
        sleeper = sleeper->next;
    }
    if (sleeper != NULL) {
        word = wake(sched, sleeper);
    }
    (void)pthread_mutex_unlock(&sched->park_lock);
    if (word != NULL) {
        futex_wake(word);
    }
}

void stoa_park_notify(stoa_sched *sched, stoa_priority priority) {
    notify_but(sched, priority, NULL);
}

static void notify_of_work(stoa_sched *sched, const struct worker *but) {
    if (stoa_sched_has_work(sched, STOA_FOREGROUND)) {
        notify_but(sched, STOA_FOREGROUND, but);
    } else if (stoa_sched_has_work(sched, STOA_BACKGROUND)) {
        notify_but(sched, STOA_BACKGROUND, but);
    }
}

/* Wakes up to a handful at a time, so that the system is called without the lock. */
static bool wake_some(stoa_sched *sched, const _Atomic int64_t *pending, bool all) {
    _Atomic uint32_t *words[16];
    size_t count = 0;
    (void)pthread_mutex_lock(&sched->park_lock);
    for (struct sleeper *next, *sleeper = sched->sleepers;
         sleeper != NULL && count < sizeof words / sizeof *words; sleeper = next) {
        next = sleeper->next;
        if (all || (sleeper->pending != NULL && sleeper->pending == pending)) {
            words[count++] = wake(sched, sleeper);
        }
    }
    (void)pthread_mutex_unlock(&sched->park_lock);
    for (size_t i = 0; i < count; i++) {
        futex_wake(words[i]);
    }
    return count == sizeof words / sizeof *words;
}

void stoa_park_notify_done(stoa_sched *sched, const _Atomic int64_t *pending) {
    if (atomic_load_explicit(&sched->waiters, memory_order_seq_cst) > 0) {
        while (wake_some(sched, pending, false)) {
        }
    }
}

void stoa_park_notify_all(stoa_sched *sched) {
    while (wake_some(sched, NULL, true)) {
    }
}

void stoa_park_begin_search(stoa_sched *sched) {
    (void)atomic_fetch_add_explicit(&sched->idle, SEARCHING, memory_order_seq_cst);
}

void stoa_park_end_search(stoa_sched *sched) {
    uint64_t idle = atomic_fetch_sub_explicit(&sched->idle, SEARCHING, memory_order_seq_cst);
    if (searching(idle) == 1 && sleeping(idle) > 0) {
        notify_of_work(sched, NULL);
    }
}

static bool has_reason(const stoa_sched *sched, const struct sleeper *sleeper) {
    const struct worker *worker = sleeper->worker;
    if (sleeper->pending != NULL) {
        if (atomic_load_explicit(sleeper->pending, memory_order_seq_cst) == 0) {
            return true;
        }
    } else if (atomic_load_explicit(&sched->closing, memory_order_seq_cst)) {
        return true;
    }
    if (worker == NULL) {
        return false;
    }
    if (worker->number >= 0) {
        if (worker->number >= atomic_load_explicit(&sched->threads, memory_order_seq_cst)) {
            return true; /* the thread is to end */
        }
        if (stoa_worker_is_surplus(worker)) {
            return false;
        }
    }
    return stoa_sched_has_work(sched, sleeper->lowest);
}

/* A guest that sleeps leaves its place to a thread. */
static void give_place(stoa_sched *sched, struct worker *worker) {
    if (worker != NULL && worker->number < 0) {
        (void)atomic_fetch_sub_explicit(&sched->guests, 1, memory_order_seq_cst);
    }
}

static void take_place(stoa_sched *sched, struct worker *worker) {
    if (worker != NULL && worker->number < 0) {
        (void)atomic_fetch_add_explicit(&sched->guests, 1, memory_order_seq_cst);
    }
}

bool stoa_park_sleep(stoa_sched *sched, struct worker *worker, const _Atomic int64_t *pending,
                     stoa_priority lowest, int64_t until_ns) {
    struct sleeper self = {.pending = pending, .worker = worker, .lowest = lowest};
    bool in_time = true;
    (void)pthread_mutex_lock(&sched->park_lock);
    list(sched, &self);
    (void)pthread_mutex_unlock(&sched->park_lock);
    give_place(sched, worker);
    bool awake = has_reason(sched, &self);
    /* While this thread counted as searching nobody was woken, not even for what it may not do: work
     * of a lower priority, anybody else's when it is deep within waits, any at all without a place. */
    if (!awake || (worker != NULL && worker->depth > STOA_DEPTH_MAX)) {
        notify_of_work(sched, worker);
    }
    if (!awake) {
        while (in_time && atomic_load_explicit(&self.word, memory_order_acquire) == 0) {
            in_time = futex_sleep(&self.word, until_ns);
        }
    }
    (void)pthread_mutex_lock(&sched->park_lock);
    if (self.listed) {
        unlist(sched, &self);
    }
    (void)pthread_mutex_unlock(&sched->park_lock);
    take_place(sched, worker);
    return in_time;
}
