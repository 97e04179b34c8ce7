/* What merge operators do at the edges: sums of the widest decimals, programs, NaN, failing memory. */
#include <stdio.h>

#include "lsm/cell.h"
#include "merge_table.h"

/* Appends one value to column 1 of a table of a key and one column. */
typedef void (*append_function)(stoa_builder *column, const void *values, int64_t index);

static void make_rows(const struct merge_table *table, append_function append, const void *values,
                      int64_t count, struct ArrowArray *out) {
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_builder_create(table->pool, &table->arrow, &builder, &err), err);
    for (int64_t i = 0; i < count; i++) {
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), 7, &err), err);
        append(stoa_builder_child(builder, 1), values, i);
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static void append_long(stoa_builder *column, const void *values, int64_t index) {
    stoa_error err;
    assert_ok(stoa_builder_append_i64(column, ((const int64_t *)values)[index], &err), err);
}

static void append_double(stoa_builder *column, const void *values, int64_t index) {
    stoa_error err;
    assert_ok(stoa_builder_append_f64(column, ((const double *)values)[index], &err), err);
}

static void append_decimal(stoa_builder *column, const void *values, int64_t index) {
    stoa_error err;
    assert_ok(stoa_builder_append_i128(column, ((const __int128 *)values)[index], &err), err);
}

/* NULL is a null. */
static void append_text(stoa_builder *column, const void *values, int64_t index) {
    const char *text = ((const char *const *)values)[index];
    stoa_error err;
    assert_ok(text == NULL ? stoa_builder_append_null(column, &err)
                           : stoa_builder_append_bytes(column, text, strlen(text), &err),
              err);
}

static stoa_status fold_all(const struct merge_table *table, stoa_merge_programs *programs,
                            const struct ArrowArray *rows, bool has_base, struct ArrowArray *out,
                            stoa_error *err) {
    const int64_t groups[2] = {0, rows->length};
    const uint8_t base = has_base;
    return stoa_merge_fold(&table->definition, programs, table->pool, rows, groups, &base, 1, out,
                           err);
}

static void test_a_decimal_sum_of_38_digits_may_pass_its_bounds_on_the_way(void **state) {
    static const stoa_merge_operator operators[] = {STOA_MERGE_LAST, STOA_MERGE_ADD};
    stoa_pool *pool = support_pool_open();
    struct merge_table table;
    struct ArrowArray rows, out;
    stoa_error err;
    __int128 most = 1;
    (void)state;
    for (int i = 0; i < 38; i++) {
        most *= 10;
    }
    most -= 1;
    const __int128 fits[] = {most, most, most, -most, -most, 5 - most};
    const __int128 over[] = {most, most, -most, 1};
    const __int128 under[] = {-most, -most, -most, -most};
    merge_table_open(pool, "key long not null, a decimal(38, 2)", operators, &table);
    make_rows(&table, append_decimal, fits, 6, &rows);
    assert_ok(fold_all(&table, NULL, &rows, true, &out, &err), err);
    stoa_value sum;
    stoa_value_from_array(&table.schema->root.children[1].type, out.children[1], 0, &sum);
    assert_true(sum.decimal == 5);
    stoa_arrow_array_release(&out);
    stoa_arrow_array_release(&rows);
    make_rows(&table, append_decimal, over, 4, &rows);
    assert_fails(fold_all(&table, NULL, &rows, true, &out, &err), STOA_INVALID,
                 "column 'a': the sum of 4 values does not fit decimal(38, 2)", err);
    stoa_arrow_array_release(&rows);
    make_rows(&table, append_decimal, under, 4, &rows);
    assert_fails(fold_all(&table, NULL, &rows, true, &out, &err), STOA_INVALID, "does not fit",
                 err);
    stoa_arrow_array_release(&rows);
    merge_table_close(&table);
    support_pool_close(pool);
}

/* What a compaction leaves alone because it does not fit, a read with the base may still fold. */
static void test_operands_may_fit_only_with_their_base(void **state) {
    static const stoa_merge_operator operators[] = {STOA_MERGE_LAST, STOA_MERGE_ADD};
    static const int64_t values[] = {-5, INT64_MAX, 3};
    stoa_pool *pool = support_pool_open();
    struct merge_table table;
    struct ArrowArray rows, out;
    stoa_error err;
    (void)state;
    merge_table_open(pool, "key long not null, a long", operators, &table);
    make_rows(&table, append_long, values + 1, 2, &rows);
    assert_fails(fold_all(&table, NULL, &rows, false, &out, &err), STOA_INVALID, "column 'a'", err);
    stoa_arrow_array_release(&rows);
    make_rows(&table, append_long, values, 3, &rows);
    assert_ok(fold_all(&table, NULL, &rows, true, &out, &err), err);
    assert_true(((const int64_t *)out.children[1]->buffers[1])[0] == INT64_MAX - 2);
    stoa_arrow_array_release(&out);
    stoa_arrow_array_release(&rows);
    merge_table_close(&table);
    support_pool_close(pool);
}

static double fold_doubles(stoa_pool *pool, stoa_merge_operator merge, const double *values,
                           int64_t count) {
    const stoa_merge_operator operators[] = {STOA_MERGE_LAST, merge};
    struct merge_table table;
    struct ArrowArray rows, out;
    stoa_error err;
    merge_table_open(pool, "key long not null, a double", operators, &table);
    make_rows(&table, append_double, values, count, &rows);
    assert_ok(fold_all(&table, NULL, &rows, true, &out, &err), err);
    const double result = ((const double *)out.children[1]->buffers[1])[0];
    stoa_arrow_array_release(&out);
    stoa_arrow_array_release(&rows);
    merge_table_close(&table);
    return result;
}

static void test_floats_follow_ieee_and_nan_is_above_all(void **state) {
    const double mixed[] = {3.5, (double)NAN, (double)INFINITY, -2.0};
    const double nans[] = {(double)NAN, (double)NAN};
    const double zeros[] = {0.0, -0.0};
    const double negative[] = {-0.0, -0.0};
    stoa_pool *pool = support_pool_open();
    (void)state;
    assert_true(isnan(fold_doubles(pool, STOA_MERGE_MAX, mixed, 4)));
    assert_true(fold_doubles(pool, STOA_MERGE_MIN, mixed, 4) == -2.0);
    assert_true(isnan(fold_doubles(pool, STOA_MERGE_MIN, nans, 2)));
    assert_true(isnan(fold_doubles(pool, STOA_MERGE_ADD, mixed, 4)));
    assert_true(isinf(fold_doubles(pool, STOA_MERGE_ADD, mixed + 2, 2)));
    assert_false(signbit(fold_doubles(pool, STOA_MERGE_MIN, zeros, 2)));
    assert_false(signbit(fold_doubles(pool, STOA_MERGE_ADD, zeros, 2)));
    assert_true(signbit(fold_doubles(pool, STOA_MERGE_ADD, negative, 2)));
    support_pool_close(pool);
}

/* ---- Programs --------------------------------------------------------------------------------- */

/* What a call was given, and answers in `buffer`: the operands joined by commas. */
struct joining {
    int64_t calls;
    bool had_base;
    char buffer[256];
    const char *answer; /* instead */
    bool answer_null;
};

static void join(void *user, const stoa_cell *operands, int64_t count, stoa_cell *out) {
    struct joining *joining = user;
    size_t size = 0;
    joining->calls++;
    joining->had_base = !operands[0].is_null;
    for (int64_t i = 0; i < count; i++) {
        if (operands[i].is_null) {
            continue;
        }
        if (size > 0) {
            joining->buffer[size++] = ',';
        }
        memcpy(joining->buffer + size, operands[i].bytes, operands[i].size);
        size += operands[i].size;
    }
    *out = joining->answer != NULL
               ? (stoa_cell){.bytes = joining->answer, .size = strlen(joining->answer)}
               : (stoa_cell){.bytes = joining->buffer, .size = size};
    out->is_null = joining->answer_null;
}

struct program_world {
    stoa_pool *pool;
    struct merge_table table;
    stoa_merge_programs *programs;
    struct joining joining;
};

static void program_open(struct program_world *world) {
    static const stoa_merge_operator operators[] = {STOA_MERGE_LAST, STOA_MERGE_PROGRAM};
    stoa_error err;
    *world = (struct program_world){.pool = support_pool_open()};
    merge_table_open(world->pool, "key long not null, a string not null", operators, &world->table);
    assert_ok(stoa_merge_programs_create(world->pool, &world->programs, &err), err);
}

static void program_close(struct program_world *world) {
    stoa_merge_programs_close(world->programs);
    merge_table_close(&world->table);
    support_pool_close(world->pool);
}

static stoa_status program_fold(struct program_world *world, const char *const *texts,
                                int64_t count, bool has_base, char out[256], stoa_error *err) {
    struct ArrowArray rows, folded;
    stoa_value value;
    make_rows(&world->table, append_text, texts, count, &rows);
    const stoa_status status = fold_all(&world->table, world->programs, &rows, has_base, &folded,
                                        err);
    if (status == STOA_OK) {
        stoa_value_from_array(&world->table.schema->root.children[1].type, folded.children[1], 0,
                              &value);
        snprintf(out, 256, "%.*s", (int)value.size, (const char *)value.bytes);
        stoa_arrow_array_release(&folded);
    }
    stoa_arrow_array_release(&rows);
    return status;
}

/* Replaced before it is used. */
static void never_called(void *user, const stoa_cell *operands, int64_t count, stoa_cell *out) {
    (void)user;
    (void)operands;
    (void)count;
    (void)out;
    fail_msg("a function that was replaced is called");
}

static void test_a_program_is_given_the_base_and_operands_that_are_not_null(void **state) {
    static const char *const texts[] = {"base", NULL, "one", NULL, "two"};
    struct program_world world;
    char out[256];
    stoa_error err;
    (void)state;
    program_open(&world);
    assert_fails(program_fold(&world, texts, 5, true, out, &err), STOA_UNSUPPORTED,
                 "column 'a': no merge function is registered as 'test'", err);
    assert_ok(stoa_merge_programs_set(world.programs, "test", never_called, NULL, &err), err);
    assert_ok(stoa_merge_programs_set(world.programs, "test", join, &world.joining, &err), err);
    assert_ok(program_fold(&world, texts, 5, true, out, &err), err);
    assert_string_equal(out, "base,one,two");
    assert_true(world.joining.had_base);
    assert_ok(program_fold(&world, texts, 5, false, out, &err), err);
    assert_string_equal(out, "base,one,two");
    assert_false(world.joining.had_base);
    assert_int_equal(world.joining.calls, 2);
    assert_ok(program_fold(&world, texts + 1, 2, true, out, &err), err);
    assert_string_equal(out, "one"); /* a lone value */
    assert_int_equal(world.joining.calls, 2);
    program_close(&world);
}

static void test_a_programs_result_is_checked(void **state) {
    static const char *const texts[] = {"base", "one"};
    struct program_world world;
    char out[256];
    stoa_error err;
    (void)state;
    program_open(&world);
    assert_ok(stoa_merge_programs_set(world.programs, "test", join, &world.joining, &err), err);
    world.joining.answer = "\xC3";
    assert_fails(program_fold(&world, texts, 2, true, out, &err), STOA_INVALID,
                 "column 'a': the result of merge function 'test': expected UTF-8", err);
    assert_int_equal(err.row, 0);
    world.joining.answer_null = true;
    assert_fails(program_fold(&world, texts, 2, true, out, &err), STOA_INVALID,
                 "expected string but found null", err);
    program_close(&world);
}

static void test_cells_are_checked_by_their_type(void **state) {
    static const uint8_t bytes[17] = {0};
    static const uint8_t many[16] = {[15] = 0x70};
    static const struct {
        const char *type;
        stoa_cell cell;
        const char *message; /* NULL: fine */
    } cases[] = {
        {"int8", {.i = 127}, NULL},
        {"int8", {.i = 128}, "expected int8 but found 128"},
        {"int8", {.i = -129}, "expected int8 but found -129"},
        {"uint8", {.i = -1}, "expected uint8 but found -1"},
        {"uint64", {.i = -1}, NULL},
        {"long", {.i = INT64_MIN}, NULL},
        {"boolean", {.i = 2}, "expected boolean but found 2"},
        {"date", {.i = INT64_C(1) << 31}, "expected date"},
        {"time", {.i = INT64_C(86400000000)}, "expected time"},
        {"decimal(38, 0)", {.bytes = bytes, .size = 16}, NULL},
        {"decimal(38, 0)", {.bytes = many, .size = 16}, "found more digits"},
        {"decimal(38, 0)",
         {.bytes = bytes, .size = 8},
         "expected the 16 bytes of a decimal(38, 0)"},
        {"uuid", {.bytes = bytes, .size = 17}, "expected the 16 bytes of a uuid but found 17"},
        {"fixed(3)", {.bytes = bytes, .size = 3}, NULL},
        {"string", {.bytes = "caf\xE9", .size = 4}, "expected UTF-8 but found another byte at 3"},
        {"binary", {.bytes = "caf\xE9", .size = 4}, NULL},
        {"string", {.bytes = NULL, .size = 0}, NULL},
        {"int", {.is_null = true}, NULL},
        {"int not null", {.is_null = true}, "expected int but found null"},
    };
    stoa_pool *pool = support_pool_open();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        const stoa_schema *schema;
        stoa_error err;
        snprintf(text, sizeof text, "a %s", cases[i].type);
        assert_ok(stoa_schema_parse(pool, text, &schema, &err), err);
        const stoa_status status = stoa_cell_check(&schema->root.children[0], &cases[i].cell, &err);
        if (cases[i].message == NULL) {
            assert_ok(status, err);
        } else {
            assert_fails(status, STOA_INVALID, cases[i].message, err);
        }
        stoa_schema_close(schema);
    }
    support_pool_close(pool);
}

/* ---- Memory ----------------------------------------------------------------------------------- */

static const char FAULT_SCHEMA[] =
    "key long not null, a string, b list<string>, c list<long>, d long, e string, f decimal(30, 2)";

/* `user`: the rows, and the definition. */
static stoa_status fold_in_world(support_world *world, void *user, stoa_error *err) {
    const struct ArrowArray *rows = ((const struct ArrowArray *const *)user)[0];
    const stoa_definition *definition = ((const stoa_definition *const *)user)[1];
    static const int64_t groups[] = {0, 2, 5};
    static const uint8_t has_base[] = {1, 0};
    struct joining joining = {0};
    stoa_merge_programs *programs = NULL;
    struct ArrowArray out;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_merge_programs_create(world->pool, &programs, err));
    STOA_CHECK(stoa_merge_programs_set(programs, "test", join, &joining, err));
    STOA_CHECK(
        stoa_merge_fold(definition, programs, world->pool, rows, groups, has_base, 2, &out, err));
    stoa_arrow_array_release(&out);

done:
    stoa_merge_programs_close(programs);
    return status;
}

static void test_failing_allocations_are_told(void **state) {
    static const stoa_merge_operator operators[] = {STOA_MERGE_LAST,   STOA_MERGE_APPEND,
                                                    STOA_MERGE_APPEND, STOA_MERGE_UNION,
                                                    STOA_MERGE_ADD,    STOA_MERGE_PROGRAM,
                                                    STOA_MERGE_MIN};
    stoa_pool *pool = support_pool_open();
    struct merge_table table;
    struct ArrowArray rows;
    stoa_builder *builder;
    stoa_error err;
    (void)state;
    merge_table_open(pool, FAULT_SCHEMA, operators, &table);
    assert_ok(stoa_builder_create(pool, &table.arrow, &builder, &err), err);
    for (int row = 0; row < 5; row++) {
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), row, &err), err);
        append_text(stoa_builder_child(builder, 1), (const char *[]){row == 3 ? NULL : "ab"}, 0);
        append_text(stoa_builder_child(stoa_builder_child(builder, 2), 0), (const char *[]){"x"},
                    0);
        assert_ok(stoa_builder_finish_value(stoa_builder_child(builder, 2), &err), err);
        append_long(stoa_builder_child(stoa_builder_child(builder, 3), 0), (int64_t[]){row % 2}, 0);
        assert_ok(stoa_builder_finish_value(stoa_builder_child(builder, 3), &err), err);
        append_long(stoa_builder_child(builder, 4), (int64_t[]){row}, 0);
        append_text(stoa_builder_child(builder, 5), (const char *[]){"y"}, 0);
        append_decimal(stoa_builder_child(builder, 6), (__int128[]){row}, 0);
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, &rows, &err), err);
    stoa_builder_close(builder);
    const void *user[] = {&rows, &table.definition};
    assert_true(support_fail_each_allocation(NULL, fold_in_world, NULL, user) > 20);
    stoa_arrow_array_release(&rows);
    merge_table_close(&table);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_decimal_sum_of_38_digits_may_pass_its_bounds_on_the_way),
        cmocka_unit_test(test_operands_may_fit_only_with_their_base),
        cmocka_unit_test(test_floats_follow_ieee_and_nan_is_above_all),
        cmocka_unit_test(test_a_program_is_given_the_base_and_operands_that_are_not_null),
        cmocka_unit_test(test_a_programs_result_is_checked),
        cmocka_unit_test(test_cells_are_checked_by_their_type),
        cmocka_unit_test(test_failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
