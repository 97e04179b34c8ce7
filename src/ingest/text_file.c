/* What is fixed before the blocks of text files are read: dialect, columns, and the query that reads
 * each block. */
#include "ingest/text_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ingest/answer.h"
#include "ingest/columns.h"
#include "ingest/csv_rows.h"
#include "ingest/json_check.h"
#include "ingest/jsonl.h"
#include "schema/schema.h"
#include "sql/sql.h"

enum { SAMPLE_LINES = 20480, SAMPLE_BYTES_MAX = 32 << 20 };

stoa_status stoa_text_open_reader(stoa_text_source *source, const struct text_file *file,
                                  stoa_text_reader *out, stoa_error *err) {
    STOA_TRY(stoa_text_reader_open(stoa_database_file_systems(source->database), file->input,
                                   source->context, source->tuning.block_bytes, out, err));
    out->record_bytes_max = source->tuning.record_bytes_max;
    return STOA_OK;
}

void stoa_text_scrub(const struct text_file *file, const stoa_text_block *block, stoa_error *err) {
    char path[48];
    char rest[STOA_ERROR_MESSAGE_BYTES];
    if (err == NULL) {
        return;
    }
    err->message[strcspn(err->message, "\n")] = '\0';
    err->query_offset = -1;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d\"", block->descriptor);
    char *named = strstr(err->message, path);
    if (named != NULL) {
        (void)snprintf(rest, sizeof rest, "%s", named + strlen(path));
        (void)snprintf(named, sizeof err->message - (size_t)(named - err->message), "%s\"%s",
                       file->input->name, rest);
    }
}

stoa_status stoa_text_fail_deep(int64_t line, stoa_error *err) {
    stoa_fail(err, STOA_LIMIT, "line %lld: expected values nested at most %d levels deep",
              (long long)line, STOA_JSON_DEPTH_MAX);
    if (err != NULL) {
        err->line = line;
    }
    return STOA_LIMIT;
}

/* Before the engine sees it. */
static stoa_status check_depth(const stoa_text_block *sample, stoa_error *err) {
    static const stoa_schema anything;
    stoa_json_place place;
    return stoa_json_check((const char *)sample->bytes, sample->size, &anything, &place) ==
                   STOA_JSON_DEEP
               ? stoa_text_fail_deep(place.line, err)
               : STOA_OK;
}

void stoa_text_explain_json(stoa_session *session, const char *options,
                            const struct text_file *file, const stoa_text_block *block,
                            const stoa_context *context, stoa_error *err) {
    stoa_error found = STOA_ERROR_NONE;
    if (err == NULL ||
        stoa_jsonl_first_bad_line(session, options, block, context, &found) != STOA_INVALID) {
        return;
    }
    *err = found;
    stoa_wrap(err, "reading '%s': line %lld", file->input->name, (long long)found.line);
    stoa_error_set_file(err, file->input->name, -1);
}

static stoa_status look_at(stoa_text_source *source, struct text_file *file,
                           stoa_text_block *sample, stoa_error *err) {
    stoa_text_reader reader;
    STOA_TRY(stoa_text_open_reader(source, file, &reader, err));
    stoa_status status = stoa_text_reader_peek(&reader, SAMPLE_LINES, SAMPLE_BYTES_MAX, sample,
                                               err);
    stoa_text_reader_release(&reader);
    STOA_TRY(status);
    if (source->json) {
        STOA_TRY(check_depth(sample, err));
        status = stoa_jsonl_find(source->session, sample, source->context, &file->found, err);
        if (status == STOA_INVALID) {
            stoa_text_explain_json(source->session, "", file, sample, source->context, err);
        }
        return status;
    }
    STOA_TRY(stoa_csv_dialect_find(source->session, file->input, sample, source->target,
                                   source->context, &file->dialect, err));
    file->found = stoa_schema_retain(file->dialect.found);
    return STOA_OK;
}

stoa_status stoa_text_look_at_all(stoa_text_source *source, stoa_error *err) {
    stoa_text_block sample = {.pool = source->context->pool};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < source->file_count && status == STOA_OK; i++) {
        status = look_at(source, &source->files[i], &sample, err);
        if (status != STOA_OK && err != NULL && err->file[0] == '\0') {
            stoa_text_scrub(&source->files[i], &sample, err);
            stoa_wrap(err, "reading '%s'", source->files[i].input->name);
            stoa_error_set_file(err, source->files[i].input->name, -1);
        }
    }
    stoa_text_block_release(&sample);
    return status;
}

/* "SELECT CAST(NULL AS BIGINT) AS "a", …": rows of a file's columns, without a file. */
static stoa_status print_columns(const stoa_schema *schema, stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(sql, "SELECT ", err));
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        STOA_TRY(stoa_buffer_append_text(sql, i == 0 ? "CAST(NULL AS " : ", CAST(NULL AS ", err));
        STOA_TRY(stoa_type_to_duckdb(&field->type, sql, err));
        STOA_TRY(stoa_buffer_append_text(sql, ") AS ", err));
        STOA_TRY(stoa_sql_identifier_print(field->name, sql, err));
    }
    return STOA_OK;
}

static bool same_columns(const stoa_schema *left, const stoa_schema *right) {
    return stoa_type_equal(&left->root, &right->root, false);
}

static bool is_number(const stoa_type *type) {
    return type->kind == STOA_TYPE_LONG || type->kind == STOA_TYPE_DOUBLE;
}

static bool is_day(const stoa_type *type) {
    return type->kind == STOA_TYPE_DATE || type->kind == STOA_TYPE_TIMESTAMP;
}

/* True when texts of both types can be read as what the engine calls their common type. */
static bool agree(const stoa_type *left, const stoa_type *right) {
    return stoa_type_equal(left, right, false) || (is_number(left) && is_number(right)) ||
           (is_day(left) && is_day(right));
}

/* The engine has a common type for any two (a number and a date make a date); texts of such columns
 * are strings. */
static stoa_status settle(stoa_text_source *source, stoa_error *err) {
    static const stoa_type string = {.kind = STOA_TYPE_STRING};
    stoa_arena arena;
    void *memory = NULL;
    const stoa_schema *settled = NULL;
    int32_t count = source->schema->root.child_count;
    stoa_arena_init(&arena, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&arena, (size_t)count, sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    for (int32_t i = 0; i < count; i++) {
        const stoa_type *first = NULL;
        fields[i] = source->schema->root.children[i];
        for (size_t k = 0; k < source->file_count; k++) {
            const stoa_field *found = stoa_schema_column(source->files[k].found, fields[i].name);
            if (found != NULL && first != NULL && !agree(first, &found->type)) {
                fields[i].type = string;
            }
            first = first == NULL && found != NULL ? &found->type : first;
        }
    }
    STOA_CHECK(stoa_schema_create(source->context->pool, fields, count, false, &settled, err));
    stoa_schema_close(source->schema);
    source->schema = settled;

done:
    stoa_arena_release(&arena);
    return status;
}

stoa_status stoa_text_unite(stoa_text_source *source, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    const stoa_schema *last = source->files[0].found;
    bool differ = false;
    stoa_buffer_init(&sql, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(print_columns(last, &sql, err));
    for (size_t i = 1; i < source->file_count; i++) {
        const stoa_schema *found = source->files[i].found;
        if (!same_columns(last, found)) {
            STOA_CHECK(stoa_buffer_append_text(&sql, " UNION ALL BY NAME ", err));
            STOA_CHECK(print_columns(found, &sql, err));
            differ = true;
            last = found;
        }
    }
    if (!differ) {
        source->schema = stoa_schema_retain(last);
        goto done;
    }
    STOA_CHECK(stoa_buffer_append_text(&sql, " LIMIT 0", err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_ingest_describe(source->session, text, source->context, &source->schema, err));
    status = source->json ? STOA_OK : settle(source, err);

done:
    stoa_buffer_release(&sql);
    return status;
}

/* The file's columns in the types that all files have together. */
static stoa_status print_csv_options(stoa_text_source *source, const struct text_file *file,
                                     stoa_buffer *sql, stoa_error *err) {
    stoa_arena arena;
    void *memory = NULL;
    const stoa_schema *united = NULL;
    const stoa_schema *found = file->found;
    stoa_pool *pool = source->context->pool;
    stoa_arena_init(&arena, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&arena, (size_t)found->root.child_count,
                                         sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    for (int32_t i = 0; i < found->root.child_count; i++) {
        const stoa_field *field = stoa_schema_column(source->schema, found->root.children[i].name);
        fields[i] = found->root.children[i];
        fields[i].type = field == NULL ? fields[i].type : field->type;
    }
    STOA_CHECK(stoa_schema_create(pool, fields, found->root.child_count, false, &united, err));
    STOA_CHECK(stoa_csv_options_print(&file->dialect, united, source->target, pool, sql, err));

done:
    stoa_schema_close(united);
    stoa_arena_release(&arena);
    return status;
}

/* What the JSON reader is told is also what its texts are held to. */
static stoa_status print_json_options(stoa_text_source *source, stoa_buffer *sql, stoa_error *err) {
    const char *text = NULL;
    stoa_text_block empty = {.pool = source->context->pool};
    stoa_buffer query;
    stoa_buffer_init(&query, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_jsonl_options_print(source->schema, source->target, source->context->pool, sql, err));
    if (source->columns == NULL) {
        STOA_CHECK(stoa_text_block_reserve(&empty, 1, err));
        STOA_CHECK(stoa_text_block_seal(&empty, err));
        STOA_CHECK(stoa_buffer_text(sql, &text, err));
        STOA_CHECK(stoa_jsonl_query_print(text, &empty, &query, err));
        STOA_CHECK(stoa_buffer_text(&query, &text, err));
        STOA_CHECK(
            stoa_ingest_describe(source->session, text, source->context, &source->columns, err));
    }

done:
    stoa_text_block_release(&empty);
    stoa_buffer_release(&query);
    return status;
}

/* CSV: what comes out of a block, by whichever way. */
static stoa_status find_plain(stoa_text_source *source, struct text_file *file, stoa_error *err) {
    const char *text = NULL;
    stoa_text_block empty = {.pool = source->context->pool};
    stoa_buffer query;
    stoa_buffer_init(&query, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_text_block_reserve(&empty, 1, err));
    STOA_CHECK(stoa_text_block_seal(&empty, err));
    STOA_CHECK(stoa_csv_query_print(&file->dialect, file->options, &empty, false, &query, err));
    STOA_CHECK(stoa_buffer_text(&query, &text, err));
    STOA_CHECK(stoa_ingest_describe(source->session, text, source->context, &file->columns, err));
    STOA_CHECK(stoa_schema_to_arrow(source->context->pool, file->columns, &file->arrow, err));
    file->plain = !source->tuning.no_plain && stoa_csv_rows_offers(&file->dialect, file->columns);

done:
    stoa_text_block_release(&empty);
    stoa_buffer_release(&query);
    return status;
}

void stoa_text_file_release(struct text_file *file) {
    stoa_csv_dialect_release(&file->dialect);
    stoa_schema_close(file->found);
    stoa_schema_close(file->columns);
    stoa_arrow_schema_release(&file->arrow);
}

stoa_status stoa_text_print_options(stoa_text_source *source, struct text_file *file,
                                    stoa_error *err) {
    stoa_buffer sql;
    stoa_buffer_init(&sql, source->context->pool);
    stoa_status status = source->json ? print_json_options(source, &sql, err)
                                      : print_csv_options(source, file, &sql, err);
    if (status == STOA_OK) {
        status = stoa_arena_copy_text(&source->arena, (const char *)sql.data, sql.size,
                                      &file->options, err);
    }
    stoa_buffer_release(&sql);
    return status == STOA_OK && !source->json ? find_plain(source, file, err) : status;
}

void stoa_text_name_file(const struct text_file *file, stoa_error *err) {
    if (err != NULL && err->file[0] == '\0' && err->status != STOA_CANCELLED) {
        stoa_wrap(err, "reading '%s'", file->input->name);
        stoa_error_set_file(err, file->input->name, -1);
    }
}
