/* A text file as blocks of whole records. A block lies in a file in memory, so that the engine can
 * read it by a path. */
#ifndef STOA_INGEST_TEXT_BLOCK_H
#define STOA_INGEST_TEXT_BLOCK_H

#include "ingest/cut_kernel.h"
#include "ingest/inputs.h"
#include "mem/buffer.h"

/// All-zero but for the pool is the released state.
typedef struct stoa_text_block {
    stoa_pool *pool;
    int descriptor;  /* of the file in memory, when `capacity` is not 0 */
    size_t capacity; /* mapped */
    size_t file_length;
    uint8_t *bytes;
    size_t size;
    int64_t first_line;  /* of the file, from 1 */
    uint64_t first_byte; /* of the unpacked file */
    bool is_first;
    stoa_reservation reservation;
} stoa_text_block;

/// Makes room for at least `capacity` bytes; what is there stays.
///
/// Errors   STOA_LIMIT, STOA_NO_MEMORY, STOA_IO (no file in memory can be made)
STOA_MUST_USE stoa_status stoa_text_block_reserve(stoa_text_block *block, size_t capacity,
                                                  stoa_error *err);
/// Makes the file as long as the block, so that its reader finds the end.
STOA_MUST_USE stoa_status stoa_text_block_seal(stoa_text_block *block, stoa_error *err);
void stoa_text_block_release(stoa_text_block *block);

/// Reads one file. All-zero is the released state.
typedef struct stoa_text_reader {
    stoa_file *file;
    const stoa_ingest_input *input;
    const stoa_context *context;
    stoa_ingest_cut cut;
    size_t block_bytes;
    size_t record_bytes_max;
    int64_t head_lines; /* before the first record: whatever they hold, they end where lines end */
    uint64_t offset;    /* of what is read next */
    int64_t line;       /* of the rest */
    stoa_buffer rest;   /* bytes that were read and lie behind the last cut */
    bool is_first;
    bool ended;
} stoa_text_reader;

enum { STOA_TEXT_BLOCK_BYTES = 4 << 20, STOA_TEXT_RECORD_BYTES_MAX = 64 << 20 };

/// Opens the file of `input`. `input` and `context` must outlive the reader.
STOA_MUST_USE stoa_status stoa_text_reader_open(stoa_fs_registry *registry,
                                                const stoa_ingest_input *input,
                                                const stoa_context *context, size_t block_bytes,
                                                stoa_text_reader *out, stoa_error *err);
/// The beginning of the file, in `block`: whole lines, at least `lines` of them or `bytes_max` bytes
/// or all there is. The reader stays where it is.
STOA_MUST_USE stoa_status stoa_text_reader_peek(stoa_text_reader *reader, int64_t lines,
                                                size_t bytes_max, stoa_text_block *block,
                                                stoa_error *err);
/// The next whole records, about `block_bytes` of them; `block->size` 0 at the end. The last record
/// may lack its end.
///
/// Errors   STOA_LIMIT  one record is longer than `record_bytes_max`, with its line
STOA_MUST_USE stoa_status stoa_text_reader_next(stoa_text_reader *reader, stoa_text_block *block,
                                                stoa_error *err);
void stoa_text_reader_release(stoa_text_reader *reader);

#endif
