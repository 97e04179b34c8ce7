/* The read cache: what is read again is not fetched again, and nothing that lies in its directory,
 * or does not fit there, makes a reader see wrong bytes or an error. */
#include "cache_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_up(void **state) {
    struct cache_world *world = test_calloc(1, sizeof *world);
    support_temp_directory(world->directory);
    cache_world_open(world, 1 << 20);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    cache_world_close(*state);
    test_free(*state);
    return 0;
}

enum { SIZE = 10 * CACHE_BLOCK + 123 };

static void what_was_read_is_not_fetched_again(void **state) {
    struct cache_world *world = *state;
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    assert_int_equal(cache_world_bytes_read(world), SIZE);
    cache_world_check(world, "cached:/f", SIZE, 1);
    assert_int_equal(cache_world_bytes_read(world), SIZE);
    assert_int_equal(cache_world_calls(world, STOA_COUNTED_OPEN), 2); /* to write, and to read */
    assert_string_equal(world->warnings, "");
}

static void only_the_blocks_that_are_asked_for_are_fetched(void **state) {
    struct cache_world *world = *state;
    stoa_file *file = NULL;
    uint8_t bytes[100];
    cache_world_put(world, "cached:/f", SIZE, 1);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    assert_ok(stoa_file_read(file, 5 * CACHE_BLOCK - 50, bytes, 100, &world->err), world->err);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(bytes[i], cache_world_byte(5 * CACHE_BLOCK - 50 + i, 1));
    }
    assert_int_equal(cache_world_bytes_read(world), 2 * CACHE_BLOCK);
    assert_int_equal(cache_world_calls(world, STOA_COUNTED_READ), 1);
    assert_ok(stoa_file_read(file, SIZE - 100, bytes, 100, &world->err), world->err);
    assert_int_equal(cache_world_bytes_read(world), 2 * CACHE_BLOCK + 123);
    assert_ok(stoa_file_read(file, 4 * CACHE_BLOCK, bytes, 100, &world->err), world->err);
    assert_int_equal(cache_world_calls(world, STOA_COUNTED_READ), 2);
    stoa_file_close(file);
}

static void another_version_is_another_entry(void **state) {
    struct cache_world *world = *state;
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    cache_world_put(world, "cached:/f", SIZE, 2);
    cache_world_check(world, "cached:/f", SIZE, 2);
    cache_world_put(world, "cached:/f", SIZE - 1, 2);
    cache_world_check(world, "cached:/f", SIZE - 1, 2);
}

static void a_change_before_the_first_fetch_is_an_error(void **state) {
    struct cache_world *world = *state;
    stoa_file *file = NULL;
    char bytes[4];
    cache_world_put(world, "cached:/f", SIZE, 1);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    cache_world_put(world, "cached:/f", SIZE, 2);
    assert_fails(stoa_file_read(file, 0, bytes, 4, &world->err), STOA_CONFLICT, "'cached:/f'",
                 world->err);
    assert_non_null(strstr(world->err.message, "changed while it was read"));
    stoa_file_close(file);
    cache_world_check(world, "cached:/f", SIZE, 2);
}

static void caches_find_what_others_stored(void **state) {
    struct cache_world *world = *state;
    struct cache_world other = {0};
    strcpy(other.directory, world->directory);
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    cache_world_open(&other, 1 << 20);
    cache_world_put(&other, "cached:/f", SIZE, 1); /* in its memory the versions are the same */
    cache_world_check(&other, "cached:/f", SIZE, 1);
    assert_int_equal(cache_world_bytes_read(&other), 0);
    cache_world_close(&other);
}

/* Calls `function` for each file of the directory whose name ends so. */
static int each_file(struct cache_world *world, const char *suffix,
                     void (*function)(const char *path)) {
    DIR *directory = opendir(world->directory);
    char path[SUPPORT_PATH_BYTES * 2];
    int count = 0;
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (entry->d_name[0] != '.' && length > tail &&
            strcmp(entry->d_name + length - tail, suffix) == 0) {
            (void)snprintf(path, sizeof path, "%s/%s", world->directory, entry->d_name);
            function(path);
            count++;
        }
    }
    (void)closedir(directory);
    return count;
}

static void flip(const char *path) {
    uint8_t byte = 0;
    int descriptor = open(path, O_RDWR);
    assert_int_equal(pread(descriptor, &byte, 1, 3 * 8 + 1), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(descriptor, &byte, 1, 3 * 8 + 1), 1);
    (void)close(descriptor);
}

static void cut(const char *path) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 2 + 1), 0);
}

static void empty(const char *path) {
    assert_int_equal(truncate(path, 0), 0);
}

static void fill_with_ones(const char *path) {
    struct stat info;
    int descriptor = open(path, O_RDWR);
    assert_int_equal(fstat(descriptor, &info), 0);
    for (off_t at = 0; at < info.st_size; at++) {
        assert_int_equal(pwrite(descriptor, "\xFF", 1, at), 1);
    }
    (void)close(descriptor);
}

static void swap_blocks(const char *path) {
    uint8_t first[CACHE_BLOCK], second[CACHE_BLOCK];
    int descriptor = open(path, O_RDWR);
    assert_int_equal(pread(descriptor, first, CACHE_BLOCK, 0), CACHE_BLOCK);
    assert_int_equal(pread(descriptor, second, CACHE_BLOCK, CACHE_BLOCK), CACHE_BLOCK);
    assert_int_equal(pwrite(descriptor, second, CACHE_BLOCK, 0), CACHE_BLOCK);
    assert_int_equal(pwrite(descriptor, first, CACHE_BLOCK, CACHE_BLOCK), CACHE_BLOCK);
    (void)close(descriptor);
}

static void damage_is_never_served(void **state) {
    struct cache_world *world = *state;
    static const struct {
        const char *suffix;
        void (*damage)(const char *path);
    } cases[] = {
        {".data", flip}, {".data", cut}, {".data", empty}, {".data", swap_blocks},
        {".map", flip},  {".map", cut},  {".map", empty},  {".map", fill_with_ones},
    };
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t before = cache_world_bytes_read(world);
        assert_int_equal(each_file(world, cases[i].suffix, cases[i].damage), 1);
        cache_world_check(world, "cached:/f", SIZE, 1);
        assert_true(cache_world_bytes_read(world) > before);
        before = cache_world_bytes_read(world);
        cache_world_check(world, "cached:/f", SIZE, 1);
        assert_int_equal(cache_world_bytes_read(world), before); /* mended */
    }
}

static void a_cut_under_an_open_file_is_fetched_again(void **state) {
    struct cache_world *world = *state;
    stoa_file *file = NULL;
    uint8_t bytes[64];
    cache_world_put(world, "cached:/f", SIZE, 1);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    assert_ok(stoa_file_read(file, SIZE - 64, bytes, 64, &world->err), world->err);
    assert_int_equal(each_file(world, ".data", empty), 1);
    memset(bytes, 0, sizeof bytes);
    assert_ok(stoa_file_read(file, SIZE - 64, bytes, 64, &world->err), world->err);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(bytes[i], cache_world_byte(SIZE - 64 + i, 1));
    }
    stoa_file_close(file);
}

static void remove_file(const char *path) {
    assert_int_equal(unlink(path), 0);
}

static void files_may_go_at_any_time(void **state) {
    struct cache_world *world = *state;
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    assert_int_equal(each_file(world, ".map", remove_file), 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    assert_int_equal(each_file(world, ".data", remove_file), 1);
    cache_world_check(world, "cached:/f", SIZE, 1);
    (void)each_file(world, "", remove_file);
    assert_int_equal(rmdir(world->directory), 0);
    cache_world_check(world, "cached:/f", SIZE, 1);
    uint64_t fetched = cache_world_bytes_read(world);
    cache_world_check(world, "cached:/f", SIZE, 1); /* the directory was made again */
    assert_int_equal(cache_world_bytes_read(world), fetched);
    assert_int_equal(world->warning_count, 0);
}

static void the_directory_stays_below_its_limit(void **state) {
    struct cache_world *world = *state;
    char uri[32];
    uint64_t used = 0;
    for (int i = 0; i < 60; i++) {
        (void)snprintf(uri, sizeof uri, "cached:/%d", i);
        cache_world_put(world, uri, SIZE, (uint64_t)i);
        cache_world_check(world, uri, SIZE, (uint64_t)i);
        assert_ok(stoa_cache_used(world->cache, &used, &world->err), world->err);
        assert_true(used <= (1 << 20) + (1 << 16) + 4 * CACHE_BLOCK);
    }
    assert_true(used > 1 << 19);
    uint64_t fetched = cache_world_bytes_read(world);
    cache_world_check(world, uri, SIZE, 59); /* the last one is there, the first one is not */
    assert_int_equal(cache_world_bytes_read(world), fetched);
    cache_world_check(world, "cached:/0", SIZE, 0);
    assert_int_equal(cache_world_bytes_read(world), fetched + SIZE);
}

static void what_was_used_last_stays_longest(void **state) {
    struct cache_world *world = *state;
    char uri[32];
    cache_world_put(world, "cached:/kept", SIZE, 7);
    for (int i = 0; i < 60; i++) {
        cache_world_check(world, "cached:/kept", SIZE, 7);
        (void)snprintf(uri, sizeof uri, "cached:/%d", i);
        cache_world_put(world, uri, SIZE, (uint64_t)i);
        cache_world_check(world, uri, SIZE, (uint64_t)i);
    }
    uint64_t fetched = cache_world_bytes_read(world);
    cache_world_check(world, "cached:/kept", SIZE, 7);
    assert_int_equal(cache_world_bytes_read(world), fetched);
}

static void a_file_that_does_not_fit_is_read_past_the_cache(void **state) {
    struct cache_world *world = *state;
    enum { LARGE = 3 << 20 };
    uint64_t used = 0;
    const char *path = NULL;
    stoa_file *file = NULL;
    cache_world_put(world, "cached:/f", LARGE, 3);
    cache_world_check(world, "cached:/f", LARGE, 3);
    assert_ok(stoa_cache_used(world->cache, &used, &world->err), world->err);
    assert_true(used <= (1 << 20) + (1 << 16) + 4 * CACHE_BLOCK);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    assert_ok(stoa_cached_file_path(file, &path, &world->err), world->err);
    assert_null(path);
    stoa_file_close(file);
}

static void a_full_disk_only_ends_the_storing(void **state) {
    struct cache_world *world = *state;
    struct rlimit old, small = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){3 * CACHE_BLOCK + 100, old.rlim_max};
    cache_world_put(world, "cached:/f", SIZE, 1);
    cache_world_put(world, "cached:/g", SIZE, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    cache_world_check(world, "cached:/f", SIZE, 1);
    cache_world_check(world, "cached:/g", SIZE, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, old_handler);
    assert_int_equal(world->warning_count, 1);
    assert_non_null(strstr(world->warnings, "cannot write to the cache"));
    cache_world_check(world, "cached:/f", SIZE, 1);
}

static void an_unusable_directory_is_told_once(void **state) {
    (void)state;
    struct cache_world world = {0};
    support_temp_directory(world.directory);
    strcat(world.directory, "/file");
    int descriptor = open(world.directory, O_CREAT | O_WRONLY, 0600);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
    cache_world_open(&world, 1 << 20);
    cache_world_put(&world, "cached:/f", SIZE, 1);
    cache_world_check(&world, "cached:/f", SIZE, 1);
    cache_world_check(&world, "cached:/f", SIZE, 1);
    assert_int_equal(world.warning_count, 1);
    assert_non_null(strstr(world.warnings, world.directory));
    cache_world_close(&world);
}

static void a_whole_file_has_a_path_while_it_is_open(void **state) {
    struct cache_world *world = *state;
    stoa_file *file = NULL;
    const char *path = NULL;
    char uri[32];
    stoa_buffer bytes;
    cache_world_put(world, "cached:/f", SIZE, 1);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    assert_ok(stoa_cached_file_path(file, &path, &world->err), world->err);
    assert_non_null(path);
    for (int i = 0; i < 60; i++) { /* more than fits: this one stays */
        (void)snprintf(uri, sizeof uri, "cached:/%d", i);
        cache_world_put(world, uri, SIZE, (uint64_t)i);
        cache_world_check(world, uri, SIZE, (uint64_t)i);
    }
    assert_ok(stoa_vfs_read_all(world->registry, path, NULL, SIZE + 1, world->pool, &bytes,
                                &world->err),
              world->err);
    assert_int_equal(bytes.size, SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(bytes.data[i], cache_world_byte(i, 1));
    }
    stoa_buffer_release(&bytes);
    stoa_file_close(file);
}

static void failures_behind_reach_the_reader_and_pass(void **state) {
    struct cache_world *world = *state;
    stoa_file *file = NULL;
    uint8_t bytes[8];
    cache_world_put(world, "cached:/f", SIZE, 1);
    assert_ok(stoa_vfs_open(world->registry, "cached:/f", STOA_OPEN_READ, NULL, &file, &world->err),
              world->err);
    for (uint64_t nth = 1; nth <= 3; nth++) { /* open, stat, read */
        stoa_fault_plan(world->fault, &(stoa_fault_options){.fail_at = nth});
        stoa_status status = stoa_file_read(file, 0, bytes, 8, &world->err);
        assert_int_equal(status, STOA_IO);
        assert_non_null(strstr(world->err.message, "'cached:/f'"));
        if (nth == 2) {
            break; /* the file is open now: what is left is the read */
        }
    }
    stoa_fault_plan(world->fault, &(stoa_fault_options){.fail_at = 1, .call = STOA_FAULT_READ});
    assert_fails(stoa_file_read(file, 0, bytes, 8, &world->err), STOA_IO, "cannot read",
                 world->err);
    assert_ok(stoa_file_read(file, 0, bytes, 8, &world->err), world->err);
    assert_int_equal(bytes[7], cache_world_byte(7, 1));
    stoa_file_close(file);
}

static void settings_come_from_the_environment(void **state) {
    struct cache_world *world = *state;
    char *directory = NULL;
    uint64_t limit = 0;
    assert_int_equal(setenv("STOA_CACHE_BYTES", "20MiB", 1), 0);
    assert_ok(stoa_cache_limit(&limit, &world->err), world->err);
    assert_int_equal(limit, 20 << 20);
    assert_int_equal(unsetenv("STOA_CACHE_BYTES"), 0);
    assert_ok(stoa_cache_limit(&limit, &world->err), world->err);
    assert_int_equal(limit, 0);
    assert_int_equal(setenv("STOA_CACHE_DIR", "/x", 1), 0);
    assert_ok(stoa_cache_limit(&limit, &world->err), world->err);
    assert_true(limit == UINT64_C(10) << 30);
    assert_int_equal(setenv("STOA_CACHE_BYTES", "much", 1), 0);
    assert_fails(stoa_cache_limit(&limit, &world->err), STOA_INVALID, "STOA_CACHE_BYTES",
                 world->err);
    assert_int_equal(unsetenv("STOA_CACHE_BYTES"), 0);
    assert_int_equal(unsetenv("STOA_CACHE_DIR"), 0);
    assert_int_equal(setenv("XDG_CACHE_HOME", "/x", 1), 0);
    assert_ok(stoa_cache_directory(world->pool, &directory, &world->err), world->err);
    assert_string_equal(directory, "/x/stoa-files");
    stoa_pool_free_string(world->pool, directory);
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_ok(stoa_cache_directory(world->pool, &directory, &world->err), world->err);
    assert_string_equal(directory, "/home/me/.cache/stoa-files");
    stoa_pool_free_string(world->pool, directory);
    assert_int_equal(unsetenv("HOME"), 0);
    assert_fails(stoa_cache_directory(world->pool, &directory, &world->err), STOA_NOT_FOUND, "HOME",
                 world->err);
    stoa_cache *cache = NULL;
    assert_fails(stoa_cache_create(world->pool,
                                   &(stoa_cache_options){.directory = "/x", .block_bytes = 1000},
                                   &cache, &world->err),
                 STOA_INVALID, "4096", world->err);
    assert_null(cache);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_was_read_is_not_fetched_again),
        TEST(only_the_blocks_that_are_asked_for_are_fetched),
        TEST(another_version_is_another_entry),
        TEST(a_change_before_the_first_fetch_is_an_error),
        TEST(caches_find_what_others_stored),
        TEST(damage_is_never_served),
        TEST(a_cut_under_an_open_file_is_fetched_again),
        TEST(files_may_go_at_any_time),
        TEST(the_directory_stays_below_its_limit),
        TEST(what_was_used_last_stays_longest),
        TEST(a_file_that_does_not_fit_is_read_past_the_cache),
        TEST(a_full_disk_only_ends_the_storing),
        cmocka_unit_test(an_unusable_directory_is_told_once),
        TEST(a_whole_file_has_a_path_while_it_is_open),
        TEST(failures_behind_reach_the_reader_and_pass),
        TEST(settings_come_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
