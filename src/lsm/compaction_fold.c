/* Folding the operands that a selection found together, all keys of a block at once.
 *
 * What cannot be folded stays as it is: operands whose sum does not fit alone may fit with their base, a
 * program's operator may be registered when the table is opened next, and the reader of the key is who
 * has to be told. */
#include "arrow/array.h"
#include "arrow/owner.h"
#include "lsm/compaction_internal.h"

/* The rows of all folds, one fold after the other, from the oldest to the newest. */
struct operands {
    struct ArrowArray rows;
    int64_t *groups; /* where each fold's rows begin, and the end */
    uint8_t *has_base;
    int64_t count;
};

static stoa_fold *folds_of(const stoa_selection *selection, int64_t *out_count) {
    *out_count = (int64_t)(selection->folds.size / sizeof(stoa_fold));
    return (stoa_fold *)(void *)selection->folds.data;
}

static const stoa_version_row *rows_of(const stoa_selection *selection, const stoa_fold *fold) {
    return (const stoa_version_row *)(const void *)selection->rows.data + fold->first;
}

/* In the order of the merge, in which windows have their rows. */
static stoa_status gather_rows(const stoa_selection *selection, stoa_gather *gather,
                               struct ArrowArray *out, stoa_error *err) {
    int64_t count;
    const stoa_fold *folds = folds_of(selection, &count);
    for (int64_t i = 0; i < count; i++) {
        const stoa_version_row *rows = rows_of(selection, &folds[i]);
        for (int64_t k = 0; k < folds[i].count; k++) {
            STOA_TRY(stoa_gather_add_window(gather, rows[k].window, rows[k].row, 1, err));
        }
    }
    STOA_TRY(stoa_gather_finish_rows(gather, err));
    return stoa_gather_batch(gather, selection->job->pool, NULL, 0, out, err);
}

/* Turns the rows of each fold round. */
static stoa_status turn_rows(const stoa_selection *selection, const struct operands *operands,
                             const struct ArrowArray *newest_first, struct ArrowArray *out,
                             stoa_error *err) {
    const stoa_compaction_job *job = selection->job;
    const size_t bytes = (size_t)newest_first->length * sizeof(int64_t);
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(job->pool, bytes, &memory, err));
    int64_t *indices = memory;
    for (int64_t i = 0; i < operands->count; i++) {
        const int64_t first = operands->groups[i], end = operands->groups[i + 1];
        for (int64_t k = first; k < end; k++) {
            indices[k] = end - 1 - (k - first);
        }
    }
    const stoa_status status = stoa_arrow_take(job->pool, &job->schema, newest_first, indices,
                                               newest_first->length, out, err);
    stoa_pool_free(job->pool, memory, bytes);
    return status;
}

static stoa_status collect(const stoa_selection *selection, struct operands *operands,
                           stoa_error *err) {
    const stoa_compaction_job *job = selection->job;
    const stoa_fold *folds = folds_of(selection, &operands->count);
    stoa_gather *gather = NULL;
    struct ArrowArray newest_first = {0};
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < operands->count; i++) {
        operands->groups[i + 1] = operands->groups[i] + folds[i].count;
        operands->has_base[i] = folds[i].has_base;
    }
    STOA_CHECK(stoa_gather_create(job->pool, &job->definition->layout, &gather, err));
    STOA_CHECK(gather_rows(selection, gather, &newest_first, err));
    STOA_CHECK(turn_rows(selection, operands, &newest_first, &operands->rows, err));

done:
    stoa_arrow_array_release(&newest_first);
    stoa_gather_close(gather);
    return status;
}

static stoa_status fold_some(const stoa_compaction_job *job, const struct operands *operands,
                             int64_t first, int64_t count, struct ArrowArray *out,
                             stoa_error *err) {
    return stoa_merge_fold(job->definition, job->options->programs, job->pool, &operands->rows,
                           operands->groups + first, operands->has_base + first, count, out, err);
}

static bool is_refused(stoa_status status) {
    return status == STOA_INVALID || status == STOA_UNSUPPORTED || status == STOA_LIMIT;
}

/* One by one, so that those that can be folded are. */
static stoa_status fold_each(stoa_selection *selection, const struct operands *operands,
                             struct ArrowArray *out, stoa_error *err) {
    const stoa_compaction_job *job = selection->job;
    stoa_fold *folds = folds_of(selection, &(int64_t){0});
    void *memory = NULL;
    const size_t bytes = (size_t)operands->count *
                         (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *));
    STOA_TRY(stoa_pool_allocate(job->pool, bytes, &memory, err));
    struct ArrowArray *arrays = memory;
    const struct ArrowArray **list = (const struct ArrowArray **)(void *)(arrays + operands->count);
    int32_t count = 0;
    stoa_status status = STOA_OK;
    for (int64_t i = 0; i < operands->count && status == STOA_OK; i++) {
        status = fold_some(job, operands, i, 1, &arrays[count], err);
        if (is_refused(status)) {
            status = STOA_OK;
            selection->has_unfolded = true;
        } else if (status == STOA_OK) {
            list[count] = &arrays[count];
            folds[i].row = count++;
        }
    }
    if (status == STOA_OK && count > 0) {
        status = stoa_arrow_concat(job->pool, &job->schema, list, count, out, err);
    }
    for (int32_t i = 0; i < count; i++) {
        stoa_arrow_array_release(&arrays[i]);
    }
    stoa_pool_free(job->pool, memory, bytes);
    return status;
}

static stoa_status fold_all(stoa_selection *selection, const struct operands *operands,
                            struct ArrowArray *out, stoa_error *err) {
    stoa_fold *folds = folds_of(selection, &(int64_t){0});
    const stoa_status status = fold_some(selection->job, operands, 0, operands->count, out, err);
    if (is_refused(status)) {
        return fold_each(selection, operands, out, err);
    }
    for (int64_t i = 0; i < operands->count && status == STOA_OK; i++) {
        folds[i].row = (int32_t)i;
    }
    return status;
}

/* ---- What belongs to a folded row ------------------------------------------------------------ */

static stoa_status append_key(const stoa_key_format *format, const stoa_version_row *row,
                              stoa_keys *out, stoa_error *err) {
    const stoa_keys_view *keys = &row->window->keys;
    out->count++;
    if (format->is_number) {
        return stoa_buffer_append(&out->numbers, &keys->numbers[row->row], sizeof(uint64_t), err);
    }
    const uint32_t *at = keys->offsets + row->row;
    if (out->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append(&out->offsets, &(uint32_t){0}, sizeof(uint32_t), err));
    }
    STOA_TRY(stoa_buffer_append(&out->bytes, keys->bytes + at[0], at[1] - at[0], err));
    const uint32_t end = (uint32_t)out->bytes.size;
    return stoa_buffer_append(&out->offsets, &end, sizeof end, err);
}

/* The newest operand's key and number. */
static stoa_status describe(stoa_selection *selection, stoa_folded *out, stoa_error *err) {
    int64_t count;
    const stoa_fold *folds = folds_of(selection, &count);
    for (int64_t i = 0; i < count; i++) {
        if (folds[i].row < 0) {
            continue;
        }
        const stoa_version_row *newest = rows_of(selection, &folds[i]);
        const uint8_t operation = folds[i].is_whole ? STOA_OPERATION_PUT : STOA_OPERATION_MERGE;
        STOA_TRY(append_key(&selection->job->definition->key, newest, &out->keys, err));
        STOA_TRY(
            stoa_buffer_append(&out->sequences, &newest->sequence, sizeof newest->sequence, err));
        STOA_TRY(stoa_buffer_append_byte(&out->operations, operation, err));
        stoa_compaction_count(&selection->job->folded, folds[i].count - 1);
    }
    return STOA_OK;
}

stoa_status stoa_compaction_fold(stoa_selection *selection, stoa_folded *out, stoa_error *err) {
    stoa_pool *pool = selection->job->pool;
    struct operands operands = {0};
    stoa_arena arena;
    void *memory = NULL;
    stoa_status status = STOA_OK;
    *out = (stoa_folded){0};
    stoa_keys_init(&out->keys, pool);
    stoa_buffer_init(&out->sequences, pool);
    stoa_buffer_init(&out->operations, pool);
    const size_t count = selection->folds.size / sizeof(stoa_fold);
    if (count == 0) {
        return STOA_OK;
    }
    stoa_arena_init(&arena, pool);
    STOA_CHECK(stoa_arena_allocate_array(&arena, count + 1, sizeof *operands.groups, &memory, err));
    operands.groups = memory;
    STOA_CHECK(stoa_arena_allocate(&arena, count, &memory, err));
    operands.has_base = memory;
    status = collect(selection, &operands, err);
    if (status == STOA_LIMIT) { /* more than one batch can hold: the folds wait for their reader */
        selection->has_unfolded = true;
        status = STOA_OK;
        goto done;
    }
    STOA_CHECK(status);
    STOA_CHECK(fold_all(selection, &operands, &out->batch, err));
    STOA_CHECK(describe(selection, out, err));

done:
    stoa_arrow_array_release(&operands.rows);
    stoa_arena_release(&arena);
    return status;
}

void stoa_folded_release(stoa_folded *folded) {
    stoa_arrow_array_release(&folded->batch);
    stoa_keys_release(&folded->keys);
    stoa_buffer_release(&folded->sequences);
    stoa_buffer_release(&folded->operations);
}
