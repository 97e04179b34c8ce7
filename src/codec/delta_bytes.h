/* DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
 *
 *     lengths        delta-packed lengths, then all bytes in one piece
 *     prefixes       delta-packed lengths of what a value shares with the one before, then the rest
 *                    of each as above
 *
 * Decoders stand over bytes that stay the caller's. After a failure they may only be released. Offsets
 * in messages count from the first byte given.
 *
 * Threads  One call at a time; separate decoders are independent.
 * Source   Apache Parquet format 2.11, "Delta-length byte array", "Delta Strings" */
#ifndef STOA_CODEC_DELTA_BYTES_H
#define STOA_CODEC_DELTA_BYTES_H

#include "codec/delta.h"
#include "codec/views.h"
#include "mem/buffer.h"

typedef struct stoa_delta_lengths_decoder {
    stoa_delta_decoder lengths;
    stoa_byte_reader data; /* behind the lengths */
} stoa_delta_lengths_decoder;

/// Reads the header and finds where the lengths end. No bytes at all are no values.
///
/// Errors   STOA_CORRUPT
STOA_MUST_USE stoa_status stoa_delta_lengths_decoder_init(stoa_delta_lengths_decoder *decoder,
                                                          const uint8_t *bytes, size_t size,
                                                          stoa_error *err);

/// Takes exactly `count` values, where they lie: one behind the other.
///
/// Errors   STOA_CORRUPT  fewer are left, a length is negative, or the bytes end early
STOA_MUST_USE stoa_status stoa_delta_lengths_decoder_read(stoa_delta_lengths_decoder *decoder,
                                                          stoa_bytes_view *out, size_t count,
                                                          stoa_error *err);
STOA_MUST_USE stoa_status stoa_delta_lengths_decoder_skip(stoa_delta_lengths_decoder *decoder,
                                                          size_t count, stoa_error *err);

enum { STOA_DELTA_BYTES_STEP = 128 };

typedef struct stoa_delta_bytes_decoder {
    stoa_delta_decoder prefixes;
    stoa_delta_lengths_decoder suffixes;
    stoa_buffer last;                      /* the value before the next one */
    int32_t prefix[STOA_DELTA_BYTES_STEP]; /* read ahead, with their suffixes */
    stoa_bytes_view suffix[STOA_DELTA_BYTES_STEP];
    uint32_t ahead_at;
    uint32_t ahead_end;
} stoa_delta_bytes_decoder;

/// Reads both headers. The one value that is kept is charged to `pool`; it is never longer than the
/// bytes given.
///
/// Errors   STOA_CORRUPT
/// Owns     The caller releases it, also after an error; all-zero is the released state.
STOA_MUST_USE stoa_status stoa_delta_bytes_decoder_init(stoa_delta_bytes_decoder *decoder,
                                                        stoa_pool *pool, const uint8_t *bytes,
                                                        size_t size, stoa_error *err);
void stoa_delta_bytes_decoder_release(stoa_delta_bytes_decoder *decoder);

/// How long the next value is; 0 when none is left.
///
/// Errors   STOA_CORRUPT
STOA_MUST_USE stoa_status stoa_delta_bytes_decoder_peek(stoa_delta_bytes_decoder *decoder,
                                                        size_t *out_size, stoa_error *err);

/// Takes up to `count` values while they fit `room` bytes at `data`, where they are put one behind the
/// other. A few bytes can stand for very many, so what they become is bounded by the caller's room
/// alone. `*out_count` is how many there are in `out`; less than `count` where the next does not fit.
///
/// Errors   STOA_CORRUPT  fewer than `count` are left, a prefix is longer than the value before, a
///                        length is negative, or the bytes end early
///          STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_delta_bytes_decoder_read(stoa_delta_bytes_decoder *decoder,
                                                        stoa_bytes_view *out, size_t count,
                                                        uint8_t *data, size_t room,
                                                        size_t *out_count, stoa_error *err);

/// The same where every value must have exactly `value_bytes` (FIXED_LEN_BYTE_ARRAY): takes `count` of
/// them into count * value_bytes bytes.
///
/// Errors   STOA_CORRUPT  also when one is longer or shorter
STOA_MUST_USE stoa_status stoa_delta_bytes_decoder_read_fixed(stoa_delta_bytes_decoder *decoder,
                                                              size_t value_bytes, uint8_t *out,
                                                              size_t count, stoa_error *err);

/// Steps over values.
///
/// Errors   STOA_CORRUPT, STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_delta_bytes_decoder_skip(stoa_delta_bytes_decoder *decoder,
                                                        size_t count, stoa_error *err);

/// Appends the encoded form of `count` values, each of at most INT32_MAX bytes. On error `out` is as
/// it was.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_delta_lengths_encode(const stoa_bytes_view *values, size_t count,
                                                    stoa_buffer *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_delta_bytes_encode(const stoa_bytes_view *values, size_t count,
                                                  stoa_buffer *out, stoa_error *err);

#endif
