/* Whole numbers as decimal digits, for what prints millions of them. */
#ifndef STOA_BASE_DIGITS_H
#define STOA_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { STOA_DIGITS_MAX = 20 };

/// Writes the digits of `value`, without a NUL, and returns how many: 1 to STOA_DIGITS_MAX.
size_t stoa_digits_print(uint64_t value, char *out);

/// Writes the last `count` digits of `value`, with zeros in front.
void stoa_digits_pad(uint64_t value, size_t count, char *out);

#endif
