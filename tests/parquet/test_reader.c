/* What the reader says about files that are not whole and about options that do not fit. */
#include <unistd.h>

#include "arrow/schema.h"
#include "parquet/footer.h"
#include "read_back.h"
#include "rows.h"
#include "write_rows.h"

enum { ROWS = 400, BYTES_MAX = 1 << 20 };

struct world {
    stoa_pool *pool;
    stoa_fs_registry *registry;
    stoa_context context;
    stoa_buffer bytes;
};

static void put_file(struct world *world, const void *bytes, size_t size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_file *file;
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_REPLACE, &world->context, &file,
                            &err),
              err);
    assert_ok(stoa_file_write(file, bytes, size, &err), err);
    assert_ok(stoa_file_sync(file, &err), err);
    stoa_file_close(file);
}

static void open_world(struct world *world) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_schema *schema;
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const struct rows_options kind = {20, 0, 3, 30, false};
    struct ArrowArray rows;
    *world = (struct world){.pool = support_pool_open()};
    world->context.pool = world->pool;
    stoa_buffer_init(&world->bytes, world->pool);
    options.row_group_rows = 150;
    options.page_bytes = 300;
    assert_ok(stoa_fs_registry_create(world->pool, &world->registry, &err), err);
    assert_ok(stoa_schema_parse(world->pool, "a long, b struct<c: list<string>>", &schema, &err),
              err);
    rows_batch(7, schema, &kind, ROWS, &rows);
    assert_ok(write_rows(&world->context, world->registry, "memory:/x", schema, &options, &rows,
                         NULL, &err),
              err);
    stoa_schema_close(schema);
    assert_ok(stoa_vfs_read_all(world->registry, "memory:/x", NULL, BYTES_MAX, world->pool,
                                &world->bytes, &err),
              err);
}

static void close_world(struct world *world) {
    stoa_buffer_release(&world->bytes);
    stoa_fs_registry_close(world->registry);
    support_pool_close(world->pool);
}

static stoa_status read_file(struct world *world, const stoa_parquet_read_options *options,
                             stoa_error *err) {
    stoa_file *file;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    *err = (stoa_error)STOA_ERROR_NONE;
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context, &file,
                            err),
              *err);
    const stoa_status status = read_back(&world->context, file, options, &schema, &rows, err);
    stoa_arrow_array_release(&rows);
    stoa_arrow_schema_release(&schema);
    stoa_file_close(file);
    return status;
}

/* Where a leaf's chunk in a row group ends. */
static uint64_t chunk_end(struct world *world, int32_t group, int32_t leaf) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_parquet_footer footer;
    stoa_file *file;
    assert_ok(stoa_vfs_open(world->registry, "memory:/x", STOA_OPEN_READ, &world->context, &file,
                            &err),
              err);
    assert_ok(stoa_parquet_footer_read(&world->context, file, NULL, &footer, &err), err);
    const stoa_parquet_column *column = &footer.groups[group].columns[leaf];
    const uint64_t end = column->offset + (uint64_t)column->compressed_bytes;
    stoa_parquet_footer_release(&footer);
    stoa_file_close(file);
    return end;
}

static void damage_is_named_by_file_row_group_column_page_and_byte(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    open_world(&world);
    world.bytes.data[chunk_end(&world, 1, 1) - 1] ^= 0x10; /* in the last page of the chunk */
    put_file(&world, world.bytes.data, world.bytes.size);
    assert_int_equal(read_file(&world, &options, &err), STOA_CORRUPT);
    assert_non_null(strstr(err.message, "reading 'memory:/x'"));
    assert_non_null(strstr(err.message, "row group 1, column 'b.c.list.element': page "));
    assert_non_null(strstr(err.message, " at byte "));
    assert_non_null(strstr(err.message, "expected a checksum of "));
    /* Only what is read is looked at. */
    const int32_t groups[] = {0, 2};
    options.groups = groups;
    options.group_count = 2;
    assert_ok(read_file(&world, &options, &err), err);
    const int32_t first = 1;
    options = (stoa_parquet_read_options){.field_ids = &first, .field_count = 1};
    assert_ok(read_file(&world, &options, &err), err);
    close_world(&world);
}

static void checksums_are_ignored_on_request(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    open_world(&world);
    world.bytes.data[chunk_end(&world, 0, 1) - 1] ^= 0x10;
    put_file(&world, world.bytes.data, world.bytes.size);
    options.ignores_checksums = true;
    const stoa_status status = read_file(&world, &options, &err);
    assert_true(status == STOA_OK || strstr(err.message, "expected a checksum of") == NULL);
    options.ignores_checksums = false;
    assert_int_equal(read_file(&world, &options, &err), STOA_CORRUPT);
    close_world(&world);
}

static void a_file_that_was_cut_is_refused(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    const stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    open_world(&world);
    for (size_t size = 0; size < world.bytes.size; size += 7) {
        put_file(&world, world.bytes.data, size);
        assert_int_equal(read_file(&world, &options, &err), STOA_CORRUPT);
        assert_non_null(strstr(err.message, "reading 'memory:/x'"));
    }
    close_world(&world);
}

/* Through a map what is missing reads as zeros, which must never become rows. */
static void a_file_cut_short_under_the_reader_fails(void **state) {
    (void)state;
    struct world world;
    char path[SUPPORT_PATH_BYTES];
    open_world(&world);
    support_temp_directory(path);
    (void)strncat(path, "/x.parquet", sizeof path - strlen(path) - 1);
    for (int maps = 0; maps < 2; maps++) {
        stoa_error err = STOA_ERROR_NONE;
        const stoa_parquet_read_options options = {.batch_rows = 50};
        stoa_file *file;
        stoa_parquet_reader *reader = NULL;
        struct ArrowArrayStream stream = {0};
        struct ArrowArray batch = {0};
        assert_ok(stoa_vfs_open(world.registry, path, STOA_OPEN_REPLACE, &world.context, &file,
                                &err),
                  err);
        assert_ok(stoa_file_write(file, world.bytes.data, world.bytes.size, &err), err);
        stoa_file_close(file);
        stoa_maps_allow(maps == 1);
        assert_ok(stoa_vfs_open(world.registry, path, STOA_OPEN_READ, &world.context, &file, &err),
                  err);
        assert_ok(stoa_parquet_reader_open(&world.context, file, 0, &reader, &err), err);
        assert_ok(stoa_parquet_reader_stream(reader, &options, &stream, &err), err);
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        stoa_arrow_array_release(&batch);
        assert_int_equal(truncate(path, 64), 0);
        stoa_status status = STOA_OK;
        for (int i = 0; i < 8 && status == STOA_OK; i++) {
            status = stoa_stream_next(&stream, &batch, &err);
            stoa_arrow_array_release(&batch);
        }
        assert_int_equal(status, maps == 1 ? STOA_IO : STOA_CORRUPT);
        assert_non_null(strstr(err.message, "x.parquet"));
        stoa_arrow_stream_release(&stream);
        stoa_parquet_reader_close(reader);
        stoa_file_close(file);
        assert_int_equal(unlink(path), 0);
    }
    close_world(&world);
}

static void options_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct world world;
    stoa_error err;
    open_world(&world);
    const int32_t group = 3, field = 77;
    static const stoa_parquet_row_range ranges[][2] = {{{0, 10}, {9, 1}},
                                                       {{-1, 10}, {20, 1}},
                                                       {{0, 0}, {1, 1}},
                                                       {{0, 1}, {399, 2}},
                                                       {{0, 1}, {1, INT64_MAX}}};
    stoa_parquet_read_options options = {.groups = &group, .group_count = 1};
    assert_int_equal(read_file(&world, &options, &err), STOA_INVALID);
    options = (stoa_parquet_read_options){.field_ids = &field, .field_count = 1};
    assert_int_equal(read_file(&world, &options, &err), STOA_INVALID);
    options = (stoa_parquet_read_options){.batch_rows = -1};
    assert_int_equal(read_file(&world, &options, &err), STOA_INVALID);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        options = (stoa_parquet_read_options){.ranges = ranges[i], .range_count = 2};
        assert_int_equal(read_file(&world, &options, &err), STOA_INVALID);
    }
    close_world(&world);
}

static void a_cancelled_read_stops(void **state) {
    (void)state;
    struct world world;
    stoa_error err = STOA_ERROR_NONE;
    const stoa_parquet_read_options options = STOA_PARQUET_READ_ALL;
    open_world(&world);
    assert_ok(stoa_cancel_create(NULL, &world.context.cancel, &err), err);
    stoa_file *file;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    assert_ok(stoa_vfs_open(world.registry, "memory:/x", STOA_OPEN_READ, &world.context, &file,
                            &err),
              err);
    stoa_cancel_trigger(world.context.cancel);
    assert_int_equal(read_back(&world.context, file, &options, &schema, &rows, &err),
                     STOA_CANCELLED);
    stoa_arrow_schema_release(&schema);
    stoa_file_close(file);
    stoa_cancel_close(world.context.cancel);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_named_by_file_row_group_column_page_and_byte),
        cmocka_unit_test(checksums_are_ignored_on_request),
        cmocka_unit_test(a_file_that_was_cut_is_refused),
        cmocka_unit_test(a_file_cut_short_under_the_reader_fails),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
        cmocka_unit_test(a_cancelled_read_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
