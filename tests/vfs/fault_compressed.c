/* Packing and unpacking with every allocation and every call of the file system behind failing in
 * turn: reported, nothing leaked, and what was synced is whole. */
#include "support.h"

#include <string.h>

#include "vfs/compressed.h"

enum { PLAIN_BYTES = 1300000 };

static const char *const PATHS[] = {"/f.gz", "/f.zst", "/f.lz4"};

static uint8_t plain_byte(size_t at) {
    return (uint8_t)((at * at) >> 9);
}

/* The compressed file system before the world's, which stays the world's to close. */
struct stack {
    stoa_fs_operations borrowed;
    stoa_fs fs;
};

static stoa_status open_stack(support_world *world, struct stack *stack, stoa_error *err) {
    stoa_fs *fs = NULL;
    const char *path = NULL;
    STOA_TRY(stoa_fs_find(world->registry, "test:/x", &fs, &path, err));
    stack->borrowed = *fs->operations;
    stack->borrowed.close = NULL;
    return stoa_fs_compressed_create(world->pool, (stoa_fs){&stack->borrowed, fs->state},
                                     STOA_PACKING_NONE, &stack->fs, err);
}

static stoa_status write_file(support_world *world, void *user, stoa_error *err) {
    static uint8_t bytes[PLAIN_BYTES];
    const stoa_context context = {.pool = world->pool};
    struct stack stack = {0};
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < PLAIN_BYTES; i++) {
        bytes[i] = plain_byte(i);
    }
    STOA_TRY(open_stack(world, &stack, err));
    STOA_CHECK(
        stack.fs.operations->open(stack.fs.state, user, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(stoa_file_write(file, bytes, PLAIN_BYTES / 2, err));
    STOA_CHECK(stoa_file_sync(file, err));
    stoa_file_close(file);
    file = NULL;
    STOA_CHECK(
        stack.fs.operations->open(stack.fs.state, user, STOA_OPEN_APPEND, &context, &file, err));
    STOA_CHECK(stoa_file_write(file, bytes + PLAIN_BYTES / 2, PLAIN_BYTES - PLAIN_BYTES / 2, err));
    STOA_CHECK(stoa_file_sync(file, err));

done:
    stoa_file_close(file);
    stoa_fs_close(&stack.fs);
    return status;
}

static stoa_status compare_part(stoa_file *file, uint64_t offset, size_t size, stoa_error *err) {
    static uint8_t bytes[PLAIN_BYTES];
    STOA_TRY(stoa_file_read(file, offset, bytes, size, err));
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != plain_byte((size_t)offset + i)) {
            return stoa_fail(err, STOA_INTERNAL, "byte %zu is wrong", (size_t)offset + i);
        }
    }
    return STOA_OK;
}

static stoa_status read_file(support_world *world, void *user, stoa_error *err) {
    const stoa_context context = {.pool = world->pool};
    struct stack stack = {0};
    stoa_file *file = NULL;
    uint64_t size = 0;
    stoa_status status = STOA_OK;
    STOA_TRY(open_stack(world, &stack, err));
    STOA_CHECK(
        stack.fs.operations->open(stack.fs.state, user, STOA_OPEN_READ, &context, &file, err));
    STOA_CHECK(compare_part(file, 0, 1000, err));
    STOA_CHECK(compare_part(file, PLAIN_BYTES - 3000, 3000, err));
    STOA_CHECK(compare_part(file, 500000, 400000, err));
    STOA_CHECK(stoa_file_size(file, &size, err));
    if (size != PLAIN_BYTES) {
        status = stoa_fail(err, STOA_INTERNAL, "the size is wrong");
    }

done:
    stoa_file_close(file);
    stoa_fs_close(&stack.fs);
    return status;
}

static void check_written(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    if (status == STOA_OK) {
        assert_ok(read_file(world, user, &err), err);
    }
}

static void writing_fails_cleanly(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        void *path = (void *)(uintptr_t)PATHS[i];
        assert_true(support_fail_each_allocation(NULL, write_file, check_written, path) > 5);
        assert_true(support_fail_each_call(NULL, write_file, check_written, path) > 5);
    }
}

static void reading_fails_cleanly(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        void *path = (void *)(uintptr_t)PATHS[i];
        assert_true(support_fail_each_allocation(write_file, read_file, NULL, path) > 5);
        assert_true(support_fail_each_call(write_file, read_file, NULL, path) > 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_fails_cleanly),
        cmocka_unit_test(reading_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
