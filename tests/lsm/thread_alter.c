/* Columns that come and go while rows are written, flushed, compacted and read: nothing that was
 * acknowledged is lost, and nobody waits for ever. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
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

static stoa_state *open_table(struct store_test *test) {
    stoa_error err;
    stoa_state *table = NULL;
    assert_ok(stoa_store_open_table(test->store, TOTALS, &table, &err), err);
    return table;
}

/* A row of as many cells as the handle has columns, of exactly that memory. */
static stoa_status put_row(stoa_state *table, int64_t user, stoa_error *err) {
    const size_t count = (size_t)stoa_state_schema(table)->root.child_count;
    stoa_cell *row = calloc(count, sizeof *row);
    assert_non_null(row);
    row[0].i = user;
    row[1].i = 5;
    for (size_t i = 2; i < count; i++) {
        row[i].is_null = true;
    }
    const stoa_status status = stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, err);
    free(row);
    return status;
}

static void *write_rows(void *user) {
    struct writer *writer = user;
    stoa_error err;
    stoa_state *table = open_table(writer->test);
    while (!atomic_load(writer->ends) && writer->count < USERS) {
        const stoa_status status = put_row(table, writer->first + writer->count * WRITERS, &err);
        if (status == STOA_CONFLICT) { /* of other columns by now */
            stoa_state_close(table);
            table = open_table(writer->test);
        } else {
            assert_ok(status, err);
            writer->count++;
        }
    }
    stoa_state_close(table);
    return NULL;
}

/* One scan; STOA_CONFLICT where the table is to be opened again. */
static stoa_status count_rows(stoa_state *table, int64_t *out, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {.release = NULL};
    *out = 0;
    STOA_TRY(stoa_state_scan(table, &(stoa_state_scan_options){0}, &stream, err));
    while (stream.get_next(&stream, &batch) == 0 && batch.release != NULL) {
        assert_int_equal(batch.n_children, stoa_state_schema(table)->root.child_count);
        *out += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    return STOA_OK;
}

static void *read_rows(void *user) {
    struct writer *reader = user;
    stoa_error err;
    stoa_row *row = NULL;
    bool found;
    stoa_state *table = open_table(reader->test);
    assert_ok(stoa_row_create(table, "total", &row, &err), err);
    while (!atomic_load(reader->ends)) {
        int64_t rows = 0;
        stoa_status status = count_rows(table, &rows, &err);
        if (status == STOA_OK) {
            assert_true(rows >= reader->count); /* none was ever deleted */
            reader->count = rows;
            status = stoa_state_get(table, &(stoa_cell){.i = 0}, NULL, row, &found, &err);
        }
        if (status == STOA_CONFLICT) {
            stoa_row_close(row);
            stoa_state_close(table);
            table = open_table(reader->test);
            assert_ok(stoa_row_create(table, "total", &row, &err), err);
        } else {
            assert_ok(status, err);
        }
    }
    stoa_row_close(row);
    stoa_state_close(table);
    return NULL;
}

static void check_rows(struct store_test *test, const struct writer *writers) {
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    stoa_state *table = open_table(test);
    assert_int_equal(stoa_state_schema(table)->root.child_count, 3 + ALTERATIONS);
    assert_ok(stoa_row_create(table, "total", &row, &err), err);
    for (int i = 0; i < WRITERS; i++) {
        for (int64_t k = 0; k < writers[i].count; k++) {
            const stoa_cell key = {.i = writers[i].first + k * WRITERS};
            assert_ok(stoa_state_get(table, &key, NULL, row, &found, &err), err);
            assert_true(found && stoa_row_cells(row)->i == 5);
        }
    }
    stoa_row_close(row);
    stoa_state_close(table);
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
