/* Where a bucket is: hosts and paths by style, region and endpoint, and where redirects may lead. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "vfs/s3.h"

static void assert_url(const char *endpoint, const char *region, stoa_s3_addressing addressing,
                       const char *bucket_name, const char *wanted) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = support_pool_open();
    struct s3_fs *fs = test_calloc(1, sizeof *fs);
    struct s3_bucket bucket = {0};
    struct s3_name name = {.key = "a/b c", .key_size = 5};
    const struct s3_call call = {.name = &name};
    char origin[S3_ORIGIN_BYTES], url[1024];
    stoa_buffer path = {.pool = pool};
    fs->settings.endpoint = (char *)endpoint;
    fs->settings.addressing = addressing;
    (void)snprintf(bucket.region, sizeof bucket.region, "%s", region);
    (void)snprintf(bucket.name, sizeof bucket.name, "%s", bucket_name);
    assert_ok(stoa_s3_url_make(fs, &call, &bucket, origin, &path, &err), err);
    (void)snprintf(url, sizeof url, "%s%.*s", origin, (int)path.size, (const char *)path.data);
    assert_string_equal(url, wanted);
    stoa_buffer_release(&path);
    test_free(fs);
    support_pool_close(pool);
}

static void addresses_follow_bucket_region_and_style(void **state) {
    (void)state;
    const stoa_s3_addressing automatic = STOA_S3_ADDRESSING_AUTO;
    const stoa_s3_addressing path = STOA_S3_ADDRESSING_PATH;
    const stoa_s3_addressing host = STOA_S3_ADDRESSING_VIRTUAL;
    assert_url(NULL, "eu-west-1", automatic, "lake",
               "https://lake.s3.eu-west-1.amazonaws.com/a/b%20c");
    assert_url(NULL, "eu-west-1", path, "lake", "https://s3.eu-west-1.amazonaws.com/lake/a/b%20c");
    assert_url(NULL, "cn-north-1", automatic, "lake",
               "https://lake.s3.cn-north-1.amazonaws.com.cn/a/b%20c");
    /* A certificate for *.s3… does not cover two labels. */
    assert_url(NULL, "us-east-1", automatic, "my.lake",
               "https://s3.us-east-1.amazonaws.com/my.lake/a/b%20c");
    assert_url("http://store:9000", "r", automatic, "lake", "http://store:9000/lake/a/b%20c");
    assert_url("http://store:9000", "r", host, "my.lake", "http://my.lake.store:9000/a/b%20c");
    assert_url("https://store:443", "r", host, "lake", "https://lake.store/a/b%20c");
    assert_url("http://store:80", "r", host, "Lake_", "http://store/Lake_/a/b%20c");
}

static void redirects_stay_within_the_endpoint(void **state) {
    (void)state;
    struct s3_fs *fs = test_calloc(1, sizeof *fs);
    char out[S3_ORIGIN_BYTES];
    const char *const amazon = "https://lake.s3.us-east-1.amazonaws.com";
    assert_true(
        stoa_s3_redirect_origin(fs, amazon, "https://lake.s3-us-west-2.amazonaws.com/k?q", out));
    assert_string_equal(out, "https://lake.s3-us-west-2.amazonaws.com");
    assert_false(stoa_s3_redirect_origin(fs, amazon, "http://lake.s3.amazonaws.com/k", out));
    assert_false(stoa_s3_redirect_origin(fs, amazon, "https://evilamazonaws.com/k", out));
    assert_false(stoa_s3_redirect_origin(fs, amazon, "https://amazonaws.com.evil.example/k", out));
    assert_false(stoa_s3_redirect_origin(fs, amazon, "https://u@s3.amazonaws.com/k", out));
    assert_false(stoa_s3_redirect_origin(fs, amazon, "/relative", out));
    fs->settings.endpoint = (char *)"http://store:9000";
    assert_true(stoa_s3_redirect_origin(fs, "http://store:9000", "http://b.store:9001/k", out));
    assert_true(stoa_s3_redirect_origin(fs, "http://store:9000", "https://store/k", out));
    assert_false(stoa_s3_redirect_origin(fs, "http://store:9000", "http://other:9000/k", out));
    test_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_follow_bucket_region_and_style),
        cmocka_unit_test(redirects_stay_within_the_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
