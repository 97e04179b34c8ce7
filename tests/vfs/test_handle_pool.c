/* The pool of open handles: what is open is found again, what changed is not, and descriptors come
 * back when the process has none left. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vfs/handle_pool.h"

enum { COUNT_MAX = 8 };

struct world {
    support_world base;
    stoa_handle_pool *handles;
    stoa_error err;
};

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    stoa_error err = STOA_ERROR_NONE;
    support_world_open(&world->base);
    assert_ok(stoa_handle_pool_create(world->base.pool, world->base.registry,
                                      &(stoa_handle_pool_options){.handle_count_max = COUNT_MAX},
                                      &world->handles, &err),
              err);
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    stoa_handle_pool_close(world->handles);
    support_world_close(&world->base);
    test_free(world);
    return 0;
}

static void put_file(struct world *world, const char *uri, const char *text) {
    assert_ok(stoa_vfs_replace(world->base.registry, uri, NULL, text, strlen(text), &world->err),
              world->err);
}

static stoa_handle *get(struct world *world, const char *uri, const char *version) {
    stoa_handle *handle = NULL;
    assert_ok(stoa_handle_pool_get(world->handles, uri, version, &handle, &world->err), world->err);
    return handle;
}

static void assert_reads(struct world *world, const stoa_handle *handle, const char *text) {
    char buffer[16] = "";
    assert_ok(stoa_file_read(stoa_handle_file(handle), 0, buffer, strlen(text), &world->err),
              world->err);
    assert_string_equal(buffer, text);
}

static void an_open_file_is_not_opened_again(void **state) {
    struct world *world = *state;
    put_file(world, "test:/f", "text");
    uint64_t opens = stoa_fault_calls(world->base.fault, STOA_FAULT_OPEN);
    stoa_handle *first = get(world, "test:/f", "1");
    stoa_handle *second = get(world, "test:/f", "1");
    assert_ptr_equal(first, second);
    stoa_handle_put(world->handles, first);
    assert_reads(world, second, "text");
    stoa_handle_put(world->handles, second);
    stoa_handle *third = get(world, "test:/f", "1");
    assert_ptr_equal(first, third);
    stoa_handle_put(world->handles, third);
    assert_int_equal(stoa_fault_calls(world->base.fault, STOA_FAULT_OPEN), opens + 1);
    stoa_handle_pool_counts counts = stoa_handle_pool_count(world->handles);
    assert_int_equal(counts.hits, 2);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.idle, 1);
}

static void another_version_drops_the_one_before(void **state) {
    struct world *world = *state;
    put_file(world, "test:/f", "old");
    stoa_handle *old = get(world, "test:/f", "1");
    put_file(world, "test:/g", "new");
    /* Behind the registry's back, as another process would. */
    stoa_fs *fs = stoa_fault_inner(world->base.fault);
    const stoa_context context = {.pool = world->base.pool};
    assert_ok(fs->operations->rename(fs->state, "/g", "/f", &context, &world->err), world->err);
    stoa_handle *current = get(world, "test:/f", "2");
    assert_reads(world, old, "old");
    assert_reads(world, current, "new");
    stoa_handle_put(world->handles, old);
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 1);
    stoa_handle_put(world->handles, current);
}

static stoa_fs_operations wide;

/* As an object store does: all at once. */
static stoa_status remove_all(void *state, const char *path, const stoa_context *context,
                              stoa_error *err) {
    assert_string_equal(path, "/d");
    return wide.remove(state, "/d/f", context, err);
}

static void files_of_a_tree_that_is_removed_at_once_are_dropped(void **state) {
    struct world *world = *state;
    stoa_fs_registry *registry = world->base.registry;
    stoa_fs fs;
    assert_ok(stoa_fs_memory_create(world->base.pool, &fs, &world->err), world->err);
    wide = *fs.operations;
    wide.remove_tree = remove_all;
    fs.operations = &wide;
    assert_ok(stoa_fs_register(registry, "wide", fs, &world->err), world->err);
    assert_ok(stoa_vfs_make_directory(registry, "wide:/d", NULL, &world->err), world->err);
    put_file(world, "wide:/d/f", "text");
    put_file(world, "wide:/e", "text");
    stoa_handle_put(world->handles, get(world, "wide:/d/f", ""));
    stoa_handle_put(world->handles, get(world, "wide:/e", ""));
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 2);
    assert_ok(stoa_vfs_remove_below(registry, "wide:/d", NULL, &world->err), world->err);
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 1);
}

static void files_that_change_are_dropped(void **state) {
    struct world *world = *state;
    stoa_fs_registry *registry = world->base.registry;
    stoa_handle *fresh;
    char version[64], next[64];
    assert_ok(stoa_vfs_make_directory(registry, "test:/d", NULL, &world->err), world->err);
    put_file(world, "test:/d/f", "one");
    stoa_handle *held = get(world, "test:/d/f", "");
    put_file(world, "test:/d/f", "two");
    fresh = get(world, "test:/d/f", "");
    assert_reads(world, held, "one");
    assert_reads(world, fresh, "two");
    stoa_handle_put(world->handles, held);
    stoa_handle_put(world->handles, fresh);
    assert_ok(stoa_vfs_rename(registry, "test:/d", "test:/e", NULL, &world->err), world->err);
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 0);
    stoa_handle_put(world->handles, get(world, "test:/e/f", ""));
    assert_ok(stoa_vfs_put_if(registry, "test:/p", NULL, "", "1", 1, version, &world->err),
              world->err);
    stoa_handle_put(world->handles, get(world, "test:/p", ""));
    assert_ok(stoa_vfs_put_if(registry, "test:/p", NULL, version, "2", 1, next, &world->err),
              world->err);
    fresh = get(world, "test:/p", "");
    assert_reads(world, fresh, "2");
    stoa_handle_put(world->handles, fresh);
    assert_ok(stoa_vfs_remove(registry, "test:/p", NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove_tree(registry, "test:/e", NULL, &world->err), world->err);
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 0);
    assert_fails(stoa_handle_pool_get(world->handles, "test:/e/f", "", &fresh, &world->err),
                 STOA_NOT_FOUND, "test:/e/f", world->err);
    assert_null(fresh);
}

static void the_bound_holds_and_the_oldest_go_first(void **state) {
    struct world *world = *state;
    stoa_handle *held[COUNT_MAX * 2];
    char uri[32];
    for (int i = 0; i < COUNT_MAX * 2; i++) {
        (void)snprintf(uri, sizeof uri, "test:/%d", i);
        put_file(world, uri, "text");
        stoa_handle_put(world->handles, get(world, uri, ""));
        assert_true(stoa_handle_pool_count(world->handles).open <= COUNT_MAX);
    }
    /* All held: more than the bound are open, and those too many go when they are put back. */
    for (int i = 0; i < COUNT_MAX * 2; i++) {
        (void)snprintf(uri, sizeof uri, "test:/%d", i);
        held[i] = get(world, uri, "");
    }
    assert_int_equal(stoa_handle_pool_count(world->handles).open, COUNT_MAX * 2);
    for (int i = 0; i < COUNT_MAX * 2; i++) {
        stoa_handle_put(world->handles, held[i]);
    }
    assert_int_equal(stoa_handle_pool_count(world->handles).open, COUNT_MAX);
    assert_int_equal(stoa_handle_pool_close_idle(world->handles, 3), 3);
    assert_int_equal(stoa_handle_pool_count(world->handles).idle, COUNT_MAX - 3);
    assert_int_equal(stoa_handle_pool_close_idle(world->handles, 100), COUNT_MAX - 3);
}

static void failures_leave_nothing(void **state) {
    struct world *world = *state;
    stoa_handle *handle = NULL;
    stoa_handle_pool *second = NULL;
    char version[80];
    put_file(world, "test:/f", "text");
    stoa_fault_plan(world->base.fault,
                    &(stoa_fault_options){.call = STOA_FAULT_OPEN, .fail_at = 1});
    assert_fails(stoa_handle_pool_get(world->handles, "test:/f", "", &handle, &world->err), STOA_IO,
                 "test:/f", world->err);
    stoa_fault_plan(world->base.fault, NULL);
    memset(version, 'v', sizeof version);
    version[sizeof version - 1] = '\0';
    assert_fails(stoa_handle_pool_get(world->handles, "test:/f", version, &handle, &world->err),
                 STOA_INVALID, "version", world->err);
    assert_fails(stoa_handle_pool_create(world->base.pool, world->base.registry, NULL, &second,
                                         &world->err),
                 STOA_EXISTS, "watched", world->err);
    assert_int_equal(stoa_handle_pool_count(world->handles).open, 0);
    for (uint64_t n = 1; handle == NULL; n++) {
        support_allocator_fail_at(world->base.allocator, n);
        stoa_status status = stoa_handle_pool_get(world->handles, "test:/f", "", &handle,
                                                  &world->err);
        assert_true(status == STOA_OK || status == STOA_NO_MEMORY);
    }
    support_allocator_fail_at(world->base.allocator, 0);
    stoa_handle_put(world->handles, handle);
}

/* The lowest number that is free: with it as the limit nothing more can be opened. */
static rlim_t descriptors_open(void) {
    int lowest = dup(STDIN_FILENO);
    assert_true(lowest >= 0);
    (void)close(lowest);
    return (rlim_t)lowest;
}

/* Idle handles are given back to whoever opens a file through the registry. */
static void idle_handles_make_room_for_other_files(void **state) {
    struct world *world = *state;
    char directory[SUPPORT_PATH_BYTES];
    char path[SUPPORT_PATH_BYTES + 32];
    stoa_file *files[COUNT_MAX] = {NULL};
    struct rlimit before, low;
    support_temp_directory(directory);
    for (int i = 0; i < COUNT_MAX; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", directory, i);
        put_file(world, path, "text");
        stoa_handle_put(world->handles, get(world, path, ""));
    }
    assert_int_equal(stoa_handle_pool_count(world->handles).idle, COUNT_MAX);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = descriptors_open();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    stoa_status status = STOA_OK;
    for (int i = 0; i < COUNT_MAX && status == STOA_OK; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", directory, i);
        status = stoa_vfs_open(world->base.registry, path, STOA_OPEN_READ, NULL, &files[i],
                               &world->err);
    }
    size_t idle = stoa_handle_pool_count(world->handles).idle;
    /* With none left to give, the limit is what the caller hears of. */
    stoa_file *more[64] = {NULL};
    stoa_status end = STOA_OK;
    for (int i = 0; i < 64 && end == STOA_OK; i++) {
        end = stoa_vfs_open(world->base.registry, path, STOA_OPEN_READ, NULL, &more[i],
                            &world->err);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 64; i++) {
        stoa_file_close(more[i]);
    }
    for (int i = 0; i < COUNT_MAX; i++) {
        stoa_file_close(files[i]);
    }
    assert_int_equal(status, STOA_OK);
    assert_true(idle < COUNT_MAX);
    assert_int_equal(end, STOA_LIMIT);
    assert_non_null(strstr(world->err.message, path));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_open_file_is_not_opened_again),
        TEST(another_version_drops_the_one_before),
        TEST(files_that_change_are_dropped),
        TEST(the_bound_holds_and_the_oldest_go_first),
        TEST(files_of_a_tree_that_is_removed_at_once_are_dropped),
        TEST(failures_leave_nothing),
        TEST(idle_handles_make_room_for_other_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
