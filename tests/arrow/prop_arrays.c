/* Slices, take, concatenation and comparison of random batches, against copies value by value. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/print.h"
#include "arrow/schema.h"
#include "copy_rows.h"
#include "random_batch.h"

enum { ROUNDS = 150, ROWS_MAX = 60 };

struct world {
    stoa_pool *pool;
    support_random random;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    stoa_error err;
};

static void world_open(struct world *world, support_random random) {
    *world = (struct world){.pool = support_pool_open(), .random = random, .err = STOA_ERROR_NONE};
    support_batch_options options = {0};
    int64_t rows = support_random_between(&world->random, 0, ROWS_MAX);
    support_random_schema(&world->random, world->pool, &options, &world->schema);
    support_random_batch(&world->random, world->pool, &world->schema, &options, rows,
                         &world->batch);
}

static support_random world_close(struct world *world) {
    stoa_arrow_array_release(&world->batch);
    stoa_arrow_schema_release(&world->schema);
    support_pool_close(world->pool);
    return world->random;
}

static void each_round(const char *test, void (*body)(struct world *world)) {
    support_random random = support_random_open(test);
    for (int i = 0; i < ROUNDS; i++) {
        struct world world;
        world_open(&world, random);
        body(&world);
        random = world_close(&world);
    }
}

static void assert_same(struct world *world, const struct ArrowArray *expected,
                        const struct ArrowArray *found) {
    stoa_error *err = &world->err;
    assert_ok(stoa_arrow_validate(&world->schema, found, STOA_ARROW_CHECK_FULL, err), *err);
    assert_ok(stoa_arrow_compare(&world->schema, expected, &world->schema, found, err), *err);
}

/* Rows [offset, offset + length) value by value. */
static void copy_range(struct world *world, int64_t offset, int64_t length,
                       struct ArrowArray *out) {
    int64_t indices[ROWS_MAX];
    for (int64_t i = 0; i < length; i++) {
        indices[i] = offset + i;
    }
    support_copy_rows(world->pool, &world->schema, &world->batch, indices, length, out);
}

static void range_choose(struct world *world, int64_t *offset, int64_t *length) {
    *offset = support_random_between(&world->random, 0, world->batch.length);
    *length = support_random_between(&world->random, 0, world->batch.length - *offset);
}

static void slice_check(struct world *world) {
    struct ArrowArray expected, slice, inner, expected_inner, flat;
    int64_t offset, length;
    range_choose(world, &offset, &length);
    copy_range(world, offset, length, &expected);
    bool with_offset = support_random_bool(&world->random);
    assert_ok(with_offset ? stoa_arrow_slice_array(world->pool, &world->batch, offset, length,
                                                   &slice, &world->err)
                          : stoa_arrow_slice(world->pool, &world->batch, offset, length, &slice,
                                             &world->err), world->err);
    assert_int_equal(slice.offset, with_offset && length > 0 ? offset : 0);
    assert_same(world, &expected, &slice);
    stoa_arrow_array_release(&world->batch); /* the slice lives on */
    assert_same(world, &expected, &slice);
    int64_t part = support_random_between(&world->random, 0, length);
    assert_ok(stoa_arrow_slice(world->pool, &slice, part, length - part, &inner, &world->err),
              world->err);
    assert_ok(stoa_arrow_slice_array(world->pool, &expected, part, length - part, &expected_inner,
                                     &world->err), world->err);
    assert_same(world, &expected_inner, &inner);
    const struct ArrowArray *parts[] = {&slice, &inner};
    assert_ok(stoa_arrow_concat(world->pool, &world->schema, parts, 1, &flat, &world->err),
              world->err);
    assert_same(world, &expected, &flat);
    stoa_arrow_array_release(&flat);
    stoa_arrow_array_release(&slice);
    assert_same(world, &expected_inner, &inner);
    stoa_arrow_array_release(&inner);
    stoa_arrow_array_release(&expected_inner);
    stoa_arrow_array_release(&expected);
}

static void slices_hold_their_rows(void **state) {
    (void)state;
    each_round("arrow.prop_arrays.slice", slice_check);
}

static void take_check(struct world *world) {
    struct ArrowArray expected, found, slice;
    int64_t indices[2 * ROWS_MAX];
    int64_t offset, length;
    range_choose(world, &offset, &length);
    int64_t count = support_random_between(&world->random, 0, 2 * ROWS_MAX);
    for (int64_t i = 0; i < count; i++) {
        indices[i] = support_random_between(&world->random, -1, length - 1);
    }
    assert_ok(stoa_arrow_slice_array(world->pool, &world->batch, offset, length, &slice,
                                     &world->err), world->err);
    support_copy_rows(world->pool, &world->schema, &slice, indices, count, &expected);
    assert_ok(stoa_arrow_take(world->pool, &world->schema, &slice, indices, count, &found,
                              &world->err), world->err);
    assert_same(world, &expected, &found);
    assert_int_equal(found.null_count, expected.null_count);
    stoa_arrow_array_release(&found);
    stoa_arrow_array_release(&expected);
    stoa_arrow_array_release(&slice);
}

static void take_equals_copies(void **state) {
    (void)state;
    each_round("arrow.prop_arrays.take", take_check);
}

/* Any split of the rows into slices concatenates to the rows. */
static void concat_check(struct world *world) {
    enum { PARTS = 4 };
    struct ArrowArray parts[PARTS], found, expected;
    const struct ArrowArray *pointers[PARTS];
    int64_t rows = world->batch.length;
    int64_t at = 0;
    copy_range(world, 0, rows, &expected);
    for (int i = 0; i < PARTS; i++) {
        int64_t length = i + 1 == PARTS ? rows - at
                                        : support_random_between(&world->random, 0, rows - at);
        assert_ok(stoa_arrow_slice_array(world->pool, &world->batch, at, length, &parts[i],
                                         &world->err), world->err);
        pointers[i] = &parts[i];
        at += length;
    }
    assert_ok(stoa_arrow_concat(world->pool, &world->schema, pointers, PARTS, &found, &world->err),
              world->err);
    for (int i = 0; i < PARTS; i++) {
        stoa_arrow_array_release(&parts[i]);
    }
    assert_same(world, &expected, &found);
    stoa_arrow_array_release(&found);
    stoa_arrow_array_release(&expected);
}

static void parts_concatenate_to_the_whole(void **state) {
    (void)state;
    each_round("arrow.prop_arrays.concat", concat_check);
}

static void select_check(struct world *world) {
    struct ArrowArray chosen;
    int32_t columns[16];
    int32_t count = (int32_t)support_random_between(&world->random, 0, 16);
    for (int32_t i = 0; i < count; i++) {
        columns[i] = (int32_t)support_random_between(&world->random, 0,
                                                     world->schema.n_children - 1);
    }
    assert_ok(stoa_arrow_select_columns(world->pool, &world->batch, columns, count, &chosen,
                                        &world->err), world->err);
    assert_int_equal(chosen.length, world->batch.length);
    for (int32_t i = 0; i < count; i++) {
        const struct ArrowSchema *schema = world->schema.children[columns[i]];
        assert_ok(stoa_arrow_compare(schema, world->batch.children[columns[i]], schema,
                                     chosen.children[i], &world->err), world->err);
    }
    stoa_arrow_array_release(&world->batch);
    for (int32_t i = 0; i < count; i++) {
        assert_ok(stoa_arrow_validate(world->schema.children[columns[i]], chosen.children[i],
                                      STOA_ARROW_CHECK_FULL, &world->err), world->err);
    }
    stoa_arrow_array_release(&chosen);
}

static void selected_columns_are_the_columns(void **state) {
    (void)state;
    each_round("arrow.prop_arrays.select", select_check);
}

static bool texts_equal(struct world *world, int64_t left, int64_t right) {
    stoa_buffer texts[2];
    int64_t rows[2] = {left, right};
    for (int i = 0; i < 2; i++) {
        stoa_buffer_init(&texts[i], world->pool);
        assert_ok(stoa_arrow_value_print(&world->schema, &world->batch, rows[i], STOA_PRINT_JSON,
                                         &texts[i], &world->err), world->err);
    }
    bool equal = texts[0].size == texts[1].size &&
                 memcmp(texts[0].data, texts[1].data, texts[0].size) == 0;
    stoa_buffer_release(&texts[0]);
    stoa_buffer_release(&texts[1]);
    return equal;
}

/* Two rows differ exactly when their texts do. */
static void compare_check(struct world *world) {
    for (int i = 0; i < 20 && world->batch.length > 0; i++) {
        struct ArrowArray left, right;
        int64_t a = support_random_between(&world->random, 0, world->batch.length - 1);
        int64_t b = support_random_between(&world->random, 0, world->batch.length - 1);
        assert_ok(stoa_arrow_slice(world->pool, &world->batch, a, 1, &left, &world->err),
                  world->err);
        assert_ok(stoa_arrow_slice_array(world->pool, &world->batch, b, 1, &right, &world->err),
                  world->err);
        stoa_status status =
            stoa_arrow_compare(&world->schema, &left, &world->schema, &right, &world->err);
        assert_int_equal(status == STOA_OK, texts_equal(world, a, b));
        if (status != STOA_OK) {
            assert_int_equal(status, STOA_INVALID);
            assert_int_equal(world->err.row, 0);
            assert_true(strncmp(world->err.message, "row 0, column 'c", 16) == 0);
        }
        stoa_arrow_array_release(&left);
        stoa_arrow_array_release(&right);
    }
}

static void rows_differ_when_their_texts_do(void **state) {
    (void)state;
    each_round("arrow.prop_arrays.compare", compare_check);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_hold_their_rows),
        cmocka_unit_test(take_equals_copies),
        cmocka_unit_test(parts_concatenate_to_the_whole),
        cmocka_unit_test(selected_columns_are_the_columns),
        cmocka_unit_test(rows_differ_when_their_texts_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
