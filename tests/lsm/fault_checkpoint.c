/* Checkpoints while memory runs out, calls fail and the machine goes down: the copy is whole or not there,
 * and the store has all that was acknowledged. */
#include <stoa/state_maintenance.h>

#include "fault_scene.h"

enum { ROWS = 3 };

static stoa_status put(stoa_state *totals, int64_t user, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = user}, {.bytes = "x", .size = 1}};
    return stoa_state_put(totals, row, STOA_DURABILITY_SYNC, err);
}

/* A row in a file, and others in the log. */
static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    scene->run = 0;
    STOA_TRY(begin_in(world, scene, err));
    store_test_open(&scene->store);
    stoa_status status = STOA_OK;
    for (int64_t i = 1; i <= ROWS && status == STOA_OK; i++) {
        status = put(scene->store.totals, i, err);
        if (status == STOA_OK && i == 1) {
            status = stoa_state_flush(scene->store.totals, err);
        }
    }
    end(scene);
    return status;
}

static stoa_status checkpoint(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    stoa_state *totals = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(begin_in(world, scene, err));
    STOA_CHECK(store_test_open_as(&scene->store, false, err));
    STOA_CHECK(stoa_store_open_table(scene->store.store, TOTALS, &totals, err));
    STOA_CHECK(stoa_state_checkpoint(totals, "test:/copies/copy", NULL, err));

done:
    stoa_state_close(totals);
    stoa_store_close(scene->store.store);
    stoa_sched_close(scene->store.sched);
    return status;
}

static void check_rows(support_world *world, struct scene *scene, const char *directory) {
    stoa_error err;
    stoa_row *row = NULL;
    assert_ok(begin_in(world, scene, &err), err);
    scene->store.directory = directory;
    assert_ok(store_test_open_as(&scene->store, false, &err), err);
    assert_ok(stoa_store_open_table(scene->store.store, TOTALS, &scene->store.totals, &err), err);
    assert_ok(stoa_row_create(scene->store.totals, "total", &row, &err), err);
    assert_ok(put(scene->store.totals, ROWS + 1, &err), err);
    for (int64_t i = 1; i <= ROWS + 1; i++) {
        bool found = false;
        assert_ok(stoa_state_get(scene->store.totals, &(stoa_cell){.i = i}, NULL, row, &found,
                                 &err),
                  err);
        assert_true(found);
        assert_int_equal(stoa_row_cells(row)[0].i, i);
    }
    stoa_row_close(row);
    end(scene);
}

static void check(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    stoa_error err;
    bool is_there = false;
    assert_ok(stoa_vfs_exists(world->registry, "test:/copies/copy", NULL, &is_there, &err), err);
    assert_true(is_there || status != STOA_OK);
    check_rows(world, scene, "test:/db");
    if (is_there) {
        check_rows(world, scene, "test:/copies/copy");
    }
}

static void test_failing_allocations_copy_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_allocation(prepare, checkpoint, check, &scene) > 50);
}

static void test_failing_calls_copy_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_call(prepare, checkpoint, check, &scene) > 20);
}

static void test_a_machine_that_goes_down_copies_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_crash_at_each_call(prepare, checkpoint, check, 2, &scene) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations_copy_all_or_nothing),
        cmocka_unit_test(test_failing_calls_copy_all_or_nothing),
        cmocka_unit_test(test_a_machine_that_goes_down_copies_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
