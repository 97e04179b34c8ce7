/* Columns of state tables that change: the store says so first and the catalog after it, so that plans,
 * sinks, handles and other processes see the old columns or the new ones, also where the catalog is
 * behind. */
#include <stoa/state.h>

#include "lsm/store.h"
#include "table/state_home.h"
#include "table_world.h"

static const stoa_state_table_options by_id = {.key = "id"};
static const stoa_state_alteration add_score = {STOA_STATE_ADD_COLUMN, NULL, "score double"};
static const stoa_state_alteration rename_name = {STOA_STATE_RENAME_COLUMN, "name", "title"};

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

/* A table "t" with rows 0 to 9. */
static void make_table(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    const stoa_sink_options options = {.mode = STOA_CREATE,
                                       .kind = "state",
                                       .schema = world->schema,
                                       .state = &by_id};
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 10, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
}

/* The columns as the database says, and as plans give them. */
static void check_columns(table_world *world, const char *expected) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema = NULL;
    stoa_plan *plan = NULL;
    char text[256];
    ok(stoa_table_schema(world->db, "t", &schema, &err));
    (void)stoa_schema_print(schema, text, sizeof text);
    assert_string_equal(text, expected);
    stoa_schema_close(schema);
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    (void)stoa_schema_print(stoa_plan_schema(plan), text, sizeof text);
    assert_string_equal(text, expected);
    stoa_plan_close(plan);
}

/* What the catalog says, whatever the store does. */
static int32_t catalog_version(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_view *view = NULL;
    ok(stoa_database_pin(world->db, &view, &err));
    const int32_t version = view->entries[0]->schema->schema_id;
    stoa_database_unpin(world->db, view);
    return version;
}

/* The store's part of an alteration, as a process leaves it that ends right behind it. */
static void alter_store_only(table_world *world, const stoa_state_alteration *alteration) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_store *store = NULL;
    stoa_view *view = NULL;
    ok(stoa_database_pin(world->db, &view, &err));
    ok(stoa_state_home_write(world->db, &store, &err));
    ok(stoa_store_alter_table(store, view->entries[0]->id, alteration, 1, &err));
    stoa_database_unpin(world->db, view);
}

static void open_read_only(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    stoa_database_close(world->db);
    options.read_only = true;
    options.parent_pool = world->pool;
    ok(stoa_database_open(world->path, &options, &world->db, &err));
}

static stoa_status append(table_world *world, const char *table, int64_t first, stoa_error *err) {
    stoa_sink *sink = NULL;
    const stoa_sink_options options = {.mode = STOA_APPEND};
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    struct ArrowSchema arrow = {0};
    struct ArrowArray batch = {0};
    stoa_builder *builder = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_arrow(world->pool, stoa_sink_schema(sink), &arrow, err));
    STOA_CHECK(stoa_builder_create(world->pool, &arrow, &builder, err));
    STOA_CHECK(stoa_builder_append_i64(stoa_builder_child(builder, 0), first, err));
    for (int64_t i = 1; i < arrow.n_children; i++) {
        STOA_CHECK(stoa_builder_append_null(stoa_builder_child(builder, (int32_t)i), err));
    }
    STOA_CHECK(stoa_builder_finish_value(builder, err));
    STOA_CHECK(stoa_builder_finish(builder, &batch, err));
    STOA_CHECK(stoa_sink_write(sink, &arrow, &batch, err));
    STOA_CHECK(stoa_sink_commit(sink, NULL, err));

done:
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&arrow);
    stoa_sink_close(sink);
    return status;
}

static void columns_change_for_all_that_look(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    const stoa_state_alteration both[] = {add_score, rename_name};
    make_table(world);
    ok(stoa_state_alter(world->db, "T", both, 2, &err));
    check_columns(world, "id long not null, title string, score double");
    assert_int_equal(catalog_version(world), 1);
    table_assert_range(world, NULL, "t", 0, 10);
    ok(append(world, "t", 10, &err));
    ok(stoa_state_open(world->db, "t", &table, &err));
    const stoa_cell row[] = {{.i = 11}, {.bytes = "n11", .size = 3}, {.f = 0.5}};
    ok(stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, &err));
    stoa_state_close(table);
    if (world->path[0] != ':') {
        table_world_reopen(world);
        check_columns(world, "id long not null, title string, score double");
    }
    ok(stoa_table_rename(world->db, "t", "u", &err));
    ok(stoa_state_alter(world->db, "u", &(stoa_state_alteration){STOA_STATE_DROP_COLUMN, "title", NULL},
                        1, &err));
    ok(append(world, "u", 12, &err));
}

static void a_catalog_that_is_behind_is_corrected(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    make_table(world);
    alter_store_only(world, &rename_name);
    alter_store_only(world, &add_score);
    assert_int_equal(catalog_version(world), 0);
    check_columns(world, "id long not null, title string, score double");
    table_assert_range(world, NULL, "t", 0, 10);

    open_read_only(world); /* who only reads goes by the store */
    check_columns(world, "id long not null, title string, score double");
    table_assert_range(world, NULL, "t", 0, 10);
    ok(stoa_state_open(world->db, "t", &table, &err));
    assert_int_equal(stoa_state_schema(table)->root.child_count, 3);
    stoa_state_close(table);
    assert_int_equal(catalog_version(world), 0);

    table_world_reopen(world); /* and who writes says so in the catalog */
    ok(stoa_state_open(world->db, "t", &table, &err));
    stoa_state_close(table);
    assert_int_equal(catalog_version(world), 2);
    ok(append(world, "t", 10, &err));
    ok(stoa_state_alter(world->db, "t", &(stoa_state_alteration){STOA_STATE_DROP_COLUMN, "title", NULL},
                        1, &err));
    assert_int_equal(catalog_version(world), 3);
}

static void what_was_staged_for_other_columns_conflicts(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    make_table(world);
    ok(stoa_sink_open(world->db, "t", NULL, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 10, 5, &err));
    ok(stoa_state_alter(world->db, "t", &add_score, 1, &err));
    assert_int_equal(stoa_sink_commit(sink, NULL, &err), STOA_CONFLICT);
    stoa_sink_close(sink);
    table_assert_range(world, NULL, "t", 0, 10);
    ok(append(world, "t", 10, &err));
}

/* Many rows become files while they come, by the columns that there are then. */
static void files_of_other_columns_conflict(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    const stoa_state_options small = {.memtable_bytes = 128 << 10};
    ok(stoa_state_configure(world->db, &small, &err));
    make_table(world);
    ok(stoa_sink_open(world->db, "t", NULL, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 10, 10, &err));
    ok(stoa_state_alter(world->db, "t", &add_score, 1, &err));
    stoa_status status = table_write_rows(sink, world->pool, &world->arrow, 100, 20000, &err);
    assert_int_equal(status, STOA_CONFLICT);
    stoa_sink_close(sink);
    ok(stoa_sink_open(world->db, "t", NULL, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 10, 20000, &err));
    ok(stoa_state_alter(world->db, "t", &rename_name, 1, &err));
    assert_int_equal(stoa_sink_commit(sink, NULL, &err), STOA_CONFLICT);
    stoa_sink_close(sink);
    table_assert_range(world, NULL, "t", 0, 10);
}

static void a_transaction_goes_on_with_its_moment(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    const stoa_schema *schema = NULL;
    make_table(world);
    ok(stoa_transaction_begin(world->db, &transaction, &err));
    table_assert_range(world, transaction, "t", 0, 10);
    ok(stoa_state_alter(world->db, "t", &rename_name, 1, &err));
    ok(append(world, "t", 10, &err));
    table_assert_range(world, transaction, "t", 0, 10);
    ok(stoa_table_find(world->db, transaction, "t", &schema, NULL, NULL, &err));
    assert_string_equal(schema->root.children[1].name, "name");
    stoa_schema_close(schema);
    stoa_transaction_close(transaction);
    check_columns(world, "id long not null, title string");
}

/* Another opening of the same directory stands for another process. */
static void readers_beside_take_it_up(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    table_world reader = *world;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.read_only = true;
    options.parent_pool = world->pool;
    make_table(world);
    ok(stoa_database_open(world->path, &options, &reader.db, &err));
    check_columns(&reader, "id long not null, name string");
    ok(stoa_state_alter(world->db, "t", &rename_name, 1, &err));
    check_columns(&reader, "id long not null, title string");
    alter_store_only(world, &add_score); /* the catalog is behind for a moment */
    check_columns(&reader, "id long not null, title string, score double");
    table_assert_range(&reader, NULL, "t", 0, 10);
    assert_int_equal(stoa_state_alter(reader.db, "t", &add_score, 1, &err), STOA_INVALID);
    stoa_database_close(reader.db);
}

static void what_cannot_be_altered_is_said(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    make_table(world);
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 10, &err));
    assert_fails(stoa_state_alter(world->db, "x", &add_score, 1, &err), STOA_NOT_FOUND, "'x'", err);
    assert_fails(stoa_state_alter(world->db, "p", &add_score, 1, &err), STOA_INVALID, "not 'state'",
                 err);
    assert_fails(stoa_state_alter(world->db, "t", &add_score, 0, &err), STOA_INVALID,
                 "one alteration", err);
    assert_fails(
        stoa_state_alter(world->db, "t",
                         &(stoa_state_alteration){STOA_STATE_DROP_COLUMN, "id", NULL}, 1, &err),
        STOA_INVALID, "table 't'", err);
    check_columns(world, "id long not null, name string");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(columns_change_for_all_that_look),
        cmocka_unit_test_setup_teardown(columns_change_for_all_that_look, begin_in_memory, end),
        TEST(a_catalog_that_is_behind_is_corrected),
        TEST(what_was_staged_for_other_columns_conflicts),
        TEST(files_of_other_columns_conflict),
        TEST(a_transaction_goes_on_with_its_moment),
        TEST(readers_beside_take_it_up),
        TEST(what_cannot_be_altered_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
