/* Worlds with an S3 server behind them: tests/support/s3_server.py, which checks signatures and does
 * wrong on purpose; or the server that AWS_ENDPOINT_URL names when STOA_TEST_S3 is "real". */
#ifndef STOA_TESTS_S3_WORLD_H
#define STOA_TESTS_S3_WORLD_H

#include <stoa/s3.h>

#include "server.h"
#include "support.h"

enum { S3_URI_BYTES = 1600 };

typedef struct s3_world {
    support_server server;
    bool is_real;
    char plan[SUPPORT_PATH_BYTES + 16];
    char log[SUPPORT_PATH_BYTES + 16];
    char endpoint[64];
    char base[128]; /* "s3://bucket/something-of-its-own" */
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_s3_options options;
    stoa_error err;
} s3_world;

/// True when the tests run against another server, which does no wrong when asked to.
bool s3_world_is_real(void);
/// `arguments` (nullable, NULL at the end) are more ones of the server's.
void s3_world_open(s3_world *world, const char *const *arguments);
void s3_world_close(s3_world *world);
/// Puts another file system of that scheme into the registry, made with `world->options`.
void s3_world_register(s3_world *world, const char *scheme);
/// What goes wrong from now on: lines as s3_server.py describes them; "": nothing.
void s3_world_plan(s3_world *world, const char *lines);
/// How many requests that begin so ("GET /lake/") the server has seen since the last plan.
int s3_world_count(s3_world *world, const char *beginning);
/// The URI of a name below the base; four are alive at a time.
const char *s3_world_at(s3_world *world, const char *name);
void s3_world_put(s3_world *world, const char *name, const void *bytes, size_t size);
void s3_world_assert_holds(s3_world *world, const char *name, const void *bytes, size_t size);

#endif
