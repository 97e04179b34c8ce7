/* Running a pipeline to its end, and what every run begins and ends with. */
#include "pipeline/run.h"

#include "base/clock.h"

enum {
    LANES_MAX = 1024,
    WINDOW_MORSELS_MAX = 1 << 20,
    WINDOW_MORSELS_A_LANE = 4,
    PROGRESS_EVERY_MS = 250
};

static stoa_status check_options(const stoa_pipeline_options *options, stoa_error *err) {
    if (options->lanes < 0 || options->lanes > LANES_MAX) {
        return stoa_fail(err, STOA_INVALID, "lanes: expected 0 to %d but found %" PRId32, LANES_MAX,
                         options->lanes);
    }
    if (options->window_morsels < 0 || options->window_morsels > WINDOW_MORSELS_MAX) {
        return stoa_fail(err, STOA_INVALID, "window_morsels: expected 0 to %d but found %" PRId32,
                         WINDOW_MORSELS_MAX, options->window_morsels);
    }
    if (options->slice_rows < 0 || options->slice_ns < 0) {
        return stoa_fail(err, STOA_INVALID,
                         "a slice: expected no negative budget but found %" PRId64
                         " rows and %" PRId64 " ns",
                         options->slice_rows, options->slice_ns);
    }
    return STOA_OK;
}

static void choose_options(struct run *run) {
    stoa_pipeline_options *options = &run->pipeline.options;
    const stoa_sched *sched = run->context.sched;
    run->lane_count = 1;
    if (sched != NULL) {
        run->lane_count = options->lanes > 0 ? options->lanes : stoa_sched_threads(sched);
    }
    if (options->window_morsels == 0) {
        options->window_morsels = WINDOW_MORSELS_A_LANE * run->lane_count;
    }
    options->window_bytes = options->window_bytes > 0 ? options->window_bytes : (size_t)64 << 20;
    options->slice_rows = options->slice_rows > 0 ? options->slice_rows : 1 << 20;
    options->slice_ns = options->slice_ns > 0 ? options->slice_ns : 5000000;
    options->phase = options->phase != NULL ? options->phase : "reading";
    run->windowed = run->lane_count > 1 && (run->pull || options->ordered);
}

static stoa_status create_lanes(struct run *run, stoa_error *err) {
    const size_t lane_count = (size_t)run->lane_count;
    const size_t stage_count = (size_t)run->pipeline.operator_count + 1;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(run->pool, lane_count, sizeof *run->lanes, &memory, err));
    run->lanes = memory;
    STOA_TRY(stoa_pool_allocate_array(run->pool, lane_count * stage_count, sizeof *run->stages,
                                      &memory, err));
    run->stages = memory;
    STOA_TRY(stoa_pool_allocate_array(run->pool, lane_count, sizeof *run->errors, &memory, err));
    run->errors = memory;
    for (size_t i = 0; i < lane_count; i++) {
        stoa_error_clear(&run->errors[i]);
        run->lanes[i] = (struct lane){.run = run,
                                      .part = -1,
                                      .stages = &run->stages[i * stage_count],
                                      .error = &run->errors[i]};
    }
    run->parked_count = run->lane_count - 1;
    atomic_store_explicit(&run->parked_hint, run->parked_count, memory_order_relaxed);
    return STOA_OK;
}

/* One lane needs no window, only a place for what a reader has not taken yet. */
static stoa_status open_run(struct run *run, stoa_error *err) {
    STOA_TRY(check_options(&run->pipeline.options, err));
    choose_options(run);
    STOA_TRY(create_lanes(run, err));
    if (run->windowed || run->pull) {
        STOA_TRY(stoa_window_create(run, err));
    }
    if (run->lane_count > 1) {
        /* Not the group's token: that is gone before the locals are, and would keep tasks from
         * beginning, which lanes find out by themselves. */
        STOA_TRY(stoa_cancel_create(run->context.cancel, &run->cancel, err));
        run->context.cancel = run->cancel;
        STOA_TRY(stoa_group_init(&run->group, run->context.sched, run->pipeline.options.priority,
                                 NULL, err));
        run->grouped = true;
    }
    run->local_context = run->context;
    run->local_context.sched = NULL;
    return STOA_OK;
}

stoa_status stoa_run_create(const stoa_pipeline *pipeline, const stoa_context *context, bool pull,
                            struct run **out, stoa_error *err) {
    void *memory;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct run), &memory, err));
    struct run *run = memory;
    run->pipeline = *pipeline;
    run->context = *context;
    run->pool = context->pool;
    run->pull = pull;
    run->failed_part = INT64_MAX;
    stoa_error_clear(&run->error);
    stoa_error_clear(&run->sink_error);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->changed, NULL);
    stoa_status status = open_run(run, err);
    if (status != STOA_OK) {
        stoa_run_close(run);
        return status;
    }
    *out = run;
    return STOA_OK;
}

void stoa_run_wait(struct run *run) {
    if (run->grouped) {
        run->grouped = false;
        /* Lanes keep their failures in the run and answer STOA_OK to the group. */
        STOA_IGNORE(stoa_group_wait(&run->group, NULL));
    }
}

void stoa_run_close(struct run *run) {
    if (run == NULL) {
        return;
    }
    stoa_run_wait(run);
    for (int32_t i = 0; run->errors != NULL && i < run->lane_count; i++) { /* made last */
        stoa_lane_close(&run->lanes[i]);
    }
    const size_t lane_count = (size_t)run->lane_count;
    const size_t stage_count = (size_t)run->pipeline.operator_count + 1;
    if (run->items != NULL) {
        stoa_window_release(run);
    }
    stoa_pool_free(run->pool, run->lanes, lane_count * sizeof *run->lanes);
    stoa_pool_free(run->pool, run->stages, lane_count * stage_count * sizeof *run->stages);
    stoa_pool_free(run->pool, run->errors, lane_count * sizeof *run->errors);
    stoa_cancel_close(run->cancel);
    pthread_cond_destroy(&run->changed);
    pthread_mutex_destroy(&run->lock);
    stoa_pool_free(run->pool, run, sizeof *run);
}

void stoa_run_fail(struct run *run, stoa_status status, const stoa_error *error) {
    if (run->status != STOA_OK) {
        return;
    }
    run->status = status;
    run->error = *error;
    atomic_store_explicit(&run->stopped, true, memory_order_relaxed);
    stoa_cancel_trigger(run->cancel);
    if (run->reader_waits) {
        pthread_cond_signal(&run->changed);
    }
}

void stoa_run_check_end(struct run *run) {
    STOA_ASSERT(run->status != STOA_OK || run->done_count == run->lane_count);
    if (run->status == STOA_OK && run->used_morsels > 0) {
        stoa_error error = STOA_ERROR_NONE;
        stoa_status status = stoa_fail(&error, STOA_INTERNAL,
                                       "a source ended without giving part %" PRId64,
                                       run->head_part);
        stoa_run_fail(run, status, &error);
    }
}

static void report(struct run *run, int64_t now_ns) {
    const stoa_pipeline_options *options = &run->pipeline.options;
    const stoa_progress progress = {.phase = options->phase,
                                    .unit = "rows",
                                    .done = atomic_load_explicit(&run->rows_done,
                                                                 memory_order_relaxed),
                                    .total = options->row_count_total,
                                    .bytes_done = atomic_load_explicit(&run->bytes_done,
                                                                       memory_order_relaxed),
                                    .bytes_total = options->bytes_total};
    int64_t due = atomic_load_explicit(&run->report_at_ns, memory_order_relaxed);
    const int64_t next = now_ns + PROGRESS_EVERY_MS * INT64_C(1000000);
    /* Who moves the time reports; others come too late. */
    if (now_ns >= due &&
        atomic_compare_exchange_strong_explicit(&run->report_at_ns, &due, next,
                                                memory_order_relaxed, memory_order_relaxed)) {
        run->context.progress(run->context.progress_user, &progress);
    }
}

void stoa_run_count(struct run *run, int64_t row_count, uint64_t bytes) {
    if (run->context.progress == NULL) {
        return;
    }
    atomic_fetch_add_explicit(&run->rows_done, (uint64_t)row_count, memory_order_relaxed);
    atomic_fetch_add_explicit(&run->bytes_done, bytes, memory_order_relaxed);
    const int64_t now_ns = stoa_clock_coarse_ns();
    if (now_ns >= atomic_load_explicit(&run->report_at_ns, memory_order_relaxed)) {
        report(run, now_ns);
    }
}

/* The caller's thread alone: no window, no lock, no task. */
static stoa_status run_alone(struct run *run, stoa_error *err) {
    bool more = true;
    STOA_TRY(stoa_lane_open(&run->lanes[0], err));
    while (more) {
        STOA_TRY(stoa_lane_step_alone(&run->lanes[0], &more, err));
    }
    return STOA_OK;
}

/* The caller's thread runs the first lane, which wakes others as soon as there is work for them. */
static stoa_status run_lanes(struct run *run, stoa_error *err) {
    if (run->windowed) {
        STOA_TRY(stoa_lane_open_sink(&run->lanes[0], err));
    }
    run->lanes[0].state = LANE_RUNNING;
    stoa_lane_work(&run->lanes[0], INT64_MAX);
    stoa_run_wait(run);
    stoa_run_check_end(run);
    if (run->status != STOA_OK && err != NULL) {
        *err = run->error;
    }
    return run->status;
}

static stoa_status finish(struct run *run, stoa_error *err) {
    const stoa_pipeline_sink *sink = &run->pipeline.sink;
    for (int32_t i = 0; sink->combine != NULL && i < run->lane_count; i++) {
        if (run->lanes[i].sink_opened) {
            STOA_TRY(sink->combine(sink->state, run->lanes[i].sink_local, err));
        }
    }
    return sink->finish == NULL ? STOA_OK : sink->finish(sink->state, err);
}

stoa_status stoa_pipeline_run(const stoa_pipeline *pipeline, const stoa_context *context,
                              stoa_error *err) {
    struct run *run;
    STOA_TRY(stoa_run_create(pipeline, context, false, &run, err));
    stoa_status status = run->lane_count == 1 ? run_alone(run, err) : run_lanes(run, err);
    if (status == STOA_OK) {
        status = finish(run, err);
    }
    stoa_run_close(run);
    return status;
}
