/* The Arrow IPC stream and file formats.
 *
 * Source   Apache Arrow columnar format 1.5, "Serialization and Interprocess Communication (IPC)" */
#ifndef STOA_ARROW_IPC_H
#define STOA_ARROW_IPC_H

#include <stoa/arrow.h>

#include "mem/pool.h"
#include "vfs/vfs.h"

typedef enum stoa_ipc_format { STOA_IPC_STREAM, STOA_IPC_FILE } stoa_ipc_format;
typedef enum stoa_ipc_codec { STOA_IPC_NONE, STOA_IPC_LZ4, STOA_IPC_ZSTD } stoa_ipc_codec;

/// Opens either format, told apart by their first bytes, as a stream of batches. Dictionaries
/// arrive as dictionary-encoded arrays.
///
/// Errors   STOA_CORRUPT  a message does not verify; the error says at which byte of the file
/// Owns     The stream takes `file`, also on error.
STOA_MUST_USE stoa_status stoa_ipc_read(const stoa_context *context, stoa_file *file,
                                        struct ArrowArrayStream *out, stoa_error *err);

typedef struct stoa_ipc_writer stoa_ipc_writer;

typedef struct stoa_ipc_options {
    stoa_ipc_format format;
    stoa_ipc_codec codec;
} stoa_ipc_options;

/// Writes the schema. Borrows `file` (opened for sequential writes) until close.
STOA_MUST_USE stoa_status stoa_ipc_writer_create(const stoa_context *context, stoa_file *file,
                                                 const struct ArrowSchema *schema,
                                                 const stoa_ipc_options *options,
                                                 stoa_ipc_writer **out, stoa_error *err);
/// Writes one record batch, and before it the dictionaries that changed (stream: a replacement or
/// a delta; file: a delta, or STOA_INVALID when it is not an extension of the earlier one).
STOA_MUST_USE stoa_status stoa_ipc_writer_write(stoa_ipc_writer *writer,
                                                const struct ArrowArray *batch, stoa_error *err);
/// Writes the end mark, and the file format's footer. Does not sync.
STOA_MUST_USE stoa_status stoa_ipc_writer_finish(stoa_ipc_writer *writer, stoa_error *err);
void stoa_ipc_writer_close(stoa_ipc_writer *writer);

/// What a file holds, for `inspect`: format, codec, batch and row counts, byte offsets, as JSON.
STOA_MUST_USE stoa_status stoa_ipc_describe(const stoa_context *context, stoa_file *file,
                                            stoa_buffer *out_json, stoa_error *err);

#endif
