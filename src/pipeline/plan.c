/* Several pipelines, each after those it needs. */
#include "mem/pool.h"
#include "pipeline/pipeline.h"

static stoa_status check_step(const stoa_pipeline_step *steps, int32_t step_count, int32_t number,
                              stoa_error *err) {
    const stoa_pipeline_step *step = &steps[number];
    if (step->source_from < -1 || step->source_from >= step_count) {
        return stoa_fail(err, STOA_INVALID,
                         "pipeline %" PRId32 ": source_from: expected -1 to %" PRId32
                         " but found %" PRId32,
                         number, step_count - 1, step->source_from);
    }
    for (int32_t i = 0; i < step->after_count; i++) {
        if (step->after[i] < 0 || step->after[i] >= step_count) {
            return stoa_fail(err, STOA_INVALID,
                             "pipeline %" PRId32 ": after: expected 0 to %" PRId32
                             " but found %" PRId32,
                             number, step_count - 1, step->after[i]);
        }
    }
    if (step->source_from >= 0 && steps[step->source_from].pipeline.sink.make_source == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "pipeline %" PRId32 ": the sink of pipeline %" PRId32 " makes no source",
                         number, step->source_from);
    }
    return STOA_OK;
}

static bool is_ready(const stoa_pipeline_step *step, const bool *ended) {
    if (step->source_from >= 0 && !ended[step->source_from]) {
        return false;
    }
    for (int32_t i = 0; i < step->after_count; i++) {
        if (!ended[step->after[i]]) {
            return false;
        }
    }
    return true;
}

static stoa_status run_step(stoa_pipeline_step *steps, int32_t number, const stoa_context *context,
                            stoa_error *err) {
    stoa_pipeline_step *step = &steps[number];
    if (step->source_from >= 0) {
        const stoa_pipeline_sink *sink = &steps[step->source_from].pipeline.sink;
        STOA_TRY(sink->make_source(sink->state, &step->pipeline.source, err));
    }
    return stoa_pipeline_run(&step->pipeline, context, err);
}

/* Picks the first step that is ready, again and again: plans have a handful. */
static stoa_status run_steps(stoa_pipeline_step *steps, int32_t step_count, bool *ended,
                             const stoa_context *context, stoa_error *err) {
    for (int32_t done = 0; done < step_count; done++) {
        int32_t next = 0;
        while (next < step_count && (ended[next] || !is_ready(&steps[next], ended))) {
            next++;
        }
        if (next == step_count) {
            return stoa_fail(err, STOA_INVALID, "%" PRId32 " pipelines wait for each other",
                             step_count - done);
        }
        STOA_TRY(run_step(steps, next, context, err));
        ended[next] = true;
    }
    return STOA_OK;
}

stoa_status stoa_pipeline_run_plan(stoa_pipeline_step *steps, int32_t step_count,
                                   const stoa_context *context, stoa_error *err) {
    void *ended;
    for (int32_t i = 0; i < step_count; i++) {
        STOA_TRY(check_step(steps, step_count, i, err));
    }
    STOA_TRY(
        stoa_pool_allocate_array(context->pool, (size_t)step_count, sizeof(bool), &ended, err));
    stoa_status status = run_steps(steps, step_count, ended, context, err);
    stoa_pool_free(context->pool, ended, (size_t)step_count * sizeof(bool));
    return status;
}
