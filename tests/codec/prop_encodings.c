/* Bit packing, the RLE hybrid and dictionaries against slow versions that follow the specification's
 * sentences one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bitpack_kernel.h"
#include "codec/dictionary_kernel.h"
#include "codec/rle.h"
#include "codec/rle_decoder.h"
#include "support.h"

enum { ROUNDS = 400, COUNT_MAX = 3000 };

/* Bit by bit: bit j of value i is bit i * width + j of the output. */
static void reference_pack(const uint32_t *values, size_t count, int width, uint8_t *out) {
    memset(out, 0, (count * (size_t)width + 7) / 8);
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; j < width; j++) {
            const size_t bit = i * (size_t)width + (size_t)j;
            out[bit / 8] = (uint8_t)(out[bit / 8] | (values[i] >> j & 1) << (bit % 8));
        }
    }
}

static uint32_t reference_bits(const uint8_t *bytes, size_t bit, int width) {
    uint32_t value = 0;
    for (int j = 0; j < width; j++) {
        value |= (uint32_t)(bytes[(bit + (size_t)j) / 8] >> ((bit + (size_t)j) % 8) & 1) << j;
    }
    return value;
}

/* Decodes one run after the other; returns the bytes that were used. */
static size_t reference_rle_decode(const uint8_t *bytes, int width, uint32_t *out, size_t count) {
    size_t at = 0, done = 0;
    while (done < count) {
        uint64_t header = 0;
        for (int shift = 0;; shift += 7) {
            header |= (uint64_t)(bytes[at] & 0x7F) << shift;
            if ((bytes[at++] & 0x80) == 0) {
                break;
            }
        }
        if (header & 1) {
            const size_t values = (size_t)(header >> 1) * 8;
            for (size_t i = 0; i < values && done < count; i++) {
                out[done++] = reference_bits(bytes + at, i * (size_t)width, width);
            }
            at += (size_t)(header >> 1) * (size_t)width;
        } else {
            uint32_t value = 0;
            for (int b = 0; b < (width + 7) / 8; b++) {
                value |= (uint32_t)bytes[at++] << (8 * b);
            }
            for (uint64_t i = 0; i < header >> 1; i++) {
                assert_true(done < count);
                out[done++] = value;
            }
        }
    }
    return at;
}

static uint32_t mask_of(int width) {
    return width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
}

/* Values with runs of all lengths around eight, and stretches without. */
static void fill(support_random *random, uint32_t *values, size_t count, int width) {
    size_t at = 0;
    while (at < count) {
        const uint32_t value = (uint32_t)support_random_u64(random) & mask_of(width);
        size_t run = 1 + (size_t)support_random_below(random, 20);
        const bool repeat = support_random_bool(random);
        for (; run > 0 && at < count; run--) {
            values[at++] =
                repeat ? value : (uint32_t)support_random_u64(random) & mask_of(width);
        }
    }
}

static void packing_equals_its_reference(void **state) {
    (void)state;
    support_random random = support_random_open("bitpack");
    uint32_t *values = malloc(COUNT_MAX * sizeof *values);
    uint32_t *back = malloc(COUNT_MAX * sizeof *back);
    for (int width = 1; width <= 32; width++) {
        for (int round = 0; round < 20; round++) {
            const size_t count = 8 * (size_t)support_random_below(&random, COUNT_MAX / 8);
            const size_t bytes = count / 8 * (size_t)width;
            uint8_t *fast = malloc(bytes + 1), *slow = malloc(bytes + 1);
            fill(&random, values, count, width);
            fast[bytes] = 0x5A;
            stoa_bitpack_u32(values, count, width, fast);
            reference_pack(values, count, width, slow);
            assert_memory_equal(fast, slow, bytes);
            assert_int_equal(fast[bytes], 0x5A);
            stoa_bitunpack_u32(fast, count, width, back);
            assert_memory_equal(back, values, count * sizeof *values);
            free(fast);
            free(slow);
        }
    }
    free(values);
    free(back);
}

static void bools_pack_like_bits(void **state) {
    (void)state;
    support_random random = support_random_open("bools");
    for (size_t count = 0; count < 100; count++) {
        uint8_t values[100], fast[16], slow[16];
        uint32_t wide[100];
        for (size_t i = 0; i < count; i++) {
            values[i] = support_random_bool(&random);
            wide[i] = values[i];
        }
        stoa_bitpack_bools(values, count, fast);
        reference_pack(wide, count, 1, slow);
        assert_memory_equal(fast, slow, (count + 7) / 8);
    }
}

static bool decode(const uint8_t *bytes, size_t size, int width, uint32_t *out, size_t count) {
    stoa_rle_decoder decoder;
    return stoa_rle_decoder_init(&decoder, bytes, size, width, NULL) == STOA_OK &&
           stoa_rle_decoder_read_u32(&decoder, out, count, NULL) == STOA_OK;
}

static void hybrid_equals_its_reference(void **state) {
    (void)state;
    support_random random = support_random_open("rle");
    uint32_t *values = malloc(COUNT_MAX * sizeof *values);
    uint32_t *back = malloc(COUNT_MAX * sizeof *back);
    uint8_t *levels = malloc(COUNT_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        const int width = (int)support_random_below(&random, 33);
        const size_t count = (size_t)support_random_below(&random, round % 4 ? 60 : COUNT_MAX);
        fill(&random, values, count, width > 0 ? width : 1);
        for (size_t i = 0; width == 0 && i < count; i++) {
            values[i] = 0;
        }
        const size_t room = stoa_rle_bytes_max(count, width);
        uint8_t *bytes = malloc(room);
        const size_t size = stoa_rle_encode_u32(values, count, width, bytes);
        assert_true(size <= room);
        assert_int_equal(reference_rle_decode(bytes, width, back, count), size);
        assert_memory_equal(back, values, count * sizeof *values);
        /* The real decoder gets exactly the bytes that there are, and not one fewer. */
        uint8_t *exact = malloc(size > 0 ? size : 1);
        memcpy(exact, bytes, size);
        assert_true(decode(exact, size, width, back, count));
        assert_memory_equal(back, values, count * sizeof *values);
        free(exact);
        if (size > 0) {
            exact = malloc(size > 1 ? size - 1 : 1);
            memcpy(exact, bytes, size - 1);
            assert_false(decode(exact, size - 1, width, back, count));
            free(exact);
        }
        if (width <= 8) {
            uint8_t *small = malloc(room);
            for (size_t i = 0; i < count; i++) {
                levels[i] = (uint8_t)values[i];
            }
            assert_int_equal(stoa_rle_encode_u8(levels, count, width, small), size);
            assert_memory_equal(small, bytes, size);
            free(small);
        }
        free(bytes);
    }
    free(values);
    free(back);
    free(levels);
}

static void constants_encode_like_equal_values(void **state) {
    (void)state;
    for (size_t count = 0; count < 40; count++) {
        uint32_t values[40];
        uint8_t plain[512], constant[512];
        for (size_t i = 0; i < count; i++) {
            values[i] = 3;
        }
        const size_t size = stoa_rle_encode_u32(values, count, 2, plain);
        assert_int_equal(stoa_rle_encode_constant(3, count, 2, constant), size);
        assert_memory_equal(constant, plain, size);
    }
}

static void long_literals_are_cut_into_runs(void **state) {
    (void)state;
    enum { MANY = 300000 };
    uint32_t *values = malloc(MANY * sizeof *values);
    uint32_t *back = malloc(MANY * sizeof *back);
    for (size_t i = 0; i < MANY; i++) {
        values[i] = (uint32_t)i & 0x1FF;
    }
    uint8_t *bytes = malloc(stoa_rle_bytes_max(MANY, 9));
    const size_t size = stoa_rle_encode_u32(values, MANY, 9, bytes);
    assert_int_equal(reference_rle_decode(bytes, 9, back, MANY), size);
    assert_memory_equal(back, values, MANY * sizeof *values);
    free(bytes);
    free(back);
    free(values);
}

static void any_bytes_decode_or_are_refused(void **state) {
    (void)state;
    support_random random = support_random_open("rle_hostile");
    uint32_t out[256];
    for (int round = 0; round < 20000; round++) {
        const size_t size = (size_t)support_random_below(&random, 40);
        uint8_t *bytes = malloc(size > 0 ? size : 1);
        support_random_bytes(&random, bytes, size);
        (void)decode(bytes, size, (int)support_random_below(&random, 34), out,
                     (size_t)support_random_below(&random, 257));
        free(bytes);
    }
}

/* ---- Dictionaries ---------------------------------------------------------------------------- */

/* Codes by looking through all entries so far. */
static uint32_t reference_codes(const uint64_t *values, size_t count, uint64_t *entries,
                                uint32_t *codes) {
    uint32_t known = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t code = 0;
        while (code < known && entries[code] != values[i]) {
            code++;
        }
        if (code == known) {
            entries[known++] = values[i];
        }
        codes[i] = code;
    }
    return known;
}

static void dictionaries_equal_their_reference(void **state) {
    (void)state;
    enum { COUNT = 2000, BITS = 12 };
    support_random random = support_random_open("dictionary");
    for (int round = 0; round < 40; round++) {
        static uint64_t values[COUNT], entries[COUNT], want_entries[COUNT];
        static uint32_t narrow[COUNT], narrow_entries[COUNT], codes[COUNT], want[COUNT];
        static stoa_bytes_view views[COUNT], view_entries[COUNT];
        static stoa_dictionary_slot_u64 slots64[1 << BITS];
        static stoa_dictionary_slot_u32 slots32[1 << BITS];
        static stoa_dictionary_slot_bytes slots[1 << BITS];
        const size_t count = 1 + (size_t)support_random_below(&random, COUNT);
        const uint64_t domain = 1 + support_random_below(&random, round % 2 ? 50 : 5000);
        for (size_t i = 0; i < count; i++) {
            /* Multiples of a large power of two collide in bad hashes. */
            narrow[i] = (uint32_t)(support_random_below(&random, domain) << 16);
            values[i] = (uint64_t)narrow[i];
            views[i] = (stoa_bytes_view){(const uint8_t *)&values[i], 1 + values[i] % 8};
        }
        const uint32_t known = reference_codes(values, count, want_entries, want);

        uint32_t found = 0;
        memset(slots64, STOA_DICTIONARY_EMPTY, sizeof slots64);
        assert_int_equal(stoa_dictionary_encode_u64(values, count, slots64, BITS, entries, &found,
                                                    1 << (BITS - 1), codes), count);
        assert_int_equal(found, known);
        assert_memory_equal(codes, want, count * sizeof *codes);
        assert_memory_equal(entries, want_entries, known * sizeof *entries);

        found = 0;
        memset(slots32, STOA_DICTIONARY_EMPTY, sizeof slots32);
        assert_int_equal(stoa_dictionary_encode_u32(narrow, count, slots32, BITS, narrow_entries,
                                                    &found, 1 << (BITS - 1), codes), count);
        assert_int_equal(found, known);
        assert_memory_equal(codes, want, count * sizeof *codes);

        found = 0;
        memset(slots, STOA_DICTIONARY_EMPTY, sizeof slots);
        assert_int_equal(stoa_dictionary_encode_bytes(views, count, slots, BITS, view_entries,
                                                      &found, 1 << (BITS - 1), codes), count);
        for (size_t i = 0; i < count; i++) {
            assert_true(codes[i] < found);
            assert_int_equal(view_entries[codes[i]].size, views[i].size);
            assert_memory_equal(view_entries[codes[i]].data, views[i].data, views[i].size);
        }
        for (uint32_t a = 0; a < found && a < 200; a++) {
            for (uint32_t b = 0; b < a; b++) {
                assert_false(view_entries[a].size == view_entries[b].size &&
                             memcmp(view_entries[a].data, view_entries[b].data,
                                    view_entries[a].size) == 0);
            }
        }
    }
}

static void a_full_dictionary_stops_and_goes_on_in_a_larger_one(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    support_random random = support_random_open("dictionary_grow");
    static uint64_t values[COUNT], entries[COUNT], want_entries[COUNT];
    static uint32_t codes[COUNT], want[COUNT];
    static stoa_dictionary_slot_u64 small[16], large[2048];
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = support_random_below(&random, 700);
    }
    const uint32_t known = reference_codes(values, COUNT, want_entries, want);
    uint32_t found = 0;
    memset(small, STOA_DICTIONARY_EMPTY, sizeof small);
    const size_t done = stoa_dictionary_encode_u64(values, COUNT, small, 4, entries, &found, 7,
                                                   codes);
    assert_true(done < COUNT);
    assert_int_equal(found, 7);
    memset(large, STOA_DICTIONARY_EMPTY, sizeof large);
    stoa_dictionary_insert_u64(entries, found, large, 11);
    assert_int_equal(stoa_dictionary_encode_u64(values + done, COUNT - done, large, 11, entries,
                                                &found, 1024, codes + done), COUNT - done);
    assert_int_equal(found, known);
    assert_memory_equal(codes, want, sizeof codes);
}

/* Entries ascend, each value's code is its entry's place, and only what occurs is an entry. */
#define CHECK_RANGE(NAME, TYPE, LOW, SIZE)                                                         \
    do {                                                                                           \
        static TYPE values[COUNT], entries[65536];                                                 \
        static uint8_t marks[65536];                                                               \
        static uint32_t table[65536], codes[COUNT];                                                \
        const TYPE low = (TYPE)(LOW);                                                              \
        bool occurs[SIZE] = {false};                                                               \
        size_t different = 0;                                                                      \
        for (size_t i = 0; i < COUNT; i++) {                                                       \
            const uint64_t place = support_random_below(&random, SIZE);                            \
            different += !occurs[place];                                                           \
            occurs[place] = true;                                                                  \
            values[i] = (TYPE)(low + (TYPE)place);                                                 \
        }                                                                                          \
        stoa_dictionary_mark_##NAME(values, COUNT, low, marks);                                    \
        const uint32_t known = stoa_dictionary_number(marks, SIZE, table);                         \
        assert_int_equal(known, different);                                                        \
        stoa_dictionary_list_##NAME(marks, SIZE, low, entries);                                    \
        stoa_dictionary_look_up_##NAME(values, COUNT, low, table, codes);                          \
        for (size_t i = 0; i < COUNT; i++) {                                                       \
            assert_true(codes[i] < known && entries[codes[i]] == values[i]);                       \
        }                                                                                          \
        for (uint32_t code = 1; code < known; code++) {                                            \
            assert_true((TYPE)(entries[code] - low) > (TYPE)(entries[code - 1] - low));            \
        }                                                                                          \
    } while (0)

static void small_ranges_need_no_hash(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    support_random random = support_random_open("dictionary_range");
    CHECK_RANGE(u8, uint8_t, 0, 256);
    CHECK_RANGE(u8, uint8_t, -128, 200);
    CHECK_RANGE(u16, uint16_t, 40000, 3000);
    CHECK_RANGE(u32, uint32_t, -5, 700);
    CHECK_RANGE(u64, uint64_t, INT64_MIN, 60000);
}

static void entries_are_sorted_with_their_codes(void **state) {
    (void)state;
    enum { COUNT = 700 };
    support_random random = support_random_open("dictionary_sort");
    for (int round = 0; round < 60; round++) {
        static stoa_dictionary_pair pairs[2 * COUNT];
        uint64_t before[COUNT];
        const size_t count = support_random_below(&random, COUNT);
        const int shift = (int)support_random_below(&random, 64);
        bool seen[COUNT] = {false};
        for (size_t i = 0; i < count; i++) {
            before[i] = support_random_u64(&random) >> shift;
            pairs[i] = (stoa_dictionary_pair){before[i], (uint32_t)i};
        }
        const stoa_dictionary_pair *sorted = stoa_dictionary_sort(pairs, count);
        for (size_t i = 0; i < count; i++) {
            assert_true(i == 0 || sorted[i - 1].entry <= sorted[i].entry);
            assert_true(sorted[i].code < count && !seen[sorted[i].code]);
            assert_true(before[sorted[i].code] == sorted[i].entry);
            seen[sorted[i].code] = true;
        }
    }
    uint32_t codes[5] = {3, 0, 0, 2, 1};
    const uint32_t places[4] = {7, 8, 9, 10}, want[5] = {10, 7, 7, 9, 8};
    stoa_dictionary_renumber(codes, 5, places);
    assert_memory_equal(codes, want, sizeof want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_equals_its_reference),
        cmocka_unit_test(bools_pack_like_bits),
        cmocka_unit_test(hybrid_equals_its_reference),
        cmocka_unit_test(constants_encode_like_equal_values),
        cmocka_unit_test(long_literals_are_cut_into_runs),
        cmocka_unit_test(any_bytes_decode_or_are_refused),
        cmocka_unit_test(dictionaries_equal_their_reference),
        cmocka_unit_test(a_full_dictionary_stops_and_goes_on_in_a_larger_one),
        cmocka_unit_test(small_ranges_need_no_hash),
        cmocka_unit_test(entries_are_sorted_with_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
