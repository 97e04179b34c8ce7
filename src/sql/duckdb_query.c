/* Running one query.
 *
 * The result is streamed: DuckDB keeps about a megabyte of finished chunks ahead of the reader. A
 * streaming result owns its connection, so a connection runs one query at a time. An error may come
 * after rows have been read; fetching then gives no chunk, and the result has the error.
 *
 * Chunks of 2,048 rows are gathered into batches: the first is one chunk, so that the first row is
 * there early, and each next one twice as long, up to BATCH_ROWS or BATCH_BYTES. */
#include "sql/duckdb_query.h"

#include <stdio.h>
#include <string.h>

#include "arrow/owner.h"
#include "arrow/schema.h"
#include "sql/duckdb_error.h"
#include "sql/duckdb_read.h"
#include "sql/duckdb_type.h"
#include "sql/monitor.h"
#include "sql/remote.h"

enum { BATCH_ROWS = 32 * DUCKDB_VECTOR_ROWS };
#define BATCH_BYTES ((size_t)8 << 20)

struct engine_query {
    struct query_source source; /* `sql` and `text` are those of `remote` when it has any */
    struct sql_text remote;     /* with local paths in place of URIs */
    struct engine *engine;
    const struct duckdb_api *api;
    stoa_pool *pool;
    size_t budget_bytes;
    duckdb_prepared_statement statement;
    duckdb_result result;
    bool has_result;
    bool has_rows;
    bool ended;
    int64_t changed;
    struct watch watch;
    stoa_arena arena; /* of `fields` */
    const stoa_field *fields;
    const char **names; /* of the prepared columns */
    int64_t name_count;
    int64_t column_count;
    struct column_reader **readers;
    int64_t batch_rows; /* how long the next batch shall be */
};

static stoa_status fail(const struct engine_query *query, const char *message, stoa_error *err) {
    stoa_status own = stoa_sql_progress_take_error(query->source.view->progress, err);
    if (own != STOA_OK) {
        return own; /* it happened in a callback of ours; the engine only passes it on */
    }
    struct engine_failure failure = {
        .message = message,
        .sql = query->source.sql,
        .text = query->source.text,
        .table_hint = query->source.view->unknown.message,
        .cancel = query->source.view->context.cancel,
        .budget_bytes = query->budget_bytes,
    };
    stoa_status status = stoa_sql_engine_fail(&failure, err);
    stoa_stage_explain(query->source.view->stage, err);
    return status;
}

/* The engine's copies of names are to be freed by who asks for them. */
static stoa_status copy_names(struct engine_query *query, stoa_error *err) {
    query->name_count = (int64_t)query->api->prepared_statement_column_count(query->statement);
    STOA_TRY(stoa_arena_allocate_array(&query->arena, (size_t)query->name_count,
                                       sizeof *query->names, (void **)&query->names, err));
    for (int64_t i = 0; i < query->name_count; i++) {
        const char *name = query->api->prepared_statement_column_name(query->statement, (idx_t)i);
        stoa_status status = stoa_arena_copy_text(&query->arena, name, strlen(name),
                                                  &query->names[i], err);
        query->api->free((void *)(uintptr_t)name);
        STOA_TRY(status);
    }
    return STOA_OK;
}

/* Files that the statement names by URI are fetched, and the engine is given their copies. */
static stoa_status fetch_remote_files(struct engine_query *query, stoa_error *err) {
    struct query_source *source = &query->source;
    bool any = false;
    stoa_error own = STOA_ERROR_NONE;
    stoa_status status = stoa_sql_remote_rewrite(source->view, source->sql, &query->remote, &any,
                                                 &own);
    if (status != STOA_OK) {
        int64_t at = own.query_offset;
        own.query_offset = -1;
        stoa_sql_error_place(&own, source->sql, source->text, at);
        if (err != NULL) {
            *err = own;
        }
        return status;
    }
    if (any) {
        query->remote.outer = source->text;
        source->text = &query->remote;
        STOA_TRY(stoa_sql_text_view(&query->remote, &source->sql, err));
    }
    return STOA_OK;
}

stoa_status stoa_sql_engine_query_prepare(const struct query_source *source,
                                          struct engine_query **out, stoa_error *err) {
    struct view *view = source->view;
    *out = NULL;
    STOA_TRY(stoa_cancel_check(view->context.cancel, err));
    struct engine_query *query;
    STOA_TRY(stoa_pool_allocate_array(view->pool, 1, sizeof *query, (void **)&query, err));
    query->source = *source;
    query->engine = view->engine;
    query->api = view->engine->api;
    query->pool = view->pool;
    query->changed = -1;
    query->batch_rows = DUCKDB_VECTOR_ROWS;
    query->budget_bytes = stoa_sql_engine_budget(query->engine);
    stoa_arena_init(&query->arena, view->pool);

    struct binding binding;
    stoa_status status = fetch_remote_files(query, err);
    if (status != STOA_OK) {
        stoa_sql_engine_query_close(query);
        return status;
    }
    stoa_sql_engine_enter(query->engine, &binding, view);
    duckdb_state state = query->api->prepare(source->connection, query->source.sql,
                                             &query->statement);
    stoa_sql_engine_leave(query->engine, &binding);
    status = state == DuckDBSuccess ? copy_names(query, err)
                                    : fail(query, query->api->prepare_error(query->statement), err);
    if (status != STOA_OK) {
        stoa_sql_engine_query_close(query);
        return status;
    }
    *out = query;
    return STOA_OK;
}

void stoa_sql_engine_query_close(struct engine_query *query) {
    if (query == NULL) {
        return;
    }
    if (query->has_result && query->has_rows && !query->ended) {
        query->api->interrupt(query->source.connection); /* or its threads go on for a while */
    }
    stoa_sql_monitor_remove(query->engine->monitor, &query->watch);
    if (query->has_result) {
        query->api->destroy_result(&query->result);
    }
    query->api->destroy_prepare(&query->statement);
    for (int64_t i = 0; query->readers != NULL && i < query->column_count; i++) {
        stoa_sql_column_reader_close(query->readers[i]);
    }
    stoa_pool_free(query->pool, query->readers,
                   (size_t)query->column_count * sizeof(struct column_reader *));
    stoa_sql_text_release(&query->remote);
    stoa_arena_release(&query->arena);
    stoa_pool_free(query->pool, query, sizeof *query);
}

int64_t stoa_sql_engine_query_column_count(const struct engine_query *query) {
    return query->name_count;
}

const char *stoa_sql_engine_query_column_name(const struct engine_query *query, int64_t column) {
    return query->names[column];
}

/* ---- columns -------------------------------------------------------------------------------- */

static bool name_is_taken(const stoa_field *fields, int64_t count, const char *name) {
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* a, a, a become a, a_1, a_2, as DuckDB's own Arrow export names them. */
static stoa_status unique_name(stoa_arena *arena, const stoa_field *fields, int64_t count,
                               const char *name, const char **out, stoa_error *err) {
    size_t size = strlen(name);
    char *copy;
    STOA_TRY(stoa_arena_allocate(arena, size + 24, (void **)&copy, err));
    memcpy(copy, name, size + 1);
    for (int64_t i = 1; name_is_taken(fields, count, copy); i++) {
        snprintf(copy + size, 24, "_%lld", (long long)i);
    }
    *out = copy;
    return STOA_OK;
}

static stoa_status make_field(const struct engine_query *query, stoa_arena *arena,
                              stoa_field *fields, int64_t index, const char *name,
                              duckdb_logical_type engine_type, stoa_error *err) {
    stoa_status status = stoa_sql_type_from_engine(query->api, arena, engine_type,
                                                   &fields[index].type, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "column '%s'", name);
        stoa_error_set_column(err, (int32_t)index, name);
        return status;
    }
    return unique_name(arena, fields, index, name, &fields[index].name, err);
}

stoa_status stoa_sql_engine_query_fields(const struct engine_query *query, stoa_arena *arena,
                                         stoa_field **out, stoa_error *err) {
    int64_t count = stoa_sql_engine_query_column_count(query);
    stoa_field *fields;
    STOA_TRY(
        stoa_arena_allocate_array(arena, (size_t)count, sizeof *fields, (void **)&fields, err));
    for (int64_t i = 0; i < count; i++) {
        const char *name = stoa_sql_engine_query_column_name(query, i);
        duckdb_logical_type type =
            query->api->prepared_statement_column_logical_type(query->statement, (idx_t)i);
        stoa_status status = make_field(query, arena, fields, i, name, type, err);
        query->api->destroy_logical_type(&type);
        STOA_TRY(status);
    }
    *out = fields;
    return STOA_OK;
}

static stoa_status result_fields(struct engine_query *query, stoa_error *err) {
    stoa_field *fields;
    STOA_TRY(stoa_arena_allocate_array(&query->arena, (size_t)query->column_count, sizeof *fields,
                                       (void **)&fields, err));
    for (int64_t i = 0; i < query->column_count; i++) {
        duckdb_logical_type type = query->api->column_logical_type(&query->result, (idx_t)i);
        stoa_status status = make_field(query, &query->arena, fields, i,
                                        query->api->column_name(&query->result, (idx_t)i), type,
                                        err);
        query->api->destroy_logical_type(&type);
        STOA_TRY(status);
    }
    query->fields = fields;
    return STOA_OK;
}

static stoa_status make_readers(struct engine_query *query, const stoa_schema *target,
                                stoa_error *err) {
    query->column_count = (int64_t)query->api->column_count(&query->result);
    STOA_TRY(stoa_pool_allocate_array(query->pool, (size_t)query->column_count,
                                      sizeof *query->readers, (void **)&query->readers, err));
    if (target == NULL) {
        STOA_TRY(result_fields(query, err));
    } else {
        STOA_ASSERT(target->root.child_count == query->column_count);
        query->fields = target->root.children;
    }
    for (int64_t i = 0; i < query->column_count; i++) {
        duckdb_logical_type type = query->api->column_logical_type(&query->result, (idx_t)i);
        stoa_status status = stoa_sql_column_reader_create(query->api, query->pool, type,
                                                           &query->fields[i].type,
                                                           &query->readers[i], err);
        query->api->destroy_logical_type(&type);
        if (status != STOA_OK) {
            stoa_wrap(err, "column '%s'", query->fields[i].name);
            return status;
        }
    }
    return STOA_OK;
}

stoa_status stoa_sql_engine_query_schema(const struct engine_query *query, struct ArrowSchema *out,
                                         stoa_error *err) {
    int64_t count = query->has_rows ? query->column_count : 0;
    STOA_TRY(stoa_arrow_schema_init(query->pool, "+s", "", false, count, out, err));
    for (int64_t i = 0; i < count; i++) {
        stoa_status status = stoa_sql_type_arrow_schema(query->pool, &query->fields[i].type,
                                                        query->fields[i].name, out->children[i],
                                                        err);
        if (status != STOA_OK) {
            stoa_arrow_schema_release(out);
            return status;
        }
    }
    return STOA_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

/* Parameters are found by name. In a text of Stoa's own they are called $stoa_1 and so on, because
 * such a text may hold only some of them, and the engine refuses numbers with gaps. */
static stoa_status bind_parameter(struct engine_query *query, const struct parameter *parameter,
                                  stoa_error *err) {
    idx_t index = 0;
    char name[128];
    snprintf(name, sizeof name, "%s%s", query->source.text != NULL ? "stoa_" : "", parameter->name);
    if (query->api->bind_parameter_index(query->statement, &index, name) != DuckDBSuccess) {
        return STOA_OK; /* this text does without it */
    }
    if (parameter->value == NULL) {
        return stoa_fail(err, STOA_INVALID, "parameter $%s has no value", parameter->name);
    }
    if (query->api->bind_value(query->statement, index, parameter->value) != DuckDBSuccess) {
        return fail(query, query->api->prepare_error(query->statement), err);
    }
    return STOA_OK;
}

static stoa_status execute(struct engine_query *query, stoa_error *err) {
    const struct duckdb_api *api = query->api;
    duckdb_pending_result pending = NULL;
    struct binding binding;
    stoa_status status = STOA_OK;
    stoa_sql_engine_enter(query->engine, &binding, query->source.view); /* it may bind again */
    duckdb_state state = api->pending_prepared_streaming(query->statement, &pending);
    stoa_sql_engine_leave(query->engine, &binding);
    if (state != DuckDBSuccess) {
        status = fail(query, api->pending_error(pending), err);
    } else {
        query->has_result = true;
        if (api->execute_pending(pending, &query->result) != DuckDBSuccess) {
            const char *message = api->result_error(&query->result);
            status = fail(query, message != NULL ? message : api->pending_error(pending), err);
        }
    }
    api->destroy_pending(&pending);
    return status;
}

/* The end of the rows, or an error among them. */
static stoa_status fetch(struct engine_query *query, duckdb_data_chunk *out, stoa_error *err) {
    *out = query->api->fetch_chunk(query->result);
    if (*out != NULL) {
        return STOA_OK;
    }
    query->ended = true;
    const char *message = query->api->result_error(&query->result);
    if (message != NULL) {
        return fail(query, message, err);
    }
    return stoa_cancel_check(query->source.view->context.cancel, err);
}

/* COPY and the like say in one number how many rows they wrote. */
static stoa_status drain(struct engine_query *query, bool counts, stoa_error *err) {
    duckdb_data_chunk chunk = NULL;
    do {
        STOA_TRY(fetch(query, &chunk, err));
        if (chunk != NULL && counts && query->api->data_chunk_get_size(chunk) == 1) {
            int64_t *count = query->api->vector_get_data(
                query->api->data_chunk_get_vector(chunk, 0));
            query->changed = *count;
        }
        query->api->destroy_data_chunk(&chunk);
    } while (!query->ended);
    return STOA_OK;
}

stoa_status stoa_sql_engine_query_start(struct engine_query *query, const stoa_schema *target,
                                        stoa_error *err) {
    for (int64_t i = 0; i < query->source.parameter_count; i++) {
        STOA_TRY(bind_parameter(query, &query->source.parameters[i], err));
    }
    struct view *view = query->source.view;
    query->watch.rows_total = stoa_sql_view_row_count(view);
    query->watch.rows_done = &view->progress->rows_done;
    STOA_TRY(stoa_sql_monitor_add(query->engine->monitor, &query->watch, query->source.connection,
                                  &view->context, err));
    STOA_TRY(execute(query, err));
    duckdb_result_type type = query->api->result_return_type(query->result);
    query->has_rows = type == DUCKDB_RESULT_TYPE_QUERY_RESULT;
    if (!query->has_rows) {
        return drain(query, type == DUCKDB_RESULT_TYPE_CHANGED_ROWS, err);
    }
    return make_readers(query, target, err);
}

bool stoa_sql_engine_query_has_rows(const struct engine_query *query) {
    return query->has_rows;
}

int64_t stoa_sql_engine_query_changed(const struct engine_query *query) {
    return query->changed;
}

static stoa_status append_chunk(struct engine_query *query, duckdb_data_chunk chunk, int64_t rows,
                                stoa_error *err) {
    for (int64_t i = 0; i < query->column_count; i++) {
        duckdb_vector vector = query->api->data_chunk_get_vector(chunk, (idx_t)i);
        stoa_status status = stoa_sql_column_reader_append(query->readers[i], vector, 0, rows, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "column '%s'", query->fields[i].name);
            stoa_error_set_column(err, (int32_t)i, query->fields[i].name);
            return status;
        }
    }
    return STOA_OK;
}

static size_t gathered_bytes(const struct engine_query *query) {
    size_t bytes = 0;
    for (int64_t i = 0; i < query->column_count; i++) {
        bytes += stoa_sql_column_reader_bytes(query->readers[i]);
    }
    return bytes;
}

static stoa_status finish_batch(struct engine_query *query, int64_t rows, struct ArrowArray *out,
                                stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(query->pool, 1, query->column_count, false, out, err));
    out->length = rows;
    for (int64_t i = 0; i < query->column_count; i++) {
        stoa_status status = stoa_sql_column_reader_finish(query->readers[i], out->children[i],
                                                           err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return status;
        }
    }
    if (query->batch_rows < BATCH_ROWS) {
        query->batch_rows *= 2;
    }
    return STOA_OK;
}

stoa_status stoa_sql_engine_query_next(struct engine_query *query, struct ArrowArray *out,
                                       stoa_error *err) {
    int64_t rows = 0;
    *out = (struct ArrowArray){0};
    STOA_TRY(stoa_cancel_check(query->source.view->context.cancel, err));
    while (!query->ended && query->has_rows && rows < query->batch_rows &&
           (rows == 0 || gathered_bytes(query) < BATCH_BYTES)) {
        duckdb_data_chunk chunk = NULL;
        STOA_TRY(fetch(query, &chunk, err));
        if (chunk == NULL) {
            break;
        }
        int64_t count = (int64_t)query->api->data_chunk_get_size(chunk);
        stoa_status status = append_chunk(query, chunk, count, err);
        query->api->destroy_data_chunk(&chunk);
        STOA_TRY(status);
        rows += count;
    }
    return rows > 0 ? finish_batch(query, rows, out, err) : STOA_OK;
}
