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
