/* Decoders that are read in parts: whatever the parts and skips, the values are those at that place;
 * and every cut and flipped bit is an error or other values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "codec/bitpack_kernel.h"
#include "codec/bitpacked_levels.h"
#include "codec/byte_stream_split.h"
#include "codec/dictionary_decoder.h"
#include "codec/gather_kernel.h"
#include "codec/plain.h"
#include "codec/rle.h"
#include "support.h"

enum { COUNT_MAX = 3000, ROUNDS = 200 };

static uint32_t mask_of(int width) {
    return width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
}

/* Runs of all lengths, and stretches without. */
static void fill(support_random *random, uint32_t *values, size_t count, uint32_t bound) {
    size_t at = 0;
    while (at < count) {
        const uint32_t value = (uint32_t)support_random_below(random, (uint64_t)bound + 1);
        size_t run = 1 + (size_t)support_random_below(random, at % 5 == 0 ? 400 : 20);
        const bool repeat = support_random_bool(random);
        for (; run > 0 && at < count; run--) {
            values[at++] = repeat ? value
                                  : (uint32_t)support_random_below(random, (uint64_t)bound + 1);
        }
    }
}

static size_t step_of(support_random *random, size_t left) {
    const size_t step = (size_t)support_random_below(random,
                                                     support_random_bool(random) ? 20 : 700);
    return step < left ? step : left;
}

/* A copy without a byte to spare, for the address sanitizer. */
static uint8_t *exact_copy(const void *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    return copy;
}

/* ---- The hybrid -------------------------------------------------------------------------------- */

static void hybrid_is_read_in_any_parts(void **state) {
    (void)state;
    static uint32_t values[COUNT_MAX], got[COUNT_MAX];
    static uint8_t levels[COUNT_MAX];
    support_random random = support_random_open("rle_parts");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        const int width = (int)support_random_below(&random, 33);
        const size_t count = (size_t)support_random_below(&random, COUNT_MAX);
        fill(&random, values, count, mask_of(width));
        uint8_t *room = malloc(stoa_rle_bytes_max(count, width));
        const size_t size = stoa_rle_encode_u32(values, count, width, room);
        uint8_t *bytes = exact_copy(room, size);
        stoa_rle_decoder decoder;
        assert_ok(stoa_rle_decoder_init(&decoder, bytes, size, width, &err), err);
        for (size_t done = 0; done < count;) {
            const size_t step = step_of(&random, count - done);
            switch (support_random_below(&random, width <= 8 ? 3 : 2)) {
            case 0: assert_ok(stoa_rle_decoder_skip(&decoder, step, &err), err); break;
            case 1:
                assert_ok(stoa_rle_decoder_read_u32(&decoder, got, step, &err), err);
                assert_memory_equal(got, values + done, step * sizeof *got);
                break;
            default:
                assert_ok(stoa_rle_decoder_read_u8(&decoder, levels, step, &err), err);
                for (size_t i = 0; i < step; i++) {
                    assert_int_equal(levels[i], values[done + i]);
                }
            }
            done += step;
        }
        free(bytes);
        free(room);
    }
}

static void single_bits_become_bitmaps(void **state) {
    (void)state;
    static uint32_t values[COUNT_MAX];
    support_random random = support_random_open("rle_bits");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        const size_t count = (size_t)support_random_below(&random, COUNT_MAX);
        fill(&random, values, count, 1);
        uint8_t *room = malloc(4 + stoa_rle_bytes_max(count, 1));
        const size_t size = 4 + stoa_rle_encode_u32(values, count, 1, room + 4);
        stoa_store_u32(room, (uint32_t)(size - 4));
        uint8_t *bytes = exact_copy(room, size);
        stoa_rle_decoder decoder;
        size_t used = 0;
        assert_ok(stoa_rle_decoder_init_sized(&decoder, bytes, size, 1, &used, &err), err);
        assert_int_equal(used, size);
        for (size_t done = 0; done < count;) {
            const size_t step = step_of(&random, count - done);
            const int64_t offset = support_random_between(&random, 0, 70);
            uint8_t bits[120], noise[120];
            support_random_bytes(&random, noise, sizeof noise);
            memcpy(bits, noise, sizeof bits);
            int64_t ones = -1, want = 0;
            assert_ok(stoa_rle_decoder_read_bits(&decoder, bits, offset, step, &ones, &err), err);
            for (int64_t i = 0; i < (int64_t)sizeof bits * 8; i++) {
                const bool inside = i >= offset && i < offset + (int64_t)step;
                const bool expected = inside ? values[done + (size_t)(i - offset)] != 0
                                             : stoa_bit_get(noise, i);
                assert_int_equal(stoa_bit_get(bits, i), expected);
                want += inside && expected;
            }
            assert_int_equal(ones, want);
            done += step;
        }
        free(bytes);
        free(room);
    }
}

static void lengths_before_runs_are_checked(void **state) {
    (void)state;
    const uint8_t bytes[] = {3, 0, 0, 0, 2, 1};
    stoa_error err = STOA_ERROR_NONE;
    stoa_rle_decoder decoder;
    for (size_t size = 0; size < 4; size++) {
        assert_fails(stoa_rle_decoder_init_sized(&decoder, bytes, size, 1, NULL, &err),
                     STOA_CORRUPT, "4 bytes", err);
    }
    assert_fails(stoa_rle_decoder_init_sized(&decoder, bytes, 6, 1, NULL, &err), STOA_CORRUPT,
                 "length 3", err);
    assert_fails(stoa_rle_decoder_init(&decoder, bytes, 6, 33, &err), STOA_CORRUPT, "33", err);
    /* 2^61 groups of nothing must neither be allocated nor overflow. */
    uint8_t many[16];
    const size_t size = stoa_store_varint(many, UINT64_MAX);
    assert_ok(stoa_rle_decoder_init(&decoder, many, size, 0, &err), err);
    assert_ok(stoa_rle_decoder_skip(&decoder, SIZE_MAX / 2, &err), err);
    assert_ok(stoa_rle_decoder_init(&decoder, many, size, 32, &err), err);
    assert_fails(stoa_rle_decoder_skip(&decoder, SIZE_MAX, &err), STOA_CORRUPT, "groups", err);
}

/* ---- Dictionaries ------------------------------------------------------------------------------ */

static void codes_are_looked_up(void **state) {
    (void)state;
    enum { WIDEST = 40 };
    static uint32_t values[COUNT_MAX], codes[COUNT_MAX];
    static uint8_t got[COUNT_MAX * WIDEST];
    support_random random = support_random_open("dictionary_parts");
    for (int round = 0; round < ROUNDS * 2; round++) {
        stoa_error err = STOA_ERROR_NONE;
        const uint32_t entry_count = (uint32_t)(1 + support_random_below(&random,
                                                                         round % 2 ? 40 : 3000));
        const size_t widths[] = {4, 8, 16, 12, 1, 2, 1 + support_random_below(&random, WIDEST)};
        const size_t value_bytes = widths[support_random_below(&random, 7)];
        const size_t count = (size_t)support_random_below(&random, COUNT_MAX);
        const int width = stoa_bit_width(entry_count - 1);
        uint8_t *entries = malloc(entry_count * value_bytes);
        support_random_bytes(&random, entries, entry_count * value_bytes);
        fill(&random, values, count, entry_count - 1);
        uint8_t *room = malloc(1 + stoa_rle_bytes_max(count, width));
        room[0] = (uint8_t)width;
        const size_t size = 1 + stoa_rle_encode_u32(values, count, width, room + 1);
        uint8_t *bytes = exact_copy(room, size);
        stoa_dictionary_decoder decoder;
        assert_ok(stoa_dictionary_decoder_init(&decoder, bytes, size, entry_count, &err), err);
        for (size_t done = 0; done < count;) {
            const size_t step = step_of(&random, count - done);
            switch (support_random_below(&random, 3)) {
            case 0: assert_ok(stoa_dictionary_decoder_skip(&decoder, step, &err), err); break;
            case 1:
                assert_ok(stoa_dictionary_decoder_read_codes(&decoder, codes, step, &err), err);
                assert_memory_equal(codes, values + done, step * sizeof *codes);
                break;
            default:
                got[step * value_bytes] = 0x5A;
                assert_ok(stoa_dictionary_decoder_read_fixed(&decoder, entries, value_bytes, got,
                                                             step, &err),
                          err);
                assert_int_equal(got[step * value_bytes], 0x5A);
                for (size_t i = 0; i < step; i++) {
                    assert_memory_equal(got + i * value_bytes,
                                        entries + values[done + i] * value_bytes, value_bytes);
                }
            }
            done += step;
        }
        free(bytes);
        free(room);
        free(entries);
    }
}

static void codes_outside_the_dictionary_are_refused(void **state) {
    (void)state;
    uint32_t values[64] = {0}, codes[64], got[64];
    const uint32_t entries[5] = {0};
    uint8_t bytes[600] = {3};
    for (size_t bad = 0; bad < 64; bad++) {
        for (int run = 0; run < 2; run++) {
            for (size_t i = 0; i < 64; i++) {
                values[i] = (uint32_t)(run ? i / 8 % 5 : i % 5);
            }
            values[bad] = 5;
            const size_t size = 1 + stoa_rle_encode_u32(values, 64, 3, bytes + 1);
            stoa_error err = STOA_ERROR_NONE;
            stoa_dictionary_decoder decoder;
            assert_ok(stoa_dictionary_decoder_init(&decoder, bytes, size, 5, &err), err);
            assert_fails(stoa_dictionary_decoder_read_codes(&decoder, codes, 64, &err),
                         STOA_CORRUPT, "5 entries but found 5", err);
            assert_ok(stoa_dictionary_decoder_init(&decoder, bytes, size, 5, &err), err);
            assert_fails(stoa_dictionary_decoder_read_fixed(&decoder, entries, 4, got, 64, &err),
                         STOA_CORRUPT, "5 entries but found 5", err);
        }
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_dictionary_decoder decoder;
    assert_ok(stoa_dictionary_decoder_init(&decoder, bytes, 0, 0, &err), err);
    assert_fails(stoa_dictionary_decoder_read_codes(&decoder, codes, 1, &err), STOA_CORRUPT, "byte",
                 err);
}

/* ---- Plain, streams, old levels ---------------------------------------------------------------- */

static void codes_without_bits_need_no_run(void **state) {
    (void)state;
    static const uint8_t width[] = {0};
    stoa_error err = STOA_ERROR_NONE;
    stoa_dictionary_decoder decoder;
    uint32_t codes[40];
    memset(codes, 1, sizeof codes);
    assert_ok(stoa_dictionary_decoder_init(&decoder, width, 1, 1, &err), err);
    assert_ok(stoa_dictionary_decoder_skip(&decoder, 1000000, &err), err);
    assert_ok(stoa_dictionary_decoder_read_codes(&decoder, codes, 40, &err), err);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(codes[i], 0);
    }
    assert_ok(stoa_dictionary_decoder_init(&decoder, width, 1, 0, &err), err);
    assert_fails(stoa_dictionary_decoder_read_codes(&decoder, codes, 1, &err), STOA_CORRUPT,
                 "dictionary of 0", err);
}

static void plain_values_are_read_in_any_parts(void **state) {
    (void)state;
    enum { COUNT = 300 };
    support_random random = support_random_open("plain");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_bytes_view views[COUNT], got[COUNT];
        uint8_t source[COUNT], room[COUNT * 24];
        support_random_bytes(&random, source, sizeof source);
        for (size_t i = 0; i < COUNT; i++) {
            views[i] = (stoa_bytes_view){source + support_random_below(&random, COUNT - 20),
                                         (size_t)support_random_below(&random, 21)};
        }
        const size_t size = stoa_plain_encode_bytes(views, COUNT, room);
        uint8_t *bytes = exact_copy(room, size);
        stoa_byte_reader reader = stoa_byte_reader_of(bytes, size);
        for (size_t done = 0; done < COUNT;) {
            const size_t step = step_of(&random, COUNT - done);
            if (support_random_below(&random, 3) == 0) {
                assert_ok(stoa_plain_skip_bytes(&reader, step, &err), err);
            } else {
                assert_ok(stoa_plain_read_bytes(&reader, got, step, &err), err);
                for (size_t i = 0; i < step; i++) {
                    assert_int_equal(got[i].size, views[done + i].size);
                    assert_memory_equal(got[i].data, views[done + i].data, got[i].size);
                }
            }
            done += step;
        }
        assert_fails(stoa_plain_read_bytes(&reader, got, 1, &err), STOA_CORRUPT, "cut off", err);
        free(bytes);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 50) {
            bytes = exact_copy(room, cut);
            reader = stoa_byte_reader_of(bytes, cut);
            assert_int_equal(stoa_plain_read_bytes(&reader, got, COUNT, NULL), STOA_CORRUPT);
            free(bytes);
        }
    }
    stoa_error err = STOA_ERROR_NONE;
    const uint8_t *values;
    stoa_byte_reader reader = stoa_byte_reader_of("0123456789abc", 13);
    assert_ok(stoa_plain_take_fixed(&reader, 4, 3, &values, &err), err);
    assert_memory_equal(values, "0123456789ab", 12);
    assert_fails(stoa_plain_take_fixed(&reader, 4, 1, &values, &err), STOA_CORRUPT, "byte 12", err);
    assert_fails(stoa_plain_take_fixed(&reader, 8, SIZE_MAX / 4, &values, &err), STOA_CORRUPT, NULL,
                 err);
}

/* Into exactly the room that is said, which is rarely enough, from exactly the bytes. */
static void plain_byte_arrays_are_gathered_as_far_as_there_is_room(void **state) {
    (void)state;
    enum { COUNT = 300 };
    support_random random = support_random_open("plain_gather");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        stoa_bytes_view views[COUNT];
        uint8_t source[1000], room[COUNT * 604];
        const uint64_t longest = round % 3 == 0 ? 600 : round % 3 == 1 ? 40 : 5;
        support_random_bytes(&random, source, sizeof source);
        for (size_t i = 0; i < COUNT; i++) {
            views[i] = (stoa_bytes_view){source + support_random_below(&random, 400),
                                         (size_t)support_random_below(&random, longest)};
        }
        const size_t size = stoa_plain_encode_bytes(views, COUNT, room);
        uint8_t *bytes = exact_copy(room, size);
        stoa_byte_reader reader = stoa_byte_reader_of(bytes, size);
        for (size_t done = 0; done < COUNT;) {
            const size_t step = step_of(&random, COUNT - done);
            const size_t out_bytes = (size_t)support_random_below(&random, 700) + longest;
            uint8_t *out = malloc(out_bytes);
            int32_t ends[COUNT];
            size_t now = 0, end = 0;
            assert_non_null(out);
            assert_ok(stoa_plain_gather_i32(&reader, step, 7, ends, out, out_bytes, &now, &err),
                      err);
            for (size_t i = 0; i < now; i++) {
                assert_memory_equal(out + end, views[done + i].data, views[done + i].size);
                end += views[done + i].size;
                assert_int_equal(ends[i], 7 + end);
            }
            assert_true(now == step || views[done + now].size > out_bytes - end);
            done += now;
            free(out);
        }
        assert_int_equal(stoa_byte_reader_left(&reader), 0);
        free(bytes);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 20) {
            int32_t ends[COUNT];
            size_t now;
            uint8_t *out = malloc(size);
            bytes = exact_copy(room, cut);
            reader = stoa_byte_reader_of(bytes, cut);
            assert_int_equal(
                stoa_plain_gather_i32(&reader, COUNT, 0, ends, out, size, &now, NULL),
                STOA_CORRUPT);
            free(bytes);
            free(out);
        }
    }
}

static void short_entries_stand_one_behind_the_other(void **state) {
    (void)state;
    enum { COUNT = 200, ENTRIES = 30 };
    support_random random = support_random_open("short_entries");
    for (int round = 0; round < ROUNDS; round++) {
        const size_t longest = (size_t)support_random_below(&random, STOA_SHORT_BYTES + 1);
        uint8_t *source = malloc(200 + STOA_SHORT_BYTES);
        uint8_t *out = malloc(COUNT * longest + STOA_SHORT_BYTES);
        stoa_bytes_view entries[ENTRIES];
        uint32_t codes[COUNT];
        int32_t ends[COUNT];
        size_t end = 0;
        assert_non_null(source);
        assert_non_null(out);
        support_random_bytes(&random, source, 200 + STOA_SHORT_BYTES);
        for (size_t i = 0; i < ENTRIES; i++) {
            entries[i] = (stoa_bytes_view){source + support_random_below(&random, 201),
                                           (size_t)support_random_below(&random, longest + 1)};
        }
        for (size_t i = 0; i < COUNT; i++) {
            codes[i] = (uint32_t)support_random_below(&random, ENTRIES);
        }
        stoa_codes_gather_short_i32(entries, longest, codes, COUNT, 3, ends, out);
        for (size_t i = 0; i < COUNT; i++) {
            const stoa_bytes_view *entry = &entries[codes[i]];
            assert_memory_equal(out + end, entry->data, entry->size);
            end += entry->size;
            assert_int_equal(ends[i], 3 + end);
        }
        free(out);
        free(source);
    }
}

static void plain_booleans_are_bits(void **state) {
    (void)state;
    support_random random = support_random_open("plain_bools");
    for (size_t size = 0; size < 20; size++) {
        stoa_error err = STOA_ERROR_NONE;
        uint8_t source[20], bits[40];
        support_random_bytes(&random, source, size);
        stoa_plain_bools bools = {.bytes = source, .size = size};
        for (size_t done = 0; done < size * 8;) {
            const size_t step = step_of(&random, size * 8 - done);
            const int64_t offset = support_random_between(&random, 0, 9);
            assert_ok(stoa_plain_read_bools(&bools, bits, offset, step, &err), err);
            for (size_t i = 0; i < step; i++) {
                assert_int_equal(stoa_bit_get(bits, offset + (int64_t)i),
                                 stoa_bit_get(source, (int64_t)(done + i)));
            }
            done += step;
            assert_fails(stoa_plain_skip_bools(&bools, size * 8 - done + 1, &err), STOA_CORRUPT,
                         "booleans", err);
            assert_fails(stoa_plain_skip_bools(&bools, SIZE_MAX, &err), STOA_CORRUPT, NULL, err);
        }
    }
}

static void streams_are_joined(void **state) {
    (void)state;
    support_random random = support_random_open("streams");
    for (size_t width = 1; width <= 35; width++) {
        for (int round = 0; round < 12; round++) {
            stoa_error err = STOA_ERROR_NONE;
            const size_t count = (size_t)support_random_below(&random, round % 3 ? 100 : 3000);
            const size_t size = count * width;
            uint8_t *values = malloc(size + 1), *split = malloc(size + 1);
            support_random_bytes(&random, values, size);
            split[size] = 0x5A;
            stoa_byte_stream_split_encode(values, width, count, split);
            assert_int_equal(split[size], 0x5A);
            for (size_t i = 0; i < count; i++) {
                for (size_t b = 0; b < width; b++) {
                    assert_int_equal(split[b * count + i], values[i * width + b]);
                }
            }
            uint8_t *bytes = exact_copy(split, size);
            stoa_byte_stream_split decoder;
            assert_ok(stoa_byte_stream_split_init(&decoder, bytes, size, width, &err), err);
            for (size_t done = 0; done < count;) {
                const size_t step = step_of(&random, count - done);
                if (support_random_below(&random, 4) == 0) {
                    assert_ok(stoa_byte_stream_split_skip(&decoder, step, &err), err);
                } else {
                    uint8_t *got = malloc(step * width + 1);
                    assert_ok(stoa_byte_stream_split_read(&decoder, got, step, &err), err);
                    assert_memory_equal(got, values + done * width, step * width);
                    free(got);
                }
                done += step;
            }
            assert_fails(stoa_byte_stream_split_skip(&decoder, 1, &err), STOA_CORRUPT, "1 more",
                         err);
            if (width > 1) {
                assert_fails(stoa_byte_stream_split_init(&decoder, bytes, size + 1, width, &err),
                             STOA_CORRUPT, "streams", err);
            }
            free(bytes);
            free(split);
            free(values);
        }
    }
}

static void old_levels_stand_most_significant_bit_first(void **state) {
    (void)state;
    support_random random = support_random_open("bit_packed");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_error err = STOA_ERROR_NONE;
        const int width = (int)support_random_below(&random, 9);
        const size_t count = (size_t)support_random_below(&random, 500);
        const size_t size = (count * (size_t)width + 7) / 8;
        uint8_t values[500], room[500] = {0}, got[500];
        for (size_t i = 0; i < count; i++) {
            values[i] = (uint8_t)support_random_below(&random, UINT64_C(1) << width);
            for (int j = 0; j < width; j++) {
                const size_t bit = i * (size_t)width + (size_t)j;
                room[bit / 8] = (uint8_t)(room[bit / 8] | (values[i] >> (width - 1 - j) & 1)
                                                              << (7 - bit % 8));
            }
        }
        uint8_t *bytes = exact_copy(room, size);
        stoa_bitpacked_levels levels;
        size_t used = 0;
        assert_ok(stoa_bitpacked_levels_init(&levels, bytes, size, width, count, &used, &err), err);
        assert_int_equal(used, size);
        for (size_t done = 0; done < count;) {
            const size_t step = step_of(&random, count - done);
            if (support_random_below(&random, 4) == 0) {
                assert_ok(stoa_bitpacked_levels_skip(&levels, step, &err), err);
            } else {
                assert_ok(stoa_bitpacked_levels_read_u8(&levels, got, step, &err), err);
                assert_memory_equal(got, values + done, step);
            }
            done += step;
        }
        assert_fails(stoa_bitpacked_levels_skip(&levels, 1, &err), STOA_CORRUPT, "1 more", err);
        if (width > 0) {
            assert_fails(stoa_bitpacked_levels_init(&levels, bytes, size, width, count + 8, &used,
                                                    &err),
                         STOA_CORRUPT, "levels", err);
            assert_fails(stoa_bitpacked_levels_init(&levels, bytes, size, width, SIZE_MAX, &used,
                                                    &err),
                         STOA_CORRUPT, "levels", err);
        }
        free(bytes);
    }
}

static void int96_timestamps_are_days_and_nanoseconds(void **state) {
    (void)state;
    static const struct {
        int64_t nanoseconds;
        uint32_t day;
        int64_t per_second;
        int64_t want;
        bool fits;
    } cases[] = {
        {0, 2440588, 1000000000, 0, true},
        {1, 2440589, 1000000000, 86400000000001, true},
        {-1, 2440588, 1000000, -1, true},
        {1999, 2440588, 1000000, 1, true},
        {INT64_C(85636854775807), 2547339, 1000000000, INT64_MAX, true},
        {INT64_C(85636854775808), 2547339, 1000000000, 0, false},
        {INT64_C(763145224192), 2333836, 1000000000, INT64_MIN, true},
        {INT64_C(763145224191), 2333836, 1000000000, 0, false},
        {0, UINT32_MAX, 1, -INT64_C(210866889600), true},
        {0, INT32_MAX, 1, INT64_C(185542587100800) - INT64_C(210866803200), true},
        /* What Spark writes for 290000-12-30 23:00, and the edges of its overflow. */
        {-INT64_C(32509551616000), (uint32_t)-105862232, 1000000, INT64_C(9089380393200000000), true},
        {-INT64_C(32509551616000), (uint32_t)-105862232, 1000, INT64_C(9089380393200000), true},
        {-INT64_C(32509551616000), (uint32_t)-105862232, 1000000000, 0, false},
        {INT64_C(71945224192000), (uint32_t)-104311404, 1000000, INT64_MIN, true},
        {INT64_C(71945224191999), (uint32_t)-104311404, 1000000, INT64_MAX, true},
        {INT64_C(71945224191999), (uint32_t)-104311404, 1000, INT64_MAX / 1000, true},
        {0, (uint32_t)-109192581, 1000000, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[STOA_INT96_BYTES];
        memcpy(bytes, &cases[i].nanoseconds, 8);
        memcpy(bytes + 8, &cases[i].day, 4);
        int64_t got = 0;
        assert_int_equal(stoa_int96_to_ticks(bytes, 1, cases[i].per_second, &got), cases[i].fits);
        if (cases[i].fits) {
            assert_true(got == cases[i].want);
        }
    }
}

/* Few entries fit registers, more do not; all in exactly their memory. */
static void codes_are_looked_up_whatever_the_width(void **state) {
    (void)state;
    static const size_t widths[] = {1, 2, 4, 5, 8, 12, 16};
    support_random random = support_random_open("look_up");
    for (size_t entry_count = 1; entry_count <= 40; entry_count++) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            const size_t width = widths[w];
            const size_t count = (size_t)support_random_below(&random, 70);
            uint8_t *entries = malloc(entry_count * width);
            uint32_t *codes = malloc(count * sizeof *codes + 1);
            uint8_t *out = malloc(count * width + 1);
            assert_true(entries != NULL && codes != NULL && out != NULL);
            support_random_bytes(&random, entries, entry_count * width);
            for (size_t i = 0; i < count; i++) {
                codes[i] = (uint32_t)support_random_below(&random, entry_count);
            }
            out[count * width] = 77;
            stoa_codes_gather(entries, entry_count, width, codes, count, out);
            for (size_t i = 0; i < count; i++) {
                assert_memory_equal(out + i * width, entries + codes[i] * width, width);
            }
            assert_int_equal(out[count * width], 77);
            free(out);
            free(codes);
            free(entries);
        }
    }
}

static void gathered_views_stand_one_behind_the_other(void **state) {
    (void)state;
    enum { COUNT = 200 };
    support_random random = support_random_open("views");
    uint8_t source[300];
    support_random_bytes(&random, source, sizeof source);
    for (int round = 0; round < ROUNDS; round++) {
        stoa_bytes_view views[COUNT];
        size_t sum = 0;
        uint8_t want[COUNT * 100];
        for (size_t i = 0; i < COUNT; i++) {
            views[i].size = (size_t)support_random_below(&random, round % 2 ? 101 : 18);
            views[i].data = source + support_random_below(&random, sizeof source - 100);
            memcpy(want + sum, views[i].data, views[i].size);
            sum += views[i].size;
        }
        assert_int_equal(stoa_views_bytes(views, COUNT, sum), sum);
        assert_true(sum == 0 || stoa_views_bytes(views, COUNT, sum - 1) == SIZE_MAX);
        uint8_t *out = malloc(sum + 1);
        int32_t ends[COUNT];
        int64_t wide[COUNT];
        stoa_views_gather_i32(views, COUNT, 7, ends, out);
        assert_memory_equal(out, want, sum);
        memset(out, 0, sum);
        stoa_views_gather_i64(views, COUNT, INT64_C(1) << 40, wide, out);
        assert_memory_equal(out, want, sum);
        int64_t end = 0;
        for (size_t i = 0; i < COUNT; i++) {
            end += (int64_t)views[i].size;
            assert_int_equal(ends[i], end + 7);
            assert_true(wide[i] == end + (INT64_C(1) << 40));
        }
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid_is_read_in_any_parts),
        cmocka_unit_test(single_bits_become_bitmaps),
        cmocka_unit_test(lengths_before_runs_are_checked),
        cmocka_unit_test(codes_are_looked_up),
        cmocka_unit_test(codes_outside_the_dictionary_are_refused),
        cmocka_unit_test(codes_without_bits_need_no_run),
        cmocka_unit_test(plain_values_are_read_in_any_parts),
        cmocka_unit_test(plain_booleans_are_bits),
        cmocka_unit_test(streams_are_joined),
        cmocka_unit_test(old_levels_stand_most_significant_bit_first),
        cmocka_unit_test(int96_timestamps_are_days_and_nanoseconds),
        cmocka_unit_test(plain_byte_arrays_are_gathered_as_far_as_there_is_room),
        cmocka_unit_test(short_entries_stand_one_behind_the_other),
        cmocka_unit_test(codes_are_looked_up_whatever_the_width),
        cmocka_unit_test(gathered_views_stand_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
