/* Tasks within the library: groups, ranges, priorities, producers. For everybody above; fork.h has
 * the finest grain. */
#ifndef STOA_SCHED_SCHED_H
#define STOA_SCHED_SCHED_H

#include <stdatomic.h>

#include <stoa/sched.h>

typedef enum stoa_priority {
    STOA_FOREGROUND = 0, /* somebody waits for it */
    STOA_BACKGROUND = 1  /* compaction, clean-up: runs where no foreground task is ready */
} stoa_priority;

/// Tasks that are waited for together. The first failure triggers the group's token, keeps tasks
/// that have not begun from running, and is what the waiter gets. Lies where its owner puts it,
/// often on the stack (it takes about 1.6 KB); it may not move. The members are the module's own.
typedef struct stoa_group {
    stoa_sched *sched;
    stoa_cancel *cancel;
    stoa_priority priority;
    atomic_int failed; /* 0, then 1 when `error` has its owner */
    /* On a line of its own: every task changes it, and reads those above. */
    _Alignas(64) _Atomic int64_t pending; /* spawned and not ended */
    stoa_error error;                     /* of the first failure; read when `pending` is 0 */
} stoa_group;

/// `sched` NULL: tasks run within stoa_group_spawn. `parent` (nullable) is a token above.
///
/// Errors   STOA_NO_MEMORY
/// Owns     Every group that was initialised is waited for.
STOA_MUST_USE stoa_status stoa_group_init(stoa_group *group, stoa_sched *sched,
                                          stoa_priority priority, stoa_cancel *parent,
                                          stoa_error *err);
/// From any thread, also from the group's own tasks. Where there is no room the task runs within
/// the call, so callers hold no lock. After a failure: nothing is run.
void stoa_group_spawn(stoa_group *group, stoa_task_function function, void *user);
/// The same, behind all that waits already: for a task that gives its thread back and goes on later.
void stoa_group_spawn_last(stoa_group *group, stoa_task_function function, void *user);
/// The token that tasks of the group look at; borrowed.
stoa_cancel *stoa_group_cancel(stoa_group *group);
/// Waits for all tasks, running them meanwhile. Once; then the group is gone.
///
/// Errors   the first failure of a task
///          STOA_CANCELLED  the token kept a task from running
STOA_MUST_USE stoa_status stoa_group_wait(stoa_group *group, stoa_error *err);

/// What a call that goes on in the background is: `arguments` are its own copy; `context` is the one
/// it was submitted with, with the future's own token, so that stoa_future_cancel reaches it. It is
/// called in any case, perhaps with the token triggered: it gives back what its arguments own.
typedef stoa_status (*stoa_async_function)(void *arguments, const stoa_context *context,
                                           stoa_error *err);
/// As stoa_sched_submit, with `size` bytes of arguments that are copied.
STOA_MUST_USE stoa_status stoa_sched_submit_async(stoa_sched *sched, stoa_async_function function,
                                                  const void *arguments, size_t size,
                                                  const stoa_context *context, stoa_future **out,
                                                  stoa_error *err);

/// Cancelling the future triggers `cancel` (nullable; kept) as well: for a call on something that looks
/// at a token of its own. Once, before anybody else has the handle.
void stoa_future_also_trigger(stoa_future *future, stoa_cancel *cancel);

/// One more reference, for stoa_cancel_close. NULL gives NULL.
stoa_cancel *stoa_cancel_retain(stoa_cancel *cancel);

/// A part of a range: [begin, end).
typedef stoa_status (*stoa_range_function)(void *user, int64_t begin, int64_t end, stoa_error *err);
/// Calls `function` over all of [0, count) in parts of at least `grain` (the last one may be
/// smaller), in any order and on any threads, split as they come free.
///
/// Errors   the first failure of a part; STOA_CANCELLED
STOA_MUST_USE stoa_status stoa_parallel_for(const stoa_context *context, int64_t count,
                                            int64_t grain, stoa_range_function function, void *user,
                                            stoa_error *err);

/// One client's tasks: they run in the order of submission, one at a time, and at most `in_flight`
/// of them wait or run.
typedef struct stoa_producer stoa_producer;

/// `sched` NULL: tasks run within stoa_producer_submit. `parent` (nullable) is a token above.
///
/// Errors   STOA_INVALID  `in_flight` is below 1 or above 1,048,576
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes it, before the scheduler.
STOA_MUST_USE stoa_status stoa_producer_create(stoa_sched *sched, stoa_pool *pool,
                                               stoa_cancel *parent, int32_t in_flight,
                                               stoa_producer **out, stoa_error *err);
/// Waits while every place is taken, working meanwhile; so a task of the producer's does not submit
/// to it. `user` lives until the task has run or the producer is closed.
///
/// Errors   the first failure of a task before; no task runs after it
///          STOA_CANCELLED
/// Threads  Any; each thread's tasks keep their order.
STOA_MUST_USE stoa_status stoa_producer_submit(stoa_producer *producer, stoa_task_function function,
                                               void *user, stoa_error *err);
/// Waits for all that was submitted, working meanwhile.
///
/// Errors   the first failure of a task
STOA_MUST_USE stoa_status stoa_producer_finish(stoa_producer *producer, stoa_error *err);
/// Tasks that have not begun never do. NULL is allowed.
void stoa_producer_close(stoa_producer *producer);

#endif
