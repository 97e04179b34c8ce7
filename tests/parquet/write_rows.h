/* Writing one batch as a Parquet file, for tests of what reads it. */
#ifndef STOA_TESTS_PARQUET_WRITE_ROWS_H
#define STOA_TESTS_PARQUET_WRITE_ROWS_H

#include "parquet/writer.h"

/// Writes `rows` of `schema` to `uri`, replacing what is there. Takes `rows`, also on error.
/// `out_bytes`, the file's, is nullable.
static inline stoa_status write_rows(const stoa_context *context, stoa_fs_registry *registry,
                                     const char *uri, const stoa_schema *schema,
                                     const stoa_parquet_options *options, struct ArrowArray *rows,
                                     uint64_t *out_bytes, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    stoa_parquet_writer *writer = NULL;
    stoa_parquet_summary summary;
    STOA_CHECK(stoa_vfs_open(registry, uri, STOA_OPEN_REPLACE, context, &file, err));
    STOA_CHECK(stoa_parquet_writer_create(context, file, schema, options, &writer, err));
    STOA_CHECK(stoa_parquet_writer_write(writer, rows, err));
    STOA_CHECK(stoa_parquet_writer_finish(writer, &summary, err));
    if (out_bytes != NULL) {
        *out_bytes = summary.file_bytes;
    }
    stoa_parquet_summary_release(&summary);

done:
    if (rows->release != NULL) {
        rows->release(rows);
    }
    stoa_parquet_writer_close(writer);
    stoa_file_close(file);
    return status;
}

#endif
