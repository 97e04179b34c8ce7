/* Manifests when the machine goes down at any call: what was acknowledged is there, and of the edit that
 * was under way all or nothing. */
#include "manifest_history.h"

enum { SEEDS = 6 };

static void crashes_lose_nothing_acknowledged(void **state) {
    struct history *history = history_make(6);
    (void)state;
    assert_true(support_crash_at_each_call(NULL, history_run, history_check, SEEDS, history) > 20);
    free(history);
}

/* Half of the edits are there, durably, before the scenario begins. */
static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct history *history = user;
    const stoa_manifest_options options = history_options(world);
    stoa_manifest *manifest = NULL;
    stoa_status status = stoa_manifest_open(&options, &manifest, err);
    for (int i = 0; status == STOA_OK && i < HISTORY_EDITS / 2; i++) {
        status = stoa_manifest_append(manifest, &history->edits[i].edit, err);
    }
    stoa_manifest_close(manifest);
    return status;
}

static stoa_status go_on(support_world *world, void *user, stoa_error *err) {
    struct history *history = user;
    const stoa_manifest_options options = history_options(world);
    stoa_manifest *manifest = NULL;
    history->acknowledged = HISTORY_EDITS / 2;
    STOA_TRY(stoa_manifest_open(&options, &manifest, err));
    history->is_wrong |= !model_same(&history->models[HISTORY_EDITS / 2],
                                     stoa_manifest_state_of(manifest));
    const stoa_status status = history_append(history, manifest, HISTORY_EDITS / 2, err);
    stoa_manifest_close(manifest);
    return status;
}

static void crashes_after_reopening(void **state) {
    struct history *history = history_make(11);
    (void)state;
    assert_true(support_crash_at_each_call(prepare, go_on, history_check, SEEDS, history) > 20);
    free(history);
}

/* A process dies, and with it nothing; the next one reads what was not synced, and then the machine
 * goes down: an edit that was once seen by a writer stays. */
static void what_a_writer_found_stays(void **state) {
    struct history *history = history_make(13);
    (void)state;
    for (uint64_t call = 1; call < 200; call++) {
        support_world world;
        stoa_error err;
        stoa_manifest *manifest = NULL;
        bool is_same;
        support_world_open(&world);
        const stoa_manifest_options options = history_options(&world);
        stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = call, .fails_on = true});
        const stoa_status status = history_run(&world, history, &err);
        support_world_crash(&world, STOA_CRASH_KEEP, call);
        assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
        const int found = model_same(&history->models[history->acknowledged],
                                     stoa_manifest_state_of(manifest))
                              ? history->acknowledged
                              : history->acknowledged + 1;
        stoa_manifest_close(manifest);
        support_world_crash(&world, STOA_CRASH_DROP, call);
        assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
        is_same = model_same(&history->models[found], stoa_manifest_state_of(manifest));
        assert_true(is_same);
        stoa_manifest_close(manifest);
        support_world_close(&world);
        if (status == STOA_OK) {
            free(history);
            return;
        }
    }
    fail();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_lose_nothing_acknowledged),
        cmocka_unit_test(crashes_after_reopening),
        cmocka_unit_test(what_a_writer_found_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
