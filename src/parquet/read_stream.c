/* A plan's parts as a source of a pipeline: a lane takes a part and decodes its windows from the first
 * to the last. The pipeline keeps the order, says how far lanes may run ahead, and ends with the
 * earliest failure. */
#include <stdatomic.h>

#include "arrow/array.h"
#include "parquet/read_filter.h"
#include "pipeline/pipeline.h"

/* Lies behind a stream or a source. */
struct scan {
    stoa_read_plan plan;
    struct ArrowSchema weights; /* the stream's schema, to weigh batches by */
    _Atomic int64_t next_part;
};

struct scan_lane {
    stoa_read_lane lane;
    stoa_read_filter *filter; /* NULL: there is no predicate */
    const stoa_read_part *part; /* NULL: none */
    int64_t row;                /* of its group, that comes next */
};

static void scan_close(void *user) {
    struct scan *scan = user;
    stoa_pool *pool = scan->plan.reader->context.pool;
    stoa_arrow_schema_release(&scan->weights);
    stoa_read_plan_release(&scan->plan);
    stoa_pool_free(pool, scan, sizeof *scan);
}

static stoa_status scan_create(const stoa_parquet_reader *reader,
                               const stoa_parquet_read_options *options, struct scan **out,
                               stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(reader->context.pool, 1, sizeof **out, &memory, err));
    struct scan *scan = memory;
    stoa_status status = stoa_read_plan_init(reader, options, &scan->plan, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_arrow(reader->context.pool, scan->plan.schema, &scan->weights, err);
    }
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    *out = scan;
    return STOA_OK;
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
    struct scan *scan = state;
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
static bool take_part(struct scan *scan, struct scan_lane *local, stoa_morsel *out) {
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
static bool find_window(const struct scan *scan, const struct scan_lane *local,
                        stoa_read_window *out) {
    return local->filter == NULL
               ? stoa_read_plan_window(&scan->plan, local->part, local->row, out)
               : stoa_read_filter_window(local->filter, local->row, out);
}

static stoa_status read_window(struct scan_lane *local, const stoa_read_window *window,
                               struct ArrowArray *out, stoa_error *err) {
    if (local->filter != NULL) {
        return stoa_read_filter_batch(local->filter, window, out, NULL, err);
    }
    STOA_TRY(stoa_read_lane_decode(&local->lane, window, NULL, 0, err));
    return stoa_read_lane_batch(&local->lane, window, out, err);
}

/* A part whose rows a predicate leaves out gives its end and no batch. */
static stoa_status read_part(struct scan *scan, struct scan_lane *local, stoa_morsel *out,
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
    struct scan *scan = state;
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
        out->bytes = (uint64_t)stoa_arrow_memory_bytes(&scan->weights, &out->batch);
    }
    local->part = out->last ? NULL : local->part;
    return STOA_OK;
}

/* ---- The stream ------------------------------------------------------------------------------ */

stoa_status stoa_parquet_reader_stream(const stoa_parquet_reader *reader,
                                       const stoa_parquet_read_options *options,
                                       struct ArrowArrayStream *out, stoa_error *err) {
    struct scan *scan = NULL;
    struct ArrowSchema schema;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(scan_create(reader, options, &scan, err));
    const stoa_status status = stoa_schema_to_arrow(reader->context.pool, scan->plan.schema,
                                                    &schema, err);
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    const stoa_pipeline pipeline = {.source = {.state = scan,
                                               .open_local = open_lane,
                                               .next = next_window,
                                               .close_local = close_lane},
                                    .options = {.ordered = true}};
    const stoa_pipeline_owner owner = {scan, scan_close};
    return stoa_pipeline_stream(&pipeline, &reader->context, &schema, &owner, out, err);
}
