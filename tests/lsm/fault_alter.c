/* Altering a table while memory runs out, calls fail and the machine goes down: the table has its old
 * columns or its new ones, all rows that were acknowledged, and takes rows of the columns it has. */
#include "fault_scene.h"

/* With total = user, which is a long now or was. */
static stoa_status put(stoa_state *totals, int64_t user, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = user}, {.bytes = "x", .size = 1}, {.f = 1}};
    return stoa_state_put(totals, row, STOA_DURABILITY_SYNC, err);
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    scene->run = 0;
    scene->acknowledged = 0;
    STOA_TRY(begin_in(world, scene, err));
    store_test_open(&scene->store);
    STOA_TRY(put(scene->store.totals, 1, err));
    scene->acknowledged = 1;
    end(scene);
    return STOA_OK;
}

/* A row before it is altered and one after, even if that failed. */
static stoa_status alter(support_world *world, void *user, stoa_error *err) {
    static const stoa_state_alteration alterations[] = {
        {STOA_STATE_ADD_COLUMN, NULL, "score double"},
        {STOA_STATE_RENAME_COLUMN, "name", "title"},
    };
    struct scene *scene = user;
    stoa_state *totals = NULL;
    stoa_status status = STOA_OK;
    stoa_error later;
    STOA_TRY(begin_in(world, scene, err));
    STOA_CHECK(store_test_open_as(&scene->store, false, err));
    STOA_CHECK(stoa_store_open_table(scene->store.store, TOTALS, &totals, err));
    STOA_CHECK(put(totals, 2, err));
    scene->acknowledged = 2;
    status = stoa_store_alter_table(scene->store.store, TOTALS, alterations, 2, err);
    stoa_state_close(totals);
    totals = NULL;
    assert_ok(stoa_store_open_table(scene->store.store, TOTALS, &totals, &later), later);
    if (put(totals, 3, &later) == STOA_OK) {
        scene->acknowledged = 3;
    } else if (status == STOA_OK) {
        *err = later;
        status = later.status;
    }

done:
    stoa_state_close(totals);
    stoa_store_close(scene->store.store);
    stoa_sched_close(scene->store.sched);
    return status;
}

static bool has_row(stoa_state *totals, stoa_row *row, int64_t user) {
    stoa_error err;
    bool found = false;
    assert_ok(stoa_state_get(totals, &(stoa_cell){.i = user}, NULL, row, &found, &err), err);
    assert_true(!found || stoa_row_cells(row)[0].i == user);
    return found;
}

static void check(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    stoa_row *row = NULL;
    stoa_error err;
    assert_ok(begin_in(world, scene, &err), err);
    store_test_open(&scene->store);
    stoa_state *totals = scene->store.totals;
    const stoa_schema *schema = stoa_state_schema(totals);
    const bool is_new = schema->root.child_count == 4;
    assert_true(is_new || status != STOA_OK);
    assert_string_equal(schema->root.children[2].name, is_new ? "title" : "name");
    assert_ok(stoa_row_create(totals, "total", &row, &err), err);
    for (int64_t i = 1; i <= scene->acknowledged; i++) {
        assert_true(has_row(totals, row, i));
    }
    assert_ok(put(totals, 4, &err), err);
    assert_true(has_row(totals, row, 4));
    stoa_row_close(row);
    end(scene);
}

static void test_failing_allocations_alter_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_allocation(prepare, alter, check, &scene) > 50);
}

static void test_failing_calls_alter_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_call(prepare, alter, check, &scene) > 20);
}

static void test_a_machine_that_goes_down_alters_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_crash_at_each_call(prepare, alter, check, 2, &scene) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations_alter_all_or_nothing),
        cmocka_unit_test(test_failing_calls_alter_all_or_nothing),
        cmocka_unit_test(test_a_machine_that_goes_down_alters_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
