/* Failures: messages, contexts, and where they are cut. */
#include "support.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

static void a_failure_has_status_and_message(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_error_set_row(&err, 7);
    assert_int_equal(stoa_fail(&err, STOA_INVALID, "expected %d but found %s", 3, "four"),
                     STOA_INVALID);
    assert_int_equal(err.status, STOA_INVALID);
    assert_string_equal(err.message, "expected 3 but found four");
    /* A new failure forgets where the last one was. */
    assert_int_equal(err.row, -1);
    assert_int_equal(err.line, -1);
    assert_int_equal(err.offset, -1);
    assert_int_equal(err.query_offset, -1);
    assert_int_equal(err.column_index, -1);
    stoa_error_clear(&err);
    assert_int_equal(err.status, STOA_OK);
    assert_string_equal(err.message, "");
}

static void everything_takes_no_error(void **state) {
    (void)state;
    assert_int_equal(stoa_fail(NULL, STOA_IO, "text"), STOA_IO);
    stoa_wrap(NULL, "text");
    stoa_error_clear(NULL);
    stoa_error_set_row(NULL, 1);
    stoa_error_set_column(NULL, 1, "c");
    stoa_error_set_file(NULL, "f", 1);
    assert_int_equal(stoa_fail_errno(NULL, ENOENT, "open", "f"), STOA_NOT_FOUND);
}

static void contexts_stand_before_the_message(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_wrap(&err, "nothing failed");
    assert_string_equal(err.message, "");
    stoa_fail(&err, STOA_CORRUPT, "page %d", 12);
    stoa_error_set_column(&err, 3, "price");
    stoa_wrap(&err, "column '%s'", "price");
    stoa_wrap(&err, "reading '%s'", "7.parquet");
    assert_string_equal(err.message, "reading '7.parquet': column 'price': page 12");
    assert_int_equal(err.status, STOA_CORRUPT);
    assert_int_equal(err.column_index, 3);
    assert_string_equal(err.column, "price");
}

static void arguments_may_come_from_the_error_itself(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fail(&err, STOA_IO, "inner");
    stoa_error_set_file(&err, "file", 5);
    stoa_fail(&err, STOA_CORRUPT, "outer %s in %s", err.message, err.file);
    assert_string_equal(err.message, "outer inner in file");
    stoa_wrap(&err, "again %s", err.message);
    assert_string_equal(err.message, "again outer inner in file: outer inner in file");
}

/* Wherever the cut falls in text of 1, 2, 3 and 4-byte characters, what is left is UTF-8 and lacks at
 * most the character that was cut. */
static void cuts_fall_between_characters(void **state) {
    (void)state;
    const char *const characters[] = {"a", "ü", "語", "🏛"};
    for (size_t c = 0; c < 4; c++) {
        for (size_t lead = 0; lead < 4; lead++) {
            char text[4096] = "";
            size_t unit = strlen(characters[c]);
            memset(text, 'x', lead);
            for (size_t i = lead; i + unit < sizeof text; i += unit) {
                memcpy(text + i, characters[c], unit);
            }
            stoa_error err = STOA_ERROR_NONE;
            stoa_fail(&err, STOA_INVALID, "%s", text);
            size_t size = strlen(err.message);
            assert_true(stoa_utf8_valid(err.message, size, NULL));
            assert_true(size < STOA_ERROR_MESSAGE_BYTES && size + unit >= STOA_ERROR_MESSAGE_BYTES);
            assert_memory_equal(err.message, text, size);

            stoa_wrap(&err, "%s", text);
            assert_true(stoa_utf8_valid(err.message, strlen(err.message), NULL));
            assert_non_null(strstr(err.message, ": "));

            stoa_error_set_column(&err, 0, text);
            size = strlen(err.column);
            assert_true(stoa_utf8_valid(err.column, size, NULL));
            assert_true(size < STOA_ERROR_NAME_BYTES && size + unit >= STOA_ERROR_NAME_BYTES);
        }
    }
}

static void a_message_that_just_fits_is_not_cut(void **state) {
    (void)state;
    char text[STOA_ERROR_MESSAGE_BYTES];
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - 3, "ü", 3);
    stoa_error err = STOA_ERROR_NONE;
    stoa_fail(&err, STOA_INVALID, "%s", text);
    assert_string_equal(err.message, text);
}

static void bytes_that_are_no_text_do_not_confuse_the_cut(void **state) {
    (void)state;
    char text[4096];
    memset(text, 0x80, sizeof text - 1); /* continuations without a lead */
    text[sizeof text - 1] = '\0';
    stoa_error err = STOA_ERROR_NONE;
    stoa_fail(&err, STOA_INVALID, "%s", text);
    assert_true(strlen(err.message) < STOA_ERROR_MESSAGE_BYTES);
    stoa_error_set_file(&err, text, -1);
    assert_true(strlen(err.file) < STOA_ERROR_NAME_BYTES);
}

static void system_failures_become_statuses(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    assert_fails(stoa_fail_errno(&err, ENOENT, "open", "/a b"), STOA_NOT_FOUND,
                 "cannot open '/a b': No such file or directory", err);
    assert_string_equal(err.file, "/a b");
    assert_int_equal(stoa_fail_system(&err, EEXIST), STOA_EXISTS);
    assert_string_equal(err.message, "File exists");
    assert_int_equal(stoa_fail_system(&err, ENOMEM), STOA_NO_MEMORY);
    assert_int_equal(stoa_fail_system(&err, EISDIR), STOA_INVALID);
    assert_int_equal(stoa_fail_system(&err, ENOSPC), STOA_IO);
    assert_int_equal(stoa_fail_system(&err, 123456), STOA_IO);
    assert_true(err.message[0] != '\0');
}

static void statuses_have_names(void **state) {
    (void)state;
    assert_string_equal(stoa_status_name(STOA_OK), "ok");
    assert_string_equal(stoa_status_name(STOA_NOT_FOUND), "not found");
    assert_string_equal(stoa_status_name(STOA_LIMIT), "limit");
    assert_string_equal(stoa_status_name(STOA_INTERNAL), "internal");
    assert_string_equal(stoa_status_name((stoa_status)99), "unknown");
    assert_string_equal(stoa_status_name((stoa_status)-1), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_has_status_and_message),
        cmocka_unit_test(everything_takes_no_error),
        cmocka_unit_test(contexts_stand_before_the_message),
        cmocka_unit_test(arguments_may_come_from_the_error_itself),
        cmocka_unit_test(cuts_fall_between_characters),
        cmocka_unit_test(a_message_that_just_fits_is_not_cut),
        cmocka_unit_test(bytes_that_are_no_text_do_not_confuse_the_cut),
        cmocka_unit_test(system_failures_become_statuses),
        cmocka_unit_test(statuses_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
