/* INSERT and CREATE TABLE AS: a query of the engine's on one side, a sink on the other.
 *
 * The user's query is wrapped so that its columns come in the table's order and types:
 *
 *     SELECT CAST("c1" AS BIGINT) AS "id", CAST(NULL AS VARCHAR) AS "note"
 *     FROM (<the query>) AS "__stoa" ("c1")
 *
 * DuckDB's message for a value that does not fit names no column. So after such a failure each
 * column is tried by itself, for the first value that does not cast. */
#include <stdio.h>
#include <string.h>

#include "schema/schema.h"
#include "sql/session.h"
#include "sql/write.h"

/* Where the values of a table's column come from. */
enum { SOURCE_NONE = -1 };

struct insert {
    struct run *run;
    const stoa_schema *schema;
    struct sql_text source_text; /* the user's query, alone */
    int32_t source_count;        /* its columns */
    int32_t *sources;            /* by column of the table: which of them, or SOURCE_NONE */
};

/* "WITH x AS (…) SELECT * FROM (query)", or the query as it stands. DEFAULT as a value is NULL. */
static stoa_status add_user_query(struct insert *insert, struct sql_text *text, stoa_error *err) {
    const struct statement *parsed = &insert->run->statement->parsed;
    const struct tokens *tokens = &insert->run->statement->tokens;
    bool with = parsed->with.end > parsed->with.begin;
    if (with) {
        STOA_TRY(stoa_sql_run_piece(insert->run, text, parsed->with, err));
        STOA_TRY(stoa_sql_text_add(text, " SELECT * FROM (", err));
    }
    if (parsed->default_values) {
        STOA_TRY(stoa_sql_text_add(text, "SELECT NULL", err));
    }
    size_t at = parsed->body.begin;
    bool values = false;
    for (int32_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->items[i];
        if (token->begin < parsed->body.begin || token->end > parsed->body.end) {
            continue;
        }
        values = values ||
                 (token->begin == parsed->body.begin && stoa_sql_token_is(tokens, i, "VALUES"));
        if (values && stoa_sql_token_is(tokens, i, "DEFAULT")) {
            STOA_TRY(
                stoa_sql_run_piece(insert->run, text, (struct text_range){at, token->begin}, err));
            STOA_TRY(stoa_sql_text_add(text, "NULL", err));
            at = token->end;
        }
    }
    STOA_TRY(stoa_sql_run_piece(insert->run, text, (struct text_range){at, parsed->body.end}, err));
    return with ? stoa_sql_text_add(text, ")", err) : STOA_OK;
}

static stoa_status column_of_name(const struct insert *insert, const char *name, int32_t *out,
                                  stoa_error *err) {
    *out = stoa_schema_column_index(insert->schema, name);
    if (*out < 0) {
        return stoa_fail(err, STOA_INVALID, "table '%s' has no column '%s'",
                         insert->run->statement->parsed.table, name);
    }
    if (insert->sources[*out] != SOURCE_NONE) {
        return stoa_fail(err, STOA_INVALID, "column '%s' is named twice", name);
    }
    return STOA_OK;
}

static stoa_status map_columns(struct insert *insert, const struct engine_query *query,
                               stoa_error *err) {
    const struct statement *parsed = &insert->run->statement->parsed;
    int32_t table_count = insert->schema->root.child_count;
    int32_t expected = parsed->columns != NULL ? parsed->column_count : table_count;
    if (parsed->default_values) {
        return STOA_OK;
    }
    if (!parsed->by_name && insert->source_count != expected) {
        return stoa_fail(err, STOA_INVALID, "table '%s': expected %d values in a row but found %d",
                         parsed->table, (int)expected, (int)insert->source_count);
    }
    for (int32_t i = 0; i < insert->source_count; i++) {
        int32_t column = i;
        if (parsed->by_name) {
            STOA_TRY(
                column_of_name(insert, stoa_sql_engine_query_column_name(query, i), &column, err));
        } else if (parsed->columns != NULL) {
            STOA_TRY(column_of_name(insert, parsed->columns[i], &column, err));
        }
        insert->sources[column] = i;
    }
    return STOA_OK;
}

static stoa_status check_required(const struct insert *insert, stoa_error *err) {
    for (int32_t i = 0; i < insert->schema->root.child_count; i++) {
        const stoa_field *field = &insert->schema->root.children[i];
        if (field->required && insert->sources[i] == SOURCE_NONE) {
            stoa_error_set_column(err, i, field->name);
            return stoa_fail(err, STOA_INVALID,
                             "column '%s' is not null, and the statement gives it no value",
                             field->name);
        }
    }
    return STOA_OK;
}

/* Asks the engine for the query's columns. While the type of a parameter is open it cannot tell, so
 * the values stand in the text. */
static stoa_status describe(struct insert *insert, stoa_error *err) {
    struct run *run = insert->run;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_sql_text_init(&insert->source_text, run->context.pool, run->statement->sql,
                       run->statement->size);
    run->inline_values = true;
    stoa_status status = add_user_query(insert, &insert->source_text, err);
    run->inline_values = false;
    STOA_TRY(status);
    STOA_TRY(stoa_sql_text_view(&insert->source_text, &sql, err));
    stoa_sql_view_begin(run->view, VIEW_READ);
    struct query_source source = stoa_sql_run_source(run, sql, &insert->source_text);
    STOA_TRY(stoa_sql_engine_query_prepare(&source, &query, err));
    insert->source_count = (int32_t)stoa_sql_engine_query_column_count(query);
    status = map_columns(insert, query, err);
    stoa_sql_engine_query_close(query);
    return status == STOA_OK ? check_required(insert, err) : status;
}

stoa_status stoa_sql_add_cast(struct sql_text *text, const char *function, const stoa_type *type,
                              const char *value, stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, function, err));
    STOA_TRY(stoa_sql_text_add(text, "(", err));
    STOA_TRY(stoa_sql_text_add(text, value, err));
    STOA_TRY(stoa_sql_text_add(text, " AS ", err));
    STOA_TRY(stoa_type_to_duckdb(type, &text->text, err));
    return stoa_sql_text_add(text, ")", err);
}

/* FROM (query) AS "__stoa" ("c0", "c1", …) */
static stoa_status add_from(struct insert *insert, struct sql_text *text, stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, " FROM (", err));
    STOA_TRY(add_user_query(insert, text, err));
    STOA_TRY(stoa_sql_text_add(text, ") AS \"__stoa\" (", err));
    for (int32_t i = 0; i < insert->source_count; i++) {
        STOA_TRY(stoa_sql_text_format(text, err, "%s\"c%d\"", i > 0 ? ", " : "", (int)i));
    }
    return stoa_sql_text_add(text, ")", err);
}

static stoa_status add_select(struct insert *insert, struct sql_text *text, stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, "SELECT ", err));
    for (int32_t i = 0; i < insert->schema->root.child_count; i++) {
        char value[24] = "NULL";
        const stoa_field *field = &insert->schema->root.children[i];
        if (insert->sources[i] != SOURCE_NONE) {
            snprintf(value, sizeof value, "\"c%d\"", (int)insert->sources[i]);
        }
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(stoa_sql_add_cast(text, "CAST", &field->type, value, err));
        STOA_TRY(stoa_sql_text_add(text, " AS ", err));
        STOA_TRY(stoa_sql_text_identifier(text, field->name, err));
    }
    return add_from(insert, text, err);
}

/* ---- which column did not fit --------------------------------------------------------------- */

/* The first value of column `i` that does not cast, as text in `out`; "" when all do. */
static stoa_status find_misfit(struct insert *insert, int32_t i, char *out, size_t capacity,
                               stoa_error *err) {
    struct run *run = insert->run;
    const stoa_type *type = &insert->schema->root.children[i].type;
    struct sql_text text;
    const char *sql;
    char value[24];
    struct engine_query *query = NULL;
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    out[0] = '\0';
    snprintf(value, sizeof value, "\"c%d\"", (int)insert->sources[i]);
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    STOA_CHECK(stoa_sql_text_format(&text, err, "SELECT CAST(%s AS VARCHAR)", value));
    STOA_CHECK(add_from(insert, &text, err));
    STOA_CHECK(stoa_sql_text_format(&text, err, " WHERE %s IS NOT NULL AND ", value));
    STOA_CHECK(stoa_sql_add_cast(&text, "TRY_CAST", type, value, err));
    STOA_CHECK(stoa_sql_text_add(&text, " IS NULL LIMIT 1", err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    stoa_sql_view_begin(run->view, VIEW_READ);
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    STOA_CHECK(stoa_sql_engine_query_start(query, NULL, err));
    STOA_CHECK(stoa_sql_engine_query_next(query, &batch, err));
    if (batch.release != NULL && batch.length > 0) {
        const int32_t *offsets = batch.children[0]->buffers[1];
        const char *bytes = batch.children[0]->buffers[2];
        snprintf(out, capacity, "%.*s", (int)(offsets[1] - offsets[0]), bytes);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    return status;
}

/* Puts the column, and the value that did not fit, into an error that names neither. */
static void explain_failure(struct insert *insert, stoa_error *err) {
    for (int32_t i = 0; i < insert->schema->root.child_count; i++) {
        char value[160];
        const stoa_field *field = &insert->schema->root.children[i];
        if (insert->sources[i] == SOURCE_NONE ||
            find_misfit(insert, i, value, sizeof value, NULL) != STOA_OK || value[0] == '\0') {
            continue;
        }
        char type[128];
        stoa_type_print(&field->type, type, sizeof type);
        stoa_fail(err, STOA_INVALID, "column '%s': expected %s but found '%s'", field->name, type,
                  value);
        stoa_error_set_column(err, i, field->name);
        return;
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

stoa_status stoa_sql_find_target(struct run *run, uint32_t capability, const char *what,
                                 const stoa_schema **out, stoa_error *err) {
    const char *table = run->statement->parsed.table;
    uint32_t capabilities = 0;
    STOA_TRY(stoa_table_find(run->session->database, run->view->transaction, table, out,
                             &capabilities, NULL, err));
    if ((capabilities & capability) == 0) {
        stoa_schema_close(*out);
        *out = NULL;
        return stoa_fail(err, STOA_UNSUPPORTED, "table '%s' is of a kind that cannot %s", table,
                         what);
    }
    return STOA_OK;
}

static stoa_status insert_rows(struct insert *insert, stoa_sink *sink, stoa_error *err) {
    struct run *run = insert->run;
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_status status = STOA_OK;
    bool running = false;
    stoa_error error = STOA_ERROR_NONE;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    STOA_CHECK(add_select(insert, &text, &error));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, &error));
    stoa_sql_view_begin(run->view, VIEW_READ);
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    running = true;
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, &error));
    stoa_sql_run_report(run);
    STOA_CHECK(stoa_sql_engine_query_start(query, stoa_sink_schema(sink), &error));
    STOA_CHECK(stoa_sql_run_pump(run, query, sink, &run->info.rows_changed, &error));

done:
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    if (status == STOA_INVALID && running && error.column[0] == '\0') {
        explain_failure(insert, &error);
    }
    if (status != STOA_OK && err != NULL) {
        *err = error;
    }
    return status;
}

static stoa_status insert_into_table(struct insert *insert, stoa_error *err) {
    struct run *run = insert->run;
    stoa_sink *sink = NULL;
    stoa_status status = STOA_OK;
    size_t count = (size_t)insert->schema->root.child_count;
    STOA_TRY(stoa_pool_allocate_array(run->context.pool, count, sizeof *insert->sources,
                                      (void **)&insert->sources, err));
    for (size_t i = 0; i < count; i++) {
        insert->sources[i] = SOURCE_NONE;
    }
    STOA_CHECK(describe(insert, err));
    stoa_sink_options options = {.mode = STOA_APPEND,
                                 .transaction = run->view->transaction,
                                 .context = run->context};
    STOA_CHECK(
        stoa_sink_open(run->session->database, run->statement->parsed.table, &options, &sink, err));
    STOA_CHECK(insert_rows(insert, sink, err));
    STOA_CHECK(stoa_sink_commit(sink, NULL, err));
    STOA_CHECK(stoa_sql_view_commit(run->view, err));

done:
    stoa_sink_close(sink);
    stoa_sql_text_release(&insert->source_text);
    stoa_pool_free(run->context.pool, insert->sources, count * sizeof *insert->sources);
    return status;
}

stoa_status stoa_sql_run_insert(struct run *run, stoa_error *err) {
    bool temporary = false;
    STOA_TRY(stoa_sql_run_is_temporary(run, run->statement->parsed.table, &temporary, err));
    if (temporary) {
        struct ArrowArrayStream none = {0};
        return stoa_sql_run_query(run, &none, err);
    }
    struct insert insert = {.run = run};
    STOA_TRY(stoa_sql_find_target(run, STOA_CAN_APPEND, "take rows", &insert.schema, err));
    stoa_status status = insert_into_table(&insert, err);
    stoa_schema_close(insert.schema);
    return status;
}
