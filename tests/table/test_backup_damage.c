/* Backups that are looked at, damaged and thinned out. */
#include "backup_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
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

/* ---- looking ---- */

struct listed {
    int64_t generations[8];
    bool damaged[8];
    int count;
};

static stoa_status note(void *user, const stoa_backup_info *info, stoa_error *err) {
    struct listed *listed = user;
    (void)err;
    assert_true(listed->count < 8);
    listed->generations[listed->count] = info->generation;
    listed->damaged[listed->count++] = info->is_damaged;
    return STOA_OK;
}

static struct listed list(backup_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    struct listed listed = {0};
    ok(stoa_backup_each(world->backup, note, &listed, &err));
    return listed;
}

static int count_files(const backup_world *world, const char *folder) {
    char path[SUPPORT_PATH_BYTES + 64];
    int count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", world->backup_path, folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.' || strncmp(entry->d_name, ".stoa", 5) == 0;
    }
    (void)closedir(directory);
    return count;
}

struct damages {
    int count;
    char messages[16][STOA_ERROR_MESSAGE_BYTES];
};

static void note_damage(void *user, const stoa_error *damage) {
    struct damages *damages = user;
    assert_int_equal(damage->status, STOA_CORRUPT);
    if (damages->count < 16) {
        (void)snprintf(damages->messages[damages->count], sizeof damages->messages[0], "%s",
                       damage->message);
    }
    damages->count++;
}

static struct damages verify(backup_world *world, int64_t generation) {
    stoa_error err = STOA_ERROR_NONE;
    struct damages damages = {0};
    const stoa_status status = stoa_backup_verify(world->backup, generation, NULL, note_damage,
                                                  &damages, NULL, NULL, &err);
    assert_int_equal(status, damages.count > 0 ? STOA_CORRUPT : STOA_OK);
    return damages;
}

/* Three generations, each with a file more. */
static void make_three(backup_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    backup_make_tables(&world->table);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(backup_add(world).generation, i + 1);
        ok(table_load(&world->table, NULL, "p", STOA_APPEND, 100 + i * 10, 10, &err));
    }
}

static void generations_are_listed_and_read(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    int64_t files = 0, again = 0;
    uint64_t bytes = 0;
    assert_fails(stoa_backup_each(world->backup, note, NULL, &err), STOA_NOT_FOUND, "no backup",
                 err);
    assert_fails(stoa_backup_verify(world->backup, 0, NULL, NULL, NULL, NULL, NULL, &err),
                 STOA_NOT_FOUND, "no backup", err);
    make_three(world);
    const struct listed listed = list(world);
    assert_int_equal(listed.count, 3);
    assert_int_equal(listed.generations[2], 3);
    ok(stoa_backup_verify(world->backup, 0, NULL, NULL, NULL, &files, &bytes, &err));
    assert_int_equal(files, count_files(world, "objects"));
    ok(stoa_backup_verify(world->backup, 1, NULL, NULL, NULL, &again, NULL, &err));
    assert_true(again < files);
    assert_fails(stoa_backup_verify(world->backup, 9, NULL, NULL, NULL, NULL, NULL, &err),
                 STOA_NOT_FOUND, "generation 9", err);
}

/* ---- thinning out ---- */

static void what_no_generation_needs_goes(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    make_three(world);
    const int all = count_files(world, "objects");
    ok(stoa_backup_remove(world->backup, 2, NULL, &err));
    assert_int_equal(list(world).count, 2);
    assert_true(count_files(world, "objects") < all);
    assert_int_equal(verify(world, 0).count, 0);
    assert_fails(stoa_backup_remove(world->backup, 2, NULL, &err), STOA_NOT_FOUND, "generation 2",
                 err);
    backup_restore(world, 1, "first");
    backup_open_copy(world, "first", &copy);
    backup_assert_tables(&copy);
    backup_close_copy(&copy);
}

static void the_newest_are_kept(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    int64_t removed = 0;
    make_three(world);
    ok(stoa_backup_keep(world->backup, 5, NULL, &removed, &err));
    assert_int_equal(removed, 0);
    ok(stoa_backup_keep(world->backup, 1, NULL, &removed, &err));
    assert_int_equal(removed, 2);
    const struct listed listed = list(world);
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.generations[0], 3);
    assert_int_equal(verify(world, 0).count, 0);
    assert_int_equal(backup_add(world).generation, 4);
    assert_fails(stoa_backup_keep(world->backup, 0, NULL, &removed, &err), STOA_INVALID,
                 "one generation", err);
}

static void one_at_a_time_changes_a_backup(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs_registry *registry = NULL;
    stoa_file *lock = NULL;
    char path[SUPPORT_PATH_BYTES + 64], pid[32];
    make_three(world);
    ok(stoa_fs_registry_create(world->table.pool, &registry, &err));
    (void)snprintf(path, sizeof path, "%s/LOCK", world->backup_path);
    ok(stoa_vfs_lock(registry, path, NULL, &lock, &err));
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_fails(stoa_backup_add(world->backup, world->table.db, NULL, NULL, &err), STOA_LOCKED,
                 pid, err);
    assert_fails(stoa_backup_remove(world->backup, 1, NULL, &err), STOA_LOCKED, pid, err);
    backup_restore(world, 1, "copy"); /* who reads waits for nobody */
    assert_int_equal(verify(world, 0).count, 0);
    stoa_file_close(lock);
    stoa_fs_registry_close(registry);
}

/* ---- leftovers ---- */

static void write_file(const backup_world *world, const char *name, const char *text) {
    char path[SUPPORT_PATH_BYTES + 128];
    (void)snprintf(path, sizeof path, "%s/%s", world->backup_path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool has_file(const backup_world *world, const char *name) {
    char path[SUPPORT_PATH_BYTES + 128];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/%s", world->backup_path, name);
    return stat(path, &info) == 0;
}

static void what_a_crash_left_is_removed(void **state) {
    backup_world *world = *state;
    static const char lost[] = "objects/00112233445566778899aabbccddeeff";
    make_three(world);
    write_file(world, lost, "lost");
    write_file(world, "objects/.stoa-tmp-0123", "half");
    write_file(world, "generations/.stoa-tmp-0123", "half");
    write_file(world, ".stoa-tmp-0123", "half");
    write_file(world, "objects/readme", "a person's");
    (void)backup_add(world);
    assert_false(has_file(world, lost));
    assert_false(has_file(world, "objects/.stoa-tmp-0123"));
    assert_false(has_file(world, "generations/.stoa-tmp-0123"));
    assert_false(has_file(world, ".stoa-tmp-0123"));
    assert_true(has_file(world, "objects/readme"));
    assert_int_equal(verify(world, 0).count, 0);
}

/* An object may be named by the record that cannot be read. */
static void damaged_records_keep_all_objects(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    static const char lost[] = "objects/00112233445566778899aabbccddeeff";
    int64_t removed = 0;
    make_three(world);
    write_file(world, "generations/00000003", "stoa-backup 1\nend 0\n");
    write_file(world, lost, "lost");
    assert_int_equal(backup_add(world).generation, 4);
    assert_true(has_file(world, lost));
    const struct listed listed = list(world);
    assert_int_equal(listed.count, 4);
    assert_true(listed.damaged[2] && !listed.damaged[3]);
    const struct damages damages = verify(world, 0);
    assert_int_equal(damages.count, 1);
    assert_non_null(strstr(damages.messages[0], "generation 3"));
    ok(stoa_backup_keep(world->backup, 2, NULL, &removed, &err)); /* 4 and 2: 3 stays too */
    assert_int_equal(removed, 1);
    ok(stoa_backup_remove(world->backup, 3, NULL, &err));
    assert_false(has_file(world, lost));
    assert_int_equal(verify(world, 0).count, 0);
}

/* ---- damage ---- */

static void flip(const char *path, off_t at) {
    const int file = open(path, O_RDWR);
    uint8_t byte = 0;
    assert_true(file >= 0);
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    assert_int_equal(close(file), 0);
}

/* Flips a bit in the first, the middle and the last byte of every object, one after the other. */
static void damage_is_named_and_never_restored(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    char folder[SUPPORT_PATH_BYTES + 64], path[SUPPORT_PATH_BYTES + 400],
        target[SUPPORT_PATH_BYTES + 64];
    struct stat info;
    int objects = 0;
    backup_make_tables(&world->table);
    (void)backup_add(world);
    (void)backup_add(world);
    backup_world_path(world, "copy", target);
    (void)snprintf(folder, sizeof folder, "%s/objects", world->backup_path);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &info) != 0) {
            continue;
        }
        objects++;
        for (int place = 0; place < 3; place++) {
            const off_t at = place * (info.st_size - 1) / 2;
            flip(path, at);
            const struct damages damages = verify(world, 0);
            assert_int_equal(damages.count, 2); /* of each generation */
            assert_non_null(strstr(damages.messages[0], entry->d_name));
            assert_non_null(strstr(damages.messages[1], "generation 2"));
            assert_fails(stoa_backup_restore(world->backup, 1, target, NULL, NULL, &err),
                         STOA_CORRUPT, entry->d_name, err);
            assert_int_not_equal(access(target, F_OK), 0);
            flip(path, at);
        }
        char aside[SUPPORT_PATH_BYTES + 64];
        backup_world_path(world, "aside", aside);
        assert_int_equal(rename(path, aside), 0);
        assert_int_equal(verify(world, 2).count, 1);
        assert_fails(stoa_backup_restore(world->backup, 0, target, NULL, NULL, &err), STOA_CORRUPT,
                     entry->d_name, err);
        assert_int_equal(rename(aside, path), 0);
    }
    (void)closedir(directory);
    assert_true(objects >= 6);
    assert_int_equal(verify(world, 0).count, 0);
}

/* An object that vanished is copied again. */
static void a_lost_object_is_brought_back(void **state) {
    backup_world *world = *state;
    char path[SUPPORT_PATH_BYTES + 400], folder[SUPPORT_PATH_BYTES + 64];
    backup_make_tables(&world->table);
    (void)backup_add(world);
    (void)snprintf(folder, sizeof folder, "%s/objects", world->backup_path);
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_true(entry->d_name[0] == '.' || unlink(path) == 0);
    }
    (void)closedir(directory);
    const stoa_backup_info info = backup_add(world);
    assert_int_equal(info.new_file_count, info.file_count);
    assert_int_equal(verify(world, 0).count, 0);
}

/* A data file of the database that is damaged is not taken into a backup. */
static stoa_status note_path(void *user, const stoa_file_entry *file, stoa_error *err) {
    (void)err;
    (void)snprintf(user, 256, "%s", file->path);
    return STOA_OK;
}

static void damage_of_the_database_is_not_backed_up(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    static const char *const tables[] = {"p", "s"};
    backup_make_tables(&world->table);
    for (int i = 0; i < 2; i++) {
        char name[256] = "", path[SUPPORT_PATH_BYTES + 260];
        ok(stoa_table_files(world->table.db, tables[i], note_path, name, &err));
        (void)snprintf(path, sizeof path, "%s/%s", world->table.path, name);
        flip(path, 60);
        assert_fails(stoa_backup_add(world->backup, world->table.db, NULL, NULL, &err),
                     STOA_CORRUPT, name, err);
        flip(path, 60);
        assert_int_equal(list(world).count, 0);
        assert_int_equal(count_files(world, "objects"), 0);
    }
    (void)backup_add(world);
}

static void stop(void *user, const stoa_progress *progress) {
    assert_string_equal(progress->unit, "files");
    stoa_cancel_trigger(user);
}

static void what_is_cancelled_leaves_nothing(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel = NULL;
    char target[SUPPORT_PATH_BYTES + 64];
    backup_make_tables(&world->table);
    ok(stoa_cancel_create(NULL, &cancel, &err));
    const stoa_context context = {.cancel = cancel, .progress = stop, .progress_user = cancel};
    assert_fails(stoa_backup_add(world->backup, world->table.db, &context, NULL, &err),
                 STOA_CANCELLED, "backup", err);
    stoa_cancel_close(cancel);
    assert_int_equal(list(world).count, 0);
    assert_int_equal(count_files(world, "objects"), 0);
    (void)backup_add(world);
    ok(stoa_cancel_create(NULL, &cancel, &err));
    const stoa_context again = {.cancel = cancel, .progress = stop, .progress_user = cancel};
    backup_world_path(world, "copies/copy", target);
    assert_fails(stoa_backup_restore(world->backup, 0, target, &again, NULL, &err), STOA_CANCELLED,
                 target, err);
    stoa_cancel_close(cancel);
    backup_world_path(world, "copies", target);
    assert_int_equal(rmdir(target), 0); /* nothing is in it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(generations_are_listed_and_read),
        TEST(what_no_generation_needs_goes),
        TEST(the_newest_are_kept),
        TEST(one_at_a_time_changes_a_backup),
        TEST(what_a_crash_left_is_removed),
        TEST(damaged_records_keep_all_objects),
        TEST(damage_is_named_and_never_restored),
        TEST(a_lost_object_is_brought_back),
        TEST(damage_of_the_database_is_not_backed_up),
        TEST(what_is_cancelled_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
