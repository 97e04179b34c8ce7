/* The rows of files without a table: any files that a load reads, as one stream.
 *
 *     inputs ── runs of one format ── rows of each run, one run after the other ── rows picked
 *
 * Of one run of Parquet files only the columns that are wanted are read, and rows are picked where they
 * are decoded. Rows of other formats are picked when they come. Where there are several runs, each is
 * brought into the columns of all of them, united by name. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "base/error.h"
#include "ingest/parquet_source.h"
#include "ingest/source.h"
#include "ingest/text_source.h"
#include "schema/pick.h"
#include "schema/schema.h"
#include "schema/validate.h"

struct run {
    stoa_ingest_input *inputs;
    size_t count;
    stoa_text_source *text;      /* either this */
    stoa_parquet_source parquet; /* or this */
    stoa_ingest_source source;   /* or that */
    stoa_ingest_fit fit;
    struct ArrowArrayStream rows;
    struct ArrowSchema arrow;  /* of `rows` */
    const stoa_schema *schema; /* the same */
};

struct scan {
    stoa_pool *pool;
    stoa_context context;
    stoa_database *database;
    stoa_arena arena;
    stoa_ingest_inputs inputs;
    struct run *runs;
    size_t run_count;
    size_t current;
    const stoa_schema *schema; /* of all runs; NULL: rows go through as they come */
    const stoa_predicate *predicate;
    const int32_t *columns; /* of `schema`; NULL: all */
    int32_t column_count;
    stoa_parquet_source_opening opening; /* of runs of Parquet files */
    bool picks;        /* what comes out of a run is not yet what is wanted */
    int64_t rows_left; /* INT64_MAX: no limit */
};

static bool is_parquet(const struct run *run) {
    return run->inputs[0].kind.format == STOA_FORMAT_PARQUET;
}

static bool is_text(const struct run *run) {
    const stoa_file_format format = run->inputs[0].kind.format;
    return format == STOA_FORMAT_CSV || format == STOA_FORMAT_TSV;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static stoa_status open_source(struct scan *scan, struct run *run, stoa_error *err) {
    for (size_t i = 0; i < run->count; i++) {
        if (run->inputs[i].kind.format == STOA_FORMAT_JSONL) {
            STOA_TRY(stoa_ingest_input_localize(&scan->inputs, &run->inputs[i], &scan->context,
                                                err));
        }
    }
    const stoa_status status = stoa_ingest_source_open(scan->database, run->inputs, run->count,
                                                       NULL, false, &scan->context, &run->source,
                                                       err);
    if (status == STOA_INVALID) {
        stoa_ingest_source_explain(run->inputs, run->count, err);
    }
    return status;
}

/* Finds the run's columns. A source in one piece may have some that no schema of ours has; they matter
 * only where rows are picked. */
static stoa_status open_run(struct scan *scan, struct run *run, bool needs_schema,
                            stoa_error *err) {
    static const stoa_ingest_tuning tuning;
    if (is_parquet(run)) {
        STOA_TRY(stoa_parquet_source_open(scan->database, run->inputs, run->count, &scan->opening,
                                          &scan->context, &run->parquet, err));
        run->schema = stoa_schema_retain(run->parquet.schema);
        return STOA_OK;
    }
    if (is_text(run)) {
        STOA_TRY(stoa_text_source_open(scan->database, run->inputs, run->count, NULL, false,
                                       &tuning, &scan->context, &run->text, err));
        run->schema = stoa_schema_retain(stoa_text_source_schema(run->text));
        return STOA_OK;
    }
    STOA_TRY(open_source(scan, run, err));
    return needs_schema ? stoa_schema_from_arrow(scan->pool, &run->source.schema, &run->schema, err)
                        : STOA_OK;
}

/* A few rows are read by the thread that asks for them. A single run picks by itself. */
static stoa_status begin_parquet(struct scan *scan, struct run *run, stoa_error *err) {
    enum { FEW_ROWS = 65536 };
    const bool few = scan->rows_left <= FEW_ROWS;
    const bool alone = scan->run_count == 1;
    stoa_context context = scan->context;
    struct ArrowSchema inner = {0};
    stoa_parquet_source_options wanted = {.validates = true};
    if (alone) {
        wanted.columns = scan->columns;
        wanted.column_count = scan->column_count;
        wanted.predicate = scan->predicate;
        scan->picks = false;
    }
    wanted.batch_rows = few && scan->predicate == NULL ? scan->rows_left : 0;
    context.sched = few ? NULL : context.sched;
    STOA_TRY(stoa_parquet_source_begin(&run->parquet, &wanted, &context, err));
    stoa_pipeline pipeline = {.source = stoa_parquet_files_source(run->parquet.files),
                              .options = {.ordered = true}};
    stoa_parquet_files_window(run->parquet.files, &pipeline.options);
    STOA_TRY(stoa_schema_to_arrow(scan->pool, run->schema, &run->arrow, err));
    return stoa_pipeline_stream(&pipeline, &context, &inner, NULL, &run->rows, err);
}

/* The blocks of text files, parsed ahead of the reader on several threads. */
static stoa_status begin_text(struct scan *scan, struct run *run, stoa_error *err) {
    stoa_pipeline_operator parser;
    struct ArrowSchema inner = {0};
    run->fit.pool = scan->pool;
    run->fit.schema = run->schema;
    parser = stoa_text_source_parser(run->text, &run->fit);
    const stoa_pipeline pipeline = {.source = stoa_text_source_blocks(run->text),
                                    .operators = &parser,
                                    .operator_count = 1,
                                    .options = {.ordered = true}};
    STOA_TRY(stoa_schema_to_arrow(scan->pool, run->schema, &run->arrow, err));
    return stoa_pipeline_stream(&pipeline, &scan->context, &inner, NULL, &run->rows, err);
}

static stoa_status begin_run(struct scan *scan, struct run *run, stoa_error *err) {
    if (is_parquet(run)) {
        return begin_parquet(scan, run, err);
    }
    if (is_text(run)) {
        return begin_text(scan, run, err);
    }
    run->rows = run->source.stream;
    run->arrow = run->source.schema;
    run->source.stream = (struct ArrowArrayStream){0};
    run->source.schema = (struct ArrowSchema){0};
    return STOA_OK;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static stoa_status make_wanted(struct scan *scan, const struct run *run, struct ArrowArray *batch,
                               stoa_error *err) {
    struct ArrowArray plain = {0};
    if (scan->picks) {
        STOA_TRY(stoa_batch_conform(scan->pool, scan->schema, &run->arrow, batch, &plain, err));
        *batch = plain;
        STOA_TRY(stoa_batch_pick(scan->pool, scan->schema, scan->predicate, scan->columns,
                                 scan->column_count, batch, err));
    }
    if (batch->length > scan->rows_left) {
        stoa_status status = stoa_arrow_slice(scan->pool, batch, 0, scan->rows_left, &plain, err);
        stoa_arrow_array_release(batch);
        STOA_TRY(status);
        *batch = plain;
    }
    scan->rows_left -= batch->length;
    return STOA_OK;
}

static stoa_status scan_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct scan *scan = state;
    *out = (struct ArrowArray){0};
    while (scan->rows_left > 0 && scan->current < scan->run_count) {
        struct run *run = &scan->runs[scan->current];
        STOA_TRY(stoa_stream_next(&run->rows, out, err));
        if (out->release != NULL) {
            return make_wanted(scan, run, out, err);
        }
        stoa_arrow_stream_release(&run->rows);
        scan->current++;
    }
    return STOA_OK;
}

static void scan_close(void *state) {
    struct scan *scan = state;
    stoa_pool *pool = scan->pool;
    for (size_t i = 0; i < scan->run_count; i++) {
        struct run *run = &scan->runs[i];
        stoa_arrow_stream_release(&run->rows);
        stoa_arrow_schema_release(&run->arrow);
        stoa_ingest_source_release(&run->source);
        stoa_text_source_close(run->text);
        stoa_parquet_source_release(&run->parquet);
        stoa_schema_close(run->schema);
    }
    stoa_schema_close(scan->schema);
    stoa_ingest_inputs_release(&scan->inputs);
    stoa_arena_release(&scan->arena);
    stoa_pool_free(pool, scan, sizeof *scan);
}

/* ---- opening --------------------------------------------------------------------------------- */

static stoa_status cut_runs(struct scan *scan, stoa_error *err) {
    const size_t count = scan->inputs.count;
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, count, sizeof *scan->runs,
                                       (void **)&scan->runs, err));
    for (size_t i = 0; i < count;) {
        struct run *run = &scan->runs[scan->run_count];
        run->inputs = &scan->inputs.items[i];
        run->count = 1;
        while (i + run->count < count &&
               stoa_ingest_same_source(&run->inputs[0], &run->inputs[run->count])) {
            run->count++;
        }
        scan->run_count++;
        i += run->count;
    }
    return STOA_OK;
}

static stoa_status unite(struct scan *scan, const struct run *run, stoa_error *err) {
    const stoa_schema *united = NULL;
    bool same_ids;
    if (scan->schema == NULL) {
        scan->schema = run->schema == NULL ? NULL : stoa_schema_retain(run->schema);
        return STOA_OK;
    }
    const stoa_status status = stoa_schema_unify(scan->pool, scan->schema, run->schema,
                                                 STOA_MATCH_BY_NAME, &united, &same_ids, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", run->inputs[0].name);
        stoa_error_set_file(err, run->inputs[0].name, -1);
        return status;
    }
    stoa_schema_close(scan->schema);
    scan->schema = united;
    return STOA_OK;
}

static stoa_status parse_wishes(struct scan *scan, const stoa_file_scan_options *options,
                                stoa_error *err) {
    if (options->columns != NULL) {
        STOA_TRY(stoa_columns_parse(&scan->arena, scan->schema, options->columns, &scan->columns,
                                    &scan->column_count, err));
    }
    if (options->where != NULL) {
        const stoa_status status = stoa_predicate_parse(&scan->arena, scan->schema, options->where,
                                                        &scan->predicate, err);
        if (status != STOA_OK) {
            stoa_wrap(err, "where '%s'", options->where);
            return status;
        }
    }
    return STOA_OK;
}

/* The schema of what comes out; asked for before the runs begin. */
static stoa_status describe(struct scan *scan, struct ArrowSchema *out, stoa_error *err) {
    const stoa_schema *chosen = NULL;
    if (scan->schema == NULL) {
        return stoa_stream_schema(&scan->runs[0].source.stream, out, err);
    }
    if (scan->columns == NULL) {
        return stoa_schema_to_arrow(scan->pool, scan->schema, out, err);
    }
    STOA_TRY(stoa_schema_project(scan->pool, scan->schema, scan->columns, scan->column_count,
                                 &chosen, err));
    const stoa_status status = stoa_schema_to_arrow(scan->pool, chosen, out, err);
    stoa_schema_close(chosen);
    return status;
}

static stoa_status open_scan(struct scan *scan, const char *const *paths, size_t path_count,
                             const stoa_file_scan_options *options, struct ArrowSchema *out_schema,
                             stoa_error *err) {
    STOA_TRY(stoa_ingest_inputs_init(scan->database, paths, path_count, options->format,
                                     &scan->context, &scan->inputs, err));
    STOA_TRY(cut_runs(scan, err));
    scan->picks = scan->run_count > 1 || options->columns != NULL || options->where != NULL;
    for (size_t i = 0; i < scan->run_count; i++) {
        STOA_TRY(open_run(scan, &scan->runs[i], scan->picks, err));
        STOA_TRY(unite(scan, &scan->runs[i], err));
    }
    STOA_TRY(parse_wishes(scan, options, err));
    STOA_TRY(describe(scan, out_schema, err));
    for (size_t i = 0; i < scan->run_count; i++) {
        STOA_TRY(begin_run(scan, &scan->runs[i], err));
    }
    return STOA_OK;
}

stoa_status stoa_file_scan(stoa_database *database, const char *const *paths, size_t path_count,
                           const stoa_file_scan_options *options, struct ArrowArrayStream *out,
                           stoa_error *err) {
    static const stoa_file_scan_options defaults = STOA_FILE_SCAN_DEFAULT;
    static const stoa_stream_operations operations = {scan_next, scan_close};
    struct ArrowSchema schema = {0};
    void *memory = NULL;
    *out = (struct ArrowArrayStream){0};
    options = options == NULL ? &defaults : options;
    stoa_context context = options->context;
    stoa_database_fill_context(database, &context);
    context.progress = NULL; /* whoever takes the rows knows how far it is */
    if (path_count == 0) {
        return stoa_fail(err, STOA_INVALID, "expected at least one file");
    }
    STOA_TRY(stoa_pool_allocate_array(context.pool, 1, sizeof(struct scan), &memory, err));
    struct scan *scan = memory;
    scan->pool = context.pool;
    scan->context = context;
    scan->database = database;
    scan->opening = (stoa_parquet_source_opening){.folders = !options->ignore_folders,
                                                  .int96_unit = options->int96_unit,
                                                  .keys = options->keys};
    scan->rows_left = options->limit > 0 ? options->limit : INT64_MAX;
    stoa_arena_init(&scan->arena, scan->pool);
    const stoa_status status = open_scan(scan, paths, path_count, options, &schema, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(&schema);
        scan_close(scan);
        return status;
    }
    return stoa_stream_create(scan->pool, &schema, &operations, scan, out, err);
}
