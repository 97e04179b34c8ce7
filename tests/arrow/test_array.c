/* Slices, comparison and validation by small examples; random ones are in prop_arrays.c. */
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/owner.h"
#include "arrow/schema.h"
#include "pool_world.h"

static void field(const char *format, const char *name, int64_t children,
                  struct ArrowSchema *out) {
    assert_ok(stoa_arrow_schema_init(pool, format, name, true, children, out, &err), err);
}

/* "+s" of a: list<item: int32>, s: string */
static void schema_make(struct ArrowSchema *out) {
    field("+s", "", 2, out);
    field("+l", "a", 1, out->children[0]);
    field("i", "item", 0, out->children[0]->children[0]);
    field("u", "s", 0, out->children[1]);
}

/* Row i: a = [i, i + 1], s = "row i"; a is null in row 3. */
static void batch_make(const struct ArrowSchema *schema, int rows, struct ArrowArray *out) {
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, schema, &builder, &err), err);
    stoa_builder *list = stoa_builder_child(builder, 0);
    for (int i = 0; i < rows; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "row %d", i);
        if (i == 3) {
            assert_ok(stoa_builder_append_null(list, &err), err);
        } else {
            assert_ok(stoa_builder_append_i64(stoa_builder_child(list, 0), i, &err), err);
            assert_ok(stoa_builder_append_i64(stoa_builder_child(list, 0), i + 1, &err), err);
            assert_ok(stoa_builder_finish_value(list, &err), err);
        }
        assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 1), text, (size_t)size,
                                            &err), err);
    }
    assert_ok(stoa_builder_finish_rows(builder, rows, &err), err);
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static void a_slice_shares_and_outlives(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batch, slice, item;
    schema_make(&schema);
    batch_make(&schema, 10, &batch);
    const void *bytes = batch.children[1]->buffers[2];
    assert_ok(stoa_arrow_slice(pool, &batch, 2, 5, &slice, &err), err);
    assert_ptr_equal(slice.children[1]->buffers[2], bytes);
    assert_int_equal(slice.offset, 0);
    assert_int_equal(slice.children[1]->offset, 2);
    assert_int_equal(stoa_arrow_null_count(schema.children[0], slice.children[0]), 1);
    assert_true(stoa_arrow_is_null(slice.children[0], 1));
    assert_false(stoa_arrow_is_null(slice.children[0], 0));
    stoa_arrow_array_release(&batch);
    assert_ok(stoa_arrow_slice_array(pool, slice.children[0]->children[0], 1, 2, &item, &err),
              err);
    stoa_arrow_array_release(&slice);
    assert_int_equal(((const int32_t *)item.buffers[1])[item.offset], 1);
    stoa_arrow_array_release(&item);
    stoa_arrow_schema_release(&schema);
}

static void rows_outside_are_refused(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batch, slice;
    schema_make(&schema);
    batch_make(&schema, 4, &batch);
    static const int64_t bad[][2] = {{0, 5}, {-1, 1}, {5, 0}, {1, -1}, {1, INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(stoa_arrow_slice(pool, &batch, bad[i][0], bad[i][1], &slice, &err),
                     STOA_INVALID, "of 4 rows", err);
        assert_null(slice.release);
    }
    static const int32_t columns[] = {2};
    assert_fails(stoa_arrow_select_columns(pool, &batch, columns, 1, &slice, &err), STOA_INVALID,
                 "expected a column from 0 to 1 but found 2", err);
    static const int64_t rows[] = {4};
    assert_fails(stoa_arrow_take(pool, &schema, &batch, rows, 1, &slice, &err), STOA_INVALID,
                 "index 0: expected a row below 4 but found 4", err);
    assert_ok(stoa_arrow_validate(&schema, &batch, STOA_ARROW_CHECK_FULL, &err), err);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&schema);
}

static void the_first_difference_is_reported(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray left, right;
    schema_make(&schema);
    batch_make(&schema, 10, &left);
    batch_make(&schema, 10, &right);
    assert_ok(stoa_arrow_compare(&schema, &left, &schema, &right, &err), err);
    int32_t *items = (int32_t *)(uintptr_t)right.children[0]->children[0]->buffers[1];
    char *text = (char *)(uintptr_t)right.children[1]->buffers[2];
    text[5 * 6 + 4] = 'x';
    assert_fails(stoa_arrow_compare(&schema, &left, &schema, &right, &err), STOA_INVALID,
                 "row 6, column 's': expected row 6 but found row x", err);
    items[9] = 4; /* second item of row 5, row 3 being null */
    assert_fails(stoa_arrow_compare(&schema, &left, &schema, &right, &err), STOA_INVALID,
                 "row 5, column 'a.item': expected 6 but found 4", err);
    assert_int_equal(err.row, 5);
    assert_int_equal(err.column_index, 0);
    assert_string_equal(err.column, "a.item");
    stoa_arrow_array_release(&right);
    batch_make(&schema, 3, &right);
    assert_fails(stoa_arrow_compare(&schema, &left, &schema, &right, &err), STOA_INVALID,
                 "expected 10 rows but found 3", err);
    stoa_arrow_array_release(&left);
    stoa_arrow_array_release(&right);
    stoa_arrow_schema_release(&schema);
}

static void types_are_compared_before_values(void **state) {
    (void)state;
    struct ArrowSchema left, right;
    struct ArrowArray batch;
    schema_make(&left);
    schema_make(&right);
    batch_make(&left, 1, &batch);
    assert_ok(stoa_arrow_schema_rename(pool, right.children[1], "t", &err), err);
    assert_fails(stoa_arrow_compare(&left, &batch, &right, &batch, &err), STOA_INVALID,
                 "column 's': expected the name 's' but found 't'", err);
    stoa_arrow_schema_release(right.children[0]->children[0]);
    field("I", "element", 0, right.children[0]->children[0]);
    assert_fails(stoa_arrow_compare(&left, &batch, &right, &batch, &err), STOA_INVALID,
                 "column 'a.item': expected type 'int32' but found 'uint32'", err);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&left);
    stoa_arrow_schema_release(&right);
}

/* ---- damage: a good batch, one thing broken, put back afterwards ---- */

struct damage {
    struct ArrowSchema schema;
    struct ArrowArray batch;
};

static void assert_invalid(struct damage *world, stoa_arrow_check check, const char *message) {
    assert_fails(stoa_arrow_validate(&world->schema, &world->batch, check, &err), STOA_INVALID,
                 message, err);
}

#define BREAK(place, value, check, message)                                                        \
    do {                                                                                           \
        __typeof__(place) kept_ = (place);                                                         \
        (place) = (value);                                                                         \
        assert_invalid(&world, (check), (message));                                                \
        (place) = kept_;                                                                           \
        assert_ok(stoa_arrow_validate(&world.schema, &world.batch, STOA_ARROW_CHECK_FULL, &err),   \
                  err);                                                                            \
    } while (0)

static void damaged_counts_and_buffers_are_found(void **state) {
    (void)state;
    struct damage world;
    schema_make(&world.schema);
    batch_make(&world.schema, 6, &world.batch);
    struct ArrowArray *list = world.batch.children[0];
    struct ArrowArray *text = world.batch.children[1];
    int32_t *offsets = (int32_t *)(uintptr_t)text->buffers[1];
    const stoa_arrow_check layout = STOA_ARROW_CHECK_LAYOUT;
    const stoa_arrow_check full = STOA_ARROW_CHECK_FULL;
    BREAK(text->length, 5, layout, "expected at least 6 values in child 's' but found 5");
    BREAK(text->length, -1, layout, "expected at least 6 values in child 's' but found -1");
    BREAK(text->offset, INT64_MAX, layout, "column 's': length 6 at offset");
    BREAK(text->n_buffers, 2, layout, "column 's': expected 3 buffers but found 2");
    BREAK(text->buffers[1], NULL, layout, "column 's': buffer 1 is missing");
    BREAK(text->buffers[2], NULL, layout, "column 's': its bytes are missing");
    BREAK(text->null_count, 7, layout, "column 's': expected 0 to 6 nulls but found 7");
    BREAK(text->null_count, 1, layout, "column 's': 1 nulls but no validity bitmap");
    BREAK(list->null_count, 2, full, "column 'a': expected 2 nulls but found 1");
    BREAK(list->n_children, 0, layout, "column 'a': expected 1 children but found 0");
    BREAK(list->children[0]->length, 9, layout, "column 'a': expected offsets from 0 to 9");
    BREAK(list->dictionary, text, layout, "column 'a': expected no dictionary but found one");
    BREAK(offsets[0], -1, layout, "column 's': expected offsets from 0");
    BREAK(offsets[6], -1, layout, "column 's': expected offsets from 0");
    BREAK(offsets[6], 3, full, "row 5, column 's': expected an offset of at least 25 but found 3");
    BREAK(offsets[3], 2, full, "row 2, column 's': expected an offset of at least 10 but found 2");
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_schema_release(&world.schema);
}

static void bytes_that_are_no_text_are_found(void **state) {
    (void)state;
    struct damage world;
    schema_make(&world.schema);
    batch_make(&world.schema, 6, &world.batch);
    uint8_t *bytes = (uint8_t *)(uintptr_t)world.batch.children[1]->buffers[2];
    BREAK(bytes[5 * 4 + 3], 0xFF, STOA_ARROW_CHECK_FULL,
          "row 4, column 's': expected UTF-8 but found byte 0xFF at byte 3");
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_schema_release(&world.schema);
}

static void one_column(const char *format, struct damage *out) {
    field("+s", "", 1, &out->schema);
    field(format, "x", 0, out->schema.children[0]);
}

static void fill_texts(struct damage *world, const char *const *texts, int count) {
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, &world->schema, &builder, &err), err);
    for (int i = 0; i < count; i++) {
        assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 0), texts[i],
                                            strlen(texts[i]), &err), err);
    }
    assert_ok(stoa_builder_finish_rows(builder, count, &err), err);
    assert_ok(stoa_builder_finish(builder, &world->batch, &err), err);
    stoa_builder_close(builder);
}

static void damaged_views_are_found(void **state) {
    (void)state;
    static const char *const texts[] = {"short", "a text of more than twelve bytes"};
    struct damage world;
    one_column("vu", &world);
    fill_texts(&world, texts, 2);
    struct ArrowArray *array = world.batch.children[0];
    int32_t *views = (int32_t *)(uintptr_t)array->buffers[1];
    int64_t *sizes = (int64_t *)(uintptr_t)array->buffers[3];
    const stoa_arrow_check full = STOA_ARROW_CHECK_FULL;
    BREAK(views[0], -1, full, "row 0, column 'x': expected a length but found -1");
    BREAK(views[6], 1, full, "row 1, column 'x': expected one of 1 buffers but found 1");
    BREAK(views[6], -1, full, "expected one of 1 buffers but found -1");
    BREAK(views[7], 1, full, "expected a view into 32 bytes but found bytes 1 to 33");
    BREAK(views[7], -1, full, "expected a view into 32 bytes");
    BREAK(views[5], 0, full, "its first four bytes are not those of the value");
    BREAK(sizes[0], 31, full, "expected a view into 31 bytes");
    BREAK(array->buffers[3], NULL, STOA_ARROW_CHECK_LAYOUT, "the sizes of its 1 buffers");
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_schema_release(&world.schema);
}

static void damaged_dictionaries_and_decimals_are_found(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b", "a"};
    struct damage world;
    one_column("c", &world);
    assert_ok(stoa_arrow_schema_add_dictionary(pool, world.schema.children[0], &err), err);
    field("u", "", 0, world.schema.children[0]->dictionary);
    fill_texts(&world, texts, 3);
    int8_t *indices = (int8_t *)(uintptr_t)world.batch.children[0]->buffers[1];
    BREAK(indices[1], 2, STOA_ARROW_CHECK_FULL,
          "row 1, column 'x': expected a dictionary index below 2 but found 2");
    BREAK(indices[2], -1, STOA_ARROW_CHECK_FULL, "row 2, column 'x'");
    struct ArrowArray found;
    indices[2] = 7;
    const struct ArrowArray *parts[] = {&world.batch};
    assert_fails(stoa_arrow_concat(pool, &world.schema, parts, 1, &found, &err), STOA_INVALID,
                 "expected indices below 2 but found 7", err);
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_schema_release(&world.schema);
    static const char *const units[] = {"\xE7\x03\0"};
    one_column("d:3,0,32", &world);
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, &world.schema, &builder, &err), err);
    assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, 0), units[0], 4, &err), err);
    assert_ok(stoa_builder_finish_value(builder, &err), err);
    assert_ok(stoa_builder_finish(builder, &world.batch, &err), err);
    stoa_builder_close(builder);
    int32_t *values = (int32_t *)(uintptr_t)world.batch.children[0]->buffers[1];
    BREAK(values[0], -1000, STOA_ARROW_CHECK_FULL,
          "row 0, column 'x': expected at most 3 digits but found -1000");
    stoa_arrow_array_release(&world.batch);
    stoa_arrow_schema_release(&world.schema);
}

/* Unions and run ends cannot be built, so they are put together by hand. */
static void release_nothing(struct ArrowArray *array) {
    array->release = NULL;
}

static void unions_are_read_by_their_ids(void **state) {
    (void)state;
    struct damage world;
    field("+ud:5,7", "", 2, &world.schema);
    field("i", "i", 0, world.schema.children[0]);
    field("i", "j", 0, world.schema.children[1]);
    static int32_t numbers[] = {10, 20};
    static int32_t others[] = {30};
    static int8_t ids[] = {5, 7, 5};
    static int32_t places[] = {0, 0, 1};
    const void *buffers[] = {ids, places};
    const void *first[] = {NULL, numbers};
    const void *second[] = {NULL, others};
    struct ArrowArray children[] = {
        {.length = 2, .n_buffers = 2, .buffers = first, .release = release_nothing},
        {.length = 1, .n_buffers = 2, .buffers = second, .release = release_nothing}};
    struct ArrowArray *pointers[] = {&children[0], &children[1]};
    world.batch = (struct ArrowArray){.length = 3,
                                      .n_buffers = 2,
                                      .n_children = 2,
                                      .buffers = buffers,
                                      .children = pointers,
                                      .release = release_nothing};
    const stoa_arrow_check full = STOA_ARROW_CHECK_FULL;
    BREAK(ids[1], 6, full, "row 1, column '': expected a type id of '5,7' but found 6");
    BREAK(places[2], 2, full, "row 2, column '': expected a value below 2 but found 2");
    BREAK(places[0], -1, full, "expected a value below 2 but found -1");
    struct ArrowArray out;
    static const int64_t rows[] = {0};
    assert_fails(stoa_arrow_take(pool, &world.schema, &world.batch, rows, 1, &out, &err),
                 STOA_UNSUPPORTED, "dense_union", err);
    assert_ok(stoa_arrow_compare(&world.schema, &world.batch, &world.schema, &world.batch, &err),
              err);
    stoa_arrow_schema_release(&world.schema);
}

static void runs_are_found_by_their_ends(void **state) {
    (void)state;
    struct damage world;
    struct ArrowSchema plain;
    field("+r", "", 2, &world.schema);
    field("s", "run_ends", 0, world.schema.children[0]);
    field("i", "values", 0, world.schema.children[1]);
    field("i", "", 0, &plain);
    static int16_t ends[] = {2, 3, 6};
    static int32_t values[] = {10, 20, 30};
    static int32_t decoded[] = {10, 20, 30, 30};
    const void *none[] = {NULL};
    const void *end_buffers[] = {NULL, ends};
    const void *value_buffers[] = {NULL, values};
    const void *plain_buffers[] = {NULL, decoded};
    struct ArrowArray children[] = {
        {.length = 3, .n_buffers = 2, .buffers = end_buffers, .release = release_nothing},
        {.length = 3, .n_buffers = 2, .buffers = value_buffers, .release = release_nothing}};
    struct ArrowArray *pointers[] = {&children[0], &children[1]};
    world.batch = (struct ArrowArray){.length = 4,
                                      .offset = 1,
                                      .n_children = 2,
                                      .buffers = none,
                                      .children = pointers,
                                      .release = release_nothing};
    struct ArrowArray expected = {
        .length = 4, .n_buffers = 2, .buffers = plain_buffers, .release = release_nothing};
    assert_ok(stoa_arrow_compare(&plain, &expected, &world.schema, &world.batch, &err), err);
    BREAK(world.batch.length, 6, STOA_ARROW_CHECK_LAYOUT,
          "expected runs to row 7 but found an end at 6");
    BREAK(ends[1], 2, STOA_ARROW_CHECK_FULL, "run 1: expected an end behind 2 but found 2");
    BREAK(ends[0], 0, STOA_ARROW_CHECK_FULL, "run 0: expected an end behind 0 but found 0");
    BREAK(children[1].length, 2, STOA_ARROW_CHECK_LAYOUT, "expected at least 3 values in child");
    stoa_arrow_schema_release(&world.schema);
    stoa_arrow_schema_release(&plain);
}

static void memory_is_counted(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    schema_make(&schema);
    batch_make(&schema, 6, &batch);
    /* list: 7 offsets, 1 byte of validity, 10 items; text: 7 offsets, 30 bytes */
    assert_int_equal(stoa_arrow_memory_bytes(&schema, &batch), 28 + 1 + 40 + 28 + 30);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&schema);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_slice_shares_and_outlives),
        TEST(rows_outside_are_refused),
        TEST(the_first_difference_is_reported),
        TEST(types_are_compared_before_values),
        TEST(damaged_counts_and_buffers_are_found),
        TEST(bytes_that_are_no_text_are_found),
        TEST(damaged_views_are_found),
        TEST(damaged_dictionaries_and_decimals_are_found),
        TEST(unions_are_read_by_their_ids),
        TEST(runs_are_found_by_their_ends),
        TEST(memory_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
