/* Whole files: replaced atomically, read with a limit. */
#include "support.h"

#include <string.h>

static const char old_text[] = "what was there before";
static const char new_text[] = "what is there now, and longer";

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    STOA_TRY(stoa_vfs_make_directories(world->registry, "test:/a/b", NULL, err));
    return stoa_vfs_replace(world->registry, "test:/a/b/note", NULL, old_text, strlen(old_text),
                            err);
}

static stoa_status replace(support_world *world, void *user, stoa_error *err) {
    (void)user;
    return stoa_vfs_replace(world->registry, "test:/a/b/note", NULL, new_text, strlen(new_text),
                            err);
}

static bool holds(support_world *world, const char *text) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world->registry, "test:/a/b/note", NULL, 1000, world->pool, &bytes,
                                &err),
              err);
    bool same = bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
    stoa_buffer_release(&bytes);
    return same;
}

static void check_old_or_new(support_world *world, void *user, stoa_status status) {
    (void)user;
    bool is_new = holds(world, new_text);
    assert_true(is_new || holds(world, old_text));
    assert_true(is_new || status != STOA_OK);
}

static stoa_status count_entry(void *user, const char *name, const stoa_file_info *info,
                               stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int *)user;
    return STOA_OK;
}

/* A single failure, with the rest of the world in order, leaves no temporary file either. */
static void check_nothing_left(support_world *world, void *user, stoa_status status) {
    stoa_error err = STOA_ERROR_NONE;
    int count = 0;
    check_old_or_new(world, user, status);
    assert_ok(stoa_vfs_list(world->registry, "test:/a/b", NULL, count_entry, &count, &err), err);
    assert_int_equal(count, 1);
}

static void no_failing_allocation_leaves_half_a_file(void **state) {
    (void)state;
    uint64_t runs = support_fail_each_allocation(prepare, replace, check_nothing_left, NULL);
    assert_true(runs > 5);
}

static void no_failing_call_leaves_half_a_file(void **state) {
    (void)state;
    uint64_t runs = support_fail_each_call(prepare, replace, check_old_or_new, NULL);
    assert_true(runs > 8);
}

static void no_crash_leaves_half_a_file(void **state) {
    (void)state;
    uint64_t runs = support_crash_at_each_call(prepare, replace, check_old_or_new, 20, NULL);
    assert_true(runs > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failing_allocation_leaves_half_a_file),
        cmocka_unit_test(no_failing_call_leaves_half_a_file),
        cmocka_unit_test(no_crash_leaves_half_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
