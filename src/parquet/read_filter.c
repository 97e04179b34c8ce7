/* Each node of the predicate is asked for the rows that make it TRUE, or for those that make it FALSE, as
 * in schema/predicate_select.c; leaves are answered by codes of a dictionary, by levels, or by
 * stoa_predicate_select on the one column.
 *
 * A column of the predicate is read at most once for a window. If it belongs to the projection too,
 * the rows that are left are taken out of what was read. */
#include "arrow/array.h"
#include "base/bits.h"
#include "parquet/filter_kernel.h"
#include "parquet/page_values.h"
#include "parquet/read_filter_internal.h"
#include "parquet/read_kernel.h"
#include "parquet/slot_kernel.h"
#include "schema/predicate_build.h"
#include "schema/schema.h"
#include "schema/select_kernel.h"

enum { BYTE_CODES = 256 };

/* A window being answered. */
struct question {
    stoa_read_filter *filter;
    const stoa_read_window *window;
    size_t bytes; /* of a bitmap */
    stoa_error *err;
};

/* ---- Making ---------------------------------------------------------------------------------- */

struct filter_column *stoa_filter_column_of(const stoa_read_filter *filter, int32_t index) {
    for (int32_t i = 0; i < filter->column_count; i++) {
        if (filter->columns[i].index == index) {
            return &filter->columns[i];
        }
    }
    return NULL;
}

static stoa_status make_column(stoa_read_filter *filter, int32_t index, stoa_error *err) {
    const stoa_read_node *node = filter->plan->leaves[index];
    const stoa_field *field = stoa_schema_field(filter->plan->reader->schema, node->field_id);
    struct filter_column *column = &filter->columns[filter->column_count++];
    *column = (struct filter_column){.index = index, .node = node, .group = -1};
    STOA_TRY(stoa_schema_create_version(filter->pool, field, 1, 0, field->id, &column->schema, err));
    return stoa_field_to_arrow(filter->pool, field, &column->arrow, err);
}

static int32_t leaf_index(const stoa_read_plan *plan, int32_t number) {
    int32_t index = 0;
    while (plan->leaves[index]->leaf != number) {
        index++;
    }
    return index;
}

static stoa_status make_node(stoa_read_filter *filter, const stoa_predicate *predicate,
                             struct filter_node *out, int depth, stoa_error *err) {
    *out = (struct filter_node){.predicate = predicate, .group = -1};
    stoa_buffer_init(&out->tables[0], filter->pool);
    stoa_buffer_init(&out->tables[1], filter->pool);
    if (depth > STOA_PREDICATE_DEPTH_MAX) {
        return stoa_fail(err, STOA_LIMIT, "a predicate is nested deeper than %d levels",
                         STOA_PREDICATE_DEPTH_MAX);
    }
    if (predicate->child_count > 0) {
        void *children = NULL;
        STOA_TRY(stoa_arena_allocate_array(&filter->arena, (size_t)predicate->child_count,
                                           sizeof *out->children, &children, err));
        out->children = children;
        for (int32_t i = 0; i < predicate->child_count; i++) {
            STOA_TRY(make_node(filter, predicate->children[i], &out->children[i], depth + 1, err));
        }
    } else if (predicate->kind >= STOA_PREDICATE_EQUAL) {
        out->node = stoa_read_schema_find(&filter->plan->reader->root, predicate->field_id);
        const int32_t index = leaf_index(filter->plan, out->node->leaf);
        if (stoa_filter_column_of(filter, index) == NULL) {
            STOA_TRY(make_column(filter, index, err));
        }
        out->column = stoa_filter_column_of(filter, index);
    }
    return STOA_OK;
}

static void release_node(struct filter_node *node) {
    for (int32_t i = 0; node->children != NULL && i < node->predicate->child_count; i++) {
        release_node(&node->children[i]);
    }
    stoa_buffer_release(&node->tables[0]);
    stoa_buffer_release(&node->tables[1]);
}

static stoa_status fill_filter(stoa_read_filter *filter, stoa_error *err) {
    const stoa_parquet_reader *reader = filter->plan->reader;
    const stoa_predicate *predicate = filter->plan->options.predicate;
    void *columns = NULL, *groups = NULL;
    STOA_TRY(stoa_pruner_init(filter->pool, reader->file, &reader->footer, &reader->root,
                              reader->schema, predicate, &filter->pruner, err));
    STOA_TRY(stoa_arena_allocate_array(&filter->arena, (size_t)filter->plan->leaf_count,
                                       sizeof *filter->columns, &columns, err));
    STOA_TRY(stoa_arena_allocate_array(&filter->arena, (size_t)filter->plan->leaf_count,
                                       sizeof *filter->mixed_groups, &groups, err));
    filter->columns = columns;
    filter->mixed_groups = groups;
    for (int32_t i = 0; i < filter->plan->leaf_count; i++) {
        filter->mixed_groups[i] = -1;
    }
    return make_node(filter, predicate, &filter->root, 1, err);
}

stoa_status stoa_read_filter_create(stoa_read_lane *lane, stoa_read_filter **out,
                                    stoa_error *err) {
    void *memory = NULL;
    stoa_pool *pool = lane->context.pool;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_read_filter), &memory, err));
    stoa_read_filter *filter = memory;
    *filter = (stoa_read_filter){.lane = lane, .plan = lane->plan, .pool = pool};
    stoa_arena_init(&filter->arena, pool);
    stoa_buffer_init(&filter->rows, pool);
    stoa_buffer_init(&filter->selection, pool);
    stoa_buffer_init(&filter->numbers, pool);
    stoa_buffer_init(&filter->wide, pool);
    stoa_chunk_values_init(&filter->scratch, pool);
    const stoa_status status = fill_filter(filter, err);
    if (status != STOA_OK) {
        stoa_read_filter_close(filter);
        return status;
    }
    *out = filter;
    return STOA_OK;
}

void stoa_read_filter_close(stoa_read_filter *filter) {
    if (filter == NULL) {
        return;
    }
    if (filter->root.predicate != NULL) {
        release_node(&filter->root);
    }
    for (int32_t i = 0; i < filter->column_count; i++) {
        stoa_schema_close(filter->columns[i].schema);
        stoa_arrow_schema_release(&filter->columns[i].arrow);
    }
    stoa_pruner_release(&filter->pruner);
    stoa_buffer_release(&filter->rows);
    stoa_buffer_release(&filter->selection);
    stoa_buffer_release(&filter->numbers);
    stoa_buffer_release(&filter->wide);
    stoa_chunk_values_release(&filter->scratch);
    stoa_arena_release(&filter->arena);
    stoa_pool_free(filter->pool, filter, sizeof *filter);
}

/* ---- Rows that may --------------------------------------------------------------------------- */

stoa_status stoa_read_filter_begin(stoa_read_filter *filter, const stoa_read_part *part,
                                   stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer wanted, may;
    stoa_read_window window;
    stoa_buffer_init(&wanted, filter->pool);
    stoa_buffer_init(&may, filter->pool);
    stoa_buffer_clear(&filter->rows);
    filter->part = part;
    for (int64_t row = part->first; stoa_read_plan_window(filter->plan, part, row, &window);
         row = window.first + window.count) {
        STOA_CHECK(stoa_row_ranges_append(&wanted, window.first, window.count, err));
    }
    STOA_CHECK(stoa_pruner_rows(&filter->pruner, part->group, &may, err));
    STOA_CHECK(stoa_row_ranges_intersect(stoa_row_ranges_of(&wanted), stoa_row_ranges_of(&may),
                                         &filter->rows, err));

done:
    stoa_buffer_release(&wanted);
    stoa_buffer_release(&may);
    return status;
}

/* The first of the ranges that end behind `row`; NULL: none. */
static const stoa_parquet_row_range *range_behind(const stoa_read_filter *filter, int64_t row) {
    const stoa_row_ranges_view rows = stoa_row_ranges_of(&filter->rows);
    int32_t low = 0, high = rows.count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (rows.ranges[middle].first + rows.ranges[middle].count > row) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low == rows.count ? NULL : &rows.ranges[low];
}

int64_t stoa_filter_range_end(const stoa_read_filter *filter, const stoa_read_window *window) {
    const stoa_parquet_row_range *range = range_behind(filter, window->first);
    return range == NULL ? INT64_MAX : range->first + range->count;
}

bool stoa_read_filter_window(const stoa_read_filter *filter, int64_t row, stoa_read_window *out) {
    const stoa_parquet_row_range *range = range_behind(filter, row);
    if (range == NULL) {
        return false;
    }
    const int64_t first = range->first > row ? range->first : row;
    const int64_t count = range->first + range->count - first;
    const int64_t most = filter->plan->options.batch_rows;
    *out = (stoa_read_window){filter->part->group, first, count < most ? count : most};
    return true;
}

/* ---- Reading columns of the predicate -------------------------------------------------------- */

static stoa_status fail_column(const struct question *question, int32_t index, stoa_status status) {
    return stoa_read_lane_fail(question->filter->lane, question->window,
                               question->filter->plan->leaves[index]->leaf, status, question->err);
}

/* What is plain may be the dictionary's page or a page of values: not known. */
bool stoa_filter_has_dictionary_only(const stoa_parquet_column *column) {
    bool found = false;
    for (int32_t i = 0; i < column->encoding_count_count; i++) {
        const stoa_parquet_encoding_count *pages = &column->encoding_counts[i];
        if (pages->page_kind == STOA_PARQUET_DATA_PAGE ||
            pages->page_kind == STOA_PARQUET_DATA_PAGE_V2) {
            if (pages->encoding != STOA_PARQUET_PLAIN_DICTIONARY &&
                pages->encoding != STOA_PARQUET_RLE_DICTIONARY) {
                return false;
            }
            found = true;
        }
    }
    for (int32_t i = 0; i < column->encoding_count && column->encoding_count_count == 0; i++) {
        const int32_t encoding = column->encodings[i];
        const bool is_code = encoding == STOA_PARQUET_PLAIN_DICTIONARY ||
                             encoding == STOA_PARQUET_RLE_DICTIONARY;
        if (!is_code && encoding != STOA_PARQUET_RLE && encoding != STOA_PARQUET_BIT_PACKED) {
            return false;
        }
        found = found || is_code;
    }
    return found;
}

static stoa_status begin_group(const struct question *question, struct filter_column *column) {
    stoa_read_lane *lane = question->filter->lane;
    const stoa_parquet_footer *footer = &question->filter->plan->reader->footer;
    const int32_t group = question->window->group;
    if (column->group == group) {
        return STOA_OK;
    }
    column->group = group;
    column->uses_codes = footer->leaves[column->node->leaf].repetition_max == 0 &&
                         column->node->value_class != STOA_READ_NULL &&
                         stoa_filter_has_dictionary_only(&footer->groups[group].columns[column->node->leaf]);
    if (!column->uses_codes) {
        return STOA_OK;
    }
    STOA_TRY(stoa_read_lane_open(lane, question->window, column->index, question->err));
    stoa_chunk_reader *chunk = lane->leaves[column->index].chunk;
    if (!chunk->has_begun && !chunk->has_dictionary) {
        STOA_TRY(stoa_chunk_reader_load_dictionary(chunk, question->err));
    }
    column->uses_codes = chunk->has_dictionary;
    return STOA_OK;
}

static stoa_status read_values(const struct question *question, struct filter_column *column) {
    stoa_read_lane *lane = question->filter->lane;
    if (column->state == COLUMN_UNREAD) {
        STOA_TRY(stoa_read_lane_open(lane, question->window, column->index, question->err));
        lane->leaves[column->index].chunk->takes_codes = false;
        STOA_TRY(stoa_read_lane_read(lane, question->window, column->index,
                                     &lane->values[column->node->leaf], question->err));
        column->state = COLUMN_VALUES;
    }
    return STOA_OK;
}

/* A page that has other values, against what the footer says, is read again as such. */
static stoa_status read_codes(const struct question *question, struct filter_column *column) {
    stoa_read_lane *lane = question->filter->lane;
    stoa_read_leaf *leaf = &lane->leaves[column->index];
    stoa_error cause = STOA_ERROR_NONE;
    if (column->state != COLUMN_UNREAD) {
        return STOA_OK;
    }
    STOA_TRY(stoa_read_lane_open(lane, question->window, column->index, question->err));
    leaf->chunk->takes_codes = true;
    const stoa_status status = stoa_read_lane_read(lane, question->window, column->index,
                                                   &lane->values[column->node->leaf], &cause);
    leaf->chunk->takes_codes = false;
    if (status != STOA_OK && leaf->chunk->has_other_encoding) {
        column->uses_codes = false;
        leaf->row = INT64_MAX; /* opens it anew */
        return read_values(question, column);
    }
    if (status != STOA_OK && question->err != NULL) {
        *question->err = cause;
    }
    column->state = COLUMN_CODES;
    return status;
}

/* ---- Answers of one column ------------------------------------------------------------------- */

/* `array`, which it takes, as the only column of a batch. */
static stoa_status select_array(stoa_read_filter *filter, const struct filter_column *column,
                                const stoa_predicate *predicate, bool truth,
                                struct ArrowArray *array, uint8_t *out, stoa_error *err) {
    const stoa_predicate *const children[] = {predicate};
    const stoa_predicate negation = {.kind = STOA_PREDICATE_NOT,
                                     .children = children,
                                     .child_count = 1};
    struct ArrowArray *columns[] = {array};
    const struct ArrowArray batch = {.length = array->length,
                                     .n_children = 1,
                                     .children = columns};
    return stoa_predicate_select(truth ? predicate : &negation, column->schema, &batch,
                                 filter->pool, out, err);
}

/* All entries as an array. */
static stoa_status dictionary_array(stoa_read_filter *filter, const struct filter_column *column,
                                    stoa_chunk_reader *chunk, struct ArrowArray *out,
                                    stoa_error *err) {
    const int64_t count = chunk->dictionary_count;
    stoa_chunk_values entries;
    stoa_status status = STOA_OK;
    stoa_chunk_values_init(&entries, filter->pool);
    stoa_chunk_values_clear(&entries);
    stoa_buffer_clear(&filter->wide);
    STOA_CHECK(stoa_buffer_reserve(&filter->wide, (size_t)count * sizeof(uint32_t) + 1, err));
    uint32_t *codes = (uint32_t *)(void *)filter->wide.data;
    for (int64_t i = 0; i < count; i++) {
        codes[i] = (uint32_t)i;
    }
    STOA_CHECK(stoa_page_entries_take(chunk, codes, count, &entries, err));
    entries.entry_count = count;
    STOA_CHECK(stoa_read_leaf_array(filter->pool, column->node,
                                    &filter->plan->reader->arrays, &entries, out, err));

done:
    stoa_chunk_values_release(&entries);
    return status;
}

static stoa_status make_table(const struct question *question, struct filter_node *node,
                              bool truth) {
    stoa_read_filter *filter = question->filter;
    stoa_chunk_reader *chunk = filter->lane->leaves[node->column->index].chunk;
    const int64_t count = chunk->dictionary_count;
    stoa_buffer *table = &node->tables[truth];
    stoa_status status = STOA_OK;
    stoa_buffer bits;
    struct ArrowArray entries = {0};
    stoa_buffer_init(&bits, filter->pool);
    stoa_buffer_clear(table);
    STOA_CHECK(stoa_buffer_append_fill(
        table, STOA_CODE_IS_NONE, count < BYTE_CODES ? BYTE_CODES : (size_t)count, question->err));
    STOA_CHECK(dictionary_array(filter, node->column, chunk, &entries, question->err));
    STOA_CHECK(stoa_buffer_resize(&bits, stoa_bitmap_bytes(count) + 1, question->err));
    STOA_CHECK(select_array(filter, node->column, node->predicate, truth, &entries, bits.data,
                            question->err));
    node->any[truth] = false;
    for (int64_t i = 0; i < count; i++) {
        table->data[i] = stoa_bit_get(bits.data, i) ? STOA_CODE_MATCHES : 0;
        node->any[truth] = node->any[truth] || table->data[i] != 0;
    }
    node->has_table[truth] = true;

done:
    stoa_arrow_array_release(&entries);
    stoa_buffer_release(&bits);
    return status;
}

static stoa_status find_table(const struct question *question, struct filter_node *node,
                              bool truth) {
    if (node->group != question->window->group) {
        node->group = question->window->group;
        node->has_table[0] = node->has_table[1] = false;
    }
    return node->has_table[truth] ? STOA_OK : make_table(question, node, truth);
}

static stoa_status spread_rows(const struct question *question, const struct filter_column *column,
                               const stoa_chunk_values *values, uint8_t *bits) {
    void *validity = NULL;
    stoa_pool *pool = question->filter->pool;
    if (values->all_present) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate(pool, question->bytes, &validity, question->err));
    stoa_match_levels(values->definition.data, question->window->count,
                      column->node->present_definition, validity);
    stoa_spread_bits(bits, values->value_count, validity, question->window->count);
    stoa_pool_free(pool, validity, question->bytes);
    return STOA_OK;
}

static stoa_status match_codes(const struct question *question, struct filter_node *node,
                               bool truth, uint8_t *out) {
    stoa_read_lane *lane = question->filter->lane;
    const stoa_chunk_values *values = &lane->values[node->column->node->leaf];
    const stoa_chunk_reader *chunk = lane->leaves[node->column->index].chunk;
    const uint8_t *table = node->tables[truth].data;
    memset(out, 0, question->bytes);
    if (chunk->dictionary_count > node->tables[truth].size) {
        return stoa_chunk_reader_fail(chunk, "expected the dictionary that was there before",
                                      question->err);
    }
    if (stoa_page_code_bytes(chunk) > 1) {
        stoa_match_codes_u32((const uint32_t *)(const void *)values->data.data,
                             values->value_count, table, out);
    } else if ((stoa_match_codes_u8(values->data.data, values->value_count, table,
                                    (int32_t)chunk->dictionary_count, out) &
                STOA_CODE_IS_NONE) != 0) {
        return stoa_chunk_reader_fail(chunk, "expected codes of entries of the dictionary",
                                      question->err);
    }
    return spread_rows(question, node->column, values, out);
}

static stoa_status select_comparison(const struct question *question, struct filter_node *node,
                                     bool truth, uint8_t *out) {
    stoa_read_lane *lane = question->filter->lane;
    struct filter_column *column = node->column;
    STOA_TRY(begin_group(question, column));
    if (column->uses_codes) {
        STOA_TRY(find_table(question, node, truth));
        if (!node->any[truth]) {
            memset(out, 0, question->bytes);
            return STOA_OK;
        }
        STOA_TRY(read_codes(question, column));
    }
    if (column->state == COLUMN_CODES) {
        return match_codes(question, node, truth, out);
    }
    STOA_TRY(read_values(question, column));
    if (column->state == COLUMN_VALUES) {
        STOA_TRY(stoa_read_lane_array(lane, column->index, question->err));
        column->state = COLUMN_ARRAY;
    }
    return select_array(question->filter, column, node->predicate, truth,
                        &lane->arrays[column->node->leaf], out, question->err);
}

/* By the levels of the first leaf below the field; one slot a row. */
static stoa_status select_nulls(const struct question *question, struct filter_node *node,
                                bool wanted, uint8_t *out) {
    struct filter_column *column = node->column;
    const stoa_chunk_values *values = &question->filter->lane->values[column->node->leaf];
    const int64_t rows = question->window->count;
    void *validity = NULL;
    int64_t present;
    memset(out, 0, question->bytes);
    if (node->node->present_definition > 0 || node->node->kind == STOA_TYPE_UNKNOWN) {
        STOA_TRY(column->state == COLUMN_UNREAD ? read_values(question, column) : STOA_OK);
    }
    if (node->node->kind == STOA_TYPE_UNKNOWN) {
        stoa_bitmap_fill(out, 0, rows, wanted);
        return STOA_OK;
    }
    if (column->state == COLUMN_UNREAD || values->all_present) {
        stoa_bitmap_fill(out, 0, rows, !wanted);
        return STOA_OK;
    }
    const stoa_slot_rule rule = {.definition = values->definition.data,
                                 .repetition = values->repetition.size > 0
                                                   ? values->repetition.data
                                                   : NULL,
                                 .entry_count = values->entry_count,
                                 .present_definition = node->node->present_definition};
    const size_t bytes = stoa_bitmap_bytes(values->entry_count);
    STOA_TRY(stoa_pool_allocate(question->filter->pool, bytes, &validity, question->err));
    const int64_t slots = stoa_slots_validity(stoa_cpu_level(), &rule, validity, &present);
    STOA_ASSERT(slots == rows);
    stoa_bitmap_copy(validity, 0, out, 0, slots < rows ? slots : rows);
    stoa_pool_free(question->filter->pool, validity, bytes);
    if (wanted) {
        stoa_bits_not(out, rows);
    }
    return STOA_OK;
}

static stoa_status select_leaf(const struct question *question, struct filter_node *node,
                               bool truth, uint8_t *out) {
    const stoa_predicate_kind kind = node->predicate->kind;
    const stoa_status status =
        kind == STOA_PREDICATE_IS_NULL || kind == STOA_PREDICATE_IS_NOT_NULL
            ? select_nulls(question, node, (kind == STOA_PREDICATE_IS_NULL) == truth, out)
            : select_comparison(question, node, truth, out);
    return status == STOA_OK ? STOA_OK : fail_column(question, node->column->index, status);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static stoa_status select_node(const struct question *question, struct filter_node *node,
                               bool truth, uint8_t *out);

static void fill(const struct question *question, bool value, uint8_t *out) {
    memset(out, 0, question->bytes);
    stoa_bitmap_fill(out, 0, question->window->count, value);
}

/* A comparison that a dictionary may answer without reading a page. */
static stoa_status is_cheap(const struct question *question, struct filter_node *node, bool *out) {
    *out = false;
    if (node->column == NULL || node->predicate->kind == STOA_PREDICATE_IS_NULL ||
        node->predicate->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return STOA_OK;
    }
    const stoa_status status = begin_group(question, node->column);
    *out = node->column->uses_codes;
    return status == STOA_OK ? STOA_OK : fail_column(question, node->column->index, status);
}

/* AND is true where all are, false where one is; OR the other way round. The cheap ones come first. */
static stoa_status select_chain(const struct question *question, struct filter_node *node,
                                bool truth, uint8_t *scratch, uint8_t *out) {
    const bool all = (node->predicate->kind == STOA_PREDICATE_AND) == truth;
    fill(question, all, out);
    for (int32_t i = 0; i < 2 * node->predicate->child_count; i++) {
        struct filter_node *child = &node->children[i % node->predicate->child_count];
        bool cheap;
        STOA_TRY(is_cheap(question, child, &cheap));
        if (cheap != (i < node->predicate->child_count)) {
            continue;
        }
        STOA_TRY(select_node(question, child, truth, scratch));
        if (!all) {
            stoa_bits_or(out, scratch, question->bytes);
            continue;
        }
        stoa_bits_and(out, scratch, question->bytes);
        if (stoa_bitmap_count(out, 0, question->window->count) == 0) {
            return STOA_OK;
        }
    }
    return STOA_OK;
}

static stoa_status select_node(const struct question *question, struct filter_node *node,
                               bool truth, uint8_t *out) {
    void *scratch = NULL;
    switch (node->predicate->kind) {
    case STOA_PREDICATE_TRUE:
    case STOA_PREDICATE_FALSE:
        fill(question, (node->predicate->kind == STOA_PREDICATE_TRUE) == truth, out);
        return STOA_OK;
    case STOA_PREDICATE_NOT: return select_node(question, &node->children[0], !truth, out);
    case STOA_PREDICATE_AND:
    case STOA_PREDICATE_OR: break;
    default: return select_leaf(question, node, truth, out);
    }
    STOA_TRY(stoa_pool_allocate(question->filter->pool, question->bytes, &scratch, question->err));
    const stoa_status status = select_chain(question, node, truth, scratch, out);
    stoa_pool_free(question->filter->pool, scratch, question->bytes);
    return status;
}

stoa_status stoa_read_filter_select(stoa_read_filter *filter, const stoa_read_window *window,
                                    stoa_error *err) {
    const struct question question = {filter, window, stoa_bitmap_bytes(window->count), err};
    for (int32_t i = 0; i < filter->column_count; i++) {
        filter->columns[i].state = COLUMN_UNREAD;
    }
    stoa_buffer_clear(&filter->selection);
    STOA_TRY(stoa_buffer_resize(&filter->selection, question.bytes, err));
    return select_node(&question, &filter->root, true, filter->selection.data);
}
