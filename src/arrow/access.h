/* Reading single values of an array where they lie, for code that goes value by value.
 *
 * "Physical" counts from the start of the buffers: the array's offset plus the row. Arrays are valid
 * (stoa_arrow_validate); only what a hostile array could name out of range (dictionary indices, run
 * ends, type ids) is checked again by the cursor. */
#ifndef STOA_ARROW_ACCESS_H
#define STOA_ARROW_ACCESS_H

#include "arrow/layout.h"
#include "base/bits.h"
#include "base/bytes.h"

/// For types that have a validity buffer.
static inline bool stoa_arrow_valid_at(const struct ArrowArray *array, int64_t physical) {
    const uint8_t *validity =
        array->n_buffers > 0 ? (const uint8_t *)array->buffers[0] : (const uint8_t *)NULL;
    return validity == NULL || stoa_bit_get(validity, physical);
}

/// Offset `index` of a buffer of 32- or 64-bit offsets, at any alignment.
static inline int64_t stoa_arrow_offset_at(const void *offsets, bool wide, int64_t index) {
    return wide ? stoa_load_i64((const char *)offsets + index * 8)
                : stoa_load_i32((const char *)offsets + index * 4);
}

/// An integer of any width; a uint64 above INT64_MAX comes out negative.
static inline int64_t stoa_arrow_integer_at(stoa_arrow_kind kind, const void *values,
                                            int64_t physical) {
    const uint8_t *bytes = (const uint8_t *)values;
    switch (kind) {
    case STOA_ARROW_INT8:
        return (int8_t)bytes[physical];
    case STOA_ARROW_UINT8:
        return bytes[physical];
    case STOA_ARROW_INT16:
        return (int16_t)stoa_load_u16(bytes + physical * 2);
    case STOA_ARROW_UINT16:
        return stoa_load_u16(bytes + physical * 2);
    case STOA_ARROW_UINT32:
        return stoa_load_u32(bytes + physical * 4);
    case STOA_ARROW_INT32:
    case STOA_ARROW_DATE32:
    case STOA_ARROW_TIME32:
    case STOA_ARROW_INTERVAL_MONTHS:
        return stoa_load_i32(bytes + physical * 4);
    default:
        return stoa_load_i64(bytes + physical * 8);
    }
}

/// Bytes of a value, borrowed from its array.
typedef struct stoa_arrow_bytes {
    const uint8_t *data;
    int64_t size;
} stoa_arrow_bytes;

/// The bytes of a string, binary, view or fixed-width value.
static inline stoa_arrow_bytes stoa_arrow_bytes_at(const stoa_arrow_layout *layout,
                                                   const struct ArrowArray *array,
                                                   int64_t physical) {
    if (stoa_arrow_kind_has_bytes(layout->kind)) {
        bool wide = stoa_arrow_offset_bytes(layout->kind) == 8;
        int64_t begin = stoa_arrow_offset_at(array->buffers[1], wide, physical);
        int64_t end = stoa_arrow_offset_at(array->buffers[1], wide, physical + 1);
        const uint8_t *data = (const uint8_t *)array->buffers[2];
        return (stoa_arrow_bytes){end > begin ? data + begin : (const uint8_t *)"", end - begin};
    }
    const uint8_t *values = (const uint8_t *)array->buffers[1];
    if (!stoa_arrow_kind_is_view(layout->kind)) {
        return (stoa_arrow_bytes){values + physical * layout->byte_width, layout->byte_width};
    }
    const uint8_t *view = values + physical * 16;
    int64_t size = stoa_load_i32(view);
    if (size <= 12) {
        return (stoa_arrow_bytes){view + 4, size};
    }
    const uint8_t *data = (const uint8_t *)array->buffers[2 + stoa_load_i32(view + 8)];
    return (stoa_arrow_bytes){data + stoa_load_i32(view + 12), size};
}

/// A field and its values.
typedef struct stoa_arrow_cursor {
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    stoa_arrow_layout layout;
    int64_t row; /* relative to the array's offset */
} stoa_arrow_cursor;

STOA_MUST_USE stoa_status stoa_arrow_cursor_init(const struct ArrowSchema *schema,
                                                 const struct ArrowArray *array, int64_t row,
                                                 stoa_arrow_cursor *out, stoa_error *err);

/// Moves the cursor to where the value itself stands: through dictionaries and runs, and into the
/// child of a union. Says whether it is null; then the cursor's place means nothing.
///
/// Errors   STOA_INVALID  an index, run or type id names no value
STOA_MUST_USE stoa_status stoa_arrow_cursor_resolve(stoa_arrow_cursor *cursor, bool *out_null,
                                                    stoa_error *err);

/// The rows of child 0 that one list or map value holds.
void stoa_arrow_list_range(const stoa_arrow_layout *layout, const struct ArrowArray *array,
                           int64_t physical, int64_t *out_begin, int64_t *out_end);

/// The child that type id `id` of a union stands for, or -1.
int64_t stoa_arrow_union_child(const struct ArrowSchema *schema, int8_t id);

#endif
