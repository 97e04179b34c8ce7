/* Mapped IPC files that somebody cuts short while they are read, and files that cannot be mapped. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "arrow/schema.h"
#include "arrow/stream.h"

enum { ROWS = 20000, BATCHES = 4 };

static char path[SUPPORT_PATH_BYTES + 16];
static stoa_pool *pool;
static stoa_fs_registry *registry;
static stoa_error err;

static void write_batches(stoa_ipc_format format) {
    const stoa_context context = {.pool = pool};
    const stoa_ipc_options options = {.format = format};
    struct ArrowSchema schema;
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    assert_ok(stoa_arrow_schema_init(pool, "+s", "", false, 1, &schema, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "l", "n", false, 0, schema.children[0], &err), err);
    assert_ok(stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, NULL, &file, &err), err);
    assert_ok(stoa_ipc_writer_create(&context, file, &schema, &options, &writer, &err), err);
    for (int batch = 0; batch < BATCHES; batch++) {
        stoa_builder *builder = NULL;
        struct ArrowArray array;
        assert_ok(stoa_builder_create(pool, &schema, &builder, &err), err);
        for (int64_t i = 0; i < ROWS; i++) {
            assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), i + 1, &err), err);
            assert_ok(stoa_builder_finish_value(builder, &err), err);
        }
        assert_ok(stoa_builder_finish(builder, &array, &err), err);
        stoa_builder_close(builder);
        assert_ok(stoa_ipc_writer_write(writer, &array, &err), err);
        stoa_arrow_array_release(&array);
    }
    assert_ok(stoa_ipc_writer_finish(writer, &err), err);
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    stoa_arrow_schema_release(&schema);
}

static int set_up(void **state) {
    (void)state;
    err = (stoa_error)STOA_ERROR_NONE;
    pool = support_pool_open();
    assert_ok(stoa_fs_registry_create(pool, &registry, &err), err);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoa_fs_registry_close(registry);
    support_pool_close(pool);
    return 0;
}

static stoa_status open_stream(struct ArrowArrayStream *out) {
    const stoa_context context = {.pool = pool};
    stoa_file *file = NULL;
    assert_ok(stoa_vfs_open(registry, path, STOA_OPEN_READ, NULL, &file, &err), err);
    return stoa_ipc_read_mapped(&context, file, out, &err);
}

/* Reads to the end or the first error, cutting the file to `kept` bytes before batch `cut_before`;
 * adds up all values meanwhile, wrong ones too. */
static stoa_status read_all(int cut_before, off_t kept, int64_t *out_rows, int64_t *out_sum) {
    struct ArrowArrayStream stream;
    stoa_status status = open_stream(&stream);
    assert_int_equal(status, STOA_OK);
    *out_rows = 0;
    *out_sum = 0;
    for (int i = 0; status == STOA_OK; i++) {
        struct ArrowArray batch = {0};
        if (i == cut_before) {
            assert_int_equal(truncate(path, kept), 0);
        }
        status = stoa_stream_next(&stream, &batch, &err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        const int64_t *values = batch.children[0]->buffers[1];
        for (int64_t row = 0; row < batch.length; row++) {
            *out_sum += values[row];
        }
        *out_rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    return status;
}

static void a_file_that_is_cut_while_it_is_read_is_an_error(void **state) {
    static const stoa_ipc_format formats[] = {STOA_IPC_STREAM, STOA_IPC_FILE};
    int64_t rows, sum;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        /* Before the first batch, in the middle, and when only the end is still to be asked for. */
        for (int before = 0; before <= BATCHES; before += 2) {
            write_batches(formats[i]);
            assert_int_equal(read_all(before, 4096, &rows, &sum), STOA_IO);
            assert_non_null(strstr(err.message, path));
            assert_non_null(strstr(err.message, "cut short"));
            assert_int_equal(rows, (int64_t)before * ROWS);
            err = (stoa_error)STOA_ERROR_NONE;
        }
    }
}

static void without_maps_files_are_read(void **state) {
    static const stoa_ipc_format formats[] = {STOA_IPC_STREAM, STOA_IPC_FILE};
    int64_t rows, sum;
    (void)state;
    stoa_maps_allow(false);
    for (size_t i = 0; i < 2; i++) {
        write_batches(formats[i]);
        assert_ok(read_all(-1, 0, &rows, &sum), err);
        assert_int_equal(rows, BATCHES * ROWS);
        assert_int_equal(sum, (int64_t)BATCHES * ROWS * (ROWS + 1) / 2);
    }
    stoa_maps_allow(true);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_cut_while_it_is_read_is_an_error),
        TEST(without_maps_files_are_read),
    };
    char base[SUPPORT_PATH_BYTES];
    support_temp_directory(base);
    (void)snprintf(path, sizeof path, "%s/cut", base);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
