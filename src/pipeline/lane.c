/* Lanes: what the threads do.
 *
 * A lane takes a morsel and carries it through the stages, again and again, until its slice is over,
 * there is nothing left, or it may not go on. Then it gives its thread back: a lane never waits
 * inside a task. In an ordered run the lane that finds the next item in its place also calls the
 * sink, for as long as there is a next one; the others put theirs into the window and go on. */
#include "base/clock.h"
#include "pipeline/run.h"

enum step { STEP_ON, STEP_GONE };

/* ---- locals ---------------------------------------------------------------------------------- */

static stoa_status open_local(stoa_status (*open)(void *, const stoa_context *, void **,
                                                  stoa_error *),
                              void *state, const struct run *run, void **out, stoa_error *err) {
    *out = NULL;
    return open == NULL ? STOA_OK : open(state, &run->local_context, out, err);
}

stoa_status stoa_lane_open_sink(struct lane *lane, stoa_error *err) {
    const stoa_pipeline_sink *sink = &lane->run->pipeline.sink;
    STOA_TRY(open_local(sink->open_local, sink->state, lane->run, &lane->sink_local, err));
    lane->sink_opened = true;
    return STOA_OK;
}

static stoa_status push_to_sink(void *state, void *local, stoa_morsel *morsel,
                                const stoa_pipeline_stage *next, stoa_error *err) {
    (void)next;
    const struct lane *lane = local;
    const stoa_pipeline_sink *sink = state;
    return sink->consume(sink->state, lane->sink_local, morsel, err);
}

static stoa_status push_to_item(void *state, void *local, stoa_morsel *morsel,
                                const stoa_pipeline_stage *next, stoa_error *err) {
    (void)state;
    (void)next;
    struct item *item = ((struct lane *)local)->item;
    STOA_TRY(stoa_buffer_append(&item->outputs, morsel, sizeof *morsel, err));
    item->bytes += morsel->bytes;
    morsel->batch.release = NULL;
    return STOA_OK;
}

stoa_status stoa_lane_open(struct lane *lane, stoa_error *err) {
    struct run *run = lane->run;
    const stoa_pipeline *pipeline = &run->pipeline;
    const bool gathers = run->windowed || run->pull;
    STOA_TRY(open_local(pipeline->source.open_local, pipeline->source.state, run,
                        &lane->source_local, err));
    lane->opened = true;
    while (lane->stage_count < pipeline->operator_count) {
        const stoa_pipeline_operator *given = &pipeline->operators[lane->stage_count];
        stoa_pipeline_stage *stage = &lane->stages[lane->stage_count];
        *stage = (stoa_pipeline_stage){.push = given->push, .state = given->state};
        STOA_TRY(open_local(given->open_local, given->state, run, &stage->local, err));
        lane->stage_count++;
    }
    lane->stages[lane->stage_count] = (stoa_pipeline_stage){.push = gathers ? push_to_item
                                                                            : push_to_sink,
                                                            .state = &run->pipeline.sink,
                                                            .local = lane};
    return gathers ? STOA_OK : stoa_lane_open_sink(lane, err);
}

void stoa_lane_close(struct lane *lane) {
    const stoa_pipeline *pipeline = &lane->run->pipeline;
    if (lane->sink_opened && pipeline->sink.close_local != NULL) {
        pipeline->sink.close_local(pipeline->sink.state, lane->sink_local);
    }
    while (lane->stage_count > 0) {
        lane->stage_count--;
        const stoa_pipeline_operator *given = &pipeline->operators[lane->stage_count];
        if (given->close_local != NULL) {
            given->close_local(given->state, lane->stages[lane->stage_count].local);
        }
    }
    if (lane->opened && pipeline->source.close_local != NULL) {
        pipeline->source.close_local(pipeline->source.state, lane->source_local);
    }
    lane->opened = false;
    lane->sink_opened = false;
}

/* ---- one morsel ------------------------------------------------------------------------------ */

static stoa_status check_continues(const struct lane *lane, const stoa_morsel *morsel,
                                   stoa_error *err) {
    if (morsel->part < 0 || morsel->index != lane->next_index ||
        (lane->part >= 0 && morsel->part != lane->part)) {
        return stoa_fail(err, STOA_INTERNAL,
                         "a source gave morsel %" PRId64 " of part %" PRId64
                         " where morsel %" PRId64 " of %s %" PRId64 " was to come",
                         morsel->index, morsel->part, lane->next_index,
                         lane->part >= 0 ? "part" : "a part after", lane->part);
    }
    return STOA_OK;
}

/* Asks a source that numbers its morsels itself, and looks at what it says. */
static stoa_status fetch(struct lane *lane, stoa_morsel *out, bool *out_more, stoa_error *err) {
    const stoa_pipeline_source *source = &lane->run->pipeline.source;
    *out = (stoa_morsel){.part = lane->part, .index = lane->next_index};
    *out_more = true;
    STOA_TRY(source->next(source->state, lane->source_local, out, out_more, err));
    if (source->serial) {
        return STOA_OK;
    }
    if (!*out_more && lane->part >= 0) {
        return stoa_fail(err, STOA_INTERNAL, "a source ended within part %" PRId64, lane->part);
    }
    return *out_more ? check_continues(lane, out, err) : STOA_OK;
}

static void advance(struct lane *lane, const stoa_morsel *place) {
    lane->part = place->last ? -1 : place->part;
    lane->next_index = place->last ? 0 : place->index + 1;
}

/* Through the stages; the batch is gone afterwards. */
static stoa_status carry(struct lane *lane, stoa_morsel *morsel, stoa_error *err) {
    if (morsel->batch.release == NULL) {
        return STOA_OK;
    }
    const int64_t row_count = morsel->batch.length;
    const uint64_t bytes = morsel->bytes;
    STOA_TRY(stoa_pipeline_push(lane->stages, morsel, err));
    lane->slice_rows += row_count;
    stoa_run_count(lane->run, row_count, bytes);
    return STOA_OK;
}

/* With one lane parts follow each other without a window to see to it. */
static stoa_status check_next_part(struct run *run, const stoa_morsel *morsel, stoa_error *err) {
    const int64_t wanted = run->source_number++;
    if (morsel->part != wanted) {
        return stoa_fail(err, STOA_INTERNAL,
                         "a source gave part %" PRId64 " where part %" PRId64 " was to come",
                         morsel->part, wanted);
    }
    return STOA_OK;
}

stoa_status stoa_lane_step_alone(struct lane *lane, bool *out_more, stoa_error *err) {
    struct run *run = lane->run;
    stoa_morsel morsel;
    STOA_TRY(stoa_cancel_check(run->context.cancel, err));
    stoa_status status = fetch(lane, &morsel, out_more, err);
    if (status == STOA_OK && *out_more) {
        if (run->pipeline.source.serial) {
            morsel.part = run->source_number++;
            morsel.index = 0;
            morsel.last = true;
        } else if (lane->part < 0) {
            status = check_next_part(run, &morsel, err);
        }
        if (status == STOA_OK) {
            advance(lane, &morsel);
            return carry(lane, &morsel, err);
        }
    }
    stoa_arrow_array_release(&morsel.batch);
    return status;
}

/* ---- the scheduler --------------------------------------------------------------------------- */

static stoa_status lane_task(void *user, stoa_error *err) {
    (void)err;
    struct lane *lane = user;
    struct run *run = lane->run;
    pthread_mutex_lock(&run->lock);
    const bool claimed = lane->state == LANE_READY;
    lane->queued = false;
    if (claimed) {
        lane->state = LANE_RUNNING;
    }
    pthread_mutex_unlock(&run->lock);
    if (claimed) {
        stoa_lane_work(lane, INT64_MAX);
    }
    return STOA_OK;
}

void stoa_lane_spawn_all(struct lane *lanes) {
    while (lanes != NULL) {
        /* The link is this list's until the task runs; a reader that claims the lane before leaves
         * it alone. */
        struct lane *lane = lanes;
        lanes = lane->wake_next;
        stoa_group_spawn(&lane->run->group, lane_task, lane);
    }
}

/* ---- lanes among others ---------------------------------------------------------------------- */

bool stoa_lane_is_over(const struct lane *lane) {
    const struct run *run = lane->run;
    if (lane->status != STOA_OK || atomic_load_explicit(&run->stopped, memory_order_relaxed)) {
        return true;
    }
    return lane->part < 0 ? run->source_ended || run->failed_part != INT64_MAX
                          : lane->part > run->failed_part;
}

/* The lane's last act. The lock is held and let go. */
static enum step end_lane(struct lane *lane) {
    struct run *run = lane->run;
    lane->state = LANE_DONE;
    run->done_count++;
    struct lane *woken = stoa_window_wake(run);
    pthread_mutex_unlock(&run->lock);
    stoa_lane_spawn_all(woken);
    return STEP_GONE;
}

/* A failure without a place in the order. */
static enum step fail_lane(struct lane *lane, stoa_status status) {
    struct run *run = lane->run;
    pthread_mutex_lock(&run->lock);
    stoa_run_fail(run, status, lane->error);
    return end_lane(lane);
}

static enum step park_lane(struct lane *lane) {
    struct run *run = lane->run;
    lane->state = LANE_PARKED;
    run->parked_count++;
    atomic_store_explicit(&run->parked_hint, run->parked_count, memory_order_relaxed);
    pthread_mutex_unlock(&run->lock);
    return STEP_GONE;
}

/* The slice is over and there is more to do. */
static void pause_lane(struct lane *lane) {
    struct run *run = lane->run;
    pthread_mutex_lock(&run->lock);
    lane->state = LANE_READY;
    const bool spawn = !lane->queued;
    lane->queued = true;
    if (run->reader_waits) {
        pthread_cond_signal(&run->changed);
    }
    pthread_mutex_unlock(&run->lock);
    if (spawn) {
        stoa_group_spawn_last(&run->group, lane_task, lane);
    }
}

/* Asks the source with others about: numbers what a serial one gives, lets others have it, and
 * wakes lanes that may find something too. */
static stoa_status fetch_among(struct lane *lane, stoa_morsel *out, bool *out_more) {
    struct run *run = lane->run;
    const bool serial = run->pipeline.source.serial;
    stoa_status status = fetch(lane, out, out_more, lane->error);
    const bool more = *out_more && status == STOA_OK;
    if (!serial && more && atomic_load_explicit(&run->parked_hint, memory_order_relaxed) == 0) {
        return status;
    }
    pthread_mutex_lock(&run->lock);
    if (serial) {
        out->part = run->source_number++;
        out->index = 0;
        out->last = true;
        run->source_busy = false;
    }
    run->source_ended = run->source_ended || !more;
    struct lane *woken = stoa_window_wake(run);
    pthread_mutex_unlock(&run->lock);
    stoa_lane_spawn_all(woken);
    return status;
}

/* Unordered: straight into the sink. */
static enum step step_free(struct lane *lane) {
    struct run *run = lane->run;
    const bool serial = run->pipeline.source.serial;
    stoa_morsel morsel = {.part = -1};
    bool more = false;
    if (serial || atomic_load_explicit(&run->stopped, memory_order_relaxed)) {
        pthread_mutex_lock(&run->lock);
        if (stoa_lane_is_over(lane)) {
            return end_lane(lane);
        }
        if (run->source_busy) {
            return park_lane(lane);
        }
        run->source_busy = serial;
        pthread_mutex_unlock(&run->lock);
    }
    stoa_status status = fetch_among(lane, &morsel, &more);
    if (status == STOA_OK && more) {
        advance(lane, &morsel);
        status = carry(lane, &morsel, lane->error);
    }
    stoa_arrow_array_release(&morsel.batch);
    if (status != STOA_OK) {
        return fail_lane(lane, status);
    }
    if (!more) {
        pthread_mutex_lock(&run->lock);
        return end_lane(lane);
    }
    return STEP_ON;
}

/* Gives the sink all of an item. */
static stoa_status consume_item(struct run *run, struct item *item, stoa_error *err) {
    const stoa_pipeline_sink *sink = &run->pipeline.sink;
    stoa_morsel *outputs = (stoa_morsel *)(void *)item->outputs.data;
    const size_t count = item->outputs.size / sizeof *outputs;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < count; i++) {
        status = sink->consume(sink->state, run->lanes[0].sink_local, &outputs[i], err);
        stoa_arrow_array_release(&outputs[i].batch);
    }
    stoa_item_clear(item);
    return status;
}

static bool slice_is_over(const struct lane *lane) {
    const stoa_pipeline_options *options = &lane->run->pipeline.options;
    return lane->slice_rows >= options->slice_rows || stoa_clock_coarse_ns() >= lane->slice_end_ns;
}

/* Takes one item that is due to the sink. The lock is held on both ends. False: there is none, or
 * somebody else is at it. */
static bool drain_one(struct lane *lane) {
    struct run *run = lane->run;
    if (run->pull || run->draining || atomic_load_explicit(&run->stopped, memory_order_relaxed)) {
        return false;
    }
    struct item *item = stoa_window_take(run);
    if (item == NULL) {
        return false;
    }
    run->draining = true;
    pthread_mutex_unlock(&run->lock);
    const struct lane *failed = item->failed;
    stoa_status status = consume_item(run, item, &run->sink_error);
    pthread_mutex_lock(&run->lock);
    run->draining = false;
    stoa_window_give_free(run, item);
    if (status != STOA_OK) {
        stoa_run_fail(run, status, &run->sink_error);
    } else if (failed != NULL) {
        stoa_run_fail(run, failed->status, failed->error);
    }
    struct lane *woken = stoa_window_wake(run);
    if (woken != NULL) {
        pthread_mutex_unlock(&run->lock);
        stoa_lane_spawn_all(woken);
        pthread_mutex_lock(&run->lock);
    }
    return true;
}

/* Puts the lane's item in its place, failure or not. The lock is held. An item that has none stays
 * with its lane until the end. */
static void put_item(struct lane *lane, stoa_morsel *place) {
    struct run *run = lane->run;
    if (lane->status != STOA_OK) {
        if (!run->pipeline.options.ordered || place->part < 0) {
            stoa_run_fail(run, lane->status, lane->error);
            return;
        }
        lane->item->failed = lane;
        place->last = false;
        run->failed_part = place->part < run->failed_part ? place->part : run->failed_part;
    }
    stoa_status status = stoa_window_put(run, lane->item, place,
                                         lane->status == STOA_OK ? lane->error : NULL);
    if (status != STOA_OK) {
        lane->status = lane->status == STOA_OK ? status : lane->status;
        stoa_run_fail(run, lane->status, lane->error);
        return;
    }
    lane->item = NULL;
}

/* Everything that a lane does with a morsel outside the lock. */
static void make_item(struct lane *lane, stoa_morsel *place, bool *out_more) {
    struct run *run = lane->run;
    stoa_morsel morsel;
    lane->status = fetch_among(lane, &morsel, out_more);
    *place = morsel;
    if (lane->status == STOA_OK && *out_more) {
        lane->status = carry(lane, &morsel, lane->error);
    }
    stoa_arrow_array_release(&morsel.batch);
    if (lane->status == STOA_OK && run->pipeline.source.foreign && lane->item->bytes > 0) {
        lane->status = stoa_reservation_resize(&lane->item->charge, run->pool, lane->item->bytes,
                                               lane->error);
    }
}

/* Ordered, or for a reader: through the window. */
static enum step step_windowed(struct lane *lane) {
    struct run *run = lane->run;
    stoa_morsel place;
    bool more = true;
    pthread_mutex_lock(&run->lock);
    while (drain_one(lane)) {
        if (slice_is_over(lane)) {
            pthread_mutex_unlock(&run->lock);
            return STEP_ON;
        }
    }
    if (stoa_lane_is_over(lane)) {
        return end_lane(lane);
    }
    if (!stoa_window_admits(run, lane)) {
        return park_lane(lane);
    }
    lane->item = stoa_window_take_free(run);
    run->source_busy = run->pipeline.source.serial;
    pthread_mutex_unlock(&run->lock);

    make_item(lane, &place, &more);
    pthread_mutex_lock(&run->lock);
    if (lane->status == STOA_OK && !more) {
        stoa_window_give_free(run, lane->item);
        lane->item = NULL;
        return end_lane(lane);
    }
    put_item(lane, &place);
    advance(lane, &place);
    if (run->reader_waits) {
        pthread_cond_signal(&run->changed);
    }
    pthread_mutex_unlock(&run->lock);
    return STEP_ON; /* after a failure too: the sink may be due */
}

static enum step step(struct lane *lane) {
    struct run *run = lane->run;
    if (lane->status != STOA_OK) {
        return step_windowed(lane); /* its error is waiting for its turn and stays as it is */
    }
    stoa_status status = stoa_cancel_check(run->context.cancel, lane->error);
    if (status == STOA_OK && !lane->opened) {
        status = stoa_lane_open(lane, lane->error);
    }
    if (status != STOA_OK) {
        return fail_lane(lane, status);
    }
    return run->windowed ? step_windowed(lane) : step_free(lane);
}

void stoa_lane_work(struct lane *lane, int64_t morsel_count) {
    lane->slice_rows = 0;
    lane->slice_end_ns = stoa_clock_coarse_ns() + lane->run->pipeline.options.slice_ns;
    while (step(lane) == STEP_ON) {
        morsel_count--;
        if (morsel_count <= 0 || slice_is_over(lane)) {
            pause_lane(lane);
            return;
        }
    }
}
