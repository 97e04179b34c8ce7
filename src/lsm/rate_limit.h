/* A limit on bytes a second, shared by all who write in the background: a token bucket.
 *
 * Whoever is to write takes its bytes first, and writes them when all that was taken before has come
 * in. So a large write is never refused, and is waited for by those behind it. */
#ifndef STOA_LSM_RATE_LIMIT_H
#define STOA_LSM_RATE_LIMIT_H

#include <stoa/context.h>

typedef struct stoa_rate_limiter stoa_rate_limiter;

/// `bytes_per_second` 0: no limit. The bucket holds what comes in within a tenth of a second.
STOA_MUST_USE stoa_status stoa_rate_limiter_create(stoa_pool *pool, uint64_t bytes_per_second,
                                                   stoa_rate_limiter **out, stoa_error *err);
/// Nobody waits. NULL is allowed.
void stoa_rate_limiter_close(stoa_rate_limiter *limiter);
/// From now on, also for those who wait. Any thread.
void stoa_rate_limiter_set(stoa_rate_limiter *limiter, uint64_t bytes_per_second);

/// Takes `bytes`; the number given stands for the place in the line.
///
/// Threads  Any.
uint64_t stoa_rate_limiter_take(stoa_rate_limiter *limiter, uint64_t bytes);
/// Nanoseconds until the bytes may be written, if the rate stays; 0: now.
int64_t stoa_rate_limiter_left_ns(stoa_rate_limiter *limiter, uint64_t place);

/// Nanoseconds until whoever comes next may write. `limiter` may be NULL.
int64_t stoa_rate_limiter_debt_ns(stoa_rate_limiter *limiter);

/// Takes and waits. `limiter` may be NULL; `*out_waited_ns` grows.
///
/// Errors   STOA_CANCELLED  within two milliseconds; the bytes stay taken
STOA_MUST_USE stoa_status stoa_rate_limiter_wait(stoa_rate_limiter *limiter, uint64_t bytes,
                                                 const stoa_cancel *cancel, int64_t *out_waited_ns,
                                                 stoa_error *err);

#endif
