/* What every engine is asked, with the same rows in the same order. A program defines the functions
 * below for its engine and then includes this; it is run as
 *
 *     PROGRAM orders|kv QUESTION ROWS FOLDER
 *
 * and prints a line "NAME VALUE" for each figure, which run.py puts beside the others'. */
#ifndef STOA_BENCH_LSM_DRIVER_H
#define STOA_BENCH_LSM_DRIVER_H

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "rows.h"

/* ---- What an engine defines; rows and keys are bytes as rows.h says ---------------------------- */

static void engine_open(const char *folder);
static void engine_close(void);
/// Logged; synced only when asked to. Called by several threads.
static void engine_put(const char *row, bool sync);
/// One write of `count` rows from a number on.
static void engine_put_many(int64_t first, int64_t count);
/// Returns when nothing is left to be flushed or compacted: the seconds that it waited after that to be
/// sure, which do not count.
static double engine_settle(void);
static void engine_compact(void);
static bool engine_get_total(const char *key, double *out);
static bool engine_get_row(const char *key, char *out_row);
static void engine_get_64(const char (*keys)[ROWS_MAX_KEY], double *totals);
/// The sum of the totals of the 100 rows from a key on.
static double engine_seek_100(const char *key);
/// The sum of the totals of orders whose status is 4.
static double engine_filter(void);
/// A sum over all columns of all rows.
static double engine_scan(void);

static const char *driver_folder;
static volatile double driver_sink; /* so that nothing is left out */

static void driver_print(const char *name, double value) {
    printf("%s %.6g\n", name, value);
    (void)fflush(stdout);
}

/* Without logs, which every engine keeps some of. */
static double driver_folder_bytes(const char *folder) {
    DIR *directory = opendir(folder);
    double bytes = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char path[4096];
        struct stat info;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &info) != 0) {
            continue;
        }
        const char *ending = strrchr(entry->d_name, '.');
        const bool is_log = ending != NULL && strcmp(ending, ".log") == 0;
        bytes += S_ISDIR(info.st_mode) ? driver_folder_bytes(path)
                 : is_log              ? 0
                                       : (double)info.st_size;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return bytes;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

enum { BATCH = 1000, GETS = 400000, SEEKS = 50000, SYNC_MS = 2000, ROUNDS = 3 };

static void driver_load(void) {
    for (int64_t i = 0; i < rows_count; i += BATCH) {
        engine_put_many(i, rows_count - i < BATCH ? rows_count - i : BATCH);
    }
}

static void ask_ingest(const char *name) {
    (void)name;
    rows_shuffle();
    engine_open(driver_folder);
    const double begun = measure_now();
    driver_load();
    const double written = measure_now();
    const double idle = engine_settle();
    driver_print("ingest.random", (measure_now() - begun - idle) / (double)rows_count * 1e9);
    driver_print("ingest.written", (written - begun) / (double)rows_count * 1e9);
    engine_close();
}

static void ask_puts(const char *name) {
    engine_open(driver_folder);
    const double begun = measure_now();
    for (int64_t i = 0; i < rows_count; i++) {
        engine_put(rows_at(i), false);
    }
    driver_print(name, (measure_now() - begun) / (double)rows_count * 1e9);
    engine_close();
}

static void ask_put_random(const char *name) {
    rows_shuffle();
    ask_puts(name);
}

static _Atomic int64_t sync_next;
static double sync_until;

static void *sync_writer(void *user) {
    (void)user;
    while (measure_now() < sync_until) {
        engine_put(rows_at(sync_next++ % rows_count), true);
    }
    return NULL;
}

static void time_syncs(const char *name, int writers) {
    pthread_t threads[64];
    engine_open(driver_folder);
    const double begun = measure_now();
    sync_until = begun + SYNC_MS / 1e3;
    for (int i = 0; i < writers; i++) {
        (void)pthread_create(&threads[i], NULL, sync_writer, NULL);
    }
    for (int i = 0; i < writers; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    driver_print(name, (measure_now() - begun) / (double)sync_next * 1e6);
    engine_close();
}

static void ask_sync_1(const char *name) {
    time_syncs(name, 1);
}

static void ask_sync_16(const char *name) {
    time_syncs(name, 16);
}

/* Every put by itself, as fast as they go, while files are written and compacted. */
static void ask_latency(const char *name) {
    double *took = rows_take((size_t)rows_count * sizeof *took);
    (void)name;
    rows_shuffle();
    engine_open(driver_folder);
    for (int64_t i = 0; i < rows_count; i++) {
        const double begun = measure_now();
        engine_put(rows_at(i), false);
        took[i] = measure_now() - begun;
    }
    qsort(took, (size_t)rows_count, sizeof *took, measure_compare);
    driver_print("put.p50", took[rows_count / 2] * 1e6);
    driver_print("put.p99", took[rows_count / 100 * 99] * 1e6);
    driver_print("put.p999", took[rows_count / 1000 * 999] * 1e6);
    driver_print("put.max", took[rows_count - 1] * 1e6);
    engine_close();
}

/* ---- Reading ----------------------------------------------------------------------------------- */

/* Keys of rows at random, drawn before the clock starts: finding them among the rows would be a miss of
 * the cache for each question, as long as some answers take. */
static char driver_keys[GETS][ROWS_MAX_KEY];

static void draw_keys(void) {
    for (int i = 0; i < GETS; i++) {
        memcpy(driver_keys[i], rows_at((int64_t)(rows_random() % (uint64_t)rows_count)),
               rows_key_size);
    }
}

static void must(bool found) {
    if (!found) {
        (void)fputs("a row is missing\n", stderr);
        exit(1);
    }
}

static double time_get_total(void) {
    double sum = 0, total = 0;
    const double begun = measure_now();
    for (int i = 0; i < GETS; i++) {
        must(engine_get_total(driver_keys[i], &total));
        sum += total;
    }
    driver_sink = sum;
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_get_row(void) {
    double sum = 0;
    char row[ROWS_MAX_SIZE];
    const double begun = measure_now();
    for (int i = 0; i < GETS; i++) {
        must(engine_get_row(driver_keys[i], row));
        sum += rows_total(row + rows_key_size) + row[rows_size - 1];
    }
    driver_sink = sum;
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_get_64(void) {
    double sum = 0, totals[64];
    const double begun = measure_now();
    for (int i = 0; i < GETS; i += 64) {
        engine_get_64(&driver_keys[i], totals);
        for (int k = 0; k < 64; k++) {
            sum += totals[k];
        }
    }
    driver_sink = sum;
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_missing(void) {
    double total = 0;
    int64_t found = 0;
    for (int i = 0; i < GETS; i++) {
        driver_keys[i][rows_key_size - 1] |= 1;
    }
    const double begun = measure_now();
    for (int i = 0; i < GETS; i++) {
        found += engine_get_total(driver_keys[i], &total);
    }
    must(found == 0);
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_seek(void) {
    double sum = 0;
    const double begun = measure_now();
    for (int i = 0; i < SEEKS; i++) {
        sum += engine_seek_100(driver_keys[i]);
    }
    driver_sink = sum;
    return (measure_now() - begun) / SEEKS * 1e6;
}

static double time_whole(double (*scan)(void)) {
    const double begun = measure_now();
    driver_sink = scan();
    return (measure_now() - begun) / (double)rows_count * 1e9;
}

static double time_filter(void) {
    return time_whole(engine_filter);
}
static double time_scan(void) {
    return time_whole(engine_scan);
}

static void print_median(const char *name, double (*once)(void)) {
    double values[ROUNDS];
    draw_keys();
    (void)once(); /* warm */
    for (int i = 0; i < ROUNDS; i++) {
        draw_keys();
        values[i] = once();
    }
    driver_print(name, measure_median(values, ROUNDS));
}

/* Of gets one by one: the clock is in it. */
static void print_get_percentiles(void) {
    static double took[GETS];
    double total = 0;
    draw_keys();
    for (int i = 0; i < GETS; i++) {
        const double begun = measure_now();
        must(engine_get_total(driver_keys[i], &total));
        took[i] = measure_now() - begun;
    }
    qsort(took, GETS, sizeof *took, measure_compare);
    driver_print("get.p50", took[GETS / 2] * 1e9);
    driver_print("get.p99", took[GETS / 100 * 99] * 1e9);
}

/* After a load in random order: a full compaction, and reads of what was opened anew. */
static void ask_reads(const char *name) {
    (void)name;
    rows_shuffle();
    engine_open(driver_folder);
    driver_load();
    (void)engine_settle();
    driver_load(); /* every row again, so that there is something to merge */
    double begun = measure_now();
    engine_compact();
    const double idle = engine_settle();
    driver_print("compact", (measure_now() - begun - idle) / (double)rows_count * 1e9);
    engine_close();
    driver_print("size", driver_folder_bytes(driver_folder));
    begun = measure_now();
    engine_open(driver_folder);
    driver_print("open", (measure_now() - begun) * 1e3);
    print_median("get.hot", time_get_total);
    print_get_percentiles();
    print_median("get.all", time_get_row);
    print_median("multiget.64", time_get_64);
    print_median("get.missing", time_missing);
    print_median("seek.100", time_seek);
    if (!rows_are_pairs) {
        print_median("scan.filter", time_filter);
        driver_print("check.filter", engine_filter());
    }
    print_median("scan.all", time_scan);
    driver_print("check.all", engine_scan());
    engine_close();
}

/* ---- A process that ends without closing anything ---------------------------------------------- */

static void ask_crash(const char *name) {
    (void)name;
    rows_shuffle();
    engine_open(driver_folder);
    driver_load();
    _exit(0);
}

/* The time until what it wrote is there again. */
static void ask_reopen(const char *name) {
    double total = 0;
    const double begun = measure_now();
    engine_open(driver_folder);
    must(engine_get_total(rows_at(rows_count - 1), &total));
    driver_print(name, (measure_now() - begun) * 1e3);
    engine_close();
}

static const struct {
    const char *name;
    void (*ask)(const char *name);
} driver_questions[] = {
    {"ingest", ask_ingest},      {"put.seq", ask_puts},         {"put.random", ask_put_random},
    {"put.sync.1w", ask_sync_1}, {"put.sync.16w", ask_sync_16}, {"latency", ask_latency},
    {"reads", ask_reads},        {"crash", ask_crash},          {"reopen", ask_reopen},
};

int main(int argc, char **argv) {
    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s orders|kv QUESTION ROWS FOLDER\n", argv[0]);
        return 2;
    }
    driver_folder = argv[4];
    for (size_t i = 0; i < sizeof driver_questions / sizeof *driver_questions; i++) {
        if (strcmp(argv[2], driver_questions[i].name) == 0) {
            rows_make(strcmp(argv[1], "kv") == 0, strtoll(argv[3], NULL, 10));
            driver_questions[i].ask(argv[2]);
            return 0;
        }
    }
    (void)fprintf(stderr, "there is no question '%s'\n", argv[2]);
    return 2;
}

#endif
