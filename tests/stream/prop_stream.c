/* Totals, timers and positions against a model, with commits, rollbacks and reopenings in between: what
 * is there is what was committed last and what was written since. */
#include "world.h"

enum { ROUNDS = 4, STEPS = 400, USERS = 12, TIMES = 40 };

static const stoa_stream_descriptor TOTALS = {.name = "totals",
                                              .kind = STOA_STREAM_AGGREGATE,
                                              .key = "user long not null",
                                              .value = "total long",
                                              .merge = "total add"};
static const stoa_stream_descriptor ALARMS = {.name = "alarms",
                                              .kind = STOA_STREAM_TIMERS,
                                              .key = "user long not null"};

struct model {
    int64_t totals[USERS]; /* -1: none */
    bool timers[USERS][TIMES];
    int64_t position;
};

struct run {
    struct world *world;
    support_random random;
    stoa_stream_state *totals;
    stoa_stream_state *alarms;
    stoa_row *row;
    struct model now, committed;
    int64_t last_time; /* of the timer that fired last */
};

static void open_states(struct run *run) {
    stoa_error err;
    run->totals = world_state(run->world, &TOTALS);
    run->alarms = world_state(run->world, &ALARMS);
    ok(stoa_stream_state_row_create(run->totals, &run->row, &err));
}

static void add(struct run *run, int64_t user) {
    const stoa_cell key = {.i = user};
    const stoa_cell amount = {.i = (int64_t)support_random_below(&run->random, 100)};
    int64_t *total = &run->now.totals[user];
    stoa_error err;
    ok(stoa_stream_state_add(run->totals, &(stoa_stream_scope){.key = &key}, &amount, &err));
    *total = (*total < 0 ? 0 : *total) + amount.i;
    ok(stoa_stream_backend_position_set(run->world->backend, "events", ++run->now.position, &err));
}

static void clear(struct run *run, int64_t user) {
    const stoa_cell key = {.i = user};
    stoa_error err;
    ok(stoa_stream_state_clear(run->totals, &(stoa_stream_scope){.key = &key}, &err));
    run->now.totals[user] = -1;
}

static void set_timer(struct run *run, int64_t user, bool set) {
    const stoa_cell key = {.i = user};
    const stoa_stream_scope scope = {.key = &key};
    const int64_t time = (int64_t)support_random_below(&run->random, TIMES);
    stoa_error err;
    ok(set ? stoa_stream_timer_set(run->alarms, &scope, time, NULL, &err)
           : stoa_stream_timer_delete(run->alarms, &scope, time, &err));
    run->now.timers[user][time] = set;
}

/* Now and then sets or deletes another one. */
static stoa_status fired(void *user, int64_t time, const stoa_stream_scope *scope,
                         const stoa_cell *values, stoa_error *err) {
    struct run *run = user;
    bool *timer = &run->now.timers[scope->key[0].i][time];
    (void)values;
    (void)err;
    assert_true(*timer);
    *timer = false;
    /* Only timers of this call's time or later are set within calls, below. */
    assert_true(time >= run->last_time);
    run->last_time = time;
    if (support_random_below(&run->random, 4) == 0) {
        const int64_t other = (int64_t)support_random_below(&run->random, USERS);
        const int64_t later = support_random_between(&run->random, time, TIMES - 1);
        const stoa_cell key = {.i = other};
        const bool set = support_random_bool(&run->random) && later > time;
        run->now.timers[other][later] = set;
        return set ? stoa_stream_timer_set(run->alarms, &(stoa_stream_scope){.key = &key}, later,
                                           NULL, err)
                   : stoa_stream_timer_delete(run->alarms, &(stoa_stream_scope){.key = &key}, later,
                                              err);
    }
    return STOA_OK;
}

static void fire(struct run *run) {
    const int64_t until = (int64_t)support_random_below(&run->random, TIMES);
    stoa_error err;
    run->last_time = -1;
    ok(stoa_stream_timers_fire(run->alarms, until, fired, run, &err));
    for (int user = 0; user < USERS; user++) {
        for (int64_t time = 0; time <= until; time++) {
            assert_false(run->now.timers[user][time]);
        }
    }
}

static void check(struct run *run) {
    int64_t position;
    bool found;
    stoa_error err;
    for (int64_t user = 0; user < USERS; user++) {
        const stoa_cell key = {.i = user};
        ok(stoa_stream_state_get(run->totals, &(stoa_stream_scope){.key = &key}, run->row, &found,
                                 &err));
        assert_int_equal(found ? stoa_row_cells(run->row)[0].i : -1, run->now.totals[user]);
    }
    ok(stoa_stream_backend_position_get(run->world->backend, "events", &position, &found, &err));
    assert_int_equal(position, run->now.position);
}

static void reopen(struct run *run) {
    stoa_row_close(run->row);
    world_reopen(run->world);
    open_states(run);
    run->now = run->committed;
}

static void step(struct run *run) {
    const int64_t user = (int64_t)support_random_below(&run->random, USERS);
    const uint64_t choice = support_random_below(&run->random, 100);
    stoa_error err;
    if (choice < 40) {
        add(run, user);
    } else if (choice < 45) {
        clear(run, user);
    } else if (choice < 70) {
        set_timer(run, user, choice < 65);
    } else if (choice < 76) {
        fire(run);
    } else if (choice < 86) {
        ok(stoa_stream_backend_commit(run->world->backend, STOA_DURABILITY_DEFAULT, &err));
        run->committed = run->now;
    } else if (choice < 90) {
        ok(stoa_stream_backend_rollback(run->world->backend, &err));
        run->now = run->committed;
    } else if (choice < 92) {
        reopen(run);
    } else if (choice < 94) {
        ok(stoa_stream_backend_checkpoint(run->world->backend, run->now.position, &err));
        run->committed = run->now;
    } else {
        check(run);
    }
}

static void test_a_stream_is_as_its_model(void **state) {
    support_random random = support_random_open("stream.prop_stream");
    for (int round = 0; round < ROUNDS; round++) {
        struct run run = {.random = {support_random_u64(&random)}};
        void *world = *state;
        if (round > 0) {
            world_begin(&world);
        }
        run.world = world;
        memset(run.now.totals, 0xFF, sizeof run.now.totals);
        run.committed = run.now;
        open_states(&run);
        for (int i = 0; i < STEPS; i++) {
            step(&run);
        }
        reopen(&run);
        check(&run);
        fire(&run);
        stoa_row_close(run.row);
        if (round > 0) {
            world_end(&world);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_stream_is_as_its_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
