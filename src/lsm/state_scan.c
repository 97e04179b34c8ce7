/* A scan of a view as a stream of batches: an iterator that goes once from its beginning to its end. */
#include "lsm/state_scan.h"

#include "arrow/schema.h"
#include "arrow/stream.h"
#include "lsm/store_internal.h"

static stoa_status next_batch(void *state, struct ArrowArray *out, stoa_error *err) {
    return stoa_state_iterator_next(state, STOA_STRIPE_ROWS, out, err);
}

static void close_iterator(void *state) {
    stoa_state_iterator_close(state);
}

stoa_status stoa_view_scan_stream(const stoa_view_reading *reading, const stoa_context *context,
                                  const stoa_state_scan_options *options,
                                  struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {next_batch, close_iterator};
    struct ArrowSchema schema = {.release = NULL};
    stoa_state_iterator *iterator;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_view_scan_iterator(reading, context, options, &iterator, err));
    const stoa_status status = stoa_arrow_schema_copy(context->pool,
                                                      stoa_state_iterator_schema(iterator), &schema,
                                                      err);
    if (status != STOA_OK) {
        stoa_state_iterator_close(iterator);
        return status;
    }
    return stoa_stream_create(context->pool, &schema, &operations, iterator, out, err);
}

stoa_status stoa_state_scan(stoa_state *state, const stoa_state_scan_options *options,
                            struct ArrowArrayStream *out, stoa_error *err) {
    const stoa_store *store = state->store;
    stoa_context context = options->context;
    stoa_view_reading reading = {.programs = store->programs};
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_state_acquire_open(state, &reading.view, err));
    /* After the view: it has all that the number promises. */
    reading.snapshot = stoa_state_sequence(state, options->snapshot);
    reading.now_ms = stoa_store_now_ms(store);
    if (context.pool == NULL) {
        context.pool = state->pool;
    }
    const stoa_status status = stoa_view_scan_stream(&reading, &context, options, out, err);
    stoa_state_view_release(reading.view);
    return status;
}
