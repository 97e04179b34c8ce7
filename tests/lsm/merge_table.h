/* Tables with merge operators for tests, and the slow, obvious fold: value by value, one group after
 * the other, without any of the library's kernels. */
#ifndef STOA_TESTS_LSM_MERGE_TABLE_H
#define STOA_TESTS_LSM_MERGE_TABLE_H

#include <math.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "copy_rows.h"
#include "lsm/merge_operator.h"
#include "schema/predicate.h"
#include "schema/schema.h"
#include "support.h"

enum { MERGE_COLUMNS_MAX = 64, MERGE_VALUES_MAX = 256 };

struct merge_table {
    stoa_pool *pool;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_definition definition;
    stoa_merge_operator operators[MERGE_COLUMNS_MAX];
    const char *programs[MERGE_COLUMNS_MAX];
};

/// Columns of a schema's text whose first is the key and which have these operators.
static inline void merge_table_open(stoa_pool *pool, const char *schema,
                                    const stoa_merge_operator *operators,
                                    struct merge_table *table) {
    static const stoa_key_column key = {1, false};
    stoa_error err;
    *table = (struct merge_table){.pool = pool};
    assert_ok(stoa_schema_parse(pool, schema, &table->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(pool, table->schema, &table->arrow, &err), err);
    assert_true(table->schema->root.child_count <= MERGE_COLUMNS_MAX);
    for (int32_t i = 0; i < table->schema->root.child_count; i++) {
        table->operators[i] = operators[i];
        table->programs[i] = operators[i] == STOA_MERGE_PROGRAM ? "test" : NULL;
        assert_true(stoa_merge_operator_takes(operators[i], &table->schema->root.children[i].type));
    }
    stoa_definition *definition = &table->definition;
    definition->schema = table->schema;
    definition->operators = table->operators;
    definition->programs = table->programs;
    stoa_arena_init(&definition->arena, pool);
    assert_ok(stoa_key_format_init(&definition->key, table->schema, &key, 1, &err), err);
    assert_ok(stoa_stripe_layout_init(&definition->layout, &definition->arena, table->schema,
                                      &definition->key, &err),
              err);
}

static inline void merge_table_close(struct merge_table *table) {
    stoa_arena_release(&table->definition.arena);
    stoa_arrow_schema_release(&table->arrow);
    stoa_schema_close(table->schema);
}

/* ---- The reference ---------------------------------------------------------------------------- */

struct merge_group {
    const struct merge_table *table;
    int32_t column;
    const struct ArrowArray *array;
    int64_t first, end;
};

/* The sum, or false: it does not fit. Decimals of 38 digits are the unit tests' business. */
static inline bool merge_reference_sum(const struct merge_group *group, stoa_value *sum) {
    const stoa_type *type = &group->table->schema->root.children[group->column].type;
    __int128 whole = 0, limit = 1;
    double real = -0.0;
    for (int64_t row = group->first; row < group->end; row++) {
        stoa_value value;
        stoa_value_from_array(type, group->array, row, &value);
        if (!value.is_null) {
            whole += type->kind == STOA_TYPE_DECIMAL  ? value.decimal
                     : type->kind == STOA_TYPE_UINT64 ? (__int128)(uint64_t)value.i
                                                      : value.i;
            real += value.f;
        }
    }
    *sum = (stoa_value){.type = *type, .i = (int64_t)whole, .decimal = whole, .f = real};
    switch (type->kind) {
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return true;
    case STOA_TYPE_INT8: return whole == (int8_t)whole;
    case STOA_TYPE_INT16: return whole == (int16_t)whole;
    case STOA_TYPE_INT: return whole == (int32_t)whole;
    case STOA_TYPE_UINT8: return whole == (uint8_t)whole;
    case STOA_TYPE_UINT16: return whole == (uint16_t)whole;
    case STOA_TYPE_UINT32: return whole == (uint32_t)whole;
    case STOA_TYPE_UINT64: return whole == (__int128)(uint64_t)whole;
    case STOA_TYPE_DECIMAL:
        for (int32_t i = 0; i < type->precision; i++) {
            limit *= 10;
        }
        return whole < limit && whole > -limit;
    default: return whole == (int64_t)whole;
    }
}

static inline void merge_append_number(stoa_builder *builder, const stoa_value *value) {
    stoa_error err;
    switch (value->type.kind) {
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: assert_ok(stoa_builder_append_f64(builder, value->f, &err), err); break;
    case STOA_TYPE_DECIMAL:
        assert_ok(stoa_builder_append_i128(builder, value->decimal, &err), err);
        break;
    case STOA_TYPE_UINT64:
        assert_ok(stoa_builder_append_u64(builder, (uint64_t)value->i, &err), err);
        break;
    default: assert_ok(stoa_builder_append_i64(builder, value->i, &err), err); break;
    }
}

/* The row that wins; -1: all are null. */
static inline int64_t merge_reference_pick(const struct merge_group *group,
                                           stoa_merge_operator merge) {
    int64_t best = -1;
    for (int64_t row = group->first; row < group->end; row++) {
        stoa_value value, before;
        if (stoa_arrow_is_null(group->array, row)) {
            continue;
        }
        if (best < 0 || merge == STOA_MERGE_LAST) {
            best = row;
            continue;
        }
        const stoa_type *type = &group->table->schema->root.children[group->column].type;
        stoa_value_from_array(type, group->array, row, &value);
        stoa_value_from_array(type, group->array, best, &before);
        const int order = stoa_value_compare(&value, &before);
        best = merge == STOA_MERGE_MIN ? (order < 0 ? row : best) : (order > 0 ? row : best);
    }
    return best;
}

/* Items of all lists of the group; returns how many lists there are. */
static inline int64_t merge_reference_items(const struct merge_group *group, int64_t *items,
                                            int64_t *count) {
    const int32_t *offsets = (const int32_t *)group->array->buffers[1] + group->array->offset;
    int64_t lists = 0;
    *count = 0;
    for (int64_t row = group->first; row < group->end; row++) {
        if (stoa_arrow_is_null(group->array, row)) {
            continue;
        }
        lists++;
        for (int64_t item = offsets[row]; item < offsets[row + 1]; item++) {
            assert_true(*count < MERGE_VALUES_MAX);
            items[(*count)++] = item;
        }
    }
    return lists;
}

/* By insertion: an equal one is left out, a null is the greatest. */
static inline int64_t merge_reference_set(const struct merge_group *group, int64_t *items,
                                          int64_t count) {
    const stoa_type *type =
        &group->table->schema->root.children[group->column].type.children[0].type;
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t item = items[i];
        int64_t at = 0;
        int order = 1;
        while (at < kept) {
            stoa_value left, right;
            stoa_value_from_array(type, group->array->children[0], items[at], &left);
            stoa_value_from_array(type, group->array->children[0], item, &right);
            order = left.is_null || right.is_null ? right.is_null - left.is_null
                                                  : stoa_value_compare(&right, &left);
            if (order <= 0) {
                break;
            }
            at++;
        }
        if (at < kept && order == 0) {
            continue;
        }
        memmove(items + at + 1, items + at, (size_t)(kept - at) * sizeof *items);
        items[at] = item;
        kept++;
    }
    return kept;
}

static inline void merge_reference_list(const struct merge_group *group, bool is_set,
                                        const struct ArrowSchema *arrow, stoa_builder *builder) {
    int64_t items[MERGE_VALUES_MAX + 1], count;
    stoa_error err;
    const int64_t lists = merge_reference_items(group, items, &count);
    if (lists == 0) {
        assert_ok(stoa_builder_append_null(builder, &err), err);
        return;
    }
    if (is_set && lists > 1) {
        count = merge_reference_set(group, items, count);
    }
    for (int64_t i = 0; i < count; i++) {
        support_append_value(stoa_builder_child(builder, 0), arrow->children[0],
                             group->array->children[0], items[i]);
    }
    assert_ok(stoa_builder_finish_value(builder, &err), err);
}

static inline void merge_reference_text(const struct merge_group *group, stoa_builder *builder) {
    const stoa_type *type = &group->table->schema->root.children[group->column].type;
    stoa_buffer text = {.pool = group->table->pool};
    stoa_error err;
    bool is_null = true;
    for (int64_t row = group->first; row < group->end; row++) {
        stoa_value value;
        stoa_value_from_array(type, group->array, row, &value);
        if (!value.is_null) {
            is_null = false;
            assert_ok(stoa_buffer_append(&text, value.bytes, value.size, &err), err);
        }
    }
    assert_ok(is_null ? stoa_builder_append_null(builder, &err)
                      : stoa_builder_append_bytes(builder, text.data, text.size, &err),
              err);
    stoa_buffer_release(&text);
}

/// Appends the group's value; false: a sum does not fit, and nothing was appended.
static inline bool merge_reference_column(const struct merge_group *group, stoa_builder *builder) {
    const stoa_merge_operator merge = group->table->operators[group->column];
    const struct ArrowSchema *arrow = group->table->arrow.children[group->column];
    stoa_error err;
    stoa_value sum;
    int64_t row = group->first;
    if (group->column > 0) {
        row = merge_reference_pick(group, STOA_MERGE_LAST);
        if (merge == STOA_MERGE_MIN || merge == STOA_MERGE_MAX) {
            row = merge_reference_pick(group, merge);
        } else if (merge == STOA_MERGE_ADD && row >= 0) {
            if (!merge_reference_sum(group, &sum)) {
                return false;
            }
            merge_append_number(builder, &sum);
            return true;
        } else if (merge == STOA_MERGE_APPEND && arrow->n_children == 0) {
            merge_reference_text(group, builder);
            return true;
        } else if (merge == STOA_MERGE_APPEND || merge == STOA_MERGE_UNION) {
            merge_reference_list(group, merge == STOA_MERGE_UNION, arrow, builder);
            return true;
        }
    }
    if (row < 0) {
        assert_ok(stoa_builder_append_null(builder, &err), err);
    } else {
        support_append_value(builder, arrow, group->array, row);
    }
    return true;
}

/// Answers the first column with a sum that does not fit (its first such group in `*out_group`), else
/// -1 and the rows.
static inline int32_t merge_reference(const struct merge_table *table,
                                      const struct ArrowArray *rows, const int64_t *groups,
                                      int64_t count, struct ArrowArray *out, int64_t *out_group) {
    stoa_builder *builder;
    stoa_error err;
    int32_t misfit = -1;
    assert_ok(stoa_builder_create(table->pool, &table->arrow, &builder, &err), err);
    for (int32_t column = 0; column < table->schema->root.child_count && misfit < 0; column++) {
        for (int64_t g = 0; g < count; g++) {
            const struct merge_group group = {table, column, rows->children[column], groups[g],
                                              groups[g + 1]};
            if (!merge_reference_column(&group, stoa_builder_child(builder, column))) {
                misfit = column;
                *out_group = g;
                break;
            }
        }
    }
    *out = (struct ArrowArray){0};
    if (misfit < 0) {
        assert_ok(stoa_builder_finish_rows(builder, count, &err), err);
        assert_ok(stoa_builder_finish(builder, out, &err), err);
    }
    stoa_builder_close(builder);
    return misfit;
}

#endif
