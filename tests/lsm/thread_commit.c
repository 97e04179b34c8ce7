/* Tasks that commit, while there is no room for more tasks: whoever waits for a flush runs them, and holds
 * nothing that they need. */
#include <unistd.h>

#include "store_support.h"

enum { WORKERS = 2, TASKS = 4000, ROWS_PER_TASK = 20, SECONDS_MAX = 60 };

struct world {
    struct store_test test;
    _Atomic int64_t next_user;
    atomic_int waiting;
    atomic_bool may_go_on;
};

static stoa_status put_rows(void *user, stoa_error *err) {
    struct world *world = user;
    for (int i = 0; i < ROWS_PER_TASK; i++) {
        const int64_t key = atomic_fetch_add_explicit(&world->next_user, 1, memory_order_relaxed);
        const stoa_cell row[] = {{.i = key}, {.i = key}, {.bytes = "somebody", .size = 8}};
        STOA_TRY(stoa_state_put(world->test.totals, row, STOA_DURABILITY_DEFAULT, err));
    }
    return STOA_OK;
}

/* Keeps a worker from taking tasks. */
static stoa_status wait_for_go(void *user, stoa_error *err) {
    struct world *world = user;
    (void)err;
    atomic_fetch_add_explicit(&world->waiting, 1, memory_order_release);
    while (!atomic_load_explicit(&world->may_go_on, memory_order_acquire)) {
        (void)usleep(1000);
    }
    return STOA_OK;
}

static void test_tasks_commit_while_one_of_them_flushes(void **state) {
    (void)state;
    static struct world world;
    stoa_pool *pool = NULL;
    stoa_group group;
    int64_t count = 0;
    stoa_error err;
    assert_ok(stoa_pool_create(0, NULL, &pool, &err), err);
    store_test_begin(&world.test, pool);
    world.test.settings.memtable_bytes = 128 << 10;
    store_test_open(&world.test);
    (void)alarm(SECONDS_MAX); /* a thread that waits for itself does so for ever */
    assert_ok(stoa_group_init(&group, world.test.sched, STOA_FOREGROUND, NULL, &err), err);
    for (int i = 0; i < WORKERS; i++) {
        stoa_group_spawn(&group, wait_for_go, &world);
    }
    while (atomic_load_explicit(&world.waiting, memory_order_acquire) < WORKERS) {
        (void)usleep(1000);
    }
    for (int i = 0; i < TASKS; i++) {
        stoa_group_spawn(&group, put_rows, &world);
    }
    atomic_store_explicit(&world.may_go_on, true, memory_order_release);
    assert_ok(stoa_group_wait(&group, &err), err);
    (void)alarm(0);
    assert_ok(stoa_state_count(world.test.totals, &(stoa_state_scan_options){0}, &count, &err),
              err);
    assert_int_equal(count, (int64_t)TASKS * ROWS_PER_TASK);
    store_test_end(&world.test);
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_commit_while_one_of_them_flushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
