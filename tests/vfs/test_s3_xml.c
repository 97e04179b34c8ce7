/* What S3 answers in XML: pages, refusals, times, and documents that are none of these. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "vfs/s3_xml.h"

struct told {
    char text[1024];
};

static stoa_status tell(void *user, const stoa_s3_entry *entry, stoa_error *err) {
    struct told *told = user;
    size_t length = strlen(told->text);
    (void)err;
    (void)snprintf(told->text + length, sizeof told->text - length, "%s|%s|%d|%lld|%d\n",
                   entry->key, entry->etag, (int)entry->size, (long long)entry->modified_ms,
                   entry->is_prefix);
    return STOA_OK;
}

static void pages_are_told_entry_by_entry(void **state) {
    (void)state;
    static const char page[] =
        "<?xml version=\"1.0\"?>\n"
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Prefix>x</Prefix>"
        "<Contents><Key>a%2Fb+c%2B&amp;</Key><LastModified>2026-03-01T12:30:45.678Z</LastModified>"
        "<ETag>&quot;e&quot;</ETag><Size>12</Size><Owner><ID>Key</ID></Owner></Contents>"
        "<Contents><Key>d</Key><Size>0</Size></Contents>"
        "<CommonPrefixes><Prefix>p%C3%BC/</Prefix></CommonPrefixes>"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>t/=</NextContinuationToken>"
        "<EncodingType>url</EncodingType></ListBucketResult>";
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_buffer token = {.pool = pool};
    struct told told = {""};
    assert_ok(stoa_s3_page_read(pool, page, sizeof page - 1, tell, &told, &token, &err), err);
    assert_string_equal(told.text,
                        "a/b c+&|\"e\"|12|1772368245678|0\nd||0|0|0\np\xC3\xBC/||0|0|1\n");
    assert_int_equal(token.size, 3);
    assert_memory_equal(token.data, "t/=", 3);
    stoa_buffer_release(&token);
    support_pool_close(pool);
}

static void refusals_are_cut_and_cleaned(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_s3_refusal refusal;
    char text[2048] = "<Error><Code>No&#10;Key</Code><Region>eu</Region><Message>";
    assert_true(stoa_s3_refusal_read(pool, "<Error><Code>A</Code></Error>", 29, &refusal));
    assert_string_equal(refusal.code, "A");
    for (size_t i = 0; i < 600; i++) {
        strcat(text, "\xC3\xBC");
    }
    strcat(text, "</Message></Error>");
    assert_true(stoa_s3_refusal_read(pool, text, strlen(text), &refusal));
    assert_string_equal(refusal.code, "No Key");
    assert_string_equal(refusal.region, "eu");
    assert_int_equal(strlen(refusal.message), 254);
    assert_false(stoa_s3_refusal_read(pool, "", 0, &refusal));
    assert_false(stoa_s3_refusal_read(pool, "<html><Code>A</Code></html>", 27, &refusal));
    assert_false(stoa_s3_refusal_read(pool, "<Error><Code>A</Code>", 21, &refusal));
    support_pool_close(pool);
}

static stoa_status ignore(void *user, const char *path, const char *text, stoa_error *err) {
    (void)user;
    (void)path;
    (void)text;
    (void)err;
    return STOA_OK;
}

static void documents_without_end_are_refused(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_buffer text = {.pool = pool};
    for (int i = 0; i < 100000; i++) {
        assert_ok(stoa_buffer_append_text(&text, "<a>", &err), err);
    }
    assert_fails(stoa_s3_xml_read(pool, text.data, text.size, ignore, NULL, &err), STOA_CORRUPT,
                 "without end", err);
    stoa_buffer_clear(&text);
    assert_ok(stoa_buffer_append_text(&text, "<a>", &err), err);
    assert_ok(stoa_buffer_append_fill(&text, 'x', 1 << 20, &err), err);
    assert_fails(stoa_s3_xml_read(pool, text.data, text.size, ignore, NULL, &err), STOA_CORRUPT,
                 "a text without end", err);
    stoa_buffer_clear(&text);
    assert_ok(stoa_buffer_append_text(&text, "<a>", &err), err);
    for (int i = 0; i < 70000; i++) {
        assert_ok(stoa_buffer_append_text(&text, "<b/>", &err), err);
    }
    assert_fails(stoa_s3_xml_read(pool, text.data, text.size, ignore, NULL, &err), STOA_CORRUPT,
                 "too many elements", err);
    static const char laughs[] = "<!DOCTYPE a [<!ENTITY x 'y'><!ENTITY z '&x;&x;'>]><a>&z;</a>";
    assert_fails(stoa_s3_xml_read(pool, laughs, sizeof laughs - 1, ignore, NULL, &err),
                 STOA_CORRUPT, "document type", err);
    assert_fails(stoa_s3_xml_read(pool, "<a>\0</a>", 8, ignore, NULL, &err), STOA_CORRUPT, "no XML",
                 err);
    stoa_buffer_release(&text);
    support_pool_close(pool);
}

static void keys_are_decoded_or_refused(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_buffer text = {.pool = pool};
    assert_ok(stoa_s3_decode(&text, "a+b%2b%2F%ff", &err), err);
    assert_int_equal(text.size, 6);
    assert_memory_equal(text.data, "a b+/\xFF", 6);
    static const char *const bad[] = {"%", "%1", "%zz", "a%00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(stoa_s3_decode(&text, bad[i], &err), STOA_CORRUPT, bad[i], err);
    }
    stoa_buffer_release(&text);
    support_pool_close(pool);
}

static void times_are_read_or_unknown(void **state) {
    (void)state;
    assert_int_equal(stoa_s3_time_parse("1970-01-01T00:00:01Z"), 1000);
    assert_int_equal(stoa_s3_time_parse("2026-03-01T12:30:45.5Z"), INT64_C(1772368245500));
    assert_int_equal(stoa_s3_time_parse("2026-13-01T12:30:45Z"), 0);
    assert_int_equal(stoa_s3_time_parse("2026"), 0);
    assert_int_equal(stoa_s3_time_parse(""), 0);
    assert_int_equal(stoa_s3_date_parse("Fri, 24 May 2013 00:00:00 GMT"), INT64_C(1369353600000));
    assert_int_equal(stoa_s3_date_parse("Fri, 24 Mai 2013 00:00:00 GMT"), 0);
    assert_int_equal(stoa_s3_date_parse(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_told_entry_by_entry),
        cmocka_unit_test(refusals_are_cut_and_cleaned),
        cmocka_unit_test(documents_without_end_are_refused),
        cmocka_unit_test(keys_are_decoded_or_refused),
        cmocka_unit_test(times_are_read_or_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
