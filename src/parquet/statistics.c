/* Orders: integers signed or unsigned as their type says, floats by value without NaN, decimals in
 * bytes by sign and then by bytes, everything else in bytes by unsigned bytes. Intervals have no
 * order and get no bounds.
 *
 * A string or binary longer than STOA_BOUND_BYTES is cut: the lower bound is its beginning, the
 * upper one its beginning with the last unit raised (a code point for strings, so that the bound is
 * UTF-8 too; a byte for binaries). Fixed-length values must have their length, so long ones get
 * none. */
#include "parquet/statistics.h"


#include "base/bytes.h"
#include "parquet/statistics_kernel.h"

/* The sign bit turned over makes two's complement sort as unsigned bytes do. */
static int compare_signed(const uint8_t *left, const uint8_t *right, size_t size) {
    const uint8_t left_first = left[0] ^ 0x80;
    const uint8_t right_first = right[0] ^ 0x80;
    if (left_first != right_first) {
        return left_first < right_first ? -1 : 1;
    }
    return memcmp(left + 1, right + 1, size - 1);
}

int stoa_views_compare(stoa_leaf_class value_class, const stoa_bytes_view *left,
                       const stoa_bytes_view *right) {
    return value_class == STOA_LEAF_FIXED_SIGNED
               ? compare_signed(left->data, right->data, left->size)
               : stoa_bytes_compare(left->data, left->size, right->data, right->size);
}

static void set_bound(stoa_bound *bound, const void *bytes, size_t size) {
    bound->state = STOA_BOUND_EXACT;
    bound->size = (uint32_t)size;
    memcpy(bound->bytes, bytes, size);
}

/* ---- Cutting --------------------------------------------------------------------------------- */

static bool raise_binary(stoa_bound *bound) {
    while (bound->size > 0 && bound->bytes[bound->size - 1] == 0xFF) {
        bound->size--;
    }
    if (bound->size == 0) {
        return false;
    }
    bound->bytes[bound->size - 1]++;
    return true;
}

static size_t utf8_start(const stoa_bound *bound) {
    size_t at = bound->size - 1;
    while (at > 0 && (bound->bytes[at] & 0xC0) == 0x80) {
        at--;
    }
    return at;
}

static uint32_t utf8_decode(const uint8_t *bytes, size_t size) {
    if (size == 1) {
        return bytes[0];
    }
    uint32_t point = bytes[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        point = point << 6 | (bytes[i] & 0x3Fu);
    }
    return point;
}

static size_t utf8_encode(uint32_t point, uint8_t *out) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    const size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1;) {
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (uint8_t)((0xF00u >> size) | point);
    return size;
}

/* The last code point becomes the next one; where there is none (U+10FFFF) it goes and the one
 * before is raised. */
static bool raise_utf8(stoa_bound *bound) {
    while (bound->size > 0) {
        const size_t at = utf8_start(bound);
        const size_t size = bound->size - at;
        uint32_t point = utf8_decode(bound->bytes + at, size);
        uint8_t next[4];
        if (point < 0x10FFFF) {
            point = point == 0xD7FF ? 0xE000 : point + 1;
            const size_t next_size = utf8_encode(point, next);
            if (at + next_size <= STOA_BOUND_BYTES) {
                memcpy(bound->bytes + at, next, next_size);
                bound->size = (uint32_t)(at + next_size);
                return true;
            }
        }
        bound->size = (uint32_t)at;
    }
    return false;
}

static void set_bytes_bound(const stoa_leaf *leaf, stoa_bound *bound, const stoa_bytes_view *value,
                            bool upper) {
    if (value->size <= STOA_BOUND_BYTES) {
        set_bound(bound, value->data, value->size);
        return;
    }
    if (leaf->value_class != STOA_LEAF_BYTES) {
        bound->state = STOA_BOUND_UNKNOWN;
        return;
    }
    const bool text = leaf->field->type.kind == STOA_TYPE_STRING;
    set_bound(bound, value->data, STOA_BOUND_BYTES);
    bound->state = STOA_BOUND_CUT;
    if (text && (value->data[STOA_BOUND_BYTES] & 0xC0) == 0x80) {
        bound->size = (uint32_t)utf8_start(bound); /* never inside a code point */
    }
    if (upper && !(text ? raise_utf8(bound) : raise_binary(bound))) {
        bound->state = STOA_BOUND_UNKNOWN;
        bound->size = 0;
    }
}

/* ---- Extremes -------------------------------------------------------------------------------- */

static void views_extremes(const stoa_leaf *leaf, const stoa_bytes_view *values, int64_t count,
                           stoa_leaf_statistics *out) {
    /* Geometries have no order either. */
    if (leaf->value_class == STOA_LEAF_FIXED_NO_ORDER || leaf->field->extension != NULL) {
        out->min.state = out->max.state = STOA_BOUND_UNKNOWN;
        return;
    }
    const stoa_bytes_view *min = &values[0];
    const stoa_bytes_view *max = &values[0];
    for (int64_t i = 1; i < count; i++) {
        if (stoa_views_compare(leaf->value_class, &values[i], min) < 0) {
            min = &values[i];
        } else if (stoa_views_compare(leaf->value_class, &values[i], max) > 0) {
            max = &values[i];
        }
    }
    set_bytes_bound(leaf, &out->min, min, false);
    set_bytes_bound(leaf, &out->max, max, true);
}

/* Narrow integers are 32 bits in the file. */
#define NARROW_EXTREMES(NAME, TYPE)                                                                \
    do {                                                                                           \
        TYPE min, max;                                                                             \
        stoa_min_max_##NAME(values, count, &min, &max);                                            \
        const int32_t wide_min = min, wide_max = max;                                              \
        set_bound(&out->min, &wide_min, sizeof wide_min);                                          \
        set_bound(&out->max, &wide_max, sizeof wide_max);                                          \
    } while (0)
#define EXTREMES(NAME, TYPE)                                                                       \
    do {                                                                                           \
        TYPE min, max;                                                                             \
        stoa_min_max_##NAME(values, count, &min, &max);                                            \
        set_bound(&out->min, &min, sizeof min);                                                    \
        set_bound(&out->max, &max, sizeof max);                                                    \
    } while (0)
#define FLOAT_EXTREMES(NAME, TYPE)                                                                 \
    do {                                                                                           \
        TYPE min, max;                                                                             \
        if (stoa_min_max_##NAME(values, count, &min, &max, &out->has_nan)) {                       \
            set_bound(&out->min, &min, sizeof min);                                                \
            set_bound(&out->max, &max, sizeof max);                                                \
        }                                                                                          \
    } while (0)

static void numbers_extremes(const stoa_leaf *leaf, const void *values, int64_t count,
                             stoa_leaf_statistics *out) {
    switch (leaf->value_class) {
    case STOA_LEAF_I8: NARROW_EXTREMES(i8, int8_t); break;
    case STOA_LEAF_U8: NARROW_EXTREMES(u8, uint8_t); break;
    case STOA_LEAF_I16: NARROW_EXTREMES(i16, int16_t); break;
    case STOA_LEAF_U16: NARROW_EXTREMES(u16, uint16_t); break;
    case STOA_LEAF_BOOL: EXTREMES(u8, uint8_t); break;
    case STOA_LEAF_I32: EXTREMES(i32, int32_t); break;
    case STOA_LEAF_U32: EXTREMES(u32, uint32_t); break;
    case STOA_LEAF_I64: EXTREMES(i64, int64_t); break;
    case STOA_LEAF_U64: EXTREMES(u64, uint64_t); break;
    case STOA_LEAF_FLOAT: FLOAT_EXTREMES(float, float); break;
    case STOA_LEAF_DOUBLE: FLOAT_EXTREMES(double, double); break;
    default: break;
    }
}

void stoa_statistics_of_values(const stoa_leaf *leaf, const void *values, int64_t value_count,
                               int64_t level_count, stoa_leaf_statistics *out) {
    memset(out, 0, sizeof *out);
    out->level_count = level_count;
    out->null_count = level_count - value_count;
    if (value_count == 0) {
        return;
    }
    if (stoa_leaf_has_views(leaf)) {
        views_extremes(leaf, values, value_count, out);
    } else {
        numbers_extremes(leaf, values, value_count, out);
    }
}

/* ---- Bounds of several row groups ------------------------------------------------------------ */

#define COMPARE_AS(TYPE)                                                                           \
    do {                                                                                           \
        TYPE a, b;                                                                                 \
        memcpy(&a, left->bytes, sizeof a);                                                         \
        memcpy(&b, right->bytes, sizeof b);                                                        \
        return (a > b) - (a < b);                                                                  \
    } while (0)

static int compare_bounds(stoa_leaf_class value_class, const stoa_bound *left,
                          const stoa_bound *right) {
    switch (value_class) {
    case STOA_LEAF_BOOL: COMPARE_AS(uint8_t);
    case STOA_LEAF_I8:
    case STOA_LEAF_I16:
    case STOA_LEAF_U8:
    case STOA_LEAF_U16:
    case STOA_LEAF_I32: COMPARE_AS(int32_t);
    case STOA_LEAF_U32: COMPARE_AS(uint32_t);
    case STOA_LEAF_I64: COMPARE_AS(int64_t);
    case STOA_LEAF_U64: COMPARE_AS(uint64_t);
    case STOA_LEAF_FLOAT: COMPARE_AS(float);
    case STOA_LEAF_DOUBLE: COMPARE_AS(double);
    case STOA_LEAF_FIXED_SIGNED: return compare_signed(left->bytes, right->bytes, left->size);
    default: return stoa_bytes_compare(left->bytes, left->size, right->bytes, right->size);
    }
}

int stoa_bound_compare(const stoa_leaf *leaf, const stoa_bound *left, const stoa_bound *right) {
    return compare_bounds(leaf->value_class, left, right);
}

/* Of equal bounds one that is a value is the better. */
static void merge_bound(const stoa_leaf *leaf, stoa_bound *total, const stoa_bound *part,
                        int wanted) {
    if (part->state == STOA_BOUND_NONE || total->state == STOA_BOUND_UNKNOWN) {
        return;
    }
    if (total->state == STOA_BOUND_NONE || part->state == STOA_BOUND_UNKNOWN) {
        *total = *part;
        return;
    }
    const int order = compare_bounds(leaf->value_class, part, total) * wanted;
    if (order > 0 || (order == 0 && part->state == STOA_BOUND_EXACT)) {
        *total = *part;
    }
}

void stoa_statistics_merge(const stoa_leaf *leaf, stoa_leaf_statistics *total,
                           const stoa_leaf_statistics *part) {
    total->level_count += part->level_count;
    total->null_count += part->null_count;
    total->has_nan = total->has_nan || part->has_nan;
    total->distinct_known = false;
    merge_bound(leaf, &total->min, &part->min, -1);
    merge_bound(leaf, &total->max, &part->max, 1);
}

void stoa_statistics_write(stoa_thrift_writer *writer, int16_t id,
                           const stoa_leaf_statistics *statistics) {
    static const stoa_bound none = {.state = STOA_BOUND_NONE};
    const stoa_bound *min = statistics->has_nan ? &none : &statistics->min;
    const stoa_bound *max = statistics->has_nan ? &none : &statistics->max;
    stoa_thrift_begin_struct(writer, id);
    stoa_thrift_write_i64(writer, 3, statistics->null_count);
    if (statistics->distinct_known) {
        stoa_thrift_write_i64(writer, 4, statistics->distinct_count);
    }
    if (stoa_bound_is_known(max)) {
        stoa_thrift_write_binary(writer, 5, max->bytes, max->size);
    }
    if (stoa_bound_is_known(min)) {
        stoa_thrift_write_binary(writer, 6, min->bytes, min->size);
    }
    if (stoa_bound_is_known(max)) {
        stoa_thrift_write_bool(writer, 7, max->state == STOA_BOUND_EXACT);
    }
    if (stoa_bound_is_known(min)) {
        stoa_thrift_write_bool(writer, 8, min->state == STOA_BOUND_EXACT);
    }
    stoa_thrift_end_struct(writer);
}

/* ---- As constants ---------------------------------------------------------------------------- */

static __int128 decimal_of(const uint8_t *bytes, uint32_t size) {
    __int128 value = (bytes[0] & 0x80) != 0 ? -1 : 0;
    for (uint32_t i = 0; i < size; i++) {
        value = (__int128)((unsigned __int128)value << 8 | bytes[i]);
    }
    return value;
}

static int64_t integer_of(const stoa_leaf *leaf, const stoa_bound *bound) {
    if (bound->size == 1) {
        return bound->bytes[0];
    }
    if (bound->size == 8) {
        return stoa_load_i64(bound->bytes) / leaf->multiplier;
    }
    const uint32_t bits = stoa_load_u32(bound->bytes);
    return leaf->value_class == STOA_LEAF_U32 ? (int64_t)bits : (int32_t)bits;
}

stoa_status stoa_statistics_value(const stoa_leaf *leaf, const stoa_bound *bound,
                                  stoa_arena *arena, const stoa_value **out, stoa_error *err) {
    *out = NULL;
    if (!stoa_bound_is_known(bound)) {
        return STOA_OK;
    }
    void *memory;
    STOA_TRY(stoa_arena_allocate(arena, sizeof(stoa_value), &memory, err));
    stoa_value *value = memory;
    value->type = leaf->field->type;
    value->type.children = NULL; /* a leaf has none; the schema may go before the bound does */
    if (leaf->value_class == STOA_LEAF_FLOAT) {
        float narrow;
        memcpy(&narrow, bound->bytes, sizeof narrow);
        value->f = (double)narrow;
    } else if (leaf->value_class == STOA_LEAF_DOUBLE) {
        memcpy(&value->f, bound->bytes, sizeof value->f);
    } else if (leaf->value_class == STOA_LEAF_FIXED_SIGNED) {
        value->decimal = decimal_of(bound->bytes, bound->size);
    } else if (stoa_leaf_has_views(leaf)) {
        const char *bytes;
        STOA_TRY(stoa_arena_copy_text(arena, (const char *)bound->bytes, bound->size, &bytes, err));
        value->bytes = (const uint8_t *)bytes;
        value->size = bound->size;
    } else {
        value->i = integer_of(leaf, bound);
        value->decimal = value->i;
    }
    *out = value;
    return STOA_OK;
}
