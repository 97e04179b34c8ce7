/* Reading one segment of the log, while somebody may be writing it. */
#ifndef STOA_LSM_WAL_READ_H
#define STOA_LSM_WAL_READ_H

#include "lsm/wal_format.h"

typedef struct stoa_wal_reader {
    stoa_file *file; /* NULL: none is open */
    uint64_t number;
    uint64_t file_bytes;
    uint64_t offset; /* of the next record */
    bool has_begun;  /* the header is this segment's; nothing else is read without */
    bool may_be_torn; /* after STOA_CORRUPT: `header` may be parts of two, and no record is behind it */
    stoa_wal_header header;
    stoa_buffer window; /* bytes of the file from `window_at` on */
    uint64_t window_at;
} stoa_wal_reader;

typedef enum stoa_wal_found {
    STOA_WAL_FOUND_NOTHING, /* no record that is whole */
    STOA_WAL_FOUND_RECORD,
    STOA_WAL_FOUND_END
} stoa_wal_found;

typedef struct stoa_wal_record {
    const uint8_t *payload; /* valid until the reader is used again */
    size_t size;
    uint64_t end; /* offset of what follows */
    uint64_t durable;
} stoa_wal_record;

/* What there is behind the place where reading stopped. */
typedef struct stoa_wal_evidence {
    uint64_t records;     /* whole ones */
    uint64_t bytes;       /* of these */
    uint64_t first;       /* packed position of the first of them */
    uint64_t durable_max; /* the highest of what they state */
} stoa_wal_evidence;

/// The numbers of the segments in a directory (uint64_t, growing), behind what `numbers` has.
///
/// Errors   STOA_CORRUPT  a number that no segment can have
STOA_MUST_USE stoa_status stoa_wal_list(const stoa_context *context, stoa_fs_registry *file_systems,
                                        const char *directory, stoa_buffer *numbers,
                                        stoa_error *err);

/// The URI of a segment, from `pool`.
STOA_MUST_USE stoa_status stoa_wal_uri(stoa_pool *pool, const char *directory, uint64_t number,
                                       char **out, stoa_error *err);

/// Errors   STOA_NOT_FOUND; STOA_CORRUPT  the header is damaged; STOA_UNSUPPORTED  a newer format;
///          STOA_CONFLICT  the file is about to be a later segment
STOA_MUST_USE stoa_status stoa_wal_reader_open(stoa_wal_reader *reader, const stoa_context *context,
                                               stoa_fs_registry *file_systems,
                                               const char *directory, uint64_t number,
                                               stoa_error *err);
void stoa_wal_reader_close(stoa_wal_reader *reader);

/// Forgets what was read ahead.
void stoa_wal_reader_refresh(stoa_wal_reader *reader);

/// The record at the reader's offset, and moves behind it when there is one.
STOA_MUST_USE stoa_status stoa_wal_reader_next(stoa_wal_reader *reader, stoa_wal_found *out,
                                               stoa_wal_record *record, stoa_error *err);

/// Whether the first 8 bytes at the reader's offset are not zero (`*out_stored`), and, where a head of
/// this segment stands there, how many bytes its record has (else 0).
STOA_MUST_USE stoa_status stoa_wal_reader_look(stoa_wal_reader *reader, bool *out_stored,
                                               uint64_t *out_bytes, stoa_error *err);

/* How many bytes of what only may be records are looked at, so that an answer comes in bounded time whatever
 * stands there. */
static inline uint64_t stoa_wal_reader_budget(const stoa_wal_reader *reader) {
    return reader->header.bytes * 16;
}
/// Moves to the next whole record behind the reader's offset, or, when there is none, not.
STOA_MUST_USE stoa_status stoa_wal_reader_skip(stoa_wal_reader *reader, uint64_t *budget,
                                               bool *out_found, stoa_error *err);

/// Adds the whole records at any place behind `from`.
STOA_MUST_USE stoa_status stoa_wal_reader_scan(stoa_wal_reader *reader, uint64_t from,
                                               stoa_wal_evidence *evidence, stoa_error *err);

#endif
