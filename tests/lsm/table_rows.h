/* Rows for tests of the parts of the state store: a table of a key and a value, its key a number or a
 * text and a number, and batches of given keys. */
#ifndef STOA_TESTS_LSM_TABLE_ROWS_H
#define STOA_TESTS_LSM_TABLE_ROWS_H

#include <stdio.h>
#include <string.h>

#include <stoa/state.h>

#include "arrow/builder.h"
#include "lsm/stripe.h"
#include "support.h"

struct table_format {
    stoa_pool *pool;
    bool has_text;
    const stoa_schema *schema;
    struct ArrowSchema arrow;
    stoa_key_format key;
    stoa_arena arena;
    stoa_stripe_layout layout;
};

static inline void table_format_open(stoa_pool *pool, bool has_text, struct table_format *format) {
    static const stoa_key_column columns[] = {{1, false}, {2, false}};
    stoa_error err;
    *format = (struct table_format){.pool = pool, .has_text = has_text};
    assert_ok(stoa_schema_parse(pool,
                                has_text ? "name string not null, id int not null, value long"
                                         : "id int not null, value long",
                                &format->schema, &err),
              err);
    assert_ok(stoa_schema_to_arrow(pool, format->schema, &format->arrow, &err), err);
    assert_ok(stoa_key_format_init(&format->key, format->schema, columns, has_text ? 2 : 1, &err),
              err);
    stoa_arena_init(&format->arena, pool);
    assert_ok(stoa_stripe_layout_init(&format->layout, &format->arena, format->schema, &format->key,
                                      &err),
              err);
}

static inline void table_format_close(struct table_format *format) {
    stoa_arena_release(&format->arena);
    stoa_arrow_schema_release(&format->arrow);
    stoa_schema_close(format->schema);
}

/// The key number `id` as bytes: texts of ids that are near each other begin alike.
static inline void table_key(const struct table_format *format, int32_t id, stoa_buffer *out) {
    char text[32];
    stoa_error err;
    stoa_value values[2] = {{.type = {.kind = STOA_TYPE_INT}, .i = id}};
    stoa_buffer_clear(out);
    if (format->has_text) {
        values[1] = values[0];
        snprintf(text, sizeof text, "name/%d", id / 4);
        values[0] = (stoa_value){.type = {.kind = STOA_TYPE_STRING},
                                 .bytes = (const uint8_t *)text,
                                 .size = strlen(text)};
    }
    assert_ok(stoa_key_encode(&format->key, values, format->key.part_count, out, &err), err);
}

/// One row as cells, with its key only or as a whole; a negative value is a null. `text` is what the
/// key's name lies in.
static inline void table_cells(const struct table_format *format, int32_t id, int64_t value,
                               char text[32], stoa_cell cells[3]) {
    int32_t column = 0;
    if (format->has_text) {
        snprintf(text, 32, "name/%d", id / 4);
        cells[column++] = (stoa_cell){.bytes = text, .size = strlen(text)};
    }
    cells[column++] = (stoa_cell){.i = id};
    cells[column] = (stoa_cell){.is_null = value < 0, .i = value};
}

/// Rows of these ids; a negative value is a null.
static inline void table_batch(const struct table_format *format, const int32_t *ids,
                               const int64_t *values, int64_t count, struct ArrowArray *out) {
    stoa_builder *builder;
    stoa_error err;
    assert_ok(stoa_builder_create(format->pool, &format->arrow, &builder, &err), err);
    for (int64_t i = 0; i < count; i++) {
        char text[32];
        int64_t column = 0;
        if (format->has_text) {
            snprintf(text, sizeof text, "name/%d", ids[i] / 4);
            assert_ok(stoa_builder_append_bytes(stoa_builder_child(builder, column++), text,
                                                strlen(text), &err),
                      err);
        }
        assert_ok(stoa_builder_append_i64(stoa_builder_child(builder, column++), ids[i], &err),
                  err);
        stoa_builder *value = stoa_builder_child(builder, column);
        if (values[i] < 0) {
            assert_ok(stoa_builder_append_null(value, &err), err);
        } else {
            assert_ok(stoa_builder_append_i64(value, values[i], &err), err);
        }
        assert_ok(stoa_builder_finish_value(builder, &err), err);
    }
    assert_ok(stoa_builder_finish(builder, out, &err), err);
    stoa_builder_close(builder);
}

#endif
