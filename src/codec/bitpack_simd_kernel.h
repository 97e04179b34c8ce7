/* The forms of bitpack_kernel.h's functions, which choose between them; tests call each of them.
 *
 * The fast ones unpack a leading part, a multiple of 8 values, and return its length: the plain form does the
 * rest. They read count / 8 * width bytes and no others. The caller has asked stoa_cpu_level; on other
 * machines than x86-64 all answer 0. */
#ifndef STOA_CODEC_BITPACK_SIMD_KERNEL_H
#define STOA_CODEC_BITPACK_SIMD_KERNEL_H

#include <stddef.h>
#include <stdint.h>

size_t stoa_bitunpack_u32_avx2(const uint8_t *bytes, size_t count, int width, uint32_t *out);
size_t stoa_bitunpack_u8_avx512(const uint8_t *bytes, size_t count, int width, uint8_t *out);
size_t stoa_bitunpack_u32_avx512(const uint8_t *bytes, size_t count, int width, uint32_t *out);
size_t stoa_bitunpack_u64_avx512(const uint8_t *bytes, size_t count, int width, uint64_t *out);

/// Packing: the whole of `count` values where the width allows it, else 0. Writes count / 8 * width bytes
/// and no others.
size_t stoa_bitpack_u32_avx512(const uint32_t *values, size_t count, int width, uint8_t *out);
size_t stoa_bitpack_u64_avx512(const uint64_t *values, size_t count, int width, uint8_t *out);

/// The plain forms, in bitpack_kernel.c, of all `count` values.
void stoa_bitpack_u32_plain(const uint32_t *values, size_t count, int width, uint8_t *out);
void stoa_bitpack_u64_plain(const uint64_t *values, size_t count, int width, uint8_t *out);
void stoa_bitunpack_u8_plain(const uint8_t *bytes, size_t count, int width, uint8_t *out);
void stoa_bitunpack_u32_plain(const uint8_t *bytes, size_t count, int width, uint32_t *out);
void stoa_bitunpack_u64_plain(const uint8_t *bytes, size_t count, int width, uint64_t *out);

#endif
