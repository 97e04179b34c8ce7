/* How fast do many small ranges of a file come, when they are not in memory and when they are,
 * against one pread() each?
 *
 *     bench_vfs_ranges
 *
 * Both read the same places, in rising order with gaps; cold means that the file's pages were dropped
 * before (POSIX_FADV_DONTNEED; other layers may still hold them). Medians, in microseconds a range:
 *
 *     vfs.ranges.cold.4k, vfs.ranges.cold.64k, vfs.ranges.warm.4k
 *
 * The file is 1 GiB with FULL=1, 256 MiB without, in STOA_BENCH_DATA. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/fs.h>
#include <stoa/memory.h>

#include "base/clock.h"

enum { MIB = 1 << 20, RANGES = 500, RUNS = 21, RANGE_BYTES_MAX = 64 << 10 };

struct bench {
    char path[512];
    stoa_pool *pool;
    stoa_file *file;
    int descriptor;
    uint64_t size;
    uint8_t *buffer;
    stoa_read_range ranges[RANGES];
    uint64_t random;
    stoa_error err;
};

static void check(bool holds, const struct bench *bench, const char *what) {
    if (!holds) {
        fprintf(stderr, "ranges: %s: %s\n", what, bench->err.message);
        exit(1);
    }
}

static void read_ours(struct bench *bench) {
    check(stoa_file_read_vector(bench->file, bench->ranges, RANGES, &bench->err) == STOA_OK, bench,
          "reading");
}

static void read_theirs(struct bench *bench) {
    for (int i = 0; i < RANGES; i++) {
        const stoa_read_range *range = &bench->ranges[i];
        check(pread(bench->descriptor, range->buffer, range->size, (off_t)range->offset) ==
                  (ssize_t)range->size,
              bench, "pread");
    }
}

static uint64_t sum(const struct bench *bench, size_t bytes) {
    uint64_t total = 0;
    for (size_t i = 0; i < RANGES * bytes; i += 512) {
        total += bench->buffer[i];
    }
    return total;
}

static void choose(struct bench *bench, size_t bytes) {
    const uint64_t stride = bench->size / RANGES / 4096 * 4096;
    for (int i = 0; i < RANGES; i++) {
        bench->random = bench->random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t gap = (bench->random >> 33) % (stride - bytes) / 4096 * 4096;
        bench->ranges[i] = (stoa_read_range){(uint64_t)i * stride + gap, bytes,
                                             bench->buffer + (size_t)i * bytes};
    }
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double timed(struct bench *bench, void (*way)(struct bench *), bool is_cold) {
    if (is_cold) {
        (void)posix_fadvise(bench->descriptor, 0, 0, POSIX_FADV_DONTNEED);
    }
    int64_t begin = stoa_clock_monotonic_ns();
    way(bench);
    return (double)(stoa_clock_monotonic_ns() - begin) / 1e3 / RANGES;
}

static void measure(struct bench *bench, const char *name, size_t bytes, bool is_cold) {
    double ours[RUNS], theirs[RUNS];
    for (int run = -1; run < RUNS; run++) {
        int slot = run < 0 ? 0 : run;
        ours[slot] = 0;
        theirs[slot] = 0;
        /* Each goes first once: the second finds the processor's caches filled. */
        for (int half = 0; half < 2; half++) {
            uint64_t sums[2];
            choose(bench, bytes);
            if (!is_cold) {
                read_theirs(bench);
            }
            for (int turn = 0; turn < 2; turn++) {
                bool is_ours = turn == half;
                (is_ours ? ours : theirs)[slot] += timed(bench, is_ours ? read_ours : read_theirs,
                                                         is_cold) /
                                                   2;
                sums[turn] = sum(bench, bytes);
            }
            check(sums[0] == sums[1], bench, "the bytes differ");
        }
    }
    qsort(ours, RUNS, sizeof *ours, compare);
    qsort(theirs, RUNS, sizeof *theirs, compare);
    printf("ratio vfs.ranges.%s %.2f us vs pread %.2f = %.2fx\n", name, ours[RUNS / 2],
           theirs[RUNS / 2], theirs[RUNS / 2] / ours[RUNS / 2]);
}

static void make_file(struct bench *bench) {
    bench->descriptor = open(bench->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(bench->descriptor >= 0, bench, "making the file");
    for (uint64_t at = 0; at < bench->size; at += MIB) {
        memset(bench->buffer, (int)(at / MIB * 7), MIB);
        check(write(bench->descriptor, bench->buffer, MIB) == MIB, bench, "filling the file");
    }
    check(fdatasync(bench->descriptor) == 0, bench, "fdatasync");
}

int main(void) {
    struct bench bench = {.err = STOA_ERROR_NONE, .random = 1};
    const char *folder = getenv("STOA_BENCH_DATA"), *full = getenv("FULL");
    stoa_fs_registry *registry = NULL;
    stoa_fs *fs = NULL;
    const char *path = NULL;
    (void)snprintf(bench.path, sizeof bench.path, "%s/vfs_ranges.%ld",
                   folder == NULL ? "." : folder, (long)getpid());
    bench.size = full != NULL && strcmp(full, "1") == 0 ? UINT64_C(1) << 30 : UINT64_C(1) << 28;
    bench.buffer = malloc((size_t)RANGES * RANGE_BYTES_MAX);
    check(bench.buffer != NULL, &bench, "memory");
    check(stoa_pool_create(0, NULL, &bench.pool, &bench.err) == STOA_OK, &bench, "a pool");
    check(stoa_fs_registry_create(bench.pool, &registry, &bench.err) == STOA_OK, &bench, "files");
    check(stoa_fs_find(registry, bench.path, &fs, &path, &bench.err) == STOA_OK, &bench, "finding");
    make_file(&bench);
    const stoa_context context = {.pool = bench.pool};
    check(fs->operations->open(fs->state, path, STOA_OPEN_READ, &context, &bench.file,
                               &bench.err) == STOA_OK,
          &bench, "opening");
    measure(&bench, "cold.4k", 4096, true);
    measure(&bench, "cold.64k", 64 << 10, true);
    measure(&bench, "warm.4k", 4096, false);
    stoa_file_close(bench.file);
    (void)close(bench.descriptor);
    (void)unlink(bench.path);
    stoa_fs_registry_close(registry);
    stoa_pool_close(bench.pool);
    free(bench.buffer);
    return 0;
}
