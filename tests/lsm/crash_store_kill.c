/* Processes that are killed while several threads commit, memtables are flushed and files are compacted:
 * what a commit has returned for is there, whole, and of the commit under way all or nothing.
 * STOA_TEST_SECONDS is how long processes are killed. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <stoa/state.h>

#include "base/clock.h"
#include "lsm/store.h"
#include "sched/sched.h"
#include "support.h"

enum {
    THREADS = 3,
    SLOTS = 64, /* of a thread: commit n puts slot n % SLOTS */
    NOTE_BYTES = 200,
    SECONDS = 5,
    PAUSE_NS_MAX = 40000000
};

/* One directory, opened by one process after the other. */
struct place {
    char directory[SUPPORT_PATH_BYTES];
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_fs_registry *file_systems;
    stoa_store *store;
    stoa_state *slots;  /* the number of the commit that put it */
    stoa_state *counts; /* of the commits of each thread */
};

/* What a process says before it dies. */
struct told {
    _Atomic int64_t commits[THREADS];
    _Atomic bool has_begun;
};

/* ---- Stores ----------------------------------------------------------------------------------- */

static stoa_status open_table(struct place *place, int64_t id, const char *text, stoa_state **out,
                              stoa_error *err) {
    const stoa_state_table_options options = {.key = "k", .merge = id == 2 ? "n add" : NULL};
    const stoa_schema *schema = NULL;
    if (stoa_store_open_table(place->store, id, out, err) == STOA_OK) {
        return STOA_OK;
    }
    STOA_TRY(stoa_schema_parse(place->pool, text, &schema, err));
    const stoa_status status = stoa_store_create_table(place->store, id, schema, &options, err);
    stoa_schema_close(schema);
    return status == STOA_OK ? stoa_store_open_table(place->store, id, out, err) : status;
}

static stoa_status open_place(struct place *place, stoa_error *err) {
    STOA_TRY(stoa_pool_create(0, NULL, &place->pool, err));
    STOA_TRY(
        stoa_sched_create(place->pool, &(stoa_sched_options){.threads = 2}, &place->sched, err));
    STOA_TRY(stoa_fs_registry_create(place->pool, &place->file_systems, err));
    const stoa_store_options options = {
        .context = {.pool = place->pool, .sched = place->sched},
        .file_systems = place->file_systems,
        .directory = place->directory,
        .create = true,
        .settings = {.memtable_bytes = 128 << 10, .log_segment_bytes = 64 << 10, .interval_ms = 1},
    };
    STOA_TRY(stoa_store_open(&options, &place->store, err));
    STOA_TRY(open_table(place, 1, "k long not null, n long, note string", &place->slots, err));
    return open_table(place, 2, "k long not null, n long", &place->counts, err);
}

static void close_place(struct place *place) {
    stoa_state_close(place->slots);
    stoa_state_close(place->counts);
    stoa_store_close(place->store);
    stoa_fs_registry_close(place->file_systems);
    stoa_sched_close(place->sched);
    assert_int_equal(stoa_pool_used(place->pool), 0);
    stoa_pool_close(place->pool);
}

/* ---- The process that is killed --------------------------------------------------------------- */

struct writer {
    const struct place *place;
    struct told *told;
    int64_t number;
    int64_t commits;
};

static stoa_status write_next(const struct writer *writer, stoa_state_batch *batch,
                              stoa_error *err) {
    char note[NOTE_BYTES];
    const int64_t n = writer->commits + 1;
    memset(note, 'a' + (int)(n % 26), sizeof note);
    const stoa_cell slot[] = {{.i = writer->number * SLOTS + n % SLOTS},
                              {.i = n},
                              {.bytes = note, .size = sizeof note}};
    const stoa_cell count[] = {{.i = writer->number}, {.i = 1}};
    const stoa_durability durability = n % 50 == 0  ? STOA_DURABILITY_SYNC
                                       : n % 3 == 0 ? STOA_DURABILITY_INTERVAL
                                                    : STOA_DURABILITY_BUFFERED;
    STOA_TRY(stoa_state_batch_put(batch, writer->place->slots, slot, err));
    STOA_TRY(stoa_state_batch_merge(batch, writer->place->counts, count, err));
    return stoa_state_batch_commit(batch, durability, err);
}

static void *write_on(void *user) {
    struct writer *writer = user;
    stoa_state_batch *batch = NULL;
    stoa_error err;
    if (stoa_state_batch_create(writer->place->slots, &batch, &err) != STOA_OK) {
        _exit(1);
    }
    while (write_next(writer, batch, &err) == STOA_OK) {
        writer->commits++;
        atomic_store_explicit(&writer->told->commits[writer->number], writer->commits,
                              memory_order_release);
    }
    (void)fprintf(stderr, "%s\n", err.message);
    _exit(1);
}

static void live(struct place *place, struct told *told) {
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    stoa_error err;
    if (open_place(place, &err) != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){place, told, i, atomic_load(&told->commits[i])};
        if (pthread_create(&threads[i], NULL, write_on, &writers[i]) != 0) {
            _exit(1);
        }
    }
    atomic_store(&told->has_begun, true);
    for (;;) {
        pause();
    }
}

/* ---- What is left ----------------------------------------------------------------------------- */

static int64_t number_of(stoa_state *state, int64_t key) {
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    assert_ok(stoa_row_create(state, "n", &row, &err), err);
    assert_ok(stoa_state_get(state, &(stoa_cell){.i = key}, NULL, row, &found, &err), err);
    const int64_t number = found ? stoa_row_cells(row)->i : 0;
    stoa_row_close(row);
    return number;
}

/* The last of the first `commits` that put the slot; 0: none. */
static int64_t slot_after(int64_t commits, int64_t slot) {
    const int64_t last = commits - (commits - slot) % SLOTS;
    return commits < slot || last <= 0 ? 0 : last;
}

static void check_thread(const struct place *place, struct told *told, int64_t number) {
    const int64_t acknowledged = atomic_load(&told->commits[number]);
    const int64_t commits = number_of(place->counts, number);
    if (commits != acknowledged && commits != acknowledged + 1) {
        fail_msg("thread %" PRId64 ": expected %" PRId64
                 " commits, or one more, but found %" PRId64,
                 number, acknowledged, commits);
    }
    for (int64_t slot = 0; slot < SLOTS; slot++) {
        const int64_t found = number_of(place->slots, number * SLOTS + slot);
        if (found != slot_after(commits, slot)) {
            fail_msg("thread %" PRId64 ", slot %" PRId64 ": expected commit %" PRId64 " of %" PRId64
                     " but found %" PRId64,
                     number, slot, slot_after(commits, slot), commits, found);
        }
    }
    atomic_store(&told->commits[number], commits);
}

/* Also while the store is being opened. */
static void kill_one(struct place *place, struct told *told, support_random *random) {
    int ended;
    const bool early = support_random_below(random, 4) == 0;
    const struct timespec nap = {
        .tv_nsec = (long)support_random_below(random, early ? 2000000 : PAUSE_NS_MAX)};
    atomic_store(&told->has_begun, false);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live(place, told);
    }
    while (!early && !atomic_load(&told->has_begun) && waitpid(child, &ended, WNOHANG) == 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    (void)nanosleep(&nap, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
}

static int64_t seconds_to_run(void) {
    const char *text = getenv("STOA_TEST_SECONDS");
    return text != NULL && text[0] != '\0' ? strtoll(text, NULL, 10) : SECONDS;
}

static void test_kills_lose_nothing_acknowledged(void **state) {
    const int64_t end = stoa_clock_monotonic_ns() + seconds_to_run() * 1000000000;
    support_random random = support_random_open("lsm.crash_store_kill");
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0);
    struct place place = {.store = NULL};
    int64_t kills = 0, commits = 0;
    (void)state;
    assert_ptr_not_equal(told, MAP_FAILED);
    support_temp_directory(place.directory);
    do {
        stoa_error err;
        kill_one(&place, told, &random);
        assert_ok(open_place(&place, &err), err);
        for (int64_t i = 0; i < THREADS; i++) {
            check_thread(&place, told, i);
        }
        close_place(&place);
        kills++;
    } while (stoa_clock_monotonic_ns() < end);
    for (int i = 0; i < THREADS; i++) {
        commits += atomic_load(&told->commits[i]);
    }
    print_message("%" PRId64 " kills, %" PRId64 " commits\n", kills, commits);
    assert_true(commits > 0);
    (void)munmap(told, sizeof *told);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills_lose_nothing_acknowledged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
