/* Reading and writing little-endian bytes inside known bounds.
 *
 * A reader over bytes from outside: every get says false when the bytes end early and leaves the
 * reader where it was, so that the caller can name the offset. */
#ifndef STOA_BASE_BYTES_H
#define STOA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Stoa's formats are little-endian and so are the machines that it supports"
#endif

typedef struct stoa_byte_reader {
    const uint8_t *data;
    size_t size;
    size_t position; /* invariant: position <= size */
} stoa_byte_reader;

static inline stoa_byte_reader stoa_byte_reader_of(const void *data, size_t size) {
    return (stoa_byte_reader){(const uint8_t *)data, size, 0};
}
static inline size_t stoa_byte_reader_left(const stoa_byte_reader *reader) {
    return reader->size - reader->position;
}
/// Borrows the next `size` bytes; NULL when fewer are left.
static inline const uint8_t *stoa_byte_reader_take(stoa_byte_reader *reader, size_t size) {
    if (stoa_byte_reader_left(reader) < size) {
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->position;
    reader->position += size;
    return bytes;
}
static inline bool stoa_byte_reader_get(stoa_byte_reader *reader, void *out, size_t size) {
    const uint8_t *bytes = stoa_byte_reader_take(reader, size);
    if (bytes == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(out, bytes, size);
    }
    return true;
}
/// Unsigned LEB128 of at most 64 bits; false also when it is longer than ten bytes or overflows.
bool stoa_byte_reader_varint(stoa_byte_reader *reader, uint64_t *out);

static inline uint16_t stoa_load_u16(const void *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static inline uint32_t stoa_load_u32(const void *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static inline uint64_t stoa_load_u64(const void *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static inline int32_t stoa_load_i32(const void *bytes) {
    int32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static inline int64_t stoa_load_i64(const void *bytes) {
    int64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static inline void stoa_store_u32(void *bytes, uint32_t value) {
    memcpy(bytes, &value, sizeof value);
}
static inline void stoa_store_u64(void *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

/// -1, 0 or 1 by unsigned bytes, a beginning before what it begins. A pointer to no bytes may be NULL.
static inline int stoa_bytes_compare(const void *left, size_t left_size, const void *right,
                                     size_t right_size) {
    const size_t common = left_size < right_size ? left_size : right_size;
    const int order = common == 0 ? 0 : memcmp(left, right, common);
    return order != 0 ? (order > 0) - (order < 0)
                      : (left_size > right_size) - (left_size < right_size);
}

/// Two's complement, big-endian, in as few bytes as hold the value; returns how many.
size_t stoa_store_i128_shortest(uint8_t out[16], __int128 value);

enum { STOA_VARINT_BYTES_MAX = 10 };

/// Writes unsigned LEB128 into `out`, which has room for STOA_VARINT_BYTES_MAX; returns its size.
size_t stoa_store_varint(uint8_t *out, uint64_t value);

/// Signed numbers to unsigned ones with small magnitudes first: 0, -1, 1, -2, …
static inline uint64_t stoa_zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}
static inline int64_t stoa_unzigzag(uint64_t value) {
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
