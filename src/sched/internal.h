/* What the files of this module share: the scheduler, its workers, who sleeps. */
#ifndef STOA_SCHED_INTERNAL_H
#define STOA_SCHED_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "mem/pool.h"
#include "sched/deque.h"
#include "sched/fork.h"
#include "sched/sched.h"

enum {
    STOA_THREADS_MAX = 1024,
    STOA_GUESTS_MAX = 64, /* outside threads that work while they wait */
    STOA_PRIORITIES = 2,
    STOA_DEPTH_MAX = 48, /* waits within waits that still run just anything */
    STOA_FORK_PLACES = 4096,
    STOA_RING_PLACES = 1024,
    STOA_LINE_BYTES = 64
};

struct task {
    stoa_task_function function;
    void *user;
    stoa_group *group;
};

/* A task in a worker's ring. Thieves read it before they own it, so its words are atomic. */
struct ring_place {
    _Atomic(stoa_task_function) function;
    _Atomic(void *) user;
    _Atomic(stoa_group *) group;
};

/* Tasks from outside the workers, and what did not fit into a ring; in the deterministic mode all.
 * A ring that grows. */
struct queue {
    pthread_mutex_t lock;
    struct task *tasks; /* guarded by lock, as the next two */
    size_t capacity;
    size_t first;
    _Alignas(STOA_LINE_BYTES) atomic_size_t count; /* written under lock, read without */
};

/* A thread that sleeps. It is in the list from before it looks for the last time until it is woken
 * or found something. */
struct sleeper {
    struct sleeper *next;           /* guarded by sched->park_lock, as all but `word` */
    const _Atomic int64_t *pending; /* what it waits for to become 0; NULL: only for work */
    struct worker *worker;          /* NULL: it cannot work */
    stoa_priority lowest;           /* runs nothing below this */
    bool listed;
    _Atomic uint32_t word; /* a futex: 0 while it is to sleep */
};

struct worker {
    stoa_worker lane; /* the owner's, but for `limit` */
    stoa_sched *sched;
    stoa_group *ended_group; /* `ended` tasks of it have run that its `pending` still counts */
    int64_t ended;
    stoa_cancel *cancel; /* of the region whose frames are on the deque */
    uint64_t random;
    uint32_t turns;
    int32_t depth;             /* waits that this thread is within */
    int32_t index;             /* in sched->workers */
    int32_t number;            /* of the thread, from 0; -1: a guest */
    struct worker *outer;      /* what this thread was before it entered; guests only */
    struct worker *next_guest; /* guarded by sched->lock */
    pthread_t thread;          /* guarded by sched->lock, as the next two */
    bool started;              /* and not joined */
    bool gone;                 /* takes nothing any more */
    _Alignas(STOA_LINE_BYTES) stoa_deque forks;
    _Alignas(STOA_LINE_BYTES) stoa_deque ring;
    _Alignas(STOA_LINE_BYTES) stoa_frame *frames[STOA_FORK_PLACES];
    struct ring_place places[STOA_RING_PLACES];
};

struct stoa_sched {
    pthread_mutex_t lock; /* threads start and end, guests come and go */
    stoa_pool *pool;
    struct worker *free_guests; /* guarded by lock, as guest_count */
    int32_t guest_count;
    struct worker *by_number[STOA_THREADS_MAX]; /* guarded by lock */
    pid_t process;
    bool deterministic;
    uint64_t random;     /* guarded by the queues' locks */
    stoa_group detached; /* of futures: waited for by close */
    atomic_bool started;
    atomic_bool closing;
    _Atomic int32_t threads;
    _Atomic int32_t
        running; /* threads that were started; below `threads` where the system gave none */
    _Atomic int32_t guests;       /* awake, each in the place of a thread */
    _Atomic int32_t worker_count; /* of `workers`; entries below it never change */
    struct worker *workers[STOA_THREADS_MAX + STOA_GUESTS_MAX];
    struct queue queues[STOA_PRIORITIES];

    _Alignas(STOA_LINE_BYTES) _Atomic uint64_t idle; /* sleepers, and in the high half: searching */
    _Atomic int64_t waiters;                         /* sleepers with `pending` */
    _Alignas(STOA_LINE_BYTES) pthread_mutex_t park_lock;
    struct sleeper *sleepers; /* guarded by park_lock */
};

/* worker.c: finding work and running it */

/// The worker that this thread is for `sched`; NULL when it is none.
struct worker *stoa_worker_current(const stoa_sched *sched);
/// This thread works for `sched` until stoa_worker_leave; NULL where no place is left.
struct worker *stoa_worker_enter(stoa_sched *sched, bool *out_entered);
void stoa_worker_leave(struct worker *worker);
struct worker *stoa_worker_create(stoa_sched *sched, int32_t number);
void *stoa_worker_main(void *worker);
/// Works until `pending` is 0 or the monotonic clock shows `until_ns` (0: never). True: it is 0.
/// `group` is whose `pending` it is, if any.
bool stoa_sched_help(stoa_sched *sched, const stoa_group *group, const _Atomic int64_t *pending,
                     stoa_priority lowest, int64_t until_ns);
/// Works until a stolen frame is done, at its thief's first.
void stoa_worker_wait_frame(struct worker *self, const stoa_frame *frame);
/// Starts the threads, once. An errno.
int stoa_sched_start(stoa_sched *sched);
/// Errors   STOA_INVALID  the process has forked since the scheduler was made
STOA_MUST_USE stoa_status stoa_sched_check_process(const stoa_sched *sched, stoa_error *err);
/// Counts a task as pending and puts it where a worker finds it, or (only when there is no memory,
/// unless `may_run`) runs it here.
void stoa_sched_spawn(stoa_sched *sched, const struct task *task, bool may_run);
/// The same behind everything else that waits, never in the worker's own ring.
void stoa_sched_spawn_last(stoa_sched *sched, const struct task *task);
/// Whether there is anything to do for one that takes nothing below `lowest`.
bool stoa_sched_has_work(const stoa_sched *sched, stoa_priority lowest);
/// Asks everybody who has frames of their own to open some.
void stoa_sched_ask_for_frames(const stoa_sched *sched, const struct worker *asking);

/* group.c */

/// Runs one task, or leaves it out where its group has failed. It still counts as pending.
void stoa_group_run(const struct task *task);
/// Takes `count` from `pending`. The group may be gone when this returns.
void stoa_group_end(stoa_group *group, int64_t count);

/* queue.c */

void stoa_queue_init(struct queue *queue);
void stoa_queue_release(struct queue *queue, stoa_pool *pool);
bool stoa_queue_push(struct queue *queue, stoa_pool *pool, const struct task *task);
/// Up to `most` of the oldest, but no more than an even share among `sharers`.
int32_t stoa_queue_take(struct queue *queue, int32_t sharers, int32_t most, struct task *out);
/// One drawn at random, for the deterministic mode.
bool stoa_queue_draw(struct queue *queue, uint64_t *random, struct task *out);
/// The oldest of one group.
bool stoa_queue_take_of(struct queue *queue, const stoa_group *group, struct task *out);

/* park.c: who sleeps and who wakes them */

/// One who may run tasks of `priority` wakes up, unless somebody is looking for work already.
void stoa_park_notify(stoa_sched *sched, stoa_priority priority);
/// Everybody wakes up who sleeps for `pending` to become 0. The pointer is only compared.
void stoa_park_notify_done(stoa_sched *sched, const _Atomic int64_t *pending);
/// Every sleeping thread looks at what changed: its number, or that the scheduler closes.
void stoa_park_notify_all(stoa_sched *sched);
void stoa_park_begin_search(stoa_sched *sched);
/// Who was searching has found something. Another one goes on where there is more.
void stoa_park_end_search(stoa_sched *sched);
/// Sleeps, unless there is reason not to; the caller counts as searching before and after
/// (stoa_park_begin_search). `worker` NULL: runs nothing. False: the clock shows `until_ns`.
bool stoa_park_sleep(stoa_sched *sched, struct worker *worker, const _Atomic int64_t *pending,
                     stoa_priority lowest, int64_t until_ns);
/// Whether a thread's number is beyond those that may work now.
bool stoa_worker_is_surplus(const struct worker *worker);

#endif
