/* Codes of a dictionary into bits, and the values whose bit is set.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. Bitmaps count from bit 0
 * of their first byte; all bytes of one that is written are, and bits behind the last are 0. */
#ifndef STOA_PARQUET_FILTER_KERNEL_H
#define STOA_PARQUET_FILTER_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum { STOA_CODE_MATCHES = 1, STOA_CODE_IS_NONE = 2 };

/// Bit i of `out` is bit 0 of matches[codes[i]]. Returns all of these bytes or-ed: with
/// STOA_CODE_IS_NONE, which stands from entry_count on, in it a code was
/// no entry, whose bit means nothing.
uint8_t stoa_match_codes_u8(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                            int32_t entry_count, uint8_t *out);
/// The same for codes that are all below the count of `matches`.
void stoa_match_codes_u32(const uint32_t *codes, int64_t count, const uint8_t *matches,
                          uint8_t *out);

/// Bit i of `out` is levels[i] >= least.
void stoa_match_levels(const uint8_t *levels, int64_t count, uint8_t least, uint8_t *out);

/// Those of `count` bits that stand where `selection` has a 1, one behind the other, from bit 0 of
/// `out` on, which may be either of them. Returns how many there are; only their bytes are written.
int64_t stoa_keep_bits(const uint8_t *bits, const uint8_t *selection, int64_t count,
                         uint8_t *out);
/// The same for values of `width` bytes; `out` does not overlap unless it is `values`.
int64_t stoa_keep_fixed(const uint8_t *values, size_t width, const uint8_t *selection,
                          int64_t count, uint8_t *out);
/// The sum of the lengths of those of `count` strings, between their count + 1 offsets.
int64_t stoa_keep_lengths(const int32_t *offsets, const uint8_t *selection, int64_t count);
/// Copies them to `out`, and writes where each ends counted on from `base`.
void stoa_keep_strings(const int32_t *offsets, const uint8_t *bytes, const uint8_t *selection,
                         int64_t count, int32_t base, int32_t *ends, uint8_t *out);
/// The numbers of the set bits.
int64_t stoa_keep_numbers(const uint8_t *selection, int64_t count, int64_t *out);

#endif
