/* Bloom filters: what was put in is found, by every form alike, at any offset in memory; what was not is
 * found about as seldom as the bits of a key allow. */
#include <stdlib.h>

#include "base/cpu.h"
#include "base/hash.h"
#include "codec/bloom_kernel.h"
#include "support.h"

enum { KEYS = 20000, BITS_OF_KEY = 10, SPARE = 32 };

static bool in_each_form(const stoa_bloom_filter *filter, uint64_t hash) {
    const bool found = stoa_bloom_may_contain_plain(filter, hash);
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        assert_int_equal(stoa_bloom_may_contain_avx2(filter, hash), found);
    }
#endif
    assert_int_equal(stoa_bloom_may_contain(filter, hash), found);
    return found;
}

static void what_was_put_in_is_found(void **state) {
    support_random random = support_random_open("codec.prop_bloom");
    (void)state;
    for (size_t offset = 0; offset < 8; offset++) {
        const size_t block_count = 1 + KEYS * BITS_OF_KEY / 8 / STOA_BLOOM_BLOCK_BYTES;
        const uint64_t seed = support_random_u64(&random);
        uint8_t *memory = calloc(block_count * STOA_BLOOM_BLOCK_BYTES + SPARE, 1);
        const stoa_bloom_filter filter = {memory + offset, block_count};
        int wrong = 0;
        for (uint64_t i = 0; i < KEYS; i++) {
            stoa_bloom_insert(memory + offset, block_count, stoa_hash_u64(seed + i));
        }
        for (uint64_t i = 0; i < KEYS; i++) {
            assert_true(in_each_form(&filter, stoa_hash_u64(seed + i)));
            wrong += in_each_form(&filter, stoa_hash_u64(seed - 1 - i));
        }
        assert_true(wrong > KEYS / 1000 && wrong < KEYS / 50);
        free(memory);
    }
}

static void one_block_has_eight_bits_a_hash(void **state) {
    uint8_t block[STOA_BLOOM_BLOCK_BYTES] = {0};
    int bits = 0;
    (void)state;
    stoa_bloom_insert(block, 1, UINT64_C(0x0123456789abcdef));
    for (int word = 0; word < STOA_BLOOM_WORDS; word++) {
        int in_word = 0;
        for (int i = 0; i < 4; i++) {
            in_word += __builtin_popcount(block[word * 4 + i]);
        }
        assert_int_equal(in_word, 1);
        bits += in_word;
    }
    assert_int_equal(bits, STOA_BLOOM_WORDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_is_found),
        cmocka_unit_test(one_block_has_eight_bits_a_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
