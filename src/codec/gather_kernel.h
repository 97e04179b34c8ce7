/* Looking codes up in a dictionary of values of one width.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. */
#ifndef STOA_CODEC_GATHER_KERNEL_H
#define STOA_CODEC_GATHER_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// The highest of `count` codes; 0 for none.
uint32_t stoa_codes_highest(const uint32_t *codes, size_t count);

/// out[i] = entries[codes[i]], values of `value_bytes` (not 0) each. Codes are below `entry_count`;
/// nothing overlaps.
void stoa_codes_gather(const uint8_t *entries, size_t entry_count, size_t value_bytes,
                       const uint32_t *codes, size_t count, uint8_t *out);

/// `count` times the one value.
void stoa_repeat_fixed(const uint8_t *value, size_t value_bytes, size_t count, uint8_t *out);

#endif
