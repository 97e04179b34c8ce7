/* Writing DELTA_BINARY_PACKED: blocks of 128 differences in four miniblocks of 32, what other writers
 * use. The last miniblock is filled up with its smallest difference, which packs to zeros. */
#include <string.h>

#include "base/cpu.h"
#include "codec/bitpack_kernel.h"
#include "codec/delta.h"
#include "codec/delta_simd_kernel.h"

#if defined(__x86_64__)
#define FAST_BLOCK(NAME, values, above, widths)                                                    \
    stoa_delta_block_##NAME##_avx512(values, above, widths)
#else
#define FAST_BLOCK(NAME, values, above, widths) block_##NAME(values, BLOCK, above, widths)
#endif

enum {
    BLOCK = STOA_DELTA_BLOCK_VALUES,
    UNIT = BLOCK / STOA_DELTA_MINIBLOCKS,
    HEADER_BYTES_MAX = 2 + 1 + 2 * STOA_VARINT_BYTES_MAX,
    BLOCK_HEAD_BYTES_MAX = STOA_VARINT_BYTES_MAX + STOA_DELTA_MINIBLOCKS
};

size_t stoa_delta_bytes_max(size_t count, int value_bytes) {
    const size_t blocks = (count + BLOCK - 1) / BLOCK;
    return HEADER_BYTES_MAX + blocks * (BLOCK_HEAD_BYTES_MAX + (size_t)(BLOCK * value_bytes));
}

static size_t put_header(uint8_t *out, size_t count, int64_t first) {
    size_t size = stoa_store_varint(out, BLOCK);
    size += stoa_store_varint(out + size, STOA_DELTA_MINIBLOCKS);
    size += stoa_store_varint(out + size, count);
    return size + stoa_store_varint(out + size, stoa_zigzag(first));
}

/* `above` has `count` differences minus the smallest, and zeros behind them to the end of a block. */
static size_t put_block(uint8_t *out, const uint64_t *above, const uint8_t *widths, size_t count,
                        int64_t smallest) {
    size_t size = stoa_store_varint(out, stoa_zigzag(smallest));
    memcpy(out + size, widths, STOA_DELTA_MINIBLOCKS);
    size += STOA_DELTA_MINIBLOCKS;
    for (size_t start = 0; start < count; start += UNIT) {
        const int width = widths[start / UNIT];
        stoa_bitpack_u64(above + start, UNIT, width, out + size);
        size += UNIT / 8 * (size_t)width;
    }
    return size;
}

static void find_widths(const uint64_t *above, size_t count, uint8_t *widths) {
    memset(widths, 0, STOA_DELTA_MINIBLOCKS);
    for (size_t start = 0; start < count; start += UNIT) {
        uint64_t any = 0;
        for (size_t i = 0; i < UNIT; i++) {
            any |= above[start + i];
        }
        widths[start / UNIT] = (uint8_t)(any == 0 ? 0 : 64 - __builtin_clzll(any));
    }
}

/* Differences wrap in the type of the values, so that one of 32 bits never packs into more. */
#define DEFINE_ENCODE(NAME, TYPE, UNSIGNED)                                                        \
    static TYPE block_##NAME(const TYPE *values, size_t count, uint64_t *above, uint8_t *widths) { \
        TYPE deltas[BLOCK];                                                                        \
        TYPE smallest = 0;                                                                         \
        for (size_t i = 0; i < count; i++) {                                                       \
            deltas[i] = (TYPE)((UNSIGNED)values[i] - (UNSIGNED)values[(ptrdiff_t)i - 1]);          \
            smallest = i == 0 || deltas[i] < smallest ? deltas[i] : smallest;                      \
        }                                                                                          \
        memset(above, 0, BLOCK * sizeof *above);                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            above[i] = (UNSIGNED)((UNSIGNED)deltas[i] - (UNSIGNED)smallest);                       \
        }                                                                                          \
        find_widths(above, count, widths);                                                         \
        return smallest;                                                                           \
    }                                                                                              \
    size_t stoa_delta_encode_##NAME(const TYPE *values, size_t count, uint8_t *out) {              \
        const bool fast = stoa_cpu_level() == STOA_CPU_AVX512;                                     \
        size_t size = put_header(out, count, count > 0 ? values[0] : 0);                           \
        for (size_t done = 1; done < count; done += BLOCK) {                                       \
            const size_t now = count - done < BLOCK ? count - done : BLOCK;                        \
            uint64_t above[BLOCK];                                                                 \
            uint8_t widths[STOA_DELTA_MINIBLOCKS];                                                 \
            const TYPE smallest = fast && now == BLOCK                                             \
                                      ? FAST_BLOCK(NAME, values + done, above, widths)             \
                                      : block_##NAME(values + done, now, above, widths);           \
            size += put_block(out + size, above, widths, now, smallest);                           \
        }                                                                                          \
        return size;                                                                               \
    }
DEFINE_ENCODE(i32, int32_t, uint32_t)
DEFINE_ENCODE(i64, int64_t, uint64_t)
