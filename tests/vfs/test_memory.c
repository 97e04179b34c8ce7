/* What only memory files have: views that hold still, a budget, limits of paths. */
#include "support.h"

#include <string.h>

static stoa_pool *pool;
static stoa_fs_registry *registry;
static stoa_error err;

static int set_up(void **state) {
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static stoa_file *open_file(const char *uri, stoa_open_mode mode) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, uri, mode, NULL, &file, &err), err);
    return file;
}

static void a_view_holds_still_whatever_is_written(void **state) {
    (void)state;
    const void *view = NULL;
    uint64_t size = 0;
    char block[1000], now[16] = "";
    memset(block, 'b', sizeof block);
    stoa_file *writer = open_file("memory:/f", STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(writer, "0123456789", 10, &err), err);
    stoa_file *reader = open_file("memory:/f", STOA_OPEN_READ);
    assert_ok(stoa_file_map(reader, &view, &size, &err), err);
    for (int i = 0; i < 100; i++) {
        assert_ok(stoa_file_write(writer, block, sizeof block, &err), err);
        assert_memory_equal(view, "0123456789", 10);
    }
    assert_ok(stoa_file_truncate(writer, 2, &err), err);
    assert_ok(stoa_file_write(writer, "xxxxxxxx", 8, &err), err);
    assert_memory_equal(view, "0123456789", 10);
    assert_int_equal(size, 10);
    assert_ok(stoa_file_read(reader, 0, now, 10, &err), err);
    assert_string_equal(now, "01xxxxxxxx");
    stoa_file_close(open_file("memory:/f", STOA_OPEN_REPLACE));
    assert_memory_equal(view, "0123456789", 10);
    assert_fails(stoa_file_read(reader, 0, now, 1, &err), STOA_CORRUPT, NULL, err);
    stoa_file_close(writer);
    stoa_file_close(reader);
}

/* After a cut, bytes behind the new end belong to views; an append must not write into them. */
static void a_view_survives_a_cut_and_an_append(void **state) {
    (void)state;
    const void *view = NULL;
    uint64_t size = 0;
    stoa_file *writer = open_file("memory:/f", STOA_OPEN_CREATE);
    assert_ok(stoa_file_write(writer, "0123456789", 10, &err), err);
    stoa_file *reader = open_file("memory:/f", STOA_OPEN_READ);
    assert_ok(stoa_file_map(reader, &view, &size, &err), err);
    assert_ok(stoa_file_truncate(writer, 5, &err), err);
    assert_ok(stoa_file_truncate(writer, 8, &err), err);
    assert_ok(stoa_file_write(writer, "zz", 2, &err), err);
    assert_memory_equal(view, "0123456789", 10);
    stoa_file_close(reader);
    stoa_file_close(writer);
}

static void files_are_charged_and_a_full_pool_leaves_them_whole(void **state) {
    (void)state;
    stoa_pool *small = NULL;
    stoa_fs_registry *narrow = NULL;
    stoa_file *file = NULL;
    stoa_buffer bytes;
    static char block[100000];
    assert_ok(stoa_pool_create_child(pool, "files", 200000, &small, &err), err);
    assert_ok(stoa_fs_registry_create(small, &narrow, &err), err);
    size_t before = stoa_pool_used(small);
    assert_ok(stoa_vfs_open(narrow, "memory:/f", STOA_OPEN_CREATE, NULL, &file, &err), err);
    assert_ok(stoa_file_write(file, block, 50000, &err), err);
    assert_true(stoa_pool_used(small) >= before + 50000);
    assert_fails(stoa_file_write(file, block, sizeof block, &err), STOA_LIMIT,
                 "memory pool 'files' is full", err);
    assert_non_null(strstr(err.message, "cannot write 100000 bytes to 'memory:/f'"));
    /* The position did not move: what is written next stands right behind. */
    assert_ok(stoa_file_write(file, "end", 3, &err), err);
    stoa_file_close(file);
    assert_ok(stoa_vfs_read_all(narrow, "memory:/f", NULL, 1 << 20, pool, &bytes, &err), err);
    assert_int_equal(bytes.size, 50003);
    assert_memory_equal(bytes.data + 50000, "end", 3);
    stoa_buffer_release(&bytes);
    assert_ok(stoa_vfs_remove(narrow, "memory:/f", NULL, &err), err);
    assert_true(stoa_pool_used(small) < before + 1000);
    stoa_fs_registry_close(narrow);
    stoa_pool_close(small);
}

static void paths_have_limits_and_no_way_up(void **state) {
    (void)state;
    char deep[2048] = "memory:";
    stoa_file_info info;
    assert_fails(stoa_vfs_stat(registry, "memory:/..", NULL, &info, &err), STOA_UNSUPPORTED, "'..'",
                 err);
    for (int i = 0; i < 300; i++) {
        strcat(deep, "/d");
    }
    assert_fails(stoa_vfs_make_directories(registry, deep, NULL, &err), STOA_INVALID,
                 "more than 256 parts", err);
    assert_ok(stoa_vfs_stat(registry, "memory:/", NULL, &info, &err), err);
    assert_true(info.is_directory);
    assert_ok(stoa_vfs_stat(registry, "memory:///./d//d/.", NULL, &info, &err), err);
    assert_fails(stoa_vfs_remove(registry, "memory:/", NULL, &err), STOA_INVALID, "root", err);
    assert_ok(stoa_vfs_remove_tree(registry, "memory:/d", NULL, &err), err);
}

static void registries_share_no_memory_files(void **state) {
    (void)state;
    stoa_fs_registry *other = NULL;
    bool exists = true;
    assert_ok(stoa_vfs_replace(registry, "memory:/f", NULL, "x", 1, &err), err);
    assert_ok(stoa_fs_registry_create(pool, &other, &err), err);
    assert_ok(stoa_vfs_exists(other, "memory:/f", NULL, &exists, &err), err);
    assert_false(exists);
    stoa_fs_registry_close(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_view_holds_still_whatever_is_written),
        TEST(a_view_survives_a_cut_and_an_append),
        TEST(files_are_charged_and_a_full_pool_leaves_them_whole),
        TEST(paths_have_limits_and_no_way_up),
        TEST(registries_share_no_memory_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
