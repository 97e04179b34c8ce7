/* Variable-length integers (LEB128), as Thrift, Parquet and Avro use them. */
#include "base/bytes.h"

bool stoa_byte_reader_varint(stoa_byte_reader *reader, uint64_t *out) {
    uint64_t value = 0;
    size_t position = reader->position;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (position == reader->size) {
            return false;
        }
        uint8_t byte = reader->data[position++];
        if (shift == 63 && byte > 1) {
            return false;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            reader->position = position;
            *out = value;
            return true;
        }
    }
    return false;
}

size_t stoa_store_varint(uint8_t *out, uint64_t value) {
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

size_t stoa_store_i128_shortest(uint8_t out[16], __int128 value) {
    uint8_t bytes[16];
    for (int i = 0; i < 16; i++) {
        bytes[15 - i] = (uint8_t)((unsigned __int128)value >> (8 * i));
    }
    size_t first = 0;
    while (first < 15 && ((bytes[first] == 0 && bytes[first + 1] < 0x80) ||
                          (bytes[first] == 0xFF && bytes[first + 1] >= 0x80))) {
        first++;
    }
    memcpy(out, bytes + first, sizeof bytes - first);
    return sizeof bytes - first;
}
