/* A data page is
 *
 *     version 1   header | repetition levels | definition levels | values      the rest compressed as one
 *     version 2   header | repetition levels | definition levels | values      the values compressed
 *
 * where each kind of levels is the RLE hybrid, left out when its highest level is 0, and behind its
 * length in four bytes in version 1. The CRC is over what stands in the file behind the header.
 *
 * Source   Apache Parquet format 2.11, "Data Pages", "Encodings.md" */
#include "parquet/page.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "codec/bitpack_kernel.h"
#include "codec/rle.h"
#include "parquet/value_encoder.h"

enum { LENGTH_BYTES = 4 };

/* ---- Where pages end ------------------------------------------------------------------------- */

static inline uint64_t value_bits(const stoa_leaf *leaf, const stoa_leaf_values *values,
                                  const stoa_page_style *style, int64_t at) {
    if (style->encoding == STOA_PARQUET_RLE_DICTIONARY) {
        return (uint64_t)style->code_width;
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
                                    uint64_t page_bits, int64_t rows_max) {
    uint64_t count = bits == 0 ? STOA_PAGE_LEVELS_MAX : (page_bits + bits - 1) / bits;
    count = count < STOA_PAGE_LEVELS_MAX ? count : STOA_PAGE_LEVELS_MAX;
    count = count < (uint64_t)rows_max ? count : (uint64_t)rows_max;
    count = count > 0 ? count : 1;
    const int64_t left = values->level_count - first;
    const int64_t taken = (int64_t)count < left ? (int64_t)count : left;
    return (stoa_page_range){first, taken, first, taken, taken};
}

stoa_page_range stoa_page_next(const stoa_leaf *leaf, const stoa_leaf_values *values,
                               const stoa_page_style *style, const stoa_page_range *before) {
    const uint64_t page_bits = (uint64_t)style->page_bytes * 8;
    const int64_t first_level = before->first_level + before->level_count;
    const int64_t first_value = before->first_value + before->value_count;
    const bool varying = leaf->value_class == STOA_LEAF_BYTES &&
                         style->encoding != STOA_PARQUET_RLE_DICTIONARY;
    if (values->definition == NULL && values->repetition == NULL && !varying) {
        return next_regular(values, first_level, value_bits(leaf, values, style, 0), page_bits,
                            style->page_rows);
    }
    int64_t level = first_level;
    int64_t value = first_value;
    int64_t rows = 0;
    uint64_t bits = 0;
    while (level < values->level_count) {
        const bool row_begins = values->repetition == NULL || values->repetition[level] == 0;
        if (row_begins && level > first_level &&
            (bits >= page_bits || rows >= style->page_rows ||
             level - first_level >= STOA_PAGE_LEVELS_MAX)) {
            break;
        }
        rows += row_begins;
        if (values->definition == NULL || values->definition[level] == leaf->definition_max) {
            bits += value_bits(leaf, values, style, value);
            value++;
        }
        level++;
    }
    return (stoa_page_range){first_level, level - first_level, first_value, value - first_value,
                             rows};
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* `prefix` is the bytes of the length before the levels: 4 or 0. */
static stoa_status append_levels(const uint8_t *levels, uint8_t level_max, int64_t count,
                                 size_t prefix, stoa_buffer *out, size_t *out_bytes,
                                 stoa_error *err) {
    *out_bytes = 0;
    if (level_max == 0) {
        return STOA_OK;
    }
    const int width = stoa_bit_width(level_max);
    STOA_TRY(stoa_buffer_reserve(out, prefix + stoa_rle_bytes_max((size_t)count, width), err));
    uint8_t *begin = out->data + out->size;
    const size_t size =
        levels != NULL ? stoa_rle_encode_u8(levels, (size_t)count, width, begin + prefix)
                       : stoa_rle_encode_constant(level_max, (size_t)count, width, begin + prefix);
    if (prefix > 0) {
        stoa_store_u32(begin, (uint32_t)size);
    }
    *out_bytes = size;
    out->size += prefix + size;
    return STOA_OK;
}

stoa_status stoa_page_append_levels(const stoa_leaf *leaf, const stoa_leaf_values *values,
                                    int version, const stoa_page_range *range, stoa_buffer *out,
                                    size_t *out_repetition_bytes, size_t *out_definition_bytes,
                                    stoa_error *err) {
    const size_t prefix = version == 1 ? LENGTH_BYTES : 0;
    const uint8_t *repetition = values->repetition;
    const uint8_t *definition = values->definition;
    STOA_TRY(append_levels(repetition != NULL ? repetition + range->first_level : NULL,
                           leaf->repetition_max, range->level_count, prefix, out,
                           out_repetition_bytes, err));
    return append_levels(definition != NULL ? definition + range->first_level : NULL,
                         leaf->definition_max, range->level_count, prefix, out,
                         out_definition_bytes, err);
}

static stoa_status append_codes(const uint32_t *codes, int64_t count, int width, stoa_buffer *out,
                                stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(out, 1 + stoa_rle_bytes_max((size_t)count, width), err));
    out->data[out->size++] = (uint8_t)width;
    out->size += stoa_rle_encode_u32(codes, (size_t)count, width, out->data + out->size);
    return STOA_OK;
}

stoa_status stoa_page_append_values(const stoa_leaf *leaf, const stoa_leaf_values *values,
                                    const stoa_leaf_dictionary *dictionary,
                                    const stoa_page_style *style, const stoa_page_range *range,
                                    stoa_buffer *scratch, stoa_buffer *out, stoa_error *err) {
    if (style->encoding == STOA_PARQUET_RLE_DICTIONARY) {
        return append_codes(dictionary->codes + range->first_value, range->value_count,
                            style->code_width, out, err);
    }
    const uint8_t *first = values->data;
    return stoa_values_encode(
        leaf, style->encoding,
        first != NULL ? first + (size_t)range->first_value * stoa_leaf_stride(leaf) : NULL,
        range->value_count, scratch, out, err);
}

/* ---- Headers --------------------------------------------------------------------------------- */

static void write_data_header(stoa_thrift_writer *writer, const stoa_page_facts *facts) {
    stoa_thrift_begin_struct(writer, 5);
    stoa_thrift_write_i32(writer, 1, (int32_t)facts->value_count);
    stoa_thrift_write_i32(writer, 2, (int32_t)facts->encoding);
    stoa_thrift_write_i32(writer, 3, STOA_PARQUET_RLE);
    stoa_thrift_write_i32(writer, 4, STOA_PARQUET_RLE);
    stoa_thrift_end_struct(writer);
}

static void write_data_header_v2(stoa_thrift_writer *writer, const stoa_page_facts *facts) {
    stoa_thrift_begin_struct(writer, 8);
    stoa_thrift_write_i32(writer, 1, (int32_t)facts->value_count);
    stoa_thrift_write_i32(writer, 2, (int32_t)facts->null_count);
    stoa_thrift_write_i32(writer, 3, (int32_t)facts->row_count);
    stoa_thrift_write_i32(writer, 4, (int32_t)facts->encoding);
    stoa_thrift_write_i32(writer, 5, (int32_t)facts->definition_bytes);
    stoa_thrift_write_i32(writer, 6, (int32_t)facts->repetition_bytes);
    stoa_thrift_write_bool(writer, 7, facts->is_compressed);
    stoa_thrift_end_struct(writer);
}

static void write_dictionary_header(stoa_thrift_writer *writer, const stoa_page_facts *facts) {
    stoa_thrift_begin_struct(writer, 7);
    stoa_thrift_write_i32(writer, 1, (int32_t)facts->value_count);
    stoa_thrift_write_i32(writer, 2, STOA_PARQUET_PLAIN);
    if (facts->is_sorted) {
        stoa_thrift_write_bool(writer, 3, true);
    }
    stoa_thrift_end_struct(writer);
}

stoa_status stoa_page_append_header(const stoa_page_facts *facts, stoa_buffer *out,
                                    stoa_error *err) {
    const size_t stored = facts->level_bytes + facts->body_bytes;
    STOA_ASSERT(facts->uncompressed_bytes <= INT32_MAX && stored <= INT32_MAX);
    const uint32_t crc = stoa_crc32(stoa_crc32(0, facts->levels, facts->level_bytes), facts->body,
                                    facts->body_bytes);
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, out, err);
    stoa_thrift_write_i32(&writer, 1, (int32_t)facts->kind);
    stoa_thrift_write_i32(&writer, 2, (int32_t)facts->uncompressed_bytes);
    stoa_thrift_write_i32(&writer, 3, (int32_t)stored);
    stoa_thrift_write_i32(&writer, 4, (int32_t)crc);
    switch (facts->kind) {
    case STOA_PARQUET_DICTIONARY_PAGE: write_dictionary_header(&writer, facts); break;
    case STOA_PARQUET_DATA_PAGE_V2: write_data_header_v2(&writer, facts); break;
    default: write_data_header(&writer, facts); break;
    }
    return stoa_thrift_writer_finish(&writer);
}
