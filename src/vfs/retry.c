/* Waits between attempts: each is drawn evenly from nothing up to a bound that doubles, so that
 * clients which a server turned away together do not come back together. */
#include "vfs/retry.h"

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"

enum { ATTEMPTS_DEFAULT = 5, BASE_MS = 100, MAX_MS = 20000, SLICE_MS = 4 };

void stoa_retry_init(stoa_retry *retry, int32_t limit) {
    *retry = (stoa_retry){
        .attempts = 1,
        .limit = limit > 0 ? limit : ATTEMPTS_DEFAULT,
        .base_ms = BASE_MS,
        .max_ms = MAX_MS,
        .random = (uint64_t)stoa_clock_monotonic_ns() ^ (uint64_t)(uintptr_t)retry ^
                  ((uint64_t)getpid() << 40),
    };
}

static int64_t draw_ms(stoa_retry *retry) {
    int64_t bound = retry->base_ms;
    for (int32_t i = 1; i < retry->attempts && bound < retry->max_ms; i++) {
        bound *= 2;
    }
    bound = bound < retry->max_ms ? bound : retry->max_ms;
    return (int64_t)(stoa_random_next(&retry->random) % (uint64_t)(bound + 1));
}

/* A token cannot wake anybody, so it is looked at every few milliseconds. */
static bool wait_ms(int64_t wait, const stoa_cancel *cancel) {
    int64_t end = stoa_clock_monotonic_ns() + wait * 1000000;
    for (;;) {
        if (stoa_cancel_is_triggered(cancel)) {
            return false;
        }
        int64_t left = end - stoa_clock_monotonic_ns();
        if (left <= 0) {
            return true;
        }
        int64_t slice = cancel != NULL && left > SLICE_MS * 1000000 ? SLICE_MS * 1000000 : left;
        struct timespec time = {slice / 1000000000, slice % 1000000000};
        (void)nanosleep(&time, NULL); /* a signal ends it early: the loop looks at the clock */
    }
}

bool stoa_retry_again(stoa_retry *retry, int64_t at_least_ms, const stoa_context *context) {
    if (retry->attempts >= retry->limit) {
        return false;
    }
    int64_t asked = at_least_ms < retry->max_ms ? at_least_ms : retry->max_ms;
    int64_t wait = draw_ms(retry) + (asked > 0 ? asked : 0);
    wait = wait < retry->max_ms ? wait : retry->max_ms;
    if (!wait_ms(wait, context != NULL ? context->cancel : NULL)) {
        return false;
    }
    retry->attempts++;
    return true;
}
