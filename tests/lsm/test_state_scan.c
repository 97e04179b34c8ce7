/* Scans and iterators as programs call them, over rows in memory and in files. */
#include "lsm/scan.h"
#include "lsm/store_internal.h"
#include "store_support.h"

enum { USERS = 100, MANY = 30000 };

static stoa_pool *pool;

/* Users 0, 10, 20, … 990 with ten times their number as total; half of them flushed. */
static void open_users(struct store_test *test) {
    stoa_error err;
    store_test_begin(test, pool);
    test->settings.no_background = true;
    store_test_open(test);
    for (int64_t i = 0; i < USERS; i++) {
        const stoa_cell row[] = {{.i = i * 10}, {.i = i * 100}, {.is_null = true}};
        assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
        if (i == USERS / 2) {
            assert_ok(stoa_state_flush(test->totals, &err), err);
        }
    }
}

/* The first column of all batches, a whole number, as it comes; -1 behind the last. */
static int64_t read_stream(struct store_test *test, const stoa_state_scan_options *options,
                           int64_t out[USERS + 1]) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    stoa_error err;
    int64_t count = 0;
    assert_ok(stoa_state_scan(test->totals, options, &stream, &err), err);
    for (;;) {
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        for (int64_t i = 0; i < batch.length; i++) {
            out[count++] = ((const int64_t *)batch.children[0]->buffers[1])[i];
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    out[count] = -1;
    return count;
}

static void check_rows(struct store_test *test, const stoa_state_scan_options *options,
                       int64_t first, int64_t step, int64_t count) {
    int64_t rows[USERS + 1], counted;
    stoa_error err;
    assert_int_equal(read_stream(test, options, rows), count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(rows[i], first + i * step);
    }
    assert_ok(stoa_state_count(test->totals, options, &counted, &err), err);
    assert_int_equal(counted, count);
}

static void scans_have_bounds_order_and_limits(void **state) {
    struct store_test test;
    const stoa_cell low = {.i = 300}, high = {.i = 500};
    (void)state;
    open_users(&test);
    check_rows(&test, &(stoa_state_scan_options){0}, 0, 10, USERS);
    check_rows(&test, &(stoa_state_scan_options){.reverse = true}, 990, -10, USERS);
    check_rows(&test, &(stoa_state_scan_options){.limit = 7}, 0, 10, 7);
    check_rows(&test, &(stoa_state_scan_options){.limit = 7, .reverse = true}, 990, -10, 7);
    check_rows(&test, &(stoa_state_scan_options){.from = &low, .from_count = 1}, 300, 10, 70);
    check_rows(&test,
               &(stoa_state_scan_options){.from = &low,
                                          .from_count = 1,
                                          .to = &high,
                                          .to_count = 1},
               300, 10, 20);
    check_rows(&test,
               &(stoa_state_scan_options){.from = &low,
                                          .from_count = 1,
                                          .to = &high,
                                          .to_count = 1,
                                          .to_included = true,
                                          .reverse = true},
               500, -10, 21);
    check_rows(&test, &(stoa_state_scan_options){.to = &low, .to_count = 1, .to_included = true}, 0,
               10, 31);
    check_rows(&test,
               &(stoa_state_scan_options){.from = &high,
                                          .from_count = 1,
                                          .to = &low,
                                          .to_count = 1},
               0, 10, 0);
    check_rows(&test,
               &(stoa_state_scan_options){.columns = "total",
                                          .where = "total >= 8000 and user < 900"},
               8000, 100, 10);
    store_test_end(&test);
}

static void snapshots_keep_what_they_saw(void **state) {
    struct store_test test;
    stoa_state_snapshot *snapshot;
    stoa_error err;
    (void)state;
    open_users(&test);
    assert_ok(stoa_state_snapshot_create(test.totals, &snapshot, &err), err);
    assert_ok(stoa_state_delete_range(test.totals, &(stoa_cell){.i = 100}, 1, NULL, 0,
                                      STOA_DURABILITY_DEFAULT, &err),
              err);
    check_rows(&test, &(stoa_state_scan_options){0}, 0, 10, 10);
    check_rows(&test, &(stoa_state_scan_options){.snapshot = snapshot}, 0, 10, USERS);
    assert_ok(stoa_state_flush(test.totals, &err), err);
    check_rows(&test, &(stoa_state_scan_options){.reverse = true}, 90, -10, 10);
    check_rows(&test, &(stoa_state_scan_options){.snapshot = snapshot}, 0, 10, USERS);
    stoa_state_snapshot_close(snapshot);
    store_test_end(&test);
}

static int64_t next_user(stoa_state_iterator *iterator) {
    struct ArrowArray batch;
    stoa_error err;
    int64_t user = -1;
    assert_ok(stoa_state_iterator_next(iterator, 1, &batch, &err), err);
    if (batch.release != NULL) {
        assert_int_equal(batch.length, 1);
        user = ((const int64_t *)batch.children[0]->buffers[1])[0];
        stoa_arrow_array_release(&batch);
    }
    return user;
}

static void check_seek(stoa_state_iterator *iterator, int64_t user, int64_t first, int64_t second) {
    stoa_error err;
    assert_ok(stoa_state_iterator_seek(iterator, &(stoa_cell){.i = user}, 1, &err), err);
    assert_int_equal(next_user(iterator), first);
    assert_int_equal(next_user(iterator), second);
}

static void iterators_go_to_any_key(void **state) {
    struct store_test test;
    stoa_state_iterator *up, *down;
    stoa_error err;
    const stoa_cell low = {.i = 100}, high = {.i = 800};
    stoa_state_scan_options options = {.from = &low,
                                       .from_count = 1,
                                       .to = &high,
                                       .to_count = 1,
                                       .columns = "user"};
    (void)state;
    open_users(&test);
    assert_ok(stoa_state_iterator_create(test.totals, &options, &up, &err), err);
    options.reverse = true;
    assert_ok(stoa_state_iterator_create(test.totals, &options, &down, &err), err);
    assert_int_equal(next_user(up), 100);
    assert_int_equal(next_user(down), 790);
    check_seek(up, 455, 460, 470);
    check_seek(up, 460, 460, 470);
    check_seek(up, 5, 100, 110); /* not before the bound */
    check_seek(up, 790, 790, -1);
    check_seek(up, 2000, -1, -1);
    check_seek(down, 455, 450, 440);
    check_seek(down, 450, 450, 440);
    check_seek(down, 2000, 790, 780);
    check_seek(down, 105, 100, -1);
    check_seek(down, 99, -1, -1);
    assert_ok(stoa_state_iterator_seek(up, NULL, 0, &err), err);
    assert_int_equal(next_user(up), 100);
    /* What was written since is not seen. */
    const stoa_cell row[] = {{.i = 101}, {.i = 1}, {.is_null = true}};
    assert_ok(stoa_state_put(test.totals, row, STOA_DURABILITY_DEFAULT, &err), err);
    check_seek(up, 100, 100, 110);
    stoa_state_iterator_close(up);
    stoa_state_iterator_close(down);
    store_test_end(&test);
}

static void wrong_requests_are_refused(void **state) {
    struct store_test test;
    stoa_state_iterator *iterator;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    stoa_cancel *cancel;
    stoa_error err;
    const stoa_cell key[2] = {{.i = 1}, {.i = 2}};
    (void)state;
    open_users(&test);
    assert_fails(stoa_state_scan(test.totals, &(stoa_state_scan_options){.columns = "nobody"},
                                 &stream, &err),
                 STOA_NOT_FOUND, "nobody", err);
    assert_fails(stoa_state_scan(test.totals, &(stoa_state_scan_options){.where = "total >"},
                                 &stream, &err),
                 STOA_INVALID, NULL, err);
    assert_int_equal(err.offset, 7);
    assert_fails(stoa_state_scan(test.totals, &(stoa_state_scan_options){.limit = -1}, &stream,
                                 &err),
                 STOA_INVALID, "limit", err);
    assert_fails(stoa_state_scan(test.totals,
                                 &(stoa_state_scan_options){.from = key, .from_count = 2}, &stream,
                                 &err),
                 STOA_INVALID, "at most the 1 columns", err);
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    assert_ok(stoa_state_iterator_create(test.totals,
                                         &(stoa_state_scan_options){.context.cancel = cancel},
                                         &iterator, &err),
              err);
    assert_fails(stoa_state_iterator_next(iterator, 0, &batch, &err), STOA_INVALID, "1 row", err);
    stoa_cancel_trigger(cancel);
    assert_fails(stoa_state_iterator_next(iterator, 1, &batch, &err), STOA_CANCELLED, NULL, err);
    stoa_state_iterator_close(iterator);
    stoa_cancel_close(cancel);
    store_test_end(&test);
}

/* Rows in files that say enough of themselves are not looked at one by one. */
static void stripes_are_skipped_by_their_zones(void **state) {
    struct store_test test;
    stoa_error err;
    stoa_arena arena;
    (void)state;
    store_test_begin(&test, pool);
    test.settings.no_background = true;
    store_test_open(&test);
    for (int64_t i = 0; i < MANY; i++) {
        const stoa_cell row[] = {{.i = i}, {.i = i * 2}, {.is_null = true}};
        assert_ok(stoa_state_put(test.totals, row, STOA_DURABILITY_DEFAULT, &err), err);
    }
    assert_ok(stoa_state_flush(test.totals, &err), err);
    stoa_arena_init(&arena, pool);
    stoa_state_view *view = stoa_state_acquire(test.totals);
    const stoa_view_reading reading = {.view = view, .snapshot = UINT64_MAX};
    stoa_view_scan_options options = {.context = {.pool = pool}};
    assert_ok(stoa_predicate_parse(&arena, view->definition->schema, "total = 50000",
                                   &options.predicate, &err),
              err);
    stoa_view_scan *scan;
    stoa_view_scan_figures figures;
    struct ArrowArray batch;
    int64_t rows = 0;
    assert_ok(stoa_view_scan_create(&reading, &options, &scan, &err), err);
    for (;;) {
        assert_ok(stoa_view_scan_next(scan, STOA_STRIPE_ROWS, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        rows += batch.length;
        assert_int_equal(((const int64_t *)batch.children[0]->buffers[1])[0], 25000);
        stoa_arrow_array_release(&batch);
    }
    stoa_view_scan_figures_of(scan, &figures);
    assert_int_equal(rows, 1);
    assert_int_equal(figures.stripes_skipped, MANY / STOA_STRIPE_ROWS);
    assert_true(figures.rows_merged <= STOA_STRIPE_ROWS);
    stoa_view_scan_close(scan);
    stoa_state_view_release(view);
    stoa_arena_release(&arena);
    store_test_end(&test);
}

static int open_pool(void **state) {
    (void)state;
    pool = support_pool_open();
    return 0;
}

static int close_pool(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, open_pool, close_pool)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(scans_have_bounds_order_and_limits),
        test(snapshots_keep_what_they_saw),
        test(iterators_go_to_any_key),
        test(wrong_requests_are_refused),
        test(stripes_are_skipped_by_their_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
