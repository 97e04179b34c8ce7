/* Backups: what is in a generation, what is copied of it, what comes back. */
#include "backup_world.h"

#include <sys/stat.h>

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

static void a_generation_is_a_whole_database(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    backup_make_tables(&world->table);
    const stoa_backup_info info = backup_add(world);
    assert_int_equal(info.generation, 1);
    assert_int_equal(info.table_count, 2);
    assert_int_equal(info.row_count, -1); /* files of state tables may replace each other's rows */
    assert_int_equal(info.new_file_count, info.file_count);
    assert_int_equal(info.new_bytes, info.bytes);
    ok(backup_put_rows(&world->table, "s", 1000, 5, &err));
    ok(stoa_table_drop(world->table.db, "p", &err));
    backup_restore(world, 0, "copy");
    backup_open_copy(world, "copy", &copy);
    backup_assert_tables(&copy);
    backup_close_copy(&copy);
    assert_int_equal(table_sum(&world->table, NULL, "s", 0).count, 35);
}

/* Of a database that did not change no data file is copied, and one that changed copies what is new. */
static void what_is_there_is_not_copied_again(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    backup_make_tables(&world->table);
    const stoa_backup_info first = backup_add(world);
    const stoa_backup_info same = backup_add(world);
    assert_int_equal(same.generation, 2);
    assert_int_equal(same.file_count, first.file_count);
    assert_int_equal(same.new_file_count, 0);
    assert_int_equal(same.new_bytes, 0);
    ok(table_load(&world->table, NULL, "p", STOA_APPEND, 20, 10, &err));
    ok(backup_put_rows(&world->table, "s", 130, 10, &err));
    const stoa_backup_info more = backup_add(world);
    assert_int_equal(more.file_count, first.file_count + 2);
    assert_int_equal(more.new_file_count, 4); /* of each table one, the catalog and the manifest */
    backup_restore(world, 3, "third");
    backup_open_copy(world, "third", &copy);
    table_assert_range(&copy, NULL, "p", 0, 30);
    table_assert_range(&copy, NULL, "s", 100, 40);
    backup_close_copy(&copy);
    backup_restore(world, 1, "first");
    backup_open_copy(world, "first", &copy);
    backup_assert_tables(&copy);
    backup_close_copy(&copy);
}

/* Numbers of files begin anew in a restored database: the same name is another file then. */
static void a_file_is_not_told_by_its_name(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    backup_make_tables(&world->table);
    (void)backup_add(world);
    backup_restore(world, 1, "copy");
    ok(backup_put_rows(&world->table, "s", 200, 10, &err));
    (void)backup_add(world); /* the next number is of these rows */
    backup_open_copy(world, "copy", &copy);
    ok(backup_put_rows(&copy, "s", 300, 10, &err));
    ok(stoa_backup_add(world->backup, copy.db, NULL, NULL, &err)); /* and here of those */
    backup_close_copy(&copy);
    for (int64_t generation = 2; generation <= 3; generation++) {
        const char *name = generation == 2 ? "second" : "third";
        backup_restore(world, generation, name);
        backup_open_copy(world, name, &copy);
        const table_sums sums = table_sum(&copy, NULL, "s", 0);
        assert_int_equal(sums.count, 40);
        assert_int_equal(sums.sum, table_range_sum(100, 30) +
                                       table_range_sum(generation == 2 ? 200 : 300, 10));
        backup_close_copy(&copy);
    }
}

static void without_state_tables_there_is_no_store(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy;
    char path[SUPPORT_PATH_BYTES + 64];
    struct stat found;
    ok(table_load(&world->table, NULL, "p", STOA_CREATE, 0, 10, &err));
    const stoa_backup_info info = backup_add(world);
    assert_int_equal(info.file_count, 2);
    assert_int_equal(info.row_count, 10);
    backup_restore(world, 0, "copy");
    backup_world_path(world, "copy/state", path);
    assert_int_not_equal(stat(path, &found), 0);
    backup_open_copy(world, "copy", &copy);
    table_assert_range(&copy, NULL, "p", 0, 10);
    ok(stoa_state_create(copy.db, "s", copy.schema, &backup_by_id, &err));
    backup_close_copy(&copy);
}

static void an_empty_database_comes_back(void **state) {
    backup_world *world = *state;
    table_world copy;
    const stoa_backup_info info = backup_add(world);
    assert_int_equal(info.table_count, 0);
    assert_int_equal(info.row_count, 0);
    backup_restore(world, 0, "copy");
    backup_open_copy(world, "copy", &copy);
    backup_make_tables(&copy);
    backup_close_copy(&copy);
}

/* A second handle that only reads stands for another process: the first has the lock of the store. */
static void who_only_reads_can_back_up_beside_the_writer(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world copy = world->table;
    stoa_database *reader = NULL;
    const stoa_database_options options = {.read_only = true, .parent_pool = world->table.pool};
    backup_make_tables(&world->table);
    ok(stoa_database_open(world->table.path, &options, &reader, &err));
    ok(stoa_backup_add(world->backup, reader, NULL, NULL, &err));
    ok(backup_put_rows(&world->table, "s", 130, 10, &err)); /* in the log only */
    ok(stoa_backup_add(world->backup, reader, NULL, NULL, &err));
    stoa_database_close(reader);
    backup_restore(world, 2, "second");
    backup_open_copy(world, "second", &copy);
    table_assert_range(&copy, NULL, "s", 100, 40);
    backup_close_copy(&copy);
    backup_restore(world, 1, "first");
    backup_open_copy(world, "first", &copy);
    backup_assert_tables(&copy);
    backup_close_copy(&copy);
}

static void what_is_there_is_not_restored_over(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    char path[SUPPORT_PATH_BYTES + 64];
    backup_make_tables(&world->table);
    assert_fails(stoa_backup_restore(world->backup, 0, "x", NULL, NULL, &err), STOA_NOT_FOUND,
                 "no backup", err);
    (void)backup_add(world);
    assert_fails(stoa_backup_restore(world->backup, 0, world->table.path, NULL, NULL, &err),
                 STOA_EXISTS, world->table.path, err);
    backup_world_path(world, "copy", path);
    assert_fails(stoa_backup_restore(world->backup, 7, path, NULL, NULL, &err), STOA_NOT_FOUND,
                 "generation 7", err);
}

static void other_places_are_refused(void **state) {
    backup_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *memory = NULL;
    stoa_backup *other = NULL;
    const stoa_backup_options options = {.parent_pool = world->table.pool};
    ok(stoa_database_open(":memory:", &(stoa_database_options){.parent_pool = world->table.pool},
                          &memory, &err));
    assert_fails(stoa_backup_add(world->backup, memory, NULL, NULL, &err), STOA_UNSUPPORTED,
                 ":memory:", err);
    stoa_database_close(memory);
    assert_fails(stoa_backup_open("s3://bucket/backup", &options, &other, &err), STOA_UNSUPPORTED,
                 "no directories", err);
    ok(stoa_backup_open(world->table.path, &options, &other, &err));
    assert_fails(stoa_backup_add(other, world->table.db, NULL, NULL, &err), STOA_INVALID,
                 "expected an empty directory", err);
    stoa_backup_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_generation_is_a_whole_database),
        TEST(what_is_there_is_not_copied_again),
        TEST(a_file_is_not_told_by_its_name),
        TEST(without_state_tables_there_is_no_store),
        TEST(an_empty_database_comes_back),
        TEST(who_only_reads_can_back_up_beside_the_writer),
        TEST(what_is_there_is_not_restored_over),
        TEST(other_places_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
