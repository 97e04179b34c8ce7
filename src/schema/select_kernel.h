/* The loops of selection: which of `count` values compare so with a constant, as bits from bit 0 of
 * `out` on. All bytes of the bitmap are written, unused bits are 0. Nulls are the caller's. */
#ifndef STOA_SCHEMA_SELECT_KERNEL_H
#define STOA_SCHEMA_SELECT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum stoa_compare {
    STOA_COMPARE_EQUAL,
    STOA_COMPARE_LESS,
    STOA_COMPARE_LESS_EQUAL
} stoa_compare;

void stoa_select_i8(const int8_t *values, int64_t count, stoa_compare op, int8_t constant,
                    uint8_t *out);
void stoa_select_i16(const int16_t *values, int64_t count, stoa_compare op, int16_t constant,
                     uint8_t *out);
void stoa_select_i32(const int32_t *values, int64_t count, stoa_compare op, int32_t constant,
                     uint8_t *out);
void stoa_select_i64(const int64_t *values, int64_t count, stoa_compare op, int64_t constant,
                     uint8_t *out);
void stoa_select_u8(const uint8_t *values, int64_t count, stoa_compare op, uint8_t constant,
                    uint8_t *out);
void stoa_select_u16(const uint16_t *values, int64_t count, stoa_compare op, uint16_t constant,
                     uint8_t *out);
void stoa_select_u32(const uint32_t *values, int64_t count, stoa_compare op, uint32_t constant,
                     uint8_t *out);
void stoa_select_u64(const uint64_t *values, int64_t count, stoa_compare op, uint64_t constant,
                     uint8_t *out);
/// NaN equals NaN and is above all numbers; -0.0 equals 0.0.
void stoa_select_f32(const float *values, int64_t count, stoa_compare op, float constant,
                     uint8_t *out);
void stoa_select_f64(const double *values, int64_t count, stoa_compare op, double constant,
                     uint8_t *out);
/// 16 bytes each, aligned to 8 at least or not at all.
void stoa_select_i128(const void *values, int64_t count, stoa_compare op, __int128 constant,
                      uint8_t *out);
/// By unsigned bytes, a prefix before what it begins.
void stoa_select_text(const int32_t *offsets, const uint8_t *bytes, int64_t count, stoa_compare op,
                      const uint8_t *constant, size_t size, uint8_t *out);
void stoa_select_fixed(const uint8_t *values, size_t width, int64_t count, stoa_compare op,
                       const uint8_t *constant, size_t size, uint8_t *out);
void stoa_select_prefix(const int32_t *offsets, const uint8_t *bytes, int64_t count,
                        const uint8_t *prefix, size_t size, uint8_t *out);

/// Bitmaps from bit 0 on, as one set: bytes of stoa_bitmap_bytes(count).
void stoa_bits_and(uint8_t *target, const uint8_t *other, size_t bytes);
void stoa_bits_or(uint8_t *target, const uint8_t *other, size_t bytes);
/// Unused bits of the last byte become 0.
void stoa_bits_not(uint8_t *target, int64_t count);

#endif
