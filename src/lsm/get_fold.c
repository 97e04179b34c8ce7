/* Operands of merges: the versions of a key, gathered from the newest to the one that ends the chain,
 * become a batch from the oldest to the newest, which is folded. */
#include "arrow/builder.h"
#include "lsm/cell.h"
#include "lsm/get_internal.h"
#include "schema/scanner.h"
#include "schema/schema.h"

/* Versions in the order in which they were found. */
struct chain {
    stoa_buffer versions; /* stoa_versions, as they stood */
    bool has_base;
};

static stoa_status gather(stoa_versions *versions, struct chain *chain, stoa_error *err) {
    bool is_expired;
    while (versions->is_found && versions->operation == STOA_OPERATION_MERGE) {
        STOA_TRY(stoa_buffer_append(&chain->versions, versions, sizeof *versions, err));
        STOA_TRY(stoa_versions_next(versions, err));
    }
    if (!versions->is_found || versions->operation == STOA_OPERATION_DELETE) {
        return STOA_OK;
    }
    STOA_TRY(stoa_versions_is_expired(versions, &is_expired, err));
    chain->has_base = !is_expired;
    return is_expired ? STOA_OK
                      : stoa_buffer_append(&chain->versions, versions, sizeof *versions, err);
}

stoa_status stoa_versions_append_nested(const stoa_versions *version, stoa_pool *pool,
                                        int32_t column, stoa_builder *builder, stoa_error *err) {
    struct ArrowArray value;
    if (version->in_memtable != NULL) {
        const struct ArrowArray *batch = &version->row.piece->batch;
        return stoa_builder_append_array(builder, batch->children[column],
                                         batch->offset + version->row.row, 1, err);
    }
    const stoa_sst_position *position = &version->version.position;
    const stoa_stripe *stripe = stoa_sst_stripe_at(version->in_file, position->stripe);
    const stoa_stripe_selection one = {NULL, position->row, 1};
    STOA_TRY(stoa_stripe_column(stripe, pool, column, &one, &value, err));
    const stoa_status status = stoa_builder_append_array(builder, &value, 0, 1, err);
    stoa_arrow_array_release(&value);
    return status;
}

/* One column of all versions, the oldest first. */
static stoa_status append_column(const struct chain *chain, stoa_pool *pool, int32_t column,
                                 const stoa_cell *key, stoa_builder *builder, stoa_error *err) {
    const stoa_versions *all = (const stoa_versions *)(const void *)chain->versions.data;
    const stoa_definition *definition = all->reading->view->definition;
    const stoa_field *field = &definition->schema->root.children[column];
    for (size_t i = chain->versions.size / sizeof *all; i-- > 0;) {
        stoa_cell cell;
        stoa_cell_storage storage;
        if (stoa_type_is_nested(field->type.kind)) {
            STOA_TRY(stoa_versions_append_nested(&all[i], pool, column, builder, err));
            continue;
        }
        if (definition->layout.column_nodes[column] < 0) {
            cell = key[column];
        } else {
            STOA_TRY(stoa_versions_cells(&all[i], &column, 1, &cell, &storage, err));
        }
        STOA_TRY(stoa_cell_append(builder, field, &cell, err));
    }
    return STOA_OK;
}

struct key_cells {
    stoa_buffer columns; /* 0, 1, … */
    stoa_buffer cells;
    stoa_buffer storage;
    stoa_buffer bytes;
};

static stoa_status read_key(const stoa_versions *versions, struct key_cells *out, stoa_error *err) {
    const stoa_definition *definition = versions->reading->view->definition;
    const int32_t count = definition->schema->root.child_count;
    STOA_TRY(stoa_buffer_resize(&out->cells, (size_t)count * sizeof(stoa_cell), err));
    STOA_TRY(stoa_buffer_resize(&out->storage, (size_t)count * sizeof(stoa_cell_storage), err));
    for (int32_t i = 0; i < count; i++) {
        STOA_TRY(stoa_buffer_append(&out->columns, &i, sizeof i, err));
    }
    return stoa_key_cells(&definition->key, versions->key.bytes, versions->key.size,
                          (const int32_t *)(const void *)out->columns.data, count,
                          (stoa_cell *)(void *)out->cells.data,
                          (stoa_cell_storage *)(void *)out->storage.data, &out->bytes, err);
}

static stoa_status make_rows(const struct chain *chain, stoa_pool *pool,
                             const struct key_cells *key, stoa_builder *builder,
                             struct ArrowArray *out, stoa_error *err) {
    const stoa_versions *all = (const stoa_versions *)(const void *)chain->versions.data;
    const int32_t count = all->reading->view->definition->schema->root.child_count;
    for (int32_t i = 0; i < count; i++) {
        STOA_TRY(append_column(chain, pool, i, (const stoa_cell *)(const void *)key->cells.data,
                               stoa_builder_child(builder, i), err));
    }
    STOA_TRY(stoa_builder_finish_rows(builder, (int64_t)(chain->versions.size / sizeof *all), err));
    return stoa_builder_finish(builder, out, err);
}

static stoa_status fold(const struct chain *chain, stoa_pool *pool, const struct ArrowArray *rows,
                        struct ArrowArray *out, stoa_error *err) {
    const stoa_view_reading *reading =
        ((const stoa_versions *)(const void *)chain->versions.data)->reading;
    const stoa_definition *definition = reading->view->definition;
    const int64_t groups[2] = {0, rows->length};
    const uint8_t has_base = chain->has_base;
    STOA_TRY(
        stoa_merge_fold(definition, reading->programs, pool, rows, groups, &has_base, 1, out, err));
    if (stoa_definition_is_expired(definition, out, 0, reading->now_ms)) {
        stoa_arrow_array_release(out);
    }
    return STOA_OK;
}

stoa_status stoa_versions_fold(stoa_versions *versions, stoa_pool *pool, struct ArrowArray *out,
                               stoa_error *err) {
    const stoa_schema *schema = versions->reading->view->definition->schema;
    stoa_status status = STOA_OK;
    stoa_builder *builder = NULL;
    struct ArrowSchema arrow = {0};
    struct ArrowArray rows = {0};
    struct chain chain = {.has_base = false};
    struct key_cells key;
    stoa_buffer_init(&chain.versions, pool);
    stoa_buffer_init(&key.columns, pool);
    stoa_buffer_init(&key.cells, pool);
    stoa_buffer_init(&key.storage, pool);
    stoa_buffer_init(&key.bytes, pool);
    *out = (struct ArrowArray){0};
    STOA_CHECK(gather(versions, &chain, err));
    STOA_CHECK(read_key(versions, &key, err));
    STOA_CHECK(stoa_schema_to_arrow(pool, schema, &arrow, err));
    STOA_CHECK(stoa_builder_create(pool, &arrow, &builder, err));
    STOA_CHECK(make_rows(&chain, pool, &key, builder, &rows, err));
    STOA_CHECK(fold(&chain, pool, &rows, out, err));

done:
    stoa_arrow_array_release(&rows);
    stoa_arrow_schema_release(&arrow);
    stoa_builder_close(builder);
    stoa_buffer_release(&key.bytes);
    stoa_buffer_release(&key.storage);
    stoa_buffer_release(&key.cells);
    stoa_buffer_release(&key.columns);
    stoa_buffer_release(&chain.versions);
    return status;
}
