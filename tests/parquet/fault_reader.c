/* Reading with the nth allocation and the nth file-system call failing: reported, nothing lost. */
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    const stoa_context context = {.pool = world->pool};
    stoa_status status = STOA_OK;
    const stoa_schema *schema = NULL;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {15, 40, 3, 80, false};
    struct ArrowArray rows;
    options.row_group_rows = 150;
    options.page_bytes = 600;
    STOA_CHECK(stoa_schema_parse(world->pool,
                                 "a long, b list<struct<s: string, d: decimal(30,2)>>, "
                                 "c map<string, double>, i int8, u duration",
                                 &schema, err));
    rows_batch(1, schema, &kind, 300, &rows);
    STOA_CHECK(write_rows(&context, world->registry, "test:/x", schema, &options, &rows, NULL, err));

done:
    stoa_schema_close(schema);
    return status;
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    const stoa_sched_options sched = {.threads = *(const int32_t *)user};
    stoa_context context = {.pool = world->pool};
    const stoa_parquet_row_range ranges[] = {{20, 90}, {140, 100}};
    const stoa_parquet_read_options options = {.ranges = ranges,
                                               .range_count = 2,
                                               .batch_rows = 40,
                                               .dictionary_all = sched.threads == 3};
    struct ArrowSchema schema = {0};
    struct ArrowArray rows = {0};
    stoa_file *file = NULL;
    stoa_status status = STOA_OK;
    if (sched.threads > 1) {
        STOA_CHECK(stoa_sched_create(world->pool, &sched, &context.sched, err));
    }
    STOA_CHECK(stoa_vfs_open(world->registry, "test:/x", STOA_OPEN_READ, &context, &file, err));
    STOA_CHECK(read_back(&context, file, &options, &schema, &rows, err));
    assert_int_equal(rows.length, 190);

done:
    stoa_arrow_array_release(&rows);
    stoa_arrow_schema_release(&schema);
    stoa_file_close(file);
    stoa_sched_close(context.sched);
    return status;
}

static void reading_survives_failed_allocations(void **state) {
    (void)state;
    int32_t threads = 1;
    assert_true(support_fail_each_allocation(prepare, scenario, NULL, &threads) > 100);
    threads = 2;
    assert_true(support_fail_each_allocation(prepare, scenario, NULL, &threads) > 100);
    threads = 3; /* and strings as dictionaries */
    assert_true(support_fail_each_allocation(prepare, scenario, NULL, &threads) > 100);
}

static void reading_survives_failed_calls(void **state) {
    (void)state;
    int32_t threads = 1;
    assert_true(support_fail_each_call(prepare, scenario, NULL, &threads) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reading_survives_failed_allocations),
                                       cmocka_unit_test(reading_survives_failed_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
