/* Credentials and settings are found where the tools of AWS find them, and in their order. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/aws_settings.h"

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_NO_SIGN_REQUEST",
    "AWS_CA_BUNDLE",
    "AWS_MAX_ATTEMPTS",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "HOME",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
};

struct world {
    stoa_pool *pool;
    stoa_aws_settings settings;
    stoa_error err;
    char directory[SUPPORT_PATH_BYTES];
};

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
    world->pool = support_pool_open();
    world->err = (stoa_error)STOA_ERROR_NONE;
    support_temp_directory(world->directory);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    stoa_aws_settings_release(&world->settings);
    support_pool_close(world->pool);
    test_free(world);
    return 0;
}

static void put_file(struct world *world, const char *variable, const char *text) {
    char path[SUPPORT_PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", world->directory, variable);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv(variable, path, 1), 0);
}

static void set(const char *name, const char *value) {
    assert_int_equal(setenv(name, value, 1), 0);
}

static stoa_status load(struct world *world, const stoa_s3_options *options) {
    stoa_aws_settings_release(&world->settings);
    return stoa_aws_settings_load(world->pool, options, &world->settings, &world->err);
}

static void the_environment_is_enough(void **state) {
    struct world *world = *state;
    set("AWS_ACCESS_KEY_ID", "id");
    set("AWS_SECRET_ACCESS_KEY", "secret");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "id");
    assert_string_equal(world->settings.secret_access_key, "secret");
    assert_null(world->settings.session_token);
    assert_string_equal(world->settings.region, "us-east-1");
    assert_null(world->settings.endpoint);
    assert_int_equal(world->settings.max_attempts, 5);
    set("AWS_SESSION_TOKEN", "token");
    set("AWS_DEFAULT_REGION", "eu-west-1");
    set("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/");
    set("AWS_MAX_ATTEMPTS", "3");
    set("AWS_CA_BUNDLE", "/ca.pem");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.session_token, "token");
    assert_string_equal(world->settings.region, "eu-west-1");
    assert_string_equal(world->settings.endpoint, "http://127.0.0.1:9000");
    assert_string_equal(world->settings.ca_file, "/ca.pem");
    assert_int_equal(world->settings.max_attempts, 3);
    set("AWS_REGION", "eu-west-2");
    set("AWS_ENDPOINT_URL_S3", "https://s3.example");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.region, "eu-west-2");
    assert_string_equal(world->settings.endpoint, "https://s3.example");
    set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    assert_ok(load(world, NULL), world->err);
    assert_null(world->settings.endpoint);
}

static const char config[] = "\xEF\xBB\xBF# comment\n"
                             "[default]\n"
                             "region = eu-north-1 ; comment\n"
                             "[profile work]\r\n"
                             "region=ap-south-1\r\n"
                             "endpoint_url = http://general\n"
                             "max_attempts = 7\n"
                             "s3 =\n"
                             "  addressing_style = path\n"
                             "\tmax_concurrent_requests = 3\n"
                             "ca_bundle = /w.pem\n"
                             "[ profile   spaced ]\n"
                             "services = mine\n"
                             "s3 =\n"
                             "  addressing_style = virtual\n"
                             "[services mine]\n"
                             "s3 =\n"
                             "  endpoint_url = https://from.services\n"
                             "[profile keys]\n"
                             "aws_access_key_id = config-id\n"
                             "aws_secret_access_key = config-secret\n"
                             "[profile role]\n"
                             "role_arn = arn:aws:iam::1:role/r\n"
                             "[broken\n"
                             "region = nowhere\n";
static const char credentials[] = "[default]\n"
                                  "aws_access_key_id = default-id\n"
                                  "aws_secret_access_key = default/secret+x=\n"
                                  "[work]\n"
                                  "AWS_ACCESS_KEY_ID = work-id\n"
                                  "aws_secret_access_key = work-secret\n"
                                  "aws_session_token = work-token\n"
                                  "[spaced]\n"
                                  "aws_access_key_id = spaced-id\n"
                                  "aws_secret_access_key = spaced-secret\n"
                                  "[half]\n"
                                  "aws_access_key_id = half-id\n";

static void put_files(struct world *world) {
    put_file(world, "AWS_CONFIG_FILE", config);
    put_file(world, "AWS_SHARED_CREDENTIALS_FILE", credentials);
}

static void profiles_hold_all_settings(void **state) {
    struct world *world = *state;
    put_files(world);
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "default-id");
    assert_string_equal(world->settings.secret_access_key, "default/secret+x=");
    assert_string_equal(world->settings.region, "eu-north-1");
    set("AWS_PROFILE", "work");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "work-id");
    assert_string_equal(world->settings.session_token, "work-token");
    assert_string_equal(world->settings.region, "ap-south-1");
    assert_string_equal(world->settings.endpoint, "http://general");
    assert_string_equal(world->settings.ca_file, "/w.pem");
    assert_int_equal(world->settings.addressing, STOA_S3_ADDRESSING_PATH);
    assert_int_equal(world->settings.max_attempts, 7);
    set("AWS_PROFILE", "spaced");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "spaced-id");
    assert_null(world->settings.session_token);
    assert_string_equal(world->settings.endpoint, "https://from.services");
    assert_int_equal(world->settings.addressing, STOA_S3_ADDRESSING_VIRTUAL);
    set("AWS_PROFILE", "keys");
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "config-id");
}

static void nearer_places_go_first(void **state) {
    struct world *world = *state;
    put_files(world);
    set("AWS_PROFILE", "work");
    set("AWS_ACCESS_KEY_ID", "env-id");
    set("AWS_SECRET_ACCESS_KEY", "env-secret");
    assert_ok(load(world, NULL), world->err);
    /* Keys come as a pair: the profile's token does not belong to them. */
    assert_string_equal(world->settings.access_key_id, "env-id");
    assert_null(world->settings.session_token);
    assert_string_equal(world->settings.region, "ap-south-1");
    stoa_s3_options options = {.profile = "spaced"};
    assert_ok(load(world, &options), world->err);
    assert_string_equal(world->settings.access_key_id, "spaced-id");
    options = (stoa_s3_options){.access_key_id = "own",
                                .secret_access_key = "own-secret",
                                .region = "own-region",
                                .endpoint = "http://own:1",
                                .max_attempts = 2,
                                .addressing = STOA_S3_ADDRESSING_VIRTUAL};
    assert_ok(load(world, &options), world->err);
    assert_string_equal(world->settings.access_key_id, "own");
    assert_string_equal(world->settings.region, "own-region");
    assert_string_equal(world->settings.endpoint, "http://own:1");
    assert_int_equal(world->settings.max_attempts, 2);
    assert_int_equal(world->settings.addressing, STOA_S3_ADDRESSING_VIRTUAL);
}

static void asking_without_keys_must_be_said(void **state) {
    struct world *world = *state;
    assert_fails(load(world, NULL), STOA_INVALID, "no credentials", world->err);
    set("AWS_NO_SIGN_REQUEST", "true");
    assert_ok(load(world, NULL), world->err);
    assert_true(world->settings.is_anonymous);
    (void)unsetenv("AWS_NO_SIGN_REQUEST");
    assert_ok(load(world, &(stoa_s3_options){.is_anonymous = true}), world->err);
    assert_null(world->settings.access_key_id);
}

static void mistakes_are_told_without_secrets(void **state) {
    struct world *world = *state;
    put_files(world);
    set("AWS_PROFILE", "nobody");
    assert_fails(load(world, NULL), STOA_INVALID, "'nobody'", world->err);
    set("AWS_PROFILE", "half");
    assert_fails(load(world, NULL), STOA_INVALID, "an access key id without", world->err);
    assert_null(strstr(world->err.message, "half-id"));
    set("AWS_PROFILE", "role");
    assert_fails(load(world, NULL), STOA_UNSUPPORTED, "role_arn", world->err);
    (void)unsetenv("AWS_PROFILE");
    set("AWS_SECRET_ACCESS_KEY", "alone");
    assert_fails(load(world, NULL), STOA_INVALID, "without its access key id", world->err);
    assert_null(strstr(world->err.message, "alone"));
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    static const char *const wrong[][3] = {
        {"AWS_REGION", "eu west", "region"},
        {"AWS_REGION", "eu/../x", "region"},
        {"AWS_ENDPOINT_URL", "localhost:9000", "endpoint"},
        {"AWS_ENDPOINT_URL", "http://", "endpoint"},
        {"AWS_ENDPOINT_URL", "http://host/path", "endpoint"},
        {"AWS_ENDPOINT_URL", "http://user:hidden@host", "endpoint"},
        {"AWS_ENDPOINT_URL", "http://ho\nst", "endpoint"},
        {"AWS_MAX_ATTEMPTS", "many", "attempts"},
        {"AWS_MAX_ATTEMPTS", "0", "attempts"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set(wrong[i][0], wrong[i][1]);
        assert_fails(load(world, NULL), STOA_INVALID, wrong[i][2], world->err);
        assert_null(strstr(world->err.message, "hidden"));
        (void)unsetenv(wrong[i][0]);
    }
    assert_fails(load(world,
                      &(stoa_s3_options){.access_key_id = "a\nHost: b", .secret_access_key = "s"}),
                 STOA_INVALID, "byte 0x0a", world->err);
}

static void home_is_where_files_are(void **state) {
    struct world *world = *state;
    char path[SUPPORT_PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "mkdir -p '%s/.aws'", world->directory);
    assert_int_equal(system(path), 0);
    put_file(world, ".aws/credentials", credentials);
    set("HOME", world->directory);
    assert_ok(load(world, NULL), world->err);
    assert_string_equal(world->settings.access_key_id, "default-id");
    set("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
    assert_ok(load(world, NULL), world->err);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_environment_is_enough),
        TEST(profiles_hold_all_settings),
        TEST(nearer_places_go_first),
        TEST(asking_without_keys_must_be_said),
        TEST(mistakes_are_told_without_secrets),
        TEST(home_is_where_files_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
