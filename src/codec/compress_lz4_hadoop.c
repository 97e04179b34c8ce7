/* Parquet's old codec LZ4, deprecated because two formats bear its name: Hadoop's framing, which most
 * writers used, and the plain block, which some did.
 *
 *     frame     u32 uncompressed size, then chunks until it is reached; both sizes big-endian
 *     chunk     u32 compressed size, an LZ4 block
 *
 * Nothing in the bytes says which it is. A reader takes them for frames if, as frames, they decode
 * without a byte too few or too many, and for a block otherwise; that a block does so by chance is as
 * likely as meeting two sizes of 32 bits. It is written as one frame of one chunk.
 *
 * Source   Apache Parquet format 2.11, Compression.md, "LZ4"; Hadoop, BlockCompressorStream */
#include <lz4.h>

#include "base/bytes.h"
#include "codec/compress_kind.h"

enum { HEAD_BYTES = 8 };

static size_t bound(size_t size) {
    return HEAD_BYTES + stoa_codec_kind_lz4_raw.bound(size);
}

static void store_big_endian(uint8_t *out, size_t value) {
    stoa_store_u32(out, __builtin_bswap32((uint32_t)value));
}

static stoa_status compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                            size_t room, size_t *out_size, stoa_error *err) {
    size_t block = 0;
    STOA_TRY(stoa_codec_kind_lz4_raw.compress(codec, in, size, out + HEAD_BYTES, room - HEAD_BYTES,
                                              &block, err));
    store_big_endian(out, size);
    store_big_endian(out + 4, block);
    *out_size = HEAD_BYTES + block;
    return STOA_OK;
}

static bool get_big_endian(stoa_byte_reader *reader, size_t *out) {
    uint32_t value;
    if (!stoa_byte_reader_get(reader, &value, sizeof value)) {
        return false;
    }
    *out = __builtin_bswap32(value);
    return true;
}

/* The chunks of one frame, which fill exactly `size` bytes. */
static bool decode_chunks(stoa_byte_reader *reader, uint8_t *out, size_t size) {
    size_t done = 0;
    do {
        size_t chunk;
        const uint8_t *bytes = get_big_endian(reader, &chunk) ? stoa_byte_reader_take(reader, chunk)
                                                              : NULL;
        if (bytes == NULL || chunk == 0 || chunk > INT32_MAX) {
            return false;
        }
        const int found = LZ4_decompress_safe((const char *)bytes, (char *)out + done, (int)chunk,
                                              (int)(size - done));
        if (found < 0 || (found == 0 && size > 0)) {
            return false;
        }
        done += (size_t)found;
    } while (done < size);
    return true;
}

static bool decode_frames(const uint8_t *in, size_t size, uint8_t *out, size_t expected_size) {
    stoa_byte_reader reader = stoa_byte_reader_of(in, size);
    size_t done = 0;
    while (stoa_byte_reader_left(&reader) > 0) {
        size_t frame;
        if (!get_big_endian(&reader, &frame) || frame > expected_size - done ||
            !decode_chunks(&reader, out + done, frame)) {
            return false;
        }
        done += frame;
    }
    return done == expected_size;
}

static stoa_status decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                              size_t expected_size, stoa_error *err) {
    if (decode_frames(in, size, out, expected_size)) {
        return STOA_OK;
    }
    return stoa_codec_kind_lz4_raw.decompress(codec, in, size, out, expected_size, err);
}

static void close_block(stoa_codec *codec) {
    stoa_codec_kind_lz4_raw.close(codec);
}

const struct codec_kind stoa_codec_kind_lz4_hadoop = {
    .name = "lz4_hadoop",
    .level_min = 1,
    .level_max = 12, /* LZ4HC_CLEVEL_MAX, as the block's */
    .level_default = 1,
    .size_max = LZ4_MAX_INPUT_SIZE,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
    .close = close_block,
};
