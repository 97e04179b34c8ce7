/* Each of the module's larger operations with every allocation and every call failing in turn. */
#include "support.h"

#include <string.h>

static stoa_status make_tree(support_world *world, void *user, stoa_error *err) {
    (void)user;
    STOA_TRY(stoa_vfs_make_directories(world->registry, "test:/t/a/b", NULL, err));
    STOA_TRY(stoa_vfs_make_directories(world->registry, "test:/t/c", NULL, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/t/a/b/1.csv", NULL, "1", 1, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/t/a/2.csv", NULL, "2", 1, err));
    return stoa_vfs_replace(world->registry, "test:/t/c/3.csv", NULL, "3", 1, err);
}

static stoa_status remove_tree(support_world *world, void *user, stoa_error *err) {
    (void)user;
    return stoa_vfs_remove_tree(world->registry, "test:/t", NULL, err);
}

static void check_removed(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    bool there = true;
    (void)user;
    /* Whatever is left can be removed by trying again. */
    if (status != STOA_OK) {
        assert_ok(stoa_vfs_remove_tree(world->registry, "test:/t", NULL, &err), err);
    }
    assert_ok(stoa_vfs_exists(world->registry, "test:/t", NULL, &there, &err), err);
    assert_false(there);
}

static stoa_status count_file(void *user, const char *uri, const stoa_file_info *info,
                              stoa_error *err) {
    (void)uri;
    (void)info;
    (void)err;
    ++*(int *)user;
    return STOA_OK;
}

static stoa_status find_files(support_world *world, void *user, stoa_error *err) {
    int count = 0;
    (void)user;
    STOA_TRY(stoa_vfs_glob(world->registry, "test:/t/**/[0-9].csv", NULL, world->pool, count_file,
                           &count, err));
    return count == 3 ? STOA_OK : stoa_fail(err, STOA_INTERNAL, "found %d files", count);
}

static stoa_status read_file(support_world *world, void *user, stoa_error *err) {
    stoa_buffer bytes;
    (void)user;
    STOA_TRY(
        stoa_vfs_read_all(world->registry, "test:/t/a/2.csv", NULL, 100, world->pool, &bytes, err));
    bool right = bytes.size == 1 && bytes.data[0] == '2';
    stoa_buffer_release(&bytes);
    return right ? STOA_OK : stoa_fail(err, STOA_INTERNAL, "the bytes are wrong");
}

static stoa_status lock_file(support_world *world, void *user, stoa_error *err) {
    stoa_file *lock = NULL;
    (void)user;
    STOA_TRY(stoa_vfs_lock(world->registry, "test:/t/lock", NULL, &lock, err));
    stoa_file_close(lock);
    return STOA_OK;
}

/* A lock that could not be taken is not held. */
static void check_unlocked(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    (void)status;
    assert_ok(lock_file(world, user, &err), err);
}

static stoa_status use_memory(support_world *world, void *user, stoa_error *err) {
    stoa_fs_registry *registry = NULL;
    stoa_status status = STOA_OK;
    (void)user;
    STOA_CHECK(stoa_fs_registry_create(world->pool, &registry, err));
    STOA_CHECK(stoa_vfs_make_directories(registry, "memory:/a", NULL, err));
    STOA_CHECK(stoa_vfs_replace(registry, "memory:/a/f", NULL, "text", 4, err));
    STOA_CHECK(stoa_vfs_link(registry, "memory:/a/f", "memory:/a/h", NULL, err));
    STOA_CHECK(stoa_vfs_rename(registry, "memory:/a/f", "memory:/g", NULL, err));
    STOA_CHECK(stoa_vfs_remove_tree(registry, "memory:/a", NULL, err));

done:
    stoa_fs_registry_close(registry);
    return status;
}

static void removing_trees(void **state) {
    (void)state;
    (void)support_fail_each_allocation(make_tree, remove_tree, check_removed, NULL);
    (void)support_fail_each_call(make_tree, remove_tree, check_removed, NULL);
}

static void making_trees(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, make_tree, NULL, NULL) > 20);
    assert_true(support_fail_each_call(NULL, make_tree, NULL, NULL) > 20);
}

static void finding_files(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(make_tree, find_files, NULL, NULL) > 20);
    assert_true(support_fail_each_call(make_tree, find_files, NULL, NULL) > 8);
}

static void reading_files(void **state) {
    (void)state;
    (void)support_fail_each_allocation(make_tree, read_file, NULL, NULL);
    (void)support_fail_each_call(make_tree, read_file, NULL, NULL);
}

static void locking_files(void **state) {
    (void)state;
    (void)support_fail_each_allocation(make_tree, lock_file, check_unlocked, NULL);
    (void)support_fail_each_call(make_tree, lock_file, check_unlocked, NULL);
}

static void registries_and_memory_files(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(NULL, use_memory, NULL, NULL) > 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removing_trees), cmocka_unit_test(making_trees),
        cmocka_unit_test(finding_files),  cmocka_unit_test(reading_files),
        cmocka_unit_test(locking_files),  cmocka_unit_test(registries_and_memory_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
