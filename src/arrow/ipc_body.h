/* The body of one record batch: its nodes and buffers, decompressed, held by a counted owner. */
#ifndef STOA_ARROW_IPC_BODY_H
#define STOA_ARROW_IPC_BODY_H

#include "arrow/ipc_message.h"
#include "arrow/owner.h"
#include "codec/compress.h"
#include "mem/arena.h"

typedef struct stoa_ipc_node {
    int64_t length;
    int64_t null_count;
} stoa_ipc_node;

typedef struct stoa_ipc_slice {
    const uint8_t *data; /* never NULL */
    uint64_t size;
} stoa_ipc_slice;

/* What one RecordBatch message holds, in the order of the format. It lives as long as its keeper,
 * and so does every array that was assembled from it. */
typedef struct stoa_ipc_body {
    stoa_pool *pool;
    stoa_keeper *keeper;
    stoa_keeper *file; /* of a mapped file, where the body points into it */
    stoa_arena arena;  /* nodes, buffers, counts */
    stoa_buffer raw;   /* the body as it stood in the file, where something points into it */
    stoa_buffer decoded;
    uint64_t offset; /* of the message, for errors */
    int16_t version;
    int64_t length;
    stoa_ipc_node *nodes;
    uint32_t node_count;
    stoa_ipc_slice *buffers;
    uint32_t buffer_count;
    int64_t *variadic_counts;
    uint32_t variadic_count;
} stoa_ipc_body;

/* Codecs of one reader, made when first needed. */
typedef struct stoa_ipc_codecs {
    stoa_codec *lz4;
    stoa_codec *zstd;
} stoa_ipc_codecs;

void stoa_ipc_codecs_release(stoa_ipc_codecs *codecs);

/// Memory that may be read where a buffer is empty; zeros.
enum { IPC_EMPTY_BYTES = 64 };
extern const uint8_t stoa_ipc_empty[IPC_EMPTY_BYTES];

/// Reads the body of `message`, which is described by the RecordBatch table `batch`, and moves
/// `source->position` behind it. `file` keeps a mapped file; NULL where there is none.
///
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED  an unknown compression
///          STOA_LIMIT, STOA_NO_MEMORY, STOA_IO
/// Owns     The caller releases (*out)->keeper.
STOA_MUST_USE stoa_status stoa_ipc_body_read(stoa_ipc_source *source,
                                             const stoa_ipc_message *message, stoa_flat_table batch,
                                             stoa_keeper *file, stoa_ipc_codecs *codecs,
                                             stoa_ipc_body **out, stoa_error *err);

/// `slice` at an address that is a multiple of `alignment`, copied when it must be.
STOA_MUST_USE stoa_status stoa_ipc_body_align(stoa_ipc_body *body, stoa_ipc_slice *slice,
                                              size_t alignment, stoa_error *err);

#endif
