/* A walk over a statement's tokens, shared by the files that read statements. */
#ifndef STOA_SQL_PARSER_H
#define STOA_SQL_PARSER_H

#include "sql/statement.h"

struct parser {
    const struct tokens *tokens;
    stoa_arena *arena;
    struct statement *out;
    int32_t at;
};

/// A failure at the current token, with its place in the text.
stoa_status stoa_sql_parser_fail(const struct parser *parser, stoa_status status, stoa_error *err,
                                 const char *expected);
stoa_status stoa_sql_parser_unsupported(const struct parser *parser, int32_t token,
                                        const char *clause, const char *instead, stoa_error *err);
/// Moves past these keywords, if they are next.
bool stoa_sql_parser_accept(struct parser *parser, const char *words);
bool stoa_sql_parser_accept_symbol(struct parser *parser, char symbol);
STOA_MUST_USE stoa_status stoa_sql_parser_expect(struct parser *parser, const char *words,
                                                 stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parser_name(struct parser *parser, const char **out,
                                               stoa_error *err);
/// name, main.name or memory.main.name: the last part.
STOA_MUST_USE stoa_status stoa_sql_parser_table(struct parser *parser, const char **out,
                                                stoa_error *err);
/// "(a, b, c)"
STOA_MUST_USE stoa_status stoa_sql_parser_names(struct parser *parser, const char ***out,
                                                int32_t *out_count, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parser_end(struct parser *parser, stoa_error *err);
/// The bytes of tokens [begin, end).
struct text_range stoa_sql_parser_range(const struct parser *parser, int32_t begin, int32_t end);

/* The statements themselves; the walk stands behind the verb. */
STOA_MUST_USE stoa_status stoa_sql_parse_insert(struct parser *parser, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parse_delete(struct parser *parser, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parse_update(struct parser *parser, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parse_create(struct parser *parser, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parse_drop(struct parser *parser, stoa_error *err);
STOA_MUST_USE stoa_status stoa_sql_parse_alter(struct parser *parser, stoa_error *err);

#endif
