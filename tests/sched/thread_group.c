/* Groups, futures and ranges on one, two and many threads. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <stoa/database.h>

#include "base/error.h"
#include "sched/sched.h"

static stoa_error err;

static stoa_sched *scheduler(stoa_pool *pool, int32_t threads) {
    stoa_sched_options options = {.threads = threads};
    stoa_sched *sched = NULL;
    assert_ok(stoa_sched_create(pool, &options, &sched, &err), err);
    assert_int_equal(stoa_sched_threads(sched), threads);
    return sched;
}

static void pause_ms(long ms) {
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static stoa_status count_one(void *user, stoa_error *error) {
    (void)error;
    (void)atomic_fetch_add((atomic_int *)user, 1);
    return STOA_OK;
}

static void with_threads(void (*test)(stoa_sched *sched)) {
    static const int32_t counts[] = {1, 2, 7};
    test(NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        stoa_pool *pool = support_pool_open();
        stoa_sched *sched = scheduler(pool, counts[i]);
        test(sched);
        stoa_sched_close(sched);
        support_pool_close(pool);
    }
}

static void run_all(stoa_sched *sched) {
    stoa_group group;
    atomic_int count = 0;
    for (int round = 0; round < 50; round++) {
        assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), err);
        for (int i = 0; i < 100; i++) {
            stoa_group_spawn(&group, count_one, &count);
        }
        assert_ok(stoa_group_wait(&group, &err), err);
        assert_int_equal(count, (round + 1) * 100);
    }
}

static void a_group_ends_when_all_its_tasks_have(void **state) {
    (void)state;
    with_threads(run_all);
}

struct tree {
    stoa_sched *sched;
    int depth;
    atomic_int *leaves;
};

static stoa_status grow(void *user, stoa_error *error) {
    const struct tree *tree = user;
    if (tree->depth == 0) {
        return count_one(tree->leaves, error);
    }
    struct tree below = {tree->sched, tree->depth - 1, tree->leaves};
    stoa_group group;
    STOA_TRY(stoa_group_init(&group, tree->sched, STOA_FOREGROUND, NULL, error));
    for (int i = 0; i < 3; i++) {
        stoa_group_spawn(&group, grow, &below);
    }
    return stoa_group_wait(&group, error);
}

static void grow_tree(stoa_sched *sched) {
    atomic_int leaves = 0;
    struct tree tree = {sched, 6, &leaves};
    assert_ok(grow(&tree, &err), err);
    assert_int_equal(leaves, 729);
}

static void tasks_may_wait_for_tasks(void **state) {
    (void)state;
    with_threads(grow_tree);
}

struct failing {
    stoa_group *group;
    atomic_int run;
    int at;
};

static stoa_status fail_at(void *user, stoa_error *error) {
    struct failing *failing = user;
    if (atomic_fetch_add(&failing->run, 1) == failing->at) {
        (void)stoa_fail(error, STOA_CORRUPT, "task %d fails", failing->at);
        error->row = 7;
        return STOA_CORRUPT;
    }
    return STOA_OK;
}

static void fail_one(stoa_sched *sched) {
    stoa_group group;
    struct failing failing = {.group = &group, .at = 5};
    stoa_cancel *parent = NULL;
    assert_ok(stoa_cancel_create(NULL, &parent, &err), err);
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, parent, &err), err);
    for (int i = 0; i < 20000; i++) {
        stoa_group_spawn(&group, fail_at, &failing);
        assert_true(failing.run <= 5 || i > 0);
    }
    stoa_cancel *token = stoa_group_cancel(&group);
    while (sched == NULL && !stoa_cancel_is_triggered(token)) {
    }
    assert_fails(stoa_group_wait(&group, &err), STOA_CORRUPT, "task 5 fails", err);
    assert_int_equal(err.row, 7);
    assert_true(failing.run < 20000);
    assert_false(stoa_cancel_is_triggered(parent));
    stoa_cancel_close(parent);
}

static void the_first_failure_ends_a_group(void **state) {
    (void)state;
    with_threads(fail_one);
}

static void cancel_above(stoa_sched *sched) {
    stoa_group group;
    atomic_int count = 0;
    stoa_cancel *parent = NULL;
    assert_ok(stoa_cancel_create(NULL, &parent, &err), err);
    stoa_cancel_trigger(parent);
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, parent, &err), err);
    stoa_group_spawn(&group, count_one, &count);
    assert_fails(stoa_group_wait(&group, &err), STOA_CANCELLED, "cancelled by request", err);
    assert_int_equal(count, 0);
    stoa_cancel_close(parent);
}

static void a_token_above_keeps_tasks_from_running(void **state) {
    (void)state;
    with_threads(cancel_above);
}

struct marks {
    _Atomic unsigned char *seen;
    int64_t grain;
    int64_t count;
    int64_t fail_from;
};

static stoa_status mark(void *user, int64_t begin, int64_t end, stoa_error *error) {
    struct marks *marks = user;
    if (begin < 0 || end > marks->count || (end - begin < marks->grain && end != marks->count)) {
        return stoa_fail(error, STOA_INTERNAL, "a part is too small or outside");
    }
    for (int64_t i = begin; i < end; i++) {
        if (i >= marks->fail_from) {
            return stoa_fail(error, STOA_INVALID, "row %d is bad", (int)i);
        }
        marks->seen[i]++;
    }
    return STOA_OK;
}

static void ranges(stoa_sched *sched) {
    static const int64_t counts[] = {0, 1, 2, 7, 100, 4096, 100003};
    static const int64_t grains[] = {0, 1, 3, 64, 200000};
    stoa_context context = {.sched = sched};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
            int64_t count = counts[c];
            struct marks marks = {calloc((size_t)count + 1, 1), grains[g], count, INT64_MAX};
            assert_ok(stoa_parallel_for(&context, count, grains[g], mark, &marks, &err), err);
            for (int64_t i = 0; i < count; i++) {
                assert_int_equal(marks.seen[i], 1);
            }
            assert_int_equal(marks.seen[count], 0);
            free((void *)marks.seen);
        }
    }
    struct marks marks = {calloc(5000, 1), 1, 5000, 2500};
    assert_fails(stoa_parallel_for(&context, 5000, 1, mark, &marks, &err), STOA_INVALID, "is bad",
                 err);
    free((void *)marks.seen);
}

static void a_range_is_covered_once(void **state) {
    (void)state;
    with_threads(ranges);
}

static atomic_bool may_end;

static stoa_status until_told(void *user, stoa_error *error) {
    atomic_int *begun = user;
    (void)atomic_fetch_add(begun, 1);
    while (!atomic_load(&may_end)) {
        pause_ms(1);
    }
    return stoa_fail(error, STOA_NOT_FOUND, "nothing there");
}

static void a_future_can_be_waited_for_again(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 1);
    stoa_future *slow = NULL, *never = NULL;
    atomic_int begun = 0, count = 0;
    may_end = false;
    assert_ok(stoa_sched_submit(sched, until_told, &begun, NULL, &slow, &err), err);
    while (begun == 0) {
        pause_ms(1);
    }
    assert_ok(stoa_sched_submit(sched, count_one, &count, NULL, &never, &err), err);
    stoa_future_cancel(never);
    assert_fails(stoa_future_wait(slow, 5, &err), STOA_LOCKED, "has not ended", err);
    assert_false(stoa_future_is_done(slow));
    atomic_store(&may_end, true);
    for (int i = 0; i < 2; i++) {
        assert_fails(stoa_future_wait(slow, -1, &err), STOA_NOT_FOUND, "nothing there", err);
        assert_fails(stoa_future_wait(never, 60000, &err), STOA_CANCELLED, "by request", err);
    }
    assert_true(stoa_future_is_done(slow) && stoa_future_is_done(never));
    assert_int_equal(count, 0);
    stoa_future_close(slow);
    stoa_future_close(never);
    stoa_future_close(NULL);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void *wait_a_minute(void *user) {
    stoa_error own = STOA_ERROR_NONE;
    assert_fails(stoa_future_wait(user, 60000, &own), STOA_NOT_FOUND, "nothing there", own);
    return NULL;
}

/* Who waits for so long and no longer runs nothing, and others are woken for what comes. */
static void a_wait_with_an_end_keeps_nobody_asleep(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 2);
    stoa_future *slow = NULL;
    pthread_t waiter;
    atomic_int begun = 0, count = 0;
    may_end = false;
    assert_ok(stoa_sched_submit(sched, until_told, &begun, NULL, &slow, &err), err);
    assert_int_equal(pthread_create(&waiter, NULL, wait_a_minute, slow), 0);
    for (int i = 0; i < 5; i++) {
        stoa_future *other = NULL;
        pause_ms(20); /* all who have nothing to do are asleep */
        assert_ok(stoa_sched_submit(sched, count_one, &count, NULL, &other, &err), err);
        while (!stoa_future_is_done(other)) { /* without helping */
            pause_ms(1);
        }
        stoa_future_close(other);
    }
    assert_int_equal(count, 5);
    atomic_store(&may_end, true);
    assert_int_equal(pthread_join(waiter, NULL), 0);
    stoa_future_close(slow);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

/* A budget with room for the scheduler and for none of its workers. */
static void without_any_thread_who_waits_works(void **state) {
    (void)state;
    stoa_pool *root = support_pool_open(), *small = NULL;
    stoa_future *future = NULL;
    atomic_int count = 0;
    assert_ok(stoa_pool_create_child(root, "small", (size_t)48 << 10, &small, &err), err);
    stoa_sched *sched = scheduler(small, 2);
    assert_ok(stoa_sched_submit(sched, count_one, &count, NULL, &future, &err), err);
    assert_ok(stoa_future_wait(future, 60000, &err), err);
    assert_int_equal(count, 1);
    stoa_future_close(future);
    stoa_sched_close(sched);
    stoa_pool_close(small);
    support_pool_close(root);
}

struct inner_wait {
    stoa_sched *sched;
    atomic_int begun;
    atomic_int done_in_background;
};

static stoa_status until_background(void *user, stoa_error *error) {
    struct inner_wait *inner = user;
    (void)error;
    atomic_store(&inner->begun, 1);
    while (!atomic_load(&inner->done_in_background)) {
        (void)sched_yield();
    }
    return STOA_OK;
}

/* Waits within a task for another one, which another thread has taken. */
static stoa_status wait_within(void *user, stoa_error *error) {
    struct inner_wait *inner = user;
    stoa_group group;
    STOA_TRY(stoa_group_init(&group, inner->sched, STOA_FOREGROUND, NULL, error));
    stoa_group_spawn(&group, until_background, inner);
    while (!atomic_load(&inner->begun)) {
        (void)sched_yield();
    }
    return stoa_group_wait(&group, error);
}

/* A worker that waits for foreground tasks looks for such a while before it sleeps. Work that it may
 * not do comes at any moment of that. */
static void who_may_not_do_it_wakes_who_may(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 3);
    for (int round = 0; round < 1500; round++) {
        struct inner_wait inner = {.sched = sched};
        stoa_future *future = NULL;
        stoa_group background;
        assert_ok(stoa_sched_submit(sched, wait_within, &inner, NULL, &future, &err), err);
        while (!atomic_load(&inner.begun)) {
            (void)sched_yield();
        }
        for (volatile int i = 0; i < round * 7; i++) {
        }
        assert_ok(stoa_group_init(&background, sched, STOA_BACKGROUND, NULL, &err), err);
        stoa_group_spawn(&background, count_one, &inner.done_in_background);
        while (!stoa_future_is_done(future)) { /* without helping */
            (void)sched_yield();
        }
        assert_ok(stoa_group_wait(&background, &err), err);
        stoa_future_close(future);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void closing_waits_for_what_was_submitted(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 2);
    atomic_int count = 0;
    for (int i = 0; i < 100; i++) {
        stoa_future *future = NULL;
        assert_ok(stoa_sched_submit(sched, count_one, &count, NULL, &future, &err), err);
        stoa_future_close(future);
    }
    stoa_sched_close(sched);
    assert_int_equal(count, 100);
    support_pool_close(pool);
}

static void thread_counts_are_checked(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = NULL;
    stoa_sched_options options = {.threads = -1};
    assert_fails(stoa_sched_create(pool, &options, &sched, &err), STOA_INVALID, "-1", err);
    assert_null(sched);
    options.threads = 1025;
    assert_fails(stoa_sched_create(pool, &options, &sched, &err), STOA_INVALID, "1025", err);
    assert_int_equal(setenv("STOA_THREADS", "many", 1), 0);
    assert_fails(stoa_sched_create(pool, NULL, &sched, &err), STOA_INVALID, "'many'", err);
    assert_int_equal(setenv("STOA_THREADS", "3", 1), 0);
    assert_ok(stoa_sched_create(pool, NULL, &sched, &err), err);
    assert_int_equal(stoa_sched_threads(sched), 3);
    assert_int_equal(unsetenv("STOA_THREADS"), 0);
    stoa_sched_close(sched);
    stoa_sched_close(NULL);
    assert_int_equal(stoa_sched_threads(NULL), 1);
    support_pool_close(pool);
}

static void threads_come_and_go_under_load(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 2);
    stoa_group group;
    atomic_int count = 0;
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), err);
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 50; k++) {
            stoa_group_spawn(&group, count_one, &count);
        }
        assert_ok(stoa_sched_set_threads(sched, 1 + i % 6, &err), err);
        assert_int_equal(stoa_sched_threads(sched), 1 + i % 6);
    }
    assert_ok(stoa_group_wait(&group, &err), err);
    assert_int_equal(count, 10000);
    assert_fails(stoa_sched_set_threads(sched, 4096, &err), STOA_INVALID, "4096", err);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static stoa_status look_at_signals(void *user, stoa_error *error) {
    sigset_t blocked;
    (void)error;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    atomic_store((atomic_int *)user, sigismember(&blocked, SIGINT) + 1);
    return STOA_OK;
}

static void workers_take_no_signals(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = scheduler(pool, 1);
    stoa_future *future = NULL;
    atomic_int seen = 0;
    assert_ok(stoa_sched_submit(sched, look_at_signals, &seen, NULL, &future, &err), err);
    while (!stoa_future_is_done(future)) { /* without helping */
        pause_ms(1);
    }
    assert_int_equal(seen, 2);
    stoa_future_close(future);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void a_database_has_a_scheduler(void **state) {
    (void)state;
    stoa_database *database = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.threads = 3;
    assert_ok(stoa_database_open(":memory:", &options, &database, &err), err);
    assert_int_equal(stoa_sched_threads(stoa_database_sched(database)), 3);
    run_all(stoa_database_sched(database));
    stoa_database_close(database);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_ends_when_all_its_tasks_have),
        cmocka_unit_test(tasks_may_wait_for_tasks),
        cmocka_unit_test(the_first_failure_ends_a_group),
        cmocka_unit_test(a_token_above_keeps_tasks_from_running),
        cmocka_unit_test(a_range_is_covered_once),
        cmocka_unit_test(a_future_can_be_waited_for_again),
        cmocka_unit_test(a_wait_with_an_end_keeps_nobody_asleep),
        cmocka_unit_test(without_any_thread_who_waits_works),
        cmocka_unit_test(who_may_not_do_it_wakes_who_may),
        cmocka_unit_test(closing_waits_for_what_was_submitted),
        cmocka_unit_test(thread_counts_are_checked),
        cmocka_unit_test(threads_come_and_go_under_load),
        cmocka_unit_test(workers_take_no_signals),
        cmocka_unit_test(a_database_has_a_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
