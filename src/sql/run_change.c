/* DELETE, UPDATE and TRUNCATE: only the parts of a table that hold such rows are written anew.
 *
 *     1. a plan over the parts that the condition does not rule out
 *     2. which of them have rows:   SELECT part, count(*) FROM parts WHERE condition GROUP BY part
 *     3. a rewrite of those:        DELETE keeps the rows for which the condition is not true,
 *                                   UPDATE gives those for which it is true their new values
 *
 * Rows of tables with keys are changed by these: run_change_keys.c.
 *
 * Everybody else's parts stay as they are, so an append in between is no conflict. The condition is
 * evaluated once for a row in the rewrite, also when it is used for several columns. */
#include <stdio.h>
#include <string.h>

#include "schema/schema.h"
#include "sql/change.h"
#include "sql/partitions.h"
#include "sql/stored.h"

bool stoa_sql_change_has_where(const struct change *change) {
    const struct text_range *where = &change->run->statement->parsed.where;
    return where->end > where->begin;
}

stoa_status stoa_sql_change_add_alias(const struct change *change, struct sql_text *text,
                                      stoa_error *err) {
    const struct statement *parsed = &change->run->statement->parsed;
    STOA_TRY(stoa_sql_text_add(text, " AS ", err));
    return stoa_sql_text_identifier(text, parsed->alias != NULL ? parsed->alias : parsed->table,
                                    err);
}

stoa_status stoa_sql_change_add_condition(const struct change *change, struct sql_text *text,
                                          stoa_error *err) {
    if (!stoa_sql_change_has_where(change)) {
        return stoa_sql_text_add(text, "(true)", err);
    }
    STOA_TRY(stoa_sql_text_add(text, "(", err));
    STOA_TRY(stoa_sql_run_piece(change->run, text, change->run->statement->parsed.where, err));
    return stoa_sql_text_add(text, "\n)",
                             err); /* the piece may end in a comment to the line's end */
}

/* ---- 1: the plan ---------------------------------------------------------------------------- */

/* SELECT 1 FROM table AS alias WHERE condition, which the table is the first reference of. */
static stoa_status find_predicate(struct change *change, const stoa_predicate **out,
                                  stoa_error *err) {
    struct run *run = change->run;
    struct sql_text text;
    const char *sql;
    stoa_status status = STOA_OK;
    *out = NULL;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    run->inline_values = true;
    STOA_CHECK(stoa_sql_text_add(&text, "SELECT 1 FROM ", err));
    STOA_CHECK(stoa_sql_text_identifier(&text, run->statement->parsed.table, err));
    STOA_CHECK(stoa_sql_change_add_alias(change, &text, err));
    STOA_CHECK(stoa_sql_text_add(&text, " WHERE ", err));
    STOA_CHECK(stoa_sql_change_add_condition(change, &text, err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    STOA_CHECK(stoa_sql_run_prune(run, sql, err));
    if (run->view->pruning_count > 0 &&
        strcmp(run->view->prunings[0].name, run->statement->parsed.table) == 0) {
        *out = run->view->prunings[0].predicate;
    }

done:
    run->inline_values = false;
    run->view->pruning_count = 0; /* the references of the next queries are others */
    stoa_sql_text_release(&text);
    return status;
}

static stoa_status make_plan(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    stoa_scan_request request = {.limit = -1};
    if (stoa_sql_change_has_where(change)) {
        STOA_TRY(find_predicate(change, &request.predicate, err));
    }
    STOA_TRY(stoa_table_plan(run->session->database, run->view->transaction,
                             run->statement->parsed.table, &request, &run->context, &change->plan,
                             err));
    size_t count = (size_t)stoa_plan_split_count(change->plan);
    return stoa_pool_allocate_array(run->context.pool, count, sizeof *change->splits,
                                    (void **)&change->splits, err);
}

static bool is_parquet(const struct change *change) {
    return change->plan != NULL && stoa_plan_split_count(change->plan) > 0 &&
           stoa_plan_split(change->plan, 0)->is_parquet;
}

/* ---- sources -------------------------------------------------------------------------------- */

static stoa_status add_files(const struct change *change, const int32_t *splits, int32_t count,
                             struct sql_text *text, stoa_error *err) {
    if (stoa_sql_plan_lacks_columns(change->plan)) {
        return stoa_sql_add_partitioned(change->plan, splits, count, ", filename = '__stoa_part'",
                                        &change->run->context, text, err);
    }
    STOA_TRY(stoa_sql_text_add(text, "read_parquet([", err));
    for (int32_t i = 0; i < count; i++) {
        const char *path = NULL;
        STOA_TRY(stoa_plan_parquet_path(change->plan, splits != NULL ? splits[i] : i,
                                        &change->run->context, &path, err));
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(stoa_sql_text_literal(text, path, err));
    }
    return stoa_sql_text_add(text, "], filename = '__stoa_part', hive_partitioning = false)", err);
}

/* The table's rows in `splits` (NULL: all), with the part that each comes from as "__stoa_part". */
static stoa_status add_source(const struct change *change, const int32_t *splits, int32_t count,
                              struct sql_text *text, stoa_error *err) {
    if (count == 0) {
        return stoa_sql_text_identifier(text, change->run->statement->parsed.table, err);
    }
    int32_t index = 0;
    STOA_TRY(stoa_sql_view_reference_plan(change->run->view, change->plan,
                                          change->run->statement->parsed.table, splits, count,
                                          &index, err));
    if (is_parquet(change)) {
        return add_files(change, splits, count, text, err);
    }
    return stoa_sql_text_format(text, err, "stoa_scan(%d)", (int)index);
}

/* ---- 2: which parts ------------------------------------------------------------------------- */

static stoa_status note_part(struct change *change, const char *part, size_t size, int64_t rows,
                             stoa_error *err) {
    int32_t count = stoa_plan_split_count(change->plan);
    for (int32_t i = 0; i < count; i++) {
        const stoa_split *split = stoa_plan_split(change->plan, i);
        char number[16];
        int number_size = snprintf(number, sizeof number, "%d", (int)i);
        const char *name = number;
        if (split->is_parquet) {
            STOA_TRY(stoa_plan_parquet_path(change->plan, i, &change->run->context, &name, err));
        }
        size_t name_size = split->is_parquet ? strlen(name) : (size_t)number_size;
        if (name_size == size && memcmp(name, part, size) == 0) {
            change->splits[change->split_count++] = i;
            change->changed += rows;
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INTERNAL,
                     "the engine read a part '%.*s' that the plan does not have", (int)size, part);
}

static stoa_status note_parts(struct change *change, const struct ArrowArray *batch,
                              stoa_error *err) {
    const int32_t *offsets = batch->children[0]->buffers[1];
    const char *text = batch->children[0]->buffers[2];
    const int64_t *counts = batch->children[1]->buffers[1];
    for (int64_t i = 0; i < batch->length; i++) {
        STOA_TRY(note_part(change, text + offsets[i], (size_t)(offsets[i + 1] - offsets[i]),
                           counts[i], err));
    }
    return STOA_OK;
}

static stoa_status find_parts(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    stoa_sql_view_begin(run->view, VIEW_READ);
    STOA_CHECK(
        stoa_sql_text_add(&text, "SELECT CAST(\"__stoa_part\" AS VARCHAR), count(*) FROM ", err));
    STOA_CHECK(add_source(change, NULL, stoa_plan_split_count(change->plan), &text, err));
    STOA_CHECK(stoa_sql_change_add_alias(change, &text, err));
    STOA_CHECK(stoa_sql_text_add(&text, " WHERE ", err));
    STOA_CHECK(stoa_sql_change_add_condition(change, &text, err));
    STOA_CHECK(stoa_sql_text_add(&text, " GROUP BY 1", err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    stoa_sql_run_report(run);
    STOA_CHECK(stoa_sql_engine_query_start(query, NULL, err));
    for (;;) {
        STOA_CHECK(stoa_sql_engine_query_next(query, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(note_parts(change, &batch, err));
        stoa_arrow_array_release(&batch);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    return status;
}

/* ---- 3: the rewrite ------------------------------------------------------------------------- */

const struct assignment *stoa_sql_change_assignment(const struct change *change, int32_t column) {
    const struct statement *parsed = &change->run->statement->parsed;
    for (int32_t i = 0; i < parsed->assignment_count; i++) {
        if (stoa_schema_column_index(change->schema, parsed->assignments[i].column) == column) {
            return &parsed->assignments[i];
        }
    }
    return NULL;
}

stoa_status stoa_sql_change_add_value(const struct change *change,
                                      const struct assignment *assignment, const char *function,
                                      const stoa_type *type, struct sql_text *text,
                                      stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, function, err));
    STOA_TRY(stoa_sql_text_add(text, "((", err));
    if (assignment->is_default) {
        STOA_TRY(stoa_sql_text_add(text, "NULL", err));
    } else {
        STOA_TRY(stoa_sql_run_piece(change->run, text, assignment->expression, err));
    }
    STOA_TRY(stoa_sql_text_add(text, "\n) AS ", err));
    STOA_TRY(stoa_type_to_duckdb(type, &text->text, err));
    return stoa_sql_text_add(text, ")", err);
}

static stoa_status add_column(const struct change *change, int32_t column, struct sql_text *text,
                              stoa_error *err) {
    const stoa_field *field = &change->schema->root.children[column];
    const struct assignment *assignment = stoa_sql_change_assignment(change, column);
    if (assignment != NULL) {
        STOA_TRY(stoa_sql_text_add(text, "CASE WHEN \"__stoa_hit\" THEN ", err));
        STOA_TRY(stoa_sql_change_add_value(change, assignment, "CAST", &field->type, text, err));
        STOA_TRY(stoa_sql_text_add(text, " ELSE ", err));
    }
    STOA_TRY(stoa_sql_add_stored(text, field, is_parquet(change), err));
    STOA_TRY(stoa_sql_text_add(text, assignment != NULL ? " END AS " : " AS ", err));
    return stoa_sql_text_identifier(text, field->name, err);
}

/* FROM (SELECT *, (condition) AS "__stoa_hit" FROM parts AS alias) AS alias */
static stoa_status add_marked_source(const struct change *change, struct sql_text *text,
                                     stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, " FROM (SELECT *, ", err));
    STOA_TRY(stoa_sql_change_add_condition(change, text, err));
    STOA_TRY(stoa_sql_text_add(text, " AS \"__stoa_hit\" FROM ", err));
    STOA_TRY(add_source(change, change->splits, change->split_count, text, err));
    STOA_TRY(stoa_sql_change_add_alias(change, text, err));
    STOA_TRY(stoa_sql_text_add(text, ")", err));
    return stoa_sql_change_add_alias(change, text, err);
}

static stoa_status add_rewrite(const struct change *change, struct sql_text *text,
                               stoa_error *err) {
    STOA_TRY(stoa_sql_text_add(text, "SELECT ", err));
    for (int32_t i = 0; i < change->schema->root.child_count; i++) {
        STOA_TRY(stoa_sql_text_add(text, i > 0 ? ", " : "", err));
        STOA_TRY(add_column(change, i, text, err));
    }
    STOA_TRY(add_marked_source(change, text, err));
    return change->is_update ? STOA_OK
                             : stoa_sql_text_add(text, " WHERE \"__stoa_hit\" IS NOT TRUE", err);
}

/* Says which assignment does not fit its column, when the engine's message does not. */
void stoa_sql_change_explain(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    for (int32_t i = 0; change->is_update && i < run->statement->parsed.assignment_count; i++) {
        const struct assignment *assignment = &run->statement->parsed.assignments[i];
        const stoa_field *field = stoa_schema_column(change->schema, assignment->column);
        struct sql_text text;
        const char *sql;
        struct engine_query *query = NULL;
        struct ArrowArray batch = {0};
        stoa_status status = STOA_OK;
        stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
        stoa_sql_view_begin(run->view, VIEW_READ);
        STOA_CHECK(stoa_sql_text_add(&text, "SELECT 1", NULL));
        STOA_CHECK(add_marked_source(change, &text, NULL));
        STOA_CHECK(stoa_sql_text_add(&text, " WHERE \"__stoa_hit\" AND (", NULL));
        STOA_CHECK(stoa_sql_run_piece(run, &text, assignment->expression, NULL));
        STOA_CHECK(stoa_sql_text_add(&text, "\n) IS NOT NULL AND ", NULL));
        STOA_CHECK(
            stoa_sql_change_add_value(change, assignment, "TRY_CAST", &field->type, &text, NULL));
        STOA_CHECK(stoa_sql_text_add(&text, " IS NULL LIMIT 1", NULL));
        STOA_CHECK(stoa_sql_text_view(&text, &sql, NULL));
        struct query_source source = stoa_sql_run_source(run, sql, &text);
        STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, NULL));
        STOA_CHECK(stoa_sql_engine_query_start(query, NULL, NULL));
        STOA_CHECK(stoa_sql_engine_query_next(query, &batch, NULL));

    done:
        if (status == STOA_OK && batch.length > 0) {
            stoa_wrap(err, "column '%s'", field->name);
            stoa_error_set_column(err, stoa_schema_column_index(change->schema, field->name),
                                  field->name);
            i = run->statement->parsed.assignment_count;
        }
        stoa_arrow_array_release(&batch);
        stoa_sql_engine_query_close(query);
        stoa_sql_text_release(&text);
    }
}

static stoa_status pump_rewrite(struct change *change, stoa_sink *sink, int64_t *out_rows,
                                stoa_error *err) {
    struct run *run = change->run;
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_status status = STOA_OK;
    bool running = false;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    stoa_sql_view_begin(run->view, VIEW_READ);
    STOA_CHECK(add_rewrite(change, &text, err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    running = true;
    STOA_CHECK(stoa_sql_engine_query_start(query, stoa_sink_schema(sink), err));
    STOA_CHECK(stoa_sql_run_pump(run, query, sink, out_rows, err));

done:
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    if (status == STOA_INVALID && running && (err == NULL || err->column[0] == '\0')) {
        stoa_sql_change_explain(change, err);
    }
    return status;
}

/* Nothing is to be changed, but what is wrong with the statement is said all the same. */
static stoa_status check_rewrite(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    stoa_status status = STOA_OK;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    stoa_sql_view_begin(run->view, VIEW_READ);
    STOA_CHECK(add_rewrite(change, &text, err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));

done:
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    return status;
}

/* Rows of the parts that are rewritten; -1 when some part does not know. */
static int64_t rows_before(const struct change *change) {
    int64_t rows = 0;
    for (int32_t i = 0; i < change->split_count; i++) {
        int64_t part = stoa_plan_split(change->plan, change->splits[i])->row_count;
        if (part < 0) {
            return -1;
        }
        rows += part;
    }
    return rows;
}

static stoa_status rewrite(struct change *change, stoa_error *err) {
    struct run *run = change->run;
    stoa_sink *sink = NULL;
    int64_t written = 0;
    int64_t before = rows_before(change);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sink_open_rewrite(change->plan, run->view->transaction, change->splits,
                                      change->split_count, change->is_update ? "update" : "delete",
                                      &run->context, &sink, err));
    if (change->is_update || before != change->changed) { /* else every row of theirs goes */
        STOA_CHECK(pump_rewrite(change, sink, &written, err));
    }
    STOA_CHECK(stoa_sink_commit(sink, NULL, err));
    STOA_CHECK(stoa_sql_view_commit(run->view, err));
    run->info.rows_changed = change->is_update || before < 0 ? change->changed : before - written;

done:
    stoa_sink_close(sink);
    return status;
}

static stoa_status check_assignments(const struct change *change, stoa_error *err) {
    const struct statement *parsed = &change->run->statement->parsed;
    for (int32_t i = 0; i < parsed->assignment_count; i++) {
        const char *name = parsed->assignments[i].column;
        int32_t column = stoa_schema_column_index(change->schema, name);
        if (column < 0) {
            return stoa_fail(err, STOA_INVALID, "table '%s' has no column '%s'", parsed->table,
                             name);
        }
        if (stoa_sql_change_assignment(change, column) != &parsed->assignments[i]) {
            return stoa_fail(err, STOA_INVALID, "column '%s' is assigned twice", name);
        }
    }
    return STOA_OK;
}

static stoa_status run_change(struct change *change, stoa_error *err) {
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_sql_check_carried(change->schema, err));
    STOA_CHECK(check_assignments(change, err));
    if (change->by_key) {
        return stoa_sql_change_by_key(change, err);
    }
    STOA_CHECK(make_plan(change, err));
    change->run->info.rows_changed = 0;
    if (stoa_plan_split_count(change->plan) > 0) {
        STOA_CHECK(find_parts(change, err));
    }
    if (change->split_count > 0) {
        STOA_CHECK(rewrite(change, err));
    } else {
        STOA_CHECK(check_rewrite(change, err));
    }

done:
    stoa_sql_view_begin(change->run->view, VIEW_READ); /* its scans borrow the plan */
    if (change->plan != NULL) {
        stoa_pool_free(change->run->context.pool, change->splits,
                       (size_t)stoa_plan_split_count(change->plan) * sizeof *change->splits);
    }
    stoa_plan_close(change->plan);
    return status;
}

static stoa_status find_kind(struct change *change, stoa_error *err) {
    const struct run *run = change->run;
    uint32_t capabilities = 0;
    STOA_TRY(stoa_table_find(run->session->database, run->view->transaction,
                             run->statement->parsed.table, NULL, &capabilities, NULL, err));
    change->by_key = (capabilities & STOA_CAN_UPSERT) != 0;
    return STOA_OK;
}

stoa_status stoa_sql_run_change(struct run *run, stoa_error *err) {
    bool temporary = false;
    STOA_TRY(stoa_sql_run_is_temporary(run, run->statement->parsed.table, &temporary, err));
    if (temporary) {
        struct ArrowArrayStream none = {0};
        return stoa_sql_run_query(run, &none, err);
    }
    struct change change = {.run = run,
                            .is_update = run->statement->parsed.kind == STATEMENT_UPDATE};
    STOA_TRY(stoa_sql_find_target(run, change.is_update ? STOA_CAN_UPDATE : STOA_CAN_DELETE,
                                  change.is_update ? "update rows" : "delete rows", &change.schema,
                                  err));
    stoa_status status = find_kind(&change, err);
    if (status == STOA_OK) {
        status = run_change(&change, err);
    }
    stoa_schema_close(change.schema);
    return status;
}

stoa_status stoa_sql_run_truncate(struct run *run, stoa_error *err) {
    return stoa_sql_run_change(run, err); /* a DELETE without a condition */
}
