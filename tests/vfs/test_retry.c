/* Waits between attempts: how many, how long at most, and that a token ends them. */
#include "support.h"

#include "base/clock.h"
#include "vfs/retry.h"

static void attempts_are_counted(void **state) {
    (void)state;
    stoa_retry retry;
    int attempts = 1;
    stoa_retry_init(&retry, 0);
    retry.base_ms = 1;
    while (stoa_retry_again(&retry, 0, NULL)) {
        attempts++;
    }
    assert_int_equal(attempts, 5);
    assert_false(stoa_retry_again(&retry, 0, NULL));
    stoa_retry_init(&retry, 1);
    assert_false(stoa_retry_again(&retry, 0, NULL));
}

static void a_server_is_given_the_time_it_asks_for(void **state) {
    (void)state;
    stoa_retry retry;
    stoa_retry_init(&retry, 0);
    retry.base_ms = 0;
    int64_t begin_ns = stoa_clock_monotonic_ns();
    assert_true(stoa_retry_again(&retry, 30, NULL));
    assert_true(stoa_clock_monotonic_ns() - begin_ns >= 30000000);
}

/* Without the bound this test would last for years. */
static void no_wait_is_longer_than_the_bound(void **state) {
    (void)state;
    stoa_retry retry;
    stoa_retry_init(&retry, 60);
    retry.max_ms = 1;
    for (int i = 1; i < 60; i++) {
        assert_true(stoa_retry_again(&retry, INT64_MAX, NULL));
    }
    assert_false(stoa_retry_again(&retry, INT64_MAX, NULL));
}

static void a_token_ends_a_wait(void **state) {
    (void)state;
    stoa_retry retry;
    stoa_context context = {0};
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_cancel_create(NULL, &context.cancel, &err), err);
    stoa_cancel_set_timeout(context.cancel, 20);
    stoa_retry_init(&retry, 0);
    retry.max_ms = INT64_C(3600000);
    assert_false(stoa_retry_again(&retry, INT64_C(3600000), &context));
    assert_int_equal(retry.attempts, 1);
    stoa_cancel_close(context.cancel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(a_server_is_given_the_time_it_asks_for),
        cmocka_unit_test(no_wait_is_longer_than_the_bound),
        cmocka_unit_test(a_token_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
