/* Clones: what is in them, that they share nothing but files that never change, and what is refused. */
#include "backup_world.h"

#include <dirent.h>
#include <unistd.h>

static int begin(void **state) {
    static backup_world world;
    backup_world_init(&world);
    *state = &world;
    return 0;
}
static int end(void **state) {
    backup_world_end(*state);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static stoa_clone_info clone(backup_world *world, stoa_database *database, const char *name) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_clone_info info = {0};
    char path[SUPPORT_PATH_BYTES + 64];
    backup_world_path(world, name, path);
    ok(stoa_database_clone(database, path, NULL, &info, &err));
    return info;
}

static void compact(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *state = NULL;
    ok(stoa_state_open(world->db, "s", &state, &err));
    ok(stoa_state_compact(state, NULL, 0, NULL, 0, NULL, &err));
    stoa_state_close(state);
}

static void a_clone_goes_on_by_itself(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    backup_make_tables(&world->table);
    const stoa_clone_info info = clone(world, world->table.db, "copy");
    assert_int_equal(info.file_count, 4); /* two of each table */
    assert_int_equal(info.linked_count, 4);
    assert_int_equal(info.linked_bytes, info.bytes);
    backup_open_copy(world, "copy", &copy);
    backup_assert_tables(&copy);
    compact(&copy);
    ok(stoa_table_drop(copy.db, "p", &err));
    backup_close_copy(&copy);
    table_assert_range(&world->table, NULL, "p", 0, 20);
    table_assert_range(&world->table, NULL, "s", 100, 30);
    ok(stoa_database_verify(world->table.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

/* The other way round: what the database removes stays in the clone. */
static void a_clone_survives_its_database(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    backup_make_tables(&world->table);
    (void)clone(world, world->table.db, "copy");
    compact(&world->table);
    ok(stoa_table_drop(world->table.db, "p", &err));
    ok(stoa_table_drop(world->table.db, "s", &err));
    backup_open_copy(world, "copy", &copy);
    backup_assert_tables(&copy);
    (void)clone(world, copy.db, "copy of a copy");
    backup_close_copy(&copy);
    backup_open_copy(world, "copy of a copy", &copy);
    table_assert_range(&copy, NULL, "s", 100, 35);
    backup_close_copy(&copy);
}

static void what_cannot_be_linked_is_copied(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs_registry *registry = NULL;
    stoa_fs fs;
    stoa_fault *fault = NULL;
    stoa_database *reader = NULL;
    table_world copy;
    backup_make_tables(&world->table);
    ok(stoa_fs_registry_create(world->table.pool, &registry, &err));
    ok(stoa_fs_fault_create(world->table.pool, stoa_fs_local(), &fs, &fault, &err));
    ok(stoa_fs_register(registry, "file", fs, &err));
    const stoa_database_options options = {.read_only = true,
                                           .parent_pool = world->table.pool,
                                           .file_systems = registry};
    ok(stoa_database_open(world->table.path, &options, &reader, &err));
    stoa_fault_plan(fault, &(stoa_fault_options){.fail_at = 1,
                                                 .call = STOA_FAULT_LINK,
                                                 .status = STOA_UNSUPPORTED});
    const stoa_clone_info info = clone(world, reader, "copy");
    assert_true(stoa_fault_happened(fault));
    assert_int_equal(info.linked_count, info.file_count - 1);
    stoa_database_close(reader);
    stoa_fs_registry_close(registry);
    backup_open_copy(world, "copy", &copy);
    backup_assert_tables(&copy);
    backup_close_copy(&copy);
}

static void what_is_there_is_not_touched(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *memory = NULL;
    char path[SUPPORT_PATH_BYTES + 64];
    assert_fails(stoa_database_clone(world->table.db, world->table.path, NULL, NULL, &err),
                 STOA_EXISTS, world->table.path, err);
    assert_fails(stoa_database_clone(world->table.db, "s3://bucket/copy", NULL, NULL, &err),
                 STOA_UNSUPPORTED, "no directories", err);
    ok(stoa_database_open(":memory:", &(stoa_database_options){.parent_pool = world->table.pool},
                          &memory, &err));
    backup_world_path(world, "copy", path);
    assert_fails(stoa_database_clone(memory, path, NULL, NULL, &err), STOA_UNSUPPORTED, ":memory:",
                 err);
    assert_int_not_equal(access(path, F_OK), 0);
    stoa_database_close(memory);
}

static void stop(void *user, const stoa_progress *progress) {
    (void)progress;
    stoa_cancel_trigger(user);
}

static void what_is_cancelled_leaves_nothing(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel = NULL;
    char path[SUPPORT_PATH_BYTES + 64];
    backup_make_tables(&world->table);
    ok(stoa_cancel_create(NULL, &cancel, &err));
    const stoa_context context = {.cancel = cancel, .progress = stop, .progress_user = cancel};
    backup_world_path(world, "copies/copy", path);
    assert_fails(stoa_database_clone(world->table.db, path, &context, NULL, &err), STOA_CANCELLED,
                 path, err);
    stoa_cancel_close(cancel);
    backup_world_path(world, "copies", path);
    assert_int_equal(rmdir(path), 0); /* nothing is in it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_clone_goes_on_by_itself),        TEST(a_clone_survives_its_database),
        TEST(what_cannot_be_linked_is_copied),  TEST(what_is_there_is_not_touched),
        TEST(what_is_cancelled_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
