/* Every nth allocation and every nth file-system call fails, and the machine goes down at every one
 * of them: a load is then there whole or not at all, and nothing leaks.
 *
 * The catalog is SQLite's own files on the real disk; what goes through the file systems of this
 * project (data files, leases, folders) fails or is lost. So the crash runs check the one promise
 * between the two: what the catalog names was made durable before. */
#include "table_world.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS_BEFORE = 10, ROWS_ADDED = 30 };

struct scene {
    char path[SUPPORT_PATH_BYTES];
    bool in_memory_tables;
    const char *partition; /* of tables that are made */
    bool crash; /* data files lie on a disk that loses what was not synced */
};

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* One look at a database: as table_world, over the driver's pool and file systems. */
struct stage {
    table_world table;
    const char *partition;
};

static stoa_status stage_open(support_world *world, const struct scene *scene, bool create,
                              struct stage *out, stoa_error *err) {
    *out = (struct stage){.partition = scene->partition};
    out->table.pool = world->pool;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = create;
    options.parent_pool = world->pool;
    options.file_systems = world->registry;
    options.threads = 1;
    STOA_TRY(stoa_schema_parse(world->pool, TABLE_SCHEMA, &out->table.schema, err));
    STOA_TRY(stoa_schema_to_arrow(world->pool, out->table.schema, &out->table.arrow, err));
    return stoa_database_open(scene->in_memory_tables ? ":memory:" : scene->path, &options,
                              &out->table.db, err);
}

static void stage_close(struct stage *stage) {
    stoa_arrow_schema_release(&stage->table.arrow);
    stoa_schema_close(stage->table.schema);
    stoa_database_close(stage->table.db);
}

static stoa_status load(struct stage *stage, stoa_transaction *transaction, const char *table,
                        stoa_write_mode mode, int files, stoa_error *err) {
    table_world *world = &stage->table;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode, .transaction = transaction, .file_bytes = 1};
    options.schema = mode == STOA_CREATE ? world->schema : NULL;
    options.partition = mode == STOA_CREATE ? stage->partition : NULL;
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    stoa_status status = STOA_OK;
    for (int i = 0; i < files; i++) {
        STOA_CHECK(table_write_rows(sink, world->pool, &world->arrow, i * 10, 10, err));
    }
    status = stoa_sink_commit(sink, NULL, err);

done:
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
    struct stage stage;
    stoa_fs fs, disk = stoa_fs_local();
    if (scene->in_memory_tables) {
        return STOA_OK;
    }
    (void)nftw(scene->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(scene->path, 0755), 0); /* SQLite's part of it */
    if (scene->crash) {
        STOA_TRY(stoa_fs_crash_create(world->pool, &disk, err));
    }
    STOA_TRY(stoa_fs_fault_create(world->pool, disk, &fs, &world->fault, err));
    STOA_TRY(stoa_fs_register(world->registry, "file", fs, err));
    stoa_status status = stage_open(world, scene, true, &stage, err);
    if (status == STOA_OK) {
        status = load(&stage, NULL, "a", STOA_CREATE, 1, err);
    }
    if (status == STOA_OK) {
        status = load(&stage, NULL, "b", STOA_CREATE, 1, err);
    }
    stage_close(&stage);
    if (status == STOA_OK && scene->crash) {
        status = stand_in_for_catalog(world, scene, err);
    }
    return status;
}

/* One transaction over three tables and a look at what it made. */
static stoa_status transact(struct stage *stage, stoa_error *err) {
    table_world *world = &stage->table;
    stoa_transaction *transaction = NULL;
    stoa_plan *plan = NULL;
    STOA_TRY(stoa_transaction_begin(world->db, &transaction, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(load(stage, transaction, "a", STOA_APPEND, 3, err));
    STOA_CHECK(load(stage, transaction, "b", STOA_OVERWRITE, 3, err));
    STOA_CHECK(load(stage, transaction, "c", STOA_CREATE, 1, err));
    STOA_CHECK(stoa_table_plan(world->db, transaction, "a", NULL, NULL, &plan, err));
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    STOA_CHECK(stoa_plan_open(plan, 0, NULL, &stream, err));
    status = stoa_stream_next(&stream, &batch, err);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    STOA_CHECK(status);
    status = stoa_transaction_commit(transaction, err);

done:
    stoa_plan_close(plan);
    stoa_transaction_close(transaction);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    struct scene *scene = user;
    struct stage stage;
    stoa_status status = stage_open(world, scene, false, &stage, err);
    if (status == STOA_OK && scene->in_memory_tables) {
        status = load(&stage, NULL, "a", STOA_CREATE, 1, err);
        if (status == STOA_OK) {
            status = load(&stage, NULL, "b", STOA_CREATE, 1, err);
        }
    }
    if (status == STOA_OK) {
        status = transact(&stage, err);
    }
    stage_close(&stage);
    return status;
}

static stoa_status expire_scenario(support_world *world, void *user, stoa_error *err) {
    struct stage stage;
    stoa_status status = stage_open(world, user, false, &stage, err);
    if (status == STOA_OK) {
        status = load(&stage, NULL, "b", STOA_OVERWRITE, 3, err);
    }
    if (status == STOA_OK) {
        status = stoa_table_expire(stage.table.db, "b", INT64_MAX, NULL, err);
    }
    stage_close(&stage);
    return status;
}

/* All of the transaction or nothing of it, every file whole, and no file but those. */
static void check(support_world *world, void *user, stoa_status status) {
    struct scene *scene = user;
    struct stage stage;
    stoa_error err = STOA_ERROR_NONE;
    if (scene->in_memory_tables) {
        return;
    }
    ok(stage_open(world, scene, false, &stage, &err));
    bool done = stoa_table_exists(stage.table.db, NULL, "c");
    assert_true(done || status != STOA_OK);
    assert_int_equal(table_rows(&stage.table, NULL, "a", 0), done ? 40 : 10);
    assert_int_equal(table_rows(&stage.table, NULL, "b", 0), done ? 30 : 10);
    ok(stoa_database_verify(stage.table.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    stage_close(&stage);
}

static void check_expired(support_world *world, void *user, stoa_status status) {
    struct stage stage;
    stoa_error err = STOA_ERROR_NONE;
    ok(stage_open(world, user, false, &stage, &err));
    int64_t rows = table_rows(&stage.table, NULL, "b", 0);
    assert_true(rows == 30 || (rows == 10 && status != STOA_OK));
    ok(stoa_table_expire(stage.table.db, "b", INT64_MAX, NULL, &err));
    ok(stoa_database_verify(stage.table.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    stage_close(&stage);
}

/* Thousands of synced commits: in memory, where the system offers that. */
static void set_scene(struct scene *scene) {
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("STOA_TMP", "/dev/shm", 1);
    }
    support_temp_directory(scene->path);
    size_t size = strlen(scene->path);
    (void)snprintf(scene->path + size, sizeof scene->path - size, "/db");
}

static void every_allocation_may_fail_in_memory(void **state) {
    (void)state;
    struct scene scene = {.in_memory_tables = true};
    assert_true(support_fail_each_allocation(NULL, scenario, NULL, &scene) > 50);
}

static void every_allocation_may_fail_on_disk(void **state) {
    (void)state;
    struct scene scene = {.in_memory_tables = false};
    set_scene(&scene);
    assert_true(support_fail_each_allocation(prepare, scenario, check, &scene) > 50);
}

static void every_file_call_may_fail(void **state) {
    (void)state;
    struct scene scene = {.in_memory_tables = false};
    set_scene(&scene);
    assert_true(support_fail_each_call(prepare, scenario, check, &scene) > 20);
    assert_true(support_fail_each_call(prepare, expire_scenario, check_expired, &scene) > 20);
}

/* Folders of partitions are made, synced and removed. */
static void files_of_partitions_are_there_or_not(void **state) {
    (void)state;
    struct scene scene = {.partition = "truncate(20, id)"};
    set_scene(&scene);
    assert_true(support_fail_each_allocation(prepare, scenario, check, &scene) > 50);
    assert_true(support_fail_each_call(prepare, scenario, check, &scene) > 20);
    assert_true(support_fail_each_call(prepare, expire_scenario, check_expired, &scene) > 20);
    scene.crash = true;
    assert_true(support_crash_at_each_call(prepare, scenario, check, 2, &scene) > 20);
}

static void what_the_catalog_names_survives_a_crash(void **state) {
    (void)state;
    struct scene scene = {.crash = true};
    set_scene(&scene);
    assert_true(support_crash_at_each_call(prepare, scenario, check, 2, &scene) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_in_memory),
        cmocka_unit_test(every_allocation_may_fail_on_disk),
        cmocka_unit_test(every_file_call_may_fail),
        cmocka_unit_test(files_of_partitions_are_there_or_not),
        cmocka_unit_test(what_the_catalog_names_survives_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
