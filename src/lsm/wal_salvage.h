/* Reading a damaged log: every record that is whole, wherever it stands. */
#ifndef STOA_LSM_WAL_SALVAGE_H
#define STOA_LSM_WAL_SALVAGE_H

#include "lsm/wal.h"

/* A part of the log that holds no whole record though others follow it, or that is not readable. */
typedef struct stoa_wal_gap {
    uint64_t segment;
    uint64_t from; /* bytes of the segment; both 0: the segment is missing */
    uint64_t to;
} stoa_wal_gap;

/// Called for each gap before the records behind it. `damage` says which it is, and is the callee's to
/// change.
typedef void (*stoa_wal_gap_function)(void *user, const stoa_wal_gap *gap, stoa_error *damage);

/// Gives the whole records from `first_segment` on (0: from the first there is), in order, and the gaps
/// between them. Whether the end of the log is one is not judged: what begins there and is not whole is
/// told as a gap. Of `options`, context, file systems and directory are used.
///
/// Errors   STOA_UNSUPPORTED  a newer format; STOA_CORRUPT  a file with a number that no segment has;
///          STOA_IO, STOA_NO_MEMORY, and what `replay` answers
STOA_MUST_USE stoa_status stoa_wal_salvage(const stoa_wal_options *options, uint64_t first_segment,
                                           stoa_wal_replay replay, stoa_wal_gap_function gap,
                                           void *user, stoa_error *err);

#endif
