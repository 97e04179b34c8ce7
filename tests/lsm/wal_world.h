/* A log and what was put into it. Record `i` has a size and bytes that follow from its number and from
 * how often the machine went down before, so that none is taken for another. */
#ifndef STOA_TESTS_LSM_WAL_WORLD_H
#define STOA_TESTS_LSM_WAL_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "lsm/wal.h"
#include "lsm/wal_format.h"
#include "support.h"

enum { WAL_RECORDS_MAX = 1 << 16, WAL_PAYLOAD_MAX = 7000, WAL_SEGMENT_BYTES = 4096 };

typedef struct wal_world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    char directory[SUPPORT_PATH_BYTES];
    char boot[32];
    size_t segment_bytes; /* 0: WAL_SEGMENT_BYTES */
    const stoa_logger *logger;
    stoa_wal *log;
    uint64_t first_segment;
    uint64_t life;  /* counts crashes */
    int64_t count;  /* records that are there, by number */
    int64_t synced; /* the first so many are durable */
    int64_t replayed;
    uint64_t lives[WAL_RECORDS_MAX];
    stoa_wal_position ends[WAL_RECORDS_MAX];
} wal_world;

static inline size_t wal_record(uint64_t number, uint64_t life, uint8_t out[WAL_PAYLOAD_MAX]) {
    support_random random = {number * 1000003 + life};
    const uint64_t kind = support_random_below(&random, 20);
    const size_t size = 1 + (size_t)support_random_below(&random, kind == 0   ? WAL_PAYLOAD_MAX
                                                                  : kind < 10 ? 30
                                                                              : 300);
    support_random_bytes(&random, out, size);
    return size;
}

/* The first record of the segments that are needed. */
static inline int64_t wal_first(const wal_world *world) {
    int64_t first = 0;
    while (first < world->count && world->ends[first].segment < world->first_segment) {
        first++;
    }
    return first;
}

static inline stoa_status wal_check(void *user, stoa_wal_position end, const uint8_t *payload,
                                    size_t size, stoa_error *err) {
    static _Thread_local uint8_t expected[WAL_PAYLOAD_MAX];
    wal_world *world = user;
    (void)err;
    assert_true(world->replayed < world->count);
    const size_t wanted = wal_record((uint64_t)world->replayed, world->lives[world->replayed],
                                     expected);
    assert_int_equal(size, wanted);
    assert_memory_equal(payload, expected, size);
    assert_int_equal(end.segment, world->ends[world->replayed].segment);
    assert_int_equal(end.offset, world->ends[world->replayed].offset);
    world->replayed++;
    return STOA_OK;
}

static inline stoa_wal_options wal_options(const wal_world *world, bool read_only) {
    return (stoa_wal_options){.context = {.pool = world->pool, .logger = world->logger},
                              .file_systems = world->registry,
                              .directory = world->directory,
                              .segment_bytes = world->segment_bytes == 0 ? WAL_SEGMENT_BYTES
                                                                         : world->segment_bytes,
                              .boot = world->boot,
                              .read_only = read_only};
}

/* Opens the log; what it gives must be a beginning of what was appended, at least all that is durable. */
static inline stoa_status wal_try_open(wal_world *world, stoa_error *err) {
    const stoa_wal_options options = wal_options(world, false);
    world->replayed = wal_first(world);
    return stoa_wal_open(&options, world->first_segment, wal_check, world, &world->log, err);
}

static inline void wal_open(wal_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(wal_try_open(world, &err), err);
    assert_true(world->replayed >= world->synced);
    world->count = world->replayed;
}

static inline void wal_close(wal_world *world) {
    stoa_wal_close(world->log);
    world->log = NULL;
}

static inline stoa_status wal_append(wal_world *world, stoa_error *err) {
    static _Thread_local uint8_t payload[WAL_PAYLOAD_MAX];
    uint8_t *out;
    assert_true(world->count < WAL_RECORDS_MAX);
    const size_t size = wal_record((uint64_t)world->count, world->life, payload);
    STOA_TRY(stoa_wal_reserve(world->log, size, &out, err));
    memcpy(out, payload, size);
    world->lives[world->count] = world->life;
    world->ends[world->count] = stoa_wal_commit(world->log);
    world->count++;
    return STOA_OK;
}

static inline void wal_append_many(wal_world *world, int64_t count) {
    stoa_error err = STOA_ERROR_NONE;
    for (int64_t i = 0; i < count; i++) {
        assert_ok(wal_append(world, &err), err);
    }
}

static inline stoa_status wal_sync(wal_world *world, stoa_error *err) {
    const int64_t count = world->count;
    STOA_TRY(stoa_wal_sync(world->log, stoa_wal_end(world->log), err));
    world->synced = count;
    return STOA_OK;
}

/* All that is there is needed no more. */
static inline stoa_status wal_flush(wal_world *world, stoa_error *err) {
    uint64_t segment;
    STOA_TRY(stoa_wal_rotate(world->log, &segment, err));
    world->first_segment = segment;
    return stoa_wal_release(world->log, segment, err);
}

#endif
