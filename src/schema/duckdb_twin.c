/* The DuckDB twins of types, as SQL. docs/design/types.md has the table with what each costs.
 *
 * DuckDB's instants and its intervals end at microseconds; a type that may hold more is refused
 * rather than cut. */
#include "schema/internal.h"
#include "schema/schema.h"

static stoa_status refuse(const stoa_type *type, const char *why, stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED, "type %s has no twin in DuckDB: %s",
                     stoa_type_describe(type).text, why);
}

static const char *timestamp_name(stoa_type_unit unit) {
    static const char *const NAMES[] = {"TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS"};
    return NAMES[unit];
}

/* NULL: not one word. */
static const char *plain_name(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_UNKNOWN: return "\"NULL\"";
    case STOA_TYPE_BOOLEAN: return "BOOLEAN";
    case STOA_TYPE_INT8: return "TINYINT";
    case STOA_TYPE_INT16: return "SMALLINT";
    case STOA_TYPE_INT: return "INTEGER";
    case STOA_TYPE_LONG: return "BIGINT";
    case STOA_TYPE_UINT8: return "UTINYINT";
    case STOA_TYPE_UINT16: return "USMALLINT";
    case STOA_TYPE_UINT32: return "UINTEGER";
    case STOA_TYPE_UINT64: return "UBIGINT";
    case STOA_TYPE_FLOAT: return "FLOAT";
    case STOA_TYPE_DOUBLE: return "DOUBLE";
    case STOA_TYPE_DATE: return "DATE";
    case STOA_TYPE_TIME: return type->unit == STOA_TYPE_NANOSECONDS ? "TIME_NS" : "TIME";
    case STOA_TYPE_TIMESTAMP: return timestamp_name(type->unit);
    case STOA_TYPE_STRING: return "VARCHAR";
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED: return "BLOB";
    case STOA_TYPE_UUID: return "UUID";
    case STOA_TYPE_INTERVAL: return "INTERVAL";
    default: return NULL;
    }
}

static stoa_status print_type(const stoa_type *type, stoa_buffer *out, stoa_error *err);

static stoa_status print_struct(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    if (type->child_count == 0) {
        return refuse(type, "a struct needs a field there", err);
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(stoa_buffer_append_text(out, i == 0 ? "STRUCT(" : ", ", err));
        STOA_TRY(stoa_sql_identifier_print(type->children[i].name, out, err));
        STOA_TRY(stoa_buffer_append_text(out, " ", err));
        STOA_TRY(print_type(&type->children[i].type, out, err));
    }
    return stoa_buffer_append_text(out, ")", err);
}

static stoa_status print_nested(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    switch (type->kind) {
    case STOA_TYPE_LIST:
        STOA_TRY(print_type(&type->children[0].type, out, err));
        return stoa_buffer_append_text(out, "[]", err);
    case STOA_TYPE_MAP:
        STOA_TRY(stoa_buffer_append_text(out, "MAP(", err));
        STOA_TRY(print_type(&type->children[0].type, out, err));
        STOA_TRY(stoa_buffer_append_text(out, ", ", err));
        STOA_TRY(print_type(&type->children[1].type, out, err));
        return stoa_buffer_append_text(out, ")", err);
    default: return print_struct(type, out, err);
    }
}

static stoa_status print_type(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    const char *name = plain_name(type);
    if (name != NULL) {
        return stoa_buffer_append_text(out, name, err);
    }
    switch (type->kind) {
    case STOA_TYPE_DECIMAL:
        return stoa_buffer_append_format(out, err, "DECIMAL(%d, %d)", (int)type->precision,
                                         (int)type->scale);
    case STOA_TYPE_TIMESTAMP_TZ:
        return type->unit == STOA_TYPE_NANOSECONDS
                   ? refuse(type, "its instants end at microseconds", err)
                   : stoa_buffer_append_text(out, "TIMESTAMP WITH TIME ZONE", err);
    case STOA_TYPE_DURATION:
        return type->unit == STOA_TYPE_NANOSECONDS
                   ? refuse(type, "its intervals end at microseconds", err)
                   : stoa_buffer_append_text(out, "INTERVAL", err);
    default: return print_nested(type, out, err);
    }
}

stoa_status stoa_type_to_duckdb(const stoa_type *type, stoa_buffer *out, stoa_error *err) {
    return print_type(type, out, err);
}
