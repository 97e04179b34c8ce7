/* What is secret in URIs does not reach a message. */
#include "support.h"

#include <string.h>

#include "base/error.h"
#include "base/secret.h"

static void assert_shows(const char *uri, const char *wanted) {
    char buffer[STOA_URI_SHOWN_BYTES];
    assert_string_equal(stoa_secret_show(uri, buffer), wanted);
}

static void passwords_and_signatures_are_masked(void **state) {
    (void)state;
    assert_shows("https://me:word@host/a", "https://me:***@host/a");
    assert_shows("https://me:w@rd@host/a", "https://me:***@host/a");
    assert_shows("https://me:pass word'@host/a", "https://me:***@host/a");
    assert_shows("https://token@host", "https://***@host");
    assert_shows("https://host/a?sig=abc&x=1", "https://host/a?sig=***&x=1");
    assert_shows("https://host/a?x=1&X-Amz-Signature=abc",
                 "https://host/a?x=1&X-Amz-Signature=***");
    assert_shows("https://host/a?x=1;access_token=abc;y=2",
                 "https://host/a?x=1;access_token=***;y=2");
    assert_shows("https://me:w@host/a?AWSAccessKeyId=abc",
                 "https://me:***@host/a?AWSAccessKeyId=***");
}

static void what_is_not_secret_stays(void **state) {
    static const char *const uris[] = {
        "/a/b?token=1",
        "a",
        "",
        "://",
        "://token@x",
        "https://host/a@b:c?x=y",
        "https://host?",
        "https://host/a?x",
        "https://host/a?&&",
        "s3://bucket/key=1/f.parquet",
        "C:\\a",
    };
    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        assert_shows(uris[i], uris[i]);
    }
}

static void a_long_uri_is_cut(void **state) {
    char uri[3 * STOA_URI_SHOWN_BYTES], buffer[STOA_URI_SHOWN_BYTES];
    (void)state;
    memset(uri, 'a', sizeof uri);
    uri[sizeof uri - 1] = '\0';
    memcpy(uri, "https://a:b@", 12);
    const char *shown = stoa_secret_show(uri, buffer);
    assert_int_equal(strlen(shown), STOA_URI_SHOWN_BYTES - 1);
    assert_int_equal(strncmp(shown, "https://a:***@aaa", 17), 0);
}

static void messages_are_masked_wherever_they_are_made(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    (void)state;
    assert_fails(stoa_fail(&err, STOA_IO, "no 'https://u:p@h/?sig=s', no http://u:p@g"), STOA_IO,
                 "no 'https://u:***@h/?sig=***', no http://u:***@g", err);
    stoa_wrap(&err, "reading 'http://h/?token=t'");
    assert_non_null(strstr(err.message, "reading 'http://h/?token=***': no"));
    stoa_error_set_file(&err, "http://u:p@h/f", 3);
    assert_string_equal(err.file, "http://u:***@h/f");
}

/* Whatever the text, and however little room there is for the masks. */
static void masking_stays_within_its_room(void **state) {
    static const char *const texts[] = {
        "a://:@",     "a://@a://@a://@a://@", "http://h?key=&key=&key=&key=",
        "://://@://", "x://y?sig=1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t length = strlen(texts[i]);
        for (size_t room = length + 1; room < length + 20; room++) {
            char *text = test_malloc(room);
            memcpy(text, texts[i], length + 1);
            stoa_secret_mask(text, room);
            assert_true(strlen(text) < room);
            test_free(text);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_and_signatures_are_masked),
        cmocka_unit_test(what_is_not_secret_stays),
        cmocka_unit_test(a_long_uri_is_cut),
        cmocka_unit_test(messages_are_masked_wherever_they_are_made),
        cmocka_unit_test(masking_stays_within_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
