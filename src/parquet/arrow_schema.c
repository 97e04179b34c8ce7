/* Durations, the unit of seconds and extension types are not in Parquet's own schema. Arrow's
 * implementations keep the whole Arrow schema beside it, as an encapsulated IPC message; the first
 * thing that an IPC stream holds is that message, so a stream without batches is written into a
 * buffer and turned into base 64. */
#include "parquet/arrow_schema.h"

#include "arrow/ipc.h"
#include "vfs/vfs.h"

static stoa_status buffer_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    return stoa_buffer_append(state, bytes, size, err);
}

static stoa_status append_base64(const uint8_t *bytes, size_t size, stoa_buffer *out,
                                 stoa_error *err) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    STOA_TRY(stoa_buffer_reserve(out, (size + 2) / 3 * 4, err));
    for (size_t i = 0; i < size; i += 3) {
        const uint32_t second = i + 1 < size ? bytes[i + 1] : 0;
        const uint32_t third = i + 2 < size ? bytes[i + 2] : 0;
        const uint32_t group = (uint32_t)bytes[i] << 16 | second << 8 | third;
        out->data[out->size++] = (uint8_t)digits[group >> 18];
        out->data[out->size++] = (uint8_t)digits[group >> 12 & 63];
        out->data[out->size++] = i + 1 < size ? (uint8_t)digits[group >> 6 & 63] : '=';
        out->data[out->size++] = i + 2 < size ? (uint8_t)digits[group & 63] : '=';
    }
    return STOA_OK;
}

stoa_status stoa_parquet_arrow_schema(const stoa_context *context, const stoa_schema *schema,
                                      stoa_buffer *out, stoa_error *err) {
    static const stoa_file_operations operations = {.write = buffer_write};
    static const stoa_ipc_options options = {.format = STOA_IPC_STREAM, .codec = STOA_IPC_NONE};
    stoa_status status = STOA_OK;
    struct ArrowSchema arrow = {0};
    stoa_ipc_writer *writer = NULL;
    stoa_buffer message;
    stoa_buffer_init(&message, context->pool);
    char name[] = "ARROW:schema";
    stoa_file file = {.operations = &operations,
                      .state = &message,
                      .pool = context->pool,
                      .uri = name};

    STOA_CHECK(stoa_schema_to_arrow(context->pool, schema, &arrow, err));
    STOA_CHECK(stoa_ipc_writer_create(context, &file, &arrow, &options, &writer, err));
    STOA_CHECK(append_base64(message.data, message.size, out, err));

done:
    stoa_ipc_writer_close(writer);
    stoa_arrow_schema_release(&arrow);
    stoa_buffer_release(&message);
    return status;
}
