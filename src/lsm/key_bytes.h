/* The bytes that the two directions of keys agree on. */
#ifndef STOA_LSM_KEY_BYTES_H
#define STOA_LSM_KEY_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A byte 0 within a text stands as ESCAPED ESCAPE; ESCAPED ESCAPED ends it. */
enum {
    STOA_KEY_ESCAPED = 0x00,
    STOA_KEY_ESCAPE = 0xFF,
    STOA_KEY_END_BYTES = 2,
    STOA_KEY_DECIMAL_BYTES = 16
};

/// The lowest `bytes` (1 to 8) bytes of a number.
static inline uint64_t stoa_key_mask(int32_t bytes) {
    return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

static inline void stoa_key_put_number(uint8_t *out, uint64_t number, int32_t size) {
    if (size == 8) { /* most are: one store instead of a loop */
        number = __builtin_bswap64(number);
        memcpy(out, &number, sizeof number);
        return;
    }
    for (int32_t i = size - 1; i >= 0; i--) {
        out[i] = (uint8_t)number;
        number >>= 8;
    }
}

static inline uint64_t stoa_key_get_number(const uint8_t *bytes, int32_t size) {
    uint64_t number = 0;
    if (size == 8) {
        memcpy(&number, bytes, sizeof number);
        return __builtin_bswap64(number);
    }
    for (int32_t i = 0; i < size; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/// The first 8 of `size` bytes as a number, as if zeros followed shorter ones.
static inline uint64_t stoa_key_prefix(const uint8_t *bytes, size_t size) {
    uint8_t prefix[8] = {0};
    if (size >= sizeof prefix) {
        return stoa_key_get_number(bytes, sizeof prefix);
    }
    if (size > 0) {
        memcpy(prefix, bytes, size);
    }
    return stoa_key_get_number(prefix, sizeof prefix);
}

/// Of 16 little-endian bytes.
static inline void stoa_key_put_decimal(uint8_t *out, const uint8_t *little_endian) {
    for (size_t i = 0; i < STOA_KEY_DECIMAL_BYTES; i++) {
        out[i] = little_endian[STOA_KEY_DECIMAL_BYTES - 1 - i];
    }
    out[0] ^= 0x80;
}

static inline void stoa_key_get_decimal(const uint8_t *bytes, uint8_t *little_endian) {
    for (size_t i = 0; i < STOA_KEY_DECIMAL_BYTES; i++) {
        little_endian[i] = bytes[STOA_KEY_DECIMAL_BYTES - 1 - i];
    }
    little_endian[STOA_KEY_DECIMAL_BYTES - 1] ^= 0x80;
}

/// Of a descending column.
static inline void stoa_key_invert(uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
}

#endif
