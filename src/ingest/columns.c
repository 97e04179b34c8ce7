/* The columns of texts in the engine's words. */
#include "ingest/columns.h"

#include <string.h>

#include "base/error.h"
#include "schema/schema.h"

static stoa_status append_typed(const char *name, const char *type, bool first, stoa_buffer *sql,
                                stoa_error *err) {
    STOA_TRY(first ? STOA_OK : stoa_buffer_append_text(sql, ", ", err));
    STOA_TRY(stoa_sql_literal_print(name, sql, err));
    STOA_TRY(stoa_buffer_append_text(sql, ": ", err));
    return stoa_sql_literal_print(type, sql, err);
}

bool stoa_ingest_is_one_map(const stoa_schema *found) {
    return found->root.child_count == 1 && found->root.children[0].type.kind == STOA_TYPE_MAP &&
           strcmp(found->root.children[0].name, "json") == 0;
}

/* The engine guesses whole numbers of both signs in JSON to be 128 bits wide. Nobody means that: the
 * guess becomes 64 bits, and a number beyond them is an error that --schema can settle. */
bool stoa_ingest_is_guessed_wide(const stoa_type *type) {
    if (type->kind == STOA_TYPE_DECIMAL) {
        return type->precision == 38 && type->scale == 0;
    }
    for (int32_t i = 0; i < type->child_count; i++) {
        if (stoa_ingest_is_guessed_wide(&type->children[i].type)) {
            return true;
        }
    }
    return false;
}

/* `type` in the engine's words, with wide guesses narrowed; types nest at most as deep as a schema
 * allows. */
static stoa_status append_guessed_type(const stoa_type *type, stoa_buffer *sql, stoa_error *err) {
    if (type->kind == STOA_TYPE_DECIMAL && stoa_ingest_is_guessed_wide(type)) {
        return stoa_buffer_append_text(sql, "BIGINT", err);
    }
    if (type->kind == STOA_TYPE_LIST && stoa_ingest_is_guessed_wide(type)) {
        STOA_TRY(append_guessed_type(&type->children[0].type, sql, err));
        return stoa_buffer_append_text(sql, "[]", err);
    }
    if (type->kind == STOA_TYPE_MAP && stoa_ingest_is_guessed_wide(type)) {
        STOA_TRY(stoa_buffer_append_text(sql, "MAP(", err));
        STOA_TRY(append_guessed_type(&type->children[0].type, sql, err));
        STOA_TRY(stoa_buffer_append_text(sql, ", ", err));
        STOA_TRY(append_guessed_type(&type->children[1].type, sql, err));
        return stoa_buffer_append_byte(sql, ')', err);
    }
    if (type->kind == STOA_TYPE_STRUCT && stoa_ingest_is_guessed_wide(type)) {
        STOA_TRY(stoa_buffer_append_text(sql, "STRUCT(", err));
        for (int32_t i = 0; i < type->child_count; i++) {
            STOA_TRY(i == 0 ? STOA_OK : stoa_buffer_append_text(sql, ", ", err));
            STOA_TRY(stoa_sql_identifier_print(type->children[i].name, sql, err));
            STOA_TRY(stoa_buffer_append_byte(sql, ' ', err));
            STOA_TRY(append_guessed_type(&type->children[i].type, sql, err));
        }
        return stoa_buffer_append_byte(sql, ')', err);
    }
    return stoa_type_to_duckdb(type, sql, err);
}

/* `wanted` NULL: the field's own type is a guess. */
static stoa_status append_field_type(const stoa_field *field, const stoa_type *wanted, bool first,
                                     stoa_buffer *text, stoa_buffer *sql, stoa_error *err) {
    const char *view = NULL;
    stoa_buffer_clear(text);
    STOA_TRY(wanted != NULL ? stoa_type_to_duckdb(wanted, text, err)
                            : append_guessed_type(&field->type, text, err));
    STOA_TRY(stoa_buffer_text(text, &view, err));
    return append_typed(field->name, view, first, sql, err);
}

static bool is_whole(stoa_type_kind kind) {
    return kind == STOA_TYPE_INT8 || kind == STOA_TYPE_INT16 || kind == STOA_TYPE_INT ||
           kind == STOA_TYPE_LONG;
}

/* The reader would round 1.5 to fit a column of whole numbers. Left as it was found, such a column
 * fails validation. */
static bool would_round(const stoa_field *found, const stoa_field *wanted) {
    return wanted != NULL && is_whole(wanted->type.kind) &&
           (found->type.kind == STOA_TYPE_DOUBLE || found->type.kind == STOA_TYPE_FLOAT);
}

stoa_status stoa_ingest_columns_print(const stoa_schema *found, const stoa_schema *target,
                                      stoa_ingest_columns which, stoa_pool *pool, stoa_buffer *sql,
                                      stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, pool);
    stoa_status status = STOA_OK;
    bool first = true;
    for (int32_t i = 0; i < found->root.child_count; i++) {
        const stoa_field *field = &found->root.children[i];
        const stoa_field *wanted = target == NULL ? NULL : stoa_schema_column(target, field->name);
        if (would_round(field, wanted)) {
            wanted = NULL;
        }
        if (wanted != NULL || which != STOA_COLUMNS_NAMED) {
            STOA_CHECK(append_field_type(field, wanted != NULL ? &wanted->type : NULL, first, &text,
                                         sql, err));
            first = false;
        }
    }
    int32_t wanted_count = which == STOA_COLUMNS_UNION && target != NULL ? target->root.child_count
                                                                         : 0;
    for (int32_t i = 0; i < wanted_count; i++) {
        const stoa_field *field = &target->root.children[i];
        if (stoa_schema_column(found, field->name) == NULL) {
            STOA_CHECK(append_field_type(field, &field->type, first, &text, sql, err));
            first = false;
        }
    }

done:
    stoa_buffer_release(&text);
    return status;
}
