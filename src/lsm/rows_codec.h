/* Rows as bytes in a log record: what a put, a merge or a delete brought, as compact as its values.
 *
 * Column by column: for nullable fields one byte (0: no nulls, 1: a bitmap follows), values as wide as
 * they are, of texts and lists the lengths as 4 bytes each and then what they hold. A deletion has the
 * columns of the key only. Bytes may come from outside: decoding checks all of them. */
#ifndef STOA_LSM_ROWS_CODEC_H
#define STOA_LSM_ROWS_CODEC_H

#include <stoa/state.h>

#include "lsm/stripe.h"

/// Bytes that stoa_rows_write needs for rows [first, first + count) of a batch in canonical layout;
/// `keys_only`: of the key's columns.
///
/// Errors   STOA_LIMIT  more than 1 GiB
STOA_MUST_USE stoa_status stoa_rows_size(const stoa_stripe_layout *layout, bool keys_only,
                                         const struct ArrowArray *batch, int64_t first,
                                         int64_t count, size_t *out, stoa_error *err);
/// Returns the end of what was written.
uint8_t *stoa_rows_write(const stoa_stripe_layout *layout, bool keys_only,
                         const struct ArrowArray *batch, int64_t first, int64_t count,
                         uint8_t *out);

/// The same for one row of cells: all columns in the order of the schema, or (`keys_only`) the key's in
/// the order of the key. Tables with nested columns have no rows of cells.
size_t stoa_row_size(const stoa_stripe_layout *layout, bool keys_only, const stoa_cell *cells);
uint8_t *stoa_row_write(const stoa_stripe_layout *layout, bool keys_only, const stoa_cell *cells,
                        uint8_t *out);

/// Rows back to a batch in the canonical layout (of deletions: the other columns are null or zero).
///
/// Errors   STOA_CORRUPT  with `err->offset` in `bytes`; STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_rows_read(const stoa_stripe_layout *layout, stoa_pool *pool,
                                         bool keys_only, int64_t count, const uint8_t *bytes,
                                         size_t size, struct ArrowArray *out, stoa_error *err);

#endif
