/* Assembling arrays out of a record batch's nodes and buffers.
 *
 * Nodes stand in pre-order, one for each field; buffers in the order of the nodes, as many as the
 * field's layout has; views take as many data buffers as the next variadic count says. The values
 * of a dictionary are not here but in a message of their own.
 *
 * A struct ArrowArray does not say how long its buffers are. So it is here, where the sizes are
 * known, that every buffer is checked to be as long as its length, its offsets or its views need.
 * stoa_arrow_validate then checks what lies inside.
 *
 * Source   Apache Arrow columnar format 1.5, "RecordBatch message", "Variadic buffers" */
#include "arrow/ipc_batch.h"

#include "arrow/ipc_format.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "base/checked.h"

enum { VIEW_BYTES = 16, WIDE_ALIGNMENT = 16, ALIGNMENT = 8, OWN_BUFFERS_OF_VIEWS = 2 };

/* More rows than any buffer could have bits for; types without buffers have no other limit. */
#define LENGTH_MAX (INT64_C(1) << 56)

struct cursor {
    const stoa_ipc_assembly *assembly;
    uint32_t node;
    uint32_t buffer;
    uint32_t variadic;
};

static stoa_status assemble_node(struct cursor *cursor, const stoa_ipc_field *field,
                                 struct ArrowArray *out, stoa_error *err);

static const char *name_of(const stoa_ipc_field *field) {
    return field->schema->name == NULL ? "" : field->schema->name;
}

static stoa_status next_node(struct cursor *cursor, const stoa_ipc_field *field, stoa_ipc_node *out,
                             stoa_error *err) {
    const stoa_ipc_body *body = cursor->assembly->body;
    *out = (stoa_ipc_node){0};
    if (body == NULL) {
        return STOA_OK;
    }
    if (cursor->node >= body->node_count) {
        return stoa_fail(err, STOA_CORRUPT, "field '%s': the batch has only %u nodes",
                         name_of(field), body->node_count);
    }
    *out = body->nodes[cursor->node++];
    if (out->length < 0 || out->length > LENGTH_MAX || out->null_count < 0 ||
        out->null_count > out->length) {
        return stoa_fail(err, STOA_CORRUPT,
                         "field '%s': %" PRId64 " rows with %" PRId64 " nulls are impossible",
                         name_of(field), out->length, out->null_count);
    }
    return STOA_OK;
}

static stoa_status next_buffer(struct cursor *cursor, const stoa_ipc_field *field, size_t alignment,
                               stoa_ipc_slice *out, stoa_error *err) {
    stoa_ipc_body *body = cursor->assembly->body;
    *out = (stoa_ipc_slice){stoa_ipc_empty, 0};
    if (body == NULL) {
        return STOA_OK;
    }
    if (cursor->buffer >= body->buffer_count) {
        return stoa_fail(err, STOA_CORRUPT, "field '%s': the batch has only %u buffers",
                         name_of(field), body->buffer_count);
    }
    stoa_ipc_slice *slice = &body->buffers[cursor->buffer++];
    STOA_TRY(stoa_ipc_body_align(body, slice, alignment, err));
    *out = *slice;
    return STOA_OK;
}

static stoa_status too_short(const stoa_ipc_field *field, const char *what, uint64_t expected,
                             uint64_t found, stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT,
                     "field '%s': expected %" PRIu64 " bytes of %s but found %" PRIu64,
                     name_of(field), expected, what, found);
}

/* A validity bitmap is left out where nothing is null, whatever stands in the file. */
static stoa_status take_validity(struct cursor *cursor, const stoa_ipc_field *field,
                                 const stoa_ipc_node *node, struct ArrowArray *out,
                                 stoa_error *err) {
    stoa_ipc_slice bits;
    STOA_TRY(next_buffer(cursor, field, 1, &bits, err));
    if (node->null_count == 0) {
        return STOA_OK;
    }
    if (bits.size < stoa_bitmap_bytes(node->length)) {
        return too_short(field, "validity", stoa_bitmap_bytes(node->length), bits.size, err);
    }
    int64_t nulls = node->length - stoa_bitmap_count(bits.data, 0, node->length);
    if (nulls != node->null_count) {
        return stoa_fail(err, STOA_CORRUPT,
                         "field '%s': expected %" PRId64 " nulls but the bitmap has %" PRId64,
                         name_of(field), node->null_count, nulls);
    }
    stoa_arrow_array_set_buffer_view(out, 0, bits.data);
    return STOA_OK;
}

/* `count` values of `width` bytes, or bits where the width is 0. */
static stoa_status take_values(struct cursor *cursor, const stoa_ipc_field *field, int64_t index,
                               int64_t count, int64_t width, struct ArrowArray *out,
                               stoa_error *err) {
    stoa_ipc_slice data;
    size_t alignment = width == 0 ? 1 : width % WIDE_ALIGNMENT == 0 ? WIDE_ALIGNMENT : ALIGNMENT;
    STOA_TRY(next_buffer(cursor, field, alignment, &data, err));
    int64_t needed = 0;
    bool bits = field->layout.kind == STOA_ARROW_BOOL;
    if (!stoa_mul_i64(count, width, &needed)) {
        needed = INT64_MAX;
    }
    needed = bits ? (int64_t)stoa_bitmap_bytes(count) : needed;
    if (data.size < (uint64_t)needed) {
        return too_short(field, "values", (uint64_t)needed, data.size, err);
    }
    stoa_arrow_array_set_buffer_view(out, index, data.data);
    return STOA_OK;
}

static int64_t load_offset(const uint8_t *offsets, int64_t index, int32_t width) {
    return width == 8 ? stoa_load_i64(offsets + index * 8) : stoa_load_i32(offsets + index * 4);
}

/* Offsets, of which the first and the last are checked; `*out_last` is what they reach to. An
 * empty array may have none: zeros stand in. */
static stoa_status take_offsets(struct cursor *cursor, const stoa_ipc_field *field, int64_t length,
                                struct ArrowArray *out, int64_t *out_last, stoa_error *err) {
    int32_t width = stoa_arrow_offset_bytes(field->layout.kind);
    stoa_ipc_slice offsets;
    STOA_TRY(next_buffer(cursor, field, ALIGNMENT, &offsets, err));
    *out_last = 0;
    if (length == 0 && offsets.size < (uint64_t)width) {
        stoa_arrow_array_set_buffer_view(out, 1, stoa_ipc_empty);
        return STOA_OK;
    }
    uint64_t needed = ((uint64_t)length + 1) * (uint64_t)width;
    if (offsets.size < needed) {
        return too_short(field, "offsets", needed, offsets.size, err);
    }
    int64_t first = load_offset(offsets.data, 0, width);
    *out_last = load_offset(offsets.data, length, width);
    if (first < 0 || *out_last < first) {
        return stoa_fail(err, STOA_CORRUPT,
                         "field '%s': offsets from %" PRId64 " to %" PRId64 " are impossible",
                         name_of(field), first, *out_last);
    }
    stoa_arrow_array_set_buffer_view(out, 1, offsets.data);
    return STOA_OK;
}

static stoa_status take_bytes(struct cursor *cursor, const stoa_ipc_field *field, int64_t length,
                              struct ArrowArray *out, stoa_error *err) {
    int64_t last = 0;
    stoa_ipc_slice data;
    STOA_TRY(take_offsets(cursor, field, length, out, &last, err));
    STOA_TRY(next_buffer(cursor, field, 1, &data, err));
    if (data.size < (uint64_t)last) {
        return too_short(field, "values", (uint64_t)last, data.size, err);
    }
    stoa_arrow_array_set_buffer_view(out, 2, data.data);
    return STOA_OK;
}

static stoa_status next_variadic(struct cursor *cursor, const stoa_ipc_field *field, uint32_t *out,
                                 stoa_error *err) {
    const stoa_ipc_body *body = cursor->assembly->body;
    *out = 0;
    if (body == NULL) {
        return STOA_OK;
    }
    if (cursor->variadic >= body->variadic_count) {
        return stoa_fail(err, STOA_CORRUPT, "field '%s': the batch has only %u variadic counts",
                         name_of(field), body->variadic_count);
    }
    int64_t count = body->variadic_counts[cursor->variadic++];
    uint32_t own = OWN_BUFFERS_OF_VIEWS;
    uint32_t left = body->buffer_count - cursor->buffer;
    if (count < 0 || left < own || count > left - own) {
        return stoa_fail(err, STOA_CORRUPT,
                         "field '%s': %" PRId64 " data buffers are more than the batch has",
                         name_of(field), count);
    }
    *out = (uint32_t)count;
    return STOA_OK;
}

/* Views: validity, views, the data buffers, and behind them an array of their sizes. */
static stoa_status take_views(struct cursor *cursor, const stoa_ipc_field *field,
                              const stoa_ipc_node *node, uint32_t count, struct ArrowArray *out,
                              stoa_error *err) {
    STOA_TRY(take_validity(cursor, field, node, out, err));
    STOA_TRY(take_values(cursor, field, 1, node->length, VIEW_BYTES, out, err));
    stoa_buffer sizes;
    stoa_buffer_init(&sizes, cursor->assembly->pool);
    stoa_status status = STOA_OK;
    for (uint32_t i = 0; i < count; i++) {
        stoa_ipc_slice data;
        STOA_CHECK(next_buffer(cursor, field, 1, &data, err));
        stoa_arrow_array_set_buffer_view(out, OWN_BUFFERS_OF_VIEWS + i, data.data);
        int64_t size = (int64_t)data.size;
        STOA_CHECK(stoa_buffer_append(&sizes, &size, sizeof size, err));
    }
    STOA_CHECK(stoa_buffer_reserve(&sizes, 1, err)); /* a pointer even when there are none */
    stoa_arrow_array_set_buffer(out, (int64_t)OWN_BUFFERS_OF_VIEWS + count, &sizes);

done:
    stoa_buffer_release(&sizes);
    return status;
}

static stoa_status take_children(struct cursor *cursor, const stoa_ipc_field *field, int64_t wanted,
                                 struct ArrowArray *out, stoa_error *err) {
    for (int64_t i = 0; i < field->child_count; i++) {
        STOA_TRY(assemble_node(cursor, &field->children[i], out->children[i], err));
        if (out->children[i]->length < wanted) {
            return stoa_fail(err, STOA_CORRUPT,
                             "field '%s': expected %" PRId64 " rows in child %" PRId64
                             " but found %" PRId64,
                             name_of(field), wanted, i, out->children[i]->length);
        }
    }
    return STOA_OK;
}

static stoa_status take_list(struct cursor *cursor, const stoa_ipc_field *field,
                             const stoa_ipc_node *node, struct ArrowArray *out, stoa_error *err) {
    int64_t wanted = 0;
    STOA_TRY(take_validity(cursor, field, node, out, err));
    if (field->layout.kind == STOA_ARROW_FIXED_LIST) {
        if (!stoa_mul_i64(node->length, field->layout.list_size, &wanted)) {
            wanted = INT64_MAX;
        }
    } else {
        STOA_TRY(take_offsets(cursor, field, node->length, out, &wanted, err));
    }
    return take_children(cursor, field, wanted, out, err);
}

/* Until V4 unions had a validity bitmap, which could be empty. */
static stoa_status take_union(struct cursor *cursor, const stoa_ipc_field *field,
                              const stoa_ipc_node *node, struct ArrowArray *out, stoa_error *err) {
    bool dense = field->layout.kind == STOA_ARROW_DENSE_UNION;
    const stoa_ipc_body *body = cursor->assembly->body;
    if (body != NULL && body->version == IPC_VERSION_V4) {
        stoa_ipc_slice bits;
        STOA_TRY(next_buffer(cursor, field, 1, &bits, err));
        if (bits.size > 0 && node->null_count > 0) {
            return stoa_fail(err, STOA_UNSUPPORTED,
                             "field '%s': nulls of a union itself, as before metadata V5",
                             name_of(field));
        }
    }
    STOA_TRY(take_values(cursor, field, 0, node->length, 1, out, err));
    if (dense) {
        STOA_TRY(take_values(cursor, field, 1, node->length, sizeof(int32_t), out, err));
    }
    out->null_count = 0;
    return take_children(cursor, field, dense ? 0 : node->length, out, err);
}

static stoa_status take_dictionary(struct cursor *cursor, const stoa_ipc_field *field,
                                   struct ArrowArray *out, stoa_error *err) {
    const stoa_ipc_assembly *assembly = cursor->assembly;
    return assembly->resolve(assembly->resolve_user, field, out->dictionary, err);
}

static stoa_status take_parts(struct cursor *cursor, const stoa_ipc_field *field,
                              const stoa_ipc_node *node, uint32_t variadic, struct ArrowArray *out,
                              stoa_error *err) {
    stoa_arrow_kind kind = field->layout.kind;
    switch (kind) {
    case STOA_ARROW_NULL: out->null_count = node->length; return STOA_OK;
    case STOA_ARROW_STRING:
    case STOA_ARROW_LARGE_STRING:
    case STOA_ARROW_BINARY:
    case STOA_ARROW_LARGE_BINARY:
        STOA_TRY(take_validity(cursor, field, node, out, err));
        return take_bytes(cursor, field, node->length, out, err);
    case STOA_ARROW_STRING_VIEW:
    case STOA_ARROW_BINARY_VIEW: return take_views(cursor, field, node, variadic, out, err);
    case STOA_ARROW_LIST:
    case STOA_ARROW_LARGE_LIST:
    case STOA_ARROW_MAP:
    case STOA_ARROW_FIXED_LIST: return take_list(cursor, field, node, out, err);
    case STOA_ARROW_STRUCT:
        STOA_TRY(take_validity(cursor, field, node, out, err));
        return take_children(cursor, field, node->length, out, err);
    case STOA_ARROW_DENSE_UNION:
    case STOA_ARROW_SPARSE_UNION: return take_union(cursor, field, node, out, err);
    case STOA_ARROW_RUN_END: out->null_count = 0; return take_children(cursor, field, 0, out, err);
    default:
        STOA_TRY(take_validity(cursor, field, node, out, err));
        STOA_TRY(take_values(cursor, field, 1, node->length, field->layout.byte_width, out, err));
        return field->layout.dictionary ? take_dictionary(cursor, field, out, err) : STOA_OK;
    }
}

static stoa_status assemble_node(struct cursor *cursor, const stoa_ipc_field *field,
                                 struct ArrowArray *out, stoa_error *err) {
    const stoa_ipc_assembly *assembly = cursor->assembly;
    stoa_ipc_node node;
    uint32_t variadic = 0;
    STOA_TRY(next_node(cursor, field, &node, err));
    int64_t buffer_count = field->layout.buffer_count;
    if (stoa_arrow_kind_is_view(field->layout.kind)) {
        STOA_TRY(next_variadic(cursor, field, &variadic, err));
        buffer_count = (int64_t)OWN_BUFFERS_OF_VIEWS + variadic + 1;
    }
    STOA_TRY(stoa_arrow_array_init(assembly->pool, buffer_count, field->child_count,
                                   field->layout.dictionary, out, err));
    if (assembly->body != NULL) {
        stoa_arrow_array_keep(out, assembly->body->keeper);
    }
    out->length = node.length;
    out->null_count = node.null_count;
    return take_parts(cursor, field, &node, variadic, out, err);
}

/* Everything that the message brought must have been taken. */
static stoa_status check_taken(const struct cursor *cursor, stoa_error *err) {
    const stoa_ipc_body *body = cursor->assembly->body;
    if (body != NULL && (cursor->node != body->node_count || cursor->buffer != body->buffer_count ||
                         cursor->variadic != body->variadic_count)) {
        return stoa_fail(err, STOA_CORRUPT,
                         "expected %u nodes, %u buffers and %u variadic counts but found %u, %u "
                         "and %u",
                         cursor->node, cursor->buffer, cursor->variadic, body->node_count,
                         body->buffer_count, body->variadic_count);
    }
    return STOA_OK;
}

stoa_status stoa_ipc_assemble_values(const stoa_ipc_assembly *assembly, const stoa_ipc_field *field,
                                     struct ArrowArray *out, stoa_error *err) {
    struct cursor cursor = {.assembly = assembly};
    *out = (struct ArrowArray){0};
    stoa_status status = STOA_OK;
    STOA_CHECK(assemble_node(&cursor, field, out, err));
    STOA_CHECK(check_taken(&cursor, err));

done:
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}

static stoa_status check_lengths(const stoa_ipc_body *body, const stoa_ipc_field *root,
                                 const struct ArrowArray *batch, stoa_error *err) {
    if (body->length < 0 || body->length > LENGTH_MAX) {
        return stoa_fail(err, STOA_CORRUPT, "a batch of %" PRId64 " rows", body->length);
    }
    for (int64_t i = 0; i < batch->n_children; i++) {
        if (batch->children[i]->length != body->length) {
            return stoa_fail(err, STOA_CORRUPT,
                             "field '%s': expected %" PRId64 " rows but found %" PRId64,
                             name_of(&root->children[i]), body->length, batch->children[i]->length);
        }
    }
    return STOA_OK;
}

stoa_status stoa_ipc_assemble_batch(const stoa_ipc_assembly *assembly, const stoa_ipc_field *root,
                                    struct ArrowArray *out, stoa_error *err) {
    struct cursor cursor = {.assembly = assembly};
    *out = (struct ArrowArray){0};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arrow_array_init(assembly->pool, 1, root->child_count, false, out, err));
    STOA_CHECK(take_children(&cursor, root, 0, out, err));
    STOA_CHECK(check_taken(&cursor, err));
    STOA_CHECK(check_lengths(assembly->body, root, out, err));
    out->length = assembly->body->length;

done:
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
