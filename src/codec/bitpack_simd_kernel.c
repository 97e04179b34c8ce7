/* The idea stands in bitpack_avx512.h; AVX2 has it with eight lanes of 32 bits in two halves. AVX-512
 * loads with a mask, so the last part is like the others; AVX2 leaves it to the plain form. */
#include "codec/bitpack_simd_kernel.h"

#include <string.h>

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

/* ---- Packing --------------------------------------------------------------------------------- */

#define AVX512_BMI2                                                                                \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi2")))

/* Eight values are narrowed to lanes of 8, 16 or 32 bits, and the bits of the lanes of a word that count
 * are drawn together by one instruction. A store may reach beyond the group's bytes, but not beyond
 * `room`. */
AVX512_BMI2 static inline void put_word(uint8_t *out, size_t at, size_t room, uint64_t word) {
    if (at + sizeof word <= room) {
        memcpy(out + at, &word, sizeof word);
    } else if (at < room) {
        memcpy(out + at, &word, room - at);
    }
}

/* `lanes` words of `bits` each, together 8 * width bits. */
AVX512_BMI2 static inline void put_words(uint8_t *out, size_t room, const uint64_t *words, int lanes,
                                         int bits) {
    uint64_t pending = 0;
    int filled = 0;
    size_t at = 0;
    for (int i = 0; i < lanes; i++) {
        pending |= words[i] << filled;
        if (filled + bits >= 64) {
            put_word(out, at, room, pending);
            at += 8;
            pending = filled == 0 ? 0 : words[i] >> (64 - filled);
            filled += bits - 64;
        } else {
            filled += bits;
        }
    }
    if (filled > 0) {
        put_word(out, at, room, pending);
    }
}

AVX512_BMI2 static inline uint64_t lane_mask(int width, int lane_bits) {
    const uint64_t one = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    uint64_t mask = 0;
    for (int bit = 0; bit < 64; bit += lane_bits) {
        mask |= one << bit;
    }
    return mask;
}

AVX512_BMI2 static inline void pack_bytes(uint8_t *out, size_t room, __m128i bytes, uint64_t mask) {
    put_word(out, 0, room, _pext_u64((uint64_t)_mm_cvtsi128_si64(bytes), mask));
}

AVX512_BMI2 static inline void pack_words(uint8_t *out, size_t room, __m128i words, uint64_t mask,
                                          int width) {
    const uint64_t drawn[2] = {_pext_u64((uint64_t)_mm_cvtsi128_si64(words), mask),
                               _pext_u64((uint64_t)_mm_extract_epi64(words, 1), mask)};
    put_words(out, room, drawn, 2, 4 * width);
}

AVX512_BMI2 static inline void pack_doublewords(uint8_t *out, size_t room, const uint32_t *values,
                                                uint64_t mask, int width) {
    uint64_t drawn[4];
    memcpy(drawn, values, sizeof drawn);
    for (int i = 0; i < 4; i++) {
        drawn[i] = _pext_u64(drawn[i], mask);
    }
    put_words(out, room, drawn, 4, 2 * width);
}

AVX512_BMI2 size_t stoa_bitpack_u32_avx512(const uint32_t *values, size_t count, int width,
                                           uint8_t *out) {
    if (width < 1 || width > 32) {
        return 0;
    }
    const uint64_t mask = lane_mask(width, width <= 8 ? 8 : width <= 16 ? 16 : 32);
    size_t room = count / 8 * (size_t)width;
    for (size_t done = 0; done < count; done += 8, out += width, room -= (size_t)width) {
        const __m256i lanes = _mm256_loadu_si256((const __m256i *)(const void *)(values + done));
        if (width <= 8) {
            pack_bytes(out, room, _mm256_cvtepi32_epi8(lanes), mask);
        } else if (width <= 16) {
            pack_words(out, room, _mm256_cvtepi32_epi16(lanes), mask, width);
        } else {
            pack_doublewords(out, room, values + done, mask, width);
        }
    }
    return count;
}

AVX512_BMI2 size_t stoa_bitpack_u64_avx512(const uint64_t *values, size_t count, int width,
                                           uint8_t *out) {
    if (width < 1 || width > 32) {
        return 0;
    }
    const uint64_t mask = lane_mask(width, width <= 8 ? 8 : width <= 16 ? 16 : 32);
    size_t room = count / 8 * (size_t)width;
    for (size_t done = 0; done < count; done += 8, out += width, room -= (size_t)width) {
        const __m512i lanes = _mm512_loadu_si512(values + done);
        if (width <= 8) {
            pack_bytes(out, room, _mm512_cvtepi64_epi8(lanes), mask);
        } else if (width <= 16) {
            pack_words(out, room, _mm512_cvtepi64_epi16(lanes), mask, width);
        } else {
            uint32_t narrow[8];
            _mm256_storeu_si256((__m256i *)(void *)narrow, _mm512_cvtepi64_epi32(lanes));
            pack_doublewords(out, room, narrow, mask, width);
        }
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

#define NOWHERE_PACKED(NAME, TYPE)                                                                 \
    size_t NAME(const TYPE *values, size_t count, int width, uint8_t *out) {                       \
        (void)values, (void)count, (void)width, (void)out;                                         \
        return 0;                                                                                  \
    }
NOWHERE_PACKED(stoa_bitpack_u32_avx512, uint32_t)
NOWHERE_PACKED(stoa_bitpack_u64_avx512, uint64_t)

#endif
