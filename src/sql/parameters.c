/* Statements and their parameters: which there are, and the values bound to them.
 *
 * Parameters have names: `?` counts up from "1", `$3` and `?3` are "3", `$name` is "name". The index
 * of the public functions is the number, or for names the order of their first appearance. */
#include <stdio.h>
#include <string.h>

#include "sql/duckdb_error.h"
#include "sql/parameter_value.h"
#include "sql/session.h"

stoa_statement *stoa_sql_statement_retain(stoa_statement *statement) {
    atomic_fetch_add_explicit(&statement->references, 1, memory_order_relaxed);
    return statement;
}

void stoa_statement_close(stoa_statement *statement) {
    /* acq_rel: what other owners wrote is seen before the memory goes */
    if (statement == NULL ||
        atomic_fetch_sub_explicit(&statement->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_session *session = statement->session;
    for (int64_t i = 0; i < statement->parameter_count; i++) {
        session->api->destroy_value(&statement->parameters[i].value);
    }
    stoa_sql_tokens_release(&statement->tokens);
    stoa_pool_free(statement->pool, statement->sql, statement->size + 1);
    stoa_arena_release(&statement->arena);
    stoa_pool_free(statement->pool, statement, sizeof *statement);
    stoa_session_close(session);
}

/* The text between the semicolons and space around it. */
static void trim(const char *sql, size_t *begin, size_t *end) {
    size_t size = strlen(sql);
    struct token token = {.end = 0};
    *begin = size;
    *end = size;
    for (;;) {
        token = stoa_sql_token_next(sql, size, token.end);
        if (token.kind == TOKEN_END) {
            return;
        }
        bool semicolon = token.kind == TOKEN_SYMBOL && sql[token.begin] == ';';
        if (!semicolon) {
            *begin = *begin == size ? token.begin : *begin;
            *end = token.end;
        }
        if (token.kind == TOKEN_OPEN) {
            return;
        }
    }
}

static int64_t find_parameter(const stoa_statement *statement, const char *name) {
    for (int64_t i = 0; i < statement->parameter_count; i++) {
        if (strcmp(statement->parameters[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The name of a parameter token; `count` is how many plain `?` came before. */
static stoa_status token_parameter(stoa_statement *statement, const struct token *token,
                                   int64_t *count, const char **out, stoa_error *err) {
    enum { NAME_BYTES_MAX = 100 };
    size_t size = token->end - token->begin;
    if (size > NAME_BYTES_MAX) {
        return stoa_fail(err, STOA_INVALID, "a parameter's name is longer than %d bytes",
                         NAME_BYTES_MAX - 1);
    }
    if (size > 1) {
        return stoa_arena_copy_text(&statement->arena, statement->sql + token->begin + 1, size - 1,
                                    out, err);
    }
    char *name;
    STOA_TRY(stoa_arena_allocate(&statement->arena, 24, (void **)&name, err));
    snprintf(name, 24, "%lld", (long long)++*count);
    *out = name;
    return STOA_OK;
}

static stoa_status collect_parameters(stoa_statement *statement, stoa_error *err) {
    int64_t plain = 0;
    STOA_TRY(stoa_arena_allocate_array(&statement->arena, (size_t)statement->tokens.count + 1,
                                       sizeof *statement->parameters,
                                       (void **)&statement->parameters, err));
    for (int32_t i = 0; i < statement->tokens.count; i++) {
        const struct token *token = &statement->tokens.items[i];
        const char *name;
        if (token->kind != TOKEN_PARAMETER) {
            continue;
        }
        STOA_TRY(token_parameter(statement, token, &plain, &name, err));
        if (find_parameter(statement, name) < 0) {
            statement->parameters[statement->parameter_count++].name = name;
        }
    }
    return STOA_OK;
}

/* Asks the engine what it thinks of a query, without running it. */
static stoa_status check(stoa_statement *statement, stoa_error *err) {
    stoa_session *session = statement->session;
    struct run run = {.session = session,
                      .statement = statement,
                      .context = {.pool = statement->pool}};
    STOA_TRY(
        stoa_sql_view_open(session->engine, session->transaction, &run.context, &run.view, err));
    struct query_source source = stoa_sql_run_source(&run, statement->sql, NULL);
    struct engine_query *query = NULL;
    stoa_status status = stoa_sql_engine_query_prepare(&source, &query, err);
    stoa_sql_engine_query_close(query);
    stoa_sql_view_close(run.view);
    return status;
}

stoa_status stoa_sql_statement_create(stoa_session *session, const char *sql, bool prepare,
                                      stoa_statement **out, stoa_error *err) {
    stoa_statement *statement;
    stoa_pool *pool = session->pool;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *statement, (void **)&statement, err));
    atomic_init(&statement->references, 1);
    statement->session = stoa_sql_session_retain(session);
    statement->pool = pool;
    stoa_arena_init(&statement->arena, pool);
    size_t begin;
    size_t end;
    trim(sql, &begin, &end);
    statement->skipped = begin;

    stoa_status status = stoa_pool_copy_text(pool, sql + begin, end - begin, &statement->sql, err);
    statement->size = status == STOA_OK ? end - begin : 0;
    STOA_CHECK(status);
    STOA_CHECK(
        stoa_sql_tokens_init(&statement->tokens, pool, statement->sql, statement->size, err));
    STOA_CHECK(
        stoa_sql_statement_parse(&statement->tokens, &statement->arena, &statement->parsed, err));
    STOA_CHECK(collect_parameters(statement, err));
    if (prepare && statement->parsed.kind == STATEMENT_QUERY) {
        STOA_CHECK(check(statement, err));
    }

done:
    if (status != STOA_OK) {
        if (err != NULL && err->query_offset >= 0) {
            if (strchr(err->message, '\n') == NULL && statement->sql != NULL) {
                stoa_sql_error_mark_query(err, statement->sql, statement->size, err->query_offset);
            }
            err->query_offset += (int64_t)begin;
        }
        stoa_statement_close(statement);
        return status;
    }
    *out = statement;
    return STOA_OK;
}

int64_t stoa_statement_parameter_count(const stoa_statement *statement) {
    return statement->parameter_count;
}

/* The parameter of a public index; numbers may be given out of order ("$2, $1"). */
static stoa_status slot(stoa_statement *statement, int64_t index, struct parameter **out,
                        stoa_error *err) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)index);
    int64_t found = find_parameter(statement, name);
    if (found < 0 && index >= 1 && index <= statement->parameter_count) {
        const char *first = statement->parameters[index - 1].name;
        bool numbered = first[0] >= '0' && first[0] <= '9';
        found = numbered ? -1 : index - 1;
    }
    if (found < 0) {
        return stoa_fail(err, STOA_INVALID, "there is no parameter %lld: the statement has %lld",
                         (long long)index, (long long)statement->parameter_count);
    }
    *out = &statement->parameters[found];
    return STOA_OK;
}

/* Takes `value`. */
static stoa_status set_value(stoa_statement *statement, int64_t index, duckdb_value value,
                             stoa_error *err) {
    struct parameter *parameter = NULL;
    if (value == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "the engine has no memory for a parameter");
    }
    stoa_status status = slot(statement, index, &parameter, err);
    if (status != STOA_OK) {
        statement->session->api->destroy_value(&value);
        return status;
    }
    statement->session->api->destroy_value(&parameter->value);
    parameter->value = value;
    return STOA_OK;
}

stoa_status stoa_statement_bind_i64(stoa_statement *statement, int64_t index, int64_t value,
                                    stoa_error *err) {
    return set_value(statement, index, statement->session->api->create_int64(value), err);
}

stoa_status stoa_statement_bind_f64(stoa_statement *statement, int64_t index, double value,
                                    stoa_error *err) {
    return set_value(statement, index, statement->session->api->create_double(value), err);
}

stoa_status stoa_statement_bind_text(stoa_statement *statement, int64_t index, const char *value,
                                     stoa_error *err) {
    const struct duckdb_api *api = statement->session->api;
    if (value == NULL) {
        return set_value(statement, index, api->create_null_value(), err);
    }
    return set_value(statement, index, api->create_varchar_length(value, strlen(value)), err);
}

stoa_status stoa_statement_bind(stoa_statement *statement, int64_t index,
                                const struct ArrowSchema *schema, const struct ArrowArray *value,
                                stoa_error *err) {
    duckdb_value engine_value = NULL;
    if (value->length < 1) {
        return stoa_fail(err, STOA_INVALID, "parameter %lld: expected a row but found none",
                         (long long)index);
    }
    stoa_status status = stoa_sql_parameter_value(statement->session->api, schema, value,
                                                  &engine_value, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "parameter %lld", (long long)index);
        return status;
    }
    return set_value(statement, index, engine_value, err);
}
