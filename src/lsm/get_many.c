/* Gets of many keys. Groups of keys go side by side through the steps of a get, each asking for the
 * memory of the next one: filter, the stripe's key bases, the frame of keys, values. Then each is got as
 * if it were alone, and finds all that in the cache. */
#include "arrow/builder.h"
#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/get_internal.h"
#include "lsm/row_cells.h"
#include "schema/schema.h"

enum { GROUP = 32 };

/* A column that is being filled. */
struct column {
    stoa_cell_rule rule;
    stoa_buffer validity;
    stoa_buffer values; /* of texts the offsets */
    stoa_buffer bytes;
    int64_t null_count;
    stoa_builder *nested; /* of nested columns, all else is not used then; else NULL */
};

struct many {
    const stoa_view_reading *reading;
    stoa_pool *pool;
    const stoa_keys_view *keys;
    uint8_t *found;
    struct column *columns; /* as they were asked for */
    int32_t column_count;
    int32_t *indices; /* of the schema */
    stoa_row *row;    /* of the columns that are not nested, in their order */
};

/* One key of a group. */
struct wanted {
    uint8_t number[8];
    stoa_versions versions;
    stoa_hints hints;
};

/* ---- Columns --------------------------------------------------------------------------------- */

static bool is_text(const struct column *column) {
    return column->rule.class == STOA_CELL_STRING || column->rule.class == STOA_CELL_BINARY;
}

static stoa_status open_nested(struct many *many, const stoa_field *field, struct column *column,
                               stoa_error *err) {
    struct ArrowSchema arrow = {0};
    STOA_TRY(
        stoa_schema_to_arrow(many->pool, many->reading->view->definition->schema, &arrow, err));
    const int64_t index = field - many->reading->view->definition->schema->root.children;
    const stoa_status status = stoa_builder_create(many->pool, arrow.children[index],
                                                   &column->nested, err);
    stoa_arrow_schema_release(&arrow);
    return status;
}

static stoa_status open_column(struct many *many, const stoa_field *field, struct column *column,
                               stoa_error *err) {
    const int64_t count = many->keys->count;
    stoa_cell_rule_init(&column->rule, field);
    stoa_buffer_init(&column->validity, many->pool);
    stoa_buffer_init(&column->values, many->pool);
    stoa_buffer_init(&column->bytes, many->pool);
    if (column->rule.class == STOA_CELL_NESTED) {
        return open_nested(many, field, column, err);
    }
    const size_t width = column->rule.size;
    const size_t size = is_text(column) ? (size_t)(count + 1) * sizeof(int32_t)
                        : width == 0    ? stoa_bitmap_bytes(count)
                                        : (size_t)count * width;
    STOA_TRY(stoa_buffer_resize(&column->validity, stoa_bitmap_bytes(count), err));
    return stoa_buffer_resize(&column->values, size, err);
}

static void close_column(struct column *column) {
    stoa_buffer_release(&column->validity);
    stoa_buffer_release(&column->values);
    stoa_buffer_release(&column->bytes);
    stoa_builder_close(column->nested);
}

static stoa_status put_text(struct column *column, int64_t at, const stoa_cell *cell,
                            stoa_error *err) {
    if (cell->size > (size_t)INT32_MAX - column->bytes.size) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': more than 2 GiB of texts",
                         column->rule.field->name);
    }
    STOA_TRY(stoa_buffer_append(&column->bytes, cell->bytes, cell->size, err));
    const int32_t end = (int32_t)column->bytes.size;
    memcpy(column->values.data + (size_t)(at + 1) * sizeof end, &end, sizeof end);
    return STOA_OK;
}

/* Row `at`, after all before it; values were zero. */
static stoa_status put_cell(struct column *column, int64_t at, const stoa_cell *cell,
                            stoa_error *err) {
    static const stoa_cell nothing = {.size = 0};
    const size_t width = column->rule.size;
    uint8_t *value = column->values.data + (size_t)at * width;
    float single;
    column->null_count += cell->is_null;
    if (!cell->is_null) {
        stoa_bit_set(column->validity.data, at);
    } else {
        cell = &nothing;
    }
    switch (column->rule.class) {
    case STOA_CELL_WHOLE:
        if (width == 0) {
            stoa_bit_put(column->values.data, at, cell->i != 0);
        } else {
            memcpy(value, &cell->i, width);
        }
        return STOA_OK;
    case STOA_CELL_FLOAT:
        single = (float)cell->f;
        memcpy(value, &single, sizeof single);
        return STOA_OK;
    case STOA_CELL_DOUBLE: memcpy(value, &cell->f, sizeof cell->f); return STOA_OK;
    case STOA_CELL_DECIMAL:
    case STOA_CELL_FIXED:
        if (cell->size > 0) {
            memcpy(value, cell->bytes, width);
        }
        return STOA_OK;
    case STOA_CELL_STRING:
    case STOA_CELL_BINARY: return put_text(column, at, cell, err);
    case STOA_CELL_NULL:
    case STOA_CELL_NESTED: break;
    }
    return STOA_OK;
}

static stoa_status finish_column(struct many *many, struct column *column, struct ArrowArray *out,
                                 stoa_error *err) {
    if (column->nested != NULL) {
        return stoa_builder_finish(column->nested, out, err);
    }
    const bool is_null = column->rule.class == STOA_CELL_NULL;
    STOA_TRY(stoa_arrow_array_init(many->pool,
                                   is_null           ? 0
                                   : is_text(column) ? 3
                                                     : 2,
                                   0, false, out, err));
    out->length = many->keys->count;
    out->null_count = is_null ? out->length : column->null_count;
    if (is_null) {
        return STOA_OK;
    }
    if (column->null_count > 0) {
        stoa_arrow_array_set_buffer(out, 0, &column->validity);
    }
    stoa_arrow_array_set_buffer(out, 1, &column->values);
    if (is_text(column)) {
        stoa_arrow_array_set_buffer(out, 2, &column->bytes);
    }
    return STOA_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* The row was filled, or is not found. */
static stoa_status put_row(struct many *many, const stoa_versions *versions, int64_t at,
                           bool is_found, stoa_error *err) {
    static const stoa_cell null = {.is_null = true};
    const stoa_cell *cells = many->row->cells;
    for (int32_t i = 0; i < many->column_count; i++) {
        struct column *column = &many->columns[i];
        if (column->nested == NULL) {
            STOA_TRY(put_cell(column, at, is_found ? cells++ : &null, err));
        } else if (!is_found) {
            STOA_TRY(stoa_builder_append_null(column->nested, err));
        } else if (many->row->folded.release != NULL) {
            STOA_TRY(stoa_builder_append_array(column->nested,
                                               many->row->folded.children[many->indices[i]], 0, 1,
                                               err));
        } else {
            STOA_TRY(stoa_versions_append_nested(versions, many->pool, many->indices[i],
                                                 column->nested, err));
        }
    }
    return STOA_OK;
}

static void look_ahead(const struct many *many, struct wanted *group, int64_t first,
                       int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        size_t size;
        const uint8_t *key = stoa_keys_bytes(&many->reading->view->definition->key, many->keys,
                                             first + i, group[i].number, &size);
        group[i].versions = stoa_versions_of(many->reading, key, size);
    }
    for (int step = 0; step < STOA_HINT_STEPS; step++) {
        for (int64_t i = 0; i < count; i++) {
            stoa_versions_look_ahead(&group[i].versions, step, many->row->columns,
                                     many->row->column_count, &group[i].hints);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        group[i].versions.hints = &group[i].hints;
    }
}

static stoa_status get_group(struct many *many, struct wanted *group, int64_t first, int64_t count,
                             stoa_error *err) {
    look_ahead(many, group, first, count);
    for (int64_t i = 0; i < count; i++) {
        stoa_versions *versions = &group[i].versions;
        STOA_TRY(stoa_versions_next(versions, err));
        if (versions->is_found && versions->in_memtable == NULL) {
            stoa_sst_cells_prefetch(versions->in_file, &versions->version.position,
                                    many->row->columns, many->row->column_count);
        }
    }
    for (int64_t i = 0; many->row->borrows && i < count; i++) {
        const stoa_versions *versions = &group[i].versions;
        if (versions->is_found && versions->in_memtable == NULL) {
            stoa_sst_texts_prefetch(versions->in_file, &versions->version.position,
                                    many->row->columns, many->row->column_count);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        stoa_versions *versions = &group[i].versions;
        bool is_found = versions->is_found && versions->operation != STOA_OPERATION_DELETE;
        if (is_found) {
            STOA_TRY(stoa_versions_fill(versions, many->row, &is_found, err));
        }
        stoa_bit_put(many->found, first + i, is_found);
        STOA_TRY(put_row(many, versions, first + i, is_found, err));
    }
    return STOA_OK;
}

/* ---- All ------------------------------------------------------------------------------------- */

static stoa_status open_columns(struct many *many, const stoa_many_keys *wanted, stoa_error *err) {
    stoa_definition *definition = many->reading->view->definition;
    const size_t count = (size_t)many->column_count;
    void *columns = NULL, *indices = NULL;
    stoa_buffer flat;
    STOA_TRY(stoa_pool_allocate_array(many->pool, count, sizeof *many->columns, &columns, err));
    many->columns = columns;
    STOA_TRY(stoa_pool_allocate_array(many->pool, count, sizeof *many->indices, &indices, err));
    many->indices = indices;
    stoa_buffer_init(&flat, many->pool);
    stoa_status status = STOA_OK;
    for (int32_t i = 0; status == STOA_OK && i < many->column_count; i++) {
        const int32_t column = wanted->columns == NULL ? i : wanted->columns[i];
        many->indices[i] = column;
        status = open_column(many, &definition->schema->root.children[column], &many->columns[i],
                             err);
        if (status == STOA_OK && many->columns[i].nested == NULL) {
            status = stoa_buffer_append(&flat, &column, sizeof column, err);
        }
    }
    static const int32_t none = 0;
    if (status == STOA_OK) {
        status = stoa_row_create_for(many->pool, definition,
                                     flat.size == 0 ? &none
                                                    : (const int32_t *)(const void *)flat.data,
                                     (int32_t)(flat.size / sizeof none), &many->row, err);
    }
    stoa_buffer_release(&flat);
    return status;
}

static void close_columns(struct many *many) {
    for (int32_t i = 0; many->columns != NULL && i < many->column_count; i++) {
        close_column(&many->columns[i]);
    }
    stoa_row_close(many->row);
    stoa_pool_free(many->pool, many->columns, (size_t)many->column_count * sizeof *many->columns);
    stoa_pool_free(many->pool, many->indices, (size_t)many->column_count * sizeof *many->indices);
}

static stoa_status finish(struct many *many, struct ArrowArray *out, stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(many->pool, 1, many->column_count, false, out, err));
    out->length = many->keys->count;
    for (int32_t i = 0; i < many->column_count; i++) {
        const stoa_status status = finish_column(many, &many->columns[i], out->children[i], err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return status;
        }
    }
    return STOA_OK;
}

stoa_status stoa_view_get_many(const stoa_view_reading *reading, stoa_pool *pool,
                               const stoa_many_keys *wanted, struct ArrowArray *out, uint8_t *found,
                               stoa_error *err) {
    struct wanted group[GROUP];
    struct many many = {
        .reading = reading,
        .pool = pool,
        .keys = wanted->keys,
        .found = found,
        .column_count = wanted->columns == NULL
                            ? reading->view->definition->schema->root.child_count
                            : wanted->column_count,
    };
    *out = (struct ArrowArray){0};
    stoa_status status = open_columns(&many, wanted, err);
    for (int64_t first = 0; status == STOA_OK && first < many.keys->count; first += GROUP) {
        const int64_t left = many.keys->count - first;
        status = get_group(&many, group, first, left < GROUP ? left : GROUP, err);
    }
    if (status == STOA_OK) {
        status = finish(&many, out, err);
    }
    close_columns(&many);
    return status;
}
