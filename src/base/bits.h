/* Bitmaps as Arrow lays them out: least significant bit first, one bit a value. */
#ifndef STOA_BASE_BITS_H
#define STOA_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes that hold `count` bits; `count` is not negative.
static inline size_t stoa_bitmap_bytes(int64_t count) {
    return ((size_t)count + 7) / 8;
}
static inline bool stoa_bit_get(const uint8_t *bits, int64_t index) {
    return (bits[index >> 3] >> (index & 7)) & 1;
}
static inline void stoa_bit_set(uint8_t *bits, int64_t index) {
    bits[index >> 3] = (uint8_t)(bits[index >> 3] | (1u << (index & 7)));
}
static inline void stoa_bit_clear(uint8_t *bits, int64_t index) {
    bits[index >> 3] = (uint8_t)(bits[index >> 3] & ~(1u << (index & 7)));
}
static inline void stoa_bit_put(uint8_t *bits, int64_t index, bool value) {
    if (value) {
        stoa_bit_set(bits, index);
    } else {
        stoa_bit_clear(bits, index);
    }
}

/// Number of set bits in [offset, offset + count).
int64_t stoa_bitmap_count(const uint8_t *bits, int64_t offset, int64_t count);

/// Lists which of the first `count` bits are set: `first` plus the place of each. `out` has room for one more
/// than there are.
void stoa_bitmap_list(const uint8_t *bits, int64_t count, uint32_t first, uint32_t *out);

/// Sets bits [offset, offset + count) to `value`; bits outside keep theirs.
void stoa_bitmap_fill(uint8_t *bits, int64_t offset, int64_t count, bool value);

/// Copies `count` bits between bitmaps that do not overlap; target bits outside keep their value.
void stoa_bitmap_copy(const uint8_t *source, int64_t source_offset, uint8_t *target,
                      int64_t target_offset, int64_t count);

#endif
