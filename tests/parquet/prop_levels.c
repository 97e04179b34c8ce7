/* Levels and values of every leaf against a slow reference that walks one row at a time, by recursion,
 * as the Dremel paper tells it; and the paper's own kind of example, worked out by hand. */
#include "parquet/levels.h"
#include "rows.h"

enum { ENTRIES_MAX = 200000 };

struct reference {
    const stoa_leaf *leaf;
    uint8_t *repetition;
    uint8_t *definition;
    int64_t *places; /* physical row of the leaf's array of each value */
    int64_t level_count;
    int64_t value_count;
    const struct ArrowArray *array;
};

static bool is_null(const struct ArrowArray *array, int64_t row, const stoa_leaf *leaf,
                    bool is_value) {
    if (is_value && leaf->value_class == STOA_LEAF_NULL) {
        return true;
    }
    const uint8_t *validity = array->n_buffers > 0 ? array->buffers[0] : NULL;
    const int64_t at = array->offset + row;
    return validity != NULL && (validity[at / 8] >> (at % 8) & 1) == 0;
}

static void emit(struct reference *out, int repetition, int definition) {
    assert_true(out->level_count < ENTRIES_MAX);
    out->repetition[out->level_count] = (uint8_t)repetition;
    out->definition[out->level_count++] = (uint8_t)definition;
}

/* `repetition` is the level of the next entry that comes out of here. */
static void walk(struct reference *out, int32_t step_index, const struct ArrowArray *array,
                 int64_t row, int repetition, int definition) {
    const stoa_leaf_step *step = &out->leaf->steps[step_index];
    const bool is_value = step->kind == STOA_LEAF_STEP_VALUE;
    if (is_value) {
        out->array = array;
    }
    if (is_null(array, row, out->leaf, is_value)) {
        emit(out, repetition, definition);
        return;
    }
    definition += step->optional;
    if (is_value) {
        emit(out, repetition, definition);
        out->places[out->value_count++] = array->offset + row;
        return;
    }
    if (step->kind == STOA_LEAF_STEP_STRUCT) {
        walk(out, step_index + 1, array->children[step->child], array->offset + row, repetition,
             definition);
        return;
    }
    const int32_t *offsets = array->buffers[1];
    const int32_t begin = offsets[array->offset + row], end = offsets[array->offset + row + 1];
    if (begin == end) {
        emit(out, repetition, definition);
        return;
    }
    for (int32_t i = begin; i < end; i++) {
        const struct ArrowArray *child = array->children[0];
        int64_t child_row = i;
        if (step->kind == STOA_LEAF_STEP_MAP) {
            child_row += child->offset;
            child = child->children[step->child];
        }
        walk(out, step_index + 1, child, child_row, i > begin ? step->repetition : repetition,
             definition + 1);
    }
}

static void check_leaf(const stoa_leaf *leaf, const stoa_leaf_values *values,
                       const stoa_rows *pieces, size_t piece_count, struct reference *reference) {
    stoa_bytes_view *views = (stoa_bytes_view *)(uintptr_t)values->data;
    int64_t level = 0, value = 0;
    for (size_t p = 0; p < piece_count; p++) {
        reference->leaf = leaf;
        reference->level_count = reference->value_count = 0;
        for (int64_t row = 0; row < pieces[p].count; row++) {
            walk(reference, 0, pieces[p].batch->children[leaf->column],
                 pieces[p].batch->offset + pieces[p].start + row, 0, 0);
        }
        for (int64_t i = 0; i < reference->level_count; i++, level++) {
            assert_true(level < values->level_count);
            assert_int_equal(values->definition != NULL ? values->definition[level]
                                                        : leaf->definition_max,
                             reference->definition[i]);
            assert_int_equal(values->repetition != NULL ? values->repetition[level] : 0,
                             reference->repetition[i]);
        }
        for (int64_t i = 0; i < reference->value_count; i++, value++) {
            const int64_t at = reference->places[i];
            assert_true(value < values->value_count);
            if (leaf->value_class == STOA_LEAF_BYTES) {
                const int32_t *offsets = reference->array->buffers[1];
                assert_int_equal(views[value].size, offsets[at + 1] - offsets[at]);
                assert_memory_equal(views[value].data,
                                    (const uint8_t *)reference->array->buffers[2] + offsets[at],
                                    views[value].size);
            } else if (leaf->value_class == STOA_LEAF_I32 &&
                       leaf->field->type.kind != STOA_TYPE_DECIMAL) {
                assert_int_equal(((const int32_t *)values->data)[value],
                                 ((const int32_t *)reference->array->buffers[1])[at]);
            }
        }
    }
    assert_int_equal(level, values->level_count);
    assert_int_equal(value, values->value_count);
}

static void levels_equal_their_reference(void **state) {
    (void)state;
    static const char *const schemas[] = {
        "a int, b string not null, c unknown",
        "a list<int>, b list<list<string>>, c list<list<list<int not null> not null>>",
        "a map<string, list<int>>, b map<int, map<string, int>>",
        "a struct<x: int, y: struct<z: string, w: list<struct<p: int, q: string not null>>>>",
        "a list<struct<m: map<int, struct<u: string, v: list<int>>>>> not null, b int",
    };
    support_random random = support_random_open("levels");
    struct reference reference = {.repetition = malloc(ENTRIES_MAX),
                                  .definition = malloc(ENTRIES_MAX),
                                  .places = malloc(ENTRIES_MAX * sizeof(int64_t))};
    for (int round = 0; round < 150; round++) {
        stoa_pool *pool = support_pool_open();
        stoa_error err = STOA_ERROR_NONE;
        const stoa_schema *schema;
        const stoa_leaf *leaves;
        int32_t leaf_count;
        stoa_arena arena;
        stoa_arena_init(&arena, pool);
        assert_ok(stoa_schema_parse(pool, schemas[round % 5], &schema, &err), err);
        assert_ok(stoa_leaves_create(&arena, schema, &leaves, &leaf_count, &err), err);

        const struct rows_options options = {(int)support_random_below(&random, 3) * 30, 20,
                                             (int)support_random_below(&random, 4), 9, false};
        struct ArrowArray batches[3];
        stoa_rows pieces[3];
        const size_t piece_count = 1 + (size_t)support_random_below(&random, 3);
        for (size_t p = 0; p < piece_count; p++) {
            const int64_t length = 1 + (int64_t)support_random_below(&random, 60);
            rows_batch(support_random_u64(&random), schema, &options, length, &batches[p]);
            const int64_t start = (int64_t)support_random_below(&random, (uint64_t)length);
            pieces[p] = (stoa_rows){&batches[p], start, length - start};
        }
        stoa_leaf_values values;
        stoa_leaf_values_init(&values, pool);
        for (int32_t i = 0; i < leaf_count; i++) {
            assert_ok(stoa_leaf_values_collect(&values, &leaves[i], pieces, piece_count, 0, &err),
                      err);
            check_leaf(&leaves[i], &values, pieces, piece_count, &reference);
        }
        stoa_leaf_values_release(&values);
        for (size_t p = 0; p < piece_count; p++) {
            batches[p].release(&batches[p]);
        }
        stoa_arena_release(&arena);
        stoa_schema_close(schema);
        support_pool_close(pool);
    }
    free(reference.repetition);
    free(reference.definition);
    free(reference.places);
}

/* [[1, 2], [], null, [null]] , null, [] , [[3]]: four rows of list<list<int>>. */
static void a_known_example_has_its_known_levels(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema;
    const stoa_leaf *leaves;
    int32_t leaf_count;
    stoa_arena arena;
    stoa_arena_init(&arena, pool);
    assert_ok(stoa_schema_parse(pool, "a list<list<int>>", &schema, &err), err);
    assert_ok(stoa_leaves_create(&arena, schema, &leaves, &leaf_count, &err), err);
    assert_int_equal(leaf_count, 1);
    assert_int_equal(leaves[0].definition_max, 5);
    assert_int_equal(leaves[0].repetition_max, 2);
    assert_string_equal(leaves[0].name, "a.list.element.list.element");

    int32_t outer_offsets[] = {0, 4, 4, 4, 5}, inner_offsets[] = {0, 2, 2, 2, 3, 4};
    int32_t numbers[] = {1, 2, 0, 3};
    uint8_t outer_valid = 0x0D, inner_valid = 0x1B, number_valid = 0x0B;
    const void *number_buffers[] = {&number_valid, numbers};
    const void *inner_buffers[] = {&inner_valid, inner_offsets};
    const void *outer_buffers[] = {&outer_valid, outer_offsets};
    const void *root_buffers[] = {NULL};
    struct ArrowArray items = {.length = 4, .null_count = 1, .n_buffers = 2,
                               .buffers = number_buffers};
    struct ArrowArray *items_list[] = {&items};
    struct ArrowArray inner = {.length = 5, .null_count = 1, .n_buffers = 2, .n_children = 1,
                               .buffers = inner_buffers, .children = items_list};
    struct ArrowArray *inner_list[] = {&inner};
    struct ArrowArray outer = {.length = 4, .null_count = 1, .n_buffers = 2, .n_children = 1,
                               .buffers = outer_buffers, .children = inner_list};
    struct ArrowArray *columns[] = {&outer};
    struct ArrowArray batch = {.length = 4, .n_buffers = 1, .n_children = 1,
                               .buffers = root_buffers, .children = columns};
    const stoa_rows piece = {&batch, 0, 4};
    stoa_leaf_values values;
    stoa_leaf_values_init(&values, pool);
    assert_ok(stoa_leaf_values_collect(&values, &leaves[0], &piece, 1, 0, &err), err);
    static const uint8_t repetition[] = {0, 2, 1, 1, 1, 0, 0, 0};
    static const uint8_t definition[] = {5, 5, 3, 2, 4, 0, 1, 5};
    static const int32_t present[] = {1, 2, 3};
    assert_int_equal(values.row_count, 4);
    assert_int_equal(values.level_count, 8);
    assert_memory_equal(values.repetition, repetition, sizeof repetition);
    assert_memory_equal(values.definition, definition, sizeof definition);
    assert_int_equal(values.value_count, 3);
    assert_memory_equal(values.data, present, sizeof present);
    stoa_leaf_values_release(&values);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_example_has_its_known_levels),
        cmocka_unit_test(levels_equal_their_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
