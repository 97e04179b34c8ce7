/* Memory pools, as the rest of Stoa uses them. The tree and its rules: include/stoa/memory.h. */
#ifndef STOA_MEM_POOL_H
#define STOA_MEM_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include <stoa/memory.h>

#include "base/error.h"

/// Takes `size` bytes, aligned to STOA_ALIGNMENT_BYTES and not zeroed. A size of 0 gives a pointer
/// that may not be read.
///
/// Errors   STOA_LIMIT  a pool is full and nobody gave back enough
///          STOA_NO_MEMORY
/// Owns     The caller gives it back with stoa_pool_free and the same size.
/// Threads  Any.
STOA_MUST_USE stoa_status stoa_pool_allocate(stoa_pool *pool, size_t size, void **out,
                                             stoa_error *err);

/// The same, zeroed, for `count` elements of `size` bytes; the product is checked.
STOA_MUST_USE stoa_status stoa_pool_allocate_array(stoa_pool *pool, size_t count, size_t size,
                                                   void **out, stoa_error *err);

/// Grows or shrinks `*memory` from `old_size` to `new_size`; on error it is as it was.
STOA_MUST_USE stoa_status stoa_pool_reallocate(stoa_pool *pool, void **memory, size_t old_size,
                                               size_t new_size, stoa_error *err);

/// Gives back what stoa_pool_allocate gave. `memory` may be NULL.
void stoa_pool_free(stoa_pool *pool, void *memory, size_t size);

/// A copy of `size` bytes of `text` with a NUL after it. Free with stoa_pool_free(…, size + 1).
STOA_MUST_USE stoa_status stoa_pool_copy_text(stoa_pool *pool, const char *text, size_t size,
                                              char **out, stoa_error *err);
/// The same for a whole C string; free with stoa_pool_free_string. NULL gives NULL.
STOA_MUST_USE stoa_status stoa_pool_copy_string(stoa_pool *pool, const char *text, char **out,
                                                stoa_error *err);
void stoa_pool_free_string(stoa_pool *pool, char *text);

/// Bytes that are charged to a pool but were taken elsewhere (a library's own memory, a mapping).
/// All-zero is the released state.
typedef struct stoa_reservation {
    stoa_pool *pool;
    size_t bytes;
} stoa_reservation;

/// Changes what is charged to `bytes`. On error the charge is as it was.
STOA_MUST_USE stoa_status stoa_reservation_resize(stoa_reservation *reservation, stoa_pool *pool,
                                                  size_t bytes, stoa_error *err);
void stoa_reservation_release(stoa_reservation *reservation);

/// Asked to give back at least `needed` bytes of a pool; returns what it gave, 0 when it cannot.
/// Called from the thread that needs the memory, with no lock of the pool's held. It may free but
/// not allocate from the tree it is registered in.
typedef size_t (*stoa_pressure_function)(void *user, size_t needed);

typedef struct stoa_pressure stoa_pressure;

/// Registers a holder of memory in `pool`. It is asked when `pool` or a pool above it is full.
STOA_MUST_USE stoa_status stoa_pressure_register(stoa_pool *pool, stoa_pressure_function function,
                                                 void *user, stoa_pressure **out, stoa_error *err);

/// After this returns the function is not running and is never called again. Not to be called from
/// within the function. NULL is allowed.
void stoa_pressure_unregister(stoa_pressure *pressure);

#endif
