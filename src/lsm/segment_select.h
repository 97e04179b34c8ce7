/* Comparisons on segments as they lie: entries are compared once, packed numbers without being
 * unpacked. */
#ifndef STOA_LSM_SEGMENT_SELECT_H
#define STOA_LSM_SEGMENT_SELECT_H

#include "lsm/segment.h"
#include "schema/predicate.h"

/// Sets bit i of `bitmap` (stoa_bitmap_bytes(segment->count) bytes) exactly when value i makes the
/// comparison true, by the rules of schema/predicate.h. A segment has no nulls: the caller takes them out.
/// `field` is what the values are of, a primitive one; `leaf` compares it (null tests are the caller's).
///
/// Errors   STOA_INVALID, STOA_UNSUPPORTED  as stoa_predicate_select; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_segment_select(const stoa_segment *segment, const stoa_field *field,
                                              const stoa_predicate *leaf, stoa_pool *pool,
                                              uint8_t *bitmap, stoa_error *err);

#endif
