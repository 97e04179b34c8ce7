/* Writing Parquet's hybrid of runs and bit-packed groups, for levels, booleans and dictionary indices;
 * rle_decoder.h reads it.
 *
 *     run        varint(length << 1)        the value in ceil(width / 8) bytes
 *     literals   varint(groups << 1 | 1)    groups * width bytes: 8 packed values a group
 *
 * A run is written where a whole group of eight repeats one value, and takes all that follow of it.
 *
 * Source   Apache Parquet format 2.11, "Run Length Encoding / Bit-Packing Hybrid" */
#ifndef STOA_CODEC_RLE_H
#define STOA_CODEC_RLE_H

#include <stddef.h>
#include <stdint.h>

/// The most bytes that `count` values of `width` bits can take.
size_t stoa_rle_bytes_max(size_t count, int width);

/// Encodes values that fit `width` (0 to 32) bits into `out`, which has room for
/// stoa_rle_bytes_max; returns the bytes written.
size_t stoa_rle_encode_u32(const uint32_t *values, size_t count, int width, uint8_t *out);

/// The same for levels, one byte each; `width` is at most 8.
size_t stoa_rle_encode_u8(const uint8_t *values, size_t count, int width, uint8_t *out);

/// The same as encoding `count` times `value`.
size_t stoa_rle_encode_constant(uint32_t value, size_t count, int width, uint8_t *out);

#endif
