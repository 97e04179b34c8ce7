/* The forms of delta_kernel.h's sums, which chooses between them; tests call each of them.
 *
 * values[i] becomes last + (values[0] + smallest) + … + (values[i] + smallest), wrapping; the last one
 * is returned. `count` is a multiple of 32. The caller has asked stoa_cpu_level. */
#ifndef STOA_CODEC_DELTA_SIMD_KERNEL_H
#define STOA_CODEC_DELTA_SIMD_KERNEL_H

#include <stddef.h>
#include <stdint.h>

uint32_t stoa_delta_sum_u32_plain(uint32_t *values, size_t count, uint32_t smallest, uint32_t last);
uint64_t stoa_delta_sum_u64_plain(uint64_t *values, size_t count, uint64_t smallest, uint64_t last);

#if defined(__x86_64__)
uint32_t stoa_delta_sum_u32_avx2(uint32_t *values, size_t count, uint32_t smallest, uint32_t last);
uint64_t stoa_delta_sum_u64_avx2(uint64_t *values, size_t count, uint64_t smallest, uint64_t last);
uint32_t stoa_delta_sum_u32_avx512(uint32_t *values, size_t count, uint32_t smallest,
                                   uint32_t last);
uint64_t stoa_delta_sum_u64_avx512(uint64_t *values, size_t count, uint64_t smallest,
                                   uint64_t last);
#endif

#endif
