/* The kernels of Parquet's encodings against the loop that one writes first: values a second, from and
 * to memory that stays in the second-level cache. Every result is summed up outside the clock. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "base/hash.h"
#include "codec/bitpack_kernel.h"
#include "codec/bitpack_simd_kernel.h"
#include "codec/byte_stream_split.h"
#include "codec/delta.h"
#include "codec/dictionary_decoder.h"
#include "codec/gather_kernel.h"
#include "codec/rle.h"
#include "measure.h"

enum { COUNT = 32768, ROUNDS = 15, REPEATS = 64, ENTRIES = 5000, SMALL_ENTRIES = 10 };

static uint64_t words[COUNT], out[COUNT];
static uint32_t codes[COUNT];
static uint8_t encoded[COUNT * 16], levels[COUNT];
static uint64_t entries[ENTRIES];
static uint32_t small[SMALL_ENTRIES];
static size_t encoded_bytes;
static int width;
static uint64_t checksum;

static void must(stoa_status status) {
    if (status != STOA_OK) {
        abort();
    }
}

/* One value after the other through a shift register, as a reader without kernels does it. */
static inline uint64_t simple_bits(const uint8_t **bytes, uint64_t *register_, int *filled,
                                   int bits) {
    while (*filled < bits) {
        *register_ |= (uint64_t)*(*bytes)++ << *filled;
        *filled += 8;
    }
    const uint64_t value = *register_ & ((UINT64_C(1) << bits) - 1);
    *register_ >>= bits;
    *filled -= bits;
    return value;
}

static void simple_unpack_u32(void) {
    const uint8_t *bytes = encoded;
    uint64_t bits = 0;
    int filled = 0;
    uint32_t *to = (uint32_t *)out;
    for (size_t i = 0; i < COUNT; i++) {
        to[i] = (uint32_t)simple_bits(&bytes, &bits, &filled, width);
    }
}
static void fast_unpack_u32(void) {
    stoa_bitunpack_u32(encoded, COUNT, width, (uint32_t *)out);
}
/* The plain C form, which is what other processors run. */
static void plain_unpack_u32(void) {
    stoa_bitunpack_u32_plain(encoded, COUNT, width, (uint32_t *)out);
}
static void simple_unpack_u8(void) {
    const uint8_t *bytes = encoded;
    uint64_t bits = 0;
    int filled = 0;
    for (size_t i = 0; i < COUNT; i++) {
        levels[i] = (uint8_t)simple_bits(&bytes, &bits, &filled, width);
    }
}
static void fast_unpack_u8(void) {
    stoa_bitunpack_u8(encoded, COUNT, width, levels);
}

static size_t simple_varint(const uint8_t *bytes, uint64_t *value) {
    size_t size = 0;
    *value = 0;
    do {
        *value |= (uint64_t)(bytes[size] & 0x7F) << (7 * size);
    } while (bytes[size++] & 0x80);
    return size;
}

/* Blocks of 128 in four miniblocks, which is what `encoded` has. */
static void simple_delta_i64(void) {
    uint64_t head, value;
    const uint8_t *bytes = encoded;
    for (int i = 0; i < 3; i++) {
        bytes += simple_varint(bytes, &head);
    }
    bytes += simple_varint(bytes, &value);
    value = (uint64_t)stoa_unzigzag(value);
    size_t done = 0;
    out[done++] = value;
    while (done < COUNT) {
        bytes += simple_varint(bytes, &head);
        const uint64_t smallest = (uint64_t)stoa_unzigzag(head);
        const uint8_t *widths = bytes;
        bytes += STOA_DELTA_MINIBLOCKS;
        for (int m = 0; m < STOA_DELTA_MINIBLOCKS && done < COUNT; m++) {
            const uint8_t *packed = bytes;
            uint64_t bits = 0;
            int filled = 0;
            for (int i = 0; i < STOA_DELTA_UNIT && done < COUNT; i++) {
                value += smallest + simple_bits(&packed, &bits, &filled, widths[m]);
                out[done++] = value;
            }
            bytes += STOA_DELTA_UNIT / 8 * widths[m];
        }
    }
}
static void fast_delta_i64(void) {
    stoa_delta_decoder decoder;
    must(stoa_delta_decoder_init(&decoder, encoded, encoded_bytes, 8, NULL));
    must(stoa_delta_decoder_read_i64(&decoder, (int64_t *)out, COUNT, NULL));
}
static void fast_delta_i32(void) {
    stoa_delta_decoder decoder;
    must(stoa_delta_decoder_init(&decoder, encoded, encoded_bytes, 4, NULL));
    must(stoa_delta_decoder_read_i32(&decoder, (int32_t *)out, COUNT, NULL));
}

static void simple_dictionary(void) {
    const uint8_t *bytes = encoded + 1;
    size_t done = 0;
    while (done < COUNT) {
        uint64_t head, bits = 0;
        int filled = 0;
        bytes += simple_varint(bytes, &head);
        size_t count = head & 1 ? (size_t)(head >> 1) * 8 : (size_t)(head >> 1);
        uint32_t code = 0;
        if ((head & 1) == 0) {
            for (int b = 0; b < (width + 7) / 8; b++) {
                code |= (uint32_t)*bytes++ << (8 * b);
            }
        }
        for (; count > 0; count--) {
            const uint32_t now = head & 1 ? (uint32_t)simple_bits(&bytes, &bits, &filled, width)
                                          : code;
            if (done < COUNT) {
                if (now >= ENTRIES) {
                    abort();
                }
                out[done++] = entries[now];
            }
        }
    }
}
static void fast_dictionary(void) {
    stoa_dictionary_decoder decoder;
    must(stoa_dictionary_decoder_init(&decoder, encoded, encoded_bytes, ENTRIES, NULL));
    must(stoa_dictionary_decoder_read_fixed(&decoder, entries, 8, out, COUNT, NULL));
}

/* libdeflate's has vectors of 16 bytes. */
static void library_crc32(void) {
    out[0] = libdeflate_crc32(0, encoded, sizeof encoded);
}
static void fast_crc32(void) {
    out[0] = stoa_crc32(0, encoded, sizeof encoded);
}

static void simple_small_dictionary(void) {
    const uint8_t *bytes = encoded;
    uint64_t bits = 0;
    int filled = 0;
    uint32_t *to = (uint32_t *)out;
    for (size_t i = 0; i < COUNT; i++) {
        to[i] = (uint32_t)entries[simple_bits(&bytes, &bits, &filled, width)];
    }
}
static void fast_small_dictionary(void) {
    stoa_bitunpack_u32(encoded, COUNT, width, codes);
    stoa_codes_gather((const uint8_t *)small, SMALL_ENTRIES, 4, codes, COUNT, (uint8_t *)out);
}

static void simple_streams(void) {
    uint8_t *to = (uint8_t *)out;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t b = 0; b < (size_t)width; b++) {
            to[i * (size_t)width + b] = encoded[b * COUNT + i];
        }
    }
}
static void fast_streams(void) {
    stoa_byte_stream_split decoder;
    must(
        stoa_byte_stream_split_init(&decoder, encoded, COUNT * (size_t)width, (size_t)width, NULL));
    must(stoa_byte_stream_split_read(&decoder, out, COUNT, NULL));
}

/* Seconds of one call, the median of many. */
static double time_of(void (*kernel)(void)) {
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        const double start = measure_now();
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            kernel();
        }
        times[round] = (measure_now() - start) / REPEATS;
        checksum ^= stoa_hash64(out, sizeof out) ^ stoa_hash64(levels, sizeof levels);
    }
    return measure_median(times, ROUNDS);
}

/* Both fill the same memory with the same values, or the benchmark ends. */
static void compare(const char *name, const char *rival, void (*simple)(void), void (*fast)(void)) {
    memset(out, 0, sizeof out);
    simple();
    const uint64_t want = stoa_hash64(out, sizeof out) ^ stoa_hash64(levels, sizeof levels);
    memset(out, 0, sizeof out);
    fast();
    if ((stoa_hash64(out, sizeof out) ^ stoa_hash64(levels, sizeof levels)) != want) {
        (void)fprintf(stderr, "%s: the two differ\n", name);
        exit(1);
    }
    const double theirs = time_of(simple), ours = time_of(fast);
    char full[80];
    (void)snprintf(full, sizeof full, "codec.%s", name);
    measure_ratio(full, 1, ours / COUNT * 1e9, "ns/value", rival, theirs / COUNT * 1e9);
    printf("figure %s %.2f Gvalues/s\n", full, COUNT / ours * 1e-9);
}

static void fill_codes(uint32_t below) {
    for (size_t i = 0; i < COUNT; i++) {
        codes[i] = (uint32_t)(stoa_hash_u64(i + 1) % below);
    }
}

static void compare_unpacking(void) {
    static const int widths[] = {1, 2, 3, 5, 8, 11, 13, 16, 20, 24, 28};
    char name[40];
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        width = widths[i];
        fill_codes(UINT32_C(1) << width);
        stoa_bitpack_u32(codes, COUNT, width, encoded);
        (void)snprintf(name, sizeof name, "unpack.u32.w%d", width);
        compare(name, "a simple loop", simple_unpack_u32, fast_unpack_u32);
        (void)snprintf(name, sizeof name, "unpack.u32.w%d.plain", width);
        compare(name, "the plain form", plain_unpack_u32, fast_unpack_u32);
        if (width <= 3) {
            (void)snprintf(name, sizeof name, "unpack.u8.w%d", width);
            compare(name, "a simple loop", simple_unpack_u8, fast_unpack_u8);
        }
    }
}

static void compare_deltas(void) {
    static const int bits[] = {0, 6, 13, 30, 50};
    char name[40];
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        uint64_t value = 1000;
        for (size_t v = 0; v < COUNT; v++) {
            value += bits[i] == 0 ? 7 : stoa_hash_u64(v + 1) >> (64 - bits[i]);
            words[v] = value;
        }
        encoded_bytes = stoa_delta_encode_i64((const int64_t *)words, COUNT, encoded);
        (void)snprintf(name, sizeof name, "delta.i64.w%d", bits[i]);
        compare(name, "a simple loop", simple_delta_i64, fast_delta_i64);
    }
    for (size_t v = 0; v < COUNT; v++) {
        codes[v] = (v > 0 ? codes[v - 1] : 0) + (uint32_t)(stoa_hash_u64(v + 1) >> 51);
    }
    encoded_bytes = stoa_delta_encode_i32((const int32_t *)codes, COUNT, encoded);
    printf("figure codec.delta.i32.w13 %.2f Gvalues/s\n", COUNT / time_of(fast_delta_i32) * 1e-9);
}

int main(void) {
    compare_unpacking();
    compare_deltas();
    for (size_t i = 0; i < ENTRIES; i++) {
        entries[i] = stoa_hash_u64(i + 1);
    }
    width = 13;
    fill_codes(ENTRIES);
    encoded[0] = (uint8_t)width;
    encoded_bytes = 1 + stoa_rle_encode_u32(codes, COUNT, width, encoded + 1);
    compare("dictionary.u64.w13", "a simple loop", simple_dictionary, fast_dictionary);
    for (size_t i = 0; i < SMALL_ENTRIES; i++) {
        small[i] = (uint32_t)entries[i];
    }
    width = 4;
    fill_codes(SMALL_ENTRIES);
    stoa_bitpack_u32(codes, COUNT, width, encoded);
    compare("dictionary.u32.w4", "a simple loop", simple_small_dictionary, fast_small_dictionary);
    for (size_t i = 0; i < sizeof encoded; i++) {
        encoded[i] = (uint8_t)stoa_hash_u64(i + 1);
    }
    width = 4;
    compare("streams.w4", "a simple loop", simple_streams, fast_streams);
    width = 8;
    compare("streams.w8", "a simple loop", simple_streams, fast_streams);
    const double library = time_of(library_crc32), ours = time_of(fast_crc32);
    if (stoa_crc32(0, encoded, sizeof encoded) != libdeflate_crc32(0, encoded, sizeof encoded)) {
        (void)fprintf(stderr, "crc32: the two differ\n");
        return 1;
    }
    printf("ratio codec.crc32 %.2f GB/s vs libdeflate %.2f = %.2fx\n",
           sizeof encoded / ours * 1e-9, sizeof encoded / library * 1e-9, library / ours);
    printf("figure codec.checksum %u bits\n", (unsigned)(checksum & 0xFFFF));
    return 0;
}
