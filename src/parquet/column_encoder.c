/* The road of a chunk: collect the leaf's levels and values from all batches, choose the encoding (and
 * make the dictionary); then page by page, while its values are in the cache: encode, compress, append,
 * note the bounds.
 *
 * The compression is the chunk's, and decided by its dictionary and one data page: where that saves less
 * than one part in SAVING of the bytes the chunk is stored plain, which costs next to nothing in size
 * and spares every reader the work. Where the first page does not compress, one of the middle is asked
 * too: what comes first is often special.
 *
 * A codec's format may bound the size of a page (2 GiB); so does Parquet. */
#include "parquet/column_encoder.h"

#include "codec/bitpack_kernel.h"
#include "parquet/bloom_build.h"
#include "parquet/page.h"
#include "parquet/value_encoder.h"

enum { SAVING = 50, PAGE_HEADER_BYTES = 64, RESERVE_BYTES_MAX = 1 << 30 };

#define RESERVE 1.02

static stoa_parquet_compression compression_number(stoa_parquet_codec codec) {
    switch (codec) {
    case STOA_PARQUET_SNAPPY: return STOA_PARQUET_COMPRESSION_SNAPPY;
    case STOA_PARQUET_GZIP: return STOA_PARQUET_COMPRESSION_GZIP;
    case STOA_PARQUET_ZSTD: return STOA_PARQUET_COMPRESSION_ZSTD;
    case STOA_PARQUET_LZ4_RAW: return STOA_PARQUET_COMPRESSION_LZ4_RAW;
    case STOA_PARQUET_BROTLI: return STOA_PARQUET_COMPRESSION_BROTLI;
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
    case STOA_PARQUET_BROTLI: return STOA_COMPRESSION_BROTLI;
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
    stoa_buffer_init(&encoder->body, context->pool);
    stoa_buffer_init(&encoder->packed, context->pool);
    stoa_buffer_init(&encoder->dictionary_body, context->pool);
    stoa_buffer_init(&encoder->dictionary_packed, context->pool);
    stoa_buffer_init(&encoder->scratch, context->pool);
    STOA_TRY(stoa_codec_create(context->pool, stoa_parquet_codec_compression(options->codec),
                               options->level, &encoder->codec, err));
    stoa_encoding_chooser_init(&encoder->chooser, context->pool, options, encoder->codec);
    return STOA_OK;
}

void stoa_column_encoder_release(stoa_column_encoder *encoder) {
    stoa_leaf_values_release(&encoder->values);
    stoa_leaf_dictionary_release(&encoder->dictionary);
    stoa_encoding_chooser_release(&encoder->chooser);
    stoa_page_notes_release(&encoder->notes);
    stoa_buffer_release(&encoder->body);
    stoa_buffer_release(&encoder->packed);
    stoa_buffer_release(&encoder->dictionary_body);
    stoa_buffer_release(&encoder->dictionary_packed);
    stoa_buffer_release(&encoder->scratch);
    stoa_codec_close(encoder->codec);
    encoder->codec = NULL;
}

/* One chunk while its pages are made. */
struct chunk_job {
    stoa_column_encoder *encoder;
    const stoa_leaf *leaf;
    stoa_page_style style;
    bool packed;
    uint64_t plain_bytes; /* headers included */
    stoa_buffer *out;
    stoa_chunk *chunk;
};

/* A data page before it is in the file: `facts` without what compression decides. */
struct data_page {
    stoa_page_range range;
    stoa_page_facts facts;
    const uint8_t *plain; /* all that may be compressed */
    size_t plain_bytes;
};

/* ---- Making pages ---------------------------------------------------------------------------- */

static stoa_status make_page(struct chunk_job *job, const stoa_page_range *before,
                             struct data_page *out, stoa_error *err) {
    stoa_column_encoder *encoder = job->encoder;
    const stoa_leaf_values *values = &encoder->values;
    const stoa_leaf *leaf = job->leaf;
    stoa_buffer *body = &encoder->body;
    const bool second = job->style.version == 2;
    STOA_TRY(stoa_cancel_check(encoder->cancel, err));
    *out = (struct data_page){.range = stoa_page_next(leaf, values, &job->style, before)};
    stoa_buffer_clear(body);
    stoa_page_facts *facts = &out->facts;
    STOA_TRY(stoa_page_append_levels(leaf, values, job->style.version, &out->range, body,
                                     &facts->repetition_bytes, &facts->definition_bytes, err));
    const size_t level_bytes = body->size;
    const void *in_place = values->data == NULL || job->style.encoding != STOA_PARQUET_PLAIN
                               ? NULL
                               : stoa_values_are_plain(leaf, values->data);
    if (in_place != NULL && (second || level_bytes == 0)) {
        out->plain = (const uint8_t *)in_place +
                     (size_t)out->range.first_value * (size_t)leaf->value_width;
        out->plain_bytes = (size_t)out->range.value_count * (size_t)leaf->value_width;
    } else {
        STOA_TRY(stoa_page_append_values(leaf, values, &encoder->dictionary, &job->style,
                                         &out->range, &encoder->scratch, body, err));
        out->plain = body->data + (second ? level_bytes : 0);
        out->plain_bytes = body->size - (second ? level_bytes : 0);
    }
    facts->kind = second ? STOA_PARQUET_DATA_PAGE_V2 : STOA_PARQUET_DATA_PAGE;
    facts->encoding = job->style.encoding;
    facts->value_count = out->range.level_count;
    facts->null_count = out->range.level_count - out->range.value_count;
    facts->row_count = out->range.row_count;
    facts->levels = second ? body->data : NULL;
    facts->level_bytes = second ? level_bytes : 0;
    facts->uncompressed_bytes = out->plain_bytes + facts->level_bytes;
    if (facts->uncompressed_bytes > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "column '%s': a page of %zu bytes is more than Parquet's 2 GiB; a row "
                         "holds that much", leaf->name, facts->uncompressed_bytes);
    }
    return STOA_OK;
}

static stoa_status make_dictionary_page(struct chunk_job *job, stoa_error *err) {
    stoa_column_encoder *encoder = job->encoder;
    stoa_buffer_clear(&encoder->dictionary_body);
    return stoa_values_encode(job->leaf, STOA_PARQUET_PLAIN, encoder->dictionary.entries,
                              encoder->dictionary.entry_count, &encoder->scratch,
                              &encoder->dictionary_body, err);
}

static stoa_status pack(struct chunk_job *job, const void *bytes, size_t size, stoa_buffer *out,
                        stoa_error *err) {
    stoa_buffer_clear(out);
    STOA_TRY(stoa_codec_compress(job->encoder->codec, bytes, size, out, err));
    if (out->size > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "column '%s': a compressed page of %zu bytes is more than Parquet's 2 GiB; "
                         "a row holds that much", job->leaf->name, out->size);
    }
    return STOA_OK;
}

/* ---- Whether to compress --------------------------------------------------------------------- */

/* The page stands for all of the chunk's values. */
static stoa_status is_worth_packing(struct chunk_job *job, const struct data_page *page, bool *out,
                                    stoa_error *err) {
    stoa_column_encoder *encoder = job->encoder;
    STOA_TRY(pack(job, page->plain, page->plain_bytes, &encoder->packed, err));
    const double share = (double)page->range.level_count / (double)encoder->values.level_count;
    double plain = (double)page->plain_bytes / share;
    double packed = (double)encoder->packed.size / share;
    if (job->chunk->has_dictionary) {
        plain += (double)encoder->dictionary_body.size;
        packed += (double)encoder->dictionary_packed.size;
    }
    *out = packed <= plain - plain / SAVING;
    return STOA_OK;
}

/* Compresses the dictionary page on the way. Where the first data page decides, it is left in `first`
 * and in the encoder's buffers, ready to be appended. */
static stoa_status decide_packing(struct chunk_job *job, struct data_page *first,
                                  stoa_error *err) {
    stoa_column_encoder *encoder = job->encoder;
    const stoa_leaf_values *values = &encoder->values;
    struct data_page page;
    if (encoder->options->codec == STOA_PARQUET_NONE || values->level_count == 0) {
        return STOA_OK;
    }
    if (job->chunk->has_dictionary) {
        STOA_TRY(pack(job, encoder->dictionary_body.data, encoder->dictionary_body.size,
                      &encoder->dictionary_packed, err));
    }
    const stoa_page_range none = {0};
    STOA_TRY(make_page(job, &none, first, err));
    STOA_TRY(is_worth_packing(job, first, &job->packed, err));
    const bool regular = values->definition == NULL && values->repetition == NULL;
    if (!job->packed && regular && first->range.level_count < values->level_count) {
        const stoa_page_range half = {0, values->level_count / 2, 0, values->level_count / 2, 0};
        first->range = none;
        STOA_TRY(make_page(job, &half, &page, err));
        STOA_TRY(is_worth_packing(job, &page, &job->packed, err));
    }
    return STOA_OK;
}

/* ---- Appending ------------------------------------------------------------------------------- */

static stoa_status append_page(struct chunk_job *job, const stoa_page_facts *facts,
                               stoa_error *err) {
    const size_t begin = job->out->size;
    STOA_TRY(stoa_page_append_header(facts, job->out, err));
    job->plain_bytes += job->out->size - begin + facts->uncompressed_bytes;
    STOA_TRY(stoa_buffer_append(job->out, facts->levels, facts->level_bytes, err));
    return stoa_buffer_append(job->out, facts->body, facts->body_bytes, err);
}

static stoa_status append_dictionary(struct chunk_job *job, stoa_error *err) {
    const stoa_column_encoder *encoder = job->encoder;
    const stoa_buffer *body =
        job->packed ? &encoder->dictionary_packed : &encoder->dictionary_body;
    const stoa_page_facts facts = {
        .kind = STOA_PARQUET_DICTIONARY_PAGE,
        .value_count = encoder->dictionary.entry_count,
        .is_sorted = encoder->dictionary.is_sorted,
        .uncompressed_bytes = encoder->dictionary_body.size,
        .body = body->data,
        .body_bytes = body->size,
    };
    job->chunk->dictionary_offset = job->out->size;
    return append_page(job, &facts, err);
}

/* Room for the whole chunk, so that it is not copied while it grows: what all pages take if they are like
 * this one, and a little more. */
static stoa_status reserve_chunk(struct chunk_job *job, const struct data_page *page,
                                 stoa_error *err) {
    const size_t stored = page->facts.level_bytes + page->facts.body_bytes;
    const double pages = (double)job->encoder->values.level_count / (double)page->range.level_count;
    const double bytes = ((double)stored + PAGE_HEADER_BYTES) * (pages + 1) * RESERVE;
    const size_t room = job->out->capacity - job->out->size;
    return bytes <= (double)room || bytes > RESERVE_BYTES_MAX
               ? STOA_OK
               : stoa_buffer_reserve_exact(job->out, (size_t)bytes, err);
}

static stoa_status append_data_page(struct chunk_job *job, struct data_page *page,
                                    stoa_error *err) {
    stoa_column_encoder *encoder = job->encoder;
    const stoa_buffer *packed = &encoder->packed;
    const size_t begin = job->out->size;
    page->facts.is_compressed = job->packed;
    page->facts.body = job->packed ? packed->data : page->plain;
    page->facts.body_bytes = job->packed ? packed->size : page->plain_bytes;
    if (job->chunk->data_page_count == 0) {
        STOA_TRY(reserve_chunk(job, page, err));
    }
    STOA_TRY(append_page(job, &page->facts, err));
    STOA_TRY(stoa_page_notes_add(&encoder->notes, job->leaf, &encoder->values,
                                 job->chunk->has_dictionary ? &encoder->dictionary : NULL,
                                 &page->range, err));
    stoa_page_notes_place(&encoder->notes, job->chunk->data_page_count++, begin,
                          job->out->size - begin);
    return STOA_OK;
}

/* `first` is ready unless its range is empty. */
static stoa_status append_pages(struct chunk_job *job, struct data_page *first, stoa_error *err) {
    const stoa_leaf_values *values = &job->encoder->values;
    struct data_page page = *first;
    job->chunk->data_offset = job->out->size;
    if (first->range.level_count > 0) {
        STOA_TRY(append_data_page(job, &page, err));
    }
    while (page.range.first_level + page.range.level_count < values->level_count) {
        const stoa_page_range before = page.range;
        STOA_TRY(make_page(job, &before, &page, err));
        if (job->packed) {
            STOA_TRY(pack(job, page.plain, page.plain_bytes, &job->encoder->packed, err));
        }
        STOA_TRY(append_data_page(job, &page, err));
    }
    STOA_ASSERT(page.range.first_value + page.range.value_count == values->value_count);
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

/* One entry needs no bits at all, but not every reader copes with a width of 0. */
static int code_width_of(const stoa_leaf_dictionary *dictionary) {
    return dictionary->entry_count > 1 ? stoa_bit_width(dictionary->entry_count - 1) : 1;
}

/* A codec that counts bytes makes less of codes of four bits than of three, which bytes cut in pieces:
 * a sixth of a column of states. */
static stoa_status decide_width(struct chunk_job *job, struct data_page *first, stoa_error *err) {
    const stoa_parquet_codec codec = job->encoder->options->codec;
    const int least = job->style.code_width;
    if (codec == STOA_PARQUET_ZSTD || codec == STOA_PARQUET_GZIP || codec == STOA_PARQUET_BROTLI) {
        job->style.code_width = least == 3 ? 4 : least;
    }
    STOA_TRY(decide_packing(job, first, err));
    if (!job->packed) {
        job->style.code_width = least;
        first->range = (stoa_page_range){0};
    }
    return STOA_OK;
}

stoa_status stoa_column_encode(stoa_column_encoder *encoder, const stoa_leaf *leaf,
                               const stoa_rows *pieces, size_t piece_count, int64_t first_row,
                               stoa_buffer *out, stoa_chunk *out_chunk,
                               stoa_chunk_index *out_index, stoa_error *err) {
    const stoa_parquet_options *options = encoder->options;
    stoa_leaf_values *values = &encoder->values;
    stoa_leaf_dictionary *dictionary = &encoder->dictionary;
    struct chunk_job job = {.encoder = encoder, .leaf = leaf, .out = out, .chunk = out_chunk};
    memset(out_chunk, 0, sizeof *out_chunk);
    STOA_TRY(stoa_cancel_check(encoder->cancel, err));
    STOA_TRY(stoa_leaf_values_collect(values, leaf, pieces, piece_count, first_row, err));
    STOA_TRY(stoa_encoding_choose(&encoder->chooser, leaf, values, dictionary,
                                  &out_chunk->encoding, err));
    out_chunk->has_dictionary = out_chunk->encoding == STOA_PARQUET_RLE_DICTIONARY;
    out_chunk->page_version = options->profile == STOA_PARQUET_MODERN ? 2 : 1;
    job.style = (stoa_page_style){out_chunk->page_version, out_chunk->encoding, 0,
                                  options->page_bytes, options->page_rows};
    stoa_page_notes_begin(&encoder->notes);
    const size_t begin = out->size;
    if (out_chunk->has_dictionary) {
        job.style.code_width = code_width_of(dictionary);
        STOA_TRY(make_dictionary_page(&job, err));
    }
    struct data_page first = {0};
    STOA_TRY(decide_width(&job, &first, err));
    out_chunk->compression =
        job.packed ? compression_number(options->codec) : STOA_PARQUET_COMPRESSION_NONE;
    if (out_chunk->has_dictionary) {
        STOA_TRY(append_dictionary(&job, err));
    }
    STOA_TRY(append_pages(&job, &first, err));
    out_chunk->compressed_bytes = out->size - begin;
    out_chunk->uncompressed_bytes = job.plain_bytes;
    settle_statistics(encoder, leaf, out_chunk);
    STOA_TRY(make_bloom(encoder, leaf, out_chunk, &out_index->bloom, err));
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
    const bool other = chunk->encoding != STOA_PARQUET_PLAIN && chunk->encoding != STOA_PARQUET_RLE;
    stoa_thrift_item_struct(writer);
    stoa_thrift_write_i64(writer, 2, 0); /* no metadata of its own in the file */
    stoa_thrift_begin_struct(writer, 3);
    stoa_thrift_write_i32(writer, 1, (int32_t)leaf->physical);
    stoa_thrift_begin_list(writer, 2, STOA_THRIFT_I32, other ? 3 : 2);
    stoa_thrift_item_i32(writer, STOA_PARQUET_PLAIN);
    stoa_thrift_item_i32(writer, STOA_PARQUET_RLE);
    if (other) {
        stoa_thrift_item_i32(writer, (int32_t)chunk->encoding);
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
    write_encoding_count(writer,
                         chunk->page_version == 2 ? STOA_PARQUET_DATA_PAGE_V2
                                                  : STOA_PARQUET_DATA_PAGE,
                         chunk->encoding, chunk->data_page_count);
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
