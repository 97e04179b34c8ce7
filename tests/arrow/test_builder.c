/* Builders, one behaviour a test, seen through the buffers that they make. */
#include <math.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/schema.h"
#include "pool_world.h"
#include "random_batch.h"

static stoa_builder *builder_of(const char *format) {
    struct ArrowSchema schema;
    stoa_builder *builder;
    assert_ok(stoa_arrow_schema_init(pool, format, "x", true, 0, &schema, &err), err);
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    stoa_arrow_schema_release(&schema);
    return builder;
}

static struct ArrowArray finish(stoa_builder *builder) {
    struct ArrowArray array;
    assert_ok(stoa_builder_finish(builder, &array, &err), err);
    stoa_builder_close(builder);
    return array;
}

static void integers_stand_in_their_width(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("s");
    assert_ok(stoa_builder_append_i64(builder, -32768, &err), err);
    assert_ok(stoa_builder_append_null(builder, &err), err);
    assert_ok(stoa_builder_append_u64(builder, 32767, &err), err);
    struct ArrowArray array = finish(builder);
    assert_int_equal(array.length, 3);
    assert_int_equal(array.null_count, 1);
    assert_int_equal(((const uint8_t *)array.buffers[0])[0], 5);
    const int16_t *values = array.buffers[1];
    assert_int_equal(values[0], -32768);
    assert_int_equal(values[1], 0);
    assert_int_equal(values[2], 32767);
    assert_int_equal((uintptr_t)values % 64, 0);
    stoa_arrow_array_release(&array);
    assert_null(array.release);
    stoa_arrow_array_release(&array);
}

static void no_nulls_means_no_validity(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("b");
    for (int i = 0; i < 100; i++) {
        assert_ok(stoa_builder_append_bool(builder, i % 3 == 0, &err), err);
    }
    struct ArrowArray array = finish(builder);
    assert_null(array.buffers[0]);
    assert_int_equal(array.null_count, 0);
    const uint8_t *bits = array.buffers[1];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bits[i / 8] >> (i % 8) & 1, i % 3 == 0);
    }
    stoa_arrow_array_release(&array);
}

struct refusal {
    const char *format;
    __int128 value;
    const char *message;
};

static void values_out_of_range_are_refused_and_leave_nothing(void **state) {
    (void)state;
    static const struct refusal refusals[] = {
        {"c", 128, "column 'x': 128 is out of range for type int8"},
        {"C", -1, "column 'x': -1 is out of range for type uint8"},
        {"L", -1, "out of range for type uint64"},
        {"tdD", INT64_C(2147483648), "out of range for type date32"},
        {"d:3,1", 1000, "column 'x': expected at most 3 digits but found 1000"},
        {"d:3,1", -1000, "expected at most 3 digits but found -1000"},
        {"g", (INT64_C(1) << 53) + 1, "does not hold 9007199254740993 exactly"},
        {"e", 65505, "does not hold 65505 exactly"},
        {"u", 7, "expected a value of type string but found 7"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        stoa_builder *builder = builder_of(refusals[i].format);
        assert_fails(stoa_builder_append_i128(builder, refusals[i].value, &err), STOA_INVALID,
                     refusals[i].message, err);
        struct ArrowArray array = finish(builder);
        assert_int_equal(array.length, 0);
        stoa_arrow_array_release(&array);
    }
}

static void floats_take_what_they_hold(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("f");
    assert_ok(stoa_builder_append_f64(builder, 0.1, &err), err);
    assert_ok(stoa_builder_append_f64(builder, -(double)INFINITY, &err), err);
    assert_ok(stoa_builder_append_i64(builder, 1 << 24, &err), err);
    assert_fails(stoa_builder_append_i64(builder, (1 << 24) + 1, &err), STOA_INVALID, "exactly",
                 err);
    assert_fails(stoa_builder_append_f64(builder, 1e39, &err), STOA_INVALID,
                 "1e+39 is out of range for type float", err);
    struct ArrowArray array = finish(builder);
    const float *values = array.buffers[1];
    assert_true(values[0] == 0.1f && isinf(values[1]) && values[2] == 16777216.0f);
    stoa_arrow_array_release(&array);
}

static void wide_decimals_are_sign_extended(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("d:76,0,256");
    assert_ok(stoa_builder_append_i64(builder, -2, &err), err);
    struct ArrowArray array = finish(builder);
    const uint64_t *limbs = array.buffers[1];
    assert_true(limbs[0] == UINT64_MAX - 1 && limbs[1] == UINT64_MAX && limbs[3] == UINT64_MAX);
    stoa_arrow_array_release(&array);
}

static void strings_share_one_run_of_bytes(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("u");
    assert_ok(stoa_builder_append_bytes(builder, "abc", 3, &err), err);
    assert_ok(stoa_builder_append_bytes(builder, "", 0, &err), err);
    assert_ok(stoa_builder_append_null(builder, &err), err);
    assert_ok(stoa_builder_append_bytes(builder, "de", 2, &err), err);
    struct ArrowArray array = finish(builder);
    const int32_t *offsets = array.buffers[1];
    const int32_t wanted[] = {0, 3, 3, 3, 5};
    assert_memory_equal(offsets, wanted, sizeof wanted);
    assert_memory_equal(array.buffers[2], "abcde", 5);
    stoa_arrow_array_release(&array);
}

static void long_views_stand_in_a_buffer(void **state) {
    (void)state;
    stoa_builder *builder = builder_of("vu");
    assert_ok(stoa_builder_append_bytes(builder, "twelve bytes", 12, &err), err);
    assert_ok(stoa_builder_append_bytes(builder, "thirteen byte", 13, &err), err);
    struct ArrowArray array = finish(builder);
    assert_int_equal(array.n_buffers, 4);
    assert_int_equal(((const int64_t *)array.buffers[3])[0], 13);
    assert_memory_equal((const char *)array.buffers[1] + 4, "twelve bytes", 12);
    assert_memory_equal((const char *)array.buffers[1] + 20, "thir", 4);
    assert_memory_equal(array.buffers[2], "thirteen byte", 13);
    stoa_arrow_array_release(&array);
}

static stoa_builder *dictionary_builder(const char *index, const char *value) {
    struct ArrowSchema schema;
    stoa_builder *builder;
    assert_ok(stoa_arrow_schema_init(pool, index, "x", true, 0, &schema, &err), err);
    assert_ok(stoa_arrow_schema_add_dictionary(pool, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, value, "", true, 0, schema.dictionary, &err), err);
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    stoa_arrow_schema_release(&schema);
    return builder;
}

static void equal_values_share_an_index(void **state) {
    (void)state;
    stoa_builder *builder = dictionary_builder("c", "u");
    static const char *const values[] = {"b", "a", "b", "", "a", "b"};
    for (int i = 0; i < 6; i++) {
        assert_ok(stoa_builder_append_bytes(builder, values[i], strlen(values[i]), &err), err);
    }
    assert_ok(stoa_builder_append_null(builder, &err), err);
    struct ArrowArray array = finish(builder);
    const int8_t wanted[] = {0, 1, 0, 2, 1, 0};
    assert_memory_equal(array.buffers[1], wanted, sizeof wanted);
    assert_int_equal(array.null_count, 1);
    assert_int_equal(array.dictionary->length, 3);
    assert_memory_equal(array.dictionary->buffers[2], "ba", 2);
    stoa_arrow_array_release(&array);
}

static void a_dictionary_refuses_more_values_than_indices(void **state) {
    (void)state;
    stoa_builder *builder = dictionary_builder("c", "l");
    for (int i = 0; i < 128; i++) {
        assert_ok(stoa_builder_append_i64(builder, i * 1000, &err), err);
    }
    assert_ok(stoa_builder_append_i64(builder, 127000, &err), err);
    assert_fails(stoa_builder_append_i64(builder, -1, &err), STOA_LIMIT,
                 "dictionary 'x': indices of type int8 hold at most 128 values", err);
    stoa_builder_close(builder);
}

static void a_map_is_a_list_of_entries(void **state) {
    (void)state;
    struct ArrowSchema schema;
    assert_ok(stoa_arrow_schema_init(pool, "+m", "m", true, 1, &schema, &err), err);
    struct ArrowSchema *entries = schema.children[0];
    assert_ok(stoa_arrow_schema_init(pool, "+s", "entries", false, 2, entries, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "u", "key", false, 0, entries->children[0], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "value", true, 0, entries->children[1], &err), err);
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    stoa_builder *entry = stoa_builder_child(builder, 0);
    for (int i = 0; i < 2; i++) {
        assert_ok(stoa_builder_append_bytes(stoa_builder_child(entry, 0), "k", 1, &err), err);
        assert_ok(stoa_builder_append_i64(stoa_builder_child(entry, 1), i, &err), err);
        assert_ok(stoa_builder_finish_value(entry, &err), err);
    }
    assert_ok(stoa_builder_finish_value(builder, &err), err);
    assert_ok(stoa_builder_append_null(builder, &err), err);
    assert_ok(stoa_builder_finish_value(builder, &err), err);
    struct ArrowArray array = finish(builder);
    const int32_t wanted[] = {0, 2, 2, 2};
    assert_memory_equal(array.buffers[1], wanted, sizeof wanted);
    assert_int_equal(array.null_count, 1);
    assert_int_equal(array.children[0]->length, 2);
    stoa_arrow_array_release(&array);
    stoa_arrow_schema_release(&schema);
}

static void a_struct_with_unequal_children_is_refused(void **state) {
    (void)state;
    struct ArrowSchema schema;
    assert_ok(stoa_arrow_schema_init(pool, "+s", "s", true, 2, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "a", true, 0, schema.children[0], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "b", true, 0, schema.children[1], &err), err);
    stoa_builder *builder;
    struct ArrowArray array;
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), 1, &err), err);
    assert_fails(stoa_builder_finish_value(builder, &err), STOA_INVALID,
                 "column 's': expected 1 values in child 'b' but found 0", err);
    assert_fails(stoa_builder_finish(builder, &array, &err), STOA_INVALID,
                 "column 's': expected 0 values in child 'a' but found 1", err);
    assert_null(array.release);
    assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 1), 1, &err), err);
    assert_ok(stoa_builder_finish_rows(builder, 1, &err), err);
    assert_ok(stoa_builder_finish(builder, &array, &err), err);
    assert_int_equal(array.length, 1);
    stoa_arrow_array_release(&array);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&schema);
}

static void unions_are_unsupported_by_name(void **state) {
    (void)state;
    struct ArrowSchema schema;
    stoa_builder *builder;
    assert_ok(stoa_arrow_schema_init(pool, "+us:0", "u", true, 1, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "a", true, 0, schema.children[0], &err), err);
    assert_fails(stoa_builder_create(pool, &schema, &builder, &err), STOA_UNSUPPORTED,
                 "column 'u': values of type sparse_union cannot be built", err);
    stoa_arrow_schema_release(&schema);
}

static void a_builder_is_empty_after_finish(void **state) {
    (void)state;
    stoa_builder *builder = dictionary_builder("i", "u");
    for (int round = 0; round < 3; round++) {
        struct ArrowArray array;
        assert_ok(stoa_builder_append_bytes(builder, "same", 4, &err), err);
        assert_ok(stoa_builder_append_null(builder, &err), err);
        assert_ok(stoa_builder_finish(builder, &array, &err), err);
        assert_int_equal(array.length, 2);
        assert_int_equal(array.dictionary->length, 1);
        stoa_arrow_array_release(&array);
    }
    stoa_builder_close(builder);
}

static void random_batches_are_made_of_every_kind(void **state) {
    (void)state;
    support_random random = support_random_open("arrow.builder");
    for (int i = 0; i < 50; i++) {
        struct ArrowSchema schema;
        struct ArrowArray batch;
        support_batch_options options = {0};
        support_random_schema(&random, pool, &options, &schema);
        support_random_batch(&random, pool, &schema, &options, i * 3, &batch);
        assert_int_equal(batch.length, i * 3);
        assert_int_equal(batch.n_children, schema.n_children);
        stoa_arrow_array_release(&batch);
        stoa_arrow_schema_release(&schema);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(integers_stand_in_their_width),
        TEST(no_nulls_means_no_validity),
        TEST(values_out_of_range_are_refused_and_leave_nothing),
        TEST(floats_take_what_they_hold),
        TEST(wide_decimals_are_sign_extended),
        TEST(strings_share_one_run_of_bytes),
        TEST(long_views_stand_in_a_buffer),
        TEST(equal_values_share_an_index),
        TEST(a_dictionary_refuses_more_values_than_indices),
        TEST(a_map_is_a_list_of_entries),
        TEST(a_struct_with_unequal_children_is_refused),
        TEST(unions_are_unsupported_by_name),
        TEST(a_builder_is_empty_after_finish),
        TEST(random_batches_are_made_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
