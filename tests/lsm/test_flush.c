/* Flushes: nested columns, times to live, cancelling, nothing to write. */
#include "lsm/flush.h"

#include "arrow/array.h"
#include "flushed.h"
#include "rows.h"

enum { ROWS = 20000, BATCHES = 7 };

struct world {
    support_world base;
    const stoa_schema *schema;
    stoa_definition *definition;
    stoa_memtable *table;
    stoa_cancel *cancel;
    _Atomic uint64_t file_number;
};

static void world_open(struct world *world, const char *schema,
                       const stoa_state_table_options *options) {
    stoa_error err;
    *world = (struct world){.file_number = 0};
    support_world_open(&world->base);
    stoa_pool *pool = world->base.pool;
    assert_ok(stoa_vfs_make_directory(world->base.registry, FLUSHED_DIRECTORY, NULL, &err), err);
    assert_ok(stoa_schema_parse(pool, schema, &world->schema, &err), err);
    assert_ok(stoa_definition_create(pool, world->schema, options, &world->definition, &err), err);
    assert_ok(stoa_memtable_create(pool, &world->definition->layout, &world->table, &err), err);
    assert_ok(stoa_cancel_create(NULL, &world->cancel, &err), err);
}

static void world_close(struct world *world) {
    stoa_cancel_close(world->cancel);
    stoa_memtable_close(world->table);
    stoa_definition_release(world->definition);
    stoa_schema_close(world->schema);
    support_world_close(&world->base);
}

static stoa_status flush(struct world *world, stoa_table_file **out, stoa_error *err) {
    const stoa_flush_options options = {
        .context = {.pool = world->base.pool, .cancel = world->cancel},
        .file_systems = world->base.registry,
        .directory = FLUSHED_DIRECTORY,
        .definition = world->definition,
        .new_file = flushed_next_file,
        .new_file_user = &world->file_number,
    };
    return stoa_flush_run(&world->table, 1, &options, out, err);
}

static void put(struct world *world, stoa_operation operation, const stoa_cell *cells) {
    stoa_error err;
    const uint64_t sequence = (uint64_t)stoa_memtable_row_count(world->table) + 1;
    assert_ok(stoa_memtable_stage_row(world->table, cells, operation, sequence, &err), err);
    stoa_memtable_publish(world->table);
}

/* ---- Nested columns -------------------------------------------------------------------------- */

/* Each column of the file, stripe by stripe, is what the batches have in the order of the keys. Keys
 * are different from each other, so that all rows stay. */
static void check_columns(struct world *world, const stoa_table_file *file,
                          const struct ArrowSchema *arrow, const struct ArrowArray *rows,
                          const int64_t *order) {
    stoa_pool *pool = world->base.pool;
    int64_t done = 0;
    for (int64_t i = 0; i < file->info.row_count; i += STOA_STRIPE_ROWS, done++) {
        const stoa_stripe *stripe = stoa_sst_stripe_at(file->sst, done);
        const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
        for (int32_t column = 1; column < rows->n_children; column++) {
            struct ArrowArray found, expected;
            stoa_error err;
            assert_ok(stoa_stripe_column(stripe, pool, column, &all, &found, &err), err);
            assert_ok(stoa_arrow_take(pool, arrow->children[column], rows->children[column],
                                      order + i, stripe->row_count, &expected, &err),
                      err);
            assert_ok(stoa_arrow_compare(arrow->children[column], &expected,
                                         arrow->children[column], &found, &err),
                      err);
            stoa_arrow_array_release(&found);
            stoa_arrow_array_release(&expected);
        }
    }
}

static void nested_columns(void **state) {
    static int64_t order[ROWS];
    const stoa_state_table_options options = {.key = "k"};
    const struct rows_options random_options = {20, 0, 3, 12, false};
    support_random random = support_random_open("lsm.flush");
    struct world world;
    struct ArrowSchema arrow;
    struct ArrowArray rows;
    stoa_table_file *file;
    stoa_error err;
    (void)state;
    world_open(&world,
               "k long not null, a list<int>, b map<string, double>, c boolean, d string, "
               "s struct<x: long, y: list<string>>, u uuid not null",
               &options);
    stoa_pool *pool = world.base.pool;
    assert_ok(stoa_schema_to_arrow(pool, world.schema, &arrow, &err), err);
    rows_batch(support_random_u64(&random), world.schema, &random_options, ROWS, &rows);
    int64_t *keys = (int64_t *)(uintptr_t)rows.children[0]->buffers[1] + rows.children[0]->offset +
                    rows.offset;
    for (int64_t i = 0; i < ROWS; i++) {
        keys[i] = i * 7919 % ROWS - 100; /* 7919 is prime: all of them are different */
        order[keys[i] + 100] = i;
    }
    for (int64_t i = 0; i < BATCHES; i++) {
        const int64_t first = ROWS * i / BATCHES;
        struct ArrowArray slice;
        assert_ok(stoa_arrow_slice(pool, &rows, first, ROWS * (i + 1) / BATCHES - first, &slice,
                                   &err),
                  err);
        assert_ok(stoa_memtable_append(world.table, &slice, STOA_OPERATION_PUT, (uint64_t)first + 1,
                                       &err),
                  err);
    }
    assert_ok(flush(&world, &file, &err), err);
    assert_int_equal(file->info.row_count, ROWS);
    check_columns(&world, file, &arrow, &rows, order);
    stoa_table_file_release(file);
    stoa_arrow_array_release(&rows);
    stoa_arrow_schema_release(&arrow);
    world_close(&world);
}

/* ---- Times to live ---------------------------------------------------------------------------- */

static int64_t expiry_of(struct world *world) {
    stoa_table_file *file;
    stoa_error err;
    assert_ok(flush(world, &file, &err), err);
    const int64_t expires_ms = file->info.expires_ms;
    stoa_table_file_release(file);
    return expires_ms;
}

static void files_of_rows_that_end(void **state) {
    const stoa_state_table_options options = {.key = "id", .ttl_column = "at", .ttl_ms = 1000};
    struct world world;
    (void)state;
    world_open(&world, "id int not null, at timestamp_ms", &options);
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 1}, {.i = 5000}});
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 2}, {.i = 7000}});
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 3}, {.i = -9000}});
    assert_int_equal(expiry_of(&world), 8000);
    put(&world, STOA_OPERATION_DELETE, (const stoa_cell[]){{.i = 4}});
    assert_int_equal(expiry_of(&world), 0);
    world_close(&world);

    world_open(&world, "id int not null, at timestamp_ms", &options);
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 3}, {.i = -9000}});
    assert_int_equal(expiry_of(&world), 1); /* long ago, which is not 0: never */
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 5}, {.is_null = true}});
    assert_int_equal(expiry_of(&world), 0);
    world_close(&world);

    world_open(&world, "id int not null, at timestamp_ms", &options);
    put(&world, STOA_OPERATION_MERGE, (const stoa_cell[]){{.i = 1}, {.i = 5000}});
    assert_int_equal(expiry_of(&world), 0);
    world_close(&world);
}

/* ---- Another schema --------------------------------------------------------------------------- */

/* Rows of an older schema are in a file that the newer one reads. */
static void older_rows(void **state) {
    const stoa_state_table_options options = {.key = "id"};
    const stoa_stripe_selection all = {NULL, 0, 1};
    struct world world;
    const stoa_schema *newer;
    stoa_definition *definition;
    stoa_table_file *file;
    struct ArrowArray column;
    stoa_error err;
    (void)state;
    world_open(&world, "id int not null, a int", &options);
    stoa_pool *pool = world.base.pool;
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 1}, {.i = 5}});
    assert_ok(stoa_schema_parse(pool, "id int not null, a long, b string", &newer, &err), err);
    assert_ok(stoa_definition_create(pool, newer, &options, &definition, &err), err);
    stoa_definition *older = world.definition;
    world.definition = definition;
    assert_ok(flush(&world, &file, &err), err);
    assert_int_equal(file->info.row_count, 1);
    const stoa_stripe *stripe = stoa_sst_stripe_at(file->sst, 0);
    assert_ok(stoa_stripe_column(stripe, pool, 1, &all, &column, &err), err);
    assert_int_equal(((const int64_t *)column.buffers[1])[0], 5);
    stoa_arrow_array_release(&column);
    assert_ok(stoa_stripe_column(stripe, pool, 2, &all, &column, &err), err);
    assert_true(stoa_arrow_is_null(&column, 0));
    stoa_arrow_array_release(&column);
    stoa_table_file_release(file);
    world.definition = older;
    stoa_definition_release(definition);
    stoa_schema_close(newer);
    world_close(&world);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void cancelled(void **state) {
    const stoa_state_table_options options = {.key = "id"};
    struct world world;
    stoa_table_file *file;
    stoa_error err;
    (void)state;
    world_open(&world, "id int not null", &options);
    put(&world, STOA_OPERATION_PUT, (const stoa_cell[]){{.i = 1}});
    stoa_cancel_trigger(world.cancel);
    assert_fails(flush(&world, &file, &err), STOA_CANCELLED, NULL, err);
    assert_null(file);
    assert_int_equal(flushed_files(world.base.registry), 0);
    world_close(&world);
}

static void nothing_to_write(void **state) {
    const stoa_state_table_options options = {.key = "id"};
    struct world world;
    stoa_table_file *file;
    stoa_error err;
    (void)state;
    world_open(&world, "id int not null", &options);
    assert_ok(flush(&world, &file, &err), err);
    assert_null(file);
    assert_int_equal(flushed_files(world.base.registry), 0);

    const stoa_key_range range = {.to_end = true, .sequence = 3};
    assert_ok(stoa_memtable_stage_range(world.table, &range, &err), err);
    stoa_memtable_publish(world.table);
    assert_ok(flush(&world, &file, &err), err);
    assert_int_equal(file->info.row_count, 0);
    assert_int_equal(file->info.delete_count, 1);
    assert_int_equal(file->info.sequence_max, 3);
    assert_int_equal(stoa_range_set_cover(stoa_sst_ranges(file->sst), NULL, 0, 9), 3);
    stoa_table_file_release(file);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_columns),   cmocka_unit_test(files_of_rows_that_end),
        cmocka_unit_test(older_rows),       cmocka_unit_test(cancelled),
        cmocka_unit_test(nothing_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
