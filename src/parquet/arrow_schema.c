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

/* ---- The way back ---------------------------------------------------------------------------- */

static int digit_value(uint8_t digit) {
    return digit >= 'A' && digit <= 'Z'   ? digit - 'A'
           : digit >= 'a' && digit <= 'z' ? digit - 'a' + 26
           : digit >= '0' && digit <= '9' ? digit - '0' + 52
           : digit == '+'                 ? 62
           : digit == '/'                 ? 63
                                          : -1;
}

/* `*out_valid` is false where the text is not base 64. */
static stoa_status decode_base64(const char *text, size_t size, stoa_buffer *out, bool *out_valid,
                                 stoa_error *err) {
    uint32_t group = 0;
    int held = 0;
    STOA_TRY(stoa_buffer_reserve(out, size / 4 * 3 + 3, err));
    *out_valid = true;
    while (size > 0 && text[size - 1] == '=') {
        size--;
    }
    for (size_t i = 0; i < size && *out_valid; i++) {
        const int value = digit_value((uint8_t)text[i]);
        *out_valid = value >= 0;
        group = group << 6 | (uint32_t)(value & 63);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out->data[out->size++] = (uint8_t)(group >> held);
        }
    }
    return STOA_OK;
}

static stoa_status buffer_size(void *state, uint64_t *out, stoa_error *err) {
    (void)err;
    *out = ((const stoa_buffer *)state)->size;
    return STOA_OK;
}

static stoa_status buffer_read(void *state, uint64_t offset, void *buffer, size_t size,
                               size_t *out_size, stoa_error *err) {
    (void)err;
    const stoa_buffer *bytes = state;
    const size_t left = offset < bytes->size ? bytes->size - (size_t)offset : 0;
    *out_size = size < left ? size : left;
    if (*out_size > 0) {
        memcpy(buffer, bytes->data + offset, *out_size);
    }
    return STOA_OK;
}

/* Both trees have at most the depth of a Stoa schema. */
static void apply_type(const stoa_type *hint, stoa_type *type) {
    if (hint->kind == STOA_TYPE_DURATION && type->kind == STOA_TYPE_LONG) {
        type->kind = STOA_TYPE_DURATION;
        type->unit = hint->unit;
    } else if (hint->kind == STOA_TYPE_UUID && type->kind == STOA_TYPE_FIXED &&
               type->length == 16) {
        *type = (stoa_type){.kind = STOA_TYPE_UUID};
    }
    if (hint->kind != type->kind || hint->child_count != type->child_count) {
        return;
    }
    stoa_field *fields = (stoa_field *)(uintptr_t)type->children; /* made by the caller */
    for (int32_t i = 0; i < type->child_count; i++) {
        if (type->kind != STOA_TYPE_STRUCT ||
            strcmp(hint->children[i].name, fields[i].name) == 0) {
            apply_type(&hint->children[i].type, &fields[i].type);
        }
    }
}

static stoa_status read_message(const stoa_context *context, stoa_buffer *message,
                                const stoa_schema **out, stoa_error *err) {
    static const stoa_file_operations operations = {.size = buffer_size, .read_at = buffer_read};
    stoa_status status = STOA_OK;
    stoa_file *file = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema arrow = {0};
    STOA_TRY(stoa_file_create(context->pool, "ARROW:schema", &operations, message, &file, err));
    STOA_CHECK(stoa_ipc_read(context, file, &stream, err));
    STOA_CHECK(stoa_stream_schema(&stream, &arrow, err));
    STOA_CHECK(stoa_schema_from_arrow(context->pool, &arrow, out, err));

done:
    stoa_arrow_schema_release(&arrow);
    stoa_arrow_stream_release(&stream);
    return status;
}

stoa_status stoa_parquet_arrow_schema_apply(const stoa_context *context,
                                            const stoa_parquet_footer *footer, stoa_type *root,
                                            stoa_error *err) {
    stoa_status status = STOA_OK;
    const stoa_schema *hint = NULL;
    bool is_valid = false;
    stoa_buffer message;
    stoa_buffer_init(&message, context->pool);
    for (int32_t i = 0; i < footer->pair_count && !is_valid; i++) {
        const stoa_parquet_pair *pair = &footer->pairs[i];
        if (pair->value != NULL && strcmp(pair->key, "ARROW:schema") == 0) {
            STOA_CHECK(decode_base64(pair->value, pair->value_size, &message, &is_valid, err));
        }
    }
    if (is_valid) {
        stoa_error cause = STOA_ERROR_NONE;
        status = read_message(context, &message, &hint, &cause);
        if (status == STOA_OK) {
            apply_type(&hint->root, root);
        } else if (status != STOA_NO_MEMORY && status != STOA_LIMIT) {
            status = STOA_OK; /* a hint that says nothing */
        } else if (err != NULL) {
            *err = cause;
        }
    }

done:
    stoa_schema_close(hint);
    stoa_buffer_release(&message);
    return status;
}
