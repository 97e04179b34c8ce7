/* S3 used by several threads at once: one file system, one file, uploads side by side. */
#include "s3_world.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 5, PART = 5 << 20, SIZE = PART + 1000 };

struct worker {
    s3_world *world;
    stoa_file *shared;
    const uint8_t *bytes;
    int number;
    stoa_error err;
};

static stoa_status work_once(struct worker *worker, int round) {
    char uri[256], text[32], back[32] = "", part[1000];
    stoa_fs_registry *registry = worker->world->registry;
    stoa_error *err = &worker->err;
    stoa_file *file = NULL;
    stoa_buffer bytes;
    uint64_t offset = (uint64_t)(worker->number * ROUNDS + round) * 1000;
    (void)snprintf(uri, sizeof uri, "%s/w%d", worker->world->base, worker->number);
    (void)snprintf(text, sizeof text, "%d of %d", round, worker->number);
    STOA_TRY(stoa_file_read(worker->shared, offset, part, sizeof part, err));
    if (memcmp(part, worker->bytes + offset, sizeof part) != 0) {
        return stoa_fail(err, STOA_CORRUPT, "other bytes at %d", (int)offset);
    }
    STOA_TRY(stoa_vfs_open(registry, uri, STOA_OPEN_REPLACE, NULL, &file, err));
    stoa_status status = stoa_file_write(file, text, sizeof text, err);
    status = status != STOA_OK ? status : stoa_file_sync(file, err);
    stoa_file_close(file);
    STOA_TRY(status);
    STOA_TRY(stoa_vfs_read_all(registry, uri, NULL, 100, worker->world->pool, &bytes, err));
    memcpy(back, bytes.data, bytes.size < sizeof back ? bytes.size : sizeof back);
    stoa_buffer_release(&bytes);
    return memcmp(back, text, sizeof text) == 0
               ? STOA_OK
               : stoa_fail(err, STOA_CORRUPT, "expected '%s' but found '%s'", text, back);
}

static void *work(void *user) {
    struct worker *worker = user;
    for (int round = 0; round < ROUNDS; round++) {
        if (work_once(worker, round) != STOA_OK) {
            break;
        }
    }
    return NULL;
}

static void threads_share_a_file_system_and_a_file(void **state) {
    s3_world world;
    pthread_t threads[THREADS];
    struct worker *workers = test_calloc(THREADS, sizeof *workers);
    uint8_t *bytes = test_malloc(SIZE);
    support_random random = {1};
    stoa_file *shared = NULL;
    (void)state;
    s3_world_open(&world, NULL);
    world.options.part_bytes = PART;
    /* Nothing of it is connected yet: the threads do that too. */
    s3_world_register(&world, "s3");
    support_random_bytes(&random, bytes, SIZE);
    s3_world_put(&world, "shared", bytes, SIZE);
    assert_ok(stoa_vfs_open(world.registry, s3_world_at(&world, "shared"), STOA_OPEN_READ, NULL,
                            &shared, &world.err),
              world.err);
    s3_world_plan(&world, "5 3 * . status 503:SlowDown\n");
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){&world, shared, bytes, i, STOA_ERROR_NONE};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_ok(workers[i].err.status, workers[i].err);
    }
    stoa_file_close(shared);
    s3_world_close(&world);
    test_free(workers);
    test_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_file_system_and_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
