/* Random schemas and batches through both formats: what is read equals what was written, whole or
 * sliced, compressed or not, read or mapped; and what was read is written to the same bytes again. */
#include "support.h"

#include <stdio.h>

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "arrow/schema.h"
#include "arrow/stream.h"
#include "random_batch.h"

enum { RUNS = 150, BATCHES_MAX = 4, ROWS_MAX = 200 };

struct run {
    support_random random;
    support_world world;
    struct ArrowSchema schema;
    struct ArrowArray batches[BATCHES_MAX];
    int batch_count;
    stoa_ipc_options options;
    bool mapped;
};

static void make_input(struct run *run) {
    stoa_error err = STOA_ERROR_NONE;
    support_random *random = &run->random;
    /* The file format holds one dictionary and its extensions; random ones differ. */
    support_batch_options options = {.no_dictionaries = run->options.format == STOA_IPC_FILE};
    support_random_schema(random, run->world.pool, &options, &run->schema);
    run->batch_count = (int)support_random_below(random, BATCHES_MAX + 1);
    for (int i = 0; i < run->batch_count; i++) {
        int64_t rows = support_random_between(random, 0, ROWS_MAX);
        struct ArrowArray whole;
        support_random_batch(random, run->world.pool, &run->schema, &options, rows, &whole);
        int64_t first = support_random_between(random, 0, rows);
        int64_t count = support_random_between(random, 0, rows - first);
        if (support_random_bool(random)) {
            first = 0;
            count = rows;
        }
        assert_ok(stoa_arrow_slice(run->world.pool, &whole, first, count, &run->batches[i], &err),
                  err);
        stoa_arrow_array_release(&whole);
    }
}

static void write_batches(struct run *run, const char *path, const struct ArrowSchema *schema,
                          struct ArrowArray *batches) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_context context = {.pool = run->world.pool};
    stoa_file *file = NULL;
    stoa_ipc_writer *writer = NULL;
    assert_ok(stoa_vfs_open(run->world.registry, path, STOA_OPEN_REPLACE, &context, &file, &err),
              err);
    assert_ok(stoa_ipc_writer_create(&context, file, schema, &run->options, &writer, &err), err);
    for (int i = 0; i < run->batch_count; i++) {
        assert_ok(stoa_ipc_writer_write(writer, &batches[i], &err), err);
    }
    assert_ok(stoa_ipc_writer_finish(writer, &err), err);
    stoa_ipc_writer_close(writer);
    stoa_file_close(file);
}

static void read_batches(struct run *run, const char *path, struct ArrowSchema *schema,
                         struct ArrowArray *batches) {
    stoa_error err = STOA_ERROR_NONE;
    const stoa_context context = {.pool = run->world.pool};
    stoa_file *file = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray end = {0};
    assert_ok(stoa_vfs_open(run->world.registry, path, STOA_OPEN_READ, &context, &file, &err), err);
    assert_ok(run->mapped ? stoa_ipc_read_mapped(&context, file, &stream, &err)
                          : stoa_ipc_read(&context, file, &stream, &err),
              err);
    assert_ok(stoa_stream_schema(&stream, schema, &err), err);
    for (int i = 0; i < run->batch_count; i++) {
        assert_ok(stoa_stream_next(&stream, &batches[i], &err), err);
        assert_non_null(batches[i].release);
    }
    assert_ok(stoa_stream_next(&stream, &end, &err), err);
    assert_null(end.release);
    stoa_arrow_stream_release(&stream);
}

static void assert_same_bytes(struct run *run, const char *left, const char *right) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer a, b;
    stoa_buffer_init(&a, run->world.pool);
    stoa_buffer_init(&b, run->world.pool);
    assert_ok(stoa_vfs_read_all(run->world.registry, left, NULL, SIZE_MAX / 2, run->world.pool, &a,
                                &err),
              err);
    assert_ok(stoa_vfs_read_all(run->world.registry, right, NULL, SIZE_MAX / 2, run->world.pool, &b,
                                &err),
              err);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    stoa_buffer_release(&a);
    stoa_buffer_release(&b);
}

static void round_trip(struct run *run) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowSchema schema;
    struct ArrowArray found[BATCHES_MAX] = {0};
    write_batches(run, "test:/first", &run->schema, run->batches);
    read_batches(run, "test:/first", &schema, found);
    /* Without names: those of a dictionary's values have no place in the format. */
    if (!stoa_arrow_schema_equal(&run->schema, &schema, false, &err)) {
        fail_msg("%s", err.message);
    }
    for (int i = 0; i < run->batch_count; i++) {
        assert_ok(stoa_arrow_compare(&run->schema, &run->batches[i], &schema, &found[i], &err),
                  err);
    }
    write_batches(run, "test:/second", &schema, found);
    assert_same_bytes(run, "test:/first", "test:/second");
    for (int i = 0; i < run->batch_count; i++) {
        stoa_arrow_array_release(&found[i]);
    }
    stoa_arrow_schema_release(&schema);
}

static void random_batches_come_back(void **state) {
    (void)state;
    struct run run = {.random = support_random_open("arrow.prop_ipc")};
    for (int i = 0; i < RUNS; i++) {
        support_world_open(&run.world);
        run.options = (stoa_ipc_options){
            .format = (stoa_ipc_format)support_random_below(&run.random, 2),
            .codec = (stoa_ipc_codec)support_random_below(&run.random, 3),
            .alignment_bytes = UINT32_C(8) << support_random_below(&run.random, 4),
        };
        run.mapped = support_random_bool(&run.random);
        make_input(&run);
        round_trip(&run);
        for (int k = 0; k < run.batch_count; k++) {
            stoa_arrow_array_release(&run.batches[k]);
        }
        stoa_arrow_schema_release(&run.schema);
        support_world_close(&run.world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_batches_come_back)};
    return cmocka_run_group_tests_name("arrow.prop_ipc", tests, NULL, NULL);
}
