/* Flushes, and outputs of several files, while memory runs out, files cannot be written and the machine
 * goes down: files are there as a whole and durable, or there is none. */
#include "flushed.h"
#include "lsm/flush.h"

enum { ROWS = 9000, SINGLE_ROWS = 40, PARTS = 3, PART_ROWS = 50 };

/* The same in every run; the last rows come one by one. */
struct given {
    struct table_format format;
    stoa_definition *definition;
    stoa_memtable *table;
};

static void given_open(stoa_pool *pool, struct given *given) {
    static int32_t ids[ROWS];
    static int64_t values[ROWS];
    struct ArrowArray batch;
    stoa_error err;
    table_format_open(pool, true, &given->format);
    given->definition = flushed_definition(&given->format);
    assert_ok(stoa_memtable_create(pool, &given->definition->layout, &given->table, &err), err);
    for (int32_t i = 0; i < ROWS; i++) {
        ids[i] = (i * 7919 + 13) % (2 * ROWS);
        values[i] = i;
    }
    table_batch(&given->format, ids, values, ROWS, &batch);
    assert_ok(stoa_memtable_append(given->table, &batch, STOA_OPERATION_PUT, 1, &err), err);
    for (int32_t i = 0; i < SINGLE_ROWS; i++) {
        stoa_cell cells[3];
        char text[32];
        table_cells(&given->format, ids[i], 0, text, cells);
        assert_ok(stoa_memtable_stage_row(given->table, cells, STOA_OPERATION_DELETE,
                                          (uint64_t)(ROWS + 1 + i), &err),
                  err);
    }
    const stoa_key_range range = {.to_end = true, .sequence = 1};
    assert_ok(stoa_memtable_stage_range(given->table, &range, &err), err);
    stoa_memtable_publish(given->table);
}

static void given_close(struct given *given) {
    stoa_memtable_close(given->table);
    stoa_definition_release(given->definition);
    table_format_close(&given->format);
}

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    return stoa_vfs_make_directories(world->registry, FLUSHED_DIRECTORY, NULL, err);
}

static stoa_status flush(support_world *world, void *user, stoa_error *err) {
    const struct given *given = user;
    _Atomic uint64_t file_number = 0;
    const uint64_t snapshots[] = {ROWS / 2, ROWS + SINGLE_ROWS};
    const stoa_flush_options options = {
        .context = {.pool = world->pool},
        .file_systems = world->registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = given->definition,
        .snapshots = snapshots,
        .snapshot_count = 2,
        .new_file = flushed_next_file,
        .new_file_user = &file_number,
    };
    stoa_table_file *file = NULL;
    const stoa_status status = stoa_flush_run(&given->table, 1, &options, &file, err);
    assert_int_equal(file != NULL, status == STOA_OK);
    stoa_table_file_release(file);
    return status;
}

static void check_file(support_world *world, const struct given *given) {
    const stoa_context context = {.pool = world->pool};
    stoa_file *file;
    stoa_sst *sst;
    stoa_error err;
    assert_ok(stoa_vfs_open(world->registry, FLUSHED_DIRECTORY "/0000000000000001.sst",
                            STOA_OPEN_READ, &context, &file, &err),
              err);
    assert_ok(stoa_sst_open(&context, file, &given->definition->layout, &sst, &err), err);
    assert_ok(stoa_sst_verify(sst, &err), err);
    assert_true(stoa_sst_summary_of(sst)->row_count >= ROWS);
    assert_int_equal(stoa_sst_summary_of(sst)->delete_count, SINGLE_ROWS + 1);
    assert_int_equal(stoa_sst_ranges(sst)->count, 1);
    stoa_sst_close(sst);
}

/* What cannot be removed, because all calls fail, stays until the store is opened again. */
static void check_whole(support_world *world, void *user, stoa_status status) {
    if (status == STOA_OK) {
        check_file(world, user);
    }
}

static void check_none_or_whole(support_world *world, void *user, stoa_status status) {
    assert_int_equal(flushed_files(world->registry), status == STOA_OK);
    check_whole(world, user, status);
}

/* ---- Several files --------------------------------------------------------------------------- */

struct part {
    const struct given *given;
    int32_t first;
};

static stoa_status fill(void *user, stoa_output_rows *rows, stoa_error *err) {
    const struct part *part = user;
    int32_t ids[PART_ROWS];
    int64_t values[PART_ROWS];
    for (int32_t i = 0; i < PART_ROWS; i++) {
        const uint64_t sequence = 1;
        ids[i] = part->first + i;
        values[i] = ids[i];
        STOA_TRY(stoa_buffer_append(&rows->sequences, &sequence, sizeof sequence, err));
        STOA_TRY(stoa_buffer_append_byte(&rows->operations, STOA_OPERATION_PUT, err));
    }
    table_batch(&part->given->format, ids, values, PART_ROWS, &rows->batch);
    return stoa_keys_append(&part->given->definition->key, &rows->batch, 0, PART_ROWS, &rows->keys,
                            err);
}

/* A file for each part; a range goes through all of them. */
static stoa_status write_parts(stoa_output *output, const struct given *given, stoa_error *err) {
    struct part parts[PARTS];
    stoa_table_file *const *files;
    int64_t count = 0;
    const stoa_key_range range = {.to_end = true, .sequence = 9};
    STOA_TRY(stoa_output_add_range(output, &range, err));
    for (int32_t i = 0; i < PARTS; i++) {
        parts[i] = (struct part){given, 40000 + 4 * PART_ROWS * i};
        STOA_TRY(
            stoa_output_add(output, &(stoa_output_source){.fill = fill, .user = &parts[i]}, err));
    }
    STOA_TRY(stoa_output_finish(output, &files, &count, err));
    assert_int_equal(count, PARTS);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(stoa_sst_ranges(files[i]->sst)->count, 1);
        assert_int_equal(files[i]->info.row_count, PART_ROWS);
    }
    return STOA_OK;
}

static stoa_status write_files(support_world *world, void *user, stoa_error *err) {
    const struct given *given = user;
    _Atomic uint64_t file_number = 0;
    const stoa_output_options options = {
        .context = {.pool = world->pool},
        .file_systems = world->registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = given->definition,
        .level = 1,
        .file_bytes = 1,
        .new_file = flushed_next_file,
        .new_file_user = &file_number,
    };
    stoa_output *output = NULL;
    stoa_status status = stoa_output_create(&options, &output, err);
    if (status == STOA_OK) {
        status = write_parts(output, given, err);
    }
    stoa_output_close(output);
    return status;
}

static void check_no_files_or_all(support_world *world, void *user, stoa_status status) {
    (void)user;
    assert_int_equal(flushed_files(world->registry), status == STOA_OK ? PARTS : 0);
}

static void check_files(support_world *world, void *user, stoa_status status) {
    if (status == STOA_OK) {
        check_no_files_or_all(world, user, status);
    }
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void memory_runs_out(void **state) {
    struct given given;
    stoa_pool *pool = support_pool_open();
    (void)state;
    given_open(pool, &given);
    assert_true(support_fail_each_allocation(prepare, flush, check_none_or_whole, &given) > 50);
    assert_true(support_fail_each_allocation(prepare, write_files, check_no_files_or_all, &given) >
                50);
    given_close(&given);
    support_pool_close(pool);
}

static void calls_fail(void **state) {
    struct given given;
    stoa_pool *pool = support_pool_open();
    (void)state;
    given_open(pool, &given);
    assert_true(support_fail_each_call(prepare, flush, check_whole, &given) > 5);
    assert_true(support_fail_each_call(prepare, write_files, check_files, &given) > 15);
    given_close(&given);
    support_pool_close(pool);
}

static void the_machine_goes_down(void **state) {
    struct given given;
    stoa_pool *pool = support_pool_open();
    (void)state;
    given_open(pool, &given);
    assert_true(support_crash_at_each_call(prepare, flush, check_whole, 3, &given) > 5);
    assert_true(support_crash_at_each_call(prepare, write_files, check_files, 3, &given) > 15);
    given_close(&given);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(calls_fail),
        cmocka_unit_test(the_machine_goes_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
