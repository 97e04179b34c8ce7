/* Where statements end, and what their tokens are. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <stoa/query.h>

#include "sql/tokens.h"

static void check(const char *sql, size_t length, bool complete) {
    bool found = !complete;
    assert_int_equal(stoa_sql_statement_length(sql, strlen(sql), &found), length);
    assert_int_equal(found, complete);
}

static void a_statement_ends_at_its_semicolon(void **state) {
    (void)state;
    check("SELECT 1; SELECT 2", 9, true);
    check("SELECT 1", 8, false);
    check("  -- nothing\n /* here /* nested */ */ ", 0, false);
    check("", 0, false);
    check(";;; ", 0, false);
    check(";SELECT 1;x", 10, true);
}

static void semicolons_in_texts_end_nothing(void **state) {
    (void)state;
    check("SELECT ';' ;", 12, true);
    check("SELECT 'it''s;' ;", 17, true);
    check("SELECT E'\\';' ;", 15, true);
    check("SELECT \"a\"\";\" ;", 15, true);
    check("SELECT $$;$$ ;", 14, true);
    check("SELECT $x$ $$ ; $x$;", 20, true);
    check("SELECT 1 -- ;\n;", 15, true);
    check("SELECT 1 /* ; /* ; */ ; */;", 27, true);
    check("SELECT $1; ", 10, true);
    check("SELECT $name; ", 13, true);
}

static void text_that_ends_inside_is_not_complete(void **state) {
    (void)state;
    check("SELECT 'a;", 10, false);
    check("SELECT \"a;", 10, false);
    check("SELECT /* a;", 12, false);
    check("SELECT $x$ a; $y$", 17, false);
    check("/*", 2, false);
    check("'", 1, false);
}

static void tokens_have_kinds(void **state) {
    (void)state;
    static const enum token_kind kinds[] = {TOKEN_WORD,      TOKEN_IDENTIFIER, TOKEN_SYMBOL,
                                            TOKEN_STRING,    TOKEN_NUMBER,     TOKEN_PARAMETER,
                                            TOKEN_PARAMETER, TOKEN_PARAMETER,  TOKEN_STRING,
                                            TOKEN_NUMBER,    TOKEN_WORD,       TOKEN_END};
    const char *sql = "a \"b\", e'\\'' 1.5e-3 ? $2 $name $t$x$t$ .5 \xc3\xa9t\xc3\xa9";
    stoa_pool *pool = support_pool_open();
    stoa_error err = STOA_ERROR_NONE;
    struct tokens tokens;
    assert_ok(stoa_sql_tokens_init(&tokens, pool, sql, strlen(sql), &err), err);
    for (int32_t i = 0; i <= tokens.count; i++) {
        assert_int_equal(tokens.items[i].kind, kinds[i]);
    }
    assert_int_equal(tokens.count, 11);
    stoa_sql_tokens_release(&tokens);
    assert_fails(stoa_sql_tokens_init(&tokens, pool, "x 'y", 4, &err), STOA_INVALID, "string", err);
    assert_int_equal(err.query_offset, 2);
    support_pool_close(pool);
}

/* However pieces of statements are put together, cutting them apart gives the same statements. */
static void statements_that_are_joined_come_apart_again(void **state) {
    (void)state;
    static const char *const pieces[] = {"SELECT 1",  "'a;b''c'",    "$q$ ; ' \" $q$",
                                         "/* ; ' */", "\"n;\"\"n\"", "E'\\';\\\\'",
                                         "-- ; '\n",  "a.b::int[3]", "$1 + ?",
                                         "f(x, ';')", "$name",       "1e5"};
    support_random random = support_random_open("sql.tokens");
    for (int round = 0; round < 2000; round++) {
        char text[2048] = "";
        size_t ends[8];
        int count = 1 + (int)support_random_below(&random, 6);
        for (int i = 0; i < count; i++) {
            strcat(text, " x ");
            int parts = (int)support_random_below(&random, 6);
            for (int p = 0; p < parts; p++) {
                strcat(text, pieces[support_random_below(&random, 12)]);
                strcat(text, " ");
            }
            strcat(text, ";");
            ends[i] = strlen(text);
        }
        size_t at = 0;
        for (int i = 0; i < count; i++) {
            bool complete = false;
            at += stoa_sql_statement_length(text + at, strlen(text) - at, &complete);
            assert_true(complete);
            assert_int_equal(at, ends[i]);
        }
    }
}

/* No text makes the scanner read beyond its end or stand still. */
static void any_bytes_are_cut_in_time(void **state) {
    (void)state;
    static const char alphabet[] = "'\"$/*-;eE\\a1?.(\n\xff";
    support_random random = support_random_open("sql.tokens.bytes");
    for (int round = 0; round < 20000; round++) {
        size_t size = support_random_below(&random, 24);
        char *text = malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            text[i] = alphabet[support_random_below(&random, sizeof alphabet - 1)];
        }
        char *exact = malloc(size > 0 ? size : 1);
        memcpy(exact, text, size);
        size_t at = 0;
        for (size_t steps = 0; at < size; steps++) {
            bool complete;
            size_t length = stoa_sql_statement_length(exact + at, size - at, &complete);
            assert_true(length <= size - at && steps <= size);
            if (length == 0) {
                break;
            }
            at += length;
        }
        free(exact);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_ends_at_its_semicolon),
        cmocka_unit_test(semicolons_in_texts_end_nothing),
        cmocka_unit_test(text_that_ends_inside_is_not_complete),
        cmocka_unit_test(tokens_have_kinds),
        cmocka_unit_test(statements_that_are_joined_come_apart_again),
        cmocka_unit_test(any_bytes_are_cut_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
