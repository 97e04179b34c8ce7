/* Bounds are compiled twice: baseline x86-64 has no comparison of 64-bit integers. */
#include "lsm/key_kernel.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/cpu.h"
#include "base/error.h"

#if defined(__x86_64__)
#include "codec/bitpack_avx512.h"
#endif

enum { DECIMAL_32_DIGITS = 9, DECIMAL_64_DIGITS = 18, DECIMAL_BYTES = 16 };

uint8_t stoa_key_width(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return 1;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DATE: return 4;
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_DOUBLE:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return 8;
    case STOA_TYPE_TIME: return type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8;
    case STOA_TYPE_DECIMAL:
        return type->precision <= DECIMAL_32_DIGITS   ? 4
               : type->precision <= DECIMAL_64_DIGITS ? 8
                                                      : DECIMAL_BYTES;
    case STOA_TYPE_UNKNOWN:
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: break;
    }
    return 0;
}

/* ---- Numbers from values --------------------------------------------------------------------- */

#define INLINE __attribute__((always_inline)) static inline

/* From what one value's number is: those of all, and the bounds of all. */
#define FROM_VALUES(name, type, number_type)                                                       \
    static void name(const void *data, int64_t at, int64_t count, uint64_t *out) {                 \
        const type *values = (const type *)data + at;                                              \
        for (int64_t i = 0; i < count; i++) {                                                      \
            out[i] = name##_number(values[i]);                                                     \
        }                                                                                          \
    }                                                                                              \
    INLINE void name##_bounds(const void *data, int64_t at, int64_t count, uint64_t bounds[2]) {   \
        const type *values = (const type *)data + at;                                              \
        number_type least = (number_type)-1, greatest = 0;                                         \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const number_type number = name##_number(values[i]);                                   \
            least = number < least ? number : least;                                               \
            greatest = number > greatest ? number : greatest;                                      \
        }                                                                                          \
        bounds[0] = least;                                                                         \
        bounds[1] = greatest;                                                                      \
    }

/* Signed numbers begin with the least: the sign bit is flipped. */
#define FROM_INTEGERS(name, type, unsigned_type, flip)                                             \
    INLINE unsigned_type name##_number(type value) {                                               \
        return (unsigned_type)((unsigned_type)value ^ (unsigned_type)(flip));                      \
    }                                                                                              \
    FROM_VALUES(name, type, unsigned_type)                                                         \
    static void name##_back(const uint64_t *numbers, int64_t count, void *out) {                   \
        type *values = out;                                                                        \
        for (int64_t i = 0; i < count; i++) {                                                      \
            values[i] = (type)((unsigned_type)numbers[i] ^ (unsigned_type)(flip));                 \
        }                                                                                          \
    }
FROM_INTEGERS(i8, int8_t, uint8_t, 1u << 7)
FROM_INTEGERS(i16, int16_t, uint16_t, 1u << 15)
FROM_INTEGERS(i32, int32_t, uint32_t, UINT32_C(1) << 31)
FROM_INTEGERS(i64, int64_t, uint64_t, UINT64_C(1) << 63)
FROM_INTEGERS(u8, uint8_t, uint8_t, 0)
FROM_INTEGERS(u16, uint16_t, uint16_t, 0)
FROM_INTEGERS(u32, uint32_t, uint32_t, 0)
FROM_INTEGERS(u64, uint64_t, uint64_t, 0)

/* Of two negative floats the one with the greater bits is the lesser, so all their bits are flipped. */
#define FROM_FLOATS(name, type, bits_type, sign)                                                   \
    INLINE bits_type name##_number(type given) {                                                   \
        const type value = isnan(given) ? (type)NAN : given == 0 ? 0 : given;                      \
        bits_type bits;                                                                            \
        memcpy(&bits, &value, sizeof bits);                                                        \
        bits = isnan(value) ? bits & ~(sign) : bits;                                               \
        return (bits & (sign)) != 0 ? (bits_type)~bits : bits | (sign);                            \
    }                                                                                              \
    FROM_VALUES(name, type, bits_type)                                                             \
    static void name##_back(const uint64_t *numbers, int64_t count, void *out) {                   \
        uint8_t *values = out;                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const bits_type number = (bits_type)numbers[i];                                        \
            const bits_type bits = (number & (sign)) != 0 ? number & ~(sign) : (bits_type)~number; \
            memcpy(values + (size_t)i * sizeof bits, &bits, sizeof bits);                          \
        }                                                                                          \
    }
FROM_FLOATS(f32, float, uint32_t, UINT32_C(1) << 31)
FROM_FLOATS(f64, double, uint64_t, UINT64_C(1) << 63)

static void booleans(const uint8_t *bits, int64_t at, int64_t count, uint64_t *out) {
    for (int64_t i = 0; i < count; i++) {
        out[i] = stoa_bit_get(bits, at + i);
    }
}

/* Little-endian, 16 bytes a value, of which the lower ones hold it. */
static void decimals(const uint8_t *data, int64_t at, int64_t count, bool wide, uint64_t *out) {
    for (int64_t i = 0; i < count; i++) {
        uint64_t low;
        memcpy(&low, data + (size_t)(at + i) * DECIMAL_BYTES, sizeof low);
        out[i] = wide ? low ^ UINT64_C(1) << 63 : (uint32_t)low ^ UINT32_C(1) << 31;
    }
}

static void decimals_back(const uint64_t *numbers, int64_t count, bool wide, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t low = wide ? (int64_t)(numbers[i] ^ UINT64_C(1) << 63)
                                 : (int32_t)((uint32_t)numbers[i] ^ UINT32_C(1) << 31);
        const __int128 value = low;
        memcpy(out + (size_t)i * DECIMAL_BYTES, &value, sizeof value);
    }
}

void stoa_key_numbers(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                      int64_t count, uint64_t *out) {
    const void *data = array->buffers[1];
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: booleans(data, at, count, out); break;
    case STOA_TYPE_INT8: i8(data, at, count, out); break;
    case STOA_TYPE_INT16: i16(data, at, count, out); break;
    case STOA_TYPE_UINT8: u8(data, at, count, out); break;
    case STOA_TYPE_UINT16: u16(data, at, count, out); break;
    case STOA_TYPE_UINT32: u32(data, at, count, out); break;
    case STOA_TYPE_UINT64: u64(data, at, count, out); break;
    case STOA_TYPE_FLOAT: f32(data, at, count, out); break;
    case STOA_TYPE_DOUBLE: f64(data, at, count, out); break;
    case STOA_TYPE_DECIMAL: decimals(data, at, count, stoa_key_width(type) == 8, out); break;
    default:
        if (stoa_key_width(type) == 4) {
            i32(data, at, count, out);
        } else {
            i64(data, at, count, out);
        }
        break;
    }
}

/* Of booleans and decimals: by way of their numbers. */
static void other_bounds(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                         int64_t count, uint64_t bounds[2]) {
    enum { BLOCK = 256 };
    uint64_t numbers[BLOCK], some[2];
    bounds[0] = UINT64_MAX;
    bounds[1] = 0;
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int64_t rows = count - done < BLOCK ? count - done : BLOCK;
        stoa_key_numbers(type, array, at + done, rows, numbers);
        u64_bounds(numbers, 0, rows, some);
        bounds[0] = some[0] < bounds[0] ? some[0] : bounds[0];
        bounds[1] = some[1] > bounds[1] ? some[1] : bounds[1];
    }
}

INLINE void bounds_of(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                      int64_t count, uint64_t bounds[2]) {
    const void *data = array->buffers[1];
    switch (type->kind) {
    case STOA_TYPE_INT8: i8_bounds(data, at, count, bounds); break;
    case STOA_TYPE_INT16: i16_bounds(data, at, count, bounds); break;
    case STOA_TYPE_UINT8: u8_bounds(data, at, count, bounds); break;
    case STOA_TYPE_UINT16: u16_bounds(data, at, count, bounds); break;
    case STOA_TYPE_UINT32: u32_bounds(data, at, count, bounds); break;
    case STOA_TYPE_UINT64: u64_bounds(data, at, count, bounds); break;
    case STOA_TYPE_FLOAT: f32_bounds(data, at, count, bounds); break;
    case STOA_TYPE_DOUBLE: f64_bounds(data, at, count, bounds); break;
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_DECIMAL: other_bounds(type, array, at, count, bounds); break;
    default:
        if (stoa_key_width(type) == 4) {
            i32_bounds(data, at, count, bounds);
        } else {
            i64_bounds(data, at, count, bounds);
        }
        break;
    }
}

#if defined(__x86_64__)
STOA_AVX512 static void bounds_avx512(const stoa_type *type, const struct ArrowArray *array,
                                      int64_t at, int64_t count, uint64_t bounds[2]) {
    bounds_of(type, array, at, count, bounds);
}
#endif

void stoa_key_bounds(const stoa_type *type, const struct ArrowArray *array, int64_t at,
                     int64_t count, uint64_t bounds[2]) {
    STOA_ASSERT(count > 0);
#if defined(__x86_64__)
    if (stoa_cpu_level() == STOA_CPU_AVX512) {
        bounds_avx512(type, array, at, count, bounds);
        return;
    }
#endif
    bounds_of(type, array, at, count, bounds);
}

void stoa_key_values(const stoa_type *type, const uint64_t *numbers, int64_t count, uint8_t *out) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
        memset(out, 0, stoa_bitmap_bytes(count));
        for (int64_t i = 0; i < count; i++) {
            stoa_bit_put(out, i, numbers[i] != 0);
        }
        break;
    case STOA_TYPE_INT8: i8_back(numbers, count, out); break;
    case STOA_TYPE_INT16: i16_back(numbers, count, out); break;
    case STOA_TYPE_UINT8: u8_back(numbers, count, out); break;
    case STOA_TYPE_UINT16: u16_back(numbers, count, out); break;
    case STOA_TYPE_UINT32: u32_back(numbers, count, out); break;
    case STOA_TYPE_UINT64: u64_back(numbers, count, out); break;
    case STOA_TYPE_FLOAT: f32_back(numbers, count, out); break;
    case STOA_TYPE_DOUBLE: f64_back(numbers, count, out); break;
    case STOA_TYPE_DECIMAL: decimals_back(numbers, count, stoa_key_width(type) == 8, out); break;
    default:
        if (stoa_key_width(type) == 4) {
            i32_back(numbers, count, out);
        } else {
            i64_back(numbers, count, out);
        }
        break;
    }
}

bool stoa_key_numbers_valid(const stoa_type *type, const uint64_t *numbers, int64_t count) {
    if (type->kind == STOA_TYPE_BOOLEAN) {
        uint64_t all = 0;
        for (int64_t i = 0; i < count; i++) {
            all |= numbers[i];
        }
        return all <= 1;
    }
    if (type->kind == STOA_TYPE_DECIMAL) {
        int64_t bound = 1;
        for (int32_t i = 0; i < type->precision; i++) {
            bound *= 10;
        }
        const bool wide = stoa_key_width(type) == 8;
        for (int64_t i = 0; i < count; i++) {
            const int64_t value = wide ? (int64_t)(numbers[i] ^ UINT64_C(1) << 63)
                                       : (int32_t)((uint32_t)numbers[i] ^ UINT32_C(1) << 31);
            if (value <= -bound || value >= bound) {
                return false;
            }
        }
    }
    return true;
}
