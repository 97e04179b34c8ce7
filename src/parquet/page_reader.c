/* A header's size is known only when it has been parsed: a window of the file is read, and a larger
 * one when the header does not end in it (statistics may make it long).
 *
 * Source   Apache Parquet format 2.11, "parquet.thrift": PageHeader */
#include "parquet/page_reader.h"

#include "parquet/thrift_reader.h"

enum { WINDOW_BYTES = 512, HEADER_BYTES_MAX = 16 << 20 };

void stoa_page_reader_init(stoa_page_reader *reader, stoa_pool *pool, stoa_file *file,
                           const stoa_parquet_column *column) {
    *reader = (stoa_page_reader){0};
    stoa_buffer_init(&reader->window, pool);
    stoa_buffer_init(&reader->header, pool);
    stoa_buffer_init(&reader->body, pool);
    stoa_page_reader_open(reader, file, column);
}

void stoa_page_reader_open(stoa_page_reader *reader, stoa_file *file,
                           const stoa_parquet_column *column) {
    reader->file = file;
    reader->position = column->offset;
    reader->end = column->offset + (uint64_t)column->compressed_bytes;
    reader->page_index = -1;
    reader->read_ahead = 0;
    reader->map = NULL;
    reader->column = column;
    reader->data_page_index = 0;
    reader->window_offset = 0;
    stoa_buffer_clear(&reader->window);
}

stoa_status stoa_page_reader_prefetch(stoa_page_reader *reader, size_t size, stoa_read_range *out,
                                      stoa_error *err) {
    stoa_buffer_clear(&reader->window);
    STOA_TRY(stoa_buffer_reserve(&reader->window, size, err));
    reader->window.size = size;
    reader->window_offset = reader->position;
    *out = (stoa_read_range){reader->position, size, reader->window.data};
    return STOA_OK;
}

void stoa_page_reader_release(stoa_page_reader *reader) {
    stoa_buffer_release(&reader->window);
    stoa_buffer_release(&reader->header);
    stoa_buffer_release(&reader->body);
}

stoa_status stoa_page_reader_fail(const stoa_page_reader *reader, uint64_t offset,
                                  const char *problem, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "page %" PRId32 " at byte %" PRIu64 ": %s", reader->page_index,
              offset, problem);
    stoa_error_set_file(err, reader->file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

/* ---- Thrift ---------------------------------------------------------------------------------- */

static int32_t read_level_encoding(stoa_thrift_reader *reader, stoa_thrift_type type) {
    const int32_t encoding = stoa_thrift_read_i32(reader, type);
    if (encoding != STOA_PARQUET_RLE && encoding != STOA_PARQUET_BIT_PACKED) {
        stoa_thrift_fail(reader, "expected levels in an encoding that levels have");
    }
    return encoding;
}

static void read_data_header(stoa_thrift_reader *reader, bool has_levels, stoa_parquet_page *out) {
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->value_count = stoa_thrift_read_i32(reader, type); break;
        case 2: out->encoding = stoa_thrift_read_i32(reader, type); break;
        case 3:
            if (has_levels) {
                out->definition_encoding = read_level_encoding(reader, type);
            } else {
                stoa_thrift_skip(reader, type);
            }
            break;
        case 4:
            if (has_levels) {
                out->repetition_encoding = read_level_encoding(reader, type);
            } else {
                stoa_thrift_skip(reader, type);
            }
            break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
}

static void read_data_header_v2(stoa_thrift_reader *reader, stoa_parquet_page *out) {
    stoa_thrift_type type;
    int32_t definition_bytes = 0, repetition_bytes = 0;
    out->is_compressed = true;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->value_count = stoa_thrift_read_i32(reader, type); break;
        case 2: out->null_count = stoa_thrift_read_i32(reader, type); break;
        case 3: out->row_count = stoa_thrift_read_i32(reader, type); break;
        case 4: out->encoding = stoa_thrift_read_i32(reader, type); break;
        case 5: definition_bytes = stoa_thrift_read_i32(reader, type); break;
        case 6: repetition_bytes = stoa_thrift_read_i32(reader, type); break;
        case 7: out->is_compressed = stoa_thrift_read_bool(reader, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (definition_bytes < 0 || repetition_bytes < 0 || out->row_count < 0 || out->null_count < 0 ||
        out->null_count > out->value_count) {
        stoa_thrift_fail(reader, "expected counts that are not negative");
    }
    out->definition_bytes = (uint32_t)definition_bytes;
    out->repetition_bytes = (uint32_t)repetition_bytes;
}

static void read_header(stoa_thrift_reader *reader, stoa_parquet_page *out) {
    stoa_thrift_type type;
    int32_t plain_bytes = -1, body_bytes = -1;
    int header_kind = -1;
    out->kind = -1;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: out->kind = stoa_thrift_read_i32(reader, type); break;
        case 2: plain_bytes = stoa_thrift_read_i32(reader, type); break;
        case 3: body_bytes = stoa_thrift_read_i32(reader, type); break;
        case 4:
            out->crc = (uint32_t)stoa_thrift_read_i32(reader, type);
            out->has_crc = true;
            break;
        case 5: /* DataPageHeader */
        case 7: /* DictionaryPageHeader has its first fields in common */
            if (stoa_thrift_enter_struct(reader, type)) {
                header_kind = id == 5 ? STOA_PARQUET_DATA_PAGE : STOA_PARQUET_DICTIONARY_PAGE;
                read_data_header(reader, id == 5, out);
            }
            break;
        case 8:
            if (stoa_thrift_enter_struct(reader, type)) {
                header_kind = STOA_PARQUET_DATA_PAGE_V2;
                read_data_header_v2(reader, out);
            }
            break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (body_bytes < 0 || plain_bytes < 0 || out->value_count < 0) {
        stoa_thrift_fail(reader, "expected sizes and counts that are not negative");
    } else if (stoa_parquet_page_kind_name(out->kind) == NULL ||
               (out->kind != STOA_PARQUET_INDEX_PAGE && header_kind != out->kind)) {
        stoa_thrift_fail(reader, "expected a page header of a kind that the format has");
    } else if (header_kind >= 0 && stoa_parquet_encoding_name(out->encoding) == NULL) {
        stoa_thrift_fail(reader, "expected an encoding that the format has");
    } else if ((uint64_t)out->definition_bytes + out->repetition_bytes > (uint64_t)body_bytes ||
               (uint64_t)out->definition_bytes + out->repetition_bytes > (uint64_t)plain_bytes) {
        stoa_thrift_fail(reader, "expected levels that lie within the page");
    }
    out->body_bytes = (uint32_t)body_bytes;
    out->plain_bytes = (uint32_t)plain_bytes;
}

/* ---- The window ------------------------------------------------------------------------------ */

/* Within the chunk, which lies within the file. */
static stoa_status window_view(stoa_page_reader *reader, uint64_t offset, size_t size,
                               const uint8_t **out, stoa_error *err) {
    stoa_buffer *window = &reader->window;
    if (reader->map != NULL) {
        *out = reader->map + offset;
        return STOA_OK;
    }
    if (offset < reader->window_offset || offset - reader->window_offset > window->size ||
        window->size - (size_t)(offset - reader->window_offset) < size) {
        const uint64_t left = reader->end - offset;
        const size_t ahead = left < reader->read_ahead ? (size_t)left : reader->read_ahead;
        const size_t wanted = size > ahead ? size : ahead;
        stoa_buffer_clear(window);
        STOA_TRY(stoa_buffer_reserve(window, wanted, err));
        STOA_TRY(stoa_file_read(reader->file, offset, window->data, wanted, err));
        window->size = wanted;
        reader->window_offset = offset;
    }
    *out = window->data == NULL ? (const uint8_t *)"" /* of an empty page */
                                : window->data + (offset - reader->window_offset);
    return STOA_OK;
}

stoa_status stoa_page_reader_body(stoa_page_reader *reader, const stoa_parquet_page *page,
                                  const uint8_t **out_view, stoa_error *err) {
    return window_view(reader, page->body_offset, page->body_bytes, out_view, err);
}

/* ---- Encrypted pages ------------------------------------------------------------------------- */

static stoa_status decrypt(const stoa_page_reader *reader, uint64_t offset,
                           stoa_parquet_module module, const uint8_t *bytes, size_t size,
                           stoa_buffer *out, size_t *out_used, stoa_error *err) {
    const stoa_parquet_column *column = reader->column;
    const stoa_parquet_module_place place = {module, column->crypto.group_ordinal,
                                             column->crypto.ordinal, reader->data_page_index};
    stoa_error cause = STOA_ERROR_NONE;
    const stoa_status status =
        stoa_parquet_module_open(column->crypto.cipher, &place, bytes, size, out, out_used, &cause);
    if (status == STOA_CORRUPT) {
        return stoa_page_reader_fail(reader, offset, cause.message, err);
    }
    if (status != STOA_OK && err != NULL) {
        *err = cause;
    }
    return status;
}

/* The first page of a chunk with a dictionary is that; what a page is must be known before its header
 * can be read. */
static stoa_status decrypt_header(stoa_page_reader *reader, stoa_parquet_page *out,
                                  stoa_error *err) {
    const uint64_t left = reader->end - reader->position;
    const bool is_dictionary = reader->page_index == 0 && reader->column->dictionary_offset >= 0;
    const uint8_t *bytes;
    size_t size = STOA_PARQUET_MODULE_LENGTH_BYTES, used = 0;
    STOA_TRY(window_view(reader, reader->position, size < left ? size : (size_t)left, &bytes, err));
    if (left >= size) {
        size += stoa_load_u32(bytes);
    }
    if (size > left || size > HEADER_BYTES_MAX) {
        return stoa_page_reader_fail(reader, reader->position,
                                     "expected an encrypted header that lies within its chunk",
                                     err);
    }
    STOA_TRY(window_view(reader, reader->position, size, &bytes, err));
    STOA_TRY(decrypt(reader, reader->position,
                     is_dictionary ? STOA_PARQUET_MODULE_DICTIONARY_PAGE_HEADER
                                   : STOA_PARQUET_MODULE_DATA_PAGE_HEADER,
                     bytes, size, &reader->header, &used, err));
    stoa_thrift_reader thrift = stoa_thrift_reader_of(reader->header.data, reader->header.size);
    read_header(&thrift, out);
    if (thrift.problem == NULL && is_dictionary != (out->kind == STOA_PARQUET_DICTIONARY_PAGE)) {
        stoa_thrift_fail(&thrift, "expected a page of the kind that it was encrypted as");
    }
    if (thrift.problem != NULL) {
        return stoa_page_reader_fail(reader, reader->position, thrift.problem, err);
    }
    out->body_offset = reader->position + used;
    return STOA_OK;
}

stoa_status stoa_page_reader_decrypt(stoa_page_reader *reader, stoa_parquet_page *page,
                                     const uint8_t **view, stoa_error *err) {
    size_t used = 0;
    if (reader->column->crypto.cipher == NULL) {
        return STOA_OK;
    }
    const bool is_dictionary = page->kind == STOA_PARQUET_DICTIONARY_PAGE;
    reader->data_page_index -= !is_dictionary; /* the reader stands behind the page */
    const stoa_status status = decrypt(
        reader, page->body_offset,
        is_dictionary ? STOA_PARQUET_MODULE_DICTIONARY_PAGE : STOA_PARQUET_MODULE_DATA_PAGE, *view,
        page->body_bytes, &reader->body, &used, err);
    reader->data_page_index += !is_dictionary;
    STOA_TRY(status);
    if (used != page->body_bytes ||
        (uint64_t)page->definition_bytes + page->repetition_bytes > reader->body.size) {
        return stoa_page_reader_fail(reader, page->body_offset,
                                     "expected an encrypted page of its header's size", err);
    }
    page->body_bytes = (uint32_t)reader->body.size;
    *view = reader->body.data;
    return STOA_OK;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static stoa_status find_header(stoa_page_reader *reader, stoa_parquet_page *out,
                               stoa_error *err) {
    const uint64_t left = reader->end - reader->position;
    const stoa_parquet_page empty = *out;
    stoa_thrift_reader thrift;
    for (size_t size = WINDOW_BYTES;; size *= 4) {
        const size_t window = size < left ? size : (size_t)left;
        const uint8_t *bytes;
        STOA_TRY(window_view(reader, reader->position, window, &bytes, err));
        *out = empty;
        thrift = stoa_thrift_reader_of(bytes, window);
        read_header(&thrift, out);
        if (!thrift.ended || window == left || size >= HEADER_BYTES_MAX) {
            break;
        }
    }
    if (thrift.problem != NULL) {
        return stoa_page_reader_fail(reader, reader->position + thrift.bytes.position,
                                     thrift.problem, err);
    }
    out->body_offset = reader->position + thrift.bytes.position;
    return STOA_OK;
}

stoa_status stoa_page_reader_next(stoa_page_reader *reader, stoa_parquet_page *out, bool *out_end,
                                  stoa_error *err) {
    *out_end = reader->position >= reader->end;
    if (*out_end) {
        return STOA_OK;
    }
    reader->page_index++;
    *out = (stoa_parquet_page){.row_count = -1,
                               .encoding = -1,
                               .definition_encoding = STOA_PARQUET_RLE,
                               .repetition_encoding = STOA_PARQUET_RLE,
                               .offset = reader->position};
    STOA_TRY(reader->column->crypto.cipher != NULL ? decrypt_header(reader, out, err)
                                            : find_header(reader, out, err));
    if (out->body_bytes > reader->end - out->body_offset) {
        return stoa_page_reader_fail(reader, out->offset,
                                     "expected a page that lies within its chunk", err);
    }
    reader->data_page_index += out->kind != STOA_PARQUET_DICTIONARY_PAGE;
    reader->position = out->body_offset + out->body_bytes;
    return STOA_OK;
}
