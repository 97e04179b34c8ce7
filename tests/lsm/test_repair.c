/* Repair: what is damaged is said, what is whole is there afterwards. */
#include <stdio.h>
#include <stdlib.h>

#include "lsm/repair.h"
#include "store_support.h"

static stoa_pool *pool;

static void put(struct store_test *test, int64_t user) {
    stoa_error err;
    const stoa_cell row[] = {{.i = user}, {.i = 10 * user}, {.bytes = "x", .size = 1}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

static void flush(struct store_test *test) {
    stoa_error err;
    assert_ok(stoa_state_flush(test->totals, &err), err);
}

static bool has(struct store_test *test, int64_t user) {
    stoa_error err;
    stoa_row *row = NULL;
    bool found = false;
    assert_ok(stoa_row_create(test->totals, "total", &row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = user}, NULL, row, &found, &err), err);
    assert_true(!found || stoa_row_cells(row)->i == 10 * user);
    stoa_row_close(row);
    return found;
}

static char *path_of(const struct store_test *test, const char *name) {
    stoa_error err;
    char *uri = NULL;
    assert_ok(stoa_vfs_join(pool, test->directory, name, &uri, &err), err);
    return uri;
}

static void remove_file(const struct store_test *test, const char *name) {
    stoa_error err;
    char *uri = path_of(test, name);
    assert_ok(stoa_vfs_remove(test->file_systems, uri, NULL, &err), err);
    stoa_pool_free_string(pool, uri);
}

static void write_file(const struct store_test *test, const char *name, const char *text) {
    stoa_error err;
    char *uri = path_of(test, name);
    assert_ok(stoa_vfs_replace(test->file_systems, uri, NULL, text, strlen(text), &err), err);
    stoa_pool_free_string(pool, uri);
}

/* The messages of all damage, a line each. */
struct report {
    char text[4096];
};

static void add_damage(void *user, int64_t table_id, const stoa_error *damage) {
    struct report *report = user;
    const size_t used = strlen(report->text);
    assert_int_equal(damage->status, STOA_CORRUPT);
    (void)snprintf(report->text + used, sizeof report->text - used, "%d %s\n", (int)table_id,
                   damage->message);
}

static stoa_status repair(const struct store_test *test, bool dry_run, struct report *report,
                          stoa_state_repair_result *result, stoa_error *err) {
    const stoa_store_repair_options options = {
        .context = {.pool = test->pool, .sched = test->sched},
        .file_systems = test->file_systems,
        .directory = test->directory,
        .dry_run = dry_run,
        .function = add_damage,
        .user = report,
    };
    *report = (struct report){0};
    return stoa_store_repair(&options, result, err);
}

/* Says the same, and changes nothing; then does it. */
static void repair_all(const struct store_test *test, int64_t damages, struct report *report) {
    stoa_error err;
    struct report dry;
    stoa_state_repair_result result;
    assert_ok(repair(test, true, &dry, &result, &err), err);
    assert_int_equal(result.damage_count, damages);
    assert_ok(repair(test, false, report, &result, &err), err);
    assert_int_equal(result.damage_count, damages);
    assert_string_equal(dry.text, report->text);
    assert_ok(repair(test, true, &dry, &result, &err), err);
    assert_int_equal(result.damage_count, 0);
}

/* Users 1 and 2 in files, user 3 in the log. */
static void make_store(struct store_test *test) {
    store_test_begin(test, pool);
    store_test_open(test);
    put(test, 1);
    flush(test);
    put(test, 2);
    flush(test);
    put(test, 3);
    store_test_close(test);
}

static void assert_whole(struct store_test *test) {
    store_test_open(test);
    assert_true(has(test, 1) && has(test, 2) && has(test, 3) && !has(test, 4));
    put(test, 4);
    flush(test);
    store_test_close(test);
    store_test_open(test);
    assert_true(has(test, 1) && has(test, 2) && has(test, 3) && has(test, 4));
    store_test_end(test);
}

static void test_a_whole_store_stays_as_it_is(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    make_store(&test);
    repair_all(&test, 0, &report);
    assert_string_equal(report.text, "");
    assert_whole(&test);
}

static void test_a_lost_current_is_written_anew(void **state) {
    (void)state;
    static const char *const texts[] = {NULL, "", "MANIFEST-000000000000000x\n",
                                        "MANIFEST-0000000000000009\n",
                                        "a text that is longer than any name of a manifest, by far"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct store_test test;
        struct report report;
        stoa_error err;
        make_store(&test);
        if (texts[i] == NULL) {
            remove_file(&test, "CURRENT");
        } else {
            write_file(&test, "CURRENT", texts[i]);
        }
        assert_int_not_equal(store_test_open_as(&test, false, &err), STOA_OK);
        repair_all(&test, 1, &report);
        assert_non_null(strstr(report.text, "manifest 0000000000000001"));
        assert_whole(&test);
    }
}

static void test_stores_in_use_are_refused(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    stoa_state_repair_result result;
    stoa_error err;
    make_store(&test);
    store_test_open(&test);
    assert_int_equal(repair(&test, false, &report, &result, &err), STOA_LOCKED);
    store_test_close(&test);
    assert_whole(&test);
}

static void test_no_store_is_none(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    stoa_state_repair_result result;
    stoa_error err;
    store_test_begin(&test, pool);
    assert_int_equal(repair(&test, false, &report, &result, &err), STOA_NOT_FOUND);
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
        TEST(test_a_whole_store_stays_as_it_is),
        TEST(test_a_lost_current_is_written_anew),
        TEST(test_stores_in_use_are_refused),
        TEST(test_no_store_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
