/* A field is one byte (id delta << 4 | type), or the type and a zigzag id where the delta is over
 * 15; numbers are zigzag varints; a struct ends in a zero byte. */
#include "parquet/thrift_writer.h"

#include "base/bytes.h"

enum { DELTA_MAX = 15, LIST_SHORT_MAX = 14 };

static void put(stoa_thrift_writer *writer, const void *bytes, size_t size) {
    if (writer->status == STOA_OK) {
        writer->status = stoa_buffer_append(writer->out, bytes, size, writer->err);
    }
}

static void put_byte(stoa_thrift_writer *writer, unsigned byte) {
    uint8_t value = (uint8_t)byte;
    put(writer, &value, 1);
}

static void put_varint(stoa_thrift_writer *writer, uint64_t value) {
    uint8_t bytes[STOA_VARINT_BYTES_MAX];
    put(writer, bytes, stoa_store_varint(bytes, value));
}

static void put_binary(stoa_thrift_writer *writer, const void *bytes, size_t size) {
    put_varint(writer, size);
    put(writer, bytes, size);
}

static void put_field(stoa_thrift_writer *writer, int16_t id, stoa_thrift_type type) {
    int16_t *last = &writer->last_id[writer->depth];
    STOA_ASSERT(id > *last);
    int delta = id - *last;
    *last = id;
    if (delta <= DELTA_MAX) {
        put_byte(writer, (unsigned)delta << 4 | (unsigned)type);
    } else {
        put_byte(writer, (unsigned)type);
        put_varint(writer, stoa_zigzag(id));
    }
}

static void push(stoa_thrift_writer *writer) {
    STOA_ASSERT(writer->depth + 1 < STOA_THRIFT_WRITE_DEPTH_MAX);
    writer->last_id[++writer->depth] = 0;
}

void stoa_thrift_writer_init(stoa_thrift_writer *writer, stoa_buffer *out, stoa_error *err) {
    *writer = (stoa_thrift_writer){.out = out, .err = err};
}

void stoa_thrift_write_bool(stoa_thrift_writer *writer, int16_t id, bool value) {
    put_field(writer, id, value ? STOA_THRIFT_TRUE : STOA_THRIFT_FALSE);
}

void stoa_thrift_write_i8(stoa_thrift_writer *writer, int16_t id, int8_t value) {
    put_field(writer, id, STOA_THRIFT_I8);
    put_byte(writer, (uint8_t)value);
}

void stoa_thrift_write_i16(stoa_thrift_writer *writer, int16_t id, int16_t value) {
    put_field(writer, id, STOA_THRIFT_I16);
    put_varint(writer, stoa_zigzag(value));
}

void stoa_thrift_write_i32(stoa_thrift_writer *writer, int16_t id, int32_t value) {
    put_field(writer, id, STOA_THRIFT_I32);
    put_varint(writer, stoa_zigzag(value));
}

void stoa_thrift_write_i64(stoa_thrift_writer *writer, int16_t id, int64_t value) {
    put_field(writer, id, STOA_THRIFT_I64);
    put_varint(writer, stoa_zigzag(value));
}

void stoa_thrift_write_binary(stoa_thrift_writer *writer, int16_t id, const void *bytes,
                              size_t size) {
    put_field(writer, id, STOA_THRIFT_BINARY);
    put_binary(writer, bytes, size);
}

void stoa_thrift_write_text(stoa_thrift_writer *writer, int16_t id, const char *text) {
    stoa_thrift_write_binary(writer, id, text, strlen(text));
}

void stoa_thrift_begin_struct(stoa_thrift_writer *writer, int16_t id) {
    put_field(writer, id, STOA_THRIFT_STRUCT);
    push(writer);
}

void stoa_thrift_end_struct(stoa_thrift_writer *writer) {
    STOA_ASSERT(writer->depth > 0);
    put_byte(writer, STOA_THRIFT_STOP);
    writer->depth--;
}

void stoa_thrift_write_empty(stoa_thrift_writer *writer, int16_t id) {
    stoa_thrift_begin_struct(writer, id);
    stoa_thrift_end_struct(writer);
}

void stoa_thrift_begin_list(stoa_thrift_writer *writer, int16_t id, stoa_thrift_type type,
                            size_t count) {
    put_field(writer, id, STOA_THRIFT_LIST);
    if (count <= LIST_SHORT_MAX) {
        put_byte(writer, (unsigned)count << 4 | (unsigned)type);
    } else {
        put_byte(writer, 0xF0 | (unsigned)type);
        put_varint(writer, count);
    }
}

void stoa_thrift_item_i32(stoa_thrift_writer *writer, int32_t value) {
    put_varint(writer, stoa_zigzag(value));
}

void stoa_thrift_item_i64(stoa_thrift_writer *writer, int64_t value) {
    put_varint(writer, stoa_zigzag(value));
}

void stoa_thrift_item_bool(stoa_thrift_writer *writer, bool value) {
    put_byte(writer, value ? STOA_THRIFT_TRUE : STOA_THRIFT_FALSE);
}

void stoa_thrift_item_binary(stoa_thrift_writer *writer, const void *bytes, size_t size) {
    put_binary(writer, bytes, size);
}

void stoa_thrift_item_text(stoa_thrift_writer *writer, const char *text) {
    put_binary(writer, text, strlen(text));
}

void stoa_thrift_item_struct(stoa_thrift_writer *writer) {
    push(writer);
}

void stoa_thrift_items_raw(stoa_thrift_writer *writer, const void *bytes, size_t size) {
    put(writer, bytes, size);
}

stoa_status stoa_thrift_writer_finish(stoa_thrift_writer *writer) {
    STOA_ASSERT(writer->depth == 0);
    put_byte(writer, STOA_THRIFT_STOP);
    return writer->status;
}
