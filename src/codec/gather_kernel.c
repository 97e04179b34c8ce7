/* Loads and stores of a constant width are single instructions; other widths are copied. On the
 * machines measured, the processor's own gather instructions are no faster than these loops. */
#include "codec/gather_kernel.h"

#include <string.h>

#include "base/cpu.h"
#include "base/error.h"

__attribute__((always_inline)) static inline uint32_t highest(const uint32_t *codes, size_t count) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most = codes[i] > most ? codes[i] : most;
    }
    return most;
}

/* The compiler makes vectors of the loop, but before AVX2 they are short and compare with a sign. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint32_t highest_avx2(const uint32_t *codes, size_t count) {
    return highest(codes, count);
}
#endif

uint32_t stoa_codes_highest(const uint32_t *codes, size_t count) {
#if defined(__x86_64__)
    if (stoa_cpu_level() >= STOA_CPU_AVX2) {
        return highest_avx2(codes, count);
    }
#endif
    return highest(codes, count);
}

__attribute__((always_inline)) static inline void gather(const uint8_t *entries, size_t value_bytes,
                                                         const uint32_t *codes, size_t count,
                                                         uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * value_bytes, entries + codes[i] * value_bytes, value_bytes);
    }
}

void stoa_codes_gather(const uint8_t *entries, size_t value_bytes, const uint32_t *codes,
                       size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    switch (value_bytes) {
    case 1: gather(entries, 1, codes, count, out); break;
    case 2: gather(entries, 2, codes, count, out); break;
    case 4: gather(entries, 4, codes, count, out); break;
    case 8: gather(entries, 8, codes, count, out); break;
    case 12: gather(entries, 12, codes, count, out); break;
    case 16: gather(entries, 16, codes, count, out); break;
    default: gather(entries, value_bytes, codes, count, out); break;
    }
}

__attribute__((always_inline)) static inline void repeat(const uint8_t *value, size_t value_bytes,
                                                         size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * value_bytes, value, value_bytes);
    }
}

void stoa_repeat_fixed(const uint8_t *value, size_t value_bytes, size_t count, uint8_t *out) {
    STOA_ASSERT(value_bytes > 0);
    switch (value_bytes) {
    case 4: repeat(value, 4, count, out); break;
    case 8: repeat(value, 8, count, out); break;
    case 16: repeat(value, 16, count, out); break;
    default: repeat(value, value_bytes, count, out); break;
    }
}
