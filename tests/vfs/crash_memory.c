/* What the crash file system loses and keeps. The tests of durability everywhere else stand on it,
 * so it is held to its rules one by one, and to a model under random changes. */
#include "support.h"

#include <stdio.h>
#include <string.h>

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

static stoa_file *open_file(const char *uri, stoa_open_mode mode) {
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(world.registry, uri, mode, NULL, &file, &err), err);
    return file;
}

static void put(stoa_file *file, const char *text) {
    assert_ok(stoa_file_write(file, text, strlen(text), &err), err);
}

static void sync_root(void) {
    assert_ok(stoa_vfs_sync_directory(world.registry, "test:/", NULL, &err), err);
}

static bool is_there(const char *uri) {
    bool there = false;
    assert_ok(stoa_vfs_exists(world.registry, uri, NULL, &there, &err), err);
    return there;
}

static bool holds(const char *uri, const char *text) {
    stoa_buffer bytes;
    assert_ok(stoa_vfs_read_all(world.registry, uri, NULL, 1 << 20, world.pool, &bytes, &err), err);
    bool same = bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
    stoa_buffer_release(&bytes);
    return same;
}

static void a_name_needs_its_directory_synced(void **state) {
    (void)state;
    stoa_file *file = open_file("test:/f", STOA_OPEN_CREATE);
    put(file, "text");
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_false(is_there("test:/f"));
}

static void content_needs_its_file_synced(void **state) {
    (void)state;
    stoa_file *file = open_file("test:/f", STOA_OPEN_CREATE);
    put(file, "synced");
    assert_ok(stoa_file_sync(file, &err), err);
    put(file, " not");
    stoa_file_close(file);
    stoa_file_close(open_file("test:/empty", STOA_OPEN_CREATE));
    sync_root();
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_true(holds("test:/f", "synced"));
    assert_true(holds("test:/empty", ""));
}

static void what_was_overwritten_comes_back(void **state) {
    (void)state;
    stoa_file *file = open_file("test:/f", STOA_OPEN_CREATE);
    put(file, "0123456789");
    assert_ok(stoa_file_sync(file, &err), err);
    sync_root();
    assert_ok(stoa_file_truncate(file, 4, &err), err);
    put(file, "xy");
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    stoa_file_close(file);
    assert_true(holds("test:/f", "0123456789"));
    /* And again after another sync of less. */
    file = open_file("test:/f", STOA_OPEN_APPEND);
    assert_ok(stoa_file_truncate(file, 2, &err), err);
    put(file, "z");
    assert_ok(stoa_file_sync(file, &err), err);
    put(file, "lost");
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    stoa_file_close(file);
    assert_true(holds("test:/f", "01z"));
}

/* A synced file of `count` sectors of 'o', mapped, in which each sector is made one of `with`. */
static stoa_file *store_into_sectors(int count, char with) {
    void *map;
    char sector[512];
    stoa_file *file = open_file("test:/f", STOA_OPEN_REPLACE);
    memset(sector, 'o', sizeof sector);
    for (int i = 0; i < count; i++) {
        assert_ok(stoa_file_write(file, sector, sizeof sector, &err), err);
    }
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
    sync_root();
    file = open_file("test:/f", STOA_OPEN_UPDATE);
    assert_ok(stoa_file_map_write(file, (uint64_t)count * sizeof sector, &map, &err), err);
    memset(map, with, (size_t)count * sizeof sector);
    return file;
}

/* How many sectors hold `with`; all others hold 'o', and none both. */
static int count_sectors(int count, char with) {
    stoa_buffer bytes;
    int found = 0;
    assert_ok(stoa_vfs_read_all(world.registry, "test:/f", NULL, 1 << 20, world.pool, &bytes, &err),
              err);
    assert_int_equal(bytes.size, count * 512);
    for (size_t i = 0; i < bytes.size; i += 512) {
        assert_true(bytes.data[i] == (uint8_t)with || bytes.data[i] == 'o');
        for (size_t k = 1; k < 512; k++) {
            assert_int_equal(bytes.data[i + k], bytes.data[i]);
        }
        found += bytes.data[i] == (uint8_t)with;
    }
    stoa_buffer_release(&bytes);
    return found;
}

static void stores_into_a_map_need_a_sync(void **state) {
    enum { COUNT = 24 };
    int kept = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        stoa_file_close(store_into_sectors(COUNT, 'n'));
        support_world_crash(&world, STOA_CRASH_TEAR, seed);
        kept += count_sectors(COUNT, 'n');
    }
    assert_true(kept > 20 * COUNT / 3 && kept < 20 * COUNT * 2 / 3);
    for (int is_synced = 0; is_synced < 2; is_synced++) {
        stoa_file *file = store_into_sectors(COUNT, 'n');
        assert_ok(is_synced ? stoa_file_sync(file, &err) : STOA_OK, err);
        support_world_crash(&world, STOA_CRASH_DROP, 0);
        assert_fails(stoa_file_sync(file, &err), STOA_IO, "went down", err);
        stoa_file_close(file);
        assert_int_equal(count_sectors(COUNT, 'n'), is_synced ? COUNT : 0);
    }
    stoa_file_close(store_into_sectors(COUNT, 'n'));
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    assert_int_equal(count_sectors(COUNT, 'n'), COUNT);
}

/* What was synced stays, whatever is stored over it and torn. */
static void a_sync_of_a_mapped_file_covers_what_was_stored_before(void **state) {
    enum { COUNT = 16 };
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        void *map;
        stoa_file *file = store_into_sectors(COUNT, 'n');
        stoa_file *other = open_file("test:/f", STOA_OPEN_UPDATE);
        assert_ok(stoa_file_sync(other, &err), err);
        stoa_file_close(other);
        assert_ok(stoa_file_map_write(file, 1, &map, &err), err);
        memset((char *)map + 3 * 512, 'o', 512);
        support_world_crash(&world, STOA_CRASH_TEAR, seed);
        stoa_file_close(file);
        assert_true(count_sectors(COUNT, 'n') >= COUNT - 1);
    }
}

static void a_crash_that_keeps_keeps_all(void **state) {
    (void)state;
    stoa_file *file = open_file("test:/f", STOA_OPEN_CREATE);
    put(file, "text");
    stoa_file_close(file);
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    assert_true(holds("test:/f", "text"));
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_true(holds("test:/f", "text"));
}

static void removed_names_come_back_and_renames_are_undone(void **state) {
    (void)state;
    assert_ok(stoa_vfs_replace(world.registry, "test:/a", NULL, "a", 1, &err), err);
    assert_ok(stoa_vfs_replace(world.registry, "test:/b", NULL, "b", 1, &err), err);
    assert_ok(stoa_vfs_replace(world.registry, "test:/c", NULL, "c", 1, &err), err);
    assert_ok(stoa_vfs_remove(world.registry, "test:/a", NULL, &err), err);
    assert_ok(stoa_vfs_rename(world.registry, "test:/b", "test:/c", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_true(holds("test:/a", "a"));
    assert_true(holds("test:/b", "b"));
    assert_true(holds("test:/c", "c"));
}

static void a_linked_name_needs_its_directory_synced(void **state) {
    (void)state;
    assert_ok(stoa_vfs_replace(world.registry, "test:/a", NULL, "a", 1, &err), err);
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/d", NULL, &err), err);
    assert_ok(stoa_vfs_link(world.registry, "test:/a", "test:/d/b", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_false(is_there("test:/d/b"));
    assert_ok(stoa_vfs_link(world.registry, "test:/a", "test:/d/b", NULL, &err), err);
    assert_ok(stoa_vfs_sync_directory(world.registry, "test:/d", NULL, &err), err);
    assert_ok(stoa_vfs_remove(world.registry, "test:/a", NULL, &err), err);
    sync_root();
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_false(is_there("test:/a"));
    assert_true(holds("test:/d/b", "a"));
}

static void syncing_one_directory_leaves_the_others(void **state) {
    (void)state;
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/d", NULL, &err), err);
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/e", NULL, &err), err);
    stoa_file_close(open_file("test:/d/f", STOA_OPEN_CREATE));
    stoa_file_close(open_file("test:/e/f", STOA_OPEN_CREATE));
    assert_ok(stoa_vfs_sync_directory(world.registry, "test:/e", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_false(is_there("test:/d/f"));
    assert_true(is_there("test:/e/f"));
}

static void a_directory_made_without_its_parent_synced_is_lost_with_its_files(void **state) {
    (void)state;
    assert_ok(stoa_vfs_make_directory(world.registry, "test:/d", NULL, &err), err);
    stoa_file_close(open_file("test:/d/f", STOA_OPEN_CREATE));
    assert_ok(stoa_vfs_sync_directory(world.registry, "test:/d", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_false(is_there("test:/d"));
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/x/y/z", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    assert_true(is_there("test:/x/y/z"));
}

static void handles_and_locks_die_with_the_machine(void **state) {
    (void)state;
    char buffer[4];
    stoa_file *lock = NULL, *again = NULL;
    assert_ok(stoa_vfs_replace(world.registry, "test:/f", NULL, "text", 4, &err), err);
    stoa_file *file = open_file("test:/f", STOA_OPEN_READ);
    assert_ok(stoa_vfs_lock(world.registry, "test:/lock", NULL, &lock, &err), err);
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    assert_fails(stoa_file_read(file, 0, buffer, 4, &err), STOA_IO, "went down", err);
    assert_ok(stoa_vfs_lock(world.registry, "test:/lock", NULL, &again, &err), err);
    stoa_file_close(lock); /* the dead one takes nothing with it */
    assert_fails(stoa_vfs_lock(world.registry, "test:/lock", NULL, &lock, &err), STOA_LOCKED, NULL,
                 err);
    stoa_file_close(again);
    stoa_file_close(file);
}

static void torn_files_begin_as_synced(void **state) {
    (void)state;
    bool seen_short = false, seen_all = false, seen_zero = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char tail[4096];
        stoa_buffer bytes;
        memset(tail, 't', sizeof tail);
        assert_ok(stoa_vfs_replace(world.registry, "test:/f", NULL, "head", 4, &err), err);
        stoa_file *file = open_file("test:/f", STOA_OPEN_APPEND);
        assert_ok(stoa_file_write(file, tail, sizeof tail, &err), err);
        stoa_file_close(file);
        support_world_crash(&world, STOA_CRASH_TEAR, seed);
        assert_ok(stoa_vfs_read_all(world.registry, "test:/f", NULL, 1 << 20, world.pool, &bytes,
                                    &err),
                  err);
        assert_in_range(bytes.size, 4, 4 + sizeof tail);
        assert_memory_equal(bytes.data, "head", 4);
        for (size_t i = 4; i < bytes.size; i++) {
            assert_true(bytes.data[i] == 't' || bytes.data[i] == 0);
            seen_zero = seen_zero || bytes.data[i] == 0;
        }
        seen_short = seen_short || bytes.size < 1000;
        seen_all = seen_all || bytes.size > 3000;
        stoa_buffer_release(&bytes);
    }
    assert_true(seen_short && seen_all && seen_zero);
}

/* Names are created and removed in order; after a torn crash the names are those of some moment. */
static void torn_directories_are_those_of_a_moment(void **state) {
    (void)state;
    bool seen[6] = {false};
    char uri[32];
    for (uint64_t seed = 0; seed < 100; seed++) {
        int count = 0;
        for (int i = 0; i < 5; i++) {
            (void)snprintf(uri, sizeof uri, "test:/%d", i);
            stoa_file_close(open_file(uri, STOA_OPEN_CREATE));
        }
        support_world_crash(&world, STOA_CRASH_TEAR, seed);
        for (int i = 0; i < 5; i++) {
            (void)snprintf(uri, sizeof uri, "test:/%d", i);
            bool there = is_there(uri);
            assert_true(!there || count == i); /* none after one that is missing */
            count += there;
            if (there) {
                assert_ok(stoa_vfs_remove(world.registry, uri, NULL, &err), err);
            }
        }
        sync_root();
        seen[count] = true;
    }
    for (int i = 0; i < 6; i++) {
        assert_true(seen[i]);
    }
}

/* Directories that after a partial sync hold each other are given back in the end. */
static void directories_torn_into_a_ring_are_not_leaked(void **state) {
    (void)state;
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/r/a", NULL, &err), err);
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/r/b", NULL, &err), err);
    assert_ok(stoa_vfs_make_directories(world.registry, "test:/s", NULL, &err), err);
    assert_ok(stoa_vfs_rename(world.registry, "test:/r/a", "test:/r/b/a", NULL, &err), err);
    assert_ok(stoa_vfs_rename(world.registry, "test:/r/b/a", "test:/s/a", NULL, &err), err);
    assert_ok(stoa_vfs_rename(world.registry, "test:/r/b", "test:/s/a/b", NULL, &err), err);
    assert_ok(stoa_vfs_sync_directory(world.registry, "test:/s/a", NULL, &err), err);
    support_world_crash(&world, STOA_CRASH_DROP, 0);
    support_world_crash(&world, STOA_CRASH_KEEP, 0);
    assert_true(is_there("test:/r"));
}

/* Random changes of one file against an array: after a crash that drops, the file is the array at
 * its last sync. */
static void dropped_content_is_that_of_the_last_sync(void **state) {
    (void)state;
    enum { ROUNDS = 300, MOST = 5000 };
    support_random random = support_random_open(__func__);
    static char live[MOST], synced[MOST];
    size_t live_size = 0, synced_size = 0;
    stoa_file_close(open_file("test:/f", STOA_OPEN_CREATE));
    sync_root();
    for (int round = 0; round < ROUNDS; round++) {
        stoa_file *file = open_file("test:/f", STOA_OPEN_APPEND);
        for (uint64_t steps = support_random_below(&random, 6); steps > 0; steps--) {
            size_t size = (size_t)support_random_below(&random, 700);
            if (support_random_below(&random, 4) == 0) {
                /* Shorter mostly, sometimes longer by zeros. */
                size = (size_t)support_random_below(&random, live_size + 100);
                size = size < MOST ? size : live_size;
                memset(live + live_size, 0, size > live_size ? size - live_size : 0);
                assert_ok(stoa_file_truncate(file, size, &err), err);
                live_size = size;
            } else if (live_size + size <= MOST) {
                support_random_bytes(&random, live + live_size, size);
                assert_ok(stoa_file_write(file, live + live_size, size, &err), err);
                live_size += size;
            }
            if (support_random_below(&random, 3) == 0) {
                assert_ok(stoa_file_sync(file, &err), err);
                memcpy(synced, live, live_size);
                synced_size = live_size;
            }
        }
        stoa_file_close(file);
        support_world_crash(&world, STOA_CRASH_DROP, 0);
        stoa_buffer bytes;
        assert_ok(stoa_vfs_read_all(world.registry, "test:/f", NULL, MOST, world.pool, &bytes,
                                    &err),
                  err);
        assert_int_equal(bytes.size, synced_size);
        assert_memory_equal(bytes.data, synced, synced_size);
        stoa_buffer_release(&bytes);
        memcpy(live, synced, synced_size);
        live_size = synced_size;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_needs_its_directory_synced),
        TEST(content_needs_its_file_synced),
        TEST(what_was_overwritten_comes_back),
        TEST(stores_into_a_map_need_a_sync),
        TEST(a_sync_of_a_mapped_file_covers_what_was_stored_before),
        TEST(a_crash_that_keeps_keeps_all),
        TEST(removed_names_come_back_and_renames_are_undone),
        TEST(a_linked_name_needs_its_directory_synced),
        TEST(syncing_one_directory_leaves_the_others),
        TEST(a_directory_made_without_its_parent_synced_is_lost_with_its_files),
        TEST(handles_and_locks_die_with_the_machine),
        TEST(torn_files_begin_as_synced),
        TEST(torn_directories_are_those_of_a_moment),
        TEST(directories_torn_into_a_ring_are_not_leaked),
        TEST(dropped_content_is_that_of_the_last_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
