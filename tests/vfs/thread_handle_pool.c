/* The pool of open handles from several threads: readers of many files with few handles, while files
 * are replaced and idle handles are closed under them. What a handle reads is whole. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "vfs/handle_pool.h"

enum { READERS = 3, FILES = 24, ROUNDS = 3000, REPLACEMENTS = 600, BYTES = 64, HANDLES = 6 };

static support_world world;
static stoa_handle_pool *handles;
static atomic_bool is_done;

static void replace(int file, int round) {
    stoa_error err = STOA_ERROR_NONE;
    char uri[32];
    char bytes[BYTES];
    (void)snprintf(uri, sizeof uri, "test:/%d", file);
    memset(bytes, 'a' + round % 26, sizeof bytes);
    assert_ok(stoa_vfs_replace(world.registry, uri, NULL, bytes, sizeof bytes, &err), err);
}

static void *read_files(void *user) {
    support_random random = {(uint64_t)(uintptr_t)user};
    stoa_error err = STOA_ERROR_NONE;
    char uri[32];
    char bytes[BYTES];
    for (int i = 0; i < ROUNDS; i++) {
        stoa_handle *handle = NULL;
        (void)snprintf(uri, sizeof uri, "test:/%d", (int)support_random_below(&random, FILES));
        assert_ok(stoa_handle_pool_get(handles, uri, "", &handle, &err), err);
        assert_ok(stoa_file_read(stoa_handle_file(handle), 0, bytes, BYTES, &err), err);
        for (int b = 1; b < BYTES; b++) {
            assert_int_equal(bytes[b], bytes[0]);
        }
        stoa_handle_put(handles, handle);
    }
    return NULL;
}

static void *close_idle(void *user) {
    (void)user;
    while (!atomic_load(&is_done)) {
        (void)stoa_handle_pool_close_idle(handles, 2);
        (void)stoa_handle_pool_count(handles);
    }
    return NULL;
}

static void handles_are_shared_while_files_change(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    pthread_t readers[READERS], closer;
    (void)state;
    support_world_open(&world);
    assert_ok(stoa_handle_pool_create(world.pool, world.registry,
                                      &(stoa_handle_pool_options){.handle_count_max = HANDLES},
                                      &handles, &err),
              err);
    for (int i = 0; i < FILES; i++) {
        replace(i, 0);
    }
    assert_int_equal(pthread_create(&closer, NULL, close_idle, NULL), 0);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_files, (void *)(uintptr_t)(i + 1)),
                         0);
    }
    for (int i = 0; i < REPLACEMENTS; i++) {
        replace(i % FILES, i);
    }
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    atomic_store(&is_done, true);
    assert_int_equal(pthread_join(closer, NULL), 0);
    stoa_handle_pool_counts counts = stoa_handle_pool_count(handles);
    assert_int_equal(counts.open, counts.idle);
    assert_true(counts.open <= HANDLES);
    assert_int_equal(counts.hits + counts.misses, READERS * ROUNDS);
    stoa_handle_pool_close(handles);
    support_world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(handles_are_shared_while_files_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
