/* Loads and stores of a constant width are single instructions; other widths are copied. On the
 * machines measured, the processor's own gather instructions are no faster than these loops. The few
 * entries that fit two vector registers are looked up there, 16 or 8 codes at a time. */
#include "codec/gather_kernel.h"

#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

__attribute__((always_inline)) static inline uint32_t highest(const uint32_t *codes, size_t count) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = codes[i] > most ? codes[i] : most;
    }
    return most;
}

/* The compiler makes vectors of the loop, but before AVX2 they are short and compare with a sign. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t highest_avx2(const uint32_t *codes, size_t count) {
    return highest(codes, count);
}
#endif

uint32_t stoa_codes_highest(const uint32_t *codes, size_t count) {
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        return highest_avx2(codes, count);
    }
#endif
    return highest(codes, count);
}

__attribute__((always_inline)) static inline void gather(const uint8_t *entries, size_t value_bytes,
                                                         const uint32_t *codes, size_t count,
                                                         uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * value_bytes, entries + codes[i] * value_bytes, value_bytes);
    }
}

#if defined(__x86_64__)
#define AVX512 __attribute__((target("avx512f,avx512vl")))

AVX512 static void look_up_4(const uint8_t *entries, size_t entry_count, const uint32_t *codes,
                             size_t count, uint8_t *out) {
    const uint32_t there = (uint32_t)((UINT64_C(1) << entry_count) - 1);
    const __m512i low = _mm512_maskz_loadu_epi32((__mmask16)there, entries);
    const __m512i high = entry_count > 16 ? _mm512_maskz_loadu_epi32((__mmask16)(there >> 16),
                                                                     entries + 64)
                                          : low;
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 now = (__mmask16)(count - i < 16 ? (1u << (count - i)) - 1 : UINT16_MAX);
        const __m512i places = _mm512_maskz_loadu_epi32(now, codes + i);
        _mm512_mask_storeu_epi32(out + 4 * i, now, _mm512_permutex2var_epi32(low, places, high));
    }
}

AVX512 static void look_up_8(const uint8_t *entries, size_t entry_count, const uint32_t *codes,
                             size_t count, uint8_t *out) {
    const uint32_t there = (1u << entry_count) - 1;
    const __m512i low = _mm512_maskz_loadu_epi64((__mmask8)there, entries);
    const __m512i high = entry_count > 8 ? _mm512_maskz_loadu_epi64((__mmask8)(there >> 8),
                                                                    entries + 64)
                                         : low;
    for (size_t i = 0; i < count; i += 8) {
        const __mmask8 now = (__mmask8)(count - i < 8 ? (1u << (count - i)) - 1 : UINT8_MAX);
        const __m512i places = _mm512_cvtepu32_epi64(_mm256_maskz_loadu_epi32(now, codes + i));
        _mm512_mask_storeu_epi64(out + 8 * i, now, _mm512_permutex2var_epi64(low, places, high));
    }
}
#endif

/* False where the entries are too many, or of another width. */
static bool look_up(const uint8_t *entries, size_t entry_count, size_t value_bytes,
                    const uint32_t *codes, size_t count, uint8_t *out) {
#if defined(__x86_64__)
    if (value_bytes == 4 && entry_count <= 32 && stoa_cpu_level() == STOA_CPU_AVX512) {
        look_up_4(entries, entry_count, codes, count, out);
        return true;
    }
    if (value_bytes == 8 && entry_count <= 16 && stoa_cpu_level() == STOA_CPU_AVX512) {
        look_up_8(entries, entry_count, codes, count, out);
        return true;
    }
#endif
    (void)entries, (void)entry_count, (void)value_bytes, (void)codes, (void)count, (void)out;
    return false;
}

void stoa_codes_gather(const uint8_t *entries, size_t entry_count, size_t value_bytes,
                       const uint32_t *codes, size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    if (look_up(entries, entry_count, value_bytes, codes, count, out)) {
        return;
    }
    switch (value_bytes) {
    case 1: gather(entries, 1, codes, count, out); break;
    case 2: gather(entries, 2, codes, count, out); break;
    case 4: gather(entries, 4, codes, count, out); break;
    case 8: gather(entries, 8, codes, count, out); break;
    case 12: gather(entries, 12, codes, count, out); break;
    case 16: gather(entries, 16, codes, count, out); break;
    default: gather(entries, value_bytes, codes, count, out); break;
    }
}

__attribute__((always_inline)) static inline void repeat(const uint8_t *value, size_t value_bytes,
                                                         size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * value_bytes, value, value_bytes);
    }
}

void stoa_repeat_fixed(const uint8_t *value, size_t value_bytes, size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    switch (value_bytes) {
    case 4: repeat(value, 4, count, out); break;
    case 8: repeat(value, 8, count, out); break;
    case 16: repeat(value, 16, count, out); break;
    default: repeat(value, value_bytes, count, out); break;
    }
}
