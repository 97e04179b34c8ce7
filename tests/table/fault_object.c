/* A database in an object store whose every nth call fails, and whose machine goes down at every one
 * of them, its catalog included: a transaction is there whole or not at all. */
#include "table_world.h"

static const char place[] = "test:/lake/db";

static stoa_status stage_open(support_world *world, bool create, table_world *out,
                              stoa_error *err) {
    *out = (table_world){.pool = world->pool};
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = create;
    options.parent_pool = world->pool;
    options.file_systems = world->registry;
    options.threads = 1;
    options.busy_timeout_ms = 1;
    STOA_TRY(stoa_schema_parse(world->pool, TABLE_SCHEMA, &out->schema, err));
    STOA_TRY(stoa_schema_to_arrow(world->pool, out->schema, &out->arrow, err));
    return stoa_database_open(place, &options, &out->db, err);
}

static void stage_close(table_world *stage) {
    stoa_arrow_schema_release(&stage->arrow);
    stoa_schema_close(stage->schema);
    stoa_database_close(stage->db);
}

static stoa_status load(table_world *stage, stoa_transaction *transaction, const char *table,
                        stoa_write_mode mode, int64_t rows, stoa_error *err) {
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode, .transaction = transaction};
    options.schema = mode == STOA_CREATE ? stage->schema : NULL;
    STOA_TRY(stoa_sink_open(stage->db, table, &options, &sink, err));
    stoa_status status = table_write_rows(sink, stage->pool, &stage->arrow, 0, rows, err);
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    table_world stage;
    stoa_status status = stage_open(world, true, &stage, err);
    if (status == STOA_OK) {
        status = load(&stage, NULL, "a", STOA_CREATE, 10, err);
    }
    if (status == STOA_OK) {
        status = load(&stage, NULL, "b", STOA_CREATE, 10, err);
    }
    stage_close(&stage);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    (void)user;
    table_world stage;
    stoa_transaction *transaction = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stage_open(world, false, &stage, err));
    STOA_CHECK(stoa_transaction_begin(stage.db, &transaction, err));
    STOA_CHECK(load(&stage, transaction, "a", STOA_APPEND, 30, err));
    STOA_CHECK(load(&stage, transaction, "b", STOA_OVERWRITE, 30, err));
    STOA_CHECK(load(&stage, transaction, "c", STOA_CREATE, 1, err));
    status = stoa_transaction_commit(transaction, err);

done:
    stoa_transaction_close(transaction);
    stage_close(&stage);
    return status;
}

static void check(support_world *world, void *user, stoa_status status) {
    (void)user;
    table_world stage;
    stoa_error err = STOA_ERROR_NONE;
    ok(stage_open(world, false, &stage, &err));
    bool done = stoa_table_exists(stage.db, NULL, "c");
    assert_true(done || status != STOA_OK);
    assert_int_equal(table_rows(&stage, NULL, "a", 0), done ? 40 : 10);
    assert_int_equal(table_rows(&stage, NULL, "b", 0), done ? 30 : 10);
    ok(stoa_database_verify(stage.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    ok(load(&stage, NULL, "a", STOA_APPEND, 1, &err)); /* it goes on */
    stage_close(&stage);
}

static void every_call_fails(void **state) {
    (void)state;
    assert_true(support_fail_each_call(prepare, scenario, check, NULL) > 20);
}

static void every_allocation_fails(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(prepare, scenario, check, NULL) > 100);
}

static void the_machine_goes_down_at_every_call(void **state) {
    (void)state;
    assert_true(support_crash_at_each_call(prepare, scenario, check, 3, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(the_machine_goes_down_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
