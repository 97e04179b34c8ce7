/* Kernels from DuckDB's fixed-width forms to Arrow's: widening of decimals, units of time, uuids.
 * Integers, floats, dates and plain timestamps are the same bytes on both sides. */
#include "sql/duckdb_convert.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"

#define MICROS_PER_DAY INT64_C(86400000000)

static bool is_valid(const struct conversion *c, int64_t i) {
    int64_t row = c->offset + i;
    return c->mask == NULL || (c->mask[row / 64] >> (row % 64) & 1) != 0;
}

bool stoa_sql_type_has_offsets(const stoa_type *type) {
    return type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY ||
           type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_MAP;
}

size_t stoa_sql_type_arrow_width(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return 1;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DATE: return 4;
    case STOA_TYPE_TIME: return type->unit <= STOA_TYPE_MILLISECONDS ? 4 : 8;
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_DOUBLE:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return 8;
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_UUID: return 16;
    case STOA_TYPE_FIXED: return (size_t)type->length;
    default: return 0;
    }
}

static void put_i128(uint8_t *out, int64_t index, __int128 value) {
    memcpy(out + 16 * index, &value, sizeof value);
}

static void widen_decimals(const struct conversion *c, const void *values, uint8_t *out) {
    switch (c->stored_id) {
    case DUCKDB_TYPE_SMALLINT:
        for (int64_t i = 0; i < c->count; i++) {
            put_i128(out, i, ((const int16_t *)values)[c->offset + i]);
        }
        break;
    case DUCKDB_TYPE_INTEGER:
        for (int64_t i = 0; i < c->count; i++) {
            put_i128(out, i, ((const int32_t *)values)[c->offset + i]);
        }
        break;
    case DUCKDB_TYPE_BIGINT:
        for (int64_t i = 0; i < c->count; i++) {
            put_i128(out, i, ((const int64_t *)values)[c->offset + i]);
        }
        break;
    default: memcpy(out, (const uint8_t *)values + 16 * c->offset, 16 * (size_t)c->count); break;
    }
}

/* 10^38 - 1, the most that 38 digits hold. */
static __int128 decimal_max(void) {
    __int128 max = 1;
    for (int i = 0; i < 38; i++) {
        max *= 10;
    }
    return max - 1;
}

static stoa_status narrow_huge(const struct conversion *c, const uint8_t *values, uint8_t *out,
                               stoa_error *err) {
    __int128 max = decimal_max();
    for (int64_t i = 0; i < c->count; i++) {
        __int128 value;
        memcpy(&value, values + 16 * (c->offset + i), sizeof value);
        /* An unsigned value of 2^127 and up looks negative here. */
        bool fits = value <= max &&
                    (c->engine_id == DUCKDB_TYPE_UHUGEINT ? value >= 0 : value >= -max);
        if (!fits && is_valid(c, i)) {
            return stoa_fail(
                err, STOA_INVALID,
                "a huge integer has more than 38 digits: cast it to VARCHAR or DOUBLE");
        }
        put_i128(out, i, value);
    }
    return STOA_OK;
}

static void unflip_uuids(const struct conversion *c, const duckdb_hugeint *values, uint8_t *out) {
    for (int64_t i = 0; i < c->count; i++) {
        const duckdb_hugeint *value = &values[c->offset + i];
        uint64_t high = __builtin_bswap64((uint64_t)value->upper ^ UINT64_C(1) << 63);
        uint64_t low = __builtin_bswap64(value->lower);
        memcpy(out + 16 * i, &high, 8);
        memcpy(out + 16 * i + 8, &low, 8);
    }
}

static int64_t floor_divide(int64_t value, int64_t divisor) {
    return value / divisor - (value % divisor < 0);
}

/* From microseconds. Coarser units round down. */
static bool from_micros(int64_t micros, stoa_type_unit unit, int64_t *out) {
    switch (unit) {
    case STOA_TYPE_SECONDS: *out = floor_divide(micros, 1000000); return true;
    case STOA_TYPE_MILLISECONDS: *out = floor_divide(micros, 1000); return true;
    case STOA_TYPE_MICROSECONDS: *out = micros; return true;
    case STOA_TYPE_NANOSECONDS: return stoa_mul_i64(micros, 1000, out);
    }
    return false;
}

static stoa_status fail_range(const struct conversion *c, int64_t micros, stoa_error *err) {
    char name[64];
    stoa_type_print(c->type, name, sizeof name);
    return stoa_fail(err, STOA_INVALID, "%" PRId64 " microseconds are beyond the range of %s",
                     micros, name);
}

static stoa_status convert_instants(const struct conversion *c, const int64_t *values, int64_t *out,
                                    stoa_error *err) {
    for (int64_t i = 0; i < c->count; i++) {
        if (!from_micros(values[c->offset + i], c->type->unit, &out[i])) {
            if (is_valid(c, i)) {
                return fail_range(c, values[c->offset + i], err);
            }
            out[i] = 0;
        }
    }
    return STOA_OK;
}

static void convert_times(const struct conversion *c, const int64_t *values, void *out) {
    if (c->type->unit != STOA_TYPE_MILLISECONDS) { /* us and ns have types of their own */
        memcpy(out, values + c->offset, 8 * (size_t)c->count);
        return;
    }
    for (int64_t i = 0; i < c->count; i++) {
        ((int32_t *)out)[i] = (int32_t)(values[c->offset + i] / 1000);
    }
}

static stoa_status convert_durations(const struct conversion *c, const duckdb_interval *values,
                                     int64_t *out, stoa_error *err) {
    for (int64_t i = 0; i < c->count; i++) {
        const duckdb_interval *value = &values[c->offset + i];
        int64_t micros = 0;
        out[i] = 0;
        if (!is_valid(c, i)) {
            continue;
        }
        if (value->months != 0) {
            return stoa_fail(err, STOA_INVALID,
                             "an interval of %d months is no duration: months differ in length",
                             (int)value->months);
        }
        if (!stoa_add_i64(value->micros, value->days * MICROS_PER_DAY, &micros) ||
            !from_micros(micros, c->type->unit, &out[i])) {
            return fail_range(c, value->micros, err);
        }
    }
    return STOA_OK;
}

static stoa_status convert_intervals(const struct conversion *c, const duckdb_interval *values,
                                     uint8_t *out, stoa_error *err) {
    for (int64_t i = 0; i < c->count; i++) {
        const duckdb_interval *value = &values[c->offset + i];
        int64_t nanos = 0;
        if (is_valid(c, i) && !stoa_mul_i64(value->micros, 1000, &nanos)) {
            return fail_range(c, value->micros, err);
        }
        memcpy(out + 16 * i, &value->months, 4);
        memcpy(out + 16 * i + 4, &value->days, 4);
        memcpy(out + 16 * i + 8, &nanos, 8);
    }
    return STOA_OK;
}

stoa_status stoa_sql_convert_values(const struct conversion *c, const void *values, void *out,
                                    stoa_error *err) {
    switch (c->type->kind) {
    case STOA_TYPE_DECIMAL:
        if (c->engine_id != DUCKDB_TYPE_DECIMAL) {
            return narrow_huge(c, values, out, err);
        }
        widen_decimals(c, values, out);
        return STOA_OK;
    case STOA_TYPE_UUID: unflip_uuids(c, values, out); return STOA_OK;
    case STOA_TYPE_TIME: convert_times(c, values, out); return STOA_OK;
    case STOA_TYPE_TIMESTAMP_TZ: return convert_instants(c, values, out, err);
    case STOA_TYPE_DURATION: return convert_durations(c, values, out, err);
    case STOA_TYPE_INTERVAL: return convert_intervals(c, values, out, err);
    default: {
        size_t width = stoa_sql_type_arrow_width(c->type);
        memcpy(out, (const uint8_t *)values + (size_t)c->offset * width, (size_t)c->count * width);
        return STOA_OK;
    }
    }
}
