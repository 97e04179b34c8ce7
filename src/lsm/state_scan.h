/* Scans as programs ask for them, as Arrow streams. */
#ifndef STOA_LSM_STATE_SCAN_H
#define STOA_LSM_STATE_SCAN_H

#include <stoa/state.h>

#include "lsm/scan.h"

/// What stoa_state_scan does, of a reading that the caller chooses (`options->snapshot` is not looked
/// at).
///
/// Owns     The stream keeps a reference to the view; the reading's programs are borrowed until it is
///          released.
STOA_MUST_USE stoa_status stoa_view_scan_stream(const stoa_view_reading *reading,
                                                const stoa_context *context,
                                                const stoa_state_scan_options *options,
                                                struct ArrowArrayStream *out, stoa_error *err);

/// The same as an iterator.
STOA_MUST_USE stoa_status stoa_view_scan_iterator(const stoa_view_reading *reading,
                                                  const stoa_context *context,
                                                  const stoa_state_scan_options *options,
                                                  stoa_state_iterator **out, stoa_error *err);

#endif
