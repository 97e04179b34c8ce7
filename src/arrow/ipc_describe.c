/* What an IPC stream or file holds, as JSON, from its metadata alone.
 *
 *     {"format": "file", "version": "V5", "codec": "zstd", "rows": 10, "batches": 2,
 *      "fields": [{"name": "a", "type": "int32", "nullable": true}],
 *      "metadata": {"key": "value"},
 *      "messages": [{"kind": "dictionary", "offset": 320, "metadata_bytes": 184, "body_bytes": 64,
 *                    "rows": 3, "codec": "none", "id": 0, "delta": false}, …]}
 *
 * Messages stand in the order in which the reader would take them. */
#include "arrow/ipc.h"

#include "arrow/ipc_format.h"
#include "arrow/ipc_open.h"
#include "arrow/layout.h"
#include "arrow/print.h"
#include "arrow/schema.h"
#include "base/checked.h"

struct describe {
    stoa_ipc_source source;
    stoa_ipc_opening opening;
    stoa_arena arena;
    stoa_buffer messages;
    int64_t batches;
    int64_t rows;
    const char *codec; /* of all messages so far; NULL before the first */
};

static const char *const codec_names[] = {[CODEC_LZ4_FRAME] = "lz4", [CODEC_ZSTD] = "zstd"};

static const char *codec_of(stoa_flat_table batch) {
    stoa_flat_table compression = stoa_flat_child(batch, BATCH_COMPRESSION);
    if (!stoa_flat_present(compression)) {
        return "none";
    }
    uint8_t codec = stoa_flat_u8(compression, COMPRESSION_CODEC, CODEC_LZ4_FRAME);
    return codec <= CODEC_ZSTD ? codec_names[codec] : "unknown";
}

static stoa_status message_print(struct describe *describe, const stoa_ipc_message *message,
                                 stoa_error *err) {
    bool dictionary = message->header_type == HEADER_DICTIONARY_BATCH;
    stoa_flat_table batch = dictionary ? stoa_flat_child(message->header, DICTIONARY_BATCH_DATA)
                                       : message->header;
    int64_t rows = stoa_flat_i64(batch, BATCH_LENGTH, 0);
    const char *codec = codec_of(batch);
    stoa_buffer *out = &describe->messages;
    STOA_TRY(stoa_ipc_check_reader(&describe->source, message->offset, &message->reader, err));
    if (!dictionary) {
        describe->batches++;
        if (rows < 0 || !stoa_add_i64(describe->rows, rows, &describe->rows)) {
            return stoa_ipc_corrupt(&describe->source, message->offset, err,
                                    "a batch of %" PRId64 " rows", rows);
        }
    }
    bool same = describe->codec == NULL || strcmp(describe->codec, codec) == 0;
    describe->codec = same ? codec : "mixed";
    STOA_TRY(stoa_buffer_append_format(out, err,
                                       "%s{\"kind\": \"%s\", \"offset\": %" PRIu64
                                       ", \"metadata_bytes\": %" PRIu64 ", \"body_bytes\": %" PRIu64
                                       ", \"rows\": %" PRId64 ", \"codec\": \"%s\"",
                                       out->size == 0 ? "" : ", ",
                                       dictionary ? "dictionary" : "batch", message->offset,
                                       message->body_offset - message->offset, message->body_size,
                                       rows, codec));
    if (dictionary) {
        STOA_TRY(stoa_buffer_append_format(out, err, ", \"id\": %" PRId64 ", \"delta\": %s",
                                           stoa_flat_i64(message->header, DICTIONARY_BATCH_ID, 0),
                                           stoa_flat_bool(message->header,
                                                          DICTIONARY_BATCH_IS_DELTA, false)
                                               ? "true"
                                               : "false"));
    }
    return stoa_buffer_append_text(out, "}", err);
}

/* Reads the message at the source's position, prints it, goes over its body. */
static stoa_status message_visit(struct describe *describe, bool *out_end, stoa_error *err) {
    stoa_ipc_message message = {0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_cancel_check(describe->source.context.cancel, err));
    STOA_CHECK(stoa_ipc_message_read(&describe->source, &message, out_end, err));
    if (*out_end) {
        goto done;
    }
    if (message.header_type != HEADER_DICTIONARY_BATCH &&
        message.header_type != HEADER_RECORD_BATCH) {
        status = stoa_ipc_unexpected(&describe->source, &message, "a record batch or a dictionary",
                                     err);
        goto done;
    }
    describe->opening.version = message.version;
    STOA_CHECK(message_print(describe, &message, err));
    STOA_CHECK(
        stoa_ipc_source_skip(&describe->source, message.body_offset, message.body_size, err));
    describe->source.position = message.body_offset + message.body_size;

done:
    stoa_ipc_message_release(&message);
    return status;
}

static stoa_status blocks_visit(struct describe *describe, const stoa_ipc_block *blocks,
                                uint32_t count, stoa_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        bool end = false;
        describe->source.position = blocks[i].offset;
        STOA_TRY(message_visit(describe, &end, err));
        if (end) {
            return stoa_ipc_corrupt(&describe->source, blocks[i].offset, err,
                                    "the footer names a message where an end mark stands");
        }
    }
    return STOA_OK;
}

static stoa_status file_visit(struct describe *describe, stoa_error *err) {
    const stoa_ipc_footer *footer = &describe->opening.footer;
    STOA_TRY(blocks_visit(describe, footer->dictionaries, footer->dictionary_count, err));
    return blocks_visit(describe, footer->batches, footer->batch_count, err);
}

static stoa_status stream_visit(struct describe *describe, stoa_error *err) {
    bool end = false;
    while (!end) {
        STOA_TRY(message_visit(describe, &end, err));
    }
    return STOA_OK;
}

static stoa_status fields_print(const struct ArrowSchema *schema, stoa_buffer *out,
                                stoa_error *err) {
    stoa_buffer type;
    stoa_buffer_init(&type, out->pool);
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *field = schema->children[i];
        bool nullable = (field->flags & ARROW_FLAG_NULLABLE) != 0;
        stoa_buffer_clear(&type);
        STOA_CHECK(stoa_arrow_type_print(field, &type, err));
        STOA_CHECK(stoa_buffer_append_text(out, i == 0 ? "{\"name\": " : ", {\"name\": ", err));
        STOA_CHECK(stoa_json_string_print(field->name, strlen(field->name), out, err));
        STOA_CHECK(stoa_buffer_append_text(out, ", \"type\": ", err));
        STOA_CHECK(stoa_json_string_print((const char *)type.data, type.size, out, err));
        STOA_CHECK(stoa_buffer_append_format(out, err, ", \"nullable\": %s}",
                                             nullable ? "true" : "false"));
    }

done:
    stoa_buffer_release(&type);
    return status;
}

struct pairs {
    stoa_buffer *out;
    bool some;
};

static stoa_status pair_print(void *user, const char *key, int32_t key_size, const char *value,
                              int32_t value_size, stoa_error *err) {
    struct pairs *pairs = user;
    STOA_TRY(stoa_buffer_append_text(pairs->out, pairs->some ? ", " : "", err));
    STOA_TRY(stoa_json_string_print(key, (size_t)key_size, pairs->out, err));
    STOA_TRY(stoa_buffer_append_text(pairs->out, ": ", err));
    pairs->some = true;
    return stoa_json_string_print(value, (size_t)value_size, pairs->out, err);
}

static stoa_status describe_print(const struct describe *describe, stoa_buffer *out,
                                  stoa_error *err) {
    struct pairs pairs = {.out = out};
    STOA_TRY(stoa_buffer_append_format(
        out, err,
        "{\"format\": \"%s\", \"version\": \"V%d\", \"codec\": \"%s\", \"rows\": %" PRId64
        ", \"batches\": %" PRId64 ", \"fields\": [",
        describe->opening.file ? "file" : "stream", describe->opening.version + 1,
        describe->codec == NULL ? "none" : describe->codec, describe->rows, describe->batches));
    STOA_TRY(fields_print(&describe->opening.schema, out, err));
    STOA_TRY(stoa_buffer_append_text(out, "], \"metadata\": {", err));
    STOA_TRY(stoa_arrow_metadata_each(describe->opening.schema.metadata, pair_print, &pairs, err));
    STOA_TRY(stoa_buffer_append_text(out, "}, \"messages\": [", err));
    STOA_TRY(stoa_buffer_append(out, describe->messages.data, describe->messages.size, err));
    return stoa_buffer_append_text(out, "]}", err);
}

stoa_status stoa_ipc_describe(const stoa_context *context, stoa_file *file, stoa_buffer *out_json,
                              stoa_error *err) {
    struct describe describe = {0};
    stoa_arena_init(&describe.arena, context->pool);
    stoa_ipc_opening_init(&describe.opening, context->pool);
    stoa_buffer_init(&describe.messages, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_ipc_source_init(&describe.source, context, file, false, err));
    STOA_CHECK(stoa_ipc_open(&describe.source, &describe.arena, &describe.opening, err));
    STOA_CHECK(describe.opening.by_footer ? file_visit(&describe, err)
                                          : stream_visit(&describe, err));
    STOA_CHECK(describe_print(&describe, out_json, err));

done:
    stoa_buffer_release(&describe.messages);
    stoa_ipc_opening_release(&describe.opening);
    stoa_arena_release(&describe.arena);
    return status;
}
