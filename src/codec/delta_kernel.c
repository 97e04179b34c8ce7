/* A unit of differences is unpacked into the first-level cache and summed up there. */
#include "codec/delta_kernel.h"

#include "base/error.h"
#include "codec/bitpack_kernel.h"

enum { UNIT = 32 };

#define SUM_UP(NAME, TYPE)                                                                         \
    static TYPE sum_up_##NAME(TYPE *values, size_t count, TYPE smallest, TYPE last) {              \
        for (size_t i = 0; i < count; i++) {                                                       \
            last += values[i] + smallest;                                                          \
            values[i] = last;                                                                      \
        }                                                                                          \
        return last;                                                                               \
    }
SUM_UP(u32, uint32_t)
SUM_UP(u64, uint64_t)

/* Differences of 33 bits and more occur for 32-bit values where a writer computes in 64 bits. */
static void unpack_narrowed(const uint8_t *packed, size_t count, int width, uint32_t *out) {
    for (size_t done = 0; done < count; done += UNIT) {
        uint64_t wide[UNIT];
        stoa_bitunpack_u64(packed + done / 8 * (size_t)width, UNIT, width, wide);
        for (size_t i = 0; i < UNIT; i++) {
            out[done + i] = (uint32_t)wide[i];
        }
    }
}

void stoa_delta_unpack_u32(const uint8_t *packed, size_t count, int width, uint32_t smallest,
                           uint32_t *last, uint32_t *out) {
    STOA_ASSERT(count % UNIT == 0 && width >= 0 && width <= 64);
    if (width <= 32) {
        stoa_bitunpack_u32(packed, count, width, out);
    } else {
        unpack_narrowed(packed, count, width, out);
    }
    *last = sum_up_u32(out, count, smallest, *last);
}

void stoa_delta_unpack_u64(const uint8_t *packed, size_t count, int width, uint64_t smallest,
                           uint64_t *last, uint64_t *out) {
    STOA_ASSERT(count % UNIT == 0 && width >= 0 && width <= 64);
    stoa_bitunpack_u64(packed, count, width, out);
    *last = sum_up_u64(out, count, smallest, *last);
}
