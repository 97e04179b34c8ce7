/* Sixty-four bits at a time; what is left of them byte by byte. */
#include "parquet/filter_kernel.h"

#include <string.h>

#include "base/bits.h"
#include "base/cpu.h"
#include "parquet/filter_simd_kernel.h"

enum { WORD = 64, SMALL_ENTRIES = 16 };

/* Bits [at, at + 64) of `count`; those behind the end are 0. */
static uint64_t load_word(const uint8_t *bits, int64_t at, int64_t count) {
    uint64_t word = 0;
    const int64_t left = count - at;
    if (left >= WORD) {
        memcpy(&word, bits + at / 8, sizeof word);
        return word;
    }
    memcpy(&word, bits + at / 8, stoa_bitmap_bytes(left));
    return word & ((UINT64_C(1) << left) - 1);
}

/* Eight bytes whose lowest bits become one byte. */
static uint8_t pack_bytes(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (uint8_t)(((word & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56);
}

void stoa_match_codes_u8_plain(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                               uint8_t *out, uint8_t *all) {
    for (int64_t at = 0; at < count; at += 8) {
        uint8_t found[8] = {0};
        for (int i = 0; i < 8 && at + i < count; i++) {
            found[i] = matches[codes[at + i]];
            *all = (uint8_t)(*all | found[i]);
        }
        out[at / 8] = pack_bytes(found);
    }
}

uint8_t stoa_match_codes_u8(const uint8_t *codes, int64_t count, const uint8_t matches[256],
                            int32_t entry_count, uint8_t *out) {
    const stoa_cpu level = stoa_cpu_level();
    uint8_t all = 0;
    int64_t done = 0;
    if (level >= STOA_CPU_AVX512) {
        done = stoa_match_codes_u8_avx512(codes, count, matches, out, &all);
    } else if (level >= STOA_CPU_AVX2 && entry_count <= SMALL_ENTRIES) {
        done = stoa_match_codes_u8_avx2(codes, count, matches, out, &all);
    }
    stoa_match_codes_u8_plain(codes + done, count - done, matches, out + done / 8, &all);
    return all;
}

void stoa_match_codes_u32(const uint32_t *codes, int64_t count, const uint8_t *matches,
                          uint8_t *out) {
    for (int64_t at = 0; at < count; at += 8) {
        uint8_t found[8] = {0};
        for (int i = 0; i < 8 && at + i < count; i++) {
            found[i] = matches[codes[at + i]];
        }
        out[at / 8] = pack_bytes(found);
    }
}

void stoa_match_levels(const uint8_t *levels, int64_t count, uint8_t least, uint8_t *out) {
    for (int64_t at = 0; at < count; at += 8) {
        uint8_t found[8] = {0};
        for (int i = 0; i < 8 && at + i < count; i++) {
            found[i] = levels[at + i] >= least;
        }
        out[at / 8] = pack_bytes(found);
    }
}

int64_t stoa_keep_bits(const uint8_t *bits, const uint8_t *selection, int64_t count,
                         uint8_t *out) {
    uint64_t pending = 0;
    int64_t written = 0;
    for (int64_t at = 0; at < count; at += 8) {
        const int64_t left = count - at;
        uint8_t chosen = selection[at / 8];
        const uint8_t byte = bits[at / 8];
        if (left < 8) {
            chosen = (uint8_t)(chosen & ((1u << left) - 1));
        }
        for (; chosen != 0; chosen = (uint8_t)(chosen & (chosen - 1u))) {
            pending |= (uint64_t)((byte >> __builtin_ctz(chosen)) & 1) << (written % 8);
            written++;
            if (written % 8 == 0) {
                out[written / 8 - 1] = (uint8_t)pending;
                pending = 0;
            }
        }
    }
    if (written % 8 != 0) {
        out[written / 8] = (uint8_t)pending;
    }
    return written;
}

#define SELECT_TYPE(TYPE)                                                                          \
    do {                                                                                           \
        const TYPE *from = (const TYPE *)(const void *)values;                                     \
        TYPE *to = (TYPE *)(void *)out;                                                            \
        for (int64_t at = 0; at < count; at += WORD) {                                             \
            for (uint64_t word = load_word(selection, at, count); word != 0; word &= word - 1) {   \
                to[written++] = from[at + __builtin_ctzll(word)];                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

int64_t stoa_keep_fixed(const uint8_t *values, size_t width, const uint8_t *selection,
                          int64_t count, uint8_t *out) {
    int64_t written = 0;
    switch (width) {
    case 1: SELECT_TYPE(uint8_t); return written;
    case 4: SELECT_TYPE(uint32_t); return written;
    case 8: SELECT_TYPE(uint64_t); return written;
    default: break;
    }
    for (int64_t at = 0; at < count; at += WORD) {
        for (uint64_t word = load_word(selection, at, count); word != 0; word &= word - 1) {
            memmove(out + (size_t)written * width,
                    values + (size_t)(at + __builtin_ctzll(word)) * width, width);
            written++;
        }
    }
    return written;
}

int64_t stoa_keep_lengths(const int32_t *offsets, const uint8_t *selection, int64_t count) {
    int64_t sum = 0;
    for (int64_t at = 0; at < count; at += WORD) {
        for (uint64_t word = load_word(selection, at, count); word != 0; word &= word - 1) {
            const int32_t *offset = offsets + at + __builtin_ctzll(word);
            sum += offset[1] - offset[0];
        }
    }
    return sum;
}

void stoa_keep_strings(const int32_t *offsets, const uint8_t *bytes, const uint8_t *selection,
                         int64_t count, int32_t base, int32_t *ends, uint8_t *out) {
    int32_t end = base;
    for (int64_t at = 0; at < count; at += WORD) {
        for (uint64_t word = load_word(selection, at, count); word != 0; word &= word - 1) {
            const int32_t *offset = offsets + at + __builtin_ctzll(word);
            const int32_t size = offset[1] - offset[0];
            if (size > 0) {
                memcpy(out + (end - base), bytes + offset[0], (size_t)size);
            }
            end += size;
            *ends++ = end;
        }
    }
}

int64_t stoa_keep_numbers(const uint8_t *selection, int64_t count, int64_t *out) {
    int64_t written = 0;
    for (int64_t at = 0; at < count; at += WORD) {
        for (uint64_t word = load_word(selection, at, count); word != 0; word &= word - 1) {
            out[written++] = at + __builtin_ctzll(word);
        }
    }
    return written;
}
