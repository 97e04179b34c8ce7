/* Growth of buffers: doubling from 64 bytes, so that appending n bytes copies at most 2 n. */
#include "mem/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/checked.h"

static stoa_status grow_to(stoa_buffer *buffer, size_t capacity, stoa_error *err) {
    size_t rounded;
    if (!stoa_round_up_size(capacity, STOA_ALIGNMENT_BYTES, &rounded)) {
        return stoa_fail(err, STOA_LIMIT, "a buffer of %zu bytes is more than memory can hold",
                         capacity);
    }
    if (buffer->size == 0) {
        stoa_buffer_release(buffer); /* nothing to move */
    }
    void *memory = buffer->data;
    STOA_TRY(stoa_pool_reallocate(buffer->pool, &memory, buffer->capacity, rounded, err));
    buffer->data = memory;
    buffer->capacity = rounded;
    return STOA_OK;
}

static stoa_status wanted_capacity(const stoa_buffer *buffer, size_t additional, size_t *out,
                                   stoa_error *err) {
    if (!stoa_add_size(buffer->size, additional, out)) {
        return stoa_fail(err, STOA_LIMIT,
                         "a buffer of %zu + %zu bytes is more than memory can hold", buffer->size,
                         additional);
    }
    return STOA_OK;
}

stoa_status stoa_buffer_reserve_slow(stoa_buffer *buffer, size_t additional, stoa_error *err) {
    size_t wanted;
    STOA_TRY(wanted_capacity(buffer, additional, &wanted, err));
    size_t doubled;
    if (stoa_mul_size(buffer->capacity, 2, &doubled) && doubled > wanted) {
        wanted = doubled;
    }
    return grow_to(buffer, wanted, err);
}

stoa_status stoa_buffer_reserve_exact(stoa_buffer *buffer, size_t additional, stoa_error *err) {
    size_t wanted;
    STOA_TRY(wanted_capacity(buffer, additional, &wanted, err));
    return wanted <= buffer->capacity ? STOA_OK : grow_to(buffer, wanted, err);
}

stoa_status stoa_buffer_append_fill(stoa_buffer *buffer, uint8_t byte, size_t size,
                                    stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(buffer, size, err));
    if (size > 0) {
        memset(buffer->data + buffer->size, byte, size);
        buffer->size += size;
    }
    return STOA_OK;
}

stoa_status stoa_buffer_resize(stoa_buffer *buffer, size_t size, stoa_error *err) {
    if (size > buffer->size) {
        return stoa_buffer_append_fill(buffer, 0, size - buffer->size, err);
    }
    buffer->size = size;
    return STOA_OK;
}

stoa_status stoa_buffer_append_format(stoa_buffer *buffer, stoa_error *err, const char *format,
                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return stoa_fail(err, STOA_INTERNAL, "a format that vsnprintf refuses: '%s'", format);
    }
    STOA_TRY(stoa_buffer_reserve(buffer, (size_t)length + 1, err));
    va_start(arguments, format);
    (void)vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return STOA_OK;
}

stoa_status stoa_buffer_text(stoa_buffer *buffer, const char **out_view, stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(buffer, 1, err));
    buffer->data[buffer->size] = 0;
    *out_view = (const char *)buffer->data;
    return STOA_OK;
}
