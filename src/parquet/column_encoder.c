/* The road of a chunk: collect the leaf's levels and values from all batches, try a dictionary, take
 * statistics (from the dictionary's entries where there is one), cut pages, compress them, append.
 *
 * All pages are made before the first is appended, because the compression is the chunk's: where it
 * saves less than one part in SAVING of the bytes the chunk is stored plain, which costs next to
 * nothing in size and spares every reader the work.
 *
 * A codec's format may bound the size of a page (2 GiB); so does Parquet. */
#include "parquet/column_encoder.h"

#include "codec/bitpack_kernel.h"
#include "parquet/bloom_build.h"
#include "parquet/page.h"

enum { SAVING = 50 };

struct page {
    int64_t value_count; /* levels of a data page, entries of a dictionary page */
    size_t plain_bytes;
    size_t packed_bytes;
    bool is_dictionary;
};

static stoa_parquet_compression compression_number(stoa_parquet_codec codec) {
    switch (codec) {
    case STOA_PARQUET_SNAPPY: return STOA_PARQUET_COMPRESSION_SNAPPY;
    case STOA_PARQUET_GZIP: return STOA_PARQUET_COMPRESSION_GZIP;
    case STOA_PARQUET_ZSTD: return STOA_PARQUET_COMPRESSION_ZSTD;
    case STOA_PARQUET_LZ4_RAW: return STOA_PARQUET_COMPRESSION_LZ4_RAW;
    case STOA_PARQUET_NONE: break;
    }
    return STOA_PARQUET_COMPRESSION_NONE;
}

stoa_compression stoa_parquet_codec_compression(stoa_parquet_codec codec) {
    switch (codec) {
    case STOA_PARQUET_SNAPPY: return STOA_COMPRESSION_SNAPPY;
    case STOA_PARQUET_GZIP: return STOA_COMPRESSION_GZIP;
    case STOA_PARQUET_ZSTD: return STOA_COMPRESSION_ZSTD;
    case STOA_PARQUET_LZ4_RAW: return STOA_COMPRESSION_LZ4_RAW;
    case STOA_PARQUET_NONE: break;
    }
    return STOA_COMPRESSION_NONE;
}

stoa_status stoa_column_encoder_init(stoa_column_encoder *encoder, const stoa_context *context,
                                     const stoa_parquet_options *options, stoa_error *err) {
    *encoder = (stoa_column_encoder){.cancel = context->cancel, .options = options};
    stoa_leaf_values_init(&encoder->values, context->pool);
    stoa_leaf_dictionary_init(&encoder->dictionary, context->pool);
    stoa_page_notes_init(&encoder->notes, context->pool);
    stoa_buffer_init(&encoder->plain, context->pool);
    stoa_buffer_init(&encoder->packed, context->pool);
    stoa_buffer_init(&encoder->pages, context->pool);
    return stoa_codec_create(context->pool, stoa_parquet_codec_compression(options->codec),
                             options->level, &encoder->codec, err);
}

void stoa_column_encoder_release(stoa_column_encoder *encoder) {
    stoa_leaf_values_release(&encoder->values);
    stoa_leaf_dictionary_release(&encoder->dictionary);
    stoa_page_notes_release(&encoder->notes);
    stoa_buffer_release(&encoder->plain);
    stoa_buffer_release(&encoder->packed);
    stoa_buffer_release(&encoder->pages);
    stoa_codec_close(encoder->codec);
    encoder->codec = NULL;
}

static struct page *pages_of(const stoa_column_encoder *encoder) {
    return (struct page *)(void *)encoder->pages.data;
}

static size_t page_count(const stoa_column_encoder *encoder) {
    return encoder->pages.size / sizeof(struct page);
}

static stoa_status end_page(stoa_column_encoder *encoder, bool is_dictionary, int64_t value_count,
                            size_t begin, stoa_error *err) {
    struct page page = {value_count, encoder->plain.size - begin, 0, is_dictionary};
    return stoa_buffer_append(&encoder->pages, &page, sizeof page, err);
}

static stoa_status make_pages(stoa_column_encoder *encoder, const stoa_leaf *leaf,
                              bool has_dictionary, stoa_error *err) {
    const stoa_leaf_values *values = &encoder->values;
    const stoa_leaf_dictionary *dictionary = &encoder->dictionary;
    stoa_buffer_clear(&encoder->plain);
    stoa_buffer_clear(&encoder->pages);
    stoa_page_notes_begin(&encoder->notes);
    int code_width = -1;
    if (has_dictionary) {
        /* One entry needs no bits at all, but not every reader copes with a width of 0. */
        code_width = dictionary->entry_count > 1 ? stoa_bit_width(dictionary->entry_count - 1) : 1;
        STOA_TRY(stoa_page_append_plain(leaf, dictionary->entries, dictionary->entry_count,
                                        &encoder->plain, err));
        STOA_TRY(end_page(encoder, true, dictionary->entry_count, 0, err));
    }
    stoa_page_range range = {0};
    while (range.first_level < values->level_count) {
        STOA_TRY(stoa_cancel_check(encoder->cancel, err));
        const size_t begin = encoder->plain.size;
        range = stoa_page_next(leaf, values, range.first_level, range.first_value, code_width,
                               encoder->options->page_bytes);
        STOA_TRY(stoa_page_append_data(leaf, values, dictionary, code_width, &range,
                                       &encoder->plain, err));
        STOA_TRY(end_page(encoder, false, range.level_count, begin, err));
        STOA_TRY(stoa_page_notes_add(&encoder->notes, leaf, values,
                                     has_dictionary ? dictionary : NULL, &range, err));
        range.first_level += range.level_count;
        range.first_value += range.value_count;
    }
    STOA_ASSERT(range.first_value == values->value_count);
    return STOA_OK;
}

/* True in `out_worth` when the chunk is to be stored compressed. */
static stoa_status pack_pages(stoa_column_encoder *encoder, bool *out_worth, stoa_error *err) {
    *out_worth = false;
    stoa_buffer_clear(&encoder->packed);
    if (encoder->options->codec == STOA_PARQUET_NONE) {
        return STOA_OK;
    }
    size_t at = 0;
    bool fits = true;
    for (size_t i = 0; i < page_count(encoder); i++) {
        struct page *page = &pages_of(encoder)[i];
        STOA_TRY(stoa_cancel_check(encoder->cancel, err));
        const size_t begin = encoder->packed.size;
        STOA_TRY(stoa_codec_compress(encoder->codec, encoder->plain.data + at, page->plain_bytes,
                                     &encoder->packed, err));
        page->packed_bytes = encoder->packed.size - begin;
        fits = fits && page->packed_bytes <= INT32_MAX;
        at += page->plain_bytes;
    }
    *out_worth = fits && encoder->packed.size <= at - at / SAVING;
    return STOA_OK;
}

static stoa_status append_pages(stoa_column_encoder *encoder, bool packed, stoa_buffer *out,
                                stoa_chunk *chunk, stoa_error *err) {
    const uint8_t *body = packed ? encoder->packed.data : encoder->plain.data;
    const size_t body_bytes = packed ? encoder->packed.size : encoder->plain.size;
    STOA_TRY(stoa_buffer_reserve(out, body_bytes + 64 * page_count(encoder), err));
    const size_t begin = out->size;
    uint64_t plain_bytes = 0;
    bool has_data = false;
    for (size_t i = 0; i < page_count(encoder); i++) {
        const struct page *page = &pages_of(encoder)[i];
        const size_t size = packed ? page->packed_bytes : page->plain_bytes;
        const size_t header = out->size;
        if (page->is_dictionary) {
            chunk->dictionary_offset = header;
        } else if (!has_data) {
            chunk->data_offset = header;
            has_data = true;
        }
        STOA_TRY(stoa_page_append_header(
            page->is_dictionary ? STOA_PARQUET_DICTIONARY_PAGE : STOA_PARQUET_DATA_PAGE,
            page->value_count, chunk->has_dictionary, page->plain_bytes, body, size, out, err));
        plain_bytes += out->size - header + page->plain_bytes;
        STOA_TRY(stoa_buffer_append(out, body, size, err));
        if (!page->is_dictionary) {
            stoa_page_notes_place(&encoder->notes, (int32_t)i - chunk->has_dictionary, header,
                                  out->size - header);
        }
        body += size;
    }
    chunk->compressed_bytes = out->size - begin;
    chunk->uncompressed_bytes = plain_bytes;
    chunk->data_page_count = (int32_t)page_count(encoder) - chunk->has_dictionary;
    return STOA_OK;
}

static bool wants_bloom(const stoa_parquet_options *options, const stoa_leaf *leaf) {
    for (int32_t i = 0; i < options->bloom_count; i++) {
        if (options->bloom_fields[i] == leaf->field->id) {
            return true;
        }
    }
    return false;
}

static stoa_status make_bloom(const stoa_column_encoder *encoder, const stoa_leaf *leaf,
                              stoa_chunk *chunk, stoa_buffer *out, stoa_error *err) {
    const stoa_parquet_options *options = encoder->options;
    const stoa_leaf_values *values = &encoder->values;
    const stoa_leaf_dictionary *dictionary = &encoder->dictionary;
    if (!wants_bloom(options, leaf)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_bloom_build(leaf, chunk->has_dictionary ? dictionary->entries : values->data,
                              chunk->has_dictionary ? dictionary->entry_count : values->value_count,
                              options->bloom_rate, options->bloom_bytes, out, err));
    chunk->bloom_bytes = out->size;
    return STOA_OK;
}

/* Entries of a dictionary differ in bits, which floats may do and be equal. */
static void settle_statistics(const stoa_column_encoder *encoder, const stoa_leaf *leaf,
                              stoa_chunk *chunk) {
    stoa_page_notes_total(&encoder->notes, leaf, &chunk->statistics);
    chunk->byte_array_bytes = stoa_page_notes_byte_array_bytes(&encoder->notes);
    if (chunk->has_dictionary && leaf->value_class != STOA_LEAF_FLOAT &&
        leaf->value_class != STOA_LEAF_DOUBLE) {
        chunk->statistics.distinct_known = true;
        chunk->statistics.distinct_count = encoder->dictionary.entry_count;
    }
}

stoa_status stoa_column_encode(stoa_column_encoder *encoder, const stoa_leaf *leaf,
                               const stoa_rows *pieces, size_t piece_count, int64_t first_row,
                               stoa_buffer *out, stoa_chunk *out_chunk,
                               stoa_chunk_index *out_index, stoa_error *err) {
    stoa_leaf_values *values = &encoder->values;
    stoa_leaf_dictionary *dictionary = &encoder->dictionary;
    memset(out_chunk, 0, sizeof *out_chunk);
    STOA_TRY(stoa_cancel_check(encoder->cancel, err));
    STOA_TRY(stoa_leaf_values_collect(values, leaf, pieces, piece_count, first_row, err));
    STOA_TRY(stoa_leaf_dictionary_build(dictionary, leaf, values,
                                        encoder->options->dictionary_bytes,
                                        &out_chunk->has_dictionary, err));
    STOA_TRY(make_pages(encoder, leaf, out_chunk->has_dictionary, err));
    settle_statistics(encoder, leaf, out_chunk);
    STOA_TRY(make_bloom(encoder, leaf, out_chunk, &out_index->bloom, err));
    bool packed;
    STOA_TRY(pack_pages(encoder, &packed, err));
    out_chunk->compression =
        packed ? compression_number(encoder->options->codec) : STOA_PARQUET_COMPRESSION_NONE;
    STOA_TRY(append_pages(encoder, packed, out, out_chunk, err));
    return stoa_page_notes_write(&encoder->notes, leaf, &out_index->marks,
                                 &out_index->column_index, err);
}

/* ---- For the footer -------------------------------------------------------------------------- */

static void write_encoding_count(stoa_thrift_writer *writer, stoa_parquet_page_kind kind,
                                 stoa_parquet_encoding encoding, int32_t count) {
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_i32(writer, 1, (int32_t)kind);
    stoa_thrift_write_i32(writer, 2, (int32_t)encoding);
    stoa_thrift_write_i32(writer, 3, count);
    stoa_thrift_end_struct(writer);
}

void stoa_chunk_write(stoa_thrift_writer *writer, const stoa_leaf *leaf, const stoa_chunk *chunk,
                      uint64_t chunk_offset, uint64_t bloom_offset) {
    const bool dictionary = chunk->has_dictionary;
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_i64(writer, 2, 0); /* no metadata of its own in the file */
    stoa_thrift_begin_struct(writer, 3);
    stoa_thrift_write_i32(writer, 1, (int32_t)leaf->physical);
    stoa_thrift_begin_list(writer, 2, STOA_THRIFT_I32, dictionary ? 3 : 2);
    stoa_thrift_item_i32(writer, STOA_PARQUET_PLAIN);
    stoa_thrift_item_i32(writer, STOA_PARQUET_RLE);
    if (dictionary) {
        stoa_thrift_item_i32(writer, STOA_PARQUET_RLE_DICTIONARY);
    }
    stoa_thrift_begin_list(writer, 3, STOA_THRIFT_BINARY, (size_t)leaf->path_count);
    for (int32_t i = 0; i < leaf->path_count; i++) {
        stoa_thrift_item_text(writer, leaf->path[i]);
    }
    stoa_thrift_write_i32(writer, 4, (int32_t)chunk->compression);
    stoa_thrift_write_i64(writer, 5, chunk->statistics.level_count);
    stoa_thrift_write_i64(writer, 6, (int64_t)chunk->uncompressed_bytes);
    stoa_thrift_write_i64(writer, 7, (int64_t)chunk->compressed_bytes);
    stoa_thrift_write_i64(writer, 9, (int64_t)(chunk_offset + chunk->data_offset));
    if (dictionary) {
        stoa_thrift_write_i64(writer, 11, (int64_t)(chunk_offset + chunk->dictionary_offset));
    }
    stoa_statistics_write(writer, 12, &chunk->statistics);
    stoa_thrift_begin_list(writer, 13, STOA_THRIFT_STRUCT, dictionary ? 2 : 1);
    if (dictionary) {
        write_encoding_count(writer, STOA_PARQUET_DICTIONARY_PAGE, STOA_PARQUET_PLAIN, 1);
    }
    write_encoding_count(writer, STOA_PARQUET_DATA_PAGE,
                         dictionary ? STOA_PARQUET_RLE_DICTIONARY : STOA_PARQUET_PLAIN,
                         chunk->data_page_count);
    if (chunk->bloom_bytes > 0) {
        stoa_thrift_write_i64(writer, 14, (int64_t)bloom_offset);
        stoa_thrift_write_i32(writer, 15, (int32_t)chunk->bloom_bytes);
    }
    if (leaf->value_class == STOA_LEAF_BYTES) {
        stoa_thrift_begin_struct(writer, 16);
        stoa_thrift_write_i64(writer, 1, chunk->byte_array_bytes);
        stoa_thrift_end_struct(writer);
    }
    stoa_thrift_end_struct(writer);
    stoa_thrift_end_struct(writer);
}
