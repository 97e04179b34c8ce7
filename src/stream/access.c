/* Reading and writing states, scope by scope. */
#include "arrow/array.h"
#include "base/error.h"
#include "lsm/cell.h"
#include "stream/internal.h"

/* One bit a kind. */
#define KIND(kind) (1u << (kind))

static stoa_status expect(const stoa_stream_state *state, unsigned kinds, const char *what,
                          stoa_error *err) {
    return (kinds & KIND(state->kind)) != 0
               ? STOA_OK
               : stoa_fail(err, STOA_INVALID, "state '%s': expected %s", state->name, what);
}

static const unsigned ROWS = KIND(STOA_STREAM_VALUE) | KIND(STOA_STREAM_AGGREGATE);
static const char ROWS_TEXT[] = "a value or an aggregate";

/* Of state->cells. */
static stoa_status get(stoa_stream_state *state, stoa_row *row, bool *out_found, stoa_error *err) {
    return stoa_state_transaction_get(state->backend->transaction, state->table,
                                      stoa_stream_key_cells(state), row, out_found, err);
}

static stoa_status put(stoa_stream_state *state, const stoa_cell *values, stoa_error *err) {
    stoa_stream_fill_values(state, values);
    return stoa_state_transaction_put(state->backend->transaction, state->table, state->cells, err);
}

static stoa_status delete (stoa_stream_state *state, stoa_error *err) {
    return stoa_state_transaction_delete(state->backend->transaction, state->table,
                                         stoa_stream_key_cells(state), err);
}

stoa_status stoa_stream_state_row_create(stoa_stream_state *state, stoa_row **out,
                                         stoa_error *err) {
    return stoa_row_create(state->table, state->value_columns, out, err);
}

/* ---- Values, aggregates ----------------------------------------------------------------------- */

stoa_status stoa_stream_state_get(stoa_stream_state *state, const stoa_stream_scope *scope,
                                  stoa_row *row, bool *out_found, stoa_error *err) {
    STOA_TRY(expect(state, ROWS, ROWS_TEXT, err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    return get(state, row, out_found, err);
}

stoa_status stoa_stream_state_set(stoa_stream_state *state, const stoa_stream_scope *scope,
                                  const stoa_cell *values, stoa_error *err) {
    STOA_TRY(expect(state, ROWS, ROWS_TEXT, err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    return put(state, values, err);
}

/* Elements of lists have numbers from the backend: their order is that of adding. */
static stoa_status append(stoa_stream_state *state, const stoa_cell *values, stoa_error *err) {
    stoa_stream_backend *backend = state->backend;
    state->cells[stoa_stream_first_place(&state->layout)] = (stoa_cell){.i = backend->next_element};
    STOA_TRY(put(state, values, err));
    backend->next_element++;
    backend->has_elements = true;
    return STOA_OK;
}

stoa_status stoa_stream_state_add(stoa_stream_state *state, const stoa_stream_scope *scope,
                                  const stoa_cell *values, stoa_error *err) {
    STOA_TRY(expect(state, KIND(STOA_STREAM_AGGREGATE) | KIND(STOA_STREAM_LIST),
                    "an aggregate or a list", err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    if (state->kind == STOA_STREAM_LIST) {
        return append(state, values, err);
    }
    stoa_stream_fill_values(state, values);
    return stoa_state_transaction_merge(state->backend->transaction, state->table, state->cells,
                                        err);
}

/* ---- Maps -------------------------------------------------------------------------------------- */

static stoa_status fill_entry(stoa_stream_state *state, const stoa_stream_scope *scope,
                              const stoa_cell *map_key, stoa_error *err) {
    STOA_TRY(expect(state, KIND(STOA_STREAM_MAP), "a map", err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    for (int32_t i = 0; i < state->layout.place_count; i++) {
        state->cells[stoa_stream_first_place(&state->layout) + i] = map_key[i];
    }
    return STOA_OK;
}

stoa_status stoa_stream_map_get(stoa_stream_state *state, const stoa_stream_scope *scope,
                                const stoa_cell *map_key, stoa_row *row, bool *out_found,
                                stoa_error *err) {
    STOA_TRY(fill_entry(state, scope, map_key, err));
    return get(state, row, out_found, err);
}

stoa_status stoa_stream_map_put(stoa_stream_state *state, const stoa_stream_scope *scope,
                                const stoa_cell *map_key, const stoa_cell *values,
                                stoa_error *err) {
    STOA_TRY(fill_entry(state, scope, map_key, err));
    return put(state, values, err);
}

stoa_status stoa_stream_map_remove(stoa_stream_state *state, const stoa_stream_scope *scope,
                                   const stoa_cell *map_key, stoa_error *err) {
    STOA_TRY(fill_entry(state, scope, map_key, err));
    return delete (state, err);
}

/* ---- Scans ------------------------------------------------------------------------------------ */

static stoa_status bound(stoa_stream_state *state, const stoa_cell *place, int32_t count,
                         stoa_cell *out, stoa_error *err) {
    const int32_t first = stoa_stream_first_place(&state->layout);
    if (count < 0 || count > state->layout.place_count ||
        (count > 0 && state->kind != STOA_STREAM_MAP)) {
        return stoa_fail(err, STOA_INVALID,
                         "state '%s': bounds are columns of a map's key, in their order",
                         state->name);
    }
    for (int32_t i = 0; i < first + count; i++) {
        out[i] = i < first ? state->cells[i] : place[i - first];
    }
    return STOA_OK;
}

stoa_status stoa_stream_state_scan(stoa_stream_state *state, const stoa_stream_scope *scope,
                                   const stoa_stream_range *range, struct ArrowArrayStream *out,
                                   stoa_error *err) {
    static const stoa_stream_range ALL = {0};
    const stoa_stream_range *within = range != NULL ? range : &ALL;
    const int32_t first = stoa_stream_first_place(&state->layout);
    stoa_cell from[STOA_KEY_PARTS_MAX], to[STOA_KEY_PARTS_MAX];
    STOA_TRY(expect(state, KIND(STOA_STREAM_LIST) | KIND(STOA_STREAM_MAP), "a list or a map", err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    STOA_TRY(bound(state, within->from, within->from_count, from, err));
    STOA_TRY(bound(state, within->to, within->to_count, to, err));
    const stoa_state_scan_options options = {
        .columns = state->scan_columns,
        .from = from,
        .from_count = first + within->from_count,
        .to = to,
        .to_count = first + within->to_count,
        .to_included = within->to_count == 0 || within->to_included,
        .reverse = within->reverse,
        .limit = within->limit,
    };
    return stoa_state_transaction_scan(state->backend->transaction, state->table, &options, out,
                                       err);
}

/* ---- Clearing --------------------------------------------------------------------------------- */

static stoa_status delete_rows(stoa_stream_state *state, const struct ArrowArray *batch,
                               stoa_error *err) {
    const int32_t first = stoa_stream_first_place(&state->layout);
    for (int64_t row = 0; row < batch->length; row++) {
        for (int32_t i = 0; i < state->layout.place_count; i++) {
            stoa_cell_from_array(&state->schema->root.children[first + i].type, batch->children[i],
                                 row, &state->cells[first + i]);
        }
        STOA_TRY(delete (state, err));
    }
    return STOA_OK;
}

static stoa_status clear_rows(stoa_stream_state *state, const stoa_stream_scope *scope,
                              stoa_error *err) {
    struct ArrowArrayStream rows;
    struct ArrowArray batch = {.release = NULL};
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_stream_state_scan(state, scope, NULL, &rows, err));
    for (;;) {
        STOA_CHECK(stoa_stream_next(&rows, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(delete_rows(state, &batch, err));
        stoa_arrow_array_release(&batch);
    }

done:
    stoa_arrow_array_release(&batch);
    stoa_arrow_stream_release(&rows);
    return status;
}

stoa_status stoa_stream_state_clear(stoa_stream_state *state, const stoa_stream_scope *scope,
                                    stoa_error *err) {
    STOA_TRY(expect(state, ~KIND(STOA_STREAM_TIMERS), "no timers: delete them by their time", err));
    STOA_TRY(stoa_stream_fill_scope(state, scope, err));
    return (ROWS & KIND(state->kind)) != 0 ? delete (state, err) : clear_rows(state, scope, err);
}
