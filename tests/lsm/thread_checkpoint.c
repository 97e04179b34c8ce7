/* Checkpoints while others write, compact and load in bulk: each is of one moment. A row is put into one
 * table, then the same user is loaded into another: who is in the second is in the first. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <stoa/state_maintenance.h>

#include "arrow/builder.h"
#include "lsm/bulk.h"
#include "store_support.h"

enum { LOADED = 2, CHECKPOINTS = 12, ROWS_BETWEEN = 200, USERS_MAX = 20000, LOAD_EVERY = 10 };

struct world {
    struct store_test test;
    stoa_state *loaded; /* "user long not null" */
    atomic_bool is_over;
    _Atomic int64_t user; /* the last one that was put */
    atomic_bool has_failed;
};

static stoa_status put(stoa_state *totals, int64_t user, stoa_error *err) {
    const stoa_cell row[] = {{.i = user}, {.i = user}, {.is_null = true}};
    return stoa_state_put(totals, row, STOA_DURABILITY_DEFAULT, err);
}

static stoa_status make_batch(stoa_pool *pool, const stoa_schema *schema, int64_t user,
                              struct ArrowArray *out, stoa_error *err) {
    struct ArrowSchema arrow = {.release = NULL};
    stoa_builder *builder = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_arrow(pool, schema, &arrow, err));
    STOA_CHECK(stoa_builder_create(pool, &arrow, &builder, err));
    STOA_CHECK(stoa_builder_append_i64(stoa_builder_child(builder, 0), user, err));
    STOA_CHECK(stoa_builder_finish_value(builder, err));
    status = stoa_builder_finish(builder, out, err);

done:
    stoa_builder_close(builder);
    if (arrow.release != NULL) {
        arrow.release(&arrow);
    }
    return status;
}

static stoa_status load(struct world *world, int64_t user, stoa_error *err) {
    struct ArrowArray batch;
    stoa_bulk *bulk = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_bulk_create(world->test.store, stoa_state_definition(world->loaded),
                         STOA_OPERATION_PUT, &bulk, err));
    STOA_CHECK(make_batch(world->test.pool, stoa_state_schema(world->loaded), user, &batch, err));
    STOA_CHECK(stoa_bulk_put(bulk, &batch, err));
    STOA_CHECK(stoa_bulk_finish(bulk, err));
    const stoa_bulk_table table = {.state = world->loaded, .bulks = &bulk, .count = 1};
    status = stoa_bulk_commit(world->test.store, &table, 1, err);

done:
    stoa_bulk_close(bulk);
    return status;
}

static void *write_rows(void *user) {
    struct world *world = user;
    stoa_error err;
    stoa_status status = STOA_OK;
    for (int64_t i = 1; i <= USERS_MAX && status == STOA_OK &&
                        !atomic_load_explicit(&world->is_over, memory_order_acquire);
         i++) {
        status = put(world->test.totals, i, &err);
        if (status == STOA_OK && i % LOAD_EVERY == 0) {
            status = load(world, i, &err);
        }
        /* pairs with who makes a checkpoint: it is to have this row */
        atomic_store_explicit(&world->user, i, memory_order_release);
    }
    if (status != STOA_OK) {
        print_error("%s\n", err.message);
    }
    atomic_store(&world->has_failed, status != STOA_OK);
    return NULL;
}

static bool has_user(stoa_state *table, stoa_row *row, int64_t user) {
    stoa_error err;
    bool found = false;
    assert_ok(stoa_state_get(table, &(stoa_cell){.i = user}, NULL, row, &found, &err), err);
    return found;
}

static void check_copy(const struct world *world, const char *directory, int64_t acknowledged) {
    struct store_test copy = world->test;
    stoa_state *loaded = NULL;
    stoa_row *row = NULL, *loaded_row = NULL;
    stoa_error err;
    int64_t last = 0;
    copy.directory = directory;
    assert_ok(store_test_open_as(&copy, false, &err), err);
    assert_ok(stoa_store_open_table(copy.store, TOTALS, &copy.totals, &err), err);
    assert_ok(stoa_store_open_table(copy.store, LOADED, &loaded, &err), err);
    assert_ok(stoa_row_create(copy.totals, "total", &row, &err), err);
    assert_ok(stoa_row_create(loaded, "user", &loaded_row, &err), err);
    while (has_user(copy.totals, row, last + 1)) {
        last++;
    }
    assert_true(last >= acknowledged);
    for (int64_t user = LOAD_EVERY; user <= USERS_MAX; user += LOAD_EVERY) {
        const bool is_loaded = has_user(loaded, loaded_row, user);
        assert_true(!is_loaded || user <= last);
        assert_true(is_loaded || user > acknowledged);
    }
    stoa_row_close(row);
    stoa_row_close(loaded_row);
    stoa_state_close(loaded);
    store_test_close(&copy);
}

/* Some rows more than there were; what it wrote. */
static int64_t wait_for_rows(struct world *world, int64_t count) {
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t user;
    while ((user = atomic_load_explicit(&world->user, memory_order_acquire)) < count &&
           !atomic_load(&world->has_failed)) {
        (void)nanosleep(&pause, NULL);
    }
    return user;
}

static void open_world(struct world *world, stoa_pool *pool) {
    const stoa_schema *schema = NULL;
    stoa_error err;
    *world = (struct world){0};
    store_test_begin(&world->test, pool);
    world->test.settings.memtable_bytes = 128 << 10;
    world->test.settings.log_segment_bytes = 256 << 10;
    store_test_open(&world->test);
    assert_ok(stoa_schema_parse(pool, "user long not null", &schema, &err), err);
    assert_ok(stoa_store_create_table(world->test.store, LOADED, schema,
                                      &(stoa_state_table_options){.key = "user"}, &err),
              err);
    stoa_schema_close(schema);
    assert_ok(stoa_store_open_table(world->test.store, LOADED, &world->loaded, &err), err);
}

static void test_each_checkpoint_is_of_one_moment(void **state) {
    (void)state;
    struct world world;
    pthread_t writer;
    stoa_error err;
    stoa_pool *pool = support_pool_open();
    open_world(&world, pool);
    assert_int_equal(pthread_create(&writer, NULL, write_rows, &world), 0);
    for (int i = 0; i < CHECKPOINTS; i++) {
        char directory[32];
        (void)snprintf(directory, sizeof directory, "memory:/copies/%d", i);
        const int64_t acknowledged = wait_for_rows(&world, (i + 1) * ROWS_BETWEEN);
        assert_ok(stoa_state_checkpoint(world.test.totals, directory, NULL, &err), err);
        check_copy(&world, directory, acknowledged);
    }
    atomic_store_explicit(&world.is_over, true, memory_order_release);
    pthread_join(writer, NULL);
    assert_false(atomic_load(&world.has_failed));
    stoa_state_close(world.loaded);
    store_test_end(&world.test);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_checkpoint_is_of_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
