/* Finding work and running it.
 *
 * A worker takes the newest task of its own ring, then foreground tasks from the queue, then what
 * others have: the oldest frame, or half of a ring. Background tasks come last. Every so often the
 * order is turned round, so that nobody waits for ever behind those who make new tasks all the time.
 *
 * Ended tasks of one group are counted together: `ended` of them are taken from the group's
 * `pending` when the worker turns to another group or runs out of its own tasks. That keeps no
 * waiter waiting, for a task of that same group is running or about to until then. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "sched/ring.h"

enum {
    TURNS = 61,       /* one in so many begins at the other end */
    BATCH = 32,       /* tasks that move from a queue or a ring at once */
    SEARCHES = 64,    /* rounds of looking for work before sleeping */
    PAUSES = 8,       /* of the processor, between two rounds */
    QUEUE_ROOM = 4096 /* outside tasks that wait before whoever spawns more runs them */
};

/* What this thread is; a guest remembers what it was before. Only this file reads it. */
static _Thread_local struct worker *current;

struct work {
    struct task task;
    stoa_frame *frame; /* instead of a task */
};

struct worker *stoa_worker_current(const stoa_sched *sched) {
    struct worker *worker = current;
    return worker != NULL && worker->sched == sched ? worker : NULL;
}

/* ---- looking ---- */

static struct worker *worker_at(const stoa_sched *sched, int32_t index) {
    return sched->workers[index];
}

static int32_t worker_count(const stoa_sched *sched) {
    return atomic_load_explicit(&sched->worker_count, memory_order_acquire);
}

bool stoa_sched_has_work(const stoa_sched *sched, stoa_priority lowest) {
    for (int i = 0; i <= (int)lowest; i++) {
        if (atomic_load_explicit(&sched->queues[i].count, memory_order_seq_cst) != 0) {
            return true;
        }
    }
    for (int32_t i = 0; i < worker_count(sched); i++) {
        const struct worker *worker = worker_at(sched, i);
        if (has_public(&worker->ring) || has_public(&worker->forks)) {
            return true;
        }
    }
    return false;
}

void stoa_sched_ask_for_frames(const stoa_sched *sched, const struct worker *asking) {
    for (int32_t i = 0; i < worker_count(sched); i++) {
        struct worker *worker = worker_at(sched, i);
        if (worker != asking && !has_public(&worker->forks) &&
            atomic_load_explicit(&worker->lane.limit, memory_order_relaxed) != NULL) {
            atomic_store_explicit(&worker->lane.limit, NULL, memory_order_relaxed);
        }
    }
}

/* The frame stays where it is: its owner frees the place when it joins. */
static bool steal_frame(const struct worker *self, struct worker *victim, struct work *out) {
    uint64_t ends = 0;
    if (stoa_deque_look(&victim->forks, 1, &ends) == 0 ||
        !stoa_deque_steal(&victim->forks, ends, 1)) {
        return false;
    }
    out->frame = victim->frames[stoa_deque_tail(ends)];
    atomic_store_explicit(&out->frame->pending, self->index + 2, memory_order_relaxed);
    if ((uint32_t)atomic_load_explicit(&self->sched->idle, memory_order_relaxed) > 0) {
        atomic_store_explicit(&victim->lane.limit, NULL, memory_order_relaxed);
    }
    return true;
}

/* Half of what is there; all but the first go into the thief's own ring, which is empty. */
static bool steal_tasks(struct worker *self, struct worker *victim, struct work *out) {
    struct task tasks[BATCH];
    uint64_t ends = 0;
    uint16_t count = stoa_deque_look(&victim->ring, self->depth > 1 ? 1 : BATCH, &ends);
    if (count == 0) {
        return false;
    }
    for (int32_t i = 0; i < count; i++) {
        tasks[i] = place_read(ring_place(victim, stoa_deque_tail(ends) + i));
    }
    if (!stoa_deque_steal(&victim->ring, ends, count)) {
        return false;
    }
    out->task = tasks[0];
    if (count > 1) {
        (void)ring_push(self, tasks + 1, count - 1);
    }
    return true;
}

static bool steal(struct worker *self, struct work *out) {
    stoa_sched *sched = self->sched;
    int32_t count = worker_count(sched);
    self->random = self->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int32_t first = (int32_t)((self->random >> 33) % (uint64_t)count);
    for (int32_t i = 0; i < count; i++) {
        int32_t index = first + i < count ? first + i : first + i - count;
        struct worker *victim = worker_at(sched, index);
        /* From itself too: what lies below a frame that waits is out of the owner's reach. */
        if (steal_frame(self, victim, out) || (victim != self && steal_tasks(self, victim, out))) {
            return true;
        }
    }
    return false;
}

static bool take_queued(struct worker *self, stoa_priority priority, struct work *out) {
    stoa_sched *sched = self->sched;
    struct queue *queue = &sched->queues[priority];
    if (sched->deterministic) {
        return stoa_queue_draw(queue, &sched->random, &out->task);
    }
    struct task tasks[BATCH];
    /* Background tasks are long: each is left to whoever comes first. */
    int32_t most = priority == STOA_BACKGROUND || self->depth > 1 || has_public(&self->ring)
                       ? 1
                       : BATCH;
    int32_t count = stoa_queue_take(queue,
                                    atomic_load_explicit(&sched->threads, memory_order_relaxed),
                                    most, tasks);
    if (count == 0) {
        return false;
    }
    out->task = tasks[0];
    if (count > 1) {
        (void)ring_push(self, tasks + 1, count - 1);
        stoa_park_notify(sched, STOA_FOREGROUND);
    }
    return true;
}

static void count_ended(struct worker *self) {
    if (self->ended > 0) {
        int64_t ended = self->ended;
        self->ended = 0;
        stoa_group_end(self->ended_group, ended);
    }
}

static bool find(struct worker *self, stoa_priority lowest, struct work *out) {
    out->frame = NULL;
    if (++self->turns % TURNS == 0 && ((lowest == STOA_BACKGROUND && self->turns % 2 == 0 &&
                                        take_queued(self, STOA_BACKGROUND, out)) ||
                                       take_queued(self, STOA_FOREGROUND, out))) {
        return true;
    }
    if (ring_pop(self, &out->task)) {
        return true;
    }
    count_ended(self);
    return take_queued(self, STOA_FOREGROUND, out) || steal(self, out) ||
           (lowest == STOA_BACKGROUND && take_queued(self, STOA_BACKGROUND, out));
}

/* Deep within waits only what this thread spawned itself, or what it waits for, is run: the stack
 * ends somewhere. */
static bool find_near(struct worker *self, const stoa_group *group, struct work *out) {
    out->frame = NULL;
    if (ring_pop(self, &out->task)) {
        return true;
    }
    count_ended(self);
    for (int i = 0; i < STOA_PRIORITIES && group != NULL; i++) {
        if (stoa_queue_take_of(&self->sched->queues[i], group, &out->task)) {
            return true;
        }
    }
    return false;
}

/* ---- running ---- */

static void run_frame(struct worker *self, stoa_frame *frame) {
    stoa_sched *sched = self->sched;
    stoa_cancel *outer = self->cancel;
    stoa_frame **top = self->lane.top;
    if (!stoa_cancel_is_triggered(frame->cancel)) {
        self->cancel = frame->cancel;
        frame->function(&self->lane, top, frame);
        self->cancel = outer;
        STOA_ASSERT(self->lane.top == top);
    }
    /* The frame may be gone after this. Sequentially consistent: its owner may be falling asleep. */
    const _Atomic int64_t *pending = &frame->pending;
    atomic_store_explicit(&frame->pending, 0, memory_order_seq_cst);
    stoa_park_notify_done(sched, pending);
}

static void run(struct worker *self, const struct work *work) {
    if (self == NULL) {
        stoa_group_run(&work->task);
        stoa_group_end(work->task.group, 1);
        return;
    }
    if (work->frame != NULL) {
        count_ended(self); /* it may take long, and be found before everything else */
        run_frame(self, work->frame);
        return;
    }
    if (self->ended_group != work->task.group) {
        count_ended(self);
        self->ended_group = work->task.group;
    }
    stoa_group_run(&work->task);
    /* Tasks of other groups may have run within this one. */
    if (self->ended_group != work->task.group) {
        count_ended(self);
        self->ended_group = work->task.group;
    }
    self->ended++;
}

static void relax(void) {
    for (int i = 0; i < PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#else
        atomic_thread_fence(memory_order_seq_cst);
#endif
    }
}

static bool is_done(const _Atomic int64_t *pending) {
    /* Acquire: what the tasks wrote. Pairs with stoa_group_end, run_frame and the futures. */
    return pending != NULL && atomic_load_explicit(pending, memory_order_acquire) == 0;
}

struct search {
    struct worker *self; /* NULL: there was no place for this thread */
    stoa_sched *sched;
    const _Atomic int64_t *pending; /* NULL: for ever */
    const stoa_group *group;        /* whose `pending` it is; NULL: none */
    const stoa_frame *frame;        /* the same; its thief's frames come first */
    stoa_priority lowest;
    int64_t until_ns;
    int rounds; /* without finding anything; above 0: counted as searching */
};

/* Where this thread got no place as a worker: one task at a time from the queues. */
static bool find_without_place(const struct search *search, struct work *out) {
    out->frame = NULL;
    for (int i = 0; i <= (int)search->lowest; i++) {
        if (stoa_queue_take(&search->sched->queues[i], 1, 1, &out->task) > 0) {
            return true;
        }
    }
    return false;
}

/* Who stole the frame that is waited for has opened frames of the same work since. */
static bool find_at_thief(const struct search *search, struct work *out) {
    int64_t thief = atomic_load_explicit(&search->frame->pending, memory_order_relaxed) - 2;
    return thief >= 0 && steal_frame(search->self, worker_at(search->sched, (int32_t)thief), out);
}

static bool search_find(struct search *search, struct work *out) {
    struct worker *self = search->self;
    if (self == NULL) {
        return find_without_place(search, out);
    }
    if (search->frame != NULL && find_at_thief(search, out)) {
        return true;
    }
    return self->depth > STOA_DEPTH_MAX ? find_near(self, search->group, out)
                                        : find(self, search->lowest, out);
}

static void search_end(struct search *search) {
    if (search->rounds > 0) {
        search->rounds = 0;
        stoa_park_end_search(search->sched);
    }
}

/* Nothing was found. Looks again for a while before it sleeps. False: the time is over. */
static bool search_rest(struct search *search) {
    if (search->rounds == 0) {
        stoa_park_begin_search(search->sched);
    }
    if (search->self != NULL && ++search->rounds <= SEARCHES) {
        if (search->rounds % 8 == 2) {
            stoa_sched_ask_for_frames(search->sched, search->self);
        }
        relax();
        return true;
    }
    search->rounds = 1;
    return stoa_park_sleep(search->sched, search->self, search->pending, search->lowest,
                           search->until_ns);
}

static bool help(struct search *search) {
    struct work work;
    bool in_time = true;
    while (!is_done(search->pending) && in_time) {
        if (search_find(search, &work)) {
            search_end(search);
            run(search->self, &work);
            in_time = search->until_ns == 0 || stoa_clock_monotonic_ns() < search->until_ns;
        } else {
            in_time = search_rest(search);
        }
    }
    search_end(search);
    return is_done(search->pending);
}

bool stoa_sched_help(stoa_sched *sched, const stoa_group *group, const _Atomic int64_t *pending,
                     stoa_priority lowest, int64_t until_ns) {
    bool entered = false;
    struct worker *self = stoa_worker_enter(sched, &entered);
    struct search search = {.self = self,
                            .sched = sched,
                            .pending = pending,
                            .group = group,
                            .lowest = lowest,
                            .until_ns = until_ns};
    if (self != NULL) {
        count_ended(self);
        self->depth++;
    }
    bool done = help(&search);
    if (self != NULL) {
        count_ended(self);
        self->depth--;
    }
    if (entered) {
        stoa_worker_leave(self);
    }
    return done;
}

void stoa_worker_wait_frame(struct worker *self, const stoa_frame *frame) {
    struct search search = {.self = self,
                            .sched = self->sched,
                            .pending = &frame->pending,
                            .frame = frame,
                            .lowest = STOA_FOREGROUND};
    self->depth++;
    (void)help(&search);
    count_ended(self);
    self->depth--;
}

/* Where a task goes that `self` (NULL: no worker) spawns. The room of a ring and of the queue is kept
 * small: tasks that lie about longer than their data stays in the cache help nobody. */
static bool has_room(stoa_sched *sched, struct worker *self, stoa_priority priority) {
    if (sched->deterministic || priority == STOA_BACKGROUND) {
        return true;
    }
    if (self != NULL) {
        uint64_t ends = atomic_load_explicit(&self->ring.ends, memory_order_relaxed);
        return stoa_deque_count(ends) < STOA_RING_PLACES || self->depth > STOA_DEPTH_MAX;
    }
    return atomic_load_explicit(&sched->queues[priority].count, memory_order_relaxed) < QUEUE_ROOM;
}

static void run_here(struct worker *self, const struct task *task) {
    if (self != NULL) {
        self->depth++; /* a task that spawns the next one, and so on, shall not fill the stack */
    }
    stoa_group_run(task);
    if (self != NULL) {
        self->depth--;
    }
}

static bool push(stoa_sched *sched, struct worker *self, const struct task *task) {
    stoa_priority priority = task->group->priority;
    bool pushed = self != NULL && priority == STOA_FOREGROUND && !sched->deterministic &&
                  ring_push(self, task, 1);
    if (!pushed && !stoa_queue_push(&sched->queues[priority], sched->pool, task)) {
        return false;
    }
    stoa_park_notify(sched, priority);
    return true;
}

static void ensure_threads(stoa_sched *sched) {
    if (!atomic_load_explicit(&sched->started, memory_order_acquire)) {
        (void)stoa_sched_start(sched); /* without threads, who waits runs everything */
    }
}

void stoa_sched_spawn(stoa_sched *sched, const struct task *task, bool may_run) {
    struct worker *self = stoa_worker_current(sched);
    stoa_group *group = task->group;
    ensure_threads(sched);
    if (may_run && !has_room(sched, self, group->priority)) {
        run_here(self, task);
        return;
    }
    (void)atomic_fetch_add_explicit(&group->pending, 1, memory_order_relaxed);
    if (!push(sched, self, task)) {
        run_here(self, task);
        stoa_group_end(group, 1);
    }
}

void stoa_sched_spawn_last(stoa_sched *sched, const struct task *task) {
    ensure_threads(sched);
    (void)atomic_fetch_add_explicit(&task->group->pending, 1, memory_order_relaxed);
    if (!push(sched, NULL, task)) {
        run_here(stoa_worker_current(sched), task);
        stoa_group_end(task->group, 1);
    }
}

/* ---- threads ---- */

static bool is_to_end(const struct worker *self) {
    return self->number >= atomic_load_explicit(&self->sched->threads, memory_order_relaxed) ||
           atomic_load_explicit(&self->sched->closing, memory_order_relaxed);
}

/* Under the lock, so that whoever changes the number of threads knows which are there. */
static bool end_thread(struct worker *self) {
    if (is_to_end(self)) {
        (void)pthread_mutex_lock(&self->sched->lock);
        self->gone = is_to_end(self);
        (void)pthread_mutex_unlock(&self->sched->lock);
    }
    return self->gone;
}

/* A thread beyond the number that may work still empties its own ring. */
static bool find_for_thread(struct worker *self, struct work *out) {
    out->frame = NULL;
    if (stoa_worker_is_surplus(self)) {
        if (ring_pop(self, &out->task)) {
            return true;
        }
        count_ended(self);
        return false;
    }
    return find(self, STOA_BACKGROUND, out);
}

void *stoa_worker_main(void *user) {
    struct worker *self = user;
    struct search search = {.self = self, .sched = self->sched, .lowest = STOA_BACKGROUND};
    struct work work;
    current = self;
    self->depth = 1;
    for (;;) {
        if (find_for_thread(self, &work)) {
            search_end(&search);
            run(self, &work);
        } else if (end_thread(self)) {
            break;
        } else {
            if (stoa_worker_is_surplus(self)) {
                search.rounds = search.rounds == 0 ? 0 : SEARCHES;
            }
            (void)search_rest(&search);
        }
    }
    search_end(&search);
    current = NULL;
    return NULL;
}

struct worker *stoa_worker_create(stoa_sched *sched, int32_t number) {
    void *memory = NULL;
    int32_t index = worker_count(sched);
    if (index == STOA_THREADS_MAX + STOA_GUESTS_MAX ||
        stoa_pool_allocate(sched->pool, sizeof(struct worker), &memory, NULL) != STOA_OK) {
        return NULL;
    }
    struct worker *worker = memory;
    /* The places are written before they are read, so they are not touched here. */
    worker->sched = sched;
    worker->ended_group = NULL;
    worker->ended = 0;
    worker->cancel = NULL;
    worker->random = stoa_hash_u64((uint64_t)index + 1);
    worker->turns = 0;
    worker->depth = 0;
    worker->index = index;
    worker->number = number;
    worker->outer = NULL;
    worker->next_guest = NULL;
    worker->started = false;
    worker->gone = false;
    worker->lane.split = worker->frames;
    worker->lane.top = worker->frames;
    atomic_init(&worker->lane.limit, NULL);
    atomic_init(&worker->forks.ends, 0);
    atomic_init(&worker->ring.ends, 0);
    sched->workers[index] = worker;
    /* Release: pairs with worker_count. */
    atomic_store_explicit(&sched->worker_count, index + 1, memory_order_release);
    return worker;
}

struct worker *stoa_worker_enter(stoa_sched *sched, bool *out_entered) {
    struct worker *self = stoa_worker_current(sched);
    *out_entered = false;
    if (self != NULL) {
        return self;
    }
    (void)pthread_mutex_lock(&sched->lock);
    self = sched->free_guests;
    if (self != NULL) {
        sched->free_guests = self->next_guest;
    } else if (sched->guest_count < STOA_GUESTS_MAX) {
        self = stoa_worker_create(sched, -1);
        sched->guest_count += self != NULL;
    }
    (void)pthread_mutex_unlock(&sched->lock);
    if (self != NULL) {
        (void)atomic_fetch_add_explicit(&sched->guests, 1, memory_order_seq_cst);
        self->outer = current;
        current = self;
        *out_entered = true;
    }
    return self;
}

/* What is left in its ring goes to the queue: nobody pops it there any more. */
static void empty_ring(struct worker *self) {
    struct task task;
    while (ring_pop(self, &task)) {
        if (!stoa_queue_push(&self->sched->queues[STOA_FOREGROUND], self->sched->pool, &task)) {
            struct work work = {.task = task};
            run(self, &work);
        }
    }
    count_ended(self);
}

void stoa_worker_leave(struct worker *self) {
    stoa_sched *sched = self->sched;
    empty_ring(self);
    STOA_ASSERT(self->depth == 0 && self->lane.top == self->frames);
    atomic_store_explicit(&self->lane.limit, NULL, memory_order_relaxed);
    current = self->outer;
    (void)pthread_mutex_lock(&sched->lock);
    self->next_guest = sched->free_guests;
    sched->free_guests = self;
    (void)pthread_mutex_unlock(&sched->lock);
    (void)atomic_fetch_sub_explicit(&sched->guests, 1, memory_order_seq_cst);
    if (stoa_sched_has_work(sched, STOA_FOREGROUND)) {
        stoa_park_notify(sched, STOA_FOREGROUND);
    } else if (stoa_sched_has_work(sched, STOA_BACKGROUND)) {
        stoa_park_notify(sched, STOA_BACKGROUND);
    }
}
