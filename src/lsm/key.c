/* Rows are worked on in blocks, column by column: the numbers of a block are made by a kernel, then put
 * where they belong in each key. */
#include "lsm/key.h"

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "lsm/key_kernel.h"
#include "schema/schema.h"

enum { BLOCK = 1024 };

/* ---- The format ------------------------------------------------------------------------------ */

static stoa_status init_part(stoa_key_part *part, const stoa_schema *schema,
                             const stoa_key_column *column, bool is_last, stoa_error *err) {
    *part = (stoa_key_part){.column = -1, .descending = column->descending};
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        if (schema->root.children[i].id == column->field_id) {
            part->column = i;
            part->field = &schema->root.children[i];
        }
    }
    if (part->field == NULL) {
        return stoa_fail(err, STOA_INVALID, "key: expected the id of a column but found %" PRId32,
                         column->field_id);
    }
    const stoa_type *type = &part->field->type;
    if (!part->field->required) {
        return stoa_fail(err, STOA_INVALID, "key: column '%s' must be 'not null'",
                         part->field->name);
    }
    part->size = stoa_key_width(type);
    if (part->size > 0) {
        part->kind = part->size <= 8 ? STOA_KEY_NUMBER : STOA_KEY_DECIMAL;
    } else if (type->kind == STOA_TYPE_FIXED || type->kind == STOA_TYPE_UUID) {
        part->kind = STOA_KEY_FIXED;
        part->size = type->kind == STOA_TYPE_UUID ? 16 : type->length;
    } else if (type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY) {
        part->kind = is_last && !part->descending ? STOA_KEY_TAIL : STOA_KEY_TEXT;
    } else {
        char text[64];
        stoa_type_print(type, text, sizeof text);
        return stoa_fail(err, STOA_UNSUPPORTED, "key: column '%s' of type %s has no order",
                         part->field->name, text);
    }
    return STOA_OK;
}

stoa_status stoa_key_format_init(stoa_key_format *format, const stoa_schema *schema,
                                 const stoa_key_column *columns, int32_t count, stoa_error *err) {
    *format = (stoa_key_format){.part_count = count};
    if (count < 1 || count > STOA_KEY_PARTS_MAX) {
        return stoa_fail(err, STOA_INVALID, "key: expected 1 to %d columns but found %" PRId32,
                         STOA_KEY_PARTS_MAX, count);
    }
    int64_t size = 0;
    bool has_one_size = true;
    for (int32_t i = 0; i < count; i++) {
        stoa_key_part *part = &format->parts[i];
        STOA_TRY(init_part(part, schema, &columns[i], i == count - 1, err));
        for (int32_t j = 0; j < i; j++) {
            if (format->parts[j].field == part->field) {
                return stoa_fail(err, STOA_INVALID, "key: column '%s' is named twice",
                                 part->field->name);
            }
        }
        size += part->size;
        has_one_size = has_one_size && (part->kind == STOA_KEY_FIXED || part->size > 0);
    }
    if (size > STOA_KEY_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID, "key: expected at most %d bytes but found %" PRId64,
                         STOA_KEY_BYTES_MAX, size);
    }
    format->fixed_bytes = has_one_size ? (int32_t)size : 0;
    format->is_number = format->fixed_bytes > 0 && format->fixed_bytes <= 8;
    for (int32_t i = 0; i < count; i++) {
        format->is_number = format->is_number && format->parts[i].kind == STOA_KEY_NUMBER;
    }
    return STOA_OK;
}

void stoa_keys_init(stoa_keys *keys, stoa_pool *pool) {
    keys->count = 0;
    stoa_buffer_init(&keys->numbers, pool);
    stoa_buffer_init(&keys->bytes, pool);
    stoa_buffer_init(&keys->offsets, pool);
}

void stoa_keys_release(stoa_keys *keys) {
    keys->count = 0;
    stoa_buffer_release(&keys->numbers);
    stoa_buffer_release(&keys->bytes);
    stoa_buffer_release(&keys->offsets);
}

/* ---- Values to bytes ------------------------------------------------------------------------- */

const uint8_t *stoa_keys_bytes(const stoa_key_format *format, const stoa_keys_view *keys,
                               int64_t index, uint8_t number[8], size_t *out_size) {
    if (format->is_number) {
        *out_size = (size_t)format->fixed_bytes;
        stoa_key_put_number(number, keys->numbers[index], format->fixed_bytes);
        return number;
    }
    *out_size = keys->offsets[index + 1] - keys->offsets[index];
    return keys->bytes + keys->offsets[index];
}

int stoa_keys_compare(const stoa_key_format *format, const stoa_keys_view *left, int64_t left_index,
                      const stoa_keys_view *right, int64_t right_index) {
    if (format->is_number) {
        return (left->numbers[left_index] > right->numbers[right_index]) -
               (left->numbers[left_index] < right->numbers[right_index]);
    }
    const uint32_t *a = left->offsets + left_index, *b = right->offsets + right_index;
    return stoa_bytes_compare(left->bytes + a[0], a[1] - a[0], right->bytes + b[0], b[1] - b[0]);
}

static size_t text_size(stoa_key_part_kind kind, const uint8_t *bytes, size_t size) {
    size_t zeros = 0;
    if (kind == STOA_KEY_TAIL) {
        return size;
    }
    for (size_t i = 0; i < size; i++) {
        zeros += bytes[i] == STOA_KEY_ESCAPED;
    }
    return size + zeros + STOA_KEY_END_BYTES;
}

/* As many bytes as text_size says. */
static void put_text(stoa_key_part_kind kind, uint8_t *out, const uint8_t *bytes, size_t size) {
    if (size > 0 && (kind == STOA_KEY_TAIL || memchr(bytes, STOA_KEY_ESCAPED, size) == NULL)) {
        memcpy(out, bytes, size);
        out += size;
    } else {
        for (size_t i = 0; i < size; i++) {
            *out++ = bytes[i];
            if (bytes[i] == STOA_KEY_ESCAPED) {
                *out++ = STOA_KEY_ESCAPE;
            }
        }
    }
    if (kind == STOA_KEY_TEXT) {
        memset(out, STOA_KEY_ESCAPED, STOA_KEY_END_BYTES);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* A column of a batch: position `at` is that of the block's first row. */
struct column {
    const struct ArrowArray *array;
    int64_t at;
};

static struct column column_of(const stoa_key_part *part, const struct ArrowArray *batch,
                               int64_t row) {
    const struct ArrowArray *array = batch->children[part->column];
    return (struct column){array, array->offset + batch->offset + row};
}

static const uint8_t *text_at(const struct column *column, int64_t row, size_t *out_size) {
    const int32_t *offsets = (const int32_t *)column->array->buffers[1] + column->at + row;
    *out_size = (size_t)(offsets[1] - offsets[0]);
    return *out_size == 0 ? NULL : (const uint8_t *)column->array->buffers[2] + offsets[0];
}

static stoa_status check_nulls(const stoa_key_part *part, const struct ArrowArray *batch,
                               int64_t first, int64_t count, stoa_error *err) {
    const struct column column = column_of(part, batch, first);
    const uint8_t *validity = column.array->buffers[0];
    if (validity == NULL || column.array->null_count == 0 ||
        stoa_bitmap_count(validity, column.at, count) == count) {
        return STOA_OK;
    }
    int64_t row = 0;
    while (stoa_bit_get(validity, column.at + row)) {
        row++;
    }
    stoa_fail(err, STOA_INVALID, "row %" PRId64 ": the key column '%s' is null", first + row,
              part->field->name);
    stoa_error_set_column(err, part->column, part->field->name);
    return STOA_INVALID;
}

static void part_numbers(const stoa_key_part *part, const struct column *column, int64_t count,
                         uint64_t *out) {
    stoa_key_numbers(&part->field->type, column->array, column->at, count, out);
    if (part->descending) {
        const uint64_t mask = stoa_key_mask(part->size);
        for (int64_t i = 0; i < count; i++) {
            out[i] ^= mask;
        }
    }
}

/* A block of keys that are numbers; `out` has room. */
static void number_block(const stoa_key_format *format, const struct ArrowArray *batch,
                         int64_t first, int64_t count, uint64_t *out) {
    uint64_t block[BLOCK];
    const struct column column = column_of(&format->parts[0], batch, first);
    part_numbers(&format->parts[0], &column, count, out);
    for (int32_t i = 1; i < format->part_count; i++) {
        const struct column next = column_of(&format->parts[i], batch, first);
        part_numbers(&format->parts[i], &next, count, block);
        const int shift = 8 * format->parts[i].size;
        for (int64_t row = 0; row < count; row++) {
            out[row] = out[row] << shift | block[row];
        }
    }
}

static stoa_status measure_block(const stoa_key_format *format, const struct ArrowArray *batch,
                                 int64_t first, int64_t count, size_t *sizes, size_t *out_total,
                                 stoa_error *err) {
    memset(sizes, 0, (size_t)count * sizeof *sizes);
    for (int32_t i = 0; i < format->part_count; i++) {
        const stoa_key_part *part = &format->parts[i];
        const struct column column = column_of(part, batch, first);
        for (int64_t row = 0; row < count; row++) {
            size_t size = (size_t)part->size;
            if (part->kind >= STOA_KEY_TEXT) {
                const uint8_t *bytes = text_at(&column, row, &size);
                size = text_size(part->kind, bytes, size);
            }
            sizes[row] += size;
        }
    }
    *out_total = 0;
    for (int64_t row = 0; row < count; row++) {
        if (sizes[row] > STOA_KEY_BYTES_MAX) {
            return stoa_fail(err, STOA_LIMIT,
                             "row %" PRId64 ": expected a key of at most %d bytes but found %zu",
                             first + row, STOA_KEY_BYTES_MAX, sizes[row]);
        }
        *out_total += sizes[row];
    }
    return STOA_OK;
}

/* Writes a part of every key of a block where the cursors stand, and moves them. */
static void put_part(const stoa_key_part *part, const struct ArrowArray *batch, int64_t first,
                     int64_t count, uint8_t **cursors) {
    uint64_t numbers[BLOCK];
    const struct column column = column_of(part, batch, first);
    if (part->kind == STOA_KEY_NUMBER) {
        part_numbers(part, &column, count, numbers);
    }
    for (int64_t row = 0; row < count; row++) {
        size_t size = (size_t)part->size;
        const uint8_t *bytes = NULL;
        switch (part->kind) {
        case STOA_KEY_NUMBER: stoa_key_put_number(cursors[row], numbers[row], part->size); break;
        case STOA_KEY_DECIMAL:
            stoa_key_put_decimal(cursors[row],
                                 (const uint8_t *)column.array->buffers[1] +
                                     (size_t)(column.at + row) * STOA_KEY_DECIMAL_BYTES);
            break;
        case STOA_KEY_FIXED:
            if (size > 0) {
                memcpy(cursors[row],
                       (const uint8_t *)column.array->buffers[1] + (size_t)(column.at + row) * size,
                       size);
            }
            break;
        case STOA_KEY_TEXT:
        case STOA_KEY_TAIL:
            bytes = text_at(&column, row, &size);
            put_text(part->kind, cursors[row], bytes, size);
            size = text_size(part->kind, bytes, size);
            break;
        }
        if (part->descending && part->kind != STOA_KEY_NUMBER) {
            stoa_key_invert(cursors[row], size);
        }
        cursors[row] += size;
    }
}

static stoa_status bytes_block(const stoa_key_format *format, const struct ArrowArray *batch,
                               int64_t first, int64_t count, stoa_keys *keys, stoa_error *err) {
    size_t sizes[BLOCK], total;
    uint8_t *cursors[BLOCK];
    STOA_TRY(measure_block(format, batch, first, count, sizes, &total, err));
    if (total > UINT32_MAX - keys->bytes.size) {
        return stoa_fail(err, STOA_LIMIT, "expected at most 4 GiB of keys");
    }
    STOA_TRY(stoa_buffer_reserve(&keys->bytes, total, err));
    STOA_TRY(stoa_buffer_reserve(&keys->offsets, (size_t)count * sizeof(uint32_t), err));
    for (int64_t row = 0; row < count; row++) {
        cursors[row] = keys->bytes.data + keys->bytes.size;
        keys->bytes.size += sizes[row];
        const uint32_t offset = (uint32_t)keys->bytes.size;
        STOA_TRY(stoa_buffer_append(&keys->offsets, &offset, sizeof offset, err));
    }
    for (int32_t i = 0; i < format->part_count; i++) {
        put_part(&format->parts[i], batch, first, count, cursors);
    }
    return STOA_OK;
}

static stoa_status append_rows(const stoa_key_format *format, const struct ArrowArray *batch,
                               int64_t first, int64_t count, stoa_keys *keys, stoa_error *err) {
    if (format->is_number) {
        STOA_TRY(stoa_buffer_reserve(&keys->numbers, (size_t)count * sizeof(uint64_t), err));
    } else if (keys->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append(&keys->offsets, &(uint32_t){0}, sizeof(uint32_t), err));
    }
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int64_t rows = count - done < BLOCK ? count - done : BLOCK;
        if (format->is_number) {
            number_block(format, batch, first + done, rows,
                         (uint64_t *)(void *)(keys->numbers.data + keys->numbers.size));
            keys->numbers.size += (size_t)rows * sizeof(uint64_t);
        } else {
            STOA_TRY(bytes_block(format, batch, first + done, rows, keys, err));
        }
        keys->count += rows;
    }
    return STOA_OK;
}

stoa_status stoa_keys_append(const stoa_key_format *format, const struct ArrowArray *batch,
                             int64_t first, int64_t count, stoa_keys *keys, stoa_error *err) {
    for (int32_t i = 0; i < format->part_count; i++) {
        STOA_TRY(check_nulls(&format->parts[i], batch, first, count, err));
    }
    const stoa_keys before = *keys;
    const stoa_status status = append_rows(format, batch, first, count, keys, err);
    if (status != STOA_OK) {
        keys->count = before.count;
        keys->numbers.size = before.numbers.size;
        keys->bytes.size = before.bytes.size;
        keys->offsets.size = before.offsets.size;
    }
    return status;
}

/* ---- One key --------------------------------------------------------------------------------- */

/* A value as an array of one row. */
static void array_of_value(const stoa_value *value, stoa_type_kind kind, uint8_t storage[16],
                           const void *buffers[2], struct ArrowArray *out) {
    const float narrow = (float)value->f;
    switch (kind) {
    case STOA_TYPE_FLOAT: memcpy(storage, &narrow, sizeof narrow); break;
    case STOA_TYPE_DOUBLE: memcpy(storage, &value->f, sizeof value->f); break;
    case STOA_TYPE_DECIMAL: memcpy(storage, &value->decimal, sizeof value->decimal); break;
    default: memcpy(storage, &value->i, sizeof value->i); break;
    }
    buffers[0] = NULL;
    buffers[1] = storage;
    *out = (struct ArrowArray){.length = 1, .n_buffers = 2, .buffers = buffers};
}

static stoa_status encode_part(const stoa_key_part *part, const stoa_value *value, stoa_buffer *out,
                               stoa_error *err) {
    const bool is_text = part->kind >= STOA_KEY_TEXT;
    const size_t size = is_text ? text_size(part->kind, value->bytes, value->size)
                                : (size_t)part->size;
    uint8_t storage[16];
    const void *buffers[2];
    struct ArrowArray array;
    STOA_TRY(stoa_buffer_reserve(out, size, err));
    uint8_t *bytes = out->data + out->size;
    if (is_text) {
        put_text(part->kind, bytes, value->bytes, value->size);
    } else if (part->kind == STOA_KEY_FIXED) {
        STOA_ASSERT(value->size == size);
        if (size > 0) {
            memcpy(bytes, value->bytes, size);
        }
    } else {
        array_of_value(value, part->field->type.kind, storage, buffers, &array);
        if (part->kind == STOA_KEY_DECIMAL) {
            stoa_key_put_decimal(bytes, storage);
        } else {
            uint64_t number;
            stoa_key_numbers(&part->field->type, &array, 0, 1, &number);
            stoa_key_put_number(bytes, number, part->size);
        }
    }
    if (part->descending) {
        stoa_key_invert(bytes, size);
    }
    out->size += size;
    return STOA_OK;
}

stoa_status stoa_key_encode(const stoa_key_format *format, const stoa_value *values, int32_t count,
                            stoa_buffer *out, stoa_error *err) {
    STOA_ASSERT(count >= 1 && count <= format->part_count);
    const size_t begin = out->size;
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < count && status == STOA_OK; i++) {
        status = values[i].is_null ? stoa_fail(err, STOA_INVALID, "the key column '%s' is null",
                                               format->parts[i].field->name)
                                   : encode_part(&format->parts[i], &values[i], out, err);
    }
    if (status == STOA_OK && out->size - begin > STOA_KEY_BYTES_MAX) {
        status = stoa_fail(err, STOA_LIMIT, "expected a key of at most %d bytes but found %zu",
                           STOA_KEY_BYTES_MAX, out->size - begin);
    }
    if (status != STOA_OK) {
        out->size = begin;
    }
    return status;
}
