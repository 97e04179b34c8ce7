/* The fault file system: that it fails what it was told to, and nothing else. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static support_world world;
static stoa_error err;

static int set_up(void **state) {
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    support_world_open(&world);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    support_world_close(&world);
    return 0;
}

static stoa_file *create(const char *uri) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world.registry, uri, STOA_OPEN_CREATE, NULL, &file, &err), err);
    return file;
}

static size_t size_of(const char *uri) {
    stoa_file_info info;
    assert_ok(stoa_vfs_stat(world.registry, uri, NULL, &info, &err), err);
    return (size_t)info.size;
}

static void the_nth_call_fails_once(void **state) {
    (void)state;
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 3});
    stoa_file *file = create("test:/f");
    assert_ok(stoa_file_write(file, "a", 1, &err), err);
    assert_false(stoa_fault_happened(world.fault));
    assert_fails(stoa_file_write(file, "b", 1, &err), STOA_IO, "fault made for a test at call 3",
                 err);
    assert_true(stoa_fault_happened(world.fault));
    assert_ok(stoa_file_write(file, "c", 1, &err), err);
    stoa_file_close(file);
    assert_int_equal(stoa_fault_calls(world.fault, STOA_FAULT_WRITE), 3);
    assert_int_equal(stoa_fault_calls(world.fault, STOA_FAULT_OPEN), 1);
    assert_int_equal(stoa_fault_calls(world.fault, STOA_FAULT_ANY), 4);
    assert_int_equal(size_of("test:/f"), 2);
}

static void the_nth_call_of_a_kind_fails(void **state) {
    (void)state;
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1,
                                                       .call = STOA_FAULT_SYNC,
                                                       .status = STOA_LIMIT});
    stoa_file *file = create("test:/f");
    assert_ok(stoa_file_write(file, "a", 1, &err), err);
    assert_fails(stoa_file_sync(file, &err), STOA_LIMIT, "(sync)", err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
}

static void after_the_machine_is_gone_everything_fails(void **state) {
    (void)state;
    char buffer[4];
    stoa_file_info info;
    stoa_file *file = create("test:/f"), *other = NULL;
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1,
                                                       .call = STOA_FAULT_WRITE,
                                                       .fails_on = true});
    assert_fails(stoa_file_write(file, "a", 1, &err), STOA_IO, NULL, err);
    assert_fails(stoa_file_sync(file, &err), STOA_IO, NULL, err);
    assert_fails(stoa_vfs_open(world.registry, "test:/f", STOA_OPEN_READ, NULL, &other, &err),
                 STOA_IO, NULL, err);
    assert_fails(stoa_vfs_stat(world.registry, "test:/f", NULL, &info, &err), STOA_IO, NULL, err);
    assert_fails(stoa_vfs_lock(world.registry, "test:/l", NULL, &other, &err), STOA_IO, NULL, err);
    stoa_file_close(file);
    stoa_fault_plan(world.fault, NULL);
    assert_ok(stoa_vfs_open(world.registry, "test:/f", STOA_OPEN_READ, NULL, &other, &err), err);
    assert_fails(stoa_file_read(other, 0, buffer, 1, &err), STOA_CORRUPT, NULL, err);
    stoa_file_close(other);
}

static void torn_writes_leave_a_part(void **state) {
    (void)state;
    char bytes[1000];
    bool seen[3] = {false};
    memset(bytes, 'x', sizeof bytes);
    for (uint64_t seed = 0; seed < 50; seed++) {
        stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1,
                                                           .call = STOA_FAULT_WRITE,
                                                           .tears_writes = true,
                                                           .seed = seed});
        stoa_file *file = create("test:/f");
        assert_fails(stoa_file_write(file, bytes, sizeof bytes, &err), STOA_IO, NULL, err);
        stoa_file_close(file);
        size_t size = size_of("test:/f");
        assert_in_range(size, 0, 999);
        seen[size / 334] = true;
        assert_ok(stoa_vfs_remove(world.registry, "test:/f", NULL, &err), err);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void a_disk_fills_up_at_the_byte(void **state) {
    (void)state;
    stoa_fault_plan(world.fault, &(stoa_fault_options){.space_bytes = 10});
    stoa_file *file = create("test:/f");
    assert_ok(stoa_file_write(file, "0123456", 7, &err), err);
    assert_fails(stoa_file_write(file, "789abc", 6, &err), STOA_IO, "no space left", err);
    assert_fails(stoa_file_write(file, "x", 1, &err), STOA_IO, "no space left", err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
    assert_int_equal(size_of("test:/f"), 10);
}

static void short_reads_are_made_whole(void **state) {
    (void)state;
    char buffer[1000], bytes[1000];
    support_random random = {3};
    support_random_bytes(&random, bytes, sizeof bytes);
    assert_ok(stoa_vfs_replace(world.registry, "test:/f", NULL, bytes, sizeof bytes, &err), err);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.shortens_reads = true, .seed = 5});
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world.registry, "test:/f", STOA_OPEN_READ, NULL, &file, &err), err);
    assert_ok(stoa_file_read(file, 0, buffer, sizeof buffer, &err), err);
    assert_memory_equal(buffer, bytes, sizeof bytes);
    assert_true(stoa_fault_calls(world.fault, STOA_FAULT_READ) > 2);
    stoa_file_close(file);
}

static void only_crash_file_systems_crash(void **state) {
    (void)state;
    stoa_fs memory = {0}, local = stoa_fs_local();
    assert_ok(stoa_fs_memory_create(world.pool, &memory, &err), err);
    assert_fails(stoa_fs_crash(&memory, STOA_CRASH_DROP, 0, &err), STOA_INVALID, NULL, err);
    assert_fails(stoa_fs_crash(&local, STOA_CRASH_DROP, 0, &err), STOA_INVALID, NULL, err);
    stoa_fs_close(&memory);
}

static stoa_status stat_with(stoa_cancel *cancel) {
    stoa_context context = {.pool = world.pool, .cancel = cancel};
    stoa_file_info info;
    return stoa_vfs_stat(world.registry, "test:/", &context, &info, &err);
}

static void a_call_that_hangs_ends_with_its_token(void **state) {
    (void)state;
    stoa_cancel *cancel = NULL;
    stoa_file *file = NULL;
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    stoa_context context = {.pool = world.pool, .cancel = cancel};
    assert_ok(stoa_vfs_open(world.registry, "test:/f", STOA_OPEN_CREATE, &context, &file, &err),
              err);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 2, .hangs = true});
    assert_ok(stat_with(cancel), err);
    assert_false(stoa_fault_happened(world.fault));
    stoa_cancel_set_timeout(cancel, 20);
    assert_fails(stoa_file_write(file, "a", 1, &err), STOA_CANCELLED, "cannot write", err);
    assert_true(stoa_fault_happened(world.fault));
    stoa_file_close(file);
    stoa_cancel_close(cancel);
}

static void *make_another_plan(void *user) {
    (void)user;
    while (!stoa_fault_happened(world.fault)) {
        (void)sched_yield();
    }
    stoa_fault_plan(world.fault, NULL);
    return NULL;
}

static void a_call_that_hangs_goes_on_under_another_plan(void **state) {
    (void)state;
    pthread_t thread;
    stoa_fault_plan(world.fault,
                    &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_STAT, .hangs = true});
    assert_int_equal(pthread_create(&thread, NULL, make_another_plan, NULL), 0);
    assert_ok(stat_with(NULL), err);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void calls_can_be_slow(void **state) {
    (void)state;
    stoa_cancel *cancel = NULL;
    stoa_fault_plan(world.fault, &(stoa_fault_options){.call = STOA_FAULT_STAT, .delay_ms = 15});
    int64_t start = stoa_clock_monotonic_ns();
    assert_ok(stat_with(NULL), err);
    assert_true(stoa_clock_monotonic_ns() - start >= 15000000);
    assert_false(stoa_fault_happened(world.fault));
    stoa_fault_plan(world.fault,
                    &(stoa_fault_options){.call = STOA_FAULT_STAT, .delay_ms = 3600000});
    assert_ok(stoa_cancel_create(NULL, &cancel, &err), err);
    stoa_cancel_set_timeout(cancel, 5);
    assert_fails(stat_with(cancel), STOA_CANCELLED, "deadline", err);
    stoa_cancel_close(cancel);
}

static void a_put_that_failed_may_have_happened(void **state) {
    (void)state;
    char version[64];
    int happened = 0;
    for (uint64_t seed = 0; seed < 32; seed++) {
        char uri[32];
        bool exists = false;
        (void)snprintf(uri, sizeof uri, "test:/%d", (int)seed);
        stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1,
                                                           .call = STOA_FAULT_PUT_IF,
                                                           .tears_writes = true,
                                                           .seed = seed});
        assert_fails(stoa_vfs_put_if(world.registry, uri, NULL, "", "x", 1, version, &err), STOA_IO,
                     "(put if)", err);
        assert_string_equal(version, "");
        assert_ok(stoa_vfs_exists(world.registry, uri, NULL, &exists, &err), err);
        happened += exists ? 1 : 0;
    }
    assert_in_range(happened, 1, 31);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1});
    assert_fails(stoa_vfs_put_if(world.registry, "test:/g", NULL, "", "x", 1, version, &err),
                 STOA_IO, NULL, err);
    assert_ok(stoa_vfs_put_if(world.registry, "test:/g", NULL, "", "x", 1, version, &err), err);
}

static void a_put_survives_a_crash(void **state) {
    (void)state;
    char version[64];
    assert_ok(stoa_vfs_put_if(world.registry, "test:/f", NULL, "", "one", 3, version, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_int_equal(size_of("test:/f"), 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_nth_call_fails_once),
        TEST(the_nth_call_of_a_kind_fails),
        TEST(after_the_machine_is_gone_everything_fails),
        TEST(torn_writes_leave_a_part),
        TEST(a_disk_fills_up_at_the_byte),
        TEST(short_reads_are_made_whole),
        TEST(only_crash_file_systems_crash),
        TEST(a_call_that_hangs_ends_with_its_token),
        TEST(a_call_that_hangs_goes_on_under_another_plan),
        TEST(calls_can_be_slow),
        TEST(a_put_that_failed_may_have_happened),
        TEST(a_put_survives_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
