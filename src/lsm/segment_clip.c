/* A few numbers far from all others, a 0 or -1 for "none" among timestamps, say, would make all of them wide.
 * A sorted sample says in which range nearly all are; what is outside becomes exceptions. */
#include "lsm/segment_writer.h"

enum { SAMPLE = 64, DROPPED_MAX = 8, EXCEPTION_BITS = 96, BITS_MIN = 8 };

/* Numbers in the order of signed ones. */
struct range {
    int64_t low;
    int64_t high;
};

static void sort_sample(const stoa_segment_writer *writer, const int64_t *numbers,
                        int64_t sample[SAMPLE]) {
    for (uint32_t i = 0; i < SAMPLE; i++) {
        const int64_t number = stoa_segment_ordered(writer,
                                                    numbers[(uint64_t)i * writer->count / SAMPLE]);
        uint32_t at = i;
        for (; at > 0 && sample[at - 1] > number; at--) {
            sample[at] = sample[at - 1];
        }
        sample[at] = number;
    }
}

static uint64_t distance(int64_t low, int64_t high) {
    return (uint64_t)high - (uint64_t)low;
}

/* A quarter more on both sides, for what the sample has missed. */
static struct range widen(int64_t low, int64_t high) {
    const uint64_t margin = distance(low, high) / 4;
    return (struct range){
        distance(INT64_MIN, low) < margin ? INT64_MIN : (int64_t)((uint64_t)low - margin),
        distance(high, INT64_MAX) < margin ? INT64_MAX : (int64_t)((uint64_t)high + margin),
    };
}

static int bits_of(struct range range) {
    return stoa_segment_width(distance(range.low, range.high));
}

/* The range that costs the sample least, with what is dropped at its ends as exceptions. */
static struct range choose_range(const int64_t sample[SAMPLE]) {
    int low = 0, high = SAMPLE - 1;
    struct range best = widen(sample[low], sample[high]);
    int least = bits_of(best) * SAMPLE;
    for (int dropped = 1; dropped <= DROPPED_MAX; dropped++) {
        const bool is_low = distance(sample[low], sample[low + 1]) >
                            distance(sample[high - 1], sample[high]);
        low += is_low;
        high -= !is_low;
        const struct range range = widen(sample[low], sample[high]);
        const int cost = bits_of(range) * SAMPLE + dropped * EXCEPTION_BITS;
        if (cost < least) {
            least = cost;
            best = range;
        }
    }
    return best;
}

static bool is_outside(const stoa_segment_writer *writer, struct range range, int64_t number) {
    const int64_t value = stoa_segment_ordered(writer, number);
    return value < range.low || value > range.high;
}

/* Exceptions repeat the number before them; of integers there were none so far. */
static stoa_status clip(stoa_segment_writer *writer, const int64_t *numbers, struct range range,
                        stoa_error *err) {
    const size_t units_size = writer->count * sizeof(int16_t);
    if (writer->units.size == 0) {
        STOA_TRY(stoa_buffer_resize(&writer->units, units_size, err));
        memset(writer->units.data, 0, units_size);
        STOA_TRY(stoa_buffer_reserve(&writer->numbers, writer->count * sizeof *numbers, err));
    }
    int16_t *units = (int16_t *)(void *)writer->units.data;
    int64_t *clipped = (int64_t *)(void *)writer->numbers.data;
    int64_t before = stoa_segment_ordered(writer, range.low);
    for (uint32_t i = 0; i < writer->count; i++) {
        if (is_outside(writer, range, numbers[i])) {
            units[i] = STOA_UNITS_NONE;
        } else {
            before = numbers[i];
        }
        clipped[i] = before;
    }
    return STOA_OK;
}

stoa_status stoa_segment_clip_outliers(stoa_segment_writer *writer, const int64_t *numbers,
                                       int bits, size_t size, bool *out_clipped,
                                       size_t *out_exceptions, stoa_error *err) {
    int64_t sample[SAMPLE];
    size_t outside = 0;
    *out_clipped = false;
    if (bits < BITS_MIN || writer->count < SAMPLE || writer->type.values == STOA_SEGMENT_OFFSETS) {
        return STOA_OK;
    }
    sort_sample(writer, numbers, sample);
    const struct range range = choose_range(sample);
    if (bits_of(range) >= bits - 1) {
        return STOA_OK;
    }
    for (uint32_t i = 0; i < writer->count; i++) {
        outside += is_outside(writer, range, numbers[i]);
    }
    const size_t clipped = 2 * sizeof(int64_t) + outside * EXCEPTION_BITS / 8 +
                           stoa_segment_packed_bytes(writer->count, bits_of(range));
    if (clipped + clipped / 16 >= size || stoa_segment_never_fall(writer, numbers)) {
        return STOA_OK;
    }
    *out_clipped = true;
    *out_exceptions += outside;
    return clip(writer, numbers, range, err);
}
