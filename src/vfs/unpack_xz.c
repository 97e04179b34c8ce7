/* xz: streams one after the other, with padding of zeros in fours between and behind them. The
 * library checks blocks and indexes, and keeps to the memory it is allowed.
 *
 * Each stream ends in an index of its blocks; a read that begins elsewhere than at the start takes
 * them all, and from then on goes from block to block by them.
 *
 * Source   The .xz file format 1.2; lzma/container.h, lzma/block.h and lzma/index.h 5.4 */
#include <lzma.h>
#include <string.h>

#include "vfs/unpack.h"

enum { LOAD_BYTES = 64 << 10 };

/* What a block needs that stands elsewhere in the file. */
struct xz_saved {
    lzma_check check;
    uint64_t unpadded_size;
    uint64_t plain_size;
};

struct xz_unpacker {
    struct unpacker base;
    lzma_allocator allocator;
    lzma_stream stream;
    unsigned padding; /* zeros since the last stream */
    bool by_block;    /* one block, by the index */
    bool has_block;   /* its header was read */
    struct xz_saved saved;
    lzma_block block;
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
};

static void *library_allocate(void *user, size_t count, size_t size) {
    return stoa_unpack_allocate(user, count * size);
}

static stoa_status xz_start(struct unpacker *unpacker, const void *saved, stoa_error *err) {
    struct xz_unpacker *xz = (struct xz_unpacker *)unpacker;
    (void)err;
    if (xz->stream.allocator == NULL) {
        xz->allocator = (lzma_allocator){library_allocate, stoa_unpack_free, xz};
        xz->stream.allocator = &xz->allocator;
    }
    xz->padding = 0;
    xz->by_block = saved != NULL;
    xz->has_block = false;
    unpacker->between = saved == NULL;
    if (saved != NULL) {
        memcpy(&xz->saved, saved, sizeof xz->saved);
    }
    return STOA_OK;
}

static stoa_status fail(struct unpacker *unpacker, const struct unpack_io *io, lzma_ret code,
                        stoa_error *err) {
    switch (code) {
    case LZMA_MEM_ERROR: return stoa_unpack_fail(unpacker, io, STOA_NO_MEMORY, "no memory", err);
    case LZMA_MEMLIMIT_ERROR:
        return stoa_unpack_fail(unpacker, io, STOA_LIMIT,
                                "it takes more than the 160 MiB that unpacking may use", err);
    case LZMA_FORMAT_ERROR:
        return stoa_unpack_fail(unpacker, io, STOA_CORRUPT,
                                "expected an xz header but found other bytes", err);
    case LZMA_OPTIONS_ERROR:
        return stoa_unpack_fail(unpacker, io, STOA_UNSUPPORTED,
                                "it uses a filter that the library does not know", err);
    default: return stoa_unpack_fail(unpacker, io, STOA_CORRUPT, "it does not decode", err);
    }
}

/* Zeros, and then the next stream. */
static stoa_status skip_padding(struct xz_unpacker *xz, struct unpack_io *io, stoa_error *err) {
    while (xz->base.frame_count > 0 && io->in_size > 0 && io->in[0] == 0) {
        stoa_unpack_took(io, 1);
        xz->padding = (xz->padding + 1) % 4;
    }
    /* A file may not end inside a four either. */
    xz->base.between = xz->padding == 0;
    if (io->in_size == 0) {
        return STOA_OK;
    }
    xz->base.frame_offset = io->in_offset;
    if (xz->padding != 0) {
        return stoa_unpack_fail(&xz->base, io, STOA_CORRUPT,
                                "the padding before it is no multiple of four bytes", err);
    }
    lzma_ret code = lzma_stream_decoder(&xz->stream, STOA_UNPACK_MEMORY_MAX, 0);
    if (code != LZMA_OK) {
        return fail(&xz->base, io, code, err);
    }
    xz->base.between = false;
    return STOA_OK;
}

static stoa_status read_block_header(struct xz_unpacker *xz, struct unpack_io *io,
                                     stoa_error *err) {
    uint32_t size = io->in_size == 0 ? 0 : lzma_block_header_size_decode(io->in[0]);
    if (io->in_size == 0 || io->in_size < size) {
        io->need = size;
        return STOA_OK;
    }
    xz->base.frame_offset = io->in_offset;
    xz->block = (lzma_block){.version = 1,
                             .header_size = size,
                             .check = xz->saved.check,
                             .filters = xz->filters};
    lzma_ret code = io->in[0] == 0 ? LZMA_DATA_ERROR
                                   : lzma_block_header_decode(&xz->block, &xz->allocator, io->in);
    if (code == LZMA_OK) {
        code = lzma_block_compressed_size(&xz->block, xz->saved.unpadded_size);
    }
    if (code == LZMA_OK) {
        code = lzma_block_decoder(&xz->stream, &xz->block);
    }
    lzma_filters_free(xz->filters, &xz->allocator);
    if (code != LZMA_OK) {
        return fail(&xz->base, io, code, err);
    }
    stoa_unpack_took(io, size);
    xz->has_block = true;
    return STOA_OK;
}

/* After a block: whether it had as many bytes as the index said, and on to the next. */
static stoa_status end_block(struct xz_unpacker *xz, struct unpack_io *io, stoa_error *err) {
    if (xz->block.uncompressed_size != xz->saved.plain_size) {
        return stoa_unpack_fail(&xz->base, io, STOA_CORRUPT,
                                "the number of unpacked bytes is not what the index says", err);
    }
    io->stop = UNPACK_MOVE;
    return STOA_OK;
}

static stoa_status xz_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct xz_unpacker *xz = (struct xz_unpacker *)unpacker;
    lzma_stream *stream = &xz->stream;
    if (xz->by_block && !xz->has_block) {
        return read_block_header(xz, io, err);
    }
    if (unpacker->between || xz->padding > 0) {
        STOA_TRY(skip_padding(xz, io, err));
        if (unpacker->between || io->in_size == 0) {
            return STOA_OK;
        }
    }
    stream->next_in = io->in;
    stream->avail_in = io->in_size;
    stream->next_out = io->out;
    stream->avail_out = io->out_size;
    lzma_ret code = lzma_code(stream, LZMA_RUN);
    stoa_unpack_took(io, (size_t)(stream->next_in - io->in));
    stoa_unpack_made(io, (size_t)(stream->next_out - io->out));
    if (code == LZMA_STREAM_END && xz->by_block) {
        return end_block(xz, io, err);
    }
    if (code == LZMA_STREAM_END) {
        stoa_unpack_frame_end(unpacker, io);
        return STOA_OK;
    }
    /* A step without bytes or without room is no error of the file's. */
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? STOA_OK : fail(unpacker, io, code, err);
}

/* Has the library read the indexes of all streams, from the last to the first. Whatever is wrong
 * with them is for a reader in order to find and to name: here the file has no index then. */
static stoa_status read_indexes(struct xz_unpacker *xz, const stoa_context *context,
                                stoa_file *packed, uint64_t packed_size, uint8_t *bytes,
                                lzma_index **out, stoa_error *err) {
    lzma_stream *stream = &xz->stream;
    uint64_t offset = 0;
    lzma_ret code = lzma_file_info_decoder(stream, out, STOA_UNPACK_MEMORY_MAX, packed_size);
    stream->avail_in = 0;
    while (code == LZMA_OK) {
        STOA_TRY(stoa_cancel_check(context->cancel, err));
        if (stream->avail_in == 0) {
            stream->next_in = bytes;
            STOA_TRY(
                stoa_file_read_some(packed, offset, bytes, LOAD_BYTES, &stream->avail_in, err));
            offset += stream->avail_in;
        }
        code = lzma_code(stream, stream->avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
        if (code == LZMA_SEEK_NEEDED) {
            offset = stream->seek_pos;
            stream->avail_in = 0;
            code = LZMA_OK;
        }
    }
    return code == LZMA_STREAM_END
               ? STOA_OK
               : stoa_fail(err, STOA_NOT_FOUND, "the file has no index that can be read");
}

static stoa_status add_block(struct unpack_index *out, const lzma_index_iter *iterator,
                             stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(out->pool, 1, sizeof(struct xz_saved), &memory, err));
    *(struct xz_saved *)memory = (struct xz_saved){
        .check = iterator->stream.flags->check,
        .unpadded_size = iterator->block.unpadded_size,
        .plain_size = iterator->block.uncompressed_size,
    };
    return stoa_unpack_index_load(out,
                                  (struct unpack_point){
                                      .plain = iterator->block.uncompressed_file_offset,
                                      .packed = iterator->block.compressed_file_offset,
                                      .saved = memory,
                                      .saved_bytes = sizeof(struct xz_saved),
                                  },
                                  err);
}

static stoa_status xz_load(struct unpacker *unpacker, const stoa_context *context,
                           stoa_file *packed, uint64_t packed_size, struct unpack_index *out,
                           uint64_t *out_size, stoa_error *err) {
    struct xz_unpacker *xz = (struct xz_unpacker *)unpacker;
    lzma_index *index = NULL;
    lzma_index_iter iterator;
    void *bytes = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(xz_start(unpacker, NULL, err));
    STOA_CHECK(stoa_pool_allocate(context->pool, LOAD_BYTES, &bytes, err));
    STOA_CHECK(read_indexes(xz, context, packed, packed_size, bytes, &index, err));
    *out_size = lzma_index_uncompressed_size(index);
    lzma_index_iter_init(&iterator, index);
    while (!lzma_index_iter_next(&iterator, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
        STOA_CHECK(add_block(out, &iterator, err));
    }

done:
    stoa_pool_free(context->pool, bytes, bytes == NULL ? 0 : LOAD_BYTES);
    lzma_index_end(index, &xz->allocator);
    return status;
}

static void xz_close(struct unpacker *unpacker) {
    lzma_end(&((struct xz_unpacker *)unpacker)->stream);
}

const struct unpacker_kind stoa_unpack_xz = {
    .frame = "xz stream",
    .state_bytes = sizeof(struct xz_unpacker),
    .start = xz_start,
    .step = xz_step,
    .close = xz_close,
    .load = xz_load,
};
