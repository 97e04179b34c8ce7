/* The beginning of an IPC stream or file: which of the two it is, and its schema. */
#ifndef STOA_ARROW_IPC_OPEN_H
#define STOA_ARROW_IPC_OPEN_H

#include "arrow/ipc_fields.h"
#include "arrow/ipc_footer.h"

typedef struct stoa_ipc_opening {
    bool file;      /* the file format */
    bool by_footer; /* and its footer was read; otherwise messages follow in order */
    uint64_t schema_offset;
    int16_t version;
    struct ArrowSchema schema;
    stoa_ipc_ids ids; /* of the dictionaries */
    stoa_ipc_footer footer;
} stoa_ipc_opening;

void stoa_ipc_opening_init(stoa_ipc_opening *opening, stoa_pool *pool);
void stoa_ipc_opening_release(stoa_ipc_opening *opening);

/// Reads up to the first message behind the schema, or the footer. Ids go into `arena`.
STOA_MUST_USE stoa_status stoa_ipc_open(stoa_ipc_source *source, stoa_arena *arena,
                                        stoa_ipc_opening *out, stoa_error *err);

/// STOA_CORRUPT, or STOA_UNSUPPORTED for tensors: `message` is not what stands here.
stoa_status stoa_ipc_unexpected(const stoa_ipc_source *source, const stoa_ipc_message *message,
                                const char *expected, stoa_error *err);

#endif
