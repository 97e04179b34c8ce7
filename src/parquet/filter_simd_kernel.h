/* The forms of filter_kernel.h's stoa_match_codes_u8, which chooses between them; tests call each of them.
 *
 * The fast ones match a leading part, a multiple of 64 codes, and return its length: the plain form does
 * the rest. `*all` is what the bytes or-ed before. The caller has asked stoa_cpu_level; on other
 * machines than x86-64 all answer 0. */
#ifndef STOA_PARQUET_FILTER_SIMD_KERNEL_H
#define STOA_PARQUET_FILTER_SIMD_KERNEL_H

#include <stdint.h>

/// For tables whose entries from 16 on are all STOA_CODE_IS_NONE.
int64_t stoa_match_codes_u8_avx2(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                                 uint8_t *out, uint8_t *all);
int64_t stoa_match_codes_u8_avx512(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                                   uint8_t *out, uint8_t *all);

/// Of all `count` codes.
void stoa_match_codes_u8_plain(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                               uint8_t *out, uint8_t *all);

#endif
