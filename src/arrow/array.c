/* Whole arrays: counting nulls and bytes, copying rows into new arrays. Copying goes through a
 * builder of the same type, whose kernels move runs (concat) or rows by index (take); so a result
 * has no offset, no garbage under nulls, and dictionaries with what is used. */
#include "arrow/array.h"

#include "arrow/access.h"
#include "arrow/builder_internal.h"
#include "base/checked.h"

bool stoa_arrow_is_null(const struct ArrowArray *array, int64_t row) {
    if (array->n_buffers == 0) {
        return array->n_children == 0;
    }
    return array->null_count != 0 && !stoa_arrow_valid_at(array, array->offset + row);
}

int64_t stoa_arrow_null_count(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    stoa_arrow_layout layout;
    if (stoa_arrow_layout_parse(schema, &layout, NULL) != STOA_OK) {
        return 0;
    }
    if (layout.kind == STOA_ARROW_NULL) {
        return array->length;
    }
    if (!stoa_arrow_kind_has_validity(layout.kind) || array->n_buffers == 0 ||
        array->buffers[0] == NULL) {
        return 0;
    }
    if (array->null_count >= 0) {
        return array->null_count;
    }
    return array->length - stoa_bitmap_count(array->buffers[0], array->offset, array->length);
}

/* Sizes saturate: an absurd length from outside gives an absurd answer, not an overflow. */
static int64_t add(int64_t a, int64_t b) {
    int64_t sum;
    return stoa_add_i64(a, b, &sum) ? sum : INT64_MAX;
}

static int64_t multiply(int64_t a, int64_t b) {
    int64_t product;
    return stoa_mul_i64(a, b, &product) ? product : INT64_MAX;
}

static int64_t data_bytes(const stoa_arrow_layout *layout, const struct ArrowArray *array) {
    int64_t length = array->length;
    if (layout->kind == STOA_ARROW_BOOL) {
        return (int64_t)stoa_bitmap_bytes(length);
    }
    if (stoa_arrow_kind_is_view(layout->kind)) {
        int64_t bytes = multiply(length, 16);
        const int64_t *sizes = array->n_buffers > 2 ? array->buffers[array->n_buffers - 1] : NULL;
        for (int64_t i = 0; sizes != NULL && i < array->n_buffers - 3; i++) {
            bytes = add(bytes, sizes[i]);
        }
        return bytes;
    }
    if (stoa_arrow_kind_has_bytes(layout->kind) || stoa_arrow_kind_is_list(layout->kind)) {
        int32_t width = stoa_arrow_offset_bytes(layout->kind);
        int64_t bytes = multiply(add(length, 1), width);
        if (!stoa_arrow_kind_has_bytes(layout->kind) || length == 0) {
            return bytes;
        }
        int64_t begin = stoa_arrow_offset_at(array->buffers[1], width == 8, array->offset);
        int64_t end = stoa_arrow_offset_at(array->buffers[1], width == 8, array->offset + length);
        return add(bytes, end - begin);
    }
    if (layout->kind == STOA_ARROW_DENSE_UNION || layout->kind == STOA_ARROW_SPARSE_UNION) {
        return multiply(length, layout->kind == STOA_ARROW_DENSE_UNION ? 5 : 1);
    }
    return multiply(length, layout->byte_width);
}

static int64_t memory_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            int depth) {
    stoa_arrow_layout layout;
    if (depth > STOA_ARROW_DEPTH_MAX || stoa_arrow_layout_parse(schema, &layout, NULL) != STOA_OK) {
        return 0;
    }
    int64_t bytes = data_bytes(&layout, array);
    if (stoa_arrow_kind_has_validity(layout.kind) && array->buffers[0] != NULL) {
        bytes = add(bytes, (int64_t)stoa_bitmap_bytes(array->length));
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        bytes = add(bytes, memory_bytes(schema->children[i], array->children[i], depth + 1));
    }
    if (layout.dictionary) {
        bytes = add(bytes, memory_bytes(schema->dictionary, array->dictionary, depth + 1));
    }
    return bytes;
}

int64_t stoa_arrow_memory_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    return memory_bytes(schema, array, 0);
}

stoa_status stoa_arrow_concat(stoa_pool *pool, const struct ArrowSchema *schema,
                              const struct ArrowArray *const *arrays, int64_t count,
                              struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    stoa_builder *builder;
    STOA_TRY(stoa_builder_create(pool, schema, &builder, err));
    stoa_status status = STOA_OK;
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++) {
        rows = add(rows, arrays[i]->length);
    }
    STOA_CHECK(stoa_builder_reserve(builder, rows, err));
    for (int64_t i = 0; i < count; i++) {
        STOA_CHECK(stoa_builder_append_array(builder, arrays[i], 0, arrays[i]->length, err));
    }
    STOA_CHECK(stoa_builder_finish(builder, out, err));

done:
    stoa_builder_close(builder);
    return status;
}

static stoa_status append_selection(stoa_builder *builder, const stoa_arrow_selection *selection,
                                    stoa_error *err) {
    return selection->indices == NULL
               ? stoa_builder_append_array(builder, selection->source, selection->first,
                                           selection->count, err)
               : builder_append_gather(builder, selection->source, selection->indices,
                                       selection->count, err);
}

stoa_status stoa_arrow_take_from(stoa_pool *pool, const struct ArrowSchema *schema,
                                 const stoa_arrow_selection *selections, int64_t selection_count,
                                 struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    stoa_builder *builder;
    STOA_TRY(stoa_builder_create(pool, schema, &builder, err));
    stoa_status status = STOA_OK;
    int64_t rows = 0;
    for (int64_t i = 0; i < selection_count; i++) {
        rows = add(rows, selections[i].count);
    }
    STOA_CHECK(stoa_builder_reserve(builder, rows, err));
    for (int64_t i = 0; i < selection_count; i++) {
        STOA_CHECK(append_selection(builder, &selections[i], err));
    }
    STOA_CHECK(stoa_builder_finish(builder, out, err));

done:
    stoa_builder_close(builder);
    return status;
}

stoa_status stoa_arrow_take(stoa_pool *pool, const struct ArrowSchema *schema,
                            const struct ArrowArray *source, const int64_t *indices, int64_t count,
                            struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    for (int64_t i = 0; i < count; i++) {
        if (indices[i] < -1 || indices[i] >= source->length) {
            return stoa_fail(err, STOA_INVALID,
                             "index %" PRId64 ": expected a row below %" PRId64 " but found "
                             "%" PRId64, i, source->length, indices[i]);
        }
    }
    const stoa_arrow_selection all = {.source = source, .indices = indices, .count = count};
    return stoa_arrow_take_from(pool, schema, &all, count > 0 ? 1 : 0, out, err);
}
