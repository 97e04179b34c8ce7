/* Percentiles of durations that were counted in buckets. */
#include "base/latency.h"
#include "support.h"

static void nothing_has_no_percentile(void **state) {
    (void)state;
    stoa_latency_figures figures;
    stoa_latency_get(&(stoa_latency){0}, &figures);
    assert_int_equal(figures.count, 0);
    assert_int_equal(stoa_latency_percentile_ns(&figures, 0.5), 0);
}

static void what_was_added_is_told(void **state) {
    (void)state;
    stoa_latency latency = {0};
    stoa_latency_figures figures;
    for (int64_t i = 1; i <= 1000; i++) {
        stoa_latency_add(&latency, i);
    }
    stoa_latency_add(&latency, -5);
    stoa_latency_get(&latency, &figures);
    assert_int_equal(figures.count, 1001);
    assert_int_equal(figures.ns_sum, 1000 * 1001 / 2);
    assert_int_equal(figures.ns_max, 1000);
    assert_in_range(stoa_latency_percentile_ns(&figures, 0.5), 500, 625);
    assert_in_range(stoa_latency_percentile_ns(&figures, 0.99), 990, 1000);
    assert_int_equal(stoa_latency_percentile_ns(&figures, 1.0), 1000);
    stoa_latency_reset(&latency);
    stoa_latency_get(&latency, &figures);
    assert_int_equal(figures.count + figures.ns_sum + figures.ns_max, 0);
}

/* Every duration lies in a bucket that says at least itself and at most a quarter more. */
static void percentiles_are_at_most_a_quarter_high(void **state) {
    (void)state;
    support_random random = {3};
    for (int i = 0; i < 2000; i++) {
        const uint64_t ns = support_random_u64(&random) >> (1 + support_random_below(&random, 63));
        stoa_latency latency = {0};
        stoa_latency_figures figures;
        stoa_latency_add(&latency, (int64_t)ns);
        stoa_latency_get(&latency, &figures);
        assert_true(figures.ns_max == ns);
        figures.ns_max = UINT64_MAX;
        const uint64_t end = stoa_latency_percentile_ns(&figures, 1.0);
        assert_true(end >= ns);
        assert_true(end - ns <= ns / 4 + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_no_percentile),
        cmocka_unit_test(what_was_added_is_told),
        cmocka_unit_test(percentiles_are_at_most_a_quarter_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
