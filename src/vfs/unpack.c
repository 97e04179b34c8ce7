/* What all decoders of compressed files share: making them, the memory of their libraries, words. */
#include "vfs/unpack.h"

#include <string.h>

#include "base/checked.h"

enum { LIBRARY_HEADER_BYTES = STOA_ALIGNMENT_BYTES }; /* holds the size, keeps the alignment */

void *stoa_unpack_allocate(void *user, size_t size) {
    struct unpacker *unpacker = user;
    size_t whole;
    void *memory = NULL;
    if (!stoa_add_size(size, LIBRARY_HEADER_BYTES, &whole) ||
        whole > STOA_UNPACK_MEMORY_MAX - unpacker->used) {
        (void)stoa_fail(&unpacker->denied, STOA_LIMIT,
                        "it takes more than the %d MiB that unpacking may use",
                        STOA_UNPACK_MEMORY_MAX >> 20);
        return NULL;
    }
    if (stoa_pool_allocate(unpacker->pool, whole, &memory, &unpacker->denied) != STOA_OK) {
        return NULL;
    }
    unpacker->used += whole;
    memcpy(memory, &whole, sizeof whole);
    return (uint8_t *)memory + LIBRARY_HEADER_BYTES;
}

void stoa_unpack_free(void *user, void *memory) {
    struct unpacker *unpacker = user;
    if (memory == NULL) {
        return;
    }
    uint8_t *block = (uint8_t *)memory - LIBRARY_HEADER_BYTES;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    unpacker->used -= whole;
    stoa_pool_free(unpacker->pool, block, whole);
}

stoa_status stoa_unpack_fail(struct unpacker *unpacker, const struct unpack_io *io,
                             stoa_status status, const char *words, stoa_error *err) {
    if (unpacker->denied.status != STOA_OK) {
        status = unpacker->denied.status;
        if (err != NULL) {
            *err = unpacker->denied;
        }
        stoa_error_clear(&unpacker->denied);
    } else {
        (void)stoa_fail(err, status, "%s", words);
    }
    stoa_wrap(err, "%s at packed byte %" PRIu64 ", near byte %" PRIu64, unpacker->kind->frame,
              unpacker->frame_offset, io->in_offset);
    return status;
}

void stoa_unpack_frame_end(struct unpacker *unpacker, struct unpack_io *io) {
    unpacker->between = true;
    unpacker->frame_count++;
    unpacker->frame_offset = io->in_offset;
    io->stop = UNPACK_FRAME;
}

stoa_status stoa_unpacker_create(stoa_pool *pool, stoa_packing packing, struct unpacker **out,
                                 stoa_error *err) {
    static const struct unpacker_kind *const kinds[] = {
        [STOA_PACKING_GZIP] = &stoa_unpack_gzip, [STOA_PACKING_ZSTD] = &stoa_unpack_zstd,
        [STOA_PACKING_LZ4] = &stoa_unpack_lz4,   [STOA_PACKING_BZIP2] = &stoa_unpack_bzip2,
        [STOA_PACKING_XZ] = &stoa_unpack_xz,
    };
    const struct unpacker_kind *kind = kinds[packing];
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, kind->state_bytes, &memory, err));
    struct unpacker *unpacker = memory;
    unpacker->kind = kind;
    unpacker->pool = pool;
    *out = unpacker;
    return STOA_OK;
}

void stoa_unpacker_close(struct unpacker *unpacker) {
    if (unpacker == NULL) {
        return;
    }
    unpacker->kind->close(unpacker);
    STOA_ASSERT(unpacker->used == 0);
    stoa_pool_free(unpacker->pool, unpacker, unpacker->kind->state_bytes);
}
