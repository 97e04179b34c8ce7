/* Reading a file with Stoa's reader in the tests of the reader: all batches as one. */
#ifndef STOA_TESTS_PARQUET_READ_BACK_H
#define STOA_TESTS_PARQUET_READ_BACK_H

#include <stdlib.h>

#include "arrow/array.h"
#include "parquet/reader.h"

/// Every batch is validated but for UTF-8 and put behind the others. `schema` and `out` are the
/// caller's to release, whatever happens; the batch is left released where there are no rows.
static inline stoa_status read_back(const stoa_context *context, stoa_file *file,
                                    const stoa_parquet_read_options *options,
                                    struct ArrowSchema *schema, struct ArrowArray *out,
                                    stoa_error *err) {
    enum { BATCHES_MAX = 4096 };
    static _Thread_local struct ArrowArray batches[BATCHES_MAX];
    static _Thread_local const struct ArrowArray *views[BATCHES_MAX];
    stoa_parquet_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    int64_t count = 0;
    stoa_status status = stoa_parquet_reader_open(context, file, 0, &reader, err);
    *schema = (struct ArrowSchema){0};
    *out = (struct ArrowArray){0};
    if (status == STOA_OK) {
        status = stoa_parquet_reader_stream(reader, options, &stream, err);
    }
    if (status == STOA_OK) {
        status = stoa_stream_schema(&stream, schema, err);
    }
    while (status == STOA_OK && count < BATCHES_MAX) {
        status = stoa_stream_next(&stream, &batches[count], err);
        if (status != STOA_OK || batches[count].release == NULL) {
            break;
        }
        views[count] = &batches[count];
        count++;
        status = stoa_arrow_validate(schema, views[count - 1], STOA_ARROW_CHECK_LAYOUT, err);
    }
    stoa_arrow_stream_release(&stream);
    stoa_parquet_reader_close(reader); /* batches outlive it */
    if (status == STOA_OK && count > 0) {
        status = stoa_arrow_concat(context->pool, schema, views, count, out, err);
    }
    for (int64_t i = 0; i < count; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    return status;
}

#endif
