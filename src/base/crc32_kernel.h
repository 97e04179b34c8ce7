/* CRC-32 and CRC-32C by carry-less multiplication of 64 bytes at a time; hash.c leaves the rest to
 * libdeflate, whose vectors have 16, or to the instruction, which takes 8 bytes every three cycles.
 *
 * A kernel: it allocates nothing and reports nothing. */
#ifndef STOA_BASE_CRC32_KERNEL_H
#define STOA_BASE_CRC32_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/// Takes a leading part of the bytes, a multiple of 64, into `*crc` (as stoa_crc32 has it) and returns
/// its length; 0 where the processor lacks the instructions or the bytes are too few.
size_t stoa_crc32_avx512(uint32_t *crc, const uint8_t *bytes, size_t size);
/// The same, as stoa_crc32c has it.
size_t stoa_crc32c_avx512(uint32_t *crc, const uint8_t *bytes, size_t size);

#endif
