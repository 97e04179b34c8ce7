/* Columns that come and go while rows are written, flushed, compacted and read: nothing that was
 * acknowledged is lost, and nobody waits for ever. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "store_support.h"

enum { ALTERATIONS = 6, WRITERS = 2, ROWS_EACH = 1500, USERS = 20000 };

struct writer {
    pthread_t thread;
    struct store_test *test;
    atomic_bool *ends;
    int64_t first;
    _Atomic int64_t count; /* of rows that were acknowledged: users `first`, first + WRITERS, … */
};

/* Rows have cells enough for all columns that the table ever has. */
static void *write_rows(void *user) {
    struct writer *writer = user;
    stoa_error err;
    stoa_cell row[3 + ALTERATIONS] = {[1] = {.i = 5}};
    for (int i = 2; i < 3 + ALTERATIONS; i++) {
        row[i].is_null = true;
    }
    while (!atomic_load(writer->ends) && writer->count < USERS) {
        row[0].i = writer->first + writer->count * WRITERS;
        const stoa_status status = stoa_state_put(writer->test->totals, row,
                                                  STOA_DURABILITY_DEFAULT, &err);
        if (status != STOA_CONFLICT) { /* altered between its preparation and its commit */
            assert_ok(status, err);
            writer->count++;
        }
    }
    return NULL;
}

static void *read_rows(void *user) {
    struct writer *reader = user;
    stoa_error err;
    while (!atomic_load(reader->ends)) {
        struct ArrowArrayStream stream = {0};
        struct ArrowArray batch = {.release = NULL};
        assert_ok(stoa_state_scan(reader->test->totals, &(stoa_state_scan_options){0}, &stream,
                                  &err),
                  err);
        int64_t rows = 0;
        while (stream.get_next(&stream, &batch) == 0 && batch.release != NULL) {
            rows += batch.length;
            batch.release(&batch);
        }
        stream.release(&stream);
        assert_true(rows >= reader->count); /* none was ever deleted */
        reader->count = rows;
    }
    return NULL;
}

static void check_rows(struct store_test *test, const struct writer *writers) {
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    assert_ok(stoa_row_create(test->totals, "total", &row, &err), err);
    for (int i = 0; i < WRITERS; i++) {
        for (int64_t k = 0; k < writers[i].count; k++) {
            const stoa_cell key = {.i = writers[i].first + k * WRITERS};
            assert_ok(stoa_state_get(test->totals, &key, NULL, row, &found, &err), err);
            assert_true(found && stoa_row_cells(row)->i == 5);
        }
    }
    stoa_row_close(row);
}

/* So that rows of every schema are in memory, in the log and in files. */
static void wait_for_rows(const struct writer *writer, int64_t count) {
    const struct timespec step = {.tv_nsec = 1000 * 1000};
    while (atomic_load(&writer->count) < count) {
        (void)nanosleep(&step, NULL);
    }
}

static void alter(struct store_test *test, int number) {
    char text[32];
    stoa_error err;
    (void)snprintf(text, sizeof text, "extra%d double", number);
    const stoa_state_alteration add = {.kind = STOA_STATE_ADD_COLUMN, .text = text};
    stoa_status status = STOA_CONFLICT;
    for (int i = 0; i < 100 && status == STOA_CONFLICT; i++) {
        status = stoa_store_alter_table(test->store, TOTALS, &add, 1, &err);
    }
    assert_ok(status, err);
}

static void test_altering_beside_writers_and_readers(void **state) {
    (void)state;
    struct store_test test;
    struct writer writers[WRITERS + 1];
    atomic_bool ends = false;
    stoa_pool *pool = support_pool_open();
    store_test_begin(&test, pool);
    test.settings.memtable_bytes = 128 << 10; /* so that there are flushes and compactions */
    test.settings.log_segment_bytes = 256 << 10;
    store_test_open(&test);
    for (int i = 0; i <= WRITERS; i++) {
        writers[i].test = &test;
        writers[i].ends = &ends;
        writers[i].first = i;
        atomic_init(&writers[i].count, 0);
        assert_int_equal(pthread_create(&writers[i].thread, NULL,
                                        i < WRITERS ? write_rows : read_rows, &writers[i]),
                         0);
    }
    for (int i = 0; i < ALTERATIONS; i++) {
        wait_for_rows(&writers[i % WRITERS], (int64_t)(i + 1) * ROWS_EACH);
        alter(&test, i);
    }
    atomic_store(&ends, true);
    for (int i = 0; i <= WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    assert_int_equal(stoa_state_schema(test.totals)->root.child_count, 3 + ALTERATIONS);
    check_rows(&test, writers);
    store_test_close(&test);
    store_test_open(&test);
    check_rows(&test, writers);
    store_test_end(&test);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_altering_beside_writers_and_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
