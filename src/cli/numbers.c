/* Counts, sizes and durations as people read them. */
#include <time.h>

#include "cli.h"

const char *stoa_count_text(int64_t count, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64,
                          count < 0 ? 0 - (uint64_t)count : (uint64_t)count);
    int written = 0;
    if (count < 0) {
        out[written++] = '-';
    }
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[written++] = ',';
        }
        out[written++] = digits[i];
    }
    out[written] = '\0';
    return out;
}

const char *stoa_bytes_text(uint64_t bytes, char out[32]) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 999.5 && unit < 5) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(out, 32, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value,
                   units[unit]);
    return out;
}

const char *stoa_seconds_text(double seconds, char out[32]) {
    if (seconds < 0.0995) {
        (void)snprintf(out, 32, "%.1f ms", seconds * 1000);
    } else if (seconds < 99.5) {
        (void)snprintf(out, 32, "%.1f s", seconds);
    } else {
        (void)snprintf(out, 32, "%.0f min", seconds / 60);
    }
    return out;
}

const char *stoa_time_text(int64_t time_ms, char out[32]) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (time_ms == 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        return NULL;
    }
    return out;
}
