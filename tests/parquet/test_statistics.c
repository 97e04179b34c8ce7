/* Bounds: the orders of types, zeros and NaN, cutting of long strings, merging over row groups. */
#include <float.h>

#include "parquet/statistics.h"
#include "parquet/statistics_kernel.h"
#include "rows.h"

static const stoa_field STRING = {.id = 1, .name = "s", .type = {.kind = STOA_TYPE_STRING}};
static const stoa_field BINARY = {.id = 1, .name = "b", .type = {.kind = STOA_TYPE_BINARY}};
static const stoa_field DECIMAL = {.id = 1, .name = "d",
                                   .type = {.kind = STOA_TYPE_DECIMAL, .precision = 38}};
static const stoa_field DOUBLE = {.id = 1, .name = "f", .type = {.kind = STOA_TYPE_DOUBLE}};

static stoa_leaf leaf_of(const stoa_field *field, stoa_leaf_class value_class, int32_t width) {
    return (stoa_leaf){.field = field, .value_class = value_class, .value_width = width,
                       .multiplier = 1, .type_length = 16};
}

static stoa_leaf_statistics compute(const stoa_leaf *leaf, const void *data, int64_t count) {
    stoa_leaf_statistics out;
    stoa_statistics_of_values(leaf, data, count, count + 2, &out);
    assert_int_equal(out.null_count, 2);
    return out;
}

static stoa_leaf_statistics of_text(const stoa_field *field, const char *text, size_t size) {
    const stoa_leaf leaf = leaf_of(field, STOA_LEAF_BYTES, 0);
    const stoa_bytes_view view = {(const uint8_t *)text, size};
    return compute(&leaf, &view, 1);
}

static void zeros_have_both_signs(void **state) {
    (void)state;
    const stoa_leaf leaf = leaf_of(&DOUBLE, STOA_LEAF_DOUBLE, 8);
    for (int sign = 0; sign < 2; sign++) {
        const double zeros[] = {sign ? -0.0 : 0.0, sign ? -0.0 : 0.0};
        const stoa_leaf_statistics found = compute(&leaf, zeros, 2);
        double min, max;
        memcpy(&min, found.min.bytes, 8);
        memcpy(&max, found.max.bytes, 8);
        assert_true(min == 0 && signbit(min) != 0);
        assert_true(max == 0 && signbit(max) == 0);
    }
}

static void nan_is_in_no_bound(void **state) {
    (void)state;
    const stoa_leaf leaf = leaf_of(&DOUBLE, STOA_LEAF_DOUBLE, 8);
    for (int at = 0; at < 9; at++) {
        double values[9] = {3, 1, 4, -1, 5, -9, 2, 6, -5};
        values[at] = (double)NAN;
        const stoa_leaf_statistics found = compute(&leaf, values, 9);
        double min, max;
        memcpy(&min, found.min.bytes, 8);
        memcpy(&max, found.max.bytes, 8);
        assert_true(found.has_nan);
        assert_true(min == (at == 5 ? -5 : -9));
        assert_true(max == (at == 7 ? 5 : 6));
    }
    const double all[] = {(double)NAN, -(double)NAN, (double)NAN};
    const stoa_leaf_statistics none = compute(&leaf, all, 3);
    assert_int_equal(none.min.state, STOA_BOUND_NONE);
    assert_int_equal(none.max.state, STOA_BOUND_NONE);
    assert_true(none.has_nan);
    const double infinite[] = {INFINITY, (double)NAN, INFINITY};
    const stoa_leaf_statistics positive = compute(&leaf, infinite, 3);
    double min;
    memcpy(&min, positive.min.bytes, 8);
    assert_true(min == INFINITY);
}

static void kernels_equal_a_plain_loop(void **state) {
    (void)state;
    support_random random = support_random_open("min_max");
    for (int64_t count = 1; count < 60; count++) {
        int64_t values[60], min, max;
        uint8_t small[60], small_min, small_max;
        for (int64_t i = 0; i < count; i++) {
            values[i] = (int64_t)support_random_u64(&random);
            small[i] = (uint8_t)values[i];
        }
        int64_t low = values[0], high = values[0];
        uint8_t small_low = small[0], small_high = small[0];
        for (int64_t i = 1; i < count; i++) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
            small_low = small[i] < small_low ? small[i] : small_low;
            small_high = small[i] > small_high ? small[i] : small_high;
        }
        stoa_min_max_i64(values, count, &min, &max);
        assert_true(min == low && max == high);
        stoa_min_max_u8(small, count, &small_min, &small_max);
        assert_true(small_min == small_low && small_max == small_high);
    }
}

static void decimals_in_bytes_sort_by_sign(void **state) {
    (void)state;
    const stoa_leaf leaf = leaf_of(&DECIMAL, STOA_LEAF_FIXED_SIGNED, 0);
    uint8_t bytes[3][16] = {{0}};
    bytes[0][15] = 5;             /* 5 */
    memset(bytes[1], 0xFF, 16);   /* -1 */
    bytes[2][0] = 0x80;           /* the least */
    const stoa_bytes_view views[] = {{bytes[0], 16}, {bytes[1], 16}, {bytes[2], 16}};
    const stoa_leaf_statistics found = compute(&leaf, views, 3);
    assert_memory_equal(found.min.bytes, bytes[2], 16);
    assert_memory_equal(found.max.bytes, bytes[0], 16);
}

static void long_texts_are_cut_between_code_points(void **state) {
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    stoa_leaf_statistics found = of_text(&STRING, text, 64);
    assert_int_equal(found.max.state, STOA_BOUND_EXACT);
    assert_int_equal(found.max.size, 64);
    found = of_text(&STRING, text, 65);
    assert_int_equal(found.min.state, STOA_BOUND_CUT);
    assert_int_equal(found.max.state, STOA_BOUND_CUT);
    assert_int_equal(found.max.size, 64);
    assert_int_equal(found.max.bytes[63], 'y');
    assert_int_equal(found.min.bytes[63], 'x');

    /* A code point of three bytes lies across the cut; the one before it is raised. */
    memcpy(text + 62, "\xE2\x82\xAC", 3);
    found = of_text(&STRING, text, 100);
    assert_int_equal(found.min.size, 62);
    assert_int_equal(found.max.size, 62);
    assert_int_equal(found.max.bytes[61], 'y');

    /* DEL becomes a character of two bytes, for which there is room only where the cut left some. */
    memset(text, 'x', sizeof text);
    text[63] = 0x7F;
    found = of_text(&STRING, text, 100);
    assert_int_equal(found.max.size, 63);
    assert_int_equal(found.max.bytes[62], 'y');

    /* U+D7FF is followed by U+E000: what lies between are no characters. */
    memset(text, 'x', sizeof text);
    memcpy(text + 61, "\xED\x9F\xBF", 3);
    found = of_text(&STRING, text, 100);
    assert_memory_equal(found.max.bytes + 61, "\xEE\x80\x80", 3);
}

static void what_cannot_be_raised_has_no_upper_bound(void **state) {
    (void)state;
    char text[200];
    memset(text, 0xFF, sizeof text);
    stoa_leaf_statistics found = of_text(&BINARY, text, 100);
    assert_int_equal(found.min.state, STOA_BOUND_CUT);
    assert_int_equal(found.max.state, STOA_BOUND_UNKNOWN);
    text[10] = 0x41;
    found = of_text(&BINARY, text, 100);
    assert_int_equal(found.max.state, STOA_BOUND_CUT);
    assert_int_equal(found.max.size, 11);
    assert_int_equal(found.max.bytes[10], 0x42);
    for (int i = 0; i < 200; i += 4) {
        memcpy(text + i, "\xF4\x8F\xBF\xBF", 4);
    }
    found = of_text(&STRING, text, 100);
    assert_int_equal(found.max.state, STOA_BOUND_UNKNOWN);
}

static void merging_widens_and_forgets(void **state) {
    (void)state;
    const stoa_leaf leaf = leaf_of(&BINARY, STOA_LEAF_BYTES, 0);
    stoa_leaf_statistics total = {0};
    stoa_leaf_statistics part = of_text(&BINARY, "m", 1);
    stoa_statistics_merge(&leaf, &total, &part);
    part = of_text(&BINARY, "ma", 2);
    stoa_statistics_merge(&leaf, &total, &part);
    part = of_text(&BINARY, "b", 1);
    stoa_statistics_merge(&leaf, &total, &part);
    part = (stoa_leaf_statistics){.level_count = 5, .null_count = 5}; /* only nulls */
    stoa_statistics_merge(&leaf, &total, &part);
    assert_int_equal(total.level_count, 3 * 3 + 5);
    assert_int_equal(total.null_count, 3 * 2 + 5);
    assert_int_equal(total.min.size, 1);
    assert_int_equal(total.min.bytes[0], 'b');
    assert_int_equal(total.max.size, 2);
    char high[100];
    memset(high, 0xFF, sizeof high);
    part = of_text(&BINARY, high, sizeof high);
    stoa_statistics_merge(&leaf, &total, &part);
    assert_int_equal(total.max.state, STOA_BOUND_UNKNOWN);
    part = of_text(&BINARY, "zz", 2);
    stoa_statistics_merge(&leaf, &total, &part);
    assert_int_equal(total.max.state, STOA_BOUND_UNKNOWN);
    assert_int_equal(total.min.bytes[0], 'b');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_have_both_signs),
        cmocka_unit_test(nan_is_in_no_bound),
        cmocka_unit_test(kernels_equal_a_plain_loop),
        cmocka_unit_test(decimals_in_bytes_sort_by_sign),
        cmocka_unit_test(long_texts_are_cut_between_code_points),
        cmocka_unit_test(what_cannot_be_raised_has_no_upper_bound),
        cmocka_unit_test(merging_widens_and_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
