/* The writer of compressed files: pieces of plain bytes, each packed whole by its library. gzip comes
 * from libdeflate, which packs whole buffers only, and several times as fast as zlib at the same
 * size; that is why its pieces are BGZF's.
 *
 * Source   RFC 1952; the SAM/BAM format specification 4.1 (BGZF); RFC 8878; lz4_Frame_format.md */
#define ZSTD_STATIC_LINKING_ONLY
#define LZ4F_STATIC_LINKING_ONLY
#include "vfs/pack.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "vfs/seek_table.h"

enum {
    GZIP_PIECE_BYTES = 0xFF00, /* what bgzip takes: its packed form always fits 64 KiB */
    GZIP_HEADER_BYTES = 18,
    GZIP_TRAILER_BYTES = 8,
    GZIP_MEMBER_BYTES_MAX = 1 << 16,
    GZIP_LEVEL = 6,
    GZIP_COMPRESSOR_BYTES = 700 << 10, /* measured: libdeflate allocates by itself */
    ZSTD_LEVEL = 3,
    PIECE_BYTES = 1 << 20,
    ENTRIES_MAX = 1 << 22
};

struct stoa_packer {
    stoa_pool *pool;
    stoa_packing packing;
    void *library;
    stoa_reservation charge;
    stoa_buffer piece;
    size_t piece_bytes_max;
    stoa_buffer entries; /* of the seek table; zstd only */
    bool has_table;      /* it can be written: it knows of all that is in the file */
    bool has_frames;
    bool is_whole; /* what was appended so far is a file */
};

static stoa_status open_gzip(stoa_packer *packer, stoa_error *err) {
    STOA_TRY(stoa_reservation_resize(&packer->charge, packer->pool, GZIP_COMPRESSOR_BYTES, err));
    packer->library = libdeflate_alloc_compressor(GZIP_LEVEL);
    return packer->library != NULL
               ? STOA_OK
               : stoa_fail(err, STOA_NO_MEMORY, "gzip: no memory for a compressor");
}

static stoa_status open_zstd(stoa_packer *packer, stoa_error *err) {
    packer->library = ZSTD_createCCtx();
    if (packer->library == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "zstd: no memory for a compressor");
    }
    (void)ZSTD_CCtx_setParameter(packer->library, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    (void)ZSTD_CCtx_setParameter(packer->library, ZSTD_c_checksumFlag, 1);
    ZSTD_compressionParameters parameters = ZSTD_getCParams(ZSTD_LEVEL, PIECE_BYTES, 0);
    return stoa_reservation_resize(&packer->charge, packer->pool,
                                   ZSTD_estimateCCtxSize_usingCParams(parameters), err);
}

static stoa_status open_lz4(stoa_packer *packer, stoa_error *err) {
    STOA_TRY(stoa_reservation_resize(&packer->charge, packer->pool, PIECE_BYTES, err));
    return LZ4F_isError(LZ4F_createCompressionContext((LZ4F_cctx **)&packer->library, LZ4F_VERSION))
               ? stoa_fail(err, STOA_NO_MEMORY, "lz4: no memory for a compressor")
               : STOA_OK;
}

static void close_library(stoa_packer *packer) {
    if (packer->packing == STOA_PACKING_GZIP) {
        libdeflate_free_compressor(packer->library);
    } else if (packer->packing == STOA_PACKING_ZSTD) {
        (void)ZSTD_freeCCtx(packer->library);
    } else if (packer->packing == STOA_PACKING_LZ4) {
        (void)LZ4F_freeCompressionContext(packer->library);
    }
}

stoa_status stoa_packer_create(stoa_pool *pool, stoa_packing packing, stoa_packer **out,
                               stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (packing != STOA_PACKING_GZIP && packing != STOA_PACKING_ZSTD &&
        packing != STOA_PACKING_LZ4) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "%s files are only read; gzip, zstd and lz4 are written",
                         stoa_packing_name(packing));
    }
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_packer), &memory, err));
    stoa_packer *packer = memory;
    packer->pool = pool;
    packer->packing = packing;
    packer->piece_bytes_max = packing == STOA_PACKING_GZIP ? (size_t)GZIP_PIECE_BYTES
                                                           : (size_t)PIECE_BYTES;
    packer->has_table = packing == STOA_PACKING_ZSTD;
    stoa_buffer_init(&packer->piece, pool);
    stoa_buffer_init(&packer->entries, pool);
    stoa_status status = packing == STOA_PACKING_GZIP   ? open_gzip(packer, err)
                         : packing == STOA_PACKING_ZSTD ? open_zstd(packer, err)
                                                        : open_lz4(packer, err);
    if (status != STOA_OK) {
        stoa_packer_close(packer);
        return status;
    }
    *out = packer;
    return STOA_OK;
}

void stoa_packer_close(stoa_packer *packer) {
    if (packer == NULL) {
        return;
    }
    close_library(packer);
    stoa_reservation_release(&packer->charge);
    stoa_buffer_release(&packer->piece);
    stoa_buffer_release(&packer->entries);
    stoa_pool_free(packer->pool, packer, sizeof *packer);
}

/* One BGZF member. The room behind the header is what the format allows; a piece of
 * GZIP_PIECE_BYTES fits it even when it does not compress. */
static stoa_status pack_gzip(stoa_packer *packer, const uint8_t *bytes, size_t size,
                             stoa_buffer *out, stoa_error *err) {
    static const uint8_t header[GZIP_HEADER_BYTES] = {0x1F, 0x8B, 8, 4,   0,   0, 0, 0, 0,
                                                      0xFF, 6,    0, 'B', 'C', 2, 0, 0, 0};
    STOA_TRY(stoa_buffer_reserve(out, GZIP_MEMBER_BYTES_MAX, err));
    uint8_t *to = out->data + out->size;
    size_t room = GZIP_MEMBER_BYTES_MAX - GZIP_HEADER_BYTES - GZIP_TRAILER_BYTES;
    size_t body = libdeflate_deflate_compress(packer->library, bytes, size, to + GZIP_HEADER_BYTES,
                                              room);
    if (body == 0) {
        return stoa_fail(err, STOA_INTERNAL, "gzip: a piece of %zu bytes does not fit", size);
    }
    size_t whole = GZIP_HEADER_BYTES + body + GZIP_TRAILER_BYTES;
    memcpy(to, header, sizeof header);
    to[16] = (uint8_t)((whole - 1) & 0xFF);
    to[17] = (uint8_t)((whole - 1) >> 8);
    stoa_store_u32(to + GZIP_HEADER_BYTES + body, stoa_crc32(0, bytes, size));
    stoa_store_u32(to + GZIP_HEADER_BYTES + body + 4, (uint32_t)size);
    out->size += whole;
    return STOA_OK;
}

static stoa_status add_entry(stoa_packer *packer, uint64_t packed, uint64_t plain,
                             stoa_error *err) {
    struct seek_entry entry = {(uint32_t)packed, (uint32_t)plain, 0};
    size_t count = packer->entries.size / sizeof entry;
    packer->has_table = packer->has_table && count < ENTRIES_MAX && packed <= UINT32_MAX;
    return packer->has_table ? stoa_buffer_append(&packer->entries, &entry, sizeof entry, err)
                             : STOA_OK;
}

static stoa_status pack_zstd(stoa_packer *packer, const uint8_t *bytes, size_t size,
                             stoa_buffer *out, stoa_error *err) {
    size_t room = ZSTD_compressBound(size);
    STOA_TRY(stoa_buffer_reserve(out, room, err));
    size_t made = ZSTD_compress2(packer->library, out->data + out->size, room, bytes, size);
    if (ZSTD_isError(made)) {
        return stoa_fail(err, STOA_INTERNAL, "zstd: %s", ZSTD_getErrorName(made));
    }
    STOA_TRY(add_entry(packer, made, size, err));
    out->size += made;
    return STOA_OK;
}

static stoa_status pack_lz4(stoa_packer *packer, const uint8_t *bytes, size_t size,
                            stoa_buffer *out, stoa_error *err) {
    LZ4F_preferences_t preferences = {0};
    preferences.frameInfo.blockSizeID = LZ4F_max256KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences.frameInfo.contentSize = size;
    size_t room = LZ4F_compressFrameBound(size, &preferences);
    STOA_TRY(stoa_buffer_reserve(out, room, err));
    size_t made = LZ4F_compressFrame_usingCDict(packer->library, out->data + out->size, room, bytes,
                                                size, NULL, &preferences);
    if (LZ4F_isError(made)) {
        return stoa_fail(err, STOA_INTERNAL, "lz4: %s", LZ4F_getErrorName(made));
    }
    out->size += made;
    return STOA_OK;
}

static stoa_status pack_piece(stoa_packer *packer, const uint8_t *bytes, size_t size,
                              stoa_buffer *out, stoa_error *err) {
    static const uint8_t none;
    bytes = bytes == NULL ? &none : bytes;
    STOA_TRY(packer->packing == STOA_PACKING_GZIP   ? pack_gzip(packer, bytes, size, out, err)
             : packer->packing == STOA_PACKING_ZSTD ? pack_zstd(packer, bytes, size, out, err)
                                                    : pack_lz4(packer, bytes, size, out, err));
    packer->has_frames = true;
    packer->is_whole = false;
    return STOA_OK;
}

stoa_status stoa_packer_write(stoa_packer *packer, const void *bytes, size_t size, stoa_buffer *out,
                              stoa_error *err) {
    const uint8_t *from = bytes;
    while (size > 0) {
        if (packer->piece.size == 0 && size >= packer->piece_bytes_max) {
            STOA_TRY(pack_piece(packer, from, packer->piece_bytes_max, out, err));
            from += packer->piece_bytes_max;
            size -= packer->piece_bytes_max;
            continue;
        }
        size_t room = packer->piece_bytes_max - packer->piece.size;
        size_t part = size < room ? size : room;
        STOA_TRY(stoa_buffer_append(&packer->piece, from, part, err));
        from += part;
        size -= part;
        if (packer->piece.size == packer->piece_bytes_max) {
            STOA_TRY(pack_piece(packer, packer->piece.data, packer->piece.size, out, err));
            stoa_buffer_clear(&packer->piece);
        }
    }
    return STOA_OK;
}

/* What stands behind the last frame: BGZF's empty member, zstd's table. */
static stoa_status append_end(stoa_packer *packer, stoa_buffer *out, stoa_error *err) {
    if (packer->packing == STOA_PACKING_GZIP) {
        return pack_piece(packer, NULL, 0, out, err);
    }
    if (!packer->has_table) {
        return STOA_OK;
    }
    size_t before = out->size;
    STOA_TRY(stoa_seek_table_write(&packer->entries, out, err));
    /* A table that is written later counts this one as a frame without bytes. */
    return add_entry(packer, out->size - before, 0, err);
}

stoa_status stoa_packer_end(stoa_packer *packer, stoa_buffer *out, stoa_error *err) {
    bool is_empty = !packer->has_frames && packer->packing != STOA_PACKING_GZIP;
    if (packer->is_whole && packer->piece.size == 0) {
        return STOA_OK;
    }
    if (packer->piece.size > 0 || is_empty) {
        STOA_TRY(pack_piece(packer, packer->piece.data, packer->piece.size, out, err));
        stoa_buffer_clear(&packer->piece);
    }
    STOA_TRY(append_end(packer, out, err));
    packer->is_whole = true;
    return STOA_OK;
}

stoa_status stoa_packer_append_to(stoa_packer *packer, stoa_file *file, uint64_t size,
                                  stoa_error *err) {
    uint64_t table_bytes = 0;
    bool has_checksums = false;
    if (size == 0) {
        return STOA_OK;
    }
    packer->has_frames = true;
    packer->is_whole = true;
    if (packer->packing != STOA_PACKING_ZSTD) {
        return STOA_OK;
    }
    stoa_status status = stoa_seek_table_read(file, size, &packer->entries, &table_bytes,
                                              &has_checksums, err);
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        packer->has_table = false;
        return STOA_OK;
    }
    STOA_TRY(status);
    return add_entry(packer, table_bytes, 0, err);
}
