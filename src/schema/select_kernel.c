/* Selection's loops. Sixty-four comparisons at a time go into an array of bytes, which compiles to
 * vector instructions; eight of those bytes at a time are gathered into bits by one multiplication,
 * which moves the lowest bit of byte i to bit 56 + i. */
#include "schema/select_kernel.h"
#include "base/bytes.h"

#include <string.h>

enum { BLOCK = 64 };

static void pack_block(const uint8_t *flags, uint8_t *out, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i++) {
        uint64_t eight;
        memcpy(&eight, flags + i * 8, sizeof eight);
        out[i] = (uint8_t)((eight * UINT64_C(0x0102040810204080)) >> 56);
    }
}

/* The last block is filled up with zeros. */
#define SELECT_LOOP(expression)                                                                    \
    for (int64_t start = 0; start < count; start += BLOCK) {                                       \
        int64_t here = count - start < BLOCK ? count - start : BLOCK;                              \
        uint8_t flags[BLOCK];                                                                      \
        if (here < BLOCK) {                                                                        \
            memset(flags, 0, sizeof flags);                                                        \
        }                                                                                          \
        for (int64_t i = 0; i < here; i++) {                                                       \
            flags[i] = (uint8_t)(expression);                                                      \
        }                                                                                          \
        pack_block(flags, out + start / 8, (here + 7) / 8);                                        \
    }

#define VALUE values[start + i]

#define DEFINE_SELECT(name, type)                                                                  \
    void name(const type *values, int64_t count, stoa_compare op, type constant, uint8_t *out) {   \
        switch (op) {                                                                              \
        case STOA_COMPARE_EQUAL: SELECT_LOOP(VALUE == constant) break;                             \
        case STOA_COMPARE_LESS: SELECT_LOOP(VALUE < constant) break;                               \
        case STOA_COMPARE_LESS_EQUAL: SELECT_LOOP(VALUE <= constant) break;                        \
        }                                                                                          \
    }

DEFINE_SELECT(stoa_select_i8, int8_t)
DEFINE_SELECT(stoa_select_i16, int16_t)
DEFINE_SELECT(stoa_select_i32, int32_t)
DEFINE_SELECT(stoa_select_i64, int64_t)
DEFINE_SELECT(stoa_select_u8, uint8_t)
DEFINE_SELECT(stoa_select_u16, uint16_t)
DEFINE_SELECT(stoa_select_u32, uint32_t)
DEFINE_SELECT(stoa_select_u64, uint64_t)

/* Comparisons with a NaN value are false in IEEE 754, which is right for < and <= a number. With a
 * NaN constant: equal are the NaNs, less all others, less or equal everything. */
#define DEFINE_SELECT_FLOAT(name, type)                                                            \
    void name(const type *values, int64_t count, stoa_compare op, type constant, uint8_t *out) {   \
        bool nan = constant != constant;                                                           \
        switch (op) {                                                                              \
        case STOA_COMPARE_EQUAL:                                                                   \
            if (nan) {                                                                             \
                SELECT_LOOP(VALUE != VALUE)                                                        \
            } else {                                                                               \
                SELECT_LOOP(VALUE == constant)                                                     \
            }                                                                                      \
            break;                                                                                 \
        case STOA_COMPARE_LESS:                                                                    \
            if (nan) {                                                                             \
                SELECT_LOOP(VALUE == VALUE)                                                        \
            } else {                                                                               \
                SELECT_LOOP(VALUE < constant)                                                      \
            }                                                                                      \
            break;                                                                                 \
        case STOA_COMPARE_LESS_EQUAL:                                                              \
            if (nan) {                                                                             \
                SELECT_LOOP(1)                                                                     \
            } else {                                                                               \
                SELECT_LOOP(VALUE <= constant)                                                     \
            }                                                                                      \
            break;                                                                                 \
        }                                                                                          \
    }

DEFINE_SELECT_FLOAT(stoa_select_f32, float)
DEFINE_SELECT_FLOAT(stoa_select_f64, double)

static bool holds(stoa_compare op, int order) {
    return op == STOA_COMPARE_EQUAL ? order == 0 : op == STOA_COMPARE_LESS ? order < 0 : order <= 0;
}

static int order_i128(const uint8_t *bytes, __int128 constant) {
    __int128 value;
    memcpy(&value, bytes, sizeof value);
    return (value > constant) - (value < constant);
}

void stoa_select_i128(const void *values, int64_t count, stoa_compare op, __int128 constant,
                      uint8_t *out) {
    const uint8_t *bytes = values;
    SELECT_LOOP(holds(op, order_i128(bytes + (size_t)(start + i) * 16, constant)))
}

static size_t text_size(const int32_t *offsets, int64_t index) {
    return (size_t)(offsets[index + 1] - offsets[index]);
}

/* An array of empty strings only may have no bytes at all. */
static const uint8_t *text_at(const int32_t *offsets, const uint8_t *bytes, int64_t index) {
    return bytes == NULL ? NULL : bytes + offsets[index];
}

static bool text_equal(const int32_t *offsets, const uint8_t *bytes, int64_t index,
                       const uint8_t *constant, size_t size) {
    return text_size(offsets, index) == size &&
           (size == 0 || memcmp(bytes + offsets[index], constant, size) == 0);
}

void stoa_select_text(const int32_t *offsets, const uint8_t *bytes, int64_t count, stoa_compare op,
                      const uint8_t *constant, size_t size, uint8_t *out) {
    if (op == STOA_COMPARE_EQUAL) {
        SELECT_LOOP(text_equal(offsets, bytes, start + i, constant, size))
    } else {
        SELECT_LOOP(holds(op, stoa_bytes_compare(text_at(offsets, bytes, start + i),
                                          text_size(offsets, start + i), constant, size)))
    }
}

void stoa_select_fixed(const uint8_t *values, size_t width, int64_t count, stoa_compare op,
                       const uint8_t *constant, size_t size, uint8_t *out) {
    SELECT_LOOP(holds(op, stoa_bytes_compare(values + (size_t)(start + i) * width, width, constant, size)))
}

static bool has_prefix(const int32_t *offsets, const uint8_t *bytes, int64_t index,
                       const uint8_t *prefix, size_t size) {
    return text_size(offsets, index) >= size &&
           (size == 0 || memcmp(bytes + offsets[index], prefix, size) == 0);
}

void stoa_select_prefix(const int32_t *offsets, const uint8_t *bytes, int64_t count,
                        const uint8_t *prefix, size_t size, uint8_t *out) {
    SELECT_LOOP(has_prefix(offsets, bytes, start + i, prefix, size))
}

void stoa_bits_and(uint8_t *target, const uint8_t *other, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        target[i] &= other[i];
    }
}

void stoa_bits_or(uint8_t *target, const uint8_t *other, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        target[i] |= other[i];
    }
}

void stoa_bits_not(uint8_t *target, int64_t count) {
    size_t bytes = (size_t)(count + 7) / 8;
    for (size_t i = 0; i < bytes; i++) {
        target[i] = (uint8_t)~target[i];
    }
    if ((count & 7) != 0) {
        target[bytes - 1] = (uint8_t)(target[bytes - 1] & ((1u << (count & 7)) - 1));
    }
}
