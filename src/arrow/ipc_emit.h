/* Sending messages to a file: metadata built, prefixed, padded, and the body behind it. */
#ifndef STOA_ARROW_IPC_EMIT_H
#define STOA_ARROW_IPC_EMIT_H

#include "arrow/ipc_encode.h"
#include "arrow/ipc_footer.h"
#include "vfs/vfs.h"

typedef struct stoa_ipc_emitter {
    stoa_file *file;   /* borrowed */
    uint64_t position; /* bytes written so far */
    size_t alignment;
    stoa_buffer metadata; /* scratch */
} stoa_ipc_emitter;

/// What a dictionary message says beside its values; NULL stands for a record batch.
typedef struct stoa_ipc_dictionary_head {
    int64_t id;
    bool delta;
} stoa_ipc_dictionary_head;

STOA_MUST_USE stoa_status stoa_ipc_emit_magic(stoa_ipc_emitter *emitter, stoa_error *err);
STOA_MUST_USE stoa_status stoa_ipc_emit_schema(stoa_ipc_emitter *emitter,
                                               const stoa_ipc_field *root, stoa_error *err);
/// Sends what `encoder` holds; `out` is where it stands, for the footer.
STOA_MUST_USE stoa_status stoa_ipc_emit_batch(stoa_ipc_emitter *emitter,
                                              const stoa_ipc_encoder *encoder, int64_t length,
                                              const stoa_ipc_dictionary_head *dictionary,
                                              stoa_ipc_block *out, stoa_error *err);
STOA_MUST_USE stoa_status stoa_ipc_emit_end(stoa_ipc_emitter *emitter, stoa_error *err);
/// `dictionaries` and `batches` hold stoa_ipc_block.
STOA_MUST_USE stoa_status stoa_ipc_emit_footer(stoa_ipc_emitter *emitter,
                                               const stoa_ipc_field *root,
                                               const stoa_buffer *dictionaries,
                                               const stoa_buffer *batches, stoa_error *err);

#endif
