/* Several threads read one open file at a time, each with a stream of its own whose columns are decoded by
 * tasks of one scheduler; a read is cancelled in the middle of others. */
#include <pthread.h>

#include "parquet/writer.h"
#include "read_back.h"
#include "rows.h"

enum { ROWS = 3000, THREADS = 3, ROUNDS = 4 };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    const stoa_schema *schema;
    struct ArrowArray rows;
    struct ArrowSchema arrow;
    stoa_file *file;
};

static void open_world(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file;
    stoa_parquet_writer *writer;
    stoa_parquet_summary summary;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {20, 0, 3, 30, false};
    const stoa_sched_options sched = {.threads = 3};
    struct ArrowArray view;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    options.row_group_rows = 1100;
    options.page_bytes = 2000;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool,
                                "a long, b struct<c: list<string>, d: map<int, double>>, "
                                "e boolean, f string, g decimal(30,3), h list<list<int>>",
                                &world->schema, &err),
              err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_REPLACE, &world->context, &file,
                            &err),
              err);
    assert_ok(stoa_parquet_writer_create(&world->context, file, world->schema, &options, &writer,
                                         &err),
              err);
    rows_batch(11, world->schema, &kind, ROWS, &world->rows);
    rows_view(&world->rows, 0, ROWS, true, &view);
    assert_ok(stoa_parquet_writer_write(writer, &view, &err), err);
    assert_ok(stoa_parquet_writer_finish(writer, &summary, &err), err);
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
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
    const stoa_parquet_read_options options = {.batch_rows = 97};
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
    open_world(&world);
    run_readings(&world, false);
    close_world(&world);
}

static void a_cancelled_read_leaves_others_alone(void **state) {
    (void)state;
    struct world world;
    open_world(&world);
    for (int i = 0; i < 5; i++) {
        run_readings(&world, true);
    }
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_read_one_file),
                                       cmocka_unit_test(a_cancelled_read_leaves_others_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
