/* What a long operation carries with it: whom to charge, who may stop it, whom to tell. */
#ifndef STOA_CONTEXT_H
#define STOA_CONTEXT_H

#include <stdbool.h>

#include <stoa/log.h>
#include <stoa/memory.h>
#include <stoa/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A token that tells long operations to stop. Tokens form a tree: cancelling one cancels all
/// below it. Counted by reference, safe from any thread.
typedef struct stoa_cancel stoa_cancel;

/// Makes a token, below `parent` when that is not NULL.
///
/// Errors   STOA_NO_MEMORY
/// Owns     The caller closes it; operations that still hold it keep it alive.
STOA_API STOA_MUST_USE stoa_status stoa_cancel_create(stoa_cancel *parent, stoa_cancel **out,
                                                      stoa_error *err);
STOA_API void stoa_cancel_close(stoa_cancel *cancel);

/// Asks whoever carries the token to stop. Nothing but an atomic store: a signal handler may call
/// it. NULL is allowed.
STOA_API void stoa_cancel_trigger(stoa_cancel *cancel);

/// The token triggers by itself after `timeout_ms` from now; negative takes the deadline away.
STOA_API void stoa_cancel_set_timeout(stoa_cancel *cancel, int64_t timeout_ms);

/// True once the token, or one above it, was triggered or passed its deadline. NULL is never.
STOA_API bool stoa_cancel_is_triggered(const stoa_cancel *cancel);

/// STOA_OK, or STOA_CANCELLED with a message that says whether by request or by deadline.
STOA_API STOA_MUST_USE stoa_status stoa_cancel_check(const stoa_cancel *cancel, stoa_error *err);

/// How far an operation has come.
typedef struct stoa_progress {
    const char *phase; /* "reading", "committing" */
    const char *unit;  /* "rows", "bytes", "percent" */
    uint64_t done;
    uint64_t total; /* 0 when it is not known */
    uint64_t bytes_done;
    uint64_t bytes_total; /* 0 when it is not known */
} stoa_progress;

/// Called from the threads that work, at most a few times a second; it returns quickly and does not
/// call Stoa, except to trigger a token.
typedef void (*stoa_progress_function)(void *user, const stoa_progress *progress);

/// Worker threads; see <stoa/sched.h>.
typedef struct stoa_sched stoa_sched;

/// Carried by every operation that allocates or may last. All members may be NULL, except `pool`
/// where a function says so. Copied, never kept by pointer.
typedef struct stoa_context {
    stoa_pool *pool;
    stoa_cancel *cancel;
    stoa_progress_function progress;
    void *progress_user;
    const stoa_logger *logger;
    stoa_sched *sched; /* runs what can run in parallel; NULL: the caller's thread does it all */
} stoa_context;

#ifdef __cplusplus
}
#endif
#endif
