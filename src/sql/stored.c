/* See stored.h. */
#include "sql/stored.h"

#include "base/error.h"
#include "schema/schema.h"

static bool is_rounded(const stoa_type *type) {
    bool counted = type->kind == STOA_TYPE_TIMESTAMP_TZ || type->kind == STOA_TYPE_DURATION;
    if (counted && type->unit == STOA_TYPE_NANOSECONDS) {
        return true;
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        if (is_rounded(&type->children[i].type)) {
            return true;
        }
    }
    return false;
}

static bool holds_duration(const stoa_type *type) {
    for (int32_t i = 0; i < type->child_count; i++) {
        if (holds_duration(&type->children[i].type)) {
            return true;
        }
    }
    return type->kind == STOA_TYPE_DURATION;
}

stoa_status stoa_sql_check_carried(const stoa_schema *schema, stoa_error *err) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        if (is_rounded(&field->type)) {
            char type[128];
            stoa_type_print(&field->type, type, sizeof type);
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "column '%s': %s is finer than the engine's microseconds, so rows of "
                             "this table cannot be rewritten by SQL",
                             field->name, type);
        }
    }
    return STOA_OK;
}

static stoa_status add_duration(struct sql_text *text, const stoa_field *field, stoa_error *err) {
    static const char *const to_micros[] = {" * 1000000)", " * 1000)", ")", " // 1000)"};
    STOA_TRY(stoa_sql_text_add(text, "to_microseconds(", err));
    STOA_TRY(stoa_sql_text_identifier(text, field->name, err));
    return stoa_sql_text_add(text, to_micros[field->type.unit], err);
}

stoa_status stoa_sql_add_stored(struct sql_text *text, const stoa_field *field, bool parquet,
                                stoa_error *err) {
    if (parquet && field->type.kind == STOA_TYPE_DURATION) {
        return add_duration(text, field, err);
    }
    if (parquet && holds_duration(&field->type)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "column '%s': the engine cannot read durations within other types from "
                         "Parquet",
                         field->name);
    }
    STOA_TRY(stoa_sql_text_add(text, "CAST(", err));
    STOA_TRY(stoa_sql_text_identifier(text, field->name, err));
    STOA_TRY(stoa_sql_text_add(text, " AS ", err));
    STOA_TRY(stoa_type_to_duckdb(&field->type, &text->text, err));
    return stoa_sql_text_add(text, ")", err);
}
