/* Arrays of nothing but nulls, in the canonical layout: for columns that a batch does not have. */
#include "schema/nulls.h"

#include "arrow/owner.h"
#include "base/bits.h"
#include "base/checked.h"
#include "schema/internal.h"

size_t stoa_type_value_bytes(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_INT8:
    case STOA_TYPE_UINT8: return 1;
    case STOA_TYPE_INT16:
    case STOA_TYPE_UINT16: return 2;
    case STOA_TYPE_INT:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DATE: return 4;
    case STOA_TYPE_TIME: return type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8;
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_UUID: return 16;
    case STOA_TYPE_FIXED: return (size_t)type->length;
    default: return 8;
    }
}

static stoa_status add_zeros(stoa_pool *pool, int64_t index, int64_t count, size_t width,
                             struct ArrowArray *out, stoa_error *err) {
    stoa_buffer buffer;
    size_t bytes;
    stoa_buffer_init(&buffer, pool);
    if (!stoa_mul_size((size_t)count, width, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "%" PRId64 " nulls are more than memory can hold", count);
    }
    STOA_TRY(stoa_buffer_resize(&buffer, bytes, err));
    stoa_arrow_array_set_buffer(out, index, &buffer);
    return STOA_OK;
}

static stoa_status make_null_children(stoa_pool *pool, const stoa_type *type, int64_t count,
                                      struct ArrowArray *out, stoa_error *err) {
    struct ArrowArray *parent = out;
    if (type->kind == STOA_TYPE_MAP) {
        parent = out->children[0];
        STOA_TRY(stoa_arrow_array_init(pool, 1, 2, false, parent, err));
    }
    int64_t child_count = type->kind == STOA_TYPE_STRUCT ? count : 0;
    for (int32_t i = 0; i < type->child_count; i++) {
        STOA_TRY(stoa_array_make_nulls(pool, &type->children[i].type, child_count,
                                       parent->children[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_array_make_nulls(stoa_pool *pool, const stoa_type *type, int64_t count,
                                  struct ArrowArray *out, stoa_error *err) {
    bool text = type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY;
    bool offsets = text || type->kind == STOA_TYPE_LIST || type->kind == STOA_TYPE_MAP;
    int64_t buffer_count = type->kind == STOA_TYPE_UNKNOWN  ? 0
                           : type->kind == STOA_TYPE_STRUCT ? 1
                           : text                           ? 3
                                                            : 2;
    int64_t child_count = type->kind == STOA_TYPE_MAP ? 1 : type->child_count;
    *out = (struct ArrowArray){0};
    STOA_TRY(stoa_arrow_array_init(pool, buffer_count, child_count, false, out, err));
    out->length = count;
    out->null_count = count;
    if (buffer_count == 0) {
        return STOA_OK;
    }
    STOA_TRY(add_zeros(pool, 0, (int64_t)stoa_bitmap_bytes(count), 1, out, err));
    if (offsets) {
        STOA_TRY(add_zeros(pool, 1, count + 1, sizeof(int32_t), out, err));
    } else if (type->kind == STOA_TYPE_BOOLEAN) {
        STOA_TRY(add_zeros(pool, 1, (int64_t)stoa_bitmap_bytes(count), 1, out, err));
    } else if (type->kind != STOA_TYPE_STRUCT) {
        STOA_TRY(add_zeros(pool, 1, count, stoa_type_value_bytes(type), out, err));
    }
    return make_null_children(pool, type, count, out, err);
}
