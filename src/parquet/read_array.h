/* What was read of the leaves, as Arrow arrays. */
#ifndef STOA_PARQUET_READ_ARRAY_H
#define STOA_PARQUET_READ_ARRAY_H

#include <stoa/arrow.h>

#include "parquet/chunk_reader.h"

/* Ticks of INT96 timestamps. */
typedef struct stoa_read_array_options {
    int64_t int96_ticks_per_second;
} stoa_read_array_options;

/// The array of a leaf, in the canonical layout of its type. Takes the memory of `values`' data and
/// offsets where they can stay as they are; its levels are left for the fields around the leaf.
///
/// Errors   STOA_INVALID   a timestamp, an interval or a decimal that Arrow's type cannot hold, or a
///                         null where none may be
///          STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_read_leaf_array(stoa_pool *pool, const stoa_read_node *node,
                                               const stoa_read_array_options *options,
                                               stoa_chunk_values *values, struct ArrowArray *out,
                                               stoa_error *err);
/// The array of a leaf whose `values` are indices into `dictionary`, which is taken, also on error.
STOA_MUST_USE stoa_status stoa_read_index_array(stoa_pool *pool, const stoa_read_node *node,
                                                stoa_chunk_values *values,
                                                struct ArrowArray *dictionary,
                                                struct ArrowArray *out, stoa_error *err);

/// The array of `node` and all below it. `values` and `leaves` are by number of the footer's leaf; the
/// arrays of leaves are moved into `out`.
///
/// Errors   STOA_CORRUPT  columns of one field differ in how many items there are
///          STOA_INVALID, STOA_NO_MEMORY, STOA_LIMIT
/// Owns     On error `out` is released.
STOA_MUST_USE stoa_status stoa_read_node_array(stoa_pool *pool, const stoa_read_node *node,
                                               const stoa_chunk_values *values,
                                               struct ArrowArray *leaves, struct ArrowArray *out,
                                               stoa_error *err);

#endif
