/* States as tables: what columns a descriptor comes to, and the cells of a row. */
#include "base/clock.h"
#include "base/hash.h"
#include "lsm/row_cells.h"
#include "schema/schema.h"
#include "stream/internal.h"

static const char DEFAULT_KEY[] = "key binary not null";

/* ---- Descriptors ------------------------------------------------------------------------------ */

static stoa_status count_columns(stoa_pool *pool, const char *text, int32_t *out,
                                 const stoa_schema **out_schema, stoa_error *err) {
    *out_schema = NULL;
    *out = 0;
    if (text == NULL || *text == '\0') {
        return STOA_OK;
    }
    STOA_TRY(stoa_schema_parse(pool, text, out_schema, err));
    *out = (*out_schema)->root.child_count;
    return STOA_OK;
}

static const char *place_text(const stoa_stream_descriptor *descriptor) {
    switch (descriptor->kind) {
    case STOA_STREAM_MAP: return descriptor->map_key;
    case STOA_STREAM_LIST: return "element long not null";
    case STOA_STREAM_TIMERS: return "time long not null";
    case STOA_STREAM_VALUE:
    case STOA_STREAM_AGGREGATE: break;
    }
    return NULL;
}

static stoa_status refuse(const stoa_stream_descriptor *descriptor, const char *what,
                          stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "state '%s': %s", descriptor->name, what);
}

static stoa_status check_descriptor(const stoa_stream_descriptor *descriptor, stoa_error *err) {
    const bool is_map = descriptor->kind == STOA_STREAM_MAP;
    const bool is_aggregate = descriptor->kind == STOA_STREAM_AGGREGATE;
    if (descriptor->name == NULL || *descriptor->name == '\0') {
        return stoa_fail(err, STOA_INVALID, "expected a state with a name");
    }
    if (is_map != (descriptor->map_key != NULL)) {
        return refuse(descriptor,
                      is_map ? "expected the columns of the map's key" : "only a map has a map key",
                      err);
    }
    if (!is_aggregate && descriptor->merge != NULL) {
        return refuse(descriptor, "only an aggregate has merge operators", err);
    }
    if (descriptor->value == NULL && descriptor->kind != STOA_STREAM_TIMERS) {
        return refuse(descriptor, "expected the columns of its values", err);
    }
    return STOA_OK;
}

/* The texts of a table's columns and of its key. */
struct texts {
    stoa_buffer columns;
    stoa_buffer key;
    stoa_buffer merge;
};

static stoa_status add_text(stoa_buffer *out, const char *text, stoa_error *err) {
    if (text == NULL || *text == '\0') {
        return STOA_OK;
    }
    return stoa_buffer_append_format(out, err, "%s%s", out->size > 0 ? ", " : "", text);
}

static stoa_status add_name(stoa_buffer *out, const char *name, stoa_error *err) {
    if (out->size > 0) {
        STOA_TRY(stoa_buffer_append_text(out, ", ", err));
    }
    return stoa_sql_identifier_print(name, out, err);
}

static stoa_status add_names(stoa_buffer *out, const stoa_schema *schema, stoa_error *err) {
    for (int32_t i = 0; schema != NULL && i < schema->root.child_count; i++) {
        STOA_TRY(add_name(out, schema->root.children[i].name, err));
    }
    return STOA_OK;
}

static stoa_status write_key(const stoa_stream_descriptor *descriptor, const stoa_schema *key,
                             const stoa_schema *place, stoa_buffer *out, stoa_error *err) {
    const bool by_time = descriptor->kind == STOA_STREAM_TIMERS;
    STOA_TRY(add_text(out, "key_group", err));
    if (by_time) {
        STOA_TRY(add_names(out, place, err));
    }
    STOA_TRY(add_names(out, key, err));
    STOA_TRY(add_text(out, "namespace", err));
    return by_time ? STOA_OK : add_names(out, place, err);
}

static stoa_status write_texts(const stoa_stream_descriptor *descriptor, const char *key_text,
                               const stoa_schema *key, const stoa_schema *place,
                               struct texts *texts, stoa_error *err) {
    STOA_TRY(add_text(&texts->columns, "key_group int not null", err));
    STOA_TRY(add_text(&texts->columns, key_text, err));
    STOA_TRY(add_text(&texts->columns, "namespace binary not null", err));
    STOA_TRY(add_text(&texts->columns, place_text(descriptor), err));
    STOA_TRY(add_text(&texts->columns, descriptor->value, err));
    STOA_TRY(add_text(&texts->merge, descriptor->merge, err));
    if (descriptor->ttl_ms > 0) {
        STOA_TRY(add_text(&texts->columns, "written timestamp_ms", err));
        STOA_TRY(add_text(&texts->merge, "written max", err));
    }
    return write_key(descriptor, key, place, &texts->key, err);
}

static stoa_status set_layout(stoa_stream_state *state, const stoa_stream_descriptor *descriptor,
                              struct texts *texts, stoa_error *err) {
    stoa_pool *pool = state->backend->pool;
    const char *key_text = descriptor->key != NULL ? descriptor->key : DEFAULT_KEY;
    const stoa_schema *key = NULL, *place = NULL, *value = NULL;
    stoa_stream_layout *layout = &state->layout;
    stoa_status status = STOA_OK;
    STOA_CHECK(count_columns(pool, key_text, &layout->key_count, &key, err));
    STOA_CHECK(count_columns(pool, place_text(descriptor), &layout->place_count, &place, err));
    STOA_CHECK(count_columns(pool, descriptor->value, &layout->value_count, &value, err));
    if (layout->key_count + layout->place_count + 2 > STOA_KEY_PARTS_MAX) {
        STOA_CHECK(refuse(descriptor, "its key has too many columns", err));
    }
    layout->has_written = descriptor->ttl_ms > 0;
    layout->column_count = stoa_stream_first_value(layout) + layout->value_count +
                           (layout->has_written ? 1 : 0);
    STOA_CHECK(write_texts(descriptor, key_text, key, place, texts, err));

done:
    stoa_schema_close(key);
    stoa_schema_close(place);
    stoa_schema_close(value);
    return status;
}

/* ---- Tables ----------------------------------------------------------------------------------- */

static stoa_status create_table(stoa_stream_state *state, const stoa_stream_descriptor *descriptor,
                                struct texts *texts, stoa_error *err) {
    stoa_state_table_options options = {.ttl_column = descriptor->ttl_ms > 0 ? "written" : NULL,
                                        .ttl_ms = descriptor->ttl_ms};
    STOA_TRY(stoa_buffer_text(&texts->key, &options.key, err));
    if (texts->merge.size > 0) {
        STOA_TRY(stoa_buffer_text(&texts->merge, &options.merge, err));
    }
    return stoa_state_create(state->backend->database, state->table_name, state->schema, &options,
                             err);
}

static stoa_status open_table(stoa_stream_state *state, const stoa_stream_descriptor *descriptor,
                              struct texts *texts, stoa_error *err) {
    stoa_database *database = state->backend->database;
    const char *columns = NULL;
    STOA_TRY(stoa_buffer_text(&texts->columns, &columns, err));
    STOA_TRY(stoa_schema_parse(state->backend->pool, columns, &state->schema, err));
    stoa_status status = stoa_state_open(database, state->table_name, &state->table, err);
    if (status == STOA_NOT_FOUND) {
        STOA_TRY(create_table(state, descriptor, texts, err));
        status = stoa_state_open(database, state->table_name, &state->table, err);
    }
    STOA_TRY(status);
    return stoa_type_equal(&state->schema->root, &stoa_state_schema(state->table)->root, false)
               ? STOA_OK
               : refuse(descriptor, "it was made with other columns", err);
}

/* Groups are a hash of the key's own bytes, so that they do not change with anything else. */
static stoa_status set_scope_key(stoa_stream_state *state, stoa_error *err) {
    stoa_key_column columns[STOA_KEY_PARTS_MAX];
    for (int32_t i = 0; i < state->layout.key_count; i++) {
        columns[i] = (stoa_key_column){state->schema->root.children[STOA_STREAM_FIRST_KEY + i].id,
                                       false};
    }
    return stoa_key_format_init(&state->scope_key, state->schema, columns, state->layout.key_count,
                                err);
}

static stoa_status allocate_cells(stoa_stream_state *state, stoa_error *err) {
    stoa_stream_backend *backend = state->backend;
    STOA_TRY(stoa_pool_allocate_array(backend->pool, (size_t)state->layout.column_count,
                                      sizeof *state->cells, (void **)&state->cells, err));
    STOA_TRY(stoa_pool_allocate_array(backend->pool, STOA_KEY_PARTS_MAX, sizeof *state->key,
                                      (void **)&state->key, err));
    if (state->kind != STOA_STREAM_TIMERS) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(backend->pool, (size_t)backend->group_count,
                                      sizeof *state->timers.due, (void **)&state->timers.due, err));
    stoa_stream_forget_due(state);
    return STOA_OK;
}

void stoa_stream_forget_due(stoa_stream_state *state) {
    for (int32_t i = 0; state->timers.due != NULL && i < state->backend->group_count; i++) {
        state->timers.due[i] = INT64_MIN;
    }
}

/* Names of columns [first, end), as text from the pool. */
static stoa_status name_columns(const stoa_stream_state *state, int32_t first, int32_t end,
                                char **out, stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, state->backend->pool);
    stoa_status status = STOA_OK;
    for (int32_t i = first; i < end; i++) {
        STOA_CHECK(add_name(&text, state->schema->root.children[i].name, err));
    }
    STOA_CHECK(
        stoa_pool_copy_text(state->backend->pool, (const char *)text.data, text.size, out, err));

done:
    stoa_buffer_release(&text);
    return status;
}

static stoa_status set_names(stoa_stream_state *state, stoa_error *err) {
    const stoa_stream_layout *layout = &state->layout;
    const int32_t first_value = stoa_stream_first_value(layout);
    const int32_t end = first_value + layout->value_count;
    STOA_TRY(name_columns(state, first_value, end, &state->value_columns, err));
    return name_columns(state, stoa_stream_first_place(layout), end, &state->scan_columns, err);
}

static stoa_status init_state(stoa_stream_state *state, const stoa_stream_descriptor *descriptor,
                              stoa_error *err) {
    stoa_pool *pool = state->backend->pool;
    struct texts texts = {{.pool = pool}, {.pool = pool}, {.pool = pool}};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_copy_string(pool, descriptor->name, &state->name, err));
    STOA_CHECK(stoa_stream_table_name(pool, state->backend->name, descriptor->name,
                                      &state->table_name, err));
    STOA_CHECK(set_layout(state, descriptor, &texts, err));
    STOA_CHECK(open_table(state, descriptor, &texts, err));
    STOA_CHECK(set_scope_key(state, err));
    STOA_CHECK(set_names(state, err));
    STOA_CHECK(allocate_cells(state, err));

done:
    stoa_buffer_release(&texts.columns);
    stoa_buffer_release(&texts.key);
    stoa_buffer_release(&texts.merge);
    return status;
}

stoa_status stoa_stream_state_open(stoa_stream_backend *backend,
                                   const stoa_stream_descriptor *descriptor,
                                   stoa_stream_state **out, stoa_error *err) {
    stoa_stream_state *state = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(check_descriptor(descriptor, err));
    STOA_TRY(stoa_pool_allocate_array(backend->pool, 1, sizeof *state, (void **)&state, err));
    state->backend = backend;
    state->kind = descriptor->kind;
    stoa_buffer_init(&state->key_bytes, backend->pool);
    STOA_CHECK(init_state(state, descriptor, err));
    STOA_CHECK(stoa_buffer_append(&backend->states, &state, sizeof state, err));
    *out = state;
    return STOA_OK;

done:
    stoa_stream_state_close(state);
    return status;
}

void stoa_stream_state_close(stoa_stream_state *state) {
    if (state == NULL) {
        return;
    }
    stoa_pool *pool = state->backend->pool;
    stoa_state_close(state->table);
    stoa_schema_close(state->schema);
    stoa_buffer_release(&state->key_bytes);
    stoa_pool_free(pool, state->cells, (size_t)state->layout.column_count * sizeof *state->cells);
    stoa_pool_free(pool, state->key, STOA_KEY_PARTS_MAX * sizeof *state->key);
    stoa_pool_free(pool, state->timers.due,
                   (size_t)state->backend->group_count * sizeof *state->timers.due);
    stoa_pool_free_string(pool, state->value_columns);
    stoa_pool_free_string(pool, state->scan_columns);
    stoa_pool_free_string(pool, state->name);
    stoa_pool_free_string(pool, state->table_name);
    stoa_pool_free(pool, state, sizeof *state);
}

stoa_state *stoa_stream_state_table(stoa_stream_state *state) {
    return state->table;
}

/* ---- Rows ------------------------------------------------------------------------------------- */

static stoa_status group_of(const stoa_stream_state *state, const stoa_cell *key,
                            stoa_buffer *bytes, int32_t *out, stoa_error *err) {
    stoa_buffer_clear(bytes);
    STOA_TRY(stoa_cells_key(&state->scope_key, key, true, state->layout.key_count, bytes, err));
    *out = (int32_t)(stoa_hash64(bytes->data, bytes->size) % (uint64_t)state->backend->group_count);
    return STOA_OK;
}

stoa_status stoa_stream_state_group(const stoa_stream_state *state, const stoa_cell *key,
                                    int32_t *out, stoa_error *err) {
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, state->backend->pool);
    const stoa_status status = group_of(state, key, &bytes, out, err);
    stoa_buffer_release(&bytes);
    return status;
}

stoa_status stoa_stream_fill_scope(stoa_stream_state *state, const stoa_stream_scope *scope,
                                   stoa_error *err) {
    const stoa_stream_backend *backend = state->backend;
    const stoa_stream_layout *layout = &state->layout;
    int32_t group;
    STOA_TRY(group_of(state, scope->key, &state->key_bytes, &group, err));
    if (group < backend->first_group || group >= backend->end_group) {
        return stoa_fail(err, STOA_INVALID,
                         "state '%s': a key of group %" PRId32 ": expected one of %" PRId32
                         " to %" PRId32,
                         state->name, group, backend->first_group, backend->end_group - 1);
    }
    state->cells[STOA_STREAM_GROUP] = (stoa_cell){.i = group};
    memcpy(state->cells + STOA_STREAM_FIRST_KEY, scope->key,
           (size_t)layout->key_count * sizeof *state->cells);
    const int32_t namespace_index = stoa_stream_namespace_of(layout);
    state->cells[namespace_index] = (stoa_cell){.bytes = scope->namespace_bytes,
                                                .size = scope->namespace_size};
    for (int32_t i = namespace_index + 1; i < layout->column_count; i++) {
        state->cells[i] = (stoa_cell){.is_null = true};
    }
    return STOA_OK;
}

const stoa_cell *stoa_stream_key_cells(stoa_stream_state *state) {
    const stoa_stream_layout *layout = &state->layout;
    const int32_t scope_count = 2 + layout->key_count;
    if (state->kind != STOA_STREAM_TIMERS) {
        return state->cells;
    }
    state->key[0] = state->cells[STOA_STREAM_GROUP];
    state->key[1] = state->cells[stoa_stream_first_place(layout)];
    memcpy(state->key + 2, state->cells + STOA_STREAM_FIRST_KEY,
           (size_t)(scope_count - 1) * sizeof *state->key);
    return state->key;
}

void stoa_stream_fill_values(stoa_stream_state *state, const stoa_cell *values) {
    const stoa_stream_layout *layout = &state->layout;
    if (layout->value_count > 0) {
        memcpy(state->cells + stoa_stream_first_value(layout), values,
               (size_t)layout->value_count * sizeof *state->cells);
    }
    if (layout->has_written) {
        state->cells[layout->column_count - 1] = (stoa_cell){.i = stoa_clock_unix_ms()};
    }
}
