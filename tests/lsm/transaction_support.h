/* A store with two tables for tests of transactions: totals ("user long not null, total long, name
 * string" by user; total add) and, with the same columns, others. */
#ifndef STOA_TESTS_LSM_TRANSACTION_SUPPORT_H
#define STOA_TESTS_LSM_TRANSACTION_SUPPORT_H

#include <stoa/state_transaction.h>

#include "lsm/get.h"
#include "lsm/store_internal.h"
#include "store_support.h"

enum { OTHERS = 2, NONE = -1 };

struct bank {
    struct store_test store;
    stoa_state *totals; /* the store's */
    stoa_state *others;
    stoa_row *rows[2]; /* of totals, of others */
};

static inline stoa_row *bank_row(const struct bank *bank, stoa_state *table) {
    stoa_row *row;
    stoa_error err;
    stoa_state_view *view = stoa_state_acquire(table);
    assert_ok(stoa_row_create_for(bank->store.pool, view->definition, NULL, 0, &row, &err), err);
    stoa_state_view_release(view);
    return row;
}

/// Opens the store, which store_test_begin has begun, and makes what is not there.
static inline void bank_open(struct bank *bank) {
    stoa_error err;
    store_test_open(&bank->store);
    bank->totals = bank->store.totals;
    if (stoa_store_open_table(bank->store.store, OTHERS, &bank->others, &err) == STOA_NOT_FOUND) {
        const stoa_state_table_options options = {.key = "user", .merge = "total add"};
        assert_ok(stoa_store_create_table(bank->store.store, OTHERS,
                                          stoa_state_schema(bank->totals), &options, &err),
                  err);
        assert_ok(stoa_store_open_table(bank->store.store, OTHERS, &bank->others, &err), err);
    }
    bank->rows[0] = bank_row(bank, bank->totals);
    bank->rows[1] = bank_row(bank, bank->others);
}

static inline void bank_close(struct bank *bank) {
    stoa_row_close(bank->rows[0]);
    stoa_row_close(bank->rows[1]);
    stoa_state_close(bank->others);
    store_test_close(&bank->store);
}

static inline stoa_row *bank_row_of(const struct bank *bank, const stoa_state *table) {
    return bank->rows[table == bank->others ? 1 : 0];
}

static inline stoa_status bank_put(stoa_state_transaction *transaction, stoa_state *table,
                                   int64_t user, int64_t total, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.bytes = "x", .size = 1}};
    return transaction == NULL ? stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, err)
                               : stoa_state_transaction_put(transaction, table, row, err);
}

static inline stoa_status bank_add(stoa_state_transaction *transaction, stoa_state *table,
                                   int64_t user, int64_t amount, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = amount}, {.is_null = true}};
    return transaction == NULL ? stoa_state_merge(table, row, STOA_DURABILITY_DEFAULT, err)
                               : stoa_state_transaction_merge(transaction, table, row, err);
}

static inline stoa_status bank_delete(stoa_state_transaction *transaction, stoa_state *table,
                                      int64_t user, stoa_error *err) {
    const stoa_cell key = {.i = user};
    return transaction == NULL ? stoa_state_delete(table, &key, STOA_DURABILITY_DEFAULT, err)
                               : stoa_state_transaction_delete(transaction, table, &key, err);
}

/// A total, or NONE.
static inline int64_t bank_get(const struct bank *bank, stoa_state_transaction *transaction,
                               stoa_state *table, int64_t user, bool for_update) {
    const stoa_cell key = {.i = user};
    stoa_row *row = bank_row_of(bank, table);
    stoa_error err;
    bool found;
    assert_ok(for_update ? stoa_state_transaction_get_for_update(transaction, table, &key, row,
                                                                 &found, &err)
                         : stoa_state_transaction_get(transaction, table, &key, row, &found, &err),
              err);
    return found ? stoa_row_cells(row)[1].i : NONE;
}

static inline stoa_state_transaction *bank_begin(const struct bank *bank) {
    stoa_state_transaction *transaction;
    stoa_error err;
    assert_ok(stoa_state_transaction_begin(bank->totals, &transaction, &err), err);
    return transaction;
}

/// What is there now.
static inline int64_t bank_total(const struct bank *bank, stoa_state *table, int64_t user) {
    stoa_state_transaction *transaction = bank_begin(bank);
    const int64_t total = bank_get(bank, transaction, table, user, false);
    stoa_state_transaction_close(transaction);
    return total;
}

/// Commits and closes.
static inline stoa_status bank_commit(stoa_state_transaction *transaction, stoa_error *err) {
    const stoa_status status = stoa_state_transaction_commit(transaction, STOA_DURABILITY_DEFAULT,
                                                             err);
    stoa_state_transaction_close(transaction);
    return status;
}

#endif
