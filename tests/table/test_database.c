/* Databases in a directory: opening, names, snapshots, files, what other processes left. */
#include "table_world.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static stoa_status count_file(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    (void)name;
    (void)info;
    (void)err;
    ++*(int64_t *)user;
    return STOA_OK;
}

/* Entries of a folder below the database. */
static int64_t entries(table_world *world, const char *folder) {
    char path[SUPPORT_PATH_BYTES + 128];
    int64_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", world->path, folder);
    if (stoa_vfs_list(stoa_database_file_systems(world->db), path, NULL, count_file, &count,
                      NULL) != STOA_OK) {
        return 0;
    }
    return count;
}

struct file_list {
    char paths[16][128];
    int64_t rows;
    int count;
};
static stoa_status note_file(void *user, const stoa_file_entry *file, stoa_error *err) {
    struct file_list *list = user;
    (void)err;
    (void)snprintf(list->paths[list->count++], sizeof list->paths[0], "%s", file->path);
    list->rows += file->row_count;
    return STOA_OK;
}

static void a_database_is_made_once_and_found_again(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *other = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.must_create = true;
    assert_fails(stoa_database_open(world->path, &options, &other, &err), STOA_EXISTS, "already",
                 err);
    ok(table_load(world, NULL, "Orders", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "orders", STOA_APPEND, 10, 10, &err));
    table_world_reopen(world);
    assert_int_equal(table_rows(world, NULL, "ORDERS", 0), 20);
    assert_string_equal(stoa_database_uri(world->db), world->path);
    assert_fails(stoa_database_open("/nonexistent/x.stoa", NULL, &other, &err), STOA_NOT_FOUND,
                 "no database", err);
    assert_fails(stoa_database_open("nowhere://bucket/x", NULL, &other, &err), STOA_UNSUPPORTED,
                 "no file system", err);
    assert_fails(stoa_database_open("", NULL, &other, &err), STOA_INVALID, "empty", err);
}

static void a_file_in_the_place_of_a_directory_is_an_error(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *other = NULL;
    char path[SUPPORT_PATH_BYTES + 16];
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.create = true;
    (void)snprintf(path, sizeof path, "%s/plain", world->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_not_equal(stoa_database_open(path, &options, &other, &err), STOA_OK);
    assert_non_null(strstr(err.message, "plain"));
}

static void names_are_any_text_without_control_characters(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    static const char *const names[] = {"a.b",   "with 'quotes' and \"more\"",
                                        "../up", "a/b",
                                        "größe", "表",
                                        ".",     "-- drop",
                                        "%_"};
    char long_name[300];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ok(table_load(world, NULL, names[i], STOA_CREATE, 0, (int64_t)i + 1, &err));
    }
    table_world_reopen(world);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(table_rows(world, NULL, names[i], 0), (int64_t)i + 1);
    }
    memset(long_name, 'x', sizeof long_name);
    long_name[256] = '\0';
    assert_fails(stoa_table_create(world->db, long_name, NULL, world->schema, &err), STOA_INVALID,
                 "255", err);
    long_name[255] = '\0';
    ok(stoa_table_create(world->db, long_name, NULL, world->schema, &err));
    assert_fails(stoa_table_create(world->db, "", NULL, world->schema, &err), STOA_INVALID, "empty",
                 err);
    assert_fails(stoa_table_create(world->db, "a\nb", NULL, world->schema, &err), STOA_INVALID,
                 "control", err);
    assert_fails(stoa_table_create(world->db, "a\xff", NULL, world->schema, &err), STOA_INVALID,
                 "UTF-8", err);
    assert_fails(stoa_table_create(world->db, "A.B", NULL, world->schema, &err), STOA_EXISTS,
                 "'a.b' exists", err);
}

static void a_wrong_name_brings_the_nearest_one(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_table_create(world->db, "orders", NULL, world->schema, &err));
    ok(stoa_table_create(world->db, "airports", "memory", world->schema, &err));
    assert_fails(stoa_table_drop(world->db, "ordres", &err), STOA_NOT_FOUND,
                 "did you mean 'orders'?", err);
    assert_fails(stoa_table_drop(world->db, "airprt", &err), STOA_NOT_FOUND,
                 "did you mean 'airports'?", err);
    assert_fails(stoa_table_drop(world->db, "something else", &err), STOA_NOT_FOUND,
                 "there is no table 'something else'", err);
    assert_null(strstr(err.message, "mean"));
}

static void a_rename_touches_no_file(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    struct file_list before = {.count = 0}, after = {.count = 0};
    ok(table_load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_files(world->db, "a", note_file, &before, &err));
    ok(stoa_table_rename(world->db, "a", "b", &err));
    assert_false(stoa_table_exists(world->db, NULL, "a"));
    ok(stoa_table_files(world->db, "b", note_file, &after, &err));
    assert_int_equal(after.count, 1);
    assert_string_equal(before.paths[0], after.paths[0]);
    ok(stoa_table_rename(world->db, "b", "B", &err));
    ok(stoa_table_create(world->db, "c", NULL, world->schema, &err));
    assert_fails(stoa_table_rename(world->db, "B", "C", &err), STOA_EXISTS, "'c' exists", err);
    table_world_reopen(world);
    assert_int_equal(table_rows(world, NULL, "b", 0), 10);
}

static void files_are_rolled_and_given_up_ones_are_removed(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_CREATE, .schema = world->schema, .file_bytes = 1};
    struct file_list list = {.count = 0};
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    for (int i = 0; i < 3; i++) {
        ok(table_write_rows(sink, world->pool, &world->arrow, i * 10, 10, &err));
    }
    assert_int_equal(entries(world, "tables"), 1);
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    ok(stoa_table_files(world->db, "t", note_file, &list, &err));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.rows, 30);
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%.23s", list.paths[0]);
    assert_int_equal(entries(world, folder), 3);
    options.mode = STOA_APPEND;
    options.schema = NULL;
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 10, &err));
    assert_int_equal(entries(world, folder), 4);
    stoa_sink_close(sink);
    assert_int_equal(entries(world, folder), 3);
}

static void options_of_sinks_are_checked(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_CREATE, .schema = world->schema, .codec = "zip"};
    assert_fails(stoa_sink_open(world->db, "t", &options, &sink, &err), STOA_INVALID, "'zip'", err);
    options.codec = "snappy";
    options.row_group_rows = -1;
    assert_fails(stoa_sink_open(world->db, "t", &options, &sink, &err), STOA_INVALID, "row groups",
                 err);
    options.row_group_rows = 0;
    options.schema = NULL;
    assert_fails(stoa_sink_open(world->db, "t", &options, &sink, &err), STOA_INVALID, "columns",
                 err);
}

static void an_overwrite_may_bring_other_columns(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    const stoa_schema *other = NULL, *now = NULL;
    ok(stoa_schema_parse(world->pool, "id long, place struct<lat: double>", &other, &err));
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    stoa_sink_options options = {.mode = STOA_APPEND, .schema = other};
    assert_fails(stoa_sink_open(world->db, "t", &options, &sink, &err), STOA_INVALID,
                 "other columns", err);
    options.mode = STOA_OVERWRITE;
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    ok(stoa_sink_commit(sink, NULL, &err));
    stoa_sink_close(sink);
    table_world_reopen(world);
    ok(stoa_table_schema(world->db, "t", &now, &err));
    assert_int_equal(now->schema_id, 1);
    assert_int_equal(now->root.child_count, 2);
    assert_int_equal(now->root.children[0].id, 3); /* 1 and 2 were others */
    assert_int_equal(now->root.children[1].type.children[0].id, 5);
    assert_int_equal(table_rows(world, NULL, "t", 0), 0);
    stoa_schema_close(now);
    stoa_schema_close(other);
}

static void expired_files_go_when_no_reader_is_left(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_plan *plan = NULL;
    struct file_list list = {.count = 0};
    int64_t removed = -1;
    const char *path = NULL;
    char folder[128];
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_files(world->db, "t", note_file, &list, &err));
    (void)snprintf(folder, sizeof folder, "%.23s", list.paths[0]);
    ok(stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err));
    ok(table_load(world, NULL, "t", STOA_OVERWRITE, 0, 20, &err));
    assert_int_equal(entries(world, folder), 2);
    ok(stoa_table_expire(world->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(removed, 0); /* the plan still reads it */
    assert_int_equal(entries(world, folder), 2);
    ok(stoa_plan_parquet_path(plan, 0, NULL, &path, &err));
    assert_int_equal(access(path, R_OK), 0);
    stoa_plan_close(plan);
    ok(stoa_table_expire(world->db, "t", INT64_MAX, &removed, &err));
    assert_int_equal(removed, 1);
    assert_int_equal(entries(world, folder), 1);
    assert_int_equal(table_rows(world, NULL, "t", 0), 20);
    assert_int_equal(entries(world, "leases"), 1); /* the writer's */
    ok(stoa_table_drop(world->db, "t", &err));
    assert_int_equal(entries(world, "tables"), 0);
}

static void a_reader_in_another_handle_keeps_files_too(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *reader = NULL;
    stoa_plan *plan = NULL;
    const char *path = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.read_only = true;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_database_open(world->path, &options, &reader, &err));
    ok(stoa_table_plan(reader, NULL, "t", NULL, NULL, &plan, &err));
    ok(stoa_table_drop(world->db, "t", &err));
    ok(stoa_plan_parquet_path(plan, 0, NULL, &path, &err));
    assert_int_equal(access(path, R_OK), 0);
    assert_false(stoa_table_exists(reader, NULL, "t"));
    assert_fails(stoa_table_create(reader, "x", NULL, world->schema, &err), STOA_INVALID,
                 "reading only", err);
    stoa_plan_close(plan);
    stoa_database_close(reader);
    assert_int_equal(entries(world, "tables"), 1);
    table_world_reopen(world); /* an open sweeps */
    assert_int_equal(entries(world, "tables"), 0);
}

/* A child that dies in the middle of a load, without a chance to clean up. */
static void die_while_loading(table_world *world, bool with_a_file) {
    stoa_database *db = NULL;
    stoa_sink *sink = NULL;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink_options options = {.mode = STOA_APPEND, .file_bytes = with_a_file ? 1 : 0};
    struct ArrowArray batch = {0};
    bool done = stoa_database_open(world->path, NULL, &db, &err) == STOA_OK &&
                stoa_sink_open(db, "t", &options, &sink, &err) == STOA_OK &&
                table_make_batch(world->pool, &world->arrow, 0, 10, &batch, &err) == STOA_OK &&
                stoa_sink_write(sink, &world->arrow, &batch, &err) == STOA_OK;
    _exit(done ? 0 : 1);
}

static void what_a_dead_process_left_is_removed(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    struct file_list list = {.count = 0};
    char folder[128];
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_table_files(world->db, "t", note_file, &list, &err));
    (void)snprintf(folder, sizeof folder, "%.23s", list.paths[0]);
    for (int i = 0; i < 2; i++) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            die_while_loading(world, i == 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        /* The second child, when it opens, removes what the first left. */
        assert_int_equal(entries(world, folder), i == 0 ? 2 : 1);
        assert_int_equal(entries(world, "tmp"), 2); /* a dead one's and ours */
    }
    table_world_reopen(world);
    assert_int_equal(entries(world, folder), 1);
    assert_int_equal(entries(world, "tmp"), 0);
    assert_int_equal(entries(world, "leases"), 0);
    assert_int_equal(table_rows(world, NULL, "t", 0), 10);
}

static void a_forked_child_may_not_use_it(void **state) {
    table_world *world = *state;
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_status found = stoa_table_find(world->db, NULL, "t", NULL, NULL, NULL, &err);
        _exit(found == STOA_INVALID && strstr(err.message, "fork") != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void execute(table_world *world, const char *sql) {
    char path[SUPPORT_PATH_BYTES + 16];
    sqlite3 *handle = NULL;
    (void)snprintf(path, sizeof path, "%s/catalog.db", world->path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    char *words = NULL;
    if (sqlite3_exec(handle, sql, NULL, NULL, &words) != SQLITE_OK) {
        fail_msg("%s: %s", sql, words);
    }
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void a_newer_format_is_refused_by_name(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_close(world->db);
    world->db = NULL;
    execute(world, "PRAGMA user_version=99");
    assert_fails(table_world_try_open(world, true, &err), STOA_UNSUPPORTED, "version 99", err);
    execute(world, "PRAGMA user_version=1; PRAGMA application_id=7");
    assert_fails(table_world_try_open(world, true, &err), STOA_CORRUPT, "application id", err);
}

static void changed_rows_are_found(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    static const char *const damages[] = {
        "UPDATE stoa_table SET name = 'u'",
        "UPDATE stoa_snapshot SET row_count = 11",
        "UPDATE stoa_file SET byte_count = byte_count + 1",
        "UPDATE stoa_file SET path = '../../etc/passwd'",
        "UPDATE stoa_schema SET json = replace(json, 'long', 'int')",
        "UPDATE stoa_file SET removed_snapshot = 1",
        "PRAGMA foreign_keys=0; DELETE FROM stoa_table",
        "UPDATE stoa_meta SET value = 77 WHERE key = 'commit_id'",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        char command[3 * SUPPORT_PATH_BYTES];
        stoa_database_close(world->db);
        world->db = NULL;
        (void)snprintf(command, sizeof command, "cp '%s/catalog.db' '%s/keep'", world->path,
                       world->path);
        assert_int_equal(system(command), 0);
        execute(world, damages[i]);
        stoa_status status = table_world_try_open(world, false, &err);
        stoa_plan *plan = NULL;
        if (status == STOA_OK) {
            status = stoa_table_plan(world->db, NULL, "t", NULL, NULL, &plan, &err);
        }
        if (status != STOA_CORRUPT) {
            fail_msg("'%s' was not noticed (%s)", damages[i], stoa_status_name(status));
        }
        stoa_database_close(world->db);
        world->db = NULL;
        (void)snprintf(command, sizeof command, "mv '%s/keep' '%s/catalog.db'", world->path,
                       world->path);
        assert_int_equal(system(command), 0);
        ok(table_world_try_open(world, false, &err));
    }
    assert_int_equal(table_rows(world, NULL, "t", 0), 10);
}

struct damage_list {
    stoa_error items[8];
    int count;
};
static void note_damage(void *user, const stoa_error *damage) {
    struct damage_list *list = user;
    list->items[list->count++] = *damage;
}

static void verify_names_every_damaged_file(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    struct file_list list = {.count = 0};
    struct damage_list damages = {.count = 0};
    char path[3][SUPPORT_PATH_BYTES + 160];
    int64_t files = 0;
    uint64_t bytes = 0;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "t", STOA_APPEND, 10, 10, &err));
    ok(table_load(world, NULL, "t", STOA_APPEND, 20, 10, &err));
    ok(stoa_table_files(world->db, "t", note_file, &list, &err));
    ok(stoa_database_verify(world->db, NULL, NULL, note_damage, &damages, &files, &bytes, &err));
    assert_int_equal(files, 3);
    assert_int_equal(damages.count, 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%s", world->path, list.paths[i]);
    }
    FILE *file = fopen(path[2], "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(truncate(path[0], 1), 0);
    assert_int_equal(unlink(path[1]), 0);
    assert_fails(stoa_database_verify(world->db, "t", NULL, note_damage, &damages, &files, &bytes,
                                      &err),
                 STOA_CORRUPT, "expected", err);
    assert_int_equal(damages.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(damages.items[i].message, list.paths[i]));
    }
}

static stoa_status note_name(void *user, const stoa_table_info *info, stoa_error *err) {
    char *text = user;
    (void)err;
    size_t size = strlen(text);
    (void)snprintf(text + size, 256 - size, "%s(%s,%" PRId64 ") ", info->name, info->kind,
                   info->row_count);
    return STOA_OK;
}

static void tables_are_listed_by_name(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    char text[256] = "";
    ok(table_load(world, NULL, "b", STOA_CREATE, 0, 3, &err));
    ok(stoa_table_create(world->db, "A", "memory", world->schema, &err));
    ok(stoa_table_create(world->db, "c", "parquet", world->schema, &err));
    ok(stoa_tables_each(world->db, note_name, text, &err));
    assert_string_equal(text, "A(memory,0) b(parquet,3) c(parquet,0) ");
    table_world_reopen(world);
    text[0] = '\0';
    ok(stoa_tables_each(world->db, note_name, text, &err));
    assert_string_equal(text, "b(parquet,3) c(parquet,0) ");
}

static int attachments;
static stoa_status attach(stoa_database *db, void **out, stoa_error *err) {
    (void)err;
    attachments++;
    *out = db;
    return STOA_OK;
}
static void detach(void *attachment) {
    (void)attachment;
    attachments--;
}

static void attachments_are_made_once_and_closed_with_it(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    void *first = NULL, *second = NULL;
    attachments = 0;
    assert_null(stoa_database_find_attachment(world->db, "x"));
    ok(stoa_database_attachment(world->db, "x", attach, detach, &first, &err));
    ok(stoa_database_attachment(world->db, "x", attach, detach, &second, &err));
    assert_ptr_equal(first, second);
    assert_int_equal(attachments, 1);
    assert_ptr_equal(stoa_database_find_attachment(world->db, "x"), first);
    table_world_reopen(world);
    assert_int_equal(attachments, 0);
}

static void a_directory_without_write_permission_is_read(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    stoa_database_close(world->db);
    world->db = NULL;
    char leases[SUPPORT_PATH_BYTES + 16];
    (void)snprintf(leases, sizeof leases, "%s/leases", world->path);
    char parent[SUPPORT_PATH_BYTES];
    (void)snprintf(parent, sizeof parent, "%s", world->path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(chmod(parent, 0755) + chmod(world->path, 0555) + chmod(leases, 0555), 0);
    char above[SUPPORT_PATH_BYTES];
    (void)snprintf(above, sizeof above, "%s", parent);
    *strrchr(above, '/') = '\0';
    if (strstr(above, "stoa-test-") != NULL) { /* this run's own as well */
        assert_int_equal(chmod(above, 0755), 0);
    }
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stoa_database *db = NULL;
        stoa_plan *plan = NULL;
        stoa_database_options options = STOA_DATABASE_DEFAULT;
        options.read_only = true;
        if (getuid() == 0 && setuid(65534) != 0) {
            _exit(77);
        }
        if (access(parent, X_OK) != 0 || access(world->path, R_OK) != 0) {
            _exit(77); /* the folders above belong to somebody else */
        }
        bool done = stoa_database_open(world->path, &options, &db, &err) == STOA_OK &&
                    stoa_table_plan(db, NULL, "t", NULL, NULL, &plan, &err) == STOA_OK &&
                    stoa_plan_row_count(plan) == 10;
        if (!done) {
            (void)fprintf(stderr, "%s\n", err.message);
        }
        _exit(done ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(world->path, 0755) + chmod(leases, 0755), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_database_is_made_once_and_found_again),
        TEST(a_file_in_the_place_of_a_directory_is_an_error),
        TEST(names_are_any_text_without_control_characters),
        TEST(a_wrong_name_brings_the_nearest_one),
        TEST(a_rename_touches_no_file),
        TEST(files_are_rolled_and_given_up_ones_are_removed),
        TEST(options_of_sinks_are_checked),
        TEST(an_overwrite_may_bring_other_columns),
        TEST(expired_files_go_when_no_reader_is_left),
        TEST(a_reader_in_another_handle_keeps_files_too),
        TEST(what_a_dead_process_left_is_removed),
        TEST(a_forked_child_may_not_use_it),
        TEST(a_newer_format_is_refused_by_name),
        TEST(changed_rows_are_found),
        TEST(verify_names_every_damaged_file),
        TEST(tables_are_listed_by_name),
        TEST(attachments_are_made_once_and_closed_with_it),
        TEST(a_directory_without_write_permission_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
