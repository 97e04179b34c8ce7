/* By which road do rows leave a table of Parquet files faster: our reader (stoa_scan; SQL that wants few
 * rows) or the engine's read_parquet (other SQL)? Both read the same files in the same process, in turn,
 * warm, with the same threads, and every value of what comes out is looked at.
 *
 *     bench_sql_roads_sql_roads [ROWS [RUNS]]
 *
 *     sql.road.full        all columns
 *     sql.road.columns     two of ten
 *     sql.road.filter      all columns of the few rows with one customer
 *     sql.road.half        all columns of about half of the rows
 *     sql.road.aggregate   a sum by status. There is no road of ours in it: what it would cost at least
 *                          is our scan of the two columns and the engine's query over the same rows in
 *                          memory, by its table function, one after the other
 *     sql.road.seek.*      queries with a condition that few rows pass, which take our reader, and the
 *                          same text with a limit that cuts nothing, which takes read_parquet; a second
 *                          line has the processor's time of all threads
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoa/query.h>

#include "base/clock.h"
#include "orders.h"

enum { RUNS_MAX = 50 };

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "sql_roads: %s\n", err->message);
        exit(1);
    }
}

static uint64_t look_at_strings(const struct ArrowArray *array) {
    const int32_t *offsets = (const int32_t *)array->buffers[1] + array->offset;
    const uint8_t *bytes = array->buffers[2];
    uint64_t sum = 0;
    for (int32_t i = offsets[0]; i + 8 <= offsets[array->length]; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    return sum;
}

/* Every value of the columns, which have a fixed width or are strings, goes into the sum. */
static uint64_t look_at(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
    uint64_t sum = 0;
    for (int64_t c = 0; c < batch->n_children; c++) {
        const struct ArrowArray *array = batch->children[c];
        const char *format = schema->children[c]->format;
        if (format[0] == 'u') {
            sum += array->length > 0 ? look_at_strings(array) : 0;
            continue;
        }
        const size_t width = strchr("cC", format[0]) != NULL ? 1 : strchr("iI", format[0]) ? 4 : 8;
        const uint8_t *values = (const uint8_t *)array->buffers[1] + (size_t)array->offset * width;
        const size_t size = (size_t)array->length * width;
        for (size_t i = 0; i + 8 <= size; i += 8) {
            uint64_t word;
            memcpy(&word, values + i, sizeof word);
            sum += word;
        }
    }
    return sum;
}

static int64_t consume(struct ArrowArrayStream *stream) {
    static volatile uint64_t sink;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    int64_t rows = 0;
    check(stoa_stream_schema(stream, &schema, &err), &err);
    for (;;) {
        struct ArrowArray batch;
        check(stoa_stream_next(stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        rows += batch.length;
        sink += look_at(&schema, &batch);
        batch.release(&batch);
    }
    schema.release(&schema);
    stream->release(stream);
    return rows;
}

static double scan(stoa_database *db, const char *columns, const char *where, int64_t *out_rows) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_scan_options options = STOA_SCAN_DEFAULT;
    struct ArrowArrayStream stream;
    const int64_t begin = stoa_clock_monotonic_ns();
    options.columns = columns;
    options.where = where;
    check(stoa_scan(db, "files", &options, &stream, &err), &err);
    *out_rows = consume(&stream);
    return (double)(stoa_clock_monotonic_ns() - begin) / 1e6;
}

static double query(stoa_session *session, const char *sql, int64_t *out_rows) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    const int64_t begin = stoa_clock_monotonic_ns();
    check(stoa_session_run(session, sql, NULL, &stream, NULL, &err), &err);
    *out_rows = consume(&stream);
    return (double)(stoa_clock_monotonic_ns() - begin) / 1e6;
}

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const char *name, int threads, double *ours, double *theirs, int runs) {
    qsort(ours, (size_t)runs, sizeof *ours, compare);
    qsort(theirs, (size_t)runs, sizeof *theirs, compare);
    printf("figure sql.road.%s.%dt.spread %.1f ms\n", name, threads, ours[runs - 1] - ours[0]);
    printf("ratio sql.road.%s.%dt %.1f ms vs read_parquet %.1f = %.2fx\n", name, threads,
           ours[runs / 2], theirs[runs / 2], theirs[runs / 2] / ours[runs / 2]);
    fflush(stdout);
}

struct question {
    const char *name;
    const char *columns;
    const char *where;
    const char *sql;
    const char *memory_sql; /* asked of the rows in memory after the scan; NULL: the scan is all */
};

static const struct question questions[] = {
    {"full", NULL, NULL, "SELECT * FROM files", NULL},
    {"columns", "order_id,total_amount", NULL, "SELECT order_id, total_amount FROM files", NULL},
    {"filter", NULL, "customer_id = 500000", "SELECT * FROM files WHERE customer_id = 500000 LIMIT 100000000",
     NULL},
    {"half", NULL, "total_amount > 500", "SELECT * FROM files WHERE total_amount > 500", NULL},
    {"aggregate", "status,total_amount", NULL, "SELECT status, sum(total_amount) FROM files GROUP BY 1",
     "SELECT status, sum(total_amount) FROM rows GROUP BY 1"},
};

static void ask(stoa_database *db, stoa_session *session, const struct question *question,
                int threads, int runs) {
    double ours[RUNS_MAX], theirs[RUNS_MAX];
    for (int i = -1; i < runs; i++) { /* the first is warm-up */
        int64_t rows[2];
        double first = scan(db, question->columns, question->where, &rows[0]);
        if (question->memory_sql != NULL) {
            first += query(session, question->memory_sql, &rows[0]);
        }
        const double second = query(session, question->sql, &rows[1]);
        if (rows[0] != rows[1]) {
            fprintf(stderr, "sql_roads: %s: %" PRId64 " rows and %" PRId64 "\n", question->name,
                    rows[0], rows[1]);
            exit(1);
        }
        if (i >= 0) {
            ours[i] = first;
            theirs[i] = second;
        }
    }
    print(question->name, threads, ours, theirs, runs);
}

struct seek {
    const char *name;
    const char *sql;
};

static const struct seek seeks[] = {
    {"few", "SELECT * FROM files WHERE customer_id = 500000"},
    {"in", "SELECT * FROM files WHERE customer_id IN (5, 500, 50000, 500000, 77)"},
    {"range", "SELECT * FROM files WHERE order_id BETWEEN 1000000 AND 1001000"},
    {"fifth", "SELECT * FROM files WHERE status = 3"},
    {"count", "SELECT count(*) FROM files WHERE status = 3"},
    {"group", "SELECT payment_method, sum(total_amount) FROM files WHERE status = 3 GROUP BY 1"},
    {"order", "SELECT * FROM files WHERE customer_id = 500000 ORDER BY total_amount"},
    {"strings", "SELECT * FROM flights WHERE destination = 'JFK'"},
    {"strings.group", "SELECT origin, count(*) FROM flights WHERE destination = 'JFK' GROUP BY 1"},
    {"strings.prefix", "SELECT * FROM flights WHERE origin LIKE 'J%'"},
    {"strings.delay", "SELECT * FROM flights WHERE delay = 5"},
    {"texts", "SELECT * FROM texts WHERE line = 'destination number 00042 is far'"},
    {"texts.delay", "SELECT * FROM texts WHERE delay = 5"},
    {"texts.group", "SELECT line, count(*) FROM texts WHERE delay = 5 GROUP BY 1"},
};

static double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void ask_seek(stoa_session *session, const struct seek *seek, int threads, int runs) {
    double wall[2][RUNS_MAX], cpu[2][RUNS_MAX];
    char texts[2][256], name[64];
    (void)snprintf(texts[0], sizeof texts[0], "%s", seek->sql);
    (void)snprintf(texts[1], sizeof texts[1], "%s LIMIT 100000000", seek->sql);
    for (int i = -1; i < runs; i++) { /* the first is warm-up */
        int64_t rows[2];
        for (int road = 0; road < 2; road++) {
            const double begin = cpu_ms();
            const double took = query(session, texts[road], &rows[road]);
            if (i >= 0) {
                wall[road][i] = took;
                cpu[road][i] = cpu_ms() - begin;
            }
        }
        if (rows[0] != rows[1]) {
            fprintf(stderr, "sql_roads: %s: %" PRId64 " rows and %" PRId64 "\n", seek->name, rows[0],
                    rows[1]);
            exit(1);
        }
    }
    (void)snprintf(name, sizeof name, "seek.%s", seek->name);
    print(name, threads, wall[0], wall[1], runs);
    (void)snprintf(name, sizeof name, "seek.%s.cpu", seek->name);
    print(name, threads, cpu[0], cpu[1], runs);
}

/* Tables with strings, of three letters and of 31. */
static void fill_strings(stoa_session *session) {
    int64_t none;
    (void)query(session, "CREATE TABLE flights AS SELECT * FROM 'build/deps/vega/flights-3m.parquet'",
                &none);
    (void)query(session,
                "CREATE TABLE texts AS SELECT date, delay, printf('destination number %05d is far', "
                "(distance * 7 + delay) % 1000) AS line, printf('row %d of the flights, delayed', "
                "row_number() OVER ()) AS other FROM flights LIMIT 1000000",
                &none);
}

static void fill(stoa_database *db, const char *table, const char *kind, int64_t rows) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowSchema arrow;
    const stoa_schema *schema;
    stoa_sink *sink;
    orders_stream(rows, 65536, &stream);
    check(stoa_stream_schema(&stream, &arrow, &err), &err);
    check(stoa_schema_from_arrow(stoa_database_pool(db), &arrow, &schema, &err), &err);
    const stoa_sink_options options = {.mode = STOA_CREATE, .kind = kind, .schema = schema};
    check(stoa_sink_open(db, table, &options, &sink, &err), &err);
    for (;;) {
        struct ArrowArray batch;
        check(stoa_stream_next(&stream, &batch, &err), &err);
        if (batch.release == NULL) {
            break;
        }
        check(stoa_sink_write(sink, &arrow, &batch, &err), &err);
    }
    check(stoa_sink_commit(sink, NULL, &err), &err);
    stoa_sink_close(sink);
    stoa_schema_close(schema);
    arrow.release(&arrow);
    stream.release(&stream);
}

static void with_threads(const char *directory, int threads, int64_t rows, int runs) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *db;
    stoa_session *session;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.threads = threads;
    options.memory_limit = (size_t)6 << 30;
    check(stoa_database_open(directory, &options, &db, &err), &err);
    if (threads == 1) {
        fill(db, "files", "parquet", rows);
    }
    fill(db, "rows", "memory", rows);
    check(stoa_session_open(db, &session, &err), &err);
    if (threads == 1) {
        int64_t none;
        (void)query(session, "SELECT 1", &none);
        printf("rival duckdb %s\n", stoa_engine_version(db));
        fill_strings(session);
    }
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        ask(db, session, &questions[i], threads, runs);
    }
    for (size_t i = 0; i < sizeof seeks / sizeof seeks[0]; i++) {
        ask_seek(session, &seeks[i], threads, runs);
    }
    stoa_session_close(session);
    stoa_database_close(db);
}

int main(int argc, char **argv) {
    const int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : 3000000;
    int runs = argc > 2 ? atoi(argv[2]) : 7;
    char folder[] = "/tmp/stoa-roads-XXXXXX", directory[64], command[96];
    runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(directory, sizeof directory, "%s/db", folder);
    with_threads(directory, 1, rows, runs);
    with_threads(directory, 2, rows, runs);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : 1;
}
