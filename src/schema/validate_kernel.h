/* The loops of validation: each looks at `count` values and says which is the first that is wrong,
 * or -1. `validity` (nullable: no nulls) is a bitmap whose bit `validity_offset` belongs to value 0;
 * null values are never wrong. Nothing is allocated and nothing reported. */
#ifndef STOA_SCHEMA_VALIDATE_KERNEL_H
#define STOA_SCHEMA_VALIDATE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

struct stoa_validity {
    const uint8_t *bits;
    int64_t offset;
};

/// Below `low` or above `high`.
int64_t stoa_kernel_outside_i32(const int32_t *values, int64_t count, struct stoa_validity validity,
                                int32_t low, int32_t high);
int64_t stoa_kernel_outside_i64(const int64_t *values, int64_t count, struct stoa_validity validity,
                                int64_t low, int64_t high);
/// Not a multiple of `unit`.
int64_t stoa_kernel_fraction_i64(const int64_t *values, int64_t count,
                                 struct stoa_validity validity, int64_t unit);
/// An integer of `width` bytes (4, 8, 16 or 32) whose magnitude is above `limit`.
int64_t stoa_kernel_decimal(const void *values, int32_t width, int64_t count,
                            struct stoa_validity validity, __int128 limit);
/// An offset that is below the one before it; `offsets` holds count + 1. The index is the value's.
int64_t stoa_kernel_offsets_i32(const int32_t *offsets, int64_t count);
int64_t stoa_kernel_offsets_i64(const int64_t *offsets, int64_t count);
/// A string that is not UTF-8. Offsets are in order.
int64_t stoa_kernel_utf8_i32(const int32_t *offsets, const uint8_t *bytes, int64_t count,
                             struct stoa_validity validity);
int64_t stoa_kernel_utf8_i64(const int64_t *offsets, const uint8_t *bytes, int64_t count,
                             struct stoa_validity validity);
/// A null; `validity.bits` is not NULL.
int64_t stoa_kernel_null(int64_t count, struct stoa_validity validity);
/// The first bit at or after `start` that is `value`, or `count`.
int64_t stoa_kernel_next_bit(int64_t start, int64_t count, struct stoa_validity validity,
                             int value);

#endif
