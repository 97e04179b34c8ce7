/* Rows of stripes as batches, at little cost: those of several windows go one behind the other into one
 * block of memory (lsm/scan_block.h), all of a window's or those whose bit is set.
 *
 *     stoa_flat_append(flat, &rows, &err);                              again and again
 *     stoa_flat_finish(flat, &batch); */
#ifndef STOA_LSM_SCAN_FLAT_H
#define STOA_LSM_SCAN_FLAT_H

#include "lsm/run.h"

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

/* Rows of a window: those of [first, first + count) whose bit is set. */
typedef struct stoa_flat_rows {
    const stoa_run_window *window;
    int64_t first;
    int64_t count;       /* at most STOA_STRIPE_ROWS */
    const uint8_t *bits; /* bit i: row first + i, those behind the last are zero; NULL: all */
    int64_t chosen;      /* how many are set; 1 or more */
} stoa_flat_rows;

/// Adds rows to the batch that is being made, in canonical layout.
///
/// Errors   STOA_CORRUPT (with file and stripe), STOA_IO, STOA_LIMIT, STOA_NO_MEMORY; the batch can only be
///          dropped then
/// Threads  One at a time; batches may be released by any.
STOA_MUST_USE stoa_status stoa_flat_append(stoa_flat *flat, const stoa_flat_rows *rows,
                                           stoa_error *err);
int64_t stoa_flat_row_count(const stoa_flat *flat);
/// The rows that were added, one or more. Its columns may be moved out of it.
void stoa_flat_finish(stoa_flat *flat, struct ArrowArray *out);
/// Forgets what was added.
void stoa_flat_drop(stoa_flat *flat);

#endif
