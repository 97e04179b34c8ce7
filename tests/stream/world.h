/* A database in a directory of its own with a stream backend, for tests. */
#ifndef STOA_TESTS_STREAM_WORLD_H
#define STOA_TESTS_STREAM_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/stream.h>

#include "support.h"

struct world {
    stoa_pool *pool;
    char directory[SUPPORT_PATH_BYTES];
    stoa_database *database;
    stoa_stream_backend *backend;
};

static inline stoa_database *world_database(struct world *world, const char *directory) {
    const stoa_database_options options = {.create = true,
                                           .threads = 1,
                                           .parent_pool = world->pool};
    stoa_database *database;
    stoa_error err;
    assert_ok(stoa_database_open(directory, &options, &database, &err), err);
    return database;
}

static inline void world_open(struct world *world, const stoa_stream_backend_options *options) {
    stoa_error err;
    world->database = world_database(world, world->directory);
    assert_ok(stoa_stream_backend_open(world->database, options, &world->backend, &err), err);
}

static inline void world_close(struct world *world) {
    stoa_stream_backend_close(world->backend);
    stoa_database_close(world->database);
}

static inline int world_begin(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->pool = support_pool_open();
    support_temp_directory(world->directory);
    world_open(world, &(stoa_stream_backend_options){.name = "job", .group_count = 8});
    *state = world;
    return 0;
}

static inline int world_end(void **state) {
    struct world *world = *state;
    world_close(world);
    support_pool_close(world->pool);
    free(world);
    return 0;
}

/// Closes everything and opens it again.
static inline void world_reopen(struct world *world) {
    world_close(world);
    world_open(world, &(stoa_stream_backend_options){.name = "job", .group_count = 8});
}

static inline stoa_stream_state *world_state(struct world *world,
                                             const stoa_stream_descriptor *descriptor) {
    stoa_stream_state *state;
    stoa_error err;
    assert_ok(stoa_stream_state_open(world->backend, descriptor, &state, &err), err);
    return state;
}

#define ok(expression) assert_ok(expression, err)
#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

#endif
