/* The contract of directories, where there are any, and where they are beginnings of names. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static void make_directory(contract_world *world, const char *name) {
    assert_ok(stoa_vfs_make_directory(world->registry, contract_at(world, name), NULL, &world->err),
              world->err);
}

static void a_directory_is_not_a_file(void **state) {
    contract_world *world = *state;
    make_directory(world, "d");
    contract_assert_open_fails(world, "d", STOA_OPEN_READ, STOA_INVALID, "it is a directory");
    contract_assert_open_fails(world, "d", STOA_OPEN_REPLACE, STOA_INVALID, "it is a directory");
    contract_assert_open_fails(world, "d", STOA_OPEN_APPEND, STOA_INVALID, "it is a directory");
    contract_assert_open_fails(world, "d", STOA_OPEN_CREATE, STOA_EXISTS, NULL);
    contract_put_text(world, "f", "text");
    contract_assert_open_fails(world, "f/x", STOA_OPEN_CREATE, STOA_NOT_FOUND, NULL);
}

static void what_is_missing_is_named(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    contract_assert_open_fails(world, "no/f", STOA_OPEN_CREATE, STOA_NOT_FOUND, "cannot create");
    assert_fails(stoa_vfs_sync_directory(registry, contract_at(world, "no"), NULL, &world->err),
                 STOA_NOT_FOUND, "cannot sync directory", world->err);
    contract_assert_named(world, "no");
    assert_fails(stoa_vfs_make_directory(registry, contract_at(world, "no/d"), NULL, &world->err),
                 STOA_NOT_FOUND, "cannot make directory", world->err);
    contract_assert_named(world, "no/d");
}

static void directories_are_made_level_by_level(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    stoa_file_info info;
    contract_make_directories(world, "a/b//c/");
    contract_make_directories(world, "a/b/c");
    assert_ok(stoa_vfs_stat(registry, contract_at(world, "a/b/c"), NULL, &info, &world->err),
              world->err);
    assert_true(info.is_directory);
    assert_false(info.is_link);
    assert_int_equal(info.size, 0);
    assert_fails(stoa_vfs_make_directory(registry, contract_at(world, "a"), NULL, &world->err),
                 STOA_EXISTS, NULL, world->err);
    contract_assert_named(world, "a");
    contract_put_text(world, "a/f", "x");
    assert_fails(stoa_vfs_make_directories(registry, contract_at(world, "a/f"), NULL, &world->err),
                 STOA_EXISTS, "a file has that name", world->err);
    assert_fails(stoa_vfs_make_directories(registry, contract_at(world, "a/f/g"), NULL,
                                           &world->err),
                 STOA_EXISTS, contract_at(world, "a/f"), world->err);
    assert_ok(stoa_vfs_sync_directory(registry, contract_at(world, "a"), NULL, &world->err),
              world->err);
}

static void removal_spares_full_directories(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    contract_make_directories(world, "a/b");
    contract_put_text(world, "a/f", "x");
    assert_fails(stoa_vfs_remove(registry, contract_at(world, "a"), NULL, &world->err),
                 STOA_INVALID, "not empty", world->err);
    contract_assert_named(world, "a");
    assert_ok(stoa_vfs_remove(registry, contract_at(world, "a/f"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove(registry, contract_at(world, "a/b"), NULL, &world->err), world->err);
    assert_ok(stoa_vfs_remove(registry, contract_at(world, "a"), NULL, &world->err), world->err);
    assert_false(contract_exists(world, "a"));
}

static void trees_are_removed_whole(void **state) {
    contract_world *world = *state;
    char name[64];
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            (void)snprintf(name, sizeof name, "t/%d/%d/x/f", i, j);
            contract_put_text(world, name, "x");
            (void)snprintf(name, sizeof name, "t/%d/f%d", i, j);
            contract_put_text(world, name, "x");
        }
    }
    contract_put_text(world, "tail", "x");
    contract_put_text(world, "t.not", "x");
    assert_ok(stoa_vfs_remove_tree(world->registry, contract_at(world, "t/"), NULL, &world->err),
              world->err);
    contract_assert_lists(world, "", "t.not 1\ntail 1\n");
    assert_ok(stoa_vfs_remove_tree(world->registry, contract_at(world, "t"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_remove_tree(world->registry, contract_at(world, "tail"), NULL, &world->err),
              world->err);
    contract_assert_lists(world, "", "t.not 1\n");
}

static void directories_move_with_what_they_hold(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    contract_put_text(world, "d/e/f", "x");
    contract_put_text(world, "file", "x");
    contract_make_directories(world, "full/g");
    static const struct {
        const char *from, *to, *message;
    } refused[] = {
        {"d", "d/e/g", "into itself"},
        {"d", "full", "not empty"},
        {"file", "d", "directory"},
        {"d", "file", "file"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_fails(stoa_vfs_rename(registry, contract_at(world, refused[i].from),
                                     contract_at(world, refused[i].to), NULL, &world->err),
                     STOA_INVALID, refused[i].message, world->err);
        contract_assert_named(world, refused[i].from);
    }
    assert_ok(stoa_vfs_rename(registry, contract_at(world, "d"), contract_at(world, "full/g"), NULL,
                              &world->err),
              world->err);
    contract_assert_holds(world, "full/g/e/f", "x");
    assert_false(contract_exists(world, "d"));
}

static void names_make_and_unmake_directories(void **state) {
    contract_world *world = *state;
    stoa_fs_registry *registry = world->registry;
    stoa_file_info info;
    make_directory(world, "asked/for");
    make_directory(world, "asked/for");
    assert_ok(stoa_vfs_sync_directory(registry, contract_at(world, "asked/for"), NULL, &world->err),
              world->err);
    contract_put_text(world, "a/b/f", "x");
    assert_ok(stoa_vfs_stat(registry, contract_at(world, "a/b"), NULL, &info, &world->err),
              world->err);
    assert_true(info.is_directory);
    assert_int_equal(info.size, 0);
    /* A beginning of a name that ends within a part is no directory. */
    assert_fails(stoa_vfs_stat(registry, contract_at(world, "a/bb"), NULL, &info, &world->err),
                 STOA_NOT_FOUND, NULL, world->err);
    contract_put_text(world, "a/bb.txt", "x");
    assert_fails(stoa_vfs_stat(registry, contract_at(world, "a/bb"), NULL, &info, &world->err),
                 STOA_NOT_FOUND, NULL, world->err);
    stoa_file *file = NULL;
    stoa_status status = stoa_vfs_open(registry, contract_at(world, "a/b"), STOA_OPEN_READ, NULL,
                                       &file, &world->err);
    assert_true(status == STOA_INVALID || status == STOA_NOT_FOUND);
    contract_assert_named(world, "a/b");
    assert_ok(stoa_vfs_remove(registry, contract_at(world, "a/b/f"), NULL, &world->err),
              world->err);
    assert_ok(stoa_vfs_remove_tree(registry, contract_at(world, "a"), NULL, &world->err),
              world->err);
    assert_false(contract_exists(world, "a"));
}

const contract_test contract_directory_tests[] = {
    CONTRACT_TEST(a_directory_is_not_a_file, .never = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES | CONTRACT_LACKS_APPEND),
    CONTRACT_TEST(what_is_missing_is_named, .never = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES),
    CONTRACT_TEST(directories_are_made_level_by_level, .never = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES),
    CONTRACT_TEST(removal_spares_full_directories, .never = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES | CONTRACT_LACKS_REMOVE),
    CONTRACT_TEST(trees_are_removed_whole, .needs = CONTRACT_LACKS_REMOVE | CONTRACT_LACKS_LIST),
    CONTRACT_TEST(directories_move_with_what_they_hold, .never = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES | CONTRACT_LACKS_RENAME),
    CONTRACT_TEST(names_make_and_unmake_directories, .only = STOA_FS_NO_DIRECTORIES,
                  .needs = CONTRACT_LACKS_DIRECTORIES | CONTRACT_LACKS_REMOVE),
    {.name = NULL},
};
