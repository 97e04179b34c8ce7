/* A dictionary costs its entries and the packed codes, and is made where that is within the caller's
 * limits. From them follows how many entries there may be at most. Hashing every value of a column only
 * to find that nearly all differ is most of what a careless writer does, so a sample decides first:
 * values that are spread over the chunk are drawn, and when fewer of them repeat than would if there
 * were somewhat more entries than may be, no table is made. Sorted columns with long runs look all
 * different to such a sample, so it also counts how many values equal the next one.
 *
 * Integers that lie within a small range are not hashed: one pass marks which of the range there are,
 * numbers are given in ascending order, and a second pass looks them up. */
#include "parquet/dictionary.h"

#include <math.h>

#include "base/checked.h"
#include "codec/bitpack_kernel.h"
#include "parquet/statistics_kernel.h"
#include "parquet/value_encoder.h"

enum {
    RANGE_MAX = 1 << 17,  /* values of a range that is looked up in a table: half a megabyte */
    RANGE_SHARE = 4,      /* and at most so many times the values of the chunk */
    SAMPLE_COUNT = 4096,
    SAMPLE_WORTH = 4,     /* chunks of fewer than so many samples are built outright */
    TABLE_BITS_MIN = 10,
    TABLE_BITS_MAX = 30
};

void stoa_leaf_dictionary_init(stoa_leaf_dictionary *dictionary, stoa_pool *pool) {
    *dictionary = (stoa_leaf_dictionary){0};
    stoa_buffer_init(&dictionary->entry_buffer, pool);
    stoa_buffer_init(&dictionary->code_buffer, pool);
    stoa_buffer_init(&dictionary->slots, pool);
    stoa_buffer_init(&dictionary->sample, pool);
}

void stoa_leaf_dictionary_release(stoa_leaf_dictionary *dictionary) {
    stoa_buffer_release(&dictionary->entry_buffer);
    stoa_buffer_release(&dictionary->code_buffer);
    stoa_buffer_release(&dictionary->slots);
    stoa_buffer_release(&dictionary->sample);
}

static double dictionary_cost(double entry_bytes, int64_t value_count, double entries) {
    const int width = stoa_bit_width((uint32_t)entries > 1 ? (uint32_t)entries - 1 : 1);
    return entry_bytes * entries + (double)value_count * width / 8;
}

/* The most entries with which a dictionary is within its limits; 0 when it never is. */
static uint32_t entry_limit_of(double plain, int64_t value_count,
                               const stoa_dictionary_limits *limits) {
    if (plain <= 0) {
        return 0;
    }
    const double entry_bytes = plain / (double)value_count;
    const double worth = limits->worth_bytes;
    double best = 0;
    for (int width = 1; width < TABLE_BITS_MAX; width++) {
        double entries = (worth - (double)value_count * width / 8) / entry_bytes;
        const double codes = (double)(UINT32_C(1) << width);
        entries = entries < codes ? entries : codes;
        best = entries > best ? entries : best;
    }
    const double fitting = (double)limits->entry_bytes_max / entry_bytes;
    best = best < fitting ? best : fitting;
    best = best < (double)value_count ? best : (double)value_count;
    return (uint32_t)best;
}

/* ---- Tables of one kind ---------------------------------------------------------------------- */

static size_t slot_bytes(const stoa_leaf *leaf) {
    return stoa_leaf_has_views(leaf)  ? sizeof(stoa_dictionary_slot_bytes)
           : leaf->value_width == 8 ? sizeof(stoa_dictionary_slot_u64)
                                      : sizeof(stoa_dictionary_slot_u32);
}

static size_t entry_width(const stoa_leaf *leaf) {
    return stoa_leaf_has_views(leaf) ? sizeof(stoa_bytes_view) : (size_t)leaf->value_width;
}

static const void *value_at(const stoa_leaf *leaf, const void *values, size_t at) {
    return (const uint8_t *)values + at * entry_width(leaf);
}

static size_t table_encode(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                           const void *values, size_t count, int bits, uint32_t limit,
                           uint32_t *codes) {
    void *slots = dictionary->slots.data;
    void *entries = dictionary->entry_buffer.data;
    uint32_t *entry_count = &dictionary->entry_count;
    if (stoa_leaf_has_views(leaf)) {
        return stoa_dictionary_encode_bytes(values, count, slots, bits, entries, entry_count, limit,
                                            codes);
    }
    return leaf->value_width == 8 ? stoa_dictionary_encode_u64(values, count, slots, bits, entries,
                                                               entry_count, limit, codes)
                                  : stoa_dictionary_encode_u32(values, count, slots, bits, entries,
                                                               entry_count, limit, codes);
}

/* An empty table with room for 2^(bits-1) entries, and what is known of them in it. */
static stoa_status table_make(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf, int bits,
                              stoa_error *err) {
    const size_t capacity = (size_t)1 << bits;
    stoa_buffer_clear(&dictionary->slots);
    STOA_TRY(stoa_buffer_append_fill(&dictionary->slots, STOA_DICTIONARY_EMPTY,
                                     capacity * slot_bytes(leaf), err));
    dictionary->entry_buffer.size = dictionary->entry_count * entry_width(leaf);
    STOA_TRY(stoa_buffer_reserve(&dictionary->entry_buffer,
                                 capacity / 2 * entry_width(leaf) - dictionary->entry_buffer.size,
                                 err));
    void *slots = dictionary->slots.data;
    const void *entries = dictionary->entry_buffer.data;
    if (stoa_leaf_has_views(leaf)) {
        stoa_dictionary_insert_bytes(entries, dictionary->entry_count, slots, bits);
    } else if (leaf->value_width == 8) {
        stoa_dictionary_insert_u64(entries, dictionary->entry_count, slots, bits);
    } else {
        stoa_dictionary_insert_u32(entries, dictionary->entry_count, slots, bits);
    }
    return STOA_OK;
}

/* ---- The sample ------------------------------------------------------------------------------ */

static bool values_equal(const stoa_leaf *leaf, const void *values, size_t left, size_t right) {
    const void *a = value_at(leaf, values, left);
    const void *b = value_at(leaf, values, right);
    if (!stoa_leaf_has_views(leaf)) {
        return memcmp(a, b, (size_t)leaf->value_width) == 0;
    }
    const stoa_bytes_view *x = a, *y = b;
    return x->size == y->size && memcmp(x->data, y->data, x->size) == 0;
}

/* How many entries the sample has, and how many of its values equal the one behind them. */
static stoa_status sample_values(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                                 const stoa_leaf_values *values, size_t *out_repeats,
                                 stoa_error *err) {
    const size_t width = entry_width(leaf);
    const size_t stride = (size_t)values->value_count / SAMPLE_COUNT;
    stoa_buffer *sample = &dictionary->sample;
    stoa_buffer_clear(sample);
    STOA_TRY(stoa_buffer_reserve(sample, SAMPLE_COUNT * (width + sizeof(uint32_t)), err));
    *out_repeats = 0;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        memcpy(sample->data + i * width, value_at(leaf, values->data, i * stride), width);
        *out_repeats += values_equal(leaf, values->data, i * stride, i * stride + 1);
    }
    const int bits = stoa_bit_width(SAMPLE_COUNT);
    dictionary->entry_count = 0;
    STOA_TRY(table_make(dictionary, leaf, bits, err));
    uint32_t *codes = (uint32_t *)(void *)(sample->data + SAMPLE_COUNT * width);
    size_t done = table_encode(dictionary, leaf, sample->data, SAMPLE_COUNT, bits, SAMPLE_COUNT,
                               codes);
    STOA_ASSERT(done == SAMPLE_COUNT);
    (void)done;
    return STOA_OK;
}

/* With `entries` equally likely values, a sample of n meets entries * (1 - e^(-n / entries)) of
 * them. A quarter more than the limit is taken, so that a sample's luck does not cost a column its
 * dictionary. */
static bool sample_is_hopeless(uint32_t met, size_t repeats, int64_t value_count, uint32_t limit) {
    const double entries = 1.25 * limit;
    const double expected = entries * (1 - exp(-(double)SAMPLE_COUNT / entries));
    const double runs = (double)value_count * (1 - (double)repeats / SAMPLE_COUNT);
    return met > expected && runs > limit;
}

/* ---- Building -------------------------------------------------------------------------------- */

/* Where the entries of a chunk of integers lie. */
struct range {
    bool is_small;
    uint64_t low; /* the least value, in two's complement */
    uint64_t size;
};

#define RANGE_OF(NAME, TYPE)                                                                       \
    do {                                                                                           \
        TYPE min, max;                                                                             \
        stoa_min_max_##NAME(values->data, values->value_count, &min, &max);                        \
        range.low = (uint64_t)min;                                                                 \
        range.size = (uint64_t)max - (uint64_t)min;                                                \
    } while (0)

static struct range range_of(const stoa_leaf *leaf, const stoa_leaf_values *values) {
    struct range range = {0};
    switch (leaf->value_class) {
    case STOA_LEAF_I8: RANGE_OF(i8, int8_t); break;
    case STOA_LEAF_U8: RANGE_OF(u8, uint8_t); break;
    case STOA_LEAF_I16: RANGE_OF(i16, int16_t); break;
    case STOA_LEAF_U16: RANGE_OF(u16, uint16_t); break;
    case STOA_LEAF_I32: RANGE_OF(i32, int32_t); break;
    case STOA_LEAF_U32: RANGE_OF(u32, uint32_t); break;
    case STOA_LEAF_I64: RANGE_OF(i64, int64_t); break;
    case STOA_LEAF_U64: RANGE_OF(u64, uint64_t); break;
    default: return range;
    }
    range.is_small = leaf->value_width <= 2 ||
                     (range.size < RANGE_MAX &&
                      range.size / RANGE_SHARE <= (uint64_t)values->value_count);
    range.size++;
    return range;
}

#define FOR_WIDTH(leaf, DO)                                                                        \
    switch ((leaf)->value_width) {                                                                 \
    case 1: DO(u8, uint8_t); break;                                                                \
    case 2: DO(u16, uint16_t); break;                                                              \
    case 4: DO(u32, uint32_t); break;                                                              \
    default: DO(u64, uint64_t); break;                                                             \
    }

/* Entries ascend. False in `out_fits`: there are more than `limit`. */
static stoa_status build_range(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                               const stoa_leaf_values *values, const struct range *range,
                               uint32_t limit, bool *out_fits, stoa_error *err) {
    const size_t count = (size_t)values->value_count, size = (size_t)range->size;
    uint32_t *codes = (uint32_t *)(void *)dictionary->code_buffer.data;
    stoa_buffer_clear(&dictionary->slots);
    stoa_buffer_clear(&dictionary->sample);
    STOA_TRY(stoa_buffer_append_fill(&dictionary->sample, 0, size, err));
    STOA_TRY(stoa_buffer_reserve(&dictionary->slots, size * sizeof(uint32_t), err));
    uint8_t *marks = dictionary->sample.data;
    uint32_t *table = (uint32_t *)(void *)dictionary->slots.data;
#define MARK(NAME, TYPE)                                                                           \
    stoa_dictionary_mark_##NAME(values->data, count, (TYPE)range->low, marks)
    FOR_WIDTH(leaf, MARK)
    dictionary->entry_count = stoa_dictionary_number(marks, size, table);
    *out_fits = dictionary->entry_count <= limit;
    if (!*out_fits) {
        return STOA_OK;
    }
    stoa_buffer_clear(&dictionary->entry_buffer);
    STOA_TRY(stoa_buffer_reserve(&dictionary->entry_buffer,
                                 dictionary->entry_count * (size_t)leaf->value_width, err));
    void *entries = dictionary->entry_buffer.data;
#define LIST_AND_LOOK_UP(NAME, TYPE)                                                               \
    stoa_dictionary_list_##NAME(marks, size, (TYPE)range->low, entries);                           \
    stoa_dictionary_look_up_##NAME(values->data, count, (TYPE)range->low, table, codes)
    FOR_WIDTH(leaf, LIST_AND_LOOK_UP)
    return STOA_OK;
}

/* `expected` entries make the first table; a full one is made again four times as large, up to the
 * limit. False in `out_fits`: there are more. */
static stoa_status build_hashed(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                                const stoa_leaf_values *values, uint32_t expected, uint32_t limit,
                                bool *out_fits, stoa_error *err) {
    const size_t count = (size_t)values->value_count;
    uint32_t *codes = (uint32_t *)(void *)dictionary->code_buffer.data;
    int bits = stoa_bit_width(expected) + 1;
    bits = bits < TABLE_BITS_MIN ? TABLE_BITS_MIN : bits;
    dictionary->entry_count = 0;
    size_t done = 0;
    while (true) {
        const uint32_t room = UINT32_C(1) << (bits - 1);
        STOA_TRY(table_make(dictionary, leaf, bits, err));
        done += table_encode(dictionary, leaf, value_at(leaf, values->data, done), count - done,
                             bits, room < limit ? room : limit, codes + done);
        if (done == count || room >= limit) {
            break;
        }
        bits += 2;
    }
    *out_fits = done == count;
    return STOA_OK;
}

/* How many entries there are when a sample of SAMPLE_COUNT met `met` of them: the number for which it
 * would be expected to (see sample_is_hopeless), by halving. */
static uint32_t estimate_entries(uint32_t met, uint32_t limit) {
    double low = met, high = limit;
    while (high - low > 0.05 * low) {
        const double middle = (low + high) / 2;
        const double expected = middle * (1 - exp(-(double)SAMPLE_COUNT / middle));
        if (expected < met) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (uint32_t)high;
}

/* Neighbours in the order of their bits share their upper bytes. The table is not needed any more. */
static stoa_status sort_entries(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                                int64_t value_count, stoa_error *err) {
    const uint32_t count = dictionary->entry_count;
    uint64_t *wide = (uint64_t *)(void *)dictionary->entry_buffer.data;
    uint32_t *narrow = (uint32_t *)(void *)dictionary->entry_buffer.data;
    stoa_buffer_clear(&dictionary->slots);
    STOA_TRY(stoa_buffer_reserve(&dictionary->slots, 2 * count * sizeof(stoa_dictionary_pair), err));
    stoa_dictionary_pair *pairs = (stoa_dictionary_pair *)(void *)dictionary->slots.data;
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (stoa_dictionary_pair){leaf->value_width == 8 ? wide[i] : narrow[i], i};
    }
    const stoa_dictionary_pair *sorted = stoa_dictionary_sort(pairs, count);
    stoa_buffer_clear(&dictionary->sample);
    STOA_TRY(stoa_buffer_reserve(&dictionary->sample, count * sizeof(uint32_t), err));
    uint32_t *places = (uint32_t *)(void *)dictionary->sample.data;
    for (uint32_t i = 0; i < count; i++) {
        places[sorted[i].code] = i;
        if (leaf->value_width == 8) {
            wide[i] = sorted[i].entry;
        } else {
            narrow[i] = (uint32_t)sorted[i].entry;
        }
    }
    stoa_dictionary_renumber((uint32_t *)(void *)dictionary->code_buffer.data, (size_t)value_count,
                             places);
    return STOA_OK;
}

static stoa_status build(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                         const stoa_leaf_values *values, uint32_t limit, bool *out_fits,
                         stoa_error *err) {
    *out_fits = false;
    const bool sampled = values->value_count >= SAMPLE_WORTH * SAMPLE_COUNT &&
                         (stoa_leaf_has_views(leaf) || leaf->value_width > 2);
    uint32_t expected = SAMPLE_COUNT < limit ? SAMPLE_COUNT : limit;
    if (sampled) {
        size_t repeats;
        STOA_TRY(sample_values(dictionary, leaf, values, &repeats, err));
        if (sample_is_hopeless(dictionary->entry_count, repeats, values->value_count, limit)) {
            return STOA_OK;
        }
        expected = estimate_entries(dictionary->entry_count, limit);
    }
    const struct range range = range_of(leaf, values);
    stoa_buffer_clear(&dictionary->code_buffer);
    STOA_TRY(stoa_buffer_reserve(&dictionary->code_buffer,
                                 (size_t)values->value_count * sizeof(uint32_t), err));
    dictionary->is_sorted = range.is_small;
    return range.is_small
               ? build_range(dictionary, leaf, values, &range, limit, out_fits, err)
               : build_hashed(dictionary, leaf, values, expected, limit, out_fits, err);
}

stoa_status stoa_leaf_dictionary_build(stoa_leaf_dictionary *dictionary, const stoa_leaf *leaf,
                                       const stoa_leaf_values *values,
                                       const stoa_dictionary_limits *limits, bool *out_useful,
                                       stoa_error *err) {
    *out_useful = false;
    dictionary->entry_count = 0;
    const double plain = stoa_values_plain_bytes(leaf, values->data, values->value_count);
    const uint32_t limit = entry_limit_of(plain, values->value_count, limits);
    if (limit == 0) {
        return STOA_OK;
    }
    bool fits;
    STOA_TRY(build(dictionary, leaf, values, limit, &fits, err));
    dictionary->entries = dictionary->entry_buffer.data;
    dictionary->codes = (const uint32_t *)(const void *)dictionary->code_buffer.data;
    if (fits) {
        /* The limit was reckoned with the mean length of all values; entries have their own. */
        const double bytes =
            stoa_values_plain_bytes(leaf, dictionary->entries, dictionary->entry_count);
        *out_useful = bytes <= (double)limits->entry_bytes_max &&
                      dictionary_cost(bytes / dictionary->entry_count, values->value_count,
                                      dictionary->entry_count) <= limits->worth_bytes;
    }
    return *out_useful && limits->will_compress && !dictionary->is_sorted &&
                   !stoa_leaf_has_views(leaf)
               ? sort_entries(dictionary, leaf, values->value_count, err)
               : STOA_OK;
}
