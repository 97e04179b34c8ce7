#include "parquet/read_kernel.h"

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/error.h"

/* ---- Gaps ------------------------------------------------------------------------------------ */

/* From the end, so that no value is overwritten before it is moved; once there are as many values left
 * as slots, they stand where they belong. */
__attribute__((always_inline)) static inline void spread(uint8_t *values, size_t width,
                                                         int64_t count, const uint8_t *validity,
                                                         int64_t slot_count) {
    for (int64_t i = slot_count - 1; i >= count; i--) {
        if (stoa_bit_get(validity, i)) {
            count--;
            memmove(values + (size_t)i * width, values + (size_t)count * width, width);
        } else {
            memset(values + (size_t)i * width, 0, width);
        }
    }
}

void stoa_spread_fixed(uint8_t *values, size_t width, int64_t count, const uint8_t *validity,
                       int64_t slot_count) {
    switch (width) {
    case 1: spread(values, 1, count, validity, slot_count); break;
    case 2: spread(values, 2, count, validity, slot_count); break;
    case 4: spread(values, 4, count, validity, slot_count); break;
    case 8: spread(values, 8, count, validity, slot_count); break;
    case 16: spread(values, 16, count, validity, slot_count); break;
    default: spread(values, width, count, validity, slot_count); break;
    }
}

void stoa_spread_bits(uint8_t *bits, int64_t count, const uint8_t *validity, int64_t slot_count) {
    for (int64_t i = slot_count - 1; i >= 0; i--) {
        const bool is_present = stoa_bit_get(validity, i);
        count -= is_present;
        stoa_bit_put(bits, i, is_present && stoa_bit_get(bits, count));
    }
}

void stoa_spread_offsets(int32_t *offsets, int64_t count, const uint8_t *validity,
                         int64_t slot_count) {
    offsets[slot_count] = offsets[count];
    for (int64_t i = slot_count - 1; i >= 0; i--) {
        count -= stoa_bit_get(validity, i);
        offsets[i] = offsets[count];
    }
}

/* ---- Stored values into Arrow's -------------------------------------------------------------- */

/* A block is read before it is written, never behind what was read: the compiler makes vectors of it,
 * with single instructions where the processor has them. */
#define NARROW_LOOP(TYPE)                                                                          \
    enum { BLOCK = 64 };                                                                           \
    TYPE narrow[BLOCK];                                                                            \
    uint32_t wide[BLOCK] = {0};                                                                     \
    for (int64_t i = 0; i < count; i += BLOCK) {                                                   \
        const size_t now = count - i < BLOCK ? (size_t)(count - i) : BLOCK;                        \
        memcpy(wide, values + 4 * i, now * sizeof *wide);                                          \
        for (size_t k = 0; k < BLOCK; k++) {                                                       \
            narrow[k] = (TYPE)wide[k];                                                             \
        }                                                                                          \
        memcpy(values + (size_t)i * sizeof *narrow, narrow, now * sizeof *narrow);                 \
    }

#if defined(__x86_64__)
#define DEFINE_NARROW(NAME, TYPE)                                                                  \
    __attribute__((target("avx512f,avx512bw"))) static void NAME##_avx512(uint8_t *values,         \
                                                                          int64_t count) {         \
        NARROW_LOOP(TYPE)                                                                          \
    }                                                                                              \
    void NAME(uint8_t *values, int64_t count) {                                                    \
        if (stoa_cpu_level() == STOA_CPU_AVX512) {                                                 \
            NAME##_avx512(values, count);                                                          \
            return;                                                                                \
        }                                                                                          \
        NARROW_LOOP(TYPE)                                                                          \
    }
#else
#define DEFINE_NARROW(NAME, TYPE)                                                                  \
    void NAME(uint8_t *values, int64_t count) {                                                    \
        NARROW_LOOP(TYPE)                                                                          \
    }
#endif
DEFINE_NARROW(stoa_narrow_1, uint8_t)
DEFINE_NARROW(stoa_narrow_2, uint16_t)

void stoa_widen_i32_i128(const uint8_t *values, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t value = (int32_t)stoa_load_u32(values + 4 * i);
        stoa_store_u64(out + 16 * i, (uint64_t)value);
        stoa_store_u64(out + 16 * i + 8, (uint64_t)(value >> 63));
    }
}

void stoa_widen_i64_i128(const uint8_t *values, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t value = (int64_t)stoa_load_u64(values + 8 * i);
        stoa_store_u64(out + 16 * i, (uint64_t)value);
        stoa_store_u64(out + 16 * i + 8, (uint64_t)(value >> 63));
    }
}

void stoa_decimal_load(const uint8_t *bytes, size_t size, uint8_t out[16]) {
    STOA_ASSERT(size <= 16);
    memset(out, size > 0 && (bytes[0] & 0x80) != 0 ? 0xFF : 0, 16);
    for (size_t i = 0; i < size; i++) {
        out[i] = bytes[size - 1 - i];
    }
}

static uint32_t half_bits(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 1023;
    if (exponent == 31) {
        return sign | 0x7F800000u | fraction << 13;
    }
    if (exponent == 0 && fraction == 0) {
        return sign;
    }
    if (exponent == 0) {
        exponent = 1;
        while ((fraction & 1024) == 0) {
            fraction <<= 1;
            exponent--; /* wraps; 112 is added below */
        }
        fraction &= 1023;
    }
    return sign | (exponent + 112) << 23 | fraction << 13;
}

void stoa_widen_half_float(const uint8_t *values, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const uint16_t half = (uint16_t)(values[2 * i] | values[2 * i + 1] << 8);
        stoa_store_u32(out + 4 * i, half_bits(half));
    }
}

int64_t stoa_widen_interval(const uint8_t *values, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t months = stoa_load_u32(values + 12 * i);
        const uint32_t days = stoa_load_u32(values + 12 * i + 4);
        const uint64_t nanos = (uint64_t)stoa_load_u32(values + 12 * i + 8) * 1000000;
        if (months > INT32_MAX || days > INT32_MAX) {
            return i;
        }
        stoa_store_u32(out + 16 * i, months);
        stoa_store_u32(out + 16 * i + 4, days);
        stoa_store_u64(out + 16 * i + 8, nanos);
    }
    return count;
}
