/* Writing past the page cache: for large files that are written once, in order. */
#ifndef STOA_VFS_LOCAL_DIRECT_H
#define STOA_VFS_LOCAL_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include "mem/pool.h"

typedef struct stoa_direct stoa_direct;

/// The alignment that direct writes to a file need; 0 when its file system does not say that it can.
size_t stoa_direct_alignment(int descriptor);

/// Begins direct writes at `at`, a multiple of `alignment`, and makes the descriptor a direct one.
///
/// Errors   STOA_UNSUPPORTED  the file system refuses
///          STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_direct_create(stoa_pool *pool, int descriptor, uint64_t at,
                                             size_t alignment, stoa_direct **out, stoa_error *err);

/// Whether several writes are under way at a time.
bool stoa_direct_has_ring(const stoa_direct *direct);

/// Takes bytes that follow the last ones. With `*out_done` less than `size` direct writing has
/// ended: all that was taken, of this call too, is in the file, and the descriptor is an ordinary
/// one.
///
/// Errors   what writing answered, of this call's bytes or of earlier ones. None of this call's
///          count as taken; earlier ones that are not in the file yet are kept for
///          stoa_direct_finish. No more writes may follow.
STOA_MUST_USE stoa_status stoa_direct_write(stoa_direct *direct, const void *bytes, size_t size,
                                            size_t *out_done, stoa_error *err);

/// Puts all that was taken into the file and makes the descriptor an ordinary one. To be repeated
/// after an error: what is not in the file is kept.
STOA_MUST_USE stoa_status stoa_direct_finish(stoa_direct *direct, stoa_error *err);

/// Waits for writes under way; what is not in the file is dropped. NULL is allowed.
void stoa_direct_close(stoa_direct *direct);

#endif
