/* Predicates as text that our own parser and DuckDB both read, with the same meaning.
 *
 * Every composite stands in parentheses. Constants carry their type where a bare literal would be
 * read as another one ('2024-01-01'::date, 0.5::float). "field in ()", which no SQL has, is written
 * as its equal: (field is null and field in (null)). */
#include <math.h>

#include "arrow/number.h"
#include "base/clock.h"
#include "schema/constant.h"
#include "schema/path.h"
#include "schema/predicate_build.h"

struct printer {
    const stoa_schema *schema;
    stoa_buffer *out;
    stoa_error *err;
};

static stoa_status put(struct printer *printer, const char *text) {
    return stoa_buffer_append_text(printer->out, text, printer->err);
}

/* -- constants -------------------------------------------------------------------------------- */

static stoa_status put_cast(struct printer *printer, const char *text, const stoa_type *type) {
    return stoa_buffer_append_format(printer->out, printer->err, "'%s'::%s", text,
                                     stoa_type_name(type));
}

static stoa_status put_string(struct printer *printer, const stoa_value *value) {
    if (value->size > 0 && memchr(value->bytes, '\0', value->size) != NULL) {
        return stoa_fail(printer->err, STOA_UNSUPPORTED,
                         "a string constant with a zero byte cannot be printed");
    }
    STOA_TRY(put(printer, "'"));
    for (size_t i = 0; i < value->size; i++) {
        STOA_TRY(stoa_buffer_append_byte(printer->out, value->bytes[i], printer->err));
        if (value->bytes[i] == '\'') {
            STOA_TRY(put(printer, "'"));
        }
    }
    return put(printer, "'");
}

static stoa_status put_bytes(struct printer *printer, const stoa_value *value) {
    STOA_TRY(put(printer, "'"));
    for (size_t i = 0; i < value->size; i++) {
        STOA_TRY(stoa_buffer_append_format(printer->out, printer->err, "\\x%02X", value->bytes[i]));
    }
    return put(printer, "'::blob");
}

static stoa_status put_uuid(struct printer *printer, const stoa_value *value) {
    STOA_TRY(put(printer, "'"));
    for (size_t i = 0; i < 16; i++) {
        bool hyphen = i == 4 || i == 6 || i == 8 || i == 10;
        STOA_TRY(stoa_buffer_append_format(printer->out, printer->err, "%s%02x", hyphen ? "-" : "",
                                           value->bytes[i]));
    }
    return put(printer, "'::uuid");
}

static stoa_status put_float(struct printer *printer, const stoa_value *value) {
    char text[STOA_DOUBLE_TEXT_BYTES];
    bool single = value->type.kind == STOA_TYPE_FLOAT;
    if (isnan(value->f)) {
        return put_cast(printer, "nan", &value->type);
    }
    if (single) {
        (void)stoa_float_print((float)value->f, text);
    } else {
        (void)stoa_double_print(value->f, text);
    }
    return put_cast(printer, text, &value->type);
}

static stoa_status put_temporal(struct printer *printer, const stoa_value *value) {
    char text[STOA_TIMESTAMP_TEXT_BYTES + 8];
    int64_t per_second = stoa_type_per_second(&value->type);
    size_t length;
    switch (value->type.kind) {
    case STOA_TYPE_DATE: (void)stoa_date_print(value->i, text); break;
    case STOA_TYPE_TIME: (void)stoa_time_print(value->i, per_second, text); break;
    case STOA_TYPE_TIMESTAMP: (void)stoa_timestamp_print(value->i, per_second, text); break;
    default:
        length = stoa_timestamp_print(value->i, per_second, text);
        memcpy(text + length, "+00", 4);
        break;
    }
    return put_cast(printer, text, &value->type);
}

static stoa_status put_duration(struct printer *printer, const stoa_value *value) {
    static const char *const UNITS[] = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
    return stoa_buffer_append_format(printer->out, printer->err, "interval '%" PRId64 " %s'",
                                     value->i, UNITS[value->type.unit]);
}

static stoa_status put_value(struct printer *printer, const stoa_value *value) {
    char decimal[STOA_DECIMAL_TEXT_BYTES];
    if (value->is_null) {
        return put(printer, "null");
    }
    switch (value->type.kind) {
    case STOA_TYPE_BOOLEAN: return put(printer, value->i != 0 ? "true" : "false");
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return put_float(printer, value);
    case STOA_TYPE_DECIMAL:
        (void)stoa_decimal_print(&value->decimal, 16, value->type.scale, decimal);
        return put(printer, decimal);
    case STOA_TYPE_DATE:
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ: return put_temporal(printer, value);
    case STOA_TYPE_DURATION: return put_duration(printer, value);
    case STOA_TYPE_STRING: return put_string(printer, value);
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED: return put_bytes(printer, value);
    case STOA_TYPE_UUID: return put_uuid(printer, value);
    case STOA_TYPE_UINT64:
        return stoa_buffer_append_format(printer->out, printer->err, "%" PRIu64,
                                         (uint64_t)value->i);
    default: return stoa_buffer_append_format(printer->out, printer->err, "%" PRId64, value->i);
    }
}

/* -- leaves ----------------------------------------------------------------------------------- */

static stoa_status put_field(struct printer *printer, int32_t id) {
    stoa_field_path path;
    if (!stoa_field_path_find(printer->schema, id, &path)) {
        return stoa_fail(printer->err, STOA_INVALID,
                         "the predicate refers to field %d, which the schema does not have",
                         (int)id);
    }
    for (int32_t i = 0; i < path.depth; i++) {
        STOA_TRY(put(printer, i == 0 ? "" : "."));
        STOA_TRY(stoa_sql_identifier_print(path.fields[i]->name, printer->out, printer->err));
    }
    return STOA_OK;
}

static stoa_status put_in(struct printer *printer, const stoa_predicate *predicate) {
    if (predicate->value_count == 0) {
        STOA_TRY(put(printer, "("));
        STOA_TRY(put_field(printer, predicate->field_id));
        STOA_TRY(put(printer, " is null and "));
        STOA_TRY(put_field(printer, predicate->field_id));
        return put(printer, " in (null))");
    }
    STOA_TRY(put_field(printer, predicate->field_id));
    for (int32_t i = 0; i < predicate->value_count; i++) {
        STOA_TRY(put(printer, i == 0 ? " in (" : ", "));
        STOA_TRY(put_value(printer, &predicate->values[i]));
    }
    return put(printer, ")");
}

static stoa_status put_starts_with(struct printer *printer, const stoa_predicate *predicate) {
    STOA_TRY(put(printer, "starts_with("));
    STOA_TRY(put_field(printer, predicate->field_id));
    STOA_TRY(put(printer, ", "));
    STOA_TRY(put_value(printer, &predicate->values[0]));
    return put(printer, ")");
}

static stoa_status put_comparison(struct printer *printer, const stoa_predicate *predicate) {
    static const char *const OPERATORS[] = {" = ", " <> ", " < ", " <= ", " > ", " >= "};
    STOA_TRY(put_field(printer, predicate->field_id));
    STOA_TRY(put(printer, OPERATORS[predicate->kind - STOA_PREDICATE_EQUAL]));
    return put_value(printer, &predicate->values[0]);
}

/* -- trees ------------------------------------------------------------------------------------ */

static stoa_status put_predicate(struct printer *printer, const stoa_predicate *predicate,
                                 int32_t depth);

static stoa_status put_chain(struct printer *printer, const stoa_predicate *predicate,
                             const char *word, const char *empty, int32_t depth) {
    if (predicate->child_count == 0) {
        return put(printer, empty);
    }
    STOA_TRY(put(printer, "("));
    for (int32_t i = 0; i < predicate->child_count; i++) {
        STOA_TRY(put(printer, i == 0 ? "" : word));
        STOA_TRY(put_predicate(printer, predicate->children[i], depth + 1));
    }
    return put(printer, ")");
}

static stoa_status put_predicate(struct printer *printer, const stoa_predicate *predicate,
                                 int32_t depth) {
    if (depth > STOA_PREDICATE_DEPTH_MAX) {
        return stoa_fail(printer->err, STOA_LIMIT, "a predicate is nested deeper than %d levels",
                         STOA_PREDICATE_DEPTH_MAX);
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_TRUE: return put(printer, "true");
    case STOA_PREDICATE_FALSE: return put(printer, "false");
    case STOA_PREDICATE_AND: return put_chain(printer, predicate, " and ", "true", depth);
    case STOA_PREDICATE_OR: return put_chain(printer, predicate, " or ", "false", depth);
    case STOA_PREDICATE_NOT:
        STOA_TRY(put(printer, "(not "));
        STOA_TRY(put_predicate(printer, predicate->children[0], depth + 1));
        return put(printer, ")");
    case STOA_PREDICATE_IN: return put_in(printer, predicate);
    case STOA_PREDICATE_IS_NULL:
        STOA_TRY(put_field(printer, predicate->field_id));
        return put(printer, " is null");
    case STOA_PREDICATE_IS_NOT_NULL:
        STOA_TRY(put_field(printer, predicate->field_id));
        return put(printer, " is not null");
    case STOA_PREDICATE_STARTS_WITH: return put_starts_with(printer, predicate);
    default: return put_comparison(printer, predicate);
    }
}

stoa_status stoa_predicate_print(const stoa_predicate *predicate, const stoa_schema *schema,
                                 stoa_buffer *out, stoa_error *err) {
    struct printer printer = {.schema = schema, .out = out, .err = err};
    return put_predicate(&printer, predicate, 1);
}
