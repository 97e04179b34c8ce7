/* Formats, types in words, and trees of schemas. */
#include <string.h>

#include "arrow/layout.h"
#include "arrow/schema.h"
#include "pool_world.h"

static void field(const char *format, const char *name, int64_t children,
                  struct ArrowSchema *out) {
    assert_ok(stoa_arrow_schema_init(pool, format, name, true, children, out, &err), err);
}

static void assert_type(const struct ArrowSchema *schema, const char *wanted) {
    stoa_buffer buffer;
    const char *text;
    stoa_buffer_init(&buffer, pool);
    assert_ok(stoa_arrow_type_print(schema, &buffer, &err), err);
    assert_ok(stoa_buffer_text(&buffer, &text, &err), err);
    assert_string_equal(text, wanted);
    stoa_buffer_release(&buffer);
}

static void formats_have_their_types(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"n", "null"},
        {"b", "bool"},
        {"C", "uint8"},
        {"e", "halffloat"},
        {"g", "double"},
        {"d:38,2", "decimal128(38, 2)"},
        {"d:9,-3,32", "decimal32(9, -3)"},
        {"d:76,38,256", "decimal256(76, 38)"},
        {"tdD", "date32[day]"},
        {"tdm", "date64[ms]"},
        {"ttm", "time32[ms]"},
        {"ttn", "time64[ns]"},
        {"tsu:", "timestamp[us]"},
        {"tsn:Europe/Athens", "timestamp[ns, tz=Europe/Athens]"},
        {"tDs", "duration[s]"},
        {"tin", "month_day_nano_interval"},
        {"vu", "string_view"},
        {"w:16", "fixed_size_binary[16]"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct ArrowSchema schema;
        field(pairs[i][0], "x", 0, &schema);
        assert_type(&schema, pairs[i][1]);
        stoa_arrow_schema_release(&schema);
    }
}

static void nested_types_name_their_fields(void **state) {
    (void)state;
    struct ArrowSchema schema;
    field("+s", "", 2, &schema);
    field("+m", "m", 1, schema.children[0]);
    struct ArrowSchema *entries = schema.children[0]->children[0];
    field("+s", "entries", 2, entries);
    assert_ok(stoa_arrow_schema_init(pool, "u", "key", false, 0, entries->children[0], &err), err);
    field("+w:3", "value", 1, entries->children[1]);
    field("l", "item", 0, entries->children[1]->children[0]);
    assert_ok(stoa_arrow_schema_init(pool, "S", "d", false, 0, schema.children[1], &err), err);
    assert_ok(stoa_arrow_schema_add_dictionary(pool, schema.children[1], &err), err);
    field("u", "", 0, schema.children[1]->dictionary);
    assert_type(&schema,
                "struct<m: map<string, fixed_size_list<item: int64>[3]>, "
                "d: dictionary<values=string, indices=uint16, ordered=0> not null>");
    stoa_arrow_schema_release(&schema);
    stoa_arrow_schema_release(&schema);
}

static void what_is_no_format_is_refused(void **state) {
    (void)state;
    static const char *const formats[] = {
        "",       "x",      "d:",     "d:0,0",  "d:39,0", "d:10",  "d:10,2,64x", "d:10,2,65",
        "d:99999999999,0",  "ts",     "tsx:",   "tsu",    "w:",    "w:-1",       "w:4x",
        "+w:-2",  "ii",     "+us:128", "+ud:0,", "vv",    "d:10,2000"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct ArrowSchema schema = {.format = formats[i], .name = "x"};
        stoa_arrow_layout layout;
        assert_fails(stoa_arrow_layout_parse(&schema, &layout, &err), STOA_INVALID,
                     "field 'x': expected an Arrow format but found '", err);
    }
    struct ArrowSchema view = {.format = "+vl", .name = "x"};
    stoa_arrow_layout layout;
    assert_fails(stoa_arrow_layout_parse(&view, &layout, &err), STOA_UNSUPPORTED, "list views",
                 err);
}

static void children_must_fit_the_format(void **state) {
    (void)state;
    stoa_arrow_layout layout;
    struct ArrowSchema list = {.format = "+l", .name = "x"};
    assert_fails(stoa_arrow_layout_parse(&list, &layout, &err), STOA_INVALID,
                 "expected 1 children but found 0", err);
    struct ArrowSchema number = {.format = "i", .name = "x", .n_children = 1};
    assert_fails(stoa_arrow_layout_parse(&number, &layout, &err), STOA_INVALID,
                 "expected 0 children but found 1", err);
    struct ArrowSchema item = {.format = "i"};
    struct ArrowSchema *items[] = {&item};
    struct ArrowSchema map = {.format = "+m", .name = "x", .n_children = 1, .children = items};
    assert_fails(stoa_arrow_layout_parse(&map, &layout, &err), STOA_INVALID,
                 "expected entries of two fields but found 'i'", err);
    struct ArrowSchema text = {.format = "u", .name = "x", .dictionary = &item};
    assert_fails(stoa_arrow_layout_parse(&text, &layout, &err), STOA_INVALID,
                 "expected integer indices", err);
    struct ArrowSchema *none[] = {NULL};
    struct ArrowSchema hole = {.format = "+s", .name = "x", .n_children = 1, .children = none};
    assert_fails(stoa_arrow_layout_parse(&hole, &layout, &err), STOA_INVALID,
                 "child 0 is missing", err);
}

static void depth_is_bounded(void **state) {
    (void)state;
    enum { DEPTH = 200 };
    struct ArrowSchema chain[DEPTH];
    struct ArrowSchema *next[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        next[i] = i + 1 < DEPTH ? &chain[i + 1] : NULL;
        chain[i] = (struct ArrowSchema){.format = i + 1 < DEPTH ? "+l" : "i",
                                        .name = "item",
                                        .n_children = i + 1 < DEPTH,
                                        .children = &next[i]};
    }
    struct ArrowSchema copy;
    stoa_buffer text;
    stoa_buffer_init(&text, pool);
    assert_fails(stoa_arrow_schema_copy(pool, chain, &copy, &err), STOA_INVALID, "deeper than 64",
                 err);
    assert_null(copy.release);
    assert_fails(stoa_arrow_type_print(chain, &text, &err), STOA_INVALID, "deeper than 64", err);
    assert_false(stoa_arrow_schema_equal(chain, chain, false, NULL));
    stoa_buffer_release(&text);
}

static void metadata_is_found_and_replaced(void **state) {
    (void)state;
    struct ArrowSchema schema;
    static const char *const keys[] = {"a", "ARROW:extension:name"};
    static const char *const values[] = {"", "arrow.uuid"};
    field("w:16", "x", 0, &schema);
    assert_ok(stoa_arrow_schema_set_metadata(pool, &schema, keys, values, 2, &err), err);
    const char *view = NULL;
    int32_t size = -1;
    assert_true(stoa_arrow_metadata_find(schema.metadata, keys[1], &view, &size));
    assert_int_equal(size, 10);
    assert_memory_equal(view, "arrow.uuid", 10);
    assert_true(stoa_arrow_metadata_find(schema.metadata, "a", &view, &size));
    assert_int_equal(size, 0);
    assert_false(stoa_arrow_metadata_find(schema.metadata, "ARROW", &view, &size));
    assert_false(stoa_arrow_metadata_find(NULL, "a", &view, &size));
    assert_ok(stoa_arrow_schema_set_metadata(pool, &schema, NULL, NULL, 0, &err), err);
    assert_null(schema.metadata);
    stoa_arrow_schema_release(&schema);
}

static void a_negative_metadata_length_is_refused(void **state) {
    (void)state;
    static const int32_t block[] = {1, -5, 0, 0};
    struct ArrowSchema schema = {.format = "i", .name = "x", .metadata = (const char *)block};
    struct ArrowSchema copy;
    assert_fails(stoa_arrow_schema_copy(pool, &schema, &copy, &err), STOA_INVALID,
                 "negative length", err);
    const char *view;
    int32_t size;
    assert_false(stoa_arrow_metadata_find((const char *)block, "x", &view, &size));
}

static int foreign_releases;

static void foreign_release(struct ArrowSchema *schema) {
    foreign_releases++;
    schema->release = NULL;
}

static void a_foreign_schema_is_renamed_as_a_copy(void **state) {
    (void)state;
    struct ArrowSchema schema = {.format = "i", .name = "theirs", .release = foreign_release};
    foreign_releases = 0;
    assert_ok(stoa_arrow_schema_rename(pool, &schema, "ours", &err), err);
    assert_int_equal(foreign_releases, 1);
    assert_string_equal(schema.name, "ours");
    assert_string_equal(schema.format, "i");
    stoa_arrow_schema_release(&schema);
}

static void a_child_can_be_moved_out(void **state) {
    (void)state;
    struct ArrowSchema schema;
    field("+s", "", 1, &schema);
    field("u", "name", 0, schema.children[0]);
    struct ArrowSchema moved = *schema.children[0];
    schema.children[0]->release = NULL;
    stoa_arrow_schema_release(&schema);
    assert_string_equal(moved.name, "name");
    stoa_arrow_schema_release(&moved);
}

static void schemas_differ_where_asked(void **state) {
    (void)state;
    struct ArrowSchema left, right;
    stoa_error difference;
    field("d:9,2", "a", 0, &left);
    field("d:9,2,128", "b", 0, &right);
    assert_true(stoa_arrow_schema_equal(&left, &right, false, &difference));
    assert_false(stoa_arrow_schema_equal(&left, &right, true, &difference));
    assert_string_equal(difference.message,
                        "field 'a': expected the name 'a' but found 'b'");
    stoa_arrow_schema_release(&right);
    field("d:9,3", "a", 0, &right);
    assert_false(stoa_arrow_schema_equal(&left, &right, false, &difference));
    assert_string_equal(difference.message,
                        "field 'a': expected format 'd:9,2' but found 'd:9,3'");
    stoa_arrow_schema_release(&left);
    stoa_arrow_schema_release(&right);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(formats_have_their_types),
        TEST(nested_types_name_their_fields),
        TEST(what_is_no_format_is_refused),
        TEST(children_must_fit_the_format),
        TEST(depth_is_bounded),
        TEST(metadata_is_found_and_replaced),
        TEST(a_negative_metadata_length_is_refused),
        TEST(a_foreign_schema_is_renamed_as_a_copy),
        TEST(a_child_can_be_moved_out),
        TEST(schemas_differ_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
