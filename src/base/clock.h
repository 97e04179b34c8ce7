/* Clocks and the calendar (proleptic Gregorian, days counted from 1970-01-01). */
#ifndef STOA_BASE_CLOCK_H
#define STOA_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Nanoseconds of a clock that never goes back; for durations only.
int64_t stoa_clock_monotonic_ns(void);

/// The same to within a few milliseconds, for a few nanoseconds a call: for budgets and for what
/// happens a few times a second.
int64_t stoa_clock_coarse_ns(void);

/// Milliseconds since 1970-01-01 00:00 UTC.
int64_t stoa_clock_unix_ms(void);

typedef struct stoa_civil {
    int64_t year;  /* astronomical: 0 is 1 BC */
    int32_t month; /* 1 to 12 */
    int32_t day;   /* 1 to 31 */
} stoa_civil;

/// Any number of days is a date.
stoa_civil stoa_civil_from_days(int64_t days);
/// The year is within 25,000,000,000,000,000 of 0; the caller has checked month and day.
int64_t stoa_days_from_civil(stoa_civil date);

enum { STOA_TIMESTAMP_TEXT_BYTES = 48 };

/// "2026-03-01 12:30:45.000123": `units_per_second` is 1, 1000, 1000000 or 1000000000. The
/// fraction is left out when it is zero. Returns the length written, without the final NUL.
size_t stoa_timestamp_print(int64_t value, int64_t units_per_second,
                            char out[STOA_TIMESTAMP_TEXT_BYTES]);
/// "12:30:45.000123", for a time of day.
size_t stoa_time_print(int64_t value, int64_t units_per_second,
                       char out[STOA_TIMESTAMP_TEXT_BYTES]);
/// "2026-03-01"
size_t stoa_date_print(int64_t days, char out[STOA_TIMESTAMP_TEXT_BYTES]);

#endif
