/* Bitmap loops against one bit at a time, at random offsets; and that nothing outside is touched. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { ROUNDS = 20000, BITS_MAX = 700, BYTES_MAX = (2 * BITS_MAX) / 8 + 1 };

static bool slow_get(const uint8_t *bits, int64_t index) {
    return ((bits[index / 8] >> (index % 8)) & 1) == 1;
}

static void slow_put(uint8_t *bits, int64_t index, bool value) {
    uint8_t mask = (uint8_t)(1u << (index % 8));
    bits[index / 8] = (uint8_t)(value ? bits[index / 8] | mask : bits[index / 8] & ~mask);
}

/* Exactly as many bytes as the bits need, on the heap, so that the address sanitizer sees any byte
 * more that is read or written. */
static uint8_t *random_bits(support_random *random, int64_t bits) {
    uint8_t *bytes = malloc(stoa_bitmap_bytes(bits) + 1); /* never malloc(0) */
    assert_non_null(bytes);
    uint8_t *exact = realloc(bytes, stoa_bitmap_bytes(bits) == 0 ? 1 : stoa_bitmap_bytes(bits));
    assert_non_null(exact);
    support_random_bytes(random, exact, stoa_bitmap_bytes(bits));
    return exact;
}

static void counting(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t offset = support_random_between(&random, 0, BITS_MAX);
        int64_t count = support_random_between(&random, 0, BITS_MAX);
        uint8_t *bits = random_bits(&random, offset + count);
        int64_t wanted = 0;
        for (int64_t i = 0; i < count; i++) {
            wanted += slow_get(bits, offset + i);
            assert_int_equal(stoa_bit_get(bits, offset + i), slow_get(bits, offset + i));
        }
        assert_int_equal(stoa_bitmap_count(bits, offset, count), wanted);
        free(bits);
    }
}

static void listing(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t count = support_random_between(&random, 0, BITS_MAX);
        const uint32_t first = (uint32_t)support_random_below(&random, 1000);
        uint8_t *bits = random_bits(&random, count);
        uint32_t listed[BITS_MAX + 1];
        int64_t at = 0;
        stoa_bitmap_list(bits, count, first, listed);
        for (int64_t i = 0; i < count; i++) {
            if (slow_get(bits, i)) {
                assert_int_equal(listed[at++], first + i);
            }
        }
        free(bits);
    }
}

static void filling(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t offset = support_random_between(&random, 0, BITS_MAX);
        int64_t count = support_random_between(&random, 0, BITS_MAX);
        bool value = support_random_bool(&random);
        uint8_t *bits = random_bits(&random, offset + count);
        size_t size = stoa_bitmap_bytes(offset + count);
        uint8_t wanted[BYTES_MAX];
        memcpy(wanted, bits, size);
        for (int64_t i = 0; i < count; i++) {
            slow_put(wanted, offset + i, value);
        }
        stoa_bitmap_fill(bits, offset, count, value);
        assert_memory_equal(bits, wanted, size);
        free(bits);
    }
}

static void copying(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t from = support_random_between(&random, 0, BITS_MAX);
        int64_t to = support_random_between(&random, 0, BITS_MAX);
        int64_t count = support_random_between(&random, 0, BITS_MAX);
        uint8_t *source = random_bits(&random, from + count);
        uint8_t *target = random_bits(&random, to + count);
        size_t size = stoa_bitmap_bytes(to + count);
        uint8_t wanted[BYTES_MAX];
        memcpy(wanted, target, size);
        for (int64_t i = 0; i < count; i++) {
            slow_put(wanted, to + i, slow_get(source, from + i));
        }
        stoa_bitmap_copy(source, from, target, to, count);
        assert_memory_equal(target, wanted, size);
        free(source);
        free(target);
    }
}

static void setting_one(void **state) {
    (void)state;
    uint8_t bits[3] = {0, 0, 0};
    stoa_bit_set(bits, 9);
    assert_int_equal(bits[1], 2);
    stoa_bit_put(bits, 23, true);
    assert_int_equal(bits[2], 0x80);
    stoa_bit_clear(bits, 9);
    stoa_bit_put(bits, 23, false);
    assert_true(bits[0] == 0 && bits[1] == 0 && bits[2] == 0);
    assert_int_equal(stoa_bitmap_bytes(0), 0);
    assert_int_equal(stoa_bitmap_bytes(1), 1);
    assert_int_equal(stoa_bitmap_bytes(8), 1);
    assert_int_equal(stoa_bitmap_bytes(9), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting),
        cmocka_unit_test(listing),
        cmocka_unit_test(filling),
        cmocka_unit_test(copying),
        cmocka_unit_test(setting_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
