/* Random work on a log, in memory and on a disk: records of all sizes, syncs, other segments, segments given
 * back and used again, closing and opening; and others who follow it meanwhile. */
#include "wal_world.h"

enum { MEMORY_ROUNDS = 40, DISK_ROUNDS = 3, STEPS = 400 };

static wal_world world;

/* Who follows knows the same records. When it comes too late for some that nobody needs any more, it is
 * told, or finds nothing: the manifest says from where on to open the log again. */
typedef struct follower {
    stoa_wal *log;
    int64_t seen;
} follower;

static stoa_status check_followed(void *user, stoa_wal_position end, const uint8_t *payload,
                                  size_t size, stoa_error *err) {
    follower *own = user;
    world.replayed = own->seen++;
    return wal_check(&world, end, payload, size, err);
}

static void follower_open(follower *own) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_wal_options options = wal_options(&world, true);
    own->seen = wal_first(&world);
    assert_ok(stoa_wal_open(&options, world.first_segment, check_followed, own, &own->log, &err),
              err);
}

static void follow(follower *own) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_status status = stoa_wal_follow(own->log, check_followed, own, &err);
    if (status == STOA_CONFLICT || own->seen < wal_first(&world)) {
        assert_true(status == STOA_OK || own->seen <= wal_first(&world));
        stoa_wal_close(own->log);
        follower_open(own);
    } else {
        assert_ok(status, err);
    }
    assert_int_equal(own->seen, world.count);
}

static void step(support_random *random, follower *own) {
    stoa_error err = STOA_ERROR_NONE;
    const uint64_t pick = support_random_below(random, 100);
    if (pick < 60) {
        wal_append_many(&world, 1 + (int64_t)support_random_below(random, 6));
    } else if (pick < 70) {
        assert_ok(wal_sync(&world, &err), err);
    } else if (pick < 75) {
        assert_ok(wal_flush(&world, &err), err);
    } else if (pick < 80) {
        uint64_t segment;
        assert_ok(stoa_wal_rotate(world.log, &segment, &err), err);
    } else if (pick < 85) {
        assert_ok(stoa_wal_prepare(world.log, &err), err);
        assert_false(stoa_wal_wants_prepare(world.log));
    } else if (pick < 90) {
        wal_close(&world);
        if (support_random_below(random, 3) == 0) {
            (void)snprintf(world.boot, sizeof world.boot, "boot %" PRIu64,
                           support_random_u64(random));
        }
        const int64_t count = world.count;
        wal_open(&world);
        assert_int_equal(world.count, count);
    } else {
        follow(own);
    }
}

static void run(const char *name, const char *directory, int rounds) {
    support_random random = support_random_open(name);
    for (int round = 0; round < rounds; round++) {
        stoa_error err = STOA_ERROR_NONE;
        follower own;
        world = (wal_world){.pool = world.pool, .registry = world.registry, .boot = "first"};
        world.segment_bytes = support_random_bool(&random) ? WAL_SEGMENT_BYTES : 64 << 10;
        (void)snprintf(world.directory, sizeof world.directory, "%s/%d", directory, round);
        assert_ok(stoa_vfs_make_directories(world.registry, world.directory, NULL, &err), err);
        wal_open(&world);
        follower_open(&own);
        for (int i = 0; i < STEPS; i++) {
            step(&random, &own);
        }
        stoa_wal_close(own.log);
        wal_close(&world);
        assert_ok(stoa_vfs_remove_tree(world.registry, world.directory, NULL, &err), err);
    }
}

static void set_up(void) {
    stoa_error err = STOA_ERROR_NONE;
    world.pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &err), err);
}

static void tear_down(void) {
    stoa_fs_registry_close(world.registry);
    support_pool_close(world.pool);
}

static void in_memory(void **state) {
    (void)state;
    set_up();
    run("lsm.prop_wal memory", "memory:/logs", MEMORY_ROUNDS);
    tear_down();
}

static void on_a_disk(void **state) {
    char directory[SUPPORT_PATH_BYTES - 16];
    char base[SUPPORT_PATH_BYTES];
    (void)state;
    set_up();
    support_temp_directory(base);
    (void)snprintf(directory, sizeof directory, "%.400s", base);
    run("lsm.prop_wal disk", directory, DISK_ROUNDS);
    tear_down();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(on_a_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
