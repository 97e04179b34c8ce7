/* Timers: rows by group, time, key and namespace, so that what is due is the beginning of each group.
 *
 * For each group there is a time before which it has no timer; a group is read only when that time has
 * come. Firing reads what is due in all groups, sorts it by time, and deletes each timer before its
 * call. A call may delete timers or set others that are due before the next one: then the rest is read
 * anew. */
#include <stdlib.h>

#include "arrow/array.h"
#include "lsm/cell.h"
#include "stream/internal.h"

/* A timer that is due: a row of one of the batches that were read. */
struct timer {
    int64_t time;
    int32_t group;
    int32_t batch;
    int64_t row;
};

/* One firing. */
struct firing {
    stoa_stream_state *state;
    int64_t until;
    stoa_buffer batches; /* struct ArrowArray */
    stoa_buffer timers;  /* struct timer */
    stoa_cell *cells;    /* of the timer that is fired */
};

static stoa_status check_kind(const stoa_stream_state *state, stoa_error *err) {
    return state->kind == STOA_STREAM_TIMERS
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "state '%s': expected timers", state->name);
}

/* ---- Setting ---------------------------------------------------------------------------------- */

static stoa_status fill_timer(stoa_stream_state *state, const stoa_stream_scope *scope,
                              int64_t time, stoa_error *err) {
    STOA_TRY(check_kind(state, err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    state->cells[stoa_stream_first_place(&state->layout)] = (stoa_cell){.i = time};
    return STOA_OK;
}

stoa_status stoa_stream_timer_set(stoa_stream_state *timers, const stoa_stream_scope *scope,
                                  int64_t time, const stoa_cell *values, stoa_error *err) {
    stoa_stream_timers *known = &timers->timers;
    STOA_TRY(fill_timer(timers, scope, time, err));
    stoa_stream_fill_values(timers, values);
    STOA_TRY(stoa_state_transaction_put(timers->backend->transaction, timers->table, timers->cells,
                                        err));
    int64_t *due = &known->due[timers->cells[STOA_STREAM_GROUP].i];
    *due = time < *due ? time : *due;
    known->earliest = time < known->earliest ? time : known->earliest;
    return STOA_OK;
}

static stoa_status delete_filled(stoa_stream_state *state, stoa_error *err) {
    return stoa_state_transaction_delete(state->backend->transaction, state->table,
                                         stoa_stream_key_cells(state), err);
}

stoa_status stoa_stream_timer_delete(stoa_stream_state *timers, const stoa_stream_scope *scope,
                                     int64_t time, stoa_error *err) {
    STOA_TRY(fill_timer(timers, scope, time, err));
    STOA_TRY(delete_filled(timers, err));
    timers->timers.has_deleted = true;
    return STOA_OK;
}

/* ---- Reading what is due ---------------------------------------------------------------------- */

static int64_t time_of(const stoa_stream_state *state, const struct ArrowArray *batch,
                       int64_t row) {
    const struct ArrowArray *times = batch->children[stoa_stream_first_place(&state->layout)];
    return ((const int64_t *)times->buffers[1])[times->offset + row];
}

/* The rows of a batch that are due; `*out_next` is the time of the first that is not. */
static stoa_status list_due(struct firing *firing, int32_t group, const struct ArrowArray *batch,
                            int32_t number, int64_t *out_next, stoa_error *err) {
    for (int64_t row = 0; row < batch->length; row++) {
        const struct timer timer = {time_of(firing->state, batch, row), group, number, row};
        if (timer.time > firing->until) {
            *out_next = timer.time;
            break;
        }
        STOA_TRY(stoa_buffer_append(&firing->timers, &timer, sizeof timer, err));
    }
    return STOA_OK;
}

/* Keeps the batch, and lists what of it is due. */
static stoa_status take_batch(struct firing *firing, int32_t group, struct ArrowArray *batch,
                              int64_t *out_next, stoa_error *err) {
    const int32_t number = (int32_t)(firing->batches.size / sizeof *batch);
    stoa_status status = stoa_buffer_append(&firing->batches, batch, sizeof *batch, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(batch);
        return status;
    }
    return list_due(firing, group, batch, number, out_next, err);
}

static stoa_status read_group(struct firing *firing, int32_t group, stoa_error *err) {
    stoa_stream_state *state = firing->state;
    const stoa_cell bound = {.i = group};
    const stoa_state_scan_options options = {.from = &bound,
                                             .from_count = 1,
                                             .to = &bound,
                                             .to_count = 1,
                                             .to_included = true};
    struct ArrowArrayStream rows;
    int64_t next = INT64_MAX;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_state_transaction_scan(state->backend->transaction, state->table, &options, &rows,
                                         err));
    while (next == INT64_MAX) {
        struct ArrowArray batch;
        STOA_CHECK(stoa_stream_next(&rows, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(take_batch(firing, group, &batch, &next, err));
    }
    state->timers.due[group] = next;

done:
    stoa_arrow_stream_release(&rows);
    return status;
}

static int compare_timers(const void *left, const void *right) {
    const struct timer *a = left, *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    if (a->batch != b->batch) {
        return a->batch < b->batch ? -1 : 1; /* batches follow the groups */
    }
    return (a->row > b->row) - (a->row < b->row);
}

static void forget_batches(struct firing *firing) {
    struct ArrowArray *batches = (struct ArrowArray *)(void *)firing->batches.data;
    for (size_t i = 0; i < firing->batches.size / sizeof *batches; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    stoa_buffer_clear(&firing->batches);
    stoa_buffer_clear(&firing->timers);
}

static stoa_status read_due(struct firing *firing, stoa_error *err) {
    const stoa_stream_backend *backend = firing->state->backend;
    stoa_stream_timers *known = &firing->state->timers;
    forget_batches(firing);
    for (int32_t group = backend->first_group; group < backend->end_group; group++) {
        if (known->due[group] <= firing->until) {
            STOA_TRY(read_group(firing, group, err));
        }
    }
    known->has_deleted = false;
    known->earliest = INT64_MAX;
    if (firing->timers.size > 0) {
        qsort(firing->timers.data, firing->timers.size / sizeof(struct timer), sizeof(struct timer),
              compare_timers);
    }
    return STOA_OK;
}

/* ---- Firing ----------------------------------------------------------------------------------- */

static stoa_status fire_one(struct firing *firing, const struct timer *timer,
                            stoa_stream_timer_function function, void *user, stoa_error *err) {
    stoa_stream_state *state = firing->state;
    const stoa_stream_layout *layout = &state->layout;
    const struct ArrowArray *batch = &(
        (const struct ArrowArray *)(const void *)firing->batches.data)[timer->batch];
    for (int32_t i = 0; i < layout->column_count; i++) {
        stoa_cell_from_array(&state->schema->root.children[i].type, batch->children[i], timer->row,
                             &firing->cells[i]);
    }
    memcpy(state->cells, firing->cells, (size_t)layout->column_count * sizeof *state->cells);
    STOA_TRY(delete_filled(state, err));
    const stoa_cell *namespace_cell = &firing->cells[stoa_stream_namespace_of(layout)];
    const stoa_stream_scope scope = {firing->cells + STOA_STREAM_FIRST_KEY, namespace_cell->bytes,
                                     namespace_cell->size};
    return function(user, timer->time, &scope, firing->cells + stoa_stream_first_value(layout),
                    err);
}

/* Fires in order until one of the calls has changed what is due; `*out_fired` of them. */
static stoa_status fire_listed(struct firing *firing, stoa_stream_timer_function function,
                               void *user, int64_t *out_fired, stoa_error *err) {
    const stoa_stream_timers *known = &firing->state->timers;
    const struct timer *timers = (const struct timer *)(const void *)firing->timers.data;
    const int64_t count = (int64_t)(firing->timers.size / sizeof *timers);
    for (*out_fired = 0; *out_fired < count; ++*out_fired) {
        const struct timer *timer = &timers[*out_fired];
        if (known->has_deleted || known->earliest <= timer->time) {
            break;
        }
        STOA_TRY(fire_one(firing, timer, function, user, err));
    }
    return STOA_OK;
}

/* What was listed and is still in the table is due. */
static void put_back(struct firing *firing, int64_t first) {
    const struct timer *timers = (const struct timer *)(const void *)firing->timers.data;
    int64_t *due = firing->state->timers.due;
    for (int64_t i = first; i < (int64_t)(firing->timers.size / sizeof *timers); i++) {
        const struct timer *timer = &timers[i];
        due[timer->group] = timer->time < due[timer->group] ? timer->time : due[timer->group];
    }
}

static stoa_status fire_all(struct firing *firing, stoa_stream_timer_function function, void *user,
                            stoa_error *err) {
    for (;;) {
        int64_t fired = 0;
        STOA_TRY(read_due(firing, err));
        if (firing->timers.size == 0) {
            return STOA_OK;
        }
        const stoa_status status = fire_listed(firing, function, user, &fired, err);
        put_back(firing, fired);
        STOA_TRY(status);
    }
}

stoa_status stoa_stream_timers_fire(stoa_stream_state *timers, int64_t until,
                                    stoa_stream_timer_function function, void *user,
                                    stoa_error *err) {
    stoa_pool *pool = timers->backend->pool;
    struct firing firing = {.state = timers,
                            .until = until,
                            .batches = {.pool = pool},
                            .timers = {.pool = pool}};
    STOA_TRY(check_kind(timers, err));
    const size_t bytes = (size_t)timers->layout.column_count * sizeof *firing.cells;
    STOA_TRY(stoa_pool_allocate(pool, bytes, (void **)&firing.cells, err));
    const stoa_status status = fire_all(&firing, function, user, err);
    if (status != STOA_OK) {
        stoa_stream_forget_due(timers); /* a read that failed may have left times too late */
    }
    forget_batches(&firing);
    stoa_buffer_release(&firing.batches);
    stoa_buffer_release(&firing.timers);
    stoa_pool_free(pool, firing.cells, bytes);
    return status;
}
