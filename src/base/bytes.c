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
