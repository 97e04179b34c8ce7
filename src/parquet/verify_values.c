/* The chunk is read a piece of rows at a time, and each value compared with the bounds of the chunk and of
 * the page that it stands in. Comparing is written anew here, from the words of the format, and not
 * shared with those who write bounds or skip by them.
 *
 * Source   Apache Parquet format 2.12, "parquet.thrift": ColumnOrder, ColumnIndex */
#include "parquet/verify_values.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "parquet/bloom_filter.h"

enum { ROWS_MAX = 4096, PIECE_BYTES = 16 << 20 };

/* How values of a leaf compare. */
enum order { NO_ORDER, BIT, SIGNED_32, UNSIGNED_32, SIGNED_64, UNSIGNED_64, FLOAT_32, FLOAT_64, BYTES,
             BIG_ENDIAN };

struct check {
    const stoa_context *context;
    const stoa_parquet_column *column;
    const stoa_parquet_leaf *leaf;
    const stoa_parquet_element *element;
    const stoa_page_index *index;
    stoa_bloom_filter bloom;
    enum order order;
    bool has_chunk_bounds;
    bool has_page_bounds;
    stoa_page_bound chunk_min; /* bytes NULL: none */
    stoa_page_bound chunk_max;
    int64_t null_count;
    int64_t piece_rows;
    stoa_chunk_reader reader;
    stoa_chunk_values values;
};

/* ---- Orders ---------------------------------------------------------------------------------- */

static bool is_unsigned(const stoa_parquet_element *element) {
    return element->logical == STOA_PARQUET_LOGICAL_INTEGER
               ? !element->logical_signed
               : element->converted >= STOA_PARQUET_CONVERTED_UINT_8 &&
                     element->converted <= STOA_PARQUET_CONVERTED_UINT_64;
}

static enum order bytes_order(const stoa_parquet_element *element) {
    if (element->logical == STOA_PARQUET_LOGICAL_DECIMAL ||
        element->converted == STOA_PARQUET_CONVERTED_DECIMAL) {
        return BIG_ENDIAN;
    }
    switch (element->logical) {
    case STOA_PARQUET_LOGICAL_NONE:
        return element->converted == STOA_PARQUET_CONVERTED_INTERVAL ? NO_ORDER : BYTES;
    case STOA_PARQUET_LOGICAL_STRING:
    case STOA_PARQUET_LOGICAL_ENUM:
    case STOA_PARQUET_LOGICAL_JSON:
    case STOA_PARQUET_LOGICAL_BSON:
    case STOA_PARQUET_LOGICAL_UUID: return BYTES;
    default: return NO_ORDER; /* half floats, geometries, what is not known yet */
    }
}

static enum order order_of(const stoa_parquet_element *element) {
    if (element->logical == STOA_PARQUET_LOGICAL_UNKNOWN) {
        return NO_ORDER;
    }
    switch (element->physical) {
    case STOA_PARQUET_BOOLEAN: return BIT;
    case STOA_PARQUET_INT32: return is_unsigned(element) ? UNSIGNED_32 : SIGNED_32;
    case STOA_PARQUET_INT64: return is_unsigned(element) ? UNSIGNED_64 : SIGNED_64;
    case STOA_PARQUET_FLOAT: return FLOAT_32;
    case STOA_PARQUET_DOUBLE: return FLOAT_64;
    case STOA_PARQUET_BYTE_ARRAY:
    case STOA_PARQUET_FIXED: return bytes_order(element);
    default: return NO_ORDER;
    }
}

/* Byte `at` of `size`, counted from the most significant of `width`, of a number in two's complement. */
static uint8_t digit_of(const uint8_t *bytes, size_t size, size_t width, size_t at) {
    const size_t missing = width - size;
    return at >= missing ? bytes[at - missing] : size > 0 && bytes[0] >= 0x80 ? 0xFF : 0;
}

static bool less_big_endian(const uint8_t *left, size_t left_size, const uint8_t *right,
                            size_t right_size) {
    const size_t width = left_size > right_size ? left_size : right_size;
    for (size_t i = 0; i < width; i++) {
        const uint8_t flip = i == 0 ? 0x80 : 0;
        const uint8_t a = digit_of(left, left_size, width, i) ^ flip;
        const uint8_t b = digit_of(right, right_size, width, i) ^ flip;
        if (a != b) {
            return a < b;
        }
    }
    return false;
}

#define LESS_AS(TYPE)                                                                              \
    do {                                                                                           \
        TYPE a, b;                                                                                 \
        memcpy(&a, left.bytes, sizeof a);                                                          \
        memcpy(&b, right.bytes, sizeof b);                                                         \
        return a < b;                                                                              \
    } while (0)

/* False where either is NaN. Sizes were checked. */
static bool is_less(enum order order, stoa_page_bound left, stoa_page_bound right) {
    switch (order) {
    case NO_ORDER: return false;
    case BIT: LESS_AS(uint8_t);
    case SIGNED_32: LESS_AS(int32_t);
    case UNSIGNED_32: LESS_AS(uint32_t);
    case SIGNED_64: LESS_AS(int64_t);
    case UNSIGNED_64: LESS_AS(uint64_t);
    case FLOAT_32: LESS_AS(float);
    case FLOAT_64: LESS_AS(double);
    case BYTES: return stoa_bytes_compare(left.bytes, left.size, right.bytes, right.size) < 0;
    case BIG_ENDIAN: return less_big_endian(left.bytes, left.size, right.bytes, right.size);
    }
    return false;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static stoa_status fail_page(const struct check *check, int32_t page, const char *problem,
                             stoa_error *err) {
    stoa_fail(err, STOA_CORRUPT, "data page %" PRId32 ": %s", page, problem);
    stoa_error_set_file(err, check->reader.pages.file->uri, (int64_t)check->column->offset);
    return STOA_CORRUPT;
}

static bool is_outside(const struct check *check, stoa_page_bound value, stoa_page_bound min,
                       stoa_page_bound max) {
    return (min.bytes != NULL && is_less(check->order, value, min)) ||
           (max.bytes != NULL && is_less(check->order, max, value));
}

static stoa_status check_value(const struct check *check, int32_t page, stoa_page_bound value,
                               stoa_error *err) {
    if (check->has_chunk_bounds && is_outside(check, value, check->chunk_min, check->chunk_max)) {
        return fail_page(check, page, "a value lies outside the bounds of its chunk", err);
    }
    if (check->has_page_bounds &&
        is_outside(check, value, check->index->min[page], check->index->max[page])) {
        return fail_page(check, page, "a value lies outside the bounds of its page", err);
    }
    if (check->bloom.blocks != NULL &&
        !stoa_bloom_may_contain(&check->bloom, stoa_bloom_hash(value.bytes, value.size))) {
        return fail_page(check, page, "a value is missing in the bloom filter", err);
    }
    return STOA_OK;
}

static stoa_status check_piece(const struct check *check, int32_t page, stoa_error *err) {
    const stoa_chunk_values *values = &check->values;
    const int32_t *offsets = (const int32_t *)(const void *)values->offsets.data;
    for (int64_t i = 0; i < values->value_count; i++) {
        stoa_page_bound value;
        uint8_t bit;
        if (check->element->physical == STOA_PARQUET_BOOLEAN) {
            bit = stoa_bit_get(values->data.data, i) ? 1 : 0;
            value = (stoa_page_bound){&bit, 1};
        } else if (check->element->physical == STOA_PARQUET_BYTE_ARRAY) {
            value.size = (size_t)(offsets[i + 1] - offsets[i]);
            value.bytes = value.size > 0 ? values->data.data + offsets[i] : (const uint8_t *)"";
        } else {
            value.size = (size_t)check->reader.value_bytes;
            value.bytes = values->data.data + (size_t)i * value.size;
        }
        STOA_TRY(check_value(check, page, value, err));
    }
    return STOA_OK;
}

/* Rows of one data page; without an offset index the chunk is page 0. */
static stoa_status check_page(struct check *check, int32_t page, int64_t row_count,
                              stoa_error *err) {
    const stoa_page_index *index = check->index;
    int64_t value_count = 0, null_count = 0;
    for (int64_t left = row_count; left > 0;) {
        const int64_t now = left < check->piece_rows ? left : check->piece_rows;
        STOA_TRY(stoa_cancel_check(check->context->cancel, err));
        STOA_TRY(stoa_chunk_reader_read(&check->reader, now, false, &check->values, err));
        STOA_TRY(check_piece(check, page, err));
        value_count += check->values.value_count;
        null_count += check->values.entry_count - check->values.value_count;
        left -= now;
    }
    check->null_count += null_count;
    if (index->all_null == NULL || index->locations == NULL) {
        return STOA_OK;
    }
    if (index->all_null[page] && value_count > 0) {
        return fail_page(check, page, "it has values, but its column index says only nulls", err);
    }
    if (index->null_counts != NULL && check->leaf->repetition_max == 0 &&
        index->null_counts[page] != null_count) {
        return fail_page(check, page, "its column index says another number of nulls", err);
    }
    return STOA_OK;
}

/* ---- A chunk --------------------------------------------------------------------------------- */

/* Pages of nulls take no part. */
static stoa_status check_boundary_order(const struct check *check, stoa_error *err) {
    const stoa_page_index *index = check->index;
    int32_t before = -1;
    if (!check->has_page_bounds || index->boundary_order == STOA_PARQUET_UNORDERED) {
        return STOA_OK;
    }
    for (int32_t i = 0; i < index->page_count; i++) {
        if (index->all_null[i]) {
            continue;
        }
        if (before >= 0) {
            const bool rises = index->boundary_order == STOA_PARQUET_ASCENDING;
            const int32_t low = rises ? before : i, high = rises ? i : before;
            if (is_less(check->order, index->min[high], index->min[low]) ||
                is_less(check->order, index->max[high], index->max[low])) {
                return fail_page(check, i, "its bounds are not in the column index's order", err);
            }
        }
        before = i;
    }
    return STOA_OK;
}

/* Few where rows are large: their bytes are held at once. */
static int64_t rows_at_a_time(const stoa_parquet_column *column, int64_t row_count) {
    const int64_t row_bytes = row_count > 0 ? column->uncompressed_bytes / row_count + 1 : 1;
    const int64_t rows = PIECE_BYTES / row_bytes;
    return rows < 1 ? 1 : rows < ROWS_MAX ? rows : ROWS_MAX;
}

/* Bounds of the chunk, where they have an order and the size of a value. */
static void begin_bounds(struct check *check, const stoa_parquet_footer *footer, int32_t leaf) {
    const stoa_parquet_bounds *bounds = &check->column->bounds;
    const size_t width = check->element->physical == STOA_PARQUET_FIXED
                             ? 0
                             : stoa_parquet_plain_width(check->element);
    check->order = order_of(check->element);
    check->has_page_bounds = check->order != NO_ORDER && check->index->all_null != NULL &&
                             check->index->locations != NULL && footer->orders != NULL &&
                             footer->orders[leaf] == STOA_PARQUET_ORDER_TYPE;
    check->has_chunk_bounds = check->order != NO_ORDER && check->column->has_bounds &&
                              stoa_parquet_bounds_are_ordered(footer, leaf, bounds);
    if (width == 0 || bounds->min_size == width) {
        check->chunk_min = (stoa_page_bound){bounds->min, bounds->min_size};
    }
    if (width == 0 || bounds->max_size == width) {
        check->chunk_max = (stoa_page_bound){bounds->max, bounds->max_size};
    }
}

static stoa_status check_pages(struct check *check, int64_t row_count, stoa_error *err) {
    const stoa_page_index *index = check->index;
    if (index->locations == NULL) {
        STOA_TRY(check_page(check, 0, row_count, err));
    }
    for (int32_t i = 0; index->locations != NULL && i < index->page_count; i++) {
        const int64_t end =
            i + 1 < index->page_count ? index->locations[i + 1].first_row : row_count;
        STOA_TRY(check_page(check, i, end - index->locations[i].first_row, err));
    }
    const int64_t stated = check->column->has_bounds ? check->column->bounds.null_count : -1;
    if (stated >= 0 && check->leaf->repetition_max == 0 && stated != check->null_count) {
        return stoa_fail(err, STOA_CORRUPT, "expected %" PRId64 " nulls, as its statistics say, but "
                         "found %" PRId64, stated, check->null_count);
    }
    return check_boundary_order(check, err);
}

stoa_status stoa_parquet_verify_values(const stoa_context *context, const stoa_chunk_source *source,
                                       int32_t group, int32_t leaf, const stoa_page_index *index,
                                       stoa_arena *arena, stoa_error *err) {
    const stoa_parquet_footer *footer = source->footer;
    struct check check = {.context = context,
                          .column = &footer->groups[group].columns[leaf],
                          .leaf = &footer->leaves[leaf],
                          .element = &footer->elements[footer->leaves[leaf].element],
                          .index = index};
    stoa_status status = STOA_OK;
    stoa_chunk_reader_init(&check.reader, context);
    stoa_chunk_values_init(&check.values, context->pool);
    STOA_CHECK(stoa_bloom_filter_read(source->file, footer, group, leaf, arena, &check.bloom, err));
    begin_bounds(&check, footer, leaf);
    check.piece_rows = rows_at_a_time(check.column, footer->groups[group].row_count);
    stoa_chunk_reader_open(&check.reader, source, group, leaf);
    STOA_CHECK(check_pages(&check, footer->groups[group].row_count, err));

done:
    stoa_chunk_values_release(&check.values);
    stoa_chunk_reader_release(&check.reader);
    if (status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}
