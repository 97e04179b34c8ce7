/* The memory file system from several threads: readers, a writer, views, names. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { READERS = 3, BLOCKS = 400, BLOCK_BYTES = 997 };

static stoa_pool *pool;
static stoa_fs_registry *registry;
static atomic_int written;

static stoa_file *open_file(const char *uri, stoa_open_mode mode) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, uri, mode, NULL, &file, &err), err);
    return file;
}

/* Every block is filled with its number, so a reader knows what to find. */
static void *write_blocks(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file = user;
    char block[BLOCK_BYTES];
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, i & 0x7F, sizeof block);
        assert_ok(stoa_file_write(file, block, sizeof block, &err), err);
        atomic_store(&written, i + 1);
    }
    return NULL;
}

static void check_bytes(const unsigned char *bytes, int block) {
    for (int i = 0; i < BLOCK_BYTES; i++) {
        assert_int_equal(bytes[i], block & 0x7F);
    }
}

static void *read_blocks(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    unsigned char block[BLOCK_BYTES];
    support_random random = {(uint64_t)(uintptr_t)user};
    while (atomic_load(&written) < BLOCKS) {
        int there = atomic_load(&written);
        if (there == 0) {
            continue;
        }
        int at = (int)support_random_below(&random, (uint64_t)there);
        stoa_file *file = open_file("memory:/f", STOA_OPEN_READ);
        assert_ok(stoa_file_read(file, (uint64_t)at * BLOCK_BYTES, block, BLOCK_BYTES, &err), err);
        check_bytes(block, at);
        const void *view = NULL;
        uint64_t size = 0;
        assert_ok(stoa_file_map(file, &view, &size, &err), err);
        check_bytes((const unsigned char *)view + (size_t)at * BLOCK_BYTES, at);
        stoa_file_close(file);
    }
    return NULL;
}

static void *change_names(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    char uri[64], other[64];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(uri, sizeof uri, "memory:/%s-%d", (const char *)user, i);
        (void)snprintf(other, sizeof other, "memory:/%s-target", (const char *)user);
        stoa_file_close(open_file(uri, STOA_OPEN_CREATE));
        assert_ok(stoa_vfs_rename(registry, uri, other, NULL, &err), err);
    }
    return NULL;
}

static void readers_see_whole_blocks_while_a_writer_appends(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    pthread_t writer, names[2], readers[READERS];
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    stoa_file *file = open_file("memory:/f", STOA_OPEN_CREATE);
    for (uintptr_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_blocks, (void *)(i + 1)), 0);
    }
    assert_int_equal(pthread_create(&names[0], NULL, change_names, "a"), 0);
    assert_int_equal(pthread_create(&names[1], NULL, change_names, "b"), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_blocks, file), 0);
    (void)pthread_join(writer, NULL);
    (void)pthread_join(names[0], NULL);
    (void)pthread_join(names[1], NULL);
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i], NULL);
    }
    stoa_file_close(file);
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
}

static void files_outlive_their_file_system(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    char buffer[8] = "";
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_ok(stoa_vfs_replace(registry, "memory:/f", NULL, "text", 4, &err), err);
    stoa_file *file = open_file("memory:/f", STOA_OPEN_READ);
    stoa_fs_registry_close(registry);
    assert_ok(stoa_file_read(file, 0, buffer, 4, &err), err);
    assert_string_equal(buffer, "text");
    stoa_file_close(file);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_blocks_while_a_writer_appends),
        cmocka_unit_test(files_outlive_their_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
