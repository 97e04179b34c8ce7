/* Arenas: a list of blocks that grow from 4 KiB to 1 MiB; a request larger than a quarter of a block
 * gets a block of its own behind the current one, so that it wastes nothing. */
#include "mem/arena.h"

#include <string.h>

#include "base/checked.h"

enum { ARENA_BLOCK_MIN = 4096, ARENA_BLOCK_MAX = 1 << 20, ARENA_ALIGNMENT = 16 };

struct stoa_arena_block {
    struct stoa_arena_block *next;
    size_t size; /* of the whole block, this head included */
};

enum { BLOCK_HEAD_BYTES = 16 };
_Static_assert(sizeof(struct stoa_arena_block) <= BLOCK_HEAD_BYTES, "the head fits its place");

static stoa_status block_create(stoa_arena *arena, size_t size, struct stoa_arena_block **out,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(arena->pool, size, &memory, err));
    *out = memory;
    (*out)->next = NULL;
    (*out)->size = size;
    return STOA_OK;
}

/* A block for one large request goes behind the current one, which stays open. */
static stoa_status allocate_alone(stoa_arena *arena, size_t size, void **out, stoa_error *err) {
    struct stoa_arena_block *block = NULL;
    STOA_TRY(block_create(arena, BLOCK_HEAD_BYTES + size, &block, err));
    block->next = arena->block->next;
    arena->block->next = block;
    *out = (uint8_t *)block + BLOCK_HEAD_BYTES;
    memset(*out, 0, size);
    return STOA_OK;
}

stoa_status stoa_arena_allocate(stoa_arena *arena, size_t size, void **out, stoa_error *err) {
    size_t rounded;
    *out = NULL;
    if (!stoa_round_up_size(size == 0 ? 1 : size, ARENA_ALIGNMENT, &rounded) ||
        rounded > SIZE_MAX / 2) {
        return stoa_fail(err, STOA_LIMIT, "%zu bytes are more than memory can hold", size);
    }
    if (arena->block == NULL || arena->block->size - arena->block_used < rounded) {
        size_t block_size = arena->block == NULL ? ARENA_BLOCK_MIN : arena->block->size * 2;
        if (block_size > ARENA_BLOCK_MAX) {
            block_size = ARENA_BLOCK_MAX;
        }
        if (arena->block != NULL && rounded > block_size / 4) {
            return allocate_alone(arena, rounded, out, err);
        }
        if (rounded + BLOCK_HEAD_BYTES > block_size) {
            block_size = rounded + BLOCK_HEAD_BYTES;
        }
        struct stoa_arena_block *block = NULL;
        STOA_TRY(block_create(arena, block_size, &block, err));
        block->next = arena->block;
        arena->block = block;
        arena->block_used = BLOCK_HEAD_BYTES;
    }
    *out = (uint8_t *)arena->block + arena->block_used;
    arena->block_used += rounded;
    memset(*out, 0, rounded);
    return STOA_OK;
}

stoa_status stoa_arena_allocate_array(stoa_arena *arena, size_t count, size_t size, void **out,
                                      stoa_error *err) {
    size_t bytes;
    *out = NULL;
    if (!stoa_mul_size(count, size, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "%zu elements of %zu bytes are more than memory can hold",
                         count, size);
    }
    return stoa_arena_allocate(arena, bytes, out, err);
}

stoa_status stoa_arena_copy_text(stoa_arena *arena, const char *text, size_t size, const char **out,
                                 stoa_error *err) {
    void *copy = NULL;
    *out = NULL;
    STOA_TRY(stoa_arena_allocate(arena, size + 1, &copy, err));
    if (size > 0) {
        memcpy(copy, text, size);
    }
    *out = copy;
    return STOA_OK;
}

void stoa_arena_release(stoa_arena *arena) {
    struct stoa_arena_block *block = arena->block;
    while (block != NULL) {
        struct stoa_arena_block *next = block->next;
        stoa_pool_free(arena->pool, block, block->size);
        block = next;
    }
    *arena = (stoa_arena){.pool = arena->pool};
}
