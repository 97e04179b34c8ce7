/* Bounded readers, variable-length integers, checked arithmetic, logging. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

static void readers_stop_at_the_end_and_stay_there(void **state) {
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    uint32_t value = 0;
    stoa_byte_reader reader = stoa_byte_reader_of(bytes, sizeof bytes);
    assert_true(stoa_byte_reader_get(&reader, &value, 4));
    assert_int_equal(value, 0x04030201);
    assert_int_equal(stoa_byte_reader_left(&reader), 1);
    assert_false(stoa_byte_reader_get(&reader, &value, 2));
    assert_int_equal(reader.position, 4);
    assert_null(stoa_byte_reader_take(&reader, SIZE_MAX));
    assert_ptr_equal(stoa_byte_reader_take(&reader, 1), bytes + 4);
    assert_true(stoa_byte_reader_get(&reader, &value, 0));
    stoa_byte_reader empty = stoa_byte_reader_of(NULL, 0);
    assert_int_equal(stoa_byte_reader_left(&empty), 0);
    assert_false(stoa_byte_reader_get(&empty, &value, 1));
}

static void numbers_lie_little_endian_at_any_address(void **state) {
    (void)state;
    uint8_t bytes[17] = {0};
    for (size_t at = 0; at < 8; at++) {
        stoa_store_u64(bytes + at, UINT64_C(0x0102030405060708));
        assert_int_equal(bytes[at], 8);
        assert_int_equal(bytes[at + 7], 1);
        assert_true(stoa_load_u64(bytes + at) == UINT64_C(0x0102030405060708));
        assert_int_equal(stoa_load_u32(bytes + at), 0x05060708);
        assert_int_equal(stoa_load_u16(bytes + at), 0x0708);
        stoa_store_u32(bytes + at, UINT32_C(0xFFFFFFFE));
        assert_int_equal(stoa_load_i32(bytes + at), -2);
        stoa_store_u64(bytes + at, UINT64_MAX);
        assert_true(stoa_load_i64(bytes + at) == -1);
    }
}

static void assert_varint(const char *bytes, size_t size, bool is_good, uint64_t wanted) {
    uint64_t value = 42;
    stoa_byte_reader reader = stoa_byte_reader_of(bytes, size);
    assert_int_equal(stoa_byte_reader_varint(&reader, &value), is_good);
    assert_true(value == (is_good ? wanted : 42));
    assert_int_equal(reader.position, is_good ? size : 0);
}

static void varints_have_known_bytes(void **state) {
    (void)state;
    assert_varint("\x00", 1, true, 0);
    assert_varint("\x7F", 1, true, 127);
    assert_varint("\x80\x01", 2, true, 128);
    assert_varint("\xAC\x02", 2, true, 300);
    assert_varint("\xFF\xFF\xFF\xFF\x0F", 5, true, UINT32_MAX);
    assert_varint("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10, true, UINT64_MAX);
}

static void varints_that_end_early_or_overflow_are_refused(void **state) {
    (void)state;
    assert_varint("", 0, false, 0);
    assert_varint("\x80", 1, false, 0);
    assert_varint("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9, false, 0);
    assert_varint("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10, false, 0);
    assert_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, false, 0);
    assert_varint("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 11, false, 0);
}

/* Longer than needed but within ten bytes: Thrift and Avro writers may do so, readers take it. */
static void padded_varints_are_read(void **state) {
    (void)state;
    assert_varint("\x80\x00", 2, true, 0);
    assert_varint("\x81\x80\x80\x00", 4, true, 1);
    assert_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, true, 0);
}

static void varints_come_back(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[STOA_VARINT_BYTES_MAX];
        uint64_t value = support_random_u64(&random) >> support_random_below(&random, 64);
        uint64_t read = 0;
        size_t size = stoa_store_varint(bytes, value);
        size_t wanted = 1;
        for (uint64_t rest = value >> 7; rest != 0; rest >>= 7) {
            wanted++;
        }
        assert_int_equal(size, wanted);
        stoa_byte_reader reader = stoa_byte_reader_of(bytes, size);
        assert_true(stoa_byte_reader_varint(&reader, &read));
        assert_true(read == value);
    }
}

static void zigzag_puts_small_magnitudes_first(void **state) {
    (void)state;
    const int64_t values[] = {0, -1, 1, -2, 2};
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(stoa_zigzag(values[i]) == i);
        assert_true(stoa_unzigzag(i) == values[i]);
    }
    assert_true(stoa_zigzag(INT64_MAX) == UINT64_MAX - 1);
    assert_true(stoa_zigzag(INT64_MIN) == UINT64_MAX);
    assert_true(stoa_unzigzag(UINT64_MAX) == INT64_MIN);
    assert_true(stoa_unzigzag(UINT64_MAX - 1) == INT64_MAX);
}

static void checked_arithmetic_says_when_it_does_not_fit(void **state) {
    (void)state;
    size_t size = 0;
    int64_t number = 0;
    uint64_t natural = 0;
    assert_true(stoa_add_size(SIZE_MAX - 1, 1, &size));
    assert_true(size == SIZE_MAX);
    assert_false(stoa_add_size(SIZE_MAX, 1, &size));
    assert_true(stoa_mul_size(SIZE_MAX, 1, &size));
    assert_false(stoa_mul_size(SIZE_MAX / 2 + 1, 2, &size));
    assert_true(stoa_add_i64(INT64_MAX, INT64_MIN, &number));
    assert_true(number == -1);
    assert_false(stoa_add_i64(INT64_MAX, 1, &number));
    assert_false(stoa_mul_i64(INT64_MIN, -1, &number));
    assert_true(stoa_mul_i64(INT64_MIN, 1, &number));
    assert_false(stoa_add_u64(UINT64_MAX, 1, &natural));
    assert_true(stoa_round_up_size(65, 64, &size));
    assert_int_equal(size, 128);
    assert_true(stoa_round_up_size(64, 64, &size));
    assert_int_equal(size, 64);
    assert_true(stoa_round_up_size(0, 64, &size));
    assert_int_equal(size, 0);
    assert_false(stoa_round_up_size(SIZE_MAX - 3, 64, &size));
}

struct line {
    stoa_log_level level;
    char module[32];
    char message[2048];
    int count;
};

static void keep_line(void *user, stoa_log_level level, const char *module, const char *message) {
    struct line *line = user;
    line->level = level;
    (void)snprintf(line->module, sizeof line->module, "%s", module);
    (void)snprintf(line->message, sizeof line->message, "%s", message);
    line->count++;
}

static void lines_above_the_level_are_dropped(void **state) {
    (void)state;
    struct line line = {0};
    stoa_logger logger = {keep_line, &line, STOA_LOG_WARN};
    stoa_logger silence = {0};
    stoa_log(NULL, STOA_LOG_ERROR, "base", "nobody hears");
    stoa_log(&silence, STOA_LOG_ERROR, "base", "nobody hears");
    stoa_log(&logger, STOA_LOG_INFO, "base", "dropped");
    assert_int_equal(line.count, 0);
    stoa_log(&logger, STOA_LOG_WARN, "table", "%d files", 3);
    assert_int_equal(line.count, 1);
    assert_int_equal(line.level, STOA_LOG_WARN);
    assert_string_equal(line.module, "table");
    assert_string_equal(line.message, "3 files");
    char text[4000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    stoa_log(&logger, STOA_LOG_ERROR, "base", "%s", text);
    assert_int_equal(strlen(line.message), 1023);
    /* A long line is cut between characters. */
    memcpy(text + 1022, "\xC3\xBC", 2);
    stoa_log(&logger, STOA_LOG_ERROR, "base", "%s", text);
    assert_int_equal(strlen(line.message), 1022);
}

static void levels_are_parsed_by_name(void **state) {
    (void)state;
    stoa_error err = STOA_ERROR_NONE;
    stoa_log_level level = STOA_LOG_ERROR;
    assert_ok(stoa_log_level_parse("debug", &level, &err), err);
    assert_int_equal(level, STOA_LOG_DEBUG);
    assert_ok(stoa_log_level_parse("warn", &level, &err), err);
    assert_int_equal(level, STOA_LOG_WARN);
    assert_fails(stoa_log_level_parse("loud", &level, &err), STOA_INVALID,
                 "expected error, warn, info or debug but found 'loud'", err);
}

static void test_bytes_are_compared_as_unsigned(void **state) {
    (void)state;
    assert_int_equal(stoa_bytes_compare(NULL, 0, NULL, 0), 0);
    assert_int_equal(stoa_bytes_compare(NULL, 0, "a", 1), -1);
    assert_int_equal(stoa_bytes_compare("\x7f", 1, "\x80", 1), -1);
    assert_int_equal(stoa_bytes_compare("ab", 2, "a", 1), 1);
    assert_int_equal(stoa_bytes_compare("ab", 2, "ac", 2), -1);
    assert_int_equal(stoa_bytes_compare("ab", 2, "ab", 2), 0);
}

static void test_shortest_i128(void **state) {
    (void)state;
    static const struct {
        int64_t value;
        size_t size;
        uint8_t bytes[3];
    } cases[] = {{0, 1, {0}},           {127, 1, {127}},        {128, 2, {0, 128}},
                 {-1, 1, {255}},        {-128, 1, {128}},       {-129, 2, {255, 127}},
                 {65536, 3, {1, 0, 0}}, {-32769, 3, {255, 127, 255}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[16];
        assert_int_equal(stoa_store_i128_shortest(out, cases[i].value), cases[i].size);
        assert_memory_equal(out, cases[i].bytes, cases[i].size);
    }
    uint8_t out[16];
    assert_int_equal(stoa_store_i128_shortest(out, (__int128)1 << 126), 16);
    assert_int_equal(out[0], 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_stop_at_the_end_and_stay_there),
        cmocka_unit_test(numbers_lie_little_endian_at_any_address),
        cmocka_unit_test(varints_have_known_bytes),
        cmocka_unit_test(varints_that_end_early_or_overflow_are_refused),
        cmocka_unit_test(padded_varints_are_read),
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(zigzag_puts_small_magnitudes_first),
        cmocka_unit_test(checked_arithmetic_says_when_it_does_not_fit),
        cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(test_bytes_are_compared_as_unsigned),
        cmocka_unit_test(test_shortest_i128),
        cmocka_unit_test(levels_are_parsed_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
