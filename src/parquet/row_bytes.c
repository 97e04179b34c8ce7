/* Every leaf's bytes are a difference of offsets or a multiple of the rows, so the bytes of any rows are
 * found without looking at them, and where a limit is passed, by halving. */
#include "parquet/row_bytes.h"

/* Recursion is as deep as the schema. `start` counts from the array's offset. */
static uint64_t array_bytes(const stoa_type *type, const struct ArrowArray *array, int64_t start,
                            int64_t count) {
    const uint64_t rows = (uint64_t)count;
    const int64_t at = array->offset + start;
    uint64_t bytes = 0;
    switch (type->kind) {
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: {
        const int32_t *offsets = array->buffers[1];
        return rows == 0 ? 0 : 4 * rows + (uint64_t)(offsets[at + count] - offsets[at]);
    }
    case STOA_TYPE_STRUCT:
        for (int32_t i = 0; i < type->child_count; i++) {
            bytes += array_bytes(&type->children[i].type, array->children[i], at, count);
        }
        return bytes;
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: {
        const int32_t *offsets = array->buffers[1];
        if (rows == 0) {
            return 0;
        }
        const int64_t begin = offsets[at], items = offsets[at + count] - begin;
        if (type->kind == STOA_TYPE_LIST) {
            return 4 * rows + array_bytes(&type->children[0].type, array->children[0], begin, items);
        }
        const struct ArrowArray *entries = array->children[0];
        for (int32_t i = 0; i < type->child_count; i++) {
            bytes += array_bytes(&type->children[i].type, entries->children[i],
                                 entries->offset + begin, items);
        }
        return 4 * rows + bytes;
    }
    case STOA_TYPE_UNKNOWN: return 0;
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return rows;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return rows * 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DATE: return rows * 4;
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL: return rows * 16;
    case STOA_TYPE_FIXED: return rows * (uint64_t)type->length;
    default: return rows * 8;
    }
}

uint64_t stoa_rows_bytes(const stoa_schema *schema, const struct ArrowArray *batch, int64_t start,
                         int64_t count) {
    uint64_t bytes = 0;
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        bytes += array_bytes(&schema->root.children[i].type, batch->children[i],
                             batch->offset + start, count);
    }
    return bytes;
}

int64_t stoa_rows_fitting(const stoa_schema *schema, const struct ArrowArray *batch, int64_t start,
                          int64_t count, uint64_t bytes_max, uint64_t *out_bytes) {
    *out_bytes = stoa_rows_bytes(schema, batch, start, count);
    if (*out_bytes <= bytes_max) {
        return count;
    }
    int64_t fitting = 0, too_many = count;
    *out_bytes = 0;
    while (too_many - fitting > 1) {
        const int64_t middle = fitting + (too_many - fitting) / 2;
        const uint64_t bytes = stoa_rows_bytes(schema, batch, start, middle);
        if (bytes <= bytes_max) {
            fitting = middle;
            *out_bytes = bytes;
        } else {
            too_many = middle;
        }
    }
    return fitting;
}
