/* Questions to a whole view that its directories answer: where to cut it into parts of about the same
 * size, and how many rows it has. */
#include <stdlib.h>

#include "base/bytes.h"
#include "lsm/scan_internal.h"

enum {
    SAMPLE_ROWS = STOA_STRIPE_ROWS
}; /* of a memtable, from one key that is looked at to the next */

/* ---- Parts ----------------------------------------------------------------------------------- */

/* A key that may be a boundary, and how many rows begin with it. */
struct sample {
    const uint8_t *key;
    size_t size;
    int64_t rows;
};

struct samples {
    stoa_arena arena;
    const stoa_key_range *range;
    stoa_buffer list;
};

static bool is_inside(const stoa_key_range *range, const uint8_t *key, size_t size) {
    return range == NULL ||
           (stoa_bytes_compare(key, size, range->from, range->from_size) > 0 &&
            (range->to_end || stoa_bytes_compare(key, size, range->to, range->to_size) < 0));
}

static stoa_status add_sample(struct samples *samples, const uint8_t *key, size_t size,
                              int64_t rows, stoa_error *err) {
    const struct sample sample = {key, size, rows};
    return is_inside(samples->range, key, size)
               ? stoa_buffer_append(&samples->list, &sample, sizeof sample, err)
               : STOA_OK;
}

static stoa_status add_files(struct samples *samples, const stoa_level *level, stoa_error *err) {
    for (int64_t i = 0; i < level->count; i++) {
        const stoa_sst *table = level->files[i]->sst;
        for (int64_t j = 0; j < stoa_sst_summary_of(table)->stripe_count; j++) {
            const stoa_sst_member *member = stoa_sst_member_at(table, j);
            STOA_TRY(add_sample(samples, member->first_key, member->first_key_size,
                                member->stripe.row_count, err));
        }
    }
    return STOA_OK;
}

static stoa_status add_memtable(struct samples *samples, stoa_memtable *table, stoa_error *err) {
    stoa_memtable_order *order;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_memtable_order_of(table, &order, err));
    for (int64_t i = 0; i < order->count && status == STOA_OK; i += SAMPLE_ROWS) {
        const stoa_memtable_row row = stoa_memtable_order_row(table, order, i);
        const int64_t left = order->count - i;
        uint8_t number[8];
        size_t size;
        const char *copy;
        const uint8_t *key = stoa_memtable_key(table, &row, number, &size);
        status = stoa_arena_copy_text(&samples->arena, (const char *)key, size, &copy, err);
        if (status == STOA_OK) {
            status = add_sample(samples, (const uint8_t *)copy, size,
                                left < SAMPLE_ROWS ? left : SAMPLE_ROWS, err);
        }
    }
    stoa_memtable_order_close(order);
    return status;
}

static int compare_samples(const void *left, const void *right) {
    const struct sample *a = left, *b = right;
    return stoa_bytes_compare(a->key, a->size, b->key, b->size);
}

static stoa_status append_key(const stoa_key_format *format, const struct sample *sample,
                              stoa_keys *out, stoa_error *err) {
    if (format->is_number) {
        const uint64_t number = stoa_key_get_number(sample->key, (int32_t)sample->size);
        STOA_TRY(stoa_buffer_append(&out->numbers, &number, sizeof number, err));
    } else {
        STOA_TRY(stoa_buffer_reserve(&out->offsets, 2 * sizeof(uint32_t), err));
        if (out->offsets.size == 0) {
            STOA_TRY(stoa_buffer_append(&out->offsets, &(uint32_t){0}, sizeof(uint32_t), err));
        }
        STOA_TRY(stoa_buffer_append(&out->bytes, sample->key, sample->size, err));
        const uint32_t end = (uint32_t)out->bytes.size;
        STOA_TRY(stoa_buffer_append(&out->offsets, &end, sizeof end, err));
    }
    out->count++;
    return STOA_OK;
}

/* A boundary wherever another part's share of the rows lies before it. */
static stoa_status choose(const stoa_key_format *format, struct samples *samples, int64_t parts,
                          stoa_keys *out, stoa_error *err) {
    struct sample *list = (struct sample *)(void *)samples->list.data;
    const size_t count = samples->list.size / sizeof *list;
    int64_t total = 0, before = 0, part = 1;
    if (count == 0) {
        return STOA_OK;
    }
    qsort(list, count, sizeof *list, compare_samples);
    for (size_t i = 0; i < count; i++) {
        total += list[i].rows;
    }
    for (size_t i = 0; i < count && part < parts; i++) {
        const bool is_new = i == 0 || compare_samples(&list[i - 1], &list[i]) < 0;
        if (is_new && before >= total / parts * part) {
            STOA_TRY(append_key(format, &list[i], out, err));
            while (before >= total / parts * part && part < parts) {
                part++;
            }
        }
        before += list[i].rows;
    }
    return STOA_OK;
}

stoa_status stoa_view_scan_split(const stoa_state_view *view, const stoa_key_range *range,
                                 int64_t parts, stoa_keys *out, stoa_error *err) {
    struct samples samples = {.range = range};
    stoa_status status = STOA_OK;
    stoa_arena_init(&samples.arena, view->pool);
    stoa_buffer_init(&samples.list, view->pool);
    for (int32_t i = 0; i < view->memtable_count; i++) {
        STOA_CHECK(add_memtable(&samples, view->memtables[i], err));
    }
    for (int32_t i = 0; i < STOA_LEVELS; i++) {
        STOA_CHECK(add_files(&samples, &view->version->levels[i], err));
    }
    STOA_CHECK(choose(&view->definition->key, &samples, parts, out, err));

done:
    stoa_buffer_release(&samples.list);
    stoa_arena_release(&samples.arena);
    return status;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* The rows of a run of files, where what is said of its stripes leaves no doubt: puts that are old
 * enough, each of a key of its own. */
static bool count_exactly(const stoa_view_scan *scan, int64_t *out) {
    const stoa_run *run = &scan->runs[0];
    *out = 0;
    if (scan->run_count == 0) {
        return true;
    }
    if (scan->run_count > 1 || run->memtable != NULL || scan->tested_count > 0 ||
        scan->visible.ranges.count > 0) {
        return false;
    }
    for (int64_t i = 0; i < run->file_count; i++) {
        const stoa_sst *table = run->files[i]->sst;
        for (int64_t j = 0; j < stoa_sst_summary_of(table)->stripe_count; j++) {
            const stoa_sst_member *member = stoa_sst_member_at(table, j);
            if (member->delete_count > 0 || member->merge_count > 0 ||
                member->sequence_max > scan->reading.snapshot ||
                member->sequence_min < member->sequence_max ||
                stoa_view_scan_stripe_shares_keys(table, j)) {
                return false;
            }
            *out += member->stripe.row_count;
        }
    }
    return true;
}

static stoa_status create_keys_only(const stoa_view_reading *reading,
                                    const stoa_view_scan_options *options, stoa_view_scan **out,
                                    stoa_error *err) {
    static const int32_t no_columns[1] = {0};
    stoa_view_scan_options keys_only = *options;
    keys_only.columns = no_columns;
    keys_only.column_count = 0;
    keys_only.reverse = false;
    return stoa_view_scan_create(reading, &keys_only, out, err);
}

stoa_status stoa_view_scan_count_known(const stoa_view_reading *reading, stoa_pool *pool,
                                       bool *out_known, int64_t *out, stoa_error *err) {
    const stoa_view_scan_options options = {.context = {.pool = pool}};
    stoa_view_scan *scan;
    STOA_TRY(create_keys_only(reading, &options, &scan, err));
    *out_known = count_exactly(scan, out);
    stoa_view_scan_close(scan);
    return STOA_OK;
}

stoa_status stoa_view_scan_count(const stoa_view_reading *reading,
                                 const stoa_view_scan_options *options, const stoa_key_range *range,
                                 int64_t *out, stoa_error *err) {
    stoa_view_scan *scan;
    struct ArrowArray batch;
    STOA_TRY(create_keys_only(reading, options, &scan, err));
    stoa_status status = STOA_OK;
    const bool is_whole = range == NULL || (range->from_size == 0 && range->to_end);
    if (!is_whole || !count_exactly(scan, out)) {
        *out = 0;
        STOA_CHECK(stoa_view_scan_seek(scan, range, err));
        do {
            STOA_CHECK(stoa_view_scan_next(scan, STOA_STRIPE_ROWS, &batch, err));
            *out += batch.length;
            stoa_arrow_array_release(&batch);
        } while (!scan->is_at_end);
    }

done:
    stoa_view_scan_close(scan);
    return status;
}
