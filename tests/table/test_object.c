/* Databases in an object store, here the memory file system of a registry: two handles that share
 * nothing else stand for two processes. */
#include "table_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/error.h"
#include "table/internal.h"
#include "table/sqlite.h"

enum { THREADS = 4, LOADS = 12, ROWS = 20, HANDLES = 2 };

typedef struct object_world {
    table_world handles[HANDLES]; /* of one database */
    stoa_fs_registry *registry;
} object_world;

static const char place[] = "memory:/lake/db";

static stoa_status open_handle(object_world *world, int which, int64_t grace_ms, stoa_error *err) {
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.parent_pool = world->handles[0].pool;
    options.file_systems = world->registry;
    options.grace_ms = grace_ms;
    options.threads = 1;
    return stoa_database_open(place, &options, &world->handles[which].db, err);
}

static int set_up(void **state) {
    static object_world world;
    stoa_error err = STOA_ERROR_NONE;
    memset(&world, 0, sizeof world);
    stoa_pool *pool = support_pool_open();
    ok(stoa_fs_registry_create(pool, &world.registry, &err));
    for (int i = 0; i < HANDLES; i++) {
        table_world *handle = &world.handles[i];
        handle->pool = pool;
        ok(stoa_schema_parse(pool, TABLE_SCHEMA, &handle->schema, &err));
        ok(stoa_schema_to_arrow(pool, handle->schema, &handle->arrow, &err));
        ok(open_handle(&world, i, 0, &err));
    }
    *state = &world;
    return 0;
}

static int tear_down(void **state) {
    object_world *world = *state;
    for (int i = 0; i < HANDLES; i++) {
        stoa_arrow_schema_release(&world->handles[i].arrow);
        stoa_schema_close(world->handles[i].schema);
        stoa_database_close(world->handles[i].db);
    }
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->handles[0].pool);
    return 0;
}

static stoa_status count_file(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    (void)name;
    (void)err;
    *(int *)user += !info->is_directory;
    return STOA_OK;
}

static int data_files(object_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    int count = 0;
    ok(stoa_vfs_glob(world->registry, "memory:/lake/db/tables/*/*", NULL, world->handles[0].pool,
                     count_file, &count, &err));
    return count;
}

static stoa_status keep_folder(void *user, const stoa_file_entry *file, stoa_error *err) {
    (void)err;
    const char *name = strrchr(file->path, '/');
    (void)snprintf(user, 200, "%s/%.*s", place, (int)(name - file->path), file->path);
    return STOA_OK;
}

static void each_handle_sees_what_the_other_commits(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0], *two = &world->handles[1];
    stoa_error err = STOA_ERROR_NONE;
    assert_string_equal(stoa_database_uri(one->db), place);
    assert_false(stoa_table_exists(two->db, NULL, "t"));
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    assert_int_equal(table_rows(two, NULL, "t", 0), 10);
    ok(table_load(two, NULL, "t", STOA_APPEND, 10, 10, &err));
    assert_int_equal(table_rows(one, NULL, "t", 0), 20);
    ok(stoa_table_rename(two->db, "t", "u", &err));
    assert_false(stoa_table_exists(one->db, NULL, "t"));
    ok(stoa_database_verify(one->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    ok(stoa_table_drop(one->db, "u", &err));
    assert_false(stoa_table_exists(two->db, NULL, "u"));
}

static void it_is_found_again_and_made_once(void **state) {
    object_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *other = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = world->handles[0].pool;
    options.file_systems = world->registry;
    ok(table_load(&world->handles[0], NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_database_open(place, &options, &other, &err));
    assert_true(stoa_table_exists(other, NULL, "t"));
    stoa_database_close(other);
    options.must_create = true;
    assert_fails(stoa_database_open(place, &options, &other, &err), STOA_EXISTS, "already", err);
    options.must_create = false;
    assert_fails(stoa_database_open("memory:/lake/none", &options, &other, &err), STOA_NOT_FOUND,
                 "no database", err);
    options.read_only = true;
    ok(stoa_database_open(place, &options, &other, &err));
    assert_fails(stoa_table_drop(other, "t", &err), STOA_INVALID, "reading only", err);
    stoa_database_close(other);
}

static void an_older_snapshot_stays_readable(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0], *two = &world->handles[1];
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_transaction_begin(two->db, &transaction, &err));
    assert_int_equal(table_rows(two, transaction, "t", 0), 10);
    ok(table_load(one, NULL, "t", STOA_OVERWRITE, 0, 5, &err));
    assert_int_equal(table_rows(two, transaction, "t", 0), 10);
    assert_int_equal(table_rows(two, NULL, "t", 0), 5);
    stoa_transaction_close(transaction);
}

static void changes_of_the_same_rows_conflict(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0], *two = &world->handles[1];
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_transaction_begin(two->db, &transaction, &err));
    ok(table_load(two, transaction, "t", STOA_OVERWRITE, 0, 7, &err));
    ok(table_load(one, NULL, "t", STOA_APPEND, 10, 1, &err));
    assert_fails(stoa_transaction_commit(transaction, &err), STOA_CONFLICT, "somebody else", err);
    stoa_transaction_close(transaction);
    assert_int_equal(table_rows(two, NULL, "t", 0), 11);
    assert_fails(table_load(two, NULL, "t", STOA_CREATE, 0, 1, &err), STOA_EXISTS, NULL, err);
}

struct shared {
    table_world *world;
    _Atomic int failures;
};

static void *append_many(void *user) {
    struct shared *shared = user;
    for (int i = 0; i < LOADS; i++) {
        stoa_error err = STOA_ERROR_NONE;
        if (table_load(shared->world, NULL, "t", STOA_APPEND, i * ROWS, ROWS, &err) != STOA_OK) {
            (void)fprintf(stderr, "append: %s\n", err.message);
            atomic_fetch_add(&shared->failures, 1);
        }
    }
    return NULL;
}

/* Every commit of one handle makes the other lose a race, which is tried again. */
static void no_append_is_lost(void **state) {
    object_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    pthread_t threads[THREADS];
    struct shared shared[HANDLES] = {{.world = &world->handles[0]}, {.world = &world->handles[1]}};
    ok(table_load(&world->handles[0], NULL, "t", STOA_CREATE, 0, 0, &err));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, &shared[i % HANDLES]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&shared[0].failures) + atomic_load(&shared[1].failures), 0);
    for (int i = 0; i < HANDLES; i++) {
        assert_int_equal(table_rows(&world->handles[i], NULL, "t", 0), THREADS * LOADS * ROWS);
    }
    ok(stoa_database_verify(world->handles[0].db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

static void files_are_removed_after_the_grace(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0];
    stoa_error err = STOA_ERROR_NONE;
    int64_t removed = -1;
    char left[256];
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(one, NULL, "t", STOA_OVERWRITE, 0, 5, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(removed, 0);
    assert_int_equal(data_files(world), 2);

    /* What a writer that is gone left behind: a file of a token that nobody has. */
    ok(stoa_table_files(one->db, "t", keep_folder, left, &err));
    (void)strcat(left, "/0123456789abcdef-00000001.parquet");
    ok(stoa_vfs_replace(world->registry, left, NULL, "x", 1, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(data_files(world), 3);

    stoa_database_close(one->db);
    ok(open_handle(world, 0, 20, &err));
    (void)nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
    ok(table_load(&world->handles[1], NULL, "t", STOA_APPEND, 5, 5, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(table_rows(one, NULL, "t", 0), 10);
    assert_int_equal(data_files(world), 2);
    ok(stoa_database_verify(one->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

/* Nobody knows of a reader who takes longer than the grace: it is told what has happened. */
static void a_reader_that_is_too_slow_is_told(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0], *two = &world->handles[1];
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    const char *path = NULL;
    int64_t removed = 0, removed_later = 0;
    stoa_database_close(one->db);
    ok(open_handle(world, 0, 20, &err));
    ok(table_load(two, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_plan(two->db, NULL, "t", NULL, NULL, &plan, &err));
    ok(table_load(two, NULL, "t", STOA_OVERWRITE, 0, 5, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    (void)nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed_later, &err));
    assert_int_equal(removed + removed_later, 1);
    assert_fails(stoa_plan_parquet_path(plan, 0, stoa_database_context(two->db), &path, &err),
                 STOA_NOT_FOUND, "longer ago than the grace", err);
    stoa_plan_close(plan);
    assert_int_equal(table_rows(two, NULL, "t", 0), 5);
}

static void what_takes_longer_than_the_grace_fails(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0];
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    stoa_database_close(one->db);
    ok(open_handle(world, 0, 20, &err));
    ok(stoa_transaction_begin(one->db, &transaction, &err));
    ok(table_load(one, transaction, "t", STOA_CREATE, 0, 10, &err));
    (void)nanosleep(&(struct timespec){.tv_nsec = 40 * 1000 * 1000}, NULL);
    assert_fails(stoa_transaction_commit(transaction, &err), STOA_LIMIT, "abandoned", err);
    stoa_transaction_close(transaction);
    assert_false(stoa_table_exists(one->db, NULL, "t"));
}

/* A bit is flipped anywhere in the catalog: an error or the truth, never another answer. */
static void damage_is_an_error_or_changes_nothing(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0];
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer image;
    char version[64];
    int refused = 0;
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_vfs_read_all(world->registry, "memory:/lake/db/catalog.db", NULL, 1 << 24, one->pool,
                         &image, &err));
    for (size_t at = 0; at < image.size; at += 97) {
        stoa_file_info info;
        stoa_plan *plan = NULL;
        stoa_database *other = NULL;
        stoa_database_options options = STOA_DATABASE_DEFAULT;
        options.parent_pool = one->pool;
        options.file_systems = world->registry;
        options.read_only = true;
        image.data[at] ^= 16;
        ok(stoa_vfs_stat(world->registry, "memory:/lake/db/catalog.db", NULL, &info, &err));
        ok(stoa_vfs_put_if(world->registry, "memory:/lake/db/catalog.db", NULL, info.version,
                           image.data, image.size, version, &err));
        stoa_status status = stoa_database_open(place, &options, &other, &err);
        if (status == STOA_OK) {
            status = stoa_table_plan(other, NULL, "t", NULL, NULL, &plan, &err);
        }
        if (status == STOA_OK) {
            assert_int_equal(stoa_plan_row_count(plan), 10);
        }
        refused += status != STOA_OK;
        stoa_plan_close(plan);
        stoa_database_close(other);
        image.data[at] ^= 16;
    }
    assert_true(refused > 0);
    stoa_buffer_release(&image);
}

/* ---- answers that are lost ---- */

static const char unsure_place[] = "unsure:/lake/db";
static stoa_fs_operations unsure_operations;
static stoa_status (*sure_put_if)(void *state, const char *path, const stoa_context *context,
                                  const char *expected, const void *bytes, size_t size,
                                  char *out_version, stoa_error *err);
static table_world *in_between; /* who commits before the write is sent again; NULL: nobody */

/* The write is done and its answer lost; somebody commits on top of it; the write, sent again by what
 * talks to the store, is refused. */
static stoa_status unsure_put_if(void *state, const char *path, const stoa_context *context,
                                 const char *expected, const void *bytes, size_t size,
                                 char *out_version, stoa_error *err) {
    table_world *other = in_between;
    in_between = NULL;
    STOA_TRY(sure_put_if(state, path, context, expected, bytes, size, out_version, err));
    if (other == NULL) {
        return STOA_OK;
    }
    STOA_TRY(table_load(other, NULL, "t", STOA_APPEND, 10, 10, err));
    return sure_put_if(state, path, context, expected, bytes, size, out_version, err);
}

static void a_commit_whose_answer_was_lost_is_made_once(void **state) {
    object_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs fs;
    table_world handles[HANDLES] = {world->handles[0], world->handles[1]};
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.parent_pool = world->handles[0].pool;
    options.file_systems = world->registry;
    ok(stoa_fs_memory_create(world->handles[0].pool, &fs, &err));
    unsure_operations = *fs.operations;
    sure_put_if = unsure_operations.put_if;
    unsure_operations.put_if = unsure_put_if;
    fs.operations = &unsure_operations;
    ok(stoa_fs_register(world->registry, "unsure", fs, &err));
    for (int i = 0; i < HANDLES; i++) {
        ok(stoa_database_open(unsure_place, &options, &handles[i].db, &err));
    }
    ok(table_load(&handles[0], NULL, "t", STOA_CREATE, 0, 0, &err));
    in_between = &handles[1];
    ok(table_load(&handles[0], NULL, "t", STOA_APPEND, 0, 10, &err));
    assert_null(in_between);
    assert_int_equal(table_rows(&handles[0], NULL, "t", 0), 20);
    ok(stoa_database_verify(handles[1].db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    for (int i = 0; i < HANDLES; i++) {
        stoa_database_close(handles[i].db);
    }
}

/* ---- places where nothing may be written ---- */

static const char forbidden_place[] = "forbidden:/lake/db";
static stoa_fs_operations forbidden_operations;
static const stoa_fs_operations *allowed;
static bool is_forbidden;

static stoa_status forbid(stoa_error *err) {
    return stoa_fail(err, STOA_IO, "AccessDenied");
}

static stoa_status forbidden_open(void *state, const char *path, stoa_open_mode mode,
                                  const stoa_context *context, stoa_file **out, stoa_error *err) {
    return is_forbidden && mode != STOA_OPEN_READ
               ? forbid(err)
               : allowed->open(state, path, mode, context, out, err);
}

static stoa_status forbidden_remove(void *state, const char *path, const stoa_context *context,
                                    stoa_error *err) {
    return is_forbidden ? forbid(err) : allowed->remove(state, path, context, err);
}

static stoa_status forbidden_put_if(void *state, const char *path, const stoa_context *context,
                                    const char *expected, const void *bytes, size_t size,
                                    char *out_version, stoa_error *err) {
    return is_forbidden
               ? forbid(err)
               : allowed->put_if(state, path, context, expected, bytes, size, out_version, err);
}

static void count_line(void *user, stoa_log_level level, const char *module, const char *line) {
    (void)level;
    (void)module;
    (void)fprintf(stderr, "logged: %s\n", line);
    ++*(int *)user;
}

/* Credentials for reading: there is something to remove, and nobody tries. */
static void reading_needs_no_right_to_write(void **state) {
    object_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_fs fs;
    int lines = 0;
    table_world handle = world->handles[0];
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    options.parent_pool = handle.pool;
    options.file_systems = world->registry;
    options.logger = (stoa_logger){count_line, &lines, STOA_LOG_INFO};
    ok(stoa_fs_memory_create(handle.pool, &fs, &err));
    allowed = fs.operations;
    forbidden_operations = *allowed;
    forbidden_operations.open = forbidden_open;
    forbidden_operations.remove = forbidden_remove;
    forbidden_operations.put_if = forbidden_put_if;
    fs.operations = &forbidden_operations;
    ok(stoa_fs_register(world->registry, "forbidden", fs, &err));
    ok(stoa_database_open(forbidden_place, &options, &handle.db, &err));
    ok(table_load(&handle, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(&handle, NULL, "u", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_drop(handle.db, "u", &err));
    stoa_database_close(handle.db);
    (void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);

    is_forbidden = true;
    options.grace_ms = 1;
    ok(stoa_database_open(forbidden_place, &options, &handle.db, &err));
    assert_int_equal(table_rows(&handle, NULL, "t", 0), 10);
    ok(stoa_database_verify(handle.db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    assert_int_equal(lines, 0);
    stoa_database_close(handle.db);
    options.grace_ms = 0; /* so that writing has the time for it */
    ok(stoa_database_open(forbidden_place, &options, &handle.db, &err));
    assert_fails(table_load(&handle, NULL, "t", STOA_APPEND, 10, 1, &err), STOA_IO, "AccessDenied",
                 err);
    assert_fails(stoa_table_drop(handle.db, "t", &err), STOA_IO, "AccessDenied", err);
    assert_fails(stoa_table_rename(handle.db, "t", "v", &err), STOA_IO, "AccessDenied", err);
    assert_int_equal(table_rows(&handle, NULL, "t", 0), 10);
    stoa_database_close(handle.db);
    is_forbidden = false;
    assert_fails(stoa_database_open("forbidden:/lake/none",
                                    &(stoa_database_options){.file_systems = world->registry,
                                                             .parent_pool = handle.pool},
                                    &handle.db, &err),
                 STOA_NOT_FOUND, "no database", err);
}

/* ---- clocks that differ ---- */

static stoa_status set_time_back(void *user, int64_t commit_id, bool *out_publish,
                                 stoa_error *err) {
    stoa_catalog *catalog = user;
    (void)commit_id;
    (void)out_publish;
    return stoa_sqlite_execute(&catalog->writer,
                               "UPDATE stoa_commit SET time_ms = 1000,"
                               " checksum = stoa_checksum(commit_id, 1000)"
                               " WHERE commit_id = (SELECT max(commit_id) FROM stoa_commit)",
                               err);
}

/* The last commit is of a machine whose clock is far behind: what it and those before it gave up is
 * no older for that. */
static void a_clock_behind_removes_nothing_early(void **state) {
    object_world *world = *state;
    table_world *one = &world->handles[0];
    stoa_error err = STOA_ERROR_NONE;
    int64_t removed = -1;
    ok(table_load(one, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(one, NULL, "t", STOA_OVERWRITE, 0, 5, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    ok(stoa_catalog_change(one->db->catalog, set_time_back, one->db->catalog, &err));
    ok(stoa_table_expire(one->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(removed, 0);
    assert_int_equal(data_files(world), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_handle_sees_what_the_other_commits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_found_again_and_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_snapshot_stays_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_of_the_same_rows_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_append_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_are_removed_after_the_grace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_too_slow_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_takes_longer_than_the_grace_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_whose_answer_was_lost_is_made_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(reading_needs_no_right_to_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_behind_removes_nothing_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_an_error_or_changes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
