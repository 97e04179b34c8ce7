/* What the files that write segments share: the writer's working memory and what is known of the values
 * at hand. */
#ifndef STOA_LSM_SEGMENT_WRITER_H
#define STOA_LSM_SEGMENT_WRITER_H

#include "lsm/segment_format.h"

enum { STOA_SEGMENT_SLOTS = 2 * STOA_SEGMENT_ENTRIES_MAX };

struct stoa_segment_writer {
    stoa_pool *pool;
    stoa_segment_type type;
    uint32_t count;
    uint64_t flip; /* turns the order of the numbers into that of signed ones */
    stoa_segment_header header;
    stoa_buffer raw;     /* int64_t a value: integers, bits of doubles */
    stoa_buffer numbers; /* int64_t a value: doubles as whole numbers; offsets of texts */
    stoa_buffer units;   /* int16_t a value of such doubles, or NONE of exceptions; may be empty */
    stoa_buffer bounds;  /* int64_t, a least and a greatest a frame and slope */
    stoa_buffer differences; /* uint64_t a value, filled up to whole frames; or codes */
    stoa_buffer bases;       /* int64_t a frame */
    stoa_buffer places;      /* uint32_t an exception or a run */
    stoa_buffer entries;     /* int64_t: of a dictionary, of runs, of exceptions; texts' views */
    stoa_buffer codes;       /* uint16_t a value: place of the first appearance */
    uint16_t slots[STOA_SEGMENT_SLOTS];
};

static inline int stoa_segment_width(uint64_t greatest) {
    return greatest == 0 ? 0 : 64 - __builtin_clzll(greatest);
}

/// A number in the order of signed ones.
static inline int64_t stoa_segment_ordered(const stoa_segment_writer *writer, int64_t number) {
    return (int64_t)((uint64_t)number ^ writer->flip);
}
bool stoa_segment_never_fall(const stoa_segment_writer *writer, const int64_t *numbers);

/// Where the segment begins in `out` is taken to be a multiple of 8.
STOA_MUST_USE stoa_status stoa_segment_append_filling(stoa_buffer *out, size_t begin,
                                                      stoa_error *err);
/// Appends int64_t numbers as values of the type's width.
STOA_MUST_USE stoa_status stoa_segment_append_values(const stoa_segment_writer *writer,
                                                     const int64_t *numbers, size_t count,
                                                     stoa_buffer *out, stoa_error *err);
/// Appends the first `count` differences or codes, packed.
STOA_MUST_USE stoa_status stoa_segment_append_packed(const stoa_segment_writer *writer,
                                                     size_t count, int bits, stoa_buffer *out,
                                                     stoa_error *err);

/// Writes a dictionary of the raw numbers or of texts where that takes fewer than `limit` bytes without
/// its header.
STOA_MUST_USE stoa_status stoa_segment_write_numbers_dictionary(stoa_segment_writer *writer,
                                                                size_t limit, stoa_buffer *out,
                                                                bool *out_written, stoa_error *err);
STOA_MUST_USE stoa_status stoa_segment_write_texts_dictionary(stoa_segment_writer *writer,
                                                              const uint8_t *bytes,
                                                              const int32_t *offsets, size_t limit,
                                                              stoa_buffer *out, bool *out_written,
                                                              stoa_error *err);

/// Doubles as whole numbers where most of them are decimal fractions: fills numbers and units and sets
/// scale and correction in the header. `out_exceptions` counts those that are not.
STOA_MUST_USE stoa_status stoa_segment_scale_doubles(stoa_segment_writer *writer, bool *out_scaled,
                                                     size_t *out_exceptions, stoa_error *err);

/// Where numbers that take `bits` each and `size` bytes in all would take clearly less without a few of
/// them: the others are in `numbers` of the writer, and units are STOA_UNITS_NONE where one was left out.
/// How many were is added to `*out_exceptions`.
STOA_MUST_USE stoa_status stoa_segment_clip_outliers(stoa_segment_writer *writer,
                                                     const int64_t *numbers, int bits, size_t size,
                                                     bool *out_clipped, size_t *out_exceptions,
                                                     stoa_error *err);

#endif
