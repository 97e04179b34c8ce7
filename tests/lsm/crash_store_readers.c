/* One process writes, compacts, alters and drops tables, is killed at any time and begun again; others only
 * read meanwhile: one follows, one opens the store anew each time. Each sees whole commits, all that was
 * acknowledged before it looked, nothing that later goes away, and never an error. STOA_TEST_SECONDS is how
 * long. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger_check.h"
#include "sched/sched.h"

enum { SECONDS = 6, READERS = 3, PAUSE_MS_MAX = 400, FIRST_TABLE = 1000 };

/* What processes tell each other. */
struct told {
    _Atomic int64_t writes[LEDGER_WRITERS]; /* that have returned */
    _Atomic int64_t round;
    _Atomic int64_t next_table; /* ids from it on were never used */
    _Atomic int64_t looks[READERS];
    atomic_bool has_begun;
    atomic_bool is_over;
};

struct process {
    struct told *told;
    char directory[SUPPORT_PATH_BYTES];
    uint64_t seed;
    int number; /* of a reader, of a writer's thread */
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    struct ledger ledger;
};

/* ---- Processes -------------------------------------------------------------------------------- */

static stoa_status open_ledger(struct process *process, bool read_only, stoa_error *err) {
    const stoa_store_options options = {
        .context = {.pool = process->pool, .sched = process->sched},
        .file_systems = process->file_systems,
        .directory = process->directory,
        .create = !read_only,
        .read_only = read_only,
        .settings = {.memtable_bytes = 64 << 10, .log_segment_bytes = 32 << 10, .interval_ms = 5},
    };
    return ledger_open(&process->ledger, &options, err);
}

static stoa_status begin(struct process *process, bool read_only, stoa_error *err) {
    STOA_TRY(stoa_pool_create(0, NULL, &process->pool, err));
    STOA_TRY(stoa_sched_create(process->pool, &(stoa_sched_options){.threads = 2}, &process->sched,
                               err));
    STOA_TRY(stoa_fs_registry_create(process->pool, &process->file_systems, err));
    return open_ledger(process, read_only, err);
}

static void end(struct process *process) {
    ledger_close(&process->ledger);
    stoa_fs_registry_close(process->file_systems);
    stoa_sched_close(process->sched);
    stoa_pool_close(process->pool);
}

/* Where a process that nobody waits for with a status ends. */
static void must(stoa_status status, const char *who, const stoa_error *err) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s: %s\n", who, err->message);
        _exit(1);
    }
}

/* A handle is good until the columns are altered. */
static stoa_status open_accounts(struct process *process, stoa_error *err) {
    stoa_state_close(process->ledger.accounts);
    process->ledger.accounts = NULL;
    return stoa_store_open_table(process->ledger.store, ledger_tables[0].id,
                                 &process->ledger.accounts, err);
}

static void acknowledged(struct told *told, struct ledger_moment *out) {
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        out->writes[i] = atomic_load_explicit(&told->writes[i], memory_order_acquire);
    }
    out->round = atomic_load_explicit(&told->round, memory_order_acquire);
}

/* ---- Who writes ------------------------------------------------------------------------------- */

static void *write_slots(void *user) {
    struct process *process = user;
    _Atomic int64_t *writes = &process->told->writes[process->number];
    stoa_error err;
    for (;;) {
        const int64_t n = atomic_load(writes) + 1;
        must(ledger_write(&process->ledger, process->number, n,
                          n % 40 == 0 ? STOA_DURABILITY_SYNC : STOA_DURABILITY_BUFFERED, &err),
             "writes", &err);
        atomic_store_explicit(writes, n, memory_order_release);
    }
    return NULL;
}

static void *write_rounds(void *user) {
    struct process *process = user;
    support_random random = {process->seed};
    stoa_error err;
    for (;;) {
        const int64_t round = atomic_load(&process->told->round) + 1;
        must(support_random_below(&random, 8) == 0
                 ? ledger_renew_in_bulk(&process->ledger, round, &err)
                 : ledger_renew(&process->ledger, round, STOA_DURABILITY_BUFFERED, &err),
             "rounds", &err);
        atomic_store_explicit(&process->told->round, round, memory_order_release);
        for (uint64_t i = support_random_below(&random, 20); i > 0; i--) {
            must(open_accounts(process, &err), "transfers", &err);
            const stoa_status status = ledger_transfer(&process->ledger, &random,
                                                       STOA_DURABILITY_INTERVAL, &err);
            must(status == STOA_CONFLICT ? STOA_OK : status, "transfers", &err);
        }
    }
    return NULL;
}

static stoa_status make_table(struct process *process, stoa_error *err) {
    const int64_t id = atomic_fetch_add(&process->told->next_table, 1);
    const stoa_schema *schema = NULL;
    stoa_state *table = NULL;
    STOA_TRY(stoa_schema_parse(process->pool, "k long not null", &schema, err));
    stoa_status status = stoa_store_create_table(process->ledger.store, id, schema,
                                                 &(stoa_state_table_options){.key = "k"}, err);
    stoa_schema_close(schema);
    STOA_TRY(status);
    STOA_TRY(stoa_store_open_table(process->ledger.store, id, &table, err));
    status = stoa_state_put(table, &(stoa_cell){.i = id}, STOA_DURABILITY_DEFAULT, err);
    stoa_state_close(table);
    return status != STOA_OK || id % 2 == 0 ? status
                                            : stoa_store_drop_table(process->ledger.store, id, err);
}

static stoa_status look_after(struct process *process, support_random *random, stoa_error *err) {
    const struct ledger *ledger = &process->ledger;
    STOA_TRY(open_accounts(process, err));
    stoa_state *const tables[] = {ledger->accounts, ledger->slots, ledger->rounds};
    switch (support_random_below(random, 5)) {
    case 0: return stoa_state_flush(ledger->slots, err);
    case 1: return make_table(process, err);
    case 2: {
        const stoa_status status = ledger_alter(ledger, err);
        return status == STOA_CONFLICT ? STOA_OK : status;
    }
    default:
        return stoa_state_compact(tables[support_random_below(random, 3)], NULL, 0, NULL, 0, NULL,
                                  err);
    }
}

/* What is there is what was acknowledged, and of each thread at most the write that was under way. */
static void check_beginning(struct process *process, support_random *random) {
    struct ledger_moment expected, found;
    stoa_error err;
    acknowledged(process->told, &expected);
    found = expected;
    must(ledger_check(&process->ledger, random, &found, &err), "writer", &err);
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        if (found.writes[i] > expected.writes[i] + 2) {
            must(stoa_fail(&err, STOA_INTERNAL, "writes that were never made"), "writer", &err);
        }
        atomic_store(&process->told->writes[i], found.writes[i]);
    }
    if (found.round > expected.round + 1) {
        must(stoa_fail(&err, STOA_INTERNAL, "a round that never was"), "writer", &err);
    }
    atomic_store(&process->told->round, found.round);
}

static void write_on(struct process *process) {
    struct process threads[3];
    pthread_t thread;
    support_random random = {process->seed};
    stoa_error err;
    must(begin(process, false, &err), "writer", &err);
    check_beginning(process, &random);
    for (int i = 0; i < 3; i++) {
        threads[i] = *process;
        threads[i].ledger.accounts = NULL; /* its own, where it needs one */
        threads[i].number = i;
        threads[i].seed = support_random_u64(&random);
        if (pthread_create(&thread, NULL, i < 2 ? write_slots : write_rounds, &threads[i]) != 0) {
            _exit(1);
        }
    }
    atomic_store(&process->told->has_begun, true);
    for (;;) {
        const struct timespec pause = {.tv_nsec = (long)support_random_below(&random, 20000000)};
        (void)nanosleep(&pause, NULL);
        must(look_after(process, &random, &err), "maintenance", &err);
    }
}

/* ---- Who reads -------------------------------------------------------------------------------- */

/* A table that comes, and perhaps goes: with its row, without, or not at all. */
static stoa_status check_tables(struct process *process, support_random *random, stoa_error *err) {
    const int64_t count = atomic_load(&process->told->next_table) - FIRST_TABLE;
    stoa_state *table = NULL;
    int64_t rows = 0;
    if (count == 0) {
        return STOA_OK;
    }
    const int64_t id = FIRST_TABLE + count - 1 -
                       (int64_t)support_random_below(random, count < 4 ? (uint64_t)count : 4);
    stoa_status status = stoa_store_open_table(process->ledger.store, id, &table, err);
    if (status == STOA_NOT_FOUND) {
        return STOA_OK;
    }
    STOA_TRY(status);
    status = stoa_state_count(table, &(stoa_state_scan_options){0}, &rows, err);
    stoa_state_close(table);
    return status == STOA_OK && rows > 1 ? stoa_fail(err, STOA_INTERNAL, "rows that nobody wrote")
                                         : status;
}

/* The first reader opens the store each time, the others follow. */
static void read_on(struct process *process) {
    struct ledger_moment moment = {.round = 0}, told;
    support_random random = {process->seed};
    const bool opens = process->number == 0;
    stoa_error err;
    must(begin(process, true, &err), "reader opens", &err);
    while (!atomic_load(&process->told->is_over)) {
        acknowledged(process->told, &told);
        if (opens) {
            ledger_close(&process->ledger);
            must(open_ledger(process, true, &err), "reader opens", &err);
        } else {
            must(stoa_store_follow(process->ledger.store, &err), "reader follows", &err);
            must(open_accounts(process, &err), "reader opens", &err);
        }
        must(ledger_check(&process->ledger, &random, &moment, &err), "reader", &err);
        must(ledger_check_order(&told, &moment, &err), "reader, of what was acknowledged", &err);
        must(check_tables(process, &random, &err), "reader of other tables", &err);
        atomic_fetch_add(&process->told->looks[process->number], 1);
    }
    end(process);
    _exit(0);
}

/* ---- All of them ------------------------------------------------------------------------------ */

static pid_t start(struct process process, void (*work)(struct process *), uint64_t seed) {
    process.seed = seed;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work(&process);
        _exit(1);
    }
    return child;
}

static void kill_writer(struct process *process, support_random *random) {
    const bool early = support_random_below(random, 4) == 0;
    int ended = 0;
    atomic_store(&process->told->has_begun, false);
    const pid_t child = start(*process, write_on, support_random_u64(random));
    while (!early && !atomic_load(&process->told->has_begun) &&
           waitpid(child, &ended, WNOHANG) == 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    const long ms = (long)support_random_below(random, early ? 10 : PAUSE_MS_MAX);
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
}

static int64_t seconds_to_run(void) {
    const char *text = getenv("STOA_TEST_SECONDS");
    return text != NULL && text[0] != '\0' ? strtoll(text, NULL, 10) : SECONDS;
}

static void make_store(struct process *process) {
    stoa_error err;
    support_temp_directory(process->directory);
    assert_ok(begin(process, false, &err), err);
    end(process);
}

static void test_readers_beside_a_writer_that_dies(void **state) {
    const int64_t end_ns = stoa_clock_monotonic_ns() + seconds_to_run() * 1000000000;
    support_random random = support_random_open("lsm.crash_store_readers");
    struct process process = {.told = mmap(NULL, sizeof(struct told), PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    pid_t readers[READERS];
    int64_t kills = 0, looks = 0;
    (void)state;
    assert_ptr_not_equal(process.told, MAP_FAILED);
    atomic_store(&process.told->next_table, FIRST_TABLE);
    make_store(&process);
    for (int i = 0; i < READERS; i++) {
        process.number = i;
        readers[i] = start(process, read_on, support_random_u64(&random));
    }
    for (; stoa_clock_monotonic_ns() < end_ns; kills++) {
        kill_writer(&process, &random);
    }
    atomic_store(&process.told->is_over, true);
    for (int i = 0; i < READERS; i++) {
        int ended = 0;
        assert_int_equal(waitpid(readers[i], &ended, 0), readers[i]);
        assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
        looks += atomic_load(&process.told->looks[i]);
    }
    print_message("%" PRId64 " kills beside readers, %" PRId64 " looks, %" PRId64 " rounds\n",
                  kills, looks, atomic_load(&process.told->round));
    (void)munmap(process.told, sizeof(struct told));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_a_writer_that_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
