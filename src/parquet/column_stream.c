/* Columns side by side: a leaf goes through the windows of all row groups by itself, as far ahead of the
 * stream's reader as there are slots; the last leaf of a window makes the batch.
 *
 *     window    0    1    2    3
 *     leaf a    ■    ■    ■    ▸          ■ decoded  ▸ being decoded
 *     leaf b    ■    ▸
 *     leaf c    ■    ■    ▸
 *               └ the reader takes it; its slot becomes window 4's
 *
 * Against row groups side by side, few batches are in flight, so that what is decoded is still in the
 * cache when it is taken; pages and dictionaries are decoded once; and one large row group does as well
 * as many. No leaf waits for another at the end of a batch or of a row group.
 *
 * A leaf is run by one thread at a time: by its task, or by the reader, which works where the next
 * batch lacks a leaf that nobody runs, and waits only while other threads run all that it lacks.
 *
 * Where a window is more than a batch can hold, all leaves stop, and the reader goes on alone from there
 * with fewer rows: that is rare, and those batches are large.
 *
 * One lock guards the chains, the slots' counts and what was taken. Nothing is decoded, spawned or
 * released while it is held. */
#include "parquet/column_stream.h"

#include <pthread.h>

#include "arrow/stream.h"
#include "mem/resource.h"
#include "parquet/read_lane.h"
#include "parquet/read_parts.h"
#include "sched/sched.h"

enum { SLOTS = 6, SLICE_WINDOWS = 3 * SLOTS, COLUMNS_A_THREAD = 2 };

/* A leaf's way through the windows. */
struct chain {
    struct column_stream *stream;
    int32_t index; /* among the plan's leaves */
    /* Guarded. */
    int64_t next;  /* the window that it decodes next, or is decoding */
    bool is_running;
    bool is_queued; /* its task is with the scheduler */
    struct chain *wake_next;
};

/* Where a window is put together. */
struct slot {
    stoa_read_lane lane;
    stoa_read_window window;
    int64_t part; /* that it is of */
    struct ArrowArray batch; /* of the thread that makes it, then the reader's */
    /* Guarded. */
    int32_t leaves_left;
    bool is_ready;
    bool is_full;       /* more than a batch can hold */
    stoa_status status; /* of the first leaf that failed, or of the batch */
    int32_t failed_leaf;
    stoa_error error;
};

struct column_stream {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const stoa_read_plan *plan;
    stoa_column_stream_owner owner;
    stoa_pool *pool;
    stoa_cancel *cancel; /* of what leaves do */
    stoa_group group;
    bool is_grouped;
    bool is_ended; /* with the database that it belongs to */
    stoa_resource *resource;
    stoa_read_lane lane; /* whose leaves all slots share */
    struct chain *chains;
    struct slot *slots;
    /* The reader's: the window that comes after those that have slots. */
    int64_t part;
    int64_t row;
    bool is_alone; /* no chain is used any more */
    /* Guarded. */
    int64_t issued; /* windows that have, or had, a slot */
    int64_t taken;
    int64_t failed; /* the first window that failed; INT64_MAX: none */
    bool is_stopped;
    bool reader_waits;
};

bool stoa_column_stream_suits(const stoa_read_plan *plan, int32_t thread_count) {
    double all = 0, most = 0;
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        const double bytes = stoa_read_leaf_weight(plan, plan->leaves[i]);
        all += bytes;
        most = bytes > most ? bytes : most;
    }
    return plan->reader->map != NULL && thread_count > 1 &&
           plan->leaf_count >= COLUMNS_A_THREAD * (int64_t)thread_count &&
           most * thread_count <= all;
}

/* ---- Windows: the lock is held --------------------------------------------------------------- */

static struct slot *slot_of(const struct column_stream *stream, int64_t window) {
    return &stream->slots[window % SLOTS];
}

/* The next rows that are wanted, from where the stream stands; false when there are none. */
static bool find_window(struct column_stream *stream, stoa_read_window *out) {
    const stoa_read_plan *plan = stream->plan;
    for (; stream->part < plan->part_count; stream->part++, stream->row = 0) {
        const stoa_read_part *part = &plan->parts[stream->part];
        const int64_t row = stream->row > part->first ? stream->row : part->first;
        if (stoa_read_plan_window(plan, part, row, out)) {
            return true;
        }
    }
    return false;
}

/* Gives the next window to its slot, which is free; false when there is none. */
static bool issue(struct column_stream *stream) {
    struct slot *slot = slot_of(stream, stream->issued);
    if (!find_window(stream, &slot->window)) {
        return false;
    }
    slot->part = stream->part;
    stream->row = slot->window.first + slot->window.count;
    slot->leaves_left = stream->plan->leaf_count;
    slot->is_ready = false;
    slot->status = STOA_OK;
    stream->issued++;
    return true;
}

static bool has_work(const struct column_stream *stream, const struct chain *chain) {
    return !stream->is_stopped && chain->next < stream->issued && chain->next <= stream->failed;
}

/* Chains that nobody runs and that have work: to be spawned without the lock. */
static struct chain *wake(struct column_stream *stream) {
    struct chain *woken = NULL;
    for (int32_t i = stream->plan->leaf_count; i > 0; i--) {
        struct chain *chain = &stream->chains[i - 1];
        if (!chain->is_running && !chain->is_queued && has_work(stream, chain)) {
            chain->is_queued = true;
            chain->wake_next = woken;
            woken = chain;
        }
    }
    return woken;
}

static void note_failure(struct column_stream *stream, struct slot *slot, int64_t window,
                         int32_t leaf, stoa_status status, const stoa_error *error) {
    if (slot->status == STOA_OK || leaf < slot->failed_leaf) {
        slot->status = status;
        slot->failed_leaf = leaf;
        slot->error = *error;
    }
    stream->failed = window < stream->failed ? window : stream->failed;
}

/* ---- Work ------------------------------------------------------------------------------------ */

static stoa_status chain_task(void *user, stoa_error *err);

static void spawn_all(struct column_stream *stream, struct chain *chains) {
    while (chains != NULL) {
        /* The link is this list's until the task has run. */
        struct chain *chain = chains;
        chains = chain->wake_next;
        stoa_group_spawn(&stream->group, chain_task, chain);
    }
}

/* Decodes one window of a leaf, and makes the batch if it was the last. The chain is the caller's; the
 * lock is held on both ends. */
static void run_once(struct chain *chain) {
    struct column_stream *stream = chain->stream;
    const int64_t window = chain->next;
    struct slot *slot = slot_of(stream, window);
    stoa_error error = STOA_ERROR_NONE;
    pthread_mutex_unlock(&stream->lock);
    stoa_status status = stoa_read_lane_decode(&slot->lane, &slot->window, &chain->index, 1, &error);
    pthread_mutex_lock(&stream->lock);
    chain->next++;
    if (status != STOA_OK) {
        const int32_t number = stream->plan->leaves[chain->index]->leaf;
        note_failure(stream, slot, window, chain->index, status, &error);
        slot->is_full = slot->is_full || slot->lane.values[number].is_full;
    }
    if (--slot->leaves_left == 0 && slot->status == STOA_OK) {
        pthread_mutex_unlock(&stream->lock);
        status = stoa_read_lane_batch(&slot->lane, &slot->window, &slot->batch, &error);
        pthread_mutex_lock(&stream->lock);
        if (status != STOA_OK) {
            note_failure(stream, slot, window, 0, status, &error);
        }
        slot->is_ready = true;
    }
    if (stream->reader_waits && (slot->is_ready || slot->status != STOA_OK)) {
        pthread_cond_signal(&stream->changed);
    }
}

/* After so many windows the thread is given back. */
static stoa_status chain_task(void *user, stoa_error *err) {
    struct chain *chain = user;
    struct column_stream *stream = chain->stream;
    bool again = false;
    (void)err;
    pthread_mutex_lock(&stream->lock);
    chain->is_queued = false;
    if (!chain->is_running) {
        chain->is_running = true;
        for (int i = 0; i < SLICE_WINDOWS && has_work(stream, chain); i++) {
            run_once(chain);
        }
        chain->is_running = false;
        again = has_work(stream, chain);
        chain->is_queued = again;
        /* A reader that waits for this leaf can go on with it at once. */
        if (stream->reader_waits && (stream->is_stopped || again)) {
            pthread_cond_signal(&stream->changed);
        }
    }
    pthread_mutex_unlock(&stream->lock);
    if (again) {
        stoa_group_spawn_last(&stream->group, chain_task, chain);
    }
    return STOA_OK;
}

/* A leaf that the next batch lacks and nobody runs. The lock is held. */
static struct chain *claim(struct column_stream *stream) {
    for (int32_t i = 0; i < stream->plan->leaf_count; i++) {
        struct chain *chain = &stream->chains[i];
        if (chain->next == stream->taken && !chain->is_running && has_work(stream, chain)) {
            chain->is_running = true;
            return chain;
        }
    }
    return NULL;
}

/* ---- The stream ------------------------------------------------------------------------------ */

/* Works or waits until the next batch is ready or has failed. The lock is held on both ends. */
static void await_batch(struct column_stream *stream, const struct slot *slot) {
    while (!slot->is_ready && slot->status == STOA_OK) {
        struct chain *chain = claim(stream);
        if (chain == NULL) {
            stream->reader_waits = true;
            pthread_cond_wait(&stream->changed, &stream->lock);
            stream->reader_waits = false;
            continue;
        }
        run_once(chain);
        chain->is_running = false;
        struct chain *woken = wake(stream);
        if (woken != NULL) {
            pthread_mutex_unlock(&stream->lock);
            spawn_all(stream, woken);
            pthread_mutex_lock(&stream->lock);
        }
    }
}

static bool is_any_running(const struct column_stream *stream) {
    for (int32_t i = 0; i < stream->plan->leaf_count; i++) {
        if (stream->chains[i].is_running) {
            return true;
        }
    }
    return false;
}

/* Stops all leaves and gives back what they read from `slot` on. */
static void go_on_alone(struct column_stream *stream, const struct slot *slot) {
    pthread_mutex_lock(&stream->lock);
    stream->is_stopped = true;
    while (is_any_running(stream)) {
        stream->reader_waits = true;
        pthread_cond_wait(&stream->changed, &stream->lock);
        stream->reader_waits = false;
    }
    pthread_mutex_unlock(&stream->lock);
    stream->is_alone = true;
    stream->part = slot->part;
    stream->row = slot->window.first;
    for (int i = 0; i < SLOTS; i++) {
        stoa_read_lane *lane = &stream->slots[i].lane;
        stoa_arrow_array_release(&stream->slots[i].batch);
        for (int32_t k = 0; k < stream->plan->leaf_count; k++) {
            const int32_t number = stream->plan->leaves[k]->leaf;
            stoa_chunk_values_release(&lane->values[number]);
            stoa_arrow_array_release(&lane->arrays[number]);
            stream->lane.leaves[k].group = -1;
        }
    }
}

static stoa_status next_alone(struct column_stream *stream, struct ArrowArray *out,
                              stoa_error *err) {
    stoa_read_window window;
    if (!find_window(stream, &window)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_read_lane_rows(&stream->lane, &window, out, err));
    stream->row = window.first + window.count;
    return STOA_OK;
}

/* The next batch of those that leaves work on. `*out_full`: it is more than a batch can hold. */
static stoa_status next_among(struct column_stream *stream, struct ArrowArray *out, bool *out_full,
                              stoa_error *err) {
    struct slot *slot = slot_of(stream, stream->taken);
    pthread_mutex_lock(&stream->lock);
    while (stream->issued - stream->taken < SLOTS && issue(stream)) {
    }
    const bool is_end = stream->issued == stream->taken;
    struct chain *woken = wake(stream);
    pthread_mutex_unlock(&stream->lock);
    spawn_all(stream, woken);
    if (is_end) {
        return STOA_OK;
    }
    pthread_mutex_lock(&stream->lock);
    await_batch(stream, slot);
    const stoa_status status = slot->status;
    *out_full = slot->is_full;
    if (status == STOA_OK) {
        *out = slot->batch;
        slot->batch.release = NULL;
        stream->taken++;
    } else if (err != NULL) {
        *err = slot->error;
    }
    pthread_mutex_unlock(&stream->lock);
    return status;
}

static stoa_status column_stream_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct column_stream *stream = state;
    bool is_full = false;
    stoa_status status = STOA_OK;
    *out = (struct ArrowArray){0};
    if (stream->is_ended) {
        return stoa_fail(err, STOA_INVALID, "the database of this stream was closed");
    }
    STOA_TRY(stoa_cancel_check(stream->cancel, err));
    if (!stream->is_alone) {
        status = next_among(stream, out, &is_full, err);
    }
    if (is_full) {
        go_on_alone(stream, slot_of(stream, stream->taken));
        stoa_error_clear(err);
    }
    if (stream->is_alone) {
        status = next_alone(stream, out, err);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(stream->plan->reader->file));
    }
    return status;
}

/* Stops and waits: afterwards no thread uses the plan, the file or the scheduler. */
static void column_stream_end(void *state) {
    struct column_stream *stream = state;
    stream->is_ended = true;
    pthread_mutex_lock(&stream->lock);
    stream->is_stopped = true;
    pthread_mutex_unlock(&stream->lock);
    stoa_cancel_trigger(stream->cancel);
    if (stream->is_grouped) {
        stream->is_grouped = false;
        /* Failures lie in the slots; tasks answer STOA_OK. */
        STOA_IGNORE(stoa_group_wait(&stream->group, NULL));
    }
    for (int i = 0; stream->slots != NULL && i < SLOTS; i++) {
        stoa_arrow_array_release(&stream->slots[i].batch);
        stoa_read_lane_release(&stream->slots[i].lane);
    }
    stoa_read_lane_release(&stream->lane);
    stoa_pool_free(stream->pool, stream->slots, SLOTS * sizeof *stream->slots);
    stream->slots = NULL;
}

static void column_stream_close(void *state) {
    struct column_stream *stream = state;
    stoa_resource_leave(stream->resource);
    if (!stream->is_ended) {
        column_stream_end(stream);
    }
    stoa_pool_free(stream->pool, stream->chains,
                   (size_t)stream->plan->leaf_count * sizeof *stream->chains);
    stoa_cancel_close(stream->cancel);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
    stream->owner.close(stream->owner.user);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}

static stoa_status open_stream(struct column_stream *stream, stoa_error *err) {
    stoa_context context = stream->plan->reader->context;
    void *memory = NULL;
    /* Not the group's token: that keeps tasks from beginning, which chains find out by themselves. */
    STOA_TRY(stoa_cancel_create(context.cancel, &stream->cancel, err));
    STOA_TRY(stoa_group_init(&stream->group, context.sched, STOA_FOREGROUND, NULL, err));
    stream->is_grouped = true;
    context.cancel = stream->cancel;
    context.sched = NULL;
    STOA_TRY(stoa_read_lane_init(stream->plan, &context, &stream->lane, err));
    STOA_TRY(stoa_pool_allocate_array(stream->pool, (size_t)stream->plan->leaf_count,
                                      sizeof *stream->chains, &memory, err));
    stream->chains = memory;
    for (int32_t i = 0; i < stream->plan->leaf_count; i++) {
        stream->chains[i] = (struct chain){.stream = stream, .index = i};
    }
    STOA_TRY(stoa_pool_allocate_array(stream->pool, SLOTS, sizeof *stream->slots, &memory, err));
    stream->slots = memory;
    for (int i = 0; i < SLOTS; i++) {
        STOA_TRY(stoa_read_lane_init_beside(&stream->lane, &stream->slots[i].lane, err));
    }
    return stoa_resource_enter(stream->pool, STOA_RESOURCE_PIPELINE, "", column_stream_end, stream,
                               &stream->resource, err);
}

stoa_status stoa_column_stream_create(const stoa_read_plan *plan, struct ArrowSchema *schema,
                                      const stoa_column_stream_owner *owner,
                                      struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {column_stream_next, column_stream_close};
    stoa_pool *pool = plan->reader->context.pool;
    void *memory = NULL;
    *out = (struct ArrowArrayStream){0};
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof(struct column_stream), &memory,
                                                  err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(schema);
        owner->close(owner->user);
        return status;
    }
    struct column_stream *stream = memory;
    stream->plan = plan;
    stream->owner = *owner;
    stream->pool = pool;
    stream->failed = INT64_MAX;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->changed, NULL);
    status = open_stream(stream, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(schema);
        column_stream_close(stream);
        return status;
    }
    return stoa_stream_create(pool, schema, &operations, stream, out, err);
}
