#include "base/clock.h"
#include "lsm/rate_limit.h"
#include "support.h"

enum { MS = 1000000 };

static void without_a_limit_nobody_waits(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_rate_limiter *limiter;
    stoa_error err;
    int64_t waited = 0;
    (void)state;
    assert_ok(stoa_rate_limiter_create(pool, 0, &limiter, &err), err);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(stoa_rate_limiter_left_ns(limiter,
                                                   stoa_rate_limiter_take(limiter,
                                                                          UINT64_MAX / 200)),
                         0);
    }
    assert_ok(stoa_rate_limiter_wait(NULL, 1, NULL, &waited, &err), err);
    assert_int_equal(waited, 0);
    stoa_rate_limiter_close(limiter);
    support_pool_close(pool);
}

/* 1 MB a second; the bucket is empty at first, so all but the last write are waited for. */
static void bytes_come_in_at_the_rate(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_rate_limiter *limiter;
    stoa_error err;
    int64_t waited = 0;
    (void)state;
    assert_ok(stoa_rate_limiter_create(pool, 1000000, &limiter, &err), err);
    const int64_t begin = stoa_clock_monotonic_ns();
    for (int i = 0; i < 5; i++) {
        assert_ok(stoa_rate_limiter_wait(limiter, 10000, NULL, &waited, &err), err);
    }
    const int64_t took = stoa_clock_monotonic_ns() - begin;
    assert_true(took >= 40 * (int64_t)MS);
    assert_true(waited >= 40 * (int64_t)MS && waited <= took);
    stoa_rate_limiter_close(limiter);
    support_pool_close(pool);
}

static void a_large_write_is_let_through_and_waited_for(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_rate_limiter *limiter;
    stoa_error err;
    (void)state;
    assert_ok(stoa_rate_limiter_create(pool, 1000, &limiter, &err), err);
    const uint64_t first = stoa_rate_limiter_take(limiter, 1000000);
    assert_int_equal(stoa_rate_limiter_left_ns(limiter, first), 0);
    const uint64_t second = stoa_rate_limiter_take(limiter, 1);
    const uint64_t third = stoa_rate_limiter_take(limiter, 1);
    const int64_t left = stoa_rate_limiter_left_ns(limiter, second);
    assert_true(left > 900 * (int64_t)1000 * MS);
    assert_true(stoa_rate_limiter_left_ns(limiter, third) > left - 1000 * (int64_t)MS);
    assert_true(stoa_rate_limiter_debt_ns(limiter) > left - 1000 * (int64_t)MS);
    assert_int_equal(stoa_rate_limiter_debt_ns(NULL), 0);
    stoa_rate_limiter_close(limiter);
    support_pool_close(pool);
}

static void a_new_rate_holds_for_those_who_wait(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_rate_limiter *limiter;
    stoa_error err;
    (void)state;
    assert_ok(stoa_rate_limiter_create(pool, 1, &limiter, &err), err);
    (void)stoa_rate_limiter_take(limiter, 1000000);
    const uint64_t place = stoa_rate_limiter_take(limiter, 1);
    assert_true(stoa_rate_limiter_left_ns(limiter, place) > 1000 * (int64_t)1000 * MS);
    stoa_rate_limiter_set(limiter, UINT64_C(1) << 50);
    assert_true(stoa_rate_limiter_left_ns(limiter, place) < MS);
    stoa_rate_limiter_set(limiter, 1);
    stoa_rate_limiter_set(limiter, 0);
    assert_int_equal(stoa_rate_limiter_left_ns(limiter, place), 0);
    stoa_rate_limiter_close(limiter);
    support_pool_close(pool);
}

static void a_token_ends_the_wait(void **state) {
    stoa_pool *pool = support_pool_open();
    stoa_rate_limiter *limiter;
    stoa_cancel *cancel;
    stoa_error err;
    int64_t waited = 0;
    (void)state;
    assert_ok(stoa_rate_limiter_create(pool, 1, &limiter, &err), err);
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    assert_ok(stoa_rate_limiter_wait(limiter, 1000000, cancel, &waited, &err), err);
    stoa_cancel_set_timeout(cancel, 5);
    assert_int_equal(stoa_rate_limiter_wait(limiter, 1, cancel, &waited, &err), STOA_CANCELLED);
    assert_true(waited >= 4 * MS);
    stoa_cancel_close(cancel);
    stoa_rate_limiter_close(limiter);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_waits),
        cmocka_unit_test(bytes_come_in_at_the_rate),
        cmocka_unit_test(a_large_write_is_let_through_and_waited_for),
        cmocka_unit_test(a_new_rate_holds_for_those_who_wait),
        cmocka_unit_test(a_token_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
