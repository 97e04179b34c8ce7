/* Rows of a query as texts, one row at a time. */
#include "ingest/answer.h"

#include "arrow/array.h"
#include "arrow/print.h"
#include "base/error.h"
#include "mem/buffer.h"

/* The values of one row, in memory of the arena. */
static stoa_status row_texts(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                             int64_t row, stoa_buffer *text, stoa_arena *arena, const char ***out,
                             stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(
        stoa_arena_allocate_array(arena, (size_t)schema->n_children, sizeof(char *), &memory, err));
    const char **values = memory;
    for (int64_t i = 0; i < schema->n_children; i++) {
        values[i] = NULL;
        if (stoa_arrow_is_null(batch->children[i], row)) {
            continue;
        }
        stoa_buffer_clear(text);
        STOA_TRY(stoa_arrow_value_print(schema->children[i], batch->children[i], row,
                                        STOA_PRINT_TEXT, text, err));
        STOA_TRY(
            stoa_arena_copy_text(arena, (const char *)text->data, text->size, &values[i], err));
    }
    *out = values;
    return STOA_OK;
}

static stoa_status each_of(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                           stoa_pool *pool, stoa_ingest_row_function function, void *user,
                           stoa_error *err) {
    stoa_buffer text;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&text, pool);
    for (int64_t row = 0; row < batch->length && status == STOA_OK; row++) {
        stoa_arena arena;
        const char **values = NULL;
        stoa_arena_init(&arena, pool);
        status = row_texts(schema, batch, row, &text, &arena, &values, err);
        if (status == STOA_OK) {
            status = function(user, values, schema->n_children, err);
        }
        stoa_arena_release(&arena);
    }
    stoa_buffer_release(&text);
    return status;
}

stoa_status stoa_ingest_each_row(stoa_session *session, const char *sql,
                                 const stoa_context *context, stoa_ingest_row_function function,
                                 void *user, stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_session_run(session, sql, context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    for (;;) {
        struct ArrowArray batch = {0};
        STOA_CHECK(stoa_stream_next(&stream, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        status = function == NULL ? STOA_OK
                                  : each_of(&schema, &batch, context->pool, function, user, err);
        stoa_arrow_array_release(&batch);
        STOA_CHECK(status);
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
    return status;
}

stoa_status stoa_ingest_run(stoa_session *session, const char *sql, const stoa_context *context,
                            stoa_error *err) {
    return stoa_ingest_each_row(session, sql, context, NULL, NULL, err);
}

stoa_status stoa_ingest_describe(stoa_session *session, const char *sql,
                                 const stoa_context *context, const stoa_schema **out,
                                 stoa_error *err) {
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_CHECK(stoa_session_run(session, sql, context, &stream, NULL, err));
    STOA_CHECK(stoa_stream_schema(&stream, &schema, err));
    STOA_CHECK(stoa_schema_from_arrow(context->pool, &schema, out, err));

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
    return status;
}
