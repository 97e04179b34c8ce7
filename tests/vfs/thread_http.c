/* Threads that share one file by http, one file system and one client, through broken connections. */
#include "http_world.h"

#include <pthread.h>
#include <stdlib.h>

#include <stoa/http.h>

enum { THREADS = 4, READS = 40, SIZE = 2000000 };

static struct http_world world;
static stoa_fs_registry *registry;

struct reader {
    pthread_t thread;
    stoa_file *file;
    uint64_t seed;
    stoa_status status;
    stoa_error err;
};

static stoa_status read_much(struct reader *reader) {
    support_random random = {reader->seed};
    uint8_t *bytes = malloc(100000); /* cmocka's own is for one thread */
    stoa_status status = bytes != NULL ? STOA_OK : STOA_NO_MEMORY;
    uint64_t next = 0;
    for (int i = 0; i < READS && status == STOA_OK; i++) {
        size_t size = (size_t)support_random_below(&random, 100000);
        uint64_t offset = i % 2 == 0 ? next : support_random_below(&random, SIZE);
        size = offset + size > SIZE ? (size_t)(SIZE - offset) : size;
        status = stoa_file_read(reader->file, offset, bytes, size, &reader->err);
        for (size_t b = 0; status == STOA_OK && b < size; b++) {
            status = bytes[b] == byte_at(offset + b) ? STOA_OK : STOA_INTERNAL;
        }
        next = offset + size;
    }
    free(bytes);
    return status;
}

static void *run_reader(void *user) {
    struct reader *reader = user;
    reader->status = read_much(reader);
    return NULL;
}

static void read_side_by_side(const char *uri) {
    struct reader readers[THREADS];
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, uri, STOA_OPEN_READ, NULL, &file, &world.err), world.err);
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.file = file, .seed = (uint64_t)i, .err = STOA_ERROR_NONE};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_ok(readers[i].status, readers[i].err);
    }
    stoa_file_close(file);
}

static void threads_share_a_file(void **state) {
    (void)state;
    read_side_by_side(url_at(&world, "/f?size=%d", SIZE));
    read_side_by_side(url_at(&world, "/f?size=%d&ranges=0", SIZE));
    read_side_by_side(url_at(&world, "/f?size=%d&id=cut&cut=50000&after=1&times=10", SIZE));
    read_side_by_side(url_at(&world, "/f?redirect=/f%%3Fsize=%d", SIZE));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_a_file)};
    support_server_open_http(&world.server);
    world.err = (stoa_error)STOA_ERROR_NONE;
    world.pool = support_pool_open();
    stoa_status status = stoa_fs_registry_create(world.pool, &registry, &world.err);
    int failed = status == STOA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    stoa_fs_registry_close(registry);
    support_pool_close(world.pool);
    support_server_close(&world.server);
    return failed;
}
