/* A database that is closed before what was opened of its state tables: handles answer errors until they
 * are closed, and none reads what is gone. */
#include <stoa/state_transaction.h>

#include "table_world.h"

enum { ROWS = 30000 };

static const stoa_state_table_options by_id = {.key = "id"};
static const char *const closed = "the database was closed";

/* All kinds of handles, of a table with files, frozen memtables and rows in memory. */
struct handles {
    stoa_state *table;
    stoa_state *dropped;
    stoa_row *row;
    stoa_state_iterator *iterator;
    stoa_state_snapshot *snapshot;
    stoa_state_batch *batch;
    stoa_state_transaction *transaction;
    struct ArrowArrayStream stream;
    struct ArrowArray rows;
};

static const stoa_cell first = {.i = 1}, last = {.i = ROWS};
static const stoa_cell put_last[] = {{.i = ROWS}, {.bytes = "new", .size = 3}};

static int begin(void **state) {
    static table_world world;
    table_world_init(&world, false);
    *state = &world;
    return 0;
}

static int begin_in_memory(void **state) {
    static table_world world;
    table_world_init(&world, true);
    *state = &world;
    return 0;
}

static int end(void **state) {
    table_world_end(*state);
    return 0;
}

static void make_table(table_world *world, const char *name, stoa_state **out) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_state_create(world->db, name, world->schema, &by_id, &err));
    ok(table_load(world, NULL, name, STOA_APPEND, 0, ROWS, &err));
    ok(stoa_state_open(world->db, name, out, &err));
    ok(stoa_state_flush(*out, &err));
    ok(stoa_state_put(*out, put_last, STOA_DURABILITY_DEFAULT, &err));
}

static void open_all(table_world *world, struct handles *handles) {
    const stoa_state_scan_options all = {0};
    stoa_error err = STOA_ERROR_NONE;
    bool found = false;
    *handles = (struct handles){0};
    make_table(world, "t", &handles->table);
    make_table(world, "u", &handles->dropped);
    ok(stoa_row_create(handles->table, NULL, &handles->row, &err));
    ok(stoa_state_get(handles->table, &first, NULL, handles->row, &found, &err));
    assert_true(found);
    ok(stoa_state_iterator_create(handles->table, &all, &handles->iterator, &err));
    ok(stoa_state_iterator_next(handles->iterator, 100, &handles->rows, &err));
    ok(stoa_state_scan(handles->table, &all, &handles->stream, &err));
    ok(stoa_state_snapshot_create(handles->table, &handles->snapshot, &err));
    ok(stoa_state_batch_create(handles->table, &handles->batch, &err));
    ok(stoa_state_batch_put(handles->batch, handles->table, put_last, &err));
    ok(stoa_state_transaction_begin(handles->table, &handles->transaction, &err));
    ok(stoa_state_transaction_put(handles->transaction, handles->table, put_last, &err));
    ok(stoa_state_transaction_get(handles->transaction, handles->table, &first, handles->row,
                                  &found, &err));
    ok(stoa_table_drop(world->db, "u", &err));
}

static void refused(stoa_status status, const stoa_error *err, const char *message) {
    assert_int_equal(status, STOA_INVALID);
    assert_non_null(strstr(err->message, message));
}

static void check_table(stoa_state *table, stoa_row *row, const stoa_state_snapshot *snapshot) {
    const stoa_state_scan_options all = {0};
    struct ArrowArrayStream stream;
    stoa_state_iterator *iterator = NULL;
    stoa_cell least, greatest;
    stoa_error err;
    bool found;
    int64_t count;
    refused(stoa_state_get(table, &first, NULL, row, &found, &err), &err, closed);
    refused(stoa_state_get(table, &first, snapshot, row, &found, &err), &err, closed);
    refused(stoa_state_get(table, &first, NULL, row, &found, &err), &err, closed);
    refused(stoa_state_put(table, put_last, STOA_DURABILITY_SYNC, &err), &err, closed);
    refused(stoa_state_delete(table, &last, STOA_DURABILITY_NONE, &err), &err, closed);
    refused(stoa_state_scan(table, &all, &stream, &err), &err, closed);
    refused(stoa_state_iterator_create(table, &all, &iterator, &err), &err, closed);
    refused(stoa_state_count(table, &all, &count, &err), &err, closed);
    refused(stoa_state_extremes(table, "id", NULL, &least, &greatest, &found, &err), &err, closed);
    refused(stoa_state_flush(table, &err), &err, closed);
    refused(stoa_state_sync(table, &err), &err, closed);
    refused(stoa_state_compact(table, NULL, 0, NULL, 0, NULL, &err), &err, closed);
    assert_int_equal(stoa_schema_column_index(stoa_state_schema(table), "name"), 1);
}

static void check_all(struct handles *handles) {
    struct ArrowArray batch;
    stoa_row *row = NULL;
    stoa_error err;
    bool found;
    assert_true(stoa_row_cells(handles->row)[1].is_null);
    check_table(handles->table, handles->row, handles->snapshot);
    ok(stoa_row_create(handles->dropped, NULL, &row, &err));
    check_table(handles->dropped, row, NULL);
    stoa_row_close(row);
    refused(stoa_state_iterator_next(handles->iterator, 1, &batch, &err), &err, closed);
    refused(stoa_state_iterator_seek(handles->iterator, &first, 1, &err), &err, closed);
    assert_int_not_equal(stoa_stream_next(&handles->stream, &batch, &err), STOA_OK);
    refused(stoa_state_batch_commit(handles->batch, STOA_DURABILITY_SYNC, &err), &err, closed);
    refused(stoa_state_transaction_get(handles->transaction, handles->table, &first, handles->row,
                                       &found, &err),
            &err, "ended");
    refused(stoa_state_transaction_commit(handles->transaction, STOA_DURABILITY_SYNC, &err), &err,
            "ended");
    assert_int_equal(((const int64_t *)handles->rows.children[0]->buffers[1])[1], 1);
}

static void close_all(struct handles *handles) {
    handles->rows.release(&handles->rows);
    handles->stream.release(&handles->stream);
    stoa_state_close(handles->table);
    stoa_state_transaction_close(handles->transaction);
    stoa_state_batch_close(handles->batch);
    stoa_state_snapshot_close(handles->snapshot);
    stoa_state_iterator_close(handles->iterator);
    stoa_row_close(handles->row);
    stoa_state_close(handles->dropped);
}

static void handles_outlive_their_database(void **state) {
    table_world *world = *state;
    struct handles handles;
    stoa_error err = STOA_ERROR_NONE;
    open_all(world, &handles);
    stoa_database_close(world->db);
    world->db = NULL;
    check_all(&handles);
    close_all(&handles);
    ok(table_world_try_open(world, true, &err));
}

static void the_database_is_opened_again_beside_old_handles(void **state) {
    table_world *world = *state;
    struct handles handles;
    stoa_state *table = NULL;
    stoa_error err = STOA_ERROR_NONE;
    open_all(world, &handles);
    stoa_database_close(world->db);
    ok(table_world_try_open(world, false, &err));
    ok(stoa_state_open(world->db, "t", &table, &err));
    ok(stoa_state_delete(table, &last, STOA_DURABILITY_DEFAULT, &err));
    check_all(&handles);
    table_assert_range(world, NULL, "t", 0, ROWS);
    close_all(&handles);
    stoa_state_close(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handles_outlive_their_database, begin, end),
        cmocka_unit_test_setup_teardown(handles_outlive_their_database, begin_in_memory, end),
        cmocka_unit_test_setup_teardown(the_database_is_opened_again_beside_old_handles, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
