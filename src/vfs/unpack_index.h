/* Places of a compressed file at which unpacking can begin, in order; inside src/vfs only. */
#ifndef STOA_VFS_UNPACK_INDEX_H
#define STOA_VFS_UNPACK_INDEX_H

#include "mem/pool.h"

/* A place: the plain byte that comes next, the packed byte to go on with, and the decoder's state
 * there (NULL: none is needed). `checksum` is what a table says of the frame that begins there. */
struct unpack_point {
    uint64_t plain;
    uint64_t packed;
    void *saved; /* from the index's pool */
    size_t saved_bytes;
    uint32_t checksum; /* the low half of the XXH64 of its plain bytes */
    bool has_checksum;
};

struct unpack_index {
    stoa_pool *pool;
    struct unpack_point *points; /* by `plain`, each greater than the one before */
    size_t count;
    size_t capacity;
    size_t saved_bytes;  /* of all */
    uint64_t saved_span; /* plain bytes between points with a state */
};

void stoa_unpack_index_init(struct unpack_index *index, stoa_pool *pool);
void stoa_unpack_index_release(struct unpack_index *index);
/// The last point at or before `plain`; the start of the file (all zero) when there is none.
struct unpack_point stoa_unpack_index_find(const struct unpack_index *index, uint64_t plain);
/// Adds a point behind all others and takes `point.saved` over; one that is not behind them is
/// dropped. An index is only a help: without memory for a point it goes without it. What states
/// may take is bounded: when it is used up, every second one goes and the span doubles.
void stoa_unpack_index_add(struct unpack_index *index, struct unpack_point point);
/// Adds a point of a table that the file brought along. When it stands at the same plain byte as the
/// last, that was a frame without bytes: unpacking begins there, and the checksum is the new one's.
/// `point.saved` moves, also on error.
STOA_MUST_USE stoa_status stoa_unpack_index_load(struct unpack_index *index,
                                                 struct unpack_point point, stoa_error *err);
/// Whether a point with a state (or without one) at `plain` would be worth keeping.
bool stoa_unpack_index_wants(const struct unpack_index *index, uint64_t plain, bool with_state);
/// The plain byte from which on a point with a state is wanted next.
uint64_t stoa_unpack_index_next(const struct unpack_index *index);

#endif
