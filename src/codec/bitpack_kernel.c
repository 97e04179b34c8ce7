/* Packing goes through a 64-bit accumulator, 32 values at a time; the width is a constant in each of
 * 32 copies of the same inlined loop, so that the compiler unrolls it into shifts and ors. Where the
 * processor has wide vectors, bitpack_simd_kernel.h packs all of it and unpacks all or most. */
#include "codec/bitpack_kernel.h"

#include <string.h>

#include "base/bytes.h"
#include "base/cpu.h"
#include "base/error.h"
#include "codec/bitpack_simd_kernel.h"

__attribute__((always_inline)) static inline void pack_block(const uint32_t *values, int width,
                                                             uint8_t *out) {
    uint64_t accumulator = 0;
    int filled = 0;
    for (int i = 0; i < STOA_BITPACK_BLOCK; i++) {
        accumulator |= (uint64_t)values[i] << filled;
        filled += width;
        if (filled >= 32) {
            stoa_store_u32(out, (uint32_t)accumulator);
            out += 4;
            accumulator >>= 32;
            filled -= 32;
        }
    }
}

__attribute__((always_inline)) static inline void unpack_block(const uint8_t *bytes, int width,
                                                               uint32_t *out) {
    uint64_t accumulator = 0;
    int filled = 0;
    const uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
    for (int i = 0; i < STOA_BITPACK_BLOCK; i++) {
        if (filled < width) {
            accumulator |= (uint64_t)stoa_load_u32(bytes) << filled;
            bytes += 4;
            filled += 32;
        }
        out[i] = (uint32_t)accumulator & mask;
        accumulator >>= width;
        filled -= width;
    }
}

#define FOR_EACH_WIDTH(DO)                                                                         \
    DO(1)                                                                                          \
    DO(2)                                                                                          \
    DO(3)                                                                                          \
    DO(4)                                                                                          \
    DO(5)                                                                                          \
    DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) DO(18) DO(19)  \
        DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) DO(27) DO(28) DO(29) DO(30) DO(31) DO(32)

void stoa_bitpack_block(const uint32_t *values, int width, uint8_t *out) {
    STOA_ASSERT(width >= 1 && width <= 32);
    switch (width) {
#define PACK_CASE(w)                                                                               \
    case w: pack_block(values, w, out); break;
        FOR_EACH_WIDTH(PACK_CASE)
#undef PACK_CASE
    default: break;
    }
}

static void bitunpack_block(const uint8_t *bytes, int width, uint32_t *out) {
    switch (width) {
#define UNPACK_CASE(w)                                                                             \
    case w: unpack_block(bytes, w, out); break;
        FOR_EACH_WIDTH(UNPACK_CASE)
#undef UNPACK_CASE
    default: break;
    }
}

void stoa_bitpack_u32_plain(const uint32_t *values, size_t count, int width, uint8_t *out) {
    STOA_ASSERT(count % 8 == 0 && width >= 0 && width <= 32);
    if (width == 0) {
        return;
    }
    size_t done = 0;
    for (; done + STOA_BITPACK_BLOCK <= count; done += STOA_BITPACK_BLOCK) {
        stoa_bitpack_block(values + done, width, out);
        out += 4 * width;
    }
    if (done < count) {
        uint32_t rest[STOA_BITPACK_BLOCK] = {0};
        uint8_t packed[STOA_BITPACK_BLOCK * 4];
        memcpy(rest, values + done, (count - done) * sizeof *rest);
        stoa_bitpack_block(rest, width, packed);
        memcpy(out, packed, (count - done) / 8 * (size_t)width);
    }
}

void stoa_bitpack_u32(const uint32_t *values, size_t count, int width, uint8_t *out) {
    if (stoa_cpu_level() != STOA_CPU_AVX512 ||
        stoa_bitpack_u32_avx512(values, count, width, out) < count) {
        stoa_bitpack_u32_plain(values, count, width, out);
    }
}

void stoa_bitunpack_u32_plain(const uint8_t *bytes, size_t count, int width, uint32_t *out) {
    STOA_ASSERT(count % 8 == 0 && width >= 0 && width <= 32);
    if (width == 0) {
        memset(out, 0, count * sizeof *out);
        return;
    }
    size_t done = 0;
    for (; done + STOA_BITPACK_BLOCK <= count; done += STOA_BITPACK_BLOCK) {
        bitunpack_block(bytes, width, out + done);
        bytes += 4 * width;
    }
    if (done < count) {
        uint8_t packed[STOA_BITPACK_BLOCK * 4] = {0};
        uint32_t rest[STOA_BITPACK_BLOCK];
        memcpy(packed, bytes, (count - done) / 8 * (size_t)width);
        bitunpack_block(packed, width, rest);
        memcpy(out + done, rest, (count - done) * sizeof *rest);
    }
}

void stoa_bitunpack_u32(const uint8_t *bytes, size_t count, int width, uint32_t *out) {
    const stoa_cpu cpu = stoa_cpu_level();
    const size_t fast = cpu == STOA_CPU_AVX512 ? stoa_bitunpack_u32_avx512(bytes, count, width, out)
                        : cpu == STOA_CPU_AVX2 ? stoa_bitunpack_u32_avx2(bytes, count, width, out)
                                               : 0;
    if (fast < count) {
        stoa_bitunpack_u32_plain(bytes + fast / 8 * (size_t)width, count - fast, width, out + fast);
    }
}

/* Eight values of up to 8 bits are one word. */
void stoa_bitunpack_u8_plain(const uint8_t *bytes, size_t count, int width, uint8_t *out) {
    STOA_ASSERT(count % 8 == 0 && width >= 0 && width <= 8);
    const uint8_t mask = (uint8_t)((1u << width) - 1);
    for (size_t done = 0; done < count; done += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes, (size_t)width);
        for (int i = 0; i < 8; i++) {
            out[done + (size_t)i] = (uint8_t)(word >> (i * width)) & mask;
        }
        bytes += width;
    }
}

void stoa_bitunpack_u8(const uint8_t *bytes, size_t count, int width, uint8_t *out) {
    const size_t fast = stoa_cpu_level() == STOA_CPU_AVX512
                            ? stoa_bitunpack_u8_avx512(bytes, count, width, out)
                            : 0;
    if (fast < count) {
        stoa_bitunpack_u8_plain(bytes + fast / 8 * (size_t)width, count - fast, width, out + fast);
    }
}

/* Of 64 bits and more in the accumulator, those that do not fit are taken from the value again. */
void stoa_bitpack_u64_plain(const uint64_t *values, size_t count, int width, uint8_t *out) {
    STOA_ASSERT(count % 8 == 0 && width >= 0 && width <= 64);
    uint64_t accumulator = 0;
    int filled = 0;
    for (size_t i = 0; i < count; i++) {
        accumulator |= values[i] << filled;
        filled += width;
        if (filled >= 64) {
            stoa_store_u64(out, accumulator);
            out += 8;
            filled -= 64;
            accumulator = filled > 0 ? values[i] >> (width - filled) : 0;
        }
    }
    memcpy(out, &accumulator, (size_t)filled / 8);
}

void stoa_bitpack_u64(const uint64_t *values, size_t count, int width, uint8_t *out) {
    if (stoa_cpu_level() != STOA_CPU_AVX512 ||
        stoa_bitpack_u64_avx512(values, count, width, out) < count) {
        stoa_bitpack_u64_plain(values, count, width, out);
    }
}

/* A value of up to 64 bits lies in nine bytes; the last of them are read only where it reaches. */
__attribute__((always_inline)) static inline uint64_t bits_at(const uint8_t *bytes, size_t bit,
                                                              int width) {
    const uint8_t *at = bytes + bit / 8;
    const int shift = (int)(bit % 8);
    uint64_t word = 0;
    memcpy(&word, at, (size_t)(shift + width > 64 ? 64 : shift + width + 7) / 8);
    word >>= shift;
    if (shift + width > 64) {
        word |= (uint64_t)at[8] << (64 - shift);
    }
    return width == 64 ? word : word & ((UINT64_C(1) << width) - 1);
}

__attribute__((always_inline)) static inline void unpack_eights(const uint8_t *bytes, size_t count,
                                                                int width, uint64_t *out) {
    for (size_t done = 0; done < count; done += 8, bytes += width) {
        for (size_t i = 0; i < 8; i++) {
            out[done + i] = bits_at(bytes, i * (size_t)width, width);
        }
    }
}

void stoa_bitunpack_u64_plain(const uint8_t *bytes, size_t count, int width, uint64_t *out) {
    STOA_ASSERT(count % 8 == 0 && width >= 0 && width <= 64);
    switch (width) {
    case 0: memset(out, 0, count * sizeof *out); break;
#define UNPACK_CASE(w)                                                                             \
    case w: unpack_eights(bytes, count, w, out); break;                                            \
    case (w) + 32: unpack_eights(bytes, count, (w) + 32, out); break;
        FOR_EACH_WIDTH(UNPACK_CASE)
#undef UNPACK_CASE
    default: break;
    }
}

void stoa_bitunpack_u64(const uint8_t *bytes, size_t count, int width, uint64_t *out) {
    const size_t fast = stoa_cpu_level() == STOA_CPU_AVX512
                            ? stoa_bitunpack_u64_avx512(bytes, count, width, out)
                            : 0;
    if (fast < count) {
        stoa_bitunpack_u64_plain(bytes + fast / 8 * (size_t)width, count - fast, width, out + fast);
    }
}

void stoa_bitunpack_reversed_u8(const uint8_t *bytes, size_t start, size_t count, int width,
                                uint8_t *out) {
    STOA_ASSERT(width >= 0 && width <= 8);
    if (width == 0) {
        memset(out, 0, count);
        return;
    }
    size_t bit = start * (size_t)width;
    for (size_t i = 0; i < count; i++, bit += (size_t)width) {
        const int end = (int)(bit % 8) + width;
        unsigned pair = (unsigned)bytes[bit / 8] << 8;
        if (end > 8) {
            pair |= bytes[bit / 8 + 1];
        }
        out[i] = (uint8_t)(pair >> (16 - end) & ((1u << width) - 1));
    }
}

void stoa_bitpack_bools(const uint8_t *values, size_t count, uint8_t *out) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        /* Eight bytes of 0 or 1; the product gathers their low bits in the highest byte. */
        out[i / 8] = (uint8_t)((stoa_load_u64(values + i) * UINT64_C(0x0102040810204080)) >> 56);
    }
    if (i < count) {
        unsigned bits = 0;
        for (size_t bit = 0; i + bit < count; bit++) {
            bits |= (unsigned)(values[i + bit] & 1) << bit;
        }
        out[i / 8] = (uint8_t)bits;
    }
}
