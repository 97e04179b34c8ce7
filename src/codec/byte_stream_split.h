/* BYTE_STREAM_SPLIT: the first bytes of all values, then all second bytes, and so on; for fixed values
 * of any width.
 *
 * Source   Apache Parquet format 2.11, "Byte Stream Split" */
#ifndef STOA_CODEC_BYTE_STREAM_SPLIT_H
#define STOA_CODEC_BYTE_STREAM_SPLIT_H

#include "base/error.h"

/// A decoder over bytes that stay the caller's.
typedef struct stoa_byte_stream_split {
    const uint8_t *bytes;
    size_t value_bytes;
    size_t count;    /* of all values */
    size_t position; /* of the next one */
} stoa_byte_stream_split;

/// `value_bytes` is not 0.
///
/// Errors   STOA_CORRUPT  `size` is no multiple of the width
STOA_MUST_USE stoa_status stoa_byte_stream_split_init(stoa_byte_stream_split *decoder,
                                                      const uint8_t *bytes, size_t size,
                                                      size_t value_bytes, stoa_error *err);

/// Takes exactly `count` values into count * value_bytes bytes at `out`.
///
/// Errors   STOA_CORRUPT  fewer are left
STOA_MUST_USE stoa_status stoa_byte_stream_split_read(stoa_byte_stream_split *decoder, void *out,
                                                      size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_byte_stream_split_skip(stoa_byte_stream_split *decoder, size_t count,
                                                      stoa_error *err);

/// Splits `count` values into count * value_bytes bytes at `out`.
void stoa_byte_stream_split_encode(const void *values, size_t value_bytes, size_t count,
                                   uint8_t *out);

#endif
