/* What the files of this module share. */
#ifndef STOA_SCHED_INTERNAL_H
#define STOA_SCHED_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "mem/pool.h"
#include "sched/sched.h"

/// Queues one task, or runs it here where there is no room for it. `group->pending` counts it.
void stoa_sched_push(stoa_sched *sched, stoa_priority priority, stoa_group *group,
                     stoa_task_function function, void *user);
/// Runs one task of a group, or leaves it out where the group has failed; counts it as ended.
void stoa_group_run(stoa_group *group, stoa_task_function function, void *user);
/// Works until `pending` is 0 or the monotonic clock shows `until_ns` (0: never). True: it is 0.
bool stoa_sched_help(stoa_sched *sched, _Atomic int64_t *pending, stoa_priority priority,
                     int64_t until_ns);
/// A group that somebody may be waiting for has ended.
void stoa_sched_wake_waiters(stoa_sched *sched);
/// The group of tasks that nobody waits for but close: it has no token and never fails.
stoa_group *stoa_sched_detached(stoa_sched *sched);
stoa_pool *stoa_sched_pool(stoa_sched *sched);

#endif
