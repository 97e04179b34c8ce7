/* The slow half of fork and join: opening frames to thieves, and what becomes of those.
 *
 * Places of the deque are indexes into `frames`. A frame that was stolen keeps its place until its
 * owner joins it, so everything above it is gone by then, and the deque is empty down to it. */
#include <stddef.h>

#include "base/error.h"
#include "sched/internal.h"

static struct worker *worker_of(stoa_worker *lane) {
    return (struct worker *)(void *)((char *)lane - offsetof(struct worker, lane));
}

/* Opens the `count` oldest frames that are still private. */
static void publish(struct worker *self, uint16_t count) {
    for (uint16_t i = 0; i < count; i++) {
        stoa_frame *frame = self->lane.split[i];
        frame->cancel = self->cancel;
        atomic_store_explicit(&frame->pending, 1, memory_order_relaxed);
    }
    self->lane.split += count;
    stoa_deque_publish(&self->forks, count);
    stoa_park_notify(self->sched, STOA_FOREGROUND);
}

stoa_frame **stoa_fork_slow(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    if (atomic_load_explicit(&worker->limit, memory_order_relaxed) != NULL) {
        return top; /* full: without a place the frame is private, and its owner runs it */
    }
    struct worker *self = worker_of(worker);
    stoa_frame **end = self->frames + STOA_FORK_PLACES;
    atomic_store_explicit(&worker->limit, end, memory_order_relaxed);
    if (top < end) {
        *top++ = frame;
        worker->top = top;
    }
    uint16_t count = (uint16_t)(top - worker->split);
    if (count > 0) {
        publish(self, (uint16_t)(count - count / 2));
    }
    return top;
}

bool stoa_join_slow(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    struct worker *self = worker_of(worker);
    uint16_t place = (uint16_t)(top - self->frames), split = 0;
    if (stoa_deque_take_back(&self->forks, place, &split)) {
        worker->split = self->frames + split;
        return !stoa_cancel_is_triggered(frame->cancel);
    }
    STOA_ASSERT(worker->split == top + 1);
    worker->top = top + 1; /* the thief may not have read the place yet */
    stoa_worker_wait_frame(self, frame);
    stoa_deque_reset(&self->forks, place);
    worker->split = worker->top = top;
    return false;
}

/* A deque without places: every frame stays with its owner. */
static void run_alone(stoa_fork_function function, stoa_frame *frame) {
    stoa_frame *none = NULL;
    stoa_worker alone = {.split = &none, .top = &none};
    atomic_init(&alone.limit, &none);
    function(&alone, &none, frame);
}

static void run_on(struct worker *self, stoa_cancel *cancel, stoa_fork_function function,
                   stoa_frame *frame) {
    stoa_cancel *outer = self->cancel;
    /* Frames of a region around this one keep the token of theirs. */
    uint16_t count = (uint16_t)(self->lane.top - self->lane.split);
    if (count > 0) {
        publish(self, count);
    }
    self->cancel = cancel;
    atomic_store_explicit(&self->lane.limit, NULL, memory_order_relaxed);
    function(&self->lane, self->lane.top, frame);
    self->cancel = outer;
}

stoa_status stoa_fork_run(const stoa_context *context, stoa_fork_function function,
                          stoa_frame *frame, stoa_error *err) {
    stoa_sched *sched = context != NULL ? context->sched : NULL;
    stoa_cancel *cancel = context != NULL ? context->cancel : NULL;
    struct worker *self = NULL;
    bool entered = false;
    STOA_TRY(stoa_cancel_check(cancel, err));
    if (sched != NULL && !sched->deterministic) {
        STOA_TRY(stoa_sched_check_process(sched, err));
        (void)stoa_sched_start(sched);
        self = stoa_worker_enter(sched, &entered);
    }
    if (self != NULL) {
        run_on(self, cancel, function, frame);
    } else {
        run_alone(function, frame);
    }
    if (entered) {
        stoa_worker_leave(self);
    }
    return stoa_cancel_check(cancel, err);
}
