#include "lsm/get.h"

#include "base/bytes.h"
#include "lsm/cell.h"
#include "lsm/get_internal.h"
#include "mem/resource.h"
#include "schema/scanner.h"
#include "schema/schema.h"

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool has_bytes(const stoa_type *type) {
    return type->kind == STOA_TYPE_STRING || type->kind == STOA_TYPE_BINARY ||
           type->kind == STOA_TYPE_FIXED || type->kind == STOA_TYPE_UUID ||
           type->kind == STOA_TYPE_INTERVAL || type->kind == STOA_TYPE_DECIMAL;
}

static stoa_status set_column(stoa_row *row, int32_t index, int32_t column, stoa_error *err) {
    const stoa_field *field = &row->definition->schema->root.children[column];
    if (stoa_type_is_nested(field->type.kind)) {
        stoa_fail(err, STOA_UNSUPPORTED,
                  "column '%s': nested columns have no cells; read them as batches", field->name);
        stoa_error_set_column(err, column, field->name);
        return STOA_UNSUPPORTED;
    }
    row->columns[index] = column;
    row->has_key_columns |= row->definition->layout.column_nodes[column] < 0;
    row->borrows |= has_bytes(&field->type);
    return STOA_OK;
}

static stoa_status allocate_row(stoa_row *row, stoa_error *err) {
    const size_t count = (size_t)row->column_count;
    void *columns = NULL, *cells = NULL, *storage = NULL;
    STOA_TRY(stoa_pool_allocate_array(row->pool, count, sizeof *row->columns, &columns, err));
    row->columns = columns;
    STOA_TRY(stoa_pool_allocate_array(row->pool, count, sizeof *row->cells, &cells, err));
    row->cells = cells;
    STOA_TRY(stoa_pool_allocate_array(row->pool, count, sizeof *row->storage, &storage, err));
    row->storage = storage;
    return STOA_OK;
}

stoa_status stoa_row_create_for(stoa_pool *pool, stoa_definition *definition,
                                const int32_t *columns, int32_t column_count, stoa_row **out,
                                stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_row), &memory, err));
    stoa_row *row = memory;
    *row = (stoa_row){
        .pool = pool,
        .definition = stoa_definition_retain(definition),
        .column_count = columns == NULL ? definition->schema->root.child_count : column_count,
    };
    stoa_buffer_init(&row->key, pool);
    stoa_buffer_init(&row->bytes, pool);
    stoa_status status = allocate_row(row, err);
    for (int32_t i = 0; status == STOA_OK && i < row->column_count; i++) {
        status = set_column(row, i, columns == NULL ? i : columns[i], err);
    }
    if (status != STOA_OK) {
        stoa_row_close(row);
        return status;
    }
    *out = row;
    return STOA_OK;
}

void stoa_row_close(stoa_row *row) {
    if (row == NULL) {
        return;
    }
    const size_t count = (size_t)row->column_count;
    stoa_resource_leave(row->resource);
    stoa_state_view_release(row->view);
    stoa_arrow_array_release(&row->folded);
    stoa_buffer_release(&row->key);
    stoa_buffer_release(&row->bytes);
    stoa_pool_free(row->pool, row->columns, count * sizeof *row->columns);
    stoa_pool_free(row->pool, row->cells, count * sizeof *row->cells);
    stoa_pool_free(row->pool, row->storage, count * sizeof *row->storage);
    stoa_definition_release(row->definition);
    stoa_pool_free(row->pool, row, sizeof *row);
}

/* Its cells may point into files. */
static void end_row(void *owner) {
    stoa_row *row = owner;
    for (int32_t i = 0; i < row->column_count; i++) {
        row->cells[i] = (stoa_cell){.is_null = true};
    }
    stoa_state_view_release(row->view);
    row->view = NULL;
}

stoa_status stoa_row_enter(stoa_row *row, stoa_error *err) {
    return stoa_resource_enter(row->pool, STOA_RESOURCE_STATE, "", end_row, row, &row->resource,
                               err);
}

const stoa_cell *stoa_row_cells(const stoa_row *row) {
    return row->cells;
}

/* Whoever gets from the same view again does not count it again. */
static void hold(stoa_row *row, stoa_state_view *view) {
    if (row->view != view) {
        stoa_state_view_release(row->view);
        row->view = stoa_state_view_retain(view);
    }
}

/* ---- Versions -------------------------------------------------------------------------------- */

static void see_range(stoa_versions *versions, uint64_t sequence) {
    versions->cover = sequence > versions->cover ? sequence : versions->cover;
}

static stoa_status look_in_memtable(stoa_versions *versions, stoa_memtable *memtable,
                                    stoa_error *err) {
    const stoa_sst_key *key = &versions->key;
    const uint64_t snapshot = versions->reading->snapshot;
    if (stoa_memtable_has_ranges(memtable)) {
        see_range(versions, stoa_memtable_range_cover(memtable, key->bytes, key->size, snapshot));
    }
    versions->row = (stoa_memtable_row){0};
    if (stoa_memtable_row_count(memtable) > 0) {
        STOA_TRY(stoa_memtable_get(memtable, key->bytes, key->size, snapshot, &versions->row, err));
    }
    versions->in_memtable = memtable;
    versions->is_found = versions->row.piece != NULL;
    return STOA_OK;
}

static bool may_hold(const stoa_versions *versions, const stoa_table_file *file) {
    const stoa_sst_key *key = &versions->key;
    if (versions->prefix != file->first_prefix && versions->prefix != file->last_prefix) {
        return versions->prefix > file->first_prefix && versions->prefix < file->last_prefix;
    }
    return stoa_bytes_compare(file->info.first_key.data, file->info.first_key.size, key->bytes,
                              key->size) <= 0 &&
           stoa_bytes_compare(file->info.last_key.data, file->info.last_key.size, key->bytes,
                              key->size) >= 0;
}

static const stoa_sst_hint *hint_of(const stoa_versions *versions, const stoa_sst *table) {
    for (int32_t i = 0; versions->hints != NULL && i < versions->hints->count; i++) {
        if (versions->hints->files[i].table == table) {
            return &versions->hints->files[i];
        }
    }
    return NULL;
}

static stoa_status look_in_file(stoa_versions *versions, const stoa_table_file *file,
                                stoa_error *err) {
    const stoa_sst_key *key = &versions->key;
    const uint64_t snapshot = versions->reading->snapshot;
    const stoa_range_set *ranges = stoa_sst_ranges(file->sst);
    if (!may_hold(versions, file) || file->info.sequence_min > snapshot) {
        return STOA_OK;
    }
    if (ranges->count > 0) {
        see_range(versions, stoa_range_set_cover(ranges, key->bytes, key->size, snapshot));
    }
    STOA_TRY(stoa_sst_get(file->sst, key, snapshot, hint_of(versions, file->sst),
                          &versions->version, err));
    versions->in_memtable = NULL;
    versions->in_file = file->sst;
    versions->is_found = versions->version.is_found;
    return STOA_OK;
}

/* The file of a level below 0 that may have the key; NULL: none. */
static const stoa_table_file *file_of(const stoa_versions *versions, int32_t number) {
    const stoa_level *level = &versions->reading->view->version->levels[number];
    int64_t file = 0;
    if (versions->hints != NULL) {
        return versions->hints->of_level[number];
    }
    if (level->count > 1) {
        file = stoa_level_find(level, versions->key.bytes, versions->key.size);
    }
    return file < level->count ? level->files[file] : NULL;
}

/* The newest version in the next places, up to the first that has one. */
static stoa_status look_further(stoa_versions *versions, stoa_error *err) {
    const stoa_state_view *view = versions->reading->view;
    const stoa_level *levels = view->version->levels;
    while (!versions->is_found && versions->memtable < view->memtable_count) {
        STOA_TRY(look_in_memtable(versions, view->memtables[versions->memtable++], err));
    }
    while (!versions->is_found && versions->file < levels[0].count) {
        STOA_TRY(look_in_file(versions, levels[0].files[versions->file++], err));
    }
    while (!versions->is_found && versions->level < STOA_LEVELS) {
        const stoa_table_file *file = file_of(versions, versions->level++);
        STOA_TRY(file == NULL ? STOA_OK : look_in_file(versions, file, err));
    }
    return STOA_OK;
}

static void add_hint(const stoa_versions *versions, const stoa_table_file *file,
                     stoa_hints *hints) {
    if (file != NULL && hints->count < STOA_HINTS_MAX && may_hold(versions, file)) {
        stoa_sst_look_ahead(file->sst, &versions->key, 0, &hints->files[hints->count++]);
    }
}

/* The files; `versions` has no hints yet. */
static void begin_hints(const stoa_versions *versions, stoa_hints *hints) {
    const stoa_level *levels = versions->reading->view->version->levels;
    STOA_ASSERT(versions->hints == NULL);
    hints->count = 0;
    for (int64_t i = 0; i < levels[0].count && hints->count < STOA_HINTS_MAX; i++) {
        add_hint(versions, levels[0].files[i], hints);
    }
    for (int32_t i = 1; i < STOA_LEVELS; i++) {
        hints->of_level[i] = levels[i].count == 0 ? NULL : file_of(versions, i);
        add_hint(versions, hints->of_level[i], hints);
    }
}

void stoa_versions_look_ahead(const stoa_versions *versions, int step, const int32_t *columns,
                              int32_t column_count, stoa_hints *hints) {
    if (step == 0) {
        begin_hints(versions, hints);
    }
    for (int32_t i = 0; step > 0 && i < hints->count; i++) {
        stoa_sst_hint *hint = &hints->files[i];
        if (step == 2 && hint->stripe >= 0) {
            stoa_sst_columns_prefetch(hint->table, hint->stripe, columns, column_count);
        }
        stoa_sst_look_ahead(hint->table, &versions->key, step, hint);
    }
}

stoa_versions stoa_versions_of(const stoa_view_reading *reading, const uint8_t *key, size_t size) {
    return (stoa_versions){.reading = reading,
                           .key = stoa_sst_key_of(&reading->view->definition->key, key, size),
                           .prefix = stoa_key_prefix(key, size),
                           .level = 1};
}

static stoa_status look_before(stoa_versions *versions, stoa_error *err) {
    if (versions->in_memtable == NULL) {
        STOA_TRY(stoa_sst_before(versions->in_file, &versions->key, &versions->version, err));
        versions->is_found = versions->version.is_found;
        return STOA_OK;
    }
    stoa_memtable_before(versions->in_memtable, &versions->row, &versions->row);
    versions->is_found = versions->row.piece != NULL;
    return STOA_OK;
}

/* A version that a range has deleted ends the chain: those behind it are older. */
static stoa_status hide_deleted(stoa_versions *versions, stoa_error *err) {
    uint64_t sequence;
    if (versions->in_memtable != NULL) {
        sequence = stoa_memtable_sequence(&versions->row);
    } else {
        STOA_TRY(stoa_sst_sequence(versions->in_file, &versions->version.position, &sequence, err));
    }
    versions->is_found = sequence >= versions->cover;
    return STOA_OK;
}

stoa_status stoa_versions_next(stoa_versions *versions, stoa_error *err) {
    if (versions->is_found) {
        STOA_TRY(look_before(versions, err));
    }
    if (!versions->is_found) {
        STOA_TRY(look_further(versions, err));
    }
    if (!versions->is_found) {
        return STOA_OK;
    }
    versions->operation = versions->in_memtable != NULL ? stoa_memtable_operation(&versions->row)
                                                        : versions->version.operation;
    return versions->cover > 0 ? hide_deleted(versions, err) : STOA_OK;
}

stoa_status stoa_versions_cells(const stoa_versions *versions, const int32_t *columns,
                                int32_t count, stoa_cell *out, stoa_cell_storage *storage,
                                stoa_error *err) {
    if (versions->in_memtable != NULL) {
        stoa_memtable_cells(versions->in_memtable, &versions->row, columns, count, out);
        return STOA_OK;
    }
    return stoa_sst_cells(versions->in_file, &versions->version.position, columns, count, out,
                          storage, err);
}

stoa_status stoa_versions_is_expired(const stoa_versions *versions, bool *out, stoa_error *err) {
    const stoa_definition *definition = versions->reading->view->definition;
    stoa_cell cell;
    stoa_cell_storage storage;
    *out = false;
    if (definition->ttl_column < 0) {
        return STOA_OK;
    }
    if (definition->layout.column_nodes[definition->ttl_column] < 0) {
        stoa_buffer none; /* a time is a number */
        stoa_buffer_init(&none, definition->arena.pool);
        const stoa_status status = stoa_key_cells(&definition->key, versions->key.bytes,
                                                  versions->key.size, &definition->ttl_column, 1,
                                                  &cell, &storage, &none, err);
        stoa_buffer_release(&none);
        STOA_TRY(status);
    } else {
        STOA_TRY(stoa_versions_cells(versions, &definition->ttl_column, 1, &cell, &storage, err));
    }
    const int64_t expiry = cell.is_null ? INT64_MAX : stoa_definition_expiry_of(definition, cell.i);
    *out = expiry < INT64_MAX && expiry <= versions->reading->now_ms;
    return STOA_OK;
}

/* ---- Gets ------------------------------------------------------------------------------------ */

static stoa_status fill_folded(stoa_versions *versions, stoa_row *row, bool *found,
                               stoa_error *err) {
    const stoa_field *fields = row->definition->schema->root.children;
    STOA_TRY(stoa_versions_fold(versions, row->pool, &row->folded, err));
    *found = row->folded.release != NULL;
    for (int32_t i = 0; *found && i < row->column_count; i++) {
        stoa_cell_from_array(&fields[row->columns[i]].type, row->folded.children[row->columns[i]],
                             0, &row->cells[i]);
    }
    return STOA_OK;
}

static stoa_status fill(const stoa_versions *versions, stoa_row *row, stoa_error *err) {
    STOA_TRY(stoa_versions_cells(versions, row->columns, row->column_count, row->cells,
                                 row->storage, err));
    if (row->borrows) {
        hold(row, versions->reading->view);
    }
    if (row->has_key_columns && versions->in_memtable == NULL) {
        stoa_buffer_clear(&row->bytes);
        return stoa_key_cells(&row->definition->key, versions->key.bytes, versions->key.size,
                              row->columns, row->column_count, row->cells, row->storage,
                              &row->bytes, err);
    }
    return STOA_OK;
}

stoa_status stoa_versions_fill(stoa_versions *versions, stoa_row *row, bool *found,
                               stoa_error *err) {
    bool is_expired;
    *found = false;
    if (row->folded.release != NULL) {
        stoa_arrow_array_release(&row->folded);
    }
    if (versions->operation == STOA_OPERATION_MERGE) {
        return fill_folded(versions, row, found, err);
    }
    STOA_TRY(stoa_versions_is_expired(versions, &is_expired, err));
    *found = !is_expired;
    return *found ? fill(versions, row, err) : STOA_OK;
}

stoa_status stoa_view_get(const stoa_view_reading *reading, const uint8_t *key, size_t size,
                          stoa_row *row, bool *found, stoa_error *err) {
    *found = false;
    if (row->definition != reading->view->definition) {
        return stoa_fail(err, STOA_INVALID, "the table has changed since the row was made");
    }
    stoa_versions versions = stoa_versions_of(reading, key, size);
    STOA_TRY(stoa_versions_next(&versions, err));
    return versions.is_found && versions.operation != STOA_OPERATION_DELETE
               ? stoa_versions_fill(&versions, row, found, err)
               : STOA_OK;
}
