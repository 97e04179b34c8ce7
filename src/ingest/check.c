/* Looking at files before the engine reads them, for what its readers do in silence:
 *
 * - its JSON parser recurses into nested values without a limit and overflows the stack of its
 *   thread somewhere beyond 10,000 levels;
 * - its CSV reader, when the first lines have other columns than those below, begins further down;
 * - its Parquet reader turns decimals of more than 38 digits into doubles, and those are wrong, and
 *   it compares no page checksum.
 *
 * Called by source.c, csv.c and inputs.c. */
#include "ingest/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/print.h"
#include "arrow/stream.h"
#include "base/error.h"
#include "mem/buffer.h"
#include "parquet/verify.h"
#include "schema/schema.h"
#include "vfs/vfs.h"

enum { CHUNK_BYTES = 1 << 18, DEPTH_MAX = 1000 };

struct nesting {
    int depth;
    bool in_string;
    bool escaped; /* the next byte belongs to a backslash before it */
    int64_t line;
};

/* Skips what lies within a string; returns where it goes on. */
static size_t skip_string(struct nesting *at, const uint8_t *bytes, size_t size, size_t i) {
    for (; i < size; i++) {
        if (at->escaped) {
            at->escaped = false;
        } else if (bytes[i] == '\\') {
            at->escaped = true;
        } else if (bytes[i] == '"') {
            at->in_string = false;
            return i + 1;
        } else if (bytes[i] == '\n') {
            at->line++;
        }
    }
    return size;
}

static stoa_status count_nesting(struct nesting *at, const uint8_t *bytes, size_t size,
                                 stoa_error *err) {
    for (size_t i = 0; i < size;) {
        if (at->in_string) {
            i = skip_string(at, bytes, size, i);
            continue;
        }
        uint8_t byte = bytes[i++];
        if (byte == '"') {
            at->in_string = true;
        } else if (byte == '[' || byte == '{') {
            if (++at->depth > DEPTH_MAX) {
                if (err != NULL) {
                    err->line = at->line;
                }
                return stoa_fail(err, STOA_LIMIT,
                                 "line %" PRId64 ": expected values nested at most %d levels deep",
                                 at->line, DEPTH_MAX);
            }
        } else if (byte == ']' || byte == '}') {
            at->depth -= at->depth > 0;
        } else if (byte == '\n') {
            at->line++;
        }
    }
    return STOA_OK;
}

stoa_status stoa_ingest_check_json(stoa_file *file, const stoa_context *context,
                                   uint64_t *out_mark_bytes, stoa_error *err) {
    struct nesting at = {.line = 1};
    void *buffer = NULL;
    uint64_t offset = 0;
    *out_mark_bytes = 0;
    STOA_TRY(stoa_pool_allocate(context->pool, CHUNK_BYTES, &buffer, err));
    stoa_status status = STOA_OK;
    stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);
    for (;;) {
        size_t size = 0;
        STOA_CHECK(stoa_file_read_some(file, offset, buffer, CHUNK_BYTES, &size, err));
        if (size == 0) {
            break;
        }
        if (offset == 0 && size >= 3 && memcmp(buffer, "\xEF\xBB\xBF", 3) == 0) {
            *out_mark_bytes = 3;
        }
        STOA_CHECK(count_nesting(&at, buffer, size, err));
        STOA_CHECK(stoa_cancel_check(context->cancel, err));
        offset += size;
    }

done:
    stoa_pool_free(context->pool, buffer, CHUNK_BYTES);
    return status;
}

/* The first column of a query's first row as text; `out_found` false when there is none. */
static stoa_status first_text(stoa_session *session, const char *sql, const stoa_context *context,
                              stoa_buffer *out, bool *out_found, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    struct ArrowSchema schema = {0};
    stoa_status status = STOA_OK;
    *out_found = false;
    stoa_buffer_clear(out);
    STOA_CHECK(stoa_session_run(session, sql, context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    STOA_CHECK(stoa_stream_next(&stream, &batch, err));
    if (batch.release != NULL && batch.length > 0) {
        *out_found = true;
        STOA_CHECK(stoa_arrow_value_print(schema.children[0], batch.children[0], 0, STOA_PRINT_TEXT,
                                          out, err));
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&stream);
    return status;
}

/* `SELECT <what> FROM <function>('<path>'<options>)<rest>`, and its first value. */
static stoa_status ask(stoa_session *session, const char *head, const char *path, const char *tail,
                       const stoa_context *context, stoa_buffer *out, bool *out_found,
                       stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_text(&sql, head, err));
    STOA_CHECK(stoa_sql_literal_print(path, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, tail, err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(first_text(session, text, context, out, out_found, err));

done:
    stoa_buffer_release(&sql);
    return status;
}

/* The number of the first of `count` lines that is neither empty nor a comment; 0 for none. Lines
 * beyond what one read brings count as told by the engine. */
static int64_t first_lost_line(const uint8_t *bytes, size_t size, int64_t count) {
    size_t i = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (int64_t line = 1; line <= count && i < size; line++) {
        const uint8_t *end = memchr(bytes + i, '\n', size - i);
        size_t next = end == NULL ? size : (size_t)(end - bytes) + 1;
        while (i < next && (bytes[i] == ' ' || bytes[i] == '\r' || bytes[i] == '\t')) {
            i++;
        }
        if (i < next && bytes[i] != '\n' && bytes[i] != '#') {
            return line;
        }
        i = next;
    }
    return 0;
}

static stoa_status fail_lost(const stoa_ingest_input *input, int64_t lost, int64_t skipped,
                             stoa_error *err) {
    if (lost == 0) {
        return STOA_OK;
    }
    stoa_fail(err, STOA_INVALID,
              "reading '%s': line %" PRId64 ": expected the columns that line %" PRId64
              " and those below it have but found others",
              input->name, lost, skipped + 1);
    stoa_error_set_file(err, input->name, -1);
    if (err != NULL) {
        err->line = lost;
    }
    return STOA_INVALID;
}

stoa_status stoa_ingest_check_skipped(const stoa_ingest_input *input, const uint8_t *bytes,
                                      size_t size, int64_t skipped, stoa_error *err) {
    return fail_lost(input, first_lost_line(bytes, size, skipped), skipped, err);
}

static stoa_status check_pages(const stoa_ingest_input *input, const stoa_context *context,
                               stoa_fs_registry *registry, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_error found = STOA_ERROR_NONE;
    STOA_TRY(stoa_vfs_open(registry, input->path, STOA_OPEN_READ, context, &file, err));
    stoa_status status = stoa_parquet_verify_checksums(context, file, &found);
    stoa_file_close(file);
    if (status == STOA_OK) {
        return STOA_OK;
    }
    stoa_wrap(&found, "reading '%s'", input->name);
    stoa_error_set_file(&found, input->name, found.offset);
    if (err != NULL) {
        *err = found;
    }
    return status;
}

stoa_status stoa_ingest_check_parquet(stoa_session *session, const stoa_ingest_input *input,
                                      const stoa_context *context, stoa_fs_registry *registry,
                                      stoa_error *err) {
    const char *path = stoa_vfs_local_path(input->path);
    const char *name = NULL;
    bool found = false;
    stoa_buffer column;
    if (path == NULL) {
        return STOA_OK;
    }
    stoa_buffer_init(&column, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(check_pages(input, context, registry, err));
    STOA_CHECK(ask(session, "SELECT name FROM parquet_schema(", path,
                   ") WHERE precision > 38 AND num_children IS NULL LIMIT 1", context, &column,
                   &found, err));
    if (found) {
        STOA_CHECK(stoa_buffer_text(&column, &name, err));
        status = stoa_fail(err, STOA_UNSUPPORTED,
                           "reading '%s': column '%s': a decimal of more than 38 digits",
                           input->name, name);
        stoa_error_set_column(err, -1, name);
        stoa_error_set_file(err, input->name, -1);
    }

done:
    stoa_buffer_release(&column);
    return status;
}
