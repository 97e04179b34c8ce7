/* Compactions that run beside each other on one scheduler: each over ranges of keys, or over one range
 * whose stripes are encoded by others; with a limiter that they share, and one that is cancelled. */
#include <stoa/sched.h>

#include "compaction_table.h"

enum { KEYS = 6000, FILES = 4, ROWS = 2500, ROUNDS = 4, RUNS = 4 };

struct world {
    support_world base;
    struct compaction_table table;
    struct logged_rows log;
    stoa_version *version;
    stoa_compactions running;
    stoa_sched *sched;
    stoa_rate_limiter *limiter;
    int64_t keys; /* that are there in the end */
};

struct run {
    struct world *world;
    const stoa_compaction *compaction;
    stoa_cancel *cancel;
    int64_t written;
};

/* Operands change nothing but their key's place in the world: sums always fit. */
static void make_log(struct world *world, support_random *random) {
    static stoa_operation newest[KEYS];
    static bool is_there[KEYS];
    memset(is_there, 0, sizeof is_there);
    for (int64_t i = 0; i < FILES * ROWS; i++) {
        struct logged *row = logged_add(&world->log);
        const uint64_t what = support_random_below(random, 10);
        row->sequence = (uint64_t)i + 1;
        row->key = (int32_t)support_random_below(random, KEYS);
        row->number = row->time_ms = -1;
        row->operation = what == 0  ? STOA_OPERATION_DELETE
                         : what < 4 ? STOA_OPERATION_MERGE
                                    : STOA_OPERATION_PUT;
        newest[row->key] = row->operation;
        is_there[row->key] = true;
    }
    for (int32_t i = 0; i < KEYS; i++) {
        world->keys += is_there[i] && newest[i] != STOA_OPERATION_DELETE;
    }
}

static void open_world(struct world *world, support_random *random, int round) {
    const stoa_sched_options options = {.threads = 4};
    stoa_table_file *files[COMPACTION_FILES_MAX];
    int64_t count = 0;
    stoa_version *empty;
    stoa_error err;
    memset(world, 0, sizeof *world);
    support_world_open(&world->base);
    assert_ok(compaction_table_open(&world->base, false, false, &world->table, &err), err);
    make_log(world, random);
    for (int64_t i = 0; i < FILES; i++) {
        assert_ok(compaction_write(&world->table, world->log.rows + i * ROWS, ROWS, 0, 0, 64, files,
                                   &count, &err),
                  err);
    }
    assert_ok(stoa_version_create(world->base.pool, &empty, &err), err);
    assert_ok(stoa_version_apply(empty, NULL, 0, files, count, &world->version, &err), err);
    stoa_version_release(empty);
    for (int64_t i = 0; i < count; i++) {
        stoa_table_file_release(files[i]);
    }
    assert_ok(stoa_sched_create(world->base.pool, &options, &world->sched, &err), err);
    assert_ok(stoa_rate_limiter_create(world->base.pool, round % 2 == 0 ? 0 : 50000000,
                                       &world->limiter, &err),
              err);
}

static void close_world(struct world *world) {
    stoa_sched_close(world->sched);
    stoa_rate_limiter_close(world->limiter);
    stoa_version_release(world->version);
    logged_release(&world->log);
    compaction_table_close(&world->table);
    support_world_close(&world->base);
}

static stoa_status run_one(void *user, stoa_error *err) {
    static const uint64_t snapshots[] = {UINT64_MAX};
    struct run *run = user;
    struct world *world = run->world;
    const stoa_compaction_options options = {
        .context = {.pool = world->base.pool, .sched = world->sched, .cancel = run->cancel},
        .file_systems = world->base.registry,
        .directory = COMPACTION_DIRECTORY,
        .definition = world->table.definition,
        .programs = world->table.programs,
        .snapshots = snapshots,
        .snapshot_count = 1,
        .new_file = compaction_new_file,
        .new_file_user = &world->table,
        .limiter = world->limiter,
    };
    stoa_compaction_result result;
    STOA_TRY(stoa_compaction_run(run->compaction, &options, &result, err));
    for (int64_t i = 0; i < result.file_count; i++) {
        run->written += result.files[i]->info.row_count;
        atomic_store(&result.files[i]->is_obsolete, true);
    }
    stoa_compaction_result_release(&result);
    return STOA_OK;
}

static void run_all(struct world *world, const stoa_compaction *compaction,
                    support_random *random) {
    struct run runs[RUNS];
    stoa_future *futures[RUNS];
    stoa_cancel *cancel;
    stoa_error err;
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    for (int i = 0; i < RUNS; i++) {
        runs[i] = (struct run){world, compaction, i == 0 ? cancel : NULL, 0};
        assert_ok(stoa_sched_submit(world->sched, run_one, &runs[i], NULL, &futures[i], &err), err);
    }
    stoa_cancel_set_timeout(cancel, (int64_t)support_random_below(random, 4));
    for (int i = 0; i < RUNS; i++) {
        const stoa_status status = stoa_future_wait(futures[i], -1, &err);
        stoa_future_close(futures[i]);
        if (i > 0 || status != STOA_CANCELLED) {
            assert_ok(status, err);
            assert_int_equal(runs[i].written, world->keys);
        }
    }
    stoa_cancel_close(cancel);
}

static void compactions_run_beside_each_other(void **state) {
    support_random random = support_random_open("lsm.thread_compaction");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct world world;
        stoa_compaction_policy policy;
        stoa_compaction *compaction;
        bool must_wait;
        stoa_error err;
        open_world(&world, &random, round);
        stoa_compaction_policy_init(&policy, world.table.definition, 1000);
        policy.file_bytes = round < 2 ? 5000 : UINT64_MAX;
        assert_ok(stoa_compaction_pick_range(world.base.pool, world.version, &policy, NULL, true,
                                             &world.running, &compaction, &must_wait, &err),
                  err);
        run_all(&world, compaction, &random);
        stoa_compaction_close(compaction);
        assert_int_equal(compaction_files_in(&world.base), FILES);
        close_world(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compactions_run_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
