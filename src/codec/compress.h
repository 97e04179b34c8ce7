/* General-purpose compression of whole buffers, one interface over all the libraries.
 *
 * Parquet pages and Arrow IPC bodies are compressed one buffer at a time, and their uncompressed
 * size stands beside them; so there is no streaming here, and every size is checked exactly. */
#ifndef STOA_CODEC_COMPRESS_H
#define STOA_CODEC_COMPRESS_H

#include "mem/buffer.h"

typedef enum stoa_compression {
    STOA_COMPRESSION_NONE,
    STOA_COMPRESSION_SNAPPY,     /* the raw block format, without framing */
    STOA_COMPRESSION_GZIP,       /* RFC 1952; reading takes several members one after the other */
    STOA_COMPRESSION_ZSTD,       /* RFC 8878; reading takes several frames */
    STOA_COMPRESSION_LZ4_RAW,    /* one LZ4 block */
    STOA_COMPRESSION_LZ4_FRAME,  /* the LZ4 frame format; reading takes several frames */
    STOA_COMPRESSION_LZ4_HADOOP, /* LZ4 blocks in Hadoop's framing; reading takes bare blocks too */
    STOA_COMPRESSION_BROTLI,     /* RFC 7932, one stream */
} stoa_compression;

/// "none", "snappy", "gzip", "zstd", "lz4_raw", "lz4_frame", "lz4_hadoop", "brotli".
const char *stoa_compression_name(stoa_compression compression);
/// The same backwards, in any case; "uncompressed" is none, "lz4" the raw block.
///
/// Errors   STOA_INVALID  not one of them; the message lists them
STOA_MUST_USE stoa_status stoa_compression_parse(const char *text, stoa_compression *out,
                                                 stoa_error *err);

/// One kind of compression with its level and the working memory of its library, which is made
/// at the first use and kept for the next.
///
/// Threads  One call at a time; separate codecs are independent.
typedef struct stoa_codec stoa_codec;

/// Makes a codec. What the library allocates is charged to `pool`.
///
/// Units    `level` is the library's own (zstd -7 to 22, gzip 1 to 12, lz4 1 to 12, brotli
///          1 to 11); 0 is the usual one (zstd 1, gzip 6, lz4 1, brotli 5). Kinds without levels take 0 only.
/// Errors   STOA_INVALID  the level is out of range
///          STOA_LIMIT, STOA_NO_MEMORY
/// Owns     The caller closes `*out`.
STOA_MUST_USE stoa_status stoa_codec_create(stoa_pool *pool, stoa_compression compression,
                                            int level, stoa_codec **out, stoa_error *err);
void stoa_codec_close(stoa_codec *codec);

stoa_compression stoa_codec_compression(const stoa_codec *codec);

/// The most bytes that `size` bytes can become.
///
/// Errors   STOA_LIMIT  `size` is more than the format holds (2 GiB for snappy and lz4 blocks)
STOA_MUST_USE stoa_status stoa_codec_bound(const stoa_codec *codec, size_t size, size_t *out,
                                           stoa_error *err);

/// Appends the compressed form of `size` bytes to `out`. On error `out` is as it was.
///
/// Errors   STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_codec_compress(stoa_codec *codec, const void *in, size_t size,
                                              stoa_buffer *out, stoa_error *err);

/// Fills exactly `expected_size` bytes at `out` from the `size` bytes at `in`, all of which belong
/// to the compressed form. Nothing is written outside, whatever the input. Nothing (no bytes) is
/// nothing in every kind.
///
/// Errors   STOA_CORRUPT  the input does not decode, or to fewer or more bytes than expected
///          STOA_LIMIT, STOA_NO_MEMORY
/// Owns     On error the bytes at `out` are undefined.
STOA_MUST_USE stoa_status stoa_codec_decompress(stoa_codec *codec, const void *in, size_t size,
                                                void *out, size_t expected_size, stoa_error *err);

#endif
