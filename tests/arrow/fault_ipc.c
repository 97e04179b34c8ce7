/* Arrow IPC when memory or the file system fails: an error, no leak, and no half file that reads as
 * a whole one. */
#include "support.h"

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "random_batch.h"

#define PATH "test:/ipc"
enum { ROWS = 20, BATCHES = 2, COLUMNS = 12, SEED = 7 };

/* Made before anything fails, in a pool of its own. */
struct input {
    stoa_pool *pool;
    struct ArrowSchema schema;
    struct ArrowArray batches[BATCHES];
    stoa_ipc_options options;
    bool mapped;
};

/* The file format holds one dictionary and its extensions; random ones differ. */
static void input_open(struct input *input, stoa_ipc_options format) {
    const support_batch_options options = {.column_count = COLUMNS,
                                           .no_dictionaries = format.format == STOA_IPC_FILE};
    input->options = format;
    support_random random = {SEED};
    input->pool = support_pool_open();
    support_random_schema(&random, input->pool, &options, &input->schema);
    for (int i = 0; i < BATCHES; i++) {
        support_random_batch(&random, input->pool, &input->schema, &options, ROWS,
                             &input->batches[i]);
    }
}

static void input_close(struct input *input) {
    for (int i = 0; i < BATCHES; i++) {
        stoa_arrow_array_release(&input->batches[i]);
    }
    stoa_arrow_schema_release(&input->schema);
    support_pool_close(input->pool);
}

static stoa_status write_scenario(support_world *world, void *user, stoa_error *err) {
    const struct input *input = user;
    const stoa_context context = {.pool = world->pool};
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(world->registry, PATH, STOA_OPEN_REPLACE, &context, &file, err));
    STOA_CHECK(
        stoa_ipc_writer_create(&context, file, &input->schema, &input->options, &writer, err));
    for (int i = 0; i < BATCHES; i++) {
        STOA_CHECK(stoa_ipc_writer_write(writer, &input->batches[i], err));
    }
    STOA_CHECK(stoa_ipc_writer_finish(writer, err));

done:
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    return status;
}

/* Reads all; every batch that comes out equals what went in. */
static stoa_status read_scenario(support_world *world, void *user, stoa_error *err) {
    const struct input *input = user;
    const stoa_context context = {.pool = world->pool};
    stoa_file *file = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    STOA_TRY(stoa_vfs_open(world->registry, PATH, STOA_OPEN_READ, &context, &file, err));
    stoa_status status = input->mapped ? stoa_ipc_read_mapped(&context, file, &stream, err)
                                       : stoa_ipc_read(&context, file, &stream, err);
    for (int i = 0; status == STOA_OK && i < BATCHES; i++) {
        STOA_CHECK(stoa_stream_next(&stream, &batch, err));
        stoa_error difference = STOA_ERROR_NONE;
        assert_ok(stoa_arrow_compare(&input->schema, &input->batches[i], &input->schema, &batch,
                                     &difference),
                  difference);
        stoa_arrow_array_release(&batch);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    return status;
}

static stoa_status describe_scenario(support_world *world, void *user, stoa_error *err) {
    (void)user;
    const stoa_context context = {.pool = world->pool};
    stoa_file *file = NULL;
    stoa_buffer json;
    stoa_buffer_init(&json, world->pool);
    STOA_TRY(stoa_vfs_open(world->registry, PATH, STOA_OPEN_READ, &context, &file, err));
    stoa_status status = stoa_ipc_describe(&context, file, &json, err);
    stoa_file_close(file);
    stoa_buffer_release(&json);
    return status;
}

/* What a failed write left is no whole file; what a good one left reads back. */
static void check_written(support_world *world, void *user, stoa_status status) {
    const struct input *input = user;
    stoa_error err = STOA_ERROR_NONE;
    if (status == STOA_OK) {
        assert_ok(read_scenario(world, user, &err), err);
    } else if (input->options.format == STOA_IPC_FILE) {
        assert_int_not_equal(read_scenario(world, user, &err), STOA_OK);
    }
}

static const stoa_ipc_options cases[] = {
    {.format = STOA_IPC_STREAM, .codec = STOA_IPC_LZ4},
    {.format = STOA_IPC_STREAM, .codec = STOA_IPC_ZSTD},
    {.format = STOA_IPC_STREAM},
    {.format = STOA_IPC_FILE},
    {.format = STOA_IPC_FILE, .codec = STOA_IPC_ZSTD},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void writing_survives_every_fault(void **state) {
    (void)state;
    for (int i = 0; i < CASE_COUNT; i++) {
        struct input input = {0};
        input_open(&input, cases[i]);
        assert_true(support_fail_each_allocation(NULL, write_scenario, check_written, &input) > 10);
        assert_true(support_fail_each_call(NULL, write_scenario, check_written, &input) > 5);
        input_close(&input);
    }
}

static void reading_survives_every_fault(void **state) {
    (void)state;
    for (int i = 0; i < CASE_COUNT * 2; i++) {
        struct input input = {.mapped = i % 2 == 1};
        input_open(&input, cases[i / 2]);
        assert_true(support_fail_each_allocation(write_scenario, read_scenario, NULL, &input) > 10);
        assert_true(support_fail_each_call(write_scenario, read_scenario, NULL, &input) > 2);
        input_close(&input);
    }
}

static void describing_survives_every_fault(void **state) {
    (void)state;
    for (int i = 0; i < CASE_COUNT; i++) {
        struct input input = {0};
        input_open(&input, cases[i]);
        assert_true(support_fail_each_allocation(write_scenario, describe_scenario, NULL, &input) >
                    5);
        assert_true(support_fail_each_call(write_scenario, describe_scenario, NULL, &input) > 5);
        input_close(&input);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_survives_every_fault),
        cmocka_unit_test(reading_survives_every_fault),
        cmocka_unit_test(describing_survives_every_fault),
    };
    return cmocka_run_group_tests_name("arrow.fault_ipc", tests, NULL, NULL);
}
