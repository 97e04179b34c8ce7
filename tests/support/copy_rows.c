#include "copy_rows.h"

#include "arrow/access.h"

static void append_nested(stoa_builder *builder, const stoa_arrow_cursor *at) {
    stoa_error err = STOA_ERROR_NONE;
    if (at->layout.kind == STOA_ARROW_STRUCT) {
        for (int64_t i = 0; i < at->schema->n_children; i++) {
            support_append_value(stoa_builder_child(builder, i), at->schema->children[i],
                                 at->array->children[i], at->array->offset + at->row);
        }
    } else {
        int64_t begin, end;
        stoa_arrow_list_range(&at->layout, at->array, at->array->offset + at->row, &begin, &end);
        for (int64_t i = begin; i < end; i++) {
            support_append_value(stoa_builder_child(builder, 0), at->schema->children[0],
                                 at->array->children[0], i);
        }
    }
    assert_ok(stoa_builder_finish_value(builder, &err), err);
}

void support_append_value(stoa_builder *builder, const struct ArrowSchema *schema,
                          const struct ArrowArray *array, int64_t row) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_arrow_cursor at;
    bool null;
    assert_ok(stoa_arrow_cursor_init(schema, array, row, &at, &err), err);
    assert_ok(stoa_arrow_cursor_resolve(&at, &null, &err), err);
    int64_t physical = at.array->offset + at.row;
    if (null) {
        assert_ok(stoa_builder_append_null(builder, &err), err);
    } else if (at.layout.kind >= STOA_ARROW_LIST) {
        append_nested(builder, &at);
    } else if (at.layout.kind == STOA_ARROW_BOOL) {
        bool value = stoa_bit_get(at.array->buffers[1], physical);
        assert_ok(stoa_builder_append_bool(builder, value, &err), err);
    } else {
        stoa_arrow_bytes bytes = stoa_arrow_bytes_at(&at.layout, at.array, physical);
        assert_ok(stoa_builder_append_bytes(builder, bytes.data, (size_t)bytes.size, &err), err);
    }
}

void support_copy_rows(stoa_pool *pool, const struct ArrowSchema *schema,
                       const struct ArrowArray *array, const int64_t *indices, int64_t count,
                       struct ArrowArray *out) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, schema, &builder, &err), err);
    for (int64_t i = 0; i < count; i++) {
        if (indices[i] < 0) {
            assert_ok(stoa_builder_append_null(builder, &err), err);
        } else {
            support_append_value(builder, schema, array, indices[i]);
        }
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}
