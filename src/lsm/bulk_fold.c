/* A scan folds operands, and where there is nothing below them what they fold to is an operand as well: a
 * view of nothing but the memtable is read, and what comes out is put into another one. */
#include "lsm/bulk_fold.h"

#include "lsm/scan.h"

enum { BATCH_ROWS = 64 * 1024 };

static stoa_status repeats_keys(stoa_memtable *table, bool *out, stoa_error *err) {
    stoa_memtable_order *order = NULL;
    STOA_TRY(stoa_memtable_order_of(table, &order, err));
    *out = false;
    for (int64_t i = 0; i < order->chunk_count && !*out; i++) {
        const stoa_memtable_chunk *chunk = order->chunks[i];
        for (uint32_t row = 0; row < chunk->count && !*out; row++) {
            *out = (chunk->rows[row] & STOA_MEMTABLE_OLDER) != 0;
        }
    }
    stoa_memtable_order_close(order);
    return STOA_OK;
}

static stoa_status make_view(stoa_pool *pool, stoa_definition *definition, stoa_memtable *table,
                             stoa_state_view **out, stoa_error *err) {
    stoa_version *nothing = NULL;
    STOA_TRY(stoa_version_create(pool, &nothing, err));
    const stoa_status status = stoa_state_view_create(pool, definition, nothing, out, err);
    stoa_version_release(nothing);
    if (status == STOA_OK) {
        stoa_state_view_add(*out, table);
    }
    return status;
}

static stoa_status copy_rows(stoa_view_scan *scan, stoa_memtable *out, stoa_error *err) {
    uint64_t sequence = 1;
    for (;;) {
        struct ArrowArray batch = {.release = NULL};
        STOA_TRY(stoa_view_scan_next(scan, BATCH_ROWS, &batch, err));
        if (batch.release == NULL) {
            return STOA_OK;
        }
        const int64_t rows = batch.length;
        STOA_TRY(stoa_memtable_append(out, &batch, STOA_OPERATION_MERGE, sequence, err));
        sequence += (uint64_t)rows;
    }
}

/* Nobody's time has come: whether it has is for those who read the table to say. */
static stoa_status fold(stoa_pool *pool, stoa_definition *definition, stoa_merge_programs *programs,
                        stoa_memtable *operands, stoa_memtable *out, stoa_error *err) {
    const stoa_view_scan_options options = {.context = {.pool = pool}};
    stoa_view_reading reading = {.programs = programs,
                                 .snapshot = UINT64_MAX,
                                 .now_ms = INT64_MIN};
    stoa_view_scan *scan = NULL;
    STOA_TRY(make_view(pool, definition, operands, &reading.view, err));
    stoa_status status = stoa_view_scan_create(&reading, &options, &scan, err);
    if (status == STOA_OK) {
        status = copy_rows(scan, out, err);
    }
    stoa_view_scan_close(scan);
    stoa_state_view_release(reading.view);
    return status;
}

stoa_status stoa_bulk_fold(stoa_pool *pool, stoa_definition *definition,
                           stoa_merge_programs *programs, stoa_memtable *operands,
                           stoa_memtable **out, stoa_error *err) {
    bool repeats = false;
    *out = NULL;
    STOA_TRY(repeats_keys(operands, &repeats, err));
    if (!repeats) {
        *out = stoa_memtable_retain(operands);
        return STOA_OK;
    }
    stoa_memtable *folded = NULL;
    STOA_TRY(stoa_memtable_create(pool, &definition->layout, &folded, err));
    const stoa_status status = fold(pool, definition, programs, operands, folded, err);
    if (status != STOA_OK) {
        stoa_memtable_close(folded);
        return status;
    }
    *out = folded;
    return STOA_OK;
}
