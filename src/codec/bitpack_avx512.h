/* Cutting packed values out of bytes with AVX-512: what bitpack_simd_kernel.c and delta_simd_kernel.c
 * have in common.
 *
 * A byte shuffle puts the bytes that hold value i into lane i, a shift by lane drops the bits before the
 * value, a mask those behind. A lane of 32 bits holds any value of up to 25 bits wherever it begins in
 * its first byte; one of 64 bits, up to 57.
 *
 * Source   D. Lemire, L. Boytsov: Decoding billions of integers per second through vectorization */
#ifndef STOA_CODEC_BITPACK_AVX512_H
#define STOA_CODEC_BITPACK_AVX512_H

#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { STOA_CUT_32_WIDTH_MAX = 25, STOA_CUT_64_WIDTH_MAX = 57 };

#define STOA_AVX512                                                                                \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")))

typedef struct stoa_cutter {
    __m512i place;
    __m512i shift;
    __m512i mask;
    __mmask64 bytes; /* of one vector of values */
} stoa_cutter;

STOA_AVX512 static inline __mmask64 stoa_first_bits(size_t count) {
    return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/// Where the bytes of eight lanes are, from where each lane's first is.
STOA_AVX512 static inline __m512i stoa_cut_places_64(__m512i byte) {
    const __m512i first = _mm512_set_epi64(0x0808080808080808, 0, 0x0808080808080808, 0,
                                           0x0808080808080808, 0, 0x0808080808080808, 0);
    return _mm512_add_epi8(_mm512_shuffle_epi8(byte, first), _mm512_set1_epi64(0x0706050403020100));
}

/// For 16 values at a time, of 1 to STOA_CUT_32_WIDTH_MAX bits.
STOA_AVX512 static inline stoa_cutter stoa_cutter_32(int width) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    const __m512i bit = _mm512_mullo_epi16(lanes, _mm512_set1_epi32(width));
    return (stoa_cutter){
        .place = _mm512_add_epi8(_mm512_shuffle_epi8(_mm512_srli_epi32(bit, 3), first),
                                 _mm512_set1_epi32(0x03020100)),
        .shift = _mm512_and_si512(bit, _mm512_set1_epi32(7)),
        .mask = _mm512_set1_epi32((int)((1u << width) - 1)),
        .bytes = stoa_first_bits(2 * (size_t)width),
    };
}

/// For 8 values at a time, of 1 to STOA_CUT_64_WIDTH_MAX bits.
STOA_AVX512 static inline stoa_cutter stoa_cutter_64(int width) {
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i bit = _mm512_mullo_epi16(lanes, _mm512_set1_epi64(width));
    return (stoa_cutter){
        .place = stoa_cut_places_64(_mm512_srli_epi64(bit, 3)),
        .shift = _mm512_and_si512(bit, _mm512_set1_epi64(7)),
        .mask = _mm512_set1_epi64((long long)((UINT64_C(1) << width) - 1)),
        .bytes = stoa_first_bits((size_t)width),
    };
}

/// Reads the bytes that `loaded` names and no others.
STOA_AVX512 static inline __m512i stoa_cut_32(const stoa_cutter *cutter, __mmask64 loaded,
                                              const uint8_t *bytes) {
    const __m512i lanes = _mm512_permutexvar_epi8(cutter->place,
                                                  _mm512_maskz_loadu_epi8(loaded, bytes));
    return _mm512_and_si512(_mm512_srlv_epi32(lanes, cutter->shift), cutter->mask);
}
STOA_AVX512 static inline __m512i stoa_cut_64(const stoa_cutter *cutter, const uint8_t *bytes) {
    const __m512i lanes = _mm512_permutexvar_epi8(cutter->place,
                                                  _mm512_maskz_loadu_epi8(cutter->bytes, bytes));
    return _mm512_and_si512(_mm512_srlv_epi64(lanes, cutter->shift), cutter->mask);
}

#endif

#endif
