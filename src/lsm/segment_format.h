/* The bytes of a segment: a header of 16 bytes, then what its kind has, in this order.
 *
 *     constant     the value, a bit as one byte
 *     plain        values, a bitmap
 *     line         slope and base, 8 bytes each; values of exceptions, 8 bytes each, and their rows, 4
 *                  each, filled up to 8; packed differences
 *     frames       the same with a base a frame
 *     dictionary   entries, filled up to 8, packed codes; of texts uint32_t offsets and the bytes
 *     runs         values, filled up to 8, and the row behind each run, 4 bytes
 *
 * Lines and frames of texts are those of count + 1 offsets; the bytes follow. Packed values are filled up
 * to whole groups of 8 and followed by 8 zero bytes, so that any of them is read with two loads. Fillings
 * are zeros, and so is what a kind does not use of the header. */
#ifndef STOA_LSM_SEGMENT_FORMAT_H
#define STOA_LSM_SEGMENT_FORMAT_H

#include <string.h>

#include "lsm/segment.h"

typedef struct stoa_segment_header {
    uint8_t kind;
    uint8_t bits;
    uint8_t scale;      /* of doubles: 1 + the power of ten; 0: bit patterns */
    uint8_t correction; /* of scaled doubles: bits of it */
    uint32_t count;
    uint32_t entry_count; /* exceptions, entries, runs */
    uint32_t value_size;  /* of texts: bytes of values or entries */
} stoa_segment_header;

_Static_assert(sizeof(stoa_segment_header) == 16, "a segment's header has no padding");

enum { STOA_SEGMENT_PADDING = 8, STOA_SEGMENT_SCALE_MAX = 9, STOA_SEGMENT_CORRECTION_MAX = 8 };

/// Bases of `count` values in frames.
static inline size_t stoa_segment_frames(size_t count) {
    return (count + STOA_FRAME_ROWS - 1) / STOA_FRAME_ROWS;
}

/// Bytes of `count` packed values with what follows them.
static inline size_t stoa_segment_packed_bytes(size_t count, int bits) {
    return (count + 7) / 8 * (size_t)bits + STOA_SEGMENT_PADDING;
}

/// What fills `size` bytes up to a multiple of 8.
static inline size_t stoa_segment_filling(size_t size) {
    return (8 - size % 8) % 8;
}

static inline bool stoa_segment_is_frames(const stoa_segment *segment) {
    return segment->kind == STOA_SEGMENT_LINE || segment->kind == STOA_SEGMENT_FRAMES;
}

/// Which of the values a row has: of a dictionary, of runs, of plain ones; 0 for a constant.
uint32_t stoa_segment_entry(const stoa_segment *segment, uint32_t row);
/// The first exception at or behind a row.
uint32_t stoa_segment_exception(const stoa_segment *segment, uint32_t row);

#endif
