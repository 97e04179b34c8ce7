/* Random sequences of operations against a simple model: what every table and every snapshot holds,
 * over both kinds, with transactions that are given up, drops, renames, expiries and reopenings. */
#include "table_world.h"

#include <stdlib.h>

enum { TABLES = 4, SNAPSHOTS = 64, STEPS = 250, RUNS = 3 };

/* A table's content is told by its number of rows: a row more with each append of n. */
struct model_table {
    bool exists;
    bool durable;
    int64_t rows;
    int snapshot_count;
    int64_t snapshot_rows[SNAPSHOTS]; /* of those that are kept, oldest first */
};

struct model {
    struct model_table tables[TABLES];
};

static const char *const names[TABLES] = {"t0", "T one", "t'2", "表3"};

struct run {
    table_world *world;
    support_random *random;
    struct model committed;
};

static void add_snapshot(struct model_table *table) {
    if (table->snapshot_count == SNAPSHOTS) {
        memmove(table->snapshot_rows, table->snapshot_rows + 1,
                sizeof table->snapshot_rows - sizeof table->snapshot_rows[0]);
        table->snapshot_count--;
    }
    table->snapshot_rows[table->snapshot_count++] = table->rows;
}

/* One operation in a transaction and in the model; `wrote` collects which tables get a snapshot. */
static void operate(struct run *run, stoa_transaction *transaction, struct model *model,
                    bool *wrote) {
    stoa_error err = STOA_ERROR_NONE;
    table_world *world = run->world;
    int which = (int)support_random_below(run->random, TABLES);
    struct model_table *table = &model->tables[which];
    int64_t count = support_random_between(run->random, 0, 40);
    uint64_t what = support_random_below(run->random, 10);
    if (!table->exists) {
        table->durable = support_random_bool(run->random);
        ok(stoa_table_create_in(world->db, transaction, names[which],
                                table->durable ? "parquet" : "memory", world->schema, &err));
        *table = (struct model_table){.exists = true, .durable = table->durable};
        wrote[which] = false;
    } else if (what < 6) {
        ok(table_load(world, transaction, names[which], STOA_APPEND, table->rows, count, &err));
        table->rows += count;
        wrote[which] = true;
    } else if (what < 8) {
        ok(table_load(world, transaction, names[which], STOA_OVERWRITE, 0, count, &err));
        table->rows = count;
        wrote[which] = true;
    } else if (what == 8) {
        ok(stoa_table_drop_in(world->db, transaction, names[which], &err));
        *table = (struct model_table){.exists = false};
        wrote[which] = false;
    } else {
        int other = (int)support_random_below(run->random, TABLES);
        if (!model->tables[other].exists) {
            ok(stoa_table_rename_in(world->db, transaction, names[which], names[other], &err));
            model->tables[other] = *table;
            wrote[other] = wrote[which];
            *table = (struct model_table){.exists = false};
            wrote[which] = false;
        }
    }
}

static void compare(struct run *run, stoa_transaction *transaction, const struct model *model) {
    for (int i = 0; i < TABLES; i++) {
        const struct model_table *table = &model->tables[i];
        assert_int_equal(stoa_table_exists(run->world->db, transaction, names[i]), table->exists);
        if (table->exists) {
            assert_int_equal(table_rows(run->world, transaction, names[i], 0), table->rows);
            if (!table->durable) {
                table_assert_range(run->world, transaction, names[i], 0, table->rows);
            }
        }
    }
}

struct history {
    int count;
    int64_t ids[4 * SNAPSHOTS];
    int64_t rows[4 * SNAPSHOTS];
};
static stoa_status note(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    struct history *history = user;
    (void)err;
    assert_true(history->count < 4 * SNAPSHOTS);
    history->ids[history->count] = info->snapshot_id;
    history->rows[history->count++] = info->row_count;
    return STOA_OK;
}

static void compare_history(struct run *run, int which) {
    stoa_error err = STOA_ERROR_NONE;
    const struct model_table *table = &run->committed.tables[which];
    struct history history = {.count = 0};
    ok(stoa_table_snapshots(run->world->db, names[which], note, &history, &err));
    assert_true(history.count >= table->snapshot_count);
    int skipped = history.count - table->snapshot_count;
    for (int i = 0; i < table->snapshot_count; i++) {
        assert_int_equal(history.rows[skipped + i], table->snapshot_rows[i]);
        assert_int_equal(table_rows(run->world, NULL, names[which], history.ids[skipped + i]),
                         table->snapshot_rows[i]);
    }
}

static void transact(struct run *run) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    struct model model = run->committed;
    bool wrote[TABLES] = {false};
    ok(stoa_transaction_begin(run->world->db, &transaction, &err));
    int count = (int)support_random_between(run->random, 1, 6);
    for (int i = 0; i < count; i++) {
        operate(run, transaction, &model, wrote);
        compare(run, transaction, &model);
    }
    if (support_random_below(run->random, 4) != 0) {
        ok(stoa_transaction_commit(transaction, &err));
        for (int i = 0; i < TABLES; i++) {
            if (wrote[i]) {
                add_snapshot(&model.tables[i]);
            }
        }
        run->committed = model;
    }
    stoa_transaction_close(transaction);
    compare(run, NULL, &run->committed);
}

static void expire(struct run *run) {
    stoa_error err = STOA_ERROR_NONE;
    int which = (int)support_random_below(run->random, TABLES);
    struct model_table *table = &run->committed.tables[which];
    if (table->exists) {
        ok(stoa_table_expire(run->world->db, names[which], INT64_MAX, NULL, &err));
        if (table->snapshot_count > 1) {
            table->snapshot_rows[0] = table->snapshot_rows[table->snapshot_count - 1];
            table->snapshot_count = 1;
        }
    }
}

static void reopen(struct run *run) {
    table_world_reopen(run->world);
    for (int i = 0; i < TABLES; i++) {
        if (!run->committed.tables[i].durable) {
            run->committed.tables[i] = (struct model_table){.exists = false};
        }
    }
    compare(run, NULL, &run->committed);
}

static void a_database_does_what_the_model_does(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    support_random random = support_random_open("table.prop_table");
    for (int k = 0; k < RUNS; k++) {
        static table_world world;
        table_world_init(&world, false);
        struct run run = {.world = &world, .random = &random};
        for (int i = 0; i < STEPS; i++) {
            uint64_t what = support_random_below(&random, 20);
            if (what == 0) {
                reopen(&run);
            } else if (what == 1) {
                expire(&run);
            } else {
                transact(&run);
            }
            int which = (int)support_random_below(&random, TABLES);
            if (run.committed.tables[which].exists) {
                compare_history(&run, which);
            }
        }
        ok(stoa_database_verify(world.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
        table_world_end(&world);
    }
}

int main(void) {
    /* Thousands of synced commits: in memory, where the system offers that. */
    if (system("test -w /dev/shm") == 0) {
        (void)setenv("STOA_TMP", "/dev/shm", 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_does_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
