/* Groups: counting, the first failure, the token.
 *
 * Whoever brings `pending` to 0 may not touch the group any more: its waiter may have returned, and
 * the group is gone with the waiter's stack. So the waiter is woken through the scheduler. */
#include <string.h>

#include "base/error.h"
#include "sched/internal.h"

stoa_status stoa_group_init(stoa_group *group, stoa_sched *sched, stoa_priority priority,
                            stoa_cancel *parent, stoa_error *err) {
    group->sched = sched;
    group->cancel = NULL;
    group->priority = priority;
    atomic_init(&group->failed, 0);
    atomic_init(&group->pending, 0);
    return stoa_cancel_create(parent, &group->cancel, err);
}

static void fail_first(stoa_group *group, const stoa_error *error) {
    int none = 0;
    if (atomic_compare_exchange_strong_explicit(&group->failed, &none, 1, memory_order_relaxed,
                                                memory_order_relaxed)) {
        group->error = *error;
        stoa_cancel_trigger(group->cancel);
    }
}

void stoa_group_run(stoa_group *group, stoa_task_function function, void *user) {
    if (atomic_load_explicit(&group->failed, memory_order_relaxed) == 0) {
        stoa_error error;
        stoa_error_clear(&error);
        stoa_status status = stoa_cancel_check(group->cancel, &error);
        if (status == STOA_OK) {
            status = function(user, &error);
        }
        if (status != STOA_OK) {
            error.status = status;
            fail_first(group, &error);
        }
    }
    stoa_sched *sched = group->sched;
    /* Release: what the task wrote, and `error`. Pairs with the load in stoa_sched_help. */
    if (atomic_fetch_sub_explicit(&group->pending, 1, memory_order_acq_rel) == 1 && sched != NULL) {
        stoa_sched_wake_waiters(sched);
    }
}

void stoa_group_spawn(stoa_group *group, stoa_task_function function, void *user) {
    (void)atomic_fetch_add_explicit(&group->pending, 1, memory_order_relaxed);
    if (group->sched == NULL) {
        stoa_group_run(group, function, user);
        return;
    }
    stoa_sched_push(group->sched, group->priority, group, function, user);
}

stoa_cancel *stoa_group_cancel(stoa_group *group) {
    return group->cancel;
}

stoa_status stoa_group_wait(stoa_group *group, stoa_error *err) {
    if (group->sched != NULL) {
        (void)stoa_sched_help(group->sched, &group->pending, group->priority, 0);
    }
    stoa_cancel_close(group->cancel);
    if (atomic_load_explicit(&group->failed, memory_order_relaxed) == 0) {
        return STOA_OK;
    }
    if (err != NULL) {
        *err = group->error;
    }
    return group->error.status;
}
