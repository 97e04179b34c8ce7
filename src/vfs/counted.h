/* A file system before another that counts: calls, failures, bytes and how long each call took, by
 * kind of call. For benchmarks, for tests that say how many requests something may cost, and for
 * people who ask why a query is slow.
 *
 *     stoa_fs_counted_create(pool, inner, &fs, &counted, &err);       (fs goes to a registry)
 *     … work …
 *     stoa_counted_get(counted, STOA_COUNTED_READ, &figures);
 *     stoa_counted_print(counted, &text, &err);
 *
 * A call costs two looks at the clock and a few additions, without a lock. */
#ifndef STOA_VFS_COUNTED_H
#define STOA_VFS_COUNTED_H

#include "base/latency.h"
#include "vfs/vfs.h"

typedef enum stoa_counted_call {
    STOA_COUNTED_OPEN = 0,
    STOA_COUNTED_STAT,
    STOA_COUNTED_LIST,
    STOA_COUNTED_MAKE_DIRECTORY,
    STOA_COUNTED_REMOVE,
    STOA_COUNTED_RENAME,
    STOA_COUNTED_LINK,
    STOA_COUNTED_SYNC_DIRECTORY,
    STOA_COUNTED_LOCK,
    STOA_COUNTED_PUT_IF,
    STOA_COUNTED_SIZE,
    STOA_COUNTED_READ, /* ranged and vectored: a vector is one call */
    STOA_COUNTED_MAP,
    STOA_COUNTED_WRITE,
    STOA_COUNTED_SYNC,
    STOA_COUNTED_TRUNCATE,
    STOA_COUNTED_CALL_COUNT
} stoa_counted_call;

/// What was counted of one kind of call. Read while calls run, the members may be a few calls apart.
typedef struct stoa_counted_figures {
    uint64_t calls;
    uint64_t errors;
    uint64_t bytes; /* read, mapped or written by calls that succeeded */
    stoa_latency_figures latency;
} stoa_counted_figures;

typedef struct stoa_counted stoa_counted;

/// Puts a counting file system before `inner`, which it closes when it goes. It offers what `inner`
/// does.
///
/// Owns     `*out_counted` belongs to `*out` and is valid as long. On error the caller keeps `inner`.
STOA_MUST_USE stoa_status stoa_fs_counted_create(stoa_pool *pool, stoa_fs inner, stoa_fs *out,
                                                 stoa_counted **out_counted, stoa_error *err);

void stoa_counted_get(const stoa_counted *counted, stoa_counted_call call,
                      stoa_counted_figures *out);

/// Starts from nothing.
void stoa_counted_reset(stoa_counted *counted);

/// A line for each kind of call that there was: calls, failures, bytes, and the latency's median,
/// 90th and 99th percentile and maximum in microseconds.
STOA_MUST_USE stoa_status stoa_counted_print(const stoa_counted *counted, stoa_buffer *out,
                                             stoa_error *err);

#endif
