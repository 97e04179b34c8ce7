/* An arena: many small things that die together. All-zero with a pool is an empty arena. */
#ifndef STOA_MEM_ARENA_H
#define STOA_MEM_ARENA_H

#include "mem/pool.h"

typedef struct stoa_arena {
    stoa_pool *pool;
    struct stoa_arena_block *block; /* newest first */
    size_t block_used;
} stoa_arena;

static inline void stoa_arena_init(stoa_arena *arena, stoa_pool *pool) {
    *arena = (stoa_arena){.pool = pool};
}

/// `size` zeroed bytes, aligned to 16, valid until the arena is released.
STOA_MUST_USE stoa_status stoa_arena_allocate(stoa_arena *arena, size_t size, void **out,
                                              stoa_error *err);
/// The same for `count` elements of `size` bytes; the product is checked.
STOA_MUST_USE stoa_status stoa_arena_allocate_array(stoa_arena *arena, size_t count, size_t size,
                                                    void **out, stoa_error *err);
/// A copy of `size` bytes of text with a NUL after it.
STOA_MUST_USE stoa_status stoa_arena_copy_text(stoa_arena *arena, const char *text, size_t size,
                                               const char **out, stoa_error *err);

void stoa_arena_release(stoa_arena *arena);

#endif
