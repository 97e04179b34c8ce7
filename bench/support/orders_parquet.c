#include "orders_parquet.h"

#include <stdio.h>
#include <stdlib.h>

#include "orders.h"

enum { BATCH_ROWS = 122880 };

void orders_check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

void orders_write_parquet(const stoa_context *context, stoa_fs_registry *registry, const char *path,
                          int64_t row_count, const stoa_parquet_options *options) {
    stoa_error err = STOA_ERROR_NONE;
    struct ArrowArrayStream stream;
    struct ArrowSchema arrow;
    struct ArrowArray batch;
    const stoa_schema *schema;
    stoa_file *file;
    stoa_parquet_writer *writer;
    stoa_parquet_summary summary;
    orders_stream(row_count, BATCH_ROWS, &stream);
    orders_check(stoa_stream_schema(&stream, &arrow, &err), &err);
    orders_check(stoa_schema_from_arrow(context->pool, &arrow, &schema, &err), &err);
    orders_check(stoa_vfs_open(registry, path, STOA_OPEN_REPLACE, context, &file, &err), &err);
    orders_check(stoa_parquet_writer_create(context, file, schema, options, &writer, &err), &err);
    for (orders_check(stoa_stream_next(&stream, &batch, &err), &err); batch.release != NULL;
         orders_check(stoa_stream_next(&stream, &batch, &err), &err)) {
        orders_check(stoa_parquet_writer_write(writer, &batch, &err), &err);
    }
    orders_check(stoa_parquet_writer_finish(writer, &summary, &err), &err);
    stoa_parquet_summary_release(&summary);
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    stoa_schema_close(schema);
    arrow.release(&arrow);
    stream.release(&stream);
}
