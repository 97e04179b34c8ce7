/* Ingests while memory runs out, calls fail and the machine goes down: all rows or none, and what was
 * acknowledged before stays. */
#include "fault_scene.h"
#include "ingest_rows.h"

enum { ROWS = 300, BEFORE = 3 };

static const struct ingest_rows rows = {
    .first = 10, .step = 1, .modulus = 100, .count = ROWS, .batch_rows = 100};

/* Memtables are full at once, so that an ingest writes several files. */
static stoa_status begin_small(support_world *world, struct scene *scene, stoa_error *err) {
    STOA_TRY(begin_in(world, scene, err));
    scene->store.settings.memtable_bytes = 4 << 10;
    return STOA_OK;
}

static stoa_status put(stoa_state *totals, int64_t user, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = 1000000}, {.bytes = "x", .size = 1}};
    return stoa_state_put(totals, row, STOA_DURABILITY_SYNC, err);
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    scene->run = 0;
    STOA_TRY(begin_small(world, scene, err));
    store_test_open(&scene->store);
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < BEFORE && status == STOA_OK; i++) {
        status = put(scene->store.totals, 10 + i, err);
    }
    end(scene);
    return status;
}

static stoa_status load(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    stoa_state *totals = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(begin_small(world, scene, err));
    STOA_CHECK(store_test_open_as(&scene->store, false, err));
    STOA_CHECK(stoa_store_open_table(scene->store.store, TOTALS, &totals, err));
    STOA_CHECK(ingest(totals, world->pool, &rows, STOA_STATE_INGEST_MERGE, err));

done:
    stoa_state_close(totals);
    stoa_store_close(scene->store.store);
    stoa_sched_close(scene->store.sched);
    return status;
}

/* The sum of the totals, and how many rows there are. */
static void read_all(stoa_state *totals, int64_t *out_sum, int64_t *out_count) {
    const stoa_state_scan_options all = {.columns = "total"};
    struct ArrowArrayStream stream;
    stoa_error err;
    *out_sum = *out_count = 0;
    assert_ok(stoa_state_scan(totals, &all, &stream, &err), err);
    for (;;) {
        struct ArrowArray batch;
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        const int64_t *values = batch.children[0]->buffers[1];
        for (int64_t i = 0; i < batch.length; i++) {
            *out_sum += values[batch.children[0]->offset + i];
        }
        *out_count += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
}

/* A failure may come after the commit, where it is not known whether it is durable: then it is whole. */
static void check(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    stoa_error err;
    int64_t sum, count;
    assert_ok(begin_small(world, scene, &err), err);
    assert_ok(store_test_open_as(&scene->store, false, &err), err);
    assert_ok(stoa_store_open_table(scene->store.store, TOTALS, &scene->store.totals, &err), err);
    read_all(scene->store.totals, &sum, &count);
    const bool is_loaded = count == 100;
    assert_true(is_loaded || status != STOA_OK);
    assert_int_equal(count, is_loaded ? 100 : BEFORE);
    assert_int_equal(sum, BEFORE * 1000000 + (is_loaded ? (ROWS - 1) * ROWS / 2 : 0));
    assert_ok(put(scene->store.totals, 5, &err), err);
    end(scene);
}

static void test_failing_allocations_load_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_allocation(prepare, load, check, &scene) > 50);
}

static void test_failing_calls_load_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_call(prepare, load, check, &scene) > 20);
}

static void test_a_machine_that_goes_down_loads_all_or_nothing(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_crash_at_each_call(prepare, load, check, 2, &scene) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations_load_all_or_nothing),
        cmocka_unit_test(test_failing_calls_load_all_or_nothing),
        cmocka_unit_test(test_a_machine_that_goes_down_loads_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
