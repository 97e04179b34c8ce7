/* One range of a compaction's keys: merge, select, fold, write. Ranges share nothing but the inputs, so
 * they run beside each other; each works for a while and can then be left and taken up again. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "lsm/compaction_internal.h"

/* ---- Where ranges are cut -------------------------------------------------------------------- */

/* The first key of a stripe of the inputs. */
struct cut {
    const uint8_t *key;
    size_t size;
    int64_t rows; /* of the stripe */
};

static int compare_cuts(const void *left, const void *right) {
    const struct cut *a = left, *b = right;
    return stoa_bytes_compare(a->key, a->size, b->key, b->size);
}

static int64_t list_cuts(const stoa_compaction *compaction, struct cut *cuts, int64_t *out_rows) {
    int64_t count = 0;
    *out_rows = 0;
    for (int64_t i = 0; i < compaction->file_count; i++) {
        const stoa_sst *table = compaction->files[i]->sst;
        const int64_t stripes = stoa_sst_summary_of(table)->stripe_count;
        for (int64_t k = 0; cuts != NULL && k < stripes; k++) {
            struct cut *cut = &cuts[count + k];
            const stoa_sst_member *member = stoa_sst_member_at(table, k);
            cut->key = member->first_key;
            cut->size = member->first_key_size;
            cut->rows = member->stripe.row_count;
            *out_rows += cut->rows;
        }
        count += stripes;
    }
    return count;
}

static int32_t cut_ranges(const struct cut *cuts, int64_t cut_count, int64_t rows, int32_t count,
                          stoa_compaction_range *ranges) {
    int32_t last = 0;
    int64_t before = 0;
    ranges[0].range = (stoa_key_range){.to_end = true};
    for (int64_t i = 0; i < cut_count && last + 1 < count; i++) {
        stoa_key_range *range = &ranges[last].range;
        if (before >= rows / count * (last + 1) &&
            stoa_bytes_compare(cuts[i].key, cuts[i].size, range->from, range->from_size) > 0) {
            range->to = cuts[i].key;
            range->to_size = cuts[i].size;
            range->to_end = false;
            ranges[++last].range = (stoa_key_range){.from = cuts[i].key,
                                                    .from_size = cuts[i].size,
                                                    .to_end = true};
        }
        before += cuts[i].rows;
    }
    return last + 1;
}

stoa_status stoa_compaction_split(stoa_compaction_job *job, int32_t count,
                                  stoa_compaction_range *ranges, int32_t *out_count,
                                  stoa_error *err) {
    int64_t rows;
    void *memory = NULL;
    const int64_t cut_count = list_cuts(job->compaction, NULL, &rows);
    const size_t bytes = (size_t)cut_count * sizeof(struct cut);
    STOA_TRY(stoa_pool_allocate(job->pool, bytes, &memory, err));
    struct cut *cuts = memory;
    (void)list_cuts(job->compaction, cuts, &rows);
    if (cut_count > 0) {
        qsort(cuts, (size_t)cut_count, sizeof *cuts, compare_cuts);
    }
    *out_count = cut_ranges(cuts, cut_count, rows, count, ranges);
    stoa_pool_free(job->pool, memory, bytes);
    for (int32_t i = 0; i < *out_count; i++) {
        ranges[i].job = job;
    }
    return STOA_OK;
}

/* ---- Deleted ranges -------------------------------------------------------------------------- */

/* The part of a deleted range that lies in the range; false: there is none. */
static bool clip(const stoa_key_range *range, stoa_key_range *deleted) {
    if (stoa_bytes_compare(deleted->from, deleted->from_size, range->from, range->from_size) < 0) {
        deleted->from = range->from;
        deleted->from_size = range->from_size;
    }
    if (!range->to_end &&
        (deleted->to_end ||
         stoa_bytes_compare(range->to, range->to_size, deleted->to, deleted->to_size) < 0)) {
        deleted->to = range->to;
        deleted->to_size = range->to_size;
        deleted->to_end = false;
    }
    return deleted->to_end ||
           stoa_bytes_compare(deleted->from, deleted->from_size, deleted->to, deleted->to_size) < 0;
}

/* Something that it deletes may lie in files that stay as they are. */
static bool has_older(const stoa_compaction_job *job, const stoa_key_range *deleted) {
    const stoa_buffer *last = &job->compaction->last->info.last_key;
    return stoa_compaction_has_older_between(job->compaction, deleted->from, deleted->from_size,
                                             deleted->to_end ? last->data : deleted->to,
                                             deleted->to_end ? last->size : deleted->to_size);
}

static bool is_seen_by_all(const stoa_compaction_job *job, const stoa_key_range *deleted) {
    return deleted->sequence <= job->options->snapshots[0];
}

/* Ranges that some snapshot does not see are newer than the rows that all see, and may hide them. */
bool stoa_compaction_stays_deleted(const stoa_compaction_job *job, const uint8_t *first,
                                   size_t first_size, const uint8_t *last, size_t last_size) {
    for (int64_t i = 0; i < job->deleted.count; i++) {
        const stoa_key_range *range = &job->deleted.ranges[i];
        if (stoa_bytes_compare(range->from, range->from_size, last, last_size) > 0) {
            return false; /* nor do those behind it */
        }
        if ((range->to_end ||
             stoa_bytes_compare(first, first_size, range->to, range->to_size) < 0) &&
            is_seen_by_all(job, range) && has_older(job, range)) {
            return true;
        }
    }
    return false;
}

static stoa_status add_deleted(stoa_compaction_range *range, stoa_error *err) {
    stoa_compaction_job *job = range->job;
    for (int64_t i = 0; i < job->deleted.count; i++) {
        stoa_key_range deleted = job->deleted.ranges[i];
        if (!clip(&range->range, &deleted)) {
            continue;
        }
        /* What it deletes in the inputs is gone for every snapshot. */
        if (is_seen_by_all(job, &deleted) && !has_older(job, &deleted)) {
            stoa_compaction_count(&job->deletions, 1);
        } else {
            STOA_TRY(stoa_output_add_range(range->output, &deleted, err));
        }
    }
    return STOA_OK;
}

/* ---- Work ------------------------------------------------------------------------------------ */

/* Of what is written to the last level that has files. In level 0 are runs that others are older than. */
static stoa_status find_codec(const stoa_compaction_job *job, stoa_compression *out,
                              stoa_error *err) {
    const stoa_compaction *compaction = job->compaction;
    *out = STOA_COMPRESSION_NONE;
    return compaction->output_level > 0 &&
                   stoa_version_is_last_level(compaction->version, compaction->output_level)
               ? stoa_compression_parse(job->definition->codec, out, err)
               : STOA_OK;
}

static stoa_status begin(stoa_compaction_range *range, stoa_error *err) {
    stoa_compaction_job *job = range->job;
    const stoa_compaction *compaction = job->compaction;
    const stoa_compaction_options *options = job->options;
    stoa_output_options output = {
        .context = options->context,
        .file_systems = options->file_systems,
        .directory = options->directory,
        .definition = job->definition,
        .level = compaction->output_level,
        .file_bytes = compaction->file_bytes,
        .priority = STOA_BACKGROUND,
        .limiter = options->limiter,
        .new_file = options->new_file,
        .new_file_user = options->new_file_user,
    };
    STOA_TRY(find_codec(job, &output.codec, err));
    output.context.cancel = range->cancel;
    output.context.sched = range->is_alone ? options->context.sched : NULL;
    stoa_selection_init(&range->selection, job);
    stoa_selection_clear(&range->selection);
    STOA_TRY(stoa_merge_create(job->pool, &job->definition->layout, compaction->inputs,
                               compaction->input_count, &range->merge, err));
    STOA_TRY(stoa_merge_seek(range->merge, &range->range, err));
    STOA_TRY(stoa_output_create(&output, &range->output, err));
    STOA_TRY(add_deleted(range, err));
    return stoa_stripe_feed_create(job, range->output, &range->feed, err);
}

/* What was selected goes to the output. */
static stoa_status write_selected(stoa_compaction_range *range, stoa_error *err) {
    stoa_selection *selection = &range->selection;
    stoa_folded folded;
    stoa_status status = stoa_compaction_fold(selection, &folded, err);
    if (status == STOA_OK) {
        status = stoa_stripe_feed_add(range->feed, selection, &folded, err);
    }
    stoa_folded_release(&folded);
    stoa_selection_clear(selection);
    return status;
}

static stoa_status finish(stoa_compaction_range *range, stoa_error *err) {
    stoa_selection *selection = &range->selection;
    STOA_TRY(stoa_selection_end(selection, err));
    STOA_TRY(write_selected(range, err));
    STOA_TRY(stoa_stripe_feed_end(range->feed, err));
    STOA_TRY(stoa_output_finish(range->output, &range->files, &range->file_count, err));
    stoa_compaction_count(&range->job->superseded, selection->superseded);
    stoa_compaction_count(&range->job->deletions, selection->deletions);
    stoa_merge_close(range->merge);
    range->merge = NULL;
    range->is_done = true;
    return STOA_OK;
}

static stoa_status work_block(stoa_compaction_range *range, stoa_error *err) {
    stoa_merge_block block;
    STOA_TRY(stoa_cancel_check(range->cancel, err));
    STOA_TRY(stoa_merge_next(range->merge, range->job->stripe_rows, &block, err));
    if (block.row_count == 0) {
        return finish(range, err);
    }
    stoa_compaction_count(&range->job->read, block.row_count);
    STOA_TRY(stoa_selection_add(&range->selection, &block, err));
    return write_selected(range, err);
}

stoa_status stoa_compaction_range_work(stoa_compaction_range *range, int64_t budget_ns,
                                       stoa_error *err) {
    const int64_t end = stoa_clock_monotonic_ns() + budget_ns;
    if (range->merge == NULL) {
        STOA_TRY(begin(range, err));
    }
    while (!range->is_done) {
        STOA_TRY(work_block(range, err));
        if (stoa_clock_monotonic_ns() >= end ||
            stoa_rate_limiter_debt_ns(range->job->options->limiter) > 0) {
            break;
        }
    }
    return STOA_OK;
}

void stoa_compaction_range_release(stoa_compaction_range *range, bool keep) {
    for (int64_t i = 0; !keep && i < range->file_count; i++) {
        atomic_store_explicit(&range->files[i]->is_obsolete, true, memory_order_relaxed);
    }
    stoa_merge_close(range->merge);
    stoa_selection_release(&range->selection);
    stoa_output_close(range->output); /* its sources are the feed's */
    stoa_stripe_feed_close(range->feed);
}
