/* Rows as bytes in a log record: what a put, a merge or a delete brought, as compact as its values.
 *
 * Column by column, in the order of the schema (of deletions only the key's, in the order of the key):
 *
 *     nullable       a byte: 0 when no value is null, 1 when a bitmap of validity follows
 *     boolean        a bitmap
 *     fixed width    the values as they lie in Arrow, zeros for nulls
 *     text, binary   the lengths as 4 bytes each, 0 for nulls, then the bytes
 *     list, map      the lengths as 4 bytes each, then the items of all of them as a column (of maps the
 *                    keys, then the values); those below nulls are kept
 *     struct         its fields
 *
 * Bitmaps begin at a byte, lowest bit first, with zeros behind the last one. Nothing is aligned. Bytes
 * may come from outside: decoding checks all of them, but not that texts are UTF-8. */
#ifndef STOA_LSM_ROWS_CODEC_H
#define STOA_LSM_ROWS_CODEC_H

#include <stoa/state.h>

#include "lsm/stripe.h"

enum { STOA_ROWS_BYTES_MAX = 1 << 30 };

/// Bytes that stoa_rows_write needs for rows [first, first + count) of a batch in canonical layout;
/// `keys_only`: of the key's columns.
///
/// Errors   STOA_LIMIT  more than STOA_ROWS_BYTES_MAX
STOA_MUST_USE stoa_status stoa_rows_size(const stoa_stripe_layout *layout, bool keys_only,
                                         const struct ArrowArray *batch, int64_t first,
                                         int64_t count, size_t *out, stoa_error *err);
/// Returns the end of what was written.
uint8_t *stoa_rows_write(const stoa_stripe_layout *layout, bool keys_only,
                         const struct ArrowArray *batch, int64_t first, int64_t count,
                         uint8_t *out);

/// The same for one row of cells: all columns in the order of the schema, or (`keys_only`) the key's in
/// the order of the key. Tables with nested columns have no rows of cells; with `keys_only` any table
/// has. The caller has checked the cells: a null only where the column is nullable, numbers within their
/// type, as many bytes as a type of fixed width has, and not more than STOA_ROWS_BYTES_MAX in all.
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
/// One row back to cells, as many and in the order that stoa_row_write takes them; what they point to
/// lies in `bytes`. The layout has no nested columns.
///
/// Errors   STOA_CORRUPT  with `err->offset` in `bytes`
STOA_MUST_USE stoa_status stoa_row_read(const stoa_stripe_layout *layout, bool keys_only,
                                        const uint8_t *bytes, size_t size, stoa_cell *out,
                                        stoa_error *err);

#endif
