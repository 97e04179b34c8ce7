/* The type of a leaf: its annotation, new or old, where that fits how its values are stored. */
#include "parquet/read_schema.h"

enum { DECIMAL_DIGITS_MAX = 38 };

static void set_time(stoa_type *type, stoa_type_kind kind, stoa_type_unit unit) {
    type->kind = kind;
    type->unit = unit;
}

static stoa_status set_decimal(const stoa_parquet_element *element, stoa_type *type,
                               stoa_error *err) {
    if (element->precision < 1 || element->precision > DECIMAL_DIGITS_MAX || element->scale < 0 ||
        element->scale > element->precision) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "column '%s': expected a decimal of at most 38 digits but found "
                         "decimal(%" PRId32 ", %" PRId32 ")",
                         element->name, element->precision, element->scale);
    }
    type->kind = STOA_TYPE_DECIMAL;
    type->precision = element->precision;
    type->scale = element->scale;
    return STOA_OK;
}

static bool is_decimal(const stoa_parquet_element *element) {
    return element->logical == STOA_PARQUET_LOGICAL_DECIMAL ||
           (element->logical == STOA_PARQUET_LOGICAL_NONE &&
            element->converted == STOA_PARQUET_CONVERTED_DECIMAL);
}

/* Bits of an integer annotation, negative when it is signed; 0: none. */
static int32_t integer_bits(const stoa_parquet_element *element) {
    if (element->logical == STOA_PARQUET_LOGICAL_INTEGER) {
        return element->logical_signed ? -element->logical_bits : element->logical_bits;
    }
    if (element->logical != STOA_PARQUET_LOGICAL_NONE) {
        return 0;
    }
    switch (element->converted) {
    case STOA_PARQUET_CONVERTED_UINT_8: return 8;
    case STOA_PARQUET_CONVERTED_UINT_16: return 16;
    case STOA_PARQUET_CONVERTED_UINT_32: return 32;
    case STOA_PARQUET_CONVERTED_UINT_64: return 64;
    case STOA_PARQUET_CONVERTED_INT_8: return -8;
    case STOA_PARQUET_CONVERTED_INT_16: return -16;
    default: return 0;
    }
}

static stoa_status int32_type(const stoa_parquet_element *element, stoa_type *type,
                              stoa_read_node *node, stoa_error *err) {
    const bool old = element->logical == STOA_PARQUET_LOGICAL_NONE;
    type->kind = STOA_TYPE_INT;
    if (is_decimal(element)) {
        node->value_class = STOA_READ_DECIMAL_I32;
        return set_decimal(element, type, err);
    }
    if (element->logical == STOA_PARQUET_LOGICAL_DATE ||
        (old && element->converted == STOA_PARQUET_CONVERTED_DATE)) {
        type->kind = STOA_TYPE_DATE;
    } else if ((element->logical == STOA_PARQUET_LOGICAL_TIME && element->logical_unit == 1) ||
               (old && element->converted == STOA_PARQUET_CONVERTED_TIME_MILLIS)) {
        set_time(type, STOA_TYPE_TIME, STOA_TYPE_MILLISECONDS);
    }
    switch (integer_bits(element)) {
    case 8:
        type->kind = STOA_TYPE_UINT8;
        node->value_class = STOA_READ_NARROW_1;
        break;
    case -8:
        type->kind = STOA_TYPE_INT8;
        node->value_class = STOA_READ_NARROW_1;
        break;
    case 16:
        type->kind = STOA_TYPE_UINT16;
        node->value_class = STOA_READ_NARROW_2;
        break;
    case -16:
        type->kind = STOA_TYPE_INT16;
        node->value_class = STOA_READ_NARROW_2;
        break;
    case 32: type->kind = STOA_TYPE_UINT32; break;
    default: break;
    }
    return STOA_OK;
}

static stoa_status int64_type(const stoa_parquet_element *element, stoa_type *type,
                              stoa_read_node *node, stoa_error *err) {
    const bool old = element->logical == STOA_PARQUET_LOGICAL_NONE;
    const stoa_type_unit unit = (stoa_type_unit)element->logical_unit;
    type->kind = STOA_TYPE_LONG;
    if (is_decimal(element)) {
        node->value_class = STOA_READ_DECIMAL_I64;
        return set_decimal(element, type, err);
    }
    if (integer_bits(element) == 64) {
        type->kind = STOA_TYPE_UINT64;
    } else if (element->logical == STOA_PARQUET_LOGICAL_TIME &&
               (unit == STOA_TYPE_MICROSECONDS || unit == STOA_TYPE_NANOSECONDS)) {
        set_time(type, STOA_TYPE_TIME, unit);
    } else if (element->logical == STOA_PARQUET_LOGICAL_TIMESTAMP &&
               unit >= STOA_TYPE_MILLISECONDS && unit <= STOA_TYPE_NANOSECONDS) {
        set_time(type, element->logical_utc ? STOA_TYPE_TIMESTAMP_TZ : STOA_TYPE_TIMESTAMP, unit);
    } else if (old && element->converted == STOA_PARQUET_CONVERTED_TIME_MICROS) {
        set_time(type, STOA_TYPE_TIME, STOA_TYPE_MICROSECONDS);
    } else if (old && element->converted == STOA_PARQUET_CONVERTED_TIMESTAMP_MILLIS) {
        set_time(type, STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MILLISECONDS);
    } else if (old && element->converted == STOA_PARQUET_CONVERTED_TIMESTAMP_MICROS) {
        set_time(type, STOA_TYPE_TIMESTAMP_TZ, STOA_TYPE_MICROSECONDS);
    }
    return STOA_OK;
}

static stoa_status bytes_type(const stoa_parquet_element *element, stoa_type *type,
                              stoa_read_node *node, stoa_error *err) {
    node->value_class = STOA_READ_BYTES;
    type->kind = STOA_TYPE_BINARY;
    if (is_decimal(element)) {
        node->value_class = STOA_READ_DECIMAL_BYTES;
        return set_decimal(element, type, err);
    }
    switch (element->logical) {
    case STOA_PARQUET_LOGICAL_STRING:
    case STOA_PARQUET_LOGICAL_ENUM:
    case STOA_PARQUET_LOGICAL_JSON: type->kind = STOA_TYPE_STRING; break;
    case STOA_PARQUET_LOGICAL_NONE:
        if (element->converted == STOA_PARQUET_CONVERTED_UTF8 ||
            element->converted == STOA_PARQUET_CONVERTED_ENUM ||
            element->converted == STOA_PARQUET_CONVERTED_JSON) {
            type->kind = STOA_TYPE_STRING;
        }
        break;
    default: break;
    }
    return STOA_OK;
}

static stoa_status fixed_type(const stoa_parquet_element *element, stoa_type *type,
                              stoa_read_node *node, stoa_error *err) {
    if (element->type_length < 1) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "column '%s': values of a fixed length of 0 are not supported",
                         element->name);
    }
    type->kind = STOA_TYPE_FIXED;
    type->length = element->type_length;
    if (is_decimal(element)) {
        node->value_class = STOA_READ_DECIMAL_FIXED;
        type->length = 0;
        return set_decimal(element, type, err);
    }
    if (element->logical == STOA_PARQUET_LOGICAL_UUID && element->type_length == 16) {
        *type = (stoa_type){.kind = STOA_TYPE_UUID};
    } else if (element->logical == STOA_PARQUET_LOGICAL_FLOAT16 && element->type_length == 2) {
        *type = (stoa_type){.kind = STOA_TYPE_FLOAT};
        node->value_class = STOA_READ_FLOAT16;
    } else if (element->converted == STOA_PARQUET_CONVERTED_INTERVAL &&
               element->type_length == 12) {
        *type = (stoa_type){.kind = STOA_TYPE_INTERVAL};
        node->value_class = STOA_READ_INTERVAL;
    }
    return STOA_OK;
}

stoa_status stoa_read_schema_value(const stoa_parquet_element *element, stoa_type_unit int96_unit,
                                   stoa_type *type, stoa_read_node *node, stoa_error *err) {
    static const int32_t widths[] = {0, 4, 8, 12, 4, 8, 0, 0};
    *type = (stoa_type){.kind = STOA_TYPE_UNKNOWN};
    node->value_class = STOA_READ_COPY;
    node->value_bytes = element->physical == STOA_PARQUET_FIXED ? element->type_length
                                                                : widths[element->physical];
    if (element->logical == STOA_PARQUET_LOGICAL_UNKNOWN) {
        node->value_class = STOA_READ_NULL;
        return STOA_OK;
    }
    switch (element->physical) {
    case STOA_PARQUET_BOOLEAN:
        type->kind = STOA_TYPE_BOOLEAN;
        node->value_class = STOA_READ_BOOL;
        return STOA_OK;
    case STOA_PARQUET_INT32: return int32_type(element, type, node, err);
    case STOA_PARQUET_INT64: return int64_type(element, type, node, err);
    case STOA_PARQUET_INT96:
        set_time(type, STOA_TYPE_TIMESTAMP, int96_unit);
        node->value_class = STOA_READ_INT96;
        return STOA_OK;
    case STOA_PARQUET_FLOAT: type->kind = STOA_TYPE_FLOAT; return STOA_OK;
    case STOA_PARQUET_DOUBLE: type->kind = STOA_TYPE_DOUBLE; return STOA_OK;
    case STOA_PARQUET_BYTE_ARRAY: return bytes_type(element, type, node, err);
    default: return fixed_type(element, type, node, err);
    }
}
