/* Iterators and counts as programs ask for them: texts and cells become columns, a predicate and bytes,
 * the rest is lsm/scan.h. */
#include "base/bytes.h"
#include "lsm/row_cells.h"
#include "lsm/state_scan.h"
#include "lsm/store_internal.h"
#include "mem/resource.h"
#include "schema/pick.h"

struct stoa_state_iterator {
    stoa_pool *pool;
    stoa_view_scan *scan;
    stoa_state_view *view;
    stoa_arena arena; /* of the predicate */
    bool reverse;
    int64_t limit;
    int64_t rows_left;
    stoa_buffer from; /* the options' bounds */
    stoa_buffer to;
    bool to_end;
    stoa_buffer key; /* of the last seek */
    stoa_resource *resource; /* among what the database has open; NULL: its owner is */
};

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* The bytes that keys with these first parts begin with. */
static stoa_status encode(const stoa_definition *definition, const stoa_cell *cells, int32_t count,
                          stoa_buffer *out, stoa_error *err) {
    if (count < 0 || count > definition->key.part_count) {
        return stoa_fail(err, STOA_INVALID,
                         "expected at most the %" PRId32 " columns of the key but found %" PRId32,
                         definition->key.part_count, count);
    }
    stoa_buffer_clear(out);
    return count == 0 ? STOA_OK : stoa_cells_key(&definition->key, cells, true, count, out, err);
}

/* Turns the first parts of keys into the first key behind them; `*out_end` where there is none. */
static stoa_status go_behind(const stoa_definition *definition, int32_t count, stoa_buffer *key,
                             bool *out_end, stoa_error *err) {
    *out_end = false;
    if (count == definition->key.part_count && definition->key.fixed_bytes == 0) {
        return stoa_buffer_append_byte(key, 0, err);
    }
    *out_end = !stoa_view_key_successor(key);
    return STOA_OK;
}

static stoa_status set_bounds(stoa_state_iterator *iterator, const stoa_state_scan_options *options,
                              stoa_error *err) {
    const stoa_definition *definition = iterator->view->definition;
    STOA_TRY(encode(definition, options->from, options->from_count, &iterator->from, err));
    STOA_TRY(encode(definition, options->to, options->to_count, &iterator->to, err));
    iterator->to_end = options->to_count == 0;
    return options->to_included && !iterator->to_end
               ? go_behind(definition, options->to_count, &iterator->to, &iterator->to_end, err)
               : STOA_OK;
}

static stoa_key_range range_of(const stoa_state_iterator *iterator) {
    return (stoa_key_range){.from = iterator->from.data,
                            .from_size = iterator->from.size,
                            .to = iterator->to.data,
                            .to_size = iterator->to.size,
                            .to_end = iterator->to_end};
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* What lsm/scan.h is asked for. Columns and predicate lie in the arena. */
static stoa_status translate(const stoa_state_view *view, const stoa_context *context,
                             const stoa_state_scan_options *options, stoa_arena *arena,
                             stoa_view_scan_options *out, stoa_error *err) {
    const stoa_schema *schema = view->definition->schema;
    *out = (stoa_view_scan_options){.context = *context, .reverse = options->reverse};
    if (options->limit < 0) {
        return stoa_fail(err, STOA_INVALID, "expected a limit of 0 or more rows but found %" PRId64,
                         options->limit);
    }
    if (options->columns != NULL) {
        STOA_TRY(stoa_columns_parse(arena, schema, options->columns, &out->columns,
                                    &out->column_count, err));
    }
    if (options->where != NULL) {
        STOA_TRY(stoa_predicate_parse(arena, schema, options->where, &out->predicate, err));
    }
    return STOA_OK;
}

static stoa_status open_iterator(stoa_state_iterator *iterator, const stoa_view_reading *reading,
                                 const stoa_context *context,
                                 const stoa_state_scan_options *options, stoa_error *err) {
    stoa_view_scan_options translated;
    STOA_TRY(translate(iterator->view, context, options, &iterator->arena, &translated, err));
    STOA_TRY(set_bounds(iterator, options, err));
    STOA_TRY(stoa_view_scan_create(reading, &translated, &iterator->scan, err));
    const stoa_key_range range = range_of(iterator);
    return stoa_view_scan_seek(iterator->scan, &range, err);
}

stoa_status stoa_view_scan_iterator(const stoa_view_reading *reading, const stoa_context *context,
                                    const stoa_state_scan_options *options,
                                    stoa_state_iterator **out, stoa_error *err) {
    stoa_pool *pool = context->pool;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_state_iterator), &memory, err));
    stoa_state_iterator *iterator = memory;
    *iterator = (stoa_state_iterator){
        .pool = pool,
        .view = stoa_state_view_retain(reading->view),
        .reverse = options->reverse,
        .limit = options->limit == 0 ? INT64_MAX : options->limit,
    };
    iterator->rows_left = iterator->limit;
    stoa_arena_init(&iterator->arena, pool);
    stoa_buffer_init(&iterator->from, pool);
    stoa_buffer_init(&iterator->to, pool);
    stoa_buffer_init(&iterator->key, pool);
    const stoa_status status = open_iterator(iterator, reading, context, options, err);
    if (status != STOA_OK) {
        stoa_state_iterator_close(iterator);
        return status;
    }
    *out = iterator;
    return STOA_OK;
}

/* Gives back what reads. */
static void end(void *owner) {
    stoa_state_iterator *iterator = owner;
    stoa_view_scan_close(iterator->scan);
    stoa_state_view_release(iterator->view);
    iterator->scan = NULL;
    iterator->view = NULL;
}

static stoa_context context_of(const stoa_state *state, const stoa_state_scan_options *options) {
    stoa_context context = options->context;
    context.pool = context.pool != NULL ? context.pool : state->pool;
    return context;
}

stoa_status stoa_state_iterator_create(stoa_state *state, const stoa_state_scan_options *options,
                                       stoa_state_iterator **out, stoa_error *err) {
    stoa_state_view *view = NULL;
    /* The view first: it has all that the number promises. */
    STOA_TRY(stoa_state_acquire_open(state, &view, err));
    const stoa_view_reading reading = stoa_state_reading(state, view, options->snapshot);
    const stoa_context context = context_of(state, options);
    stoa_status status = stoa_view_scan_iterator(&reading, &context, options, out, err);
    stoa_state_view_release(view);
    STOA_TRY(status);
    status = stoa_resource_enter(state->pool, STOA_RESOURCE_STATE, "", end, *out, &(*out)->resource,
                                 err);
    if (status != STOA_OK) {
        stoa_state_iterator_close(*out);
        *out = NULL;
    }
    return status;
}

void stoa_state_iterator_close(stoa_state_iterator *iterator) {
    if (iterator == NULL) {
        return;
    }
    stoa_resource_leave(iterator->resource);
    end(iterator);
    stoa_arena_release(&iterator->arena);
    stoa_buffer_release(&iterator->from);
    stoa_buffer_release(&iterator->to);
    stoa_buffer_release(&iterator->key);
    stoa_pool_free(iterator->pool, iterator, sizeof *iterator);
}

const struct ArrowSchema *stoa_state_iterator_schema(const stoa_state_iterator *iterator) {
    return iterator->scan == NULL ? NULL : stoa_view_scan_schema(iterator->scan);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_less(const stoa_buffer *left, const stoa_buffer *right) {
    return stoa_bytes_compare(left->data, left->size, right->data, right->size) < 0;
}

stoa_status stoa_state_iterator_seek(stoa_state_iterator *iterator, const stoa_cell *key,
                                     int32_t count, stoa_error *err) {
    stoa_key_range range = range_of(iterator);
    bool is_end = false;
    if (iterator->scan == NULL) {
        return stoa_store_fail_closed(err);
    }
    const stoa_definition *definition = iterator->view->definition;
    STOA_TRY(encode(definition, key, count, &iterator->key, err));
    if (!iterator->reverse && is_less(&iterator->from, &iterator->key)) {
        range.from = iterator->key.data;
        range.from_size = iterator->key.size;
    } else if (iterator->reverse && count > 0) {
        STOA_TRY(go_behind(definition, count, &iterator->key, &is_end, err));
        if (!is_end && (iterator->to_end || is_less(&iterator->key, &iterator->to))) {
            range.to = iterator->key.data;
            range.to_size = iterator->key.size;
            range.to_end = false;
        }
    }
    iterator->rows_left = iterator->limit;
    return stoa_view_scan_seek(iterator->scan, &range, err);
}

stoa_status stoa_state_iterator_next(stoa_state_iterator *iterator, int64_t max_rows,
                                     struct ArrowArray *out, stoa_error *err) {
    const int64_t rows = max_rows < iterator->rows_left ? max_rows : iterator->rows_left;
    *out = (struct ArrowArray){0};
    if (max_rows <= 0) {
        return stoa_fail(err, STOA_INVALID, "expected 1 row or more to read but found %" PRId64,
                         max_rows);
    }
    if (iterator->scan == NULL) {
        return stoa_store_fail_closed(err);
    }
    if (rows == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_view_scan_next(iterator->scan, rows, out, err));
    iterator->rows_left -= out->length;
    return STOA_OK;
}

/* ---- Counting -------------------------------------------------------------------------------- */

stoa_status stoa_state_count(stoa_state *state, const stoa_state_scan_options *options,
                             int64_t *out, stoa_error *err) {
    stoa_state_view *view = NULL;
    STOA_TRY(stoa_state_acquire_open(state, &view, err));
    const stoa_view_reading reading = stoa_state_reading(state, view, options->snapshot);
    const stoa_context context = context_of(state, options);
    stoa_view_scan_options translated;
    stoa_state_iterator bounds = {.view = view};
    stoa_arena arena;
    stoa_buffer_init(&bounds.from, state->pool);
    stoa_buffer_init(&bounds.to, state->pool);
    stoa_arena_init(&arena, state->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(translate(view, &context, options, &arena, &translated, err));
    STOA_CHECK(set_bounds(&bounds, options, err));
    const stoa_key_range range = range_of(&bounds);
    STOA_CHECK(stoa_view_scan_count(&reading, &translated, &range, out, err));
    *out = options->limit > 0 && options->limit < *out ? options->limit : *out;

done:
    stoa_arena_release(&arena);
    stoa_buffer_release(&bounds.from);
    stoa_buffer_release(&bounds.to);
    stoa_state_view_release(view);
    return status;
}
