/* Compression of whole buffers: every kind, every level class, wrong sizes, damage, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "codec/compress.h"

static const stoa_compression all[] = {
    STOA_COMPRESSION_NONE, STOA_COMPRESSION_SNAPPY,  STOA_COMPRESSION_GZIP,
    STOA_COMPRESSION_ZSTD, STOA_COMPRESSION_LZ4_RAW, STOA_COMPRESSION_LZ4_FRAME,
    STOA_COMPRESSION_LZ4_HADOOP, STOA_COMPRESSION_BROTLI,
};
enum { ALL_COUNT = sizeof all / sizeof all[0] };

static stoa_pool *pool;

static int open_pool(void **state) {
    (void)state;
    return stoa_pool_create(0, NULL, &pool, NULL) == STOA_OK ? 0 : -1;
}

static int close_pool(void **state) {
    (void)state;
    size_t left = stoa_pool_used(pool);
    stoa_pool_close(pool);
    return left == 0 ? 0 : -1;
}

/* Text that compresses, or noise that does not. */
static uint8_t *sample(size_t size, bool noise) {
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        uint64_t hash = stoa_hash_u64(i + 1);
        bytes[i] = noise ? (uint8_t)hash : (uint8_t)("abcdefgh"[hash % 3]);
    }
    return bytes;
}

static void assert_round_trip(stoa_codec *codec, size_t size, bool noise) {
    stoa_error err = STOA_ERROR_NONE;
    uint8_t *in = sample(size, noise);
    uint8_t *back = malloc(size + 1);
    stoa_buffer out;
    stoa_buffer_init(&out, pool);
    assert_int_equal(stoa_buffer_append_text(&out, "head", &err), STOA_OK);
    assert_int_equal(stoa_codec_compress(codec, in, size, &out, &err), STOA_OK);
    size_t bound = 0;
    assert_int_equal(stoa_codec_bound(codec, size, &bound, &err), STOA_OK);
    assert_true(out.size - 4 <= bound);
    assert_memory_equal(out.data, "head", 4);
    back[size] = 0x5a;
    if (stoa_codec_decompress(codec, out.data + 4, out.size - 4, back, size, &err) != STOA_OK) {
        fail_msg("%s", err.message);
    }
    assert_memory_equal(in, back, size);
    assert_int_equal(back[size], 0x5a);

    if (size > 0) {
        assert_int_equal(stoa_codec_decompress(codec, out.data + 4, out.size - 4, back, size - 1,
                                               &err),
                         STOA_CORRUPT);
        assert_non_null(strstr(err.message, "bytes"));
    }
    uint8_t *longer = malloc(size + 1);
    assert_int_equal(stoa_codec_decompress(codec, out.data + 4, out.size - 4, longer, size + 1,
                                           &err),
                     STOA_CORRUPT);
    free(longer);
    stoa_buffer_release(&out);
    free(back);
    free(in);
}

static void every_kind_gives_back_what_went_in(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 2, 63, 64, 1000, 65535, 65536, 65537, 300000};
    for (int k = 0; k < ALL_COUNT; k++) {
        stoa_codec *codec = NULL;
        assert_int_equal(stoa_codec_create(pool, all[k], 0, &codec, NULL), STOA_OK);
        assert_int_equal(stoa_codec_compression(codec), all[k]);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            assert_round_trip(codec, sizes[i], false);
            assert_round_trip(codec, sizes[i], true);
        }
        stoa_codec_close(codec);
    }
}

static void levels_are_taken_and_checked(void **state) {
    (void)state;
    const struct {
        stoa_compression compression;
        int level;
        bool good;
    } cases[] = {
        {STOA_COMPRESSION_ZSTD, -7, true},     {STOA_COMPRESSION_ZSTD, 19, true},
        {STOA_COMPRESSION_ZSTD, 23, false},    {STOA_COMPRESSION_GZIP, 1, true},
        {STOA_COMPRESSION_GZIP, 12, true},     {STOA_COMPRESSION_GZIP, 13, false},
        {STOA_COMPRESSION_GZIP, -1, false},    {STOA_COMPRESSION_LZ4_RAW, 12, true},
        {STOA_COMPRESSION_LZ4_FRAME, 9, true}, {STOA_COMPRESSION_LZ4_FRAME, 13, false},
        {STOA_COMPRESSION_BROTLI, 1, true},    {STOA_COMPRESSION_BROTLI, 11, true},
        {STOA_COMPRESSION_BROTLI, 12, false},  {STOA_COMPRESSION_LZ4_HADOOP, 12, true},
        {STOA_COMPRESSION_SNAPPY, 1, false},   {STOA_COMPRESSION_NONE, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_codec *codec = NULL;
        stoa_error err = STOA_ERROR_NONE;
        stoa_status status = stoa_codec_create(pool, cases[i].compression, cases[i].level, &codec,
                                               &err);
        assert_int_equal(status, cases[i].good ? STOA_OK : STOA_INVALID);
        if (cases[i].good) {
            assert_round_trip(codec, 100000, false);
        } else {
            assert_null(codec);
            assert_non_null(strstr(err.message, "compression level"));
        }
        stoa_codec_close(codec);
    }
}

static void names_are_read_and_written(void **state) {
    (void)state;
    for (int k = 0; k < ALL_COUNT; k++) {
        stoa_compression found = STOA_COMPRESSION_NONE;
        assert_int_equal(stoa_compression_parse(stoa_compression_name(all[k]), &found, NULL),
                         STOA_OK);
        assert_int_equal(found, all[k]);
    }
    stoa_compression found = STOA_COMPRESSION_NONE;
    assert_int_equal(stoa_compression_parse("ZSTD", &found, NULL), STOA_OK);
    assert_int_equal(found, STOA_COMPRESSION_ZSTD);
    assert_int_equal(stoa_compression_parse("UNCOMPRESSED", &found, NULL), STOA_OK);
    assert_int_equal(found, STOA_COMPRESSION_NONE);
    stoa_error err = STOA_ERROR_NONE;
    assert_int_equal(stoa_compression_parse("rar", &found, &err), STOA_INVALID);
    assert_non_null(strstr(err.message, "'rar'"));
}

/* gzip, zstd and LZ4 frames may follow one another in one buffer. */
static void several_members_are_one_buffer(void **state) {
    (void)state;
    const stoa_compression kinds[] = {STOA_COMPRESSION_GZIP, STOA_COMPRESSION_ZSTD,
                                      STOA_COMPRESSION_LZ4_FRAME};
    uint8_t *in = sample(150000, false);
    uint8_t *back = malloc(150000);
    for (int k = 0; k < 3; k++) {
        stoa_codec *codec = NULL;
        stoa_buffer out;
        stoa_buffer_init(&out, pool);
        assert_int_equal(stoa_codec_create(pool, kinds[k], 0, &codec, NULL), STOA_OK);
        assert_int_equal(stoa_codec_compress(codec, in, 100000, &out, NULL), STOA_OK);
        assert_int_equal(stoa_codec_compress(codec, in, 0, &out, NULL), STOA_OK);
        assert_int_equal(stoa_codec_compress(codec, in + 100000, 50000, &out, NULL), STOA_OK);
        memset(back, 0, 150000);
        assert_int_equal(stoa_codec_decompress(codec, out.data, out.size, back, 150000, NULL),
                         STOA_OK);
        assert_memory_equal(in, back, 150000);
        assert_int_equal(stoa_buffer_append_byte(&out, 'x', NULL), STOA_OK);
        assert_int_equal(stoa_codec_decompress(codec, out.data, out.size, back, 150000, NULL),
                         STOA_CORRUPT);
        stoa_codec_close(codec);
        stoa_buffer_release(&out);
    }
    free(back);
    free(in);
}

/* Exact copies on the heap, so that the address sanitizer sees any byte read or written outside. */
static void damage_is_an_error_or_other_bytes(void **state) {
    (void)state;
    enum { SIZE = 700 };
    uint8_t *in = sample(SIZE, false);
    for (int k = 1; k < ALL_COUNT; k++) {
        stoa_codec *codec = NULL;
        stoa_buffer out;
        stoa_buffer_init(&out, pool);
        assert_int_equal(stoa_codec_create(pool, all[k], 0, &codec, NULL), STOA_OK);
        assert_int_equal(stoa_codec_compress(codec, in, SIZE, &out, NULL), STOA_OK);
        uint8_t *back = malloc(SIZE);
        for (size_t cut = 1; cut < out.size; cut++) {
            uint8_t *copy = malloc(cut);
            memcpy(copy, out.data, cut);
            stoa_error err = STOA_ERROR_NONE;
            assert_int_equal(stoa_codec_decompress(codec, copy, cut, back, SIZE, &err),
                             STOA_CORRUPT);
            assert_non_null(strstr(err.message, stoa_compression_name(all[k])));
            free(copy);
        }
        for (size_t bit = 0; bit < out.size * 8; bit++) {
            uint8_t *copy = malloc(out.size);
            memcpy(copy, out.data, out.size);
            copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ (1u << (bit % 8)));
            stoa_status status = stoa_codec_decompress(codec, copy, out.size, back, SIZE, NULL);
            assert_true(status == STOA_OK || status == STOA_CORRUPT);
            free(copy);
        }
        /* Damage leaves nothing behind: the codec still works. */
        assert_int_equal(stoa_codec_decompress(codec, out.data, out.size, back, SIZE, NULL),
                         STOA_OK);
        assert_memory_equal(in, back, SIZE);
        free(back);
        stoa_codec_close(codec);
        stoa_buffer_release(&out);
    }
    free(in);
}

/* Independent of our own writer: bytes from the gzip and lz4 command-line programs. */
static void foreign_bytes_are_read(void **state) {
    (void)state;
    static const uint8_t gzip_bytes[] = {0x1f, 0x8b, 8,    0,    0,    0,    0, 0, 0,
                                         3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86,
                                         0xa6, 0x10, 0x36, 5,    0,    0,    0};
    static const uint8_t snappy_bytes[] = {5, 16, 'h', 'e', 'l', 'l', 'o'};
    static const uint8_t brotli_bytes[] = {0x0b, 0x02, 0x80, 'h', 'e', 'l', 'l', 'o', 0x03};
    static const uint8_t lz4_bytes[] = {0x50, 'h', 'e', 'l', 'l', 'o'};
    const struct {
        stoa_compression compression;
        const uint8_t *bytes;
        size_t size;
    } cases[] = {
        {STOA_COMPRESSION_GZIP, gzip_bytes, sizeof gzip_bytes},
        {STOA_COMPRESSION_SNAPPY, snappy_bytes, sizeof snappy_bytes},
        {STOA_COMPRESSION_LZ4_RAW, lz4_bytes, sizeof lz4_bytes},
        {STOA_COMPRESSION_LZ4_HADOOP, lz4_bytes, sizeof lz4_bytes},
        {STOA_COMPRESSION_BROTLI, brotli_bytes, sizeof brotli_bytes},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_codec *codec = NULL;
        char back[5];
        stoa_error err = STOA_ERROR_NONE;
        assert_int_equal(stoa_codec_create(pool, cases[i].compression, 0, &codec, NULL), STOA_OK);
        assert_int_equal(stoa_codec_decompress(codec, cases[i].bytes, cases[i].size, back, 5, &err),
                         STOA_OK);
        assert_memory_equal(back, "hello", 5);
        stoa_codec_close(codec);
    }
}

static stoa_status read_old_lz4(const uint8_t *bytes, size_t size, const uint8_t *want,
                                size_t want_size) {
    stoa_codec *codec = NULL;
    uint8_t *back = malloc(want_size);
    assert_int_equal(stoa_codec_create(pool, STOA_COMPRESSION_LZ4_HADOOP, 0, &codec, NULL),
                     STOA_OK);
    const stoa_status status = stoa_codec_decompress(codec, bytes, size, back, want_size, NULL);
    if (status == STOA_OK) {
        assert_memory_equal(back, want, want_size);
    }
    stoa_codec_close(codec);
    free(back);
    return status;
}

static void append_big_endian(stoa_buffer *out, size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        assert_int_equal(stoa_buffer_append_byte(out, (uint8_t)(value >> shift), NULL), STOA_OK);
    }
}

/* A bare block, one frame, several frames, frames of several chunks, and sizes that lie. */
static void old_lz4_is_read_with_and_without_framing(void **state) {
    (void)state;
    enum { SIZE = 90000, PART = SIZE / 3 };
    uint8_t *in = sample(SIZE, false);
    stoa_codec *raw = NULL;
    stoa_buffer block, frames, chunks;
    stoa_buffer_init(&block, pool);
    stoa_buffer_init(&frames, pool);
    stoa_buffer_init(&chunks, pool);
    assert_int_equal(stoa_codec_create(pool, STOA_COMPRESSION_LZ4_RAW, 0, &raw, NULL), STOA_OK);
    assert_int_equal(stoa_codec_compress(raw, in, SIZE, &block, NULL), STOA_OK);
    assert_int_equal(read_old_lz4(block.data, block.size, in, SIZE), STOA_OK);

    append_big_endian(&chunks, SIZE);
    for (size_t part = 0; part < 3; part++) {
        stoa_buffer_clear(&block);
        assert_int_equal(stoa_codec_compress(raw, in + part * PART, PART, &block, NULL), STOA_OK);
        append_big_endian(&frames, PART);
        append_big_endian(&frames, block.size);
        append_big_endian(&chunks, block.size);
        assert_int_equal(stoa_buffer_append(&frames, block.data, block.size, NULL), STOA_OK);
        assert_int_equal(stoa_buffer_append(&chunks, block.data, block.size, NULL), STOA_OK);
    }
    assert_int_equal(read_old_lz4(frames.data, frames.size, in, SIZE), STOA_OK);
    assert_int_equal(read_old_lz4(chunks.data, chunks.size, in, SIZE), STOA_OK);
    assert_int_equal(read_old_lz4(frames.data, frames.size - 1, in, SIZE), STOA_CORRUPT);
    assert_int_equal(read_old_lz4(frames.data, frames.size, in, SIZE - 1), STOA_CORRUPT);
    frames.data[4] = 0x7F; /* a chunk of 2 GiB */
    assert_int_equal(read_old_lz4(frames.data, frames.size, in, SIZE), STOA_CORRUPT);
    stoa_codec_close(raw);
    stoa_buffer_release(&block);
    stoa_buffer_release(&frames);
    stoa_buffer_release(&chunks);
    free(in);
}

static void library_memory_is_charged_and_limited(void **state) {
    (void)state;
    uint8_t *in = sample(100000, false);
    for (int k = 0; k < ALL_COUNT; k++) {
        stoa_pool *small = NULL;
        stoa_codec *codec = NULL;
        stoa_buffer out;
        assert_int_equal(stoa_pool_create_child(pool, "small", 4096, &small, NULL), STOA_OK);
        stoa_buffer_init(&out, pool);
        stoa_error err = STOA_ERROR_NONE;
        assert_int_equal(stoa_codec_create(small, all[k], 0, &codec, NULL), STOA_OK);
        stoa_status status = stoa_codec_compress(codec, in, 100000, &out, &err);
        if (all[k] == STOA_COMPRESSION_NONE || all[k] == STOA_COMPRESSION_SNAPPY) {
            assert_int_equal(status, STOA_OK);
        } else {
            assert_int_equal(status, STOA_LIMIT);
            assert_non_null(strstr(err.message, "'small'"));
            assert_int_equal(out.size, 0);
        }
        stoa_codec_close(codec);
        assert_int_equal(stoa_pool_used(small), 0);
        stoa_pool_close(small);
        stoa_buffer_release(&out);
    }
    free(in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_gives_back_what_went_in, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(levels_are_taken_and_checked, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(names_are_read_and_written, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(several_members_are_one_buffer, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(damage_is_an_error_or_other_bytes, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(foreign_bytes_are_read, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(old_lz4_is_read_with_and_without_framing, open_pool,
                                        close_pool),
        cmocka_unit_test_setup_teardown(library_memory_is_charged_and_limited, open_pool,
                                        close_pool),
    };
    return cmocka_run_group_tests_name("codec.compress", tests, NULL, NULL);
}
