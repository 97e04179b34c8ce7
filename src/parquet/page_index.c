/* Both structs are lists side by side, one item a page, so their lengths must agree with each other
 * and their items are checked against the chunk. The bytes of an index are read whole, into the
 * arena, and bounds stay there.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": OffsetIndex, ColumnIndex */
#include "parquet/page_index.h"

#include "parquet/thrift_reader.h"

/* The fewest bytes of a PageLocation: three fields of two bytes and a stop. */
enum { LOCATION_BYTES_MIN = 7 };

struct parse {
    stoa_thrift_reader reader;
    stoa_arena *arena;
    stoa_page_index *out;
    const char *what;
    bool is_begun; /* page_count is known */
    stoa_status status;
    stoa_error *err;
};

static void *take_memory(struct parse *parse, size_t count, size_t size) {
    void *memory = NULL;
    if (parse->status == STOA_OK) {
        parse->status = stoa_arena_allocate_array(parse->arena, count, size, &memory, parse->err);
    }
    if (memory == NULL) {
        stoa_thrift_fail(&parse->reader, "no memory");
    }
    return memory;
}

/* The head of a list of one item a page. */
static size_t read_page_list(struct parse *parse, stoa_thrift_type type, stoa_thrift_type item,
                             size_t item_bytes_min) {
    const size_t count = stoa_thrift_read_list(&parse->reader, type, item, item_bytes_min);
    if (parse->reader.problem != NULL) {
        return 0;
    }
    if (count > INT32_MAX || (parse->is_begun && count != (size_t)parse->out->page_count)) {
        stoa_thrift_fail(&parse->reader, "expected as many items as the index has pages");
        return 0;
    }
    parse->out->page_count = (int32_t)count;
    parse->is_begun = true;
    return count;
}

static const int64_t *read_counts(struct parse *parse, stoa_thrift_type type) {
    const size_t count = read_page_list(parse, type, STOA_THRIFT_I64, 1);
    int64_t *values = take_memory(parse, count, sizeof *values);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        values[i] = stoa_thrift_read_i64(&parse->reader, STOA_THRIFT_I64);
    }
    return values;
}

/* ---- Offset index ---------------------------------------------------------------------------- */

static void read_location(stoa_thrift_reader *reader, stoa_page_location *out) {
    stoa_thrift_type type;
    int64_t offset = -1;
    int32_t bytes = -1;
    out->first_row = -1;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        switch (id) {
        case 1: offset = stoa_thrift_read_i64(reader, type); break;
        case 2: bytes = stoa_thrift_read_i32(reader, type); break;
        case 3: out->first_row = stoa_thrift_read_i64(reader, type); break;
        default: stoa_thrift_skip(reader, type); break;
        }
    }
    if (offset < 0 || bytes <= 0 || out->first_row < 0) {
        stoa_thrift_fail(reader, "expected a page's offset, size and first row");
    }
    out->offset = (uint64_t)offset;
    out->bytes = (uint32_t)bytes;
}

/* Pages without rows are allowed: their first row is that of the page behind them. */
static void check_location(stoa_thrift_reader *reader, const stoa_page_location *location,
                           const stoa_page_location *before, const stoa_parquet_column *column,
                           int64_t row_count) {
    const uint64_t end = column->offset + (uint64_t)column->compressed_bytes;
    const uint64_t begin = before != NULL ? before->offset + before->bytes : column->offset;
    const int64_t row = before != NULL ? before->first_row : 0;
    if (location->offset < begin || location->offset > end ||
        location->bytes > end - location->offset) {
        stoa_thrift_fail(reader, "expected pages in order and within their chunk");
    } else if (location->first_row < row || location->first_row > row_count ||
               (before == NULL && location->first_row != 0)) {
        stoa_thrift_fail(reader, "expected first rows in order, from 0 and within the row group");
    }
}

static void read_offset_index(struct parse *parse, const stoa_parquet_column *column,
                              int64_t row_count) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_thrift_type type;
    stoa_page_location *locations = NULL;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 1 && locations == NULL) {
            const size_t count =
                read_page_list(parse, type, STOA_THRIFT_STRUCT, LOCATION_BYTES_MIN);
            locations = take_memory(parse, count, sizeof *locations);
            for (size_t i = 0; i < count && reader->problem == NULL; i++) {
                read_location(reader, &locations[i]);
                if (reader->problem == NULL) {
                    check_location(reader, &locations[i], i > 0 ? &locations[i - 1] : NULL, column,
                                   row_count);
                }
            }
        } else if (id == 2 && parse->out->byte_array_bytes == NULL) {
            parse->out->byte_array_bytes = read_counts(parse, type);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
    if (locations == NULL) {
        stoa_thrift_fail(reader, "expected an offset index with page locations");
    }
    parse->out->locations = locations;
}

/* ---- Column index ---------------------------------------------------------------------------- */

static const bool *read_null_pages(struct parse *parse, stoa_thrift_type type) {
    const size_t count = read_page_list(parse, type, STOA_THRIFT_TRUE, 1);
    bool *values = take_memory(parse, count, sizeof *values);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        values[i] = stoa_thrift_read_item_bool(&parse->reader);
    }
    return values;
}

static const stoa_page_bound *read_page_bounds(struct parse *parse, stoa_thrift_type type) {
    const size_t count = read_page_list(parse, type, STOA_THRIFT_BINARY, 1);
    stoa_page_bound *bounds = take_memory(parse, count, sizeof *bounds);
    for (size_t i = 0; i < count && parse->reader.problem == NULL; i++) {
        bounds[i].bytes =
            stoa_thrift_read_binary(&parse->reader, STOA_THRIFT_BINARY, &bounds[i].size);
    }
    return bounds;
}

static void check_bounds(struct parse *parse, const stoa_parquet_element *element) {
    const stoa_page_index *index = parse->out;
    const size_t width = stoa_parquet_plain_width(element);
    const bool may_be_cut = element->physical == STOA_PARQUET_FIXED;
    if (index->all_null == NULL || index->min == NULL || index->max == NULL) {
        stoa_thrift_fail(&parse->reader, "expected a column index with null pages and bounds");
        return;
    }
    if (index->boundary_order < STOA_PARQUET_UNORDERED ||
        index->boundary_order > STOA_PARQUET_DESCENDING) {
        stoa_thrift_fail(&parse->reader, "expected a boundary order");
    }
    for (int32_t i = 0; i < index->page_count && width > 0; i++) {
        const size_t min = index->min[i].size, max = index->max[i].size;
        if (!index->all_null[i] && (min > width || max > width ||
                                    (!may_be_cut && (min < width || max < width)))) {
            stoa_thrift_fail(&parse->reader, "expected bounds as wide as the column's values");
        }
    }
}

/* A writer without statistics left indexes that call every page one of nulls, with counts of -1. */
static bool column_index_is_empty(const stoa_page_index *index, const stoa_parquet_leaf *leaf) {
    for (int32_t i = 0; i < index->page_count; i++) {
        if ((index->null_counts != NULL && index->null_counts[i] < 0) ||
            (index->all_null[i] && leaf->definition_max == 0)) {
            return true;
        }
    }
    return false;
}

static void forget_column_index(stoa_page_index *index) {
    index->all_null = NULL;
    index->min = index->max = NULL;
    index->null_counts = index->nan_counts = NULL;
    index->boundary_order = STOA_PARQUET_UNORDERED;
}

static void read_column_index(struct parse *parse, const stoa_parquet_leaf *leaf,
                              const stoa_parquet_element *element) {
    stoa_thrift_reader *reader = &parse->reader;
    stoa_page_index *out = parse->out;
    stoa_thrift_type type;
    out->boundary_order = -1;
    for (int16_t id = 0; stoa_thrift_next_field(reader, &id, &type);) {
        if (id == 1 && out->all_null == NULL) {
            out->all_null = read_null_pages(parse, type);
        } else if (id == 2 && out->min == NULL) {
            out->min = read_page_bounds(parse, type);
        } else if (id == 3 && out->max == NULL) {
            out->max = read_page_bounds(parse, type);
        } else if (id == 4) {
            out->boundary_order = stoa_thrift_read_i32(reader, type);
        } else if (id == 5 && out->null_counts == NULL) {
            out->null_counts = read_counts(parse, type);
        } else if (id == 8 && out->nan_counts == NULL) {
            out->nan_counts = read_counts(parse, type);
        } else {
            stoa_thrift_skip(reader, type);
        }
    }
    if (reader->problem == NULL) {
        check_bounds(parse, element);
    }
    if (reader->problem == NULL && column_index_is_empty(out, leaf)) {
        forget_column_index(out);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

size_t stoa_parquet_plain_width(const stoa_parquet_element *element) {
    switch (element->physical) {
    case STOA_PARQUET_BOOLEAN: return 1;
    case STOA_PARQUET_INT32:
    case STOA_PARQUET_FLOAT: return 4;
    case STOA_PARQUET_INT64:
    case STOA_PARQUET_DOUBLE: return 8;
    case STOA_PARQUET_INT96: return 12;
    case STOA_PARQUET_FIXED: return (size_t)element->type_length;
    default: return 0;
    }
}

static stoa_status fail_at(stoa_file *file, uint64_t offset, const char *what, const char *problem,
                           stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "%s at byte %" PRIu64 ": %s", what, offset, problem);
    stoa_error_set_file(err, file->uri, (int64_t)offset);
    return STOA_CORRUPT;
}

/* Bytes that belong to a chunk and stand before the footer. */
static stoa_status read_place(stoa_file *file, const stoa_parquet_footer *footer,
                              stoa_parquet_place place, const char *what, stoa_arena *arena,
                              uint8_t **out, stoa_error *err) {
    const uint64_t end = footer->footer_offset;
    void *memory;
    if (place.offset < STOA_PARQUET_MAGIC_BYTES || (uint64_t)place.offset > end ||
        place.bytes <= 0 || (uint64_t)place.bytes > end - (uint64_t)place.offset) {
        return fail_at(file, end, what, "expected it to lie before the footer", err);
    }
    STOA_TRY(stoa_arena_allocate(arena, (size_t)place.bytes, &memory, err));
    *out = memory;
    return stoa_file_read(file, (uint64_t)place.offset, memory, (size_t)place.bytes, err);
}

static bool is_there(stoa_parquet_place place) {
    return place.offset > 0 && place.bytes != 0;
}

static stoa_status begin(struct parse *parse, stoa_file *file, const stoa_parquet_footer *footer,
                         const stoa_parquet_column *column, stoa_parquet_module module,
                         stoa_parquet_place place) {
    uint8_t *bytes = NULL;
    size_t size = (size_t)place.bytes, used;
    STOA_TRY(read_place(file, footer, place, parse->what, parse->arena, &bytes,
                                     parse->err));
    STOA_TRY(stoa_parquet_column_decrypt(parse->arena->pool, column, module, bytes, &size, &used,
                                         parse->err));
    parse->reader = stoa_thrift_reader_of(bytes, size);
    return STOA_OK;
}

static stoa_status end(struct parse *parse, stoa_file *file, stoa_parquet_place place) {
    STOA_TRY(parse->status);
    if (parse->reader.problem != NULL) {
        return fail_at(file, (uint64_t)place.offset + parse->reader.bytes.position, parse->what,
                       parse->reader.problem, parse->err);
    }
    return STOA_OK;
}

stoa_status stoa_page_locations_read(stoa_file *file, const stoa_parquet_footer *footer,
                                     int32_t group, int32_t leaf, stoa_arena *arena,
                                     stoa_page_index *out, stoa_error *err) {
    const stoa_parquet_column *column = &footer->groups[group].columns[leaf];
    struct parse parse = {.arena = arena, .out = out, .err = err, .what = "offset index"};
    *out = (stoa_page_index){0};
    if (column->crypto.is_locked || !is_there(column->offset_index)) {
        return STOA_OK;
    }
    STOA_TRY(begin(&parse, file, footer, column, STOA_PARQUET_MODULE_OFFSET_INDEX,
                   column->offset_index));
    read_offset_index(&parse, column, footer->groups[group].row_count);
    return end(&parse, file, column->offset_index);
}

stoa_status stoa_page_index_read(stoa_file *file, const stoa_parquet_footer *footer, int32_t group,
                                 int32_t leaf, stoa_arena *arena, stoa_page_index *out,
                                 stoa_error *err) {
    const stoa_parquet_column *column = &footer->groups[group].columns[leaf];
    struct parse parse = {.arena = arena, .out = out, .err = err};
    STOA_TRY(stoa_page_locations_read(file, footer, group, leaf, arena, out, err));
    if (!column->crypto.is_locked && is_there(column->column_index)) {
        parse.what = "column index";
        parse.is_begun = out->locations != NULL;
        STOA_TRY(begin(&parse, file, footer, column, STOA_PARQUET_MODULE_COLUMN_INDEX,
                       column->column_index));
        read_column_index(&parse, &footer->leaves[leaf],
                          &footer->elements[footer->leaves[leaf].element]);
        STOA_TRY(end(&parse, file, column->column_index));
    }
    return STOA_OK;
}
