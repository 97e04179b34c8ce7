/* Running queries: preparing them over pruned scans, their streams, and pumping them into sinks. */
#include <stdio.h>
#include <string.h>

#include "arrow/stream.h"
#include "schema/schema.h"
#include "sql/predicate_provider.h"
#include "sql/remote.h"
#include "sql/seek.h"
#include "sql/session.h"

struct query_source stoa_sql_run_source(const struct run *run, const char *sql,
                                        const struct sql_text *text) {
    return (struct query_source){.connection = run->session->connection,
                                 .view = run->view,
                                 .sql = sql,
                                 .text = text,
                                 .parameters = run->statement->parameters,
                                 .parameter_count = run->statement->parameter_count};
}

/* The parameter that a token means; a plain `?` counts those before it. */
static const struct parameter *token_parameter(const struct run *run, int32_t index) {
    const struct tokens *tokens = &run->statement->tokens;
    const struct token *token = &tokens->items[index];
    const char *name = tokens->sql + token->begin + 1;
    size_t size = token->end - token->begin - 1;
    char number[16];
    if (size == 0) {
        int plain = 1;
        for (int32_t i = 0; i < index; i++) {
            const struct token *before = &tokens->items[i];
            plain += before->kind == TOKEN_PARAMETER && before->end - before->begin == 1;
        }
        size = (size_t)snprintf(number, sizeof number, "%d", plain);
        name = number;
    }
    for (int64_t i = 0; i < run->statement->parameter_count; i++) {
        const struct parameter *parameter = &run->statement->parameters[i];
        if (strlen(parameter->name) == size && memcmp(parameter->name, name, size) == 0) {
            return parameter;
        }
    }
    return NULL;
}

static stoa_status add_parameter(const struct run *run, struct sql_text *text, int32_t index,
                                 stoa_error *err) {
    const struct parameter *parameter = token_parameter(run, index);
    STOA_ASSERT(parameter != NULL);
    if (!run->inline_values) {
        STOA_TRY(stoa_sql_text_add(text, "$stoa_", err));
        return stoa_sql_text_add(text, parameter->name, err);
    }
    if (parameter->value == NULL) {
        return stoa_sql_text_add(text, "NULL", err); /* said when the query itself is run */
    }
    char *literal = run->session->engine->api->value_to_string(parameter->value);
    stoa_status status = stoa_sql_text_add(text, literal, err);
    run->session->engine->api->free(literal);
    return status;
}
stoa_status stoa_sql_run_piece(const struct run *run, struct sql_text *text,
                               struct text_range range, stoa_error *err) {
    const struct tokens *tokens = &run->statement->tokens;
    size_t at = range.begin;
    for (int32_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->items[i];
        if (token->kind == TOKEN_PARAMETER && token->begin >= range.begin &&
            token->end <= range.end) {
            STOA_TRY(stoa_sql_text_piece(text, at, token->begin, err));
            STOA_TRY(add_parameter(run, text, i, err));
            at = token->end;
        }
    }
    return stoa_sql_text_piece(text, at, range.end, err);
}

void stoa_sql_run_report(struct run *run) {
    stoa_buffer *report = &run->session->report;
    const char *text;
    stoa_buffer_clear(report);
    if (stoa_sql_view_report(run->view, report, NULL) != STOA_OK ||
        stoa_buffer_text(report, &text, NULL) != STOA_OK) {
        stoa_buffer_clear(report); /* a report is no reason to fail */
    }
}

/* ---- skipping ------------------------------------------------------------------------------- */

static bool may_filter(const struct tokens *tokens) {
    for (int32_t i = 0; i < tokens->count; i++) {
        if (stoa_sql_token_is(tokens, i, "WHERE") || stoa_sql_token_is(tokens, i, "ON") ||
            stoa_sql_token_is(tokens, i, "HAVING") || stoa_sql_token_is(tokens, i, "FILTER") ||
            stoa_sql_token_is(tokens, i, "USING")) {
            return true;
        }
    }
    return false;
}

/* Without a limit, because the engine's reader is told by a top-N what it no longer needs to read. */
static bool may_seek(const struct view *view, const struct tokens *tokens) {
    for (int32_t i = 0; i < tokens->count; i++) {
        if (stoa_sql_token_is(tokens, i, "LIMIT") || stoa_sql_token_is(tokens, i, "FETCH")) {
            return false;
        }
    }
    return view->scan_count == 1 && view->scans[0]->parquet &&
           stoa_sql_seek_can(view->scans[0]->plan);
}

static bool has_parts_to_skip(const struct view *view) {
    for (int32_t i = 0; i < view->scan_count; i++) {
        if (view->scans[i]->part_count > 1 || view->scans[i]->streamed) {
            return true;
        }
    }
    return false;
}

stoa_status stoa_sql_run_prune(struct run *run, const char *sql, stoa_error *err) {
    const struct predicate_provider *provider = stoa_sql_predicate_provider(
        run->session->engine->api);
    if (provider == NULL) {
        return STOA_OK;
    }
    struct sql_text remote;
    bool any = false;
    stoa_status status = stoa_sql_remote_rewrite(run->view, sql, &remote, &any, NULL);
    if (status == STOA_OK && any) {
        status = stoa_sql_text_view(&remote, &sql, NULL);
    }
    /* What cannot be fetched is said when the query itself is prepared. */
    status = status == STOA_OK ? provider->find(run->view, run->session->connection, sql, err)
                               : STOA_OK;
    stoa_sql_text_release(&remote);
    return status;
}

static bool any_predicate(const struct view *view) {
    for (int32_t i = 0; i < view->pruning_count; i++) {
        if (view->prunings[i].predicate != NULL) {
            return true;
        }
    }
    return false;
}

/* A plan to explain has no parameters: the bound values stand in it as literals. */
static stoa_status prune_statement(struct run *run, stoa_error *err) {
    if (run->statement->parameter_count == 0) {
        return stoa_sql_run_prune(run, run->statement->sql, err);
    }
    struct sql_text text;
    const char *sql;
    stoa_sql_text_init(&text, run->context.pool, run->statement->sql, run->statement->size);
    run->inline_values = true;
    stoa_status status = stoa_sql_run_piece(run, &text,
                                            (struct text_range){0, run->statement->size}, err);
    run->inline_values = false;
    if (status == STOA_OK) {
        status = stoa_sql_text_view(&text, &sql, err);
    }
    if (status == STOA_OK) {
        status = stoa_sql_run_prune(run, sql, err);
    }
    stoa_sql_text_release(&text);
    return status;
}

/* Prepares once over everything; a second time when something can be skipped. */
static stoa_status prepare_pruned(struct run *run, const struct query_source *source,
                                  struct engine_query **out, stoa_error *err) {
    STOA_TRY(stoa_sql_engine_query_prepare(source, out, err));
    int32_t references = run->view->scan_count;
    const struct tokens *tokens = &run->statement->tokens;
    const bool seeks = may_seek(run->view, tokens);
    if (run->statement->parsed.kind != STATEMENT_QUERY || !may_filter(tokens) ||
        !(seeks || has_parts_to_skip(run->view))) {
        return STOA_OK;
    }
    stoa_sql_engine_query_close(*out);
    *out = NULL;
    STOA_TRY(prune_statement(run, err));
    if (run->view->pruning_count != references || !any_predicate(run->view)) {
        run->view->pruning_count = 0;
    }
    run->view->seeks = seeks;
    stoa_sql_view_begin(run->view, VIEW_READ);
    return stoa_sql_engine_query_prepare(source, out, err);
}

/* ---- streams -------------------------------------------------------------------------------- */

/* What an open stream holds. */
struct query_stream {
    stoa_session *session;
    stoa_statement *statement;
    struct view *view;
    struct engine_query *query;
    struct sql_text text;
    stoa_pool *pool;
};

static stoa_status stream_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct query_stream *stream = state;
    stoa_status status = stoa_sql_engine_query_next(stream->query, out, err);
    if (status != STOA_OK && stream->session->transaction != NULL) {
        stream->session->aborted = true;
    }
    return status;
}

static void stream_close(void *state) {
    struct query_stream *stream = state;
    stoa_sql_engine_query_close(stream->query);
    stoa_sql_view_close(stream->view);
    stoa_sql_text_release(&stream->text);
    stream->session->busy = false;
    stoa_statement_close(stream->statement);
    stoa_session_close(stream->session);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}

/* Takes query and text; and the view from the run. */
static stoa_status open_stream(struct run *run, struct engine_query *query, struct sql_text *text,
                               struct ArrowArrayStream *out, stoa_error *err) {
    struct query_stream *stream = NULL;
    struct ArrowSchema schema;
    stoa_stream_operations operations = {stream_next, stream_close};
    stoa_status status = stoa_pool_allocate_array(run->context.pool, 1, sizeof *stream,
                                                  (void **)&stream, err);
    if (status == STOA_OK) {
        status = stoa_sql_engine_query_schema(query, &schema, err);
        if (status != STOA_OK) {
            stoa_pool_free(run->context.pool, stream, sizeof *stream);
        }
    }
    if (status != STOA_OK) {
        stoa_sql_engine_query_close(query);
        stoa_sql_text_release(text);
        return status;
    }
    *stream = (struct query_stream){.session = stoa_sql_session_retain(run->session),
                                    .statement = stoa_sql_statement_retain(run->statement),
                                    .view = run->view,
                                    .query = query,
                                    .text = *text,
                                    .pool = run->context.pool};
    run->view = NULL;
    run->session->busy = true;
    return stoa_stream_create(run->context.pool, &schema, &operations, stream, out, err);
}

/* Errors in text that is all Stoa's own have no place that the user could find. */
static const struct sql_text own_words;

/* Runs a query whose text and source stand; takes `text`. */
static stoa_status run_source(struct run *run, const char *sql, struct sql_text *text, bool own,
                              struct ArrowArrayStream *out, stoa_error *err) {
    struct engine_query *query = NULL;
    struct query_source source = stoa_sql_run_source(run, sql, own ? &own_words : NULL);
    stoa_status status = own ? stoa_sql_engine_query_prepare(&source, &query, err)
                             : prepare_pruned(run, &source, &query, err);
    STOA_CHECK(status);
    stoa_sql_run_report(run);
    STOA_CHECK(stoa_sql_engine_query_start(query, NULL, err));
    run->info.has_rows = stoa_sql_engine_query_has_rows(query);
    run->info.rows_changed = stoa_sql_engine_query_changed(query);
    run->session->has_temporary = run->session->has_temporary || run->statement->parsed.temporary;
    if (run->info.has_rows) {
        return open_stream(run, query, text, out, err);
    }

done:
    stoa_sql_engine_query_close(query);
    stoa_sql_text_release(text);
    return status;
}

stoa_status stoa_sql_run_query(struct run *run, struct ArrowArrayStream *out, stoa_error *err) {
    struct sql_text none = {0};
    stoa_sql_view_begin(run->view, VIEW_READ);
    return run_source(run, run->statement->sql, &none, false, out, err);
}

stoa_status stoa_sql_run_text(struct run *run, struct sql_text *text, struct ArrowArrayStream *out,
                              stoa_error *err) {
    const char *sql;
    stoa_status status = stoa_sql_text_view(text, &sql, err);
    if (status != STOA_OK) {
        stoa_sql_text_release(text);
        return status;
    }
    return run_source(run, sql, text, true, out, err);
}

/* ---- into sinks ----------------------------------------------------------------------------- */

stoa_status stoa_sql_run_pump(struct run *run, struct engine_query *query, stoa_sink *sink,
                              int64_t *out_rows, stoa_error *err) {
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    *out_rows = 0;
    STOA_CHECK(stoa_schema_to_arrow(run->context.pool, stoa_sink_schema(sink), &schema, err));
    for (;;) {
        STOA_CHECK(stoa_sql_engine_query_next(query, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        *out_rows += batch.length;
        STOA_CHECK(stoa_sink_write(sink, &schema, &batch, err));
    }

done:
    stoa_arrow_schema_release(&schema);
    return status;
}
