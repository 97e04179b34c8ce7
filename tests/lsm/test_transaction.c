/* Transactions: what they see, what they lose, and that nothing of them is half there. */
#include <stdio.h>
#include <stdlib.h>

#include "lsm/cell.h"
#include "transaction_support.h"

static int begin(void **state) {
    struct bank *bank = calloc(1, sizeof *bank);
    assert_non_null(bank);
    store_test_begin(&bank->store, support_pool_open());
    bank->store.settings.no_background = true;
    bank_open(bank);
    *state = bank;
    return 0;
}

static int end(void **state) {
    struct bank *bank = *state;
    bank_close(bank);
    store_test_end(&bank->store);
    support_pool_close(bank->store.pool);
    free(bank);
    return 0;
}

#define ok(expression) assert_ok(expression, err)

static void test_it_sees_its_own_writes_and_the_moment_it_began(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    ok(bank_put(NULL, bank->totals, 1, 10, &err));
    ok(bank_put(NULL, bank->totals, 2, 20, &err));
    stoa_state_transaction *transaction = bank_begin(bank);
    ok(bank_put(NULL, bank->totals, 1, 11, &err));
    ok(bank_put(NULL, bank->totals, 3, 30, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), 10);
    assert_int_equal(bank_get(bank, transaction, bank->totals, 3, false), NONE);
    ok(bank_add(transaction, bank->totals, 2, 5, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 2, false), 25);
    ok(bank_delete(transaction, bank->totals, 2, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 2, false), NONE);
    ok(bank_add(transaction, bank->totals, 2, 7, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 2, false), 7);
    ok(bank_put(transaction, bank->others, 9, 1, &err));
    assert_int_equal(bank_get(bank, transaction, bank->others, 9, false), 1);
    assert_int_equal(bank_total(bank, bank->totals, 2), 20);
    assert_int_equal(bank_total(bank, bank->others, 9), NONE);
    ok(bank_commit(transaction, &err));
    assert_int_equal(bank_total(bank, bank->totals, 1), 11);
    assert_int_equal(bank_total(bank, bank->totals, 2), 7);
    assert_int_equal(bank_total(bank, bank->others, 9), 1);
}

static void test_it_sees_the_same_after_a_flush(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    ok(bank_put(NULL, bank->totals, 1, 10, &err));
    stoa_state_transaction *transaction = bank_begin(bank);
    ok(bank_add(transaction, bank->totals, 1, 1, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), 11);
    ok(bank_put(NULL, bank->totals, 2, 20, &err));
    ok(stoa_state_flush(bank->totals, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), 11);
    assert_int_equal(bank_get(bank, transaction, bank->totals, 2, false), NONE);
    ok(bank_commit(transaction, &err));
    assert_int_equal(bank_total(bank, bank->totals, 1), 11);
}

static void test_who_commits_first_wins(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    ok(bank_put(NULL, bank->totals, 7, 10, &err));
    stoa_state_transaction *first = bank_begin(bank), *second = bank_begin(bank);
    ok(bank_put(first, bank->totals, 7, 1, &err));
    ok(bank_put(second, bank->totals, 7, 2, &err));
    ok(bank_put(second, bank->others, 7, 2, &err));
    ok(bank_commit(first, &err));
    assert_fails(stoa_state_transaction_commit(second, STOA_DURABILITY_DEFAULT, &err),
                 STOA_CONFLICT, "table 1: key (7): changed since the transaction began", err);
    assert_fails(bank_put(second, bank->totals, 8, 2, &err), STOA_INVALID,
                 "the transaction has ended", err);
    stoa_state_transaction_close(second);
    assert_int_equal(bank_total(bank, bank->totals, 7), 1);
    assert_int_equal(bank_total(bank, bank->others, 7), NONE);
}

/* How somebody else changes key 7 while a transaction has written it. */
typedef stoa_status (*change_function)(const struct bank *bank, stoa_error *err);

static stoa_status change_by_put(const struct bank *bank, stoa_error *err) {
    return bank_put(NULL, bank->totals, 7, 1, err);
}

static stoa_status change_by_merge(const struct bank *bank, stoa_error *err) {
    return bank_add(NULL, bank->totals, 7, 1, err);
}

static stoa_status change_by_delete(const struct bank *bank, stoa_error *err) {
    return bank_delete(NULL, bank->totals, 7, err);
}

static stoa_status change_by_range(const struct bank *bank, stoa_error *err) {
    const stoa_cell from = {.i = 5}, to = {.i = 9};
    return stoa_state_delete_range(bank->totals, &from, 1, &to, 1, STOA_DURABILITY_DEFAULT, err);
}

static void test_every_change_of_a_key_is_a_conflict_in_memory_and_in_files(void **state) {
    static const change_function changes[] = {change_by_put, change_by_merge, change_by_delete,
                                              change_by_range};
    struct bank *bank = *state;
    stoa_error err;
    for (int i = 0; i < 8; i++) {
        ok(bank_put(NULL, bank->totals, 7, 10, &err));
        stoa_state_transaction *inside = bank_begin(bank), *outside = bank_begin(bank);
        ok(bank_put(inside, bank->totals, 7, 2, &err));
        ok(bank_put(outside, bank->totals, 9, i, &err)); /* the range ends before it */
        ok(changes[i % 4](bank, &err));
        if (i >= 4) {
            ok(stoa_state_flush(bank->totals, &err));
        }
        assert_fails(bank_commit(inside, &err), STOA_CONFLICT, "key (7)", err);
        ok(bank_commit(outside, &err));
        assert_int_equal(bank_total(bank, bank->totals, 9), i);
    }
}

static void test_write_skew_is_prevented_by_reading_for_update(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    for (int for_update = 0; for_update < 2; for_update++) {
        ok(bank_put(NULL, bank->totals, 1, 50, &err));
        ok(bank_put(NULL, bank->totals, 2, 50, &err));
        stoa_state_transaction *first = bank_begin(bank), *second = bank_begin(bank);
        assert_int_equal(bank_get(bank, first, bank->totals, 2, for_update), 50);
        assert_int_equal(bank_get(bank, second, bank->totals, 1, for_update), 50);
        ok(bank_put(first, bank->totals, 1, 0, &err));
        ok(bank_put(second, bank->totals, 2, 0, &err));
        ok(bank_commit(first, &err));
        const stoa_status status = bank_commit(second, &err);
        if (for_update) {
            assert_fails(status, STOA_CONFLICT, "key (1)", err);
        } else {
            ok(status);
        }
        assert_int_equal(bank_total(bank, bank->totals, 2), for_update ? 50 : 0);
    }
}

static void test_a_row_that_was_not_there_can_be_read_for_update(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    stoa_state_transaction *transaction = bank_begin(bank);
    assert_int_equal(bank_get(bank, transaction, bank->totals, 4, true), NONE);
    ok(bank_put(transaction, bank->others, 4, 1, &err));
    ok(bank_put(NULL, bank->totals, 4, 1, &err));
    assert_fails(bank_commit(transaction, &err), STOA_CONFLICT, "table 1: key (4)", err);
}

static void test_savepoints_bring_back_writes_and_forget_what_was_read(void **state) {
    struct bank *bank = *state;
    int32_t outer, inner, again;
    stoa_error err;
    ok(bank_put(NULL, bank->totals, 1, 10, &err));
    stoa_state_transaction *transaction = bank_begin(bank);
    ok(bank_add(transaction, bank->totals, 1, 1, &err));
    ok(stoa_state_transaction_savepoint(transaction, &outer, &err));
    ok(bank_add(transaction, bank->totals, 1, 2, &err));
    ok(stoa_state_transaction_savepoint(transaction, &inner, &err));
    ok(bank_delete(transaction, bank->totals, 1, &err));
    ok(bank_put(transaction, bank->others, 3, 3, &err));
    ok(stoa_state_transaction_rollback_to(transaction, inner, &err));
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), 13);
    assert_int_equal(bank_get(bank, transaction, bank->others, 3, false), NONE);
    ok(bank_put(transaction, bank->totals, 5, 5, &err));
    ok(stoa_state_transaction_rollback_to(transaction, outer, &err));
    assert_fails(stoa_state_transaction_rollback_to(transaction, inner, &err), STOA_NOT_FOUND,
                 "savepoint 1", err);
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), 11);
    ok(stoa_state_transaction_savepoint(transaction, &again, &err));
    assert_int_equal(again, inner);
    /* Nobody minds who changes what was only written behind the savepoint. */
    ok(bank_put(NULL, bank->totals, 5, 6, &err));
    ok(bank_commit(transaction, &err));
    assert_int_equal(bank_total(bank, bank->totals, 1), 11);
    assert_int_equal(bank_total(bank, bank->totals, 5), 6);
    assert_int_equal(bank_total(bank, bank->others, 3), NONE);
}

/* Users and totals of a scan, as text: "1=10 2=20 ". */
static void scan_text(const struct bank *bank, stoa_state_transaction *transaction,
                      const stoa_state_scan_options *options, char *out, size_t capacity) {
    struct ArrowArrayStream rows;
    struct ArrowArray batch;
    size_t size = 0;
    stoa_error err;
    out[0] = '\0';
    ok(stoa_state_transaction_scan(transaction, bank->totals, options, &rows, &err));
    for (;;) {
        ok(stoa_stream_next(&rows, &batch, &err));
        if (batch.release == NULL) {
            break;
        }
        for (int64_t i = 0; i < batch.length; i++) {
            stoa_cell cells[2];
            for (int column = 0; column < 2; column++) {
                stoa_cell_from_array(&stoa_state_schema(bank->totals)->root.children[column].type,
                                     batch.children[column], i, &cells[column]);
            }
            size += (size_t)snprintf(out + size, capacity - size, "%lld=%lld ",
                                     (long long)cells[0].i, (long long)cells[1].i);
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&rows);
}

static void test_scans_see_own_writes_over_the_moment_it_began(void **state) {
    struct bank *bank = *state;
    const stoa_cell two = {.i = 2}, four = {.i = 4};
    const stoa_state_scan_options all = {.columns = "user, total"};
    const stoa_state_scan_options some = {.columns = "user, total",
                                          .from = &two,
                                          .from_count = 1,
                                          .to = &four,
                                          .to_count = 1,
                                          .to_included = true,
                                          .reverse = true};
    char text[256];
    stoa_error err;
    for (int64_t i = 1; i <= 4; i++) {
        ok(bank_put(NULL, bank->totals, i, 10 * i, &err));
        if (i == 2) {
            ok(stoa_state_flush(bank->totals, &err));
        }
    }
    stoa_state_transaction *transaction = bank_begin(bank);
    ok(bank_add(transaction, bank->totals, 1, 1, &err));
    ok(bank_delete(transaction, bank->totals, 2, &err));
    ok(bank_put(transaction, bank->totals, 5, 50, &err));
    ok(bank_put(NULL, bank->totals, 3, 99, &err));
    ok(bank_put(NULL, bank->totals, 6, 99, &err));
    scan_text(bank, transaction, &all, text, sizeof text);
    assert_string_equal(text, "1=11 3=30 4=40 5=50 ");
    scan_text(bank, transaction, &some, text, sizeof text);
    assert_string_equal(text, "4=40 3=30 ");
    ok(stoa_state_flush(bank->totals, &err));
    ok(bank_add(transaction, bank->totals, 1, 1, &err));
    scan_text(bank, transaction, &all, text, sizeof text);
    assert_string_equal(text, "1=12 3=30 4=40 5=50 ");
    ok(bank_commit(transaction, &err));
    transaction = bank_begin(bank);
    scan_text(bank, transaction, &all, text, sizeof text);
    assert_string_equal(text, "1=12 3=99 4=40 5=50 6=99 ");
    stoa_state_transaction_close(transaction);
}

static void test_a_write_that_is_refused_changes_nothing(void **state) {
    const stoa_cell bad[] = {{.is_null = true}, {.i = 1}, {.is_null = true}};
    const stoa_cell text[] = {{.i = 1}, {.i = 1}, {.bytes = "\xFF", .size = 1}};
    struct bank *bank = *state;
    stoa_error err;
    stoa_state_transaction *transaction = bank_begin(bank);
    assert_fails(stoa_state_transaction_put(transaction, bank->totals, bad, &err), STOA_INVALID,
                 "user", err);
    assert_fails(stoa_state_transaction_put(transaction, bank->totals, text, &err), STOA_INVALID,
                 "name", err);
    assert_int_equal(bank_get(bank, transaction, bank->totals, 1, false), NONE);
    ok(bank_put(NULL, bank->totals, 1, 5, &err));
    ok(bank_put(transaction, bank->totals, 2, 2, &err));
    ok(bank_commit(transaction, &err));
    assert_int_equal(bank_total(bank, bank->totals, 1), 5);
    assert_int_equal(bank_total(bank, bank->totals, 2), 2);
}

static void test_what_was_committed_is_there_after_a_crash_and_nothing_else(void **state) {
    struct bank *bank = *state;
    stoa_error err;
    stoa_state_transaction *committed = bank_begin(bank), *open = bank_begin(bank);
    ok(bank_put(committed, bank->totals, 1, 1, &err));
    ok(bank_put(committed, bank->others, 1, 1, &err));
    ok(bank_put(open, bank->totals, 2, 2, &err));
    ok(bank_commit(committed, &err));
    stoa_state_transaction_close(open);
    bank_close(bank); /* nothing is flushed: the log has it */
    bank_open(bank);
    assert_int_equal(bank_total(bank, bank->totals, 1), 1);
    assert_int_equal(bank_total(bank, bank->others, 1), 1);
    assert_int_equal(bank_total(bank, bank->totals, 2), NONE);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_it_sees_its_own_writes_and_the_moment_it_began),
        TEST(test_it_sees_the_same_after_a_flush),
        TEST(test_who_commits_first_wins),
        TEST(test_every_change_of_a_key_is_a_conflict_in_memory_and_in_files),
        TEST(test_write_skew_is_prevented_by_reading_for_update),
        TEST(test_a_row_that_was_not_there_can_be_read_for_update),
        TEST(test_savepoints_bring_back_writes_and_forget_what_was_read),
        TEST(test_scans_see_own_writes_over_the_moment_it_began),
        TEST(test_a_write_that_is_refused_changes_nothing),
        TEST(test_what_was_committed_is_there_after_a_crash_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
