/* What one compression offers to the reader of compressed files; inside src/vfs only.
 *
 * A decoder turns packed bytes into plain ones, step by step. The reader (compressed_file.c) feeds
 * it, keeps positions, and knows nothing of formats. */
#ifndef STOA_VFS_UNPACK_H
#define STOA_VFS_UNPACK_H

#include "mem/pool.h"
#include "vfs/compressed.h"
#include "vfs/unpack_index.h"

enum {
    STOA_UNPACK_MEMORY_MAX = 160 << 20, /* of one decoder */
    STOA_UNPACK_WINDOW_LOG_MAX = 27     /* of zstd: what its command reads without --long=N */
};

/* Where a step ended, when it did not end for want of bytes or of room. */
enum unpack_stop {
    UNPACK_GOES_ON,
    UNPACK_FRAME, /* a frame has ended: `start` without a state begins here */
    UNPACK_POINT, /* inside a frame, where `save` can keep a state to begin with */
    UNPACK_MOVE   /* what comes next is found by the index that led here */
};

/* One step. The decoder moves `in` and `out` on. */
struct unpack_io {
    const uint8_t *in;
    size_t in_size;
    uint64_t in_offset; /* of `in` in the packed file */
    uint8_t *out;
    size_t out_size;
    size_t need;      /* the decoder goes on only with so many bytes at `in`; 0: with any */
    bool wants_point; /* stop at the next place that can be saved */
    enum unpack_stop stop;
};

struct unpacker {
    const struct unpacker_kind *kind;
    stoa_pool *pool;
    size_t used;           /* bytes that the library has */
    stoa_error denied;     /* the last allocation that failed in the library; STOA_OK: none did */
    bool between;          /* no frame has begun: the file may end here */
    uint64_t frame_offset; /* where the frame began, for messages */
    uint64_t frame_count;  /* frames that have ended since `start` */
};

/* `save` gives a block from the unpacker's pool; `start` begins with it, or with NULL at a frame.
 * A step takes bytes, or makes some, or asks for more with `need` or by using up all of `in`. One
 * without room goes on as far as it can without making bytes. */
struct unpacker_kind {
    const char *frame; /* what the format calls a frame: "gzip member" */
    size_t state_bytes;
    stoa_status (*start)(struct unpacker *unpacker, const void *saved, stoa_error *err);
    stoa_status (*step)(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err);
    stoa_status (*save)(struct unpacker *unpacker, void **out, size_t *out_size, stoa_error *err);
    void (*close)(struct unpacker *unpacker);
    /* Fills an empty index from what the packed file says of itself, and tells the plain size. NULL,
     * or STOA_NOT_FOUND: it says nothing. */
    stoa_status (*load)(struct unpacker *unpacker, const stoa_context *context, stoa_file *packed,
                        uint64_t packed_size, struct unpack_index *out, uint64_t *out_size,
                        stoa_error *err);
};

extern const struct unpacker_kind stoa_unpack_gzip;
extern const struct unpacker_kind stoa_unpack_zstd;
extern const struct unpacker_kind stoa_unpack_lz4;
extern const struct unpacker_kind stoa_unpack_bzip2;
extern const struct unpacker_kind stoa_unpack_xz;

STOA_MUST_USE stoa_status stoa_unpacker_create(stoa_pool *pool, stoa_packing packing,
                                               struct unpacker **out, stoa_error *err);
void stoa_unpacker_close(struct unpacker *unpacker);

/// Allocation hooks for libraries; `unpacker` is the opaque pointer. They refuse more than
/// STOA_UNPACK_MEMORY_MAX.
void *stoa_unpack_allocate(void *unpacker, size_t size);
void stoa_unpack_free(void *unpacker, void *memory);

/// Moves `io` on.
static inline void stoa_unpack_took(struct unpack_io *io, size_t size) {
    io->in += size;
    io->in_size -= size;
    io->in_offset += size;
}
static inline void stoa_unpack_made(struct unpack_io *io, size_t size) {
    io->out += size;
    io->out_size -= size;
}
/// A frame has ended where `io` stands.
void stoa_unpack_frame_end(struct unpacker *unpacker, struct unpack_io *io);

/// A failure of the packed bytes: "gzip member at byte 0, near byte 1234: …" before the words. When
/// the library was denied memory, that is the failure instead.
stoa_status stoa_unpack_fail(struct unpacker *unpacker, const struct unpack_io *io,
                             stoa_status status, const char *words, stoa_error *err);

/* The header of an LZ4 frame. */
#define STOA_LZ4_LEGACY_MAGIC UINT32_C(0x184C2102)

struct stoa_lz4_header {
    size_t block_bytes_max;
    uint64_t content_size; /* when has_content_size */
    bool independent;
    bool has_block_checksum;
    bool has_content_size;
    bool has_content_checksum;
    bool has_dictionary;
};

enum stoa_lz4_header_answer { STOA_LZ4_HEADER_OK, STOA_LZ4_HEADER_SHORT, STOA_LZ4_HEADER_WRONG };

/// Looks at the `size` bytes of a header, its magic number included.
enum stoa_lz4_header_answer stoa_lz4_header_parse(const uint8_t *bytes, size_t size,
                                                  struct stoa_lz4_header *out, size_t *out_size);

#endif
