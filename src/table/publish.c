/* A state table as a snapshot of a Parquet table, for those who read files: a scan of one moment into a
 * sink, in one transaction. Rows go from one to the other by the batch, so the size does not matter;
 * until the catalog's commit the target is as it was. */
#include <stoa/state.h>

#include "arrow/stream.h"
#include "base/clock.h"
#include "table/internal.h"

enum { PROGRESS_NS = 200 * 1000 * 1000 };

struct publication {
    stoa_database *database;
    stoa_context context;
    stoa_transaction *transaction;
    const char *source;
    const char *target;
    const stoa_schema *schema; /* of the source */
    struct ArrowSchema arrow;
    struct ArrowArrayStream rows;
    stoa_sink *sink;
    int64_t told_ns;
    uint64_t row_count;
};

static stoa_status find_table(const struct publication *run, const char *table,
                              const stoa_table_kind *kind, stoa_entry **out, stoa_error *err) {
    (void)pthread_mutex_lock(&run->transaction->lock);
    stoa_status status = stoa_transaction_lookup(run->transaction, table, out, NULL, err);
    (void)pthread_mutex_unlock(&run->transaction->lock);
    STOA_TRY(status);
    if ((*out)->kind != kind) {
        status = stoa_fail(err, STOA_INVALID, "table '%s' is of kind '%s', not '%s'", (*out)->name,
                           (*out)->kind_name, kind->name);
        stoa_entry_release(*out);
        *out = NULL;
    }
    return status;
}

static stoa_status open_source(struct publication *run, stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_scan_options options = STOA_SCAN_DEFAULT;
    STOA_TRY(find_table(run, run->source, &stoa_table_kind_state, &entry, err));
    run->schema = stoa_schema_retain(entry->schema);
    stoa_entry_release(entry);
    options.transaction = run->transaction;
    options.context = run->context;
    STOA_TRY(stoa_scan(run->database, run->source, &options, &run->rows, err));
    return stoa_stream_schema(&run->rows, &run->arrow, err);
}

static stoa_status open_target(struct publication *run, stoa_error *err) {
    stoa_entry *entry = NULL;
    stoa_sink_options options = {.mode = STOA_OVERWRITE,
                                 .schema = run->schema,
                                 .transaction = run->transaction,
                                 .context = run->context};
    options.context.progress = NULL; /* told by copy_rows */
    stoa_status status = find_table(run, run->target, &stoa_table_kind_parquet, &entry, err);
    stoa_entry_release(entry);
    if (status == STOA_NOT_FOUND) {
        stoa_error_clear(err);
        options.mode = STOA_CREATE;
        options.kind = stoa_table_kind_parquet.name;
        status = STOA_OK;
    }
    STOA_TRY(status);
    return stoa_sink_open(run->database, run->target, &options, &run->sink, err);
}

static void tell_progress(struct publication *run) {
    const int64_t now_ns = stoa_clock_monotonic_ns();
    if (run->context.progress == NULL || now_ns - run->told_ns < PROGRESS_NS) {
        return;
    }
    run->told_ns = now_ns;
    run->context.progress(run->context.progress_user, &(stoa_progress){.phase = "publishing",
                                                                       .unit = "rows",
                                                                       .done = run->row_count});
}

static stoa_status copy_rows(struct publication *run, stoa_error *err) {
    struct ArrowArray batch = {0};
    STOA_TRY(stoa_stream_next(&run->rows, &batch, err));
    while (batch.release != NULL) {
        run->row_count += (uint64_t)batch.length;
        STOA_TRY(stoa_sink_write(run->sink, &run->arrow, &batch, err));
        tell_progress(run);
        STOA_TRY(stoa_stream_next(&run->rows, &batch, err));
    }
    return STOA_OK;
}

static void publication_end(struct publication *run) {
    stoa_sink_close(run->sink);
    stoa_arrow_stream_release(&run->rows);
    stoa_arrow_schema_release(&run->arrow);
    stoa_schema_close(run->schema);
    stoa_transaction_close(run->transaction);
}

stoa_status stoa_state_publish(stoa_database *database, const char *table, const char *target,
                               const stoa_context *context, int64_t *out_rows, stoa_error *err) {
    struct publication run = {.database = database, .source = table, .target = target};
    int64_t rows = 0;
    run.context = context == NULL ? (stoa_context){0} : *context;
    stoa_database_fill_context(database, &run.context);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_transaction_begin(database, &run.transaction, err));
    STOA_CHECK(open_source(&run, err));
    STOA_CHECK(open_target(&run, err));
    STOA_CHECK(copy_rows(&run, err));
    STOA_CHECK(stoa_sink_commit(run.sink, &rows, err));
    STOA_CHECK(stoa_transaction_commit(run.transaction, err));
    if (out_rows != NULL) {
        *out_rows = rows;
    }

done:
    publication_end(&run);
    return status;
}
