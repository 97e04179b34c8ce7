/* Appending from arrays: runs of rows, and rows by index. Both make the room, let a kernel write,
 * and go down into the children; a dictionary is encoded anew (builder_dictionary.c).
 *
 * Sources are valid arrays of the builder's type; stoa_arrow_validate is for arrays from outside.
 * "Row" counts from the source's offset, "physical" from the start of its buffers. */
#include <string.h>

#include "arrow/access.h"
#include "arrow/builder_internal.h"
#include "arrow/gather_kernel.h"
#include "base/checked.h"

static const uint8_t *validity_of(const struct ArrowArray *source) {
    return source->n_buffers > 0 && source->null_count != 0 ? source->buffers[0] : NULL;
}

/* `count` values of `width` bytes behind the end, not yet written; NULL `*out` for no bytes. */
static stoa_status room_for(stoa_builder *builder, int64_t count, size_t width, uint8_t **out,
                            stoa_error *err) {
    size_t bytes;
    if (!stoa_mul_size((size_t)count, width, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " values of %zu bytes are more "
                         "than memory can hold", builder_name(builder), count, width);
    }
    builder_trim(builder);
    STOA_TRY(stoa_buffer_reserve(&builder->values, bytes, err));
    *out = bytes == 0 ? NULL : builder->values.data + builder->values.size;
    builder->values.size += bytes;
    return STOA_OK;
}

static stoa_status room_for_offsets(stoa_builder *builder, int64_t count, uint8_t **out,
                                    stoa_error *err) {
    size_t width = (size_t)stoa_arrow_offset_bytes(builder->layout.kind);
    size_t bytes;
    if (!stoa_mul_size((size_t)count, width, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " offsets are more than memory "
                         "can hold", builder_name(builder), count);
    }
    STOA_TRY(builder_put_first_offset(builder, err));
    STOA_TRY(stoa_buffer_reserve(&builder->offsets, bytes, err));
    *out = builder->offsets.data + builder->offsets.size;
    builder->offsets.size += bytes;
    return STOA_OK;
}

static stoa_status room_for_bits(stoa_builder *builder, int64_t count, stoa_error *err) {
    return stoa_buffer_resize(&builder->values, stoa_bitmap_bytes(builder->length + count), err);
}

/* ---- runs of rows ---- */

static stoa_status run_validity(stoa_builder *builder, const struct ArrowArray *source,
                                int64_t physical, int64_t count, int64_t *out_nulls,
                                stoa_error *err) {
    const uint8_t *validity = validity_of(source);
    *out_nulls = validity == NULL ? 0 : count - stoa_bitmap_count(validity, physical, count);
    if (*out_nulls == 0) {
        return builder_put_validity(builder, count, true, err);
    }
    STOA_TRY(builder_put_validity(builder, count, false, err));
    stoa_bitmap_copy(validity, physical, builder->validity.data, builder->length, count);
    return STOA_OK;
}

static stoa_status run_fixed(stoa_builder *builder, const struct ArrowArray *source,
                             int64_t physical, int64_t count, stoa_error *err) {
    size_t width = (size_t)builder->layout.byte_width;
    uint8_t *target = NULL;
    STOA_TRY(room_for(builder, count, width, &target, err));
    if (target != NULL) {
        memcpy(target, (const uint8_t *)source->buffers[1] + (size_t)physical * width,
               (size_t)count * width);
    }
    return STOA_OK;
}

static stoa_status run_bits(stoa_builder *builder, const struct ArrowArray *source,
                            int64_t physical, int64_t count, stoa_error *err) {
    STOA_TRY(room_for_bits(builder, count, err));
    stoa_bitmap_copy(source->buffers[1], physical, builder->values.data, builder->length, count);
    return STOA_OK;
}

static stoa_status run_offsets(stoa_builder *builder, const struct ArrowArray *source,
                               int64_t physical, int64_t count, int64_t size, stoa_error *err) {
    bool wide = builder_is_wide(builder);
    int64_t base = builder_last_offset(builder);
    int64_t end;
    if (size < 0 || !stoa_add_i64(base, size, &end)) {
        return stoa_fail(err, STOA_INVALID, "column '%s': its offsets decrease",
                         builder_name(builder));
    }
    STOA_TRY(builder_check_offset(builder, end, err));
    uint8_t *target = NULL;
    STOA_TRY(room_for_offsets(builder, count, &target, err));
    const uint8_t *offsets = source->buffers[1];
    stoa_offsets_append(offsets + physical * (wide ? 8 : 4), wide, count, base, target);
    return STOA_OK;
}

static stoa_status run_variable(stoa_builder *builder, const struct ArrowArray *source,
                                int64_t physical, int64_t count, stoa_error *err) {
    bool wide = builder_is_wide(builder);
    int64_t begin = stoa_arrow_offset_at(source->buffers[1], wide, physical);
    int64_t size = stoa_arrow_offset_at(source->buffers[1], wide, physical + count) - begin;
    if (builder->storage == STORAGE_LIST) {
        STOA_TRY(run_offsets(builder, source, physical, count, size, err));
        return stoa_builder_append_array(builder->children[0], source->children[0], begin, size,
                                         err);
    }
    uint8_t *target = NULL;
    if (size > 0) {
        STOA_TRY(room_for(builder, size, 1, &target, err));
        memcpy(target, (const uint8_t *)source->buffers[2] + begin, (size_t)size);
    }
    return run_offsets(builder, source, physical, count, size, err);
}

static stoa_status run_children(stoa_builder *builder, const struct ArrowArray *source,
                                int64_t physical, int64_t count, stoa_error *err) {
    int64_t scale = builder->storage == STORAGE_FIXED_LIST ? builder->layout.list_size : 1;
    for (int64_t i = 0; i < builder->child_count; i++) {
        STOA_TRY(stoa_builder_append_array(builder->children[i], source->children[i],
                                           physical * scale, count * scale, err));
    }
    return STOA_OK;
}

/* Views commit value by value, so that they may fail between two. `indices` NULL: a run. */
static stoa_status append_views(stoa_builder *builder, const struct ArrowArray *source,
                                const int64_t *indices, int64_t offset, int64_t count,
                                stoa_error *err) {
    const uint8_t *validity = validity_of(source);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = indices == NULL ? offset + i : indices[i];
        int64_t physical = source->offset + row;
        if (row < 0 || (validity != NULL && !stoa_bit_get(validity, physical))) {
            STOA_TRY(stoa_builder_append_null(builder, err));
            continue;
        }
        stoa_arrow_bytes bytes = stoa_arrow_bytes_at(&builder->layout, source, physical);
        STOA_TRY(stoa_builder_append_bytes(builder, bytes.data, (size_t)bytes.size, err));
    }
    return STOA_OK;
}

/* The width of the indices stands in the source's schema, which is not at hand. */
static stoa_status unexpected_dictionary(const stoa_builder *builder, stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "column '%s': expected plain values but found a dictionary",
                     builder_name(builder));
}

static stoa_status run_values(stoa_builder *builder, const struct ArrowArray *source,
                              int64_t physical, int64_t count, stoa_error *err) {
    switch (builder->storage) {
    case STORAGE_BITS:
        return run_bits(builder, source, physical, count, err);
    case STORAGE_FIXED:
        return run_fixed(builder, source, physical, count, err);
    case STORAGE_BYTES:
    case STORAGE_LIST:
        return run_variable(builder, source, physical, count, err);
    case STORAGE_FIXED_LIST:
    case STORAGE_STRUCT:
        return run_children(builder, source, physical, count, err);
    default:
        return STOA_OK;
    }
}

stoa_status stoa_builder_append_array(stoa_builder *builder, const struct ArrowArray *source,
                                      int64_t offset, int64_t count, stoa_error *err) {
    int64_t end;
    if (offset < 0 || count < 0 || !stoa_add_i64(offset, count, &end) || end > source->length) {
        return stoa_fail(err, STOA_INVALID,
                         "column '%s': expected rows below %" PRId64 " but found %" PRId64
                         " rows from %" PRId64, builder_name(builder), source->length, count,
                         offset);
    }
    if (count == 0) {
        return STOA_OK;
    }
    if (builder->dictionary != NULL) {
        return builder_dictionary_append(builder, source, NULL, offset, count, err);
    }
    if (source->dictionary != NULL) {
        return unexpected_dictionary(builder, err);
    }
    if (builder->storage == STORAGE_VIEWS) {
        return append_views(builder, source, NULL, offset, count, err);
    }
    int64_t physical = source->offset + offset;
    int64_t nulls = 0;
    if (builder->storage != STORAGE_NONE) {
        STOA_TRY(run_validity(builder, source, physical, count, &nulls, err));
    }
    STOA_TRY(run_values(builder, source, physical, count, err));
    builder_commit(builder, count, nulls);
    return STOA_OK;
}

/* ---- rows by index: physical ones below, -1 for a null ---- */

static stoa_status gather_validity(stoa_builder *builder, const struct ArrowArray *source,
                                   const int64_t *indices, int64_t count, int64_t *out_nulls,
                                   stoa_error *err) {
    const uint8_t *validity = validity_of(source);
    *out_nulls = stoa_gather_null_count(validity, 0, indices, count);
    if (*out_nulls == 0) {
        return builder_put_validity(builder, count, true, err);
    }
    STOA_TRY(builder_put_validity(builder, count, false, err));
    stoa_gather_bits(validity, 0, indices, count, builder->validity.data, builder->length);
    return STOA_OK;
}

static stoa_status gather_bytes(stoa_builder *builder, const struct ArrowArray *source,
                                const int64_t *indices, int64_t count, int64_t total,
                                stoa_error *err) {
    bool wide = builder_is_wide(builder);
    int64_t base = builder_last_offset(builder);
    uint8_t *target = NULL;
    uint8_t *offsets;
    STOA_TRY(room_for(builder, total, 1, &target, err));
    STOA_TRY(room_for_offsets(builder, count, &offsets, err));
    (void)stoa_gather_bytes(source->buffers[1], wide, validity_of(source), 0, source->buffers[2],
                            indices, count, base, target, offsets);
    return STOA_OK;
}

static stoa_status gather_list(stoa_builder *builder, const struct ArrowArray *source,
                               const int64_t *indices, int64_t count, int64_t total,
                               stoa_error *err) {
    bool wide = builder_is_wide(builder);
    int64_t base = builder_last_offset(builder);
    uint8_t *offsets;
    void *items = NULL;
    STOA_TRY(room_for_offsets(builder, count, &offsets, err));
    STOA_TRY(stoa_pool_allocate_array(builder->pool, (size_t)total, sizeof(int64_t), &items, err));
    (void)stoa_gather_items(source->buffers[1], wide, validity_of(source), 0, indices, count, base,
                            items, offsets);
    stoa_status status =
        builder_append_gather(builder->children[0], source->children[0], items, total, err);
    stoa_pool_free(builder->pool, items, (size_t)total * sizeof(int64_t));
    return status;
}

static stoa_status gather_variable(stoa_builder *builder, const struct ArrowArray *source,
                                   const int64_t *indices, int64_t count, stoa_error *err) {
    int64_t total = 0;
    int64_t end;
    if (source->length > 0) {
        total = stoa_gather_run_total(source->buffers[1], builder_is_wide(builder),
                                      validity_of(source), 0, indices, count);
    }
    if (total < 0 || !stoa_add_i64(builder_last_offset(builder), total, &end)) {
        return stoa_fail(err, STOA_INVALID, "column '%s': its offsets decrease",
                         builder_name(builder));
    }
    STOA_TRY(builder_check_offset(builder, end, err));
    return builder->storage == STORAGE_LIST
               ? gather_list(builder, source, indices, count, total, err)
               : gather_bytes(builder, source, indices, count, total, err);
}

static stoa_status gather_fixed_list(stoa_builder *builder, const struct ArrowArray *source,
                                     const int64_t *indices, int64_t count, stoa_error *err) {
    int64_t size = builder->layout.list_size;
    int64_t total;
    void *memory;
    if (!stoa_mul_i64(count, size, &total)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " lists of %" PRId64 " items",
                         builder_name(builder), count, size);
    }
    STOA_TRY(stoa_pool_allocate_array(builder->pool, (size_t)total, sizeof(int64_t), &memory, err));
    int64_t *items = memory;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < size; k++) {
            items[i * size + k] = indices[i] < 0 ? -1 : indices[i] * size + k;
        }
    }
    stoa_status status =
        builder_append_gather(builder->children[0], source->children[0], items, total, err);
    stoa_pool_free(builder->pool, memory, (size_t)total * sizeof(int64_t));
    return status;
}

static stoa_status gather_children(stoa_builder *builder, const struct ArrowArray *source,
                                   const int64_t *indices, int64_t count, stoa_error *err) {
    for (int64_t i = 0; i < builder->child_count; i++) {
        STOA_TRY(builder_append_gather(builder->children[i], source->children[i], indices, count,
                                       err));
    }
    return STOA_OK;
}

static stoa_status gather_values(stoa_builder *builder, const struct ArrowArray *source,
                                 const int64_t *indices, int64_t count, stoa_error *err) {
    uint8_t *target = NULL;
    size_t width = (size_t)builder->layout.byte_width;
    switch (builder->storage) {
    case STORAGE_BITS:
        STOA_TRY(room_for_bits(builder, count, err));
        if (source->length == 0) { /* all are -1, and there may be no buffer */
            stoa_bitmap_fill(builder->values.data, builder->length, count, false);
            return STOA_OK;
        }
        stoa_gather_bits(source->buffers[1], 0, indices, count, builder->values.data,
                         builder->length);
        return STOA_OK;
    case STORAGE_FIXED:
        STOA_TRY(room_for(builder, count, width, &target, err));
        stoa_gather_fixed(source->buffers[1], width, indices, count, target);
        return STOA_OK;
    case STORAGE_BYTES:
    case STORAGE_LIST:
        return gather_variable(builder, source, indices, count, err);
    case STORAGE_FIXED_LIST:
        return gather_fixed_list(builder, source, indices, count, err);
    case STORAGE_STRUCT:
        return gather_children(builder, source, indices, count, err);
    default:
        return STOA_OK;
    }
}

static stoa_status gather_physical(stoa_builder *builder, const struct ArrowArray *source,
                                   const int64_t *physical, int64_t count, stoa_error *err) {
    int64_t nulls = 0;
    if (builder->storage != STORAGE_NONE) {
        STOA_TRY(gather_validity(builder, source, physical, count, &nulls, err));
    }
    STOA_TRY(gather_values(builder, source, physical, count, err));
    builder_commit(builder, count, nulls);
    return STOA_OK;
}

stoa_status builder_append_gather(stoa_builder *builder, const struct ArrowArray *source,
                                  const int64_t *indices, int64_t count, stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    if (builder->dictionary != NULL) {
        return builder_dictionary_append(builder, source, indices, 0, count, err);
    }
    if (source->dictionary != NULL) {
        return unexpected_dictionary(builder, err);
    }
    if (builder->storage == STORAGE_VIEWS) {
        return append_views(builder, source, indices, 0, count, err);
    }
    if (source->offset == 0) {
        return gather_physical(builder, source, indices, count, err);
    }
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(builder->pool, (size_t)count, sizeof(int64_t), &memory, err));
    int64_t *physical = memory;
    for (int64_t i = 0; i < count; i++) {
        physical[i] = indices[i] < 0 ? -1 : indices[i] + source->offset;
    }
    stoa_status status = gather_physical(builder, source, physical, count, err);
    stoa_pool_free(builder->pool, memory, (size_t)count * sizeof(int64_t));
    return status;
}
