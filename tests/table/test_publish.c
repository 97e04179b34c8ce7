/* State tables published as snapshots of Parquet tables: all of one moment, or the target as it was. */
#include <stoa/state.h>

#include "table_world.h"

static const stoa_state_table_options by_id = {.key = "id"};

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static stoa_status put_rows(table_world *world, const char *table, int64_t first, int64_t count,
                            stoa_error *err) {
    const stoa_sink_options options = {.mode = STOA_UPSERT};
    stoa_sink *sink = NULL;
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    stoa_status status = table_write_rows(sink, world->pool, &world->arrow, first, count, err);
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

static void make_state(table_world *world, int64_t first, int64_t count) {
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_state_create(world->db, "s", world->schema, &by_id, &err));
    ok(put_rows(world, "s", first, count, &err));
}

struct snapshots {
    int count;
    int64_t first_id;
};

static stoa_status note_snapshot(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    struct snapshots *found = user;
    (void)err;
    found->first_id = found->count == 0 ? info->snapshot_id : found->first_id;
    found->count++;
    return STOA_OK;
}

static struct snapshots list_snapshots(table_world *world, const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    struct snapshots found = {0};
    ok(stoa_table_snapshots(world->db, table, note_snapshot, &found, &err));
    return found;
}

static void each_time_is_a_snapshot(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_table_info info = {0};
    int64_t rows = -1;
    make_state(world, 10, 100);
    ok(stoa_state_publish(world->db, "s", "p", NULL, &rows, &err));
    assert_int_equal(rows, 100);
    ok(stoa_table_find(world->db, NULL, "p", NULL, NULL, &info, &err));
    assert_string_equal(info.kind, "parquet");
    stoa_table_info_release(world->db, &info);
    ok(put_rows(world, "s", 50, 200, &err));
    table_assert_range(world, NULL, "p", 10, 100);
    ok(stoa_state_publish(world->db, "S", "P", NULL, NULL, &err));
    table_assert_range(world, NULL, "p", 10, 240);
    const struct snapshots found = list_snapshots(world, "p");
    assert_int_equal(found.count, 2);
    assert_int_equal(table_sum(world, NULL, "p", found.first_id).count, 100);
    table_world_reopen(world);
    table_assert_range(world, NULL, "p", 10, 240);
    table_assert_range(world, NULL, "s", 10, 240);
    ok(stoa_database_verify(world->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

static void nothing_is_published_too(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    int64_t rows = -1;
    ok(stoa_state_create(world->db, "s", world->schema, &by_id, &err));
    ok(stoa_state_publish(world->db, "s", "p", NULL, &rows, &err));
    assert_int_equal(rows, 0);
    table_assert_range(world, NULL, "p", 0, 0);
    ok(table_load(world, NULL, "p", STOA_APPEND, 0, 10, &err));
    ok(stoa_state_publish(world->db, "s", "p", NULL, &rows, &err));
    table_assert_range(world, NULL, "p", 0, 0);
}

/* Deleted rows are not there, those of all splits are, and files have them in the order of their keys. */
static void many_rows_come_in_order(void **state) {
    enum { MANY = 400000 };
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    struct ArrowArrayStream stream = {0};
    int64_t next = 1000;
    make_state(world, MANY / 2, MANY / 2);
    ok(put_rows(world, "s", 0, MANY / 2, &err));
    ok(stoa_state_open(world->db, "s", &table, &err));
    ok(stoa_state_flush(table, &err));
    ok(stoa_state_delete_range(table, NULL, 0, &(stoa_cell){.i = 1000}, 1, STOA_DURABILITY_DEFAULT,
                               &err));
    stoa_state_close(table);
    ok(stoa_state_publish(world->db, "s", "p", NULL, NULL, &err));
    ok(stoa_scan(world->db, "p", NULL, &stream, &err));
    for (;;) {
        struct ArrowArray batch = {0};
        ok(stoa_stream_next(&stream, &batch, &err));
        if (batch.release == NULL) {
            break;
        }
        const struct ArrowArray *ids = batch.children[0];
        const int64_t *values = (const int64_t *)ids->buffers[1] + ids->offset + batch.offset;
        for (int64_t i = 0; i < batch.length; i++) {
            assert_int_equal(values[i], next++);
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    assert_int_equal(next, MANY);
}

static void columns_of_the_target_are_replaced(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *other = NULL, *found = NULL;
    make_state(world, 0, 5);
    ok(stoa_schema_parse(world->pool, "total double, id int", &other, &err));
    ok(stoa_table_create(world->db, "p", "parquet", other, &err));
    ok(stoa_state_publish(world->db, "s", "p", NULL, NULL, &err));
    ok(stoa_table_schema(world->db, "p", &found, &err));
    assert_true(stoa_type_equal(&found->root, &world->schema->root, false));
    table_assert_range(world, NULL, "p", 0, 5);
    stoa_schema_close(found);
    stoa_schema_close(other);
}

static void expect_failure(table_world *world, const char *table, const char *target,
                           stoa_status status, const char *says) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t rows = -1;
    assert_int_equal(stoa_state_publish(world->db, table, target, NULL, &rows, &err), status);
    assert_non_null(strstr(err.message, says));
    assert_int_equal(rows, -1);
}

static void other_kinds_are_refused(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    make_state(world, 0, 10);
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 20, &err));
    ok(stoa_table_create(world->db, "m", "memory", world->schema, &err));
    expect_failure(world, "none", "p", STOA_NOT_FOUND, "'none'");
    expect_failure(world, "p", "q", STOA_INVALID, "'parquet', not 'state'");
    expect_failure(world, "s", "s", STOA_INVALID, "'state', not 'parquet'");
    expect_failure(world, "s", "m", STOA_INVALID, "'memory', not 'parquet'");
    expect_failure(world, "s", "", STOA_INVALID, "name");
    assert_false(stoa_table_exists(world->db, NULL, "q"));
    table_assert_range(world, NULL, "s", 0, 10);
    table_assert_range(world, NULL, "p", 0, 20);
}

static void a_database_in_memory_has_no_files(void **state) {
    make_state(*state, 0, 10);
    expect_failure(*state, "s", "p", STOA_UNSUPPORTED, "parquet");
}

static void partitions_stay_or_it_is_refused(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    const stoa_schema *other = NULL;
    make_state(world, 0, 40);
    stoa_sink_options options = {.mode = STOA_CREATE,
                                 .schema = world->schema,
                                 .partition = "bucket(4, id)"};
    ok(stoa_sink_open(world->db, "p", &options, &sink, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    ok(stoa_state_publish(world->db, "s", "p", NULL, NULL, &err));
    table_assert_range(world, NULL, "p", 0, 40);
    assert_int_equal(table_sum(world, NULL, "p", 0).splits, 4);

    ok(stoa_schema_parse(world->pool, "day date, n int", &other, &err));
    options.schema = other;
    options.partition = "day";
    ok(stoa_sink_open(world->db, "q", &options, &sink, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    expect_failure(world, "s", "q", STOA_INVALID, "day");
    stoa_schema_close(other);
}

/* Cancelled while rows are copied: what was written of them goes away. */
static void stop(void *user, const stoa_progress *progress) {
    assert_string_equal(progress->unit, "rows");
    assert_true(progress->done > 0);
    stoa_cancel_trigger(user);
}

static void a_publication_that_is_cancelled_changes_nothing(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_cancel *cancel = NULL;
    make_state(world, 0, 300000);
    ok(table_load(world, NULL, "p", STOA_CREATE, 7, 20, &err));
    ok(stoa_cancel_create(NULL, &cancel, &err));
    const stoa_context context = {.cancel = cancel, .progress = stop, .progress_user = cancel};
    assert_int_equal(stoa_state_publish(world->db, "s", "p", &context, NULL, &err), STOA_CANCELLED);
    assert_int_equal(stoa_state_publish(world->db, "s", "q", &context, NULL, &err), STOA_CANCELLED);
    stoa_cancel_close(cancel);
    table_assert_range(world, NULL, "p", 7, 20);
    assert_false(stoa_table_exists(world->db, NULL, "q"));
    assert_int_equal(list_snapshots(world, "p").count, 1);
    ok(stoa_state_publish(world->db, "s", "p", NULL, NULL, &err));
    table_assert_range(world, NULL, "p", 0, 300000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_time_is_a_snapshot),
        TEST(nothing_is_published_too),
        TEST(many_rows_come_in_order),
        TEST(columns_of_the_target_are_replaced),
        TEST(other_kinds_are_refused),
        TEST(partitions_stay_or_it_is_refused),
        TEST(a_publication_that_is_cancelled_changes_nothing),
        cmocka_unit_test_setup_teardown(a_database_in_memory_has_no_files, begin_in_memory, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
