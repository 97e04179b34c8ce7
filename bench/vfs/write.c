/* How fast does a large new file get to the disk, against write() and fdatasync()?
 *
 *     bench_vfs_write
 *
 * Both write the same bytes, 256 KiB a call, into a new file, sync and close it; in turn, since disks
 * have moods. The file is removed outside the time. Printed are the medians:
 *
 *     vfs.write        bytes a second
 *     vfs.write.cpu    seconds of the processor a GB, all threads of the process, kernel included
 *
 * 2 GiB with FULL=1, 512 MiB without, in STOA_BENCH_DATA. STOA_DIRECT_WRITES=off shows what writing
 * behind alone is worth. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stoa/fs.h>
#include <stoa/memory.h>

#include "base/clock.h"

enum { CALL_BYTES = 256 << 10, SOURCE_BYTES = 8 << 20, RUNS_MAX = 15 };

struct bench {
    char path[512];
    stoa_pool *pool;
    stoa_fs *fs;
    const char *fs_path;
    uint64_t size;
    uint8_t *source;
    stoa_error err;
};

static void check(bool holds, const struct bench *bench, const char *what) {
    if (!holds) {
        fprintf(stderr, "write: %s: %s\n", what, bench->err.message);
        exit(1);
    }
}

static void write_ours(struct bench *bench) {
    const stoa_context context = {.pool = bench->pool};
    stoa_file *file = NULL;
    check(bench->fs->operations->open(bench->fs->state, bench->fs_path, STOA_OPEN_CREATE, &context,
                                      &file, &bench->err) == STOA_OK,
          bench, "opening");
    for (uint64_t at = 0; at < bench->size; at += CALL_BYTES) {
        check(stoa_file_write(file, bench->source + at % SOURCE_BYTES, CALL_BYTES, &bench->err) ==
                  STOA_OK,
              bench, "writing");
    }
    check(stoa_file_sync(file, &bench->err) == STOA_OK, bench, "syncing");
    stoa_file_close(file);
}

static void write_theirs(struct bench *bench) {
    int descriptor = open(bench->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(descriptor >= 0, bench, "open");
    for (uint64_t at = 0; at < bench->size; at += CALL_BYTES) {
        check(write(descriptor, bench->source + at % SOURCE_BYTES, CALL_BYTES) == CALL_BYTES, bench,
              "write");
    }
    check(fdatasync(descriptor) == 0, bench, "fdatasync");
    (void)close(descriptor);
}

static double cpu_seconds(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void timed(struct bench *bench, void (*way)(struct bench *), double *out_rate,
                  double *out_cpu) {
    double cpu = cpu_seconds();
    int64_t begin = stoa_clock_monotonic_ns();
    way(bench);
    *out_rate = (double)bench->size / (double)(stoa_clock_monotonic_ns() - begin);
    *out_cpu = (cpu_seconds() - cpu) / ((double)bench->size / 1e9);
    check(unlink(bench->path) == 0, bench, "removing the file");
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

static void measure(struct bench *bench, int runs) {
    double ours[RUNS_MAX], theirs[RUNS_MAX], our_cpu[RUNS_MAX], their_cpu[RUNS_MAX];
    for (int run = -1; run < runs; run++) { /* the first is warm-up */
        int slot = run < 0 ? 0 : run;
        timed(bench, write_ours, &ours[slot], &our_cpu[slot]);
        timed(bench, write_theirs, &theirs[slot], &their_cpu[slot]);
    }
    double a = median(ours, runs), b = median(theirs, runs);
    printf("figure vfs.write.spread %.2f GB/s\n", ours[runs - 1] - ours[0]);
    printf("ratio vfs.write %.2f GB/s vs write %.2f = %.2fx\n", a, b, a / b);
    a = median(our_cpu, runs);
    b = median(their_cpu, runs);
    printf("ratio vfs.write.cpu %.3f s/GB vs write %.3f = %.2fx\n", a, b, b / a);
}

int main(void) {
    struct bench bench = {.err = STOA_ERROR_NONE};
    const char *folder = getenv("STOA_BENCH_DATA"), *full = getenv("FULL");
    const bool is_full = full != NULL && strcmp(full, "1") == 0;
    stoa_fs_registry *registry = NULL;
    (void)snprintf(bench.path, sizeof bench.path, "%s/vfs_write.%ld", folder == NULL ? "." : folder,
                   (long)getpid());
    bench.size = is_full ? UINT64_C(2) << 30 : UINT64_C(512) << 20;
    bench.source = malloc(SOURCE_BYTES);
    check(bench.source != NULL, &bench, "memory");
    for (size_t i = 0; i < SOURCE_BYTES; i++) {
        bench.source[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    check(stoa_pool_create(0, NULL, &bench.pool, &bench.err) == STOA_OK, &bench, "a pool");
    check(stoa_fs_registry_create(bench.pool, &registry, &bench.err) == STOA_OK, &bench, "files");
    check(stoa_fs_find(registry, bench.path, &bench.fs, &bench.fs_path, &bench.err) == STOA_OK,
          &bench, "finding");
    measure(&bench, is_full ? 7 : 5);
    stoa_fs_registry_close(registry);
    stoa_pool_close(bench.pool);
    free(bench.source);
    return 0;
}
