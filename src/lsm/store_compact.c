/* Compactions in the background: tasks that pick what is most needed until nothing is due. */
#include <time.h>

#include "base/clock.h"
#include "lsm/store_internal.h"

enum {
    PER_TABLE_MAX = 2,      /* compactions of one table that run beside each other */
    SLOW_BYTES = 128 * 1024 /* after so many bytes a writer that is to slow down … */
};
static const struct timespec slow_wait = {.tv_nsec = 1000 * 1000}; /* … waits so long */

static uint64_t new_file(void *user) {
    return stoa_store_new_file(user);
}

static void policy_of(stoa_store *store, const stoa_definition *definition,
                      uint64_t oldest_snapshot, stoa_compaction_policy *out) {
    stoa_compaction_policy_init(out, definition, store->settings.memtable_bytes);
    out->now_ms = stoa_store_now_ms(store);
    out->oldest_snapshot = oldest_snapshot;
}

/* With the store's lock. */
static uint64_t oldest_snapshot(const stoa_store *store) {
    const stoa_state_snapshot *oldest = store->snapshots.after;
    return oldest != &store->snapshots
               ? oldest->sequence
               : atomic_load_explicit(&store->last_sequence, memory_order_acquire);
}

/* ---- One compaction -------------------------------------------------------------------------- */

static stoa_status apply(stoa_state *state, const stoa_compaction *compaction,
                         const stoa_compaction_result *result, stoa_error *err) {
    stoa_store *store = state->store;
    stoa_file_placement *placements = NULL;
    const int64_t count = compaction->file_count + result->file_count;
    STOA_TRY(stoa_pool_allocate_array(store->pool, (size_t)count, sizeof *placements,
                                      (void **)&placements, err));
    for (int64_t i = 0; i < compaction->file_count; i++) {
        placements[i] = (stoa_file_placement){.state = state, .file = compaction->files[i]};
    }
    for (int64_t i = 0; i < result->file_count; i++) {
        placements[compaction->file_count + i] =
            (stoa_file_placement){.state = state,
                                  .file = result->files[i],
                                  .level = compaction->output_level};
    }
    const stoa_store_change change = {.removed = placements,
                                      .removed_count = compaction->file_count,
                                      .added = placements + compaction->file_count,
                                      .added_count = result->file_count};
    stoa_status status = stoa_store_change_files(store, &change, err);
    stoa_pool_free(store->pool, placements, (size_t)count * sizeof *placements);
    return status;
}

/* STOA_CONFLICT: the table was altered meanwhile, and nothing has changed. */
static stoa_status run(stoa_state *state, const stoa_compaction *compaction,
                       const stoa_context *context, stoa_error *err) {
    stoa_store *store = state->store;
    stoa_compaction_result result = {.pool = store->pool};
    uint64_t *snapshots = NULL;
    int64_t snapshot_count = 0;
    STOA_TRY(stoa_store_snapshots(store, &snapshots, &snapshot_count, err));
    stoa_state_view *view = stoa_state_acquire(state);
    stoa_compaction_options options = {.context = *context,
                                       .file_systems = store->file_systems,
                                       .directory = store->directory,
                                       .definition = view->definition,
                                       .programs = store->programs,
                                       .snapshots = snapshots,
                                       .snapshot_count = snapshot_count,
                                       .new_file = new_file,
                                       .new_file_user = store,
                                       .limiter = store->limiter,
                                       .now_ms = stoa_store_now_ms(store)};
    pthread_mutex_lock(&store->lock);
    options.filter = state->filter;
    options.filter_user = state->filter_user;
    pthread_mutex_unlock(&store->lock);
    stoa_store_worker worker;
    stoa_store_worker_enter(store, &worker);
    stoa_status status = stoa_compaction_run(compaction, &options, &result, err);
    stoa_store_worker_leave(store, &worker);
    if (status == STOA_OK) {
        status = apply(state, compaction, &result, err);
    }
    if (status == STOA_CONFLICT && compaction->kind == STOA_COMPACTION_MERGE) {
        for (int64_t i = 0; i < result.file_count; i++) {
            atomic_store_explicit(&result.files[i]->is_obsolete, true, memory_order_relaxed);
        }
    }
    if (status == STOA_OK) {
        stoa_store_count_compaction(store, compaction, &result.figures);
    }
    stoa_compaction_result_release(&result);
    stoa_state_view_release(view);
    stoa_pool_free(store->pool, snapshots, (size_t)snapshot_count * sizeof *snapshots);
    return status;
}

/* Ends what was picked, and tells who waits. */
static void end(stoa_state *state, stoa_compaction *compaction) {
    stoa_store *store = state->store;
    pthread_mutex_lock(&store->lock);
    stoa_compaction_close(compaction);
    store->compaction_count--;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

/* ---- Picking --------------------------------------------------------------------------------- */

/* How far the table is from what it should be; writers look at it. With the store's lock. */
void stoa_state_measure(stoa_state *state) {
    stoa_compaction_policy policy;
    stoa_compaction_need need;
    const stoa_state_view *view = atomic_load_explicit(&state->view, memory_order_relaxed);
    policy_of(state->store, view->definition, 0, &policy);
    stoa_compaction_need_of(view->version, &policy, &need);
    atomic_store_explicit(&state->pace, (int)need.pace, memory_order_relaxed);
}

/* The next compaction of any table, from the one after the last that got one. */
static stoa_status pick(stoa_store *store, stoa_state **out_state, stoa_compaction **out,
                        stoa_error *err) {
    stoa_status status = STOA_OK;
    *out = NULL;
    pthread_mutex_lock(&store->lock);
    const uint64_t oldest = oldest_snapshot(store);
    for (int32_t i = 0; i < store->table_count && status == STOA_OK && *out == NULL; i++) {
        stoa_state *state = store->tables[(store->compact_next + i) % store->table_count];
        stoa_compaction_policy policy;
        if (state->compactions.count >= PER_TABLE_MAX || store->is_closing) {
            continue;
        }
        const stoa_state_view *view = atomic_load_explicit(&state->view, memory_order_relaxed);
        policy_of(store, view->definition, oldest, &policy);
        status = stoa_compaction_pick(store->pool, view->version, &policy, &state->compactions, out,
                                      err);
        *out_state = state;
    }
    if (*out != NULL) {
        stoa_state_retain(*out_state);
        store->compaction_count++;
        store->compact_next = (store->compact_next + 1) % store->table_count;
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* Runs what is most needed; `*out_any` is false when nothing is due that nobody is at work on. */
static stoa_status compact_one(stoa_store *store, const stoa_context *context, bool *out_any,
                               stoa_error *err) {
    stoa_state *state = NULL;
    stoa_compaction *compaction = NULL;
    *out_any = false;
    STOA_TRY(pick(store, &state, &compaction, err));
    if (compaction == NULL) {
        return STOA_OK;
    }
    *out_any = true;
    const stoa_status status = run(state, compaction, context, err);
    end(state, compaction);
    stoa_state_release(state);
    return status == STOA_CONFLICT ? STOA_OK : status; /* it is still due */
}

static stoa_status compact_task(void *user, stoa_error *err) {
    stoa_store *store = user;
    stoa_context context = store->context;
    context.cancel = stoa_group_cancel(&store->compactions);
    bool any = true;
    while (any) {
        const stoa_status status = compact_one(store, &context, &any, err);
        if (status != STOA_OK) {
            if (status != STOA_CANCELLED) {
                stoa_log(store->context.logger, STOA_LOG_WARN, "lsm", "a compaction failed: %s",
                         err->message);
            }
            break; /* the next flush, or who waits, tries again */
        }
        if (any) {
            stoa_store_compact_if_due(store); /* two may find work side by side */
        }
    }
    return STOA_OK;
}

void stoa_store_compact_if_due(stoa_store *store) {
    if (!store->settings.no_background && !store->read_only) {
        stoa_group_spawn(&store->compactions, compact_task, store);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Waits until a compaction has ended, or does one: nobody waits for a task that has no thread. */
static stoa_status compact_or_wait(stoa_store *store, const stoa_context *context, bool *out_idle,
                                   stoa_error *err) {
    bool any = false;
    STOA_TRY(compact_one(store, context, &any, err));
    *out_idle = false;
    if (!any) {
        pthread_mutex_lock(&store->lock);
        if (store->compaction_count > 0) {
            pthread_cond_wait(&store->changed, &store->lock);
        } else {
            *out_idle = true;
        }
        pthread_mutex_unlock(&store->lock);
    }
    return STOA_OK;
}

stoa_status stoa_store_settle(stoa_store *store, const stoa_context *context, stoa_error *err) {
    bool idle = false;
    STOA_TRY(stoa_store_check_may_wait(store, err));
    while (!idle) {
        STOA_TRY(stoa_store_wait_flushed(store, err));
        STOA_TRY(compact_or_wait(store, context, &idle, err));
    }
    return STOA_OK;
}

stoa_status stoa_state_pause(stoa_state *state, size_t bytes, stoa_error *err) {
    stoa_store *store = state->store;
    const int pace = atomic_load_explicit(&state->pace, memory_order_relaxed);
    if (pace == STOA_COMPACTION_FREE || store->settings.no_background) {
        return STOA_OK;
    }
    if (stoa_store_works_here(store)) {
        return STOA_OK;
    }
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    bool idle = false;
    if (pace == STOA_COMPACTION_SLOW) {
        const uint64_t before = atomic_fetch_add_explicit(&store->slow_bytes, bytes,
                                                          memory_order_relaxed);
        if (before / SLOW_BYTES == (before + bytes) / SLOW_BYTES) {
            return STOA_OK;
        }
        (void)nanosleep(&slow_wait, NULL);
    }
    while (!idle &&
           atomic_load_explicit(&state->pace, memory_order_relaxed) == STOA_COMPACTION_STOP) {
        STOA_TRY(compact_or_wait(store, &store->context, &idle, err));
    }
    stoa_store_count_stall(store, STOA_STALL_FILES, stoa_clock_monotonic_ns() - begun_ns);
    return STOA_OK;
}

/* ---- A range, when asked ---------------------------------------------------------------------- */

/* With the store's lock. */
static stoa_status pick_range(stoa_state *state, const stoa_key_range *range, stoa_compaction **out,
                              bool *out_wait, stoa_error *err) {
    stoa_store *store = state->store;
    stoa_compaction_policy policy;
    const stoa_state_view *view = atomic_load_explicit(&state->view, memory_order_relaxed);
    policy_of(store, view->definition, oldest_snapshot(store), &policy);
    STOA_TRY(stoa_compaction_pick_range(store->pool, view->version, &policy, range, false,
                                        &state->compactions, out, out_wait, err));
    store->compaction_count += *out != NULL;
    return STOA_OK;
}

stoa_status stoa_store_compact_range(stoa_state *state, const stoa_key_range *range,
                                     const stoa_context *context, stoa_error *err) {
    stoa_store *store = state->store;
    STOA_TRY(stoa_store_flush(store, err));
    for (;;) {
        stoa_compaction *compaction = NULL;
        bool must_wait = false;
        STOA_TRY(stoa_cancel_check(context->cancel, err));
        STOA_TRY(stoa_state_check_current(state, err));
        pthread_mutex_lock(&store->lock);
        stoa_status status = pick_range(state, range, &compaction, &must_wait, err);
        if (status == STOA_OK && must_wait) {
            pthread_cond_wait(&store->changed, &store->lock);
        }
        pthread_mutex_unlock(&store->lock);
        STOA_TRY(status);
        if (compaction != NULL) {
            status = run(state, compaction, context, err);
            end(state, compaction);
            return status;
        }
        if (!must_wait) {
            return STOA_OK;
        }
    }
}
