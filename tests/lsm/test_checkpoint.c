/* Checkpoints: what is in them, that they share nothing with the store, and what is refused. */
#include <stdio.h>

#include <stoa/state_maintenance.h>

#include "store_support.h"
#include "vfs/counted.h"

static stoa_pool *pool;

static void put(struct store_test *test, int64_t user, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.bytes = "x", .size = 1}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void add(struct store_test *test, int64_t user, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = total}, {.is_null = true}};
    assert_ok(stoa_state_merge(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void delete_all(struct store_test *test) {
    stoa_error err;
    assert_ok(stoa_state_delete_range(test->totals, NULL, 0, NULL, 0, STOA_DURABILITY_DEFAULT,
                                      &err),
              err);
}

static void flush(struct store_test *test) {
    stoa_error err;
    assert_ok(stoa_state_flush(test->totals, &err), err);
}

/* The total of a user; -1: there is no such row. */
static int64_t total_of(struct store_test *test, int64_t user) {
    stoa_error err;
    stoa_row *row = NULL;
    bool found = false;
    assert_ok(stoa_row_create(test->totals, "total", &row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = user}, NULL, row, &found, &err), err);
    const int64_t total = found ? stoa_row_cells(row)->i : -1;
    stoa_row_close(row);
    return total;
}

/* Users 1 to 3 are in files and in memory; user 4 is deleted. */
static void write_some(struct store_test *test) {
    stoa_error err;
    put(test, 1, 10);
    put(test, 4, 40);
    flush(test);
    put(test, 2, 20);
    add(test, 1, 1);
    flush(test);
    assert_ok(stoa_state_delete(test->totals, &(stoa_cell){.i = 4}, STOA_DURABILITY_DEFAULT, &err),
              err);
    put(test, 3, 30);
}

static void assert_some(struct store_test *test) {
    static const int64_t totals[] = {11, 20, 30, -1};
    for (int64_t user = 1; user <= 4; user++) {
        assert_int_equal(total_of(test, user), totals[user - 1]);
    }
}

static void checkpoint(struct store_test *test, const char *directory) {
    stoa_error err;
    assert_ok(stoa_state_checkpoint(test->totals, directory, NULL, &err), err);
}

/* Both go on by themselves, and are opened again. */
static void check_independence(struct store_test *test, const char *directory) {
    stoa_error err;
    struct store_test copy = *test;
    copy.directory = directory;
    write_some(test);
    checkpoint(test, directory);
    delete_all(test);
    put(test, 9, 90);
    assert_ok(stoa_state_compact(test->totals, NULL, 0, NULL, 0, NULL, &err), err);
    store_test_open(&copy);
    assert_some(&copy);
    put(&copy, 5, 50);
    add(&copy, 1, 100);
    assert_ok(stoa_state_compact(copy.totals, NULL, 0, NULL, 0, NULL, &err), err);
    store_test_close(&copy);
    store_test_close(test);
    store_test_open(test);
    store_test_open(&copy);
    assert_int_equal(total_of(test, 1), -1);
    assert_int_equal(total_of(test, 5), -1);
    assert_int_equal(total_of(test, 9), 90);
    assert_int_equal(total_of(&copy, 1), 111);
    assert_int_equal(total_of(&copy, 5), 50);
    assert_int_equal(total_of(&copy, 9), -1);
    store_test_close(&copy);
}

static void test_copies_in_memory_are_stores_of_their_own(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    check_independence(&test, "memory:/copies/one/state");
    store_test_end(&test);
}

static void test_copies_on_disk_are_stores_of_their_own(void **state) {
    (void)state;
    struct store_test test;
    char base[SUPPORT_PATH_BYTES], source[SUPPORT_PATH_BYTES + 8], target[SUPPORT_PATH_BYTES + 8];
    support_temp_directory(base);
    (void)snprintf(source, sizeof source, "%s/state", base);
    (void)snprintf(target, sizeof target, "%s/copy", base);
    store_test_begin(&test, pool);
    test.directory = source;
    store_test_open(&test);
    check_independence(&test, target);
    store_test_end(&test);
}

static void test_without_links_files_are_copied(void **state) {
    (void)state;
    struct store_test test;
    char base[SUPPORT_PATH_BYTES], target[SUPPORT_PATH_BYTES + 8];
    support_temp_directory(base);
    (void)snprintf(target, sizeof target, "%s/copy", base);
    store_test_begin(&test, pool);
    store_test_open(&test);
    check_independence(&test, target); /* from memory to the disk */
    store_test_end(&test);
}

static uint64_t calls_of(const stoa_counted *counted, stoa_counted_call call) {
    stoa_counted_figures figures;
    stoa_counted_get(counted, call, &figures);
    return figures.calls - figures.errors;
}

static void test_files_are_linked_where_they_can_be(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    stoa_fs inner, fs;
    stoa_counted *counted;
    store_test_begin(&test, pool);
    assert_ok(stoa_fs_memory_create(pool, &inner, &err), err);
    assert_ok(stoa_fs_counted_create(pool, inner, &fs, &counted, &err), err);
    assert_ok(stoa_fs_register(test.file_systems, "counted", fs, &err), err);
    test.directory = "counted:/state";
    test.settings.no_background = true;
    store_test_open(&test);
    write_some(&test);
    flush(&test);
    stoa_counted_reset(counted);
    checkpoint(&test, "counted:/copy");
    assert_int_equal(calls_of(counted, STOA_COUNTED_LINK), 3);
    assert_int_equal(calls_of(counted, STOA_COUNTED_READ), 0);
    store_test_end(&test);
}

static void test_a_store_without_rows_is_copied(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    checkpoint(&test, "memory:/copy");
    store_test_close(&test);
    test.directory = "memory:/copy";
    stoa_error err;
    assert_ok(store_test_open_as(&test, false, &err), err);
    assert_ok(stoa_store_open_table(test.store, TOTALS, &test.totals, &err), err);
    put(&test, 1, 10);
    assert_int_equal(total_of(&test, 1), 10);
    store_test_end(&test);
}

static void test_a_copy_of_a_copy(void **state) {
    (void)state;
    struct store_test test;
    store_test_begin(&test, pool);
    store_test_open(&test);
    write_some(&test);
    checkpoint(&test, "memory:/first");
    store_test_close(&test);
    test.directory = "memory:/first";
    store_test_open(&test);
    checkpoint(&test, "memory:/second");
    store_test_close(&test);
    test.directory = "memory:/second";
    store_test_open(&test);
    assert_some(&test);
    store_test_end(&test);
}

static void test_what_is_there_is_not_touched(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    store_test_begin(&test, pool);
    store_test_open(&test);
    write_some(&test);
    checkpoint(&test, "memory:/copy");
    put(&test, 1, 1000);
    assert_fails(stoa_state_checkpoint(test.totals, "memory:/copy", NULL, &err), STOA_EXISTS,
                 "memory:/copy", err);
    assert_fails(stoa_state_checkpoint(test.totals, test.directory, NULL, &err), STOA_EXISTS,
                 test.directory, err);
    store_test_close(&test);
    test.directory = "memory:/copy";
    store_test_open(&test);
    assert_some(&test);
    store_test_end(&test);
}

static void test_who_reads_only_makes_none(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    bool is_there = true;
    store_test_begin(&test, pool);
    store_test_open(&test);
    store_test_close(&test);
    assert_ok(store_test_open_as(&test, true, &err), err);
    assert_ok(stoa_store_open_table(test.store, TOTALS, &test.totals, &err), err);
    assert_fails(stoa_state_checkpoint(test.totals, "memory:/copy", NULL, &err), STOA_INVALID,
                 "read only", err);
    assert_ok(stoa_vfs_exists(test.file_systems, "memory:/copy", NULL, &is_there, &err), err);
    assert_false(is_there);
    store_test_end(&test);
}

static stoa_status count_entry(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int *)user;
    return STOA_OK;
}

static void test_one_that_is_cancelled_leaves_nothing(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    stoa_cancel *cancel = NULL;
    int count = 0;
    store_test_begin(&test, pool);
    store_test_open(&test);
    write_some(&test);
    assert_ok(stoa_vfs_make_directory(test.file_systems, "memory:/copies", NULL, &err), err);
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    stoa_cancel_trigger(cancel);
    assert_fails(stoa_state_checkpoint(test.totals, "memory:/copies/one",
                                       &(stoa_context){.cancel = cancel}, &err),
                 STOA_CANCELLED, "memory:/copies/one", err);
    stoa_cancel_close(cancel);
    assert_ok(stoa_vfs_list(test.file_systems, "memory:/copies", NULL, count_entry, &count, &err),
              err);
    assert_int_equal(count, 0);
    store_test_end(&test);
}

static int setup(void **state) {
    (void)state;
    pool = support_pool_open();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_copies_in_memory_are_stores_of_their_own),
        TEST(test_copies_on_disk_are_stores_of_their_own),
        TEST(test_without_links_files_are_copied),
        TEST(test_files_are_linked_where_they_can_be),
        TEST(test_a_store_without_rows_is_copied),
        TEST(test_a_copy_of_a_copy),
        TEST(test_what_is_there_is_not_touched),
        TEST(test_who_reads_only_makes_none),
        TEST(test_one_that_is_cancelled_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
