/* Integers of one and two bytes are widened to the 32 bits that Parquet gives them; views of fixed bytes
 * are gathered where an encoding wants them in one piece. The encodings themselves are src/codec's.
 *
 * Source   Apache Parquet format 2.11, "Encodings.md" */
#include "parquet/value_encoder.h"

#include "base/bytes.h"
#include "codec/bitpack_kernel.h"
#include "codec/byte_stream_split.h"
#include "codec/delta_bytes.h"
#include "codec/plain.h"
#include "codec/rle.h"

enum { LENGTH_BYTES = 4 };

bool stoa_leaf_allows(const stoa_leaf *leaf, stoa_parquet_encoding encoding) {
    const stoa_parquet_physical physical = leaf->physical;
    switch (encoding) {
    case STOA_PARQUET_PLAIN: return true;
    case STOA_PARQUET_RLE: return physical == STOA_PARQUET_BOOLEAN;
    case STOA_PARQUET_RLE_DICTIONARY: return physical != STOA_PARQUET_BOOLEAN;
    case STOA_PARQUET_DELTA_BINARY_PACKED:
        return physical == STOA_PARQUET_INT32 || physical == STOA_PARQUET_INT64;
    case STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY: return physical == STOA_PARQUET_BYTE_ARRAY;
    case STOA_PARQUET_DELTA_BYTE_ARRAY:
        return physical == STOA_PARQUET_BYTE_ARRAY || physical == STOA_PARQUET_FIXED;
    case STOA_PARQUET_BYTE_STREAM_SPLIT:
        return physical != STOA_PARQUET_BOOLEAN && physical != STOA_PARQUET_BYTE_ARRAY;
    default: return false;
    }
}

double stoa_values_plain_bytes(const stoa_leaf *leaf, const void *values, int64_t count) {
    if (!stoa_leaf_has_views(leaf)) {
        const bool narrow = leaf->value_width < 4 && leaf->value_class != STOA_LEAF_BOOL;
        return (double)count * (narrow ? 4 : leaf->value_width);
    }
    if (leaf->value_class != STOA_LEAF_BYTES) {
        return (double)count * leaf->type_length;
    }
    const stoa_bytes_view *views = values;
    double bytes = (double)count * LENGTH_BYTES;
    for (int64_t i = 0; i < count; i++) {
        bytes += (double)views[i].size;
    }
    return bytes;
}

/* ---- Words of the physical type -------------------------------------------------------------- */

#define WIDEN(TYPE)                                                                                \
    do {                                                                                           \
        const TYPE *narrow = (const TYPE *)values;                                                 \
        for (int64_t i = 0; i < count; i++) {                                                      \
            wide[i] = narrow[i];                                                                   \
        }                                                                                          \
    } while (0)

static void widen(stoa_leaf_class value_class, const void *values, int64_t count, int32_t *wide) {
    switch (value_class) {
    case STOA_LEAF_I8: WIDEN(int8_t); break;
    case STOA_LEAF_U8: WIDEN(uint8_t); break;
    case STOA_LEAF_I16: WIDEN(int16_t); break;
    default: WIDEN(uint16_t); break;
    }
}

const void *stoa_values_are_plain(const stoa_leaf *leaf, const void *values) {
    return !stoa_leaf_has_views(leaf) && leaf->value_width >= 4 ? values : NULL;
}

/* Fixed values in one piece: where they lie, or in `scratch`. */
static stoa_status in_one_piece(const stoa_leaf *leaf, const void *values, int64_t count,
                                stoa_buffer *scratch, const void **out, size_t *out_width,
                                stoa_error *err) {
    const bool views = stoa_leaf_has_views(leaf);
    *out_width = views ? (size_t)leaf->type_length
                       : (size_t)(leaf->value_width < 4 ? 4 : leaf->value_width);
    *out = stoa_values_are_plain(leaf, values);
    if (*out != NULL) {
        return STOA_OK;
    }
    stoa_buffer_clear(scratch);
    STOA_TRY(stoa_buffer_reserve(scratch, (size_t)count * *out_width, err));
    *out = scratch->data;
    if (!views) {
        widen(leaf->value_class, values, count, (int32_t *)(void *)scratch->data);
        return STOA_OK;
    }
    const stoa_bytes_view *view = values;
    for (int64_t i = 0; i < count; i++) {
        memcpy(scratch->data + (size_t)i * *out_width, view[i].data, *out_width);
    }
    return STOA_OK;
}

/* ---- One encoding each ----------------------------------------------------------------------- */

static stoa_status append_bits(const void *values, int64_t count, stoa_buffer *out,
                               stoa_error *err) {
    const size_t size = (size_t)(count + 7) / 8;
    STOA_TRY(stoa_buffer_reserve(out, size, err));
    stoa_bitpack_bools(values, (size_t)count, out->data + out->size);
    out->size += size;
    return STOA_OK;
}

static stoa_status append_plain(const stoa_leaf *leaf, const void *values, int64_t count,
                                stoa_buffer *scratch, stoa_buffer *out, stoa_error *err) {
    if (leaf->value_class == STOA_LEAF_BOOL) {
        return append_bits(values, count, out, err);
    }
    if (leaf->value_class == STOA_LEAF_BYTES) {
        const size_t size = (size_t)stoa_values_plain_bytes(leaf, values, count);
        STOA_TRY(stoa_buffer_reserve(out, size, err));
        out->size += stoa_plain_encode_bytes(values, (size_t)count, out->data + out->size);
        return STOA_OK;
    }
    const void *piece;
    size_t width;
    STOA_TRY(in_one_piece(leaf, values, count, scratch, &piece, &width, err));
    return stoa_buffer_append(out, piece, (size_t)count * width, err);
}

static stoa_status append_runs(const uint8_t *values, int64_t count, stoa_buffer *out,
                               stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(out, LENGTH_BYTES + stoa_rle_bytes_max((size_t)count, 1), err));
    uint8_t *begin = out->data + out->size;
    const size_t size = stoa_rle_encode_u8(values, (size_t)count, 1, begin + LENGTH_BYTES);
    stoa_store_u32(begin, (uint32_t)size);
    out->size += LENGTH_BYTES + size;
    return STOA_OK;
}

static stoa_status append_deltas(const stoa_leaf *leaf, const void *values, int64_t count,
                                 stoa_buffer *scratch, stoa_buffer *out, stoa_error *err) {
    const void *piece;
    size_t width;
    STOA_TRY(in_one_piece(leaf, values, count, scratch, &piece, &width, err));
    STOA_TRY(stoa_buffer_reserve(out, stoa_delta_bytes_max((size_t)count, (int)width), err));
    uint8_t *at = out->data + out->size;
    out->size += width == 8 ? stoa_delta_encode_i64(piece, (size_t)count, at)
                            : stoa_delta_encode_i32(piece, (size_t)count, at);
    return STOA_OK;
}

static stoa_status append_streams(const stoa_leaf *leaf, const void *values, int64_t count,
                                  stoa_buffer *scratch, stoa_buffer *out, stoa_error *err) {
    const void *piece;
    size_t width;
    STOA_TRY(in_one_piece(leaf, values, count, scratch, &piece, &width, err));
    STOA_TRY(stoa_buffer_reserve(out, (size_t)count * width, err));
    stoa_byte_stream_split_encode(piece, width, (size_t)count, out->data + out->size);
    out->size += (size_t)count * width;
    return STOA_OK;
}

stoa_status stoa_values_encode(const stoa_leaf *leaf, stoa_parquet_encoding encoding,
                               const void *values, int64_t count, stoa_buffer *scratch,
                               stoa_buffer *out, stoa_error *err) {
    STOA_ASSERT(stoa_leaf_allows(leaf, encoding));
    const bool headless =
        encoding == STOA_PARQUET_PLAIN || encoding == STOA_PARQUET_BYTE_STREAM_SPLIT;
    if (leaf->value_class == STOA_LEAF_NULL || (count == 0 && headless)) {
        return STOA_OK;
    }
    switch (encoding) {
    case STOA_PARQUET_RLE: return append_runs(values, count, out, err);
    case STOA_PARQUET_DELTA_BINARY_PACKED:
        return append_deltas(leaf, values, count, scratch, out, err);
    case STOA_PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return stoa_delta_lengths_encode(values, (size_t)count, out, err);
    case STOA_PARQUET_DELTA_BYTE_ARRAY:
        return stoa_delta_bytes_encode(values, (size_t)count, out, err);
    case STOA_PARQUET_BYTE_STREAM_SPLIT:
        return append_streams(leaf, values, count, scratch, out, err);
    default: return append_plain(leaf, values, count, scratch, out, err);
    }
}
