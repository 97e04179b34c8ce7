/* Messages of an IPC stream or file: where they begin, their metadata, and where their body lies. */
#ifndef STOA_ARROW_IPC_MESSAGE_H
#define STOA_ARROW_IPC_MESSAGE_H

#include <stoa/context.h>

#include "arrow/ipc_flatbuffer.h"
#include "mem/buffer.h"
#include "vfs/vfs.h"

/* The bytes that messages are read from. A pipe has no known size and is read in order. */
typedef struct stoa_ipc_source {
    stoa_context context;
    stoa_file *file;
    const uint8_t *map; /* the whole file, or NULL */
    uint64_t size;
    bool size_known;
    uint64_t position; /* of the next message, and for a pipe of the next byte */
    uint8_t peeked[4]; /* already read from `position` */
    size_t peeked_size;
} stoa_ipc_source;

typedef struct stoa_ipc_message {
    uint64_t offset; /* of its first byte */
    stoa_buffer metadata;
    stoa_flat_reader reader;
    stoa_flat_table header;
    stoa_flat_table table; /* the Message itself */
    uint8_t header_type;
    int16_t version;
    uint64_t body_offset;
    uint64_t body_size;
} stoa_ipc_message;

/// A file that is open for reading, or a pipe; `file` is borrowed.
STOA_MUST_USE stoa_status stoa_ipc_source_init(stoa_ipc_source *source, const stoa_context *context,
                                               stoa_file *file, bool map, stoa_error *err);

/// Fills `out` with `size` bytes at `offset`. A size that the file cannot hold is found before
/// memory is asked for; from a pipe, memory grows with what really comes.
///
/// Errors   STOA_CORRUPT  the file ends before
STOA_MUST_USE stoa_status stoa_ipc_source_read(stoa_ipc_source *source, uint64_t offset,
                                               uint64_t size, stoa_buffer *out, stoa_error *err);
/// Goes over `size` bytes without keeping them.
STOA_MUST_USE stoa_status stoa_ipc_source_skip(stoa_ipc_source *source, uint64_t offset,
                                               uint64_t size, stoa_error *err);

/// STOA_CORRUPT with file and offset in `err`.
stoa_status stoa_ipc_corrupt(const stoa_ipc_source *source, uint64_t offset, stoa_error *err,
                             const char *format, ...) STOA_PRINTF(4, 5);
/// Adds file and offset to a failure that has none yet; what other modules call a wrong request is
/// a corrupt file here. Returns the status that the failure has then.
stoa_status stoa_ipc_locate(const stoa_ipc_source *source, uint64_t offset, stoa_status status,
                            stoa_error *err);
/// The fault of a FlatBuffer at `offset`, if it met one.
STOA_MUST_USE stoa_status stoa_ipc_check_reader(const stoa_ipc_source *source, uint64_t offset,
                                                const stoa_flat_reader *reader, stoa_error *err);

/// Reads the message at `source->position` and moves behind its metadata; the body follows there.
/// `*out_end` says that the stream ends here: an end mark, or no more bytes.
///
/// Owns     The caller releases `out` (also after an error).
STOA_MUST_USE stoa_status stoa_ipc_message_read(stoa_ipc_source *source, stoa_ipc_message *out,
                                                bool *out_end, stoa_error *err);
void stoa_ipc_message_release(stoa_ipc_message *message);

/// "V4" and the like, for messages and JSON.
STOA_MUST_USE stoa_status stoa_ipc_version_check(const stoa_ipc_source *source, uint64_t offset,
                                                 int16_t version, stoa_error *err);

#endif
