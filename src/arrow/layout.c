/* Format strings of the C data interface: one letter or two name the type, and what stands after a
 * colon are its parameters ("d:38,2", "tsu:Europe/Athens", "w:16", "+w:3", "+ud:0,1").
 *
 * A format comes from outside. Every number in it is read with bounds, and the node must have the
 * children that its type asks for, so that the code behind may rely on both.
 *
 * Source   Apache Arrow, "The Arrow C data interface", "Data type description: format strings" */
#include "arrow/layout.h"

#include <string.h>

#include "arrow/schema.h"

struct simple_format {
    const char *format;
    stoa_arrow_kind kind;
    int32_t byte_width;
    int32_t buffer_count;
    stoa_time_unit unit;
};

static const struct simple_format simple_formats[] = {
    {"n", STOA_ARROW_NULL, 0, 0, 0},
    {"b", STOA_ARROW_BOOL, 0, 2, 0},
    {"c", STOA_ARROW_INT8, 1, 2, 0},
    {"C", STOA_ARROW_UINT8, 1, 2, 0},
    {"s", STOA_ARROW_INT16, 2, 2, 0},
    {"S", STOA_ARROW_UINT16, 2, 2, 0},
    {"i", STOA_ARROW_INT32, 4, 2, 0},
    {"I", STOA_ARROW_UINT32, 4, 2, 0},
    {"l", STOA_ARROW_INT64, 8, 2, 0},
    {"L", STOA_ARROW_UINT64, 8, 2, 0},
    {"e", STOA_ARROW_FLOAT16, 2, 2, 0},
    {"f", STOA_ARROW_FLOAT, 4, 2, 0},
    {"g", STOA_ARROW_DOUBLE, 8, 2, 0},
    {"z", STOA_ARROW_BINARY, 0, 3, 0},
    {"Z", STOA_ARROW_LARGE_BINARY, 0, 3, 0},
    {"vz", STOA_ARROW_BINARY_VIEW, 0, 2, 0},
    {"u", STOA_ARROW_STRING, 0, 3, 0},
    {"U", STOA_ARROW_LARGE_STRING, 0, 3, 0},
    {"vu", STOA_ARROW_STRING_VIEW, 0, 2, 0},
    {"tdD", STOA_ARROW_DATE32, 4, 2, 0},
    {"tdm", STOA_ARROW_DATE64, 8, 2, STOA_UNIT_MILLISECOND},
    {"tts", STOA_ARROW_TIME32, 4, 2, STOA_UNIT_SECOND},
    {"ttm", STOA_ARROW_TIME32, 4, 2, STOA_UNIT_MILLISECOND},
    {"ttu", STOA_ARROW_TIME64, 8, 2, STOA_UNIT_MICROSECOND},
    {"ttn", STOA_ARROW_TIME64, 8, 2, STOA_UNIT_NANOSECOND},
    {"tDs", STOA_ARROW_DURATION, 8, 2, STOA_UNIT_SECOND},
    {"tDm", STOA_ARROW_DURATION, 8, 2, STOA_UNIT_MILLISECOND},
    {"tDu", STOA_ARROW_DURATION, 8, 2, STOA_UNIT_MICROSECOND},
    {"tDn", STOA_ARROW_DURATION, 8, 2, STOA_UNIT_NANOSECOND},
    {"tiM", STOA_ARROW_INTERVAL_MONTHS, 4, 2, 0},
    {"tiD", STOA_ARROW_INTERVAL_DAY_TIME, 8, 2, STOA_UNIT_MILLISECOND},
    {"tin", STOA_ARROW_INTERVAL_MONTH_DAY_NANO, 16, 2, STOA_UNIT_NANOSECOND},
    {"+l", STOA_ARROW_LIST, 0, 2, 0},
    {"+L", STOA_ARROW_LARGE_LIST, 0, 2, 0},
    {"+s", STOA_ARROW_STRUCT, 0, 1, 0},
    {"+m", STOA_ARROW_MAP, 0, 2, 0},
    {"+r", STOA_ARROW_RUN_END, 0, 0, 0},
};

static stoa_status not_a_format(const struct ArrowSchema *schema, stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "field '%s': expected an Arrow format but found '%.64s'",
                     schema->name == NULL ? "" : schema->name, schema->format);
}

/* Reads a decimal number of at most nine digits and moves `*text` behind it. */
static bool number_parse(const char **text, int32_t *out) {
    const char *at = *text;
    bool negative = *at == '-';
    at += negative;
    int32_t value = 0;
    int digits = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (++digits > 9) {
            return false;
        }
        value = value * 10 + (*at - '0');
    }
    *text = at;
    *out = negative ? -value : value;
    return digits > 0;
}

/* "d:precision,scale" or "d:precision,scale,bits" */
static bool decimal_parse(const char *text, stoa_arrow_layout *out) {
    int32_t bits = 128;
    if (!number_parse(&text, &out->precision) || *text++ != ',' ||
        !number_parse(&text, &out->scale)) {
        return false;
    }
    if (*text == ',') {
        text++;
        if (!number_parse(&text, &bits)) {
            return false;
        }
    }
    int32_t precision_max = bits == 32 ? 9 : bits == 64 ? 18 : bits == 128 ? 38 : 76;
    if (*text != '\0' || (bits != 32 && bits != 64 && bits != 128 && bits != 256) ||
        out->precision < 1 || out->precision > precision_max || out->scale > 1000 ||
        out->scale < -1000) {
        return false;
    }
    out->kind = STOA_ARROW_DECIMAL;
    out->byte_width = bits / 8;
    out->buffer_count = 2;
    return true;
}

static bool timestamp_parse(const char *format, stoa_arrow_layout *out) {
    static const char units[] = "smun";
    const char *unit = strchr(units, format[2]);
    if (format[2] == '\0' || unit == NULL || format[3] != ':') {
        return false;
    }
    out->kind = STOA_ARROW_TIMESTAMP;
    out->unit = (stoa_time_unit)(unit - units);
    out->byte_width = 8;
    out->buffer_count = 2;
    out->timezone_view = format + 4;
    return true;
}

/* "+ud:0,1" or "+us:0,1": as many type ids, each 0 to 127, as there are children. */
static bool union_parse(const struct ArrowSchema *schema, stoa_arrow_layout *out) {
    const char *at = schema->format + 4;
    int64_t count = 0;
    while (*at != '\0') {
        int32_t id;
        if ((count > 0 && *at++ != ',') || !number_parse(&at, &id) || id < 0 || id > 127) {
            return false;
        }
        count++;
    }
    bool dense = schema->format[2] == 'd';
    out->kind = dense ? STOA_ARROW_DENSE_UNION : STOA_ARROW_SPARSE_UNION;
    out->buffer_count = dense ? 2 : 1;
    return count == schema->n_children;
}

static bool parameters_parse(const struct ArrowSchema *schema, stoa_arrow_layout *out) {
    const char *format = schema->format;
    if (strncmp(format, "d:", 2) == 0) {
        return decimal_parse(format + 2, out);
    }
    if (strncmp(format, "ts", 2) == 0) {
        return timestamp_parse(format, out);
    }
    if (strncmp(format, "w:", 2) == 0) {
        const char *at = format + 2;
        out->kind = STOA_ARROW_FIXED;
        out->buffer_count = 2;
        return number_parse(&at, &out->byte_width) && *at == '\0' && out->byte_width >= 0;
    }
    if (strncmp(format, "+w:", 3) == 0) {
        const char *at = format + 3;
        out->kind = STOA_ARROW_FIXED_LIST;
        out->buffer_count = 1;
        return number_parse(&at, &out->list_size) && *at == '\0' && out->list_size >= 0;
    }
    if (strncmp(format, "+ud:", 4) == 0 || strncmp(format, "+us:", 4) == 0) {
        return union_parse(schema, out);
    }
    return false;
}

static bool format_parse(const struct ArrowSchema *schema, stoa_arrow_layout *out) {
    size_t count = sizeof simple_formats / sizeof simple_formats[0];
    for (size_t i = 0; i < count; i++) {
        const struct simple_format *simple = &simple_formats[i];
        if (strcmp(schema->format, simple->format) == 0) {
            out->kind = simple->kind;
            out->byte_width = simple->byte_width;
            out->buffer_count = simple->buffer_count;
            out->unit = simple->unit;
            return true;
        }
    }
    return parameters_parse(schema, out);
}

/* -1: any number. */
static int64_t children_wanted(stoa_arrow_kind kind) {
    switch (kind) {
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_FIXED_LIST:
    case STOA_ARROW_MAP:
        return 1;
    case STOA_ARROW_RUN_END:
        return 2;
    case STOA_ARROW_STRUCT:
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION:
        return -1;
    default:
        return 0;
    }
}

static stoa_status children_check(const struct ArrowSchema *schema, stoa_arrow_kind kind,
                                  stoa_error *err) {
    const char *name = schema->name == NULL ? "" : schema->name;
    int64_t wanted = children_wanted(kind);
    if (schema->n_children < 0 || (wanted >= 0 && schema->n_children != wanted)) {
        return stoa_fail(err, STOA_INVALID,
                         "field '%s' of format '%.64s': expected %" PRId64
                         " children but found %" PRId64,
                         name, schema->format, wanted < 0 ? 0 : wanted, schema->n_children);
    }
    if (schema->n_children > 0 && schema->children == NULL) {
        return stoa_fail(err, STOA_INVALID, "field '%s': its children are missing", name);
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i] == NULL || schema->children[i]->format == NULL) {
            return stoa_fail(err, STOA_INVALID, "field '%s': child %" PRId64 " is missing", name,
                             i);
        }
    }
    if (kind == STOA_ARROW_MAP && (strcmp(schema->children[0]->format, "+s") != 0 ||
                                   schema->children[0]->n_children != 2)) {
        return stoa_fail(err, STOA_INVALID,
                         "map '%s': expected entries of two fields but found '%.64s' of %" PRId64,
                         name, schema->children[0]->format, schema->children[0]->n_children);
    }
    return STOA_OK;
}

stoa_status stoa_arrow_layout_parse(const struct ArrowSchema *schema, stoa_arrow_layout *out,
                                    stoa_error *err) {
    *out = (stoa_arrow_layout){.timezone_view = ""};
    const char *name = schema->name == NULL ? "" : schema->name;
    if (schema->format == NULL) {
        return stoa_fail(err, STOA_INVALID, "field '%s' has no format", name);
    }
    if (strcmp(schema->format, "+vl") == 0 || strcmp(schema->format, "+vL") == 0) {
        return stoa_fail(err, STOA_UNSUPPORTED, "field '%s': list views ('%s') are not supported",
                         name, schema->format);
    }
    if (!format_parse(schema, out)) {
        return not_a_format(schema, err);
    }
    out->dictionary = schema->dictionary != NULL;
    if (out->dictionary && !stoa_arrow_kind_is_integer(out->kind)) {
        return stoa_fail(err, STOA_INVALID,
                         "dictionary '%s': expected integer indices but found format '%.64s'", name,
                         schema->format);
    }
    return children_check(schema, out->kind, err);
}

const char *stoa_arrow_kind_name(stoa_arrow_kind kind) {
    static const char *const names[] = {
        [STOA_ARROW_NULL] = "null",
        [STOA_ARROW_BOOL] = "bool",
        [STOA_ARROW_INT8] = "int8",
        [STOA_ARROW_UINT8] = "uint8",
        [STOA_ARROW_INT16] = "int16",
        [STOA_ARROW_UINT16] = "uint16",
        [STOA_ARROW_INT32] = "int32",
        [STOA_ARROW_UINT32] = "uint32",
        [STOA_ARROW_INT64] = "int64",
        [STOA_ARROW_UINT64] = "uint64",
        [STOA_ARROW_FLOAT16] = "halffloat",
        [STOA_ARROW_FLOAT] = "float",
        [STOA_ARROW_DOUBLE] = "double",
        [STOA_ARROW_DECIMAL] = "decimal",
        [STOA_ARROW_DATE32] = "date32[day]",
        [STOA_ARROW_DATE64] = "date64[ms]",
        [STOA_ARROW_TIME32] = "time32",
        [STOA_ARROW_TIME64] = "time64",
        [STOA_ARROW_TIMESTAMP] = "timestamp",
        [STOA_ARROW_DURATION] = "duration",
        [STOA_ARROW_INTERVAL_MONTHS] = "month_interval",
        [STOA_ARROW_INTERVAL_DAY_TIME] = "day_time_interval",
        [STOA_ARROW_INTERVAL_MONTH_DAY_NANO] = "month_day_nano_interval",
        [STOA_ARROW_STRING] = "string",
        [STOA_ARROW_LARGE_STRING] = "large_string",
        [STOA_ARROW_STRING_VIEW] = "string_view",
        [STOA_ARROW_BINARY] = "binary",
        [STOA_ARROW_LARGE_BINARY] = "large_binary",
        [STOA_ARROW_BINARY_VIEW] = "binary_view",
        [STOA_ARROW_FIXED] = "fixed_size_binary",
        [STOA_ARROW_LIST] = "list",
        [STOA_ARROW_LARGE_LIST] = "large_list",
        [STOA_ARROW_FIXED_LIST] = "fixed_size_list",
        [STOA_ARROW_STRUCT] = "struct",
        [STOA_ARROW_MAP] = "map",
        [STOA_ARROW_DENSE_UNION] = "dense_union",
        [STOA_ARROW_SPARSE_UNION] = "sparse_union",
        [STOA_ARROW_RUN_END] = "run_end_encoded",
    };
    return names[kind];
}

int64_t stoa_time_unit_per_second(stoa_time_unit unit) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    return per_second[unit];
}

static stoa_status type_print(const struct ArrowSchema *schema, int depth, stoa_buffer *out,
                              stoa_error *err);

static stoa_status field_print(const struct ArrowSchema *schema, int depth, stoa_buffer *out,
                               stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, schema->name == NULL ? "" : schema->name, err));
    STOA_TRY(stoa_buffer_append_text(out, ": ", err));
    STOA_TRY(type_print(schema, depth, out, err));
    if ((schema->flags & ARROW_FLAG_NULLABLE) == 0) {
        STOA_TRY(stoa_buffer_append_text(out, " not null", err));
    }
    return STOA_OK;
}

/* "map<string, int64>": names of entries, keys and items are free in maps, and nothing is said about
 * nulls, as in PyArrow. */
static stoa_status map_print(const struct ArrowSchema *schema, int depth, stoa_buffer *out,
                             stoa_error *err) {
    stoa_arrow_layout entries;
    STOA_TRY(stoa_arrow_layout_parse(schema->children[0], &entries, err));
    STOA_TRY(stoa_buffer_append_text(out, "map<", err));
    STOA_TRY(type_print(schema->children[0]->children[0], depth, out, err));
    STOA_TRY(stoa_buffer_append_text(out, ", ", err));
    STOA_TRY(type_print(schema->children[0]->children[1], depth, out, err));
    bool sorted = (schema->flags & ARROW_FLAG_MAP_KEYS_SORTED) != 0;
    return stoa_buffer_append_text(out, sorted ? ", keys_sorted>" : ">", err);
}

static stoa_status children_print(const struct ArrowSchema *schema, const char *union_ids,
                                  int depth, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, "<", err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (i > 0) {
            STOA_TRY(stoa_buffer_append_text(out, ", ", err));
        }
        STOA_TRY(field_print(schema->children[i], depth, out, err));
        if (union_ids != NULL) {
            size_t digits = strcspn(union_ids, ",");
            STOA_TRY(stoa_buffer_append_text(out, "=", err));
            STOA_TRY(stoa_buffer_append(out, union_ids, digits, err));
            union_ids += digits + (union_ids[digits] == ',');
        }
    }
    return stoa_buffer_append_text(out, ">", err);
}

static stoa_status dictionary_print(const struct ArrowSchema *schema, stoa_arrow_kind index_kind,
                                    int depth, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(out, "dictionary<values=", err));
    STOA_TRY(type_print(schema->dictionary, depth, out, err));
    bool ordered = (schema->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0;
    return stoa_buffer_append_format(out, err, ", indices=%s, ordered=%d>",
                                     stoa_arrow_kind_name(index_kind), ordered);
}

static stoa_status parameters_print(const stoa_arrow_layout *layout, stoa_buffer *out,
                                    stoa_error *err) {
    static const char *const units[] = {"s", "ms", "us", "ns"};
    switch (layout->kind) {
    case STOA_ARROW_DECIMAL:
        return stoa_buffer_append_format(out, err, "%d(%d, %d)", layout->byte_width * 8,
                                         layout->precision, layout->scale);
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64:
    case STOA_ARROW_DURATION:
        return stoa_buffer_append_format(out, err, "[%s]", units[layout->unit]);
    case STOA_ARROW_TIMESTAMP:
        if (layout->timezone_view[0] == '\0') {
            return stoa_buffer_append_format(out, err, "[%s]", units[layout->unit]);
        }
        return stoa_buffer_append_format(out, err, "[%s, tz=%s]", units[layout->unit],
                                         layout->timezone_view);
    case STOA_ARROW_FIXED:
        return stoa_buffer_append_format(out, err, "[%d]", layout->byte_width);
    default:
        return STOA_OK;
    }
}

static stoa_status type_print(const struct ArrowSchema *schema, int depth, stoa_buffer *out,
                              stoa_error *err) {
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    stoa_arrow_layout layout;
    STOA_TRY(stoa_arrow_layout_parse(schema, &layout, err));
    if (layout.dictionary) {
        return dictionary_print(schema, layout.kind, depth + 1, out, err);
    }
    switch (layout.kind) {
    case STOA_ARROW_MAP:
        return map_print(schema, depth + 1, out, err);
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_STRUCT:
    case STOA_ARROW_RUN_END:
        STOA_TRY(stoa_buffer_append_text(out, stoa_arrow_kind_name(layout.kind), err));
        return children_print(schema, NULL, depth + 1, out, err);
    case STOA_ARROW_FIXED_LIST:
        STOA_TRY(stoa_buffer_append_text(out, stoa_arrow_kind_name(layout.kind), err));
        STOA_TRY(children_print(schema, NULL, depth + 1, out, err));
        return stoa_buffer_append_format(out, err, "[%d]", layout.list_size);
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION:
        STOA_TRY(stoa_buffer_append_text(out, stoa_arrow_kind_name(layout.kind), err));
        return children_print(schema, schema->format + 4, depth + 1, out, err);
    default:
        STOA_TRY(stoa_buffer_append_text(out, stoa_arrow_kind_name(layout.kind), err));
        return parameters_print(&layout, out, err);
    }
}

stoa_status stoa_arrow_type_print(const struct ArrowSchema *schema, stoa_buffer *out,
                                  stoa_error *err) {
    return type_print(schema, 0, out, err);
}
