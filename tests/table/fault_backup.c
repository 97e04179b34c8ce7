/* Backups while memory runs out, calls fail and the machine goes down: earlier generations stay whole,
 * a new one is there whole or not at all, and so is what is restored or cloned. Databases are on the real
 * disk; the backup and what is restored are on one that fails. */
#include "backup_world.h"

#include "table/backup_directory.h"

enum { DATABASES = 2 }; /* the first has a data file, the second state tables besides */

struct scene {
    backup_world worlds[DATABASES];
};

static const char *const root = "test:/backup", *const target = "test:/copies/copy";

static stoa_status open_backup(support_world *world, stoa_backup **out, stoa_error *err) {
    const stoa_backup_options options = {.parent_pool = world->pool,
                                         .file_systems = world->registry};
    return stoa_backup_open(root, &options, out, err);
}

static stoa_status add(support_world *world, struct scene *scene, int which, stoa_error *err) {
    stoa_backup *backup = NULL;
    STOA_TRY(open_backup(world, &backup, err));
    const stoa_status status = stoa_backup_add(backup, scene->worlds[which].table.db, NULL, NULL,
                                               err);
    stoa_backup_close(backup);
    return status;
}

static stoa_status add_first(support_world *world, void *user, stoa_error *err) {
    return add(world, user, 0, err);
}

static stoa_status add_second(support_world *world, void *user, stoa_error *err) {
    return add(world, user, 1, err);
}

static stoa_status count(void *user, const stoa_backup_info *info, stoa_error *err) {
    (void)err;
    assert_false(info->is_damaged);
    *(int64_t *)user = info->generation;
    return STOA_OK;
}

/* The newest generation, after all were read; 0: there is none, or no backup. */
static int64_t newest(support_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_backup *backup = NULL;
    int64_t generation = 0;
    ok(open_backup(world, &backup, &err));
    const stoa_status status = stoa_backup_each(backup, count, &generation, &err);
    if (status != STOA_NOT_FOUND) {
        ok(status);
        ok(stoa_backup_verify(backup, 0, NULL, NULL, NULL, NULL, NULL, &err));
    }
    stoa_backup_close(backup);
    return generation;
}

static stoa_status count_name(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int64_t *)user;
    return STOA_OK;
}

static int64_t count_names(support_world *world, const char *uri) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t names = 0;
    const stoa_status status = stoa_vfs_list(world->registry, uri, NULL, count_name, &names, &err);
    assert_true(status == STOA_OK || status == STOA_NOT_FOUND);
    return names;
}

static stoa_status count_record(void *user, const char *name, const stoa_file_info *info,
                                stoa_error *err) {
    return name[0] == '.' ? STOA_OK : count_name(user, name, info, err);
}

/* Names that are not unfinished. */
static int64_t count_records(support_world *world, const char *uri) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t names = 0;
    ok(stoa_vfs_list(world->registry, uri, NULL, count_record, &names, &err));
    return names;
}

/* Whatever a run left, the next one adds a generation and clears it away. */
static void check_added(support_world *world, void *user, stoa_status status, int64_t before) {
    stoa_error err = STOA_ERROR_NONE;
    static const char folder[] = "test:/backup/generations";
    const int64_t found = newest(world);
    assert_true(found == before || found == before + 1);
    assert_true(status != STOA_OK || found == before + 1);
    const int64_t records = found == 0 ? 0 : count_records(world, folder);
    ok(add(world, user, 0, &err));
    assert_int_equal(newest(world), found + 1);
    assert_int_equal(count_names(world, root), 4);
    assert_int_equal(count_names(world, folder), records + 1);
}

static void check_first(support_world *world, void *user, stoa_status status) {
    check_added(world, user, status, 0);
}

static void check_second(support_world *world, void *user, stoa_status status) {
    check_added(world, user, status, 1);
}

static stoa_status remove_first(support_world *world, void *user, stoa_error *err) {
    stoa_backup *backup = NULL;
    (void)user;
    STOA_TRY(open_backup(world, &backup, err));
    const stoa_status status = stoa_backup_remove(backup, 1, NULL, err);
    stoa_backup_close(backup);
    return status;
}

static stoa_status add_both(support_world *world, void *user, stoa_error *err) {
    STOA_TRY(add(world, user, 0, err));
    return add(world, user, 1, err);
}

static void check_removed(support_world *world, void *user, stoa_status status) {
    const int64_t generations = count_records(world, "test:/backup/generations");
    assert_true(generations == 1 || status != STOA_OK);
    assert_int_equal(newest(world), 2);
    check_added(world, user, STOA_IO, 2);
}

static stoa_status restore(support_world *world, void *user, stoa_error *err) {
    stoa_backup *backup = NULL;
    (void)user;
    STOA_TRY(open_backup(world, &backup, err));
    const stoa_status status = stoa_backup_restore(backup, 1, target, NULL, NULL, err);
    stoa_backup_close(backup);
    return status;
}

static void check_file(support_world *world, const stoa_backup_file *file) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_context context = {.pool = world->pool};
    stoa_file *copy = NULL;
    char *uri = NULL;
    ok(stoa_vfs_join(world->pool, target, file->path, &uri, &err));
    ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, NULL, &copy, &err));
    ok(stoa_backup_object_copy(file, copy, NULL, &context, &err));
    stoa_file_close(copy);
    stoa_pool_free_string(world->pool, uri);
}

static void check_restored(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_context context = {.pool = world->pool};
    stoa_backup *backup = NULL;
    stoa_backup_record record;
    bool is_there = false;
    (void)user;
    ok(stoa_vfs_exists(world->registry, target, NULL, &is_there, &err));
    assert_true(is_there || status != STOA_OK);
    assert_int_equal(newest(world), 1);
    ok(open_backup(world, &backup, &err));
    ok(stoa_backup_read(backup, 1, &context, &record, &err));
    for (int64_t i = 0; i < record.file_count && is_there; i++) {
        check_file(world, &record.files[i]);
    }
    stoa_backup_record_release(&record);
    stoa_backup_close(backup);
}

/* Where only memory ran out, nothing unfinished stays. */
static void check_cleared(support_world *world, void *user, stoa_status status) {
    bool is_there = false;
    stoa_error err = STOA_ERROR_NONE;
    check_restored(world, user, status);
    ok(stoa_vfs_exists(world->registry, target, NULL, &is_there, &err));
    assert_int_equal(count_names(world, "test:/copies"), is_there ? 1 : 0);
}

/* ---- clones ---- */

static stoa_status clone(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    stoa_database *database = NULL;
    const stoa_database_options options = {.read_only = true,
                                           .threads = 1,
                                           .parent_pool = world->pool,
                                           .file_systems = world->registry};
    STOA_TRY(stoa_database_open(scene->worlds[1].table.path, &options, &database, err));
    const stoa_status status = stoa_database_clone(database, target, NULL, NULL, err);
    stoa_database_close(database);
    return status;
}

static void check_cloned(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    bool is_there = false;
    (void)user;
    ok(stoa_vfs_exists(world->registry, target, NULL, &is_there, &err));
    assert_true(is_there || status != STOA_OK);
    if (is_there) {
        assert_int_equal(count_names(world, target), 5);
        assert_int_equal(count_names(world, "test:/copies/copy/state"), 4);
    }
}

static int begin(void **state) {
    static struct scene scene;
    stoa_error err = STOA_ERROR_NONE;
    for (int i = 0; i < DATABASES; i++) {
        backup_world_init(&scene.worlds[i]);
    }
    ok(table_load(&scene.worlds[0].table, NULL, "p", STOA_CREATE, 0, 10, &err));
    backup_make_tables(&scene.worlds[1].table);
    *state = &scene;
    return 0;
}

static int end(void **state) {
    struct scene *scene = *state;
    for (int i = 0; i < DATABASES; i++) {
        backup_world_end(&scene->worlds[i]);
    }
    return 0;
}

static void failing_allocations_add_all_or_nothing(void **state) {
    assert_true(support_fail_each_allocation(add_first, add_second, check_second, *state) > 50);
}

static void failing_calls_add_all_or_nothing(void **state) {
    assert_true(support_fail_each_call(NULL, add_first, check_first, *state) > 20);
    assert_true(support_fail_each_call(add_first, add_second, check_second, *state) > 40);
}

static void a_machine_that_goes_down_keeps_earlier_generations(void **state) {
    assert_true(support_crash_at_each_call(add_first, add_second, check_second, 1, *state) > 40);
}

static void removing_takes_a_whole_generation(void **state) {
    assert_true(support_fail_each_call(add_both, remove_first, check_removed, *state) > 20);
    assert_true(support_crash_at_each_call(add_both, remove_first, check_removed, 1, *state) > 20);
}

static void what_is_restored_is_whole(void **state) {
    assert_true(support_fail_each_allocation(add_second, restore, check_cleared, *state) > 20);
    assert_true(support_fail_each_call(add_second, restore, check_restored, *state) > 20);
    assert_true(support_crash_at_each_call(add_second, restore, check_restored, 1, *state) > 20);
}

static void what_is_cloned_is_whole(void **state) {
    assert_true(support_fail_each_call(NULL, clone, check_cloned, *state) > 20);
    assert_true(support_crash_at_each_call(NULL, clone, check_cloned, 1, *state) > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(failing_allocations_add_all_or_nothing),
        TEST(failing_calls_add_all_or_nothing),
        TEST(a_machine_that_goes_down_keeps_earlier_generations),
        TEST(removing_takes_a_whole_generation),
        TEST(what_is_restored_is_whole),
        TEST(what_is_cloned_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
