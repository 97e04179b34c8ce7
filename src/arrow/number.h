/* Numbers that C has no type for, as bytes: half floats and decimals to 256 bits. */
#ifndef STOA_ARROW_NUMBER_H
#define STOA_ARROW_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// IEEE 754 binary16, rounded to nearest, ties to even; too large becomes infinity.
uint16_t stoa_half_from_double(double value);
double stoa_half_to_double(uint16_t half);

/// True when the two's-complement number of `width` bytes (4, 8, 16 or 32) has at most `precision`
/// decimal digits.
bool stoa_decimal_fits(const void *bytes, int32_t width, int32_t precision);

/// 76 digits, a sign, a point, zeros in front of or behind the digits for scales to 1000, a NUL.
enum { STOA_DECIMAL_TEXT_BYTES = 1088 };

/// "-12.340" for -12340 of scale 3; a negative scale appends zeros. Returns the length.
size_t stoa_decimal_print(const void *bytes, int32_t width, int32_t scale,
                          char out[STOA_DECIMAL_TEXT_BYTES]);

/// The shortest decimal text that reads back as the same number: "0.1", "1e+16", "100.0", "nan",
/// "inf". A number without a point or exponent gets ".0", as DuckDB casts to VARCHAR. Returns the
/// length.
enum { STOA_DOUBLE_TEXT_BYTES = 40 };
size_t stoa_double_print(double value, char out[STOA_DOUBLE_TEXT_BYTES]);
size_t stoa_float_print(float value, char out[STOA_DOUBLE_TEXT_BYTES]);

#endif
