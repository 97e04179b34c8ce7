/* Nodes of predicates, and the rules by which a constant meets a column's type.
 *
 * A comparison is decided here when the constant lies between two steps of the type, or beyond its
 * ends: `i < 2.5` is `i <= 2`, `tiny > 1000` is never true. Never true is not FALSE, for a null
 * makes it unknown: it is "field in ()", false for every value and unknown for null, and its
 * negation is true for every value and unknown for null. */
#include "schema/predicate_build.h"

#include <string.h>

#include "base/utf8.h"

stoa_status stoa_predicate_leaf(stoa_arena *arena, stoa_predicate_kind kind, int32_t field_id,
                                const stoa_value *values, int32_t value_count,
                                const stoa_predicate **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof(stoa_predicate), &memory, err));
    stoa_predicate *leaf = memory;
    *leaf = (stoa_predicate){.kind = kind, .field_id = field_id, .value_count = value_count};
    if (value_count > 0) {
        STOA_TRY(stoa_arena_allocate_array(arena, (size_t)value_count, sizeof(stoa_value), &memory,
                                           err));
        memcpy(memory, values, (size_t)value_count * sizeof(stoa_value));
        leaf->values = memory;
    }
    *out = leaf;
    return STOA_OK;
}

stoa_status stoa_predicate_node(stoa_arena *arena, stoa_predicate_kind kind,
                                const stoa_predicate *const *children, int32_t child_count,
                                const stoa_predicate **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate(arena, sizeof(stoa_predicate), &memory, err));
    stoa_predicate *node = memory;
    *node = (stoa_predicate){.kind = kind, .child_count = child_count};
    if (child_count > 0) {
        STOA_TRY(stoa_arena_allocate_array(arena, (size_t)child_count, sizeof(stoa_predicate *),
                                           &memory, err));
        memcpy(memory, children, (size_t)child_count * sizeof(stoa_predicate *));
        node->children = memory;
    }
    *out = node;
    return STOA_OK;
}

/* -- what a literal means for a type ---------------------------------------------------------- */

/* Where the constant lies: on a value of the type, between two, or beyond them. */
struct meeting {
    enum { MEETS_NULL, MEETS_VALUE, MEETS_GAP, MEETS_BELOW, MEETS_ABOVE } where;
    stoa_value value; /* of MEETS_GAP: the one below */
};

static stoa_status refuse(const stoa_field *field, const stoa_literal *literal, stoa_error *err) {
    const char *form = literal->form == STOA_LITERAL_BOOLEAN ? (literal->truth ? "true" : "false")
                                                             : literal->text;
    size_t size = literal->form == STOA_LITERAL_BOOLEAN ? strlen(form) : literal->size;
    bool shown = size <= 60 && stoa_utf8_valid(form, size, NULL);
    return stoa_fail(err, STOA_INVALID,
                     "column '%s': expected a constant of type %s but found %s%.*s%s", field->name,
                     stoa_type_describe(&field->type).text,
                     literal->form == STOA_LITERAL_TEXT ? "'" : "", shown ? (int)size : 3,
                     shown ? form : "...", literal->form == STOA_LITERAL_TEXT ? "'" : "");
}

static bool is_number(stoa_type_kind kind) {
    return (kind >= STOA_TYPE_INT8 && kind <= STOA_TYPE_UINT64) || kind == STOA_TYPE_DECIMAL ||
           kind == STOA_TYPE_FLOAT || kind == STOA_TYPE_DOUBLE;
}

/* May a literal that names its own type stand for this column's? */
static bool types_meet(const stoa_literal *literal, stoa_type_kind column) {
    stoa_type_kind own = literal->type.kind;
    if (!literal->typed) {
        return true;
    }
    if (is_number(own) || is_number(column)) {
        return is_number(own) && is_number(column);
    }
    if (own == STOA_TYPE_DATE || own == STOA_TYPE_TIMESTAMP) {
        return column == STOA_TYPE_DATE || column == STOA_TYPE_TIMESTAMP;
    }
    if (own == STOA_TYPE_INTERVAL) {
        return column == STOA_TYPE_DURATION;
    }
    return own == column || (own == STOA_TYPE_BINARY && column == STOA_TYPE_FIXED);
}

/* A timestamp's point on the grid of days, from nanoseconds. */
static bool read_as_date(const stoa_literal *literal, struct stoa_grid *out) {
    const __int128 day = (__int128)86400 * 1000000000;
    stoa_zone zone;
    bool day_only;
    if (!stoa_grid_from_timestamp(literal->text, literal->size, 1000000000, out, &zone,
                                  &day_only) ||
        zone != STOA_ZONE_NONE) {
        return false;
    }
    if (!literal->typed && !day_only) {
        return false;
    }
    __int128 rest = out->floor % day;
    out->exact = out->exact && rest == 0;
    out->floor = out->floor / day - (rest < 0 ? 1 : 0);
    return true;
}

static bool read_on_grid(const stoa_type *type, const stoa_literal *literal,
                         struct stoa_grid *out) {
    stoa_zone zone;
    bool day_only;
    int64_t per_second = stoa_type_per_second(type);
    if (literal->form == STOA_LITERAL_NUMBER && !is_number(type->kind)) {
        return false;
    }
    switch (type->kind) {
    case STOA_TYPE_DATE: return read_as_date(literal, out);
    case STOA_TYPE_TIME: return stoa_grid_from_time(literal->text, literal->size, per_second, out);
    case STOA_TYPE_TIMESTAMP:
        return stoa_grid_from_timestamp(literal->text, literal->size, per_second, out, &zone,
                                        &day_only) &&
               zone == STOA_ZONE_NONE;
    case STOA_TYPE_TIMESTAMP_TZ:
        return stoa_grid_from_timestamp(literal->text, literal->size, per_second, out, &zone,
                                        &day_only) &&
               zone == STOA_ZONE_GIVEN;
    case STOA_TYPE_DURATION:
        return stoa_grid_from_duration(literal->text, literal->size, per_second, out);
    default:
        return stoa_grid_from_number(literal->text, literal->size,
                                     type->kind == STOA_TYPE_DECIMAL ? type->scale : 0, out);
    }
}

static void meet_on_grid(const stoa_type *type, const struct stoa_grid *grid, struct meeting *out) {
    __int128 low;
    __int128 high;
    stoa_grid_range(type, &low, &high);
    if (grid->huge != 0) {
        out->where = grid->huge > 0 ? MEETS_ABOVE : MEETS_BELOW;
    } else if (grid->floor > high || (grid->floor == high && !grid->exact)) {
        out->where = MEETS_ABOVE;
    } else if (grid->floor < low) {
        out->where = MEETS_BELOW;
    } else {
        out->where = grid->exact ? MEETS_VALUE : MEETS_GAP;
        out->value = stoa_grid_value(type, grid->floor);
    }
}

static stoa_status meet(stoa_arena *arena, const stoa_field *field, const stoa_literal *literal,
                        struct meeting *out, stoa_error *err) {
    const stoa_type *type = &field->type;
    *out = (struct meeting){.where = MEETS_VALUE, .value = {.type = *type}};
    if (literal->form == STOA_LITERAL_NULL) {
        out->where = MEETS_NULL;
        out->value.is_null = true;
        return STOA_OK;
    }
    if (literal->form == STOA_LITERAL_BOOLEAN) {
        out->value.i = literal->truth;
        return type->kind == STOA_TYPE_BOOLEAN ? STOA_OK : refuse(field, literal, err);
    }
    if (!types_meet(literal, type->kind)) {
        return refuse(field, literal, err);
    }
    if (stoa_type_has_grid(type)) {
        struct stoa_grid grid;
        if (!read_on_grid(type, literal, &grid)) {
            return refuse(field, literal, err);
        }
        meet_on_grid(type, &grid, out);
        return STOA_OK;
    }
    if (literal->form == STOA_LITERAL_NUMBER && !is_number(type->kind)) {
        return refuse(field, literal, err);
    }
    stoa_status status = stoa_value_parse(arena, type, literal->text, literal->size, &out->value,
                                          err);
    return status == STOA_INVALID ? refuse(field, literal, err) : status;
}

/* -- leaves ----------------------------------------------------------------------------------- */

static stoa_status decided(stoa_arena *arena, const stoa_field *field, bool truth,
                           const stoa_predicate **out, stoa_error *err) {
    const stoa_predicate *never = NULL;
    STOA_TRY(stoa_predicate_leaf(arena, STOA_PREDICATE_IN, field->id, NULL, 0, &never, err));
    if (!truth) {
        *out = never;
        return STOA_OK;
    }
    return stoa_predicate_node(arena, STOA_PREDICATE_NOT, &never, 1, out, err);
}

static bool is_less(stoa_predicate_kind op) {
    return op == STOA_PREDICATE_LESS || op == STOA_PREDICATE_LESS_EQUAL;
}

stoa_status stoa_predicate_compare(stoa_arena *arena, stoa_predicate_kind op,
                                   const stoa_field *field, const stoa_literal *literal,
                                   const stoa_predicate **out, stoa_error *err) {
    struct meeting meeting;
    STOA_TRY(meet(arena, field, literal, &meeting, err));
    if (meeting.where == MEETS_NULL || meeting.where == MEETS_VALUE) {
        return stoa_predicate_leaf(arena, op, field->id, &meeting.value, 1, out, err);
    }
    if (op == STOA_PREDICATE_EQUAL || op == STOA_PREDICATE_NOT_EQUAL) {
        return decided(arena, field, op == STOA_PREDICATE_NOT_EQUAL, out, err);
    }
    if (meeting.where == MEETS_GAP) {
        return stoa_predicate_leaf(arena,
                                   is_less(op) ? STOA_PREDICATE_LESS_EQUAL : STOA_PREDICATE_GREATER,
                                   field->id, &meeting.value, 1, out, err);
    }
    return decided(arena, field, is_less(op) == (meeting.where == MEETS_ABOVE), out, err);
}

stoa_status stoa_predicate_in(stoa_arena *arena, const stoa_field *field,
                              const stoa_literal *literals, int32_t count,
                              const stoa_predicate **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count, sizeof(stoa_value), &memory, err));
    stoa_value *values = memory;
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        struct meeting meeting;
        STOA_TRY(meet(arena, field, &literals[i], &meeting, err));
        if (meeting.where == MEETS_NULL || meeting.where == MEETS_VALUE) {
            values[kept++] = meeting.value;
        }
    }
    return stoa_predicate_leaf(arena, STOA_PREDICATE_IN, field->id, values, kept, out, err);
}
