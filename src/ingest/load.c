/* Loading: files to a table, all or nothing.
 *
 *     inputs ── runs of one format ── source ── batches ── sink ── commit
 *                                                  └─ rows that do not fit ── reject file
 *
 * The sink is opened when the first source has told its columns (a new table without --schema takes
 * them from there) and committed after the last row; whatever fails before that leaves nothing. */
#include <stdio.h>
#include <string.h>

#include "arrow/array.h"
#include "base/error.h"
#include "ingest/rejects.h"
#include "ingest/source.h"
#include "vfs/vfs.h"

struct load {
    stoa_database *database;
    const char *table;
    const stoa_load_options *options;
    stoa_context context;
    stoa_ingest_inputs inputs;
    const stoa_schema *target; /* NULL: the first source's own */
    stoa_sink *sink;
    stoa_ingest_rejects *rejects;
    stoa_load_report report;
    uint64_t bytes_before; /* of inputs that are done */
    uint64_t bytes_now;    /* of the run that is being read */
    bool schema_is_guessed; /* neither the user nor the table gives the columns */
    bool guess_failed;     /* JSON whose columns were guessed from its first rows */
};

/* The engine tells percents of its query; the user is told rows and bytes. */
static void on_engine_progress(void *user, const stoa_progress *progress) {
    struct load *load = user;
    double fraction = progress->total > 0 ? (double)progress->done / (double)progress->total : 0;
    stoa_progress told = {.phase = "loading",
                          .unit = "rows",
                          .done = (uint64_t)load->report.rows_loaded,
                          .bytes_done = load->bytes_before +
                                        (uint64_t)((double)load->bytes_now * fraction),
                          .bytes_total = load->inputs.bytes};
    if (load->options->context.progress != NULL) {
        load->options->context.progress(load->options->context.progress_user, &told);
    }
}

static stoa_status find_target(struct load *load, stoa_error *err) {
    const stoa_load_options *options = load->options;
    if (options->schema != NULL) {
        stoa_status status =
            stoa_schema_parse(load->context.pool, options->schema, &load->target, err);
        stoa_wrap(err, "--schema");
        return status;
    }
    if (options->mode == STOA_CREATE) {
        return STOA_OK;
    }
    return stoa_table_schema(load->database, load->table, &load->target, err);
}

static stoa_status open_sink(struct load *load, const struct ArrowSchema *found, stoa_error *err) {
    const stoa_load_options *options = load->options;
    if (load->target == NULL) {
        STOA_TRY(stoa_schema_from_arrow(load->context.pool, found, &load->target, err));
    }
    stoa_sink_options sink = {.mode = options->mode,
                              .kind = options->kind,
                              .schema = options->mode == STOA_APPEND ? NULL : load->target,
                              .context = load->context,
                              .codec = options->codec};
    sink.context.progress = NULL;
    return stoa_sink_open(load->database, load->table, &sink, &load->sink, err);
}

/* Writes a batch; with a reject file, row by row around those that do not fit. */
static stoa_status write_batch(struct load *load, const struct ArrowSchema *schema,
                               const char *file, struct ArrowArray *batch, stoa_error *err) {
    stoa_pool *pool = load->context.pool;
    stoa_status status = STOA_OK;
    while (load->rejects != NULL && batch->length > 0) {
        struct ArrowArray whole = {0};
        stoa_error found = STOA_ERROR_NONE;
        int64_t length = batch->length;
        STOA_CHECK(stoa_arrow_slice(pool, batch, 0, length, &whole, err));
        status = stoa_sink_write(load->sink, schema, &whole, &found);
        if (status == STOA_OK) {
            load->report.rows_loaded += length;
            goto done;
        }
        if (status != STOA_INVALID || found.row < 0 || found.row >= length) {
            if (err != NULL) {
                *err = found;
            }
            goto done;
        }
        STOA_CHECK(stoa_ingest_reject_row(load->rejects, file, schema, batch, &found, err));
        struct ArrowArray before = {0};
        struct ArrowArray after = {0};
        STOA_CHECK(stoa_arrow_slice(pool, batch, 0, found.row, &before, err));
        status = stoa_sink_write(load->sink, schema, &before, err);
        load->report.rows_loaded += status == STOA_OK ? found.row : 0;
        STOA_CHECK(status);
        STOA_CHECK(stoa_arrow_slice(pool, batch, found.row + 1, length - found.row - 1, &after,
                                    err));
        stoa_arrow_array_release(batch);
        *batch = after;
    }
    if (load->rejects == NULL && batch->length > 0) {
        int64_t length = batch->length;
        struct ArrowArray moved = *batch;
        *batch = (struct ArrowArray){0};
        status = stoa_sink_write(load->sink, schema, &moved, err);
        load->report.rows_loaded += status == STOA_OK ? length : 0;
    }

done:
    stoa_arrow_array_release(batch);
    return status;
}

/* Validation numbers rows within its batch; people count them within what they load. */
static void shift_row(stoa_error *err, int64_t row_base) {
    char prefix[48];
    if (err == NULL || err->row < 0 || row_base == 0) {
        return;
    }
    int length = snprintf(prefix, sizeof prefix, "row %" PRId64 ", ", err->row);
    err->row += row_base;
    if (strncmp(err->message, prefix, (size_t)length) == 0) {
        char rest[STOA_ERROR_MESSAGE_BYTES];
        memcpy(rest, err->message + length, sizeof rest - (size_t)length);
        rest[sizeof rest - (size_t)length - 1] = '\0';
        (void)snprintf(err->message, sizeof err->message, "row %" PRId64 ", %.980s", err->row, rest);
    }
}

static stoa_status copy_rows(struct load *load, stoa_ingest_source *source, const char *file,
                             bool *out_reading, stoa_error *err) {
    for (int64_t row_base = 0;;) {
        struct ArrowArray batch = {0};
        *out_reading = true;
        STOA_TRY(stoa_cancel_check(load->context.cancel, err));
        STOA_TRY(stoa_stream_next(&source->stream, &batch, err));
        *out_reading = false;
        if (batch.release == NULL) {
            return STOA_OK;
        }
        int64_t length = batch.length;
        stoa_status status = write_batch(load, &source->schema, file, &batch, err);
        if (status == STOA_INVALID) {
            shift_row(err, row_base);
        }
        STOA_TRY(status);
        row_base += length;
    }
}

/* Reads inputs[first..first + count), which one source can read. */
static stoa_status load_run(struct load *load, size_t first, size_t count, stoa_error *err) {
    const stoa_ingest_input *inputs = &load->inputs.items[first];
    stoa_context context = load->context;
    stoa_ingest_source source;
    bool reading = true;
    context.progress = on_engine_progress;
    context.progress_user = load;
    load->bytes_now = 0;
    for (size_t i = 0; i < count; i++) {
        load->bytes_now += inputs[i].bytes;
    }
    stoa_status status =
        stoa_ingest_source_open(load->database, inputs, count, load->target, load->rejects != NULL,
                                &context, &source, err);
    if (status == STOA_OK) {
        if (load->sink == NULL) {
            STOA_CHECK(open_sink(load, &source.schema, err));
        }
        STOA_CHECK(copy_rows(load, &source, inputs[0].name, &reading, err));
        if (load->rejects != NULL) {
            STOA_CHECK(stoa_ingest_source_rejects(&source, &load->context,
                                                  stoa_ingest_reject_line, load->rejects, err));
        }
    }

done:
    stoa_ingest_source_release(&source);
    load->guess_failed = status == STOA_INVALID && reading && load->schema_is_guessed &&
                         !inputs[0].all_rows && inputs[0].kind.format >= STOA_FORMAT_JSON;
    if (status == STOA_INVALID && reading) {
        stoa_ingest_source_explain(load->database, inputs, count, load->target, &load->context,
                                   err);
    } else if (status != STOA_OK && status != STOA_CANCELLED && err != NULL && count == 1 &&
               err->file[0] == '\0') {
        stoa_wrap(err, "loading '%s'", inputs[0].name);
    }
    load->bytes_before += load->bytes_now;
    return status;
}

static stoa_status load_all(struct load *load, stoa_error *err) {
    for (size_t i = 0; i < load->inputs.count;) {
        size_t end = i + 1;
        while (end < load->inputs.count &&
               stoa_ingest_same_source(&load->inputs.items[i], &load->inputs.items[end])) {
            end++;
        }
        STOA_TRY(load_run(load, i, end - i, err));
        i = end;
    }
    return STOA_OK;
}

/* Once more from the start, with columns guessed from every row: nothing was committed. */
static stoa_status load_again(struct load *load, stoa_error *err) {
    stoa_sink_close(load->sink);
    stoa_schema_close(load->target);
    load->sink = NULL;
    load->target = NULL;
    load->report = (stoa_load_report){0};
    load->bytes_before = 0;
    for (size_t i = 0; i < load->inputs.count; i++) {
        load->inputs.items[i].all_rows = true;
    }
    if (err != NULL) {
        *err = (stoa_error)STOA_ERROR_NONE;
    }
    return load_all(load, err);
}

stoa_status stoa_load(stoa_database *database, const char *table, const char *const *paths,
                      size_t path_count, const stoa_load_options *options, stoa_load_report *out,
                      stoa_error *err) {
    static const stoa_load_options defaults = STOA_LOAD_DEFAULT;
    struct load load = {.database = database,
                        .table = table,
                        .options = options == NULL ? &defaults : options};
    *out = (stoa_load_report){0};
    load.context = load.options->context;
    stoa_database_fill_context(database, &load.context);
    if (path_count == 0) {
        return stoa_fail(err, STOA_INVALID, "expected at least one file to load");
    }
    stoa_status status = STOA_OK;
    int64_t rows = 0;
    if (load.options->mode == STOA_CREATE && stoa_table_exists(database, NULL, table)) {
        /* Said before a large file is read, and again by the commit. */
        return stoa_fail(err, STOA_EXISTS,
                         "table '%s' exists: load with --mode append or overwrite", table);
    }
    STOA_CHECK(find_target(&load, err));
    load.schema_is_guessed = load.target == NULL;
    if (load.options->reject_file != NULL) {
        STOA_CHECK(stoa_ingest_rejects_open(database, load.options->reject_file, &load.context,
                                            &load.rejects, err));
    }
    STOA_CHECK(stoa_ingest_inputs_init(database, paths, path_count, load.options->format,
                                       &load.context, &load.inputs, err));
    status = load_all(&load, err);
    if (status != STOA_OK && load.guess_failed) {
        status = load_again(&load, err);
    }
    STOA_CHECK(status);
    if (load.rejects != NULL) {
        STOA_CHECK(stoa_ingest_rejects_finish(load.rejects, &load.report.rows_rejected, err));
    }
    STOA_CHECK(stoa_sink_commit(load.sink, &rows, err));
    load.report.files = (int64_t)load.inputs.count;
    load.report.bytes_read = load.inputs.bytes;
    *out = load.report;

done:
    stoa_sink_close(load.sink);
    stoa_ingest_rejects_close(load.rejects);
    stoa_ingest_inputs_release(&load.inputs);
    stoa_schema_close(load.target);
    return status;
}
