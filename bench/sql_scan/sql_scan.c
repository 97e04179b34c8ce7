/* How fast is a memory table of ours, read by the engine through its table function, against the
 * engine's own in-memory table?
 *
 *     bench_sql_scan_sql_scan [ROWS [RUNS]]
 *
 * Both hold the same rows, in one instance with the same threads; the same query runs over one and
 * the other in turn, warm, and all of its rows are read and summed up. Printed are the medians:
 *
 *     sql.scan.sum      SELECT status, count(*), sum(total) GROUP BY status     (5 groups)
 *     sql.scan.strings  SELECT city, count(*) GROUP BY city      (1,000 strings of 4 to 24 bytes)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/query.h>

#include "base/clock.h"

enum { RUNS_MAX = 200 };

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "sql_scan: %s\n", err->message);
        exit(1);
    }
}

/* Runs one statement; the sum of all counts and totals, so that every value is looked at. */
static double run(stoa_session *session, const char *sql, int64_t *out_rows) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    double sum = 0;
    *out_rows = 0;
    check(stoa_session_run(session, sql, NULL, &stream, NULL, &err), &err);
    for (;;) {
        check(stoa_stream_next(&stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        *out_rows += batch.length;
        const int64_t *counts = batch.children[1]->buffers[1];
        const double *totals = batch.n_children > 2 ? batch.children[2]->buffers[1] : NULL;
        for (int64_t i = 0; i < batch.length; i++) {
            sum += (double)counts[i] + (totals != NULL ? totals[i] : 0);
        }
        batch.release(&batch);
    }
    stream.release(&stream);
    return sum;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

static double timed(stoa_session *session, const char *sql, double *out_sum, int64_t *out_rows) {
    int64_t begin = stoa_clock_monotonic_ns();
    *out_sum = run(session, sql, out_rows);
    return (double)(stoa_clock_monotonic_ns() - begin) / 1e6;
}

static void question(stoa_session *session, const char *name, int threads, const char *query,
                     int runs) {
    double ours[RUNS_MAX], theirs[RUNS_MAX];
    char sql[2][256];
    snprintf(sql[0], sizeof sql[0], query, "ours");
    snprintf(sql[1], sizeof sql[1], query, "theirs");
    for (int i = -2; i < runs; i++) { /* the first two are warm-up */
        double sum[2];
        int64_t rows[2];
        double first = timed(session, sql[0], &sum[0], &rows[0]);
        double second = timed(session, sql[1], &sum[1], &rows[1]);
        if (rows[0] != rows[1] || sum[0] - sum[1] > 1e-6 * sum[1] ||
            sum[1] - sum[0] > 1e-6 * sum[0]) {
            fprintf(stderr, "sql_scan: %s: the answers differ\n", name);
            exit(1);
        }
        if (i >= 0) {
            ours[i] = first;
            theirs[i] = second;
        }
    }
    double a = median(ours, runs), b = median(theirs, runs);
    printf("figure %s.%dt.spread %.2f ms\n", name, threads, ours[runs - 1] - ours[0]);
    printf("ratio %s.%dt %.2f ms vs duckdb %.2f = %.2fx\n", name, threads, a, b, b / a);
    fflush(stdout);
}

static void statement(stoa_session *session, const char *sql) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    check(stoa_session_run(session, sql, NULL, &stream, NULL, &err), &err);
    stream.release(&stream);
}

static void with_threads(int threads, int64_t rows, int runs) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *db = NULL;
    stoa_session *session = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    char sql[512];
    options.threads = threads;
    options.memory_limit = (size_t)6 << 30;
    check(stoa_database_open(":memory:", &options, &db, &err), &err);
    check(stoa_session_open(db, &session, &err), &err);
    if (threads == 1) {
        printf("rival duckdb %s\n", stoa_engine_version(db));
    }
    snprintf(sql, sizeof sql,
             "CREATE TABLE ours AS SELECT i AS id, (hash(i) %% 5)::UTINYINT AS status, "
             "(hash(i, 1) %% 100000)::DOUBLE / 100 AS total, "
             "repeat('city', 1 + (hash(i, 2) %% 5)::INT) || '-' || (hash(i, 2) %% 1000) AS city "
             "FROM range(%" PRId64 ") r(i)",
             rows);
    statement(session, sql);
    statement(session, "CREATE TEMP TABLE theirs AS SELECT * FROM ours");
    question(session, "sql.scan.sum", threads,
             "SELECT status, count(*), sum(total) FROM %s GROUP BY status", runs);
    question(session, "sql.scan.strings", threads, "SELECT city, count(*) FROM %s GROUP BY city",
             runs);
    stoa_session_close(session);
    stoa_database_close(db);
}

int main(int argc, char **argv) {
    int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : 10000000;
    int runs = argc > 2 ? atoi(argv[2]) : 15;
    runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
    with_threads(1, rows, runs);
    with_threads(2, rows, runs);
    return 0;
}
