/* A worker's ring of tasks: the places, under the marks of deque.h. */
#ifndef STOA_SCHED_RING_H
#define STOA_SCHED_RING_H

#include "sched/internal.h"

static inline struct ring_place *ring_place(struct worker *worker, int32_t place) {
    return &worker->places[(uint16_t)place % STOA_RING_PLACES];
}

/* Relaxed throughout: a thief that read while the owner wrote fails to take the place. */
static inline void place_write(struct ring_place *place, const struct task *task) {
    atomic_store_explicit(&place->function, task->function, memory_order_relaxed);
    atomic_store_explicit(&place->user, task->user, memory_order_relaxed);
    atomic_store_explicit(&place->group, task->group, memory_order_relaxed);
}

static inline struct task place_read(const struct ring_place *place) {
    return (struct task){atomic_load_explicit(&place->function, memory_order_relaxed),
                         atomic_load_explicit(&place->user, memory_order_relaxed),
                         atomic_load_explicit(&place->group, memory_order_relaxed)};
}

static inline bool ring_push(struct worker *worker, const struct task *tasks, int32_t count) {
    uint64_t ends = atomic_load_explicit(&worker->ring.ends, memory_order_acquire);
    int32_t head = stoa_deque_split(ends);
    if (stoa_deque_count(ends) + count > STOA_RING_PLACES) {
        return false;
    }
    for (int32_t i = 0; i < count; i++) {
        place_write(ring_place(worker, head + i), &tasks[i]);
    }
    stoa_deque_publish(&worker->ring, (uint16_t)count);
    return true;
}

static inline bool ring_pop(struct worker *worker, struct task *out) {
    uint16_t place = 0;
    if (!stoa_deque_pop(&worker->ring, &place)) {
        return false;
    }
    *out = place_read(ring_place(worker, place));
    return true;
}

static inline bool has_public(const stoa_deque *deque) {
    uint64_t ends = atomic_load_explicit(&deque->ends, memory_order_seq_cst);
    return stoa_deque_count(ends) != 0;
}

#endif
