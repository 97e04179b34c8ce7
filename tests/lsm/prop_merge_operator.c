/* Merge operators of every type: the same as folding value by value, and the same in whatever parts the
 * operands of a group are folded. */
#include "rows.h"

#include "lsm/cell.h"
#include "merge_table.h"

enum { ROUNDS = 60, GROUPS = 40, GROUP_MAX = 7, ROWS_MAX = GROUPS * GROUP_MAX };

struct tested {
    const char *schema; /* without the key, which is "k long" */
    stoa_merge_operator merge;
};

#define PRIMITIVES                                                                                 \
    "a boolean, b int8, c int16, d int, e long, f uint8, g uint16, h uint32, i uint64, "           \
    "j float, k double, l decimal(8, 2), m decimal(17, 3), n decimal(37, 4), o date, p time_ms, "  \
    "q time_ns, r timestamp, s timestamptz_ns, t duration, u string, v binary, w fixed(5), x uuid"
static const struct tested TESTED[] = {
    {PRIMITIVES, STOA_MERGE_LAST},
    {"a int not null, b list<int>, c struct<x: int, y: list<string>>, d map<string, int>, "
     "e list<list<struct<x: int>>>, f interval, g string not null, h unknown",
     STOA_MERGE_LAST},
    {PRIMITIVES, STOA_MERGE_MIN},
    {PRIMITIVES, STOA_MERGE_MAX},
    {"a int8, b int16, c int, d long, e uint8, f uint16, g uint32, h uint64, i float, j double, "
     "l decimal(8, 2), m decimal(17, 3), n decimal(37, 4), o duration, p long not null, "
     "q double not null",
     STOA_MERGE_ADD},
    {"a string, b binary, c list<int>, d list<string>, e list<struct<x: int, y: string>>, "
     "f list<list<map<string, int>>>, g string not null, h list<int not null> not null",
     STOA_MERGE_APPEND},
    {"a list<boolean>, b list<int8>, c list<long>, d list<uint64>, e list<float>, f list<double>, "
     "g list<decimal(8, 2)>, h list<decimal(37, 4)>, i list<date>, j list<timestamp>, "
     "k list<string>, l list<binary>, m list<fixed(3)>, n list<uuid>, o list<string> not null",
     STOA_MERGE_UNION},
    {PRIMITIVES, STOA_MERGE_PROGRAM},
};
enum { TESTED_COUNT = sizeof TESTED / sizeof TESTED[0] };

/* A program's operator: the newest. */
static void newest(void *user, const stoa_cell *operands, int64_t count, stoa_cell *out) {
    (void)user;
    assert_true(count >= 2);
    for (int64_t i = 1; i < count; i++) {
        assert_false(operands[i].is_null);
    }
    *out = operands[count - 1];
}

/* Sums of these fit, and those of floats are exact, in any order. */
static void make_small(const stoa_type *type, struct ArrowArray *array) {
    for (int64_t at = 0; at < array->offset + array->length; at++) {
        void *data = (void *)(uintptr_t)array->buffers[1];
        switch (type->kind) {
        case STOA_TYPE_INT8: ((int8_t *)data)[at] %= 16; break;
        case STOA_TYPE_INT16: ((int16_t *)data)[at] %= 16; break;
        case STOA_TYPE_INT: ((int32_t *)data)[at] %= 16; break;
        case STOA_TYPE_UINT8: ((uint8_t *)data)[at] %= 16; break;
        case STOA_TYPE_UINT16: ((uint16_t *)data)[at] %= 16; break;
        case STOA_TYPE_UINT32: ((uint32_t *)data)[at] %= 16; break;
        case STOA_TYPE_UINT64: ((uint64_t *)data)[at] %= 16; break;
        case STOA_TYPE_FLOAT: {
            float *value = &((float *)data)[at];
            *value = isfinite(*value) ? (float)fmod((double)truncf(*value), 16.0) : *value;
            break;
        }
        case STOA_TYPE_DOUBLE: {
            double *value = &((double *)data)[at];
            *value = isfinite(*value) ? fmod(trunc(*value), 16.0) : *value;
            break;
        }
        case STOA_TYPE_DECIMAL: ((__int128 *)data)[at] %= 16; break;
        default: ((int64_t *)data)[at] %= 16; break;
        }
    }
}

/* The rows of one round, in groups. */
struct round {
    struct merge_table table;
    stoa_merge_programs *programs;
    struct ArrowArray rows;
    int64_t groups[GROUPS + 1];
    uint8_t has_base[GROUPS];
};

static void round_open(stoa_pool *pool, support_random *random, const struct tested *tested,
                       bool small, struct round *round) {
    char text[1024];
    stoa_merge_operator operators[MERGE_COLUMNS_MAX] = {STOA_MERGE_LAST};
    stoa_error err;
    for (int i = 1; i < MERGE_COLUMNS_MAX; i++) {
        operators[i] = tested->merge;
    }
    snprintf(text, sizeof text, "key long not null, %s", tested->schema);
    merge_table_open(pool, text, operators, &round->table);
    assert_ok(stoa_merge_programs_create(pool, &round->programs, &err), err);
    assert_ok(stoa_merge_programs_set(round->programs, "test", newest, NULL, &err), err);
    round->groups[0] = (int64_t)support_random_below(random, 3);
    for (int g = 0; g < GROUPS; g++) {
        round->groups[g + 1] = round->groups[g] + 1 +
                               (int64_t)support_random_below(random, GROUP_MAX);
        round->has_base[g] = (uint8_t)support_random_below(random, 2);
    }
    const struct rows_options options = {(int)support_random_below(random, 4) * 30,
                                         support_random_below(random, 3) * 5, 4, 12, false};
    rows_batch(support_random_u64(random), round->table.schema, &options, round->groups[GROUPS] + 2,
               &round->rows);
    for (int64_t i = 1; small && i < round->rows.n_children; i++) {
        make_small(&round->table.schema->root.children[i].type, round->rows.children[i]);
    }
}

static void round_close(struct round *round) {
    round->rows.release(&round->rows);
    stoa_merge_programs_close(round->programs);
    merge_table_close(&round->table);
}

static stoa_status fold(const struct round *round, const struct ArrowArray *rows,
                        const int64_t *groups, const uint8_t *has_base, int64_t count,
                        struct ArrowArray *out, stoa_error *err) {
    return stoa_merge_fold(&round->table.definition, round->programs, round->table.pool, rows,
                           groups, has_base, count, out, err);
}

static void assert_same(const struct round *round, const struct ArrowArray *expected,
                        const struct ArrowArray *found) {
    stoa_error err;
    assert_ok(stoa_arrow_validate(&round->table.arrow, found, STOA_ARROW_CHECK_FULL, &err), err);
    assert_ok(stoa_arrow_compare(&round->table.arrow, expected, &round->table.arrow, found, &err),
              err);
}

/* Folds every group in parts of random lengths, the base alone or with what follows it, and then what
 * came of the parts. */
static void fold_in_parts(const struct round *round, support_random *random,
                          struct ArrowArray *out) {
    int64_t parts[ROWS_MAX + 1], groups[GROUPS + 1];
    uint8_t has_base[ROWS_MAX] = {0};
    int64_t part = 0;
    struct ArrowArray folded;
    stoa_error err;
    parts[0] = round->groups[0];
    groups[0] = 0;
    for (int g = 0; g < GROUPS; g++) {
        int64_t row = round->groups[g];
        has_base[part] = round->has_base[g];
        while (row < round->groups[g + 1]) {
            const int64_t left = round->groups[g + 1] - row;
            row += 1 + (int64_t)support_random_below(random, (uint64_t)left);
            parts[++part] = row;
        }
        groups[g + 1] = part;
    }
    assert_ok(fold(round, &round->rows, parts, has_base, part, &folded, &err), err);
    assert_ok(fold(round, &folded, groups, round->has_base, GROUPS, out, &err), err);
    stoa_arrow_array_release(&folded);
}

static void test_folds_as_the_reference_and_in_any_parts(void **state) {
    stoa_pool *pool = support_pool_open();
    support_random random = support_random_open("lsm.prop_merge_operator");
    (void)state;
    for (int i = 0; i < ROUNDS * TESTED_COUNT; i++) {
        const struct tested *tested = &TESTED[i % TESTED_COUNT];
        struct round round;
        struct ArrowArray expected, found, in_parts;
        int64_t group;
        stoa_error err;
        round_open(pool, &random, tested, tested->merge == STOA_MERGE_ADD, &round);
        assert_int_equal(merge_reference(&round.table, &round.rows, round.groups, GROUPS, &expected,
                                         &group),
                         -1);
        assert_ok(fold(&round, &round.rows, round.groups, round.has_base, GROUPS, &found, &err),
                  err);
        fold_in_parts(&round, &random, &in_parts);
        assert_same(&round, &expected, &found);
        assert_same(&round, &expected, &in_parts);
        stoa_arrow_array_release(&expected);
        stoa_arrow_array_release(&found);
        stoa_arrow_array_release(&in_parts);
        round_close(&round);
    }
    support_pool_close(pool);
}

/* Numbers of any size: either all sums fit, or the first that does not is named. */
static void test_sums_that_do_not_fit_are_named(void **state) {
    stoa_pool *pool = support_pool_open();
    support_random random = support_random_open("lsm.prop_merge_operator sums");
    int refused = 0, fitting = 0;
    (void)state;
    for (int i = 0; i < ROUNDS * 40; i++) {
        static const char *const TYPES[] = {"int8",          "int16",          "int",     "long",
                                            "uint8",         "uint16",         "uint32",  "uint64",
                                            "decimal(8, 2)", "decimal(37, 4)", "duration"};
        const struct tested tested = {TYPES[i % 11], STOA_MERGE_ADD};
        char column[64];
        struct round round;
        struct ArrowArray expected, found;
        int64_t group = -1;
        stoa_error err = STOA_ERROR_NONE;
        snprintf(column, sizeof column, "a %s", tested.schema);
        round_open(pool, &random, &(struct tested){column, STOA_MERGE_ADD}, false, &round);
        const int64_t count = 1 + (int64_t)support_random_below(&random, 4);
        const int32_t misfit = merge_reference(&round.table, &round.rows, round.groups, count,
                                               &expected, &group);
        const stoa_status status = fold(&round, &round.rows, round.groups, round.has_base, count,
                                        &found, &err);
        if (misfit < 0) {
            fitting++;
            assert_ok(status, err);
            assert_same(&round, &expected, &found);
            stoa_arrow_array_release(&expected);
            stoa_arrow_array_release(&found);
        } else {
            refused++;
            assert_fails(status, STOA_INVALID, "column 'a': the sum of", err);
            assert_int_equal(err.row, group);
            assert_string_equal(err.column, "a");
            assert_null(found.release);
        }
        round_close(&round);
    }
    assert_true(refused > ROUNDS && fitting > ROUNDS);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folds_as_the_reference_and_in_any_parts),
        cmocka_unit_test(test_sums_that_do_not_fit_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
