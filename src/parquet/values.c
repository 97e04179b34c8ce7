/* Most types are in Arrow what they are in Parquet and are copied, or used where they lie. Converted
 * are booleans (bits to bytes), decimals (128 bits to the width that the precision asks for),
 * timestamps in seconds (to milliseconds) and intervals (nanoseconds to milliseconds, no signs).
 *
 * Values come in the canonical layout, which stoa_batch_conform has checked; what is checked here is
 * only what Parquet cannot hold. */
#include "parquet/values.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/checked.h"

enum { INTERVAL_SOURCE_BYTES = 16, DECIMAL_SOURCE_BYTES = 16, NANOS_PER_MILLI = 1000000 };

/* Physical place of value k of what is fetched. */
#define PLACE(k) (array->offset + (indices != NULL ? indices[k] : start + (k)))

static const uint8_t *values_buffer(const struct ArrowArray *array) {
    return array->buffers[1];
}

const void *stoa_values_in_place(const stoa_leaf *leaf, const struct ArrowArray *array,
                                 int64_t start) {
    if (stoa_leaf_has_views(leaf) || leaf->value_class == STOA_LEAF_NULL ||
        leaf->value_class == STOA_LEAF_BOOL || leaf->multiplier != 1 ||
        leaf->field->type.kind == STOA_TYPE_DECIMAL || array->length == 0) {
        return NULL;
    }
    return values_buffer(array) + (size_t)(array->offset + start) * (size_t)leaf->value_width;
}

#define GATHER(TYPE)                                                                               \
    do {                                                                                           \
        const TYPE *source = (const TYPE *)(const void *)values_buffer(array) + array->offset;     \
        TYPE *target = (TYPE *)out;                                                                \
        for (int64_t k = 0; k < count; k++) {                                                      \
            target[k] = source[indices[k]];                                                        \
        }                                                                                          \
    } while (0)

static void fetch_plain(const struct ArrowArray *array, int32_t width, const int64_t *indices,
                        int64_t start, int64_t count, void *out) {
    if (indices == NULL) {
        memcpy(out, values_buffer(array) + (size_t)(array->offset + start) * (size_t)width,
               (size_t)count * (size_t)width);
        return;
    }
    switch (width) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    default: GATHER(uint64_t); break;
    }
}

static void fetch_bools(const struct ArrowArray *array, const int64_t *indices, int64_t start,
                        int64_t count, uint8_t *out) {
    const uint8_t *bits = values_buffer(array);
    for (int64_t k = 0; k < count; k++) {
        out[k] = stoa_bit_get(bits, PLACE(k));
    }
}

static bool fetch_scaled(const stoa_leaf *leaf, const struct ArrowArray *array,
                         const int64_t *indices, int64_t start, int64_t count, int64_t *out,
                         int64_t *out_bad) {
    const uint8_t *source = values_buffer(array);
    for (int64_t k = 0; k < count; k++) {
        if (!stoa_mul_i64(stoa_load_i64(source + 8 * PLACE(k)), leaf->multiplier, &out[k])) {
            *out_bad = k;
            return false;
        }
    }
    return true;
}

static __int128 load_i128(const void *bytes) {
    __int128 value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool fetch_small_decimals(const stoa_leaf *leaf, const struct ArrowArray *array,
                                 const int64_t *indices, int64_t start, int64_t count, void *out,
                                 int64_t *out_bad) {
    const uint8_t *source = values_buffer(array);
    for (int64_t k = 0; k < count; k++) {
        const __int128 value = load_i128(source + DECIMAL_SOURCE_BYTES * PLACE(k));
        const int64_t narrow = (int64_t)value;
        if (narrow != value || (leaf->value_width == 4 && (int32_t)narrow != narrow)) {
            *out_bad = k;
            return false;
        }
        if (leaf->value_width == 4) {
            ((int32_t *)out)[k] = (int32_t)narrow;
        } else {
            ((int64_t *)out)[k] = narrow;
        }
    }
    return true;
}

/* Big-endian, the lowest `width` bytes; false when the bytes cut off are not only the sign. */
static bool put_decimal(__int128 value, int32_t width, uint8_t *out) {
    for (int32_t i = width; i-- > 0;) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
    return value == ((out[0] & 0x80) != 0 ? -1 : 0);
}

/* Months, days, milliseconds, each an unsigned little-endian 32-bit number: what Parquet's INTERVAL
 * cannot hold is refused, never rounded. */
static bool put_interval(const uint8_t *source, uint8_t *out) {
    const int32_t months = stoa_load_i32(source);
    const int32_t days = stoa_load_i32(source + 4);
    const int64_t nanos = stoa_load_i64(source + 8);
    if (months < 0 || days < 0 || nanos < 0 || nanos % NANOS_PER_MILLI != 0 ||
        nanos / NANOS_PER_MILLI > UINT32_MAX) {
        return false;
    }
    stoa_store_u32(out, (uint32_t)months);
    stoa_store_u32(out + 4, (uint32_t)days);
    stoa_store_u32(out + 8, (uint32_t)(nanos / NANOS_PER_MILLI));
    return true;
}

/* The bytes may move while they grow, so they are kept by offset: a view's pointer is set at the
 * end, by stoa_leaf_values_collect, for the classes that convert. */
static stoa_status fetch_converted(stoa_leaf_values *values, const stoa_leaf *leaf,
                                   const struct ArrowArray *array, const int64_t *indices,
                                   int64_t start, int64_t count, int64_t *out_bad,
                                   stoa_error *err) {
    const uint8_t *source = values_buffer(array);
    const size_t width = (size_t)leaf->type_length;
    STOA_TRY(stoa_buffer_reserve(&values->bytes, (size_t)count * width, err));
    for (int64_t k = 0; k < count; k++) {
        uint8_t *out = values->bytes.data + values->bytes.size;
        bool fits;
        if (leaf->value_class == STOA_LEAF_FIXED_SIGNED) {
            fits = put_decimal(load_i128(source + DECIMAL_SOURCE_BYTES * PLACE(k)),
                               leaf->type_length, out);
        } else {
            fits = put_interval(source + INTERVAL_SOURCE_BYTES * PLACE(k), out);
        }
        if (!fits) {
            *out_bad = k;
            return STOA_INVALID;
        }
        values->bytes.size += width;
    }
    return STOA_OK;
}

static void fetch_views(const stoa_leaf *leaf, const struct ArrowArray *array,
                        const int64_t *indices, int64_t start, int64_t count,
                        stoa_bytes_view *out) {
    if (leaf->value_class == STOA_LEAF_FIXED) {
        const uint8_t *source = values_buffer(array);
        const size_t width = (size_t)leaf->type_length;
        for (int64_t k = 0; k < count; k++) {
            out[k] = (stoa_bytes_view){source + (size_t)PLACE(k) * width, width};
        }
        return;
    }
    const int32_t *offsets = array->buffers[1];
    const uint8_t *source = array->buffers[2];
    for (int64_t k = 0; k < count; k++) {
        const int64_t place = PLACE(k);
        const int32_t begin = offsets[place];
        const size_t size = (size_t)(offsets[place + 1] - begin);
        out[k] = (stoa_bytes_view){size > 0 ? source + begin : (const uint8_t *)"", size};
    }
}

stoa_status stoa_values_fetch(stoa_leaf_values *values, const stoa_leaf *leaf,
                              const struct ArrowArray *array, const int64_t *indices, int64_t start,
                              int64_t count, int64_t *out_bad, stoa_error *err) {
    if (count == 0 || leaf->value_class == STOA_LEAF_NULL) {
        return STOA_OK;
    }
    if (leaf->value_class == STOA_LEAF_FIXED_SIGNED ||
        leaf->value_class == STOA_LEAF_FIXED_NO_ORDER) {
        return fetch_converted(values, leaf, array, indices, start, count, out_bad, err);
    }
    stoa_buffer *target = &values->data_buffer;
    const size_t width =
        stoa_leaf_has_views(leaf) ? sizeof(stoa_bytes_view) : (size_t)leaf->value_width;
    STOA_TRY(stoa_buffer_reserve(target, (size_t)count * width, err));
    void *out = target->data + target->size;
    bool fits = true;
    if (stoa_leaf_has_views(leaf)) {
        fetch_views(leaf, array, indices, start, count, out);
    } else if (leaf->value_class == STOA_LEAF_BOOL) {
        fetch_bools(array, indices, start, count, out);
    } else if (leaf->field->type.kind == STOA_TYPE_DECIMAL) {
        fits = fetch_small_decimals(leaf, array, indices, start, count, out, out_bad);
    } else if (leaf->multiplier != 1) {
        fits = fetch_scaled(leaf, array, indices, start, count, out, out_bad);
    } else {
        fetch_plain(array, leaf->value_width, indices, start, count, out);
    }
    target->size += (size_t)count * width;
    return fits ? STOA_OK : STOA_INVALID;
}
