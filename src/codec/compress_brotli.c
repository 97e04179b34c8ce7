/* Brotli, one stream a buffer. The library's states serve one stream each, so they are made anew for
 * every call; all they allocate is charged through hooks, the window (at most 16 MiB) included.
 *
 * Source   RFC 7932 */
#include <brotli/decode.h>
#include <brotli/encode.h>

#include "base/checked.h"
#include "codec/compress_kind.h"

enum { SPARE_BYTES = 64, SPARE_PART = 64 };

/* The library's own bound holds from level 2 on; what is added covers level 1. */
static size_t bound(size_t size) {
    return BrotliEncoderMaxCompressedSize(size) + size / SPARE_PART + SPARE_BYTES;
}

static stoa_status compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                            size_t room, size_t *out_size, stoa_error *err) {
    BrotliEncoderState *state = BrotliEncoderCreateInstance(stoa_codec_library_allocate,
                                                            stoa_codec_library_free, codec);
    if (state == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a compressor", err);
    }
    const uint32_t hint = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    size_t left = room;
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)codec->level);
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT, hint);
    const bool good = BrotliEncoderCompressStream(state, BROTLI_OPERATION_FINISH, &size, &in, &left,
                                                  &out, NULL) &&
                      BrotliEncoderIsFinished(state);
    BrotliEncoderDestroyInstance(state);
    if (!good) {
        return stoa_codec_fail(codec, STOA_INTERNAL, "the buffer does not compress", err);
    }
    *out_size = room - left;
    return STOA_OK;
}

static stoa_status decode(stoa_codec *codec, BrotliDecoderState *state, const uint8_t *in,
                          size_t size, uint8_t *out, size_t expected_size, stoa_error *err) {
    size_t in_left = size;
    size_t out_left = expected_size;
    switch (BrotliDecoderDecompressStream(state, &in_left, &in, &out_left, &out, NULL)) {
    case BROTLI_DECODER_RESULT_SUCCESS: break;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return stoa_codec_fail_long(codec, expected_size, err);
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return stoa_fail(err, STOA_CORRUPT, "%s: the stream is cut off after %zu bytes",
                         codec->kind->name, size);
    default:
        return stoa_codec_fail(codec, STOA_CORRUPT,
                               BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state)), err);
    }
    if (in_left > 0) {
        return stoa_fail(err, STOA_CORRUPT, "%s: the stream ends at byte %zu of %zu",
                         codec->kind->name, size - in_left, size);
    }
    return out_left == 0
               ? STOA_OK
               : stoa_codec_fail_short(codec, expected_size, expected_size - out_left, err);
}

static stoa_status decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                              size_t expected_size, stoa_error *err) {
    BrotliDecoderState *state = BrotliDecoderCreateInstance(stoa_codec_library_allocate,
                                                            stoa_codec_library_free, codec);
    if (state == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a decompressor", err);
    }
    const stoa_status status = decode(codec, state, in, size, out, expected_size, err);
    BrotliDecoderDestroyInstance(state);
    return status;
}

static void nothing_to_close(stoa_codec *codec) {
    STOA_ASSERT(codec->compressor == NULL && codec->decompressor == NULL);
}

const struct codec_kind stoa_codec_kind_brotli = {
    .name = "brotli",
    .level_min = 1,
    .level_max = BROTLI_MAX_QUALITY,
    .level_default = 5,
    .size_max = SIZE_MAX / 4,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
    .close = nothing_to_close,
};
