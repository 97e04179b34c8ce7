/* The counting file system: what it says of calls, bytes, failures and latencies. */
#include "support.h"

#include <string.h>

#include "vfs/counted.h"

static stoa_pool *pool;
static stoa_fs_registry *registry;
static stoa_fault *fault;
static stoa_counted *counted;
static stoa_error err;

static int set_up(void **state) {
    (void)state;
    stoa_fs memory, faults, fs;
    err = (stoa_error)STOA_ERROR_NONE;
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    assert_ok(stoa_fs_memory_create(pool, &memory, &err), err);
    assert_ok(stoa_fs_fault_create(pool, memory, &faults, &fault, &err), err);
    assert_ok(stoa_fs_counted_create(pool, faults, &fs, &counted, &err), err);
    assert_ok(stoa_fs_register(registry, "test", fs, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static stoa_counted_figures figures_of(stoa_counted_call call) {
    stoa_counted_figures figures;
    stoa_counted_get(counted, call, &figures);
    return figures;
}

static void calls_bytes_and_failures_are_counted_by_kind(void **state) {
    (void)state;
    stoa_file *file = NULL;
    stoa_file_info info;
    char buffer[8];
    assert_ok(stoa_vfs_replace(registry, "test:/f", NULL, "12345", 5, &err), err);
    assert_int_equal(figures_of(STOA_COUNTED_WRITE).calls, 1);
    assert_int_equal(figures_of(STOA_COUNTED_WRITE).bytes, 5);
    assert_int_equal(figures_of(STOA_COUNTED_SYNC).calls, 1);
    assert_int_equal(figures_of(STOA_COUNTED_RENAME).calls, 1);
    assert_int_equal(figures_of(STOA_COUNTED_SYNC_DIRECTORY).calls, 1);
    assert_ok(stoa_vfs_link(registry, "test:/f", "test:/g", NULL, &err), err);
    assert_fails(stoa_vfs_link(registry, "test:/f", "test:/g", NULL, &err), STOA_EXISTS, NULL, err);
    assert_int_equal(figures_of(STOA_COUNTED_LINK).calls, 2);
    assert_int_equal(figures_of(STOA_COUNTED_LINK).errors, 1);
    assert_ok(stoa_vfs_open(registry, "test:/f", STOA_OPEN_READ, NULL, &file, &err), err);
    assert_ok(stoa_file_read(file, 1, buffer, 3, &err), err);
    assert_fails(stoa_file_read(file, 4, buffer, 3, &err), STOA_CORRUPT, NULL, err);
    stoa_file_close(file);
    assert_int_equal(figures_of(STOA_COUNTED_READ).calls, 3); /* the last one met the end */
    assert_int_equal(figures_of(STOA_COUNTED_READ).bytes, 4);
    assert_fails(stoa_vfs_stat(registry, "test:/no", NULL, &info, &err), STOA_NOT_FOUND, NULL, err);
    assert_int_equal(figures_of(STOA_COUNTED_STAT).calls, 1);
    assert_int_equal(figures_of(STOA_COUNTED_STAT).errors, 1);
    stoa_counted_reset(counted);
    assert_int_equal(figures_of(STOA_COUNTED_READ).calls, 0);
    const stoa_counted_figures none = figures_of(STOA_COUNTED_READ);
    assert_int_equal(stoa_latency_percentile_ns(&none.latency, 0.5), 0);
}

static void latencies_are_told_by_percentile(void **state) {
    (void)state;
    stoa_file_info info;
    for (int i = 0; i < 19; i++) {
        assert_ok(stoa_vfs_stat(registry, "test:/", NULL, &info, &err), err);
    }
    stoa_fault_plan(fault, &(stoa_fault_options){.call = STOA_FAULT_STAT, .delay_ms = 20});
    assert_ok(stoa_vfs_stat(registry, "test:/", NULL, &info, &err), err);
    stoa_latency_figures latency = figures_of(STOA_COUNTED_STAT).latency;
    uint64_t median = stoa_latency_percentile_ns(&latency, 0.5);
    assert_true(latency.ns_max >= 20000000);
    assert_true(stoa_latency_percentile_ns(&latency, 1.0) == latency.ns_max);
    assert_true(median <= stoa_latency_percentile_ns(&latency, 0.9));
    assert_true(stoa_latency_percentile_ns(&latency, 0.96) >= 20000000);
    assert_true(latency.ns_sum >= latency.ns_max);
}

static void the_text_has_a_line_for_each_kind_there_was(void **state) {
    (void)state;
    stoa_buffer text = {.pool = pool};
    const char *lines = NULL;
    assert_ok(stoa_counted_print(counted, &text, &err), err);
    assert_int_equal(text.size, 0);
    assert_ok(stoa_vfs_replace(registry, "test:/f", NULL, "12345", 5, &err), err);
    assert_ok(stoa_counted_print(counted, &text, &err), err);
    assert_ok(stoa_buffer_text(&text, &lines, &err), err);
    assert_non_null(strstr(lines, "write "));
    assert_non_null(strstr(lines, " 5 bytes"));
    assert_non_null(strstr(lines, "p99"));
    assert_null(strstr(lines, "read "));
    stoa_buffer_release(&text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(calls_bytes_and_failures_are_counted_by_kind),
        TEST(latencies_are_told_by_percentile),
        TEST(the_text_has_a_line_for_each_kind_there_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
