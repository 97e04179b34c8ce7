/* The idea of the fast forms stands in codec/bitpack_avx512.h. Eight rows are `bits` bytes, so groups of
 * eight rows begin with a byte, and a frame is eight groups with one base.
 *
 * Bodies that the compiler makes vectors of are written once and compiled twice: baseline x86-64 has no
 * comparison of 64-bit integers. */
#include "lsm/segment_kernel.h"

#include "base/cpu.h"
#include "base/error.h"
#include "codec/bitpack_kernel.h"

#if defined(__x86_64__)
#include "codec/bitpack_avx512.h"
#endif

/* ---- Plain forms ----------------------------------------------------------------------------- */

/* Up to a frame of numbers, within one frame; `first` and `count` are multiples of 8. */
static void numbers_of_frame(const stoa_frames *frames, size_t first, size_t count,
                             uint64_t numbers[STOA_FRAME_ROWS]) {
    const uint64_t base = stoa_frames_base(frames, first);
    stoa_bitunpack_u64(frames->packed + first / 8 * (size_t)frames->bits, count, frames->bits,
                       numbers);
    for (size_t i = 0; i < count; i++) {
        numbers[i] += base + (uint64_t)frames->slope * i;
    }
}

static size_t rows_of_frame(size_t row, size_t end) {
    const size_t left = STOA_FRAME_ROWS - row % STOA_FRAME_ROWS;
    return end - row < left ? end - row : left;
}

#define STORE(type)                                                                                \
    for (size_t i = 0; i < count; i++) {                                                           \
        const type value = (type)(int64_t)numbers[i];                                              \
        memcpy(out + i * sizeof value, &value, sizeof value);                                      \
    }

static void store_numbers(const stoa_frames *frames, const uint64_t *numbers, size_t count,
                          int value_bytes, uint8_t *out) {
    if (frames->divisor != 0) {
        for (size_t i = 0; i < count; i++) {
            const double value = stoa_frames_double(frames, (int64_t)numbers[i]);
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        return;
    }
    switch (value_bytes) {
    case 1: STORE(int8_t) break;
    case 2: STORE(int16_t) break;
    case 4: STORE(int32_t) break;
    case 16: STORE(__int128) break;
    default: memcpy(out, numbers, count * sizeof *numbers); break;
    }
}

void stoa_frames_read_plain(const stoa_frames *frames, size_t first, size_t count, int value_bytes,
                            uint8_t *out) {
    uint64_t numbers[STOA_FRAME_ROWS];
    for (size_t row = first, end = first + count, rows; row < end; row += rows) {
        rows = rows_of_frame(row, end);
        numbers_of_frame(frames, row, rows, numbers);
        store_numbers(frames, numbers, rows, value_bytes, out);
        out += rows * (size_t)value_bytes;
    }
}

void stoa_frames_choose_plain(const stoa_frames *frames, size_t first, size_t count,
                              const uint8_t *bits, int value_bytes, uint8_t *out) {
    uint64_t numbers[STOA_FRAME_ROWS];
    for (size_t row = first, end = first + count, rows; row < end; row += rows) {
        size_t chosen = 0;
        rows = rows_of_frame(row, end);
        numbers_of_frame(frames, row, rows, numbers);
        for (size_t i = 0; i < rows; i++) {
            numbers[chosen] = numbers[i];
            chosen += (size_t)(bits[(row - first + i) / 8] >> (row - first + i) % 8 & 1);
        }
        store_numbers(frames, numbers, chosen, value_bytes, out);
        out += chosen * (size_t)value_bytes;
    }
}

void stoa_frames_between_plain(const stoa_frames *frames, size_t first, size_t count, uint64_t low,
                               uint64_t span, uint8_t *out) {
    uint64_t numbers[STOA_FRAME_ROWS];
    for (size_t row = first, end = first + count, rows; row < end; row += rows) {
        rows = rows_of_frame(row, end);
        numbers_of_frame(frames, row, rows, numbers);
        for (size_t i = 0; i < rows; i += 8) {
            unsigned bits = 0;
            for (size_t bit = 0; bit < 8; bit++) {
                bits |= (unsigned)(numbers[i + bit] - low <= span) << bit;
            }
            *out++ = (uint8_t)bits;
        }
    }
}

/* ---- AVX-512 --------------------------------------------------------------------------------- */

#if defined(__x86_64__)

struct lines {
    stoa_cutter cutter;
    __m512i lanes; /* slope times 0 to 7 */
    __m512i step;  /* slope times 8 */
};

STOA_AVX512 static inline struct lines lines_of(const stoa_frames *frames) {
    const __m512i places = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    return (struct lines){stoa_cutter_64(frames->bits),
                          _mm512_mullo_epi64(places, _mm512_set1_epi64(frames->slope)),
                          _mm512_set1_epi64((long long)((uint64_t)frames->slope * 8))};
}

/* Doubles of whole numbers, divided, and the units in the last place put on. The product with the reciprocal
 * is at most two units in the last place away from the quotient. The divisor is a whole number below 2^30,
 * so what that leaves of the dividend has few bits, which a fused multiplication gives exactly; and no
 * quotient comes so near to the middle of two doubles that adding its share could round to another one
 * than a division does, at several times the cost.
 *
 * Source   P. Markstein: Computation of elementary functions on the IBM RISC System/6000 processor */
struct scale {
    __m512d divisor;
    __m512d reciprocal;
    __m512i units_mask;
    __m512i units_bias;
    __m128i correction;
};

STOA_AVX512 static inline struct scale scale_of(const stoa_frames *frames) {
    const long long one = 1LL << frames->correction;
    return (struct scale){_mm512_set1_pd(frames->divisor), _mm512_set1_pd(1 / frames->divisor),
                          _mm512_set1_epi64(one - 1), _mm512_set1_epi64(one >> 1),
                          _mm_cvtsi32_si128(frames->correction)};
}

STOA_AVX512 static inline __m512i doubles_of(const struct scale *scale, __m512i numbers) {
    const __m512d whole = _mm512_cvtepi64_pd(_mm512_sra_epi64(numbers, scale->correction));
    const __m512d near = _mm512_mul_pd(whole, scale->reciprocal);
    const __m512d left = _mm512_fnmadd_pd(near, scale->divisor, whole);
    const __m512i values = _mm512_castpd_si512(_mm512_fmadd_pd(left, scale->reciprocal, near));
    const __m512i units = _mm512_and_si512(numbers, scale->units_mask);
    return _mm512_add_epi64(values, _mm512_sub_epi64(units, scale->units_bias));
}

STOA_AVX512 static inline void store_eight(__m512i numbers, int value_bytes, uint8_t *out) {
    switch (value_bytes) {
    case 1: _mm_storel_epi64((__m128i *)(void *)out, _mm512_cvtepi64_epi8(numbers)); break;
    case 2: _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtepi64_epi16(numbers)); break;
    case 4: _mm256_storeu_si256((__m256i *)(void *)out, _mm512_cvtepi64_epi32(numbers)); break;
    case 16: {
        const __m512i low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
        const __m512i high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
        const __m512i signs = _mm512_srai_epi64(numbers, 63);
        _mm512_storeu_si512(out, _mm512_permutex2var_epi64(numbers, low, signs));
        _mm512_storeu_si512(out + 64, _mm512_permutex2var_epi64(numbers, high, signs));
        break;
    }
    default: _mm512_storeu_si512(out, numbers); break;
    }
}

/* Far enough ahead for a line to come from memory; the machine itself asks for the next lines, but not
 * beyond a page. What is behind the segment is the next one, mostly. */
enum { AHEAD_BYTES = 1024 };

/* The width, and whether numbers are divided, are constants in each copy. */
STOA_AVX512 __attribute__((always_inline)) static inline void read_eights(
    const stoa_frames *all, size_t first, size_t count, int value_bytes, bool is_divided,
    uint8_t *out) {
    const stoa_frames local = *all, *frames = &local; /* which bytes that are written do not alias */
    const struct lines line = lines_of(frames);
    const struct scale scale = is_divided ? scale_of(frames) : (struct scale){.divisor = {0}};
    const size_t bits = (size_t)frames->bits;
    const uint8_t *packed = frames->packed + first / 8 * bits;
    for (size_t row = first, end = first + count; row < end;) {
        const size_t stop = row + rows_of_frame(row, end);
        __m512i base = _mm512_add_epi64(_mm512_set1_epi64((long long)stoa_frames_base(frames, row)),
                                        line.lanes);
        for (size_t at = 0; at < (stop - row) / 8 * bits; at += 64) {
            __builtin_prefetch(packed + AHEAD_BYTES + at);
        }
        for (; row < stop; row += 8) {
            __m512i numbers = _mm512_add_epi64(stoa_cut_64(&line.cutter, packed), base);
            if (is_divided) {
                numbers = doubles_of(&scale, numbers);
            }
            store_eight(numbers, value_bytes, out);
            base = _mm512_add_epi64(base, line.step);
            packed += bits;
            out += 8 * value_bytes;
        }
    }
}

STOA_AVX512 static void read_avx512(const stoa_frames *frames, size_t first, size_t count,
                                    int value_bytes, uint8_t *out) {
    if (frames->divisor != 0) {
        read_eights(frames, first, count, 8, true, out);
        return;
    }
    switch (value_bytes) {
    case 1: read_eights(frames, first, count, 1, false, out); break;
    case 2: read_eights(frames, first, count, 2, false, out); break;
    case 4: read_eights(frames, first, count, 4, false, out); break;
    case 16: read_eights(frames, first, count, 16, false, out); break;
    default: read_eights(frames, first, count, 8, false, out); break;
    }
}

/* Groups of eight of which none is chosen are not looked at. */
STOA_AVX512 __attribute__((always_inline)) static inline void choose_eights(
    const stoa_frames *all, size_t first, size_t count, const uint8_t *bits, int value_bytes,
    bool is_divided, uint8_t *out) {
    const stoa_frames local = *all, *frames = &local; /* which bytes that are written do not alias */
    const struct lines line = lines_of(frames);
    const struct scale scale = is_divided ? scale_of(frames) : (struct scale){.divisor = {0}};
    const size_t width = (size_t)frames->bits;
    const uint8_t *packed = frames->packed + first / 8 * width;
    for (size_t row = first, end = first + count; row < end;) {
        const size_t stop = row + rows_of_frame(row, end);
        __m512i base = _mm512_add_epi64(_mm512_set1_epi64((long long)stoa_frames_base(frames, row)),
                                        line.lanes);
        for (size_t at = 0; at < (stop - row) / 8 * width; at += 64) {
            __builtin_prefetch(packed + AHEAD_BYTES + at);
        }
        for (; row < stop; row += 8) {
            const __mmask8 chosen = *bits++;
            if (chosen != 0) {
                __m512i numbers = _mm512_add_epi64(stoa_cut_64(&line.cutter, packed), base);
                if (is_divided) {
                    numbers = doubles_of(&scale, numbers);
                }
                store_eight(_mm512_maskz_compress_epi64(chosen, numbers), value_bytes, out);
                out += __builtin_popcount(chosen) * value_bytes;
            }
            base = _mm512_add_epi64(base, line.step);
            packed += width;
        }
    }
}

STOA_AVX512 static void choose_avx512(const stoa_frames *frames, size_t first, size_t count,
                                      const uint8_t *bits, int value_bytes, uint8_t *out) {
    if (frames->divisor != 0) {
        choose_eights(frames, first, count, bits, 8, true, out);
        return;
    }
    switch (value_bytes) {
    case 1: choose_eights(frames, first, count, bits, 1, false, out); break;
    case 2: choose_eights(frames, first, count, bits, 2, false, out); break;
    case 4: choose_eights(frames, first, count, bits, 4, false, out); break;
    case 16: choose_eights(frames, first, count, bits, 16, false, out); break;
    default: choose_eights(frames, first, count, bits, 8, false, out); break;
    }
}

STOA_AVX512 static void between_avx512(const stoa_frames *frames, size_t first, size_t count,
                                       uint64_t low, uint64_t span, uint8_t *out) {
    const struct lines line = lines_of(frames);
    const __m512i spans = _mm512_set1_epi64((long long)span);
    const uint8_t *packed = frames->packed + first / 8 * (size_t)frames->bits;
    for (size_t row = first, end = first + count; row < end;) {
        const size_t stop = row + rows_of_frame(row, end);
        __m512i base = _mm512_add_epi64(_mm512_set1_epi64((long long)(stoa_frames_base(frames, row) - low)),
                                        line.lanes);
        for (; row < stop; row += 8) {
            const __m512i numbers = _mm512_add_epi64(stoa_cut_64(&line.cutter, packed), base);
            *out++ = _mm512_cmple_epu64_mask(numbers, spans);
            base = _mm512_add_epi64(base, line.step);
            packed += frames->bits;
        }
    }
}

static bool is_fast(const stoa_frames *frames) {
    return frames->bits <= STOA_CUT_64_WIDTH_MAX && stoa_cpu_level() == STOA_CPU_AVX512;
}
#endif

void stoa_frames_read(const stoa_frames *frames, size_t first, size_t count, int value_bytes,
                      uint8_t *out) {
    STOA_ASSERT(first % STOA_FRAME_GROUP == 0 && count % STOA_FRAME_GROUP == 0);
#if defined(__x86_64__)
    if (is_fast(frames)) {
        read_avx512(frames, first, count, value_bytes, out);
        return;
    }
#endif
    stoa_frames_read_plain(frames, first, count, value_bytes, out);
}

void stoa_frames_choose(const stoa_frames *frames, size_t first, size_t count, const uint8_t *bits,
                        int value_bytes, uint8_t *out) {
    STOA_ASSERT(first % STOA_FRAME_GROUP == 0 && count % STOA_FRAME_GROUP == 0);
#if defined(__x86_64__)
    if (is_fast(frames)) {
        choose_avx512(frames, first, count, bits, value_bytes, out);
        return;
    }
#endif
    stoa_frames_choose_plain(frames, first, count, bits, value_bytes, out);
}

void stoa_frames_between(const stoa_frames *frames, size_t first, size_t count, uint64_t low,
                         uint64_t span, uint8_t *out) {
    STOA_ASSERT(first % STOA_FRAME_GROUP == 0 && count % STOA_FRAME_GROUP == 0);
#if defined(__x86_64__)
    if (is_fast(frames)) {
        between_avx512(frames, first, count, low, span, out);
        return;
    }
#endif
    stoa_frames_between_plain(frames, first, count, low, span, out);
}

bool stoa_codes_below(const uint8_t *packed, size_t count, int bits, uint32_t entry_count) {
    enum { BLOCK = 256 };
    uint32_t codes[BLOCK];
    STOA_ASSERT(bits <= 32);
    if (count == 0 || UINT64_C(1) << bits <= entry_count) {
        return true;
    }
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t rows = count - done < BLOCK ? count - done : BLOCK;
        uint32_t greatest = 0;
        stoa_bitunpack_u32(packed + done / 8 * (size_t)bits, (rows + 7) / 8 * 8, bits, codes);
        for (size_t i = 0; i < rows; i++) {
            greatest = codes[i] > greatest ? codes[i] : greatest;
        }
        if (greatest >= entry_count) {
            return false;
        }
    }
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

__attribute__((always_inline)) static inline void bounds(const int64_t *numbers, size_t count,
                                                         uint64_t flip, int64_t slope,
                                                         int64_t *least, int64_t *greatest) {
    for (size_t first = 0; first < count; first += STOA_FRAME_ROWS) {
        const size_t rows = rows_of_frame(first, count);
        const uint64_t line = flip - (uint64_t)slope * first;
        int64_t low = INT64_MAX, high = INT64_MIN;
        for (size_t i = 0; i < rows; i++) {
            const int64_t left = (int64_t)((uint64_t)numbers[first + i] + line -
                                           (uint64_t)slope * i);
            low = left < low ? left : low;
            high = left > high ? left : high;
        }
        *least++ = low;
        *greatest++ = high;
    }
}

__attribute__((always_inline)) static inline size_t runs(const int64_t *numbers, size_t count) {
    size_t changes = 0;
    for (size_t i = 1; i < count; i++) {
        changes += numbers[i] != numbers[i - 1];
    }
    return changes + 1;
}

__attribute__((always_inline)) static inline void differences_of(const int64_t *numbers,
                                                                 size_t count, uint64_t base,
                                                                 uint64_t slope,
                                                                 uint64_t *differences) {
    for (size_t i = 0; i < count; i++) {
        differences[i] = (uint64_t)numbers[i] - base - slope * i;
    }
}

/* Adding and taking away 1.5 * 2^52 rounds to a whole number, which then stands in the low bits. Up to
 * 2^43 a whole number is 127 units in the last place or fewer away from one value only, so it does not
 * matter whether the machine rounds the product before the sum. */
__attribute__((always_inline)) static inline void scale(const double *values, size_t count,
                                                        double power, int64_t *whole,
                                                        int16_t *units) {
    const double shift = 0x1.8p52;
    int64_t shift_bits;
    memcpy(&shift_bits, &shift, sizeof shift);
    for (size_t i = 0; i < count; i++) {
        const double product = values[i] * power;
        const double sum = product + shift;
        const double back = (sum - shift) / power;
        int64_t sum_bits, back_bits, bits;
        memcpy(&sum_bits, &sum, sizeof sum);
        memcpy(&back_bits, &back, sizeof back);
        memcpy(&bits, &values[i], sizeof bits);
        const int64_t number = (int64_t)((uint64_t)sum_bits - (uint64_t)shift_bits);
        const int64_t away = (int64_t)((uint64_t)bits - (uint64_t)back_bits);
        const bool is_small = product > -0x1p43 && product < 0x1p43;
        const bool is_near = (number != 0) & (away >= -127) & (away <= 127);
        whole[i] = number;
        units[i] = (int16_t)(is_small & (is_near | (away == 0)) ? away : STOA_UNITS_NONE);
    }
}

#if defined(__x86_64__)
STOA_AVX512 static void bounds_avx512(const int64_t *numbers, size_t count, uint64_t flip,
                                      int64_t slope, int64_t *least, int64_t *greatest) {
    bounds(numbers, count, flip, slope, least, greatest);
}
STOA_AVX512 static size_t runs_avx512(const int64_t *numbers, size_t count) {
    return runs(numbers, count);
}
STOA_AVX512 static void differences_avx512(const int64_t *numbers, size_t count, uint64_t base,
                                           uint64_t slope, uint64_t *differences) {
    differences_of(numbers, count, base, slope, differences);
}
STOA_AVX512 static void scale_avx512(const double *values, size_t count, double power,
                                     int64_t *whole, int16_t *units) {
    scale(values, count, power, whole, units);
}
#endif

void stoa_frames_bounds(const int64_t *numbers, size_t count, uint64_t flip, int64_t slope,
                        int64_t *least, int64_t *greatest) {
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512) {
        bounds_avx512(numbers, count, flip, slope, least, greatest);
        return;
    }
#endif
    bounds(numbers, count, flip, slope, least, greatest);
}

size_t stoa_numbers_runs(const int64_t *numbers, size_t count) {
    STOA_ASSERT(count > 0);
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512) {
        return runs_avx512(numbers, count);
    }
#endif
    return runs(numbers, count);
}

void stoa_frames_differences(const int64_t *numbers, size_t count, int64_t base, int64_t slope,
                             size_t first_place, uint64_t *differences) {
    const uint64_t line = (uint64_t)base + (uint64_t)slope * first_place;
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512) {
        differences_avx512(numbers, count, line, (uint64_t)slope, differences);
        return;
    }
#endif
    differences_of(numbers, count, line, (uint64_t)slope, differences);
}

void stoa_doubles_scale(const double *values, size_t count, double power, int64_t *whole,
                        int16_t *units) {
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512) {
        scale_avx512(values, count, power, whole, units);
        return;
    }
#endif
    scale(values, count, power, whole, units);
}
