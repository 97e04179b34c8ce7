/* INSERT, DELETE and UPDATE. The parts that are expressions or queries are only found here; DuckDB
 * parses them. */
#include <stdio.h>
#include <string.h>

#include "sql/parser.h"

/* The first token from `begin` on, outside of brackets, that begins one of our refused clauses. */
static stoa_status refuse_clauses(const struct parser *parser, int32_t begin, stoa_error *err) {
    int32_t end = parser->tokens->count;
    int32_t returning = stoa_sql_tokens_find(parser->tokens, begin, "RETURNING");
    if (returning < end) {
        return stoa_sql_parser_unsupported(parser, returning, "RETURNING",
                                           "ask with SELECT in the same transaction", err);
    }
    for (int32_t on = stoa_sql_tokens_find(parser->tokens, begin, "ON"); on < end;
         on = stoa_sql_tokens_find(parser->tokens, on + 1, "ON")) {
        if (stoa_sql_token_is(parser->tokens, on + 1, "CONFLICT")) {
            return stoa_sql_parser_unsupported(parser, on, "ON CONFLICT", "tables have no keys",
                                               err);
        }
    }
    return STOA_OK;
}

static void set_table(struct parser *parser) {
    parser->out->table_at = parser->tokens->items[parser->at].begin;
}

static bool query_begins(const struct tokens *tokens, int32_t at) {
    return stoa_sql_token_is(tokens, at, "SELECT") || stoa_sql_token_is(tokens, at, "WITH") ||
           stoa_sql_token_is(tokens, at, "VALUES") || stoa_sql_token_is(tokens, at, "FROM") ||
           stoa_sql_token_is(tokens, at, "TABLE") || stoa_sql_token_is_symbol(tokens, at, '(');
}

stoa_status stoa_sql_parse_insert(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    out->kind = STATEMENT_INSERT;
    strcpy(out->label, "INSERT");
    if (stoa_sql_parser_accept(parser, "OR")) {
        return stoa_sql_parser_unsupported(parser, parser->at - 1, "INSERT OR REPLACE or IGNORE",
                                           "tables have no keys", err);
    }
    STOA_TRY(stoa_sql_parser_expect(parser, "INTO", err));
    set_table(parser);
    STOA_TRY(stoa_sql_parser_table(parser, &out->table, err));
    if (stoa_sql_parser_accept(parser, "AS")) {
        STOA_TRY(stoa_sql_parser_name(parser, &out->alias, err));
    }
    if (stoa_sql_token_is_symbol(parser->tokens, parser->at, '(') &&
        !query_begins(parser->tokens, parser->at + 1)) {
        STOA_TRY(stoa_sql_parser_names(parser, &out->columns, &out->column_count, err));
    }
    if (stoa_sql_parser_accept(parser, "BY NAME")) {
        out->by_name = true;
    } else {
        (void)stoa_sql_parser_accept(parser, "BY POSITION");
    }
    STOA_TRY(refuse_clauses(parser, parser->at, err));
    if (stoa_sql_parser_accept(parser, "DEFAULT VALUES")) {
        out->default_values = true;
        return stoa_sql_parser_end(parser, err);
    }
    if (!query_begins(parser->tokens, parser->at)) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "VALUES or a query");
    }
    if (out->by_name && out->columns != NULL) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "either columns or BY NAME");
    }
    out->body = stoa_sql_parser_range(parser, parser->at, parser->tokens->count);
    return STOA_OK;
}

/* name [[AS] alias] */
static stoa_status target(struct parser *parser, const char *next, stoa_error *err) {
    struct statement *out = parser->out;
    set_table(parser);
    STOA_TRY(stoa_sql_parser_table(parser, &out->table, err));
    if (stoa_sql_parser_accept(parser, "AS")) {
        return stoa_sql_parser_name(parser, &out->alias, err);
    }
    bool ends = parser->at >= parser->tokens->count ||
                stoa_sql_token_is(parser->tokens, parser->at, next) ||
                stoa_sql_token_is(parser->tokens, parser->at, "WHERE") ||
                stoa_sql_token_is(parser->tokens, parser->at, "RETURNING");
    return ends ? STOA_OK : stoa_sql_parser_name(parser, &out->alias, err);
}

stoa_status stoa_sql_parse_delete(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    out->kind = STATEMENT_DELETE;
    strcpy(out->label, "DELETE");
    STOA_TRY(stoa_sql_parser_expect(parser, "FROM", err));
    STOA_TRY(target(parser, "USING", err));
    STOA_TRY(refuse_clauses(parser, parser->at, err));
    if (stoa_sql_token_is(parser->tokens, parser->at, "USING")) {
        return stoa_sql_parser_unsupported(parser, parser->at, "DELETE … USING",
                                           "put the other table into the WHERE clause", err);
    }
    if (stoa_sql_parser_accept(parser, "WHERE")) {
        if (parser->at >= parser->tokens->count) {
            return stoa_sql_parser_fail(parser, STOA_INVALID, err, "a condition");
        }
        out->where = stoa_sql_parser_range(parser, parser->at, parser->tokens->count);
        return STOA_OK;
    }
    return stoa_sql_parser_end(parser, err);
}

/* FROM as a clause, not as in IS DISTINCT FROM. */
static int32_t find_from(const struct tokens *tokens, int32_t begin) {
    int32_t from = begin;
    do {
        from = stoa_sql_tokens_find(tokens, from, "FROM");
        if (from >= tokens->count || !stoa_sql_token_is(tokens, from - 1, "DISTINCT")) {
            return from;
        }
        from++;
    } while (true);
}

static stoa_status parse_assignment(struct parser *parser, int32_t end, struct assignment *out,
                                    stoa_error *err) {
    if (stoa_sql_token_is_symbol(parser->tokens, parser->at, '(')) {
        return stoa_sql_parser_unsupported(parser, parser->at, "UPDATE … SET (a, b) = …",
                                           "assign each column by itself", err);
    }
    STOA_TRY(stoa_sql_parser_name(parser, &out->column, err));
    if (!stoa_sql_parser_accept_symbol(parser, '=')) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "'='");
    }
    int32_t begin = parser->at;
    int32_t comma = stoa_sql_tokens_find_symbol(parser->tokens, begin, ',');
    parser->at = comma < end ? comma : end;
    if (parser->at == begin) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "an expression");
    }
    out->is_default = parser->at == begin + 1 &&
                      stoa_sql_token_is(parser->tokens, begin, "DEFAULT");
    out->expression = stoa_sql_parser_range(parser, begin, parser->at);
    return STOA_OK;
}

stoa_status stoa_sql_parse_update(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    out->kind = STATEMENT_UPDATE;
    strcpy(out->label, "UPDATE");
    STOA_TRY(target(parser, "SET", err));
    STOA_TRY(stoa_sql_parser_expect(parser, "SET", err));
    STOA_TRY(refuse_clauses(parser, parser->at, err));
    int32_t where = stoa_sql_tokens_find(parser->tokens, parser->at, "WHERE");
    int32_t from = find_from(parser->tokens, parser->at);
    if (from < where) {
        return stoa_sql_parser_unsupported(parser, from, "UPDATE … FROM",
                                           "put the other table into a subquery", err);
    }
    STOA_TRY(stoa_arena_allocate_array(parser->arena, (size_t)(where - parser->at + 1),
                                       sizeof *out->assignments, (void **)&out->assignments, err));
    do {
        STOA_TRY(parse_assignment(parser, where, &out->assignments[out->assignment_count++], err));
    } while (parser->at < where && stoa_sql_parser_accept_symbol(parser, ','));
    if (stoa_sql_parser_accept(parser, "WHERE")) {
        if (parser->at >= parser->tokens->count) {
            return stoa_sql_parser_fail(parser, STOA_INVALID, err, "a condition");
        }
        out->where = stoa_sql_parser_range(parser, parser->at, parser->tokens->count);
        return STOA_OK;
    }
    return stoa_sql_parser_end(parser, err);
}
