/* Signatures against what AWS published: the cases of its signing test suite, and the examples of
 * the S3 reference, with the signatures printed there. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "vfs/sigv4.h"

static const char suite_key[] = "AKIDEXAMPLE";
static const char suite_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static const char s3_key[] = "AKIAIOSFODNN7EXAMPLE";
static const char s3_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#define EVERY_UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

struct suite_case {
    const char *name;
    const char *method;
    const char *path;
    const char *query;
    const char *headers[4];
    const char *body;
    const char *signature;
};

static const struct suite_case suite[] = {
    {"get-vanilla",
     "GET",
     "/",
     "",
     {0},
     "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case",
     "GET",
     "/",
     "Param2=value2&Param1=value1",
     {0},
     "",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-order-value",
     "GET",
     "/",
     "Param1=value2&Param1=value1",
     {0},
     "",
     "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
    {"get-vanilla-empty-query-key",
     "GET",
     "/",
     "Param1=value1",
     {0},
     "",
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-unreserved",
     "GET",
     "/",
     EVERY_UNRESERVED "=" EVERY_UNRESERVED,
     {0},
     "",
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-unreserved",
     "GET",
     "/" EVERY_UNRESERVED,
     "",
     {0},
     "",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/%E1%88%B4",
     "",
     {0},
     "",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-header-value-trim",
     "GET",
     "/",
     "",
     {"My-Header1: value1", "My-Header2:  \"a   b   c\""},
     "",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-header-key-duplicate",
     "GET",
     "/",
     "",
     {"My-Header1:value2", "My-Header1:value2", "My-Header1:value1"},
     "",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"post-vanilla",
     "POST",
     "/",
     "",
     {0},
     "",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-vanilla-query",
     "POST",
     "/",
     "Param1=value1",
     {0},
     "",
     "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
    {"post-header-key-sort",
     "POST",
     "/",
     "",
     {"My-Header1:value1"},
     "",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {"post-header-value-case",
     "POST",
     "/",
     "",
     {"My-Header1:VALUE1"},
     "",
     "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "",
     {"Content-Type:application/x-www-form-urlencoded"},
     "Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

static void assert_signed(const stoa_sigv4_request *request, const char *key, const char *secret,
                          const char *signature, const char *name) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_buffer out = {.pool = pool};
    const char *text = NULL;
    assert_ok(stoa_sigv4_authorize(request, key, secret, &out, &err), err);
    assert_ok(stoa_buffer_text(&out, &text, &err), err);
    const char *found = strstr(text, "Signature=");
    assert_non_null(found);
    if (strcmp(found + strlen("Signature="), signature) != 0) {
        print_error("%s\n", name);
    }
    assert_string_equal(found + strlen("Signature="), signature);
    stoa_buffer_release(&out);
    support_pool_close(pool);
}

static void the_test_suite_of_aws_is_signed_alike(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof suite / sizeof suite[0]; i++) {
        const struct suite_case *one = &suite[i];
        const char *headers[8] = {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"};
        size_t count = 2;
        for (size_t j = 0; j < 4 && one->headers[j] != NULL; j++) {
            headers[count++] = one->headers[j];
        }
        char hash[STOA_SIGV4_HASH_BYTES];
        stoa_sigv4_hash(one->body, strlen(one->body), hash);
        const stoa_sigv4_request request = {one->method, one->path, one->query,
                                            headers,     count,     hash,
                                            "us-east-1", "service", "20150830T123600Z"};
        assert_signed(&request, suite_key, suite_secret, one->signature, one->name);
    }
}

struct s3_case {
    const char *method;
    const char *path;
    const char *query;
    const char *headers[3];
    const char *body;
    const char *signature;
};

static const struct s3_case s3_examples[] = {
    {"GET",
     "/test.txt",
     "",
     {"Range: bytes=0-9"},
     "",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT",
     "/test%24file.text",
     "",
     {"Date: Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class: REDUCED_REDUNDANCY"},
     "Welcome to Amazon S3.",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET",
     "/",
     "lifecycle",
     {0},
     "",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET",
     "/",
     "prefix=J&max-keys=2",
     {0},
     "",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void the_examples_of_the_s3_reference_are_signed_alike(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof s3_examples / sizeof s3_examples[0]; i++) {
        const struct s3_case *one = &s3_examples[i];
        char hash[STOA_SIGV4_HASH_BYTES], hash_header[128];
        stoa_sigv4_hash(one->body, strlen(one->body), hash);
        (void)snprintf(hash_header, sizeof hash_header, "x-amz-content-sha256: %s", hash);
        const char *headers[8] = {"Host: examplebucket.s3.amazonaws.com",
                                  "x-amz-date: 20130524T000000Z", hash_header};
        size_t count = 3;
        for (size_t j = 0; j < 3 && one->headers[j] != NULL; j++) {
            headers[count++] = one->headers[j];
        }
        const stoa_sigv4_request request = {one->method, one->path, one->query,
                                            headers,     count,     hash,
                                            "us-east-1", "s3",      "20130524T000000Z"};
        assert_signed(&request, s3_key, s3_secret, one->signature, one->path);
    }
}

static void dates_and_hashes_are_written_as_signatures_want_them(void **state) {
    (void)state;
    char date[STOA_SIGV4_DATE_BYTES], hash[STOA_SIGV4_HASH_BYTES];
    stoa_sigv4_date(0, date);
    assert_string_equal(date, "19700101T000000Z");
    stoa_sigv4_date(1369353600, date);
    assert_string_equal(date, "20130524T000000Z");
    stoa_sigv4_date(1709251199, date);
    assert_string_equal(date, "20240229T235959Z");
    stoa_sigv4_hash("", 0, hash);
    assert_string_equal(hash, empty_hash);
}

static void every_byte_but_unreserved_ones_is_encoded(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    stoa_buffer out = {.pool = pool};
    const char *text = NULL;
    assert_ok(stoa_sigv4_encode(&out, "a b+c=%/\xC3\xBC~\n", 12, true, &err), err);
    assert_ok(stoa_sigv4_encode(&out, "/", 1, false, &err), err);
    assert_ok(stoa_buffer_text(&out, &text, &err), err);
    assert_string_equal(text, "a%20b%2Bc%3D%25/%C3%BC~%0A%2F");
    stoa_buffer_release(&out);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_test_suite_of_aws_is_signed_alike),
        cmocka_unit_test(the_examples_of_the_s3_reference_are_signed_alike),
        cmocka_unit_test(dates_and_hashes_are_written_as_signatures_want_them),
        cmocka_unit_test(every_byte_but_unreserved_ones_is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
