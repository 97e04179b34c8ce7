/* Arithmetic on numbers that come from outside: the answer, or false when it does not fit. */
#ifndef STOA_BASE_CHECKED_H
#define STOA_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool stoa_add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool stoa_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool stoa_add_i64(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool stoa_mul_i64(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool stoa_add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
/// `value` rounded up to a multiple of `unit`, a power of two.
static inline bool stoa_round_up_size(size_t value, size_t unit, size_t *out) {
    if (!stoa_add_size(value, unit - 1, out)) {
        return false;
    }
    *out &= ~(unit - 1);
    return true;
}

#endif
