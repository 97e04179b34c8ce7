/* Rows that stay become stripes: a source of the output for every job->stripe_rows of them. Which rows a
 * source has is listed where the merge runs; its columns are gathered where the stripe is encoded,
 * perhaps by another thread and later.
 *
 * In a stripe below which nothing older lies, and over which no range of deletions stays, puts that every
 * snapshot sees lose their sequence number; where nothing older lies, rows whose time has come are left
 * out. The program's filter is asked about the rows that no snapshot sees; where something older is left,
 * what it drops becomes a deletion. */
#include <pthread.h>

#include "arrow/array.h"
#include "arrow/owner.h"
#include "base/bits.h"
#include "lsm/compaction_internal.h"

/* A row whose operation is another one than where it comes from. */
struct override {
    uint32_t row;
    uint8_t operation;
};

/* A stripe's rows. Used again once the output has closed it. */
struct source {
    stoa_stripe_feed *feed;
    struct source *next; /* of those that are free */
    stoa_gather *gather;
    stoa_buffer overrides;
    int32_t batch; /* of folded rows, in the gathering; -1: none */
    int64_t batch_first;
    bool is_plain;   /* puts that every snapshot sees */
    bool may_repeat; /* a key may have several versions */
};

struct stoa_stripe_feed {
    pthread_mutex_t lock; /* guards `free` */
    struct source *free;
    stoa_compaction_job *job;
    stoa_output *output;
    struct source *source; /* that takes rows; NULL: none yet */
};

stoa_status stoa_stripe_feed_create(stoa_compaction_job *job, stoa_output *output,
                                    stoa_stripe_feed **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(job->pool, 1, sizeof **out, &memory, err));
    stoa_stripe_feed *feed = memory;
    *feed = (stoa_stripe_feed){.job = job, .output = output};
    pthread_mutex_init(&feed->lock, NULL);
    *out = feed;
    return STOA_OK;
}

static void free_source(struct source *source) {
    stoa_gather_close(source->gather);
    stoa_buffer_release(&source->overrides);
    stoa_pool_free(source->feed->job->pool, source, sizeof *source);
}

void stoa_stripe_feed_close(stoa_stripe_feed *feed) {
    if (feed == NULL) {
        return;
    }
    if (feed->source != NULL) {
        free_source(feed->source);
    }
    while (feed->free != NULL) {
        struct source *source = feed->free;
        feed->free = source->next;
        free_source(source);
    }
    pthread_mutex_destroy(&feed->lock);
    stoa_pool_free(feed->job->pool, feed, sizeof *feed);
}

static void put_back(void *user) {
    struct source *source = user;
    stoa_stripe_feed *feed = source->feed;
    stoa_gather_clear(source->gather);
    pthread_mutex_lock(&feed->lock);
    source->next = feed->free;
    feed->free = source;
    pthread_mutex_unlock(&feed->lock);
}

static stoa_status begin_source(stoa_stripe_feed *feed, stoa_error *err) {
    stoa_pool *pool = feed->job->pool;
    pthread_mutex_lock(&feed->lock);
    struct source *source = feed->free;
    feed->free = source == NULL ? NULL : source->next;
    pthread_mutex_unlock(&feed->lock);
    if (source == NULL) {
        void *memory = NULL;
        STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *source, &memory, err));
        source = memory;
        source->feed = feed;
        stoa_buffer_init(&source->overrides, pool);
        const stoa_status status = stoa_gather_create(pool, &feed->job->definition->layout,
                                                      &source->gather, err);
        if (status != STOA_OK) {
            free_source(source);
            return status;
        }
    }
    stoa_buffer_clear(&source->overrides);
    source->batch = -1;
    source->is_plain = true;
    source->may_repeat = feed->job->options->snapshot_count > 1;
    feed->source = source;
    return STOA_OK;
}

/* ---- Making the rows ------------------------------------------------------------------------- */

/* The rows of a source while they are made. */
struct making {
    const struct source *source;
    const stoa_compaction_job *job;
    stoa_output_rows *rows;
    uint64_t *sequences;
    uint8_t *operations;
    int64_t count;
    bool is_bottom;  /* nothing older lies below its keys */
    bool is_covered; /* a range of deletions stays over them */
    stoa_error *err;
};

static const uint8_t *key_at(const struct making *making, int64_t row, uint8_t number[8],
                             size_t *out_size) {
    const stoa_keys_view keys = stoa_keys_view_of(&making->rows->keys);
    return stoa_keys_bytes(&making->job->definition->key, &keys, row, number, out_size);
}

static bool same_key(const struct making *making, int64_t row, int64_t other) {
    const stoa_keys_view keys = stoa_keys_view_of(&making->rows->keys);
    return stoa_keys_compare(&making->job->definition->key, &keys, row, &keys, other) == 0;
}

static stoa_status make_keys(struct making *making) {
    const stoa_compaction *compaction = making->job->compaction;
    uint8_t numbers[2][8];
    size_t first_size, last_size;
    making->rows->keys.count = 0;
    stoa_buffer_clear(&making->rows->keys.numbers);
    stoa_buffer_clear(&making->rows->keys.bytes);
    stoa_buffer_clear(&making->rows->keys.offsets);
    STOA_TRY(stoa_gather_keys(making->source->gather, &making->rows->keys, making->err));
    making->count = making->rows->keys.count;
    if (making->count > 0) {
        const uint8_t *first = key_at(making, 0, numbers[0], &first_size);
        const uint8_t *last = key_at(making, making->count - 1, numbers[1], &last_size);
        making->is_bottom = !stoa_compaction_has_older_between(compaction, first, first_size, last,
                                                               last_size);
        making->is_covered = stoa_compaction_stays_deleted(making->job, first, first_size, last,
                                                           last_size);
    }
    return STOA_OK;
}

static void drop_sequences(struct making *making) {
    const uint64_t oldest = making->job->options->snapshots[0];
    for (int64_t i = 0; i < making->count; i++) {
        const bool is_seen = making->operations[i] == STOA_OPERATION_PUT &&
                             making->sequences[i] <= oldest;
        making->sequences[i] = is_seen ? 0 : making->sequences[i];
    }
}

static stoa_status make_versions(struct making *making) {
    const struct source *source = making->source;
    stoa_output_rows *rows = making->rows;
    /* In level 0 sequence numbers say which file is newer, and under a range of deletions which rows are
     * newer than the range. */
    const bool drops = making->is_bottom && !making->is_covered &&
                       making->job->compaction->output_level > 0;
    STOA_TRY(stoa_buffer_resize(&rows->sequences, (size_t)making->count * sizeof(uint64_t),
                                making->err));
    STOA_TRY(stoa_buffer_resize(&rows->operations, (size_t)making->count, making->err));
    making->sequences = (uint64_t *)(void *)rows->sequences.data;
    making->operations = rows->operations.data;
    _Static_assert(STOA_OPERATION_PUT == 0, "new bytes of a buffer are puts");
    if (!source->is_plain) {
        STOA_TRY(stoa_gather_operations(source->gather, making->operations, making->err));
    }
    if (!source->is_plain || !drops) {
        STOA_TRY(stoa_gather_sequences(source->gather, making->sequences, making->err));
    }
    const struct override *overrides = (const struct override *)(const void *)
                                           source->overrides.data;
    for (size_t i = 0; i < source->overrides.size / sizeof *overrides; i++) {
        making->operations[overrides[i].row] = overrides[i].operation;
    }
    if (drops && !source->is_plain) {
        drop_sequences(making);
    }
    return STOA_OK;
}

/* All columns that are not of the key, and those of the key where somebody looks at rows. */
static stoa_status make_columns(struct making *making, bool all) {
    const stoa_definition *definition = making->job->definition;
    const int32_t count = definition->schema->root.child_count;
    stoa_pool *pool = making->job->pool;
    struct ArrowArray *batch = &making->rows->batch;
    stoa_arrow_array_release(batch);
    if (all) {
        return stoa_gather_batch(making->source->gather, pool, NULL, 0, batch, making->err);
    }
    STOA_TRY(stoa_arrow_array_init(pool, 1, count, false, batch, making->err));
    batch->length = making->count;
    for (int32_t i = 0; i < count; i++) {
        if (definition->layout.column_nodes[i] >= 0) {
            STOA_TRY(stoa_gather_column(making->source->gather, pool, i, batch->children[i],
                                        making->err));
        }
    }
    return STOA_OK;
}

/* ---- Rows that go ---------------------------------------------------------------------------- */

/* Whether nothing that the output has is older. Puts of the first epoch hide all before them. */
static bool is_oldest(const struct making *making, int64_t row) {
    return making->sequences[row] <= making->job->options->snapshots[0] ||
           (row + 1 < making->count && !same_key(making, row, row + 1));
}

static bool is_newest(const struct making *making, int64_t row) {
    return row > 0 ? !same_key(making, row - 1, row) : !making->source->may_repeat;
}

/* Puts whose time has come. What operands wait for stays with them. */
static int64_t mark_expired(const struct making *making, uint8_t *bits) {
    const stoa_compaction_job *job = making->job;
    int64_t expired = 0;
    for (int64_t i = 0; i < making->count; i++) {
        if (making->operations[i] == STOA_OPERATION_PUT && making->is_bottom &&
            stoa_definition_is_expired(job->definition, &making->rows->batch, i,
                                       job->options->now_ms) &&
            is_oldest(making, i) &&
            (is_newest(making, i) || (i > 0 && making->operations[i - 1] == STOA_OPERATION_PUT))) {
            stoa_bit_clear(bits, i);
            expired++;
        }
    }
    return expired;
}

/* Rows that the filter may drop, as indices. */
static int64_t list_filtered(const struct making *making, const uint8_t *bits, int64_t *indices) {
    const stoa_compaction_job *job = making->job;
    int64_t count = 0;
    for (int64_t i = 0; i < making->count; i++) {
        if (stoa_bit_get(bits, i) && making->operations[i] == STOA_OPERATION_PUT &&
            stoa_compaction_epoch(job, making->sequences[i]) >= job->options->snapshot_count - 1 &&
            is_newest(making, i)) {
            indices[count++] = i;
        }
    }
    return count;
}

static stoa_status ask_filter(const struct making *making, const int64_t *indices, int64_t count,
                              uint8_t *keep) {
    const stoa_compaction_job *job = making->job;
    struct ArrowArray some;
    memset(keep, 1, (size_t)count);
    if (count == making->count) {
        job->options->filter(job->options->filter_user, &making->rows->batch, keep);
        return STOA_OK;
    }
    STOA_TRY(stoa_arrow_take(job->pool, &job->schema, &making->rows->batch, indices, count, &some,
                             making->err));
    job->options->filter(job->options->filter_user, &some, keep);
    stoa_arrow_array_release(&some);
    return STOA_OK;
}

/* Where something older is left, a row that goes leaves a deletion. */
static void drop_filtered(struct making *making, const int64_t *indices, int64_t count,
                          const uint8_t *keep, uint8_t *bits) {
    const stoa_compaction *compaction = making->job->compaction;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = indices[i];
        uint8_t number[8];
        size_t size;
        if (keep[i]) {
            continue;
        }
        const uint8_t *key = key_at(making, row, number, &size);
        if (is_oldest(making, row) &&
            (making->is_bottom || !stoa_compaction_has_older(compaction, key, size))) {
            stoa_bit_clear(bits, row);
        } else {
            making->operations[row] = STOA_OPERATION_DELETE;
        }
    }
}

static stoa_status mark_filtered(struct making *making, uint8_t *bits, int64_t *out_count) {
    stoa_pool *pool = making->job->pool;
    const size_t bytes = (size_t)making->count * (sizeof(int64_t) + 1);
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, bytes, &memory, making->err));
    int64_t *indices = memory;
    uint8_t *keep = (uint8_t *)(indices + making->count);
    const int64_t count = list_filtered(making, bits, indices);
    stoa_status status = STOA_OK;
    *out_count = 0;
    if (count > 0) {
        status = ask_filter(making, indices, count, keep);
    }
    if (status == STOA_OK) {
        drop_filtered(making, indices, count, keep, bits);
        for (int64_t i = 0; i < count; i++) {
            *out_count += !keep[i];
        }
    }
    stoa_pool_free(pool, memory, bytes);
    return status;
}

/* Rows without their bit are gone from everything. */
static stoa_status keep_marked(struct making *making, const uint8_t *bits) {
    int64_t kept = 0;
    for (int64_t i = 0; i < making->count; i++) {
        making->sequences[kept] = making->sequences[i];
        making->operations[kept] = making->operations[i];
        kept += stoa_bit_get(bits, i);
    }
    if (kept == making->count) {
        return STOA_OK;
    }
    making->rows->sequences.size = (size_t)kept * sizeof *making->sequences;
    making->rows->operations.size = (size_t)kept;
    STOA_TRY(stoa_gather_keep(making->source->gather, bits, making->err));
    STOA_TRY(make_keys(making));
    STOA_ASSERT(making->count == kept);
    return make_columns(making, false);
}

static stoa_status drop_rows(struct making *making) {
    stoa_compaction_job *job = making->source->feed->job;
    const size_t bytes = ((size_t)making->count + 7) / 8;
    void *bits = NULL;
    int64_t expired = 0, filtered = 0;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate(job->pool, bytes, &bits, making->err));
    memset(bits, 0xFF, bytes);
    if (job->definition->ttl_column >= 0) {
        expired = mark_expired(making, bits);
    }
    if (job->options->filter != NULL) {
        status = mark_filtered(making, bits, &filtered);
    }
    if (status == STOA_OK) {
        status = keep_marked(making, bits);
    }
    stoa_pool_free(job->pool, bits, bytes);
    stoa_compaction_count(&job->expired, expired);
    stoa_compaction_count(&job->filtered, filtered);
    return status;
}

static stoa_status fill(void *user, stoa_output_rows *rows, stoa_error *err) {
    const struct source *source = user;
    stoa_compaction_job *job = source->feed->job;
    struct making making = {.source = source, .job = job, .rows = rows, .err = err};
    const bool looks = job->definition->ttl_column >= 0 || job->options->filter != NULL;
    STOA_TRY(stoa_gather_finish_rows(source->gather, err));
    STOA_TRY(make_keys(&making));
    STOA_TRY(make_versions(&making));
    STOA_TRY(make_columns(&making, looks));
    if (looks && making.count > 0) {
        STOA_TRY(drop_rows(&making));
    }
    stoa_compaction_count(&job->written, making.count);
    return STOA_OK;
}

/* ---- Listing rows ---------------------------------------------------------------------------- */

static stoa_status send(stoa_stripe_feed *feed, stoa_error *err) {
    const stoa_output_source source = {fill, put_back, feed->source};
    feed->source = NULL;
    return stoa_output_add(feed->output, &source, err);
}

/* A source that has room. */
static stoa_status make_room(stoa_stripe_feed *feed, const stoa_selection *selection,
                             stoa_error *err) {
    if (feed->source != NULL &&
        stoa_gather_row_count(feed->source->gather) == feed->job->stripe_rows) {
        STOA_TRY(send(feed, err));
    }
    if (feed->source == NULL) {
        STOA_TRY(begin_source(feed, err));
    }
    feed->source->is_plain = feed->source->is_plain && selection->is_plain;
    feed->source->may_repeat = feed->source->may_repeat || selection->has_unfolded;
    return STOA_OK;
}

static stoa_status add_window_rows(stoa_stripe_feed *feed, const stoa_selection *selection,
                                   const stoa_kept_rows *kept, stoa_error *err) {
    const bool reads_versions = !selection->is_plain || feed->job->compaction->older_count > 0 ||
                                feed->job->compaction->output_level == 0;
    for (uint32_t done = 0; done < kept->count;) {
        STOA_TRY(make_room(feed, selection, err));
        struct source *source = feed->source;
        const int64_t rows = stoa_gather_row_count(source->gather);
        const uint32_t room = (uint32_t)(feed->job->stripe_rows - rows);
        const uint32_t count = kept->count - done < room ? kept->count - done : room;
        if (reads_versions) { /* here, as the window is of several sources */
            const uint64_t *sequences;
            const uint8_t *operations;
            STOA_TRY(stoa_run_window_sequences(kept->window, &sequences, err));
            STOA_TRY(stoa_run_window_operations(kept->window, &operations, err));
        }
        STOA_TRY(
            stoa_gather_add_window(source->gather, kept->window, kept->first + done, count, err));
        if (kept->operation != STOA_KEPT_AS_IS) {
            const struct override override = {(uint32_t)rows, kept->operation};
            STOA_TRY(stoa_buffer_append(&source->overrides, &override, sizeof override, err));
        }
        done += count;
    }
    return STOA_OK;
}

/* The rows of a fold from `first` on become a batch of the source; whoever has the rows behind them
 * shares their memory. */
static stoa_status add_folded(stoa_stripe_feed *feed, stoa_folded *folded, int64_t first,
                              stoa_error *err) {
    struct source *source = feed->source;
    struct ArrowArray slice;
    stoa_keys_view keys = stoa_keys_view_of(&folded->keys);
    const uint64_t *sequences = (const uint64_t *)(const void *)folded->sequences.data;
    STOA_TRY(stoa_arrow_slice(feed->job->pool, &folded->batch, first, folded->batch.length - first,
                              &slice, err));
    keys.count -= first;
    if (feed->job->definition->key.is_number) {
        keys.numbers += first;
    } else {
        keys.offsets += first;
    }
    source->batch_first = first;
    return stoa_gather_add_batch(source->gather, &slice, &keys, sequences + first,
                                 folded->operations.data + first, &source->batch, err);
}

static stoa_status add_fold(stoa_stripe_feed *feed, const stoa_selection *selection,
                            stoa_folded *folded, const stoa_fold *fold, stoa_error *err) {
    if (fold->row >= 0) {
        STOA_TRY(make_room(feed, selection, err));
        if (feed->source->batch < 0) {
            STOA_TRY(add_folded(feed, folded, fold->row, err));
        }
        return stoa_gather_add_batch_rows(feed->source->gather, feed->source->batch,
                                          fold->row - feed->source->batch_first, 1, err);
    }
    const stoa_version_row *rows = (const stoa_version_row *)(const void *)selection->rows.data +
                                   fold->first;
    for (int64_t i = 0; i < fold->count; i++) {
        /* The oldest one takes the place of the deletion that ended the operands, and is gone. */
        const bool is_end = fold->is_whole && i + 1 == fold->count;
        const stoa_kept_rows kept = {rows[i].window, rows[i].row, 1,
                                     is_end ? STOA_OPERATION_PUT : STOA_KEPT_AS_IS};
        STOA_TRY(add_window_rows(feed, selection, &kept, err));
    }
    return STOA_OK;
}

stoa_status stoa_stripe_feed_add(stoa_stripe_feed *feed, const stoa_selection *selection,
                                 stoa_folded *folded, stoa_error *err) {
    const stoa_kept_rows *kept = (const stoa_kept_rows *)(const void *)selection->kept.data;
    const stoa_fold *folds = (const stoa_fold *)(const void *)selection->folds.data;
    if (feed->source != NULL) {
        feed->source->batch = -1; /* that of another block */
    }
    for (size_t i = 0; i < selection->kept.size / sizeof *kept; i++) {
        STOA_TRY(kept[i].window != NULL
                     ? add_window_rows(feed, selection, &kept[i], err)
                     : add_fold(feed, selection, folded, &folds[kept[i].first], err));
    }
    return STOA_OK;
}

stoa_status stoa_stripe_feed_end(stoa_stripe_feed *feed, stoa_error *err) {
    return feed->source == NULL ? STOA_OK : send(feed, err);
}
