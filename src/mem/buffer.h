/* A growable run of bytes, aligned to 64: what Arrow buffers, pages and texts are built in.
 *
 * All-zero is the released state and an empty buffer at once. */
#ifndef STOA_MEM_BUFFER_H
#define STOA_MEM_BUFFER_H

#include <string.h>

#include "mem/pool.h"

typedef struct stoa_buffer {
    uint8_t *data; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    stoa_pool *pool;
} stoa_buffer;

static inline void stoa_buffer_init(stoa_buffer *buffer, stoa_pool *pool) {
    *buffer = (stoa_buffer){.pool = pool};
}

/// Makes room for `additional` more bytes, at least doubling what there is.
STOA_MUST_USE stoa_status stoa_buffer_reserve_slow(stoa_buffer *buffer, size_t additional,
                                                   stoa_error *err);

STOA_MUST_USE static inline stoa_status stoa_buffer_reserve(stoa_buffer *buffer, size_t additional,
                                                            stoa_error *err) {
    if (buffer->capacity - buffer->size >= additional) {
        return STOA_OK;
    }
    return stoa_buffer_reserve_slow(buffer, additional, err);
}

/// Makes room for exactly `additional` more bytes, for sizes that are known.
STOA_MUST_USE stoa_status stoa_buffer_reserve_exact(stoa_buffer *buffer, size_t additional,
                                                    stoa_error *err);

STOA_MUST_USE static inline stoa_status stoa_buffer_append(stoa_buffer *buffer, const void *bytes,
                                                           size_t size, stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(buffer, size, err));
    if (size > 0) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
    return STOA_OK;
}

STOA_MUST_USE static inline stoa_status stoa_buffer_append_byte(stoa_buffer *buffer, uint8_t byte,
                                                                stoa_error *err) {
    return stoa_buffer_append(buffer, &byte, 1, err);
}

/// Appends a C string without its NUL.
STOA_MUST_USE static inline stoa_status stoa_buffer_append_text(stoa_buffer *buffer,
                                                                const char *text, stoa_error *err) {
    return stoa_buffer_append(buffer, text, strlen(text), err);
}

/// Appends formatted text; a NUL stands after it but is not counted.
STOA_MUST_USE stoa_status stoa_buffer_append_format(stoa_buffer *buffer, stoa_error *err,
                                                    const char *format, ...) STOA_PRINTF(3, 4);

/// Appends `size` bytes of value `byte`.
STOA_MUST_USE stoa_status stoa_buffer_append_fill(stoa_buffer *buffer, uint8_t byte, size_t size,
                                                  stoa_error *err);

/// Sets the size; new bytes are zero.
STOA_MUST_USE stoa_status stoa_buffer_resize(stoa_buffer *buffer, size_t size, stoa_error *err);

/// Puts a NUL after the bytes, not counted, and returns them as a C string.
STOA_MUST_USE stoa_status stoa_buffer_text(stoa_buffer *buffer, const char **out_view,
                                           stoa_error *err);

/// Keeps the memory, forgets the bytes.
static inline void stoa_buffer_clear(stoa_buffer *buffer) {
    buffer->size = 0;
}

static inline void stoa_buffer_release(stoa_buffer *buffer) {
    if (buffer->data != NULL) {
        stoa_pool_free(buffer->pool, buffer->data, buffer->capacity);
    }
    *buffer = (stoa_buffer){.pool = buffer->pool};
}

/// Moves the bytes out; `source` becomes empty and keeps its pool.
static inline stoa_buffer stoa_buffer_move(stoa_buffer *source) {
    stoa_buffer moved = *source;
    *source = (stoa_buffer){.pool = moved.pool};
    return moved;
}

#endif
