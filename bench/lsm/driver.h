/* What every engine is asked, with the same rows in the same order. A program defines the functions
 * below for its engine and then includes this; it is run as
 *
 *     PROGRAM QUESTION ROWS FOLDER
 *
 * and prints a line "NAME VALUE" for each figure, which run.py puts beside the others'.
 *
 * Rows are the orders of bench/support, 62 bytes each: a key of 8 bytes and 54 bytes of columns. Keys are
 * even, so that there are keys in between that are missing. */
#ifndef STOA_BENCH_LSM_DRIVER_H
#define STOA_BENCH_LSM_DRIVER_H

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "orders.h"

struct __attribute__((packed)) order {
    uint64_t id;
    uint64_t customer, product;
    uint32_t quantity;
    double unit_price, total;
    uint8_t status, payment;
    int64_t time_ms;
    uint64_t address;
};
_Static_assert(sizeof(struct order) == 62, "a key of 8 bytes and 54 of columns");

/* Of all columns of a row, with its key as a number. */
#define DRIVER_SUM(row, key)                                                                       \
    ((key) + (double)(row).customer + (double)(row).product + (row).quantity + (row).unit_price +  \
     (row).total + (row).status + (row).payment + (double)(row).time_ms + (double)(row).address)

/* ---- What an engine defines ------------------------------------------------------------------- */

static void engine_open(const char *folder);
static void engine_close(void);
/// Logged; synced only when asked to.
static void engine_put(const struct order *row, bool sync);
/// One write of rows[order[0 … count)].
static void engine_put_many(const struct order *rows, const uint32_t *order, int64_t count);
/// Returns when nothing is left to be flushed or compacted: the seconds that it waited after that to be
/// sure, which do not count.
static double engine_settle(void);
static void engine_compact(void);
static bool engine_get_total(uint64_t id, double *out);
static bool engine_get_row(uint64_t id, struct order *out);
static void engine_get_64(const uint64_t *ids, double *totals);
/// The sum of the totals of the 100 rows from a key on.
static double engine_seek_100(uint64_t id);
/// The sum of the totals of rows whose status is 4.
static double engine_filter(void);
/// A sum over all columns of all rows.
static double engine_scan(void);

/* ---- Rows -------------------------------------------------------------------------------------- */

static struct order *driver_rows;
static int64_t driver_count;
static const char *driver_folder;
static volatile double driver_sink; /* so that nothing is left out */

static void *driver_take(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        (void)fputs("no memory for the rows\n", stderr);
        exit(1);
    }
    return memory;
}

static void driver_make_rows(void) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    driver_rows = driver_take((size_t)driver_count * sizeof *driver_rows);
    orders_stream(driver_count, 65536, &stream);
    for (int64_t at = 0; stream.get_next(&stream, &batch) == 0 && batch.release != NULL;) {
        const void *data[10];
        for (int c = 0; c < 10; c++) {
            data[c] = batch.children[c]->buffers[1];
        }
        for (int64_t i = 0; i < batch.length; i++, at++) {
            driver_rows[at] = (struct order){
                .id = 2 * ((const uint64_t *)data[0])[i],
                .customer = ((const uint64_t *)data[1])[i],
                .product = ((const uint64_t *)data[2])[i],
                .quantity = ((const uint32_t *)data[3])[i],
                .unit_price = ((const double *)data[4])[i],
                .total = ((const double *)data[5])[i],
                .status = ((const uint8_t *)data[6])[i],
                .payment = ((const uint8_t *)data[7])[i],
                .time_ms = ((const int64_t *)data[8])[i],
                .address = ((const uint64_t *)data[9])[i],
            };
        }
        batch.release(&batch);
    }
    stream.release(&stream);
}

static uint64_t driver_state = 42;
static uint64_t driver_random(void) {
    driver_state ^= driver_state << 13;
    driver_state ^= driver_state >> 7;
    driver_state ^= driver_state << 17;
    return driver_state;
}

/* The same random order for everybody. */
static uint32_t *driver_permutation(void) {
    uint32_t *order = driver_take((size_t)driver_count * sizeof *order);
    for (int64_t i = 0; i < driver_count; i++) {
        order[i] = (uint32_t)i;
    }
    for (int64_t i = driver_count - 1; i > 0; i--) {
        const int64_t j = (int64_t)(driver_random() % (uint64_t)(i + 1));
        const uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    return order;
}

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

/* ---- Questions --------------------------------------------------------------------------------- */

enum { BATCH = 1000, GETS = 400000, SEEKS = 50000, SYNC_MS = 2000, ROUNDS = 3 };

static void ask_ingest(void) {
    uint32_t *order = driver_permutation();
    engine_open(driver_folder);
    const double begun = measure_now();
    for (int64_t i = 0; i < driver_count; i += BATCH) {
        engine_put_many(driver_rows, order + i,
                        driver_count - i < BATCH ? driver_count - i : BATCH);
    }
    const double written = measure_now();
    const double idle = engine_settle();
    driver_print("ingest.random", (measure_now() - begun - idle) / (double)driver_count * 1e9);
    driver_print("ingest.written", (written - begun) / (double)driver_count * 1e9);
    engine_close();
}

static void ask_put(bool random, const char *name) {
    uint32_t *order = random ? driver_permutation() : NULL;
    engine_open(driver_folder);
    const double begun = measure_now();
    for (int64_t i = 0; i < driver_count; i++) {
        engine_put(&driver_rows[random ? order[i] : i], false);
    }
    driver_print(name, (measure_now() - begun) / (double)driver_count * 1e9);
    engine_close();
}

static _Atomic int64_t sync_next;
static double sync_until;

static void *sync_writer(void *user) {
    (void)user;
    while (measure_now() < sync_until) {
        engine_put(&driver_rows[sync_next++ % driver_count], true);
    }
    return NULL;
}

static void ask_sync(int writers, const char *name) {
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

/* Every put by itself, as fast as they go, while files are written and compacted. */
static void ask_latency(void) {
    uint32_t *order = driver_permutation();
    double *took = driver_take((size_t)driver_count * sizeof *took);
    engine_open(driver_folder);
    for (int64_t i = 0; i < driver_count; i++) {
        const double begun = measure_now();
        engine_put(&driver_rows[order[i]], false);
        took[i] = measure_now() - begun;
    }
    qsort(took, (size_t)driver_count, sizeof *took, measure_compare);
    driver_print("put.p50", took[driver_count / 2] * 1e6);
    driver_print("put.p99", took[driver_count / 100 * 99] * 1e6);
    driver_print("put.p999", took[driver_count / 1000 * 999] * 1e6);
    driver_print("put.max", took[driver_count - 1] * 1e6);
    engine_close();
}

/* Keys of rows at random, drawn before the clock starts: finding them among the rows would be a miss of
 * the cache for each question, as long as some answers take. */
static uint64_t driver_ids[GETS];

static void draw_ids(void) {
    for (int i = 0; i < GETS; i++) {
        driver_ids[i] = driver_rows[driver_random() % (uint64_t)driver_count].id;
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
        must(engine_get_total(driver_ids[i], &total));
        sum += total;
    }
    driver_sink = sum;
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_get_row(void) {
    double sum = 0;
    struct order row;
    const double begun = measure_now();
    for (int i = 0; i < GETS; i++) {
        must(engine_get_row(driver_ids[i], &row));
        sum += row.total + (double)row.customer + (double)row.address + row.status;
    }
    driver_sink = sum;
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_get_64(void) {
    double sum = 0, totals[64];
    const double begun = measure_now();
    for (int i = 0; i < GETS; i += 64) {
        engine_get_64(driver_ids + i, totals);
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
    const double begun = measure_now();
    for (int i = 0; i < GETS; i++) {
        found += engine_get_total(driver_ids[i] + 1, &total);
    }
    must(found == 0);
    return (measure_now() - begun) / GETS * 1e9;
}

static double time_seek(void) {
    double sum = 0;
    const double begun = measure_now();
    for (int i = 0; i < SEEKS; i++) {
        sum += engine_seek_100(driver_ids[i]);
    }
    driver_sink = sum;
    return (measure_now() - begun) / SEEKS * 1e6;
}

static double time_whole(double (*scan)(void)) {
    const double begun = measure_now();
    driver_sink = scan();
    return (measure_now() - begun) / (double)driver_count * 1e9;
}

static void print_median(const char *name, double (*once)(void)) {
    double values[ROUNDS];
    draw_ids();
    (void)once(); /* warm */
    for (int i = 0; i < ROUNDS; i++) {
        draw_ids();
        values[i] = once();
    }
    driver_print(name, measure_median(values, ROUNDS));
}

static double time_filter(void) {
    return time_whole(engine_filter);
}
static double time_scan(void) {
    return time_whole(engine_scan);
}

/* After a load in random order: a full compaction, and reads of what was opened anew. */
static void ask_reads(void) {
    uint32_t *order = driver_permutation();
    engine_open(driver_folder);
    for (int64_t i = 0; i < driver_count; i += BATCH) {
        engine_put_many(driver_rows, order + i,
                        driver_count - i < BATCH ? driver_count - i : BATCH);
    }
    (void)engine_settle();
    /* Every row again, so that there is something to merge. */
    for (int64_t i = 0; i < driver_count; i += BATCH) {
        engine_put_many(driver_rows, order + i,
                        driver_count - i < BATCH ? driver_count - i : BATCH);
    }
    double begun = measure_now();
    engine_compact();
    const double idle = engine_settle();
    driver_print("compact", (measure_now() - begun - idle) / (double)driver_count * 1e9);
    engine_close();
    driver_print("size", driver_folder_bytes(driver_folder));
    begun = measure_now();
    engine_open(driver_folder);
    driver_print("open", (measure_now() - begun) * 1e3);
    print_median("get.hot", time_get_total);
    print_median("get.all", time_get_row);
    print_median("multiget.64", time_get_64);
    print_median("get.missing", time_missing);
    print_median("seek.100", time_seek);
    print_median("scan.filter", time_filter);
    driver_print("check.filter", engine_filter());
    print_median("scan.all", time_scan);
    driver_print("check.all", engine_scan());
    engine_close();
}

/* A process that ends without closing anything, and the time until what it wrote is there again. */
static void ask_crash(void) {
    uint32_t *order = driver_permutation();
    engine_open(driver_folder);
    for (int64_t i = 0; i < driver_count; i += BATCH) {
        engine_put_many(driver_rows, order + i,
                        driver_count - i < BATCH ? driver_count - i : BATCH);
    }
    _exit(0);
}

static void ask_reopen(void) {
    double total = 0;
    const double begun = measure_now();
    engine_open(driver_folder);
    must(engine_get_total(driver_rows[driver_count - 1].id, &total));
    driver_print("reopen", (measure_now() - begun) * 1e3);
    engine_close();
}

int main(int argc, char **argv) {
    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s QUESTION ROWS FOLDER\n", argv[0]);
        return 2;
    }
    const char *question = argv[1];
    driver_count = strtoll(argv[2], NULL, 10);
    driver_folder = argv[3];
    driver_make_rows();
    if (strcmp(question, "ingest") == 0) {
        ask_ingest();
    } else if (strcmp(question, "put.seq") == 0) {
        ask_put(false, question);
    } else if (strcmp(question, "put.random") == 0) {
        ask_put(true, question);
    } else if (strcmp(question, "put.sync.1w") == 0) {
        ask_sync(1, question);
    } else if (strcmp(question, "put.sync.16w") == 0) {
        ask_sync(16, question);
    } else if (strcmp(question, "latency") == 0) {
        ask_latency();
    } else if (strcmp(question, "reads") == 0) {
        ask_reads();
    } else if (strcmp(question, "crash") == 0) {
        ask_crash();
    } else if (strcmp(question, "reopen") == 0) {
        ask_reopen();
    } else {
        (void)fprintf(stderr, "there is no question '%s'\n", question);
        return 2;
    }
    return 0;
}

#endif
