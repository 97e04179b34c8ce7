/* What a file holds as lines of text: the file, its schema as Parquet's own tools show it, then for each
 * row group its columns, a few lines each so that 80 columns are enough, and on request their pages. */
#include <stdio.h>

#include "base/checked.h"
#include "parquet/bound_print.h"
#include "parquet/page_listing.h"
#include "parquet/verify.h"

enum { BOUND_BYTES_MAX = 28, PAGE_BOUND_BYTES_MAX = 12, METADATA_BYTES_MAX = 60, LINE_COLUMNS = 80 };

struct describer {
    const stoa_context *context;
    stoa_file *file;
    const stoa_parquet_footer *footer;
    stoa_buffer *out;
    bool with_pages;
    stoa_buffer bounds; /* of one page */
};

#define TEXT(describer, text) STOA_TRY(stoa_buffer_append_text((describer)->out, (text), err))
#define FORMAT(describer, ...) STOA_TRY(stoa_buffer_append_format((describer)->out, err, __VA_ARGS__))

/* A name, or a number that has none. */
static stoa_status put_name(struct describer *describer, const char *name, int32_t number,
                            stoa_error *err) {
    return name != NULL ? stoa_buffer_append_text(describer->out, name, err)
                        : stoa_buffer_append_format(describer->out, err, "%" PRId32, number);
}

static stoa_status put_text(struct describer *describer, const char *text, stoa_error *err) {
    return stoa_parquet_text_print(text, strlen(text), SIZE_MAX, describer->out, err);
}

static stoa_status put_ratio(struct describer *describer, int64_t plain, int64_t stored,
                             stoa_error *err) {
    return stored > 0 ? stoa_buffer_append_format(describer->out, err, "%.2f",
                                                  (double)plain / (double)stored)
                      : stoa_buffer_append_text(describer->out, "-", err);
}

/* ---- File and schema ------------------------------------------------------------------------- */

static stoa_status put_head(struct describer *describer, stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    FORMAT(describer, "Parquet version %" PRId32 ", %" PRId64 " rows, %" PRId32 " row groups, %"
           PRId32 " columns, %" PRIu64 " bytes\n", footer->version, footer->row_count,
           footer->group_count, footer->leaf_count, footer->file_bytes);
    if (footer->created_by != NULL) {
        TEXT(describer, "written by ");
        STOA_TRY(put_text(describer, footer->created_by, err));
        TEXT(describer, "\n");
    }
    for (int32_t i = 0; i < footer->pair_count; i++) {
        const stoa_parquet_pair *pair = &footer->pairs[i];
        TEXT(describer, i == 0 ? "metadata\n  " : "  ");
        STOA_TRY(put_text(describer, pair->key, err));
        if (pair->value != NULL) {
            TEXT(describer, ": ");
            STOA_TRY(stoa_parquet_text_print(pair->value, pair->value_size, METADATA_BYTES_MAX,
                                             describer->out, err));
        }
        TEXT(describer, "\n");
    }
    return STOA_OK;
}

static stoa_status put_indent(struct describer *describer, int32_t depth, stoa_error *err) {
    return stoa_buffer_append_fill(describer->out, ' ', 2 * (size_t)depth, err);
}

/* Elements stand in depth-first order; `left` counts children that are still to come. */
static stoa_status put_schema(struct describer *describer, stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    int32_t left[STOA_PARQUET_TREE_DEPTH_MAX + 1];
    int32_t depth = 0;
    TEXT(describer, "\nmessage ");
    STOA_TRY(put_text(describer, footer->elements[0].name, err));
    TEXT(describer, " {\n");
    left[0] = footer->elements[0].child_count;
    for (int32_t i = 1; i < footer->element_count; i++) {
        const stoa_parquet_element *element = &footer->elements[i];
        const char *repetition = stoa_parquet_repetition_name(element->repetition);
        left[depth]--;
        STOA_TRY(put_indent(describer, depth + 1, err));
        for (const char *at = repetition; *at != '\0'; at++) {
            STOA_TRY(stoa_buffer_append_byte(describer->out, (uint8_t)(*at | 0x20), err));
        }
        TEXT(describer, " ");
        STOA_TRY(stoa_parquet_type_print(element, element->name, describer->out, err));
        if (element->field_id >= 0) {
            FORMAT(describer, " = %" PRId32, element->field_id);
        }
        TEXT(describer, element->physical < 0 ? " {\n" : ";\n");
        if (element->physical < 0) {
            left[++depth] = element->child_count;
        }
        while (depth > 0 && left[depth] == 0) {
            STOA_TRY(put_indent(describer, depth, err));
            TEXT(describer, "}\n");
            depth--;
        }
    }
    return stoa_buffer_append_text(describer->out, "}\n", err);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static stoa_status print_bounds(const stoa_parquet_element *element, stoa_page_bound min,
                                stoa_page_bound max, size_t bytes_max, stoa_buffer *out,
                                stoa_error *err) {
    if (min.bytes != NULL) {
        STOA_TRY(stoa_parquet_bound_print(element, min.bytes, min.size, bytes_max, out, err));
    }
    STOA_TRY(stoa_buffer_append_text(out, " … ", err));
    if (max.bytes != NULL) {
        STOA_TRY(stoa_parquet_bound_print(element, max.bytes, max.size, bytes_max, out, err));
    }
    return STOA_OK;
}

static size_t count_columns(const uint8_t *text, size_t size) {
    size_t columns = 0;
    for (size_t i = 0; i < size; i++) {
        columns += (text[i] & 0xC0) != 0x80;
    }
    return columns;
}

/* Behind what stands in the page's line, or in a line of their own where that becomes too long. */
static stoa_status put_page_bounds(struct describer *describer, const stoa_page_listing *listing,
                                   const stoa_parquet_element *element, size_t line_begin,
                                   stoa_error *err) {
    const stoa_page_index *index = &listing->index;
    const int32_t at = listing->data_page;
    stoa_buffer *bounds = &describer->bounds;
    stoa_buffer *out = describer->out;
    if (at < 0 || index->all_null == NULL) {
        return STOA_OK;
    }
    if (index->all_null[at]) {
        return stoa_buffer_append_text(out, " nulls", err);
    }
    stoa_buffer_clear(bounds);
    STOA_TRY(print_bounds(element, index->min[at], index->max[at], PAGE_BOUND_BYTES_MAX, bounds,
                          err));
    const size_t columns = count_columns(out->data + line_begin, out->size - line_begin) + 1 +
                           count_columns(bounds->data, bounds->size);
    STOA_TRY(stoa_buffer_append_text(out, columns > LINE_COLUMNS ? "\n            " : " ", err));
    return stoa_buffer_append(out, bounds->data, bounds->size, err);
}

static stoa_status put_page_kind(struct describer *describer, const stoa_page_listing *listing,
                                 stoa_error *err) {
    const int32_t number = listing->data_page_count - 1;
    switch (listing->page.kind) {
    case STOA_PARQUET_DICTIONARY_PAGE: FORMAT(describer, "  %7s", "dict"); break;
    case STOA_PARQUET_DATA_PAGE: FORMAT(describer, "  %4" PRId32 " v1", number); break;
    case STOA_PARQUET_DATA_PAGE_V2: FORMAT(describer, "  %4" PRId32 " v2", number); break;
    default: FORMAT(describer, "  %7s", "index"); break;
    }
    return STOA_OK;
}

static stoa_status put_encoding(struct describer *describer, const stoa_parquet_page *page,
                                stoa_error *err) {
    if (page->encoding >= 0) {
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(page->encoding), page->encoding,
                          err));
    }
    if (page->kind == STOA_PARQUET_DATA_PAGE_V2) {
        FORMAT(describer, ", levels %" PRIu32 "+%" PRIu32, page->repetition_bytes,
               page->definition_bytes);
    } else if (page->kind == STOA_PARQUET_DATA_PAGE &&
               (page->definition_encoding == STOA_PARQUET_BIT_PACKED ||
                page->repetition_encoding == STOA_PARQUET_BIT_PACKED)) {
        TEXT(describer, ", levels BIT_PACKED");
    }
    return STOA_OK;
}

static stoa_status put_page(struct describer *describer, const stoa_page_listing *listing,
                            const stoa_parquet_element *element, stoa_error *err) {
    static const char *const checksums[] = {"none", "good", "BAD"};
    const stoa_parquet_page *page = &listing->page;
    const stoa_page_index *index = &listing->index;
    const int32_t at = listing->data_page;
    const size_t begin = describer->out->size;
    char ratio[16] = "-", row[24] = "";
    if (page->body_bytes > 0) {
        (void)snprintf(ratio, sizeof ratio, "%.2f",
                       (double)page->plain_bytes / (double)page->body_bytes);
    }
    if (at >= 0 && index->locations != NULL) {
        (void)snprintf(row, sizeof row, "%" PRId64, index->locations[at].first_row);
    }
    STOA_TRY(put_page_kind(describer, listing, err));
    FORMAT(describer, " %9" PRIu64 " %8" PRIu64 " %5s %6" PRId64 " %8s %-4s ", page->offset,
           page->body_offset - page->offset + page->body_bytes, ratio, page->value_count, row,
           checksums[listing->checksum]);
    STOA_TRY(put_encoding(describer, page, err));
    STOA_TRY(put_page_bounds(describer, listing, element, begin, err));
    return stoa_buffer_append_text(describer->out, "\n", err);
}

static stoa_status put_pages(struct describer *describer, int32_t group, int32_t leaf,
                             stoa_error *err) {
    static const char *const orders[] = {", bounds unordered", ", bounds ascending",
                                         ", bounds descending"};
    const stoa_parquet_footer *footer = describer->footer;
    const stoa_parquet_element *element = &footer->elements[footer->leaves[leaf].element];
    stoa_page_listing listing;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_page_listing_open(&listing, describer->context, describer->file, footer, group,
                                      leaf, err));
    STOA_CHECK(stoa_buffer_append_format(
        describer->out, err, "  %7s %9s %8s %5s %6s %8s %-4s %s%s\n", "page", "at byte",
        "bytes", "ratio", "values", "from row", "crc", "encoding",
        listing.index_is_broken          ? ", bounds: corrupt"
        : listing.index.all_null != NULL ? orders[listing.index.boundary_order]
                                         : ""));
    while (true) {
        bool end;
        STOA_CHECK(stoa_page_listing_next(&listing, &end, err));
        if (end) {
            break;
        }
        STOA_CHECK(put_page(describer, &listing, element, err));
    }

done:
    stoa_page_listing_close(&listing);
    return status;
}

/* ---- Row groups ------------------------------------------------------------------------------ */

static stoa_status put_statistics(struct describer *describer, const stoa_parquet_element *element,
                                  const stoa_parquet_column *column, stoa_error *err) {
    const stoa_parquet_bounds *bounds = &column->bounds;
    FORMAT(describer, "    %" PRId64 " values", column->value_count);
    if (!column->has_bounds) {
        return stoa_buffer_append_text(describer->out, "\n", err);
    }
    if (bounds->null_count >= 0) {
        FORMAT(describer, ", %" PRId64 " nulls", bounds->null_count);
    }
    if (bounds->nan_count >= 0) {
        FORMAT(describer, ", %" PRId64 " NaN", bounds->nan_count);
    }
    if (bounds->distinct_count >= 0) {
        FORMAT(describer, ", %" PRId64 " distinct", bounds->distinct_count);
    }
    if (bounds->min != NULL || bounds->max != NULL) {
        const stoa_page_bound min = {bounds->min, bounds->min_size};
        const stoa_page_bound max = {bounds->max, bounds->max_size};
        TEXT(describer, "\n    ");
        STOA_TRY(print_bounds(element, min, max, BOUND_BYTES_MAX, describer->out, err));
    }
    return stoa_buffer_append_text(describer->out, "\n", err);
}

static stoa_status put_index_places(struct describer *describer, const stoa_parquet_column *column,
                                    stoa_error *err) {
    const char *before = "    ";
    if (column->offset_index.offset > 0) {
        FORMAT(describer, "%soffset index at %" PRId64, before, column->offset_index.offset);
        before = ", ";
    }
    if (column->column_index.offset > 0) {
        FORMAT(describer, "%scolumn index at %" PRId64, before, column->column_index.offset);
        before = ", ";
    }
    if (column->bloom.offset > 0) {
        FORMAT(describer, "%sbloom at %" PRId64, before, column->bloom.offset);
        before = ", ";
        if (column->bloom.bytes > 0) {
            FORMAT(describer, " (%" PRId64 " bytes)", column->bloom.bytes);
        }
    }
    return before[0] == ',' ? stoa_buffer_append_text(describer->out, "\n", err) : STOA_OK;
}

static stoa_status put_column(struct describer *describer, int32_t group, int32_t index,
                              stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    const stoa_parquet_column *column = &footer->groups[group].columns[index];
    const stoa_parquet_element *element = &footer->elements[footer->leaves[index].element];
    TEXT(describer, "  ");
    STOA_TRY(put_text(describer, footer->leaves[index].name, err));
    TEXT(describer, ": ");
    STOA_TRY(stoa_parquet_type_print(element, NULL, describer->out, err));
    TEXT(describer, "\n    ");
    if (column->crypto.is_encrypted) {
        TEXT(describer, column->crypto.is_locked     ? "encrypted, without its key; "
                        : column->crypto.has_own_key ? "encrypted with a key of its own; "
                                                     : "encrypted with the footer's key; ");
    }
    STOA_TRY(put_name(describer, stoa_parquet_compression_name(column->compression),
                      column->compression, err));
    FORMAT(describer, ", %" PRId64 " bytes at byte %" PRIu64 ", ratio ", column->compressed_bytes,
           column->offset);
    STOA_TRY(put_ratio(describer, column->uncompressed_bytes, column->compressed_bytes, err));
    for (int32_t i = 0; i < column->encoding_count; i++) {
        TEXT(describer, i == 0 ? "; " : ", ");
        STOA_TRY(put_name(describer, stoa_parquet_encoding_name(column->encodings[i]),
                          column->encodings[i], err));
    }
    TEXT(describer, "\n");
    STOA_TRY(put_statistics(describer, element, column, err));
    STOA_TRY(put_index_places(describer, column, err));
    return describer->with_pages && !column->crypto.is_locked
               ? put_pages(describer, group, index, err)
               : STOA_OK;
}

/* Nobody vouches for these numbers, so their sum stops where it would overflow. */
static int64_t add(int64_t sum, int64_t bytes) {
    return stoa_add_i64(sum, bytes, &sum) ? sum : INT64_MAX;
}

static stoa_status put_group(struct describer *describer, int32_t index, stoa_error *err) {
    const stoa_parquet_footer *footer = describer->footer;
    const stoa_parquet_group *group = &footer->groups[index];
    int64_t stored = 0, plain = 0;
    for (int32_t i = 0; i < footer->leaf_count; i++) {
        stored = add(stored, group->columns[i].compressed_bytes);
        plain = add(plain, group->columns[i].uncompressed_bytes);
    }
    FORMAT(describer, "\nrow group %" PRId32 ": %" PRId64 " rows, %" PRId64 " bytes, ratio ", index,
           group->row_count, stored);
    STOA_TRY(put_ratio(describer, plain, stored, err));
    for (int32_t i = 0; i < group->sorting_count; i++) {
        TEXT(describer, i == 0 ? ", sorted by " : ", ");
        STOA_TRY(put_text(describer, footer->leaves[group->sorting[i].leaf].name, err));
        TEXT(describer, group->sorting[i].descending ? " descending" : "");
        TEXT(describer, group->sorting[i].nulls_first ? " nulls first" : "");
    }
    TEXT(describer, "\n");
    for (int32_t i = 0; i < footer->leaf_count; i++) {
        stoa_status status = put_column(describer, index, i, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "row group %" PRId32 ", column '%s'", index, footer->leaves[i].name);
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status put_file(struct describer *describer, stoa_error *err) {
    STOA_TRY(put_head(describer, err));
    STOA_TRY(put_schema(describer, err));
    for (int32_t i = 0; i < describer->footer->group_count; i++) {
        STOA_TRY(put_group(describer, i, err));
    }
    return STOA_OK;
}

stoa_status stoa_parquet_describe_text(const stoa_context *context, stoa_file *file,
                                       const stoa_parquet_keys *keys, bool with_pages,
                                       stoa_buffer *out, stoa_error *err) {
    stoa_parquet_footer footer;
    STOA_TRY(stoa_parquet_footer_read(context, file, keys, &footer, err));
    struct describer describer = {.context = context,
                                  .file = file,
                                  .footer = &footer,
                                  .out = out,
                                  .with_pages = with_pages};
    stoa_buffer_init(&describer.bounds, context->pool);
    stoa_status status = put_file(&describer, err);
    stoa_buffer_release(&describer.bounds);
    stoa_parquet_footer_release(&footer);
    return status;
}
