/* Loops over groups of rows, one instance a type. Groups are short (a few versions of one key), so the
 * branch on validity is taken once for each column, not for each value. */
#include "lsm/merge_operator_kernel.h"

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"

static bool is_valid(const stoa_merge_groups *groups, int64_t row) {
    return groups->validity == NULL ||
           stoa_bit_get(groups->validity, groups->validity_offset + row);
}

void stoa_merge_pick_first(const stoa_merge_groups *groups, int64_t *picks) {
    memcpy(picks, groups->starts, (size_t)groups->count * sizeof *picks);
}

void stoa_merge_pick_last(const stoa_merge_groups *groups, int64_t *picks) {
    for (int64_t g = 0; g < groups->count; g++) {
        int64_t row = groups->starts[g + 1] - 1;
        while (row > groups->starts[g] && !is_valid(groups, row)) {
            row--;
        }
        picks[g] = row;
    }
}

/* ---- The least and the greatest -------------------------------------------------------------- */

/* Of equal ones the older wins. `order` is below, at or above 0 for row `i` against row `best`. */
#define PICK(groups, greatest, picks, order)                                                       \
    for (int64_t g = 0; g < (groups)->count; g++) {                                                \
        const int64_t first = (groups)->starts[g], end = (groups)->starts[g + 1];                  \
        int64_t best = first;                                                                      \
        while (best < end && !is_valid((groups), best)) {                                          \
            best++;                                                                                \
        }                                                                                          \
        for (int64_t i = best + 1; i < end; i++) {                                                 \
            if (is_valid((groups), i) && ((greatest) ? (order) > 0 : (order) < 0)) {               \
                best = i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        (picks)[g] = best < end ? best : first;                                                    \
    }

static int compare_u64(uint64_t left, uint64_t right) {
    return (left > right) - (left < right);
}

void stoa_merge_pick_numbers(const uint64_t *numbers, int64_t first_row,
                             const stoa_merge_groups *groups, bool greatest, int64_t *picks) {
    PICK(groups, greatest, picks, compare_u64(numbers[i - first_row], numbers[best - first_row]))
}

static __int128 load_i128(const uint8_t *values, int64_t row) {
    __int128 value;
    memcpy(&value, values + row * (int64_t)sizeof value, sizeof value);
    return value;
}

static int compare_i128(__int128 left, __int128 right) {
    return (left > right) - (left < right);
}

void stoa_merge_pick_i128(const uint8_t *values, const stoa_merge_groups *groups, bool greatest,
                          int64_t *picks) {
    PICK(groups, greatest, picks, compare_i128(load_i128(values, i), load_i128(values, best)))
}

static int compare_texts(const int32_t *offsets, const uint8_t *bytes, int64_t left,
                         int64_t right) {
    return stoa_bytes_compare(bytes + offsets[left], (size_t)(offsets[left + 1] - offsets[left]),
                              bytes + offsets[right],
                              (size_t)(offsets[right + 1] - offsets[right]));
}

void stoa_merge_pick_text(const int32_t *offsets, const uint8_t *bytes,
                          const stoa_merge_groups *groups, bool greatest, int64_t *picks) {
    PICK(groups, greatest, picks, compare_texts(offsets, bytes, i, best))
}

void stoa_merge_pick_fixed(const uint8_t *values, int32_t width, const stoa_merge_groups *groups,
                           bool greatest, int64_t *picks){
    PICK(groups, greatest, picks, memcmp(values + i * width, values + best * width, (size_t)width))}
/* ---- Sums ------------------------------------------------------------------------------------ */

/* `wide` holds the sum of as many values as memory can: 2^63 of 64 bits fit 128, and 2^31 rows, which
 * is more than a batch has, of 32 bits fit 64. */
#define DEFINE_SUM(name, type, wide)                                                               \
    int64_t stoa_merge_##name(const type *values, const stoa_merge_groups *groups, type *sums) {   \
        int64_t misfit = -1;                                                                       \
        for (int64_t g = 0; g < groups->count; g++) {                                              \
            wide sum = 0;                                                                          \
            for (int64_t i = groups->starts[g]; i < groups->starts[g + 1]; i++) {                  \
                sum += is_valid(groups, i) ? (wide)values[i] : 0;                                  \
            }                                                                                      \
            sums[g] = (type)sum;                                                                   \
            misfit = misfit < 0 && (wide)sums[g] != sum ? g : misfit;                              \
        }                                                                                          \
        return misfit;                                                                             \
    }

DEFINE_SUM(sum_i8, int8_t, int64_t) DEFINE_SUM(sum_i16, int16_t, int64_t)
    DEFINE_SUM(sum_i32, int32_t, int64_t) DEFINE_SUM(sum_i64, int64_t, __int128)
        DEFINE_SUM(sum_u8, uint8_t, int64_t) DEFINE_SUM(sum_u16, uint16_t, int64_t)
            DEFINE_SUM(sum_u32, uint32_t, int64_t) DEFINE_SUM(sum_u64, uint64_t, unsigned __int128)

    /* 192 bits in two's complement: two decimals of 38 digits can be more than 128 hold. */
    struct wide_sum {
    unsigned __int128 low;
    int64_t high;
};

static void wide_add(struct wide_sum *sum, __int128 value) {
    const unsigned __int128 before = sum->low;
    sum->low += (unsigned __int128)value;
    sum->high += (value < 0 ? -1 : 0) + (sum->low < before ? 1 : 0);
}

static bool wide_fits(const struct wide_sum *sum, __int128 limit) {
    const __int128 low = (__int128)sum->low;
    return sum->high == (low < 0 ? -1 : 0) && low < limit && low > -limit;
}

int64_t stoa_merge_sum_i128(const uint8_t *values, const stoa_merge_groups *groups, __int128 limit,
                            uint8_t *sums) {
    int64_t misfit = -1;
    for (int64_t g = 0; g < groups->count; g++) {
        struct wide_sum sum = {0};
        for (int64_t i = groups->starts[g]; i < groups->starts[g + 1]; i++) {
            wide_add(&sum, is_valid(groups, i) ? load_i128(values, i) : 0);
        }
        memcpy(sums + g * (int64_t)sizeof sum.low, &sum.low, sizeof sum.low);
        misfit = misfit < 0 && !wide_fits(&sum, limit) ? g : misfit;
    }
    return misfit;
}

/* -0.0 is what changes nothing: 0.0 would turn a sum of -0.0 alone into 0.0. */
#define DEFINE_SUM_FLOAT(name, type)                                                               \
    void stoa_merge_##name(const type *values, const stoa_merge_groups *groups, type *sums) {      \
        for (int64_t g = 0; g < groups->count; g++) {                                              \
            double sum = -0.0;                                                                     \
            for (int64_t i = groups->starts[g]; i < groups->starts[g + 1]; i++) {                  \
                sum += is_valid(groups, i) ? (double)values[i] : -0.0;                             \
            }                                                                                      \
            sums[g] = (type)sum;                                                                   \
        }                                                                                          \
    }

DEFINE_SUM_FLOAT(sum_f32, float)
DEFINE_SUM_FLOAT(sum_f64, double)

int64_t stoa_merge_validity(const stoa_merge_groups *groups, uint8_t *out) {
    int64_t nulls = 0;
    memset(out, 0, stoa_bitmap_bytes(groups->count));
    for (int64_t g = 0; g < groups->count; g++) {
        int64_t row = groups->starts[g];
        while (row < groups->starts[g + 1] && !is_valid(groups, row)) {
            row++;
        }
        if (row < groups->starts[g + 1]) {
            stoa_bit_set(out, g);
        } else {
            nulls++;
        }
    }
    return nulls;
}
