/* Building the metadata of messages and sending them.
 *
 * The metadata is padded so that the body begins at a multiple of the alignment in the file, and
 * every buffer in it does likewise: a reader that maps the file gets aligned buffers.
 *
 * Source   Apache Arrow, format/Message.fbs, format/File.fbs */
#include "arrow/ipc_emit.h"

#include "arrow/ipc_builder.h"
#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"
#include "base/bytes.h"

enum { PADDING_BYTES_MAX = 64 };

static const uint8_t zeros[PADDING_BYTES_MAX] = {0};

static stoa_status send(stoa_ipc_emitter *emitter, const void *bytes, size_t size,
                        stoa_error *err) {
    if (size == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_file_write(emitter->file, bytes, size, err));
    emitter->position += size;
    return STOA_OK;
}

/* A Message whose header follows, referred to from `*out_header`. */
static stoa_status message_begin(stoa_ipc_emitter *emitter, uint8_t type, uint64_t body_size,
                                 uint32_t *out_header, stoa_error *err) {
    stoa_flat_slot slots[] = {
        [MESSAGE_VERSION] = STOA_FLAT_SCALAR(2, IPC_VERSION_V5),
        [MESSAGE_HEADER_TYPE] = STOA_FLAT_SCALAR(1, type),
        [MESSAGE_HEADER] = STOA_FLAT_REFERENCE,
        [MESSAGE_BODY_LENGTH] = STOA_FLAT_SCALAR(8, body_size),
        [MESSAGE_METADATA] = STOA_FLAT_ABSENT,
    };
    stoa_buffer_clear(&emitter->metadata);
    STOA_TRY(stoa_flat_begin(&emitter->metadata, err));
    STOA_TRY(stoa_flat_write_table(&emitter->metadata, 0, slots, MESSAGE_FIELDS, err));
    *out_header = slots[MESSAGE_HEADER].position;
    return STOA_OK;
}

/* Sends prefix and metadata; the body, if any, follows at a multiple of the alignment. */
static stoa_status message_send(stoa_ipc_emitter *emitter, stoa_error *err) {
    stoa_buffer *metadata = &emitter->metadata;
    uint64_t end = emitter->position + IPC_PREFIX_BYTES + metadata->size;
    size_t padding = (size_t)((emitter->alignment - end % emitter->alignment) % emitter->alignment);
    STOA_TRY(stoa_buffer_append_fill(metadata, 0, padding, err));
    uint8_t prefix[IPC_PREFIX_BYTES];
    stoa_store_u32(prefix, STOA_IPC_CONTINUATION);
    stoa_store_u32(prefix + 4, (uint32_t)metadata->size);
    STOA_TRY(send(emitter, prefix, sizeof prefix, err));
    return send(emitter, metadata->data, metadata->size, err);
}

static stoa_status batch_write(stoa_buffer *out, uint32_t referrer, const stoa_ipc_encoder *encoder,
                               int64_t length, stoa_error *err) {
    bool compressed = encoder->codec != NULL;
    bool views = encoder->variadic.size > 0;
    stoa_flat_slot slots[] = {
        [BATCH_LENGTH] = STOA_FLAT_SCALAR(8, (uint64_t)length),
        [BATCH_NODES] = STOA_FLAT_REFERENCE,
        [BATCH_BUFFERS] = STOA_FLAT_REFERENCE,
        [BATCH_COMPRESSION] = compressed ? STOA_FLAT_REFERENCE : STOA_FLAT_ABSENT,
        [BATCH_VARIADIC_COUNTS] = views ? STOA_FLAT_REFERENCE : STOA_FLAT_ABSENT,
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, BATCH_FIELDS, err));
    STOA_TRY(stoa_flat_write_vector(out, slots[BATCH_NODES].position, encoder->nodes.data,
                                    encoder->nodes.size / NODE_BYTES, NODE_BYTES, NULL, err));
    STOA_TRY(stoa_flat_write_vector(out, slots[BATCH_BUFFERS].position, encoder->buffers.data,
                                    encoder->buffers.size / BUFFER_BYTES, BUFFER_BYTES, NULL, err));
    if (compressed) {
        bool zstd = stoa_codec_compression(encoder->codec) == STOA_COMPRESSION_ZSTD;
        stoa_flat_slot parts[] = {
            [COMPRESSION_CODEC] = STOA_FLAT_SCALAR(1, zstd ? CODEC_ZSTD : CODEC_LZ4_FRAME),
            [COMPRESSION_METHOD] = STOA_FLAT_SCALAR(1, METHOD_BUFFER),
        };
        STOA_TRY(stoa_flat_write_table(out, slots[BATCH_COMPRESSION].position, parts,
                                       COMPRESSION_FIELDS, err));
    }
    if (views) {
        STOA_TRY(stoa_flat_write_vector(out, slots[BATCH_VARIADIC_COUNTS].position,
                                        encoder->variadic.data,
                                        encoder->variadic.size / sizeof(int64_t), sizeof(int64_t),
                                        NULL, err));
    }
    return STOA_OK;
}

static stoa_status dictionary_write(stoa_buffer *out, uint32_t referrer,
                                    const stoa_ipc_encoder *encoder, int64_t length,
                                    const stoa_ipc_dictionary_head *dictionary, stoa_error *err) {
    stoa_flat_slot slots[] = {
        [DICTIONARY_BATCH_ID] = STOA_FLAT_SCALAR(8, (uint64_t)dictionary->id),
        [DICTIONARY_BATCH_DATA] = STOA_FLAT_REFERENCE,
        [DICTIONARY_BATCH_IS_DELTA] = STOA_FLAT_SCALAR(1, dictionary->delta),
    };
    STOA_TRY(stoa_flat_write_table(out, referrer, slots, DICTIONARY_BATCH_FIELDS, err));
    return batch_write(out, slots[DICTIONARY_BATCH_DATA].position, encoder, length, err);
}

static stoa_status body_send(stoa_ipc_emitter *emitter, const stoa_ipc_encoder *encoder,
                             stoa_error *err) {
    const stoa_ipc_piece *pieces = (const stoa_ipc_piece *)(const void *)encoder->pieces.data;
    size_t count = encoder->pieces.size / sizeof *pieces;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = pieces[i].data == NULL ? encoder->compressed.data + pieces[i].offset
                                                      : pieces[i].data;
        STOA_TRY(send(emitter, bytes, pieces[i].size, err));
        STOA_TRY(send(emitter, zeros, pieces[i].padding, err));
    }
    return STOA_OK;
}

stoa_status stoa_ipc_emit_magic(stoa_ipc_emitter *emitter, stoa_error *err) {
    static const uint8_t head[IPC_HEAD_BYTES] = STOA_IPC_MAGIC;
    return send(emitter, head, sizeof head, err);
}

stoa_status stoa_ipc_emit_schema(stoa_ipc_emitter *emitter, const stoa_ipc_field *root,
                                 stoa_error *err) {
    uint32_t header = 0;
    STOA_TRY(message_begin(emitter, HEADER_SCHEMA, 0, &header, err));
    STOA_TRY(stoa_ipc_schema_write(root, &emitter->metadata, header, err));
    return message_send(emitter, err);
}

stoa_status stoa_ipc_emit_batch(stoa_ipc_emitter *emitter, const stoa_ipc_encoder *encoder,
                                int64_t length, const stoa_ipc_dictionary_head *dictionary,
                                stoa_ipc_block *out, stoa_error *err) {
    uint32_t header = 0;
    uint8_t type = dictionary == NULL ? HEADER_RECORD_BATCH : HEADER_DICTIONARY_BATCH;
    stoa_buffer *metadata = &emitter->metadata;
    out->offset = emitter->position;
    out->body_size = encoder->body_size;
    STOA_TRY(message_begin(emitter, type, encoder->body_size, &header, err));
    STOA_TRY(dictionary == NULL
                 ? batch_write(metadata, header, encoder, length, err)
                 : dictionary_write(metadata, header, encoder, length, dictionary, err));
    STOA_TRY(message_send(emitter, err));
    out->metadata_size = emitter->position - out->offset;
    STOA_TRY(body_send(emitter, encoder, err));
    STOA_ASSERT(emitter->position == out->offset + out->metadata_size + out->body_size);
    return STOA_OK;
}

stoa_status stoa_ipc_emit_end(stoa_ipc_emitter *emitter, stoa_error *err) {
    uint8_t mark[IPC_PREFIX_BYTES] = {0};
    stoa_store_u32(mark, STOA_IPC_CONTINUATION);
    return send(emitter, mark, sizeof mark, err);
}

static stoa_status blocks_write(stoa_buffer *out, uint32_t referrer, const stoa_buffer *blocks,
                                stoa_error *err) {
    const stoa_ipc_block *list = (const stoa_ipc_block *)(const void *)blocks->data;
    size_t count = blocks->size / sizeof *list;
    uint32_t first = 0;
    STOA_TRY(stoa_flat_write_vector(out, referrer, NULL, count, BLOCK_BYTES, &first, err));
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = out->data + first + i * BLOCK_BYTES;
        stoa_store_u64(bytes, list[i].offset);
        stoa_store_u32(bytes + 8, (uint32_t)list[i].metadata_size);
        stoa_store_u64(bytes + 16, list[i].body_size);
    }
    return STOA_OK;
}

stoa_status stoa_ipc_emit_footer(stoa_ipc_emitter *emitter, const stoa_ipc_field *root,
                                 const stoa_buffer *dictionaries, const stoa_buffer *batches,
                                 stoa_error *err) {
    stoa_buffer *out = &emitter->metadata;
    stoa_flat_slot slots[] = {
        [FOOTER_VERSION] = STOA_FLAT_SCALAR(2, IPC_VERSION_V5),
        [FOOTER_SCHEMA] = STOA_FLAT_REFERENCE,
        [FOOTER_DICTIONARIES] = STOA_FLAT_REFERENCE,
        [FOOTER_BATCHES] = STOA_FLAT_REFERENCE,
        [FOOTER_METADATA] = STOA_FLAT_ABSENT,
    };
    stoa_buffer_clear(out);
    STOA_TRY(stoa_flat_begin(out, err));
    STOA_TRY(stoa_flat_write_table(out, 0, slots, FOOTER_FIELDS, err));
    STOA_TRY(stoa_ipc_schema_write(root, out, slots[FOOTER_SCHEMA].position, err));
    STOA_TRY(blocks_write(out, slots[FOOTER_DICTIONARIES].position, dictionaries, err));
    STOA_TRY(blocks_write(out, slots[FOOTER_BATCHES].position, batches, err));
    uint8_t trailer[IPC_TRAILER_BYTES];
    stoa_store_u32(trailer, (uint32_t)out->size);
    memcpy(trailer + 4, STOA_IPC_MAGIC, IPC_MAGIC_BYTES);
    STOA_TRY(send(emitter, out->data, out->size, err));
    return send(emitter, trailer, sizeof trailer, err);
}
