/* See detached.h and sql.h. */
#include "sql/detached.h"

#include "arrow/schema.h"
#include "arrow/stream.h"
#include "schema/schema.h"
#include "sql/sql.h"

struct detached {
    struct engine *engine;
    stoa_pool *pool;
    duckdb_connection connection;
    struct view *view;
    struct engine_query *query;
    struct sql_text text;
    const stoa_schema *target;
    stoa_plan *plan;
};

void stoa_sql_detached_close(struct detached *detached) {
    if (detached == NULL) {
        return;
    }
    stoa_sql_engine_query_close(detached->query);
    stoa_sql_view_close(detached->view);
    stoa_plan_close(detached->plan);
    stoa_schema_close(detached->target);
    stoa_sql_text_release(&detached->text);
    stoa_sql_engine_disconnect(detached->engine, &detached->connection);
    stoa_pool_free(detached->pool, detached, sizeof *detached);
}

stoa_status stoa_sql_detached_open(stoa_database *database, stoa_transaction *transaction,
                                   const stoa_context *context, struct detached **out,
                                   stoa_error *err) {
    *out = NULL;
    struct engine *engine;
    STOA_TRY(stoa_sql_engine_get(database, &engine, err));
    stoa_context own = context != NULL ? *context : (stoa_context){0};
    stoa_database_fill_context(database, &own);
    struct detached *detached;
    STOA_TRY(stoa_pool_allocate_array(own.pool, 1, sizeof *detached, (void **)&detached, err));
    detached->engine = engine;
    detached->pool = own.pool;
    stoa_sql_text_init(&detached->text, own.pool, NULL, 0);
    stoa_status status = stoa_sql_engine_connect(engine, &detached->connection, err);
    if (status == STOA_OK) {
        status = stoa_sql_view_open(engine, transaction, &own, &detached->view, err);
    }
    if (status != STOA_OK) {
        stoa_sql_detached_close(detached);
        return status;
    }
    *out = detached;
    return STOA_OK;
}

struct sql_text *stoa_sql_detached_text(struct detached *detached) {
    return &detached->text;
}

stoa_status stoa_sql_detached_prepare(struct detached *detached, struct engine_query **out_view,
                                      stoa_error *err) {
    const char *sql;
    STOA_TRY(stoa_sql_text_view(&detached->text, &sql, err));
    stoa_sql_view_begin(detached->view, VIEW_READ);
    struct query_source source = {.connection = detached->connection,
                                  .view = detached->view,
                                  .sql = sql,
                                  .text = &detached->text};
    STOA_TRY(stoa_sql_engine_query_prepare(&source, &detached->query, err));
    if (out_view != NULL) {
        *out_view = detached->query;
    }
    return STOA_OK;
}

static stoa_status stream_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct detached *detached = state;
    return stoa_sql_engine_query_next(detached->query, out, err);
}

static void stream_close(void *state) {
    stoa_sql_detached_close(state);
}

static stoa_status check_target(const struct detached *detached, const stoa_schema *target,
                                stoa_error *err) {
    int64_t found = stoa_sql_engine_query_column_count(detached->query);
    if (target != NULL && found != target->root.child_count) {
        return stoa_fail(err, STOA_INVALID, "expected %d columns but the query gives %" PRId64,
                         (int)target->root.child_count, found);
    }
    return STOA_OK;
}

stoa_status stoa_sql_detached_stream(struct detached *detached, const stoa_schema *target,
                                     stoa_plan *plan, struct ArrowArrayStream *out,
                                     stoa_error *err) {
    struct ArrowSchema schema;
    stoa_stream_operations operations = {stream_next, stream_close};
    stoa_status status = STOA_OK;
    detached->plan = plan;
    detached->target = target != NULL ? stoa_schema_retain(target) : NULL;
    STOA_CHECK(check_target(detached, target, err));
    STOA_CHECK(stoa_sql_engine_query_start(detached->query, target, err));
    STOA_CHECK(target != NULL ? stoa_schema_to_arrow(detached->pool, target, &schema, err)
                              : stoa_sql_engine_query_schema(detached->query, &schema, err));
    return stoa_stream_create(detached->pool, &schema, &operations, detached, out, err);

done:
    stoa_sql_detached_close(detached);
    return status;
}

stoa_status stoa_sql_stream(stoa_database *database, const char *sql, const stoa_schema *target,
                            const stoa_context *context, struct ArrowArrayStream *out,
                            stoa_error *err) {
    struct detached *detached = NULL;
    stoa_status status = STOA_OK;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_sql_detached_open(database, NULL, context, &detached, err));
    STOA_CHECK(stoa_sql_text_add(stoa_sql_detached_text(detached), sql, err));
    STOA_CHECK(stoa_sql_detached_prepare(detached, NULL, err));
    return stoa_sql_detached_stream(detached, target, NULL, out, err);

done:
    stoa_sql_detached_close(detached);
    return status;
}

stoa_status stoa_sql_describe(stoa_database *database, const char *sql, const stoa_context *context,
                              const stoa_schema **out, stoa_error *err) {
    struct detached *detached = NULL;
    struct engine_query *query;
    stoa_field *fields;
    stoa_arena arena = {0};
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_TRY(stoa_sql_detached_open(database, NULL, context, &detached, err));
    stoa_arena_init(&arena, detached->pool);
    STOA_CHECK(stoa_sql_text_add(stoa_sql_detached_text(detached), sql, err));
    STOA_CHECK(stoa_sql_detached_prepare(detached, &query, err));
    STOA_CHECK(stoa_sql_engine_query_fields(query, &arena, &fields, err));
    STOA_CHECK(stoa_schema_create(stoa_database_pool(database), fields,
                                  (int32_t)stoa_sql_engine_query_column_count(query), false, out,
                                  err));

done:
    stoa_arena_release(&arena);
    stoa_sql_detached_close(detached);
    return status;
}
