/* xz: streams one after the other, with padding of zeros in fours between and behind them. The
 * library checks blocks and indexes, and keeps to the memory it is allowed.
 *
 * Source   The .xz file format 1.2; lzma/container.h 5.4 */
#include <lzma.h>

#include "vfs/unpack.h"

struct xz_unpacker {
    struct unpacker base;
    lzma_allocator allocator;
    lzma_stream stream;
    unsigned padding; /* zeros since the last stream */
};

static void *library_allocate(void *user, size_t count, size_t size) {
    return stoa_unpack_allocate(user, count * size);
}

static stoa_status xz_start(struct unpacker *unpacker, const void *saved, stoa_error *err) {
    struct xz_unpacker *xz = (struct xz_unpacker *)unpacker;
    STOA_ASSERT(saved == NULL);
    (void)saved;
    (void)err;
    lzma_end(&xz->stream);
    xz->allocator = (lzma_allocator){library_allocate, stoa_unpack_free, xz};
    xz->stream = (lzma_stream)LZMA_STREAM_INIT;
    xz->stream.allocator = &xz->allocator;
    xz->padding = 0;
    unpacker->between = true;
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

static stoa_status xz_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct xz_unpacker *xz = (struct xz_unpacker *)unpacker;
    lzma_stream *stream = &xz->stream;
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
    if (code == LZMA_STREAM_END) {
        stoa_unpack_frame_end(unpacker, io);
        return STOA_OK;
    }
    /* A step without bytes or without room is no error of the file's. */
    return code == LZMA_OK || code == LZMA_BUF_ERROR ? STOA_OK : fail(unpacker, io, code, err);
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
};
