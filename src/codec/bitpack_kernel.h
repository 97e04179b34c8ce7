/* Bit packing as Parquet's RLE hybrid and booleans use it: value i stands in bits
 * [i * width, (i + 1) * width) of the output, least significant bit first.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect.
 *
 * Source   Apache Parquet format 2.11, "Run Length Encoding / Bit-Packing Hybrid" */
#ifndef STOA_CODEC_BITPACK_KERNEL_H
#define STOA_CODEC_BITPACK_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum { STOA_BITPACK_BLOCK = 32 }; /* values that fill whole 32-bit words whatever the width */

/// Bits that hold every value up to `max`: 0 for 0.
static inline int stoa_bit_width(uint32_t max) {
    return max == 0 ? 0 : 32 - __builtin_clz(max);
}

/// Packs 32 values of `width` (1 to 32) bits into 4 * width bytes. Values have no bits above.
void stoa_bitpack_block(const uint32_t *values, int width, uint8_t *out);

/// Packs `count` values, a multiple of 8, into count / 8 * width bytes.
void stoa_bitpack_u32(const uint32_t *values, size_t count, int width, uint8_t *out);

/// The reverse; reads exactly count / 8 * width bytes.
void stoa_bitunpack_u32(const uint8_t *bytes, size_t count, int width, uint32_t *out);

/// The same for values of up to 8 and up to 64 bits.
void stoa_bitunpack_u8(const uint8_t *bytes, size_t count, int width, uint8_t *out);
void stoa_bitpack_u64(const uint64_t *values, size_t count, int width, uint8_t *out);
void stoa_bitunpack_u64(const uint8_t *bytes, size_t count, int width, uint64_t *out);

/// Unpacks `count` values from value `start` on that were packed most significant bit first, up to 8
/// bits each; reads the bytes that hold them and no others.
///
/// Source   Apache Parquet format 2.11, "Bit-packed (Deprecated)"
void stoa_bitunpack_reversed_u8(const uint8_t *bytes, size_t start, size_t count, int width,
                                uint8_t *out);

/// Packs `count` bytes of 0 or 1 into bits, the last byte filled up with zeros.
void stoa_bitpack_bools(const uint8_t *values, size_t count, uint8_t *out);

#endif
