/* Two passes. The first reads the column that orders, one row group after the other, beginning with
 * those whose bounds come first, and keeps the best rows in a heap whose root is the worst of them. Once
 * the heap is full its root is part of the predicate: row groups and pages that cannot hold a better
 * row are not read any more. The second reads all columns of the rows that are left. */
#include "parquet/read_top.h"

#include <stdlib.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "parquet/read_bounds.h"
#include "parquet/read_filter.h"
#include "schema/internal.h"
#include "schema/schema.h"

enum { SLACK_BYTES = 1 << 20 };

/* A row of the heap. */
struct entry {
    const struct top *top;
    stoa_value value; /* bytes in top->texts */
    int64_t row;      /* of the file */
};

/* A row group, by what comes first in it. */
struct group {
    const struct top *top;
    int32_t group;
    bool has_bound;
    stoa_value bound;
};

struct top {
    const stoa_parquet_reader *reader;
    stoa_parquet_read_options options;
    stoa_parquet_row_order order;
    int64_t limit;
    const stoa_read_node *node; /* of the order's field */
    const stoa_field *field;
    stoa_pool *pool;
    stoa_arena texts;
    size_t text_bytes; /* taken from it, and how many of them are of rows that are held */
    size_t held_bytes;
    stoa_buffer entries; /* struct entry */
    stoa_buffer rows;    /* of a batch */
};

static struct entry *entries_of(const struct top *top) {
    return (struct entry *)(void *)top->entries.data;
}

static int64_t entry_count(const struct top *top) {
    return (int64_t)(top->entries.size / sizeof(struct entry));
}

/* ---- Order ----------------------------------------------------------------------------------- */

static int compare_values(const struct top *top, const stoa_value *left, const stoa_value *right) {
    if (left->is_null || right->is_null) {
        const int order = (int)right->is_null - (int)left->is_null;
        return top->order.nulls_first ? order : -order;
    }
    const int order = stoa_value_compare(left, right);
    return top->order.descending ? -order : order;
}

static int compare_entries(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    const int order = compare_values(a->top, &a->value, &b->value);
    return order != 0 ? order : (a->row > b->row) - (a->row < b->row);
}

static int compare_rows(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Groups without a bound come last: they are read in any case, best with a full heap. */
static int compare_groups(const void *left, const void *right) {
    const struct group *a = left, *b = right;
    const int order = a->has_bound && b->has_bound ? compare_values(a->top, &a->bound, &b->bound)
                                                   : (int)b->has_bound - (int)a->has_bound;
    return order != 0 ? order : (a->group > b->group) - (a->group < b->group);
}

/* ---- The heap -------------------------------------------------------------------------------- */

static void sift_down(struct entry *entries, int64_t count, int64_t at) {
    while (2 * at + 1 < count) {
        int64_t child = 2 * at + 1;
        if (child + 1 < count && compare_entries(&entries[child], &entries[child + 1]) < 0) {
            child++;
        }
        if (compare_entries(&entries[at], &entries[child]) >= 0) {
            return;
        }
        const struct entry swap = entries[at];
        entries[at] = entries[child];
        entries[child] = swap;
        at = child;
    }
}

static void sift_up(struct entry *entries, int64_t at) {
    while (at > 0 && compare_entries(&entries[(at - 1) / 2], &entries[at]) < 0) {
        const struct entry swap = entries[at];
        entries[at] = entries[(at - 1) / 2];
        entries[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static stoa_status keep_text(stoa_arena *arena, stoa_value *value, stoa_error *err) {
    const char *copy;
    STOA_TRY(stoa_arena_copy_text(arena, (const char *)value->bytes, value->size, &copy, err));
    value->bytes = (const uint8_t *)copy;
    return STOA_OK;
}

/* Most of the texts are of rows that were pushed out. */
static stoa_status renew_texts(struct top *top, stoa_error *err) {
    stoa_arena fresh;
    struct entry *entries = entries_of(top);
    stoa_arena_init(&fresh, top->pool);
    for (int64_t i = 0; i < entry_count(top); i++) {
        if (entries[i].value.size > 0) {
            const stoa_status status = keep_text(&fresh, &entries[i].value, err);
            if (status != STOA_OK) {
                stoa_arena_release(&fresh);
                return status;
            }
        }
    }
    stoa_arena_release(&top->texts);
    top->texts = fresh;
    top->text_bytes = top->held_bytes;
    return STOA_OK;
}

static stoa_status offer(struct top *top, const stoa_value *value, int64_t row, stoa_error *err) {
    struct entry entry = {.top = top, .value = *value, .row = row};
    const bool is_full = entry_count(top) == top->limit;
    if (is_full && compare_entries(&entry, entries_of(top)) >= 0) {
        return STOA_OK;
    }
    if (entry.value.size > 0) {
        STOA_TRY(keep_text(&top->texts, &entry.value, err));
    }
    top->text_bytes += entry.value.size;
    top->held_bytes += entry.value.size;
    if (is_full) {
        top->held_bytes -= entries_of(top)[0].value.size;
        entries_of(top)[0] = entry;
        sift_down(entries_of(top), top->limit, 0);
    } else {
        STOA_TRY(stoa_buffer_append(&top->entries, &entry, sizeof entry, err));
        sift_up(entries_of(top), entry_count(top) - 1);
    }
    return top->text_bytes > 2 * top->held_bytes + SLACK_BYTES ? renew_texts(top, err) : STOA_OK;
}

/* ---- The first pass -------------------------------------------------------------------------- */

/* What a row must be to come before the root; NULL: anything. Equal ones may come before it in the
 * file. */
static stoa_status make_threshold(const struct top *top, stoa_arena *arena,
                                  const stoa_predicate **out, stoa_error *err) {
    void *memory;
    *out = NULL;
    if (entry_count(top) < top->limit) {
        return STOA_OK;
    }
    const stoa_value *worst = &entries_of(top)[0].value;
    if (worst->is_null && !top->order.nulls_first) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, 3, sizeof(stoa_predicate), &memory, err));
    stoa_predicate *nodes = memory;
    nodes[0] = (stoa_predicate){.kind = STOA_PREDICATE_IS_NULL, .field_id = top->order.field_id};
    nodes[1] = (stoa_predicate){.kind = top->order.descending ? STOA_PREDICATE_GREATER_EQUAL
                                                              : STOA_PREDICATE_LESS_EQUAL,
                                .field_id = top->order.field_id,
                                .values = worst,
                                .value_count = 1};
    STOA_TRY(stoa_arena_allocate_array(arena, 2, sizeof(const stoa_predicate *), &memory, err));
    const stoa_predicate **children = memory;
    children[0] = &nodes[0];
    children[1] = &nodes[1];
    nodes[2] = (stoa_predicate){.kind = STOA_PREDICATE_OR, .children = children, .child_count = 2};
    *out = worst->is_null ? &nodes[0] : top->order.nulls_first ? &nodes[2] : &nodes[1];
    return STOA_OK;
}

static stoa_status make_predicate(const struct top *top, stoa_arena *arena,
                                  const stoa_predicate **out, stoa_error *err) {
    static const stoa_predicate anything = {.kind = STOA_PREDICATE_TRUE};
    const stoa_predicate *threshold;
    void *memory;
    STOA_TRY(make_threshold(top, arena, &threshold, err));
    *out = top->options.predicate != NULL ? top->options.predicate : &anything;
    if (threshold == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, 2, sizeof(const stoa_predicate *), &memory, err));
    const stoa_predicate **children = memory;
    children[0] = threshold;
    children[1] = *out;
    STOA_TRY(stoa_arena_allocate(arena, sizeof(stoa_predicate), &memory, err));
    stoa_predicate *both = memory;
    *both = (stoa_predicate){.kind = STOA_PREDICATE_AND, .children = children, .child_count = 2};
    *out = both;
    return STOA_OK;
}

/* The order's value of a row; the batch has its field and those around it, and nothing else. */
static stoa_value value_of(const struct top *top, const struct ArrowArray *batch, int64_t row) {
    stoa_value value = {.type = top->field->type, .is_null = true};
    const struct ArrowArray *array = batch->children[0];
    while (array->n_children > 0) {
        if (stoa_arrow_is_null(array, row)) {
            return value;
        }
        array = array->children[0];
    }
    stoa_value_from_array(&top->field->type, array, row, &value);
    value.type.children = NULL;
    return value;
}

static stoa_status scan_part(struct top *top, stoa_read_filter *filter, const stoa_read_part *part,
                             stoa_error *err) {
    stoa_read_window window;
    STOA_TRY(stoa_read_filter_begin(filter, part, err));
    for (int64_t row = part->first; stoa_read_filter_window(filter, row, &window);
         row = window.first + window.count) {
        struct ArrowArray batch;
        stoa_status status = STOA_OK;
        STOA_TRY(stoa_cancel_check(top->reader->context.cancel, err));
        STOA_TRY(stoa_read_filter_batch(filter, &window, &batch, &top->rows, err));
        const int64_t *rows = (const int64_t *)(const void *)top->rows.data;
        for (int64_t i = 0; batch.release != NULL && i < batch.length && status == STOA_OK; i++) {
            const stoa_value value = value_of(top, &batch, i);
            status = offer(top, &value, part->group_first + rows[i], err);
        }
        stoa_arrow_array_release(&batch);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* A plan, its only lane, and the filter of that. */
struct reading {
    stoa_read_plan plan;
    stoa_read_lane lane;
    stoa_read_filter *filter;
};

static void reading_release(struct reading *reading) {
    stoa_read_filter_close(reading->filter);
    stoa_read_lane_release(&reading->lane);
    stoa_read_plan_release(&reading->plan);
}

static stoa_status reading_init(const struct top *top, const stoa_parquet_read_options *options,
                                struct reading *out, stoa_error *err) {
    *out = (struct reading){0};
    STOA_TRY(stoa_read_plan_init(top->reader, options, 1, &out->plan, err));
    STOA_TRY(stoa_read_lane_init(&out->plan, &top->reader->context, &out->lane, err));
    return stoa_read_filter_create(&out->lane, &out->filter, err);
}

static stoa_status scan_group(struct top *top, int32_t group, stoa_error *err) {
    stoa_status status = STOA_OK;
    struct reading reading = {0};
    stoa_arena arena;
    stoa_parquet_read_options options = top->options;
    stoa_arena_init(&arena, top->pool);
    options.field_ids = &top->order.field_id;
    options.field_count = 1;
    options.groups = &group;
    options.group_count = 1;
    options.batch_rows = 0;
    STOA_CHECK(make_predicate(top, &arena, &options.predicate, err));
    STOA_CHECK(reading_init(top, &options, &reading, err));
    for (int64_t i = 0; i < reading.plan.part_count; i++) {
        STOA_CHECK(scan_part(top, reading.filter, &reading.plan.parts[i], err));
    }

done:
    reading_release(&reading);
    stoa_arena_release(&arena);
    return status;
}

/* By the bound that comes first: the lower one, or the upper one of a descending order. */
static void find_bound(const struct top *top, struct group *group) {
    const stoa_parquet_footer *footer = &top->reader->footer;
    const stoa_parquet_column *column = &footer->groups[group->group].columns[top->node->leaf];
    const stoa_parquet_bounds *given = &column->bounds;
    const stoa_bounds_reader reader = stoa_bounds_reader_of(footer, top->node, &top->field->type);
    stoa_read_bounds bounds = {0};
    if (column->has_bounds) {
        stoa_bounds_reader_read(&reader, given->min, given->min_size, given->max, given->max_size,
                                given->is_deprecated, &bounds);
    }
    group->has_bound = top->order.descending ? bounds.has_upper : bounds.has_lower;
    group->bound = top->order.descending ? bounds.upper : bounds.lower;
}

static stoa_status scan_groups(struct top *top, stoa_error *err) {
    const stoa_parquet_read_options *options = &top->options;
    const int32_t count = options->groups == NULL ? top->reader->footer.group_count
                                                  : options->group_count;
    stoa_status status = STOA_OK;
    stoa_buffer memory;
    stoa_buffer_init(&memory, top->pool);
    STOA_CHECK(stoa_buffer_resize(&memory, (size_t)count * sizeof(struct group), err));
    struct group *groups = (struct group *)(void *)memory.data;
    for (int32_t i = 0; i < count; i++) {
        groups[i] = (struct group){.top = top,
                                   .group = options->groups == NULL ? i : options->groups[i]};
        if (groups[i].group >= 0 && groups[i].group < top->reader->footer.group_count) {
            find_bound(top, &groups[i]);
        }
    }
    if (count > 0) {
        qsort(groups, (size_t)count, sizeof *groups, compare_groups);
    }
    for (int32_t i = 0; i < count; i++) {
        if (i == 0 || groups[i].group != groups[i - 1].group) {
            STOA_CHECK(scan_group(top, groups[i].group, err));
        }
    }

done:
    stoa_buffer_release(&memory);
    return status;
}

/* ---- The second pass ------------------------------------------------------------------------- */

struct gathering {
    const int64_t *rows; /* of the file, growing */
    int64_t count;
    int64_t at;
    stoa_buffer numbers; /* of a window's rows, of the group */
    stoa_buffer batches; /* struct ArrowArray */
};

static stoa_status gather_window(struct gathering *gathering, stoa_read_filter *filter,
                                 const stoa_read_part *part, const stoa_read_window *window,
                                 stoa_error *err) {
    struct ArrowArray batch;
    const int64_t end = part->group_first + window->first + window->count;
    stoa_buffer_clear(&gathering->numbers);
    for (; gathering->at < gathering->count && gathering->rows[gathering->at] < end;
         gathering->at++) {
        const int64_t number = gathering->rows[gathering->at] - part->group_first;
        STOA_TRY(stoa_buffer_append(&gathering->numbers, &number, sizeof number, err));
    }
    STOA_TRY(stoa_read_filter_take(filter, window, (const int64_t *)(void *)gathering->numbers.data,
                                   (int64_t)(gathering->numbers.size / sizeof(int64_t)), &batch,
                                   err));
    const stoa_status status = stoa_buffer_append(&gathering->batches, &batch, sizeof batch, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&batch);
    }
    return status;
}

/* Parts come in the order of the file, as the rows do. */
static stoa_status gather_part(struct gathering *gathering, stoa_read_filter *filter,
                               const stoa_read_part *part, stoa_error *err) {
    STOA_TRY(stoa_read_filter_begin(filter, part, err));
    while (gathering->at < gathering->count &&
           gathering->rows[gathering->at] < part->group_first + part->end) {
        stoa_read_window window;
        const int64_t row = gathering->rows[gathering->at] - part->group_first;
        const bool found = stoa_read_filter_window(filter, row, &window);
        STOA_ASSERT(found && window.first == row);
        (void)found;
        STOA_TRY(gather_window(gathering, filter, part, &window, err));
    }
    return STOA_OK;
}

static stoa_status gather(const struct top *top, const int64_t *rows, int64_t count,
                          struct ArrowSchema *schema, struct ArrowArray *out, stoa_error *err) {
    static const stoa_predicate anything = {.kind = STOA_PREDICATE_TRUE};
    stoa_status status = STOA_OK;
    struct reading reading = {0};
    struct gathering gathering = {.rows = rows, .count = count};
    stoa_buffer views;
    stoa_parquet_read_options options = top->options;
    stoa_buffer_init(&gathering.numbers, top->pool);
    stoa_buffer_init(&gathering.batches, top->pool);
    stoa_buffer_init(&views, top->pool);
    options.predicate = &anything;
    options.groups = NULL;
    options.ranges = NULL;
    options.range_count = 0;
    options.batch_rows = 0;
    STOA_CHECK(reading_init(top, &options, &reading, err));
    STOA_CHECK(stoa_schema_to_arrow(top->pool, reading.plan.schema, schema, err));
    for (int64_t i = 0; i < reading.plan.part_count && gathering.at < count; i++) {
        const stoa_read_part *part = &reading.plan.parts[i];
        if (rows[gathering.at] < part->group_first + part->end) {
            STOA_CHECK(gather_part(&gathering, reading.filter, part, err));
        }
    }
    const int64_t batch_count = (int64_t)(gathering.batches.size / sizeof(struct ArrowArray));
    const struct ArrowArray *batches = (const void *)gathering.batches.data;
    for (int64_t i = 0; i < batch_count; i++) {
        const struct ArrowArray *view = &batches[i];
        STOA_CHECK(stoa_buffer_append(&views, &view, sizeof view, err));
    }
    if (batch_count > 0) {
        STOA_CHECK(stoa_arrow_concat(top->pool, schema,
                                     (const struct ArrowArray *const *)(void *)views.data,
                                     batch_count, out, err));
    }

done:
    for (size_t i = 0; i < gathering.batches.size / sizeof(struct ArrowArray); i++) {
        stoa_arrow_array_release(&((struct ArrowArray *)(void *)gathering.batches.data)[i]);
    }
    stoa_buffer_release(&gathering.numbers);
    stoa_buffer_release(&gathering.batches);
    stoa_buffer_release(&views);
    reading_release(&reading);
    return status;
}

/* Rows are read in the order of the file and put into their own. */
static stoa_status read_rows(struct top *top, struct ArrowSchema *schema, struct ArrowArray *out,
                             stoa_error *err) {
    const int64_t count = entry_count(top);
    const size_t bytes = (size_t)count * sizeof(int64_t);
    struct ArrowArray found = {0};
    stoa_status status = STOA_OK;
    stoa_buffer rows, places;
    stoa_buffer_init(&rows, top->pool);
    stoa_buffer_init(&places, top->pool);
    STOA_CHECK(stoa_buffer_resize(&rows, bytes, err));
    STOA_CHECK(stoa_buffer_resize(&places, bytes, err));
    struct entry *entries = entries_of(top);
    int64_t *sorted = (int64_t *)(void *)rows.data, *at = (int64_t *)(void *)places.data;
    if (count > 0) {
        qsort(entries, (size_t)count, sizeof *entries, compare_entries);
        for (int64_t i = 0; i < count; i++) {
            sorted[i] = entries[i].row;
        }
        qsort(sorted, (size_t)count, sizeof *sorted, compare_rows);
    }
    STOA_CHECK(gather(top, sorted, count, schema, &found, err));
    for (int64_t i = 0; i < count; i++) {
        const int64_t *place =
            bsearch(&entries[i].row, sorted, (size_t)count, sizeof *sorted, compare_rows);
        at[i] = place - sorted;
    }
    if (count > 0) {
        STOA_CHECK(stoa_arrow_take(top->pool, schema, &found, at, count, out, err));
    }

done:
    stoa_arrow_array_release(&found);
    stoa_buffer_release(&rows);
    stoa_buffer_release(&places);
    return status;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static stoa_status check_limit(int64_t limit, stoa_error *err) {
    return limit > 0 ? STOA_OK
                     : stoa_fail(err, STOA_INVALID,
                                 "expected a number of rows above 0 but found %" PRId64, limit);
}

static stoa_status find_field(struct top *top, stoa_error *err) {
    top->node = stoa_read_schema_find(&top->reader->root, top->order.field_id);
    top->field = stoa_schema_field(top->reader->schema, top->order.field_id);
    if (top->node == NULL || top->field == NULL || stoa_type_is_nested(top->field->type.kind) ||
        top->field->type.kind == STOA_TYPE_INTERVAL) {
        return stoa_fail(err, STOA_INVALID,
                         "field %" PRId32 " is none outside lists and maps that has an order",
                         top->order.field_id);
    }
    return STOA_OK;
}

stoa_status stoa_parquet_reader_top(const stoa_parquet_reader *reader,
                                    const stoa_parquet_read_options *options,
                                    const stoa_parquet_row_order *order, int64_t limit,
                                    struct ArrowArrayStream *out, stoa_error *err) {
    struct top top = {.reader = reader,
                      .options = *options,
                      .order = *order,
                      .limit = limit,
                      .pool = reader->context.pool};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    *out = (struct ArrowArrayStream){0};
    stoa_arena_init(&top.texts, top.pool);
    stoa_buffer_init(&top.entries, top.pool);
    stoa_buffer_init(&top.rows, top.pool);
    STOA_CHECK(check_limit(limit, err));
    STOA_CHECK(find_field(&top, err));
    STOA_CHECK(scan_groups(&top, err));
    STOA_CHECK(read_rows(&top, &schema, &batch, err));

done:
    stoa_buffer_release(&top.rows);
    stoa_buffer_release(&top.entries);
    stoa_arena_release(&top.texts);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(&schema);
        stoa_arrow_array_release(&batch);
        return status;
    }
    return stoa_stream_from_batches(top.pool, &schema, &batch, batch.release == NULL ? 0 : 1, out,
                                  err);
}

/* ---- Without an order ------------------------------------------------------------------------ */

struct first {
    stoa_pool *pool;
    struct ArrowArrayStream rows;
    int64_t left;
};

static stoa_status first_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct first *first = state;
    struct ArrowArray batch;
    *out = (struct ArrowArray){0};
    if (first->left == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_stream_next(&first->rows, &batch, err));
    if (batch.release == NULL || batch.length <= first->left) {
        first->left -= batch.release == NULL ? first->left : batch.length;
        *out = batch;
        return STOA_OK;
    }
    const stoa_status status = stoa_arrow_slice(first->pool, &batch, 0, first->left, out, err);
    stoa_arrow_array_release(&batch);
    first->left = 0;
    return status;
}

static void first_close(void *state) {
    struct first *first = state;
    stoa_arrow_stream_release(&first->rows);
    stoa_pool_free(first->pool, first, sizeof *first);
}

stoa_status stoa_parquet_reader_first(const stoa_parquet_reader *reader,
                                      const stoa_parquet_read_options *options, int64_t limit,
                                      struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {.next = first_next, .close = first_close};
    stoa_pool *pool = reader->context.pool;
    struct ArrowSchema schema = {0};
    void *memory = NULL;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(check_limit(limit, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct first), &memory, err));
    struct first *first = memory;
    *first = (struct first){.pool = pool, .left = limit};
    stoa_status status = stoa_parquet_reader_stream(reader, options, &first->rows, err);
    if (status == STOA_OK) {
        status = stoa_stream_schema(&first->rows, &schema, err);
    }
    if (status != STOA_OK) {
        first_close(first);
        return status;
    }
    return stoa_stream_create(pool, &schema, &operations, first, out, err);
}
