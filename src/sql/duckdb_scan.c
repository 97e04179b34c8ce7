/* DuckDB meets our tables in two callbacks.
 *
 * A table name that it does not know is offered to `replace`. When the current view has a table of
 * that name, the reference becomes a call: `stoa_files([paths])`, our macro over read_parquet, for
 * Parquet tables (`stoa_partitioned` where columns stand in the names of folders only), or
 * `stoa_scan(number)` for what lies in memory, for empty tables, for streams, for Parquet tables of which
 * few rows are wanted (seek.h), and while a plan is only explained.
 * Names that nobody knows go on to DuckDB's own replacement (files by name), or become its error.
 *
 * `stoa_scan` copies slices of 2,048 rows from Arrow batches into DuckDB's vectors, for the columns
 * that the query uses, on as many threads as there are morsels. Of files and streams each thread is a
 * lane of our reader and takes its batches from there. DuckDB's C API hands no filters down; what can be
 * skipped was left out of the plan before, and the reader leaves out the rows that its predicate does
 * not take.
 *
 * Everything bound keeps a reference to its scan, which pins the batches of memory: strings in vectors
 * point into them until the query ends. Batches of files go before, and long strings are copied. */
#include "sql/duckdb_scan.h"

#include <string.h>

#include "sql/duckdb_fill.h"
#include "sql/duckdb_load.h"
#include "sql/partitions.h"
#include "sql/view.h"

/* Of a file that one thread is worth. */
enum { PIECE_ROWS = 65536 };

/* What all threads of one execution share. Counted by reference: the engine may drop it before the
 * lanes that read of it. */
struct scan_state {
    atomic_int references;
    struct scan *scan; /* the bind data's */
    stoa_pool *pool;
    stoa_plan_files *files; /* NULL: the rows lie in memory */
    stoa_pipeline_source source;
    int32_t *children; /* of a file's batch, for each of `columns` */
    atomic_int_fast64_t next_morsel;
    int32_t column_count;
    idx_t columns[];
};

/* One thread's morsel, or what is left of it. */
struct local_state {
    stoa_pool *pool;
    struct morsel morsel;
    struct scan_state *state; /* NULL before `lane` is opened, and in memory */
    void *lane;
    stoa_morsel read; /* the lane's last, whose rows `morsel` counts */
};

static size_t state_bytes(idx_t column_count) {
    return sizeof(struct scan_state) + (size_t)column_count * sizeof(idx_t);
}

static void state_free(void *data) {
    struct scan_state *state = data;
    /* acq_rel: what the other lanes did is done before the source goes */
    if (atomic_fetch_sub_explicit(&state->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_plan_files_close(state->files);
    stoa_sql_scan_release(state->scan);
    stoa_pool_free(state->pool, state->children, (size_t)state->column_count * sizeof(int32_t));
    stoa_pool_free(state->pool, state, state_bytes((idx_t)state->column_count));
}

static void local_free(void *data) {
    struct local_state *local = data;
    if (local->read.batch.release != NULL) {
        local->read.batch.release(&local->read.batch);
    }
    if (local->lane != NULL) {
        local->state->source.close_local(local->state->source.state, local->lane);
    }
    if (local->state != NULL) {
        state_free(local->state);
    }
    stoa_pool_free(local->pool, local, sizeof *local);
}

/* Columns of the table among those asked for are read, each once, in the table's order. */
static stoa_status open_files(struct scan_state *state, stoa_error *err) {
    struct scan *scan = state->scan;
    const int32_t width = scan->schema->root.child_count;
    int32_t *columns;
    int32_t count = 0;
    STOA_TRY(stoa_pool_allocate_array(state->pool, (size_t)state->column_count, sizeof(int32_t),
                                      (void **)&state->children, err));
    STOA_TRY(stoa_pool_allocate_array(state->pool, (size_t)width, sizeof *columns,
                                      (void **)&columns, err));
    for (int32_t c = 0; c < width; c++) {
        bool wanted = false;
        for (int32_t i = 0; i < state->column_count; i++) {
            if (state->columns[i] == (idx_t)c) {
                state->children[i] = count;
                wanted = true;
            }
        }
        if (wanted) {
            columns[count++] = c;
        }
    }
    count = count > 0 ? count : 1; /* rows are counted by any column, and the first is known to be */
    stoa_status status = stoa_plan_files_open(scan->plan, columns, count, &scan->context,
                                              &state->files, &state->source, err);
    stoa_pool_free(state->pool, columns, (size_t)width * sizeof *columns);
    return status;
}

static void bind_free(void *data) {
    stoa_sql_scan_release(data);
}

static bool add_column(const struct duckdb_api *api, duckdb_bind_info info, const char *name,
                       const stoa_type *type) {
    duckdb_logical_type engine_type = stoa_sql_engine_type(api, type);
    if (engine_type == NULL) {
        return false;
    }
    api->bind_add_result_column(info, name, engine_type);
    api->destroy_logical_type(&engine_type);
    return true;
}

static struct scan *bound_scan(const struct duckdb_api *api, duckdb_bind_info info) {
    struct engine *engine = api->bind_get_extra_info(info);
    struct view *view = stoa_sql_engine_current_view(engine);
    duckdb_value value = api->bind_get_parameter(info, 0);
    int64_t index = api->get_int64(value);
    api->destroy_value(&value);
    bool known = view != NULL && index >= 0 && index < view->scan_count;
    return known ? view->scans[index] : NULL;
}

static bool is_coarse(const stoa_type *type) {
    return type->kind == STOA_TYPE_TIMESTAMP && type->unit < STOA_TYPE_MICROSECONDS;
}

static void bind(duckdb_bind_info info) {
    const struct duckdb_api *api = stoa_sql_duckdb_loaded();
    struct scan *scan = bound_scan(api, info);
    if (scan == NULL) {
        api->bind_set_error(info, "stoa_scan is not for calling: name the table instead");
        return;
    }
    const stoa_type *root = &scan->schema->root;
    for (int32_t i = 0; i < root->child_count; i++) {
        stoa_type type = root->children[i].type;
        if ((scan->seeks || scan->streamed) && is_coarse(&type)) {
            type.unit = STOA_TYPE_MICROSECONDS; /* as the engine's reader has them */
        }
        if (!add_column(api, info, root->children[i].name, &type)) {
            api->bind_set_error(info, "a column's type is not held by the engine");
            return;
        }
    }
    stoa_type part = {.kind = STOA_TYPE_INT};
    if (scan->with_part && !add_column(api, info, "__stoa_part", &part)) {
        api->bind_set_error(info, "the engine has no memory");
        return;
    }
    api->bind_set_cardinality(info, (idx_t)scan->row_count,
                              scan->plan != NULL && !scan->seeks && !scan->streamed);
    api->bind_set_bind_data(info, stoa_sql_scan_retain(scan), bind_free);
}

static void init(duckdb_init_info info) {
    const struct duckdb_api *api = stoa_sql_duckdb_loaded();
    struct scan *scan = api->init_get_bind_data(info);
    idx_t count = api->init_get_column_count(info);
    struct scan_state *state;
    stoa_error error = STOA_ERROR_NONE;
    if (stoa_pool_allocate_array(scan->pool, 1, state_bytes(count), (void **)&state, &error) !=
        STOA_OK) {
        stoa_sql_progress_keep_error(scan->progress, &error);
        api->init_set_error(info, error.message);
        return;
    }
    atomic_init(&state->references, 1);
    state->scan = stoa_sql_scan_retain(scan);
    state->pool = scan->pool;
    state->column_count = (int32_t)count;
    for (idx_t i = 0; i < count; i++) {
        state->columns[i] = api->init_get_column_index(info, i);
    }
    if ((scan->seeks || scan->streamed) && open_files(state, &error) != STOA_OK) {
        state_free(state);
        stoa_sql_progress_keep_error(scan->progress, &error);
        api->init_set_error(info, error.message);
        return;
    }
    const idx_t pieces = scan->seeks      ? (idx_t)(scan->row_count / PIECE_ROWS) + 1
                         : scan->streamed ? (idx_t)scan->part_count
                                          : (idx_t)scan->morsel_count;
    api->init_set_max_threads(info, pieces > 0 ? pieces : 1);
    api->init_set_init_data(info, state, state_free);
}

static void init_local(duckdb_init_info info) {
    const struct duckdb_api *api = stoa_sql_duckdb_loaded();
    struct scan *scan = api->init_get_bind_data(info);
    struct local_state *local;
    stoa_error error = STOA_ERROR_NONE;
    if (stoa_pool_allocate_array(scan->pool, 1, sizeof *local, (void **)&local, &error) !=
        STOA_OK) {
        stoa_sql_progress_keep_error(scan->progress, &error);
        api->init_set_error(info, error.message);
        return;
    }
    local->pool = scan->pool;
    api->init_set_init_data(info, local, local_free);
}

static bool take_morsel(struct scan_state *state, struct morsel *out) {
    /* relaxed: morsels are independent, and their batches were there before the query began */
    int64_t next = atomic_fetch_add_explicit(&state->next_morsel, 1, memory_order_relaxed);
    if (next >= state->scan->morsel_count) {
        return false;
    }
    *out = state->scan->morsels[next];
    return true;
}

/* Of streams only whole columns are as the engine's reader has them: what is nested keeps its type. */
static enum fill_mode fill_mode_of(const struct scan *scan, const stoa_type *type) {
    return scan->seeks || (scan->streamed && is_coarse(type)) ? FILL_AS_FILE
           : scan->streamed                                   ? FILL_COPIED
                                                              : FILL_SHARED;
}

static stoa_status fill_column(const struct duckdb_api *api, const struct scan *scan,
                               const struct morsel *morsel, int64_t rows, idx_t column,
                               int32_t child, duckdb_vector vector, stoa_error *err) {
    const stoa_type *root = &scan->schema->root;
    if (column < (idx_t)root->child_count) {
        const stoa_field *field = &root->children[column];
        stoa_status status = stoa_sql_vector_fill(api, &field->type, morsel->batch->children[child],
                                                  morsel->batch->offset + morsel->offset, rows,
                                                  scan->with_part, fill_mode_of(scan, &field->type),
                                                  vector, err);
        stoa_wrap(status != STOA_OK ? err : NULL, "column '%s'", field->name);
        return status;
    }
    if (scan->with_part && column == (idx_t)root->child_count) {
        int32_t *parts = api->vector_get_data(vector);
        for (int64_t i = 0; i < rows; i++) {
            parts[i] = morsel->split;
        }
    }
    return STOA_OK; /* anything else is a column that nobody reads */
}

static bool fail_rows(duckdb_function_info info, const struct scan_state *state,
                      const stoa_error *error) {
    stoa_sql_progress_keep_error(state->scan->progress, error);
    stoa_sql_duckdb_loaded()->function_set_error(info, error->message);
    return false;
}

static stoa_status open_lane(struct scan_state *state, struct local_state *local,
                             stoa_error *err) {
    atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
    local->state = state;
    local->read.part = -1;
    return state->source.open_local(state->source.state, &state->scan->context, &local->lane, err);
}

/* Asks the lane for what comes after the batch at hand, which is released. */
static stoa_status next_batch(struct scan_state *state, struct local_state *local, bool *out_more,
                              stoa_error *err) {
    const stoa_morsel *last = &local->read;
    stoa_morsel next = {.part = last->last ? -1 : last->part,
                        .index = last->last || last->part < 0 ? 0 : last->index + 1};
    if (local->read.batch.release != NULL) {
        local->read.batch.release(&local->read.batch);
    }
    local->read = (stoa_morsel){.part = -1};
    STOA_TRY(stoa_cancel_check(state->scan->context.cancel, err));
    STOA_TRY(state->source.next(state->source.state, local->lane, &next, out_more, err));
    local->read = *out_more ? next : local->read;
    return STOA_OK;
}

/* The next rows of this thread's lane become its morsel; false: there are none, or it failed. */
static bool read_morsel(duckdb_function_info info, struct scan_state *state,
                        struct local_state *local) {
    stoa_error error = STOA_ERROR_NONE;
    bool more = true;
    stoa_status status = local->state == NULL ? open_lane(state, local, &error) : STOA_OK;
    while (status == STOA_OK && more) {
        status = next_batch(state, local, &more, &error);
        if (status == STOA_OK && local->read.batch.release != NULL &&
            local->read.batch.length > 0) {
            local->morsel = (struct morsel){.batch = &local->read.batch,
                                            .length = local->read.batch.length};
            return true;
        }
    }
    return status == STOA_OK ? false : fail_rows(info, state, &error);
}

static void read_rows(duckdb_function_info info, duckdb_data_chunk output) {
    const struct duckdb_api *api = stoa_sql_duckdb_loaded();
    struct scan_state *state = api->function_get_init_data(info);
    struct local_state *local = api->function_get_local_init_data(info);
    struct morsel *morsel = &local->morsel;
    if (morsel->length == 0 && !(state->files != NULL ? read_morsel(info, state, local)
                                                      : take_morsel(state, morsel))) {
        api->data_chunk_set_size(output, 0);
        return;
    }
    int64_t rows = morsel->length < DUCKDB_VECTOR_ROWS ? morsel->length : DUCKDB_VECTOR_ROWS;
    for (int32_t i = 0; i < state->column_count; i++) {
        stoa_error error = STOA_ERROR_NONE;
        if (fill_column(api, state->scan, morsel, rows, state->columns[i],
                        state->files != NULL ? state->children[i] : (int32_t)state->columns[i],
                        api->data_chunk_get_vector(output, (idx_t)i), &error) != STOA_OK) {
            (void)fail_rows(info, state, &error);
            return;
        }
    }
    api->data_chunk_set_size(output, (idx_t)rows);
    morsel->offset += rows;
    morsel->length -= rows;
    atomic_fetch_add_explicit(&state->scan->progress->rows_done, rows, memory_order_relaxed);
}

/* Takes the value; NULL for want of memory. */
static stoa_status add_parameter(const struct duckdb_api *api, duckdb_replacement_scan_info info,
                                 duckdb_value value, stoa_error *err) {
    if (value == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "the engine has no memory");
    }
    api->replacement_scan_add_parameter(info, value);
    api->destroy_value(&value);
    return STOA_OK;
}

static stoa_status add_partitions(const struct duckdb_api *api, duckdb_replacement_scan_info info,
                                  const struct scan *scan, stoa_error *err) {
    STOA_TRY(
        add_parameter(api, info, stoa_sql_partition_values(api, scan->plan, scan->pool), err));
    return add_parameter(api, info, stoa_sql_partition_columns(api, scan->plan, scan->pool), err);
}

/* Takes the values. */
static stoa_status add_paths(const struct duckdb_api *api, duckdb_replacement_scan_info info,
                             const struct scan *scan, duckdb_value *paths, stoa_error *err) {
    duckdb_logical_type text = api->create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_value list = api->create_list_value(text, paths, (idx_t)scan->part_count);
    bool lacks_columns = stoa_sql_plan_lacks_columns(scan->plan);
    api->replacement_scan_set_function_name(info, lacks_columns ? "stoa_partitioned"
                                                                : "stoa_files");
    stoa_status status = add_parameter(api, info, list, err);
    api->destroy_logical_type(&text);
    for (int32_t i = 0; i < scan->part_count; i++) {
        api->destroy_value(&paths[i]);
    }
    return status == STOA_OK && lacks_columns ? add_partitions(api, info, scan, err) : status;
}

static stoa_status replace_with_files(const struct duckdb_api *api,
                                      duckdb_replacement_scan_info info, const struct scan *scan,
                                      const stoa_context *context, stoa_error *err) {
    duckdb_value *values;
    size_t count = (size_t)scan->part_count;
    const char *path = NULL;
    for (int32_t i = 0; i < scan->part_count; i++) {
        STOA_TRY(stoa_plan_parquet_path(scan->plan, i, context, &path, err));
    }
    STOA_TRY(stoa_pool_allocate_array(scan->pool, count, sizeof *values, (void **)&values, err));
    for (int32_t i = 0; i < scan->part_count; i++) {
        STOA_IGNORE(stoa_plan_parquet_path(scan->plan, i, context, &path, NULL));
        values[i] = api->create_varchar(path);
    }
    stoa_status status = add_paths(api, info, scan, values, err);
    stoa_pool_free(scan->pool, values, count * sizeof *values);
    return status;
}

static void replace(duckdb_replacement_scan_info info, const char *name, void *data) {
    const struct duckdb_api *api = stoa_sql_duckdb_loaded();
    struct view *view = stoa_sql_engine_current_view(data);
    if (view == NULL) {
        return;
    }
    struct scan *scan = NULL;
    int32_t index = 0;
    stoa_error error = STOA_ERROR_NONE;
    stoa_status status = stoa_sql_view_reference(view, name, &scan, &index, &error);
    if (status == STOA_NOT_FOUND || status == STOA_INVALID) {
        return; /* not ours: a file, or a name that no table can have */
    }
    if (status == STOA_OK && scan->parquet && !scan->seeks) {
        status = replace_with_files(api, info, scan, &view->context, &error);
    } else if (status == STOA_OK) {
        api->replacement_scan_set_function_name(info, "stoa_scan");
        duckdb_value number = api->create_int64(index);
        api->replacement_scan_add_parameter(info, number);
        api->destroy_value(&number);
    }
    if (status != STOA_OK) {
        stoa_sql_progress_keep_error(view->progress, &error);
        api->replacement_scan_set_error(info, error.message);
    }
}

stoa_status stoa_sql_scan_function_register(struct engine *engine, stoa_error *err) {
    const struct duckdb_api *api = engine->api;
    duckdb_table_function function = api->create_table_function();
    duckdb_logical_type number = api->create_logical_type(DUCKDB_TYPE_BIGINT);
    api->table_function_set_name(function, "stoa_scan");
    api->table_function_add_parameter(function, number);
    api->table_function_set_extra_info(function, engine, NULL);
    api->table_function_set_bind(function, bind);
    api->table_function_set_init(function, init);
    api->table_function_set_local_init(function, init_local);
    api->table_function_set_function(function, read_rows);
    api->table_function_supports_projection_pushdown(function, true);
    duckdb_state state = api->register_table_function(engine->control, function);
    api->destroy_logical_type(&number);
    api->destroy_table_function(&function);
    if (state != DuckDBSuccess) {
        return stoa_fail(err, STOA_INTERNAL, "the engine refuses the table function stoa_scan");
    }
    api->add_replacement_scan(engine->handle, replace, engine, NULL);
    return STOA_OK;
}
