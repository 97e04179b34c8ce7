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
/// arrive as dictionary-encoded arrays. Every batch was validated in full before it comes out, and
/// its buffers are those of the message: nothing is copied but what was compressed or misaligned.
///
/// Shape    One batch and the dictionaries are in memory at a time. The file format is read by its
///          footer; from a pipe, as the stream that it contains.
/// Errors   STOA_CORRUPT      a message does not verify; the error says at which byte of the file
///          STOA_UNSUPPORTED  big-endian data, metadata before V4, tensors, list views (named)
///          STOA_LIMIT, STOA_NO_MEMORY, STOA_IO, STOA_CANCELLED
/// Owns     The stream takes `file`, also on error. Batches may outlive the stream.
STOA_MUST_USE stoa_status stoa_ipc_read(const stoa_context *context, stoa_file *file,
                                        struct ArrowArrayStream *out, stoa_error *err);

/// The same out of the mapped file, where the file system can map: buffers point into the file,
/// which stays open until the last batch is released. For files that nobody changes meanwhile: of
/// one that is rewritten, batches change that were validated; one that is cut short reads as zeros
/// there, and the next call of the stream is STOA_IO, at its end too. So a batch may be believed
/// only when the call after it has succeeded.
STOA_MUST_USE stoa_status stoa_ipc_read_mapped(const stoa_context *context, stoa_file *file,
                                               struct ArrowArrayStream *out, stoa_error *err);

typedef struct stoa_ipc_writer stoa_ipc_writer;

/* All-zero is a stream, not compressed. */
typedef struct stoa_ipc_options {
    stoa_ipc_format format;
    stoa_ipc_codec codec;
    int codec_level;          /* the library's; 0 is the usual one */
    uint32_t alignment_bytes; /* of buffers: 8, 16, 32 or 64; 0 is 64 */
} stoa_ipc_options;

/// Writes the schema. Borrows `file` (opened for sequential writes) until close, and keeps a copy
/// of `schema`.
///
/// Errors   STOA_INVALID      a wrong format, option or level
///          STOA_UNSUPPORTED  a type that IPC cannot carry (named)
///          STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_ipc_writer_create(const stoa_context *context, stoa_file *file,
                                                 const struct ArrowSchema *schema,
                                                 const stoa_ipc_options *options,
                                                 stoa_ipc_writer **out, stoa_error *err);
/// Writes one record batch, and before it the dictionaries that changed (stream: a replacement or
/// a delta; file: a delta, or STOA_INVALID when it is not an extension of the earlier one). A
/// dictionary counts as unchanged when its values are equal, wherever they lie.
///
/// Errors   STOA_INVALID  the batch does not fit the schema
///          STOA_IO, STOA_LIMIT, STOA_NO_MEMORY; after an error only close may follow
STOA_MUST_USE stoa_status stoa_ipc_writer_write(stoa_ipc_writer *writer,
                                                const struct ArrowArray *batch, stoa_error *err);
/// Writes the end mark, and the file format's footer. Does not sync.
STOA_MUST_USE stoa_status stoa_ipc_writer_finish(stoa_ipc_writer *writer, stoa_error *err);
void stoa_ipc_writer_close(stoa_ipc_writer *writer);

/// What a file holds, for `inspect`: format, codec, batch and row counts, byte offsets, as JSON.
/// Bodies are not read. Borrows `file`.
STOA_MUST_USE stoa_status stoa_ipc_describe(const stoa_context *context, stoa_file *file,
                                            stoa_buffer *out_json, stoa_error *err);

#endif
