/* Bounds-checked reading of FlatBuffers; the layout stands in the header.
 *
 * Positions are kept as u32 and sums are made in u64, so that nothing can wrap. Alignment does not
 * matter: values are copied out. Loops are impossible, because all offsets point forward, but the
 * same table may be reached by many paths: whoever walks a tree limits the number of its nodes. */
#include "arrow/ipc_flatbuffer.h"

#include "base/bytes.h"
#include "base/error.h"

enum { TABLE_HEADER_BYTES = 4, VTABLE_HEADER_BYTES = 4, OFFSET_BYTES = 4 };

static void fault(stoa_flat_reader *reader, uint64_t position, const char *what) {
    if (reader->wrong == NULL) {
        reader->wrong = what;
        reader->wrong_at = position > reader->size ? reader->size : (uint32_t)position;
    }
}

static bool holds(const stoa_flat_reader *reader, uint64_t position, uint64_t size) {
    return position <= reader->size && size <= reader->size - position;
}

static stoa_flat_table table_at(stoa_flat_reader *reader, uint64_t position) {
    const stoa_flat_table absent = {0};
    if (!holds(reader, position, TABLE_HEADER_BYTES)) {
        fault(reader, position, "a table begins outside the metadata");
        return absent;
    }
    int64_t vtable = (int64_t)position - stoa_load_i32(reader->data + position);
    if (vtable < 0 || !holds(reader, (uint64_t)vtable, VTABLE_HEADER_BYTES)) {
        fault(reader, position, "a table's field list lies outside the metadata");
        return absent;
    }
    uint16_t vtable_size = stoa_load_u16(reader->data + vtable);
    uint16_t size = stoa_load_u16(reader->data + vtable + 2);
    if (vtable_size < VTABLE_HEADER_BYTES || vtable_size % 2 != 0 ||
        !holds(reader, (uint64_t)vtable, vtable_size)) {
        fault(reader, (uint64_t)vtable, "a table's field list has an impossible size");
        return absent;
    }
    if (size < TABLE_HEADER_BYTES || !holds(reader, position, size)) {
        fault(reader, position, "a table ends outside the metadata");
        return absent;
    }
    return (stoa_flat_table){reader, (uint32_t)position, (uint32_t)vtable, vtable_size, size};
}

/* The bytes of a field of `size` bytes, or NULL when it is absent or wrong. */
static const uint8_t *field_bytes(stoa_flat_table table, uint32_t field, uint32_t size) {
    if (table.reader == NULL) {
        return NULL;
    }
    uint64_t entry = VTABLE_HEADER_BYTES + (uint64_t)field * 2;
    if (entry + 2 > table.vtable_size) {
        return NULL;
    }
    uint16_t offset = stoa_load_u16(table.reader->data + table.vtable + entry);
    if (offset == 0) {
        return NULL;
    }
    if (offset < TABLE_HEADER_BYTES || (uint32_t)offset + size > table.size) {
        fault(table.reader, table.vtable + entry, "a field lies outside its table");
        return NULL;
    }
    return table.reader->data + table.position + offset;
}

/* Where the offset field points; 0 (never a target) when it is absent or wrong. */
static uint64_t field_target(stoa_flat_table table, uint32_t field) {
    const uint8_t *bytes = field_bytes(table, field, OFFSET_BYTES);
    if (bytes == NULL) {
        return 0;
    }
    uint64_t position = (uint64_t)(bytes - table.reader->data);
    return position + stoa_load_u32(bytes);
}

static stoa_flat_vector vector_at(stoa_flat_reader *reader, uint64_t position,
                                  uint32_t element_size) {
    const stoa_flat_vector absent = {.element_size = element_size};
    if (!holds(reader, position, OFFSET_BYTES)) {
        fault(reader, position, "a vector begins outside the metadata");
        return absent;
    }
    uint32_t count = stoa_load_u32(reader->data + position);
    if (!holds(reader, position + OFFSET_BYTES, (uint64_t)count * element_size)) {
        fault(reader, position, "a vector ends outside the metadata");
        return absent;
    }
    return (stoa_flat_vector){reader, (uint32_t)position + OFFSET_BYTES, count, element_size};
}

stoa_flat_reader stoa_flat_reader_of(const void *data, size_t size) {
    stoa_flat_reader reader = {.data = data, .size = (uint32_t)size};
    if (size > INT32_MAX) {
        reader.size = 0;
        fault(&reader, 0, "the metadata is larger than 2 GiB");
    }
    return reader;
}

stoa_flat_table stoa_flat_root(stoa_flat_reader *reader) {
    if (!holds(reader, 0, OFFSET_BYTES)) {
        fault(reader, 0, "the metadata is shorter than 4 bytes");
        return (stoa_flat_table){0};
    }
    return table_at(reader, stoa_load_u32(reader->data));
}

uint8_t stoa_flat_u8(stoa_flat_table table, uint32_t field, uint8_t otherwise) {
    const uint8_t *bytes = field_bytes(table, field, sizeof(uint8_t));
    return bytes == NULL ? otherwise : *bytes;
}

int16_t stoa_flat_i16(stoa_flat_table table, uint32_t field, int16_t otherwise) {
    const uint8_t *bytes = field_bytes(table, field, sizeof(int16_t));
    return bytes == NULL ? otherwise : (int16_t)stoa_load_u16(bytes);
}

int32_t stoa_flat_i32(stoa_flat_table table, uint32_t field, int32_t otherwise) {
    const uint8_t *bytes = field_bytes(table, field, sizeof(int32_t));
    return bytes == NULL ? otherwise : stoa_load_i32(bytes);
}

int64_t stoa_flat_i64(stoa_flat_table table, uint32_t field, int64_t otherwise) {
    const uint8_t *bytes = field_bytes(table, field, sizeof(int64_t));
    return bytes == NULL ? otherwise : stoa_load_i64(bytes);
}

bool stoa_flat_bool(stoa_flat_table table, uint32_t field, bool otherwise) {
    return stoa_flat_u8(table, field, otherwise ? 1 : 0) != 0;
}

stoa_flat_table stoa_flat_child(stoa_flat_table table, uint32_t field) {
    uint64_t target = field_target(table, field);
    return target == 0 ? (stoa_flat_table){0} : table_at(table.reader, target);
}

stoa_flat_vector stoa_flat_vector_of(stoa_flat_table table, uint32_t field, uint32_t element_size) {
    uint64_t target = field_target(table, field);
    return target == 0 ? (stoa_flat_vector){.element_size = element_size}
                       : vector_at(table.reader, target, element_size);
}

stoa_flat_vector stoa_flat_tables_of(stoa_flat_table table, uint32_t field) {
    return stoa_flat_vector_of(table, field, OFFSET_BYTES);
}

const char *stoa_flat_string(stoa_flat_table table, uint32_t field, uint32_t *out_size) {
    *out_size = 0;
    stoa_flat_vector vector = stoa_flat_vector_of(table, field, 1);
    if (vector.reader == NULL) {
        return NULL;
    }
    *out_size = vector.count;
    return (const char *)vector.reader->data + vector.position;
}

const uint8_t *stoa_flat_element(stoa_flat_vector vector, uint32_t index) {
    STOA_ASSERT(index < vector.count);
    return vector.reader->data + vector.position + (size_t)index * vector.element_size;
}

stoa_flat_table stoa_flat_element_table(stoa_flat_vector vector, uint32_t index) {
    STOA_ASSERT(vector.element_size == OFFSET_BYTES);
    const uint8_t *bytes = stoa_flat_element(vector, index);
    uint64_t position = (uint64_t)(bytes - vector.reader->data);
    return table_at(vector.reader, position + stoa_load_u32(bytes));
}
