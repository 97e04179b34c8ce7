/* Numbers and times of CSV.
 *
 * Doubles: a number is w * 10^q with a whole w. While w is below 2^53 and |q| at most 22, both are
 * exact in a double and one operation rounds once (Clinger, "How to read floating point numbers
 * accurately", 1990). For q from -27 to 0, 10^-q is 5^-q < 2^63 times a power of two, so one division
 * of 128 bits by 64 gives at least 62 bits of the quotient, and its remainder tells the rest: that is
 * rounded by hand. All else is strtod's. */
#include "ingest/csv_value_kernel.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { DIGITS_MAX = 19, POWER_EXACT = 22, POWER_DIVIDED = 27, NUMBER_BYTES_MAX = 400 };

static bool is_digit(uint8_t byte) {
    return (uint8_t)(byte - '0') < 10;
}

bool stoa_csv_long_kernel(const uint8_t *bytes, size_t size, int64_t *out) {
    bool negative = size > 0 && bytes[0] == '-';
    size_t i = negative;
    uint64_t value = 0;
    if (size == i || size - i > DIGITS_MAX) {
        return false;
    }
    for (; i < size; i++) {
        if (!is_digit(bytes[i])) {
            return false;
        }
        value = value * 10 + (uint64_t)(bytes[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

/* w * 10^q for q from -POWER_DIVIDED to 0, w not 0, rounded to even. */
static double divide(uint64_t w, int q) {
    static const uint64_t fives[POWER_DIVIDED + 1] = {1u,
                                                      5u,
                                                      25u,
                                                      125u,
                                                      625u,
                                                      3125u,
                                                      15625u,
                                                      78125u,
                                                      390625u,
                                                      1953125u,
                                                      9765625u,
                                                      48828125u,
                                                      244140625u,
                                                      1220703125u,
                                                      6103515625u,
                                                      30517578125u,
                                                      152587890625u,
                                                      762939453125u,
                                                      3814697265625u,
                                                      19073486328125u,
                                                      95367431640625u,
                                                      476837158203125u,
                                                      2384185791015625u,
                                                      11920928955078125u,
                                                      59604644775390625u,
                                                      298023223876953125u,
                                                      1490116119384765625u,
                                                      7450580596923828125u};
    uint64_t five = fives[-q];
    int w_shift = __builtin_clzll(w);
    int five_shift = __builtin_clzll(five);
    __extension__ typedef unsigned __int128 wide;
    wide numerator = (wide)(w << w_shift) << 63;
    uint64_t quotient = (uint64_t)(numerator / (five << five_shift));
    bool rest = numerator % (five << five_shift) != 0;
    /* w / five = quotient * 2^(five_shift - w_shift - 63), and `rest` a bit below. */
    int extra = 64 - 53 - __builtin_clzll(quotient);
    uint64_t half = (uint64_t)1 << (extra - 1);
    uint64_t low = quotient & (((uint64_t)1 << extra) - 1);
    uint64_t kept = quotient >> extra;
    kept += low > half || (low == half && (rest || (kept & 1) != 0));
    int exponent = extra + five_shift - w_shift - 63 + q;
    /* A double with the exponent as its bits: it is far from both ends of the range. */
    uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (double)kept * scale;
}

static bool by_library(const uint8_t *bytes, size_t size, double *out) {
    char text[NUMBER_BYTES_MAX + 1];
    char *end = NULL;
    if (size > NUMBER_BYTES_MAX) {
        return false;
    }
    memcpy(text, bytes, size);
    text[size] = '\0';
    *out = strtod(text, &end);
    /* Beyond the range the engine has a mind of its own. */
    return end == text + size && *out - *out == 0;
}

/* Digits from `*at` on into `*w`; returns how many. */
static size_t take_digits(const uint8_t *bytes, size_t size, size_t *at, uint64_t *w) {
    size_t begin = *at;
    for (; *at < size && is_digit(bytes[*at]); (*at)++) {
        *w = *w * 10 + (uint64_t)(bytes[*at] - '0');
    }
    return *at - begin;
}

/* True when the digits before an exponent, one more than always fit, fit into 64 bits. */
static bool holds_digits(const uint8_t *bytes, size_t size) {
    __extension__ typedef unsigned __int128 wide;
    wide value = 0;
    for (size_t i = 0; i < size && bytes[i] != 'e' && bytes[i] != 'E'; i++) {
        value = is_digit(bytes[i]) ? value * 10 + (wide)(unsigned)(bytes[i] - '0') : value;
    }
    return value <= UINT64_MAX;
}

/* The exponent from `*at`, behind its letter. */
static bool take_exponent(const uint8_t *bytes, size_t size, size_t *at, int *out) {
    uint64_t value = 0;
    bool negative = *at < size && bytes[*at] == '-';
    *at += *at < size && (bytes[*at] == '-' || bytes[*at] == '+');
    size_t digits = take_digits(bytes, size, at, &value);
    if (digits == 0 || digits > 4) {
        return false;
    }
    *out = negative ? -(int)value : (int)value;
    return true;
}

bool stoa_csv_double_kernel(const uint8_t *bytes, size_t size, double *out) {
    static const double tens[POWER_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative = size > 0 && bytes[0] == '-';
    size_t at = negative;
    uint64_t w = 0;
    int exponent = 0;
    size_t digits = take_digits(bytes, size, &at, &w);
    size_t fraction = 0;
    if (digits == 0) {
        return false;
    }
    if (at < size && bytes[at] == '.') {
        at++;
        fraction = take_digits(bytes, size, &at, &w);
        if (fraction == 0) {
            return false;
        }
    }
    if (at < size && (bytes[at] == 'e' || bytes[at] == 'E')) {
        at++;
        if (!take_exponent(bytes, size, &at, &exponent)) {
            return false;
        }
    }
    if (at != size) {
        return false;
    }
    if (digits + fraction > DIGITS_MAX &&
        (digits + fraction > DIGITS_MAX + 1 || !holds_digits(bytes, size))) {
        return by_library(bytes, size, out);
    }
    int q = exponent - (int)fraction;
    double value;
    if (w <= (uint64_t)1 << 53 && q >= -POWER_EXACT && q <= POWER_EXACT) {
        value = q < 0 ? (double)w / tens[-q] : (double)w * tens[q];
    } else if (q == 0) {
        value = (double)w;
    } else if (w != 0 && q >= -POWER_DIVIDED && q < 0) {
        value = divide(w, q);
    } else {
        return by_library(bytes, size, out);
    }
    *out = negative ? -value : value;
    return true;
}

static bool two(const uint8_t *bytes, int32_t *out) {
    *out = (bytes[0] - '0') * 10 + (bytes[1] - '0');
    return is_digit(bytes[0]) && is_digit(bytes[1]);
}

bool stoa_csv_date_kernel(const uint8_t *bytes, size_t size, int32_t *out) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t century = 0;
    int32_t year = 0;
    int32_t month = 0;
    int32_t day = 0;
    if (size != 10 || bytes[4] != '-' || bytes[7] != '-' || !two(bytes, &century) ||
        !two(bytes + 2, &year) || !two(bytes + 5, &month) || !two(bytes + 8, &day)) {
        return false;
    }
    year += century * 100;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year == 0 || month < 1 || month > 12 || day < 1 ||
        day > days[month - 1] + (leap && month == 2)) {
        return false;
    }
    *out = (int32_t)stoa_days_from_civil((stoa_civil){year, month, day});
    return true;
}

bool stoa_csv_timestamp_kernel(const uint8_t *bytes, size_t size, int64_t *out) {
    int32_t date = 0;
    int32_t hour = 0;
    int32_t minute = 0;
    int32_t second = 0;
    if (size < 19 || size == 20 || size > 26 || (bytes[10] != ' ' && bytes[10] != 'T') ||
        bytes[13] != ':' || bytes[16] != ':' || !stoa_csv_date_kernel(bytes, 10, &date) ||
        !two(bytes + 11, &hour) || !two(bytes + 14, &minute) || !two(bytes + 17, &second) ||
        hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    int64_t micros = 0;
    if (size > 19) {
        if (bytes[19] != '.') {
            return false;
        }
        for (size_t i = 20; i < 26; i++) {
            if (i < size && !is_digit(bytes[i])) {
                return false;
            }
            micros = micros * 10 + (i < size ? bytes[i] - '0' : 0);
        }
    }
    int64_t seconds = (int64_t)date * 86400 + hour * 3600 + minute * 60 + second;
    *out = seconds * 1000000 + micros;
    return true;
}

static uint64_t marks_slow(const uint8_t *bytes, size_t size, uint8_t delimiter, uint8_t quote) {
    uint64_t marks = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = bytes[i];
        bool is_mark = byte == delimiter || byte == quote || byte == '\n' || byte == '\r';
        marks |= (uint64_t)is_mark << i;
    }
    return marks;
}

uint64_t stoa_csv_marks_kernel(const uint8_t *bytes, size_t size, uint8_t delimiter,
                               uint8_t quote) {
#if defined(__SSE2__)
    if (size == 64) {
        const __m128i marks[4] = {_mm_set1_epi8((char)delimiter), _mm_set1_epi8((char)quote),
                                  _mm_set1_epi8('\n'), _mm_set1_epi8('\r')};
        uint64_t found = 0;
        for (int i = 0; i < 4; i++) {
            __m128i part = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i * 16));
            __m128i any = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(part, marks[0]),
                                                    _mm_cmpeq_epi8(part, marks[1])),
                                       _mm_or_si128(_mm_cmpeq_epi8(part, marks[2]),
                                                    _mm_cmpeq_epi8(part, marks[3])));
            found |= (uint64_t)(uint32_t)_mm_movemask_epi8(any) << (i * 16);
        }
        return found;
    }
#endif
    return marks_slow(bytes, size, delimiter, quote);
}
