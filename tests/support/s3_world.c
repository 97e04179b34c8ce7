/* Worlds with an S3 server behind them. The environment of AWS is taken away first, so that no test
 * depends on who runs it, or reaches anything of theirs. */
#include "s3_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVER_ARGUMENTS_MAX = 24 };

bool s3_world_is_real(void) {
    const char *kind = getenv("STOA_TEST_S3");
    return kind != NULL && strcmp(kind, "real") == 0;
}

static void clear_environment(void) {
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID",   "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",   "AWS_REGION",
        "AWS_DEFAULT_REGION",  "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3", "AWS_NO_SIGN_REQUEST",
        "AWS_CA_BUNDLE",       "AWS_MAX_ATTEMPTS",
        "http_proxy",          "https_proxy",
        "all_proxy",           "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    (void)setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
}

static const char *kept(const char *name) {
    const char *value = getenv(name);
    assert_non_null(value);
    return strdup(value);
}

/* The settings of a real server, read before the environment goes. */
static const char *real_endpoint, *real_key, *real_secret, *real_region;

static void open_real(s3_world *world) {
    static int count;
    if (real_endpoint == NULL) {
        real_endpoint = kept("AWS_ENDPOINT_URL");
        real_key = kept("AWS_ACCESS_KEY_ID");
        real_secret = kept("AWS_SECRET_ACCESS_KEY");
        real_region = kept("AWS_REGION");
    }
    const char *bucket = getenv("STOA_TEST_S3_BUCKET");
    assert_non_null(bucket);
    world->is_real = true;
    (void)snprintf(world->endpoint, sizeof world->endpoint, "%s", real_endpoint);
    (void)snprintf(world->base, sizeof world->base, "s3://%s/run-%ld-%d", bucket, (long)getpid(),
                   ++count);
    world->options.access_key_id = real_key;
    world->options.secret_access_key = real_secret;
    world->options.region = real_region;
}

static void open_own(s3_world *world, const char *const *arguments) {
    const char *argv[SERVER_ARGUMENTS_MAX] = {"python3", "tests/support/s3_server.py",
                                              "--plan",  world->plan,
                                              "--log",   world->log};
    size_t count = 6;
    bool is_tls = false;
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
        is_tls |= strcmp(arguments[i], "--tls") == 0;
        assert_true(count + 1 < SERVER_ARGUMENTS_MAX);
        argv[count++] = arguments[i];
    }
    support_server_open(&world->server, argv);
    (void)snprintf(world->endpoint, sizeof world->endpoint, "%s:%d",
                   is_tls ? "https://localhost" : "http://127.0.0.1", world->server.port);
    (void)snprintf(world->base, sizeof world->base, "s3://lake/base");
    world->options.access_key_id = "stoatestkey";
    world->options.secret_access_key = "stoa-test-secret-0123456789";
    world->options.region = "us-east-1";
}

void s3_world_open(s3_world *world, const char *const *arguments) {
    char directory[SUPPORT_PATH_BYTES];
    *world = (s3_world){.err = STOA_ERROR_NONE};
    support_temp_directory(directory);
    (void)snprintf(world->plan, sizeof world->plan, "%s/plan", directory);
    (void)snprintf(world->log, sizeof world->log, "%s/log", directory);
    if (s3_world_is_real()) {
        open_real(world);
    } else {
        open_own(world, arguments);
    }
    clear_environment();
    world->options.endpoint = world->endpoint;
    world->pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &world->err), world->err);
    s3_world_register(world, "s3");
}

void s3_world_register(s3_world *world, const char *scheme) {
    stoa_fs fs;
    assert_ok(stoa_fs_s3_create(world->pool, &world->options, &fs, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, scheme, fs, &world->err), world->err);
}

void s3_world_close(s3_world *world) {
    if (world->is_real) {
        assert_ok(stoa_vfs_remove_tree(world->registry, world->base, NULL, &world->err),
                  world->err);
    }
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
    if (!world->is_real) {
        support_server_close(&world->server);
    }
}

void s3_world_plan(s3_world *world, const char *lines) {
    static int count;
    char path[SUPPORT_PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s.%d", world->plan, ++count);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
    /* A rename gives the file another number, so that the server sees it as new. */
    assert_int_equal(rename(path, world->plan), 0);
    (void)unlink(world->log);
}

int s3_world_count(s3_world *world, const char *beginning) {
    char line[4096];
    int count = 0;
    FILE *file = fopen(world->log, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        count += strncmp(line, beginning, strlen(beginning)) == 0 ? 1 : 0;
    }
    (void)fclose(file);
    return count;
}

const char *s3_world_at(s3_world *world, const char *name) {
    static char texts[4][S3_URI_BYTES];
    static int next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, S3_URI_BYTES, "%s/%s", world->base, name);
    return text;
}

void s3_world_put(s3_world *world, const char *name, const void *bytes, size_t size) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world->registry, s3_world_at(world, name), STOA_OPEN_REPLACE, NULL,
                            &file, &world->err),
              world->err);
    assert_ok(stoa_file_write(file, bytes, size, &world->err), world->err);
    assert_ok(stoa_file_sync(file, &world->err), world->err);
    stoa_file_close(file);
}

void s3_world_assert_holds(s3_world *world, const char *name, const void *bytes, size_t size) {
    stoa_buffer read;
    assert_ok(stoa_vfs_read_all(world->registry, s3_world_at(world, name), NULL, size + 1,
                                world->pool, &read, &world->err),
              world->err);
    assert_int_equal(read.size, size);
    if (size > 0) {
        assert_memory_equal(read.data, bytes, size);
    }
    stoa_buffer_release(&read);
}
