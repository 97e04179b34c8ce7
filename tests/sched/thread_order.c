/* Who comes first: priorities, the deterministic mode, and sleep when there is nothing to do. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "sched/sched.h"

static stoa_error err;

static stoa_sched *scheduler(stoa_pool *pool, const stoa_sched_options *options) {
    stoa_sched *sched = NULL;
    assert_ok(stoa_sched_create(pool, options, &sched, &err), err);
    return sched;
}

static void pause_ms(long ms) {
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

struct endless {
    stoa_group group;
    atomic_bool stop;
    atomic_int runs;
};

static stoa_status again(void *user, stoa_error *error) {
    (void)error;
    struct endless *endless = user;
    (void)atomic_fetch_add(&endless->runs, 1);
    if (!atomic_load(&endless->stop)) {
        stoa_group_spawn(&endless->group, again, endless);
    }
    return STOA_OK;
}

static stoa_status count_one(void *user, stoa_error *error) {
    (void)error;
    (void)atomic_fetch_add((atomic_int *)user, 1);
    return STOA_OK;
}

/* Endless tasks of one priority; then tasks of the other one get through, waited for without help. */
static void get_through(stoa_priority endless_priority, int32_t threads) {
    static struct endless endless;
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = threads};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_group others;
    atomic_int count = 0;
    atomic_store(&endless.stop, false);
    atomic_store(&endless.runs, 0);
    assert_ok(stoa_group_init(&endless.group, sched, endless_priority, NULL, &err), err);
    for (int i = 0; i < 8; i++) {
        stoa_group_spawn(&endless.group, again, &endless);
    }
    while (atomic_load(&endless.runs) < 100) {
        pause_ms(1);
    }
    assert_ok(stoa_group_init(&others, sched,
                              endless_priority == STOA_FOREGROUND ? STOA_BACKGROUND
                                                                  : STOA_FOREGROUND,
                              NULL, &err),
              err);
    for (int i = 0; i < 100; i++) {
        stoa_group_spawn(&others, count_one, &count);
    }
    while (atomic_load(&count) < 100) {
        pause_ms(1);
    }
    int before = atomic_load(&endless.runs);
    while (atomic_load(&endless.runs) == before) {
        pause_ms(1);
    }
    assert_ok(stoa_group_wait(&others, &err), err);
    atomic_store(&endless.stop, true);
    assert_ok(stoa_group_wait(&endless.group, &err), err);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void a_query_gets_through_endless_background_tasks(void **state) {
    (void)state;
    get_through(STOA_BACKGROUND, 1);
    get_through(STOA_BACKGROUND, 3);
}

static void the_background_gets_through_endless_queries(void **state) {
    (void)state;
    get_through(STOA_FOREGROUND, 1);
    get_through(STOA_FOREGROUND, 3);
}

struct noted {
    char *order;
    atomic_int *length;
    char letter;
};

static stoa_status note(void *user, stoa_error *error) {
    (void)error;
    struct noted *noted = user;
    noted->order[atomic_fetch_add(noted->length, 1)] = noted->letter;
    return STOA_OK;
}

/* A thread is kept busy while both kinds are queued: all of the foreground runs first. */
static atomic_bool go_on;

static stoa_status hold(void *user, stoa_error *error) {
    (void)error;
    atomic_store((atomic_int *)user, 1);
    while (!atomic_load(&go_on)) {
        pause_ms(1);
    }
    return STOA_OK;
}

static void the_foreground_runs_first(void **state) {
    (void)state;
    enum { EACH = 20 };
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = 1};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_future *holder = NULL;
    char order[2 * EACH + 1] = {0};
    atomic_int length = 0;
    atomic_int held = 0;
    struct noted notes[2] = {{order, &length, 'b'}, {order, &length, 'f'}};
    stoa_group groups[2];
    atomic_store(&go_on, false);
    assert_ok(stoa_sched_submit(sched, hold, &held, NULL, &holder, &err), err);
    while (atomic_load(&held) == 0) {
        pause_ms(1);
    }
    assert_ok(stoa_group_init(&groups[0], sched, STOA_BACKGROUND, NULL, &err), err);
    assert_ok(stoa_group_init(&groups[1], sched, STOA_FOREGROUND, NULL, &err), err);
    for (int i = 0; i < EACH; i++) {
        stoa_group_spawn(&groups[0], note, &notes[0]);
        stoa_group_spawn(&groups[1], note, &notes[1]);
    }
    atomic_store(&go_on, true);
    while (atomic_load(&length) < 2 * EACH) { /* the thread goes on alone: nobody helps it */
        pause_ms(1);
    }
    assert_ok(stoa_future_wait(holder, -1, &err), err);
    assert_ok(stoa_group_wait(&groups[1], &err), err);
    assert_ok(stoa_group_wait(&groups[0], &err), err);
    int misplaced = 0;
    for (int i = 0; i < EACH; i++) {
        misplaced += order[i] != 'f';
    }
    assert_true(misplaced <= 1); /* every so often the background comes first */
    stoa_future_close(holder);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void run_seeded(uint64_t seed, char *order) {
    enum { TASKS = 12 };
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = 3, .deterministic = true, .seed = seed};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_group group;
    struct noted notes[TASKS];
    atomic_int length = 0;
    assert_int_equal(stoa_sched_threads(sched), 3); /* work is split as if they were there */
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), err);
    for (int i = 0; i < TASKS; i++) {
        notes[i] = (struct noted){order, &length, (char)('a' + i)};
        stoa_group_spawn(&group, note, &notes[i]);
    }
    assert_int_equal(length, 0); /* nothing runs before somebody waits */
    assert_ok(stoa_group_wait(&group, &err), err);
    assert_int_equal(length, TASKS);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void a_seed_is_an_order(void **state) {
    (void)state;
    int different = 0;
    char first[16] = {0};
    run_seeded(0, first);
    for (uint64_t seed = 0; seed < 10; seed++) {
        char one[16] = {0}, two[16] = {0};
        run_seeded(seed, one);
        run_seeded(seed, two);
        assert_string_equal(one, two);
        different += strcmp(one, first) != 0;
    }
    assert_int_equal(different, 9);
}

enum { SUBMITTED = 2000, IN_FLIGHT = 8 };

struct client {
    stoa_producer *producer;
    atomic_int submitted; /* by whoever submits, before the call */
    int begun;            /* one at a time: no lock */
    int fail_at;
    bool disorder;
};

struct numbered {
    struct client *client;
    int number;
};

static stoa_status in_order(void *user, stoa_error *error) {
    const struct numbered *numbered = user;
    struct client *client = numbered->client;
    client->disorder |= client->begun++ != numbered->number;
    client->disorder |= atomic_load(&client->submitted) - numbered->number > IN_FLIGHT + 1;
    return numbered->number == client->fail_at
               ? stoa_fail(error, STOA_CONFLICT, "number %d fails", numbered->number)
               : STOA_OK;
}

static void submit_all(stoa_sched *sched, stoa_pool *pool, int fail_at) {
    static struct numbered numbers[SUBMITTED];
    struct client client = {.fail_at = fail_at};
    stoa_status status = STOA_OK;
    assert_ok(stoa_producer_create(sched, pool, NULL, IN_FLIGHT, &client.producer, &err), err);
    for (int i = 0; i < SUBMITTED && status == STOA_OK; i++) {
        numbers[i] = (struct numbered){&client, i};
        atomic_store(&client.submitted, i + 1);
        status = stoa_producer_submit(client.producer, in_order, &numbers[i], &err);
    }
    if (fail_at < 0) {
        assert_ok(stoa_producer_finish(client.producer, &err), err);
        assert_int_equal(client.begun, SUBMITTED);
    } else {
        assert_true(status == STOA_OK || status == STOA_CONFLICT);
        assert_fails(stoa_producer_finish(client.producer, &err), STOA_CONFLICT, "number 700 fails",
                     err);
        assert_int_equal(client.begun, 701);
    }
    assert_false(client.disorder);
    stoa_producer_close(client.producer);
}

static void a_client_is_served_in_order(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    for (int32_t threads = 0; threads <= 4; threads++) {
        stoa_sched_options options = {.threads = threads};
        stoa_sched *sched = threads == 0 ? NULL : scheduler(pool, &options);
        submit_all(sched, pool, -1);
        submit_all(sched, pool, 700);
        stoa_sched_close(sched);
    }
    stoa_producer *producer = NULL;
    assert_fails(stoa_producer_create(NULL, pool, NULL, 0, &producer, &err), STOA_INVALID,
                 "in flight", err);
    stoa_producer_close(NULL);
    support_pool_close(pool);
}

static void a_client_that_waits_can_be_cancelled(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = 1};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_producer *producer = NULL;
    stoa_cancel *cancel = NULL;
    atomic_int held = 0, count = 0;
    atomic_store(&go_on, false);
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    assert_ok(stoa_producer_create(sched, pool, cancel, 2, &producer, &err), err);
    assert_ok(stoa_producer_submit(producer, hold, &held, &err), err);
    while (atomic_load(&held) == 0) {
        pause_ms(1);
    }
    assert_ok(stoa_producer_submit(producer, count_one, &count, &err), err);
    stoa_cancel_set_timeout(cancel, 20);
    assert_fails(stoa_producer_submit(producer, count_one, &count, &err), STOA_CANCELLED,
                 "deadline", err);
    atomic_store(&go_on, true);
    assert_fails(stoa_producer_finish(producer, &err), STOA_CANCELLED, "deadline", err);
    assert_int_equal(count, 0);
    stoa_producer_close(producer);
    stoa_cancel_close(cancel);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static int64_t cpu_ns(void) {
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void who_has_nothing_to_do_sleeps(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = 4};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_group group;
    atomic_int count = 0;
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), err);
    stoa_group_spawn(&group, count_one, &count);
    assert_ok(stoa_group_wait(&group, &err), err);
    pause_ms(100);
    int64_t before = cpu_ns();
    pause_ms(300);
    assert_true(cpu_ns() - before < INT64_C(300000000) / 10); /* four would spin for 1.2 s */
    stoa_sched_close(sched);
    support_pool_close(pool);
}

static void a_child_of_fork_may_not_use_it(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched_options options = {.threads = 2};
    stoa_sched *sched = scheduler(pool, &options);
    stoa_group group;
    atomic_int count = 0;
    assert_ok(stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, &err), err);
    stoa_group_spawn(&group, count_one, &count);
    assert_ok(stoa_group_wait(&group, &err), err);
    pid_t child = fork();
    if (child == 0) {
        stoa_future *future = NULL;
        bool refused = stoa_group_init(&group, sched, STOA_FOREGROUND, NULL, NULL) == STOA_INVALID;
        refused &= stoa_sched_submit(sched, count_one, &count, NULL, &future, NULL) == STOA_INVALID;
        refused &= stoa_sched_set_threads(sched, 3, NULL) == STOA_INVALID;
        stoa_sched_close(sched);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    stoa_sched_close(sched);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_gets_through_endless_background_tasks),
        cmocka_unit_test(the_background_gets_through_endless_queries),
        cmocka_unit_test(the_foreground_runs_first),
        cmocka_unit_test(a_seed_is_an_order),
        cmocka_unit_test(a_client_is_served_in_order),
        cmocka_unit_test(a_client_that_waits_can_be_cancelled),
        cmocka_unit_test(who_has_nothing_to_do_sleeps),
        cmocka_unit_test(a_child_of_fork_may_not_use_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
