/* Entries of dictionaries and runs, constants and plain values lie as Arrow lays values out, so they are
 * shown to stoa_predicate_select as they are, and rows follow from entries. Packed integers are compared
 * with the range of numbers that makes the leaf true. A scaled double grows with the number that stands for
 * it, so it has such a range too, found by bisection. What is left is unpacked by the block. */
#include "lsm/segment_select.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "codec/bitpack_kernel.h"
#include "lsm/segment_format.h"
#include "schema/select_kernel.h"

enum { BLOCK = 1024, RANGES_MAX = 16, WHOLE_BITS_MAX = 43 };

struct selection {
    const stoa_segment *segment;
    const stoa_field *field;
    const stoa_predicate *leaf;
    stoa_pool *pool;
    stoa_error *err;
};

/* Numbers from low to high, in the order of the type; none where low is above high. */
struct range {
    __int128 low;
    __int128 high;
};

/* ---- Values as they lie ---------------------------------------------------------------------- */

/* Values in the field's canonical layout: what stands in the second buffer and, of texts, the third. */
static stoa_status select_values(const struct selection *selection, const void *values,
                                 const void *bytes, int64_t count, uint8_t *bits) {
    const void *buffers[3] = {NULL, values, bytes}, *no_buffers[1] = {NULL};
    const bool is_text = selection->segment->type.values == STOA_SEGMENT_TEXTS;
    struct ArrowArray column = {.length = count, .n_buffers = is_text ? 3 : 2, .buffers = buffers};
    struct ArrowArray *columns[1] = {&column};
    const struct ArrowArray batch = {.length = count,
                                     .n_buffers = 1,
                                     .buffers = no_buffers,
                                     .n_children = 1,
                                     .children = columns};
    const stoa_schema schema = {.field_id_max = selection->field->id,
                                .root = {.kind = STOA_TYPE_STRUCT,
                                         .child_count = 1,
                                         .children = selection->field}};
    return stoa_predicate_select(selection->leaf, &schema, &batch, selection->pool, bits,
                                 selection->err);
}

/* Unpacked by the block. */
static stoa_status select_blocks(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    _Alignas(16) uint8_t values[BLOCK * sizeof(__int128)];
    STOA_ASSERT(segment->type.value_bytes <= (int32_t)sizeof(__int128));
    for (uint32_t first = 0; first < segment->count; first += BLOCK) {
        const uint32_t rows = segment->count - first < BLOCK ? segment->count - first : BLOCK;
        stoa_segment_read(segment, first, rows, values, 0);
        STOA_TRY(select_values(selection, values, NULL, rows, bitmap + first / 8));
    }
    return STOA_OK;
}

static stoa_status select_texts(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    int32_t offsets[BLOCK + STOA_FRAME_GROUP];
    for (uint32_t first = 0; first < segment->count; first += BLOCK) {
        const uint32_t rows = segment->count - first < BLOCK ? segment->count - first : BLOCK;
        stoa_frames_read(&segment->frames, first, rows / 8 * 8 + 8, sizeof *offsets,
                         (uint8_t *)offsets);
        STOA_TRY(select_values(selection, offsets, segment->values, rows, bitmap + first / 8));
    }
    return STOA_OK;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static void set_between(const stoa_segment *segment, uint64_t low, uint64_t span, uint8_t *bitmap) {
    stoa_frames_between(&segment->frames, 0, stoa_bitmap_bytes(segment->count) * 8, low, span,
                        bitmap);
}

/* Whether the set bits are neighbours, and which. */
static bool is_one_range(const uint8_t *bits, uint32_t count, uint32_t *out_low,
                         uint32_t *out_high) {
    uint32_t low = 0, high = count;
    while (low < count && !stoa_bit_get(bits, low)) {
        low++;
    }
    while (high > low && !stoa_bit_get(bits, high - 1)) {
        high--;
    }
    *out_low = low;
    *out_high = high;
    return stoa_bitmap_count(bits, low, high - low) == high - low;
}

static void look_codes_up(const stoa_segment *segment, const uint8_t *bits, uint8_t *bitmap) {
    uint32_t codes[BLOCK];
    const int width = segment->frames.bits;
    for (uint32_t first = 0; first < segment->count; first += BLOCK) {
        const uint32_t left = (segment->count - first + 7) / 8 * 8;
        const uint32_t rows = left < BLOCK ? left : BLOCK;
        uint8_t flags[BLOCK];
        stoa_bitunpack_u32(segment->frames.packed + first / 8 * (size_t)width, rows, width, codes);
        for (uint32_t i = 0; i < rows; i++) {
            flags[i] = (bits[codes[i] / 8] >> (codes[i] % 8)) & 1;
        }
        stoa_bitpack_bools(flags, rows, bitmap + first / 8);
    }
}

static stoa_status select_dictionary(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    const bool is_text = segment->type.values == STOA_SEGMENT_TEXTS;
    uint8_t bits[STOA_SEGMENT_ENTRIES_MAX / 8];
    uint32_t low, high;
    STOA_TRY(select_values(selection, is_text ? segment->offsets : segment->values, segment->values,
                           segment->entry_count, bits));
    if (!is_one_range(bits, segment->entry_count, &low, &high)) {
        look_codes_up(segment, bits, bitmap);
    } else if (low == high) {
        memset(bitmap, 0, stoa_bitmap_bytes(segment->count));
    } else {
        set_between(segment, low, high - low - 1, bitmap);
    }
    return STOA_OK;
}

static stoa_status select_runs(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    const size_t width = (size_t)segment->type.value_bytes;
    uint8_t bits[BLOCK / 8];
    uint32_t row = 0;
    for (uint32_t first = 0; first < segment->entry_count; first += BLOCK) {
        const uint32_t left = segment->entry_count - first;
        const uint32_t runs = left < BLOCK ? left : BLOCK;
        STOA_TRY(select_values(selection, segment->values + first * width, NULL, runs, bits));
        for (uint32_t i = 0; i < runs; i++) {
            const uint32_t end = stoa_load_u32(segment->places + (first + i) * sizeof end);
            stoa_bitmap_fill(bitmap, row, end - row, stoa_bit_get(bits, i));
            row = end;
        }
    }
    return STOA_OK;
}

/* Exceptions are 8 bytes each, whatever the width of the type. */
static stoa_status select_exceptions(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    const size_t width = (size_t)segment->type.value_bytes;
    _Alignas(16) uint8_t values[BLOCK * sizeof(__int128)];
    uint8_t bits[BLOCK / 8];
    for (uint32_t first = 0; first < segment->entry_count; first += BLOCK) {
        const uint32_t left = segment->entry_count - first;
        const uint32_t count = left < BLOCK ? left : BLOCK;
        for (uint32_t i = 0; i < count; i++) {
            const __int128 value = stoa_load_i64(segment->values + (first + i) * sizeof(int64_t));
            memcpy(values + i * width, &value, width);
        }
        STOA_TRY(select_values(selection, values, NULL, count, bits));
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t row = stoa_load_u32(segment->places + (first + i) * sizeof row);
            stoa_bit_put(bitmap, row, stoa_bit_get(bits, i));
        }
    }
    return STOA_OK;
}

/* ---- Ranges of numbers ----------------------------------------------------------------------- */

/* The values between the extremes of the type of which `equal` are the constant's. */
static struct range range_of(stoa_predicate_kind kind, struct range all, struct range equal) {
    switch (kind) {
    case STOA_PREDICATE_LESS: return (struct range){all.low, equal.low - 1};
    case STOA_PREDICATE_LESS_EQUAL: return (struct range){all.low, equal.high};
    case STOA_PREDICATE_GREATER: return (struct range){equal.high + 1, all.high};
    case STOA_PREDICATE_GREATER_EQUAL: return (struct range){equal.low, all.high};
    default: return equal;
    }
}

static struct range integers_of(const stoa_segment *segment) {
    return segment->type.values == STOA_SEGMENT_UNSIGNED ? (struct range){0, UINT64_MAX}
                                                         : (struct range){INT64_MIN, INT64_MAX};
}

static __int128 constant_of(const stoa_segment *segment, const stoa_value *value) {
    if (value->type.kind == STOA_TYPE_DECIMAL) {
        return value->decimal;
    }
    return segment->type.values == STOA_SEGMENT_UNSIGNED ? (__int128)(uint64_t)value->i : value->i;
}

/* The numbers that scaled doubles can have. They grow with what they stand for, but for units in the last
 * place of negative ones, which the corrections of segments with negative bases may have. */
static bool doubles_of(const stoa_segment *segment, struct range *out) {
    const stoa_frames *frames = &segment->frames;
    const int64_t end = INT64_C(1) << (WHOLE_BITS_MAX + frames->correction);
    const size_t bases = segment->kind == STOA_SEGMENT_LINE ? 1
                                                            : stoa_segment_frames(segment->count);
    *out = (struct range){-end, end - 1};
    if (frames->correction == 0) {
        return true;
    }
    out->low = 0;
    bool is_negative = frames->slope != 0;
    for (size_t i = 0; i < bases; i++) {
        is_negative = is_negative || stoa_load_i64(frames->bases + i * sizeof(int64_t)) < 0;
    }
    return !is_negative;
}

static double double_of(const stoa_frames *frames, int64_t number) {
    return number >> frames->correction == 0 ? 0 : stoa_frames_double(frames, number);
}

/* The first number that stands for no less than the constant, or for more. */
static int64_t bisect(const stoa_frames *frames, struct range all, double constant, bool is_more) {
    int64_t low = (int64_t)all.low, high = (int64_t)all.high + 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const double value = double_of(frames, middle);
        if (is_more ? value > constant : value >= constant) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void set_range(const struct selection *selection, const stoa_value *constant,
                      uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    const bool is_double = segment->frames.divisor != 0;
    struct range all = integers_of(segment), equal;
    if (is_double) {
        (void)doubles_of(segment, &all);
        equal.low = bisect(&segment->frames, all, constant->f, false);
        equal.high = (__int128)bisect(&segment->frames, all, constant->f, true) - 1;
    } else {
        equal.low = equal.high = constant_of(segment, constant);
    }
    struct range range = range_of(selection->leaf->kind, all, equal);
    range.low = range.low < all.low ? all.low : range.low;
    range.high = range.high > all.high ? all.high : range.high;
    if (range.low > range.high) {
        memset(bitmap, 0, stoa_bitmap_bytes(segment->count));
    } else {
        set_between(segment, (uint64_t)range.low, (uint64_t)(range.high - range.low), bitmap);
    }
}

static bool has_range(const struct selection *selection) {
    const stoa_segment *segment = selection->segment;
    const stoa_type_kind kind = selection->field->type.kind;
    struct range ignored;
    if (kind == STOA_TYPE_DOUBLE) {
        return segment->frames.divisor != 0 && doubles_of(segment, &ignored);
    }
    return kind != STOA_TYPE_FLOAT;
}

static stoa_status select_ranges(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    const stoa_predicate *leaf = selection->leaf;
    const size_t bytes = stoa_bitmap_bytes(segment->count);
    const __int128 zero = 0;
    uint8_t other[BLOCK];
    /* Constants of another type are refused, as they are with other encodings. */
    STOA_TRY(select_values(selection, &zero, NULL, 1, other));
    if (leaf->kind == STOA_PREDICATE_IN) {
        if (leaf->value_count > RANGES_MAX || bytes > sizeof other) {
            return select_blocks(selection, bitmap);
        }
        memset(bitmap, 0, bytes);
        for (int32_t i = 0; i < leaf->value_count; i++) {
            if (!leaf->values[i].is_null) {
                set_range(selection, &leaf->values[i], other);
                stoa_bits_or(bitmap, other, bytes);
            }
        }
    } else if (leaf->values[0].is_null) {
        memset(bitmap, 0, bytes);
        return STOA_OK;
    } else {
        set_range(selection, &leaf->values[0], bitmap);
    }
    if (leaf->kind == STOA_PREDICATE_NOT_EQUAL) {
        stoa_bits_not(bitmap, segment->count);
    }
    return segment->entry_count > 0 ? select_exceptions(selection, bitmap) : STOA_OK;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static stoa_status select_rows(const struct selection *selection, uint8_t *bitmap) {
    const stoa_segment *segment = selection->segment;
    uint8_t bit;
    switch (segment->kind) {
    case STOA_SEGMENT_CONSTANT:
        STOA_TRY(select_values(selection, segment->values, NULL, 1, &bit));
        stoa_bitmap_fill(bitmap, 0, segment->count, bit != 0);
        return STOA_OK;
    case STOA_SEGMENT_PLAIN:
        return select_values(selection, segment->values, NULL, segment->count, bitmap);
    case STOA_SEGMENT_DICTIONARY: return select_dictionary(selection, bitmap);
    case STOA_SEGMENT_RUNS: return select_runs(selection, bitmap);
    case STOA_SEGMENT_LINE:
    case STOA_SEGMENT_FRAMES: break;
    }
    if (segment->type.values == STOA_SEGMENT_TEXTS) {
        return select_texts(selection, bitmap);
    }
    return has_range(selection) ? select_ranges(selection, bitmap)
                                : select_blocks(selection, bitmap);
}

stoa_status stoa_segment_select(const stoa_segment *segment, const stoa_field *field,
                                const stoa_predicate *leaf, stoa_pool *pool, uint8_t *bitmap,
                                stoa_error *err) {
    const struct selection selection = {segment, field, leaf, pool, err};
    STOA_ASSERT(leaf->kind >= STOA_PREDICATE_EQUAL && leaf->kind != STOA_PREDICATE_IS_NULL &&
                leaf->kind != STOA_PREDICATE_IS_NOT_NULL);
    if (segment->count == 0) {
        return STOA_OK;
    }
    STOA_TRY(select_rows(&selection, bitmap));
    const uint32_t used = segment->count % 8;
    if (used > 0) {
        bitmap[segment->count / 8] &= (uint8_t)((1u << used) - 1);
    }
    return STOA_OK;
}
