/* Memory pools: a tree of budgets under one root.
 *
 *     root 1 GiB ── database ──┬── engine (DuckDB's share)
 *                              ├── sink of "orders" ── writer
 *                              └── query
 *
 * Every byte is counted in its pool and in all pools above it. A request that would pass a limit
 * first asks the holders below the pool that is full to give memory back (flush a memtable, drop a
 * cache, spill), then fails with STOA_LIMIT naming pool, limit, use and request. */
#ifndef STOA_MEMORY_H
#define STOA_MEMORY_H

#include <stoa/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_pool stoa_pool;

enum { STOA_ALIGNMENT_BYTES = 64 };

/// Where the bytes come from. All-zero means the system's allocator.
///
/// Shape    `allocate` returns memory aligned to STOA_ALIGNMENT_BYTES, or NULL when there is none.
/// Threads  Both are called from any thread.
typedef struct stoa_allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory, size_t size);
    void *user;
} stoa_allocator;

/// Makes a root pool.
///
/// Units    `limit` is bytes; 0 means none.
/// Errors   STOA_NO_MEMORY
/// Owns     The caller closes `*out`.
STOA_API STOA_MUST_USE stoa_status stoa_pool_create(size_t limit, const stoa_allocator *allocator,
                                                    stoa_pool **out, stoa_error *err);

/// Makes a pool below `parent`, whose limits hold for it too. The name is copied (63 bytes of it).
///
/// Units    `limit` is bytes; 0 means none beyond the parent's.
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
STOA_API STOA_MUST_USE stoa_status stoa_pool_create_child(stoa_pool *parent, const char *name,
                                                          size_t limit, stoa_pool **out,
                                                          stoa_error *err);

/// Gives up the handle. Memory of the pool that is still in use stays valid and counted; the pool
/// itself goes when the last of it is given back. NULL is allowed.
STOA_API void stoa_pool_close(stoa_pool *pool);

/// Bytes in use now, the most there ever were, and the least limit of the pool and those above it (0: none).
STOA_API size_t stoa_pool_used(const stoa_pool *pool);
STOA_API size_t stoa_pool_peak(const stoa_pool *pool);
STOA_API size_t stoa_pool_limit(const stoa_pool *pool);
STOA_API const char *stoa_pool_name(const stoa_pool *pool);

/// The budget that STOA_MEMORY gives ("512MB", "2GiB", a number of bytes), or 1 GiB.
///
/// Errors   STOA_INVALID  STOA_MEMORY is set to something else
STOA_API STOA_MUST_USE stoa_status stoa_memory_limit_default(size_t *out, stoa_error *err);

/// A number of bytes with an optional unit: B, K/KB/KiB, M/…, G/…, T/…, in any case. KB, MB, GB and
/// TB are powers of 1000, the others powers of 1024.
STOA_API STOA_MUST_USE stoa_status stoa_memory_size_parse(const char *text, size_t *out,
                                                          stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
