/* See parameter_value.h. The array comes from the program, by the C data interface; its layout is
 * checked as far as the one value needs. */
#include "sql/parameter_value.h"

#include <string.h>

#include "arrow/array.h"
#include "arrow/layout.h"
#include "arrow/schema.h"
#include "base/bits.h"
#include "base/checked.h"

static int64_t load_integer(const uint8_t *values, int64_t index, int32_t width, bool is_signed) {
    int64_t value = 0;
    memcpy(&value, values + index * width, (size_t)width);
    int shift = 64 - 8 * width;
    return is_signed ? (int64_t)((uint64_t)value << shift) >> shift : value;
}

static duckdb_value bytes_value(const struct duckdb_api *api, const uint8_t *bytes, int64_t size,
                                bool text) {
    return text ? api->create_varchar_length((const char *)bytes, (idx_t)size)
                : api->create_blob(bytes, (idx_t)size);
}

static duckdb_value offset_bytes(const struct duckdb_api *api, const struct ArrowArray *array,
                                 bool large, bool text) {
    static const uint8_t nothing[1] = {0};
    const uint8_t *data = array->buffers[2] != NULL ? array->buffers[2] : nothing;
    int64_t begin;
    int64_t end;
    if (large) {
        const int64_t *offsets = (const int64_t *)array->buffers[1] + array->offset;
        begin = offsets[0];
        end = offsets[1];
    } else {
        const int32_t *offsets = (const int32_t *)array->buffers[1] + array->offset;
        begin = offsets[0];
        end = offsets[1];
    }
    return bytes_value(api, data + begin, end - begin, text);
}

static bool is_uuid(const struct ArrowSchema *schema) {
    const char *name;
    int32_t size;
    return stoa_arrow_metadata_find(schema->metadata, "ARROW:extension:name", &name, &size) &&
           size == 10 && memcmp(name, "arrow.uuid", 10) == 0;
}

static duckdb_value fixed_value(const struct duckdb_api *api, const struct ArrowSchema *schema,
                                const uint8_t *bytes, int32_t width) {
    if (width != 16 || !is_uuid(schema)) {
        return bytes_value(api, bytes, width, false);
    }
    uint64_t high;
    uint64_t low;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    return api->create_uuid(
        (duckdb_uhugeint){.lower = __builtin_bswap64(low), .upper = __builtin_bswap64(high)});
}

static duckdb_value decimal_value(const struct duckdb_api *api, const stoa_arrow_layout *layout,
                                  const uint8_t *values, int64_t index) {
    __int128 value;
    if (layout->byte_width == 16) {
        memcpy(&value, values + 16 * index, sizeof value);
    } else {
        value = load_integer(values, index, layout->byte_width, true);
    }
    duckdb_decimal decimal = {.width = (uint8_t)layout->precision,
                              .scale = (uint8_t)layout->scale,
                              .value = {.lower = (uint64_t)value, .upper = (int64_t)(value >> 64)}};
    return api->create_decimal(decimal);
}

static duckdb_value timestamp_value(const struct duckdb_api *api, const stoa_arrow_layout *layout,
                                    int64_t value) {
    if (layout->timezone_view != NULL && layout->timezone_view[0] != '\0') {
        static const int64_t per_unit[] = {1000000, 1000, 1};
        int64_t micros = value / 1000 - (value % 1000 < 0);
        if (layout->unit != STOA_UNIT_NANOSECOND &&
            !stoa_mul_i64(value, per_unit[layout->unit], &micros)) {
            return NULL;
        }
        return api->create_timestamp_tz((duckdb_timestamp){micros});
    }
    switch (layout->unit) {
    case STOA_UNIT_SECOND: return api->create_timestamp_s((duckdb_timestamp_s){value});
    case STOA_UNIT_MILLISECOND: return api->create_timestamp_ms((duckdb_timestamp_ms){value});
    case STOA_UNIT_MICROSECOND: return api->create_timestamp((duckdb_timestamp){value});
    case STOA_UNIT_NANOSECOND: return api->create_timestamp_ns((duckdb_timestamp_ns){value});
    }
    return NULL;
}

static duckdb_value time_value(const struct duckdb_api *api, const stoa_arrow_layout *layout,
                               int64_t value) {
    switch (layout->unit) {
    case STOA_UNIT_SECOND: return api->create_time((duckdb_time){value * 1000000});
    case STOA_UNIT_MILLISECOND: return api->create_time((duckdb_time){value * 1000});
    case STOA_UNIT_MICROSECOND: return api->create_time((duckdb_time){value});
    case STOA_UNIT_NANOSECOND: return api->create_time((duckdb_time){value / 1000});
    }
    return NULL;
}

static duckdb_value interval_value(const struct duckdb_api *api, const uint8_t *bytes) {
    duckdb_interval interval;
    int64_t nanos;
    memcpy(&interval.months, bytes, 4);
    memcpy(&interval.days, bytes + 4, 4);
    memcpy(&nanos, bytes + 8, 8);
    interval.micros = nanos / 1000;
    return api->create_interval(interval);
}

static duckdb_value plain_value(const struct duckdb_api *api, const struct ArrowSchema *schema,
                                const struct ArrowArray *array, const stoa_arrow_layout *layout) {
    const uint8_t *values = array->buffers[1];
    int64_t at = array->offset;
    int32_t width = layout->byte_width;
    float single;
    double number;
    switch (layout->kind) {
    case STOA_ARROW_BOOL: return api->create_bool(stoa_bit_get(values, at));
    case STOA_ARROW_INT8:
    case STOA_ARROW_INT16:
    case STOA_ARROW_INT32:
    case STOA_ARROW_INT64: return api->create_int64(load_integer(values, at, width, true));
    case STOA_ARROW_UINT8:
    case STOA_ARROW_UINT16:
    case STOA_ARROW_UINT32:
    case STOA_ARROW_UINT64:
        return api->create_uint64((uint64_t)load_integer(values, at, width, false));
    case STOA_ARROW_FLOAT:
        memcpy(&single, values + 4 * at, sizeof single);
        return api->create_float(single);
    case STOA_ARROW_DOUBLE:
        memcpy(&number, values + 8 * at, sizeof number);
        return api->create_double(number);
    case STOA_ARROW_DATE32:
        return api->create_date((duckdb_date){(int32_t)load_integer(values, at, 4, true)});
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64: return time_value(api, layout, load_integer(values, at, width, true));
    case STOA_ARROW_TIMESTAMP:
        return timestamp_value(api, layout, load_integer(values, at, 8, true));
    case STOA_ARROW_INTERVAL_MONTH_DAY_NANO: return interval_value(api, values + 16 * at);
    case STOA_ARROW_DECIMAL:
        return width <= 16 && layout->scale >= 0 ? decimal_value(api, layout, values, at) : NULL;
    case STOA_ARROW_FIXED: return fixed_value(api, schema, values + width * at, width);
    case STOA_ARROW_STRING: return offset_bytes(api, array, false, true);
    case STOA_ARROW_LARGE_STRING: return offset_bytes(api, array, true, true);
    case STOA_ARROW_BINARY: return offset_bytes(api, array, false, false);
    case STOA_ARROW_LARGE_BINARY: return offset_bytes(api, array, true, false);
    default: return NULL;
    }
}

stoa_status stoa_sql_parameter_value(const struct duckdb_api *api, const struct ArrowSchema *schema,
                                     const struct ArrowArray *array, duckdb_value *out,
                                     stoa_error *err) {
    stoa_arrow_layout layout;
    STOA_TRY(stoa_arrow_layout_parse(schema, &layout, err));
    STOA_TRY(stoa_arrow_validate(schema, array, STOA_ARROW_CHECK_LAYOUT, err));
    if (layout.kind == STOA_ARROW_NULL || (!layout.dictionary && stoa_arrow_is_null(array, 0))) {
        *out = api->create_null_value();
        return STOA_OK;
    }
    *out = layout.dictionary ? NULL : plain_value(api, schema, array, &layout);
    if (*out == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "a value of Arrow type '%s' cannot be a parameter",
                         schema->format);
    }
    return STOA_OK;
}
