/* The loops of segments: packed differences to numbers and back, and comparisons of them in between.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. Each has a plain form and
 * one for AVX-512, and both give the same. */
#ifndef STOA_LSM_SEGMENT_KERNEL_H
#define STOA_LSM_SEGMENT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { STOA_FRAME_ROWS = 64, STOA_FRAME_GROUP = 8 };

/* Numbers, each a base and a slope times its place behind the base's first row and a packed difference,
 * modulo 2^64. Lines have one base, frames one for every 64 rows. */
typedef struct stoa_frames {
    const uint8_t *packed; /* whole groups of 8 differences, and 8 bytes more */
    const uint8_t *bases;  /* int64_t each */
    int64_t base; /* of a line the only one, here too: where it is stored costs a line of memory */
    int64_t slope;
    size_t row_mask; /* cuts a row down to its place: 63 for frames, all ones for a line */
    int bits;        /* of a difference: 0 to 64 */
    int correction; /* of doubles: low bits of a number that say how many units in the last place */
    double divisor; /* of doubles: 10 to a power; 0: the numbers are what is meant */
} stoa_frames;

/// Packed value `index` of `bits` (0 to 64).
static inline uint64_t stoa_segment_unpack(const uint8_t *packed, size_t index, int bits) {
    const size_t at = index * (size_t)bits;
    const int shift = (int)(at & 7);
    uint64_t low;
    memcpy(&low, packed + at / 8, sizeof low);
    low >>= shift;
    if (shift + bits > 64) {
        low |= (uint64_t)packed[at / 8 + 8] << (64 - shift);
    }
    return bits == 64 ? low : low & ((UINT64_C(1) << bits) - 1);
}

/// What a row's base and slope come to.
static inline uint64_t stoa_frames_base(const stoa_frames *frames, size_t row) {
    uint64_t base = (uint64_t)frames->base;
    if (frames->row_mask != SIZE_MAX) {
        memcpy(&base, frames->bases + row / STOA_FRAME_ROWS * sizeof base, sizeof base);
    }
    return base + (uint64_t)frames->slope * (row & frames->row_mask);
}

/// The number that is stored for a row.
static inline int64_t stoa_frames_number(const stoa_frames *frames, size_t row) {
    const uint64_t base = stoa_frames_base(frames, row);
    /* Without bits there is nothing to be read, and a line of memory is left alone. */
    return (int64_t)(frames->bits == 0
                         ? base
                         : base + stoa_segment_unpack(frames->packed, row, frames->bits));
}

/// The double that a stored number stands for: the whole number above the correction's bits, divided;
/// then so many units in the last place further away from zero.
static inline double stoa_frames_double(const stoa_frames *frames, int64_t number) {
    const int64_t whole = number >> frames->correction;
    const int64_t bias = (INT64_C(1) << frames->correction) >> 1;
    const int64_t units = (number & ((INT64_C(1) << frames->correction) - 1)) - bias;
    double value = (double)whole / frames->divisor;
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (int64_t)((uint64_t)bits + (uint64_t)units);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/// Rows [first, first + count), multiples of 8, as integers of `value_bytes` (1, 2, 4, 8, 16) or, with a
/// divisor, as doubles.
void stoa_frames_read(const stoa_frames *frames, size_t first, size_t count, int value_bytes,
                      uint8_t *out);

/// The same, but only those rows whose bit is set (bit i: row first + i). Up to 8 values behind the last are
/// written.
void stoa_frames_choose(const stoa_frames *frames, size_t first, size_t count, const uint8_t *bits,
                        int value_bytes, uint8_t *out);

/// Sets bit i of `out` (count / 8 bytes) where number first + i less `low` is at most `span`, unsigned:
/// where it is between the two, in either order of numbers. `first` and `count` are multiples of 8.
void stoa_frames_between(const stoa_frames *frames, size_t first, size_t count, uint64_t low,
                         uint64_t span, uint8_t *out);

/// Whether each of `count` packed codes is below `entry_count`.
bool stoa_codes_below(const uint8_t *packed, size_t count, int bits, uint32_t entry_count);

/// What a slope leaves of numbers: of every frame the least and the greatest of
/// numbers[i] + flip - slope * i, as signed ones modulo 2^64.
void stoa_frames_bounds(const int64_t *numbers, size_t count, uint64_t flip, int64_t slope,
                        int64_t *least, int64_t *greatest);

/// How many runs of equal numbers there are among `count`, which is not 0.
size_t stoa_numbers_runs(const int64_t *numbers, size_t count);

/// differences[i] = numbers[i] - (base + slope * place) for `count` numbers from row `first_place` of their
/// base on.
void stoa_frames_differences(const int64_t *numbers, size_t count, int64_t base, int64_t slope,
                             size_t first_place, uint64_t *differences);

/// Doubles as whole numbers of 1 / power: whole[i] / power is at most 127 units in the last place away,
/// units[i] of them away from zero, and units[i] is STOA_UNITS_NONE where there is no such number.
enum { STOA_UNITS_NONE = INT16_MIN };
void stoa_doubles_scale(const double *values, size_t count, double power, int64_t *whole,
                        int16_t *units);

/// The forms, for tests.
void stoa_frames_read_plain(const stoa_frames *frames, size_t first, size_t count, int value_bytes,
                            uint8_t *out);
void stoa_frames_choose_plain(const stoa_frames *frames, size_t first, size_t count,
                              const uint8_t *bits, int value_bytes, uint8_t *out);
void stoa_frames_between_plain(const stoa_frames *frames, size_t first, size_t count, uint64_t low,
                               uint64_t span, uint8_t *out);

#endif
