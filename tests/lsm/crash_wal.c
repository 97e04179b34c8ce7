/* Logs on machines that go down: what was synced is there in order, nothing is there that was not written,
 * and none of it twice; also when the machine goes down again while the log is opened. And processes that
 * are killed while they append. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wal_world.h"

enum { ROUNDS = 150, CRASHES = 6, KILLS = 60 };

static wal_world world;
static support_world disk;

static void open_disk(void) {
    stoa_error err = STOA_ERROR_NONE;
    support_world_open(&disk);
    world = (wal_world){.pool = disk.pool, .registry = disk.registry, .directory = "test:/log"};
    assert_ok(stoa_vfs_make_directories(disk.registry, world.directory, NULL, &err), err);
}

/* The machine goes down, and is started again. */
static void go_down(support_random *random) {
    const uint64_t mode = support_random_below(random, 8);
    support_world_crash(&disk,
                        mode == 0   ? STOA_CRASH_DROP
                        : mode == 1 ? STOA_CRASH_KEEP
                                    : STOA_CRASH_TEAR,
                        support_random_u64(random));
    wal_close(&world);
    world.life++;
    (void)snprintf(world.boot, sizeof world.boot, "boot %" PRIu64, world.life);
}

static void work(support_random *random) {
    stoa_error err = STOA_ERROR_NONE;
    const int steps = (int)support_random_below(random, 40);
    for (int i = 0; i < steps; i++) {
        const uint64_t pick = support_random_below(random, 20);
        if (pick < 13) {
            wal_append_many(&world, 1 + (int64_t)support_random_below(random, 5));
        } else if (pick < 16) {
            assert_ok(wal_sync(&world, &err), err);
        } else if (pick == 16) {
            assert_ok(stoa_wal_prepare(world.log, &err), err);
        } else if (pick == 17) {
            assert_ok(wal_flush(&world, &err), err);
            world.synced = world.synced < wal_first(&world) ? wal_first(&world) : world.synced;
        } else if (pick == 18) { /* the process ends and another one comes */
            const int64_t count = world.count;
            wal_close(&world);
            wal_open(&world);
            assert_int_equal(world.count, count);
        } else {
            uint64_t segment;
            assert_ok(stoa_wal_rotate(world.log, &segment, &err), err);
        }
    }
}

static void what_was_synced_survives(void **state) {
    int64_t kept = 0, lost = 0;
    support_random random = support_random_open("lsm.crash_wal machine");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        open_disk();
        wal_open(&world);
        for (int i = 0; i < CRASHES; i++) {
            work(&random);
            const int64_t count = world.count;
            go_down(&random);
            wal_open(&world);
            kept += world.count - world.synced;
            lost += count - world.count;
            /* What was found once stays, though nobody synced it since: it came from the disk. */
            world.synced = support_random_bool(&random) ? world.count : world.synced;
            if (world.synced == world.count) {
                go_down(&random);
                wal_open(&world);
                assert_int_equal(world.count, world.synced);
            }
        }
        wal_close(&world);
        support_world_close(&disk);
    }
    print_message("%" PRId64 " records that were not synced were kept, %" PRId64 " lost\n", kept,
                  lost);
    assert_true(kept > 0 && lost > 0);
}

/* The machine goes down at each call of an opening that has a torn log to cut, and of what follows. */
static void opening_can_be_cut_off_anywhere(void **state) {
    support_random random = support_random_open("lsm.crash_wal opening");
    (void)state;
    for (uint64_t nth = 1, more = 60; more > 0; nth++) {
        stoa_error err = STOA_ERROR_NONE;
        open_disk();
        wal_open(&world);
        work(&random);
        wal_append_many(&world, 10);
        assert_ok(wal_sync(&world, &err), err);
        wal_append_many(&world, 30);
        go_down(&random);
        stoa_fault_plan(disk.fault, &(stoa_fault_options){.fail_at = nth, .fails_on = true});
        const int64_t count = world.count;
        if (wal_try_open(&world, &err) == STOA_OK) {
            world.count = world.replayed;
            for (int i = 0; i < 30; i++) {
                if (wal_append(&world, &err) != STOA_OK || wal_sync(&world, &err) != STOA_OK) {
                    break;
                }
            }
        } else {
            world.count = count;
        }
        more = stoa_fault_happened(disk.fault) ? more : 0;
        go_down(&random);
        wal_open(&world);
        wal_append_many(&world, 5);
        assert_ok(wal_sync(&world, &err), err);
        go_down(&random);
        wal_open(&world);
        wal_close(&world);
        support_world_close(&disk);
    }
}

/* ---- Processes that are killed ---------------------------------------------------------------- */

/* What a process tells before it dies. */
struct told {
    _Atomic int64_t appended;
    _Atomic uint64_t first_segment;
};

static void append_until_killed(struct told *told) {
    stoa_error err = STOA_ERROR_NONE;
    while (world.count < WAL_RECORDS_MAX - 8) {
        if (wal_append(&world, &err) != STOA_OK) {
            _exit(1);
        }
        atomic_store_explicit(&told->appended, world.count, memory_order_release);
        if (world.count % 512 == 0) {
            uint64_t segment;
            if (stoa_wal_rotate(world.log, &segment, &err) != STOA_OK) {
                _exit(1);
            }
            atomic_store_explicit(&told->first_segment, segment, memory_order_release);
            if (stoa_wal_release(world.log, segment, &err) != STOA_OK) {
                _exit(1);
            }
        }
    }
    _exit(0);
}

/* The log that a child left: all that it said, and at most the one record that it was about to say. */
static stoa_status count_record(void *user, stoa_wal_position end, const uint8_t *payload,
                                size_t size, stoa_error *err) {
    static uint8_t expected[WAL_PAYLOAD_MAX];
    int64_t *next = user;
    (void)err;
    /* The first record tells which one it is. */
    while (*next < WAL_RECORDS_MAX && (wal_record((uint64_t)*next, world.life, expected) != size ||
                                       memcmp(expected, payload, size) != 0)) {
        assert_int_equal(world.replayed, 0);
        ++*next;
    }
    world.ends[*next] = end;
    world.lives[*next] = world.life;
    world.replayed++;
    ++*next;
    return STOA_OK;
}

static void a_killed_process_loses_nothing_that_it_committed(void **state) {
    support_random random = support_random_open("lsm.crash_wal kill");
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0);
    char base[SUPPORT_PATH_BYTES];
    (void)state;
    assert_ptr_not_equal(told, MAP_FAILED);
    support_temp_directory(base);
    for (int round = 0; round < KILLS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        world = (wal_world){.pool = support_pool_open(), .boot = "now"};
        world.segment_bytes = 16 << 10;
        (void)snprintf(world.directory, sizeof world.directory, "%.400s/%d", base, round);
        assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &err), err);
        assert_ok(stoa_vfs_make_directories(world.registry, world.directory, NULL, &err), err);
        atomic_store(&told->appended, 0);
        atomic_store(&told->first_segment, 0);
        const pid_t child = fork();
        if (child == 0) {
            wal_open(&world);
            append_until_killed(told);
        }
        const struct timespec pause = {.tv_nsec = (long)support_random_below(&random, 20000000)};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int ended;
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFSIGNALED(ended) || WEXITSTATUS(ended) == 0);
        const int64_t appended = atomic_load(&told->appended);
        const stoa_wal_options options = wal_options(&world, false);
        int64_t next = 0;
        assert_ok(stoa_wal_open(&options, atomic_load(&told->first_segment), count_record, &next,
                                &world.log, &err),
                  err);
        if (world.replayed > 0) {
            assert_true(next == appended || next == appended + 1);
        } else { /* killed when all was released */
            assert_true(appended % 512 == 0 || appended == 0 || (appended + 1) % 512 == 0);
        }
        wal_close(&world);
        stoa_fs_registry_close(world.registry);
        support_pool_close(world.pool);
    }
    (void)munmap(told, sizeof *told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives),
        cmocka_unit_test(opening_can_be_cut_off_anywhere),
        cmocka_unit_test(a_killed_process_loses_nothing_that_it_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
