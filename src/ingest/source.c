/* Reading files whole, by the engine's reader for JSON and our own for Arrow.
 *
 * Types of JSON columns come from the target schema where there is one. They are given to the reader
 * and not cast afterwards: a text that was first guessed to be a timestamp would come out of a cast
 * with other characters than it had. Columns of a file that the target lacks keep their guessed type
 * and are rejected by validation, so that nothing is dropped in silence. */
#include "ingest/source.h"

#include <stdio.h>
#include <string.h>

#include "arrow/ipc.h"
#include "arrow/print.h"
#include "base/error.h"
#include "ingest/columns.h"
#include "mem/buffer.h"
#include "schema/schema.h"
#include "vfs/vfs.h"

struct request {
    const stoa_ingest_input *inputs;
    size_t count;
    const stoa_schema *target;
    bool all_rows; /* JSON: columns are found in every row, not in a sample */
    bool no_maps;  /* JSON: an object of many members is a struct */
};

bool stoa_ingest_same_source(const stoa_ingest_input *left, const stoa_ingest_input *right) {
    stoa_file_format format = left->kind.format;
    return format == right->kind.format && format != STOA_FORMAT_ARROW_FILE &&
           format != STOA_FORMAT_ARROW_STREAM;
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

/* ", columns = {…}"; nothing where no column is named. */
static stoa_status append_columns(const struct request *request, const stoa_schema *found,
                                  stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    size_t before = sql->size;
    STOA_TRY(stoa_buffer_append_text(sql, ", columns = {", err));
    size_t start = sql->size;
    STOA_TRY(stoa_ingest_columns_print(found, request->target, STOA_COLUMNS_UNION, pool, sql, err));
    if (sql->size == start) {
        return stoa_buffer_resize(sql, before, err);
    }
    return stoa_buffer_append_byte(sql, '}', err);
}

/* `typed` when the columns are given, not guessed. */
static stoa_status append_json_options(const struct request *request, bool typed, stoa_buffer *sql,
                                       stoa_error *err) {
    if (request->inputs[0].kind.format == STOA_FORMAT_JSONL) {
        STOA_TRY(stoa_buffer_append_text(sql, ", format = 'newline_delimited'", err));
    }
    if (!typed) {
        STOA_TRY(stoa_buffer_append_text(sql, request->all_rows ? ", sample_size = -1" : "", err));
        STOA_TRY(stoa_buffer_append_text(sql,
                                         request->no_maps ? ", map_inference_threshold = -1" : "",
                                         err));
    }
    /* Whatever its name ends in: compressed files were unpacked before. */
    return stoa_buffer_append_text(sql, ", compression = 'uncompressed'", err);
}

static stoa_status append_reader(const struct request *request, const stoa_schema *found,
                                 stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(sql, "read_json(", err));
    STOA_TRY(append_files(request, sql, err));
    STOA_TRY(append_json_options(request, found != NULL, sql, err));
    if (found != NULL) {
        STOA_TRY(append_columns(request, found, pool, sql, err));
    } else if (request->count > 1) {
        STOA_TRY(stoa_buffer_append_text(sql, ", union_by_name = true", err));
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

static stoa_status open_engine(stoa_database *database, struct request *request,
                               const stoa_context *context, stoa_ingest_source *out,
                               stoa_error *err) {
    const stoa_schema *found = NULL;
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_session_open(database, &out->session, err));
    STOA_CHECK(find_json_columns(out->session, request, context, &found, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, "SELECT * FROM ", err));
    STOA_CHECK(append_reader(request, found, context->pool, &sql, err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_session_run(out->session, text, context, &out->stream, NULL, err));

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
        status = stoa_vfs_open(stoa_database_file_systems(database), inputs[0].path, STOA_OPEN_READ,
                               context, &file, err);
        if (status == STOA_OK) {
            status = stoa_ipc_read(context, file, &out->stream, err);
        }
    } else {
        struct request request = {.inputs = inputs,
                                  .count = count,
                                  .target = target,
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

void stoa_ingest_source_explain(const stoa_ingest_input *inputs, size_t count, stoa_error *err) {
    if (err == NULL || err->status == STOA_CANCELLED || err->file[0] != '\0') {
        return;
    }
    replace_hint(err);
    if (count == 1) {
        stoa_wrap(err, "reading '%s'", inputs[0].name);
        stoa_error_set_file(err, inputs[0].name, -1);
    }
}

void stoa_ingest_source_release(stoa_ingest_source *source) {
    stoa_arrow_schema_release(&source->schema);
    stoa_arrow_stream_release(&source->stream);
    stoa_session_close(source->session);
    *source = (stoa_ingest_source){0};
}
