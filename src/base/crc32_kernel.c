/* The bytes are a polynomial over GF(2), and a CRC its remainder by P. A vector times x^n mod P has the
 * same remainder as the vector n bits earlier, so all bytes are folded into 16, whose remainder is then
 * taken as if they were the bytes. Four vectors at a time hide the latency of the multiplications.
 *
 * A lane of 128 bits holds two halves, the first one 64 bits further from the end: to move it by n bits
 * they are multiplied by x^(n+32) and x^(n-32) mod P, bits reversed, one to the left because the product
 * of two reversed numbers lies one bit off.
 *
 * Source   V. Gopal et al.: Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction */
#include "base/crc32_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <libdeflate.h>

#include "base/bytes.h"
#include "base/cpu.h"

enum { VECTOR = 64, STRIDE = 4 * VECTOR };

#define AVX512 __attribute__((target("avx512f,avx512dq,vpclmulqdq,pclmul,sse4.2")))

AVX512 static inline __m512i load(const uint8_t *bytes) {
    return _mm512_loadu_si512(bytes);
}

/* `lanes` moved towards the end by what `by` stands for, plus what is there. */
AVX512 static inline __m512i fold(__m512i lanes, __m512i by, __m512i there) {
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, by, 0x00),
                                     _mm512_clmulepi64_epi128(lanes, by, 0x11), there, 0x96);
}

/* What halves of lanes are multiplied by to move by so many bits; of a vector each lane by its own. */
struct factors {
    long long by_2048[2], by_512[2], by_lane[8];
};
static const struct factors iso = {
    {0x11542778a, 0x1322d1430},
    {0x154442bd4, 0x1c6e41596},
    {0x3db1ecdc, 0x174359406, 0xf1da05aa, 0x15a546366, 0x1751997d0, 0xccaa009e, 0, 0}};
static const struct factors castagnoli = {
    {0xdcb17aa4, 0xb9e02b86},
    {0x740eef02, 0x9e4addf8},
    {0x1c291d04, 0x1d82c63da, 0x1384aa63a, 0xba4fc28e, 0xf20c0dfe, 0x14cd00bd6, 0, 0}};

AVX512 static inline __m512i in_each_lane(const long long halves[2]) {
    return _mm512_broadcast_i64x2(_mm_set_epi64x(halves[1], halves[0]));
}

/* Folds a leading part of the bytes, whose length it returns, into `rest`: their remainder is what a state
 * of zeros comes to over these 16. */
AVX512 static size_t fold_all(const struct factors *by, uint32_t state, const uint8_t *bytes,
                              size_t size, uint8_t rest[16]) {
    const __m512i by_2048 = in_each_lane(by->by_2048), by_512 = in_each_lane(by->by_512);
    const __m512i by_lane = _mm512_loadu_si512(by->by_lane);
    __m512i a = _mm512_xor_si512(load(bytes), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)state)));
    __m512i b = load(bytes + VECTOR);
    __m512i c = load(bytes + 2 * VECTOR);
    __m512i d = load(bytes + 3 * VECTOR);
    size_t done = STRIDE;
    for (; size - done >= STRIDE; done += STRIDE) {
        a = fold(a, by_2048, load(bytes + done));
        b = fold(b, by_2048, load(bytes + done + VECTOR));
        c = fold(c, by_2048, load(bytes + done + 2 * VECTOR));
        d = fold(d, by_2048, load(bytes + done + 3 * VECTOR));
    }
    a = fold(fold(fold(a, by_512, b), by_512, c), by_512, d);
    for (; size - done >= VECTOR; done += VECTOR) {
        a = fold(a, by_512, load(bytes + done));
    }
    /* The last lane stays where it is, the others come to it. */
    const __m512i last = _mm512_maskz_mov_epi64(0xC0, a);
    const __m512i moved = fold(a, by_lane, last);
    const __m256i halves = _mm256_xor_si256(_mm512_castsi512_si256(moved),
                                            _mm512_extracti64x4_epi64(moved, 1));
    _mm_storeu_si128((__m128i *)(void *)rest, _mm_xor_si128(_mm256_castsi256_si128(halves),
                                                            _mm256_extracti128_si256(halves, 1)));
    return done;
}

static bool can_fold(size_t size) {
    return size >= STRIDE && stoa_cpu_level() >= STOA_CPU_AVX512 &&
           __builtin_cpu_supports("vpclmulqdq");
}

size_t stoa_crc32_avx512(uint32_t *crc, const uint8_t *bytes, size_t size) {
    uint8_t rest[16];
    if (!can_fold(size)) {
        return 0;
    }
    const size_t done = fold_all(&iso, ~*crc, bytes, size, rest);
    *crc = libdeflate_crc32(UINT32_MAX, rest, sizeof rest);
    return done;
}

AVX512 size_t stoa_crc32c_avx512(uint32_t *crc, const uint8_t *bytes, size_t size) {
    uint8_t rest[16];
    if (!can_fold(size)) {
        return 0;
    }
    const size_t done = fold_all(&castagnoli, ~*crc, bytes, size, rest);
    const uint64_t state = _mm_crc32_u64(_mm_crc32_u64(0, stoa_load_u64(rest)),
                                         stoa_load_u64(rest + 8));
    *crc = ~(uint32_t)state;
    return done;
}

#else

size_t stoa_crc32_avx512(uint32_t *crc, const uint8_t *bytes, size_t size) {
    (void)crc, (void)bytes, (void)size;
    return 0;
}

size_t stoa_crc32c_avx512(uint32_t *crc, const uint8_t *bytes, size_t size) {
    (void)crc, (void)bytes, (void)size;
    return 0;
}

#endif
