/* Group commit: threads that append under a lock and wait for their records to be durable, while another
 * one prepares and gives back segments, and one follows as another process would. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "wal_world.h"

enum { THREADS = 8, RECORDS = 150 };

static wal_world world;
static pthread_mutex_t commit_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool is_done;

static void *write_and_wait(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    for (int i = 0; i < RECORDS; i++) {
        (void)pthread_mutex_lock(&commit_lock);
        assert_ok(wal_append(&world, &err), err);
        const stoa_wal_position end = world.ends[world.count - 1];
        (void)pthread_mutex_unlock(&commit_lock);
        if (i % 8 != 0) {
            assert_ok(stoa_wal_sync(world.log, end, &err), err);
        }
    }
    return user;
}

static void pause_shortly(void) {
    const struct timespec pause = {.tv_nsec = 2000000};
    (void)nanosleep(&pause, NULL);
}

/* What a store does in the background. */
static void *keep_house(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    for (int i = 0; !atomic_load(&is_done); i++) {
        if (stoa_wal_wants_prepare(world.log) || i % 3 == 0) {
            assert_ok(stoa_wal_prepare(world.log, &err), err);
        }
        if (i % 10 == 9) {
            uint64_t segment;
            (void)pthread_mutex_lock(&commit_lock);
            assert_ok(stoa_wal_rotate(world.log, &segment, &err), err);
            world.first_segment = segment;
            (void)pthread_mutex_unlock(&commit_lock);
            assert_ok(stoa_wal_release(world.log, segment, &err), err);
        }
        pause_shortly();
    }
    return user;
}

static stoa_status check_order(void *user, stoa_wal_position end, const uint8_t *payload,
                               size_t size, stoa_error *err) {
    stoa_wal_position *last = user;
    (void)payload, (void)size, (void)err;
    assert_true(end.segment > last->segment ||
                (end.segment == last->segment && end.offset > last->offset));
    *last = end;
    return STOA_OK;
}

static uint64_t first_segment(void) {
    (void)pthread_mutex_lock(&commit_lock);
    const uint64_t first = world.first_segment;
    (void)pthread_mutex_unlock(&commit_lock);
    return first;
}

static void *follow(void *user) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_wal_options options = wal_options(&world, true);
    stoa_wal *log = NULL;
    stoa_wal_position last = {0};
    while (!atomic_load(&is_done)) {
        stoa_status status = STOA_OK;
        const uint64_t first = first_segment();
        if (log == NULL || last.segment < first) {
            stoa_wal_close(log);
            log = NULL;
            last = (stoa_wal_position){0};
            status = stoa_wal_open(&options, first, check_order, &last, &log, &err);
        } else {
            status = stoa_wal_follow(log, check_order, &last, &err);
        }
        if (status == STOA_CONFLICT) {
            stoa_wal_close(log);
            log = NULL;
        } else {
            assert_ok(status, err);
        }
        pause_shortly();
    }
    stoa_wal_close(log);
    return user;
}

static void threads_share_syncs(void **state) {
    stoa_error err = STOA_ERROR_NONE;
    pthread_t threads[THREADS + 2];
    stoa_wal_figures figures;
    (void)state;
    world.pool = support_pool_open();
    world.segment_bytes = 16 << 10;
    (void)snprintf(world.boot, sizeof world.boot, "now");
    support_temp_directory(world.directory);
    assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &err), err);
    wal_open(&world);
    for (int i = 0; i < THREADS + 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < THREADS    ? write_and_wait
                                        : i == THREADS ? keep_house
                                                       : follow,
                                        NULL),
                         0);
    }
    for (int i = 0; i < THREADS + 2; i++) {
        if (i == THREADS) {
            atomic_store(&is_done, true);
        }
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(world.count, THREADS * RECORDS);
    stoa_wal_figures_of(world.log, &figures);
    assert_int_equal(figures.records, THREADS * RECORDS);
    assert_true(figures.syncs > 0 && figures.syncs < THREADS * RECORDS);
    print_message("%" PRIu64 " syncs of %" PRIu64 " records\n", figures.syncs, figures.records);
    wal_close(&world);
    wal_open(&world);
    assert_int_equal(world.count, THREADS * RECORDS);
    wal_close(&world);
    stoa_fs_registry_close(world.registry);
    support_pool_close(world.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_syncs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
