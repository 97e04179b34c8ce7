/* Pipelines: options, plans, ready-made sources, slices, back-pressure, progress, cancellation. */
#include "arrow/stream.h"
#include "pipeline_world.h"

struct scene {
    stoa_pool *pool;
    stoa_sched *sched;
    stoa_context context;
    struct world world;
};

/* A scheduler without threads, whose order follows from `seed`. */
static void scene_open(struct scene *scene, uint64_t seed) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_sched_options options = {.threads = 3, .deterministic = true, .seed = seed};
    scene->pool = support_pool_open();
    assert_ok(stoa_sched_create(scene->pool, &options, &scene->sched, &err), err);
    scene->context = (stoa_context){.pool = scene->pool, .sched = scene->sched};
    world_init(&scene->world, scene->pool, 1);
    scene->world.part_count = 6;
    scene->world.morsels_max = 5;
    scene->world.rows_max = 20;
}

static void scene_close(struct scene *scene) {
    world_release(&scene->world);
    stoa_sched_close(scene->sched);
    support_pool_close(scene->pool);
}

/* Three lanes where nothing else is said: a scheduler without threads would have one. */
static stoa_pipeline scene_pipeline_of(struct world *world, const stoa_pipeline_options *options) {
    stoa_pipeline_options chosen = *options;
    chosen.lanes = chosen.lanes != 0 ? chosen.lanes : 3;
    return world_pipeline(world, &chosen);
}

static stoa_pipeline scene_pipeline(struct scene *scene, const stoa_pipeline_options *options) {
    return scene_pipeline_of(&scene->world, options);
}

static void options_are_checked(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    scene_open(&scene, 0);
    static const struct {
        stoa_pipeline_options options;
        const char *says;
    } cases[] = {{{.lanes = -1}, "lanes: expected 0 to 1024 but found -1"},
                 {{.lanes = 1025}, "lanes"},
                 {{.window_morsels = -1}, "window_morsels"},
                 {{.window_morsels = INT32_MAX}, "window_morsels"},
                 {{.slice_rows = -1}, "a slice"},
                 {{.slice_ns = -1}, "a slice"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_pipeline pipeline = scene_pipeline(&scene, &cases[i].options);
        assert_fails(stoa_pipeline_run(&pipeline, &scene.context, &err), STOA_INVALID,
                     cases[i].says, err);
    }
    assert_int_equal(atomic_load(&scene.world.fetched), 0);
    scene_close(&scene);
}

/* ---- sources that break their promise ---------------------------------------------------------- */

struct liar {
    struct world *world;
    stoa_morsel says[3];
    _Atomic int64_t next;
};

static stoa_status lie(void *state, void *local, stoa_morsel *out, bool *out_more,
                       stoa_error *err) {
    (void)local;
    struct liar *liar = state;
    const int64_t at = atomic_fetch_add(&liar->next, 1);
    const int64_t value = 0;
    *out_more = at < 3 && liar->says[at].part != -2;
    if (!*out_more) {
        return STOA_OK;
    }
    *out = liar->says[at];
    return world_batch(liar->world->pool, &value, 1, &out->batch, err);
}

static void a_source_that_misnumbers_is_found_out(void **state) {
    (void)state;
    static const stoa_morsel lies[][3] = {
        {{.part = 1, .last = true}, {.part = -2}},              /* begins with the second */
        {{.part = 0, .index = 1}, {.part = -2}},                /* begins in the middle */
        {{.part = 0}, {.part = 0, .index = 2}, {.part = -2}},   /* leaves one out */
        {{.part = 0}, {.part = -2}},                            /* ends within a part */
        {{.part = 0, .last = true}, {.part = 0, .last = true}}, /* the same part again */
        {{.part = 0, .last = true}, {.part = INT64_MAX, .last = true}},
        {{.part = 0}, {.part = 1, .index = 1}}, /* changes parts */
    };
    const size_t count = sizeof lies / sizeof *lies;
    for (size_t round = 0; round < 2 * count; round++) {
        const size_t i = round % count;
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        scene_open(&scene, i);
        struct liar liar = {.world = &scene.world};
        memcpy(liar.says, lies[i], sizeof liar.says);
        const stoa_pipeline_options options = {.ordered = true, .lanes = round < count ? 1 : 3};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        pipeline.source = (stoa_pipeline_source){.state = &liar, .next = lie};
        const stoa_status status = stoa_pipeline_run(&pipeline, &scene.context, &err);
        assert_fails(status, STOA_INTERNAL, "part", err);
        assert_false(scene.world.finished);
        scene_close(&scene);
    }
}

/* ---- locals ----------------------------------------------------------------------------------- */

static stoa_status refuse_local(void *state, const stoa_context *context, void **out_local,
                                stoa_error *err) {
    (void)state;
    (void)context;
    (void)out_local;
    return stoa_fail(err, STOA_LOCKED, "no local today");
}

static void a_local_that_does_not_open_ends_the_run(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        scene_open(&scene, (uint64_t)i);
        world_add_operator(&scene.world, WORLD_PASS);
        world_add_operator(&scene.world, WORLD_PASS);
        const stoa_pipeline_options options = {.ordered = i >= 3};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        if (i % 3 == 0) {
            pipeline.source.open_local = refuse_local;
        } else if (i % 3 == 1) {
            scene.world.stages[1].open_local = refuse_local;
        } else {
            pipeline.sink.open_local = refuse_local;
        }
        assert_fails(stoa_pipeline_run(&pipeline, &scene.context, &err), STOA_LOCKED,
                     "no local today", err);
        scene_close(&scene);
    }
}

/* ---- the sink's last words ---------------------------------------------------------------------- */

static stoa_status fail_finish(void *state, stoa_error *err) {
    (void)state;
    return stoa_fail(err, STOA_IO, "finish");
}

static stoa_status fail_combine(void *state, void *local, stoa_error *err) {
    (void)state;
    (void)local;
    return stoa_fail(err, STOA_IO, "combine");
}

static void combine_and_finish_may_fail(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        scene_open(&scene, (uint64_t)i);
        const stoa_pipeline_options options = {.ordered = i % 2 == 1};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        if (i < 2) {
            pipeline.sink.finish = fail_finish;
        } else {
            pipeline.sink.combine = fail_combine;
        }
        assert_fails(stoa_pipeline_run(&pipeline, &scene.context, &err), STOA_IO,
                     i < 2 ? "finish" : "combine", err);
        scene_close(&scene);
    }
}

/* ---- back-pressure ------------------------------------------------------------------------------ */

/* However many lanes there are and however long the reader dawdles, the source is asked for no more
 * than the window holds. */
static void lanes_run_ahead_of_a_reader_by_the_window_at_most(void **state) {
    (void)state;
    for (int32_t window = 1; window <= 6; window++) {
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        struct ArrowArrayStream stream;
        struct ArrowSchema schema = {0};
        struct ArrowArray batch;
        scene_open(&scene, (uint64_t)window);
        scene.world.part_count = 40;
        const stoa_pipeline_options options = {.ordered = window % 2 == 0,
                                               .lanes = 4,
                                               .window_morsels = window,
                                               .slice_rows = 1};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        assert_ok(stoa_pipeline_stream(&pipeline, &scene.context, &schema, NULL, &stream, &err),
                  err);
        assert_int_equal(atomic_load(&scene.world.fetched), 0);
        int64_t batches = 0;
        for (;;) {
            /* Whatever is queued has its turn: the lanes park, or there is nothing left to take. */
            stoa_group group;
            assert_ok(stoa_group_init(&group, scene.sched, STOA_FOREGROUND, NULL, &err), err);
            assert_ok(stoa_group_wait(&group, &err), err);
            assert_ok(stoa_stream_next(&stream, &batch, &err), err);
            if (batch.release == NULL) {
                break;
            }
            batches++;
            stoa_arrow_array_release(&batch);
            if (batches == 3) {
                /* Three were handed out, some places had no rows (fewer than as many again, and the
                 * window). */
                assert_true(atomic_load(&scene.world.fetched) <= 12 + window + 2);
            }
        }
        stoa_arrow_stream_release(&stream);
        scene_close(&scene);
    }
}

/* A source whose weights fill the window at once still gets everything through. */
static void one_morsel_is_let_in_however_large_it_is(void **state) {
    (void)state;
    struct scene scene;
    struct world_list expected = {0};
    stoa_error err = STOA_ERROR_NONE;
    scene_open(&scene, 5);
    const stoa_pipeline_options options = {.ordered = true, .lanes = 3, .window_bytes = 1};
    stoa_pipeline pipeline = scene_pipeline(&scene, &options);
    assert_ok(stoa_pipeline_run(&pipeline, &scene.context, &err), err);
    assert_int_equal(world_expect(&scene.world, &expected), STOA_OK);
    assert_true(world_same(&scene.world.list, &expected));
    free(expected.values);
    scene_close(&scene);
}

/* What waits is charged to the pipeline's pool where no other pool knows of it: a reader that takes
 * nothing makes the lanes meet the pool's limit. */
static stoa_status next_heavy(void *state, void *local, stoa_morsel *out, bool *out_more,
                              stoa_error *err) {
    STOA_TRY(world_next(state, local, out, out_more, err));
    out->bytes = out->batch.release != NULL ? 1 << 20 : 0;
    return STOA_OK;
}

static void foreign_morsels_are_charged_while_they_wait(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *small;
    scene_open(&scene, 5);
    assert_ok(stoa_pool_create_child(scene.pool, "small", 512 << 10, &small, &err), err);
    scene.context.pool = small;
    const stoa_pipeline_options options = {.ordered = true};
    stoa_pipeline pipeline = scene_pipeline(&scene, &options);
    pipeline.source.next = next_heavy;
    pipeline.source.foreign = true;
    assert_fails(stoa_pipeline_run(&pipeline, &scene.context, &err), STOA_LIMIT, "small", err);
    pipeline.source.foreign = false;
    world_rewind(&scene.world);
    assert_ok(stoa_pipeline_run(&pipeline, &scene.context, &err), err);
    assert_int_equal(stoa_pool_used(small), 0);
    stoa_pool_close(small);
    scene_close(&scene);
}

/* ---- slices ------------------------------------------------------------------------------------- */

struct neighbour {
    struct world *world;
    int64_t rows_seen;
};

static stoa_status look_over(void *user, stoa_error *err) {
    (void)err;
    struct neighbour *neighbour = user;
    neighbour->rows_seen = atomic_load(&neighbour->world->fetched);
    return STOA_OK;
}

/* A task that came while a lane was at it does not wait for the whole pipeline. */
static void lanes_give_their_thread_back(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    stoa_group group;
    scene_open(&scene, 7);
    scene.world.part_count = 400;
    struct neighbour neighbour = {&scene.world, -1};
    const stoa_pipeline_options options = {.lanes = 2, .slice_rows = 1};
    stoa_pipeline pipeline = scene_pipeline(&scene, &options);
    assert_ok(stoa_group_init(&group, scene.sched, STOA_FOREGROUND, NULL, &err), err);
    stoa_group_spawn(&group, look_over, &neighbour);
    assert_ok(stoa_pipeline_run(&pipeline, &scene.context, &err), err);
    assert_ok(stoa_group_wait(&group, &err), err);
    assert_true(neighbour.rows_seen < atomic_load(&scene.world.fetched) / 2);
    scene_close(&scene);
}

/* ---- progress ----------------------------------------------------------------------------------- */

struct watcher {
    int64_t calls;
    stoa_progress last;
};

static void watch(void *user, const stoa_progress *progress) {
    struct watcher *watcher = user;
    watcher->calls++;
    watcher->last = *progress;
}

static void progress_is_told_now_and_then(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    struct watcher watcher = {0};
    scene_open(&scene, 7);
    scene.world.part_count = 50;
    scene.context.sched = NULL;
    scene.context.progress = watch;
    scene.context.progress_user = &watcher;
    const stoa_pipeline_options options = {.phase = "counting", .row_count_total = 9};
    stoa_pipeline pipeline = scene_pipeline(&scene, &options);
    assert_ok(stoa_pipeline_run(&pipeline, &scene.context, &err), err);
    /* At once, and then not again within a quarter of a second. */
    assert_true(watcher.calls >= 1 && watcher.calls < atomic_load(&scene.world.fetched) / 2);
    assert_string_equal(watcher.last.phase, "counting");
    assert_string_equal(watcher.last.unit, "rows");
    assert_int_equal(watcher.last.total, 9);
    scene_close(&scene);
}

/* ---- cancellation ------------------------------------------------------------------------------- */

/* The token is triggered while morsel 0, 1, 2, … is made: no sink finishes, nothing leaks, and at most
 * one more morsel a lane is asked for. */
static void runs_are_cancelled_at_every_morsel(void **state) {
    (void)state;
    for (int64_t at = 0;; at++) {
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        scene_open(&scene, (uint64_t)at);
        world_add_operator(&scene.world, WORLD_SPLIT);
        assert_ok(stoa_cancel_create(NULL, &scene.world.cancel, &err), err);
        scene.context.cancel = scene.world.cancel;
        scene.world.cancel_at = at;
        const stoa_pipeline_options options = {.ordered = at % 2 == 0, .slice_rows = 15};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        const stoa_status status = stoa_pipeline_run(&pipeline, &scene.context, &err);
        const int64_t fetched = atomic_load(&scene.world.fetched);
        assert_int_equal(scene.world.finished, status == STOA_OK);
        if (fetched > at) {
            assert_fails(status, STOA_CANCELLED, "cancelled by request", err);
            assert_true(fetched <= at + 1);
        } else {
            assert_int_equal(status, STOA_OK);
        }
        stoa_cancel_close(scene.world.cancel);
        scene_close(&scene);
        if (fetched <= at) {
            assert_true(at > 10);
            return;
        }
    }
}

static void streams_are_cancelled_at_every_morsel(void **state) {
    (void)state;
    for (int64_t at = 0;; at++) {
        struct scene scene;
        stoa_error err = STOA_ERROR_NONE;
        struct ArrowArrayStream stream;
        struct ArrowSchema schema = {0};
        struct ArrowArray batch;
        stoa_status status;
        scene_open(&scene, (uint64_t)at);
        assert_ok(stoa_cancel_create(NULL, &scene.world.cancel, &err), err);
        scene.context.cancel = scene.world.cancel;
        scene.world.cancel_at = at;
        const stoa_pipeline_options options = {.ordered = at % 2 == 0};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        assert_ok(stoa_pipeline_stream(&pipeline, &scene.context, &schema, NULL, &stream, &err),
                  err);
        do {
            status = stoa_stream_next(&stream, &batch, &err);
        } while (status == STOA_OK && batch.release != NULL &&
                 (stoa_arrow_array_release(&batch), true));
        const int64_t fetched = atomic_load(&scene.world.fetched);
        assert_int_equal(status, fetched > at ? STOA_CANCELLED : STOA_OK);
        stoa_arrow_stream_release(&stream);
        stoa_cancel_close(scene.world.cancel);
        scene_close(&scene);
        if (fetched <= at) {
            return;
        }
    }
}

/* ---- ready-made sources --------------------------------------------------------------------------- */

static stoa_status open_stream(struct world *world, int64_t part, struct ArrowArrayStream *out,
                               stoa_error *err) {
    struct ArrowArray batches[3] = {0};
    struct ArrowSchema schema = {0};
    int64_t count = world_hash(world, part, 7) % 4;
    for (int64_t i = 0; i < count; i++) {
        const int64_t value = world_value(world, part, i, 0);
        /* One in three has no rows. */
        STOA_TRY(world_batch(world->pool, &value, (part + i) % 3 == 0 ? 0 : 1, &batches[i], err));
    }
    return stoa_stream_from_batches(world->pool, &schema, batches, count, out, err);
}

static void expect_streams(const struct world *world, struct world_list *out) {
    for (int64_t part = 0; part < world->part_count; part++) {
        for (int64_t i = 0; i < (int64_t)(world_hash(world, part, 7) % 4); i++) {
            const int64_t value = world_value(world, part, i, 0);
            world_add(out, &value, (part + i) % 3 == 0 ? 0 : 1);
        }
    }
}

static stoa_status open_part(void *user, int64_t part, const stoa_context *context,
                             struct ArrowArrayStream *out, stoa_error *err) {
    struct world *world = user;
    assert_non_null(context->pool);
    if (part == world->source_fails.part) {
        return stoa_fail(err, STOA_NOT_FOUND, "part %d is gone", (int)part);
    }
    return open_stream(world, part, out, err);
}

static void parts_are_read_at_once_and_in_order(void **state) {
    (void)state;
    for (int64_t fails = -1; fails < 6; fails++) {
        struct scene scene;
        struct world_list expected = {0};
        stoa_error err = STOA_ERROR_NONE;
        scene_open(&scene, 3);
        scene.world.source_fails.part = fails;
        expect_streams(&scene.world, &expected);
        const stoa_pipeline_options options = {.ordered = true, .slice_rows = 1};
        stoa_pipeline pipeline = scene_pipeline(&scene, &options);
        stoa_pipeline_parts_source parts = {.open = open_part,
                                            .user = &scene.world,
                                            .part_count = scene.world.part_count};
        pipeline.source = stoa_pipeline_source_of_parts(&parts);
        const stoa_status status = stoa_pipeline_run(&pipeline, &scene.context, &err);
        if (fails < 0) {
            assert_ok(status, err);
            assert_true(world_same(&scene.world.list, &expected));
        } else {
            assert_fails(status, STOA_NOT_FOUND, "is gone", err);
            assert_true(scene.world.list.count <= expected.count);
            expected.count = scene.world.list.count;
            assert_true(world_same(&scene.world.list, &expected));
        }
        free(expected.values);
        scene_close(&scene);
    }
}

static void no_parts_are_no_rows(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    scene_open(&scene, 3);
    const stoa_pipeline_options options = {.ordered = true};
    stoa_pipeline pipeline = scene_pipeline(&scene, &options);
    stoa_pipeline_parts_source parts = {.open = open_part, .user = &scene.world};
    pipeline.source = stoa_pipeline_source_of_parts(&parts);
    assert_ok(stoa_pipeline_run(&pipeline, &scene.context, &err), err);
    assert_true(scene.world.finished);
    assert_int_equal(scene.world.list.count, 0);
    scene_close(&scene);
}

/* ---- plans ---------------------------------------------------------------------------------------- */

/* A sink that sorts, and hands the sorted rows on. */
static stoa_status sort_all(void *state, stoa_error *err) {
    (void)err;
    struct world *world = state;
    world_sort(&world->list);
    world->finished = true;
    return STOA_OK;
}

static stoa_status next_sorted(void *state, void *local, stoa_morsel *out, bool *out_more,
                               stoa_error *err) {
    (void)local;
    struct world *world = state;
    const int64_t left = world->list.count - world->cursor.index;
    const int64_t count = left < 5 ? left : 5;
    *out_more = count > 0;
    world->cursor.index += count;
    return *out_more ? world_batch(world->pool, world->list.values + world->cursor.index - count,
                                   count, &out->batch, err)
                     : STOA_OK;
}

static stoa_status make_sorted(void *state, stoa_pipeline_source *out, stoa_error *err) {
    (void)err;
    struct world *world = state;
    assert_true(world->finished);
    world->cursor.index = 0;
    *out = (stoa_pipeline_source){.state = state, .serial = true, .next = next_sorted};
    return STOA_OK;
}

static void a_sink_becomes_the_source_of_the_next_pipeline(void **state) {
    (void)state;
    struct scene scene;
    struct world last;
    struct world_list expected = {0};
    stoa_error err = STOA_ERROR_NONE;
    scene_open(&scene, 3);
    world_init(&last, scene.pool, 0);
    const stoa_pipeline_options unordered = {0}, ordered = {.ordered = true};
    /* The later step stands first. */
    stoa_pipeline_step steps[2] = {{.pipeline = scene_pipeline_of(&last, &ordered),
                                    .source_from = 1},
                                   {.pipeline = scene_pipeline(&scene, &unordered),
                                    .source_from = -1}};
    steps[1].pipeline.sink.finish = sort_all;
    steps[1].pipeline.sink.make_source = make_sorted;
    assert_ok(stoa_pipeline_run_plan(steps, 2, &scene.context, &err), err);
    assert_int_equal(world_expect(&scene.world, &expected), STOA_OK);
    world_sort(&expected);
    assert_true(world_same(&last.list, &expected));
    free(expected.values);
    world_release(&last);
    scene_close(&scene);
}

static void plans_that_cannot_run_are_refused(void **state) {
    (void)state;
    struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    scene_open(&scene, 3);
    const stoa_pipeline_options options = {0};
    static const int32_t zero[] = {0}, one[] = {1}, nine[] = {9};
    stoa_pipeline_step steps[2] = {{.pipeline = scene_pipeline(&scene, &options), .source_from = 1},
                                   {.pipeline = scene_pipeline(&scene, &options),
                                    .source_from = -1}};
    assert_fails(stoa_pipeline_run_plan(steps, 2, &scene.context, &err), STOA_INVALID,
                 "makes no source", err);
    steps[0].source_from = 2;
    assert_fails(stoa_pipeline_run_plan(steps, 2, &scene.context, &err), STOA_INVALID,
                 "source_from: expected -1 to 1 but found 2", err);
    steps[0] = (stoa_pipeline_step){steps[1].pipeline, -1, one, 1};
    steps[1] = (stoa_pipeline_step){steps[1].pipeline, -1, zero, 1};
    assert_fails(stoa_pipeline_run_plan(steps, 2, &scene.context, &err), STOA_INVALID,
                 "2 pipelines wait for each other", err);
    steps[1].after = nine;
    assert_fails(stoa_pipeline_run_plan(steps, 2, &scene.context, &err), STOA_INVALID,
                 "after: expected 0 to 1 but found 9", err);
    assert_int_equal(atomic_load(&scene.world.fetched), 0);
    scene_close(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_source_that_misnumbers_is_found_out),
        cmocka_unit_test(a_local_that_does_not_open_ends_the_run),
        cmocka_unit_test(combine_and_finish_may_fail),
        cmocka_unit_test(lanes_run_ahead_of_a_reader_by_the_window_at_most),
        cmocka_unit_test(one_morsel_is_let_in_however_large_it_is),
        cmocka_unit_test(foreign_morsels_are_charged_while_they_wait),
        cmocka_unit_test(lanes_give_their_thread_back),
        cmocka_unit_test(progress_is_told_now_and_then),
        cmocka_unit_test(runs_are_cancelled_at_every_morsel),
        cmocka_unit_test(streams_are_cancelled_at_every_morsel),
        cmocka_unit_test(parts_are_read_at_once_and_in_order),
        cmocka_unit_test(no_parts_are_no_rows),
        cmocka_unit_test(a_sink_becomes_the_source_of_the_next_pipeline),
        cmocka_unit_test(plans_that_cannot_run_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
