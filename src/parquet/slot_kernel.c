/* A block of levels is compared into words of bits: which entries are slots, which are present, which
 * are items. The bits of the slots are then pressed together (one instruction where the processor has
 * it), and an offset is a count of the item bits below a slot. */
#include "parquet/slot_kernel.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { WORD = 64, WORDS = 64, BLOCK = WORD * WORDS };

/* ---- Comparing ------------------------------------------------------------------------------- */

/* Bytes of 0 or 1; the product gathers them in the highest byte. */
static uint64_t at_least_plain(const uint8_t *levels, size_t count, uint8_t least) {
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i += 8) {
        uint8_t is[8] = {0};
        for (size_t k = 0; k < 8 && i + k < count; k++) {
            is[k] = levels[i + k] >= least;
        }
        bits |= (stoa_load_u64(is) * UINT64_C(0x0102040810204080) >> 56) << i;
    }
    return bits;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2,popcnt")))

AVX2 static uint64_t at_least_avx2(const uint8_t *levels, uint8_t least) {
    const __m256i bound = _mm256_set1_epi8((char)least);
    const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)levels);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(levels + 32));
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(
        _mm256_cmpeq_epi8(_mm256_max_epu8(low, bound), low));
    const uint32_t second = (uint32_t)_mm256_movemask_epi8(
        _mm256_cmpeq_epi8(_mm256_max_epu8(high, bound), high));
    return (uint64_t)second << 32 | first;
}

AVX2 static void compare_avx2(const uint8_t *levels, size_t count, uint8_t least, uint64_t *bits) {
    size_t at = 0;
    for (; at + WORD <= count; at += WORD) {
        bits[at / WORD] = at_least_avx2(levels + at, least);
    }
    if (at < count) {
        bits[at / WORD] = at_least_plain(levels + at, count - at, least);
    }
}

AVX512 static void compare_avx512(const uint8_t *levels, size_t count, uint8_t least,
                                  uint64_t *bits) {
    const __m512i bound = _mm512_set1_epi8((char)least);
    for (size_t at = 0; at < count; at += WORD) {
        const size_t now = count - at < WORD ? count - at : WORD;
        const __mmask64 loaded = ~UINT64_C(0) >> (WORD - now);
        bits[at / WORD] = _mm512_mask_cmpge_epu8_mask(
            loaded, _mm512_maskz_loadu_epi8(loaded, levels + at), bound);
    }
}
#endif

/* Bit i of `bits` is levels[i] >= least, the bits behind the last are 0. */
static void compare(stoa_cpu cpu, const uint8_t *levels, size_t count, int least, uint64_t *bits) {
    if (least > UINT8_MAX) {
        memset(bits, 0, (count + WORD - 1) / WORD * sizeof *bits);
        return;
    }
#if defined(__x86_64__)
    if (cpu == STOA_CPU_AVX512) {
        compare_avx512(levels, count, (uint8_t)least, bits);
        return;
    }
    if (cpu == STOA_CPU_AVX2) {
        compare_avx2(levels, count, (uint8_t)least, bits);
        return;
    }
#endif
    (void)cpu;
    for (size_t at = 0; at < count; at += WORD) {
        bits[at / WORD] = at_least_plain(levels + at, count - at < WORD ? count - at : WORD,
                                         (uint8_t)least);
    }
}

/* ---- Picking --------------------------------------------------------------------------------- */

/* What was compared of a block. */
struct block {
    size_t count;
    uint64_t slot[WORDS];
    uint64_t present[WORDS]; /* also of what is no slot */
    uint64_t item[WORDS];    /* lists only */
};

/* Bits that are appended one word after the other. */
struct bit_writer {
    uint8_t *out;
    uint64_t word;
    int filled; /* bits of `word`, less than 64 */
    int64_t ones;
};

static void load_block(stoa_cpu cpu, const stoa_slot_rule *rule, int64_t at, bool has_items,
                       struct block *out) {
    const int64_t left = rule->entry_count - at;
    const uint8_t *definition = rule->definition + at;
    uint64_t deeper[WORDS];
    out->count = left < BLOCK ? (size_t)left : BLOCK;
    const size_t words = (out->count + WORD - 1) / WORD;
    compare(cpu, definition, out->count, rule->slot_definition, out->slot);
    compare(cpu, definition, out->count, rule->present_definition, out->present);
    if (rule->repetition != NULL) {
        compare(cpu, rule->repetition + at, out->count, rule->slot_repetition + 1, deeper);
        for (size_t i = 0; i < words; i++) {
            out->slot[i] &= ~deeper[i];
        }
    }
    if (has_items) {
        compare(cpu, definition, out->count, rule->item_definition, out->item);
        compare(cpu, rule->repetition + at, out->count, rule->slot_repetition + 2, deeper);
        for (size_t i = 0; i < words; i++) {
            out->item[i] &= ~deeper[i];
        }
    }
}

/* The lowest `count` (at most 64) bits of `bits`, which has no others. There is room for a word where as
 * many bits as that were written. */
__attribute__((always_inline)) static inline void put_bits(struct bit_writer *writer, uint64_t bits,
                                                           int count) {
    writer->ones += __builtin_popcountll(bits);
    writer->word |= bits << writer->filled;
    if (writer->filled + count < WORD) {
        writer->filled += count;
        return;
    }
    stoa_store_u64(writer->out, writer->word);
    writer->out += 8;
    writer->word = writer->filled == 0 ? 0 : bits >> (WORD - writer->filled);
    writer->filled += count - WORD;
}

static void end_bits(struct bit_writer *writer) {
    for (int bit = 0; bit < writer->filled; bit += 8) {
        *writer->out++ = (uint8_t)(writer->word >> bit);
    }
}

static inline uint64_t pick_plain(uint64_t bits, uint64_t mask) {
    uint64_t picked = 0;
    for (int at = 0; mask != 0; at++, mask &= mask - 1) {
        picked |= (bits >> __builtin_ctzll(mask) & 1) << at;
    }
    return picked;
}

#define DEFINE_PICKING(NAME, ATTRIBUTE, PICK)                                                      \
    ATTRIBUTE static int64_t validity_##NAME(const struct block *block,                            \
                                             struct bit_writer *writer) {                          \
        int64_t slots = 0;                                                                         \
        for (size_t i = 0; i * WORD < block->count; i++) {                                         \
            const int count = __builtin_popcountll(block->slot[i]);                                \
            put_bits(writer, PICK(block->present[i], block->slot[i]), count);                      \
            slots += count;                                                                        \
        }                                                                                          \
        return slots;                                                                              \
    }                                                                                              \
    ATTRIBUTE static int32_t offsets_##NAME(const struct block *block, int32_t items,              \
                                            int32_t *out) {                                        \
        for (size_t i = 0; i * WORD < block->count; i++) {                                         \
            const uint64_t item = block->item[i];                                                  \
            for (uint64_t slot = block->slot[i]; slot != 0; slot &= slot - 1) {                    \
                const uint64_t below = (slot & (0 - slot)) - 1;                                    \
                *out++ = items + __builtin_popcountll(item & below);                               \
            }                                                                                      \
            items += __builtin_popcountll(item);                                                   \
        }                                                                                          \
        return items;                                                                              \
    }                                                                                              \
    ATTRIBUTE static size_t count_##NAME(const uint64_t *bits, size_t words) {                     \
        size_t sum = 0;                                                                            \
        for (size_t i = 0; i < words; i++) {                                                       \
            sum += (size_t)__builtin_popcountll(bits[i]);                                          \
        }                                                                                          \
        return sum;                                                                                \
    }
DEFINE_PICKING(plain, , pick_plain)
#if defined(__x86_64__)
DEFINE_PICKING(bmi2, AVX2, _pext_u64)
#endif

static int64_t pick_validity(stoa_cpu cpu, const struct block *block, struct bit_writer *writer) {
#if defined(__x86_64__)
    if (cpu >= STOA_CPU_AVX2) {
        return validity_bmi2(block, writer);
    }
#endif
    (void)cpu;
    return validity_plain(block, writer);
}

static int32_t pick_offsets(stoa_cpu cpu, const struct block *block, int32_t items, int32_t *out) {
#if defined(__x86_64__)
    if (cpu >= STOA_CPU_AVX2) {
        return offsets_bmi2(block, items, out);
    }
#endif
    (void)cpu;
    return offsets_plain(block, items, out);
}

static size_t count_bits(stoa_cpu cpu, const uint64_t *bits, size_t words) {
#if defined(__x86_64__)
    if (cpu >= STOA_CPU_AVX2) {
        return count_bmi2(bits, words);
    }
#endif
    (void)cpu;
    return count_plain(bits, words);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

int64_t stoa_slots_validity(stoa_cpu cpu, const stoa_slot_rule *rule, uint8_t *validity,
                            int64_t *out_present) {
    struct bit_writer writer = {.out = validity};
    struct block block;
    int64_t slots = 0;
    for (int64_t at = 0; at < rule->entry_count; at += BLOCK) {
        load_block(cpu, rule, at, false, &block);
        slots += pick_validity(cpu, &block, &writer);
    }
    end_bits(&writer);
    *out_present = writer.ones;
    return slots;
}

int64_t stoa_slots_offsets(stoa_cpu cpu, const stoa_slot_rule *rule, uint8_t *validity,
                           int32_t *offsets, int64_t *out_present) {
    STOA_ASSERT(rule->repetition != NULL || rule->entry_count == 0);
    struct bit_writer writer = {.out = validity};
    struct block block;
    int64_t slots = 0;
    int32_t items = 0;
    for (int64_t at = 0; at < rule->entry_count; at += BLOCK) {
        load_block(cpu, rule, at, true, &block);
        items = pick_offsets(cpu, &block, items, offsets + slots);
        slots += pick_validity(cpu, &block, &writer);
    }
    end_bits(&writer);
    offsets[slots] = items;
    *out_present = writer.ones;
    return slots;
}

/* ---- Levels ---------------------------------------------------------------------------------- */

size_t stoa_levels_count(stoa_cpu cpu, const uint8_t *levels, size_t count, int least) {
    uint64_t bits[WORDS];
    size_t sum = 0;
    for (size_t at = 0; at < count; at += BLOCK) {
        const size_t now = count - at < BLOCK ? count - at : BLOCK;
        compare(cpu, levels + at, now, least, bits);
        sum += count_bits(cpu, bits, (now + WORD - 1) / WORD);
    }
    return sum;
}

size_t stoa_levels_row_end(stoa_cpu cpu, const uint8_t *repetition, size_t count, int64_t *rows) {
    uint64_t bits[WORDS];
    int64_t begun = 0;
    for (size_t at = 0; at < count; at += BLOCK) {
        const size_t block = count - at < BLOCK ? count - at : BLOCK;
        compare(cpu, repetition + at, block, 1, bits);
        for (size_t i = 0; i * WORD < block; i++) {
            const size_t now = block - i * WORD < WORD ? block - i * WORD : WORD;
            uint64_t begins = ~bits[i] & (~UINT64_C(0) >> (WORD - now));
            const int64_t here = __builtin_popcountll(begins);
            if (begun + here <= *rows) {
                begun += here;
                continue;
            }
            for (; begun < *rows; begun++) {
                begins &= begins - 1;
            }
            return at + i * WORD + (size_t)__builtin_ctzll(begins);
        }
    }
    *rows = begun;
    return count;
}
