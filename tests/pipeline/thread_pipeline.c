/* Pipelines on threads that really are several: everything at once, many times. */
#include <pthread.h>

#include "pipeline_world.h"

enum { PARTS = 40, ROUNDS = 30, RUNNERS = 3 };

static void make_world(struct world *world, stoa_pool *pool, uint64_t seed, bool serial) {
    world_init(world, pool, seed);
    world->part_count = PARTS;
    world->morsels_max = 8;
    world->rows_max = 60;
    world->serial = serial;
    world_add_operator(world, WORLD_SPLIT);
    world_add_operator(world, WORLD_DROP);
    world_add_operator(world, WORLD_REPLACE);
}

static stoa_sched *open_sched(stoa_pool *pool, int32_t threads) {
    stoa_sched *sched;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sched_options options = {.threads = threads};
    assert_ok(stoa_sched_create(pool, &options, &sched, &err), err);
    return sched;
}

static void check_run(stoa_pool *pool, stoa_sched *sched, uint64_t seed,
                      const stoa_pipeline_options *options, bool serial) {
    stoa_context context = {.pool = pool, .sched = sched};
    stoa_error err = STOA_ERROR_NONE;
    struct world world;
    struct world_list expected = {0};
    make_world(&world, pool, seed, serial);
    stoa_pipeline pipeline = world_pipeline(&world, options);
    assert_int_equal(world_expect(&world, &expected), STOA_OK);
    assert_ok(stoa_pipeline_run(&pipeline, &context, &err), err);
    if (!options->ordered) {
        world_sort(&world.list);
        world_sort(&expected);
    }
    assert_true(world_same(&world.list, &expected));
    free(expected.values);
    world_release(&world);
}

static void lanes_share_a_run(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = open_sched(pool, 4);
    support_random random = support_random_open("pipeline.thread_pipeline");
    for (int i = 0; i < ROUNDS; i++) {
        stoa_pipeline_options options = {.ordered = i % 2 == 0,
                                         .window_morsels = i % 5,
                                         .slice_rows = i % 3 == 0 ? 50 : 0};
        check_run(pool, sched, support_random_u64(&random), &options, i % 4 < 2);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

struct runner {
    stoa_pool *pool;
    stoa_sched *sched;
    uint64_t seed;
};

static void *run_several(void *user) {
    const struct runner *runner = user;
    for (uint64_t i = 0; i < 8; i++) {
        stoa_pipeline_options options = {.ordered = i % 2 == 0, .slice_rows = 100};
        check_run(runner->pool, runner->sched, runner->seed + i, &options, i % 4 < 2);
    }
    return NULL;
}

static void runs_share_a_scheduler(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = open_sched(pool, 2);
    pthread_t threads[RUNNERS];
    struct runner runners[RUNNERS];
    for (int i = 0; i < RUNNERS; i++) {
        runners[i] = (struct runner){pool, sched, (uint64_t)i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, run_several, &runners[i]), 0);
    }
    for (int i = 0; i < RUNNERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

/* ---- streams ---------------------------------------------------------------------------------- */

static stoa_status open_stream(struct world *world, stoa_sched *sched, bool ordered,
                               struct ArrowArrayStream *out, stoa_error *err) {
    stoa_context context = {.pool = world->pool, .sched = sched};
    stoa_pipeline_options options = {.ordered = ordered, .window_morsels = 3, .slice_rows = 80};
    stoa_pipeline pipeline = world_pipeline(world, &options);
    struct ArrowSchema schema = {0};
    return stoa_pipeline_stream(&pipeline, &context, &schema, NULL, out, err);
}

static void readers_take_what_lanes_make(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = open_sched(pool, 3);
    stoa_error err = STOA_ERROR_NONE;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct world world;
        struct world_list expected = {0};
        struct ArrowArrayStream stream;
        struct ArrowArray batch;
        make_world(&world, pool, i, i % 2 == 0);
        assert_int_equal(world_expect(&world, &expected), STOA_OK);
        assert_ok(open_stream(&world, sched, true, &stream, &err), err);
        for (;;) {
            assert_ok(stoa_stream_next(&stream, &batch, &err), err);
            if (batch.release == NULL || (i % 3 == 0 && world.list.count > 300)) {
                break; /* to its end, or early */
            }
            world_add(&world.list, world_values(&batch), batch.length);
            stoa_arrow_array_release(&batch);
        }
        stoa_arrow_array_release(&batch);
        stoa_arrow_stream_release(&stream);
        expected.count = i % 3 == 0 ? world.list.count : expected.count;
        assert_true(world_same(&world.list, &expected));
        free(expected.values);
        world_release(&world);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

/* A pipeline whose source is the stream of another one, on the same two threads: readers are tasks,
 * and there may be more of them than threads. */
static void pipelines_read_pipelines(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = open_sched(pool, 2);
    stoa_error err = STOA_ERROR_NONE;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct world inner, outer;
        struct world_list expected = {0};
        struct ArrowArrayStream stream;
        make_world(&inner, pool, i, false);
        assert_int_equal(world_expect(&inner, &expected), STOA_OK);
        assert_ok(open_stream(&inner, sched, true, &stream, &err), err);
        stoa_pipeline_stream_source source = {&stream, NULL};
        stoa_pipeline_options options = {.ordered = true, .slice_rows = 20};
        world_init(&outer, pool, 0);
        stoa_pipeline pipeline = world_pipeline(&outer, &options);
        pipeline.source = stoa_pipeline_source_of_stream(&source);
        stoa_context context = {.pool = pool, .sched = sched};
        assert_ok(stoa_pipeline_run(&pipeline, &context, &err), err);
        assert_true(world_same(&outer.list, &expected));
        stoa_arrow_stream_release(&stream);
        free(expected.values);
        world_release(&outer);
        world_release(&inner);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

/* ---- stopping --------------------------------------------------------------------------------- */

struct canceller {
    stoa_cancel *cancel;
    int64_t after_spins;
};

static void *cancel_soon(void *user) {
    struct canceller *canceller = user;
    for (volatile int64_t i = 0; i < canceller->after_spins; i = i + 1) {
    }
    stoa_cancel_trigger(canceller->cancel);
    return NULL;
}

static void runs_are_cancelled_from_outside(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_sched *sched = open_sched(pool, 3);
    for (int64_t i = 0; i < ROUNDS; i++) {
        struct world world;
        stoa_error err = STOA_ERROR_NONE;
        pthread_t thread;
        struct canceller canceller = {.after_spins = i * 4000};
        assert_ok(stoa_cancel_create(NULL, &canceller.cancel, &err), err);
        make_world(&world, pool, (uint64_t)i, i % 2 == 0);
        stoa_context context = {.pool = pool, .sched = sched, .cancel = canceller.cancel};
        stoa_pipeline_options options = {.ordered = i % 4 < 2};
        stoa_pipeline pipeline = world_pipeline(&world, &options);
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &canceller), 0);
        stoa_status status = stoa_pipeline_run(&pipeline, &context, &err);
        assert_true(status == STOA_OK || status == STOA_CANCELLED);
        assert_int_equal(world.finished, status == STOA_OK);
        assert_int_equal(pthread_join(thread, NULL), 0);
        stoa_cancel_close(canceller.cancel);
        world_release(&world);
    }
    stoa_sched_close(sched);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_share_a_run),
        cmocka_unit_test(runs_share_a_scheduler),
        cmocka_unit_test(readers_take_what_lanes_make),
        cmocka_unit_test(pipelines_read_pipelines),
        cmocka_unit_test(runs_are_cancelled_from_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
