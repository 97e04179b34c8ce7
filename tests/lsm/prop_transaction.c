/* Transactions in any order against a model: the history of every key, and for each transaction what
 * it has written. Reads are of the moment it began, a commit fails exactly when a key that it wrote or
 * read for update has changed since, and savepoints bring everything back. */
#include "transaction_support.h"

enum { ROUNDS = 12, STEPS = 1500, KEYS = 6, TABLES = 2, SLOTS = 4, HISTORY = STEPS + 2, DEPTH = 4 };

/* What a key was after commit number `version`. */
struct change {
    int64_t version;
    int64_t total; /* NONE: not there */
};

struct cell {
    struct change changes[HISTORY];
    int count;
};

/* What a transaction has done with the keys. */
struct doing {
    bool is_written[TABLES][KEYS];
    bool is_tracked[TABLES][KEYS];
    int64_t totals[TABLES][KEYS]; /* of those written */
    bool has_writes;
};

struct slot {
    stoa_state_transaction *transaction; /* NULL: free */
    int64_t began;
    struct doing now;
    struct doing savepoints[DEPTH];
    int savepoint_count;
};

struct model {
    struct bank bank;
    support_random random;
    struct cell cells[TABLES][KEYS];
    int64_t version;
    struct slot slots[SLOTS];
    int conflicts, commits;
};

static stoa_state *table_of(struct model *model, int table) {
    return table == 0 ? model->bank.totals : model->bank.others;
}

static int64_t total_at(const struct cell *cell, int64_t version) {
    for (int i = cell->count - 1; i >= 0; i--) {
        if (cell->changes[i].version <= version) {
            return cell->changes[i].total;
        }
    }
    return NONE;
}

static bool has_changed(const struct cell *cell, int64_t since) {
    return cell->count > 0 && cell->changes[cell->count - 1].version > since;
}

static void change(struct model *model, int table, int key, int64_t total) {
    struct cell *cell = &model->cells[table][key];
    cell->changes[cell->count++] = (struct change){model->version, total};
}

/* 0: put, 1: add, 2: delete; what the key is afterwards. */
static int64_t after(int operation, int64_t before, int64_t amount) {
    return operation == 2 ? NONE : operation == 0 || before == NONE ? amount : before + amount;
}

static stoa_status write(struct model *model, stoa_state_transaction *transaction, int operation,
                         int table, int key, int64_t amount, stoa_error *err) {
    stoa_state *state = table_of(model, table);
    return operation == 0   ? bank_put(transaction, state, key, amount, err)
           : operation == 1 ? bank_add(transaction, state, key, amount, err)
                            : bank_delete(transaction, state, key, err);
}

static void write_outside(struct model *model) {
    const int operation = (int)support_random_below(&model->random, 3);
    const int table = (int)support_random_below(&model->random, TABLES);
    const int key = (int)support_random_below(&model->random, KEYS);
    const int64_t amount = (int64_t)support_random_below(&model->random, 1000);
    const int64_t before = total_at(&model->cells[table][key], model->version);
    stoa_error err;
    assert_ok(write(model, NULL, operation, table, key, amount, &err), err);
    model->version++;
    change(model, table, key, after(operation, before, amount));
}

static void begin(struct model *model, struct slot *slot) {
    *slot = (struct slot){.transaction = bank_begin(&model->bank), .began = model->version};
}

static int64_t seen(const struct model *model, const struct slot *slot, int table, int key) {
    return slot->now.is_written[table][key] ? slot->now.totals[table][key]
                                            : total_at(&model->cells[table][key], slot->began);
}

static void read_inside(struct model *model, struct slot *slot, bool for_update) {
    const int table = (int)support_random_below(&model->random, TABLES);
    const int key = (int)support_random_below(&model->random, KEYS);
    assert_int_equal(bank_get(&model->bank, slot->transaction, table_of(model, table), key,
                              for_update),
                     seen(model, slot, table, key));
    slot->now.is_tracked[table][key] |= for_update;
}

static void write_inside(struct model *model, struct slot *slot) {
    const int operation = (int)support_random_below(&model->random, 3);
    const int table = (int)support_random_below(&model->random, TABLES);
    const int key = (int)support_random_below(&model->random, KEYS);
    const int64_t amount = (int64_t)support_random_below(&model->random, 1000);
    const int64_t before = seen(model, slot, table, key);
    stoa_error err;
    assert_ok(write(model, slot->transaction, operation, table, key, amount, &err), err);
    slot->now.totals[table][key] = after(operation, before, amount);
    slot->now.is_written[table][key] = slot->now.is_tracked[table][key] = true;
    slot->now.has_writes = true;
}

static void use_savepoints(struct model *model, struct slot *slot) {
    int32_t number;
    stoa_error err;
    if (slot->savepoint_count < DEPTH && support_random_bool(&model->random)) {
        assert_ok(stoa_state_transaction_savepoint(slot->transaction, &number, &err), err);
        assert_int_equal(number, slot->savepoint_count);
        slot->savepoints[slot->savepoint_count++] = slot->now;
    } else if (slot->savepoint_count > 0) {
        number = (int32_t)support_random_below(&model->random, (uint64_t)slot->savepoint_count);
        assert_ok(stoa_state_transaction_rollback_to(slot->transaction, number, &err), err);
        slot->now = slot->savepoints[number];
        slot->savepoint_count = number + 1;
    }
}

typedef enum conflict { CANNOT, CAN, MUST } conflict;

/* A key that was not there and is not there now may have been made and deleted in between: a compaction
 * leaves no trace of that. */
static conflict conflict_of_key(const struct model *model, const struct slot *slot, int table,
                                int key) {
    const struct cell *cell = &model->cells[table][key];
    if (!slot->now.is_tracked[table][key] || !slot->now.has_writes ||
        !has_changed(cell, slot->began)) {
        return CANNOT;
    }
    return total_at(cell, slot->began) == NONE && total_at(cell, model->version) == NONE ? CAN
                                                                                         : MUST;
}

static conflict conflict_of(const struct model *model, const struct slot *slot) {
    conflict worst = CANNOT;
    for (int i = 0; i < TABLES * KEYS; i++) {
        const conflict of_key = conflict_of_key(model, slot, i / KEYS, i % KEYS);
        worst = of_key > worst ? of_key : worst;
    }
    return worst;
}

static void take_writes(struct model *model, const struct slot *slot) {
    model->version++;
    model->commits++;
    for (int i = 0; i < TABLES * KEYS; i++) {
        const int table = i / KEYS, key = i % KEYS;
        if (slot->now.is_written[table][key]) {
            change(model, table, key, slot->now.totals[table][key]);
        }
    }
}

static void commit(struct model *model, struct slot *slot) {
    const conflict expected = conflict_of(model, slot);
    stoa_error err;
    const stoa_status status = bank_commit(slot->transaction, &err);
    slot->transaction = NULL;
    if (expected == MUST || (expected == CAN && status != STOA_OK)) {
        assert_fails(status, STOA_CONFLICT, "key (", err);
        model->conflicts++;
    } else {
        assert_ok(status, err);
        take_writes(model, slot);
    }
}

static void step(struct model *model) {
    struct slot *slot = &model->slots[support_random_below(&model->random, SLOTS)];
    stoa_error err;
    const uint64_t choice = support_random_below(&model->random, 100);
    if (choice < 12) {
        write_outside(model);
    } else if (choice < 14) {
        assert_ok(stoa_state_flush(model->bank.totals, &err), err);
    } else if (slot->transaction == NULL) {
        begin(model, slot);
    } else if (choice < 45) {
        read_inside(model, slot, false);
    } else if (choice < 50) {
        read_inside(model, slot, true);
    } else if (choice < 80) {
        write_inside(model, slot);
    } else if (choice < 88) {
        use_savepoints(model, slot);
    } else if (choice < 96) {
        commit(model, slot);
    } else {
        stoa_state_transaction_close(slot->transaction);
        slot->transaction = NULL;
    }
}

static void test_transactions_are_as_their_model(void **state) {
    static struct model model; /* too large for the stack */
    support_random random = support_random_open("lsm.prop_transaction");
    int conflicts = 0, commits = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        memset(&model, 0, sizeof model);
        model.random = (support_random){support_random_u64(&random)};
        store_test_begin(&model.bank.store, support_pool_open());
        model.bank.store.settings.memtable_bytes = round % 2 == 0 ? 64 << 10 : 0;
        bank_open(&model.bank);
        for (int i = 0; i < STEPS; i++) {
            step(&model);
        }
        for (int i = 0; i < SLOTS; i++) {
            stoa_state_transaction_close(model.slots[i].transaction);
        }
        for (int i = 0; i < TABLES * KEYS; i++) {
            assert_int_equal(bank_total(&model.bank, table_of(&model, i / KEYS), i % KEYS),
                             total_at(&model.cells[i / KEYS][i % KEYS], model.version));
        }
        conflicts += model.conflicts;
        commits += model.commits;
        stoa_pool *pool = model.bank.store.pool;
        bank_close(&model.bank);
        store_test_end(&model.bank.store);
        support_pool_close(pool);
    }
    assert_true(conflicts > ROUNDS && commits > ROUNDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions_are_as_their_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
