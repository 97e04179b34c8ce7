/* CREATE TABLE, CREATE TABLE AS, DROP TABLE and ALTER TABLE … RENAME TO: our catalog's work.
 *
 * The types of a column list are read by DuckDB: it makes a temporary table of them in a connection
 * of its own, and is asked what it understood. */
#include <string.h>

#include "schema/schema.h"
#include "sql/write.h"

/* True, and nothing to do, when the table is there and that is fine. */
static bool exists_already(const struct run *run) {
    const struct statement *parsed = &run->statement->parsed;
    return parsed->if_exists && !parsed->or_replace &&
           stoa_table_exists(run->session->database, run->view->transaction, parsed->table);
}

static bool replaces(const struct run *run) {
    const struct statement *parsed = &run->statement->parsed;
    return parsed->or_replace &&
           stoa_table_exists(run->session->database, run->view->transaction, parsed->table);
}

static stoa_status open_sink(struct run *run, const stoa_schema *schema, stoa_sink **out,
                             stoa_error *err) {
    stoa_sink_options options = {.mode = replaces(run) ? STOA_OVERWRITE : STOA_CREATE,
                                 .schema = schema,
                                 .transaction = run->view->transaction,
                                 .context = run->context,
                                 .partition = run->statement->parsed.partition};
    const stoa_state_table_options state = {.key = run->statement->parsed.key};
    if (state.key != NULL) { /* a key makes it one that is written by key */
        options.kind = "state";
        options.state = &state;
    }
    return stoa_sink_open(run->session->database, run->statement->parsed.table, &options, out, err);
}

/* ---- CREATE TABLE AS ------------------------------------------------------------------------ */

/* The query, its columns renamed when names are listed. Its types are the table's, and while that of
 * a parameter is open the engine cannot tell them: the values stand in the text. */
static stoa_status add_query(struct run *run, struct sql_text *text, stoa_error *err) {
    const struct statement *parsed = &run->statement->parsed;
    bool wrap = parsed->column_count > 0 || parsed->no_data;
    for (int64_t i = 0; i < run->statement->parameter_count; i++) {
        if (run->statement->parameters[i].value == NULL) {
            return stoa_fail(err, STOA_INVALID, "parameter $%s has no value",
                             run->statement->parameters[i].name);
        }
    }
    if (!wrap) {
        return stoa_sql_run_piece(run, text, parsed->body, err);
    }
    STOA_TRY(stoa_sql_text_add(text, "SELECT * FROM (", err));
    STOA_TRY(stoa_sql_run_piece(run, text, parsed->body, err));
    STOA_TRY(stoa_sql_text_add(text, ") AS \"__stoa\"", err));
    for (int32_t i = 0; i < parsed->column_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : " (", err));
        STOA_TRY(stoa_sql_text_identifier(text, parsed->columns[i], err));
    }
    STOA_TRY(stoa_sql_text_add(text, parsed->column_count > 0 ? ")" : "", err));
    return stoa_sql_text_add(text, parsed->no_data ? " LIMIT 0" : "", err);
}

static stoa_status query_schema(struct run *run, const struct engine_query *query,
                                const stoa_schema **out, stoa_error *err) {
    stoa_field *fields;
    stoa_arena arena;
    stoa_arena_init(&arena, run->context.pool);
    stoa_status status = stoa_sql_engine_query_fields(query, &arena, &fields, err);
    if (status == STOA_OK) {
        int32_t count = (int32_t)stoa_sql_engine_query_column_count(query);
        status = stoa_schema_create(run->context.pool, fields, count, false, out, err);
    }
    stoa_arena_release(&arena);
    return status;
}

stoa_status stoa_sql_run_create_as(struct run *run, stoa_error *err) {
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    const stoa_schema *schema = NULL;
    stoa_sink *sink = NULL;
    stoa_status status = STOA_OK;
    if (exists_already(run)) {
        run->info.rows_changed = 0;
        return STOA_OK;
    }
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    run->inline_values = true;
    STOA_CHECK(add_query(run, &text, err));
    run->inline_values = false;
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    stoa_sql_view_begin(run->view, VIEW_READ);
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    stoa_sql_run_report(run);
    STOA_CHECK(query_schema(run, query, &schema, err));
    STOA_CHECK(open_sink(run, schema, &sink, err));
    STOA_CHECK(stoa_sql_engine_query_start(query, stoa_sink_schema(sink), err));
    STOA_CHECK(stoa_sql_run_pump(run, query, sink, &run->info.rows_changed, err));
    STOA_CHECK(stoa_sink_commit(sink, NULL, err));
    STOA_CHECK(stoa_sql_view_commit(run->view, err));

done:
    stoa_sink_close(sink);
    stoa_sql_engine_query_close(query);
    stoa_schema_close(schema);
    stoa_sql_text_release(&text);
    return status;
}

/* ---- CREATE TABLE (columns) ----------------------------------------------------------------- */

static const char scratch_name[] = "__stoa_columns";

static stoa_status run_scratch(struct run *run, duckdb_connection connection, const char *sql,
                               const struct sql_text *text, struct engine_query **out,
                               stoa_error *err) {
    struct query_source source = stoa_sql_run_source(run, sql, text);
    source.connection = connection;
    *out = NULL;
    stoa_status status = stoa_sql_engine_query_prepare(&source, out, err);
    return status == STOA_OK ? stoa_sql_engine_query_start(*out, NULL, err) : status;
}

static stoa_status make_scratch(struct run *run, duckdb_connection connection, const char *name,
                                stoa_error *err) {
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_status status = STOA_OK;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    STOA_CHECK(stoa_sql_text_format(&text, err, "CREATE TEMP TABLE \"%s\" (%s", scratch_name, name));
    STOA_CHECK(stoa_sql_run_piece(run, &text, run->statement->parsed.body, err));
    STOA_CHECK(stoa_sql_text_add(&text, ")", err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    STOA_CHECK(run_scratch(run, connection, sql, &text, &query, err));

done:
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    return status;
}

/* NOT NULL, which the types do not show. */
static stoa_status read_required(struct run *run, duckdb_connection connection, stoa_field *fields,
                                 int64_t count, stoa_error *err) {
    static const char sql[] =
        "SELECT NOT is_nullable FROM duckdb_columns() WHERE table_name = '__stoa_columns' "
        "ORDER BY column_index";
    struct engine_query *query = NULL;
    struct ArrowArray batch = {0};
    int64_t row = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(run_scratch(run, connection, sql, NULL, &query, err));
    for (;;) {
        STOA_CHECK(stoa_sql_engine_query_next(query, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        const uint8_t *bits = batch.children[0]->buffers[1];
        for (int64_t i = 0; i < batch.length && row < count; i++, row++) {
            fields[row].required = (bits[i / 8] >> (i % 8) & 1) != 0;
        }
        stoa_arrow_array_release(&batch);
    }

done:
    stoa_sql_engine_query_close(query);
    return status;
}

static stoa_status read_columns(struct run *run, duckdb_connection connection,
                                const stoa_schema **out, stoa_error *err) {
    struct engine_query *query = NULL;
    stoa_field *fields;
    stoa_arena arena;
    stoa_status status = STOA_OK;
    stoa_arena_init(&arena, run->context.pool);
    struct query_source source = stoa_sql_run_source(run, "SELECT * FROM \"__stoa_columns\"", NULL);
    source.connection = connection;
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    STOA_CHECK(stoa_sql_engine_query_fields(query, &arena, &fields, err));
    int64_t count = stoa_sql_engine_query_column_count(query);
    stoa_sql_engine_query_close(query);
    query = NULL;
    STOA_CHECK(read_required(run, connection, fields, count, err));
    STOA_CHECK(stoa_schema_create(run->context.pool, fields, (int32_t)count, false, out, err));

done:
    stoa_sql_engine_query_close(query);
    stoa_arena_release(&arena);
    return status;
}

stoa_status stoa_sql_parse_columns(struct run *run, const char *name, const stoa_schema **out,
                                   stoa_error *err) {
    struct engine *engine = run->session->engine;
    duckdb_connection connection = NULL;
    STOA_TRY(stoa_sql_engine_connect(engine, &connection, err));
    stoa_sql_view_begin(run->view, VIEW_READ);
    stoa_status status = make_scratch(run, connection, name, err);
    if (status == STOA_OK) {
        status = read_columns(run, connection, out, err);
    }
    stoa_sql_engine_disconnect(engine, &connection);
    return status;
}

stoa_status stoa_sql_run_create(struct run *run, stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_sink *sink = NULL;
    stoa_status status = STOA_OK;
    if (exists_already(run)) {
        return STOA_OK;
    }
    STOA_CHECK(stoa_sql_parse_columns(run, "", &schema, err));
    if (replaces(run) || run->statement->parsed.partition != NULL ||
        run->statement->parsed.key != NULL) {
        STOA_CHECK(open_sink(run, schema, &sink, err));
        STOA_CHECK(stoa_sink_commit(sink, NULL, err));
    } else {
        STOA_CHECK(stoa_table_create_in(run->session->database, run->view->transaction,
                                        run->statement->parsed.table, NULL, schema, err));
    }
    STOA_CHECK(stoa_sql_view_commit(run->view, err));

done:
    stoa_sink_close(sink);
    stoa_schema_close(schema);
    return status;
}

/* ---- DROP, RENAME --------------------------------------------------------------------------- */

stoa_status stoa_sql_run_drop(struct run *run, stoa_error *err) {
    const struct statement *parsed = &run->statement->parsed;
    for (int32_t i = 0; i < parsed->table_count; i++) {
        bool temporary = false;
        STOA_TRY(stoa_sql_run_is_temporary(run, parsed->tables[i], &temporary, err));
        if (temporary) {
            struct ArrowArrayStream none = {0};
            return stoa_sql_run_query(run, &none, err); /* a mixed list is refused by DuckDB */
        }
    }
    for (int32_t i = 0; i < parsed->table_count; i++) {
        stoa_error error = STOA_ERROR_NONE;
        stoa_status status = stoa_table_drop_in(run->session->database, run->view->transaction,
                                                parsed->tables[i], &error);
        if (status != STOA_OK && !(status == STOA_NOT_FOUND && parsed->if_exists)) {
            if (err != NULL) {
                *err = error;
            }
            return status;
        }
    }
    return stoa_sql_view_commit(run->view, err);
}

stoa_status stoa_sql_run_rename(struct run *run, stoa_error *err) {
    const struct statement *parsed = &run->statement->parsed;
    bool temporary = false;
    STOA_TRY(stoa_sql_run_is_temporary(run, parsed->table, &temporary, err));
    if (temporary) {
        struct ArrowArrayStream none = {0};
        return stoa_sql_run_query(run, &none, err);
    }
    if (parsed->if_exists &&
        !stoa_table_exists(run->session->database, run->view->transaction, parsed->table)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_table_rename_in(run->session->database, run->view->transaction, parsed->table,
                                  parsed->new_name, err));
    return stoa_sql_view_commit(run->view, err);
}
