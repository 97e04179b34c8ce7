/* What the writer refuses and how it says so, what it reports of a file, and that its memory does not
 * grow with the file. What it writes is judged by the oracle tests. */
#include "parquet/schema_twin.h"
#include "parquet/writer.h"
#include "rows.h"

struct bench {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    const stoa_schema *schema;
    stoa_file *file;
    stoa_parquet_writer *writer;
    stoa_context context;
};

static void open_bench(struct bench *bench, const char *schema) {
    stoa_error err = STOA_ERROR_NONE;
    *bench = (struct bench){.pool = support_pool_open()};
    bench->context.pool = bench->pool;
    assert_ok(stoa_fs_registry_create(bench->pool, &bench->registry, &err), err);
    assert_ok(stoa_schema_parse(bench->pool, schema, &bench->schema, &err), err);
    assert_ok(stoa_vfs_open(bench->registry, "memory:/x", STOA_OPEN_REPLACE, &bench->context,
                            &bench->file, &err), err);
}

static stoa_status create_writer(struct bench *bench, const stoa_parquet_options *options,
                                 stoa_error *err) {
    return stoa_parquet_writer_create(&bench->context, bench->file, bench->schema, options,
                                      &bench->writer, err);
}

static void close_bench(struct bench *bench) {
    stoa_parquet_writer_close(bench->writer);
    stoa_file_close(bench->file);
    stoa_schema_close(bench->schema);
    stoa_fs_registry_close(bench->registry);
    support_pool_close(bench->pool);
}

static void options_are_checked(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int");
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = 0;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "row_group_rows", err);
    options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    options.page_bytes = 0;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "page_bytes", err);
    options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    options.row_groups_in_flight = -1;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "row_groups_in_flight", err);
    options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    options.level = 1000;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "level", err);
    options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    options.page_rows = 0;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "page_rows", err);
    options = (stoa_parquet_options)STOA_PARQUET_DEFAULT;
    options.row_group_bytes = 0;
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "row_group_bytes", err);
    close_bench(&bench);
}

static void encodings_that_are_asked_for_must_fit_their_columns(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int, ab string, t list<struct<x: double>>");
    stoa_parquet_column_encoding wanted = {"a", STOA_PARQUET_BYTE_STREAM_SPLIT};
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.encodings = &wanted;
    options.encoding_count = 1;
    assert_ok(create_writer(&bench, &options, &err), err);
    stoa_parquet_writer_close(bench.writer);
    bench.writer = NULL;
    wanted = (stoa_parquet_column_encoding){"t.list.element.x", STOA_PARQUET_RLE_DICTIONARY};
    assert_ok(create_writer(&bench, &options, &err), err);
    stoa_parquet_writer_close(bench.writer);
    bench.writer = NULL;
    wanted = (stoa_parquet_column_encoding){"ab", STOA_PARQUET_DELTA_BINARY_PACKED};
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID,
                 "column 'ab': BYTE_ARRAY values cannot be written as DELTA_BINARY_PACKED", err);
    wanted = (stoa_parquet_column_encoding){"t", STOA_PARQUET_DELTA_BYTE_ARRAY};
    assert_fails(create_writer(&bench, &options, &err), STOA_INVALID, "t.list.element.x", err);
    wanted = (stoa_parquet_column_encoding){"b", STOA_PARQUET_PLAIN};
    assert_fails(create_writer(&bench, &options, &err), STOA_NOT_FOUND, "'b'", err);
    close_bench(&bench);
}

/* Rows of a hundred bytes and more, a thousand bytes a group: groups end by bytes, and a row that is
 * larger than a group is one. */
static void row_groups_are_bounded_by_bytes(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "s string not null");
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_bytes = 1000;
    assert_ok(create_writer(&bench, &options, &err), err);
    struct ArrowArray batch;
    const struct rows_options kind = {0, 0, 2, 3000, false};
    rows_batch(1, bench.schema, &kind, 300, &batch);
    const int32_t *offsets = batch.children[0]->buffers[1];
    int64_t groups = 0;
    int64_t bytes = 1001;
    for (int64_t row = 0; row < 300; row++) { /* what the rule says, row by row */
        const int64_t at = batch.children[0]->offset + row;
        const int64_t row_bytes = 4 + offsets[at + 1] - offsets[at];
        if (bytes + row_bytes > 1000) {
            groups++;
            bytes = 0;
        }
        bytes += row_bytes;
    }
    assert_ok(stoa_parquet_writer_write(bench.writer, &batch, &err), err);
    stoa_parquet_summary summary;
    assert_ok(stoa_parquet_writer_finish(bench.writer, &summary, &err), err);
    assert_true(groups > 10 && groups < 300);
    assert_int_equal(summary.row_group_count, groups);
    stoa_parquet_summary_release(&summary);
    close_bench(&bench);
}

/* One value at `row` of a column of 16-byte or 8-byte values. */
static void put(struct ArrowArray *batch, int64_t row, const void *value, size_t width) {
    struct ArrowArray *column = batch->children[0];
    memcpy((uint8_t *)(uintptr_t)column->buffers[1] + (size_t)(column->offset + row) * width, value,
           width);
}

static void expect_refused(const char *schema, int64_t row, const void *value, size_t width,
                           const char *message) {
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, schema);
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = 10;
    assert_ok(create_writer(&bench, &options, &err), err);
    const struct rows_options kind = {0, 3, 2, 5, false};
    struct ArrowArray batch;
    rows_batch(1, bench.schema, &kind, 20, &batch);
    put(&batch, row, value, width);
    assert_fails(stoa_parquet_writer_write(bench.writer, &batch, &err), STOA_INVALID, message, err);
    assert_null(batch.release);
    assert_int_equal(err.row, row);
    /* The first error is repeated, and nothing else is done. */
    rows_batch(1, bench.schema, &kind, 20, &batch);
    stoa_error again = STOA_ERROR_NONE;
    assert_fails(stoa_parquet_writer_write(bench.writer, &batch, &again), STOA_INVALID, message,
                 again);
    assert_null(batch.release);
    close_bench(&bench);
}

static void values_that_parquet_cannot_hold_are_refused(void **state) {
    (void)state;
    struct {
        int32_t months, days;
        int64_t nanos;
    } interval = {1, 1, 1500000};
    expect_refused("iv interval", 13, &interval, 16, "row 13, column 'iv'");
    interval.nanos = 2000000;
    interval.days = -1;
    expect_refused("iv interval", 4, &interval, 16, "no negative part");
    const int64_t seconds = INT64_MAX / 999;
    expect_refused("t timestamp_s", 19, &seconds, 8, "seconds that fit");
    const __int128 decimal = (__int128)1 << 40;
    expect_refused("d decimal(9,2)", 0, &decimal, 16, "decimal within its precision");
    expect_refused("d decimal(20,2)", 1, &(const __int128){(__int128)1 << 100}, 16, "decimal");
}

static void a_null_in_a_required_field_is_refused(void **state) {
    (void)state;
    static const char *const schemas[] = {"a int not null", "a list<int not null>",
                                          "a struct<x: int not null>"};
    for (int i = 0; i < 3; i++) {
        struct bench bench;
        stoa_error err = STOA_ERROR_NONE;
        open_bench(&bench, schemas[i]);
        stoa_parquet_options options = STOA_PARQUET_DEFAULT;
        options.row_group_rows = 10;
        assert_ok(create_writer(&bench, &options, &err), err);
        const struct rows_options kind = {0, 3, 2, 5, false};
        struct ArrowArray batch;
        rows_batch(1, bench.schema, &kind, 20, &batch);
        struct ArrowArray *leaf = batch.children[0];
        leaf = i > 0 ? leaf->children[0] : leaf;
        uint8_t *validity = rows_allocate((size_t)(leaf->offset + leaf->length) / 8 + 1);
        leaf->buffers[0] = validity; /* all null */
        assert_fails(stoa_parquet_writer_write(bench.writer, &batch, &err), STOA_INVALID,
                     "expected a value but found null", err);
        close_bench(&bench);
    }
}

static void a_batch_of_other_columns_is_refused(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int, b int");
    const stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    assert_ok(create_writer(&bench, &options, &err), err);
    struct ArrowArray batch;
    rows_make(&batch, 0, 0, 1, 0);
    assert_fails(stoa_parquet_writer_write(bench.writer, &batch, &err), STOA_INVALID,
                 "expected a batch of 2 columns but found 0", err);
    close_bench(&bench);
}

static void finishing_twice_is_refused(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int");
    const stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    assert_ok(create_writer(&bench, &options, &err), err);
    stoa_parquet_summary summary;
    assert_ok(stoa_parquet_writer_finish(bench.writer, &summary, &err), err);
    assert_int_equal(summary.row_count, 0);
    assert_int_equal(summary.row_group_count, 0);
    assert_null(summary.columns[0].lower);
    stoa_parquet_summary_release(&summary);
    assert_fails(stoa_parquet_writer_finish(bench.writer, &summary, &err), STOA_INVALID,
                 "finished already", err);
    close_bench(&bench);
}

static void structs_without_fields_are_unsupported(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int");
    const stoa_field empty = {.id = 1, .name = "e", .type = {.kind = STOA_TYPE_STRUCT}};
    const stoa_schema schema = {.root = {.kind = STOA_TYPE_STRUCT, .child_count = 1,
                                         .children = &empty}};
    const stoa_leaf *leaves;
    int32_t count;
    stoa_arena arena;
    stoa_arena_init(&arena, bench.pool);
    assert_fails(stoa_leaves_create(&arena, &schema, &leaves, &count, &err), STOA_UNSUPPORTED,
                 "column 'e'", err);
    stoa_arena_release(&arena);
    close_bench(&bench);
}

static void the_summary_covers_the_whole_file(void **state) {
    (void)state;
    struct bench bench;
    stoa_error err = STOA_ERROR_NONE;
    open_bench(&bench, "a int, s struct<t: timestamp_s, l: list<int>>, d decimal(30,1), f double");
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.row_group_rows = 7;
    assert_ok(create_writer(&bench, &options, &err), err);
    const struct rows_options kind = {30, 0, 2, 5, false};
    struct ArrowArray batch;
    rows_batch(3, bench.schema, &kind, 50, &batch);
    int32_t low = INT32_MAX, high = INT32_MIN;
    int64_t nulls = 0;
    const struct ArrowArray *column = batch.children[0];
    for (int64_t i = column->offset; i < column->offset + 50; i++) {
        const uint8_t *validity = column->buffers[0];
        const int32_t value = ((const int32_t *)column->buffers[1])[i];
        if (validity != NULL && (validity[i / 8] >> (i % 8) & 1) == 0) {
            nulls++;
            continue;
        }
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    const struct ArrowArray *floats = batch.children[3];
    bool has_nan = false;
    for (int64_t i = floats->offset; i < floats->offset + 50; i++) {
        const uint8_t *validity = floats->buffers[0];
        const double value = ((const double *)floats->buffers[1])[i];
        const bool present = validity == NULL || (validity[i / 8] >> (i % 8) & 1) != 0;
        has_nan = has_nan || (present && value != value);
    }
    assert_ok(stoa_parquet_writer_write(bench.writer, &batch, &err), err);
    stoa_parquet_summary summary;
    assert_ok(stoa_parquet_writer_finish(bench.writer, &summary, &err), err);
    uint64_t size;
    stoa_parquet_writer_close(bench.writer);
    bench.writer = NULL;
    stoa_file_close(bench.file);
    assert_ok(stoa_vfs_open(bench.registry, "memory:/x", STOA_OPEN_READ, &bench.context,
                            &bench.file, &err), err);
    assert_ok(stoa_file_size(bench.file, &size, &err), err);
    assert_int_equal(summary.row_count, 50);
    assert_int_equal(summary.row_group_count, 8);
    assert_int_equal(summary.file_bytes, size);
    assert_int_equal(summary.column_count, 4); /* not the list's element */
    assert_int_equal(summary.columns[0].field_id, 1);
    assert_int_equal(summary.columns[0].value_count, 50);
    assert_int_equal(summary.columns[0].null_count, nulls);
    assert_int_equal(summary.columns[0].lower->i, low);
    assert_int_equal(summary.columns[0].upper->i, high);
    assert_int_equal(summary.columns[0].lower->type.kind, STOA_TYPE_INT);
    /* Seconds in the file are milliseconds; the bound is in the schema's own unit. */
    assert_true(summary.columns[1].lower->i > -98000 * INT64_C(86400) - 1);
    assert_true(summary.columns[1].upper->i < 84001 * INT64_C(86400));
    assert_true(summary.columns[2].lower->decimal < summary.columns[2].upper->decimal);
    assert_int_equal(summary.columns[3].may_have_nan, has_nan);
    stoa_parquet_summary_release(&summary);
    close_bench(&bench);
}

static void memory_does_not_grow_with_the_file(void **state) {
    (void)state;
    size_t peaks[2];
    for (int round = 0; round < 2; round++) {
        stoa_error err = STOA_ERROR_NONE;
        char directory[SUPPORT_PATH_BYTES], path[SUPPORT_PATH_BYTES + 16];
        support_temp_directory(directory);
        snprintf(path, sizeof path, "%s/x.parquet", directory);
        struct bench bench;
        open_bench(&bench, "a long, s string");
        stoa_file_close(bench.file);
        assert_ok(stoa_vfs_open(bench.registry, path, STOA_OPEN_CREATE, &bench.context, &bench.file,
                                &err), err);
        stoa_parquet_options options = STOA_PARQUET_DEFAULT;
        options.row_group_rows = 5000;
        const stoa_sched_options sched = {.threads = 2};
        assert_ok(stoa_sched_create(bench.pool, &sched, &bench.context.sched, &err), err);
        assert_ok(create_writer(&bench, &options, &err), err);
        const struct rows_options kind = {10, 0, 2, 20, false};
        for (int part = 0; part < (round == 0 ? 20 : 200); part++) {
            struct ArrowArray batch;
            rows_batch((uint64_t)part, bench.schema, &kind, 2000, &batch);
            assert_ok(stoa_parquet_writer_write(bench.writer, &batch, &err), err);
        }
        stoa_parquet_summary summary;
        assert_ok(stoa_parquet_writer_finish(bench.writer, &summary, &err), err);
        assert_true(stoa_parquet_writer_bytes(bench.writer) == summary.file_bytes);
        stoa_parquet_summary_release(&summary);
        peaks[round] = stoa_pool_peak(bench.pool);
        stoa_parquet_writer_close(bench.writer);
        bench.writer = NULL;
        stoa_sched_close(bench.context.sched);
        close_bench(&bench);
    }
    /* Ten times the rows. How many chunks happen to be encoded at once differs from run to run. */
    assert_true(peaks[1] < 2 * peaks[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(encodings_that_are_asked_for_must_fit_their_columns),
        cmocka_unit_test(row_groups_are_bounded_by_bytes),
        cmocka_unit_test(values_that_parquet_cannot_hold_are_refused),
        cmocka_unit_test(a_null_in_a_required_field_is_refused),
        cmocka_unit_test(a_batch_of_other_columns_is_refused),
        cmocka_unit_test(finishing_twice_is_refused),
        cmocka_unit_test(structs_without_fields_are_unsupported),
        cmocka_unit_test(the_summary_covers_the_whole_file),
        cmocka_unit_test(memory_does_not_grow_with_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
