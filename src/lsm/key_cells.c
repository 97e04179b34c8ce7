#include "lsm/key_cells.h"

#include "base/bytes.h"
#include "lsm/cell.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"

static stoa_status corrupt(const stoa_key_part *part, const char *problem, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "key: column '%s': %s", part->field->name, problem);
}

static void read_number(const stoa_key_part *part, const uint8_t *key, stoa_cell *out,
                        stoa_cell_storage *storage) {
    const uint64_t inverted = part->descending ? stoa_key_mask(part->size) : 0;
    const uint64_t number = stoa_key_get_number(key, part->size) ^ inverted;
    const void *buffers[2] = {NULL, storage->bytes};
    const struct ArrowArray value = {.length = 1, .n_buffers = 2, .buffers = buffers};
    stoa_key_values(&part->field->type, &number, 1, storage->bytes);
    stoa_cell_from_array(&part->field->type, &value, 0, out);
}

static void read_decimal(const stoa_key_part *part, const uint8_t *key, stoa_cell *out,
                         stoa_cell_storage *storage) {
    uint8_t bytes[STOA_KEY_DECIMAL_BYTES];
    memcpy(bytes, key, sizeof bytes);
    if (part->descending) {
        stoa_key_invert(bytes, sizeof bytes);
    }
    stoa_key_get_decimal(bytes, storage->bytes);
    *out = (stoa_cell){.bytes = storage->bytes, .size = sizeof bytes};
}

/* The bytes of a text that ends in the key, without escapes; false where it does not end. */
static bool unescape(const stoa_key_part *part, stoa_byte_reader *key, stoa_buffer *out) {
    const uint8_t flip = part->descending ? 0xFF : 0;
    for (;;) {
        const uint8_t *byte = stoa_byte_reader_take(key, 1);
        if (byte == NULL) {
            return false;
        }
        if ((*byte ^ flip) == STOA_KEY_ESCAPED) {
            const uint8_t *next = stoa_byte_reader_take(key, 1);
            if (next == NULL ||
                ((*next ^ flip) != STOA_KEY_ESCAPE && (*next ^ flip) != STOA_KEY_ESCAPED)) {
                return false;
            }
            if ((*next ^ flip) == STOA_KEY_ESCAPED) {
                return true;
            }
        }
        out->data[out->size++] = *byte ^ flip;
    }
}

/* `bytes` has room for what is left of the key. */
static stoa_status read_bytes(const stoa_key_part *part, stoa_byte_reader *key, stoa_buffer *bytes,
                              stoa_cell *out, stoa_error *err) {
    uint8_t *begin = bytes->data + bytes->size;
    if (part->kind == STOA_KEY_TEXT) {
        if (!unescape(part, key, bytes)) {
            return corrupt(part, "a text without its end", err);
        }
    } else {
        const size_t size = part->kind == STOA_KEY_TAIL ? stoa_byte_reader_left(key)
                                                        : (size_t)part->size;
        if (!stoa_byte_reader_get(key, begin, size)) {
            return corrupt(part, "ends early", err);
        }
        if (part->descending) {
            stoa_key_invert(begin, size);
        }
        bytes->size += size;
    }
    *out = (stoa_cell){.bytes = begin, .size = (size_t)(bytes->data + bytes->size - begin)};
    return STOA_OK;
}

static stoa_status read_part(const stoa_key_part *part, stoa_byte_reader *key, stoa_buffer *bytes,
                             stoa_cell *out, stoa_cell_storage *storage, stoa_error *err) {
    if (part->kind != STOA_KEY_NUMBER && part->kind != STOA_KEY_DECIMAL) {
        return read_bytes(part, key, bytes, out, err);
    }
    const size_t size = part->kind == STOA_KEY_NUMBER ? (size_t)part->size : STOA_KEY_DECIMAL_BYTES;
    const uint8_t *number = stoa_byte_reader_take(key, size);
    if (number == NULL) {
        return corrupt(part, "ends early", err);
    }
    if (part->kind == STOA_KEY_NUMBER) {
        read_number(part, number, out, storage);
    } else {
        read_decimal(part, number, out, storage);
    }
    return STOA_OK;
}

stoa_status stoa_key_cells(const stoa_key_format *format, const uint8_t *key, size_t size,
                           const int32_t *columns, int32_t count, stoa_cell *out,
                           stoa_cell_storage *storage, stoa_buffer *bytes, stoa_error *err) {
    /* The key of an empty text may be no bytes at no address, which a reader takes for an end. */
    stoa_byte_reader reader = stoa_byte_reader_of(size == 0 ? (const uint8_t *)"" : key, size);
    /* A column asked for twice has its bytes once; a part nobody asks for has them too. */
    STOA_TRY(stoa_buffer_reserve(bytes, format->is_number ? 0 : size + 1, err));
    for (int32_t p = 0; p < format->part_count; p++) {
        stoa_cell cell;
        stoa_cell_storage number;
        STOA_TRY(read_part(&format->parts[p], &reader, bytes, &cell, &number, err));
        for (int32_t i = 0; i < count; i++) {
            if (columns[i] == format->parts[p].column) {
                out[i] = cell;
                if (cell.bytes == number.bytes) {
                    storage[i] = number;
                    out[i].bytes = storage[i].bytes;
                }
            }
        }
    }
    return STOA_OK;
}
