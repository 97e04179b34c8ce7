/* Stores on machines that go down, and on disks that fail or are full.
 *
 * Every commit is a state of the model. What is there after the machine was started again is one of these
 * states, whole: not older than the last one that was made durable, not newer than what was under way.
 * STOA_TEST_SECONDS is how long machines are tried. */
#include <stdlib.h>

#include "base/clock.h"
#include "store_model.h"

enum { COMMITS_MAX = 120, LIVES = 5, SECONDS = 4, CALLS_MAX = 150, SPACE_MAX = 300 << 10 };

struct machine {
    support_world disk;
    struct model_keys keys;
    struct model_store store;
    char boot[32];
    int life;
    struct model states[COMMITS_MAX + 1]; /* the first: what was there when the life began */
    int64_t last;                         /* that was tried */
    int64_t acknowledged;
    int64_t durable;
};

static const char *const MODES[] = {"drop", "keep", "tear"};

/* ---- Machines --------------------------------------------------------------------------------- */

static void start_machine(struct machine *machine, support_random *random) {
    stoa_error err;
    memset(machine, 0, sizeof *machine);
    support_world_open(&machine->disk);
    model_keys_make(random, &machine->keys);
    machine->store = (struct model_store){
        .pool = machine->disk.pool,
        .file_systems = machine->disk.registry,
        .directory = "test:/db/state",
        .boot = machine->boot,
        .settings = {.memtable_bytes = 128 << 10,
                     .log_segment_bytes = 16 << 10,
                     .no_background = support_random_below(random, 3) == 0},
        .keys = &machine->keys,
        .now_ms = 1000000,
    };
    struct model_store *store = &machine->store;
    store->settings.clock_ms = model_clock;
    store->settings.clock_user = store;
    const stoa_sched_options threads = {.threads = 2};
    assert_ok(stoa_sched_create(store->pool, &threads, &store->sched, &err), err);
    (void)snprintf(machine->boot, sizeof machine->boot, "boot 0");
    assert_ok(model_store_open(store, &err), err);
}

static void end_machine(struct machine *machine) {
    model_store_close(&machine->store);
    stoa_sched_close(machine->store.sched);
    support_world_close(&machine->disk);
}

/* Nothing reaches the disk any more; then what was not synced is lost. */
static void go_down(struct machine *machine, stoa_crash_mode mode, uint64_t seed) {
    if (!stoa_fault_happened(machine->disk.fault)) {
        stoa_fault_plan(machine->disk.fault, &(stoa_fault_options){.fail_at = 1, .fails_on = true});
    }
    model_store_close(&machine->store);
    support_world_crash(&machine->disk, mode, seed);
    machine->life++;
    (void)snprintf(machine->boot, sizeof machine->boot, "boot %d", machine->life);
}

/* ---- Work ------------------------------------------------------------------------------------- */

static stoa_status write_one(const struct machine *machine, struct model *model,
                             support_random *random, stoa_durability durability, stoa_error *err) {
    const struct model_store *store = &machine->store;
    const uint64_t what = support_random_below(random, 20);
    const int table = (int)support_random_below(random, MODEL_TABLES);
    const int key = (int)support_random_below(random, MODEL_KEYS);
    if (what < 6) {
        return model_write_batch(store, model, support_random_u64(random), durability, err);
    }
    if (what == 6) {
        const int to = key + 1 + (int)support_random_below(random, (uint64_t)(MODEL_KEYS - key));
        return model_delete_range(store, model, table, key, to, durability, err);
    }
    struct model_write write;
    model_write_make(store, model, (model_operation)support_random_below(random, 3), table, key,
                     support_random_u64(random), &write);
    model_write_apply(model, &write);
    return model_write_alone(store, &write, durability, err);
}

static stoa_status commit(struct machine *machine, support_random *random, stoa_error *err) {
    const stoa_durability durability = STOA_DURABILITY_BUFFERED +
                                       (stoa_durability)support_random_below(random, 3);
    machine->states[machine->last + 1] = machine->states[machine->last];
    machine->last++;
    STOA_TRY(write_one(machine, &machine->states[machine->last], random, durability, err));
    machine->acknowledged = machine->last;
    if (durability == STOA_DURABILITY_SYNC) {
        machine->durable = machine->last;
    }
    return STOA_OK;
}

static stoa_status maintain(struct machine *machine, support_random *random, stoa_error *err) {
    stoa_state *state = machine->store.tables[support_random_below(random, MODEL_TABLES)];
    const uint64_t what = support_random_below(random, 8);
    if (what == 0) {
        return stoa_state_compact(state, NULL, 0, NULL, 0, NULL, err);
    }
    if (what == 1) {
        return stoa_state_settle(state, err);
    }
    STOA_TRY(what < 6 ? stoa_state_flush(state, err) : stoa_state_sync(state, err));
    machine->durable = machine->last;
    return STOA_OK;
}

/* Until something fails. */
static stoa_status work(struct machine *machine, support_random *random, stoa_error *err) {
    for (int64_t left = (int64_t)support_random_below(random, COMMITS_MAX); left > 0; left--) {
        STOA_TRY(support_random_below(random, 8) == 0 ? maintain(machine, random, err)
                                                      : commit(machine, random, err));
    }
    return STOA_OK;
}

/* ---- What is left ----------------------------------------------------------------------------- */

/* The newest state that the store is as; -1: none. The error says how it differs from the newest. */
static int64_t find_state(const struct machine *machine, stoa_error *err) {
    int64_t found = machine->last;
    stoa_status status = model_check(&machine->store, &machine->states[found], err);
    while (status != STOA_OK && --found >= 0) {
        status = model_check(&machine->store, &machine->states[found], NULL);
    }
    return found;
}

/* Another process finds the same. */
static void reopen(struct machine *machine) {
    stoa_error err;
    model_store_close(&machine->store);
    assert_ok(model_store_open(&machine->store, &err), err);
    assert_ok(model_check(&machine->store, &machine->states[machine->last], &err), err);
}

static void check_life(struct machine *machine, stoa_crash_mode mode, uint64_t call) {
    stoa_error err;
    const int64_t least = mode == STOA_CRASH_KEEP ? machine->acknowledged : machine->durable;
    assert_ok(model_store_open(&machine->store, &err), err);
    const int64_t found = find_state(machine, &err);
    if (found < least) {
        fail_msg("life %d went down at call %" PRIu64 " (%s): expected commits %" PRId64
                 " to %" PRId64 " but found %" PRId64 "; %s",
                 machine->life, call, MODES[mode], least, machine->last, found,
                 found < 0 ? err.message : "they are lost");
    }
    machine->states[0] = machine->states[found];
    machine->last = machine->acknowledged = machine->durable = 0;
}

static void live_once(struct machine *machine, support_random *random) {
    stoa_error err;
    const stoa_crash_mode mode = (stoa_crash_mode)support_random_below(random, 3);
    const uint64_t call = 1 + support_random_below(random, CALLS_MAX);
    const uint64_t seed = support_random_u64(random);
    const bool opens = support_random_below(random, 3) == 0;
    if (opens) {
        model_store_close(&machine->store);
    }
    stoa_fault_plan(machine->disk.fault, &(stoa_fault_options){.fail_at = call,
                                                               .fails_on = true,
                                                               .tears_writes = true,
                                                               .seed = seed});
    if (!opens || model_store_open(&machine->store, &err) == STOA_OK) {
        STOA_IGNORE(work(machine, random, &err));
    }
    go_down(machine, mode, seed);
    check_life(machine, mode, call);
    reopen(machine);
}

static int64_t seconds_to_run(void) {
    const char *text = getenv("STOA_TEST_SECONDS");
    return text != NULL && text[0] != '\0' ? strtoll(text, NULL, 10) : SECONDS;
}

static void test_machines_that_go_down(void **state) {
    const int64_t end = stoa_clock_monotonic_ns() + seconds_to_run() * 1000000000;
    support_random random = support_random_open("lsm.crash_store");
    struct machine *machine = malloc(sizeof *machine);
    int64_t lives = 0;
    (void)state;
    assert_non_null(machine);
    do {
        start_machine(machine, &random);
        for (int i = 0; i < LIVES; i++, lives++) {
            live_once(machine, &random);
        }
        end_machine(machine);
    } while (stoa_clock_monotonic_ns() < end);
    print_message("%" PRId64 " crashes\n", lives);
    free(machine);
}

/* ---- Disks that fail -------------------------------------------------------------------------- */

/* A write that failed has not happened, but for one whose sync failed: that is decided here. */
static void decide_failed(struct machine *machine) {
    stoa_error err;
    const int64_t found = find_state(machine, &err);
    if (found < machine->last - 1) {
        fail_msg("after a failed write: expected commit %" PRId64 " or %" PRId64
                 " but found %" PRId64 "; %s",
                 machine->last - 1, machine->last, found, err.message);
    }
    machine->states[0] = machine->states[found];
    machine->last = machine->acknowledged = machine->durable = 0;
}

/* Once there is space again, writes go on without the store being opened anew. */
static void test_full_disks_refuse_writes_until_there_is_space(void **state) {
    support_random random = support_random_open("lsm.crash_store full");
    struct machine *machine = malloc(sizeof *machine);
    int64_t failures = 0;
    (void)state;
    assert_non_null(machine);
    for (int i = 0; i < 12; i++) {
        stoa_error err;
        start_machine(machine, &random);
        stoa_fault_plan(machine->disk.fault,
                        &(stoa_fault_options){
                            .space_bytes = 1 + support_random_below(&random, SPACE_MAX)});
        for (int k = 0; k < 20; k++) {
            failures += work(machine, &random, &err) != STOA_OK;
            decide_failed(machine);
        }
        stoa_fault_plan(machine->disk.fault, NULL);
        assert_ok(commit(machine, &random, &err), err);
        assert_ok(stoa_state_flush(machine->store.tables[0], &err), err);
        assert_ok(model_check(&machine->store, &machine->states[machine->last], &err), err);
        reopen(machine);
        end_machine(machine);
    }
    assert_true(failures > 0);
    free(machine);
}

/* One call fails; whatever was refused then, the store is whole when it is opened anew. */
static void test_calls_that_fail_once(void **state) {
    support_random random = support_random_open("lsm.crash_store once");
    struct machine *machine = malloc(sizeof *machine);
    (void)state;
    assert_non_null(machine);
    for (uint64_t call = 1; call < CALLS_MAX; call += 2) {
        stoa_error err;
        start_machine(machine, &random);
        stoa_fault_plan(machine->disk.fault, &(stoa_fault_options){.fail_at = call});
        if (work(machine, &random, &err) != STOA_OK) {
            assert_int_equal(err.status, STOA_IO);
        }
        stoa_fault_plan(machine->disk.fault, NULL);
        decide_failed(machine);
        reopen(machine);
        assert_ok(commit(machine, &random, &err), err);
        end_machine(machine);
    }
    free(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines_that_go_down),
        cmocka_unit_test(test_full_disks_refuse_writes_until_there_is_space),
        cmocka_unit_test(test_calls_that_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
