/* The same rows give the same bytes, however they are split into calls and batches, by whatever kind of
 * slice, and with any number of threads. */
#include "parquet/verify.h"
#include "parquet/writer.h"
#include "rows.h"

enum { BYTES_MAX = 4 << 20 };

static const char *const SCHEMAS[] = {
    "a long not null, b int8, c string, d double, e boolean, f decimal(25,3), g uuid, h uint16",
    "a list<int>, b map<string, double>, c struct<x: int, y: list<string>>",
    "a list<list<struct<p: decimal(9,2), q: binary>>>, b unknown, c timestamp_s not null",
};

/* How one set of rows is handed over. */
struct split {
    int64_t part_max; /* 0: one call */
    bool by_columns;
    int32_t threads;
    bool empty_calls;
};

static stoa_status write_split(stoa_pool *pool, stoa_fs_registry *registry, const char *uri,
                               const stoa_schema *schema, const struct ArrowArray *rows,
                               const stoa_parquet_options *base, const struct split *split,
                               support_random *random, stoa_error *err) {
    stoa_context context = {.pool = pool};
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_parquet_options options = *base;
    const stoa_sched_options sched = {.threads = split->threads,
                                      .deterministic = support_random_bool(random),
                                      .seed = support_random_u64(random)};
    options.row_groups_in_flight = (int32_t)support_random_below(random, 5);
    if (split->threads > 1) {
        STOA_CHECK(stoa_sched_create(pool, &sched, &context.sched, err));
    }
    STOA_CHECK(stoa_vfs_open(registry, uri, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(stoa_parquet_writer_create(&context, file, schema, &options, &writer, err));
    int64_t done = 0;
    while (done < rows->length) {
        int64_t count = rows->length - done;
        if (split->part_max > 0) {
            const int64_t part = 1 +
                                 (int64_t)support_random_below(random, (uint64_t)split->part_max);
            count = part < count ? part : count;
        }
        struct ArrowArray view;
        if (split->empty_calls) {
            rows_view(rows, done, 0, split->by_columns, &view);
            STOA_CHECK(stoa_parquet_writer_write(writer, &view, err));
        }
        rows_view(rows, done, count, split->by_columns, &view);
        STOA_CHECK(stoa_parquet_writer_write(writer, &view, err));
        done += count;
    }
    stoa_parquet_summary summary;
    STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));
    assert_int_equal(summary.row_count, rows->length);
    stoa_parquet_summary_release(&summary);

done:
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_sched_close(context.sched);
    return status;
}

/* The id of the first column that a bloom filter can be made of; 0: none. */
static int32_t find_bloom_field(const stoa_schema *schema) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        const stoa_type_kind kind = field->type.kind;
        if (field->type.child_count == 0 && kind != STOA_TYPE_BOOLEAN && kind != STOA_TYPE_UNKNOWN) {
            return field->id;
        }
    }
    return 0;
}

static void the_same_rows_give_the_same_bytes(void **state) {
    (void)state;
    support_random random = support_random_open("splits");
    for (int round = 0; round < 30; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_pool *pool = support_pool_open();
        stoa_fs_registry *registry;
        const stoa_schema *schema;
        assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
        assert_ok(stoa_schema_parse(pool, SCHEMAS[round % 3], &schema, &err), err);
        const struct rows_options kind = {(int)support_random_below(&random, 4) * 25,
                                          support_random_bool(&random) ? 12 : 0,
                                          (int)support_random_below(&random, 5), 30,
                                          support_random_bool(&random)};
        struct ArrowArray rows;
        rows_batch(support_random_u64(&random), schema, &kind,
                   (int64_t)support_random_below(&random, 3000), &rows);
        stoa_parquet_options options = STOA_PARQUET_DEFAULT;
        options.codec = (stoa_parquet_codec)(round % 6);
        options.profile = support_random_bool(&random) ? STOA_PARQUET_MODERN
                                                       : STOA_PARQUET_COMPATIBLE;
        options.row_group_rows = 1 + (int64_t)support_random_below(&random, 1000);
        options.page_bytes = 1 + (size_t)support_random_below(&random, 5000);
        if (support_random_bool(&random)) {
            options.page_rows = 1 + (int64_t)support_random_below(&random, 300);
            options.row_group_bytes = 1 + support_random_below(&random, 20000);
        }
        options.dictionary_bytes = support_random_bool(&random) ? 1 << 20 : 64;
        const int32_t bloom_field = find_bloom_field(schema);
        options.bloom_fields = &bloom_field;
        options.bloom_count = bloom_field != 0;

        stoa_buffer first = {.pool = pool};
        const struct split splits[] = {{0, false, 1, false},   {0, true, 2, false},
                                       {7, false, 1, true},    {900, true, 1, false},
                                       {300, false, 3, false}, {2000, false, 5, true}};
        for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
            stoa_buffer bytes = {.pool = pool};
            assert_ok(write_split(pool, registry, "memory:/x", schema, &rows, &options, &splits[i],
                                  &random, &err),
                      err);
            assert_ok(stoa_vfs_read_all(registry, "memory:/x", NULL, BYTES_MAX, pool, &bytes, &err),
                      err);
            if (i == 0) {
                first = stoa_buffer_move(&bytes);
                const stoa_context context = {.pool = pool};
                stoa_file *file;
                assert_ok(stoa_vfs_open(registry, "memory:/x", STOA_OPEN_READ, &context, &file,
                                        &err),
                          err);
                assert_ok(stoa_parquet_verify(&context, file, NULL, &err), err);
                stoa_file_close(file);
                continue;
            }
            assert_int_equal(bytes.size, first.size);
            assert_memory_equal(bytes.data, first.data, first.size);
            stoa_buffer_release(&bytes);
        }
        stoa_buffer_release(&first);
        rows.release(&rows);
        stoa_schema_close(schema);
        stoa_fs_registry_close(registry);
        support_pool_close(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_rows_give_the_same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
