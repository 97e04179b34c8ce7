/* One object, between memory and a server of S3, by us.
 *
 *     bench_s3_s3 get URI BYTES    reads it into one buffer, by one read; prints seconds and the sum
 *     bench_s3_s3 put URI BYTES    writes so many random bytes, in pieces of 4 MiB, and syncs
 *
 *
 * Behind BYTES may stand how many connections at most and how many bytes a part has, to try others
 * than the defaults. The clock runs from open to close. s3.py drives it, and its rivals. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/s3.h>

#include "base/clock.h"
#include "base/hash.h"
#include "vfs/vfs.h"

enum { PIECE = 4 << 20 };

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "bench_s3: %s\n", err->message);
        exit(1);
    }
}

static void fill(uint8_t *bytes, size_t size) {
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word = stoa_hash_u64(i + 1);
        memcpy(bytes + i, &word, sizeof word);
    }
}

int main(int count, char **words) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    stoa_file *file = NULL;
    void *memory = NULL;
    size_t size = count >= 4 ? (size_t)strtoull(words[3], NULL, 10) : 0;
    if (size == 0) {
        (void)fprintf(stderr, "usage: bench_s3_s3 get|put URI BYTES\n");
        return 2;
    }
    check(stoa_pool_create(0, NULL, &pool, &err), &err);
    check(stoa_fs_registry_create(pool, &registry, &err), &err);
    stoa_fs fs;
    stoa_s3_options options = STOA_S3_DEFAULT;
    options.connections = count > 4 ? atoi(words[4]) : 0;
    options.part_bytes = count > 5 ? (size_t)strtoull(words[5], NULL, 10) : 0;
    check(stoa_fs_s3_create(pool, &options, &fs, &err), &err);
    check(stoa_fs_register(registry, "s3", fs, &err), &err);
    check(stoa_pool_allocate(pool, size, &memory, &err), &err);
    bool gets = strcmp(words[1], "get") == 0;
    /* Pages that were touched: the rivals' buffers are warm too. */
    fill(memory, size);

    int64_t start = stoa_clock_monotonic_ns();
    check(stoa_vfs_open(registry, words[2], gets ? STOA_OPEN_READ : STOA_OPEN_REPLACE, NULL, &file,
                        &err),
          &err);
    if (gets) {
        check(stoa_file_read(file, 0, memory, size, &err), &err);
    } else {
        for (size_t done = 0; done < size; done += PIECE) {
            size_t piece = size - done < PIECE ? size - done : PIECE;
            check(stoa_file_write(file, (const uint8_t *)memory + done, piece, &err), &err);
        }
        check(stoa_file_sync(file, &err), &err);
    }
    stoa_file_close(file);
    double seconds = (double)(stoa_clock_monotonic_ns() - start) / 1e9;

    (void)printf("%.6f %08" PRIx32 "\n", seconds, stoa_crc32(0, memory, size));
    stoa_pool_free(pool, memory, size);
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
    return 0;
}
