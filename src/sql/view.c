/* See view.h. */
#include "sql/view.h"

#include <stdio.h>
#include <string.h>

#include "arrow/print.h"
#include "sql/seek.h"

/* Sixty vectors: large enough that taking the next one costs nothing, small enough to share out. */
enum { MORSEL_ROWS = 60 * DUCKDB_VECTOR_ROWS };

/* ---- what scans share with their view ------------------------------------------------------- */

static stoa_status progress_create(stoa_pool *pool, struct progress **out, stoa_error *err) {
    struct progress *progress;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *progress, (void **)&progress, err));
    atomic_init(&progress->references, 1);
    progress->pool = pool;
    stoa_error_clear(&progress->error);
    pthread_mutex_init(&progress->lock, NULL);
    *out = progress;
    return STOA_OK;
}

void stoa_sql_progress_release(struct progress *progress) {
    /* acq_rel: what other owners wrote is seen before the memory goes */
    if (progress != NULL &&
        atomic_fetch_sub_explicit(&progress->references, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&progress->lock);
        stoa_pool_free(progress->pool, progress, sizeof *progress);
    }
}

void stoa_sql_progress_keep_error(struct progress *progress, const stoa_error *error) {
    pthread_mutex_lock(&progress->lock);
    if (progress->error.status == STOA_OK) {
        progress->error = *error;
    }
    pthread_mutex_unlock(&progress->lock);
}

stoa_status stoa_sql_progress_take_error(struct progress *progress, stoa_error *err) {
    pthread_mutex_lock(&progress->lock);
    stoa_status status = progress->error.status;
    if (status != STOA_OK && err != NULL) {
        *err = progress->error;
    }
    stoa_error_clear(&progress->error);
    pthread_mutex_unlock(&progress->lock);
    return status;
}

/* ---- scans ---------------------------------------------------------------------------------- */

struct scan *stoa_sql_scan_retain(struct scan *scan) {
    atomic_fetch_add_explicit(&scan->references, 1, memory_order_relaxed);
    return scan;
}

void stoa_sql_scan_release(struct scan *scan) {
    if (scan == NULL ||
        atomic_fetch_sub_explicit(&scan->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_pool *pool = scan->pool;
    if (!scan->borrows_plan) {
        stoa_plan_close(scan->plan);
    }
    stoa_schema_close(scan->schema);
    stoa_pool_free(pool, scan->morsels, (size_t)scan->morsel_count * sizeof *scan->morsels);
    stoa_pool_free_string(pool, scan->name);
    stoa_sql_progress_release(scan->progress);
    stoa_pool_free(pool, scan, sizeof *scan);
}

static stoa_status scan_create(struct view *view, const char *name, struct scan **out,
                               stoa_error *err) {
    struct scan *scan;
    STOA_TRY(stoa_pool_allocate_array(view->pool, 1, sizeof *scan, (void **)&scan, err));
    atomic_init(&scan->references, 1);
    scan->pool = view->pool;
    scan->progress = view->progress;
    scan->context = view->context;
    scan->context.sched = NULL; /* the engine's threads do the work, */
    scan->context.progress = NULL; /* and the engine's progress is told */
    atomic_fetch_add_explicit(&view->progress->references, 1, memory_order_relaxed);
    stoa_status status = stoa_pool_copy_string(view->pool, name, &scan->name, err);
    if (status != STOA_OK) {
        stoa_sql_scan_release(scan);
        return status;
    }
    *out = scan;
    return STOA_OK;
}

static int64_t cut_batch(const struct ArrowArray *batch, int32_t split, struct morsel *out) {
    int64_t count = 0;
    for (int64_t row = 0; row < batch->length; row += MORSEL_ROWS) {
        if (out != NULL) {
            int64_t rest = batch->length - row;
            out[count] = (struct morsel){batch, row, rest < MORSEL_ROWS ? rest : MORSEL_ROWS,
                                         split};
        }
        count++;
    }
    return count;
}

/* Cuts one split's batches; counts only while `out` is NULL. */
static int64_t cut_split(const stoa_plan *plan, int32_t split, struct morsel *out) {
    int64_t batch_count = 0;
    const struct ArrowArray *const *batches = stoa_plan_memory_batches(plan, split, &batch_count);
    int64_t count = 0;
    for (int64_t i = 0; batches != NULL && i < batch_count; i++) {
        count += cut_batch(batches[i], split, out != NULL ? out + count : NULL);
    }
    return count;
}

static stoa_status cut_morsels(struct scan *scan, const int32_t *splits, int32_t split_count,
                               stoa_error *err) {
    int64_t count = 0;
    for (int32_t i = 0; i < split_count; i++) {
        count += cut_split(scan->plan, splits != NULL ? splits[i] : i, NULL);
    }
    STOA_TRY(stoa_pool_allocate_array(scan->pool, (size_t)count, sizeof *scan->morsels,
                                      (void **)&scan->morsels, err));
    scan->morsel_count = count;
    int64_t at = 0;
    for (int32_t i = 0; i < split_count; i++) {
        at += cut_split(scan->plan, splits != NULL ? splits[i] : i, scan->morsels + at);
    }
    for (int64_t i = 0; i < count; i++) {
        scan->row_count += scan->morsels[i].length;
    }
    return STOA_OK;
}

/* Decides the road: all splits are files for DuckDB, or all lie in memory, or they are streams. */
static stoa_status scan_use_plan(struct scan *scan, const int32_t *splits, int32_t split_count,
                                 stoa_error *err) {
    int32_t files = 0;
    int32_t memory = 0;
    for (int32_t i = 0; i < split_count; i++) {
        int32_t split = splits != NULL ? splits[i] : i;
        int64_t batch_count = 0;
        const stoa_split *info = stoa_plan_split(scan->plan, split);
        files += info->is_parquet;
        memory += stoa_plan_memory_batches(scan->plan, split, &batch_count) != NULL;
        scan->byte_count += info->byte_count;
    }
    scan->schema = stoa_schema_retain(stoa_plan_table_schema(scan->plan));
    scan->part_count = split_count;
    scan->skipped_count = stoa_plan_skipped_count(scan->plan);
    scan->parquet = split_count > 0 && files == split_count;
    scan->streamed = stoa_plan_is_streamed(scan->plan);
    if (scan->parquet || scan->streamed) {
        return STOA_OK;
    }
    if (memory != split_count) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "the engine cannot read table '%s': its parts are neither in memory nor "
                         "Parquet files",
                         scan->name);
    }
    return cut_morsels(scan, splits, split_count, err);
}

/* ---- views ---------------------------------------------------------------------------------- */

static stoa_status view_add(struct view *view, struct scan *scan, int32_t *out_index,
                            stoa_error *err) {
    if (view->scan_count == view->scan_capacity) {
        int32_t capacity = view->scan_capacity > 0 ? 2 * view->scan_capacity : 8;
        STOA_TRY(stoa_pool_reallocate(view->pool, (void **)&view->scans,
                                      (size_t)view->scan_capacity * sizeof(struct scan *),
                                      (size_t)capacity * sizeof(struct scan *), err));
        view->scan_capacity = capacity;
    }
    *out_index = view->scan_count;
    view->scans[view->scan_count++] = scan;
    return STOA_OK;
}

static const stoa_predicate *next_predicate(struct view *view, const char *name) {
    if (view->pruning_next >= view->pruning_count) {
        return NULL;
    }
    const struct pruning *pruning = &view->prunings[view->pruning_next++];
    return strcmp(pruning->name, name) == 0 ? pruning->predicate : NULL;
}

/* Streams give no more than the rows that a predicate takes: one that may leave out too many is none. */
static stoa_status drop_inexact(struct view *view, const char *name,
                                const stoa_predicate **predicate, stoa_error *err) {
    const stoa_schema *schema = NULL;
    uint32_t capabilities = 0;
    if (*predicate == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_table_find(view->database, view->transaction, name, &schema, &capabilities, NULL,
                             err));
    if ((capabilities & STOA_CAN_STREAM) != 0 && !stoa_sql_seek_is_exact(schema, *predicate)) {
        *predicate = NULL;
    }
    stoa_schema_close(schema);
    return STOA_OK;
}

static stoa_status find_or_plan(struct view *view, struct scan *scan, stoa_error *err) {
    if (view->mode == VIEW_EXPLAIN) {
        uint32_t capabilities = 0;
        STOA_TRY(stoa_table_find(view->database, view->transaction, scan->name, &scan->schema,
                                 &capabilities, NULL, err));
        scan->streamed = (capabilities & STOA_CAN_STREAM) != 0;
        return STOA_OK;
    }
    const stoa_predicate *predicate = next_predicate(view, scan->name);
    STOA_TRY(drop_inexact(view, scan->name, &predicate, err));
    stoa_scan_request request = {.predicate = predicate, .exact = view->seeks, .limit = -1};
    STOA_TRY(stoa_table_plan(view->database, view->transaction, scan->name, &request,
                             &view->context, &scan->plan, err));
    STOA_TRY(scan_use_plan(scan, NULL, stoa_plan_split_count(scan->plan), err));
    scan->seeks = scan->parquet && view->seeks && stoa_sql_seek_can(scan->plan) &&
                  stoa_sql_seek_pays(scan->plan, predicate);
    scan->row_count = scan->seeks      ? stoa_plan_row_count(scan->plan)
                      : scan->streamed ? stoa_plan_row_estimate(scan->plan)
                                       : scan->row_count;
    return STOA_OK;
}

stoa_status stoa_sql_view_reference(struct view *view, const char *name, struct scan **out,
                                    int32_t *out_index, stoa_error *err) {
    struct scan *scan = NULL;
    STOA_TRY(scan_create(view, name, &scan, err));
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = find_or_plan(view, scan, &error);
    if (status == STOA_OK) {
        status = view_add(view, scan, out_index, &error);
    }
    if (status != STOA_OK) {
        stoa_sql_scan_release(scan);
        if (status == STOA_NOT_FOUND) {
            view->unknown = error;
        }
        if (err != NULL) {
            *err = error;
        }
        return status;
    }
    *out = scan;
    return STOA_OK;
}

stoa_status stoa_sql_view_reference_plan(struct view *view, stoa_plan *plan, const char *name,
                                         const int32_t *splits, int32_t split_count,
                                         int32_t *out_index, stoa_error *err) {
    struct scan *scan = NULL;
    STOA_TRY(scan_create(view, name, &scan, err));
    scan->plan = plan;
    scan->borrows_plan = true;
    scan->with_part = true;
    int32_t count = splits != NULL ? split_count : stoa_plan_split_count(plan);
    stoa_status status = scan_use_plan(scan, splits, count, err);
    if (status == STOA_OK) {
        status = view_add(view, scan, out_index, err);
    }
    if (status != STOA_OK) {
        stoa_sql_scan_release(scan);
    }
    return status;
}

void stoa_sql_view_begin(struct view *view, enum view_mode mode) {
    while (view->scan_count > 0) {
        stoa_sql_scan_release(view->scans[--view->scan_count]);
    }
    view->mode = mode;
    view->pruning_next = 0;
    stoa_error_clear(&view->unknown);
}

stoa_status stoa_sql_view_open(struct engine *engine, stoa_transaction *transaction,
                               const stoa_context *context, struct view **out, stoa_error *err) {
    STOA_ASSERT(context->pool != NULL);
    *out = NULL;
    struct view *view;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *view, (void **)&view, err));
    view->engine = engine;
    view->database = engine->database;
    view->pool = context->pool;
    view->context = *context;
    view->transaction = transaction;
    stoa_arena_init(&view->arena, view->pool);
    stoa_error_clear(&view->unknown);
    stoa_status status = progress_create(view->pool, &view->progress, err);
    if (status == STOA_OK && transaction == NULL) {
        status = stoa_transaction_begin(view->database, &view->transaction, err);
        view->own_transaction = status == STOA_OK;
    }
    if (status != STOA_OK) {
        stoa_sql_view_close(view);
        return status;
    }
    *out = view;
    return STOA_OK;
}

stoa_status stoa_sql_view_commit(struct view *view, stoa_error *err) {
    return view->own_transaction ? stoa_transaction_commit(view->transaction, err) : STOA_OK;
}

void stoa_sql_view_close(struct view *view) {
    if (view == NULL) {
        return;
    }
    stoa_sql_view_begin(view, VIEW_READ);
    stoa_pool_free(view->pool, view->scans, (size_t)view->scan_capacity * sizeof *view->scans);
    if (view->own_transaction) {
        stoa_transaction_close(view->transaction);
    }
    stoa_sql_progress_release(view->progress);
    stoa_stage_close(view->stage);
    stoa_arena_release(&view->arena);
    stoa_pool_free(view->pool, view, sizeof *view);
}

int64_t stoa_sql_view_row_count(const struct view *view) {
    int64_t rows = 0;
    for (int32_t i = 0; i < view->scan_count; i++) {
        if (view->scans[i]->parquet) {
            return 0; /* the engine knows better how far it is */
        }
        rows += view->scans[i]->row_count;
    }
    return rows;
}

stoa_status stoa_sql_view_report(const struct view *view, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, "[", err));
    for (int32_t i = 0; i < view->scan_count; i++) {
        const struct scan *scan = view->scans[i];
        STOA_TRY(stoa_buffer_append_text(out, i > 0 ? ", {\"table\": " : "{\"table\": ", err));
        STOA_TRY(stoa_json_string_print(scan->name, strlen(scan->name), out, err));
        STOA_TRY(stoa_buffer_append_format(
            out, err, ", \"road\": \"%s\", \"parts\": %d, \"skipped\": %d, \"bytes\": %llu}",
            scan->seeks || scan->streamed ? "stoa"
            : scan->parquet ? "parquet"
                            : "memory",
            (int)scan->part_count, (int)scan->skipped_count,
            (unsigned long long)scan->byte_count));
    }
    return stoa_buffer_append_text(out, "]", err);
}
