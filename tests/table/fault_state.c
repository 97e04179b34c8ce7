/* Every nth file-system call below state/ and around it fails, and the machine goes down at every one of
 * them: a state table is there with all its rows or not at all, between the store and the catalog too.
 *
 * The catalog is SQLite's own files on the real disk, as in fault_table.c: what it names was made durable
 * in the store before. */
#include <stoa/state.h>

#include "table_world.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 3000 }; /* rows that become files */

struct scene {
    char path[SUPPORT_PATH_BYTES];
    bool crash; /* files lie on a disk that loses what was not synced */
};

static const stoa_state_table_options by_id = {.key = "id"};

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static stoa_status stage_open(support_world *world, const struct scene *scene, bool create,
                              table_world *out, stoa_error *err) {
    static const stoa_state_options settings = {.memtable_bytes = 128 << 10,
                                                .log_segment_bytes = 1 << 20,
                                                .no_background = true};
    *out = (table_world){.pool = world->pool};
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = create;
    options.parent_pool = world->pool;
    options.file_systems = world->registry;
    options.threads = 1;
    STOA_TRY(stoa_schema_parse(world->pool, TABLE_SCHEMA, &out->schema, err));
    STOA_TRY(stoa_schema_to_arrow(world->pool, out->schema, &out->arrow, err));
    STOA_TRY(stoa_database_open(scene->path, &options, &out->db, err));
    return stoa_state_configure(out->db, &settings, err);
}

static void stage_close(table_world *stage) {
    stoa_arrow_schema_release(&stage->arrow);
    stoa_schema_close(stage->schema);
    stoa_database_close(stage->db);
}

static stoa_status load(table_world *stage, const char *table, stoa_write_mode mode, int64_t first,
                        int64_t rows, stoa_error *err) {
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode};
    if (mode == STOA_CREATE) {
        options.kind = "state";
        options.schema = stage->schema;
        options.state = &by_id;
    }
    STOA_TRY(stoa_sink_open(stage->db, table, &options, &sink, err));
    stoa_status status = table_write_rows(sink, stage->pool, &stage->arrow, first, rows, err);
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

/* SQLite's file is on the real disk; on the one that crashes something must stand in its place. */
static stoa_status stand_in_for_catalog(support_world *world, const struct scene *scene,
                                        stoa_error *err) {
    char path[SUPPORT_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/catalog.db", scene->path);
    return stoa_vfs_replace(world->registry, path, NULL, "x", 1, err);
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    table_world stage;
    stoa_fs fs, disk = stoa_fs_local();
    (void)nftw(scene->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(scene->path, 0755), 0); /* SQLite's part of it */
    if (scene->crash) {
        STOA_TRY(stoa_fs_crash_create(world->pool, &disk, err));
    }
    STOA_TRY(stoa_fs_fault_create(world->pool, disk, &fs, &world->fault, err));
    STOA_TRY(stoa_fs_register(world->registry, "file", fs, err));
    stoa_status status = stage_open(world, scene, true, &stage, err);
    if (status == STOA_OK) {
        status = load(&stage, "a", STOA_CREATE, 0, 10, err);
    }
    stage_close(&stage);
    if (status == STOA_OK && scene->crash) {
        status = stand_in_for_catalog(world, scene, err);
    }
    return status;
}

/* Rows for a table that is there, a new table with rows, and the first one overwritten. */
static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    const struct scene *scene = user;
    table_world stage;
    stoa_status status = stage_open(world, scene, false, &stage, err);
    STOA_CHECK(status);
    STOA_CHECK(load(&stage, "a", STOA_APPEND, 10, 10, err));
    STOA_CHECK(load(&stage, "c", STOA_CREATE, 0, MANY, err));
    STOA_CHECK(load(&stage, "a", STOA_OVERWRITE, 50, MANY, err));

done:
    stage_close(&stage);
    return status;
}

static void check(support_world *world, void *user, stoa_status status) {
    const struct scene *scene = user;
    table_world stage;
    stoa_error err = STOA_ERROR_NONE;
    ok(stage_open(world, scene, false, &stage, &err));
    const table_sums a = table_sum(&stage, NULL, "a", 0);
    const bool made = stoa_table_exists(stage.db, NULL, "c");
    const bool replaced = a.sum == table_range_sum(50, MANY);
    assert_true(replaced || a.sum == table_range_sum(0, 10) || a.sum == table_range_sum(0, 20));
    assert_true(made || !replaced);
    assert_true(replaced || status != STOA_OK);
    if (made) {
        table_assert_range(&stage, NULL, "c", 0, MANY);
        assert_true(replaced || a.count == 20);
    }
    ok(stoa_database_verify(stage.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    /* What was left behind is in nobody's way. */
    ok(load(&stage, made ? "a" : "c", made ? STOA_APPEND : STOA_CREATE, 50, 1, &err));
    stage_close(&stage);
}

/* What the first table holds becomes a table of Parquet files. */
static stoa_status publish_scenario(support_world *world, void *user, stoa_error *err) {
    const struct scene *scene = user;
    table_world stage;
    stoa_status status = stage_open(world, scene, false, &stage, err);
    STOA_CHECK(status);
    STOA_CHECK(stoa_state_publish(stage.db, "a", "p", NULL, NULL, err));

done:
    stage_close(&stage);
    return status;
}

static void check_published(support_world *world, void *user, stoa_status status) {
    const struct scene *scene = user;
    table_world stage;
    stoa_error err = STOA_ERROR_NONE;
    ok(stage_open(world, scene, false, &stage, &err));
    const bool made = stoa_table_exists(stage.db, NULL, "p");
    assert_true(made || status != STOA_OK);
    if (made) {
        table_assert_range(&stage, NULL, "p", 0, 10);
    }
    ok(stoa_database_verify(stage.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    ok(stoa_state_publish(stage.db, "a", "p", NULL, NULL, &err));
    stage_close(&stage);
}

/* Columns change in the store, then in the catalog. */
static stoa_status alter_scenario(support_world *world, void *user, stoa_error *err) {
    static const stoa_state_alteration changes[] = {{STOA_STATE_ADD_COLUMN, NULL, "score double"},
                                                    {STOA_STATE_RENAME_COLUMN, "name", "title"}};
    const struct scene *scene = user;
    table_world stage;
    stoa_status status = stage_open(world, scene, false, &stage, err);
    STOA_CHECK(status);
    STOA_CHECK(stoa_state_alter(stage.db, "a", changes, 2, err));

done:
    stage_close(&stage);
    return status;
}

static void check_altered(support_world *world, void *user, stoa_status status) {
    const struct scene *scene = user;
    table_world stage;
    const stoa_schema *schema = NULL;
    stoa_state *state = NULL;
    char text[128];
    stoa_error err = STOA_ERROR_NONE;
    ok(stage_open(world, scene, false, &stage, &err));
    table_assert_range(&stage, NULL, "a", 0, 10);
    ok(stoa_table_schema(stage.db, "a", &schema, &err));
    (void)stoa_schema_print(schema, text, sizeof text);
    const bool is_new = schema->root.child_count == 3;
    assert_true(is_new || status != STOA_OK);
    assert_string_equal(text, is_new ? "id long not null, title string, score double"
                                     : "id long not null, name string");
    stoa_schema_close(schema);
    ok(stoa_state_open(stage.db, "a", &state, &err));
    stoa_state_close(state);
    if (!is_new) { /* rows of two columns */
        ok(load(&stage, "a", STOA_APPEND, 10, 1, &err));
        table_assert_range(&stage, NULL, "a", 0, 11);
    }
    stage_close(&stage);
}

static void set_scene(struct scene *scene) {
    support_temp_directory(scene->path);
    size_t size = strlen(scene->path);
    (void)snprintf(scene->path + size, sizeof scene->path - size, "/db");
}

static void every_file_call_may_fail(void **state) {
    (void)state;
    struct scene scene = {.crash = false};
    set_scene(&scene);
    assert_true(support_fail_each_call(prepare, scenario, check, &scene) > 20);
    assert_true(support_fail_each_call(prepare, alter_scenario, check_altered, &scene) > 10);
    assert_true(support_fail_each_call(prepare, publish_scenario, check_published, &scene) > 10);
}

static void what_was_committed_survives_a_crash(void **state) {
    (void)state;
    struct scene scene = {.crash = true};
    set_scene(&scene);
    assert_true(support_crash_at_each_call(prepare, scenario, check, 1, &scene) > 20);
    assert_true(support_crash_at_each_call(prepare, alter_scenario, check_altered, 1, &scene) > 10);
    assert_true(support_crash_at_each_call(prepare, publish_scenario, check_published, 1, &scene) >
                10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_call_may_fail),
        cmocka_unit_test(what_was_committed_survives_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
