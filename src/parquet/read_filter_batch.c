/* The projection's columns of the rows that are left. Columns outside lists and maps are read a block of
 * rows at a time, and of those only what is wanted is kept: blocks without a row that is wanted are
 * passed over, and with them whole pages. A column that holds lists or maps is read as a whole, and
 * rows are taken from its array. */
#include "arrow/array.h"
#include "arrow/owner.h"
#include "base/bits.h"
#include "parquet/filter_kernel.h"
#include "parquet/page_values.h"
#include "parquet/read_filter_internal.h"
#include "parquet/read_select.h"
#include "schema/schema.h"

enum { BLOCK_ROWS = 4096 };

/* A window whose rows are known. */
struct taking {
    stoa_read_filter *filter;
    const stoa_read_window *window;
    stoa_row_selection rows;
    const int64_t *numbers; /* of the selected rows */
    stoa_error *err;
};

static bool takes_all(const struct taking *taking) {
    return taking->rows.selected == taking->rows.row_count;
}

/* Makes entries of the codes, of either width, in the data of `values`. */
static stoa_status take_entries(const struct taking *taking, int32_t index,
                                stoa_chunk_values *values) {
    stoa_read_filter *filter = taking->filter;
    stoa_chunk_reader *chunk = filter->lane->leaves[index].chunk;
    stoa_buffer codes = stoa_buffer_move(&values->data);
    const int64_t count = values->value_count;
    const uint32_t *wide = (const uint32_t *)(const void *)codes.data;
    stoa_status status = STOA_OK;
    values->value_count = 0;
    if (stoa_page_code_bytes(chunk) == 1 && count > 0) {
        uint32_t highest = 0;
        stoa_buffer_clear(&filter->wide);
        STOA_CHECK(stoa_buffer_reserve(&filter->wide, (size_t)count * sizeof *wide, taking->err));
        uint32_t *widened = (uint32_t *)(void *)filter->wide.data;
        for (int64_t i = 0; i < count; i++) {
            widened[i] = codes.data[i];
            highest = widened[i] > highest ? widened[i] : highest;
        }
        wide = widened;
        if (highest >= chunk->dictionary_count) {
            status = stoa_chunk_reader_fail(chunk, "expected codes of entries of the dictionary",
                                            taking->err);
            goto done;
        }
    }
    STOA_CHECK(stoa_page_entries_take(chunk, wide, count, values, taking->err));

done:
    stoa_buffer_release(&codes);
    return status;
}

/* ---- Columns outside lists and maps ---------------------------------------------------------- */

static stoa_status select_read(const stoa_chunk_reader *chunk, const stoa_chunk_values *values,
                               const stoa_row_selection *rows, stoa_chunk_values *out,
                               stoa_error *err) {
    return stoa_read_select(values, (uint8_t)chunk->leaf->definition_max,
                            (size_t)chunk->value_bytes,
                            chunk->element->physical == STOA_PARQUET_BOOLEAN, rows, out, err);
}

static stoa_status read_block(const struct taking *taking, int32_t index,
                              const stoa_read_window *window, const stoa_row_selection *rows,
                              bool as_codes, stoa_chunk_values *out) {
    stoa_read_lane *lane = taking->filter->lane;
    stoa_chunk_values *scratch = &taking->filter->scratch;
    STOA_TRY(stoa_read_lane_open(lane, window, index, taking->err));
    stoa_chunk_reader *chunk = lane->leaves[index].chunk;
    chunk->takes_codes = as_codes;
    const stoa_status status = stoa_read_lane_read(lane, window, index, scratch, taking->err);
    chunk->takes_codes = false;
    STOA_TRY(status);
    return as_codes ? stoa_read_select(scratch, (uint8_t)chunk->leaf->definition_max,
                                       stoa_page_code_bytes(chunk), false, rows, out, taking->err)
                    : select_read(chunk, scratch, rows, out, taking->err);
}

static stoa_status read_blocks(const struct taking *taking, int32_t index, bool as_codes,
                               stoa_chunk_values *out) {
    const stoa_row_selection *rows = &taking->rows;
    stoa_chunk_values_clear(out);
    for (int64_t at = 0; at < rows->row_count; at += BLOCK_ROWS) {
        const int64_t left = rows->row_count - at;
        const int64_t count = left < BLOCK_ROWS ? left : BLOCK_ROWS;
        const stoa_row_selection block = {rows->bits + at / 8, count,
                                          stoa_bitmap_count(rows->bits, at, count)};
        const stoa_read_window window = {taking->window->group, taking->window->first + at, count};
        if (block.selected > 0) {
            STOA_TRY(read_block(taking, index, &window, &block, as_codes, out));
        }
    }
    return STOA_OK;
}

/* Where there is a dictionary, only the entries that are wanted are looked up. */
static stoa_status read_rows(const struct taking *taking, int32_t index, stoa_chunk_values *out) {
    stoa_read_filter *filter = taking->filter;
    stoa_read_leaf *leaf = &filter->lane->leaves[index];
    const int32_t group = taking->window->group;
    const stoa_parquet_group *groups = filter->plan->reader->footer.groups;
    const stoa_read_node *node = filter->plan->leaves[index];
    if (filter->mixed_groups[index] == group || node->value_class == STOA_READ_NULL ||
        !stoa_filter_has_dictionary_only(&groups[group].columns[node->leaf])) {
        return read_blocks(taking, index, false, out);
    }
    stoa_error cause = STOA_ERROR_NONE;
    struct taking trial = *taking;
    trial.err = &cause;
    const stoa_status status = read_blocks(&trial, index, true, out);
    if (status != STOA_OK && leaf->group == group && leaf->chunk->has_other_encoding) {
        filter->mixed_groups[index] = group;
        leaf->row = INT64_MAX; /* opens it anew */
        return read_blocks(taking, index, false, out);
    }
    if (status != STOA_OK && taking->err != NULL) {
        *taking->err = cause;
    }
    return status == STOA_OK ? take_entries(taking, index, out) : status;
}

/* What `values` held is left in the scratch. */
static void swap_scratch(stoa_read_filter *filter, stoa_chunk_values *values) {
    const stoa_chunk_values swap = *values;
    *values = filter->scratch;
    filter->scratch = swap;
}

static stoa_status select_codes(const struct taking *taking, int32_t index,
                                stoa_chunk_values *values) {
    stoa_read_filter *filter = taking->filter;
    const stoa_chunk_reader *chunk = filter->lane->leaves[index].chunk;
    stoa_chunk_values_clear(&filter->scratch);
    STOA_TRY(stoa_read_select(values, (uint8_t)chunk->leaf->definition_max,
                              stoa_page_code_bytes(chunk), false, &taking->rows, &filter->scratch,
                              taking->err));
    swap_scratch(filter, values);
    return take_entries(taking, index, values);
}

static stoa_status find_numbers(struct taking *taking) {
    stoa_buffer *numbers = &taking->filter->numbers;
    if (taking->numbers != NULL) {
        return STOA_OK;
    }
    stoa_buffer_clear(numbers);
    STOA_TRY(stoa_buffer_reserve(numbers, (size_t)taking->rows.selected * sizeof(int64_t),
                                 taking->err));
    numbers->size = (size_t)taking->rows.selected * sizeof(int64_t);
    int64_t *at = (int64_t *)(void *)numbers->data;
    (void)stoa_keep_numbers(taking->rows.bits, taking->rows.row_count, at);
    taking->numbers = at;
    return STOA_OK;
}

static stoa_status select_array(struct taking *taking, const struct filter_column *column) {
    STOA_TRY(find_numbers(taking));
    stoa_read_lane *lane = taking->filter->lane;
    struct ArrowArray *array = &lane->arrays[column->node->leaf];
    struct ArrowArray taken;
    STOA_TRY(stoa_arrow_take(lane->context.pool, &column->arrow, array, taking->numbers,
                             taking->rows.selected, &taken, taking->err));
    stoa_arrow_array_release(array);
    *array = taken;
    stoa_read_select_levels(&lane->values[column->node->leaf], &taking->rows);
    return STOA_OK;
}

static stoa_status take_flat(struct taking *taking, int32_t index) {
    stoa_read_lane *lane = taking->filter->lane;
    struct filter_column *column = stoa_filter_column_of(taking->filter, index);
    stoa_chunk_values *values = &lane->values[taking->filter->plan->leaves[index]->leaf];
    switch (column == NULL ? COLUMN_UNREAD : column->state) {
    case COLUMN_UNREAD: STOA_TRY(read_rows(taking, index, values)); break;
    case COLUMN_CODES: STOA_TRY(select_codes(taking, index, values)); break;
    case COLUMN_VALUES:
        stoa_chunk_values_clear(&taking->filter->scratch);
        STOA_TRY(select_read(lane->leaves[index].chunk, values, &taking->rows,
                             &taking->filter->scratch, taking->err));
        swap_scratch(taking->filter, values);
        break;
    case COLUMN_ARRAY: return select_array(taking, column);
    }
    return stoa_read_lane_array(lane, index, taking->err);
}

/* ---- All rows -------------------------------------------------------------------------------- */

static stoa_status take_whole(const struct taking *taking, int32_t index) {
    stoa_read_lane *lane = taking->filter->lane;
    struct filter_column *column = stoa_filter_column_of(taking->filter, index);
    stoa_chunk_values *values = &lane->values[taking->filter->plan->leaves[index]->leaf];
    switch (column == NULL ? COLUMN_UNREAD : column->state) {
    case COLUMN_UNREAD:
        STOA_TRY(stoa_read_lane_read(lane, taking->window, index, values, taking->err));
        break;
    case COLUMN_CODES: STOA_TRY(take_entries(taking, index, values)); break;
    case COLUMN_VALUES: break;
    case COLUMN_ARRAY: return STOA_OK;
    }
    return stoa_read_lane_array(lane, index, taking->err);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static bool has_lists(const stoa_read_node *node) {
    if (node->kind == STOA_TYPE_LIST || node->kind == STOA_TYPE_MAP) {
        return true;
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        if (has_lists(&node->children[i])) {
            return true;
        }
    }
    return false;
}

static stoa_status take_rows(struct taking *taking, int32_t column, struct ArrowArray *array) {
    stoa_pool *pool = taking->filter->pool;
    struct ArrowSchema arrow;
    struct ArrowArray taken;
    STOA_TRY(find_numbers(taking));
    STOA_TRY(stoa_field_to_arrow(pool, &taking->filter->plan->schema->root.children[column], &arrow,
                                 taking->err));
    const stoa_status status = stoa_arrow_take(pool, &arrow, array, taking->numbers,
                                               taking->rows.selected, &taken, taking->err);
    stoa_arrow_schema_release(&arrow);
    if (status == STOA_OK) {
        stoa_arrow_array_release(array);
        *array = taken;
    }
    return status;
}

/* The leaves of a column stand one after the other among the plan's, from `*index` on. */
static stoa_status take_column(struct taking *taking, int32_t column, int32_t *index,
                               struct ArrowArray *out) {
    stoa_read_filter *filter = taking->filter;
    stoa_read_lane *lane = filter->lane;
    const stoa_read_node *node = &filter->plan->root.children[column];
    const bool whole = takes_all(taking) || has_lists(node);
    const int64_t length = whole ? taking->rows.row_count : taking->rows.selected;
    const int32_t end = *index + stoa_read_plan_leaves(node);
    for (; *index < end; (*index)++) {
        const stoa_status status = whole ? take_whole(taking, *index) : take_flat(taking, *index);
        if (status != STOA_OK) {
            return stoa_read_lane_fail(lane, taking->window, filter->plan->leaves[*index]->leaf,
                                       status, taking->err);
        }
    }
    stoa_status status =
        stoa_read_node_array(filter->pool, node, lane->values, lane->arrays, out, taking->err);
    if (status == STOA_OK && out->length != length) {
        status = stoa_fail(taking->err, STOA_CORRUPT,
                           "expected %" PRId64 " rows but found %" PRId64, length, out->length);
    }
    if (status == STOA_OK && whole && !takes_all(taking)) {
        status = take_rows(taking, column, out);
    }
    return status == STOA_OK ? STOA_OK
                             : stoa_read_lane_fail(lane, taking->window, node->leaf, status,
                                                   taking->err);
}

static stoa_status take_batch(struct taking *taking, struct ArrowArray *out) {
    const stoa_read_node *root = &taking->filter->plan->root;
    int32_t index = 0;
    STOA_TRY(stoa_arrow_array_init(taking->filter->pool, 1, root->child_count, false, out,
                                   taking->err));
    out->length = taking->rows.selected;
    for (int32_t i = 0; i < root->child_count; i++) {
        const stoa_status status = take_column(taking, i, &index, out->children[i]);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status copy_numbers(struct taking *taking, stoa_buffer *out) {
    STOA_TRY(find_numbers(taking));
    stoa_buffer_clear(out);
    STOA_TRY(stoa_buffer_reserve(out, taking->filter->numbers.size, taking->err));
    out->size = taking->filter->numbers.size;
    int64_t *rows = (int64_t *)(void *)out->data;
    for (int64_t i = 0; i < taking->rows.selected; i++) {
        rows[i] = taking->window->first + taking->numbers[i];
    }
    return STOA_OK;
}

stoa_status stoa_read_filter_batch(stoa_read_filter *filter, const stoa_read_window *window,
                                   struct ArrowArray *out, stoa_buffer *out_rows,
                                   stoa_error *err) {
    struct taking taking = {.filter = filter, .window = window, .err = err};
    *out = (struct ArrowArray){0};
    filter->lane->row_end = stoa_filter_range_end(filter, window);
    STOA_TRY(stoa_read_filter_select(filter, window, err));
    taking.rows.bits = filter->selection.data;
    taking.rows.row_count = window->count;
    taking.rows.selected = stoa_bitmap_count(filter->selection.data, 0, window->count);
    if (taking.rows.selected == 0) {
        return STOA_OK;
    }
    STOA_TRY(take_batch(&taking, out));
    if (out_rows == NULL) {
        return STOA_OK;
    }
    const stoa_status status = copy_numbers(&taking, out_rows);
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

stoa_status stoa_read_filter_take(stoa_read_filter *filter, const stoa_read_window *window,
                                  const int64_t *rows, int64_t count, struct ArrowArray *out,
                                  stoa_error *err) {
    struct taking taking = {.filter = filter, .window = window, .err = err};
    *out = (struct ArrowArray){0};
    filter->lane->row_end = rows[count - 1] + 1;
    for (int32_t i = 0; i < filter->column_count; i++) {
        filter->columns[i].state = COLUMN_UNREAD;
    }
    stoa_buffer_clear(&filter->selection);
    STOA_TRY(stoa_buffer_resize(&filter->selection, stoa_bitmap_bytes(window->count), err));
    for (int64_t i = 0; i < count; i++) {
        stoa_bit_set(filter->selection.data, rows[i] - window->first);
    }
    taking.rows = (stoa_row_selection){filter->selection.data, window->count, count};
    return take_batch(&taking, out);
}
