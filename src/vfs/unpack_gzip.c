/* gzip: members one after the other, as gzip, pigz, bgzip and `cat` make them, and zero bytes behind
 * the last, as tapes do.
 *
 * Headers and trailers are read here, so that zlib has only the deflate stream to unpack: the
 * checksum comes from libdeflate, which is several times as fast at it, and a state inside a member
 * (the last 32 KiB, the bit at which the next block begins, checksum and length so far) can be
 * saved between two blocks and started from later, still checked at the member's end.
 *
 * A BGZF member, which says its size, is unpacked by libdeflate in one call where all of it is at hand
 * and there is room for what it becomes; whatever does not fit that, or fails, goes to zlib.
 *
 * Source   RFC 1952 2.3; zlib.h on inflate with Z_BLOCK, inflatePrime and inflateSetDictionary */
#include <libdeflate.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "vfs/unpack.h"

enum {
    FLAG_HEADER_CHECKSUM = 2,
    FLAG_EXTRA = 4,
    FLAG_NAME = 8,
    FLAG_COMMENT = 16,
    FLAGS_RESERVED = 0xE0,
    HEADER_BYTES = 10,
    HEADER_BYTES_MAX = 1 << 20, /* with name and comment, which have no end of their own */
    TRAILER_BYTES = 8,
    BGZF_FIELD_BYTES = 6,           /* 'B', 'C', 2, 0, and the member's size less one */
    WHOLE_DECODER_BYTES = 12 << 10, /* measured: libdeflate allocates by itself */
    WINDOW_BYTES = 1 << 15,
    /* What zlib says in data_type; its lowest three bits count unused ones. */
    IN_LAST_BLOCK = 64,
    AFTER_BLOCK = 128
};

enum gzip_place { PLACE_HEADER, PLACE_PADDING, PLACE_BODY, PLACE_TRAILER };

struct gzip_unpacker {
    struct unpacker base;
    z_stream stream;
    bool has_stream;
    struct libdeflate_decompressor *whole; /* for members at once; NULL until needed */
    stoa_reservation whole_charge;
    enum gzip_place place;
    uint32_t checksum; /* of the member so far */
    uint32_t size;     /* of the member so far, modulo 2^32 */
};

struct gzip_saved {
    uint64_t frame_offset;
    uint32_t checksum;
    uint32_t size;
    uint32_t bit_count; /* bits of the byte before the packed position that are still to be used */
    uint32_t bits;
    uint32_t window_bytes;
    uint8_t window[WINDOW_BYTES];
};

static void *library_allocate(void *user, unsigned count, unsigned size) {
    return stoa_unpack_allocate(user, (size_t)count * size);
}

static stoa_status open_stream(struct gzip_unpacker *gzip, stoa_error *err) {
    const struct unpack_io nowhere = {.in_offset = gzip->base.frame_offset};
    if (gzip->has_stream) {
        (void)inflateReset(&gzip->stream);
        return STOA_OK;
    }
    gzip->stream = (z_stream){.zalloc = library_allocate,
                              .zfree = stoa_unpack_free,
                              .opaque = gzip};
    if (inflateInit2(&gzip->stream, -MAX_WBITS) != Z_OK) {
        return stoa_unpack_fail(&gzip->base, &nowhere, STOA_NO_MEMORY, "no memory", err);
    }
    gzip->has_stream = true;
    return STOA_OK;
}

static stoa_status gzip_start(struct unpacker *unpacker, const void *state, stoa_error *err) {
    struct gzip_unpacker *gzip = (struct gzip_unpacker *)unpacker;
    const struct gzip_saved *saved = state;
    STOA_TRY(open_stream(gzip, err));
    gzip->place = saved == NULL ? PLACE_HEADER : PLACE_BODY;
    unpacker->between = saved == NULL;
    gzip->checksum = 0;
    gzip->size = 0;
    if (saved != NULL) {
        unpacker->frame_offset = saved->frame_offset;
        gzip->checksum = saved->checksum;
        gzip->size = saved->size;
        (void)inflatePrime(&gzip->stream, (int)saved->bit_count, (int)saved->bits);
        (void)inflateSetDictionary(&gzip->stream, saved->window, saved->window_bytes);
    }
    return STOA_OK;
}

/* Where the text at `position` ends, its NUL included; 0 when that is not among the bytes. */
static size_t text_end(const uint8_t *bytes, size_t size, size_t position) {
    const uint8_t *nul = position < size ? memchr(bytes + position, 0, size - position) : NULL;
    return nul == NULL ? 0 : (size_t)(nul - bytes) + 1;
}

/* The size of the header; 0 when more bytes are needed to tell. */
static size_t header_size(const uint8_t *bytes, size_t size) {
    if (size < HEADER_BYTES) {
        return 0;
    }
    unsigned flags = bytes[3];
    size_t position = HEADER_BYTES;
    if ((flags & FLAG_EXTRA) != 0) {
        if (size < position + 2) {
            return 0;
        }
        position += 2 + (size_t)stoa_load_u16(bytes + position);
    }
    for (unsigned flag = FLAG_NAME; flag <= FLAG_COMMENT; flag *= 2) {
        position = (flags & flag) == 0 ? position : text_end(bytes, size, position);
        if (position == 0) {
            return 0;
        }
    }
    position += (flags & FLAG_HEADER_CHECKSUM) != 0 ? 2 : 0;
    return position <= size ? position : 0;
}

static stoa_status skip_padding(struct gzip_unpacker *gzip, struct unpack_io *io, stoa_error *err) {
    while (io->in_size > 0 && io->in[0] == 0) {
        stoa_unpack_took(io, 1);
    }
    return io->in_size == 0 ? STOA_OK
                            : stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                               "expected zeros up to the end of the file but found "
                                               "other bytes",
                                               err);
}

/* The size that a BGZF header says, which is `header_bytes` long; 0 for any other. */
static size_t bgzf_size(const uint8_t *bytes, size_t header_bytes) {
    static const uint8_t field[] = {BGZF_FIELD_BYTES, 0, 'B', 'C', 2, 0};
    return bytes[3] == FLAG_EXTRA && header_bytes == HEADER_BYTES + 2 + BGZF_FIELD_BYTES &&
                   memcmp(bytes + HEADER_BYTES, field, sizeof field) == 0
               ? (size_t)stoa_load_u16(bytes + header_bytes - 2) + 1
               : 0;
}

static bool has_whole_decoder(struct gzip_unpacker *gzip) {
    if (gzip->whole == NULL && stoa_reservation_resize(&gzip->whole_charge, gzip->base.pool,
                                                       WHOLE_DECODER_BYTES, NULL) == STOA_OK) {
        gzip->whole = libdeflate_alloc_decompressor();
    }
    return gzip->whole != NULL;
}

/* True when the member was unpacked and is right; otherwise nothing has happened. */
static bool unpack_whole(struct gzip_unpacker *gzip, struct unpack_io *io, size_t header_bytes) {
    size_t size = bgzf_size(io->in, header_bytes);
    if (size < header_bytes + TRAILER_BYTES || size > io->in_size) {
        return false;
    }
    const uint8_t *trailer = io->in + size - TRAILER_BYTES;
    size_t made = stoa_load_u32(trailer + 4);
    if (made > io->out_size || !has_whole_decoder(gzip) ||
        libdeflate_deflate_decompress(gzip->whole, io->in + header_bytes,
                                      size - header_bytes - TRAILER_BYTES, io->out, made,
                                      NULL) != LIBDEFLATE_SUCCESS ||
        stoa_crc32(0, io->out, made) != stoa_load_u32(trailer)) {
        return false;
    }
    stoa_unpack_took(io, size);
    stoa_unpack_made(io, made);
    stoa_unpack_frame_end(&gzip->base, io);
    return true;
}

static stoa_status read_header(struct gzip_unpacker *gzip, struct unpack_io *io, stoa_error *err) {
    const uint8_t *bytes = io->in;
    gzip->base.frame_offset = io->in_offset;
    if (gzip->base.frame_count > 0 && bytes[0] == 0) {
        gzip->place = PLACE_PADDING;
        return skip_padding(gzip, io, err);
    }
    if (bytes[0] != 0x1F || (io->in_size > 1 && bytes[1] != 0x8B)) {
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                "expected a gzip header but found other bytes", err);
    }
    if (io->in_size > 3 && (bytes[2] != 8 || (bytes[3] & FLAGS_RESERVED) != 0)) {
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                "the header names an unknown method or flag", err);
    }
    size_t size = header_size(bytes, io->in_size);
    if (size == 0) {
        io->need = io->in_size + 1;
        return io->in_size < HEADER_BYTES_MAX
                   ? STOA_OK
                   : stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                      "the header does not end within 1 MiB", err);
    }
    if ((bytes[3] & FLAG_HEADER_CHECKSUM) != 0 &&
        stoa_load_u16(bytes + size - 2) != (stoa_crc32(0, bytes, size - 2) & 0xFFFF)) {
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT, "the header's checksum is wrong",
                                err);
    }
    if (unpack_whole(gzip, io, size)) {
        return STOA_OK;
    }
    stoa_unpack_took(io, size);
    gzip->base.between = false;
    gzip->place = PLACE_BODY;
    gzip->checksum = 0;
    gzip->size = 0;
    (void)inflateReset(&gzip->stream);
    return STOA_OK;
}

static unsigned as_unsigned(size_t size) {
    return size < (1U << 30) ? (unsigned)size : 1U << 30;
}

static stoa_status read_trailer(struct gzip_unpacker *gzip, struct unpack_io *io, stoa_error *err) {
    if (io->in_size < TRAILER_BYTES) {
        io->need = TRAILER_BYTES;
        return STOA_OK;
    }
    if (stoa_load_u32(io->in) != gzip->checksum) {
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                "the checksum of the unpacked bytes is wrong", err);
    }
    if (stoa_load_u32(io->in + 4) != gzip->size) {
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT,
                                "the number of unpacked bytes is not what the trailer says", err);
    }
    stoa_unpack_took(io, TRAILER_BYTES);
    gzip->place = PLACE_HEADER;
    stoa_unpack_frame_end(&gzip->base, io);
    return STOA_OK;
}

static stoa_status read_body(struct gzip_unpacker *gzip, struct unpack_io *io, stoa_error *err) {
    z_stream *stream = &gzip->stream;
    stream->next_in = (Bytef *)(uintptr_t)io->in;
    stream->avail_in = as_unsigned(io->in_size);
    stream->next_out = io->out;
    stream->avail_out = as_unsigned(io->out_size);
    int code = inflate(stream, io->wants_point ? Z_BLOCK : Z_NO_FLUSH);
    if (code == Z_OK && (stream->data_type & AFTER_BLOCK) != 0 &&
        (stream->data_type & IN_LAST_BLOCK) != 0) {
        code = inflate(stream, Z_NO_FLUSH); /* nothing but the end of the stream is left */
    }
    size_t made = (size_t)(stream->next_out - io->out);
    gzip->checksum = stoa_crc32(gzip->checksum, io->out, made);
    gzip->size += (uint32_t)made;
    stoa_unpack_took(io, (size_t)(stream->next_in - io->in));
    stoa_unpack_made(io, made);
    if (code == Z_STREAM_END) {
        /* At once: the end of the last block is no byte of its own, and a step has to move. */
        gzip->place = PLACE_TRAILER;
        return read_trailer(gzip, io, err);
    }
    if (code != Z_OK && code != Z_BUF_ERROR) {
        const char *words = stream->msg != NULL ? stream->msg : "the deflate stream is wrong";
        return stoa_unpack_fail(&gzip->base, io, STOA_CORRUPT, words, err);
    }
    if ((stream->data_type & AFTER_BLOCK) != 0 && gzip->size > 0) {
        io->stop = UNPACK_POINT;
    }
    return STOA_OK;
}

static stoa_status gzip_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct gzip_unpacker *gzip = (struct gzip_unpacker *)unpacker;
    switch (gzip->place) {
    case PLACE_HEADER: return io->in_size == 0 ? STOA_OK : read_header(gzip, io, err);
    case PLACE_PADDING: return skip_padding(gzip, io, err);
    case PLACE_BODY: return read_body(gzip, io, err);
    case PLACE_TRAILER: return read_trailer(gzip, io, err);
    }
    return STOA_OK;
}

static stoa_status gzip_save(struct unpacker *unpacker, void **out, size_t *out_size,
                             stoa_error *err) {
    struct gzip_unpacker *gzip = (struct gzip_unpacker *)unpacker;
    z_stream *stream = &gzip->stream;
    void *memory = NULL;
    uInt window_bytes = 0;
    STOA_TRY(stoa_pool_allocate(unpacker->pool, sizeof(struct gzip_saved), &memory, err));
    struct gzip_saved *saved = memory;
    saved->frame_offset = unpacker->frame_offset;
    saved->checksum = gzip->checksum;
    saved->size = gzip->size;
    saved->bit_count = (uint32_t)stream->data_type & 7;
    saved->bits = saved->bit_count == 0 ? 0
                                        : (uint32_t)stream->next_in[-1] >> (8 - saved->bit_count);
    (void)inflateGetDictionary(stream, saved->window, &window_bytes);
    saved->window_bytes = window_bytes;
    *out = memory;
    *out_size = sizeof *saved;
    return STOA_OK;
}

static void gzip_close(struct unpacker *unpacker) {
    struct gzip_unpacker *gzip = (struct gzip_unpacker *)unpacker;
    if (gzip->has_stream) {
        (void)inflateEnd(&gzip->stream);
    }
    libdeflate_free_decompressor(gzip->whole);
    stoa_reservation_release(&gzip->whole_charge);
}

const struct unpacker_kind stoa_unpack_gzip = {
    .frame = "gzip member",
    .state_bytes = sizeof(struct gzip_unpacker),
    .start = gzip_start,
    .step = gzip_step,
    .save = gzip_save,
    .close = gzip_close,
};
