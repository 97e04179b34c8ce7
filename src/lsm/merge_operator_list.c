/* Operators whose values grow: texts and lists one after the other, and lists as sets.
 *
 * Items of a column's rows lie one after the other, so most of an append is one copy; only where a null
 * row has items below it is there a gap. */
#include "arrow/array.h"
#include "arrow/owner.h"
#include "lsm/key_kernel.h"
#include "lsm/merge_operator_internal.h"
#include "schema/predicate.h"

static const int32_t *offsets_of(const stoa_merge_column *column) {
    return (const int32_t *)column->rows->buffers[1] + column->rows->offset;
}

/* ---- Append ----------------------------------------------------------------------------------- */

/* Runs of items (bytes of texts, rows of a list's child) that are kept, in order. */
struct runs {
    stoa_buffer selections; /* stoa_arrow_selection */
    stoa_buffer ends;       /* int32_t, one more than groups */
    int64_t item_count;
};

static void runs_release(struct runs *runs) {
    stoa_buffer_release(&runs->selections);
    stoa_buffer_release(&runs->ends);
}

static stoa_arrow_selection *runs_list(struct runs *runs, int64_t *out_count) {
    *out_count = (int64_t)(runs->selections.size / sizeof(stoa_arrow_selection));
    return (stoa_arrow_selection *)(void *)runs->selections.data;
}

static stoa_status runs_add(struct runs *runs, const struct ArrowArray *child, int64_t first,
                            int64_t end, stoa_error *err) {
    int64_t count;
    stoa_arrow_selection *list = runs_list(runs, &count);
    if (first == end) {
        return STOA_OK;
    }
    runs->item_count += end - first;
    if (count > 0 && list[count - 1].first + list[count - 1].count == first) {
        list[count - 1].count += end - first;
        return STOA_OK;
    }
    const stoa_arrow_selection run = {.source = child, .first = first, .count = end - first};
    return stoa_buffer_append(&runs->selections, &run, sizeof run, err);
}

static stoa_status runs_init(struct runs *runs, const stoa_merge_column *column, stoa_error *err) {
    const stoa_merge_groups *groups = &column->groups;
    const int32_t *offsets = offsets_of(column);
    const struct ArrowArray *child = column->rows->n_children > 0 ? column->rows->children[0]
                                                                  : (const struct ArrowArray *)NULL;
    *runs = (struct runs){0};
    stoa_buffer_init(&runs->selections, column->pool);
    stoa_buffer_init(&runs->ends, column->pool);
    STOA_TRY(
        stoa_buffer_reserve_exact(&runs->ends, (size_t)(groups->count + 1) * sizeof(int32_t), err));
    int32_t *ends = (int32_t *)(void *)runs->ends.data;
    ends[0] = 0;
    for (int64_t g = 0; g < groups->count; g++) {
        for (int64_t row = groups->starts[g]; row < groups->starts[g + 1]; row++) {
            if (stoa_merge_is_valid(column, row)) {
                STOA_TRY(runs_add(runs, child, offsets[row], offsets[row + 1], err));
            }
        }
        ends[g + 1] = (int32_t)runs->item_count;
    }
    runs->ends.size = (size_t)(groups->count + 1) * sizeof(int32_t);
    return STOA_OK;
}

static stoa_status copy_bytes(const stoa_merge_column *column, struct runs *runs,
                              struct ArrowArray *out, stoa_error *err) {
    const uint8_t *source = column->rows->buffers[2];
    stoa_buffer bytes;
    int64_t count;
    const stoa_arrow_selection *list = runs_list(runs, &count);
    stoa_buffer_init(&bytes, column->pool);
    STOA_TRY(stoa_buffer_reserve_exact(&bytes, (size_t)runs->item_count, err));
    for (int64_t i = 0; i < count; i++) {
        memcpy(bytes.data + bytes.size, source + list[i].first, (size_t)list[i].count);
        bytes.size += (size_t)list[i].count;
    }
    stoa_arrow_array_set_buffer(out, 2, &bytes);
    return STOA_OK;
}

stoa_status stoa_merge_append_texts(const stoa_merge_column *column, struct ArrowArray *out,
                                    stoa_error *err) {
    struct runs runs;
    stoa_status status = runs_init(&runs, column, err);
    STOA_CHECK(status);
    STOA_CHECK(stoa_merge_array_init(column, 3, 0, out, err));
    STOA_CHECK(copy_bytes(column, &runs, out, err));
    stoa_arrow_array_set_buffer(out, 1, &runs.ends);

done:
    runs_release(&runs);
    return status;
}

static stoa_status copy_items(const stoa_merge_column *column, struct runs *runs,
                              struct ArrowArray *out, stoa_error *err) {
    struct ArrowSchema twin;
    int64_t count;
    const stoa_arrow_selection *list = runs_list(runs, &count);
    STOA_TRY(stoa_field_to_arrow(column->pool, &column->field->type.children[0], &twin, err));
    const stoa_status status = stoa_arrow_take_from(column->pool, &twin, list, count,
                                                    out->children[0], err);
    stoa_arrow_schema_release(&twin);
    return status;
}

stoa_status stoa_merge_append_lists(const stoa_merge_column *column, struct ArrowArray *out,
                                    stoa_error *err) {
    struct runs runs;
    stoa_status status = runs_init(&runs, column, err);
    STOA_CHECK(status);
    STOA_CHECK(stoa_merge_array_init(column, 2, 1, out, err));
    STOA_CHECK(copy_items(column, &runs, out, err));
    stoa_arrow_array_set_buffer(out, 1, &runs.ends);

done:
    runs_release(&runs);
    return status;
}

/* ---- Union ------------------------------------------------------------------------------------ */

/* Items by their order; of equal ones the older is the first. */
struct sorting {
    const stoa_type *type;
    const struct ArrowArray *items;
    const uint64_t *numbers; /* of items from `first_item` on, where the type's order is one of
                                numbers; else NULL */
    int64_t first_item;
};

static int compare_items(const struct sorting *sorting, int64_t left, int64_t right) {
    stoa_value values[2];
    const bool left_null = stoa_arrow_is_null(sorting->items, left);
    const bool right_null = stoa_arrow_is_null(sorting->items, right);
    if (left_null || right_null) {
        return (left_null ? 1 : 0) - (right_null ? 1 : 0);
    }
    if (sorting->numbers != NULL) {
        const uint64_t a = sorting->numbers[left - sorting->first_item];
        const uint64_t b = sorting->numbers[right - sorting->first_item];
        return (a > b) - (a < b);
    }
    stoa_value_from_array(sorting->type, sorting->items, left, &values[0]);
    stoa_value_from_array(sorting->type, sorting->items, right, &values[1]);
    return stoa_value_compare(&values[0], &values[1]);
}

static int64_t run_end(const struct sorting *sorting, const int64_t *items, int64_t first,
                       int64_t count) {
    int64_t end = first + 1;
    while (end < count && compare_items(sorting, items[end - 1], items[end]) <= 0) {
        end++;
    }
    return end < count ? end : count;
}

static void merge_runs(const struct sorting *sorting, const int64_t *left, int64_t left_count,
                       const int64_t *right, int64_t right_count, int64_t *out) {
    while (left_count > 0 && right_count > 0) {
        if (compare_items(sorting, *left, *right) <= 0) {
            *out++ = *left++;
            left_count--;
        } else {
            *out++ = *right++;
            right_count--;
        }
    }
    memcpy(out, left, (size_t)left_count * sizeof *out);
    memcpy(out + left_count, right, (size_t)right_count * sizeof *out);
}

/* A merge sort of the runs that are there, since what was folded before is sorted already: a set and
 * one more item are one pass. The result is in `items`; `spare` is as long. */
static void sort_items(const struct sorting *sorting, int64_t *items, int64_t count,
                       int64_t *spare) {
    while (run_end(sorting, items, 0, count) < count) {
        for (int64_t first = 0; first < count;) {
            const int64_t middle = run_end(sorting, items, first, count);
            const int64_t end = middle < count ? run_end(sorting, items, middle, count) : count;
            merge_runs(sorting, items + first, middle - first, items + middle, end - middle,
                       spare + first);
            first = end;
        }
        memcpy(items, spare, (size_t)count * sizeof *items);
    }
}

static int64_t drop_repeated(const struct sorting *sorting, int64_t *items, int64_t count) {
    int64_t kept = count > 0 ? 1 : 0;
    for (int64_t i = 1; i < count; i++) {
        if (compare_items(sorting, items[kept - 1], items[i]) != 0) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

/* Writes the items of group `g`; returns how many. A lone list stays as it is. */
static int64_t unite_group(const stoa_merge_column *column, const struct sorting *sorting,
                           int64_t g, int64_t *items, int64_t *spare) {
    const int32_t *offsets = offsets_of(column);
    int64_t count = 0, lists = 0;
    for (int64_t row = column->groups.starts[g]; row < column->groups.starts[g + 1]; row++) {
        if (!stoa_merge_is_valid(column, row)) {
            continue;
        }
        lists++;
        for (int64_t item = offsets[row]; item < offsets[row + 1]; item++) {
            items[count++] = item;
        }
    }
    if (lists < 2) {
        return count;
    }
    sort_items(sorting, items, count, spare);
    return drop_repeated(sorting, items, count);
}

/* The memory of one union: `items` and `spare` have room for all of the column's items. */
struct uniting {
    stoa_buffer items;
    stoa_buffer spare;
    stoa_buffer numbers;
    stoa_buffer ends;
};

static stoa_status uniting_init(struct uniting *uniting, const stoa_merge_column *column,
                                struct sorting *sorting, stoa_error *err) {
    const stoa_merge_groups *groups = &column->groups;
    const int32_t *offsets = offsets_of(column);
    const int64_t first = offsets[groups->starts[0]];
    const int64_t count = offsets[groups->starts[groups->count]] - first;
    const size_t bytes = (size_t)count * sizeof(int64_t);
    *sorting = (struct sorting){&column->field->type.children[0].type, column->rows->children[0],
                                NULL, first};
    STOA_TRY(stoa_buffer_reserve_exact(&uniting->items, bytes, err));
    STOA_TRY(stoa_buffer_reserve_exact(&uniting->spare, bytes, err));
    STOA_TRY(stoa_buffer_reserve_exact(&uniting->ends,
                                       (size_t)(groups->count + 1) * sizeof(int32_t), err));
    const uint8_t width = stoa_key_width(sorting->type);
    if (width > 0 && width <= sizeof(uint64_t) && count > 0) {
        STOA_TRY(stoa_buffer_reserve_exact(&uniting->numbers, bytes, err));
        stoa_key_numbers(sorting->type, sorting->items, sorting->items->offset + first, count,
                         (uint64_t *)(void *)uniting->numbers.data);
        sorting->numbers = (const uint64_t *)(const void *)uniting->numbers.data;
    }
    return STOA_OK;
}

static void uniting_release(struct uniting *uniting) {
    stoa_buffer_release(&uniting->items);
    stoa_buffer_release(&uniting->spare);
    stoa_buffer_release(&uniting->numbers);
    stoa_buffer_release(&uniting->ends);
}

stoa_status stoa_merge_union(const stoa_merge_column *column, struct ArrowArray *out,
                             stoa_error *err) {
    struct uniting uniting = {{.pool = column->pool},
                              {.pool = column->pool},
                              {.pool = column->pool},
                              {.pool = column->pool}};
    struct sorting sorting;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_merge_array_init(column, 2, 1, out, err));
    if (column->groups.count == 0) {
        return stoa_merge_take(column->pool, &column->field->type.children[0],
                               column->rows->children[0], NULL, 0, out->children[0], err);
    }
    STOA_CHECK(uniting_init(&uniting, column, &sorting, err));
    int64_t *items = (int64_t *)(void *)uniting.items.data;
    int32_t *ends = (int32_t *)(void *)uniting.ends.data;
    int64_t total = 0;
    ends[0] = 0;
    for (int64_t g = 0; g < column->groups.count; g++) {
        total += unite_group(column, &sorting, g, items + total,
                             (int64_t *)(void *)uniting.spare.data);
        ends[g + 1] = (int32_t)total;
    }
    uniting.ends.size = (size_t)(column->groups.count + 1) * sizeof(int32_t);
    STOA_CHECK(stoa_merge_take(column->pool, &column->field->type.children[0], sorting.items, items,
                               total, out->children[0], err));
    stoa_arrow_array_set_buffer(out, 1, &uniting.ends);

done:
    uniting_release(&uniting);
    return status;
}
