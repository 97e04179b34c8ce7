/* LZ4 frames, one after the other, and frames that readers skip.
 *
 * The frame is read here and only its blocks go to the library: blocks come straight into the
 * caller's room where there is enough, and in a frame of independent blocks each block is a place
 * to begin with, the checksum of the content so far included. A block refers to at most 64 KiB
 * before it; they stand in `scratch`, before the room for one block.
 *
 *     frame    magic, flags, block size, [content size], [dictionary id], header checksum,
 *              blocks, end mark (a block of size 0), [content checksum]
 *     block    size (top bit: not compressed), bytes, [checksum]
 *
 * Source   github.com/lz4/lz4, doc/lz4_Frame_format.md 1.6 */
#include <lz4.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the size of its state */
#include <xxhash.h>

#include "base/bytes.h"
#include "vfs/unpack.h"

enum {
    MAGIC_BYTES = 4,
    SKIPPABLE_HEADER_BYTES = 8,
    HISTORY_BYTES = 64 << 10,
    FLAGS_VERSION = 0xC0,
    FLAG_VERSION_1 = 0x40,
    FLAG_INDEPENDENT = 0x20,
    FLAG_BLOCK_CHECKSUM = 0x10,
    FLAG_CONTENT_SIZE = 8,
    FLAG_CONTENT_CHECKSUM = 4,
    FLAG_RESERVED = 2,
    FLAG_DICTIONARY = 1,
    BLOCK_SIZE_RESERVED = 0x8F,
    BLOCK_SIZE_SMALLEST = 4
};

#define FRAME_MAGIC UINT32_C(0x184D2204)
#define SKIPPABLE_MAGIC UINT32_C(0x184D2A50)
#define SKIPPABLE_MASK UINT32_C(0xFFFFFFF0)
#define BLOCK_IS_RAW UINT32_C(0x80000000)

enum lz4_place { PLACE_HEADER, PLACE_SKIP, PLACE_BLOCK, PLACE_PENDING };

/* All that a restart at a block needs. */
struct lz4_saved {
    struct stoa_lz4_header header;
    uint64_t frame_offset;
    uint64_t content_size; /* so far */
    XXH32_state_t checksum;
};

struct lz4_unpacker {
    struct unpacker base;
    struct lz4_saved at;
    enum lz4_place place;
    uint64_t skip_bytes;
    uint8_t *scratch; /* HISTORY_BYTES, then one block */
    size_t scratch_bytes;
    size_t history_bytes; /* the last ones of the first part of `scratch` */
    size_t pending_bytes; /* unpacked bytes in the second part */
    size_t pending_taken; /* of which so many were handed out */
};

enum stoa_lz4_header_answer stoa_lz4_header_parse(const uint8_t *bytes, size_t size,
                                                  struct stoa_lz4_header *out, size_t *out_size) {
    static const size_t block_bytes[] = {64 << 10, 256 << 10, 1 << 20, 4 << 20};
    if (size < MAGIC_BYTES + 2) {
        return STOA_LZ4_HEADER_SHORT;
    }
    unsigned flags = bytes[MAGIC_BYTES];
    unsigned block_size = bytes[MAGIC_BYTES + 1];
    if (stoa_load_u32(bytes) != FRAME_MAGIC || (flags & FLAGS_VERSION) != FLAG_VERSION_1 ||
        (flags & FLAG_RESERVED) != 0 || (block_size & BLOCK_SIZE_RESERVED) != 0 ||
        block_size >> 4 < BLOCK_SIZE_SMALLEST) {
        return STOA_LZ4_HEADER_WRONG;
    }
    *out = (struct stoa_lz4_header){
        .block_bytes_max = block_bytes[(block_size >> 4) - BLOCK_SIZE_SMALLEST],
        .independent = (flags & FLAG_INDEPENDENT) != 0,
        .has_block_checksum = (flags & FLAG_BLOCK_CHECKSUM) != 0,
        .has_content_size = (flags & FLAG_CONTENT_SIZE) != 0,
        .has_content_checksum = (flags & FLAG_CONTENT_CHECKSUM) != 0,
        .has_dictionary = (flags & FLAG_DICTIONARY) != 0,
    };
    size_t last = MAGIC_BYTES + 2 + (out->has_content_size ? 8U : 0U) +
                  (out->has_dictionary ? 4U : 0U);
    if (size <= last) {
        return STOA_LZ4_HEADER_SHORT;
    }
    out->content_size = out->has_content_size ? stoa_load_u64(bytes + MAGIC_BYTES + 2) : 0;
    *out_size = last + 1;
    uint32_t checksum = XXH32(bytes + MAGIC_BYTES, last - MAGIC_BYTES, 0);
    return ((checksum >> 8) & 0xFF) == bytes[last] ? STOA_LZ4_HEADER_OK : STOA_LZ4_HEADER_WRONG;
}

static stoa_status reserve_scratch(struct lz4_unpacker *lz4, stoa_error *err) {
    size_t wanted = HISTORY_BYTES + lz4->at.header.block_bytes_max;
    if (lz4->scratch_bytes >= wanted) {
        return STOA_OK;
    }
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(lz4->base.pool, wanted, &memory, err));
    stoa_pool_free(lz4->base.pool, lz4->scratch, lz4->scratch_bytes);
    lz4->scratch = memory;
    lz4->scratch_bytes = wanted;
    return STOA_OK;
}

static stoa_status lz4_start(struct unpacker *unpacker, const void *saved, stoa_error *err) {
    struct lz4_unpacker *lz4 = (struct lz4_unpacker *)unpacker;
    lz4->place = saved == NULL ? PLACE_HEADER : PLACE_BLOCK;
    lz4->history_bytes = 0;
    lz4->pending_bytes = 0;
    lz4->pending_taken = 0;
    unpacker->between = saved == NULL;
    if (saved == NULL) {
        return STOA_OK;
    }
    memcpy(&lz4->at, saved, sizeof lz4->at);
    unpacker->frame_offset = lz4->at.frame_offset;
    return reserve_scratch(lz4, err);
}

static stoa_status begin_skippable(struct lz4_unpacker *lz4, struct unpack_io *io) {
    if (io->in_size < SKIPPABLE_HEADER_BYTES) {
        io->need = SKIPPABLE_HEADER_BYTES;
        return STOA_OK;
    }
    lz4->skip_bytes = stoa_load_u32(io->in + MAGIC_BYTES);
    stoa_unpack_took(io, SKIPPABLE_HEADER_BYTES);
    lz4->base.between = false;
    lz4->place = PLACE_SKIP;
    return STOA_OK;
}

static stoa_status begin_frame(struct lz4_unpacker *lz4, struct unpack_io *io, size_t header_size,
                               const struct stoa_lz4_header *header, stoa_error *err) {
    if (header->has_dictionary) {
        return stoa_unpack_fail(&lz4->base, io, STOA_UNSUPPORTED,
                                "it was packed with a dictionary, which is not at hand", err);
    }
    lz4->at = (struct lz4_saved){.header = *header, .frame_offset = io->in_offset};
    (void)XXH32_reset(&lz4->at.checksum, 0);
    STOA_TRY(reserve_scratch(lz4, err));
    stoa_unpack_took(io, header_size);
    lz4->base.between = false;
    lz4->history_bytes = 0;
    lz4->place = PLACE_BLOCK;
    return STOA_OK;
}

static stoa_status read_header(struct lz4_unpacker *lz4, struct unpack_io *io, stoa_error *err) {
    struct stoa_lz4_header header;
    size_t header_size = 0;
    lz4->base.frame_offset = io->in_offset;
    if (io->in_size < MAGIC_BYTES) {
        io->need = MAGIC_BYTES;
        return STOA_OK;
    }
    uint32_t magic = stoa_load_u32(io->in);
    if ((magic & SKIPPABLE_MASK) == SKIPPABLE_MAGIC) {
        return begin_skippable(lz4, io);
    }
    if (magic == STOA_LZ4_LEGACY_MAGIC) {
        return stoa_unpack_fail(&lz4->base, io, STOA_UNSUPPORTED,
                                "it is of LZ4's legacy format (lz4 -l), which is not read", err);
    }
    if (magic != FRAME_MAGIC) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT,
                                "expected an LZ4 frame but found other bytes", err);
    }
    switch (stoa_lz4_header_parse(io->in, io->in_size, &header, &header_size)) {
    case STOA_LZ4_HEADER_SHORT: io->need = io->in_size + 1; return STOA_OK;
    case STOA_LZ4_HEADER_WRONG:
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT, "its header is wrong", err);
    case STOA_LZ4_HEADER_OK: break;
    }
    return begin_frame(lz4, io, header_size, &header, err);
}

static void skip(struct lz4_unpacker *lz4, struct unpack_io *io) {
    size_t part = io->in_size < lz4->skip_bytes ? io->in_size : (size_t)lz4->skip_bytes;
    stoa_unpack_took(io, part);
    lz4->skip_bytes -= part;
    if (lz4->skip_bytes == 0) {
        lz4->place = PLACE_HEADER;
        stoa_unpack_frame_end(&lz4->base, io);
    }
}

/* The last 64 KiB of what was unpacked are kept for the next block, if that may refer to them. */
static void remember(struct lz4_unpacker *lz4, const uint8_t *bytes, size_t size) {
    if (lz4->at.header.independent) {
        return;
    }
    uint8_t *end = lz4->scratch + HISTORY_BYTES;
    size_t kept = size >= HISTORY_BYTES ? 0 : HISTORY_BYTES - size;
    kept = kept < lz4->history_bytes ? kept : lz4->history_bytes;
    size_t taken = size < HISTORY_BYTES ? size : HISTORY_BYTES;
    memmove(end - taken - kept, end - kept, kept);
    memcpy(end - taken, bytes + size - taken, taken);
    lz4->history_bytes = kept + taken;
}

/* `from` is the block's bytes, `*out_size` what they became. */
static stoa_status unpack_block(struct lz4_unpacker *lz4, const struct unpack_io *io,
                                const uint8_t *from, size_t size, bool is_raw, uint8_t *to,
                                size_t *out_size, stoa_error *err) {
    if (is_raw) {
        memcpy(to, from, size);
        *out_size = size;
        return STOA_OK;
    }
    const uint8_t *history = lz4->scratch + HISTORY_BYTES - lz4->history_bytes;
    int made = LZ4_decompress_safe_usingDict((const char *)from, (char *)to, (int)size,
                                             (int)lz4->at.header.block_bytes_max,
                                             (const char *)history, (int)lz4->history_bytes);
    if (made < 0) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT, "a block does not decode", err);
    }
    *out_size = (size_t)made;
    return STOA_OK;
}

static stoa_status end_blocks(struct lz4_unpacker *lz4, struct unpack_io *io, stoa_error *err) {
    size_t size = lz4->at.header.has_content_checksum ? 8 : 4;
    if (io->in_size < size) {
        io->need = size;
        return STOA_OK;
    }
    if (lz4->at.header.has_content_size && lz4->at.header.content_size != lz4->at.content_size) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT,
                                "the number of unpacked bytes is not what its header says", err);
    }
    if (lz4->at.header.has_content_checksum &&
        XXH32_digest(&lz4->at.checksum) != stoa_load_u32(io->in + 4)) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT,
                                "the checksum of the unpacked bytes is wrong", err);
    }
    stoa_unpack_took(io, size);
    lz4->place = PLACE_HEADER;
    stoa_unpack_frame_end(&lz4->base, io);
    return STOA_OK;
}

/* After a block: what it is counted in, and whether the next one is a place to begin with. */
static void end_block(struct lz4_unpacker *lz4, struct unpack_io *io) {
    lz4->place = PLACE_BLOCK;
    io->stop = lz4->at.header.independent ? UNPACK_POINT : UNPACK_GOES_ON;
}

static stoa_status read_block(struct lz4_unpacker *lz4, struct unpack_io *io, stoa_error *err) {
    const struct stoa_lz4_header *header = &lz4->at.header;
    if (io->in_size < 4) {
        io->need = 4;
        return STOA_OK;
    }
    uint32_t head = stoa_load_u32(io->in);
    size_t size = head & ~BLOCK_IS_RAW;
    size_t whole = 4 + size + (header->has_block_checksum ? 4U : 0U);
    if (head == 0) {
        return end_blocks(lz4, io, err);
    }
    if (size > header->block_bytes_max) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT,
                                "a block is longer than its header allows", err);
    }
    if (io->out_size == 0) {
        return STOA_OK; /* nobody waits for it */
    }
    if (io->in_size < whole) {
        io->need = whole;
        return STOA_OK;
    }
    if (header->has_block_checksum &&
        XXH32(io->in + 4, size, 0) != stoa_load_u32(io->in + 4 + size)) {
        return stoa_unpack_fail(&lz4->base, io, STOA_CORRUPT, "the checksum of a block is wrong",
                                err);
    }
    bool is_direct = io->out_size >= header->block_bytes_max;
    uint8_t *to = is_direct ? io->out : lz4->scratch + HISTORY_BYTES;
    size_t made = 0;
    STOA_TRY(unpack_block(lz4, io, io->in + 4, size, (head & BLOCK_IS_RAW) != 0, to, &made, err));
    stoa_unpack_took(io, whole);
    lz4->at.content_size += made;
    if (header->has_content_checksum) {
        (void)XXH32_update(&lz4->at.checksum, to, made);
    }
    if (is_direct) {
        remember(lz4, to, made);
        stoa_unpack_made(io, made);
        end_block(lz4, io);
        return STOA_OK;
    }
    lz4->pending_bytes = made;
    lz4->pending_taken = 0;
    lz4->place = PLACE_PENDING;
    return STOA_OK;
}

static void hand_out(struct lz4_unpacker *lz4, struct unpack_io *io) {
    const uint8_t *bytes = lz4->scratch + HISTORY_BYTES;
    size_t part = lz4->pending_bytes - lz4->pending_taken;
    part = part < io->out_size ? part : io->out_size;
    if (part > 0) {
        memcpy(io->out, bytes + lz4->pending_taken, part);
        stoa_unpack_made(io, part);
    }
    lz4->pending_taken += part;
    if (lz4->pending_taken == lz4->pending_bytes) {
        remember(lz4, bytes, lz4->pending_bytes);
        end_block(lz4, io);
    }
}

static stoa_status lz4_step(struct unpacker *unpacker, struct unpack_io *io, stoa_error *err) {
    struct lz4_unpacker *lz4 = (struct lz4_unpacker *)unpacker;
    switch (lz4->place) {
    case PLACE_HEADER: return io->in_size == 0 ? STOA_OK : read_header(lz4, io, err);
    case PLACE_SKIP: skip(lz4, io); return STOA_OK;
    case PLACE_BLOCK:
        STOA_TRY(read_block(lz4, io, err));
        if (lz4->place == PLACE_PENDING) {
            hand_out(lz4, io);
        }
        return STOA_OK;
    case PLACE_PENDING: hand_out(lz4, io); return STOA_OK;
    }
    return STOA_OK;
}

static stoa_status lz4_save(struct unpacker *unpacker, void **out, size_t *out_size,
                            stoa_error *err) {
    const struct lz4_unpacker *lz4 = (const struct lz4_unpacker *)unpacker;
    STOA_TRY(stoa_pool_allocate(unpacker->pool, sizeof lz4->at, out, err));
    memcpy(*out, &lz4->at, sizeof lz4->at);
    *out_size = sizeof lz4->at;
    return STOA_OK;
}

static void lz4_close(struct unpacker *unpacker) {
    struct lz4_unpacker *lz4 = (struct lz4_unpacker *)unpacker;
    stoa_pool_free(unpacker->pool, lz4->scratch, lz4->scratch_bytes);
}

const struct unpacker_kind stoa_unpack_lz4 = {
    .frame = "LZ4 frame",
    .state_bytes = sizeof(struct lz4_unpacker),
    .start = lz4_start,
    .step = lz4_step,
    .save = lz4_save,
    .close = lz4_close,
};
