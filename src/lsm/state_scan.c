/* A scan of a view, its bounds from cells and its texts parsed, as a stream of batches. */
#include "lsm/state_scan.h"

#include "arrow/schema.h"
#include "arrow/stream.h"
#include "lsm/store_internal.h"
#include "schema/pick.h"

enum { BATCH_ROWS = 8192 };

struct scanning {
    stoa_pool *pool;
    stoa_arena arena; /* of columns and predicate */
    stoa_view_scan *scan;
    int64_t rows_left; /* -1: all */
};

/* ---- Bounds ----------------------------------------------------------------------------------- */

/* The first key behind all that begin with `to`, in place of it. A text at the end of a key stands as it
 * is, so that behind a whole key comes the same with a byte 0. */
static stoa_status step_behind(const stoa_key_format *format, int32_t to_count, stoa_buffer *bytes,
                               stoa_key_range *range, stoa_error *err) {
    const stoa_key_part *last = &format->parts[format->part_count - 1];
    uint8_t *to = bytes->data + range->from_size;
    if (to_count == format->part_count && last->kind == STOA_KEY_TAIL) {
        STOA_TRY(stoa_buffer_append_byte(bytes, 0, err));
        range->to_size++;
    } else {
        while (range->to_size > 0 && to[range->to_size - 1] == UINT8_MAX) {
            range->to_size--;
        }
        if (range->to_size > 0) {
            to[range->to_size - 1]++;
        }
        range->to_end = range->to_size == 0;
    }
    range->from = bytes->data;
    range->to = bytes->data + range->from_size;
    return STOA_OK;
}

static stoa_status seek(struct scanning *scanning, const stoa_definition *definition,
                        const stoa_state_scan_options *options, stoa_error *err) {
    stoa_key_range range;
    stoa_buffer bytes;
    stoa_buffer_init(&bytes, scanning->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_state_key_range(definition, options->from, options->from_count, options->to,
                                    options->to_count, &bytes, &range, err));
    if (options->to_included && options->to_count > 0) {
        STOA_CHECK(step_behind(&definition->key, options->to_count, &bytes, &range, err));
    }
    STOA_CHECK(stoa_view_scan_seek(scanning->scan, &range, err));

done:
    stoa_buffer_release(&bytes);
    return status;
}

/* ---- Streams ---------------------------------------------------------------------------------- */

static stoa_status next_batch(void *state, struct ArrowArray *out, stoa_error *err) {
    struct scanning *scanning = state;
    int64_t rows = BATCH_ROWS;
    if (scanning->rows_left >= 0 && scanning->rows_left < rows) {
        rows = scanning->rows_left;
    }
    *out = (struct ArrowArray){0};
    if (rows == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_view_scan_next(scanning->scan, rows, out, err));
    if (scanning->rows_left > 0 && out->release != NULL) {
        scanning->rows_left -= out->length;
    }
    return STOA_OK;
}

static void close_scanning(void *state) {
    struct scanning *scanning = state;
    stoa_view_scan_close(scanning->scan);
    stoa_arena_release(&scanning->arena);
    stoa_pool_free(scanning->pool, scanning, sizeof *scanning);
}

static stoa_status open_scan(struct scanning *scanning, const stoa_view_reading *reading,
                             const stoa_context *context, const stoa_state_scan_options *options,
                             stoa_error *err) {
    const stoa_definition *definition = reading->view->definition;
    stoa_view_scan_options asked = {.context = *context, .reverse = options->reverse};
    if (options->columns != NULL) {
        STOA_TRY(stoa_columns_parse(&scanning->arena, definition->schema, options->columns,
                                    &asked.columns, &asked.column_count, err));
    }
    if (options->where != NULL) {
        STOA_TRY(stoa_predicate_parse(&scanning->arena, definition->schema, options->where,
                                      &asked.predicate, err));
    }
    STOA_TRY(stoa_view_scan_create(reading, &asked, &scanning->scan, err));
    return seek(scanning, definition, options, err);
}

stoa_status stoa_view_scan_stream(const stoa_view_reading *reading, const stoa_context *context,
                                  const stoa_state_scan_options *options,
                                  struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {next_batch, close_scanning};
    struct ArrowSchema schema = {.release = NULL};
    struct scanning *made = NULL;
    stoa_status status = STOA_OK;
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *made, (void **)&made, err));
    made->pool = context->pool;
    made->rows_left = options->limit > 0 ? options->limit : -1;
    stoa_arena_init(&made->arena, context->pool);
    STOA_CHECK(open_scan(made, reading, context, options, err));
    STOA_CHECK(
        stoa_arrow_schema_copy(context->pool, stoa_view_scan_schema(made->scan), &schema, err));
    return stoa_stream_create(context->pool, &schema, &operations, made, out, err);

done:
    close_scanning(made);
    return status;
}

stoa_status stoa_state_scan(stoa_state *state, const stoa_state_scan_options *options,
                            struct ArrowArrayStream *out, stoa_error *err) {
    const stoa_store *store = state->store;
    stoa_context context = options->context;
    stoa_view_reading reading = {.view = stoa_state_acquire(state), .programs = store->programs};
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
