/* Segments: the values of one column in one stripe, encoded so that any row can be read by itself.
 *
 * A segment is written whole, and checked whole when it is opened: reading it afterwards cannot fail.
 * Their bytes: lsm/segment_format.h. */
#ifndef STOA_LSM_SEGMENT_H
#define STOA_LSM_SEGMENT_H

#include "lsm/segment_kernel.h"
#include "mem/buffer.h"

typedef enum stoa_segment_class {
    STOA_SEGMENT_BITS,     /* bitmaps: booleans, validity */
    STOA_SEGMENT_SIGNED,   /* integers of 1, 2, 4, 8 or 16 bytes */
    STOA_SEGMENT_UNSIGNED, /* of 1, 2, 4 or 8 bytes */
    STOA_SEGMENT_OFFSETS,  /* of 4 bytes: from 0 on, never less than the one before, below 2^31 */
    STOA_SEGMENT_DOUBLES,
    STOA_SEGMENT_FIXED, /* bytes of one length */
    STOA_SEGMENT_TEXTS  /* bytes of any length */
} stoa_segment_class;

typedef struct stoa_segment_type {
    stoa_segment_class values;
    int32_t value_bytes; /* 0 for bits and texts */
} stoa_segment_type;

typedef enum stoa_segment_kind {
    STOA_SEGMENT_CONSTANT,
    STOA_SEGMENT_PLAIN,
    STOA_SEGMENT_LINE,       /* one base, a slope, packed differences; of texts their offsets so */
    STOA_SEGMENT_FRAMES,     /* the same with a base for every 64 values */
    STOA_SEGMENT_DICTIONARY, /* different values, packed codes */
    STOA_SEGMENT_RUNS        /* values, and the rows where their runs end */
} stoa_segment_kind;

enum { STOA_SEGMENT_ENTRIES_MAX = 4096 };

/* An open segment; borrows its bytes. */
typedef struct stoa_segment {
    stoa_segment_type type;
    stoa_segment_kind kind;
    uint32_t count;
    uint32_t entry_count; /* of a dictionary, runs; exceptions of lines and frames */
    const uint8_t
        *values; /* plain ones, entries, the constant, of the type's width; bytes of texts;
                               of exceptions int64_t, of doubles their bits */
    const uint8_t *places;  /* uint32_t: where runs end, where exceptions are */
    const uint8_t *offsets; /* uint32_t: of the texts of a dictionary, one more than entries */
    stoa_frames frames;     /* of lines and frames; of a dictionary the packed codes */
} stoa_segment;

/* The working memory of writing segments. */
typedef struct stoa_segment_writer stoa_segment_writer;

STOA_MUST_USE stoa_status stoa_segment_writer_create(stoa_pool *pool, stoa_segment_writer **out,
                                                     stoa_error *err);
void stoa_segment_writer_close(stoa_segment_writer *writer);

/// Appends a segment of `count` values: a bitmap from its first bit, values of the type's width, or
/// the bytes of texts with count + 1 `offsets` from `bytes`. The smallest of the encodings is chosen,
/// by the values alone. A segment begins at a multiple of 8 in memory.
///
/// Errors   STOA_LIMIT  2^31 values or bytes; STOA_NO_MEMORY. On error `out` is as it was.
STOA_MUST_USE stoa_status stoa_segment_write(stoa_segment_writer *writer, stoa_segment_type type,
                                             const void *data, const int32_t *offsets,
                                             int64_t count, stoa_buffer *out, stoa_error *err);

/// Checks every byte that a later read relies on.
///
/// Errors   STOA_CORRUPT  `err->offset` is within the segment
STOA_MUST_USE stoa_status stoa_segment_open(stoa_segment_type type, const uint8_t *bytes,
                                            size_t size, uint32_t count, stoa_segment *out,
                                            stoa_error *err);

/// Asks for the memory that reading a row is going to need, for those who read several segments.
///
/// gcc takes a function that does nothing but prefetch for one without effects, and drops calls of it that
/// are not inlined first.
__attribute__((always_inline)) static inline void stoa_segment_prefetch(const stoa_segment *segment,
                                                                        uint32_t row) {
    const size_t width = (size_t)segment->type.value_bytes;
    const stoa_frames *frames = &segment->frames;
    switch (segment->kind) {
    case STOA_SEGMENT_FRAMES:
        __builtin_prefetch(frames->bases + row / STOA_FRAME_ROWS * sizeof(int64_t));
        __builtin_prefetch(frames->packed + (size_t)row * (size_t)frames->bits / 8);
        break;
    case STOA_SEGMENT_LINE:
    case STOA_SEGMENT_DICTIONARY:
        __builtin_prefetch(frames->packed + (size_t)row * (size_t)frames->bits / 8);
        break;
    case STOA_SEGMENT_PLAIN:
        __builtin_prefetch(segment->values + (width == 0 ? row / 8 : row * width));
        break;
    case STOA_SEGMENT_CONSTANT: __builtin_prefetch(segment->values); break;
    case STOA_SEGMENT_RUNS:
        __builtin_prefetch(segment->places + segment->entry_count / 2 * sizeof(uint32_t));
        break;
    }
}

/// One integer of up to 8 bytes, or the bits of one double, as 64 bits.
int64_t stoa_segment_number(const stoa_segment *segment, uint32_t row);
/// In a segment of unsigned numbers that never fall, the first row whose number is not less; count when
/// there is none.
uint32_t stoa_segment_find(const stoa_segment *segment, uint64_t number);
/// Asks for the memory that the search is going to need: first (`step` 0) what tells the frame, then (1) the
/// frame.
void stoa_segment_find_prefetch(const stoa_segment *segment, uint64_t number, int step);
bool stoa_segment_bit(const stoa_segment *segment, uint32_t row);
/// One value of any class but bits; texts and fixed borrow the segment's bytes, others lie in
/// `storage`.
const uint8_t *stoa_segment_value(const stoa_segment *segment, uint32_t row, uint8_t storage[16],
                                  size_t *out_size);

/// Values [first, first + count) into `out`: bits from bit `out_at` on, values of the type's width.
void stoa_segment_read(const stoa_segment *segment, uint32_t first, uint32_t count, void *out,
                       int64_t out_at);
/// The same for rows in any order; fastest where they grow.
void stoa_segment_take(const stoa_segment *segment, const uint32_t *rows, int64_t count, void *out,
                       int64_t out_at);
/// The rows of [first, first + count) whose bit is set (bit i: row first + i, those behind the last zero),
/// where they are packed so that this is fast; false where they are not, and nothing was done. `out` has
/// room for 8 values more.
bool stoa_segment_choose(const stoa_segment *segment, uint32_t first, uint32_t count,
                         const uint8_t *bits, void *out);
/// Appends texts to `bytes` and their ends to `offsets`, which has at least one (the last end).
/// `rows` NULL: [0, count) from `first`.
///
/// Errors   STOA_LIMIT  more than 2 GiB of bytes; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_segment_texts(const stoa_segment *segment, const uint32_t *rows,
                                             uint32_t first, int64_t count, stoa_buffer *offsets,
                                             stoa_buffer *bytes, stoa_error *err);

/// Texts [first, first + count) where they lie one after the other: fills `ends`, `count` from the first
/// text's beginning on, and says where the bytes are. False: they do not lie so, and nothing was done.
bool stoa_segment_texts_view(const stoa_segment *segment, uint32_t first, uint32_t count,
                             int32_t *ends, const uint8_t **out_bytes, size_t *out_size);

#endif
