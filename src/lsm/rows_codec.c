/* Rows to bytes: a walk over the fields, each once to be measured and once to be written. A row of cells
 * gives the bytes that a batch of this one row gives. Back: rows_decode.c. */
#include "lsm/rows_codec.h"

#include "base/bits.h"
#include "base/bytes.h"

enum { LENGTH_BYTES = 4 };

static int32_t column_count(const stoa_stripe_layout *layout, bool keys_only) {
    return keys_only ? layout->key->part_count : layout->schema->root.child_count;
}

/* The position among the schema's columns of the `index`th that is written. */
static int32_t column_at(const stoa_stripe_layout *layout, bool keys_only, int32_t index) {
    return keys_only ? layout->key->parts[index].column : index;
}

/* ---- Batches --------------------------------------------------------------------------------- */

/* Values of one field; `at` counts from the beginning of the array's buffers. */
struct values {
    const stoa_field *field;
    const struct ArrowArray *array;
    int64_t at;
    int64_t count;
};

static bool is_nullable(const stoa_field *field) {
    return !field->required && field->type.kind != STOA_TYPE_UNKNOWN;
}

static bool has_nulls(const struct values *values) {
    const struct ArrowArray *array = values->array;
    return is_nullable(values->field) && array->buffers[0] != NULL && array->null_count != 0 &&
           stoa_bitmap_count(array->buffers[0], values->at, values->count) < values->count;
}

static bool is_text(const stoa_type *type) {
    return type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY;
}

static const int32_t *offsets_of(const struct values *values) {
    return (const int32_t *)values->array->buffers[1] + values->at;
}

/* What is below a list, a map or a struct: child `index`. */
static struct values child_of(const struct values *values, int32_t index) {
    const struct ArrowArray *array = values->array;
    struct values child = {&values->field->type.children[index], NULL, values->at, values->count};
    if (values->field->type.kind != STOA_TYPE_STRUCT) {
        const int32_t *offsets = offsets_of(values);
        child.at = offsets[0];
        child.count = offsets[values->count] - offsets[0];
    }
    if (values->field->type.kind == STOA_TYPE_MAP) {
        array = array->children[0];
        child.at += array->offset;
    }
    child.array = array->children[index];
    child.at += child.array->offset;
    return child;
}

static size_t text_bytes(const struct values *values, bool nulls) {
    const int32_t *offsets = offsets_of(values);
    size_t size = 0;
    if (!nulls) {
        return (size_t)(offsets[values->count] - offsets[0]);
    }
    for (int64_t i = 0; i < values->count; i++) {
        if (stoa_bit_get(values->array->buffers[0], values->at + i)) {
            size += (size_t)(offsets[i + 1] - offsets[i]);
        }
    }
    return size;
}

/* As deep as the schema. */
static size_t measure(const struct values *values) {
    const stoa_type *type = &values->field->type;
    const bool nulls = has_nulls(values);
    size_t size = is_nullable(values->field) ? 1 : 0;
    size += nulls ? stoa_bitmap_bytes(values->count) : 0;
    if (type->kind == STOA_TYPE_UNKNOWN) {
        return 0;
    }
    if (type->kind == STOA_TYPE_BOOLEAN) {
        return size + stoa_bitmap_bytes(values->count);
    }
    if (is_text(type)) {
        return size + (size_t)values->count * LENGTH_BYTES + text_bytes(values, nulls);
    }
    if (type->child_count == 0 && type->kind != STOA_TYPE_STRUCT) {
        return size + (size_t)values->count * (size_t)stoa_stripe_type(type).value_bytes;
    }
    size += type->kind == STOA_TYPE_STRUCT ? 0 : (size_t)values->count * LENGTH_BYTES;
    for (int32_t i = 0; i < type->child_count; i++) {
        const struct values child = child_of(values, i);
        size += measure(&child);
    }
    return size;
}

static uint8_t *write_bits(const uint8_t *bits, int64_t at, int64_t count, uint8_t *out) {
    const size_t size = stoa_bitmap_bytes(count);
    if (size > 0) {
        out[size - 1] = 0;
        stoa_bitmap_copy(bits, at, out, 0, count);
    }
    return out + size;
}

/* A value below a null is false. */
static uint8_t *write_booleans(const struct values *values, bool nulls, uint8_t *out) {
    const size_t size = stoa_bitmap_bytes(values->count);
    uint8_t *end = write_bits(values->array->buffers[1], values->at, values->count, out);
    /* What is valid was written before. */
    for (size_t i = 0; nulls && i < size; i++) {
        out[i] &= out[(ptrdiff_t)i - (ptrdiff_t)size];
    }
    return end;
}

static uint8_t *write_fixed(const struct values *values, bool nulls, uint8_t *out) {
    const size_t width = (size_t)stoa_stripe_type(&values->field->type).value_bytes;
    const size_t size = (size_t)values->count * width;
    if (size > 0) {
        memcpy(out, (const uint8_t *)values->array->buffers[1] + (size_t)values->at * width, size);
    }
    for (int64_t i = 0; nulls && i < values->count; i++) {
        if (!stoa_bit_get(values->array->buffers[0], values->at + i)) {
            memset(out + (size_t)i * width, 0, width);
        }
    }
    return out + size;
}

static uint8_t *write_lengths(const struct values *values, bool nulls, uint8_t *out) {
    const int32_t *offsets = offsets_of(values);
    for (int64_t i = 0; i < values->count; i++, out += LENGTH_BYTES) {
        const bool is_there = !nulls || stoa_bit_get(values->array->buffers[0], values->at + i);
        stoa_store_u32(out, is_there ? (uint32_t)(offsets[i + 1] - offsets[i]) : 0);
    }
    return out;
}

static uint8_t *write_texts(const struct values *values, bool nulls, uint8_t *out) {
    const int32_t *offsets = offsets_of(values);
    const uint8_t *bytes = values->array->buffers[2];
    out = write_lengths(values, nulls, out);
    for (int64_t i = 0; i < values->count;) {
        int64_t next = nulls ? i + 1 : values->count;
        const size_t size = (size_t)(offsets[next] - offsets[i]);
        if (size > 0 && (!nulls || stoa_bit_get(values->array->buffers[0], values->at + i))) {
            memcpy(out, bytes + offsets[i], size);
            out += size;
        }
        i = next;
    }
    return out;
}

/* As deep as the schema. */
static uint8_t *write_values(const struct values *values, uint8_t *out) {
    const stoa_type *type = &values->field->type;
    const bool nulls = has_nulls(values);
    if (is_nullable(values->field)) {
        *out++ = nulls ? 1 : 0;
    }
    if (nulls) {
        out = write_bits(values->array->buffers[0], values->at, values->count, out);
    }
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return out;
    case STOA_TYPE_BOOLEAN: return write_booleans(values, nulls, out);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return write_texts(values, nulls, out);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: out = write_lengths(values, false, out); break;
    case STOA_TYPE_STRUCT: break;
    default: return write_fixed(values, nulls, out);
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        const struct values child = child_of(values, i);
        out = write_values(&child, out);
    }
    return out;
}

static struct values column_of(const stoa_stripe_layout *layout, bool keys_only, int32_t index,
                               const struct ArrowArray *batch, int64_t first, int64_t count) {
    const int32_t column = column_at(layout, keys_only, index);
    const struct ArrowArray *array = batch->children[column];
    return (struct values){&layout->schema->root.children[column], array,
                           array->offset + batch->offset + first, count};
}

stoa_status stoa_rows_size(const stoa_stripe_layout *layout, bool keys_only,
                           const struct ArrowArray *batch, int64_t first, int64_t count,
                           size_t *out, stoa_error *err) {
    size_t size = 0;
    for (int32_t i = 0; i < column_count(layout, keys_only); i++) {
        const struct values values = column_of(layout, keys_only, i, batch, first, count);
        size += measure(&values);
    }
    *out = size;
    return size <= STOA_ROWS_BYTES_MAX
               ? STOA_OK
               : stoa_fail(err, STOA_LIMIT,
                           "%" PRId64 " rows take %zu bytes in the log: more than %d", count, size,
                           STOA_ROWS_BYTES_MAX);
}

uint8_t *stoa_rows_write(const stoa_stripe_layout *layout, bool keys_only,
                         const struct ArrowArray *batch, int64_t first, int64_t count,
                         uint8_t *out) {
    for (int32_t i = 0; i < column_count(layout, keys_only); i++) {
        const struct values values = column_of(layout, keys_only, i, batch, first, count);
        out = write_values(&values, out);
    }
    return out;
}

/* ---- Rows of cells --------------------------------------------------------------------------- */

static size_t cell_bytes(const stoa_field *field, const stoa_cell *cell) {
    if (is_text(&field->type)) {
        return LENGTH_BYTES + (cell->is_null ? 0 : cell->size);
    }
    return field->type.kind == STOA_TYPE_BOOLEAN ? 1
           : field->type.kind == STOA_TYPE_UNKNOWN
               ? 0
               : (size_t)stoa_stripe_type(&field->type).value_bytes;
}

size_t stoa_row_size(const stoa_stripe_layout *layout, bool keys_only, const stoa_cell *cells) {
    size_t size = 0;
    if (!keys_only && layout->row_bytes > 0) {
        return layout->row_bytes;
    }
    for (int32_t i = 0; i < column_count(layout, keys_only); i++) {
        const stoa_field *field = &layout->schema->root.children[column_at(layout, keys_only, i)];
        STOA_ASSERT(field->type.child_count == 0);
        size += cell_bytes(field, &cells[i]);
        size += is_nullable(field) ? 1 + (size_t)cells[i].is_null : 0;
    }
    return size;
}

static inline uint8_t *put(uint8_t *out, const void *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}

static uint8_t *put_text(uint8_t *out, const stoa_cell *cell) {
    stoa_store_u32(out, (uint32_t)cell->size);
    if (cell->size > 0) {
        memcpy(out + LENGTH_BYTES, cell->bytes, cell->size);
    }
    return out + LENGTH_BYTES + cell->size;
}

/* Numbers are stored by their lowest bytes, whatever their sign. */
static uint8_t *put_value(const stoa_type *type, const stoa_cell *cell, uint8_t *out) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: *out = cell->i != 0; return out + 1;
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return put(out, &cell->i, 1);
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return put(out, &cell->i, 2);
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_DATE: return put(out, &cell->i, 4);
    case STOA_TYPE_TIME: return put(out, &cell->i, type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8);
    case STOA_TYPE_FLOAT: return put(out, &(float){(float)cell->f}, 4);
    case STOA_TYPE_DOUBLE: return put(out, &cell->f, 8);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return put_text(out, cell);
    case STOA_TYPE_FIXED: return put(out, cell->bytes, (size_t)type->length);
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL: return put(out, cell->bytes, 16);
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return put(out, &cell->i, 8);
    case STOA_TYPE_UNKNOWN:
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: break;
    }
    return out;
}

/* No value is null, nor has it a length. */
static uint8_t *put_required(const stoa_stripe_layout *layout, const stoa_cell *cells,
                             uint8_t *out) {
    const stoa_field *fields = layout->schema->root.children;
    const int32_t count = layout->schema->root.child_count;
    for (int32_t i = 0; i < count; i++) {
        out = put_value(&fields[i].type, &cells[i], out);
    }
    return out;
}

uint8_t *stoa_row_write(const stoa_stripe_layout *layout, bool keys_only, const stoa_cell *cells,
                        uint8_t *out) {
    if (!keys_only && layout->row_bytes > 0) {
        return put_required(layout, cells, out);
    }
    for (int32_t i = 0; i < column_count(layout, keys_only); i++) {
        const stoa_field *field = &layout->schema->root.children[column_at(layout, keys_only, i)];
        const stoa_cell *cell = &cells[i];
        if (is_nullable(field)) {
            *out++ = cell->is_null;
            if (cell->is_null) {
                const size_t size = 1 + cell_bytes(field, cell);
                memset(out, 0, size); /* no bit is set, and the value is zero */
                out += size;
                continue;
            }
        }
        out = put_value(&field->type, cell, out);
    }
    return out;
}
