/* Many readers of one file through the cache: each block is fetched once, whoever asks first. */
#include "cache_world.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <stoa/sched.h>

#include "vfs/stage.h"

enum { THREADS = 4, SIZE = 60 * CACHE_BLOCK + 77 };

struct reader {
    struct cache_world *world;
    stoa_file *shared; /* NULL: a handle of its own */
    uint64_t seed;
    bool is_wrong;
    stoa_error err;
};

static stoa_status read_in_disorder(struct reader *reader, stoa_file *file) {
    support_random random = {reader->seed};
    uint8_t bytes[6000];
    for (int i = 0; i < 120; i++) {
        size_t size = (size_t)support_random_below(&random, sizeof bytes) + 1;
        uint64_t offset = support_random_below(&random, SIZE - size);
        STOA_TRY(stoa_file_read(file, offset, bytes, size, &reader->err));
        for (size_t at = 0; at < size; at++) {
            reader->is_wrong |= bytes[at] != cache_world_byte(offset + at, 5);
        }
    }
    return STOA_OK;
}

static void *run(void *user) {
    struct reader *reader = user;
    stoa_file *own = NULL;
    if (reader->shared != NULL) {
        STOA_IGNORE(read_in_disorder(reader, reader->shared)); /* `err` tells */
        return NULL;
    }
    if (stoa_vfs_open(reader->world->registry, "cached:/f", STOA_OPEN_READ, NULL, &own,
                      &reader->err) == STOA_OK) {
        STOA_IGNORE(read_in_disorder(reader, own)); /* `err` tells */
    }
    stoa_file_close(own);
    return NULL;
}

static void read_with(bool is_shared) {
    struct cache_world *world = test_calloc(1, sizeof *world);
    struct reader *readers = test_calloc(THREADS, sizeof *readers);
    pthread_t threads[THREADS];
    stoa_file *shared = NULL;
    support_temp_directory(world->directory);
    cache_world_open(world, 64 << 20);
    cache_world_put(world, "cached:/f", SIZE, 5);
    if (is_shared) {
        assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &shared,
                                &world->err),
                  world->err);
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.world = world, .shared = shared, .seed = i + 1};
        readers[i].err = (stoa_error)STOA_ERROR_NONE;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_ok(readers[i].err.status, readers[i].err);
        assert_false(readers[i].is_wrong);
    }
    stoa_file_close(shared);
    assert_true(cache_world_bytes_read(world) <= SIZE);
    assert_true(cache_world_bytes_read(world) > SIZE / 2);
    assert_int_equal(world->warning_count, 0);
    cache_world_close(world);
    test_free(readers);
    test_free(world);
}

static void threads_with_one_handle_fetch_each_block_once(void **state) {
    (void)state;
    read_with(true);
}

static void threads_with_handles_of_their_own_fetch_each_block_once(void **state) {
    (void)state;
    read_with(false);
}

static void *fetch_slowly(void *user) {
    struct reader *reader = user;
    uint8_t byte;
    STOA_IGNORE(stoa_file_read(reader->shared, 0, &byte, 1, &reader->err)); /* `err` tells */
    return NULL;
}

static void who_waits_for_a_block_can_be_cancelled(void **state) {
    (void)state;
    struct cache_world *world = test_calloc(1, sizeof *world);
    struct reader first = {.err = STOA_ERROR_NONE};
    stoa_cancel *cancel = NULL;
    stoa_file *waiting = NULL;
    pthread_t thread;
    uint8_t byte;
    support_temp_directory(world->directory);
    cache_world_open(world, 64 << 20);
    cache_world_put(world, "cached:/f", SIZE, 5);
    assert_ok(stoa_cancel_create(NULL, &cancel, &world->err), world->err);
    stoa_context context = {.pool = world->pool, .cancel = cancel};
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &first.shared,
                            &world->err),
              world->err);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, &context, &waiting,
                            &world->err),
              world->err);
    stoa_fault_plan(world->fault,
                    &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_READ, .hangs = true});
    assert_int_equal(pthread_create(&thread, NULL, fetch_slowly, &first), 0);
    while (!stoa_fault_happened(world->fault)) {
        (void)sched_yield();
    }
    stoa_cancel_set_timeout(cancel, 10);
    assert_fails(stoa_file_read(waiting, 0, &byte, 1, &world->err), STOA_CANCELLED, NULL,
                 world->err);
    stoa_fault_plan(world->fault, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(first.err.status, first.err);
    stoa_file_close(first.shared);
    stoa_file_close(waiting);
    stoa_cancel_close(cancel);
    cache_world_close(world);
    test_free(world);
}

static void many_files_are_staged_at_once(void **state) {
    enum { FILES = 40 };
    (void)state;
    struct cache_world *world = test_calloc(1, sizeof *world);
    char uris[FILES][32], directory[SUPPORT_PATH_BYTES];
    const char *list[FILES], *path = NULL;
    stoa_sched *sched = NULL;
    stoa_stage *stage = NULL;
    support_temp_directory(world->directory);
    support_temp_directory(directory);
    cache_world_open(world, 64 << 20);
    stoa_error *err = &world->err;
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(uris[i], sizeof uris[i], "cached:/%d.csv", i);
        cache_world_put(world, uris[i], 3 * CACHE_BLOCK + (size_t)i, (uint64_t)i);
        list[i] = uris[i];
    }
    assert_ok(stoa_sched_create(world->pool, &(stoa_sched_options){.threads = 4}, &sched, err),
              *err);
    const stoa_context context = {.pool = world->pool, .sched = sched};
    assert_ok(stoa_stage_create(world->registry, directory, world->pool, &stage, err), *err);
    assert_ok(stoa_stage_add_all(stage, list, FILES, true, &context, err), *err);
    for (int i = 0; i < FILES; i++) {
        assert_ok(stoa_stage_add(stage, list[i], true, &context, &path, err), *err);
        cache_world_check(world, path, 3 * CACHE_BLOCK + (size_t)i, (uint64_t)i);
    }
    assert_ok(stoa_vfs_remove(world->registry, uris[7], NULL, err), *err);
    stoa_stage_close(stage);
    assert_ok(stoa_stage_create(world->registry, directory, world->pool, &stage, err), *err);
    assert_fails(stoa_stage_add_all(stage, list, FILES, true, &context, err), STOA_NOT_FOUND,
                 "'cached:/7.csv'", *err);
    stoa_stage_close(stage);
    stoa_sched_close(sched);
    cache_world_close(world);
    test_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_with_one_handle_fetch_each_block_once),
        cmocka_unit_test(threads_with_handles_of_their_own_fetch_each_block_once),
        cmocka_unit_test(who_waits_for_a_block_can_be_cancelled),
        cmocka_unit_test(many_files_are_staged_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
