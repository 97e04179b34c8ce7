/* A leaf is reached in steps, one for each field on the way from its column. Between two steps the
 * state is a list of entries (repetition level, definition level, row of the array that the step
 * stands at; -1 once a null or an empty list ended the way). A nullable step ends entries or raises
 * their definition; a list replaces each entry by its items, of which the first keeps the repetition
 * level and the others get the list's own. What is left at the leaf are its levels, and the rows
 * that are not -1 are its values.
 *
 * Columns that are no list, map or struct take a short way: their levels are the validity bitmap,
 * and without nulls there is nothing to do but to point at the values.
 *
 * The result depends on the rows alone, not on how they were cut into batches. */
#include "parquet/levels.h"

#include "base/bits.h"
#include "parquet/values.h"

struct entry {
    int64_t row;
    uint8_t repetition;
    uint8_t definition;
};

void stoa_leaf_values_init(stoa_leaf_values *values, stoa_pool *pool) {
    *values = (stoa_leaf_values){0};
    stoa_buffer_init(&values->definition_buffer, pool);
    stoa_buffer_init(&values->repetition_buffer, pool);
    stoa_buffer_init(&values->data_buffer, pool);
    stoa_buffer_init(&values->bytes, pool);
    stoa_buffer_init(&values->entries[0], pool);
    stoa_buffer_init(&values->entries[1], pool);
    stoa_buffer_init(&values->indices, pool);
}

void stoa_leaf_values_release(stoa_leaf_values *values) {
    stoa_buffer_release(&values->definition_buffer);
    stoa_buffer_release(&values->repetition_buffer);
    stoa_buffer_release(&values->data_buffer);
    stoa_buffer_release(&values->bytes);
    stoa_buffer_release(&values->entries[0]);
    stoa_buffer_release(&values->entries[1]);
    stoa_buffer_release(&values->indices);
}

static void values_clear(stoa_leaf_values *values) {
    values->row_count = values->level_count = values->value_count = 0;
    values->definition = values->repetition = NULL;
    values->data = NULL;
    stoa_buffer_clear(&values->definition_buffer);
    stoa_buffer_clear(&values->repetition_buffer);
    stoa_buffer_clear(&values->data_buffer);
    stoa_buffer_clear(&values->bytes);
}

static const uint8_t *validity_of(const struct ArrowArray *array) {
    return array->n_buffers > 0 && array->null_count != 0 ? array->buffers[0] : NULL;
}

static stoa_status fail_null(const stoa_leaf *leaf, int64_t row, stoa_error *err) {
    stoa_fail(err, STOA_INVALID, "row %" PRId64 ", column '%s': expected a value but found null",
              row, leaf->name);
    stoa_error_set_row(err, row);
    stoa_error_set_column(err, leaf->column, leaf->name);
    return STOA_INVALID;
}

static stoa_status fail_value(const stoa_leaf *leaf, int64_t row, stoa_error *err) {
    const char *expected = "a decimal within its precision";
    if (leaf->value_class == STOA_LEAF_FIXED_NO_ORDER) {
        expected = "an interval that Parquet can hold (no negative part, whole milliseconds)";
    } else if (leaf->multiplier != 1) {
        expected = "seconds that fit 64 bits as milliseconds";
    }
    stoa_fail(err, STOA_INVALID, "row %" PRId64 ", column '%s': expected %s", row, leaf->name,
              expected);
    stoa_error_set_row(err, row);
    stoa_error_set_column(err, leaf->column, leaf->name);
    return STOA_INVALID;
}

/* ---- Columns that are leaves ----------------------------------------------------------------- */

static stoa_status flat_with_nulls(stoa_leaf_values *values, const stoa_leaf *leaf,
                                   const struct ArrowArray *array, int64_t start, int64_t count,
                                   int64_t first_row, stoa_error *err) {
    const uint8_t *validity = validity_of(array);
    const bool all_null = leaf->value_class == STOA_LEAF_NULL;
    stoa_buffer *levels = &values->definition_buffer;
    STOA_TRY(stoa_buffer_reserve(levels, (size_t)count, err));
    stoa_buffer_clear(&values->indices);
    STOA_TRY(stoa_buffer_reserve(&values->indices, (size_t)count * sizeof(int64_t), err));
    int64_t *indices = (int64_t *)(void *)values->indices.data;
    uint8_t *out = levels->data + levels->size;
    int64_t present = 0;
    for (int64_t i = 0; i < count; i++) {
        const bool is_present =
            !all_null && (validity == NULL || stoa_bit_get(validity, array->offset + start + i));
        out[i] = is_present;
        indices[present] = start + i;
        present += is_present;
    }
    levels->size += (size_t)count;
    values->value_count += present;
    int64_t bad = 0;
    stoa_status status =
        stoa_values_fetch(values, leaf, array, indices, 0, present, &bad, err);
    return status == STOA_INVALID ? fail_value(leaf, first_row + indices[bad] - start, err)
                                  : status;
}

static bool piece_has_nulls(const struct ArrowArray *array, int64_t start, int64_t count) {
    const uint8_t *validity = validity_of(array);
    return validity != NULL && stoa_bitmap_count(validity, array->offset + start, count) < count;
}

static const struct ArrowArray *flat_array(const stoa_leaf *leaf, const stoa_rows *piece,
                                           int64_t *out_start) {
    *out_start = piece->batch->offset + piece->start;
    return piece->batch->children[leaf->column];
}

static stoa_status flat_piece(stoa_leaf_values *values, const stoa_leaf *leaf,
                              const stoa_rows *piece, bool with_nulls, int64_t first_row,
                              stoa_error *err) {
    int64_t start;
    const struct ArrowArray *array = flat_array(leaf, piece, &start);
    if (with_nulls) {
        return flat_with_nulls(values, leaf, array, start, piece->count, first_row, err);
    }
    values->value_count += piece->count;
    int64_t bad = 0;
    stoa_status status =
        stoa_values_fetch(values, leaf, array, NULL, start, piece->count, &bad, err);
    return status == STOA_INVALID ? fail_value(leaf, first_row + bad, err) : status;
}

static stoa_status fail_flat_null(const stoa_leaf *leaf, const stoa_rows *piece, int64_t first_row,
                                  stoa_error *err) {
    int64_t start;
    const struct ArrowArray *array = flat_array(leaf, piece, &start);
    int64_t row = 0;
    while (stoa_bit_get(validity_of(array), array->offset + start + row)) {
        row++;
    }
    return fail_null(leaf, first_row + row, err);
}

static stoa_status collect_flat(stoa_leaf_values *values, const stoa_leaf *leaf,
                                const stoa_rows *pieces, size_t piece_count, int64_t first_row,
                                stoa_error *err) {
    bool with_nulls = leaf->value_class == STOA_LEAF_NULL;
    if (with_nulls && !leaf->steps[0].optional) {
        return fail_null(leaf, first_row, err);
    }
    int64_t row = first_row;
    for (size_t i = 0; i < piece_count && !with_nulls; i++) {
        int64_t start;
        const struct ArrowArray *array = flat_array(leaf, &pieces[i], &start);
        if (piece_has_nulls(array, start, pieces[i].count)) {
            with_nulls = true;
            if (!leaf->steps[0].optional) {
                return fail_flat_null(leaf, &pieces[i], row, err);
            }
        }
        row += pieces[i].count;
    }
    if (piece_count == 1 && !with_nulls) {
        int64_t start;
        const struct ArrowArray *array = flat_array(leaf, &pieces[0], &start);
        values->data = stoa_values_in_place(leaf, array, start);
    }
    for (size_t i = 0; i < piece_count; i++) {
        if (values->data == NULL) {
            STOA_TRY(flat_piece(values, leaf, &pieces[i], with_nulls,
                                first_row + values->row_count, err));
        } else {
            values->value_count += pieces[i].count;
        }
        values->row_count += pieces[i].count;
    }
    values->level_count = values->row_count;
    values->definition = with_nulls ? values->definition_buffer.data : NULL;
    return STOA_OK;
}

/* ---- Nested leaves --------------------------------------------------------------------------- */

static struct entry *entries_of(stoa_buffer *buffer) {
    return (struct entry *)(void *)buffer->data;
}

static size_t entry_count(const stoa_buffer *buffer) {
    return buffer->size / sizeof(struct entry);
}

/* The row of the file that an entry belongs to, for messages. */
static int64_t row_of_entry(stoa_buffer *buffer, size_t at, int64_t first_row) {
    int64_t row = first_row - 1;
    for (size_t i = 0; i <= at; i++) {
        row += entries_of(buffer)[i].repetition == 0;
    }
    return row;
}

static stoa_status step_nullable(stoa_leaf_values *values, const stoa_leaf *leaf, bool optional,
                                 bool all_null, const struct ArrowArray *array, int64_t first_row,
                                 stoa_error *err) {
    struct entry *entries = entries_of(&values->entries[0]);
    const size_t count = entry_count(&values->entries[0]);
    const uint8_t *validity = validity_of(array);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].row < 0) {
            continue;
        }
        const bool is_null = all_null || (validity != NULL &&
                             !stoa_bit_get(validity, array->offset + entries[i].row));
        if (is_null && !optional) {
            return fail_null(leaf, row_of_entry(&values->entries[0], i, first_row), err);
        }
        if (is_null) {
            entries[i].row = -1;
        } else {
            entries[i].definition = (uint8_t)(entries[i].definition + optional);
        }
    }
    return STOA_OK;
}

static size_t count_items(const struct entry *entries, size_t count, const int32_t *offsets,
                          int64_t array_offset) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t items = 0;
        if (entries[i].row >= 0) {
            const int64_t place = array_offset + entries[i].row;
            items = (size_t)(offsets[place + 1] - offsets[place]);
        }
        total += items > 0 ? items : 1;
    }
    return total;
}

static stoa_status step_repeated(stoa_leaf_values *values, const stoa_leaf_step *step,
                                 const struct ArrowArray *array, stoa_error *err) {
    stoa_buffer *from = &values->entries[0];
    stoa_buffer *to = &values->entries[1];
    const size_t count = entry_count(from);
    const struct entry *entries = entries_of(from);
    const int32_t *offsets = array->buffers[1];
    const size_t total = count_items(entries, count, offsets, array->offset);
    stoa_buffer_clear(to);
    STOA_TRY(stoa_buffer_reserve(to, total * sizeof(struct entry), err));
    struct entry *out = entries_of(to);
    for (size_t i = 0; i < count; i++) {
        struct entry entry = entries[i];
        int32_t begin = 0, end = 0;
        if (entry.row >= 0) {
            begin = offsets[array->offset + entry.row];
            end = offsets[array->offset + entry.row + 1];
        }
        if (begin == end) {
            entry.row = -1;
            *out++ = entry;
            continue;
        }
        entry.definition++;
        for (int32_t item = begin; item < end; item++) {
            entry.row = item;
            *out++ = entry;
            entry.repetition = step->repetition;
        }
    }
    to->size = total * sizeof(struct entry);
    stoa_buffer swap = *from;
    *from = *to;
    *to = swap;
    return STOA_OK;
}

/* Children of a struct are sliced by its offset too. */
static void step_into_child(stoa_leaf_values *values, const struct ArrowArray *array) {
    if (array->offset == 0) {
        return;
    }
    struct entry *entries = entries_of(&values->entries[0]);
    const size_t count = entry_count(&values->entries[0]);
    for (size_t i = 0; i < count; i++) {
        entries[i].row += entries[i].row >= 0 ? array->offset : 0;
    }
}

static stoa_status begin_entries(stoa_leaf_values *values, const stoa_rows *piece,
                                 stoa_error *err) {
    stoa_buffer *buffer = &values->entries[0];
    stoa_buffer_clear(buffer);
    STOA_TRY(stoa_buffer_reserve(buffer, (size_t)piece->count * sizeof(struct entry), err));
    struct entry *entries = entries_of(buffer);
    for (int64_t i = 0; i < piece->count; i++) {
        entries[i] = (struct entry){.row = piece->batch->offset + piece->start + i};
    }
    buffer->size = (size_t)piece->count * sizeof(struct entry);
    return STOA_OK;
}

static stoa_status shred(stoa_leaf_values *values, const stoa_leaf *leaf, const stoa_rows *piece,
                         int64_t first_row, const struct ArrowArray **out_array,
                         stoa_error *err) {
    const struct ArrowArray *array = piece->batch->children[leaf->column];
    STOA_TRY(begin_entries(values, piece, err));
    for (int32_t i = 0; i < leaf->step_count; i++) {
        const stoa_leaf_step *step = &leaf->steps[i];
        const bool all_null =
            step->kind == STOA_LEAF_STEP_VALUE && leaf->value_class == STOA_LEAF_NULL;
        STOA_TRY(step_nullable(values, leaf, step->optional, all_null, array, first_row, err));
        if (step->kind == STOA_LEAF_STEP_LIST || step->kind == STOA_LEAF_STEP_MAP) {
            STOA_TRY(step_repeated(values, step, array, err));
            array = array->children[0];
        }
        if (step->kind == STOA_LEAF_STEP_STRUCT || step->kind == STOA_LEAF_STEP_MAP) {
            step_into_child(values, array);
            array = array->children[step->child];
        }
    }
    *out_array = array;
    return STOA_OK;
}

static stoa_status append_levels(stoa_leaf_values *values, const stoa_leaf *leaf,
                                 stoa_error *err) {
    const struct entry *entries = entries_of(&values->entries[0]);
    const size_t count = entry_count(&values->entries[0]);
    stoa_buffer *definition = &values->definition_buffer;
    stoa_buffer *repetition = &values->repetition_buffer;
    STOA_TRY(stoa_buffer_reserve(definition, count, err));
    for (size_t i = 0; i < count; i++) {
        definition->data[definition->size + i] = entries[i].definition;
    }
    definition->size += count;
    if (leaf->repetition_max > 0) {
        STOA_TRY(stoa_buffer_reserve(repetition, count, err));
        for (size_t i = 0; i < count; i++) {
            repetition->data[repetition->size + i] = entries[i].repetition;
        }
        repetition->size += count;
    }
    return STOA_OK;
}

static stoa_status nested_piece(stoa_leaf_values *values, const stoa_leaf *leaf,
                                const stoa_rows *piece, int64_t first_row, stoa_error *err) {
    const struct ArrowArray *array;
    STOA_TRY(shred(values, leaf, piece, first_row, &array, err));
    STOA_TRY(append_levels(values, leaf, err));

    const struct entry *entries = entries_of(&values->entries[0]);
    const size_t count = entry_count(&values->entries[0]);
    stoa_buffer_clear(&values->indices);
    STOA_TRY(stoa_buffer_reserve(&values->indices, count * sizeof(int64_t), err));
    int64_t *indices = (int64_t *)(void *)values->indices.data;
    int64_t present = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].row >= 0) {
            indices[present++] = entries[i].row;
        }
    }
    values->value_count += present;
    int64_t bad = 0;
    stoa_status status = stoa_values_fetch(values, leaf, array, indices, 0, present, &bad, err);
    if (status == STOA_INVALID) {
        size_t at = 0;
        for (int64_t seen = -1; seen < bad; at++) {
            seen += entries[at].row >= 0;
        }
        return fail_value(leaf, row_of_entry(&values->entries[0], at - 1, first_row), err);
    }
    return status;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static stoa_status point_views_at_bytes(stoa_leaf_values *values, const stoa_leaf *leaf,
                                        stoa_error *err) {
    const size_t count = (size_t)values->value_count;
    const size_t width = (size_t)leaf->type_length;
    STOA_TRY(stoa_buffer_reserve(&values->data_buffer, count * sizeof(stoa_bytes_view), err));
    stoa_bytes_view *views = (stoa_bytes_view *)(void *)values->data_buffer.data;
    for (size_t i = 0; i < count; i++) {
        views[i] = (stoa_bytes_view){values->bytes.data + i * width, width};
    }
    return STOA_OK;
}

stoa_status stoa_leaf_values_collect(stoa_leaf_values *values, const stoa_leaf *leaf,
                                     const stoa_rows *pieces, size_t piece_count, int64_t first_row,
                                     stoa_error *err) {
    values_clear(values);
    if (stoa_leaf_is_flat(leaf)) {
        STOA_TRY(collect_flat(values, leaf, pieces, piece_count, first_row, err));
    } else {
        for (size_t i = 0; i < piece_count; i++) {
            STOA_TRY(nested_piece(values, leaf, &pieces[i], first_row + values->row_count, err));
            values->row_count += pieces[i].count;
        }
        values->level_count = (int64_t)values->definition_buffer.size;
        values->definition = leaf->definition_max > 0 ? values->definition_buffer.data : NULL;
        values->repetition = leaf->repetition_max > 0 ? values->repetition_buffer.data : NULL;
    }
    if (leaf->value_class == STOA_LEAF_FIXED_SIGNED ||
        leaf->value_class == STOA_LEAF_FIXED_NO_ORDER) {
        STOA_TRY(point_views_at_bytes(values, leaf, err));
    }
    if (values->data == NULL) {
        values->data = values->data_buffer.data;
    }
    return STOA_OK;
}
