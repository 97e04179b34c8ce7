/* Exporting: a stream of rows to one file of any format, whole or not at all. */
#include <string.h>

#include "arrow/ipc.h"
#include "base/error.h"
#include "ingest/output_file.h"
#include "ingest/text_writer.h"
#include "parquet/writer.h"
#include "schema/validate.h"
#include "table/table.h"

struct export {
    stoa_database *database;
    struct ArrowArrayStream *rows;
    const stoa_context *context;
    struct ArrowSchema schema;
    stoa_ingest_output output;
    int64_t row_count;
};

/* The next batch that has rows; released at the end. */
static stoa_status next_batch(struct export *export, struct ArrowArray *out, stoa_error *err) {
    do {
        *out = (struct ArrowArray){0};
        STOA_TRY(stoa_cancel_check(export->context->cancel, err));
        STOA_TRY(stoa_stream_next(export->rows, out, err));
        if (out->release == NULL || out->length > 0) {
            return STOA_OK;
        }
        stoa_arrow_array_release(out);
    } while (true);
}

static stoa_status export_text(struct export *export, stoa_file_format format, stoa_error *err) {
    STOA_TRY(stoa_text_write_begin(format, &export->schema, &export->output, err));
    for (;;) {
        struct ArrowArray batch;
        STOA_TRY(next_batch(export, &batch, err));
        if (batch.release == NULL) {
            return stoa_text_write_end(format, export->row_count, &export->output, err);
        }
        stoa_status status = stoa_text_write_batch(format, &export->schema, &batch,
                                                   export->row_count, &export->output, err);
        export->row_count += batch.length;
        stoa_arrow_array_release(&batch);
        STOA_TRY(status);
    }
}

static stoa_status export_arrow(struct export *export, stoa_ipc_format format, stoa_error *err) {
    stoa_ipc_options options = {.format = format, .codec = STOA_IPC_NONE};
    stoa_ipc_writer *writer = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ipc_writer_create(export->context, export->output.file, &export->schema,
                                      &options, &writer, err));
    for (;;) {
        struct ArrowArray batch;
        STOA_CHECK(next_batch(export, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        export->row_count += batch.length;
        status = stoa_ipc_writer_write(writer, &batch, err);
        stoa_arrow_array_release(&batch);
        STOA_CHECK(status);
    }
    STOA_CHECK(stoa_ipc_writer_finish(writer, err));

done:
    stoa_ipc_writer_close(writer);
    return status;
}

static stoa_status export_parquet(struct export *export, stoa_error *err) {
    stoa_parquet_options options = STOA_PARQUET_DEFAULT;
    const stoa_schema *schema = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_parquet_summary summary = {0};
    stoa_pool *pool = export->context->pool;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_schema_from_arrow(pool, &export->schema, &schema, err));
    STOA_CHECK(stoa_parquet_writer_create(export->context, export->output.file, schema, &options,
                                          &writer, err));
    for (;;) {
        struct ArrowArray batch;
        struct ArrowArray plain = {0};
        STOA_CHECK(next_batch(export, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        export->row_count += batch.length;
        STOA_CHECK(stoa_batch_conform(pool, schema, &export->schema, &batch, &plain, err));
        STOA_CHECK(stoa_parquet_writer_write(writer, &plain, err));
    }
    STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));

done:
    stoa_parquet_writer_close(writer);
    stoa_parquet_summary_release(&summary);
    stoa_schema_close(schema);
    return status;
}

static stoa_status export_rows(struct export *export, stoa_file_format format, stoa_error *err) {
    STOA_TRY(stoa_stream_schema(export->rows, &export->schema, err));
    switch (format) {
    case STOA_FORMAT_PARQUET:
        return export_parquet(export, err);
    case STOA_FORMAT_ARROW_FILE:
        return export_arrow(export, STOA_IPC_FILE, err);
    case STOA_FORMAT_ARROW_STREAM:
        return export_arrow(export, STOA_IPC_STREAM, err);
    default:
        return export_text(export, format, err);
    }
}

stoa_status stoa_export(stoa_database *database, struct ArrowArrayStream *rows,
                        stoa_file_format format, const char *path, const stoa_context *context,
                        int64_t *out_rows, stoa_error *err) {
    stoa_context chosen = context == NULL ? (stoa_context){0} : *context;
    stoa_database_fill_context(database, &chosen);
    struct export export = {.database = database, .rows = rows, .context = &chosen};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ingest_output_open(database, path, &chosen, &export.output, err));
    STOA_CHECK(export_rows(&export, format, err));
    STOA_CHECK(stoa_ingest_output_publish(&export.output, err));
    *out_rows = export.row_count;

done:
    stoa_arrow_schema_release(&export.schema);
    stoa_ingest_output_release(&export.output);
    stoa_arrow_stream_release(rows);
    return status;
}
