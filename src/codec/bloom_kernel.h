/* Split-block bloom filters: which values a set certainly lacks.
 *
 * A filter is a number of blocks of eight 32-bit words. The upper half of a value's hash chooses the
 * block, and each word gets one bit, chosen by the lower half times an odd number of its own: a question
 * reads one line of the cache. Parquet's column chunks and SSTables have them, with hashes of their own.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect.
 *
 * Source   Apache Parquet format 2.12, "BloomFilter.md"; Putze, Sanders, Singler, "Cache-, Hash- and
 *          Space-Efficient Bloom Filters" */
#ifndef STOA_CODEC_BLOOM_KERNEL_H
#define STOA_CODEC_BLOOM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STOA_BLOOM_BLOCK_BYTES = 32, STOA_BLOOM_WORDS = 8 };

typedef struct stoa_bloom_filter {
    const uint8_t *blocks; /* at any alignment; NULL: there is no filter */
    size_t block_count;    /* below 2^32 */
} stoa_bloom_filter;

/// The block of a hash, for those who prefetch it.
static inline const uint8_t *stoa_bloom_block(const stoa_bloom_filter *filter, uint64_t hash) {
    return filter->blocks +
           (size_t)(((hash >> 32) * filter->block_count) >> 32) * STOA_BLOOM_BLOCK_BYTES;
}

/// False when the filter's set certainly has no value of this hash.
bool stoa_bloom_may_contain(const stoa_bloom_filter *filter, uint64_t hash);

/// Sets the bits of a hash in `block_count` (at least 1) blocks.
void stoa_bloom_insert(uint8_t *blocks, size_t block_count, uint64_t hash);

/// The forms of stoa_bloom_may_contain, which chooses between them; tests call each of them.
bool stoa_bloom_may_contain_plain(const stoa_bloom_filter *filter, uint64_t hash);
#if defined(__x86_64__)
bool stoa_bloom_may_contain_avx2(const stoa_bloom_filter *filter, uint64_t hash);
#endif

#endif
