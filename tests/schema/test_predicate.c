/* Predicates: what texts mean, where they fail, what bounds prove. */
#include "world.h"

#include <math.h>

#include "schema/predicate.h"

static const char SCHEMA[] =
    "t int8, i int, l long, ul uint64, f float, d double, m decimal(5, 2), "
    "y date, c time, a timestamp, z timestamptz, u duration, x string, "
    "w binary, k fixed[3], id uuid, b boolean, n unknown, "
    "p struct<lat: double, q: struct<r: int>>, o list<int>, v interval";

static void expect(void **state, const char *text, const char *printed) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_buffer out;
    stoa_arena_init(&arena, *state);
    stoa_buffer_init(&out, *state);
    const stoa_schema *schema = world_schema(*state, SCHEMA);
    const stoa_predicate *predicate = NULL;
    const char *view = NULL;
    ok(stoa_predicate_parse(&arena, schema, text, &predicate, &err));
    ok(stoa_predicate_print(predicate, schema, &out, &err));
    ok(stoa_buffer_text(&out, &view, &err));
    assert_string_equal(view, printed);
    stoa_buffer_release(&out);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
}

static void refuse(void **state, const char *text, stoa_status status, int64_t offset,
                   const char *message) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_arena_init(&arena, *state);
    const stoa_schema *schema = world_schema(*state, SCHEMA);
    const stoa_predicate *predicate = NULL;
    assert_int_equal(stoa_predicate_parse(&arena, schema, text, &predicate, &err), status);
    assert_string_equal(err.message, message);
    assert_int_equal(err.offset, offset);
    assert_null(predicate);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
}

#define NEVER(name) "(\"" name "\" is null and \"" name "\" in (null))"
#define ALWAYS(name) "(not " NEVER(name) ")"

static void constants_between_two_steps_are_decided(void **state) {
    expect(state, "i = 2.5", NEVER("i"));
    expect(state, "i <> 2.5", ALWAYS("i"));
    expect(state, "i < 2.5", "\"i\" <= 2");
    expect(state, "i <= 2.5", "\"i\" <= 2");
    expect(state, "i > 2.5", "\"i\" > 2");
    expect(state, "i >= 2.5", "\"i\" > 2");
    expect(state, "i < -2.5", "\"i\" <= -3");
    expect(state, "i > -0.5", "\"i\" > -1");
    expect(state, "i = 2.50e1", "\"i\" = 25");
    expect(state, "i = 2.0", "\"i\" = 2");
    expect(state, "2.5 < i", "\"i\" > 2");
    expect(state, "m < 1.005", "\"m\" <= 1.00");
    expect(state, "m = 1", "\"m\" = 1.00");
    expect(state, "i in (1, 2.5, null, 7)", "\"i\" in (1, null, 7)");
    expect(state, "i in (2.5)", NEVER("i"));
    expect(state, "y < timestamp '2024-02-29 12:00:00'", "\"y\" <= '2024-02-29'::date");
    expect(state, "y = timestamp '2024-02-29 00:00:00'", "\"y\" = '2024-02-29'::date");
    expect(state, "c > '12:00:00.0000005'", "\"c\" > '12:00:00'::time");
}

static void constants_out_of_range_are_decided(void **state) {
    expect(state, "t < 128", ALWAYS("t"));
    expect(state, "t <= 127", "\"t\" <= 127");
    expect(state, "t < 127.5", ALWAYS("t"));
    expect(state, "t > 127.5", NEVER("t"));
    expect(state, "t > -129", ALWAYS("t"));
    expect(state, "t = 1e30", NEVER("t"));
    expect(state, "t <> -1e99999999999", ALWAYS("t"));
    expect(state, "ul >= 0", "\"ul\" >= 0");
    expect(state, "ul >= -1", ALWAYS("ul"));
    expect(state, "ul = 18446744073709551615", "\"ul\" = 18446744073709551615");
    expect(state, "ul < 18446744073709551616", ALWAYS("ul"));
    expect(state, "l = -9223372036854775808", "\"l\" = -9223372036854775808");
    expect(state, "l < -9223372036854775808.5", NEVER("l"));
    expect(state, "m > 999.99", "\"m\" > 999.99");
    expect(state, "m > 1000", NEVER("m"));
}

static void every_type_has_its_constants(void **state) {
    expect(state, "f = 0.1", "\"f\" = '0.1'::float");
    expect(state, "d = 'nan'::double", "\"d\" = 'nan'::double");
    expect(state, "d >= -1e400", "\"d\" >= '-inf'::double");
    expect(state, "a = date '2024-02-29'", "\"a\" = '2024-02-29 00:00:00'::timestamp");
    expect(state, "a = '2024-02-29T01:02:03.5'", "\"a\" = '2024-02-29 01:02:03.500000'::timestamp");
    expect(state, "z = timestamp with time zone '2024-01-01 01:30:00+01:30'",
           "\"z\" = '2024-01-01 00:00:00+00'::timestamptz");
    expect(state, "z = '2023-12-31 23:59:59Z'", "\"z\" = '2023-12-31 23:59:59+00'::timestamptz");
    expect(state, "u < interval '2 minutes'", "\"u\" < interval '120000000 microseconds'");
    expect(state, "x = 'it''s'", "\"x\" = 'it''s'");
    expect(state, "w = 'a\\x00\\xfF'", "\"w\" = '\\x61\\x00\\xFF'::blob");
    expect(state, "id = uuid '123E4567e89b12d3a456426614174000'",
           "\"id\" = '123e4567-e89b-12d3-a456-426614174000'::uuid");
    expect(state, "k = 'abc'", "\"k\" = '\\x61\\x62\\x63'::blob");
    expect(state, "b", "\"b\" = true");
    expect(state, "not b and b = false", "((not \"b\" = true) and \"b\" = false)");
    expect(state, "i = null", "\"i\" = null");
    expect(state, "n is null or n = null", "(\"n\" is null or \"n\" = null)");
    expect(state, "o is null and v is not null and p is null",
           "(\"o\" is null and \"v\" is not null and \"p\" is null)");
}

static void forms_of_sql_are_read(void **state) {
    expect(state, "i not in (1) and i not between 2 and 3",
           "((not \"i\" in (1)) and (not (\"i\" >= 2 and \"i\" <= 3)))");
    expect(state, "x like 'ab%'", "starts_with(\"x\", 'ab')");
    expect(state, "x not like 'ab'", "(not \"x\" = 'ab')");
    expect(state, "x like '%'", "starts_with(\"x\", '')");
    expect(state, "P.LAT > 1 and p.q.r is not null",
           "(\"p\".\"lat\" > '1.0'::double and \"p\".\"q\".\"r\" is not null)");
    expect(state, "i = 1 or i = 2 and i = 3", "(\"i\" = 1 or (\"i\" = 2 and \"i\" = 3))");
    expect(state, "(i = 1 or i = 2) and true", "((\"i\" = 1 or \"i\" = 2) and true)");
    expect(state, " NOT not i != 1 ", "(not (not \"i\" <> 1))");
}

static void failures_name_the_byte(void **state) {
    refuse(state, "", STOA_INVALID, 0, "expected a column's name at byte 0 but the text ends");
    refuse(state, "i =", STOA_INVALID, 3, "expected a constant at byte 3 but the text ends");
    refuse(state, "nope = 1", STOA_INVALID, 0, "column 'nope' at byte 0: there is no such column");
    refuse(state, "i = 1 and p.nope = 1", STOA_INVALID, 12,
           "field 'nope' at byte 12: there is no such field in 'p'");
    refuse(state, "i = 1 i", STOA_INVALID, 6,
           "expected 'and', 'or' or the end of the text at byte 6 but found 'i'");
    refuse(state, "i = 'abc'", STOA_INVALID, 4,
           "byte 4: column 'i': expected a constant of type int but found 'abc'");
    refuse(state, "i = true", STOA_INVALID, 4,
           "byte 4: column 'i': expected a constant of type int but found true");
    refuse(state, "i = 1.2.3", STOA_INVALID, 4,
           "byte 4: column 'i': expected a constant of type int but found 1.2.3");
    refuse(state, "x = 5", STOA_INVALID, 4,
           "byte 4: column 'x': expected a constant of type string but found 5");
    refuse(state, "y = '2024-02-30'", STOA_INVALID, 4,
           "byte 4: column 'y': expected a constant of type date but found '2024-02-30'");
    refuse(state, "z > '2024-01-01 00:00:00'", STOA_INVALID, 4,
           "byte 4: column 'z': expected a constant of type timestamptz but found '2024-01-01 "
           "00:00:00'");
    refuse(state, "a > '2024-01-01 00:00:00Z'", STOA_INVALID, 4,
           "byte 4: column 'a': expected a constant of type timestamp but found '2024-01-01 "
           "00:00:00Z'");
    refuse(state, "k = 'ab'", STOA_INVALID, 4,
           "byte 4: column 'k': expected a constant of type fixed[3] but found 'ab'");
    refuse(state, "(i = 1", STOA_INVALID, 6, "expected ')' at byte 6 but the text ends");
    refuse(state, "x like '_a'", STOA_UNSUPPORTED, 7,
           "like '_a' at byte 7: only patterns that end in their one % are supported here");
    refuse(state, "o = 1", STOA_UNSUPPORTED, -1,
           "column 'o' of type list<int> cannot be compared in a predicate");
    refuse(state, "v in (null)", STOA_UNSUPPORTED, -1,
           "column 'v' of type interval cannot be compared in a predicate");
}

static void nesting_is_bounded(void **state) {
    char text[100000];
    memset(text, '(', 50000);
    memcpy(text + 50000, "i = 1", 6);
    refuse(state, text, STOA_INVALID, 100,
           "expected a predicate nested at most 100 levels deep at byte 100 but found '('");
    text[0] = '\0';
    for (int i = 0; i < 5000; i++) {
        memcpy(text + (size_t)i * 4, "not ", 5);
    }
    refuse(state, text, STOA_INVALID, 400,
           "expected a predicate nested at most 100 levels deep at byte 400 but found 'not'");
    /* A long chain is wide, not deep. */
    size_t length = 0;
    for (int i = 0; i < 5000; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%si = %d",
                                   i == 0 ? "" : " or ", i);
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_arena_init(&arena, *state);
    const stoa_schema *schema = world_schema(*state, SCHEMA);
    const stoa_predicate *predicate = NULL;
    ok(stoa_predicate_parse(&arena, schema, text, &predicate, &err));
    assert_int_equal(predicate->child_count, 5000);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
}

/* -- may match -------------------------------------------------------------------------------- */

struct known {
    const char *column;
    const char *lower; /* NULL: unknown */
    const char *upper;
    int64_t rows;
    int64_t nulls;
    bool nan;
};

static bool may(void **state, const struct known *known, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_arena_init(&arena, *state);
    const stoa_schema *schema = world_schema(*state, SCHEMA);
    const stoa_predicate *predicate = NULL;
    ok(stoa_predicate_parse(&arena, schema, text, &predicate, &err));
    const stoa_field *field = stoa_schema_column(schema, known->column);
    stoa_value lower;
    stoa_value upper;
    stoa_field_summary summary = {.field_id = field->id,
                                  .value_count = known->rows,
                                  .null_count = known->nulls,
                                  .may_have_nan = known->nan};
    if (known->lower != NULL) {
        ok(stoa_value_parse(&arena, &field->type, known->lower, strlen(known->lower), &lower,
                            &err));
        summary.lower = &lower;
    }
    if (known->upper != NULL) {
        ok(stoa_value_parse(&arena, &field->type, known->upper, strlen(known->upper), &upper,
                            &err));
        summary.upper = &upper;
    }
    bool answer = stoa_predicate_may_match(predicate, schema, &summary, 1);
    stoa_arena_release(&arena);
    stoa_schema_close(schema);
    return answer;
}

static void bounds_prove_no_and_nothing_else(void **state) {
    const struct known i = {"i", "10", "20", 100, 0, false};
    assert_true(may(state, &i, "i = 10") && may(state, &i, "i = 20"));
    assert_false(may(state, &i, "i = 9") || may(state, &i, "i = 21"));
    assert_false(may(state, &i, "i < 10") || may(state, &i, "i > 20"));
    assert_true(may(state, &i, "i <= 10") && may(state, &i, "i >= 20"));
    assert_false(may(state, &i, "not i >= 10") || may(state, &i, "not i < 21"));
    assert_false(may(state, &i, "i in (1, 2, 30)") || may(state, &i, "i is null"));
    assert_true(may(state, &i, "i in (1, 15)") && may(state, &i, "i not in (1, 15)"));
    assert_false(may(state, &i, "i = 2.5") || may(state, &i, "i not in (15, null)"));
    assert_false(may(state, &i, "i = 15 and i = 30") || may(state, &i, "i = 1 or i = 30"));
    assert_true(may(state, &i, "l = 5") && may(state, &i, "i = 1 or l = 5"));
    assert_false(may(state, &i, "i = 1 and l = 5"));
    const struct known one = {"i", "7", "7", 100, -1, false};
    assert_false(may(state, &one, "i <> 7") || may(state, &one, "not i = 7"));
    assert_false(may(state, &one, "i not in (7, 8)"));
    assert_true(may(state, &one, "i is null"));
    const struct known half = {"i", NULL, "7", 100, 3, false};
    assert_true(may(state, &half, "i < -100") && may(state, &half, "i is null"));
    assert_false(may(state, &half, "i > 7"));
}

static void parts_of_nulls_match_only_is_null(void **state) {
    const struct known nulls = {"i", NULL, NULL, 10, 10, false};
    assert_true(may(state, &nulls, "i is null"));
    assert_false(may(state, &nulls, "i = 1") || may(state, &nulls, "not i = 1") ||
                 may(state, &nulls, "i is not null") || may(state, &nulls, "i <> 2.5"));
    const struct known unknown = {"i", NULL, NULL, -1, -1, false};
    assert_true(may(state, &unknown, "i = 1") && may(state, &unknown, "i is not null"));
    const struct known empty = {"i", NULL, NULL, 0, 0, false};
    assert_false(may(state, &empty, "i is null") || may(state, &empty, "i = 1"));
}

static void nan_lies_above_every_bound(void **state) {
    const struct known clean = {"d", "1", "2", 10, 0, false};
    const struct known dirty = {"d", "1", "2", 10, 0, true};
    assert_false(may(state, &clean, "d > 2") || may(state, &clean, "d = 'nan'::double"));
    assert_true(may(state, &dirty, "d > 2") && may(state, &dirty, "d = 'nan'::double"));
    assert_true(may(state, &dirty, "not d <= 2") && may(state, &clean, "d < 'nan'::double"));
    assert_false(may(state, &dirty, "d < 1") || may(state, &dirty, "d > 'nan'::double"));
    const struct known same = {"d", "-0.0", "0.0", 10, 0, false};
    assert_false(may(state, &same, "d <> 0"));
    const struct known same_dirty = {"d", "-0.0", "0.0", 10, 0, true};
    assert_true(may(state, &same_dirty, "d <> 0"));
}

static void prefixes_use_cut_bounds(void **state) {
    const struct known cut = {"x", "app", "aq", 10, 0, false};
    assert_true(may(state, &cut, "x like 'apple%'") && may(state, &cut, "x like 'a%'"));
    assert_true(may(state, &cut, "x = 'apple'") && may(state, &cut, "x not like 'ap%'"));
    assert_false(may(state, &cut, "x like 'b%'") || may(state, &cut, "x like 'ao%'"));
    assert_false(may(state, &cut, "x not like 'a%'"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(constants_between_two_steps_are_decided),
        WORLD_TEST(constants_out_of_range_are_decided),
        WORLD_TEST(every_type_has_its_constants),
        WORLD_TEST(forms_of_sql_are_read),
        WORLD_TEST(failures_name_the_byte),
        WORLD_TEST(nesting_is_bounded),
        WORLD_TEST(bounds_prove_no_and_nothing_else),
        WORLD_TEST(parts_of_nulls_match_only_is_null),
        WORLD_TEST(nan_lies_above_every_bound),
        WORLD_TEST(prefixes_use_cut_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
