/* Values of 2, 4 and 8 bytes are joined 16 at a time: interleaving the bytes of each stream with those
 * of the stream half of them further on, once for each power of two in the width, is the transposition,
 * and SSE2, which every x86-64 has, interleaves in one instruction. Splitting is the same backwards.
 *
 * Other widths and the rest go in blocks that stay in the first-level cache while each stream passes
 * once; the usual widths are constants there, so that the compiler sees the stride. */
#include "codec/byte_stream_split_kernel.h"

#include "base/error.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BLOCK_BYTES = 8192, LANES = 16 };

#if defined(__SSE2__)

__attribute__((always_inline)) static inline void interleave(const __m128i *from, int count,
                                                             __m128i *to) {
    for (int i = 0; i < count / 2; i++) {
        to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + count / 2]);
        to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + count / 2]);
    }
}

/* Even bytes of a pair of vectors, and odd ones. */
__attribute__((always_inline)) static inline void separate(const __m128i *from, int count,
                                                           __m128i *to) {
    const __m128i low = _mm_set1_epi16(0xFF);
    for (int i = 0; i < count / 2; i++) {
        const __m128i a = from[2 * i], b = from[2 * i + 1];
        to[i] = _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
        to[i + count / 2] = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
    }
}

__attribute__((always_inline)) static inline size_t join_lanes(const uint8_t *streams,
                                                               size_t stride, int width,
                                                               size_t count, uint8_t *out) {
    size_t done = 0;
    for (; done + LANES <= count; done += LANES) {
        __m128i a[8], b[8];
        for (int i = 0; i < width; i++) {
            a[i] = _mm_loadu_si128(
                (const __m128i *)(const void *)(streams + (size_t)i * stride + done));
        }
        for (int round = 1; round < width; round *= 2) {
            interleave(a, width, b);
            for (int i = 0; i < width; i++) {
                a[i] = b[i];
            }
        }
        for (int i = 0; i < width; i++) {
            _mm_storeu_si128((__m128i *)(void *)(out + done * (size_t)width) + i, a[i]);
        }
    }
    return done;
}

__attribute__((always_inline)) static inline size_t split_lanes(const uint8_t *values, int width,
                                                                size_t count, uint8_t *out) {
    size_t done = 0;
    for (; done + LANES <= count; done += LANES) {
        __m128i a[8], b[8];
        for (int i = 0; i < width; i++) {
            a[i] = _mm_loadu_si128((const __m128i *)(const void *)(values + done * (size_t)width) +
                                   i);
        }
        for (int round = 1; round < width; round *= 2) {
            separate(a, width, b);
            for (int i = 0; i < width; i++) {
                a[i] = b[i];
            }
        }
        for (int i = 0; i < width; i++) {
            _mm_storeu_si128((__m128i *)(void *)(out + (size_t)i * count + done), a[i]);
        }
    }
    return done;
}

static size_t join_fast(const uint8_t *streams, size_t stride, size_t value_bytes, size_t count,
                        uint8_t *out) {
    switch (value_bytes) {
    case 2: return join_lanes(streams, stride, 2, count, out);
    case 4: return join_lanes(streams, stride, 4, count, out);
    case 8: return join_lanes(streams, stride, 8, count, out);
    default: return 0;
    }
}

static size_t split_fast(const uint8_t *values, size_t value_bytes, size_t count, uint8_t *out) {
    switch (value_bytes) {
    case 2: return split_lanes(values, 2, count, out);
    case 4: return split_lanes(values, 4, count, out);
    case 8: return split_lanes(values, 8, count, out);
    default: return 0;
    }
}

#else

static size_t join_fast(const uint8_t *streams, size_t stride, size_t value_bytes, size_t count,
                        uint8_t *out) {
    (void)streams, (void)stride, (void)value_bytes, (void)count, (void)out;
    return 0;
}

static size_t split_fast(const uint8_t *values, size_t value_bytes, size_t count, uint8_t *out) {
    (void)values, (void)value_bytes, (void)count, (void)out;
    return 0;
}

#endif

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
    for (size_t done = join_fast(streams, stride, value_bytes, count, out); done < count;
         done += block) {
        const size_t now = count - done < block ? count - done : block;
        const uint8_t *from = streams + done;
        uint8_t *to = out + done * value_bytes;
        switch (value_bytes) {
        case 2: join_block(from, stride, 2, now, to); break;
        case 4: join_block(from, stride, 4, now, to); break;
        case 8: join_block(from, stride, 8, now, to); break;
        case 16: join_block(from, stride, 16, now, to); break;
        default: join_block(from, stride, value_bytes, now, to); break;
        }
    }
}

void stoa_streams_split(const uint8_t *values, size_t value_bytes, size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    const size_t block = block_values(value_bytes);
    for (size_t done = split_fast(values, value_bytes, count, out); done < count; done += block) {
        const size_t now = count - done < block ? count - done : block;
        for (size_t b = 0; b < value_bytes; b++) {
            for (size_t i = 0; i < now; i++) {
                out[b * count + done + i] = values[(done + i) * value_bytes + b];
            }
        }
    }
}
