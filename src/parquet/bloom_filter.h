/* The bloom filters of a file: which values a column chunk certainly lacks. Their blocks and bits are
 * codec/bloom_kernel.h's.
 *
 * Source   Apache Parquet format 2.12, "BloomFilter.md" */
#ifndef STOA_PARQUET_BLOOM_FILTER_H
#define STOA_PARQUET_BLOOM_FILTER_H

#include "base/hash.h"
#include "codec/bloom_kernel.h"
#include "parquet/footer.h"

/// Reads the filter of column chunk `leaf` of row group `group`, if there is one. Nulls are in none.
///
/// Errors   STOA_CORRUPT      the header does not decode, or the filter does not lie before the
///                            footer, is larger than the footer says, or is no number of blocks
///          STOA_UNSUPPORTED  a kind, hash or compression that the format did not have in 2.12
///          STOA_IO, STOA_NO_MEMORY
/// Owns     Blocks come from `arena`: as many bytes as the file holds.
STOA_MUST_USE stoa_status stoa_bloom_filter_read(stoa_file *file, const stoa_parquet_footer *footer,
                                                 int32_t group, int32_t leaf, stoa_arena *arena,
                                                 stoa_bloom_filter *out, stoa_error *err);

/// The hash of a value in PLAIN form; of BYTE_ARRAY the bytes alone, without their length.
static inline uint64_t stoa_bloom_hash(const void *plain, size_t size) {
    return stoa_xxhash64(plain, size);
}

#endif
