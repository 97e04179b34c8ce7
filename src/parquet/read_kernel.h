/* Dense values into values with gaps, stored values into Arrow's.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. */
#ifndef STOA_PARQUET_READ_KERNEL_H
#define STOA_PARQUET_READ_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// Moves `count` values of `width` bytes, which stand one after the other at the beginning, to the
/// `slot_count` slots whose bit is set; the others become zero.
void stoa_spread_fixed(uint8_t *values, size_t width, int64_t count, const uint8_t *validity,
                       int64_t slot_count);
/// The same for bits.
void stoa_spread_bits(uint8_t *bits, int64_t count, const uint8_t *validity, int64_t slot_count);
/// The same for count + 1 offsets; slots without a value are empty.
void stoa_spread_offsets(int32_t *offsets, int64_t count, const uint8_t *validity,
                         int64_t slot_count);

/// The lowest byte or bytes of each of `count` 32-bit values, in place.
void stoa_narrow_1(uint8_t *values, int64_t count);
void stoa_narrow_2(uint8_t *values, int64_t count);
/// Little-endian integers of 4 or 8 bytes into ones of 16; `out` does not overlap.
void stoa_widen_i32_i128(const uint8_t *values, int64_t count, uint8_t *out);
void stoa_widen_i64_i128(const uint8_t *values, int64_t count, uint8_t *out);
/// One big-endian number of `size` (0 to 16) bytes, two's complement, into 16 little-endian bytes.
void stoa_decimal_load(const uint8_t *bytes, size_t size, uint8_t out[16]);
/// IEEE 754 half floats into floats, every value and every NaN's bits kept.
void stoa_widen_half_float(const uint8_t *values, int64_t count, uint8_t *out);
/// Months, days and milliseconds, 32 bits each, unsigned, into Arrow's months, days, nanoseconds.
/// Returns how many there are before the first whose months or days do not fit.
int64_t stoa_widen_interval(const uint8_t *values, int64_t count, uint8_t *out);

#endif
