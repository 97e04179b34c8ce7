/* SQL text cut into tokens, by DuckDB's lexical rules: enough to find where a statement ends, what
 * it is and where its clauses begin. Meaning is left to DuckDB's own parser. */
#ifndef STOA_SQL_TOKENS_H
#define STOA_SQL_TOKENS_H

#include "mem/arena.h"
#include "mem/buffer.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,       /* a keyword or a bare identifier */
    TOKEN_IDENTIFIER, /* "quoted" */
    TOKEN_STRING,     /* '…', E'…', $tag$…$tag$ */
    TOKEN_NUMBER,
    TOKEN_PARAMETER, /* ?, ?1, $1, $name */
    TOKEN_SYMBOL,    /* one byte of anything else */
    TOKEN_OPEN       /* a string, quoted identifier or comment that the text ends in */
};

struct token {
    enum token_kind kind;
    size_t begin;
    size_t end;
};

/// The token at or after byte `at`, past space and comments.
struct token stoa_sql_token_next(const char *sql, size_t size, size_t at);

/* A statement's tokens, with one TOKEN_END behind the last. */
struct tokens {
    const char *sql;
    size_t size;
    const struct token *items;
    int32_t count; /* without the end */
    stoa_buffer buffer;
};

/// Cuts all of the text. `sql` is borrowed.
///
/// Errors   STOA_INVALID  it ends inside a string, a quoted identifier or a comment
STOA_MUST_USE stoa_status stoa_sql_tokens_init(struct tokens *tokens, stoa_pool *pool,
                                               const char *sql, size_t size, stoa_error *err);
void stoa_sql_tokens_release(struct tokens *tokens);

/// True when token `index` is this keyword, in any case. Beyond the end there is none.
bool stoa_sql_token_is(const struct tokens *tokens, int32_t index, const char *word);
bool stoa_sql_token_is_symbol(const struct tokens *tokens, int32_t index, char symbol);
/// True when the tokens from `index` on are these keywords, divided by single spaces.
bool stoa_sql_tokens_are(const struct tokens *tokens, int32_t index, const char *words);

/// The name that a word or quoted identifier stands for: without quotes, doubled ones undone.
STOA_MUST_USE stoa_status stoa_sql_token_name(const struct tokens *tokens, int32_t index,
                                              stoa_arena *arena, const char **out, stoa_error *err);

/// The index behind the bracket that closes the one at `index`; the end when none does.
int32_t stoa_sql_tokens_skip_brackets(const struct tokens *tokens, int32_t index);
/// The first token from `index` on, outside of brackets, that is the keyword; the end otherwise.
int32_t stoa_sql_tokens_find(const struct tokens *tokens, int32_t index, const char *word);
int32_t stoa_sql_tokens_find_symbol(const struct tokens *tokens, int32_t index, char symbol);

#endif
