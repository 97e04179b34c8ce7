/* Writing, verifying and describing with the nth allocation and the nth file-system call failing. */
#include "parquet/verify.h"
#include "parquet/writer.h"
#include "rows.h"

static stoa_status write_file(support_world *world, int32_t threads, stoa_error *err) {
    stoa_context context = {.pool = world->pool};
    stoa_status status = STOA_OK;
    const stoa_schema *schema = NULL;
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    const stoa_sched_options sched = {.threads = threads};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    static const char *const keys[] = {"k"};
    static const char *const values[] = {"v"};
    options.row_group_rows = 150;
    options.page_bytes = 600;
    options.metadata_keys = keys;
    options.metadata_values = values;
    options.metadata_count = 1;
    static const int32_t blooms[] = {1}; /* a */
    options.bloom_fields = blooms;
    options.bloom_count = 1;
    if (threads > 1) {
        STOA_CHECK(stoa_sched_create(world->pool, &sched, &context.sched, err));
    }
    STOA_CHECK(stoa_schema_parse(world->pool, "a long, b list<struct<s: string, d: decimal(30,2)>>, "
                                 "c map<string, double>, i int8", &schema, err));
    STOA_CHECK(stoa_vfs_open(world->registry, "test:/x", STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(stoa_parquet_writer_create(&context, file, schema, &options, &writer, err));
    for (uint64_t batch = 0; batch < 4; batch++) {
        const struct rows_options kind = {15, 40, 3, 80, false};
        struct ArrowArray rows;
        rows_batch(batch, schema, &kind, 100, &rows);
        STOA_CHECK(stoa_parquet_writer_write(writer, &rows, err));
        if (rows.release != NULL) { /* never: the writer takes it, also on error */
            abort();
        }
    }
    stoa_parquet_summary summary;
    STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));
    stoa_parquet_summary_release(&summary);

done:
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_schema_close(schema);
    stoa_sched_close(context.sched);
    return status;
}

static stoa_status write_scenario(support_world *world, void *user, stoa_error *err) {
    return write_file(world, *(const int32_t *)user, err);
}

static stoa_status prepare_file(support_world *world, void *user, stoa_error *err) {
    (void)user;
    return write_file(world, 1, err);
}

static stoa_status read_scenario(support_world *world, void *user, stoa_error *err) {
    (void)user;
    const stoa_context context = {.pool = world->pool};
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    stoa_buffer json;
    stoa_buffer_init(&json, world->pool);
    STOA_CHECK(stoa_vfs_open(world->registry, "test:/x", STOA_OPEN_READ, &context, &file, err));
    STOA_CHECK(stoa_parquet_verify(&context, file, NULL, err));
    STOA_CHECK(stoa_parquet_describe(&context, file, NULL, true, &json, err));
    STOA_CHECK(stoa_parquet_describe_text(&context, file, NULL, true, &json, err));

done:
    stoa_buffer_release(&json);
    stoa_file_close(file);
    return status;
}

/* What says that it is written verifies. */
static void check_written(support_world *world, void *user, stoa_status status) {
    if (status == STOA_OK) {
        stoa_error err = STOA_ERROR_NONE;
        assert_ok(read_scenario(world, user, &err), err);
    }
}

static void writing_survives_failed_allocations(void **state) {
    (void)state;
    int32_t threads = 1;
    assert_true(support_fail_each_allocation(NULL, write_scenario, check_written, &threads) > 50);
}

static void writing_in_threads_survives_failed_allocations(void **state) {
    (void)state;
    int32_t threads = 2;
    assert_true(support_fail_each_allocation(NULL, write_scenario, check_written, &threads) > 50);
}

static void writing_survives_failed_calls(void **state) {
    (void)state;
    int32_t threads = 1;
    assert_true(support_fail_each_call(NULL, write_scenario, check_written, &threads) > 5);
    threads = 2;
    assert_true(support_fail_each_call(NULL, write_scenario, check_written, &threads) > 5);
}

static void reading_survives_failures(void **state) {
    (void)state;
    assert_true(support_fail_each_allocation(prepare_file, read_scenario, NULL, NULL) > 10);
    assert_true(support_fail_each_call(prepare_file, read_scenario, NULL, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_survives_failed_allocations),
        cmocka_unit_test(writing_in_threads_survives_failed_allocations),
        cmocka_unit_test(writing_survives_failed_calls),
        cmocka_unit_test(reading_survives_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
