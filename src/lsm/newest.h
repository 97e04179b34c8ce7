/* The newest change of a key: what optimistic transactions compare with what they have read. */
#ifndef STOA_LSM_NEWEST_H
#define STOA_LSM_NEWEST_H

#include "lsm/view.h"

/// A sequence number above `after` of the key's versions, deletions among them, or of the
/// ranges of deletions that hold it; 0 where nothing is newer. Files that hold nothing newer are not
/// touched, so that it costs a look into each memtable as long as `after` is young. Answers at the
/// first find. `key` is as stoa_key_encode gives it.
///
/// Errors   STOA_CORRUPT, STOA_NO_MEMORY
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_state_view_newer(const stoa_state_view *view, const uint8_t *key,
                                                size_t size, uint64_t after, uint64_t *out,
                                                stoa_error *err);

#endif
