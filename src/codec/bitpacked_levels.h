/* BIT_PACKED levels: a fixed width, most significant bit first, no length before them. Deprecated, and
 * only read.
 *
 * Source   Apache Parquet format 2.11, "Bit-packed (Deprecated)" */
#ifndef STOA_CODEC_BITPACKED_LEVELS_H
#define STOA_CODEC_BITPACKED_LEVELS_H

#include "base/error.h"

/// A decoder over bytes that stay the caller's.
typedef struct stoa_bitpacked_levels {
    const uint8_t *bytes;
    int width;
    size_t count;
    size_t position; /* of the next one */
} stoa_bitpacked_levels;

/// `count` levels of `width` (0 to 8) bits; `*out_used` is what they take of `size`.
///
/// Errors   STOA_CORRUPT  they take more
STOA_MUST_USE stoa_status stoa_bitpacked_levels_init(stoa_bitpacked_levels *levels,
                                                     const uint8_t *bytes, size_t size, int width,
                                                     size_t count, size_t *out_used,
                                                     stoa_error *err);

/// Takes exactly `count` levels.
///
/// Errors   STOA_CORRUPT  fewer are left
STOA_MUST_USE stoa_status stoa_bitpacked_levels_read_u8(stoa_bitpacked_levels *levels, uint8_t *out,
                                                        size_t count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_bitpacked_levels_skip(stoa_bitpacked_levels *levels, size_t count,
                                                     stoa_error *err);

#endif
