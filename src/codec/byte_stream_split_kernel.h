/* Transposing between values and streams of their first, second, … bytes.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. */
#ifndef STOA_CODEC_BYTE_STREAM_SPLIT_KERNEL_H
#define STOA_CODEC_BYTE_STREAM_SPLIT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// Byte b of value i is streams[b * stride + i]; values stand one after the other at `out`.
void stoa_streams_join(const uint8_t *streams, size_t stride, size_t value_bytes, size_t count,
                       uint8_t *out);

/// The reverse, with a stride of `count`.
void stoa_streams_split(const uint8_t *values, size_t value_bytes, size_t count, uint8_t *out);

#endif
