/* Which of the two formats a file has, and the footer of the file format. */
#ifndef STOA_ARROW_IPC_FOOTER_H
#define STOA_ARROW_IPC_FOOTER_H

#include "arrow/ipc_message.h"

typedef struct stoa_ipc_block {
    uint64_t offset;
    uint64_t metadata_size; /* with the prefix */
    uint64_t body_size;
} stoa_ipc_block;

typedef struct stoa_ipc_footer {
    stoa_pool *pool;
    uint64_t offset;
    stoa_buffer bytes;
    stoa_flat_reader reader;
    stoa_flat_table schema;
    int16_t version;
    stoa_ipc_block *dictionaries;
    uint32_t dictionary_count;
    stoa_ipc_block *batches;
    uint32_t batch_count;
} stoa_ipc_footer;

void stoa_ipc_footer_init(stoa_ipc_footer *footer, stoa_pool *pool);
void stoa_ipc_footer_release(stoa_ipc_footer *footer);

/// Looks at the first bytes. A stream's are kept for its first message; behind a file's magic the
/// source stands at the first message.
///
/// Errors   STOA_UNSUPPORTED  Feather version 1
STOA_MUST_USE stoa_status stoa_ipc_detect(stoa_ipc_source *source, bool *out_file, stoa_error *err);

/// Reads the footer. Its blocks were checked to lie in front of it.
STOA_MUST_USE stoa_status stoa_ipc_footer_read(stoa_ipc_source *source, stoa_ipc_footer *out,
                                               stoa_error *err);

#endif
