/* Cancellation: the tree, deadlines, signal handlers, many threads. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <stoa/context.h>

static stoa_error err;

static stoa_cancel *token(stoa_cancel *parent) {
    stoa_cancel *cancel = NULL;
    assert_ok(stoa_cancel_create(parent, &cancel, &err), err);
    return cancel;
}

static void pause_ms(long ms) {
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void a_trigger_reaches_all_below_and_none_above(void **state) {
    (void)state;
    stoa_cancel *root = token(NULL), *left = token(root), *right = token(root), *leaf = token(left);
    assert_ok(stoa_cancel_check(leaf, &err), err);
    stoa_cancel_trigger(left);
    assert_fails(stoa_cancel_check(leaf, &err), STOA_CANCELLED, "cancelled by request", err);
    assert_true(stoa_cancel_is_triggered(left));
    assert_false(stoa_cancel_is_triggered(right));
    assert_false(stoa_cancel_is_triggered(root));
    stoa_cancel_trigger(root);
    assert_true(stoa_cancel_is_triggered(right));
    stoa_cancel_close(leaf);
    stoa_cancel_close(left);
    stoa_cancel_close(right);
    stoa_cancel_close(root);
}

static void no_token_is_never_cancelled(void **state) {
    (void)state;
    stoa_cancel_trigger(NULL);
    assert_false(stoa_cancel_is_triggered(NULL));
    assert_ok(stoa_cancel_check(NULL, &err), err);
    stoa_cancel_close(NULL);
}

static void a_parent_lives_while_its_children_do(void **state) {
    (void)state;
    stoa_cancel *root = token(NULL), *middle = token(root), *leaf = token(middle);
    stoa_cancel_close(root);
    stoa_cancel_close(middle);
    assert_false(stoa_cancel_is_triggered(leaf));
    stoa_cancel_trigger(leaf);
    assert_true(stoa_cancel_is_triggered(leaf));
    stoa_cancel_close(leaf);
}

static void deadlines_pass_and_can_be_taken_away(void **state) {
    (void)state;
    stoa_cancel *root = token(NULL), *leaf = token(root);
    stoa_cancel_set_timeout(root, 60000);
    assert_false(stoa_cancel_is_triggered(leaf));
    stoa_cancel_set_timeout(root, 0);
    assert_fails(stoa_cancel_check(leaf, &err), STOA_CANCELLED, "the deadline passed", err);
    stoa_cancel_set_timeout(root, -1);
    assert_false(stoa_cancel_is_triggered(leaf));
    stoa_cancel_set_timeout(root, INT64_MAX);
    assert_false(stoa_cancel_is_triggered(leaf));
    stoa_cancel_set_timeout(leaf, 5);
    pause_ms(10);
    assert_true(stoa_cancel_is_triggered(leaf));
    assert_false(stoa_cancel_is_triggered(root));
    stoa_cancel_close(leaf);
    stoa_cancel_close(root);
}

static stoa_cancel *interrupted;

static void on_signal(int number) {
    (void)number;
    stoa_cancel_trigger(interrupted);
}

static void a_signal_handler_may_trigger(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_signal}, before;
    interrupted = token(NULL);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_true(stoa_cancel_is_triggered(interrupted));
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    stoa_cancel_close(interrupted);
}

enum { THREADS = 4 };

/* Each works below a token of its own until it is told to stop, and opens and closes others. */
static void *work(void *user) {
    stoa_cancel *mine = token(user);
    while (stoa_cancel_check(mine, NULL) == STOA_OK) {
        stoa_cancel *below = token(mine);
        stoa_cancel_set_timeout(below, 1000);
        stoa_cancel_close(below);
    }
    stoa_cancel_close(mine);
    return NULL;
}

static void all_threads_hear_of_it(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    stoa_cancel *root = token(NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, root), 0);
    }
    pause_ms(20);
    stoa_cancel_trigger(root);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    stoa_cancel_close(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trigger_reaches_all_below_and_none_above),
        cmocka_unit_test(no_token_is_never_cancelled),
        cmocka_unit_test(a_parent_lives_while_its_children_do),
        cmocka_unit_test(deadlines_pass_and_can_be_taken_away),
        cmocka_unit_test(a_signal_handler_may_trigger),
        cmocka_unit_test(all_threads_hear_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
