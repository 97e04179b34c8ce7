/* Columns in the names of folders: what is found, of which type, and where they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <support.h>

#include "ingest/hive.h"

#define ok(expression) assert_ok(expression, err)

static int begin(void **state) {
    *state = support_pool_open();
    return 0;
}

static int end(void **state) {
    support_pool_close(*state);
    return 0;
}

/* "status:string day:date", as found in the paths. */
static void check_types(stoa_pool *pool, const char *const *paths, size_t count,
                        const char *expected) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_hive_columns columns;
    char text[256] = "";
    ok(stoa_hive_find(pool, paths, count, NULL, &columns, &err));
    for (int32_t i = 0; i < columns.count; i++) {
        char type[64];
        (void)stoa_type_print(&columns.types[i], type, sizeof type);
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%s:%s", i == 0 ? "" : " ",
                       columns.names[i], type);
    }
    assert_string_equal(text, expected);
    stoa_hive_release(&columns);
}

static void types_lose_nothing(void **state) {
    static const struct {
        const char *paths[3];
        const char *expected;
    } CASES[] = {
        {{"a/b.parquet", "/b=1", "c=d"}, ""},
        {{"k=1/x", "k=-20/x", "k=9223372036854775807/x"}, "k:long"},
        {{"k=1/x", "k=007/x", "k=2/x"}, "k:string"},
        {{"k=1/x", "k=9223372036854775808/x", "k=2/x"}, "k:string"},
        {{"k=-0/x", "k=1/x", "k=2/x"}, "k:string"},
        {{"k=2024-01-01/x", "k=__HIVE_DEFAULT_PARTITION__/x", "k=/x"}, "k:date"},
        {{"k=2024-01-01/x", "k=2024-1-2/x", "k=/x"}, "k:string"},
        {{"k=2024-01-01 10%3A00%3A00/x", "k=2024-01-01 10%3A00%3A00.5/x", "k=/x"}, "k:timestamp"},
        {{"k=__HIVE_DEFAULT_PARTITION__/x", "k=/x", "x"}, "k:string"},
        {{"/data/y=2024/m=01/x", "/data/y=2024/m=02/x", "/data/y=2025/x"}, "y:long m:string"},
        {{"a%20b=1/x", "=1/x", "a%20b=2/=/x"}, "a b:long"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        check_types(*state, CASES[i].paths, 3, CASES[i].expected);
    }
}

static void values_are_unescaped_and_nulls_are_nulls(void **state) {
    static const char *const PATHS[] = {"s=a%2Fb%25/x", "s=__HIVE_DEFAULT_PARTITION__/x", "s=x=y/x",
                                        "x"};
    static const char *const EXPECTED[] = {"a/b%", NULL, "x=y", NULL};
    stoa_error err = STOA_ERROR_NONE;
    stoa_hive_columns columns;
    ok(stoa_hive_find(*state, PATHS, 4, NULL, &columns, &err));
    assert_int_equal(columns.count, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(columns.values[i].is_null, EXPECTED[i] == NULL);
        if (EXPECTED[i] != NULL) {
            assert_int_equal(columns.values[i].size, strlen(EXPECTED[i]));
            assert_memory_equal(columns.values[i].bytes, EXPECTED[i], columns.values[i].size);
        }
    }
    stoa_hive_release(&columns);
}

static void a_known_column_has_its_type_and_place(void **state) {
    static const char *const PATHS[] = {"K=1.0E2/new=x/f", "K=NaN/new=x/f"};
    static const char *const WRONG[] = {"k=abc/f"};
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL, *all = NULL;
    const int32_t *ids = NULL;
    char text[256];
    stoa_hive_columns columns;
    ok(stoa_schema_parse(*state, "a int, k double not null, b list<int>", &schema, &err));
    ok(stoa_hive_find(*state, PATHS, 2, schema, &columns, &err));
    assert_true(columns.values[0].f == 100.0);
    ok(stoa_hive_add_columns(&columns, *state, schema, &all, &ids, &err));
    (void)stoa_schema_print(all, text, sizeof text);
    assert_string_equal(text, "a int, k double, b list<int>, new string");
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], schema->field_id_max + 1);
    stoa_schema_close(all);
    stoa_hive_release(&columns);
    assert_int_equal(stoa_hive_find(*state, WRONG, 1, schema, &columns, &err), STOA_INVALID);
    assert_string_equal(err.message,
                        "'k=abc/f': folder of column 'k': expected double but found 'abc'");
    stoa_hive_release(&columns);
    stoa_schema_close(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(types_lose_nothing, begin, end),
        cmocka_unit_test_setup_teardown(values_are_unescaped_and_nulls_are_nulls, begin, end),
        cmocka_unit_test_setup_teardown(a_known_column_has_its_type_and_place, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
