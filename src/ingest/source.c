/* Reading files through the engine: the SQL for each format, and what the engine knows of rows that
 * it could not read.
 *
 * Types of text columns come from the target schema where there is one. They are given to the
 * reader and not cast afterwards: a text that was first guessed to be a timestamp would come out of
 * a cast with other characters than it had. Columns of a file that the target lacks keep their
 * guessed type and are rejected by validation, so that nothing is dropped in silence. */
#include "ingest/source.h"

#include <stdio.h>
#include <string.h>

#include "arrow/ipc.h"
#include "arrow/print.h"
#include "base/error.h"
#include "ingest/check.h"
#include "ingest/columns.h"
#include "mem/buffer.h"
#include "schema/schema.h"
#include "vfs/vfs.h"

#define REJECTS_TABLE "stoa_rejects"
#define REJECTS_SCANS "stoa_reject_scans"

struct request {
    const stoa_ingest_input *inputs;
    size_t count;
    const stoa_schema *target;
    bool rejects;
    bool all_rows; /* JSON: columns are found in every row, not in a sample */
    bool no_maps;  /* JSON: an object of many members is a struct */
};

bool stoa_ingest_same_source(const stoa_ingest_input *left, const stoa_ingest_input *right) {
    stoa_file_format format = left->kind.format;
    return format == right->kind.format &&
           format != STOA_FORMAT_ARROW_FILE && format != STOA_FORMAT_ARROW_STREAM;
}

static bool is_csv(stoa_file_format format) {
    return format == STOA_FORMAT_CSV || format == STOA_FORMAT_TSV;
}

static bool is_json(stoa_file_format format) {
    return format == STOA_FORMAT_JSON || format == STOA_FORMAT_JSONL;
}

static stoa_status append_files(const struct request *request, stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_byte(sql, '[', err));
    for (size_t i = 0; i < request->count; i++) {
        const char *path = stoa_vfs_local_path(request->inputs[i].path);
        if (path == NULL) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "'%s': only local files can be read in this format",
                             request->inputs[i].name);
        }
        STOA_TRY(i == 0 ? STOA_OK : stoa_buffer_append_text(sql, ", ", err));
        STOA_TRY(stoa_sql_literal_print(path, sql, err));
    }
    return stoa_buffer_append_byte(sql, ']', err);
}

/* ", types = {…}" or ", columns = {…}"; nothing where no column is named. */
static stoa_status append_type_map(const struct request *request, const stoa_schema *found,
                                   stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    bool json = is_json(request->inputs[0].kind.format);
    size_t before = sql->size;
    STOA_TRY(stoa_buffer_append_text(sql, json ? ", columns = {" : ", types = {", err));
    size_t start = sql->size;
    STOA_TRY(stoa_ingest_columns_print(found, request->target,
                                       json ? STOA_COLUMNS_UNION : STOA_COLUMNS_NAMED, pool, sql,
                                       err));
    if (sql->size == start) {
        return stoa_buffer_resize(sql, before, err);
    }
    return stoa_buffer_append_byte(sql, '}', err);
}

/* How the text is cut into values; `typed` when the columns are given, not guessed. */
static stoa_status append_text_options(const struct request *request, bool typed,
                                       const stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    const stoa_ingest_kind *kind = &request->inputs[0].kind;
    if (is_csv(kind->format)) {
        size_t bytes = stoa_ingest_csv_buffer_bytes(pool);
        STOA_TRY(stoa_buffer_append_format(
            sql, err, ", comment = '', max_line_size = %zu, buffer_size = %zu", bytes / 2, bytes));
    }
    if (kind->format == STOA_FORMAT_TSV) {
        STOA_TRY(stoa_buffer_append_text(sql, ", delim = '\t'", err));
    } else if (kind->format == STOA_FORMAT_JSONL) {
        STOA_TRY(stoa_buffer_append_text(sql, ", format = 'newline_delimited'", err));
    }
    if (is_json(kind->format) && !typed) {
        STOA_TRY(stoa_buffer_append_text(sql, request->all_rows ? ", sample_size = -1" : "", err));
        STOA_TRY(stoa_buffer_append_text(
            sql, request->no_maps ? ", map_inference_threshold = -1" : "", err));
    }
    /* Whatever its name ends in: compressed files were unpacked before. */
    return stoa_buffer_append_text(sql, ", compression = 'uncompressed'", err);
}

static stoa_status append_reader(const struct request *request, const stoa_schema *found,
                                 stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    stoa_file_format format = request->inputs[0].kind.format;
    bool union_by_name = request->count > 1;
    const char *function = is_csv(format) ? "read_csv(" : is_json(format) ? "read_json("
                                                                          : "read_parquet(";
    STOA_TRY(stoa_buffer_append_text(sql, function, err));
    STOA_TRY(append_files(request, sql, err));
    if (is_csv(format) || is_json(format)) {
        STOA_TRY(append_text_options(request, found != NULL, pool, sql, err));
    }
    if (found != NULL) {
        STOA_TRY(append_type_map(request, found, pool, sql, err));
        union_by_name = union_by_name && is_csv(format);
    }
    if (union_by_name) {
        STOA_TRY(stoa_buffer_append_text(sql, ", union_by_name = true", err));
    }
    if (request->rejects) {
        STOA_TRY(stoa_buffer_append_text(
            sql,
            ", store_rejects = true, rejects_table = '" REJECTS_TABLE
            "', rejects_scan = '" REJECTS_SCANS "'",
            err));
    }
    return stoa_buffer_append_byte(sql, ')', err);
}

/* The columns that the engine finds in the files by itself. */
static stoa_status find_columns(stoa_session *session, const struct request *request,
                                const stoa_context *context, const stoa_schema **out,
                                stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    const char *text = NULL;
    stoa_buffer sql;
    struct request plain = *request;
    plain.target = NULL;
    plain.rejects = false;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_text(&sql, "SELECT * FROM ", err));
    STOA_CHECK(append_reader(&plain, NULL, context->pool, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, " LIMIT 0", err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_session_run(session, text, context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    STOA_CHECK(stoa_schema_from_arrow(context->pool, &schema, out, err));

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
    stoa_buffer_release(&sql);
    return status;
}

/* The columns of JSON; NULL where the reader may find them again by itself. Columns that are given
 * make the reader drop all others in silence, so that they must come from every row. */
static stoa_status find_json_columns(stoa_session *session, struct request *request,
                                     const stoa_context *context, const stoa_schema **out,
                                     stoa_error *err) {
    STOA_TRY(find_columns(session, request, context, out, err));
    if (stoa_ingest_is_one_map(*out)) {
        stoa_schema_close(*out);
        *out = NULL;
        request->no_maps = true;
        STOA_TRY(find_columns(session, request, context, out, err));
    }
    if (request->all_rows) {
        return STOA_OK;
    }
    bool given = request->target != NULL || stoa_ingest_is_guessed_wide(&(*out)->root);
    stoa_schema_close(*out);
    *out = NULL;
    if (!given) {
        return STOA_OK;
    }
    request->all_rows = true;
    return find_columns(session, request, context, out, err);
}

static stoa_status check_inputs(stoa_database *database, stoa_session *session,
                                const struct request *request, const stoa_context *context,
                                stoa_error *err) {
    stoa_file_format format = request->inputs[0].kind.format;
    for (size_t i = 0; i < request->count; i++) {
        if (is_csv(format)) {
            STOA_TRY(stoa_ingest_check_csv(session, &request->inputs[i], context,
                                           stoa_database_file_systems(database), err));
        } else if (format == STOA_FORMAT_PARQUET) {
            STOA_TRY(stoa_ingest_check_parquet(session, &request->inputs[i], context,
                                               stoa_database_file_systems(database), err));
        }
    }
    return STOA_OK;
}

static stoa_status open_engine(stoa_database *database, struct request *request,
                               const stoa_context *context, stoa_ingest_source *out,
                               stoa_error *err) {
    const stoa_schema *found = NULL;
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    stoa_file_format format = request->inputs[0].kind.format;
    STOA_CHECK(stoa_session_open(database, &out->session, err));
    STOA_CHECK(check_inputs(database, out->session, request, context, err));
    if (is_json(format)) {
        STOA_CHECK(find_json_columns(out->session, request, context, &found, err));
    } else if (is_csv(format) && request->target != NULL) {
        STOA_CHECK(find_columns(out->session, request, context, &found, err));
    }
    STOA_CHECK(stoa_buffer_append_text(&sql, "SELECT * FROM ", err));
    STOA_CHECK(append_reader(request, found, context->pool, &sql, err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_session_run(out->session, text, context, &out->stream, NULL, err));
    out->rejects = request->rejects;

done:
    stoa_schema_close(found);
    stoa_buffer_release(&sql);
    return status;
}

stoa_status stoa_ingest_fail_json_rejects(stoa_error *err) {
    return stoa_fail(err, STOA_UNSUPPORTED,
                     "setting rows aside is not offered for JSON: load with --on-error fail, "
                     "or from CSV, Parquet or Arrow");
}

stoa_status stoa_ingest_source_open(stoa_database *database, const stoa_ingest_input *inputs,
                                    size_t count, const stoa_schema *target, bool rejects,
                                    const stoa_context *context, stoa_ingest_source *out,
                                    stoa_error *err) {
    *out = (stoa_ingest_source){0};
    stoa_file_format format = inputs[0].kind.format;
    stoa_status status;
    if (rejects && is_json(format)) {
        return stoa_ingest_fail_json_rejects(err);
    }
    if (format == STOA_FORMAT_ARROW_FILE || format == STOA_FORMAT_ARROW_STREAM) {
        stoa_file *file = NULL;
        STOA_ASSERT(count == 1);
        status = stoa_vfs_open(stoa_database_file_systems(database), inputs[0].path,
                               STOA_OPEN_READ, context, &file, err);
        if (status == STOA_OK) {
            status = stoa_ipc_read(context, file, &out->stream, err);
        }
    } else {
        struct request request = {.inputs = inputs,
                                  .count = count,
                                  .target = target,
                                  .rejects = rejects && is_csv(format),
                                  .all_rows = inputs[0].all_rows};
        status = open_engine(database, &request, context, out, err);
    }
    if (status == STOA_OK) {
        status = stoa_stream_schema(&out->stream, &out->schema, err);
    }
    if (status != STOA_OK) {
        stoa_ingest_source_release(out);
    }
    return status;
}

/* Runs the text a second time with rows set aside, and takes the first of them. */
static stoa_status first_reject(stoa_session *session, const stoa_context *context,
                                stoa_error *found, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    struct ArrowSchema schema = {0};
    stoa_buffer text;
    stoa_buffer_init(&text, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_session_run(
        session,
        "SELECT line::BIGINT AS line, column_name, error_type::VARCHAR AS kind, error_message, "
        "column_idx::INTEGER AS idx FROM " REJECTS_TABLE " ORDER BY line, column_idx LIMIT 1",
        context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    STOA_CHECK(stoa_stream_next(&stream, &batch, err));
    if (batch.release == NULL || batch.length == 0) {
        status = STOA_NOT_FOUND;
        goto done;
    }
    found->line = ((const int64_t *)batch.children[0]->buffers[1])[batch.children[0]->offset];
    const char *view = NULL;
    STOA_CHECK(stoa_arrow_value_print(schema.children[1], batch.children[1], 0, STOA_PRINT_TEXT,
                                      &text, err));
    STOA_CHECK(stoa_buffer_text(&text, &view, err));
    stoa_error_set_column(found, -1, view);
    stoa_buffer_clear(&text);
    STOA_CHECK(stoa_arrow_value_print(schema.children[3], batch.children[3], 0, STOA_PRINT_TEXT,
                                      &text, err));
    STOA_CHECK(stoa_buffer_text(&text, &view, err));
    (void)snprintf(found->message, sizeof found->message, "%s", view);

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    stoa_buffer_release(&text);
    return status;
}

static void drain(struct ArrowArrayStream *stream) {
    struct ArrowArray batch = {0};
    while (stoa_stream_next(stream, &batch, NULL) == STOA_OK && batch.release != NULL) {
        stoa_arrow_array_release(&batch);
    }
}

/* The reader's hints are options of its own; ours is --schema. */
static void replace_hint(stoa_error *err) {
    char *hint = strstr(err->message, " Try ");
    if (hint != NULL) {
        size_t room = sizeof err->message - (size_t)(hint - err->message);
        (void)snprintf(hint, room, "%s",
                       strncmp(err->message, "malformed", 9) == 0
                           ? ""
                           : " (--schema gives the columns and their types)");
    }
}

void stoa_ingest_source_explain(stoa_database *database, const stoa_ingest_input *inputs,
                                size_t count, const stoa_schema *target,
                                const stoa_context *context, stoa_error *err) {
    if (err == NULL || err->status == STOA_CANCELLED || err->file[0] != '\0') {
        return;
    }
    if (!is_csv(inputs[0].kind.format)) {
        replace_hint(err);
        if (count == 1) {
            stoa_wrap(err, "reading '%s'", inputs[0].name);
            stoa_error_set_file(err, inputs[0].name, -1);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        stoa_ingest_source source;
        stoa_error found = STOA_ERROR_NONE;
        if (stoa_ingest_source_open(database, &inputs[i], 1, target, true, context, &source,
                                    NULL) != STOA_OK) {
            continue;
        }
        drain(&source.stream);
        stoa_arrow_stream_release(&source.stream);
        stoa_status status = first_reject(source.session, context, &found, NULL);
        stoa_ingest_source_release(&source);
        if (status == STOA_OK) {
            (void)stoa_fail(err, STOA_INVALID, "reading '%s': line %lld, column '%s': %s",
                            inputs[i].name, (long long)found.line, found.column, found.message);
            err->line = found.line;
            stoa_error_set_column(err, -1, found.column);
            stoa_error_set_file(err, inputs[i].name, -1);
            return;
        }
    }
    if (count == 1) {
        stoa_wrap(err, "reading '%s'", inputs[0].name);
        stoa_error_set_file(err, inputs[0].name, -1);
    }
}

stoa_status stoa_ingest_source_rejects(stoa_ingest_source *source, const stoa_context *context,
                                       stoa_ingest_reject_function function, void *user,
                                       stoa_error *err) {
    if (!source->rejects) {
        return STOA_OK;
    }
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    stoa_buffer text;
    stoa_buffer_init(&text, context->pool);
    stoa_status status = STOA_OK;
    /* One query of a session at a time: the rows must have been read to their end. */
    stoa_arrow_stream_release(&source->stream);
    STOA_CHECK(stoa_session_run(
        source->session,
        "SELECT to_json({'file': s.file_path, 'line': r.line, 'column': r.column_name, "
        "'error': r.error_message, 'text': r.csv_line})::VARCHAR AS json "
        "FROM " REJECTS_TABLE " r JOIN " REJECTS_SCANS " s USING (scan_id, file_id) "
        "ORDER BY r.file_id, r.line, r.column_idx",
        context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    for (;;) {
        struct ArrowArray batch = {0};
        STOA_CHECK(stoa_stream_next(&stream, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        for (int64_t row = 0; row < batch.length && status == STOA_OK; row++) {
            const char *view = NULL;
            stoa_buffer_clear(&text);
            status = stoa_arrow_value_print(schema.children[0], batch.children[0], row,
                                            STOA_PRINT_TEXT, &text, err);
            if (status == STOA_OK) {
                status = stoa_buffer_text(&text, &view, err);
            }
            if (status == STOA_OK) {
                status = function(user, view, err);
            }
        }
        stoa_arrow_array_release(&batch);
        STOA_CHECK(status);
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
    stoa_buffer_release(&text);
    return status;
}

void stoa_ingest_source_release(stoa_ingest_source *source) {
    stoa_arrow_schema_release(&source->schema);
    stoa_arrow_stream_release(&source->stream);
    stoa_session_close(source->session);
    *source = (stoa_ingest_source){0};
}
