/* A pipeline as a stream: the reader takes morsels out of the window, and works while there is none.
 *
 * The reader may itself be a task, so it never waits for a lane that nobody runs: it claims one that
 * is READY and carries a morsel itself. It waits only while all lanes that could bring the next
 * morsel are running on other threads. */
#include <string.h>

#include "arrow/stream.h"
#include "mem/resource.h"
#include "pipeline/run.h"

struct pull {
    struct run *run; /* NULL once the database that it belongs to was closed */
    stoa_resource *resource;
    stoa_pool *pool;
    stoa_pipeline_operator *operators;
    int32_t operator_count;
    stoa_pipeline_owner owner;
    struct item *item; /* whose batches are being handed out */
    size_t next;       /* of them */
    bool more;         /* alone: the source has more */
    bool opened;
};

/* The next batch of the item at hand; false: it has none left. */
static bool take_output(struct pull *pull, struct ArrowArray *out) {
    if (pull->item == NULL) {
        return false;
    }
    stoa_morsel *outputs = (stoa_morsel *)(void *)pull->item->outputs.data;
    const size_t count = pull->item->outputs.size / sizeof *outputs;
    while (pull->next < count) {
        struct ArrowArray *batch = &outputs[pull->next++].batch;
        if (batch->length > 0) {
            *out = *batch;
            batch->release = NULL;
            return true;
        }
    }
    return false;
}

/* ---- one lane: the reader's thread does everything -------------------------------------------- */

static stoa_status next_alone(struct pull *pull, struct ArrowArray *out, stoa_error *err) {
    struct run *run = pull->run;
    struct lane *lane = &run->lanes[0];
    if (!pull->opened) {
        pull->opened = true;
        lane->item = stoa_window_take_free(run);
        pull->item = lane->item;
        STOA_TRY(stoa_lane_open(lane, err));
    }
    /* What a failing morsel brought is handed out before the failure. */
    while (!take_output(pull, out)) {
        if (lane->status != STOA_OK) {
            if (err != NULL) {
                *err = *lane->error;
            }
            return lane->status;
        }
        if (!pull->more) {
            return STOA_OK;
        }
        stoa_item_clear(lane->item);
        pull->next = 0;
        lane->status = stoa_lane_step_alone(lane, &pull->more, lane->error);
    }
    return STOA_OK;
}

/* ---- lanes on other threads ------------------------------------------------------------------- */

/* Gives the item back and tells lanes that there is room. */
static void end_item(struct pull *pull) {
    struct run *run = pull->run;
    struct item *item = pull->item;
    pull->item = NULL;
    pull->next = 0;
    stoa_item_clear(item);
    pthread_mutex_lock(&run->lock);
    stoa_window_give_free(run, item);
    struct lane *woken = stoa_window_wake(run);
    pthread_mutex_unlock(&run->lock);
    stoa_lane_spawn_all(woken);
}

/* A lane to work on: the one that all wait for, if it is free. The lock is held. */
static struct lane *claim_lane(struct run *run) {
    struct lane *found = NULL;
    for (int32_t i = 0; i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        if (lane->state == LANE_READY && (found == NULL || lane->part == run->head_part)) {
            found = lane;
        }
    }
    if (found != NULL) {
        found->state = LANE_RUNNING;
    }
    return found;
}

/* Finds the next item, working or waiting until it is there. It stays NULL at the end. */
static stoa_status find_item(struct pull *pull, stoa_error *err) {
    struct run *run = pull->run;
    pthread_mutex_lock(&run->lock);
    while (run->status == STOA_OK && (pull->item = stoa_window_take(run)) == NULL &&
           run->done_count < run->lane_count) {
        struct lane *lane = claim_lane(run);
        if (lane != NULL) {
            pthread_mutex_unlock(&run->lock);
            stoa_lane_work(lane, 1);
            pthread_mutex_lock(&run->lock);
        } else {
            STOA_ASSERT(run->parked_count + run->done_count < run->lane_count);
            run->reader_waits = true;
            pthread_cond_wait(&run->changed, &run->lock);
            run->reader_waits = false;
        }
    }
    if (run->status == STOA_OK && pull->item == NULL) {
        stoa_run_check_end(run);
    }
    const stoa_status status = run->status;
    pthread_mutex_unlock(&run->lock);
    if (status != STOA_OK && err != NULL) {
        *err = run->error; /* it does not change any more */
    }
    return status;
}

/* The item at hand has been handed out: the end of the stream, if it is a failure. */
static stoa_status leave_item(struct pull *pull, stoa_error *err) {
    const struct lane *failed = pull->item->failed;
    if (failed == NULL) {
        end_item(pull);
        return STOA_OK;
    }
    struct run *run = pull->run;
    pthread_mutex_lock(&run->lock);
    stoa_run_fail(run, failed->status, failed->error);
    struct lane *woken = stoa_window_wake(run);
    pthread_mutex_unlock(&run->lock);
    stoa_lane_spawn_all(woken);
    if (err != NULL) {
        *err = *failed->error;
    }
    return failed->status;
}

/* The token stops the run; a failure that triggered it was there first and stays. */
static void note_token(struct run *run) {
    stoa_error error;
    stoa_status status = stoa_cancel_check(run->context.cancel, &error);
    if (status != STOA_OK) {
        pthread_mutex_lock(&run->lock);
        stoa_run_fail(run, status, &error);
        pthread_mutex_unlock(&run->lock);
    }
}

static stoa_status next_among(struct pull *pull, struct ArrowArray *out, stoa_error *err) {
    if (!pull->opened) {
        pull->opened = true;
        pull->run->lanes[0].state = LANE_READY;
    }
    note_token(pull->run);
    while (!take_output(pull, out)) {
        if (pull->item != NULL) {
            STOA_TRY(leave_item(pull, err));
        }
        STOA_TRY(find_item(pull, err));
        if (pull->item == NULL) {
            return STOA_OK;
        }
    }
    return STOA_OK;
}

/* ---- the stream ------------------------------------------------------------------------------- */

static stoa_status pull_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct pull *pull = state;
    if (pull->run == NULL) {
        return stoa_fail(err, STOA_INVALID, "the pipeline of this stream was closed");
    }
    return pull->run->lane_count == 1 ? next_alone(pull, out, err) : next_among(pull, out, err);
}

static void stop_lanes(struct run *run) {
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = stoa_fail(&error, STOA_CANCELLED, "the stream was released");
    pthread_mutex_lock(&run->lock);
    stoa_run_fail(run, status, &error);
    pthread_mutex_unlock(&run->lock);
}

/* Stops and waits: afterwards nobody uses source, operators or scheduler. */
static void pull_end(void *state) {
    struct pull *pull = state;
    if (pull->run != NULL) {
        stop_lanes(pull->run);
        stoa_run_close(pull->run);
        pull->run = NULL;
        pull->item = NULL;
    }
}

static void pull_close(void *state) {
    struct pull *pull = state;
    stoa_resource_leave(pull->resource);
    pull_end(pull);
    if (pull->owner.close != NULL) {
        pull->owner.close(pull->owner.user);
    }
    stoa_pool_free(pull->pool, pull->operators,
                   (size_t)pull->operator_count * sizeof *pull->operators);
    stoa_pool_free(pull->pool, pull, sizeof *pull);
}

static stoa_status open_pull(struct pull *pull, const stoa_pipeline *pipeline,
                             const stoa_context *context, stoa_error *err) {
    stoa_pipeline own = *pipeline;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pull->pool, (size_t)own.operator_count, sizeof *own.operators,
                                      &memory, err));
    pull->operators = memory;
    pull->operator_count = own.operator_count;
    if (own.operator_count > 0) {
        memcpy(memory, own.operators, (size_t)own.operator_count * sizeof *own.operators);
    }
    own.operators = pull->operators;
    own.sink = (stoa_pipeline_sink){0};
    STOA_TRY(stoa_run_create(&own, context, true, &pull->run, err));
    /* Lanes end before the streams, sessions and files that they use, and before the scheduler. */
    return stoa_resource_enter(pull->pool, STOA_RESOURCE_PIPELINE, "", pull_end, pull,
                               &pull->resource, err);
}

stoa_status stoa_pipeline_stream(const stoa_pipeline *pipeline, const stoa_context *context,
                                 struct ArrowSchema *schema, const stoa_pipeline_owner *owner,
                                 struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {pull_next, pull_close};
    struct pull *pull;
    *out = (struct ArrowArrayStream){0};
    stoa_status status = stoa_pool_allocate_array(context->pool, 1, sizeof *pull, (void **)&pull,
                                                  err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(schema);
        if (owner != NULL && owner->close != NULL) {
            owner->close(owner->user);
        }
        return status;
    }
    pull->pool = context->pool;
    pull->more = true;
    pull->owner = owner != NULL ? *owner : (stoa_pipeline_owner){0};
    status = open_pull(pull, pipeline, context, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(schema);
        pull_close(pull);
        return status;
    }
    return stoa_stream_create(context->pool, schema, &operations, pull, out, err);
}
