/* Transactions, parameters, cancellation, streams and what they hold. */
#include "sql_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "sql/sql.h"

static sql_world world;

static int in_memory(void **state) {
    (void)state;
    sql_world_open(&world, true);
    return 0;
}
static int in_directory(void **state) {
    (void)state;
    sql_world_open(&world, false);
    return 0;
}
static int end(void **state) {
    (void)state;
    sql_world_close(&world);
    return 0;
}

static int64_t count_elsewhere(const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    char sql[128];
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_ok(stoa_query(world.db, sql, NULL, &stream, &err), err);
    assert_ok(stoa_stream_next(&stream, &batch, &err), err);
    int64_t count = *(const int64_t *)batch.children[0]->buffers[1];
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    return count;
}

static void a_transaction_is_seen_by_others_when_it_commits(void **state) {
    (void)state;
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a FROM range(10) r(i)", "");
    sql_expect(&world, "BEGIN", "");
    sql_change(&world, "INSERT INTO t VALUES (10), (11)", 2);
    sql_change(&world, "DELETE FROM t WHERE a < 5", 5);
    sql_change(&world, "UPDATE t SET a = a + 100 WHERE a = 5", 1);
    sql_change(&world, "CREATE TABLE u AS SELECT * FROM t", 7);
    sql_expect(&world, "SELECT count(*), max(a), (SELECT count(*) FROM u) FROM t", "7 | 105 | 7\n");
    sql_expect(&world, "SHOW TABLES", "t\nu\n");
    assert_int_equal(count_elsewhere("t"), 10);
    sql_expect(&world, "COMMIT", "");
    assert_int_equal(count_elsewhere("t"), 7);
    assert_int_equal(count_elsewhere("u"), 7);
    sql_expect(&world, "START TRANSACTION", "");
    sql_expect(&world, "DROP TABLE u", "");
    sql_expect(&world, "ALTER TABLE t RENAME TO s", "");
    sql_expect(&world, "SHOW TABLES", "s\n");
    sql_expect(&world, "ALTER TABLE s RENAME TO t", "");
    sql_change(&world, "TRUNCATE t", 7);
    sql_expect(&world, "SELECT count(*) FROM t", "0\n");
    sql_expect(&world, "ROLLBACK", "");
    assert_int_equal(count_elsewhere("t"), 7);
    assert_int_equal(count_elsewhere("u"), 7);
}

static void a_failed_statement_makes_commit_an_error(void **state) {
    (void)state;
    static const char *const failures[] = {"SELECT * FROM nope",
                                           "SELEKT",
                                           "INSERT INTO t VALUES ('x')",
                                           "BEGIN",
                                           "CREATE VIEW v AS SELECT 1",
                                           "SELECT CAST('x' AS INT)",
                                           "DROP TABLE nope"};
    stoa_error err = STOA_ERROR_NONE;
    sql_expect(&world, "CREATE TABLE t (a INT)", "");
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        sql_expect(&world, "BEGIN", "");
        sql_change(&world, "INSERT INTO t VALUES (1)", 1);
        assert_true(sql_try(&world, failures[i], &err) != STOA_OK);
        sql_fails(&world, "SELECT 1", STOA_INVALID, "aborted");
        sql_fails(&world, "INSERT INTO t VALUES (2)", STOA_INVALID, "aborted");
        sql_fails(&world, "COMMIT", STOA_INVALID, "rolled back");
        sql_expect(&world, "SELECT count(*) FROM t", "0\n");
    }
    sql_expect(&world, "BEGIN", "");
    sql_fails(&world, "SELECT nope", STOA_INVALID, "nope");
    sql_expect(&world, "ROLLBACK", "");
    sql_fails(&world, "COMMIT", STOA_INVALID, "no transaction");
    sql_fails(&world, "ROLLBACK", STOA_INVALID, "no transaction");
}

static void an_error_among_the_rows_is_told_and_aborts(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    const char *sql = "SELECT CASE WHEN i = 900000 THEN error('late') ELSE i::VARCHAR END "
                      "FROM range(1000000) r(i)";
    sql_expect(&world, "BEGIN", "");
    assert_ok(stoa_session_run(world.session, sql, NULL, &stream, NULL, &err), err);
    int64_t rows = 0;
    stoa_status status;
    while ((status = stoa_stream_next(&stream, &batch, &err)) == STOA_OK && batch.release != NULL) {
        rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    assert_fails(status, STOA_INVALID, "late", err);
    assert_true(rows > 0 && rows <= 900000);
    assert_fails(stoa_stream_next(&stream, &batch, &err), STOA_INVALID, "late", err);
    stoa_arrow_stream_release(&stream);
    sql_fails(&world, "COMMIT", STOA_INVALID, "rolled back");
}

static void parameters_have_types(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_statement *statement;
    struct ArrowArrayStream stream;
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a, 'n' || i AS b FROM range(100) r(i)", "");
    assert_ok(stoa_session_prepare(world.session,
                                   "SELECT a, b FROM t WHERE a >= ? AND b <> ? ORDER BY a LIMIT 2",
                                   &statement, &err),
              err);
    assert_int_equal(stoa_statement_parameter_count(statement), 2);
    assert_fails(stoa_statement_run(statement, NULL, &stream, NULL, &err), STOA_INVALID, "$1", err);
    for (int64_t from = 50; from < 53; from++) {
        char expected[64];
        assert_ok(stoa_statement_bind_i64(statement, 1, from, &err), err);
        assert_ok(stoa_statement_bind_text(statement, 2, "n'x", &err), err);
        assert_ok(stoa_statement_run(statement, NULL, &stream, NULL, &err), err);
        assert_ok(sql_read(&world, &stream, &err), err);
        snprintf(expected, sizeof expected, "%d | n%d\n%d | n%d\n", (int)from, (int)from,
                 (int)from + 1, (int)from + 1);
        assert_int_equal(world.rows.size, strlen(expected));
        assert_memory_equal(world.rows.data, expected, strlen(expected));
    }
    assert_fails(stoa_statement_bind_i64(statement, 3, 1, &err), STOA_INVALID, "parameter 3", err);
    assert_fails(stoa_statement_bind_i64(statement, 0, 1, &err), STOA_INVALID, "parameter 0", err);
    stoa_statement_close(statement);
}

static int64_t run_changing(stoa_statement *statement) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    stoa_result_info info;
    assert_ok(stoa_statement_run(statement, NULL, &stream, &info, &err), err);
    stoa_arrow_stream_release(&stream);
    return info.rows_changed;
}

static void parameters_work_in_statements_that_change(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_statement *statement;
    sql_expect(&world, "CREATE TABLE t (a BIGINT, b VARCHAR, c DOUBLE)", "");
    assert_ok(stoa_session_prepare(world.session, "INSERT INTO t (a, b, c) VALUES (?, ?, ?)",
                                   &statement, &err),
              err);
    for (int64_t i = 0; i < 5; i++) {
        assert_ok(stoa_statement_bind_i64(statement, 1, i, &err), err);
        assert_ok(stoa_statement_bind_text(statement, 2, i == 3 ? NULL : "it's; $1 ?", &err), err);
        assert_ok(stoa_statement_bind_f64(statement, 3, (double)i / 2, &err), err);
        assert_int_equal(run_changing(statement), 1);
    }
    stoa_statement_close(statement);
    assert_ok(stoa_session_prepare(world.session, "UPDATE t SET b = $word, c = $1 WHERE a > $2",
                                   &statement, &err),
              err);
    stoa_statement_close(statement);
    assert_ok(stoa_session_prepare(world.session, "UPDATE t SET b = ?, c = c + ? WHERE a > ?",
                                   &statement, &err),
              err);
    assert_ok(stoa_statement_bind_text(statement, 1, "new", &err), err);
    assert_ok(stoa_statement_bind_f64(statement, 2, 100, &err), err);
    assert_ok(stoa_statement_bind_i64(statement, 3, 2, &err), err);
    assert_int_equal(run_changing(statement), 2);
    stoa_statement_close(statement);
    assert_ok(stoa_session_prepare(world.session, "DELETE FROM t WHERE a = $which", &statement,
                                   &err),
              err);
    assert_ok(stoa_statement_bind_i64(statement, 1, 1, &err), err);
    assert_int_equal(run_changing(statement), 1);
    stoa_statement_close(statement);
    assert_ok(stoa_session_prepare(world.session, "CREATE TABLE u AS SELECT ? AS a, $2 AS b",
                                   &statement, &err),
              err);
    stoa_statement_close(statement);
    assert_ok(stoa_session_prepare(world.session, "CREATE TABLE u AS SELECT $1 AS a, $2 AS b",
                                   &statement, &err),
              err);
    assert_ok(stoa_statement_bind_f64(statement, 1, 0.1, &err), err);
    assert_ok(stoa_statement_bind_text(statement, 2, "it's", &err), err);
    assert_int_equal(run_changing(statement), 1);
    stoa_statement_close(statement);
    sql_expect(&world, "SELECT * FROM u", "0.1 | it's\n");
    sql_expect(&world, "SELECT * FROM t ORDER BY a",
               "0 | it's; $1 ? | 0.0\n2 | it's; $1 ? | 1.0\n3 | new | 101.5\n4 | new | 102.0\n");
}

/* ---- skipping ------------------------------------------------------------------------------- */

static void report_says(const char *text) {
    const char *report = stoa_session_scan_report(world.session);
    if (strstr(report, text) == NULL) {
        fail_msg("expected %s in the report\n%s", text, report);
    }
}

static void filters_skip_parts(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_statement *statement;
    struct ArrowArrayStream stream;
    sql_expect(&world, "CREATE TABLE t (a BIGINT, s VARCHAR, d DATE)", "");
    for (int part = 0; part < 4; part++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "INSERT INTO t SELECT i, chr(97 + %d) || i, DATE '2024-01-01' + i::INT "
                 "FROM range(%d, %d) r(i)",
                 part, part * 100, part * 100 + 100);
        sql_change(&world, sql, 100);
    }
    sql_expect(&world, "SELECT count(*) FROM t", "400\n");
    report_says("\"parts\": 4, \"skipped\": 0");
    sql_expect(&world, "SELECT count(*) FROM t WHERE a >= 250", "150\n");
    report_says("\"parts\": 2, \"skipped\": 2");
    sql_expect(&world, "SELECT count(*) FROM t WHERE s LIKE 'b%' OR a = 399", "101\n");
    report_says("\"parts\": 2, \"skipped\": 2");
    sql_expect(&world,
               "SELECT count(*) FROM t WHERE d BETWEEN DATE '2024-01-05' AND DATE '2024-01-07'",
               "3\n");
    report_says("\"parts\": 1, \"skipped\": 3");
    sql_expect(&world, "SELECT count(*) FROM t WHERE a > 5000", "0\n");
    report_says("\"parts\": 0, \"skipped\": 4");
    /* Two references, each with its own filter; one copied by the optimizer. */
    sql_expect(&world,
               "SELECT (SELECT count(*) FROM t WHERE a < 100), (SELECT count(*) FROM t WHERE "
               "a >= 100)",
               "100 | 300\n");
    report_says("\"parts\": 1, \"skipped\": 3");
    report_says("\"parts\": 3, \"skipped\": 1");
    sql_expect(&world,
               "WITH w AS (FROM t) SELECT count(*) FROM w x, w y WHERE x.a = 5 AND y.a = 205",
               "1\n");
    report_says("\"parts\": 2, \"skipped\": 2");
    sql_expect(&world, "SELECT count(*) FROM t x LEFT JOIN t y ON x.a = y.a AND y.a < 10", "400\n");
    sql_expect(&world, "SELECT count(y.a) FROM t x LEFT JOIN t y ON x.a = y.a AND y.a < 10",
               "10\n");
    report_says("\"parts\": 4, \"skipped\": 0");
    sql_expect(&world, "SELECT count(*) FROM t WHERE a + 0 = 7 AND random() >= 0", "1\n");

    assert_ok(stoa_session_prepare(world.session, "SELECT count(*) FROM t WHERE a < ?", &statement,
                                   &err),
              err);
    assert_ok(stoa_statement_bind_i64(statement, 1, 100, &err), err);
    assert_ok(stoa_statement_run(statement, NULL, &stream, NULL, &err), err);
    report_says("\"parts\": 1, \"skipped\": 3");
    assert_ok(sql_read(&world, &stream, &err), err);
    assert_memory_equal(world.rows.data, "100\n", 4);
    stoa_statement_close(statement);

    sql_change(&world, "DELETE FROM t WHERE a = 150", 1);
    sql_expect(&world, "SELECT count(*), sum(a) FROM t", "399 | 79650\n");
}

/* ---- streams -------------------------------------------------------------------------------- */

static void a_session_has_one_open_stream(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowArrayStream second;
    assert_ok(stoa_session_run(world.session, "FROM range(100000)", NULL, &stream, NULL, &err),
              err);
    assert_fails(stoa_session_run(world.session, "SELECT 1", NULL, &second, NULL, &err),
                 STOA_INVALID, "still open", err);
    stoa_arrow_stream_release(&stream);
    sql_expect(&world, "SELECT 1", "1\n");
}

static void a_stream_outlives_its_session_and_its_table(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    sql_expect(&world,
               "CREATE TABLE t AS SELECT 'a text of more than twelve bytes ' || i AS s "
               "FROM range(300000) r(i)",
               "");
    assert_ok(stoa_query(world.db, "SELECT s FROM t WHERE s LIKE '%9'", NULL, &stream, &err), err);
    sql_expect(&world, "DROP TABLE t", "");
    int64_t rows = 0;
    struct ArrowArray batch;
    for (;;) {
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        const int32_t *offsets = batch.children[0]->buffers[1];
        const char *bytes = batch.children[0]->buffers[2];
        for (int64_t i = 0; i < batch.length; i++) {
            assert_memory_equal(bytes + offsets[i], "a text of more than twelve", 26);
            assert_int_equal(bytes[offsets[i + 1] - 1], '9');
        }
        rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    assert_int_equal(rows, 30000);
    stoa_arrow_stream_release(&stream);
}

static void a_large_result_is_read_in_bounded_memory(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    size_t before = stoa_pool_used(world.pool);
    size_t most = 0;
    int64_t rows = 0;
    assert_ok(stoa_session_run(world.session,
                               "SELECT i, repeat('x', 100) AS s FROM range(3000000) r(i)", NULL,
                               &stream, NULL, &err),
              err);
    for (;;) {
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        rows += batch.length;
        size_t used = stoa_pool_used(world.pool) - before;
        most = used > most ? used : most;
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    assert_int_equal(rows, 3000000);
    assert_true(most < (size_t)64 << 20); /* of 330 MB */
}

static void *trigger_soon(void *user) {
    usleep(100000);
    stoa_cancel_trigger(user);
    return NULL;
}

static void a_query_is_cancelled_soon(void **state) {
    (void)state;
    static const char *const queries[] = {
        "SELECT count(*) FROM range(10000000) a(i), range(100000) b(j) WHERE i + j = -1",
        "SELECT sum(x.a * y.a + x.b) FROM t x, t y WHERE x.a % 7 <> y.b % 11",
        "CREATE TABLE u AS SELECT i, hash(i) FROM range(100000000000) r(i)",
        "DELETE FROM t WHERE (SELECT count(*) FROM range(100000) p(i), range(1000000) q(j) WHERE "
        "i + j = -1) > 0",
    };
    stoa_error err = STOA_ERROR_NONE;
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a, i % 10 AS b FROM range(200000) r(i)", "");
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        stoa_cancel *cancel;
        pthread_t thread;
        assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
        stoa_context context = {.cancel = cancel};
        pthread_create(&thread, NULL, trigger_soon, cancel);
        int64_t begin = stoa_clock_monotonic_ns();
        assert_fails(sql_try_with(&world, world.session, queries[i], &context, &err),
                     STOA_CANCELLED, NULL, err);
        assert_true(stoa_clock_monotonic_ns() - begin < INT64_C(5000000000));
        pthread_join(thread, NULL);
        stoa_cancel_close(cancel);
        sql_expect(&world, "SELECT count(*) FROM t", "200000\n");
    }
    sql_expect(&world, "SHOW TABLES", "t\n");
}

static void a_deadline_cancels_between_batches(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    stoa_context context = {.cancel = cancel};
    assert_ok(stoa_session_run(world.session, "FROM range(100000000)", &context, &stream, NULL,
                               &err),
              err);
    assert_ok(stoa_stream_next(&stream, &batch, &err), err);
    stoa_arrow_array_release(&batch);
    stoa_cancel_set_timeout(cancel, 0);
    assert_fails(stoa_stream_next(&stream, &batch, &err), STOA_CANCELLED, NULL, err);
    stoa_arrow_stream_release(&stream);
    stoa_cancel_close(cancel);
}

static void note_progress(void *user, const stoa_progress *progress) {
    atomic_int *calls = user;
    assert_true(progress->done <= progress->total && progress->total == 100);
    atomic_fetch_add(calls, 1);
}

static void progress_is_told(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    atomic_int calls = 0;
    stoa_context context = {.progress = note_progress, .progress_user = &calls};
    sql_expect(&world, "CREATE TABLE t AS SELECT i AS a FROM range(3000000) r(i)", "");
    assert_ok(sql_try_with(&world, world.session,
                           "SELECT count(DISTINCT hash(a * 3 + b)) FROM t, range(6) r(b)", &context,
                           &err),
              err);
    assert_true(atomic_load(&calls) > 0);
}

/* ---- scans and other modules ---------------------------------------------------------------- */

static void scan_text(const stoa_scan_options *options, const char *expected) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    const char *found;
    assert_ok(stoa_scan(world.db, "t", options, &stream, &err), err);
    assert_ok(sql_read(&world, &stream, &err), err);
    assert_ok(stoa_buffer_text(&world.rows, &found, &err), err);
    assert_string_equal(found, expected);
}

static void a_scan_gives_columns_and_rows_asked_for(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    sql_expect(&world, "CREATE TABLE t (a BIGINT, \"b,c\" VARCHAR, d TIMESTAMP_S, e UUID)", "");
    sql_expect(&world,
               "INSERT INTO t SELECT i, 'n' || i, '2024-01-01 00:00:00'::TIMESTAMP_S, "
               "'00000000-0000-0000-0000-00000000000' || (i % 10) FROM range(50) r(i)",
               "");
    sql_expect(&world, "INSERT INTO t (a) SELECT * FROM range(50, 100)", "");
    scan_text(&(stoa_scan_options){.columns = "\"b,c\", a", .where = "a in (3, 60, 4)"},
              "n3 | 3\nn4 | 4\nNULL | 60\n");
    scan_text(&(stoa_scan_options){.columns = "d,e", .where = "a = 7"},
              "2024-01-01 00:00:00 | 00000000-0000-0000-0000-000000000007\n");
    scan_text(&(stoa_scan_options){.columns = "a", .limit = 3}, "0\n1\n2\n");
    scan_text(&(stoa_scan_options){.columns = "a", .where = "a >= 98"}, "98\n99\n");
    scan_text(&(stoa_scan_options){.where = "a > 1000"}, "");
    assert_fails(stoa_scan(world.db, "t", &(stoa_scan_options){.columns = "nope"}, &stream, &err),
                 STOA_NOT_FOUND, "'nope'", err);
    assert_fails(stoa_scan(world.db, "t", &(stoa_scan_options){.where = "a >"}, &stream, &err),
                 STOA_INVALID, NULL, err);
    assert_fails(stoa_scan(world.db, "u", NULL, &stream, &err), STOA_NOT_FOUND, "'u'", err);
}

/* Parts in memory are filtered by several threads and come out in their order. */
static void a_scan_of_many_parts_keeps_their_order(void **state) {
    (void)state;
    char expected[2048] = "";
    size_t length = 0;
    sql_expect(&world, "CREATE TABLE t (a BIGINT)", "");
    for (int i = 0; i < 60; i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "INSERT INTO t SELECT %d + i FROM range(10) r(i)", 10 * i);
        sql_expect(&world, sql, "");
        length += (size_t)snprintf(expected + length, sizeof expected - length, "%d\n%d\n",
                                   10 * i + 3, 10 * i + 7);
    }
    char where[2048] = "a in (-1";
    for (int i = 0; i < 60; i++) {
        snprintf(where + strlen(where), sizeof where - strlen(where), ", %d, %d", 10 * i + 3,
                 10 * i + 7);
    }
    strcat(where, ")");
    for (int round = 0; round < 10; round++) {
        scan_text(&(stoa_scan_options){.where = where}, expected);
    }
    scan_text(&(stoa_scan_options){.where = where, .limit = 3}, "3\n7\n13\n");
}

static void other_modules_run_queries_of_their_own(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    const stoa_schema *schema;
    char text[128];
    assert_ok(stoa_sql_describe(world.db, "SELECT 1::BIGINT AS a, [1.5::FLOAT] AS b", NULL, &schema,
                                &err),
              err);
    stoa_schema_print(schema, text, sizeof text);
    assert_string_equal(text, "a long, b list<float>");
    assert_ok(stoa_sql_stream(world.db, "SELECT i::BIGINT, [i::FLOAT / 2] FROM range(3) r(i)",
                              schema, NULL, &stream, &err),
              err);
    assert_ok(sql_read(&world, &stream, &err), err);
    assert_int_equal(world.rows.size, strlen("0 | [0.0]\n1 | [0.5]\n2 | [1.0]\n"));
    assert_fails(stoa_sql_stream(world.db, "SELECT 1::BIGINT", schema, NULL, &stream, &err),
                 STOA_INVALID, "2 columns", err);
    stoa_schema_close(schema);
    assert_fails(stoa_sql_describe(world.db, "SELECT nope", NULL, &schema, &err), STOA_INVALID,
                 "nope", err);
    assert_int_equal(err.query_offset, -1);
}

static void the_engine_keeps_to_its_budget(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *db;
    stoa_session *session;
    char folder[SUPPORT_PATH_BYTES];
    support_temp_directory(folder);
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.memory_limit = (size_t)128 << 20;
    options.threads = 2;
    assert_ok(stoa_database_open(folder, &options, &db, &err), err);
    assert_ok(stoa_session_open(db, &session, &err), err);
    assert_true(stoa_pool_used(stoa_database_pool(db)) >= (size_t)64
                                                              << 20); /* charged as a whole */
    assert_ok(
        sql_try_with(&world, session,
                     "SELECT count(*) FROM (SELECT DISTINCT hash(i) h FROM range(4000000) r(i))",
                     NULL, &err),
        err);
    assert_memory_equal(world.rows.data, "4000000\n", 8);
    assert_fails(sql_try_with(&world, session,
                              "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(500000)",
                              NULL, &err),
                 STOA_LIMIT, "memory budget", err);
    assert_ok(sql_try_with(&world, session, "SELECT 1", NULL, &err), err);
    stoa_session_close(session);
    stoa_database_close(db);
}

#define BOTH(name)                                                                                 \
    {#name " (memory)", name, in_memory, end, NULL}, {                                             \
        #name " (parquet)", name, in_directory, end, NULL                                          \
    }
#define ONE(name) {#name, name, in_memory, end, NULL}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(a_transaction_is_seen_by_others_when_it_commits),
        BOTH(a_failed_statement_makes_commit_an_error),
        ONE(an_error_among_the_rows_is_told_and_aborts),
        BOTH(parameters_have_types),
        BOTH(parameters_work_in_statements_that_change),
        {"filters_skip_parts", filters_skip_parts, in_directory, end, NULL},
        ONE(a_session_has_one_open_stream),
        BOTH(a_stream_outlives_its_session_and_its_table),
        ONE(a_large_result_is_read_in_bounded_memory),
        BOTH(a_query_is_cancelled_soon),
        ONE(a_deadline_cancels_between_batches),
        ONE(progress_is_told),
        BOTH(a_scan_gives_columns_and_rows_asked_for),
        {"a_scan_of_many_parts_keeps_their_order", a_scan_of_many_parts_keeps_their_order,
         in_memory, end, NULL},
        ONE(other_modules_run_queries_of_their_own),
        ONE(the_engine_keeps_to_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
