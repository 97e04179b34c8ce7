/* Files read from the beginning to an end, through one buffer: copied, hashed, or both. */
#include "vfs/vfs.h"

enum { PIECE_BYTES = 1 << 20 };

static stoa_status copy_pieces(stoa_file *from, uint64_t size, stoa_file *to,
                               const stoa_context *context, stoa_hash_stream *hash, void *buffer,
                               stoa_error *err) {
    for (uint64_t at = 0; at < size;) {
        const size_t piece = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
        STOA_TRY(stoa_cancel_check(context->cancel, err));
        STOA_TRY(stoa_file_read(from, at, buffer, piece, err));
        if (hash != NULL) {
            stoa_hash_stream_update(hash, buffer, piece);
        }
        if (to != NULL) {
            STOA_TRY(stoa_file_write(to, buffer, piece, err));
        }
        at += piece;
    }
    return STOA_OK;
}

stoa_status stoa_file_copy(stoa_file *from, uint64_t size, stoa_file *to,
                           const stoa_context *context, stoa_hash_stream *hash, stoa_error *err) {
    void *buffer = NULL;
    STOA_TRY(stoa_pool_allocate(context->pool, PIECE_BYTES, &buffer, err));
    const stoa_status status = copy_pieces(from, size, to, context, hash, buffer, err);
    stoa_pool_free(context->pool, buffer, PIECE_BYTES);
    return status;
}

stoa_status stoa_vfs_copy(stoa_fs_registry *registry, const char *from, const char *to,
                          const stoa_context *context, stoa_error *err) {
    stoa_file *source = NULL, *target = NULL;
    uint64_t size = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(registry, from, STOA_OPEN_READ, context, &source, err));
    STOA_CHECK(stoa_vfs_open(registry, to, STOA_OPEN_CREATE, context, &target, err));
    STOA_CHECK(stoa_file_size(source, &size, err));
    STOA_CHECK(stoa_file_copy(source, size, target, context, NULL, err));
    STOA_CHECK(stoa_file_sync(target, err));

done:
    stoa_file_close(source);
    stoa_file_close(target);
    return status;
}

stoa_status stoa_vfs_link_or_copy(stoa_fs_registry *registry, const char *from, const char *to,
                                  const stoa_context *context, stoa_error *err) {
    const stoa_status status = stoa_vfs_link(registry, from, to, context, err);
    if (status != STOA_UNSUPPORTED) {
        return status;
    }
    stoa_error_clear(err);
    return stoa_vfs_copy(registry, from, to, context, err);
}
