/* DuckDB's scanner is PostgreSQL's with additions: comments nest, E'' strings know the backslash,
 * $tag$ quotes anything up to the same tag, and $name without a second dollar is a parameter.
 *
 * Source   PostgreSQL, "Lexical Structure"; DuckDB, "Prepared Statements" */
#include "sql/tokens.h"

#include <string.h>
#include <strings.h>

#include <stoa/query.h>

static bool is_word_start(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

static bool is_word_part(unsigned char c) {
    return is_word_start(c) || is_digit(c) || c == '$';
}

/* Past a nested comment that begins at `at`; `size` when it does not end. */
static size_t skip_comment(const char *sql, size_t size, size_t at) {
    size_t depth = 0;
    while (at + 1 < size) {
        if (sql[at] == '/' && sql[at + 1] == '*') {
            depth++;
            at += 2;
        } else if (sql[at] == '*' && sql[at + 1] == '/') {
            depth--;
            at += 2;
            if (depth == 0) {
                return at;
            }
        } else {
            at++;
        }
    }
    return size + 1;
}

/* Past space and comments; beyond `size` when a comment does not end. */
static size_t skip_space(const char *sql, size_t size, size_t at) {
    while (at < size) {
        unsigned char c = (unsigned char)sql[at];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            at++;
        } else if (c == '-' && at + 1 < size && sql[at + 1] == '-') {
            while (at < size && sql[at] != '\n' && sql[at] != '\r') {
                at++;
            }
        } else if (c == '/' && at + 1 < size && sql[at + 1] == '*') {
            at = skip_comment(sql, size, at);
        } else {
            break;
        }
    }
    return at;
}

/* From the opening quote to behind the closing one. */
static struct token quoted(const char *sql, size_t size, size_t begin, size_t quote_at,
                           bool backslash) {
    char quote = sql[quote_at];
    enum token_kind kind = quote == '"' ? TOKEN_IDENTIFIER : TOKEN_STRING;
    for (size_t at = quote_at + 1; at < size; at++) {
        if (backslash && sql[at] == '\\') {
            at++;
        } else if (sql[at] == quote) {
            if (at + 1 < size && sql[at + 1] == quote) {
                at++;
            } else {
                return (struct token){kind, begin, at + 1};
            }
        }
    }
    return (struct token){TOKEN_OPEN, begin, size};
}

/* $1, $name, or $tag$text$tag$. */
static struct token dollar(const char *sql, size_t size, size_t begin) {
    size_t at = begin + 1;
    if (at < size && is_digit((unsigned char)sql[at])) {
        while (at < size && is_digit((unsigned char)sql[at])) {
            at++;
        }
        return (struct token){TOKEN_PARAMETER, begin, at};
    }
    while (at < size && sql[at] != '$' && is_word_part((unsigned char)sql[at])) {
        at++;
    }
    if (at == size || sql[at] != '$') {
        return (struct token){at > begin + 1 ? TOKEN_PARAMETER : TOKEN_SYMBOL, begin, at};
    }
    size_t tag_size = at + 1 - begin;
    for (at++; at + tag_size <= size; at++) {
        if (memcmp(sql + at, sql + begin, tag_size) == 0) {
            return (struct token){TOKEN_STRING, begin, at + tag_size};
        }
    }
    return (struct token){TOKEN_OPEN, begin, size};
}

static struct token number(const char *sql, size_t size, size_t begin) {
    size_t at = begin;
    while (at < size && (is_word_part((unsigned char)sql[at]) || sql[at] == '.')) {
        bool exponent = sql[at] == 'e' || sql[at] == 'E';
        at++;
        if (exponent && at + 1 < size && (sql[at] == '+' || sql[at] == '-') &&
            is_digit((unsigned char)sql[at + 1])) {
            at++;
        }
    }
    return (struct token){TOKEN_NUMBER, begin, at};
}

static struct token word(const char *sql, size_t size, size_t begin) {
    size_t at = begin;
    while (at < size && is_word_part((unsigned char)sql[at])) {
        at++;
    }
    if (at == begin + 1 && at < size && sql[at] == '\'' && strchr("eEbBxX", sql[begin]) != NULL) {
        return quoted(sql, size, begin, at, sql[begin] == 'e' || sql[begin] == 'E');
    }
    return (struct token){TOKEN_WORD, begin, at};
}

struct token stoa_sql_token_next(const char *sql, size_t size, size_t at) {
    size_t begin = skip_space(sql, size, at);
    if (begin > size) {
        return (struct token){TOKEN_OPEN, at, size};
    }
    if (begin == size) {
        return (struct token){TOKEN_END, size, size};
    }
    unsigned char c = (unsigned char)sql[begin];
    if (c == '\'' || c == '"') {
        return quoted(sql, size, begin, begin, false);
    }
    if (is_word_start(c)) {
        return word(sql, size, begin);
    }
    bool point = c == '.' && begin + 1 < size && is_digit((unsigned char)sql[begin + 1]);
    if (is_digit(c) || point) {
        return number(sql, size, begin);
    }
    if (c == '$') {
        return dollar(sql, size, begin);
    }
    if (c == '?') {
        size_t end = begin + 1;
        while (end < size && is_digit((unsigned char)sql[end])) {
            end++;
        }
        return (struct token){TOKEN_PARAMETER, begin, end};
    }
    return (struct token){TOKEN_SYMBOL, begin, begin + 1};
}

size_t stoa_sql_statement_length(const char *sql, size_t size, bool *complete) {
    size_t at = 0;
    bool any = false;
    *complete = false;
    for (;;) {
        struct token token = stoa_sql_token_next(sql, size, at);
        if (token.kind == TOKEN_END) {
            return any ? size : 0;
        }
        if (token.kind == TOKEN_OPEN) {
            return size;
        }
        at = token.end;
        if (token.kind != TOKEN_SYMBOL || sql[token.begin] != ';') {
            any = true;
        } else if (any) {
            *complete = true;
            return at;
        }
    }
}

stoa_status stoa_sql_tokens_init(struct tokens *tokens, stoa_pool *pool, const char *sql,
                                 size_t size, stoa_error *err) {
    *tokens = (struct tokens){.sql = sql, .size = size};
    stoa_buffer_init(&tokens->buffer, pool);
    struct token token = {.end = 0};
    do {
        token = stoa_sql_token_next(sql, size, token.end);
        if (token.kind == TOKEN_OPEN) {
            stoa_sql_tokens_release(tokens);
            stoa_fail(err, STOA_INVALID, "the text ends inside a %s that begins at byte %zu",
                      sql[token.begin] == '"'                               ? "quoted name"
                      : sql[token.begin] == '\'' || sql[token.begin] == '$' ? "string"
                                                                            : "comment or string",
                      token.begin);
            if (err != NULL) {
                err->query_offset = (int64_t)token.begin;
            }
            return STOA_INVALID;
        }
        stoa_status status = stoa_buffer_append(&tokens->buffer, &token, sizeof token, err);
        if (status != STOA_OK) {
            stoa_sql_tokens_release(tokens);
            return status;
        }
    } while (token.kind != TOKEN_END);
    tokens->items = (const struct token *)tokens->buffer.data;
    tokens->count = (int32_t)(tokens->buffer.size / sizeof token) - 1;
    return STOA_OK;
}

void stoa_sql_tokens_release(struct tokens *tokens) {
    stoa_buffer_release(&tokens->buffer);
    tokens->items = NULL;
    tokens->count = 0;
}

bool stoa_sql_token_is(const struct tokens *tokens, int32_t index, const char *text) {
    if (index < 0 || index >= tokens->count || tokens->items[index].kind != TOKEN_WORD) {
        return false;
    }
    const struct token *token = &tokens->items[index];
    size_t size = token->end - token->begin;
    return strlen(text) == size && strncasecmp(tokens->sql + token->begin, text, size) == 0;
}

bool stoa_sql_token_is_symbol(const struct tokens *tokens, int32_t index, char symbol) {
    return index >= 0 && index < tokens->count && tokens->items[index].kind == TOKEN_SYMBOL &&
           tokens->sql[tokens->items[index].begin] == symbol;
}

bool stoa_sql_tokens_are(const struct tokens *tokens, int32_t index, const char *words) {
    char one[32];
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        STOA_ASSERT(size < sizeof one);
        memcpy(one, words, size);
        one[size] = '\0';
        if (!stoa_sql_token_is(tokens, index++, one)) {
            return false;
        }
        words += size + (words[size] == ' ');
    }
    return true;
}

stoa_status stoa_sql_token_name(const struct tokens *tokens, int32_t index, stoa_arena *arena,
                                const char **out, stoa_error *err) {
    const struct token *token = &tokens->items[index];
    const char *from = tokens->sql + token->begin;
    size_t size = token->end - token->begin;
    if (index >= tokens->count || (token->kind != TOKEN_WORD && token->kind != TOKEN_IDENTIFIER)) {
        stoa_fail(err, STOA_INVALID, "expected a name but found %s%.*s%s",
                  size > 0 ? "'" : "the end", (int)(size < 40 ? size : 40), from,
                  size > 0 ? "'" : "");
        if (err != NULL) {
            err->query_offset = (int64_t)token->begin;
        }
        return STOA_INVALID;
    }
    if (token->kind == TOKEN_WORD) {
        return stoa_arena_copy_text(arena, from, size, out, err);
    }
    char *name;
    STOA_TRY(stoa_arena_allocate(arena, size, (void **)&name, err));
    size_t used = 0;
    for (size_t i = 1; i + 1 < size; i++) {
        name[used++] = from[i];
        i += from[i] == '"'; /* the second of a pair */
    }
    *out = name;
    return STOA_OK;
}

static int depth_change(const struct tokens *tokens, int32_t index) {
    if (tokens->items[index].kind != TOKEN_SYMBOL) {
        return 0;
    }
    char c = tokens->sql[tokens->items[index].begin];
    return (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
}

int32_t stoa_sql_tokens_skip_brackets(const struct tokens *tokens, int32_t index) {
    int depth = 0;
    for (; index < tokens->count; index++) {
        depth += depth_change(tokens, index);
        if (depth == 0) {
            return index + 1;
        }
    }
    return tokens->count;
}

int32_t stoa_sql_tokens_find(const struct tokens *tokens, int32_t index, const char *text) {
    int depth = 0;
    for (; index < tokens->count; index++) {
        depth += depth_change(tokens, index);
        if (depth == 0 && stoa_sql_token_is(tokens, index, text)) {
            return index;
        }
    }
    return tokens->count;
}

int32_t stoa_sql_tokens_find_symbol(const struct tokens *tokens, int32_t index, char symbol) {
    int depth = 0;
    for (; index < tokens->count; index++) {
        if (depth == 0 && stoa_sql_token_is_symbol(tokens, index, symbol)) {
            return index;
        }
        depth += depth_change(tokens, index);
    }
    return tokens->count;
}
