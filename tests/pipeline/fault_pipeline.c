/* Pipelines with the nth allocation failing, and with every limit of the pool that is too small. */
#include "arrow/stream.h"
#include "pipeline_world.h"

struct how {
    bool ordered;
    bool read;
    bool serial;
    bool threads;
};

static stoa_status read_all(const stoa_pipeline *pipeline, const stoa_context *context,
                            struct world_list *out, stoa_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema = {0};
    stoa_status status = stoa_pipeline_stream(pipeline, context, &schema, NULL, &stream, err);
    while (status == STOA_OK) {
        struct ArrowArray batch;
        status = stoa_stream_next(&stream, &batch, err);
        if (batch.release == NULL) {
            break;
        }
        world_add(out, world_values(&batch), batch.length);
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    return status;
}

static stoa_status run(stoa_pool *pool, const struct how *how, stoa_error *err) {
    const stoa_sched_options options = {.threads = 3, .deterministic = !how->threads, .seed = 4};
    const stoa_pipeline_options choice = {.ordered = how->ordered, .lanes = 3, .slice_rows = 30};
    stoa_context context = {.pool = pool};
    struct world world;
    struct world_list expected = {0};
    world_init(&world, pool, 11);
    world.part_count = 5;
    world.morsels_max = 4;
    world.rows_max = 25;
    world.serial = how->serial;
    world_add_operator(&world, WORLD_SPLIT);
    world_add_operator(&world, WORLD_REPLACE);
    stoa_status status = stoa_sched_create(pool, &options, &context.sched, err);
    if (status == STOA_OK) {
        const stoa_pipeline pipeline = world_pipeline(&world, &choice);
        status = how->read ? read_all(&pipeline, &context, &world.list, err)
                           : stoa_pipeline_run(&pipeline, &context, err);
    }
    /* What says that it is done has done everything; in order, what came before a failure is right. */
    (void)world_expect(&world, &expected);
    if (!how->ordered) {
        world_sort(&world.list);
        world_sort(&expected);
    }
    if (status != STOA_OK && world.list.count <= expected.count && how->ordered) {
        expected.count = world.list.count;
    }
    if ((status == STOA_OK || how->ordered) && !world_same(&world.list, &expected)) {
        abort();
    }
    free(expected.values);
    world_release(&world);
    stoa_sched_close(context.sched);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    return run(world->pool, user, err);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct how how = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0};
        assert_true(support_fail_each_allocation(NULL, scenario, NULL, &how) > 50);
    }
}

static void every_limit_is_respected(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        const struct how how = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0, false};
        stoa_status status = STOA_LIMIT;
        int failures = 0;
        for (size_t limit = 4096; status != STOA_OK; limit += 1024) {
            stoa_error err = STOA_ERROR_NONE;
            stoa_pool *root = support_pool_open();
            stoa_pool *pool;
            assert_ok(stoa_pool_create_child(root, "pipeline", limit, &pool, &err), err);
            status = run(pool, &how, &err);
            assert_true(status == STOA_OK || status == STOA_LIMIT);
            failures += status == STOA_LIMIT;
            assert_int_equal(stoa_pool_used(pool), 0);
            stoa_pool_close(pool);
            support_pool_close(root);
        }
        assert_true(failures > 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_limit_is_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
