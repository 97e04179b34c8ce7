/* Reading what a plan holds: parts in memory are handed out as they are, Parquet files are read by our
 * own reader, where they lie. Both come with exactly the rows and columns that were asked for.
 *
 * Files are matched with the table's columns by field id, which is theirs for good: renaming a column,
 * adding, dropping or widening one touches no file. A file without ids is matched by name. */
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "parquet/files.h"
#include "schema/pick.h"
#include "table/plan.h"

stoa_plan *stoa_plan_retain(stoa_plan *plan) {
    atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
    return plan;
}

/* ---- parts in memory ------------------------------------------------------------------------- */

struct part_stream {
    stoa_plan *plan;
    stoa_pool *pool;
    stoa_cancel *cancel;
    int32_t split;
    bool done;
};

static stoa_status share_part(const struct part_stream *stream, struct ArrowArray *out,
                              stoa_error *err) {
    stoa_part *part = stream->plan->parts.items[stream->split];
    (void)pthread_mutex_lock(&part->slice_lock);
    stoa_status status = stoa_arrow_slice(stream->pool, &part->batch, 0, part->row_count, out, err);
    (void)pthread_mutex_unlock(&part->slice_lock);
    return status;
}

static stoa_status part_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct part_stream *stream = state;
    const stoa_plan *plan = stream->plan;
    out->release = NULL;
    if (stream->done) {
        return STOA_OK;
    }
    STOA_TRY(stoa_cancel_check(stream->cancel, err));
    STOA_TRY(share_part(stream, out, err));
    STOA_TRY(stoa_batch_pick(stream->pool, plan->entry->schema, plan->exact, plan->columns,
                             plan->column_count, out, err));
    stream->done = true;
    return STOA_OK;
}

static void part_close(void *state) {
    struct part_stream *stream = state;
    stoa_plan_close(stream->plan);
    stoa_pool_free(stream->pool, stream, sizeof *stream);
}

static stoa_status open_part(stoa_plan *plan, int32_t split, stoa_pool *pool,
                             const stoa_context *context, struct ArrowArrayStream *out,
                             stoa_error *err) {
    static const stoa_stream_operations operations = {part_next, part_close};
    struct part_stream *stream = NULL;
    struct ArrowSchema schema = {0};
    STOA_TRY(stoa_schema_to_arrow(pool, plan->schema, &schema, err));
    stoa_status status = stoa_pool_allocate_array(pool, 1, sizeof *stream, (void **)&stream, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(&schema);
        return status;
    }
    *stream = (struct part_stream){stoa_plan_retain(plan), pool,
                                   context == NULL ? NULL : context->cancel, split, false};
    return stoa_stream_create(pool, &schema, &operations, stream, out, err);
}

/* ---- Parquet files --------------------------------------------------------------------------- */

struct stoa_plan_files {
    stoa_plan *plan;
    stoa_pool *pool;
    int32_t first;                    /* split */
    stoa_pipeline_parts_source parts; /* of splits that are streams, with these columns */
    int32_t *columns;
    int32_t column_count;
    stoa_parquet_files *files;
    stoa_parquet_constant *constants; /* of the file that was opened last; room for all fields */
    stoa_arena arena;
};

static stoa_status open_file(void *user, int32_t file, const stoa_context *context, stoa_file **out,
                             stoa_error *err) {
    const stoa_plan_files *scan = user;
    const stoa_plan *plan = scan->plan;
    char *uri = NULL;
    STOA_TRY(stoa_database_path(plan->database, plan->parts.items[scan->first + file]->path, &uri,
                                err));
    stoa_status status = stoa_vfs_open(plan->database->file_systems, uri, STOA_OPEN_READ, context,
                                       out, err);
    stoa_pool_free_string(plan->database->pool, uri);
    return status;
}

/* Columns that are partitions by themselves are not in the files. */
static stoa_status find_constants(void *user, int32_t file, const stoa_parquet_constant **out,
                                  int32_t *out_count, stoa_error *err) {
    stoa_plan_files *scan = user;
    const stoa_partition_spec *spec = scan->plan->entry->spec;
    const stoa_part *part = scan->plan->parts.items[scan->first + file];
    (void)err;
    *out = scan->constants;
    *out_count = 0;
    for (int32_t i = 0; part->partition != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].transform == STOA_TRANSFORM_IDENTITY) {
            scan->constants[(*out_count)++] = (stoa_parquet_constant){spec->fields[i].source_id,
                                                                      part->partition[i]};
        }
    }
    return STOA_OK;
}

static void explain(void *user, int32_t file, stoa_error *err) {
    const stoa_plan_files *scan = user;
    (void)file;
    if (err->status == STOA_NOT_FOUND) {
        stoa_plan_explain_gone(scan->plan, err);
    }
}

static void file_scan_close(void *user) {
    stoa_plan_files *scan = user;
    stoa_pool *pool = scan->pool;
    stoa_parquet_files_close(scan->files);
    stoa_plan_close(scan->plan);
    stoa_arena_release(&scan->arena);
    stoa_pool_free(pool, scan, sizeof *scan);
}

static stoa_status prepare_files(stoa_plan_files *scan, const int32_t *columns,
                                 int32_t column_count, int32_t count, int64_t batch_rows,
                                 const stoa_context *context, stoa_error *err) {
    const stoa_plan *plan = scan->plan;
    const stoa_partition_spec *spec = plan->entry->spec;
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, spec == NULL ? 1 : (size_t)spec->field_count,
                                       sizeof *scan->constants, (void **)&scan->constants, err));
    const stoa_parquet_files_options options = {.schema = plan->entry->schema,
                                                .columns = columns,
                                                .column_count = column_count,
                                                .predicate = plan->exact,
                                                .match = STOA_MATCH_BY_ID,
                                                .batch_rows = batch_rows,
                                                .file_count = count,
                                                .user = scan,
                                                .open = open_file,
                                                .constants = find_constants,
                                                .explain = explain};
    return stoa_parquet_files_create(context, &options, &scan->files, err);
}

stoa_status stoa_plan_open_files(stoa_plan *plan, int32_t first, int32_t count, int64_t batch_rows,
                                 const stoa_context *context, struct ArrowArrayStream *out,
                                 stoa_error *err) {
    stoa_plan_files *scan;
    struct ArrowSchema schema = {0};
    stoa_context own = *context;
    out->release = NULL;
    own.progress = NULL; /* scans report none: their reader knows what it took */
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *scan, (void **)&scan, err));
    *scan = (stoa_plan_files){.plan = stoa_plan_retain(plan), .pool = context->pool, .first = first};
    stoa_arena_init(&scan->arena, scan->pool);
    stoa_status status = prepare_files(scan, plan->columns, plan->column_count, count, batch_rows,
                                       &own, err);
    if (status == STOA_OK) {
        status = stoa_schema_to_arrow(scan->pool, plan->schema, &schema, err);
    }
    if (status != STOA_OK) {
        file_scan_close(scan);
        return status;
    }
    const stoa_pipeline_owner owner = {.user = scan, .close = file_scan_close};
    stoa_pipeline pipeline = {.source = stoa_parquet_files_source(scan->files),
                              .options = {.ordered = true}};
    stoa_parquet_files_window(scan->files, &pipeline.options);
    return stoa_pipeline_stream(&pipeline, &own, &schema, &owner, out, err);
}

static stoa_status open_stream(void *user, int64_t part, const stoa_context *context,
                               struct ArrowArrayStream *out, stoa_error *err) {
    const stoa_plan_files *scan = user;
    stoa_context own = *context;
    own.pool = own.pool == NULL ? scan->pool : own.pool;
    return scan->plan->access->open(scan->plan, (int32_t)part, scan->columns, scan->column_count,
                                    &own, out, err);
}

static stoa_pipeline_source streams_of(stoa_plan_files *scan, int32_t *columns, int32_t count) {
    scan->columns = columns;
    scan->column_count = count;
    scan->parts = (stoa_pipeline_parts_source){.open = open_stream,
                                               .user = scan,
                                               .part_count = stoa_plan_split_count(scan->plan)};
    return stoa_pipeline_source_of_parts(&scan->parts);
}

stoa_status stoa_plan_files_open(stoa_plan *plan, const int32_t *columns, int32_t column_count,
                                 const stoa_context *context, stoa_plan_files **out,
                                 stoa_pipeline_source *source, stoa_error *err) {
    stoa_plan_files *scan;
    int32_t *copy;
    stoa_context own = *context;
    own.progress = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *scan, (void **)&scan, err));
    *scan = (stoa_plan_files){.plan = stoa_plan_retain(plan), .pool = context->pool};
    stoa_arena_init(&scan->arena, scan->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&scan->arena, (size_t)column_count, sizeof *copy,
                                         (void **)&copy, err));
    memcpy(copy, columns, (size_t)column_count * sizeof *copy);
    if (plan->access != NULL) {
        *source = streams_of(scan, copy, column_count);
        *out = scan;
        return STOA_OK;
    }
    STOA_CHECK(prepare_files(scan, copy, column_count, stoa_plan_split_count(plan), 0, &own, err));
    *source = stoa_parquet_files_source(scan->files);
    *out = scan;
    return STOA_OK;

done:
    file_scan_close(scan);
    return status;
}

void stoa_plan_files_close(stoa_plan_files *files) {
    if (files != NULL) {
        file_scan_close(files);
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

stoa_status stoa_plan_open(stoa_plan *plan, int32_t split, const stoa_context *context,
                           struct ArrowArrayStream *out, stoa_error *err) {
    STOA_ASSERT(split >= 0 && split < plan->split_count);
    stoa_context chosen = context == NULL ? (stoa_context){0} : *context;
    out->release = NULL;
    chosen.pool = chosen.pool == NULL ? plan->pool : chosen.pool;
    if (plan->access != NULL) {
        return plan->access->open(plan, split, plan->columns, plan->column_count, &chosen, out, err);
    }
    return plan->batches[split] != NULL
               ? open_part(plan, split, chosen.pool, context, out, err)
               : stoa_plan_open_files(plan, split, 1, 0, &chosen, out, err);
}
