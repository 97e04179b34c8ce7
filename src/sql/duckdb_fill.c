/* Slices of Arrow arrays become DuckDB vectors.
 *
 * A slice is at most 2,048 rows, so the copies stay in the first-level cache and cost nothing that
 * can be measured; strings over 12 bytes are not copied but pointed at, unless their batch is a
 * file's. How values differ:
 *
 *     Arrow                        DuckDB
 *     bit                          byte
 *     decimal128                   int16, int32, int64 or int128 by precision
 *     uuid, 16 bytes big-endian    int128 with its highest bit flipped
 *     time ms, timestamp_tz any    microseconds (nanoseconds are rounded down)
 *     duration                     interval of microseconds
 *     interval (ns)                interval (us, rounded toward zero)
 *     list offsets                 entries of offset and length, items in a child vector
 *
 * A validity bitmap is the same in both. DuckDB wants the fields of a null struct to be null, too:
 * it takes a field without looking at its struct. */
#include "sql/duckdb_fill.h"

#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "base/error.h"

/* Values [first, first + count) of the array's own buffers. */
struct slice {
    const struct duckdb_api *api;
    const stoa_type *type;
    const struct ArrowArray *array;
    int64_t first;
    int64_t count;
    bool exact;     /* rounding is an error */
    enum fill_mode mode;
};

static stoa_status fill(const struct slice *slice, duckdb_vector vector, stoa_error *err);

duckdb_type stoa_sql_engine_id_of(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: return DUCKDB_TYPE_BOOLEAN;
    case STOA_TYPE_INT8: return DUCKDB_TYPE_TINYINT;
    case STOA_TYPE_INT16: return DUCKDB_TYPE_SMALLINT;
    case STOA_TYPE_INT: return DUCKDB_TYPE_INTEGER;
    case STOA_TYPE_LONG: return DUCKDB_TYPE_BIGINT;
    case STOA_TYPE_UINT8: return DUCKDB_TYPE_UTINYINT;
    case STOA_TYPE_UINT16: return DUCKDB_TYPE_USMALLINT;
    case STOA_TYPE_UINT32: return DUCKDB_TYPE_UINTEGER;
    case STOA_TYPE_UINT64: return DUCKDB_TYPE_UBIGINT;
    case STOA_TYPE_FLOAT: return DUCKDB_TYPE_FLOAT;
    case STOA_TYPE_DOUBLE: return DUCKDB_TYPE_DOUBLE;
    case STOA_TYPE_DATE: return DUCKDB_TYPE_DATE;
    case STOA_TYPE_TIME:
        return type->unit == STOA_TYPE_NANOSECONDS ? DUCKDB_TYPE_TIME_NS : DUCKDB_TYPE_TIME;
    case STOA_TYPE_TIMESTAMP:
        switch (type->unit) {
        case STOA_TYPE_SECONDS: return DUCKDB_TYPE_TIMESTAMP_S;
        case STOA_TYPE_MILLISECONDS: return DUCKDB_TYPE_TIMESTAMP_MS;
        case STOA_TYPE_MICROSECONDS: return DUCKDB_TYPE_TIMESTAMP;
        case STOA_TYPE_NANOSECONDS: return DUCKDB_TYPE_TIMESTAMP_NS;
        }
        return DUCKDB_TYPE_INVALID;
    case STOA_TYPE_TIMESTAMP_TZ: return DUCKDB_TYPE_TIMESTAMP_TZ;
    case STOA_TYPE_DURATION:
    case STOA_TYPE_INTERVAL: return DUCKDB_TYPE_INTERVAL;
    case STOA_TYPE_STRING: return DUCKDB_TYPE_VARCHAR;
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED: return DUCKDB_TYPE_BLOB;
    case STOA_TYPE_UUID: return DUCKDB_TYPE_UUID;
    default: return DUCKDB_TYPE_SQLNULL;
    }
}

static duckdb_logical_type struct_type(const struct duckdb_api *api, const stoa_type *type) {
    enum { ON_STACK = 64 };
    duckdb_logical_type types[ON_STACK];
    const char *names[ON_STACK];
    duckdb_logical_type out = NULL;
    int32_t made = 0;
    if (type->child_count > ON_STACK) {
        return NULL; /* said as unsupported by the caller */
    }
    for (; made < type->child_count; made++) {
        names[made] = type->children[made].name;
        types[made] = stoa_sql_engine_type(api, &type->children[made].type);
        if (types[made] == NULL) {
            break;
        }
    }
    if (made == type->child_count) {
        out = api->create_struct_type(types, names, (idx_t)made);
    }
    while (made > 0) {
        api->destroy_logical_type(&types[--made]);
    }
    return out;
}

duckdb_logical_type stoa_sql_engine_type(const struct duckdb_api *api, const stoa_type *type) {
    duckdb_logical_type out = NULL;
    if (type->kind == STOA_TYPE_DECIMAL) {
        return api->create_decimal_type((uint8_t)type->precision, (uint8_t)type->scale);
    }
    if (type->kind == STOA_TYPE_STRUCT) {
        return struct_type(api, type);
    }
    if (type->kind == STOA_TYPE_LIST) {
        duckdb_logical_type item = stoa_sql_engine_type(api, &type->children[0].type);
        out = item != NULL ? api->create_list_type(item) : NULL;
        api->destroy_logical_type(&item);
        return out;
    }
    if (type->kind == STOA_TYPE_MAP) {
        duckdb_logical_type key = stoa_sql_engine_type(api, &type->children[0].type);
        duckdb_logical_type value = stoa_sql_engine_type(api, &type->children[1].type);
        out = key != NULL && value != NULL ? api->create_map_type(key, value) : NULL;
        api->destroy_logical_type(&key);
        api->destroy_logical_type(&value);
        return out;
    }
    return api->create_logical_type(stoa_sql_engine_id_of(type));
}

/* Returns the slice's validity bits, or NULL when all of it is valid. */
static const uint8_t *slice_validity(const struct slice *slice) {
    const struct ArrowArray *array = slice->array;
    if (array->null_count == 0 || array->n_buffers == 0 || array->buffers[0] == NULL) {
        return NULL;
    }
    const uint8_t *bits = array->buffers[0];
    return stoa_bitmap_count(bits, slice->first, slice->count) == slice->count ? NULL : bits;
}

static void fill_validity(const struct slice *slice, const uint8_t *bits, duckdb_vector vector) {
    slice->api->vector_ensure_validity_writable(vector);
    uint8_t *mask = (uint8_t *)slice->api->vector_get_validity(vector);
    stoa_bitmap_copy(bits, slice->first, mask, 0, slice->count);
}

static void fill_booleans(const uint8_t *bits, int64_t first, int64_t count, bool *out) {
    for (int64_t i = 0; i < count; i++) {
        out[i] = stoa_bit_get(bits, first + i);
    }
}

/* The lower half of a decimal128 is the value when the precision is at most 18. Arrow promises an
 * alignment of 8 only, so the halves are loaded apart. */
static inline int64_t decimal_low(const uint8_t *values, int64_t index) {
    int64_t low;
    memcpy(&low, values + 16 * index, sizeof low);
    return low;
}

static void fill_decimals(const stoa_type *type, const uint8_t *values, int64_t count, void *out) {
    if (type->precision > 18) {
        memcpy(out, values, (size_t)count * 16);
    } else if (type->precision > 9) {
        for (int64_t i = 0; i < count; i++) {
            ((int64_t *)out)[i] = decimal_low(values, i);
        }
    } else if (type->precision > 4) {
        for (int64_t i = 0; i < count; i++) {
            ((int32_t *)out)[i] = (int32_t)decimal_low(values, i);
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            ((int16_t *)out)[i] = (int16_t)decimal_low(values, i);
        }
    }
}

static void fill_uuids(const uint8_t *values, int64_t count, duckdb_hugeint *out) {
    for (int64_t i = 0; i < count; i++) {
        uint64_t high;
        uint64_t low;
        memcpy(&high, values + 16 * i, 8);
        memcpy(&low, values + 16 * i + 8, 8);
        out[i].upper = (int64_t)(__builtin_bswap64(high) ^ (UINT64_C(1) << 63));
        out[i].lower = __builtin_bswap64(low);
    }
}

static int64_t floor_divide(int64_t value, int64_t divisor) {
    return value / divisor - (value % divisor < 0);
}

static int64_t units_per_second(stoa_type_unit unit) {
    switch (unit) {
    case STOA_TYPE_SECONDS: return 1;
    case STOA_TYPE_MILLISECONDS: return 1000;
    case STOA_TYPE_MICROSECONDS: return 1000000;
    case STOA_TYPE_NANOSECONDS: return 1000000000;
    }
    return 1;
}

/* To microseconds; null slots may hold anything and are not judged. */
static stoa_status to_micros(const struct slice *slice, const int64_t *values,
                             const uint8_t *validity, int64_t *out, int64_t stride,
                             stoa_error *err) {
    int64_t per_second = units_per_second(slice->type->unit);
    for (int64_t i = 0; i < slice->count; i++) {
        int64_t value = values[i];
        int64_t *target = out + i * stride;
        if (per_second > 1000000) {
            *target = floor_divide(value, per_second / 1000000);
        } else if (!stoa_mul_i64(value, 1000000 / per_second, target)) {
            *target = 0;
            if (validity == NULL || stoa_bit_get(validity, slice->first + i)) {
                stoa_error_set_row(err, slice->first + i - slice->array->offset);
                return stoa_fail(err, STOA_INVALID,
                                 "row %" PRId64 ": %" PRId64 " is beyond the engine's microseconds",
                                 slice->first + i - slice->array->offset, value);
            }
        }
    }
    return STOA_OK;
}

static stoa_status fill_durations(const struct slice *slice, const int64_t *values,
                                  const uint8_t *validity, duckdb_interval *out, stoa_error *err) {
    memset(out, 0, (size_t)slice->count * sizeof *out);
    return to_micros(slice, values, validity, &out->micros, sizeof *out / sizeof(int64_t), err);
}

struct month_day_nano {
    int32_t months;
    int32_t days;
    int64_t nanos;
};

static stoa_status fill_intervals(const struct slice *slice, const struct month_day_nano *values,
                                  const uint8_t *validity, duckdb_interval *out, stoa_error *err) {
    for (int64_t i = 0; i < slice->count; i++) {
        out[i].months = values[i].months;
        out[i].days = values[i].days;
        out[i].micros = values[i].nanos / 1000;
        bool valid = validity == NULL || stoa_bit_get(validity, slice->first + i);
        if (slice->exact && valid && values[i].nanos % 1000 != 0) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "an interval of %" PRId64 " nanoseconds is finer than the engine's "
                             "microseconds",
                             values[i].nanos);
        }
    }
    return STOA_OK;
}

/* Short strings are kept in the vector itself, with zeros behind them; of long ones the first four
 * bytes. `end` is the end of the readable bytes: before it, twelve are loaded at once. */
static inline void put_string(duckdb_string_t *out, const uint8_t *bytes, size_t size,
                              const uint8_t *end) {
    if (size > sizeof out->value.inlined.inlined) {
        out->value.pointer.length = (uint32_t)size;
        memcpy(out->value.pointer.prefix, bytes, sizeof out->value.pointer.prefix);
        out->value.pointer.ptr = (char *)(uintptr_t)bytes;
        return;
    }
    uint64_t low = 0;
    uint32_t high = 0;
    if (end - bytes >= 12) {
        memcpy(&low, bytes, 8);
        memcpy(&high, bytes + 8, 4);
        size_t low_size = size < 8 ? size : 8;
        low &= low_size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * low_size)) - 1;
        high &= size <= 8 ? 0 : (uint32_t)((UINT64_C(1) << (8 * (size - 8))) - 1);
    } else {
        uint8_t copy[12] = {0};
        memcpy(copy, bytes, size);
        memcpy(&low, copy, 8);
        memcpy(&high, copy + 8, 4);
    }
    uint64_t head = (uint64_t)(uint32_t)size | low << 32;
    uint64_t tail = low >> 32 | (uint64_t)high << 32;
    memcpy(out, &head, 8);
    memcpy((uint8_t *)out + 8, &tail, 8);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "strings are packed as little-endian");

static void fill_strings(const struct slice *slice, const uint8_t *validity, duckdb_string_t *out) {
    const int32_t *offsets = (const int32_t *)slice->array->buffers[1] + slice->first;
    const uint8_t *data = slice->array->buffers[2];
    if (data == NULL) { /* all are empty */
        memset(out, 0, (size_t)slice->count * sizeof *out);
        return;
    }
    const int32_t *all = slice->array->buffers[1];
    const uint8_t *end = data + all[slice->array->offset + slice->array->length];
    for (int64_t i = 0; i < slice->count; i++) {
        put_string(&out[i], data + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), end);
    }
    if (validity != NULL) { /* a null's bytes are nobody's */
        for (int64_t i = 0; i < slice->count; i++) {
            if (!stoa_bit_get(validity, slice->first + i)) {
                memset(&out[i], 0, sizeof out[i]);
            }
        }
    }
}

static void fill_fixed(const struct slice *slice, duckdb_string_t *out) {
    size_t width = (size_t)slice->type->length;
    const uint8_t *data = slice->array->buffers[1];
    const uint8_t *end = data + (size_t)(slice->array->offset + slice->array->length) * width;
    data += (size_t)slice->first * width;
    for (int64_t i = 0; i < slice->count; i++) {
        put_string(&out[i], data + (size_t)i * width, width, end);
    }
}

static void set_null_deep(const struct duckdb_api *api, const stoa_type *type, int64_t row,
                          duckdb_vector vector) {
    api->vector_ensure_validity_writable(vector);
    uint64_t *mask = api->vector_get_validity(vector);
    mask[row / 64] &= ~(UINT64_C(1) << (row % 64));
    for (int32_t c = 0; type->kind == STOA_TYPE_STRUCT && c < type->child_count; c++) {
        set_null_deep(api, &type->children[c].type, row,
                      api->struct_vector_get_child(vector, (idx_t)c));
    }
}

static stoa_status fill_struct(const struct slice *slice, const uint8_t *validity,
                               duckdb_vector vector, stoa_error *err) {
    for (int32_t c = 0; c < slice->type->child_count; c++) {
        const struct ArrowArray *child = slice->array->children[c];
        struct slice part = *slice;
        part.type = &slice->type->children[c].type;
        part.array = child;
        part.first = child->offset + slice->first;
        duckdb_vector field = slice->api->struct_vector_get_child(vector, (idx_t)c);
        STOA_TRY(fill(&part, field, err));
        for (int64_t i = 0; validity != NULL && i < slice->count; i++) {
            if (!stoa_bit_get(validity, slice->first + i)) {
                set_null_deep(slice->api, part.type, i, field);
            }
        }
    }
    return STOA_OK;
}

/* A map is a list of structs of key and value, on both sides. */
static stoa_status fill_list(const struct slice *slice, duckdb_vector vector, stoa_error *err) {
    const struct duckdb_api *api = slice->api;
    const int32_t *offsets = (const int32_t *)slice->array->buffers[1] + slice->first;
    duckdb_list_entry *entries = api->vector_get_data(vector);
    int32_t base = slice->count > 0 ? offsets[0] : 0;
    int32_t total = slice->count > 0 ? offsets[slice->count] - base : 0;
    for (int64_t i = 0; i < slice->count; i++) {
        entries[i].offset = (uint64_t)(offsets[i] - base);
        entries[i].length = (uint64_t)(offsets[i + 1] - offsets[i]);
    }
    if (api->list_vector_reserve(vector, (idx_t)total) != DuckDBSuccess ||
        api->list_vector_set_size(vector, (idx_t)total) != DuckDBSuccess) {
        return stoa_fail(err, STOA_LIMIT, "the engine has no memory for %d list items", (int)total);
    }
    stoa_type entry = {.kind = STOA_TYPE_STRUCT,
                       .child_count = slice->type->child_count,
                       .children = slice->type->children};
    const struct ArrowArray *items = slice->array->children[0];
    struct slice part = {.api = api,
                         .type = slice->type->kind == STOA_TYPE_MAP
                                     ? &entry
                                     : &slice->type->children[0].type,
                         .array = items,
                         .first = items->offset + base,
                         .count = total,
                         .exact = slice->exact,
                         .mode = slice->mode};
    return fill(&part, api->list_vector_get_child(vector), err);
}

static size_t plain_width(const stoa_type *type) {
    switch (type->kind) {
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
    case STOA_TYPE_TIMESTAMP: return 8;
    default: return 0;
    }
}

static void fill_all_null(const struct slice *slice, duckdb_vector vector) {
    slice->api->vector_ensure_validity_writable(vector);
    uint8_t *mask = (uint8_t *)slice->api->vector_get_validity(vector);
    stoa_bitmap_fill(mask, 0, slice->count, false);
}

static stoa_status fill_values(const struct slice *slice, const uint8_t *validity, void *out,
                               stoa_error *err) {
    const stoa_type *type = slice->type;
    const uint8_t *values = slice->array->buffers[1];
    size_t width = plain_width(type);
    if (values == NULL) { /* no rows, or none that is valid */
        return STOA_OK;
    }
    if (slice->mode == FILL_AS_FILE && type->kind == STOA_TYPE_TIMESTAMP &&
        type->unit < STOA_TYPE_MICROSECONDS) {
        return to_micros(slice, (const int64_t *)values + slice->first, validity, out, 1, err);
    }
    if (width > 0) {
        memcpy(out, values + (size_t)slice->first * width, (size_t)slice->count * width);
        return STOA_OK;
    }
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: fill_booleans(values, slice->first, slice->count, out); break;
    case STOA_TYPE_DECIMAL:
        fill_decimals(type, values + 16 * slice->first, slice->count, out);
        break;
    case STOA_TYPE_UUID: fill_uuids(values + 16 * slice->first, slice->count, out); break;
    case STOA_TYPE_TIME:
        if (type->unit == STOA_TYPE_MILLISECONDS) {
            for (int64_t i = 0; i < slice->count; i++) {
                ((int64_t *)out)[i] = ((const int32_t *)values)[slice->first + i] * INT64_C(1000);
            }
        } else {
            memcpy(out, values + 8 * slice->first, 8 * (size_t)slice->count);
        }
        break;
    case STOA_TYPE_TIMESTAMP_TZ:
        return to_micros(slice, (const int64_t *)values + slice->first, validity, out, 1, err);
    case STOA_TYPE_DURATION:
        return fill_durations(slice, (const int64_t *)values + slice->first, validity, out, err);
    case STOA_TYPE_INTERVAL:
        return fill_intervals(slice, (const struct month_day_nano *)values + slice->first, validity,
                              out, err);
    case STOA_TYPE_FIXED: fill_fixed(slice, out); break;
    default: fill_strings(slice, validity, out); break;
    }
    return STOA_OK;
}

static bool is_text(const stoa_type *type) {
    return type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY ||
           type->kind == STOA_TYPE_FIXED;
}

/* Strings that were pointed at become the vector's own. */
static void copy_strings(const struct slice *slice, duckdb_string_t *strings,
                         duckdb_vector vector) {
    for (int64_t i = 0; i < slice->count; i++) {
        const uint32_t size = strings[i].value.inlined.length;
        if (size > sizeof strings[i].value.inlined.inlined) {
            slice->api->unsafe_vector_assign_string_element_len(
                vector, (idx_t)i, strings[i].value.pointer.ptr, size);
        }
    }
}

static stoa_status fill(const struct slice *slice, duckdb_vector vector, stoa_error *err) {
    if (slice->type->kind == STOA_TYPE_UNKNOWN) {
        fill_all_null(slice, vector);
        return STOA_OK;
    }
    const uint8_t *validity = slice_validity(slice);
    if (validity != NULL) {
        fill_validity(slice, validity, vector);
    }
    switch (slice->type->kind) {
    case STOA_TYPE_STRUCT: return fill_struct(slice, validity, vector, err);
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: return fill_list(slice, vector, err);
    default: break;
    }
    duckdb_string_t *strings = slice->api->vector_get_data(vector);
    STOA_TRY(fill_values(slice, validity, strings, err));
    if (slice->mode != FILL_SHARED && slice->array->buffers[1] != NULL && is_text(slice->type)) {
        copy_strings(slice, strings, vector);
    }
    return STOA_OK;
}

stoa_status stoa_sql_vector_fill(const struct duckdb_api *api, const stoa_type *type,
                                 const struct ArrowArray *array, int64_t start, int64_t count,
                                 bool exact, enum fill_mode mode, duckdb_vector vector,
                                 stoa_error *err) {
    struct slice slice = {api, type, array, array->offset + start, count, exact, mode};
    return fill(&slice, vector, err);
}
