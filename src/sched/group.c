/* Groups: counting, the first failure, the token.
 *
 * Whoever brings `pending` to 0 may not touch the group any more: its waiter may have returned, and
 * the group is gone with the waiter's stack. So the waiter is woken through the scheduler. */
#include <string.h>

#include "base/error.h"
#include "sched/internal.h"

stoa_status stoa_group_init(stoa_group *group, stoa_sched *sched, stoa_priority priority,
                            stoa_cancel *parent, stoa_error *err) {
    STOA_TRY(stoa_sched_check_process(sched, err));
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

/* A kilobyte and a half that a task seldom looks at: only what it may rely on is set. */
static void error_begin(stoa_error *error) {
    error->status = STOA_OK;
    error->row = error->line = error->offset = error->query_offset = -1;
    error->column_index = -1;
    error->column[0] = error->file[0] = error->message[0] = '\0';
}

void stoa_group_run(const struct task *task) {
    stoa_group *group = task->group;
    if (atomic_load_explicit(&group->failed, memory_order_relaxed) != 0) {
        return;
    }
    stoa_error error;
    error_begin(&error);
    stoa_status status = stoa_cancel_check(group->cancel, &error);
    if (status == STOA_OK) {
        status = task->function(task->user, &error);
    }
    if (status != STOA_OK) {
        error.status = status;
        fail_first(group, &error);
    }
}

void stoa_group_end(stoa_group *group, int64_t count) {
    stoa_sched *sched = group->sched;
    const _Atomic int64_t *pending = &group->pending;
    /* What the tasks wrote comes before this; and it comes before the look at who sleeps. */
    if (atomic_fetch_sub_explicit(&group->pending, count, memory_order_seq_cst) == count &&
        sched != NULL) {
        stoa_park_notify_done(sched, pending);
    }
}

void stoa_group_spawn(stoa_group *group, stoa_task_function function, void *user) {
    struct task task = {function, user, group};
    if (group->sched == NULL) {
        stoa_group_run(&task);
        return;
    }
    stoa_sched_spawn(group->sched, &task, true);
}

void stoa_group_spawn_last(stoa_group *group, stoa_task_function function, void *user) {
    struct task task = {function, user, group};
    if (group->sched == NULL) {
        stoa_group_run(&task);
        return;
    }
    stoa_sched_spawn_last(group->sched, &task);
}

stoa_cancel *stoa_group_cancel(stoa_group *group) {
    return group->cancel;
}

stoa_status stoa_group_wait(stoa_group *group, stoa_error *err) {
    if (group->sched != NULL) {
        (void)stoa_sched_help(group->sched, group, &group->pending, group->priority, 0);
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
