/* Calls that go on in the background: their answers, their ends, and closing while they run. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <stoa/async.h>

#include "arrow/array.h"

static stoa_database *open_with(stoa_pool *pool, int32_t threads) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *database = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = pool;
    options.memory_limit = (size_t)1 << 30;
    options.threads = threads;
    assert_ok(stoa_database_open(":memory:", &options, &database, &err), err);
    return database;
}

static stoa_database *open_memory(stoa_pool *pool) {
    return open_with(pool, 2);
}

static void wait_ok(stoa_future *future) {
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_future_wait(future, -1, &err), err);
    assert_true(stoa_future_is_done(future));
    stoa_future_close(future);
}

static int64_t count_rows(stoa_database *database, struct ArrowArrayStream *rows) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t count = 0;
    for (;;) {
        stoa_future *future = NULL;
        struct ArrowArray batch;
        assert_ok(stoa_stream_next_async(database, rows, &batch, &future, &err), err);
        wait_ok(future);
        if (batch.release == NULL) {
            break;
        }
        count += batch.length;
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(rows);
    return count;
}

static void the_whole_way_in_and_out(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    char csv[SUPPORT_PATH_BYTES], parquet[SUPPORT_PATH_BYTES];
    stoa_pool *pool = support_pool_open();
    stoa_database *database = open_memory(pool);
    stoa_future *future = NULL, *other = NULL;
    struct ArrowArrayStream rows = {0};
    stoa_load_report report;
    int64_t exported = 0, removed = -1, files = -1;
    uint64_t bytes = 0;
    (void)state;
    support_temp_directory(csv);
    (void)snprintf(parquet, sizeof parquet, "%.400s/t.parquet", csv);
    (void)strcat(csv, "/t.csv");
    const char *const csv_paths[] = {csv}, *const parquet_paths[] = {parquet};

    assert_ok(stoa_query_async(database, "select range as n from range(5000)", NULL, &rows, &future,
                               &err),
              err);
    wait_ok(future);
    assert_ok(stoa_export_async(database, &rows, STOA_FORMAT_CSV, csv, NULL, &exported, &future,
                                &err),
              err);
    wait_ok(future);
    assert_int_equal(exported, 5000);

    assert_ok(stoa_load_async(database, "t", csv_paths, 1, NULL, &report, &future, &err), err);
    wait_ok(future);
    assert_int_equal(report.rows_loaded, 5000);
    assert_ok(stoa_scan_async(database, "t", NULL, &rows, &future, &err), err);
    wait_ok(future);
    assert_int_equal(count_rows(database, &rows), 5000);

    /* Two at once. */
    struct ArrowArrayStream more = {0};
    assert_ok(stoa_query_async(database, "select * from t where n < 7", NULL, &rows, &future, &err),
              err);
    assert_ok(stoa_query_async(database, "select * from t where n < 9", NULL, &more, &other, &err),
              err);
    wait_ok(other);
    wait_ok(future);
    assert_int_equal(count_rows(database, &rows) + count_rows(database, &more), 16);

    assert_ok(stoa_query_async(database, "select * from t", NULL, &rows, &future, &err), err);
    wait_ok(future);
    assert_ok(stoa_export_async(database, &rows, STOA_FORMAT_PARQUET, parquet, NULL, NULL, &future,
                                &err),
              err);
    wait_ok(future);
    assert_ok(stoa_load_async(database, "p", parquet_paths, 1, NULL, &report, &future, &err), err);
    wait_ok(future);
    assert_ok(stoa_database_verify_async(database, NULL, NULL, NULL, NULL, &files, &bytes, &future,
                                         &err),
              err);
    wait_ok(future);
    assert_ok(stoa_table_expire_async(database, "t", INT64_MAX, &removed, &future, &err), err);
    wait_ok(future);
    stoa_database_close(database);
    support_pool_close(pool);
}

static void rows_are_written_and_committed(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_database *database = open_memory(pool);
    stoa_session *session = NULL;
    stoa_future *future = NULL;
    stoa_transaction *transaction = NULL;
    stoa_sink *sink = NULL;
    struct ArrowArrayStream rows = {0};
    struct ArrowSchema schema;
    struct ArrowArray batch = {0};
    stoa_result_info info;
    int64_t written = 0;
    (void)state;
    assert_ok(stoa_session_open(database, &session, &err), err);
    assert_ok(stoa_session_run_async(database, session, "create table t(n bigint)", NULL, &rows,
                                     &info, &future, &err),
              err);
    wait_ok(future);
    stoa_arrow_stream_release(&rows);
    assert_ok(stoa_query(database, "select range as n from range(10)", NULL, &rows, &err), err);
    assert_ok(stoa_stream_schema(&rows, &schema, &err), err);
    assert_ok(stoa_stream_next(&rows, &batch, &err), err);
    stoa_arrow_stream_release(&rows);
    assert_ok(stoa_transaction_begin(database, &transaction, &err), err);
    stoa_sink_options options = {.mode = STOA_APPEND, .transaction = transaction};
    assert_ok(stoa_sink_open(database, "t", &options, &sink, &err), err);
    assert_ok(stoa_sink_write_async(database, sink, &schema, &batch, &future, &err), err);
    wait_ok(future);
    assert_ok(stoa_sink_commit_async(database, sink, &written, &future, &err), err);
    wait_ok(future);
    assert_int_equal(written, 10);
    assert_ok(stoa_transaction_commit_async(database, transaction, &future, &err), err);
    wait_ok(future);
    stoa_arrow_schema_release(&schema);
    stoa_sink_close(sink);
    stoa_transaction_close(transaction);
    stoa_session_close(session);
    assert_ok(stoa_query(database, "select * from t", NULL, &rows, &err), err);
    assert_int_equal(count_rows(database, &rows), 10);
    stoa_database_close(database);
    support_pool_close(pool);
}

enum { EXPORTS = 4, EXPORTED_ROWS = 200000 };

/* Pipelines that read pipelines, all of them tasks of the same few threads: nobody waits for what
 * stands still below it. */
static void pipelines_within_tasks_share_threads(void **state) {
    char folder[SUPPORT_PATH_BYTES], paths[EXPORTS][SUPPORT_PATH_BYTES];
    (void)state;
    support_temp_directory(folder);
    for (int32_t threads = 1; threads <= 3; threads++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_pool *pool = support_pool_open();
        stoa_database *database = open_with(pool, threads);
        stoa_future *futures[EXPORTS];
        struct ArrowArrayStream rows[EXPORTS];
        int64_t counts[EXPORTS];
        assert_ok(stoa_query(database,
                             "create table t as select range as n, range % 7 as m "
                             "from range(200000)",
                             NULL, &rows[0], &err),
                  err);
        stoa_arrow_stream_release(&rows[0]);
        stoa_scan_options options = STOA_SCAN_DEFAULT;
        options.where = "n >= 0 or m = 9";
        for (int i = 0; i < EXPORTS; i++) {
            (void)snprintf(paths[i], sizeof paths[i], "%.400s/%d.csv", folder, i);
            assert_ok(stoa_scan_async(database, "t", &options, &rows[i], &futures[i], &err), err);
        }
        for (int i = 0; i < EXPORTS; i++) {
            wait_ok(futures[i]);
            assert_ok(stoa_export_async(database, &rows[i], STOA_FORMAT_CSV, paths[i], NULL,
                                        &counts[i], &futures[i], &err),
                      err);
        }
        for (int i = 0; i < EXPORTS; i++) {
            wait_ok(futures[i]);
            assert_int_equal(counts[i], EXPORTED_ROWS);
        }
        for (int i = 0; i < EXPORTS; i++) {
            const char *const path = paths[i];
            assert_ok(stoa_file_scan(database, &path, 1, NULL, &rows[i], &err), err);
            assert_int_equal(count_rows(database, &rows[i]), EXPORTED_ROWS);
        }
        stoa_database_close(database);
        support_pool_close(pool);
    }
}

static const char endless[] =
    "select sum(a.range * b.range) from range(3000000) a, range(3000000) b";

static void a_future_ends_its_call(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_database *database = open_memory(pool);
    stoa_future *future = NULL;
    struct ArrowArrayStream rows = {0};
    struct ArrowArray batch = {0};
    (void)state;
    assert_ok(stoa_query_async(database, "select nothing from nowhere", NULL, &rows, &future, &err),
              err);
    assert_fails(stoa_future_wait(future, -1, &err), STOA_INVALID, "nowhere", err);
    stoa_future_close(future);
    stoa_cancel *cancel = NULL;
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    stoa_context context = {.cancel = cancel};
    assert_ok(stoa_query_async(database, endless, &context, &rows, &future, &err), err);
    stoa_status status = stoa_future_wait(future, 20, &err);
    if (status == STOA_OK) { /* the stream is there: the query ends in its first batch */
        stoa_future_close(future);
        assert_ok(stoa_stream_next_async(database, &rows, &batch, &future, &err), err);
        assert_fails(stoa_future_wait(future, 20, &err), STOA_LOCKED, NULL, err);
    } else {
        assert_int_equal(status, STOA_LOCKED);
        stoa_future_cancel(future);
    }
    stoa_cancel_trigger(cancel);
    assert_fails(stoa_future_wait(future, -1, &err), STOA_CANCELLED, NULL, err);
    stoa_future_close(future);
    stoa_arrow_stream_release(&rows);
    stoa_cancel_close(cancel);
    stoa_database_close(database);
    support_pool_close(pool);
}

/* Reads a query that gives some rows and then none for very long, up to the batch that does not come. */
static void begin_endless_batch(stoa_database *database, struct ArrowArrayStream *rows,
                                struct ArrowArray *batch, stoa_future **out) {
    stoa_error err = STOA_ERROR_NONE;
    static const char sql[] =
        "select range as n from range(1000000000000) where range < 300000 or range % 7 = 9";
    assert_ok(stoa_query_async(database, sql, NULL, rows, out, &err), err);
    wait_ok(*out);
    for (;;) {
        assert_ok(stoa_stream_next_async(database, rows, batch, out, &err), err);
        stoa_status status = stoa_future_wait(*out, 500, &err);
        if (status != STOA_OK) {
            assert_int_equal(status, STOA_LOCKED);
            return;
        }
        assert_non_null(batch->release);
        stoa_arrow_array_release(batch);
        stoa_future_close(*out);
    }
}

static void a_batch_on_its_way_is_given_up(void **state) {
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_pool *pool = support_pool_open();
        stoa_database *database = open_memory(pool);
        stoa_future *future = NULL;
        struct ArrowArrayStream rows = {0};
        struct ArrowArray batch = {0};
        begin_endless_batch(database, &rows, &batch, &future);
        if (closes) {
            stoa_database_close(database);
        } else {
            stoa_future_cancel(future);
        }
        assert_fails(stoa_future_wait(future, -1, &err), STOA_CANCELLED, NULL, err);
        stoa_future_close(future);
        if (!closes) { /* the stream has ended with it */
            assert_fails(stoa_stream_next(&rows, &batch, &err), STOA_CANCELLED, NULL, err);
        }
        stoa_arrow_stream_release(&rows);
        if (!closes) {
            stoa_database_close(database);
        }
        support_pool_close(pool);
    }
}

static void closing_ends_what_runs(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_database *database = open_memory(pool);
    stoa_future *futures[3];
    struct ArrowArrayStream rows[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_ok(stoa_query_async(database,
                                   "create table t as "
                                   "select sum(a.range * b.range) as n "
                                   "from range(3000000) a, range(3000000) b",
                                   NULL, &rows[i], &futures[i], &err),
                  err);
    }
    stoa_database_close(database);
    for (int i = 0; i < 3; i++) {
        assert_true(stoa_future_is_done(futures[i]));
        assert_fails(stoa_future_wait(futures[i], -1, &err), STOA_CANCELLED, NULL, err);
        stoa_future_close(futures[i]);
        stoa_arrow_stream_release(&rows[i]);
    }
    support_pool_close(pool);
}

static stoa_status spin_a_little(void *user, stoa_error *err) {
    (void)user;
    (void)err;
    for (volatile int i = 0; i < 3000; i++) {
    }
    return STOA_OK;
}

/* Handles that are given up while calls run: the calls end in any order with the database. */
static void closing_ends_what_nobody_waits_for(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open(), *other = support_pool_open();
    (void)state;
    for (int round = 0; round < 300; round++) {
        stoa_database *database = open_memory(pool);
        stoa_context context = {.pool = round % 2 == 0 ? stoa_database_pool(database) : other};
        for (int i = 0; i < 1 + round % 16; i++) {
            stoa_future *future = NULL;
            assert_ok(stoa_sched_submit(stoa_database_sched(database), spin_a_little, NULL,
                                        &context, &future, &err),
                      err);
            stoa_future_close(future);
        }
        stoa_database_close(database);
    }
    support_pool_close(pool);
    support_pool_close(other);
}

/* A call that is charged to a pool of the caller's is the database's all the same. */
static void closing_ends_calls_of_other_pools(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open(), *other = support_pool_open();
    stoa_database *database = open_memory(pool);
    stoa_context context = {.pool = other};
    stoa_future *future = NULL;
    struct ArrowArrayStream rows;
    (void)state;
    assert_ok(stoa_query_async(database,
                               "create table t as select sum(a.range * b.range) as n "
                               "from range(3000000) a, range(3000000) b",
                               &context, &rows, &future, &err),
              err);
    stoa_database_close(database);
    assert_fails(stoa_future_wait(future, -1, &err), STOA_CANCELLED, NULL, err);
    stoa_future_close(future);
    support_pool_close(pool);
    support_pool_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way_in_and_out),
        cmocka_unit_test(rows_are_written_and_committed),
        cmocka_unit_test(pipelines_within_tasks_share_threads),
        cmocka_unit_test(a_future_ends_its_call),
        cmocka_unit_test(a_batch_on_its_way_is_given_up),
        cmocka_unit_test(closing_ends_what_runs),
        cmocka_unit_test(closing_ends_what_nobody_waits_for),
        cmocka_unit_test(closing_ends_calls_of_other_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
