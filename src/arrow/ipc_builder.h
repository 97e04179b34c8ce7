/* Writing FlatBuffers front to back: a table first, then what it refers to, whose place is then
 * written into the table. The layout: ipc_flatbuffer.h. */
#ifndef STOA_ARROW_IPC_BUILDER_H
#define STOA_ARROW_IPC_BUILDER_H

#include "mem/buffer.h"

/* A field of a table to be written; `size` 0 leaves it out. References have size 4 and are filled
 * by stoa_flat_refer. */
typedef struct stoa_flat_slot {
    uint8_t size; /* 0, 1, 2, 4 or 8 */
    uint64_t value;
    uint32_t position; /* set by stoa_flat_write_table: where the field stands */
} stoa_flat_slot;

#define STOA_FLAT_SCALAR(bytes, number) ((stoa_flat_slot){.size = (bytes), .value = (number)})
#define STOA_FLAT_REFERENCE ((stoa_flat_slot){.size = 4})
#define STOA_FLAT_ABSENT ((stoa_flat_slot){.size = 0})

/// Begins a buffer: `out` is empty and stays aligned as it will be read. The root table follows,
/// referred to from position 0.
STOA_MUST_USE stoa_status stoa_flat_begin(stoa_buffer *out, stoa_error *err);

/// Writes a table with `count` fields and sets their positions. `referrer` is the position of the
/// reference to it.
STOA_MUST_USE stoa_status stoa_flat_write_table(stoa_buffer *out, uint32_t referrer,
                                                stoa_flat_slot *slots, uint32_t count,
                                                stoa_error *err);
STOA_MUST_USE stoa_status stoa_flat_write_string(stoa_buffer *out, uint32_t referrer,
                                                 const char *text, size_t size, stoa_error *err);
/// Writes a vector of `count` elements of `size` bytes, aligned to 8 when `size` is a multiple.
/// `bytes` NULL leaves them zero, for references; `out_first` (nullable) is where they begin.
STOA_MUST_USE stoa_status stoa_flat_write_vector(stoa_buffer *out, uint32_t referrer,
                                                 const void *bytes, size_t count, size_t size,
                                                 uint32_t *out_first, stoa_error *err);

#endif
