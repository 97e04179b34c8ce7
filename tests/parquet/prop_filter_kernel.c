/* The kernels of reading by a predicate, and sets of rows, agree with slow, obvious references. */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cpu.h"
#include "parquet/filter_kernel.h"
#include "parquet/filter_simd_kernel.h"
#include "parquet/row_ranges.h"
#include "support.h"

enum { COUNT_MAX = 700, ROUNDS = 2000, TABLE = 256, RANGE_ROWS = 200 };

/* -- codes ------------------------------------------------------------------------------------ */

static int64_t match_plain(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                           uint8_t *out, uint8_t *all) {
    stoa_match_codes_u8_plain(codes, count, matches, out, all);
    return count;
}

static int64_t match_chosen(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                            uint8_t *out, uint8_t *all) {
    int32_t entry_count = TABLE;
    while (entry_count > 0 && matches[entry_count - 1] == STOA_CODE_IS_NONE) {
        entry_count--;
    }
    *all = (uint8_t)(*all | stoa_match_codes_u8(codes, count, matches, entry_count, out));
    return count;
}

static const struct form {
    int64_t (*match)(const uint8_t *codes, int64_t count, const uint8_t matches[256], uint8_t *out,
                     uint8_t *all);
    stoa_cpu level;
    int entries_max;
} FORMS[] = {
    {match_plain, STOA_CPU_PLAIN, TABLE},
    {match_chosen, STOA_CPU_PLAIN, TABLE},
    {stoa_match_codes_u8_avx2, STOA_CPU_AVX2, 16},
    {stoa_match_codes_u8_avx512, STOA_CPU_AVX512, TABLE},
};

static void check_form(support_random *random, const struct form *form) {
    uint8_t codes[COUNT_MAX], table[TABLE], found[COUNT_MAX / 8 + 1], all = 0, expected = 0;
    const int entries = 1 + (int)support_random_below(random, (uint64_t)form->entries_max);
    const int above = support_random_below(random, 4) == 0 ? 1 : 0;
    const int64_t count = (int64_t)support_random_below(random, COUNT_MAX + 1);
    for (int i = 0; i < TABLE; i++) {
        table[i] = i < entries ? (uint8_t)support_random_below(random, 2) : STOA_CODE_IS_NONE;
    }
    for (int64_t i = 0; i < count; i++) {
        const int limit = entries + above < TABLE ? entries + above : TABLE;
        codes[i] = (uint8_t)support_random_below(random, (uint64_t)limit);
    }
    const int64_t done = form->match(codes, count, table, found, &all);
    assert_true(done <= count && (done == count || (done % 64 == 0 && count - done < 64)));
    for (int64_t i = 0; i < done; i++) {
        expected |= table[codes[i]];
        assert_true(table[codes[i]] == STOA_CODE_IS_NONE ||
                    stoa_bit_get(found, i) == table[codes[i]]);
    }
    assert_int_equal(all & STOA_CODE_IS_NONE, expected & STOA_CODE_IS_NONE);
}

static void codes_match_by_every_form(void **state) {
    (void)state;
    support_random random = support_random_open("match codes");
    for (size_t form = 0; form < sizeof FORMS / sizeof *FORMS; form++) {
        for (int round = 0; round < ROUNDS && stoa_cpu_level() >= FORMS[form].level; round++) {
            check_form(&random, &FORMS[form]);
        }
    }
}

/* -- values ----------------------------------------------------------------------------------- */

static void random_bits(support_random *random, int64_t count, uint8_t *out) {
    const uint64_t density = support_random_below(random, 5);
    for (size_t i = 0; i < stoa_bitmap_bytes(count); i++) {
        const uint8_t byte = (uint8_t)support_random_u64(random);
        out[i] = density == 0   ? 0
                 : density == 1 ? 0xFF
                 : density == 2 ? (uint8_t)(byte & support_random_u64(random))
                                : byte;
    }
}

static void check_values(support_random *random, size_t width) {
    const int64_t count = (int64_t)support_random_below(random, COUNT_MAX + 1);
    uint8_t bits[COUNT_MAX / 8 + 1], values[COUNT_MAX * 20], out[COUNT_MAX * 20];
    int64_t numbers[COUNT_MAX], at = 0;
    random_bits(random, count, bits);
    for (size_t i = 0; i < (size_t)count * width; i++) {
        values[i] = (uint8_t)support_random_u64(random);
    }
    const int64_t kept = stoa_keep_fixed(values, width, bits, count, out);
    assert_int_equal(stoa_keep_numbers(bits, count, numbers), kept);
    for (int64_t i = 0; i < count; i++) {
        if (stoa_bit_get(bits, i)) {
            assert_int_equal(numbers[at], i);
            assert_memory_equal(out + (size_t)at * width, values + (size_t)i * width, width);
            at++;
        }
    }
    assert_int_equal(at, kept);
    assert_int_equal(stoa_keep_fixed(values, width, bits, count, values), kept);
    assert_memory_equal(values, out, (size_t)kept * width);
}

static void check_bits(support_random *random) {
    const int64_t count = (int64_t)support_random_below(random, COUNT_MAX + 1);
    uint8_t bits[COUNT_MAX / 8 + 1], values[COUNT_MAX / 8 + 1], out[COUNT_MAX / 8 + 2];
    int64_t at = 0;
    random_bits(random, count, bits);
    random_bits(random, count, values);
    const int64_t kept = stoa_keep_bits(values, bits, count, out);
    for (int64_t i = 0; i < count; i++) {
        if (stoa_bit_get(bits, i)) {
            assert_int_equal(stoa_bit_get(out, at++), stoa_bit_get(values, i));
        }
    }
    assert_int_equal(at, kept);
}

static void check_strings(support_random *random) {
    const int64_t count = (int64_t)support_random_below(random, COUNT_MAX + 1);
    uint8_t bits[COUNT_MAX / 8 + 1], bytes[COUNT_MAX * 9], out[COUNT_MAX * 9];
    int32_t offsets[COUNT_MAX + 1], ends[COUNT_MAX];
    int64_t at = 0, sum = 0;
    random_bits(random, count, bits);
    offsets[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        offsets[i + 1] = offsets[i] + (int32_t)support_random_below(random, 9);
    }
    for (int32_t i = 0; i < offsets[count]; i++) {
        bytes[i] = (uint8_t)support_random_u64(random);
    }
    stoa_keep_strings(offsets, bytes, bits, count, 100, ends, out);
    for (int64_t i = 0; i < count; i++) {
        if (stoa_bit_get(bits, i)) {
            const size_t size = (size_t)(offsets[i + 1] - offsets[i]);
            assert_memory_equal(out + sum, bytes + offsets[i], size);
            sum += (int64_t)size;
            assert_int_equal(ends[at++], 100 + sum);
        }
    }
    assert_int_equal(stoa_keep_lengths(offsets, bits, count), sum);
}

static void selected_values_are_kept(void **state) {
    (void)state;
    static const size_t widths[] = {1, 2, 4, 8, 12, 16, 5};
    support_random random = support_random_open("keep values");
    for (int round = 0; round < ROUNDS; round++) {
        check_values(&random, widths[round % 7]);
        check_bits(&random);
        check_strings(&random);
    }
}

/* -- ranges ----------------------------------------------------------------------------------- */

static void random_ranges(support_random *random, bool *rows, stoa_buffer *out) {
    stoa_error err = STOA_ERROR_NONE;
    int64_t at = 0;
    memset(rows, 0, RANGE_ROWS * sizeof *rows);
    stoa_buffer_clear(out);
    while (support_random_below(random, 8) != 0) {
        const int64_t first = at + (int64_t)support_random_below(random, 20);
        const int64_t count = (int64_t)support_random_below(random, 20);
        if (first + count > RANGE_ROWS) {
            break;
        }
        assert_ok(stoa_row_ranges_append(out, first, count, &err), err);
        memset(rows + first, 1, (size_t)count * sizeof *rows);
        at = first + count;
    }
}

static void assert_ranges(const bool *rows, const stoa_buffer *ranges) {
    const stoa_row_ranges_view view = stoa_row_ranges_of(ranges);
    bool found[RANGE_ROWS] = {0};
    for (int32_t i = 0; i < view.count; i++) {
        assert_true(view.ranges[i].count > 0);
        assert_true(i == 0 || view.ranges[i].first >
                                  view.ranges[i - 1].first + view.ranges[i - 1].count);
        for (int64_t row = 0; row < view.ranges[i].count; row++) {
            found[view.ranges[i].first + row] = true;
        }
    }
    assert_memory_equal(found, rows, sizeof found);
}

static void ranges_are_sets_of_rows(void **state) {
    (void)state;
    support_random random = support_random_open("ranges");
    stoa_pool *pool = support_pool_open();
    stoa_error err = STOA_ERROR_NONE;
    stoa_buffer left, right, out;
    stoa_buffer_init(&left, pool);
    stoa_buffer_init(&right, pool);
    stoa_buffer_init(&out, pool);
    for (int round = 0; round < ROUNDS; round++) {
        bool in_left[RANGE_ROWS], in_right[RANGE_ROWS], both[RANGE_ROWS], either[RANGE_ROWS];
        random_ranges(&random, in_left, &left);
        random_ranges(&random, in_right, &right);
        for (int i = 0; i < RANGE_ROWS; i++) {
            both[i] = in_left[i] && in_right[i];
            either[i] = in_left[i] || in_right[i];
        }
        stoa_buffer_clear(&out);
        assert_ok(stoa_row_ranges_intersect(stoa_row_ranges_of(&left), stoa_row_ranges_of(&right),
                                            &out, &err),
                  err);
        assert_ranges(both, &out);
        stoa_buffer_clear(&out);
        assert_ok(stoa_row_ranges_unite(stoa_row_ranges_of(&left), stoa_row_ranges_of(&right), &out,
                                        &err),
                  err);
        assert_ranges(either, &out);
    }
    stoa_buffer_release(&left);
    stoa_buffer_release(&right);
    stoa_buffer_release(&out);
    support_pool_close(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_match_by_every_form),
        cmocka_unit_test(selected_values_are_kept),
        cmocka_unit_test(ranges_are_sets_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
