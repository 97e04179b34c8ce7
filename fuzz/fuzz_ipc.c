/* Arrow IPC, streams and files, read and mapped: any bytes are data or an error. What is read is
 * validated by the reader; it is then written again, which walks every offset, and described. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "base/error.h"

enum { POOL_BYTES = 64 << 20, BATCHES_MAX = 64 };

struct bytes {
    const uint8_t *data;
    size_t size;
};

static stoa_status bytes_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((struct bytes *)state)->size;
    return STOA_OK;
}

static stoa_status bytes_read(void *state, uint64_t offset, void *buffer, size_t size,
                              size_t *out_size, stoa_error *err) {
    (void)err;
    const struct bytes *bytes = state;
    size_t left = offset < bytes->size ? bytes->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, bytes->data + offset, *out_size);
    }
    return STOA_OK;
}

static stoa_status bytes_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    (void)err;
    const struct bytes *bytes = state;
    *out = bytes->data;
    *out_size = bytes->size;
    return STOA_OK;
}

static stoa_status bytes_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    (void)state;
    (void)err;
    /* Look at every byte, so that the sanitizers do. */
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    }
    volatile uint8_t sink = sum;
    (void)sink;
    return STOA_OK;
}

static const stoa_file_operations file_operations = {.size = bytes_size,
                                                     .read_at = bytes_read,
                                                     .map = bytes_map};
static const stoa_file_operations pipe_operations = {.read_at = bytes_read};
static const stoa_file_operations sink_operations = {.write = bytes_write};

static void write_again(const stoa_context *context, struct ArrowArrayStream *stream,
                        const struct ArrowSchema *schema, const stoa_ipc_options *options) {
    stoa_file *sink = NULL;
    stoa_ipc_writer *writer = NULL;
    struct ArrowArray batch = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_file_create(context->pool, "sink", &sink_operations, NULL, &sink, NULL));
    status = stoa_ipc_writer_create(context, sink, schema, options, &writer, NULL);
    for (int i = 0; status == STOA_OK && i < BATCHES_MAX; i++) {
        STOA_CHECK(stoa_stream_next(stream, &batch, NULL));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(stoa_ipc_writer_write(writer, &batch, NULL));
        stoa_arrow_array_release(&batch);
    }
    if (status == STOA_OK) {
        status = stoa_ipc_writer_finish(writer, NULL);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_ipc_writer_close(writer);
    stoa_file_close(sink);
}

static void read_all(const stoa_context *context, const stoa_file_operations *operations,
                     struct bytes *bytes, bool mapped, const stoa_ipc_options *options) {
    stoa_file *file = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    stoa_error err = STOA_ERROR_NONE;
    if (stoa_file_create(context->pool, "input", operations, bytes, &file, NULL) != STOA_OK) {
        return;
    }
    stoa_status status = mapped ? stoa_ipc_read_mapped(context, file, &stream, &err)
                                : stoa_ipc_read(context, file, &stream, &err);
    if (status == STOA_OK && stoa_stream_schema(&stream, &schema, NULL) == STOA_OK) {
        write_again(context, &stream, &schema, options);
    }
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_context context = {0};
    struct bytes bytes = {data, size};
    stoa_file *file = NULL;
    if (stoa_pool_create(POOL_BYTES, NULL, &context.pool, NULL) != STOA_OK) {
        return 0;
    }
    read_all(&context, &file_operations, &bytes, false,
             &(stoa_ipc_options){.format = STOA_IPC_STREAM});
    read_all(&context, &file_operations, &bytes, true,
             &(stoa_ipc_options){.format = STOA_IPC_FILE, .codec = STOA_IPC_LZ4});
    read_all(&context, &pipe_operations, &bytes, false,
             &(stoa_ipc_options){.format = STOA_IPC_FILE, .alignment_bytes = 8});
    if (stoa_file_create(context.pool, "input", &file_operations, &bytes, &file, NULL) == STOA_OK) {
        stoa_buffer json;
        stoa_buffer_init(&json, context.pool);
        if (stoa_ipc_describe(&context, file, &json, NULL) == STOA_OK && json.size == 0) {
            __builtin_trap(); /* nothing is no description */
        }
        stoa_buffer_release(&json);
        stoa_file_close(file);
    }
    if (stoa_pool_used(context.pool) != 0) {
        __builtin_trap(); /* a leak */
    }
    stoa_pool_close(context.pool);
    return 0;
}
