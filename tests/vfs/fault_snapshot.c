/* Snapshots of memory file systems: what changed, going back, and both with every allocation
 * failing. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "vfs/snapshot.h"

struct changes {
    char text[512];
};

static stoa_status note(void *user, stoa_snapshot_change change, const char *path,
                        stoa_error *err) {
    struct changes *changes = user;
    (void)err;
    size_t used = strlen(changes->text);
    (void)snprintf(changes->text + used, sizeof changes->text - used, "%c%s ", "+-!"[change], path);
    return STOA_OK;
}

static stoa_fs *disk_of(support_world *world) {
    return stoa_fault_inner(world->fault);
}

static stoa_status fill(support_world *world, void *user, stoa_error *err) {
    (void)user;
    STOA_TRY(stoa_vfs_make_directories(world->registry, "test:/d/e", NULL, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/d/e/same", NULL, "same", 4, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/d/changed", NULL, "before", 6, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/d.grown", NULL, "grows", 5, err));
    return stoa_vfs_replace(world->registry, "test:/gone", NULL, "", 0, err);
}

static stoa_status append(support_world *world, const char *uri, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(world->registry, uri, STOA_OPEN_APPEND, NULL, &file, err));
    stoa_status status = stoa_file_write(file, " longer", 7, err);
    stoa_file_close(file);
    return status;
}

static stoa_status change(support_world *world, stoa_error *err) {
    STOA_TRY(stoa_vfs_remove(world->registry, "test:/gone", NULL, err));
    STOA_TRY(stoa_vfs_make_directory(world->registry, "test:/new", NULL, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/new/f", NULL, "", 0, err));
    STOA_TRY(stoa_vfs_replace(world->registry, "test:/d/changed", NULL, "behind", 6, err));
    return append(world, "test:/d.grown", err);
}

static void assert_changes(support_world *world, const stoa_snapshot *before, const char *wanted) {
    stoa_error err = STOA_ERROR_NONE;
    struct changes changes = {""};
    stoa_snapshot *after = NULL;
    assert_ok(stoa_snapshot_take(disk_of(world), &after, &err), err);
    assert_ok(stoa_snapshot_compare(before, after, note, &changes, &err), err);
    stoa_snapshot_close(after);
    assert_string_equal(changes.text, wanted);
}

static void changes_are_told_and_undone(void **state) {
    (void)state;
    support_world world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_snapshot *before = NULL;
    stoa_file *open = NULL;
    char buffer[16] = "";
    support_world_open(&world);
    assert_ok(fill(&world, NULL, &err), err);
    assert_ok(stoa_snapshot_take(disk_of(&world), &before, &err), err);
    assert_changes(&world, before, "");
    assert_ok(change(&world, &err), err);
    assert_changes(&world, before, "!/d.grown !/d/changed -/gone +/new +/new/f ");
    assert_ok(stoa_vfs_open(world.registry, "test:/d/changed", STOA_OPEN_READ, NULL, &open, &err),
              err);
    assert_ok(stoa_snapshot_restore(disk_of(&world), before, &err), err);
    assert_changes(&world, before, "");
    assert_ok(stoa_file_read(open, 0, buffer, 6, &err), err);
    assert_string_equal(buffer, "behind");
    stoa_file_close(open);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_changes(&world, before, "");
    /* What was restored can change again without changing the snapshot. */
    assert_ok(change(&world, &err), err);
    assert_ok(stoa_snapshot_restore(disk_of(&world), before, &err), err);
    assert_changes(&world, before, "");
    stoa_snapshot_close(before);
    support_world_close(&world);
}

static void snapshots_belong_to_one_file_system_in_memory(void **state) {
    (void)state;
    support_world world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs local = stoa_fs_local(), other;
    stoa_snapshot *snapshot = NULL;
    support_world_open(&world);
    assert_fails(stoa_snapshot_take(&local, &snapshot, &err), STOA_INVALID, "memory", err);
    assert_null(snapshot);
    assert_ok(stoa_fs_memory_create(world.pool, &other, &err), err);
    assert_ok(stoa_snapshot_take(&other, &snapshot, &err), err);
    assert_fails(stoa_snapshot_restore(disk_of(&world), snapshot, &err), STOA_INVALID, "another",
                 err);
    stoa_fs_close(&other); /* the snapshot keeps what it needs */
    stoa_snapshot_close(snapshot);
    support_world_close(&world);
}

static stoa_status take_and_restore(support_world *world, void *user, stoa_error *err) {
    (void)user;
    stoa_snapshot *snapshot = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_snapshot_take(disk_of(world), &snapshot, err));
    STOA_CHECK(change(world, err));
    STOA_CHECK(stoa_snapshot_restore(disk_of(world), snapshot, err));

done:
    stoa_snapshot_close(snapshot);
    return status;
}

static void check(support_world *world, void *user, stoa_status status) {
    (void)user;
    bool exists = false;
    stoa_error err = STOA_ERROR_NONE;
    assert_ok(stoa_vfs_exists(world->registry, "test:/d/e/same", NULL, &exists, &err), err);
    assert_true(exists);
    assert_ok(stoa_vfs_exists(world->registry, "test:/gone", NULL, &exists, &err), err);
    assert_true(exists || status != STOA_OK);
}

static void failing_allocations_leave_one_state_or_the_other(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(fill, take_and_restore, check, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_and_undone),
        cmocka_unit_test(snapshots_belong_to_one_file_system_in_memory),
        cmocka_unit_test(failing_allocations_leave_one_state_or_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
