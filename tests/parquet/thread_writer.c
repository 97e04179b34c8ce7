/* Encoding on threads: errors and cancellation reach the caller, closing early leaves nothing behind, two
 * writers do not know of each other. */
#include <pthread.h>

#include "parquet/writer.h"
#include "rows.h"

struct job {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    char uri[32];
    int64_t rows;
    int32_t threads;
    stoa_cancel *cancel;
    int64_t cancel_at; /* batch before which the token is triggered; -1: never */
    bool close_early;
    stoa_status status;
    stoa_error error;
};

static stoa_status write_job(struct job *job, stoa_error *err) {
    stoa_context context = {.pool = job->pool, .cancel = job->cancel};
    const stoa_sched_options threads = {.threads = job->threads};
    stoa_status status = STOA_OK;
    const stoa_schema *schema = NULL;
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = 500;
    STOA_CHECK(stoa_sched_create(job->pool, &threads, &context.sched, err));
    STOA_CHECK(stoa_schema_parse(job->pool, "a long, b list<string>, c double, iv interval",
                                 &schema, err));
    STOA_CHECK(stoa_vfs_open(job->registry, job->uri, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(stoa_parquet_writer_create(&context, file, schema, &options, &writer, err));
    const struct rows_options kind = {10, 50, 3, 10, false};
    for (int64_t done = 0, batch = 0; done < job->rows; done += 800, batch++) {
        struct ArrowArray rows;
        if (batch == job->cancel_at) {
            stoa_cancel_trigger(job->cancel);
        }
        rows_batch((uint64_t)batch, schema, &kind, 800, &rows);
        STOA_CHECK(stoa_parquet_writer_write(writer, &rows, err));
    }
    if (!job->close_early) {
        stoa_parquet_summary summary;
        STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));
        stoa_parquet_summary_release(&summary);
    }

done:
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_schema_close(schema);
    stoa_sched_close(context.sched);
    return status;
}

static void *run_job(void *user) {
    struct job *job = user;
    job->status = write_job(job, &job->error);
    return NULL;
}

static struct job job_of(stoa_pool *pool, stoa_fs_registry *registry, const char *uri) {
    struct job job = {.pool = pool,
                      .registry = registry,
                      .rows = 12000,
                      .threads = 4,
                      .cancel_at = -1,
                      .error = STOA_ERROR_NONE};
    snprintf(job.uri, sizeof job.uri, "%s", uri);
    return job;
}

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
};

static void open_world(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    world->pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
}

static void close_world(struct world *world) {
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

static void two_writers_at_once_write_the_same(void **state) {
    (void)state;
    struct world world;
    open_world(&world);
    struct job jobs[2] = {job_of(world.pool, world.registry, "memory:/a"),
                          job_of(world.pool, world.registry, "memory:/b")};
    jobs[1].threads = 2;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer bytes[2];
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(jobs[i].status, jobs[i].error);
        stoa_buffer_init(&bytes[i], world.pool);
        assert_ok(stoa_vfs_read_all(world.registry, jobs[i].uri, NULL, 8 << 20, world.pool,
                                    &bytes[i], &err),
                  err);
    }
    assert_int_equal(bytes[0].size, bytes[1].size);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].size);
    stoa_buffer_release(&bytes[0]);
    stoa_buffer_release(&bytes[1]);
    close_world(&world);
}

static void closing_early_joins_and_frees(void **state) {
    (void)state;
    for (int64_t rows = 0; rows <= 8000; rows += 800) {
        struct world world;
        open_world(&world);
        struct job job = job_of(world.pool, world.registry, "memory:/a");
        job.close_early = true;
        job.rows = rows;
        assert_ok(write_job(&job, &job.error), job.error);
        close_world(&world);
    }
}

static void cancelling_stops_the_writer(void **state) {
    (void)state;
    for (int64_t batch = 0; batch < 15; batch += 3) {
        struct world world;
        open_world(&world);
        stoa_error err = STOA_ERROR_NONE;
        struct job job = job_of(world.pool, world.registry, "memory:/a");
        assert_ok(stoa_cancel_create(NULL, &job.cancel, &err), err);
        job.cancel_at = batch;
        assert_fails(write_job(&job, &job.error), STOA_CANCELLED, NULL, job.error);
        stoa_cancel_close(job.cancel);
        close_world(&world);
    }
}

/* A bad value deep in the file fails in a thread; the caller hears of it, and goes on hearing. */
static void an_error_in_a_thread_reaches_the_caller(void **state) {
    (void)state;
    struct world world;
    open_world(&world);
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = {.pool = world.pool};
    const stoa_schema *schema;
    stoa_file *file;
    stoa_parquet_writer *writer;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const stoa_sched_options threads = {.threads = 3};
    options.row_group_rows = 100;
    options.row_groups_in_flight = 3;
    assert_ok(stoa_sched_create(world.pool, &threads, &context.sched, &err), err);
    assert_ok(stoa_schema_parse(world.pool, "t timestamp_s", &schema, &err), err);
    assert_ok(stoa_vfs_open(world.registry, "memory:/a", STOA_OPEN_REPLACE, &context, &file, &err),
              err);
    assert_ok(stoa_parquet_writer_create(&context, file, schema, &options, &writer, &err), err);
    const struct rows_options kind = {0, 50, 3, 10, false};
    stoa_status status = STOA_OK;
    for (int batch = 0; batch < 20 && status == STOA_OK; batch++) {
        struct ArrowArray rows;
        rows_batch((uint64_t)batch, schema, &kind, 100, &rows);
        if (batch == 5) {
            int64_t *values = (int64_t *)(uintptr_t)rows.children[0]->buffers[1];
            values[rows.children[0]->offset + 7] = INT64_MAX / 2;
        }
        status = stoa_parquet_writer_write(writer, &rows, &err);
    }
    assert_fails(status, STOA_INVALID, "row 507, column 't'", err);
    assert_int_equal(err.row, 507);
    stoa_parquet_summary summary;
    stoa_error again = STOA_ERROR_NONE;
    assert_fails(stoa_parquet_writer_finish(writer, &summary, &again), STOA_INVALID, "row 507",
                 again);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_schema_close(schema);
    stoa_sched_close(context.sched);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_writers_at_once_write_the_same),
        cmocka_unit_test(closing_early_joins_and_frees),
        cmocka_unit_test(cancelling_stops_the_writer),
        cmocka_unit_test(an_error_in_a_thread_reaches_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
