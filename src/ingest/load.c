/* Loading: files to a table, all or nothing.
 *
 *     inputs ── runs of one format ── source ─▶ parse, fit ─▶ in order ── sink ── commit
 *                                     serial    in parallel      └─ rows that do not fit ── reject file
 *
 * Each run is a pipeline. Its source gives blocks of text or batches, one at a time; lanes parse them
 * and make them fit the table; the end of the pipeline hands them to the table in the order of the
 * files.
 *
 * The sink is opened when the first source has told its columns (a new table without --schema takes
 * them from there) and committed after the last row; whatever fails before that leaves nothing. */
#include "ingest/load.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "ingest/parquet_source.h"
#include "ingest/rejects.h"
#include "ingest/source.h"
#include "lsm/table_options.h"

enum { PROGRESS_NS = 100 * 1000 * 1000 };

struct load {
    stoa_database *database;
    const char *table;
    const stoa_load_options *options;
    const stoa_ingest_tuning *tuning;
    stoa_context context;
    stoa_ingest_inputs inputs;
    const stoa_schema *target; /* NULL: the first source's own */
    stoa_sink *sink;
    stoa_sink_writer *writer;
    stoa_ingest_rejects *rejects;
    stoa_load_report report;
    uint64_t bytes_before;  /* of inputs that are done */
    bool schema_is_guessed; /* neither the user nor the table gives the columns */
    bool guess_failed;      /* JSON whose columns were guessed from its first rows */
    bool guess_lacks;       /* and rows hold more than was guessed */
};

/* One run of the load: inputs of one format, and how far their rows have come. */
struct run {
    struct load *load;
    const stoa_ingest_input *inputs;
    size_t count;
    uint64_t bytes;
    stoa_text_source *text;      /* either this */
    stoa_parquet_source parquet; /* or this, with `found` */
    stoa_ingest_source stream;   /* or that */
    struct ArrowSchema found;
    stoa_ingest_fit fit;
    bool reading_failed; /* the source of a stream, not what was done to its rows */
    int64_t rows_taken;  /* by the sink */
    int64_t part;        /* that it takes rows of now */
    int64_t part_begin;  /* rows that it had taken before that part */
    _Atomic uint64_t engine_percent;
    int64_t told_ns;
};

static stoa_status find_target(struct load *load, stoa_error *err) {
    const stoa_load_options *options = load->options;
    if (options->schema != NULL) {
        stoa_status status = stoa_schema_parse(load->context.pool, options->schema, &load->target,
                                               err);
        stoa_wrap(err, "--schema");
        return status;
    }
    if (options->mode == STOA_CREATE) {
        return STOA_OK;
    }
    return stoa_table_schema(load->database, load->table, &load->target, err);
}

/* Files rarely say that a column is never null; a key's has to be. */
static stoa_status require_key(struct load *load, stoa_error *err) {
    const stoa_state_table_options *state = load->options->state;
    const stoa_schema *schema = NULL;
    if (load->options->mode != STOA_CREATE || state == NULL || state->key == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_schema_require_key(load->context.pool, load->target, state->key, &schema, err));
    stoa_schema_close(load->target);
    load->target = schema;
    return STOA_OK;
}

static stoa_status open_sink(struct load *load, const struct ArrowSchema *found, stoa_error *err) {
    const stoa_load_options *options = load->options;
    if (load->target == NULL) {
        STOA_TRY(stoa_schema_from_arrow(load->context.pool, found, &load->target, err));
    }
    STOA_TRY(require_key(load, err));
    const bool gives_schema = options->mode == STOA_CREATE || options->mode == STOA_OVERWRITE;
    stoa_sink_options sink = {.mode = options->mode,
                              .kind = options->kind,
                              .schema = gives_schema ? load->target : NULL,
                              .transaction = load->tuning->transaction,
                              .context = load->context,
                              .codec = options->codec,
                              .partition = options->partition,
                              .state = options->state};
    sink.context.progress = NULL;
    return stoa_sink_open(load->database, load->table, &sink, &load->sink, err);
}

/* ---- the stages of a run ---- */

/* The engine tells percents of its query. */
static void on_engine_progress(void *user, const stoa_progress *progress) {
    struct run *run = user;
    uint64_t percent = progress->total > 0 ? progress->done * 100 / progress->total : 0;
    atomic_store_explicit(&run->engine_percent, percent, memory_order_relaxed);
}

/* Rows and bytes, told by who hands rows to the sink: one thread at a time, and never less than
 * before. */
static void tell_progress(struct run *run) {
    struct load *load = run->load;
    const stoa_context *context = &load->options->context;
    int64_t now_ns = stoa_clock_monotonic_ns();
    if (context->progress == NULL || now_ns - run->told_ns < PROGRESS_NS) {
        return;
    }
    run->told_ns = now_ns;
    uint64_t percent = run->parquet.files != NULL
                           ? (uint64_t)(run->rows_taken * 100 / run->parquet.row_count)
                           : atomic_load_explicit(&run->engine_percent, memory_order_relaxed);
    uint64_t bytes = run->text != NULL ? stoa_text_source_bytes_done(run->text)
                                       : run->bytes / 100 * percent;
    stoa_progress told = {.phase = "loading",
                          .unit = "rows",
                          .done = (uint64_t)load->report.rows_loaded,
                          .bytes_done = load->bytes_before +
                                        (bytes < run->bytes ? bytes : run->bytes),
                          .bytes_total = load->inputs.bytes};
    context->progress(context->progress_user, &told);
}

static stoa_status next_batch(void *state, void *local, stoa_morsel *out, bool *out_more,
                              stoa_error *err) {
    struct run *run = state;
    (void)local;
    stoa_status status = stoa_stream_next(&run->stream.stream, &out->batch, err);
    run->reading_failed = status != STOA_OK;
    *out_more = status == STOA_OK && out->batch.release != NULL;
    return status;
}

static stoa_status fit_batch(void *state, void *local, stoa_morsel *morsel,
                             const stoa_pipeline_stage *next, stoa_error *err) {
    struct run *run = state;
    struct ArrowArray batch = morsel->batch;
    stoa_buffer rejected;
    int64_t rows_before = 0;
    (void)local;
    morsel->batch = (struct ArrowArray){0};
    stoa_buffer_init(&rejected, run->fit.pool);
    stoa_status status = stoa_ingest_fit_batch(&run->fit, run->inputs[0].name, &run->stream.schema,
                                               &batch, morsel, next, &rows_before, &rejected, err);
    if (status == STOA_OK) {
        status = stoa_ingest_fit_pass_rejects(run->fit.pool, &rejected, morsel, next, err);
    }
    stoa_buffer_release(&rejected);
    return status;
}

/* The rows of a part that came before. */
struct part_rows {
    stoa_pool *pool;
    int64_t part;
    int64_t count;
};

static stoa_status open_part_rows(void *state, const stoa_context *context, void **out_local,
                                  stoa_error *err) {
    void *memory = NULL;
    (void)state;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct part_rows), &memory, err));
    ((struct part_rows *)memory)->pool = context->pool;
    *out_local = memory;
    return STOA_OK;
}

static void close_part_rows(void *state, void *local) {
    (void)state;
    stoa_pool_free(((struct part_rows *)local)->pool, local, sizeof(struct part_rows));
}

/* Rows of Parquet files, which are told by their number in the file. */
static stoa_status fit_rows(void *state, void *local, stoa_morsel *morsel,
                            const stoa_pipeline_stage *next, stoa_error *err) {
    struct run *run = state;
    struct part_rows *before = local;
    struct ArrowArray batch = morsel->batch;
    stoa_buffer rejected;
    int32_t file;
    int64_t row;
    if (batch.release == NULL) {
        return stoa_pipeline_push(next, morsel, err);
    }
    if (before->part != morsel->part || morsel->index == 0) {
        before->part = morsel->part;
        before->count = 0;
    }
    stoa_parquet_files_place(run->parquet.files, morsel->part, &file, &row);
    morsel->batch = (struct ArrowArray){0};
    stoa_buffer_init(&rejected, run->fit.pool);
    stoa_status status = stoa_ingest_fit_batch(&run->fit, run->inputs[file].name, &run->found,
                                               &batch, morsel, next, &before->count, &rejected,
                                               err);
    if (status == STOA_INVALID) {
        stoa_ingest_shift_row(err, row);
        stoa_wrap(err, "loading '%s'", run->inputs[file].name);
        stoa_error_set_file(err, run->inputs[file].name, -1);
    }
    if (status == STOA_OK) {
        status = stoa_ingest_fit_pass_rejects(run->fit.pool, &rejected, morsel, next, err);
    }
    stoa_buffer_release(&rejected);
    return status;
}

static stoa_status take_rows(void *state, void *local, stoa_morsel *morsel, stoa_error *err) {
    struct run *run = state;
    struct load *load = run->load;
    const stoa_buffer *lines = stoa_ingest_fit_rejects(&morsel->batch);
    (void)local;
    if (morsel->part != run->part) {
        run->part = morsel->part;
        run->part_begin = run->rows_taken;
    }
    if (lines != NULL) {
        return stoa_ingest_rejects_add(load->rejects, lines, err);
    }
    if (morsel->batch.release == NULL || morsel->batch.length == 0) {
        return STOA_OK;
    }
    int64_t length = morsel->batch.length;
    struct ArrowArray batch = morsel->batch;
    morsel->batch = (struct ArrowArray){0};
    STOA_TRY(stoa_sink_writer_write_conformed(load->writer, &batch, err));
    run->rows_taken += length;
    load->report.rows_loaded += length;
    tell_progress(run);
    return STOA_OK;
}

static stoa_status run_pipeline(struct run *run, stoa_error *err) {
    struct load *load = run->load;
    stoa_context context = load->context;
    stoa_pipeline_operator stage = {.state = run, .push = fit_batch};
    stoa_pipeline pipeline = {
        .source = {.state = run, .serial = true, .next = next_batch},
        .operators = &stage,
        .operator_count = 1,
        .sink = {.state = run, .consume = take_rows},
        .options = {.ordered = true, .phase = "loading"},
    };
    context.progress = NULL; /* told by take_rows */
    if (run->text != NULL) {
        pipeline.source = stoa_text_source_blocks(run->text);
        stage = stoa_text_source_parser(run->text, &run->fit);
    } else if (run->parquet.files != NULL) {
        pipeline.source = stoa_parquet_files_source(run->parquet.files);
        stoa_parquet_files_window(run->parquet.files, &pipeline.options);
        stage = (stoa_pipeline_operator){run, open_part_rows, fit_rows, close_part_rows};
    }
    stoa_status status = stoa_pipeline_run(&pipeline, &context, err);
    int64_t failed = atomic_load_explicit(&run->fit.failed_part, memory_order_relaxed);
    if (status == STOA_INVALID && failed != INT64_MAX && run->parquet.files == NULL) {
        stoa_ingest_shift_row(err, failed == run->part ? run->part_begin : run->rows_taken);
    }
    return status;
}

/* ---- runs ---- */

static stoa_status ready_sink(struct run *run, const struct ArrowSchema *found, stoa_error *err) {
    struct load *load = run->load;
    if (load->sink == NULL) {
        STOA_TRY(open_sink(load, found, err));
        STOA_TRY(stoa_sink_writer_open(load->sink, &load->writer, err));
    }
    run->fit = (stoa_ingest_fit){.pool = load->context.pool,
                                 .schema = stoa_sink_schema(load->sink),
                                 .rejects = load->rejects != NULL};
    atomic_init(&run->fit.failed_part, INT64_MAX);
    return STOA_OK;
}

static stoa_status run_text(struct run *run, stoa_error *err) {
    struct load *load = run->load;
    struct ArrowSchema found = {0};
    STOA_TRY(stoa_text_source_open(load->database, run->inputs, run->count, load->target,
                                   load->rejects != NULL, load->tuning, &load->context, &run->text,
                                   err));
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_schema_to_arrow(load->context.pool, stoa_text_source_schema(run->text), &found, err));
    STOA_CHECK(ready_sink(run, &found, err));
    STOA_CHECK(run_pipeline(run, err));

done:
    stoa_arrow_schema_release(&found);
    load->guess_failed = status == STOA_INVALID && load->schema_is_guessed &&
                         stoa_text_source_guess(run->text) != STOA_GUESS_HOLDS;
    load->guess_lacks = load->guess_failed && stoa_text_source_guess(run->text) == STOA_GUESS_LACKS;
    return status;
}

static stoa_status run_parquet(struct run *run, stoa_error *err) {
    struct load *load = run->load;
    stoa_parquet_source *source = &run->parquet;
    const stoa_parquet_source_opening opening = {.target = load->target,
                                                 .folders = !load->options->ignore_folders,
                                                 .int96_unit = load->options->int96_unit,
                                                 .keys = load->options->keys};
    STOA_TRY(stoa_parquet_source_open(load->database, run->inputs, run->count, &opening,
                                      &load->context, source, err));
    STOA_TRY(stoa_schema_to_arrow(load->context.pool, source->schema, &run->found, err));
    STOA_TRY(ready_sink(run, &run->found, err));
    static const stoa_parquet_source_options all;
    STOA_TRY(stoa_parquet_source_begin(source, &all, &load->context, err));
    return run_pipeline(run, err);
}

static stoa_status run_stream(struct run *run, stoa_error *err) {
    struct load *load = run->load;
    stoa_context context = load->context;
    bool reading = true;
    context.progress = on_engine_progress;
    context.progress_user = run;
    stoa_status status = stoa_ingest_source_open(load->database, run->inputs, run->count,
                                                 load->target, load->rejects != NULL, &context,
                                                 &run->stream, err);
    if (status == STOA_OK) {
        reading = false;
        STOA_CHECK(ready_sink(run, &run->stream.schema, err));
        status = run_pipeline(run, err);
        reading = run->reading_failed;
    }

done:
    load->guess_failed = status == STOA_INVALID && reading && load->schema_is_guessed &&
                         !run->inputs[0].all_rows && run->inputs[0].kind.format >= STOA_FORMAT_JSON;
    if (status == STOA_INVALID && reading) {
        stoa_ingest_source_explain(run->inputs, run->count, err);
    } else if (status != STOA_OK && status != STOA_CANCELLED && err != NULL && run->count == 1 &&
               err->file[0] == '\0') {
        stoa_wrap(err, "loading '%s'", run->inputs[0].name);
    }
    return status;
}

/* Reads inputs[first..first + count), which one source can read. */
static stoa_status load_run(struct load *load, size_t first, size_t count, stoa_error *err) {
    struct run run = {.load = load,
                      .inputs = &load->inputs.items[first],
                      .count = count,
                      .part = -1};
    for (size_t i = 0; i < count; i++) {
        run.bytes += run.inputs[i].bytes;
    }
    stoa_status status = run.inputs[0].kind.format == STOA_FORMAT_PARQUET ? run_parquet(&run, err)
                         : stoa_text_source_offers(&run.inputs[0])        ? run_text(&run, err)
                                                                          : run_stream(&run, err);
    stoa_text_source_close(run.text);
    stoa_parquet_source_release(&run.parquet);
    stoa_arrow_schema_release(&run.found);
    stoa_ingest_source_release(&run.stream);
    load->bytes_before += run.bytes;
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

/* Once more from the start: nothing was committed. The engine by itself reads some values that it
 * refuses to read as the types that it found (dates in other orders), so that is tried first, unless
 * rows have more members than were found. The last try guesses the columns from every row. */
static stoa_status load_again(struct load *load, stoa_error *err) {
    stoa_sink_writer_close(load->writer);
    stoa_sink_close(load->sink);
    stoa_schema_close(load->target);
    load->writer = NULL;
    load->sink = NULL;
    load->target = NULL;
    load->report = (stoa_load_report){0};
    load->bytes_before = 0;
    for (size_t i = 0; i < load->inputs.count; i++) {
        stoa_ingest_input *input = &load->inputs.items[i];
        if (input->kind.format == STOA_FORMAT_JSONL) {
            STOA_TRY(stoa_ingest_input_localize(&load->inputs, input, &load->context, err));
        }
        input->whole = true;
        input->all_rows = load->guess_lacks;
    }
    if (err != NULL) {
        *err = (stoa_error)STOA_ERROR_NONE;
    }
    return load_all(load, err);
}

stoa_status stoa_ingest_load(stoa_database *database, const char *table, const char *const *paths,
                             size_t path_count, const stoa_load_options *options,
                             const stoa_ingest_tuning *tuning, stoa_load_report *out,
                             stoa_error *err) {
    struct load load = {.database = database, .table = table, .options = options, .tuning = tuning};
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
    for (int tries = 0; tries < 2 && status != STOA_OK && load.guess_failed; tries++) {
        load.guess_lacks = load.guess_lacks || tries > 0;
        status = load_again(&load, err);
    }
    STOA_CHECK(status);
    if (load.rejects != NULL) {
        STOA_CHECK(stoa_ingest_rejects_finish(load.rejects, &load.report.rows_rejected, err));
    }
    STOA_CHECK(stoa_sink_writer_finish(load.writer, err));
    stoa_sink_writer_close(load.writer);
    load.writer = NULL;
    STOA_CHECK(stoa_sink_commit(load.sink, &rows, err));
    load.report.files = (int64_t)load.inputs.count;
    load.report.bytes_read = load.inputs.bytes;
    *out = load.report;

done:
    stoa_sink_writer_close(load.writer);
    stoa_sink_close(load.sink);
    stoa_ingest_rejects_close(load.rejects);
    stoa_ingest_inputs_release(&load.inputs);
    stoa_schema_close(load.target);
    return status;
}

stoa_status stoa_load(stoa_database *database, const char *table, const char *const *paths,
                      size_t path_count, const stoa_load_options *options, stoa_load_report *out,
                      stoa_error *err) {
    static const stoa_load_options defaults = STOA_LOAD_DEFAULT;
    static const stoa_ingest_tuning tuning;
    options = options == NULL ? &defaults : options;
    if (options->sort != NULL && options->state != NULL) {
        *out = (stoa_load_report){0};
        return stoa_fail(err, STOA_INVALID,
                         "rows of a state table lie in the order of their key, in no other");
    }
    return options->sort == NULL
               ? stoa_ingest_load(database, table, paths, path_count, options, &tuning, out, err)
               : stoa_ingest_load_sorted(database, table, paths, path_count, options, &tuning, out,
                                         err);
}
