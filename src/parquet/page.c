/* A data page, version 1, is
 *
 *     header | repetition levels | definition levels | values
 *
 * where each kind of levels is a 32-bit length and the RLE hybrid, left out when its highest level
 * is 0. The header is not compressed; the rest is, as one. The CRC is over what stands in the file.
 *
 * Source   Apache Parquet format 2.11, "Data Pages", "Encodings.md" */
#include "parquet/page.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "codec/bitpack_kernel.h"
#include "codec/rle.h"

enum { LENGTH_BYTES = 4 };

/* ---- Where pages end ------------------------------------------------------------------------- */

static inline uint64_t value_bits(const stoa_leaf *leaf, const stoa_leaf_values *values,
                                  int64_t at, int code_width) {
    if (code_width >= 0) {
        return (uint64_t)code_width;
    }
    if (leaf->value_class == STOA_LEAF_BYTES) {
        const stoa_bytes_view *views = values->data;
        return 8 * ((uint64_t)views[at].size + LENGTH_BYTES);
    }
    switch (leaf->physical) {
    case STOA_PARQUET_BOOLEAN: return 1;
    case STOA_PARQUET_INT32:
    case STOA_PARQUET_FLOAT: return 32;
    case STOA_PARQUET_FIXED: return 8 * (uint64_t)leaf->type_length;
    default: return 64;
    }
}

/* Every level has a value of one size: no need to look at them. */
static stoa_page_range next_regular(const stoa_leaf_values *values, int64_t first, uint64_t bits,
                                    uint64_t page_bits) {
    uint64_t count = bits == 0 ? STOA_PAGE_LEVELS_MAX : (page_bits + bits - 1) / bits;
    count = count < STOA_PAGE_LEVELS_MAX ? count : STOA_PAGE_LEVELS_MAX;
    count = count > 0 ? count : 1;
    const int64_t left = values->level_count - first;
    const int64_t taken = (int64_t)count < left ? (int64_t)count : left;
    return (stoa_page_range){first, taken, first, taken};
}

stoa_page_range stoa_page_next(const stoa_leaf *leaf, const stoa_leaf_values *values,
                               int64_t first_level, int64_t first_value, int code_width,
                               size_t page_bytes) {
    const uint64_t page_bits = (uint64_t)page_bytes * 8;
    const bool varying = leaf->value_class == STOA_LEAF_BYTES && code_width < 0;
    if (values->definition == NULL && values->repetition == NULL && !varying) {
        return next_regular(values, first_level, value_bits(leaf, values, 0, code_width),
                            page_bits);
    }
    int64_t level = first_level;
    int64_t value = first_value;
    uint64_t bits = 0;
    while (level < values->level_count) {
        const bool row_begins = values->repetition == NULL || values->repetition[level] == 0;
        if (row_begins && level > first_level &&
            (bits >= page_bits || level - first_level >= STOA_PAGE_LEVELS_MAX)) {
            break;
        }
        if (values->definition == NULL || values->definition[level] == leaf->definition_max) {
            bits += value_bits(leaf, values, value, code_width);
            value++;
        }
        level++;
    }
    return (stoa_page_range){first_level, level - first_level, first_value, value - first_value};
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static stoa_status append_levels(const uint8_t *levels, uint8_t level_max, int64_t count,
                                 stoa_buffer *out, stoa_error *err) {
    if (level_max == 0) {
        return STOA_OK;
    }
    const int width = stoa_bit_width(level_max);
    STOA_TRY(stoa_buffer_reserve(out, LENGTH_BYTES + stoa_rle_bytes_max((size_t)count, width),
                                 err));
    uint8_t *begin = out->data + out->size;
    const size_t size =
        levels != NULL
            ? stoa_rle_encode_u8(levels, (size_t)count, width, begin + LENGTH_BYTES)
            : stoa_rle_encode_constant(level_max, (size_t)count, width, begin + LENGTH_BYTES);
    stoa_store_u32(begin, (uint32_t)size);
    out->size += LENGTH_BYTES + size;
    return STOA_OK;
}

enum { WIDEN_CHUNK = 1024 };

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

/* Pages begin anywhere in the buffer; words are made beside it, where they are aligned. */
static stoa_status append_widened(const stoa_leaf *leaf, const uint8_t *values, int64_t count,
                                  stoa_buffer *out, stoa_error *err) {
    for (int64_t done = 0; done < count; done += WIDEN_CHUNK) {
        int32_t words[WIDEN_CHUNK];
        const int64_t now = count - done < WIDEN_CHUNK ? count - done : WIDEN_CHUNK;
        widen(leaf->value_class, values + done * leaf->value_width, now, words);
        STOA_TRY(stoa_buffer_append(out, words, (size_t)now * sizeof *words, err));
    }
    return STOA_OK;
}

static stoa_status append_views(const stoa_leaf *leaf, const stoa_bytes_view *views, int64_t count,
                                stoa_buffer *out, stoa_error *err) {
    const size_t prefix = leaf->value_class == STOA_LEAF_BYTES ? LENGTH_BYTES : 0;
    size_t total = (size_t)count * prefix;
    for (int64_t i = 0; i < count; i++) {
        total += views[i].size;
    }
    STOA_TRY(stoa_buffer_reserve(out, total, err));
    uint8_t *at = out->data + out->size;
    for (int64_t i = 0; i < count; i++) {
        if (prefix > 0) {
            stoa_store_u32(at, (uint32_t)views[i].size);
            at += prefix;
        }
        memcpy(at, views[i].data, views[i].size);
        at += views[i].size;
    }
    out->size += total;
    return STOA_OK;
}

stoa_status stoa_page_append_plain(const stoa_leaf *leaf, const void *values, int64_t count,
                                   stoa_buffer *out, stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    if (stoa_leaf_has_views(leaf)) {
        return append_views(leaf, values, count, out, err);
    }
    if (leaf->value_class == STOA_LEAF_BOOL) {
        STOA_TRY(stoa_buffer_reserve(out, (size_t)(count + 7) / 8, err));
        stoa_bitpack_bools(values, (size_t)count, out->data + out->size);
        out->size += (size_t)(count + 7) / 8;
        return STOA_OK;
    }
    if (leaf->value_width < 4) {
        return append_widened(leaf, values, count, out, err);
    }
    return stoa_buffer_append(out, values, (size_t)count * (size_t)leaf->value_width, err);
}

static stoa_status append_codes(const uint32_t *codes, int64_t count, int width, stoa_buffer *out,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(out, 1 + stoa_rle_bytes_max((size_t)count, width), err));
    out->data[out->size++] = (uint8_t)width;
    out->size += stoa_rle_encode_u32(codes, (size_t)count, width, out->data + out->size);
    return STOA_OK;
}

stoa_status stoa_page_append_data(const stoa_leaf *leaf, const stoa_leaf_values *values,
                                  const stoa_leaf_dictionary *dictionary, int code_width,
                                  const stoa_page_range *range, stoa_buffer *out,
                                  stoa_error *err) {
    const size_t begin = out->size;
    const uint8_t *repetition = values->repetition;
    const uint8_t *definition = values->definition;
    STOA_TRY(append_levels(repetition != NULL ? repetition + range->first_level : NULL,
                           leaf->repetition_max, range->level_count, out, err));
    STOA_TRY(append_levels(definition != NULL ? definition + range->first_level : NULL,
                           leaf->definition_max, range->level_count, out, err));
    if (code_width >= 0) {
        STOA_TRY(append_codes(dictionary->codes + range->first_value, range->value_count,
                              code_width, out, err));
    } else {
        const size_t width =
            stoa_leaf_has_views(leaf) ? sizeof(stoa_bytes_view) : (size_t)leaf->value_width;
        const uint8_t *first = values->data;
        STOA_TRY(stoa_page_append_plain(
            leaf, first != NULL ? first + (size_t)range->first_value * width : NULL,
            range->value_count, out, err));
    }
    if (out->size - begin > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "column '%s': a page of %zu bytes is more than Parquet's 2 GiB; a row "
                         "holds that much", leaf->name, out->size - begin);
    }
    return STOA_OK;
}

/* ---- Headers --------------------------------------------------------------------------------- */

stoa_status stoa_page_append_header(stoa_parquet_page_kind kind, int64_t value_count,
                                    bool has_dictionary, size_t uncompressed_bytes,
                                    const void *body, size_t body_bytes, stoa_buffer *out,
                                    stoa_error *err) {
    STOA_ASSERT(uncompressed_bytes <= INT32_MAX && body_bytes <= INT32_MAX);
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_write_i32(&writer, 1, (int32_t)kind);
    stoa_thrift_write_i32(&writer, 2, (int32_t)uncompressed_bytes);
    stoa_thrift_write_i32(&writer, 3, (int32_t)body_bytes);
    stoa_thrift_write_i32(&writer, 4, (int32_t)stoa_crc32(0, body, body_bytes));
    if (kind == STOA_PARQUET_DICTIONARY_PAGE) {
        stoa_thrift_begin_struct(&writer, 7);
        stoa_thrift_write_i32(&writer, 1, (int32_t)value_count);
        stoa_thrift_write_i32(&writer, 2, STOA_PARQUET_PLAIN);
    } else {
        stoa_thrift_begin_struct(&writer, 5);
        stoa_thrift_write_i32(&writer, 1, (int32_t)value_count);
        stoa_thrift_write_i32(&writer, 2, has_dictionary ? STOA_PARQUET_RLE_DICTIONARY
                                                         : STOA_PARQUET_PLAIN);
        stoa_thrift_write_i32(&writer, 3, STOA_PARQUET_RLE);
        stoa_thrift_write_i32(&writer, 4, STOA_PARQUET_RLE);
    }
    stoa_thrift_end_struct(&writer);
    return stoa_thrift_writer_finish(&writer);
}
