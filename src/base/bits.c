/* Bitmap loops. Each handles the ragged ends bit by bit and the middle a word at a time. */
#include "base/bits.h"

#include <string.h>

int64_t stoa_bitmap_count(const uint8_t *bits, int64_t offset, int64_t count) {
    int64_t set = 0;
    int64_t index = offset;
    int64_t end = offset + count;
    for (; index < end && (index & 7) != 0; index++) {
        set += stoa_bit_get(bits, index);
    }
    for (; index + 64 <= end; index += 64) {
        uint64_t word;
        memcpy(&word, bits + (index >> 3), sizeof word);
        set += __builtin_popcountll(word);
    }
    for (; index < end; index++) {
        set += stoa_bit_get(bits, index);
    }
    return set;
}

/* The first `count` bits from a byte on as the lowest of a word. */
static uint64_t load_word(const uint8_t *bits, int64_t count) {
    uint64_t word = 0;
    if (count >= 64) {
        memcpy(&word, bits, sizeof word);
        return word;
    }
    memcpy(&word, bits, stoa_bitmap_bytes(count));
    return word & ((UINT64_C(1) << count) - 1);
}

/* Without a branch that depends on the bits. */
void stoa_bitmap_list(const uint8_t *bits, int64_t count, uint32_t first, uint32_t *out) {
    for (int64_t at = 0; at < count; at += 64) {
        uint64_t word = load_word(bits + at / 8, count - at);
        for (uint32_t row = first + (uint32_t)at; word != 0; row++, word >>= 1) {
            *out = row;
            out += word & 1;
        }
    }
}

void stoa_bitmap_fill(uint8_t *bits, int64_t offset, int64_t count, bool value) {
    int64_t index = offset;
    int64_t end = offset + count;
    for (; index < end && (index & 7) != 0; index++) {
        stoa_bit_put(bits, index, value);
    }
    int64_t whole = (end - index) / 8;
    if (whole > 0) {
        memset(bits + (index >> 3), value ? 0xFF : 0, (size_t)whole);
        index += whole * 8;
    }
    for (; index < end; index++) {
        stoa_bit_put(bits, index, value);
    }
}

void stoa_bitmap_copy(const uint8_t *source, int64_t source_offset, uint8_t *target,
                      int64_t target_offset, int64_t count) {
    int64_t done = 0;
    for (; done < count && ((target_offset + done) & 7) != 0; done++) {
        stoa_bit_put(target, target_offset + done, stoa_bit_get(source, source_offset + done));
    }
    uint8_t *out = target + ((target_offset + done) >> 3);
    const uint8_t *in = source + ((source_offset + done) >> 3);
    unsigned shift = (unsigned)((source_offset + done) & 7);
    int64_t whole = (count - done) / 8;
    if (whole > 0 && shift == 0) {
        memcpy(out, in, (size_t)whole);
    } else {
        for (int64_t i = 0; i < whole; i++) {
            out[i] = (uint8_t)((in[i] >> shift) | (in[i + 1] << (8 - shift)));
        }
    }
    for (done += whole > 0 ? whole * 8 : 0; done < count; done++) {
        stoa_bit_put(target, target_offset + done, stoa_bit_get(source, source_offset + done));
    }
}
