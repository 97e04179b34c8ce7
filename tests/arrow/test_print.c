/* Values as text and as JSON, as DuckDB 1.5 casts and prints them. */
#include <math.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/print.h"
#include "arrow/schema.h"
#include "arrow/text.h"
#include "pool_world.h"

static void assert_text(const struct ArrowSchema *schema, const struct ArrowArray *array,
                        int64_t row, stoa_text_style style, const char *expected) {
    stoa_text *text = NULL;
    size_t size = 0;
    assert_ok(stoa_text_create(pool, &text, &err), err);
    assert_ok(stoa_text_value(text, schema, array, row, style, &err), err);
    assert_string_equal(stoa_text_view(text, &size), expected);
    assert_int_equal(size, strlen(expected));
    stoa_text_close(text);
}

/* One value of a fixed-width format, given as its bytes. */
static void assert_fixed(const char *format, const void *value, size_t size, const char *plain,
                         const char *json) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    stoa_builder *builder = NULL;
    assert_ok(stoa_arrow_schema_init(pool, format, "x", true, 0, &schema, &err), err);
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    assert_ok(stoa_builder_append_bytes(builder, value, size, &err), err);
    assert_ok(stoa_builder_append_null(builder, &err), err);
    assert_ok(stoa_builder_finish(builder, &array, &err), err);
    assert_text(&schema, &array, 0, STOA_TEXT_PLAIN, plain);
    assert_text(&schema, &array, 0, STOA_TEXT_JSON, json);
    assert_text(&schema, &array, 1, STOA_TEXT_PLAIN, "NULL");
    assert_text(&schema, &array, 1, STOA_TEXT_JSON, "null");
    stoa_builder_close(builder);
    stoa_arrow_array_release(&array);
    stoa_arrow_schema_release(&schema);
}

#define VALUE(type, value) &(type){value}, sizeof(type)

static void numbers_are_bare(void **state) {
    (void)state;
    assert_fixed("c", VALUE(int8_t, -128), "-128", "-128");
    assert_fixed("L", VALUE(uint64_t, UINT64_MAX), "18446744073709551615", "18446744073709551615");
    assert_fixed("g", VALUE(double, 0.1), "0.1", "0.1");
    assert_fixed("g", VALUE(double, 100), "100.0", "100.0");
    assert_fixed("g", VALUE(double, -INFINITY), "-inf", "\"-inf\"");
    assert_fixed("f", VALUE(float, 1.1f), "1.1", "1.1");
    assert_fixed("d:10,2", VALUE(__int128, -5), "-0.05", "-0.05");
}

static void times_are_texts(void **state) {
    (void)state;
    assert_fixed("tdD", VALUE(int32_t, 19782), "2024-02-29", "\"2024-02-29\"");
    assert_fixed("tsu:", VALUE(int64_t, 1709168523456000), "2024-02-29 01:02:03.456",
                 "\"2024-02-29 01:02:03.456\"");
    assert_fixed("tsm:UTC", VALUE(int64_t, -1000), "1969-12-31 23:59:59+00",
                 "\"1969-12-31 23:59:59+00\"");
    assert_fixed("ttu", VALUE(int64_t, 45296120000), "12:34:56.12", "\"12:34:56.12\"");
    assert_fixed("tDs", VALUE(int64_t, -90061), "-25:01:01", "\"-25:01:01\"");
    struct {
        int32_t months;
        int32_t days;
        int64_t nanoseconds;
    } interval = {14, -1, INT64_C(3723500000000)};
    assert_fixed("tin", &interval, sizeof interval, "1 year 2 months -1 day 01:02:03.5",
                 "\"1 year 2 months -1 day 01:02:03.5\"");
    memset(&interval, 0, sizeof interval);
    assert_fixed("tin", &interval, sizeof interval, "00:00:00", "\"00:00:00\"");
}

static void strings_are_escaped_where_it_matters(void **state) {
    (void)state;
    assert_fixed("u", "say \"hi\"\n", 9, "say \"hi\"\n", "\"say \\\"hi\\\"\\n\"");
    assert_fixed("u", "z\xC3\xBC\x01", 4, "z\xC3\xBC\x01", "\"z\xC3\xBC\\u0001\"");
    assert_fixed("U", "", 0, "", "\"\"");
    assert_fixed("vu", "more than twelve bytes", 22, "more than twelve bytes",
                 "\"more than twelve bytes\"");
    assert_fixed("z", "a\x00\xFF'", 4, "a\\x00\\xFF\\x27", "\"a\\\\x00\\\\xFF\\\\x27\"");
}

static void json_strings_survive_bytes_that_are_no_text(void **state) {
    (void)state;
    stoa_buffer out;
    const char *text = NULL;
    stoa_buffer_init(&out, pool);
    assert_ok(stoa_json_string_print("a\xFF" "b\xC3", 4, &out, &err), err);
    assert_ok(stoa_buffer_text(&out, &text, &err), err);
    assert_string_equal(text, "\"a\\ufffdb\\ufffd\"");
    stoa_buffer_release(&out);
}

static void uuids_have_their_form(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray array;
    stoa_builder *builder = NULL;
    const char *key = "ARROW:extension:name";
    const char *value = "arrow.uuid";
    assert_ok(stoa_arrow_schema_init(pool, "w:16", "x", true, 0, &schema, &err), err);
    assert_ok(stoa_arrow_schema_set_metadata(pool, &schema, &key, &value, 1, &err), err);
    assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
    assert_ok(stoa_builder_append_bytes(builder, "0123456789abcdef", 16, &err), err);
    assert_ok(stoa_builder_finish(builder, &array, &err), err);
    assert_text(&schema, &array, 0, STOA_TEXT_PLAIN, "30313233-3435-3637-3839-616263646566");
    stoa_builder_close(builder);
    stoa_arrow_array_release(&array);
    stoa_arrow_schema_release(&schema);
}

/* list<struct<k: string, v: int>> */
static void nested_values_nest(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray array;
    stoa_builder *list = NULL;
    assert_ok(stoa_arrow_schema_init(pool, "+l", "x", true, 1, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "+s", "item", true, 2, schema.children[0], &err), err);
    struct ArrowSchema *item = schema.children[0];
    assert_ok(stoa_arrow_schema_init(pool, "u", "k", true, 0, item->children[0], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "v", true, 0, item->children[1], &err), err);
    assert_ok(stoa_builder_create(pool, &schema, &list, &err), err);
    stoa_builder *entry = stoa_builder_child(list, 0);
    const char *keys[] = {"plain", "two, three", ""};
    for (int64_t i = 0; i < 3; i++) {
        stoa_builder *key = stoa_builder_child(entry, 0);
        assert_ok(stoa_builder_append_bytes(key, keys[i], strlen(keys[i]), &err), err);
        assert_ok(stoa_builder_append_i64(stoa_builder_child(entry, 1), i, &err), err);
        assert_ok(stoa_builder_finish_value(entry, &err), err);
    }
    assert_ok(stoa_builder_append_null(entry, &err), err);
    assert_ok(stoa_builder_finish_value(list, &err), err);
    assert_ok(stoa_builder_finish_value(list, &err), err);
    assert_ok(stoa_builder_finish(list, &array, &err), err);
    assert_text(&schema, &array, 0, STOA_TEXT_PLAIN,
                "[{'k': plain, 'v': 0}, {'k': 'two, three', 'v': 1}, {'k': '', 'v': 2}, NULL]");
    assert_text(&schema, &array, 0, STOA_TEXT_JSON,
                "[{\"k\":\"plain\",\"v\":0},{\"k\":\"two, three\",\"v\":1},{\"k\":\"\",\"v\":2},"
                "null]");
    assert_text(&schema, &array, 1, STOA_TEXT_JSON, "[]");
    stoa_builder_close(list);
    stoa_arrow_array_release(&array);
    stoa_arrow_schema_release(&schema);
}

/* One item of `format` inside a list. */
static void assert_item(const char *format, const void *value, size_t size, const char *plain) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    stoa_builder *list = NULL;
    assert_ok(stoa_arrow_schema_init(pool, "+l", "x", true, 1, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, format, "item", true, 0, schema.children[0], &err),
              err);
    assert_ok(stoa_builder_create(pool, &schema, &list, &err), err);
    assert_ok(stoa_builder_append_bytes(stoa_builder_child(list, 0), value, size, &err), err);
    assert_ok(stoa_builder_finish_value(list, &err), err);
    assert_ok(stoa_builder_finish(list, &array, &err), err);
    assert_text(&schema, &array, 0, STOA_TEXT_PLAIN, plain);
    stoa_builder_close(list);
    stoa_arrow_array_release(&array);
    stoa_arrow_schema_release(&schema);
}

/* Everything whose text could be mistaken is quoted, not only strings. */
static void texts_inside_lists_are_quoted_as_duckdb_does(void **state) {
    (void)state;
    assert_item("tsu:", VALUE(int64_t, 0), "['1970-01-01 00:00:00']");
    assert_item("ttu", VALUE(int64_t, 500000), "['00:00:00.5']");
    assert_item("tdD", VALUE(int32_t, 0), "[1970-01-01]");
    assert_item("tDs", VALUE(int64_t, 3600), "['01:00:00']");
    assert_item("z", "\xAB", 1, "[\\xAB]");
    assert_item("z", "\xDD(", 2, "['\\\\xDD(']");
    assert_item("u", "\\", 1, "[\\]");
    assert_item("u", "x\n", 2, "['x\n']");
    assert_item("u", "nULL", 4, "['nULL']");
}

static void odd_decimals_and_years_are_as_duckdb_shows_them(void **state) {
    (void)state;
    assert_fixed("d:3,3,32", VALUE(int32_t, -500), "-.500", "-0.500");
    assert_fixed("d:3,3,32", VALUE(int32_t, 0), ".000", "0.000");
    assert_fixed("d:4,3,32", VALUE(int32_t, 500), "0.500", "0.500");
    assert_fixed("tdD", VALUE(int32_t, -735160), "0044-03-15 (BC)", "\"0044-03-15 (BC)\"");
    assert_fixed("tss:UTC", VALUE(int64_t, -62167219201), "0002-12-31 (BC) 23:59:59+00",
                 "\"0002-12-31 (BC) 23:59:59+00\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_bare, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_are_escaped_where_it_matters, setup, teardown),
        cmocka_unit_test_setup_teardown(json_strings_survive_bytes_that_are_no_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(uuids_have_their_form, setup, teardown),
        cmocka_unit_test_setup_teardown(nested_values_nest, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_inside_lists_are_quoted_as_duckdb_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(odd_decimals_and_years_are_as_duckdb_shows_them, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
