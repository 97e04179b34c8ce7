/* From the text of a constant to the exact point that it names.
 *
 * Nothing is rounded: a point between two steps of a column's type keeps that fact, so that the
 * predicate parser can decide `i < 2.5` (i <= 2) and `i = 2.5` (never). Floats are the exception: a
 * constant means the float nearest to it, as everywhere. */
#include "schema/constant.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { DIGITS_MAX = 38, NUMBER_BYTES_MAX = 400, EXPONENT_MAX = 100000 };

bool stoa_type_has_grid(const stoa_type *type) {
    stoa_type_kind kind = type->kind;
    return stoa_type_is_signed_integer(kind) || stoa_type_is_unsigned_integer(kind) ||
           stoa_type_has_unit(kind) || kind == STOA_TYPE_DECIMAL || kind == STOA_TYPE_DATE;
}

int64_t stoa_type_per_second(const stoa_type *type) {
    static const int64_t PER_SECOND[] = {1, 1000, 1000000, 1000000000};
    return PER_SECOND[type->unit];
}

void stoa_grid_range(const stoa_type *type, __int128 *low, __int128 *high) {
    *low = INT64_MIN;
    *high = INT64_MAX;
    if (type->kind == STOA_TYPE_DATE) {
        *low = INT32_MIN;
        *high = INT32_MAX;
    } else if (type->kind == STOA_TYPE_TIME) {
        *low = 0;
        *high = (__int128)86400 * stoa_type_per_second(type) - 1;
    } else if (type->kind == STOA_TYPE_DECIMAL) {
        *high = 1;
        for (int32_t i = 0; i < type->precision; i++) {
            *high *= 10;
        }
        *high -= 1;
        *low = -*high;
    } else if (stoa_type_is_signed_integer(type->kind)) {
        int32_t bits = 8 << (type->kind - STOA_TYPE_INT8);
        *high = ((__int128)1 << (bits - 1)) - 1;
        *low = -*high - 1;
    } else if (stoa_type_is_unsigned_integer(type->kind)) {
        *low = 0;
        *high = ((__int128)1 << (8 << (type->kind - STOA_TYPE_UINT8))) - 1;
    }
}

stoa_value stoa_grid_value(const stoa_type *type, __int128 step) {
    stoa_value value = {.type = *type};
    if (type->kind == STOA_TYPE_DECIMAL) {
        value.decimal = step;
    } else {
        value.i = (int64_t)(uint64_t)step; /* unsigned 64 bits as its bits */
    }
    return value;
}

/* -- numbers ---------------------------------------------------------------------------------- */

struct reader {
    const char *text;
    size_t size;
    size_t at;
};

static bool more(const struct reader *reader) {
    return reader->at < reader->size;
}

static bool take(struct reader *reader, char c) {
    if (more(reader) && reader->text[reader->at] == c) {
        reader->at++;
        return true;
    }
    return false;
}

static bool digit_next(const struct reader *reader) {
    return more(reader) && stoa_ascii_is_digit(reader->text[reader->at]);
}

/* Between `least` and `most` digits. */
static bool take_digits(struct reader *reader, size_t least, size_t most, int64_t *out) {
    size_t start = reader->at;
    *out = 0;
    while (digit_next(reader) && reader->at - start < most) {
        *out = *out * 10 + (reader->text[reader->at++] - '0');
    }
    return reader->at - start >= least;
}

static void trim(struct reader *reader) {
    while (more(reader) && stoa_ascii_is_space(reader->text[reader->at])) {
        reader->at++;
    }
    while (more(reader) && stoa_ascii_is_space(reader->text[reader->size - 1])) {
        reader->size--;
    }
}

/* Digits with the point left out; the value is 0.DIGITS times 10^point. */
struct number {
    bool negative;
    const char *digits;
    size_t size; /* of the text of the digits, a point within included */
    int64_t point;
};

static bool take_exponent(struct reader *reader, int64_t *out) {
    *out = 0;
    if (!take(reader, 'e') && !take(reader, 'E')) {
        return true;
    }
    bool negative = take(reader, '-');
    if (!negative) {
        (void)take(reader, '+');
    }
    if (!digit_next(reader)) {
        return false;
    }
    for (; digit_next(reader); reader->at++) {
        *out = *out * 10 + (reader->text[reader->at] - '0');
        *out = *out > EXPONENT_MAX ? EXPONENT_MAX : *out;
    }
    *out = negative ? -*out : *out;
    return true;
}

static bool read_number(struct reader *reader, struct number *out) {
    trim(reader);
    out->negative = take(reader, '-');
    if (!out->negative) {
        (void)take(reader, '+');
    }
    while (take(reader, '0')) {
    }
    bool zeros = reader->at > 0 && reader->text[reader->at - 1] == '0';
    size_t start = reader->at;
    while (digit_next(reader)) {
        reader->at++;
    }
    out->point = (int64_t)(reader->at - start);
    size_t whole = reader->at - start;
    size_t fraction = 0;
    if (take(reader, '.')) {
        size_t begin = reader->at;
        while (digit_next(reader)) {
            reader->at++;
        }
        fraction = reader->at - begin;
    }
    out->digits = reader->text + start;
    out->size = reader->at - start;
    int64_t exponent;
    if ((whole == 0 && fraction == 0 && !zeros) || !take_exponent(reader, &exponent)) {
        return false;
    }
    out->point += exponent;
    return !more(reader);
}

bool stoa_grid_from_number(const char *text, size_t size, int32_t scale, struct stoa_grid *out) {
    struct reader reader = {text, size, 0};
    struct number number;
    *out = (struct stoa_grid){.exact = true};
    if (!read_number(&reader, &number)) {
        return false;
    }
    int64_t whole = number.point + scale; /* digits before the point, counted in steps */
    int64_t seen = 0;
    int64_t significant = 0;
    bool leading = true;
    for (size_t i = 0; i < number.size; i++) {
        if (number.digits[i] == '.') {
            continue;
        }
        int32_t digit = number.digits[i] - '0';
        if (seen++ >= whole) {
            out->exact = out->exact && digit == 0;
            continue;
        }
        leading = leading && digit == 0;
        significant += leading ? 0 : 1;
        if (significant <= DIGITS_MAX) {
            out->floor = out->floor * 10 + digit;
        }
    }
    for (; seen < whole && !leading && significant <= DIGITS_MAX; seen++) {
        significant++;
        if (significant <= DIGITS_MAX) {
            out->floor *= 10;
        }
    }
    if (significant > DIGITS_MAX) {
        out->huge = number.negative ? -1 : 1;
        return true;
    }
    if (number.negative) {
        out->floor = -out->floor - (out->exact ? 0 : 1);
    }
    return true;
}

bool stoa_float_from_text(const char *text, size_t size, bool single, double *out) {
    struct reader reader = {text, size, 0};
    trim(&reader);
    char copy[NUMBER_BYTES_MAX];
    size_t length = reader.size - reader.at;
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text + reader.at, length);
    copy[length] = '\0';
    /* strtod also reads hexadecimal and "nan(...)", which no SQL means. */
    if (strspn(copy, "0123456789+-.eEinfatyINFATY") != length) {
        return false;
    }
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return false;
    }
    char *end;
    *out = single ? (double)strtof_l(copy, &end, plain) : strtod_l(copy, &end, plain);
    freelocale(plain);
    return end == copy + length;
}

/* -- dates and times -------------------------------------------------------------------------- */

static bool take_date(struct reader *reader, int64_t *out_days) {
    static const int32_t DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool negative = take(reader, '-');
    int64_t year;
    int64_t month;
    int64_t day;
    if (!take_digits(reader, 3, 9, &year) || !take(reader, '-') ||
        !take_digits(reader, 1, 2, &month) || !take(reader, '-') ||
        !take_digits(reader, 1, 2, &day)) {
        return false;
    }
    year = negative ? -year : year;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > DAYS[month - 1] ||
        (month == 2 && day == 29 && !leap)) {
        return false;
    }
    *out_days = stoa_days_from_civil((stoa_civil){year, (int32_t)month, (int32_t)day});
    return true;
}

/* ".123456789…" as steps below a second, and whether that is all. */
static bool take_fraction(struct reader *reader, int64_t per_second, int64_t *out, bool *exact) {
    *out = 0;
    if (!take(reader, '.')) {
        return true;
    }
    if (!digit_next(reader)) {
        return false;
    }
    for (int64_t step = per_second / 10; digit_next(reader); reader->at++, step /= 10) {
        int64_t digit = reader->text[reader->at] - '0';
        *out += digit * step;
        *exact = *exact && (step > 0 || digit == 0);
    }
    return true;
}

static bool take_time(struct reader *reader, int64_t per_second, struct stoa_grid *out) {
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t fraction = 0;
    if (!take_digits(reader, 1, 2, &hour) || !take(reader, ':') ||
        !take_digits(reader, 2, 2, &minute) || hour > 23 || minute > 59) {
        return false;
    }
    if (take(reader, ':')) {
        if (!take_digits(reader, 2, 2, &second) || second > 59 ||
            !take_fraction(reader, per_second, &fraction, &out->exact)) {
            return false;
        }
    }
    out->floor += (__int128)((hour * 60 + minute) * 60 + second) * per_second + fraction;
    return true;
}

static bool take_zone(struct reader *reader, int64_t *out_seconds, stoa_zone *out) {
    *out_seconds = 0;
    *out = STOA_ZONE_NONE;
    while (take(reader, ' ')) {
    }
    if (!more(reader)) {
        return true;
    }
    *out = STOA_ZONE_GIVEN;
    if (take(reader, 'Z') || take(reader, 'z')) {
        return !more(reader);
    }
    if (stoa_ascii_same_word(reader->text + reader->at, reader->size - reader->at, "utc")) {
        reader->at = reader->size;
        return true;
    }
    int64_t sign = take(reader, '-') ? -1 : take(reader, '+') ? 1 : 0;
    int64_t hours;
    int64_t minutes = 0;
    if (sign == 0 || !take_digits(reader, 2, 2, &hours)) {
        return false;
    }
    if (more(reader)) {
        (void)take(reader, ':');
        if (!take_digits(reader, 2, 2, &minutes)) {
            return false;
        }
    }
    *out_seconds = sign * (hours * 60 + minutes) * 60;
    return hours <= 18 && minutes <= 59 && !more(reader);
}

bool stoa_grid_from_timestamp(const char *text, size_t size, int64_t per_second,
                              struct stoa_grid *out, stoa_zone *out_zone, bool *out_day_only) {
    struct reader reader = {text, size, 0};
    int64_t days;
    int64_t zone;
    *out = (struct stoa_grid){.exact = true};
    *out_zone = STOA_ZONE_NONE;
    trim(&reader);
    if (!take_date(&reader, &days)) {
        return false;
    }
    out->floor = (__int128)days * 86400 * per_second;
    *out_day_only = !more(&reader);
    if (*out_day_only) {
        return true;
    }
    if ((!take(&reader, ' ') && !take(&reader, 'T')) || !take_time(&reader, per_second, out) ||
        !take_zone(&reader, &zone, out_zone)) {
        return false;
    }
    out->floor -= (__int128)zone * per_second;
    return true;
}

bool stoa_grid_from_time(const char *text, size_t size, int64_t per_second, struct stoa_grid *out) {
    struct reader reader = {text, size, 0};
    *out = (struct stoa_grid){.exact = true};
    trim(&reader);
    return take_time(&reader, per_second, out) && !more(&reader);
}

bool stoa_grid_from_duration(const char *text, size_t size, int64_t per_second,
                             struct stoa_grid *out) {
    static const struct {
        const char *name;
        int64_t nanoseconds;
    } UNITS[] = {
        {"nanosecond", 1},
        {"ns", 1},
        {"microsecond", 1000},
        {"us", 1000},
        {"millisecond", 1000000},
        {"ms", 1000000},
        {"second", 1000000000},
        {"s", 1000000000},
        {"minute", INT64_C(60000000000)},
        {"hour", INT64_C(3600000000000)},
        {"day", INT64_C(86400000000000)},
        {"week", INT64_C(604800000000000)},
    };
    struct reader reader = {text, size, 0};
    trim(&reader);
    size_t start = reader.at;
    while (more(&reader) && strchr("+-0123456789.", reader.text[reader.at]) != NULL) {
        reader.at++;
    }
    struct stoa_grid count;
    if (!stoa_grid_from_number(text + start, reader.at - start, 0, &count) || !count.exact ||
        count.huge != 0 || count.floor > INT64_MAX || count.floor < INT64_MIN) {
        return false;
    }
    while (take(&reader, ' ')) {
    }
    const char *word = reader.text + reader.at;
    size_t length = reader.size - reader.at;
    if (length > 2 && (word[length - 1] == 's' || word[length - 1] == 'S')) {
        length--;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (stoa_ascii_same_word(word, length, UNITS[i].name)) {
            __int128 nanoseconds = count.floor * UNITS[i].nanoseconds;
            __int128 step = 1000000000 / per_second;
            *out = (struct stoa_grid){.floor = nanoseconds / step,
                                      .exact = nanoseconds % step == 0};
            out->floor -= nanoseconds % step < 0 ? 1 : 0;
            return true;
        }
    }
    return false;
}

/* -- uuids ------------------------------------------------------------------------------------ */

static int32_t hex_digit(char c) {
    char lower = stoa_ascii_lower(c);
    return stoa_ascii_is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool stoa_uuid_from_text(const char *text, size_t size, uint8_t out[16]) {
    struct reader reader = {text, size, 0};
    trim(&reader);
    if (take(&reader, '{')) {
        if (reader.size < 2 || reader.text[reader.size - 1] != '}') {
            return false;
        }
        reader.size--;
    }
    memset(out, 0, 16);
    for (int32_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            (void)take(&reader, '-');
        }
        int32_t digit = more(&reader) ? hex_digit(reader.text[reader.at++]) : -1;
        if (digit < 0) {
            return false;
        }
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
    return !more(&reader);
}
