/* Doubles that were decimal fractions, as prices are, become whole numbers. Arithmetic leaves most of
 * them a few units in the last place beside the double that is nearest to the fraction (0.1 * 3), so
 * these units are kept in the lowest bits. What is no fraction at all is an exception. */
#include "lsm/segment_writer.h"

enum { SAMPLE = 32, UNITS_MAX = 127, EXCEPTION_BITS = 96 };

static const double powers[STOA_SEGMENT_SCALE_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                          1e5, 1e6, 1e7, 1e8, 1e9};

/* The power of ten at which a sample costs least, digits and exceptions; -1 where most are exceptions. */
static int find_exponent(const double *values, uint32_t count) {
    double sample[SAMPLE];
    int64_t whole[SAMPLE];
    int16_t units[SAMPLE];
    const uint32_t taken = count < SAMPLE ? count : SAMPLE;
    uint32_t least = UINT32_MAX;
    int best = -1;
    for (uint32_t i = 0; i < taken; i++) {
        memcpy(&sample[i], values + (uint64_t)i * count / taken, sizeof *sample);
    }
    for (int exponent = 0; exponent <= STOA_SEGMENT_SCALE_MAX; exponent++) {
        uint32_t missed = 0;
        stoa_doubles_scale(sample, taken, powers[exponent], whole, units);
        for (uint32_t i = 0; i < taken; i++) {
            missed += units[i] == STOA_UNITS_NONE;
        }
        /* Three bits and a third a digit. */
        const uint32_t cost = missed * EXCEPTION_BITS + taken * (uint32_t)exponent * 10 / 3;
        if (missed <= taken / 4 && cost < least) {
            least = cost;
            best = exponent;
        }
    }
    return best;
}

/* Bits that hold units from -2^(bits - 1) to 2^(bits - 1) - 1. */
static int bits_of_units(int units) {
    return units == 0 ? 0 : 1 + stoa_segment_width((uint64_t)(units < 0 ? -units - 1 : units));
}

/* How many bits of units are worth while, and how many values do not fit them. */
static int choose_correction(const int16_t *units, uint32_t count, size_t *out_exceptions) {
    size_t counts[STOA_SEGMENT_CORRECTION_MAX + 1] = {0}, beyond = 0, least = SIZE_MAX;
    uint8_t bits[2 * UNITS_MAX + 1];
    int best = 0;
    for (int i = -UNITS_MAX; i <= UNITS_MAX; i++) {
        bits[i + UNITS_MAX] = (uint8_t)bits_of_units(i);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (units[i] == STOA_UNITS_NONE) {
            beyond++;
        } else {
            counts[bits[units[i] + UNITS_MAX]]++;
        }
    }
    for (int correction = STOA_SEGMENT_CORRECTION_MAX; correction >= 0; correction--) {
        const size_t cost = (size_t)count * (size_t)correction + beyond * EXCEPTION_BITS;
        if (cost <= least) {
            least = cost;
            best = correction;
            *out_exceptions = beyond;
        }
        beyond += counts[correction];
    }
    return best;
}

/* Units into the low bits; an exception repeats the number before it, which costs no bits. */
static void put_units(int64_t *numbers, int16_t *units, uint32_t count, int correction) {
    const int64_t bias = (INT64_C(1) << correction) >> 1;
    const int64_t most = correction == 0 ? 0 : bias - 1;
    int64_t before = bias;
    for (uint32_t i = 0; i < count; i++) {
        if (units[i] >= -bias && units[i] <= most) {
            before = (int64_t)((uint64_t)numbers[i] << correction) + units[i] + bias;
        } else {
            units[i] = STOA_UNITS_NONE;
        }
        numbers[i] = before;
    }
}

stoa_status stoa_segment_scale_doubles(stoa_segment_writer *writer, bool *out_scaled,
                                       size_t *out_exceptions, stoa_error *err) {
    const uint32_t count = writer->count;
    const double *values = (const double *)(const void *)writer->raw.data;
    const int exponent = find_exponent(values, count);
    *out_scaled = exponent >= 0;
    *out_exceptions = 0;
    if (exponent < 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_reserve(&writer->numbers, count * sizeof(int64_t), err));
    STOA_TRY(stoa_buffer_reserve(&writer->units, count * sizeof(int16_t), err));
    int64_t *numbers = (int64_t *)(void *)writer->numbers.data;
    int16_t *units = (int16_t *)(void *)writer->units.data;
    stoa_doubles_scale(values, count, powers[exponent], numbers, units);
    const int correction = choose_correction(units, count, out_exceptions);
    if (correction > 0 || *out_exceptions > 0) {
        put_units(numbers, units, count, correction);
    }
    writer->units.size = count * sizeof(int16_t);
    writer->header.scale = (uint8_t)(1 + exponent);
    writer->header.correction = (uint8_t)correction;
    return STOA_OK;
}
