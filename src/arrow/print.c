/* Values as text, after DuckDB's casts to VARCHAR, and as JSON.
 *
 * One function walks a value whatever its type; nested values recurse to a fixed depth. Texts go
 * straight into the caller's buffer. Callers: the command's tables, CSV and JSON exports, messages
 * about values that do not fit. */
#include "arrow/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "arrow/access.h"
#include "arrow/number.h"
#include "arrow/schema.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/utf8.h"

enum { DEPTH_MAX = 64 };

struct printer {
    stoa_print_style style;
    stoa_buffer *out;
    stoa_error *err;
    int depth;
    bool nested; /* inside a list, map or struct: texts are quoted where they would be unclear */
};

static stoa_status print_value(struct printer *printer, const struct ArrowSchema *schema,
                               const struct ArrowArray *array, int64_t row);

static stoa_status put(struct printer *printer, const void *bytes, size_t size) {
    return stoa_buffer_append(printer->out, bytes, size, printer->err);
}

static stoa_status put_text(struct printer *printer, const char *text) {
    return put(printer, text, strlen(text));
}

static stoa_status put_integer(struct printer *printer, bool negative, uint64_t magnitude) {
    char text[STOA_DIGITS_MAX + 1];
    text[0] = '-';
    return put(printer, text, negative + stoa_digits_print(magnitude, text + negative));
}

/* JSON strings ----------------------------------------------------------------------------------*/

static stoa_status put_escaped(stoa_buffer *out, uint8_t byte, stoa_error *err) {
    static const char names[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = byte == 0 ? NULL : strchr(names, byte);
    if (found != NULL) {
        char pair[2] = {'\\', letters[found - names]};
        return stoa_buffer_append(out, pair, 2, err);
    }
    return stoa_buffer_append_format(out, err, "\\u%04x", byte);
}

/* `size` bytes of valid UTF-8. */
static stoa_status put_json_run(const char *text, size_t size, stoa_buffer *out, stoa_error *err) {
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        STOA_TRY(stoa_buffer_append(out, text + start, i - start, err));
        STOA_TRY(put_escaped(out, byte, err));
        start = i + 1;
    }
    return stoa_buffer_append(out, text + start, size - start, err);
}

stoa_status stoa_json_string_print(const char *text, size_t size, stoa_buffer *out,
                                   stoa_error *err) {
    STOA_TRY(stoa_buffer_append_byte(out, '"', err));
    size_t bad = 0;
    while (!stoa_utf8_valid(text, size, &bad)) {
        /* Bytes that are no text must still make a valid document. */
        STOA_TRY(put_json_run(text, bad, out, err));
        STOA_TRY(stoa_buffer_append_text(out, "\\ufffd", err));
        text += bad + 1;
        size -= bad + 1;
    }
    STOA_TRY(put_json_run(text, size, out, err));
    return stoa_buffer_append_byte(out, '"', err);
}

/* Texts and bytes -------------------------------------------------------------------------------*/

static bool is_space(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Inside nested values DuckDB quotes every text that could be mistaken for something else. */
static bool is_unclear(const char *text, size_t size) {
    if (size == 0 || is_space(text[0]) || is_space(text[size - 1])) {
        return true;
    }
    if (size == 4 && strncasecmp(text, "null", 4) == 0) {
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\0' && strchr(",[]{}()'\":=", text[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static stoa_status put_quoted(struct printer *printer, const char *text, size_t size) {
    STOA_TRY(put(printer, "'", 1));
    for (size_t i = 0; i < size; i++) {
        bool escaped = text[i] == '\'' || text[i] == '\\';
        STOA_TRY(escaped ? put(printer, "\\", 1) : STOA_OK);
        STOA_TRY(put(printer, &text[i], 1));
    }
    return put(printer, "'", 1);
}

static stoa_status print_string(struct printer *printer, const char *text, size_t size) {
    if (printer->style == STOA_PRINT_JSON) {
        return stoa_json_string_print(text, size, printer->out, printer->err);
    }
    return printer->nested && is_unclear(text, size) ? put_quoted(printer, text, size)
                                                     : put(printer, text, size);
}

/* The escaped form is a text like any other, and quoted like one. */
static stoa_status print_bytes(struct printer *printer, const uint8_t *bytes, size_t size) {
    stoa_buffer text;
    stoa_buffer_init(&text, printer->out->pool);
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < size; i++) {
        bool plain = bytes[i] >= 32 && bytes[i] <= 126 && strchr("\\'\"", bytes[i]) == NULL;
        STOA_CHECK(plain ? stoa_buffer_append_byte(&text, bytes[i], printer->err)
                         : stoa_buffer_append_format(&text, printer->err, "\\x%02X", bytes[i]));
    }
    STOA_CHECK(print_string(printer, text.size == 0 ? "" : (const char *)text.data, text.size));

done:
    stoa_buffer_release(&text);
    return status;
}

static stoa_status print_uuid(struct printer *printer, const uint8_t *bytes) {
    char text[37];
    size_t length = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text[length++] = '-';
        }
        length += (size_t)snprintf(text + length, 3, "%02x", bytes[i]);
    }
    return print_string(printer, text, length);
}

static bool is_uuid(const struct ArrowSchema *schema, const stoa_arrow_layout *layout) {
    const char *name = NULL;
    int32_t size = 0;
    return layout->byte_width == 16 &&
           stoa_arrow_metadata_find(schema->metadata, "ARROW:extension:name", &name, &size) &&
           size == 10 && memcmp(name, "arrow.uuid", 10) == 0;
}

/* Numbers and times -----------------------------------------------------------------------------*/

static stoa_status print_number(struct printer *printer, double value, bool single) {
    char text[STOA_DOUBLE_TEXT_BYTES];
    size_t length = single ? stoa_float_print((float)value, text) : stoa_double_print(value, text);
    return isfinite(value) ? put(printer, text, length) : print_string(printer, text, length);
}

/* Where no digit can stand before the point, DuckDB leaves its zero out; JSON wants it. */
static stoa_status print_decimal(struct printer *printer, const uint8_t *value,
                                 const stoa_arrow_layout *layout) {
    char text[STOA_DECIMAL_TEXT_BYTES];
    size_t length = stoa_decimal_print(value, layout->byte_width, layout->scale, text);
    if (printer->style == STOA_PRINT_TEXT && layout->precision == layout->scale) {
        size_t sign = text[0] == '-';
        memmove(text + sign, text + sign + 1, length - sign - 1);
        length--;
    }
    return put(printer, text, length);
}

/* ".120000" becomes ".12": the fraction without the zeros at its end. */
static size_t trim_fraction(const char *text, size_t length) {
    if (memchr(text, '.', length) == NULL) {
        return length;
    }
    while (text[length - 1] == '0') {
        length--;
    }
    return length;
}

static stoa_status print_time(struct printer *printer, int64_t value, stoa_time_unit unit) {
    char text[STOA_TIMESTAMP_TEXT_BYTES];
    size_t length = stoa_time_print(value, stoa_time_unit_per_second(unit), text);
    return print_string(printer, text, trim_fraction(text, length));
}

enum { DATE_TEXT_BYTES = STOA_TIMESTAMP_TEXT_BYTES + 8 };

/* Years before 1 are counted backwards and marked, as DuckDB does: "0044-03-15 (BC)". */
static size_t date_text(int64_t days, char out[DATE_TEXT_BYTES]) {
    stoa_civil date = stoa_civil_from_days(days);
    if (date.year > 0) {
        return stoa_date_print(days, out);
    }
    return (size_t)snprintf(out, DATE_TEXT_BYTES, "%04lld-%02d-%02d (BC)",
                            (long long)(1 - date.year), date.month, date.day);
}

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static stoa_status print_timestamp(struct printer *printer, int64_t value,
                                   const stoa_arrow_layout *layout) {
    int64_t per_second = stoa_time_unit_per_second(layout->unit);
    int64_t days = floor_divide(floor_divide(value, per_second), 86400);
    char whole[STOA_TIMESTAMP_TEXT_BYTES];
    size_t size = trim_fraction(whole, stoa_timestamp_print(value, per_second, whole));
    const char *time = memchr(whole, ' ', size);
    STOA_ASSERT(time != NULL);
    size_t time_size = size - (size_t)(time - whole);
    char text[DATE_TEXT_BYTES + STOA_TIMESTAMP_TEXT_BYTES];
    size_t length = date_text(days, text);
    memcpy(text + length, time, time_size);
    length += time_size;
    if (layout->timezone_view[0] != '\0') {
        memcpy(text + length, "+00", 3);
        length += 3;
    }
    return print_string(printer, text, length);
}

static size_t append_unit(char *text, size_t length, long long count, const char *name) {
    return length + (size_t)sprintf(text + length, "%s%lld %s%s", length > 0 ? " " : "", count,
                                    name, count == 1 || count == -1 ? "" : "s");
}

static stoa_status print_interval(struct printer *printer, int32_t months, int32_t days,
                                  int64_t nanoseconds) {
    char text[160];
    size_t length = 0;
    if (months / 12 != 0) {
        length = append_unit(text, length, months / 12, "year");
    }
    if (months % 12 != 0) {
        length = append_unit(text, length, months % 12, "month");
    }
    if (days != 0) {
        length = append_unit(text, length, days, "day");
    }
    if (nanoseconds != 0 || length == 0) {
        uint64_t size = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
        uint64_t seconds = size / 1000000000;
        length += (size_t)sprintf(text + length, "%s%s%02llu:%02llu:%02llu.%09llu",
                                  length > 0 ? " " : "", nanoseconds < 0 ? "-" : "",
                                  (unsigned long long)(seconds / 3600),
                                  (unsigned long long)(seconds / 60 % 60),
                                  (unsigned long long)(seconds % 60),
                                  (unsigned long long)(size % 1000000000));
        length = trim_fraction(text, length);
        length -= text[length - 1] == '.';
    }
    return print_string(printer, text, length);
}

static stoa_status print_duration(struct printer *printer, int64_t value, stoa_time_unit unit) {
    char text[64];
    int64_t units = stoa_time_unit_per_second(unit);
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t seconds = size / (uint64_t)units;
    uint64_t fraction = size % (uint64_t)units * (uint64_t)(1000000000 / units);
    size_t length = (size_t)sprintf(text, "%s%02llu:%02llu:%02llu.%09llu", value < 0 ? "-" : "",
                                    (unsigned long long)(seconds / 3600),
                                    (unsigned long long)(seconds / 60 % 60),
                                    (unsigned long long)(seconds % 60),
                                    (unsigned long long)fraction);
    length = trim_fraction(text, length);
    length -= text[length - 1] == '.';
    return print_string(printer, text, length);
}

/* Nested values ---------------------------------------------------------------------------------*/

static stoa_status print_items(struct printer *printer, const struct ArrowSchema *schema,
                               const struct ArrowArray *array, int64_t start, int64_t end) {
    bool json = printer->style == STOA_PRINT_JSON;
    STOA_TRY(put(printer, "[", 1));
    for (int64_t i = start; i < end; i++) {
        STOA_TRY(i == start ? STOA_OK : put_text(printer, json ? "," : ", "));
        STOA_TRY(print_value(printer, schema->children[0], array->children[0], i));
    }
    return put(printer, "]", 1);
}

static stoa_status print_struct(struct printer *printer, const struct ArrowSchema *schema,
                                const struct ArrowArray *array, int64_t index) {
    bool json = printer->style == STOA_PRINT_JSON;
    STOA_TRY(put(printer, "{", 1));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name == NULL ? "" : schema->children[i]->name;
        STOA_TRY(i == 0 ? STOA_OK : put_text(printer, json ? "," : ", "));
        if (json) {
            STOA_TRY(stoa_json_string_print(name, strlen(name), printer->out, printer->err));
            STOA_TRY(put(printer, ":", 1));
        } else {
            STOA_TRY(put_quoted(printer, name, strlen(name)));
            STOA_TRY(put_text(printer, ": "));
        }
        STOA_TRY(print_value(printer, schema->children[i], array->children[i], index));
    }
    return put(printer, "}", 1);
}

/* A JSON object's keys are strings: a key of another type is its text. */
static stoa_status print_json_key(struct printer *printer, const struct ArrowSchema *schema,
                                  const struct ArrowArray *array, int64_t row) {
    size_t start = printer->out->size;
    STOA_TRY(print_value(printer, schema, array, row));
    if (printer->out->size > start && printer->out->data[start] == '"') {
        return STOA_OK;
    }
    stoa_buffer text;
    stoa_buffer_init(&text, printer->out->pool);
    stoa_status status = stoa_buffer_append(&text, printer->out->data + start,
                                            printer->out->size - start, printer->err);
    if (status == STOA_OK) {
        printer->out->size = start;
        status = stoa_json_string_print((const char *)text.data, text.size, printer->out,
                                        printer->err);
    }
    stoa_buffer_release(&text);
    return status;
}

static stoa_status print_map(struct printer *printer, const struct ArrowSchema *schema,
                             const struct ArrowArray *array, int64_t start, int64_t end) {
    bool json = printer->style == STOA_PRINT_JSON;
    const struct ArrowSchema *entry_schema = schema->children[0];
    const struct ArrowArray *entries = array->children[0];
    STOA_TRY(put(printer, "{", 1));
    for (int64_t i = start; i < end; i++) {
        int64_t row = i + entries->offset;
        STOA_TRY(i == start ? STOA_OK : put_text(printer, json ? "," : ", "));
        STOA_TRY(json ? print_json_key(printer, entry_schema->children[0], entries->children[0], row)
                      : print_value(printer, entry_schema->children[0], entries->children[0], row));
        STOA_TRY(put(printer, json ? ":" : "=", 1));
        STOA_TRY(print_value(printer, entry_schema->children[1], entries->children[1], row));
    }
    return put(printer, "}", 1);
}

static stoa_status print_nested(struct printer *printer, const stoa_arrow_cursor *at) {
    int64_t start = 0;
    int64_t end = 0;
    if (printer->depth == DEPTH_MAX) {
        return stoa_fail(printer->err, STOA_INVALID, "a value is nested more than %d deep",
                         DEPTH_MAX);
    }
    struct printer inner = *printer;
    inner.nested = true;
    inner.depth++;
    int64_t physical = at->array->offset + at->row;
    if (at->layout.kind == STOA_ARROW_STRUCT) {
        return print_struct(&inner, at->schema, at->array, physical);
    }
    stoa_arrow_list_range(&at->layout, at->array, physical, &start, &end);
    return at->layout.kind == STOA_ARROW_MAP
               ? print_map(&inner, at->schema, at->array, start, end)
               : print_items(&inner, at->schema, at->array, start, end);
}

/* The walk --------------------------------------------------------------------------------------*/

/* Kinds whose values are one integer of at most 64 bits. */
static bool is_integer(stoa_arrow_kind kind) {
    return (kind >= STOA_ARROW_INT8 && kind <= STOA_ARROW_UINT64) ||
           (kind >= STOA_ARROW_DATE32 && kind <= STOA_ARROW_INTERVAL_MONTHS);
}

static stoa_status print_fixed(struct printer *printer, const stoa_arrow_cursor *at) {
    const stoa_arrow_layout *layout = &at->layout;
    int64_t physical = at->array->offset + at->row;
    int64_t integer = is_integer(layout->kind)
                          ? stoa_arrow_integer_at(layout->kind, at->array->buffers[1], physical)
                          : 0;
    const uint8_t *value = stoa_arrow_bytes_at(layout, at->array, physical).data;
    char text[DATE_TEXT_BYTES];
    switch (layout->kind) {
    case STOA_ARROW_INT8:
    case STOA_ARROW_INT16:
    case STOA_ARROW_INT32:
    case STOA_ARROW_INT64:
    case STOA_ARROW_UINT8:
    case STOA_ARROW_UINT16:
    case STOA_ARROW_UINT32:
        return put_integer(printer, integer < 0,
                           integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer);
    case STOA_ARROW_UINT64:
        return put_integer(printer, false, (uint64_t)integer);
    case STOA_ARROW_FLOAT16:
        return print_number(printer, stoa_half_to_double(stoa_load_u16(value)), true);
    case STOA_ARROW_FLOAT: {
        float number;
        memcpy(&number, value, sizeof number);
        return print_number(printer, (double)number, true);
    }
    case STOA_ARROW_DOUBLE: {
        double number;
        memcpy(&number, value, sizeof number);
        return print_number(printer, number, false);
    }
    case STOA_ARROW_DECIMAL:
        return print_decimal(printer, value, layout);
    case STOA_ARROW_DATE32:
        return print_string(printer, text, date_text(integer, text));
    case STOA_ARROW_DATE64:
        return print_string(printer, text, date_text(floor_divide(integer, 86400000), text));
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64:
        return print_time(printer, integer, layout->unit);
    case STOA_ARROW_TIMESTAMP:
        return print_timestamp(printer, integer, layout);
    case STOA_ARROW_DURATION:
        return print_duration(printer, integer, layout->unit);
    case STOA_ARROW_INTERVAL_MONTHS:
        return print_interval(printer, (int32_t)integer, 0, 0);
    case STOA_ARROW_INTERVAL_DAY_TIME:
        return print_interval(printer, 0, stoa_load_i32(value),
                              (int64_t)stoa_load_i32(value + 4) * 1000000);
    case STOA_ARROW_INTERVAL_MONTH_DAY_NANO:
        return print_interval(printer, stoa_load_i32(value), stoa_load_i32(value + 4),
                              stoa_load_i64(value + 8));
    case STOA_ARROW_FIXED:
        return is_uuid(at->schema, layout)
                   ? print_uuid(printer, value)
                   : print_bytes(printer, value, (size_t)layout->byte_width);
    default:
        return stoa_fail(printer->err, STOA_UNSUPPORTED, "values of Arrow format '%s' have no text",
                         at->schema->format);
    }
}

static stoa_status print_at(struct printer *printer, stoa_arrow_cursor at) {
    bool is_null = false;
    STOA_TRY(stoa_arrow_cursor_resolve(&at, &is_null, printer->err));
    if (is_null) {
        return put_text(printer, printer->style == STOA_PRINT_JSON ? "null" : "NULL");
    }
    int64_t physical = at.array->offset + at.row;
    stoa_arrow_bytes bytes;
    switch (at.layout.kind) {
    case STOA_ARROW_BOOL:
        return put_text(printer,
                        stoa_bit_get(at.array->buffers[1], physical) ? "true" : "false");
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_STRING_VIEW:
        bytes = stoa_arrow_bytes_at(&at.layout, at.array, physical);
        return print_string(printer, (const char *)bytes.data, (size_t)bytes.size);
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY:
    case STOA_ARROW_BINARY_VIEW:
        bytes = stoa_arrow_bytes_at(&at.layout, at.array, physical);
        return print_bytes(printer, bytes.data, (size_t)bytes.size);
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_FIXED_LIST:
    case STOA_ARROW_MAP:
    case STOA_ARROW_STRUCT:
        return print_nested(printer, &at);
    default:
        return print_fixed(printer, &at);
    }
}

/* `row` counts from the array's own offset. */
static stoa_status print_value(struct printer *printer, const struct ArrowSchema *schema,
                               const struct ArrowArray *array, int64_t row) {
    stoa_arrow_cursor at;
    STOA_TRY(stoa_arrow_cursor_init(schema, array, row, &at, printer->err));
    return print_at(printer, at);
}

stoa_status stoa_arrow_value_print_at(const stoa_arrow_cursor *at, stoa_print_style style,
                                      stoa_buffer *out, stoa_error *err) {
    struct printer printer = {.style = style, .out = out, .err = err};
    return print_at(&printer, *at);
}

stoa_status stoa_arrow_value_print(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                   int64_t row, stoa_print_style style, stoa_buffer *out,
                                   stoa_error *err) {
    struct printer printer = {.style = style, .out = out, .err = err};
    return print_value(&printer, schema, array, row);
}
