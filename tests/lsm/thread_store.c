/* Everything that a store does, done at once by as many threads: single rows, commits over several tables,
 * deleted ranges, bulk loads, flushes, compactions, cancelled ones too, columns and tables that come and go,
 * checkpoints, statistics. Whoever reads meanwhile sees moments that agree with themselves and never go back;
 * nothing that was acknowledged is missing at the end. On a file system in memory, where nothing waits
 * for a disk, and on the machine's. STOA_TEST_SECONDS is how long each. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <stoa/state_maintenance.h>

#include "base/clock.h"
#include "ledger_check.h"
#include "sched/sched.h"

#ifdef __SANITIZE_THREAD__
enum { SECONDS = 7 }; /* what is ten times as slow is to meet as often */
#else
enum { SECONDS = 3 };
#endif
enum { HOLD_MS = 30, COMPACTION_MS_MAX = 20 };

struct world {
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    char directory[SUPPORT_PATH_BYTES];
    char copies[SUPPORT_PATH_BYTES];
    struct ledger ledger;
    _Atomic int64_t writes[LEDGER_WRITERS]; /* that have returned */
    _Atomic int64_t round;
    atomic_bool is_over;
};

struct worker {
    struct world *world;
    struct ledger ledger; /* the world's, but for the table that is altered: a handle of its own */
    const char *name;
    stoa_status (*step)(struct worker *worker, stoa_error *err);
    pthread_t thread;
    support_random random;
    int64_t number; /* of a writer */
    int64_t steps;
    struct ledger_moment moment; /* that a reader saw last */
    int64_t last_table;
    bool has_failed;
};

static stoa_status open_ledger(const struct world *world, const char *directory, bool read_only,
                               struct ledger *out, stoa_error *err) {
    const stoa_store_options options = {
        .context = {.pool = world->pool, .sched = world->sched},
        .file_systems = world->file_systems,
        .directory = directory,
        .create = !read_only,
        .read_only = read_only,
        .settings = {.memtable_bytes = 96 << 10, .log_segment_bytes = 64 << 10, .interval_ms = 5},
    };
    return ledger_open(out, &options, err);
}

static stoa_durability any_durability(support_random *random) {
    const uint64_t dice = support_random_below(random, 100);
    return dice == 0   ? STOA_DURABILITY_SYNC
           : dice < 30 ? STOA_DURABILITY_INTERVAL
                       : STOA_DURABILITY_BUFFERED;
}

static void nap(int64_t ms) {
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- Who writes ------------------------------------------------------------------------------- */

static stoa_status write_slot(struct worker *worker, stoa_error *err) {
    _Atomic int64_t *writes = &worker->world->writes[worker->number];
    const int64_t n = atomic_load_explicit(writes, memory_order_relaxed) + 1;
    STOA_TRY(ledger_write(&worker->ledger, worker->number, n,
                          any_durability(&worker->random), err));
    atomic_store_explicit(writes, n, memory_order_release); /* pairs with acknowledged() */
    return STOA_OK;
}

static stoa_status transfer(struct worker *worker, stoa_error *err) {
    const stoa_status status = ledger_transfer(&worker->ledger, &worker->random,
                                               any_durability(&worker->random), err);
    return status == STOA_CONFLICT ? STOA_OK : status; /* the columns were altered meanwhile */
}

static stoa_status renew(struct worker *worker, stoa_error *err) {
    struct world *world = worker->world;
    const int64_t round = atomic_load_explicit(&world->round, memory_order_relaxed) + 1;
    STOA_TRY(support_random_below(&worker->random, 10) == 0
                 ? ledger_renew_in_bulk(&worker->ledger, round, err)
                 : ledger_renew(&worker->ledger, round, any_durability(&worker->random), err));
    atomic_store_explicit(&world->round, round, memory_order_release);
    return STOA_OK;
}

/* ---- Who reads -------------------------------------------------------------------------------- */

static void acknowledged(struct world *world, struct ledger_moment *out) {
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        out->writes[i] = atomic_load_explicit(&world->writes[i], memory_order_acquire);
    }
    out->round = atomic_load_explicit(&world->round, memory_order_acquire);
}

static stoa_status read_moments(struct worker *worker, stoa_error *err) {
    acknowledged(worker->world, &worker->moment);
    return ledger_check(&worker->ledger, &worker->random, &worker->moment, err);
}

/* What a snapshot sees stays as it was, whatever is compacted meanwhile. */
static stoa_status hold_snapshot(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    stoa_state_snapshot *snapshot = NULL;
    struct ledger_moment before = {.round = 0}, after = {.round = 0};
    STOA_TRY(stoa_state_snapshot_create(ledger->accounts, &snapshot, err));
    stoa_status status = ledger_check_at(ledger, snapshot, &worker->random, &before, err);
    if (status == STOA_OK) {
        nap(HOLD_MS);
        status = ledger_check_at(ledger, snapshot, &worker->random, &after, err);
    }
    stoa_state_snapshot_close(snapshot);
    if (status == STOA_OK && memcmp(&before, &after, sizeof before) != 0) {
        status = stoa_fail(err, STOA_INTERNAL, "a snapshot has changed");
    }
    return status;
}

/* Without a snapshot each table agrees with itself. */
static stoa_status read_tables(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    struct ledger_moment found;
    int64_t known = 0;
    acknowledged(worker->world, &worker->moment);
    STOA_TRY(ledger_check_accounts(ledger, NULL, &worker->random, err));
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        STOA_TRY(ledger_count_writes(ledger, i, NULL, &worker->random, &found.writes[i], err));
    }
    STOA_TRY(ledger_check_rounds(ledger, NULL, -1, &worker->random, &found.round, err));
    STOA_TRY(ledger_round_of_slots(ledger, NULL, &known, err));
    if (known < found.round) {
        return stoa_fail(err, STOA_INTERNAL, "half of a commit is there");
    }
    return ledger_check_order(&worker->moment, &found, err);
}

/* ---- Who looks after the tables --------------------------------------------------------------- */

static stoa_status compact(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    support_random *random = &worker->random;
    stoa_state *const tables[] = {ledger->accounts, ledger->slots, ledger->rounds};
    const uint64_t table = support_random_below(random, 3);
    const stoa_cell from = {.i = support_random_between(random, 0, LEDGER_ACCOUNTS)};
    const bool bounded = table == 0 && support_random_bool(random);
    stoa_cancel *cancel = NULL;
    STOA_TRY(stoa_cancel_create(NULL, &cancel, err));
    if (support_random_bool(random)) {
        stoa_cancel_set_timeout(cancel, support_random_between(random, 0, COMPACTION_MS_MAX));
    }
    const stoa_context context = {.pool = worker->world->pool, .cancel = cancel};
    const stoa_status status = stoa_state_compact(tables[table], &from, bounded, NULL, 0, &context,
                                                  err);
    stoa_cancel_close(cancel);
    return status == STOA_CANCELLED ? STOA_OK : status;
}

static stoa_status maintain(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    nap(support_random_between(&worker->random, 1, 10));
    switch (support_random_below(&worker->random, 4)) {
    case 0: return stoa_state_flush(ledger->rounds, err);
    case 1: return stoa_state_sync(ledger->rounds, err);
    default: return compact(worker, err);
    }
}

static stoa_status count(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    stoa_state *const tables[] = {ledger->accounts, ledger->slots, ledger->rounds};
    stoa_state_statistics statistics;
    stoa_text *text = NULL;
    nap(2);
    for (int i = 0; i < 3; i++) {
        stoa_state_table_statistics table;
        stoa_state_table_statistics_get(tables[i], &table);
        if (table.row_count < 0 || table.read_amplification < 0) {
            return stoa_fail(err, STOA_INTERNAL, "statistics of table %d are none", i);
        }
    }
    stoa_state_statistics_get(ledger->slots, &statistics);
    STOA_TRY(stoa_text_create(ledger->pool, &text, err));
    const stoa_status status = stoa_state_prometheus(ledger->slots, text, err);
    stoa_text_close(text);
    return status;
}

/* A table that comes, has a row, and goes. */
static stoa_status make_table(struct worker *worker, stoa_error *err) {
    const struct ledger *ledger = &worker->ledger;
    const int64_t id = 100 + ++worker->last_table;
    const stoa_schema *schema = NULL;
    stoa_state *table = NULL;
    int64_t rows = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_parse(ledger->pool, "k long not null", &schema, err));
    STOA_CHECK(stoa_store_create_table(ledger->store, id, schema,
                                       &(stoa_state_table_options){.key = "k"}, err));
    STOA_CHECK(stoa_store_open_table(ledger->store, id, &table, err));
    STOA_CHECK(stoa_state_put(table, &(stoa_cell){.i = id}, STOA_DURABILITY_DEFAULT, err));
    STOA_CHECK(stoa_store_drop_table(ledger->store, id, err));
    STOA_CHECK(stoa_state_count(table, &(stoa_state_scan_options){0}, &rows, err));
    if (rows != 1 || stoa_state_put(table, &(stoa_cell){.i = 0}, STOA_DURABILITY_DEFAULT, err) !=
                         STOA_NOT_FOUND) {
        status = stoa_fail(err, STOA_INTERNAL, "a dropped table has %d rows or is written to",
                           (int)rows);
    }

done:
    stoa_state_close(table);
    stoa_schema_close(schema);
    return status;
}

static stoa_status alter(struct worker *worker, stoa_error *err) {
    nap(support_random_between(&worker->random, 5, 40));
    STOA_TRY(make_table(worker, err));
    const stoa_status status = ledger_alter(&worker->ledger, err);
    return status == STOA_CONFLICT ? STOA_OK : status; /* its memory was never empty */
}

/* A copy has all that had returned before, and is of one moment. */
static stoa_status copy(struct worker *worker, stoa_error *err) {
    struct world *world = worker->world;
    struct ledger ledger;
    struct ledger_moment moment;
    char directory[SUPPORT_PATH_BYTES + 24];
    nap(100);
    (void)snprintf(directory, sizeof directory, "%s/%" PRId64, world->copies, worker->steps);
    acknowledged(world, &moment);
    STOA_TRY(stoa_state_checkpoint(world->ledger.rounds, directory, NULL, err));
    STOA_TRY(open_ledger(world, directory, support_random_bool(&worker->random), &ledger, err));
    const stoa_status status = ledger_check(&ledger, &worker->random, &moment, err);
    ledger_close(&ledger);
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------ */

/* A handle is good until the columns are altered, and then the table is opened again. */
static stoa_status take_step(struct worker *worker, stoa_error *err) {
    worker->ledger = worker->world->ledger;
    STOA_TRY(stoa_store_open_table(worker->ledger.store, ledger_tables[0].id,
                                   &worker->ledger.accounts, err));
    const stoa_status status = worker->step(worker, err);
    stoa_state_close(worker->ledger.accounts);
    return status == STOA_CONFLICT && strstr(err->message, "open it again") != NULL ? STOA_OK
                                                                                    : status;
}

static void *work(void *user) {
    struct worker *worker = user;
    stoa_error err = STOA_ERROR_NONE;
    while (!atomic_load_explicit(&worker->world->is_over, memory_order_acquire)) {
        if (take_step(worker, &err) != STOA_OK) {
            print_error("%s: %s\n", worker->name, err.message);
            worker->has_failed = true;
            atomic_store_explicit(&worker->world->is_over, true, memory_order_release);
        } else {
            worker->steps++;
        }
    }
    return NULL;
}

static void open_world(struct world *world, bool in_memory) {
    stoa_error err;
    memset(world, 0, sizeof *world);
    world->pool = support_pool_open();
    if (in_memory) {
        (void)strcpy(world->directory, "memory:/ledger");
        (void)strcpy(world->copies, "memory:/copies");
    } else {
        support_temp_directory(world->directory);
        support_temp_directory(world->copies);
    }
    assert_ok(stoa_sched_create(world->pool, &(stoa_sched_options){.threads = 2}, &world->sched,
                                &err),
              err);
    assert_ok(stoa_fs_registry_create(world->pool, &world->file_systems, &err), err);
    assert_ok(open_ledger(world, world->directory, false, &world->ledger, &err), err);
}

static void close_world(struct world *world) {
    ledger_close(&world->ledger);
    stoa_fs_registry_close(world->file_systems);
    stoa_sched_close(world->sched);
    support_pool_close(world->pool);
}

/* Nothing is missing, and nothing is there that nobody wrote. */
static void check_end(struct world *world, support_random *random) {
    struct ledger_moment expected, found = {.round = 0};
    stoa_error err;
    acknowledged(world, &expected);
    assert_ok(ledger_check(&world->ledger, random, &found, &err), err);
    assert_ok(ledger_check_order(&expected, &found, &err), err);
    assert_int_equal(found.round, expected.round);
    for (int i = 0; i < LEDGER_WRITERS;
         i++) { /* a slot that was empty is emptied: nobody sees it */
        assert_in_range(found.writes[i], expected.writes[i], expected.writes[i] + 1);
    }
}

static int64_t milliseconds_to_run(void) {
    const char *text = getenv("STOA_TEST_SECONDS");
    return 1000 * (text != NULL && text[0] != '\0' ? strtoll(text, NULL, 10) : SECONDS);
}

static bool run(struct world *world, struct worker *workers, int count, support_random *random) {
    bool is_good = true;
    for (int i = 0; i < count; i++) {
        workers[i].world = world;
        workers[i].random.state = support_random_u64(random);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    const int64_t end = stoa_clock_monotonic_ns() / 1000000 + milliseconds_to_run();
    while (stoa_clock_monotonic_ns() / 1000000 < end && !atomic_load(&world->is_over)) {
        nap(10);
    }
    atomic_store_explicit(&world->is_over, true, memory_order_release);
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        print_message("%s: %" PRId64 "\n", workers[i].name, workers[i].steps);
        is_good = is_good && !workers[i].has_failed;
    }
    return is_good;
}

static void check_everything_at_once(bool in_memory) {
    struct worker workers[] = {
        {.name = "writes", .step = write_slot, .number = 0},
        {.name = "writes", .step = write_slot, .number = 1},
        {.name = "transfers", .step = transfer},
        {.name = "transfers", .step = transfer},
        {.name = "rounds", .step = renew},
        {.name = "moments", .step = read_moments},
        {.name = "snapshots", .step = hold_snapshot},
        {.name = "scans", .step = read_tables},
        {.name = "maintenance", .step = maintain},
        {.name = "alterations", .step = alter},
        {.name = "statistics", .step = count},
        {.name = "checkpoints", .step = copy},
    };
    support_random random = support_random_open("lsm.thread_store");
    static struct world world;
    stoa_error err;
    open_world(&world, in_memory);
    assert_true(run(&world, workers, sizeof workers / sizeof *workers, &random));
    stoa_state_close(world.ledger.accounts);
    assert_ok(stoa_store_open_table(world.ledger.store, ledger_tables[0].id,
                                    &world.ledger.accounts, &err),
              err);
    check_end(&world, &random);
    ledger_close(&world.ledger);
    assert_ok(open_ledger(&world, world.directory, false, &world.ledger, &err), err);
    check_end(&world, &random);
    close_world(&world);
}

static void test_everything_at_once_in_memory(void **state) {
    (void)state;
    check_everything_at_once(true);
}

static void test_everything_at_once_on_disk(void **state) {
    (void)state;
    check_everything_at_once(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_at_once_in_memory),
        cmocka_unit_test(test_everything_at_once_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
