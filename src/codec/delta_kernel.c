/* With AVX-512 differences are unpacked and summed up in registers; else a unit is unpacked into the
 * first-level cache and summed up there. */
#include "codec/delta_kernel.h"

#include "base/cpu.h"
#include "base/error.h"
#include "codec/bitpack_kernel.h"
#include "codec/delta_simd_kernel.h"

enum { UNIT = 32 };

#define PLAIN_SUM(NAME, TYPE)                                                                      \
    TYPE stoa_delta_sum_##NAME##_plain(TYPE *values, size_t count, TYPE smallest, TYPE last) {     \
        for (size_t i = 0; i < count; i++) {                                                       \
            last += values[i] + smallest;                                                          \
            values[i] = last;                                                                      \
        }                                                                                          \
        return last;                                                                               \
    }
PLAIN_SUM(u32, uint32_t)
PLAIN_SUM(u64, uint64_t)

static uint32_t sum_up_u32(uint32_t *values, size_t count, uint32_t smallest, uint32_t last) {
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        return stoa_delta_sum_u32_avx2(values, count, smallest, last);
    }
#endif
    return stoa_delta_sum_u32_plain(values, count, smallest, last);
}

static uint64_t sum_up_u64(uint64_t *values, size_t count, uint64_t smallest, uint64_t last) {
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        return stoa_delta_sum_u64_avx2(values, count, smallest, last);
    }
#endif
    return stoa_delta_sum_u64_plain(values, count, smallest, last);
}

/* Differences of 33 bits and more occur for 32-bit values where a writer computes in 64 bits. */
static void unpack_narrowed(const uint8_t *packed, size_t count, int width, uint32_t *out) {
    for (size_t done = 0; done < count; done += UNIT) {
        uint64_t wide[UNIT];
        stoa_bitunpack_u64(packed + done / 8 * (size_t)width, UNIT, width, wide);
        for (size_t i = 0; i < UNIT; i++) {
            out[done + i] = (uint32_t)wide[i];
        }
    }
}

void stoa_delta_unpack_u32(const uint8_t *packed, size_t count, int width, uint32_t smallest,
                           uint32_t *last, uint32_t *out) {
    STOA_ASSERT(count % UNIT == 0 && width >= 0 && width <= 64);
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512 &&
        stoa_delta_unpack_u32_avx512(packed, count, width, smallest, last, out)) {
        return;
    }
#endif
    if (width <= 32) {
        stoa_bitunpack_u32(packed, count, width, out);
    } else {
        unpack_narrowed(packed, count, width, out);
    }
    *last = sum_up_u32(out, count, smallest, *last);
}

void stoa_delta_unpack_u64(const uint8_t *packed, size_t count, int width, uint64_t smallest,
                           uint64_t *last, uint64_t *out) {
    STOA_ASSERT(count % UNIT == 0 && width >= 0 && width <= 64);
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512 &&
        stoa_delta_unpack_u64_avx512(packed, count, width, smallest, last, out)) {
        return;
    }
#endif
    stoa_bitunpack_u64(packed, count, width, out);
    *last = sum_up_u64(out, count, smallest, *last);
}
