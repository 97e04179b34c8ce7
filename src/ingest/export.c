/* Exporting: a stream of rows to one file of any format, whole or not at all.
 *
 *     rows (a batch at a time) ──▶ as text, or in the layout of a Parquet schema ──▶ the file, in order
 *
 * The middle runs on the context's threads; the Parquet writer encodes on them too. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "arrow/owner.h"
#include "base/error.h"
#include "ingest/output_file.h"
#include "ingest/parquet_options.h"
#include "ingest/text_writer.h"
#include "parquet/writer.h"
#include "pipeline/pipeline.h"
#include "schema/validate.h"
#include "table/table.h"

struct export {
    struct ArrowArrayStream *rows;
    const stoa_context *context;
    struct ArrowSchema schema;
    stoa_ingest_output output;
    int64_t row_count; /* read */
    stoa_file_format format;
    stoa_ipc_writer *ipc;
    stoa_parquet_writer *parquet;
    const stoa_schema *parquet_schema;
    const stoa_parquet_export_options *parquet_options; /* NULL: the defaults */
};

/* ---- rows ------------------------------------------------------------------------------------ */

/* The next batch that has rows, so that the first morsel holds the first row. */
static stoa_status next_rows(void *state, void *local, stoa_morsel *out, bool *out_more,
                             stoa_error *err) {
    (void)local;
    struct export *export = state;
    do {
        stoa_arrow_array_release(&out->batch);
        STOA_TRY(stoa_cancel_check(export->context->cancel, err));
        STOA_TRY(stoa_stream_next(export->rows, &out->batch, err));
        *out_more = out->batch.release != NULL;
    } while (*out_more && out->batch.length == 0);
    if (*out_more) {
        export->row_count += out->batch.length;
        out->bytes = (uint64_t)stoa_arrow_memory_bytes(&export->schema, &out->batch);
    }
    return STOA_OK;
}

typedef stoa_status (*push_function)(void *state, void *local, stoa_morsel *morsel,
                                     const stoa_pipeline_stage *next, stoa_error *err);
typedef stoa_status (*consume_function)(void *state, void *local, stoa_morsel *morsel,
                                        stoa_error *err);

/* Runs the rows through `push` (nullable), then `consume` in order. */
static stoa_status export_through(struct export *export, push_function push,
                                  consume_function consume, stoa_error *err) {
    const stoa_pipeline_operator printer = {.state = export, .push = push};
    const stoa_pipeline pipeline = {.source = {.state = export, .serial = true, .next = next_rows},
                                    .operators = &printer,
                                    .operator_count = push != NULL,
                                    .sink = {.state = export, .consume = consume},
                                    .options = {.ordered = true, .phase = "exporting"}};
    return stoa_pipeline_run(&pipeline, export->context, err);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* A batch of one binary value: the text of all rows. */
static stoa_status make_text_batch(stoa_pool *pool, stoa_buffer *text, struct ArrowArray *out,
                                   stoa_error *err) {
    const int64_t ends[2] = {0, (int64_t)text->size};
    stoa_buffer offsets;
    stoa_buffer_init(&offsets, pool);
    STOA_TRY(stoa_arrow_array_init(pool, 3, 0, false, out, err));
    STOA_TRY(stoa_buffer_append(&offsets, ends, sizeof ends, err));
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    stoa_arrow_array_set_buffer(out, 2, text);
    out->length = 1;
    return STOA_OK;
}

static stoa_status print_rows(void *state, void *local, stoa_morsel *morsel,
                              const stoa_pipeline_stage *next, stoa_error *err) {
    (void)local;
    const struct export *export = state;
    stoa_pool *pool = export->context->pool;
    stoa_status status = STOA_OK;
    stoa_morsel printed = *morsel;
    stoa_buffer text;
    printed.batch = (struct ArrowArray){0};
    stoa_buffer_init(&text, pool);
    STOA_CHECK(stoa_text_write_batch(export->format, &export->schema, &morsel->batch,
                                     morsel->part == 0, &text, err));
    printed.bytes = text.size;
    STOA_CHECK(make_text_batch(pool, &text, &printed.batch, err));
    stoa_arrow_array_release(&morsel->batch);
    return stoa_pipeline_push(next, &printed, err);

done:
    stoa_arrow_array_release(&printed.batch);
    stoa_buffer_release(&text);
    return status;
}

static stoa_status write_text(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    (void)local;
    struct export *export = state;
    return stoa_ingest_output_write(&export->output, morsel->batch.buffers[2],
                                    (size_t)morsel->bytes, err);
}

static stoa_status export_text(struct export *export, stoa_error *err) {
    stoa_buffer *pending = &export->output.pending;
    STOA_TRY(stoa_text_write_begin(export->format, &export->schema, pending, err));
    STOA_TRY(export_through(export, print_rows, write_text, err));
    return stoa_text_write_end(export->format, export->row_count, pending, err);
}

/* ---- Arrow ----------------------------------------------------------------------------------- */

static stoa_status write_arrow(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    (void)local;
    return stoa_ipc_writer_write(((struct export *)state)->ipc, &morsel->batch, err);
}

static stoa_status export_arrow(struct export *export, stoa_ipc_format format, stoa_error *err) {
    const stoa_ipc_options options = {.format = format, .codec = STOA_IPC_NONE};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ipc_writer_create(export->context, export->output.file, &export->schema,
                                      &options, &export->ipc, err));
    STOA_CHECK(export_through(export, NULL, write_arrow, err));
    STOA_CHECK(stoa_ipc_writer_finish(export->ipc, err));

done:
    stoa_ipc_writer_close(export->ipc);
    return status;
}

/* ---- Parquet --------------------------------------------------------------------------------- */

static stoa_status conform_rows(void *state, void *local, stoa_morsel *morsel,
                                const stoa_pipeline_stage *next, stoa_error *err) {
    (void)local;
    const struct export *export = state;
    struct ArrowArray plain = {0};
    STOA_TRY(stoa_batch_conform(export->context->pool, export->parquet_schema, &export->schema,
                                &morsel->batch, &plain, err));
    morsel->batch = plain;
    return stoa_pipeline_push(next, morsel, err);
}

static stoa_status write_parquet(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    (void)local;
    return stoa_parquet_writer_write(((struct export *)state)->parquet, &morsel->batch, err);
}

static stoa_status export_parquet(struct export *export, stoa_error *err) {
    stoa_parquet_options options;
    stoa_parquet_summary summary = {0};
    stoa_status status = STOA_OK;
    stoa_arena arena;
    stoa_arena_init(&arena, export->context->pool);
    STOA_CHECK(stoa_schema_from_arrow(export->context->pool, &export->schema,
                                      &export->parquet_schema, err));
    STOA_CHECK(stoa_parquet_options_read(export->parquet_options, export->parquet_schema, &arena,
                                         &options, err));
    options.unsynced = true; /* publishing syncs */
    STOA_CHECK(stoa_parquet_writer_create(export->context, export->output.file,
                                          export->parquet_schema, &options, &export->parquet, err));
    STOA_CHECK(export_through(export, conform_rows, write_parquet, err));
    STOA_CHECK(stoa_parquet_writer_finish(export->parquet, &summary, err));

done:
    stoa_parquet_writer_close(export->parquet);
    stoa_parquet_summary_release(&summary);
    stoa_schema_close(export->parquet_schema);
    stoa_arena_release(&arena);
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static stoa_status export_rows(struct export *export, stoa_error *err) {
    STOA_TRY(stoa_stream_schema(export->rows, &export->schema, err));
    switch (export->format) {
    case STOA_FORMAT_PARQUET: return export_parquet(export, err);
    case STOA_FORMAT_ARROW_FILE: return export_arrow(export, STOA_IPC_FILE, err);
    case STOA_FORMAT_ARROW_STREAM: return export_arrow(export, STOA_IPC_STREAM, err);
    default: return export_text(export, err);
    }
}

static stoa_status export_file(stoa_database *database, struct ArrowArrayStream *rows,
                               stoa_file_format format,
                               const stoa_parquet_export_options *parquet_options, const char *path,
                               const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    stoa_context chosen = context == NULL ? (stoa_context){0} : *context;
    stoa_database_fill_context(database, &chosen);
    struct export export = {.rows = rows,
                            .context = &chosen,
                            .format = format,
                            .parquet_options = parquet_options};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ingest_output_open(database, path, &chosen, &export.output, err));
    STOA_CHECK(export_rows(&export, err));
    STOA_CHECK(stoa_ingest_output_publish(&export.output, err));
    if (out_rows != NULL) {
        *out_rows = export.row_count;
    }

done:
    stoa_arrow_schema_release(&export.schema);
    stoa_ingest_output_release(&export.output);
    stoa_arrow_stream_release(rows);
    return status;
}

stoa_status stoa_export(stoa_database *database, struct ArrowArrayStream *rows,
                        stoa_file_format format, const char *path, const stoa_context *context,
                        int64_t *out_rows, stoa_error *err) {
    return export_file(database, rows, format, NULL, path, context, out_rows, err);
}

stoa_status stoa_export_parquet(stoa_database *database, struct ArrowArrayStream *rows,
                                const char *path, const stoa_parquet_export_options *options,
                                const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    return export_file(database, rows, STOA_FORMAT_PARQUET, options, path, context, out_rows, err);
}
