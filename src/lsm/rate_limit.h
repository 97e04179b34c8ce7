/* A limit on bytes a second, shared by all who write in the background: a token bucket.
 *
 * Whoever wants to write takes its bytes first and is told how long to wait. Who took more than there
 * was is waited for by those behind, so that large and small writers get what they ask for in turn. */
#ifndef STOA_LSM_RATE_LIMIT_H
#define STOA_LSM_RATE_LIMIT_H

#include <stoa/context.h>

typedef struct stoa_rate_limiter stoa_rate_limiter;

/// `bytes_per_second` 0: no limit. The bucket holds what comes in a tenth of a second.
STOA_MUST_USE stoa_status stoa_rate_limiter_create(stoa_pool *pool, uint64_t bytes_per_second,
                                                   stoa_rate_limiter **out, stoa_error *err);
/// Nobody waits. NULL is allowed.
void stoa_rate_limiter_close(stoa_rate_limiter *limiter);
/// From now on; those who wait do so no longer than the new rate asks for. Any thread.
void stoa_rate_limiter_set(stoa_rate_limiter *limiter, uint64_t bytes_per_second);

/// Takes `bytes` and returns at once; until the time given (of stoa_clock_monotonic_ns) the caller is
/// not to write them. A time that has passed: at once.
///
/// Threads  Any.
int64_t stoa_rate_limiter_take(stoa_rate_limiter *limiter, uint64_t bytes);
/// The same, and waits. `limiter` may be NULL.
///
/// Errors   STOA_CANCELLED  within two milliseconds; the bytes stay taken
STOA_MUST_USE stoa_status stoa_rate_limiter_wait(stoa_rate_limiter *limiter, uint64_t bytes,
                                                 stoa_cancel *cancel, int64_t *out_waited_ns,
                                                 stoa_error *err);

#endif
