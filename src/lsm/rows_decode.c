/* Bytes back to rows. Every count and length is held against the bytes that are left before anything is
 * made of it. */
#include "lsm/rows_codec.h"

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/cell.h"

enum { LENGTH_BYTES = 4 };

struct decoder {
    stoa_byte_reader reader;
    stoa_pool *pool;
    stoa_error *err;
};

static stoa_status fail_at(const struct decoder *decoder, const char *what, int64_t count) {
    stoa_status status = stoa_fail(decoder->err, STOA_CORRUPT,
                                   "byte %zu: expected %s of %" PRId64
                                   " values but found %zu bytes",
                                   decoder->reader.position, what, count,
                                   stoa_byte_reader_left(&decoder->reader));
    if (decoder->err != NULL) {
        decoder->err->offset = (int64_t)decoder->reader.position;
    }
    return status;
}

/* The next `count` times `width` bytes; `count` is below 2^31. */
static stoa_status take(struct decoder *decoder, const char *what, int64_t count, size_t width,
                        const uint8_t **out) {
    *out = stoa_byte_reader_take(&decoder->reader, (size_t)count * width);
    return *out != NULL ? STOA_OK : fail_at(decoder, what, count);
}

/* A buffer of the array with room for `size` bytes, of which the first `given` are copied and the rest
 * is zero. */
static stoa_status set_buffer(struct decoder *decoder, struct ArrowArray *out, int64_t index,
                              const uint8_t *bytes, size_t given, size_t size) {
    stoa_buffer buffer;
    stoa_buffer_init(&buffer, decoder->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&buffer, size + 1, decoder->err));
    if (given > 0) {
        memcpy(buffer.data, bytes, given);
    }
    memset(buffer.data + given, 0, size - given);
    buffer.size = size;
    stoa_arrow_array_set_buffer(out, index, &buffer);
    return STOA_OK;
}

static stoa_status take_bits(struct decoder *decoder, const char *what, int64_t count,
                             const uint8_t **out) {
    const size_t size = stoa_bitmap_bytes(count);
    STOA_TRY(take(decoder, what, (int64_t)size, 1, out));
    if (count % 8 != 0 && (*out)[size - 1] >> (count % 8) != 0) {
        return fail_at(decoder, "zeros behind a bitmap", count);
    }
    return STOA_OK;
}

/* NULL where none is null. */
static stoa_status take_validity(struct decoder *decoder, const stoa_field *field, int64_t count,
                                 const uint8_t **out) {
    const uint8_t *flag;
    *out = NULL;
    if (field->required) {
        return STOA_OK;
    }
    STOA_TRY(take(decoder, "a byte for nulls", 1, 1, &flag));
    if (*flag > 1) {
        decoder->reader.position--;
        return fail_at(decoder, "0 or 1 for nulls", count);
    }
    return *flag == 0 ? STOA_OK : take_bits(decoder, "validity", count, out);
}

static stoa_status read_validity(struct decoder *decoder, const stoa_field *field,
                                 struct ArrowArray *out) {
    const uint8_t *bits;
    STOA_TRY(take_validity(decoder, field, out->length, &bits));
    if (bits == NULL) {
        return STOA_OK;
    }
    out->null_count = out->length - stoa_bitmap_count(bits, 0, out->length);
    const size_t size = stoa_bitmap_bytes(out->length);
    return set_buffer(decoder, out, 0, bits, size, size);
}

/* Offsets from the lengths; in `out_total` what they add up to. */
static stoa_status read_lengths(struct decoder *decoder, struct ArrowArray *out,
                                int64_t *out_total) {
    const uint8_t *lengths;
    stoa_buffer offsets;
    int64_t total = 0;
    STOA_TRY(take(decoder, "lengths", out->length, LENGTH_BYTES, &lengths));
    stoa_buffer_init(&offsets, decoder->pool);
    const size_t size = ((size_t)out->length + 1) * sizeof(int32_t);
    STOA_TRY(stoa_buffer_reserve_exact(&offsets, size, decoder->err));
    offsets.size = size;
    stoa_store_u32(offsets.data, 0);
    for (int64_t i = 0; i < out->length && total <= INT32_MAX; i++) {
        total += stoa_load_u32(lengths + i * LENGTH_BYTES);
        stoa_store_u32(offsets.data + (i + 1) * LENGTH_BYTES, (uint32_t)total);
    }
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    *out_total = total;
    return total <= INT32_MAX ? STOA_OK : fail_at(decoder, "less than 2^31 items", out->length);
}

static stoa_status read_texts(struct decoder *decoder, struct ArrowArray *out) {
    const uint8_t *bytes;
    int64_t total;
    STOA_TRY(read_lengths(decoder, out, &total));
    STOA_TRY(take(decoder, "the bytes", total, 1, &bytes));
    return set_buffer(decoder, out, 2, bytes, (size_t)total, (size_t)total);
}

static stoa_status read_fixed(struct decoder *decoder, const stoa_type *type,
                              struct ArrowArray *out) {
    const uint8_t *bytes;
    size_t size = stoa_bitmap_bytes(out->length);
    if (type->kind == STOA_TYPE_BOOLEAN) {
        STOA_TRY(take_bits(decoder, "booleans", out->length, &bytes));
    } else {
        const size_t width = (size_t)stoa_stripe_type(type).value_bytes;
        size = (size_t)out->length * width;
        STOA_TRY(take(decoder, "the values", out->length, width, &bytes));
    }
    return set_buffer(decoder, out, 1, bytes, size, size);
}

/* An array of the type's shape, without anything in it. */
static stoa_status init_array(struct decoder *decoder, const stoa_type *type, int64_t count,
                              struct ArrowArray *out) {
    int64_t buffers = 2, children = 0;
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: buffers = 0; break;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: buffers = 3; break;
    case STOA_TYPE_STRUCT: buffers = 1, children = type->child_count; break;
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: children = 1; break;
    default: break;
    }
    STOA_TRY(stoa_arrow_array_init(decoder->pool, buffers, children, false, out, decoder->err));
    out->length = count;
    out->null_count = type->kind == STOA_TYPE_UNKNOWN ? count : 0;
    return STOA_OK;
}

static stoa_status init_entries(struct decoder *decoder, int64_t count, struct ArrowArray *out) {
    STOA_TRY(stoa_arrow_array_init(decoder->pool, 1, 2, false, out, decoder->err));
    out->length = count;
    return STOA_OK;
}

/* As deep as the schema. What was made when it fails is released with the batch. */
static stoa_status read_values(struct decoder *decoder, const stoa_field *field, int64_t count,
                               struct ArrowArray *out) {
    const stoa_type *type = &field->type;
    struct ArrowArray *parent = out;
    STOA_TRY(init_array(decoder, type, count, out));
    if (type->kind == STOA_TYPE_UNKNOWN) {
        return STOA_OK;
    }
    STOA_TRY(read_validity(decoder, field, out));
    switch (type->kind) {
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return read_texts(decoder, out);
    case STOA_TYPE_STRUCT: break;
    case STOA_TYPE_LIST: STOA_TRY(read_lengths(decoder, out, &count)); break;
    case STOA_TYPE_MAP:
        STOA_TRY(read_lengths(decoder, out, &count));
        STOA_TRY(init_entries(decoder, count, out->children[0]));
        parent = out->children[0];
        break;
    default: return read_fixed(decoder, type, out);
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(read_values(decoder, &type->children[i], count, parent->children[i]));
    }
    return STOA_OK;
}

/* Nulls, or where there are none zeros. As deep as the schema. */
static stoa_status fill_values(struct decoder *decoder, const stoa_field *field, int64_t count,
                               struct ArrowArray *out) {
    const stoa_type *type = &field->type;
    const size_t bits = stoa_bitmap_bytes(count);
    struct ArrowArray *parent = out;
    STOA_TRY(init_array(decoder, type, count, out));
    if (!field->required && type->kind != STOA_TYPE_UNKNOWN) {
        STOA_TRY(set_buffer(decoder, out, 0, NULL, 0, bits));
        out->null_count = count;
    }
    const size_t offsets = ((size_t)count + 1) * sizeof(int32_t);
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return STOA_OK;
    case STOA_TYPE_BOOLEAN: return set_buffer(decoder, out, 1, NULL, 0, bits);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        STOA_TRY(set_buffer(decoder, out, 1, NULL, 0, offsets));
        return set_buffer(decoder, out, 2, NULL, 0, 0);
    case STOA_TYPE_STRUCT: break;
    case STOA_TYPE_LIST: STOA_TRY(set_buffer(decoder, out, 1, NULL, 0, offsets)); break;
    case STOA_TYPE_MAP:
        STOA_TRY(set_buffer(decoder, out, 1, NULL, 0, offsets));
        STOA_TRY(init_entries(decoder, 0, out->children[0]));
        parent = out->children[0];
        break;
    default:
        return set_buffer(decoder, out, 1, NULL, 0,
                          (size_t)count * (size_t)stoa_stripe_type(type).value_bytes);
    }
    count = type->kind == STOA_TYPE_STRUCT ? count : 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(fill_values(decoder, &type->children[i], count, parent->children[i]));
    }
    return STOA_OK;
}

static stoa_status fail_column(const struct decoder *decoder, const stoa_stripe_layout *layout,
                               int32_t column, stoa_status status) {
    const char *name = layout->schema->root.children[column].name;
    stoa_wrap(decoder->err, "column '%s'", name);
    stoa_error_set_column(decoder->err, column, name);
    return status;
}

static stoa_status read_column(struct decoder *decoder, const stoa_stripe_layout *layout,
                               int32_t column, int64_t count, struct ArrowArray *batch) {
    const stoa_field *field = &layout->schema->root.children[column];
    const stoa_status status = read_values(decoder, field, count, batch->children[column]);
    return status == STOA_OK ? status : fail_column(decoder, layout, column, status);
}

static stoa_status read_batch(struct decoder *decoder, const stoa_stripe_layout *layout,
                              bool keys_only, int64_t count, struct ArrowArray *out) {
    const stoa_type *root = &layout->schema->root;
    for (int32_t i = 0; !keys_only && i < root->child_count; i++) {
        STOA_TRY(read_column(decoder, layout, i, count, out));
    }
    for (int32_t i = 0; keys_only && i < layout->key->part_count; i++) {
        STOA_TRY(read_column(decoder, layout, layout->key->parts[i].column, count, out));
    }
    if (stoa_byte_reader_left(&decoder->reader) > 0) {
        return fail_at(decoder, "the end", count);
    }
    for (int32_t i = 0; keys_only && i < root->child_count; i++) {
        if (layout->column_nodes[i] >= 0) {
            STOA_TRY(fill_values(decoder, &root->children[i], count, out->children[i]));
        }
    }
    return STOA_OK;
}

stoa_status stoa_rows_read(const stoa_stripe_layout *layout, stoa_pool *pool, bool keys_only,
                           int64_t count, const uint8_t *bytes, size_t size, struct ArrowArray *out,
                           stoa_error *err) {
    struct decoder decoder = {stoa_byte_reader_of(bytes, size), pool, err};
    *out = (struct ArrowArray){0};
    if (count < 0 || count > INT32_MAX) {
        return fail_at(&decoder, "less than 2^31 rows instead", count);
    }
    STOA_TRY(stoa_arrow_array_init(pool, 1, layout->schema->root.child_count, false, out, err));
    out->length = count;
    const stoa_status status = read_batch(&decoder, layout, keys_only, count, out);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

/* ---- Rows of cells --------------------------------------------------------------------------- */

static stoa_status take_bytes(struct decoder *decoder, const char *what, size_t size,
                              stoa_cell *out) {
    const uint8_t *bytes;
    STOA_TRY(take(decoder, what, 1, size, &bytes));
    out->bytes = bytes;
    out->size = size;
    return STOA_OK;
}

static stoa_status take_number(struct decoder *decoder, const stoa_type *type, stoa_cell *out) {
    _Alignas(8) uint8_t number[8] = {0};
    const void *buffers[] = {NULL, number};
    const struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers};
    const uint8_t *bytes;
    size_t width = 1;
    if (type->kind == STOA_TYPE_BOOLEAN) {
        STOA_TRY(take_bits(decoder, "booleans", 1, &bytes));
    } else {
        width = (size_t)stoa_stripe_type(type).value_bytes;
        STOA_TRY(take(decoder, "the values", 1, width, &bytes));
    }
    memcpy(number, bytes, width);
    stoa_cell_from_array(type, &array, 0, out);
    return STOA_OK;
}

static stoa_status take_cell(struct decoder *decoder, const stoa_type *type, stoa_cell *out) {
    const uint8_t *length;
    switch (type->kind) {
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
        STOA_TRY(take(decoder, "lengths", 1, LENGTH_BYTES, &length));
        return take_bytes(decoder, "the bytes", stoa_load_u32(length), out);
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL:
        return take_bytes(decoder, "the values", (size_t)stoa_stripe_type(type).value_bytes, out);
    default: return take_number(decoder, type, out);
    }
}

static stoa_status read_cell(struct decoder *decoder, const stoa_field *field, stoa_cell *out) {
    const uint8_t *bits;
    *out = (stoa_cell){.is_null = true};
    if (field->type.kind == STOA_TYPE_UNKNOWN) {
        return STOA_OK;
    }
    STOA_TRY(take_validity(decoder, field, 1, &bits));
    const bool is_null = bits != NULL && (bits[0] & 1) == 0;
    STOA_TRY(take_cell(decoder, &field->type, out));
    out->is_null = is_null;
    return STOA_OK;
}

stoa_status stoa_row_read(const stoa_stripe_layout *layout, bool keys_only, const uint8_t *bytes,
                          size_t size, stoa_cell *out, stoa_error *err) {
    struct decoder decoder = {.reader = stoa_byte_reader_of(bytes, size), .err = err};
    const stoa_type *root = &layout->schema->root;
    const int32_t count = keys_only ? layout->key->part_count : root->child_count;
    for (int32_t i = 0; i < count; i++) {
        const int32_t column = keys_only ? layout->key->parts[i].column : i;
        const stoa_status status = read_cell(&decoder, &root->children[column], &out[i]);
        if (status != STOA_OK) {
            return fail_column(&decoder, layout, column, status);
        }
    }
    return stoa_byte_reader_left(&decoder.reader) == 0 ? STOA_OK : fail_at(&decoder, "the end", 1);
}
