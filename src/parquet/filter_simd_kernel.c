/* AVX-512 looks bytes up in the whole table, which lies in four registers: two lookups by the lower seven
 * bits of a code, and the highest bit says whose answer counts. AVX2 has tables of 16 bytes. */
#include "parquet/filter_simd_kernel.h"

#include "parquet/filter_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))

enum { STEP = 64, SMALL = 16 };

AVX2 int64_t stoa_match_codes_u8_avx2(const uint8_t *codes, int64_t count,
                                      const uint8_t matches[256], uint8_t *out, uint8_t *all) {
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const __m128i *)(const void *)matches));
    const __m256i last = _mm256_set1_epi8(SMALL - 1);
    __m256i found = _mm256_setzero_si256(), highest = found;
    int64_t at = 0;
    for (; at + STEP <= count; at += STEP) {
        uint32_t bits[2];
        for (int half = 0; half < 2; half++) {
            const __m256i code = _mm256_loadu_si256(
                (const __m256i *)(const void *)(codes + at + 32 * half));
            const __m256i answer = _mm256_shuffle_epi8(table, _mm256_min_epu8(code, last));
            highest = _mm256_max_epu8(highest, code);
            found = _mm256_or_si256(found, answer);
            bits[half] = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(answer, 7));
        }
        __builtin_memcpy(out + at / 8, bits, sizeof bits);
    }
    uint8_t answers[32], codes_seen[32];
    _mm256_storeu_si256((__m256i *)(void *)answers, found);
    _mm256_storeu_si256((__m256i *)(void *)codes_seen, highest);
    for (int i = 0; i < 32; i++) {
        *all = (uint8_t)(*all | answers[i] | (codes_seen[i] >= SMALL ? STOA_CODE_IS_NONE : 0));
    }
    return at;
}

AVX512 int64_t stoa_match_codes_u8_avx512(const uint8_t *codes, int64_t count,
                                          const uint8_t matches[256], uint8_t *out, uint8_t *all) {
    __m512i table[4];
    for (int i = 0; i < 4; i++) {
        table[i] = _mm512_loadu_si512(matches + 64 * i);
    }
    const __m512i one = _mm512_set1_epi8(STOA_CODE_MATCHES);
    __m512i found = _mm512_setzero_si512();
    int64_t at = 0;
    for (; at + STEP <= count; at += STEP) {
        const __m512i code = _mm512_loadu_si512(codes + at);
        const __m512i low = _mm512_permutex2var_epi8(table[0], code, table[1]);
        const __m512i high = _mm512_permutex2var_epi8(table[2], code, table[3]);
        const __m512i answer = _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
        const uint64_t bits = _mm512_test_epi8_mask(answer, one);
        found = _mm512_or_si512(found, answer);
        __builtin_memcpy(out + at / 8, &bits, sizeof bits);
    }
    uint8_t answers[64];
    _mm512_storeu_si512(answers, found);
    for (int i = 0; i < 64; i++) {
        *all = (uint8_t)(*all | answers[i]);
    }
    return at;
}

#else

int64_t stoa_match_codes_u8_avx2(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                                 uint8_t *out, uint8_t *all) {
    (void)codes, (void)count, (void)matches, (void)out, (void)all;
    return 0;
}

int64_t stoa_match_codes_u8_avx512(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                                   uint8_t *out, uint8_t *all) {
    (void)codes, (void)count, (void)matches, (void)out, (void)all;
    return 0;
}

#endif
