/* Tables of the kind state, as tables of a database: made, listed, written by sinks, read by plans. */
#include <stoa/state.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "table_world.h"
#include "vfs/vfs.h"

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

static stoa_status load(table_world *world, stoa_transaction *transaction, const char *table,
                        stoa_write_mode mode, int64_t first, int64_t count, stoa_error *err) {
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode, .transaction = transaction};
    if (mode == STOA_CREATE) {
        options.kind = "state";
        options.schema = world->schema;
        options.state = &by_id;
    }
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    stoa_status status = STOA_OK;
    if (count > 0) {
        status = table_write_rows(sink, world->pool, &world->arrow, first, count, err);
    }
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

static stoa_status delete_keys(table_world *world, const char *table, const int64_t *keys,
                               int64_t count, stoa_error *err) {
    stoa_sink *sink = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    stoa_builder *builder = NULL;
    STOA_TRY(stoa_sink_open_delete(world->db, NULL, table, NULL, &sink, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_to_arrow(world->pool, stoa_sink_schema(sink), &schema, err));
    STOA_CHECK(stoa_builder_create(world->pool, &schema, &builder, err));
    for (int64_t i = 0; i < count; i++) {
        STOA_CHECK(stoa_builder_append_i64(stoa_builder_child(builder, 0), keys[i], err));
        STOA_CHECK(stoa_builder_finish_value(builder, err));
    }
    STOA_CHECK(stoa_builder_finish(builder, &batch, err));
    STOA_CHECK(stoa_sink_write(sink, &schema, &batch, err));
    STOA_CHECK(stoa_sink_commit(sink, NULL, err));

done:
    stoa_builder_close(builder);
    stoa_arrow_schema_release(&schema);
    stoa_sink_close(sink);
    return status;
}

static int64_t count_where(table_world *world, const char *table, const char *where) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_scan_options options = STOA_SCAN_DEFAULT;
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    int64_t rows = 0;
    options.where = where;
    options.columns = "name";
    ok(stoa_scan(world->db, table, &options, &stream, &err));
    for (;;) {
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        if (batch.release == NULL) {
            break;
        }
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    return rows;
}

static void rows_are_put_by_key_and_read_in_its_order(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(stoa_state_create(world->db, "t", world->schema, &by_id, &err));
    table_assert_range(world, NULL, "t", 0, 0);
    ok(load(world, NULL, "t", STOA_APPEND, 500, 500, &err));
    ok(load(world, NULL, "t", STOA_APPEND, 0, 600, &err)); /* 100 of them again */
    table_assert_range(world, NULL, "T", 0, 1000);
    ok(load(world, NULL, "t", STOA_OVERWRITE, 7, 3, &err));
    table_assert_range(world, NULL, "t", 7, 3);
    table_world_reopen(world);
    table_assert_range(world, NULL, "t", 7, 3);
}

static void a_handle_and_a_sink_write_the_same_rows(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(stoa_state_open(world->db, "t", &table, &err));
    const stoa_cell row[] = {{.i = 10}, {.bytes = "n10", .size = 3}};
    ok(stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, &err));
    const stoa_cell key = {.i = 0};
    ok(stoa_state_delete(table, &key, STOA_DURABILITY_DEFAULT, &err));
    table_assert_range(world, NULL, "t", 1, 10);
    ok(stoa_state_flush(table, &err));
    table_assert_range(world, NULL, "t", 1, 10);
    stoa_state_close(table);
}

static void keys_are_deleted_by_a_sink(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    const int64_t keys[] = {99, 0, 5000};
    ok(load(world, NULL, "t", STOA_CREATE, 0, 100, &err));
    ok(delete_keys(world, "t", keys, 3, &err));
    table_assert_range(world, NULL, "t", 1, 98);
}

static void predicates_take_exactly_their_rows(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 300000, &err));
    for (int round = 0; round < 2; round++) { /* from memory, from files */
        assert_int_equal(count_where(world, "t", "id = 77"), 1);
        assert_int_equal(count_where(world, "t", "id = 300000"), 0);
        assert_int_equal(count_where(world, "t", "id > 10 and id <= 20"), 10);
        assert_int_equal(count_where(world, "t", "id >= 299990"), 10);
        assert_int_equal(count_where(world, "t", "id < 5 or id > 299998"), 6);
        assert_int_equal(count_where(world, "t", "name = 'n4'"), 1);
        assert_int_equal(count_where(world, "t", "id < 1000 and name like 'n99%'"), 11);
        ok(stoa_state_open(world->db, "t", &table, &err));
        ok(stoa_state_flush(table, &err));
        stoa_state_close(table);
    }
}

struct found {
    int count;
    int64_t rows;
    int64_t files;
};

static stoa_status find_table(void *user, const stoa_table_info *info, stoa_error *err) {
    struct found *found = user;
    (void)err;
    assert_string_equal(info->kind, "state");
    found->count++;
    found->rows = info->row_count;
    found->files = info->file_count;
    return STOA_OK;
}

static stoa_status find_file(void *user, const stoa_file_entry *file, stoa_error *err) {
    (void)err;
    assert_memory_equal(file->path, "state/", 6);
    ++*(int *)user;
    return STOA_OK;
}

static void tables_are_listed_renamed_and_dropped(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    struct found found = {0};
    stoa_state *table = NULL;
    int files = 0;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 100, &err));
    ok(stoa_tables_each(world->db, find_table, &found, &err));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.rows, -1); /* in memory: older versions are not told from newer ones */
    ok(stoa_state_open(world->db, "t", &table, &err));
    ok(stoa_state_flush(table, &err));
    stoa_state_close(table);
    ok(stoa_table_files(world->db, "t", find_file, &files, &err));
    assert_int_equal(files, 1);
    ok(stoa_table_rename(world->db, "t", "u", &err));
    table_assert_range(world, NULL, "u", 0, 100);
    ok(stoa_table_drop(world->db, "u", &err));
    assert_false(stoa_table_exists(world->db, NULL, "u"));
    found.count = 0;
    ok(stoa_tables_each(world->db, find_table, &found, &err));
    assert_int_equal(found.count, 0);
    ok(load(world, NULL, "u", STOA_CREATE, 5, 1, &err));
    table_assert_range(world, NULL, "u", 5, 1);
}

static void what_a_transaction_may_hold(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    ok(load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    ok(load(world, NULL, "b", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 10, &err));

    ok(stoa_transaction_begin(world->db, &transaction,
                              &err)); /* several state tables are one commit */
    ok(load(world, transaction, "a", STOA_APPEND, 10, 10, &err));
    ok(load(world, transaction, "b", STOA_APPEND, 10, 5, &err));
    table_assert_range(world, NULL, "a", 0, 10);
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    table_assert_range(world, NULL, "a", 0, 20);
    table_assert_range(world, NULL, "b", 0, 15);

    ok(stoa_transaction_begin(world->db, &transaction, &err)); /* with another kind they are two */
    ok(load(world, transaction, "a", STOA_APPEND, 20, 10, &err));
    ok(table_load(world, transaction, "p", STOA_APPEND, 10, 10, &err));
    assert_int_equal(stoa_transaction_commit(transaction, &err), STOA_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'a'"));
    assert_non_null(strstr(err.message, "'p'"));
    stoa_transaction_close(transaction);
    table_assert_range(world, NULL, "a", 0, 20);

    ok(stoa_transaction_begin(world->db, &transaction, &err)); /* new ones come with the catalog */
    ok(load(world, transaction, "c", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, transaction, "p", STOA_APPEND, 10, 10, &err));
    assert_false(stoa_table_exists(world->db, NULL, "c"));
    ok(stoa_transaction_commit(transaction, &err));
    stoa_transaction_close(transaction);
    table_assert_range(world, NULL, "c", 0, 10);
}

static void a_transaction_reads_one_moment(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_transaction *transaction = NULL;
    stoa_plan *plan = NULL;
    ok(load(world, NULL, "a", STOA_CREATE, 0, 10, &err));
    ok(load(world, NULL, "b", STOA_CREATE, 0, 10, &err));
    ok(stoa_transaction_begin(world->db, &transaction, &err));
    table_assert_range(world, transaction, "a", 0, 10);
    ok(load(world, NULL, "b", STOA_APPEND, 10, 10, &err));
    table_assert_range(world, transaction, "b", 0, 10);
    table_assert_range(world, NULL, "b", 0, 20);
    ok(load(world, transaction, "a", STOA_APPEND, 10, 1, &err));
    assert_int_equal(stoa_table_plan(world->db, transaction, "a", NULL, NULL, &plan, &err),
                     STOA_UNSUPPORTED); /* its own rows are not in what it would read */
    stoa_transaction_close(transaction);
    table_assert_range(world, NULL, "a", 0, 10);
}

static void what_cannot_be_made_is_said(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    assert_int_equal(stoa_table_create(world->db, "t", "state", world->schema, &err), STOA_INVALID);
    assert_non_null(strstr(err.message, "key"));
    const stoa_state_table_options wrong = {.key = "nobody"};
    assert_int_equal(stoa_state_create(world->db, "t", world->schema, &wrong, &err), STOA_INVALID);
    assert_false(stoa_table_exists(world->db, NULL, "t"));
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 10, &err));
    assert_int_equal(stoa_state_open(world->db, "p", &table, &err), STOA_INVALID);
    assert_int_equal(stoa_state_open(world->db, "q", &table, &err), STOA_NOT_FOUND);
    ok(stoa_state_create(world->db, "t", world->schema, &by_id, &err));
    assert_int_equal(stoa_state_create(world->db, "T", world->schema, &by_id, &err), STOA_EXISTS);
    const stoa_state_options options = {.memtable_bytes = 1 << 20};
    assert_int_equal(stoa_state_configure(world->db, &options, &err), STOA_INVALID);
}

static void damage_is_found_by_verify(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    int64_t files = 0;
    uint64_t bytes = 0;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 50000, &err));
    ok(stoa_state_open(world->db, "t", &table, &err));
    ok(stoa_state_flush(table, &err));
    stoa_state_close(table);
    ok(stoa_database_verify(world->db, NULL, NULL, NULL, NULL, &files, &bytes, &err));
    assert_int_equal(files, 1);
    assert_true(bytes > 0);
    stoa_database_close(world->db);
    char command[SUPPORT_PATH_BYTES + 200];
    (void)snprintf(command, sizeof command,
                   "printf '\\377\\000\\377' | dd of=\"$(ls %s/state/*.sst)\" bs=1 seek=3000 "
                   "conv=notrunc 2>/dev/null",
                   world->path);
    assert_int_equal(system(command), 0);
    ok(table_world_try_open(world, false, &err));
    assert_int_equal(stoa_database_verify(world->db, NULL, NULL, NULL, NULL, &files, &bytes, &err),
                     STOA_CORRUPT);
    assert_non_null(strstr(err.message, ".sst"));
}

static void small_memtables(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_state_options options = {.memtable_bytes = 256 << 10};
    ok(stoa_state_configure(world->db, &options, &err));
}

static int64_t file_count(table_world *world, const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    int files = 0;
    ok(stoa_table_files(world->db, table, find_file, &files, &err));
    return files;
}

/* Several batches, so that files are written while others come. */
static stoa_status load_in_batches(table_world *world, stoa_write_mode mode, int64_t first,
                                   int64_t count, int64_t step, stoa_error *err) {
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = mode};
    STOA_TRY(stoa_sink_open(world->db, "t", &options, &sink, err));
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < count && status == STOA_OK; i += step) {
        status = table_write_rows(sink, world->pool, &world->arrow, first + i,
                                  i + step < count ? step : count - i, err);
    }
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

static void many_rows_become_files(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    small_memtables(world);
    ok(stoa_state_create(world->db, "t", world->schema, &by_id, &err));
    ok(load(world, NULL, "t", STOA_APPEND, 0, 10, &err)); /* stays in memory until the load comes */
    ok(load_in_batches(world, STOA_APPEND, 5, 60000, 1000, &err));
    assert_true(file_count(world, "t") > 1);
    table_assert_range(world, NULL, "t", 0, 60005);
    ok(stoa_state_open(world->db, "t", &table, &err));
    const stoa_cell row[] = {{.i = 60005}, {.bytes = "n60005", .size = 6}};
    ok(stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, &err));
    const stoa_cell key = {.i = 0};
    ok(stoa_state_delete(table, &key, STOA_DURABILITY_DEFAULT, &err));
    table_assert_range(world, NULL, "t", 1, 60005);
    ok(stoa_database_verify(world->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    stoa_state_close(table);
    table_world_reopen(world);
    table_assert_range(world, NULL, "t", 1, 60005); /* read only, from the manifest and the log */
    ok(load_in_batches(world, STOA_OVERWRITE, 100000, 5000, 1000, &err));
    table_assert_range(world, NULL, "t", 100000, 5000);
    ok(stoa_state_open(world->db, "t", &table, &err));
    ok(stoa_state_settle(table, &err));
    stoa_state_close(table);
    table_assert_range(world, NULL, "t", 100000, 5000);
}

/* Nulls of operands change nothing; where no operator is named, the last value stays. */
static void operands_are_merged_by_sinks(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    small_memtables(world);
    ok(stoa_state_create(world->db, "t", world->schema, &by_id, &err));
    ok(load(world, NULL, "t", STOA_APPEND, 0, 1000, &err));
    ok(load(world, NULL, "t", STOA_MERGE, 500, 600, &err)); /* through the log */
    table_assert_range(world, NULL, "t", 0, 1100);
    ok(load_in_batches(world, STOA_MERGE, 900, 60000, 1000, &err));
    assert_true(file_count(world, "t") > 1);
    table_assert_range(world, NULL, "t", 0, 60900);
    table_world_reopen(world);
    table_assert_range(world, NULL, "t", 0, 60900);
    ok(stoa_database_verify(world->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 10, &err));
    stoa_sink *sink = NULL;
    const stoa_sink_options options = {.mode = STOA_MERGE};
    assert_int_equal(stoa_sink_open(world->db, "p", &options, &sink, &err), STOA_UNSUPPORTED);
}

static void files_replace_all_that_was_there(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    stoa_state_snapshot *before = NULL;
    stoa_row *found = NULL;
    bool is_there = false;
    small_memtables(world);
    ok(load(world, NULL, "t", STOA_CREATE, 0, 50000, &err));
    ok(stoa_state_open(world->db, "t", &table, &err));
    ok(stoa_state_snapshot_create(table, &before, &err));
    ok(load_in_batches(world, STOA_OVERWRITE, 40000, 50000, 2000, &err));
    table_assert_range(world, NULL, "t", 40000, 50000);
    ok(stoa_row_create(table, NULL, &found, &err));
    const stoa_cell old = {.i = 7}, new = {.i = 80000};
    ok(stoa_state_get(table, &old, before, found, &is_there, &err)); /* snapshots keep theirs */
    assert_true(is_there);
    ok(stoa_state_get(table, &new, before, found, &is_there, &err));
    assert_false(is_there);
    ok(stoa_state_get(table, &old, NULL, found, &is_there, &err));
    assert_false(is_there);
    ok(stoa_state_get(table, &new, NULL, found, &is_there, &err));
    assert_true(is_there);
    stoa_row_close(found);
    stoa_state_snapshot_close(before);
    ok(stoa_state_settle(table, &err));
    stoa_state_close(table);
    table_assert_range(world, NULL, "t", 40000, 50000);
    table_world_reopen(world);
    table_assert_range(world, NULL, "t", 40000, 50000);
}

static stoa_status count_file(void *user, const char *name, const stoa_file_info *info,
                              stoa_error *err) {
    (void)info;
    (void)err;
    *(int *)user += strstr(name, ".sst") != NULL;
    return STOA_OK;
}

static void a_load_that_is_given_up_leaves_nothing(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_sink *sink = NULL;
    stoa_sink_options options = {.mode = STOA_APPEND};
    char path[SUPPORT_PATH_BYTES + 8];
    int files = 0;
    small_memtables(world);
    ok(stoa_state_create(world->db, "t", world->schema, &by_id, &err));
    ok(stoa_sink_open(world->db, "t", &options, &sink, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 0, 50000, &err));
    ok(table_write_rows(sink, world->pool, &world->arrow, 50000, 50000, &err));
    (void)snprintf(path, sizeof path, "%s/state", world->path);
    ok(stoa_vfs_list(stoa_database_file_systems(world->db), path, NULL, count_file, &files, &err));
    assert_true(files > 0);
    stoa_sink_close(sink);
    files = 0;
    ok(stoa_vfs_list(stoa_database_file_systems(world->db), path, NULL, count_file, &files, &err));
    assert_int_equal(files, 0);
    table_assert_range(world, NULL, "t", 0, 0);
}

/* Runs a function in a process of its own, that has opened nothing yet. */
static void in_another_process(table_world *world, bool read_only,
                               void (*run)(stoa_database *db, table_world *world)) {
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_database_options options = STOA_DATABASE_DEFAULT;
        options.read_only = read_only;
        options.threads = 1;
        stoa_database *db = NULL;
        if (stoa_database_open(world->path, &options, &db, &err) != STOA_OK) {
            _exit(2);
        }
        table_world own = *world;
        own.db = db;
        run(db, &own);
        stoa_database_close(db);
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void expect(bool holds, int code) {
    if (!holds) {
        _exit(code);
    }
}

static void reads_and_is_locked_out(stoa_database *db, table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *table = NULL;
    char process[32];
    (void)snprintf(process, sizeof process, "%d", (int)getppid());
    expect(count_where(world, "t", NULL) == 20, 10);
    expect(load(world, NULL, "t", STOA_APPEND, 0, 1, &err) == STOA_LOCKED, 11);
    expect(strstr(err.message, process) != NULL, 12);
    expect(stoa_state_create(db, "u", world->schema, &by_id, &err) == STOA_LOCKED, 13);
    expect(stoa_state_open(db, "t", &table, &err) == STOA_OK, 14);
    const stoa_cell row[] = {{.i = 10}, {.is_null = true}};
    expect(stoa_state_put(table, row, STOA_DURABILITY_DEFAULT, &err) == STOA_INVALID, 15);
    stoa_state_close(table);
}

static void others_read_what_one_process_writes(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(load(world, NULL, "t", STOA_APPEND, 10, 10, &err));
    in_another_process(world, false, reads_and_is_locked_out);
}

static void *close_soon(void *user) {
    table_world *world = user;
    (void)usleep(60 * 1000);
    stoa_database_close(world->db);
    return NULL;
}

/* Another opening of the same directory stands for another process. */
static void a_second_writer_waits_as_long_as_it_was_told_to(void **state) {
    table_world *world = *state;
    table_world second = *world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_state_options options = {.lock_wait_ms = 50};
    pthread_t closer;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    ok(table_world_try_open(&second, false, &err));
    ok(stoa_state_configure(second.db, &options, &err));
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    assert_int_equal(stoa_state_create(second.db, "u", world->schema, &by_id, &err), STOA_LOCKED);
    assert_in_range(stoa_clock_monotonic_ns() - begun_ns, 50 * 1000000, INT64_MAX);
    table_assert_range(&second, NULL, "t", 0, 10);
    stoa_database_close(second.db);
    ok(table_world_try_open(&second, false, &err));
    options.lock_wait_ms = 60 * 1000;
    ok(stoa_state_configure(second.db, &options, &err));
    assert_int_equal(pthread_create(&closer, NULL, close_soon, world), 0);
    ok(load(&second, NULL, "t", STOA_APPEND, 10, 10, &err));
    (void)pthread_join(closer, NULL);
    table_assert_range(&second, NULL, "t", 0, 20);
    world->db = second.db;
}

static void writes_ten_rows(stoa_database *db, table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    (void)db;
    const int64_t rows = count_where(world, "t", NULL);
    expect(load(world, NULL, "t", STOA_APPEND, rows, 10, &err) == STOA_OK, 20);
}

static void loads_many_rows(stoa_database *db, table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_state_options options = {.memtable_bytes = 256 << 10};
    expect(stoa_state_configure(db, &options, &err) == STOA_OK, 30);
    expect(load_in_batches(world, STOA_APPEND, 10, 30000, 1000, &err) == STOA_OK, 31);
}

static void a_reader_follows_loads_of_files(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    table_world_reopen(world);
    table_assert_range(world, NULL, "t", 0, 10);
    in_another_process(world, false, loads_many_rows);
    table_assert_range(world, NULL, "t", 0, 30010);
}

static void a_reader_follows_writers_and_becomes_one(void **state) {
    table_world *world = *state;
    stoa_error err = STOA_ERROR_NONE;
    ok(load(world, NULL, "t", STOA_CREATE, 0, 10, &err));
    table_world_reopen(world);
    for (int64_t rows = 10; rows < 50; rows += 10) {
        table_assert_range(world, NULL, "t", 0, rows);
        in_another_process(world, false, writes_ten_rows);
    }
    ok(load(world, NULL, "t", STOA_APPEND, 50, 10, &err));
    table_assert_range(world, NULL, "t", 0, 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(rows_are_put_by_key_and_read_in_its_order),
        TEST(a_handle_and_a_sink_write_the_same_rows),
        TEST(keys_are_deleted_by_a_sink),
        TEST(predicates_take_exactly_their_rows),
        TEST(tables_are_listed_renamed_and_dropped),
        TEST(what_a_transaction_may_hold),
        TEST(a_transaction_reads_one_moment),
        TEST(what_cannot_be_made_is_said),
        TEST(damage_is_found_by_verify),
        TEST(many_rows_become_files),
        TEST(operands_are_merged_by_sinks),
        TEST(files_replace_all_that_was_there),
        TEST(a_load_that_is_given_up_leaves_nothing),
        TEST(others_read_what_one_process_writes),
        TEST(a_second_writer_waits_as_long_as_it_was_told_to),
        TEST(a_reader_follows_loads_of_files),
        TEST(a_reader_follows_writers_and_becomes_one),
        cmocka_unit_test_setup_teardown(a_handle_and_a_sink_write_the_same_rows, begin_in_memory,
                                        end),
        cmocka_unit_test_setup_teardown(what_a_transaction_may_hold, begin_in_memory, end),
        cmocka_unit_test_setup_teardown(tables_are_listed_renamed_and_dropped, begin_in_memory,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
