/* The text form of schemas: what is read, what is printed, what is refused and where. */
#include "world.h"

static void expect_print(void **state, const char *text, const char *printed) {
    const stoa_schema *schema = world_schema(*state, text);
    char out[1024];
    size_t length = stoa_schema_print(schema, out, sizeof out);
    assert_string_equal(out, printed);
    assert_int_equal(length, strlen(printed));
    const stoa_schema *again = world_schema(*state, out);
    assert_true(stoa_type_equal(&schema->root, &again->root, true));
    stoa_schema_close(again);
    stoa_schema_close(schema);
}

static void expect_failure(void **state, const char *text, int64_t offset, const char *message) {
    const stoa_schema *schema = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_status status = stoa_schema_parse(*state, text, &schema, &err);
    assert_int_not_equal(status, STOA_OK);
    assert_null(schema);
    assert_string_equal(err.message, message);
    assert_int_equal(err.offset, offset);
}

static void every_type_prints_as_it_is_read(void **state) {
    static const char *const TYPES[] = {
        "unknown",
        "boolean",
        "int8",
        "int16",
        "int",
        "long",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float",
        "double",
        "decimal(38, 10)",
        "date",
        "time",
        "time_ms",
        "time_ns",
        "timestamp",
        "timestamp_s",
        "timestamp_ms",
        "timestamp_ns",
        "timestamptz",
        "timestamptz_s",
        "timestamptz_ms",
        "timestamptz_ns",
        "duration",
        "duration_s",
        "duration_ms",
        "duration_ns",
        "interval",
        "string",
        "binary",
        "fixed[16]",
        "uuid",
        "list<string>",
        "list<string not null>",
        "map<string, long>",
        "map<string, long not null>",
        "struct<>",
        "struct<a: int not null 'it''s', b: struct<\"c d\": list<map<int, uuid>>>>",
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "x %s", TYPES[i]);
        expect_print(state, text, text);
    }
}

static void aliases_print_canonically(void **state) {
    expect_print(state, "a BIGINT, b Integer null, c varchar not null, d text 'doc' not null",
                 "a long, b int, c string not null, d string not null 'doc'");
    expect_print(state, "a bool,b smallint,c tinyint,d blob,e timestamp with time zone",
                 "a boolean, b int16, c int8, d binary, e timestamptz");
    expect_print(state,
                 "a: decimal(10), b: double precision, c: timestamp without time zone, "
                 "d numeric ( 5 , 2 ), e fixed(3), f int[][], g array<int>",
                 "a decimal(10, 0), b double, c timestamp, d decimal(5, 2), e fixed[3], "
                 "f list<list<int>>, g list<int>");
    expect_print(state,
                 "\"odd \"\"name\"\"\" int, größe int, not int, null int, timestamp timestamp",
                 "\"odd \"\"name\"\"\" int, \"größe\" int, not int, null int, timestamp timestamp");
}

static void twins_that_look_alike_stay_apart(void **state) {
    const stoa_schema *schema =
        world_schema(*state,
                     "a uuid, b fixed[16], c binary, d timestamp, e timestamptz, f decimal(16, 0)");
    for (int32_t i = 0; i < 6; i++) {
        for (int32_t j = 0; j < 6; j++) {
            assert_int_equal(stoa_type_equal(&schema->root.children[i].type,
                                             &schema->root.children[j].type, false),
                             i == j);
        }
    }
    stoa_schema_close(schema);
}

static void failures_name_the_byte(void **state) {
    expect_failure(state, "", 0, "expected a column's name at byte 0 but the text ends");
    expect_failure(state, "id lnog", 3, "expected a type at byte 3 but found 'lnog'");
    expect_failure(state, "id long,", 8, "expected a column's name at byte 8 but the text ends");
    expect_failure(state, "id long not", 8,
                   "expected ',' or the end of the text at byte 8 but found 'not'");
    expect_failure(state, "id decimal", 10, "expected '(' at byte 10 but the text ends");
    expect_failure(state, "id decimal(3;", 12, "expected ')' at byte 12 but found ';'");
    expect_failure(state, "id fixed[99999999999]", 9,
                   "expected a number below 2^31 at byte 9 but found '99999999999'");
    expect_failure(state, "id varchar(20)", 10,
                   "expected ',' or the end of the text at byte 10 but found '('");
    expect_failure(state, "a time with time zone", 7,
                   "expected a time without a zone at byte 7 but found 'with'");
    expect_failure(state, "\"id long", 8, "expected a closing \" at byte 8 but the text ends");
    expect_failure(state, "a list<int", 10, "expected '>' at byte 10 but the text ends");
    expect_failure(state, "a int \x01", 6,
                   "expected ',' or the end of the text at byte 6 but found byte 0x01");
}

static void meaning_is_checked_too(void **state) {
    expect_failure(state, "a int, a long", -1, "the name 'a' stands twice");
    expect_failure(state, "s struct<a: int, a: long>", -1, "the name 'a' stands twice");
    expect_failure(state, "\"\" int", -1, "expected a name for every field but found an empty one");
    expect_failure(state, "a decimal(39, 0)", -1,
                   "field 'a': expected a decimal's precision from 1 to 38 but found 39");
    expect_failure(state, "a decimal(5, 6)", -1,
                   "field 'a': expected a decimal's scale from 0 to its precision 5 but found 6");
    expect_failure(state, "a fixed[0]", -1,
                   "field 'a': expected a fixed length of 1 byte and more but found 0");
    expect_failure(state, "a unknown not null", -1,
                   "field 'a': a required field cannot be of type unknown, which holds only nulls");
    expect_failure(state, "a\xff int", -1, "a field's name is not valid UTF-8");
}

static void nesting_is_bounded(void **state) {
    char text[1000] = "a ";
    for (int i = 0; i < 63; i++) {
        strcat(text, "list<");
    }
    strcat(text, "int");
    memset(text + strlen(text), '>', 63);
    stoa_schema_close(world_schema(*state, text));

    char deep[20000] = "a ";
    for (int i = 0; i < 3000; i++) {
        memcpy(deep + 2 + (size_t)i * 5, "list<", 6);
    }
    expect_failure(state, deep, 2 + 64 * 5,
                   "expected types nested at most 64 levels deep at byte 322 but found 'list'");
    char suffixes[20000] = "a int";
    for (int i = 0; i < 3000; i++) {
        memcpy(suffixes + 5 + (size_t)i * 2, "[]", 3);
    }
    const stoa_schema *schema = NULL;
    assert_int_equal(stoa_schema_parse(*state, suffixes, &schema, NULL), STOA_INVALID);
}

static void printing_into_less_room_says_how_much_is_needed(void **state) {
    const stoa_schema *schema = world_schema(*state, "id long not null");
    char out[8];
    assert_int_equal(stoa_schema_print(schema, out, sizeof out), 16);
    assert_string_equal(out, "id long");
    assert_int_equal(stoa_schema_print(schema, NULL, 0), 16);
    stoa_schema_close(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(every_type_prints_as_it_is_read),
        WORLD_TEST(aliases_print_canonically),
        WORLD_TEST(twins_that_look_alike_stay_apart),
        WORLD_TEST(failures_name_the_byte),
        WORLD_TEST(meaning_is_checked_too),
        WORLD_TEST(nesting_is_bounded),
        WORLD_TEST(printing_into_less_room_says_how_much_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
