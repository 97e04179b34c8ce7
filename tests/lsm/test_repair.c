/* Repair: what is damaged is said, what is whole is there afterwards. */
#include <stdio.h>
#include <stdlib.h>

#include "lsm/repair.h"
#include "lsm/wal_format.h"
#include "store_support.h"

static stoa_pool *pool;

enum { MANY = 20000 }; /* rows: several stripes */

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

static void read_file(const struct store_test *test, const char *name, stoa_buffer *out) {
    stoa_error err;
    char *uri = path_of(test, name);
    assert_ok(stoa_vfs_read_all(test->file_systems, uri, NULL, 1 << 30, pool, out, &err), err);
    stoa_pool_free_string(pool, uri);
}

static void write_bytes(const struct store_test *test, const char *name, const stoa_buffer *bytes) {
    stoa_error err;
    char *uri = path_of(test, name);
    assert_ok(stoa_vfs_replace(test->file_systems, uri, NULL, bytes->data, bytes->size, &err), err);
    stoa_pool_free_string(pool, uri);
}

static void flip(const struct store_test *test, const char *name, size_t at) {
    stoa_buffer bytes;
    read_file(test, name, &bytes);
    assert_in_range(at, 0, bytes.size - 1);
    bytes.data[at] ^= 0x10;
    write_bytes(test, name, &bytes);
    stoa_buffer_release(&bytes);
}

static bool is_there(const struct store_test *test, const char *name) {
    stoa_error err;
    bool found = false;
    char *uri = path_of(test, name);
    assert_ok(stoa_vfs_exists(test->file_systems, uri, NULL, &found, &err), err);
    stoa_pool_free_string(pool, uri);
    return found;
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
        .boot = test->boot,
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

/* ---- Files ----------------------------------------------------------------------------------- */

static const char FIRST_FILE[] = "0000000000000001.sst";

/* Users from 1 on in the first file, one more in another, one in the log. */
static void make_many(struct store_test *test) {
    store_test_begin(test, pool);
    store_test_open(test);
    for (int64_t i = 1; i <= MANY; i++) {
        put(test, i);
    }
    flush(test);
    put(test, MANY + 1);
    flush(test);
    put(test, MANY + 2);
    store_test_close(test);
}

/* All users are there but those from `first` to `last`, of whom none is. */
static void assert_lost(struct store_test *test, int64_t first, int64_t last) {
    store_test_open(test);
    for (int64_t i = 1; i <= MANY + 2; i++) {
        assert_int_equal(has(test, i), i < first || i > last);
    }
    store_test_end(test);
}

static void test_stripes_that_are_whole_are_saved(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    long long first, last, rows;
    make_many(&test);
    flip(&test, FIRST_FILE, 100);
    repair_all(&test, 1, &report);
    assert_int_equal(sscanf(report.text, "1 %lld rows with keys from (%lld) to (%lld)", &rows,
                            &first, &last),
                     3);
    assert_non_null(strstr(report.text, "stripe 0"));
    assert_int_equal(first, 1);
    assert_true(rows == last && last < MANY);
    assert_true(is_there(&test, "lost/0000000000000001.sst"));
    assert_false(is_there(&test, FIRST_FILE));
    assert_lost(&test, first, last);
}

static void test_a_damaged_filter_costs_no_row(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    stoa_buffer bytes;
    make_many(&test);
    read_file(&test, FIRST_FILE, &bytes);
    const size_t size = bytes.size;
    stoa_buffer_release(&bytes);
    flip(&test, FIRST_FILE, size - 1000);
    repair_all(&test, 1, &report);
    assert_non_null(strstr(report.text, "filter"));
    assert_lost(&test, 0, -1);
}

static void test_files_that_cannot_be_opened_are_set_aside(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    stoa_buffer bytes;
    stoa_error err;
    make_many(&test);
    read_file(&test, FIRST_FILE, &bytes);
    bytes.size -= 8;
    write_bytes(&test, FIRST_FILE, &bytes);
    assert_int_not_equal(store_test_open_as(&test, false, &err), STOA_OK);
    repair_all(&test, 1, &report);
    assert_non_null(strstr(report.text, "1 20000 rows with keys from (1) to (20000)"));
    assert_true(is_there(&test, "lost/0000000000000001.sst"));
    stoa_buffer_release(&bytes);
    assert_lost(&test, 1, MANY);
}

static void test_missing_files_are_told(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    make_many(&test);
    remove_file(&test, FIRST_FILE);
    remove_file(&test, "CURRENT");
    repair_all(&test, 2, &report);
    assert_non_null(strstr(report.text, "1 20000 rows with keys from (1) to (20000)"));
    assert_lost(&test, 1, MANY);
}

/* ---- The log --------------------------------------------------------------------------------- */

static const char FIRST_SEGMENT[] = "0000000000000001.log";

/* Where the record of this index begins in the first segment. */
static size_t record_at(const struct store_test *test, int index) {
    stoa_buffer bytes;
    size_t at = sizeof(stoa_wal_header);
    read_file(test, FIRST_SEGMENT, &bytes);
    for (int i = 0; i < index; i++) {
        stoa_wal_head head;
        memcpy(&head, bytes.data + at, sizeof head);
        assert_in_range(head.size, 1, 4096);
        at += sizeof head + stoa_wal_pad(head.size);
    }
    stoa_buffer_release(&bytes);
    return at;
}

/* Users 1 to 5, all in the log only. */
static void make_log(struct store_test *test) {
    store_test_begin(test, pool);
    test->boot = "first";
    store_test_open(test);
    for (int64_t i = 1; i <= 5; i++) {
        put(test, i);
    }
    store_test_close(test);
}

static void assert_users(struct store_test *test, const char *there) {
    store_test_open(test);
    for (int64_t i = 1; i <= 5; i++) {
        assert_int_equal(has(test, i), strchr(there, '0' + (int)i) != NULL);
    }
    put(test, 7);
    store_test_close(test);
    store_test_open(test);
    assert_true(has(test, 7));
    store_test_end(test);
}

static void test_commits_around_damage_are_saved(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    stoa_error err;
    make_log(&test);
    flip(&test, FIRST_SEGMENT, record_at(&test, 2) + sizeof(stoa_wal_head) + 3);
    assert_int_equal(store_test_open_as(&test, false, &err), STOA_CORRUPT);
    repair_all(&test, 1, &report);
    assert_non_null(strstr(report.text, "0 changes 3 to 3 are lost"));
    assert_true(is_there(&test, "lost/0000000000000001.log"));
    assert_users(&test, "1245");
}

static void test_a_damaged_last_commit_is_told(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    make_log(&test);
    flip(&test, FIRST_SEGMENT, record_at(&test, 4) + 1);
    repair_all(&test, 1, &report);
    assert_non_null(strstr(report.text, "0 changes after 4 are lost"));
    assert_users(&test, "1234");
}

static void test_a_segment_without_a_header_is_lost(void **state) {
    (void)state;
    struct store_test test;
    struct report report;
    make_log(&test);
    flip(&test, FIRST_SEGMENT, 3);
    repair_all(&test, 1, &report);
    assert_non_null(strstr(report.text, "0 changes after 0 are lost"));
    assert_users(&test, "");
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
        TEST(test_stripes_that_are_whole_are_saved),
        TEST(test_a_damaged_filter_costs_no_row),
        TEST(test_files_that_cannot_be_opened_are_set_aside),
        TEST(test_missing_files_are_told),
        TEST(test_commits_around_damage_are_saved),
        TEST(test_a_damaged_last_commit_is_told),
        TEST(test_a_segment_without_a_header_is_lost),
        TEST(test_stores_in_use_are_refused),
        TEST(test_no_store_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
