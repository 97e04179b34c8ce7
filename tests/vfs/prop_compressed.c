/* Random bytes, packed in random pieces by us and by the formats' libraries, are the same bytes again,
 * whatever the order in which they are read. */
#include "support.h"

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "vfs/compressed.h"

enum { BYTES_MAX = 6 << 20, READ_MAX = 400000, ROUNDS = 24, READS = 60 };

struct plain {
    uint8_t *bytes;
    size_t size;
};

/* Stretches of noise, of one byte, and of what stood there before. */
static void fill(support_random *random, struct plain *plain) {
    plain->size = (size_t)support_random_below(random, BYTES_MAX);
    for (size_t at = 0; at < plain->size;) {
        size_t part = (size_t)support_random_below(random, 70000) + 1;
        part = part < plain->size - at ? part : plain->size - at;
        uint64_t kind = support_random_below(random, 4);
        if (kind == 0) {
            support_random_bytes(random, plain->bytes + at, part);
        } else if (kind == 1 || at < part) {
            memset(plain->bytes + at, (int)support_random_below(random, 256), part);
        } else {
            memcpy(plain->bytes + at, plain->bytes + support_random_below(random, at - part + 1),
                   part);
        }
        at += part;
    }
}

/* The library's own form of one piece. */
static size_t pack(stoa_packing packing, const uint8_t *in, size_t size, uint8_t *out,
                   size_t room) {
    size_t made = 0;
    if (packing == STOA_PACKING_GZIP) {
        z_stream stream = {0};
        assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
                         Z_OK);
        stream.next_in = (Bytef *)(uintptr_t)in;
        stream.avail_in = (uInt)size;
        stream.next_out = out;
        stream.avail_out = (uInt)room;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        made = room - stream.avail_out;
        (void)deflateEnd(&stream);
    } else if (packing == STOA_PACKING_ZSTD) {
        made = ZSTD_compress(out, room, in, size, 1);
        assert_false(ZSTD_isError(made));
    } else if (packing == STOA_PACKING_LZ4) {
        LZ4F_preferences_t preferences = {
            .frameInfo = {.blockSizeID = LZ4F_max64KB,
                          .blockMode = size % 2 == 0 ? LZ4F_blockLinked : LZ4F_blockIndependent,
                          .contentChecksumFlag = 1}};
        made = LZ4F_compressFrame(out, room, in, size, &preferences);
        assert_false(LZ4F_isError(made));
    } else if (packing == STOA_PACKING_BZIP2) {
        unsigned length = (unsigned)room;
        assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &length, (char *)(uintptr_t)in,
                                                  (unsigned)size, 1, 0, 0),
                         BZ_OK);
        made = length;
    } else {
        assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, in, size, out, &made,
                                                 room),
                         LZMA_OK);
    }
    return made;
}

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    support_random random;
    struct plain plain;
    uint8_t *buffer;
    size_t buffer_bytes;
    stoa_error err;
};

static void write_by_library(struct world *world, stoa_packing packing) {
    stoa_file *file = NULL;
    const struct plain *plain = &world->plain;
    assert_ok(stoa_vfs_open(world->registry, "memory:/f", STOA_OPEN_REPLACE, NULL, &file,
                            &world->err),
              world->err);
    size_t at = 0;
    do {
        size_t part = (size_t)support_random_below(&world->random, BYTES_MAX) + 1;
        part = part < plain->size - at ? part : plain->size - at;
        size_t made = pack(packing, plain->bytes + at, part, world->buffer, world->buffer_bytes);
        assert_ok(stoa_file_write(file, world->buffer, made, &world->err), world->err);
        at += part;
    } while (at < plain->size);
    stoa_file_close(file);
}

/* Through the file system: in pieces, with syncs between them, and opened again to append. */
static void write_by_us(struct world *world, const char *uri) {
    stoa_file *file = NULL;
    const struct plain *plain = &world->plain;
    stoa_open_mode mode = STOA_OPEN_REPLACE;
    size_t at = 0;
    do {
        size_t part = (size_t)support_random_below(&world->random, READ_MAX) + 1;
        part = part < plain->size - at ? part : plain->size - at;
        if (file == NULL) {
            assert_ok(stoa_vfs_open(world->registry, uri, mode, NULL, &file, &world->err),
                      world->err);
            mode = STOA_OPEN_APPEND;
        }
        assert_ok(stoa_file_write(file, plain->bytes + at, part, &world->err), world->err);
        at += part;
        uint64_t what = support_random_below(&world->random, 8);
        if (what == 0) {
            assert_ok(stoa_file_sync(file, &world->err), world->err);
        } else if (what == 1) {
            stoa_file_close(file);
            file = NULL;
        }
    } while (at < plain->size);
    stoa_file_close(file);
}

static void read_anyhow(struct world *world, const char *uri, stoa_packing wanted) {
    const stoa_context context = {.pool = world->pool};
    const struct plain *plain = &world->plain;
    stoa_file *packed = NULL;
    stoa_file *file = NULL;
    stoa_packing packing;
    uint64_t size = 0;
    uint64_t next = 0;
    assert_ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, &context, &packed, &world->err),
              world->err);
    assert_ok(stoa_compressed_open(&context, packed, &packing, &file, &world->err), world->err);
    assert_int_equal(packing, wanted);
    bool early = support_random_bool(&world->random);
    for (int i = 0; i < READS; i++) {
        size_t got = 0;
        size_t part = (size_t)support_random_below(&world->random, READ_MAX);
        uint64_t offset = support_random_below(&world->random, 3) > 0
                              ? next
                              : support_random_below(&world->random, plain->size + 10);
        assert_ok(stoa_file_read_some(file, offset, world->buffer, part, &got, &world->err),
                  world->err);
        size_t left = offset < plain->size ? plain->size - (size_t)offset : 0;
        assert_int_equal(got, part < left ? part : left);
        assert_memory_equal(world->buffer, plain->bytes + (got == 0 ? 0 : offset), got);
        next = offset + got;
        if (early && i == READS / 2) {
            assert_ok(stoa_file_size(file, &size, &world->err), world->err);
        }
    }
    assert_ok(stoa_file_size(file, &size, &world->err), world->err);
    assert_int_equal(size, plain->size);
    stoa_file_close(file);
}

static void any_reads_give_the_plain_bytes(void **state) {
    static const char *const uris[] = {
        [STOA_PACKING_GZIP] = "packed:/f.gz",
        [STOA_PACKING_ZSTD] = "packed:/f.zst",
        [STOA_PACKING_LZ4] = "packed:/f.lz4",
    };
    struct world world = {.random = support_random_open("vfs.prop_compressed"),
                          .err = STOA_ERROR_NONE};
    stoa_fs inner, fs;
    (void)state;
    world.pool = support_pool_open();
    world.plain.bytes = test_malloc(BYTES_MAX);
    world.buffer_bytes = BYTES_MAX + (BYTES_MAX >> 4) + 65536;
    world.buffer = test_malloc(world.buffer_bytes);
    assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &world.err), world.err);
    assert_ok(stoa_fs_memory_create(world.pool, &inner, &world.err), world.err);
    assert_ok(stoa_fs_compressed_create(world.pool, inner, STOA_PACKING_NONE, &fs, &world.err),
              world.err);
    /* Two names for one: "packed:" packs, "stored:" shows what is stored. */
    stoa_fs_operations borrowed = *inner.operations;
    borrowed.close = NULL;
    assert_ok(stoa_fs_register(world.registry, "packed", fs, &world.err), world.err);
    assert_ok(stoa_fs_register(world.registry, "stored", (stoa_fs){&borrowed, inner.state},
                               &world.err),
              world.err);
    for (int i = 0; i < ROUNDS; i++) {
        stoa_packing packing = STOA_PACKING_GZIP + (stoa_packing)(i % 5);
        fill(&world.random, &world.plain);
        if (packing <= STOA_PACKING_LZ4) {
            char stored[32] = "stored";
            strcat(stored, strchr(uris[packing], ':'));
            write_by_us(&world, uris[packing]);
            read_anyhow(&world, stored, packing);
        }
        write_by_library(&world, packing);
        read_anyhow(&world, "memory:/f", packing);
    }
    stoa_fs_registry_close(world.registry);
    test_free(world.buffer);
    test_free(world.plain.bytes);
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_reads_give_the_plain_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
