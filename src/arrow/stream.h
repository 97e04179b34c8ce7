/* Making struct ArrowArrayStream in C: a callback with a status instead of errno, and the usual few
 * sources. */
#ifndef STOA_ARROW_STREAM_H
#define STOA_ARROW_STREAM_H

#include <stoa/arrow.h>
#include <stoa/context.h>

#include "mem/pool.h"

/// What a stream does. `next` leaves `out` released at the end. `close` frees `state`.
typedef struct stoa_stream_operations {
    stoa_status (*next)(void *state, struct ArrowArray *out, stoa_error *err);
    void (*close)(void *state);
} stoa_stream_operations;

/// Wraps a source; takes `schema` and `state`, also on error (both are released or closed then).
/// The stream keeps the first error and repeats it.
STOA_MUST_USE stoa_status stoa_stream_create(stoa_pool *pool, struct ArrowSchema *schema,
                                             const stoa_stream_operations *operations, void *state,
                                             struct ArrowArrayStream *out, stoa_error *err);

/// The stream keeps `cancel`, a token that its batches are made under, as long as it lives; triggering
/// the token ends the stream. `stream` was made by stoa_stream_create; NULL sets none.
void stoa_stream_set_cancel(struct ArrowArrayStream *stream, stoa_cancel *cancel);
/// That token, borrowed from the stream; NULL for streams of others and where none was set.
stoa_cancel *stoa_stream_cancel(const struct ArrowArrayStream *stream);

/// A stream over `count` batches, which are moved out of `batches`. Takes `schema` and the batches,
/// also on error (they are released then).
STOA_MUST_USE stoa_status stoa_stream_from_batches(stoa_pool *pool, struct ArrowSchema *schema,
                                                   struct ArrowArray *batches, int64_t count,
                                                   struct ArrowArrayStream *out, stoa_error *err);

#endif
