/* The optimizer has already moved filters down to the scans and brought constants into the columns'
 * types, so the shapes to know are few:
 *
 *     BOUND_COMPARISON   reference op constant, either way round
 *     BOUND_BETWEEN      reference between two constants
 *     BOUND_CONJUNCTION  AND, OR
 *     BOUND_OPERATOR     IS NULL, IS NOT NULL, IN
 *     BOUND_FUNCTION     prefix (from LIKE 'abc%')
 *
 * Anything else, and any constant whose meaning is not beyond doubt, says nothing. */
#include "sql/plan_filter.h"

#include <string.h>

#include "base/checked.h"

enum { DEPTH_MAX = 100 };

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is_class(const json_t *expression, const char *name) {
    return strcmp(text_of(expression, "expression_class"), name) == 0;
}

/* The table's field that a reference means, or NULL. */
static const stoa_field *field_of(const struct filter_scope *scope, const json_t *expression) {
    const json_t *index = json_object_get(expression, "index");
    if (!is_class(expression, "BOUND_REF") || !json_is_integer(index)) {
        return NULL;
    }
    json_int_t at = json_integer_value(index);
    if (at < 0 || at >= scope->column_count || scope->columns[at] < 0) {
        return NULL;
    }
    return &scope->schema->root.children[scope->columns[at]];
}

/* ---- constants ------------------------------------------------------------------------------ */

/* The engine counts instants and times of day in microseconds, whatever our unit is. */
static bool from_micros(int64_t micros, stoa_type_unit unit, int64_t *out) {
    int64_t divisor = unit == STOA_TYPE_SECONDS        ? 1000000
                      : unit == STOA_TYPE_MILLISECONDS ? 1000
                                                       : 1;
    if (unit == STOA_TYPE_NANOSECONDS) {
        return stoa_mul_i64(micros, 1000, out);
    }
    *out = micros / divisor;
    return micros % divisor == 0;
}

static bool integer_constant(const json_t *value, const stoa_type *type, stoa_value *out) {
    if (!json_is_integer(value)) {
        return false;
    }
    out->i = json_integer_value(value);
    bool micros = type->kind == STOA_TYPE_TIMESTAMP_TZ ||
                  (type->kind == STOA_TYPE_TIME && type->unit != STOA_TYPE_NANOSECONDS);
    return !micros || from_micros(out->i, type->unit, &out->i);
}

static stoa_status text_constant(const struct filter_scope *scope, const json_t *value,
                                 stoa_value *out, bool *known, stoa_error *err) {
    *known = json_is_string(value);
    if (!*known) {
        return STOA_OK;
    }
    const char *copy;
    out->size = json_string_length(value);
    STOA_TRY(stoa_arena_copy_text(scope->arena, json_string_value(value), out->size, &copy, err));
    out->bytes = (const uint8_t *)copy;
    return STOA_OK;
}

/* The engine's type must be the very twin of the column's: no cast stands between them. */
static bool type_is_expected(const json_t *constant, const stoa_type *type) {
    const json_t *engine_type = json_object_get(constant, "type");
    const char *id = text_of(engine_type, "id");
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: return strcmp(id, "BOOLEAN") == 0;
    case STOA_TYPE_INT8: return strcmp(id, "TINYINT") == 0;
    case STOA_TYPE_INT16: return strcmp(id, "SMALLINT") == 0;
    case STOA_TYPE_INT: return strcmp(id, "INTEGER") == 0;
    case STOA_TYPE_LONG: return strcmp(id, "BIGINT") == 0;
    case STOA_TYPE_UINT8: return strcmp(id, "UTINYINT") == 0;
    case STOA_TYPE_UINT16: return strcmp(id, "USMALLINT") == 0;
    case STOA_TYPE_UINT32: return strcmp(id, "UINTEGER") == 0;
    case STOA_TYPE_UINT64: return strcmp(id, "UBIGINT") == 0;
    case STOA_TYPE_FLOAT: return strcmp(id, "FLOAT") == 0;
    case STOA_TYPE_DOUBLE: return strcmp(id, "DOUBLE") == 0;
    case STOA_TYPE_DATE: return strcmp(id, "DATE") == 0;
    case STOA_TYPE_STRING: return strcmp(id, "VARCHAR") == 0;
    case STOA_TYPE_TIME:
        return strcmp(id, type->unit == STOA_TYPE_NANOSECONDS ? "TIME_NS" : "TIME") == 0;
    case STOA_TYPE_TIMESTAMP_TZ: return strcmp(id, "TIMESTAMP WITH TIME ZONE") == 0;
    case STOA_TYPE_TIMESTAMP: {
        static const char *const ids[] = {"TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP",
                                          "TIMESTAMP_NS"};
        return strcmp(id, ids[type->unit]) == 0;
    }
    case STOA_TYPE_DECIMAL: {
        const json_t *info = json_object_get(engine_type, "type_info");
        return strcmp(id, "DECIMAL") == 0 &&
               json_integer_value(json_object_get(info, "width")) == type->precision &&
               json_integer_value(json_object_get(info, "scale")) == type->scale;
    }
    default: return false;
    }
}

static stoa_status read_constant(const struct filter_scope *scope, const json_t *expression,
                                 const stoa_type *type, stoa_value *out, bool *known,
                                 stoa_error *err) {
    *out = (stoa_value){.type = *type};
    *known = false;
    const json_t *constant = json_object_get(expression, "value");
    const json_t *value = json_object_get(constant, "value");
    if (!is_class(expression, "BOUND_CONSTANT") || !type_is_expected(constant, type) ||
        json_is_true(json_object_get(constant, "is_null"))) {
        return STOA_OK;
    }
    switch (type->kind) {
    case STOA_TYPE_STRING: return text_constant(scope, value, out, known, err);
    case STOA_TYPE_BOOLEAN:
        out->i = json_is_true(value);
        *known = json_is_boolean(value);
        break;
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
        out->f = json_number_value(value);
        *known = json_is_number(value);
        break;
    case STOA_TYPE_DECIMAL: /* over 18 digits it is an object of halves, and says nothing */
        *known = json_is_integer(value);
        out->decimal = json_integer_value(value);
        break;
    default: *known = integer_constant(value, type, out); break;
    }
    return STOA_OK;
}

/* ---- leaves --------------------------------------------------------------------------------- */

static stoa_status make_leaf(const struct filter_scope *scope, stoa_predicate_kind kind,
                             const stoa_field *field, const stoa_value *values, int32_t count,
                             const stoa_predicate **out, stoa_error *err) {
    stoa_predicate *leaf;
    stoa_value *copies = NULL;
    STOA_TRY(stoa_arena_allocate(scope->arena, sizeof *leaf, (void **)&leaf, err));
    STOA_TRY(stoa_arena_allocate_array(scope->arena, (size_t)count, sizeof *copies,
                                       (void **)&copies, err));
    for (int32_t i = 0; i < count; i++) {
        copies[i] = values[i];
    }
    *leaf = (stoa_predicate){.kind = kind,
                             .field_id = field->id,
                             .values = copies,
                             .value_count = count};
    *out = leaf;
    return STOA_OK;
}

static bool comparison_kind(const char *type, bool flipped, stoa_predicate_kind *out) {
    static const struct {
        const char *name;
        stoa_predicate_kind kind;
        stoa_predicate_kind flipped;
    } kinds[] = {
        {"COMPARE_EQUAL", STOA_PREDICATE_EQUAL, STOA_PREDICATE_EQUAL},
        {"COMPARE_NOTEQUAL", STOA_PREDICATE_NOT_EQUAL, STOA_PREDICATE_NOT_EQUAL},
        {"COMPARE_LESSTHAN", STOA_PREDICATE_LESS, STOA_PREDICATE_GREATER},
        {"COMPARE_GREATERTHAN", STOA_PREDICATE_GREATER, STOA_PREDICATE_LESS},
        {"COMPARE_LESSTHANOREQUALTO", STOA_PREDICATE_LESS_EQUAL, STOA_PREDICATE_GREATER_EQUAL},
        {"COMPARE_GREATERTHANOREQUALTO", STOA_PREDICATE_GREATER_EQUAL, STOA_PREDICATE_LESS_EQUAL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].name) == 0) {
            *out = flipped ? kinds[i].flipped : kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* field kind constant; NULL when the constant says nothing. */
static stoa_status compare(const struct filter_scope *scope, const stoa_field *field,
                           stoa_predicate_kind kind, const json_t *constant,
                           const stoa_predicate **out, stoa_error *err) {
    stoa_value value;
    bool known = false;
    STOA_TRY(read_constant(scope, constant, &field->type, &value, &known, err));
    return known ? make_leaf(scope, kind, field, &value, 1, out, err) : STOA_OK;
}

static stoa_status comparison(const struct filter_scope *scope, const json_t *expression,
                              const stoa_predicate **out, stoa_error *err) {
    const json_t *left = json_object_get(expression, "left");
    const json_t *right = json_object_get(expression, "right");
    const stoa_field *field = field_of(scope, left);
    bool flipped = field == NULL;
    field = flipped ? field_of(scope, right) : field;
    stoa_predicate_kind kind;
    if (field == NULL || !comparison_kind(text_of(expression, "type"), flipped, &kind)) {
        return STOA_OK;
    }
    return compare(scope, field, kind, flipped ? left : right, out, err);
}

static stoa_status between(const struct filter_scope *scope, const json_t *expression,
                           const stoa_predicate **out, stoa_error *err) {
    const stoa_field *field = field_of(scope, json_object_get(expression, "input"));
    const stoa_predicate *bounds[2] = {NULL, NULL};
    if (field == NULL) {
        return STOA_OK;
    }
    bool with_lower = json_is_true(json_object_get(expression, "lower_inclusive"));
    bool with_upper = json_is_true(json_object_get(expression, "upper_inclusive"));
    STOA_TRY(compare(scope, field,
                     with_lower ? STOA_PREDICATE_GREATER_EQUAL : STOA_PREDICATE_GREATER,
                     json_object_get(expression, "lower"), &bounds[0], err));
    STOA_TRY(compare(scope, field, with_upper ? STOA_PREDICATE_LESS_EQUAL : STOA_PREDICATE_LESS,
                     json_object_get(expression, "upper"), &bounds[1], err));
    return stoa_sql_predicate_join(scope->arena, STOA_PREDICATE_AND, bounds, 2, out, err);
}

static stoa_status in_list(const struct filter_scope *scope, const stoa_field *field,
                           const json_t *children, const stoa_predicate **out, stoa_error *err) {
    size_t count = json_array_size(children) - 1;
    stoa_value *values;
    STOA_TRY(stoa_arena_allocate_array(scope->arena, count, sizeof *values, (void **)&values, err));
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        STOA_TRY(read_constant(scope, json_array_get(children, i + 1), &field->type, &values[i],
                               &known, err));
        if (!known) {
            return STOA_OK;
        }
    }
    return make_leaf(scope, STOA_PREDICATE_IN, field, values, (int32_t)count, out, err);
}

static stoa_status operator(const struct filter_scope *scope, const json_t *expression,
                            const stoa_predicate **out, stoa_error *err) {
    const char *type = text_of(expression, "type");
    const json_t *children = json_object_get(expression, "children");
    const stoa_field *field = field_of(scope, json_array_get(children, 0));
    if (field == NULL || field->type.child_count > 0) {
        return STOA_OK;
    }
    if (strcmp(type, "OPERATOR_IS_NULL") == 0) {
        return make_leaf(scope, STOA_PREDICATE_IS_NULL, field, NULL, 0, out, err);
    }
    if (strcmp(type, "OPERATOR_IS_NOT_NULL") == 0) {
        return make_leaf(scope, STOA_PREDICATE_IS_NOT_NULL, field, NULL, 0, out, err);
    }
    if (strcmp(type, "COMPARE_IN") == 0 && json_array_size(children) > 1) {
        return in_list(scope, field, children, out, err);
    }
    return STOA_OK;
}

static stoa_status function(const struct filter_scope *scope, const json_t *expression,
                            const stoa_predicate **out, stoa_error *err) {
    const json_t *children = json_object_get(expression, "children");
    const stoa_field *field = field_of(scope, json_array_get(children, 0));
    if (field == NULL || field->type.kind != STOA_TYPE_STRING || json_array_size(children) != 2 ||
        strcmp(text_of(expression, "name"), "prefix") != 0) {
        return STOA_OK;
    }
    return compare(scope, field, STOA_PREDICATE_STARTS_WITH, json_array_get(children, 1), out, err);
}

/* ---- trees ---------------------------------------------------------------------------------- */

stoa_status stoa_sql_predicate_join(stoa_arena *arena, stoa_predicate_kind kind,
                                    const stoa_predicate *const *children, int32_t count,
                                    const stoa_predicate **out, stoa_error *err) {
    const stoa_predicate **kept;
    int32_t kept_count = 0;
    *out = NULL;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof *kept, (void **)&kept, err));
    for (int32_t i = 0; i < count; i++) {
        if (children[i] != NULL) {
            kept[kept_count++] = children[i];
        } else if (kind == STOA_PREDICATE_OR) {
            return STOA_OK; /* one side says nothing, so neither does the whole */
        }
    }
    if (kept_count <= 1) {
        *out = kept_count == 1 ? kept[0] : NULL;
        return STOA_OK;
    }
    stoa_predicate *joined;
    STOA_TRY(stoa_arena_allocate(arena, sizeof *joined, (void **)&joined, err));
    *joined = (stoa_predicate){.kind = kind, .children = kept, .child_count = kept_count};
    *out = joined;
    return STOA_OK;
}

static stoa_status convert(const struct filter_scope *scope, const json_t *expression, int depth,
                           const stoa_predicate **out, stoa_error *err);

static stoa_status conjunction(const struct filter_scope *scope, const json_t *expression,
                               int depth, const stoa_predicate **out, stoa_error *err) {
    bool any = strcmp(text_of(expression, "type"), "CONJUNCTION_OR") == 0;
    if (!any && strcmp(text_of(expression, "type"), "CONJUNCTION_AND") != 0) {
        return STOA_OK;
    }
    const json_t *children = json_object_get(expression, "children");
    size_t count = json_array_size(children);
    const stoa_predicate **parts;
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(scope->arena, count, sizeof *parts, (void **)&parts, err));
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(convert(scope, json_array_get(children, i), depth + 1, &parts[i], err));
    }
    return stoa_sql_predicate_join(scope->arena, any ? STOA_PREDICATE_OR : STOA_PREDICATE_AND,
                                   parts, (int32_t)count, out, err);
}

static stoa_status convert(const struct filter_scope *scope, const json_t *expression, int depth,
                           const stoa_predicate **out, stoa_error *err) {
    *out = NULL;
    if (depth > DEPTH_MAX) {
        return STOA_OK;
    }
    if (is_class(expression, "BOUND_COMPARISON")) {
        return comparison(scope, expression, out, err);
    }
    if (is_class(expression, "BOUND_BETWEEN")) {
        return between(scope, expression, out, err);
    }
    if (is_class(expression, "BOUND_CONJUNCTION")) {
        return conjunction(scope, expression, depth, out, err);
    }
    if (is_class(expression, "BOUND_OPERATOR")) {
        return operator(scope, expression, out, err);
    }
    if (is_class(expression, "BOUND_FUNCTION")) {
        return function(scope, expression, out, err);
    }
    return STOA_OK;
}

stoa_status stoa_sql_plan_filter(const struct filter_scope *scope, const json_t *expression,
                                 const stoa_predicate **out, stoa_error *err) {
    return convert(scope, expression, 0, out, err);
}
