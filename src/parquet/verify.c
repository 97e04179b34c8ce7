/* Chunk by chunk, page by page, holding one page at a time. See verify.h. */
#include "parquet/verify.h"

#include "base/bytes.h"
#include "base/checked.h"
#include "codec/bitpack_kernel.h"
#include "codec/rle_decoder.h"
#include "parquet/footer.h"
#include "parquet/page_body.h"
#include "parquet/page_index.h"
#include "parquet/verify_values.h"

struct verifier {
    const stoa_context *context;
    stoa_file *file;
    const stoa_parquet_footer *footer;
    stoa_page_body body;
    const uint8_t *plain; /* of the current page, plain_bytes of its header; NULL: not known */
    stoa_buffer levels;
};

/* What is known of the chunk so far. */
struct chunk_state {
    const stoa_parquet_column *column;
    const stoa_parquet_leaf *leaf;
    stoa_page_reader pages;
    stoa_parquet_page page;
    stoa_page_index index;
    int32_t data_page_count;
    int64_t value_count;
    int64_t row_count;
    uint64_t uncompressed_bytes;
    bool rows_known; /* false once a codec kept levels from us */
    bool has_dictionary;
};

static stoa_status fail_page(const struct chunk_state *chunk, const char *problem,
                             stoa_error *err) {
    return stoa_page_reader_fail(&chunk->pages, chunk->page.offset, problem, err);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static stoa_status open_body(struct verifier *verifier, struct chunk_state *chunk,
                             stoa_error *err) {
    stoa_parquet_page *page = &chunk->page;
    const uint8_t *stored;
    verifier->plain = NULL;
    STOA_TRY(stoa_page_reader_body(&chunk->pages, page, &stored, err));
    STOA_TRY(stoa_page_body_check(&chunk->pages, page, stored, err));
    STOA_TRY(stoa_page_reader_decrypt(&chunk->pages, page, &stored, err));
    return stoa_page_body_open(&verifier->body, &chunk->pages, page, chunk->column->compression,
                               stored, &verifier->plain, err);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static stoa_status decode_repetition(struct verifier *verifier, struct chunk_state *chunk,
                                     const uint8_t *bytes, size_t size, int64_t *out_rows,
                                     stoa_error *err) {
    const size_t count = (size_t)chunk->page.value_count;
    const int width = stoa_bit_width((uint32_t)chunk->leaf->repetition_max);
    stoa_buffer *levels = &verifier->levels;
    stoa_buffer_clear(levels);
    STOA_TRY(stoa_buffer_reserve(levels, count * sizeof(uint32_t), err));
    uint32_t *values = (uint32_t *)(void *)levels->data;
    stoa_rle_decoder decoder;
    if (stoa_rle_decoder_init(&decoder, bytes, size, width, NULL) != STOA_OK ||
        stoa_rle_decoder_read_u32(&decoder, values, count, NULL) != STOA_OK) {
        return fail_page(chunk, "repetition levels do not decode", err);
    }
    if (count > 0 && chunk->value_count == 0 && values[0] != 0) {
        return fail_page(chunk, "expected a chunk's first repetition level to be 0", err);
    }
    *out_rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i] > (uint32_t)chunk->leaf->repetition_max) {
            return fail_page(chunk, "a repetition level is above its highest", err);
        }
        *out_rows += values[i] == 0;
    }
    return STOA_OK;
}

/* BIT_PACKED levels, long deprecated, have no length before them and stand most significant bit
 * first; nobody writes them, and their rows stay unknown. */
static stoa_status count_rows(struct verifier *verifier, struct chunk_state *chunk,
                              stoa_error *err) {
    const stoa_parquet_page *page = &chunk->page;
    int64_t rows = page->value_count;
    if (chunk->leaf->repetition_max > 0) {
        const uint8_t *bytes = verifier->plain;
        size_t size = page->repetition_bytes;
        if (page->kind == STOA_PARQUET_DATA_PAGE) {
            if (page->plain_bytes < 4 || stoa_load_u32(bytes) > page->plain_bytes - 4) {
                return fail_page(chunk, "expected repetition levels within the page", err);
            }
            size = stoa_load_u32(bytes);
            bytes += 4;
        }
        STOA_TRY(decode_repetition(verifier, chunk, bytes, size, &rows, err));
    }
    if (page->row_count >= 0 && page->row_count != rows) {
        return fail_page(chunk, "its header and its repetition levels differ in rows", err);
    }
    chunk->row_count += rows;
    return STOA_OK;
}

static bool is_dictionary_encoding(int32_t encoding) {
    return encoding == STOA_PARQUET_RLE_DICTIONARY || encoding == STOA_PARQUET_PLAIN_DICTIONARY;
}

/* The two names of dictionary codes are used for each other. Some old writers list only encodings of
 * levels, which says nothing of the values. */
static bool encoding_is_listed(const stoa_parquet_column *column, int32_t encoding) {
    bool lists_values = false;
    for (int32_t i = 0; i < column->encoding_count; i++) {
        const int32_t listed = column->encodings[i];
        if (listed == encoding ||
            (is_dictionary_encoding(encoding) && is_dictionary_encoding(listed))) {
            return true;
        }
        lists_values =
            lists_values || (listed != STOA_PARQUET_RLE && listed != STOA_PARQUET_BIT_PACKED);
    }
    return !lists_values;
}

/* As many entries as the header says, and nothing behind them. */
static bool dictionary_is_whole(const stoa_parquet_element *element, int64_t count,
                                const uint8_t *plain, size_t plain_size) {
    if (element->physical != STOA_PARQUET_BYTE_ARRAY) {
        return (uint64_t)count * stoa_parquet_plain_width(element) == plain_size;
    }
    stoa_byte_reader reader = stoa_byte_reader_of(plain, plain_size);
    for (int64_t i = 0; i < count; i++) {
        uint8_t size[4];
        if (!stoa_byte_reader_get(&reader, size, sizeof size) ||
            stoa_byte_reader_take(&reader, stoa_load_u32(size)) == NULL) {
            return false;
        }
    }
    return stoa_byte_reader_left(&reader) == 0;
}

/* The offset index says of the next data page where it stands and which row it begins with. */
static stoa_status check_location(struct chunk_state *chunk, stoa_error *err) {
    const int32_t at = chunk->data_page_count++;
    if (chunk->index.locations == NULL) {
        return STOA_OK;
    }
    const stoa_page_location *location = &chunk->index.locations[at];
    if (at >= chunk->index.page_count || location->offset != chunk->page.offset ||
        location->bytes != chunk->pages.position - chunk->page.offset) {
        return fail_page(chunk, "its offset index says another place", err);
    }
    if (chunk->rows_known && location->first_row != chunk->row_count) {
        return fail_page(chunk, "its offset index says another first row", err);
    }
    return STOA_OK;
}

static stoa_status verify_page(struct verifier *verifier, struct chunk_state *chunk,
                               stoa_error *err) {
    const stoa_parquet_page *page = &chunk->page;
    chunk->uncompressed_bytes += page->body_offset - page->offset + page->plain_bytes;
    STOA_TRY(open_body(verifier, chunk, err));
    const bool known = verifier->plain != NULL;
    if (page->kind == STOA_PARQUET_DICTIONARY_PAGE) {
        if (chunk->has_dictionary || chunk->value_count > 0) {
            return fail_page(chunk, "expected no dictionary page behind other pages", err);
        }
        if (page->encoding != STOA_PARQUET_PLAIN &&
            page->encoding != STOA_PARQUET_PLAIN_DICTIONARY) {
            return fail_page(chunk, "expected a plain dictionary", err);
        }
        chunk->has_dictionary = true;
        const stoa_parquet_element *element = &verifier->footer->elements[chunk->leaf->element];
        if (known && !dictionary_is_whole(element, page->value_count, verifier->plain,
                                          page->plain_bytes)) {
            return fail_page(chunk, "expected as many dictionary entries as its header says", err);
        }
        return STOA_OK;
    }
    if (page->kind == STOA_PARQUET_INDEX_PAGE) {
        return STOA_OK;
    }
    if (is_dictionary_encoding(page->encoding) && !chunk->has_dictionary && page->value_count > 0) {
        return fail_page(chunk, "expected a dictionary page before it", err);
    }
    if (!encoding_is_listed(chunk->column, page->encoding)) {
        return fail_page(chunk, "its encoding is not among those of its chunk", err);
    }
    STOA_TRY(check_location(chunk, err));
    if (known) {
        STOA_TRY(count_rows(verifier, chunk, err));
    }
    chunk->rows_known = chunk->rows_known && known;
    chunk->value_count += page->value_count;
    return STOA_OK;
}

static stoa_status check_totals(const struct chunk_state *chunk, const stoa_parquet_group *group,
                                stoa_error *err) {
    const stoa_parquet_column *column = chunk->column;
    const char *what = NULL;
    int64_t expected = 0, found = 0;
    if (chunk->value_count != column->value_count) {
        what = "values";
        expected = column->value_count;
        found = chunk->value_count;
    } else if (chunk->rows_known && chunk->row_count != group->row_count) {
        what = "rows";
        expected = group->row_count;
        found = chunk->row_count;
    } else if (chunk->index.locations != NULL &&
               chunk->data_page_count != chunk->index.page_count) {
        what = "data pages, as its offset index says,";
        expected = chunk->index.page_count;
        found = chunk->data_page_count;
    } else if (chunk->uncompressed_bytes != (uint64_t)column->uncompressed_bytes) {
        what = "uncompressed bytes";
        expected = column->uncompressed_bytes;
        found = (int64_t)chunk->uncompressed_bytes;
    }
    if (what == NULL) {
        return STOA_OK;
    }
    stoa_fail(err, STOA_CORRUPT, "expected %" PRId64 " %s but found %" PRId64 " in its pages",
              expected, what, found);
    stoa_error_set_file(err, chunk->pages.file->uri, (int64_t)column->offset);
    return STOA_CORRUPT;
}

static stoa_status verify_chunk(struct verifier *verifier, int32_t group, int32_t index,
                                stoa_error *err) {
    stoa_status status = STOA_OK;
    struct chunk_state chunk = {.column = &verifier->footer->groups[group].columns[index],
                                .leaf = &verifier->footer->leaves[index],
                                .rows_known = true};
    const stoa_parquet_element *element = &verifier->footer->elements[chunk.leaf->element];
    stoa_arena arena;
    stoa_arena_init(&arena, verifier->context->pool);
    stoa_page_reader_init(&chunk.pages, verifier->context->pool, verifier->file, chunk.column);
    STOA_CHECK(stoa_parquet_column_check_unlocked(verifier->footer, group, index, err));
    if (chunk.column->physical != element->physical) {
        status = stoa_fail(err, STOA_CORRUPT, "expected the schema's type %s but found %s",
                           stoa_parquet_physical_name(element->physical),
                           stoa_parquet_physical_name(chunk.column->physical) != NULL
                               ? stoa_parquet_physical_name(chunk.column->physical)
                               : "none");
        goto done;
    }
    STOA_CHECK(stoa_page_index_read(verifier->file, verifier->footer, group, index, &arena,
                                    &chunk.index, err));
    while (true) {
        bool end;
        STOA_CHECK(stoa_cancel_check(verifier->context->cancel, err));
        STOA_CHECK(stoa_page_reader_next(&chunk.pages, &chunk.page, &end, err));
        if (end) {
            break;
        }
        STOA_CHECK(verify_page(verifier, &chunk, err));
    }
    const stoa_chunk_source source = {.file = verifier->file, .footer = verifier->footer};
    STOA_CHECK(check_totals(&chunk, &verifier->footer->groups[group], err));
    STOA_CHECK(stoa_parquet_verify_values(verifier->context, &source, group, index, &chunk.index,
                                          &arena, err));

done:
    stoa_arena_release(&arena);
    stoa_page_reader_release(&chunk.pages);
    return status;
}

static stoa_status verify_groups(struct verifier *verifier, stoa_error *err) {
    const stoa_parquet_footer *footer = verifier->footer;
    for (int32_t g = 0; g < footer->group_count; g++) {
        for (int32_t c = 0; c < footer->leaf_count; c++) {
            stoa_status status = verify_chunk(verifier, g, c, err);
            if (status != STOA_OK) {
                stoa_wrap(err, "row group %" PRId32 ", column '%s'", g, footer->leaves[c].name);
                stoa_error_set_column(err, c, footer->leaves[c].name);
                return status;
            }
        }
    }
    return STOA_OK;
}

static stoa_status check_head(const stoa_parquet_footer *footer, stoa_file *file,
                              stoa_error *err) {
    const char *expected = footer->is_encrypted ? STOA_PARQUET_MAGIC_ENCRYPTED : STOA_PARQUET_MAGIC;
    uint8_t magic[STOA_PARQUET_MAGIC_BYTES];
    STOA_TRY(stoa_file_read(file, 0, magic, sizeof magic, err));
    if (memcmp(magic, expected, sizeof magic) != 0) {
        stoa_fail(err, STOA_CORRUPT, "expected '%s' at the beginning of a Parquet file", expected);
        stoa_error_set_file(err, file->uri, 0);
        return STOA_CORRUPT;
    }
    return STOA_OK;
}

static stoa_status check_rows(const stoa_parquet_footer *footer, stoa_file *file, stoa_error *err) {
    int64_t rows = 0;
    for (int32_t i = 0; i < footer->group_count; i++) {
        if (!stoa_add_i64(rows, footer->groups[i].row_count, &rows)) {
            rows = -1;
            break;
        }
    }
    if (rows == footer->row_count) {
        return STOA_OK;
    }
    stoa_fail(err, STOA_CORRUPT, "footer: expected %" PRId64 " rows but found %" PRId64
              " in its row groups", footer->row_count, rows);
    stoa_error_set_file(err, file->uri, (int64_t)footer->footer_offset);
    return STOA_CORRUPT;
}

stoa_status stoa_parquet_verify(const stoa_context *context, stoa_file *file,
                                const stoa_parquet_keys *keys, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_error local = STOA_ERROR_NONE;
    stoa_parquet_footer footer;
    err = err != NULL ? err : &local; /* messages are made of messages */
    STOA_TRY(stoa_parquet_footer_read(context, file, keys, &footer, err));
    stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);

    struct verifier verifier = {.context = context, .file = file, .footer = &footer};
    stoa_page_body_init(&verifier.body, context->pool);
    stoa_buffer_init(&verifier.levels, context->pool);
    STOA_CHECK(check_head(&footer, file, err));
    STOA_CHECK(check_rows(&footer, file, err));
    STOA_CHECK(verify_groups(&verifier, err));

done:
    stoa_page_body_release(&verifier.body);
    stoa_buffer_release(&verifier.levels);
    stoa_parquet_footer_release(&footer);
    return status;
}
