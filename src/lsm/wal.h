/* The write-ahead log: records in segments of a fixed size that are allocated ahead, mapped, and used
 * again. docs/formats/wal.md says which bytes a record has and what reading it believes.
 *
 *     stoa_wal_open(&options, first_segment, replay, user, &log, &err);      each record that is there
 *     stoa_wal_append(log, &record, &end, &err);                             under the commit lock
 *     stoa_wal_sync(log, end, &err);                                         without any lock
 *     stoa_wal_release(log, segment, &err);          segments below are not needed any more: recycled */
#ifndef STOA_LSM_WAL_H
#define STOA_LSM_WAL_H

#include <stoa/context.h>

#include "vfs/vfs.h"

typedef struct stoa_wal stoa_wal;

/* A place in the log: what was appended ends before it. Grows. */
typedef struct stoa_wal_position {
    uint64_t segment;
    uint64_t offset;
} stoa_wal_position;

typedef struct stoa_wal_options {
    stoa_context context;
    stoa_fs_registry *file_systems;
    const char *directory; /* that its segments lie in, as "%016" PRIx64 ".log" */
    size_t segment_bytes;  /* 0: 32 MiB; the first segments of a new log are smaller */
    const char *boot;      /* names the machine's run since it was last started; NULL: ask it */
    bool read_only;        /* nothing is changed; may be read while somebody writes */
} stoa_wal_options;

/// Called for each whole record, in order. `payload` is valid during the call.
typedef stoa_status (*stoa_wal_replay)(void *user, stoa_wal_position end, const uint8_t *payload,
                                       size_t size, stoa_error *err);

/// Opens the log of a directory and gives what it holds from `first_segment` on. A torn tail is cut.
///
/// Errors   STOA_CORRUPT  a record that was whole once is damaged: with segment and byte
///          STOA_UNSUPPORTED  a newer format, or a file system without writable maps
///          STOA_CONFLICT     read-only: segments were released meanwhile; see stoa_wal_follow
///          STOA_IO, STOA_NO_MEMORY, and what `replay` answers
/// Owns     `options` is copied, texts too. The caller closes it.
STOA_MUST_USE stoa_status stoa_wal_open(const stoa_wal_options *options, uint64_t first_segment,
                                        stoa_wal_replay replay, void *user, stoa_wal **out,
                                        stoa_error *err);
/// A read-only log: what was added since it was opened or followed last. Who knows that segments are
/// not needed any more which it has not read to their end opens the log again: they may be gone.
///
/// Errors   STOA_CONFLICT  a segment was released before all of it was read: open again, from the first
///                         one that is needed now
///          STOA_CORRUPT, STOA_IO, STOA_NO_MEMORY, and what `replay` answers
/// Threads  One at a time.
STOA_MUST_USE stoa_status stoa_wal_follow(stoa_wal *log, stoa_wal_replay replay, void *user,
                                          stoa_error *err);
/// Does not sync. NULL is allowed.
void stoa_wal_close(stoa_wal *log);

/// Room for one record of `size` bytes, which the caller fills before stoa_wal_commit: so that a record
/// is encoded where it will lie. Only one is open at a time; one that is not committed is given up by the
/// next.
///
/// Errors   STOA_LIMIT  more than a segment may hold (1 GiB); larger ones than segment_bytes get a
///                      segment of their own
///          STOA_IO     no space: nothing changed, the next one tries again
/// Threads  One at a time, with stoa_wal_commit and stoa_wal_rotate.
STOA_MUST_USE stoa_status stoa_wal_reserve(stoa_wal *log, size_t size, uint8_t **out,
                                           stoa_error *err);
/// Ends the record (its checksum) and gives its end. From here on it survives the process.
stoa_wal_position stoa_wal_commit(stoa_wal *log);
/// The next record goes into a new segment, whose number it gives: what was logged so far lies below. The
/// segment is begun with that record.
STOA_MUST_USE stoa_status stoa_wal_rotate(stoa_wal *log, uint64_t *out_segment, stoa_error *err);

/// Returns when all up to `position` survives the machine. Who waits at the same time is one group;
/// two syncs may be in flight.
///
/// Errors   STOA_IO  the sync failed; the log refuses everything from then on
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_wal_sync(stoa_wal *log, stoa_wal_position position, stoa_error *err);
/// The end of what was committed last.
stoa_wal_position stoa_wal_end(const stoa_wal *log);

/// Segments below `segment` are not needed any more, and no later open asks for them. Any thread; not
/// under the commit lock.
///
/// Errors   STOA_IO  a file that nobody needs could not be removed; the next open tries again
STOA_MUST_USE stoa_status stoa_wal_release(stoa_wal *log, uint64_t segment, stoa_error *err);
/// Whether it is time for stoa_wal_prepare: for a look after each commit. Any thread.
bool stoa_wal_wants_prepare(const stoa_wal *log);
/// Makes ready what the next appends need: memory of the segment, a few MiB ahead of its end, and the
/// next segment where it is not; so that no append waits. Any thread; takes milliseconds, and is to run
/// in the background.
///
/// Errors   STOA_IO  no space; nothing changed
STOA_MUST_USE stoa_status stoa_wal_prepare(stoa_wal *log, stoa_error *err);

typedef struct stoa_wal_figures {
    uint64_t records;
    uint64_t bytes;
    uint64_t syncs;
    uint64_t sync_ns;       /* of all */
    uint64_t segments_made; /* new ones */
    uint64_t segments_reused;
    uint64_t waits; /* appends for which no segment was ready */
} stoa_wal_figures;
void stoa_wal_figures_of(const stoa_wal *log, stoa_wal_figures *out);

#endif
