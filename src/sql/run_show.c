/* SHOW TABLES and SHOW ALL TABLES: our catalog, and what is temporary in the session, as a query
 * over their names. DESCRIBE and SHOW of one table are DuckDB's, which asks for it by name. */
#include <string.h>

#include "schema/schema.h"
#include "sql/write.h"

struct listing {
    struct run *run;
    struct sql_text *text;
    bool all; /* with columns and types */
    int32_t count;
};

/* ['a', 'b'], ['BIGINT', 'VARCHAR'] */
static stoa_status add_columns(struct listing *listing, const char *table, stoa_error *err) {
    const stoa_schema *schema = NULL;
    stoa_buffer type;
    const char *type_text;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&type, listing->run->context.pool);
    STOA_CHECK(stoa_table_find(listing->run->session->database, listing->run->view->transaction,
                               table, &schema, NULL, NULL, err));
    STOA_CHECK(stoa_sql_text_add(listing->text, ", [", err));
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        STOA_CHECK(stoa_sql_text_add(listing->text, i > 0 ? ", " : "", err));
        STOA_CHECK(stoa_sql_text_literal(listing->text, schema->root.children[i].name, err));
    }
    STOA_CHECK(stoa_sql_text_add(listing->text, "], [", err));
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        stoa_buffer_clear(&type);
        STOA_CHECK(stoa_type_to_duckdb(&schema->root.children[i].type, &type, err));
        STOA_CHECK(stoa_buffer_text(&type, &type_text, err));
        STOA_CHECK(stoa_sql_text_add(listing->text, i > 0 ? ", " : "", err));
        STOA_CHECK(stoa_sql_text_literal(listing->text, type_text, err));
    }
    STOA_CHECK(stoa_sql_text_add(listing->text, "], false", err));

done:
    stoa_buffer_release(&type);
    stoa_schema_close(schema);
    return status;
}

static stoa_status add_table(void *user, const stoa_table_info *info, stoa_error *err) {
    struct listing *listing = user;
    STOA_TRY(stoa_sql_text_add(listing->text, listing->count++ > 0 ? "), (" : "(", err));
    if (listing->all) {
        STOA_TRY(stoa_sql_text_add(listing->text, "'stoa', 'main', ", err));
    }
    STOA_TRY(stoa_sql_text_literal(listing->text, info->name, err));
    return listing->all ? add_columns(listing, info->name, err) : STOA_OK;
}

static const char none_tables[] = "SELECT NULL::VARCHAR AS name WHERE false";
static const char none_all[] =
    "SELECT NULL::VARCHAR AS database, NULL::VARCHAR AS schema, NULL::VARCHAR AS name, "
    "NULL::VARCHAR[] AS column_names, NULL::VARCHAR[] AS column_types, NULL::BOOLEAN AS temporary "
    "WHERE false";

static stoa_status write_query(struct listing *listing, stoa_error *err) {
    struct sql_text *text = listing->text;
    STOA_TRY(stoa_sql_text_add(text, listing->all ? none_all : none_tables, err));
    size_t before = text->text.size;
    STOA_TRY(stoa_sql_text_add(text, " UNION ALL VALUES ", err));
    STOA_TRY(stoa_tables_each_in(listing->run->session->database, listing->run->view->transaction,
                                 add_table, listing, err));
    if (listing->count > 0) {
        STOA_TRY(stoa_sql_text_add(text, ")", err));
    } else {
        text->text.size = before;
    }
    if (!listing->all) {
        STOA_TRY(stoa_sql_text_add(text,
                                   " UNION ALL SELECT table_name FROM duckdb_tables() WHERE "
                                   "temporary UNION ALL SELECT view_name FROM duckdb_views() WHERE "
                                   "temporary AND NOT internal",
                                   err));
    }
    return stoa_sql_text_add(text, " ORDER BY name", err);
}

stoa_status stoa_sql_run_show(struct run *run, struct ArrowArrayStream *out, stoa_error *err) {
    struct sql_text text;
    struct listing listing = {.run = run,
                              .text = &text,
                              .all = run->statement->parsed.kind == STATEMENT_SHOW_ALL_TABLES};
    stoa_sql_text_init(&text, run->context.pool, NULL, 0);
    stoa_status status = write_query(&listing, err);
    if (status != STOA_OK) {
        stoa_sql_text_release(&text);
        return status;
    }
    return stoa_sql_run_text(run, &text, out, err);
}

stoa_status stoa_sql_run_is_temporary(struct run *run, const char *table, bool *out,
                                      stoa_error *err) {
    struct sql_text text;
    const char *sql;
    struct engine_query *query = NULL;
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    *out = false;
    if (!run->session->has_temporary) {
        return STOA_OK;
    }
    stoa_sql_text_init(&text, run->context.pool, NULL, 0);
    STOA_CHECK(stoa_sql_text_add(
        &text, "SELECT 1 FROM duckdb_tables() WHERE temporary AND lower(table_name) = lower(",
        err));
    STOA_CHECK(stoa_sql_text_literal(&text, table, err));
    STOA_CHECK(stoa_sql_text_add(&text, ")", err));
    STOA_CHECK(stoa_sql_text_view(&text, &sql, err));
    struct query_source source = stoa_sql_run_source(run, sql, &text);
    STOA_CHECK(stoa_sql_engine_query_prepare(&source, &query, err));
    STOA_CHECK(stoa_sql_engine_query_start(query, NULL, err));
    STOA_CHECK(stoa_sql_engine_query_next(query, &batch, err));
    *out = batch.release != NULL && batch.length > 0;

done:
    stoa_arrow_array_release(&batch);
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(&text);
    return status;
}
