/* Transactions while memory runs out, and while the machine goes down: all of one is there, or nothing,
 * and what was acknowledged stays. */
#include "transaction_support.h"

enum { COMMITS = 3 };

struct scene {
    struct bank bank;
    int64_t acknowledged; /* commits */
};

/* `boot` names the machine's run: the log believes more of what was written in the present one. */
static void begin_in(support_world *world, const char *boot, struct scene *scene) {
    stoa_error err;
    scene->bank = (struct bank){.store = {.pool = world->pool,
                                          .file_systems = world->registry,
                                          .directory = "test:/db",
                                          .boot = boot,
                                          .settings = {.no_background = true}}};
    assert_ok(stoa_sched_create(world->pool, &(stoa_sched_options){.threads = 1},
                                &scene->bank.store.sched, &err),
              err);
}

static void end(struct scene *scene) {
    bank_close(&scene->bank);
    stoa_sched_close(scene->bank.store.sched);
}

/* Makes the tables; leaves the store open where `user` wants it. */
static stoa_status prepare_open(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    (void)err;
    scene->acknowledged = 0;
    begin_in(world, "first", scene);
    bank_open(&scene->bank);
    return STOA_OK;
}

/* With a row, so that there is a log. */
static stoa_status prepare_closed(support_world *world, void *user, stoa_error *err) {
    const struct scene *scene = user;
    STOA_TRY(prepare_open(world, user, err));
    const stoa_status status = bank_put(NULL, scene->bank.totals, 9, 9, err);
    end(user);
    return status;
}

/* ---- Memory ----------------------------------------------------------------------------------- */

static stoa_status write_and_go_back(const struct bank *bank, stoa_state_transaction *transaction,
                                     stoa_error *err) {
    const stoa_cell key = {.i = 1};
    int32_t savepoint;
    bool found;
    STOA_TRY(bank_put(transaction, bank->totals, 1, 1, err));
    STOA_TRY(bank_put(transaction, bank->others, 1, 1, err));
    STOA_TRY(stoa_state_transaction_savepoint(transaction, &savepoint, err));
    STOA_TRY(bank_add(transaction, bank->totals, 1, 5, err));
    STOA_TRY(stoa_state_transaction_get_for_update(transaction, bank->totals, &key, bank->rows[0],
                                                   &found, err));
    return stoa_state_transaction_rollback_to(transaction, savepoint, err);
}

static stoa_status transact(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    stoa_state_transaction *transaction;
    (void)world;
    STOA_TRY(stoa_state_transaction_begin(scene->bank.totals, &transaction, err));
    stoa_status status = write_and_go_back(&scene->bank, transaction, err);
    if (status == STOA_OK) {
        status = stoa_state_transaction_commit(transaction, STOA_DURABILITY_DEFAULT, err);
    }
    stoa_state_transaction_close(transaction);
    return status;
}

static void check_all_or_nothing(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    const int64_t expected = status == STOA_OK ? 1 : NONE;
    (void)world;
    assert_int_equal(bank_total(&scene->bank, scene->bank.totals, 1), expected);
    assert_int_equal(bank_total(&scene->bank, scene->bank.others, 1), expected);
    end(scene);
}

static void test_failing_allocations_leave_nothing_of_a_transaction(void **state) {
    struct scene scene;
    (void)state;
    assert_true(support_fail_each_allocation(prepare_open, transact, check_all_or_nothing, &scene) >
                10);
}

/* ---- Power ------------------------------------------------------------------------------------ */

static stoa_status add_to_both(struct scene *scene, stoa_state *totals, stoa_state *others,
                               stoa_error *err) {
    stoa_state_transaction *transaction;
    STOA_TRY(stoa_state_transaction_begin(totals, &transaction, err));
    stoa_status status = bank_add(transaction, totals, 1, 1, err);
    if (status == STOA_OK) {
        status = bank_add(transaction, others, 1, 1, err);
    }
    if (status == STOA_OK) {
        status = stoa_state_transaction_commit(transaction, STOA_DURABILITY_SYNC, err);
    }
    stoa_state_transaction_close(transaction);
    scene->acknowledged += status == STOA_OK ? 1 : 0;
    return status;
}

static stoa_status commit_some(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    stoa_state *totals = NULL, *others = NULL;
    stoa_status status = STOA_OK;
    begin_in(world, "second", scene);
    STOA_CHECK(store_test_open_as(&scene->bank.store, false, err));
    STOA_CHECK(stoa_store_open_table(scene->bank.store.store, TOTALS, &totals, err));
    STOA_CHECK(stoa_store_open_table(scene->bank.store.store, OTHERS, &others, err));
    for (int i = 0; i < COMMITS; i++) {
        STOA_CHECK(add_to_both(scene, totals, others, err));
    }

done:
    stoa_state_close(totals);
    stoa_state_close(others);
    stoa_store_close(scene->bank.store.store);
    stoa_sched_close(scene->bank.store.sched);
    return status;
}

static void check_commits(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    begin_in(world, "third", scene);
    bank_open(&scene->bank);
    const int64_t total = bank_total(&scene->bank, scene->bank.totals, 1);
    assert_int_equal(bank_total(&scene->bank, scene->bank.others, 1), total);
    const int64_t commits = total == NONE ? 0 : total;
    assert_true(commits >= scene->acknowledged && commits <= scene->acknowledged + 1);
    assert_true(status != STOA_OK || commits == COMMITS);
    end(scene);
}

/* Goes down at the nth call of the file system; false: the work was done before. */
static bool go_down(uint64_t nth, stoa_crash_mode mode) {
    support_world world;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    support_world_open(&world);
    assert_ok(prepare_closed(&world, &scene, &err), err);
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = nth, .fails_on = true});
    const stoa_status status = commit_some(&world, &scene, &err);
    const bool went_down = stoa_fault_happened(world.fault);
    support_world_crash(&world, mode, nth);
    check_commits(&world, &scene, status);
    support_world_close(&world);
    return went_down;
}

static void test_a_machine_that_goes_down_keeps_what_was_acknowledged(void **state) {
    static const stoa_crash_mode modes[] = {STOA_CRASH_DROP, STOA_CRASH_KEEP, STOA_CRASH_TEAR};
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint64_t nth = 1;
        while (go_down(nth, modes[i])) {
            nth++;
        }
        assert_true(nth > 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations_leave_nothing_of_a_transaction),
        cmocka_unit_test(test_a_machine_that_goes_down_keeps_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
