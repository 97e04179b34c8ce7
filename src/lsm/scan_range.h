/* The keys that a predicate leaves: so that a scan goes straight to them. */
#ifndef STOA_LSM_SCAN_RANGE_H
#define STOA_LSM_SCAN_RANGE_H

#include "lsm/key.h"
#include "lsm/range_set.h"

/// A range that holds the keys of all rows that the predicate (NULL: every row) may take, and perhaps
/// others. Comparisons of the key's first columns count that are all of the predicate, or joined by AND.
///
/// Owns     The bytes are put into `bytes`, in place of what it held: those of `to`, then those of
///          `from`. The range borrows them.
STOA_MUST_USE stoa_status stoa_key_range_of_predicate(const stoa_key_format *format,
                                                      const stoa_predicate *predicate,
                                                      stoa_buffer *bytes, stoa_key_range *out,
                                                      stoa_error *err);

#endif
