/* The compact protocol against bytes worked out by hand from its specification, and against input that
 * lies. */
#include <string.h>

#include "parquet/thrift_reader.h"
#include "support.h"

static void fields_have_the_bytes_of_the_specification(void **state) {
    stoa_pool *pool = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer out;
    stoa_buffer_init(&out, pool);
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, &out, &err);
    stoa_thrift_write_i32(&writer, 1, -1);     /* delta 1, type 5; zigzag 1 */
    stoa_thrift_write_bool(&writer, 2, true);  /* delta 1, type 1 */
    stoa_thrift_write_bool(&writer, 4, false); /* delta 2, type 2 */
    stoa_thrift_write_i64(&writer, 20, 300);   /* delta 16: type, zigzag(20) = 40; zigzag 600 */
    stoa_thrift_write_text(&writer, 21, "ab");
    stoa_thrift_begin_struct(&writer, 22);
    stoa_thrift_write_i8(&writer, 1, -2);
    stoa_thrift_write_i16(&writer, 3, 64);
    stoa_thrift_end_struct(&writer);
    stoa_thrift_begin_list(&writer, 23, STOA_THRIFT_I32, 2);
    stoa_thrift_item_i32(&writer, 1);
    stoa_thrift_item_i32(&writer, -3);
    stoa_thrift_begin_list(&writer, 24, STOA_THRIFT_BINARY, 15);
    for (int i = 0; i < 15; i++) {
        stoa_thrift_item_text(&writer, "");
    }
    stoa_thrift_write_empty(&writer, 25);
    assert_ok(stoa_thrift_writer_finish(&writer), err);
    static const uint8_t want[] = {0x15, 0x01, 0x11, 0x22, 0x06, 0x28, 0xD8, 0x04, 0x18, 0x02, 'a',
                                   'b',  0x1C, 0x13, 0xFE, 0x24, 0x80, 0x01, 0x00, 0x19, 0x25, 0x02,
                                   0x05, 0x19, 0xF8, 0x0F, 0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0x1C, 0x00, 0x00};
    assert_int_equal(out.size, sizeof want);
    assert_memory_equal(out.data, want, sizeof want);

    /* Skipping everything arrives exactly at the end. */
    stoa_thrift_reader reader = stoa_thrift_reader_of(out.data, out.size);
    stoa_thrift_type type;
    int count = 0;
    for (int16_t id = 0; stoa_thrift_next_field(&reader, &id, &type);) {
        stoa_thrift_skip(&reader, type);
        count++;
    }
    assert_null(reader.problem);
    assert_int_equal(count, 9);
    assert_int_equal(reader.bytes.position, out.size);
    stoa_buffer_release(&out);
}

static void every_prefix_is_refused(void **state) {
    stoa_pool *pool = *state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer out;
    stoa_buffer_init(&out, pool);
    stoa_thrift_writer writer;
    stoa_thrift_writer_init(&writer, &out, &err);
    stoa_thrift_write_i64(&writer, 1, INT64_MIN);
    stoa_thrift_begin_struct(&writer, 2);
    stoa_thrift_write_text(&writer, 1, "text");
    stoa_thrift_end_struct(&writer);
    assert_ok(stoa_thrift_writer_finish(&writer), err);
    for (size_t size = 0; size < out.size; size++) {
        stoa_thrift_reader reader = stoa_thrift_reader_of(out.data, size);
        stoa_thrift_type type;
        for (int16_t id = 0; stoa_thrift_next_field(&reader, &id, &type);) {
            stoa_thrift_skip(&reader, type);
        }
        assert_non_null(reader.problem);
        assert_true(reader.ended);
    }
    stoa_buffer_release(&out);
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    uint8_t bytes[4096];
    memset(bytes, 0x1C, sizeof bytes); /* a struct in a struct in a struct … */
    stoa_thrift_reader reader = stoa_thrift_reader_of(bytes, sizeof bytes);
    stoa_thrift_skip(&reader, STOA_THRIFT_STRUCT);
    assert_non_null(reader.problem);
    assert_false(reader.ended);
    memset(bytes, 0x19, sizeof bytes); /* lists of one list */
    reader = stoa_thrift_reader_of(bytes, sizeof bytes);
    stoa_thrift_skip(&reader, STOA_THRIFT_LIST);
    assert_non_null(reader.problem);
}

static void counts_cannot_promise_more_than_there_is(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0}; /* 2^32 - 1 */
    stoa_thrift_reader reader = stoa_thrift_reader_of(bytes, sizeof bytes);
    assert_int_equal(stoa_thrift_read_list(&reader, STOA_THRIFT_LIST, STOA_THRIFT_STRUCT, 1), 0);
    assert_non_null(reader.problem);
    static const uint8_t few[] = {0x3C, 0, 0, 0}; /* three structs in three bytes */
    reader = stoa_thrift_reader_of(few, sizeof few);
    assert_int_equal(stoa_thrift_read_list(&reader, STOA_THRIFT_LIST, STOA_THRIFT_STRUCT, 1), 3);
    reader = stoa_thrift_reader_of(few, sizeof few);
    assert_int_equal(stoa_thrift_read_list(&reader, STOA_THRIFT_LIST, STOA_THRIFT_STRUCT, 2), 0);
    assert_non_null(reader.problem);
}

static void numbers_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const uint8_t wide[] = {0x80, 0x80, 0x80, 0x80, 0x20}; /* zigzag 2^33 */
    stoa_thrift_reader reader = stoa_thrift_reader_of(wide, sizeof wide);
    (void)stoa_thrift_read_i32(&reader, STOA_THRIFT_I32);
    assert_non_null(reader.problem);
    reader = stoa_thrift_reader_of(wide, sizeof wide);
    (void)stoa_thrift_read_i32(&reader, STOA_THRIFT_I64); /* a field of another type */
    assert_non_null(reader.problem);
}

static int begin(void **state) {
    *state = support_pool_open();
    return 0;
}

static int end(void **state) {
    support_pool_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_have_the_bytes_of_the_specification, begin, end),
        cmocka_unit_test_setup_teardown(every_prefix_is_refused, begin, end),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(counts_cannot_promise_more_than_there_is),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
