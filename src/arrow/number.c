/* Half floats, wide decimals and the shortest text of binary floats.
 *
 * Shortest text: 15 significant digits name every normal double that has so short a name, and the
 * nearest such text is found by printf; where it does not read back, 16 and then 17 digits do. At a
 * power of two the gap below is half of the gap above, so that the nearest 16 digits may miss while
 * their upper neighbour hits: it is tried before a 17th digit is spent. Subnormals have fewer
 * digits, so for them the count starts at 1. Floats: 6 to 9 digits in the same way.
 *
 * The layout of the digits follows DuckDB: plain from 1e-4 to below 1e16, else with an exponent of
 * at least two digits. */
#include "arrow/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/error.h"

uint16_t stoa_half_from_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    double magnitude = fabs(value);
    if (isnan(value)) {
        return (uint16_t)(sign | 0x7E00);
    }
    if (magnitude >= 65520) { /* halfway between the largest half and what would follow */
        return (uint16_t)(sign | 0x7C00);
    }
    int exponent;
    (void)frexp(magnitude, &exponent); /* magnitude = [0.5, 1) * 2^exponent */
    if (magnitude == 0 || exponent < -13) {
        /* Subnormal: counts of 2^-24. 1024 of them are the smallest normal, in bits as well. */
        return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(magnitude, 24)));
    }
    /* 11 significant bits; rounding up to 2048 carries into the exponent as it should. */
    int significand = (int)nearbyint(ldexp(magnitude, 11 - exponent));
    return (uint16_t)(sign | (((exponent + 13) << 10) + significand));
}

double stoa_half_to_double(uint16_t half) {
    int exponent = half >> 10 & 0x1F;
    int fraction = half & 0x3FF;
    double magnitude = exponent == 0x1F ? (fraction == 0 ? (double)INFINITY : (double)NAN)
                       : exponent == 0  ? ldexp(fraction, -24)
                                        : ldexp(fraction + 1024, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

/* The magnitude of a two's-complement number as 32-bit limbs, lowest first. */
struct magnitude {
    uint32_t limbs[8];
    bool negative;
};

static struct magnitude magnitude_load(const void *bytes, int32_t width) {
    STOA_ASSERT(width == 4 || width == 8 || width == 16 || width == 32);
    struct magnitude out = {.negative = (((const uint8_t *)bytes)[width - 1] & 0x80) != 0};
    memcpy(out.limbs, bytes, (size_t)width);
    if (out.negative) {
        uint64_t carry = 1;
        for (int i = 0; i < width / 4; i++) {
            carry += (uint32_t)~out.limbs[i];
            out.limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    return out;
}

/* Divides in place and returns the remainder. */
static uint32_t magnitude_divide(struct magnitude *value, uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = 7; i >= 0; i--) {
        rest = rest << 32 | value->limbs[i];
        value->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

static bool magnitude_is_zero(const struct magnitude *value) {
    uint32_t any = 0;
    for (int i = 0; i < 8; i++) {
        any |= value->limbs[i];
    }
    return any == 0;
}

enum { DECIMAL_DIGITS_MAX = 90 };

/* Decimal digits, most significant first, without leading zeros; "0" for zero. */
static size_t magnitude_digits(struct magnitude *value, char out[DECIMAL_DIGITS_MAX]) {
    char reversed[DECIMAL_DIGITS_MAX];
    size_t count = 0;
    do {
        uint32_t chunk = magnitude_divide(value, 1000000000);
        bool last = magnitude_is_zero(value);
        for (int i = 0; i < 9 && (!last || chunk > 0); i++) {
            reversed[count++] = (char)('0' + chunk % 10);
            chunk /= 10;
        }
    } while (!magnitude_is_zero(value));
    if (count == 0) {
        reversed[count++] = '0';
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

bool stoa_decimal_fits(const void *bytes, int32_t width, int32_t precision) {
    struct magnitude value = magnitude_load(bytes, width);
    char digits[DECIMAL_DIGITS_MAX];
    return magnitude_digits(&value, digits) <= (size_t)precision;
}

size_t stoa_decimal_print(const void *bytes, int32_t width, int32_t scale,
                          char out[STOA_DECIMAL_TEXT_BYTES]) {
    STOA_ASSERT(scale >= -1000 && scale <= 1000);
    struct magnitude value = magnitude_load(bytes, width);
    bool zero = magnitude_is_zero(&value);
    char digits[DECIMAL_DIGITS_MAX];
    size_t count = magnitude_digits(&value, digits);
    size_t size = 0;
    if (value.negative) {
        out[size++] = '-';
    }
    size_t fraction = scale > 0 ? (size_t)scale : 0;
    size_t whole = count > fraction ? count - fraction : 0;
    memcpy(out + size, digits, whole);
    size += whole;
    if (whole == 0) {
        out[size++] = '0';
    }
    if (fraction > 0) {
        out[size++] = '.';
        size_t zeros = count < fraction ? fraction - count : 0;
        memset(out + size, '0', zeros);
        size += zeros;
        memcpy(out + size, digits + whole, count - whole);
        size += count - whole;
    }
    if (scale < 0 && !zero) {
        memset(out + size, '0', (size_t)-scale);
        size += (size_t)-scale;
    }
    out[size] = '\0';
    return size;
}

/* A positive number as digits and the exponent of the first digit. */
struct digits {
    int count;
    int exponent;
    char text[20];
};

/* "d.ddde±x" as printf writes it, taken apart; trailing zeros go. */
static struct digits digits_of(double magnitude, int count) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.*e", count - 1, magnitude);
    struct digits out = {.count = 0};
    const char *at = text;
    for (; *at != 'e'; at++) {
        if (*at != '.') {
            out.text[out.count++] = *at;
        }
    }
    out.exponent = (int)strtol(at + 1, NULL, 10);
    while (out.count > 1 && out.text[out.count - 1] == '0') {
        out.count--;
    }
    return out;
}

/* Reads back through the C library, which rounds correctly. */
static bool digits_name(const struct digits *digits, double magnitude, bool single) {
    char text[40];
    size_t size = 0;
    text[size++] = digits->text[0];
    text[size++] = '.';
    for (int i = 1; i < digits->count; i++) {
        text[size++] = digits->text[i];
    }
    (void)snprintf(text + size, sizeof text - size, "e%d", digits->exponent);
    return single ? strtof(text, NULL) == (float)magnitude : strtod(text, NULL) == magnitude;
}

/* One more in the last of `count` digits; trailing zeros go. */
static struct digits digits_next(struct digits digits, int count) {
    while (digits.count < count) {
        digits.text[digits.count++] = '0';
    }
    int at = count - 1;
    while (at >= 0 && digits.text[at] == '9') {
        digits.text[at--] = '0';
    }
    if (at >= 0) {
        digits.text[at]++;
    } else {
        memmove(digits.text + 1, digits.text, (size_t)count - 1);
        digits.text[0] = '1';
        digits.exponent++;
    }
    while (digits.count > 1 && digits.text[digits.count - 1] == '0') {
        digits.count--;
    }
    return digits;
}

/* Prices, rates and counts: numbers of at most 15 digits, few of them behind the point. Fifteen digits
 * and powers of ten are exact, so their quotient is rounded once, as reading the text would be; and
 * no other text of 15 digits reads as the same number, so the fewest digits are the shortest. */
static bool digits_short(double magnitude, struct digits *out) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    if (magnitude < 1e-4 || magnitude >= 1e15) {
        return false;
    }
    for (int places = 0; places <= 8; places++) {
        const double scaled = magnitude * powers[places] + 0.5;
        if (scaled >= 1e15) {
            return false;
        }
        const uint64_t whole = (uint64_t)scaled;
        if ((double)whole / powers[places] == magnitude) {
            out->count = (int)stoa_digits_print(whole, out->text);
            out->exponent = out->count - 1 - places;
            while (out->count > 1 && out->text[out->count - 1] == '0') {
                out->count--;
            }
            return true;
        }
    }
    return false;
}

static struct digits digits_shortest(double magnitude, bool single) {
    struct digits few;
    if (!single && digits_short(magnitude, &few)) {
        return few;
    }
    int most = single ? 9 : 17;
    int first = single ? 6 : 15;
    if (magnitude < (single ? 0x1p-126 : 0x1p-1022)) {
        first = 1;
    }
    int exponent;
    bool power_of_two = frexp(magnitude, &exponent) == 0.5;
    for (int count = first; count < most; count++) {
        struct digits digits = digits_of(magnitude, count);
        if (digits_name(&digits, magnitude, single)) {
            return digits;
        }
        if (power_of_two) {
            digits = digits_next(digits, count);
            if (digits_name(&digits, magnitude, single)) {
                return digits;
            }
        }
    }
    return digits_of(magnitude, most);
}

static size_t digits_print(const struct digits *digits, char *out) {
    size_t size = 0;
    if (digits->exponent >= 16 || digits->exponent < -4) {
        out[size++] = digits->text[0];
        if (digits->count > 1) {
            out[size++] = '.';
        }
        for (int i = 1; i < digits->count; i++) {
            out[size++] = digits->text[i];
        }
        return size + (size_t)snprintf(out + size, 8, "e%+03d", digits->exponent);
    }
    if (digits->exponent < 0) {
        out[size++] = '0';
        out[size++] = '.';
        for (int i = -1; i > digits->exponent; i--) {
            out[size++] = '0';
        }
    }
    for (int i = 0; i < digits->count || i <= digits->exponent; i++) {
        out[size++] = i < digits->count ? digits->text[i] : '0';
        if (i == digits->exponent) {
            out[size++] = '.';
        }
    }
    if (out[size - 1] == '.') {
        out[size++] = '0';
    }
    out[size] = '\0';
    return size;
}

static size_t binary_print(double value, bool single, char out[STOA_DOUBLE_TEXT_BYTES]) {
    if (isnan(value)) {
        memcpy(out, "nan", 4);
        return 3;
    }
    size_t sign = signbit(value) ? 1 : 0;
    out[0] = '-';
    if (isinf(value)) {
        memcpy(out + sign, "inf", 4);
        return sign + 3;
    }
    if (value == 0) {
        memcpy(out + sign, "0.0", 4);
        return sign + 3;
    }
    struct digits digits = digits_shortest(fabs(value), single);
    return sign + digits_print(&digits, out + sign);
}

size_t stoa_double_print(double value, char out[STOA_DOUBLE_TEXT_BYTES]) {
    return binary_print(value, false, out);
}

size_t stoa_float_print(float value, char out[STOA_DOUBLE_TEXT_BYTES]) {
    return binary_print((double)value, true, out);
}
