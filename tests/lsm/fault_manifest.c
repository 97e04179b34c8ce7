/* Manifests while allocations and calls of the file system fail: what was acknowledged is there, and of
 * the edit that failed all or nothing. */
#include "manifest_history.h"

static void run(uint64_t (*fail_each)(support_scenario, support_scenario, support_check, void *),
                bool retries) {
    struct history *history = history_make(13);
    history->retries = retries;
    assert_true(fail_each(NULL, history_run, history_check, history) > 20);
    free(history);
}

static void allocations_that_fail(void **state) {
    (void)state;
    run(support_fail_each_allocation, false);
}

static void allocations_that_fail_once(void **state) {
    (void)state;
    run(support_fail_each_allocation, true);
}

static void calls_that_fail(void **state) {
    (void)state;
    run(support_fail_each_call, false);
}

static void calls_that_fail_once(void **state) {
    (void)state;
    run(support_fail_each_call, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_that_fail),
        cmocka_unit_test(allocations_that_fail_once),
        cmocka_unit_test(calls_that_fail),
        cmocka_unit_test(calls_that_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
