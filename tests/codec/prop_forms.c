/* Every form of a kernel that this processor can run, against a bit-by-bit one: all widths, many
 * lengths, any offset in memory, and not a byte read or written outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "codec/bitpack_kernel.h"
#include "codec/bitpack_simd_kernel.h"
#include "codec/delta_kernel.h"
#include "codec/delta_simd_kernel.h"
#include "support.h"

enum { COUNT_MAX = 400, SPARE = 64 };

static uint64_t bits_of(const uint8_t *bytes, size_t bit, int width) {
    uint64_t value = 0;
    for (size_t j = 0; j < (size_t)width; j++) {
        value |= (uint64_t)(bytes[(bit + j) / 8] >> ((bit + j) % 8) & 1) << j;
    }
    return value;
}

typedef size_t (*form)(const uint8_t *bytes, size_t count, int width, void *out);

/* One signature for all, whatever the type of the values. */
static size_t plain_u8(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u8_plain(bytes, count, width, out);
    return count;
}
static size_t plain_u32(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u32_plain(bytes, count, width, out);
    return count;
}
static size_t plain_u64(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u64_plain(bytes, count, width, out);
    return count;
}
static size_t chosen_u8(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u8(bytes, count, width, out);
    return count;
}
static size_t chosen_u32(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u32(bytes, count, width, out);
    return count;
}
static size_t chosen_u64(const uint8_t *bytes, size_t count, int width, void *out) {
    stoa_bitunpack_u64(bytes, count, width, out);
    return count;
}
static size_t avx2_u32(const uint8_t *bytes, size_t count, int width, void *out) {
    return stoa_bitunpack_u32_avx2(bytes, count, width, out);
}
static size_t avx512_u8(const uint8_t *bytes, size_t count, int width, void *out) {
    return stoa_bitunpack_u8_avx512(bytes, count, width, out);
}
static size_t avx512_u32(const uint8_t *bytes, size_t count, int width, void *out) {
    return stoa_bitunpack_u32_avx512(bytes, count, width, out);
}
static size_t avx512_u64(const uint8_t *bytes, size_t count, int width, void *out) {
    return stoa_bitunpack_u64_avx512(bytes, count, width, out);
}

static const struct {
    form unpack;
    stoa_cpu needs;
    int width_max;
    size_t value_bytes;
} forms[] = {
    {plain_u8, STOA_CPU_PLAIN, 8, 1},     {chosen_u8, STOA_CPU_PLAIN, 8, 1},
    {avx512_u8, STOA_CPU_AVX512, 8, 1},   {plain_u32, STOA_CPU_PLAIN, 32, 4},
    {chosen_u32, STOA_CPU_PLAIN, 32, 4},  {avx2_u32, STOA_CPU_AVX2, 32, 4},
    {avx512_u32, STOA_CPU_AVX512, 32, 4}, {plain_u64, STOA_CPU_PLAIN, 64, 8},
    {chosen_u64, STOA_CPU_PLAIN, 64, 8},  {avx512_u64, STOA_CPU_AVX512, 64, 8},
};

/* Memory of exactly these sizes: the address sanitizer sees the first byte outside. */
static void assert_form(support_random *random, size_t which, int width, size_t count) {
    const size_t size = count / 8 * (size_t)width;
    const size_t value_bytes = forms[which].value_bytes;
    const size_t shift = (size_t)support_random_below(random, SPARE);
    uint8_t *memory = malloc(shift + size + 1);
    uint8_t *out = malloc(count * value_bytes + 1);
    uint8_t *bytes = memory + shift + 1; /* nothing behind the last byte */
    support_random_bytes(random, bytes, size);
    out[count * value_bytes] = 0x5A;
    const size_t done = forms[which].unpack(bytes, count, width, out);
    assert_int_equal(done % 8, 0);
    assert_true(done <= count);
    assert_int_equal(out[count * value_bytes], 0x5A);
    for (size_t i = 0; i < done; i++) {
        uint64_t got = 0;
        memcpy(&got, out + i * value_bytes, value_bytes);
        assert_int_equal(got, bits_of(bytes, i * (size_t)width, width));
    }
    free(out);
    free(memory);
}

static void every_form_unpacks_alike(void **state) {
    (void)state;
    support_random random = support_random_open("forms");
    for (size_t which = 0; which < sizeof forms / sizeof forms[0]; which++) {
        if (stoa_cpu_level() < forms[which].needs) {
            continue;
        }
        for (int width = 0; width <= forms[which].width_max; width++) {
            for (size_t count = 0; count <= 160; count += 8) {
                assert_form(&random, which, width, count);
            }
            assert_form(&random, which, width, COUNT_MAX);
        }
    }
}

/* Packing 64 bits has one form; its reference reads the bits back. */
static void wide_values_are_packed(void **state) {
    (void)state;
    support_random random = support_random_open("pack_u64");
    for (int width = 0; width <= 64; width++) {
        for (size_t count = 0; count <= 72; count += 8) {
            const size_t size = count / 8 * (size_t)width;
            uint64_t values[72];
            uint8_t *bytes = malloc(size + 1);
            bytes[size] = 0x5A;
            for (size_t i = 0; i < count; i++) {
                values[i] = width == 0 ? 0 : support_random_u64(&random) >> (64 - width);
            }
            stoa_bitpack_u64(values, count, width, bytes);
            assert_int_equal(bytes[size], 0x5A);
            for (size_t i = 0; i < count; i++) {
                assert_true(bits_of(bytes, i * (size_t)width, width) == values[i]);
            }
            free(bytes);
        }
    }
}

typedef uint32_t (*sum_u32)(uint32_t *values, size_t count, uint32_t smallest, uint32_t last);
typedef uint64_t (*sum_u64)(uint64_t *values, size_t count, uint64_t smallest, uint64_t last);

static void assert_sums(support_random *random, sum_u32 narrow, sum_u64 wide) {
    for (size_t count = 0; count <= 256; count += 32) {
        uint32_t values32[256], want32[256];
        uint64_t values64[256], want64[256];
        const uint64_t smallest = support_random_u64(random), first = support_random_u64(random);
        uint32_t last32 = (uint32_t)first;
        uint64_t last64 = first;
        support_random_bytes(random, values32, sizeof values32);
        support_random_bytes(random, values64, sizeof values64);
        for (size_t i = 0; i < count; i++) {
            want32[i] = last32 += values32[i] + (uint32_t)smallest;
            want64[i] = last64 += values64[i] + smallest;
        }
        assert_int_equal(narrow(values32, count, (uint32_t)smallest, (uint32_t)first), last32);
        assert_memory_equal(values32, want32, count * sizeof *want32);
        assert_true(wide(values64, count, smallest, first) == last64);
        assert_memory_equal(values64, want64, count * sizeof *want64);
    }
}

static void every_form_sums_up_alike(void **state) {
    (void)state;
    support_random random = support_random_open("sums");
    assert_sums(&random, stoa_delta_sum_u32_plain, stoa_delta_sum_u64_plain);
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        assert_sums(&random, stoa_delta_sum_u32_avx2, stoa_delta_sum_u64_avx2);
    }
#endif
}

static void deltas_of_every_width_are_unpacked(void **state) {
    (void)state;
    support_random random = support_random_open("delta_forms");
    for (int width = 0; width <= 64; width++) {
        for (size_t count = 0; count <= 160; count += 32) {
            const size_t size = count / 8 * (size_t)width;
            uint8_t *bytes = malloc(size > 0 ? size : 1);
            support_random_bytes(&random, bytes, size);
            const uint64_t smallest = support_random_u64(&random);
            uint32_t last32 = 5, want32 = 5, out32[160];
            uint64_t last64 = 7, want64 = 7, out64[160];
            stoa_delta_unpack_u32(bytes, count, width, (uint32_t)smallest, &last32, out32);
            stoa_delta_unpack_u64(bytes, count, width, smallest, &last64, out64);
            for (size_t i = 0; i < count; i++) {
                const uint64_t above = bits_of(bytes, i * (size_t)width, width);
                want32 += (uint32_t)(above + smallest);
                want64 += above + smallest;
                assert_int_equal(out32[i], want32);
                assert_true(out64[i] == want64);
            }
            assert_int_equal(last32, want32);
            assert_true(last64 == want64);
            free(bytes);
        }
    }
}

/* Packed bytes hold the values' bits, and the bytes behind them are as they were. */
static void every_form_packs_alike(void **state) {
    (void)state;
    support_random random = support_random_open("pack");
    const bool fast = stoa_cpu_level() == STOA_CPU_AVX512;
    for (int width = 1; width <= 64; width++) {
        for (int round = 0; round < 12; round++) {
            const size_t count = 8 * support_random_below(&random, COUNT_MAX / 8);
            const size_t size = count / 8 * (size_t)width;
            uint64_t *wide = malloc(count * sizeof *wide + 1);
            uint32_t *narrow = malloc(count * sizeof *narrow + 1);
            for (size_t i = 0; i < count; i++) {
                const uint64_t any = support_random_u64(&random);
                wide[i] = width == 64 ? any : any & ((UINT64_C(1) << width) - 1);
                narrow[i] = (uint32_t)wide[i];
            }
            for (int kind = 0; kind < 6; kind++) {
                uint8_t *out = malloc(size + 1);
                size_t packed = count;
                out[size] = 0xA5;
                if ((kind % 2 == 0 && width > 32) || (kind >= 4 && !fast)) {
                    free(out);
                    continue;
                }
                switch (kind) {
                case 0: stoa_bitpack_u32_plain(narrow, count, width, out); break;
                case 1: stoa_bitpack_u64_plain(wide, count, width, out); break;
                case 2: stoa_bitpack_u32(narrow, count, width, out); break;
                case 3: stoa_bitpack_u64(wide, count, width, out); break;
                case 4: packed = stoa_bitpack_u32_avx512(narrow, count, width, out); break;
                default: packed = stoa_bitpack_u64_avx512(wide, count, width, out); break;
                }
                assert_true(packed == count || (packed == 0 && width > 32));
                for (size_t i = 0; i < packed; i++) {
                    assert_true(bits_of(out, i * (size_t)width, width) == wide[i]);
                }
                assert_int_equal(out[size], 0xA5);
                free(out);
            }
            free(wide);
            free(narrow);
        }
    }
}

#if defined(__x86_64__)
#define CHECK_BLOCK(NAME, TYPE, UNSIGNED)                                                          \
    do {                                                                                           \
        TYPE values[129];                                                                          \
        uint64_t above[128];                                                                       \
        uint8_t widths[4];                                                                         \
        const int shift = (int)support_random_below(&random, 8 * sizeof(TYPE));                    \
        for (size_t i = 0; i < 129; i++) {                                                         \
            values[i] = (TYPE)((UNSIGNED)support_random_u64(&random) >> shift);                    \
        }                                                                                          \
        const TYPE smallest = stoa_delta_block_##NAME##_avx512(values + 1, above, widths);         \
        TYPE least = 0;                                                                            \
        for (size_t i = 0; i < 128; i++) {                                                         \
            const TYPE delta = (TYPE)((UNSIGNED)values[i + 1] - (UNSIGNED)values[i]);              \
            least = i == 0 || delta < least ? delta : least;                                       \
        }                                                                                          \
        assert_true(smallest == least);                                                            \
        for (size_t part = 0; part < 4; part++) {                                                  \
            uint64_t any = 0;                                                                      \
            for (size_t i = 32 * part; i < 32 * part + 32; i++) {                                  \
                const UNSIGNED delta = (UNSIGNED)values[i + 1] - (UNSIGNED)values[i];              \
                assert_true(above[i] == (UNSIGNED)(delta - (UNSIGNED)least));                      \
                any |= above[i];                                                                   \
            }                                                                                      \
            assert_int_equal(widths[part], any == 0 ? 0 : 64 - __builtin_clzll(any));              \
        }                                                                                          \
    } while (0)

static void blocks_of_differences_are_found(void **state) {
    (void)state;
    if (stoa_cpu_level() != STOA_CPU_AVX512) {
        return;
    }
    support_random random = support_random_open("delta_block");
    for (int round = 0; round < 500; round++) {
        CHECK_BLOCK(i32, int32_t, uint32_t);
        CHECK_BLOCK(i64, int64_t, uint64_t);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_unpacks_alike),
        cmocka_unit_test(wide_values_are_packed),
        cmocka_unit_test(every_form_sums_up_alike),
        cmocka_unit_test(deltas_of_every_width_are_unpacked),
        cmocka_unit_test(every_form_packs_alike),
#if defined(__x86_64__)
        cmocka_unit_test(blocks_of_differences_are_found),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
