/* Arrow IPC by itself: what comes back, who owns it, what bad bytes and bad calls lead to. That the
 * format is right is for PyArrow to say (oracle_ipc.py). */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "arrow/schema.h"
#include "arrow/stream.h"

#define PATH "test:/ipc"
enum { ROWS = 99 }; /* a multiple of 3, so that every batch has the same dictionary */

static support_world world;

static int open_world(void **state) {
    (void)state;
    support_world_open(&world);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    support_world_close(&world);
    return 0;
}

static stoa_context context_of(void) {
    return (stoa_context){.pool = world.pool};
}

/* "n": int64, "s": string with nulls, "d": a dictionary of strings, "l": lists of int32. */
static void make_schema(struct ArrowSchema *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_pool *pool = world.pool;
    const char *const keys[] = {"origin"};
    const char *const values[] = {"test"};
    assert_ok(stoa_arrow_schema_init(pool, "+s", "", false, 4, out, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "l", "n", false, 0, out->children[0], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "u", "s", true, 0, out->children[1], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "c", "d", true, 0, out->children[2], &err), err);
    struct ArrowSchema *coded = out->children[2];
    assert_ok(stoa_arrow_schema_add_dictionary(pool, coded, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "u", "", true, 0, coded->dictionary, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "+l", "l", true, 1, out->children[3], &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "i", "item", true, 0, out->children[3]->children[0],
                                     &err),
              err);
    assert_ok(stoa_arrow_schema_set_metadata(pool, out, keys, values, 1, &err), err);
    assert_ok(stoa_arrow_schema_set_metadata(pool, out->children[0], keys, values, 1, &err), err);
}

/* Row i of a batch that begins at row `first` of some endless table. */
static stoa_status append_row(stoa_builder *builder, int64_t i, stoa_error *err) {
    static const char *const words[] = {"", "stoa", "a longer word than that", "ποικίλη"};
    const char *word = words[i % 4];
    STOA_TRY(stoa_builder_append_i64(stoa_builder_child(builder, 0), i * i - 7, err));
    STOA_TRY(i % 5 == 0 ? stoa_builder_append_null(stoa_builder_child(builder, 1), err)
                        : stoa_builder_append_bytes(stoa_builder_child(builder, 1), word,
                                                    strlen(word), err));
    STOA_TRY(stoa_builder_append_bytes(stoa_builder_child(builder, 2), words[i % 3],
                                       strlen(words[i % 3]), err));
    stoa_builder *list = stoa_builder_child(builder, 3);
    for (int64_t k = 0; k < i % 4; k++) {
        STOA_TRY(stoa_builder_append_i64(stoa_builder_child(list, 0), i + k, err));
    }
    STOA_TRY(stoa_builder_finish_value(list, err));
    return stoa_builder_finish_value(builder, err);
}

static void make_batch(const struct ArrowSchema *schema, int64_t first, int64_t rows,
                       struct ArrowArray *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_builder *builder = NULL;
    assert_ok(stoa_builder_create(world.pool, schema, &builder, &err), err);
    for (int64_t i = first; i < first + rows; i++) {
        assert_ok(append_row(builder, i, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static void open_file(stoa_open_mode mode, stoa_file **out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    assert_ok(stoa_vfs_open(world.registry, PATH, mode, &context, out, &err), err);
}

/* `batches` batches of `rows` rows. */
static void write_file(const stoa_ipc_options *options, int64_t batches, int64_t rows) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    struct ArrowSchema schema;
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    make_schema(&schema);
    open_file(STOA_OPEN_REPLACE, &file);
    assert_ok(stoa_ipc_writer_create(&context, file, &schema, options, &writer, &err), err);
    for (int64_t i = 0; i < batches; i++) {
        struct ArrowArray batch;
        make_batch(&schema, i * rows, rows, &batch);
        assert_ok(stoa_ipc_writer_write(writer, &batch, &err), err);
        stoa_arrow_array_release(&batch);
    }
    assert_ok(stoa_ipc_writer_finish(writer, &err), err);
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    stoa_arrow_schema_release(&schema);
}

static void open_stream(bool mapped, struct ArrowArrayStream *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    stoa_file *file = NULL;
    open_file(STOA_OPEN_READ, &file);
    assert_ok(mapped ? stoa_ipc_read_mapped(&context, file, out, &err)
                     : stoa_ipc_read(&context, file, out, &err),
              err);
}

static void assert_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                         int64_t first, int64_t rows) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArray expected;
    make_batch(schema, first, rows, &expected);
    assert_ok(stoa_arrow_compare(schema, &expected, schema, batch, &err), err);
    stoa_arrow_array_release(&expected);
}

static void assert_contents(bool mapped, int64_t batches, int64_t rows) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowSchema expected, schema;
    make_schema(&expected);
    open_stream(mapped, &stream);
    assert_ok(stoa_stream_schema(&stream, &schema, &err), err);
    if (!stoa_arrow_schema_equal(&expected, &schema, true, &err)) {
        fail_msg("%s", err.message);
    }
    for (int64_t i = 0; i <= batches; i++) {
        struct ArrowArray batch;
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        assert_int_equal(batch.release == NULL, i == batches);
        if (batch.release != NULL) {
            assert_batch(&schema, &batch, i * rows, rows);
        }
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    stoa_arrow_schema_release(&schema);
    stoa_arrow_schema_release(&expected);
}

static const stoa_ipc_options all_options[] = {
    {.format = STOA_IPC_STREAM},
    {.format = STOA_IPC_STREAM, .codec = STOA_IPC_LZ4},
    {.format = STOA_IPC_STREAM, .codec = STOA_IPC_ZSTD, .codec_level = 9},
    {.format = STOA_IPC_FILE, .alignment_bytes = 8},
    {.format = STOA_IPC_FILE, .codec = STOA_IPC_LZ4, .alignment_bytes = 32},
    {.format = STOA_IPC_FILE, .codec = STOA_IPC_ZSTD},
};
enum { OPTION_COUNT = sizeof all_options / sizeof all_options[0] };

static void what_was_written_comes_back(void **state) {
    (void)state;
    const int64_t shapes[][2] = {{0, 0}, {1, 0}, {1, 1}, {3, ROWS}, {2, 5001}};
    for (int i = 0; i < OPTION_COUNT; i++) {
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
            write_file(&all_options[i], shapes[k][0], shapes[k][1]);
            assert_contents(false, shapes[k][0], shapes[k][1]);
            assert_contents(true, shapes[k][0], shapes[k][1]);
        }
    }
}

static void batches_and_columns_outlive_the_stream(void **state) {
    (void)state;
    for (int i = 0; i < OPTION_COUNT * 2; i++) {
        stoa_error err = STOA_ERROR_NONE;
        struct ArrowArrayStream stream;
        struct ArrowSchema schema;
        struct ArrowArray batch;
        write_file(&all_options[i / 2], 2, ROWS);
        open_stream(i % 2 == 1, &stream);
        assert_ok(stoa_stream_schema(&stream, &schema, &err), err);
        assert_ok(stoa_stream_next(&stream, &batch, &err), err);
        stoa_arrow_stream_release(&stream);
        assert_batch(&schema, &batch, 0, ROWS);
        struct ArrowArray column = *batch.children[2]; /* moved out, as the interface allows */
        batch.children[2]->release = NULL;
        stoa_arrow_array_release(&batch);
        assert_int_equal(column.length, ROWS);
        assert_ok(stoa_arrow_validate(schema.children[2], &column, STOA_ARROW_CHECK_FULL, &err),
                  err);
        stoa_arrow_array_release(&column);
        stoa_arrow_schema_release(&schema);
    }
}

/* Twenty batches go through a pool that holds three. */
static void one_batch_is_in_memory_at_a_time(void **state) {
    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_pool *small = NULL;
        stoa_file *file = NULL;
        struct ArrowArrayStream stream;
        write_file(&all_options[i], 20, 19998);
        assert_ok(stoa_pool_create_child(world.pool, "small", 6 << 20, &small, &err), err);
        stoa_context context = {.pool = small};
        open_file(STOA_OPEN_READ, &file);
        assert_ok(stoa_ipc_read(&context, file, &stream, &err), err);
        int64_t rows = 0;
        for (;;) {
            struct ArrowArray batch;
            assert_ok(stoa_stream_next(&stream, &batch, &err), err);
            if (batch.release == NULL) {
                break;
            }
            rows += batch.length;
            stoa_arrow_array_release(&batch);
        }
        assert_int_equal(rows, 20 * 19998);
        stoa_arrow_stream_release(&stream);
        assert_int_equal(stoa_pool_used(small), 0);
        stoa_pool_close(small);
    }
}

struct bytes {
    const uint8_t *data;
    size_t size;
};

static stoa_status bytes_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((const struct bytes *)state)->size;
    return STOA_OK;
}

static stoa_status bytes_read(void *state, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size, stoa_error *err) {
    (void)err;
    const struct bytes *bytes = state;
    size_t left = offset < bytes->size ? bytes->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, bytes->data + offset, *out_size);
    }
    return STOA_OK;
}

static const stoa_file_operations known_size = {.size = bytes_size, .read_at = bytes_read};
static const stoa_file_operations unknown_size = {.read_at = bytes_read};

/* Reads to the end; says how many batches came. Every batch must be one of those written. */
static stoa_status read_bytes(const uint8_t *data, size_t size,
                              const stoa_file_operations *operations, int64_t *out_batches,
                              stoa_error *err) {
    stoa_context context = context_of();
    struct bytes bytes = {data, size};
    struct ArrowArrayStream stream = {0};
    stoa_file *file = NULL;
    *out_batches = 0;
    assert_ok(stoa_file_create(world.pool, "bytes", operations, &bytes, &file, err), *err);
    STOA_TRY(stoa_ipc_read(&context, file, &stream, err));
    stoa_status status = STOA_OK;
    for (;;) {
        struct ArrowArray batch = {0};
        status = stoa_stream_next(&stream, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        ++*out_batches;
        stoa_arrow_array_release(&batch);
    }
    stoa_arrow_stream_release(&stream);
    return status;
}

static uint8_t *read_whole(size_t *out_size) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer all;
    stoa_buffer_init(&all, world.pool);
    assert_ok(stoa_vfs_read_all(world.registry, PATH, NULL, 1 << 24, world.pool, &all, &err), err);
    uint8_t *copy = malloc(all.size);
    assert_non_null(copy);
    memcpy(copy, all.data, all.size);
    *out_size = all.size;
    stoa_buffer_release(&all);
    return copy;
}

static void assert_bad_bytes(stoa_status status, const stoa_error *err) {
    if (status == STOA_CORRUPT) {
        assert_non_null(strstr(err->message, "'bytes'"));
        assert_string_equal(err->file, "bytes");
        assert_true(err->offset >= 0);
    } else if (status != STOA_OK && status != STOA_UNSUPPORTED) {
        fail_msg("%s: %s", stoa_status_name(status), err->message);
    }
}

/* A stream may end between two messages; everything else that is cut off is corrupt. */
static void cut_off_anywhere_is_an_error_or_fewer_batches(void **state) {
    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t size = 0;
        write_file(&all_options[i], 2, 9);
        uint8_t *whole = read_whole(&size);
        int clean_ends = 0;
        for (size_t cut = 0; cut < size; cut++) {
            stoa_error err = STOA_ERROR_NONE;
            int64_t batches = 0;
            uint8_t *part = malloc(cut == 0 ? 1 : cut);
            memcpy(part, whole, cut);
            stoa_status status = read_bytes(part, cut, &known_size, &batches, &err);
            assert_true(batches <= 2);
            assert_true(status == STOA_OK || status == STOA_CORRUPT);
            assert_bad_bytes(status, &err);
            clean_ends += status == STOA_OK;
            status = read_bytes(part, cut, &unknown_size, &batches, &err);
            assert_true(status == STOA_OK || status == STOA_CORRUPT);
            free(part);
        }
        /* A stream: behind the schema, the dictionary and either batch, in the middle of nothing. */
        assert_int_equal(clean_ends, all_options[i].format == STOA_IPC_FILE ? 0 : 4);
        free(whole);
    }
}

static void flipped_bits_are_an_error_or_data(void **state) {
    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++) {
        size_t size = 0;
        write_file(&all_options[i], 2, 9);
        uint8_t *whole = read_whole(&size);
        for (size_t bit = 0; bit < size * 8; bit++) {
            stoa_error err = STOA_ERROR_NONE;
            int64_t batches = 0;
            whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ (1u << bit % 8));
            stoa_status status = read_bytes(whole, size, &known_size, &batches, &err);
            assert_bad_bytes(status, &err);
            whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ (1u << bit % 8));
        }
        free(whole);
    }
}

/* Sizes of a terabyte in a file of some bytes ask for no memory, known size or not. */
static void hostile_sizes_ask_for_no_memory(void **state) {
    (void)state;
    static const uint8_t metadata[] = {0xff, 0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0x7f, 1, 2, 3, 4};
    size_t size = 0;
    write_file(&all_options[0], 1, 10);
    uint8_t *whole = read_whole(&size);
    size_t peak = stoa_pool_peak(world.pool);
    const stoa_file_operations *const kinds[] = {&known_size, &unknown_size};
    for (int kind = 0; kind < 2; kind++) {
        stoa_error err = STOA_ERROR_NONE;
        int64_t batches = 0;
        assert_fails(read_bytes(metadata, sizeof metadata, kinds[kind], &batches, &err),
                     STOA_CORRUPT, "2147483632 bytes", err);
        for (size_t at = 0; at + 8 <= size; at += 8) { /* every number that stands aligned */
            uint8_t saved[8];
            const uint64_t huge = UINT64_C(1) << 40;
            memcpy(saved, whole + at, sizeof saved);
            memcpy(whole + at, &huge, sizeof huge);
            assert_bad_bytes(read_bytes(whole, size, kinds[kind], &batches, &err), &err);
            memcpy(whole + at, saved, sizeof saved);
        }
    }
    assert_true(stoa_pool_peak(world.pool) < peak + (4 << 20));
    free(whole);
}

static void a_writer_that_failed_or_finished_takes_no_more(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    struct ArrowSchema schema, other;
    struct ArrowArray batch, wrong = {0};
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    make_schema(&schema);
    make_batch(&schema, 0, 3, &batch);
    open_file(STOA_OPEN_REPLACE, &file);
    assert_ok(stoa_ipc_writer_create(&context, file, &schema, NULL, &writer, &err), err);
    assert_ok(stoa_arrow_schema_init(world.pool, "+s", "", false, 1, &other, &err), err);
    assert_ok(stoa_arrow_schema_init(world.pool, "i", "x", true, 0, other.children[0], &err), err);
    stoa_builder *builder = NULL;
    assert_ok(stoa_builder_create(world.pool, &other, &builder, &err), err);
    assert_ok(stoa_builder_finish(builder, &wrong, &err), err);
    assert_fails(stoa_ipc_writer_write(writer, &wrong, &err), STOA_INVALID, "", err);
    assert_ok(stoa_ipc_writer_write(writer, &batch, &err), err); /* nothing of it was sent */
    assert_ok(stoa_ipc_writer_finish(writer, &err), err);
    assert_fails(stoa_ipc_writer_finish(writer, &err), STOA_INVALID, "was finished", err);
    assert_fails(stoa_ipc_writer_write(writer, &batch, &err), STOA_INVALID, "was finished", err);
    stoa_ipc_writer_close(writer);

    assert_ok(stoa_ipc_writer_create(&context, file, &schema, NULL, &writer, &err), err);
    stoa_fault_plan(world.fault, &(stoa_fault_options){.fail_at = 1});
    assert_fails(stoa_ipc_writer_write(writer, &batch, &err), STOA_IO, NULL, err);
    stoa_fault_plan(world.fault, NULL);
    assert_fails(stoa_ipc_writer_finish(writer, &err), STOA_INVALID, "failed before", err);
    stoa_ipc_writer_close(writer);
    stoa_ipc_writer_close(NULL);
    stoa_file_close(file);
    stoa_builder_close(builder);
    stoa_arrow_array_release(&wrong);
    stoa_arrow_array_release(&batch);
    stoa_arrow_schema_release(&other);
    stoa_arrow_schema_release(&schema);
}

static void options_are_checked(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    const struct {
        stoa_ipc_options options;
        const char *text;
    } cases[] = {
        {{.alignment_bytes = 4}, "alignment of 8"},
        {{.alignment_bytes = 24}, "found 24"},
        {{.alignment_bytes = 128}, "found 128"},
        {{.codec = STOA_IPC_ZSTD, .codec_level = 99}, "level"},
        {{.format = (stoa_ipc_format)7}, "format 7"},
    };
    struct ArrowSchema schema;
    stoa_file *file = NULL;
    make_schema(&schema);
    open_file(STOA_OPEN_REPLACE, &file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_ipc_writer *writer = NULL;
        assert_fails(stoa_ipc_writer_create(&context, file, &schema, &cases[i].options, &writer,
                                            &err),
                     STOA_INVALID, cases[i].text, err);
        assert_null(writer);
    }
    stoa_file_close(file);
    stoa_arrow_schema_release(&schema);
}

static void a_cancelled_token_stops_reader_and_writer(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_context context = context_of();
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    write_file(&all_options[0], 2, 9);
    assert_ok(stoa_cancel_create(NULL, &context.cancel, &err), err);
    open_file(STOA_OPEN_READ, &file);
    assert_ok(stoa_ipc_read(&context, file, &stream, &err), err);
    make_schema(&schema);
    make_batch(&schema, 0, 3, &batch);
    open_file(STOA_OPEN_REPLACE, &file);
    assert_ok(stoa_ipc_writer_create(&context, file, &schema, NULL, &writer, &err), err);
    stoa_cancel_trigger(context.cancel);
    assert_fails(stoa_ipc_writer_write(writer, &batch, &err), STOA_CANCELLED, NULL, err);
    stoa_arrow_array_release(&batch);
    assert_fails(stoa_stream_next(&stream, &batch, &err), STOA_CANCELLED, NULL, err);
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
    stoa_arrow_stream_release(&stream);
    stoa_arrow_schema_release(&schema);
    stoa_cancel_close(context.cancel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_comes_back, open_world, close_world),
        cmocka_unit_test_setup_teardown(batches_and_columns_outlive_the_stream, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(one_batch_is_in_memory_at_a_time, open_world, close_world),
        cmocka_unit_test_setup_teardown(cut_off_anywhere_is_an_error_or_fewer_batches, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(flipped_bits_are_an_error_or_data, open_world, close_world),
        cmocka_unit_test_setup_teardown(hostile_sizes_ask_for_no_memory, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_writer_that_failed_or_finished_takes_no_more, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(options_are_checked, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_cancelled_token_stops_reader_and_writer, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests_name("arrow.ipc", tests, NULL, NULL);
}
