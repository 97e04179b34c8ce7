/* Work on a log with each allocation and each call of the file system failing: what was said to be durable
 * is, and the log can be opened again. */
#include "wal_world.h"

static wal_world log_world;

static stoa_status make_directory(support_world *world, void *user, stoa_error *err) {
    (void)user;
    log_world = (wal_world){.pool = world->pool,
                            .registry = world->registry,
                            .directory = "test:/log",
                            .boot = "now"};
    return stoa_vfs_make_directories(world->registry, log_world.directory, NULL, err);
}

static stoa_status append(int count, stoa_error *err) {
    for (int i = 0; i < count; i++) {
        STOA_TRY(wal_append(&log_world, err));
    }
    return STOA_OK;
}

static stoa_status work(stoa_error *err) {
    STOA_TRY(wal_try_open(&log_world, err));
    STOA_TRY(append(20, err));
    STOA_TRY(wal_sync(&log_world, err));
    STOA_TRY(append(20, err));
    STOA_TRY(stoa_wal_prepare(log_world.log, err));
    STOA_TRY(append(20, err));
    STOA_TRY(wal_sync(&log_world, err));
    STOA_TRY(wal_flush(&log_world, err));
    STOA_TRY(append(20, err));
    STOA_TRY(stoa_wal_prepare(log_world.log, err));
    STOA_TRY(append(20, err));
    wal_close(&log_world);
    STOA_TRY(wal_try_open(&log_world, err));
    STOA_TRY(append(5, err));
    return wal_sync(&log_world, err);
}

static stoa_status use_log(support_world *world, void *user, stoa_error *err) {
    (void)world, (void)user;
    const stoa_status status = work(err);
    wal_close(&log_world);
    return status;
}

/* The same run of the machine: all that was committed is there. */
static void check_all(support_world *world, void *user, stoa_status status) {
    (void)world, (void)user, (void)status;
    const int64_t count = log_world.count;
    wal_open(&log_world);
    assert_int_equal(log_world.count, count);
    wal_append_many(&log_world, 10);
    wal_close(&log_world);
    wal_open(&log_world);
    assert_int_equal(log_world.count, count + 10);
    wal_close(&log_world);
}

/* A later run: all that was synced. */
static void check_synced(support_world *world, void *user, stoa_status status) {
    (void)world, (void)user, (void)status;
    (void)snprintf(log_world.boot, sizeof log_world.boot, "later");
    log_world.synced = log_world.synced < wal_first(&log_world) ? wal_first(&log_world)
                                                                : log_world.synced;
    log_world.life = 1;
    wal_open(&log_world);
    wal_append_many(&log_world, 10);
    const int64_t count = log_world.count;
    wal_close(&log_world);
    wal_open(&log_world);
    assert_int_equal(log_world.count, count);
    wal_close(&log_world);
}

static void allocations_fail(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(make_directory, use_log, check_all, NULL) > 40);
}

static void calls_fail(void **state) {
    (void)state;
    assert_true(support_fail_each_call(make_directory, use_log, check_all, NULL) > 40);
}

static void the_machine_goes_down_at_each_call(void **state) {
    (void)state;
    assert_true(support_crash_at_each_call(make_directory, use_log, check_synced, 4, NULL) > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_fail),
        cmocka_unit_test(calls_fail),
        cmocka_unit_test(the_machine_goes_down_at_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
