/* Clocks and the calendar. The day arithmetic shifts years to begin in March, so that the leap day
 * is the last of its year, and counts whole 400-year eras of 146,097 days. */
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digits.h"

int64_t stoa_clock_monotonic_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t stoa_clock_coarse_ns(void) {
    struct timespec now;
#if defined(CLOCK_MONOTONIC_COARSE)
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t stoa_clock_unix_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b) {
    return a % b + (a % b < 0 ? b : 0);
}

stoa_civil stoa_civil_from_days(int64_t days) {
    /* From 1970-01-01 to 0000-03-01 are 719468 days: 4 eras and 135080. Added to the parts, so that
     * no number of days overflows. */
    int64_t era = floor_div(days, 146097) + 4;
    int64_t day_of_era = floor_mod(days, 146097) + 135080;
    era += day_of_era >= 146097;
    day_of_era -= day_of_era >= 146097 ? 146097 : 0;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int32_t day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    int32_t month = (int32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    return (stoa_civil){year_of_era + era * 400 + (month <= 2), month, day};
}

int64_t stoa_days_from_civil(stoa_civil date) {
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* At least `width` digits. */
static size_t put_number(uint64_t value, size_t width, char *out) {
    char digits[STOA_DIGITS_MAX];
    size_t count = stoa_digits_print(value, digits);
    if (count < width) {
        stoa_digits_pad(value, width, out);
        return width;
    }
    memcpy(out, digits, count);
    return count;
}

size_t stoa_date_print(int64_t days, char out[STOA_TIMESTAMP_TEXT_BYTES]) {
    stoa_civil date = stoa_civil_from_days(days);
    size_t length = 0;
    if (date.year < 0) { /* the sign is not one of the four digits */
        out[length++] = '-';
    }
    length += put_number((uint64_t)llabs((long long)date.year), 4, out + length);
    out[length++] = '-';
    length += put_number((uint64_t)date.month, 2, out + length);
    out[length++] = '-';
    length += put_number((uint64_t)date.day, 2, out + length);
    out[length] = '\0';
    return length;
}

/* Hours may be negative, for a value that is no time of day; then the sign is one of two places. */
static size_t put_hours(int64_t hours, char *out) {
    if (hours >= 0) {
        return put_number((uint64_t)hours, 2, out);
    }
    out[0] = '-';
    return 1 + put_number((uint64_t)-hours, 1, out + 1);
}

size_t stoa_time_print(int64_t value, int64_t units_per_second,
                       char out[STOA_TIMESTAMP_TEXT_BYTES]) {
    int64_t seconds = floor_div(value, units_per_second);
    int64_t fraction = floor_mod(value, units_per_second);
    size_t length = put_hours(floor_div(seconds, 3600), out);
    out[length++] = ':';
    length += put_number((uint64_t)floor_mod(seconds, 3600) / 60, 2, out + length);
    out[length++] = ':';
    length += put_number((uint64_t)floor_mod(seconds, 60), 2, out + length);
    if (fraction != 0) {
        const size_t digits = units_per_second == 1000 ? 3 : units_per_second == 1000000 ? 6 : 9;
        out[length++] = '.';
        length += put_number((uint64_t)fraction, digits, out + length);
    }
    out[length] = '\0';
    return length;
}

size_t stoa_timestamp_print(int64_t value, int64_t units_per_second,
                            char out[STOA_TIMESTAMP_TEXT_BYTES]) {
    int64_t seconds = floor_div(value, units_per_second);
    int64_t days = floor_div(seconds, 86400);
    /* Not `value - days * 86400 * units`: that product overflows within a day of INT64_MIN. */
    int64_t units_of_day = floor_mod(seconds, 86400) * units_per_second +
                           floor_mod(value, units_per_second);
    size_t length = stoa_date_print(days, out);
    out[length++] = ' ';
    char time[STOA_TIMESTAMP_TEXT_BYTES];
    size_t time_length = stoa_time_print(units_of_day, units_per_second, time);
    for (size_t i = 0; i <= time_length && length + i < STOA_TIMESTAMP_TEXT_BYTES; i++) {
        out[length + i] = time[i];
    }
    return length + time_length;
}
