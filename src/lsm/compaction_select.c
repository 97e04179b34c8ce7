/* Which rows of merged runs stay.
 *
 * Two roads. A block in which every row is a put that every snapshot sees, and in whose keys nothing is
 * deleted by range, is gone through span by span: a span that continues a key loses its first row.
 * Otherwise versions of a key are gathered into a group (which may go on in the next block) and
 * decided together; keys of one version that is a put stay without being looked at.
 *
 * Snapshots cut the sequence numbers into epochs. Of the versions of one epoch that no newer one of it
 * hides:
 *   - a put or a deletion is the newest: it stays, and hides all others;
 *   - operands down to a put, to a deletion, to a deleted range or to the end are folded.
 * Epochs are decided from the oldest to the newest. As long as nothing is older, neither in the output
 * nor in files that stay as they are, a deletion is not needed, and operands have no base to wait for. */
#include "lsm/compaction_internal.h"

#include "base/bytes.h"

void stoa_selection_init(stoa_selection *selection, stoa_compaction_job *job) {
    *selection = (stoa_selection){.job = job};
    stoa_buffer_init(&selection->group, job->pool);
    stoa_buffer_init(&selection->kept, job->pool);
    stoa_buffer_init(&selection->rows, job->pool);
    stoa_buffer_init(&selection->folds, job->pool);
    stoa_buffer_init(&selection->outcomes, job->pool);
}

static void release_rows(stoa_buffer *rows) {
    const stoa_version_row *row = (const stoa_version_row *)(const void *)rows->data;
    for (size_t i = 0; i < rows->size / sizeof *row; i++) {
        stoa_run_window_release(row[i].window);
    }
    stoa_buffer_clear(rows);
}

void stoa_selection_clear(stoa_selection *selection) {
    release_rows(&selection->rows);
    stoa_buffer_clear(&selection->kept);
    stoa_buffer_clear(&selection->folds);
    selection->is_plain = true;
}

void stoa_selection_release(stoa_selection *selection) {
    if (selection->job == NULL) {
        return;
    }
    stoa_selection_clear(selection);
    release_rows(&selection->group);
    stoa_buffer_release(&selection->group);
    stoa_buffer_release(&selection->kept);
    stoa_buffer_release(&selection->rows);
    stoa_buffer_release(&selection->folds);
    stoa_buffer_release(&selection->outcomes);
}

int64_t stoa_compaction_epoch(const stoa_compaction_job *job, uint64_t sequence) {
    const uint64_t *snapshots = job->options->snapshots;
    int64_t low = 0, count = job->options->snapshot_count;
    while (count > 0) {
        const int64_t half = count / 2;
        if (snapshots[low + half] < sequence) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

static uint64_t epoch_end(const stoa_compaction_job *job, int64_t epoch) {
    return epoch < job->options->snapshot_count ? job->options->snapshots[epoch] : UINT64_MAX;
}

static stoa_status keep(stoa_selection *selection, stoa_run_window *window, uint32_t first,
                        uint32_t count, uint8_t operation, stoa_error *err) {
    const stoa_kept_rows kept = {window, first, count, operation};
    return count == 0 ? STOA_OK : stoa_buffer_append(&selection->kept, &kept, sizeof kept, err);
}

/* ---- One key --------------------------------------------------------------------------------- */

/* The versions of one key. */
struct group {
    stoa_selection *selection;
    const stoa_version_row *rows; /* the newest first, in selection->rows */
    int64_t first;                /* their place there */
    int64_t count;
    const uint8_t *key;
    size_t key_size;
    bool has_older; /* something stays that is older than what is decided now */
    stoa_error *err;
};

static stoa_status add_outcome(struct group *group, stoa_run_window *window, uint32_t row,
                               uint8_t operation) {
    const stoa_kept_rows kept = {window, row, 1, operation};
    group->has_older = true;
    return stoa_buffer_append(&group->selection->outcomes, &kept, sizeof kept, group->err);
}

static stoa_status keep_version(struct group *group, int64_t index, uint8_t operation) {
    return add_outcome(group, group->rows[index].window, group->rows[index].row, operation);
}

/* Operands [begin, end), and the put behind them where there is one. */
static stoa_status fold_versions(struct group *group, int64_t begin, int64_t end, bool has_base,
                                 bool is_whole) {
    stoa_selection *selection = group->selection;
    const int64_t count = end - begin + has_base;
    if (count == 1) {
        return keep_version(group, begin, is_whole ? STOA_OPERATION_PUT : STOA_KEPT_AS_IS);
    }
    const stoa_fold fold = {group->first + begin, count, has_base, is_whole, -1};
    const size_t number = selection->folds.size / sizeof fold;
    STOA_TRY(stoa_buffer_append(&selection->folds, &fold, sizeof fold, group->err));
    return add_outcome(group, NULL, (uint32_t)number, STOA_KEPT_AS_IS);
}

/* Versions [begin, end) are those of one epoch, and all older ones are decided. */
static stoa_status decide_epoch(struct group *group, int64_t begin, int64_t end, int64_t epoch) {
    stoa_selection *selection = group->selection;
    const stoa_compaction_job *job = selection->job;
    const stoa_version_row *rows = group->rows;
    const uint64_t deleted = job->deleted.count == 0
                                 ? 0
                                 : stoa_range_set_cover(&job->deleted, group->key, group->key_size,
                                                        epoch_end(job, epoch));
    const int64_t all = end - begin;
    while (end > begin && rows[end - 1].sequence < deleted) {
        end--;
    }
    if (begin == end) {
        selection->superseded += all;
        return STOA_OK;
    }
    selection->superseded += all - 1;
    if (rows[begin].operation == STOA_OPERATION_PUT) {
        return keep_version(group, begin, STOA_KEPT_AS_IS);
    }
    if (rows[begin].operation == STOA_OPERATION_DELETE) {
        selection->deletions += !group->has_older;
        return group->has_older ? keep_version(group, begin, STOA_KEPT_AS_IS) : STOA_OK;
    }
    int64_t operands_end = begin + 1;
    while (operands_end < end && rows[operands_end].operation == STOA_OPERATION_MERGE) {
        operands_end++;
    }
    const bool is_ended = operands_end < end ||
                          (deleted > 0 && stoa_compaction_epoch(job, deleted) == epoch);
    const bool has_base = operands_end < end && rows[operands_end].operation == STOA_OPERATION_PUT;
    const int64_t folded = operands_end - begin + has_base - 1;
    selection->superseded -= folded;
    return fold_versions(group, begin, operands_end, has_base, is_ended || !group->has_older);
}

/* Outcomes and folds were found from the oldest to the newest; they go out the other way round. */
static stoa_status add_outcomes(struct group *group, int64_t first_fold) {
    stoa_selection *selection = group->selection;
    const stoa_kept_rows *outcomes = (const stoa_kept_rows *)(const void *)selection->outcomes.data;
    stoa_fold *folds = (stoa_fold *)(void *)selection->folds.data;
    const int64_t folds_end = (int64_t)(selection->folds.size / sizeof *folds);
    for (int64_t i = first_fold, k = folds_end - 1; i < k; i++, k--) {
        const stoa_fold fold = folds[i];
        folds[i] = folds[k];
        folds[k] = fold;
    }
    for (size_t i = selection->outcomes.size / sizeof *outcomes; i-- > 0;) {
        stoa_kept_rows kept = outcomes[i];
        if (kept.window == NULL) {
            kept.first = (uint32_t)(first_fold + folds_end - 1 - kept.first);
        }
        STOA_TRY(stoa_buffer_append(&selection->kept, &kept, sizeof kept, group->err));
    }
    return STOA_OK;
}

static stoa_status decide_versions(struct group *group) {
    stoa_selection *selection = group->selection;
    const int64_t first_fold = (int64_t)(selection->folds.size / sizeof(stoa_fold));
    stoa_buffer_clear(&selection->outcomes);
    for (int64_t end = group->count, begin; end > 0; end = begin) {
        const int64_t epoch = stoa_compaction_epoch(selection->job, group->rows[end - 1].sequence);
        begin = end - 1;
        while (begin > 0 &&
               stoa_compaction_epoch(selection->job, group->rows[begin - 1].sequence) == epoch) {
            begin--;
        }
        STOA_TRY(decide_epoch(group, begin, end, epoch));
    }
    return add_outcomes(group, first_fold);
}

/* The group is whole. Its rows move to selection->rows, so that they are there until the next clear. */
static stoa_status decide_group(stoa_selection *selection, stoa_error *err) {
    const stoa_compaction_job *job = selection->job;
    uint8_t number[8];
    struct group group = {
        .selection = selection,
        .first = (int64_t)(selection->rows.size / sizeof(stoa_version_row)),
        .count = (int64_t)(selection->group.size / sizeof(stoa_version_row)),
        .err = err,
    };
    if (group.count == 0) {
        return STOA_OK;
    }
    STOA_TRY(
        stoa_buffer_append(&selection->rows, selection->group.data, selection->group.size, err));
    stoa_buffer_clear(&selection->group);
    selection->is_plain = false;
    group.rows = (const stoa_version_row *)(const void *)selection->rows.data + group.first;
    group.key = stoa_keys_bytes(&job->definition->key, &group.rows->window->keys, group.rows->row,
                                number, &group.key_size);
    group.has_older = stoa_compaction_has_older(job->compaction, group.key, group.key_size);
    return decide_versions(&group);
}

static stoa_status add_version(stoa_selection *selection, stoa_run_window *window, uint32_t row,
                               stoa_error *err) {
    const uint64_t *sequences;
    const uint8_t *operations;
    STOA_TRY(stoa_run_window_sequences(window, &sequences, err));
    STOA_TRY(stoa_run_window_operations(window, &operations, err));
    STOA_TRY(stoa_buffer_reserve(&selection->group, sizeof(stoa_version_row), err));
    stoa_version_row *end = (stoa_version_row *)(void *)(selection->group.data +
                                                         selection->group.size);
    *end = (stoa_version_row){stoa_run_window_retain(window), row, operations[row], sequences[row]};
    selection->group.size += sizeof *end;
    return STOA_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Where a block is read on: a span and how many of its rows are done. */
struct place {
    int64_t span;
    uint32_t done;
};

static stoa_run_window *window_of(const stoa_merge_block *block, const stoa_merge_span *span) {
    return block->windows[span->run];
}

/* More versions of the key that the group has, or that nobody wants more of. Past the last block's span
 * when the key may go on. */
static stoa_status finish_key(stoa_selection *selection, const stoa_merge_block *block,
                              struct place *place, stoa_error *err) {
    while (place->span < block->span_count && block->spans[place->span].continues &&
           place->done == 0) {
        const stoa_merge_span *span = &block->spans[place->span];
        if (selection->is_closed) {
            selection->superseded++;
        } else {
            STOA_TRY(add_version(selection, window_of(block, span), span->first, err));
        }
        if (span->count > 1) {
            place->done = 1;
        } else {
            place->span++;
        }
    }
    if (place->span == block->span_count) {
        return STOA_OK;
    }
    selection->is_closed = false;
    return decide_group(selection, err);
}

static bool overlaps_deleted(const stoa_compaction_job *job, const uint8_t *first,
                             size_t first_size, const uint8_t *last, size_t last_size) {
    for (int64_t i = 0; i < job->deleted.count; i++) {
        const stoa_key_range *range = &job->deleted.ranges[i];
        if (stoa_bytes_compare(range->from, range->from_size, last, last_size) > 0) {
            return false; /* nor do those behind it */
        }
        if (range->to_end || stoa_bytes_compare(first, first_size, range->to, range->to_size) < 0) {
            return true;
        }
    }
    return false;
}

static bool block_overlaps_deleted(const stoa_compaction_job *job, const stoa_merge_block *block) {
    const stoa_merge_span *first = &block->spans[0], *last = &block->spans[block->span_count - 1];
    const stoa_key_format *format = &job->definition->key;
    uint8_t numbers[2][8];
    size_t first_size, last_size;
    if (job->deleted.count == 0) {
        return false;
    }
    const uint8_t *first_key = stoa_keys_bytes(format, &window_of(block, first)->keys, first->first,
                                               numbers[0], &first_size);
    const uint8_t *last_key = stoa_keys_bytes(format, &window_of(block, last)->keys,
                                              last->first + last->count - 1, numbers[1],
                                              &last_size);
    return overlaps_deleted(job, first_key, first_size, last_key, last_size);
}

/* Nothing but puts that every snapshot sees, and no ranges. `run_count` windows. */
static bool is_plain_block(const stoa_selection *selection, const stoa_merge_block *block) {
    const stoa_compaction_job *job = selection->job;
    for (int32_t i = 0; i < job->compaction->input_count; i++) {
        const stoa_run_window *window = block->windows[i];
        if (window != NULL &&
            (!window->has_only_puts || window->sequence_max > job->options->snapshots[0])) {
            return false;
        }
    }
    return !block_overlaps_deleted(job, block);
}

static stoa_status add_plain(stoa_selection *selection, const stoa_merge_block *block,
                             struct place place, stoa_error *err) {
    const size_t most = (size_t)(block->span_count - place.span) * sizeof(stoa_kept_rows);
    STOA_TRY(stoa_buffer_reserve(&selection->kept, most, err));
    stoa_kept_rows *kept = (stoa_kept_rows *)(void *)(selection->kept.data + selection->kept.size);
    int64_t superseded = 0;
    for (; place.span < block->span_count; place.span++) {
        const stoa_merge_span *span = &block->spans[place.span];
        const bool is_old = span->continues && place.done == 0;
        const uint32_t skipped = place.done + is_old;
        *kept = (stoa_kept_rows){block->windows[span->run], span->first + skipped,
                                 span->count - skipped, STOA_KEPT_AS_IS};
        kept += span->count > skipped;
        superseded += is_old;
        place.done = 0;
    }
    selection->kept.size = (size_t)((uint8_t *)kept - selection->kept.data);
    selection->superseded += superseded;
    selection->is_closed = true;
    return STOA_OK;
}

/* Rows of a window whose keys have one version. */
static stoa_status add_singles(stoa_selection *selection, stoa_run_window *window, uint32_t first,
                               uint32_t count, bool may_be_deleted, stoa_error *err) {
    const uint8_t *operations;
    uint32_t begin = first;
    if (window->has_only_puts && !may_be_deleted) {
        return keep(selection, window, first, count, STOA_KEPT_AS_IS, err);
    }
    STOA_TRY(stoa_run_window_operations(window, &operations, err));
    for (uint32_t i = first; i < first + count; i++) {
        if (operations[i] != STOA_OPERATION_PUT || may_be_deleted) {
            STOA_TRY(keep(selection, window, begin, i - begin, STOA_KEPT_AS_IS, err));
            STOA_TRY(add_version(selection, window, i, err));
            STOA_TRY(decide_group(selection, err));
            begin = i + 1;
        }
    }
    return keep(selection, window, begin, first + count - begin, STOA_KEPT_AS_IS, err);
}

static stoa_status add_general(stoa_selection *selection, const stoa_merge_block *block,
                               struct place place, stoa_error *err) {
    const bool may_be_deleted = block_overlaps_deleted(selection->job, block);
    selection->is_plain = false;
    while (place.span < block->span_count) {
        const stoa_merge_span *span = &block->spans[place.span];
        stoa_run_window *window = window_of(block, span);
        const bool is_last = place.span + 1 == block->span_count;
        /* The last row's key may go on behind the span. */
        const uint32_t singles = span->count - place.done - (is_last || span[1].continues);
        STOA_TRY(
            add_singles(selection, window, span->first + place.done, singles, may_be_deleted, err));
        if (is_last || span[1].continues) {
            STOA_TRY(add_version(selection, window, span->first + span->count - 1, err));
        }
        place = (struct place){place.span + 1, 0};
        STOA_TRY(finish_key(selection, block, &place, err));
    }
    return STOA_OK;
}

stoa_status stoa_selection_add(stoa_selection *selection, const stoa_merge_block *block,
                               stoa_error *err) {
    struct place place = {0, 0};
    STOA_TRY(finish_key(selection, block, &place, err));
    if (place.span == block->span_count) {
        return STOA_OK;
    }
    return is_plain_block(selection, block) ? add_plain(selection, block, place, err)
                                            : add_general(selection, block, place, err);
}

stoa_status stoa_selection_end(stoa_selection *selection, stoa_error *err) {
    return decide_group(selection, err);
}
