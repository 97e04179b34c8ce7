/* Batches of rows that follow each other in a stripe, at little cost. All columns of a batch lie in one
 * block of memory, which the scan fills again when whoever had the batch has released it. */
#ifndef STOA_LSM_SCAN_FLAT_H
#define STOA_LSM_SCAN_FLAT_H

#include "lsm/run.h"

enum { STOA_FLAT_ROWS_MAX = STOA_STRIPE_ROWS };

typedef struct stoa_flat stoa_flat;

/// For columns of the layout's schema, which are copied; `*out` is NULL where one of them is nested, or
/// of a key that is no number.
STOA_MUST_USE stoa_status stoa_flat_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                           const int32_t *columns, int32_t column_count,
                                           stoa_flat **out, stoa_error *err);
/// Batches stay valid. NULL is allowed.
void stoa_flat_close(stoa_flat *flat);

/// Whether the window's rows can be read so: they lie in a file of the layout's schema.
bool stoa_flat_takes(const stoa_run_window *window);

/// Asks for the memory of the next rows of a stripe, where it was read before.
void stoa_flat_prefetch(const stoa_flat *flat, const stoa_stripe *stripe, uint32_t row);

/// Rows [first, first + count) of a window, 1 to STOA_FLAT_ROWS_MAX, as a batch in canonical layout. Its
/// columns may be moved out of it.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
/// Threads  One at a time; batches may be released by any.
STOA_MUST_USE stoa_status stoa_flat_read(stoa_flat *flat, const stoa_run_window *window,
                                         int64_t first, int64_t count, struct ArrowArray *out,
                                         stoa_error *err);

#endif
