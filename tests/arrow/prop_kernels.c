/* The kernels of gather and append against loops that a child could check. */
#include <string.h>

#include "arrow/gather_kernel.h"
#include "base/bits.h"
#include "support.h"

enum { ROUNDS = 2000, VALUES_MAX = 200, RUN_MAX = 9 };

/* A source of `count` values behind `offset` others, and rows to gather. */
struct source {
    int64_t count;
    int64_t offset;
    bool wide;
    bool has_validity;
    uint8_t validity[64];
    int64_t offsets[VALUES_MAX + 1];
    int32_t narrow[VALUES_MAX + 1];
    uint8_t bytes[VALUES_MAX * RUN_MAX];
    int64_t row_count;
    int64_t rows[VALUES_MAX];
};

static void source_make(support_random *random, struct source *out) {
    out->count = support_random_between(random, 1, VALUES_MAX);
    out->offset = support_random_between(random, 0, 20);
    out->wide = support_random_bool(random);
    out->has_validity = support_random_bool(random);
    support_random_bytes(random, out->validity, sizeof out->validity);
    support_random_bytes(random, out->bytes, sizeof out->bytes);
    int64_t at = 0;
    for (int64_t i = 0; i <= out->count; i++) {
        out->offsets[i] = at;
        out->narrow[i] = (int32_t)at;
        at += i < out->count ? support_random_between(random, 0, RUN_MAX) : 0;
    }
    out->row_count = support_random_between(random, 0, VALUES_MAX);
    for (int64_t i = 0; i < out->row_count; i++) {
        out->rows[i] = support_random_between(random, -1, out->count - 1);
    }
}

static const uint8_t *validity_of(const struct source *source) {
    return source->has_validity ? source->validity : NULL;
}

static const void *offsets_of(const struct source *source) {
    return source->wide ? (const void *)source->offsets : (const void *)source->narrow;
}

static bool is_valid(const struct source *source, int64_t row) {
    return row >= 0 &&
           (!source->has_validity || stoa_bit_get(source->validity, source->offset + row));
}

static int64_t end_at(const struct source *source, const void *offsets, int64_t i) {
    return source->wide ? ((const int64_t *)offsets)[i] : ((const int32_t *)offsets)[i];
}

static void bits_check(support_random *random, const struct source *source) {
    int64_t nulls = 0;
    int64_t at = support_random_between(random, 0, 30);
    uint8_t target[64];
    uint8_t before[64];
    support_random_bytes(random, target, sizeof target);
    memcpy(before, target, sizeof target);
    stoa_gather_bits(validity_of(source), source->offset, source->rows, source->row_count, target,
                     at);
    for (int64_t i = 0; i < (int64_t)sizeof target * 8; i++) {
        bool inside = i >= at && i < at + source->row_count;
        bool wanted = inside ? is_valid(source, source->rows[i - at]) : stoa_bit_get(before, i);
        assert_int_equal(stoa_bit_get(target, i), wanted);
        nulls += inside && !wanted;
    }
    assert_int_equal(stoa_gather_null_count(validity_of(source), source->offset, source->rows,
                                            source->row_count), nulls);
}

static void fixed_check(const struct source *source) {
    static const size_t widths[] = {0, 1, 2, 3, 4, 5, 8, 9};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        size_t width = widths[w];
        uint8_t target[VALUES_MAX * RUN_MAX];
        static const uint8_t zeros[RUN_MAX];
        stoa_gather_fixed(source->bytes, width, source->rows, source->row_count, target);
        for (int64_t i = 0; i < source->row_count; i++) {
            const uint8_t *wanted =
                source->rows[i] < 0 ? zeros : source->bytes + (size_t)source->rows[i] * width;
            assert_int_equal(memcmp(target + (size_t)i * width, wanted, width), 0);
        }
    }
}

static void runs_check(const struct source *source, int64_t base) {
    uint8_t bytes[VALUES_MAX * RUN_MAX];
    int64_t items[VALUES_MAX * RUN_MAX];
    int64_t byte_ends[VALUES_MAX + 1];
    int64_t item_ends[VALUES_MAX + 1];
    int64_t end = stoa_gather_bytes(offsets_of(source), source->wide, validity_of(source),
                                    source->offset, source->bytes, source->rows, source->row_count,
                                    base, bytes, byte_ends);
    assert_int_equal(stoa_gather_items(offsets_of(source), source->wide, validity_of(source),
                                       source->offset, source->rows, source->row_count, base,
                                       items, item_ends), end);
    int64_t wanted = base;
    for (int64_t i = 0; i < source->row_count; i++) {
        int64_t row = source->rows[i];
        int64_t size = is_valid(source, row) ? source->offsets[row + 1] - source->offsets[row] : 0;
        for (int64_t k = 0; k < size; k++) {
            assert_int_equal(bytes[wanted - base + k], source->bytes[source->offsets[row] + k]);
            assert_int_equal(items[wanted - base + k], source->offsets[row] + k);
        }
        wanted += size;
        assert_int_equal(end_at(source, byte_ends, i), wanted);
        assert_int_equal(end_at(source, item_ends, i), wanted);
    }
    assert_int_equal(end, wanted);
    assert_int_equal(stoa_gather_run_total(offsets_of(source), source->wide, validity_of(source),
                                           source->offset, source->rows, source->row_count),
                     wanted - base);
}

static void offsets_check(support_random *random, const struct source *source, int64_t base) {
    int64_t target[VALUES_MAX + 1];
    int64_t begin = support_random_between(random, 0, source->count);
    int64_t count = support_random_between(random, 0, source->count - begin);
    const char *offsets = offsets_of(source);
    stoa_offsets_append(offsets + begin * (source->wide ? 8 : 4), source->wide, count, base, target);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(end_at(source, target, i),
                         base + source->offsets[begin + i + 1] - source->offsets[begin]);
    }
}

static void kernels_equal_their_references(void **state) {
    (void)state;
    support_random random = support_random_open("arrow.prop_kernels");
    static struct source source;
    for (int i = 0; i < ROUNDS; i++) {
        source_make(&random, &source);
        int64_t base = support_random_between(&random, 0, 1000);
        bits_check(&random, &source);
        fixed_check(&source);
        runs_check(&source, base);
        offsets_check(&random, &source, base);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_equal_their_references)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
