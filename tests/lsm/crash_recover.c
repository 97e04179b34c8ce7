/* A store whose process is killed, also while or soon after it brings back what the log holds. */
#include "lsm/store_internal.h"
#include "store_support.h"

static void begin(struct store_test *test, support_world *world) {
    stoa_error err;
    support_world_open(world);
    *test = (struct store_test){.pool = world->pool,
                                .file_systems = world->registry,
                                .directory = "test:/db",
                                .boot = "first",
                                .settings = {.no_background = true}};
    test->settings.memtable_bytes = 128 << 10;
    test->settings.log_segment_bytes = 64 << 10;
    assert_ok(stoa_sched_create(world->pool, &(stoa_sched_options){.threads = 1}, &test->sched,
                                &err),
              err);
}

static void end(struct store_test *test, support_world *world) {
    store_test_close(test);
    stoa_sched_close(test->sched);
    support_world_close(world);
}

static void kill_and_open(struct store_test *test, support_world *world) {
    support_world_crash(world, STOA_CRASH_KEEP, 0);
    store_test_close(test);
    store_test_open(test);
}

static void put(struct store_test *test, int64_t user, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.bytes = "somebody", .size = 8}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static int64_t count_rows(struct store_test *test) {
    stoa_error err;
    int64_t count = -1;
    assert_ok(stoa_state_count(test->totals, &(stoa_state_scan_options){0}, &count, &err), err);
    return count;
}

/* Recovery writes files while it reads the log. What follows in the log is in none of them, though the
 * manifest may know of higher numbers: of what was in memory when it was told of the last file. */
static void test_rows_behind_a_flush_of_recovery_stay(void **state) {
    (void)state;
    support_world world;
    struct store_test test;
    int64_t rows = 0;
    begin(&test, &world);
    store_test_open(&test);
    while (test.store->counts.flushes == 0) {
        put(&test, rows, rows);
        rows++;
    }
    for (int i = 0; i < 3; i++) {
        kill_and_open(&test, &world);
        assert_int_equal(count_rows(&test), rows);
    }
    end(&test, &world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_behind_a_flush_of_recovery_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
