/* Stores that are only read, and cannot take up what was written: they go on as they were, until they can. */
#include <stdio.h>
#include <string.h>

#include "store_support.h"

struct world {
    struct store_test writer, reader;
    char file[128]; /* an SSTable that is out of reach */
};

static void put(struct store_test *test, int64_t total) {
    stoa_error err;
    const stoa_cell row[] = {{.i = 1}, {.i = total}, {.is_null = true}, {.is_null = true}};
    assert_ok(stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err), err);
}

/* A handle is for the columns that there were when it was opened. */
static void open_again(struct store_test *test) {
    stoa_error err;
    stoa_state_close(test->totals);
    assert_ok(stoa_store_open_table(test->store, TOTALS, &test->totals, &err), err);
}

/* Of user 1, and of all columns that there are. */
static int64_t total_of(struct store_test *test) {
    stoa_error err;
    stoa_row *row = NULL;
    bool found = false;
    assert_ok(stoa_row_create(test->totals, NULL, &row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = 1}, NULL, row, &found, &err), err);
    const int64_t total = found ? stoa_row_cells(row)[1].i : -1;
    stoa_row_close(row);
    return total;
}

static stoa_status find_table(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    struct world *world = user;
    (void)info, (void)err;
    if (strstr(name, ".sst") != NULL) {
        (void)snprintf(world->file, sizeof world->file, "%s/%s", world->writer.directory, name);
    }
    return STOA_OK;
}

static void move_file(struct world *world, bool away) {
    char hidden[160];
    stoa_error err;
    (void)snprintf(hidden, sizeof hidden, "%s.away", world->file);
    assert_ok(stoa_vfs_rename(world->writer.file_systems, away ? world->file : hidden,
                              away ? hidden : world->file, NULL, &err),
              err);
}

static void begin(struct world *world) {
    stoa_error err;
    memset(world, 0, sizeof *world);
    store_test_begin(&world->writer, support_pool_open());
    world->writer.settings.no_background = true;
    store_test_open(&world->writer);
    put(&world->writer, 10);
    world->reader = world->writer;
    world->reader.store = NULL;
    assert_ok(store_test_open_as(&world->reader, true, &err), err);
    assert_ok(stoa_store_open_table(world->reader.store, TOTALS, &world->reader.totals, &err), err);
}

static void end(struct world *world) {
    stoa_pool *pool = world->writer.pool;
    store_test_close(&world->reader);
    store_test_end(&world->writer);
    support_pool_close(pool);
}

static void test_a_reader_that_cannot_follow_stays_where_it_is(void **state) {
    static const stoa_state_alteration add = {.kind = STOA_STATE_ADD_COLUMN, .text = "extra int"};
    struct world world;
    stoa_error err;
    (void)state;
    begin(&world);
    assert_ok(stoa_store_alter_table(world.writer.store, TOTALS, &add, 1, &err), err);
    open_again(&world.writer);
    put(&world.writer, 11);
    assert_ok(stoa_vfs_list(world.writer.file_systems, world.writer.directory, NULL, find_table,
                            &world, &err),
              err);
    move_file(&world, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stoa_store_follow(world.reader.store, &err), STOA_NOT_FOUND);
        assert_int_equal(total_of(&world.reader), 10);
        assert_int_equal(stoa_state_schema(world.reader.totals)->root.child_count, 3);
    }
    move_file(&world, false);
    assert_ok(stoa_store_follow(world.reader.store, &err), err);
    open_again(&world.reader);
    assert_int_equal(total_of(&world.reader), 11);
    assert_int_equal(stoa_state_schema(world.reader.totals)->root.child_count, 4);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reader_that_cannot_follow_stays_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
