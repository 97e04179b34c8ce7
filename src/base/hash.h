/* Hashes and checksums. XXH3 for tables and files of our own, CRC-32C where a format asks for it. */
#ifndef STOA_BASE_HASH_H
#define STOA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/// XXH3, 64 bits, seed 0.
uint64_t stoa_hash64(const void *bytes, size_t size);

/// XXH64, seed 0: the older hash, which Parquet's bloom filters use.
uint64_t stoa_xxhash64(const void *bytes, size_t size);

/// XXH3 over bytes that come piece by piece. Lies in its owner; nothing to release.
typedef struct stoa_hash_stream {
    _Alignas(64) uint8_t state[640];
} stoa_hash_stream;

void stoa_hash_stream_init(stoa_hash_stream *stream);
void stoa_hash_stream_update(stoa_hash_stream *stream, const void *bytes, size_t size);
uint64_t stoa_hash_stream_finish(const stoa_hash_stream *stream);

/// XXH3, 128 bits, seed 0, as the digits that `xxh128sum` prints: where contents are told apart by it.
enum { STOA_HASH128_DIGITS = 32 };
typedef struct stoa_hash128 {
    uint64_t high;
    uint64_t low;
} stoa_hash128;
stoa_hash128 stoa_hash128_of(const void *bytes, size_t size);
/// Of the same stream: it may be asked for both.
stoa_hash128 stoa_hash_stream_finish128(const stoa_hash_stream *stream);

/// A good mix of one 64-bit number (the finaliser of splitmix64), for hash tables of integers.
static inline uint64_t stoa_hash_u64(uint64_t value) {
    value ^= value >> 30;
    value *= UINT64_C(0xbf58476d1ce4e5b9);
    value ^= value >> 27;
    value *= UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/// The next number of a sequence that any start gives (splitmix64): for jitter and for seeds of tests,
/// never for secrets.
static inline uint64_t stoa_random_next(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return stoa_hash_u64(*state);
}

/// CRC-32C (Castagnoli), as iSCSI, Snappy framing and S3 use it; `crc` is 0 for a first block.
uint32_t stoa_crc32c(uint32_t crc, const void *bytes, size_t size);

/// CRC-32 (ISO-HDLC), as gzip and Parquet pages use it; `crc` is 0 for a first block.
uint32_t stoa_crc32(uint32_t crc, const void *bytes, size_t size);

#endif
