/* Plans: what is skipped by what the catalog knows of files, exact predicates, and bounds as bytes. */
#include "table_world.h"

#include <sqlite3.h>

#include "table/sqlite.h"

static int begin(void **state) {
    static table_world world;
    table_world_init(&world, false);
    *state = &world;
    return 0;
}
static int end(void **state) {
    table_world_end(*state);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

struct expectation {
    const char *where;
    int32_t splits;
    int32_t skipped;
};

static void check_plan(table_world *world, const char *table, const struct expectation *expected) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    const stoa_predicate *predicate = NULL;
    stoa_plan *plan = NULL;
    stoa_arena_init(&arena, world->pool);
    ok(stoa_predicate_parse(&arena, world->schema, expected->where, &predicate, &err));
    stoa_scan_request request = {.predicate = predicate, .limit = -1};
    ok(stoa_table_plan(world->db, NULL, table, &request, NULL, &plan, &err));
    if (stoa_plan_split_count(plan) != expected->splits ||
        stoa_plan_skipped_count(plan) != expected->skipped) {
        fail_msg("%s: expected %d splits and %d skipped but found %d and %d", expected->where,
                 expected->splits, expected->skipped, stoa_plan_split_count(plan),
                 stoa_plan_skipped_count(plan));
    }
    stoa_plan_close(plan);
    stoa_arena_release(&arena);
}

static void files_that_cannot_match_are_skipped(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    static const struct expectation cases[] = {
        {"id >= 0", 3, 0},           {"id > 19", 1, 2},       {"id = 15", 1, 2},
        {"id = 9 or id = 10", 2, 1}, {"id < 0", 0, 3},        {"name = 'n12'", 2, 1},
        {"name is null", 0, 3},      {"id in (1, 25)", 2, 1}, {"name like 'n2%'", 2, 1},
        {"not (id < 25)", 1, 2},
    };
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "t", STOA_APPEND, 10, 10, &err));
    ok(table_load(world, NULL, "t", STOA_APPEND, 20, 10, &err));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            check_plan(world, "t", &cases[i]);
        }
        table_world_reopen(world); /* the same from what the catalog kept */
    }
}

static void staged_files_are_skipped_too(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    stoa_plan *plan = NULL;
    stoa_arena arena;
    const stoa_predicate *predicate = NULL;
    stoa_arena_init(&arena, world->pool);
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_transaction_begin(world->db, &transaction, &err));
    ok(table_load(world, transaction, "t", STOA_APPEND, 10, 10, &err));
    ok(stoa_predicate_parse(&arena, world->schema, "id > 100", &predicate, &err));
    stoa_scan_request request = {.predicate = predicate, .limit = -1};
    ok(stoa_table_plan(world->db, transaction, "t", &request, NULL, &plan, &err));
    assert_int_equal(stoa_plan_skipped_count(plan), 2);
    stoa_plan_close(plan);
    stoa_transaction_close(transaction);
    stoa_arena_release(&arena);
}

static void an_exact_predicate_gives_exactly_its_rows(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_arena arena;
    const stoa_predicate *predicate = NULL;
    stoa_sink_options options = {.mode = STOA_CREATE, .kind = "memory", .schema = world->schema};
    stoa_sink *sink = NULL;
    ok(stoa_sink_open(world->db, "m", &options, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 1000, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    stoa_arena_init(&arena, world->pool);
    ok(stoa_predicate_parse(&arena, world->schema, "id >= 990 or name = 'n5'", &predicate, &err));
    stoa_scan_request request = {.predicate = predicate, .exact = true, .limit = -1};
    ok(stoa_table_plan(world->db, NULL, "m", &request, NULL, &plan, &err));
    stoa_arena_release(&arena); /* the plan has its own */
    table_sums sums = table_sum_plan(plan);
    assert_int_equal(sums.count, 11);
    assert_int_equal(sums.sum, table_range_sum(990, 10) + 5);
    stoa_plan_close(plan);
}

static void a_parquet_split_names_its_file(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    const char *path = NULL;
    uint32_t capabilities = 0;
    int64_t count = -1;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_find(world->db, NULL, "t", NULL, &capabilities, NULL, &err));
    assert_true((capabilities & STOA_CAN_PARQUET_FILES) != 0);
    assert_true((capabilities & STOA_CAN_UPSERT) == 0);
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    assert_true(stoa_plan_split(plan, 0)->is_parquet);
    ok(stoa_plan_parquet_path(plan, 0, NULL, &path, &err));
    assert_int_equal(strncmp(path, world->path, strlen(world->path)), 0);
    assert_null(stoa_plan_memory_batches(plan, 0, &count));
    table_sums sums = table_sum_plan(plan);
    assert_int_equal(sums.count, 10);
    assert_int_equal(sums.sum, table_range_sum(0, 10));
    stoa_plan_close(plan);
}

static void a_commit_that_cannot_get_the_lock_says_so(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    sqlite3 *handle = NULL;
    char path[SUPPORT_PATH_BYTES + 16];
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    stoa_database_close(world->db);
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = world->pool;
    options.busy_timeout_ms = 20;
    ok(stoa_database_open(world->path, &options, &world->db, &err));
    (void)snprintf(path, sizeof path, "%s/catalog.db", world->path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_fails(table_load(world, NULL, "t", STOA_APPEND, 10, 10, &err), STOA_LOCKED,
                 "another process", err);
    assert_int_equal(table_rows(world, NULL, "t", 0), 10); /* readers do not wait */
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    ok(table_load(world, NULL, "t", STOA_APPEND, 10, 10, &err));
    assert_int_equal(table_rows(world, NULL, "t", 0), 20);
}

/* ---- bounds as bytes, against the examples of Iceberg's specification ---- */

static void assert_bound(stoa_pool *pool, const stoa_value *value, const void *bytes, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer buffer;
    stoa_arena arena;
    const stoa_value *back = NULL;
    stoa_buffer_init(&buffer, pool);
    stoa_arena_init(&arena, pool);
    ok(stoa_bound_write(value, &buffer, &err));
    assert_int_equal(buffer.size, size);
    assert_memory_equal(buffer.size == 0 ? (const void *)"" : buffer.data, bytes, size);
    ok(stoa_bound_read(&arena, &value->type, bytes, size, &back, &err));
    assert_non_null(back);
    assert_int_equal(stoa_value_compare(value, back), 0);
    stoa_arena_release(&arena);
    stoa_buffer_release(&buffer);
}

static void bounds_are_icebergs_single_values(void **state) {
    table_world *world = *state;
    stoa_pool *pool = world->pool;
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_BOOLEAN}, .i = 1}, "\x01", 1);
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_INT}, .i = -2}, "\xfe\xff\xff\xff",
                 4);
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_LONG}, .i = 258},
                 "\x02\x01\0\0\0\0\0\0", 8);
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_UINT32}, .i = UINT32_MAX},
                 "\xff\xff\xff\xff\0\0\0\0", 8);
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_FLOAT}, .f = 1.5}, "\0\0\xc0\x3f",
                 4);
    assert_bound(pool, &(stoa_value){.type = {.kind = STOA_TYPE_DOUBLE}, .f = -0.5},
                 "\0\0\0\0\0\0\xe0\xbf", 8);
    stoa_type decimal = {.kind = STOA_TYPE_DECIMAL, .precision = 38, .scale = 2};
    assert_bound(pool, &(stoa_value){.type = decimal, .decimal = 1420}, "\x05\x8c", 2);
    assert_bound(pool, &(stoa_value){.type = decimal, .decimal = 0}, "\0", 1);
    assert_bound(pool, &(stoa_value){.type = decimal, .decimal = 128}, "\0\x80", 2);
    assert_bound(pool, &(stoa_value){.type = decimal, .decimal = -128}, "\x80", 1);
    assert_bound(pool, &(stoa_value){.type = decimal, .decimal = -129}, "\xff\x7f", 2);
    stoa_type text = {.kind = STOA_TYPE_STRING};
    assert_bound(pool, &(stoa_value){.type = text, .bytes = (const uint8_t *)"é", .size = 2}, "é",
                 2);
    assert_bound(pool, &(stoa_value){.type = text, .bytes = (const uint8_t *)"", .size = 0}, "", 0);
}

static void bytes_of_another_size_are_no_bound(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_arena arena;
    const stoa_value *value = NULL;
    stoa_arena_init(&arena, world->pool);
    ok(stoa_bound_read(&arena, &(stoa_type){.kind = STOA_TYPE_LONG}, "\1\2\3", 3, &value, &err));
    assert_null(value);
    stoa_type decimal = {.kind = STOA_TYPE_DECIMAL, .precision = 9};
    ok(stoa_bound_read(&arena, &decimal, "12345678901234567", 17, &value, &err));
    assert_null(value);
    ok(stoa_bound_read(&arena, &decimal, "", 0, &value, &err));
    assert_null(value);
    stoa_arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_that_cannot_match_are_skipped),       TEST(staged_files_are_skipped_too),
        TEST(an_exact_predicate_gives_exactly_its_rows), TEST(a_parquet_split_names_its_file),
        TEST(a_commit_that_cannot_get_the_lock_says_so), TEST(bounds_are_icebergs_single_values),
        TEST(bytes_of_another_size_are_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
