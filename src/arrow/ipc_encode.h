/* From arrays to the nodes and buffers of a record batch: the writing twin of ipc_batch.h. */
#ifndef STOA_ARROW_IPC_ENCODE_H
#define STOA_ARROW_IPC_ENCODE_H

#include <stoa/arrow.h>

#include "arrow/ipc_fields.h"
#include "codec/compress.h"
#include "mem/arena.h"

/* A run of bytes of the body: borrowed from an array, or in `compressed` where `data` is NULL. */
typedef struct stoa_ipc_piece {
    const uint8_t *data;
    size_t offset; /* in `compressed` */
    size_t size;
    size_t padding; /* zeros behind it */
} stoa_ipc_piece;

typedef struct stoa_ipc_encoder {
    stoa_pool *pool;
    stoa_codec *codec; /* borrowed; NULL for none */
    size_t alignment;
    stoa_arena scratch;   /* bitmaps and offsets that had to be moved */
    stoa_buffer nodes;    /* as they stand in the message */
    stoa_buffer buffers;  /* likewise */
    stoa_buffer variadic; /* int64 counts */
    stoa_buffer pieces;   /* stoa_ipc_piece */
    stoa_buffer compressed;
    uint64_t body_size;
} stoa_ipc_encoder;

void stoa_ipc_encoder_init(stoa_ipc_encoder *encoder, stoa_pool *pool, stoa_codec *codec,
                           size_t alignment);
void stoa_ipc_encoder_release(stoa_ipc_encoder *encoder);
/// Forgets the last batch and keeps the memory.
void stoa_ipc_encoder_clear(stoa_ipc_encoder *encoder);

/// Adds rows [offset, offset + length) of `array`, counted from the array's own offset. What it
/// adds is valid while the array is.
///
/// Errors   STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_ipc_encode(stoa_ipc_encoder *encoder, const stoa_ipc_field *field,
                                          const struct ArrowArray *array, int64_t offset,
                                          int64_t length, stoa_error *err);

#endif
