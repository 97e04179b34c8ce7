/* How fast is a file that is in memory already read through a map, against reading it?
 *
 *     bench_vfs_mmap
 *
 * All three add up the same file as 64-bit words, from opening to closing it, in turn; every MiB of
 * the map is checked as readers have to (stoa_file_map_check). Printed are the medians:
 *
 *     vfs.mmap          the map, against stoa_file_read of a MiB at a time
 *     vfs.mmap.plain    the map, against read() of a MiB at a time
 *
 * once for a file that was written in pieces of 1 MiB, and once (".8m") in pieces of 8 MiB: the system
 * keeps a file in pages as large as the writes that made it, and maps it by them. Also printed is the
 * speed of a map whose pages are all mapped already: it is what the memory gives one thread, and no
 * map can be faster.
 *
 *     vfs.mmap.cold     a map that is said to be read in order, against read(), after the file's pages
 *                       were dropped (POSIX_FADV_DONTNEED; other layers may still hold them)
 *
 * The file is 1 GiB with FULL=1, 256 MiB without; it lies in STOA_BENCH_DATA. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/fs.h>
#include <stoa/memory.h>

#include "base/clock.h"

enum { MIB = 1 << 20, RUNS = 15, WAYS = 3, COLD_RUNS = 5 };

struct bench {
    char path[512];
    stoa_pool *pool;
    stoa_fs *fs;
    const char *fs_path;
    uint64_t size;
    uint64_t *buffer;
    stoa_error err;
};

static void check(bool holds, const struct bench *bench, const char *what) {
    if (!holds) {
        fprintf(stderr, "mmap: %s: %s\n", what, bench->err.message);
        exit(1);
    }
}

static uint64_t sum(const uint64_t *words, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += words[i];
    }
    return total;
}

static stoa_file *open_ours(struct bench *bench) {
    const stoa_context context = {.pool = bench->pool};
    stoa_file *file = NULL;
    check(bench->fs->operations->open(bench->fs->state, bench->fs_path, STOA_OPEN_READ, &context,
                                      &file, &bench->err) == STOA_OK,
          bench, "opening");
    return file;
}

static uint64_t by_map(struct bench *bench) {
    stoa_file *file = open_ours(bench);
    const void *bytes = NULL;
    uint64_t size = 0, total = 0;
    check(stoa_file_map(file, &bytes, &size, &bench->err) == STOA_OK, bench, "mapping");
    for (uint64_t at = 0; at < size; at += MIB) {
        total += sum((const uint64_t *)bytes + at / 8, MIB / 8);
        check(stoa_file_map_check(file, &bench->err) == STOA_OK, bench, "the map");
    }
    stoa_file_close(file);
    return total;
}

static uint64_t by_map_in_order(struct bench *bench) {
    stoa_file *file = open_ours(bench);
    const void *bytes = NULL;
    uint64_t size = 0, total = 0;
    check(stoa_file_map(file, &bytes, &size, &bench->err) == STOA_OK, bench, "mapping");
    stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);
    for (uint64_t at = 0; at < size; at += MIB) {
        total += sum((const uint64_t *)bytes + at / 8, MIB / 8);
        check(stoa_file_map_check(file, &bench->err) == STOA_OK, bench, "the map");
    }
    stoa_file_close(file);
    return total;
}

static uint64_t by_our_read(struct bench *bench) {
    stoa_file *file = open_ours(bench);
    uint64_t total = 0;
    for (uint64_t at = 0; at < bench->size; at += MIB) {
        check(stoa_file_read(file, at, bench->buffer, MIB, &bench->err) == STOA_OK, bench,
              "reading");
        total += sum(bench->buffer, MIB / 8);
    }
    stoa_file_close(file);
    return total;
}

static uint64_t by_plain_read(struct bench *bench) {
    int descriptor = open(bench->path, O_RDONLY | O_CLOEXEC);
    uint64_t total = 0;
    ssize_t got;
    check(descriptor >= 0, bench, "open");
    while ((got = read(descriptor, bench->buffer, MIB)) > 0) {
        total += sum(bench->buffer, (size_t)got / 8);
    }
    check(got == 0, bench, "read");
    (void)close(descriptor);
    return total;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void make_file(struct bench *bench, size_t piece) {
    int descriptor = open(bench->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t word = 1;
    check(descriptor >= 0, bench, "making the file");
    for (uint64_t at = 0; at < bench->size; at += piece) {
        for (size_t i = 0; i < piece / 8; i++) {
            word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
            bench->buffer[i] = word;
        }
        check(write(descriptor, bench->buffer, piece) == (ssize_t)piece, bench, "filling the file");
    }
    (void)fdatasync(descriptor);
    (void)close(descriptor);
}

/* The second time through one map. */
static void measure_memory(struct bench *bench, const char *name) {
    double rate[RUNS];
    stoa_file *file = open_ours(bench);
    const void *bytes = NULL;
    uint64_t size = 0, total = 0;
    check(stoa_file_map(file, &bytes, &size, &bench->err) == STOA_OK, bench, "mapping");
    for (int run = -1; run < RUNS; run++) {
        int64_t begin = stoa_clock_monotonic_ns();
        total += sum(bytes, size / 8);
        rate[run < 0 ? 0 : run] = (double)size / (double)(stoa_clock_monotonic_ns() - begin);
    }
    check(total != 1, bench, "the sum");
    stoa_file_close(file);
    qsort(rate, RUNS, sizeof rate[0], compare);
    printf("figure vfs.mmap%s.memory %.2f GB/s\n", name, rate[RUNS / 2]);
}

static double cold(struct bench *bench, uint64_t (*way)(struct bench *), uint64_t *out_sum) {
    int descriptor = open(bench->path, O_RDONLY | O_CLOEXEC);
    check(descriptor >= 0, bench, "open");
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(descriptor);
    int64_t begin = stoa_clock_monotonic_ns();
    *out_sum = way(bench);
    return (double)bench->size / (double)(stoa_clock_monotonic_ns() - begin);
}

static void measure_cold(struct bench *bench) {
    double ours[COLD_RUNS], theirs[COLD_RUNS];
    for (int run = 0; run < COLD_RUNS; run++) {
        uint64_t sums[2];
        ours[run] = cold(bench, by_map_in_order, &sums[0]);
        theirs[run] = cold(bench, by_plain_read, &sums[1]);
        check(sums[0] == sums[1], bench, "the sums differ");
    }
    qsort(ours, COLD_RUNS, sizeof ours[0], compare);
    qsort(theirs, COLD_RUNS, sizeof theirs[0], compare);
    printf("ratio vfs.mmap.cold %.2f GB/s vs read %.2f = %.2fx\n", ours[COLD_RUNS / 2],
           theirs[COLD_RUNS / 2], ours[COLD_RUNS / 2] / theirs[COLD_RUNS / 2]);
}

static void measure(struct bench *bench, const char *name) {
    static uint64_t (*const ways[WAYS])(struct bench *) = {by_map, by_our_read, by_plain_read};
    double rate[WAYS][RUNS];
    for (int run = -2; run < RUNS; run++) { /* the first two are warm-up */
        uint64_t sums[WAYS];
        for (int way = 0; way < WAYS; way++) {
            int64_t begin = stoa_clock_monotonic_ns();
            sums[way] = ways[way](bench);
            double seconds = (double)(stoa_clock_monotonic_ns() - begin) / 1e9;
            if (run >= 0) {
                rate[way][run] = (double)bench->size / seconds / 1e9;
            }
        }
        check(sums[0] == sums[1] && sums[1] == sums[2], bench, "the sums differ");
    }
    for (int way = 0; way < WAYS; way++) {
        qsort(rate[way], RUNS, sizeof rate[way][0], compare);
    }
    const double ours = rate[0][RUNS / 2];
    printf("figure vfs.mmap%s.spread %.2f GB/s\n", name, rate[0][RUNS - 1] - rate[0][0]);
    printf("ratio vfs.mmap%s %.2f GB/s vs stoa_file_read %.2f = %.2fx\n", name, ours,
           rate[1][RUNS / 2], ours / rate[1][RUNS / 2]);
    printf("ratio vfs.mmap%s.plain %.2f GB/s vs read %.2f = %.2fx\n", name, ours, rate[2][RUNS / 2],
           ours / rate[2][RUNS / 2]);
}

int main(void) {
    struct bench bench = {.err = STOA_ERROR_NONE};
    const char *folder = getenv("STOA_BENCH_DATA"), *full = getenv("FULL");
    stoa_fs_registry *registry = NULL;
    (void)snprintf(bench.path, sizeof bench.path, "%s/vfs_mmap.%ld", folder == NULL ? "." : folder,
                   (long)getpid());
    bench.size = full != NULL && strcmp(full, "1") == 0 ? UINT64_C(1) << 30 : UINT64_C(1) << 28;
    bench.buffer = aligned_alloc(4096, 8 * MIB);
    check(bench.buffer != NULL, &bench, "memory");
    check(stoa_pool_create(0, NULL, &bench.pool, &bench.err) == STOA_OK, &bench, "a pool");
    check(stoa_fs_registry_create(bench.pool, &registry, &bench.err) == STOA_OK, &bench, "files");
    check(stoa_fs_find(registry, bench.path, &bench.fs, &bench.fs_path, &bench.err) == STOA_OK,
          &bench, "finding");
    make_file(&bench, MIB);
    measure(&bench, "");
    measure_memory(&bench, "");
    measure_cold(&bench);
    make_file(&bench, 8 * MIB);
    measure(&bench, ".8m");
    measure_memory(&bench, ".8m");
    (void)unlink(bench.path);
    stoa_fs_registry_close(registry);
    stoa_pool_close(bench.pool);
    free(bench.buffer);
    return 0;
}
