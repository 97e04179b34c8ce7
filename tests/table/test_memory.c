/* Tables of kind memory, in a database without a directory. */
#include "table_world.h"

static int begin(void **state) {
    static table_world world;
    table_world_init(&world, true);
    *state = &world;
    return 0;
}
static int end(void **state) {
    table_world_end(*state);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void rows_that_are_written_are_read(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 1000, &err));
    table_assert_range(world, NULL, "T", 0, 1000);
    ok(table_load(world, NULL, "t", STOA_APPEND, 1000, 5, &err));
    table_assert_range(world, NULL, "t", 0, 1005);
    ok(table_load(world, NULL, "t", STOA_OVERWRITE, 7, 3, &err));
    table_assert_range(world, NULL, "t", 7, 3);
}

static void an_empty_table_has_a_schema_and_no_splits(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    ok(stoa_table_create(world->db, "empty", NULL, world->schema, &err));
    ok(stoa_table_schema(world->db, "empty", &schema, &err));
    assert_true(stoa_type_equal(&schema->root, &world->schema->root, true));
    stoa_schema_close(schema);
    assert_int_equal(table_sum(world, NULL, "empty", 0).splits, 0);
    ok(table_load(world, NULL, "empty", STOA_APPEND, 0, 0, &err));
    assert_int_equal(table_rows(world, NULL, "empty", 0), 0);
}

static void nothing_is_visible_before_the_commit(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_CREATE, .schema = world->schema};
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 10, &err));
    assert_false(stoa_table_exists(world->db, NULL, "t"));
    stoa_sink_close(sink);
    assert_false(stoa_table_exists(world->db, NULL, "t"));
}

static void large_batches_become_splits_that_threads_can_share(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 300000, &err));
    table_sums sums = table_sum(world, NULL, "t", 0);
    assert_int_equal(sums.splits, 3);
    assert_int_equal(sums.count, 300000);
    assert_int_equal(sums.sum, table_range_sum(0, 300000));
}

static void small_appends_are_gathered(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_table_create(world->db, "t", NULL, world->schema, &err));
    for (int i = 0; i < 1000; i++) {
        ok(table_load(world, NULL, "t", STOA_APPEND, i, 1, &err));
        if (i % 100 == 50) {
            int64_t now = INT64_MAX;
            ok(stoa_table_expire(world->db, "t", now, NULL, &err));
        }
    }
    table_sums sums = table_sum(world, NULL, "t", 0);
    assert_int_equal(sums.count, 1000);
    assert_int_equal(sums.sum, table_range_sum(0, 1000));
    assert_true(sums.splits <= 10);
}

static void a_plan_keeps_its_snapshot(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    ok(table_load(world, NULL, "t", STOA_OVERWRITE, 100, 10, &err));
    ok(stoa_table_drop(world->db, "t", &err));
    table_sums sums = table_sum_plan(plan);
    assert_int_equal(sums.sum, table_range_sum(0, 10));
    int64_t count = 0;
    const struct ArrowArray *const *batches = stoa_plan_memory_batches(plan, 0, &count);
    assert_int_equal(count, 1);
    assert_int_equal(batches[0]->length, 10);
    stoa_plan_close(plan);
}

static void a_stream_outlives_its_plan(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    ok(stoa_plan_open(plan, 0, NULL, &stream, &err));
    stoa_plan_close(plan);
    ok(stoa_stream_next(&stream, &batch, &err));
    stoa_arrow_stream_release(&stream);
    ok(stoa_table_drop(world->db, "t", &err));
    assert_int_equal(batch.length, 10);
    stoa_arrow_array_release(&batch);
}

static void columns_are_chosen_by_id(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    int32_t ids[] = {world->schema->root.children[1].id};
    stoa_scan_request request = {.column_ids = ids, .column_count = 1, .limit = -1};
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_plan(world->db, NULL, "t", &request, NULL, &plan, &err));
    assert_int_equal(stoa_plan_schema(plan)->root.child_count, 1);
    assert_string_equal(stoa_plan_schema(plan)->root.children[0].name, "name");
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    ok(stoa_plan_open(plan, 0, NULL, &stream, &err));
    ok(stoa_stream_next(&stream, &batch, &err));
    assert_int_equal(batch.n_children, 1);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    stoa_plan_close(plan);
    ids[0] = 77;
    assert_fails(stoa_table_plan(world->db, NULL, "t", &request, NULL, &plan, &err), STOA_NOT_FOUND,
                 "no column with id 77", err);
}

struct snapshot_list {
    stoa_snapshot_info items[8];
    int count;
};
static stoa_status note(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    struct snapshot_list *list = user;
    (void)err;
    list->items[list->count++] = *info;
    return STOA_OK;
}

static void earlier_snapshots_are_read_until_they_expire(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    struct snapshot_list list = {.count = 0};
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "t", STOA_APPEND, 10, 10, &err));
    ok(table_load(world, NULL, "t", STOA_OVERWRITE, 50, 1, &err));
    ok(stoa_table_snapshots(world->db, "t", note, &list, &err));
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[1].operation, "append");
    assert_string_equal(list.items[2].operation, "overwrite");
    assert_true(list.items[2].current && !list.items[1].current);
    assert_int_equal(list.items[2].parent_id, list.items[1].snapshot_id);
    assert_int_equal(table_sum(world, NULL, "t", list.items[0].snapshot_id).count, 10);
    assert_int_equal(table_sum(world, NULL, "t", list.items[1].snapshot_id).count, 20);
    ok(stoa_table_expire(world->db, "t", INT64_MAX, NULL, &err));
    int64_t first = list.items[0].snapshot_id;
    list.count = 0;
    ok(stoa_table_snapshots(world->db, "t", note, &list, &err));
    assert_int_equal(list.count, 1);
    stoa_plan *plan = NULL;
    stoa_scan_request request = {.limit = -1, .snapshot_id = first};
    assert_fails(stoa_table_plan(world->db, NULL, "t", &request, NULL, &plan, &err), STOA_NOT_FOUND,
                 "no snapshot", err);
}

static void a_rewrite_replaces_the_splits_it_names(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_sink *sink = NULL;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 200000, &err));
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    assert_int_equal(stoa_plan_split_count(plan), 2);
    ok(stoa_sink_open_rewrite(plan, NULL, &(int32_t){1}, 1, "delete", NULL, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 122880, 20, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    table_assert_range(world, NULL, "t", 0, 122900);
    /* The same rewrite again names a part that is gone. */
    ok(stoa_sink_open_rewrite(plan, NULL, &(int32_t){1}, 1, "update", NULL, &sink, &err));
    assert_fails(stoa_sink_commit(sink, NULL, &err), STOA_CONFLICT, "changed by somebody else",
                 err);
    stoa_sink_close(sink);
    assert_fails(stoa_sink_open_rewrite(plan, NULL, NULL, 0, "eat", NULL, &sink, &err),
                 STOA_INVALID, "expected an operation", err);
    stoa_plan_close(plan);
    table_assert_range(world, NULL, "t", 0, 122900);
}

static void small_appends_do_not_disturb_a_rewrite(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_sink *sink = NULL;
    ok(table_load(world, NULL, "t", STOA_CREATE, 100, 5, &err));
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    ok(stoa_sink_open_rewrite(plan, NULL, &(int32_t){0}, 1, "delete", NULL, &sink, &err));
    for (int i = 0; i < 20; i++) {
        ok(table_load(world, NULL, "t", STOA_APPEND, i * 10, 10, &err));
    }
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    stoa_plan_close(plan);
    table_assert_range(world, NULL, "t", 0, 200);
    assert_int_equal(table_sum(world, NULL, "t", 0).splits, 20);
    ok(table_load(world, NULL, "t", STOA_APPEND, 200, 10, &err)); /* nobody reads: merged now */
    table_assert_range(world, NULL, "t", 0, 210);
    assert_int_equal(table_sum(world, NULL, "t", 0).splits, 1);
}

static void a_wrong_batch_is_rejected_and_the_sink_goes_on(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    struct ArrowArray batch = {0};
    const stoa_schema *other = NULL;
    struct ArrowSchema arrow = {0};
    ok(stoa_table_create(world->db, "t", "memory", world->schema, &err));
    ok(stoa_schema_parse(world->pool, "id string, name string", &other, &err));
    ok(stoa_schema_to_arrow(world->pool, other, &arrow, &err));
    ok(stoa_sink_open(world->db, "t", NULL, &sink, &err));
    stoa_builder *builder = NULL;
    ok(stoa_builder_create(world->pool, &arrow, &builder, &err));
    ok(stoa_builder_append_null(builder, &err));
    ok(stoa_builder_finish(builder, &batch, &err));
    stoa_builder_close(builder);
    assert_fails(stoa_sink_write(sink, &arrow, &batch, &err), STOA_INVALID, "id", err);
    assert_null(batch.release);
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 4, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    assert_fails(stoa_sink_commit(sink, NULL, &err), STOA_INVALID, "committed already", err);
    stoa_sink_close(sink);
    table_assert_range(world, NULL, "t", 0, 4);
    stoa_arrow_schema_release(&arrow);
    stoa_schema_close(other);
}

static void memory_of_a_table_is_charged_and_given_back(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    size_t before = stoa_pool_used(stoa_database_pool(world->db));
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 100000, &err));
    size_t with = stoa_pool_used(stoa_database_pool(world->db));
    assert_true(with - before > 100000 * 16 && with - before < 100000 * 40);
    ok(stoa_table_drop(world->db, "t", &err));
    assert_int_equal(table_load(world, NULL, "t", STOA_CREATE, 0, 1, &err), STOA_OK);
    assert_true(stoa_pool_used(stoa_database_pool(world->db)) < before + 100000);
}

static void several_writers_make_one_commit(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_writer *writers[3];
    ok(stoa_table_create(world->db, "t", NULL, world->schema, &err));
    ok(stoa_sink_open(world->db, "t", NULL, &sink, &err));
    for (int i = 0; i < 3; i++) {
        struct ArrowArray batch = {0};
        ok(stoa_sink_writer_open(sink, &writers[i], &err));
        ok(table_make_batch(world->pool, &world->arrow, i * 10, 10, &batch, &err));
        ok(stoa_sink_writer_write(writers[i], &world->arrow, &batch, &err));
    }
    assert_fails(stoa_sink_commit(sink, NULL, &err), STOA_INVALID, "still open", err);
    for (int i = 2; i >= 0; i--) {
        ok(stoa_sink_writer_finish(writers[i], &err));
        stoa_sink_writer_close(writers[i]);
    }
    int64_t rows = 0;
    ok(stoa_sink_commit(sink, &rows, &err));
    assert_int_equal(rows, 30);
    stoa_sink_close(sink);
    table_assert_range(world, NULL, "t", 0, 30);
}

static void kinds_that_are_not_there_are_named(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    static const char *const names[] = {"iceberg", "duckdb", "x'"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_fails(stoa_table_create(world->db, "t", names[i], world->schema, &err),
                     STOA_UNSUPPORTED, names[i], err);
    }
    assert_fails(stoa_table_create(world->db, "t", "parquet", world->schema, &err),
                 STOA_UNSUPPORTED, "need a directory", err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(rows_that_are_written_are_read),
        TEST(an_empty_table_has_a_schema_and_no_splits),
        TEST(nothing_is_visible_before_the_commit),
        TEST(large_batches_become_splits_that_threads_can_share),
        TEST(small_appends_are_gathered),
        TEST(a_plan_keeps_its_snapshot),
        TEST(a_stream_outlives_its_plan),
        TEST(columns_are_chosen_by_id),
        TEST(earlier_snapshots_are_read_until_they_expire),
        TEST(a_rewrite_replaces_the_splits_it_names),
        TEST(small_appends_do_not_disturb_a_rewrite),
        TEST(a_wrong_batch_is_rejected_and_the_sink_goes_on),
        TEST(memory_of_a_table_is_charged_and_given_back),
        TEST(several_writers_make_one_commit),
        TEST(kinds_that_are_not_there_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
