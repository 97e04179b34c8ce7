/* A store that is only read takes up what another one writes, while threads read from it: they see commits
 * whole, and a snapshot stays what it was. */
#include <pthread.h>

#include "store_support.h"

enum { COMMITS = 1000, TABLE_EVERY = 50, USERS = 64, FLUSHES = 150 };

struct world {
    struct store_test writer;
    struct store_test reader;
    atomic_bool is_over;
    _Atomic int64_t written; /* the total of the last commit that has returned */
    int64_t mistakes;        /* of who reads */
};

static void commit_all(struct store_test *test, int64_t total, stoa_durability durability) {
    stoa_error err;
    stoa_state_batch *batch = NULL;
    assert_ok(stoa_state_batch_create(test->totals, &batch, &err), err);
    for (int64_t user = 1; user <= USERS; user++) {
        const stoa_cell row[] = {{.i = user}, {.i = total}, {.is_null = true}};
        assert_ok(stoa_state_batch_put(batch, test->totals, row, &err), err);
    }
    assert_ok(stoa_state_batch_commit(batch, durability, &err), err);
    stoa_state_batch_close(batch);
}

static void make_table(struct store_test *test, int64_t id) {
    stoa_error err;
    const stoa_schema *schema = NULL;
    assert_ok(stoa_schema_parse(test->pool, "user long not null", &schema, &err), err);
    assert_ok(stoa_store_create_table(test->store, id, schema,
                                      &(stoa_state_table_options){.key = "user"}, &err),
              err);
    stoa_schema_close(schema);
}

static int64_t total_at(stoa_state *state, stoa_row *row, int64_t user,
                        const stoa_state_snapshot *snapshot) {
    stoa_error err;
    bool found = false;
    assert_ok(stoa_state_get(state, &(stoa_cell){.i = user}, snapshot, row, &found, &err), err);
    return found ? stoa_row_cells(row)->i : 0;
}

static void *read_totals(void *user) {
    struct world *world = user;
    stoa_state *totals = world->reader.totals;
    stoa_row *row = NULL;
    int64_t newest = 0;
    stoa_error err;
    assert_ok(stoa_row_create(totals, "total", &row, &err), err);
    while (!atomic_load_explicit(&world->is_over, memory_order_acquire)) {
        stoa_state_snapshot *snapshot = NULL;
        stoa_state *found = NULL;
        assert_ok(stoa_state_snapshot_create(totals, &snapshot, &err), err);
        const int64_t first = total_at(totals, row, 1, snapshot);
        const int64_t second = total_at(totals, row, USERS, snapshot);
        world->mistakes += first != second || first < newest;
        newest = first;
        stoa_state_snapshot_close(snapshot);
        if (stoa_store_open_table(world->reader.store, TOTALS, &found, &err) == STOA_OK) {
            stoa_state_close(found);
        }
    }
    stoa_row_close(row);
    return NULL;
}

static void begin_in(struct world *world, const char *directory) {
    stoa_error err;
    *world = (struct world){0};
    stoa_pool *pool = NULL;
    assert_ok(stoa_pool_create(0, NULL, &pool, &err), err);
    store_test_begin(&world->writer, pool);
    world->writer.directory = directory != NULL ? directory : world->writer.directory;
    store_test_open(&world->writer);
    commit_all(&world->writer, 1, STOA_DURABILITY_BUFFERED);
    world->reader = world->writer;
    world->reader.store = NULL;
    assert_ok(store_test_open_as(&world->reader, true, &err), err);
    assert_ok(stoa_store_open_table(world->reader.store, TOTALS, &world->reader.totals, &err), err);
}

static void begin(struct world *world) {
    begin_in(world, NULL);
}

static void end(struct world *world) {
    stoa_pool *pool = world->writer.pool;
    store_test_close(&world->reader);
    store_test_end(&world->writer);
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
}

static void test_followers_see_whole_commits(void **state) {
    (void)state;
    struct world world;
    pthread_t thread;
    stoa_error err;
    begin(&world);
    assert_int_equal(pthread_create(&thread, NULL, read_totals, &world), 0);
    for (int64_t i = 2; i <= COMMITS; i++) {
        commit_all(&world.writer, i, STOA_DURABILITY_BUFFERED);
        if (i % TABLE_EVERY == 0) {
            make_table(&world.writer, TOTALS + i);
        }
        assert_ok(stoa_store_follow(world.reader.store, &err), err);
    }
    atomic_store_explicit(&world.is_over, true, memory_order_release);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(world.mistakes, 0);
    end(&world);
}

/* Of rows without a log the manifest says when they are in files. */
static void test_followers_see_what_no_log_has(void **state) {
    (void)state;
    struct world world;
    stoa_row *row = NULL;
    stoa_error err;
    begin(&world);
    commit_all(&world.writer, 7, STOA_DURABILITY_NONE);
    assert_ok(stoa_state_flush(world.writer.totals, &err), err);
    assert_ok(stoa_store_follow(world.reader.store, &err), err);
    assert_ok(stoa_row_create(world.reader.totals, "total", &row, &err), err);
    assert_int_equal(total_at(world.reader.totals, row, 1, NULL), 7);
    stoa_row_close(row);
    end(&world);
}

static void *write_and_flush(void *user) {
    struct world *world = user;
    stoa_error err;
    for (int64_t i = 2; i <= FLUSHES; i++) {
        commit_all(&world->writer, i, STOA_DURABILITY_BUFFERED);
        atomic_store_explicit(&world->written, i, memory_order_release);
        assert_ok(stoa_state_flush(world->writer.totals, &err), err);
    }
    atomic_store_explicit(&world->is_over, true, memory_order_release);
    return NULL;
}

/* The log that a manifest names is released, and used again, while it is read: on a disk, where bytes that
 * are stored meanwhile are nobody's race. */
static void test_followers_miss_nothing_that_is_flushed(void **state) {
    (void)state;
    char directory[SUPPORT_PATH_BYTES];
    struct world world;
    pthread_t thread;
    stoa_row *row = NULL;
    stoa_error err;
    support_temp_directory(directory);
    begin_in(&world, directory);
    assert_ok(stoa_row_create(world.reader.totals, "total", &row, &err), err);
    assert_int_equal(pthread_create(&thread, NULL, write_and_flush, &world), 0);
    while (!atomic_load_explicit(&world.is_over, memory_order_acquire)) {
        const int64_t written = atomic_load_explicit(&world.written, memory_order_acquire);
        assert_ok(stoa_store_follow(world.reader.store, &err), err);
        assert_true(total_at(world.reader.totals, row, 1, NULL) >= written);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    stoa_row_close(row);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_followers_see_whole_commits),
        cmocka_unit_test(test_followers_see_what_no_log_has),
        cmocka_unit_test(test_followers_miss_nothing_that_is_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
