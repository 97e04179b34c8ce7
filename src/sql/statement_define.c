/* CREATE, DROP and ALTER. Tables are ours; what is temporary stays in DuckDB, for the session. */
#include <string.h>

#include "schema/schema.h"
#include "sql/parser.h"

static bool accept_temporary(struct parser *parser) {
    (void)(stoa_sql_parser_accept(parser, "LOCAL") || stoa_sql_parser_accept(parser, "GLOBAL"));
    return stoa_sql_parser_accept(parser, "TEMP") || stoa_sql_parser_accept(parser, "TEMPORARY");
}

/* The first token of a column that begins a constraint which nothing here would hold. A key is one where the
 * table is there already. */
static stoa_status refuse_constraints(const struct parser *parser, int32_t begin, int32_t end,
                                      bool allows_key, stoa_error *err) {
    static const char *const clauses[] = {"PRIMARY KEY",      "UNIQUE",     "CHECK",
                                          "FOREIGN KEY",      "REFERENCES", "GENERATED ALWAYS",
                                          "DEFAULT",          "COLLATE",    "CONSTRAINT",
                                          "USING COMPRESSION"};
    int depth = 0;
    for (int32_t i = begin; i < end; i++) {
        if (stoa_sql_token_is_symbol(parser->tokens, i, '(')) {
            depth++;
        } else if (stoa_sql_token_is_symbol(parser->tokens, i, ')')) {
            depth--;
        }
        for (size_t c = allows_key ? 1 : 0; depth == 0 && c < sizeof clauses / sizeof *clauses; c++) {
            if (stoa_sql_tokens_are(parser->tokens, i, clauses[c])) {
                return stoa_sql_parser_unsupported(parser, i, clauses[c], NULL, err);
            }
        }
        if (depth == 0 && stoa_sql_token_is(parser->tokens, i, "AS")) {
            return stoa_sql_parser_unsupported(parser, i, "a generated column", NULL, err);
        }
    }
    return STOA_OK;
}

/* ", " before all names but the first; each in quotes. */
static stoa_status add_key_column(const struct parser *parser, int32_t token, stoa_buffer *key,
                                  stoa_error *err) {
    const char *name = NULL;
    STOA_TRY(stoa_sql_token_name(parser->tokens, token, parser->arena, &name, err));
    STOA_TRY(stoa_buffer_append_text(key, key->size > 0 ? ", " : "", err));
    return stoa_sql_identifier_print(name, key, err);
}

/* Behind PRIMARY KEY as an element of its own: (a, b). */
static stoa_status add_key_list(const struct parser *parser, int32_t open, stoa_buffer *key,
                                stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    const int32_t behind = stoa_sql_tokens_skip_brackets(tokens, open);
    for (int32_t i = open + 1; i < behind - 1; i += 2) {
        STOA_TRY(add_key_column(parser, i, key, err));
    }
    return STOA_OK;
}

/* The columns of PRIMARY KEY, wherever it stands. What is wrong with it DuckDB says, which reads it too. */
static stoa_status primary_key(const struct parser *parser, int32_t begin, int32_t end,
                               stoa_buffer *key, stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    int32_t element = begin;
    for (int32_t i = begin; i < end;) {
        if (stoa_sql_tokens_are(tokens, i, "PRIMARY KEY")) {
            STOA_TRY(i == element ? add_key_list(parser, i + 2, key, err)
                                  : add_key_column(parser, element, key, err));
        }
        element = stoa_sql_token_is_symbol(tokens, i, ',') ? i + 1 : element;
        i = stoa_sql_token_is_symbol(tokens, i, '(') ? stoa_sql_tokens_skip_brackets(tokens, i)
                                                     : i + 1;
    }
    return STOA_OK;
}

static stoa_status read_key(struct parser *parser, int32_t begin, int32_t end, stoa_error *err) {
    stoa_buffer key;
    stoa_buffer_init(&key, parser->arena->pool);
    stoa_status status = primary_key(parser, begin, end, &key, err);
    if (status == STOA_OK && key.size > 0) {
        status = parser->out->or_replace
                     ? stoa_sql_parser_unsupported(parser, begin, "OR REPLACE with PRIMARY KEY",
                                                   "drop the table before", err)
                     : stoa_arena_copy_text(parser->arena, (const char *)key.data, key.size,
                                            &parser->out->key, err);
    }
    stoa_buffer_release(&key);
    return status;
}

/* query [WITH [NO] DATA] */
static void as_query(struct parser *parser) {
    const struct tokens *tokens = parser->tokens;
    int32_t end = tokens->count;
    if (stoa_sql_tokens_are(tokens, end - 3, "WITH NO DATA")) {
        parser->out->no_data = true;
        end -= 3;
    } else if (stoa_sql_tokens_are(tokens, end - 2, "WITH DATA")) {
        end -= 2;
    }
    parser->out->body = stoa_sql_parser_range(parser, parser->at, end);
}

/* PARTITIONED BY (status, month(ts)): `at` moves behind it where it stands there. */
static stoa_status partitioned_by(struct parser *parser, int32_t *at, stoa_error *err) {
    const struct tokens *tokens = parser->tokens;
    if (!stoa_sql_tokens_are(tokens, *at, "PARTITIONED BY")) {
        return STOA_OK;
    }
    int32_t open = *at + 2;
    int32_t behind = stoa_sql_tokens_skip_brackets(tokens, open);
    if (!stoa_sql_token_is_symbol(tokens, open, '(') ||
        !stoa_sql_token_is_symbol(tokens, behind - 1, ')') || behind - open < 3) {
        parser->at = open;
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "'(' and partitions");
    }
    struct text_range range = stoa_sql_parser_range(parser, open + 1, behind - 1);
    *at = behind;
    return stoa_arena_copy_text(parser->arena, tokens->sql + range.begin, range.end - range.begin,
                                &parser->out->partition, err);
}

static stoa_status create_table(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    const struct tokens *tokens = parser->tokens;
    out->if_exists = stoa_sql_parser_accept(parser, "IF NOT EXISTS");
    out->table_at = tokens->items[parser->at].begin;
    STOA_TRY(stoa_sql_parser_table(parser, &out->table, err));
    strcpy(out->label, "CREATE TABLE");
    int32_t open = parser->at;
    bool brackets = stoa_sql_token_is_symbol(tokens, open, '(');
    int32_t columns_end = brackets ? stoa_sql_tokens_skip_brackets(tokens, open) : open;
    int32_t behind = columns_end;
    STOA_TRY(partitioned_by(parser, &behind, err));
    if (stoa_sql_token_is(tokens, behind, "AS")) {
        out->kind = STATEMENT_CREATE_TABLE_AS;
        if (brackets) {
            STOA_TRY(stoa_sql_parser_names(parser, &out->columns, &out->column_count, err));
        }
        parser->at = behind;
        STOA_TRY(stoa_sql_parser_expect(parser, "AS", err));
        if (parser->at >= tokens->count) {
            return stoa_sql_parser_fail(parser, STOA_INVALID, err, "a query");
        }
        as_query(parser);
        return STOA_OK;
    }
    if (!brackets || !stoa_sql_token_is_symbol(tokens, columns_end - 1, ')')) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err,
                                    "'(' and columns, or AS and a query");
    }
    out->kind = STATEMENT_CREATE_TABLE;
    STOA_TRY(refuse_constraints(parser, open + 1, columns_end - 1, true, err));
    STOA_TRY(read_key(parser, open + 1, columns_end - 1, err));
    out->body = stoa_sql_parser_range(parser, open + 1, columns_end - 1);
    parser->at = behind;
    if (stoa_sql_token_is(tokens, behind, "WITH") ||
        stoa_sql_token_is(tokens, behind, "PARTITION")) {
        return stoa_sql_parser_unsupported(parser, behind, "a clause behind the columns", NULL,
                                           err);
    }
    return stoa_sql_parser_end(parser, err);
}

stoa_status stoa_sql_parse_create(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    int32_t begin = parser->at;
    out->or_replace = stoa_sql_parser_accept(parser, "OR REPLACE");
    out->temporary = accept_temporary(parser);
    if (out->temporary) {
        strcpy(out->label, "CREATE TEMP");
        return STOA_OK; /* DuckDB's own */
    }
    if (stoa_sql_parser_accept(parser, "TABLE")) {
        return create_table(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "SECRET")) {
        return STOA_OK;
    }
    static const struct {
        const char *word;
        const char *clause;
        const char *instead;
    } others[] = {
        {"VIEW", "CREATE VIEW", "write CREATE TEMP VIEW for this session"},
        {"MACRO", "CREATE MACRO", "write CREATE TEMP MACRO for this session"},
        {"FUNCTION", "CREATE FUNCTION", "write CREATE TEMP MACRO for this session"},
        {"SEQUENCE", "CREATE SEQUENCE", "write CREATE TEMP SEQUENCE for this session"},
        {"TYPE", "CREATE TYPE", "write CREATE TEMP TYPE for this session"},
        {"SCHEMA", "CREATE SCHEMA", NULL},
        {"INDEX", "CREATE INDEX", NULL},
        {"UNIQUE", "CREATE UNIQUE INDEX", NULL},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (stoa_sql_token_is(parser->tokens, parser->at, others[i].word)) {
            return stoa_sql_parser_unsupported(parser, begin, others[i].clause, others[i].instead,
                                               err);
        }
    }
    return stoa_sql_parser_fail(parser, STOA_INVALID, err,
                                "TABLE, TEMP TABLE, TEMP VIEW or TEMP MACRO");
}

stoa_status stoa_sql_parse_drop(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    if (!stoa_sql_parser_accept(parser, "TABLE")) {
        return STOA_OK; /* views, macros and the like are temporary, and DuckDB's */
    }
    out->kind = STATEMENT_DROP_TABLE;
    strcpy(out->label, "DROP TABLE");
    out->if_exists = stoa_sql_parser_accept(parser, "IF EXISTS");
    STOA_TRY(stoa_arena_allocate_array(parser->arena, (size_t)parser->tokens->count,
                                       sizeof *out->tables, (void **)&out->tables, err));
    do {
        STOA_TRY(stoa_sql_parser_table(parser, &out->tables[out->table_count++], err));
    } while (stoa_sql_parser_accept_symbol(parser, ','));
    if (!stoa_sql_parser_accept(parser, "CASCADE")) {
        (void)stoa_sql_parser_accept(parser, "RESTRICT");
    }
    return stoa_sql_parser_end(parser, err);
}

/* What is left of the statement, as its body. */
static stoa_status body_to_the_end(struct parser *parser, const char *expected, stoa_error *err) {
    const int32_t begin = parser->at, end = parser->tokens->count;
    if (begin >= end) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, expected);
    }
    STOA_TRY(refuse_constraints(parser, begin, end, false, err));
    for (int32_t i = begin; i < end; i++) {
        if (stoa_sql_token_is(parser->tokens, i, "USING")) {
            return stoa_sql_parser_unsupported(parser, i, "USING", NULL, err);
        }
    }
    parser->out->body = stoa_sql_parser_range(parser, begin, end);
    return STOA_OK;
}

/* COLUMN and its name. */
static stoa_status column_name(struct parser *parser, stoa_error *err) {
    (void)stoa_sql_parser_accept(parser, "COLUMN");
    if (stoa_sql_tokens_are(parser->tokens, parser->at, "IF EXISTS")) {
        return stoa_sql_parser_unsupported(parser, parser->at, "IF EXISTS of a column", NULL, err);
    }
    return stoa_sql_parser_name(parser, &parser->out->column, err);
}

static stoa_status add_column(struct parser *parser, stoa_error *err) {
    (void)stoa_sql_parser_accept(parser, "COLUMN");
    if (stoa_sql_tokens_are(parser->tokens, parser->at, "IF NOT EXISTS")) {
        return stoa_sql_parser_unsupported(parser, parser->at, "IF NOT EXISTS of a column", NULL,
                                           err);
    }
    parser->out->alteration = STOA_STATE_ADD_COLUMN;
    return body_to_the_end(parser, "a column and its type", err);
}

static stoa_status alter_column(struct parser *parser, stoa_error *err) {
    STOA_TRY(column_name(parser, err));
    if (stoa_sql_parser_accept(parser, "DROP NOT NULL")) {
        parser->out->alteration = STOA_STATE_DROP_NOT_NULL;
        return stoa_sql_parser_end(parser, err);
    }
    parser->out->alteration = STOA_STATE_SET_DATA_TYPE;
    (void)stoa_sql_parser_accept(parser, "SET DATA");
    if (!stoa_sql_parser_accept(parser, "TYPE")) {
        return stoa_sql_parser_unsupported(parser, parser->at,
                                           "ALTER COLUMN other than TYPE and DROP NOT NULL", NULL,
                                           err);
    }
    return body_to_the_end(parser, "a type", err);
}

/* One change of one column, behind the table's name. */
static stoa_status alter_columns(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    out->kind = STATEMENT_ALTER_TABLE;
    if (stoa_sql_parser_accept(parser, "ADD")) {
        return add_column(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "DROP")) {
        out->alteration = STOA_STATE_DROP_COLUMN;
        STOA_TRY(column_name(parser, err));
        return stoa_sql_parser_end(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "RENAME")) {
        out->alteration = STOA_STATE_RENAME_COLUMN;
        STOA_TRY(column_name(parser, err));
        STOA_TRY(stoa_sql_parser_expect(parser, "TO", err));
        STOA_TRY(stoa_sql_parser_name(parser, &out->new_name, err));
        return stoa_sql_parser_end(parser, err);
    }
    if (stoa_sql_parser_accept(parser, "ALTER")) {
        return alter_column(parser, err);
    }
    return stoa_sql_parser_unsupported(
        parser, parser->at, "ALTER TABLE other than RENAME, ADD, DROP and ALTER COLUMN", NULL, err);
}

stoa_status stoa_sql_parse_alter(struct parser *parser, stoa_error *err) {
    struct statement *out = parser->out;
    if (!stoa_sql_parser_accept(parser, "TABLE")) {
        return STOA_OK;
    }
    out->kind = STATEMENT_RENAME_TABLE;
    strcpy(out->label, "ALTER TABLE");
    out->if_exists = stoa_sql_parser_accept(parser, "IF EXISTS");
    out->table_at = parser->tokens->items[parser->at].begin;
    STOA_TRY(stoa_sql_parser_table(parser, &out->table, err));
    if (!stoa_sql_parser_accept(parser, "RENAME TO")) {
        return alter_columns(parser, err);
    }
    STOA_TRY(stoa_sql_parser_name(parser, &out->new_name, err));
    return stoa_sql_parser_end(parser, err);
}
