/* Worker threads and what runs on them: tasks in groups, ranges, futures.
 *
 * A scheduler belongs to one database or one program; two of them share nothing. Whoever waits for
 * a group works meanwhile, so tasks may spawn and wait without end of threads. */
#ifndef STOA_SCHED_H
#define STOA_SCHED_H

#include <stdbool.h>

#include <stoa/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_sched_options {
    int32_t threads;    /* workers; 0: STOA_THREADS, else the machine's processors */
    bool deterministic; /* no threads: who waits runs everything, in an order drawn from `seed` */
    uint64_t seed;
} stoa_sched_options;

/// Makes a scheduler. Its threads start with the first task.
///
/// Errors   STOA_INVALID  a thread count below 0 or above 1,024, or STOA_THREADS is no such number
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     `options` (nullable) is copied. The caller closes it after all that runs on it.
STOA_API STOA_MUST_USE stoa_status stoa_sched_create(stoa_pool *pool,
                                                     const stoa_sched_options *options,
                                                     stoa_sched **out, stoa_error *err);
/// Waits for tasks that were spawned, then for the threads. NULL is allowed.
STOA_API void stoa_sched_close(stoa_sched *sched);
/// How many threads work; 1 for NULL. In the deterministic mode the number that was asked for: work
/// is split as if they were there.
STOA_API int32_t stoa_sched_threads(const stoa_sched *sched);
/// Grows or shrinks while tasks run; a thread that is to go ends its task first.
///
/// Errors   STOA_INVALID  as stoa_sched_create, or the process has forked since
///          STOA_NO_MEMORY, STOA_IO  the system gives no thread; the number is what it was
/// Threads  Any.
STOA_API STOA_MUST_USE stoa_status stoa_sched_set_threads(stoa_sched *sched, int32_t threads,
                                                          stoa_error *err);

/// What runs. `err` is never NULL.
typedef stoa_status (*stoa_task_function)(void *user, stoa_error *err);

/// What will be there later: the end of one task.
typedef struct stoa_future stoa_future;

/// Runs `function` on the scheduler. `context` (nullable) gives pool and token; the token is a
/// parent of the future's own.
///
/// Errors   of the start alone, with `*out` NULL: STOA_INVALID (no scheduler, or the process has forked
///          since it was made), STOA_NO_MEMORY, STOA_LIMIT
/// Threads  Any.
/// Owns     The caller closes the future; `user` must live until it is done.
STOA_API STOA_MUST_USE stoa_status stoa_sched_submit(stoa_sched *sched, stoa_task_function function,
                                                     void *user, const stoa_context *context,
                                                     stoa_future **out, stoa_error *err);
/// Waits, working meanwhile where the caller is a worker or waits without end. `timeout_ms` negative:
/// without end. A future that is done answers for ever, also when its scheduler is closed.
///
/// Errors   what the task answered; STOA_CANCELLED when it never ran
///          STOA_LOCKED  it is not done after `timeout_ms`
/// Threads  Any, several at once.
STOA_API STOA_MUST_USE stoa_status stoa_future_wait(stoa_future *future, int64_t timeout_ms,
                                                    stoa_error *err);
STOA_API bool stoa_future_is_done(const stoa_future *future);
/// Triggers the future's token: a task that has not begun never does. From any thread.
STOA_API void stoa_future_cancel(stoa_future *future);
/// Gives up the handle, not the task. NULL is allowed.
STOA_API void stoa_future_close(stoa_future *future);

#ifdef __cplusplus
}
#endif
#endif
