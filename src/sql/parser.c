/* See parser.h. */
#include "sql/parser.h"

#include <string.h>
#include <strings.h>

static size_t place_of(const struct parser *parser, int32_t token) {
    return parser->tokens->items[token].begin;
}

stoa_status stoa_sql_parser_fail(const struct parser *parser, stoa_status status, stoa_error *err,
                                 const char *expected) {
    const struct token *token = &parser->tokens->items[parser->at];
    size_t size = token->end - token->begin;
    if (token->kind == TOKEN_END) {
        stoa_fail(err, status, "expected %s but the statement ends", expected);
    } else {
        stoa_fail(err, status, "expected %s but found '%.*s'", expected,
                  (int)(size < 60 ? size : 60), parser->tokens->sql + token->begin);
    }
    if (err != NULL) {
        err->query_offset = (int64_t)token->begin;
    }
    return status;
}

stoa_status stoa_sql_parser_unsupported(const struct parser *parser, int32_t token,
                                        const char *clause, const char *instead, stoa_error *err) {
    stoa_fail(err, STOA_UNSUPPORTED, "%s is not offered%s%s", clause, instead != NULL ? ": " : "",
              instead != NULL ? instead : "");
    if (err != NULL) {
        err->query_offset = (int64_t)place_of(parser, token);
    }
    return STOA_UNSUPPORTED;
}

bool stoa_sql_parser_accept(struct parser *parser, const char *words) {
    if (!stoa_sql_tokens_are(parser->tokens, parser->at, words)) {
        return false;
    }
    parser->at++;
    for (; *words != '\0'; words++) {
        parser->at += *words == ' ';
    }
    return true;
}

bool stoa_sql_parser_accept_symbol(struct parser *parser, char symbol) {
    if (!stoa_sql_token_is_symbol(parser->tokens, parser->at, symbol)) {
        return false;
    }
    parser->at++;
    return true;
}

stoa_status stoa_sql_parser_expect(struct parser *parser, const char *words, stoa_error *err) {
    return stoa_sql_parser_accept(parser, words)
               ? STOA_OK
               : stoa_sql_parser_fail(parser, STOA_INVALID, err, words);
}

stoa_status stoa_sql_parser_name(struct parser *parser, const char **out, stoa_error *err) {
    return stoa_sql_token_name(parser->tokens, parser->at++, parser->arena, out, err);
}

stoa_status stoa_sql_parser_table(struct parser *parser, const char **out, stoa_error *err) {
    int32_t begin = parser->at;
    STOA_TRY(stoa_sql_parser_name(parser, out, err));
    const char *schema = NULL;
    while (stoa_sql_parser_accept_symbol(parser, '.')) {
        schema = *out;
        STOA_TRY(stoa_sql_parser_name(parser, out, err));
    }
    if (schema != NULL && strcasecmp(schema, "main") != 0) {
        return stoa_sql_parser_unsupported(parser, begin, "a schema other than main", NULL, err);
    }
    return STOA_OK;
}

stoa_status stoa_sql_parser_names(struct parser *parser, const char ***out, int32_t *out_count,
                                  stoa_error *err) {
    int32_t end = stoa_sql_tokens_skip_brackets(parser->tokens, parser->at);
    const char **names;
    STOA_TRY(stoa_arena_allocate_array(parser->arena, (size_t)(end - parser->at), sizeof *names,
                                       (void **)&names, err));
    int32_t count = 0;
    parser->at++;
    do {
        STOA_TRY(stoa_sql_parser_name(parser, &names[count++], err));
    } while (stoa_sql_parser_accept_symbol(parser, ','));
    if (!stoa_sql_parser_accept_symbol(parser, ')')) {
        return stoa_sql_parser_fail(parser, STOA_INVALID, err, "',' or ')'");
    }
    *out = names;
    *out_count = count;
    return STOA_OK;
}

stoa_status stoa_sql_parser_end(struct parser *parser, stoa_error *err) {
    return parser->at >= parser->tokens->count
               ? STOA_OK
               : stoa_sql_parser_fail(parser, STOA_INVALID, err, "the end of the statement");
}

struct text_range stoa_sql_parser_range(const struct parser *parser, int32_t begin, int32_t end) {
    if (begin >= end) {
        return (struct text_range){0, 0};
    }
    return (struct text_range){parser->tokens->items[begin].begin,
                               parser->tokens->items[end - 1].end};
}
