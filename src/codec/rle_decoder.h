/* Reading Parquet's hybrid of runs and bit-packed groups (rle.h writes it) a part at a time: levels,
 * booleans and dictionary indices.
 *
 * A decoder is plain data over bytes that stay the caller's; it may be copied to look ahead. After a
 * failure it must not be used further. Offsets in messages count from the first byte given.
 *
 * Errors   STOA_CORRUPT in all functions: the bytes end early or are no such encoding
 * Threads  One call at a time; separate decoders are independent.
 * Source   Apache Parquet format 2.11, "Run Length Encoding / Bit-Packing Hybrid" */
#ifndef STOA_CODEC_RLE_DECODER_H
#define STOA_CODEC_RLE_DECODER_H

#include "base/bytes.h"
#include "base/error.h"

enum { STOA_RLE_GROUP = 8 };

typedef struct stoa_rle_decoder {
    stoa_byte_reader reader;
    int width;
    uint32_t run_value;
    uint64_t run_left;    /* values of the current run */
    uint64_t groups_left; /* still packed, of the current literals */
    unsigned pending_at;  /* first of `pending` not given yet; STOA_RLE_GROUP: none */
    uint32_t pending[STOA_RLE_GROUP];
} stoa_rle_decoder;

/// The next values as they lie in the bytes, for callers that gain from runs. Exactly one of three:
/// `packed` (count is a multiple of 8), `values`, or neither: all are `value`.
typedef struct stoa_rle_piece {
    size_t count;
    const uint8_t *packed;  /* for stoa_bitunpack_u32 and its like */
    const uint32_t *values; /* valid until the next call */
    uint32_t value;
} stoa_rle_piece;

/// Starts before the first value; a width outside 0 to 32 is corrupt.
STOA_MUST_USE stoa_status stoa_rle_decoder_init(stoa_rle_decoder *decoder, const uint8_t *bytes,
                                                size_t size, int width, stoa_error *err);

/// The same behind a length in four bytes, as levels of version 1 pages and booleans have it.
/// `*out_used` (nullable) is what length and values take of `size`.
STOA_MUST_USE stoa_status stoa_rle_decoder_init_sized(stoa_rle_decoder *decoder,
                                                      const uint8_t *bytes, size_t size, int width,
                                                      size_t *out_used, stoa_error *err);

/// Takes at least one and at most `limit` (not 0) values.
STOA_MUST_USE stoa_status stoa_rle_decoder_next(stoa_rle_decoder *decoder, size_t limit,
                                                stoa_rle_piece *out, stoa_error *err);

/// Takes exactly `count` values.
STOA_MUST_USE stoa_status stoa_rle_decoder_read_u32(stoa_rle_decoder *decoder, uint32_t *out,
                                                    size_t count, stoa_error *err);
/// The same into bytes; the width is at most 8.
STOA_MUST_USE stoa_status stoa_rle_decoder_read_u8(stoa_rle_decoder *decoder, uint8_t *out,
                                                   size_t count, stoa_error *err);
/// The same into bits [offset, offset + count) of a bitmap, other bits keeping theirs; the width is
/// 1. `*out_ones` (nullable) is how many were set.
STOA_MUST_USE stoa_status stoa_rle_decoder_read_bits(stoa_rle_decoder *decoder, uint8_t *bits,
                                                     int64_t offset, size_t count,
                                                     int64_t *out_ones, stoa_error *err);
STOA_MUST_USE stoa_status stoa_rle_decoder_skip(stoa_rle_decoder *decoder, size_t count,
                                                stoa_error *err);

#endif
