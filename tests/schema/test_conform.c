/* Conform: each conversion by its values, missing columns, limits, and who owns what. */
#include "world.h"

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/print.h"
#include "arrow/schema.h"
#include "schema/validate.h"

static void one_column_schema(stoa_pool *pool, const char *format, int64_t children,
                              struct ArrowSchema *out) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_arrow_schema_init(pool, "+s", "", false, 1, out, &err));
    ok(stoa_arrow_schema_init(pool, format, "c", true, children, out->children[0], &err));
}

/* What `batch`, which is taken, reads as in a column "c" of the type. */
static void expect(stoa_pool *pool, const struct ArrowSchema *arrow, struct ArrowArray *batch,
                   const char *type, const char *values) {
    stoa_error err = STOA_ERROR_NONE;
    char text[100];
    (void)snprintf(text, sizeof text, "c %s", type);
    const stoa_schema *schema = world_schema(pool, text);
    struct ArrowSchema canonical;
    struct ArrowArray out;
    ok(stoa_schema_to_arrow(pool, schema, &canonical, &err));
    ok(stoa_batch_conform(pool, schema, arrow, batch, &out, &err));
    assert_null(batch->release);
    ok(stoa_arrow_validate(&canonical, &out, STOA_ARROW_CHECK_FULL, &err));
    stoa_buffer printed;
    stoa_buffer_init(&printed, pool);
    for (int64_t row = 0; row < out.length; row++) {
        ok(stoa_buffer_append_text(&printed, row == 0 ? "" : " ", &err));
        ok(stoa_arrow_value_print(canonical.children[0], out.children[0], row, STOA_PRINT_JSON,
                                  &printed, &err));
    }
    const char *view = NULL;
    ok(stoa_buffer_text(&printed, &view, &err));
    assert_string_equal(view, values);
    stoa_buffer_release(&printed);
    stoa_arrow_array_release(&out);
    stoa_arrow_schema_release(&canonical);
    stoa_schema_close(schema);
}

/* Rows: a, null, b; and then from the second row on. */
static void expect_numbers(stoa_pool *pool, const char *format, int64_t a, int64_t b,
                           const char *type, const char *text_a, const char *text_b) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    struct ArrowArray slice;
    stoa_builder *builder = NULL;
    char expected[200];
    one_column_schema(pool, format, 0, &arrow);
    ok(stoa_builder_create(pool, &arrow, &builder, &err));
    stoa_builder *column = stoa_builder_child(builder, 0);
    ok(stoa_builder_append_i64(column, a, &err));
    ok(stoa_builder_finish_value(builder, &err));
    ok(stoa_builder_append_null(column, &err));
    ok(stoa_builder_finish_value(builder, &err));
    ok(stoa_builder_append_i64(column, b, &err));
    ok(stoa_builder_finish_value(builder, &err));
    ok(stoa_builder_finish(builder, &batch, &err));
    ok(stoa_arrow_slice(pool, &batch, 1, 2, &slice, &err));
    (void)snprintf(expected, sizeof expected, "%s null %s", text_a, text_b);
    expect(pool, &arrow, &batch, type, expected);
    (void)snprintf(expected, sizeof expected, "null %s", text_b);
    expect(pool, &arrow, &slice, type, expected);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
}

static void numbers_widen(void **state) {
    static const char *const INTEGERS[] = {"int16", "int", "long", "float", "double"};
    for (size_t i = 0; i < 5; i++) {
        bool real = i > 2;
        expect_numbers(*state, "c", -128, 127, INTEGERS[i], real ? "-128.0" : "-128",
                       real ? "127.0" : "127");
    }
    expect_numbers(*state, "C", 0, 255, "int16", "0", "255");
    expect_numbers(*state, "C", 0, 255, "uint16", "0", "255");
    expect_numbers(*state, "C", 0, 255, "uint64", "0", "255");
    expect_numbers(*state, "s", -32768, 32767, "int", "-32768", "32767");
    expect_numbers(*state, "s", -32768, 32767, "float", "-32768.0", "32767.0");
    expect_numbers(*state, "S", 1, 65535, "uint32", "1", "65535");
    expect_numbers(*state, "S", 1, 65535, "long", "1", "65535");
    expect_numbers(*state, "i", INT32_MIN, INT32_MAX, "long", "-2147483648", "2147483647");
    expect_numbers(*state, "i", INT32_MIN, INT32_MAX, "double", "-2147483648.0", "2147483647.0");
    expect_numbers(*state, "I", 0, UINT32_MAX, "long", "0", "4294967295");
    expect_numbers(*state, "I", 0, UINT32_MAX, "uint64", "0", "4294967295");
    expect_numbers(*state, "f", -2, 3, "double", "-2.0", "3.0");
    expect_numbers(*state, "e", -2, 3, "float", "-2.0", "3.0");
    expect_numbers(*state, "e", -2, 3, "double", "-2.0", "3.0");
}

static void decimals_gain_digits(void **state) {
    static const char *const FORMATS[] = {"d:5,2,32", "d:5,2,64", "d:5,2", "d:5,2,256"};
    for (size_t i = 0; i < 4; i++) {
        expect_numbers(*state, FORMATS[i], -99999, 5, "decimal(5, 2)", "-999.99", "0.05");
        expect_numbers(*state, FORMATS[i], -99999, 5, "decimal(38, 2)", "-999.99", "0.05");
        expect_numbers(*state, FORMATS[i], -99999, 5, "decimal(10, 7)", "-999.9900000",
                       "0.0500000");
    }
}

static void times_get_finer(void **state) {
    const int64_t day = INT64_C(86400000);
    expect_numbers(*state, "tdm", -day, 19000 * day, "date", "\"1969-12-31\"", "\"2022-01-08\"");
    expect_numbers(*state, "tts", 0, 86399, "time_ms", "\"00:00:00\"", "\"23:59:59\"");
    expect_numbers(*state, "tts", 0, 86399, "time", "\"00:00:00\"", "\"23:59:59\"");
    expect_numbers(*state, "ttm", 1, 86399999, "time_ns", "\"00:00:00.001\"", "\"23:59:59.999\"");
    expect_numbers(*state, "ttu", 1, 2, "time_ns", "\"00:00:00.000001\"", "\"00:00:00.000002\"");
    expect_numbers(*state, "tss:", -1, 1, "timestamp", "\"1969-12-31 23:59:59\"",
                   "\"1970-01-01 00:00:01\"");
    expect_numbers(*state, "tsm:Europe/Athens", -1, 1, "timestamptz_ns",
                   "\"1969-12-31 23:59:59.999+00\"", "\"1970-01-01 00:00:00.001+00\"");
}

/* -- arrays by hand --------------------------------------------------------------------------- */

static int released;

static void count_release(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) {
            array->children[i]->release(array->children[i]);
        }
    }
    array->release = NULL;
    released++;
}

struct by_hand {
    struct ArrowArray batch;
    struct ArrowArray column;
    struct ArrowArray item;
    struct ArrowArray *columns[1];
    struct ArrowArray *items[1];
    const void *none[1];
    const void *buffers[6];
    const void *item_buffers[2];
};

static void by_hand_init(struct by_hand *hand, int64_t length, int64_t buffer_count) {
    *hand = (struct by_hand){0};
    hand->columns[0] = &hand->column;
    hand->items[0] = &hand->item;
    hand->batch = (struct ArrowArray){.length = length,
                                      .n_buffers = 1,
                                      .buffers = hand->none,
                                      .n_children = 1,
                                      .children = hand->columns,
                                      .release = count_release};
    hand->column = (struct ArrowArray){.length = length,
                                       .n_buffers = buffer_count,
                                       .buffers = hand->buffers,
                                       .release = count_release};
    released = 0;
}

static void a_time_of_day_is_no_date(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct by_hand hand;
    one_column_schema(*state, "tdm", 0, &arrow);
    by_hand_init(&hand, 2, 2);
    static const int64_t VALUES[] = {86400000, 86400001};
    hand.buffers[1] = VALUES;
    const stoa_schema *schema = world_schema(*state, "c date");
    assert_fails(stoa_batch_validate(schema, &arrow, &hand.batch, &err), STOA_INVALID,
                 "row 1, column 'c': expected date but found 86400001 ms, which is within a day",
                 err);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&arrow);
}

static void views_become_plain(void **state) {
    struct ArrowSchema arrow;
    struct by_hand hand;
    one_column_schema(*state, "vu", 0, &arrow);
    by_hand_init(&hand, 4, 4);
    static const char LONG[] = "..a text of more than twelve bytes";
    static uint8_t views[4][16];
    static const int64_t SIZES[] = {sizeof LONG - 1};
    static const uint8_t VALID[] = {0x0D};
    const int32_t outside[] = {13, 0, 7, -5}; /* under a null */
    const int32_t far[] = {32, 0, 0, 2};
    memset(views, 0, sizeof views);
    views[0][0] = 12;
    memcpy(views[0] + 4, "twelve bytes", 12);
    memcpy(views[1], outside, 16);
    memcpy(views[2], far, 16);
    hand.buffers[0] = VALID;
    hand.buffers[1] = views;
    hand.buffers[2] = LONG;
    hand.buffers[3] = SIZES;
    hand.column.null_count = 1;
    expect(*state, &arrow, &hand.batch, "string",
           "\"twelve bytes\" null \"a text of more than twelve bytes\" \"\"");
    assert_int_equal(released, 2);

    by_hand_init(&hand, 4, 4);
    hand.buffers[1] = views;
    hand.buffers[2] = LONG;
    hand.buffers[3] = SIZES;
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = world_schema(*state, "c string");
    struct ArrowArray out;
    assert_fails(stoa_batch_conform(*state, schema, &arrow, &hand.batch, &out, &err), STOA_INVALID,
                 "", err);
    assert_null(out.release);
    assert_int_equal(released, 2);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&arrow);
}

static void large_offsets_become_small_and_share_the_bytes(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct by_hand hand;
    one_column_schema(*state, "U", 0, &arrow);
    by_hand_init(&hand, 2, 3);
    static const int64_t OFFSETS[] = {1, 3, 6};
    static const char BYTES[] = "xabcde";
    hand.buffers[1] = OFFSETS;
    hand.buffers[2] = BYTES;
    const stoa_schema *schema = world_schema(*state, "c string");
    struct ArrowArray out;
    ok(stoa_batch_conform(*state, schema, &arrow, &hand.batch, &out, &err));
    assert_ptr_equal(out.children[0]->buffers[2], BYTES + 1);
    assert_int_equal(((const int32_t *)out.children[0]->buffers[1])[2], 5);
    assert_int_equal(released, 1); /* the batch; the column is kept for its bytes */
    stoa_arrow_array_release(&out);
    assert_int_equal(released, 2);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&arrow);
}

static void more_than_31_bits_of_bytes_are_refused(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct by_hand hand;
    one_column_schema(*state, "Z", 0, &arrow);
    by_hand_init(&hand, 2, 3);
    static const int64_t OFFSETS[] = {0, INT64_C(1500000000), INT64_C(3000000000)};
    hand.buffers[1] = OFFSETS;
    hand.buffers[2] = "never read";
    const stoa_schema *schema = world_schema(*state, "c binary");
    struct ArrowArray out;
    assert_fails(stoa_batch_conform(*state, schema, &arrow, &hand.batch, &out, &err), STOA_LIMIT,
                 "column 'c': expected at most 2147483647 bytes or items in one batch but found "
                 "3000000000",
                 err);
    assert_int_equal(released, 2);
    stoa_schema_close(schema);
    stoa_arrow_schema_release(&arrow);
}

static void fixed_and_large_lists_become_lists(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct by_hand hand;
    static const int32_t ITEMS[] = {9, 9, 1, 2, 3, 4, 5, 6};
    static const uint8_t VALID[] = {0x0A}; /* bits 1 and 3 */
    one_column_schema(*state, "+w:2", 1, &arrow);
    ok(stoa_arrow_schema_init(*state, "i", "item", true, 0, arrow.children[0]->children[0], &err));
    by_hand_init(&hand, 3, 1);
    hand.buffers[0] = VALID;
    hand.column.null_count = 1;
    hand.column.offset = 1;
    hand.column.n_children = 1;
    hand.column.children = hand.items;
    hand.item_buffers[1] = ITEMS;
    hand.item = (struct ArrowArray){.length = 8,
                                    .n_buffers = 2,
                                    .buffers = hand.item_buffers,
                                    .release = count_release};
    expect(*state, &arrow, &hand.batch, "list<long>", "[1,2] null [5,6]");
    stoa_arrow_schema_release(&arrow);

    static const int64_t OFFSETS[] = {0, 2, 2, 5};
    one_column_schema(*state, "+L", 1, &arrow);
    ok(stoa_arrow_schema_init(*state, "i", "item", true, 0, arrow.children[0]->children[0], &err));
    by_hand_init(&hand, 2, 2);
    hand.buffers[1] = OFFSETS;
    hand.column.offset = 1;
    hand.column.n_children = 1;
    hand.column.children = hand.items;
    hand.item_buffers[1] = ITEMS;
    hand.item = (struct ArrowArray){.length = 8,
                                    .n_buffers = 2,
                                    .buffers = hand.item_buffers,
                                    .release = count_release};
    expect(*state, &arrow, &hand.batch, "list<int>", "[] [1,2,3]");
    stoa_arrow_schema_release(&arrow);
}

static void intervals_meet_in_months_days_and_nanoseconds(void **state) {
    struct ArrowSchema arrow;
    struct by_hand hand;
    static const int32_t MONTHS[] = {14, -1};
    static const int32_t DAYS[][2] = {{3, 1500}, {-1, -2}};
    for (int i = 0; i < 2; i++) {
        stoa_error err = STOA_ERROR_NONE;
        one_column_schema(*state, i == 0 ? "tiM" : "tiD", 0, &arrow);
        by_hand_init(&hand, 2, 2);
        hand.buffers[1] = i == 0 ? (const void *)MONTHS : (const void *)DAYS;
        const stoa_schema *schema = world_schema(*state, "c interval");
        struct ArrowArray out;
        ok(stoa_batch_conform(*state, schema, &arrow, &hand.batch, &out, &err));
        struct {
            int32_t months;
            int32_t days;
            int64_t nanoseconds;
        } value[2];
        memcpy(value, out.children[0]->buffers[1], sizeof value);
        assert_int_equal(value[0].months, i == 0 ? 14 : 0);
        assert_int_equal(value[0].days, i == 0 ? 0 : 3);
        assert_int_equal(value[0].nanoseconds, i == 0 ? 0 : 1500000000);
        assert_int_equal(value[1].months, i == 0 ? -1 : 0);
        assert_int_equal(value[1].days, i == 0 ? 0 : -1);
        assert_int_equal(value[1].nanoseconds, i == 0 ? 0 : -2000000);
        stoa_arrow_array_release(&out);
        stoa_schema_close(schema);
        stoa_arrow_schema_release(&arrow);
    }
}

static void null_columns_become_nulls_of_any_type(void **state) {
    static const char *const TYPES[] = {"unknown",
                                        "boolean",
                                        "int8",
                                        "long",
                                        "uint16",
                                        "float",
                                        "decimal(5, 2)",
                                        "date",
                                        "time_ms",
                                        "time",
                                        "timestamptz",
                                        "duration",
                                        "interval",
                                        "string",
                                        "binary",
                                        "fixed[3]",
                                        "uuid",
                                        "list<string>",
                                        "map<string, int>",
                                        "struct<a: int not null, b: list<int>>"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        struct ArrowSchema arrow;
        struct by_hand hand;
        one_column_schema(*state, "n", 0, &arrow);
        by_hand_init(&hand, 3, 0);
        hand.column.null_count = 3;
        expect(*state, &arrow, &hand.batch, TYPES[i], "null null null");
        stoa_arrow_schema_release(&arrow);
    }
}

static void missing_columns_are_null_and_order_is_the_schemas(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    stoa_builder *builder = NULL;
    const stoa_schema *source = world_schema(*state, "b int, s struct<y: int>");
    const stoa_schema *target = world_schema(*state,
                                             "a string, s struct<x: list<int>, y: long>, b int");
    ok(stoa_schema_to_arrow(*state, source, &arrow, &err));
    ok(stoa_builder_create(*state, &arrow, &builder, &err));
    ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), 7, &err));
    stoa_builder *nested = stoa_builder_child(builder, 1);
    ok(stoa_builder_append_i64(stoa_builder_child(nested, 0), 8, &err));
    ok(stoa_builder_finish_value(nested, &err));
    ok(stoa_builder_finish_value(builder, &err));
    ok(stoa_builder_finish(builder, &batch, &err));
    struct ArrowSchema canonical;
    struct ArrowArray out;
    ok(stoa_schema_to_arrow(*state, target, &canonical, &err));
    ok(stoa_batch_conform(*state, target, &arrow, &batch, &out, &err));
    stoa_buffer printed;
    stoa_buffer_init(&printed, *state);
    const char *view = NULL;
    ok(stoa_arrow_value_print(&canonical, &out, 0, STOA_PRINT_JSON, &printed, &err));
    ok(stoa_buffer_text(&printed, &view, &err));
    assert_string_equal(view, "{\"a\":null,\"s\":{\"x\":null,\"y\":8},\"b\":7}");
    stoa_buffer_release(&printed);
    stoa_arrow_array_release(&out);
    stoa_arrow_schema_release(&canonical);
    stoa_arrow_schema_release(&arrow);
    stoa_builder_close(builder);
    stoa_schema_close(source);
    stoa_schema_close(target);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(numbers_widen),
        WORLD_TEST(decimals_gain_digits),
        WORLD_TEST(times_get_finer),
        WORLD_TEST(a_time_of_day_is_no_date),
        WORLD_TEST(views_become_plain),
        WORLD_TEST(large_offsets_become_small_and_share_the_bytes),
        WORLD_TEST(more_than_31_bits_of_bytes_are_refused),
        WORLD_TEST(fixed_and_large_lists_become_lists),
        WORLD_TEST(intervals_meet_in_months_days_and_nanoseconds),
        WORLD_TEST(null_columns_become_nulls_of_any_type),
        WORLD_TEST(missing_columns_are_null_and_order_is_the_schemas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
