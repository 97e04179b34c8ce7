/* Transactions: one view, several tables, all or nothing, and who wins. Every test runs over both
 * kinds of tables. */
#include "table_world.h"

struct kind_world {
    table_world world;
    const char *kind;
};

static int begin_memory(void **state) {
    static struct kind_world world;
    table_world_init(&world.world, true);
    world.kind = "memory";
    *state = &world;
    return 0;
}
static int begin_parquet(void **state) {
    static struct kind_world world;
    table_world_init(&world.world, false);
    world.kind = "parquet";
    *state = &world;
    return 0;
}
static int end(void **state) {
    struct kind_world *world = *state;
    table_world_end(&world->world);
    return 0;
}
#define BOTH(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, begin_memory, end),                                      \
        cmocka_unit_test_setup_teardown(name, begin_parquet, end)

static stoa_transaction *begin_transaction(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    ok(stoa_transaction_begin(world->db, &transaction, &err));
    return transaction;
}

static void a_transaction_sees_its_own_writes_and_nobody_else(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(table_load(world, transaction, "a", STOA_APPEND, 10, 5, &err));
    ok(table_load(world, transaction, "b", STOA_CREATE, 0, 3, &err));
    ok(table_load(world, transaction, "b", STOA_APPEND, 3, 3, &err));
    assert_int_equal(table_rows(world, transaction, "a", 0), 15);
    assert_int_equal(table_rows(world, transaction, "b", 0), 6);
    assert_int_equal(table_rows(world, NULL, "a", 0), 10);
    assert_false(stoa_table_exists(world->db, NULL, "b"));
    stoa_table_info info;
    ok(stoa_table_find(world->db, transaction, "a", NULL, NULL, &info, &err));
    assert_int_equal(info.row_count, 15);
    stoa_table_info_release(world->db, &info);
    ok(stoa_transaction_commit(transaction, &err));
    assert_fails(stoa_transaction_commit(transaction, &err), STOA_INVALID, "over", err);
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 15);
    assert_int_equal(table_rows(world, NULL, "b", 0), 6);
}

static void what_is_not_committed_never_happened(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_create(world->db, "c", NULL, world->schema, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(table_load(world, transaction, "a", STOA_OVERWRITE, 10, 5, &err));
    ok(table_load(world, transaction, "b", STOA_CREATE, 0, 3, &err));
    ok(stoa_table_drop_in(world->db, transaction, "c", &err));
    assert_false(stoa_table_exists(world->db, transaction, "c"));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 10);
    assert_false(stoa_table_exists(world->db, NULL, "b"));
    assert_true(stoa_table_exists(world->db, NULL, "c"));
}

static void the_view_stays_still(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    stoa_transaction *transaction = begin_transaction(world);
    assert_int_equal(table_rows(world, transaction, "a", 0), 10);
    ok(table_load(world, NULL, "a", STOA_APPEND, 10, 10, &err));
    ok(table_load(world, NULL, "b", STOA_CREATE, 0, 1, &err));
    assert_int_equal(table_rows(world, transaction, "a", 0), 10);
    assert_false(stoa_table_exists(world->db, transaction, "b"));
    ok(stoa_table_drop(world->db, "a", &err));
    assert_int_equal(table_rows(world, transaction, "a", 0), 10);
    stoa_transaction_close(transaction);
}

static void appends_of_others_are_no_conflict(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(table_load(world, transaction, "a", STOA_APPEND, 10, 5, &err));
    ok(table_load(world, NULL, "a", STOA_APPEND, 15, 5, &err));
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 20);
}

typedef stoa_status (*write_function)(table_world *world, stoa_transaction *transaction,
                                      stoa_error *err);
static stoa_status overwrite(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return table_load(world, transaction, "a", STOA_OVERWRITE, 0, 1, err);
}
static stoa_status append(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return table_load(world, transaction, "a", STOA_APPEND, 0, 1, err);
}
static stoa_status drop(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return stoa_table_drop_in(world->db, transaction, "a", err);
}
static stoa_status rename_it(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return stoa_table_rename_in(world->db, transaction, "a", "z", err);
}
static stoa_status create_b(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return table_load(world, transaction, "b", STOA_CREATE, 0, 1, err);
}
static stoa_status rename_to_b(table_world *world, stoa_transaction *transaction, stoa_error *err) {
    return stoa_table_rename_in(world->db, transaction, "a", "b", err);
}

static void who_comes_second_is_told(void **state) {
    table_world *world = *state;
    struct {
        write_function mine, theirs;
        stoa_status status;
    } const cases[] = {
        {overwrite, append, STOA_CONFLICT},   {overwrite, overwrite, STOA_CONFLICT},
        {append, drop, STOA_CONFLICT},        {append, rename_it, STOA_CONFLICT},
        {drop, append, STOA_CONFLICT},        {drop, drop, STOA_CONFLICT},
        {rename_it, drop, STOA_CONFLICT},     {rename_it, append, STOA_OK},
        {append, overwrite, STOA_OK},         {create_b, create_b, STOA_EXISTS},
        {rename_to_b, create_b, STOA_EXISTS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_error err = STOA_ERROR_NONE;
        ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
        stoa_transaction *transaction = begin_transaction(world);
        ok(table_load(world, transaction, "other", STOA_CREATE, 0, 1, &err));
        ok(cases[i].mine(world, transaction, &err));
        ok(cases[i].theirs(world, NULL, &err));
        stoa_status status = stoa_transaction_commit(transaction, &err);
        if (status != cases[i].status) {
            fail_msg("case %zu: %s: %s", i, stoa_status_name(status), err.message);
        }
        stoa_transaction_close(transaction);
        assert_int_equal(stoa_table_exists(world->db, NULL, "other"), status == STOA_OK);
        static const char *const names[] = {"a", "b", "z", "other"};
        for (size_t k = 0; k < 4; k++) {
            if (stoa_table_exists(world->db, NULL, names[k])) {
                ok(stoa_table_drop(world->db, names[k], &err));
            }
        }
    }
}

static void several_statements_on_one_table_make_one_snapshot(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_table_info info;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(table_load(world, transaction, "a", STOA_APPEND, 10, 10, &err));
    ok(table_load(world, transaction, "a", STOA_OVERWRITE, 0, 4, &err));
    ok(table_load(world, transaction, "a", STOA_APPEND, 4, 3, &err));
    assert_int_equal(table_rows(world, transaction, "a", 0), 7);
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    ok(stoa_table_find(world->db, NULL, "a", NULL, NULL, &info, &err));
    assert_int_equal(info.row_count, 7);
    assert_int_equal(info.snapshot_id, 2);
    stoa_table_info_release(world->db, &info);
}

static void names_can_be_exchanged_and_used_again(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 1, &err));
    ok(table_load(world, NULL, "b", STOA_CREATE, 0, 2, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(stoa_table_rename_in(world->db, transaction, "a", "tmp", &err));
    ok(stoa_table_rename_in(world->db, transaction, "b", "a", &err));
    ok(stoa_table_rename_in(world->db, transaction, "tmp", "b", &err));
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 2);
    assert_int_equal(table_rows(world, NULL, "b", 0), 1);
    transaction = begin_transaction(world);
    ok(stoa_table_drop_in(world->db, transaction, "a", &err));
    ok(table_load(world, transaction, "a", STOA_CREATE, 0, 9, &err));
    assert_int_equal(table_rows(world, transaction, "a", 0), 9);
    ok(table_load(world, transaction, "x", STOA_CREATE, 0, 9, &err));
    ok(stoa_table_drop_in(world->db, transaction, "x", &err));
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 9);
    assert_false(stoa_table_exists(world->db, NULL, "x"));
}

static void a_rewrite_in_a_transaction_covers_staged_parts_too(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    stoa_sink *sink = NULL;
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 130000, &err));
    stoa_transaction *transaction = begin_transaction(world);
    ok(table_load(world, transaction, "a", STOA_APPEND, 0, 10, &err));
    ok(stoa_table_plan(world->db, transaction, "a", NULL, NULL, &plan, &err));
    int32_t splits[8];
    for (int32_t i = 0; i < stoa_plan_split_count(plan); i++) {
        splits[i] = i;
    }
    ok(stoa_sink_open_rewrite(plan, transaction, splits, stoa_plan_split_count(plan), "delete",
                              NULL, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 42, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    stoa_plan_close(plan);
    assert_int_equal(table_rows(world, transaction, "a", 0), 42);
    ok(table_load(world, NULL, "a", STOA_APPEND, 0, 122880, &err)); /* by somebody else */
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "a", 0), 42 + 122880);
}

static void both_kinds_are_published_together(void **state) {
    table_world *world = *state;
    struct kind_world *kinds = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = begin_transaction(world);
    ok(stoa_table_create_in(world->db, transaction, "here", "memory", world->schema, &err));
    ok(stoa_table_create_in(world->db, transaction, "there", kinds->kind, world->schema, &err));
    ok(table_load(world, transaction, "here", STOA_APPEND, 0, 5, &err));
    ok(table_load(world, transaction, "there", STOA_APPEND, 0, 6, &err));
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "here", 0), 5);
    assert_int_equal(table_rows(world, NULL, "there", 0), 6);
    transaction = begin_transaction(world);
    ok(table_load(world, transaction, "here", STOA_APPEND, 5, 5, &err));
    ok(table_load(world, transaction, "there", STOA_OVERWRITE, 0, 1, &err));
    ok(table_load(world, NULL, "there", STOA_APPEND, 0, 1, &err));
    assert_fails(stoa_transaction_commit(transaction, &err), STOA_CONFLICT, "'there'", err);
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(world, NULL, "here", 0), 5);
    assert_int_equal(table_rows(world, NULL, "there", 0), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(a_transaction_sees_its_own_writes_and_nobody_else),
        BOTH(what_is_not_committed_never_happened),
        BOTH(the_view_stays_still),
        BOTH(appends_of_others_are_no_conflict),
        BOTH(who_comes_second_is_told),
        BOTH(several_statements_on_one_table_make_one_snapshot),
        BOTH(names_can_be_exchanged_and_used_again),
        BOTH(a_rewrite_in_a_transaction_covers_staged_parts_too),
        BOTH(both_kinds_are_published_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
