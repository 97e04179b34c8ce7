/* Waiting between attempts: exponential with full jitter, ended by a token. */
#ifndef STOA_VFS_RETRY_H
#define STOA_VFS_RETRY_H

#include <stdint.h>

#include <stoa/context.h>

typedef struct stoa_retry {
    int32_t attempts; /* made so far */
    int32_t limit;    /* attempts in all */
    int64_t base_ms;  /* the first wait is up to this, doubled each time */
    int64_t max_ms;   /* no wait is longer, whoever asks for it */
    uint64_t random;  /* state of the jitter */
} stoa_retry;

/// For one attempt that is about to be made, and those after it: waits of up to 100 ms, doubled up
/// to 20 s, as S3's clients do by their documented standard mode. `limit` 0: 5 attempts.
void stoa_retry_init(stoa_retry *retry, int32_t limit);
/// True when another attempt may be made, after the wait; `at_least_ms` is what the server asked
/// for (Retry-After), 0: nothing. False at the limit, at once, or when the token of `context`
/// (nullable) was triggered, within milliseconds.
bool stoa_retry_again(stoa_retry *retry, int64_t at_least_ms, const stoa_context *context);

#endif
