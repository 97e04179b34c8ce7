/* Everything of the scheduler with the nth allocation failing: reported or done without, no leak,
 * nothing runs twice. */
#include "support.h"

#include <stdatomic.h>

#include "base/error.h"
#include "sched/fork.h"

struct counts {
    atomic_int tasks;
    atomic_int rows;
};

static stoa_status count_task(void *user, stoa_error *err) {
    (void)err;
    (void)atomic_fetch_add(&((struct counts *)user)->tasks, 1);
    return STOA_OK;
}

static stoa_status count_rows(void *user, int64_t begin, int64_t end, stoa_error *err) {
    (void)err;
    (void)atomic_fetch_add(&((struct counts *)user)->rows, (int)(end - begin));
    return STOA_OK;
}

static void leaf(stoa_worker *worker, stoa_frame **top, stoa_frame *frame) {
    (void)worker;
    (void)top;
    (void)frame;
}

static stoa_status use_groups(stoa_sched *sched, struct counts *counts, stoa_error *err) {
    for (int priority = 0; priority < 2; priority++) {
        stoa_group group;
        STOA_TRY(stoa_group_init(&group, sched, (stoa_priority)priority, NULL, err));
        for (int i = 0; i < 600; i++) { /* more than a queue has places at first */
            stoa_group_spawn(&group, count_task, counts);
        }
        STOA_TRY(stoa_group_wait(&group, err));
    }
    stoa_context context = {.sched = sched};
    return stoa_parallel_for(&context, 1000, 10, count_rows, counts, err);
}

static stoa_status use_clients(stoa_sched *sched, stoa_pool *pool, struct counts *counts,
                               stoa_error *err) {
    stoa_producer *producer = NULL;
    stoa_future *future = NULL;
    stoa_context context = {.sched = sched};
    stoa_frame frame = {.function = leaf};
    STOA_TRY(stoa_fork_run(&context, leaf, &frame, err));
    STOA_TRY(stoa_sched_submit(sched, count_task, counts, NULL, &future, err));
    stoa_status status = stoa_future_wait(future, -1, err);
    stoa_future_close(future);
    STOA_TRY(status);
    STOA_TRY(stoa_producer_create(sched, pool, NULL, 4, &producer, err));
    for (int i = 0; i < 10 && status == STOA_OK; i++) {
        status = stoa_producer_submit(producer, count_task, counts, err);
    }
    if (status == STOA_OK) {
        status = stoa_producer_finish(producer, err);
    }
    stoa_producer_close(producer);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    struct counts counts = {0};
    stoa_sched *sched = NULL;
    const bool *deterministic = user;
    stoa_sched_options options = {.threads = 2, .deterministic = *deterministic, .seed = 1};
    STOA_TRY(stoa_sched_create(world->pool, &options, &sched, err));
    stoa_status status = use_groups(sched, &counts, err);
    if (status == STOA_OK) {
        status = use_clients(sched, world->pool, &counts, err);
    }
    stoa_sched_close(sched);
    assert_true(status != STOA_OK || (counts.tasks == 1211 && counts.rows == 1000));
    return status;
}

static void tasks_survive_every_failing_allocation(void **state) {
    (void)state;
    bool deterministic = true;
    assert_true(support_fail_each_allocation(NULL, scenario, NULL, &deterministic) > 5);
    deterministic = false;
    assert_true(support_fail_each_allocation(NULL, scenario, NULL, &deterministic) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tasks_survive_every_failing_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
