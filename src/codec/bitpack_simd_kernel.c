/* One idea in all of them: a byte shuffle puts the bytes that hold value i into lane i, a shift by
 * lane drops the bits before the value, a mask those behind. A lane of 32 bits holds any value of up to
 * 25 bits wherever it begins in its first byte; one of 64 bits, up to 57.
 *
 * AVX-512 loads with a mask, so the last part is like the others; AVX2 leaves it to the plain form.
 *
 * Source   D. Lemire, L. Boytsov: Decoding billions of integers per second through vectorization */
#include "codec/bitpack_simd_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { IN_32_BITS = 25, IN_64_BITS = 57, LOAD = 16 };

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")))

/* Eight values are `width` bytes: the first four start at bit 0, the others at bit 4 * width. */
AVX2 size_t stoa_bitunpack_u32_avx2(const uint8_t *bytes, size_t count, int width, uint32_t *out) {
    if (width < 1 || width > IN_32_BITS) {
        return 0;
    }
    const size_t second = (size_t)width / 2;
    const int phase = 4 * (width & 1);
    const __m256i bit = _mm256_add_epi32(_mm256_mullo_epi16(_mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2,
                                                                              3),
                                                            _mm256_set1_epi32(width)),
                                         _mm256_setr_epi32(0, 0, 0, 0, phase, phase, phase, phase));
    const __m256i shift = _mm256_and_si256(bit, _mm256_set1_epi32(7));
    const __m256i first = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0,
                                           0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    const __m256i place = _mm256_add_epi8(_mm256_shuffle_epi8(_mm256_srli_epi32(bit, 3), first),
                                          _mm256_set1_epi32(0x03020100));
    const __m256i mask = _mm256_set1_epi32((int)((1u << width) - 1));
    size_t left = count / 8 * (size_t)width;
    size_t done = 0;
    for (; done < count && left >= second + LOAD; done += 8) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)bytes);
        const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(bytes + second));
        __m256i lanes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        lanes = _mm256_srlv_epi32(_mm256_shuffle_epi8(lanes, place), shift);
        _mm256_storeu_si256((__m256i *)(void *)(out + done), _mm256_and_si256(lanes, mask));
        bytes += width;
        left -= (size_t)width;
    }
    return done;
}

AVX512 static inline __mmask64 first_bits(size_t count) {
    return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/* Bytes 0 of the lanes of 64 bits, spread over their lanes, and counted up: where each byte is. */
AVX512 static inline __m512i places_64(__m512i byte) {
    const __m512i first = _mm512_set_epi64(0x0808080808080808, 0, 0x0808080808080808, 0,
                                           0x0808080808080808, 0, 0x0808080808080808, 0);
    return _mm512_add_epi8(_mm512_shuffle_epi8(byte, first), _mm512_set1_epi64(0x0706050403020100));
}

AVX512 static inline __m512i bits_64(int width) {
    return _mm512_mullo_epi16(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(width));
}

/* 64 values are eight words of eight values; one instruction cuts a word into eight bytes. */
AVX512 size_t stoa_bitunpack_u8_avx512(const uint8_t *bytes, size_t count, int width,
                                       uint8_t *out) {
    if (width < 1 || width > 8) {
        return 0;
    }
    const uint64_t cuts = UINT64_C(0x0706050403020100) * (uint64_t)width;
    const __m512i place = places_64(bits_64(width));
    const __m512i cut = _mm512_set1_epi64((long long)cuts);
    const __m512i mask = _mm512_set1_epi8((char)((1u << width) - 1));
    for (size_t done = 0; done < count; done += 64, bytes += 8 * width) {
        const size_t now = count - done < 64 ? count - done : 64;
        __m512i lanes = _mm512_maskz_loadu_epi8(first_bits(now / 8 * (size_t)width), bytes);
        lanes = _mm512_multishift_epi64_epi8(cut, _mm512_permutexvar_epi8(place, lanes));
        _mm512_mask_storeu_epi8(out + done, first_bits(now), _mm512_and_si512(lanes, mask));
    }
    return count;
}

AVX512 static size_t unpack_narrow(const uint8_t *bytes, size_t count, int width, uint32_t *out) {
    const __m512i bit = _mm512_mullo_epi16(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                                             12, 13, 14, 15),
                                           _mm512_set1_epi32(width));
    const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi32(7));
    const __m512i first = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    const __m512i place = _mm512_add_epi8(_mm512_shuffle_epi8(_mm512_srli_epi32(bit, 3), first),
                                          _mm512_set1_epi32(0x03020100));
    const __m512i mask = _mm512_set1_epi32((int)((1u << width) - 1));
    for (size_t done = 0; done < count; done += 16, bytes += 2 * width) {
        const size_t now = count - done < 16 ? 8 : 16;
        __m512i lanes = _mm512_maskz_loadu_epi8(first_bits(now / 8 * (size_t)width), bytes);
        lanes = _mm512_srlv_epi32(_mm512_permutexvar_epi8(place, lanes), shift);
        _mm512_mask_storeu_epi32(out + done, (__mmask16)first_bits(now),
                                 _mm512_and_si512(lanes, mask));
    }
    return count;
}

AVX512 size_t stoa_bitunpack_u32_avx512(const uint8_t *bytes, size_t count, int width,
                                        uint32_t *out) {
    if (width < 1 || width > 32) {
        return 0;
    }
    if (width <= IN_32_BITS) {
        return unpack_narrow(bytes, count, width, out);
    }
    const __m512i bit = bits_64(width);
    const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi64(7));
    const __m512i place = places_64(_mm512_srli_epi64(bit, 3));
    const __m512i mask = _mm512_set1_epi64((long long)((UINT64_C(1) << width) - 1));
    for (size_t done = 0; done < count; done += 8, bytes += width) {
        __m512i lanes = _mm512_maskz_loadu_epi8(first_bits((size_t)width), bytes);
        lanes = _mm512_srlv_epi64(_mm512_permutexvar_epi8(place, lanes), shift);
        _mm256_storeu_si256((__m256i *)(void *)(out + done),
                            _mm512_cvtepi64_epi32(_mm512_and_si512(lanes, mask)));
    }
    return count;
}

AVX512 size_t stoa_bitunpack_u64_avx512(const uint8_t *bytes, size_t count, int width,
                                        uint64_t *out) {
    if (width < 1 || width > IN_64_BITS) {
        return 0;
    }
    const __m512i bit = bits_64(width);
    const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi64(7));
    const __m512i place = places_64(_mm512_srli_epi64(bit, 3));
    const __m512i mask = _mm512_set1_epi64((long long)((UINT64_C(1) << width) - 1));
    for (size_t done = 0; done < count; done += 8, bytes += width) {
        __m512i lanes = _mm512_maskz_loadu_epi8(first_bits((size_t)width), bytes);
        lanes = _mm512_srlv_epi64(_mm512_permutexvar_epi8(place, lanes), shift);
        _mm512_storeu_si512(out + done, _mm512_and_si512(lanes, mask));
    }
    return count;
}

#else

#define NOWHERE(NAME, TYPE)                                                                        \
    size_t NAME(const uint8_t *bytes, size_t count, int width, TYPE *out) {                        \
        (void)bytes, (void)count, (void)width, (void)out;                                          \
        return 0;                                                                                  \
    }
NOWHERE(stoa_bitunpack_u32_avx2, uint32_t)
NOWHERE(stoa_bitunpack_u8_avx512, uint8_t)
NOWHERE(stoa_bitunpack_u32_avx512, uint32_t)
NOWHERE(stoa_bitunpack_u64_avx512, uint64_t)

#endif
