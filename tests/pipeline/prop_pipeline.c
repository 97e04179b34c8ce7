/* Random pipelines over random batches do what a loop does: ordered in the same order and with the
 * same first failure, unordered with the same rows; run to a sink or read as a stream. */
#include "pipeline_world.h"

enum { ROUNDS = 400 };

struct setting {
    stoa_sched *sched;
    stoa_pipeline_options options;
};

static void random_world(support_random *random, struct world *world, stoa_pool *pool) {
    world_init(world, pool, support_random_u64(random));
    world->part_count = support_random_between(random, 0, 12);
    world->morsels_max = support_random_between(random, 1, 9);
    world->rows_max = support_random_between(random, 0, 40);
    world->serial = support_random_bool(random);
    int64_t operators = support_random_between(random, 0, WORLD_OPERATORS_MAX);
    for (int64_t i = 0; i < operators; i++) {
        world_add_operator(world, (enum world_kind)support_random_below(random, WORLD_KINDS));
    }
}

static struct world_place random_place(support_random *random, const struct world *world) {
    return (struct world_place){support_random_between(random, 0, world->part_count),
                                support_random_between(random, 0, world->morsels_max)};
}

static void random_failures(support_random *random, struct world *world) {
    if (support_random_below(random, 3) == 0) {
        world->source_fails = random_place(random, world);
    }
    if (support_random_below(random, 3) == 0) {
        world->sink_fails = random_place(random, world);
    }
    for (int32_t i = 0; i < world->operator_count; i++) {
        if (support_random_below(random, 4) == 0) {
            world->operators[i].fails = random_place(random, world);
        }
    }
}

/* Threads, or a seeded order on one, with windows and slices down to one morsel. */
static struct setting random_setting(support_random *random, stoa_pool *pool) {
    struct setting setting = {0};
    stoa_error err = STOA_ERROR_NONE;
    stoa_sched_options options = {.threads = (int32_t)support_random_between(random, 1, 4),
                                  .deterministic = support_random_below(random, 3) != 0,
                                  .seed = support_random_u64(random)};
    setting.options =
        (stoa_pipeline_options){.lanes = (int32_t)support_random_between(random, 0, 6),
                                .window_morsels = (int32_t)support_random_between(random, 0, 5),
                                .window_bytes = support_random_bool(random)
                                                    ? 0
                                                    : (size_t)support_random_below(random, 500),
                                .slice_rows = support_random_between(random, 0, 60)};
    if (support_random_below(random, 8) != 0) {
        assert_ok(stoa_sched_create(pool, &options, &setting.sched, &err), err);
    }
    return setting;
}

/* Reads a stream to its end into `out`. */
static stoa_status read_all(struct ArrowArrayStream *stream, struct world_list *out,
                            stoa_error *err) {
    for (;;) {
        struct ArrowArray batch;
        STOA_TRY(stoa_stream_next(stream, &batch, err));
        if (batch.release == NULL) {
            return STOA_OK;
        }
        assert_true(batch.length > 0);
        world_add(out, world_values(&batch), batch.length);
        stoa_arrow_array_release(&batch);
    }
}

static void note_close(void *user) {
    (*(int *)user)++;
}

static stoa_status run_or_read(struct world *world, const struct setting *setting, bool read,
                               stoa_error *err) {
    stoa_context context = {.pool = world->pool, .sched = setting->sched};
    stoa_pipeline pipeline = world_pipeline(world, &setting->options);
    if (!read) {
        return stoa_pipeline_run(&pipeline, &context, err);
    }
    int closed = 0;
    stoa_pipeline_owner owner = {&closed, note_close};
    struct ArrowArrayStream stream;
    struct ArrowSchema schema = {0};
    assert_ok(stoa_pipeline_stream(&pipeline, &context, &schema, &owner, &stream, err), *err);
    stoa_status status = read_all(&stream, &world->list, err);
    stoa_arrow_stream_release(&stream);
    assert_int_equal(closed, 1);
    return status;
}

static void check_round(support_random *random, bool failures) {
    stoa_pool *pool = support_pool_open();
    struct world world;
    struct world_list expected = {0};
    stoa_error err = STOA_ERROR_NONE;
    random_world(random, &world, pool);
    if (failures) {
        random_failures(random, &world);
    }
    const bool read = support_random_bool(random);
    if (read) {
        world.sink_fails.part = WORLD_NOWHERE;
    }
    struct setting setting = random_setting(random, pool);
    setting.options.ordered = support_random_bool(random);
    const stoa_status wanted = world_expect(&world, &expected);
    const stoa_status status = run_or_read(&world, &setting, read, &err);
    if (setting.options.ordered || setting.sched == NULL) {
        assert_int_equal(status, wanted);
        assert_int_equal(world.finished, status == STOA_OK && !read);
        assert_true(world_same(&world.list, &expected));
    } else if (wanted == STOA_OK) {
        assert_ok(status, err);
        world_sort(&world.list);
        world_sort(&expected);
        assert_true(world_same(&world.list, &expected));
    } else {
        assert_int_not_equal(status, STOA_OK);
    }
    stoa_sched_close(setting.sched);
    free(expected.values);
    world_release(&world);
    support_pool_close(pool);
}

static void pipelines_do_what_a_loop_does(void **state) {
    (void)state;
    support_random random = support_random_open("pipeline.prop_pipeline");
    for (int i = 0; i < ROUNDS; i++) {
        check_round(&random, false);
    }
}

static void failures_come_in_their_order(void **state) {
    (void)state;
    support_random random = support_random_open("pipeline.prop_pipeline failing");
    for (int i = 0; i < ROUNDS; i++) {
        check_round(&random, true);
    }
}

/* A reader that leaves early: nothing is lost in the pool, whatever runs. */
static void streams_are_released_early(void **state) {
    (void)state;
    support_random random = support_random_open("pipeline.prop_pipeline early");
    for (int i = 0; i < ROUNDS / 2; i++) {
        stoa_pool *pool = support_pool_open();
        struct world world;
        stoa_error err = STOA_ERROR_NONE;
        int closed = 0;
        stoa_pipeline_owner owner = {&closed, note_close};
        struct ArrowArrayStream stream;
        struct ArrowSchema schema = {0};
        random_world(&random, &world, pool);
        struct setting setting = random_setting(&random, pool);
        setting.options.ordered = support_random_bool(&random);
        stoa_context context = {.pool = pool, .sched = setting.sched};
        stoa_pipeline pipeline = world_pipeline(&world, &setting.options);
        assert_ok(stoa_pipeline_stream(&pipeline, &context, &schema, &owner, &stream, &err), err);
        struct ArrowArray batch = {0};
        for (int64_t n = support_random_between(&random, 0, 5); n > 0; n--) {
            assert_ok(stoa_stream_next(&stream, &batch, &err), err);
            stoa_arrow_array_release(&batch);
        }
        stoa_arrow_stream_release(&stream);
        assert_int_equal(closed, 1);
        stoa_sched_close(setting.sched);
        world_release(&world);
        support_pool_close(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_do_what_a_loop_does),
        cmocka_unit_test(failures_come_in_their_order),
        cmocka_unit_test(streams_are_released_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
