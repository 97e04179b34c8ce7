/* Looking into files. */
#include <stoa/load.h>

#include "arrow/ipc.h"
#include "arrow/text.h"
#include "ingest/detect.h"
#include "lsm/describe.h"
#include "parquet/verify.h"
#include "table/table.h"
#include "vfs/vfs.h"

static stoa_status describe_parquet(const stoa_context *context, stoa_fs_registry *registry,
                                    stoa_file *file, const stoa_inspect_options *options,
                                    stoa_buffer *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_parquet_key_file keys = {0};
    stoa_file *key_file = NULL;
    if (options->keys != NULL) {
        STOA_CHECK(stoa_vfs_open(registry, options->keys, STOA_OPEN_READ, context, &key_file, err));
        STOA_CHECK(stoa_parquet_key_file_read(context->pool, key_file, &keys, err));
    }
    status = (options->as_text ? stoa_parquet_describe_text : stoa_parquet_describe)(
        context, file, &keys.keys, options->with_pages, out, err);

done:
    stoa_parquet_key_file_release(&keys);
    stoa_file_close(key_file);
    return status;
}

/* Files of a store are found by their names, and never packed. */
static stoa_status is_of_store(const stoa_context *context, stoa_fs_registry *registry,
                               const char *path, bool *out, stoa_error *err) {
    uint8_t magic[STOA_STORE_MAGIC_BYTES];
    size_t size = 0;
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &file, err));
    stoa_status status = stoa_file_read_some(file, 0, magic, sizeof magic, &size, err);
    *out = status == STOA_OK && stoa_store_file_recognise(magic, size);
    stoa_file_close(file);
    return status;
}

stoa_status stoa_file_inspect(stoa_database *database, const char *path,
                              const stoa_inspect_options *options, stoa_text *out,
                              stoa_error *err) {
    static const stoa_inspect_options defaults = {0};
    const stoa_context *context = stoa_database_context(database);
    stoa_fs_registry *registry = stoa_database_file_systems(database);
    stoa_ingest_kind kind;
    stoa_file *packed = NULL;
    stoa_file *file = NULL;
    const char *view = NULL;
    stoa_status status = STOA_OK;
    bool of_store = false;
    options = options == NULL ? &defaults : options;
    stoa_buffer_clear(&out->buffer);
    STOA_TRY(is_of_store(context, registry, path, &of_store, err));
    if (of_store) {
        STOA_TRY(stoa_store_file_describe(context, registry, path, options->with_pages,
                                          &out->buffer, err));
        return stoa_buffer_text(&out->buffer, &view, err);
    }
    STOA_TRY(stoa_ingest_detect(registry, path, NULL, context, &kind, err));
    STOA_CHECK(stoa_vfs_open(registry, path, STOA_OPEN_READ, context, &packed, err));
    STOA_CHECK(stoa_compressed_open(context, packed, &kind.packing, &file, err));
    if (kind.format == STOA_FORMAT_PARQUET) {
        STOA_CHECK(describe_parquet(context, registry, file, options, &out->buffer, err));
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
