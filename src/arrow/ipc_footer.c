/* The magic at both ends of the file format, and the footer between.
 *
 * Source   Apache Arrow columnar format 1.5, "IPC File Format"; format/File.fbs */
#include "arrow/ipc_footer.h"

#include "arrow/ipc_format.h"
#include "base/bytes.h"

enum { WORD_BYTES = 4 };

void stoa_ipc_footer_init(stoa_ipc_footer *footer, stoa_pool *pool) {
    *footer = (stoa_ipc_footer){.pool = pool};
    stoa_buffer_init(&footer->bytes, pool);
}

void stoa_ipc_footer_release(stoa_ipc_footer *footer) {
    stoa_buffer_release(&footer->bytes);
    stoa_pool_free(footer->pool, footer->dictionaries,
                   footer->dictionary_count * sizeof(stoa_ipc_block));
    stoa_pool_free(footer->pool, footer->batches, footer->batch_count * sizeof(stoa_ipc_block));
    stoa_ipc_footer_init(footer, footer->pool);
}

stoa_status stoa_ipc_detect(stoa_ipc_source *source, bool *out_file, stoa_error *err) {
    uint8_t head[IPC_HEAD_BYTES] = {0};
    size_t got = 0;
    *out_file = false;
    STOA_TRY(stoa_file_read_some(source->file, 0, head, WORD_BYTES, &got, err));
    if (got < WORD_BYTES) {
        return stoa_ipc_corrupt(source, 0, err,
                                "expected an Arrow IPC stream or file but found %zu bytes", got);
    }
    if (memcmp(head, "FEA1", WORD_BYTES) == 0) {
        (void)stoa_fail(err, STOA_UNSUPPORTED, "Feather version 1 is not supported");
        return stoa_ipc_locate(source, 0, STOA_UNSUPPORTED, err);
    }
    if (memcmp(head, STOA_IPC_MAGIC, WORD_BYTES) != 0) {
        memcpy(source->peeked, head, WORD_BYTES);
        source->peeked_size = WORD_BYTES;
        return STOA_OK;
    }
    STOA_TRY(stoa_file_read_some(source->file, WORD_BYTES, head + WORD_BYTES,
                                 IPC_HEAD_BYTES - WORD_BYTES, &got, err));
    if (got < IPC_HEAD_BYTES - WORD_BYTES || memcmp(head, STOA_IPC_MAGIC, IPC_MAGIC_BYTES) != 0) {
        return stoa_ipc_corrupt(source, 0, err, "expected '%s' but the file begins otherwise",
                                STOA_IPC_MAGIC);
    }
    source->position = IPC_HEAD_BYTES;
    *out_file = true;
    return STOA_OK;
}

/* Where the footer begins, from the size behind it. */
static stoa_status trailer_read(stoa_ipc_source *source, uint64_t *out_offset, uint64_t *out_size,
                                stoa_error *err) {
    uint8_t trailer[IPC_TRAILER_BYTES];
    if (source->size < IPC_HEAD_BYTES + IPC_TRAILER_BYTES) {
        return stoa_ipc_corrupt(source, 0, err,
                                "expected an Arrow IPC file but found only %" PRIu64 " bytes",
                                source->size);
    }
    uint64_t at = source->size - IPC_TRAILER_BYTES;
    STOA_TRY(stoa_file_read(source->file, at, trailer, sizeof trailer, err));
    if (memcmp(trailer + WORD_BYTES, STOA_IPC_MAGIC, IPC_MAGIC_BYTES) != 0) {
        return stoa_ipc_corrupt(source, at + WORD_BYTES, err,
                                "expected '%s' at the end: the file is cut off or no Arrow file",
                                STOA_IPC_MAGIC);
    }
    int32_t size = stoa_load_i32(trailer);
    if (size <= 0 || (uint64_t)size > at - IPC_HEAD_BYTES) {
        return stoa_ipc_corrupt(source, at, err, "a footer of %" PRId32 " bytes is impossible",
                                size);
    }
    *out_size = (uint64_t)size;
    *out_offset = at - (uint64_t)size;
    return STOA_OK;
}

static stoa_status blocks_read(const stoa_ipc_source *source, const stoa_ipc_footer *footer,
                               uint32_t number, stoa_ipc_block **out, uint32_t *out_count,
                               stoa_error *err) {
    stoa_flat_table table = {0};
    stoa_flat_reader reader = footer->reader;
    table = stoa_flat_root(&reader);
    stoa_flat_vector blocks = stoa_flat_vector_of(table, number, BLOCK_BYTES);
    STOA_TRY(stoa_ipc_check_reader(source, footer->offset, &reader, err));
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(footer->pool, blocks.count, sizeof **out, &memory, err));
    *out = memory;
    *out_count = blocks.count;
    for (uint32_t i = 0; i < blocks.count; i++) {
        const uint8_t *bytes = stoa_flat_element(blocks, i);
        int64_t offset = stoa_load_i64(bytes);
        int32_t metadata = stoa_load_i32(bytes + 8);
        int64_t body = stoa_load_i64(bytes + 16);
        if (offset < IPC_HEAD_BYTES || metadata < WORD_BYTES || body < 0 ||
            (uint64_t)offset > footer->offset ||
            (uint64_t)metadata > footer->offset - (uint64_t)offset ||
            (uint64_t)body > footer->offset - (uint64_t)offset - (uint64_t)metadata) {
            return stoa_ipc_corrupt(source, footer->offset, err,
                                    "block %u lies at byte %" PRId64 " with %" PRId32
                                    " and %" PRId64 " bytes",
                                    i, offset, metadata, body);
        }
        (*out)[i] = (stoa_ipc_block){(uint64_t)offset, (uint64_t)metadata, (uint64_t)body};
    }
    return STOA_OK;
}

stoa_status stoa_ipc_footer_read(stoa_ipc_source *source, stoa_ipc_footer *out, stoa_error *err) {
    uint64_t size = 0;
    STOA_TRY(trailer_read(source, &out->offset, &size, err));
    STOA_TRY(stoa_ipc_source_read(source, out->offset, size, &out->bytes, err));
    out->reader = stoa_flat_reader_of(out->bytes.data, out->bytes.size);
    stoa_flat_table table = stoa_flat_root(&out->reader);
    out->version = stoa_flat_i16(table, FOOTER_VERSION, 0);
    out->schema = stoa_flat_child(table, FOOTER_SCHEMA);
    STOA_TRY(stoa_ipc_check_reader(source, out->offset, &out->reader, err));
    if (out->version > IPC_VERSION_V5) { /* old writers left it out: the messages say it too */
        STOA_TRY(stoa_ipc_version_check(source, out->offset, out->version, err));
    }
    STOA_TRY(blocks_read(source, out, FOOTER_DICTIONARIES, &out->dictionaries,
                         &out->dictionary_count, err));
    return blocks_read(source, out, FOOTER_BATCHES, &out->batches, &out->batch_count, err);
}
