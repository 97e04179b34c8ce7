/* What Arrow has a type for is printed as Arrow's values are, so a bound looks like the value in `cat`. */
#include "parquet/bound_print.h"

#include <stdio.h>

#include "arrow/print.h"
#include "base/utf8.h"
#include "parquet/page_index.h"

enum { FORMAT_BYTES = 48, NUMBER_BYTES = 16 };

/* ---- Bytes ----------------------------------------------------------------------------------- */

static stoa_status print_hex(const uint8_t *bytes, size_t size, size_t bytes_max, stoa_buffer *out,
                             stoa_error *err) {
    const size_t shown = size < bytes_max / 2 ? size : bytes_max / 2;
    STOA_TRY(stoa_buffer_append_text(out, "0x", err));
    for (size_t i = 0; i < shown; i++) {
        STOA_TRY(stoa_buffer_append_format(out, err, "%02x", bytes[i]));
    }
    return shown < size ? stoa_buffer_append_text(out, "…", err) : STOA_OK;
}

/* Cut between code points. */
static stoa_status print_string(const uint8_t *bytes, size_t size, size_t bytes_max,
                                stoa_buffer *out, stoa_error *err) {
    size_t shown = size < bytes_max ? size : bytes_max;
    if (!stoa_utf8_valid(bytes, size, NULL)) {
        return print_hex(bytes, size, bytes_max, out, err);
    }
    while (shown < size && shown > 0 && (bytes[shown] & 0xC0) == 0x80) {
        shown--;
    }
    STOA_TRY(stoa_json_string_print((const char *)bytes, shown, out, err));
    if (shown < size) {
        out->size--; /* the quote comes behind the dots */
        return stoa_buffer_append_text(out, "…\"", err);
    }
    return STOA_OK;
}

stoa_status stoa_parquet_text_print(const char *text, size_t size, size_t bytes_max,
                                    stoa_buffer *out, stoa_error *err) {
    const size_t begin = out->size;
    STOA_TRY(print_string((const uint8_t *)text, size, bytes_max, out, err));
    if (out->data[begin] == '"') {
        memmove(out->data + begin, out->data + begin + 1, out->size - begin - 2);
        out->size -= 2;
    }
    return STOA_OK;
}

static stoa_status print_uuid(const uint8_t *bytes, stoa_buffer *out, stoa_error *err) {
    for (int i = 0; i < 16; i++) {
        const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        STOA_TRY(stoa_buffer_append_format(out, err, dash ? "-%02x" : "%02x", bytes[i]));
    }
    return STOA_OK;
}

/* ---- Types ----------------------------------------------------------------------------------- */

/* Annotations of old files by the newer names; NULL: none. */
static const char *converted_name(int32_t converted) {
    static const char *const names[] = {
        "UTF8",        "MAP",         "MAP_KEY_VALUE",    "LIST",             "ENUM",    "DECIMAL",
        "DATE",        "TIME_MILLIS", "TIME_MICROS",      "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS",
        "UINT_8",      "UINT_16",     "UINT_32",          "UINT_64",          "INT_8",   "INT_16",
        "INT_32",      "INT_64",      "JSON",             "BSON",             "INTERVAL"};
    const bool known = converted >= 0 && (size_t)converted < sizeof names / sizeof *names;
    return known ? names[converted] : NULL;
}

static const char *unit_name(int32_t unit) {
    static const char *const names[] = {"?", "ms", "us", "ns"};
    return names[unit >= 1 && unit <= 3 ? unit : 0];
}

static stoa_status print_annotation(const stoa_parquet_element *element, stoa_buffer *out,
                                    stoa_error *err) {
    const char *name = stoa_parquet_logical_name(element->logical);
    if (element->logical == STOA_PARQUET_LOGICAL_NONE) {
        name = converted_name(element->converted);
    }
    if (name == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_append_format(out, err, " (%s", name));
    if (strcmp(name, "DECIMAL") == 0) {
        STOA_TRY(stoa_buffer_append_format(out, err, "(%" PRId32 ",%" PRId32 ")",
                                           element->precision, element->scale));
    } else if (element->logical == STOA_PARQUET_LOGICAL_INTEGER) {
        STOA_TRY(stoa_buffer_append_format(out, err, "(%" PRId32 ",%s)", element->logical_bits,
                                           element->logical_signed ? "signed" : "unsigned"));
    } else if (element->logical == STOA_PARQUET_LOGICAL_TIME ||
               element->logical == STOA_PARQUET_LOGICAL_TIMESTAMP) {
        STOA_TRY(stoa_buffer_append_format(out, err, "(%s%s)", unit_name(element->logical_unit),
                                           element->logical_utc ? ",UTC" : ""));
    }
    return stoa_buffer_append_text(out, ")", err);
}

stoa_status stoa_parquet_type_print(const stoa_parquet_element *element, const char *name,
                                    stoa_buffer *out, stoa_error *err) {
    if (element->physical < 0) {
        STOA_TRY(stoa_buffer_append_text(out, "group", err));
    } else if (element->physical == STOA_PARQUET_FIXED) {
        STOA_TRY(stoa_buffer_append_format(out, err, "FIXED[%" PRId32 "]", element->type_length));
    } else {
        STOA_TRY(stoa_buffer_append_text(out, stoa_parquet_physical_name(element->physical), err));
    }
    if (name != NULL) {
        STOA_TRY(stoa_buffer_append_text(out, " ", err));
        STOA_TRY(stoa_parquet_text_print(name, strlen(name), SIZE_MAX, out, err));
    }
    return print_annotation(element, out, err);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool is_decimal(const stoa_parquet_element *element) {
    return element->logical == STOA_PARQUET_LOGICAL_DECIMAL ||
           (element->logical == STOA_PARQUET_LOGICAL_NONE &&
            element->converted == STOA_PARQUET_CONVERTED_DECIMAL);
}

/* 16 bytes, least significant first, of a number of any size. */
static void widen_decimal(const stoa_parquet_element *element, const uint8_t *bytes, size_t size,
                          uint8_t out[NUMBER_BYTES]) {
    const bool is_number =
        element->physical == STOA_PARQUET_INT32 || element->physical == STOA_PARQUET_INT64;
    for (size_t i = 0; i < size; i++) {
        out[i] = is_number ? bytes[i] : bytes[size - 1 - i];
    }
    memset(out + size, size > 0 && out[size - 1] >= 0x80 ? 0xFF : 0, NUMBER_BYTES - size);
}

static const char *time_format(const stoa_parquet_element *element) {
    static const char *const times[] = {NULL, "ttm", "ttu", "ttn"};
    static const char *const stamps[] = {NULL, "tsm:", "tsu:", "tsn:"};
    static const char *const utc[] = {NULL, "tsm:UTC", "tsu:UTC", "tsn:UTC"};
    const int32_t unit =
        element->logical_unit >= 1 && element->logical_unit <= 3 ? element->logical_unit : 0;
    switch (element->logical) {
    case STOA_PARQUET_LOGICAL_DATE: return "tdD";
    case STOA_PARQUET_LOGICAL_TIME: return times[unit];
    case STOA_PARQUET_LOGICAL_TIMESTAMP: return element->logical_utc ? utc[unit] : stamps[unit];
    case STOA_PARQUET_LOGICAL_NONE: break;
    default: return NULL;
    }
    switch (element->converted) {
    case STOA_PARQUET_CONVERTED_DATE: return "tdD";
    case STOA_PARQUET_CONVERTED_TIME_MILLIS: return "ttm";
    case STOA_PARQUET_CONVERTED_TIME_MICROS: return "ttu";
    case STOA_PARQUET_CONVERTED_TIMESTAMP_MILLIS: return "tsm:UTC";
    case STOA_PARQUET_CONVERTED_TIMESTAMP_MICROS: return "tsu:UTC";
    default: return NULL;
    }
}

static bool is_unsigned(const stoa_parquet_element *element) {
    return element->logical == STOA_PARQUET_LOGICAL_INTEGER
               ? !element->logical_signed
               : element->converted >= STOA_PARQUET_CONVERTED_UINT_8 &&
                     element->converted <= STOA_PARQUET_CONVERTED_UINT_64;
}

/* How Arrow names the type of a value of the right size; NULL: not at all. */
static const char *arrow_format(const stoa_parquet_element *element) {
    const char *time = time_format(element);
    const bool wide_time = time != NULL && (time[1] == 's' || strcmp(time, "ttu") == 0 ||
                                            strcmp(time, "ttn") == 0);
    switch (element->physical) {
    case STOA_PARQUET_BOOLEAN: return "b";
    case STOA_PARQUET_INT32:
        return time != NULL && !wide_time ? time : is_unsigned(element) ? "I" : "i";
    case STOA_PARQUET_INT64: return wide_time ? time : is_unsigned(element) ? "L" : "l";
    case STOA_PARQUET_FLOAT: return "f";
    case STOA_PARQUET_DOUBLE: return "g";
    case STOA_PARQUET_FIXED:
        return element->logical == STOA_PARQUET_LOGICAL_FLOAT16 && element->type_length == 2 ? "e"
                                                                                            : NULL;
    default: return NULL;
    }
}

static stoa_status print_as_arrow(const char *format, const void *value, stoa_buffer *out,
                                  stoa_error *err) {
    const struct ArrowSchema schema = {.format = format};
    const void *buffers[] = {NULL, value};
    const struct ArrowArray array = {.length = 1, .n_buffers = 2, .buffers = buffers};
    return stoa_arrow_value_print(&schema, &array, 0, STOA_PRINT_TEXT, out, err);
}

static bool is_text(const stoa_parquet_element *element) {
    switch (element->logical) {
    case STOA_PARQUET_LOGICAL_STRING:
    case STOA_PARQUET_LOGICAL_ENUM:
    case STOA_PARQUET_LOGICAL_JSON: return true;
    case STOA_PARQUET_LOGICAL_NONE:
        return element->converted == STOA_PARQUET_CONVERTED_UTF8 ||
               element->converted == STOA_PARQUET_CONVERTED_ENUM ||
               element->converted == STOA_PARQUET_CONVERTED_JSON;
    default: return false;
    }
}

stoa_status stoa_parquet_bound_print(const stoa_parquet_element *element, const uint8_t *bytes,
                                     size_t size, size_t bytes_max, stoa_buffer *out,
                                     stoa_error *err) {
    _Alignas(16) uint8_t value[NUMBER_BYTES] = {0};
    const size_t width = stoa_parquet_plain_width(element);
    const char *format = arrow_format(element);
    if (width > 0 && size != width) {
        return print_hex(bytes, size, bytes_max, out, err);
    }
    if (is_decimal(element) && size <= NUMBER_BYTES && size > 0 && element->precision > 0 &&
        element->precision <= 38) {
        char decimal[FORMAT_BYTES];
        (void)snprintf(decimal, sizeof decimal, "d:%" PRId32 ",%" PRId32, element->precision,
                       element->scale);
        widen_decimal(element, bytes, size, value);
        return print_as_arrow(decimal, value, out, err);
    }
    if (format != NULL && size <= sizeof value) {
        memcpy(value, bytes, size);
        return print_as_arrow(format, value, out, err);
    }
    if (element->physical == STOA_PARQUET_BYTE_ARRAY && is_text(element)) {
        return print_string(bytes, size, bytes_max, out, err);
    }
    if (element->logical == STOA_PARQUET_LOGICAL_UUID && size == 16) {
        return print_uuid(bytes, out, err);
    }
    return print_hex(bytes, size, bytes_max, out, err);
}
