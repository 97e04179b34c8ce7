/* Making the bloom filter of a chunk from its values. */
#ifndef STOA_PARQUET_BLOOM_BUILD_H
#define STOA_PARQUET_BLOOM_BUILD_H

#include "mem/buffer.h"
#include "parquet/schema_twin.h"

/// True when the leaf's values can be in a filter: not booleans, not columns of nothing but nulls.
bool stoa_bloom_is_possible(const stoa_leaf *leaf);

/// Appends a filter with its header to `out`, for `count` values in the leaf's form, which may repeat:
/// the smallest power of two of bytes whose rate of false positives is at most `rate` (above 0, below
/// 1), and no more than `bytes_max` (at least STOA_BLOOM_BLOCK_BYTES).
///
/// Errors   STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_bloom_build(const stoa_leaf *leaf, const void *values, int64_t count,
                                           double rate, size_t bytes_max, stoa_buffer *out,
                                           stoa_error *err);

#endif
