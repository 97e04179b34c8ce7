/* DELTA_BINARY_PACKED: integers as packed differences to the one before, in blocks.
 *
 *     header      varint(block values) varint(miniblocks a block) varint(count) zigzag(first value)
 *     block       zigzag(smallest difference), one width a miniblock, the packed miniblocks
 *
 * All arithmetic wraps, as writers let it. A decoder is plain data over bytes that stay the caller's;
 * it may be copied to look ahead, and must not be used after a failure. Offsets in messages count
 * from the first byte given.
 *
 * Threads  One call at a time; separate decoders are independent.
 * Source   Apache Parquet format 2.11, "Delta Encoding" */
#ifndef STOA_CODEC_DELTA_H
#define STOA_CODEC_DELTA_H

#include "base/bytes.h"
#include "base/error.h"

enum {
    STOA_DELTA_UNIT = 32,          /* miniblocks hold multiples of it */
    STOA_DELTA_BLOCK_VALUES = 128, /* what encoders here write, in four miniblocks */
    STOA_DELTA_MINIBLOCKS = 4
};

typedef struct stoa_delta_decoder {
    stoa_byte_reader reader; /* behind the current miniblock */
    int value_bytes;
    uint32_t miniblocks;       /* of a block */
    uint32_t miniblock_values; /* a multiple of STOA_DELTA_UNIT */
    uint32_t miniblock;        /* the next one of the current block */
    const uint8_t *widths;     /* of the current block */
    uint64_t smallest;         /* difference of the current block */
    const uint8_t *packed;     /* what is left of the current miniblock */
    uint64_t packed_left;      /* values in it that count */
    int width;
    uint64_t count;       /* of the header */
    uint64_t deltas_left; /* behind the current miniblock */
    uint64_t last;        /* value that was unpacked */
    uint32_t pending_at;  /* unpacked but not given: [pending_at, pending_end) */
    uint32_t pending_end;
    union {
        uint32_t u32[STOA_DELTA_UNIT];
        uint64_t u64[STOA_DELTA_UNIT];
    } pending;
} stoa_delta_decoder;

/// Reads the header. `value_bytes` is 4 or 8. No bytes at all are no values.
///
/// Errors   STOA_CORRUPT  cut off, or sizes that the format does not allow
STOA_MUST_USE stoa_status stoa_delta_decoder_init(stoa_delta_decoder *decoder, const uint8_t *bytes,
                                                  size_t size, int value_bytes, stoa_error *err);

/// Values that have not been read, as the header claims: nothing says that the bytes hold them.
uint64_t stoa_delta_decoder_left(const stoa_delta_decoder *decoder);

/// Takes exactly `count` values, for decoders of 4 and 8 bytes.
///
/// Errors   STOA_CORRUPT  fewer are left, or the bytes end early
STOA_MUST_USE stoa_status stoa_delta_decoder_read_i32(stoa_delta_decoder *decoder, int32_t *out,
                                                      size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_delta_decoder_read_i64(stoa_delta_decoder *decoder, int64_t *out,
                                                      size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_delta_decoder_skip(stoa_delta_decoder *decoder, size_t count,
                                                  stoa_error *err);

/// Where the bytes of all values end, without unpacking them.
///
/// Errors   STOA_CORRUPT
STOA_MUST_USE stoa_status stoa_delta_decoder_end(const stoa_delta_decoder *decoder, size_t *out,
                                                 stoa_error *err);

/// The most bytes that `count` values of `value_bytes` (4 or 8) can take.
size_t stoa_delta_bytes_max(size_t count, int value_bytes);

/// Encodes into `out`, which has room for stoa_delta_bytes_max; returns the bytes written.
size_t stoa_delta_encode_i32(const int32_t *values, size_t count, uint8_t *out);
size_t stoa_delta_encode_i64(const int64_t *values, size_t count, uint8_t *out);

#endif
