/* A cached memory file system whose requests are counted, for the tests of the cache. */
#ifndef STOA_TESTS_CACHE_WORLD_H
#define STOA_TESTS_CACHE_WORLD_H

#include "support.h"

#include <string.h>

#include "vfs/cache.h"
#include "vfs/counted.h"

enum { CACHE_BLOCK = 4096 };

struct cache_world {
    stoa_pool *pool;
    stoa_fs_registry *registry; /* "plain:" is the memory, "cached:" the same through the cache */
    stoa_fault *fault;
    stoa_counted *counted;
    stoa_cache *cache;
    stoa_error err;
    char directory[SUPPORT_PATH_BYTES];
    char warnings[512];
    int warning_count;
};

static inline void cache_world_warn(void *user, stoa_log_level level, const char *module,
                                    const char *message) {
    struct cache_world *world = user;
    (void)level, (void)module;
    strncat(world->warnings, message, sizeof world->warnings - strlen(world->warnings) - 1);
    world->warning_count++;
}

/* The byte at an offset of every file's content, by a seed. */
static inline uint8_t cache_world_byte(uint64_t offset, uint64_t seed) {
    return (uint8_t)((offset * 31 + offset / 4096 * 7 + seed) & 0xFF);
}

static inline void cache_world_put(struct cache_world *world, const char *uri, size_t size,
                                   uint64_t seed) {
    stoa_file *file = NULL;
    uint8_t *bytes = test_malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = cache_world_byte(i, seed);
    }
    assert_ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_REPLACE, NULL, &file, &world->err),
              world->err);
    assert_ok(stoa_file_write(file, bytes, size, &world->err), world->err);
    stoa_file_close(file);
    test_free(bytes);
}

/* Counted memory behind a cache in `world->directory`. */
static inline void cache_world_open(struct cache_world *world, uint64_t limit_bytes) {
    stoa_fs memory, faults, counted, fs;
    stoa_logger logger = {cache_world_warn, world, STOA_LOG_WARN};
    stoa_cache_options options = {.directory = world->directory,
                                  .limit_bytes = limit_bytes,
                                  .block_bytes = CACHE_BLOCK,
                                  .logger = &logger};
    stoa_error *err = &world->err;
    world->err = (stoa_error)STOA_ERROR_NONE;
    world->pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, err), *err);
    assert_ok(stoa_fs_memory_create(world->pool, &memory, err), *err);
    assert_ok(stoa_fs_fault_create(world->pool, memory, &faults, &world->fault, err), *err);
    assert_ok(stoa_fs_counted_create(world->pool, faults, &counted, &world->counted, err), *err);
    assert_ok(stoa_cache_create(world->pool, &options, &world->cache, err), *err);
    assert_ok(stoa_fs_cached_create(world->pool, counted, "test:", world->cache, &fs, err), *err);
    assert_ok(stoa_fs_register(world->registry, "cached", fs, err), *err);
}

static inline void cache_world_close(struct cache_world *world) {
    stoa_fs_registry_close(world->registry);
    stoa_cache_close(world->cache);
    support_pool_close(world->pool);
}

static inline uint64_t cache_world_calls(struct cache_world *world, stoa_counted_call call) {
    stoa_counted_figures figures;
    stoa_counted_get(world->counted, call, &figures);
    return figures.calls;
}

static inline uint64_t cache_world_bytes_read(struct cache_world *world) {
    stoa_counted_figures figures;
    stoa_counted_get(world->counted, STOA_COUNTED_READ, &figures);
    return figures.bytes;
}

/* Reads all of `uri` and compares it. */
static inline void cache_world_check(struct cache_world *world, const char *uri, size_t size,
                                     uint64_t seed) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, uri, NULL, size + 1, world->pool, &bytes,
                                &world->err),
              world->err);
    assert_int_equal(bytes.size, size);
    for (size_t i = 0; i < size; i++) {
        if (bytes.data[i] != cache_world_byte(i, seed)) {
            fail_msg("byte %zu of '%s' is wrong", i, uri);
        }
    }
    stoa_buffer_release(&bytes);
}

#endif
