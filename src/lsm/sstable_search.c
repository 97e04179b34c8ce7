/* The search for a key: the stripe by the last keys, the row in the stripe.
 *
 * Keys that are numbers are searched in their segment. Of keys of bytes 8 bytes of every 16th are kept in
 * memory, from the first search in a stripe on: between two of them the row is guessed, as keys are often
 * spread evenly, and found by growing steps from there, so that few lines of keys are read. */
#include "base/bytes.h"
#include "lsm/key_bytes.h"
#include "lsm/sstable_internal.h"

/* ---- Stripes --------------------------------------------------------------------------------- */

/* The first of `count` growing numbers that is not less than `number`. Nothing to predict: each step is a
 * conditional move. */
static int64_t lower_bound(const uint64_t *numbers, int64_t count, uint64_t number) {
    const uint64_t *base = numbers;
    if (count == 0) {
        return 0;
    }
    while (count > 1) {
        const int64_t half = count / 2;
        base += base[half - 1] < number ? half : 0;
        count -= half;
    }
    return base - numbers + (*base < number);
}

/* Keys of any length are compared by 8 bytes behind what all of the table begin with; those that agree in
 * these, as a whole. */
static int64_t find_stripe_of_bytes(const stoa_sst *table, const uint8_t *key, size_t size) {
    const size_t common = table->common_size < size ? table->common_size : size;
    const int order = common == 0 ? 0 : memcmp(table->members[0].first_key, key, common);
    if (order != 0 || size < table->common_size) {
        return order < 0 ? table->summary.stripe_count : 0;
    }
    const uint64_t prefix = stoa_key_prefix(key + common, size - common);
    int64_t low = lower_bound(table->last_numbers, table->summary.stripe_count, prefix);
    const int64_t behind = table->summary.stripe_count - low;
    int64_t count = prefix == UINT64_MAX
                        ? behind
                        : lower_bound(table->last_numbers + low, behind, prefix + 1);
    while (count > 0) {
        const int64_t middle = low + count / 2;
        const stoa_sst_member *member = &table->members[middle];
        if (stoa_bytes_compare(member->last_key, member->last_key_size, key, size) < 0) {
            low = middle + 1;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return low;
}

int64_t stoa_sst_find_stripe(const stoa_sst *table, const uint8_t *key, size_t size,
                             uint64_t number) {
    if (table->layout->key->is_number) {
        return lower_bound(table->last_numbers, table->summary.stripe_count, number);
    }
    return table->summary.stripe_count == 0 ? 0 : find_stripe_of_bytes(table, key, size);
}

/* ---- Rows of keys of bytes ------------------------------------------------------------------- */

enum { LINE = 64 }; /* of memory */
enum { SAMPLE_UNKNOWN, SAMPLE_STORING, SAMPLE_THERE };

/* Rows [low, high) of a stripe, and about where among them a key is. */
struct part {
    uint32_t low;
    uint32_t high;
    uint32_t guess;
};

static uint32_t sample_count(uint32_t rows) {
    return (rows + STOA_SST_SAMPLE_ROWS - 1) / STOA_SST_SAMPLE_ROWS;
}

/* The samples of a stripe; NULL while another thread stores them. */
static const uint64_t *samples_of(const stoa_sst *table, int64_t stripe, const stoa_segment *keys) {
    _Atomic uint8_t *state = &table->sample_states[stripe];
    uint64_t *out = table->samples + stripe * STOA_SST_SAMPLES;
    uint64_t samples[STOA_SST_SAMPLES];
    uint8_t expected = SAMPLE_UNKNOWN;
    if (atomic_load_explicit(state, memory_order_acquire) == SAMPLE_THERE) {
        return out;
    }
    const uint32_t count = sample_count(keys->count);
    for (uint32_t i = 0; i < count; i++) {
        size_t size;
        const uint8_t *key = stoa_segment_value(keys, i * STOA_SST_SAMPLE_ROWS, NULL, &size);
        samples[i] = stoa_key_prefix(key, size);
    }
    if (!atomic_compare_exchange_strong(state, &expected, SAMPLE_STORING)) {
        return NULL;
    }
    memcpy(out, samples, count * sizeof *samples);
    atomic_store_explicit(state, SAMPLE_THERE, memory_order_release);
    return out;
}

/* Where rows with the bytes `rest` behind the stripe's prefix may be: behind the last sample that is less,
 * before the first that is greater. */
static struct part narrow(const uint64_t *samples, uint32_t rows, const uint8_t *rest,
                          size_t size) {
    const uint64_t prefix = stoa_key_prefix(rest, size);
    const uint32_t count = sample_count(rows);
    const uint32_t first = (uint32_t)lower_bound(samples, count, prefix);
    uint32_t behind = first;
    while (behind < count && samples[behind] == prefix) {
        behind++;
    }
    struct part part = {first == 0 ? 0 : (first - 1) * STOA_SST_SAMPLE_ROWS + 1,
                        behind == count ? rows : behind * STOA_SST_SAMPLE_ROWS, 0};
    part.guess = part.low;
    if (first > 0 && first == behind && first < count) {
        const double step = (double)(samples[first] - samples[first - 1]);
        const double way = (double)(prefix - samples[first - 1]) / step;
        part.guess += (uint32_t)(way * (part.high - part.low));
    }
    if (part.guess >= part.high && part.high > part.low) {
        part.guess = part.high - 1;
    }
    return part;
}

static bool is_less(const stoa_segment *keys, uint32_t row, const uint8_t *rest, size_t size) {
    size_t found;
    const uint8_t *bytes = stoa_segment_value(keys, row, NULL, &found);
    return stoa_bytes_compare(bytes, found, rest, size) < 0;
}

/* Every row before `low` is less, none from `high` on. */
static uint32_t search(const stoa_segment *keys, struct part part, const uint8_t *rest,
                       size_t size) {
    uint32_t step = 1;
    if (part.low == part.high) {
        return part.low;
    }
    if (is_less(keys, part.guess, rest, size)) {
        part.low = part.guess + 1;
        while (part.high - part.low > step && is_less(keys, part.low + step - 1, rest, size)) {
            part.low += step;
            step *= 2;
        }
        part.high = part.high - part.low > step ? part.low + step - 1 : part.high;
    } else {
        part.high = part.guess;
        while (part.high - part.low > step && !is_less(keys, part.high - step, rest, size)) {
            part.high -= step;
            step *= 2;
        }
        part.low = part.high - part.low > step ? part.high - step + 1 : part.low;
    }
    while (part.low < part.high) {
        const uint32_t middle = part.low + (part.high - part.low) / 2;
        if (is_less(keys, middle, rest, size)) {
            part.low = middle + 1;
        } else {
            part.high = middle;
        }
    }
    return part.low;
}

/* How a key compares with what all keys of a stripe begin with. */
static int compare_prefix(const stoa_stripe *stripe, const uint8_t *key, size_t size) {
    const size_t common = stripe->prefix_size < size ? stripe->prefix_size : size;
    const int order = common == 0 ? 0 : memcmp(key, stripe->prefix, common);
    return order != 0 ? order : size < stripe->prefix_size ? -1 : 0;
}

static stoa_status find_bytes(const stoa_sst *table, int64_t number, const uint8_t *key,
                              size_t size, uint32_t *out, stoa_error *err) {
    const stoa_stripe *stripe = &table->members[number].stripe;
    const stoa_segment *keys;
    STOA_TRY(stoa_stripe_segment(stripe, STOA_STRIPE_KEYS, stripe->row_count, &keys, err));
    const int order = compare_prefix(stripe, key, size);
    if (order != 0) {
        *out = order < 0 ? 0 : stripe->row_count;
        return STOA_OK;
    }
    const uint8_t *rest = key + stripe->prefix_size;
    const size_t rest_size = size - stripe->prefix_size;
    const uint64_t *samples = samples_of(table, number, keys);
    const struct part all = {0, stripe->row_count, stripe->row_count / 2};
    *out = search(keys, samples == NULL ? all : narrow(samples, stripe->row_count, rest, rest_size),
                  rest, rest_size);
    return STOA_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

void stoa_sst_find_row_prefetch(const stoa_sst *table, const stoa_sst_key *key, int64_t number,
                                int step) {
    const stoa_stripe *stripe = &table->members[number].stripe;
    const stoa_segment *keys;
    if (!stoa_stripe_segment_if_open(stripe, STOA_STRIPE_KEYS, &keys)) {
        return;
    }
    if (table->layout->key->is_number) {
        stoa_segment_find_prefetch(keys, key->number, step);
        return;
    }
    const uint64_t *samples = table->samples + number * STOA_SST_SAMPLES;
    if (step == 0) {
        __builtin_prefetch(samples + sample_count(stripe->row_count) / 2);
        return;
    }
    if (atomic_load_explicit(&table->sample_states[number], memory_order_acquire) == SAMPLE_THERE &&
        compare_prefix(stripe, key->bytes, key->size) == 0) {
        const struct part part = narrow(samples, stripe->row_count,
                                        key->bytes + stripe->prefix_size,
                                        key->size - stripe->prefix_size);
        size_t size;
        if (part.low < part.high) {
            const uint8_t *guess = stoa_segment_value(keys, part.guess, NULL, &size);
            /* Random keys lie some rows beside their guess. */
            __builtin_prefetch(guess - LINE);
            __builtin_prefetch(guess);
            __builtin_prefetch(guess + LINE);
        }
    }
}

stoa_status stoa_sst_find_row(const stoa_sst *table, const uint8_t *key, size_t size,
                              uint64_t number, stoa_sst_position *position, stoa_error *err) {
    const stoa_sst_member *member = &table->members[position->stripe];
    stoa_status status = table->layout->key->is_number
                             ? stoa_stripe_find_number(&member->stripe, number, &position->row, err)
                             : find_bytes(table, position->stripe, key, size, &position->row, err);
    if (status == STOA_OK && position->row == member->stripe.row_count) {
        status = stoa_sst_corrupt(table, member->offset, "a last key that is not in its stripe",
                                  err);
    }
    return status == STOA_OK ? STOA_OK : stoa_sst_wrap(table, position->stripe, status, err);
}

stoa_status stoa_sst_find(const stoa_sst *table, const uint8_t *key, size_t size,
                          stoa_sst_position *out, stoa_error *err) {
    const stoa_key_format *format = table->layout->key;
    uint64_t number = 0;
    if (format->is_number) {
        STOA_ASSERT(size <= (size_t)format->fixed_bytes);
        number = stoa_key_get_number(key, (int32_t)size)
                 << 8 * (format->fixed_bytes - (int)size) % 64;
    }
    *out = (stoa_sst_position){stoa_sst_find_stripe(table, key, size, number), 0};
    if (out->stripe < table->summary.stripe_count) {
        stoa_stripe_slots_prefetch(&table->members[out->stripe].stripe);
        STOA_TRY(stoa_sst_find_row(table, key, size, number, out, err));
    }
    return stoa_sst_check_map(table, err);
}
