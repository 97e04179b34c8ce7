/* stoa_scan: a table as a stream of batches, of exactly the rows and columns asked for, in the order
 * of its parts. What is work (decoding files, picking rows) is done on several threads ahead of the
 * reader, and nothing asks the engine. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "pipeline/pipeline.h"
#include "schema/pick.h"
#include "table/internal.h"

struct request {
    stoa_database *database;
    const char *table;
    const stoa_scan_options *options;
    stoa_context context;
    stoa_arena arena;
    const stoa_schema *schema; /* of the table, in its snapshot */
    stoa_scan_request plan;
};

/* The columns' names as the ids of fields. */
static stoa_status parse_columns(struct request *request, stoa_error *err) {
    const int32_t *positions = NULL;
    int32_t *ids;
    int32_t count = 0;
    stoa_status status = stoa_columns_parse(&request->arena, request->schema,
                                            request->options->columns, &positions, &count, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "table '%s'", request->table);
        return status;
    }
    STOA_TRY(stoa_arena_allocate_array(&request->arena, (size_t)count, sizeof *ids, (void **)&ids,
                                       err));
    for (int32_t i = 0; i < count; i++) {
        ids[i] = request->schema->root.children[positions[i]].id;
    }
    request->plan.column_ids = ids;
    request->plan.column_count = count;
    return STOA_OK;
}

/* The schema of the snapshot asked for. */
static stoa_status find_schema(struct request *request, stoa_error *err) {
    if (request->options->snapshot_id == 0) {
        return stoa_table_find(request->database, request->options->transaction, request->table,
                               &request->schema, NULL, NULL, err);
    }
    stoa_plan *plan;
    stoa_scan_request all = {.limit = -1, .snapshot_id = request->options->snapshot_id};
    STOA_TRY(stoa_table_plan(request->database, request->options->transaction, request->table, &all,
                             &request->context, &plan, err));
    request->schema = stoa_schema_retain(stoa_plan_table_schema(plan));
    stoa_plan_close(plan);
    return STOA_OK;
}

struct scan {
    stoa_plan *plan;
    stoa_pool *pool;
    stoa_pipeline_parts_source parts; /* of what lies in memory */
    struct ArrowArrayStream rows;
    int64_t rows_left; /* INT64_MAX: no limit */
};

static stoa_status cut_to_limit(struct scan *scan, struct ArrowArray *out, stoa_error *err) {
    if (out->length > scan->rows_left) {
        struct ArrowArray head;
        stoa_status status = stoa_arrow_slice(scan->pool, out, 0, scan->rows_left, &head, err);
        stoa_arrow_array_release(out);
        STOA_TRY(status);
        *out = head;
    }
    scan->rows_left -= out->length;
    return STOA_OK;
}

static stoa_status scan_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct scan *scan = state;
    *out = (struct ArrowArray){0};
    if (scan->rows_left == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_stream_next(&scan->rows, out, err));
    return out->release == NULL ? STOA_OK : cut_to_limit(scan, out, err);
}

static void scan_close(void *state) {
    struct scan *scan = state;
    stoa_arrow_stream_release(&scan->rows);
    stoa_plan_close(scan->plan);
    stoa_pool_free(scan->pool, scan, sizeof *scan);
}

static stoa_status open_split(void *user, int64_t part, const stoa_context *context,
                              struct ArrowArrayStream *out, stoa_error *err) {
    return stoa_plan_open(user, (int32_t)part, context, out, err);
}

/* Splits are opened by whatever thread is free and come out in order. Whole batches cost nothing to
 * hand out: only a predicate is work for more than one thread. */
static stoa_status open_memory(struct scan *scan, const struct request *request, stoa_error *err) {
    stoa_context context = request->context;
    context.progress = NULL; /* scans report none: their reader knows what it took */
    context.sched = request->plan.predicate != NULL ? context.sched : NULL;
    scan->parts = (stoa_pipeline_parts_source){.open = open_split,
                                               .user = scan->plan,
                                               .part_count = stoa_plan_split_count(scan->plan)};
    const stoa_pipeline pipeline = {.source = stoa_pipeline_source_of_parts(&scan->parts),
                                    .options = {.ordered = true}};
    struct ArrowSchema inner = {0}; /* nobody asks the stream within for its schema */
    return stoa_pipeline_stream(&pipeline, &context, &inner, NULL, &scan->rows, err);
}

/* A few rows are read by the thread that asks for them, and no more than those where that is known. */
static stoa_status open_files(struct scan *scan, const struct request *request, stoa_error *err) {
    enum { FEW_ROWS = 65536 };
    stoa_context context = request->context;
    const bool few = request->plan.limit > 0 && request->plan.limit <= FEW_ROWS;
    context.sched = few ? NULL : context.sched;
    return stoa_plan_open_files(scan->plan, 0, stoa_plan_split_count(scan->plan),
                                few && request->plan.predicate == NULL ? request->plan.limit : 0,
                                &context, &scan->rows, err);
}

static bool is_parquet(const stoa_plan *plan) {
    int32_t count = stoa_plan_split_count(plan);
    for (int32_t i = 0; i < count; i++) {
        if (!stoa_plan_split(plan, i)->is_parquet) {
            return false;
        }
    }
    return count > 0;
}

/* Takes `plan`. */
static stoa_status stream(const struct request *request, stoa_plan *plan,
                          struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {scan_next, scan_close};
    struct scan *scan;
    struct ArrowSchema schema = {0};
    stoa_pool *pool = request->context.pool;
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *scan, (void **)&scan, err);
    if (status != STOA_OK) {
        stoa_plan_close(plan);
        return status;
    }
    scan->plan = plan;
    scan->pool = pool;
    scan->rows_left = request->plan.limit > 0 ? request->plan.limit : INT64_MAX;
    status = is_parquet(plan) ? open_files(scan, request, err) : open_memory(scan, request, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_arrow(pool, stoa_plan_schema(plan), &schema, err);
    }
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    return stoa_stream_create(pool, &schema, &operations, scan, out, err);
}

static stoa_status scan_table(struct request *request, struct ArrowArrayStream *out,
                              stoa_error *err) {
    stoa_plan *plan = NULL;
    STOA_TRY(find_schema(request, err));
    if (request->options->columns != NULL) {
        STOA_TRY(parse_columns(request, err));
    }
    if (request->options->where != NULL) {
        STOA_TRY(stoa_predicate_parse(&request->arena, request->schema, request->options->where,
                                      &request->plan.predicate, err));
    }
    STOA_TRY(stoa_table_plan(request->database, request->options->transaction, request->table,
                             &request->plan, &request->context, &plan, err));
    return stream(request, plan, out, err);
}

stoa_status stoa_scan(stoa_database *database, const char *table, const stoa_scan_options *options,
                      struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_scan_options defaults = STOA_SCAN_DEFAULT;
    *out = (struct ArrowArrayStream){0};
    struct request request = {.database = database,
                              .table = table,
                              .options = options != NULL ? options : &defaults};
    request.context = request.options->context;
    stoa_database_fill_context(database, &request.context);
    request.plan = (stoa_scan_request){.exact = true,
                                       .limit = request.options->limit > 0 ? request.options->limit
                                                                           : -1,
                                       .snapshot_id = request.options->snapshot_id};
    stoa_arena_init(&request.arena, request.context.pool);
    stoa_status status = scan_table(&request, out, err);
    stoa_schema_close(request.schema);
    stoa_arena_release(&request.arena);
    return status;
}
