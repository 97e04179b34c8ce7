/* Several threads read one open file at a time, each with a stream of its own whose row groups or columns
 * are decoded by tasks of one scheduler; a read is cancelled in the middle of others, a stream is let
 * go of early, pages are damaged, one large row group is cut. */
#include <pthread.h>

#include "parquet/footer.h"
#include "parquet/scan.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

enum { ROWS = 3000, THREADS = 3, ROUNDS = 4 };

static const char nested[] = "a long, b struct<c: list<string>, d: map<int, double>>, e boolean, "
                             "f string, g decimal(30,3), h list<list<int>>";
/* Columns of one cost, enough of them to be decoded side by side. */
static const char even[] = "a long, b double, c long, d time, e double, f long";

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    const stoa_schema *schema;
    struct ArrowArray rows;
    struct ArrowSchema arrow;
    stoa_file *file;
};

static void open_world(struct world *world, const char *schema, int64_t row_count,
                       int64_t row_group_rows) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {20, 0, 3, 30, false};
    const stoa_sched_options sched = {.threads = 3};
    struct ArrowArray view;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    options.row_group_rows = row_group_rows;
    options.page_bytes = 2000;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool, schema, &world->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    rows_batch(11, world->schema, &kind, row_count, &world->rows);
    rows_view(&world->rows, 0, row_count, true, &view);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", world->schema, &options, &view,
                         NULL, &err),
              err);
    assert_ok(stoa_sched_create(world->pool, &sched, &world->context.sched, &err), err);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
}

static void close_world(struct world *world) {
    stoa_file_close(world->file);
    stoa_sched_close(world->context.sched);
    world->rows.release(&world->rows);
    stoa_arrow_schema_release(&world->arrow);
    stoa_schema_close(world->schema);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

struct reading {
    struct world *world;
    stoa_cancel *cancel;
    stoa_status status;
};

/* cmocka's assertions are for the main thread. */
static void *read_rows(void *user) {
    struct reading *reading = user;
    struct world *world = reading->world;
    stoa_context context = world->context;
    const stoa_parquet_read_options options = {.batch_rows = world->rows.length > ROWS ? 0 : 97};
    context.cancel = reading->cancel;
    for (int i = 0; i < ROUNDS && reading->status == STOA_OK; i++) {
        stoa_error err = STOA_ERROR_NONE;
        struct ArrowSchema schema;
        struct ArrowArray rows;
        reading->status = read_back(&context, world->file, &options, &schema, &rows, &err);
        if (reading->status == STOA_OK) {
            reading->status = stoa_arrow_compare(&world->arrow, &world->rows, &schema, &rows, &err);
        }
        stoa_arrow_array_release(&rows);
        stoa_arrow_schema_release(&schema);
    }
    return NULL;
}

static void run_readings(struct world *world, bool cancels) {
    stoa_error err = STOA_ERROR_NONE;
    struct reading readings[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        readings[i] = (struct reading){.world = world};
        assert_ok(stoa_cancel_create(NULL, &readings[i].cancel, &err), err);
        assert_int_equal(pthread_create(&threads[i], NULL, read_rows, &readings[i]), 0);
    }
    if (cancels) {
        stoa_cancel_trigger(readings[0].cancel);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(readings[i].status == STOA_OK ||
                    (cancels && i == 0 && readings[i].status == STOA_CANCELLED));
        stoa_cancel_close(readings[i].cancel);
    }
}

static void threads_read_one_file(void **state) {
    (void)state;
    struct world world;
    open_world(&world, nested, ROWS, 1100);
    run_readings(&world, false);
    close_world(&world);
}

static void a_cancelled_read_leaves_others_alone(void **state) {
    (void)state;
    struct world world;
    open_world(&world, nested, ROWS, 1100);
    for (int i = 0; i < 5; i++) {
        run_readings(&world, true);
    }
    close_world(&world);
}

/* ---- Streams that end early ------------------------------------------------------------------ */

static void let_go_after(struct world *world, int batch_count) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_parquet_read_options options = {.batch_rows = 100};
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    assert_ok(stoa_parquet_reader_open(&world->context, world->file, NULL, &reader, &err), err);
    assert_ok(stoa_parquet_reader_stream(reader, &options, &stream, &err), err);
    for (int i = 0; i < batch_count; i++) {
        struct ArrowArray batch;
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        assert_int_equal(batch.length, 100);
        batch.release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
}

static void a_stream_that_is_let_go_of_leaves_nothing(void **state) {
    (void)state;
    struct world world;
    for (int i = 0; i < 2; i++) {
        open_world(&world, i == 0 ? nested : even, ROWS, 1000);
        for (int batches = 0; batches < 25; batches++) {
            let_go_after(&world, batches);
        }
        close_world(&world);
    }
}

/* Flips a bit in the last byte of column `leaf` of row group `group`. */
static void damage(struct world *world, int32_t group, int32_t leaf) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_footer footer;
    stoa_buffer bytes;
    assert_ok(stoa_parquet_footer_read(&world->context, world->file, NULL, &footer, &err), err);
    const stoa_parquet_column *column = &footer.groups[group].columns[leaf];
    const uint64_t at = column->offset + (uint64_t)column->compressed_bytes - 1;
    stoa_parquet_footer_release(&footer);
    stoa_file_close(world->file);
    assert_ok(stoa_vfs_read_all(world->registry, "memory:/x", NULL, 1 << 24, world->pool, &bytes,
                                &err),
              err);
    bytes.data[at] ^= 1;
    assert_ok(stoa_vfs_replace(world->registry, "memory:/x", NULL, bytes.data, bytes.size, &err),
              err);
    stoa_buffer_release(&bytes);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
}

/* Rows that came before the failure. */
static int64_t read_to_failure(struct world *world, stoa_sched *sched, stoa_error *err) {
    stoa_context context = world->context;
    const stoa_parquet_read_options options = {.batch_rows = 90};
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    int64_t row_count = 0;
    stoa_status status;
    context.sched = sched;
    assert_ok(stoa_parquet_reader_open(&context, world->file, NULL, &reader, err), *err);
    assert_ok(stoa_parquet_reader_stream(reader, &options, &stream, err), *err);
    while (true) {
        struct ArrowArray batch;
        status = stoa_stream_next(&stream, &batch, err);
        if (status != STOA_OK) {
            break;
        }
        assert_non_null(batch.release);
        row_count += batch.length;
        batch.release(&batch);
    }
    assert_int_equal(status, STOA_CORRUPT);
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
    return row_count;
}

/* A later row group is damaged too, in a column that others overtake. */
static void the_failure_of_the_earliest_batch_ends_a_stream(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world world;
        stoa_error alone = STOA_ERROR_NONE, among = STOA_ERROR_NONE;
        open_world(&world, i == 0 ? nested : even, ROWS, 500);
        damage(&world, 4, 0);
        damage(&world, 2, 3);
        const int64_t row_count = read_to_failure(&world, NULL, &alone);
        assert_in_range(row_count, 1000, 1499);
        for (int round = 0; round < 20; round++) {
            assert_int_equal(read_to_failure(&world, world.context.sched, &among), row_count);
            assert_string_equal(among.message, alone.message);
        }
        close_world(&world);
    }
}

/* ---- One large row group --------------------------------------------------------------------- */

struct summing {
    uint64_t sum; /* of the first column */
    uint64_t row_count;
    stoa_pool *pool;
};

static stoa_status open_sum(void *state, const stoa_context *context, void **out_local,
                            stoa_error *err) {
    (void)state;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, 2 * sizeof(uint64_t), &memory, err));
    *out_local = memory;
    return STOA_OK;
}

static stoa_status add_up(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    (void)state;
    (void)err;
    uint64_t *sums = local;
    const uint64_t *values = morsel->batch.children[0]->buffers[1];
    for (int64_t i = 0; i < morsel->batch.length; i++) {
        sums[0] += values[i];
    }
    sums[1] += (uint64_t)morsel->batch.length;
    return STOA_OK;
}

static stoa_status combine(void *state, void *local, stoa_error *err) {
    (void)err;
    struct summing *summing = state;
    const uint64_t *sums = local;
    summing->sum += sums[0];
    summing->row_count += sums[1];
    return STOA_OK;
}

static void close_sum(void *state, void *local) {
    stoa_pool_free(((struct summing *)state)->pool, local, 2 * sizeof(uint64_t));
}

static void one_large_row_group_is_read_in_parts(void **state) {
    (void)state;
    enum { LARGE_ROWS = 450000 };
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_reader *reader;
    stoa_parquet_scan *scan;
    const stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    struct summing summing = {0};
    uint64_t expected = 0;
    open_world(&world, "a long not null, b double not null", LARGE_ROWS, LARGE_ROWS);
    const struct ArrowArray *column = world.rows.children[0];
    const uint64_t *values = column->buffers[1];
    for (int64_t i = 0; i < LARGE_ROWS; i++) {
        expected += values[world.rows.offset + column->offset + i];
    }
    summing.pool = world.pool;
    assert_ok(stoa_parquet_reader_open(&world.context, world.file, NULL, &reader, &err), err);
    assert_ok(stoa_parquet_scan_open(reader, &options, &scan, &err), err);
    stoa_pipeline pipeline = {.source = stoa_parquet_scan_source(scan),
                              .sink = {.state = &summing,
                                       .open_local = open_sum,
                                       .consume = add_up,
                                       .combine = combine,
                                       .close_local = close_sum}};
    stoa_parquet_scan_options(scan, &pipeline.options);
    assert_int_equal(pipeline.options.lanes, 3);
    assert_ok(stoa_pipeline_run(&pipeline, &world.context, &err), err);
    assert_true(summing.sum == expected);
    assert_int_equal(summing.row_count, LARGE_ROWS);
    stoa_parquet_scan_close(scan);
    stoa_parquet_reader_close(reader);

    struct reading reading = {.world = &world};
    read_rows(&reading); /* in order */
    assert_int_equal(reading.status, STOA_OK);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_read_one_file),
        cmocka_unit_test(a_cancelled_read_leaves_others_alone),
        cmocka_unit_test(a_stream_that_is_let_go_of_leaves_nothing),
        cmocka_unit_test(the_failure_of_the_earliest_batch_ends_a_stream),
        cmocka_unit_test(one_large_row_group_is_read_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
