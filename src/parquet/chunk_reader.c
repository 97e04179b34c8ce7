/* A page is opened when the entries of the one before are used up. Columns that do not repeat have a
 * row an entry; where the levels of a piece are one run, nothing is unpacked. In columns that repeat a
 * row ends where the next begins, perhaps in another page: their levels are decoded a block ahead.
 *
 * What a header promises takes no memory by itself: levels and values are decoded as rows are asked
 * for.
 *
 * Source   Apache Parquet format 2.11, "Data Pages" */
#include "parquet/chunk_reader.h"

#include <stdio.h>

#include "codec/bitpack_kernel.h"
#include "parquet/page_values.h"
#include "parquet/slot_kernel.h"

enum { READ_AHEAD_BYTES = 1 << 20, HEADER_LEFT_OUT_BYTES = 100, RESERVED_BYTES_MAX = 16 };

void stoa_chunk_values_init(stoa_chunk_values *values, stoa_pool *pool) {
    *values = (stoa_chunk_values){.bytes_max = INT32_MAX};
    stoa_buffer_init(&values->definition, pool);
    stoa_buffer_init(&values->repetition, pool);
    stoa_buffer_init(&values->data, pool);
    stoa_buffer_init(&values->offsets, pool);
}

void stoa_chunk_values_release(stoa_chunk_values *values) {
    stoa_buffer_release(&values->definition);
    stoa_buffer_release(&values->repetition);
    stoa_buffer_release(&values->data);
    stoa_buffer_release(&values->offsets);
}

void stoa_chunk_values_clear(stoa_chunk_values *values) {
    values->entry_count = 0;
    values->value_count = 0;
    values->all_present = true;
    values->is_full = false;
    stoa_buffer_clear(&values->definition);
    stoa_buffer_clear(&values->repetition);
    stoa_buffer_clear(&values->data);
    stoa_buffer_clear(&values->offsets);
}

/* Early versions of parquet-mr leave a dictionary page's header out of the chunk's size (PARQUET-816);
 * as much as such a header can take is allowed behind the end, and the count of values ends the chunk.
 * Whoever says no version may be one of them. */
static void allow_left_out_header(stoa_chunk_reader *chunk, const stoa_parquet_footer *footer) {
    const char *by = footer->created_by;
    if (by != NULL && strncmp(by, "parquet-mr", 10) == 0 && chunk->column->dictionary_offset < 0) {
        const uint64_t left = footer->footer_offset - chunk->pages.end;
        chunk->pages.end += left < HEADER_LEFT_OUT_BYTES ? left : HEADER_LEFT_OUT_BYTES;
    }
}

void stoa_chunk_reader_init(stoa_chunk_reader *chunk, const stoa_context *context) {
    *chunk = (stoa_chunk_reader){.context = context};
    stoa_buffer_init(&chunk->pages.window, context->pool);
    stoa_buffer_init(&chunk->pages.header, context->pool);
    stoa_buffer_init(&chunk->pages.body, context->pool);
    stoa_page_body_init(&chunk->body, context->pool);
    stoa_buffer_init(&chunk->dictionary, context->pool);
    stoa_buffer_init(&chunk->dictionary_views, context->pool);
}

void stoa_chunk_reader_open(stoa_chunk_reader *chunk, const stoa_chunk_source *source,
                            int32_t group, int32_t leaf) {
    static const int32_t widths[] = {0, 4, 8, 12, 4, 8, 0};
    const stoa_parquet_footer *footer = source->footer;
    chunk->column = &footer->groups[group].columns[leaf];
    chunk->leaf = &footer->leaves[leaf];
    chunk->element = &footer->elements[chunk->leaf->element];
    chunk->value_bytes = chunk->element->physical == STOA_PARQUET_FIXED
                             ? chunk->element->type_length
                             : widths[chunk->element->physical];
    chunk->ignores_checksums = source->ignores_checksums;
    chunk->takes_codes = false;
    chunk->has_other_encoding = false;
    stoa_page_reader_open(&chunk->pages, source->file, chunk->column);
    allow_left_out_header(chunk, footer);
    chunk->pages.read_ahead = READ_AHEAD_BYTES;
    chunk->pages.map = chunk->pages.end <= source->map_bytes ? source->map : NULL;
    chunk->has_dictionary = false;
    chunk->dictionary_count = 0;
    stoa_delta_bytes_decoder_release(&chunk->prefixes);
    chunk->entries_left = 0;
    chunk->entries_seen = 0;
    chunk->has_begun = false;
    chunk->begins_row = false;
    chunk->block_count = 0;
    chunk->block_at = 0;
}

void stoa_chunk_reader_release(stoa_chunk_reader *chunk) {
    stoa_page_reader_release(&chunk->pages);
    stoa_page_body_release(&chunk->body);
    stoa_buffer_release(&chunk->dictionary);
    stoa_buffer_release(&chunk->dictionary_views);
    stoa_delta_bytes_decoder_release(&chunk->prefixes);
}

stoa_status stoa_chunk_reader_fail(const stoa_chunk_reader *chunk, const char *problem,
                                   stoa_error *err) {
    char copy[STOA_ERROR_MESSAGE_BYTES]; /* it may stand in `err` */
    (void)snprintf(copy, sizeof copy, "%s", problem);
    return stoa_page_reader_fail(&chunk->pages, chunk->page.offset, copy, err);
}

/* ---- Levels ---------------------------------------------------------------------------------- */

/* Levels stand before the values: of version 1 behind their length (RLE) or without (BIT_PACKED), of
 * version 2 in as many bytes as the header says. */
static stoa_status begin_levels(stoa_chunk_reader *chunk, stoa_level_reader *levels, int32_t max,
                                int32_t encoding, uint32_t v2_bytes, stoa_byte_reader *bytes,
                                stoa_error *err) {
    const bool is_v2 = chunk->page.kind == STOA_PARQUET_DATA_PAGE_V2;
    const uint8_t *at = bytes->data + bytes->position;
    const size_t left = stoa_byte_reader_left(bytes);
    const int width = stoa_bit_width((uint32_t)max);
    stoa_error cause = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    size_t used = v2_bytes;
    levels->max = (uint8_t)max;
    levels->is_packed = false;
    if (max == 0) {
        bytes->position += is_v2 ? v2_bytes : 0; /* the page reader has checked them */
        return STOA_OK;
    }
    if (is_v2) {
        status = stoa_rle_decoder_init(&levels->runs, at, v2_bytes, width, &cause);
    } else if (encoding == STOA_PARQUET_BIT_PACKED) {
        levels->is_packed = true;
        status = stoa_bitpacked_levels_init(&levels->packed, at, left, width,
                                            (size_t)chunk->page.value_count, &used, &cause);
    } else {
        status = stoa_rle_decoder_init_sized(&levels->runs, at, left, width, &used, &cause);
    }
    if (status != STOA_OK) {
        return stoa_chunk_reader_fail(chunk, cause.message, err);
    }
    bytes->position += used;
    return STOA_OK;
}

/* Levels above the highest would be slots that no array has room for. */
static stoa_status read_levels(stoa_chunk_reader *chunk, stoa_level_reader *levels, uint8_t *out,
                               size_t count, stoa_error *err) {
    stoa_error cause = STOA_ERROR_NONE;
    const stoa_status status = levels->is_packed
                                   ? stoa_bitpacked_levels_read_u8(&levels->packed, out, count,
                                                                   &cause)
                                   : stoa_rle_decoder_read_u8(&levels->runs, out, count, &cause);
    if (status != STOA_OK) {
        return stoa_chunk_reader_fail(chunk, cause.message, err);
    }
    uint8_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        highest = out[i] > highest ? out[i] : highest;
    }
    return highest <= levels->max
               ? STOA_OK
               : stoa_chunk_reader_fail(chunk, "a level is above its highest", err);
}

/* True when the next `count` definition levels are one run of the highest; they are then taken. */
static bool take_present_run(stoa_level_reader *levels, size_t count) {
    if (levels->is_packed) {
        return false;
    }
    stoa_rle_decoder ahead = levels->runs;
    for (size_t done = 0; done < count;) {
        stoa_rle_piece piece;
        if (stoa_rle_decoder_next(&ahead, count - done, &piece, NULL) != STOA_OK ||
            piece.packed != NULL || piece.values != NULL || piece.value != levels->max) {
            return false;
        }
        done += piece.count;
    }
    levels->runs = ahead;
    return true;
}

/* Room for `count` more definition levels, those of entries before filled in. */
static stoa_status reserve_definition(stoa_chunk_values *out, uint8_t max, size_t count,
                                      stoa_error *err) {
    if (out->all_present && out->entry_count > 0) {
        STOA_TRY(stoa_buffer_append_fill(&out->definition, max, (size_t)out->entry_count, err));
    }
    out->all_present = false;
    return stoa_buffer_reserve(&out->definition, count, err);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static stoa_status open_body(stoa_chunk_reader *chunk, const uint8_t **out, stoa_error *err) {
    const uint8_t *stored;
    const int32_t compression = chunk->column->compression;
    STOA_TRY(stoa_page_reader_body(&chunk->pages, &chunk->page, &stored, err));
    if (!chunk->ignores_checksums) {
        STOA_TRY(stoa_page_body_check(&chunk->pages, &chunk->page, stored, err));
    }
    STOA_TRY(stoa_page_reader_decrypt(&chunk->pages, &chunk->page, &stored, err));
    STOA_TRY(stoa_page_body_open(&chunk->body, &chunk->pages, &chunk->page, compression, stored,
                                 out, err));
    if (*out == NULL) {
        const char *name = stoa_parquet_compression_name(compression);
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "page %" PRId32 " at byte %" PRIu64
                         ": the compression %s is not supported",
                         chunk->pages.page_index, chunk->page.offset,
                         name == NULL ? "of an unknown number" : name);
    }
    return STOA_OK;
}

static stoa_status open_dictionary(stoa_chunk_reader *chunk, stoa_error *err) {
    const uint8_t *bytes;
    if (chunk->has_dictionary || chunk->has_begun) {
        return stoa_chunk_reader_fail(chunk, "expected no dictionary page behind other pages", err);
    }
    if (chunk->page.encoding != STOA_PARQUET_PLAIN &&
        chunk->page.encoding != STOA_PARQUET_PLAIN_DICTIONARY) {
        return stoa_chunk_reader_fail(chunk, "expected a plain dictionary", err);
    }
    STOA_TRY(open_body(chunk, &bytes, err));
    return stoa_page_dictionary_load(chunk, bytes, chunk->page.plain_bytes, chunk->page.value_count,
                                     err);
}

static stoa_status open_data(stoa_chunk_reader *chunk, stoa_error *err) {
    const uint8_t *body;
    STOA_TRY(open_body(chunk, &body, err));
    stoa_byte_reader bytes = stoa_byte_reader_of(body, chunk->page.plain_bytes);
    STOA_TRY(begin_levels(chunk, &chunk->repetition, chunk->leaf->repetition_max,
                          chunk->page.repetition_encoding, chunk->page.repetition_bytes, &bytes,
                          err));
    STOA_TRY(begin_levels(chunk, &chunk->definition, chunk->leaf->definition_max,
                          chunk->page.definition_encoding, chunk->page.definition_bytes, &bytes,
                          err));
    return stoa_page_values_begin(chunk, body + bytes.position, stoa_byte_reader_left(&bytes), err);
}

/* The next page with entries; false at the end of the chunk. Passes over pages of at most `skip` rows,
 * in columns that do not repeat, and takes theirs from it. */
static stoa_status next_page(stoa_chunk_reader *chunk, int64_t *skip, bool *out_found,
                             stoa_error *err) {
    *out_found = false;
    while (!*out_found && chunk->entries_seen < chunk->column->value_count) {
        bool end;
        STOA_TRY(stoa_cancel_check(chunk->context->cancel, err));
        STOA_TRY(stoa_page_reader_next(&chunk->pages, &chunk->page, &end, err));
        if (end) {
            return STOA_OK;
        }
        if (chunk->page.kind == STOA_PARQUET_DICTIONARY_PAGE) {
            STOA_TRY(open_dictionary(chunk, err));
            continue;
        }
        if (chunk->page.kind == STOA_PARQUET_INDEX_PAGE || chunk->page.value_count == 0) {
            continue;
        }
        chunk->has_begun = true;
        chunk->entries_seen += chunk->page.value_count;
        if (chunk->leaf->repetition_max == 0 && chunk->page.value_count <= *skip) {
            *skip -= chunk->page.value_count;
            if (*skip == 0) {
                return STOA_OK;
            }
            continue;
        }
        STOA_TRY(open_data(chunk, err));
        chunk->entries_left = chunk->page.value_count;
        *out_found = true;
    }
    return STOA_OK;
}

static stoa_status fail_ended(const stoa_chunk_reader *chunk, int64_t missing, stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "its pages end %" PRId64 " rows before those of its row group",
              missing);
    stoa_error_set_file(err, chunk->pages.file->uri, (int64_t)chunk->column->offset);
    return STOA_CORRUPT;
}

/* ---- Columns that do not repeat -------------------------------------------------------------- */

static stoa_status read_flat_piece(stoa_chunk_reader *chunk, size_t count, bool skips,
                                   stoa_chunk_values *out, stoa_error *err) {
    const uint8_t max = chunk->definition.max;
    size_t present = count;
    if (max > 0 && !(out->all_present && take_present_run(&chunk->definition, count))) {
        STOA_TRY(reserve_definition(out, max, count, err));
        uint8_t *levels = out->definition.data + out->definition.size;
        STOA_TRY(read_levels(chunk, &chunk->definition, levels, count, err));
        out->definition.size += count;
        present = stoa_levels_count(stoa_cpu_level(), levels, count, max);
    }
    out->entry_count += (int64_t)count;
    chunk->entries_left -= (int64_t)count;
    return skips ? stoa_page_values_skip(chunk, (int64_t)present, out, err)
                 : stoa_page_values_take(chunk, (int64_t)present, out, err);
}

static stoa_status read_flat(stoa_chunk_reader *chunk, int64_t row_count, bool skips,
                             stoa_chunk_values *out, stoa_error *err) {
    while (row_count > 0) {
        if (chunk->entries_left == 0) {
            bool found;
            int64_t skip = skips ? row_count : 0;
            STOA_TRY(next_page(chunk, &skip, &found, err));
            row_count = skips ? skip : row_count;
            if (!found && row_count > 0) {
                return fail_ended(chunk, row_count, err);
            }
            if (!found) {
                break;
            }
        }
        int64_t count = row_count < chunk->entries_left ? row_count : chunk->entries_left;
        if (skips) {
            stoa_chunk_values_clear(out);
            count = count < STOA_CHUNK_BLOCK ? count : STOA_CHUNK_BLOCK;
        }
        STOA_TRY(read_flat_piece(chunk, (size_t)count, skips, out, err));
        row_count -= count;
    }
    return STOA_OK;
}

/* ---- Columns that repeat --------------------------------------------------------------------- */

static stoa_status fill_block(stoa_chunk_reader *chunk, bool *out_end, stoa_error *err) {
    const bool is_first = !chunk->has_begun || chunk->begins_row;
    *out_end = false;
    if (chunk->entries_left == 0) {
        bool found;
        int64_t skip = 0;
        STOA_TRY(next_page(chunk, &skip, &found, err));
        if (!found) {
            *out_end = true;
            return STOA_OK;
        }
    }
    const size_t count = chunk->entries_left < STOA_CHUNK_BLOCK ? (size_t)chunk->entries_left
                                                                : STOA_CHUNK_BLOCK;
    STOA_TRY(read_levels(chunk, &chunk->repetition, chunk->block_repetition, count, err));
    STOA_TRY(read_levels(chunk, &chunk->definition, chunk->block_definition, count, err));
    if (is_first && chunk->block_repetition[0] != 0) {
        return stoa_chunk_reader_fail(chunk, "expected a chunk's first repetition level to be 0",
                                      err);
    }
    chunk->begins_row = false;
    chunk->entries_left -= (int64_t)count;
    chunk->block_count = (int32_t)count;
    chunk->block_at = 0;
    return STOA_OK;
}

static stoa_status take_block(stoa_chunk_reader *chunk, int32_t end, bool skips,
                              stoa_chunk_values *out, stoa_error *err) {
    const size_t count = (size_t)(end - chunk->block_at);
    const uint8_t *definition = chunk->block_definition + chunk->block_at;
    const size_t present = stoa_levels_count(stoa_cpu_level(), definition, count,
                                             chunk->definition.max);
    if (out->entry_count > INT32_MAX - (int64_t)count) {
        out->is_full = true;
        return stoa_fail(err, STOA_LIMIT,
                         "more than 2^31 items in one batch; ask for batches of fewer rows");
    }
    out->all_present = false;
    STOA_TRY(stoa_buffer_append(&out->definition, definition, count, err));
    STOA_TRY(stoa_buffer_append(&out->repetition, chunk->block_repetition + chunk->block_at, count,
                                err));
    out->entry_count += (int64_t)count;
    chunk->block_at = end;
    return skips ? stoa_page_values_skip(chunk, (int64_t)present, out, err)
                 : stoa_page_values_take(chunk, (int64_t)present, out, err);
}

static stoa_status read_repeated(stoa_chunk_reader *chunk, int64_t row_count, bool skips,
                                 stoa_chunk_values *out, stoa_error *err) {
    int64_t rows = 0;
    while (true) {
        if (chunk->block_at == chunk->block_count) {
            bool end;
            STOA_TRY(fill_block(chunk, &end, err));
            if (end) {
                return rows == row_count ? STOA_OK : fail_ended(chunk, row_count - rows, err);
            }
        }
        int64_t begun = row_count - rows;
        const int32_t at = chunk->block_at;
        const int32_t end = at + (int32_t)stoa_levels_row_end(
                                     stoa_cpu_level(), chunk->block_repetition + at,
                                     (size_t)(chunk->block_count - at), &begun);
        rows += begun;
        if (skips) {
            stoa_chunk_values_clear(out);
        }
        STOA_TRY(take_block(chunk, end, skips, out, err));
        if (end < chunk->block_count) {
            return STOA_OK;
        }
    }
}

/* One piece of memory for a batch, where values are small enough that none is wasted for a file that
 * holds fewer of them than it says. */
static stoa_status reserve_values(const stoa_chunk_reader *chunk, int64_t row_count,
                                  stoa_chunk_values *out, stoa_error *err) {
    if (chunk->value_bytes == 0 || chunk->value_bytes > RESERVED_BYTES_MAX || chunk->takes_codes) {
        return STOA_OK;
    }
    return stoa_buffer_reserve(&out->data, (size_t)row_count * (size_t)chunk->value_bytes, err);
}

static stoa_status read_rows(stoa_chunk_reader *chunk, int64_t row_count, bool skips,
                             stoa_chunk_values *out, stoa_error *err) {
    if (!skips) {
        STOA_TRY(reserve_values(chunk, row_count, out, err));
    }
    return chunk->leaf->repetition_max > 0 ? read_repeated(chunk, row_count, skips, out, err)
                                           : read_flat(chunk, row_count, skips, out, err);
}

/* Of a file that was cut short under its map, neither values nor failures are believed. */
static stoa_status check_map(const stoa_chunk_reader *chunk, stoa_status status, stoa_error *err) {
    if (chunk->pages.map != NULL) {
        STOA_TRY(stoa_file_map_check(chunk->pages.file, err));
    }
    return status;
}

/* Of a chunk that may never be read further no more than the dictionary is read ahead. */
stoa_status stoa_chunk_reader_load_dictionary(stoa_chunk_reader *chunk, stoa_error *err) {
    const uint64_t data_offset = (uint64_t)chunk->column->data_offset;
    const size_t read_ahead = chunk->pages.read_ahead;
    const uint64_t begin = chunk->pages.position;
    bool end;
    STOA_ASSERT(!chunk->has_begun && !chunk->has_dictionary);
    if (data_offset > begin && data_offset - begin < read_ahead) {
        chunk->pages.read_ahead = (size_t)(data_offset - begin);
    }
    stoa_status status = stoa_page_reader_next(&chunk->pages, &chunk->page, &end, err);
    if (status == STOA_OK && !end && chunk->page.kind == STOA_PARQUET_DICTIONARY_PAGE) {
        status = open_dictionary(chunk, err);
    } else if (status == STOA_OK && !end) {
        chunk->pages.position = begin;
        chunk->pages.page_index--;
        chunk->pages.data_page_index = 0;
    }
    chunk->pages.read_ahead = read_ahead;
    return check_map(chunk, status, err);
}

/* The entries before are not known of a column that repeats: there are no fewer of them than rows, and
 * the chunk's end is known in any case. */
stoa_status stoa_chunk_reader_seek(stoa_chunk_reader *chunk, const stoa_page_index *index,
                                   int32_t page, stoa_error *err) {
    const stoa_page_location *location = &index->locations[page];
    const bool skips_dictionary = index->locations[0].offset > chunk->column->offset;
    if (!chunk->has_begun && !chunk->has_dictionary && skips_dictionary) {
        STOA_TRY(stoa_chunk_reader_load_dictionary(chunk, err));
    }
    chunk->pages.position = location->offset;
    chunk->pages.page_index = page - 1 + chunk->has_dictionary;
    chunk->pages.data_page_index = page;
    chunk->entries_left = 0;
    chunk->entries_seen = location->first_row;
    chunk->has_begun = true;
    chunk->begins_row = true;
    chunk->block_count = 0;
    chunk->block_at = 0;
    return STOA_OK;
}

void stoa_chunk_reader_limit(stoa_chunk_reader *chunk, const stoa_page_index *index, int32_t page) {
    const uint64_t end = index->locations[page].offset + index->locations[page].bytes;
    const uint64_t left = end > chunk->pages.position ? end - chunk->pages.position : 0;
    chunk->pages.read_ahead = left < READ_AHEAD_BYTES ? (size_t)left : READ_AHEAD_BYTES;
}

stoa_status stoa_chunk_reader_read(stoa_chunk_reader *chunk, int64_t row_count, bool skips,
                                   stoa_chunk_values *out, stoa_error *err) {
    stoa_chunk_values_clear(out);
    if (row_count == 0) {
        return STOA_OK;
    }
    return check_map(chunk, read_rows(chunk, row_count, skips, out, err), err);
}
