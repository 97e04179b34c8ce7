/* LZ4, as one raw block (Parquet's LZ4_RAW) and as frames (Arrow IPC's LZ4_FRAME).
 *
 * The block format knows no size of its own. Frames are written with independent blocks of 64 KiB
 * and with the content's size: blocks that refer to earlier ones are smaller by little, and some
 * readers refuse them.
 *
 * Source   github.com/lz4/lz4, doc/lz4_Block_format.md and doc/lz4_Frame_format.md 1.6 */
#define LZ4F_STATIC_LINKING_ONLY
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>

#include "base/checked.h"
#include "codec/compress_kind.h"

enum { LEVEL_HIGH = LZ4HC_CLEVEL_MIN };

static size_t raw_bound(size_t size) {
    return (size_t)LZ4_compressBound((int)size);
}

static size_t raw_state_bytes(const stoa_codec *codec) {
    return (size_t)(codec->level >= LEVEL_HIGH ? LZ4_sizeofStateHC() : LZ4_sizeofState());
}

static stoa_status raw_compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                size_t room, size_t *out_size, stoa_error *err) {
    if (codec->compressor == NULL) {
        STOA_TRY(stoa_pool_allocate(codec->pool, raw_state_bytes(codec), &codec->compressor, err));
    }
    const char *source = (const char *)in;
    char *target = (char *)out;
    int written = codec->level >= LEVEL_HIGH
                      ? LZ4_compress_HC_extStateHC(codec->compressor, source, target, (int)size,
                                                   (int)room, codec->level)
                      : LZ4_compress_fast_extState(codec->compressor, source, target, (int)size,
                                                   (int)room, 1);
    if (written <= 0) {
        return stoa_codec_fail(codec, STOA_INTERNAL, "the result is larger than its bound", err);
    }
    *out_size = (size_t)written;
    return STOA_OK;
}

static stoa_status raw_decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                  size_t expected_size, stoa_error *err) {
    if (size > INT32_MAX) {
        return stoa_fail(err, STOA_CORRUPT,
                         "%s: expected at most %d compressed bytes but found %zu",
                         codec->kind->name, INT32_MAX, size);
    }
    int found = LZ4_decompress_safe((const char *)in, (char *)out, (int)size, (int)expected_size);
    if (found < 0) {
        return stoa_fail(err, STOA_CORRUPT,
                         "%s: the block does not decode into %zu bytes (wrong near byte %d)",
                         codec->kind->name, expected_size, -(found + 1));
    }
    return (size_t)found == expected_size
               ? STOA_OK
               : stoa_codec_fail_short(codec, expected_size, (size_t)found, err);
}

static void raw_close(stoa_codec *codec) {
    stoa_pool_free(codec->pool, codec->compressor, raw_state_bytes(codec));
}

static LZ4F_CustomMem hooks_of(stoa_codec *codec) {
    return (LZ4F_CustomMem){
        .customAlloc = stoa_codec_library_allocate,
        .customFree = stoa_codec_library_free,
        .opaqueState = codec,
    };
}

static LZ4F_preferences_t frame_preferences(int level, size_t size) {
    LZ4F_preferences_t preferences = {0};
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.contentSize = size;
    preferences.compressionLevel = level >= LEVEL_HIGH ? level : 0;
    preferences.autoFlush = 1;
    return preferences;
}

static size_t frame_bound(size_t size) {
    LZ4F_preferences_t preferences = frame_preferences(0, size);
    return LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(size, &preferences);
}

static stoa_status frame_compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                  size_t room, size_t *out_size, stoa_error *err) {
    if (codec->compressor == NULL) {
        codec->compressor = LZ4F_createCompressionContext_advanced(hooks_of(codec), LZ4F_VERSION);
    }
    if (codec->compressor == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a compressor", err);
    }
    LZ4F_preferences_t preferences = frame_preferences(codec->level, size);
    const LZ4F_compressOptions_t options = {.stableSrc = 1};
    size_t head = LZ4F_compressBegin(codec->compressor, out, room, &preferences);
    size_t body = LZ4F_isError(head) ? head
                                     : LZ4F_compressUpdate(codec->compressor, out + head,
                                                           room - head, in, size, &options);
    size_t end = LZ4F_isError(body) ? body
                                    : LZ4F_compressEnd(codec->compressor, out + head + body,
                                                       room - head - body, &options);
    if (LZ4F_isError(end)) {
        return stoa_codec_fail(codec, STOA_INTERNAL, LZ4F_getErrorName(end), err);
    }
    *out_size = head + body + end;
    return STOA_OK;
}

/* Decodes frames until the input ends; `*out_done` may then still be short. One spare byte behind
 * the target tells a result that is too long from one that just ends. */
static stoa_status frames_decode(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                 size_t expected_size, stoa_error *err) {
    size_t in_done = 0;
    size_t out_done = 0;
    size_t hint = 1; /* 0 when a frame is complete */
    const LZ4F_decompressOptions_t options = {0};
    while (in_done < size) {
        uint8_t spare;
        bool full = out_done == expected_size;
        size_t in_step = size - in_done;
        size_t out_step = full ? sizeof spare : expected_size - out_done;
        hint = LZ4F_decompress(codec->decompressor, full ? &spare : out + out_done, &out_step,
                               in + in_done, &in_step, &options);
        if (LZ4F_isError(hint)) {
            return stoa_codec_fail(codec, STOA_CORRUPT, LZ4F_getErrorName(hint), err);
        }
        if (full && out_step > 0) {
            return stoa_codec_fail_long(codec, expected_size, err);
        }
        if (in_step == 0 && out_step == 0) {
            return stoa_fail(err, STOA_CORRUPT, "%s: the frame stops making sense at byte %zu",
                             codec->kind->name, in_done);
        }
        in_done += in_step;
        out_done += out_step;
    }
    /* The last block may still wait inside the decoder when the target was full in time. */
    if (hint != 0 || out_done != expected_size) {
        return hint != 0 ? stoa_fail(err, STOA_CORRUPT,
                                     "%s: the frame is cut off after %zu bytes, %zu uncompressed",
                                     codec->kind->name, size, out_done)
                         : stoa_codec_fail_short(codec, expected_size, out_done, err);
    }
    return STOA_OK;
}

static stoa_status frame_decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                    size_t expected_size, stoa_error *err) {
    if (codec->decompressor == NULL) {
        codec->decompressor = LZ4F_createDecompressionContext_advanced(hooks_of(codec),
                                                                       LZ4F_VERSION);
    }
    if (codec->decompressor == NULL) {
        return stoa_codec_fail(codec, STOA_NO_MEMORY, "no memory for a decompressor", err);
    }
    stoa_status status = frames_decode(codec, in, size, out, expected_size, err);
    if (status != STOA_OK) {
        LZ4F_resetDecompressionContext(codec->decompressor);
    }
    return status;
}

static void frame_close(stoa_codec *codec) {
    (void)LZ4F_freeCompressionContext(codec->compressor);
    (void)LZ4F_freeDecompressionContext(codec->decompressor);
}

const struct codec_kind stoa_codec_kind_lz4_raw = {
    .name = "lz4_raw",
    .level_min = 1,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 1,
    .size_max = LZ4_MAX_INPUT_SIZE,
    .bound = raw_bound,
    .compress = raw_compress,
    .decompress = raw_decompress,
    .close = raw_close,
};

const struct codec_kind stoa_codec_kind_lz4_frame = {
    .name = "lz4_frame",
    .level_min = 1,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 1,
    .size_max = SIZE_MAX / 4,
    .bound = frame_bound,
    .compress = frame_compress,
    .decompress = frame_decompress,
    .close = frame_close,
};
