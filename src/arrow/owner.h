/* Making struct ArrowArray: one node with its buffers, children and whoever keeps its memory.
 *
 *     node ── owns ──▶ buffers (stoa_buffer, freed with the node)
 *       └── keeps ──▶ keeper ── counts ──▶ memory of somebody else (a sliced array, an IPC body)
 *
 * A node may have both. Children are nodes of their own and may be moved out. */
#ifndef STOA_ARROW_OWNER_H
#define STOA_ARROW_OWNER_H

#include <stoa/arrow.h>

#include "mem/buffer.h"

/// Memory that several arrays use, counted by reference.
///
/// Threads  Retain and release are safe from any thread; the last release calls the function.
typedef struct stoa_keeper stoa_keeper;

/// Starts with one reference, the caller's. `release` is called with `user` when the last goes.
STOA_MUST_USE stoa_status stoa_keeper_create(stoa_pool *pool, void (*release)(void *user),
                                             void *user, stoa_keeper **out, stoa_error *err);
stoa_keeper *stoa_keeper_retain(stoa_keeper *keeper);
/// NULL is allowed.
void stoa_keeper_release(stoa_keeper *keeper);

/// An array of length 0 whose buffers are NULL and whose children, and dictionary where asked for,
/// are released structs for the caller to fill. The caller then sets length and null_count.
///
/// Owns     Releasing `out` releases what was filled in, also half-way.
STOA_MUST_USE stoa_status stoa_arrow_array_init(stoa_pool *pool, int64_t buffer_count,
                                                int64_t child_count, bool dictionary,
                                                struct ArrowArray *out, stoa_error *err);
/// Moves `buffer` into place; it is freed with the array. Only for arrays made by
/// stoa_arrow_array_init, as are the next two.
void stoa_arrow_array_set_buffer(struct ArrowArray *array, int64_t index, stoa_buffer *buffer);
/// Points at memory that the array's keeper holds.
void stoa_arrow_array_set_buffer_view(struct ArrowArray *array, int64_t index, const void *bytes);
/// Takes a reference of its own. At most once an array.
void stoa_arrow_array_keep(struct ArrowArray *array, stoa_keeper *keeper);

#endif
