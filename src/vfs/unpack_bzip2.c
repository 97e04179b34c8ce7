/* bzip2: streams one after the other, as bzip2 and pbzip2 make them. The library checks each block
 * and each stream.
 *
 * Source   bzlib.h 1.0.8 and its manual */
#include <bzlib.h>

#include "vfs/unpack.h"

struct bzip2_unpacker {
    struct unpacker base;
    bz_stream stream;
    bool has_stream;
};

static void *library_allocate(void *user, int count, int size) {
    return stoa_unpack_allocate(user, (size_t)count * (size_t)size);
}

static void end_stream(struct bzip2_unpacker *bzip2) {
    if (bzip2->has_stream) {
        (void)BZ2_bzDecompressEnd(&bzip2->stream);
        bzip2->has_stream = false;
    }
}

static stoa_status bzip2_start(struct unpacker *unpacker, const void *saved, stoa_error *err) {
    STOA_ASSERT(saved == NULL);
    (void)saved;
    (void)err;
    end_stream((struct bzip2_unpacker *)unpacker);
    unpacker->between = true;
    return STOA_OK;
}

static stoa_status begin_stream(struct bzip2_unpacker *bzip2, const struct unpack_io *io,
                                stoa_error *err) {
    bzip2->base.frame_offset = io->in_offset;
    bzip2->stream = (bz_stream){.bzalloc = library_allocate,
                                .bzfree = stoa_unpack_free,
                                .opaque = bzip2};
    if (BZ2_bzDecompressInit(&bzip2->stream, 0, 0) != BZ_OK) {
        return stoa_unpack_fail(&bzip2->base, io, STOA_NO_MEMORY, "no memory", err);
    }
    bzip2->has_stream = true;
    bzip2->base.between = false;
    return STOA_OK;
}

static unsigned as_unsigned(size_t size) {
    return size < (1U << 30) ? (unsigned)size : 1U << 30;
}

static stoa_status bzip2_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct bzip2_unpacker *bzip2 = (struct bzip2_unpacker *)unpacker;
    bz_stream *stream = &bzip2->stream;
    if (unpacker->between && io->in_size == 0) {
        return STOA_OK;
    }
    if (unpacker->between) {
        STOA_TRY(begin_stream(bzip2, io, err));
    }
    stream->next_in = (char *)(uintptr_t)io->in;
    stream->avail_in = as_unsigned(io->in_size);
    stream->next_out = (char *)io->out;
    stream->avail_out = as_unsigned(io->out_size);
    int code = BZ2_bzDecompress(stream);
    stoa_unpack_took(io, (size_t)((const uint8_t *)stream->next_in - io->in));
    stoa_unpack_made(io, (size_t)((uint8_t *)stream->next_out - io->out));
    switch (code) {
    case BZ_OK: return STOA_OK;
    case BZ_STREAM_END:
        end_stream(bzip2);
        stoa_unpack_frame_end(unpacker, io);
        return STOA_OK;
    case BZ_MEM_ERROR: return stoa_unpack_fail(unpacker, io, STOA_NO_MEMORY, "no memory", err);
    case BZ_DATA_ERROR_MAGIC:
        return stoa_unpack_fail(unpacker, io, STOA_CORRUPT,
                                "expected a bzip2 header but found other bytes", err);
    default: return stoa_unpack_fail(unpacker, io, STOA_CORRUPT, "a block does not decode", err);
    }
}

static void bzip2_close(struct unpacker *unpacker) {
    end_stream((struct bzip2_unpacker *)unpacker);
}

const struct unpacker_kind stoa_unpack_bzip2 = {
    .frame = "bzip2 stream",
    .state_bytes = sizeof(struct bzip2_unpacker),
    .start = bzip2_start,
    .step = bzip2_step,
    .close = bzip2_close,
};
