/* Cells from texts: every type that a cell may have, and what is none of them. */
#include <stoa/state.h>

#include <math.h>
#include <stdio.h>

#include "schema/schema.h"
#include "support.h"

static stoa_pool *pool;

/* Parses `text` as the only column of a schema "x TYPE". */
static stoa_status parse(const char *type, const char *text, stoa_text *storage, stoa_cell *out,
                         stoa_error *err) {
    char spec[64];
    const stoa_schema *schema = NULL;
    (void)snprintf(spec, sizeof spec, "x %s", type);
    STOA_TRY(stoa_schema_parse(pool, spec, &schema, err));
    stoa_status status = stoa_cell_parse(&schema->root.children[0].type, text, strlen(text),
                                         storage, out, err);
    stoa_schema_close(schema);
    return status;
}

static void test_numbers_and_times_are_steps_of_their_type(void **state) {
    (void)state;
    static const struct {
        const char *type, *text;
        int64_t expected;
    } cases[] = {
        {"boolean", "true", 1},
        {"int8", "-128", INT8_MIN},
        {"long", "-9223372036854775808", INT64_MIN},
        {"uint64", "18446744073709551615", -1},
        {"date", "1970-01-03", 2},
        {"time", "00:00:01.5", 1500000},
        {"timestamp", "1970-01-01 00:00:02", 2000000},
        {"timestamptz", "1970-01-01 01:00:00+01:00", 0},
        {"duration", "90 seconds", 90000000},
    };
    stoa_error err;
    stoa_text *storage = NULL;
    assert_ok(stoa_text_create(pool, &storage, &err), err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_cell cell;
        assert_ok(parse(cases[i].type, cases[i].text, storage, &cell, &err), err);
        assert_false(cell.is_null);
        assert_int_equal(cell.i, cases[i].expected);
    }
    stoa_text_close(storage);
}

static void test_floats_are_the_nearest(void **state) {
    (void)state;
    stoa_error err;
    stoa_cell cell;
    stoa_text *storage = NULL;
    assert_ok(stoa_text_create(pool, &storage, &err), err);
    assert_ok(parse("double", "0.1", storage, &cell, &err), err);
    assert_true(cell.f == 0.1);
    assert_ok(parse("float", "0.1", storage, &cell, &err), err);
    assert_true(cell.f == (double)0.1f);
    assert_ok(parse("double", "nan", storage, &cell, &err), err);
    assert_true(isnan(cell.f));
    stoa_text_close(storage);
}

static void test_bytes_lie_in_the_storage(void **state) {
    (void)state;
    static const uint8_t minus_1250[16] = {0x1e, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const struct {
        const char *type, *text;
        const void *expected;
        size_t size;
    } cases[] = {
        {"string", "na\xc3\xafve", "na\xc3\xafve", 6},
        {"string", "", "", 0},
        {"binary", "a\\x00\\xFF", "a\0\xff", 3},
        {"fixed[2]", "\\x01b",
         "\x01"
         "b",
         2},
        {"uuid", "00112233-4455-6677-8899-aabbccddeeff",
         "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16},
        {"decimal(10, 2)", "-12.50", minus_1250, 16},
    };
    stoa_error err;
    stoa_text *storage = NULL;
    assert_ok(stoa_text_create(pool, &storage, &err), err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_cell cell;
        assert_ok(parse(cases[i].type, cases[i].text, storage, &cell, &err), err);
        assert_int_equal(cell.size, cases[i].size);
        assert_memory_equal(cell.bytes, cases[i].expected, cases[i].size);
        assert_ptr_equal(cell.bytes, stoa_text_view(storage, NULL));
    }
    stoa_text_close(storage);
}

static void test_what_is_no_value_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *type, *text;
        stoa_status status;
    } cases[] = {
        {"int8", "128", STOA_INVALID},
        {"long", "1.5", STOA_INVALID},
        {"long", "", STOA_INVALID},
        {"decimal(4, 2)", "100.00", STOA_INVALID},
        {"date", "2023-02-29", STOA_INVALID},
        {"timestamp", "2024-01-01 00:00:00Z", STOA_INVALID},
        {"fixed[2]", "abc", STOA_INVALID},
        {"binary", "\\x0", STOA_INVALID},
        {"string", "\xff", STOA_INVALID},
        {"uuid", "0011", STOA_INVALID},
        {"list<long>", "[1]", STOA_UNSUPPORTED},
    };
    stoa_text *storage = NULL;
    stoa_error err;
    assert_ok(stoa_text_create(pool, &storage, &err), err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_cell cell = {.i = 5};
        err = (stoa_error)STOA_ERROR_NONE;
        assert_int_equal(parse(cases[i].type, cases[i].text, storage, &cell, &err),
                         cases[i].status);
        assert_true(cell.is_null);
        assert_string_not_equal(err.message, "");
    }
    stoa_text_close(storage);
}

static int setup(void **state) {
    (void)state;
    stoa_error err;
    return stoa_pool_create(0, NULL, &pool, &err) == STOA_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_and_times_are_steps_of_their_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_floats_are_the_nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_lie_in_the_storage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_value_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
