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
    stoa_buffer line;
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
    stoa_buffer_init(&rejects->line, context->pool);
    stoa_status status =
        stoa_ingest_output_open(database, path, context, &rejects->output, err);
    if (status != STOA_OK) {
        stoa_ingest_rejects_close(rejects);
        return status;
    }
    *out = rejects;
    return STOA_OK;
}

static stoa_status append_member(stoa_buffer *line, const char *name, const char *text,
                                 stoa_error *err) {
    STOA_TRY(stoa_buffer_append_format(line, err, "%s\"%s\":", line->size > 1 ? "," : "", name));
    return stoa_json_string_print(text, strlen(text), line, err);
}

stoa_status stoa_ingest_reject_row(stoa_ingest_rejects *rejects, const char *file,
                                   const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                   const stoa_error *reason, stoa_error *err) {
    stoa_buffer *line = &rejects->line;
    stoa_buffer_clear(line);
    STOA_TRY(stoa_buffer_append_byte(line, '{', err));
    STOA_TRY(append_member(line, "file", file, err));
    STOA_TRY(append_member(line, "column", reason->column, err));
    STOA_TRY(append_member(line, "error", reason->message, err));
    STOA_TRY(stoa_buffer_append_text(line, ",\"row\":", err));
    STOA_TRY(stoa_arrow_value_print(schema, batch, reason->row, STOA_PRINT_JSON, line, err));
    STOA_TRY(stoa_buffer_append_text(line, "}\n", err));
    rejects->row_count++;
    return stoa_ingest_output_write(&rejects->output, line->data, line->size, err);
}

stoa_status stoa_ingest_reject_line(void *user, const char *json, stoa_error *err) {
    stoa_ingest_rejects *rejects = user;
    rejects->row_count++;
    STOA_TRY(stoa_ingest_output_write(&rejects->output, json, strlen(json), err));
    return stoa_ingest_output_write(&rejects->output, "\n", 1, err);
}

stoa_status stoa_ingest_rejects_finish(stoa_ingest_rejects *rejects, int64_t *out_rows,
                                       stoa_error *err) {
    *out_rows = rejects->row_count;
    return stoa_ingest_output_publish(&rejects->output, err);
}

void stoa_ingest_rejects_close(stoa_ingest_rejects *rejects) {
    if (rejects != NULL) {
        stoa_ingest_output_release(&rejects->output);
        stoa_buffer_release(&rejects->line);
        stoa_pool_free(rejects->pool, rejects, sizeof *rejects);
    }
}
