/* The calendar against known dates and against the system's own, and texts of extreme times. */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void assert_date(int64_t days, int64_t year, int month, int day) {
    stoa_civil date = stoa_civil_from_days(days);
    assert_int_equal(date.year, year);
    assert_int_equal(date.month, month);
    assert_int_equal(date.day, day);
    assert_int_equal(stoa_days_from_civil(date), days);
}

static void days_are_known_dates(void **state) {
    (void)state;
    assert_date(0, 1970, 1, 1);
    assert_date(-1, 1969, 12, 31);
    assert_date(11016, 2000, 2, 29);
    assert_date(11017, 2000, 3, 1);
    assert_date(19782, 2024, 2, 29);
    assert_date(-25509, 1900, 2, 28);
    assert_date(-25508, 1900, 3, 1);
    assert_date(-719162, 1, 1, 1);
    assert_date(-719163, 0, 12, 31);
    assert_date(-719528, 0, 1, 1);
    assert_date(-719529, -1, 12, 31);
    assert_date(2932896, 9999, 12, 31);
    assert_date(-719468 - 146097, -400, 3, 1);
}

/* Every day of a thousand years, one after the other by the rules of the calendar. */
static void days_follow_each_other(void **state) {
    (void)state;
    const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = stoa_days_from_civil((stoa_civil){-500, 1, 1});
    for (int64_t year = -500; year < 2500; year++) {
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (int month = 1; month <= 12; month++) {
            int length = lengths[month - 1] + (month == 2 && is_leap);
            for (int day = 1; day <= length; day++, days++) {
                stoa_civil date = stoa_civil_from_days(days);
                if (date.year != year || date.month != month || date.day != day ||
                    stoa_days_from_civil(date) != days) {
                    fail_msg("day %lld", (long long)days);
                }
            }
        }
    }
}

static void dates_equal_the_systems(void **state) {
    (void)state;
    support_random random = support_random_open(__func__);
    for (int i = 0; i < 100000; i++) {
        time_t seconds = (time_t)support_random_between(&random, -INT64_C(60000000000),
                                                        INT64_C(60000000000));
        struct tm wanted;
        char text[128], ours[STOA_TIMESTAMP_TEXT_BYTES];
        assert_non_null(gmtime_r(&seconds, &wanted));
        (void)strftime(text, sizeof text, "-%m-%d %H:%M:%S", &wanted);
        size_t length = stoa_timestamp_print(seconds, 1, ours);
        assert_int_equal(length, strlen(ours));
        assert_string_equal(ours + length - strlen(text), text);
        assert_int_equal(strtoll(ours, NULL, 10), wanted.tm_year + 1900);
    }
}

static void assert_timestamp(int64_t value, int64_t units, const char *wanted) {
    char text[STOA_TIMESTAMP_TEXT_BYTES];
    size_t length = stoa_timestamp_print(value, units, text);
    assert_string_equal(text, wanted);
    assert_int_equal(length, strlen(wanted));
}

static void timestamps_are_printed(void **state) {
    (void)state;
    assert_timestamp(0, 1, "1970-01-01 00:00:00");
    assert_timestamp(INT64_C(1772368245000123), 1000000, "2026-03-01 12:30:45.000123");
    assert_timestamp(INT64_C(1772368245120), 1000, "2026-03-01 12:30:45.120");
    assert_timestamp(INT64_C(1772368245000000001), 1000000000, "2026-03-01 12:30:45.000000001");
    assert_timestamp(-1, 1, "1969-12-31 23:59:59");
    assert_timestamp(-1, 1000, "1969-12-31 23:59:59.999");
    assert_timestamp(-1, 1000000000, "1969-12-31 23:59:59.999999999");
    assert_timestamp(INT64_C(-62167219200), 1, "0000-01-01 00:00:00");
    assert_timestamp(INT64_C(-62167219201), 1, "-0001-12-31 23:59:59");
}

/* The values were computed with another calendar's big integers. */
static void the_ends_of_time_are_printed(void **state) {
    (void)state;
    assert_timestamp(INT64_MAX, 1000000000, "2262-04-11 23:47:16.854775807");
    assert_timestamp(INT64_MIN, 1000000000, "1677-09-21 00:12:43.145224192");
    assert_timestamp(INT64_MAX, 1000000, "294247-01-10 04:00:54.775807");
    assert_timestamp(INT64_MIN, 1000000, "-290308-12-21 19:59:05.224192");
    assert_timestamp(INT64_MAX, 1000, "292278994-08-17 07:12:55.807");
    assert_timestamp(INT64_MIN, 1000, "-292275055-05-16 16:47:04.192");
    assert_timestamp(INT64_MAX, 1, "292277026596-12-04 15:30:07");
    assert_timestamp(INT64_MIN, 1, "-292277022657-01-27 08:29:52");
}

static void dates_and_times_are_printed(void **state) {
    (void)state;
    char text[STOA_TIMESTAMP_TEXT_BYTES];
    assert_int_equal(stoa_date_print(0, text), 10);
    assert_string_equal(text, "1970-01-01");
    (void)stoa_date_print(INT32_MAX, text);
    assert_string_equal(text, "5881580-07-11");
    (void)stoa_date_print(INT32_MIN, text);
    assert_string_equal(text, "-5877641-06-23");
    (void)stoa_date_print(-719529, text);
    assert_string_equal(text, "-0001-12-31");
    assert_int_equal(stoa_time_print(0, 1000, text), 8);
    assert_string_equal(text, "00:00:00");
    (void)stoa_time_print(INT64_C(86399999999), 1000000, text);
    assert_string_equal(text, "23:59:59.999999");
}

/* Days beyond every timestamp come from damaged files: something is printed, nothing overflows. */
static void absurd_days_and_times_are_survived(void **state) {
    (void)state;
    char text[STOA_TIMESTAMP_TEXT_BYTES];
    const int64_t values[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    for (size_t i = 0; i < 4; i++) {
        size_t length = stoa_date_print(values[i], text);
        assert_int_equal(length, strlen(text));
        length = stoa_time_print(values[i], 1, text);
        assert_int_equal(length, strlen(text));
        length = stoa_time_print(values[i], 1000000000, text);
        assert_int_equal(length, strlen(text));
    }
}

static void clocks_run(void **state) {
    (void)state;
    int64_t before = stoa_clock_monotonic_ns();
    assert_true(stoa_clock_monotonic_ns() >= before);
    assert_true(stoa_clock_unix_ms() > INT64_C(1500000000000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_known_dates),
        cmocka_unit_test(days_follow_each_other),
        cmocka_unit_test(dates_equal_the_systems),
        cmocka_unit_test(timestamps_are_printed),
        cmocka_unit_test(the_ends_of_time_are_printed),
        cmocka_unit_test(dates_and_times_are_printed),
        cmocka_unit_test(absurd_days_and_times_are_survived),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
