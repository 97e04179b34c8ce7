/* zstd. Contexts are made at the first use, live as long as the codec, and take their memory from
 * the pool through zstd's allocation hooks (its static-link interface, which the shared library
 * exports too). Decompression of whole buffers needs no window: the target is the window.
 *
 * Source   RFC 8878; zstd.h of version 1.5 */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/compress_kind.h"

static ZSTD_customMem hooks_of(stoa_codec *codec) {
    return (ZSTD_customMem){stoa_codec_library_allocate, stoa_codec_library_free, codec};
}

static size_t zstd_bound(size_t size) {
    return ZSTD_compressBound(size);
}

static stoa_status make_compressor(stoa_codec *codec, stoa_error *err) {
    if (codec->compressor != NULL) {
        return STOA_OK;
    }
    ZSTD_CCtx *context = ZSTD_createCCtx_advanced(hooks_of(codec));
    if (context == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a compressor", err);
    }
    size_t code = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, codec->level);
    if (ZSTD_isError(code)) {
        ZSTD_freeCCtx(context);
        return stoa_codec_fail(codec, STOA_INVALID, ZSTD_getErrorName(code), err);
    }
    codec->compressor = context;
    return STOA_OK;
}

static stoa_status zstd_compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                 size_t room, size_t *out_size, stoa_error *err) {
    STOA_TRY(make_compressor(codec, err));
    size_t written = ZSTD_compress2(codec->compressor, out, room, in, size);
    if (ZSTD_isError(written)) {
        return stoa_codec_fail(codec, STOA_INTERNAL, ZSTD_getErrorName(written), err);
    }
    *out_size = written;
    return STOA_OK;
}

static stoa_status zstd_decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                   size_t expected_size, stoa_error *err) {
    if (codec->decompressor == NULL) {
        codec->decompressor = ZSTD_createDCtx_advanced(hooks_of(codec));
    }
    if (codec->decompressor == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a decompressor", err);
    }
    size_t found = ZSTD_decompressDCtx(codec->decompressor, out, expected_size, in, size);
    if (ZSTD_isError(found)) {
        if (ZSTD_getErrorCode(found) == ZSTD_error_dstSize_tooSmall) {
            return stoa_codec_fail_long(codec, expected_size, err);
        }
        return stoa_codec_fail(codec, STOA_CORRUPT, ZSTD_getErrorName(found), err);
    }
    return found == expected_size ? STOA_OK
                                  : stoa_codec_fail_short(codec, expected_size, found, err);
}

static void zstd_close(stoa_codec *codec) {
    (void)ZSTD_freeCCtx(codec->compressor);
    (void)ZSTD_freeDCtx(codec->decompressor);
}

const struct codec_kind stoa_codec_kind_zstd = {
    .name = "zstd",
    .level_min = -7,
    .level_max = 22,
    .level_default = 1,
    .size_max = SIZE_MAX / 4,
    .bound = zstd_bound,
    .compress = zstd_compress,
    .decompress = zstd_decompress,
    .close = zstd_close,
};
