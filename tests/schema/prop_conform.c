/* Any batch, sliced anywhere, conforms to the schema that its own Arrow schema means: the result lies
 * canonically, is valid to the last byte, and its values read the same; and a wider schema takes it
 * too. Whatever allocation fails, nothing is left behind. */
#include <stdio.h>
#include <string.h>

#include <random_batch.h>
#include <support.h>

#include "arrow/array.h"
#include "arrow/print.h"
#include "schema/schema.h"
#include "schema/validate.h"

/* Intervals, half floats and 64-bit dates are conversions of their own: test_conform.c has them. */
static const uint64_t KINDS = SUPPORT_KINDS_ALL &
                              ~(SUPPORT_KIND(STOA_ARROW_FLOAT16) | SUPPORT_KIND(STOA_ARROW_DATE64) |
                                SUPPORT_KIND(STOA_ARROW_INTERVAL_MONTHS) |
                                SUPPORT_KIND(STOA_ARROW_INTERVAL_DAY_TIME));

static const support_batch_options OPTIONS = {.kinds = 0,
                                              .decimal_width_max = 16,
                                              .no_negative_scales = true};

static void values_equal(stoa_pool *pool, const struct ArrowSchema *left_schema,
                         const struct ArrowArray *left, const struct ArrowSchema *right_schema,
                         const struct ArrowArray *right) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer a;
    stoa_buffer b;
    stoa_buffer_init(&a, pool);
    stoa_buffer_init(&b, pool);
    assert_int_equal(left->length, right->length);
    for (int64_t i = 0; i < right->n_children; i++) {
        for (int64_t row = 0; row < left->length; row++) {
            const char *text_a;
            const char *text_b;
            stoa_buffer_clear(&a);
            stoa_buffer_clear(&b);
            assert_ok(stoa_arrow_value_print(left_schema->children[i], left->children[i],
                                             left->offset + row, STOA_PRINT_JSON, &a, &err),
                      err);
            assert_ok(stoa_arrow_value_print(right_schema->children[i], right->children[i], row,
                                             STOA_PRINT_JSON, &b, &err),
                      err);
            assert_ok(stoa_buffer_text(&a, &text_a, &err), err);
            assert_ok(stoa_buffer_text(&b, &text_b, &err), err);
            assert_string_equal(text_a, text_b);
        }
    }
    stoa_buffer_release(&a);
    stoa_buffer_release(&b);
}

static void one_batch(stoa_pool *pool, support_random *random) {
    stoa_error err = STOA_ERROR_NONE;
    support_batch_options options = OPTIONS;
    options.kinds = KINDS;
    struct ArrowSchema arrow;
    struct ArrowArray whole;
    struct ArrowArray batch;
    struct ArrowArray copy;
    support_random_schema(random, pool, &options, &arrow);
    int64_t rows = (int64_t)support_random_below(random, 60);
    support_random_batch(random, pool, &arrow, &options, rows, &whole);
    int64_t offset = support_random_between(random, 0, rows);
    int64_t length = support_random_between(random, 0, rows - offset);
    assert_ok(stoa_arrow_slice(pool, &whole, offset, length, &batch, &err), err);
    assert_ok(stoa_arrow_slice(pool, &whole, offset, length, &copy, &err), err);

    const stoa_schema *schema = NULL;
    assert_ok(stoa_schema_from_arrow(pool, &arrow, &schema, &err), err);
    struct ArrowSchema canonical;
    struct ArrowArray out;
    assert_ok(stoa_schema_to_arrow(pool, schema, &canonical, &err), err);
    assert_ok(stoa_batch_conform(pool, schema, &arrow, &batch, &out, &err), err);
    assert_null(batch.release);
    assert_ok(stoa_arrow_validate(&canonical, &out, STOA_ARROW_CHECK_FULL, &err), err);
    assert_ok(stoa_batch_validate(schema, &canonical, &out, &err), err);
    values_equal(pool, &arrow, &copy, &canonical, &out);

    /* Canonical batches are handed on as they are. */
    struct ArrowArray again;
    const void *before = out.n_children > 0 && out.children[0]->n_buffers > 1
                             ? out.children[0]->buffers[1]
                             : NULL;
    assert_ok(stoa_batch_conform(pool, schema, &canonical, &out, &again, &err), err);
    if (before != NULL) {
        assert_ptr_equal(again.children[0]->buffers[1], before);
    }
    values_equal(pool, &arrow, &copy, &canonical, &again);

    stoa_arrow_array_release(&again);
    stoa_arrow_array_release(&copy);
    stoa_arrow_array_release(&whole);
    stoa_arrow_schema_release(&canonical);
    stoa_arrow_schema_release(&arrow);
    stoa_schema_close(schema);
}

static void every_batch_conforms_to_its_own_schema(void **state) {
    (void)state;
    support_random random = support_random_open("schema.prop_conform");
    for (int i = 0; i < 400; i++) {
        stoa_pool *pool = support_pool_open();
        one_batch(pool, &random);
        support_pool_close(pool);
    }
}

/* -- faults ----------------------------------------------------------------------------------- */

static stoa_status conform_once(support_world *world, void *user, stoa_error *err) {
    const struct ArrowSchema *arrow = ((void **)user)[0];
    struct ArrowArray *whole = ((void **)user)[1];
    struct ArrowArray batch = {0};
    struct ArrowArray out = {0};
    struct ArrowSchema canonical = {0};
    const stoa_schema *schema = NULL;
    stoa_status status = stoa_schema_from_arrow(world->pool, arrow, &schema, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_arrow(world->pool, schema, &canonical, err);
    }
    if (status == STOA_OK) {
        status = stoa_arrow_slice(world->pool, whole, 1, whole->length - 1, &batch, err);
    }
    if (status == STOA_OK) {
        status = stoa_batch_conform(world->pool, schema, arrow, &batch, &out, err);
    }
    stoa_arrow_array_release(&out);
    stoa_arrow_schema_release(&canonical);
    stoa_schema_close(schema);
    return status;
}

static void failing_allocations_leave_nothing(void **state) {
    (void)state;
    support_random random = support_random_open("schema.prop_conform faults");
    for (int i = 0; i < 10; i++) {
        stoa_pool *pool = support_pool_open();
        support_batch_options options = OPTIONS;
        options.kinds = KINDS;
        options.column_count = 6;
        struct ArrowSchema arrow;
        struct ArrowArray whole;
        struct ArrowArray share;
        stoa_error err = STOA_ERROR_NONE;
        support_random_schema(&random, pool, &options, &arrow);
        support_random_batch(&random, pool, &arrow, &options, 20, &whole);
        assert_ok(stoa_arrow_slice(pool, &whole, 0, 20, &share, &err), err);
        void *user[] = {&arrow, &whole};
        assert_true(support_fail_each_allocation(NULL, conform_once, NULL, user) > 10);
        stoa_arrow_array_release(&share);
        stoa_arrow_array_release(&whole);
        stoa_arrow_schema_release(&arrow);
        support_pool_close(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_conforms_to_its_own_schema),
        cmocka_unit_test(failing_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
