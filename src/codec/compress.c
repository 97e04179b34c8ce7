/* The codec handle, and the kinds that need little: none, snappy, gzip.
 *
 * A kind is a struct of functions (compress_kind.h). Everything that is the same for all stands
 * here: limits, room for the result, and what the library allocated. zstd and the LZ4 frame take
 * allocation hooks; libdeflate has one process-wide allocator only, so its working memory is
 * charged to the pool as a measured estimate; snappy allocates a table of 32 KiB for the time of
 * one call, which is not counted.
 *
 * Source   RFC 1952 (gzip); github.com/google/snappy, format_description.txt */
#include "codec/compress.h"

#include <libdeflate.h>
#include <limits.h>
#include <snappy-c.h>
#include <strings.h>

#include "base/checked.h"
#include "codec/compress_kind.h"

enum {
    LIBRARY_HEADER_BYTES = STOA_ALIGNMENT_BYTES, /* holds the size, keeps the alignment */
    GZIP_LEVEL_OPTIMAL = 10,
    /* Measured with libdeflate 1.14. */
    GZIP_COMPRESSOR_BYTES = 700 * 1024,
    GZIP_COMPRESSOR_OPTIMAL_BYTES = 9 * 1024 * 1024,
    GZIP_DECOMPRESSOR_BYTES = 12 * 1024,
    GZIP_MEMBER_BYTES_MIN = 18 /* header and trailer */
};

void *stoa_codec_library_allocate(void *user, size_t size) {
    stoa_codec *codec = user;
    size_t whole;
    if (!stoa_add_size(size, LIBRARY_HEADER_BYTES, &whole)) {
        return NULL;
    }
    void *memory = NULL;
    stoa_error_clear(&codec->denied);
    if (stoa_pool_allocate(codec->pool, whole, &memory, &codec->denied) != STOA_OK) {
        return NULL;
    }
    memcpy(memory, &whole, sizeof whole);
    return (uint8_t *)memory + LIBRARY_HEADER_BYTES;
}

void stoa_codec_library_free(void *user, void *memory) {
    stoa_codec *codec = user;
    if (memory == NULL) {
        return;
    }
    uint8_t *block = (uint8_t *)memory - LIBRARY_HEADER_BYTES;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    stoa_pool_free(codec->pool, block, whole);
}

stoa_status stoa_codec_fail(stoa_codec *codec, stoa_status status, const char *words,
                            stoa_error *err) {
    if (codec->denied.status != STOA_OK) {
        status = codec->denied.status;
        if (err != NULL) {
            *err = codec->denied;
        }
        stoa_wrap(err, "%s", codec->kind->name);
        stoa_error_clear(&codec->denied);
        return status;
    }
    return stoa_fail(err, status, "%s: %s", codec->kind->name, words);
}

stoa_status stoa_codec_fail_short(const stoa_codec *codec, size_t expected, size_t found,
                                  stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "%s: expected %zu uncompressed bytes but found %zu",
                     codec->kind->name, expected, found);
}

stoa_status stoa_codec_fail_long(const stoa_codec *codec, size_t expected, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT, "%s: expected %zu uncompressed bytes but found more",
                     codec->kind->name, expected);
}

static size_t none_bound(size_t size) {
    return size;
}

static stoa_status none_compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                 size_t room, size_t *out_size, stoa_error *err) {
    (void)codec;
    (void)err;
    STOA_ASSERT(room >= size);
    if (size > 0) {
        memcpy(out, in, size);
    }
    *out_size = size;
    return STOA_OK;
}

static stoa_status none_decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                   size_t expected_size, stoa_error *err) {
    if (size != expected_size) {
        return stoa_codec_fail_short(codec, expected_size, size, err);
    }
    if (size > 0) {
        memcpy(out, in, size);
    }
    return STOA_OK;
}

static stoa_status snappy_kind_compress(stoa_codec *codec, const uint8_t *in, size_t size,
                                        uint8_t *out, size_t room, size_t *out_size,
                                        stoa_error *err) {
    *out_size = room;
    if (snappy_compress((const char *)in, size, (char *)out, out_size) != SNAPPY_OK) {
        return stoa_codec_fail(codec, STOA_INTERNAL, "the result is larger than its bound", err);
    }
    return STOA_OK;
}

static stoa_status snappy_kind_decompress(stoa_codec *codec, const uint8_t *in, size_t size,
                                          uint8_t *out, size_t expected_size, stoa_error *err) {
    size_t found = 0;
    if (snappy_uncompressed_length((const char *)in, size, &found) != SNAPPY_OK) {
        return stoa_codec_fail(codec, STOA_CORRUPT, "the length at the start does not decode", err);
    }
    if (found != expected_size) {
        return stoa_codec_fail_short(codec, expected_size, found, err);
    }
    if (snappy_uncompress((const char *)in, size, (char *)out, &found) != SNAPPY_OK) {
        return stoa_codec_fail(codec, STOA_CORRUPT, "the block does not decode", err);
    }
    return STOA_OK;
}

static void no_close(stoa_codec *codec) {
    STOA_ASSERT(codec->compressor == NULL && codec->decompressor == NULL);
}

/* The bound of every level is that of the worst one, so no compressor is needed to ask. */
static size_t gzip_bound(size_t size) {
    return libdeflate_gzip_compress_bound(NULL, size);
}

static stoa_status gzip_compressor(stoa_codec *codec, stoa_error *err) {
    if (codec->compressor != NULL) {
        return STOA_OK;
    }
    size_t bytes = codec->level >= GZIP_LEVEL_OPTIMAL ? (size_t)GZIP_COMPRESSOR_OPTIMAL_BYTES
                                                      : (size_t)GZIP_COMPRESSOR_BYTES;
    STOA_TRY(stoa_reservation_resize(&codec->compressor_charge, codec->pool, bytes, err));
    codec->compressor = libdeflate_alloc_compressor(codec->level);
    if (codec->compressor == NULL) {
        stoa_reservation_release(&codec->compressor_charge);
        return stoa_fail(err, STOA_NO_MEMORY, "gzip: no memory for a compressor");
    }
    return STOA_OK;
}

static stoa_status gzip_compress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                 size_t room, size_t *out_size, stoa_error *err) {
    STOA_TRY(gzip_compressor(codec, err));
    *out_size = libdeflate_gzip_compress(codec->compressor, in, size, out, room);
    if (*out_size == 0) {
        return stoa_codec_fail(codec, STOA_INTERNAL, "the result is larger than its bound", err);
    }
    return STOA_OK;
}

static stoa_status gzip_decompressor(stoa_codec *codec, stoa_error *err) {
    if (codec->decompressor != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_reservation_resize(&codec->decompressor_charge, codec->pool,
                                     GZIP_DECOMPRESSOR_BYTES, err));
    codec->decompressor = libdeflate_alloc_decompressor();
    if (codec->decompressor == NULL) {
        stoa_reservation_release(&codec->decompressor_charge);
        return stoa_fail(err, STOA_NO_MEMORY, "gzip: no memory for a decompressor");
    }
    return STOA_OK;
}

static stoa_status gzip_decompress(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                                   size_t expected_size, stoa_error *err) {
    STOA_TRY(gzip_decompressor(codec, err));
    size_t in_done = 0;
    size_t out_done = 0;
    do {
        size_t member_in = 0;
        size_t member_out = 0;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(codec->decompressor,
                                                                      in + in_done, size - in_done,
                                                                      out + out_done,
                                                                      expected_size - out_done,
                                                                      &member_in, &member_out);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
            return stoa_codec_fail_long(codec, expected_size, err);
        }
        if (result != LIBDEFLATE_SUCCESS) {
            return stoa_fail(err, STOA_CORRUPT, "gzip: the member at byte %zu does not decode",
                             in_done);
        }
        STOA_ASSERT(member_in >= GZIP_MEMBER_BYTES_MIN);
        in_done += member_in;
        out_done += member_out;
    } while (in_done < size);
    return out_done == expected_size ? STOA_OK
                                     : stoa_codec_fail_short(codec, expected_size, out_done, err);
}

static void gzip_close(stoa_codec *codec) {
    libdeflate_free_compressor(codec->compressor);
    libdeflate_free_decompressor(codec->decompressor);
}

static const struct codec_kind kind_none = {
    .name = "none",
    .size_max = SIZE_MAX,
    .bound = none_bound,
    .compress = none_compress,
    .decompress = none_decompress,
    .close = no_close,
};

static const struct codec_kind kind_snappy = {
    .name = "snappy",
    .size_max = INT_MAX,
    .bound = snappy_max_compressed_length,
    .compress = snappy_kind_compress,
    .decompress = snappy_kind_decompress,
    .close = no_close,
};

static const struct codec_kind kind_gzip = {
    .name = "gzip",
    .level_min = 1,
    .level_max = 12,
    .level_default = 6,
    .size_max = SIZE_MAX / 4,
    .bound = gzip_bound,
    .compress = gzip_compress,
    .decompress = gzip_decompress,
    .close = gzip_close,
};

static const struct codec_kind *const kinds[] = {
    [STOA_COMPRESSION_NONE] = &kind_none,
    [STOA_COMPRESSION_SNAPPY] = &kind_snappy,
    [STOA_COMPRESSION_GZIP] = &kind_gzip,
    [STOA_COMPRESSION_ZSTD] = &stoa_codec_kind_zstd,
    [STOA_COMPRESSION_LZ4_RAW] = &stoa_codec_kind_lz4_raw,
    [STOA_COMPRESSION_LZ4_FRAME] = &stoa_codec_kind_lz4_frame,
    [STOA_COMPRESSION_LZ4_HADOOP] = &stoa_codec_kind_lz4_hadoop,
    [STOA_COMPRESSION_BROTLI] = &stoa_codec_kind_brotli,
};

enum { KIND_COUNT = (int)(sizeof kinds / sizeof kinds[0]) };

const char *stoa_compression_name(stoa_compression compression) {
    STOA_ASSERT((int)compression >= 0 && (int)compression < KIND_COUNT);
    return kinds[compression]->name;
}

stoa_status stoa_compression_parse(const char *text, stoa_compression *out, stoa_error *err) {
    if (strcasecmp(text, "uncompressed") == 0) {
        *out = STOA_COMPRESSION_NONE;
        return STOA_OK;
    }
    if (strcasecmp(text, "lz4") == 0) {
        *out = STOA_COMPRESSION_LZ4_RAW;
        return STOA_OK;
    }
    for (int i = 0; i < KIND_COUNT; i++) {
        if (strcasecmp(text, kinds[i]->name) == 0) {
            *out = (stoa_compression)i;
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "expected a compression (none, snappy, gzip, zstd, lz4_raw, lz4_frame, "
                     "lz4_hadoop, brotli) but found '%s'",
                     text);
}

stoa_status stoa_codec_create(stoa_pool *pool, stoa_compression compression, int level,
                              stoa_codec **out, stoa_error *err) {
    STOA_ASSERT((int)compression >= 0 && (int)compression < KIND_COUNT);
    *out = NULL;
    const struct codec_kind *kind = kinds[compression];
    if (level != 0 && (level < kind->level_min || level > kind->level_max)) {
        return stoa_fail(err, STOA_INVALID,
                         "%s: expected a compression level from %d to %d but found %d", kind->name,
                         kind->level_min, kind->level_max, level);
    }
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_codec), &memory, err));
    stoa_codec *codec = memory;
    codec->pool = pool;
    codec->kind = kind;
    codec->compression = compression;
    codec->level = level == 0 ? kind->level_default : level;
    stoa_error_clear(&codec->denied);
    *out = codec;
    return STOA_OK;
}

void stoa_codec_close(stoa_codec *codec) {
    if (codec == NULL) {
        return;
    }
    codec->kind->close(codec);
    stoa_reservation_release(&codec->compressor_charge);
    stoa_reservation_release(&codec->decompressor_charge);
    stoa_pool_free(codec->pool, codec, sizeof *codec);
}

stoa_compression stoa_codec_compression(const stoa_codec *codec) {
    return codec->compression;
}

stoa_status stoa_codec_bound(const stoa_codec *codec, size_t size, size_t *out, stoa_error *err) {
    if (size > codec->kind->size_max) {
        return stoa_fail(err, STOA_LIMIT,
                         "%s: expected at most %zu bytes in one piece but found %zu",
                         codec->kind->name, codec->kind->size_max, size);
    }
    *out = codec->kind->bound(size);
    return STOA_OK;
}

stoa_status stoa_codec_compress(stoa_codec *codec, const void *in, size_t size, stoa_buffer *out,
                                stoa_error *err) {
    size_t room = 0;
    STOA_TRY(stoa_codec_bound(codec, size, &room, err));
    /* One byte more: some libraries refuse a NULL target even when nothing is to be written. */
    STOA_TRY(stoa_buffer_reserve(out, room + 1, err));
    const uint8_t nothing = 0;
    size_t written = 0;
    STOA_TRY(codec->kind->compress(codec, size == 0 ? &nothing : in, size, out->data + out->size,
                                   room, &written, err));
    STOA_ASSERT(written <= room);
    out->size += written;
    return STOA_OK;
}

stoa_status stoa_codec_decompress(stoa_codec *codec, const void *in, size_t size, void *out,
                                  size_t expected_size, stoa_error *err) {
    if (expected_size > codec->kind->size_max) {
        return stoa_fail(err, STOA_CORRUPT,
                         "%s: expected at most %zu uncompressed bytes in one piece but found %zu",
                         codec->kind->name, codec->kind->size_max, expected_size);
    }
    if (size == 0 && expected_size == 0) {
        return STOA_OK; /* some writers leave empty buffers as they are */
    }
    const uint8_t nothing = 0;
    uint8_t nowhere = 0;
    return codec->kind->decompress(codec, size == 0 ? &nothing : in, size,
                                   expected_size == 0 ? &nowhere : out, expected_size, err);
}
