/* The footer, and on request the page headers, as JSON. Keys are this project's own; names of types,
 * encodings and codecs are the format's. */
#include "arrow/print.h"
#include "parquet/footer.h"
#include "parquet/page_reader.h"
#include "parquet/verify.h"

struct describer {
    const stoa_context *context;
    stoa_file *file;
    const stoa_parquet_footer *footer;
    stoa_buffer *out;
    bool with_pages;
};

#define TEXT(describer, text) STOA_TRY(stoa_buffer_append_text((describer)->out, (text), err))
#define FORMAT(describer, ...) STOA_TRY(stoa_buffer_append_format((describer)->out, err, __VA_ARGS__))

static stoa_status put_string(struct describer *describer, const char *text, stoa_error *err) {
    if (text == NULL) {
        return stoa_buffer_append_text(describer->out, "null", err);
    }
    return stoa_json_string_print(text, strlen(text), describer->out, err);
}

/* A name of the format's, or the number when it has none. */
static stoa_status put_name(struct describer *describer, const char *name, int32_t number,
                            stoa_error *err) {
    return name != NULL ? put_string(describer, name, err)
                        : stoa_buffer_append_format(describer->out, err, "%" PRId32, number);
}

static stoa_status put_bytes(struct describer *describer, const uint8_t *bytes, size_t size,
                             stoa_error *err) {
    TEXT(describer, "\"");
    for (size_t i = 0; i < size; i++) {
        FORMAT(describer, "%02x", bytes[i]);
    }
    return stoa_buffer_append_text(describer->out, "\"", err);
}

/* ---- Schema ---------------------------------------------------------------------------------- */

static stoa_status put_logical(struct describer *describer, const stoa_parquet_element *element,
                               stoa_error *err) {
    static const char *const units[] = {"", "ms", "us", "ns"};
    TEXT(describer, ", \"logical_type\": ");
    STOA_TRY(put_name(describer, stoa_parquet_logical_name(element->logical), element->logical,
                      err));
    switch (element->logical) {
    case STOA_PARQUET_LOGICAL_DECIMAL:
        FORMAT(describer, ", \"precision\": %" PRId32 ", \"scale\": %" PRId32, element->precision,
               element->scale);
        break;
    case STOA_PARQUET_LOGICAL_INTEGER:
        FORMAT(describer, ", \"bits\": %" PRId32 ", \"signed\": %s", element->logical_bits,
               element->logical_signed ? "true" : "false");
        break;
    case STOA_PARQUET_LOGICAL_TIME:
    case STOA_PARQUET_LOGICAL_TIMESTAMP:
        if (element->logical_unit >= 1 && element->logical_unit <= 3) {
            FORMAT(describer, ", \"unit\": \"%s\"", units[element->logical_unit]);
        }
        FORMAT(describer, ", \"utc\": %s", element->logical_utc ? "true" : "false");
        break;
    default: break;
    }
    return STOA_OK;
}

static stoa_status put_element(struct describer *describer, const stoa_parquet_element *element,
                               stoa_error *err) {
    TEXT(describer, "{\"name\": ");
    STOA_TRY(put_string(describer, element->name, err));
    TEXT(describer, ", \"repetition\": ");
    STOA_TRY(put_name(describer, stoa_parquet_repetition_name(element->repetition),
                      element->repetition, err));
    if (element->field_id >= 0) {
        FORMAT(describer, ", \"field_id\": %" PRId32, element->field_id);
    }
    if (element->physical >= 0) {
        TEXT(describer, ", \"type\": ");
        STOA_TRY(put_name(describer, stoa_parquet_physical_name(element->physical),
                          element->physical, err));
        if (element->physical == STOA_PARQUET_FIXED) {
            FORMAT(describer, ", \"length\": %" PRId32, element->type_length);
        }
    } else {
        FORMAT(describer, ", \"children\": %" PRId32, element->child_count);
    }
    if (element->logical != STOA_PARQUET_LOGICAL_NONE) {
        STOA_TRY(put_logical(describer, element, err));
    } else if (element->converted >= 0) {
        FORMAT(describer, ", \"converted_type\": %" PRId32, element->converted);
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

/* ---- Row groups ------------------------------------------------------------------------------ */

static stoa_status put_bounds(struct describer *describer, const stoa_parquet_bounds *bounds,
                              stoa_error *err) {
    TEXT(describer, ", \"statistics\": {");
    const char *comma = "";
    if (bounds->null_count >= 0) {
        FORMAT(describer, "\"null_count\": %" PRId64, bounds->null_count);
        comma = ", ";
    }
    if (bounds->min != NULL) {
        FORMAT(describer, "%s\"min_exact\": %s, \"min\": ", comma,
               bounds->min_exact ? "true" : "false");
        STOA_TRY(put_bytes(describer, bounds->min, bounds->min_size, err));
        comma = ", ";
    }
    if (bounds->max != NULL) {
        FORMAT(describer, "%s\"max_exact\": %s, \"max\": ", comma,
               bounds->max_exact ? "true" : "false");
        STOA_TRY(put_bytes(describer, bounds->max, bounds->max_size, err));
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_page(struct describer *describer, const stoa_parquet_page *page,
                            stoa_error *err) {
    TEXT(describer, "{\"kind\": ");
    STOA_TRY(put_name(describer, stoa_parquet_page_kind_name(page->kind), page->kind, err));
    FORMAT(describer, ", \"offset\": %" PRIu64 ", \"header_bytes\": %" PRIu64
           ", \"compressed_bytes\": %" PRIu32 ", \"uncompressed_bytes\": %" PRIu32
           ", \"values\": %" PRId64, page->offset, page->body_offset - page->offset,
           page->body_bytes, page->plain_bytes, page->value_count);
    if (page->encoding >= 0) {
        TEXT(describer, ", \"encoding\": ");
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(page->encoding), page->encoding,
                          err));
    }
    if (page->has_crc) {
        FORMAT(describer, ", \"crc\": \"%08" PRIx32 "\"", page->crc);
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_pages(struct describer *describer, const stoa_parquet_column *column,
                             stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_page_reader pages;
    stoa_page_reader_init(&pages, describer->context->pool, describer->file, column);
    STOA_CHECK(stoa_buffer_append_text(describer->out, ", \"pages\": [", err));
    while (true) {
        stoa_parquet_page page;
        bool end;
        STOA_CHECK(stoa_page_reader_next(&pages, &page, &end, err));
        if (end) {
            break;
        }
        if (pages.page_index > 0) {
            STOA_CHECK(stoa_buffer_append_text(describer->out, ", ", err));
        }
        STOA_CHECK(put_page(describer, &page, err));
    }
    STOA_CHECK(stoa_buffer_append_text(describer->out, "]", err));

done:
    stoa_page_reader_release(&pages);
    return status;
}

static stoa_status put_column(struct describer *describer, const stoa_parquet_column *column,
                              const stoa_parquet_leaf *leaf, stoa_error *err) {
    TEXT(describer, "{\"path\": ");
    STOA_TRY(put_string(describer, leaf->name, err));
    TEXT(describer, ", \"codec\": ");
    STOA_TRY(put_name(describer, stoa_parquet_compression_name(column->compression),
                      column->compression, err));
    TEXT(describer, ", \"encodings\": [");
    for (int32_t i = 0; i < column->encoding_count; i++) {
        TEXT(describer, i > 0 ? ", " : "");
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(column->encodings[i]),
                          column->encodings[i], err));
    }
    FORMAT(describer, "], \"values\": %" PRId64 ", \"compressed_bytes\": %" PRId64
           ", \"uncompressed_bytes\": %" PRId64 ", \"data_offset\": %" PRId64,
           column->value_count, column->compressed_bytes, column->uncompressed_bytes,
           column->data_offset);
    if (column->dictionary_offset >= 0) {
        FORMAT(describer, ", \"dictionary_offset\": %" PRId64, column->dictionary_offset);
    }
    if (column->has_bounds) {
        STOA_TRY(put_bounds(describer, &column->bounds, err));
    }
    if (column->crypto.is_encrypted) {
        FORMAT(describer, ", \"encrypted\": \"%s\"",
               column->crypto.is_locked     ? "locked"
               : column->crypto.has_own_key ? "with a key of its own"
                                            : "with the footer's key");
    }
    if (describer->with_pages && !column->crypto.is_locked) {
        STOA_TRY(put_pages(describer, column, err));
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_group(struct describer *describer, int32_t index, stoa_error *err) {
    const stoa_parquet_group *group = &describer->footer->groups[index];
    FORMAT(describer, "{\"rows\": %" PRId64 ", \"uncompressed_bytes\": %" PRId64
           ", \"columns\": [", group->row_count, group->uncompressed_bytes);
    for (int32_t i = 0; i < describer->footer->leaf_count; i++) {
        TEXT(describer, i > 0 ? ",\n    " : "\n    ");
        stoa_status status =
            put_column(describer, &group->columns[i], &describer->footer->leaves[i], err);
        if (status != STOA_OK) {
            stoa_wrap(err, "row group %" PRId32 ", column '%s'", index,
                      describer->footer->leaves[i].name);
            return status;
        }
    }
    return stoa_buffer_append_text(describer->out, "]}", err);
}

static stoa_status put_file(struct describer *describer, stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    FORMAT(describer, "{\"format\": \"parquet\", \"version\": %" PRId32 ", \"created_by\": ",
           footer->version);
    STOA_TRY(put_string(describer, footer->created_by, err));
    FORMAT(describer, ", \"file_bytes\": %" PRIu64 ", \"footer_offset\": %" PRIu64
           ", \"rows\": %" PRId64 ",\n \"schema\": [", footer->file_bytes, footer->footer_offset,
           footer->row_count);
    for (int32_t i = 0; i < footer->element_count; i++) {
        TEXT(describer, i > 0 ? ",\n  " : "\n  ");
        STOA_TRY(put_element(describer, &footer->elements[i], err));
    }
    TEXT(describer, "],\n \"row_groups\": [");
    for (int32_t i = 0; i < footer->group_count; i++) {
        TEXT(describer, i > 0 ? ",\n  " : "\n  ");
        STOA_TRY(put_group(describer, i, err));
    }
    TEXT(describer, "],\n \"metadata\": {");
    for (int32_t i = 0; i < footer->pair_count; i++) {
        TEXT(describer, i > 0 ? ",\n  " : "\n  ");
        STOA_TRY(put_string(describer, footer->pairs[i].key, err));
        TEXT(describer, ": ");
        STOA_TRY(put_string(describer, footer->pairs[i].value, err));
    }
    return stoa_buffer_append_text(describer->out, "}}\n", err);
}

stoa_status stoa_parquet_describe(const stoa_context *context, stoa_file *file, bool with_pages,
                                  stoa_buffer *out_json, stoa_error *err) {
    stoa_parquet_footer footer;
    STOA_TRY(stoa_parquet_footer_read(context, file, NULL, &footer, err));
    struct describer describer = {context, file, &footer, out_json, with_pages};
    stoa_status status = put_file(&describer, err);
    stoa_parquet_footer_release(&footer);
    return status;
}
