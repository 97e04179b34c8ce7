/* Looking into files, and their rows without a table. */
#include <string.h>

#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "arrow/text.h"
#include "base/error.h"
#include "ingest/source.h"
#include "parquet/verify.h"
#include "vfs/vfs.h"

stoa_status stoa_file_inspect(stoa_database *database, const char *path, bool with_pages,
                              stoa_text *out, stoa_error *err) {
    const stoa_context *context = stoa_database_context(database);
    stoa_fs_registry *registry = stoa_database_file_systems(database);
    stoa_ingest_kind kind;
    stoa_file *packed = NULL;
    stoa_file *file = NULL;
    const char *view = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_ingest_detect(registry, path, NULL, context, &kind, err));
    stoa_buffer_clear(&out->buffer);
    STOA_CHECK(stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &packed, err));
    STOA_CHECK(stoa_compressed_open(context, packed, &kind.packing, &file, err));
    if (kind.format == STOA_FORMAT_PARQUET) {
        STOA_CHECK(stoa_parquet_describe(context, file, with_pages, &out->buffer, err));
    } else if (kind.format == STOA_FORMAT_ARROW_FILE || kind.format == STOA_FORMAT_ARROW_STREAM) {
        STOA_CHECK(stoa_ipc_describe(context, file, &out->buffer, err));
    } else {
        status = stoa_fail(err, STOA_UNSUPPORTED,
                           "'%s' is text: 'stoa cat' shows its rows, inspect looks into Parquet "
                           "and Arrow files",
                           path);
        goto done;
    }
    STOA_CHECK(stoa_buffer_text(&out->buffer, &view, err));

done:
    stoa_file_close(file);
    return status;
}

/* A stream that keeps the inputs and the engine's session alive behind the rows. */
struct scan {
    stoa_pool *pool;
    stoa_ingest_inputs inputs;
    stoa_ingest_source source;
};

static stoa_status scan_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct scan *scan = state;
    return stoa_stream_next(&scan->source.stream, out, err);
}

static void scan_close(void *state) {
    struct scan *scan = state;
    stoa_pool *pool = scan->pool;
    stoa_ingest_source_release(&scan->source);
    stoa_ingest_inputs_release(&scan->inputs);
    stoa_pool_free(pool, scan, sizeof *scan);
}

static const stoa_stream_operations scan_operations = {scan_next, scan_close};

stoa_status stoa_file_scan(stoa_database *database, const char *path, const char *format,
                           const stoa_context *context, struct ArrowArrayStream *out,
                           stoa_error *err) {
    stoa_context chosen = context == NULL ? (stoa_context){0} : *context;
    void *memory = NULL;
    *out = (struct ArrowArrayStream){0};
    if (chosen.pool == NULL) {
        chosen.pool = stoa_database_pool(database);
    }
    STOA_TRY(stoa_pool_allocate_array(chosen.pool, 1, sizeof(struct scan), &memory, err));
    struct scan *scan = memory;
    scan->pool = chosen.pool;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ingest_inputs_init(database, &path, 1, format, &chosen, &scan->inputs, err));
    for (size_t i = 1; i < scan->inputs.count; i++) {
        if (!stoa_ingest_same_source(&scan->inputs.items[0], &scan->inputs.items[i])) {
            status = stoa_fail(err, STOA_INVALID,
                               "'%s': expected files of one format (and one Arrow file at a time)",
                               path);
            goto done;
        }
    }
    status = stoa_ingest_source_open(database, scan->inputs.items, scan->inputs.count, NULL, false,
                                     &chosen, &scan->source, err);
    if (status == STOA_INVALID) {
        stoa_ingest_source_explain(database, scan->inputs.items, scan->inputs.count, NULL, &chosen,
                                   err);
    }

done:
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    struct ArrowSchema schema = scan->source.schema;
    scan->source.schema = (struct ArrowSchema){0};
    return stoa_stream_create(chosen.pool, &schema, &scan_operations, scan, out, err);
}
