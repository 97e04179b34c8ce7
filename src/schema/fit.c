/* Which Arrow layouts a type accepts. The rule: the value set of the source, as its type states it,
 * lies within the value set of the target, and the meaning is the same. So integers widen, decimals
 * gain digits on either side, units get finer, a date is a wall clock's midnight; but a fixed[16] is
 * no uuid, a wall clock is no instant, and a string is no number, however its text reads. */
#include "schema/fit.h"

#include <string.h>

#include "arrow/schema.h"

static int32_t integer_bits(stoa_type_kind kind) {
    static const int32_t BITS[] = {8, 16, 32, 64, 8, 16, 32, 64};
    return BITS[kind - STOA_TYPE_INT8];
}

static stoa_fit fit_integer(stoa_type_kind target, stoa_arrow_kind source_kind) {
    static const struct {
        stoa_arrow_kind kind;
        int32_t bits;
        bool is_signed;
    } SOURCES[] = {
        {STOA_ARROW_INT8, 8, true},     {STOA_ARROW_INT16, 16, true},
        {STOA_ARROW_INT32, 32, true},   {STOA_ARROW_INT64, 64, true},
        {STOA_ARROW_UINT8, 8, false},   {STOA_ARROW_UINT16, 16, false},
        {STOA_ARROW_UINT32, 32, false}, {STOA_ARROW_UINT64, 64, false},
    };
    for (size_t i = 0; i < sizeof SOURCES / sizeof SOURCES[0]; i++) {
        if (SOURCES[i].kind != source_kind) {
            continue;
        }
        int32_t bits = SOURCES[i].bits;
        if (target == STOA_TYPE_DOUBLE || target == STOA_TYPE_FLOAT) {
            return bits <= (target == STOA_TYPE_DOUBLE ? 32 : 16) ? STOA_FIT_CONVERT
                                                                  : STOA_FIT_NONE;
        }
        bool to_signed = stoa_type_is_signed_integer(target);
        if (to_signed == SOURCES[i].is_signed) {
            return bits == integer_bits(target)  ? STOA_FIT_SAME
                   : bits < integer_bits(target) ? STOA_FIT_CONVERT
                                                 : STOA_FIT_NONE;
        }
        return to_signed && bits < integer_bits(target) ? STOA_FIT_CONVERT : STOA_FIT_NONE;
    }
    return STOA_FIT_NONE;
}

static stoa_fit fit_float(stoa_type_kind target, stoa_arrow_kind source) {
    stoa_arrow_kind same = target == STOA_TYPE_FLOAT ? STOA_ARROW_FLOAT : STOA_ARROW_DOUBLE;
    if (source == same) {
        return STOA_FIT_SAME;
    }
    if (source == STOA_ARROW_FLOAT16 || source == STOA_ARROW_FLOAT) {
        return STOA_FIT_CONVERT;
    }
    return source == STOA_ARROW_DOUBLE ? STOA_FIT_NONE : fit_integer(target, source);
}

static stoa_fit fit_decimal(const stoa_type *type, const stoa_arrow_layout *layout) {
    if (layout->kind != STOA_ARROW_DECIMAL || layout->scale > type->scale || layout->scale < 0 ||
        layout->precision - layout->scale > type->precision - type->scale) {
        return STOA_FIT_NONE;
    }
    return layout->byte_width == 16 && layout->scale == type->scale ? STOA_FIT_SAME
                                                                    : STOA_FIT_CONVERT;
}

static int64_t units_per_second(stoa_type_unit unit) {
    static const int64_t UNITS[] = {1, 1000, 1000000, 1000000000};
    return UNITS[unit];
}

int64_t stoa_fit_unit_factor(const stoa_type *type, const stoa_arrow_layout *layout) {
    if (type->kind == STOA_TYPE_TIMESTAMP && layout->kind == STOA_ARROW_DATE32) {
        return 86400 * units_per_second(type->unit);
    }
    return stoa_type_has_unit(type->kind)
               ? units_per_second(type->unit) / stoa_time_unit_per_second(layout->unit)
               : 1;
}

static stoa_fit fit_unit(const stoa_type *type, const stoa_arrow_layout *layout) {
    int64_t target = units_per_second(type->unit);
    int64_t source = stoa_time_unit_per_second(layout->unit);
    return source == target ? STOA_FIT_SAME : source < target ? STOA_FIT_CONVERT : STOA_FIT_NONE;
}

static stoa_fit fit_temporal(const stoa_type *type, const stoa_arrow_layout *layout) {
    bool zone = layout->timezone_view != NULL && layout->timezone_view[0] != '\0';
    switch (type->kind) {
    case STOA_TYPE_TIME:
        return layout->kind == STOA_ARROW_TIME32 || layout->kind == STOA_ARROW_TIME64
                   ? fit_unit(type, layout)
                   : STOA_FIT_NONE;
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
        if (layout->kind == STOA_ARROW_DATE32) { /* its midnight */
            return type->kind == STOA_TYPE_TIMESTAMP ? STOA_FIT_CONVERT : STOA_FIT_NONE;
        }
        return layout->kind == STOA_ARROW_TIMESTAMP &&
                       zone == (type->kind == STOA_TYPE_TIMESTAMP_TZ)
                   ? fit_unit(type, layout)
                   : STOA_FIT_NONE;
    default: return layout->kind == STOA_ARROW_DURATION ? fit_unit(type, layout) : STOA_FIT_NONE;
    }
}

/* The canonical kind of types whose twins are only other layouts of the same values. */
static stoa_fit fit_kinds(stoa_arrow_kind source, stoa_arrow_kind same, stoa_arrow_kind other,
                          stoa_arrow_kind another) {
    return source == same                         ? STOA_FIT_SAME
           : source == other || source == another ? STOA_FIT_CONVERT
                                                  : STOA_FIT_NONE;
}

stoa_fit stoa_fit_node(const stoa_type *type, const stoa_arrow_layout *layout,
                       stoa_extension extension) {
    stoa_arrow_kind source = layout->kind;
    if (source == STOA_ARROW_NULL) {
        return type->kind == STOA_TYPE_UNKNOWN ? STOA_FIT_SAME : STOA_FIT_CONVERT;
    }
    if (extension == STOA_EXTENSION_BOOL8 && source == STOA_ARROW_INT8) {
        return type->kind == STOA_TYPE_BOOLEAN ? STOA_FIT_CONVERT : STOA_FIT_NONE;
    }
    bool uuid = extension == STOA_EXTENSION_UUID;
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return STOA_FIT_NONE;
    case STOA_TYPE_BOOLEAN: return source == STOA_ARROW_BOOL ? STOA_FIT_SAME : STOA_FIT_NONE;
    case STOA_TYPE_INT8:
    case STOA_TYPE_INT16:
    case STOA_TYPE_INT:
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_UINT64: return fit_integer(type->kind, source);
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE: return fit_float(type->kind, source);
    case STOA_TYPE_DECIMAL: return fit_decimal(type, layout);
    case STOA_TYPE_DATE:
        return fit_kinds(source, STOA_ARROW_DATE32, STOA_ARROW_DATE64, STOA_ARROW_DATE64);
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION: return fit_temporal(type, layout);
    case STOA_TYPE_INTERVAL:
        return fit_kinds(source, STOA_ARROW_INTERVAL_MONTH_DAY_NANO, STOA_ARROW_INTERVAL_MONTHS,
                         STOA_ARROW_INTERVAL_DAY_TIME);
    case STOA_TYPE_STRING:
        return fit_kinds(source, STOA_ARROW_STRING, STOA_ARROW_LARGE_STRING,
                         STOA_ARROW_STRING_VIEW);
    case STOA_TYPE_BINARY:
        return fit_kinds(source, STOA_ARROW_BINARY, STOA_ARROW_LARGE_BINARY,
                         STOA_ARROW_BINARY_VIEW);
    case STOA_TYPE_FIXED:
        return source == STOA_ARROW_FIXED && layout->byte_width == type->length && !uuid
                   ? STOA_FIT_SAME
                   : STOA_FIT_NONE;
    case STOA_TYPE_UUID:
        return source == STOA_ARROW_FIXED && layout->byte_width == 16 && uuid ? STOA_FIT_SAME
                                                                              : STOA_FIT_NONE;
    case STOA_TYPE_LIST:
        return fit_kinds(source, STOA_ARROW_LIST, STOA_ARROW_LARGE_LIST, STOA_ARROW_FIXED_LIST);
    case STOA_TYPE_MAP: return fit_kinds(source, STOA_ARROW_MAP, STOA_ARROW_MAP, STOA_ARROW_MAP);
    case STOA_TYPE_STRUCT:
        return fit_kinds(source, STOA_ARROW_STRUCT, STOA_ARROW_STRUCT, STOA_ARROW_STRUCT);
    }
    return STOA_FIT_NONE;
}

stoa_extension stoa_arrow_extension(const struct ArrowSchema *arrow) {
    const char *value;
    int32_t size;
    if (!stoa_arrow_metadata_find(arrow->metadata, "ARROW:extension:name", &value, &size)) {
        return STOA_EXTENSION_NONE;
    }
    return stoa_ascii_same_word(value, (size_t)size, "arrow.uuid")    ? STOA_EXTENSION_UUID
           : stoa_ascii_same_word(value, (size_t)size, "arrow.bool8") ? STOA_EXTENSION_BOOL8
                                                                      : STOA_EXTENSION_NONE;
}

static bool named(const struct ArrowSchema *child, const char *name) {
    return child->name != NULL && strcmp(child->name, name) == 0;
}

int64_t stoa_fit_child(const stoa_type *type, int32_t index, const struct ArrowSchema *arrow) {
    const char *name = type->children[index].name;
    if (index < arrow->n_children && named(arrow->children[index], name)) {
        return index;
    }
    for (int64_t i = 0; i < arrow->n_children; i++) {
        if (named(arrow->children[i], name)) {
            return i;
        }
    }
    int64_t found = -1;
    size_t size = strlen(name);
    for (int64_t i = 0; i < arrow->n_children; i++) {
        const char *other = arrow->children[i]->name;
        if (other != NULL && stoa_ascii_same_word(name, size, other)) {
            if (found >= 0) {
                return -1;
            }
            found = i;
        }
    }
    for (int32_t i = 0; found >= 0 && i < type->child_count; i++) {
        if (i != index && stoa_ascii_same_word(name, size, type->children[i].name)) {
            return -1;
        }
    }
    return found;
}
