/* URIs as text, and the registry that finds file systems by them. */
#include "support.h"

#include <string.h>

#include "vfs/uri.h"

static stoa_error err;

static void schemes_are_told_from_paths(void **state) {
    (void)state;
    assert_int_equal(stoa_uri_scheme_length("s3://bucket/key"), 2);
    assert_int_equal(stoa_uri_scheme_length("abfs+x.y-1:/p"), 10);
    assert_int_equal(stoa_uri_scheme_length("/a/b"), 0);
    assert_int_equal(stoa_uri_scheme_length("a:b"), 0);
    assert_int_equal(stoa_uri_scheme_length(":memory:"), 0);
    assert_int_equal(stoa_uri_scheme_length("2024-05-01T10:00.csv"), 0);
    assert_int_equal(stoa_uri_scheme_length("./orders:2024"), 0);
    assert_int_equal(stoa_uri_scheme_length("dir/a:b"), 0);
    assert_int_equal(stoa_uri_scheme_length("orders"), 0);
    assert_int_equal(stoa_uri_scheme_length(""), 0);
}

static void local_paths_are_found_in_uris(void **state) {
    (void)state;
    assert_string_equal(stoa_vfs_local_path("file:///a/b"), "/a/b");
    assert_string_equal(stoa_vfs_local_path("file:/a/b"), "/a/b");
    assert_string_equal(stoa_vfs_local_path("file:a/b"), "a/b");
    assert_string_equal(stoa_vfs_local_path("File://LOCALHOST/a"), "/a");
    assert_string_equal(stoa_vfs_local_path("/a/b"), "/a/b");
    assert_string_equal(stoa_vfs_local_path("a b%20"), "a b%20");
    assert_null(stoa_vfs_local_path("file://host/a"));
    assert_null(stoa_vfs_local_path("file://localhosts/a"));
    assert_null(stoa_vfs_local_path("memory:/a"));
}

static void assert_joined(const char *directory, const char *name, const char *wanted) {
    stoa_pool *pool = support_pool_open();
    char *joined = NULL;
    assert_ok(stoa_vfs_join(pool, directory, name, &joined, &err), err);
    assert_string_equal(joined, wanted);
    stoa_pool_free_string(pool, joined);
    support_pool_close(pool);
}

static void joining_puts_one_slash_between(void **state) {
    (void)state;
    assert_joined("/a", "b", "/a/b");
    assert_joined("/a/", "b", "/a/b");
    assert_joined("/a//", "b", "/a/b");
    assert_joined("/", "b", "/b");
    assert_joined("", "b", "b");
    assert_joined(".", "b", "./b");
    assert_joined("s3://bucket", "key", "s3://bucket/key");
    assert_joined("memory:", "a", "memory:/a");
}

static void assert_parent(const char *uri, const char *wanted) {
    stoa_pool *pool = support_pool_open();
    char *parent = NULL;
    assert_ok(stoa_vfs_parent(pool, uri, &parent, &err), err);
    assert_string_equal(parent, wanted);
    stoa_pool_free_string(pool, parent);
    support_pool_close(pool);
}

static void parents_stop_at_the_root(void **state) {
    (void)state;
    assert_parent("/a/b", "/a");
    assert_parent("/a/b/", "/a");
    assert_parent("/a//b", "/a");
    assert_parent("/a", "/");
    assert_parent("/", "/");
    assert_parent("a", ".");
    assert_parent("a/b", "a");
    assert_parent("file:a", "file:.");
    assert_parent("file:/a", "file:/");
    assert_parent("file:///a", "file:///");
    assert_parent("s3://bucket", "s3://bucket");
    assert_parent("s3://bucket/key", "s3://bucket/");
    assert_parent("s3://bucket/a/b", "s3://bucket/a");
    assert_parent("memory:/a/b", "memory:/a");
}

static void temporary_names_stand_beside_and_differ(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    char *first = NULL, *second = NULL;
    const char prefix[] = "s3://bucket/dir/" STOA_VFS_TEMPORARY_PREFIX;
    assert_ok(stoa_vfs_temporary_name(pool, "s3://bucket/dir/f", &first, &err), err);
    assert_ok(stoa_vfs_temporary_name(pool, "s3://bucket/dir/f", &second, &err), err);
    assert_memory_equal(first, prefix, sizeof prefix - 1);
    assert_string_not_equal(first, second);
    assert_int_equal(strlen(first), sizeof prefix - 1 + 16);
    stoa_pool_free_string(pool, first);
    stoa_pool_free_string(pool, second);
    support_pool_close(pool);
}

static void temporary_names_keep_the_ending_of_a_compression(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    char *name = NULL;
    assert_ok(stoa_vfs_temporary_name(pool, "dir.gz/f.csv.zst", &name, &err), err);
    assert_memory_equal(name, "dir.gz/" STOA_VFS_TEMPORARY_PREFIX, 17);
    assert_string_equal(name + strlen(name) - 5, ".zst~");
    assert_null(strstr(name, ".csv"));
    stoa_pool_free_string(pool, name);
    assert_ok(stoa_vfs_temporary_name(pool, "dir.gz/f", &name, &err), err);
    assert_null(strstr(name + 7, ".gz"));
    stoa_pool_free_string(pool, name);
    support_pool_close(pool);
}

static void file_systems_are_found_by_scheme(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_fs_registry *registry = NULL;
    stoa_fs *fs = NULL, *again = NULL;
    stoa_fs mine = {0};
    const char *path = NULL;
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_ok(stoa_fs_find(registry, "memory:/a", &fs, &path, &err), err);
    assert_string_equal(path, "/a");
    assert_ok(stoa_fs_find(registry, "MEMORY://x/a", &again, &path, &err), err);
    assert_ptr_equal(fs, again);
    assert_string_equal(path, "//x/a");
    assert_ok(stoa_fs_find(registry, "a/b", &fs, &path, &err), err);
    assert_string_equal(path, "a/b");
    assert_fails(stoa_fs_find(registry, "nowhere://bucket/key", &fs, &path, &err), STOA_UNSUPPORTED,
                 "'nowhere:'", err);
    assert_fails(stoa_fs_find(registry, "orders:2024.csv", &fs, &path, &err), STOA_UNSUPPORTED,
                 "'./orders:2024.csv'", err);
    /* Replacing a scheme closes the one before; two registries share nothing. */
    assert_ok(stoa_fs_memory_create(pool, &mine, &err), err);
    assert_ok(stoa_fs_register(registry, "Memory", mine, &err), err);
    assert_ok(stoa_fs_find(registry, "memory:/a", &again, &path, &err), err);
    assert_ptr_equal(again->state, mine.state);
    stoa_fs_registry_close(registry);
    stoa_fs_registry_close(NULL);
    support_pool_close(pool);
}

static void schemes_that_cannot_be_written_are_refused(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_fs_registry *registry = NULL;
    const char *const bad[] = {"", "a", "1a", "a b", "s3:", "ü1", "a/b"};
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(stoa_fs_register(registry, bad[i], stoa_fs_local(), &err), STOA_INVALID,
                     bad[i], err);
    }
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
}

static void renames_stay_within_a_file_system(void **state) {
    (void)state;
    stoa_pool *pool = support_pool_open();
    stoa_fs_registry *registry = NULL;
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_fails(stoa_vfs_link(registry, "memory:/a", "/b", NULL, &err), STOA_UNSUPPORTED,
                 "different file systems", err);
    assert_fails(stoa_vfs_rename(registry, "memory:/a", "/b", NULL, &err), STOA_UNSUPPORTED,
                 "different file systems", err);
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes_are_told_from_paths),
        cmocka_unit_test(local_paths_are_found_in_uris),
        cmocka_unit_test(joining_puts_one_slash_between),
        cmocka_unit_test(parents_stop_at_the_root),
        cmocka_unit_test(temporary_names_stand_beside_and_differ),
        cmocka_unit_test(temporary_names_keep_the_ending_of_a_compression),
        cmocka_unit_test(file_systems_are_found_by_scheme),
        cmocka_unit_test(schemes_that_cannot_be_written_are_refused),
        cmocka_unit_test(renames_stay_within_a_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
