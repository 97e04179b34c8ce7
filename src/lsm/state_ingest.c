/* A stream of rows into a table as files: conformed, cut into pieces that the load's memtables take one by
 * one, and made part of the table by one commit. What differs from a commit of batches is that nothing
 * is logged and that memory is bounded. */
#include "arrow/array.h"
#include "base/clock.h"
#include "lsm/bulk.h"
#include "lsm/store_internal.h"

enum {
    PIECE_ROWS = 128 * 1024, /* of a batch that are put into memory at once */
    PROGRESS_NS = 200 * 1000 * 1000
};

struct ingest {
    stoa_state *state;
    stoa_definition *definition;
    stoa_operation operation;
    stoa_context context;
    struct ArrowArrayStream *rows;
    struct ArrowSchema schema;
    stoa_bulk *bulk;
    int64_t row_count;
    int64_t told_ns;
};

static void tell_progress(struct ingest *run) {
    const int64_t now_ns = stoa_clock_monotonic_ns();
    if (run->context.progress == NULL || now_ns - run->told_ns < PROGRESS_NS) {
        return;
    }
    run->told_ns = now_ns;
    run->context.progress(run->context.progress_user,
                          &(stoa_progress){.phase = "ingesting",
                                           .unit = "rows",
                                           .done = (uint64_t)run->row_count});
}

/* Takes `batch`. */
static stoa_status put_pieces(struct ingest *run, struct ArrowArray *batch, stoa_error *err) {
    stoa_status status = STOA_OK;
    for (int64_t at = 0, count; at < batch->length; at += count) {
        struct ArrowArray piece = {.release = NULL};
        count = batch->length - at < PIECE_ROWS ? batch->length - at : PIECE_ROWS;
        STOA_CHECK(stoa_cancel_check(run->context.cancel, err));
        STOA_CHECK(stoa_arrow_slice(run->state->pool, batch, at, count, &piece, err));
        STOA_CHECK(stoa_bulk_put(run->bulk, &piece, err));
        run->row_count += count;
        tell_progress(run);
    }

done:
    stoa_arrow_array_release(batch);
    return status;
}

static stoa_status put_all(struct ingest *run, stoa_error *err) {
    STOA_TRY(stoa_stream_schema(run->rows, &run->schema, err));
    for (;;) {
        struct ArrowArray batch = {.release = NULL}, rows = {.release = NULL};
        STOA_TRY(stoa_stream_next(run->rows, &batch, err));
        if (batch.release == NULL) {
            return stoa_bulk_finish(run->bulk, err);
        }
        STOA_TRY(stoa_state_conform(run->state, run->definition, run->operation, &run->schema,
                                    &batch, &rows, err));
        STOA_TRY(put_pieces(run, &rows, err));
    }
}

static stoa_status ingest_rows(struct ingest *run, stoa_error *err) {
    stoa_store *store = run->state->store;
    STOA_TRY(stoa_store_check_writable(store, err));
    STOA_TRY(stoa_bulk_create(store, run->definition, run->operation, &run->bulk, err));
    STOA_TRY(put_all(run, err));
    const stoa_bulk_table table = {.state = run->state, .bulks = &run->bulk, .count = 1};
    return stoa_bulk_commit(store, &table, 1, err);
}

stoa_status stoa_state_ingest(stoa_state *state, struct ArrowArrayStream *rows,
                              stoa_state_ingest_mode mode, const stoa_context *context,
                              int64_t *out_rows, stoa_error *err) {
    struct ingest run = {.state = state,
                         .definition = stoa_state_definition(state),
                         .operation = mode == STOA_STATE_INGEST_PUT     ? STOA_OPERATION_PUT
                                      : mode == STOA_STATE_INGEST_MERGE ? STOA_OPERATION_MERGE
                                                                        : STOA_OPERATION_DELETE,
                         .rows = rows};
    if (context != NULL) {
        run.context = *context;
    }
    const stoa_status status = ingest_rows(&run, err);
    stoa_bulk_close(run.bulk);
    stoa_arrow_schema_release(&run.schema);
    stoa_arrow_stream_release(rows);
    if (out_rows != NULL) {
        *out_rows = status == STOA_OK ? run.row_count : 0;
    }
    return status;
}
