/* The footer, and on request the page headers, as JSON. Keys are this project's own; names of types,
 * encodings and codecs are the format's. */
#include "arrow/print.h"
#include "parquet/bound_print.h"
#include "parquet/page_listing.h"
#include "parquet/verify.h"

struct describer {
    const stoa_context *context;
    stoa_file *file;
    const stoa_parquet_footer *footer;
    stoa_buffer *out;
    bool with_pages;
    stoa_buffer text; /* of one bound */
};

enum { BOUND_BYTES_MAX = 64 };

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

/* As bytes, and as people read it. */
static stoa_status put_bound(struct describer *describer, const stoa_parquet_element *element,
                             const char *name, const uint8_t *bytes, size_t size,
                             stoa_error *err) {
    stoa_buffer *text = &describer->text;
    stoa_buffer_clear(text);
    STOA_TRY(stoa_parquet_bound_print(element, bytes, size, BOUND_BYTES_MAX, text, err));
    FORMAT(describer, ", \"%s\": ", name);
    STOA_TRY(put_bytes(describer, bytes, size, err));
    FORMAT(describer, ", \"%s_text\": ", name);
    return stoa_json_string_print((const char *)text->data, text->size, describer->out, err);
}

static stoa_status put_bounds(struct describer *describer, int32_t leaf,
                              const stoa_parquet_bounds *bounds, stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    const stoa_parquet_element *element = &footer->elements[footer->leaves[leaf].element];
    FORMAT(describer, ", \"statistics\": {\"ordered\": %s",
           stoa_parquet_bounds_are_ordered(footer, leaf, bounds) ? "true" : "false");
    if (bounds->null_count >= 0) {
        FORMAT(describer, ", \"null_count\": %" PRId64, bounds->null_count);
    }
    if (bounds->distinct_count >= 0) {
        FORMAT(describer, ", \"distinct_count\": %" PRId64, bounds->distinct_count);
    }
    if (bounds->nan_count >= 0) {
        FORMAT(describer, ", \"nan_count\": %" PRId64, bounds->nan_count);
    }
    if (bounds->min != NULL) {
        FORMAT(describer, ", \"min_exact\": %s", bounds->min_exact ? "true" : "false");
        STOA_TRY(put_bound(describer, element, "min", bounds->min, bounds->min_size, err));
    }
    if (bounds->max != NULL) {
        FORMAT(describer, ", \"max_exact\": %s", bounds->max_exact ? "true" : "false");
        STOA_TRY(put_bound(describer, element, "max", bounds->max, bounds->max_size, err));
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

/* What the page index says of a page. */
static stoa_status put_index(struct describer *describer, const stoa_page_listing *listing,
                             const stoa_parquet_element *element, stoa_error *err) {
    const stoa_page_index *index = &listing->index;
    const int32_t at = listing->data_page;
    if (at < 0) {
        return STOA_OK;
    }
    if (index->locations != NULL) {
        FORMAT(describer, ", \"first_row\": %" PRId64, index->locations[at].first_row);
    }
    if (index->null_counts != NULL) {
        FORMAT(describer, ", \"null_count\": %" PRId64, index->null_counts[at]);
    }
    if (index->all_null != NULL && !index->all_null[at]) {
        STOA_TRY(put_bound(describer, element, "min", index->min[at].bytes, index->min[at].size,
                           err));
        STOA_TRY(put_bound(describer, element, "max", index->max[at].bytes, index->max[at].size,
                           err));
    }
    return STOA_OK;
}

static stoa_status put_levels(struct describer *describer, const stoa_parquet_page *page,
                              stoa_error *err) {
    if (page->kind == STOA_PARQUET_DATA_PAGE) {
        TEXT(describer, ", \"definition_encoding\": ");
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(page->definition_encoding),
                          page->definition_encoding, err));
        TEXT(describer, ", \"repetition_encoding\": ");
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(page->repetition_encoding),
                          page->repetition_encoding, err));
    } else if (page->kind == STOA_PARQUET_DATA_PAGE_V2) {
        FORMAT(describer, ", \"rows\": %" PRId64 ", \"nulls\": %" PRId64
               ", \"definition_bytes\": %" PRIu32 ", \"repetition_bytes\": %" PRIu32
               ", \"compressed\": %s", page->row_count, page->null_count, page->definition_bytes,
               page->repetition_bytes, page->is_compressed ? "true" : "false");
    }
    return STOA_OK;
}

static stoa_status put_page(struct describer *describer, const stoa_page_listing *listing,
                            const stoa_parquet_element *element, stoa_error *err) {
    const stoa_parquet_page *page = &listing->page;
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
    STOA_TRY(put_levels(describer, page, err));
    if (page->has_crc) {
        FORMAT(describer, ", \"crc\": \"%08" PRIx32 "\", \"crc_holds\": %s", page->crc,
               listing->checksum == STOA_PAGE_CHECKSUM_GOOD ? "true" : "false");
    }
    STOA_TRY(put_index(describer, listing, element, err));
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_pages(struct describer *describer, int32_t group, int32_t leaf,
                             stoa_error *err) {
    static const char *const orders[] = {"unordered", "ascending", "descending"};
    const stoa_parquet_footer *footer = describer->footer;
    const stoa_parquet_element *element = &footer->elements[footer->leaves[leaf].element];
    stoa_page_listing listing;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_page_listing_open(&listing, describer->context, describer->file, footer, group,
                                      leaf, err));
    if (listing.index_is_broken) {
        STOA_CHECK(stoa_buffer_append_text(describer->out, ", \"page_index\": \"corrupt\"", err));
    } else if (listing.index.all_null != NULL) {
        STOA_CHECK(stoa_buffer_append_format(describer->out, err, ", \"boundary_order\": \"%s\"",
                                             orders[listing.index.boundary_order]));
    }
    STOA_CHECK(stoa_buffer_append_text(describer->out, ", \"pages\": [", err));
    for (int32_t i = 0;; i++) {
        bool end;
        STOA_CHECK(stoa_page_listing_next(&listing, &end, err));
        if (end) {
            break;
        }
        STOA_CHECK(stoa_buffer_append_text(describer->out, i > 0 ? ",\n      " : "\n      ", err));
        STOA_CHECK(put_page(describer, &listing, element, err));
    }
    STOA_CHECK(stoa_buffer_append_text(describer->out, "]", err));

done:
    stoa_page_listing_close(&listing);
    return status;
}

static stoa_status put_place(struct describer *describer, const char *name,
                             stoa_parquet_place place, stoa_error *err) {
    if (place.offset <= 0) {
        return STOA_OK;
    }
    FORMAT(describer, ", \"%s_offset\": %" PRId64, name, place.offset);
    return place.bytes < 0 ? STOA_OK
                           : stoa_buffer_append_format(describer->out, err,
                                                       ", \"%s_bytes\": %" PRId64, name,
                                                       place.bytes);
}

static stoa_status put_pairs(struct describer *describer, const stoa_parquet_pair *pairs,
                             int32_t count, stoa_error *err) {
    TEXT(describer, "{");
    for (int32_t i = 0; i < count; i++) {
        TEXT(describer, i > 0 ? ",\n  " : "\n  ");
        STOA_TRY(put_string(describer, pairs[i].key, err));
        TEXT(describer, ": ");
        STOA_TRY(put_string(describer, pairs[i].value, err));
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_column(struct describer *describer, int32_t group, int32_t index,
                              stoa_error *err) {
    const stoa_parquet_column *column = &describer->footer->groups[group].columns[index];
    const stoa_parquet_leaf *leaf = &describer->footer->leaves[index];
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
        STOA_TRY(put_bounds(describer, index, &column->bounds, err));
    }
    STOA_TRY(put_place(describer, "bloom_filter", column->bloom, err));
    STOA_TRY(put_place(describer, "offset_index", column->offset_index, err));
    STOA_TRY(put_place(describer, "column_index", column->column_index, err));
    if (column->byte_array_bytes >= 0) {
        FORMAT(describer, ", \"byte_array_bytes\": %" PRId64, column->byte_array_bytes);
    }
    if (column->pair_count > 0) {
        TEXT(describer, ", \"metadata\": ");
        STOA_TRY(put_pairs(describer, column->pairs, column->pair_count, err));
    }
    if (column->crypto.is_encrypted) {
        FORMAT(describer, ", \"encrypted\": \"%s\"",
               column->crypto.is_locked     ? "locked"
               : column->crypto.has_own_key ? "with a key of its own"
                                            : "with the footer's key");
    }
    if (describer->with_pages && !column->crypto.is_locked) {
        STOA_TRY(put_pages(describer, group, index, err));
    }
    return stoa_buffer_append_text(describer->out, "}", err);
}

static stoa_status put_group(struct describer *describer, int32_t index, stoa_error *err) {
    const stoa_parquet_group *group = &describer->footer->groups[index];
    FORMAT(describer, "{\"rows\": %" PRId64 ", \"uncompressed_bytes\": %" PRId64
           ", \"sorted_by\": [", group->row_count, group->uncompressed_bytes);
    for (int32_t i = 0; i < group->sorting_count; i++) {
        const stoa_parquet_sorting *sorting = &group->sorting[i];
        TEXT(describer, i > 0 ? ", {\"path\": " : "{\"path\": ");
        STOA_TRY(put_string(describer, describer->footer->leaves[sorting->leaf].name, err));
        FORMAT(describer, ", \"descending\": %s, \"nulls_first\": %s}",
               sorting->descending ? "true" : "false", sorting->nulls_first ? "true" : "false");
    }
    TEXT(describer, "], \"columns\": [");
    for (int32_t i = 0; i < describer->footer->leaf_count; i++) {
        TEXT(describer, i > 0 ? ",\n    " : "\n    ");
        stoa_status status = put_column(describer, index, i, err);
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
    TEXT(describer, "],\n \"metadata\": ");
    STOA_TRY(put_pairs(describer, footer->pairs, footer->pair_count, err));
    return stoa_buffer_append_text(describer->out, "}\n", err);
}

stoa_status stoa_parquet_describe(const stoa_context *context, stoa_file *file,
                                  const stoa_parquet_keys *keys, bool with_pages,
                                  stoa_buffer *out_json, stoa_error *err) {
    stoa_parquet_footer footer;
    STOA_TRY(stoa_parquet_footer_read(context, file, keys, &footer, err));
    struct describer describer = {.context = context,
                                  .file = file,
                                  .footer = &footer,
                                  .out = out_json,
                                  .with_pages = with_pages};
    stoa_buffer_init(&describer.text, context->pool);
    stoa_status status = put_file(&describer, err);
    stoa_buffer_release(&describer.text);
    stoa_parquet_footer_release(&footer);
    return status;
}
