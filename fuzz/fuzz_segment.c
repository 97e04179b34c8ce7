/* Bytes as a segment of any class: the first byte says which, the second how wide its values are, the
 * segment begins with the ninth. What opens is read one value at a time, by the block and by rows, all of
 * which agree; written again it opens again with the same values. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/segment_format.h"
#include "lsm/segment_select.h"

enum { HEAD = 8, COUNT_MAX = 2048, SIZE_MAX_BYTES = 1 << 16 };
static const size_t pool_bytes = 64u << 20;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static bool type_of(uint8_t class, uint8_t width, stoa_segment_type *out) {
    static const int32_t widths[] = {1, 2, 4, 8, 16};
    *out = (stoa_segment_type){(stoa_segment_class)(class % 7), 0};
    switch (out->values) {
    case STOA_SEGMENT_SIGNED: out->value_bytes = widths[width % 5]; return true;
    case STOA_SEGMENT_UNSIGNED: out->value_bytes = widths[width % 4]; return true;
    case STOA_SEGMENT_OFFSETS: out->value_bytes = 4; return true;
    case STOA_SEGMENT_DOUBLES: out->value_bytes = 8; return true;
    case STOA_SEGMENT_FIXED: out->value_bytes = 1 + width % 40; return true;
    case STOA_SEGMENT_BITS:
    case STOA_SEGMENT_TEXTS: return true;
    }
    return false;
}

/* The values of rows [0, count), of texts with their ends; false where they are more than the pool's. */
static bool read_values(const stoa_segment *segment, const uint32_t *rows, stoa_buffer *out,
                        stoa_buffer *ends) {
    stoa_buffer_clear(out);
    stoa_buffer_clear(ends);
    if (segment->type.values == STOA_SEGMENT_TEXTS) {
        require(stoa_buffer_append(ends, &(int32_t){0}, sizeof(int32_t), NULL) == STOA_OK);
        return stoa_segment_texts(segment, rows, 0, segment->count, ends, out, NULL) == STOA_OK;
    }
    const size_t size = segment->type.values == STOA_SEGMENT_BITS
                            ? stoa_bitmap_bytes(segment->count)
                            : segment->count * (size_t)segment->type.value_bytes;
    require(stoa_buffer_append_fill(out, 0, size + 1, NULL) == STOA_OK);
    if (rows != NULL) {
        stoa_segment_take(segment, rows, segment->count, out->data, 0);
    } else {
        stoa_segment_read(segment, 0, segment->count, out->data, 0);
    }
    out->size = size;
    return true;
}

static void check_singles(const stoa_segment *segment, const stoa_buffer *values,
                          const stoa_buffer *ends) {
    for (uint32_t row = 0; row < segment->count; row++) {
        uint8_t storage[16];
        size_t size;
        if (segment->type.values == STOA_SEGMENT_BITS) {
            require(stoa_segment_bit(segment, row) == stoa_bit_get(values->data, row));
            continue;
        }
        const uint8_t *value = stoa_segment_value(segment, row, storage, &size);
        size_t at = row * size;
        if (segment->type.values == STOA_SEGMENT_TEXTS) {
            at = (size_t)stoa_load_i32(ends->data + row * sizeof(int32_t));
            require(size == (size_t)stoa_load_i32(ends->data + (row + 1) * sizeof(int32_t)) - at);
        }
        require(size == 0 || memcmp(value, values->data + at, size) == 0);
    }
}

static void check_search(const stoa_segment *segment) {
    if (segment->type.values == STOA_SEGMENT_UNSIGNED) {
        for (uint64_t number = 1; number != 0; number <<= 7) {
            require(stoa_segment_find(segment, number) <= segment->count);
        }
    }
}

/* A comparison with a value that is there. */
static void check_select(stoa_pool *pool, const stoa_segment *segment, const stoa_buffer *values) {
    stoa_field field = {.id = 1, .name = "x", .type = {.kind = STOA_TYPE_LONG}};
    stoa_value constant = {0};
    uint8_t bitmap[COUNT_MAX / 8];
    const bool is_double = segment->type.values == STOA_SEGMENT_DOUBLES;
    if (segment->count == 0 || segment->type.value_bytes != 8 ||
        segment->type.values == STOA_SEGMENT_FIXED) {
        return;
    }
    field.type.kind = is_double                                       ? STOA_TYPE_DOUBLE
                      : segment->type.values == STOA_SEGMENT_UNSIGNED ? STOA_TYPE_UINT64
                                                                      : STOA_TYPE_LONG;
    constant.type = field.type;
    memcpy(is_double ? (void *)&constant.f : (void *)&constant.i, values->data, 8);
    const stoa_predicate leaf = {STOA_PREDICATE_EQUAL, 1, &constant, 1, NULL, 0};
    require(stoa_segment_select(segment, &field, &leaf, pool, bitmap, NULL) == STOA_OK);
    require(is_double || stoa_bit_get(bitmap, 0));
}

static void check_rewritten(stoa_pool *pool, const stoa_segment *segment, const stoa_buffer *values,
                            const stoa_buffer *ends) {
    stoa_segment_writer *writer;
    stoa_buffer bytes, again, again_ends;
    stoa_segment reopened;
    stoa_buffer_init(&bytes, pool);
    stoa_buffer_init(&again, pool);
    stoa_buffer_init(&again_ends, pool);
    require(stoa_segment_writer_create(pool, &writer, NULL) == STOA_OK);
    if (stoa_segment_write(writer, segment->type, values->data,
                           (const int32_t *)(const void *)ends->data, segment->count, &bytes,
                           NULL) == STOA_OK) {
        require(stoa_segment_open(segment->type, bytes.data, bytes.size, segment->count, &reopened,
                                  NULL) == STOA_OK);
        require(read_values(&reopened, NULL, &again, &again_ends));
        require(again.size == values->size &&
                (again.size == 0 || memcmp(again.data, values->data, again.size) == 0));
        require(again_ends.size == ends->size &&
                (ends->size == 0 || memcmp(again_ends.data, ends->data, ends->size) == 0));
    }
    stoa_segment_writer_close(writer);
    stoa_buffer_release(&bytes);
    stoa_buffer_release(&again);
    stoa_buffer_release(&again_ends);
}

static void check(stoa_pool *pool, const stoa_segment *segment) {
    stoa_buffer values, ends, taken, taken_ends;
    uint32_t rows[COUNT_MAX];
    stoa_buffer_init(&values, pool);
    stoa_buffer_init(&ends, pool);
    stoa_buffer_init(&taken, pool);
    stoa_buffer_init(&taken_ends, pool);
    for (uint32_t i = 0; i < segment->count; i++) {
        rows[i] = i;
    }
    if (read_values(segment, NULL, &values, &ends) &&
        read_values(segment, rows, &taken, &taken_ends)) {
        require(values.size == taken.size && ends.size == taken_ends.size);
        require(values.size == 0 || memcmp(values.data, taken.data, values.size) == 0);
        require(ends.size == 0 || memcmp(ends.data, taken_ends.data, ends.size) == 0);
        check_singles(segment, &values, &ends);
        check_search(segment);
        check_select(pool, segment, &values);
        check_rewritten(pool, segment, &values, &ends);
    }
    stoa_buffer_release(&values);
    stoa_buffer_release(&ends);
    stoa_buffer_release(&taken);
    stoa_buffer_release(&taken_ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_segment_type type;
    stoa_segment segment;
    if (size < HEAD + sizeof(stoa_segment_header) || size > SIZE_MAX_BYTES ||
        !type_of(data[0], data[1], &type)) {
        return 0;
    }
    const uint32_t count = stoa_load_u32(data + HEAD + offsetof(stoa_segment_header, count));
    if (count > COUNT_MAX) {
        return 0;
    }
    require(stoa_pool_create(pool_bytes, NULL, &pool, NULL) == STOA_OK);
    if (stoa_segment_open(type, data + HEAD, size - HEAD, count, &segment, NULL) == STOA_OK) {
        check(pool, &segment);
    }
    stoa_pool_close(pool);
    return 0;
}
