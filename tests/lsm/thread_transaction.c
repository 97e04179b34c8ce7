/* Transactions of several threads: no addition is lost, sums over tables hold at every moment, and
 * flushes in between change nothing. */
#include <pthread.h>

#include "transaction_support.h"

enum { THREADS = 4, ADDITIONS = 150, TRANSFERS = 150, ACCOUNTS = 6, START = 1000 };

struct shared {
    struct bank bank;
    _Atomic int failures;
    _Atomic int64_t conflicts;
    _Atomic int working;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    support_random random;
    stoa_row *rows[2];
};

/* As bank_get, but that a thread has its own rows and does not assert. */
static stoa_status get(struct worker *worker, stoa_state_transaction *transaction, int table,
                       int64_t user, bool for_update, int64_t *out, stoa_error *err) {
    stoa_state *state = table == 0 ? worker->shared->bank.totals : worker->shared->bank.others;
    const stoa_cell key = {.i = user};
    bool found = false;
    const stoa_status status = for_update
                                   ? stoa_state_transaction_get_for_update(transaction, state, &key,
                                                                           worker->rows[table],
                                                                           &found, err)
                                   : stoa_state_transaction_get(transaction, state, &key,
                                                                worker->rows[table], &found, err);
    *out = status == STOA_OK && found ? stoa_row_cells(worker->rows[table])[1].i : 0;
    return status;
}

/* Reads a counter and writes it back, until nobody else did meanwhile. */
static stoa_status increment(struct worker *worker, stoa_error *err) {
    const struct bank *bank = &worker->shared->bank;
    stoa_status status;
    do {
        stoa_state_transaction *transaction;
        int64_t total;
        STOA_TRY(stoa_state_transaction_begin(bank->totals, &transaction, err));
        status = get(worker, transaction, 0, 1, false, &total, err);
        if (status == STOA_OK) {
            status = bank_put(transaction, bank->totals, 1, total + 1, err);
        }
        status = status == STOA_OK ? bank_commit(transaction, err) : status;
        worker->shared->conflicts += status == STOA_CONFLICT;
    } while (status == STOA_CONFLICT);
    return status;
}

static void *add(void *user) {
    struct worker *worker = user;
    stoa_error err;
    for (int i = 0; i < ADDITIONS; i++) {
        if (increment(worker, &err) != STOA_OK) {
            worker->shared->failures++;
        }
    }
    return NULL;
}

/* From an account of one table to one of the other. */
static stoa_status transfer(struct worker *worker, stoa_error *err) {
    const struct bank *bank = &worker->shared->bank;
    const int64_t from = (int64_t)support_random_below(&worker->random, ACCOUNTS);
    const int64_t to = (int64_t)support_random_below(&worker->random, ACCOUNTS);
    const int64_t amount = (int64_t)support_random_below(&worker->random, 50);
    stoa_state_transaction *transaction;
    int64_t left = 0, right = 0;
    STOA_TRY(stoa_state_transaction_begin(bank->totals, &transaction, err));
    stoa_status status = get(worker, transaction, 0, from, true, &left, err);
    if (status == STOA_OK) {
        status = get(worker, transaction, 1, to, false, &right, err);
    }
    if (status == STOA_OK) {
        status = bank_put(transaction, bank->totals, from, left - amount, err);
    }
    if (status == STOA_OK) {
        status = bank_put(transaction, bank->others, to, right + amount, err);
    }
    if (status == STOA_OK) {
        return bank_commit(transaction, err);
    }
    stoa_state_transaction_close(transaction);
    return status;
}

static void *transfer_often(void *user) {
    struct worker *worker = user;
    stoa_error err;
    for (int i = 0; i < TRANSFERS; i++) {
        const stoa_status status = transfer(worker, &err);
        worker->shared->conflicts += status == STOA_CONFLICT;
        worker->shared->failures += status != STOA_OK && status != STOA_CONFLICT;
    }
    worker->shared->working--;
    return NULL;
}

static stoa_status sum(struct worker *worker, int64_t *out, stoa_error *err) {
    stoa_state_transaction *transaction;
    stoa_status status = STOA_OK;
    *out = 0;
    STOA_TRY(stoa_state_transaction_begin(worker->shared->bank.totals, &transaction, err));
    for (int i = 0; i < 2 * ACCOUNTS && status == STOA_OK; i++) {
        int64_t total = 0;
        status = get(worker, transaction, i % 2, i / 2, false, &total, err);
        *out += total;
    }
    stoa_state_transaction_close(transaction);
    return status;
}

static void *watch(void *user) {
    struct worker *worker = user;
    stoa_error err;
    for (int i = 0; worker->shared->working > 0; i++) {
        int64_t total = 0;
        if (sum(worker, &total, &err) != STOA_OK || total != 2 * ACCOUNTS * START) {
            worker->shared->failures++;
            break;
        }
        if (i % 16 == 0 && stoa_state_flush(worker->shared->bank.totals, &err) != STOA_OK) {
            worker->shared->failures++;
        }
    }
    return NULL;
}

static void run(struct shared *shared, int count, void *(*const *work)(void *)) {
    struct worker workers[THREADS + 1];
    support_random random = support_random_open("lsm.thread_transaction");
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.shared = shared,
                                     .random = {support_random_u64(&random)},
                                     .rows = {bank_row(&shared->bank, shared->bank.totals),
                                              bank_row(&shared->bank, shared->bank.others)}};
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work[i], &workers[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        stoa_row_close(workers[i].rows[0]);
        stoa_row_close(workers[i].rows[1]);
    }
}

static void open_shared(struct shared *shared) {
    memset(shared, 0, sizeof *shared);
    store_test_begin(&shared->bank.store, support_pool_open());
    shared->bank.store.settings.memtable_bytes = 256 << 10;
    bank_open(&shared->bank);
}

static void close_shared(struct shared *shared) {
    stoa_pool *pool = shared->bank.store.pool;
    bank_close(&shared->bank);
    store_test_end(&shared->bank.store);
    support_pool_close(pool);
}

static void test_no_addition_is_lost(void **state) {
    static void *(*const work[])(void *) = {add, add, add, add};
    struct shared shared;
    (void)state;
    open_shared(&shared);
    run(&shared, THREADS, work);
    assert_int_equal(shared.failures, 0);
    assert_int_equal(bank_total(&shared.bank, shared.bank.totals, 1), THREADS * ADDITIONS);
    close_shared(&shared);
}

static void test_sums_over_tables_hold_at_every_moment(void **state) {
    static void *(*const work[])(void *) = {transfer_often, transfer_often, transfer_often,
                                            transfer_often, watch};
    struct shared shared;
    stoa_error err;
    (void)state;
    open_shared(&shared);
    for (int i = 0; i < ACCOUNTS; i++) {
        assert_ok(bank_put(NULL, shared.bank.totals, i, START, &err), err);
        assert_ok(bank_put(NULL, shared.bank.others, i, START, &err), err);
    }
    shared.working = THREADS;
    run(&shared, THREADS + 1, work);
    assert_int_equal(shared.failures, 0);
    close_shared(&shared);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_addition_is_lost),
        cmocka_unit_test(test_sums_over_tables_hold_at_every_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
