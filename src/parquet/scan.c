/* A plan's parts as the source of a pipeline: a lane takes a part and decodes its windows from the first
 * to the last. The pipeline keeps the order, says how far lanes may run ahead, and ends with the
 * earliest failure. */
#include <stdatomic.h>

#include "arrow/array.h"
#include "parquet/column_stream.h"
#include "parquet/read_filter.h"
#include "parquet/scan.h"

enum { WINDOW_MORSELS_MIN = 8, WINDOW_MORSELS_MAX = 4096 };

struct stoa_parquet_scan {
    stoa_read_plan plan;
    struct ArrowSchema arrow; /* of the plan's schema, to weigh batches by */
    _Atomic int64_t next_part;
};

struct scan_lane {
    stoa_read_lane lane;
    stoa_read_filter *filter; /* NULL: there is no predicate */
    const stoa_read_part *part; /* NULL: none */
    int64_t row;                /* of its group, that comes next */
};

void stoa_parquet_scan_close(stoa_parquet_scan *scan) {
    if (scan != NULL) {
        stoa_pool *pool = scan->plan.reader->context.pool;
        stoa_arrow_schema_release(&scan->arrow);
        stoa_read_plan_release(&scan->plan);
        stoa_pool_free(pool, scan, sizeof *scan);
    }
}

static int32_t count_lanes(const stoa_context *context) {
    return context->sched == NULL ? 1 : stoa_sched_threads(context->sched);
}

stoa_status stoa_parquet_scan_open(const stoa_parquet_reader *reader,
                                   const stoa_parquet_read_options *options,
                                   stoa_parquet_scan **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(reader->context.pool, 1, sizeof **out, &memory, err));
    stoa_parquet_scan *scan = memory;
    stoa_status status = stoa_read_plan_init(reader, options, count_lanes(&reader->context),
                                             &scan->plan, err);
    if (status == STOA_OK) {
        status = stoa_read_plan_arrow(&scan->plan, &scan->arrow, err);
    }
    if (status != STOA_OK) {
        stoa_parquet_scan_close(scan);
        return status;
    }
    *out = scan;
    return STOA_OK;
}

int64_t stoa_parquet_scan_part_count(const stoa_parquet_scan *scan) {
    return scan->plan.part_count;
}

int64_t stoa_parquet_scan_part_row(const stoa_parquet_scan *scan, int64_t part) {
    return scan->plan.parts[part].group_first + scan->plan.parts[part].first;
}

/* ---- The source ------------------------------------------------------------------------------ */

static void close_lane(void *state, void *user) {
    (void)state;
    struct scan_lane *local = user;
    if (local != NULL) {
        stoa_pool *pool = local->lane.context.pool;
        stoa_read_filter_close(local->filter);
        stoa_read_lane_release(&local->lane);
        stoa_pool_free(pool, local, sizeof *local);
    }
}

static stoa_status open_lane(void *state, const stoa_context *context, void **out_local,
                             stoa_error *err) {
    stoa_parquet_scan *scan = state;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct scan_lane), &memory, err));
    struct scan_lane *local = memory;
    stoa_status status = stoa_read_lane_init(&scan->plan, context, &local->lane, err);
    if (status == STOA_OK && scan->plan.options.predicate != NULL) {
        status = stoa_read_filter_create(&local->lane, &local->filter, err);
    }
    if (status != STOA_OK) {
        close_lane(scan, local);
        return status;
    }
    *out_local = local;
    return STOA_OK;
}

/* Parts are numbered in their order by whoever takes them. */
static bool take_part(stoa_parquet_scan *scan, struct scan_lane *local, stoa_morsel *out) {
    if (atomic_load_explicit(&scan->next_part, memory_order_relaxed) >= scan->plan.part_count) {
        return false;
    }
    const int64_t part = atomic_fetch_add_explicit(&scan->next_part, 1, memory_order_relaxed);
    if (part >= scan->plan.part_count) {
        return false;
    }
    local->part = &scan->plan.parts[part];
    local->row = local->part->first;
    out->part = part;
    return true;
}

/* The next rows of the part that are wanted. */
static bool find_window(const stoa_parquet_scan *scan, const struct scan_lane *local,
                        stoa_read_window *out) {
    return local->filter == NULL
               ? stoa_read_plan_window(&scan->plan, local->part, local->row, out)
               : stoa_read_filter_window(local->filter, local->row, out);
}

static stoa_status read_window(struct scan_lane *local, stoa_read_window *window,
                               struct ArrowArray *out, stoa_error *err) {
    if (local->filter != NULL) {
        return stoa_read_filter_batch(local->filter, window, out, NULL, err);
    }
    if (local->lane.plan->options.ranges != NULL) {
        local->lane.row_end = window->first + window->count;
    }
    return stoa_read_lane_rows(&local->lane, window, out, err);
}

/* A part whose rows a predicate leaves out gives its end and no batch. */
static stoa_status read_part(stoa_parquet_scan *scan, struct scan_lane *local, stoa_morsel *out,
                             stoa_error *err) {
    stoa_read_window window;
    if (local->filter != NULL && out->index == 0) {
        STOA_TRY(stoa_read_filter_begin(local->filter, local->part, err));
    }
    if (find_window(scan, local, &window)) {
        STOA_TRY(read_window(local, &window, &out->batch, err));
        local->row = window.first + window.count;
    }
    out->last = !find_window(scan, local, &window);
    return STOA_OK;
}

static stoa_status next_window(void *state, void *user, stoa_morsel *out, bool *out_more,
                               stoa_error *err) {
    stoa_parquet_scan *scan = state;
    struct scan_lane *local = user;
    if (local->part == NULL && !take_part(scan, local, out)) {
        *out_more = false;
        return STOA_OK;
    }
    const stoa_status status = read_part(scan, local, out, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(scan->plan.reader->file));
        return status;
    }
    if (out->batch.release != NULL) {
        out->bytes = (uint64_t)stoa_arrow_memory_bytes(&scan->arrow, &out->batch);
    }
    local->part = out->last ? NULL : local->part;
    return STOA_OK;
}

stoa_pipeline_source stoa_parquet_scan_source(stoa_parquet_scan *scan) {
    return (stoa_pipeline_source){.state = scan,
                                  .open_local = open_lane,
                                  .next = next_window,
                                  .close_local = close_lane};
}

void stoa_parquet_scan_options(const stoa_parquet_scan *scan, stoa_pipeline_options *options) {
    const int64_t lanes = count_lanes(&scan->plan.reader->context);
    const double batch_bytes = scan->plan.row_bytes * (double)scan->plan.options.batch_rows;
    const double fitting = (double)scan->plan.window_bytes / (batch_bytes > 1 ? batch_bytes : 1);
    options->lanes = (int32_t)(lanes < scan->plan.part_count ? lanes : scan->plan.part_count);
    options->lanes = options->lanes > 0 ? options->lanes : 1;
    options->window_bytes = scan->plan.window_bytes;
    options->window_morsels = fitting < WINDOW_MORSELS_MAX ? WINDOW_MORSELS_MIN + (int32_t)fitting
                                                           : WINDOW_MORSELS_MAX;
}

/* ---- The stream ------------------------------------------------------------------------------ */

static void close_scan(void *user) {
    stoa_parquet_scan_close(user);
}

stoa_status stoa_parquet_reader_stream(const stoa_parquet_reader *reader,
                                       const stoa_parquet_read_options *options,
                                       struct ArrowArrayStream *out, stoa_error *err) {
    stoa_parquet_scan *scan = NULL;
    struct ArrowSchema schema;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_parquet_scan_open(reader, options, &scan, err));
    const stoa_status status = stoa_read_plan_arrow(&scan->plan, &schema, err);
    if (status != STOA_OK) {
        stoa_parquet_scan_close(scan);
        return status;
    }
    if (!options->unordered && options->predicate == NULL &&
        stoa_column_stream_suits(&scan->plan, count_lanes(&reader->context))) {
        const stoa_column_stream_owner owner = {scan, close_scan};
        return stoa_column_stream_create(&scan->plan, &schema, &owner, out, err);
    }
    stoa_pipeline pipeline = {.source = stoa_parquet_scan_source(scan),
                              .options = {.ordered = !options->unordered}};
    const stoa_pipeline_owner owner = {scan, close_scan};
    stoa_parquet_scan_options(scan, &pipeline.options);
    return stoa_pipeline_stream(&pipeline, &reader->context, &schema, &owner, out, err);
}
