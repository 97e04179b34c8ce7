/* Partitions: Iceberg's transforms and hashes on known values, texts of specs, names of folders. */
#include "world.h"

#include <math.h>

#include "base/hash.h"
#include "schema/hive_path.h"
#include "schema/partition.h"

static stoa_value of_text(stoa_arena *arena, stoa_type type, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_value value;
    ok(stoa_value_parse(arena, &type, text, strlen(text), &value, &err));
    return value;
}

/* The table of "Appendix B: 32-bit Hash Requirements". */
static void buckets_hash_as_iceberg_says(void **state) {
    static const struct {
        stoa_type type;
        const char *text;
        int32_t hash;
    } KNOWN[] = {
        {{.kind = STOA_TYPE_INT}, "34", 2017239379},
        {{.kind = STOA_TYPE_LONG}, "34", 2017239379},
        {{.kind = STOA_TYPE_DECIMAL, .precision = 9, .scale = 2}, "14.20", -500754589},
        {{.kind = STOA_TYPE_DATE}, "2017-11-16", -653330422},
        {{.kind = STOA_TYPE_TIME, .unit = STOA_TYPE_MICROSECONDS}, "22:31:08", -662762989},
        {{.kind = STOA_TYPE_TIME, .unit = STOA_TYPE_MILLISECONDS}, "22:31:08", -662762989},
        {{.kind = STOA_TYPE_TIMESTAMP, .unit = STOA_TYPE_MICROSECONDS},
         "2017-11-16 22:31:08",
         -2047944441},
        {{.kind = STOA_TYPE_TIMESTAMP, .unit = STOA_TYPE_MICROSECONDS},
         "2017-11-16 22:31:08.000001",
         -1207196810},
        {{.kind = STOA_TYPE_TIMESTAMP, .unit = STOA_TYPE_NANOSECONDS},
         "2017-11-16 22:31:08.000001001",
         -1207196810},
        {{.kind = STOA_TYPE_TIMESTAMP_TZ, .unit = STOA_TYPE_SECONDS},
         "2017-11-16 14:31:08-08:00",
         -2047944441},
        {{.kind = STOA_TYPE_STRING}, "iceberg", 1210000089},
        {{.kind = STOA_TYPE_UUID}, "f79c3e09-677c-4bbd-a479-3f349cb785e7", 1488055340},
        {{.kind = STOA_TYPE_BINARY}, "\\x00\\x01\\x02\\x03", -188683207},
        {{.kind = STOA_TYPE_FIXED, .length = 4}, "\\x00\\x01\\x02\\x03", -188683207},
    };
    stoa_arena arena;
    stoa_arena_init(&arena, *state);
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        const stoa_value value = of_text(&arena, KNOWN[i].type, KNOWN[i].text);
        if (stoa_bucket_hash(&value) != KNOWN[i].hash) {
            fail_msg("'%s': expected %d but found %d", KNOWN[i].text, KNOWN[i].hash,
                     stoa_bucket_hash(&value));
        }
    }
    stoa_arena_release(&arena);
}

static const char COLUMNS[] =
    "id long, n int8, big ubigint, price decimal(9, 2), status string, day date, ts timestamp, "
    "at timestamptz_ns, ratio double, ok boolean, key uuid, raw binary, \"odd name\" string, "
    "list list<int>";

static stoa_partition_spec *parse(stoa_pool *pool, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = world_schema(pool, COLUMNS);
    stoa_partition_spec *spec = NULL;
    ok(stoa_partition_spec_parse(pool, schema, text, &spec, &err));
    stoa_schema_close(schema);
    return spec;
}

/* One value through one field, as the folder's name. */
static void check_folder(stoa_pool *pool, const char *field, const char *text,
                         const char *expected) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_buffer path;
    stoa_value result;
    const char *view = NULL;
    stoa_arena_init(&arena, pool);
    stoa_buffer_init(&path, pool);
    stoa_partition_spec *spec = parse(pool, field);
    stoa_value source = text == NULL
                            ? (stoa_value){.type = spec->fields[0].source, .is_null = true}
                            : of_text(&arena, spec->fields[0].source, text);
    stoa_partition_transform(&spec->fields[0], &source, &result);
    ok(stoa_partition_path_print(spec, &result, &path, &err));
    ok(stoa_buffer_text(&path, &view, &err));
    assert_string_equal(view, expected);
    stoa_partition_spec_close(spec);
    stoa_buffer_release(&path);
    stoa_arena_release(&arena);
}

static void transforms_name_their_folders(void **state) {
    static const char *const KNOWN[][3] = {
        {"year(day)", "2017-11-16", "day_year=2017"},
        {"year(ts)", "1969-12-31 23:59:59", "ts_year=1969"},
        {"month(ts)", "2017-11-16 22:31:08", "ts_month=2017-11"},
        {"month(day)", "1969-12-31", "day_month=1969-12"},
        {"months(day)", "1968-01-31", "day_month=1968-01"},
        {"day(at)", "1969-12-31 23:59:59.999999999Z", "at_day=1969-12-31"},
        {"day(day)", "2017-11-16", "day_day=2017-11-16"},
        {"hour(ts)", "2017-11-16 22:31:08", "ts_hour=2017-11-16-22"},
        {"hour(ts)", "1969-12-31 23:59:59.999999", "ts_hour=1969-12-31-23"},
        {"bucket(16, id)", "34", "id_bucket=3"},
        {"bucket(id, 16)", "34", "id_bucket=3"},
        {"truncate(10, id)", "1", "id_trunc=0"},
        {"truncate(10, id)", "-1", "id_trunc=-10"},
        {"truncate(50, price)", "10.65", "price_trunc=10.50"},
        {"truncate(100, n)", "-128", "n_trunc=-128"},
        {"truncate(3, status)", "iceberg", "status_trunc=ice"},
        {"truncate(2, status)", "\xC3\xBCn\xC3\xAF", "status_trunc=\xC3\xBCn"},
        {"truncate(9, status)", "ice", "status_trunc=ice"},
        {"status", NULL, "status=__HIVE_DEFAULT_PARTITION__"},
        {"month(ts)", NULL, "ts_month=__HIVE_DEFAULT_PARTITION__"},
        {"status", "", "status=__HIVE_DEFAULT_PARTITION__"},
        {"status", "a/b=c%d e", "status=a%2Fb%3Dc%25d e"},
        {"status", "..", "status=.."},
        {"\"odd name\"", "x", "odd name=x"},
        {"big", "18446744073709551615", "big=18446744073709551615"},
        {"price", "-0.05", "price=-0.05"},
        {"day", "2024-02-29", "day=2024-02-29"},
        {"ts", "2024-01-01 10:00:00", "ts=2024-01-01 10%3A00%3A00"},
        {"ts", "2024-01-01 10:00:00.500000", "ts=2024-01-01 10%3A00%3A00.5"},
        {"at", "2024-01-01 10:00:00.123456789+02:00", "at=2024-01-01 08%3A00%3A00.123456789"},
        {"ok", "true", "ok=true"},
        {"key", "F79C3E09-677C-4BBD-A479-3F349CB785E7", "key=f79c3e09-677c-4bbd-a479-3f349cb785e7"},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        check_folder(*state, KNOWN[i][0], KNOWN[i][1], KNOWN[i][2]);
    }
}

/* What Java's Double.toString gives. */
static void floats_are_written_as_java_does(void **state) {
    static const struct {
        double value;
        bool single;
        const char *text;
    } KNOWN[] = {
        {1.5, false, "1.5"},
        {100, false, "100.0"},
        {0.001, false, "0.001"},
        {0.00099, false, "9.9E-4"},
        {-0.0, false, "-0.0"},
        {9999999, false, "9999999.0"},
        {10000000, false, "1.0E7"},
        {12345678.9, false, "1.23456789E7"},
        {1e100, false, "1.0E100"},
        {1.2345e-200, false, "1.2345E-200"},
        {(double)0.1F, true, "0.1"},
        {(double)3e38F, true, "3.0E38"},
        {INFINITY, false, "Infinity"},
        {-INFINITY, true, "-Infinity"},
        {NAN, false, "NaN"},
    };
    stoa_error err = STOA_ERROR_NONE;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        stoa_buffer text;
        const char *view = NULL;
        stoa_buffer_init(&text, *state);
        stoa_value value = {.type = {.kind = KNOWN[i].single ? STOA_TYPE_FLOAT : STOA_TYPE_DOUBLE},
                            .f = KNOWN[i].value};
        ok(stoa_hive_value_print(&value, &text, &err));
        ok(stoa_buffer_text(&text, &view, &err));
        assert_string_equal(view, KNOWN[i].text);
        stoa_buffer_release(&text);
    }
}

static void any_bytes_survive_a_folders_name(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    char bytes[256];
    stoa_buffer name, back;
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
    }
    stoa_buffer_init(&name, *state);
    stoa_buffer_init(&back, *state);
    ok(stoa_hive_escape(bytes, sizeof bytes, &name, &err));
    assert_null(memchr(name.data, '/', name.size));
    assert_null(memchr(name.data, '=', name.size));
    assert_null(memchr(name.data, '\0', name.size));
    ok(stoa_hive_unescape((const char *)name.data, name.size, &back, &err));
    assert_int_equal(back.size, sizeof bytes);
    assert_memory_equal(back.data, bytes, sizeof bytes);
    stoa_buffer_clear(&back);
    ok(stoa_hive_unescape("100%, %2, %zz%2f%", 17, &back, &err));
    assert_int_equal(back.size, 15);
    assert_memory_equal(back.data, "100%, %2, %zz/%", 15);
    stoa_buffer_release(&name);
    stoa_buffer_release(&back);
}

static void specs_come_back_from_text_and_json(void **state) {
    static const char TEXT[] = "status, month(ts), bucket(16, id), truncate(4, \"odd name\")";
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = world_schema(*state, COLUMNS);
    stoa_partition_spec *spec = parse(*state, TEXT), *again = NULL;
    stoa_buffer text;
    const char *view = NULL;
    stoa_buffer_init(&text, *state);
    ok(stoa_partition_spec_print(spec, schema, &text, &err));
    ok(stoa_buffer_text(&text, &view, &err));
    assert_string_equal(view, TEXT);
    stoa_buffer_clear(&text);
    ok(stoa_schema_to_json(schema, &text, &err));
    ok(stoa_partition_spec_from_json(*state, schema, (const char *)text.data, text.size, &again,
                                     &err));
    assert_null(again);
    ok(stoa_partition_spec_to_json(spec, &text, &err));
    ok(stoa_partition_spec_from_json(*state, schema, (const char *)text.data, text.size, &again,
                                     &err));
    assert_true(stoa_partition_spec_equal(spec, again));
    assert_false(stoa_partition_spec_equal(spec, NULL));
    assert_true(stoa_partition_spec_equal(NULL, NULL));
    stoa_partition_spec_close(again);
    stoa_partition_spec_close(spec);
    stoa_buffer_release(&text);
    stoa_schema_close(schema);
}

static void what_makes_no_partitions_is_refused(void **state) {
    static const struct {
        const char *columns;
        const char *text;
        stoa_status status;
        const char *message;
    } WRONG[] = {
        {COLUMNS, "nothing", STOA_INVALID, "there is no column 'nothing'"},
        {COLUMNS, "year(status)", STOA_INVALID,
         "column 'status': year does not go with type string"},
        {COLUMNS, "hour(day)", STOA_INVALID, "column 'day': hour does not go with type date"},
        {COLUMNS, "bucket(4, ratio)", STOA_INVALID,
         "column 'ratio': bucket does not go with type double"},
        {COLUMNS, "raw", STOA_UNSUPPORTED,
         "column 'raw': partitioning does not go with type binary"},
        {COLUMNS, "list", STOA_UNSUPPORTED,
         "column 'list': partitioning does not go with type list<int>"},
        {COLUMNS, "bucket(0, id)", STOA_INVALID,
         "bucket: expected a number of 1 to 1048576 but found 0"},
        {COLUMNS, "status, status", STOA_INVALID, "partition 'status' is named twice"},
        {COLUMNS, "bucket(2, id), bucket(4, id)", STOA_INVALID,
         "partition 'id_bucket' is named twice"},
        {COLUMNS, "status,", STOA_INVALID,
         "expected a column's name at byte 7 but the text ends"},
        {COLUMNS, "month(ts", STOA_INVALID, "expected ')' at byte 8 but the text ends"},
        {COLUMNS, "", STOA_INVALID, "expected a column's name at byte 0 but the text ends"},
        {"ts timestamp, ts_month int", "month(ts)", STOA_INVALID,
         "partition 'ts_month' would hide the column of this name"},
        {"a int, b int", "a, b", STOA_INVALID,
         "every column is a partition, which leaves none for the files"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_partition_spec *spec = NULL;
        const stoa_schema *schema = world_schema(*state, WRONG[i].columns);
        assert_int_equal(
            stoa_partition_spec_parse(*state, schema, WRONG[i].text, &spec, &err),
            WRONG[i].status);
        assert_string_equal(err.message, WRONG[i].message);
        assert_null(spec);
        stoa_schema_close(schema);
    }
}

static void a_folders_name_has_an_end(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    char long_text[250];
    stoa_buffer path;
    stoa_buffer_init(&path, *state);
    memset(long_text, 'x', sizeof long_text);
    stoa_partition_spec *spec = parse(*state, "status");
    stoa_value value = {.type = {.kind = STOA_TYPE_STRING},
                        .bytes = (const uint8_t *)long_text,
                        .size = 248};
    ok(stoa_partition_path_print(spec, &value, &path, &err));
    value.size = 249;
    assert_int_equal(stoa_partition_path_print(spec, &value, &path, &err), STOA_LIMIT);
    assert_non_null(strstr(err.message, "partition 'status'"));
    stoa_partition_spec_close(spec);
    stoa_buffer_release(&path);
}

static void buckets_rule_files_out(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    stoa_arena_init(&arena, *state);
    const stoa_schema *schema = world_schema(*state, COLUMNS);
    stoa_partition_spec *spec = parse(*state, "bucket(16, id)");
    static const struct {
        const char *where;
        bool may;
    } CASES[] = {
        {"id = 34", true},
        {"id = 35", false},
        {"id in (35, 34)", true},
        {"id in (35, 36) and status = 'x'", false},
        {"id = 35 or status = 'x'", true},
        {"id = 35 or id = 36", false},
        {"not id = 35", true},
        {"id > 35", true},
        {"id is null", true},
    };
    const stoa_value bucket = {.type = {.kind = STOA_TYPE_INT}, .i = 3};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const stoa_predicate *predicate = NULL;
        ok(stoa_predicate_parse(&arena, schema, CASES[i].where, &predicate, &err));
        if (stoa_partition_may_match(spec, &bucket, predicate) != CASES[i].may) {
            fail_msg("%s", CASES[i].where);
        }
    }
    stoa_partition_spec_close(spec);
    stoa_schema_close(schema);
    stoa_arena_release(&arena);
}

/* Many values at once are each what one value is alone, at the ends of the types too. */
static void numbers_are_transformed_as_values_are(void **state) {
    static const char *const SPECS[] = {"id", "truncate(7, id)", "truncate(1000, id)",
                                        "bucket(16, id)", "year(day)", "month(day)", "day(day)",
                                        "year(ts)", "month(ts)", "day(ts)", "hour(ts)",
                                        "hour(at)", "month(at)", "bucket(5, ts)"};
    static const int64_t EDGES[] = {INT64_MIN, INT64_MIN + 6, INT64_MAX, -1, 0, 1, -7, -8, 86399,
                                    86400, -86400, -86401};
    enum { COUNT = 300, EDGE_COUNT = sizeof EDGES / sizeof *EDGES };
    uint64_t seed = 20240229;
    const stoa_schema *schema = NULL;
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_schema_parse(*state, COLUMNS, &schema, &err));
    for (size_t s = 0; s < sizeof SPECS / sizeof SPECS[0]; s++) {
        stoa_partition_spec *spec = NULL;
        int64_t numbers[COUNT], expected[COUNT];
        ok(stoa_partition_spec_parse(*state, schema, SPECS[s], &spec, &err));
        const stoa_partition_field *field = &spec->fields[0];
        const bool is_date = field->source.kind == STOA_TYPE_DATE;
        for (int32_t i = 0; i < COUNT; i++) {
            const int64_t drawn = (int64_t)stoa_random_next(&seed) >> (seed % 60);
            numbers[i] = i < EDGE_COUNT ? EDGES[i] : i % 3 == 0 ? numbers[i - 1] : drawn;
            numbers[i] = is_date ? (int32_t)numbers[i] : numbers[i];
            const stoa_value value = {.type = field->source, .i = numbers[i]};
            stoa_value result;
            stoa_partition_transform(field, &value, &result);
            expected[i] = result.i;
        }
        stoa_partition_transform_numbers(field, numbers, COUNT);
        for (int32_t i = 0; i < COUNT; i++) {
            if (numbers[i] != expected[i]) {
                fail_msg("%s, value %d: expected %lld but found %lld", SPECS[s], i,
                         (long long)expected[i], (long long)numbers[i]);
            }
        }
        stoa_partition_spec_close(spec);
    }
    stoa_schema_close(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(buckets_hash_as_iceberg_says),
        WORLD_TEST(transforms_name_their_folders),
        WORLD_TEST(floats_are_written_as_java_does),
        WORLD_TEST(any_bytes_survive_a_folders_name),
        WORLD_TEST(specs_come_back_from_text_and_json),
        WORLD_TEST(what_makes_no_partitions_is_refused),
        WORLD_TEST(a_folders_name_has_an_end),
        WORLD_TEST(buckets_rule_files_out),
        WORLD_TEST(numbers_are_transformed_as_values_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
