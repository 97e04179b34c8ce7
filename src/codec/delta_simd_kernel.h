/* The forms of delta_kernel.h, which chooses between them; tests call each of them. The caller has asked
 * stoa_cpu_level. `count` is a multiple of 32. */
#ifndef STOA_CODEC_DELTA_SIMD_KERNEL_H
#define STOA_CODEC_DELTA_SIMD_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// values[i] becomes last + (values[0] + smallest) + … + (values[i] + smallest), wrapping; the last one
/// is returned.
uint32_t stoa_delta_sum_u32_plain(uint32_t *values, size_t count, uint32_t smallest, uint32_t last);
uint64_t stoa_delta_sum_u64_plain(uint64_t *values, size_t count, uint64_t smallest, uint64_t last);

#if defined(__x86_64__)
uint32_t stoa_delta_sum_u32_avx2(uint32_t *values, size_t count, uint32_t smallest, uint32_t last);
uint64_t stoa_delta_sum_u64_avx2(uint64_t *values, size_t count, uint64_t smallest, uint64_t last);

/// What a block of 128 differences is packed as: values[0] - values[-1] and so on, as what is above the
/// smallest of them (which is returned), and the bits that each 32 of those take.
int32_t stoa_delta_block_i32_avx512(const int32_t *values, uint64_t *above, uint8_t *widths);
int64_t stoa_delta_block_i64_avx512(const int64_t *values, uint64_t *above, uint8_t *widths);

/// All of stoa_delta_unpack_u32 and its like; false where the width is too large for a lane.
bool stoa_delta_unpack_u32_avx512(const uint8_t *packed, size_t count, int width, uint32_t smallest,
                                  uint32_t *last, uint32_t *out);
bool stoa_delta_unpack_u64_avx512(const uint8_t *packed, size_t count, int width, uint64_t smallest,
                                  uint64_t *last, uint64_t *out);
#endif

#endif
