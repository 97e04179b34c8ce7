/* Most texts are short, and asking memcpy for a few bytes costs more than the bytes: sizes up to 32
 * take two copies of a fixed size, which overlap. */
#include "codec/views.h"

#include <string.h>

#include "base/error.h"

size_t stoa_views_bytes(const stoa_bytes_view *views, size_t count, size_t limit) {
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (views[i].size > limit - sum) {
            return SIZE_MAX;
        }
        sum += views[i].size;
    }
    return sum;
}

/* Two overlapping copies of a power of two cover every size without a loop, and touch nothing else. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t size) {
    if (size > 32) {
        memcpy(to, from, size);
    } else if (size >= 16) {
        uint8_t head[16], tail[16];
        memcpy(head, from, 16);
        memcpy(tail, from + size - 16, 16);
        memcpy(to, head, 16);
        memcpy(to + size - 16, tail, 16);
    } else if (size >= 8) {
        uint64_t head, tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + size - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + size - 8, &tail, 8);
    } else if (size >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + size - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + size - 4, &tail, 4);
    } else if (size > 0) {
        const uint8_t first = from[0], middle = from[size / 2], last = from[size - 1];
        to[0] = first;
        to[size / 2] = middle;
        to[size - 1] = last;
    }
}

#define DEFINE_GATHER(NAME, TYPE)                                                                  \
    void stoa_views_gather_##NAME(const stoa_bytes_view *views, size_t count, TYPE offset,         \
                                  TYPE *ends, uint8_t *out) {                                      \
        for (size_t i = 0; i < count; i++) {                                                       \
            copy_short(out, views[i].data, views[i].size);                                         \
            out += views[i].size;                                                                  \
            offset = (TYPE)(offset + (TYPE)views[i].size);                                         \
            ends[i] = offset;                                                                      \
        }                                                                                          \
    }
DEFINE_GATHER(i32, int32_t)
DEFINE_GATHER(i64, int64_t)

#define GATHER_SHORT(SIZE)                                                                         \
    for (size_t i = 0; i < count; i++) {                                                           \
        const stoa_bytes_view *entry = &entries[codes[i]];                                         \
        memcpy(out, entry->data, SIZE);                                                            \
        out += entry->size;                                                                        \
        offset += (int32_t)entry->size;                                                            \
        ends[i] = offset;                                                                          \
    }

void stoa_codes_gather_short_i32(const stoa_bytes_view *entries, size_t size_max,
                                 const uint32_t *codes, size_t count, int32_t offset, int32_t *ends,
                                 uint8_t *out) {
    STOA_ASSERT(size_max <= STOA_SHORT_BYTES);
    if (size_max <= 4) {
        GATHER_SHORT(4)
    } else if (size_max <= 16) {
        GATHER_SHORT(16)
    } else {
        GATHER_SHORT(32)
    }
}
