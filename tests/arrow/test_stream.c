/* Streams: the end, failures, and streams of somebody else. */
#include <errno.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/schema.h"
#include "arrow/stream.h"
#include "pool_world.h"

static void batch_make(const struct ArrowSchema *schema, int64_t value, struct ArrowArray *out) {
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, schema, &builder, &err), err);
    assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, 0), value, &err), err);
    assert_ok(stoa_builder_finish_value(builder, &err), err);
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

static void schema_make(struct ArrowSchema *out) {
    assert_ok(stoa_arrow_schema_init(pool, "+s", "", false, 1, out, &err), err);
    assert_ok(stoa_arrow_schema_init(pool, "l", "x", true, 0, out->children[0], &err), err);
}

static void batches_come_in_order_and_end(void **state) {
    (void)state;
    struct ArrowSchema schema, seen;
    struct ArrowArray batches[2], next;
    struct ArrowArrayStream stream;
    schema_make(&schema);
    batch_make(&schema, 7, &batches[0]);
    batch_make(&schema, 8, &batches[1]);
    assert_ok(stoa_stream_from_batches(pool, &schema, batches, 2, &stream, &err), err);
    assert_null(schema.release);
    assert_null(batches[0].release);
    assert_ok(stoa_stream_schema(&stream, &seen, &err), err);
    assert_string_equal(seen.children[0]->name, "x");
    stoa_arrow_schema_release(&seen);
    for (int64_t wanted = 7; wanted <= 8; wanted++) {
        assert_ok(stoa_stream_next(&stream, &next, &err), err);
        assert_int_equal(((const int64_t *)next.children[0]->buffers[1])[0], wanted);
        stoa_arrow_array_release(&next);
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(stoa_stream_next(&stream, &next, &err), err);
        assert_null(next.release);
    }
    stoa_arrow_stream_release(&stream);
    assert_fails(stoa_stream_next(&stream, &next, &err), STOA_INVALID, "was released", err);
}

static void batches_left_over_are_released(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batches[1];
    struct ArrowArrayStream stream;
    schema_make(&schema);
    batch_make(&schema, 7, &batches[0]);
    assert_ok(stoa_stream_from_batches(pool, &schema, batches, 1, &stream, &err), err);
    stoa_arrow_stream_release(&stream);
    stoa_arrow_stream_release(&stream);
}

struct failing {
    int calls;
    int closed;
};

static stoa_status failing_next(void *state, struct ArrowArray *out, stoa_error *error) {
    (void)out;
    ((struct failing *)state)->calls++;
    stoa_status status = stoa_fail(error, STOA_CORRUPT, "page 3 is cut off");
    stoa_error_set_row(error, 17);
    return status;
}

static void failing_close(void *state) {
    ((struct failing *)state)->closed++;
}

static void the_first_failure_is_final(void **state) {
    (void)state;
    struct ArrowSchema schema, seen;
    struct ArrowArray next;
    struct ArrowArrayStream stream;
    struct failing failing = {0, 0};
    static const stoa_stream_operations operations = {failing_next, failing_close};
    schema_make(&schema);
    assert_ok(stoa_stream_create(pool, &schema, &operations, &failing, &stream, &err), err);
    for (int i = 0; i < 2; i++) {
        assert_fails(stoa_stream_next(&stream, &next, &err), STOA_CORRUPT, "page 3 is cut off",
                     err);
        assert_int_equal(err.row, 17);
        assert_null(next.release);
    }
    assert_int_equal(failing.calls, 1);
    assert_int_equal(stream.get_next(&stream, &next), EIO);
    assert_string_equal(stream.get_last_error(&stream), "page 3 is cut off");
    assert_ok(stoa_stream_schema(&stream, &seen, &err), err);
    stoa_arrow_schema_release(&seen);
    stoa_arrow_stream_release(&stream);
    assert_int_equal(failing.closed, 1);
}

static int foreign_number;

static int foreign_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    (void)stream;
    (void)out;
    return foreign_number;
}

static int foreign_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    (void)stream;
    (void)out;
    return foreign_number;
}

static const char *foreign_error(struct ArrowArrayStream *stream) {
    return stream->private_data;
}

static void foreign_release(struct ArrowArrayStream *stream) {
    stream->release = NULL;
}

static void foreign_failures_have_a_status(void **state) {
    (void)state;
    static const struct {
        int number;
        stoa_status status;
    } pairs[] = {{ENOMEM, STOA_NO_MEMORY},
                 {ECANCELED, STOA_CANCELLED},
                 {EINVAL, STOA_INVALID},
                 {EPIPE, STOA_IO}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char said[] = "their words";
        struct ArrowArrayStream stream = {foreign_schema, foreign_next, foreign_error,
                                          foreign_release, said};
        struct ArrowSchema schema;
        struct ArrowArray next;
        foreign_number = pairs[i].number;
        assert_fails(stoa_stream_schema(&stream, &schema, &err), pairs[i].status, said, err);
        assert_fails(stoa_stream_next(&stream, &next, &err), pairs[i].status, said, err);
        stream.private_data = NULL;
        assert_fails(stoa_stream_next(&stream, &next, &err), pairs[i].status,
                     strerror(pairs[i].number), err);
        stoa_arrow_stream_release(&stream);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(batches_come_in_order_and_end),
        TEST(batches_left_over_are_released),
        TEST(the_first_failure_is_final),
        TEST(foreign_failures_have_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
