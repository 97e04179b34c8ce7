#include "codec/bloom_kernel.h"

#include "base/bytes.h"
#include "base/cpu.h"
#include "base/error.h"

static const uint32_t salts[STOA_BLOOM_WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                                 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

static uint32_t bit_of(uint64_t hash, int word) {
    return UINT32_C(1) << (((uint32_t)hash * salts[word]) >> 27);
}

bool stoa_bloom_may_contain_plain(const stoa_bloom_filter *filter, uint64_t hash) {
    const uint8_t *block = stoa_bloom_block(filter, hash);
    uint32_t missing = 0;
    for (int i = 0; i < STOA_BLOOM_WORDS; i++) {
        missing |= ~stoa_load_u32(block + i * 4) & bit_of(hash, i);
    }
    return missing == 0;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) bool stoa_bloom_may_contain_avx2(const stoa_bloom_filter *filter,
                                                                 uint64_t hash) {
    const __m256i factors = _mm256_loadu_si256((const __m256i *)(const void *)salts);
    const __m256i places =
        _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_set1_epi32((int)(uint32_t)hash), factors), 27);
    const __m256i bits = _mm256_sllv_epi32(_mm256_set1_epi32(1), places);
    const void *block = stoa_bloom_block(filter, hash);
    return _mm256_testc_si256(_mm256_loadu_si256(block), bits) != 0;
}
#endif

bool stoa_bloom_may_contain(const stoa_bloom_filter *filter, uint64_t hash) {
    STOA_ASSERT(filter->block_count > 0);
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        return stoa_bloom_may_contain_avx2(filter, hash);
    }
#endif
    return stoa_bloom_may_contain_plain(filter, hash);
}

void stoa_bloom_insert(uint8_t *blocks, size_t block_count, uint64_t hash) {
    const stoa_bloom_filter filter = {blocks, block_count};
    STOA_ASSERT(block_count > 0);
    uint8_t *block = blocks + (stoa_bloom_block(&filter, hash) - blocks);
    for (int i = 0; i < STOA_BLOOM_WORDS; i++) {
        stoa_store_u32(block + i * 4, stoa_load_u32(block + i * 4) | bit_of(hash, i));
    }
}
