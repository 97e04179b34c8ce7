/* Manifests when the machine goes down at any call: what was acknowledged is there, and of the edit that
 * was under way all or nothing. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manifest_history.h"

enum { SEEDS = 6, KILLS = 12 };

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

/* ---- Processes that are killed ---------------------------------------------------------------- */

/* Edit i takes file i away and brings file i + 1. */
static stoa_status replace_file(stoa_manifest *manifest, uint64_t i, stoa_error *err) {
    const stoa_manifest_table table = {1, "{}"};
    const stoa_manifest_removal removal = {1, i};
    const stoa_manifest_file file = {.table_id = 1, .info = {.number = i + 1}};
    const stoa_manifest_edit edit = {.tables = &table,
                                     .table_count = i == 0,
                                     .removed = &removal,
                                     .removed_count = i > 0,
                                     .added = &file,
                                     .added_count = 1,
                                     .next_file = i + 2};
    return stoa_manifest_append(manifest, &edit, err);
}

/* Goes on from what it finds, and tells the number of every file whose edit was acknowledged. */
static void write_until_killed(const char *directory, int acknowledged) {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_manifest *manifest;
    if (stoa_pool_create(0, NULL, &pool, NULL) != STOA_OK ||
        stoa_fs_registry_create(pool, &registry, NULL) != STOA_OK) {
        _exit(1);
    }
    const stoa_manifest_options options = {.context = {.pool = pool},
                                           .file_systems = registry,
                                           .directory = directory,
                                           .create = true,
                                           .checkpoint_bytes = 1};
    stoa_status status = stoa_manifest_open(&options, &manifest, NULL);
    while (status == STOA_OK) {
        const uint64_t next = stoa_manifest_state_of(manifest)->next_file - 1;
        status = replace_file(manifest, next, NULL);
        if (status == STOA_OK && write(acknowledged, &(uint64_t){next + 1}, 8) != 8) {
            _exit(0); /* the test is gone */
        }
    }
    _exit(1);
}

/* Lets a process write for a while; returns the last number that it told before it was killed. */
static uint64_t kill_one(support_random *random, const char *directory) {
    uint64_t last = 0, number;
    int pipe_ends[2], status;
    assert_int_equal(pipe(pipe_ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_ends[0]);
        write_until_killed(directory, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &last, sizeof last), sizeof last);
    usleep((unsigned)support_random_below(random, 60000));
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(pipe_ends[0], &number, sizeof number) == sizeof number) {
        last = number;
    }
    close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void kills_lose_nothing_acknowledged(void **state) {
    support_random random = support_random_open("lsm.crash_manifest");
    support_world world;
    char directory[SUPPORT_PATH_BYTES];
    (void)state;
    support_world_open(&world);
    support_temp_directory(directory);
    for (int i = 0; i < KILLS; i++) {
        const uint64_t last = kill_one(&random, directory);
        const stoa_manifest_options options = {.context = {.pool = world.pool},
                                               .file_systems = world.registry,
                                               .directory = directory,
                                               .create = true};
        stoa_manifest *manifest;
        stoa_error err;
        assert_ok(stoa_manifest_open(&options, &manifest, &err), err);
        const stoa_manifest_state *found = stoa_manifest_state_of(manifest);
        assert_int_equal(found->file_count, 1);
        assert_int_equal(found->files[0].info.number, found->next_file - 1);
        assert_in_range(found->files[0].info.number, last, last + 1);
        stoa_manifest_close(manifest);
    }
    support_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_lose_nothing_acknowledged),
        cmocka_unit_test(crashes_after_reopening),
        cmocka_unit_test(what_a_writer_found_stays),
        cmocka_unit_test(kills_lose_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
