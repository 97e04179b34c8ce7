/* One compressed file read by several threads at once, each anywhere: more threads than cursors, the
 * index growing under them, and a table that the first who needs it reads. */
#include "support.h"

#include <lzma.h>
#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "vfs/compressed.h"

enum { READERS = 6, READS = 40, PLAIN_BYTES = 5 << 20, READ_MAX = 100000 };

static uint8_t plain[PLAIN_BYTES];
static stoa_file *file;

static void *read_anywhere(void *user) {
    support_random random = {(uint64_t)(uintptr_t)user};
    stoa_error err = STOA_ERROR_NONE;
    uint8_t *bytes = test_malloc(READ_MAX);
    uint64_t size = 0;
    for (int i = 0; i < READS; i++) {
        size_t part = (size_t)support_random_below(&random, READ_MAX);
        uint64_t offset = support_random_below(&random, PLAIN_BYTES - READ_MAX);
        assert_ok(stoa_file_read(file, offset, bytes, part, &err), err);
        assert_memory_equal(bytes, plain + offset, part);
        if (i == READS / 2) {
            assert_ok(stoa_file_size(file, &size, &err), err);
            assert_int_equal(size, PLAIN_BYTES);
        }
    }
    test_free(bytes);
    return NULL;
}

static void read_by_many(const uint8_t *packed, size_t packed_size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    const stoa_context context = {.pool = pool};
    stoa_fs_registry *registry = NULL;
    stoa_file *stored = NULL;
    stoa_packing packing;
    pthread_t readers[READERS];
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_ok(stoa_vfs_replace(registry, "memory:/f", NULL, packed, packed_size, &err), err);
    assert_ok(stoa_vfs_open(registry, "memory:/f", STOA_OPEN_READ, &context, &stored, &err), err);
    assert_ok(stoa_compressed_open(&context, stored, &packing, &file, &err), err);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_anywhere,
                                        (void *)(uintptr_t)(i + 1)),
                         0);
    }
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
}

static void one_gzip_member_is_read_by_many(void **state) {
    uint8_t *packed = test_malloc(PLAIN_BYTES + (PLAIN_BYTES >> 3));
    z_stream stream = {0};
    (void)state;
    assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = plain;
    stream.avail_in = PLAIN_BYTES;
    stream.next_out = packed;
    stream.avail_out = PLAIN_BYTES + (PLAIN_BYTES >> 3);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    read_by_many(packed, stream.total_out);
    (void)deflateEnd(&stream);
    test_free(packed);
}

/* Four streams of a block each, whose indexes lead from one to the next. */
static void xz_blocks_are_read_by_many(void **state) {
    enum { PARTS = 4, PART_BYTES = PLAIN_BYTES / PARTS };
    size_t room = PLAIN_BYTES + (PLAIN_BYTES >> 3);
    uint8_t *packed = test_malloc(room);
    size_t size = 0;
    (void)state;
    for (int i = 0; i < PARTS; i++) {
        assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, plain + i * PART_BYTES,
                                                 PART_BYTES, packed, &size, room),
                         LZMA_OK);
    }
    read_by_many(packed, size);
    test_free(packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_gzip_member_is_read_by_many),
        cmocka_unit_test(xz_blocks_are_read_by_many),
    };
    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        plain[i] = (uint8_t)((i * i) >> 13);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
