/* Conversions between layouts. Products are taken unsigned, since a null's slot may hold any bits
 * and signed overflow is undefined. */
#include "schema/conform_kernel.h"

#include <string.h>

#include "arrow/number.h"
#include "base/error.h"

#define WIDEN(from_type, to_type)                                                                  \
    do {                                                                                           \
        const from_type *in = source;                                                              \
        to_type *out = target;                                                                     \
        for (int64_t i = 0; i < count; i++) {                                                      \
            out[i] = (to_type)in[i];                                                               \
        }                                                                                          \
    } while (0)

#define DEFINE_WIDEN_FROM(name, from_type)                                                         \
    static void name(const void *source, void *target, stoa_type_kind to, int64_t count) {         \
        switch (to) {                                                                              \
        case STOA_TYPE_INT16: WIDEN(from_type, int16_t); break;                                    \
        case STOA_TYPE_INT: WIDEN(from_type, int32_t); break;                                      \
        case STOA_TYPE_LONG: WIDEN(from_type, int64_t); break;                                     \
        case STOA_TYPE_UINT16: WIDEN(from_type, uint16_t); break;                                  \
        case STOA_TYPE_UINT32: WIDEN(from_type, uint32_t); break;                                  \
        case STOA_TYPE_UINT64: WIDEN(from_type, uint64_t); break;                                  \
        case STOA_TYPE_FLOAT: WIDEN(from_type, float); break;                                      \
        default: WIDEN(from_type, double); break;                                                  \
        }                                                                                          \
    }

DEFINE_WIDEN_FROM(widen_i8, int8_t)
DEFINE_WIDEN_FROM(widen_i16, int16_t)
DEFINE_WIDEN_FROM(widen_i32, int32_t)
DEFINE_WIDEN_FROM(widen_u8, uint8_t)
DEFINE_WIDEN_FROM(widen_u16, uint16_t)
DEFINE_WIDEN_FROM(widen_u32, uint32_t)

static void widen_float(const void *source, void *target, int64_t count) {
    WIDEN(float, double);
}

static void widen_half(const uint16_t *source, void *target, stoa_type_kind to, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double value = stoa_half_to_double(source[i]);
        if (to == STOA_TYPE_FLOAT) {
            ((float *)target)[i] = (float)value;
        } else {
            ((double *)target)[i] = value;
        }
    }
}

void stoa_kernel_widen(const void *source, stoa_arrow_kind from, void *target, stoa_type_kind to,
                       int64_t count) {
    switch (from) {
    case STOA_ARROW_INT8: widen_i8(source, target, to, count); break;
    case STOA_ARROW_INT16: widen_i16(source, target, to, count); break;
    case STOA_ARROW_INT32: widen_i32(source, target, to, count); break;
    case STOA_ARROW_UINT8: widen_u8(source, target, to, count); break;
    case STOA_ARROW_UINT16: widen_u16(source, target, to, count); break;
    case STOA_ARROW_UINT32: widen_u32(source, target, to, count); break;
    case STOA_ARROW_FLOAT: widen_float(source, target, count); break;
    default:
        STOA_ASSERT(from == STOA_ARROW_FLOAT16);
        widen_half(source, target, to, count);
        break;
    }
}

void stoa_kernel_scale(const void *source, int32_t source_width, void *target, int32_t target_width,
                       int64_t factor, int64_t count) {
    STOA_ASSERT(source_width <= target_width);
    uint64_t times = (uint64_t)factor;
    for (int64_t i = 0; i < count; i++) {
        int64_t value = source_width == 4 ? ((const int32_t *)source)[i]
                                          : ((const int64_t *)source)[i];
        uint64_t scaled = (uint64_t)value * times;
        if (target_width == 4) {
            ((uint32_t *)target)[i] = (uint32_t)scaled;
        } else {
            ((uint64_t *)target)[i] = scaled;
        }
    }
}

void stoa_kernel_decimal_widen(const void *source, int32_t width, __int128 factor, void *target,
                               int64_t count) {
    const uint8_t *in = source;
    uint8_t *out = target;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *bytes = in + (size_t)i * (size_t)width;
        __int128 value = 0;
        if (width == 4) {
            int32_t narrow;
            memcpy(&narrow, bytes, sizeof narrow);
            value = narrow;
        } else if (width == 8) {
            int64_t narrow;
            memcpy(&narrow, bytes, sizeof narrow);
            value = narrow;
        } else {
            memcpy(&value, bytes, sizeof value);
        }
        unsigned __int128 scaled = (unsigned __int128)value * (unsigned __int128)factor;
        memcpy(out + (size_t)i * sizeof scaled, &scaled, sizeof scaled);
    }
}

void stoa_kernel_days(const int64_t *source, int32_t *target, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        target[i] = (int32_t)(source[i] / 86400000);
    }
}

struct month_day_nano {
    int32_t months;
    int32_t days;
    int64_t nanoseconds;
};

void stoa_kernel_interval(const void *source, stoa_arrow_kind from, void *target, int64_t count) {
    struct month_day_nano *out = target;
    const int32_t *in = source;
    for (int64_t i = 0; i < count; i++) {
        if (from == STOA_ARROW_INTERVAL_MONTHS) {
            out[i] = (struct month_day_nano){.months = in[i]};
        } else {
            out[i] = (struct month_day_nano){.days = in[2 * i],
                                             .nanoseconds = (int64_t)in[2 * i + 1] * 1000000};
        }
    }
}

void stoa_kernel_bits(const int8_t *source, uint8_t *target, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        target[i >> 3] = (uint8_t)(target[i >> 3] | ((source[i] != 0) << (i & 7)));
    }
}

void stoa_kernel_rebase_i32(const int32_t *source, int32_t *target, int64_t count) {
    for (int64_t i = 0; i <= count; i++) {
        target[i] = source[i] - source[0];
    }
}

void stoa_kernel_rebase_i64(const int64_t *source, int32_t *target, int64_t count) {
    for (int64_t i = 0; i <= count; i++) {
        target[i] = (int32_t)(source[i] - source[0]);
    }
}
