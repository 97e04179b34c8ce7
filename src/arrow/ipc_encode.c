/* Cutting arrays into the nodes and buffers of a record batch.
 *
 * The format knows no offsets of arrays: a slice is written as if it began at 0. Fixed-width values
 * and bytes are written from where they lie; bitmaps are always moved (they are small, and so their
 * last bits are zero), offsets are moved where they do not begin at 0. Nothing else is copied, but
 * for compression.
 *
 * Bodies may be large: the encoder keeps a list of pieces, and the writer sends them one by one.
 *
 * Source   Apache Arrow columnar format 1.5, "RecordBatch message", "Compression" */
#include "arrow/ipc_encode.h"

#include "arrow/array.h"
#include "arrow/ipc_format.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "base/checked.h"

enum { VIEW_BYTES = 16, OWN_BUFFERS_OF_VIEWS = 2 };

void stoa_ipc_encoder_init(stoa_ipc_encoder *encoder, stoa_pool *pool, stoa_codec *codec,
                           size_t alignment) {
    *encoder = (stoa_ipc_encoder){.pool = pool, .codec = codec, .alignment = alignment};
    stoa_arena_init(&encoder->scratch, pool);
    stoa_buffer_init(&encoder->nodes, pool);
    stoa_buffer_init(&encoder->buffers, pool);
    stoa_buffer_init(&encoder->variadic, pool);
    stoa_buffer_init(&encoder->pieces, pool);
    stoa_buffer_init(&encoder->compressed, pool);
}

void stoa_ipc_encoder_release(stoa_ipc_encoder *encoder) {
    stoa_arena_release(&encoder->scratch);
    stoa_buffer_release(&encoder->nodes);
    stoa_buffer_release(&encoder->buffers);
    stoa_buffer_release(&encoder->variadic);
    stoa_buffer_release(&encoder->pieces);
    stoa_buffer_release(&encoder->compressed);
}

void stoa_ipc_encoder_clear(stoa_ipc_encoder *encoder) {
    stoa_arena_release(&encoder->scratch);
    stoa_arena_init(&encoder->scratch, encoder->pool);
    stoa_buffer_clear(&encoder->nodes);
    stoa_buffer_clear(&encoder->buffers);
    stoa_buffer_clear(&encoder->variadic);
    stoa_buffer_clear(&encoder->pieces);
    stoa_buffer_clear(&encoder->compressed);
    encoder->body_size = 0;
}

static stoa_status put_node(stoa_ipc_encoder *encoder, int64_t length, int64_t null_count,
                            stoa_error *err) {
    const int64_t node[] = {length, null_count};
    return stoa_buffer_append(&encoder->nodes, node, sizeof node, err);
}

static stoa_status put_piece(stoa_ipc_encoder *encoder, const uint8_t *data, size_t offset,
                             size_t size, size_t padding, stoa_error *err) {
    const stoa_ipc_piece piece = {data, offset, size, padding};
    return stoa_buffer_append(&encoder->pieces, &piece, sizeof piece, err);
}

static size_t padding_of(const stoa_ipc_encoder *encoder, size_t size) {
    return (encoder->alignment - size % encoder->alignment) % encoder->alignment;
}

/* The compressed form behind its uncompressed size; as it is, behind -1, when that is shorter. */
static stoa_status put_compressed(stoa_ipc_encoder *encoder, const uint8_t *data, size_t size,
                                  size_t *out_size, stoa_error *err) {
    stoa_buffer *out = &encoder->compressed;
    size_t start = out->size;
    int64_t prefix = (int64_t)size;
    STOA_TRY(stoa_buffer_append(out, &prefix, sizeof prefix, err));
    STOA_TRY(stoa_codec_compress(encoder->codec, data, size, out, err));
    *out_size = out->size - start;
    if (*out_size - sizeof prefix < size) {
        return put_piece(encoder, NULL, start, *out_size, padding_of(encoder, *out_size), err);
    }
    prefix = -1;
    memcpy(out->data + start, &prefix, sizeof prefix);
    out->size = start + sizeof prefix;
    *out_size = sizeof prefix + size;
    STOA_TRY(put_piece(encoder, NULL, start, sizeof prefix, 0, err));
    return put_piece(encoder, data, 0, size, padding_of(encoder, *out_size), err);
}

static stoa_status put_buffer(stoa_ipc_encoder *encoder, const void *data, size_t size,
                              stoa_error *err) {
    size_t written = size;
    if (size > 0 && encoder->codec != NULL) {
        STOA_TRY(put_compressed(encoder, data, size, &written, err));
    } else if (size > 0) {
        STOA_TRY(put_piece(encoder, data, 0, size, padding_of(encoder, size), err));
    }
    const uint64_t buffer[] = {encoder->body_size, written};
    STOA_TRY(stoa_buffer_append(&encoder->buffers, buffer, sizeof buffer, err));
    encoder->body_size += written + padding_of(encoder, written);
    return STOA_OK;
}

static stoa_status put_bits(stoa_ipc_encoder *encoder, const uint8_t *bits, int64_t start,
                            int64_t length, stoa_error *err) {
    void *copy = NULL;
    size_t size = stoa_bitmap_bytes(length);
    STOA_TRY(stoa_arena_allocate(&encoder->scratch, size, &copy, err));
    if (length > 0) {
        stoa_bitmap_copy(bits, start, copy, 0, length);
    }
    return put_buffer(encoder, copy, size, err);
}

/* The node, and the validity bitmap unless nothing is null. `start` is absolute. */
static stoa_status put_validity(stoa_ipc_encoder *encoder, const struct ArrowArray *array,
                                int64_t start, int64_t length, stoa_error *err) {
    const uint8_t *bits = array->n_buffers > 0 ? array->buffers[0] : NULL;
    int64_t nulls = 0;
    if (bits != NULL && array->null_count != 0 && length > 0) {
        nulls = length - stoa_bitmap_count(bits, start, length);
    }
    STOA_TRY(put_node(encoder, length, nulls, err));
    return nulls == 0 ? put_buffer(encoder, NULL, 0, err)
                      : put_bits(encoder, bits, start, length, err);
}

static stoa_status put_values(stoa_ipc_encoder *encoder, const void *data, int64_t start,
                              int64_t length, int32_t width, stoa_error *err) {
    size_t size = 0;
    if (!stoa_mul_size((size_t)length, (size_t)width, &size)) {
        return stoa_fail(err, STOA_LIMIT, "%" PRId64 " values of %" PRId32 " bytes", length, width);
    }
    return put_buffer(encoder, size == 0 ? NULL : (const uint8_t *)data + start * width, size, err);
}

static int64_t load_offset(const void *offsets, int64_t index, int32_t width) {
    const uint8_t *bytes = offsets;
    return width == 8 ? stoa_load_i64(bytes + index * 8) : stoa_load_i32(bytes + index * 4);
}

/* Offsets that begin at 0; says which part of the values they cover. */
static stoa_status put_offsets(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                               const struct ArrowArray *array, int64_t start, int64_t length,
                               int64_t *out_first, int64_t *out_last, stoa_error *err) {
    int32_t width = stoa_arrow_offset_bytes(field->layout.kind);
    const uint8_t *offsets = array->buffers[1];
    size_t size = ((size_t)length + 1) * (size_t)width;
    bool none = length == 0 || offsets == NULL;
    *out_first = none ? 0 : load_offset(offsets, start, width);
    *out_last = none ? 0 : load_offset(offsets, start + length, width);
    if (!none && *out_first == 0) {
        return put_buffer(encoder, offsets + start * width, size, err);
    }
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(&encoder->scratch, size, &memory, err));
    for (int64_t i = 0; !none && i <= length; i++) {
        int64_t moved = load_offset(offsets, start + i, width) - *out_first;
        memcpy((uint8_t *)memory + i * width, &moved, (size_t)width); /* little-endian */
    }
    return put_buffer(encoder, memory, size, err);
}

static stoa_status put_bytes(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                             const struct ArrowArray *array, int64_t start, int64_t length,
                             stoa_error *err) {
    int64_t first = 0;
    int64_t last = 0;
    STOA_TRY(put_validity(encoder, array, start, length, err));
    STOA_TRY(put_offsets(encoder, field, array, start, length, &first, &last, err));
    return put_values(encoder, array->buffers[2], first, last - first, 1, err);
}

/* All data buffers are written, also where a slice needs few of them: views say where they point. */
static stoa_status put_views(stoa_ipc_encoder *encoder, const struct ArrowArray *array,
                             int64_t start, int64_t length, stoa_error *err) {
    int64_t count = array->n_buffers - OWN_BUFFERS_OF_VIEWS - 1;
    const uint8_t *sizes = array->buffers[array->n_buffers - 1];
    STOA_TRY(put_validity(encoder, array, start, length, err));
    STOA_TRY(put_values(encoder, array->buffers[1], start, length, VIEW_BYTES, err));
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(put_buffer(encoder, array->buffers[OWN_BUFFERS_OF_VIEWS + i],
                            (size_t)stoa_load_i64(sizes + i * 8), err));
    }
    return stoa_buffer_append(&encoder->variadic, &count, sizeof count, err);
}

static stoa_status put_children(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                                const struct ArrowArray *array, int64_t offset, int64_t length,
                                stoa_error *err) {
    for (int64_t i = 0; i < field->child_count; i++) {
        STOA_TRY(
            stoa_ipc_encode(encoder, &field->children[i], array->children[i], offset, length, err));
    }
    return STOA_OK;
}

static stoa_status put_list(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                            const struct ArrowArray *array, int64_t start, int64_t length,
                            stoa_error *err) {
    int64_t first = 0;
    int64_t last = 0;
    STOA_TRY(put_validity(encoder, array, start, length, err));
    if (field->layout.kind == STOA_ARROW_FIXED_LIST) {
        first = start * field->layout.list_size;
        last = first + length * field->layout.list_size;
    } else {
        STOA_TRY(put_offsets(encoder, field, array, start, length, &first, &last, err));
    }
    return put_children(encoder, field, array, first, last - first, err);
}

/* The children of a dense union are written whole: its offsets say where they point. */
static stoa_status put_union(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                             const struct ArrowArray *array, int64_t start, int64_t length,
                             stoa_error *err) {
    STOA_TRY(put_node(encoder, length, 0, err));
    STOA_TRY(put_values(encoder, array->buffers[0], start, length, 1, err));
    if (field->layout.kind == STOA_ARROW_SPARSE_UNION) {
        return put_children(encoder, field, array, start, length, err);
    }
    STOA_TRY(put_values(encoder, array->buffers[1], start, length, sizeof(int32_t), err));
    for (int64_t i = 0; i < field->child_count; i++) {
        STOA_TRY(stoa_ipc_encode(encoder, &field->children[i], array->children[i], 0,
                                 array->children[i]->length, err));
    }
    return STOA_OK;
}

static int64_t load_run_end(const struct ArrowArray *ends, int64_t index, int32_t width) {
    const uint8_t *bytes = (const uint8_t *)ends->buffers[1] + (ends->offset + index) * width;
    int64_t value = 0;
    memcpy(&value, bytes, (size_t)width);
    return width == 8 ? value : width == 4 ? (int32_t)value : (int16_t)value;
}

/* The first run that reaches beyond `row`. */
static int64_t run_find(const struct ArrowArray *ends, int32_t width, int64_t row) {
    int64_t low = 0;
    int64_t high = ends->length;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (load_run_end(ends, middle, width) <= row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Only the runs of the slice, counted from its beginning. */
static stoa_status put_runs(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                            const struct ArrowArray *array, int64_t start, int64_t length,
                            stoa_error *err) {
    const struct ArrowArray *ends = array->children[0];
    int32_t width = field->children[0].layout.byte_width;
    int64_t first = run_find(ends, width, start);
    int64_t count = length == 0 ? 0 : run_find(ends, width, start + length - 1) + 1 - first;
    void *memory = NULL;
    size_t size = (size_t)count * (size_t)width;
    STOA_TRY(stoa_arena_allocate(&encoder->scratch, size, &memory, err));
    for (int64_t i = 0; i < count; i++) {
        int64_t end = load_run_end(ends, first + i, width) - start;
        end = end < length ? end : length;
        memcpy((uint8_t *)memory + i * width, &end, (size_t)width);
    }
    STOA_TRY(put_node(encoder, length, 0, err));
    STOA_TRY(put_node(encoder, count, 0, err));
    STOA_TRY(put_buffer(encoder, NULL, 0, err));
    STOA_TRY(put_buffer(encoder, memory, size, err));
    return stoa_ipc_encode(encoder, &field->children[1], array->children[1], first, count, err);
}

stoa_status stoa_ipc_encode(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                            const struct ArrowArray *array, int64_t offset, int64_t length,
                            stoa_error *err) {
    int64_t start = array->offset + offset;
    STOA_ASSERT(offset >= 0 && length >= 0 && offset + length <= array->length);
    switch (field->layout.kind) {
    case STOA_ARROW_NULL: return put_node(encoder, length, length, err);
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY: return put_bytes(encoder, field, array, start, length, err);
    case STOA_ARROW_STRING_VIEW:
    case STOA_ARROW_BINARY_VIEW: return put_views(encoder, array, start, length, err);
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_MAP:
    case STOA_ARROW_FIXED_LIST: return put_list(encoder, field, array, start, length, err);
    case STOA_ARROW_STRUCT:
        STOA_TRY(put_validity(encoder, array, start, length, err));
        return put_children(encoder, field, array, start, length, err);
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION: return put_union(encoder, field, array, start, length, err);
    case STOA_ARROW_RUN_END: return put_runs(encoder, field, array, start, length, err);
    case STOA_ARROW_BOOL:
        STOA_TRY(put_validity(encoder, array, start, length, err));
        return put_bits(encoder, array->buffers[1], start, length, err);
    default:
        STOA_TRY(put_validity(encoder, array, start, length, err));
        return put_values(encoder, array->buffers[1], start, length, field->layout.byte_width, err);
    }
}
