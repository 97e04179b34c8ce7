/* Gathering: rows of several windows, in a given order, become columns of one batch.
 *
 * Rows are listed first, then made into columns one by one: those that decide which rows stay, then the
 * others for the rows that are left. Rows of a window are listed in growing order, each at most once.
 *
 *     stoa_gather_create(pool, layout, &gather, &err);
 *     stoa_gather_add_window(gather, window, first, count, &err);      again and again
 *     stoa_gather_finish_rows(gather, &err);
 *     stoa_gather_column(gather, pool, column, &array, &err);          any of them
 *     stoa_gather_clear(gather); */
#ifndef STOA_LSM_GATHER_H
#define STOA_LSM_GATHER_H

#include "lsm/run.h"

typedef struct stoa_gather stoa_gather;

/// Borrows the layout.
STOA_MUST_USE stoa_status stoa_gather_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                             stoa_gather **out, stoa_error *err);
/// NULL is allowed.
void stoa_gather_close(stoa_gather *gather);
/// No rows; memory is kept for the next ones.
void stoa_gather_clear(stoa_gather *gather);

/// Appends rows [first, first + count) of a window, which is retained.
STOA_MUST_USE stoa_status stoa_gather_add_window(stoa_gather *gather, stoa_run_window *window,
                                                 int64_t first, int64_t count, stoa_error *err);

/// Adds rows that lie in no window (merged operands): the batch in the schema's canonical layout, with
/// their keys, sequences and operations, which are copied. Takes the batch, also on error. Its rows
/// are put in their places by stoa_gather_add_batch_rows, with the number that it gives.
STOA_MUST_USE stoa_status stoa_gather_add_batch(stoa_gather *gather, struct ArrowArray *batch,
                                                const stoa_keys_view *keys,
                                                const uint64_t *sequences,
                                                const uint8_t *operations, int32_t *out_number,
                                                stoa_error *err);
/// Appends rows of a batch.
STOA_MUST_USE stoa_status stoa_gather_add_batch_rows(stoa_gather *gather, int32_t number,
                                                     int64_t first, int64_t count, stoa_error *err);

int64_t stoa_gather_row_count(const stoa_gather *gather);

/// The one window that all rows are of, where they follow each other in it from `*out_first` on; else
/// NULL. Borrowed from the gathering.
stoa_run_window *stoa_gather_slice(const stoa_gather *gather, int64_t *out_first);

/// Ends the list. Afterwards what follows may be called from any number of threads at once.
STOA_MUST_USE stoa_status stoa_gather_finish_rows(stoa_gather *gather, stoa_error *err);

/// Appends the keys of all rows.
STOA_MUST_USE stoa_status stoa_gather_keys(const stoa_gather *gather, stoa_keys *out,
                                           stoa_error *err);
/// Of all rows, one after the other. Not from several threads at once.
STOA_MUST_USE stoa_status stoa_gather_sequences(const stoa_gather *gather, uint64_t *out,
                                                stoa_error *err);
STOA_MUST_USE stoa_status stoa_gather_operations(const stoa_gather *gather, uint8_t *out,
                                                 stoa_error *err);
/// One column of all rows, in the canonical layout; not one of the key.
///
/// Errors   STOA_CORRUPT (with file, stripe and column), STOA_LIMIT, STOA_NO_MEMORY
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_gather_column(const stoa_gather *gather, stoa_pool *pool,
                                             int32_t column, struct ArrowArray *out,
                                             stoa_error *err);
/// A batch of these columns of the schema (NULL: all), those of the key decoded from the keys.
STOA_MUST_USE stoa_status stoa_gather_batch(const stoa_gather *gather, stoa_pool *pool,
                                            const int32_t *columns, int32_t column_count,
                                            struct ArrowArray *out, stoa_error *err);

/// Keeps only the rows whose bit is 1, in the same order. The list is finished before and after.
STOA_MUST_USE stoa_status stoa_gather_keep(stoa_gather *gather, const uint8_t *bits,
                                           stoa_error *err);

#endif
