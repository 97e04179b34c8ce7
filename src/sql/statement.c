/* Tells statements apart by their first words. What DuckDB would do to tables of its own, and our
 * tables cannot do, is refused here by name, so that nobody believes that it happened. */
#include "sql/statement.h"

#include <ctype.h>
#include <string.h>

#include "sql/parser.h"

static void set_label(struct statement *out, const struct tokens *tokens, int32_t index) {
    const struct token *token = &tokens->items[index];
    size_t size = token->end - token->begin;
    size = size < sizeof out->label - 1 ? size : sizeof out->label - 1;
    for (size_t i = 0; i < size; i++) {
        out->label[i] = (char)toupper((unsigned char)tokens->sql[token->begin + i]);
    }
    out->label[size] = '\0';
}

static stoa_status simple(struct parser *parser, enum statement_kind kind, const char *label) {
    parser->out->kind = kind;
    strcpy(parser->out->label, label);
    return STOA_OK;
}

/* BEGIN [TRANSACTION | WORK], and so on. */
static stoa_status transaction(struct parser *parser, enum statement_kind kind, const char *label,
                               stoa_error *err) {
    if (!stoa_sql_parser_accept(parser, "TRANSACTION")) {
        (void)stoa_sql_parser_accept(parser, "WORK");
    }
    STOA_TRY(stoa_sql_parser_end(parser, err));
    return simple(parser, kind, label);
}

static stoa_status truncate(struct parser *parser, stoa_error *err) {
    (void)stoa_sql_parser_accept(parser, "TABLE");
    parser->out->table_at = parser->tokens->items[parser->at].begin;
    STOA_TRY(stoa_sql_parser_table(parser, &parser->out->table, err));
    STOA_TRY(stoa_sql_parser_end(parser, err));
    return simple(parser, STATEMENT_TRUNCATE, "TRUNCATE");
}

static stoa_status show(struct parser *parser) {
    const struct tokens *tokens = parser->tokens;
    if (stoa_sql_tokens_are(tokens, 1, "TABLES") && tokens->count == 2) {
        return simple(parser, STATEMENT_SHOW_TABLES, "SHOW");
    }
    if (stoa_sql_tokens_are(tokens, 1, "ALL TABLES") && tokens->count == 3) {
        return simple(parser, STATEMENT_SHOW_ALL_TABLES, "SHOW");
    }
    return STOA_OK;
}

/* Settings that are the database's: changing them here would break its budget. */
static bool is_reserved_setting(const struct tokens *tokens, int32_t index) {
    static const char *const names[] = {"memory_limit",
                                        "max_memory",
                                        "threads",
                                        "worker_threads",
                                        "temp_directory",
                                        "errors_as_json",
                                        "max_temp_directory_size",
                                        "external_threads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (stoa_sql_token_is(tokens, index, names[i])) {
            return true;
        }
    }
    return false;
}

static stoa_status settings(struct parser *parser, stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    int32_t name = 1;
    while (stoa_sql_token_is(tokens, name, "GLOBAL") ||
           stoa_sql_token_is(tokens, name, "SESSION") || stoa_sql_token_is(tokens, name, "LOCAL")) {
        name++;
    }
    bool changes = !stoa_sql_token_is(tokens, 0, "PRAGMA") || tokens->count > name + 1;
    if (changes && is_reserved_setting(tokens, name)) {
        return stoa_sql_parser_unsupported(parser, name, "changing this setting",
                                           "it follows from the database's options", err);
    }
    return STOA_OK;
}

static stoa_status attach(struct parser *parser, stoa_error *err) {
    for (int32_t i = 1; i < parser->tokens->count; i++) {
        if (stoa_sql_token_is(parser->tokens, i, "READ_ONLY")) {
            return STOA_OK;
        }
    }
    return stoa_sql_parser_unsupported(parser, 0, "ATTACH for writing", "add (READ_ONLY)", err);
}

static stoa_status copy(struct parser *parser, stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    int32_t from = stoa_sql_tokens_find(tokens, 1, "FROM");
    int32_t to = stoa_sql_tokens_find(tokens, 1, "TO");
    if (from < tokens->count && from < to) {
        return stoa_sql_parser_unsupported(parser, from, "COPY … FROM",
                                           "write INSERT INTO table SELECT * FROM 'file'", err);
    }
    return STOA_OK;
}

static const struct {
    const char *words;
    const char *clause;
    const char *instead;
} refused[] = {
    {"MERGE", "MERGE", "write UPDATE and INSERT in one transaction"},
    {"PREPARE", "PREPARE", "prepare statements through the program's interface"},
    {"EXECUTE", "EXECUTE", "prepare statements through the program's interface"},
    {"DEALLOCATE", "DEALLOCATE", "prepare statements through the program's interface"},
    {"EXPORT DATABASE", "EXPORT DATABASE", "write COPY table TO 'file'"},
    {"IMPORT DATABASE", "IMPORT DATABASE", NULL},
    {"COMMENT ON", "COMMENT ON", NULL},
};

static const char *const query_words[] = {"SELECT", "FROM",  "VALUES", "WITH",
                                          "TABLE",  "PIVOT", "UNPIVOT"};

static stoa_status engine_statement(struct parser *parser, stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (stoa_sql_tokens_are(tokens, 0, refused[i].words)) {
            return stoa_sql_parser_unsupported(parser, 0, refused[i].clause, refused[i].instead,
                                               err);
        }
    }
    if (stoa_sql_token_is(tokens, 0, "SET") || stoa_sql_token_is(tokens, 0, "RESET") ||
        stoa_sql_token_is(tokens, 0, "PRAGMA")) {
        return settings(parser, err);
    }
    if (stoa_sql_token_is(tokens, 0, "ATTACH")) {
        return attach(parser, err);
    }
    if (stoa_sql_token_is(tokens, 0, "COPY")) {
        return copy(parser, err);
    }
    if (stoa_sql_token_is(tokens, 0, "SHOW")) {
        return show(parser);
    }
    bool query = stoa_sql_token_is_symbol(tokens, 0, '(');
    for (size_t i = 0; i < sizeof query_words / sizeof *query_words; i++) {
        query = query || stoa_sql_token_is(tokens, 0, query_words[i]);
    }
    if (query) {
        return simple(parser, STATEMENT_QUERY, "SELECT");
    }
    return STOA_OK;
}

/* The verb behind WITH a AS (…), b AS (…). */
static int32_t verb_behind_with(const struct tokens *tokens) {
    int32_t verb = tokens->count;
    static const char *const verbs[] = {"INSERT", "UPDATE", "DELETE", "MERGE",
                                        "SELECT", "VALUES", "FROM"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        int32_t found = stoa_sql_tokens_find(tokens, 1, verbs[i]);
        verb = found < verb ? found : verb;
    }
    return verb;
}

static stoa_status behind_with(struct parser *parser, stoa_error *err) {
    int32_t verb = verb_behind_with(parser->tokens);
    if (stoa_sql_token_is(parser->tokens, verb, "INSERT")) {
        parser->out->with = stoa_sql_parser_range(parser, 0, verb);
        parser->at = verb + 1;
        return stoa_sql_parse_insert(parser, err);
    }
    if (stoa_sql_token_is(parser->tokens, verb, "UPDATE") ||
        stoa_sql_token_is(parser->tokens, verb, "DELETE") ||
        stoa_sql_token_is(parser->tokens, verb, "MERGE")) {
        return stoa_sql_parser_unsupported(parser, 0, "WITH before UPDATE, DELETE or MERGE",
                                           "put the query into the WHERE clause", err);
    }
    return simple(parser, STATEMENT_QUERY, "SELECT");
}

static stoa_status dispatch(struct parser *parser, stoa_error *err) {
    set_label(parser->out, parser->tokens, 0);
    if (stoa_sql_token_is(parser->tokens, 0, "WITH")) {
        return behind_with(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "INSERT")) {
        return stoa_sql_parse_insert(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "DELETE")) {
        return stoa_sql_parse_delete(parser, err);
    }
    if (stoa_sql_tokens_are(parser->tokens, 0, "UPDATE EXTENSIONS")) {
        return STOA_OK;
    }
    if (stoa_sql_parser_accept(parser, "UPDATE")) {
        return stoa_sql_parse_update(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "CREATE")) {
        return stoa_sql_parse_create(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "DROP")) {
        return stoa_sql_parse_drop(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "ALTER")) {
        return stoa_sql_parse_alter(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "TRUNCATE")) {
        return truncate(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "BEGIN") || stoa_sql_parser_accept(parser, "START")) {
        return transaction(parser, STATEMENT_BEGIN, "BEGIN", err);
    }
    if (stoa_sql_parser_accept(parser, "COMMIT") || stoa_sql_parser_accept(parser, "END")) {
        return transaction(parser, STATEMENT_COMMIT, "COMMIT", err);
    }
    if (stoa_sql_parser_accept(parser, "ROLLBACK") || stoa_sql_parser_accept(parser, "ABORT")) {
        return transaction(parser, STATEMENT_ROLLBACK, "ROLLBACK", err);
    }
    return engine_statement(parser, err);
}

stoa_status stoa_sql_statement_parse(const struct tokens *tokens, stoa_arena *arena,
                                     struct statement *out, stoa_error *err) {
    *out = (struct statement){.kind = STATEMENT_ENGINE};
    if (tokens->count == 0) {
        return stoa_fail(err, STOA_INVALID, "there is no statement");
    }
    struct parser parser = {tokens, arena, out, 0};
    for (int32_t i = 0; i < tokens->count; i++) {
        if (stoa_sql_token_is_symbol(tokens, i, ';')) {
            parser.at = i;
            return stoa_sql_parser_fail(&parser, STOA_INVALID, err, "one statement");
        }
    }
    return dispatch(&parser, err);
}
