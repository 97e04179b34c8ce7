/* See hive_path.h. */
#include "schema/hive_path.h"

#include <math.h>
#include <string.h>

#include "arrow/number.h"
#include "base/clock.h"
#include "schema/constant.h"

/* ---- escapes --------------------------------------------------------------------------------- */

static bool is_escaped(unsigned char c) {
    return c < 0x20 || c == 0x7F || strchr("\"#%'*/:=?\\{[]^", c) != NULL;
}

stoa_status stoa_hive_escape(const char *text, size_t size, stoa_buffer *out, stoa_error *err) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        STOA_TRY(is_escaped(c) ? stoa_buffer_append_format(out, err, "%%%02X", c)
                               : stoa_buffer_append_byte(out, c, err));
    }
    return STOA_OK;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

stoa_status stoa_hive_unescape(const char *text, size_t size, stoa_buffer *out, stoa_error *err) {
    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && size - i > 2 ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)(high * 16 + low), err));
            i += 2;
        } else {
            STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)text[i], err));
        }
    }
    return STOA_OK;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The shortest digits of a number and where their point stands: 0.DIGITS times 10^point. */
struct digits {
    char text[STOA_DOUBLE_TEXT_BYTES];
    int count;
    int point;
};

static struct digits take_apart(const char *text) {
    struct digits digits = {0};
    int exponent = 0;
    bool behind_point = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == 'e' || *c == 'E') {
            bool negative = c[1] == '-';
            for (c += 1 + (c[1] == '-' || c[1] == '+'); *c != '\0'; c++) {
                exponent = exponent * 10 + (*c - '0');
            }
            exponent = negative ? -exponent : exponent;
            break;
        }
        behind_point = behind_point || *c == '.';
        if (*c == '.' || *c == '-') {
            continue;
        }
        if (digits.count == 0 && *c == '0') {
            digits.point -= behind_point;
            continue;
        }
        digits.text[digits.count++] = *c;
        digits.point += !behind_point;
    }
    while (digits.count > 0 && digits.text[digits.count - 1] == '0') {
        digits.count--;
    }
    digits.point += exponent;
    return digits;
}

/* Java's Double.toString: plain from 10^-3 up to 10^7, else with an exponent; a digit on both sides
 * of the point. */
static stoa_status print_float(double value, bool single, stoa_buffer *out, stoa_error *err) {
    char text[STOA_DOUBLE_TEXT_BYTES];
    if (isnan(value)) {
        return stoa_buffer_append_text(out, "NaN", err);
    }
    STOA_TRY(stoa_buffer_append_text(out, signbit(value) ? "-" : "", err));
    if (isinf(value)) {
        return stoa_buffer_append_text(out, "Infinity", err);
    }
    if (value == 0) {
        return stoa_buffer_append_text(out, "0.0", err);
    }
    if (single) {
        (void)stoa_float_print((float)value, text);
    } else {
        (void)stoa_double_print(value, text);
    }
    struct digits digits = take_apart(text);
    bool plain = digits.point > -3 && digits.point <= 7;
    int whole = plain ? digits.point : 1;
    for (int i = whole < 0 ? whole : 0; i < digits.count || i <= whole; i++) {
        STOA_TRY(stoa_buffer_append_text(out, i == whole ? (whole <= 0 ? "0." : ".") : "", err));
        if (i >= digits.count && i > whole) {
            break;
        }
        char digit = i < 0 || i >= digits.count ? '0' : digits.text[i];
        STOA_TRY(stoa_buffer_append_byte(out, (uint8_t)digit, err));
    }
    return plain ? STOA_OK : stoa_buffer_append_format(out, err, "E%d", digits.point - 1);
}

/* Without zeros at the end of a fraction. */
static stoa_status append_time(const char *text, size_t size, stoa_buffer *out, stoa_error *err) {
    if (memchr(text, '.', size) != NULL) {
        while (text[size - 1] == '0') {
            size--;
        }
    }
    return stoa_buffer_append(out, text, size, err);
}

static stoa_status print_uuid(const uint8_t *bytes, stoa_buffer *out, stoa_error *err) {
    for (size_t i = 0; i < 16; i++) {
        bool hyphen = i == 4 || i == 6 || i == 8 || i == 10;
        STOA_TRY(stoa_buffer_append_format(out, err, "%s%02x", hyphen ? "-" : "", bytes[i]));
    }
    return STOA_OK;
}

bool stoa_hive_type_has_text(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN:
    case STOA_TYPE_DURATION:
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP:
    case STOA_TYPE_STRUCT: return false;
    default: return true;
    }
}

stoa_status stoa_hive_value_print(const stoa_value *value, stoa_buffer *out, stoa_error *err) {
    char decimal[STOA_DECIMAL_TEXT_BYTES];
    char text[STOA_TIMESTAMP_TEXT_BYTES];
    STOA_ASSERT(!value->is_null && stoa_hive_type_has_text(&value->type));
    switch (value->type.kind) {
    case STOA_TYPE_BOOLEAN: return stoa_buffer_append_text(out, value->i ? "true" : "false", err);
    case STOA_TYPE_FLOAT: return print_float(value->f, true, out, err);
    case STOA_TYPE_DOUBLE: return print_float(value->f, false, out, err);
    case STOA_TYPE_DECIMAL:
        return stoa_buffer_append(
            out, decimal, stoa_decimal_print(&value->decimal, 16, value->type.scale, decimal), err);
    case STOA_TYPE_DATE: return stoa_buffer_append(out, text, stoa_date_print(value->i, text), err);
    case STOA_TYPE_TIME:
        return append_time(
            text, stoa_time_print(value->i, stoa_type_per_second(&value->type), text), out, err);
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
        return append_time(
            text, stoa_timestamp_print(value->i, stoa_type_per_second(&value->type), text), out,
            err);
    case STOA_TYPE_STRING: return stoa_buffer_append(out, value->bytes, value->size, err);
    case STOA_TYPE_UUID: return print_uuid(value->bytes, out, err);
    case STOA_TYPE_UINT64:
        return stoa_buffer_append_format(out, err, "%" PRIu64, (uint64_t)value->i);
    default: return stoa_buffer_append_format(out, err, "%" PRId64, value->i);
    }
}
