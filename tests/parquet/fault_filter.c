/* Reading by a predicate, and the first rows by a column, with the nth allocation and the nth file-system
 * call failing: reported, nothing lost. */
#include "parquet/read_top.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

static stoa_status prepare(support_world *world, void *user, stoa_error *err) {
    (void)user;
    const stoa_context context = {.pool = world->pool};
    const int32_t bloom_fields[] = {1};
    stoa_status status = STOA_OK;
    const stoa_schema *schema = NULL;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {15, 40, 3, 20, false};
    struct ArrowArray rows;
    options.row_group_rows = 150;
    options.page_bytes = 200;
    options.bloom_fields = bloom_fields;
    options.bloom_count = 1;
    STOA_CHECK(stoa_schema_parse(world->pool,
                                 "a long, b string, c list<int>, d double, e decimal(30,2)", &schema,
                                 err));
    rows_batch(1, schema, &kind, 300, &rows);
    STOA_CHECK(write_rows(&context, world->registry, "test:/x", schema, &options, &rows, NULL, err));

done:
    stoa_schema_close(schema);
    return status;
}

/* Takes what the stream gives. */
static stoa_status drain(struct ArrowArrayStream *stream, int64_t *out_rows, stoa_error *err) {
    struct ArrowArray batch;
    for (*out_rows = 0;;) {
        const stoa_status status = stoa_stream_next(stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            return status;
        }
        *out_rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
}

static stoa_status scenario(support_world *world, void *user, stoa_error *err) {
    const bool first_by = *(const bool *)user;
    stoa_context context = {.pool = world->pool};
    stoa_parquet_read_options options = {.batch_rows = 70};
    stoa_parquet_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    stoa_file *file = NULL;
    stoa_arena arena;
    int64_t rows;
    stoa_status status = STOA_OK;
    stoa_arena_init(&arena, world->pool);
    STOA_CHECK(stoa_vfs_open(world->registry, "test:/x", STOA_OPEN_READ, &context, &file, err));
    STOA_CHECK(stoa_parquet_reader_open(&context, file, NULL, &reader, err));
    STOA_CHECK(stoa_predicate_parse(&arena, stoa_parquet_reader_schema(reader),
                                    "(a > 0 and not b = 'x') or d is null or c is null",
                                    &options.predicate, err));
    if (first_by) {
        const stoa_parquet_row_order order = {.field_id = 2, .nulls_first = true};
        STOA_CHECK(stoa_parquet_reader_top(reader, &options, &order, 20, &stream, err));
    } else {
        STOA_CHECK(stoa_parquet_reader_stream(reader, &options, &stream, err));
    }
    STOA_CHECK(drain(&stream, &rows, err));
    assert_true(first_by ? rows == 20 : rows > 20 && rows < 300);

done:
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
    stoa_file_close(file);
    stoa_arena_release(&arena);
    return status;
}

static void filtering_survives_failed_allocations(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool first_by = i == 1;
        assert_true(support_fail_each_allocation(prepare, scenario, NULL, &first_by) > 100);
    }
}

static void filtering_survives_failed_calls(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool first_by = i == 1;
        assert_true(support_fail_each_call(prepare, scenario, NULL, &first_by) > 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(filtering_survives_failed_allocations),
                                       cmocka_unit_test(filtering_survives_failed_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
