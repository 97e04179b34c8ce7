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

enum { MIB = 1 << 20, RUNS = 15, WAYS = 3 };

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

static void make_file(struct bench *bench) {
    int descriptor = open(bench->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t word = 1;
    check(descriptor >= 0, bench, "making the file");
    for (uint64_t at = 0; at < bench->size; at += MIB) {
        for (size_t i = 0; i < MIB / 8; i++) {
            word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
            bench->buffer[i] = word;
        }
        check(write(descriptor, bench->buffer, MIB) == MIB, bench, "filling the file");
    }
    (void)fdatasync(descriptor);
    (void)close(descriptor);
}

static void measure(struct bench *bench) {
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
    printf("figure vfs.mmap.spread %.2f GB/s\n", rate[0][RUNS - 1] - rate[0][0]);
    printf("ratio vfs.mmap %.2f GB/s vs stoa_file_read %.2f = %.2fx\n", ours, rate[1][RUNS / 2],
           ours / rate[1][RUNS / 2]);
    printf("ratio vfs.mmap.plain %.2f GB/s vs read %.2f = %.2fx\n", ours, rate[2][RUNS / 2],
           ours / rate[2][RUNS / 2]);
}

int main(void) {
    struct bench bench = {.err = STOA_ERROR_NONE};
    const char *folder = getenv("STOA_BENCH_DATA"), *full = getenv("FULL");
    stoa_fs_registry *registry = NULL;
    (void)snprintf(bench.path, sizeof bench.path, "%s/vfs_mmap.%ld", folder == NULL ? "." : folder,
                   (long)getpid());
    bench.size = full != NULL && strcmp(full, "1") == 0 ? UINT64_C(1) << 30 : UINT64_C(1) << 28;
    bench.buffer = aligned_alloc(4096, MIB);
    check(bench.buffer != NULL, &bench, "memory");
    check(stoa_pool_create(0, NULL, &bench.pool, &bench.err) == STOA_OK, &bench, "a pool");
    check(stoa_fs_registry_create(bench.pool, &registry, &bench.err) == STOA_OK, &bench, "files");
    check(stoa_fs_find(registry, bench.path, &bench.fs, &bench.fs_path, &bench.err) == STOA_OK,
          &bench, "finding");
    make_file(&bench);
    measure(&bench);
    (void)unlink(bench.path);
    stoa_fs_registry_close(registry);
    stoa_pool_close(bench.pool);
    free(bench.buffer);
    return 0;
}
