/* Backward scans read forward: the last part of what is left of the range, some thousand rows, is
 * scanned in ascending order and its batches are handed out turned round, the last one first. So there
 * is one way to merge and one order of versions.
 *
 * The part begins at the greatest of the keys that stand so many rows before the range's end in each
 * run: then no run has many more rows in it than that, but for versions of that one key, and one run has
 * as many. */
#include "arrow/array.h"
#include "base/bytes.h"
#include "lsm/scan_internal.h"

enum { PART_ROWS_MIN = 64 };

static stoa_key_range range_left(const stoa_view_scan *scan) {
    return (stoa_key_range){.from = scan->from.data,
                            .from_size = scan->from.size,
                            .to = scan->to.data,
                            .to_size = scan->to.size,
                            .to_end = scan->range.to_end};
}

/* The key that the next part begins with; `*out_found` is false where all that is left is one part. */
static stoa_status find_boundary(stoa_view_scan *scan, int64_t rows, bool *out_found,
                                 stoa_error *err) {
    const stoa_key_range range = range_left(scan);
    *out_found = false;
    for (int32_t i = 0; i < scan->run_count; i++) {
        stoa_run_cursor *cursor;
        bool found;
        STOA_TRY(stoa_view_scan_probe(scan, i, &cursor, err));
        STOA_TRY(stoa_run_cursor_back(cursor, &range, rows, &scan->probe_key, &found, err));
        if (found &&
            (!*out_found || stoa_bytes_compare(scan->probe_key.data, scan->probe_key.size,
                                               scan->boundary.data, scan->boundary.size) > 0)) {
            const stoa_buffer swap = scan->boundary;
            scan->boundary = scan->probe_key;
            scan->probe_key = swap;
            *out_found = true;
        }
    }
    return STOA_OK;
}

/* The rows of a batch in the other order. */
static stoa_status turn(stoa_view_scan *scan, struct ArrowArray *batch, stoa_error *err) {
    const size_t bytes = (size_t)batch->length * sizeof(int64_t);
    struct ArrowArray turned;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(scan->pool, bytes, &memory, err));
    int64_t *order = memory;
    for (int64_t i = 0; i < batch->length; i++) {
        order[i] = batch->length - 1 - i;
    }
    const stoa_status status = stoa_arrow_take(scan->pool, &scan->schema, batch, order,
                                               batch->length, &turned, err);
    stoa_pool_free(scan->pool, memory, bytes);
    if (status == STOA_OK) {
        stoa_arrow_array_release(batch);
        *batch = turned;
    }
    return status;
}

/* All batches of the merge's range, turned round. */
static stoa_status read_part(stoa_view_scan *scan, int64_t max_rows, stoa_error *err) {
    scan->is_at_end = false;
    for (;;) {
        struct ArrowArray batch;
        STOA_TRY(stoa_view_scan_next_ascending(scan, max_rows, &batch, err));
        if (batch.release == NULL) {
            return STOA_OK;
        }
        stoa_status status = turn(scan, &batch, err);
        if (status == STOA_OK) {
            status = stoa_buffer_append(&scan->batches, &batch, sizeof batch, err);
        }
        if (status != STOA_OK) {
            stoa_arrow_array_release(&batch);
            return status;
        }
    }
}

static stoa_status next_part(stoa_view_scan *scan, int64_t max_rows, stoa_error *err) {
    stoa_key_range part = range_left(scan);
    bool found;
    if (scan->part_rows == 0) {
        scan->part_rows = max_rows < PART_ROWS_MIN ? PART_ROWS_MIN : max_rows;
    }
    STOA_TRY(find_boundary(scan, scan->part_rows, &found, err));
    scan->part_rows = 2 * scan->part_rows < STOA_STRIPE_ROWS ? 2 * scan->part_rows
                                                             : STOA_STRIPE_ROWS;
    if (found) {
        part.from = scan->boundary.data;
        part.from_size = scan->boundary.size;
    }
    STOA_TRY(stoa_merge_seek(scan->merge, &part, err));
    STOA_TRY(read_part(scan, max_rows, err));
    scan->is_last_part = !found;
    const stoa_buffer swap = scan->to;
    scan->to = scan->boundary;
    scan->boundary = swap;
    scan->range.to_end = false;
    return STOA_OK;
}

stoa_status stoa_view_scan_read_backward(stoa_view_scan *scan, int64_t max_rows, stoa_error *err) {
    while (scan->batches.size == 0 && !scan->is_last_part) {
        STOA_TRY(next_part(scan, max_rows, err));
    }
    return STOA_OK;
}
