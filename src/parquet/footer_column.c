/* What a footer says about values: statistics, encodings, sizes, the order of rows and of bounds.
 * Nothing here decides whether a chunk can be read, so numbers are kept as they stand where a reader
 * can do without them.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": Statistics, PageEncodingStats,
 *          SizeStatistics, SortingColumn, ColumnOrder, KeyValue */
#include "parquet/footer_parse.h"

/* The fewest bytes of a struct with the fields that must be there. */
enum { PAIR_BYTES_MIN = 3, ENCODING_COUNT_BYTES_MIN = 7, SORTING_BYTES_MIN = 5, ORDER_BYTES_MIN = 1 };

void *stoa_footer_take_memory(stoa_footer_parse *parse, size_t count, size_t size) {
    void *memory = NULL;
    if (parse->status == STOA_OK) {
        parse->status =
            stoa_arena_allocate_array(&parse->footer->arena, count, size, &memory, parse->err);
    }
    if (memory == NULL) {
        stoa_thrift_fail(&parse->reader, "no memory");
    }
    return memory;
}

const char *stoa_footer_read_text(stoa_footer_parse *parse, stoa_thrift_type type,
                                  size_t *out_size) {
    size_t size;
    const uint8_t *bytes = stoa_thrift_read_binary(&parse->reader, type, &size);
    const char *text = NULL;
    if (bytes != NULL && parse->status == STOA_OK) {
        parse->status = stoa_arena_copy_text(&parse->footer->arena, (const char *)bytes, size,
                                             &text, parse->err);
        if (text == NULL) {
            stoa_thrift_fail(&parse->reader, "no memory");
        }
    }
    if (out_size != NULL) {
        *out_size = size;
    }
    return text;
}

static const uint8_t *read_bytes(stoa_footer_parse *parse, stoa_thrift_type type,
                                 size_t *out_size) {
    return (const uint8_t *)stoa_footer_read_text(parse, type, out_size);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

/* The first bounds that Parquet had compare as signed numbers or bytes, whatever the column's type. */
void stoa_footer_read_statistics(stoa_footer_parse *parse, stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    stoa_parquet_bounds *bounds = &out->bounds;
    stoa_parquet_bounds old = {0};
    out->has_bounds = true;
    *bounds = (stoa_parquet_bounds){.null_count = -1, .distinct_count = -1, .nan_count = -1};
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: old.max = read_bytes(parse, type, &old.max_size); break;
        case 2: old.min = read_bytes(parse, type, &old.min_size); break;
        case 3: bounds->null_count = stoa_thrift_read_i64(reader, type); break;
        case 4: bounds->distinct_count = stoa_thrift_read_i64(reader, type); break;
        case 5: bounds->max = read_bytes(parse, type, &bounds->max_size); break;
        case 6: bounds->min = read_bytes(parse, type, &bounds->min_size); break;
        case 7: bounds->max_exact = stoa_thrift_read_bool(reader, type); break;
        case 8: bounds->min_exact = stoa_thrift_read_bool(reader, type); break;
        case 9: bounds->nan_count = stoa_thrift_read_i64(reader, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (bounds->min == NULL && bounds->max == NULL && (old.min != NULL || old.max != NULL)) {
        bounds->min = old.min;
        bounds->min_size = old.min_size;
        bounds->max = old.max;
        bounds->max_size = old.max_size;
        bounds->is_deprecated = true;
    }
}

static bool is_unsigned(const stoa_parquet_element *element) {
    if (element->logical == STOA_PARQUET_LOGICAL_INTEGER) {
        return !element->logical_signed;
    }
    return element->converted >= STOA_PARQUET_CONVERTED_UINT_8 &&
           element->converted <= STOA_PARQUET_CONVERTED_UINT_64;
}

/* Writers disagreed about bytes, so only numbers keep such bounds. */
void stoa_footer_settle_statistics(const stoa_parquet_element *element, stoa_parquet_column *column) {
    const int32_t physical = element->physical;
    const bool is_number = physical == STOA_PARQUET_INT32 || physical == STOA_PARQUET_INT64 ||
                           physical == STOA_PARQUET_FLOAT || physical == STOA_PARQUET_DOUBLE;
    if (column->bounds.is_deprecated && (!is_number || is_unsigned(element))) {
        column->bounds.min = column->bounds.max = NULL;
        column->bounds.min_size = column->bounds.max_size = 0;
        column->bounds.is_deprecated = false;
    }
}

bool stoa_parquet_bounds_are_ordered(const stoa_parquet_footer *footer, int32_t leaf,
                                     const stoa_parquet_bounds *bounds) {
    return bounds->is_deprecated ||
           (footer->orders != NULL && footer->orders[leaf] == STOA_PARQUET_ORDER_TYPE);
}

/* ---- Encodings and sizes --------------------------------------------------------------------- */

void stoa_footer_read_encodings(stoa_footer_parse *parse, stoa_thrift_type type,
                                stoa_parquet_column *out) {
    const size_t count = stoa_thrift_read_list(&parse->reader, type, STOA_THRIFT_I32, 1);
    int32_t *encodings = stoa_footer_take_memory(parse, count, sizeof *encodings);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        encodings[i] = stoa_thrift_read_i32(&parse->reader, STOA_THRIFT_I32);
    }
    out->encodings = encodings;
    out->encoding_count = (int32_t)count;
}

static void read_encoding_counts(stoa_footer_parse *parse, stoa_thrift_type type,
                                 stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    const size_t count =
        stoa_thrift_read_list(reader, type, STOA_THRIFT_STRUCT, ENCODING_COUNT_BYTES_MIN);
    stoa_parquet_encoding_count *counts = stoa_footer_take_memory(parse, count, sizeof *counts);
    for (size_t i = 0; i < count && reader->problem == NULL; i++) {
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
            switch (id) {
            case 1: counts[i].page_kind = stoa_thrift_read_i32(reader, type); break;
            case 2: counts[i].encoding = stoa_thrift_read_i32(reader, type); break;
            case 3: counts[i].page_count = stoa_thrift_read_i32(reader, type); break;
            default: stoa_thrift_skip(reader, type); break;
            }
        }
    }
    out->encoding_counts = counts;
    out->encoding_count_count = (int32_t)count;
}

/* The histograms of levels have no reader yet. */
static void read_sizes(stoa_footer_parse *parse, stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 1) {
            out->byte_array_bytes = stoa_thrift_read_i64(reader, type);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
}

/* ---- Metadata -------------------------------------------------------------------------------- */

void stoa_footer_read_pairs(stoa_footer_parse *parse, stoa_thrift_type type,
                            const stoa_parquet_pair **out, int32_t *out_count) {
    stoa_thrift_reader *reader = &parse->reader;
    const size_t count = stoa_thrift_read_list(reader, type, STOA_THRIFT_STRUCT, PAIR_BYTES_MIN);
    stoa_parquet_pair *pairs = stoa_footer_take_memory(parse, count, sizeof *pairs);
    for (size_t i = 0; i < count && reader->problem == NULL; i++) {
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
            switch (id) {
            case 1: pairs[i].key = stoa_footer_read_text(parse, type, NULL); break;
            case 2: pairs[i].value = stoa_footer_read_text(parse, type, &pairs[i].value_size); break;
            default: stoa_thrift_skip(reader, type); break;
            }
        }
        if (pairs[i].key == NULL) {
            stoa_thrift_fail(reader, "expected metadata with a key");
        }
    }
    *out = pairs;
    *out_count = (int32_t)count;
}

void stoa_footer_read_extra(stoa_footer_parse *parse, int16_t id, stoa_thrift_type type,
                            stoa_parquet_column *out) {
    stoa_thrift_reader *reader = &parse->reader;
    if (id == 8 && type == STOA_THRIFT_LIST) {
        stoa_footer_read_pairs(parse, type, &out->pairs, &out->pair_count);
    } else if (id == 13 && type == STOA_THRIFT_LIST) {
        read_encoding_counts(parse, type, out);
    } else if (id == 14 && type == STOA_THRIFT_I64) {
        out->bloom.offset = stoa_thrift_read_i64(reader, type);
    } else if (id == 15 && type == STOA_THRIFT_I32) {
        out->bloom.bytes = stoa_thrift_read_i32(reader, type);
    } else if (id == 16 && type == STOA_THRIFT_STRUCT) {
        read_sizes(parse, out);
    } else {
        stoa_thrift_skip(reader, type);
    }
}

/* ---- Orders ---------------------------------------------------------------------------------- */

void stoa_footer_read_sorting(stoa_footer_parse *parse, stoa_thrift_type type,
                              stoa_parquet_group *out) {
    stoa_thrift_reader *reader = &parse->reader;
    const size_t count = stoa_thrift_read_list(reader, type, STOA_THRIFT_STRUCT, SORTING_BYTES_MIN);
    stoa_parquet_sorting *sorting = stoa_footer_take_memory(parse, count, sizeof *sorting);
    for (size_t i = 0; i < count && reader->problem == NULL; i++) {
        sorting[i].leaf = -1;
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
            switch (id) {
            case 1: sorting[i].leaf = stoa_thrift_read_i32(reader, type); break;
            case 2: sorting[i].descending = stoa_thrift_read_bool(reader, type); break;
            case 3: sorting[i].nulls_first = stoa_thrift_read_bool(reader, type); break;
            default: stoa_thrift_skip(reader, type); break;
            }
        }
    }
    /* What comes behind a column that the file lacks orders nothing. */
    size_t known = 0;
    while (reader->problem == NULL && known < count && sorting[known].leaf >= 0 &&
           sorting[known].leaf < parse->footer->leaf_count) {
        known++;
    }
    out->sorting = sorting;
    out->sorting_count = (int32_t)known;
}

void stoa_footer_read_orders(stoa_footer_parse *parse, stoa_thrift_type type) {
    stoa_thrift_reader *reader = &parse->reader;
    const size_t count = stoa_thrift_read_list(reader, type, STOA_THRIFT_STRUCT, ORDER_BYTES_MIN);
    int32_t *orders = stoa_footer_take_memory(parse, count, sizeof *orders);
    for (size_t i = 0; i < count && reader->problem == NULL; i++) {
        for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
            orders[i] = id;
            stoa_thrift_skip(reader, type);
        }
    }
    parse->footer->orders = count == (size_t)parse->footer->leaf_count ? orders : NULL;
}
