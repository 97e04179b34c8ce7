/* Repair while memory runs out, calls fail and the machine goes down: what is whole is never lost, and repair
 * can always begin again. */
#include <stdio.h>

#include "lsm/repair.h"
#include "lsm/wal_format.h"
#include "fault_scene.h"

/* Users: 1 in a file that is damaged, 2 in one that is whole, 3 to 5 in the log, of whom 4 is damaged. */
enum { USERS = 5 };
static const bool is_whole[USERS + 1] = {[2] = true, [3] = true, [5] = true};

static stoa_status put(stoa_state *totals, int64_t user, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = user}, {.bytes = "x", .size = 1}};
    return stoa_state_put(totals, row, STOA_DURABILITY_SYNC, err);
}

/* Changes a byte; `at` is found in the file by `find`. */
static stoa_status flip(support_world *world, const char *uri, size_t (*find)(const uint8_t *bytes),
                        stoa_error *err) {
    stoa_buffer bytes;
    STOA_TRY(stoa_vfs_read_all(world->registry, uri, NULL, 1 << 24, world->pool, &bytes, err));
    bytes.data[find(bytes.data)] ^= 1;
    stoa_status status = stoa_vfs_replace(world->registry, uri, NULL, bytes.data, bytes.size, err);
    stoa_buffer_release(&bytes);
    return status;
}

static size_t find_stripe(const uint8_t *bytes) {
    (void)bytes;
    return 40;
}

/* The last record but one; behind them are zeros. */
static size_t find_record(const uint8_t *bytes) {
    size_t at = sizeof(stoa_wal_header), before = at;
    while (true) {
        stoa_wal_head head, next;
        memcpy(&head, bytes + at, sizeof head);
        const size_t behind = at + sizeof head + stoa_wal_pad(head.size);
        memcpy(&next, bytes + behind, sizeof next);
        if (next.size == 0 || next.size == STOA_WAL_END) {
            return before + sizeof head;
        }
        before = at;
        at = behind;
    }
}

static stoa_status damage(support_world *world, stoa_error *err) {
    STOA_TRY(flip(world, "test:/db/0000000000000001.sst", find_stripe, err));
    STOA_TRY(flip(world, "test:/db/0000000000000003.log", find_record, err));
    STOA_TRY(stoa_vfs_remove(world->registry, "test:/db/CURRENT", NULL, err));
    return stoa_vfs_sync_directory(world->registry, "test:/db", NULL, err);
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    scene->run = 0;
    STOA_TRY(begin_in(world, scene, err));
    store_test_open(&scene->store);
    stoa_status status = STOA_OK;
    for (int64_t i = 1; i <= USERS && status == STOA_OK; i++) {
        status = put(scene->store.totals, i, err);
        if (status == STOA_OK && i <= 2) {
            status = stoa_state_flush(scene->store.totals, err);
        }
    }
    end(scene);
    return status == STOA_OK ? damage(world, err) : status;
}

static stoa_status repair_in(support_world *world, struct scene *scene,
                             stoa_state_repair_result *result, stoa_error *err) {
    STOA_TRY(begin_in(world, scene, err));
    const stoa_store_repair_options options = {
        .context = {.pool = scene->store.pool, .sched = scene->store.sched},
        .file_systems = scene->store.file_systems,
        .directory = scene->store.directory,
        .boot = scene->store.boot
    };
    const stoa_status status = stoa_store_repair(&options, result, err);
    stoa_sched_close(scene->store.sched);
    return status;
}

static stoa_status repair(support_world *world, void *user, stoa_error *err) {
    stoa_state_repair_result result;
    return repair_in(world, user, &result, err);
}

static void check_users(struct scene *scene) {
    stoa_error err;
    stoa_row *row = NULL;
    assert_ok(stoa_row_create(scene->store.totals, "total", &row, &err), err);
    for (int64_t i = 1; i <= USERS; i++) {
        bool found = false;
        assert_ok(stoa_state_get(scene->store.totals, &(stoa_cell){.i = i}, NULL, row, &found,
                                 &err),
                  err);
        assert_int_equal(found, is_whole[i]);
        assert_true(!found || stoa_row_cells(row)[0].i == i);
    }
    stoa_row_close(row);
}

/* As damaged as it was, repaired, or all but CURRENT, which is written last. */
static void check(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    stoa_state_repair_result result;
    stoa_error err;
    assert_ok(repair_in(world, scene, &result, &err), err);
    assert_true(result.damage_count == 3 || result.damage_count <= 1);
    assert_true(result.damage_count == 0 || status != STOA_OK);
    assert_ok(begin_in(world, scene, &err), err);
    assert_ok(store_test_open_as(&scene->store, false, &err), err);
    assert_ok(stoa_store_open_table(scene->store.store, TOTALS, &scene->store.totals, &err), err);
    check_users(scene);
    end(scene);
}

static void test_failing_allocations_repair_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_allocation(prepare, repair, check, &scene) > 50);
}

static void test_failing_calls_repair_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_call(prepare, repair, check, &scene) > 20);
}

static void test_a_machine_that_goes_down_repairs_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_crash_at_each_call(prepare, repair, check, 2, &scene) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations_repair_all_or_nothing),
        cmocka_unit_test(test_failing_calls_repair_all_or_nothing),
        cmocka_unit_test(test_a_machine_that_goes_down_repairs_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
