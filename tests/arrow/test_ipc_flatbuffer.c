/* FlatBuffers: what the builder writes the reader reads, and a reader never leaves its bytes. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/ipc_builder.h"
#include "arrow/ipc_flatbuffer.h"

static stoa_pool *pool;

static int open_pool(void **state) {
    (void)state;
    pool = support_pool_open();
    return 0;
}

static int close_pool(void **state) {
    (void)state;
    support_pool_close(pool);
    return 0;
}

/* A root with every kind of field: 0 u8, 1 i16, 2 absent, 3 i64, 4 string, 5 vector of i64,
 * 6 tables, 7 i32; each table has one i32. */
static void build(stoa_buffer *out) {
    stoa_error err = STOA_ERROR_NONE;
    const int64_t numbers[] = {1, -2, INT64_MAX};
    stoa_flat_slot slots[] = {
        STOA_FLAT_SCALAR(1, 200), STOA_FLAT_SCALAR(2, (uint16_t)-5),
        STOA_FLAT_ABSENT,         STOA_FLAT_SCALAR(8, (uint64_t)INT64_MIN),
        STOA_FLAT_REFERENCE,      STOA_FLAT_REFERENCE,
        STOA_FLAT_REFERENCE,      STOA_FLAT_SCALAR(4, (uint32_t)-70000),
    };
    stoa_buffer_init(out, pool);
    assert_ok(stoa_flat_begin(out, &err), err);
    assert_ok(stoa_flat_write_table(out, 0, slots, 8, &err), err);
    assert_ok(stoa_flat_write_string(out, slots[4].position, "a\0b", 3, &err), err);
    assert_ok(stoa_flat_write_vector(out, slots[5].position, numbers, 3, 8, NULL, &err), err);
    uint32_t first = 0;
    assert_ok(stoa_flat_write_vector(out, slots[6].position, NULL, 2, 4, &first, &err), err);
    for (uint32_t i = 0; i < 2; i++) {
        stoa_flat_slot one[] = {STOA_FLAT_SCALAR(4, 10 + i)};
        assert_ok(stoa_flat_write_table(out, first + i * 4, one, 1, &err), err);
    }
}

/* Reads everything; the sum keeps the compiler from leaving it out. */
static uint64_t read_all(stoa_flat_reader *reader) {
    stoa_flat_table root = stoa_flat_root(reader);
    uint64_t sum = stoa_flat_u8(root, 0, 0);
    sum += (uint64_t)stoa_flat_i16(root, 1, 0) + (uint64_t)stoa_flat_i64(root, 3, 0);
    uint32_t size = 0;
    const char *text = stoa_flat_string(root, 4, &size);
    for (uint32_t i = 0; i < size; i++) {
        sum += (uint8_t)text[i];
    }
    stoa_flat_vector numbers = stoa_flat_vector_of(root, 5, 8);
    for (uint32_t i = 0; i < numbers.count; i++) {
        sum += *stoa_flat_element(numbers, i) + stoa_flat_element(numbers, i)[7];
    }
    stoa_flat_vector tables = stoa_flat_tables_of(root, 6);
    for (uint32_t i = 0; i < tables.count; i++) {
        sum += (uint64_t)stoa_flat_i32(stoa_flat_element_table(tables, i), 0, 0);
    }
    return sum + (uint64_t)stoa_flat_i32(root, 7, 0);
}

static void what_is_built_is_read(void **state) {
    (void)state;
    stoa_buffer bytes;
    build(&bytes);
    stoa_flat_reader reader = stoa_flat_reader_of(bytes.data, bytes.size);
    stoa_flat_table root = stoa_flat_root(&reader);
    assert_true(stoa_flat_present(root));
    assert_int_equal(stoa_flat_u8(root, 0, 1), 200);
    assert_true(stoa_flat_bool(root, 0, false));
    assert_int_equal(stoa_flat_i16(root, 1, 1), -5);
    assert_int_equal(stoa_flat_i32(root, 2, 42), 42);
    assert_int_equal(stoa_flat_i32(root, 99, 43), 43);
    assert_true(stoa_flat_i64(root, 3, 0) == INT64_MIN);
    assert_int_equal(stoa_flat_i32(root, 7, 0), -70000);
    uint32_t size = 0;
    const char *text = stoa_flat_string(root, 4, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(text, "a\0b", 4); /* and its NUL */
    assert_null(stoa_flat_string(root, 2, &size));
    stoa_flat_vector numbers = stoa_flat_vector_of(root, 5, 8);
    assert_int_equal(numbers.count, 3);
    assert_int_equal((stoa_flat_element(numbers, 0) - bytes.data) % 8, 0);
    int64_t last = 0;
    memcpy(&last, stoa_flat_element(numbers, 2), sizeof last);
    assert_true(last == INT64_MAX);
    stoa_flat_vector tables = stoa_flat_tables_of(root, 6);
    assert_int_equal(tables.count, 2);
    assert_int_equal(stoa_flat_i32(stoa_flat_element_table(tables, 1), 0, 0), 11);
    assert_false(stoa_flat_present(stoa_flat_child(root, 2)));
    assert_int_equal(stoa_flat_vector_of(root, 2, 8).count, 0);
    assert_null(reader.wrong);
    stoa_buffer_release(&bytes);
}

/* Copies of the exact size, so that the address sanitizer sees what reads beyond. */
static void damage_is_noticed_or_harmless(void **state) {
    (void)state;
    stoa_buffer bytes;
    build(&bytes);
    for (size_t cut = 0; cut < bytes.size; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);
        memcpy(copy, bytes.data, cut);
        stoa_flat_reader reader = stoa_flat_reader_of(copy, cut);
        (void)read_all(&reader);
        assert_true(reader.wrong != NULL || cut + 8 > bytes.size); /* the last table's padding */
        free(copy);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        for (unsigned value = 0; value < 256; value += 5) {
            uint8_t *copy = malloc(bytes.size);
            memcpy(copy, bytes.data, bytes.size);
            copy[at] = (uint8_t)value;
            stoa_flat_reader reader = stoa_flat_reader_of(copy, bytes.size);
            (void)read_all(&reader);
            assert_true(reader.wrong == NULL || reader.wrong_at <= bytes.size);
            free(copy);
        }
    }
    stoa_buffer_release(&bytes);
}

static void the_first_fault_is_kept(void **state) {
    (void)state;
    static const uint8_t bytes[] = {8, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0};
    stoa_flat_reader reader = stoa_flat_reader_of(bytes, sizeof bytes);
    stoa_flat_table root = stoa_flat_root(&reader);
    assert_false(stoa_flat_present(root));
    assert_non_null(strstr(reader.wrong, "field list"));
    assert_int_equal(reader.wrong_at, 8);
    assert_int_equal(stoa_flat_i32(root, 0, 5), 5);
    reader = stoa_flat_reader_of(bytes, 3);
    (void)stoa_flat_root(&reader);
    assert_non_null(strstr(reader.wrong, "shorter than 4"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_built_is_read, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(damage_is_noticed_or_harmless, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(the_first_fault_is_kept, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("arrow.ipc_flatbuffer", tests, NULL, NULL);
}
