/* stoa_scan: a table as a stream of batches, of exactly the rows and columns asked for.
 *
 * What lies in memory is streamed by the table module, batch by batch, without the engine; where
 * rows are to be picked out, on several threads. Parquet files are read by the engine, on its own
 * threads, whose reader skips row groups and pages by their statistics, with the columns and the
 * predicate as SQL. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "pipeline/pipeline.h"
#include "schema/schema.h"
#include "sql/detached.h"
#include "sql/partitions.h"
#include "sql/stored.h"

struct request {
    stoa_database *database;
    const char *table;
    const stoa_scan_options *options;
    stoa_context context;
    stoa_arena arena;
    const stoa_schema *schema; /* of the table, in its snapshot */
    stoa_scan_request plan;
};

/* ---- columns -------------------------------------------------------------------------------- */

/* One name of the list, from `*at` to its comma. */
static stoa_status next_name(stoa_arena *arena, const char **at, const char **out,
                             stoa_error *err) {
    const char *from = *at + strspn(*at, " \t\n");
    char *name = NULL;
    size_t used = 0;
    STOA_TRY(stoa_arena_allocate(arena, strlen(from) + 1, (void **)&name, err));
    if (*from == '"') {
        for (from++; *from != '\0' && !(from[0] == '"' && from[1] != '"'); from++) {
            name[used++] = *from;
            from += *from == '"';
        }
        if (*from == '\0') {
            return stoa_fail(err, STOA_INVALID, "columns: a quoted name does not end");
        }
        from++;
        from += strspn(from, " \t\n");
    } else {
        used = strcspn(from, ",");
        memcpy(name, from, used);
        from += used;
        while (used > 0 && strchr(" \t\n", name[used - 1]) != NULL) {
            used--;
        }
    }
    if (*from != ',' && *from != '\0') {
        return stoa_fail(err, STOA_INVALID, "columns: expected ',' behind \"%.*s\" but found '%s'",
                         (int)used, name, from);
    }
    name[used] = '\0';
    *at = *from == ',' ? from + 1 : NULL;
    *out = name;
    return STOA_OK;
}

static stoa_status parse_columns(struct request *request, stoa_error *err) {
    const char *at = request->options->columns;
    int32_t *ids;
    int32_t count = 0;
    size_t most = 1;
    for (const char *c = at; *c != '\0'; c++) {
        most += *c == ',';
    }
    STOA_TRY(stoa_arena_allocate_array(&request->arena, most, sizeof *ids, (void **)&ids, err));
    while (at != NULL) {
        const char *name = NULL;
        STOA_TRY(next_name(&request->arena, &at, &name, err));
        const stoa_field *field = stoa_schema_column(request->schema, name);
        if (field == NULL) {
            return stoa_fail(err, STOA_NOT_FOUND, "table '%s' has no column '%s'", request->table,
                             name);
        }
        ids[count++] = field->id;
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

/* ---- memory --------------------------------------------------------------------------------- */

/* Splits are opened by whatever thread is free and come out in order. */
struct memory_scan {
    stoa_plan *plan;
    stoa_pool *pool;
    stoa_pipeline_parts_source parts;
    struct ArrowArrayStream rows;
    int64_t rows_left; /* INT64_MAX: no limit */
};

static stoa_status open_split(void *user, int64_t part, const stoa_context *context,
                              struct ArrowArrayStream *out, stoa_error *err) {
    return stoa_plan_open(user, (int32_t)part, context, out, err);
}

static stoa_status cut_to_limit(struct memory_scan *scan, struct ArrowArray *out, stoa_error *err) {
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

static stoa_status memory_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct memory_scan *scan = state;
    *out = (struct ArrowArray){0};
    if (scan->rows_left == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_stream_next(&scan->rows, out, err));
    return out->release == NULL ? STOA_OK : cut_to_limit(scan, out, err);
}

static void memory_close(void *state) {
    struct memory_scan *scan = state;
    stoa_arrow_stream_release(&scan->rows);
    stoa_plan_close(scan->plan);
    stoa_pool_free(scan->pool, scan, sizeof *scan);
}

/* Whole batches cost nothing to hand out: only a predicate is work for more than one thread. */
static stoa_status open_memory(struct memory_scan *scan, const struct request *request,
                               struct ArrowSchema *schema, stoa_error *err) {
    stoa_context context = request->context;
    context.progress = NULL; /* scans report none: their reader knows what it took */
    context.sched = request->plan.predicate != NULL ? context.sched : NULL;
    scan->parts = (stoa_pipeline_parts_source){.open = open_split,
                                               .user = scan->plan,
                                               .part_count = stoa_plan_split_count(scan->plan)};
    const stoa_pipeline pipeline = {.source = stoa_pipeline_source_of_parts(&scan->parts),
                                    .options = {.ordered = true}};
    struct ArrowSchema inner = {0}; /* nobody asks the stream within for its schema */
    STOA_TRY(stoa_pipeline_stream(&pipeline, &context, &inner, NULL, &scan->rows, err));
    return stoa_schema_to_arrow(scan->pool, stoa_plan_schema(scan->plan), schema, err);
}

/* Takes `plan`. */
static stoa_status stream_memory(struct request *request, stoa_plan *plan,
                                 struct ArrowArrayStream *out, stoa_error *err) {
    struct memory_scan *scan;
    struct ArrowSchema schema;
    stoa_pool *pool = request->context.pool;
    stoa_stream_operations operations = {memory_next, memory_close};
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *scan, (void **)&scan, err);
    if (status != STOA_OK) {
        stoa_plan_close(plan);
        return status;
    }
    scan->plan = plan;
    scan->pool = pool;
    scan->rows_left = request->plan.limit > 0 ? request->plan.limit : INT64_MAX;
    status = open_memory(scan, request, &schema, err);
    if (status != STOA_OK) {
        memory_close(scan);
        return status;
    }
    return stoa_stream_create(pool, &schema, &operations, scan, out, err);
}

/* ---- Parquet -------------------------------------------------------------------------------- */

static stoa_status add_columns(const stoa_schema *schema, struct sql_text *text, stoa_error *err) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(stoa_sql_add_stored(text, &schema->root.children[i], true, err));
    }
    return STOA_OK;
}

static stoa_status add_files(const struct request *request, stoa_plan *plan, struct sql_text *text,
                             stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, "read_parquet([", err));
    for (int32_t i = 0; i < stoa_plan_split_count(plan); i++) {
        const char *path = NULL;
        STOA_TRY(stoa_plan_parquet_path(plan, i, &request->context, &path, err));
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(stoa_sql_text_literal(text, path, err));
    }
    return stoa_sql_text_add(text, "], hive_partitioning = false)", err);
}

static stoa_status write_query(const struct request *request, stoa_plan *plan,
                               struct sql_text *text, stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, "SELECT ", err));
    STOA_TRY(add_columns(stoa_plan_schema(plan), text, err));
    STOA_TRY(stoa_sql_text_add(text, " FROM ", err));
    STOA_TRY(stoa_sql_plan_lacks_columns(plan)
                 ? stoa_sql_add_partitioned(plan, NULL, stoa_plan_split_count(plan), "",
                                            &request->context, text, err)
                 : add_files(request, plan, text, err));
    if (request->plan.predicate != NULL) {
        STOA_TRY(stoa_sql_text_add(text, " WHERE ", err));
        STOA_TRY(stoa_predicate_print(request->plan.predicate, request->schema, &text->text, err));
    }
    if (request->plan.limit > 0) {
        STOA_TRY(stoa_sql_text_format(text, err, " LIMIT %" PRId64, request->plan.limit));
    }
    return STOA_OK;
}

/* Takes `plan`. */
static stoa_status stream_parquet(struct request *request, stoa_plan *plan,
                                  struct ArrowArrayStream *out, stoa_error *err) {
    struct detached *detached = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sql_detached_open(request->database, request->options->transaction,
                                      &request->context, &detached, err));
    STOA_CHECK(write_query(request, plan, stoa_sql_detached_text(detached), err));
    STOA_CHECK(stoa_sql_detached_prepare(detached, NULL, err));
    return stoa_sql_detached_stream(detached, stoa_plan_schema(plan), plan, out, err);

done:
    stoa_sql_detached_close(detached);
    stoa_plan_close(plan);
    return status;
}

/* ---- both ----------------------------------------------------------------------------------- */

static bool is_parquet(const stoa_plan *plan) {
    int32_t count = stoa_plan_split_count(plan);
    for (int32_t i = 0; i < count; i++) {
        if (!stoa_plan_split(plan, i)->is_parquet) {
            return false;
        }
    }
    return count > 0;
}

static stoa_status scan(struct request *request, struct ArrowArrayStream *out, stoa_error *err) {
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
    return is_parquet(plan) ? stream_parquet(request, plan, out, err)
                            : stream_memory(request, plan, out, err);
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
    stoa_status status = scan(&request, out, err);
    stoa_schema_close(request.schema);
    stoa_arena_release(&request.arena);
    return status;
}
