/* What does a pool of open handles save against opening a file for each read?
 *
 *     bench_vfs_handles_vfs_handles [ROUNDS [RUNS]]
 *
 * FILES local files of 64 KiB in the page cache, read in a random order that is the same for both:
 * 4 KiB at a random multiple of 4 KiB, summed up. Ours gets the handle from the pool, reads, puts it
 * back; the rival is open, fstat, pread, close. Runs alternate; printed are the medians, by one
 * thread and by two at once (nanoseconds of each for one read). */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "vfs/handle_pool.h"

enum { FILES = 100, FILE_BYTES = 64 << 10, READ_BYTES = 4 << 10, RUNS_MAX = 100, THREADS_MAX = 2 };

static char paths[FILES][256];
static stoa_handle_pool *handles;
static uint64_t rounds = 200000;

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "vfs_handles: %s\n", err->message);
        exit(1);
    }
}

static uint64_t sum_of(const uint8_t *bytes) {
    uint64_t sum = 0;
    for (int i = 0; i < READ_BYTES; i += 512) {
        sum += bytes[i];
    }
    return sum;
}

static uint64_t read_pooled(int file, uint64_t offset) {
    uint8_t bytes[READ_BYTES];
    stoa_error err;
    stoa_handle *handle = NULL;
    check(stoa_handle_pool_get(handles, paths[file], "", &handle, &err), &err);
    check(stoa_file_read(stoa_handle_file(handle), offset, bytes, sizeof bytes, &err), &err);
    stoa_handle_put(handles, handle);
    return sum_of(bytes);
}

static uint64_t read_opened(int file, uint64_t offset) {
    uint8_t bytes[READ_BYTES];
    struct stat info;
    int descriptor = open(paths[file], O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &info) != 0 ||
        pread(descriptor, bytes, sizeof bytes, (off_t)offset) != READ_BYTES) {
        perror(paths[file]);
        exit(1);
    }
    close(descriptor);
    return sum_of(bytes);
}

struct work {
    uint64_t (*read)(int file, uint64_t offset);
    uint64_t seed;
    uint64_t sum;
};

static void *run(void *user) {
    struct work *work = user;
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t random = stoa_hash_u64(work->seed + i);
        work->sum += work->read((int)(random % FILES),
                                (random >> 32) % (FILE_BYTES / READ_BYTES) * READ_BYTES);
    }
    return NULL;
}

/* Nanoseconds for one read, by each of `threads` threads. */
static double measure(uint64_t (*read_one)(int, uint64_t), int threads, uint64_t *out_sum) {
    pthread_t ids[THREADS_MAX];
    struct work works[THREADS_MAX];
    int64_t start = stoa_clock_monotonic_ns();
    *out_sum = 0;
    for (int i = 0; i < threads; i++) {
        works[i] = (struct work){read_one, (uint64_t)i << 40, 0};
        if (i > 0 && pthread_create(&ids[i], NULL, run, &works[i]) != 0) {
            exit(1);
        }
    }
    (void)run(&works[0]);
    for (int i = 0; i < threads; i++) {
        if (i > 0) {
            pthread_join(ids[i], NULL);
        }
        *out_sum += works[i].sum;
    }
    return (double)(stoa_clock_monotonic_ns() - start) / (double)rounds;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void contest(int threads, int runs) {
    double ours[RUNS_MAX], theirs[RUNS_MAX];
    uint64_t our_sum, their_sum;
    for (int i = 0; i < runs; i++) {
        ours[i] = measure(read_pooled, threads, &our_sum);
        theirs[i] = measure(read_opened, threads, &their_sum);
        if (our_sum != their_sum) {
            fprintf(stderr, "vfs_handles: the sums differ\n");
            exit(1);
        }
    }
    qsort(ours, (size_t)runs, sizeof ours[0], compare);
    qsort(theirs, (size_t)runs, sizeof theirs[0], compare);
    double a = ours[runs / 2], b = theirs[runs / 2];
    printf("ratio vfs.handle_pool.%dt %.0f ns vs open+fstat+pread+close %.0f = %.2fx\n", threads, a,
           b, b / a);
}

int main(int count, char **arguments) {
    stoa_error err;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    char directory[] = "/tmp/stoa-handles-XXXXXX";
    static uint8_t bytes[FILE_BYTES];
    rounds = count > 1 ? strtoull(arguments[1], NULL, 10) : rounds;
    int runs = count > 2 ? atoi(arguments[2]) : 11;
    if (rounds == 0 || runs < 1 || runs > RUNS_MAX || mkdtemp(directory) == NULL) {
        fprintf(stderr, "usage: vfs_handles [ROUNDS [RUNS]]\n");
        return 2;
    }
    check(stoa_pool_create(0, NULL, &pool, &err), &err);
    check(stoa_fs_registry_create(pool, &registry, &err), &err);
    check(stoa_handle_pool_create(pool, registry, NULL, &handles, &err), &err);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/part-%05d.parquet", directory, i);
        memset(bytes, i, sizeof bytes);
        check(stoa_vfs_replace(registry, paths[i], NULL, bytes, sizeof bytes, &err), &err);
    }
    for (int threads = 1; threads <= THREADS_MAX; threads++) {
        contest(threads, runs);
    }
    stoa_handle_pool_close(handles);
    check(stoa_vfs_remove_tree(registry, directory, NULL, &err), &err);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
