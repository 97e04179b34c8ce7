/* Segments of every class against the values they were made of, one row at a time, by ranges and by
 * rows in any order; which encoding is chosen; damaged segments. */
#include <math.h>
#include <stdio.h>

#include "base/bits.h"
#include "lsm/segment_format.h"
#include "support.h"

enum { ROWS_MAX = 3000, ROUNDS = 1500 };

struct world {
    stoa_pool *pool;
    support_random random;
    stoa_segment_writer *writer;
    stoa_segment_type type;
    uint32_t count;
    stoa_buffer data;
    stoa_buffer offsets;
    stoa_buffer bytes; /* of the segment */
};

static void open_world(struct world *world, const char *test) {
    stoa_error err;
    *world = (struct world){.pool = support_pool_open(), .random = support_random_open(test)};
    stoa_buffer_init(&world->data, world->pool);
    stoa_buffer_init(&world->offsets, world->pool);
    stoa_buffer_init(&world->bytes, world->pool);
    assert_ok(stoa_segment_writer_create(world->pool, &world->writer, &err), err);
}

static void close_world(struct world *world) {
    stoa_buffer_release(&world->data);
    stoa_buffer_release(&world->offsets);
    stoa_buffer_release(&world->bytes);
    stoa_segment_writer_close(world->writer);
    support_pool_close(world->pool);
}

enum { SHAPES = 11 };

/* Numbers of many shapes: few different ones, growing, near each other, in runs, anything. */
static uint64_t random_number(struct world *world, int shape, uint64_t before) {
    switch (shape) {
    case 0: return UINT64_C(0x8000000000000001);
    case 1: return support_random_below(&world->random, 5) * UINT64_C(0x0123456789abcdef);
    case 2: return before + support_random_below(&world->random, 100);
    case 3: return UINT64_C(0x7fffffffffffff00) + support_random_below(&world->random, 256);
    case 4:
        return support_random_below(&world->random, 3) == 0
                   ? UINT64_MAX
                   : support_random_below(&world->random, 1000);
    case 5: return support_random_below(&world->random, 2000) * UINT64_C(1000003);
    case 6:
        return support_random_below(&world->random, 60) == 0 ? support_random_u64(&world->random)
                                                             : before;
    case 7:
        return support_random_below(&world->random, 50) == 0
                   ? support_random_u64(&world->random)
                   : support_random_below(&world->random, 200);
    case 8: return before - 1000 + support_random_below(&world->random, 3);
    case 9: return before + (support_random_below(&world->random, 200) == 0 ? 1u << 20 : 10);
    default: return support_random_u64(&world->random);
    }
}

/* Fractions, as sums of money are, some of them results of arithmetic; now and then something else. */
static double random_double(struct world *world, int shape, uint64_t number) {
    static const double others[] = {-0.0, 1.0 / 3, 1e300, -1e-300, 0x1p60};
    const double fraction = (double)(int64_t)(number % 100000) / (shape == 5 ? 1000 : 100);
    const uint64_t other = support_random_below(&world->random, shape == 3 ? 40 : 100000);
    if (other == 5) {
        return nan("");
    }
    if (other < 5) {
        return others[other];
    }
    return shape == 2 || shape == 4 ? (fraction - 400) * (double)(1 + number % 7) : fraction;
}

static void random_values(struct world *world) {
    static const int32_t widths[] = {1, 2, 4, 8, 16};
    stoa_error err;
    const int shape = (int)support_random_below(&world->random, SHAPES);
    uint64_t number = support_random_u64(&world->random);
    world->type.values = (stoa_segment_class)support_random_below(&world->random, 7);
    world->count = (uint32_t)support_random_below(&world->random, ROWS_MAX);
    if (support_random_below(&world->random, 8) == 0) {
        world->count = (uint32_t)support_random_below(&world->random, 3);
    }
    switch (world->type.values) {
    case STOA_SEGMENT_SIGNED:
        world->type.value_bytes = widths[support_random_below(&world->random, 5)];
        break;
    case STOA_SEGMENT_UNSIGNED:
        world->type.value_bytes = widths[support_random_below(&world->random, 4)];
        break;
    case STOA_SEGMENT_OFFSETS: world->type.value_bytes = 4; break;
    case STOA_SEGMENT_DOUBLES: world->type.value_bytes = 8; break;
    case STOA_SEGMENT_FIXED:
        world->type.value_bytes = 1 + (int32_t)support_random_below(&world->random, 20);
        break;
    default: world->type.value_bytes = 0; break;
    }
    stoa_buffer_clear(&world->data);
    stoa_buffer_clear(&world->offsets);
    int32_t end = 0;
    assert_ok(stoa_buffer_append(&world->offsets, &end, sizeof end, &err), err);
    for (uint32_t i = 0; i < world->count; i++) {
        uint8_t value[32] = {0};
        size_t size = (size_t)world->type.value_bytes;
        number = random_number(world, shape, number);
        const __int128 wide = shape == 10 ? (__int128)number * (int64_t)number : (int64_t)number;
        memcpy(value, &wide, sizeof wide);
        if (world->type.values == STOA_SEGMENT_DOUBLES && shape < 6) {
            const double fraction = random_double(world, shape, number);
            memcpy(value, &fraction, sizeof fraction);
        } else if (world->type.values == STOA_SEGMENT_OFFSETS) {
            const int32_t offset = i == 0 ? 0 : end;
            end += (int32_t)(shape == 0 ? 3 : number % 50000);
            memcpy(value, &offset, sizeof offset);
        } else if (world->type.values == STOA_SEGMENT_TEXTS) {
            size = shape == 0 ? 7 : number % 17;
            end += (int32_t)size;
            assert_ok(stoa_buffer_append(&world->offsets, &end, sizeof end, &err), err);
        } else if (world->type.values == STOA_SEGMENT_BITS) {
            value[0] = (uint8_t)(shape == 0 ? 0xFF : number);
            size = i % 8 == 0;
        }
        assert_ok(stoa_buffer_append(&world->data, value, size, &err), err);
    }
}

static void write_and_open(struct world *world, stoa_segment *segment) {
    stoa_error err;
    stoa_buffer_clear(&world->bytes);
    assert_ok(stoa_segment_write(world->writer, world->type, world->data.data,
                                 (const int32_t *)(const void *)world->offsets.data, world->count,
                                 &world->bytes, &err),
              err);
    assert_ok(stoa_segment_open(world->type, world->bytes.data, world->bytes.size, world->count,
                                segment, &err),
              err);
}

/* The value that was written; bits as one byte. */
static const uint8_t *expected_value(const struct world *world, uint32_t row, size_t *out_size,
                                     uint8_t *bit) {
    const int32_t *offsets = (const int32_t *)(const void *)world->offsets.data;
    switch (world->type.values) {
    case STOA_SEGMENT_BITS:
        *bit = stoa_bit_get(world->data.data, row);
        *out_size = 1;
        return bit;
    case STOA_SEGMENT_TEXTS:
        *out_size = (size_t)(offsets[row + 1] - offsets[row]);
        return world->data.data + offsets[row];
    default: *out_size = (size_t)world->type.value_bytes; return world->data.data + row * *out_size;
    }
}

static void assert_value(const struct world *world, uint32_t row, const uint8_t *found,
                         size_t size) {
    uint8_t bit;
    size_t expected_size;
    const uint8_t *expected = expected_value(world, row, &expected_size, &bit);
    assert_int_equal(size, expected_size);
    if (size > 0) {
        assert_memory_equal(found, expected, size);
    }
}

/* A number keeps its sign when it is widened. */
static void check_number(const struct world *world, const stoa_segment *segment, uint32_t row) {
    const size_t width = (size_t)world->type.value_bytes;
    const int64_t number = stoa_segment_number(segment, row);
    __int128 wide = number;
    assert_value(world, row, (const uint8_t *)&wide, width);
    if (width < 8) {
        const int unused = 64 - 8 * (int)width;
        const int64_t widened = world->type.values == STOA_SEGMENT_SIGNED
                                    ? (int64_t)((uint64_t)number << unused) >> unused
                                    : (int64_t)((uint64_t)number << unused >> unused);
        assert_int_equal(number, widened);
    }
}

static void check_single_values(const struct world *world, const stoa_segment *segment) {
    for (uint32_t row = 0; row < world->count; row++) {
        uint8_t storage[16];
        size_t size = 1;
        if (world->type.values == STOA_SEGMENT_BITS) {
            storage[0] = stoa_segment_bit(segment, row);
            assert_value(world, row, storage, size);
        } else {
            const uint8_t *value = stoa_segment_value(segment, row, storage, &size);
            assert_value(world, row, value, size);
        }
        if (world->type.values != STOA_SEGMENT_BITS && world->type.values != STOA_SEGMENT_TEXTS &&
            world->type.values != STOA_SEGMENT_FIXED && world->type.value_bytes != 16) {
            check_number(world, segment, row);
        }
    }
}

/* Rows of the segment one after the other or named, compared with what was written. */
static void check_many(struct world *world, const stoa_segment *segment, const uint32_t *rows,
                       uint32_t first, uint32_t count) {
    stoa_error err;
    stoa_buffer out, offsets;
    stoa_buffer_init(&out, world->pool);
    stoa_buffer_init(&offsets, world->pool);
    const int64_t out_at = (int64_t)support_random_below(&world->random, 9);
    const size_t width = (size_t)world->type.value_bytes;
    if (world->type.values == STOA_SEGMENT_TEXTS) {
        assert_ok(stoa_buffer_append(&offsets, &(int32_t){0}, sizeof(int32_t), &err), err);
        assert_ok(stoa_segment_texts(segment, rows, first, count, &offsets, &out, &err), err);
        assert_int_equal(offsets.size, (count + 1) * sizeof(int32_t));
    } else {
        assert_ok(stoa_buffer_reserve(&out, (size_t)(out_at + count) * (width + 1) + 1, &err), err);
        if (rows != NULL) {
            stoa_segment_take(segment, rows, count, out.data, out_at);
        } else {
            stoa_segment_read(segment, first, count, out.data, out_at);
        }
    }
    const int32_t *ends = (const int32_t *)(const void *)offsets.data;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t row = rows != NULL ? rows[i] : first + i;
        if (world->type.values == STOA_SEGMENT_TEXTS) {
            assert_value(world, row, out.data + ends[i], (size_t)(ends[i + 1] - ends[i]));
        } else if (world->type.values == STOA_SEGMENT_BITS) {
            const uint8_t bit = stoa_bit_get(out.data, out_at + i);
            assert_value(world, row, &bit, 1);
        } else {
            assert_value(world, row, out.data + (size_t)(out_at + i) * width, width);
        }
    }
    stoa_buffer_release(&out);
    stoa_buffer_release(&offsets);
}

/* Rows chosen by their bits are those that are taken by their numbers. */
static void check_chosen(struct world *world, const stoa_segment *segment, uint32_t first,
                         uint32_t count) {
    const size_t width = (size_t)world->type.value_bytes;
    stoa_error err;
    stoa_buffer bits, rows, chosen, taken;
    stoa_buffer_init(&bits, world->pool);
    stoa_buffer_init(&rows, world->pool);
    stoa_buffer_init(&chosen, world->pool);
    stoa_buffer_init(&taken, world->pool);
    assert_ok(stoa_buffer_resize(&bits, stoa_bitmap_bytes(count) + 1, &err), err);
    assert_ok(stoa_buffer_reserve(&rows, (count + 1) * sizeof(uint32_t), &err), err);
    assert_ok(stoa_buffer_reserve(&chosen, (count + 8) * width + 1, &err), err);
    assert_ok(stoa_buffer_reserve(&taken, count * width + 1, &err), err);
    const uint64_t odds = support_random_below(&world->random, 9);
    for (uint32_t i = 0; i < count; i++) {
        stoa_bit_put(bits.data, i, support_random_below(&world->random, 8) < odds);
    }
    const size_t kept = (size_t)stoa_bitmap_count(bits.data, 0, count);
    if (stoa_segment_choose(segment, first, count, bits.data, chosen.data)) {
        uint32_t *list = (uint32_t *)(void *)rows.data;
        stoa_bitmap_list(bits.data, count, first, list);
        stoa_segment_take(segment, list, (int64_t)kept, taken.data, 0);
        assert_memory_equal(chosen.data, taken.data, kept * width);
    } else {
        assert_true(segment->kind != STOA_SEGMENT_LINE || segment->entry_count > 0 || width == 0 ||
                    first % 8 != 0);
    }
    stoa_buffer_release(&bits);
    stoa_buffer_release(&rows);
    stoa_buffer_release(&chosen);
    stoa_buffer_release(&taken);
}

/* Searching finds what a walk over the numbers finds; only growing ones are searched. */
static void check_search(struct world *world, const stoa_segment *segment) {
    const uint64_t *numbers = (const uint64_t *)(const void *)world->data.data;
    if (world->type.values != STOA_SEGMENT_UNSIGNED || world->type.value_bytes != 8) {
        return;
    }
    for (uint32_t i = 1; i < world->count; i++) {
        if (numbers[i] < numbers[i - 1]) {
            return;
        }
    }
    for (int i = 0; i < 100; i++) {
        uint32_t row = 0;
        uint64_t wanted = support_random_u64(&world->random);
        if (world->count > 0 && i > 2) {
            wanted = numbers[support_random_below(&world->random, world->count)] +
                     support_random_below(&world->random, 3) - 1;
        }
        while (row < world->count && numbers[row] < wanted) {
            row++;
        }
        assert_int_equal(stoa_segment_find(segment, wanted), row);
    }
}

static void check_ranges(struct world *world, const stoa_segment *segment) {
    uint32_t rows[ROWS_MAX];
    for (int i = 0; i < 3; i++) {
        const uint32_t first = (uint32_t)support_random_below(&world->random, world->count + 1);
        const uint32_t count = (uint32_t)support_random_below(&world->random,
                                                              world->count - first + 1);
        check_many(world, segment, NULL, first, count);
        check_chosen(world, segment, i % 2 == 0 ? first / 8 * 8 : first, count);
    }
    for (uint32_t i = 0; i < world->count; i++) {
        rows[i] = (uint32_t)support_random_below(&world->random, world->count);
    }
    check_many(world, segment, rows, 0, world->count);
    uint32_t taken = 0;
    const uint64_t step = 1 + support_random_below(&world->random, 20);
    for (uint64_t row = 0; row < world->count;
         row += 1 + support_random_below(&world->random, step)) {
        rows[taken++] = (uint32_t)row;
    }
    check_many(world, segment, rows, 0, taken);
}

static void values_come_back(void **state) {
    struct world world;
    bool seen[7][6] = {{false}}, seen_exceptions[7] = {false}, seen_slope[7] = {false};
    bool seen_correction = false;
    (void)state;
    open_world(&world, "lsm.prop_segment values");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_segment segment;
        random_values(&world);
        write_and_open(&world, &segment);
        const stoa_segment_class values = world.type.values;
        const bool is_frames = segment.kind == STOA_SEGMENT_LINE ||
                               segment.kind == STOA_SEGMENT_FRAMES;
        seen[values][segment.kind] = true;
        seen_exceptions[values] |= is_frames && segment.entry_count > 0;
        seen_slope[values] |= is_frames && segment.frames.slope != 0;
        seen_correction |= segment.frames.correction > 0;
        check_single_values(&world, &segment);
        check_ranges(&world, &segment);
        check_search(&world, &segment);
    }
    static const stoa_segment_class numbers[] = {STOA_SEGMENT_SIGNED, STOA_SEGMENT_UNSIGNED,
                                                 STOA_SEGMENT_DOUBLES};
    for (int i = 0; i < 3; i++) {
        for (int kind = 0; kind < 6; kind++) {
            assert_true(seen[numbers[i]][kind]);
        }
        assert_true(seen_exceptions[numbers[i]]);
        assert_true(seen_slope[numbers[i]]);
    }
    assert_true(seen_correction);
    assert_true(seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_LINE]);
    assert_true(seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_FRAMES]);
    assert_true(seen[STOA_SEGMENT_TEXTS][STOA_SEGMENT_DICTIONARY]);
    close_world(&world);
}

/* Every width of difference, by both forms of the kernels, against one number at a time. */
static void kernels_agree(void **state) {
    enum { COUNT = 3 * STOA_FRAME_ROWS + STOA_FRAME_GROUP };
    static const int widths[] = {1, 2, 4, 8, 16};
    static const double divisors[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    support_random random = support_random_open("lsm.prop_segment kernels");
    uint8_t packed[COUNT / 8 * 64 + 8], fast[(COUNT + 8) * 16],
        plain[(COUNT + 8) * 16];
    int64_t bases[COUNT / STOA_FRAME_ROWS + 1];
    (void)state;
    for (int bits = 0; bits <= 64; bits++) {
        support_random_bytes(&random, packed, sizeof packed);
        for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
            bases[i] = (int64_t)support_random_u64(&random) >> support_random_below(&random, 64);
        }
        const bool is_line = support_random_bool(&random);
        const bool is_divided = support_random_bool(&random);
        const stoa_frames frames = {
            .packed = packed,
            .bases = (const uint8_t *)bases,
            .base = bases[0],
            .slope = (int64_t)support_random_u64(&random) >> support_random_below(&random, 64),
            .row_mask = is_line ? SIZE_MAX : STOA_FRAME_ROWS - 1,
            .bits = bits,
            .correction = is_divided ? (int)support_random_below(&random, 9) : 0,
            .divisor = is_divided ? divisors[support_random_below(&random, 10)] : 0,
        };
        const size_t first = 8 * support_random_below(&random, COUNT / 8);
        const size_t count = COUNT - first;
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
            const int width = is_divided ? 8 : widths[i];
            stoa_frames_read(&frames, first, count, width, fast);
            stoa_frames_read_plain(&frames, first, count, width, plain);
            assert_memory_equal(fast, plain, count * (size_t)width);
            for (size_t row = first; row < COUNT; row++) {
                __int128 number = stoa_frames_number(&frames, row);
                if (is_divided) {
                    const double value = stoa_frames_double(&frames, (int64_t)number);
                    memcpy(&number, &value, sizeof value);
                }
                assert_memory_equal(plain + (row - first) * (size_t)width, &number, (size_t)width);
            }
        }
        uint8_t chosen[COUNT / 8];
        support_random_bytes(&random, chosen, sizeof chosen);
        const int width = is_divided ? 8 : widths[support_random_below(&random, 5)];
        const size_t kept = (size_t)stoa_bitmap_count(chosen, 0, (int64_t)count);
        stoa_frames_choose(&frames, first, count, chosen, width, fast);
        stoa_frames_choose_plain(&frames, first, count, chosen, width, plain);
        assert_memory_equal(fast, plain, kept * (size_t)width);
        const uint64_t low = (uint64_t)stoa_frames_number(&frames, first);
        const uint64_t span = support_random_u64(&random) >> support_random_below(&random, 64);
        stoa_frames_between(&frames, first, count, low, span, fast);
        stoa_frames_between_plain(&frames, first, count, low, span, plain);
        assert_memory_equal(fast, plain, count / 8);
        for (size_t row = first; row < COUNT; row++) {
            assert_int_equal(stoa_bit_get(plain, (int64_t)(row - first)),
                             (uint64_t)stoa_frames_number(&frames, row) - low <= span);
        }
    }
}

/* What was damaged and yet opens is read by the block, too. */
static void read_all(struct world *world, const stoa_segment *segment) {
    stoa_error err;
    stoa_buffer out, offsets;
    stoa_buffer_init(&out, world->pool);
    stoa_buffer_init(&offsets, world->pool);
    if (world->type.values == STOA_SEGMENT_TEXTS) {
        assert_ok(stoa_buffer_append(&offsets, &(int32_t){0}, sizeof(int32_t), &err), err);
        assert_ok(stoa_segment_texts(segment, NULL, 0, world->count, &offsets, &out, &err), err);
    } else {
        assert_ok(stoa_buffer_reserve(&out,
                                      world->count * (size_t)(world->type.value_bytes + 1) + 1,
                                      &err),
                  err);
        stoa_segment_read(segment, 0, world->count, out.data, 0);
    }
    if (world->type.values == STOA_SEGMENT_UNSIGNED) {
        assert_true(stoa_segment_find(segment, support_random_u64(&world->random)) <= world->count);
    }
    stoa_buffer_release(&out);
    stoa_buffer_release(&offsets);
}

static void damage_is_harmless(void **state) {
    struct world world;
    int refused = 0;
    (void)state;
    open_world(&world, "lsm.prop_segment damage");
    for (int round = 0; round < ROUNDS; round++) {
        stoa_segment segment;
        stoa_error err;
        random_values(&world);
        write_and_open(&world, &segment);
        size_t size = world.bytes.size;
        for (int i = 0; i < 3; i++) {
            /* Mostly the header and what follows it. */
            const size_t range = support_random_bool(&world.random) && size > 40 ? 40 : size;
            world.bytes.data[support_random_below(&world.random, range)] ^=
                (uint8_t)(1 + support_random_below(&world.random, 255));
        }
        if (support_random_bool(&world.random)) {
            size = (size_t)support_random_below(&world.random, size + 1);
        }
        /* Exactly as long as it says, so that a sanitizer sees the first byte beyond. */
        void *copy = NULL;
        assert_ok(stoa_pool_allocate(world.pool, size + 1, &copy, &err), err);
        memcpy(copy, world.bytes.data, size);
        const stoa_status status = stoa_segment_open(world.type, copy, size, world.count, &segment,
                                                     &err);
        assert_true(status == STOA_OK || status == STOA_CORRUPT);
        refused += status != STOA_OK;
        if (status == STOA_OK) {
            for (uint32_t row = 0; row < world.count; row++) {
                uint8_t storage[16];
                size_t value_size;
                if (world.type.values == STOA_SEGMENT_BITS) {
                    (void)stoa_segment_bit(&segment, row);
                } else {
                    (void)stoa_segment_value(&segment, row, storage, &value_size);
                }
            }
            read_all(&world, &segment);
        }
        stoa_pool_free(world.pool, copy, size + 1);
    }
    assert_true(refused > ROUNDS / 4);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(kernels_agree),
        cmocka_unit_test(damage_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
