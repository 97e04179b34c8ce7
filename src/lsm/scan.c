/* A scan merges the sorted runs of its view block by block: each block's visible rows are gathered, those
 * that the predicate does not take fall out, and the columns asked for are made of the rest. */
#include "lsm/scan.h"

#include "arrow/array.h"
#include "lsm/scan_internal.h"
#include "schema/schema.h"

/* Batches that are put together into one; from so many rows on windows are asked for whole. */
enum { PARTS_MAX = 64, WHOLE_ROWS_MIN = 64 };

/* ---- Runs ------------------------------------------------------------------------------------ */

/* The newest first: memtables, files of level 0, levels. What has nothing that is old enough stays out. */
static void list_runs(stoa_view_scan *scan) {
    const stoa_state_view *view = scan->reading.view;
    const stoa_level *levels = view->version->levels;
    for (int32_t i = 0; i < view->memtable_count; i++) {
        if (stoa_memtable_row_count(view->memtables[i]) > 0 ||
            stoa_memtable_has_ranges(view->memtables[i])) {
            scan->runs[scan->run_count++] = (stoa_run){.memtable = view->memtables[i]};
        }
    }
    for (int64_t i = 0; i < levels[0].count; i++) {
        if (levels[0].files[i]->info.sequence_min <= scan->reading.snapshot) {
            scan->runs[scan->run_count++] = (stoa_run){.files = &levels[0].files[i],
                                                       .file_count = 1};
        }
    }
    for (int32_t level = 1; level < STOA_LEVELS; level++) {
        if (levels[level].count > 0) {
            scan->runs[scan->run_count++] = (stoa_run){.files = levels[level].files,
                                                       .file_count = levels[level].count};
        }
    }
}

static stoa_status open_runs(stoa_view_scan *scan, stoa_error *err) {
    const stoa_state_view *view = scan->reading.view;
    const size_t most = (size_t)view->memtable_count + (size_t)view->version->levels[0].count +
                        STOA_LEVELS;
    void *runs, *plain, *skips, *probes;
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, most, sizeof *scan->runs, &runs, err));
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, most, sizeof *scan->is_plain, &plain, err));
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, most, sizeof *scan->skips, &skips, err));
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, most, sizeof *scan->probes, &probes, err));
    scan->runs = runs;
    scan->is_plain = plain;
    scan->skips = skips;
    scan->probes = probes;
    list_runs(scan);
    return stoa_merge_create(scan->pool, &scan->definition->layout, scan->runs, scan->run_count,
                             &scan->merge, err);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static stoa_status copy_columns(stoa_view_scan *scan, const stoa_view_scan_options *options,
                                stoa_error *err) {
    const stoa_schema *schema = scan->definition->schema;
    const stoa_schema *projected = NULL;
    void *memory;
    const int32_t count = options->columns == NULL ? schema->root.child_count
                                                   : options->column_count;
    STOA_TRY(
        stoa_arena_allocate_array(&scan->arena, (size_t)count + 1, sizeof(int32_t), &memory, err));
    int32_t *columns = memory;
    for (int32_t i = 0; i < count; i++) {
        columns[i] = options->columns == NULL ? i : options->columns[i];
        if (columns[i] < 0 || columns[i] >= schema->root.child_count) {
            return stoa_fail(err, STOA_INVALID,
                             "expected a column from 0 to %" PRId32 " but found %" PRId32,
                             schema->root.child_count - 1, columns[i]);
        }
    }
    scan->options.columns = columns;
    scan->options.column_count = count;
    STOA_TRY(stoa_schema_project(scan->pool, schema, columns, count, &projected, err));
    const stoa_status status = stoa_schema_to_arrow(scan->pool, projected, &scan->schema, err);
    stoa_schema_close(projected);
    return status;
}

static stoa_status open_scan(stoa_view_scan *scan, const stoa_view_scan_options *options,
                             stoa_error *err) {
    STOA_TRY(copy_columns(scan, options, err));
    STOA_TRY(open_runs(scan, err));
    STOA_TRY(stoa_gather_create(scan->pool, &scan->definition->layout, &scan->gather, err));
    STOA_TRY(stoa_flat_create(scan->pool, &scan->definition->layout, scan->options.columns,
                              scan->options.column_count, &scan->flat, err));
    STOA_TRY(stoa_view_scan_visible_init(scan, err));
    return stoa_view_scan_filter_init(scan, err);
}

stoa_status stoa_view_scan_create(const stoa_view_reading *reading,
                                  const stoa_view_scan_options *options, stoa_view_scan **out,
                                  stoa_error *err) {
    stoa_pool *pool = options->context.pool;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_view_scan), &memory, err));
    stoa_view_scan *scan = memory;
    *scan = (stoa_view_scan){.context = options->context,
                             .pool = pool,
                             .reading = *reading,
                             .definition = reading->view->definition,
                             .options = *options};
    (void)stoa_state_view_retain(reading->view);
    stoa_arena_init(&scan->arena, pool);
    stoa_buffer_init(&scan->probe_key, pool);
    stoa_buffer_init(&scan->bits, pool);
    stoa_buffer_init(&scan->from, pool);
    stoa_buffer_init(&scan->to, pool);
    stoa_buffer_init(&scan->boundary, pool);
    stoa_buffer_init(&scan->batches, pool);
    const stoa_status status = open_scan(scan, options, err);
    if (status != STOA_OK) {
        stoa_view_scan_close(scan);
        return status;
    }
    *out = scan;
    return STOA_OK;
}

static void drop_batches(stoa_view_scan *scan) {
    struct ArrowArray *batches = (struct ArrowArray *)(void *)scan->batches.data;
    for (size_t i = 0; i < scan->batches.size / sizeof *batches; i++) {
        stoa_arrow_array_release(&batches[i]);
    }
    stoa_buffer_clear(&scan->batches);
}

void stoa_view_scan_close(stoa_view_scan *scan) {
    if (scan == NULL) {
        return;
    }
    drop_batches(scan);
    stoa_view_scan_visible_release(&scan->visible);
    stoa_gather_close(scan->gather);
    stoa_flat_close(scan->flat);
    stoa_merge_close(scan->merge);
    for (int32_t i = 0; i < scan->run_count; i++) {
        stoa_run_cursor_close(scan->probes[i]);
    }
    stoa_arrow_schema_release(&scan->schema);
    stoa_buffer_release(&scan->probe_key);
    stoa_buffer_release(&scan->bits);
    stoa_buffer_release(&scan->from);
    stoa_buffer_release(&scan->to);
    stoa_buffer_release(&scan->boundary);
    stoa_buffer_release(&scan->batches);
    stoa_arena_release(&scan->arena);
    stoa_state_view_release(scan->reading.view);
    stoa_pool_free(scan->pool, scan, sizeof *scan);
}

const struct ArrowSchema *stoa_view_scan_schema(const stoa_view_scan *scan) {
    return &scan->schema;
}

void stoa_view_scan_figures_of(const stoa_view_scan *scan, stoa_view_scan_figures *out) {
    *out = (stoa_view_scan_figures){scan->rows_merged, scan->stripes_skipped};
}

bool stoa_view_key_successor(stoa_buffer *key) {
    while (key->size > 0 && key->data[key->size - 1] == UINT8_MAX) {
        key->size--;
    }
    if (key->size == 0) {
        return false;
    }
    key->data[key->size - 1]++;
    return true;
}

stoa_status stoa_view_scan_probe(stoa_view_scan *scan, int32_t run, stoa_run_cursor **out,
                                 stoa_error *err) {
    if (scan->probes[run] == NULL) {
        STOA_TRY(stoa_run_cursor_create(scan->pool, &scan->definition->layout, &scan->runs[run],
                                        &scan->probes[run], err));
    }
    *out = scan->probes[run];
    return STOA_OK;
}

/* ---- Going through --------------------------------------------------------------------------- */

/* The columns of the first rows, while their keys are looked at. */
static void prefetch_rows(const stoa_view_scan *scan, const stoa_key_range *range) {
    for (int32_t i = 0; scan->flat != NULL && range != NULL && i < scan->run_count; i++) {
        uint32_t row;
        const stoa_stripe *stripe = stoa_run_cursor_stripe(stoa_merge_cursor(scan->merge, i), &row);
        if (stripe != NULL) {
            stoa_flat_prefetch(scan->flat, stripe, row);
        }
    }
}

stoa_status stoa_view_scan_seek(stoa_view_scan *scan, const stoa_key_range *range,
                                stoa_error *err) {
    scan->is_sought = true;
    scan->is_at_end = false;
    scan->ready_count = 0;
    stoa_view_scan_visible_reset(&scan->visible);
    stoa_gather_clear(scan->gather);
    drop_batches(scan);
    if (!scan->options.reverse) {
        STOA_TRY(stoa_merge_seek(scan->merge, range, err));
        prefetch_rows(scan, range);
        return STOA_OK;
    }
    stoa_buffer_clear(&scan->from);
    stoa_buffer_clear(&scan->to);
    if (range != NULL) {
        STOA_TRY(stoa_buffer_append(&scan->from, range->from, range->from_size, err));
        STOA_TRY(stoa_buffer_append(&scan->to, range->to, range->to_end ? 0 : range->to_size, err));
    }
    scan->range = (stoa_key_range){.to_end = range == NULL || range->to_end};
    scan->is_last_part = false;
    scan->part_rows = 0;
    return STOA_OK;
}

bool stoa_view_scan_is_flat(const stoa_view_scan *scan, stoa_flat_rows *out) {
    const int64_t count = stoa_gather_row_count(scan->gather);
    int64_t first = 0;
    const stoa_run_window *window = scan->flat == NULL || count > STOA_STRIPE_ROWS
                                        ? NULL
                                        : stoa_gather_slice(scan->gather, &first);
    *out = (stoa_flat_rows){.window = window, .first = first, .count = count, .chosen = count};
    return window != NULL && stoa_flat_takes(window);
}

/* The rows of the next block that stay; none is not the end. */
static stoa_status next_rows(stoa_view_scan *scan, int64_t max_rows, stoa_error *err) {
    stoa_merge_block block;
    STOA_TRY(stoa_cancel_check(scan->context.cancel, err));
    stoa_gather_clear(scan->gather); /* first: it gives the windows back, to be filled again */
    STOA_TRY(stoa_merge_next(scan->merge, max_rows, &block, err));
    STOA_TRY(stoa_view_scan_visible_rows(scan, &block, err));
    STOA_TRY(stoa_gather_finish_rows(scan->gather, err));
    STOA_TRY(stoa_view_scan_filter_rows(scan, err));
    scan->rows_merged += block.row_count;
    scan->is_at_end = block.row_count == 0;
    scan->ready_count = scan->is_chosen ? scan->ready_count : stoa_gather_row_count(scan->gather);
    return STOA_OK;
}

/* What becomes one batch. */
struct parts {
    struct ArrowArray arrays[PARTS_MAX];
    int64_t count;
    int64_t row_count; /* of all, and of what is not a part yet */
};

/* What was appended becomes a part. */
static void end_part(stoa_view_scan *scan, struct parts *parts) {
    if (scan->flat != NULL && stoa_flat_row_count(scan->flat) > 0) {
        stoa_flat_finish(scan->flat, &parts->arrays[parts->count++]);
    }
}

static stoa_status add_rows(stoa_view_scan *scan, struct parts *parts, stoa_error *err) {
    stoa_flat_rows rows;
    if (stoa_view_scan_is_flat(scan, &rows)) {
        rows.bits = scan->is_chosen ? scan->bits.data : NULL;
        rows.chosen = scan->ready_count;
        return stoa_flat_append(scan->flat, &rows, err);
    }
    end_part(scan, parts);
    STOA_TRY(stoa_gather_batch(scan->gather, scan->pool, scan->options.columns,
                               scan->options.column_count, &parts->arrays[parts->count], err));
    parts->count++;
    return STOA_OK;
}

/* Blocks may be small where many versions are hidden or few rows pass. Windows are asked for whole, so that
 * they end where stripes do; a block that is too much waits for the next batch. */
static stoa_status gather_parts(stoa_view_scan *scan, int64_t max_rows, struct parts *parts,
                                stoa_error *err) {
    while (parts->row_count < (max_rows + 1) / 2 && parts->count + 2 < PARTS_MAX) {
        const int64_t left = max_rows - parts->row_count;
        if (scan->ready_count == 0 && scan->is_at_end) {
            break;
        }
        if (scan->ready_count == 0) {
            STOA_TRY(next_rows(scan, max_rows < WHOLE_ROWS_MIN ? left : max_rows, err));
        }
        if (parts->row_count > 0 && scan->ready_count > left) {
            break;
        }
        if (scan->ready_count > 0) {
            STOA_TRY(add_rows(scan, parts, err));
            parts->row_count += scan->ready_count;
            scan->ready_count = 0;
        }
    }
    end_part(scan, parts);
    return STOA_OK;
}

static stoa_status join(stoa_view_scan *scan, struct parts *parts, struct ArrowArray *out,
                        stoa_error *err) {
    const struct ArrowArray *arrays[PARTS_MAX];
    if (parts->count == 1) {
        *out = parts->arrays[0];
        parts->arrays[0].release = NULL;
        return STOA_OK;
    }
    for (int64_t i = 0; i < parts->count; i++) {
        arrays[i] = &parts->arrays[i];
    }
    return stoa_arrow_concat(scan->pool, &scan->schema, arrays, parts->count, out, err);
}

stoa_status stoa_view_scan_next_ascending(stoa_view_scan *scan, int64_t max_rows,
                                          struct ArrowArray *out, stoa_error *err) {
    struct parts parts;
    parts.count = parts.row_count = 0;
    *out = (struct ArrowArray){0};
    stoa_status status = gather_parts(scan, max_rows, &parts, err);
    if (status == STOA_OK && parts.count > 0) {
        status = join(scan, &parts, out, err);
    }
    if (status != STOA_OK && scan->flat != NULL) {
        stoa_flat_drop(scan->flat);
    }
    for (int64_t i = 0; i < parts.count; i++) {
        stoa_arrow_array_release(&parts.arrays[i]);
    }
    return status;
}

/* The first rows of a batch; what is left of it comes next. */
static stoa_status cut(stoa_view_scan *scan, int64_t max_rows, struct ArrowArray *batch,
                       struct ArrowArray *out, stoa_error *err) {
    struct ArrowArray rest = {0};
    STOA_TRY(stoa_arrow_slice(scan->pool, batch, max_rows, batch->length - max_rows, &rest, err));
    stoa_status status = stoa_arrow_slice(scan->pool, batch, 0, max_rows, out, err);
    if (status == STOA_OK) {
        status = stoa_buffer_append(&scan->batches, &rest, sizeof rest, err);
    }
    if (status != STOA_OK) {
        stoa_arrow_array_release(&rest);
        stoa_arrow_array_release(out);
    }
    return status;
}

stoa_status stoa_view_scan_next(stoa_view_scan *scan, int64_t max_rows, struct ArrowArray *out,
                                stoa_error *err) {
    struct ArrowArray batch;
    STOA_ASSERT(max_rows > 0);
    *out = (struct ArrowArray){0};
    max_rows = max_rows < STOA_STRIPE_ROWS ? max_rows : STOA_STRIPE_ROWS;
    if (!scan->is_sought) {
        STOA_TRY(stoa_view_scan_seek(scan, NULL, err));
    }
    if (scan->options.reverse) {
        STOA_TRY(stoa_view_scan_read_backward(scan, max_rows, err));
    }
    if (scan->batches.size > 0) {
        scan->batches.size -= sizeof batch;
        memcpy(&batch, scan->batches.data + scan->batches.size, sizeof batch);
    } else if (scan->options.reverse) {
        return STOA_OK;
    } else {
        STOA_TRY(stoa_view_scan_next_ascending(scan, max_rows, &batch, err));
    }
    if (batch.release == NULL || batch.length <= max_rows) {
        *out = batch;
        return STOA_OK;
    }
    const stoa_status status = cut(scan, max_rows, &batch, out, err);
    stoa_arrow_array_release(&batch);
    return status;
}
