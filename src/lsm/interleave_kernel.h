/* The loops that put rows of several arrays one after the other in any order.
 *
 * Kernels: they allocate nothing and report nothing. Places name a source and a row of it that are
 * there; targets do not overlap sources. */
#ifndef STOA_LSM_INTERLEAVE_KERNEL_H
#define STOA_LSM_INTERLEAVE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Where a row is: of source `source`, row `row`. */
typedef struct stoa_place {
    uint32_t source;
    uint32_t row;
} stoa_place;

/// out[i] = values[source][row], `width` bytes each.
void stoa_interleave_fixed(const uint8_t *const *values, size_t width, const stoa_place *places,
                           int64_t count, uint8_t *out);

/// Bit i of `out` = bit at[source] + row of bits[source] (NULL: all ones). Writes whole bytes; returns
/// how many bits are 0.
int64_t stoa_interleave_bits(const uint8_t *const *bits, const int64_t *at,
                             const stoa_place *places, int64_t count, uint8_t *out);

/// ends[i] = the end of run i, [offsets[source][row], offsets[source][row + 1]), counting on from 0.
/// Returns the end of the last; above INT32_MAX the ends mean nothing.
int64_t stoa_interleave_ends(const int32_t *const *offsets, const stoa_place *places, int64_t count,
                             int32_t *ends);

/// The bytes of the same runs, one after the other.
void stoa_interleave_bytes(const int32_t *const *offsets, const uint8_t *const *bytes,
                           const stoa_place *places, int64_t count, uint8_t *out);

/// The places of the items of the same runs, which are rows of the sources' children.
void stoa_interleave_items(const int32_t *const *offsets, const stoa_place *places, int64_t count,
                           stoa_place *out);

#endif
