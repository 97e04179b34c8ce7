/* What the writer writes is read back equal: random schemas and rows, every codec, pages and row groups
 * of any size; in batches of any size, on several threads, and in parts: columns, nested fields, row
 * groups, ranges of rows. */
#include "arrow/schema.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

static const char *const SCHEMAS[] = {
    "a long not null, b int8, c string, d double, e boolean, f decimal(25,3), g uuid, h uint16",
    "a list<int>, b map<string, double>, c struct<x: int, y: list<string>>",
    "a list<list<struct<p: decimal(9,2), q: binary>>>, b unknown, c timestamp not null",
    "a struct<b: struct<c: int16, d: struct<e: boolean, f: fixed[5]>>>, g list<boolean>",
    "a duration, b interval, c time_ms, d date, e uint8, f uint32, g uint64, h float, i time_ns",
    "a map<string, map<int, list<struct<x: long, y: string>>>>, b decimal(18,4), c timestamptz_ns",
    "a boolean not null, b string not null, c decimal(38,10) not null, d list<string> not null",
};
enum { SCHEMA_COUNT = sizeof SCHEMAS / sizeof *SCHEMAS };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    struct ArrowArray rows;
    stoa_file *file;
};

static void write_file(struct world *world, const stoa_parquet_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArray view;
    rows_view(&world->rows, 0, world->rows.length, true, &view);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", world->schema, options, &view,
                         NULL, &err),
              err);
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context,
                            &world->file, &err),
              err);
}

static void open_world_of(struct world *world, const char *schema, support_random *random,
                          int round) {
    stoa_error err = STOA_ERROR_NONE;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool, schema, &world->schema, &err), err);
    assert_ok(stoa_schema_to_arrow(world->pool, world->schema, &world->arrow, &err), err);
    const struct rows_options kind = {(int)support_random_below(random, 5) * 25,
                                      support_random_bool(random) ? 12 : 0,
                                      (int)support_random_below(random, 5), 30,
                                      support_random_bool(random)};
    rows_batch(support_random_u64(random), world->schema, &kind,
               (int64_t)support_random_below(random, 9000), &world->rows);
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    options.codec = (stoa_parquet_codec)(round % 5);
    options.row_group_rows = 1 + (int64_t)support_random_below(random, 5000);
    options.page_bytes = 1 + (size_t)support_random_below(random, 9000);
    options.dictionary_bytes = support_random_bool(random) ? 1 << 20 : 64;
    write_file(world, &options);
}

static void open_world(struct world *world, support_random *random, int round) {
    open_world_of(world, SCHEMAS[round % SCHEMA_COUNT], random, round);
}

static void close_world(struct world *world) {
    stoa_file_close(world->file);
    world->rows.release(&world->rows);
    stoa_arrow_schema_release(&world->arrow);
    stoa_schema_close(world->schema);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

/* The rows that a read with these options must give: `row_count` from `first` on, of each range. */
static void expect_rows(struct world *world, const stoa_parquet_read_options *options,
                        const int64_t *rows, int64_t row_count) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray found, expected;
    assert_ok(read_back(&world->context, world->file, options, &schema, &found, &err), err);
    if (row_count == 0) {
        assert_null(found.release);
        stoa_arrow_schema_release(&schema);
        return;
    }
    assert_ok(stoa_arrow_take(world->pool, &world->arrow, &world->rows, rows, row_count, &expected,
                              &err),
              err);
    assert_ok(stoa_arrow_compare(&world->arrow, &expected, &schema, &found, &err), err);
    stoa_arrow_array_release(&expected);
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);
}

static int64_t *all_rows(const struct world *world) {
    int64_t *rows = malloc((size_t)(world->rows.length + 1) * sizeof *rows);
    for (int64_t i = 0; i < world->rows.length; i++) {
        rows[i] = i;
    }
    return rows;
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    support_random random = support_random_open("read back");
    for (int round = 0; round < 5 * SCHEMA_COUNT; round++) {
        struct world world;
        open_world(&world, &random, round);
        int64_t *rows = all_rows(&world);
        stoa_error err = STOA_ERROR_NONE;
        const stoa_sched_options sched = {
            .threads = 2 + (int32_t)support_random_below(&random, 3)};
        stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
        expect_rows(&world, &options, rows, world.rows.length);
        options.batch_rows = 64 + (int64_t)support_random_below(&random, 500);
        expect_rows(&world, &options, rows, world.rows.length);
        assert_ok(stoa_sched_create(world.pool, &sched, &world.context.sched, &err), err);
        expect_rows(&world, &options, rows, world.rows.length);
        options.dictionary_all = true;
        expect_rows(&world, &options, rows, world.rows.length);
        stoa_sched_close(world.context.sched);
        free(rows);
        close_world(&world);
    }
}

/* One of two columns of strings. */
static void columns_are_encoded_by_their_ids(void **state) {
    (void)state;
    support_random random = support_random_open("encoded");
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray found;
    open_world_of(&world, "a string, b list<string>, c string", &random, 0);
    const int32_t ids[] = {world.schema->root.children[2].id, 77};
    stoa_parquet_read_options options = {.dictionary_ids = ids, .dictionary_count = 1};
    assert_ok(read_back(&world.context, world.file, &options, &schema, &found, &err), err);
    assert_null(schema.children[0]->dictionary);
    assert_null(schema.children[1]->children[0]->dictionary);
    assert_string_equal(schema.children[2]->format, "i");
    assert_string_equal(schema.children[2]->dictionary->format, "u");
    assert_ok(stoa_arrow_compare(&world.arrow, &world.rows, &schema, &found, &err), err);
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);

    options.dictionary_count = 2;
    assert_int_equal(read_back(&world.context, world.file, &options, &schema, &found, &err),
                     STOA_INVALID);
    const stoa_predicate predicate = {.kind = STOA_PREDICATE_IS_NULL, .field_id = ids[0]};
    options = (stoa_parquet_read_options){.dictionary_all = true, .predicate = &predicate};
    assert_int_equal(read_back(&world.context, world.file, &options, &schema, &found, &err),
                     STOA_UNSUPPORTED);
    close_world(&world);
}

static void ranges_of_rows_are_read_exactly(void **state) {
    (void)state;
    enum { RANGES_MAX = 40 };
    support_random random = support_random_open("ranges");
    for (int round = 0; round < 4 * SCHEMA_COUNT; round++) {
        struct world world;
        open_world(&world, &random, round);
        int64_t *rows = all_rows(&world);
        stoa_parquet_row_range ranges[RANGES_MAX];
        stoa_parquet_read_options options =
            {.ranges = ranges, .batch_rows = 1 + (int64_t)support_random_below(&random, 900)};
        int64_t at = 0, count = 0;
        while (options.range_count < RANGES_MAX) {
            at += (int64_t)support_random_below(&random, 700);
            int64_t size = 1 + (int64_t)support_random_below(&random, 300);
            if (at + size > world.rows.length) {
                break;
            }
            ranges[options.range_count++] = (stoa_parquet_row_range){at, size};
            for (; size > 0; size--) {
                rows[count++] = at++;
            }
        }
        expect_rows(&world, &options, rows, count);
        free(rows);
        close_world(&world);
    }
}

/* The first column alone, then the last field below each column. */
static void fields_are_read_alone(void **state) {
    (void)state;
    support_random random = support_random_open("fields");
    for (int round = 0; round < 2 * SCHEMA_COUNT; round++) {
        struct world world;
        open_world(&world, &random, round);
        stoa_error err = STOA_ERROR_NONE;
        int64_t *rows = all_rows(&world);
        for (int32_t i = 0; i < world.schema->root.child_count; i++) {
            struct ArrowArray all = world.rows, *child = world.rows.children[i];
            struct ArrowSchema arrow = world.arrow, *field = world.arrow.children[i];
            const int32_t id = world.schema->root.children[i].id;
            const stoa_parquet_read_options options = {.field_ids = &id, .field_count = 1};
            world.rows.children = &child;
            world.rows.n_children = 1;
            world.arrow.children = &field;
            world.arrow.n_children = 1;
            expect_rows(&world, &options, rows, world.rows.length);
            world.rows = all;
            world.arrow = arrow;
        }
        const int32_t none = 12345;
        const stoa_parquet_read_options options = {.field_ids = &none, .field_count = 1};
        struct ArrowSchema schema;
        struct ArrowArray found;
        assert_int_equal(read_back(&world.context, world.file, &options, &schema, &found, &err),
                         STOA_INVALID);
        free(rows);
        close_world(&world);
    }
}

/* struct<b: struct<c, d: struct<e, f>>>: c and f without d's e. */
static void nested_fields_are_read_alone(void **state) {
    (void)state;
    support_random random = support_random_open("nested fields");
    struct world world;
    open_world(&world, &random, 3);
    stoa_error err = STOA_ERROR_NONE;
    const stoa_type *b = &world.schema->root.children[0].type.children[0].type;
    const int32_t ids[] = {b->children[1].type.children[1].id, b->children[0].id};
    const stoa_parquet_read_options options = {.field_ids = ids, .field_count = 2};
    struct ArrowSchema schema;
    struct ArrowArray found;
    stoa_schema_close(world.schema);
    assert_ok(read_back(&world.context, world.file, &options, &schema, &found, &err), err);
    assert_ok(stoa_schema_from_arrow(world.pool, &schema, &world.schema, &err), err);
    char text[256];
    stoa_schema_print(world.schema, text, sizeof text);
    assert_string_equal(text, "a struct<b: struct<c: int16, d: struct<f: fixed[5]>>>");
    stoa_arrow_array_release(&found);
    stoa_arrow_schema_release(&schema);
    close_world(&world);
}

static void row_groups_are_read_in_the_order_asked_for(void **state) {
    (void)state;
    support_random random = support_random_open("groups");
    for (int round = 0; round < SCHEMA_COUNT; round++) {
        struct world world;
        open_world(&world, &random, round);
        stoa_file_close(world.file);
        stoa_parquet_options written = STOA_PARQUET_DEFAULT;
        written.row_group_rows = 700;
        write_file(&world, &written);
        int64_t *rows = all_rows(&world);
        const int32_t count = (int32_t)((world.rows.length + 699) / 700);
        const int32_t groups[] = {count - 1, 0};
        const stoa_parquet_read_options options = {.groups = groups, .group_count = 2};
        int64_t at = 0;
        for (int64_t i = (count - 1) * 700; i < world.rows.length; i++) {
            rows[at++] = i;
        }
        for (int64_t i = 0; count > 1 && i < 700; i++) {
            rows[at++] = i;
        }
        if (count > 1) {
            expect_rows(&world, &options, rows, at);
        }
        free(rows);
        close_world(&world);
    }
}

/* Bytes of the strings of a column that is one, or that strings lie in at the end of all first children. */
static int64_t string_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    if (schema->format[0] == 'u' || schema->format[0] == 'z') {
        const int32_t *ends = array->buffers[1];
        return ends[array->offset + array->length] - ends[array->offset];
    }
    return schema->n_children == 0 ? 0 : string_bytes(schema->children[0], array->children[0]);
}

static void check_bytes(const struct world *world, const stoa_parquet_read_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_reader *reader;
    struct ArrowArrayStream stream;
    int64_t row_count = 0;
    assert_ok(stoa_parquet_reader_open(&world->context, world->file, NULL, &reader, &err), err);
    assert_ok(stoa_parquet_reader_stream(reader, options, &stream, &err), err);
    while (true) {
        struct ArrowArray batch;
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        if (batch.release == NULL) {
            break;
        }
        for (int64_t i = 0; i < batch.n_children; i++) {
            assert_true(batch.length == 1 ||
                        string_bytes(world->arrow.children[i], batch.children[i]) <=
                            (int64_t)options->column_bytes);
        }
        row_count += batch.length;
        batch.release(&batch);
    }
    assert_int_equal(row_count, world->rows.length);
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader);
}

/* As if 2 GiB were less: alone, row groups side by side, columns side by side. */
static void batches_hold_no_more_strings_than_fit(void **state) {
    (void)state;
    support_random random = support_random_open("bytes");
    const char *const schemas[] = {
        "a string, b long", "a list<string>, b binary, c long",
        "a string not null, b map<string, long>, c string, d list<binary>, e binary, f list<string>"};
    for (int round = 0; round < 9; round++) {
        struct world world;
        stoa_error err = STOA_ERROR_NONE;
        const stoa_sched_options sched = {.threads = 2};
        open_world_of(&world, schemas[round / 3], &random, round);
        int64_t *rows = all_rows(&world);
        const stoa_parquet_read_options options =
            {.column_bytes = 500 + (size_t)support_random_below(&random, 5000),
             .batch_rows = 1 + (int64_t)support_random_below(&random, 900)};
        expect_rows(&world, &options, rows, world.rows.length);
        check_bytes(&world, &options);
        assert_ok(stoa_sched_create(world.pool, &sched, &world.context.sched, &err), err);
        expect_rows(&world, &options, rows, world.rows.length);
        check_bytes(&world, &options);
        stoa_sched_close(world.context.sched);
        free(rows);
        close_world(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(columns_are_encoded_by_their_ids),
        cmocka_unit_test(ranges_of_rows_are_read_exactly),
        cmocka_unit_test(fields_are_read_alone),
        cmocka_unit_test(nested_fields_are_read_alone),
        cmocka_unit_test(row_groups_are_read_in_the_order_asked_for),
        cmocka_unit_test(batches_hold_no_more_strings_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
