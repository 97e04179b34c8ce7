/* Columns that are added, dropped, renamed and widened: rows that were written before are read by the
 * new ones, from files, after compactions, reopenings and crashes, and by others who follow. */
#include <stoa/state_transaction.h>

#include <string.h>

#include "lsm/store_internal.h"
#include "store_support.h"

static stoa_pool *pool;

/* The table as it is made: "user long not null, count int not null, ratio float, name string" by user;
 * count is summed. */
static void begin(struct store_test *test) {
    stoa_error err;
    const stoa_schema *schema = NULL;
    store_test_begin(test, pool);
    test->settings.no_background = true;
    assert_ok(store_test_open_as(test, false, &err), err);
    assert_ok(stoa_schema_parse(pool,
                                "user long not null, count int not null, ratio float, name string",
                                &schema, &err),
              err);
    const stoa_state_table_options options = {.key = "user", .merge = "count add"};
    assert_ok(stoa_store_create_table(test->store, TOTALS, schema, &options, &err), err);
    stoa_schema_close(schema);
    assert_ok(stoa_store_open_table(test->store, TOTALS, &test->totals, &err), err);
}

static void reopen(struct store_test *test) {
    store_test_close(test);
    store_test_open(test);
}

static stoa_status alter(struct store_test *test, stoa_state_alteration_kind kind,
                         const char *column, const char *text, stoa_error *err) {
    const stoa_state_alteration alteration = {.kind = kind, .column = column, .text = text};
    return stoa_store_alter_table(test->store, TOTALS, &alteration, 1, err);
}

/* The handle that there was is for the columns that there were. */
static void open_again(struct store_test *test) {
    stoa_error err;
    bool found = false;
    int64_t count = 0;
    stoa_row *row = NULL;
    struct ArrowArrayStream stream;
    stoa_state_iterator *iterator = NULL;
    stoa_cell least, greatest;
    const stoa_state_scan_options all = {0};
    const stoa_cell cells[4] = {{.i = 99}, {.is_null = true}, {.is_null = true}, {.is_null = true}};
    stoa_state *old = test->totals;
    assert_ok(stoa_row_create(old, "user", &row, &err), err);
    if (!test->store->read_only) {
        assert_int_equal(stoa_state_put(old, cells, STOA_DURABILITY_DEFAULT, &err), STOA_CONFLICT);
        assert_int_equal(stoa_state_delete(old, cells, STOA_DURABILITY_DEFAULT, &err),
                         STOA_CONFLICT);
        assert_int_equal(stoa_state_compact(old, NULL, 0, NULL, 0, NULL, &err), STOA_CONFLICT);
    }
    assert_int_equal(stoa_state_get(old, cells, NULL, row, &found, &err), STOA_CONFLICT);
    assert_int_equal(stoa_state_scan(old, &all, &stream, &err), STOA_CONFLICT);
    assert_int_equal(stoa_state_iterator_create(old, &all, &iterator, &err), STOA_CONFLICT);
    assert_int_equal(stoa_state_count(old, &all, &count, &err), STOA_CONFLICT);
    assert_int_equal(stoa_state_extremes(old, "user", NULL, &least, &greatest, &found, &err),
                     STOA_CONFLICT);
    assert_non_null(strstr(err.message, "open it again"));
    stoa_row_close(row);
    stoa_state_close(old);
    assert_ok(stoa_store_open_table(test->store, TOTALS, &test->totals, &err), err);
}

static void write_cells(struct store_test *test, stoa_operation operation, const stoa_cell *row) {
    stoa_error err;
    assert_ok(operation == STOA_OPERATION_PUT
                  ? stoa_state_put(test->totals, row, STOA_DURABILITY_DEFAULT, &err)
                  : stoa_state_merge(test->totals, row, STOA_DURABILITY_DEFAULT, &err),
              err);
}

/* In the columns that the table was made with. */
static void put_old(struct store_test *test, int64_t user) {
    const stoa_cell row[] = {{.i = user},
                             {.i = 2 * user},
                             {.f = 0.5},
                             {.bytes = "name", .size = 4}};
    write_cells(test, STOA_OPERATION_PUT, row);
}

static void flush(struct store_test *test) {
    stoa_error err;
    assert_ok(stoa_state_flush(test->totals, &err), err);
}

/* The cells of a row that is there. */
static const stoa_cell *cells_of(struct store_test *test, int64_t user, const char *columns,
                                 stoa_row **row) {
    stoa_error err;
    bool found = false;
    stoa_row_close(*row);
    assert_ok(stoa_row_create(test->totals, columns, row, &err), err);
    assert_ok(stoa_state_get(test->totals, &(stoa_cell){.i = user}, NULL, *row, &found, &err), err);
    assert_true(found);
    return stoa_row_cells(*row);
}

/* All rows and columns by a scan; the table's schema as text. */
static void check_scan(struct store_test *test, int64_t rows, const char *schema) {
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {.release = NULL};
    char text[256];
    stoa_error err;
    int64_t seen = 0;
    (void)stoa_schema_print(stoa_state_schema(test->totals), text, sizeof text);
    assert_string_equal(text, schema);
    assert_ok(stoa_state_scan(test->totals, &(stoa_state_scan_options){0}, &stream, &err), err);
    while (stream.get_next(&stream, &batch) == 0 && batch.release != NULL) {
        assert_int_equal(batch.n_children, stoa_state_schema(test->totals)->root.child_count);
        seen += batch.length;
        batch.release(&batch);
    }
    assert_int_equal(seen, rows);
    stream.release(&stream);
}

static void check_all_changes(struct store_test *test) {
    stoa_row *row = NULL;
    const stoa_cell *cells = cells_of(test, 1, "total, ratio, score, user", &row);
    assert_int_equal(cells[0].i, INT64_C(4000000002)); /* 2 as an int, and more than an int holds */
    assert_true(cells[1].f == 0.5 && !cells[1].is_null);
    assert_true(cells[2].is_null);
    assert_int_equal(cells[3].i, 1);
    cells = cells_of(test, 2, "total, ratio, score", &row);
    assert_int_equal(cells[0].i, 4);
    assert_true(cells[2].is_null);
    cells = cells_of(test, 3, "total, ratio, score", &row);
    assert_true(cells[0].is_null);
    assert_true(cells[1].f == 1e300 && cells[2].f == 7.5);
    stoa_row_close(row);
    check_scan(test, 3,
               "user long not null, total long, ratio double, score double 'of the last game'");
}

static void test_columns_change_and_rows_stay(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    flush(&test);
    put_old(&test, 2); /* in memory, when it is altered */
    const stoa_state_alteration alterations[] = {
        {STOA_STATE_SET_DATA_TYPE, "count", "long"},
        {STOA_STATE_RENAME_COLUMN, "count", "total"},
        {STOA_STATE_DROP_NOT_NULL, "total", NULL},
        {STOA_STATE_SET_DATA_TYPE, "ratio", "double"},
        {STOA_STATE_DROP_COLUMN, "name", NULL},
        {STOA_STATE_ADD_COLUMN, NULL, "score double 'of the last game'"},
    };
    assert_ok(stoa_store_alter_table(test.store, TOTALS, alterations, 6, &err), err);
    open_again(&test);
    write_cells(&test, STOA_OPERATION_MERGE,
                (stoa_cell[]){{.i = 1}, {.i = 4000000000}, {.is_null = true}, {.is_null = true}});
    write_cells(&test, STOA_OPERATION_PUT,
                (stoa_cell[]){{.i = 3}, {.is_null = true}, {.f = 1e300}, {.f = 7.5}});
    check_all_changes(&test);
    reopen(&test); /* the log has rows of the new columns */
    check_all_changes(&test);
    flush(&test);
    check_all_changes(&test);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    check_all_changes(&test);
    reopen(&test);
    check_all_changes(&test);
    store_test_end(&test);
}

/* Ids are never given twice: what was dropped does not come back under its old name. */
static void test_dropped_columns_do_not_come_back(void **state) {
    (void)state;
    struct store_test test;
    stoa_row *row = NULL;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    assert_ok(alter(&test, STOA_STATE_DROP_COLUMN, "name", NULL, &err), err);
    reopen(&test);
    assert_ok(alter(&test, STOA_STATE_ADD_COLUMN, NULL, "name string, place struct<x: int>", &err),
              err);
    open_again(&test);
    const stoa_cell *cells = cells_of(&test, 1, "name, count", &row);
    assert_true(cells[0].is_null);
    assert_int_equal(cells[1].i, 2);
    stoa_row_close(row);
    const stoa_schema *schema = stoa_state_schema(test.totals);
    assert_int_equal(stoa_schema_column(schema, "name")->id, 5);
    assert_int_equal(stoa_schema_column(schema, "place")->id, 6);
    assert_int_equal(stoa_schema_column(schema, "place")->type.children[0].id, 7);
    assert_int_equal(schema->field_id_max, 7);
    store_test_end(&test);
}

static void test_what_would_lose_meaning_is_refused(void **state) {
    (void)state;
    struct store_test test;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    const struct {
        stoa_state_alteration change;
        stoa_status status;
        const char *text;
    } cases[] = {
        {{STOA_STATE_DROP_COLUMN, "user", NULL}, STOA_INVALID, "'user' is of the key"},
        {{STOA_STATE_SET_DATA_TYPE, "user", "decimal(38, 0)"}, STOA_INVALID, "of the key"},
        {{STOA_STATE_DROP_NOT_NULL, "user", NULL}, STOA_INVALID, "of the key"},
        {{STOA_STATE_DROP_COLUMN, "nobody", NULL}, STOA_INVALID, "there is no column 'nobody'"},
        {{STOA_STATE_DROP_COLUMN, NULL, NULL}, STOA_INVALID, "there is no column"},
        {{STOA_STATE_ADD_COLUMN, NULL, "a long not null"}, STOA_INVALID, "'a' would be null"},
        {{STOA_STATE_ADD_COLUMN, NULL, "name long"}, STOA_INVALID, "name"},
        {{STOA_STATE_ADD_COLUMN, NULL, NULL}, STOA_INVALID, ""},
        {{STOA_STATE_RENAME_COLUMN, "name", "ratio"}, STOA_INVALID, "ratio"},
        {{STOA_STATE_RENAME_COLUMN, "name", NULL}, STOA_INVALID, ""},
        {{STOA_STATE_SET_DATA_TYPE, "count", "smallint2"}, STOA_INVALID, ""},
        {{STOA_STATE_SET_DATA_TYPE, "count", "int8"}, STOA_INVALID, "int8"},
        {{STOA_STATE_SET_DATA_TYPE, "count", "long, b long"}, STOA_INVALID, "expected a type"},
        {{STOA_STATE_SET_DATA_TYPE, "count", "decimal(20, 0)"}, STOA_UNSUPPORTED, "numbers"},
        {{STOA_STATE_SET_DATA_TYPE, "name", "binary"}, STOA_UNSUPPORTED, "numbers"},
        {{(stoa_state_alteration_kind)99, "name", NULL}, STOA_INVALID, "99"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* One that would work before it changes nothing either. */
        const stoa_state_alteration both[] = {{STOA_STATE_ADD_COLUMN, NULL, "fine long"},
                                              cases[i].change};
        assert_fails(stoa_store_alter_table(test.store, TOTALS, both, 2, &err), cases[i].status,
                     cases[i].text, err);
    }
    assert_fails(stoa_store_alter_table(test.store, 77, NULL, 0, &err), STOA_NOT_FOUND, "77", err);
    check_scan(&test, 1, "user long not null, count int not null, ratio float, name string");
    put_old(&test, 2);
    store_test_end(&test);
}

static void test_what_was_prepared_before_conflicts(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_batch *batch = NULL;
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    const stoa_cell cells[] = {{.i = 9}, {.i = 9}, {.is_null = true}, {.is_null = true}};
    assert_ok(stoa_row_create(test.totals, NULL, &row, &err), err);
    assert_ok(stoa_state_batch_create(test.totals, &batch, &err), err);
    assert_ok(stoa_state_batch_put(batch, test.totals, cells, &err), err);
    assert_ok(alter(&test, STOA_STATE_RENAME_COLUMN, "name", "title", &err), err);
    assert_int_equal(stoa_state_batch_commit(batch, STOA_DURABILITY_DEFAULT, &err), STOA_CONFLICT);
    open_again(&test);
    assert_int_equal(stoa_state_get(test.totals, &(stoa_cell){.i = 1}, NULL, row, &found, &err),
                     STOA_INVALID);
    stoa_state_batch_close(batch);
    stoa_row_close(row);
    check_scan(&test, 1, "user long not null, count int not null, ratio float, title string");
    store_test_end(&test);
}

static void test_snapshots_and_scans_go_on(void **state) {
    (void)state;
    struct store_test test;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {.release = NULL};
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    assert_ok(stoa_state_scan(test.totals, &(stoa_state_scan_options){0}, &stream, &err), err);
    assert_ok(alter(&test, STOA_STATE_DROP_COLUMN, "name", NULL, &err), err);
    stoa_state *old = test.totals; /* streams are released before it */
    assert_ok(stoa_store_open_table(test.store, TOTALS, &test.totals, &err), err);
    assert_ok(stoa_state_compact(test.totals, NULL, 0, NULL, 0, NULL, &err), err);
    assert_int_equal(stream.get_next(&stream, &batch), 0); /* of the columns that there were */
    assert_int_equal(batch.n_children, 4);
    assert_int_equal(batch.length, 1);
    batch.release(&batch);
    stream.release(&stream);
    stoa_state_close(old);
    store_test_end(&test);
}

/* A transaction that only read the table does not commit over other columns either. */
static void test_transactions_conflict(void **state) {
    (void)state;
    struct store_test test;
    stoa_state_transaction *transaction = NULL;
    stoa_row *row = NULL;
    bool found = false;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    assert_ok(stoa_row_create(test.totals, "count", &row, &err), err);
    assert_ok(stoa_state_transaction_begin(test.totals, &transaction, &err), err);
    assert_ok(stoa_state_transaction_get_for_update(transaction, test.totals, &(stoa_cell){.i = 1},
                                                    row, &found, &err),
              err);
    const stoa_cell cells[] = {{.i = 1}, {.i = 7}, {.is_null = true}, {.is_null = true}};
    assert_ok(stoa_state_transaction_put(transaction, test.totals, cells, &err), err);
    assert_ok(alter(&test, STOA_STATE_DROP_COLUMN, "name", NULL, &err), err);
    assert_int_equal(stoa_state_transaction_get(transaction, test.totals, &(stoa_cell){.i = 1}, row,
                                                &found, &err),
                     STOA_CONFLICT);
    assert_int_equal(stoa_state_transaction_commit(transaction, STOA_DURABILITY_DEFAULT, &err),
                     STOA_CONFLICT);
    stoa_state_transaction_close(transaction);
    stoa_row_close(row);
    row = NULL;
    open_again(&test);
    assert_int_equal(cells_of(&test, 1, "count", &row)->i, 2);
    stoa_row_close(row);
    store_test_end(&test);
}

static void test_readers_follow(void **state) {
    (void)state;
    struct store_test test;
    stoa_row *row = NULL;
    stoa_error err;
    begin(&test);
    put_old(&test, 1);
    flush(&test);
    struct store_test reader = test;
    assert_ok(store_test_open_as(&reader, true, &err), err);
    assert_ok(stoa_store_open_table(reader.store, TOTALS, &reader.totals, &err), err);
    assert_ok(alter(&test, STOA_STATE_SET_DATA_TYPE, "ratio", "double", &err), err);
    open_again(&test);
    write_cells(&test, STOA_OPERATION_PUT,
                (stoa_cell[]){{.i = 2}, {.i = 1}, {.f = 1e300}, {.is_null = true}});
    assert_true(cells_of(&reader, 1, "ratio", &row)[0].f == 0.5);
    assert_ok(stoa_store_follow(reader.store, &err), err);
    stoa_row_close(row);
    row = NULL;
    open_again(&reader);
    assert_true(cells_of(&reader, 2, "ratio", &row)[0].f == 1e300);
    assert_true(cells_of(&reader, 1, "ratio", &row)[0].f == 0.5);
    assert_int_equal(alter(&reader, STOA_STATE_DROP_COLUMN, "name", NULL, &err), STOA_INVALID);
    stoa_row_close(row);
    store_test_close(&reader);
    store_test_end(&test);
}

static int setup(void **state) {
    (void)state;
    stoa_error err;
    return stoa_pool_create(0, NULL, &pool, &err) == STOA_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(stoa_pool_used(pool), 0);
    stoa_pool_close(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_columns_change_and_rows_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_columns_do_not_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_would_lose_meaning_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_prepared_before_conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_and_scans_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_follow, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
