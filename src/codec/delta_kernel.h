/* Packed differences to values: unpacked, the smallest difference added, summed up.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. Arithmetic wraps. */
#ifndef STOA_CODEC_DELTA_KERNEL_H
#define STOA_CODEC_DELTA_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// Unpacks `count` differences, a multiple of 32, of `width` (0 to 64) bits from exactly
/// count / 8 * width bytes. `*last` is the value before the first; it becomes the last of `out`.
void stoa_delta_unpack_u32(const uint8_t *packed, size_t count, int width, uint32_t smallest,
                           uint32_t *last, uint32_t *out);
void stoa_delta_unpack_u64(const uint8_t *packed, size_t count, int width, uint64_t smallest,
                           uint64_t *last, uint64_t *out);

#endif
