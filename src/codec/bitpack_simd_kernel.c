/* The idea stands in bitpack_avx512.h; AVX2 has it with eight lanes of 32 bits in two halves. AVX-512
 * loads with a mask, so the last part is like the others; AVX2 leaves it to the plain form. */
#include "codec/bitpack_simd_kernel.h"

#if defined(__x86_64__)
#include "codec/bitpack_avx512.h"

enum { LOAD = 16 };

#define AVX2 __attribute__((target("avx2")))

/* Eight values are `width` bytes: the first four start at bit 0, the others at bit 4 * width. */
AVX2 size_t stoa_bitunpack_u32_avx2(const uint8_t *bytes, size_t count, int width, uint32_t *out) {
    if (width < 1 || width > STOA_CUT_32_WIDTH_MAX) {
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

/* 64 values are eight words of eight values; one instruction cuts a word into eight bytes. */
STOA_AVX512 size_t stoa_bitunpack_u8_avx512(const uint8_t *bytes, size_t count, int width,
                                            uint8_t *out) {
    if (width < 1 || width > 8) {
        return 0;
    }
    const __m512i start = _mm512_setr_epi64(0, width, 2 * width, 3 * width, 4 * width, 5 * width,
                                            6 * width, 7 * width);
    const __m512i place = stoa_cut_places_64(start);
    const __m512i cut = _mm512_set1_epi64(
        (long long)(UINT64_C(0x0706050403020100) * (uint64_t)width));
    const __m512i mask = _mm512_set1_epi8((char)((1u << width) - 1));
    for (size_t done = 0; done < count; done += 64, bytes += 8 * width) {
        const size_t now = count - done < 64 ? count - done : 64;
        __m512i lanes = _mm512_maskz_loadu_epi8(stoa_first_bits(now / 8 * (size_t)width), bytes);
        lanes = _mm512_multishift_epi64_epi8(cut, _mm512_permutexvar_epi8(place, lanes));
        _mm512_mask_storeu_epi8(out + done, stoa_first_bits(now), _mm512_and_si512(lanes, mask));
    }
    return count;
}

STOA_AVX512 static size_t unpack_narrow(const uint8_t *bytes, size_t count, int width,
                                        uint32_t *out) {
    const stoa_cutter cutter = stoa_cutter_32(width);
    size_t done = 0;
    for (; done + 16 <= count; done += 16, bytes += 2 * width) {
        _mm512_storeu_si512(out + done, stoa_cut_32(&cutter, cutter.bytes, bytes));
    }
    if (done < count) {
        const __m512i lanes = stoa_cut_32(&cutter, stoa_first_bits((size_t)width), bytes);
        _mm256_storeu_si256((__m256i *)(void *)(out + done), _mm512_castsi512_si256(lanes));
    }
    return count;
}

STOA_AVX512 size_t stoa_bitunpack_u32_avx512(const uint8_t *bytes, size_t count, int width,
                                             uint32_t *out) {
    if (width < 1 || width > 32) {
        return 0;
    }
    if (width <= STOA_CUT_32_WIDTH_MAX) {
        return unpack_narrow(bytes, count, width, out);
    }
    const stoa_cutter cutter = stoa_cutter_64(width);
    for (size_t done = 0; done < count; done += 8, bytes += width) {
        _mm256_storeu_si256((__m256i *)(void *)(out + done),
                            _mm512_cvtepi64_epi32(stoa_cut_64(&cutter, bytes)));
    }
    return count;
}

STOA_AVX512 size_t stoa_bitunpack_u64_avx512(const uint8_t *bytes, size_t count, int width,
                                             uint64_t *out) {
    if (width < 1 || width > STOA_CUT_64_WIDTH_MAX) {
        return 0;
    }
    const stoa_cutter cutter = stoa_cutter_64(width);
    for (size_t done = 0; done < count; done += 8, bytes += width) {
        _mm512_storeu_si512(out + done, stoa_cut_64(&cutter, bytes));
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
