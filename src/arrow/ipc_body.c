/* Reading the body of a record batch.
 *
 * Uncompressed buffers are used where they lie, in the body or in the mapped file. A compressed
 * buffer begins with its uncompressed size (int64), -1 meaning that it is stored as it is; all
 * buffers of a body are decompressed into one block, each at a multiple of 64. A size that no input
 * of that length can decompress to is refused before memory is asked for: LZ4 expands at most 255
 * times, zstd writes at least 4 bytes for a block of 128 KiB. Compressed buffers may not overlap,
 * so that a small file cannot name one of them a million times.
 *
 * Source   Apache Arrow columnar format 1.5, "RecordBatch message", "Compression" */
#include "arrow/ipc_body.h"

#include "arrow/ipc_format.h"
#include "base/bytes.h"
#include "base/checked.h"

enum {
    LZ4_EXPANSION_MAX = 256,
    ZSTD_EXPANSION_MAX = (128 << 10) / 4,
    SIZE_PREFIX_BYTES = 8,
    STORED_RAW = -1
};

_Alignas(64) const uint8_t stoa_ipc_empty[IPC_EMPTY_BYTES] = {0};

void stoa_ipc_codecs_release(stoa_ipc_codecs *codecs) {
    stoa_codec_close(codecs->lz4);
    stoa_codec_close(codecs->zstd);
    *codecs = (stoa_ipc_codecs){0};
}

static void body_free(void *user) {
    stoa_ipc_body *body = user;
    stoa_keeper_release(body->file);
    stoa_arena_release(&body->arena);
    stoa_buffer_release(&body->raw);
    stoa_buffer_release(&body->decoded);
    stoa_pool_free(body->pool, body, sizeof *body);
}

static stoa_status body_create(stoa_pool *pool, stoa_ipc_body **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_ipc_body), &memory, err));
    stoa_ipc_body *body = memory;
    body->pool = pool;
    stoa_arena_init(&body->arena, pool);
    stoa_buffer_init(&body->raw, pool);
    stoa_buffer_init(&body->decoded, pool);
    stoa_status status = stoa_keeper_create(pool, body_free, body, &body->keeper, err);
    if (status != STOA_OK) {
        body_free(body);
        return status;
    }
    *out = body;
    return STOA_OK;
}

/* Nodes, buffers (still offsets into the body) and counts of variadic buffers. */
static stoa_status header_read(const stoa_ipc_source *source, const stoa_ipc_message *message,
                               stoa_flat_table batch, stoa_ipc_body *body, stoa_error *err) {
    stoa_flat_vector nodes = stoa_flat_vector_of(batch, BATCH_NODES, NODE_BYTES);
    stoa_flat_vector buffers = stoa_flat_vector_of(batch, BATCH_BUFFERS, BUFFER_BYTES);
    stoa_flat_vector counts = stoa_flat_vector_of(batch, BATCH_VARIADIC_COUNTS, sizeof(int64_t));
    body->offset = message->offset;
    body->version = message->version;
    body->length = stoa_flat_i64(batch, BATCH_LENGTH, 0);
    STOA_TRY(stoa_ipc_check_reader(source, message->offset, &message->reader, err));
    if (!stoa_flat_present(batch)) {
        return stoa_ipc_corrupt(source, message->offset, err, "the record batch is missing");
    }
    void *memory = NULL;
    STOA_TRY(
        stoa_arena_allocate_array(&body->arena, nodes.count, sizeof(stoa_ipc_node), &memory, err));
    body->nodes = memory;
    body->node_count = nodes.count;
    STOA_TRY(stoa_arena_allocate_array(&body->arena, buffers.count, sizeof(stoa_ipc_slice), &memory,
                                       err));
    body->buffers = memory;
    body->buffer_count = buffers.count;
    STOA_TRY(stoa_arena_allocate_array(&body->arena, counts.count, sizeof(int64_t), &memory, err));
    body->variadic_counts = memory;
    body->variadic_count = counts.count;
    for (uint32_t i = 0; i < nodes.count; i++) {
        const uint8_t *bytes = stoa_flat_element(nodes, i);
        body->nodes[i] = (stoa_ipc_node){stoa_load_i64(bytes), stoa_load_i64(bytes + 8)};
    }
    for (uint32_t i = 0; i < counts.count; i++) {
        body->variadic_counts[i] = stoa_load_i64(stoa_flat_element(counts, i));
    }
    return STOA_OK;
}

/* Turns offsets and lengths into slices of `bytes`, which are the `size` bytes of the body. */
static stoa_status buffers_place(const stoa_ipc_source *source, const stoa_ipc_message *message,
                                 stoa_flat_table batch, const uint8_t *bytes, stoa_ipc_body *body,
                                 stoa_error *err) {
    stoa_flat_vector buffers = stoa_flat_vector_of(batch, BATCH_BUFFERS, BUFFER_BYTES);
    STOA_ASSERT(buffers.count == body->buffer_count);
    for (uint32_t i = 0; i < buffers.count; i++) {
        int64_t offset = stoa_load_i64(stoa_flat_element(buffers, i));
        int64_t length = stoa_load_i64(stoa_flat_element(buffers, i) + 8);
        if (length == 0) {
            body->buffers[i] = (stoa_ipc_slice){stoa_ipc_empty, 0};
            continue;
        }
        if (offset < 0 || length < 0 || (uint64_t)offset > message->body_size ||
            (uint64_t)length > message->body_size - (uint64_t)offset) {
            return stoa_ipc_corrupt(source, message->offset, err,
                                    "buffer %u lies at %" PRId64 " with %" PRId64
                                    " bytes in a body of %" PRIu64,
                                    i, offset, length, message->body_size);
        }
        body->buffers[i] = (stoa_ipc_slice){bytes + offset, (uint64_t)length};
    }
    return STOA_OK;
}

static stoa_status codec_find(const stoa_ipc_source *source, const stoa_ipc_message *message,
                              stoa_flat_table batch, stoa_ipc_codecs *codecs, stoa_codec **out,
                              stoa_error *err) {
    *out = NULL;
    stoa_flat_table compression = stoa_flat_child(batch, BATCH_COMPRESSION);
    uint8_t kind = stoa_flat_u8(compression, COMPRESSION_CODEC, CODEC_LZ4_FRAME);
    uint8_t method = stoa_flat_u8(compression, COMPRESSION_METHOD, METHOD_BUFFER);
    STOA_TRY(stoa_ipc_check_reader(source, message->offset, &message->reader, err));
    if (!stoa_flat_present(compression)) {
        return STOA_OK;
    }
    if (method != METHOD_BUFFER || (kind != CODEC_LZ4_FRAME && kind != CODEC_ZSTD)) {
        (void)stoa_fail(err, STOA_UNSUPPORTED,
                        "expected compression by LZ4_FRAME or ZSTD but found codec %u, method %u",
                        kind, method);
        return stoa_ipc_locate(source, message->offset, STOA_UNSUPPORTED, err);
    }
    stoa_codec **codec = kind == CODEC_ZSTD ? &codecs->zstd : &codecs->lz4;
    if (*codec == NULL) {
        STOA_TRY(stoa_codec_create(source->context.pool,
                                   kind == CODEC_ZSTD ? STOA_COMPRESSION_ZSTD
                                                      : STOA_COMPRESSION_LZ4_FRAME,
                                   0, codec, err));
    }
    *out = *codec;
    return STOA_OK;
}

/* What one compressed buffer decompresses to; `*out_raw` says that it is stored as it is. */
static stoa_status decoded_size(const stoa_ipc_source *source, const stoa_ipc_body *body,
                                const stoa_codec *codec, uint32_t index, uint64_t *out,
                                bool *out_raw, stoa_error *err) {
    const stoa_ipc_slice *slice = &body->buffers[index];
    *out = 0;
    *out_raw = slice->size == 0;
    if (slice->size == 0) {
        return STOA_OK;
    }
    if (slice->size < SIZE_PREFIX_BYTES) {
        return stoa_ipc_corrupt(
            source, body->offset, err,
            "compressed buffer %u: expected a size of 8 bytes but found %" PRIu64, index,
            slice->size);
    }
    int64_t size = stoa_load_i64(slice->data);
    uint64_t compressed = slice->size - SIZE_PREFIX_BYTES;
    uint64_t factor = stoa_codec_compression(codec) == STOA_COMPRESSION_ZSTD
                          ? (uint64_t)ZSTD_EXPANSION_MAX
                          : (uint64_t)LZ4_EXPANSION_MAX;
    *out_raw = size == STORED_RAW;
    if (size < STORED_RAW || (size > 0 && (uint64_t)size / factor > compressed)) {
        return stoa_ipc_corrupt(source, body->offset, err,
                                "compressed buffer %u: %" PRIu64 " bytes cannot become %" PRId64,
                                index, compressed, size);
    }
    *out = *out_raw ? 0 : (uint64_t)size;
    return STOA_OK;
}

static stoa_status measure_decoded(const stoa_ipc_source *source, const stoa_ipc_message *message,
                                   const stoa_ipc_body *body, const stoa_codec *codec,
                                   size_t *out_total, stoa_error *err) {
    *out_total = 0;
    uint64_t compressed = 0;
    for (uint32_t i = 0; i < body->buffer_count; i++) {
        uint64_t size = 0;
        bool raw = false;
        STOA_TRY(decoded_size(source, body, codec, i, &size, &raw, err));
        size_t rounded = 0;
        compressed += body->buffers[i].size; /* each is at most the body: no overflow in practice */
        if (compressed > message->body_size) {
            return stoa_ipc_corrupt(source, body->offset, err, "compressed buffers overlap");
        }
        if (!stoa_round_up_size((size_t)size, STOA_ALIGNMENT_BYTES, &rounded) ||
            !stoa_add_size(*out_total, rounded, out_total)) {
            return stoa_ipc_corrupt(source, body->offset, err, "an impossible uncompressed size");
        }
    }
    return STOA_OK;
}

static stoa_status buffers_decode(const stoa_ipc_source *source, const stoa_ipc_message *message,
                                  stoa_ipc_body *body, stoa_codec *codec, stoa_error *err) {
    size_t total = 0;
    STOA_TRY(measure_decoded(source, message, body, codec, &total, err));
    STOA_TRY(stoa_buffer_reserve_exact(&body->decoded, total, err));
    for (uint32_t i = 0; i < body->buffer_count; i++) {
        stoa_ipc_slice *slice = &body->buffers[i];
        uint64_t size = 0;
        bool raw = false;
        STOA_TRY(decoded_size(source, body, codec, i, &size, &raw, err));
        if (slice->size == 0) {
            continue;
        }
        const uint8_t *compressed = slice->data + SIZE_PREFIX_BYTES;
        uint64_t compressed_size = slice->size - SIZE_PREFIX_BYTES;
        if (raw) {
            *slice = (stoa_ipc_slice){compressed, compressed_size};
            continue;
        }
        uint8_t *target = body->decoded.data + body->decoded.size;
        stoa_status status = stoa_codec_decompress(codec, compressed, (size_t)compressed_size,
                                                   target, (size_t)size, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "compressed buffer %u", i);
            return stoa_ipc_locate(source, body->offset, status, err);
        }
        size_t rounded = ((size_t)size + STOA_ALIGNMENT_BYTES - 1) & ~(size_t)(63);
        STOA_ASSERT(body->decoded.capacity - body->decoded.size >= rounded);
        memset(target + size, 0, rounded - (size_t)size);
        body->decoded.size += rounded;
        *slice = size == 0 ? (stoa_ipc_slice){stoa_ipc_empty, 0} : (stoa_ipc_slice){target, size};
    }
    return STOA_OK;
}

static bool points_into(const stoa_ipc_body *body, const stoa_buffer *buffer) {
    for (uint32_t i = 0; i < body->buffer_count; i++) {
        const uint8_t *data = body->buffers[i].data;
        if (buffer->data != NULL && data >= buffer->data && data < buffer->data + buffer->size) {
            return true;
        }
    }
    return false;
}

static stoa_status body_fill(stoa_ipc_source *source, const stoa_ipc_message *message,
                             stoa_flat_table batch, stoa_keeper *file, stoa_ipc_codecs *codecs,
                             stoa_ipc_body *body, stoa_error *err) {
    STOA_TRY(header_read(source, message, batch, body, err));
    const uint8_t *bytes = stoa_ipc_empty;
    if (source->map != NULL) {
        STOA_ASSERT(message->body_offset + message->body_size <= source->size);
        bytes = source->map + message->body_offset;
        body->file = file == NULL ? NULL : stoa_keeper_retain(file);
    } else {
        STOA_TRY(stoa_ipc_source_read(source, message->body_offset, message->body_size, &body->raw,
                                      err));
        bytes = message->body_size == 0 ? stoa_ipc_empty : body->raw.data;
    }
    source->position = message->body_offset + message->body_size;
    STOA_TRY(buffers_place(source, message, batch, bytes, body, err));
    stoa_codec *codec = NULL;
    STOA_TRY(codec_find(source, message, batch, codecs, &codec, err));
    if (codec != NULL) {
        STOA_TRY(buffers_decode(source, message, body, codec, err));
        if (!points_into(body, &body->raw)) {
            stoa_buffer_release(&body->raw);
        }
    }
    return STOA_OK;
}

stoa_status stoa_ipc_body_read(stoa_ipc_source *source, const stoa_ipc_message *message,
                               stoa_flat_table batch, stoa_keeper *file, stoa_ipc_codecs *codecs,
                               stoa_ipc_body **out, stoa_error *err) {
    *out = NULL;
    STOA_TRY(body_create(source->context.pool, out, err));
    stoa_status status = body_fill(source, message, batch, file, codecs, *out, err);
    if (status != STOA_OK) {
        stoa_keeper_release((*out)->keeper);
        *out = NULL;
    }
    return status;
}

stoa_status stoa_ipc_body_align(stoa_ipc_body *body, stoa_ipc_slice *slice, size_t alignment,
                                stoa_error *err) {
    STOA_ASSERT(alignment <= 16);
    if (slice->size == 0 || (uintptr_t)slice->data % alignment == 0) {
        return STOA_OK;
    }
    void *copy = NULL;
    STOA_TRY(stoa_arena_allocate(&body->arena, (size_t)slice->size, &copy, err));
    memcpy(copy, slice->data, (size_t)slice->size);
    slice->data = copy;
    return STOA_OK;
}
