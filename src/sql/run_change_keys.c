/* DELETE, UPDATE and TRUNCATE of tables whose rows have a key:
 *
 *     DELETE    SELECT key columns FROM table WHERE condition        into a sink of keys to delete
 *     UPDATE    SELECT new values of all columns FROM … WHERE …      into a sink of rows to put
 *               and first, where the key itself is changed, the old keys into one of keys to delete
 *
 * Both sinks are one commit. A row that is given the key of another takes its place, as an INSERT does. */
#include <string.h>

#include "schema/schema.h"
#include "sql/change.h"
#include "sql/stored.h"

/* What is selected: the columns of a sink's schema, by name. */
struct selection {
    const struct change *change;
    const stoa_schema *schema;
    bool new_values; /* else as they are */
};

static stoa_status add_column(const struct selection *selection, const stoa_field *field,
                              struct sql_text *text, stoa_error *err) {
    const struct change *change = selection->change;
    const int32_t column = stoa_schema_column_index(change->schema, field->name);
    const struct assignment *assignment = selection->new_values
                                              ? stoa_sql_change_assignment(change, column)
                                              : NULL;
    STOA_TRY(assignment != NULL
                 ? stoa_sql_change_add_value(change, assignment, "CAST", &field->type, text, err)
                 : stoa_sql_add_stored(text, field, false, err));
    STOA_TRY(stoa_sql_text_add(text, " AS ", err));
    return stoa_sql_text_identifier(text, field->name, err);
}

static stoa_status add_select(const struct selection *selection, struct sql_text *text,
                              stoa_error *err) {
    const struct change *change = selection->change;
    const stoa_type *root = &selection->schema->root;
    STOA_TRY(stoa_sql_text_add(text, "SELECT ", err));
    for (int32_t i = 0; i < root->child_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(add_column(selection, &root->children[i], text, err));
    }
    STOA_TRY(stoa_sql_text_add(text, " FROM ", err));
    STOA_TRY(stoa_sql_text_identifier(text, change->run->statement->parsed.table, err));
    STOA_TRY(stoa_sql_change_add_alias(change, text, err));
    STOA_TRY(stoa_sql_text_add(text, " WHERE ", err));
    return stoa_sql_change_add_condition(change, text, err);
}

/* Has the scan of the table, which the query names first, leave out rows that the condition does. */
static stoa_status prune(const struct selection *selection, stoa_error *err) {
    struct run *run = selection->change->run;
    struct view *view = run->view;
    struct sql_text text;
    const char *sql;
    stoa_status status = STOA_OK;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    run->inline_values = true;
    STOA_CHECK(add_select(selection, &text, err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    STOA_CHECK(stoa_sql_run_prune(run, sql, err));
    const bool is_first = view->pruning_count > 0 &&
                          strcmp(view->prunings[0].name, run->statement->parsed.table) == 0;
    view->pruning_count = is_first ? 1 : 0;

done:
    run->inline_values = false;
    stoa_sql_text_release(&text);
    return status;
}

static stoa_status pump(struct change *change, const struct selection *selection, stoa_sink *sink,
                        stoa_error *err) {
    struct run *run = change->run;
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_status status = STOA_OK;
    bool running = false;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    if (stoa_sql_change_has_where(change)) {
        STOA_CHECK(prune(selection, err));
    }
    stoa_sql_view_begin(run->view, VIEW_READ);
    STOA_CHECK(add_select(selection, &text, err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    stoa_sql_run_report(run);
    running = selection->new_values;
    STOA_CHECK(stoa_sql_engine_query_start(query, stoa_sink_schema(sink), err));
    STOA_CHECK(stoa_sql_run_pump(run, query, sink, &change->changed, err));

done:
    run->view->pruning_count = 0; /* the references of the next queries are others */
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    if (status == STOA_INVALID && running && (err == NULL || err->column[0] == '\0')) {
        stoa_sql_change_explain(change, err);
    }
    return status;
}

static bool changes_key(const struct change *change, const stoa_schema *keys) {
    for (int32_t i = 0; i < keys->root.child_count; i++) {
        const char *name = keys->root.children[i].name;
        if (stoa_sql_change_assignment(change, stoa_schema_column_index(change->schema, name)) !=
            NULL) {
            return true;
        }
    }
    return false;
}

/* Opens the sink of keys, and fills it where old keys go. */
static stoa_status pump_keys(struct change *change, stoa_sink **out, stoa_error *err) {
    struct run *run = change->run;
    stoa_sink *sink = NULL;
    STOA_TRY(stoa_sink_open_delete(run->session->database, run->view->transaction,
                                   run->statement->parsed.table, &run->context, &sink, err));
    const struct selection keys = {change, stoa_sink_schema(sink), false};
    *out = sink;
    return !change->is_update || changes_key(change, keys.schema) ? pump(change, &keys, sink, err)
                                                                  : STOA_OK;
}

static stoa_status pump_rows(struct change *change, stoa_sink **out, stoa_error *err) {
    struct run *run = change->run;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_APPEND,
                                 .transaction = run->view->transaction,
                                 .context = run->context};
    STOA_TRY(
        stoa_sink_open(run->session->database, run->statement->parsed.table, &options, &sink, err));
    stoa_sink_expect_unchanged(sink);
    const struct selection rows = {change, change->schema, true};
    *out = sink;
    return pump(change, &rows, sink, err);
}

stoa_status stoa_sql_change_by_key(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    stoa_sink *keys = NULL, *rows = NULL;
    stoa_status status = STOA_OK;
    run->info.rows_changed = 0;
    /* Both read the table before either is staged; of one key the row counts, not its deletion. */
    STOA_CHECK(pump_keys(change, &keys, err));
    if (change->is_update) {
        STOA_CHECK(pump_rows(change, &rows, err));
    }
    if (change->changed > 0) {
        STOA_CHECK(stoa_sink_commit(keys, NULL, err));
        if (rows != NULL) {
            STOA_CHECK(stoa_sink_commit(rows, NULL, err));
        }
        STOA_CHECK(stoa_sql_view_commit(run->view, err));
    }
    run->info.rows_changed = change->changed;

done:
    stoa_sink_close(rows);
    stoa_sink_close(keys);
    return status;
}
