/* XXH3, XXH64 and CRC-32 come from libraries, but for vectors of 64 bytes (crc32_kernel.c); CRC-32C is
 * the same, then one instruction a word where the processor has it, else a table look-up a byte. */
#include "base/hash.h"

#include <libdeflate.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the size of its state */
#include <xxhash.h>

#include "base/bytes.h"
#include "base/crc32_kernel.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HAVE_CRC_INSTRUCTION 1
#endif

/* Reflected polynomial 0x1EDC6F41. One table of 256 is enough for the portable road. */
static uint32_t crc32c_step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) {
        crc = (crc >> 1) ^ (UINT32_C(0x82F63B78) & (0 - (crc & 1)));
    }
    return crc;
}

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *bytes, size_t size) {
    /* The table is built on the stack for each call: no global to initialise, and calls are long
     * enough on machines that come here. */
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = crc32c_step(0, (uint8_t)i);
    }
    for (size_t i = 0; i < size; i++) {
        crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xFF];
    }
    return crc;
}

#if defined(HAVE_CRC_INSTRUCTION)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *bytes,
                                                               size_t size) {
    uint64_t state = crc;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        state = _mm_crc32_u64(state, stoa_load_u64(bytes + i));
    }
    uint32_t tail = (uint32_t)state;
    for (; i < size; i++) {
        tail = _mm_crc32_u8(tail, bytes[i]);
    }
    return tail;
}
#endif

uint32_t stoa_crc32c(uint32_t crc, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    const size_t done = stoa_crc32c_avx512(&crc, from, size);
#if defined(HAVE_CRC_INSTRUCTION)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc32c_sse42(~crc, from + done, size - done);
    }
#endif
    return ~crc32c_portable(~crc, from + done, size - done);
}

uint32_t stoa_crc32(uint32_t crc, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    const size_t done = stoa_crc32_avx512(&crc, from, size);
    return libdeflate_crc32(crc, from + done, size - done);
}

uint64_t stoa_hash64(const void *bytes, size_t size) {
    return XXH3_64bits(bytes, size);
}

uint64_t stoa_xxhash64(const void *bytes, size_t size) {
    return XXH64(bytes, size, 0);
}

_Static_assert(sizeof(XXH3_state_t) <= sizeof(stoa_hash_stream), "the library's state fits");

void stoa_hash_stream_init(stoa_hash_stream *stream) {
    (void)XXH3_64bits_reset((XXH3_state_t *)(void *)stream->state);
}

void stoa_hash_stream_update(stoa_hash_stream *stream, const void *bytes, size_t size) {
    (void)XXH3_64bits_update((XXH3_state_t *)(void *)stream->state, bytes, size);
}

uint64_t stoa_hash_stream_finish(const stoa_hash_stream *stream) {
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)stream->state);
}

stoa_hash128 stoa_hash128_of(const void *bytes, size_t size) {
    const XXH128_hash_t hash = XXH3_128bits(bytes, size);
    return (stoa_hash128){hash.high64, hash.low64};
}

/* Both sizes of XXH3 take their bytes up in the same way: they differ in how they end. */
stoa_hash128 stoa_hash_stream_finish128(const stoa_hash_stream *stream) {
    const XXH128_hash_t hash =
        XXH3_128bits_digest((const XXH3_state_t *)(const void *)stream->state);
    return (stoa_hash128){hash.high64, hash.low64};
}
