/* Values of HTTP's headers, from RFC 9110: dates 5.6.7, Content-Range 14.4, Retry-After 10.2.3. */
#include "vfs/http_fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* The digits at `*text`, which moves behind them. */
static bool take_number(const char **text, uint64_t *out) {
    const char *c = *text;
    uint64_t value = 0;
    if (!isdigit((unsigned char)*c)) {
        return false;
    }
    for (; isdigit((unsigned char)*c); c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *text = c;
    *out = value;
    return true;
}

bool stoa_http_number_parse(const char *text, uint64_t *out) {
    return text != NULL && take_number(&text, out) && *text == '\0';
}

static int month_of(const char *name) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; month < 12; month++) {
        if (strncmp(names + (size_t)month * 3, name, 3) == 0) {
            return month + 1;
        }
    }
    return 0;
}

struct date {
    int year, day, hour, minute, second;
    char month[4];
};

static bool scan_date(const char *text, struct date *out) {
    int end = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &out->day, out->month,
               &out->year, &out->hour, &out->minute, &out->second, &end) == 6 &&
        end > 0) {
        return text[end] == '\0';
    }
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &out->day, out->month,
               &out->year, &out->hour, &out->minute, &out->second, &end) == 6 &&
        end > 0) {
        out->year += out->year < 70 ? 2000 : 1900;
        return text[end] == '\0';
    }
    return sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", out->month, &out->day,
                  &out->hour, &out->minute, &out->second, &out->year, &end) == 6 &&
           end > 0 && text[end] == '\0';
}

bool stoa_http_date_parse(const char *text, int64_t *out_ms) {
    struct date date = {0};
    if (text == NULL || !scan_date(text, &date)) {
        return false;
    }
    int month = month_of(date.month);
    if (month == 0 || date.day < 1 || date.day > 31 || date.hour < 0 || date.hour > 23 ||
        date.minute < 0 || date.minute > 59 || date.second < 0 || date.second > 60 ||
        date.year < 0) {
        return false;
    }
    int64_t days = stoa_days_from_civil((stoa_civil){date.year, month, date.day});
    *out_ms = (((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second) * 1000;
    return true;
}

bool stoa_http_range_parse(const char *text, stoa_http_range *out) {
    uint64_t last = 0;
    *out = (stoa_http_range){0};
    if (text == NULL || strncmp(text, "bytes ", 6) != 0) {
        return false;
    }
    text += 6;
    if (*text == '*') {
        text++;
    } else {
        if (!take_number(&text, &out->begin) || *text++ != '-' || !take_number(&text, &last) ||
            last < out->begin) {
            return false;
        }
        out->end = last + 1;
    }
    if (*text++ != '/') {
        return false;
    }
    if (strcmp(text, "*") == 0) {
        return out->end > 0;
    }
    out->has_total = true;
    return take_number(&text, &out->total) && *text == '\0' && out->end <= out->total;
}

int64_t stoa_http_retry_after_ms(const stoa_http_response *response, int64_t now_ms) {
    enum { SECONDS_MAX = 1 << 30 };
    const char *text = stoa_http_header(response, "retry-after");
    uint64_t seconds = 0;
    int64_t date_ms = 0;
    if (stoa_http_number_parse(text, &seconds)) {
        return (int64_t)(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000;
    }
    return stoa_http_date_parse(text, &date_ms) && date_ms > now_ms ? date_ms - now_ms : 0;
}

bool stoa_http_is_transient(int32_t status_code) {
    return status_code == 408 || status_code == 429 || status_code == 500 || status_code == 502 ||
           status_code == 503 || status_code == 504;
}
