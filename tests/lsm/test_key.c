/* The bytes of keys, which are part of the file format, and what is refused. */
#include <stdio.h>

#include "arrow/builder.h"
#include "lsm/key.h"
#include "support.h"

struct golden {
    const char *type;
    const char *value;
    bool descending;
    const char *hex;
};

/* From the table in docs/design/lsm.md, worked out by hand. */
static const struct golden goldens[] = {
    {"boolean", "true", false, "01"},
    {"boolean", "true", true, "fe"},
    {"int8", "-128", false, "00"},
    {"int", "1", false, "80000001"},
    {"int", "-1", false, "7fffffff"},
    {"int", "1", true, "7ffffffe"},
    {"uint16", "258", false, "0102"},
    {"long", "-9223372036854775808", false, "0000000000000000"},
    {"uint64", "18446744073709551615", false, "ffffffffffffffff"},
    {"float", "1", false, "bf800000"},
    {"float", "-1", false, "407fffff"},
    {"double", "-0.0", false, "8000000000000000"},
    {"double", "NaN", false, "fff8000000000000"},
    {"decimal(5, 2)", "1.00", false, "80000064"},
    {"decimal(18, 0)", "-1", false, "7fffffffffffffff"},
    {"decimal(38, 0)", "1", false, "80000000000000000000000000000001"},
    {"date", "1970-01-02", false, "80000001"},
    {"timestamp", "1970-01-01 00:00:00.000001", false, "8000000000000001"},
    {"string", "ab", false, "6162"},
    {"string", "ab", true, "9e9dffff"},
    {"uuid", "00112233-4455-6677-8899-aabbccddeeff", false, "00112233445566778899aabbccddeeff"},
};

static void to_hex(const stoa_buffer *bytes, char *out) {
    for (size_t i = 0; i < bytes->size; i++) {
        sprintf(out + 2 * i, "%02x", bytes->data[i]);
    }
}

static void bytes_are_the_documented_ones(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_error err;
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        const struct golden *golden = &goldens[i];
        char text[64], hex[64] = "";
        const stoa_schema *schema;
        stoa_key_format format;
        stoa_value value;
        stoa_arena arena;
        stoa_buffer bytes;
        snprintf(text, sizeof text, "k %s not null", golden->type);
        assert_ok(stoa_schema_parse(pool, text, &schema, &err), err);
        const stoa_key_column column = {1, golden->descending};
        assert_ok(stoa_key_format_init(&format, schema, &column, 1, &err), err);
        stoa_arena_init(&arena, pool);
        stoa_buffer_init(&bytes, pool);
        assert_ok(stoa_value_parse(&arena, &schema->root.children[0].type, golden->value,
                                   strlen(golden->value), &value, &err),
                  err);
        assert_ok(stoa_key_encode(&format, &value, 1, &bytes, &err), err);
        to_hex(&bytes, hex);
        assert_string_equal(hex, golden->hex);
        stoa_buffer_release(&bytes);
        stoa_arena_release(&arena);
        stoa_schema_close(schema);
    }
    support_pool_close(pool);
}

/* A text that is not the last part is escaped and has an end. */
static void texts_within_a_key(void **state) {
    stoa_pool *pool = support_pool_open();
    const stoa_schema *schema;
    stoa_key_format format;
    stoa_buffer bytes;
    char hex[64] = "";
    stoa_error err;
    (void)state;
    const stoa_key_column columns[] = {{1, false}, {2, false}};
    assert_ok(stoa_schema_parse(pool, "a binary not null, b int8 not null", &schema, &err), err);
    assert_ok(stoa_key_format_init(&format, schema, columns, 2, &err), err);
    assert_int_equal(format.fixed_bytes, 0);
    const stoa_value values[] = {
        {.type = schema->root.children[0].type, .bytes = (const uint8_t *)"a\0b", .size = 3},
        {.type = schema->root.children[1].type, .i = 5},
    };
    stoa_buffer_init(&bytes, pool);
    assert_ok(stoa_key_encode(&format, values, 2, &bytes, &err), err);
    to_hex(&bytes, hex);
    assert_string_equal(hex, "6100ff62000085");
    stoa_buffer_release(&bytes);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

static void assert_refused(stoa_pool *pool, const char *text, const stoa_key_column *columns,
                           int32_t count, stoa_status status, const char *said) {
    const stoa_schema *schema;
    stoa_key_format format;
    stoa_error err;
    assert_ok(stoa_schema_parse(pool, text, &schema, &err), err);
    assert_fails(stoa_key_format_init(&format, schema, columns, count, &err), status, said, err);
    stoa_schema_close(schema);
}

static void formats_that_are_refused(void **state) {
    stoa_pool *pool = support_pool_open();
    (void)state;
    const stoa_key_column one = {1, false}, twice[] = {{1, false}, {1, true}}, seven = {7, false};
    assert_refused(pool, "k int not null", &one, 0, STOA_INVALID, "1 to 16 columns");
    assert_refused(pool, "k int", &one, 1, STOA_INVALID, "must be 'not null'");
    assert_refused(pool, "k int not null", &seven, 1, STOA_INVALID, "found 7");
    assert_refused(pool, "k int not null", twice, 2, STOA_INVALID, "named twice");
    assert_refused(pool, "k list<int> not null", &one, 1, STOA_UNSUPPORTED, "no order");
    assert_refused(pool, "k interval not null", &one, 1, STOA_UNSUPPORTED, "no order");
    assert_refused(pool, "k fixed[65537] not null", &one, 1, STOA_INVALID, "at most 65536 bytes");
    support_pool_close(pool);
}

/* Rows of one string column; NULL is a null. */
static void make_batch(stoa_pool *pool, const stoa_schema *schema, const char *const *rows,
                       const size_t *sizes, int count, struct ArrowArray *out) {
    struct ArrowSchema arrow;
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_schema_to_arrow(pool, schema, &arrow, &err), err);
    assert_ok(stoa_builder_create(pool, &arrow, &builder, &err), err);
    for (int i = 0; i < count; i++) {
        stoa_builder *child = stoa_builder_child(builder, 0);
        if (rows[i] == NULL) {
            assert_ok(stoa_builder_append_null(child, &err), err);
        } else {
            assert_ok(stoa_builder_append_bytes(child, rows[i], sizes[i], &err), err);
        }
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
}

static void rows_that_are_refused(void **state) {
    static char text[STOA_KEY_BYTES_MAX + 1];
    stoa_pool *pool = support_pool_open();
    const stoa_schema *schema;
    stoa_key_format format;
    struct ArrowArray batch;
    stoa_keys keys;
    stoa_error err;
    (void)state;
    memset(text, 'x', sizeof text);
    const stoa_key_column column = {1, false};
    assert_ok(stoa_schema_parse(pool, "name string not null", &schema, &err), err);
    assert_ok(stoa_key_format_init(&format, schema, &column, 1, &err), err);
    stoa_keys_init(&keys, pool);

    const char *rows[] = {"a", text, NULL, text};
    const size_t sizes[] = {1, STOA_KEY_BYTES_MAX, 0, sizeof text};
    make_batch(pool, schema, rows, sizes, 4, &batch);
    assert_fails(stoa_keys_append(&format, &batch, 0, 3, &keys, &err), STOA_INVALID,
                 "row 2: the key column 'name' is null", err);
    assert_ok(stoa_keys_append(&format, &batch, 0, 2, &keys, &err), err);
    assert_fails(stoa_keys_append(&format, &batch, 3, 1, &keys, &err), STOA_LIMIT,
                 "row 3: expected a key of at most 65536 bytes but found 65537", err);
    assert_int_equal(keys.count, 2);
    const stoa_keys_view view = stoa_keys_view_of(&keys);
    assert_int_equal(view.offsets[2], 1 + STOA_KEY_BYTES_MAX);
    assert_int_equal(keys.bytes.size, 1 + STOA_KEY_BYTES_MAX);

    stoa_arrow_array_release(&batch);
    stoa_keys_release(&keys);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

static void keys_as_text(void **state) {
    static const stoa_key_column columns[] = {{1, true}, {2, false}};
    stoa_pool *pool = support_pool_open();
    const stoa_schema *schema;
    stoa_key_format format;
    stoa_buffer key, text;
    stoa_error err;
    (void)state;
    stoa_buffer_init(&key, pool);
    stoa_buffer_init(&text, pool);
    assert_ok(stoa_schema_parse(pool, "a string not null, b date not null", &schema, &err), err);
    assert_ok(stoa_key_format_init(&format, schema, columns, 2, &err), err);
    const stoa_value values[] = {
        {.type = {.kind = STOA_TYPE_STRING}, .bytes = (const uint8_t *)"b\"ob", .size = 4},
        {.type = {.kind = STOA_TYPE_DATE}, .i = 1}};
    assert_ok(stoa_key_encode(&format, values, 2, &key, &err), err);
    assert_ok(stoa_key_print(&format, pool, key.data, key.size, &text, &err), err);
    assert_int_equal(text.size, strlen("(\"b\\\"ob\", \"1970-01-02\")"));
    assert_memory_equal(text.data, "(\"b\\\"ob\", \"1970-01-02\")", text.size);
    assert_fails(stoa_key_print(&format, pool, key.data, key.size - 1, &text, &err), STOA_CORRUPT,
                 NULL, err);
    stoa_buffer_release(&key);
    stoa_buffer_release(&text);
    stoa_schema_close(schema);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_documented_ones),
        cmocka_unit_test(texts_within_a_key),
        cmocka_unit_test(formats_that_are_refused),
        cmocka_unit_test(rows_that_are_refused),
        cmocka_unit_test(keys_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
