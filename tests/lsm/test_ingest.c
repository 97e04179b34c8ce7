/* Ingests: streams of rows, operands and keys become files of a table by one commit. */
#include <stoa/state_maintenance.h>

#include "ingest_rows.h"
#include "lsm/store_internal.h"

static stoa_pool *pool;

enum { MEMTABLE_BYTES = 256 << 10 };

static int begin(void **state) {
    static struct store_test test;
    stoa_error err;
    assert_ok(stoa_pool_create(0, NULL, &pool, &err), err);
    store_test_begin(&test, pool);
    test.settings = (stoa_state_options){.memtable_bytes = MEMTABLE_BYTES, .no_background = true};
    store_test_open(&test);
    *state = &test;
    return 0;
}

static int end(void **state) {
    store_test_end(*state);
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
    return 0;
}

static void reopen(struct store_test *test) {
    store_test_close(test);
    store_test_open(test);
}

/* The total of a user; -1: there is no such row. */
static int64_t total_of(struct store_test *test, int64_t user) {
    stoa_error err;
    stoa_row *row = NULL;
    bool found = false;
    assert_ok(stoa_row_create(test->totals, "total", &row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = user}, NULL, row, &found, &err), err);
    const int64_t total = found ? stoa_row_cells(row)->i : -1;
    stoa_row_close(row);
    return total;
}

static int64_t row_count(struct store_test *test) {
    const stoa_state_scan_options all = {0};
    stoa_error err;
    int64_t count = -1;
    assert_ok(stoa_state_count(test->totals, &all, &count, &err), err);
    return count;
}

static stoa_state_table_statistics statistics_of(struct store_test *test) {
    stoa_state_table_statistics statistics;
    stoa_state_table_statistics_get(test->totals, &statistics);
    return statistics;
}

static void put(struct store_test *test, int64_t user, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.is_null = true}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void verify(struct store_test *test) {
    stoa_state_view *view = stoa_state_acquire(test->totals);
    stoa_error err;
    for (int32_t level = 0; level < STOA_LEVELS; level++) {
        for (int64_t i = 0; i < view->version->levels[level].count; i++) {
            assert_ok(stoa_sst_verify(view->version->levels[level].files[i]->sst, &err), err);
        }
    }
    stoa_state_view_release(view);
}

static void test_rows_in_order_become_files(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = INT64_MAX, .count = 50000,
                                     .batch_rows = 1000};
    stoa_error err;
    assert_ok(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_PUT, &err), err);
    const stoa_state_table_statistics loaded = statistics_of(test);
    assert_in_range(loaded.file_count, 4, 100);
    assert_int_equal(loaded.row_count, 50000);
    assert_int_equal(loaded.memtable_row_count, 0);
    verify(test);
    for (int64_t i = 0; i < 50000; i += 777) {
        assert_int_equal(total_of(test, i), i);
    }
    reopen(test);
    assert_int_equal(row_count(test), 50000);
    assert_int_equal(total_of(test, 49999), 49999);
    assert_int_equal(total_of(test, 50000), -1);
}

static void test_of_equal_keys_the_last_row_counts(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 7919, .modulus = 20000, .count = 60000,
                                     .batch_rows = 5000};
    stoa_error err;
    put(test, 19999, 1);
    put(test, 20000, 2);
    assert_ok(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_PUT, &err), err);
    assert_int_equal(row_count(test), 20001);
    for (int64_t i = 40000; i < 60000; i += 333) {
        assert_int_equal(total_of(test, i * 7919 % 20000), i);
    }
    assert_int_equal(total_of(test, 20000), 2);
    put(test, 5, 1); /* newer than the load */
    assert_int_equal(total_of(test, 5), 1);
    assert_ok(stoa_state_compact(test->totals, NULL, 0, NULL, 0, NULL, &err), err);
    assert_int_equal(total_of(test, 5), 1);
    assert_int_equal(row_count(test), 20001);
}

/* Of 60,000 operands each of 300 users gets 200, in the same file and in others. */
static void test_operands_are_folded_into_what_is_there(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = 300, .count = 60000, .batch_rows = 999};
    stoa_error err;
    put(test, 7, 1000000);
    assert_ok(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_MERGE, &err), err);
    verify(test);
    const int64_t sum = 200 * 7 + 300 * (199 * 200 / 2);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(row_count(test), 300);
        assert_int_equal(total_of(test, 7), 1000000 + sum);
        assert_int_equal(total_of(test, 8), 200 + sum);
        if (round == 0) {
            reopen(test);
        } else {
            assert_ok(stoa_state_compact(test->totals, NULL, 0, NULL, 0, NULL, &err), err);
        }
    }
    assert_true(statistics_of(test).row_count == 300);
}

static void test_a_sum_that_does_not_fit_leaves_the_table_as_it_was(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.modulus = 1, .step = 1, .count = 3, .batch_rows = 3};
    struct ingest_source source = {.pool = pool, .rows = rows};
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    struct ArrowSchema schema;
    stoa_error err;
    put(test, 0, 5);
    assert_ok(ingest_schema(pool, false, &source.schema, &err), err);
    assert_ok(ingest_next(&source, &batch, &err), err);
    int64_t *totals = (int64_t *)(uintptr_t)batch.children[1]->buffers[1];
    totals[0] = totals[1] = INT64_MAX;
    assert_ok(ingest_schema(pool, false, &schema, &err), err);
    assert_ok(stoa_stream_from_batches(pool, &schema, &batch, 1, &stream, &err), err);
    assert_int_equal(stoa_state_ingest(test->totals, &stream, STOA_STATE_INGEST_MERGE, NULL, NULL,
                                       &err),
                     STOA_INVALID);
    assert_non_null(strstr(err.message, "total"));
    source.schema.release(&source.schema);
    assert_int_equal(total_of(test, 0), 5);
}

static void test_keys_are_deleted(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = INT64_MAX, .count = 30000,
                                     .batch_rows = 1000};
    struct ingest_rows keys = {.step = 2, .modulus = INT64_MAX, .count = 15000,
                               .batch_rows = 15000, .keys_only = true};
    stoa_error err;
    assert_ok(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_PUT, &err), err);
    assert_ok(ingest(test->totals, pool, &keys, STOA_STATE_INGEST_DELETE, &err), err);
    verify(test);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(row_count(test), 15000);
        assert_int_equal(total_of(test, 2), -1);
        assert_int_equal(total_of(test, 3), 3);
        assert_ok(stoa_state_compact(test->totals, NULL, 0, NULL, 0, NULL, &err), err);
    }
    assert_int_equal(statistics_of(test).row_count, 15000);
}

static void test_a_stream_that_fails_leaves_the_table_as_it_was(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = INT64_MAX, .count = 50000,
                                     .batch_rows = 1000, .fails_at = 40000};
    stoa_error err;
    put(test, 3, 5);
    assert_int_equal(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_PUT, &err), STOA_IO);
    assert_string_equal(err.message, "no more");
    assert_int_equal(row_count(test), 1);
    assert_int_equal(statistics_of(test).file_count, 0);
    reopen(test);
    assert_int_equal(row_count(test), 1);
}

static void test_an_ingest_of_nothing_is_none(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = 9, .batch_rows = 1};
    stoa_error err;
    put(test, 3, 5);
    assert_ok(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_PUT, &err), err);
    assert_int_equal(row_count(test), 1);
}

static void test_rows_that_do_not_fit_are_refused(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = 9, .count = 9, .batch_rows = 9};
    stoa_error err;
    assert_int_equal(ingest(test->totals, pool, &rows, STOA_STATE_INGEST_DELETE, &err),
                     STOA_INVALID);
    assert_int_equal(row_count(test), 0);
}

static void test_a_cancelled_ingest_leaves_nothing(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 1, .modulus = 9, .count = 9, .batch_rows = 9};
    struct ArrowArrayStream stream;
    stoa_context context = {.pool = pool};
    stoa_error err;
    assert_ok(stoa_cancel_create(NULL, &context.cancel, &err), err);
    stoa_cancel_trigger(context.cancel);
    assert_ok(ingest_stream(pool, &rows, &stream, &err), err);
    assert_int_equal(stoa_state_ingest(test->totals, &stream, STOA_STATE_INGEST_PUT, &context, NULL,
                                       &err),
                     STOA_CANCELLED);
    stoa_cancel_close(context.cancel);
    assert_int_equal(row_count(test), 0);
}

/* 30 MiB of rows through memtables of a quarter of one. */
static void test_memory_is_bounded(void **state) {
    struct store_test *test = *state;
    const struct ingest_rows rows = {.step = 999983, .modulus = INT64_MAX, .count = 1000000,
                                     .batch_rows = 2000};
    stoa_pool *mine = NULL;
    stoa_error err;
    store_test_close(test);
    assert_ok(stoa_pool_create_child(pool, "ingest", 0, &mine, &err), err);
    test->pool = mine;
    store_test_open(test);
    const size_t before = stoa_pool_peak(mine);
    assert_ok(ingest(test->totals, mine, &rows, STOA_STATE_INGEST_PUT, &err), err);
    assert_in_range(stoa_pool_peak(mine) - before, 1, 12 * MEMTABLE_BYTES);
    store_test_close(test);
    test->pool = pool;
    stoa_pool_close(mine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_in_order_become_files, begin, end),
        cmocka_unit_test_setup_teardown(test_of_equal_keys_the_last_row_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_operands_are_folded_into_what_is_there, begin, end),
        cmocka_unit_test_setup_teardown(test_a_sum_that_does_not_fit_leaves_the_table_as_it_was,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_keys_are_deleted, begin, end),
        cmocka_unit_test_setup_teardown(test_a_stream_that_fails_leaves_the_table_as_it_was, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_an_ingest_of_nothing_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_rows_that_do_not_fit_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cancelled_ingest_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
