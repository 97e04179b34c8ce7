/* Checksums and hashes against published values, whole and in parts. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32_kernel.h"
#include "base/hash.h"

static const char digits[] = "123456789";

/* RFC 3720, B.4, and the check value of the catalogue of CRCs. */
static void crc32c_has_its_known_values(void **state) {
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(stoa_crc32c(0, "", 0), 0);
    assert_int_equal(stoa_crc32c(0, digits, 9), 0xE3069283);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(stoa_crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(stoa_crc32c(0, bytes, 32), 0x62A8AB43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(stoa_crc32c(0, bytes, 32), 0x46DD794E);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(stoa_crc32c(0, bytes, 32), 0x113FDB5C);
}

static void crc32_has_its_known_values(void **state) {
    (void)state;
    const char fox[] = "The quick brown fox jumps over the lazy dog";
    assert_int_equal(stoa_crc32(0, "", 0), 0);
    assert_int_equal(stoa_crc32(0, digits, 9), 0xCBF43926);
    assert_int_equal(stoa_crc32(0, fox, sizeof fox - 1), 0x414FA339);
}

/* Values of the XXH3 specification for seed 0. */
static void xxh3_has_its_known_values(void **state) {
    (void)state;
    assert_true(stoa_hash64("", 0) == UINT64_C(0x2D06800538D394C2));
}

static void a_stream_gives_both_hashes_of_what_it_took(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    uint8_t bytes[2000];
    const stoa_hash128 nothing = stoa_hash128_of("", 0);
    assert_true(nothing.high == UINT64_C(0x99AA06D3014798D8));
    assert_true(nothing.low == UINT64_C(0x6001C324468D497F));
    for (int i = 0; i < 500; i++) {
        const size_t size = (size_t)support_random_below(&random, sizeof bytes);
        const size_t cut = (size_t)support_random_below(&random, size + 1);
        stoa_hash_stream stream;
        support_random_bytes(&random, bytes, sizeof bytes);
        stoa_hash_stream_init(&stream);
        stoa_hash_stream_update(&stream, bytes, cut);
        stoa_hash_stream_update(&stream, bytes + cut, size - cut);
        const stoa_hash128 found = stoa_hash_stream_finish128(&stream);
        const stoa_hash128 whole = stoa_hash128_of(bytes, size);
        assert_true(found.high == whole.high && found.low == whole.low);
        assert_true(stoa_hash_stream_finish(&stream) == stoa_hash64(bytes, size));
    }
}

static uint32_t slow_crc(uint32_t polynomial, const uint8_t *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size * 8; i++) {
        crc ^= (uint32_t)((bytes[i / 8] >> (i % 8)) & 1);
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    }
    return ~crc;
}

static void crcs_equal_the_slow_ones_in_any_parts(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    uint8_t bytes[600];
    for (int i = 0; i < 2000; i++) {
        size_t offset = (size_t)support_random_below(&random, 16);
        size_t size = (size_t)support_random_below(&random, sizeof bytes - 16);
        size_t cut = (size_t)support_random_below(&random, size + 1);
        support_random_bytes(&random, bytes, sizeof bytes);
        const uint8_t *from = bytes + offset;
        uint32_t c = stoa_crc32c(stoa_crc32c(0, from, cut), from + cut, size - cut);
        uint32_t iso = stoa_crc32(stoa_crc32(0, from, cut), from + cut, size - cut);
        assert_int_equal(c, slow_crc(0x82F63B78, from, size));
        assert_int_equal(iso, slow_crc(0xEDB88320, from, size));
    }
}

/* Every length to five strides, every alignment, in exactly its memory, where the address sanitizer sees
 * a byte too many; and each cut in two, so that the kernel also begins with a state that is not the
 * first. */
static void check_lengths_and_alignments(
    uint32_t polynomial, uint32_t (*whole)(uint32_t, const void *, size_t),
    size_t (*part)(uint32_t *, const uint8_t *, size_t)) {
    enum { LENGTH_MAX = 1300, ALIGNMENTS = 64 };
    support_random random = support_random_open(__func__);
    uint8_t bytes[LENGTH_MAX];
    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        support_random_bytes(&random, bytes, sizeof bytes);
        uint32_t slow = UINT32_MAX;
        for (size_t size = 0; size <= LENGTH_MAX; size++) {
            void *memory = NULL;
            assert_int_equal(posix_memalign(&memory, 64, alignment + size), 0);
            uint8_t *from = (uint8_t *)memory + alignment;
            memcpy(from, bytes, size);
            assert_int_equal(whole(0, from, size), ~slow);
            const size_t cut = (size_t)support_random_below(&random, size + 1);
            uint32_t kernel = whole(0, from, cut);
            const size_t done = part(&kernel, from + cut, size - cut);
            assert_true(done <= size - cut && done % 64 == 0);
            assert_int_equal(whole(kernel, from + cut + done, size - cut - done), ~slow);
            free(memory);
            for (int bit = 0; bit < 8 && size < LENGTH_MAX; bit++) {
                slow ^= (uint32_t)(bytes[size] >> bit) & 1;
                slow = (slow >> 1) ^ ((slow & 1) != 0 ? polynomial : 0);
            }
        }
    }
}

static void crc32_equals_the_slow_one_at_every_length_and_alignment(void **state) {
    (void)state;
    check_lengths_and_alignments(0xEDB88320, stoa_crc32, stoa_crc32_avx512);
}

static void crc32c_equals_the_slow_one_at_every_length_and_alignment(void **state) {
    (void)state;
    check_lengths_and_alignments(0x82F63B78, stoa_crc32c, stoa_crc32c_avx512);
}

static void number_hashes_do_not_collide_nearby(void **state) {
    (void)state;
    uint64_t seen[64];
    for (uint64_t i = 0; i < 64; i++) {
        seen[i] = stoa_hash_u64(i + 1);
        for (uint64_t j = 0; j < i; j++) {
            int distance = __builtin_popcountll(seen[i] ^ seen[j]);
            assert_in_range(distance, 10, 54);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_its_known_values),
        cmocka_unit_test(crc32_has_its_known_values),
        cmocka_unit_test(xxh3_has_its_known_values),
        cmocka_unit_test(a_stream_gives_both_hashes_of_what_it_took),
        cmocka_unit_test(crcs_equal_the_slow_ones_in_any_parts),
        cmocka_unit_test(crc32_equals_the_slow_one_at_every_length_and_alignment),
        cmocka_unit_test(crc32c_equals_the_slow_one_at_every_length_and_alignment),
        cmocka_unit_test(number_hashes_do_not_collide_nearby),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
