/* Schemas between the C data interface and the FlatBuffers of the IPC format. */
#ifndef STOA_ARROW_IPC_SCHEMA_H
#define STOA_ARROW_IPC_SCHEMA_H

#include <stoa/arrow.h>

#include "arrow/ipc_fields.h"
#include "arrow/ipc_flatbuffer.h"
#include "mem/buffer.h"

/// Reads a Schema table. The ids of its dictionaries go into `arena`.
///
/// Errors   STOA_CORRUPT, STOA_UNSUPPORTED  big-endian data, a type from the future (named)
/// Owns     The caller releases `out`.
STOA_MUST_USE stoa_status stoa_ipc_schema_read(stoa_pool *pool, stoa_arena *arena,
                                               stoa_flat_table table, struct ArrowSchema *out,
                                               stoa_ipc_ids *out_ids, stoa_error *err);

/// Appends a Schema table, referred to from `referrer`.
STOA_MUST_USE stoa_status stoa_ipc_schema_write(const stoa_ipc_field *root, stoa_buffer *out,
                                                uint32_t referrer, stoa_error *err);

#endif
