/* Every read checks the type that the field claims and the bytes that are left; skipping goes at most
 * DEPTH_MAX structures down. See thrift_reader.h. */
#include "parquet/thrift_reader.h"

enum { DEPTH_MAX = 32 };

stoa_thrift_reader stoa_thrift_reader_of(const void *bytes, size_t size) {
    return (stoa_thrift_reader){.bytes = stoa_byte_reader_of(bytes, size)};
}

void stoa_thrift_fail(stoa_thrift_reader *reader, const char *problem) {
    if (reader->problem == NULL) {
        reader->problem = problem;
    }
}

static void fail_end(stoa_thrift_reader *reader) {
    if (reader->problem == NULL) {
        reader->ended = true;
        reader->problem = "expected more bytes";
    }
}

static uint8_t get_byte(stoa_thrift_reader *reader) {
    uint8_t byte = 0;
    if (reader->problem == NULL && !stoa_byte_reader_get(&reader->bytes, &byte, 1)) {
        fail_end(reader);
    }
    return byte;
}

static uint64_t get_varint(stoa_thrift_reader *reader) {
    uint64_t value = 0;
    if (reader->problem != NULL) {
        return 0;
    }
    if (!stoa_byte_reader_varint(&reader->bytes, &value)) {
        if (stoa_byte_reader_left(&reader->bytes) < STOA_VARINT_BYTES_MAX) {
            fail_end(reader);
        } else {
            stoa_thrift_fail(reader, "expected a number of at most 64 bits");
        }
        return 0;
    }
    return value;
}

static bool expect(stoa_thrift_reader *reader, stoa_thrift_type type, stoa_thrift_type wanted) {
    if (type != wanted) {
        stoa_thrift_fail(reader, "expected a field of another type");
    }
    return reader->problem == NULL;
}

bool stoa_thrift_next_field(stoa_thrift_reader *reader, int16_t *id, stoa_thrift_type *type) {
    const uint8_t head = get_byte(reader);
    if (reader->problem != NULL || head == STOA_THRIFT_STOP) {
        return false;
    }
    int64_t next = *id + (head >> 4);
    if (head >> 4 == 0) {
        next = stoa_unzigzag(get_varint(reader));
    }
    *type = (stoa_thrift_type)(head & 15);
    if (next < INT16_MIN || next > INT16_MAX || *type == STOA_THRIFT_STOP ||
        *type > STOA_THRIFT_UUID) {
        stoa_thrift_fail(reader, "expected a field");
    }
    if (reader->problem != NULL) {
        return false;
    }
    *id = (int16_t)next;
    return true;
}

bool stoa_thrift_read_bool(stoa_thrift_reader *reader, stoa_thrift_type type) {
    if (type != STOA_THRIFT_TRUE && type != STOA_THRIFT_FALSE) {
        stoa_thrift_fail(reader, "expected a field of another type");
    }
    return type == STOA_THRIFT_TRUE;
}

int8_t stoa_thrift_read_i8(stoa_thrift_reader *reader, stoa_thrift_type type) {
    return expect(reader, type, STOA_THRIFT_I8) ? (int8_t)get_byte(reader) : 0;
}

int32_t stoa_thrift_read_i32(stoa_thrift_reader *reader, stoa_thrift_type type) {
    if (!expect(reader, type, STOA_THRIFT_I32)) {
        return 0;
    }
    const int64_t value = stoa_unzigzag(get_varint(reader));
    if (value < INT32_MIN || value > INT32_MAX) {
        stoa_thrift_fail(reader, "expected a number of 32 bits");
        return 0;
    }
    return (int32_t)value;
}

int64_t stoa_thrift_read_i64(stoa_thrift_reader *reader, stoa_thrift_type type) {
    return expect(reader, type, STOA_THRIFT_I64) ? stoa_unzigzag(get_varint(reader)) : 0;
}

const uint8_t *stoa_thrift_read_binary(stoa_thrift_reader *reader, stoa_thrift_type type,
                                       size_t *out_size) {
    *out_size = 0;
    if (!expect(reader, type, STOA_THRIFT_BINARY)) {
        return NULL;
    }
    const uint64_t size = get_varint(reader);
    if (reader->problem != NULL) {
        return NULL;
    }
    if (size > stoa_byte_reader_left(&reader->bytes)) {
        fail_end(reader);
        return NULL;
    }
    *out_size = (size_t)size;
    return stoa_byte_reader_take(&reader->bytes, (size_t)size);
}

bool stoa_thrift_enter_struct(stoa_thrift_reader *reader, stoa_thrift_type type) {
    return expect(reader, type, STOA_THRIFT_STRUCT);
}

static size_t list_head(stoa_thrift_reader *reader, stoa_thrift_type *item_type) {
    const uint8_t head = get_byte(reader);
    uint64_t count = head >> 4;
    *item_type = (stoa_thrift_type)(head & 15);
    if (count == 15) {
        count = get_varint(reader);
    }
    if (count > stoa_byte_reader_left(&reader->bytes)) {
        fail_end(reader); /* every item takes a byte at least */
    }
    return reader->problem == NULL ? (size_t)count : 0;
}

size_t stoa_thrift_read_list(stoa_thrift_reader *reader, stoa_thrift_type type,
                             stoa_thrift_type item_type, size_t item_bytes_min) {
    if (!expect(reader, type, STOA_THRIFT_LIST)) {
        return 0;
    }
    stoa_thrift_type found;
    const size_t count = list_head(reader, &found);
    if (found == STOA_THRIFT_FALSE) {
        found = STOA_THRIFT_TRUE; /* writers use either for lists of booleans */
    }
    if (count > 0 && found != item_type) {
        stoa_thrift_fail(reader, "expected a list of items of another type");
    } else if (count > stoa_byte_reader_left(&reader->bytes) / item_bytes_min) {
        fail_end(reader);
    }
    return reader->problem == NULL ? count : 0;
}

bool stoa_thrift_read_item_bool(stoa_thrift_reader *reader) {
    return get_byte(reader) == STOA_THRIFT_TRUE;
}

static void skip_bytes(stoa_thrift_reader *reader, size_t size) {
    if (reader->problem == NULL && stoa_byte_reader_take(&reader->bytes, size) == NULL) {
        fail_end(reader);
    }
}

static void skip_value(stoa_thrift_reader *reader, stoa_thrift_type type, bool in_list, int depth);

static void skip_items(stoa_thrift_reader *reader, stoa_thrift_type type, int depth) {
    stoa_thrift_type item, value = STOA_THRIFT_STOP;
    size_t count;
    if (type == STOA_THRIFT_MAP) {
        const uint64_t pairs = get_varint(reader);
        if (pairs > stoa_byte_reader_left(&reader->bytes)) {
            fail_end(reader);
        }
        count = reader->problem == NULL ? (size_t)pairs : 0;
        const uint8_t types = count > 0 ? get_byte(reader) : 0;
        item = (stoa_thrift_type)(types >> 4);
        value = (stoa_thrift_type)(types & 15);
    } else {
        count = list_head(reader, &item);
    }
    for (size_t i = 0; i < count && reader->problem == NULL; i++) {
        skip_value(reader, item, true, depth + 1);
        if (type == STOA_THRIFT_MAP) {
            skip_value(reader, value, true, depth + 1);
        }
    }
}

static void skip_value(stoa_thrift_reader *reader, stoa_thrift_type type, bool in_list,
                       int depth) {
    size_t size;
    if (depth > DEPTH_MAX) {
        stoa_thrift_fail(reader, "expected fewer structures within structures");
        return;
    }
    switch (type) {
    case STOA_THRIFT_TRUE:
    case STOA_THRIFT_FALSE: skip_bytes(reader, in_list ? 1 : 0); break;
    case STOA_THRIFT_I8: skip_bytes(reader, 1); break;
    case STOA_THRIFT_I16:
    case STOA_THRIFT_I32:
    case STOA_THRIFT_I64: (void)get_varint(reader); break;
    case STOA_THRIFT_DOUBLE: skip_bytes(reader, 8); break;
    case STOA_THRIFT_UUID: skip_bytes(reader, 16); break;
    case STOA_THRIFT_BINARY: (void)stoa_thrift_read_binary(reader, type, &size); break;
    case STOA_THRIFT_LIST:
    case STOA_THRIFT_SET:
    case STOA_THRIFT_MAP: skip_items(reader, type, depth); break;
    case STOA_THRIFT_STRUCT: {
        stoa_thrift_type field;
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &field);) {
            skip_value(reader, field, false, depth + 1);
        }
        break;
    }
    default: stoa_thrift_fail(reader, "expected a type of the protocol"); break;
    }
}

void stoa_thrift_skip(stoa_thrift_reader *reader, stoa_thrift_type type) {
    if (reader->problem == NULL) {
        skip_value(reader, type, false, 0);
    }
}
