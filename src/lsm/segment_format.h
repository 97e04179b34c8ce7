/* The bytes of a segment: a header of 16 bytes, then what its kind has, in this order.
 *
 *     constant     the value (numbers as 8 bytes, a bit as one)
 *     plain        values, a bitmap; of texts the bases and packed differences of count + 1 offsets,
 *                  then the bytes
 *     frames       bases, packed differences
 *     dictionary   entries (numbers as 8 bytes; of texts uint32_t offsets, then the bytes), packed codes
 *
 * Packed values are followed by 8 zero bytes, so that any of them is read with two loads. */
#ifndef STOA_LSM_SEGMENT_FORMAT_H
#define STOA_LSM_SEGMENT_FORMAT_H

#include <string.h>

#include "lsm/segment.h"

typedef struct stoa_segment_header {
    uint8_t kind;
    uint8_t bits;
    uint8_t scale; /* of doubles: 1 + the power of ten; 0: bit patterns */
    uint8_t zero;
    uint32_t count;
    uint32_t entry_count;
    uint32_t value_size; /* texts: bytes of values or entries */
} stoa_segment_header;

_Static_assert(sizeof(stoa_segment_header) == 16, "a segment's header has no padding");

enum { STOA_SEGMENT_PADDING = 8, STOA_SEGMENT_SCALE_MAX = 9 };

/// Bases of `count` values in frames.
static inline size_t stoa_segment_frames(size_t count) {
    return (count + STOA_SEGMENT_FRAME - 1) / STOA_SEGMENT_FRAME;
}

/// Bytes of `count` packed values with what follows them.
static inline size_t stoa_segment_packed_bytes(size_t count, int bits) {
    return (count + 7) / 8 * (size_t)bits + STOA_SEGMENT_PADDING;
}

/// Packed value `index` of `bits` (0 to 64).
static inline uint64_t stoa_segment_unpack(const uint8_t *packed, size_t index, int bits) {
    const size_t at = index * (size_t)bits;
    const int shift = (int)(at & 7);
    uint64_t low;
    memcpy(&low, packed + at / 8, sizeof low);
    low >>= shift;
    if (shift + bits > 64) {
        low |= (uint64_t)packed[at / 8 + 8] << (64 - shift);
    }
    return bits == 64 ? low : low & ((UINT64_C(1) << bits) - 1);
}

#endif
