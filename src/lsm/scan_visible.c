/* What a reader sees of merged rows, in one pass over the spans of a block. Windows of nothing but puts
 * that are old enough are taken span by span; in others each row is looked at.
 *
 * A key's versions may go on in the next block, so what is known of them is kept. Operands wait as a
 * chain until what is below them is found, then all chains of a block are folded together; rows that
 * come behind a folded one are held back until then, because rows are gathered in their order. */
#include "arrow/array.h"
#include "base/bytes.h"
#include "lsm/scan_internal.h"

/* ---- Rows that are seen ---------------------------------------------------------------------- */

static stoa_status take_rows(stoa_view_scan *scan, stoa_run_window *window, uint32_t first,
                             uint32_t count, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    if (visible->entries.size == 0) {
        return stoa_gather_add_window(scan->gather, window, first, count, err);
    }
    stoa_view_scan_entry *last = (stoa_view_scan_entry *)(void *)(visible->entries.data +
                                                                  visible->entries.size) -
                                 1;
    if (last->window == window && last->first + last->count == first) {
        last->count += count;
        return STOA_OK;
    }
    const stoa_view_scan_entry entry = {window, first, count};
    return stoa_buffer_append(&visible->entries, &entry, sizeof entry, err);
}

/* ---- Chains of operands ---------------------------------------------------------------------- */

static void drop_chain(stoa_view_scan_visible *visible) {
    const stoa_view_scan_entry *rows = (const stoa_view_scan_entry *)(const void *)
                                           visible->chain.data;
    for (size_t i = 0; i < visible->chain.size / sizeof *rows; i++) {
        stoa_run_window_release(rows[i].window);
    }
    stoa_buffer_clear(&visible->chain);
}

static stoa_status extend_chain(stoa_view_scan_visible *visible, stoa_run_window *window,
                                uint32_t row, stoa_error *err) {
    const stoa_view_scan_entry entry = {window, row, 1};
    STOA_TRY(stoa_buffer_append(&visible->chain, &entry, sizeof entry, err));
    (void)stoa_run_window_retain(window);
    return STOA_OK;
}

/* The chain's rows become the next group to fold, and the folded row the next of the result. */
static stoa_status close_chain(stoa_view_scan *scan, bool has_base, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    const stoa_view_scan_entry *rows = (const stoa_view_scan_entry *)(const void *)
                                           visible->chain.data;
    if (visible->group != STOA_VIEW_SCAN_CHAIN) {
        return STOA_OK;
    }
    visible->group = STOA_VIEW_SCAN_DONE;
    const int64_t begin = stoa_gather_row_count(visible->folds);
    const stoa_view_scan_entry entry = {NULL, (uint32_t)visible->fold_count, 1};
    STOA_TRY(stoa_buffer_append(&visible->groups, &begin, sizeof begin, err));
    STOA_TRY(stoa_buffer_append_byte(&visible->has_base, has_base, err));
    for (size_t i = 0; i < visible->chain.size / sizeof *rows; i++) {
        STOA_TRY(stoa_gather_add_window(visible->folds, rows[i].window, rows[i].first, 1, err));
    }
    STOA_TRY(stoa_buffer_append(&visible->entries, &entry, sizeof entry, err));
    visible->fold_count++;
    drop_chain(visible);
    return STOA_OK;
}

/* ---- Folding --------------------------------------------------------------------------------- */

/* Rows of each group from the oldest to the newest; they were listed the other way round. */
static stoa_status turn_groups(stoa_view_scan *scan, const int64_t *groups, struct ArrowArray *rows,
                               stoa_error *err) {
    const size_t bytes = (size_t)rows->length * sizeof(int64_t);
    struct ArrowSchema schema = {0};
    struct ArrowArray turned;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(scan->pool, bytes, &memory, err));
    int64_t *order = memory;
    for (int64_t group = 0; group < scan->visible.fold_count; group++) {
        for (int64_t i = groups[group]; i < groups[group + 1]; i++) {
            order[i] = groups[group] + groups[group + 1] - 1 - i;
        }
    }
    stoa_status status = stoa_schema_to_arrow(scan->pool, scan->definition->schema, &schema, err);
    if (status == STOA_OK) {
        status = stoa_arrow_take(scan->pool, &schema, rows, order, rows->length, &turned, err);
    }
    stoa_arrow_schema_release(&schema);
    stoa_pool_free(scan->pool, memory, bytes);
    if (status == STOA_OK) {
        stoa_arrow_array_release(rows);
        *rows = turned;
    }
    return status;
}

static stoa_status fold_groups(stoa_view_scan *scan, struct ArrowArray *out, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    const int64_t end = stoa_gather_row_count(visible->folds);
    struct ArrowArray rows;
    STOA_TRY(stoa_buffer_append(&visible->groups, &end, sizeof end, err));
    STOA_TRY(stoa_gather_finish_rows(visible->folds, err));
    STOA_TRY(stoa_gather_batch(visible->folds, scan->pool, NULL, 0, &rows, err));
    const int64_t *groups = (const int64_t *)(const void *)visible->groups.data;
    stoa_status status = turn_groups(scan, groups, &rows, err);
    if (status == STOA_OK) {
        status = stoa_merge_fold(scan->definition, scan->reading.programs, scan->pool, &rows,
                                 groups, visible->has_base.data, visible->fold_count, out, err);
    }
    stoa_arrow_array_release(&rows);
    return status;
}

/* Puts a batch of folded rows into the gathering; their numbers and operations are of no use to it. */
static stoa_status add_folded(stoa_view_scan *scan, struct ArrowArray *folded, int32_t *out_number,
                              stoa_error *err) {
    const int64_t count = folded->length;
    stoa_keys keys;
    stoa_buffer zeros;
    stoa_keys_init(&keys, scan->pool);
    stoa_buffer_init(&zeros, scan->pool);
    stoa_status status = stoa_keys_append(&scan->definition->key, folded, 0, count, &keys, err);
    if (status == STOA_OK) {
        status = stoa_buffer_resize(&zeros, (size_t)count * sizeof(uint64_t), err);
    }
    if (status == STOA_OK) {
        const stoa_keys_view view = stoa_keys_view_of(&keys);
        status = stoa_gather_add_batch(scan->gather, folded, &view,
                                       (const uint64_t *)(const void *)zeros.data, zeros.data,
                                       out_number, err);
    } else {
        stoa_arrow_array_release(folded);
    }
    stoa_keys_release(&keys);
    stoa_buffer_release(&zeros);
    return status;
}

static void forget_folds(stoa_view_scan_visible *visible) {
    visible->fold_count = 0;
    stoa_gather_clear(visible->folds);
    stoa_buffer_clear(&visible->groups);
    stoa_buffer_clear(&visible->has_base);
    stoa_buffer_clear(&visible->entries);
}

/* Folds what is complete and lists the rows that were held back. */
static stoa_status end_block(stoa_view_scan *scan, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    struct ArrowArray folded;
    int32_t number;
    if (visible->fold_count == 0) {
        return STOA_OK;
    }
    STOA_TRY(fold_groups(scan, &folded, err));
    STOA_TRY(add_folded(scan, &folded, &number, err));
    const stoa_view_scan_entry *entries = (const stoa_view_scan_entry *)(const void *)
                                              visible->entries.data;
    for (size_t i = 0; i < visible->entries.size / sizeof *entries; i++) {
        const stoa_view_scan_entry *entry = &entries[i];
        STOA_TRY(entry->window != NULL
                     ? stoa_gather_add_window(scan->gather, entry->window, entry->first,
                                              entry->count, err)
                     : stoa_gather_add_batch_rows(scan->gather, number, entry->first, 1, err));
    }
    forget_folds(visible);
    return STOA_OK;
}

/* ---- Versions -------------------------------------------------------------------------------- */

static bool is_covered(const stoa_view_scan *scan, const stoa_run_window *window, uint32_t row,
                       uint64_t sequence) {
    const stoa_view_scan_visible *visible = &scan->visible;
    uint8_t number[8];
    size_t size;
    if (visible->ranges.count == 0) {
        return false;
    }
    const uint8_t *key = stoa_keys_bytes(&scan->definition->key, &window->keys, row, number, &size);
    return stoa_range_set_cover(&visible->ranges, key, size, visible->sequence) > sequence;
}

/* Whether the time of a put below operands has come. Where the time is part of the key, it has for all
 * versions, and for what they fold to. */
static stoa_status is_base_expired(stoa_view_scan *scan, const stoa_run_window *window,
                                   uint32_t row, bool *out, stoa_error *err) {
    const stoa_definition *definition = scan->definition;
    const int32_t column = definition->ttl_column;
    struct ArrowArray times;
    *out = false;
    if (column < 0 || definition->layout.column_nodes[column] < 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_run_window_column(window, scan->pool, column, NULL, row, 1, &times, err));
    struct ArrowArray rows = {.length = 1,
                              .n_children = definition->schema->root.child_count,
                              .children = scan->tested_columns};
    rows.children[column] = &times;
    *out = stoa_definition_is_expired(definition, &rows, 0, scan->reading.now_ms);
    stoa_arrow_array_release(&times);
    return STOA_OK;
}

/* The next older version of the key at hand. */
static stoa_status see_version(stoa_view_scan *scan, stoa_run_window *window, uint32_t row,
                               uint64_t sequence, uint8_t operation, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    if (visible->group == STOA_VIEW_SCAN_DONE || sequence > visible->sequence) {
        return STOA_OK;
    }
    if (operation == STOA_OPERATION_DELETE || is_covered(scan, window, row, sequence)) {
        STOA_TRY(close_chain(scan, false, err));
    } else if (operation == STOA_OPERATION_MERGE) {
        visible->group = STOA_VIEW_SCAN_CHAIN;
        return extend_chain(visible, window, row, err);
    } else if (visible->group == STOA_VIEW_SCAN_CHAIN) {
        bool is_expired;
        STOA_TRY(is_base_expired(scan, window, row, &is_expired, err));
        if (!is_expired) {
            STOA_TRY(extend_chain(visible, window, row, err));
        }
        STOA_TRY(close_chain(scan, !is_expired, err));
    } else {
        STOA_TRY(take_rows(scan, window, row, 1, err));
    }
    visible->group = STOA_VIEW_SCAN_DONE;
    return STOA_OK;
}

static stoa_status begin_key(stoa_view_scan *scan, stoa_error *err) {
    STOA_TRY(close_chain(scan, false, err));
    scan->visible.group = STOA_VIEW_SCAN_OPEN;
    return STOA_OK;
}

/* Rows of a window that has more than visible puts. */
static stoa_status see_rows(stoa_view_scan *scan, stoa_run_window *window,
                            const stoa_merge_span *span, stoa_error *err) {
    const uint64_t *sequences;
    const uint8_t *operations;
    STOA_TRY(stoa_run_window_sequences(window, &sequences, err));
    STOA_TRY(stoa_run_window_operations(window, &operations, err));
    for (uint32_t row = span->first; row < span->first + span->count; row++) {
        if (row > span->first || !span->continues) {
            STOA_TRY(begin_key(scan, err));
        }
        STOA_TRY(see_version(scan, window, row, sequences[row], operations[row], err));
    }
    return STOA_OK;
}

/* Rows of a window of nothing but visible puts. */
static stoa_status see_puts(stoa_view_scan *scan, stoa_run_window *window,
                            const stoa_merge_span *span, stoa_error *err) {
    const uint32_t older = span->continues;
    if (older) {
        STOA_TRY(see_version(scan, window, span->first, 0, STOA_OPERATION_PUT, err));
    }
    if (span->count == older) {
        return STOA_OK;
    }
    STOA_TRY(close_chain(scan, false, err));
    scan->visible.group = STOA_VIEW_SCAN_DONE;
    return take_rows(scan, window, span->first + older, span->count - older, err);
}

/* Whether a range of deletions may hold keys of the window. */
static bool may_be_covered(const stoa_view_scan *scan, const stoa_run_window *window) {
    const stoa_range_set *ranges = &scan->visible.ranges;
    const stoa_key_format *format = &scan->definition->key;
    uint8_t first_number[8], last_number[8];
    size_t first_size, last_size;
    if (ranges->count == 0) {
        return false;
    }
    const uint8_t *first = stoa_keys_bytes(format, &window->keys, 0, first_number, &first_size);
    const uint8_t *last = stoa_keys_bytes(format, &window->keys, window->count - 1, last_number,
                                          &last_size);
    for (int64_t i = 0; i < ranges->count; i++) {
        const stoa_key_range *range = &ranges->ranges[i];
        if (stoa_bytes_compare(last, last_size, range->from, range->from_size) >= 0 &&
            (range->to_end ||
             stoa_bytes_compare(first, first_size, range->to, range->to_size) < 0)) {
            return true;
        }
    }
    return false;
}

stoa_status stoa_view_scan_visible_rows(stoa_view_scan *scan, const stoa_merge_block *block,
                                        stoa_error *err) {
    if (block->row_count == 0) {
        STOA_TRY(begin_key(scan, err));
        return end_block(scan, err);
    }
    for (int32_t i = 0; i < scan->run_count; i++) {
        const stoa_run_window *window = block->windows[i];
        scan->is_plain[i] = window != NULL && window->has_only_puts &&
                            window->sequence_max <= scan->visible.sequence &&
                            !may_be_covered(scan, window);
    }
    for (int64_t i = 0; i < block->span_count; i++) {
        const stoa_merge_span *span = &block->spans[i];
        stoa_run_window *window = block->windows[span->run];
        STOA_TRY(scan->is_plain[span->run] ? see_puts(scan, window, span, err)
                                           : see_rows(scan, window, span, err));
    }
    return end_block(scan, err);
}

/* ---- Ranges of deletions --------------------------------------------------------------------- */

static stoa_status add_ranges(stoa_view_scan_visible *visible, const stoa_range_set *added,
                              stoa_error *err) {
    for (int64_t i = 0; i < added->count; i++) {
        if (added->ranges[i].sequence <= visible->sequence) {
            STOA_TRY(stoa_range_set_add(&visible->ranges, &added->ranges[i], err));
        }
    }
    return STOA_OK;
}

static stoa_status add_ranges_of_memtable(stoa_view_scan_visible *visible,
                                          const stoa_memtable *table, stoa_error *err) {
    if (!stoa_memtable_has_ranges(table)) {
        return STOA_OK;
    }
    stoa_range_set ranges = {.pool = visible->ranges.pool};
    stoa_status status = stoa_memtable_ranges(table, &ranges, err);
    if (status == STOA_OK) {
        status = add_ranges(visible, &ranges, err);
    }
    stoa_range_set_release(&ranges);
    return status;
}

stoa_status stoa_view_scan_visible_init(stoa_view_scan *scan, stoa_error *err) {
    stoa_view_scan_visible *visible = &scan->visible;
    visible->sequence = scan->reading.snapshot;
    visible->ranges.pool = scan->pool;
    stoa_buffer_init(&visible->chain, scan->pool);
    stoa_buffer_init(&visible->entries, scan->pool);
    stoa_buffer_init(&visible->groups, scan->pool);
    stoa_buffer_init(&visible->has_base, scan->pool);
    for (int32_t i = 0; i < scan->run_count; i++) {
        const stoa_run *run = &scan->runs[i];
        if (run->memtable != NULL) {
            STOA_TRY(add_ranges_of_memtable(visible, run->memtable, err));
        }
        for (int64_t j = 0; j < run->file_count; j++) {
            STOA_TRY(add_ranges(visible, stoa_sst_ranges(run->files[j]->sst), err));
        }
    }
    stoa_range_set_finish(&visible->ranges);
    return stoa_gather_create(scan->pool, &scan->definition->layout, &visible->folds, err);
}

void stoa_view_scan_visible_reset(stoa_view_scan_visible *visible) {
    visible->group = STOA_VIEW_SCAN_OPEN;
    drop_chain(visible);
    forget_folds(visible);
}

void stoa_view_scan_visible_release(stoa_view_scan_visible *visible) {
    if (visible->folds != NULL) {
        stoa_view_scan_visible_reset(visible);
    }
    stoa_gather_close(visible->folds);
    stoa_range_set_release(&visible->ranges);
    stoa_buffer_release(&visible->chain);
    stoa_buffer_release(&visible->entries);
    stoa_buffer_release(&visible->groups);
    stoa_buffer_release(&visible->has_base);
}
