/* Files whose schema is an older, or another, than the one that is asked for. */
#include "arrow/array.h"
#include "parquet/files.h"
#include "parquet/writer.h"
#include "rows.h"
#include "vfs/vfs.h"

enum { ROWS = 700 };

/* What both files have, and what is wanted of them: renamed, reordered, widened, added, dropped. */
static const char *const file_json =
    "{\"type\":\"struct\",\"schema-id\":0,\"fields\":["
    "{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"int\"},"
    "{\"id\":2,\"name\":\"b\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":3,\"name\":\"s\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":4,\"name\":\"x\",\"required\":false,\"type\":\"int\"},"
    "{\"id\":5,\"name\":\"y\",\"required\":false,\"type\":\"string\"}]}},"
    "{\"id\":6,\"name\":\"gone\",\"required\":false,\"type\":\"double\"},"
    "{\"id\":7,\"name\":\"items\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":8,"
    "\"element-required\":false,\"element\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":9,\"name\":\"p\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":10,\"name\":\"q\",\"required\":false,\"type\":\"string\"}]}}},"
    "{\"id\":11,\"name\":\"m\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":12,\"name\":\"z\",\"required\":false,\"type\":\"int\"}]}},"
    "{\"id\":13,\"name\":\"day\",\"required\":false,\"type\":\"date\"}]}";
static const char *const wanted_json =
    "{\"type\":\"struct\",\"schema-id\":1,\"fields\":["
    "{\"id\":2,\"name\":\"renamed\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":20,\"name\":\"added\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":1,\"name\":\"a\",\"required\":true,\"type\":\"long\"},"
    "{\"id\":3,\"name\":\"s\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":5,\"name\":\"yy\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":21,\"name\":\"n\",\"required\":false,\"type\":\"int\"},"
    "{\"id\":4,\"name\":\"x\",\"required\":false,\"type\":\"long\"}]}},"
    "{\"id\":7,\"name\":\"items\",\"required\":false,\"type\":{\"type\":\"list\",\"element-id\":8,"
    "\"element-required\":false,\"element\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":10,\"name\":\"qq\",\"required\":false,\"type\":\"string\"}]}}},"
    "{\"id\":11,\"name\":\"m\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":30,\"name\":\"w\",\"required\":false,\"type\":\"int\"}]}},"
    "{\"id\":13,\"name\":\"day\",\"required\":false,\"type\":\"timestamp\"}]}";

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_sched *sched;
    stoa_context context;
    const stoa_schema *file, *wanted;
    struct ArrowArray rows; /* of both files, each the same */
};

static void write_file(struct world *world, const char *uri) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    stoa_parquet_summary summary;
    stoa_parquet_writer *writer;
    stoa_file *file;
    struct ArrowArray copy;
    struct rows_options kind = {20, 50, 3, 30, false};
    options.row_group_rows = 150;
    assert_ok(stoa_vfs_open(world->registry, uri, STOA_OPEN_REPLACE, &world->context, &file, &err),
              err);
    assert_ok(stoa_parquet_writer_create(&world->context, file, world->file, &options, &writer,
                                         &err),
              err);
    rows_batch(11, world->file, &kind, ROWS, &copy);
    assert_ok(stoa_parquet_writer_write(writer, &copy, &err), err);
    assert_ok(stoa_parquet_writer_finish(writer, &summary, &err), err);
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
}

static int setup(void **state) {
    static struct world world;
    struct rows_options kind = {20, 50, 3, 30, false};
    stoa_error err = STOA_ERROR_NONE;
    world = (struct world){.pool = support_pool_open()};
    world.context.pool = world.pool;
    assert_ok(stoa_fs_registry_create(world.pool, &world.registry, &err), err);
    assert_ok(stoa_sched_create(world.pool, &(stoa_sched_options){.threads = 2}, &world.sched, &err), err);
    world.context.sched = world.sched;
    assert_ok(stoa_schema_from_json(world.pool, file_json, strlen(file_json), &world.file, &err),
              err);
    assert_ok(
        stoa_schema_from_json(world.pool, wanted_json, strlen(wanted_json), &world.wanted, &err),
        err);
    rows_batch(11, world.file, &kind, ROWS, &world.rows);
    write_file(&world, "memory:/0");
    write_file(&world, "memory:/1");
    *state = &world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    world->rows.release(&world->rows);
    stoa_schema_close(world->file);
    stoa_schema_close(world->wanted);
    stoa_sched_close(world->sched);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
    return 0;
}

static stoa_status open_file(void *user, int32_t file, const stoa_context *context, stoa_file **out,
                             stoa_error *err) {
    struct world *world = user;
    char uri[32];
    (void)snprintf(uri, sizeof uri, "memory:/%d", (int)file);
    return stoa_vfs_open(world->registry, uri, STOA_OPEN_READ, context, out, err);
}

typedef void (*look)(struct world *world, const struct ArrowArray *batch, int64_t first);

/* Reads both files as rows of `schema`, in order, and looks at every batch. */
static stoa_status read_as(struct world *world, const stoa_schema *schema, stoa_field_match match,
                           look look_at, int64_t *out_rows, stoa_error *err) {
    const stoa_parquet_files_options options = {.schema = schema,
                                                .match = match,
                                                .batch_rows = 64,
                                                .file_count = 2,
                                                .user = world,
                                                .open = open_file};
    stoa_parquet_files *files = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema arrow = {0};
    *out_rows = 0;
    *err = (stoa_error)STOA_ERROR_NONE;
    assert_ok(stoa_parquet_files_create(&world->context, &options, &files, err), *err);
    assert_ok(stoa_schema_to_arrow(world->pool, schema, &arrow, err), *err);
    const stoa_pipeline pipeline = {.source = stoa_parquet_files_source(files),
                                    .options = {.ordered = true}};
    assert_ok(stoa_pipeline_stream(&pipeline, &world->context, &arrow, NULL, &stream, err), *err);
    stoa_status status;
    for (;;) {
        struct ArrowArray batch = {0};
        struct ArrowSchema shape = {0};
        status = stoa_stream_next(&stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        assert_ok(stoa_stream_schema(&stream, &shape, err), *err);
        assert_ok(stoa_arrow_validate(&shape, &batch, STOA_ARROW_CHECK_LAYOUT, err), *err);
        stoa_arrow_schema_release(&shape);
        if (look_at != NULL) {
            look_at(world, &batch, *out_rows % ROWS);
        }
        *out_rows += batch.length;
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    stoa_parquet_files_close(files);
    return status;
}

static bool is_null(const struct ArrowArray *array, int64_t row) {
    return stoa_arrow_is_null(array, row);
}

static void same_text(const struct ArrowArray *found, int64_t row, const struct ArrowArray *wrote,
                       int64_t at) {
    assert_int_equal(is_null(found, row), is_null(wrote, at));
    if (is_null(found, row)) {
        return;
    }
    const int32_t *left = (const int32_t *)found->buffers[1] + found->offset + row;
    const int32_t *right = (const int32_t *)wrote->buffers[1] + wrote->offset + at;
    assert_int_equal(left[1] - left[0], right[1] - right[0]);
    assert_memory_equal((const char *)found->buffers[2] + left[0],
                        (const char *)wrote->buffers[2] + right[0],
                        (size_t)(left[1] - left[0]));
}

static int64_t wide(const struct ArrowArray *array, int64_t row) {
    return ((const int64_t *)array->buffers[1])[array->offset + row];
}

static int64_t narrow(const struct ArrowArray *array, int64_t row) {
    return ((const int32_t *)array->buffers[1])[array->offset + row];
}

static void same_number(const struct ArrowArray *found, int64_t row, const struct ArrowArray *wrote,
                        int64_t at, int64_t factor) {
    assert_int_equal(is_null(found, row), is_null(wrote, at));
    if (!is_null(found, row)) {
        assert_int_equal(wide(found, row), narrow(wrote, at) * factor);
    }
}

static void look_at_wanted(struct world *world, const struct ArrowArray *batch, int64_t first) {
    struct ArrowArray *const *wrote = world->rows.children;
    struct ArrowArray *const *found = batch->children;
    const int64_t day_us = (int64_t)86400 * 1000000;
    for (int64_t i = 0; i < batch->length; i++) {
        const int64_t at = first + i;
        same_text(found[0], i, wrote[1], at);
        assert_true(is_null(found[1], i));
        same_number(found[2], i, wrote[0], at, 1);
        assert_int_equal(is_null(found[3], i), is_null(wrote[2], at));
        if (!is_null(found[3], i)) {
            const int64_t inner = found[3]->offset + i, there = wrote[2]->offset + at;
            same_text(found[3]->children[0], inner, wrote[2]->children[1], there);
            assert_true(is_null(found[3]->children[1], inner));
            same_number(found[3]->children[2], inner, wrote[2]->children[0], there, 1);
        }
        assert_int_equal(is_null(found[4], i), is_null(wrote[4], at));
        if (!is_null(found[4], i)) {
            const int64_t begin = narrow(found[4], i), begun = narrow(wrote[4], at);
            assert_int_equal(narrow(found[4], i + 1) - begin, narrow(wrote[4], at + 1) - begun);
            for (int64_t j = 0; j < narrow(found[4], i + 1) - begin; j++) {
                const struct ArrowArray *item = found[4]->children[0];
                const struct ArrowArray *put = wrote[4]->children[0];
                assert_int_equal(is_null(item, begin + j), is_null(put, begun + j));
                if (!is_null(item, begin + j)) {
                    same_text(item->children[0], item->offset + begin + j, put->children[1],
                               put->offset + begun + j);
                }
            }
        }
        assert_int_equal(is_null(found[5], i), is_null(wrote[5], at));
        assert_true(is_null(found[5]->children[0], found[5]->offset + i));
        same_number(found[6], i, wrote[6], at, day_us);
    }
}

static void columns_are_found_by_id(void **state) {
    struct world *world = *state;
    stoa_error err;
    int64_t rows;
    assert_ok(
        read_as(world, world->wanted, STOA_MATCH_BY_ID, look_at_wanted, &rows, &err), err);
    assert_int_equal(rows, 2 * ROWS);
}

static void look_at_names(struct world *world, const struct ArrowArray *batch, int64_t first) {
    for (int64_t i = 0; i < batch->length; i++) {
        same_number(batch->children[0], i, world->rows.children[0], first + i, 1);
        assert_true(is_null(batch->children[1], i));
    }
}

static void without_ids_by_name(void **state) {
    struct world *world = *state;
    const stoa_schema *schema;
    stoa_error err;
    int64_t rows;
    assert_ok(stoa_schema_parse(world->pool, "A long, renamed string", &schema, &err), err);
    assert_ok(read_as(world, schema, STOA_MATCH_BY_NAME, look_at_names, &rows, &err), err);
    assert_int_equal(rows, 2 * ROWS);
    stoa_schema_close(schema);
}

static void no_column_at_all_still_has_rows(void **state) {
    struct world *world = *state;
    const stoa_schema *schema;
    stoa_error err;
    int64_t rows;
    assert_ok(stoa_schema_parse(world->pool, "other string", &schema, &err), err);
    assert_ok(read_as(world, schema, STOA_MATCH_BY_NAME, NULL, &rows, &err), err);
    assert_int_equal(rows, 2 * ROWS);
    stoa_schema_close(schema);
}

static void fails_with(struct world *world, const char *columns, const char *message) {
    const stoa_schema *schema;
    stoa_error err = STOA_ERROR_NONE;
    int64_t rows;
    assert_ok(stoa_schema_parse(world->pool, columns, &schema, &err), err);
    const stoa_status status = read_as(world, schema, STOA_MATCH_BY_NAME, NULL, &rows, &err);
    assert_int_equal(status, STOA_INVALID);
    assert_string_equal(err.message, message);
    assert_string_equal(err.file, "memory:/0");
    assert_int_equal(rows, 0);
    stoa_schema_close(schema);
}

static void what_does_not_widen_is_named(void **state) {
    struct world *world = *state;
    fails_with(world, "a string",
               "reading 'memory:/0': column 'a': expected string but found int");
    fails_with(world, "s struct<x: list<int>>",
               "reading 'memory:/0': column 's.x': expected list<int> but found int");
    fails_with(world, "day timestamptz",
               "reading 'memory:/0': column 'day': expected timestamptz but found date");
    fails_with(world, "c int not null",
               "reading 'memory:/0': column 'c': expected int not null but found no column of that "
               "name");
}

static void a_null_that_is_not_allowed_has_its_row(void **state) {
    struct world *world = *state;
    const stoa_schema *schema;
    stoa_error err = STOA_ERROR_NONE;
    int64_t rows;
    assert_ok(stoa_schema_parse(world->pool, "b string not null", &schema, &err), err);
    assert_int_equal(read_as(world, schema, STOA_MATCH_BY_NAME, NULL, &rows, &err), STOA_INVALID);
    assert_non_null(strstr(err.message, "column 'b': expected string not null but found null"));
    stoa_schema_close(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_are_found_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(without_ids_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(no_column_at_all_still_has_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_widen_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_null_that_is_not_allowed_has_its_row, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
