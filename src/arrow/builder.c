/* Builders: a tree of nodes, each with the buffers of its layout growing in place.
 *
 * Appending makes room first, writes behind the end, and commits by raising `length`, so a failed
 * append of one value leaves its node as it was. What a failed append of a nested value left in the
 * children is the caller's to drop, with the builder: finish refuses children that do not match.
 *
 * The validity bitmap appears with the first null, and not at all where there is none. Offsets
 * begin with a zero that is written with the first value.
 *
 * Finish allocates every node of the result before it moves the first buffer, so that it happens
 * whole or not at all. */
#include "arrow/builder_internal.h"

#include "arrow/owner.h"
#include "arrow/schema.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "base/checked.h"

const char *builder_name(const stoa_builder *builder) {
    return builder->schema->name == NULL ? "" : builder->schema->name;
}

static stoa_status storage_of(stoa_arrow_kind kind, enum storage *out) {
    switch (kind) {
    case STOA_ARROW_NULL:
        *out = STORAGE_NONE;
        return STOA_OK;
    case STOA_ARROW_BOOL:
        *out = STORAGE_BITS;
        return STOA_OK;
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY:
        *out = STORAGE_BYTES;
        return STOA_OK;
    case STOA_ARROW_STRING_VIEW:
    case STOA_ARROW_BINARY_VIEW:
        *out = STORAGE_VIEWS;
        return STOA_OK;
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_MAP:
        *out = STORAGE_LIST;
        return STOA_OK;
    case STOA_ARROW_FIXED_LIST:
        *out = STORAGE_FIXED_LIST;
        return STOA_OK;
    case STOA_ARROW_STRUCT:
        *out = STORAGE_STRUCT;
        return STOA_OK;
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION:
    case STOA_ARROW_RUN_END:
        return STOA_UNSUPPORTED;
    default:
        *out = STORAGE_FIXED;
        return STOA_OK;
    }
}

void stoa_builder_close(stoa_builder *builder) {
    if (builder == NULL) {
        return;
    }
    for (int64_t i = 0; i < builder->child_count; i++) {
        stoa_builder_close(builder->children[i]);
    }
    stoa_pool_free(builder->pool, builder->children,
                   (size_t)builder->child_count * sizeof(stoa_builder *));
    builder_dictionary_close(builder);
    stoa_buffer_release(&builder->validity);
    stoa_buffer_release(&builder->values);
    stoa_buffer_release(&builder->offsets);
    stoa_arrow_schema_release(&builder->own_schema);
    stoa_pool_free(builder->pool, builder, sizeof *builder);
}

static stoa_status node_create(stoa_pool *pool, const struct ArrowSchema *schema, int depth,
                               stoa_builder **out, stoa_error *err);

static stoa_status children_create(stoa_builder *builder, int depth, stoa_error *err) {
    int64_t count = builder->schema->n_children;
    if (count == 0 || builder->layout.dictionary) {
        return STOA_OK;
    }
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(builder->pool, (size_t)count, sizeof(stoa_builder *),
                                      &memory, err));
    builder->children = memory;
    builder->child_count = count;
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(node_create(builder->pool, builder->schema->children[i], depth + 1,
                             &builder->children[i], err));
    }
    return STOA_OK;
}

static stoa_status dictionary_create(stoa_builder *builder, int depth, stoa_error *err) {
    if (!builder->layout.dictionary) {
        return STOA_OK;
    }
    STOA_TRY(builder_dictionary_create(builder, err));
    return node_create(builder->pool, builder->schema->dictionary, depth + 1,
                       &builder->dictionary->values, err);
}

/* `schema` must stay until the node is closed. */
static stoa_status node_create(stoa_pool *pool, const struct ArrowSchema *schema, int depth,
                               stoa_builder **out, stoa_error *err) {
    *out = NULL;
    if (depth > STOA_ARROW_DEPTH_MAX) {
        return stoa_fail(err, STOA_INVALID, "the schema is nested deeper than %d levels",
                         STOA_ARROW_DEPTH_MAX);
    }
    stoa_arrow_layout layout;
    STOA_TRY(stoa_arrow_layout_parse(schema, &layout, err));
    enum storage storage;
    if (storage_of(layout.kind, &storage) != STOA_OK) {
        return stoa_fail(err, STOA_UNSUPPORTED, "column '%s': values of type %s cannot be built",
                         schema->name == NULL ? "" : schema->name,
                         stoa_arrow_kind_name(layout.kind));
    }
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_builder), &memory, err));
    stoa_builder *builder = memory;
    *builder = (stoa_builder){
        .pool = pool, .schema = schema, .layout = layout, .storage = storage};
    stoa_buffer_init(&builder->validity, pool);
    stoa_buffer_init(&builder->values, pool);
    stoa_buffer_init(&builder->offsets, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(children_create(builder, depth, err));
    STOA_CHECK(dictionary_create(builder, depth, err));
    *out = builder;

done:
    if (status != STOA_OK) {
        stoa_builder_close(builder);
    }
    return status;
}

stoa_status stoa_builder_create(stoa_pool *pool, const struct ArrowSchema *schema,
                                stoa_builder **out, stoa_error *err) {
    *out = NULL;
    struct ArrowSchema copy;
    STOA_TRY(stoa_arrow_schema_copy(pool, schema, &copy, err));
    /* The nodes point into the copied tree; moving its root moves none of what they point at but
     * the root itself. */
    stoa_status status = node_create(pool, &copy, 0, out, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(&copy);
        return status;
    }
    (*out)->own_schema = copy;
    (*out)->schema = &(*out)->own_schema;
    return STOA_OK;
}

int64_t stoa_builder_child_count(const stoa_builder *builder) {
    return builder->dictionary != NULL ? builder->dictionary->values->child_count
                                       : builder->child_count;
}

stoa_builder *stoa_builder_child(stoa_builder *builder, int64_t index) {
    STOA_ASSERT(index >= 0 && index < stoa_builder_child_count(builder));
    return builder->dictionary != NULL ? builder->dictionary->values->children[index]
                                       : builder->children[index];
}

stoa_status stoa_builder_reserve(stoa_builder *builder, int64_t additional, stoa_error *err) {
    STOA_ASSERT(additional >= 0);
    size_t width = builder->storage == STORAGE_FIXED   ? (size_t)builder->layout.byte_width
                   : builder->storage == STORAGE_VIEWS ? 16
                                                       : 0;
    size_t bytes;
    if (!stoa_mul_size((size_t)additional, width, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " values of %zu bytes are more "
                         "than memory can hold", builder_name(builder), additional, width);
    }
    if (builder->storage == STORAGE_BITS) {
        bytes = stoa_bitmap_bytes(additional) + 1;
    }
    STOA_TRY(stoa_buffer_reserve(&builder->values, bytes, err));
    if (builder->storage == STORAGE_BYTES || builder->storage == STORAGE_LIST) {
        size_t entries = (size_t)additional + 1;
        size_t entry = (size_t)stoa_arrow_offset_bytes(builder->layout.kind);
        if (!stoa_mul_size(entries, entry, &bytes)) {
            return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " offsets are more than "
                             "memory can hold", builder_name(builder), additional);
        }
        STOA_TRY(stoa_buffer_reserve(&builder->offsets, bytes, err));
    }
    for (int64_t i = 0; builder->storage == STORAGE_STRUCT && i < builder->child_count; i++) {
        STOA_TRY(stoa_builder_reserve(builder->children[i], additional, err));
    }
    return STOA_OK;
}

stoa_status builder_put_validity(stoa_builder *builder, int64_t count, bool valid,
                                 stoa_error *err) {
    if (builder->null_count == 0 && valid) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_resize(&builder->validity, stoa_bitmap_bytes(builder->length + count),
                                err));
    if (builder->null_count == 0) {
        stoa_bitmap_fill(builder->validity.data, 0, builder->length, true);
    }
    stoa_bitmap_fill(builder->validity.data, builder->length, count, valid);
    return STOA_OK;
}

stoa_status builder_put_first_offset(stoa_builder *builder, stoa_error *err) {
    size_t width = (size_t)stoa_arrow_offset_bytes(builder->layout.kind);
    return stoa_buffer_resize(&builder->offsets, ((size_t)builder->length + 1) * width, err);
}

int64_t builder_last_offset(const stoa_builder *builder) {
    if (builder->offsets.size == 0) {
        return 0;
    }
    const uint8_t *offsets = builder->offsets.data;
    return builder_is_wide(builder) ? stoa_load_i64(offsets + builder->length * 8)
                                    : stoa_load_i32(offsets + builder->length * 4);
}

stoa_status builder_check_offset(const stoa_builder *builder, int64_t end, stoa_error *err) {
    if (!builder_is_wide(builder) && end > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "column '%s': %" PRId64 " %s in one batch are more than the 2147483647 "
                         "that type %s holds", builder_name(builder), end,
                         builder->storage == STORAGE_LIST ? "items" : "bytes",
                         stoa_arrow_kind_name(builder->layout.kind));
    }
    return STOA_OK;
}

stoa_status builder_put_offset(stoa_builder *builder, int64_t end, stoa_error *err) {
    STOA_TRY(builder_check_offset(builder, end, err));
    STOA_TRY(builder_put_first_offset(builder, err));
    int32_t narrow = (int32_t)end;
    return builder_is_wide(builder)
               ? stoa_buffer_append(&builder->offsets, &end, sizeof end, err)
               : stoa_buffer_append(&builder->offsets, &narrow, sizeof narrow, err);
}

void builder_trim(stoa_builder *builder) {
    size_t length = (size_t)builder->length;
    switch (builder->storage) {
    case STORAGE_FIXED:
        builder->values.size = length * (size_t)builder->layout.byte_width;
        break;
    case STORAGE_VIEWS:
        builder->values.size = length * 16;
        break;
    case STORAGE_BYTES:
        builder->values.size = (size_t)builder_last_offset(builder);
        break;
    default:
        break;
    }
}

/* How many items the children must hold for the values that are there. */
static stoa_status children_check(const stoa_builder *builder, stoa_error *err) {
    int64_t wanted = builder->length;
    if (builder->storage == STORAGE_LIST) {
        wanted = builder_last_offset(builder);
    } else if (builder->storage == STORAGE_FIXED_LIST) {
        wanted *= builder->layout.list_size;
    }
    for (int64_t i = 0; i < builder->child_count; i++) {
        if (builder->children[i]->length != wanted) {
            return stoa_fail(err, STOA_INVALID,
                             "column '%s': expected %" PRId64 " values in child '%s' but found "
                             "%" PRId64, builder_name(builder), wanted,
                             builder_name(builder->children[i]), builder->children[i]->length);
        }
    }
    return STOA_OK;
}

static int64_t buffer_count(const stoa_builder *builder) {
    if (builder->storage == STORAGE_VIEWS) {
        return builder->offsets.size > 0 ? 4 : 3;
    }
    return builder->layout.buffer_count;
}

/* The variadic sizes of a view array: one number where there are long values. */
static stoa_status view_sizes_make(const stoa_builder *builder, struct ArrowArray *out,
                                   stoa_error *err) {
    stoa_buffer sizes;
    stoa_buffer_init(&sizes, builder->pool);
    int64_t size = (int64_t)builder->offsets.size;
    STOA_TRY(stoa_buffer_append(&sizes, &size, sizeof size, err));
    stoa_arrow_array_set_buffer(out, out->n_buffers - 1, &sizes);
    return STOA_OK;
}

/* Everything about finishing that can fail. Buffers get memory even where they hold nothing, as
 * some readers refuse NULL. */
static stoa_status finish_prepare(stoa_builder *builder, struct ArrowArray *out, stoa_error *err) {
    STOA_TRY(children_check(builder, err));
    builder_trim(builder);
    if (builder->storage == STORAGE_BYTES || builder->storage == STORAGE_LIST) {
        STOA_TRY(builder_put_first_offset(builder, err));
    }
    STOA_TRY(stoa_buffer_reserve(&builder->values, 1, err));
    STOA_TRY(stoa_arrow_array_init(builder->pool, buffer_count(builder), builder->child_count,
                                   builder->dictionary != NULL, out, err));
    stoa_status status = STOA_OK;
    if (builder->storage == STORAGE_VIEWS) {
        STOA_CHECK(view_sizes_make(builder, out, err));
    }
    for (int64_t i = 0; i < builder->child_count; i++) {
        STOA_CHECK(finish_prepare(builder->children[i], out->children[i], err));
    }
    if (builder->dictionary != NULL) {
        STOA_CHECK(finish_prepare(builder->dictionary->values, out->dictionary, err));
    }

done:
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

static void finish_move(stoa_builder *builder, struct ArrowArray *out) {
    out->length = builder->length;
    out->null_count = builder->storage == STORAGE_NONE ? builder->length : builder->null_count;
    if (builder->null_count > 0 && builder->storage != STORAGE_NONE) {
        builder->validity.size = stoa_bitmap_bytes(builder->length);
        stoa_arrow_array_set_buffer(out, 0, &builder->validity);
    }
    switch (builder->storage) {
    case STORAGE_BITS:
    case STORAGE_FIXED:
        stoa_arrow_array_set_buffer(out, 1, &builder->values);
        break;
    case STORAGE_BYTES:
        stoa_arrow_array_set_buffer(out, 1, &builder->offsets);
        stoa_arrow_array_set_buffer(out, 2, &builder->values);
        break;
    case STORAGE_VIEWS:
        stoa_arrow_array_set_buffer(out, 1, &builder->values);
        if (builder->offsets.size > 0) {
            stoa_arrow_array_set_buffer(out, 2, &builder->offsets);
        }
        break;
    case STORAGE_LIST:
        stoa_arrow_array_set_buffer(out, 1, &builder->offsets);
        break;
    default:
        break;
    }
    stoa_buffer_clear(&builder->validity);
    stoa_buffer_clear(&builder->values);
    stoa_buffer_clear(&builder->offsets);
    builder->length = 0;
    builder->null_count = 0;
    for (int64_t i = 0; i < builder->child_count; i++) {
        finish_move(builder->children[i], out->children[i]);
    }
    if (builder->dictionary != NULL) {
        finish_move(builder->dictionary->values, out->dictionary);
        builder_dictionary_clear(builder);
    }
}

stoa_status stoa_builder_finish(stoa_builder *builder, struct ArrowArray *out, stoa_error *err) {
    *out = (struct ArrowArray){0};
    STOA_TRY(finish_prepare(builder, out, err));
    finish_move(builder, out);
    return STOA_OK;
}
