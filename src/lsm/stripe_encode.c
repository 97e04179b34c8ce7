/* Arrays of any layout offset are brought to their first bit or byte, lists to offsets from 0, and what
 * stands behind nulls is replaced by the value before it, which costs no bits and hides what was there. */
#include "base/bits.h"
#include "base/hash.h"
#include "lsm/stripe.h"

enum {
    ALIGNMENT = 8,
    SAVED_DIVISOR = 8,         /* of a segment's bytes, so much has to be saved */
    COMPRESSED_BYTES_MIN = 128 /* smaller segments are not worth an allocation when they are read */
};

struct stoa_stripe_encoder {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_segment_writer *writer;
    stoa_codec *codec;      /* NULL: nothing is compressed */
    stoa_buffer compressed; /* a segment */
    stoa_buffer scratch;    /* values or bits */
    stoa_buffer offsets;    /* int32_t */
    stoa_buffer *out;       /* of the stripe that is made */
    size_t begin;           /* of it in `out` */
    stoa_stripe_part *parts;
};

stoa_status stoa_stripe_encoder_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                       stoa_compression codec, stoa_stripe_encoder **out,
                                       stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_stripe_encoder), &memory, err));
    stoa_stripe_encoder *encoder = memory;
    *encoder = (stoa_stripe_encoder){.pool = pool, .layout = layout};
    stoa_buffer_init(&encoder->scratch, pool);
    stoa_buffer_init(&encoder->offsets, pool);
    stoa_buffer_init(&encoder->compressed, pool);
    stoa_status status = stoa_segment_writer_create(pool, &encoder->writer, err);
    if (status == STOA_OK && codec != STOA_COMPRESSION_NONE) {
        status = stoa_codec_create(pool, codec, 0, &encoder->codec, err);
    }
    if (status != STOA_OK) {
        stoa_stripe_encoder_close(encoder);
        return status;
    }
    *out = encoder;
    return STOA_OK;
}

void stoa_stripe_encoder_close(stoa_stripe_encoder *encoder) {
    if (encoder == NULL) {
        return;
    }
    stoa_buffer_release(&encoder->scratch);
    stoa_buffer_release(&encoder->offsets);
    stoa_buffer_release(&encoder->compressed);
    stoa_codec_close(encoder->codec);
    stoa_segment_writer_close(encoder->writer);
    stoa_pool_free(encoder->pool, encoder, sizeof *encoder);
}

stoa_compression stoa_stripe_encoder_codec(const stoa_stripe_encoder *encoder) {
    return encoder->codec == NULL ? STOA_COMPRESSION_NONE : stoa_codec_compression(encoder->codec);
}

/* Puts the compressed form in the place of the segment that begins at `at` of the output and ends it, where
 * that is worth its while: `*out_raw_size` is the segment's size then, else 0. */
static stoa_status compress_segment(stoa_stripe_encoder *encoder, int32_t number, size_t at,
                                    uint32_t *out_raw_size, stoa_error *err) {
    stoa_buffer *out = encoder->out, *compressed = &encoder->compressed;
    const size_t size = out->size - at;
    *out_raw_size = 0;
    if (encoder->codec == NULL || number < STOA_STRIPE_FIRST_VALUE || size < COMPRESSED_BYTES_MIN ||
        size > STOA_STRIPE_RAW_BYTES_MAX) {
        return STOA_OK;
    }
    stoa_buffer_clear(compressed);
    STOA_TRY(stoa_codec_compress(encoder->codec, out->data + at, size, compressed, err));
    if (compressed->size <= size - size / SAVED_DIVISOR) {
        memcpy(out->data + at, compressed->data, compressed->size);
        out->size = at + compressed->size;
        *out_raw_size = (uint32_t)size;
    }
    return STOA_OK;
}

static stoa_status add_segment(stoa_stripe_encoder *encoder, int32_t number, stoa_segment_type type,
                               const void *data, const int32_t *offsets, int64_t count,
                               stoa_error *err) {
    stoa_buffer *out = encoder->out;
    const size_t at = out->size;
    uint32_t raw_size;
    STOA_TRY(stoa_segment_write(encoder->writer, type, data, offsets, count, out, err));
    STOA_TRY(compress_segment(encoder, number, at, &raw_size, err));
    const size_t size = out->size - at;
    if (out->size - encoder->begin > UINT32_MAX - ALIGNMENT) {
        return stoa_fail(err, STOA_LIMIT, "more than 4 GiB in one stripe of rows");
    }
    encoder->parts[number] = (stoa_stripe_part){(uint32_t)(at - encoder->begin), (uint32_t)size,
                                                raw_size, stoa_crc32c(0, out->data + at, size)};
    const uint64_t zero = 0;
    return stoa_buffer_append(out, &zero, (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT, err);
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* Bits [at, at + count) from the first bit of the scratch; NULL: all set. */
static stoa_status move_bits(stoa_stripe_encoder *encoder, const uint8_t *bits, int64_t at,
                             int64_t count, stoa_error *err) {
    stoa_buffer_clear(&encoder->scratch);
    STOA_TRY(stoa_buffer_reserve(&encoder->scratch, stoa_bitmap_bytes(count), err));
    if (bits == NULL) {
        stoa_bitmap_fill(encoder->scratch.data, 0, count, true);
    } else {
        stoa_bitmap_copy(bits, at, encoder->scratch.data, 0, count);
    }
    return STOA_OK;
}

static bool has_nulls(const struct ArrowArray *array, int64_t at, int64_t count) {
    return array->buffers[0] != NULL && array->null_count != 0 &&
           stoa_bitmap_count(array->buffers[0], at, count) < count;
}

static stoa_status fill_nulls(stoa_stripe_encoder *encoder, const struct ArrowArray *array,
                              int64_t at, int64_t count, size_t width, stoa_error *err) {
    const uint8_t *validity = array->buffers[0];
    const uint8_t *values = (const uint8_t *)array->buffers[1] + (size_t)at * width;
    stoa_buffer_clear(&encoder->scratch);
    STOA_TRY(stoa_buffer_reserve(&encoder->scratch, (size_t)count * width, err));
    uint8_t *out = encoder->scratch.data;
    for (int64_t i = 0; i < count; i++, out += width) {
        if (stoa_bit_get(validity, at + i)) {
            memcpy(out, values + (size_t)i * width, width);
        } else if (i > 0) {
            memcpy(out, out - width, width);
        } else {
            memset(out, 0, width);
        }
    }
    return STOA_OK;
}

static stoa_status encode_leaf(stoa_stripe_encoder *encoder, const stoa_stripe_node *node,
                               const struct ArrowArray *array, int64_t at, int64_t count,
                               stoa_error *err) {
    const size_t width = (size_t)node->values.value_bytes;
    const int32_t *offsets = NULL;
    const void *data = NULL;
    if (node->values.values == STOA_SEGMENT_BITS) {
        STOA_TRY(move_bits(encoder, array->buffers[1], at, count, err));
        data = encoder->scratch.data;
    } else if (node->values.values == STOA_SEGMENT_TEXTS) {
        offsets = (const int32_t *)array->buffers[1] + at;
        data = array->buffers[2];
    } else if (has_nulls(array, at, count)) {
        STOA_TRY(fill_nulls(encoder, array, at, count, width, err));
        data = encoder->scratch.data;
    } else {
        data = (const uint8_t *)array->buffers[1] + (size_t)at * width;
    }
    return add_segment(encoder, node->value_segment, node->values, data, offsets, count, err);
}

/* Offsets from 0; in `out_first` and `out_count` the items. */
static stoa_status encode_offsets(stoa_stripe_encoder *encoder, const stoa_stripe_node *node,
                                  const struct ArrowArray *array, int64_t at, int64_t count,
                                  int64_t *out_first, int64_t *out_count, stoa_error *err) {
    const int32_t *offsets = (const int32_t *)array->buffers[1] + at;
    stoa_buffer_clear(&encoder->offsets);
    STOA_TRY(stoa_buffer_reserve(&encoder->offsets, (size_t)(count + 1) * sizeof *offsets, err));
    int32_t *rebased = (int32_t *)(void *)encoder->offsets.data;
    for (int64_t i = 0; i <= count; i++) {
        rebased[i] = offsets[i] - offsets[0];
    }
    *out_first = offsets[0];
    *out_count = rebased[count];
    return add_segment(encoder, node->value_segment, node->values, rebased, NULL, count + 1, err);
}

/* `at` counts from the beginning of the array's buffers. As deep as the schema. */
static stoa_status encode_node(stoa_stripe_encoder *encoder, int32_t index,
                               const struct ArrowArray *array, int64_t at, int64_t count,
                               stoa_error *err) {
    const stoa_stripe_node *node = &encoder->layout->nodes[index];
    const stoa_type_kind kind = node->type->kind;
    if (node->validity_segment >= 0) {
        STOA_TRY(
            move_bits(encoder, array->null_count == 0 ? NULL : array->buffers[0], at, count, err));
        STOA_TRY(add_segment(encoder, node->validity_segment,
                             (stoa_segment_type){STOA_SEGMENT_BITS, 0}, encoder->scratch.data, NULL,
                             count, err));
    }
    if (kind == STOA_TYPE_LIST || kind == STOA_TYPE_MAP) {
        STOA_TRY(encode_offsets(encoder, node, array, at, count, &at, &count, err));
        array = array->children[0];
        at += array->offset;
        if (kind == STOA_TYPE_LIST) {
            return encode_node(encoder, index + 1, array, at, count, err);
        }
    } else if (kind != STOA_TYPE_STRUCT) {
        return node->value_segment < 0 ? STOA_OK
                                       : encode_leaf(encoder, node, array, at, count, err);
    }
    int32_t below = index + 1; /* fields of a struct, or of a map's entries */
    for (int32_t i = 0; i < node->type->child_count; i++) {
        const struct ArrowArray *child = array->children[i];
        STOA_TRY(encode_node(encoder, below, child, child->offset + at, count, err));
        below += encoder->layout->nodes[below].subtree;
    }
    return STOA_OK;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* What the first and the last key have in common, and so all between them. */
static uint32_t common_prefix(const stoa_keys_view *keys, int64_t first, int64_t count) {
    const uint8_t *a = keys->bytes + keys->offsets[first];
    const uint8_t *b = keys->bytes + keys->offsets[first + count - 1];
    const uint32_t a_size = keys->offsets[first + 1] - keys->offsets[first];
    const uint32_t b_size = keys->offsets[first + count] - keys->offsets[first + count - 1];
    uint32_t common = 0;
    while (common < a_size && common < b_size && a[common] == b[common]) {
        common++;
    }
    return common;
}

static stoa_status encode_texts_of_keys(stoa_stripe_encoder *encoder, const stoa_stripe_rows *rows,
                                        uint32_t prefix, stoa_error *err) {
    const stoa_keys_view *keys = rows->keys;
    int32_t end = 0;
    stoa_buffer_clear(&encoder->scratch);
    stoa_buffer_clear(&encoder->offsets);
    STOA_TRY(stoa_buffer_append(&encoder->offsets, &end, sizeof end, err));
    for (int64_t i = rows->first_key; i < rows->first_key + rows->count; i++) {
        const uint32_t size = keys->offsets[i + 1] - keys->offsets[i] - prefix;
        STOA_TRY(stoa_buffer_append(&encoder->scratch, keys->bytes + keys->offsets[i] + prefix,
                                    size, err));
        end += (int32_t)size; /* 8,192 keys of 64 KiB at most */
        STOA_TRY(stoa_buffer_append(&encoder->offsets, &end, sizeof end, err));
    }
    return add_segment(encoder, STOA_STRIPE_KEYS,
                       stoa_stripe_segment_type(encoder->layout, STOA_STRIPE_KEYS),
                       encoder->scratch.data, (const int32_t *)(const void *)encoder->offsets.data,
                       rows->count, err);
}

static stoa_status encode_rows(stoa_stripe_encoder *encoder, const stoa_stripe_rows *rows,
                               uint32_t *out_prefix, stoa_error *err) {
    const stoa_stripe_layout *layout = encoder->layout;
    *out_prefix = 0;
    if (layout->key->is_number) {
        STOA_TRY(add_segment(encoder, STOA_STRIPE_KEYS,
                             stoa_stripe_segment_type(layout, STOA_STRIPE_KEYS),
                             rows->keys->numbers + rows->first_key, NULL, rows->count, err));
    } else {
        *out_prefix = common_prefix(rows->keys, rows->first_key, rows->count);
        STOA_TRY(encode_texts_of_keys(encoder, rows, *out_prefix, err));
    }
    STOA_TRY(add_segment(encoder, STOA_STRIPE_SEQUENCES,
                         stoa_stripe_segment_type(layout, STOA_STRIPE_SEQUENCES), rows->sequences,
                         NULL, rows->count, err));
    STOA_TRY(add_segment(encoder, STOA_STRIPE_OPERATIONS,
                         stoa_stripe_segment_type(layout, STOA_STRIPE_OPERATIONS), rows->operations,
                         NULL, rows->count, err));
    for (int32_t i = 0; i < layout->schema->root.child_count; i++) {
        if (layout->column_nodes[i] >= 0) {
            const struct ArrowArray *column = rows->batch->children[i];
            STOA_TRY(encode_node(encoder, layout->column_nodes[i], column,
                                 column->offset + rows->batch->offset + rows->first, rows->count,
                                 err));
        }
    }
    return STOA_OK;
}

stoa_status stoa_stripe_encode(stoa_stripe_encoder *encoder, const stoa_stripe_rows *rows,
                               stoa_buffer *out, stoa_stripe_part *parts, uint32_t *out_prefix,
                               stoa_error *err) {
    STOA_ASSERT(rows->count > 0 && rows->count <= STOA_STRIPE_ROWS && out->size % ALIGNMENT == 0);
    encoder->out = out;
    encoder->begin = out->size;
    encoder->parts = parts;
    const stoa_status status = encode_rows(encoder, rows, out_prefix, err);
    if (status != STOA_OK) {
        out->size = encoder->begin;
    }
    return status;
}
