/* Fork and join at the price of a call: for recursion that is fine-grained and strictly nested.
 *
 *     struct sum_frame { stoa_frame frame; const node *tree; int64_t result; };
 *
 *     static int64_t sum(stoa_worker *worker, stoa_frame **top, const node *tree) {
 *         struct sum_frame left = {.tree = tree->left};
 *         stoa_frame **above = stoa_fork(worker, top, &left.frame, run_sum);
 *         int64_t right = sum(worker, above, tree->right);
 *         bool mine = stoa_join(worker, top, &left.frame);
 *         return right + (mine ? sum(worker, top, tree->left) : left.result);
 *     }
 *
 *     static void run_sum(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
 *         struct sum_frame *left = (struct sum_frame *)frame;
 *         left->result = sum(worker, top, left->tree);
 *     }
 *
 * `top` is where the next frame goes. It travels as an argument, in a register: read back from
 * memory it would make every task wait for the store of the one before.
 *
 * A frame lies on its function's stack, its address on the worker's own deque. While nobody is idle,
 * neither forking nor joining does anything atomic. A thief that finds nothing lowers `limit`, and
 * the next fork opens the older half of the deque to thieves.
 *
 * Once the token of the region is triggered no stolen frame runs any more and joining a frame that
 * was open to thieves does not run it either: `result` stays as it was initialised, and stoa_fork_run
 * answers STOA_CANCELLED. */
#ifndef STOA_SCHED_FORK_H
#define STOA_SCHED_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sched/sched.h"

typedef struct stoa_frame stoa_frame;

/// What a worker's fast path touches; the rest of it is the module's own.
typedef struct stoa_worker {
    _Atomic(stoa_frame **) limit; /* the deque's end, or NULL while somebody asks for frames */
    stoa_frame **split;           /* below it frames are open to thieves, or stolen */
    stoa_frame **top;             /* the first free place */
} stoa_worker;

typedef void (*stoa_fork_function)(stoa_worker *worker, stoa_frame **top, stoa_frame *frame);

struct stoa_frame {
    stoa_fork_function function;
    stoa_cancel *cancel;     /* set when the frame is opened to thieves, as `pending` */
    _Atomic int64_t pending; /* 0: done; 1: open; 2 and more: the thief's index plus 2 */
};

stoa_frame **stoa_fork_slow(stoa_worker *worker, stoa_frame **top, stoa_frame *frame);
bool stoa_join_slow(stoa_worker *worker, stoa_frame **top, stoa_frame *frame);

/// Offers `frame` to others. Returns the top for what the caller does meanwhile.
static inline stoa_frame **stoa_fork(stoa_worker *worker, stoa_frame **top, stoa_frame *frame,
                                     stoa_fork_function function) {
    frame->function = function;
    /* Relaxed: it says only that somebody would like to have frames. */
    if (__builtin_expect(top >= atomic_load_explicit(&worker->limit, memory_order_relaxed), 0)) {
        return stoa_fork_slow(worker, top, frame);
    }
    *top = frame;
    worker->top = top + 1;
    return top + 1;
}

/// With the top that stoa_fork was given, in the reverse order of the forks. True: nobody took the
/// frame, and the caller does its work. False: it is done.
static inline bool stoa_join(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    worker->top = top;
    if (__builtin_expect(top >= worker->split, 1)) {
        return true;
    }
    return stoa_join_slow(worker, top, frame);
}

/// Runs `function` over `frame` on the context's scheduler (NULL: all on this thread).
///
/// Errors   STOA_CANCELLED, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_fork_run(const stoa_context *context, stoa_fork_function function,
                                        stoa_frame *frame, stoa_error *err);

#endif
