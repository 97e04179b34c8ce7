/* Segments: the values of one column in one stripe, encoded so that any row can be read by itself.
 *
 * A segment is written whole, and checked whole when it is opened: reading it afterwards cannot fail.
 * Their bytes: lsm/segment_format.h. */
#ifndef STOA_LSM_SEGMENT_H
#define STOA_LSM_SEGMENT_H

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
    STOA_SEGMENT_FRAMES,    /* a base for every 64 values, packed differences */
    STOA_SEGMENT_DICTIONARY /* different values in growing order, packed codes */
} stoa_segment_kind;

enum { STOA_SEGMENT_FRAME = 64, STOA_SEGMENT_ENTRIES_MAX = 4096 };

/* An open segment; borrows its bytes. */
typedef struct stoa_segment {
    stoa_segment_type type;
    stoa_segment_kind kind;
    int bits;      /* of a packed difference or code */
    int64_t scale; /* of doubles as whole numbers: what these are divided by; 0: bit patterns */
    uint32_t count;
    uint32_t entry_count;
    const uint8_t *values;  /* plain ones, entries, the constant */
    const uint8_t *bases;   /* int64_t a frame */
    const uint8_t *packed;  /* differences or codes, and 8 bytes more */
    const uint8_t *offsets; /* of the texts of a dictionary: uint32_t, one more than entries */
    size_t value_size;      /* texts: bytes of all values or entries */
} stoa_segment;

/* The working memory of writing segments. */
typedef struct stoa_segment_writer stoa_segment_writer;

STOA_MUST_USE stoa_status stoa_segment_writer_create(stoa_pool *pool, stoa_segment_writer **out,
                                                     stoa_error *err);
void stoa_segment_writer_close(stoa_segment_writer *writer);

/// Appends a segment of `count` values: a bitmap from its first bit, values of the type's width, or
/// the bytes of texts with count + 1 `offsets` from `bytes`. The smallest of the encodings is chosen,
/// by the values alone.
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

/// One integer, or the bits of one double, as 64 bits (integers of 16 bytes only where
/// stoa_segment_is_narrow).
int64_t stoa_segment_number(const stoa_segment *segment, uint32_t row);
bool stoa_segment_is_narrow(const stoa_segment *segment);
bool stoa_segment_bit(const stoa_segment *segment, uint32_t row);
/// One value of any class but bits; texts and fixed borrow the segment's bytes, others lie in
/// `storage`.
const uint8_t *stoa_segment_value(const stoa_segment *segment, uint32_t row, uint8_t storage[16],
                                  size_t *out_size);

/// Values [first, first + count) into `out`: bits from bit `out_at` on, values of the type's width.
void stoa_segment_read(const stoa_segment *segment, uint32_t first, uint32_t count, void *out,
                       int64_t out_at);
/// The same for rows in any order.
void stoa_segment_take(const stoa_segment *segment, const uint32_t *rows, int64_t count, void *out,
                       int64_t out_at);
/// Appends texts to `bytes` and their ends to `offsets`, which has at least one (the last end).
/// `rows` NULL: [0, count) from `first`.
///
/// Errors   STOA_LIMIT  more than 2 GiB of bytes; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_segment_texts(const stoa_segment *segment, const uint32_t *rows,
                                             uint32_t first, int64_t count, stoa_buffer *offsets,
                                             stoa_buffer *bytes, stoa_error *err);

#endif
