/* Rejected rows, written as they come under a temporary name. */
#include "ingest/rejects.h"

#include <string.h>

#include "arrow/print.h"
#include "base/error.h"
#include "ingest/output_file.h"
#include "mem/buffer.h"

struct stoa_ingest_rejects {
    stoa_pool *pool;
    stoa_ingest_output output;
    int64_t row_count;
};

stoa_status stoa_ingest_rejects_open(stoa_database *database, const char *path,
                                     const stoa_context *context, stoa_ingest_rejects **out,
                                     stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_ingest_rejects), &memory, err));
    stoa_ingest_rejects *rejects = memory;
    rejects->pool = context->pool;
    stoa_status status =
        stoa_ingest_output_open(database, path, context, &rejects->output, err);
    if (status != STOA_OK) {
        stoa_ingest_rejects_close(rejects);
        return status;
    }
    *out = rejects;
    return STOA_OK;
}

static stoa_status append_member(stoa_buffer *line, const char *before, const char *name,
                                 const char *text, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(line, err, "%s\"%s\":", before, name));
    return stoa_json_string_print(text, strlen(text), line, err);
}

stoa_status stoa_ingest_reject_print(const char *file, const struct ArrowSchema *schema,
                                     const struct ArrowArray *batch, const stoa_error *reason,
                                     stoa_buffer *out, stoa_error *err) {
    STOA_TRY(append_member(out, "{", "file", file, err));
    STOA_TRY(append_member(out, ",", "column", reason->column, err));
    STOA_TRY(append_member(out, ",", "error", reason->message, err));
    STOA_TRY(stoa_buffer_append_text(out, ",\"row\":", err));
    STOA_TRY(stoa_arrow_value_print(schema, batch, reason->row, STOA_PRINT_JSON, out, err));
    return stoa_buffer_append_text(out, "}\n", err);
}

stoa_status stoa_ingest_reject_print_text(const char *file, int64_t line, const char *column,
                                          const char *reason, const char *text, stoa_buffer *out,
                                          stoa_error *err) {
    STOA_TRY(append_member(out, "{", "file", file, err));
    STOA_TRY(stoa_buffer_append_format(out, err, ",\"line\":%" PRId64, line));
    STOA_TRY(append_member(out, ",", "column", column, err));
    STOA_TRY(append_member(out, ",", "error", reason, err));
    STOA_TRY(append_member(out, ",", "text", text, err));
    return stoa_buffer_append_text(out, "}\n", err);
}

stoa_status stoa_ingest_rejects_add(stoa_ingest_rejects *rejects, const stoa_buffer *lines,
                                    stoa_error *err) {
    for (size_t i = 0; i < lines->size; i++) {
        rejects->row_count += lines->data[i] == '\n'; /* none is within a line: JSON escapes it */
    }
    return stoa_ingest_output_write(&rejects->output, lines->data, lines->size, err);
}

stoa_status stoa_ingest_rejects_finish(stoa_ingest_rejects *rejects, int64_t *out_rows,
                                       stoa_error *err) {
    *out_rows = rejects->row_count;
    return stoa_ingest_output_publish(&rejects->output, err);
}

void stoa_ingest_rejects_close(stoa_ingest_rejects *rejects) {
    if (rejects != NULL) {
        stoa_ingest_output_release(&rejects->output);
        stoa_pool_free(rejects->pool, rejects, sizeof *rejects);
    }
}
