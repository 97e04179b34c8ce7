/* Gets as programs make them. */
#include "lsm/get_internal.h"
#include "lsm/row_cells.h"
#include "lsm/store_internal.h"
#include "schema/pick.h"

stoa_status stoa_row_create(stoa_state *state, const char *columns, stoa_row **out,
                            stoa_error *err) {
    stoa_definition *definition = atomic_load_explicit(&state->definition, memory_order_acquire);
    const int32_t *list = NULL;
    int32_t count = 0;
    stoa_arena arena;
    stoa_arena_init(&arena, state->pool);
    stoa_status status = STOA_OK;
    if (columns != NULL) {
        STOA_CHECK(stoa_columns_parse(&arena, definition->schema, columns, &list, &count, err));
    }
    STOA_CHECK(stoa_row_create_for(state->pool, definition, list, count, out, err));

done:
    stoa_arena_release(&arena);
    return status;
}

/* The newest view; the row keeps it, so that the next get need not ask for it while it is still the
 * newest. */
static stoa_state_view *newest_view(stoa_state *state, stoa_row *row) {
    if (row->view == NULL ||
        row->view != atomic_load_explicit(&state->view, memory_order_acquire)) {
        stoa_state_view_release(row->view);
        row->view = stoa_state_acquire(state);
    }
    return row->view;
}

stoa_status stoa_state_get(stoa_state *state, const stoa_cell *key,
                           const stoa_state_snapshot *snapshot, stoa_row *row, bool *out_found,
                           stoa_error *err) {
    const stoa_store *store = state->store;
    stoa_view_reading reading = {.view = newest_view(state, row), .programs = store->programs};
    const stoa_definition *definition = reading.view->definition;
    /* After the view: it has all that the number promises. */
    reading.snapshot = stoa_state_sequence(state, snapshot);
    if (definition->ttl_column >= 0) {
        reading.now_ms = stoa_store_now_ms(store);
    }
    stoa_buffer_clear(&row->key);
    STOA_TRY(
        stoa_cells_key(&definition->key, key, true, definition->key.part_count, &row->key, err));
    return stoa_view_get(&reading, row->key.data, row->key.size, row, out_found, err);
}
