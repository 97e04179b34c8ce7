/* Gets as programs make them. */
#include "arrow/array.h"
#include "base/clock.h"
#include "lsm/get_internal.h"
#include "lsm/row_cells.h"
#include "lsm/store_internal.h"
#include "schema/pick.h"
#include "schema/schema.h"

/* The columns that `text` names; NULL: all. In the arena. */
static stoa_status choose_columns(stoa_arena *arena, const stoa_definition *definition,
                                  const char *text, const int32_t **out, int32_t *out_count,
                                  stoa_error *err) {
    *out = NULL;
    *out_count = definition->schema->root.child_count;
    return text == NULL ? STOA_OK
                        : stoa_columns_parse(arena, definition->schema, text, out, out_count, err);
}

stoa_status stoa_row_create(stoa_state *state, const char *columns, stoa_row **out,
                            stoa_error *err) {
    stoa_definition *definition = atomic_load_explicit(&state->definition, memory_order_acquire);
    const int32_t *list = NULL;
    int32_t count = 0;
    stoa_arena arena;
    stoa_arena_init(&arena, state->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(choose_columns(&arena, definition, columns, &list, &count, err));
    STOA_CHECK(stoa_row_create_for(state->pool, definition, list, count, out, err));
    status = stoa_row_enter(*out, err);
    if (status != STOA_OK) {
        stoa_row_close(*out);
        *out = NULL;
    }

done:
    stoa_arena_release(&arena);
    return status;
}

/* The newest view; the row keeps it, so that the next get need not ask for it while it is still the
 * newest. */
static stoa_status take_newest(stoa_state *state, stoa_row *row, stoa_error *err) {
    if (row->view == NULL ||
        row->view != atomic_load_explicit(&state->view, memory_order_acquire)) {
        stoa_state_view_release(row->view);
        row->view = NULL;
        STOA_TRY(stoa_state_acquire_open(state, &row->view, err));
    }
    return STOA_OK;
}

stoa_view_reading stoa_state_reading(const stoa_state *state, stoa_state_view *view,
                                     const stoa_state_snapshot *snapshot) {
    const bool has_times = view->definition->ttl_column >= 0;
    return (stoa_view_reading){
        .view = view,
        .programs = state->store->programs,
        .snapshot = stoa_state_sequence(state, snapshot), /* the view has all that it promises */
        .now_ms = has_times ? stoa_store_now_ms(state->store) : 0,
    };
}

static stoa_status get(stoa_state *state, const stoa_cell *key, const stoa_state_snapshot *snapshot,
                       stoa_row *row, bool *out_found, stoa_error *err) {
    STOA_TRY(take_newest(state, row, err));
    const stoa_view_reading reading = stoa_state_reading(state, row->view, snapshot);
    const stoa_definition *definition = reading.view->definition;
    stoa_buffer_clear(&row->key);
    STOA_TRY(
        stoa_cells_key(&definition->key, key, true, definition->key.part_count, &row->key, err));
    return stoa_view_get(&reading, row->key.data, row->key.size, row, out_found, err);
}

stoa_status stoa_state_get(stoa_state *state, const stoa_cell *key,
                           const stoa_state_snapshot *snapshot, stoa_row *row, bool *out_found,
                           stoa_error *err) {
    if (row->get_count++ % STOA_STORE_SAMPLE != 0) {
        return get(state, key, snapshot, row, out_found, err);
    }
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    const stoa_status status = get(state, key, snapshot, row, out_found, err);
    stoa_latency_add(&state->store->latencies[STOA_STATE_CALL_GET],
                     stoa_clock_monotonic_ns() - begun_ns);
    return status;
}

/* ---- Many ------------------------------------------------------------------------------------ */

/* The batches' schema: nulls stand where nothing was found. */
static stoa_status schema_of(stoa_pool *pool, const stoa_definition *definition,
                             const int32_t *columns, int32_t count, struct ArrowSchema *out,
                             stoa_error *err) {
    const stoa_schema *chosen = NULL;
    if (columns == NULL) {
        chosen = stoa_schema_retain(definition->schema);
    } else {
        STOA_TRY(stoa_schema_project(pool, definition->schema, columns, count, &chosen, err));
    }
    const stoa_status status = stoa_schema_to_arrow(pool, chosen, out, err);
    stoa_schema_close(chosen);
    for (int64_t i = 0; status == STOA_OK && i < out->n_children; i++) {
        out->children[i]->flags |= ARROW_FLAG_NULLABLE;
    }
    return status;
}

stoa_status stoa_state_get_many(stoa_state *state, const struct ArrowSchema *key_schema,
                                struct ArrowArray *keys, const char *columns,
                                const stoa_state_snapshot *snapshot, struct ArrowSchema *out_schema,
                                struct ArrowArray *out_rows, uint8_t *out_found, stoa_error *err) {
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    stoa_state_view *view = NULL;
    stoa_status status = stoa_state_acquire_open(state, &view, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(keys);
        return status;
    }
    const stoa_view_reading reading = stoa_state_reading(state, view, snapshot);
    struct ArrowSchema schema = {.release = NULL};
    stoa_keys wanted;
    stoa_keys_view wanted_view;
    stoa_many_keys many = {.keys = &wanted_view};
    stoa_arena arena;
    stoa_arena_init(&arena, state->pool);
    stoa_keys_init(&wanted, state->pool);
    status = stoa_state_keys_of(state, view->definition, key_schema, keys, &wanted, err);
    STOA_CHECK(status);
    wanted_view = stoa_keys_view_of(&wanted);
    STOA_CHECK(
        choose_columns(&arena, view->definition, columns, &many.columns, &many.column_count, err));
    if (out_schema != NULL) {
        STOA_CHECK(schema_of(state->pool, view->definition, many.columns, many.column_count,
                             &schema, err));
    }
    STOA_CHECK(stoa_view_get_many(&reading, state->pool, &many, out_rows, out_found, err));
    if (out_schema != NULL) {
        *out_schema = schema;
        schema.release = NULL;
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_keys_release(&wanted);
    stoa_arena_release(&arena);
    stoa_state_view_release(view);
    stoa_latency_add(&state->store->latencies[STOA_STATE_CALL_GET_MANY],
                     stoa_clock_monotonic_ns() - begun_ns);
    return status;
}
