/* Looking into files, and their rows without a table. */
#include <string.h>

#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "arrow/text.h"
#include "base/error.h"
#include "ingest/source.h"
#include "ingest/text_source.h"
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

/* A stream that keeps behind the rows what they come from. */
struct scan {
    stoa_pool *pool;
    stoa_context context;
    stoa_ingest_inputs inputs;
    stoa_ingest_source source; /* either this */
    stoa_text_source *text;    /* or that */
    stoa_ingest_fit fit;
};

static stoa_status scan_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct scan *scan = state;
    return stoa_stream_next(&scan->source.stream, out, err);
}

static void scan_close(void *state) {
    struct scan *scan = state;
    stoa_pool *pool = scan->pool;
    stoa_ingest_source_release(&scan->source);
    stoa_text_source_close(scan->text);
    stoa_ingest_inputs_release(&scan->inputs);
    stoa_pool_free(pool, scan, sizeof *scan);
}

static const stoa_stream_operations scan_operations = {scan_next, scan_close};

/* The blocks of text files, parsed ahead of the reader on several threads. */
static stoa_status scan_text(stoa_database *database, struct scan *scan,
                             struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_ingest_tuning tuning;
    struct ArrowSchema schema;
    stoa_pipeline_operator parser = {0};
    stoa_pipeline pipeline = {.operators = &parser,
                              .operator_count = 1,
                              .options = {.ordered = true}};
    stoa_pipeline_owner owner = {.user = scan, .close = scan_close};
    stoa_status status = stoa_text_source_open(database, scan->inputs.items, scan->inputs.count,
                                               NULL, false, &tuning, &scan->context, &scan->text,
                                               err);
    if (status == STOA_OK) {
        scan->fit.pool = scan->pool;
        scan->fit.schema = stoa_text_source_schema(scan->text);
        status = stoa_schema_to_arrow(scan->pool, scan->fit.schema, &schema, err);
    }
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    pipeline.source = stoa_text_source_blocks(scan->text);
    parser = stoa_text_source_parser(scan->text, &scan->fit);
    return stoa_pipeline_stream(&pipeline, &scan->context, &schema, &owner, out, err);
}

static stoa_status scan_engine(stoa_database *database, struct scan *scan,
                               struct ArrowArrayStream *out, stoa_error *err) {
    stoa_ingest_inputs *inputs = &scan->inputs;
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->items[i].kind.format == STOA_FORMAT_JSONL) {
            STOA_CHECK(stoa_ingest_input_localize(inputs, &inputs->items[i], &scan->context, err));
        }
    }
    status = stoa_ingest_source_open(database, inputs->items, inputs->count, NULL, false,
                                     &scan->context, &scan->source, err);
    if (status == STOA_INVALID) {
        stoa_ingest_source_explain(inputs->items, inputs->count, err);
    }

done:
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    struct ArrowSchema schema = scan->source.schema;
    scan->source.schema = (struct ArrowSchema){0};
    return stoa_stream_create(scan->pool, &schema, &scan_operations, scan, out, err);
}

static stoa_status find_files(stoa_database *database, const char *path, const char *format,
                              struct scan *scan, stoa_error *err) {
    STOA_TRY(
        stoa_ingest_inputs_init(database, &path, 1, format, &scan->context, &scan->inputs, err));
    for (size_t i = 1; i < scan->inputs.count; i++) {
        if (!stoa_ingest_same_source(&scan->inputs.items[0], &scan->inputs.items[i])) {
            return stoa_fail(err, STOA_INVALID,
                             "'%s': expected files of one format (and one Arrow file at a time)",
                             path);
        }
    }
    return STOA_OK;
}

stoa_status stoa_file_scan(stoa_database *database, const char *path, const char *format,
                           const stoa_context *context, struct ArrowArrayStream *out,
                           stoa_error *err) {
    stoa_context chosen = context == NULL ? (stoa_context){0} : *context;
    void *memory = NULL;
    *out = (struct ArrowArrayStream){0};
    stoa_database_fill_context(database, &chosen);
    STOA_TRY(stoa_pool_allocate_array(chosen.pool, 1, sizeof(struct scan), &memory, err));
    struct scan *scan = memory;
    scan->pool = chosen.pool;
    scan->context = chosen;
    stoa_status status = find_files(database, path, format, scan, err);
    if (status != STOA_OK) {
        scan_close(scan);
        return status;
    }
    stoa_file_format found = scan->inputs.items[0].kind.format;
    return found == STOA_FORMAT_CSV || found == STOA_FORMAT_TSV
               ? scan_text(database, scan, out, err)
               : scan_engine(database, scan, out, err);
}
