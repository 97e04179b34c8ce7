/* Working with immutable batches: sharing, slices, concatenation, gather, comparison, validation.
 *
 * A batch is a struct array (format "+s") with one child a column, its own offset 0 and no nulls of
 * its own, as streams carry it. The functions take any array all the same. */
#ifndef STOA_ARROW_ARRAY_H
#define STOA_ARROW_ARRAY_H

#include <stoa/arrow.h>

#include "mem/buffer.h"

/// Rows [offset, offset + length) of a batch as a batch of its own, offset 0, that shares its
/// memory. The first slice turns `source` into a counted owner in place: both stay valid, and either
/// may be released first.
///
/// Errors   STOA_INVALID  rows outside, or `source` is no batch; `source` stays as it was
/// Threads  Not from two threads on the same `source`; the slices themselves are independent.
STOA_MUST_USE stoa_status stoa_arrow_slice(stoa_pool *pool, struct ArrowArray *source,
                                           int64_t offset, int64_t length, struct ArrowArray *out,
                                           stoa_error *err);
/// The same for any array, at any level of a tree; the slice has an offset.
STOA_MUST_USE stoa_status stoa_arrow_slice_array(stoa_pool *pool, struct ArrowArray *source,
                                                 int64_t offset, int64_t length,
                                                 struct ArrowArray *out, stoa_error *err);

/// The children of a batch named by `columns` (0-based; one may be named twice), in that order, as
/// a batch that shares the memory. `source` changes as in stoa_arrow_slice.
STOA_MUST_USE stoa_status stoa_arrow_select_columns(stoa_pool *pool, struct ArrowArray *source,
                                                    const int32_t *columns, int32_t column_count,
                                                    struct ArrowArray *out, stoa_error *err);

/// All rows of `arrays`, valid and of the type `schema`, one after the other, copied. Different
/// dictionaries are merged.
///
/// Errors   STOA_UNSUPPORTED  the type holds a union or run ends
///          STOA_LIMIT        more than 2 GiB of bytes or items for a type of 32-bit offsets
STOA_MUST_USE stoa_status stoa_arrow_concat(stoa_pool *pool, const struct ArrowSchema *schema,
                                            const struct ArrowArray *const *arrays, int64_t count,
                                            struct ArrowArray *out, stoa_error *err);

/// Row indices[i] of `source`, a valid array, becomes row i; -1 becomes a null.
///
/// Errors   STOA_INVALID      an index is out of range
///          STOA_UNSUPPORTED  the type holds a union or run ends
///          STOA_LIMIT        more than 2 GiB of bytes or items for a type of 32-bit offsets
STOA_MUST_USE stoa_status stoa_arrow_take(stoa_pool *pool, const struct ArrowSchema *schema,
                                          const struct ArrowArray *source, const int64_t *indices,
                                          int64_t count, struct ArrowArray *out, stoa_error *err);

/// Rows of one array: indices[0..count), or where `indices` is NULL, `count` from `first` on.
typedef struct stoa_arrow_selection {
    const struct ArrowArray *source;
    const int64_t *indices;
    int64_t first;
    int64_t count;
} stoa_arrow_selection;

/// The rows of `selections` one after the other, copied; as stoa_arrow_take, but that all rows are in
/// range, which the caller has seen to.
STOA_MUST_USE stoa_status stoa_arrow_take_from(stoa_pool *pool, const struct ArrowSchema *schema,
                                               const stoa_arrow_selection *selections,
                                               int64_t selection_count, struct ArrowArray *out,
                                               stoa_error *err);

/// True when value `row` (relative to the array's offset) is null, looking at validity only, and
/// for a null-typed array always. Unions and run ends have no nulls of their own; what stands behind
/// them, or in a dictionary, is found by stoa_arrow_cursor_resolve (arrow/access.h).
bool stoa_arrow_is_null(const struct ArrowArray *array, int64_t row);
/// Counts when null_count is -1. Without a validity buffer there are none, but for the null type.
int64_t stoa_arrow_null_count(const struct ArrowSchema *schema, const struct ArrowArray *array);

typedef enum stoa_arrow_check {
    STOA_ARROW_CHECK_LAYOUT, /* counts, buffers present, offsets' first and last: O(columns) */
    STOA_ARROW_CHECK_FULL    /* also every offset, index, run end, and UTF-8 in strings: O(bytes) */
} stoa_arrow_check;

/// Errors   STOA_INVALID  with row, column and what was expected
STOA_MUST_USE stoa_status stoa_arrow_validate(const struct ArrowSchema *schema,
                                              const struct ArrowArray *array,
                                              stoa_arrow_check check, stoa_error *err);

/// Compares values, not layouts: a dictionary equals its values, offsets and null slots are free.
/// NaN equals NaN; 0.0 equals -0.0 only bit for bit, so they differ. Types must be equal but for
/// dictionaries and run ends, nullability, and the names of list items and map entries, which
/// writers choose freely; names of a struct's fields count. Both arrays are valid.
///
/// Errors   STOA_INVALID  they differ: the message names the first row that does, its column path and
///                        both values: "row 5, column 'a.item': expected 3 but found 4"
STOA_MUST_USE stoa_status stoa_arrow_compare(const struct ArrowSchema *left_schema,
                                             const struct ArrowArray *left,
                                             const struct ArrowSchema *right_schema,
                                             const struct ArrowArray *right, stoa_error *err);

/// Bytes that the array keeps alive (buffers of its type at its length; shared ones counted here).
int64_t stoa_arrow_memory_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array);

#endif
