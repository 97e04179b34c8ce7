/* PLAIN: values one after the other, as they are.
 *
 * Decoders are plain data over bytes that stay the caller's. Offsets in messages count from the first
 * byte given. Fixed values (integers, floats, INT96 and fixed bytes) come in their own layout.
 *
 * Threads  One call at a time; separate decoders are independent.
 * Source   Apache Parquet format 2.11, "Plain" */
#ifndef STOA_CODEC_PLAIN_H
#define STOA_CODEC_PLAIN_H

#include "base/bytes.h"
#include "base/error.h"
#include "codec/views.h"

enum { STOA_INT96_BYTES = 12 };

/// The next `count` values of `value_bytes` (not 0) each, where they lie: valid with the bytes.
///
/// Errors   STOA_CORRUPT  the bytes end early
STOA_MUST_USE stoa_status stoa_plain_take_fixed(stoa_byte_reader *reader, size_t value_bytes,
                                                size_t count, const uint8_t **out, stoa_error *err);

/// The next `count` byte arrays, each behind its length in four bytes, where they lie.
///
/// Errors   STOA_CORRUPT  the bytes end early
STOA_MUST_USE stoa_status stoa_plain_read_bytes(stoa_byte_reader *reader, stoa_bytes_view *out,
                                                size_t count, stoa_error *err);

/// Copies the next byte arrays to `out` and says where each ends, as stoa_views_gather_i32, until there
/// are `count` or the next does not fit what is left of `room`; it is not taken then. Room that is left
/// may be written to. `*out_done` is how many there are.
///
/// Errors   STOA_CORRUPT  the bytes end early
STOA_MUST_USE stoa_status stoa_plain_gather_i32(stoa_byte_reader *reader, size_t count,
                                                int32_t offset, int32_t *ends, uint8_t *out,
                                                size_t room, size_t *out_done, stoa_error *err);
STOA_MUST_USE stoa_status stoa_plain_skip_bytes(stoa_byte_reader *reader, size_t count,
                                                stoa_error *err);

/// Booleans, a bit each.
typedef struct stoa_plain_bools {
    const uint8_t *bytes;
    size_t size;
    size_t position; /* in bits */
} stoa_plain_bools;

/// Copies `count` into bits [offset, offset + count) of a bitmap, other bits keeping theirs.
///
/// Errors   STOA_CORRUPT  fewer are left
STOA_MUST_USE stoa_status stoa_plain_read_bools(stoa_plain_bools *bools, uint8_t *bits,
                                                int64_t offset, size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_plain_skip_bools(stoa_plain_bools *bools, size_t count,
                                                stoa_error *err);

/// Byte arrays behind their lengths into `out`, which has room for 4 + size of each; no size is above
/// UINT32_MAX. Returns the bytes written.
size_t stoa_plain_encode_bytes(const stoa_bytes_view *values, size_t count, uint8_t *out);

/// INT96 timestamps (nanoseconds of the day, then the Julian day, which is signed) as ticks since 1970,
/// rounded down. Days that only an overflow of Spark's writes are the years that it reads them as.
/// `ticks_per_second` is 1 to 10^9, a power of ten. Returns how many there are before the first that
/// does not fit 64 bits.
size_t stoa_int96_to_ticks(const uint8_t *bytes, size_t count, int64_t ticks_per_second,
                           int64_t *out);

#endif
