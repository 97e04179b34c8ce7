/* What one kind of compression offers to the codec handle; inside src/codec only. */
#ifndef STOA_CODEC_COMPRESS_KIND_H
#define STOA_CODEC_COMPRESS_KIND_H

#include "codec/compress.h"

/* `bound` is called before `compress`, which gets at least that much room. */
struct codec_kind {
    const char *name;
    int level_min;
    int level_max;
    int level_default;
    size_t size_max; /* of uncompressed input */
    size_t (*bound)(size_t size);
    stoa_status (*compress)(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                            size_t room, size_t *out_size, stoa_error *err);
    stoa_status (*decompress)(stoa_codec *codec, const uint8_t *in, size_t size, uint8_t *out,
                              size_t expected_size, stoa_error *err);
    void (*close)(stoa_codec *codec);
};

struct stoa_codec {
    stoa_pool *pool;
    const struct codec_kind *kind;
    stoa_compression compression;
    int level;
    void *compressor;   /* the library's own, or a block from the pool; NULL until used */
    void *decompressor; /* likewise */
    stoa_reservation compressor_charge; /* for libraries that allocate by themselves */
    stoa_reservation decompressor_charge;
    stoa_error denied; /* the last failed allocation of the library's, STOA_OK when none failed */
};

extern const struct codec_kind stoa_codec_kind_zstd;
extern const struct codec_kind stoa_codec_kind_lz4_raw;
extern const struct codec_kind stoa_codec_kind_lz4_frame;
extern const struct codec_kind stoa_codec_kind_lz4_hadoop;
extern const struct codec_kind stoa_codec_kind_brotli;

/// Allocation hooks for libraries that take them; `codec` is the opaque pointer.
void *stoa_codec_library_allocate(void *codec, size_t size);
void stoa_codec_library_free(void *codec, void *memory);

/// The failure of a library call: the pool's own when it had denied memory, else STOA_CORRUPT (or
/// what `status` says) with the library's words.
stoa_status stoa_codec_fail(stoa_codec *codec, stoa_status status, const char *words,
                            stoa_error *err);
/// STOA_CORRUPT: other than `expected` bytes came out.
stoa_status stoa_codec_fail_short(const stoa_codec *codec, size_t expected, size_t found,
                                  stoa_error *err);
stoa_status stoa_codec_fail_long(const stoa_codec *codec, size_t expected, stoa_error *err);

#endif
