/* One specialisation for each common width, so that the compiler sees a constant and a copy is a move.
 * tests/lsm/prop_merge.c holds what they give against stoa_arrow_take. */
#include "lsm/interleave_kernel.h"

#include <stdbool.h>
#include <string.h>

enum {
    AHEAD = 32
}; /* values that are fetched while one is copied: rows may lie anywhere in memory */

static inline const uint8_t *value_at(const uint8_t *const *values, size_t width,
                                      stoa_place place) {
    return values[place.source] + place.row * width;
}

static inline void interleave_width(const uint8_t *const *values, size_t width,
                                    const stoa_place *places, int64_t count, uint8_t *out) {
    int64_t i = 0;
    for (; i < count - AHEAD; i++) {
        __builtin_prefetch(value_at(values, width, places[i + AHEAD]));
        memcpy(out + (size_t)i * width, value_at(values, width, places[i]), width);
    }
    for (; i < count; i++) {
        memcpy(out + (size_t)i * width, value_at(values, width, places[i]), width);
    }
}

void stoa_interleave_fixed(const uint8_t *const *values, size_t width, const stoa_place *places,
                           int64_t count, uint8_t *out) {
    switch (width) {
    case 0: return;
    case 1: interleave_width(values, 1, places, count, out); return;
    case 2: interleave_width(values, 2, places, count, out); return;
    case 4: interleave_width(values, 4, places, count, out); return;
    case 8: interleave_width(values, 8, places, count, out); return;
    case 16: interleave_width(values, 16, places, count, out); return;
    default: interleave_width(values, width, places, count, out); return;
    }
}

/* Other bits of the byte may belong to rows that a memtable's writer is adding. */
static inline uint8_t bit_of(const uint8_t *const *bits, const int64_t *at, stoa_place place) {
    const uint8_t *source = bits[place.source];
    const int64_t bit = at[place.source] + place.row;
    return source == NULL ||
           (__atomic_load_n(&source[bit >> 3], __ATOMIC_RELAXED) >> (bit & 7) & 1);
}

int64_t stoa_interleave_bits(const uint8_t *const *bits, const int64_t *at,
                             const stoa_place *places, int64_t count, uint8_t *out) {
    int64_t ones = 0;
    for (int64_t first = 0; first < count; first += 8) {
        const int64_t rows = count - first < 8 ? count - first : 8;
        uint8_t byte = 0;
        for (int64_t i = first + AHEAD; i < first + AHEAD + rows && i < count; i++) {
            const uint8_t *source = bits[places[i].source];
            __builtin_prefetch(
                source == NULL ? NULL : source + ((at[places[i].source] + places[i].row) >> 3));
        }
        for (int64_t i = 0; i < rows; i++) {
            byte |= (uint8_t)(bit_of(bits, at, places[first + i]) << i);
        }
        out[first / 8] = byte;
        ones += __builtin_popcount(byte);
    }
    return count - ones;
}

int64_t stoa_interleave_ends(const int32_t *const *offsets, const stoa_place *places, int64_t count,
                             int32_t *ends) {
    int64_t end = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch(offsets[places[i + AHEAD].source] + places[i + AHEAD].row);
        }
        const int32_t *at = offsets[places[i].source] + places[i].row;
        end += at[1] - at[0];
        ends[i] = (int32_t)end;
    }
    return end;
}

void stoa_interleave_bytes(const int32_t *const *offsets, const uint8_t *const *bytes,
                           const stoa_place *places, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) { /* the offsets were looked at for the ends */
            const stoa_place next = places[i + AHEAD];
            __builtin_prefetch(bytes[next.source] + offsets[next.source][next.row]);
        }
        const int32_t *at = offsets[places[i].source] + places[i].row;
        const size_t size = (size_t)(at[1] - at[0]);
        if (size > 0) {
            memcpy(out, bytes[places[i].source] + at[0], size);
            out += size;
        }
    }
}

void stoa_interleave_items(const int32_t *const *offsets, const stoa_place *places, int64_t count,
                           stoa_place *out) {
    for (int64_t i = 0; i < count; i++) {
        const int32_t *at = offsets[places[i].source] + places[i].row;
        for (int32_t item = at[0]; item < at[1]; item++) {
            *out++ = (stoa_place){places[i].source, (uint32_t)item};
        }
    }
}
