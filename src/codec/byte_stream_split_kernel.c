/* Values are taken in blocks that stay in the first-level cache while each stream passes once. */
#include "codec/byte_stream_split_kernel.h"

#include "base/error.h"

enum { BLOCK_BYTES = 8192 };

static size_t block_values(size_t value_bytes) {
    return value_bytes < BLOCK_BYTES ? BLOCK_BYTES / value_bytes : 1;
}

__attribute__((always_inline)) static inline void join_block(const uint8_t *streams, size_t stride,
                                                             size_t value_bytes, size_t count,
                                                             uint8_t *out) {
    for (size_t b = 0; b < value_bytes; b++) {
        for (size_t i = 0; i < count; i++) {
            out[i * value_bytes + b] = streams[b * stride + i];
        }
    }
}

void stoa_streams_join(const uint8_t *streams, size_t stride, size_t value_bytes, size_t count,
                       uint8_t *out) {
    STOA_ASSERT(value_bytes > 0 && count <= stride);
    const size_t block = block_values(value_bytes);
    for (size_t done = 0; done < count; done += block) {
        const size_t now = count - done < block ? count - done : block;
        join_block(streams + done, stride, value_bytes, now, out + done * value_bytes);
    }
}

void stoa_streams_split(const uint8_t *values, size_t value_bytes, size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    const size_t block = block_values(value_bytes);
    for (size_t done = 0; done < count; done += block) {
        const size_t now = count - done < block ? count - done : block;
        for (size_t b = 0; b < value_bytes; b++) {
            for (size_t i = 0; i < now; i++) {
                out[b * count + done + i] = values[(done + i) * value_bytes + b];
            }
        }
    }
}
