/* Sums inside a vector take a step for each power of two of its lanes and depend on nothing before;
 * only adding up the vectors' totals is a chain, of one addition a vector. */
#include "codec/delta_simd_kernel.h"

#if defined(__x86_64__)
#include "codec/bitpack_avx512.h"

#define AVX2 __attribute__((target("avx2")))

AVX2 uint32_t stoa_delta_sum_u32_avx2(uint32_t *values, size_t count, uint32_t smallest,
                                      uint32_t last) {
    const __m256i step = _mm256_set1_epi32((int)smallest);
    const __m256i lane_3 = _mm256_set1_epi32(3), lane_7 = _mm256_set1_epi32(7);
    __m256i carry = _mm256_set1_epi32((int)last);
    for (size_t i = 0; i < count; i += 8) {
        __m256i *at = (__m256i *)(void *)(values + i);
        __m256i sums = _mm256_add_epi32(_mm256_loadu_si256(at), step);
        sums = _mm256_add_epi32(sums, _mm256_slli_si256(sums, 4));
        sums = _mm256_add_epi32(sums, _mm256_slli_si256(sums, 8));
        const __m256i low = _mm256_permutevar8x32_epi32(sums, lane_3);
        sums = _mm256_add_epi32(sums, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xF0));
        _mm256_storeu_si256(at, _mm256_add_epi32(sums, carry));
        carry = _mm256_add_epi32(carry, _mm256_permutevar8x32_epi32(sums, lane_7));
    }
    return (uint32_t)_mm256_cvtsi256_si32(carry);
}

AVX2 uint64_t stoa_delta_sum_u64_avx2(uint64_t *values, size_t count, uint64_t smallest,
                                      uint64_t last) {
    const __m256i step = _mm256_set1_epi64x((long long)smallest);
    __m256i carry = _mm256_set1_epi64x((long long)last);
    for (size_t i = 0; i < count; i += 4) {
        __m256i *at = (__m256i *)(void *)(values + i);
        __m256i sums = _mm256_add_epi64(_mm256_loadu_si256(at), step);
        sums = _mm256_add_epi64(sums, _mm256_slli_si256(sums, 8));
        const __m256i low = _mm256_permute4x64_epi64(sums, 0x55);
        sums = _mm256_add_epi64(sums, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xF0));
        _mm256_storeu_si256(at, _mm256_add_epi64(sums, carry));
        carry = _mm256_add_epi64(carry, _mm256_permute4x64_epi64(sums, 0xFF));
    }
    return (uint64_t)_mm256_extract_epi64(carry, 0);
}

/* Each lane becomes the sum of itself and all lanes before it. */
STOA_AVX512 static inline __m512i sums_of_32(__m512i lanes) {
    const __m512i zero = _mm512_setzero_si512();
    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 15));
    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 14));
    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 12));
    return _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 8));
}
STOA_AVX512 static inline __m512i sums_of_64(__m512i lanes) {
    const __m512i zero = _mm512_setzero_si512();
    lanes = _mm512_add_epi64(lanes, _mm512_alignr_epi64(lanes, zero, 7));
    lanes = _mm512_add_epi64(lanes, _mm512_alignr_epi64(lanes, zero, 6));
    return _mm512_add_epi64(lanes, _mm512_alignr_epi64(lanes, zero, 4));
}

/* Differences never leave the registers. */
STOA_AVX512 bool stoa_delta_unpack_u32_avx512(const uint8_t *packed, size_t count, int width,
                                              uint32_t smallest, uint32_t *last, uint32_t *out) {
    if (width > STOA_CUT_32_WIDTH_MAX) {
        return false;
    }
    const stoa_cutter cutter = stoa_cutter_32(width);
    const __m512i step = _mm512_set1_epi32((int)smallest), top = _mm512_set1_epi32(15);
    __m512i carry = _mm512_set1_epi32((int)*last);
    for (size_t i = 0; i < count; i += 16, packed += 2 * width) {
        const __m512i lanes = stoa_cut_32(&cutter, cutter.bytes, packed);
        const __m512i sums = sums_of_32(_mm512_add_epi32(lanes, step));
        _mm512_storeu_si512(out + i, _mm512_add_epi32(sums, carry));
        carry = _mm512_add_epi32(carry, _mm512_permutexvar_epi32(top, sums));
    }
    *last = (uint32_t)_mm512_cvtsi512_si32(carry);
    return true;
}

STOA_AVX512 bool stoa_delta_unpack_u64_avx512(const uint8_t *packed, size_t count, int width,
                                              uint64_t smallest, uint64_t *last, uint64_t *out) {
    if (width > STOA_CUT_64_WIDTH_MAX) {
        return false;
    }
    const stoa_cutter cutter = stoa_cutter_64(width);
    const __m512i step = _mm512_set1_epi64((long long)smallest), top = _mm512_set1_epi64(7);
    __m512i carry = _mm512_set1_epi64((long long)*last);
    for (size_t i = 0; i < count; i += 8, packed += width) {
        const __m512i sums = sums_of_64(_mm512_add_epi64(stoa_cut_64(&cutter, packed), step));
        _mm512_storeu_si512(out + i, _mm512_add_epi64(sums, carry));
        carry = _mm512_add_epi64(carry, _mm512_permutexvar_epi64(top, sums));
    }
    *last = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(carry));
    return true;
}

/* ---- Differences ----------------------------------------------------------------------------- */

enum { BLOCK = 128, MINIBLOCK = 32 };

STOA_AVX512 int64_t stoa_delta_block_i64_avx512(const int64_t *values, uint64_t *above,
                                                uint8_t *widths) {
    __m512i least = _mm512_set1_epi64(INT64_MAX);
    for (int i = 0; i < BLOCK; i += 8) {
        const __m512i delta = _mm512_sub_epi64(_mm512_loadu_si512(values + i),
                                               _mm512_loadu_si512(values + i - 1));
        least = _mm512_min_epi64(least, delta);
        _mm512_storeu_si512(above + i, delta);
    }
    const int64_t smallest = _mm512_reduce_min_epi64(least);
    const __m512i step = _mm512_set1_epi64(smallest);
    for (int start = 0; start < BLOCK; start += MINIBLOCK) {
        __m512i any = _mm512_setzero_si512();
        for (int i = start; i < start + MINIBLOCK; i += 8) {
            const __m512i over = _mm512_sub_epi64(_mm512_loadu_si512(above + i), step);
            any = _mm512_or_si512(any, over);
            _mm512_storeu_si512(above + i, over);
        }
        const uint64_t bits = (uint64_t)_mm512_reduce_or_epi64(any);
        widths[start / MINIBLOCK] = (uint8_t)(bits == 0 ? 0 : 64 - __builtin_clzll(bits));
    }
    return smallest;
}

STOA_AVX512 int32_t stoa_delta_block_i32_avx512(const int32_t *values, uint64_t *above,
                                                uint8_t *widths) {
    int32_t deltas[BLOCK];
    __m512i least = _mm512_set1_epi32(INT32_MAX);
    for (int i = 0; i < BLOCK; i += 16) {
        const __m512i delta = _mm512_sub_epi32(_mm512_loadu_si512(values + i),
                                               _mm512_loadu_si512(values + i - 1));
        least = _mm512_min_epi32(least, delta);
        _mm512_storeu_si512(deltas + i, delta);
    }
    const int32_t smallest = _mm512_reduce_min_epi32(least);
    const __m256i step = _mm256_set1_epi32(smallest);
    for (int start = 0; start < BLOCK; start += MINIBLOCK) {
        __m512i any = _mm512_setzero_si512();
        for (int i = start; i < start + MINIBLOCK; i += 8) {
            const __m512i over = _mm512_cvtepu32_epi64(_mm256_sub_epi32(
                _mm256_loadu_si256((const __m256i *)(const void *)(deltas + i)), step));
            any = _mm512_or_si512(any, over);
            _mm512_storeu_si512(above + i, over);
        }
        const uint64_t bits = (uint64_t)_mm512_reduce_or_epi64(any);
        widths[start / MINIBLOCK] = (uint8_t)(bits == 0 ? 0 : 64 - __builtin_clzll(bits));
    }
    return smallest;
}

#endif
