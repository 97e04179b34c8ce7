/* The kernels that turn levels and stored values into Arrow's agree with slow, obvious references. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "parquet/read_kernel.h"
#include "parquet/slot_kernel.h"
#include "support.h"

enum { ENTRIES_MAX = 9000, SLOTS_MAX = 700, ROUNDS = 3000 };

struct entries {
    uint8_t definition[ENTRIES_MAX];
    uint8_t repetition[ENTRIES_MAX];
    stoa_slot_rule rule;
};

/* Levels at random: what the kernels do with them is defined for all. */
static void make_entries(support_random *random, struct entries *out) {
    const uint64_t most = support_random_below(random, 16) == 0 ? ENTRIES_MAX : SLOTS_MAX;
    const uint64_t max = 1 + support_random_below(random, 6);
    out->rule =
        (stoa_slot_rule){.definition = out->definition,
                         .repetition = support_random_bool(random) ? out->repetition : NULL,
                         .entry_count = (int64_t)support_random_below(random, most + 1),
                         .slot_repetition = (uint8_t)support_random_below(random, 3),
                         .slot_definition = (uint8_t)support_random_below(random, max),
                         .present_definition = (uint8_t)(1 + support_random_below(random, max)),
                         .item_definition = (uint8_t)(1 + support_random_below(random, max))};
    for (int64_t i = 0; i < out->rule.entry_count; i++) {
        out->definition[i] = (uint8_t)support_random_below(random, max + 1);
        out->repetition[i] = (uint8_t)support_random_below(random, 4);
    }
}

static bool is_slot(const stoa_slot_rule *rule, int64_t i) {
    const int repetition = rule->repetition == NULL ? 0 : rule->repetition[i];
    return repetition <= rule->slot_repetition && rule->definition[i] >= rule->slot_definition;
}

static void assert_slots(stoa_cpu cpu) {
    support_random random = support_random_open("slots");
    for (int round = 0; round < ROUNDS; round++) {
        struct entries entries;
        make_entries(&random, &entries);
        const stoa_slot_rule *rule = &entries.rule;
        uint8_t validity[ENTRIES_MAX / 8 + 1], listed[ENTRIES_MAX / 8 + 1];
        int32_t offsets[ENTRIES_MAX + 1];
        int64_t present, listed_present = 0, listed_slots = 0;
        const int64_t slots = stoa_slots_validity(cpu, rule, validity, &present);
        if (rule->repetition != NULL) {
            listed_slots = stoa_slots_offsets(cpu, rule, listed, offsets, &listed_present);
            assert_int_equal(listed_slots, slots);
            assert_int_equal(listed_present, present);
        }
        int64_t slot = 0, expected_present = 0;
        int32_t items = 0;
        for (int64_t i = 0; i < rule->entry_count; i++) {
            if (is_slot(rule, i)) {
                const bool is_present = rule->definition[i] >= rule->present_definition;
                assert_int_equal(stoa_bit_get(validity, slot), is_present);
                if (rule->repetition != NULL) {
                    assert_int_equal(stoa_bit_get(listed, slot), is_present);
                    assert_int_equal(offsets[slot], items);
                }
                expected_present += is_present;
                slot++;
            }
            items += rule->repetition != NULL && rule->repetition[i] <= rule->slot_repetition + 1 &&
                     rule->definition[i] >= rule->item_definition;
        }
        assert_int_equal(slots, slot);
        assert_int_equal(present, expected_present);
        if (rule->repetition != NULL) {
            assert_int_equal(offsets[slots], items);
        }
    }
}

static void slots_follow_their_rule(void **state) {
    (void)state;
    for (int cpu = STOA_CPU_PLAIN; cpu <= (int)stoa_cpu_level(); cpu++) {
        assert_slots((stoa_cpu)cpu);
    }
}

/* In exactly their memory, more than a block of the kernel's. */
static void levels_are_counted_and_rows_end_before_the_next(void **state) {
    (void)state;
    support_random random = support_random_open("levels");
    for (int round = 0; round < ROUNDS; round++) {
        const stoa_cpu cpu = (stoa_cpu)(round % ((int)stoa_cpu_level() + 1));
        const size_t count = support_random_below(&random, round % 8 == 0 ? ENTRIES_MAX : 200);
        const int least = (int)support_random_below(&random, 258);
        const uint64_t deepest = support_random_below(&random, 256);
        const uint64_t zeros = 1 + support_random_below(&random, 40);
        const int64_t limit = (int64_t)support_random_below(&random, count + 2);
        uint8_t *levels = malloc(count > 0 ? count : 1);
        assert_non_null(levels);
        for (size_t i = 0; i < count; i++) {
            levels[i] = support_random_below(&random, zeros) == 0
                            ? 0
                            : (uint8_t)support_random_below(&random, deepest + 1);
        }
        size_t expected = 0, end = 0;
        int64_t rows = 0, found = limit;
        for (size_t i = 0; i < count; i++) {
            expected += levels[i] >= least;
        }
        for (; end < count && (levels[end] != 0 || rows < limit); end++) {
            rows += levels[end] == 0;
        }
        assert_int_equal(stoa_levels_count(cpu, levels, count, least), expected);
        assert_int_equal(stoa_levels_row_end(cpu, levels, count, &found), end);
        assert_int_equal(found, rows);
        free(levels);
    }
}

static void values_are_spread_over_their_slots(void **state) {
    (void)state;
    static const size_t widths[] = {1, 2, 4, 5, 8, 12, 16};
    support_random random = support_random_open("spread");
    for (int round = 0; round < ROUNDS; round++) {
        const size_t width = widths[round % 7];
        const int64_t slots = (int64_t)support_random_below(&random, SLOTS_MAX);
        const uint64_t part = support_random_below(&random, 101);
        uint8_t validity[SLOTS_MAX / 8 + 1] = {0};
        uint8_t values[SLOTS_MAX * 16], dense[SLOTS_MAX * 16];
        uint8_t bits[SLOTS_MAX / 8 + 1], dense_bits[SLOTS_MAX / 8 + 1];
        int32_t offsets[SLOTS_MAX + 1] = {0}, dense_offsets[SLOTS_MAX + 1];
        int64_t count = 0;
        for (int64_t i = 0; i < slots; i++) {
            const bool is_present = support_random_below(&random, 100) < part;
            stoa_bit_put(validity, i, is_present);
            count += is_present;
        }
        support_random_bytes(&random, dense, sizeof dense);
        support_random_bytes(&random, dense_bits, sizeof dense_bits);
        for (int64_t i = 0; i < SLOTS_MAX; i++) {
            offsets[i + 1] = offsets[i] + (int32_t)support_random_below(&random, 9);
        }
        memcpy(values, dense, sizeof values);
        memcpy(bits, dense_bits, sizeof bits);
        memcpy(dense_offsets, offsets, sizeof offsets);
        stoa_spread_fixed(values, width, count, validity, slots);
        stoa_spread_bits(bits, count, validity, slots);
        stoa_spread_offsets(offsets, count, validity, slots);
        static const uint8_t zeros[16] = {0};
        int64_t at = 0;
        for (int64_t i = 0; i < slots; i++) {
            const bool is_present = stoa_bit_get(validity, i);
            assert_memory_equal(values + (size_t)i * width,
                                is_present ? dense + (size_t)at * width : zeros, width);
            assert_int_equal(stoa_bit_get(bits, i), is_present && stoa_bit_get(dense_bits, at));
            assert_int_equal(offsets[i], dense_offsets[at]);
            at += is_present;
        }
        assert_int_equal(offsets[slots], dense_offsets[count]);
    }
}

static void integers_are_narrowed_in_place(void **state) {
    (void)state;
    support_random random = support_random_open("narrow");
    for (size_t count = 0; count < 300; count++) {
        uint8_t *once = malloc(4 * count + 1), *twice = malloc(4 * count + 1);
        uint8_t wide[4 * 300];
        assert_true(once != NULL && twice != NULL);
        support_random_bytes(&random, wide, sizeof wide);
        memcpy(once, wide, 4 * count);
        memcpy(twice, wide, 4 * count);
        stoa_narrow_1(once, (int64_t)count);
        stoa_narrow_2(twice, (int64_t)count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(once[i], wide[4 * i]);
            assert_memory_equal(twice + 2 * i, wide + 4 * i, 2);
        }
        free(once);
        free(twice);
    }
}

static void every_half_float_keeps_its_value(void **state) {
    (void)state;
    for (uint32_t half = 0; half <= UINT16_MAX; half++) {
        const uint8_t bytes[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
        const int exponent = (int)(half >> 10 & 31), fraction = (int)(half & 1023);
        float found;
        uint8_t wide[4];
        stoa_widen_half_float(bytes, 1, wide);
        memcpy(&found, wide, sizeof found);
        assert_int_equal(signbit(found) != 0, half >> 15);
        if (exponent == 31) {
            assert_true(fraction == 0 ? isinf(found) : isnan(found));
        } else {
            const double expected = exponent == 0 ? ldexp(fraction, -24)
                                                  : ldexp(1024 + fraction, exponent - 25);
            assert_true(fabs((double)found) == expected);
        }
    }
}

static void decimals_of_any_length_keep_their_value(void **state) {
    (void)state;
    support_random random = support_random_open("decimals");
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[16], found[16];
        const size_t size = support_random_below(&random, 17);
        support_random_bytes(&random, bytes, sizeof bytes);
        __int128 expected = size > 0 && bytes[0] > 127 ? -1 : 0, value;
        for (size_t i = 0; i < size; i++) {
            expected = (__int128)((unsigned __int128)expected << 8 | bytes[i]);
        }
        stoa_decimal_load(bytes, size, found);
        memcpy(&value, found, sizeof value);
        assert_true(value == expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_follow_their_rule),
        cmocka_unit_test(levels_are_counted_and_rows_end_before_the_next),
        cmocka_unit_test(values_are_spread_over_their_slots),
        cmocka_unit_test(integers_are_narrowed_in_place),
        cmocka_unit_test(every_half_float_keeps_its_value),
        cmocka_unit_test(decimals_of_any_length_keep_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
